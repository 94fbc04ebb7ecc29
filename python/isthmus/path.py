# SPDX-License-Identifier: MIT
"""What came of connecting two models: a string of beads, with what was seen along it."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from .checkpoints import write_safetensors
from .errors import UsageError, WriteError
from .objective import Floats, Objective, unflatten


@dataclass(frozen=True)
class Segment:
    """What the check saw between two beads."""

    passed: bool
    max: float
    t: float  # in [0, 1] within the segment, of the maximum
    values: npt.NDArray[np.float64]  # at the points of the grid; NaN where the check did not look
    error: float = 0.0  # of a screened loss: the standard error of max, 0 where all samples were looked at


@dataclass(frozen=True)
class PathCost:
    """Samples, but for `seconds` and `buffer_samples`, which are those that recomputed batch norm's statistics."""

    gradient_samples: int = 0
    forward_samples_beads: int = 0
    forward_samples_checks: int = 0
    buffer_samples: int = 0
    seconds: float = math.nan


@dataclass
class Path:
    """A polyline of M beads with P parameters each, from end point A to end point B. Places on it are t in [0, 1]:
    bead i is at i / (M - 1), and between two beads parameters are interpolated, in double, rounded once to float32."""

    beads: Floats  # (M, P)
    tensors: list[dict[str, Any]]  # name, offset, shape and role, as in path files
    verdict: str = ""  # connected, not_connected, endpoint_not_reached; "" where nobody has looked
    reason: str = ""
    ending: str = ""
    metric: str = ""
    split: str = "test"
    threshold: float = math.nan
    tolerance: float = 1.0
    check: str = "sampled"
    method: str = ""
    points: int = 21
    include_end: bool = True  # whether the grid of a segment has its end: t = k / (points - 1), else k / points
    max_metric: float = math.nan
    max_t: float = math.nan
    value_a: float = math.nan
    value_b: float = math.nan
    best_max_metric: float = math.nan
    rounds: int = 0
    repaired: bool = False
    shortened: bool = False
    segments: list[Segment] = field(default_factory=list)
    cost: PathCost = field(default_factory=PathCost)
    notes: list[str] = field(default_factory=list)  # what was not as the model has it, a sentence each
    metadata: dict[str, str] = field(default_factory=dict)  # of the file that it was read from
    objective: Objective | None = field(default=None, repr=False)
    options: dict[str, Any] = field(default_factory=dict, repr=False)  # what connect was told

    def __post_init__(self) -> None:
        self.beads = np.ascontiguousarray(self.beads, np.float32)
        if self.beads.ndim != 2 or len(self.beads) < 2:
            raise UsageError(f"beads: expected at least two rows of parameters, got the shape {self.beads.shape}")
        self._lengths = _core.lengths(self.beads, json.dumps(self.tensors))

    @property
    def connected(self) -> bool:
        return self.verdict == "connected"

    @property
    def length(self) -> float:
        """Over all parameters, relative to the distance of the end points: 1 is the straight line."""
        return float(self._lengths[0]["normalized"])

    @property
    def length_weights(self) -> float:
        """The same over the weights alone, as published lengths are."""
        return float(self._lengths[1]["normalized"])

    @property
    def distance(self) -> float:
        """Euclidean, of the end points."""
        return float(self._lengths[0]["endpoint_distance"])

    def __len__(self) -> int:
        return len(self.beads)

    def __str__(self) -> str:
        named = self.verdict.replace("_", " ") if self.verdict else "not looked at"
        lines = [f"{named}: {self.metric} at most {self.threshold:.6g}, {self.reason or 'no reason kept'}"]
        if not math.isnan(self.max_metric):
            lines.append(
                f"  largest {self.metric} on the {self.split} split {self.max_metric:.6g} at t = {self.max_t:.4f} "
                f"({self._checked()}); end points {self.value_a:.6g} and {self.value_b:.6g}"
            )
        lines.append(
            f"  length {self.length:.4f} (weights {self.length_weights:.4f}) of the distance {self.distance:.4g}; "
            f"{len(self)} beads, {self.rounds} rounds"
        )
        cost = self.cost
        forward = cost.forward_samples_beads + cost.forward_samples_checks
        extra = f", {cost.buffer_samples:.3g} for batch norm" if cost.buffer_samples else ""
        lines.append(
            f"  {cost.gradient_samples:.3g} gradient and {forward:.3g} forward samples{extra}; {cost.seconds:.1f} s"
        )
        return "\n".join(lines + [f"  {note}" for note in self.notes])

    def _checked(self) -> str:
        return f"{self.check}, {self.points} points a segment"

    def place(self, t: float) -> tuple[int, float]:
        """The segment of t in [0, 1], and where in it."""
        if not 0.0 <= t <= 1.0:
            raise UsageError(f"t: expected a place on the path, in [0, 1], got {t}")
        along = t * (len(self) - 1)
        segment = min(int(along), len(self) - 2)
        return segment, along - segment

    def theta(self, t: float) -> Floats:
        """The flat parameters at t."""
        segment, s = self.place(t)
        found: Floats = _core.interpolate(self.beads[segment], self.beads[segment + 1], s)
        return found

    def state_dict(self, t: float) -> dict[str, Any]:
        """The model at t, as load_state_dict() takes it, with the statistics of batch norm that belong to it. Of a path
        from a file, which knows no model: arrays by name."""
        if self.objective is None:
            return dict(unflatten(self.theta(t), self.tensors))
        return self.objective.state_dict(self.theta(t))

    def export(self, file: str | File, t: float) -> None:
        """Writes the model at t as safetensors, under the model's names."""
        tensors = {name: np.asarray(value) for name, value in self.state_dict(t).items()}
        write_safetensors(file, tensors, {"format": "pt", "isthmus_t": repr(float(t))})

    def export_beads(self, folder: str | File) -> list[File]:
        """Writes every bead as FOLDER/bead_0000.safetensors and so on."""
        path = File(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(f"{path}: cannot be made: {error.strerror or error}") from error
        files = [path / f"bead_{i:04d}.safetensors" for i in range(len(self))]
        for i, file in enumerate(files):
            self.export(file, i / (len(self) - 1))
        return files

    def verify(self, points: int = 101, split: str | None = None, metric: str | None = None, threads: int = 1) -> Path:
        """The same path, looked at again on every point of a grid of each segment, both ends included."""
        from ._connect import check_path

        return check_path(self, points=points, split=split, metric=metric, threads=threads)

    def shorten(self, *, threads: int = 1, progress: Any = None, **options: Any) -> Path:
        """A shorter path at the same level, or this one where none was found."""
        from ._connect import shorten_path

        return shorten_path(self, threads=threads, progress=progress, **options)

    def profile(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Places t and the values seen there, in order."""
        places: list[float] = []
        values: list[float] = []
        for i, segment in enumerate(self.segments):
            grid = np.linspace(0.0, 1.0, len(segment.values), endpoint=self.include_end)
            for s, value in zip(grid, segment.values, strict=True):
                if not math.isnan(value) and (i == 0 or s > 0.0 or not self.include_end):
                    places.append((i + float(s)) / max(len(self) - 1, 1))
                    values.append(float(value))
        if self.segments and not self.include_end and not math.isnan(self.value_b):
            places.append(1.0)
            values.append(self.value_b)
        return np.array(places), np.array(values)

    def plot(self, ax: Any = None) -> Any:
        """The metric along the path, with matplotlib; returns the axes."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise UsageError("plot: needs matplotlib: pip install 'isthmus[plot]'") from error
        if ax is None:
            ax = plt.figure(figsize=(6.4, 3.6)).gca()
        t, values = self.profile()
        ax.plot(t, values, ".-", linewidth=1, markersize=3, label="as seen")
        beads = np.linspace(0.0, 1.0, len(self))
        ax.plot(beads, np.interp(beads, t, values) if len(t) else beads * np.nan, "o", label="beads")
        if not math.isnan(self.threshold):
            ax.axhline(self.threshold, linestyle="--", linewidth=1, color="0.4", label="threshold")
        ax.set_xlabel("t")
        ax.set_ylabel(f"{self.metric} ({self.split})")
        ax.legend()
        return ax

    def frame(self) -> Any:
        """The profile as a table: a DataFrame where pandas is there, else a dict of columns."""
        t, values = self.profile()
        return as_frame({"t": t, self.metric or "value": values})

    def report(self, file: str | File) -> None:
        """Writes one page of HTML that stands alone: what `print` says, the profile, and a row a segment."""
        rows = "".join(
            f"<tr><td>{i}</td><td>{'yes' if s.passed else 'no'}</td><td>{s.max:.6g}</td><td>{s.t:.4f}</td></tr>"
            for i, s in enumerate(self.segments)
        )
        text = _PAGE.format(
            title=html.escape(f"{self.verdict.replace('_', ' ')}: {self.metric} {self.threshold:.6g}"),
            summary=html.escape(str(self)),
            figure=_svg(self),
            rows=rows,
        )
        try:
            File(file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise WriteError(f"{file}: cannot be written: {error.strerror or error}") from error

    def save(self, file: str | File) -> None:
        """Writes a path file (isthmus-path-1, a safetensors file); isthmus.load_path reads it back."""
        kept = {
            "threshold": self.threshold, "tolerance": self.tolerance, "max_metric": self.max_metric,
            "max_t": self.max_t, "value_a": self.value_a, "value_b": self.value_b,
        }  # fmt: skip
        metadata = {
            **self.metadata,
            **{name: repr(value) for name, value in kept.items()},
            "verdict": self.verdict,
            "reason": self.reason,
            "metric": self.metric,
            "split": self.split,
            "check": self.check,
            "method": self.method,
            "points": str(self.points),
            "include_end": "true" if self.include_end else "false",
            "rounds": str(self.rounds),
            "options": json.dumps(self.options),
        }
        for generated in ("format", "layout"):
            metadata.pop(generated, None)
        _core.write_path(str(file), self.beads, json.dumps(self.tensors), metadata)


def load_path(file: str | File, objective: Objective | None = None) -> Path:
    """A path from its file: one that Path.save or the command wrote. With the objective it can be verified, shortened
    and turned into models again. Raises MissingInput and DataError."""
    beads, layout, metadata, conversion = _core.read_path(str(file))
    tensors = json.loads(layout)
    shapes = [(tensor["name"], tuple(tensor["shape"])) for tensor in tensors]
    if objective is not None and shapes != [tensor[:2] for tensor in objective.tensors]:
        raise UsageError(f"{file}: its tensors are not those of the objective")

    def number(name: str, missing: float = math.nan) -> float:
        try:
            return float(metadata.get(name, missing))
        except ValueError:
            return missing

    return Path(
        beads=beads,
        tensors=tensors,
        verdict=metadata.get("verdict", ""),
        reason=metadata.get("reason", ""),
        metric=metadata.get("metric", ""),
        split=metadata.get("split", "test"),
        check=metadata.get("check", "sampled"),
        method=metadata.get("method", ""),
        points=int(number("points", 21)),
        include_end=metadata.get("include_end", "true") == "true",
        rounds=int(number("rounds", 0)),
        threshold=number("threshold"),
        tolerance=number("tolerance", 1.0),
        max_metric=number("max_metric"),
        max_t=number("max_t"),
        value_a=number("value_a"),
        value_b=number("value_b"),
        notes=[conversion] if conversion else [],
        metadata=dict(metadata),
        options=json.loads(metadata.get("options", "{}")),
        objective=objective,
    )


def as_frame(columns: Mapping[str, Any]) -> Any:
    """A DataFrame where pandas is there, else the columns."""
    try:
        import pandas
    except ImportError:
        return dict(columns)
    return pandas.DataFrame(columns)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 15px sans-serif; max-width: 52em; margin: 2em auto }} pre {{ background: #f4f4f4; padding: 1em;
white-space: pre-wrap }} table {{ border-collapse: collapse }} td, th {{ padding: .2em 1em; text-align: right }}</style>
</head><body><h1>{title}</h1><pre>{summary}</pre>{figure}
<table><tr><th>segment</th><th>passes</th><th>largest</th><th>at t</th></tr>{rows}</table></body></html>
"""


def _svg(path: Path) -> str:
    t, values = path.profile()
    finite = np.isfinite(values)
    t, values = t[finite], values[finite]
    if len(t) < 2:
        return ""
    width, height, left, below = 640, 260, 70, 40
    low = float(min(values.min(), 0.0 if values.min() >= 0.0 else values.min()))
    high = float(max(values.max(), path.threshold if math.isfinite(path.threshold) else values.max())) * 1.05 or 1.0

    def x(place: float) -> float:
        return left + place * (width - left - 10)

    def y(value: float) -> float:
        return height - below - (value - low) / (high - low) * (height - below - 10)

    line = " ".join(f"{x(float(a)):.1f},{y(float(b)):.1f}" for a, b in zip(t, values, strict=True))
    marks = "".join(f'<line x1="{x(i / (len(path) - 1)):.1f}" x2="{x(i / (len(path) - 1)):.1f}" y1="{height - below}" '
                    f'y2="{height - below + 6}" stroke="black"/>' for i in range(len(path)))  # fmt: skip
    level = ""
    if math.isfinite(path.threshold):
        level = (f'<line x1="{left}" x2="{width - 10}" y1="{y(path.threshold):.1f}" y2="{y(path.threshold):.1f}" '
                 f'stroke="gray" stroke-dasharray="5 4"/>')  # fmt: skip
    ticks = "".join(f'<text x="{left - 6}" y="{y(v) + 4:.1f}" text-anchor="end" font-size="12">{v:.4g}</text>'
                    for v in (low, (low + high) / 2, high))  # fmt: skip
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(path.metric)} along the path">'
        f'<rect x="{left}" y="10" width="{width - left - 10}" height="{height - below - 10}" fill="none" '
        f'stroke="#ccc"/>{level}<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>{marks}'
        f'{ticks}<text x="{width / 2}" y="{height - 8}" text-anchor="middle" font-size="13">t (a mark for each bead)'
        f"</text></svg>"
    )
