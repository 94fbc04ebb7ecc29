# SPDX-License-Identifier: MIT
"""Any model of PyTorch as an objective: `isthmus.torch.Objective`."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable as Function
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from . import objective as base
from ._torch_data import Batch, samples_of
from ._torch_evaluator import Evaluator, Line, one_number
from .checkpoints import Names, load, match, read_names, rename
from .errors import UsageError
from .objective import TRAIN, Cost, Floats

# Of each sample >= 0, so that a partial sum bounds the whole from below.
_NEVER_NEGATIVE = ("cross_entropy", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
                   "binary_cross_entropy_with_logits", "CrossEntropyLoss", "MSELoss", "L1Loss", "SmoothL1Loss",
                   "HuberLoss", "BCELoss", "BCEWithLogitsLoss")  # fmt: skip


def _is_trained(parameter: nn.Parameter) -> bool:
    return parameter.requires_grad


class Objective(base.Objective):
    """A model with its loss on data.

    model        The architecture; its own numbers are not used, and it stays as it is: isthmus works on copies.
    loss         loss(model(x), y) -> one number, the mean over a batch: a function, or a module as nn.CrossEntropyLoss.
                 With a keyword `reduction` it also gives the losses of samples, which lets looks end early.
    train, test  A DataLoader, a Dataset, or tensors (x, y). Batches (x1, x2, ..., y) call model(x1, x2, ...); of dicts
                 "labels" is y; a single tensor is input and target. All samples are kept in memory. Without `test`
                 both splits are the training data.
    metrics      More metrics by name: f(model(x), y) -> one number, or one for each sample; lower is better.
    buffers      What batch norm knows of the data at a point between two models. "recompute" (default): its statistics
                 over the training data, at each point that is looked at; "frozen": those of `model`; "interpolate":
                 those of the two end points, by the place of the point along the line through them.
    buffer_samples  With "recompute": the first so many training samples instead of all.
    look_batch   Samples that go through the model at once in looks and in recomputing.
    forward      forward(model, batch) -> output, for models that are called in another way; batch as the loader has it.
    device       Where it computes; default: where the model is.
    """

    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        model: nn.Module,
        loss: Function[..., Any],
        train: Any,
        test: Any = None,
        *,
        metrics: Mapping[str, Function[[Any, Any], Any]] | None = None,
        buffers: str = "recompute",
        buffer_samples: int | None = None,
        look_batch: int = 512,
        forward: Function[[nn.Module, Any], Any] | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise UsageError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
        if not callable(loss):
            raise UsageError(f"loss: expected a function of outputs and targets, got {type(loss).__name__}")
        if buffers not in ("recompute", "frozen", "interpolate"):
            raise UsageError(f"buffers: expected recompute, frozen or interpolate, got {buffers!r}")
        if look_batch < 1:
            raise UsageError(f"look_batch: expected a value >= 1, got {look_batch}")
        trained = [(name, p) for name, p in model.named_parameters() if _is_trained(p)]
        if not trained:
            raise UsageError(
                "model: it has no parameter that is trained; expected at least one with requires_grad=True"
            )
        odd = [f"{name} ({p.dtype})" for name, p in trained if not p.is_floating_point()]
        if odd:
            raise UsageError(f"model: expected parameters of real numbers, got {', '.join(odd)}")
        self.device = torch.device(device) if device is not None else trained[0][1].device
        self.model = copy.deepcopy(model).float().to(self.device)
        self.dtypes = {name: tensor.dtype for name, tensor in model.state_dict().items()}
        self.loss = loss
        self.forward = forward
        self.buffers = buffers
        self.look_batch = look_batch
        self.own_metrics = dict(metrics or {})
        taken = [name for name in self.own_metrics if name in ("loss", "error_rate")]
        if taken:
            raise UsageError(f"metrics: {taken[0]!r} is there already; give yours another name")
        self.tensors = [(name, tuple(p.shape), p.dim() > 1) for name, p in trained]
        train_samples = samples_of(train, "train").to(self.device)
        test_samples = train_samples if test is None else samples_of(test, "test").to(self.device)
        self.data = (train_samples, test_samples)
        self.samples = (train_samples.count, test_samples.count)
        if buffer_samples is not None and not 2 <= buffer_samples <= train_samples.count:
            raise UsageError(
                f"buffer_samples: expected 2 to {train_samples.count} training samples, got {buffer_samples}"
            )
        self.buffer_samples = buffer_samples or train_samples.count
        self.metrics = ("loss", *self.own_metrics)
        self.cost = Cost()
        self.line: Line | None = None
        self.concurrent = True  # each evaluator has a model of its own
        self.names: dict[str, str] = {}
        self._probe()
        self._own: Evaluator | None = None

    def _probe(self) -> None:
        """Looks at one small batch: what the loss returns, whether training is random, and what errors can be told."""
        probe = Evaluator(self)
        probe.theta_tensor.copy_(_flat(dict(self.model.named_parameters()), self))
        batch = self.data[TRAIN].range(0, min(32, self.samples[TRAIN]))
        with torch.no_grad():
            probe.set_training(False)
            output, target = probe.outputs(batch)
            one_number(self.loss(output, target))
            self.per_sample = probe.losses_of_samples(output, target, verify=True) is not None
            self.sample_losses = self._told_by_sample(probe, batch, output, target)
        self.never_negative = self.per_sample and _name(self.loss) in _NEVER_NEGATIVE and not _has_weights(self.loss)
        self.has_margins = (
            isinstance(output, Tensor)
            and isinstance(target, Tensor)
            and output.dim() == 2
            and output.shape[1] >= 2
            and target.dim() == 1
            and not target.is_floating_point()
            and int(target.min()) >= 0
            and int(target.max()) < output.shape[1]
        )
        probe.set_training(True)
        losses = []
        for seed in (1, 2):
            with probe.drawing_from(seed):
                losses.append(one_number(self.loss(*probe.outputs(batch))))
        if not losses[0].requires_grad:
            raise UsageError("loss: it does not depend on the model's parameters (no gradient goes back to them)")
        probe.find_changing_buffers()
        self.random = not torch.equal(losses[0].nan_to_num(), losses[1].nan_to_num())

    def _told_by_sample(self, probe: Evaluator, batch: Batch, output: Any, target: Any) -> tuple[str, ...]:
        """The metrics that are means over samples which stand alone: half of the batch tells the same of its own."""
        count = len(next(iter(batch.values())))
        half = {place: part[: (count + 1) // 2] for place, part in batch.items()}
        alone = probe.outputs(half)
        told = []
        for name in ("loss", *self.own_metrics) if self.per_sample else self.own_metrics:
            whole = probe.values_of_samples(name, output, target, count)
            part = probe.values_of_samples(name, *alone, len(next(iter(half.values()))))
            if whole is None or part is None:
                continue
            if torch.allclose(whole[: len(part)], part, rtol=1e-4, atol=1e-5, equal_nan=True):
                told.append(name)
        return tuple(told)

    def evaluator(self) -> Evaluator:
        return Evaluator(self)

    def evaluator_at(self, theta: Floats) -> Evaluator:
        found = Evaluator(self)
        found.set_theta(theta)
        return found

    def end_points(
        self, a: Any, b: Any, names: Names | str | os.PathLike[str] | None = None
    ) -> tuple[Objective, Floats, Floats, list[str]]:
        said = None if names is None else read_names(names)
        # What is no coordinate belongs to the two: paths between others keep theirs.
        bound = copy.copy(self)
        bound.model = copy.deepcopy(self.model)
        bound._own = None
        flat: list[Floats] = []
        states: list[dict[str, Any] | None] = []
        notes: list[str] = []
        for source, what in ((a, "end point A"), (b, "end point B")):
            if isinstance(source, np.ndarray):
                flat.append(base.flat_vector(source, self.dimension, what))
                states.append(None)
                continue
            state, told = bound._matched(load(source), what, said)
            flat.append(_flat(state, self).cpu().numpy())
            base.flat_vector(flat[-1], self.dimension, what)
            states.append(state)
            notes += told
        bound._take_rest(states, flat)
        return bound, flat[0], flat[1], notes

    def _matched(
        self, state: dict[str, Any], what: str, names: Names | None
    ) -> tuple[dict[str, Any], list[str]]:
        own = self.model.state_dict()
        # Buffers that can be had from the model, or are computed, may be missing.
        optional = set(own) - {name for name, _ in self.model.named_parameters(remove_duplicate=False)}
        wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
        tensors = {name: torch.as_tensor(tensor) for name, tensor in state.items()}
        told: list[str] = []
        if names is not None:
            tensors, told = rename(tensors, wanted, what, names)
        if not optional & set(tensors) and len(tensors) == len(wanted) - len(optional):
            wanted = {name: shape for name, shape in wanted.items() if name not in optional}
        aliases = _aliases(self.model)
        for name, first in aliases.items():
            if name not in tensors and first in tensors:
                tensors[name] = tensors[first]  # a tied weight is kept once in some files
        found, notes = match(tensors, wanted, what)
        for name, first in aliases.items():
            if not torch.equal(found[name], found[first]):
                raise UsageError(f"{what}: {name} and {first} are one tied weight of the model, and differ")
        for name in own:
            found.setdefault(name, own[name])
        return found, told + notes

    def _take_rest(self, states: list[dict[str, Any] | None], flat: list[Floats]) -> None:
        """What is no coordinate: frozen parameters and buffers."""
        given = [state for state in states if state is not None]
        self.line = None
        if not given:
            return
        trained = {name for name, _, _ in self.tensors} | set(_aliases(self.model))
        statistics = _statistics(self.model)
        for name in given[0]:
            if name in trained or (name in statistics and self.buffers != "interpolate"):
                continue
            same = all(torch.equal(state[name].cpu(), given[0][name].cpu()) for state in given)
            is_buffer = name in dict(self.model.named_buffers(remove_duplicate=False))
            if not same and not (is_buffer and self.buffers == "interpolate"):
                raise UsageError(
                    f"{name}: {'a buffer' if is_buffer else 'a parameter that is not trained'}, and the end points "
                    "differ in it; " + ("buffers='interpolate' goes from one to the other" if is_buffer else
                                        "let it be trained (requires_grad=True), or make the two equal")
                )  # fmt: skip
            if not (is_buffer and self.buffers == "frozen"):
                with torch.no_grad():
                    self.model.state_dict()[name].copy_(given[0][name])
        if self.buffers == "interpolate" and len(given) == 2:
            self.line = Line(self, flat, given)

    def state_dict(self, theta: Floats) -> dict[str, Tensor]:
        """As the model's own, on the CPU, with the buffers that a look at theta computes with."""
        if self._own is None:
            self._own = Evaluator(self)
        self._own.set_theta(theta)
        self._own.prepare_look()
        state = self._own.model.state_dict()
        return {name: tensor.detach().clone().to("cpu", self.dtypes[name]) for name, tensor in state.items()}


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _has_weights(loss: Any) -> bool:
    return isinstance(loss, nn.Module) and getattr(loss, "weight", None) is not None


def _flat(state: Mapping[str, Tensor], objective: Objective) -> Tensor:
    return torch.cat([state[name].detach().to(objective.device, torch.float32).reshape(-1)
                      for name, _, _ in objective.tensors])  # fmt: skip


def _aliases(model: nn.Module) -> dict[str, str]:
    """Further names of tied parameters, with their first one."""
    first: dict[int, str] = {}
    found = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if id(parameter) in first:
            found[name] = first[id(parameter)]
        first.setdefault(id(parameter), name)
    return found


def _statistics(model: nn.Module) -> set[str]:
    """The names of batch norms' buffers."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        if isinstance(module, _BatchNorm)
        for name, _ in module.named_buffers(recurse=False)
    }
