#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/unit/train/golden_optimizer.json: trajectories of PyTorch's optimizers in float64.

The loss is sum_i a_i (x_i - c_i)^4 / 4 + b_i (x_i - c_i)^2 / 2, whose gradient any program can
compute. Adam and RMSProp run with a vanishing epsilon, where PyTorch's form of Adam and the one of
Kingma and Ba's section 2 agree. Usage: tools/golden_optimizer.py > tests/unit/train/golden_optimizer.json
"""

import json
import sys

import torch

QUARTIC = [0.5, 1.0, 2.0, 0.25, 1.5]
QUADRATIC = [1.0, 0.5, 0.1, 2.0, 0.0]
CENTRE = [0.3, -0.7, 1.1, 0.0, -1.6]
START = [1.0, 0.4, -0.6, 0.9, 0.2]
STEPS = [1, 2, 10, 100]
TINY = 1e-30

CASES = {
    "sgd": (torch.optim.SGD, dict(lr=0.05)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.02, momentum=0.9)),
    "sgd_nesterov": (torch.optim.SGD, dict(lr=0.02, momentum=0.9, nesterov=True)),
    "rms_prop": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.9, eps=TINY)),
    "adam": (torch.optim.Adam, dict(lr=0.01, betas=(0.9, 0.999), eps=TINY)),
}


def trajectory(kind, options):
    x = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    a, b, c = (torch.tensor(v, dtype=torch.float64) for v in (QUARTIC, QUADRATIC, CENTRE))
    optimizer = kind([x], **options)
    points = {}
    for step in range(1, max(STEPS) + 1):
        optimizer.zero_grad()
        d = x - c
        (a * d**4 / 4 + b * d**2 / 2).sum().backward()
        optimizer.step()
        if step in STEPS:
            points[str(step)] = x.detach().tolist()
    return points


def main():
    golden = {
        "torch": torch.__version__,
        "quartic": QUARTIC,
        "quadratic": QUADRATIC,
        "centre": CENTRE,
        "start": START,
        "epsilon": TINY,
        "trajectories": {name: trajectory(*case) for name, case in CASES.items()},
    }
    json.dump(golden, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
