#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests tools/check_certificate.py: its functions against `decimal`, its enclosure against points between, and the
command on certificates of isthmus and on such that were tampered with. ISTHMUS_BINARY names the command isthmus."""
import copy
import decimal
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from decimal import Decimal
from fractions import Fraction

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from certificate_checker import arithmetic, enclosure, inputs, proofs  # noqa: E402

ONE = arithmetic.ONE
FLOATS = {"relu": lambda x: max(x, 0.0), "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "tanh": math.tanh}


class Arithmetic(unittest.TestCase):
    def test_functions_are_within_their_errors(self):
        decimal.getcontext().prec = 60
        generator = random.Random(1)
        for _ in range(1000):
            x = -int(abs(generator.gauss(0, 1)) * 10 ** generator.uniform(-18, 1.8) * ONE)
            real = Decimal(x) / ONE
            self.assertLessEqual(abs(arithmetic.exponential(x) - real.exp() * ONE), arithmetic.EXP_ERROR)
            sign = generator.choice((1, -1))
            sigmoid = 1 / (1 + (-sign * real).exp())
            tanh = 2 / (1 + (-2 * sign * real).exp()) - 1
            self.assertLessEqual(abs(arithmetic.sigmoid(sign * x) - sigmoid * ONE), arithmetic.SIGMOID_ERROR)
            self.assertLessEqual(abs(arithmetic.tanh(sign * x) - tanh * ONE), arithmetic.TANH_ERROR)
            low, high = arithmetic.logarithm(ONE - x)
            self.assertTrue(low <= (1 - real).ln() * ONE <= high)
            self.assertLess(high - low, 10000)

    def test_values_at_the_border(self):
        self.assertEqual(arithmetic.exponential(0), ONE)
        self.assertEqual(arithmetic.exponential(-1000 * ONE), 0)
        self.assertEqual(arithmetic.sigmoid(-1000 * ONE), 0)
        self.assertEqual(arithmetic.slope_range("sigmoid", 0, ONE), (0, ONE // 4))
        self.assertEqual(arithmetic.slope_range("tanh", -ONE, ONE // 2), (0, ONE))

    def test_hill(self):
        for f0, f1, bend in ((1, 2, 0), (1, 2, 5), (2, 1, 5), (3, 3, 7), (1, 2, -9), (0, 4, 4), (-3, -4, 2)):
            numerator, denominator = proofs.hill(f0, f1, bend)
            grid = [Fraction(k, 1000) for k in range(1001)]
            seen = max((1 - s) * f0 + s * f1 + s * (1 - s) * bend for s in grid)
            self.assertGreaterEqual(Fraction(numerator, denominator), seen)
            self.assertLess(Fraction(numerator, denominator) - seen, 1e-4)


class Enclosure(unittest.TestCase):
    def network(self, generator):
        kinds = [generator.choice(list(FLOATS)) for _ in range(2)]
        stack = [{"type": "linear", "out_features": 4}, {"type": kinds[0]},
                 {"type": "linear", "out_features": 4, "bias": False}, {"type": kinds[1]},
                 {"type": "linear", "out_features": 2}] + [{"type": generator.choice(list(FLOATS))}] * generator.randrange(2)
        samples = inputs.Samples.__new__(inputs.Samples)
        samples.features, samples.outputs, samples.labels = 3, 2, None
        layers, layout = enclosure.layers_of({"input": [3], "layers": stack}, samples, "mean_absolute_error")
        size = sum(math.prod(tensor["shape"]) for tensor in layout)
        beads = [[inputs.float32(generator.gauss(0, 1.5)) for _ in range(size)] for _ in range(2)]
        x = [inputs.float32(generator.gauss(0, 1)) for _ in range(3)]
        return layers, beads, x

    def floating(self, layers, theta, x):
        for layer in layers:
            if layer.kind == "linear":
                x = [sum(theta[layer.weight + r * layer.columns + c] * x[c] for c in range(layer.columns))
                     + (0 if layer.bias is None else theta[layer.bias + r]) for r in range(layer.rows)]
            else:
                x = list(map(FLOATS[layer.kind], x))
        return x

    def test_holds_every_point_between(self):
        generator = random.Random(2)
        tightest = 0
        for _ in range(100):
            layers, (a, b), x = self.network(generator)
            integers, bits = inputs.exact_integers(x)
            segment = enclosure.Segment(layers, a, b, [integers], bits)
            width = 2 ** -generator.randrange(8)
            t0 = Fraction(generator.randrange(int(1 / width)) * width)
            t1 = t0 + Fraction(width)
            left, right = enclosure.Point(segment, t0), enclosure.Point(segment, t1)
            values0, values1 = segment.values(0, left), segment.values(0, right)
            floating = self.floating(layers, [(1 - t0) * p + t0 * q for p, q in zip(a, b)], x)
            for value, expected in zip(values0[-1], floating):
                self.assertAlmostEqual(value / ONE, float(expected), delta=1e-12)
            widths = segment.widths(enclosure.Change(left, right), values0, values1)
            for k in range(1, 16):
                s = Fraction(k, 16)
                point = enclosure.Point(segment, t0 + s * (t1 - t0))
                radius = 2 * point.radii[-1] + left.radii[-1] + right.radii[-1]
                for z, z0, z1, e in zip(segment.values(0, point)[-1], values0[-1], values1[-1], widths):
                    away = abs(z - (1 - s) * z0 - s * z1)
                    self.assertLessEqual(away, s * (1 - s) * e + radius)
                    tightest = max(tightest, float(away / (s * (1 - s) * e + radius)))
        self.assertGreater(tightest, 0.3, "the enclosure is not used to a third anywhere: is it the right one?")

    def plain_slopes(self, layers, thetas, t0, t1, x):
        """Ranges of the outputs' derivatives by interval arithmetic on pairs of floats, step by step as documented."""
        def times(p, q):
            products = [u * v for u in p for v in q]
            return min(products), max(products)

        thetas = [[float((1 - t) * p + t * q) for p, q in zip(*thetas)] for t in (t0, t1)]
        ends = [list(x), list(x)]
        ranges, slopes = [(v, v) for v in x], [(0.0, 0.0)] * len(x)
        for layer in layers:
            before, ends = ends, [self.floating([layer], theta, end) for theta, end in zip(thetas, ends)]
            if layer.kind == "linear":
                slopes_before, slopes = slopes, []
                for row in range(layer.rows):
                    low = high = 0.0 if layer.bias is None else thetas[1][layer.bias + row] - thetas[0][layer.bias + row]
                    for c in range(layer.columns):
                        w0, w1 = (theta[layer.weight + row * layer.columns + c] for theta in thetas)
                        for part in (times((w1 - w0,) * 2, ranges[c]), times((w0, w1), slopes_before[c])):
                            low, high = low + part[0], high + part[1]
                    slopes.append((low, high))
                away = [((high - low) / 4,) * 2 for low, high in slopes]
            else:
                factors = []
                for low, high in ranges:
                    steep = {"relu": lambda z: float(z > 0), "sigmoid": lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2,
                             "tanh": lambda z: 1 - math.tanh(z) ** 2}[layer.kind]
                    places = [low, high] + ([0.0] if low < 0 < high else [])
                    factors.append((min(map(steep, places)), max(map(steep, places))))
                slopes = list(map(times, factors, slopes))
                away = None
            if away:
                ranges = [(min(pair) - a, max(pair) + b) for pair, (a, b) in zip(zip(*ends), away)]
            else:
                ranges = [(self.floating([layer], [], [low])[0], self.floating([layer], [], [high])[0])
                          for low, high in ranges]
        return [high - low for low, high in slopes]

    def test_is_no_tighter_than_plain_intervals(self):
        generator = random.Random(5)
        for _ in range(100):
            layers, (a, b), x = self.network(generator)
            integers, bits = inputs.exact_integers(x)
            segment = enclosure.Segment(layers, a, b, [integers], bits)
            level = generator.randrange(8)
            t0 = Fraction(generator.randrange(2**level), 2**level)
            t1 = t0 + Fraction(1, 2**level)
            left, right = enclosure.Point(segment, t0), enclosure.Point(segment, t1)
            widths = segment.widths(enclosure.Change(left, right), segment.values(0, left), segment.values(0, right))
            for width, plain in zip(widths, self.plain_slopes(layers, (a, b), t0, t1, x)):
                self.assertGreaterEqual(width / ONE, plain * (1 - 1e-9) - 1e-9)
                self.assertLessEqual(width / ONE, 10 * plain + 1e-9)

    def test_counts(self):
        class Given:
            def values(self, _, point):
                return [point.z]

            def widths(self, *_):
                return self.given

        class End:
            radii = [0]

        generator = random.Random(6)
        segment, states = Given(), {0: 0, 1: 0, 2: 0}
        proof = proofs.CountProof.__new__(proofs.CountProof)
        proof.labels = [0]
        for _ in range(500):
            change = Given()
            change.left, change.right = End(), End()
            change.left.z, change.right.z = ([int(generator.gauss(0, 1) * ONE) for _ in range(3)] for _ in range(2))
            segment.given = [int(generator.expovariate(1) * ONE) for _ in range(3)]
            state = proof.state(segment, 0, change)
            states[state] += 1
            for k in range(17):
                s = Fraction(k, 16)
                z = [(1 - s) * z0 + s * z1 + s * (1 - s) * generator.choice((-1, 1)) * e
                     for z0, z1, e in zip(change.left.z, change.right.z, segment.given)]
                wrong = max(z[1:]) >= z[0]
                self.assertTrue(state == 1 or wrong == (state == 2))
        self.assertGreater(min(states.values()), 20)

    def test_crowds(self):
        half = Fraction(1, 2)
        self.assertEqual(proofs.CountProof.crowds([(0, half, 7, 1), (half, 1, 7, 2)], 1), [])  # one sample counts once
        self.assertEqual(proofs.CountProof.crowds([(0, half, 7, 1), (half, 1, 8, 1)], 1), [(half, half, 2)])
        self.assertEqual(proofs.CountProof.crowds([(0, 1, 7, 1), (0, half, 8, 1), (half, 1, 9, 2)], 1), [(0, 1, 3)])

    def test_losses_are_below_their_hills(self):
        generator = random.Random(3)
        losses = [proofs.AbsoluteError([[0.25, -0.5]]), proofs.SquaredError([[0.25, -0.5]]), proofs.CrossEntropy([1])]
        for _ in range(100):
            z0, z1 = ([int(generator.gauss(0, 2) * ONE) for _ in range(2)] for _ in range(2))
            scale = 10 ** generator.uniform(-1, 1.5)
            widths = [int(generator.expovariate(1) * scale * ONE) for _ in range(2)]
            for loss in losses:
                bend = loss.bend(0, z0, z1, widths, 0)
                f0, f1 = loss.at(0, z0, 0)[1], loss.at(0, z1, 0)[1]
                for k in range(17):
                    s = Fraction(k, 16)
                    q = s * (1 - s)
                    z = [int((1 - s) * x0 + s * x1 + q * e * generator.choice((-1, 1)))
                         for x0, x1, e in zip(z0, z1, widths)]
                    self.assertLessEqual(loss.at(0, z, 0)[0], (1 - s) * f0 + s * f1 + q * bend + 1000)


    def test_penalties(self):
        class Ends:
            pass

        generator = random.Random(7)
        layout = [{"offset": 0, "shape": [2, 3], "role": "weight"}, {"offset": 6, "shape": [2], "role": "bias"}]
        for text in ("l1:0.3", "l2:0.0001", "l1:2.5:weights", "l2:1e-3:weights"):
            kind, strength, *over = text.split(":")
            penalty = proofs.Penalty(text, layout)
            for _ in range(50):
                segment, a, b = Ends(), *([inputs.float32(generator.gauss(0, 1)) for _ in range(8)] for _ in range(2))
                integers, segment.bits = inputs.exact_integers(a + b)
                segment.a, segment.b = integers[:8], integers[8:]
                level = generator.randrange(6)
                t0 = Fraction(generator.randrange(2**level), 2**level)
                t1 = t0 + Fraction(1, 2**level)
                for k in range(9):
                    s = Fraction(k, 8)
                    t = t0 + s * (t1 - t0)
                    theta = [float((1 - t) * Fraction(x) + t * Fraction(y)) for x, y in zip(a, b)][: 6 if over else 8]
                    plain = float(strength) * sum(abs(x) if kind == "l1" else x * x for x in theta)
                    value = penalty.at(segment, t)
                    self.assertAlmostEqual(float(value), plain, delta=1e-12 * (1 + plain))
                    chord = (1 - s) * penalty.at(segment, t0) + s * penalty.at(segment, t1)
                    below = chord - s * (1 - s) * penalty.sag(segment, t0, t1)
                    self.assertLessEqual(value, below)
                    if kind == "l2":
                        self.assertEqual(value, below)
        for text in ("l2", "l2:", "l2:x", "l2:0", "l2:nan", "l2:inf", "l3:1", "l2:1:biases", "l2:1:weights:"):
            with self.assertRaises(inputs.Stop):
                proofs.Penalty(text, layout)


class Command(unittest.TestCase):
    """One quadratic path with two certificates, and one small network on images."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = pathlib.Path(cls.folder.name)
        cls.isthmus("connect", "quadratic", "--threshold", "0.05", "--out", "run")
        cls.isthmus("connect", "quadratic", "--threshold", "0.05", "--seed", "5", "--out", "other")
        cls.path, cls.other = (cls.root / run / "paths/0.05_0.safetensors" for run in ("run", "other"))
        cls.certificate = cls.certified(cls.path)
        cls.tight = cls.certified(cls.path, "--gap", "0.0001")

    @classmethod
    def isthmus(cls, *arguments):
        environment = {"HOME": str(cls.root)}
        subprocess.run([os.environ["ISTHMUS_BINARY"], *arguments], cwd=cls.root, env=environment, check=True,
                       capture_output=True, text=True)

    @classmethod
    def certified(cls, path, *options):
        cls.isthmus("verify", str(path), "--certified", *options)
        return json.loads((path.parent / "certificate.json").read_text())

    def check(self, certificate, code, *parts, path=None, options=()):
        """Runs the checker on a certificate (a record, or text); expects an exit code and parts of what it says."""
        file = self.root / "certificate.json"
        file.write_text(certificate if isinstance(certificate, str) else json.dumps(certificate))
        command = [sys.executable, str(TOOLS / "check_certificate.py"), str(file), str(path or self.path), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={"HOME": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual(done.returncode, code, done.stderr)
        said = done.stderr if code else done.stdout
        for part in parts:
            self.assertIn(part, said)
        if code:
            self.assertTrue(all(line.startswith("check_certificate: ") for line in said.splitlines()), said)
            self.assertNotIn("confirmed", done.stdout)
        return said

    def edited(self, edit, certificate=None):
        copied = copy.deepcopy(certificate or self.certificate)
        edit(copied)
        return copied

    def test_confirms(self):
        self.check(self.certificate, 0, "confirmed: mean_absolute_error on test, 256 samples", "everywhere on the path")
        self.check(self.tight, 0, "confirmed", "on segments 0 of", options=["--segments", "0"])

    def test_refutes_a_bound_that_is_too_low(self):
        def lower(c):
            segment = c["segments"][0]
            largest = max(segment["intervals"], key=lambda interval: interval["bound"])
            largest["bound"] = segment["largest_seen"] * (1 - 1e-6)

        self.check(self.edited(lower, self.tight), 1, "segment 0, interval [", "refuted: the metric at t = ",
                   options=["--segments", "0"])

    def test_says_what_it_cannot_settle(self):
        def below_the_enclosure(c):  # between the largest value and what one piece proves
            segment = c["segments"][0]
            for interval in segment["intervals"]:
                interval["bound"] = segment["bound"]

        certificate = self.edited(below_the_enclosure, self.tight)
        certificate["segments"][0]["intervals"] = [{"t0": 0.0, "t1": 1.0, "bound": certificate["segments"][0]["bound"]}]
        self.check(certificate, 1, "not settled with 1 pieces", options=["--segments", "0", "--budget", "1"])
        self.check(certificate, 1, "not checked: it would take about", options=["--hours", "0"])

    def test_refuses_what_does_not_follow(self):
        def change(key, value, segment=None):
            def edit(c):
                (c if segment is None else c["segments"][segment])[key] = value
            return self.edited(edit)

        last = len(self.certificate["segments"]) - 1
        cases = [
            (self.edited(lambda c: c["segments"][0]["intervals"].pop(0), self.tight), "expected one from t = 0"),
            (self.edited(lambda c: c["segments"][0]["intervals"].pop()), "segment 0: the intervals end at t = "),
            (self.edited(lambda c: c["segments"][0]["intervals"][0].update(t0=0.25)), "leave a gap or overlap"),
            (self.edited(lambda c: c["segments"][0]["intervals"][0].update(bound=1.0)), "is above that of the segment"),
            (self.edited(lambda c: c["segments"].pop()), "segments: expected 0 to"),
            (change("path_sha256", "0" * 64), "another path"),
            (change("task", "cubic"), "task: the certificate says 'cubic'"),
            (change("proven", False), "does not agree with the outcomes"),
            (change("bound", 0.01), "bound: the largest of the segments is"),
            (change("largest_seen", 0.01), "largest_seen: the largest"),
            (change("threshold", 0.001), "said to be proven"),
            (change("outcome", "violated", last), "said to be violated"),
            (change("t", 1.5, last), "is not in [0, 1]"),
        ]
        for certificate, part in cases:
            with self.subTest(part):
                self.check(certificate, 1, part)
        self.check(self.certificate, 1, "belongs to another path", path=self.other)

    def test_refutes_a_largest_value_that_is_not_there(self):
        def raise_it(c):
            segment = c["segments"][0]
            segment["largest_seen"] = segment["bound"] * (1 - 1e-9)
            segment["t"] = 0.5
            seen = max(c["segments"], key=lambda other: other["largest_seen"])
            c.update(largest_seen=seen["largest_seen"], largest_seen_segment=seen["index"], largest_seen_t=seen["t"])

        self.check(self.edited(raise_it), 1, "segment 0, largest_seen: claimed at least", "refuted", "it is between",
                   options=["--segments", "0"])

    def test_a_penalty(self):
        self.isthmus("connect", "quadratic", "--threshold", "0.15", "--penalty", "l2:0.001", "--out", "penalty")
        path = self.root / "penalty/paths/0.15_0.safetensors"
        tight = self.certified(path, "--gap", "0.001")
        first = ["--segments", "0"]
        self.check(tight, 0, "confirmed: mean_absolute_error with the penalty l2:0.001", path=path, options=first)

        def lower(c):
            segment = c["segments"][0]
            largest = max(segment["intervals"], key=lambda interval: interval["bound"])
            largest["bound"] = segment["largest_seen"] * (1 - 1e-6)

        self.check(self.edited(lower, tight), 1, "refuted: the metric at t = ", path=path, options=first)
        for wrong in (None, "l2:0.002"):
            self.check(self.edited(lambda c, wrong=wrong: c.update(penalty=wrong), tight), 1,
                       f"penalty: the certificate says {wrong or 'none'}, the path l2:0.001", path=path)
        without = self.edited(lambda c: c.pop("penalty"))  # as certificates were before there were penalties
        self.check(without, 0, "confirmed: mean_absolute_error on test", options=first)
        self.check(self.edited(lambda c: c.update(penalty="l1:1")), 1, "says l1:1, the path none")
        self.check(self.edited(lambda c: c.update(penalty=1)), 65, "penalty: unexpected value 1")

    def test_wrong_input(self):
        text = json.dumps(self.certificate)
        self.check(text[: len(text) // 2], 65, "certificate.json: not valid JSON")
        self.check(text.replace(str(self.certificate["bound"]), "NaN"), 65, "NaN")
        self.check(text.replace('"t1": 1.0', '"t1": 1e999'), 65, "expected a finite number")
        self.check(text.replace('"t1": 1.0', '"t1": null'), 65, "t1: unexpected value null")
        self.check(text.replace("certificate-1", "certificate-2"), 65, "expected the format isthmus-certificate-1")
        self.check(self.edited(lambda c: c.pop("segments")), 65, "expected a field 'segments'")
        self.check("[" * 100000, 65, "not valid JSON")
        self.check(self.certificate, 66, "no such file", path=self.root / "none.safetensors")
        cut = self.root / "cut.safetensors"
        cut.write_bytes(self.path.read_bytes()[:-4])
        self.check(self.certificate, 65, "bytes of numbers", path=cut)
        cut.write_bytes(b"")
        self.check(self.certificate, 65, "not a safetensors file", path=cut)
        self.check(self.edited(lambda c: c.update(metric="perplexity")), 64, "metric 'perplexity' is not covered")
        self.check(self.edited(lambda c: c.update(split="dev")), 65, "split: expected train or test")
        for options in (["--segments", "99"], ["--segments", "x"], ["--budget", "0"], ["--no-such-option"]):
            self.check(self.certificate, 64, options[0], options=options)

    def test_images(self):
        generator = random.Random(4)
        pattern = [[generator.randrange(64) for _ in range(16)] for _ in range(10)]
        data = self.root / "data/mnist"
        data.mkdir(parents=True)
        for split, count in (("train", 100), ("t10k", 40)):
            pixels = bytes(pattern[i % 10][k] * 2 + generator.randrange(128) for i in range(count) for k in range(16))
            for name, shape, content in (("images-idx3", (count, 4, 4), pixels),
                                         ("labels-idx1", (count,), bytes(i % 10 for i in range(count)))):
                header = bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape)
                (data / f"{split}-{name}-ubyte").write_bytes(header + content)
        network = {"input": [1, 4, 4], "layers": [{"type": "flatten"}, {"type": "linear", "out_features": 6}, {"type": "relu"},
                                                  {"type": "linear", "out_features": 10}]}
        (self.root / "net.json").write_text(json.dumps(network))
        self.isthmus("connect", "--network", "net.json", "--data", "data", "--threshold", "0.3", "--batch-size", "50", "--out", "images")
        path = self.root / "images/paths/0.3_0.safetensors"
        options = ["--data", str(self.root / "data")]
        errors = self.certified(path, *options, "--metric", "error_rate", "--gap", "0")
        self.check(errors, 0, "confirmed: error_rate on test, 40 samples", path=path, options=options)

        def one_less(c):
            c["gap"] = 0.5
            for interval in c["segments"][0]["intervals"]:
                interval["bound"] = (round(interval["bound"] * 40) - 1) / 40

        self.check(self.edited(one_less, errors), 1, "refuted: at t = ", "samples are misread", path=path, options=options)
        entropy = self.certified(path, *options, "--metric", "cross_entropy", "--gap", "0.5")
        self.check(entropy, 0, "confirmed: cross_entropy", path=path, options=options + ["--segments", "0"])
        self.check(errors, 66, "mnist: not found", path=path, options=["--data", str(self.root / "none")])


if __name__ == "__main__":
    unittest.main()
