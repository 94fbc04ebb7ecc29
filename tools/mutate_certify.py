#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants one error at a time in the enclosures of src/isthmus/certify and looks which test notices.

    tools/mutate_certify.py [--build DIR] [--only SUBSTRING] [--markdown]

A wrong sign in a bound makes a proof worthless, and no warning shows it. For each error of the list below the
sources are copied to DIR, changed, built (target isthmus_certify_tests, release) and tested, the formulas' own
tests first, up to the first test that fails. A test program that crashes or hangs has noticed the error, too.
The sources in the repository are never touched; the copy in DIR is put right after each error and on Ctrl-C.

Every text of the list has to occur exactly once in its file: after a change of the sources the tool says
which one does not, before it builds anything. ccache is used where it is installed. About ten seconds per error.

exit code: 0 if a test fails for every error; 1 if an error survives, does not compile or is not found
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROOM = "src/isthmus/certify/"
FORMULAS = "UnitBounds*:Enclosure*:*Kink*:Spectral*:Sample*:LossSums*:PenaltyBound*:WrongTimes*:Partition*"
PASSES = [FORMULAS, "-" + FORMULAS]  # filters: together every test
TIMEOUT = 120  # seconds; the tests need a few

KINKED = "larger(z.high - below, -above)"
LOW_OF_KINK = "least_of_larger(z.low, below, 0.0, above)"
LOW_OF_MAXIMUM = "low_at_right_[i], gap_left, low_at_left_[i], gap_right"
AROUND = "const double around = spread[lane] + rounding"
MAGNITUDE = "std::max(std::abs(lerp(wa, wb, t0)), std::abs(lerp(wa, wb, t1)))"
SQUARE = "0.25 * largest * largest - change * change"
VARIANCE = "sum * second - first * first - error"

# file: formula: (error, text, text with the error)
ERRORS = {
    "unit_bounds.h": {
        "(sqrt x + sqrt y)^2": [("no mixed term", "(x + y + 2.0 * std::sqrt(x) * std::sqrt(y))", "(x + y)"),
            ("factor 3 for 2", "2.0 * std::sqrt(x) * std::sqrt(y)", "3.0 * std::sqrt(x) * std::sqrt(y)")],
        "least of the larger": [("max for min", "return smaller(a - x / s", "return larger(a - x / s"),
            ("place: - root", "denominator = linear + root", "denominator = linear - root")],
        "relu, on": [("high < 0: sign", "larger(z.high, -least)", "larger(z.high, least)"),
            ("no case high < 0", "z.high >= 0.0 ? z.high : larger(z.high, -least)", "z.high")],
        "relu, off": [("sign", "(z.high - least)", "(z.high + least)"),
            ("high = 0", "larger(0.0, (z.high - least) * (1.0 + widening))", "0.0")],
        "relu, one end on": [("below and above exchanged", LOW_OF_KINK, "least_of_larger(z.low, above, 0.0, below)"),
            ("low: of z.high", LOW_OF_KINK, "least_of_larger(z.high, below, 0.0, above)"),
            ("high: + below", KINKED, "larger(z.high + below, -above)"),
            ("high: + above", KINKED, "larger(z.high - below, above)"),
            ("high: no -above", KINKED, "z.high - below")],
        "smooth: f''": [("sign in low", "-half * curvature.high +", "half * curvature.high +"),
            ("sign in high", "-half * curvature.low +", "half * curvature.low +"),
            ("a quarter for half", "0.5 * change * change", "0.25 * change * change")],
        "smooth: f'": [("low < 0: smaller slope", "z.low < 0.0 ? slope.high : slope.low", "slope.low"),
            ("high > 0: smaller slope", "z.high > 0.0 ? slope.high : slope.low", "slope.low")],
        "range of f''": [("sign of the largest", "over_top ? extreme :", "over_top ? -extreme :"),
            ("no smallest inside", "over_bottom ? -extreme : smaller(g0, g1)", "smaller(g0, g1)")],
        "range of f'": [("no reach in the top", "smaller(top, high + reach_of_slope)", "smaller(top, high)"),
            ("no reach in the bottom", "smaller(p0, p1) - reach_of_slope", "smaller(p0, p1)"),
            ("never over the top", "over_top ? top : larger(p0, p1)", "larger(p0, p1)")],
        "sigmoid''": [("sign", "p0 * (1.0 - 2.0 * f0)", "-p0 * (1.0 - 2.0 * f0)")],
        "tanh''": [("sign", "-2.0 * f1 * p1", "2.0 * f1 * p1")],
        "maximum": [
            ("high: sign", "high[i] - least_over_s(gap_left, gap_right)", "high[i] + least_over_s(gap_left, gap_right)"),
            ("low: winners exchanged", LOW_OF_MAXIMUM, "low_at_left_[i], gap_left, low_at_right_[i], gap_right"),
            ("low: gaps exchanged", LOW_OF_MAXIMUM, "low_at_right_[i], gap_right, low_at_left_[i], gap_left")]},
    "functions.h": {
        "exp": [("sign of the lower log 2", "- k * ln2_low", "+ k * ln2_low"),
            ("1 / 25 for 1 / 24", "1.0 / 24.0", "1.0 / 25.0")],
        "sigmoid": [("of negative numbers", "(z < 0.0 ? e : 1.0)", "1.0")],
        "tanh": [("sign", "z < 0.0 ? -size : size", "size"),
            ("of z for 2 z", "exp_of_negative(2.0 * (z < 0.0 ? z : -z))", "exp_of_negative(z < 0.0 ? z : -z)")]},
    "kernels.cpp": {
        "linear: change, spread": [("sign of the change", "right[lane] - left[lane]", "left[lane] - right[lane]"),
            ("half the spread", "spread[lane] = unit", "spread[lane] = 0.5 * unit"),
            ("rows with middle 0 skipped", "center[lane] == 0.0 && spread[lane] == 0.0", "center[lane] == 0.0")],
        "linear: -q D dh": [("sign in low", "- bend[lane] - around", "+ bend[lane] - around"),
            ("sign in high", "- bend[lane] + around", "+ bend[lane] + around")],
        "linear: W m": [("low: of one end", "unit_bounds::smaller(at_left[lane], at_right[lane])", "at_left[lane]"),
            ("high: of one end", "unit_bounds::larger(at_left[lane], at_right[lane])", "at_right[lane]")],
        "linear: max(W) p": [("sign", AROUND, "const double around = rounding - spread[lane]")],
        "linear: rounding": [("dropped", AROUND, "const double around = spread[lane]")]},
    "enclosure.cpp": {
        "radius: linear": [("carried dropped", "up(carried + sum_error *", "up(0.0 * carried + sum_error *"),
            ("own dropped", "up(carried + sum_error *", "up(carried + 0.0 * sum_error *")],
        "radius: sigmoid": [
            ("own dropped", "up(0.25 * deviation.radius) + function_error", "up(0.25 * deviation.radius)"),
            ("an eighth carried", "up(0.25 * deviation.radius)", "up(0.125 * deviation.radius)")],
        "radius: tanh": [("own dropped", "up(deviation.radius) + function_error", "up(deviation.radius)"),
            ("a quarter carried", "up(deviation.radius) +", "up(0.25 * deviation.radius) +")],
        "radius: average": [
            ("own dropped", "up(deviation.radius + gamma(largest_window(step) + 2) * magnitudes.in)", "deviation.radius")],
        "average": [("rounding inwards", "low[p][lane] -= error", "low[p][lane] += error")],
        "overflow": [("not refused", "if (!std::isfinite(magnitudes.spread))", "if (false)")]},
    "weights.cpp": {
        "max(W)": [("min for max", MAGNITUDE, MAGNITUDE.replace("max", "min"))],
        "D": [("sign", "(t1 - t0) * (wb - wa)", "(t1 - t0) * (wa - wb)")],
        "norms": [("no difference", "norms.difference = std::max(norms.difference, sums[2 * o + 1]);", "")]},
    "loss_bound.cpp": {
        "absolute error": [("-x with the high deviation", "-x.low - unit_bounds", "-x.high - unit_bounds"),
            ("gaps exchanged", "d0 - r0, d1 - r1", "d0 + r0, d1 + r1"),
            ("radius dropped", "sums.error += weight * radius;", "")],
        "squared error": [("+ change^2", SQUARE, SQUARE.replace("-", "+")),
            ("no e^2 / 4", SQUARE, "-change * change"),
            ("factor 1 for 2 r e", "2.0 * std::max(r0 * x.low, r0 * x.high)", "std::max(r0 * x.low, r0 * x.high)"),
            ("smaller r e", "std::max(r1 * x.low, r1 * x.high)", "std::min(r1 * x.low, r1 * x.high)"),
            ("no 2 |r| radius", "(2.0 * distance * radius + radius * radius)", "(radius * radius)")],
        "cross-entropy": [("lift: an eighth", "lifted ? 0.25 * high[j]", "lifted ? 0.125 * high[j]"),
            ("factor 3 for 4", "4.0 * (lifted_left.value", "3.0 * (lifted_left.value"),
            ("sag: sign", "right.value) - sag", "right.value) + sag"),
            ("sag: whole for half", "0.5 * std::max(0.0, sum * second", "std::max(0.0, sum * second"),
            ("sag: no square of the mean", VARIANCE, "sum * second - error"),
            ("sag: larger probability", "std::min(margins.p_left[j]", "std::max(margins.p_left[j]"),
            ("sag: of one chord", "std::min(sag, least_sag(margins, lifted_left.own, lifted_right.own))", "sag"),
            ("radius dropped", "sums.error += radius;", "")],
        "largest of the cubic": [("sign in the discriminant", "b * b + 3.0 * cube * c", "b * b - 3.0 * cube * c"),
            ("no roots", "if (s > 0.0 && s < 1.0)", "if (s > 2.0)"),
            ("no error", "return up(error) + gamma", "return gamma")]},
    "penalty_bound.cpp": {
        "penalty: sag": [("l1: of the larger end", "2.0 * std::min(d0, d1)", "2.0 * std::max(d0, d1)"),
            ("l1: without a change of sign", "crosses ? 2.0 * std::min(d0, d1) : 0.0", "2.0 * std::min(d0, d1)"),
            ("l2: sum for difference", "change = x1 - x0", "change = x1 + x0"),
            ("sign", "sums.bend_left = -scale", "sums.bend_left = scale"),
            ("sign on the right", "sums.bend_right = -scale", "sums.bend_right = scale")],
        "penalty: ends": [("t for 1 - t", "(1.0 - t1) * a + t1 * b", "t1 * a + (1.0 - t1) * b"),
            ("of one sample", "penalty_.strength * static_cast<double>(samples)", "penalty_.strength")],
        "penalty: rounding": [("dropped", "up(4.0 * gamma(terms + 16) * (scale * total.size))", "0.0"),
            ("of few terms", "gamma(terms + 16)", "gamma(16)")]},
    "wrong_times.cpp": {
        "cover": [("sign in the discriminant", "b * b + 4.0 * c * m0", "b * b - 4.0 * c * m0"),
            ("concave: not checked", "range.from = before;", "range.from = roots[1];"),
            ("concave: no c / 4", "std::max(f.m0, f.m1) + 0.25 * f.c <", "std::max(f.m0, f.m1) <"),
            ("convex: places exchanged", "cover.push_back({0.0, from})", "cover.push_back({0.0, to})")],
        "wrong times": [("possible: - radius", "m0 + radius, m1 + radius", "m0 - radius, m1 - radius"),
            ("possible: low deviation", "m1 + radius, deviation.high", "m1 + radius, deviation.low"),
            ("certain: - radius", "radius - m0, radius - m1", "-radius - m0, -radius - m1"),
            ("certain: sign of low", "radius - m1, -deviation.low", "radius - m1, deviation.low")],
        "sweep": [("closed like open", "const int begins = open ? 1 : 0", "const int begins = 1"),
            ("open like closed", "const int begins = open ? 1 : 0", "const int begins = 0")]},
    "error_pieces.cpp": {
        "error counts": [("a sample counts twice", "join(own);", ""),
            ("possible for certain", "gather(pieces, &WrongTimes::certain)", "gather(pieces, &WrongTimes::possible)")]},
    "sample_products.cpp": {
        "one sample: products": [("weights of the left end", "weight + change * weights.times[j]", "weight"),
            ("no change in the spread", " + aside;", ";")]},
    "sample_network.cpp": {
        "one sample: order": [("of the positions", "row % positions * outputs + row / positions", "row")]},
    "sample_tiles.cpp": {
        "one sample: values": [("t for 1 - t", "(1.0 - t) * at_a + t * at_b", "t * at_a + (1.0 - t) * at_b"),
            ("second differences not summed", "slope[x] += here[x];", "slope[x] += 0.0;")],
        "one sample: deviations": [("-q D dh: sign", "low = middle - bend - around", "low = middle + bend - around"),
            ("W m: in the middle alone", "0.5 * errors.width * turned +", ""),
            ("half the reach", "(up > down ? up : down) *", "0.5 * (up > down ? up : down) *")],
        "one sample: relu in tiles": [("off: no look at high", "Vector off = high <= least ? one : Vector{};", "Vector off = one;"),
            ("on: no look at high", "Vector on = high >= -least ? one : Vector{};", "Vector on = one;")],
        "one sample: maximum in tiles": [("no look at the others", "simple = rise <= high ? simple : Vector{};", ""),
            ("winner of one end", "Vector simple = winner == next ? one : Vector{};", "Vector simple = one;")]},
    "sample_kinks.cpp": {
        "one sample: kinks": [("a place behind", "          i + 1, second_difference", "          i, second_difference"),
            ("negative deviations dropped", "low[row] != 0.0 || high[row] != 0.0", "low[row] > 0.0 || high[row] > 0.0")]},
    "sample_back.cpp": {
        "one sample: looking back": [("rests left out of the center", "center += v * (slope * middle + rest);", "center += v * slope * middle;"),
            ("rests left out of the spread", "spread += std::abs(v) * around;", ""),
            ("inputs left out", "spread += std::abs(left + time * change) * reach;", ""),
            ("W m: in the middle alone", "0.5 * grid_.width * (aside + std::abs(turned)) +", ""),
            ("the margin's weights in the middle alone", "half * (std::abs(turned) + reach) +", "")]},
    "sample_units.cpp": {
        "one sample: relu": [("off: no look at high", "if (off && rows.high[row] <= least)", "if (off)"),
            ("on: no look at high", "if (!off && rows.high[row] >= -least)", "if (!off)")],
        "one sample: relu, relaxed": [("on: no look at low", "(-least - z.low) * (1.0 + 0x1p-48)", "0.0"),
            ("high: no low", "-above - slope * z.low)", "-above)"),
            ("low: of the whole", "least_of_larger(other * z.low, below", "least_of_larger(z.low, below")],
        "one sample: maximum": [("no look at the others", "    if (below) {", "    if (true) {"),
            ("winner of one end", "if (winner == winners.right && flat)", "if (flat)")],
        "one sample: margins": [("no label", "value(i, o) - value(i, label);", "value(i, o);"),
            ("spread: no magnitude", "(std::abs(middle) + 0.5", "(middle + 0.5")]},
    "sample_proof.cpp": {
        "one sample: counts": [
            ("coarse pieces kept", "drop_covered(jobs);", ""),
            ("a grid left out", "from < parts; from += each", "from + each < parts; from += each"),
            ("pieces behind a grid dropped", "&& piece.interval.t1 <= grid.t1", "")]},
    "kink_enclosure.cpp": {
        "kinks: what a unit adds": [
            ("high, on: low deviation", "(1.0 - slope) * high[part] - a.least", "(1.0 - slope) * low[part] - a.least"),
            ("high, off: high deviation", "-slope * low[part] - b.least", "-slope * high[part] - b.least"),
            ("low, on: smaller chord", "(1.0 - slope) * low[part] - a.most", "(1.0 - slope) * low[part] - a.least"),
            ("low: smaller mean chord", "-both.most", "-both.least"),
            ("reach: smaller chord", "std::max(low[part] - a.most, -b.most)", "std::max(low[part] - a.least, -b.least)")],
        "kinks: state of a unit": [
            ("on: no look at low", "chord.least + low[part] > error", "chord.least > error"),
            ("off: no look at high", "chord.most + high[part] < -error", "chord.most < -error"),
            ("surely off: without the deviation", "sizes.rows[unit] * lengths_.carried", "0.0")],
        "kinks: form": [
            ("-q D dh: sign", "middle[0] - change[0]", "middle[0] + change[0]"),
            ("skew: sign", "middle[1 + old_] + change[1]", "middle[1 + old_] - change[1]"),
            ("turned: no D", "middle[2 + old_ + k] + change[2 + k]", "middle[2 + old_ + k]"),
            ("turned: new ones dropped", "turned_[i * all + k] = between.difference[weight]", "turned_[i * all + k] = 0.0"),
            ("plain: new ones dropped", "plain_[i * all + k] = between.middle[weight]", "plain_[i * all + k] = 0.0")],
        "kinks: bounds": [
            ("skew: places exchanged", "std::min(skew * places.least_skew[part], skew * places.most_skew[part])",
             "std::max(skew * places.least_skew[part], skew * places.most_skew[part])"),
            ("skew: no extreme inside", "constexpr double extreme = 0.0481126", "constexpr double extreme = 0.046"),
            ("turned: dropped", "around + aside * sums.turned[part]", "around"),
            ("rest: dropped", "const double around = up(rest +", "const double around = up(0.0 * rest +"),
            ("rest: no turned skew", "aside * (std::abs(skew) * skews + aside", "aside * (0.0 * skews + aside"),
            ("rest: not carried", "sizes.rows[kept_[i]] * (lengths_.rest + rounding)", "sizes.rows[kept_[i]] * rounding"),
            ("rounding: dropped", "up(4.0 * gamma(step.inputs + 64)", "up(0.0 * gamma(step.inputs + 64)")],
        "kinks: radius": [("carried dropped", "sizes[index]->spectral * length", "0.0"),
            ("carried dropped behind", "std::ranges::max(sizes[index]->rows) * length", "0.0"),
            ("of one unit", "std::sqrt(static_cast<double>(step.out_rows)) * error", "error")]},
    "kink_products.cpp": {
        "kinks: sums of ranges": [("sign of the weight", "weight > 0.0 ? tables.low[k] : tables.high[k]", "tables.low[k]"),
            ("turned: signs cancel", "turn = std::abs(turned[k])", "turn = turned[k]")]},
    "kink_pieces.cpp": {
        "kinks: wrong times": [("possible: without the deviation", "most = high + around", "most = around"),
            ("certain: high deviation", "least = low - around", "least = high - around"),
            ("chord: of the whole interval", "return {at(part), at(part + 1)}", "return {at(0), at(kink_parts)}")],
        "kinks: cross-entropy": [("without the deviation at the right", "chord.last + high;", "chord.last;")]},
    "spectral.cpp": {
        "spectral norm": [("a root forgotten", "for (std::size_t k = squarings + 1; k-- > 0;)", "for (std::size_t k = squarings; k-- > 0;)"),
            ("of a alone", "std::max(spectral_bound(a, rows, columns), spectral_bound(b, rows, columns))",
             "spectral_bound(a, rows, columns)"),
            ("rows: of a alone", "std::max(of(a), of(b))", "of(a)")]},
    "segment_run.cpp": {
        "partition": [("last part forgotten", "i < parts; ++i)", "i + 1 < parts; ++i)")],
        "first layer": [("t for 1 - t", "(1.0 - t) * first_a_", "t * first_a_")]},
    "loss_proof.cpp": {
        "perplexity": [("no exponential", "perplexity_ ? std::exp(value) * (1.0 + 0x1p-49) : value", "value")],
        "penalty": [("forgotten", "run.problem().penalty.any()", "false")]},
    "certifier.cpp": {
        "penalty": [("of an error rate", "if (includes_penalty(metric))", "if (true)")]}}


def copy_sources(to):
    """What has changed only, so that little is built again."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        source, copy = ROOT / name, to / name
        if source.is_file() and not (copy.is_file() and copy.read_bytes() == source.read_bytes()):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def configure(build):
    command = ["cmake", "--preset", "release", "-DISTHMUS_BUILD_BENCH=OFF"]
    if shutil.which("ccache"):
        os.environ.setdefault("CCACHE_BASEDIR", str(build))
        os.environ.setdefault("CCACHE_NOHASHDIR", "1")
        command.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    subprocess.run(command, cwd=build, check=True, stdout=subprocess.DEVNULL)


def first_failure(build):
    """Of the sources as they are: the name of a test, why there is none, or None."""
    made = subprocess.run(["cmake", "--build", "build/release", "-j1", "--target", "isthmus_certify_tests"],
                          cwd=build, capture_output=True, text=True)
    if made.returncode:
        print(made.stdout[-2000:], file=sys.stderr)
        return "DOES NOT COMPILE"
    for tests in PASSES:
        try:
            run = subprocess.run(["build/release/tests/isthmus_certify_tests", "--gtest_brief=1",
                                  "--gtest_fail_fast", "--gtest_filter=" + tests],
                                 cwd=build, capture_output=True, text=True, errors="replace", timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return "(hangs)"
        if run.returncode:
            failed = re.search(r"\[  FAILED  \] ([\w/]+\.[\w/]+)", run.stdout)
            return failed[1] if failed else f"(crash, code {run.returncode})"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "mutate", metavar="DIR",
                        help="holds the copy of the sources and its build (default: build/mutate)")
    parser.add_argument("--only", default="", metavar="SUBSTRING",
                        help="only errors with this text in 'file: formula: error'")
    parser.add_argument("--markdown", action="store_true", help="write a table to standard output at the end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    errors = [(file, formula, *error) for file, formulas in ERRORS.items() for formula, list_of in formulas.items()
              for error in list_of if options.only in f"{file}: {formula}: {error[0]}"]
    missing = 0
    for file, formula, error, text, _ in errors:
        count = (ROOT / ROOM / file).read_text().count(text)
        if count != 1:
            print(f"{file}: {formula}: {error}: '{text}' occurs {count} times, not once", file=sys.stderr)
            missing += 1
    if missing or not errors:
        sys.exit(1 if errors else "nothing to do")
    build = options.build.resolve()
    copy_sources(build)
    configure(build)
    failure = first_failure(build)
    if failure:
        sys.exit(f"without any error: {failure}")
    begin = time.monotonic()
    bad = 0
    table = {}
    for i, (file, formula, error, text, wrong) in enumerate(errors):
        path = build / ROOM / file
        right = path.read_text()
        try:
            path.write_text(right.replace(text, wrong))
            failure = first_failure(build) or "SURVIVED"
        finally:
            path.write_text(right)
        bad += failure in ("SURVIVED", "DOES NOT COMPILE")
        table.setdefault((formula, failure), []).append(error)
        left = (time.monotonic() - begin) / (i + 1) * (len(errors) - i - 1)
        print(f"[{i + 1}/{len(errors)}, {left / 60:.0f} min left] {file}: {formula}: {error}: {failure}",
              file=sys.stderr, flush=True)
    if options.markdown:
        print("| formula | planted error | test that fails |\n| --- | --- | --- |")
        for (formula, failure), own in table.items():
            print("| {} | {} | {} |".format(*(cell.replace("|", "\\|") for cell in (formula, "; ".join(own), failure))))
    print(f"{len(errors) - bad} of {len(errors)} errors are noticed", file=sys.stderr)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
