#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks a certificate of `isthmus verify --certified` against its path file, with another method and other
arithmetic than the program that wrote it: nothing of isthmus is called, and every decision is made in integers.

For each interval of the certificate it proves that the metric is nowhere above the claimed bound, or names a t
where it is above. It also checks that the certificate belongs to the path, that its intervals cover [0, 1], that
bounds, outcomes and `proven` follow from each other, and that each `largest_seen` is reached at its t.
docs/certificate.md, "Checking a certificate with another program", has the mathematics and what is assumed.

exit codes: 0 all of it holds; 1 something does not hold or is not settled, each named on standard error;
64 wrong use, or a network, metric or data set that is not covered; 65 a malformed file; 66 a missing file.
"""
import argparse
import math
import sys
import time
from fractions import Fraction

from certificate_checker.enclosure import Change, Point, Segment, layers_of
from certificate_checker.inputs import Samples, Stop, field, malformed, number, parse_json, read_bytes, read_path, usage
from certificate_checker.proofs import CountProof, LossProof, Penalty, exactly

FORMAT = "isthmus-certificate-1"
METRICS = ("mean_absolute_error", "mean_squared_error", "cross_entropy", "error_rate")
GAP_ROOM = 1e-11  # absolute and relative: what isthmus allows on top of a gap, and more


def read_certificate(file):
    """Checks every field's type; returns the record with segments' intervals as (Fraction, Fraction, bound)."""
    try:
        text = read_bytes(file).decode()
    except UnicodeDecodeError:
        raise malformed(f"{file}: not valid JSON: not UTF-8") from None
    record = parse_json(text, file)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise malformed(f"{file}: expected the format {FORMAT}")
    for key, kinds in (("path_sha256", str), ("task", str), ("metric", str), ("split", str), ("proven", bool),
                       ("largest_seen_segment", int), ("segments", list)):
        field(record, key, kinds, file)
    for key in ("threshold", "bound", "largest_seen", "largest_seen_t"):
        number(record, key, file)
    if record.get("penalty") is not None:  # a field of later certificates
        field(record, "penalty", str, file)
    if record["split"] not in ("train", "test"):
        raise malformed(f"{file}: split: expected train or test, found '{record['split']}'")
    if field(record, "gap", (int, float, type(None)), file) is not None:
        number(record, "gap", file)
    for i, segment in enumerate(record["segments"]):
        where = f"{file}: segment {i}"
        field(segment, "index", int, where)
        if field(segment, "outcome", str, where) not in ("proven", "violated", "undecided"):
            raise malformed(f"{where}: outcome: found '{segment['outcome']}'")
        for key in ("bound", "largest_seen", "t"):
            number(segment, key, where)
        intervals = []
        for k, interval in enumerate(field(segment, "intervals", list, where)):
            ends = [Fraction(number(interval, key, f"{where}, interval {k}")) for key in ("t0", "t1")]
            intervals.append((*ends, number(interval, "bound", f"{where}, interval {k}")))
        segment["intervals"] = intervals
    return record


def contradictions(certificate, beads):
    """What in the certificate does not follow from the rest of it, one text each."""
    segments = certificate["segments"]
    if [segment["index"] for segment in segments] != list(range(beads - 1)):
        yield f"segments: expected 0 to {beads - 2} in order, as the path has {beads} beads, found {len(segments)}"
        return
    for segment in segments:
        where = f"segment {segment['index']}"
        at = 0
        for t0, t1, bound in segment["intervals"]:
            if t0 != at or t1 <= t0:
                yield f"{where}: the intervals leave a gap or overlap: expected one from t = {exactly(at)}, found {exactly(t0)}"
            if bound > segment["bound"]:
                yield (f"{where}, interval [{exactly(t0)}, {exactly(t1)}]: its bound {bound!r} is above that of the "
                       f"segment, {segment['bound']!r}")
            at = t1
        if at != 1:
            yield f"{where}: the intervals end at t = {exactly(at)}, not at 1"
        if segment["largest_seen"] > segment["bound"]:
            yield f"{where}: largest_seen {segment['largest_seen']!r} is above the bound {segment['bound']!r}"
        if not 0 <= segment["t"] <= 1:
            yield f"{where}: t = {segment['t']!r} is not in [0, 1]"
        yield from outcome_contradictions(certificate, segment, where)
    for key in ("bound", "largest_seen"):
        largest = max(segment[key] for segment in segments)
        if certificate[key] != largest:
            yield f"{key}: the largest of the segments is {largest!r}, claimed is {certificate[key]!r}"
    index = certificate["largest_seen_segment"]
    seen = segments[index] if 0 <= index < len(segments) else {}
    if (seen.get("largest_seen"), seen.get("t")) != (certificate["largest_seen"], certificate["largest_seen_t"]):
        yield f"largest_seen_segment: segment {index} does not have that largest_seen at that t"
    if certificate["proven"] != all(segment["outcome"] == "proven" for segment in segments):
        yield "proven: it does not agree with the outcomes of the segments"


def outcome_contradictions(certificate, segment, where):
    threshold, gap, seen = certificate["threshold"], certificate["gap"], segment["largest_seen"]
    target = threshold if gap is None else seen + gap * abs(seen) + GAP_ROOM * (1 + abs(seen)) * (1 + gap)
    if segment["outcome"] == "proven" and segment["bound"] > target:
        what = f"the threshold {threshold!r}" if gap is None else f"largest_seen and the gap {gap!r}"
        yield f"{where}: said to be proven, but its bound {segment['bound']!r} is above {what}"
    if segment["outcome"] == "violated" and seen <= threshold:
        yield f"{where}: said to be violated, but largest_seen {seen!r} is not above the threshold {threshold!r}"


def expected_seconds(layers, beads, samples, segments):
    """A guess from the first few samples: their first layer, and four pieces for each interval."""
    few = min(8, len(samples))
    begin = time.perf_counter()
    Segment(layers, beads[0], beads[1], samples.inputs[:1], samples.bits)
    middle = time.perf_counter()
    segment = Segment(layers, beads[0], beads[1], samples.inputs[: few + 1], samples.bits)
    first = max(0, (time.perf_counter() - middle) - (middle - begin)) / few
    change = Change(Point(segment, Fraction(0)), Point(segment, Fraction(1)))
    begin = time.perf_counter()
    for sample in range(few):
        values = [segment.values(sample, point) for point in (change.left, change.right)]
        segment.widths(change, *values)
    piece = (time.perf_counter() - begin) / few
    intervals = sum(len(chosen["intervals"]) for chosen in segments)
    return len(samples) * (len(segments) * first + 4 * intervals * piece)


def check_segment(segment, chosen, proof):
    """What does not hold of one segment, and the number of pieces looked at."""
    wrong, pieces = proof.check(segment, chosen["intervals"])
    found = [
        f"interval [{exactly(t0)}, {exactly(t1)}]: claimed at most {bound!r}; {wrong[k]}"
        for k, (t0, t1, bound) in enumerate(chosen["intervals"]) if k in wrong
    ]
    low, high = proof.at(segment, Fraction(chosen["t"]))
    if low < chosen["largest_seen"]:
        verdict = "refuted" if high < chosen["largest_seen"] else "not settled"
        found.append(f"largest_seen: claimed at least {chosen['largest_seen']!r} at t = {chosen['t']!r}; {verdict}: "
                     f"it is between {float(low):.17g} and {float(high):.17g}")
    return found, pieces


def parse_segments(text, count):
    if text is None:
        return list(range(count))
    try:
        chosen = sorted({int(word) for word in text.split(",")})
    except ValueError:
        raise usage(f"--segments: expected numbers with commas between, got '{text}'") from None
    if chosen[0] < 0 or chosen[-1] >= count:
        raise usage(f"--segments: expected 0 to {count - 1}, got '{text}'")
    return chosen


def check(arguments):
    """Prints what holds; returns the list of what does not."""
    certificate = read_certificate(arguments.certificate)
    metadata, beads, digest = read_path(arguments.path)
    if certificate["path_sha256"] != digest:
        return [f"the certificate belongs to another path: its path_sha256 is {certificate['path_sha256']}, "
                f"that of {arguments.path} is {digest}"]
    metric, problem = certificate["metric"], metadata["problem"]
    if metric not in METRICS:
        raise usage(f"metric '{metric}' is not covered: expected one of {', '.join(METRICS)}")
    if certificate["task"] != field(problem, "task", str, arguments.path):
        return [f"task: the certificate says '{certificate['task']}', the path '{problem['task']}'"]
    if "normalise" in problem:
        raise usage("normalised inputs are not covered: expected a problem whose inputs are bytes / 255")
    penalty = problem.get("penalty") if metric != "error_rate" else None
    if penalty is not None and field(problem, "penalty", str, arguments.path) == "none":
        penalty = None
    if certificate.get("penalty") != penalty:
        return [f"penalty: the certificate says {certificate.get('penalty') or 'none'}, the path {penalty or 'none'}"]
    found = list(contradictions(certificate, len(beads)))
    if found:
        return found
    chosen = parse_segments(arguments.segments, len(beads) - 1)
    samples = Samples(problem, certificate["split"], arguments.data)
    layers, layout = layers_of(field(problem, "network", dict, arguments.path), samples, metric)
    if layout != metadata["layout"] or sum(math.prod(tensor["shape"]) for tensor in layout) != len(beads[0]):
        raise malformed(f"{arguments.path}: its layout or its number of weights is not that of its network")
    if metric == "error_rate":
        proof = CountProof(metric, samples, arguments.budget)
    else:
        proof = LossProof(metric, samples, arguments.budget, Penalty(penalty, layout) if penalty else None)
    segments = [certificate["segments"][i] for i in chosen]
    seconds = expected_seconds(layers, beads, samples, segments)
    if seconds > 3600 * arguments.hours:
        return [f"not checked: it would take about {seconds / 3600:.1f} hours; --hours allows more, --segments less"]
    if seconds > 60:
        print(f"check_certificate: about {seconds / 60:.0f} minutes", file=sys.stderr)
    for record in segments:
        begin, i = time.perf_counter(), record["index"]
        wrong, pieces = check_segment(Segment(layers, beads[i], beads[i + 1], samples.inputs, samples.bits), record, proof)
        found += [f"segment {i}, {text}" for text in wrong]
        if not wrong:
            print(f"segment {i}: {metric} is at most {record['bound']!r}: {len(record['intervals'])} intervals, "
                  f"{pieces} pieces, {time.perf_counter() - begin:.1f} s", flush=True)
    if not found:
        whole = len(chosen) == len(beads) - 1
        where = "everywhere on the path" if whole else f"on segments {', '.join(map(str, chosen))} of 0 to {len(beads) - 2}"
        bound = max(record["bound"] for record in segments)
        verdict = "" if certificate["proven"] else " (the certificate itself says: not proven to what was asked)"
        what = f"{metric} with the penalty {penalty}" if penalty else metric
        print(f"confirmed: {what} on {certificate['split']}, {len(samples)} samples: at most {bound!r} {where}{verdict}")
    return found


def parse_arguments():
    class Parser(argparse.ArgumentParser):
        def error(self, message):
            raise usage(message)

    parser = Parser(prog="check_certificate.py", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("certificate", metavar="CERTIFICATE", help="certificate.json")
    parser.add_argument("path", metavar="PATH", help="the path file that it belongs to (.safetensors)")
    parser.add_argument("--data", metavar="DIR", help="the folder that holds mnist/ or fashion-mnist/ [as isthmus]")
    parser.add_argument("--segments", metavar="I,J", help="only these segments, from 0")
    parser.add_argument("--budget", metavar="N", type=int, default=1000,
                        help="give up on an interval after N pieces of it (of all samples) [%(default)s]")
    parser.add_argument("--hours", metavar="H", type=float, default=1.0,
                        help="do not begin what would take longer, by a rough guess [%(default)s]")
    arguments = parser.parse_args()
    if arguments.budget < 1:
        raise usage(f"--budget: expected at least 1, got {arguments.budget}")
    return arguments


def main():
    try:
        found = check(parse_arguments())
        code = 1 if found else 0
    except Stop as stop:
        found, code = [str(stop)], stop.code
    except KeyboardInterrupt:
        found, code = ["interrupted: nothing is confirmed but what was printed"], 130
    for text in found:
        print(f"check_certificate: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
