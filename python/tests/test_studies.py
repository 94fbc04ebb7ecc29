# SPDX-License-Identifier: MIT
"""Studies through the package: the command's, and those of the library in this process."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus import _program
from isthmus.checkpoints import read_safetensors


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return isthmus.sweep("quadratic", out=tmp_path_factory.mktemp("runs") / "q", thresholds=[0.1, 0.02], pairs=2)


def test_tasks_are_known():
    tasks = {task.name: task for task in isthmus.tasks()}
    assert {"quadratic", "cubic", "mnist", "ptb"} <= set(tasks)
    assert tasks["quadratic"].summary and tasks["quadratic"].threshold > 0


def test_a_sweep_is_a_run_with_tables(run):
    assert run.complete and run.task == "quadratic" and len(run.cells) == 4 and len(run.curve) == 2
    assert {row["verdict"] for row in run.cells} == {"connected"}
    frame = run.cell_frame()
    assert list(frame["threshold"]) == [0.1, 0.1, 0.02, 0.02]
    again = isthmus.sweep("quadratic", out=run.folder, thresholds=[0.1, 0.02], pairs=2)
    assert again.cells == run.cells
    wider = isthmus.sweep("quadratic", out=run.folder, thresholds=[0.1, 0.02], pairs=3)
    assert len(wider.cells) == 6


def test_saved_paths_are_verified_and_certified(run):
    file = run.path_file(0.02, 1)
    found = isthmus.verify(file, points=51)
    row = next(row for row in run.cells if row["threshold"] == 0.02 and row["pair"] == 1)
    assert found.below and found.points == 51 and found.beads == row["beads"]
    assert found.normalized_length == pytest.approx(row["normalized_length"], rel=1e-12)
    certificate = isthmus.certify(file)
    assert certificate.proven and certificate.bound <= 0.02
    assert found.max_metric <= certificate.bound * (1 + 1e-6)  # float32 and double, each rounding its own way
    path = run.path(0.02, 1)
    assert path.connected and path.length == found.normalized_length and len(path) == found.beads
    with pytest.raises(isthmus.UsageError, match=r"no path of pair 9 at 0.02"):
        run.path_file(0.02, 9)


def test_a_path_of_the_paper_protocol_is_verified_where_its_run_looked(tmp_path):
    run = isthmus.sweep("quadratic", out=tmp_path / "run", protocol="paper", thresholds=[0.1], pairs=1)
    file = run.path_file(0.1)
    found = isthmus.verify(file)
    assert found.points == 100 and not found.include_end and not run.path(0.1).include_end
    assert found.max_metric == max(run.cells[0]["max_metric"], found.value_b)
    assert {len(segment.values) for segment in found.segments} == {100}
    ends = isthmus.verify(file, points=101)
    assert ends.include_end and ends.max_metric == found.max_metric
    assert ends.segments[-1].values[-1] == found.value_b == ends.value_b


def test_a_network_of_a_run_is_exported_and_loads_into_torch(run, tmp_path):
    torch = pytest.importorskip("torch")
    out = tmp_path / "c.safetensors"
    isthmus.export(run.path_file(0.02, 0), t=0.37, out=out, beads=tmp_path / "beads")
    tensors, _ = read_safetensors(out)
    path = run.path(0.02, 0)
    assert np.array_equal(np.concatenate([v.reshape(-1) for v in tensors.values()]), path.theta(0.37))
    linear = [torch.nn.Linear(i, o, bias=False) for i, o in ((1, 4), (4, 4), (4, 1))]
    model = torch.nn.Sequential(*(layer for one in linear for layer in (one, torch.nn.Sigmoid())))
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    x = (torch.arange(256)[:, None] + 0.5) / 256  # the task's own rule
    with torch.no_grad():
        error = (model(x) - (0.5 * x**2 + 0.25 * x + 0.1)).abs().mean()
    assert float(error) <= 0.02 + 1e-5
    assert len(list((tmp_path / "beads").iterdir())) == len(path)


def test_paths_are_shortened_and_components_counted(run, tmp_path):
    rows = isthmus.shorten(run.path_file(0.1, 0), out=tmp_path / "short", relax_iterations=200)
    assert rows[0]["length_after"] <= rows[0]["length_before"]
    found = isthmus.components("quadratic", networks=3, out=tmp_path / "parts", threshold=0.1)
    assert found[0]["components"] == 1 and found[0]["networks"] == 3


def test_bounds_theory_and_other_commands():
    assert isthmus.command("data", "list")
    assert isthmus.theory("kernel")
    assert isthmus.lower_bound("poor-minimum") is not None


def test_errors_are_exceptions_of_the_same_texts(tmp_path):
    with pytest.raises(isthmus.UsageError, match="alpha: expected a number in"):
        isthmus.sweep("quadratic", out=tmp_path / "x", alpha=7.0)
    with pytest.raises(isthmus.UsageError, match="quadratick"):
        isthmus.sweep("quadratick", out=tmp_path / "x")
    with pytest.raises(isthmus.MissingInput, match="nowhere"):
        isthmus.read_run(tmp_path / "nowhere")
    with pytest.raises(isthmus.MissingInput):
        isthmus.verify(tmp_path / "nowhere")
    isthmus.sweep("quadratic", out=tmp_path / "y", thresholds=[0.1])
    with pytest.raises(isthmus.ConfigurationError, match="another configuration"):
        isthmus.sweep("quadratic", out=tmp_path / "y", thresholds=[0.1], seed=2)
    with pytest.raises(FileNotFoundError):
        isthmus.read_run(tmp_path / "nowhere")


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    options = {"thresholds": [0.1, 0.01, 0.002], "pairs": 30, "threads": 1}
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(isthmus.Interrupted, match=r"finished work is kept|interrupted"):
        isthmus.sweep("quadratic", out=tmp_path / "run", **options)
    timer.join()
    time.sleep(0.1)
    assert (tmp_path / "run" / "config.json").exists()


def test_the_command_is_there_and_dies_with_its_parent(tmp_path):
    assert "isthmus" in subprocess.run([_program.program(), "--help"], capture_output=True, text=True).stdout
    code = "import isthmus; isthmus.sweep('quadratic', out='run', thresholds=[0.001], pairs=3000, threads=1)"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    children = []
    for _ in range(200):
        time.sleep(0.05)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        if children and os.path.exists(tmp_path / "run" / "config.json"):
            break
    assert children
    parent.kill()
    parent.wait()
    for _ in range(100):
        if not os.path.exists(f"/proc/{children[0]}"):
            break
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{children[0]}")


def test_comparing_methods_is_a_table(tmp_path):
    frame = isthmus.compare("quadratic", out=tmp_path / "c", threshold=0.1)
    assert {"greedy", "bezier"} <= set(frame["method"])
    assert not math.isnan(frame["maximum"][0])
