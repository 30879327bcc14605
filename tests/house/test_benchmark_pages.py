"""The benchmarks' pages and charts can be made from results, whole or in part."""

import os
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"]) / "scripts"))

import bench_growth_page  # noqa: E402
import bench_peers_table  # noqa: E402
import bench_server_page  # noqa: E402

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


def peers(rates):
    """A result of {row: (ours, RocksDB's)} in records per second; the limit of writes is 200."""
    rows = {row: {"unit": "records/s", "values": {"flowdb": [ours, ours], "rocksdb": [theirs, theirs]}, "wrong": {}}
            for row, (ours, theirs) in rates.items()}
    rows["write @100000"]["values"]["limits"] = [200, 200]
    return {"machine": MACHINE, "versions": {"flowdb": "1", "rocksdb": "2"}, "rows": rows}


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

    def test_peers_say_what_stands_in_the_way_of_missed_goals_alone(self):
        notes = {"write": "The log is written.", "series, write": "This is reached."}
        result = peers({"write @100000": (100, 50), "series, write": (700, 100)})
        lines = list(bench_peers_table.page(result, notes))
        page = "\n".join(lines)
        self.assertIn("| write, 100,000 | 0.1 k | 0.05 k | 2 | 3 ✗ | write(): 0.2 k | 50% |", page)
        self.assertIn("- **write, 100,000**: 2, 3 is the goal. The log is written.", page)
        self.assertIn("| 7 | 6 ✓ |", page)
        self.assertNotIn("This is reached", page)

    def test_peers_write_a_page_and_a_chart(self):
        page, charts = self.write(bench_peers_table, peers({"write @100000": (100, 50)}))
        self.assertIn("2 rounds in turn", page)
        self.assertEqual(len(charts), 1)

    def test_peers_say_which_size_had_fewer_rounds(self):
        result = peers({"write @100000": (100, 50), "write @10000000": (100, 50)})
        result["rows"]["write @10000000"]["values"]["flowdb"].pop()
        self.assertEqual(bench_peers_table.rounds(result), "2 rounds (1 of 10,000,000 records)")

    def test_the_notes_of_missed_goals_name_rows_that_have_goals(self):
        known = {bench_peers_table.split(name)[0] for name in
                 {**bench_peers_table.GOALS, **bench_peers_table.ABSOLUTE}}
        self.assertLessEqual(set(bench_peers_table.read_notes(bench_peers_table.NOTES)), known)

    def test_the_server_says_what_it_costs_beyond_the_engine(self):
        seen = {"seconds": 2.0, "requests": 2000, "records": 2_000_000, "bytes": 80_000_000, "p50_us": 90.0,
                "p99_us": 1500.0, "max_us": 9000.0, "cpu": 0.5, "own_cpu": 0.3}
        rows = {name: [seen] * 3 for name in ("binary, 1", "binary, 2", "json, 1", "json, 2", "query",
                                              "writes alone", "writes beside scans")}
        rows.update({name: [{**seen, "sent": 2_500_000, "stored": 2_000_000, "dropped": 400}] * 3
                     for name in ("udp, paced", "udp, flood")})
        rows["engine"] = [{"seconds": 1.0, "records": 1_000_000, "cpu": 0.2, "own_cpu": 0.1,
                           "scan_records": 1_000_000, "scan_own_cpu": 0.02}] * 3
        page, _ = self.write(bench_server_page, {"machine": MACHINE, "rounds": 3, "rows": rows})
        self.assertIn("| `/write/binary`, 1 connection | 1.00 M | 40 MB | 90 µs | 1.50 ms | 250 ns | 4.00 M |",
                      page)
        self.assertIn("| `/write` | 150 ns | 100 ns | 50 ns |", page)
        self.assertIn("| as fast as they are sent | 1.25 M | 1.00 M | 20.00 % |", page)
        self.assertIn("| beside ten full scans | 90 µs | 1.50 ms | 9.00 ms | 1.00 M |", page)


if __name__ == "__main__":
    unittest.main()
