# SPDX-License-Identifier: MIT
"""Paths as values: places, files, plots and pages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_callable import connect, valley

import isthmus
from isthmus.checkpoints import read_safetensors, write_safetensors


@pytest.fixture(scope="module")
def path():
    return connect()


def test_places_are_bead_by_bead(path):
    beads = len(path)
    for i in range(beads):
        assert np.array_equal(path.theta(i / (beads - 1)), path.beads[i])
    middle = path.theta(0.5 / (beads - 1))
    assert np.allclose(middle, (path.beads[0].astype(np.float64) + path.beads[1]) / 2, atol=1e-7)
    for t in (-0.1, 1.1, float("nan")):
        with pytest.raises(isthmus.UsageError, match="t: expected a place on the path"):
            path.theta(t)


def test_is_saved_and_read_back(path, tmp_path):
    file = tmp_path / "path.safetensors"
    path.save(file)
    again = isthmus.load_path(file)
    assert np.array_equal(again.beads, path.beads)
    for name in ("verdict", "reason", "metric", "split", "threshold", "max_metric", "max_t", "points", "rounds"):
        assert getattr(again, name) == getattr(path, name)
    assert again.length == path.length
    with pytest.raises(isthmus.UsageError, match="the path is from a file"):
        again.verify()
    whole = isthmus.load_path(file, path.objective)
    assert whole.verify().connected


def test_a_grid_without_the_ends_of_segments_is_told_at_its_places(tmp_path):
    path = connect(points=20, include_end=False, check="sampled")
    assert path.points == 20 and not path.include_end and len(path) > 2
    places, values = path.profile()
    segments = len(path) - 1
    expected = np.concatenate([(i + np.arange(20) / 20) / segments for i in range(segments)] + [np.ones(1)])
    assert np.allclose(places, expected, atol=1e-15)
    assert values[-1] == path.value_b and values.max() == max(path.max_metric, path.value_b)
    assert values == pytest.approx([valley(path.theta(float(t)).astype(np.float64))[0] for t in places], abs=1e-7)
    file = tmp_path / "path.safetensors"
    path.save(file)
    again = isthmus.load_path(file, path.objective)
    assert not again.include_end
    # On another grid, with the ends.
    seen = again.verify(points=21)
    assert seen.include_end and seen.max_metric == values.max()
    assert np.allclose(seen.profile()[0], places, atol=1e-15)
    seen.save(file)
    assert isthmus.load_path(file).include_end


def test_a_file_that_is_no_path_is_refused(tmp_path):
    with pytest.raises(isthmus.MissingInput, match="nowhere"):
        isthmus.load_path(tmp_path / "nowhere.safetensors")
    other = tmp_path / "other.safetensors"
    write_safetensors(other, {"w": np.zeros(3, np.float32)})
    with pytest.raises(isthmus.DataError, match="not a path of isthmus"):
        isthmus.load_path(other)
    other.write_bytes(b"hello")
    with pytest.raises(isthmus.DataError):
        isthmus.load_path(other)
    with pytest.raises(isthmus.WriteError):
        connect().save(tmp_path / "no" / "such" / "folder.safetensors")


def test_is_exported_as_models(path, tmp_path):
    path.export(tmp_path / "half.safetensors", 0.5)
    tensors, metadata = read_safetensors(tmp_path / "half.safetensors")
    assert np.array_equal(tensors["theta"], path.theta(0.5)) and metadata["isthmus_t"] == "0.5"
    files = path.export_beads(tmp_path / "beads")
    assert len(files) == len(path)
    assert np.array_equal(read_safetensors(files[1])[0]["theta"], path.beads[1])


def test_is_drawn_and_reported(path, tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    axes = path.plot()
    assert axes.get_ylabel() == "loss (test)"
    path.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page and page.count("<tr>") == len(path) and "http" not in page
    with pytest.raises(isthmus.WriteError):
        path.report(tmp_path / "no" / "report.html")


def test_is_a_table(path):
    pandas = pytest.importorskip("pandas")
    frame = path.frame()
    assert isinstance(frame, pandas.DataFrame) and frame["loss"].max() <= 0.05


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 20).flatmap(
        lambda p: st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=p, max_size=p), min_size=2, max_size=6)
    )
)
def test_any_path_survives_a_file(tmp_path_factory, rows):
    beads = np.array(rows, np.float32)
    tensors = [{"name": "theta", "offset": 0, "shape": [beads.shape[1]], "role": "weight"}]
    file = tmp_path_factory.mktemp("paths") / "p.safetensors"
    isthmus.Path(beads=beads, tensors=tensors, threshold=0.5, metric="loss").save(file)
    again = isthmus.load_path(file)
    assert np.array_equal(again.beads, beads) and again.tensors == tensors
