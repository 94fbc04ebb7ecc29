# SPDX-License-Identifier: MIT
"""Checkpoints as they come."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import isthmus
from isthmus.checkpoints import load, match, read_names, read_safetensors, write_safetensors

DTYPES = [np.float32, np.float64, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8).filter(
            lambda name: name != "__metadata__"
        ),
        st.sampled_from(DTYPES).flatmap(
            lambda d: arrays.arrays(d, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
        ),
        max_size=5,
    )
)
def test_writer_and_reader_agree_with_each_other_and_with_safetensors(tmp_path_factory, tensors):
    file = tmp_path_factory.mktemp("st") / "x.safetensors"
    write_safetensors(file, tensors, {"a": "b"} if tensors else None)
    found, _ = read_safetensors(file)
    assert list(found) == list(tensors)
    for name, values in tensors.items():
        assert found[name].dtype == values.dtype and found[name].shape == values.shape
        assert found[name].tobytes() == np.ascontiguousarray(values).tobytes()
    reference = pytest.importorskip("safetensors.numpy").load_file(str(file))
    assert set(reference) == set(tensors)
    assert all(reference[name].tobytes() == found[name].tobytes() for name in tensors)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_checkpoint_or_a_data_error(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("st") / "x.safetensors"
    file.write_bytes(content)
    try:
        read_safetensors(file)
    except isthmus.DataError as error:
        assert str(file) in str(error)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["F32", "BF16"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["w", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    ),
    st.binary(max_size=16),
)
def test_any_header_is_a_checkpoint_or_a_data_error(tmp_path_factory, header, data):
    text = json.dumps(header).encode()
    file = tmp_path_factory.mktemp("st") / "x.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)
    try:
        read_safetensors(file)
    except isthmus.DataError as error:
        assert str(file) in str(error)


def test_bfloat16_becomes_float32(tmp_path):
    torch = pytest.importorskip("torch")
    saver = pytest.importorskip("safetensors.torch")
    values = torch.randn(5).bfloat16()
    saver.save_file({"w": values}, tmp_path / "x.safetensors")
    assert np.array_equal(read_safetensors(tmp_path / "x.safetensors")[0]["w"], values.float().numpy())


def test_shards_are_put_together(tmp_path):
    write_safetensors(tmp_path / "1.safetensors", {"a": np.ones(2, np.float32)})
    write_safetensors(tmp_path / "2.safetensors", {"b": np.zeros(3, np.float32)})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}))
    for source in (index, tmp_path):
        assert {name: tensor.shape for name, tensor in load(source).items()} == {"a": (2,), "b": (3,)}
    index.write_text(json.dumps({"weight_map": {"a": "1.safetensors", "c": "2.safetensors"}}))
    with pytest.raises(isthmus.DataError, match="lack c"):
        load(index)
    index.write_text(json.dumps({"weight_map": {"a": "../1.safetensors"}}))
    with pytest.raises(isthmus.DataError, match="names of files beside it"):
        load(index)


def test_files_of_torch_are_read_weights_only(tmp_path):
    torch = pytest.importorskip("torch")
    state = {"w": torch.ones(2)}
    for content in (state, {"state_dict": state, "epoch": 3}, {"model": state}):
        torch.save(content, tmp_path / "x.pt")
        assert torch.equal(load(tmp_path / "x.pt")["w"], state["w"])


class Harmful:
    def __reduce__(self):
        return (open, ("harm-was-done", "w"))


def test_a_pickle_that_is_no_state_dict_is_refused_and_not_run(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.save(Harmful(), "harm.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Harmful()))
    torch.save(torch.nn.Linear(2, 2), "module.pt")
    torch.save([1, 2], "list.pt")
    torch.save({"epoch": 3}, "numbers.pt")
    for name in ("harm.pt", "plain.pt", "module.pt", "list.pt", "numbers.pt"):
        with pytest.raises(isthmus.DataError, match=r"not a state dict|expected a state dict"):
            load(tmp_path / name)
    assert not (tmp_path / "harm-was-done").exists()
    with pytest.raises(isthmus.MissingInput):
        load(tmp_path / "nowhere.pt")
    with pytest.raises(isthmus.UsageError, match="expected a model, a state dict or a file"):
        load(3)


def arrays_of(shapes):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


WANTED = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4), "2.bias": (2,)}


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "_orig_mod.module."])
def test_prefixes_are_left_off(prefix):
    found, notes = match(arrays_of({prefix + name: shape for name, shape in WANTED.items()}), WANTED, "A")
    assert set(found) == set(WANTED) and f"{prefix}0.weight" in notes[0]


def test_other_names_are_told_by_shape_and_order():
    given = arrays_of({"fc1.weight": (4, 3), "fc1.bias": (4,), "fc2.weight": (2, 4), "fc2.bias": (2,)})
    found, notes = match(given, WANTED, "A")
    assert found["2.weight"] is given["fc2.weight"] and "fc2.weight is 2.weight" in notes[0]


def test_names_that_nothing_puts_in_order_are_refused_until_they_are_said():
    wanted = {"0.weight": (3, 3), "2.weight": (3, 3)}
    given = arrays_of({"b2.weight": (3, 3), "a1.weight": (3, 3)})
    with pytest.raises(isthmus.UsageError, match="nothing puts in order"):
        match(given, wanted, "A")
    found, _ = match(given, wanted, "A", {"a1.weight": "0.weight", "b2.weight": "2.weight"})
    assert found["0.weight"] is given["a1.weight"] and found["2.weight"] is given["b2.weight"]


THEIRS = {"x.w": (4, 3), "x.b": (4,), "y.w": (2, 4), "y.b": (2,), "step": ()}
SAID = {"x.w": "0.weight", "x.b": "0.bias", "y.w": "2.weight", "y.b": "2.bias", "step": None}


def test_names_may_leave_tensors_out_and_the_others_to_their_prefix():
    given = arrays_of(THEIRS)
    found, notes = match(given, WANTED, "A", SAID)
    assert set(found) == set(WANTED) and found["2.bias"] is given["y.b"] and notes == []
    given = arrays_of({"module.2.weight": (2, 4), "module.2.bias": (2,), "first": (4, 3), "offset": (4,)})
    found, _ = match(given, WANTED, "A", {"first": "0.weight", "offset": "0.bias"})
    assert found["2.weight"] is given["module.2.weight"] and found["0.bias"] is given["offset"]
    found, notes = match(arrays_of(WANTED), WANTED, "B", SAID)  # of the other end point
    assert set(found) == set(WANTED) and "the model's own names" in notes[0]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"z.w": "2.weight"}, r"A has no tensor z.w; it has x.w, x.b, y.w"),
        ({"x.w": "7.weight"}, r"the model has no tensor 7.weight; it has 0.weight"),
        ({"x.b": "2.bias"}, r"x.b and y.b would both be 2.bias; None leaves one out"),
        ({"x.w": "2.bias", "y.b": "0.weight"}, r"x.w cannot be 2.bias: it has the shape \(4, 3\), not \(2,\)"),
        ({"y.b": None}, r"2.bias \(2,\) is missing"),
    ],
)
def test_wrong_names_are_refused(changed, text):
    with pytest.raises(isthmus.UsageError, match=text):
        match(arrays_of(THEIRS), WANTED, "A", {**SAID, **changed})


def test_names_the_wrong_way_round_are_told():
    turned = {ours: theirs for theirs, ours in SAID.items() if ours}
    with pytest.raises(isthmus.UsageError, match="each name of the checkpoint comes first"):
        match(arrays_of(THEIRS), WANTED, "A", turned)


def test_names_come_from_a_mapping_or_a_file(tmp_path):
    file = tmp_path / "names.json"
    file.write_text(json.dumps(SAID))
    assert read_names(file) == read_names(str(file)) == read_names(SAID) == SAID
    with pytest.raises(isthmus.MissingInput):
        read_names(tmp_path / "nowhere.json")
    for wrong in ("", "[]", "{}", '{"a": 3}', '{"a": "b", "a": "c"}', '{"a": {"b": "c"}}'):
        file.write_text(wrong)
        with pytest.raises(isthmus.DataError, match=r"names\.json"):
            read_names(file)
    for wrong in ({}, {"a": 3}, {1: "a"}, 3, [("a", "b")]):
        with pytest.raises(isthmus.UsageError, match="names: expected"):
            read_names(wrong)


def test_what_does_not_fit_is_listed_with_names_and_shapes():
    given = arrays_of({"0.weight": (5, 3), "0.bias": (4,), "2.weight": (2, 4), "extra": (7,)})
    with pytest.raises(isthmus.UsageError) as caught:
        match(given, WANTED, "end point B")
    text = str(caught.value)
    wrong = ("2.bias (2,) is missing", "extra (7,) is not the model's", "0.weight has the shape (5, 3)")
    for part in ("end point B", *wrong):
        assert part in text
