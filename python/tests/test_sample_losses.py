# SPDX-License-Identifier: MIT
"""Losses of single samples: screened checks and estimated looks of models of PyTorch, against full ones."""

from __future__ import annotations

import numpy as np
import pytest
from test_torch import blobs, flat, mlp, trained

import isthmus

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

TRAIN, TEST = blobs(3000, seed=0), blobs(4000, seed=1)


@pytest.fixture(scope="module")
def pair():
    return trained(mlp(1), TRAIN), trained(mlp(2), TRAIN)


def objective_of(**options):
    return isthmus.torch.Objective(mlp(), **{"loss": F.cross_entropy, "train": TRAIN, "test": TEST, **options})


def distance(output, target):
    return (output.softmax(1) - F.one_hot(target, 3)).square().sum(1)


def test_are_those_of_torch():
    objective = objective_of(metrics={"brier": distance, "norm": lambda o, y: o.norm()}, look_batch=700)
    assert objective.sample_losses == ("loss", "brier")
    evaluator = objective.evaluator()
    model = mlp(3).eval()
    evaluator.theta[:] = flat(model)
    some = np.array([7, 3, 3999, 0], np.uint32)
    with torch.no_grad():
        output = model(TEST[0])
    oracles = {"loss": F.cross_entropy(output, TEST[1], reduction="none"), "brier": distance(output, TEST[1])}
    for name, expected in oracles.items():
        value, losses = evaluator.sample_losses(1, name, None)
        assert losses.dtype == np.float32 and np.allclose(losses, expected.numpy(), rtol=1e-5, atol=1e-6)
        assert value == pytest.approx(evaluator.metric(1, name, np.inf)[0], rel=1e-12)
        value, losses = evaluator.sample_losses(1, name, some)
        assert np.isnan(value) and np.allclose(losses, expected.numpy()[some], rtol=1e-5, atol=1e-6)


def test_of_samples_that_lean_on_each_other_are_none():
    class Centred(nn.Sequential):
        def forward(self, x):
            return super().forward(x - x.mean(0))

    objective = isthmus.torch.Objective(Centred(*mlp()), F.cross_entropy, TRAIN, TEST)
    assert objective.sample_losses == ()
    with pytest.raises(isthmus.UsageError, match="check: no losses of single samples is known here"):
        isthmus.connect(objective, mlp(1), mlp(2), threshold=9.0, check="screened")
    single = objective_of(loss=lambda o, y: F.cross_entropy(o, y))
    assert single.sample_losses == ()


@pytest.mark.parametrize("metric", ["loss", "brier"])
def test_screened_checks_agree_with_full_ones(pair, metric):
    objective = objective_of(metrics={"brier": distance})
    ends = [objective.evaluator_at(flat(model)).metric(1, metric, np.inf)[0] for model in pair]
    threshold = 1.3 * max(ends)
    options = {"threshold": threshold, "metric": metric, "max_rounds": 8, "batch_size": 256, "always_insert": True}
    path = isthmus.connect(objective, *pair, **options)
    assert path.connected and path.check == "screened" and len(path) > 2
    # Fewer samples than a whole grid takes.
    assert path.cost.forward_samples_checks < 0.7 * (len(path) - 1) * 21 * 4000
    full = path.verify(points=21)
    assert full.max_metric <= threshold
    assert path.max_metric == pytest.approx(full.max_metric, rel=2e-3)
    for screened, whole in zip(path.segments, full.segments, strict=True):
        assert screened.max <= threshold and abs(screened.max - whole.max) <= 5 * screened.error + 1e-6
    # The same by full checks from the start: the same verdict.
    assert isthmus.connect(objective, *pair, check="sampled", **options).connected


def test_a_line_that_fails_is_refused_by_a_part_of_the_samples(pair):
    objective = objective_of()
    ends = [objective.evaluator_at(flat(model)).metric(1, "loss", np.inf)[0] for model in pair]
    options = {"threshold": 1.05 * max(ends), "max_total_steps": 0, "repair": "none"}
    screened = isthmus.connect(objective, *pair, **options)
    whole = isthmus.connect(objective, *pair, check="sampled", **options)
    assert screened.check == "screened" and not screened.connected and not whole.connected
    # Of a string that fails the whole grid is told in the end; a full look ends as early, after two batches of 512.
    assert screened.cost.forward_samples_checks <= whole.cost.forward_samples_checks


def test_estimated_looks_claim_no_target_that_all_samples_deny(pair):
    objective = objective_of()
    start = mlp(5)
    found = {}
    for looks in ("full", "estimated"):
        state, how = isthmus.train(objective, start, 0.05, batch_size=64, looks=looks, max_steps=4000)
        assert how["termination"] == "reached"
        model = mlp()
        model.load_state_dict(state)
        with torch.no_grad():
            value = float(F.cross_entropy(model(TEST[0]), TEST[1]))
        assert value <= 0.05 + 1e-6 and value == pytest.approx(how["value"], abs=1e-5)
        found[looks] = how
    default = isthmus.train(objective, start, 0.05, batch_size=64, max_steps=4000)[1]
    assert default == found["estimated"]
    assert found["estimated"]["forward_samples"] < found["full"]["forward_samples"]


def test_small_splits_are_looked_at_whole():
    small = isthmus.torch.Objective(mlp(), F.cross_entropy, blobs(seed=0), blobs(150, seed=1))
    path = isthmus.connect(small, mlp(1), mlp(2), threshold=9.0)
    assert path.check == "sampled"
