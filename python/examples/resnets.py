# SPDX-License-Identifier: MIT
"""Two small residual networks with batch norm on Fashion-MNIST, joined at an error rate that the straight line between
them does not hold; then the path is verified by PyTorch alone, without isthmus.

    python3 resnets.py [--data DIR] [--quick] [--ends FILE] [--save FILE] [--path FILE]

--data is a folder with the four IDX files (gzipped or not); default: those of Debian's dataset-fashion-mnist.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import isthmus

Samples = tuple[torch.Tensor, torch.Tensor]


class Clock:
    def __init__(self) -> None:
        self.start = time.perf_counter(), time.process_time()

    def __str__(self) -> str:
        wall, processor = time.perf_counter() - self.start[0], time.process_time() - self.start[1]
        return f"{wall:.0f} s, {processor:.0f} s of processors"


class Block(nn.Module):
    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        narrow = stride != 1 or inside != out
        convolution = nn.Conv2d(inside, out, 1, stride, bias=False)
        self.short = nn.Sequential(convolution, nn.BatchNorm2d(out)) if narrow else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.short is None else self.short(x)))


class ResNet(nn.Module):
    """About 0.1 M parameters."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.blocks = nn.Sequential(
            Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2),
            Block(4 * width, 4 * width, 1),
        )  # fmt: skip
        self.head = nn.Linear(4 * width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def idx(folder: Path, name: str) -> np.ndarray:
    for file in (folder / name, folder / f"{name}.gz"):
        if file.exists():
            content = file.read_bytes()
            content = gzip.decompress(content) if file.suffix == ".gz" else content
            shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(content[3])]
            return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    raise SystemExit(f"{folder / name}: no such file; --data names the folder of Fashion-MNIST")


def images(folder: Path, part: str) -> Samples:
    pixels = torch.from_numpy(idx(folder, f"{part}-images-idx3-ubyte").copy())[:, None].float() / 255.0
    return (pixels - 0.286) / 0.353, torch.from_numpy(idx(folder, f"{part}-labels-idx1-ubyte").astype(np.int64))


def trained(train: Samples, seed: int, epochs: int, width: int) -> ResNet:
    torch.manual_seed(seed)
    model = ResNet(width)
    count = len(train[1])
    steps = epochs * (count // 128)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(count).split(128)[: count // 128]:
            optimizer.zero_grad()
            F.cross_entropy(model(train[0][batch]), train[1][batch]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def error(model: nn.Module, data: Samples) -> float:
    batches = zip(data[0].split(500), data[1].split(500), strict=True)
    wrong = sum(int((model(x).argmax(1) != y).sum()) for x, y in batches)
    return wrong / len(data[1])


def verified_by_torch(path: isthmus.Path, model: ResNet, train: Samples, test: Samples, points: int) -> float:
    """The largest test error at `points` points of each segment, from the beads alone: parameters interpolated and
    batch norm's statistics taken over the training data by PyTorch."""
    names = [name for name, _ in model.named_parameters()]
    shapes = [p.shape for p in model.parameters()]
    sizes = [p.numel() for p in model.parameters()]
    largest = 0.0
    for left, right in zip(path.beads[:-1], path.beads[1:], strict=True):
        for t in np.linspace(0.0, 1.0, points):
            theta = ((1 - t) * left.astype(np.float64) + t * right.astype(np.float64)).astype(np.float32)
            pieces = torch.from_numpy(theta).split(sizes)
            model.load_state_dict({n: p.view(s) for n, p, s in zip(names, pieces, shapes, strict=True)}, strict=False)
            torch.optim.swa_utils.update_bn(train[0].split(512), model)
            largest = max(largest, error(model.eval(), test))
        print(f"  {largest:.4f} so far", flush=True)
    return largest


def verify(path: isthmus.Path, train: Samples, test: Samples, width: int, statistics: int, points: int) -> None:
    clock = Clock()
    some = (train[0][:statistics], train[1][:statistics])
    largest = verified_by_torch(path, ResNet(width), some, test, points)
    print(f"by PyTorch alone, {points} points a segment: at most {largest:.4f} ({clock})")


def main(arguments: list[str] | None = None) -> isthmus.Path:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--quick", action="store_true", help="few images, narrow networks: seconds, and no figures")
    parser.add_argument("--ends", type=Path, help="a file that keeps the two trained networks for the next time")
    parser.add_argument("--points", type=int, help="of a segment, in the verification [101]")
    parser.add_argument("--path", type=Path, help="verify this path alone")
    parser.add_argument("--save", type=Path, help="where to write the path")
    given = parser.parse_args(arguments)
    train, test = images(given.data, "train"), images(given.data, "t10k")
    width, epochs, threshold, points, statistics = 12, 3, 0.12, 101, 2048
    if given.quick:
        train, test = (train[0][:2048], train[1][:2048]), (test[0][:500], test[1][:500])
        width, epochs, threshold, points, statistics = 4, 3, 0.35, 5, 512

    torch.set_num_threads(1)  # two beads at once instead
    if given.path:
        path = isthmus.load_path(given.path)
        verify(path, train, test, width, statistics, given.points or points)
        return path
    clock = Clock()
    if given.ends and given.ends.exists():
        ends = [ResNet(width), ResNet(width)]
        for end, state in zip(ends, torch.load(given.ends, weights_only=True), strict=True):
            end.load_state_dict(state)
            end.eval()
    else:
        ends = [trained(train, seed, epochs, width) for seed in (1, 2)]
        if given.ends:
            torch.save([end.state_dict() for end in ends], given.ends)
    size = sum(p.numel() for p in ends[0].parameters())
    print(f"{size} parameters; test errors of the two: {error(ends[0], test):.4f} and {error(ends[1], test):.4f}")
    print(f"trained in {clock}")

    objective = isthmus.torch.Objective(
        ResNet(width), loss=F.cross_entropy, train=train, test=test, buffer_samples=statistics
    )
    clock = Clock()
    options = {"threshold": threshold, "metric": "error_rate", "points": 21, "threads": 2}
    straight = isthmus.connect(objective, *ends, max_total_steps=0, repair="none", **options)
    print(f"the straight line: {straight.max_metric:.4f} or more (t = {straight.max_t:.2f})")
    path = isthmus.connect(
        objective, *ends, batch_size=128, learning_rate=0.002, max_steps=2000, check_every=40, **options
    )
    print(path)
    print(f"connected in {clock}")
    if given.save:
        path.save(given.save)
    verify(path, train, test, width, statistics, given.points or points)
    return path


if __name__ == "__main__":
    main()
