"""Every patch in tests/mutations still applies, and scripts/mutation-check tells what is caught."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"])
CHECK = SOURCE / "scripts" / "mutation-check"

PATCH = """\
Breaks: one and one.
Tests: sum

--- a/src/sum.c
+++ b/src/sum.c
@@ -1,3 +1,3 @@
 int sum(int a, int b) {
-    return a + b;
+    return a - b;
 }
"""

# It adds, and has a test that notices another operation, but not another order.
TREE = {
    "src/sum.c": "int sum(int a, int b) {\n    return a + b;\n}\n",
    "tests/main.c": """int sum(int a, int b);
        int main(void) { return sum(1, 1) == 2 ? 0 : 1; }
    """,
    "CMakePresets.json": """{
        "version": 3,
        "configurePresets": [{"name": "release", "generator": "Ninja",
                              "binaryDir": "${sourceDir}/build/release"}],
        "testPresets": [{"name": "release", "configurePreset": "release"}]
    }""",
    "CMakeLists.txt": """
        cmake_minimum_required(VERSION 3.25)
        project(sum C)
        enable_testing()
        add_subdirectory(tests)
    """,
    "tests/CMakeLists.txt": """
        add_executable(sum main.c ../src/sum.c)
        add_test(NAME sum COMMAND sum)
        add_custom_target(flowdb-server)
        add_custom_target(flowdb_fault_shim)
    """,
    "docs/reliability.md": """before
<!-- mutations: begin -->
old
<!-- mutations: end -->
after
""",
}


def check(files, *arguments):
    """The exit code, what was printed, and the page, for a tree of the files."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**TREE, **files}.items():
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run = subprocess.run(
            [CHECK, "--root", root, *arguments], capture_output=True, text=True, check=False
        )
        page = pathlib.Path(root, "docs/reliability.md").read_text()
        return run.returncode, run.stdout + run.stderr, page


class Patches(unittest.TestCase):
    def test_each_applies(self):
        run = subprocess.run([CHECK, "--check"], capture_output=True, text=True, check=False)
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_there_is_one_for_each_fault_of_the_list(self):
        heads = [path.read_text() for path in (SOURCE / "tests/mutations").glob("*.patch")]
        origins = re.findall(r"^Origin: (\d+)$", "\n".join(heads), re.M)
        self.assertEqual({int(origin) for origin in origins}, set(range(1, 13)))


class Check(unittest.TestCase):
    def rejects(self, files, sentence):
        code, output, _ = check(files, "--check")
        self.assertEqual((code, output), (1, f"mutation-check: {sentence}\n"))

    def test_accepts_a_patch_whose_text_has_moved(self):
        moved = "/* new */\n\n" + TREE["src/sum.c"]
        files = {"src/sum.c": moved, "tests/mutations/01-sum.patch": PATCH}
        self.assertEqual(check(files, "--check")[:2], (0, ""))

    def test_rejects_a_patch_whose_text_is_gone(self):
        self.rejects(
            {"tests/mutations/01-sum.patch": PATCH.replace("a + b", "a  + b")},
            "01-sum:6: does not apply: its text is in src/sum.c 0 times",
        )

    def test_rejects_a_patch_whose_text_is_there_twice(self):
        self.rejects(
            {"src/sum.c": TREE["src/sum.c"] * 2, "tests/mutations/01-sum.patch": PATCH},
            "01-sum:6: does not apply: its text is in src/sum.c 2 times",
        )

    def test_rejects_a_patch_for_a_file_that_is_gone(self):
        self.rejects(
            {"tests/mutations/01-sum.patch": PATCH.replace("sum.c", "gone.c")},
            "01-sum:6: there is no src/gone.c",
        )

    def test_rejects_a_head_that_does_not_say_what_is_to_catch_it(self):
        self.rejects(
            {"tests/mutations/01-sum.patch": PATCH.replace("Tests: sum\n", "")},
            "01-sum: its head lacks 'Tests:'",
        )

    def test_rejects_a_number_that_is_given_twice(self):
        self.rejects(
            {"tests/mutations/01-sum.patch": PATCH, "tests/mutations/01-again.patch": PATCH},
            "tests/mutations: the number 01 is given twice",
        )

    def test_tells_what_is_caught_and_by_which_test(self):
        code, output, page = check({"tests/mutations/01-sum.patch": PATCH})
        self.assertEqual(code, 0, output)
        self.assertIn("1 of 1 faults were caught", output)
        self.assertIn("| 01 | one and one. | `sum`: fails |", page)
        self.assertNotIn("old", page)
        self.assertTrue(page.startswith("before\n") and page.endswith("after\n"), page)

    def test_fails_where_a_fault_survives(self):
        patch = PATCH.replace("a - b", "b + a").replace("one and one", "the order")
        code, output, page = check({"tests/mutations/01-sum.patch": patch})
        self.assertEqual(code, 1, output)
        self.assertIn("01-sum: SURVIVES", output)
        self.assertIn("| 01 | the order. | **nothing** |", page)

    def test_stops_where_a_test_fails_without_any_fault(self):
        failing = "int main(void) { return 1; }\n"
        code, output, page = check({"tests/main.c": failing, "tests/mutations/01-sum.patch": PATCH})
        self.assertEqual(code, 1)
        self.assertIn("mutation-check: sum fails without any fault: fails\n", output)
        self.assertIn("old", page)

    def test_stops_where_a_fault_does_not_compile(self):
        code, output, page = check({"tests/mutations/01-sum.patch": PATCH.replace("a - b", "a -")})
        self.assertEqual(code, 1)
        self.assertIn("mutation-check: cmake --build", output)
        self.assertIn("old", page)

    def test_tries_only_what_it_is_asked_to(self):
        two = {"tests/mutations/01-sum.patch": PATCH, "tests/mutations/02-sum.patch": PATCH}
        code, output, page = check(two, "--only", "02")
        self.assertEqual(code, 0, output)
        self.assertIn("1 of 1 faults were caught", output)
        self.assertIn("old", page)


if __name__ == "__main__":
    unittest.main()
