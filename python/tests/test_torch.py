# SPDX-License-Identifier: MIT
"""Models of PyTorch. The oracle is PyTorch itself: losses and gradients as the owner of the model computes them."""

from __future__ import annotations

import copy
import gc
import json
import weakref

import numpy as np
import pytest

import isthmus

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, Dataset, TensorDataset  # noqa: E402

torch.set_num_threads(1)


def blobs(count=240, seed=0, classes=3, features=4):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % classes
    centres = torch.eye(features)[:classes] * 2.0
    return centres[y] + 0.5 * torch.randn(count, features, generator=generator), y


def mlp(seed=0, hidden=8):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, hidden), nn.Tanh(), nn.Linear(hidden, 3))


def normed(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def trained(model, data, steps=150):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(data[0]), data[1]).backward()
        optimizer.step()
    return model


TRAIN, TEST = blobs(seed=0), blobs(count=150, seed=1)


@pytest.fixture(scope="module")
def pair():
    return trained(mlp(1), TRAIN), trained(mlp(2), TRAIN)


def objective_of(model=None, **options):
    return isthmus.torch.Objective(model or mlp(), **{"loss": F.cross_entropy, "train": TRAIN, "test": TEST, **options})


def flat(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters() if p.requires_grad]).numpy()


def test_ten_lines(pair, tmp_path):
    train_loader = DataLoader(TensorDataset(*TRAIN), batch_size=32, shuffle=True)
    test_loader = DataLoader(TensorDataset(*TEST), batch_size=64)
    model = mlp()
    objective = isthmus.torch.Objective(model, loss=F.cross_entropy, train=train_loader, test=test_loader)
    path = isthmus.connect(objective, *pair, threshold=0.05, metric="error_rate")
    assert path.connected and path.check == "screened"
    model.load_state_dict(path.state_dict(0.37))
    path.report(tmp_path / "report.html")
    path.save(tmp_path / "path.safetensors")
    # PyTorch alone, at 101 points a segment.
    for t in np.linspace(0, 1, 100 * (len(path) - 1) + 1):
        model.load_state_dict(path.state_dict(float(t)))
        with torch.no_grad():
            assert (model(TEST[0]).argmax(1) != TEST[1]).float().mean() <= 0.05


def test_the_loss_and_its_gradient_are_those_of_torch():
    objective = objective_of(normed().eval(), buffers="frozen")
    evaluator = objective.evaluator()
    model = normed(5).train()
    model[3].p = 0.0
    objective.model[3].p = 0.0
    evaluator = objective.evaluator()
    evaluator.theta[:] = flat(model)
    indices = np.array([3, 3, 17, 200, 9], np.uint32)
    value = evaluator.loss_and_gradient(indices, None)
    picked = indices.astype(np.int64)
    expected = F.cross_entropy(model(TRAIN[0][picked]), TRAIN[1][picked])
    expected.backward()
    assert value == pytest.approx(float(expected.detach()), rel=1e-6)
    gradient = torch.cat([p.grad.reshape(-1) for p in model.parameters()]).numpy()
    assert np.allclose(evaluator.gradient, gradient, rtol=1e-5, atol=1e-7)
    again = evaluator.gradient.copy()
    assert evaluator.loss_and_gradient(indices, None) == value and np.array_equal(again, evaluator.gradient)


def test_full_batches_are_the_mean_over_all_samples():
    objective = objective_of(look_batch=50)
    evaluator = objective.evaluator()
    model = mlp(3)
    evaluator.theta[:] = flat(model)
    value = evaluator.loss_and_gradient(None, None)
    expected = F.cross_entropy(model(TRAIN[0]), TRAIN[1])
    expected.backward()
    assert value == pytest.approx(float(expected.detach()), rel=1e-6)
    gradient = torch.cat([p.grad.reshape(-1) for p in model.parameters()]).numpy()
    assert np.allclose(evaluator.gradient, gradient, rtol=1e-5, atol=1e-7)


def test_metrics_are_those_of_torch_and_end_early_above_a_bound():
    objective = objective_of(look_batch=40, metrics={"confidence": lambda o, y: -o.softmax(1).amax(1)})
    evaluator = objective.evaluator()
    model = mlp(3).eval()
    evaluator.theta[:] = flat(model)
    with torch.no_grad():
        output = model(TEST[0])
    loss, samples, complete = evaluator.metric(1, "loss", float("inf"))
    assert (samples, complete) == (150, True)
    assert loss == pytest.approx(float(F.cross_entropy(output, TEST[1])), rel=1e-6)
    error = float((output.argmax(1) != TEST[1]).float().mean())
    assert evaluator.metric(1, "error_rate", 1.0) == (pytest.approx(error), 150, True)
    confidence = float(-output.softmax(1).amax(1).mean())
    assert evaluator.metric(1, "confidence", 0.0)[0] == pytest.approx(confidence, rel=1e-5)
    for name, bound in (("loss", loss / 10), ("error_rate", error / 10)):
        value, samples, complete = evaluator.metric(1, name, bound)
        assert value > bound and samples < 150 and not complete
    found = evaluator.margins(1, np.array([7, 3, 140], np.uint32), 2.0)
    for margin, i in zip(found[3], (7, 3, 140), strict=True):
        others = output[i].clone()
        others[TEST[1][i]] = -torch.inf
        assert margin == pytest.approx(float(output[i, TEST[1][i]] - others.max()), abs=1e-6)


def test_batch_norm_is_recomputed_over_the_training_data():
    a, b = trained(normed(1), TRAIN), trained(normed(2), TRAIN)
    objective = objective_of(normed(), look_batch=64)
    path = isthmus.connect(objective, a, b, threshold=0.2, metric="error_rate", max_rounds=6)
    assert path.cost.buffer_samples > 0
    for t in (0.0, 0.3, 1.0):
        state = path.state_dict(t)
        oracle = normed()
        oracle.load_state_dict(state)
        oracle.train()
        norm = oracle[1]
        with torch.no_grad():
            inner = oracle[0](TRAIN[0])
        # Means over batches of 64, 64, 64 and 48, weighted by their samples.
        pieces = inner.split(64)
        mean = sum(len(p) * p.mean(0) for p in pieces) / len(inner)
        variance = sum(len(p) * p.var(0) for p in pieces) / len(inner)
        assert torch.allclose(state["1.running_mean"], mean, atol=1e-5)
        assert torch.allclose(state["1.running_var"], variance, atol=1e-5)
        assert norm.training


@pytest.mark.parametrize("buffers", ["recompute", "frozen", "interpolate"])
def test_a_model_of_the_path_has_the_value_that_was_seen(buffers):
    a, b = trained(normed(1), TRAIN), trained(normed(2), TRAIN)
    frozen = copy.deepcopy(a)
    objective = objective_of(frozen, buffers=buffers)
    path = isthmus.connect(objective, a, b, threshold=5.0, points=11)
    places, values = path.profile()
    assert len(places) == 11
    model = normed()
    for t, value in zip(places, values, strict=True):
        model.load_state_dict(path.state_dict(float(t)))
        model.eval()
        with torch.no_grad():
            assert float(F.cross_entropy(model(TEST[0]), TEST[1])) == pytest.approx(value, abs=1e-5)
    if buffers == "interpolate":
        half = path.state_dict(0.5)["1.running_mean"]
        assert torch.allclose(half, (a[1].running_mean + b[1].running_mean) / 2, atol=1e-6)
    if buffers == "frozen":
        assert torch.equal(path.state_dict(0.5)["1.running_mean"], frozen[1].running_mean)


def test_a_path_keeps_what_belongs_to_its_end_points():
    a, b, c = (trained(normed(seed), TRAIN) for seed in (1, 2, 3))
    objective = objective_of(normed(), buffers="interpolate")
    path = isthmus.connect(objective, a, b, threshold=5.0)
    isthmus.connect(objective, a, c, threshold=5.0)
    assert torch.equal(path.state_dict(1.0)["1.running_mean"], b[1].running_mean)


def test_dropout_is_drawn_from_the_seed_in_training_and_off_in_looks():
    objective = objective_of(normed())
    assert objective.random
    evaluator = objective.evaluator()
    evaluator.theta[:] = flat(normed(3))
    indices = np.arange(50, dtype=np.uint32)
    before = torch.random.get_rng_state()
    first = evaluator.loss_and_gradient(indices, 5)
    assert first == evaluator.loss_and_gradient(indices, 5) != evaluator.loss_and_gradient(indices, 6)
    assert torch.equal(before, torch.random.get_rng_state())
    look = evaluator.metric(1, "loss", 9.0)
    assert look == evaluator.metric(1, "loss", 9.0) == objective.evaluator_at(evaluator.theta).metric(1, "loss", 9.0)
    assert not objective_of().random


def test_results_do_not_depend_on_threads_or_on_what_was_computed_before():
    a, b = trained(normed(1), TRAIN), trained(normed(2), TRAIN)
    options = {"threshold": 0.03, "metric": "error_rate", "max_rounds": 4, "batch_size": 64, "max_steps": 300,
               "always_insert": True}  # fmt: skip
    one = isthmus.connect(objective_of(normed()), a, b, **options)
    two = isthmus.connect(objective_of(normed()), a, b, threads=2, **options)
    assert len(one) > 2
    assert np.array_equal(one.beads, two.beads) and one.max_metric == two.max_metric


def test_the_model_of_the_user_stays_as_it_is(pair):
    model = normed(4).train()
    before = copy.deepcopy(model.state_dict())
    grads = [p.grad for p in model.parameters()]
    isthmus.connect(objective_of(model), normed(1), normed(2), threshold=9.0)
    assert model.training and all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [p.grad for p in model.parameters()] == grads


def test_tied_weights_are_one():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(11, 6)
            self.out = nn.Linear(6, 11)
            self.out.weight = self.embed.weight

        def forward(self, x):
            return self.out(torch.tanh(self.embed(x)))

    x = torch.randint(0, 11, (60,))
    torch.manual_seed(0)
    a, b = Tied(), Tied()
    objective = isthmus.torch.Objective(Tied(), F.cross_entropy, (x, (x + 1) % 11))
    assert objective.dimension == 11 * 6 + 11
    path = isthmus.connect(objective, a, b, threshold=9.0)
    state = path.state_dict(0.5)
    assert torch.equal(state["embed.weight"], state["out.weight"])
    Tied().load_state_dict(state)
    broken = a.state_dict()
    broken["out.weight"] = broken["out.weight"] + 1
    with pytest.raises(isthmus.UsageError, match=r"out.weight and embed.weight are one tied weight"):
        isthmus.connect(objective, broken, b, threshold=9.0)
    once = {name: tensor for name, tensor in a.state_dict().items() if name != "out.weight"}
    isthmus.connect(objective, once, b, threshold=9.0)


def test_frozen_parameters_are_no_coordinates(pair):
    model = mlp()
    model[0].requires_grad_(False)
    objective = objective_of(model)
    assert objective.dimension == 8 * 3 + 3
    with pytest.raises(isthmus.UsageError, match=r"0.weight: a parameter that is not trained.*requires_grad=True"):
        isthmus.connect(objective, *pair, threshold=1.0)
    other = copy.deepcopy(pair[0])
    with torch.no_grad():
        other[2].weight.mul_(1.1)
    path = isthmus.connect(objective, pair[0], other, threshold=1.0)
    assert torch.equal(path.state_dict(0.5)["0.weight"], pair[0][0].weight)


def test_models_in_double_come_back_in_double(pair):
    model = mlp().double()
    data = (TRAIN[0].double(), TRAIN[1])
    objective = isthmus.torch.Objective(model, F.cross_entropy, data)
    path = isthmus.connect(objective, *pair, threshold=1.0)
    state = path.state_dict(0.25)
    assert state["0.weight"].dtype == torch.float64
    model.load_state_dict(state)


def test_losses_of_every_form():
    for loss in (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1), lambda o, y: F.cross_entropy(o, y)):
        objective = objective_of(loss=loss)
        evaluator = objective.evaluator()
        model = mlp(3)
        evaluator.theta[:] = flat(model)
        expected = float(loss(model(TEST[0]), TEST[1]).detach())
        assert evaluator.metric(1, "loss", 99.0)[0] == pytest.approx(expected, rel=1e-5)
    weighted = objective_of(loss=nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0])))
    assert not weighted.per_sample and not weighted.never_negative
    assert objective_of().per_sample and objective_of().never_negative


def test_dicts_tuples_and_single_tensors():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()

        def forward(self, features):
            return self.net(features)

    samples = [{"features": x, "labels": y} for x, y in zip(*TRAIN, strict=True)]
    objective = isthmus.torch.Objective(Named(), F.cross_entropy, DataLoader(samples, batch_size=30))
    assert objective.samples == (240, 240) and objective.has_margins
    torch.manual_seed(0)
    encoder = nn.Linear(4, 4)
    auto = isthmus.torch.Objective(encoder, F.mse_loss, TRAIN[0])
    assert auto.evaluator().metric(0, "loss", 99.0)[2] and not auto.has_margins
    twice = isthmus.torch.Objective(nn.Bilinear(4, 4, 3), F.cross_entropy, (TRAIN[0], TRAIN[0], TRAIN[1]))
    assert twice.has_margins
    scaled = objective_of(forward=lambda model, batch: model(batch[0] * 2))
    evaluator = scaled.evaluator()
    model = mlp(3)
    evaluator.theta[:] = flat(model)
    expected = float(F.cross_entropy(model(TEST[0] * 2), TEST[1]))
    assert evaluator.metric(1, "loss", 99.0)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"loss": lambda o, y: (o - y[:, None]).mean(1)}, r"got a tensor of shape \(32,\).*reduction='mean'"),
        ({"loss": lambda o, y: 0.5}, "expected a tensor of one number for a batch, got float"),
        ({"loss": lambda o, y: (y * 1.0).mean()}, "does not depend on the model's parameters"),
        ({"loss": "cross_entropy"}, "loss: expected a function"),
        ({"model": mlp().requires_grad_(False)}, "no parameter that is trained"),
        ({"model": "mlp"}, "model: expected a torch.nn.Module"),
        ({"buffers": "none"}, "buffers: expected recompute, frozen or interpolate"),
        ({"buffer_samples": 1}, "buffer_samples: expected 2 to 240"),
        ({"look_batch": 0}, "look_batch"),
        ({"train": (TRAIN[0], TRAIN[1][:5])}, "train: expected tensors of as many samples each"),
        ({"train": 3}, "train: expected a DataLoader, a Dataset or tensors"),
        ({"train": [(["x"], 1)]}, "train: expected batches that are tensors"),
        ({"test": (b for b in [TEST])}, "test: a second look gives other batches"),
        ({"test": DataLoader(TensorDataset(*TEST), batch_size=10, shuffle=True)}, "test: a second look.*shuffle=False"),
        ({"metrics": {"loss": F.cross_entropy}}, "metrics: 'loss' is there already"),
    ],
)
def test_what_does_not_fit_is_refused(options, text):
    with pytest.raises(isthmus.UsageError, match=text):
        objective_of(**options)


def test_data_that_draw_numbers_are_refused():
    class Noisy(Dataset):
        def __len__(self):
            return 20

        def __getitem__(self, i):
            return torch.randn(4), i % 3

    class Shuffled:
        def __iter__(self):
            order = torch.randperm(150)
            return iter([(TEST[0][order], TEST[1][order])])

    with pytest.raises(isthmus.UsageError, match="two looks at sample 0 differ"):
        objective_of(train=Noisy())
    with pytest.raises(isthmus.UsageError, match="test: a second look gives other batches"):
        objective_of(test=Shuffled())
    assert objective_of(train=Shuffled()).samples == (150, 150)


def test_end_points_of_another_architecture_are_listed(pair):
    with pytest.raises(isthmus.UsageError) as caught:
        isthmus.connect(objective_of(), pair[0], mlp(hidden=5), threshold=0.1)
    wrong = ("0.weight has the shape (5, 4), not (8, 4)", "2.weight has the shape (3, 5), not (3, 8)")
    for part in ("end point B", *wrong):
        assert part in str(caught.value)
    with pytest.raises(isthmus.UsageError, match=r"4.weight \(1, 3\) is not the model's"):
        isthmus.connect(objective_of(), nn.Sequential(*mlp(), nn.ReLU(), nn.Linear(3, 1)), pair[1], threshold=0.1)


def test_a_loss_that_is_nan_is_refused(pair):
    broken = copy.deepcopy(pair[0])
    with torch.no_grad():
        broken[2].bias[0] = 1e38
        broken[2].weight.mul_(1e38)
    with pytest.raises(isthmus.UsageError, match="end point A: its loss is not a number"):
        isthmus.connect(objective_of(loss=lambda o, y: (o - o.max()).mean() * float("nan")), *pair, threshold=0.1)
    with torch.no_grad():
        broken[2].bias[0] = torch.nan
    with pytest.raises(isthmus.UsageError, match="end point A: expected finite numbers, 1 are not"):
        isthmus.connect(objective_of(), broken, pair[1], threshold=0.1)


def test_end_points_in_every_form(pair, tmp_path):
    saver = pytest.importorskip("safetensors.torch")
    a, b = pair
    torch.save(b.state_dict(), tmp_path / "b.pt")
    saver.save_file({f"module.{name}": tensor for name, tensor in a.state_dict().items()}, tmp_path / "a.safetensors")
    expected = isthmus.connect(objective_of(), a, b, threshold=0.5)
    other = isthmus.connect(objective_of(), str(tmp_path / "a.safetensors"), tmp_path / "b.pt", threshold=0.5)
    assert np.array_equal(expected.beads, other.beads) and "module." in other.notes[0] and other.notes[0] in str(other)
    vectors = isthmus.connect(objective_of(), flat(a), flat(b), threshold=0.5)
    assert np.array_equal(expected.beads, vectors.beads)


def test_names_say_which_tensor_is_which(pair, tmp_path):
    a, b = pair
    ours = list(a.state_dict())
    said = {f"tensor_{k}": name for k, name in enumerate(reversed(ours))}
    theirs = {called: a.state_dict()[name] for called, name in said.items()}
    expected = isthmus.connect(objective_of(), a, b, threshold=0.5)
    (tmp_path / "names.json").write_text(json.dumps(said))
    for names in (said, tmp_path / "names.json"):
        found = isthmus.connect(objective_of(), theirs, b, threshold=0.5, names=names)
        assert np.array_equal(found.beads, expected.beads)
        assert any("end point B" in note and "own names" in note for note in found.notes)
    with pytest.raises(isthmus.UsageError, match=r"end point A has no tensor tensor_9"):
        isthmus.connect(objective_of(), theirs, b, threshold=0.5, names={**said, "tensor_9": ours[0]})
    # Buffers are named as well, or come from the model.
    normed_a, normed_b = trained(normed(1), TRAIN), trained(normed(2), TRAIN)
    said = {f"t{k}": name for k, name in enumerate(normed_a.state_dict())}
    theirs = {called: normed_a.state_dict()[name] for called, name in said.items()}
    found = isthmus.connect(objective_of(normed()), theirs, normed_b, threshold=5.0, names=said)
    assert np.array_equal(found.beads[0], flat(normed_a))
    with pytest.raises(isthmus.UsageError, match="names: flat vectors have none"):
        isthmus.connect(isthmus.Callable(lambda x: (0.0, x), 2), [0, 1], [1, 0], threshold=1.0, names={"a": "b"})


def test_a_path_is_written_and_goes_on_with_its_objective(pair, tmp_path):
    path = isthmus.connect(objective_of(), *pair, threshold=0.4, metric="loss")
    path.save(tmp_path / "p.safetensors")
    again = isthmus.load_path(tmp_path / "p.safetensors", objective_of())
    assert torch.equal(again.state_dict(0.4)["0.weight"], path.state_dict(0.4)["0.weight"])
    isthmus.export(tmp_path / "p.safetensors", t=0.4, out=tmp_path / "c.safetensors")  # the command knows it too
    exported = isthmus.checkpoints.load(tmp_path / "c.safetensors")
    assert all(np.array_equal(exported[name], tensor) for name, tensor in path.state_dict(0.4).items())
    assert again.verify(points=11).max_metric == path.verify(points=11).max_metric
    with pytest.raises(isthmus.UsageError, match="its tensors are not those of the objective"):
        isthmus.load_path(tmp_path / "p.safetensors", objective_of(mlp(hidden=5)))


def test_objectives_are_let_go(pair):
    objective = objective_of()
    gone = weakref.ref(objective)
    path = isthmus.connect(objective, *pair, threshold=0.5, threads=2)
    del objective, path
    gc.collect()
    assert gone() is None


def test_a_raising_model_arrives_with_its_traceback(pair):
    class Broken(nn.Sequential):
        calls = 0

        def forward(self, x):
            Broken.calls += 1
            if Broken.calls > 12:
                raise ArithmeticError("in forward")
            return super().forward(x)

    with pytest.raises(ArithmeticError, match="in forward"):
        isthmus.connect(objective_of(Broken(*mlp())), *pair, threshold=0.001)


def test_the_gradient_agrees_with_differences():
    rows = isthmus.check_gradient(objective_of(), mlp(3))
    assert sum(row["failed"] for row in rows) == 0 and sum(row["checked"] for row in rows) > 20
