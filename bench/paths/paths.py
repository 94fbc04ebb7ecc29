#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What paths cost: two pairs of networks for each seed, joined by every method, raw and aligned.

Each pair is trained by `isthmus train` to a training cross-entropy; its paths are asked for at 1.2,
1.02 and 1.0 times the larger value of its two end points. Counted are training samples whose
gradient was computed, forward samples of looks while beads train, forward samples of checks, and
the processor time of the command. A gradient counts as three forward samples in `total`.

Finished runs are kept in the folder --runs and not computed again.
"""

import argparse
import csv
import hashlib
import itertools
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LEVELS = (1.2, 1.02, 1.0)
PAIRS = {"mlp": "0.026", "convnet": "0.04"}  # the training cross-entropy of the end points
TRAINING = ["--metric", "cross_entropy", "--split", "train", "--threads", "1"]
# A method, and what was best for it of the rates tried (results/paths/README.md).
METHODS = {
    "greedy": [],
    "greedy-sampled": ["--check", "sampled"],
    "greedy-screened": ["--check", "screened"],
    "bezier": ["--method", "bezier", "--optimizer", "sgd", "--learning-rate", "0.1"],
    "polychain": ["--method", "polychain", "--optimizer", "adam", "--learning-rate", "0.003"],
    "neb": ["--method", "neb", "--optimizer", "sgd", "--learning-rate", "0.02", "--neb-pivots", "1"],
}
COLUMNS = ("pair", "seed", "ends", "method", "level", "threshold", "verdict", "gradients", "looks", "checks", "total",
           "processor_seconds", "length", "beads", "max_metric", "proof")


def run(command):
    """Runs a command that may fail to connect; returns the processor seconds it took."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        message = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"exit code {child.returncode} of {' '.join(map(str, command))}\n{message}")
    return usage.ru_utime + usage.ru_stime


class Bench:
    def __init__(self, arguments):
        self.isthmus = arguments.isthmus
        self.runs = arguments.runs
        self.data = ["--dataset", arguments.dataset] + (["--data", arguments.data] if arguments.data else [])
        self.extra = arguments.extra

    def problem(self, pair, seed):
        return ["--network", str(HERE / f"{pair}.json"), *self.data, *TRAINING, "--seed", str(seed)]

    def end_points(self, pair, seed):
        """The files of a pair, and the larger of its two values."""
        files, values = [], []
        for side in "AB":
            file = self.runs / f"{pair}-{seed}-{side}.safetensors"
            told = file.with_suffix(".json")
            if not told.exists():
                command = [self.isthmus, "train", *self.problem(pair, seed), "--threshold", PAIRS[pair], "--side", side,
                           "--optimizer", "momentum", "--learning-rate", "0.02", "--check-every", "100",
                           "--looks", "full", "--out", str(file), "--json"]
                result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                told.write_text(result)
            files.append(str(file))
            values.append(json.loads(told.read_text())["value"])
        return files, max(values)

    def path(self, pair, seed, ends, method, level):
        """One row of the table."""
        (a, b), worse = self.end_points(pair, seed)
        threshold = float(f"{level * worse:.6g}") if level > 1.0 else worse
        if ends == "aligned" and level == 1.0:
            threshold *= 1.0 + 1e-6  # sums in another order: B's copy may lie a rounding above B
        options = [*METHODS[method], *(["--align", "weights"] if ends == "aligned" else []), *self.extra]
        name = f"{pair}-{seed}-{ends}-{method}-{level}"
        if self.extra:
            name += "-" + hashlib.sha256(" ".join(self.extra).encode()).hexdigest()[:8]
        folder = self.runs / name
        kept = folder / "processor.json"
        if not kept.exists():
            command = [self.isthmus, "connect", *self.problem(pair, seed), "--from", a, "--to", b, "--threshold",
                       repr(threshold), "--other-split", "none", *options, "--out", str(folder)]
            if folder.exists():
                command.append("--resume")
            kept.write_text(json.dumps({"processor_seconds": run(command), "command": command}))
        return self.row(folder, (pair, seed, ends, method, level, threshold))

    @staticmethod
    def row(folder, names):
        with open(folder / "cells.csv", newline="") as file:
            cell = next(csv.DictReader(file))
        detail = json.loads(next((folder / "cells").iterdir()).read_text())["details"]
        gradients = int(cell["gradient_samples_beads"])
        looks = int(detail["forward_samples_beads"])
        checks = int(cell["forward_samples_checks"])
        seconds = json.loads((folder / "processor.json").read_text())["processor_seconds"]
        return dict(zip(COLUMNS, (*names, cell["verdict"], gradients, looks, checks, 3 * gradients + looks + checks,
                                  round(seconds, 2), round(float(cell["normalized_length"]), 4), int(cell["beads"]),
                                  float(cell["max_metric"]), cell["proof"])))


def line(row):
    millions = "".join(f"{row[key] / 1e6:9.3f}" for key in ("gradients", "looks", "checks", "total"))
    return (f"{row['pair']:8}{row['seed']:<5}{row['ends']:8}{row['method']:16}{row['level']:<6}{millions}"
            f"{row['processor_seconds']:9.1f}{row['length']:8.3f}{row['beads']:6}  {row['verdict']}, {row['proof']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("isthmus", help="the command")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/paths"))
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data", help="the folder of data sets; else as the command finds them")
    parser.add_argument("--pairs", default="mlp,convnet")
    parser.add_argument("--seeds", default="1", help="one pair of networks each, e.g. 1,2,3")
    parser.add_argument("--ends", default="raw,aligned")
    parser.add_argument("--methods", default="greedy,bezier,polychain,neb")
    parser.add_argument("--levels", default=",".join(map(str, LEVELS)))
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the table")
    parser.add_argument("--table", default="paths.csv", help="its name there [paths.csv]")
    parser.epilog = "Behind --: more options of every path."
    own = sys.argv[1:]
    behind = own.index("--") if "--" in own else len(own)
    arguments = parser.parse_args(own[:behind])
    arguments.extra = own[behind + 1:]
    arguments.runs.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments)
    print(f"{'pair':8}{'seed':5}{'ends':8}{'method':16}{'level':6}{'gradients':>9}{'looks':>9}{'checks':>9}"
          f"{'total, M':>9}{'cpu, s':>9}{'length':>8}{'beads':>6}")
    rows = []
    for pair, seed, ends, method, level in itertools.product(
            arguments.pairs.split(","), map(int, arguments.seeds.split(",")), arguments.ends.split(","),
            arguments.methods.split(","), map(float, arguments.levels.split(","))):
        rows.append(bench.path(pair, seed, ends, method, level))
        print(line(rows[-1]), flush=True)
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        with open(arguments.keep / arguments.table, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
