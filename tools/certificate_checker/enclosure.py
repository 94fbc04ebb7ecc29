# SPDX-License-Identifier: MIT
"""Networks along a segment of weights: values at a point, and how far they are from their chords on an interval."""
import math
import operator

from .arithmetic import ACTIVATIONS, BITS, ONE, relu, slope_range
from .inputs import exact_integers, field, malformed, usage

class Layer:
    """`kind` is linear or that of an activation; a linear one has rows * columns weights from `weight` of theta on,
    and rows biases from `bias` on unless it is None."""

    def __init__(self, kind, rows=0, columns=0, weight=0, bias=None):
        self.kind, self.rows, self.columns, self.weight, self.bias = kind, rows, columns, weight, bias


def layers_of(network, samples, metric):
    """The layers that compute, the first one linear, and the layout of theta as a path file states it."""
    shape = field(network, "input", list, "network")
    if not all(type(n) is int for n in shape) or math.prod(shape) != samples.features:
        raise malformed(f"network: its input is {shape}, a sample has {samples.features} numbers")
    width, layers, layout, size = samples.features, [], [], 0

    def add(name, tensor_shape, role):
        nonlocal size
        layout.append({"name": name, "offset": size, "shape": tensor_shape, "role": role})
        size += math.prod(tensor_shape)
        return layout[-1]["offset"]

    for index, record in enumerate(field(network, "layers", list, "network")):
        kind = field(record, "type", str, f"network: layer {index}")
        if kind in ("flatten", "dropout"):
            continue
        if kind in ACTIVATIONS and layers:
            layers.append(Layer(kind, width))
        elif kind == "linear":
            rows = field(record, "out_features", int, f"network: layer {index}")
            if rows < 1:
                raise malformed(f"network: layer {index}: out_features: expected at least 1")
            weight = add(f"{index}.weight", [rows, width], "weight")
            bias = add(f"{index}.bias", [rows], "bias") if record.get("bias", True) else None
            layers.append(Layer(kind, rows, width, weight, bias))
            width = rows
        else:
            what = "an activation before the first dense layer" if kind in ACTIVATIONS else f"the layer '{kind}'"
            raise usage(f"{what} (layer {index}) is not covered: only dense layers, then relu, sigmoid and tanh")
    if not layers:
        raise usage("a network without a dense layer is not covered")
    if width != samples.outputs:
        raise malformed(f"network: it has {width} outputs, the data have {samples.outputs}")
    if (metric in ("cross_entropy", "error_rate")) != (samples.labels is not None):
        raise malformed(f"metric {metric} cannot be computed on these data")
    return layers, layout


def dot(a, b):
    return sum(map(operator.mul, a, b))


class Point:
    """The weights at t = k / 2^level of a segment: exact integers in units of 2^-shift. `radii` bounds, for each
    layer, how far (in ulps) Segment.values is from the real values. `linear` maps a layer's place to rows
    [(weights, bias in units of 2^-(shift + BITS))]."""

    def __init__(self, segment, t):
        self.level = t.denominator.bit_length() - 1
        self.right = t.numerator
        self.left = t.denominator - t.numerator
        self.shift = segment.bits + self.level
        self.linear, self.radii = {}, [2]  # of the first layer: two roundings at its ends, one between
        for place, layer in enumerate(segment.layers[1:], 1):
            radius = self.radii[-1]
            if layer.kind == "linear":
                rows = [
                    ([a * self.left + b * self.right for a, b in zip(*weights)],
                     (bias[0] * self.left + bias[1] * self.right) << BITS)
                    for weights, bias in segment.rows(layer)
                ]
                norm = max(sum(map(abs, weights)) for weights, _ in rows)
                self.linear[place] = rows
                self.radii.append((radius * norm >> self.shift) + 2)
            else:
                _, error, shrink = ACTIVATIONS[layer.kind]
                self.radii.append((radius >> shrink) + error + (1 if shrink else 0))


class Change:
    """What a linear layer needs over [left, right], s from 0 to 1, all in units of 2^-shift: rows of
    (2 dW, W0 + W1), of their magnitudes (|dW|, |W0 + W1|), and 4 db."""

    def __init__(self, left, right):
        self.left, self.right = left, right
        self.shift = max(left.shift, right.shift)
        scale0, scale1 = 1 << (self.shift - left.shift), 1 << (self.shift - right.shift)
        self.linear = {}
        for place, rows0 in left.linear.items():
            self.linear[place] = rows = []
            for (weights0, bias0), (weights1, bias1) in zip(rows0, right.linear[place]):
                change = [w1 * scale1 - w0 * scale0 for w0, w1 in zip(weights0, weights1)]
                sums = [w1 * scale1 + w0 * scale0 for w0, w1 in zip(weights0, weights1)]
                rows.append(([2 * d for d in change] + sums, list(map(abs, change + sums)),
                             4 * (bias1 * scale1 - bias0 * scale0)))


class Segment:
    """The networks (1 - t) a + t b, 0 <= t <= 1, of two beads (P floats each) on N samples: lists of integers in units
    of 2^-input_bits."""

    def __init__(self, layers, a, b, inputs, input_bits):
        self.layers, self.input_bits = layers, input_bits
        both, self.bits = exact_integers(a + b)
        self.a, self.b = both[: len(a)], both[len(a) :]
        first = list(self.rows(layers[0]))
        self.first = [[self._first_values(first, x, end) for end in (0, 1)] for x in inputs]

    def rows(self, layer):
        """For each row ((weights at a, at b), (bias at a, at b))."""
        for row in range(layer.rows):
            weights = slice(layer.weight + row * layer.columns, layer.weight + (row + 1) * layer.columns)
            bias = (0, 0) if layer.bias is None else (self.a[layer.bias + row], self.b[layer.bias + row])
            yield (self.a[weights], self.b[weights]), bias

    def _first_values(self, rows, x, end):
        """Outputs of the first layer at an end, rounded down to ulps."""
        bits = self.input_bits
        return [((dot(w[end], x) + (bias[end] << bits)) << BITS) >> (self.bits + bits) for w, bias in rows]

    def values(self, sample, point):
        """What each layer puts out at a point, off by at most point.radii. The first layer is affine in t."""
        value = [(a * point.left + b * point.right) >> point.level for a, b in zip(*self.first[sample])]
        outputs = [value]
        for place, layer in enumerate(self.layers[1:], 1):
            if layer.kind == "linear":
                value = [(dot(weights, value) + bias) >> point.shift for weights, bias in point.linear[place]]
            else:
                value = list(map(ACTIVATIONS[layer.kind][0], value))
            outputs.append(value)
        return outputs

    def widths(self, change, values0, values1):
        """For each output z a number E with |z(s) - chord(s)| <= s (1 - s) E for 0 <= s <= 1 over the interval of
        `change`: the width of a range of dz/ds. Each unit has such a range [lower, upper] of its derivative, and
        a range [low, high] of its value from the lemma, since s (1 - s) <= 1/4."""
        lower = [z1 - z0 - 4 for z0, z1 in zip(values0[0], values1[0])]
        upper = [slope + 8 for slope in lower]
        low = [min(pair) - 4 for pair in zip(values0[0], values1[0])]
        high = [max(pair) + 4 for pair in zip(values0[0], values1[0])]
        for place, layer in enumerate(self.layers[1:], 1):
            if layer.kind == "linear":
                lower, upper = self._linear_slopes(change.linear[place], change.shift, low, high, lower, upper)
                radius = max(change.left.radii[place], change.right.radii[place]) + 1
                spread = [radius + (most - least >> 2) for least, most in zip(lower, upper)]
                low = [min(z0, z1) - e for z0, z1, e in zip(values0[place], values1[place], spread)]
                high = [max(z0, z1) + e for z0, z1, e in zip(values0[place], values1[place], spread)]
            elif layer.kind == "relu":
                lower = [s if l >= 0 else 0 if h <= 0 else min(s, 0) for s, l, h in zip(lower, low, high)]
                upper = [s if l >= 0 else 0 if h <= 0 else max(s, 0) for s, l, h in zip(upper, low, high)]
                low, high = list(map(relu, low)), list(map(relu, high))
            else:
                function, error, _ = ACTIVATIONS[layer.kind]
                least = 0 if layer.kind == "sigmoid" else -ONE
                low = [max(function(z) - error, least) for z in low]
                high = [min(function(z) + error, ONE) for z in high]
                slopes = [slope_range(layer.kind, l, h) for l, h in zip(low, high)]
                lower = [s * (most if s < 0 else few) >> BITS for s, (few, most) in zip(lower, slopes)]
                upper = [-(-s * (most if s > 0 else few) >> BITS) for s, (few, most) in zip(upper, slopes)]
        return list(map(operator.sub, upper, lower))

    @staticmethod
    def _linear_slopes(rows, shift, low, high, lower, upper):
        """The range of d(W h + b)/ds = dW h + W(s) h' + db, with W(s) within |dW| / 2 of (W0 + W1) / 2, and four
        times everything, so that centers and spreads are integers."""
        value_center = list(map(operator.add, low, high))
        slope_center = list(map(operator.add, lower, upper))
        slope_spread = list(map(operator.sub, upper, lower))
        spread = [2 * (h - l) + abs(c) + r for l, h, c, r in zip(low, high, slope_center, slope_spread)]
        center_column = value_center + slope_center
        spread_column = spread + slope_spread
        shift += 2
        least, most = [], []
        for row, magnitudes, bias in rows:
            center, reach = dot(row, center_column) + bias, dot(magnitudes, spread_column)
            least.append((center - reach) >> shift)
            most.append(-((-center - reach) >> shift))
        return least, most
