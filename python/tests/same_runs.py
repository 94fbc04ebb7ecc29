# SPDX-License-Identifier: MIT
"""What makes two run directories the same."""

from __future__ import annotations

from pathlib import Path


def same_files(one: Path, other: Path) -> None:
    def files(folder):
        names = {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}
        # What a report draws of a run is not of the run.
        drawn = {name for name in names if "pictures" in name.parts or name.name == "report.html"}
        return {name for name in names - drawn if name.name not in ("timing.json", ".lock")}

    assert files(one) == files(other)
    for name in files(one):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
