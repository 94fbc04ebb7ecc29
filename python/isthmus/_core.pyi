# SPDX-License-Identifier: MIT
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__version__: str
commit: str

_Floats = npt.NDArray[np.float32]
_Told = Callable[[dict[str, Any]], None] | None

class Journal:
    """What a string has finished, in memory."""

    def __init__(self) -> None: ...
    @property
    def beads(self) -> int: ...
    @property
    def checks(self) -> int: ...

def connect(
    objective: Any,
    a: _Floats,
    b: _Floats,
    options: str,
    threads: int,
    progress: _Told,
    journal: Journal | None,
    keep: str | None,
) -> dict[str, Any]: ...
def shorten(objective: Any, beads: _Floats, options: str, threads: int, progress: _Told) -> dict[str, Any]: ...
def check(objective: Any, beads: _Floats, options: str, threads: int, progress: _Told) -> list[dict[str, Any]]: ...
def train(objective: Any, start: _Floats, target: float, options: str, progress: _Told) -> dict[str, Any]: ...
def gradient_errors(objective: Any, theta: _Floats, step: float, precision: float) -> list[dict[str, Any]]: ...
def keywords() -> str: ...
def lengths(beads: _Floats, layout: str) -> tuple[dict[str, float], dict[str, float]]: ...
def interpolate(a: _Floats, b: _Floats, t: float) -> _Floats: ...
def write_path(file: str, beads: _Floats, layout: str, metadata: dict[str, str]) -> None: ...
def read_path(file: str) -> tuple[_Floats, str, dict[str, str], str]: ...
def verify(
    file: str,
    points: int | None,
    split: str | None,
    metric: str | None,
    threshold: float | None,
    data: str | None,
    threads: int,
) -> str: ...
def certify(
    file: str,
    split: str | None,
    metric: str | None,
    threshold: float | None,
    gap: float | None,
    max_evaluations: float | None,
    data: str | None,
    threads: int,
) -> str: ...
def read_run(folder: str) -> dict[str, Any]: ...
