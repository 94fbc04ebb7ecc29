# SPDX-License-Identifier: MIT
"""What a call through isthmus costs above PyTorch itself for the same loss and gradient.

    python3 python/bench/overhead.py [--repeats N]

Times losses and gradients of an evaluator, and whole steps of isthmus.train, against the same number of losses and
gradients by PyTorch with batches of the same sizes, in turns: seconds of the processor, the smallest of the repeats. A
callable that does nothing shows what the way there and back costs alone.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import isthmus

torch.set_num_threads(1)


def convnet() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def seconds_of(work, *arguments) -> float:
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def alone(model: nn.Module, data, batches) -> None:
    """As a training loop has it: batches by index, gradients set to zero in place."""
    model.train()
    for indices in batches:
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()
        loss = F.cross_entropy(model(data[0][indices]), data[1][indices])
        loss.backward()
        float(loss.detach())


def through(evaluator, batches) -> None:
    for indices in batches:
        evaluator.loss_and_gradient(indices, None)


def report(name: str, inside: list[float], outside: list[float], calls: int) -> None:
    a, b = (1e6 * min(times) / calls for times in (inside, outside))
    print(f"{name:<44}{b:10.1f}{a:10.1f}{a - b:10.1f}{100 * (a / b - 1):9.2f} %", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    print(f"{'us a call':<44}{'alone':>10}{'isthmus':>10}{'more':>10}")

    size = 10000
    gradient = np.ones(size, np.float32)
    calls = [0]

    def nothing(theta):
        calls[0] += 1
        return 1.0, gradient

    def direct(count):
        for _ in range(count):
            nothing(gradient)

    inside, outside = [], []
    for _ in range(repeats):
        calls[0] = 0
        inside.append(seconds_of(lambda: isthmus.train(nothing, gradient, 0.5, max_steps=2000, optimizer="sgd")))
        count = calls[0]
        outside.append(seconds_of(direct, count))
    report(f"a callable that does nothing, P = {size}, SGD", inside, outside, count)

    data = (torch.randn(2048, 1, 28, 28), torch.randint(0, 10, (2048,)))
    model = convnet()
    objective = isthmus.torch.Objective(model, loss=F.cross_entropy, train=data)
    evaluator = objective.evaluator()
    evaluator.theta[:] = torch.cat([p.detach().reshape(-1) for p in model.parameters()]).numpy()
    for size, count in ((1, 300), (16, 200), (128, 40)):
        indices = [np.random.default_rng(i).permutation(2048)[:size].astype(np.uint32) for i in range(count)]
        tensors = [torch.from_numpy(i.astype(np.int64)) for i in indices]
        inside, outside, steps = [], [], []
        for _ in range(repeats):
            inside.append(seconds_of(through, evaluator, indices))
            outside.append(seconds_of(alone, model, data, tensors))
            # Everything: from C++ to Python and back, the batch drawn, and a step of SGD.
            start = np.asarray(evaluator.theta).copy()
            options = {"max_steps": count, "batch_size": size, "optimizer": "sgd", "check_every": count,
                       "learning_rate": 1e-6, "skip_first_check": True}  # fmt: skip
            whole = seconds_of(lambda s=start, o=options: isthmus.train(objective, s, 1e-9, **o))
            look = seconds_of(evaluator.metric, 1, "loss", 9e9)
            steps.append(whole - look)
        report(f"convnet, batch {size}: loss_and_gradient", inside, outside, count)
        report(f"convnet, batch {size}: a step of isthmus.train", steps, outside, count)


if __name__ == "__main__":
    main()
