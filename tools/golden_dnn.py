#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/dnn.json: outputs, losses and gradients of small networks of every layer kind,
computed by PyTorch in double precision on inputs that are rounded to float32.

    python3 tools/golden_dnn.py [tests/golden/dnn.json]

PyTorch has no padding "same" with its strides, nor an average that leaves out the padding, in the form
used here, so both are written out: zeros (or minus infinity) are put around the image explicitly, an
odd total with its larger part at the end. A padding in numbers is PyTorch's own.
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F

DIGITS = 9  # enough to name every float32


def same_padding(size, kernel, stride):
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def own_padding(layer):
    """PyTorch's padding argument: none beside "same", which is written out."""
    return 0 if isinstance(layer["padding"], str) else layer["padding"]


def padded(x, layer, value):
    if layer["padding"] != "same":
        return x
    kernel, stride = layer["kernel"], layer["stride"]
    top, bottom = same_padding(x.shape[2], kernel, stride)
    left, right = same_padding(x.shape[3], kernel, stride)
    return F.pad(x, (left, right, top, bottom), value=value)


def apply(layer, x, parameters):
    kind = layer["type"]
    if kind == "linear":
        return F.linear(x, parameters["weight"], parameters.get("bias"))
    if kind == "conv2d":
        return F.conv2d(padded(x, layer, 0.0), parameters["weight"], parameters.get("bias"), layer["stride"],
                        own_padding(layer))
    if kind == "max_pool2d":
        return F.max_pool2d(padded(x, layer, -torch.inf), layer["kernel"], layer["stride"], own_padding(layer))
    if kind == "avg_pool2d":
        if layer["padding"] != "same":
            return F.avg_pool2d(x, layer["kernel"], layer["stride"], own_padding(layer),
                                count_include_pad=layer.get("count_include_pad", True))
        sums = F.avg_pool2d(padded(x, layer, 0.0), layer["kernel"], layer["stride"])
        counts = F.avg_pool2d(padded(torch.ones_like(x), layer, 0.0), layer["kernel"], layer["stride"])
        return sums / counts
    if kind == "flatten":
        return x.flatten(1)
    if kind == "softmax":
        return torch.softmax(x, 1)
    if kind == "local_response_norm":
        return F.local_response_norm(x, layer["size"], layer["alpha"], layer["beta"], layer["k"])
    if kind == "embedding":
        return F.embedding(x.long()[:, 0], parameters["weight"])
    return {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}[kind](x)


def run_lstm(layer, x, parameters, streams, state):
    """x (time * streams, in) -> (time * streams, features); the state is (h, c), each (streams, features)."""
    width = layer["features"]
    lstm = torch.nn.LSTM(x.shape[1], width).double()
    own = {"weight_ih_l0": parameters["weight_ih_l0"], "weight_hh_l0": parameters["weight_hh_l0"],
           "bias_ih_l0": parameters["bias_ih_l0"],
           "bias_hh_l0": torch.zeros(4 * width, dtype=torch.float64)}
    sequence = x.reshape(-1, streams, x.shape[1])
    outputs, last = torch.func.functional_call(lstm, own, (sequence, tuple(part[None] for part in state)))
    return outputs.reshape(-1, width), [part[0] for part in last]


def linear(out_features, bias=True, tied=False):
    layer = {"type": "linear", "out_features": out_features, "bias": bias}
    return {**layer, "tied": True} if tied else layer


def lstm(features):
    return {"type": "lstm", "features": features}


def embedding(tokens, features):
    return {"type": "embedding", "tokens": tokens, "features": features}


def norm(size, alpha, beta, k):
    return {"type": "local_response_norm", "size": size, "alpha": alpha, "beta": beta, "k": k}


def conv(out_channels, kernel, stride=1, padding="valid", bias=True):
    return {"type": "conv2d", "out_channels": out_channels, "kernel": kernel, "stride": stride,
            "padding": padding, "bias": bias}


def pool(kind, kernel, stride, padding="valid", **fields):
    return {"type": kind + "_pool2d", "kernel": kernel, "stride": stride, "padding": padding, **fields}


RELU, SIGMOID, TANH, SOFTMAX, FLATTEN = ({"type": t} for t in ("relu", "sigmoid", "tanh", "softmax", "flatten"))

CASES = [
    ("dense_relu", [7], [linear(9), RELU, linear(4)], 5, "cross_entropy"),
    ("dense_sigmoid_without_bias", [3], [linear(6, False), SIGMOID, linear(2, False), SIGMOID], 6, "absolute"),
    ("dense_tanh", [3], [linear(20), TANH, linear(3)], 4, "squared"),
    ("double_softmax", [5], [linear(8), RELU, linear(4), SOFTMAX], 5, "cross_entropy"),
    ("softmax_squared", [5], [linear(4), SOFTMAX, linear(3), SOFTMAX], 3, "squared"),
    ("mnist_in_small", [1, 9, 9],
     [conv(4, 5, 1, "same"), RELU, pool("max", 2, 2, "same"), conv(6, 3, 1, "same"), RELU, pool("max", 2, 2),
      FLATTEN, linear(8), RELU, linear(3)], 3, "cross_entropy"),
    ("even_kernel_same", [2, 5, 6], [conv(3, 4, 1, "same"), TANH, conv(2, 2, 1, "same"), FLATTEN, linear(2)], 2,
     "squared"),
    ("strided_same", [3, 7, 8], [conv(17, 3, 2, "same"), SIGMOID, conv(5, 2, 3, "same", False), FLATTEN], 2,
     "squared"),
    ("strided_valid", [2, 9, 8], [conv(16, 3, 2), RELU, conv(5, 2, 1), RELU, FLATTEN, linear(3)], 3,
     "cross_entropy"),
    ("kernel_below_stride_same", [2, 7, 7], [conv(4, 1, 3, "same"), RELU, FLATTEN, linear(3)], 2, "cross_entropy"),
    ("winograd_sized", [16, 6, 6], [conv(16, 3, 1, "same"), RELU, FLATTEN, linear(3)], 2,
     "cross_entropy"),
    ("average_pool_same", [2, 7, 6], [conv(5, 3, 1, "same"), RELU, pool("avg", 3, 2, "same"), conv(4, 2), TANH,
                                      pool("avg", 2, 1), FLATTEN, linear(3)], 3, "cross_entropy"),
    ("overlapping_max_pool", [2, 8, 8], [conv(18, 3), TANH, pool("max", 3, 2, "same"), conv(3, 2), RELU,
                                         pool("max", 2, 1), FLATTEN, linear(3)], 2, "absolute"),
    ("activation_behind_pool", [1, 6, 6], [conv(4, 3), pool("max", 2, 2), TANH, conv(3, 2), pool("avg", 1, 1),
                                           RELU, FLATTEN], 4, "squared"),
    ("pool_first", [3, 6, 6], [pool("max", 2, 2), RELU, pool("avg", 2, 1, "same"), conv(4, 2), RELU, FLATTEN,
                               linear(2)], 2, "cross_entropy"),
    ("one_sample", [1, 5, 5], [conv(2, 3), RELU, FLATTEN, linear(2)], 1, "cross_entropy"),
    ("cifar_in_small", [3, 9, 9],
     [conv(16, 5, 1, "same"), RELU, pool("max", 3, 2, "same"), norm(9, 0.3, 0.75, 1.0), conv(16, 5, 1, "same"),
      RELU, norm(9, 0.3, 0.75, 1.0), pool("max", 3, 2, "same"), FLATTEN, linear(6), RELU, linear(3)], 3,
     "cross_entropy"),
    ("norm_of_few_channels", [2, 4, 5], [conv(5, 2), TANH, norm(3, 1.5, 0.6, 2.0), FLATTEN, linear(2)], 2,
     "squared"),
    ("lstm", [3], [lstm(5), linear(2)], 12, "squared", {"streams": 3}),
    ("lstm_going_on", [3], [lstm(4), lstm(6), linear(4)], 10, "cross_entropy", {"streams": 2, "state": True}),
    ("language_model", [1], [embedding(7, 4), lstm(5), lstm(4), linear(7)], 12, "cross_entropy",
     {"streams": 4, "state": True}),
    ("tied_language_model", [1], [embedding(6, 5), lstm(5), linear(6, True, True)], 9, "cross_entropy",
     {"streams": 3, "state": True}),
    ("padding_in_numbers", [3, 7, 8], [conv(17, 3, 2, 1), RELU, pool("max", 3, 2, 1), conv(5, 2, 3, [0, 2], False), FLATTEN],
     2, "squared"),
    ("padding_beyond_the_kernel", [2, 4, 5], [conv(4, 2, 2, [3, 1]), TANH, conv(3, 1, 1, 1), FLATTEN, linear(2)], 2,
     "cross_entropy"),
    ("averages_over_padding", [2, 7, 6], [conv(16, 3, 1, [2, 1]), TANH, pool("avg", 3, 2, 1), pool("avg", 4, 1, [2, 1]),
                                          FLATTEN, linear(3)], 3, "cross_entropy"),
    ("averages_beside_padding", [2, 6, 7], [pool("avg", 3, 2, [1, 0], count_include_pad=False), conv(4, 2), RELU,
                                            pool("max", 2, 1, [0, 1]), FLATTEN, linear(3)], 2, "squared"),
]


def rounded(shape, generator, scale=1.0):
    values = scale * torch.randn(shape, generator=generator)
    return values.to(torch.float32).to(torch.float64)


def numbers(tensor):
    return [float(f"{v:.{DIGITS}g}") for v in tensor.detach().flatten().tolist()]


def draw_parameters(layer, inputs, generator):
    """The tensors of a layer whose input has `inputs` features or channels, by name."""
    if layer["type"] == "lstm":
        width = layer["features"]
        shapes = {"weight_ih_l0": [4 * width, inputs], "weight_hh_l0": [4 * width, width], "bias_ih_l0": [4 * width]}
    elif layer["type"] == "embedding":
        shapes = {"weight": [layer["tokens"], layer["features"]]}
    elif layer["type"] == "linear":
        shapes = {} if layer.get("tied") else {"weight": [layer["out_features"], inputs]}
        shapes |= {"bias": [layer["out_features"]]} if layer["bias"] else {}
    elif layer["type"] == "conv2d":
        k, out = layer["kernel"], layer["out_channels"]
        shapes = {"weight": [out, inputs, k, k]} | ({"bias": [out]} if layer["bias"] else {})
    else:
        shapes = {}
    return {name: rounded(shape, generator, 0.4).requires_grad_() for name, shape in shapes.items()}


def run(index, name, shape, layers, count, loss_name, sequences=None):
    generator = torch.Generator().manual_seed(1000 + index)
    x = rounded([count] + shape, generator)
    if layers[0]["type"] == "embedding":
        x = torch.randint(0, layers[0]["tokens"], (count, 1), generator=generator).double()
    streams = (sequences or {}).get("streams", 1)
    first_state, last_state = [], []
    h = x
    parameters = []
    for i, layer in enumerate(layers):
        own = draw_parameters(layer, h.shape[1], generator)
        parameters += [(f"{i}.{key}", value) for key, value in own.items()]
        if layer.get("tied"):
            own["weight"] = dict(parameters)["0.weight"]
        if layer["type"] == "lstm":
            scale = 0.5 if (sequences or {}).get("state") else 0.0
            state = [rounded([streams, layer["features"]], generator, scale) for _ in "hc"]
            first_state += state
            h, last = run_lstm(layer, h, own, streams, state)
            last_state += last
        else:
            h = apply(layer, h, own)
    record = {"name": name, "network": {"input": shape, "layers": layers}, "count": count, "loss_name": loss_name,
              "inputs": numbers(x)}
    if sequences:
        record["streams"] = streams
        record["state"] = [v for part in first_state for v in numbers(part)]
        record["last_state"] = [v for part in last_state for v in numbers(part)]
    outputs = h
    if loss_name == "cross_entropy":
        labels = torch.randint(0, outputs.shape[1], (count,), generator=generator)
        loss = F.cross_entropy(outputs, labels)
        record["labels"] = labels.tolist()
    else:
        targets = rounded(outputs.shape, generator)
        loss = (F.l1_loss if loss_name == "absolute" else F.mse_loss)(outputs, targets)
        record["targets"] = numbers(targets)
    loss.backward()
    record["parameters"] = {key: numbers(value) for key, value in parameters}
    record["outputs"] = numbers(outputs)
    record["loss"] = loss.item()
    record["gradients"] = {key: numbers(value.grad) for key, value in parameters}
    return record


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "dnn.json"
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    cases = [run(i, *case) for i, case in enumerate(CASES)]
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text(f'{{"made_by": "tools/golden_dnn.py", "torch": "{torch.__version__}", "cases": [\n{text}\n]}}\n')
    print(f"{path}: {len(cases)} networks, {path.stat().st_size} bytes, PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
