#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The principal axes of a run against numpy's singular value decomposition. Needs ISTHMUS_BINARY."""
import csv
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

import numpy

BINARY = os.environ["ISTHMUS_BINARY"]


def table(file):
    with open(file) as lines:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]


class Axes(unittest.TestCase):
    def test_agree_with_a_singular_value_decomposition(self):
        with tempfile.TemporaryDirectory() as folder:
            run = pathlib.Path(folder) / "run"
            subprocess.run([BINARY, "connect", "quadratic", "--threshold", "0.002", "--repair", "none", "--out", run], check=True,
                           capture_output=True)
            subprocess.run([BINARY, "report", run], check=True, capture_output=True)
            data = next(run.glob("paths/*.safetensors")).read_bytes()
            size = struct.unpack("<Q", data[:8])[0]
            shape = json.loads(data[8:8 + size])["theta"]["shape"]
            theta = numpy.frombuffer(data[8 + size:], numpy.float32).reshape(shape).astype(float)
            beads = table(next(run.glob("pictures/*.beads.csv")))
            axes = table(next(run.glob("pictures/*.axes.csv")))
        left, values, _ = numpy.linalg.svd(theta - theta.mean(0), full_matrices=False)
        coordinates = left * values
        # The small ones carry the rounding of the large: of their squares.
        count = sum(value > 1e-4 * values[0] for value in values)
        self.assertGreater(count, 5)
        numpy.testing.assert_allclose([axis["variance"] for axis in axes[:count]], values[:count] ** 2 / len(theta), rtol=1e-6)
        for k, name in enumerate("xyz"):
            ours = numpy.array([bead[name] for bead in beads])
            theirs = coordinates[:, k] * (1 if coordinates[-1, k] >= coordinates[0, k] else -1)
            error = abs(ours - theirs).max() / abs(theirs).max()
            print(f"axis {k + 1}: largest difference {error:.1e} of the largest coordinate")
            self.assertLess(error, 1e-6)
        off = numpy.sqrt((coordinates[:, 3:] ** 2).sum(1))
        numpy.testing.assert_allclose([bead["off"] for bead in beads], off, rtol=1e-6, atol=1e-9)


if __name__ == "__main__":
    unittest.main()
