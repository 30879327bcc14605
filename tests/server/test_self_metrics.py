"""The server's own figures as series in its own database."""

import os
import time
import unittest

from harness import DEADLINE, ServerTest, run

ON = "self_metrics_interval_secs = 1\n"


class SelfMetrics(ServerTest):
    starts_server = False

    def restart(self, text):
        if self.server is not None:
            self.server.stop()
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.start("--config", path)

    def figures(self):
        """{key: (ts, value)} of the latest of each."""
        answer = self.request("GET", "/latest?prefix=flowdb.&encoding=text")
        self.assertEqual(answer.status, 200)
        return {record["key"]: (record["ts"], record["value"]) for record in answer.json["records"]}

    def until(self, ask, what):
        deadline = time.monotonic() + DEADLINE
        while not (answer := ask()):
            self.assertLess(time.monotonic(), deadline, what)
        return answer

    def test_every_figure_is_a_series(self):
        self.restart(ON)
        self.write({"key": "a", "ts": 1, "value": "v"}, {"key": "b", "ts": 1, "value": "v"})
        self.request("POST", "/write", "nonsense")
        found = self.until(self.figures, "the first of them")
        stats = self.request("GET", "/stats").json
        figures = {f"flowdb.{name}" for name, value in stats.items() if not isinstance(value, str)}
        self.assertGreater(len(figures), 80)
        ingest = {f"flowdb.ingest_{what}_total.{protocol}"
                  for what in ("records", "bytes", "writes", "expired", "rejected")
                  for protocol in ("http_json", "http_binary", "udp")}
        self.assertEqual(set(found), figures | ingest)
        times = {ts for ts, _ in found.values()}
        self.assertEqual(len(times), 1)
        self.assertLess(abs(times.pop() / 1e6 - time.time()), 3600)
        self.assertEqual(found["flowdb.ingest_records_total.http_json"][1], "2")
        self.assertEqual(found["flowdb.ingest_rejected_total.http_json"][1], "1")
        self.assertEqual(found["flowdb.writes_accepted"][1], "1")
        self.assertGreaterEqual(float(found["flowdb.total_records_written"][1]), 2)
        self.assertGreater(float(found["flowdb.cpu_seconds"][1]), 0)

        again = self.until(lambda: (newer := self.figures())["flowdb.uptime_secs"] !=
                           found["flowdb.uptime_secs"] and newer, "the next of them")
        self.assertGreater(again["flowdb.uptime_secs"][0], found["flowdb.uptime_secs"][0])
        self.assertGreater(int(again["flowdb.total_records_written"][1]), len(found))

    def test_a_full_disk_is_told_once_and_hurts_nothing(self):
        self.restart(ON + "[engine]\ndisk_reserve_mb = 4294967295\n")
        line = self.server.wait_for_line("own metrics cannot be written")
        self.assertIn("level=warn", line)
        self.assertIn('status="FLOWDB_NO_SPACE"', line)
        self.until(lambda: self.request("GET", "/stats").json["total_space_refusals"] >= 3,
                   "three that were refused")
        self.assertEqual(sum("own metrics" in line for line in self.server.log), 1)
        self.assertEqual(self.figures(), {})
        self.assert_alive()
        self.assertEqual(self.server.stop(), 0)

    def test_they_come_back_when_there_is_room(self):
        self.restart(ON)
        self.until(self.figures, "the first of them")
        self.server.limit_file_size(0)
        self.server.wait_for_line("own metrics cannot be written")
        before = self.figures()["flowdb.uptime_secs"]
        self.server.limit_file_size(None)
        line = self.server.wait_for_line("own metrics are written again")
        self.assertIn("level=info", line)
        self.assertGreater(self.figures()["flowdb.uptime_secs"][0], before[0])

    def test_a_server_that_stops_has_written_whole_rounds(self):
        self.restart(ON)
        self.until(self.figures, "the first of them")
        self.assertEqual(self.server.stop(), 0)
        self.restart("")
        answer = self.request("GET", "/query?prefix=flowdb.").json
        rounds = {}
        for record in answer["records"]:
            rounds.setdefault(record["ts"], set()).add(record["key"])
        self.assertEqual(len({frozenset(keys) for keys in rounds.values()}), 1)

    def test_the_setting_is_read_checked_and_off_by_default(self):
        _, printed, _ = run("--print-config")
        self.assertIn("self_metrics_interval_secs = 0  # default\n", printed)
        path = os.path.join(self.folder, "flowdb.toml")
        for value in ("-1", "86401", '"often"'):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"self_metrics_interval_secs = {value}\n")
            code, _, err = run("--config", path, "--check-config")
            self.assertEqual(code, 2)
            self.assertIn("self_metrics_interval_secs must be an integer from 0 to 86400", err)


if __name__ == "__main__":
    unittest.main()
