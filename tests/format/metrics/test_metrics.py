#!/usr/bin/env python3
"""flowdb_metrics_text, read as a scraper would; and the reader itself, which must see what is wrong."""

import os
import shutil
import subprocess
import unittest

from read_metrics import Reader


def exposed():
    program = os.environ["FLOWDB_METRICS_PROGRAM"]
    return subprocess.run([program, "--print"], check=True, capture_output=True, text=True).stdout


GOOD = """# HELP a_total Some.
# TYPE a_total counter
a_total 3
# HELP h_seconds Some.
# TYPE h_seconds histogram
h_seconds_bucket{le="0.5"} 1
h_seconds_bucket{le="+Inf"} 2
h_seconds_sum 1.5
h_seconds_count 2
# HELP l_seconds By label.
# TYPE l_seconds histogram
l_seconds_bucket{path="/a",le="+Inf"} 4
l_seconds_sum{path="/a"} 1
l_seconds_count{path="/a"} 4
l_seconds_bucket{path="/b",le="+Inf"} 7
l_seconds_sum{path="/b"} 1
l_seconds_count{path="/b"} 7
"""

BAD = {
    "unfinished": ('count{path="/b"} 7\n', 'count{path="/b"} 7'),
    "no number": ("a_total 3", "a_total three"),
    "a label that does not end": ('le="0.5"}', 'le="0.5}'),
    "a type that is none": ("a_total counter", "a_total number"),
    "a counter by another name": ("a_total", "a"),
    "a gauge by a counter's name": ("a_total counter", "a_total gauge"),
    "no help": ("# HELP a_total Some.\n", ""),
    "an empty help": ("# HELP a_total Some.", "# HELP a_total  "),
    "a sample twice": ("a_total 3\n", "a_total 3\na_total 4\n"),
    "no sample": ("a_total 3\n", ""),
    "an abbreviated unit": ("h_seconds", "h_ms"),
    "bounds in disorder": ('le="0.5"', 'le="+Inf"'),
    "another count of one label": ('count{path="/b"} 7', 'count{path="/b"} 4'),
    "a label without its sum": ('l_seconds_sum{path="/a"} 1\n', ""),
    "not cumulative": ('le="0.5"} 1', 'le="0.5"} 5'),
    "no infinity": ('le="+Inf"', 'le="9"'),
    "another count": ("_count 2", "_count 3"),
    "no sum": ("h_seconds_sum 1.5\n", ""),
    "below zero": ("a_total 3", "a_total -3"),
    "a comment of another kind": ("# HELP a_total", "# NOTE a_total"),
    "an empty line": ("a_total 3\n", "a_total 3\n\n"),
}


class Metrics(unittest.TestCase):
    def test_a_scraper_takes_all_of_it(self):
        reader = Reader()
        self.assertEqual(reader.read(exposed()), [])
        self.assertGreater(len(reader.types), 50)
        self.assertEqual(list(reader.types.values()).count("histogram"), 5)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_takes_it_too(self):
        result = subprocess.run(
            ["promtool", "check", "metrics"], input=exposed(), capture_output=True, text=True
        )
        self.assertEqual(result.stdout + result.stderr, "")
        self.assertEqual(result.returncode, 0)

    def test_the_reader_takes_what_is_right(self):
        self.assertEqual(Reader().read(GOOD), [])

    def test_the_reader_sees_what_is_wrong(self):
        for what, (right, wrong) in BAD.items():
            with self.subTest(what):
                self.assertIn(right, GOOD)
                self.assertNotEqual(Reader().read(GOOD.replace(right, wrong)), [])


if __name__ == "__main__":
    unittest.main()
