# SPDX-License-Identifier: MIT
"""Checkpoints as they come: tensors by name out of safetensors (sharded ones too), PyTorch's files and folders, and
which of them is which parameter of a model."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

import numpy as np

from .errors import DataError, MissingInput, UsageError, WriteError

# What training frameworks put before the names of a model's own tensors.
PREFIXES = ("module.", "model.", "_orig_mod.")
INDEX = "model.safetensors.index.json"
_LARGEST_HEADER = 100_000_000
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?",
}  # fmt: skip
_NAMES = {np.dtype(text): name for name, text in _TYPES.items() if name != "BF16"}


def read_safetensors(file: str | File) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """The tensors of one file by name, bfloat16 as float32, and its metadata. Raises MissingInput and DataError."""
    path = File(file)
    if not path.is_file():
        raise MissingInput(f"{path}: no such file")
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little") if len(content) >= 8 else -1
    if size < 2 or size > _LARGEST_HEADER or 8 + size > len(content):
        raise DataError(f"{path}: not a safetensors file: its header should have {size} bytes of {len(content)}")
    try:
        header = json.loads(content[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a safetensors file: its header is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise DataError(f"{path}: not a safetensors file: its header is no object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise DataError(f"{path}: its metadata are no object of texts")
    data = memoryview(content)[8 + size :]
    tensors = {name: _tensor(path, name, entry, data) for name, entry in header.items()}
    if sum(tensor[1] for tensor in tensors.values()) != len(data):
        raise DataError(f"{path}: its tensors have not as many bytes as the file: cut off, or with gaps")
    return {name: tensor[0] for name, tensor in tensors.items()}, metadata


def _tensor(path: File, name: str, entry: Any, data: memoryview) -> tuple[np.ndarray[Any, Any], int]:
    def natural(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0

    try:
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: tensor '{name}': expected dtype, shape and data_offsets") from error
    if not isinstance(kind, str) or kind not in _TYPES:
        raise DataError(f"{path}: tensor '{name}': its type is {kind!r}; known are {', '.join(_TYPES)}")
    if not isinstance(shape, list) or not all(map(natural, (*shape, begin, end))):
        raise DataError(f"{path}: tensor '{name}': its shape and offsets are no whole numbers >= 0")
    dtype = np.dtype(_TYPES[kind])
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    if begin + size != end or end > len(data):
        raise DataError(f"{path}: tensor '{name}': {size} bytes by its shape; from {begin} to {end} of {len(data)}")
    values = np.frombuffer(data[begin:end], dtype).reshape(shape)
    if kind == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.copy(), size


def write_safetensors(
    file: str | File, tensors: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Raises WriteError. The file is there whole or not at all."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    pieces = []
    for name, values in tensors.items():
        piece = np.ascontiguousarray(values)
        if piece.dtype not in _NAMES:
            raise UsageError(f"tensor '{name}': cannot be written as {piece.dtype}")
        shape = list(np.shape(values))
        header[name] = {"dtype": _NAMES[piece.dtype], "shape": shape, "data_offsets": [offset, offset + piece.nbytes]}
        offset += piece.nbytes
        pieces.append(piece.tobytes())
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = File(file)
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            out.writelines(pieces)
        partial.replace(path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from error


def _read_sharded(index: File) -> dict[str, Any]:
    try:
        places = json.loads(index.read_text())["weight_map"]
        shards = sorted(set(places.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{index}: expected the index of a sharded checkpoint, with its weight_map") from error
    tensors: dict[str, Any] = {}
    for shard in shards:
        if not isinstance(shard, str) or File(shard).name != shard:
            raise DataError(f"{index}: expected names of files beside it, got {shard!r}")
        tensors.update(read_safetensors(index.parent / shard)[0])
    absent = sorted(set(places) - set(tensors))
    if absent:
        raise DataError(f"{index}: its files lack {', '.join(absent[:5])}{' and others' if len(absent) > 5 else ''}")
    return {name: tensors[name] for name in places}


def _read_torch(path: File) -> dict[str, Any]:
    try:
        import torch
    except ImportError as error:
        raise UsageError(f"{path}: reading files of PyTorch needs torch: pip install 'isthmus[torch]'") from error
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).split("\n", 1)[0][:300]
        raise DataError(
            f"{path}: not a state dict that can be read without running code from it ({reason}). Where you trust the "
            "file: state = torch.load(file, weights_only=False).state_dict(); torch.save(state, 'state.pt')"
        ) from error
    return _unwrapped(found, str(path))


def _unwrapped(found: Any, what: str) -> dict[str, Any]:
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found:
        raise DataError(f"{what}: expected a state dict, tensors by name, got {type(found).__name__}")
    wrong = [name for name, value in found.items() if not isinstance(name, str) or not hasattr(value, "shape")]
    if wrong:
        raise DataError(f"{what}: expected a state dict, tensors by name; {wrong[0]!r} is no tensor")
    return dict(found)


def load(source: Any) -> dict[str, Any]:
    """Tensors by name out of a model, a state dict, or a file: .safetensors, an index of shards, .pt and the like, or a
    folder as Hugging Face has them. Raises UsageError, DataError and MissingInput."""
    if hasattr(source, "state_dict") and callable(source.state_dict):
        return dict(source.state_dict())
    if isinstance(source, Mapping):
        return _unwrapped(source, "end point")
    if not isinstance(source, (str, File)):
        raise UsageError(f"end point: expected a model, a state dict or a file of one, got {type(source).__name__}")
    path = File(source)
    if path.is_dir():
        inside = [path / INDEX, path / "model.safetensors"]
        found = [file for file in inside if file.is_file()] or sorted(path.glob("*.safetensors"))
        if len(found) < 1 or (found[0] not in inside and len(found) > 1):
            raise MissingInput(f"{path}: expected {INDEX} or model.safetensors in this folder")
        path = found[0]
    if not path.exists():
        raise MissingInput(f"{path}: no such file")
    if path.name.endswith(".json"):
        return _read_sharded(path)
    if path.suffix == ".safetensors":
        return dict(read_safetensors(path)[0])
    return _read_torch(path)


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(extent) for extent in tensor.shape)


def _without_prefixes(names: list[str], wanted: set[str]) -> dict[str, str] | None:
    """Each name without as many of the known prefixes as all have, if that makes them the wanted ones."""
    stripped = list(names)
    while stripped:
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in stripped)), None)
        if prefix is None:
            return None
        stripped = [name[len(prefix) :] for name in stripped]
        if wanted <= set(stripped):
            return dict(zip(stripped, names, strict=True))
    return None


def _numbers(name: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(n) for n in re.findall(r"\d+", name)), re.sub(r"\d+", "#", name)


def _by_shape(given: dict[str, Any], wanted: dict[str, tuple[int, ...]]) -> tuple[dict[str, str] | None, list[str]]:
    """Names by shape: unique where no two tensors share one, else by the order in which both have them, if their
    parameters' own names (behind the last dot) agree in that order. And what is unclear."""
    places: dict[str, str] = {}
    unclear: list[str] = []
    for shape in dict.fromkeys(wanted.values()):
        ours = [name for name, s in wanted.items() if s == shape]
        theirs = [name for name, tensor in given.items() if _shape(tensor) == shape]
        if len(ours) != len(theirs):
            return None, []
        leaves = [[name.rsplit(".", 1)[-1] for name in names] for names in (ours, theirs)]
        numbers = [_numbers(name)[0] for name in theirs]
        if len(ours) > 1 and (leaves[0] != leaves[1] or (any(numbers) and numbers != sorted(numbers))):
            unclear += theirs
        places.update(zip(ours, theirs, strict=True))
    return (None if unclear else places), unclear


Names = Mapping[str, str | None]
_NAMES_FORM = 'expected {"name in the file": "name in the model", ...}, with null (None) for a tensor that is left out'


def read_names(names: Names | str | os.PathLike[str]) -> Names:
    """What the tensors of a checkpoint are called in a model, from a mapping or a JSON file of it. Raises UsageError,
    DataError and MissingInput."""
    if not isinstance(names, (Mapping, str, os.PathLike)):
        raise UsageError(f"names: {_NAMES_FORM}, or a JSON file of it, got {type(names).__name__}")
    found = names if isinstance(names, Mapping) else _names_in(File(names))
    if not found or not all(isinstance(k, str) and (v is None or isinstance(v, str)) for k, v in found.items()):
        if isinstance(names, Mapping):
            raise UsageError(f"names: {_NAMES_FORM}")
        raise DataError(f"{names}: {_NAMES_FORM}")
    return found


def _names_in(file: File) -> dict[str, Any]:
    def of_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"{file}: {twice} is there twice; {_NAMES_FORM}")
        return dict(pairs)

    if not file.is_file():
        raise MissingInput(f"{file}: no such file")
    try:
        found = json.loads(file.read_text("utf-8"), object_pairs_hook=of_pairs)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: {_NAMES_FORM} ({error})") from error
    if not isinstance(found, dict):
        raise DataError(f"{file}: {_NAMES_FORM}")
    return found


def rename(
    given: dict[str, Any], wanted: dict[str, tuple[int, ...]], what: str, names: Names
) -> tuple[dict[str, Any], list[str]]:
    """The tensors under the names that the user says, and what is to be told. The others have the model's names
    already, perhaps behind a prefix that all of them share. Raises UsageError that lists what does not fit."""
    if not set(names) & set(given) and set(given) <= set(wanted):
        return given, [f"{what}: it has the model's own names, so it is read without the others"]
    problems = []
    absent = [name for name in names if name not in given]
    unknown = [name for name in names.values() if name is not None and name not in wanted]
    if absent:
        problems.append(f"{what} has no tensor {', '.join(absent[:8])}; it has {', '.join(given)}")
    if unknown:
        problems.append(f"the model has no tensor {', '.join(unknown[:8])}; it has {', '.join(wanted)}")
    if any(name in wanted and names[name] in given for name in absent):
        problems.append("each name of the checkpoint comes first, then the model's")
    others = [name for name in given if name not in names]
    places = _without_prefixes(others, set(wanted) - set(names.values())) or {name: name for name in others}
    found: dict[str, Any] = {}
    origin: dict[str, str] = {}
    said = [(ours, theirs) for theirs, ours in names.items() if ours is not None and theirs in given]
    for ours, theirs in [*said, *places.items()]:
        if ours in found:
            problems.append(f"{origin[ours]} and {theirs} would both be {ours}; None leaves one out")
        elif theirs in names and ours in wanted and _shape(given[theirs]) != wanted[ours]:
            problems.append(f"{theirs} cannot be {ours}: it has the shape {_shape(given[theirs])}, not {wanted[ours]}")
        found[ours] = given[theirs]
        origin[ours] = theirs
    if problems:
        raise UsageError("names: " + "; ".join(problems))
    return found, []


def match(
    given: dict[str, Any], wanted: dict[str, tuple[int, ...]], what: str, names: Names | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The tensors that a model wants by its own names, and what is to be told: a prefix that was stripped, or other
    names. `names` says what those of the checkpoint are called in the model. Raises UsageError that lists what does
    not fit."""
    notes: list[str] = []
    if names is not None:
        given, notes = rename(given, wanted, what, names)
    elif set(given) != set(wanted):
        places = _without_prefixes(list(given), set(wanted))
        if places is not None:
            notes.append(f"{what}: names without the prefix of {next(iter(places.values()))!r}")
        elif not set(given) & set(wanted):
            places, unclear = _by_shape(given, wanted)
            if unclear:
                raise UsageError(
                    f"{what}: other names than the model's, and tensors of equal shapes that nothing puts in order: "
                    f"{', '.join(unclear)}; say which is which with names={{'name there': 'name in the model'}}"
                )
            if places is not None:
                pairs = ", ".join(f"{theirs} is {ours}" for ours, theirs in places.items())
                notes.append(f"{what}: other names, told by shape and order: {pairs}")
        if places is not None:
            given = {ours: given[theirs] for ours, theirs in places.items()}
    problems = [f"{name} {shape} is missing" for name, shape in wanted.items() if name not in given]
    problems += [f"{name} {_shape(tensor)} is not the model's" for name, tensor in given.items() if name not in wanted]
    problems += [
        f"{name} has the shape {_shape(given[name])}, not {shape}"
        for name, shape in wanted.items()
        if name in given and _shape(given[name]) != shape
    ]
    if problems:
        raise UsageError(f"{what}: expected the tensors of the model:\n  " + "\n  ".join(problems))
    return {name: given[name] for name in wanted}, notes
