# SPDX-License-Identifier: MIT
"""Losses, gradients and metrics of a model of PyTorch at one theta."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from . import objective as base
from ._torch_data import Batch
from .errors import UsageError
from .objective import TRAIN, Floats, Indices

if TYPE_CHECKING:
    from .torch import Objective


def one_number(loss: Any) -> Tensor:
    if not isinstance(loss, Tensor):
        raise UsageError(f"loss: expected a tensor of one number for a batch, got {type(loss).__name__}")
    if loss.dim() != 0:
        raise UsageError(
            f"loss: expected one number for a batch, got a tensor of shape {tuple(loss.shape)}: use reduction='mean'"
        )
    return loss


class Line:
    """Buffers between those of two end points, by the place of theta along the line through them."""

    def __init__(self, objective: Objective, flat: list[Floats], states: list[dict[str, Any]]) -> None:
        self.a = torch.from_numpy(flat[0]).to(objective.device, torch.float64)
        self.along = torch.from_numpy(flat[1]).to(objective.device, torch.float64) - self.a
        self.squared = float(self.along.dot(self.along)) or 1.0
        names = [name for name, buffer in objective.model.named_buffers() if buffer.is_floating_point()]
        self.ends = {name: [state[name].to(objective.device, torch.float32) for state in states] for name in names}

    def put(self, theta: Tensor, model: nn.Module) -> None:
        s = min(max(float((theta.double() - self.a).dot(self.along)) / self.squared, 0.0), 1.0)
        buffers = dict(model.named_buffers())
        for name, (a, b) in self.ends.items():
            buffers[name].copy_((1.0 - s) * a + s * b)


class Evaluator(base.Evaluator):
    """A copy of the model whose parameters and gradients are pieces of two flat tensors."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.model = copy.deepcopy(objective.model)
        size = objective.dimension
        self.theta_tensor = torch.zeros(size, device=objective.device)
        self.gradient_tensor = torch.zeros(size, device=objective.device)
        self.on_host = objective.device.type == "cpu"
        self.theta = self.theta_tensor.numpy() if self.on_host else np.zeros(size, np.float32)
        self.gradient = self.gradient_tensor.numpy() if self.on_host else np.zeros(size, np.float32)
        parameters = dict(self.model.named_parameters())
        offset = 0
        for name, shape, _ in objective.tensors:
            parameter = parameters[name]
            end = offset + parameter.numel()
            parameter.data = self.theta_tensor[offset:end].view(shape)
            parameter.grad = self.gradient_tensor[offset:end].view(shape)
            offset = end
        self.norms = [m for m in self.model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
        for norm in self.norms:
            norm.momentum = 0.0  # training leaves the statistics alone
        self.training: bool | None = None
        self.looked_at: Tensor | None = None
        self.changing: list[tuple[Tensor, Tensor]] = []
        self.find_changing_buffers()

    def find_changing_buffers(self) -> None:
        """Buffers that a step of training would change, beside those of batch norms: they are put back."""
        own = {id(buffer) for norm in self.norms for buffer in norm.buffers()}
        self.changing = [(b, b.clone()) for b in self.model.buffers() if id(b) not in own]

    def set_theta(self, theta: Floats) -> None:
        self.theta[:] = theta

    def _bring_theta(self) -> None:
        if not self.on_host:
            self.theta_tensor.copy_(torch.from_numpy(self.theta))

    def set_training(self, training: bool) -> None:
        if self.training is not training:
            self.model.train(training)
            self.training = training

    @contextmanager
    def drawing_from(self, seed: int | None) -> Iterator[None]:
        if seed is None:
            yield
            return
        devices = [self.objective.device] if self.objective.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

    def outputs(self, batch: Batch) -> tuple[Any, Any]:
        if self.objective.forward is not None:
            as_it_came: Any = batch if isinstance(next(iter(batch)), str) else tuple(batch.values())
            target = batch.get("labels") if isinstance(as_it_came, dict) else as_it_came[-1]
            return self.objective.forward(self.model, as_it_came), target
        if isinstance(next(iter(batch)), str):
            keywords = {str(name): part for name, part in batch.items() if name != "labels"}
            return self.model(**keywords), batch.get("labels")
        parts = list(batch.values())
        if len(parts) == 1:
            return self.model(parts[0]), parts[0]
        return self.model(*parts[:-1]), parts[-1]

    def loss_and_gradient(self, indices: Indices | None, seed: int | None) -> float:
        objective = self.objective
        objective.cost.gradients += 1
        self._bring_theta()
        self.set_training(True)
        self.looked_at = None
        self.gradient_tensor.zero_()
        data = objective.data[TRAIN]
        total = 0.0
        with torch.enable_grad(), self.drawing_from(seed):
            if indices is not None:
                places = torch.from_numpy(indices.astype(np.int64)).to(objective.device)
                loss = one_number(objective.loss(*self.outputs(data.pick(places))))
                loss.backward()  # type: ignore[no-untyped-call]
                total = float(loss.detach())
            else:
                for first in range(0, data.count, objective.look_batch):
                    end = min(first + objective.look_batch, data.count)
                    part = (end - first) / data.count
                    loss = one_number(objective.loss(*self.outputs(data.range(first, end)))) * part
                    loss.backward()  # type: ignore[no-untyped-call]
                    total += float(loss.detach())
        self._put_back()
        if not self.on_host:
            self.gradient[:] = self.gradient_tensor.cpu().numpy()
        return total

    @torch.no_grad()
    def _put_back(self) -> None:
        for buffer, kept in self.changing:
            buffer.copy_(kept)

    @torch.no_grad()
    def prepare_look(self) -> None:
        """Evaluation mode, with the buffers that belong to theta."""
        self._bring_theta()
        self.set_training(False)
        if self.looked_at is not None and torch.equal(self.looked_at, self.theta_tensor):
            return
        if self.objective.line is not None:
            self.objective.line.put(self.theta_tensor, self.model)
        elif self.objective.buffers == "recompute" and self.norms:
            self._recompute()
        self.looked_at = self.theta_tensor.clone()

    def _recompute(self) -> None:
        """Statistics of batch norms over the training data: means over batches, weighted by their samples."""
        data = self.objective.data[TRAIN]
        count = self.objective.buffer_samples
        for norm in self.norms:
            norm.train()
            norm.reset_running_stats()
        step = self.objective.look_batch
        for first in range(0, count, step):
            end = min(first + step, count)
            end = count if count - end == 1 else end  # no batch of one sample: it has no variance
            for norm in self.norms:
                norm.momentum = (end - first) / end
            self.outputs(data.range(first, end))
            if end == count:
                break
        for norm in self.norms:
            norm.eval()
            norm.momentum = 0.0
        self.objective.cost.buffer_samples += count
        self._put_back()

    def losses_of_samples(self, output: Any, target: Any, verify: bool = False) -> Tensor | None:
        """One loss for each sample, where the loss gives them; `verify`: and where their mean is the loss."""
        loss = self.objective.loss
        if isinstance(loss, nn.Module):
            if getattr(loss, "reduction", None) != "mean":
                return None
            setattr(loss, "reduction", "none")  # noqa: B010
            try:
                found = loss(output, target)
            finally:
                setattr(loss, "reduction", "mean")  # noqa: B010
        else:
            try:
                if "reduction" not in inspect.signature(loss).parameters:
                    return None
            except (TypeError, ValueError):
                return None
            found = loss(output, target, reduction="none")
        count = len(target) if isinstance(target, Tensor) else -1
        if not isinstance(found, Tensor) or found.dim() == 0 or found.numel() % max(count, 1) or count < 1:
            return None
        found = found.reshape(count, -1).double().mean(1)
        if verify and not torch.isclose(found.mean(), loss(output, target).double(), rtol=1e-5, atol=1e-7):
            return None
        return found

    def look_at(self, split: int, indices: Indices | None = None) -> Iterator[tuple[Any, Any, int, int]]:
        """One look at a split, or at samples of it: outputs and targets of a batch, its first sample and its end."""
        self.objective.cost.looks += 1
        self.prepare_look()
        data = self.objective.data[split]
        places = None if indices is None else torch.from_numpy(indices.astype(np.int64)).to(self.objective.device)
        count = data.count if places is None else len(places)
        for first in range(0, count, self.objective.look_batch):
            end = min(first + self.objective.look_batch, count)
            batch = data.range(first, end) if places is None else data.pick(places[first:end])
            output, target = self.outputs(batch)
            yield output, target, first, end

    @torch.no_grad()
    def metric(self, split: int, name: str, bound: float) -> tuple[float, int, bool]:
        if name == "error_rate":
            return self.margins(split, None, bound)[:3]
        count = self.objective.data[split].count
        ends_early = name == "loss" and self.objective.never_negative
        total = 0.0
        for output, target, first, end in self.look_at(split):
            total += self._sum(name, output, target, end - first)
            if ends_early and total / count > bound and end < count:
                return total / count, end, False
        return total / count, count, True

    def _sum(self, name: str, output: Any, target: Any, count: int) -> float:
        """Of one metric over the samples of a batch."""
        if name == "loss":
            if self.objective.per_sample:
                found = self.losses_of_samples(output, target)
                assert found is not None
                return float(found.sum())
            return float(one_number(self.objective.loss(output, target)).double()) * count
        value = torch.as_tensor(self.objective.own_metrics[name](output, target)).double()
        if value.dim() == 0:
            return float(value) * count
        if value.shape != (count,):
            raise UsageError(
                f"metrics: {name}: expected one number, or one for each of {count} samples, got {tuple(value.shape)}"
            )
        return float(value.sum())

    @torch.no_grad()
    def sample_losses(self, split: int, name: str, indices: Indices | None) -> tuple[float, Floats]:
        found = []
        for output, target, first, end in self.look_at(split, indices):
            one = self.values_of_samples(name, output, target, end - first)
            if one is None:
                raise UsageError(f"{name}: expected a value for each of {end - first} samples, as at the first look")
            found.append(one)
        losses = torch.cat(found)
        value = float(losses.sum()) / len(losses) if indices is None else math.nan
        return value, losses.float().cpu().numpy()

    def values_of_samples(self, name: str, output: Any, target: Any, count: int) -> Tensor | None:
        """What each sample adds to a metric, in double; None where the metric is one number for all of them."""
        if name == "loss":
            return self.losses_of_samples(output, target)
        value = torch.as_tensor(self.objective.own_metrics[name](output, target)).double()
        return value if value.shape == (count,) else None

    @torch.no_grad()
    def margins(self, split: int, indices: Indices | None, bound: float) -> tuple[float, int, bool, Floats]:
        samples = self.objective.data[split].count
        count = samples if indices is None else len(indices)
        found = []
        wrong = looked = 0
        for output, target, _, end in self.look_at(split, indices):
            right = output.gather(1, target.long()[:, None])[:, 0]
            others = output.scatter(1, target.long()[:, None], -torch.inf)
            margin = (right - others.amax(1)).float()
            found.append(margin)
            wrong += int((~(margin > 0)).sum())
            looked = end
            if wrong / samples > bound:
                break
        margins = torch.cat(found).cpu().numpy()
        return wrong / samples, looked, looked == count, margins
