# SPDX-License-Identifier: MIT
"""Proofs that a metric is at most what a certificate claims, interval by interval."""
import itertools
import math
from fractions import Fraction

from .arithmetic import BITS, EXP_ERROR, ONE, exponential, logarithm
from .enclosure import Change, Point, dot
from .inputs import malformed

# Losses of one sample. `at` gives bounds (low, high) at a point, in ulps; `bend` gives a number K such that the loss
# over an interval is at most the chord of its end values and s (1 - s) K. z (outputs) are off by at most `radius`.


class AbsoluteError:
    def __init__(self, targets):
        self.targets = [[int(y * ONE) for y in row] for row in targets]  # within an ulp

    def at(self, sample, z, radius):
        total = sum(abs(x - y) for x, y in zip(z, self.targets[sample]))
        error = (radius + 1) * len(z)
        return total - error, total + error

    def bend(self, sample, z0, z1, widths, radius):
        """|x| is convex and changes at most by as much as x."""
        return sum(widths)


class SquaredError(AbsoluteError):
    def at(self, sample, z, radius):
        rests = [abs(x - y) for x, y in zip(z, self.targets[sample])]
        low = sum(max(r - radius - 1, 0) ** 2 for r in rests)
        high = sum((r + radius + 1) ** 2 for r in rests)
        return low >> BITS, -(-high >> BITS)

    def bend(self, sample, z0, z1, widths, radius):
        """With x = c + q e, q = s (1 - s), |e| <= E: x^2 = c^2 + 2 q c e + q^2 e^2, and c^2 lies q (c1 - c0)^2 below
        its chord."""
        total = 0
        for x0, x1, y, width in zip(z0, z1, self.targets[sample], widths):
            largest = max(abs(x0 - y), abs(x1 - y)) + radius + 1
            change = max(abs(x1 - x0) - 2 * radius, 0)
            total += 2 * largest * width + (width * width >> 2) + 1 - change * change
        return -(-total >> BITS)


class CrossEntropy:
    def __init__(self, labels):
        self.labels = labels

    def at(self, sample, z, radius):
        """log(sum of exp(z_j - top)) + top - z_label: changes at most by twice as much as z."""
        top = max(z)
        low, high = logarithm(sum(exponential(x - top) for x in z))
        error = EXP_ERROR * len(z) + 2 * radius
        rest = top - z[self.labels[sample]]
        return max(low + rest - error, 0), high + rest + error

    def bend(self, sample, z0, z1, widths, radius):
        """G(m) = log(1 + sum exp m_j) of the margins is convex; its slopes are >= 0 and add up to 1 - exp(-G), at
        most 1 and at most G, so lifting all margins by up to q E adds at most q E min(1, G + E / 4)."""
        label = self.labels[sample]
        lift = widths[label] + max((w for j, w in enumerate(widths) if j != label), default=0)
        largest = max(self.at(sample, z, radius)[1] for z in (z0, z1)) + (lift >> 2) + 1
        return -(-lift * min(largest, ONE) >> BITS)


def hill(f0, f1, bend):
    """Numerator and denominator of the maximum of (1 - s) f0 + s f1 + s (1 - s) bend over 0 <= s <= 1."""
    if bend <= abs(f1 - f0):
        return max(f0, f1), 1
    return 2 * bend * (f0 + f1) + bend * bend + (f1 - f0) ** 2, 4 * bend


class Penalty:
    """strength * sum of |theta_i| or theta_i^2 over the weights, or all parameters, as "l2:0.0001:weights" says it;
    exact fractions. It is convex along a segment: below its chord, for l2 by s (1 - s) strength |difference|^2."""

    def __init__(self, text, layout):
        kind, strength, *over = text.split(":") if ":" in text else (text, "")
        try:
            self.strength = Fraction(float(strength))
        except (ValueError, OverflowError):
            self.strength = Fraction(0)
        if kind not in ("l1", "l2") or over not in ([], ["weights"]) or self.strength <= 0:
            raise malformed(f"problem: penalty: expected l1:STRENGTH or l2:STRENGTH, and :weights or nothing, found '{text}'")
        self.square = kind == "l2"
        self.places = [slice(tensor["offset"], tensor["offset"] + math.prod(tensor["shape"]))
                       for tensor in layout if not over or tensor["role"] == "weight"]

    def _sum(self, segment, left, right, denominator):
        """Of (left a + right b) / denominator."""
        total = 0
        for place in self.places:
            numbers = [left * a + right * b for a, b in zip(segment.a[place], segment.b[place])]
            total += dot(numbers, numbers) if self.square else sum(map(abs, numbers))
        denominator <<= segment.bits
        return self.strength * Fraction(total, denominator * denominator if self.square else denominator)

    def at(self, segment, t):
        return self._sum(segment, t.denominator - t.numerator, t.numerator, t.denominator)

    def sag(self, segment, t0, t1):
        width = t1 - t0
        return self._sum(segment, -width.numerator, width.numerator, width.denominator) if self.square else 0


# Proofs of the intervals of a segment. Each returns a list of texts: what does not hold or is not settled.


class LossProof:
    """Means of losses: a piece that is not proven is split in two until the budget is spent."""

    def __init__(self, metric, samples, budget, penalty=None):
        kinds = {"mean_absolute_error": AbsoluteError, "mean_squared_error": SquaredError}
        self.loss = CrossEntropy(samples.labels) if metric == "cross_entropy" else kinds[metric](samples.targets)
        self.scale = len(samples) * (1 if metric == "cross_entropy" else samples.outputs) << BITS
        self.samples, self.budget, self.penalty = range(len(samples)), budget, penalty

    def penalty_at(self, segment, t):
        """Bounds in units of the sums: the penalty rounded down and up."""
        exact = self.penalty.at(segment, t) * self.scale if self.penalty else Fraction(0)
        return math.floor(exact), math.ceil(exact)

    def at(self, segment, t):
        """Bounds of the metric at t, as fractions."""
        point = Point(segment, t)
        pairs = [self.loss.at(i, segment.values(i, point)[-1], point.radii[-1]) for i in self.samples]
        return tuple(Fraction(sum(column), self.scale) for column in zip(self.penalty_at(segment, t), *pairs))

    def sums(self, segment, pieces):
        """For each piece (t0, t1): [bounds at t0, bounds at t1, bend], summed over the samples."""
        points = {t: Point(segment, t) for piece in pieces for t in piece}
        changes = [(t0, t1, Change(points[t0], points[t1])) for t0, t1 in pieces]
        at = {t: self.penalty_at(segment, t) for t in points}
        bends = [-math.floor(self.penalty.sag(segment, *piece) * self.scale) if self.penalty else 0 for piece in pieces]
        for i in self.samples:
            values = {t: segment.values(i, point) for t, point in points.items()}
            for t, point in points.items():
                low, high = self.loss.at(i, values[t][-1], point.radii[-1])
                at[t] = (at[t][0] + low, at[t][1] + high)
            for k, (t0, t1, change) in enumerate(changes):
                radius = max(change.left.radii[-1], change.right.radii[-1])
                widths = segment.widths(change, values[t0], values[t1])
                bends[k] += self.loss.bend(i, values[t0][-1], values[t1][-1], widths, radius)
        return [(at[t0], at[t1], bend) for (t0, t1), bend in zip(pieces, bends)]

    def check(self, segment, intervals):
        wrong, spent = {}, [0] * len(intervals)
        open_pieces = [(k, t0, t1) for k, (t0, t1, _) in enumerate(intervals)]
        while open_pieces:
            sums = self.sums(segment, [piece[1:] for piece in open_pieces])
            split = []
            for (k, t0, t1), (f0, f1, bend) in zip(open_pieces, sums):
                claim = Fraction(intervals[k][2]) * self.scale
                spent[k] += 1
                above = [(f[0], t) for f, t in ((f0, t0), (f1, t1)) if f[0] > claim]
                numerator, denominator = hill(f0[1], f1[1], bend)
                if above:
                    low, t = max(above)
                    wrong[k] = f"refuted: the metric at t = {exactly(t)} is at least {low / self.scale:.17g}"
                elif numerator > claim * denominator:
                    split.append((k, t0, t1, numerator / denominator / self.scale))
            open_pieces = []
            for k, t0, t1, bound in split:
                if k not in wrong and spent[k] < self.budget:
                    open_pieces += [(k, t0, (t0 + t1) / 2), (k, (t0 + t1) / 2, t1)]
                else:
                    wrong.setdefault(k, f"not settled with {spent[k]} pieces: at most {bound:.17g} "
                                        f"between t = {exactly(t0)} and {exactly(t1)}")
        return wrong, sum(spent)


class CountProof:
    """Error rates. A sample is misread where some margin z_j - z_label is >= 0. Each sample keeps the pieces of the
    interval where it may be wrong; where too many overlap, pieces that are not wrong throughout are split."""

    def __init__(self, _, samples, budget):
        self.labels, self.samples, self.budget = samples.labels, range(len(samples)), budget * len(samples)

    def count_within(self, rate):
        """The largest count whose rate, as isthmus writes it (a quotient in double), is at most this one."""
        n = len(self.samples)
        count = min(max(int(rate * n) + 1, 0), n)
        while count >= 0 and count / n > rate:
            count -= 1
        return count

    def at(self, segment, t):
        """Bounds of the rate at t."""
        point = Point(segment, t)
        low = high = 0
        for i in self.samples:
            z = segment.values(i, point)[-1]
            rest = max(x for j, x in enumerate(z) if j != self.labels[i]) - z[self.labels[i]]
            low += rest - 2 * point.radii[-1] >= 0
            high += rest + 2 * point.radii[-1] >= 0
        return low / len(self.samples), high / len(self.samples)

    def state(self, segment, sample, change):
        """0: right all over the interval; 1: not known; 2: wrong all over it."""
        values = [segment.values(sample, point) for point in (change.left, change.right)]
        widths = segment.widths(change, *values)
        z0, z1 = values[0][-1], values[1][-1]
        label = self.labels[sample]
        error = 2 * max(change.left.radii[-1], change.right.radii[-1])
        state = 0
        for j in range(len(z0)):
            if j == label:
                continue
            m0, m1, width = z0[j] - z0[label], z1[j] - z1[label], widths[j] + widths[label]
            if hill(error - m0, error - m1, width)[0] <= 0:
                return 2
            if hill(m0 + error, m1 + error, width)[0] >= 0:
                state = 1
        return state

    def examine(self, segment, pieces):
        """The pieces (t0, t1, sample, state) that are not right throughout, of (t0, t1, sample)."""
        found = []
        for (t0, t1), group in itertools.groupby(sorted(pieces), key=lambda piece: piece[:2]):
            change = Change(Point(segment, t0), Point(segment, t1))
            states = [(sample, self.state(segment, sample, change)) for *_, sample in group]
            found += [(t0, t1, sample, state) for sample, state in states if state]
        return found

    @staticmethod
    def crowds(pieces, most):
        """The closed ranges of t at which more than `most` samples have a piece, as [(from, to, samples)]."""
        joined = []
        for t0, t1, sample, _ in sorted(pieces, key=lambda piece: (piece[2], piece[0])):
            if joined and joined[-1][2] == sample and joined[-1][1] >= t0:
                joined[-1][1] = t1
            else:
                joined.append([t0, t1, sample])
        events = sorted([(t0, 0) for t0, _, _ in joined] + [(t1, 1) for _, t1, _ in joined])
        crowds, count, largest, since = [], 0, 0, None
        for t, ends in events:  # at one t beginnings come first: pieces are closed
            if ends:
                count -= 1
                if count == most:
                    crowds.append((since, t, largest))
            else:
                count += 1
                if count == most + 1:
                    since, largest = t, 0
                largest = max(largest, count)
        return crowds

    def check_interval(self, segment, t0, t1, bound):
        """What is wrong with one interval, or None; and how many pieces were looked at."""
        most = self.count_within(bound)
        if most < 0:
            return "refuted: a rate is never negative", 0
        pieces, spent = self.examine(segment, [(t0, t1, i) for i in self.samples]), len(self.samples)
        while True:
            crowds = self.crowds(pieces, most)
            if not crowds:
                return None, spent
            surely = self.crowds([piece for piece in pieces if piece[3] == 2], most)
            if surely:
                t, _, count = max(surely, key=lambda crowd: crowd[2])
                return f"refuted: at t = {exactly(t)} at least {most + 1} samples are misread", spent
            busy, rest = [], []
            for piece in pieces:
                crowded = piece[3] == 1 and any(a <= piece[1] and piece[0] <= b for a, b, _ in crowds)
                (busy if crowded else rest).append(piece)
            if spent + 2 * len(busy) > self.budget:
                a, b, count = max(crowds, key=lambda crowd: crowd[2])
                return (f"not settled with {spent} pieces: at most {count} samples misread "
                        f"between t = {exactly(a)} and {exactly(b)}, not {most}"), spent
            halves = [(a, (a + b) / 2, i) for a, b, i, _ in busy] + [((a + b) / 2, b, i) for a, b, i, _ in busy]
            pieces, spent = rest + self.examine(segment, halves), spent + len(halves)

    def check(self, segment, intervals):
        results = [self.check_interval(segment, *interval) for interval in intervals]
        return {k: text for k, (text, _) in enumerate(results) if text}, sum(spent for _, spent in results)


def exactly(t):
    """t as a decimal if that is exact, else as a fraction."""
    return repr(float(t)) if Fraction(repr(float(t))) == t else str(t)
