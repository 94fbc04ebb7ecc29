#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table at the top of docs/reproduction.md, from results/figure1 and docs/published.

    tools/reproduction_table.py            prints it
    tools/reproduction_table.py --check    exits 1 where docs/reproduction.md has another

A mean agrees where it lies within two standard errors of the published one: of the difference, whose variance is the
sum of that of our mean and of the published one. The latter is the half bar, but for quadratic and cubic, whose bars are
those of a job of ten pairs, and whose means are of ten jobs: the half bar over the root of ten. Where both are 0 the two
must be equal. Lengths are those of the weights, as published.
"""

import csv
import math
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = {  # row: its published tables' name, a published threshold in the metric's unit, jobs that a bar is of one of
    "quadratic": ("quadratic", 1.0, 10),
    "cubic": ("cubic", 1.0, 10),
    "mnist": ("mnist", 0.01, 1),
    "cifar10": ("cifar", 0.01, 1),
    "ptb": ("ptb", 1.0, 1),
}
PROTOCOLS = {"paper": ("paper", "paper-oracle"), "strict": ("strict",)}
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


def measured(folder):
    with open(folder / "curve.csv", encoding="utf-8") as file:
        return {round(float(row["threshold"]), 9): row for row in csv.DictReader(file)}


def agrees(value, error, other, other_error):
    error = 0.0 if math.isnan(error) else error
    return abs(value - other) <= 2.0 * math.hypot(error, other_error) + 1e-9


def count(points, curve, mean, error):
    return sum(
        agrees(float(curve[x][mean]), float(curve[x][error]), *points[x])
        for x in points
        if x in curve and int(curve[x]["connected"]) > 0
    )


def table():
    lines = [HEAD]
    for row, (name, unit, jobs) in ROWS.items():
        lengths = published(f"{name}_length", unit, jobs)
        beads = published(f"{name}_beads", unit, jobs)
        for protocol, folders in PROTOCOLS.items():
            folder = next(
                (f for f in (ROOT / "results" / "figure1" / row / g for g in folders) if f.is_dir()), None
            )
            if folder is None:
                lines.append(f"| {row} | {protocol} | {len(lengths)} | 0 | | | | |")
                continue
            curve = measured(folder)
            here = [x for x in lengths if x in curve]
            tried = [int(curve[x]["pairs"]) for x in here]
            joined = sum(int(curve[x]["connected"]) for x in here)
            span = str(min(tried)) if min(tried) == max(tried) else f"{min(tried)} to {max(tried)}"
            lines.append(
                f"| {row} | {protocol} | {len(lengths)} | {len(here)} "
                f"| {count(lengths, curve, 'length_weights_mean', 'length_weights_sem')} "
                f"| {count(beads, curve, 'beads_mean', 'beads_sem')} "
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
