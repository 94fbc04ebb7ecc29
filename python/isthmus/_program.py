# SPDX-License-Identifier: MIT
"""The command, which the package brings along: `isthmus` on the command line, and what studies of Python run."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable as Function
from collections.abc import Sequence
from pathlib import Path as File
from typing import Any

from .errors import Error, MissingInput, UsageError, of_exit_code


def program() -> str:
    """Where the command is: ISTHMUS_PROGRAM, beside this file, or on the path."""
    named = os.environ.get("ISTHMUS_PROGRAM")
    if named:
        return named
    beside = File(__file__).parent / "bin" / "isthmus"
    if beside.is_file():
        return str(beside)
    found = shutil.which("isthmus")
    if found and not _is_script(found):
        return found
    raise MissingInput(
        f"{beside}: the command is not there; install the package with pip, or name the command in ISTHMUS_PROGRAM"
    )


def _is_script(file: str) -> bool:
    with open(file, "rb") as handle:
        return handle.read(2) == b"#!"


def main() -> None:
    """The console script: becomes the command, but for `sweep ... --on ray`."""
    if sys.argv[1:2] == ["sweep"] and "--on" in sys.argv:
        sys.exit(_on_ray(sys.argv[2:]))
    name = program()
    os.execv(name, [name, *sys.argv[1:]])


def _on_ray(arguments: list[str]) -> int:
    """isthmus sweep TASK --pairs N --out DIR --on ray [--parts N] [--workers N] [--address A] [any option of sweep]"""

    def take(flag: str) -> str | None:
        if flag not in arguments:
            return None
        place = arguments.index(flag)
        values = arguments[place + 1 : place + 2]
        del arguments[place : place + 2]
        return values[0] if values else ""

    def number(flag: str) -> int | None:
        text = take(flag)
        if text is not None and not text.isdigit():
            raise UsageError(f"{flag}: expected a whole number >= 0, got '{text}'")
        return None if text is None else int(text)

    try:
        place = take("--on")
        if place != "ray":
            raise UsageError(f"--on: expected ray, got '{place}'")
        out = take("--out")
        if not out:
            raise UsageError("--on ray: give --out, the run directory")
        pairs, parts, workers = number("--pairs") or 1, number("--parts"), number("--workers")
        address, threads = take("--address"), number("--threads") or 1
        from . import ray

        ray.run_parts(
            ["sweep", *arguments, "--pairs", str(pairs), "--threads", str(threads), "--out", os.path.abspath(out)],
            parts=parts or pairs,
            threads=threads,
            address=address,
            workers=workers,
            progress=lambda done, count: print(f"part {done} of {count}", file=sys.stderr),
        )
        sys.stdout.write(run(["report", out])[0])
    except (Error, ImportError) as error:
        print(f"isthmus: {error}", file=sys.stderr)
        return getattr(error, "code", UsageError.code)
    return 0


_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with(parent: int) -> Function[[], None]:
    """In a child: SIGKILL when the process that started it is gone (Linux), so that no two meet at a run's lock."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def run(
    arguments: Sequence[str],
    *,
    progress: bool | Function[[str], None] | None = None,
    ok: Sequence[int] = (0,),
) -> tuple[str, int]:
    """Runs the command and returns its standard output and exit code. `progress`: True lets its progress through to
    standard error, a function is given its lines. Ctrl-C reaches the command, which keeps what is finished, and
    Interrupted is raised. Raises the error that the command's exit code stands for, with the same text."""
    child = subprocess.Popen(
        [program(), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        preexec_fn=_die_with(os.getpid()),
    )
    lines: list[str] = []
    output: list[str] = []

    def read_errors() -> None:
        assert child.stderr is not None
        for line in child.stderr:
            lines.append(line.rstrip("\n"))
            if progress is True:
                sys.stderr.write(line)
            elif callable(progress):
                progress(lines[-1])

    def read_output() -> None:
        assert child.stdout is not None
        output.append(child.stdout.read())

    readers = [threading.Thread(target=reader, daemon=True) for reader in (read_errors, read_output)]
    for reader in readers:
        reader.start()
    while True:
        try:
            code = child.wait()
            break
        except KeyboardInterrupt:
            # On a terminal the command has had the signal too; a second one ends it at once.
            child.send_signal(signal.SIGINT)
    for reader in readers:
        reader.join()
    if code not in ok:
        raise of_exit_code(code, _message(lines))
    return "".join(output), code


def _message(lines: list[str]) -> str:
    """What the command said before it ended: from its last line that begins with its name."""
    for i in range(len(lines) - 1, -1, -1):
        if lines[i].startswith("isthmus: "):
            text = "\n".join([lines[i].removeprefix("isthmus: "), *lines[i + 1 :]])
            return text.removesuffix("\nRun isthmus --help, or isthmus COMMAND --help.")
    return "\n".join(lines[-5:])


def run_json(arguments: Sequence[str], **how: Any) -> Any:
    return json.loads(run([*arguments, "--json"], **how)[0])


def flags_of(options: dict[str, Any]) -> list[str]:
    """max_rounds=3 as --max-rounds 3; True as the flag alone; False and None as nothing; lists by commas."""
    found = []
    for name, value in options.items():
        flag = "--" + name.rstrip("_").replace("_", "-")
        if value is True:
            found.append(flag)
        elif isinstance(value, (list, tuple)):
            found += [flag, ",".join(_text(one) for one in value)]
        elif value is not None and value is not False:
            found += [flag, _text(value)]
    return found


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
