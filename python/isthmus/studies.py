# SPDX-License-Identifier: MIT
"""What the command does, from Python: studies of the known tasks and of networks of one's own, saved paths and runs.
Options are the command's flags with underscores (docs/options.md): max_rounds=3 is --max-rounds 3."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import numpy as np

from . import _core, _program
from .errors import UsageError
from .path import Path, Segment, as_frame, load_path

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Task:
    """One that the command knows by name."""

    name: str
    summary: str
    data: str
    metric: str
    threshold: float
    published_thresholds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """A run directory: what it is of, and the tables of its cells."""

    folder: File
    task: str
    metric: str
    split: str
    protocol: str
    complete: bool
    config: dict[str, Any]
    summary: dict[str, Any]
    cells: list[dict[str, Any]]  # one for each threshold and pair
    curve: list[dict[str, Any]]  # one for each threshold

    def cell_frame(self) -> Any:
        """cells.csv as a DataFrame where pandas is there, else a dict of columns."""
        return as_frame(_columns(self.cells))

    def curve_frame(self) -> Any:
        return as_frame(_columns(self.curve))

    def path_file(self, threshold: float, pair: int = 0) -> File:
        for file in sorted((self.folder / "paths").glob(f"*_{pair}.safetensors")):
            if float(file.name.rsplit("_", 1)[0]) == threshold:
                return file
        raise UsageError(f"{self.folder}: no path of pair {pair} at {threshold:g}")

    def path(self, threshold: float, pair: int = 0) -> Path:
        return load_path(self.path_file(threshold, pair))


@dataclass(frozen=True)
class Verification:
    """A saved path looked at again, on a grid of each segment."""

    file: File
    task: str
    metric: str
    split: str
    points: int
    include_end: bool  # whether the grid of a segment has its end: t = k / (points - 1), else k / points
    threshold: float
    tolerance: float
    below: bool
    max_metric: float
    max_t: float
    value_b: float  # of end point B, which the largest value and the last segment's take in, whatever the grid
    beads: int
    normalized_length: float
    normalized_length_weights: float
    segments: list[Segment]


@dataclass(frozen=True)
class Certificate:
    """What is proven of a saved path; `content` is the certificate file (docs/certificate.md)."""

    file: File
    proven: bool
    bound: float  # the metric is nowhere larger on the path
    largest_seen: float
    evaluations: float  # in passes over the split
    content: dict[str, Any]


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _value(text: str) -> Any:
    if text == "":
        return math.nan
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _rows(text: str) -> list[dict[str, Any]]:
    return [{name: _value(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def read_run(folder: PathLike) -> Run:
    """A run directory, finished or not. Raises MissingInput, DataError and ConfigurationError."""
    found = _core.read_run(os.fspath(folder))
    return Run(
        folder=File(folder),
        cells=_rows(found["cells"]),
        curve=_rows(found["curve"]),
        config=json.loads(found["config"]),
        summary=json.loads(found["summary"]) or {},
        **{name: found[name] for name in ("task", "metric", "split", "protocol", "complete")},
    )


def command(*arguments: str, progress: Any = None) -> str:
    """Runs any command of the program, as command("data", "list"), and returns what it printed."""
    return _program.run([str(argument) for argument in arguments], progress=progress)[0]


def tasks() -> list[Task]:
    """The tasks that sweep and the others know by name."""
    found = []
    for row in _program.run_json(["list"]):
        known = {name: row[name] for name in Task.__dataclass_fields__ if name in row}
        found.append(Task(**{"summary": "", "data": "", "metric": "", "threshold": math.nan, **known}))
    return found


def _study(name: str, task: str | None, out: PathLike, options: dict[str, Any], progress: Any) -> Run:
    arguments = [name, *([task] if task else []), "--out", os.fspath(out)]
    if (File(out) / "config.json").exists():
        arguments.append("--resume")
    _program.run([*arguments, *_program.flags_of(options)], progress=progress)
    return read_run(out)


def sweep(
    task: str | None = None,
    *,
    out: PathLike,
    thresholds: Sequence[float] | None = None,
    pairs: int | None = None,
    progress: Any = None,
    **options: Any,
) -> Run:
    """Connects `pairs` pairs of networks of a task (or of network=FILE on dataset=NAME) at each threshold, and keeps
    everything in the run directory `out`; one that is there with the same options is gone on with. Ctrl-C keeps what is
    finished."""
    given: dict[str, Any] = {"thresholds": thresholds and list(thresholds), "pairs": pairs, **options}
    return _study("sweep", task, out, given, progress)


def compare(task: str | None = None, *, out: PathLike, progress: Any = None, **options: Any) -> Any:
    """Every method on the same end points; a row a threshold and method, as a DataFrame where pandas is there."""
    arguments = ["connect", *([task] if task else []), "--method", "compare", "--out", os.fspath(out)]
    if File(out).exists():
        arguments.append("--resume")
    rows = _program.run_json([*arguments, *_program.flags_of(options)], progress=progress)
    return as_frame(_columns(rows))


def verify(
    file: PathLike,
    *,
    points: int | None = None,
    split: str | None = None,
    metric: str | None = None,
    threshold: float | None = None,
    data: PathLike | None = None,
    threads: int = 1,
) -> Verification:
    """Looks at every grid point of a path file of the command again, and at end point B, from the file and the data
    alone. With `points` the grid has so many a segment, both ends included."""
    folder = None if data is None else os.fspath(data)
    found = json.loads(_core.verify(os.fspath(file), points, split, metric, threshold, folder, threads))
    segments = [
        Segment(
            passed=one["max"] is not None and one["max"] <= found["threshold"] * found["tolerance"],
            max=_number(one["max"]),
            t=one["t"],
            values=np.array([_number(value) for value in one["values"]]),
        )
        for one in found.pop("segments")
    ]
    found["max_metric"], found["value_b"] = _number(found["max_metric"]), _number(found["value_b"])
    return Verification(file=File(file), segments=segments, **found)


def certify(
    file: PathLike,
    *,
    split: str | None = None,
    metric: str | None = None,
    threshold: float | None = None,
    gap: float | None = None,
    max_evaluations: float | None = None,
    data: PathLike | None = None,
    threads: int = 1,
) -> Certificate:
    """Proves the maximum of a metric along a path file of the command (docs/certificate.md). That nothing is proven is
    no error: see Certificate.proven."""
    folder = None if data is None else os.fspath(data)
    content = json.loads(
        _core.certify(os.fspath(file), split, metric, threshold, gap, max_evaluations, folder, threads)
    )
    return Certificate(
        file=File(file),
        proven=content["proven"],
        bound=_number(content["bound"]),
        largest_seen=_number(content["largest_seen"]),
        evaluations=content["evaluations"],
        content=content,
    )


def shorten(target: PathLike, *, out: PathLike | None = None, progress: Any = None, **options: Any) -> Any:
    """Makes a path file, or all connected paths of a run, shorter at its level; a row a path."""
    given = {"out": out and os.fspath(out), **options}
    return _program.run_json(["shorten", os.fspath(target), *_program.flags_of(given)], progress=progress)


def align(a: PathLike, b: PathLike, *, task: str | None = None, out: PathLike | None = None, **options: Any) -> Any:
    """Moves the units of network B (a safetensors file) to where it is closest to A: the distances and barriers of the
    straight line before and after, and with `out` the aligned file."""
    given = {"out": out and os.fspath(out), **options}
    arguments = ["align", *([task] if task else []), os.fspath(a), os.fspath(b)]
    return _program.run_json([*arguments, *_program.flags_of(given)])


def lower_bound(*arguments: str, progress: Any = None, **options: Any) -> Any:
    """Proves that every path climbs at least so high (`isthmus lower-bound --help` has the arguments)."""
    given = ["lower-bound", *map(str, arguments), *_program.flags_of(options)]
    return _program.run_json(given, progress=progress, ok=(0, 1))


def components(
    task: str | None = None, *, out: PathLike, networks: int | None = None, progress: Any = None, **options: Any
) -> list[dict[str, Any]]:
    """Which of many networks lie in one component of their level sets; the rows of components.csv."""
    arguments = ["components", *([task] if task else []), "--out", os.fspath(out)]
    if (File(out) / "config.json").exists():
        arguments.append("--resume")
    _program.run([*arguments, *_program.flags_of({"networks": networks, **options})], progress=progress)
    return _rows((File(out) / "components.csv").read_text())


def theory(*arguments: str, progress: Any = None, **options: Any) -> Any:
    """The paths and bounds of the theorems, theory("kernel", ...) as `isthmus theory kernel ...`."""
    given = ["theory", *map(str, arguments), *_program.flags_of(options)]
    return _program.run_json(given, progress=progress, ok=(0, 1))


def export(
    target: PathLike,
    *,
    t: float | None = None,
    out: PathLike | None = None,
    beads: PathLike | None = None,
    **options: Any,
) -> Any:
    """Writes the network at t of a saved path, or all its beads into a folder, as safetensors under the names that
    PyTorch knows."""
    given = {"t": t, "out": out and os.fspath(out), "beads": beads and os.fspath(beads), **options}
    return _program.run_json(["export", os.fspath(target), *_program.flags_of(given)])
