# SPDX-License-Identifier: MIT
"""The samples of an objective of PyTorch, out of loaders, data sets and tensors."""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from .errors import UsageError

Batch = dict[int | str, Tensor]


class Samples:
    """The samples of a split in memory: tensors by place (a tuple of inputs, then the target) or by name."""

    def __init__(self, parts: Batch, what: str) -> None:
        counts = {len(part) for part in parts.values()}
        if len(counts) != 1 or 0 in counts:
            raise UsageError(f"{what}: expected tensors of as many samples each, got {sorted(counts)}")
        self.parts = parts
        self.count = counts.pop()

    def to(self, device: torch.device) -> Samples:
        def moved(part: Tensor) -> Tensor:
            part = part.detach().to(device)
            return part.float() if part.dtype in (torch.float64, torch.float16, torch.bfloat16) else part

        self.parts = {place: moved(part).contiguous() for place, part in self.parts.items()}
        return self

    def range(self, first: int, end: int) -> Batch:
        return {place: part[first:end] for place, part in self.parts.items()}

    def pick(self, indices: Tensor) -> Batch:
        return {place: part.index_select(0, indices) for place, part in self.parts.items()}


def _parts_of(batch: Any, what: str) -> Batch:
    if isinstance(batch, Tensor):
        return {0: batch}
    if isinstance(batch, Mapping) and all(isinstance(part, Tensor) for part in batch.values()):
        return {str(name): part for name, part in batch.items()}
    if isinstance(batch, (tuple, list)) and batch and all(isinstance(part, Tensor) for part in batch):
        return dict(enumerate(batch))
    raise UsageError(f"{what}: expected batches that are tensors, tuples of them or dicts of them, got "
                     f"{type(batch).__name__}")  # fmt: skip


def _equal(a: Batch, b: Batch) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[place], b[place]) for place in a)


def _joined(batches: list[Batch], what: str) -> Samples:
    if not batches:
        raise UsageError(f"{what}: expected samples, got none; a generator is over after one pass")
    return Samples({place: torch.cat([batch[place] for batch in batches]) for place in batches[0]}, what)


def _of_dataset(dataset: Any, collate: Function[[list[Any]], Any], what: str) -> Samples:
    again = [_parts_of(collate([dataset[0]]), what) for _ in range(2)]
    if not _equal(*again):
        raise UsageError(
            f"{what}: two looks at sample 0 differ: its transforms draw numbers (augmentation). A level set needs "
            "samples that stay as they are: give a data set without them"
        )
    indices = range(len(dataset))
    chunks = [indices[i : i + 256] for i in range(0, len(dataset), 256)]
    return _joined([_parts_of(collate([dataset[i] for i in chunk]), what) for chunk in chunks], what)


def samples_of(source: Any, what: str) -> Samples:
    """All samples of tensors, a data set, a loader, or anything that gives batches."""
    if isinstance(source, Tensor):
        return Samples({0: source}, what)
    if isinstance(source, (tuple, list)) and source and all(isinstance(part, Tensor) for part in source):
        return Samples(dict(enumerate(source)), what)
    if isinstance(source, torch.utils.data.DataLoader):
        dataset = source.dataset
        if what == "test" and isinstance(source.sampler, torch.utils.data.RandomSampler):
            raise UsageError(_SHUFFLES)
        if not isinstance(dataset, torch.utils.data.IterableDataset):
            return _of_dataset(dataset, source.collate_fn, what)
    elif isinstance(source, torch.utils.data.Dataset) and not isinstance(source, torch.utils.data.IterableDataset):
        return _of_dataset(source, torch.utils.data.default_collate, what)
    if not isinstance(source, Iterable):
        raise UsageError(f"{what}: expected a DataLoader, a Dataset or tensors, got {type(source).__name__}")
    first = [_parts_of(batch, what) for batch in source]
    second = next((_parts_of(batch, what) for batch in source), None)
    if first and what == "test" and (second is None or not _equal(first[0], second)):
        raise UsageError(_SHUFFLES)
    return _joined(first, what)


_SHUFFLES = (
    "test: a second look gives other batches: the loader shuffles, draws, or is over after one pass. Values along a "
    "path can be compared on the same samples alone: give a DataLoader with shuffle=False, or tensors"
)
