# SPDX-License-Identifier: MIT
"""Two perceptrons that were trained apart, joined without losing their accuracy; then the midpoint as a model."""

import copy
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import isthmus

torch.manual_seed(0)
torch.set_num_threads(1)


def spirals(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two arms of a spiral, as many points on each."""
    generator = torch.Generator().manual_seed(seed)
    angle = torch.rand(count, generator=generator) * 9.0 + 1.0
    label = torch.arange(count) % 2
    turn = angle + label * torch.pi
    points = torch.stack([turn.cos(), turn.sin()], 1) * (angle / 5.0)[:, None]
    return points + 0.03 * torch.randn(count, 2, generator=generator), label


def trained(model: nn.Module, data: tuple[torch.Tensor, torch.Tensor], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(1500):
        optimizer.zero_grad()
        F.cross_entropy(model(data[0]), data[1]).backward()
        optimizer.step()
    return model


def main() -> isthmus.Path:
    train, test = spirals(600, 1), spirals(400, 2)
    model = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 2))
    model_a, model_b = (trained(copy.deepcopy(model), train, seed) for seed in (1, 2))

    objective = isthmus.torch.Objective(model, loss=F.cross_entropy, train=train, test=test)
    path = isthmus.connect(objective, model_a, model_b, threshold=0.03, metric="error_rate")
    print(path)

    model.load_state_dict(path.state_dict(0.5))
    with torch.no_grad():
        print("error of the model in the middle:", float((model(test[0]).argmax(1) != test[1]).float().mean()))
    with tempfile.TemporaryDirectory() as folder:
        path.report(Path(folder) / "report.html")
        path.save(Path(folder) / "path.safetensors")
        again = isthmus.load_path(Path(folder) / "path.safetensors", objective)
    print("verified at 101 points a segment:", again.verify(points=101).max_metric)
    return path


if __name__ == "__main__":
    main()
