# SPDX-License-Identifier: MIT
"""Sweeps on Ray: the pairs of a study as tasks of a local or an existing cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable as Function
from collections.abc import Sequence
from pathlib import Path as File
from typing import Any

import ray

from . import _program
from .errors import UsageError
from .studies import PathLike, Run, read_run


def _compute(arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """A part, on a worker: the command, which goes on with what an earlier try has finished."""
    os.environ.update(environment)
    _program.run(arguments)
    return {"host": socket.gethostname(), "process": os.getpid()}


def sweep(
    task: str | None = None,
    *,
    out: PathLike,
    thresholds: Sequence[float] | None = None,
    pairs: int,
    parts: int | None = None,
    address: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    max_retries: int = 5,
    progress: Function[[int, int], None] | None = None,
    **options: Any,
) -> Run:
    """The same run directory as isthmus.sweep(task, out=out, ...), bit for bit but for its times, computed by `parts`
    tasks (default: one for each pair): part K of N has the pairs k with k mod N = K.

    address     of an existing cluster ("auto"; see ray.init). `out` is then on a file system that all its machines
                share, and isthmus is installed on each. None: the one that is connected, else a local one of `workers`
    threads     of each task, which asks for as many CPUs
    max_retries  how often a part is started again when its worker dies; it goes on where that one stopped
    progress    called with the number of finished parts and of all

    What a call has finished is kept in `out` and in the folder `out`.parts beside it; the same call goes on with it.
    """
    if pairs < 1:
        raise UsageError(f"pairs: expected a value >= 1, got {pairs}")
    if parts is not None and parts < 1:
        raise UsageError(f"parts: expected a value >= 1, got {parts}")
    given = {"thresholds": thresholds and list(thresholds), "pairs": pairs, "threads": threads, **options}
    command = ["sweep", *([task] if task else []), *_program.flags_of(given), "--out", str(File(out).absolute())]
    run_parts(
        command,
        parts=min(parts or pairs, pairs),
        threads=threads,
        address=address,
        workers=workers,
        max_retries=max_retries,
        progress=progress,
    )
    return read_run(out)


def run_parts(
    command: list[str],
    *,
    parts: int,
    threads: int = 1,
    address: str | None = None,
    workers: int | None = None,
    max_retries: int = 5,
    progress: Function[[int, int], None] | None = None,
) -> None:
    """A sweep, whose last argument is its run directory, in parts; then the parts put together."""
    started = not ray.is_initialized()
    if started:
        local: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
        ray.init(address=address, log_to_driver=False, **local)
    try:
        _run_parts(command, parts, threads, max_retries, progress)
    finally:
        if started:
            ray.shutdown()
    resumed = ["--resume"] if (File(command[-1]) / "config.json").exists() else []
    _program.run([*command, *resumed])


def _run_parts(
    command: list[str],
    count: int,
    threads: int,
    max_retries: int,
    progress: Function[[int, int], None] | None,
) -> None:
    kept = ("ISTHMUS_DATA", "ISTHMUS_PROGRAM")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    remote = ray.remote(_compute).options(num_cpus=threads, max_retries=max_retries)
    # One part alone is the whole: then there is nothing to put together.
    parts = [f"{k}/{count}" for k in range(count)] if count > 1 else []
    waiting = [remote.remote([*command, "--part", part], environment) for part in parts]
    done = 0
    try:
        while waiting:
            ready, waiting = ray.wait(waiting, timeout=1.0)
            for reference in ready:
                ray.get(reference)
                done += 1
                if progress is not None:
                    progress(done, count)
    except BaseException:
        for reference in waiting:
            ray.cancel(reference, force=True)
        raise
