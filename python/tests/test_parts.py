# SPDX-License-Identifier: MIT
"""The job array of docs/python.md, run as a loop of shells: the merged run is that of one machine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from same_runs import same_files

import isthmus
from isthmus import _program

DOCS = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def script_of_the_docs():
    found = re.search(r"```sh\n(#!/bin/sh\n#SBATCH .*?)```", DOCS.read_text(), re.DOTALL)
    assert found, "docs/python.md has no job script"
    return found[1]


def test_the_array_of_jobs_in_the_docs_makes_the_run_of_one_machine(tmp_path):
    script = script_of_the_docs()
    first, last = map(int, re.search(r"--array=(\d+)-(\d+)", script).groups())
    assert f'--part "$SLURM_ARRAY_TASK_ID/{last + 1}"' in script and first == 0
    # A task of seconds, below a folder of this test.
    script = script.replace("sweep mnist", "sweep quadratic").replace("0.02,0.015", "0.1,0.02")
    script = script.replace("/shared/mnist", str(tmp_path / "run")).replace("--pairs 20", "--pairs 5")
    assert "quadratic" in script and str(tmp_path) in script
    (tmp_path / "job.sh").write_text(script)
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "isthmus").symlink_to(_program.program())
    environment = {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}"}

    def job(number):
        with_id = {**environment, "SLURM_ARRAY_TASK_ID": str(number)}
        return subprocess.run(["sh", "job.sh"], cwd=tmp_path, env=with_id, capture_output=True, text=True, check=False)

    for number in reversed(range(last + 1)):  # parts know nothing of each other, nor of their order
        done = job(number)
        assert done.returncode == 0, done.stderr
    again = job(1)  # a job that is started again goes on, here with nothing left to do
    assert again.returncode == 0, again.stderr
    line = next(line for line in script.splitlines() if line.startswith("isthmus sweep")).split(" --part")[0]
    merged = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert merged.returncode == 0, merged.stderr
    assert not (tmp_path / "run.parts").exists()
    isthmus.sweep("quadratic", out=tmp_path / "whole", thresholds=[0.1, 0.02], pairs=5)
    same_files(tmp_path / "run", tmp_path / "whole")
    assert len(isthmus.read_run(tmp_path / "run").cells) == 10


@pytest.mark.parametrize("part", ["8/8", "-1/8", "1", "1/0", "a/b"])
def test_a_part_that_is_none_is_refused(tmp_path, part):
    with pytest.raises(isthmus.UsageError, match="part"):
        isthmus.sweep("quadratic", out=tmp_path / "run", thresholds=[0.1], part=part)
