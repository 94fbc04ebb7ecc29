# SPDX-License-Identifier: MIT
"""Paths of low loss between two trained networks.

    objective = isthmus.torch.Objective(model, loss=torch.nn.functional.cross_entropy, train=train, test=test)
    path = isthmus.connect(objective, model_a, model_b, threshold=0.05, metric="error_rate")
    print(path)
    model.load_state_dict(path.state_dict(0.37))

`isthmus.torch` and `isthmus.ray` are imported when first used; the rest needs NumPy alone. docs/python.md is the guide.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._connect import check_gradient, connect, options, train
from ._core import Journal, __version__
from .errors import (
    ConfigurationError,
    DataError,
    Error,
    InternalError,
    Interrupted,
    MissingInput,
    UsageError,
    WriteError,
)
from .objective import Callable, Evaluator, Objective
from .path import Path, PathCost, Segment, load_path
from .studies import (
    Certificate,
    Run,
    Task,
    Verification,
    align,
    certify,
    command,
    compare,
    components,
    export,
    lower_bound,
    read_run,
    shorten,
    sweep,
    tasks,
    theory,
    verify,
)

if TYPE_CHECKING:
    from . import ray, torch

__all__ = [
    "Callable", "Certificate", "ConfigurationError", "DataError", "Error", "Evaluator", "InternalError", "Interrupted",
    "Journal", "MissingInput", "Objective", "Path", "PathCost", "Run", "Segment", "Task", "UsageError", "Verification",
    "WriteError", "__version__", "align", "certify", "check_gradient", "command", "compare", "components", "connect",
    "export", "load_path", "lower_bound", "options", "ray", "read_run", "shorten", "sweep", "tasks", "theory", "torch",
    "train", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("torch", "ray"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")
