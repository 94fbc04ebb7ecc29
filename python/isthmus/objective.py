# SPDX-License-Identifier: MIT
"""What can be connected: a loss on a flat vector of float32, computed by anything that Python can call."""

from __future__ import annotations

import abc
import inspect
import os
from collections.abc import Callable as Function
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .checkpoints import Names
from .errors import UsageError

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uint32]
TRAIN, TEST = 0, 1


@dataclass
class Cost:
    """What an objective has computed beside what a string counts."""

    gradients: int = 0  # calls for a loss and its gradient
    looks: int = 0  # calls for a metric
    buffer_samples: int = 0  # samples that went forward to recompute buffers (batch norm)


class Evaluator(abc.ABC):
    """Computes at one theta. isthmus writes theta into `theta`, calls, and reads `gradient`: two arrays of float32 of
    size P that stay the same. A result depends on theta and the arguments alone, to the bit."""

    theta: Floats
    gradient: Floats

    @abc.abstractmethod
    def loss_and_gradient(self, indices: Indices | None, seed: int | None) -> float:
        """The mean training loss of the samples of these indices (None: all), its gradient into `gradient`. `seed` is
        for what draws numbers in training; None: nothing does. NaN and infinity are allowed."""

    @abc.abstractmethod
    def metric(self, split: int, name: str, bound: float) -> tuple[float, int, bool]:
        """A metric on a whole split (TRAIN or TEST), the samples looked at, and True; or, as soon as it is known to be
        above the bound: a lower bound of it that is above the bound too, the samples, and False."""

    def margins(self, split: int, indices: Indices | None, bound: float) -> tuple[float, int, bool, Floats]:
        """Where Objective.has_margins: the part of all samples that is misread among those of the indices (None: all),
        the samples looked at, whether that is all of them, and their margins (of the label over the best other class;
        misread unless above 0). It may end as soon as the part exceeds the bound."""
        raise NotImplementedError

    def sample_losses(self, split: int, name: str, indices: Indices | None) -> tuple[float, Floats]:
        """Of the metrics in Objective.sample_losses: the metric of the whole split, and what each sample adds to it,
        whose mean it is. Of the samples of the indices alone where they are given; then the value is nan."""
        raise NotImplementedError


class Objective(abc.ABC):
    """A loss with its metrics. `evaluator` may be called several times, once for each thread."""

    tensors: list[tuple[str, tuple[int, ...], bool]]  # name, shape, and whether it is a weight (else a bias)
    samples: tuple[int, int] = (1, 1)  # of the training and the test split
    metrics: Sequence[str] = ("loss",)  # its own; the first is the training loss
    has_margins: bool = False  # error_rate can be asked for, and margins tell it
    sample_losses: Sequence[str] = ()  # those metrics that are means over samples, which evaluators tell one by one
    random: bool = False  # training draws numbers (dropout)
    concurrent: bool = False  # evaluators may compute on several threads at once
    loss_is_metric: tuple[bool, bool] = (False, False)  # the loss of a full batch is "loss" on that split, to the bit
    cost: Cost

    defaults: ClassVar[dict[str, Any]] = {}  # options of connect that an objective of this kind begins with

    @abc.abstractmethod
    def evaluator(self) -> Evaluator:
        """One that nobody else has."""

    @property
    def dimension(self) -> int:
        return sum(int(np.prod(shape, dtype=np.int64)) for _, shape, _ in self.tensors)

    def metric_names(self) -> list[str]:
        return [*self.metrics, *(["error_rate"] if self.has_margins else [])]

    def end_points(
        self, a: Any, b: Any, names: Names | str | os.PathLike[str] | None = None
    ) -> tuple[Objective, Floats, Floats, list[str]]:
        """The objective between two end points in whatever form they came (this one, unless it depends on them), their
        flat vectors, and what is to be told of them."""
        if names is not None:
            raise UsageError("names: flat vectors have none; leave it out")
        first, second = (flat_vector(v, self.dimension, f"end point {n}") for v, n in ((a, "A"), (b, "B")))
        return self, first, second, []

    def layout(self) -> list[dict[str, Any]]:
        """As in the metadata of path files."""
        offset = 0
        found = []
        for name, shape, is_weight in self.tensors:
            role = "weight" if is_weight else "bias"
            found.append({"name": name, "offset": offset, "shape": list(shape), "role": role})
            offset += int(np.prod(shape, dtype=np.int64))
        return found

    def state_dict(self, theta: Floats) -> dict[str, Any]:
        """A point in the form in which end points are given; here the tensors by name, as arrays."""
        return unflatten(theta, self.layout())


def unflatten(theta: Floats, layout: list[dict[str, Any]]) -> dict[str, npt.NDArray[np.float32]]:
    found = {}
    for tensor in layout:
        size = int(np.prod(tensor["shape"], dtype=np.int64))
        piece = theta[tensor["offset"] : tensor["offset"] + size]
        found[tensor["name"]] = piece.reshape(tensor["shape"]).copy()
    return found


def flat_vector(given: Any, size: int, what: str) -> Floats:
    """`given` as float32, if it is a vector of numbers of that size."""
    try:
        vector = np.asarray(given)
    except Exception as error:
        raise UsageError(f"{what}: expected a flat vector of {size} numbers, got {type(given).__name__}") from error
    if vector.dtype.kind not in "fiu":
        kind = type(given).__name__ if vector.dtype.kind == "O" else f"an array of {vector.dtype}"
        raise UsageError(f"{what}: expected a flat vector of {size} numbers, got {kind}")
    if vector.shape != (size,):
        raise UsageError(f"{what}: expected a flat vector of {size} numbers, got one of shape {vector.shape}")
    found: Floats = np.ascontiguousarray(vector, dtype=np.float32)
    if not np.isfinite(found).all():
        raise UsageError(f"{what}: expected finite numbers, {int((~np.isfinite(found)).sum())} are not")
    return found


class Callable(Objective):
    """Any function of a flat vector that returns its value and its gradient (size P, float32 or float64):

        isthmus.connect(f, a, b, threshold=0.05)
        isthmus.connect(isthmus.Callable(f, 2, name="energy"), a, b, threshold=0.05)

    `f` is given a read-only view that holds theta during the call alone: copy it to keep it. `value`, if given, is
    called where no gradient is needed. `concurrent` says that several threads may call f at once; they still take turns
    with the interpreter's lock."""

    defaults: ClassVar[dict[str, Any]] = {"batch_size": 0, "learning_rate": 0.01}

    def __init__(
        self,
        function: Function[[Floats], tuple[float, Any]],
        size: int | Sequence[tuple[str, tuple[int, ...]]],
        *,
        value: Function[[Floats], float] | None = None,
        name: str = "loss",
        samples: int = 1,
        concurrent: bool = False,
    ) -> None:
        if not callable(function):
            raise UsageError(f"function: expected a callable, got {type(function).__name__}")
        shapes = [("theta", (size,))] if isinstance(size, int) else list(size)
        self.tensors = [(tensor, tuple(shape), True) for tensor, shape in shapes]
        if self.dimension < 1:
            raise UsageError("size: expected at least one number in theta, got none")
        if samples < 1:
            raise UsageError(f"samples: expected a value >= 1, got {samples}")
        self.function = function
        self.value = value
        self.metrics = (name,)
        self.samples = (samples, samples)
        self.concurrent = concurrent
        self.loss_is_metric = (True, True)
        self.cost = Cost()

    def evaluator(self) -> Evaluator:
        return _CallableEvaluator(self)


@dataclass
class _CallableEvaluator(Evaluator):
    objective: Callable
    theta: Floats = field(init=False)
    gradient: Floats = field(init=False)

    def __post_init__(self) -> None:
        size = self.objective.dimension
        self.theta = np.zeros(size, np.float32)
        self.gradient = np.zeros(size, np.float32)
        self.shown = self.theta.view()
        self.shown.flags.writeable = False

    def _call(self) -> tuple[Any, Any]:
        found = self.objective.function(self.shown)
        if not isinstance(found, tuple) or len(found) != 2:
            what = f"a tuple of {len(found)}" if isinstance(found, tuple) else type(found).__name__
            raise UsageError(f"{_name(self.objective.function)}: expected (value, gradient), got {what}")
        return found

    def loss_and_gradient(self, indices: Indices | None, seed: int | None) -> float:
        self.objective.cost.gradients += 1
        value, gradient = self._call()
        if not isinstance(gradient, np.ndarray):
            gradient = np.asarray(gradient)
        if gradient.dtype.kind != "f":
            raise UsageError(
                f"{_name(self.objective.function)}: gradient: expected float32 or float64, got {gradient.dtype}"
            )
        if gradient.shape != self.gradient.shape:
            raise UsageError(
                f"{_name(self.objective.function)}: gradient: expected the shape {self.gradient.shape} of theta, got "
                f"{gradient.shape}"
            )
        self.gradient[:] = gradient
        return _number(value, self.objective.function)

    def metric(self, split: int, name: str, bound: float) -> tuple[float, int, bool]:
        self.objective.cost.looks += 1
        if self.objective.value is not None:
            value = _number(self.objective.value(self.shown), self.objective.value)
        else:
            value = _number(self._call()[0], self.objective.function)
        return value, self.objective.samples[split], True


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _number(value: Any, function: Any) -> float:
    if np.ndim(value) != 0:
        raise UsageError(f"{_name(function)}: expected one number as the value, got the shape {np.shape(value)}")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        what = type(value).__name__
        raise UsageError(f"{_name(function)}: expected a number as the value, got {what}") from error


def objective_of(given: Any, a: Any) -> Objective:
    """An objective as it is; a function as one on vectors of the size of `a`."""
    if isinstance(given, Objective):
        return given
    if callable(given) and not inspect.isclass(given) and np.ndim(a) == 1:
        return Callable(given, len(a))
    raise UsageError(
        "objective: expected an isthmus.Objective (isthmus.torch.Objective, isthmus.Callable) or a function with flat "
        f"vectors as end points, got {type(given).__name__}"
    )
