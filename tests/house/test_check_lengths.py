"""scripts/check-lengths accepts a file and a function at their limits and rejects them past it."""

import os
import pathlib
import subprocess
import tempfile
import unittest

CHECK = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"]) / "scripts" / "check-lengths"


def problems_of(name, text):
    with tempfile.TemporaryDirectory() as root:
        path = pathlib.Path(root, name)
        path.parent.mkdir(parents=True)
        path.write_text(text)
        run = subprocess.run([CHECK, root], capture_output=True, text=True, check=False)
        assert run.stderr == "", run.stderr
        assert (run.returncode == 0) == (run.stdout == ""), run
        return run.stdout.splitlines()


def function(head, lines):
    return head + "    work();\n" * (lines - head.count("\n") - 1) + "}\n"


ONE_LINE = "static int long_one(int x) {\n"
TWO_LINES = "static int long_one(int first,\n                    int second) {\n"


class CheckLengths(unittest.TestCase):
    def test_accepts_a_file_of_1000_lines(self):
        self.assertEqual(problems_of("src/base/a.c", "int x;\n" * 1000), [])

    def test_rejects_a_file_of_1001_lines(self):
        for name in ("src/base/a.c", "include/flowdb/a.h", "tests/server/a.py", "scripts/a"):
            self.assertEqual(
                problems_of(name, "#! /bin/sh\n" * 1001),
                [f"{name}:1: 1001 lines; 1000 are the most"],
            )

    def test_accepts_a_function_of_200_lines(self):
        for head in (ONE_LINE, TWO_LINES):
            self.assertEqual(problems_of("src/base/a.c", function(head, 200)), [])

    def test_rejects_a_function_of_201_lines(self):
        for head in (ONE_LINE, TWO_LINES):
            text = function(ONE_LINE, 10) + "\n" + function(head, 201)
            self.assertEqual(
                problems_of("src/base/a.c", text),
                ["src/base/a.c:12: long_one has 201 lines; 200 are the most"],
            )

    def test_counts_on_past_a_label(self):
        text = function(ONE_LINE, 201).replace("    work();\n}", "done:\n}")
        self.assertEqual(len(problems_of("src/base/a.c", text)), 1)

    def test_leaves_a_long_table_alone(self):
        text = "static const int table[] = {\n" + "    1,\n" * 300 + "};\n"
        self.assertEqual(problems_of("src/base/a.c", text), [])


if __name__ == "__main__":
    unittest.main()
