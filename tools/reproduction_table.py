#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table at the top of docs/reproduction.md, from results/figure1 and docs/published.

    tools/reproduction_table.py            prints it
    tools/reproduction_table.py --check    exits 1 where docs/reproduction.md has another

A mean agrees where it lies within two standard errors of the published one: of the difference, whose variance is the
sum of that of our mean and of the published one. The latter is the half bar, but for quadratic and cubic, whose bars
are those of a job of ten pairs, and whose means are of ten jobs: the half bar over the root of ten. Where both are 0
the two must be equal. A point of one pair has no error, and is not counted. Lengths are those of the weights, as
published.

A row measured in several runs (thresholds apart, or pairs of other seeds) has several folders: `paper-seed-2` holds
more pairs, whose means are pooled with those of `paper`; of `paper-low` and `-lowest` only thresholds that no other
folder has are taken (their pairs are those of `paper`).
"""

import csv
import math
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = {  # row: its published tables' name, a published threshold in the metric's unit, jobs that a bar is of one of
    "quadratic": ("quadratic", 1.0, 10),
    "cubic": ("cubic", 1.0, 10),
    "mnist": ("mnist", 0.01, 1),
    "cifar10": ("cifar", 0.01, 1),
    "ptb": ("ptb", 1.0, 1),
}
PROTOCOLS = {  # the folders of a protocol: not those of its variants (random test sets, without repair)
    "paper": re.compile(r"paper(-oracle|-low|-lowest|-seed-\d+)?"),
    "strict": re.compile(r"strict(-low|-lowest|-seed-\d+)?"),
}
HEAD = (
    "| row | protocol | published points | measured | lengths that agree | bead counts that agree | pairs a point "
    "| connected |\n|---|---|---|---|---|---|---|---|"
)


def published(name, unit, jobs):
    with open(ROOT / "docs" / "published" / f"{name}.csv", encoding="utf-8") as file:
        return {
            round(float(row["threshold"]) * unit, 9): (
                float(row["value"]),
                float(row["half_width"]) / math.sqrt(jobs),
            )
            for row in csv.DictReader(file)
        }


class Point:
    """The pairs of one threshold: how many were tried and joined, and the mean of each quantity of those joined."""

    def __init__(self):
        self.pairs = 0
        self.connected = 0
        self.parts = {"length_weights": [], "beads": []}

    def add(self, row):
        self.pairs += int(row["pairs"])
        joined = int(row["connected"])
        self.connected += joined
        for name, parts in self.parts.items():
            if joined:
                error = float(row[f"{name}_sem"]) if joined > 1 else 0.0
                parts.append((joined, float(row[f"{name}_mean"]), error))

    def mean(self, name):
        """The mean and its standard error (0 of a single pair)."""
        parts = self.parts[name]
        count = sum(n for n, _, _ in parts)
        mean = sum(n * value for n, value, _ in parts) / count
        squares = sum(n * (n - 1) * error**2 + n * (value - mean) ** 2 for n, value, error in parts)
        return mean, math.sqrt(squares / (count * (count - 1))) if count > 1 else 0.0


def measured(folders):
    points = {}
    for folder in sorted(folders, key=lambda folder: "-low" in folder.name):
        with open(folder / "curve.csv", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                x = round(float(row["threshold"]), 9)
                if not ("-low" in folder.name and x in points):
                    points.setdefault(x, Point()).add(row)
    return points


def agrees(value, error, other, other_error):
    return abs(value - other) <= 2.0 * math.hypot(error, other_error) + 1e-9


def count(points, curve, name):
    """How many means agree; "-" where none is of two pairs or more, and so none has an error of its own."""
    known = [x for x in points if x in curve and curve[x].connected > 1]
    return sum(agrees(*curve[x].mean(name), *points[x]) for x in known) if known else "-"


def table():
    lines = [HEAD]
    for row, (name, unit, jobs) in ROWS.items():
        lengths = published(f"{name}_length", unit, jobs)
        beads = published(f"{name}_beads", unit, jobs)
        for protocol, names in PROTOCOLS.items():
            curve = measured(f for f in (ROOT / "results" / "figure1" / row).iterdir() if names.fullmatch(f.name))
            here = [x for x in lengths if x in curve]
            if not here:
                lines.append(f"| {row} | {protocol} | {len(lengths)} | 0 | | | | |")
                continue
            tried = [curve[x].pairs for x in here]
            joined = sum(curve[x].connected for x in here)
            span = str(min(tried)) if min(tried) == max(tried) else f"{min(tried)} to {max(tried)}"
            lines.append(
                f"| {row} | {protocol} | {len(lengths)} | {len(here)} "
                f"| {count(lengths, curve, 'length_weights')} | {count(beads, curve, 'beads')} "
                f"| {span} | {joined} of {sum(tried)} |"
            )
    return "\n".join(lines)


def main():
    wanted = table()
    if sys.argv[1:] == ["--check"]:
        if wanted not in (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8"):
            print(f"docs/reproduction.md: expected this table (tools/reproduction_table.py):\n{wanted}", file=sys.stderr)
            return 1
        return 0
    if sys.argv[1:]:
        print(f"expected --check or nothing, got {' '.join(sys.argv[1:])}", file=sys.stderr)
        return 64
    print(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
