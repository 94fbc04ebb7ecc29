#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Report pages as a person meets them: made by the command, opened in a real Chromium, looked at, turned, and used by
keyboard. Needs ISTHMUS_BINARY. ISTHMUS_PICTURES names a folder for screenshots."""
import csv
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import time
import unittest

import browser

BINARY = os.environ["ISTHMUS_BINARY"]
PICTURES = os.environ.get("ISTHMUS_PICTURES")
STRING = "document.getElementById('string').data.find(trace => trace.name === 'string')"
DRAWN = "[...document.querySelectorAll('.live')].every(live => live.dataset.drawn)"


def run(*arguments, code=0):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != code:
        raise AssertionError(f"{arguments}: expected exit code {code}, got {done.returncode}: {done.stderr}")
    return done


def read_tensors(file):
    """Header and bytes of a safetensors file."""
    data = pathlib.Path(file).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def write_tensors(file, header, data):
    text = json.dumps(header).encode()
    pathlib.Path(file).write_bytes(struct.pack("<Q", len(text)) + text + data)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        cls.browser = browser.Browser(browser.find())
        cls.browser.size(1100, 900)
        cls.browser.open(cls.path)  # the first page of a browser waits for its processes

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def setUp(self):
        self.browser.size(1100, 900)

    def connect(self, name, *more):
        folder = self.path / name
        if not folder.exists():
            run("connect", "quadratic", "--pairs", 1, "--repair", "none", "--out", folder, *more)
        return folder

    def look(self, folder, *options, drawn=True):
        """Makes the page of a run and opens it. Every plot has data, and nothing went wrong."""
        run("report", folder, *options)
        page = folder / "report.html"
        seconds = self.browser.open(page)
        if drawn:
            seconds += self.browser.wait_for(DRAWN)
        self.assertEqual([], self.browser.errors)
        empty = self.browser.evaluate(
            "[...document.querySelectorAll('.live:not([hidden])')].filter(live => !live.data || !live.data.some(trace =>"
            " (trace.x || []).length > 0)).map(live => live.id)")
        self.assertEqual([], empty)
        if PICTURES:
            time.sleep(0.5)
            self.browser.screenshot(pathlib.Path(PICTURES) / f"{self.id().split('.')[-1]}.png")
        return seconds

    def text(self):
        return self.browser.evaluate("document.body.innerText")

    def points(self):
        return self.browser.evaluate(f"{STRING}.x.length")

    def interactive(self, page):
        """Seconds from asking for a page until its first picture, until what is in view is live, until the slider has moved the
        string and the browser has painted that, and until everything is drawn. The machine's other work is in them."""
        start = time.monotonic()
        self.browser.open(page)
        self.browser.wait_for("performance.getEntriesByName('interactive').length")
        live = time.monotonic() - start
        self.browser.evaluate("document.getElementById('round').focus()")
        before = self.points()
        self.browser.key("ArrowLeft", number=37)
        self.browser.wait_for(f"{STRING}.x.length < {before}")
        self.browser.evaluate("new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))")
        moved = time.monotonic() - start
        self.browser.wait_for(DRAWN)
        first = self.browser.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
        return first, live, moved, time.monotonic() - start

    def test_a_string_of_many_beads(self):
        folder = self.path / "many"
        run("connect", "quadratic", "--threshold", 0.001, "--pairs", 5, "--repair", "none", "--out", folder)
        run("plane", folder, "--pair", 4, "--grid", 41)
        self.look(folder, "--pair", 4)
        page = folder / "report.html"
        row = json.loads((folder / "cells/0.001_4.json").read_text())["row"]
        self.assertGreaterEqual(row["beads"], 60)
        self.assertGreaterEqual(row["rounds"], 12)
        times = [self.interactive(page) for _ in range(3)]
        with browser.Browser(browser.find()) as fresh:
            fresh.size(1100, 900)
            self.browser, mine = fresh, self.browser
            times.insert(0, self.interactive(page))
            self.browser = mine
        print(f"\n{row['beads']} beads, {row['rounds']} rounds: page of {page.stat().st_size / 1e6:.2f} MB")
        for name, (first, live, moved, all_drawn) in zip(["a browser just started", "again", "again", "again"], times):
            print(f"  {name}: first picture {first:.2f} s, interactive {live:.2f} s, the slider has moved {moved:.2f} s, "
                  f"all drawn {all_drawn:.2f} s")
        self.assertLess(page.stat().st_size, 4e6)
        text = self.text()
        self.assertIn("Connected, and proven.", text)
        ids = self.browser.evaluate("[...document.querySelectorAll('.live')].map(live => live.id)")
        self.assertEqual(["string", "profile", "plane", "curve-length", "curve-beads"], ids)

    def test_the_slider_moves_the_string(self):
        self.look(self.connect("string", "--threshold", 0.01))
        rounds = int(self.browser.evaluate("document.getElementById('round').max"))
        self.assertGreater(rounds, 1)
        last = self.points()
        self.browser.evaluate("document.getElementById('round').focus()")
        counts = [last]
        for _ in range(rounds):
            self.browser.key("ArrowLeft", number=37)
            self.browser.wait_for(f"{STRING}.x.length < {counts[-1]}")
            counts.append(self.points())
        self.assertEqual(21, counts[-1], "the straight line, evaluated at 21 points")
        self.assertIn("before the first round, 2 beads", self.text())
        self.browser.evaluate("document.getElementById('play').focus()")
        self.browser.key("Enter", number=13)
        self.browser.evaluate("document.getElementById('play').click()" if self.browser.evaluate(
            "document.getElementById('play').textContent") == "Play" else "0")
        self.browser.wait_for(f"{STRING}.x.length === {last}")
        self.browser.wait_for("document.getElementById('play').textContent === 'Play'")
        self.assertEqual([], self.browser.errors)

    def test_without_evaluations_the_kept_points_have_the_colours(self):
        self.look(self.connect("string", "--threshold", 0.01), "--evaluate", "none")
        self.assertIn("those of the points that the run looked at", self.text())
        colors = self.browser.evaluate(f"{STRING}.line.color")
        self.assertIsInstance(colors, list)
        self.assertEqual(self.points(), len(colors))

    def test_buttons_turn_the_string(self):
        self.look(self.connect("string", "--threshold", 0.01))
        eye = "JSON.stringify(document.getElementById('string')._fullLayout.scene.camera.eye)"
        before = self.browser.evaluate(eye)
        self.browser.evaluate("document.querySelector('[data-turn]').click()")
        self.browser.wait_for(f"{eye} !== '{before}'")

    def test_keyboard_reaches_every_control(self):
        self.look(self.connect("string", "--threshold", 0.01))
        wanted = self.browser.evaluate(
            "[...document.querySelectorAll('button, input, a[href], summary')].filter(e => e.offsetParent).length")
        self.browser.evaluate("document.activeElement.blur(); window.reached = new Set(); document.addEventListener('focusin',"
                              "(event) => { if (event.target.matches('button, input, a[href], summary')) reached.add(event.target); })")
        for _ in range(wanted + 40):
            self.browser.key("Tab", number=9)
        self.assertEqual(wanted, self.browser.evaluate("reached.size"))
        nameless = self.browser.evaluate("[...document.querySelectorAll('button, input')].filter(e => e.offsetParent && !(e.textContent"
                                         " || e.getAttribute('aria-label') || e.closest('label'))).length")
        self.assertEqual(0, nameless)

    def test_phone_width_has_no_sideways_scroll(self):
        for dark in (False, True):
            self.browser.size(360, 740, dark)
            self.look(self.connect("string", "--threshold", 0.01))
            self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), 360)
            paper = self.browser.evaluate("getComputedStyle(document.body).backgroundColor")
            self.assertEqual("rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)", paper)
            plot = self.browser.evaluate("document.getElementById('profile')._fullLayout.paper_bgcolor")
            self.assertEqual("#16181b" if dark else "#ffffff", plot)

    def test_without_scripts_the_pictures_are_still(self):
        folder = self.connect("string", "--threshold", 0.01)
        run("report", folder)
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.browser.open(folder / "report.html")
        finally:
            self.browser.call("Emulation.setScriptExecutionDisabled", value=False)
        shown = self.browser.evaluate("[...document.querySelectorAll('.still svg')].filter(svg => svg.getBoundingClientRect().height > 100).length")
        self.assertEqual(2, shown)
        self.assertEqual(0, self.browser.evaluate("[...document.querySelectorAll('.controls, .live')].filter(e => e.offsetParent).length"))

    def test_without_webgl_the_string_is_still(self):
        folder = self.connect("string", "--threshold", 0.01)
        run("report", folder)
        script = "HTMLCanvasElement.prototype.getContext = () => null"
        added = self.browser.call("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]
        try:
            self.browser.open(folder / "report.html")
            self.browser.wait_for("document.getElementById('profile').dataset.drawn")
        finally:
            self.browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added)
        self.assertIn("This browser draws no WebGL", self.text())
        self.assertEqual([], self.browser.errors)

    def test_without_the_plotting_library_the_pictures_are_still(self):
        folder = self.connect("string", "--threshold", 0.01)
        run("report", folder)
        text = (folder / "report.html").read_text()
        start = text.index("</script>", text.index('id="data"')) + len("</script>")
        library = text[text.index("<script>", start):text.index("</script>", start)]
        self.assertGreater(len(library), 1e6)
        page = folder / "without.html"
        page.write_text(text.replace(library, "<script>"))
        self.browser.open(page)
        time.sleep(0.5)
        self.assertEqual([], self.browser.errors)
        self.assertEqual(2, self.browser.evaluate("[...document.querySelectorAll('.still svg')].filter(svg => svg.getBoundingClientRect()"
                                                  ".height > 100).length"))
        self.assertEqual(0, self.browser.evaluate("[...document.querySelectorAll('.controls, .live')].filter(e => e.offsetParent).length"))

    def test_print_shows_still_pictures(self):
        self.look(self.connect("string", "--threshold", 0.01))
        self.browser.call("Emulation.setEmulatedMedia", media="print")
        try:
            self.assertEqual(2, self.browser.evaluate("[...document.querySelectorAll('.still')].filter(e => e.offsetParent).length"))
            self.assertEqual(0, self.browser.evaluate("[...document.querySelectorAll('.live')].filter(e => e.offsetParent).length"))
            self.assertGreater(len(self.browser.call("Page.printToPDF")["data"]), 10000)
        finally:
            self.browser.call("Emulation.setEmulatedMedia", media="")

    def test_two_beads_are_one_axis(self):
        self.look(self.connect("two", "--threshold", 0.3))
        self.assertIn("The beads lie on one straight line: there is one axis", self.text())
        self.assertIn("there is no third network", run("plane", self.path / "two", code=64).stderr)

    def test_a_string_that_fails(self):
        run("lower-bound", "permuted-points", "--write", self.path / "ends")
        folder = self.path / "fails"
        run("connect", "permuted-points", "--from", self.path / "ends/A.safetensors", "--to", self.path / "ends/B.safetensors",
            "--threshold", 0.08, "--repair", "none", "--stuck-tries", 3, "--max-rounds", 8, "--out", folder)
        self.look(folder)
        text = self.text()
        self.assertIn("Not connected: no path was found.", text)
        self.assertIn("every path between these two networks meets 0.08333 or more", text)
        self.assertTrue(list(folder.glob("pictures/*.stages.svg")))

    def test_an_end_point_that_is_not_reached(self):
        folder = self.path / "unreached"
        run("connect", "quadratic", "--threshold", 0.0001, "--endpoint-max-steps", 50, "--out", folder)
        self.look(folder)
        self.assertIn("Not tried: an end point did not reach the threshold.", self.text())

    def test_an_interrupted_run(self):
        folder = self.connect("interrupted", "--threshold", 0.05)
        for name in ("cells.csv", "curve.csv", "summary.json", "timing.json", "manifest.json"):
            (folder / name).unlink()
        self.look(folder)
        text = self.text()
        self.assertIn("Nothing is finished yet.", text)
        self.assertIn("Unfinished: 0 of 1", text)

    def test_a_run_of_an_older_version(self):
        """Its path has no order of insertion: a page without rounds."""
        folder = self.connect("older", "--threshold", 0.01)
        file = next(folder.glob("paths/*.safetensors"))
        header, data = read_tensors(file)
        self.assertIn("growth", header["__metadata__"])
        del header["__metadata__"]["growth"]
        write_tensors(file, header, data)
        self.look(folder)
        self.assertIn("The order in which its beads were put in is not known", self.text())
        self.assertFalse(self.browser.evaluate("Boolean(document.getElementById('round').offsetParent)"))
        header["__metadata__"]["format"] = "isthmus-path-0"
        write_tensors(file, header, data)
        self.look(folder, drawn=False)
        self.assertIn("expected format isthmus-path-1, found 'isthmus-path-0'", self.text())

    def test_a_huge_sweep(self):
        folder = self.path / "huge"
        thresholds = ",".join(f"{0.1 / 1.2 ** k:.4g}" for k in range(25))
        run("sweep", "quadratic", "--thresholds", thresholds.split(",")[0], "--pairs", 1, "--out", folder)
        config = json.loads((folder / "config.json").read_text())
        config["thresholds"] = [float(value) for value in thresholds.split(",")]
        config["pairs"] = 300
        (folder / "config.json").write_text(json.dumps(config))
        with open(folder / "cells.csv") as file:
            heading, row = list(csv.reader(file))
        with open(folder / "cells.csv", "w") as file:
            file.write(",".join(heading) + "\n")
            for threshold in thresholds.split(","):
                for pair in range(300):
                    file.write(",".join([threshold, str(pair), *row[2:]]) + "\n")
        (folder / "curve.csv").unlink()
        self.look(folder)
        self.assertIn("7500 of 7500 pairs of networks are connected.", self.text())
        self.assertIn("The first 100 of 7500 rows", self.text())
        self.assertLess((folder / "report.html").stat().st_size, 4e6)
        link = self.browser.evaluate("[...document.querySelectorAll('a')].find(a => a.textContent === 'cells.csv').getAttribute('href')")
        self.assertEqual("cells.csv", link, "a large table is a link to its file")

    def test_a_sweep_with_published_points(self):
        folder = self.path / "sweep"
        run("sweep", "quadratic", "--thresholds", "0.1,0.05,0.025", "--pairs", 4, "--out", folder)
        self.look(folder)
        names = self.browser.evaluate("document.getElementById('curve-beads').data.map(trace => trace.name)")
        self.assertEqual(["this run", "published"], names)

    def test_components(self):
        folder = self.path / "components"
        run("components", "two-gaussians", "--networks", 6, "--widths", 2, "--thresholds", "0.05", "--out", folder)
        self.look(folder)
        self.assertIn("6 trained networks were found to lie in", self.text())
        self.assertEqual(2, self.browser.evaluate("document.querySelectorAll('.still svg').length"))

    def test_a_hundred_beads_of_a_million_parameters(self):
        folder = self.connect("large", "--threshold", 0.06)
        file = next(folder.glob("paths/*.safetensors"))
        header, _ = read_tensors(file)
        beads, size = 100, 1_000_000
        metadata = header["__metadata__"]
        metadata["layout"] = json.dumps([{"name": "w", "offset": 0, "shape": [size], "role": "weight"}])
        del metadata["growth"]
        text = json.dumps({"__metadata__": metadata, "theta": {"dtype": "F32", "shape": [beads, size],
                                                               "data_offsets": [0, 4 * beads * size]}}).encode()
        with open(file, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for bead in range(beads):
                pattern = b"".join(struct.pack("<f", (bead * (k % 7) + (bead * bead) % (k + 3)) / 100) for k in range(1000))
                out.write(pattern * (size // 1000))
        start = time.monotonic()
        self.look(folder, "--evaluate", "none")
        print(f"\n100 beads of a million parameters: page and look took {time.monotonic() - start:.1f} s")
        self.assertEqual(100, self.browser.evaluate("document.getElementById('string').data.find(trace => trace.name === 'beads').x.length"))
        self.assertIn("parameters\n1.00 M", self.text())


if __name__ == "__main__":
    unittest.main(verbosity=1)
