# SPDX-License-Identifier: MIT
from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Callable as Function
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _core
from .checkpoints import Names
from .errors import Interrupted, UsageError
from .objective import Objective, objective_of
from .path import Path, PathCost, Segment

Event = dict[str, Any]


class _Display:
    """Progress by tqdm, if it is there; else nothing."""

    def __init__(self) -> None:
        self.bar: Any = None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return
        self.bar = tqdm(desc="connect", unit=" beads", dynamic_ncols=True, leave=False, file=sys.stderr)

    def __call__(self, event: Event) -> None:
        if self.bar is None:
            return
        if event["kind"] == "round_started":
            self.bar.set_postfix_str(f"round {event['round']}, {event['open_segments']} segments open")
        elif event["kind"] == "bead_trained":
            self.bar.update(1)
        else:
            self.bar.refresh()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _progress(given: bool | Function[[Event], None] | None) -> tuple[Any, Function[[], None]]:
    if callable(given):
        return given, lambda: None
    if given is False or (given is None and not sys.stderr.isatty()):
        return None, lambda: None
    display = _Display()
    return display, display.close


def _segments(found: list[dict[str, Any]]) -> list[Segment]:
    return [Segment(one["passed"], one["max"], one["t"], one["values"], one["error"]) for one in found]


_KEPT = ("verdict", "reason", "ending", "metric", "split", "threshold", "tolerance", "check", "method", "points",
         "include_end", "max_metric", "max_t", "value_a", "value_b", "best_max_metric", "rounds")  # fmt: skip


def _path_of(found: dict[str, Any], objective: Objective, options: dict[str, Any], cost: PathCost) -> Path:
    return Path(
        beads=found["beads"],
        tensors=objective.layout(),
        segments=_segments(found["segments"]),
        cost=cost,
        repaired=found.get("repaired", False),
        shortened=found.get("shortened", False),
        objective=objective,
        options=options,
        **{name: found[name] for name in _KEPT},
    )


class _Clock:
    """What a call has cost."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.start = time.perf_counter()
        self.buffers = objective.cost.buffer_samples

    def cost(self, found: dict[str, Any]) -> PathCost:
        return PathCost(
            gradient_samples=found["gradient_samples"],
            forward_samples_beads=found["forward_samples_beads"],
            forward_samples_checks=found["forward_samples_checks"],
            buffer_samples=self.objective.cost.buffer_samples - self.buffers,
            seconds=time.perf_counter() - self.start,
        )


def _keywords(options: Mapping[str, Any]) -> str:
    given = {}
    for name, value in options.items():
        number = value.item() if isinstance(value, np.generic) else value
        if isinstance(number, float) and math.isnan(number):
            raise UsageError(f"{name}: expected a number, got nan")
        # As in config.json: null is "no limit".
        given[name] = None if isinstance(number, float) and math.isinf(number) else number
    try:
        return json.dumps(given, sort_keys=True)
    except TypeError as error:
        raise UsageError(f"options: expected numbers, texts and truth values ({error})") from error


def connect(
    objective: Objective | Function[..., Any],
    a: Any,
    b: Any,
    *,
    threshold: float,
    metric: str | None = None,
    names: Names | str | os.PathLike[str] | None = None,
    threads: int = 1,
    progress: bool | Function[[Event], None] | None = None,
    journal: _core.Journal | None = None,
    keep: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Path:
    """Joins two models by a path along which `metric` stays at or below `threshold`.

    objective   isthmus.torch.Objective, isthmus.Callable, or a function theta -> (value, gradient)
    a, b        the end points: models, state dicts, files of them (.safetensors, .pt, folders), flat vectors
    metric      one of objective.metric_names(); default: the training loss, "loss"
    names       where a checkpoint's names are others and cannot be told: {name there: name in the model}, None for a
                tensor that is left out; or a JSON file of it
    threads     beads and segments at once; the result does not depend on them
    progress    a function that is called with what happens, or True for a bar (tqdm); default: a bar on a terminal
    journal     of an interrupted call (Interrupted.journal): goes on where that stopped
    keep        a folder in which beads, checks and the states of trainings are kept as they come: the same call goes on
                after the process was killed, and ends with the same path
    options     every option of the command's strings and training by its name: check, points, max_rounds, optimizer,
                learning_rate, batch_size, max_steps, repair, method, shorten, ... (isthmus.options lists them)

    That no path is found is no error: see Path.verdict and Path.reason. Raises Interrupted at Ctrl-C, UsageError for
    what does not fit, and what the objective itself raises, with its traceback.
    """
    the_objective, theta_a, theta_b, notes = objective_of(objective, a).end_points(a, b, names)
    given = {**the_objective.defaults, **options, "threshold": threshold}
    if metric is not None:
        given["metric"] = metric
    if journal is not None and keep is not None:
        raise UsageError("journal and keep: give one of them")
    kept = journal if journal is not None else _core.Journal()
    folder = None if keep is None else os.fspath(keep)
    clock = _Clock(the_objective)
    told, close = _progress(progress)
    try:
        found = _core.connect(the_objective, theta_a, theta_b, _keywords(given), threads, told, kept, folder)
    except KeyboardInterrupt as error:
        done = f"{kept.beads} trained beads and {kept.checks} checked segments are kept"
        if folder is not None:
            raise Interrupted(f"what is finished is in {folder}: the same call goes on") from error
        raise Interrupted(f"{done}: connect(..., journal=error.journal) goes on", kept) from error
    finally:
        close()
    for what, value in (("A", found["value_a"]), ("B", found["value_b"])):
        if math.isnan(value):
            raise UsageError(
                f"end point {what}: its {found['metric']} is not a number (nan): the model or the loss is broken there"
            )
    path = _path_of(found, the_objective, given, clock.cost(found))
    path.notes = notes
    return path


def _needs_objective(path: Path, what: str) -> Objective:
    if path.objective is None:
        raise UsageError(f"{what}: the path is from a file: load_path(file, objective) says what computes its losses")
    return path.objective


def _grid_options(path: Path) -> dict[str, Any]:
    return {"threshold": path.threshold, "tolerance": path.tolerance, "metric": path.metric, "split": path.split,
            "points": path.points, "include_end": path.include_end, "repair": "none"}  # fmt: skip


def check_path(
    path: Path, *, points: int = 101, split: str | None = None, metric: str | None = None, threads: int = 1
) -> Path:
    objective = _needs_objective(path, "verify")
    options = {**_grid_options(path), "points": points, "include_end": True, "check": "sampled"}
    if split is not None:
        options["split"] = split
    if metric is not None:
        options["metric"] = metric
    clock = _Clock(objective)
    segments = _segments(_core.check(objective, path.beads, _keywords(options), threads, None))
    worst = max(range(len(segments)), key=lambda i: math.inf if math.isnan(segments[i].max) else segments[i].max)
    below = all(segment.passed for segment in segments)
    counts = {"gradient_samples": 0, "forward_samples_beads": 0}
    counts["forward_samples_checks"] = len(segments) * points * objective.samples[options["split"] == "test"]
    bound = path.threshold * path.tolerance
    return dataclasses.replace(
        path,
        verdict="connected" if below else "not_connected",
        reason=f"every point of the grid is at most {bound:.6g}" if below else
        f"{sum(not s.passed for s in segments)} of {len(segments)} segments exceed {bound:.6g}",
        metric=options["metric"],
        split=options["split"],
        check="sampled",
        points=points,
        include_end=True,
        segments=segments,
        max_metric=segments[worst].max,
        max_t=(worst + segments[worst].t) / len(segments),
        value_a=float(segments[0].values[0]),
        value_b=float(segments[-1].values[-1]),
        cost=clock.cost(counts),
    )  # fmt: skip


def shorten_path(path: Path, *, threads: int = 1, progress: Any = None, **options: Any) -> Path:
    objective = _needs_objective(path, "shorten")
    kept = {name: value for name, value in path.options.items() if name not in ("shorten", "repair", "repair_tries")}
    given = {**objective.defaults, **kept, **_grid_options(path), **options}
    clock = _Clock(objective)
    told, close = _progress(progress)
    try:
        found = _core.shorten(objective, path.beads, _keywords(given), threads, told)
    except KeyboardInterrupt as error:
        raise Interrupted("shortening was interrupted; the path is as it was") from error
    finally:
        close()
    if not found["shortened"]:
        return path
    shorter = _path_of(found, objective, given, clock.cost(found))
    shorter.notes = list(path.notes)
    return shorter


def train(
    objective: Objective | Function[..., Any],
    start: Any,
    target: float,
    *,
    metric: str | None = None,
    progress: Any = None,
    **options: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trains one model until its metric reaches the target. Returns the model in the form of
    objective.state_dict and how it ended: termination, steps, value, gradient_samples,
    forward_samples."""
    the_objective, theta, _, _ = objective_of(objective, start).end_points(start, start)
    given = {**the_objective.defaults, **options, "threshold": target}
    if metric is not None:
        given["metric"] = metric
    found = _core.train(the_objective, theta, float(target), _keywords(given), None)
    return the_objective.state_dict(found.pop("theta")), found


def check_gradient(
    objective: Objective | Function[..., Any], at: Any, *, step: float = 1e-2, precision: float = 1e-6
) -> list[dict[str, Any]]:
    """Compares the gradient with central differences of the loss, tensor by tensor: a row each with `checked`,
    `failed`, `skipped` (places without a derivative) and `worst_error`; the last row is of random directions."""
    the_objective, theta, _, _ = objective_of(objective, at).end_points(at, at)
    rows: list[dict[str, Any]] = _core.gradient_errors(the_objective, theta, step, precision)
    return rows


def options() -> list[dict[str, str]]:
    """Every option of connect: keyword, type, range, unit and help."""
    found: list[dict[str, str]] = json.loads(_core.keywords())
    return found
