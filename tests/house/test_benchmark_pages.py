"""The benchmarks' pages and charts can be made from results, whole or in part."""

import os
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"]) / "scripts"))

import bench_growth_page  # noqa: E402

MACHINE = {"cpu": "a processor", "cores": 2, "memory_gib": 8, "kernel": "6.1", "file_system": "ext4",
           "compiler": "12"}


def grid(cost):
    """Every row costs `cost(records)`."""
    rows = {f"{records} {series} {row}": {"unit": "ns", "values": [cost(records)] * 3}
            for row in bench_growth_page.ROWS + bench_growth_page.MORE
            for records in (100_000, 10_000_000) for series in (1, 1000)}
    return {"rounds": 3, "rows": rows}


def stall():
    result = {f"interval {number}, {row}": number + 1.0
              for number in range(bench_growth_page.INTERVALS) for row in ("longest", "rate")}
    result.update({name: 7.0 for name in ("p50", "p99", "p99.9", "p99.99", "p100", "values written",
                                          "bytes given to write calls", "peak memory", "writers made to wait")})
    return {**result, "seconds": 600.0}


class Pages(unittest.TestCase):
    def write(self, module, result):
        """The page and the charts that were made beside it."""
        with tempfile.TemporaryDirectory() as folder:
            module.write(result, pathlib.Path(folder))
            page = pathlib.Path(folder, "benchmarks.md").read_text()
            charts = [xml.etree.ElementTree.parse(path) for path in pathlib.Path(folder).glob("*.svg")]
        return page, charts

    def test_growth_says_how_much_more_ten_times_the_records_cost(self):
        page, charts = self.write(bench_growth_page, {"machine": MACHINE, "grid": grid(lambda n: n / 1000)})
        self.assertIn("| write, ns | 100 | 10,000 | 100 | 10,000 | ×10.00, ×10.00 |", page)
        self.assertNotIn("Pauses", page)
        self.assertEqual(len(charts), 1)

    def test_growth_shows_the_longest_pause(self):
        page, charts = self.write(bench_growth_page,
                                  {"machine": MACHINE, "grid": grid(lambda n: 5), "stall": stall()})
        self.assertIn("longest pause was **7 ms**", page)
        self.assertIn("by second", "".join(charts[0].getroot().itertext()))

    def test_growth_can_do_with_the_stall_run_alone(self):
        page, _ = self.write(bench_growth_page, {"machine": MACHINE, "stall": stall()})
        self.assertNotIn("for ten times", page)


if __name__ == "__main__":
    unittest.main()
