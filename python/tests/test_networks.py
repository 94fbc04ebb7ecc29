# SPDX-License-Identifier: MIT
"""The networks of the tasks, with all of their layers: what isthmus says of a place on a path is what PyTorch computes
with the network that is exported there."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

import isthmus
from isthmus.checkpoints import read_safetensors, write_safetensors

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(1)


def write_idx(file, values):
    header = bytes([0, 0, 8, values.ndim]) + b"".join(extent.to_bytes(4, "big") for extent in values.shape)
    file.write_bytes(header + values.astype(np.uint8).tobytes())


def write_images(folder, shape):
    """Images of noise with ten labels, under MNIST's names; the test images as PyTorch takes them."""
    folder.mkdir(parents=True)
    for name, count in (("train", 100), ("t10k", 60)):
        images = np.random.default_rng(count).integers(0, 256, (count, *shape))
        labels = np.arange(count) % 10
        write_idx(folder / f"{name}-images-idx3-ubyte", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels)
    inputs = torch.from_numpy(images.astype(np.float32) / np.float32(255)).reshape(len(images), -1, *shape[-2:])
    return inputs, torch.from_numpy(labels)


def compare(tmp_path, make, arguments, loss, layers=None):
    """Two networks from two seeds, joined by a line, looked at by isthmus and by PyTorch."""
    if layers is not None:
        (tmp_path / "net.json").write_text(json.dumps(layers))
    for seed, name in ((1, "A"), (2, "B")):
        torch.manual_seed(seed)
        state = {name: tensor.numpy() for name, tensor in make().state_dict().items()}
        for tensor in (n for n in state if "bias_hh" in n):
            state[tensor] = np.zeros_like(state[tensor])  # of an lstm's two biases isthmus has the sum
        write_safetensors(tmp_path / f"{name}.safetensors", state)
    ends = ["--from", str(tmp_path / "A.safetensors"), "--to", str(tmp_path / "B.safetensors")]
    out = tmp_path / "run"
    isthmus.command("connect", *arguments, *ends, "--data", str(tmp_path), "--threshold", "1000", "--out", str(out))
    file = isthmus.read_run(out).path_file(1000)
    seen = isthmus.verify(file, points=5, metric="cross_entropy", data=tmp_path)
    assert len(seen.segments) == 1 and len(seen.segments[0].values) == 5
    model = make()
    for k, value in enumerate(seen.segments[0].values):
        isthmus.export(file, t=k / 4, out=tmp_path / "C.safetensors")
        tensors, _ = read_safetensors(tmp_path / "C.safetensors")
        model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
        model.eval()
        with torch.no_grad():
            assert value == pytest.approx(float(loss(model)), abs=1e-5)


def test_the_convnet_of_mnist(tmp_path):
    x, y = write_images(tmp_path / "mnist", (28, 28))

    def make():
        return nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 1024), nn.ReLU(), nn.Dropout(), nn.Linear(1024, 10),
        )  # fmt: skip

    compare(tmp_path, make, ["mnist", "--metric", "cross_entropy"], lambda model: F.cross_entropy(model(x), y))


class PoolSame(nn.Module):
    """A maximum over 3 x 3 at every second place; the odd row and column of padding lie at the end."""

    def forward(self, x):
        return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2)


def test_the_network_of_cifar10_with_response_norms(tmp_path):
    x, y = write_images(tmp_path / "tiny", (3, 24, 24))
    norm = {"type": "local_response_norm", "size": 9, "alpha": 0.001, "beta": 0.75, "k": 1.0}
    conv = {"type": "conv2d", "out_channels": 64, "kernel": 5, "padding": "same"}
    pool = {"type": "max_pool2d", "kernel": 3, "stride": 2, "padding": "same"}
    relu = {"type": "relu"}
    dense = [{"type": "linear", "out_features": n} for n in (384, 192, 10)]
    layers = [conv, relu, pool, norm, conv, relu, norm, pool, {"type": "flatten"},
              dense[0], relu, dense[1], relu, dense[2]]  # fmt: skip

    def make():
        def response_norm():
            return nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)

        return nn.Sequential(
            nn.Conv2d(3, 64, 5, padding=2), nn.ReLU(), PoolSame(), response_norm(), nn.Conv2d(64, 64, 5, padding=2),
            nn.ReLU(), response_norm(), PoolSame(), nn.Flatten(), nn.Linear(2304, 384), nn.ReLU(),
            nn.Linear(384, 192), nn.ReLU(), nn.Linear(192, 10),
        )  # fmt: skip

    arguments = ["--network", str(tmp_path / "net.json"), "--dataset", "tiny", "--metric", "cross_entropy"]
    compare(tmp_path, make, arguments, lambda model: F.cross_entropy(model(x), y),
            {"input": [3, 24, 24], "layers": layers})  # fmt: skip


def write_texts(folder, streams):
    """Three texts of 29 words and sentence ends; the test text as PyTorch reads it, (streams, length)."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    words = {}
    for name, count in (("train", 2000), ("valid", 900), ("test", 900)):
        drawn = [f"w{i:02}" for i in [*range(29), *rng.integers(0, 29, count)]]
        lines = [" " + " ".join(drawn[i : i + 9]) + " \n" for i in range(0, len(drawn), 9)]
        (folder / f"ptb.{name}.txt").write_text("".join(lines))
        words[name] = "".join(lines).replace("\n", "<eos>").split()
    counts = Counter(words["train"])
    numbers = {word: i for i, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word)))}
    tokens = [numbers[word] for word in words["test"]]
    length = len(tokens) // streams
    return torch.tensor(tokens[: streams * length]).reshape(streams, length), len(numbers)


class Words(nn.Sequential):
    """Two lstms over whole streams."""

    def forward(self, x):
        y = self[0](x)
        for lstm in (self[1], self[2]):
            y = lstm(y)[0]
        return self[3](y)


def test_the_lstms_of_ptb(tmp_path):
    streams, window = 20, 20
    text, vocabulary = write_texts(tmp_path / "ptb", streams)
    steps = (text.shape[1] - 1) // window * window

    def make():
        lstms = [nn.LSTM(24, 24, batch_first=True) for _ in range(2)]
        return Words(nn.Embedding(vocabulary, 24), *lstms, nn.Linear(24, vocabulary))

    def loss(model):
        return F.cross_entropy(model(text[:, :steps]).reshape(-1, vocabulary), text[:, 1 : steps + 1].reshape(-1))

    layers = [{"type": "embedding", "tokens": vocabulary, "features": 24}, {"type": "lstm", "features": 24},
              {"type": "lstm", "features": 24}, {"type": "linear", "out_features": vocabulary}]  # fmt: skip
    arguments = ["--network", str(tmp_path / "net.json"), "--dataset", "ptb", "--metric", "perplexity"]
    compare(tmp_path, make, arguments, loss, {"input": [1], "layers": layers})
