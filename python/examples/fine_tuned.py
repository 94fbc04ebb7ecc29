# SPDX-License-Identifier: MIT
"""A pretrained network that was fine-tuned twice: models that share a start often lie in one basin, and then the
straight line is the path. Checkpoints are files, one with a wrapper's prefix."""

import copy
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import isthmus

torch.set_num_threads(1)


def data(count: int, seed: int, shift: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Four classes by the signs of two products of coordinates; a task that `shift` changes a little."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=generator)
    label = 2 * (x[:, 0] * x[:, 1] > shift).long() + (x[:, 2] * x[:, 3] > -shift).long()
    return x, label


def train(
    model: nn.Module, samples: tuple[torch.Tensor, torch.Tensor], steps: int, rate: float, seed: int
) -> nn.Module:
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    for _ in range(steps):
        batch = torch.randint(len(samples[1]), (128,))
        optimizer.zero_grad()
        F.cross_entropy(model(samples[0][batch]), samples[1][batch]).backward()
        optimizer.step()
    return model


def main() -> isthmus.Path:
    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(8, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 4))
    train(base, data(4000, 1, 0.0), 1500, 0.005, 0)
    new_train, new_test = data(4000, 2, 0.2), data(2000, 3, 0.2)
    tuned = [train(copy.deepcopy(base), new_train, 400, 0.001, seed) for seed in (1, 2)]

    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.pt", Path(folder) / "second.pt"
        torch.save(tuned[0].state_dict(), first)
        torch.save({"state_dict": {f"module.{name}": p for name, p in tuned[1].state_dict().items()}}, second)
        objective = isthmus.torch.Objective(base, loss=F.cross_entropy, train=new_train, test=new_test)
        path = isthmus.connect(objective, first, second, threshold=0.1, metric="error_rate")
        print("fine-tuned twice:", path, sep="\n")

        # From the pretrained network, which misses the new task, to a fine-tuned one: no level below its own.
        miss = isthmus.connect(objective, base, first, threshold=0.02, metric="error_rate")
        print("from the start:", miss, sep="\n")
    return path


if __name__ == "__main__":
    main()
