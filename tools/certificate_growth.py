#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How the cost of a proof grows with the depth and the width of a perceptron.

For every depth (hidden layers) and width: connects two ReLU networks on MNIST at 6 % test error, takes the
first segment of the path, and proves its cross-entropy to 10 % and its exact largest number of errors on the
10,000 test images, each with a budget of 101 evaluations: that of the usual grid of 101 points.

    tools/certificate_growth.py build/release/isthmus --data DIR --work FOLDER --out results/certify

writes growth.csv and growth.svg. Finished networks in FOLDER are not trained again.

    tools/certificate_growth.py --draw results/certify

draws growth.svg again from growth.csv.
"""

import argparse
import csv
import json
import math
import pathlib
import struct
import subprocess
import sys
import time

COLUMNS = ["depth", "width", "metric", "gap", "outcome", "intervals", "evaluations", "seconds", "bound", "largest_seen"]
BUDGET = 101


def network(depth, width):
    """A stack of `depth` hidden ReLU layers of `width` units, as JSON. He's initialisation."""
    layers = [{"type": "flatten"}]
    for layer in range(depth):
        init = {"kind": "normal", "scale": math.sqrt(2 / (width if layer else 784))}
        layers += [{"type": "linear", "out_features": width, "weight_init": init}, {"type": "relu"}]
    return {"input": [1, 28, 28], "layers": layers + [{"type": "linear", "out_features": 10}]}


def keep_first_segment(path, target):
    """Writes the first two rows of the tensor theta (M, P) of a path file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        rows, parameters = header["theta"]["shape"]
        data = file.read(8 * parameters)
    header["theta"].update(shape=[2, parameters], data_offsets=[0, 8 * parameters])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return rows - 1


def run(command):
    start = time.monotonic()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout, time.monotonic() - start


def measure(options, depth, width):
    """The rows of the table for one network."""
    folder = options.work / f"{depth}x{width}"
    folder.mkdir(parents=True, exist_ok=True)
    segment = folder / "segment.safetensors"
    if not segment.exists():
        (folder / "network.json").write_text(json.dumps(network(depth, width)))
        run([options.isthmus, "connect", "--network", folder / "network.json", "--dataset", "mnist", "--data", options.data,
             "--threshold", "0.06", "--check", "sampled", "--points", "11", "--other-split", "none",
             "--threads", options.threads, "--out", folder / "run"])
        paths = sorted((folder / "run" / "paths").glob("*.safetensors"))
        if not paths:
            return []
        keep_first_segment(paths[0], segment)
    rows = []
    for metric, gap in (("cross_entropy", "0.1"), ("error_rate", "0")):
        text, seconds = run([options.isthmus, "verify", segment, "--certified", "--metric", metric, "--gap", gap,
                             "--max-evaluations", BUDGET, "--threads", options.threads, "--data", options.data, "--json"])
        proof = json.loads(text)
        one = proof["segments"][0]
        rows.append({"depth": depth, "width": width, "metric": metric, "gap": gap, "outcome": one["outcome"],
                     "intervals": len(one["intervals"]), "evaluations": round(one["evaluations"], 2),
                     "seconds": round(seconds, 2), "bound": one["bound"], "largest_seen": one["largest_seen"]})
        print(*rows[-1].values(), flush=True)
    return rows


def figure(rows):
    """Evaluations against depth, a line for each width, both metrics: SVG."""
    widths = sorted({row["width"] for row in rows})
    depths = sorted({row["depth"] for row in rows})
    colours = ["#1b6ca8", "#d1495b", "#3c8d53", "#8e5ea2", "#c77f1b"]
    top = math.log10(200)

    def x(depth, left):
        return left + 20 + 260 * (depth - depths[0]) / max(1, depths[-1] - depths[0])

    def y(evaluations):
        return 250 - 200 * math.log10(max(1.0, evaluations)) / top

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 310" font-family="sans-serif" font-size="12">',
             '<rect width="720" height="310" fill="white"/>']
    for left, metric, title in ((50, "cross_entropy", "cross-entropy, within 10 %"), (400, "error_rate", "errors, exact")):
        parts.append(f'<text x="{left}" y="24" font-size="14">{title}</text>')
        for value in (1, 10, 100):
            parts.append(f'<path d="M{left} {y(value):.1f}H{left + 300}" stroke="#ddd"/>'
                         f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
        parts.append(f'<path d="M{left} {y(BUDGET):.1f}H{left + 300}" stroke="#555" stroke-dasharray="5 4"/>'
                     f'<text x="{left + 2}" y="{y(BUDGET) - 6:.1f}" fill="#555">a grid of {BUDGET} points</text>')
        for depth in depths:
            parts.append(f'<text x="{x(depth, left):.1f}" y="268" text-anchor="middle">{depth}</text>')
        parts.append(f'<text x="{left + 150}" y="290" text-anchor="middle">hidden layers</text>')
        for colour, width in zip(colours, widths):
            line = [row for row in rows if row["width"] == width and row["metric"] == metric]
            points = " ".join(f"{x(row['depth'], left):.1f},{y(row['evaluations']):.1f}" for row in line)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            for row in line:
                fill = colour if row["outcome"] == "proven" else "white"
                parts.append(f'<circle cx="{x(row["depth"], left):.1f}" cy="{y(row["evaluations"]):.1f}" r="3.5" '
                             f'fill="{fill}" stroke="{colour}"/>')
    for index, (colour, width) in enumerate(zip(colours, widths)):
        parts.append(f'<text x="{60 + 90 * index}" y="306" fill="{colour}">width {width}</text>')
    parts.append('<text x="400" y="306" fill="#555">open circle: not proven within the budget</text>')
    parts.append('<text x="14" y="150" transform="rotate(-90 14 150)" text-anchor="middle">evaluations of the split</text></svg>')
    return "\n".join(parts) + "\n"


def draw(folder):
    with open(folder / "growth.csv", encoding="utf-8") as file:
        rows = [{**row, "depth": int(row["depth"]), "width": int(row["width"]), "evaluations": float(row["evaluations"])}
                for row in csv.DictReader(file)]
    (folder / "growth.svg").write_text(figure(rows), encoding="utf-8")


def main():
    if sys.argv[1:2] == ["--draw"] and len(sys.argv) == 3:
        draw(pathlib.Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("isthmus", type=pathlib.Path)
    parser.add_argument("--data", required=True, help="folder that holds mnist/")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="where networks are kept")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="where growth.csv and growth.svg go")
    parser.add_argument("--depths", default="1,2,3,4,6,8")
    parser.add_argument("--widths", default="32,128,512")
    parser.add_argument("--threads", default="1")
    options = parser.parse_args()
    rows = []
    for width in map(int, options.widths.split(",")):
        for depth in map(int, options.depths.split(",")):
            rows += measure(options, depth, width)
            options.out.mkdir(parents=True, exist_ok=True)
            with open(options.out / "growth.csv", "w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                table.writeheader()
                table.writerows(rows)
    (options.out / "growth.svg").write_text(figure(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
