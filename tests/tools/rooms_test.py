#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The arrows of docs/architecture.md against the tree: every room includes only what its arrow names and what that
includes, CMakeLists.txt links along the same arrows, and a packaged library is used only where an arrow names it."""
import pathlib
import re
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The headers of packaged libraries by the names that the arrows give them.
LIBRARIES = {"fmt/": "fmt", "nlohmann/": "nlohmann-json", "openssl/": "libcrypto", "zlib.h": "zlib", "lzma.h": "liblzma",
             "curl/": "libcurl", "oneapi/": "oneDNN", "Eigen/": "Eigen", "CLI/": "CLI11"}


def arrows(text):
    """Of each room the rooms that its arrow names, and the libraries: those for all who reach it, and in brackets those
    of its own, with the folder that alone may include them."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+) +\S.* -> ([^()]*)(?:\((.*)\))?", line)
        if match:
            room, names, own = match.groups()
            names = re.findall(r"[\w-]+", names)
            alone = re.search(r", in (\S+) alone", own or "")
            libraries = set(LIBRARIES.values())
            found[room] = {"rooms": [name for name in names if name not in libraries and name != "std"],
                           "libraries": libraries.intersection(names),
                           "own": libraries.intersection(re.findall(r"\w+", own or "")),
                           "alone": alone and alone.group(1)}
    return found


def reach(found, room):
    """The room and all that it may include."""
    seen = {room}
    for name in found[room]["rooms"]:
        seen |= reach(found, name)
    return seen


def folder_of(root, room):
    return root / "apps" if room == "apps" else root / "src/isthmus" / room


def wrong_includes(root, found):
    """What goes against an arrow, a line each."""
    wrong = []
    for room, arrow in found.items():
        rooms = reach(found, room)
        shared = set().union(*(found[name]["libraries"] for name in rooms))
        for path in sorted(folder_of(root, room).rglob("*")):
            if path.suffix not in (".h", ".cpp", ".inc"):
                continue
            where = path.relative_to(root)
            for number, line in enumerate(path.read_text().splitlines(), 1):
                for other in re.findall(r'^\s*#\s*include\s+"isthmus/(\w+)/', line):
                    if other not in rooms:
                        wrong.append(f"{where}:{number}: {room} includes {other}, which no arrow names")
                for header in re.findall(r"^\s*#\s*include\s+<(.+)>", line):
                    library = next((name for start, name in LIBRARIES.items() if header.startswith(start)), None)
                    at_home = arrow["alone"] is None or str(where).startswith(f"src/isthmus/{arrow['alone']}/")
                    if library and library not in shared and not (library in arrow["own"] and at_home):
                        wrong.append(f"{where}:{number}: {room} includes {library}, which no arrow names")
    return wrong


class Rooms(unittest.TestCase):
    def setUp(self):
        self.found = arrows((ROOT / "docs/architecture.md").read_text())

    def test_every_folder_has_an_arrow(self):
        folders = {path.name for path in (ROOT / "src/isthmus").iterdir() if path.is_dir()}
        self.assertEqual(folders | {"apps"}, set(self.found))

    def test_includes_follow_the_arrows(self):
        self.assertEqual([], wrong_includes(ROOT, self.found))

    def test_the_build_links_along_the_arrows(self):
        lines = re.findall(r"^isthmus_room\((\w+)(.*?)\)$", (ROOT / "CMakeLists.txt").read_text(), re.M | re.S)
        self.assertEqual(set(self.found) - {"apps"}, {room for room, _ in lines})
        for room, line in lines:
            self.assertEqual(set(self.found[room]["rooms"]), set(re.findall(r"isthmus::(\w+)", line)), room)


class Checker(unittest.TestCase):
    """On a tree with one wrong line: what is wrong is found, what is right is not."""

    TEXT = "low  bytes, files  -> std, fmt\nmid  networks  -> low (oneDNN, in mid/dnn alone)\napps  the command  -> mid (CLI11)\n"

    def wrong(self, path, line):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            file = root / path
            file.parent.mkdir(parents=True)
            file.write_text(f"// a comment\n{line}\n")
            return wrong_includes(root, arrows(self.TEXT))

    def test_finds_what_goes_against_an_arrow(self):
        self.assertEqual(["src/isthmus/low/a.cpp:2: low includes mid, which no arrow names"],
                         self.wrong("src/isthmus/low/a.cpp", '#include "isthmus/mid/b.h"'))
        self.assertEqual(1, len(self.wrong("src/isthmus/mid/a.h", "#include <oneapi/dnnl/dnnl.hpp>")))
        self.assertEqual(1, len(self.wrong("src/isthmus/low/a.inc", "#include <CLI/CLI.hpp>")))
        self.assertEqual(1, len(self.wrong("apps/a.cpp", "#include <oneapi/dnnl/dnnl.hpp>")))

    def test_accepts_what_follows_one(self):
        for path, line in (("apps/a.cpp", '#include "isthmus/low/b.h"'), ("src/isthmus/mid/a.h", "#include <fmt/format.h>"),
                           ("src/isthmus/mid/dnn/a.h", "#include <oneapi/dnnl/dnnl.hpp>"),
                           ("src/isthmus/low/a.h", "#include <vector>"), ("apps/a.cpp", "#include <CLI/CLI.hpp>")):
            self.assertEqual([], self.wrong(path, line), line)


if __name__ == "__main__":
    unittest.main()
