"""scripts/benchmarks_page.py replaces one section of a page and leaves the others as they are."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"]) / "scripts"))

import benchmarks_page  # noqa: E402


class BenchmarksPage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.page = pathlib.Path(folder.name, "benchmarks.md")

    def write(self, section, text):
        benchmarks_page.replace(section, text, self.page)
        return self.page.read_text()

    def test_makes_a_page_of_one_section(self):
        self.assertEqual(
            self.write("growth", "## Growth\n\ntext"),
            "# Benchmarks\n\n<!-- begin growth -->\n\n## Growth\n\ntext\n\n<!-- end growth -->\n",
        )

    def test_keeps_the_sections_in_order_whichever_comes_first(self):
        self.write("server", "the server")
        page = self.write("peers", "the peers")
        self.assertLess(page.index("the peers"), page.index("the server"))

    def test_replaces_its_own_section_alone(self):
        for section in benchmarks_page.SECTIONS:
            self.write(section, f"old {section}")
        page = self.write("growth", "new growth")
        self.assertNotIn("old growth", page)
        for text in ("old peers", "new growth", "old server"):
            self.assertEqual(page.count(text), 1)

    def test_writes_the_same_page_again(self):
        once = self.write("peers", "the peers\n")
        self.assertEqual(self.write("peers", "the peers\n"), once)

    def test_refuses_a_page_that_lacks_an_end_and_leaves_it(self):
        self.page.write_text("# Benchmarks\n\n<!-- begin peers -->\n\nhalf\n")
        with self.assertRaises(ValueError):
            benchmarks_page.replace("growth", "new", self.page)
        self.assertIn("half", self.page.read_text())

    def test_refuses_an_unknown_section(self):
        with self.assertRaises(ValueError):
            benchmarks_page.replace("other", "new", self.page)
        self.assertFalse(self.page.exists())


if __name__ == "__main__":
    unittest.main()
