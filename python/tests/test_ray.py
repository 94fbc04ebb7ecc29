# SPDX-License-Identifier: MIT
"""A real local cluster of Ray, one of whose workers is killed in the middle."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from same_runs import same_files

import isthmus
from isthmus import _program

pytest.importorskip("ray")

OPTIONS = {"thresholds": [0.1, 0.01, 0.001], "pairs": 4, "threads": 1, "seed": 3}


def command_parts() -> dict[int, int]:
    """The processes of the command that compute a part, with their parents."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"--part" in words and words[0].endswith(b"isthmus"):
                    status = (entry / "status").read_text()
                    found[int(entry.name)] = int(status.split("PPid:")[1].split()[0])
            except (OSError, IndexError):
                pass
    return found


def test_a_run_on_ray_is_that_of_one_machine_also_if_a_worker_is_killed(tmp_path):
    local = isthmus.sweep("quadratic", out=tmp_path / "local", **OPTIONS)
    killed = []

    def kill_one() -> None:
        # A worker of Ray dies with SIGKILL while its command is under way; the command dies with it.
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            for child, worker in command_parts().items():
                if worker > 1 and not killed:
                    os.kill(worker, signal.SIGKILL)
                    killed.append((child, worker))
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    told = []
    run = isthmus.ray.sweep("quadratic", out=tmp_path / "ray", workers=4, progress=lambda *n: told.append(n), **OPTIONS)
    killer.join()
    assert killed, "no worker was there to be killed"
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert run.complete and run.cells == local.cells
    same_files(tmp_path / "ray", tmp_path / "local")
    assert not (tmp_path / "ray.parts").exists()


def test_the_command_of_the_package_takes_on_ray(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = [
        "sweep",
        "quadratic",
        "--pairs",
        "2",
        "--thresholds",
        "0.1",
        "--out",
        "run",
        "--on",
        "ray",
        "--workers",
        "2",
    ]
    monkeypatch.setattr("sys.argv", ["isthmus", *flags])
    with pytest.raises(SystemExit) as ended:
        _program.main()
    assert ended.value.code == 0 and "connected" in capsys.readouterr().out
    isthmus.sweep("quadratic", out="local", thresholds=[0.1], pairs=2)
    same_files(tmp_path / "run", tmp_path / "local")
    for wrong, text in ((["--on", "slurm"], "--on: expected ray"), (["--on", "ray"], "give --out")):
        monkeypatch.setattr("sys.argv", ["isthmus", "sweep", "quadratic", *wrong])
        with pytest.raises(SystemExit) as ended:
            _program.main()
        assert ended.value.code == 64 and text in capsys.readouterr().err


def test_a_wrong_option_is_refused_with_the_text_of_the_command(tmp_path):
    with pytest.raises(Exception, match="alpha: expected a number in"):
        isthmus.ray.sweep("quadratic", out=tmp_path / "run", pairs=2, alpha=7.0, workers=2)
    with pytest.raises(isthmus.UsageError, match="pairs"):
        isthmus.ray.sweep("quadratic", out=tmp_path / "run", pairs=0)
