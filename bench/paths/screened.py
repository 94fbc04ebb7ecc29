#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Screened checks of a loss against whole grids of 101 points: five pairs of each of four networks.

Each pair is trained to a test cross-entropy and joined at it with screened checks (21 points, as
the command has them); then every point of a grid of 101 is looked at on all samples of the test
split. Says how the two largest values compare, and how many paths exceed their threshold there.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys


def dense(width, activation):
    return [{"type": "linear", "out_features": width}, {"type": activation}]


LAST = {"type": "linear", "out_features": 10}
NETWORKS = {
    "relu": [{"type": "flatten"}, *dense(32, "relu"), *dense(32, "relu"), LAST],
    "tanh": [{"type": "flatten"}, *dense(32, "tanh"), LAST],
    "strided": [{"type": "conv2d", "out_channels": 6, "kernel": 5, "stride": 2}, {"type": "relu"}, {"type": "flatten"},
                LAST],
    "pooled": [{"type": "conv2d", "out_channels": 6, "kernel": 5, "stride": 2}, {"type": "relu"},
               {"type": "avg_pool2d"}, {"type": "flatten"}, *dense(24, "relu"), LAST],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("isthmus", help="the command")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/screened"))
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--threshold", default="0.25")
    parser.add_argument("--pairs", default="5")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the table, screened.csv")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, layers in NETWORKS.items():
        network = arguments.runs / f"{name}.json"
        network.write_text(json.dumps({"input": [1, 28, 28], "layers": layers}))
        folder = arguments.runs / name
        command = [arguments.isthmus, "sweep", "--network", str(network), "--dataset", arguments.dataset, "--metric",
                   "cross_entropy", "--thresholds", arguments.threshold, "--pairs", arguments.pairs, "--check",
                   "screened", "--other-split", "none", "--bead-average", "0", "--bead-bend", "0",
                   "--bead-importance", "0", "--out", str(folder)]
        if folder.exists():
            command.append("--resume")
        if not (folder / "summary.json").exists():
            subprocess.run(command, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=True)
        with open(folder / "cells.csv", newline="") as file:
            cells = [cell for cell in csv.DictReader(file) if cell["verdict"] == "connected"]
        for cell in cells:
            path = folder / "paths" / f"{cell['threshold']}_{cell['pair']}.safetensors"
            told = folder / f"grid_{cell['pair']}.json"
            if not told.exists():
                found = subprocess.run([arguments.isthmus, "verify", str(path), "--points", "101", "--json"],
                                       stdout=subprocess.PIPE, text=True, check=False)
                if found.returncode not in (0, 1):
                    sys.exit(f"exit code {found.returncode} of verify {path}")
                told.write_text(found.stdout)
            grid = json.loads(told.read_text())[0]
            rows.append({"network": name, "pair": cell["pair"], "threshold": cell["threshold"], "beads": cell["beads"],
                         "passes": cell["check_evaluations"], "screened": float(cell["max_metric"]),
                         "grid": grid["max_metric"],
                         "difference": grid["max_metric"] / float(cell["max_metric"]) - 1.0,
                         "exceeds": grid["max_metric"] > float(cell["threshold"])})
            print(" ".join(f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
                           for key, value in rows[-1].items()), flush=True)
    print(f"{len(rows)} paths, {sum(row['exceeds'] for row in rows)} exceed their threshold, largest difference "
          f"{max(abs(row['difference']) for row in rows):.2e}")
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        with open(arguments.keep / "screened.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
