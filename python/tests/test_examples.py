# SPDX-License-Identifier: MIT
"""The examples run, and connect what they say."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name, *arguments):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(*arguments)


def test_own_callable():
    assert run("own_callable").connected


def test_jax_callable():
    jax = pytest.importorskip("jax", reason="no JAX: pip install jax")
    assert jax.default_backend() == "cpu" or jax.devices()
    path = run("jax_callable")
    assert path.connected and path.verify(points=41).max_metric <= 0.0022


@pytest.mark.parametrize("name", ["two_mlps", "transformer", "fine_tuned"])
def test_with_torch(name, capsys):
    pytest.importorskip("torch")
    path = run(name)
    assert path.connected, path
    assert "connected" in capsys.readouterr().out


def test_resnets(capsys):
    pytest.importorskip("torch")
    given = Path(os.environ.get("ISTHMUS_DATA", "/nowhere")) / "fashion-mnist"
    folders = [given, Path("/usr/share/datasets/fashion-mnist")]
    found = [folder for folder in folders if folder.is_dir()]
    if not found:
        pytest.skip("no Fashion-MNIST: apt-get install dataset-fashion-mnist")
    path = run("resnets", ["--quick", "--data", str(found[0])])
    assert path.cost.buffer_samples > 0 and path.verdict in ("connected", "not_connected")
    assert "by PyTorch alone" in capsys.readouterr().out
