"""/ready, /stats, /metrics and the access log: what they show is what happened."""

import json
import os
import pathlib
import re
import socket
import sys
import threading
import time
import unittest

from harness import DEADLINE, ServerTest, frame, record_bytes

SOURCE = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"])
sys.path.insert(0, str(SOURCE / "tests" / "format" / "metrics"))
from read_metrics import Reader  # pylint: disable=wrong-import-position

KEY = "figures-key"


class Observing(ServerTest):
    def stats(self):
        response = self.request("GET", "/stats")
        self.assertEqual(response.status, 200)
        return response.json

    def metrics(self):
        """{'name{labels}': value} of a text without a fault."""
        response = self.request("GET", "/metrics")
        self.assertEqual(response.status, 200)
        self.assertTrue(response.headers["content-type"].startswith("text/plain; version=0.0.4"))
        self.text = response.body.decode()
        self.assertEqual(Reader().read(self.text), [])
        lines = [line for line in self.text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


class Figures(Observing):
    def test_stats_have_every_field_and_count(self):
        self.write({"key": "a", "ts": 1, "value": "one"}, {"key": "b", "ts": 1, "value": "two"})
        self.request("GET", "/query")
        self.request("GET", "/no-such-path")
        stats = self.stats()
        header = (SOURCE / "include" / "flowdb" / "flowdb.h").read_text()
        struct = re.search(r"typedef struct flowdb_stats \{(.*?)\} flowdb_stats;", header, re.S)[1]
        struct = re.sub(r"/\*.*?\*/", "", struct, flags=re.S)
        fields = [name.strip() for declared in re.findall(r"(?:uint64_t|double)\s([^;]+);", struct)
                  for name in declared.split(",")]
        self.assertGreater(len(fields), 60)
        self.assertEqual(list(stats)[:len(fields)], fields)
        self.assertEqual(stats["total_records_written"], 2)
        self.assertEqual(stats["total_records_read"], 2)
        self.assertEqual(stats["writes_accepted"], 1)
        self.assertEqual((stats["udp_packets_received"], stats["udp_packets_dropped"]), (0, 0))
        self.assertEqual((stats["http_requests_total"], stats["http_requests_rejected"]), (4, 1))
        self.assertEqual(stats["http_connections"], 1)
        self.assertGreater(stats["http_bytes_in"], 50)

    def test_metrics_are_told_apart_by_path_method_and_status(self):
        self.write({"key": "a", "ts": 1, "value": "one"})
        self.request("PUT", "/write", "{}")
        self.request("GET", "/query")
        self.request("HEAD", "/query")
        self.request("DELETE", "/record?key=a&ts=1")
        self.request("PATCH", "/record", {"key": "a", "ts": 1})
        self.request("GET", "/<script>?\"")
        self.request("BREW", "/health")
        metrics = self.metrics()
        name = "flowdb_http_responses_total"
        counts = {labels: metrics[labels] for labels in metrics if labels.startswith(name)}
        self.assertEqual(counts, {
            f'{name}{{path="/write",method="POST",status="200"}}': 1,
            f'{name}{{path="/write",method="PUT",status="400"}}': 1,
            f'{name}{{path="/query",method="GET",status="200"}}': 1,
            f'{name}{{path="/query",method="HEAD",status="200"}}': 1,
            f'{name}{{path="/record",method="DELETE",status="200"}}': 1,
            f'{name}{{path="/record",method="PATCH",status="404"}}': 1,
            f'{name}{{path="unknown",method="GET",status="404"}}': 1,
            f'{name}{{path="unknown",method="other",status="405"}}': 1})
        self.assertEqual(metrics["flowdb_http_requests_total"], 9)
        self.assertEqual(metrics["flowdb_http_requests_rejected_total"], 4)
        self.assertEqual(metrics["flowdb_http_requests_active"], 1)
        self.assertGreaterEqual(metrics["flowdb_query_latency_seconds_count"], 1)
        latency = "flowdb_http_request_duration_seconds"
        self.assertEqual(metrics[f'{latency}_count{{path="/record"}}'], 2)
        self.assertEqual(metrics[f'{latency}_bucket{{path="/record",le="+Inf"}}'], 2)

    def test_bytes_are_those_of_bodies_as_they_go_over_the_wire(self):
        self.write(*({"key": "k", "ts": ts, "value": "v" * 500} for ts in range(300)))
        before = self.stats()
        plain = self.request("GET", "/query")
        packed = self.request("GET", "/query", None, [("Accept-Encoding", "gzip")])
        self.request("HEAD", "/health")
        stats_size = len(self.request("GET", "/health").body)
        after = self.stats()
        sent = after["http_bytes_out"] - before["http_bytes_out"]
        own = len(json.dumps(before, separators=(",", ":")))
        self.assertLess(len(packed.body), len(plain.body) / 5)
        self.assertAlmostEqual(sent, len(plain.body) + len(packed.body) + stats_size + own, delta=40)

    def test_the_names_of_the_original_are_there(self):
        metrics = self.metrics()
        kept = ("records_written", "bytes_written", "records_read", "records_expired",
                "flushes_total", "gc_runs_total", "compaction_runs_total", "records_purged_by_gc",
                "udp_packets_received", "udp_packets_dropped", "http_requests_total",
                "memtable_records", "uptime_seconds")
        for name in kept:
            self.assertIn(f"flowdb_{name}", metrics)
        for name in ("udp_packets_received", "udp_packets_dropped"):
            self.assertIn(f"# TYPE flowdb_{name} untyped", self.text)
            self.assertEqual(metrics[f"flowdb_{name}_total"], metrics[f"flowdb_{name}"])
        self.assertIn(f'flowdb_build_info{{version="{self.version()}"}}', metrics)
        self.assertGreater(metrics["process_resident_memory_bytes"], 1 << 20)

    def version(self):
        return re.search(r'version="([^"]*)"', self.server.wait_for_line("listening"))[1]

    def test_datagrams_are_counted_by_reason(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in (frame(record_bytes(b"a", 1, b"v")), b"nonsense", b"",
                             frame(record_bytes(b"a", 1, b"v"), count=2)):
                sender.sendto(datagram, (self.server.host, self.server.udp_port))
        deadline = time.monotonic() + DEADLINE
        while (metrics := self.metrics())["flowdb_udp_packets_received_total"] < 4:
            self.assertLess(time.monotonic(), deadline)
        while self.stats()["total_records_written"] < 1:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(metrics["flowdb_udp_packets_dropped"], 3)
        drops = {name: value for name, value in metrics.items()
                 if name.startswith("flowdb_udp_drops_total") and value > 0}
        self.assertEqual(drops, {'flowdb_udp_drops_total{reason="bad_magic"}': 1,
                                 'flowdb_udp_drops_total{reason="truncated"}': 2})
        self.assertIn('flowdb_udp_drops_total{reason="kernel"}', metrics)
        stats = self.stats()
        self.assertEqual((stats["udp_packets_received"], stats["udp_packets_dropped"]), (4, 3))


class Ready(Observing):
    starts_server = False

    def test_a_server_that_takes_writes_is_ready(self):
        self.start("--api-key", KEY)
        response = self.request("GET", "/ready")
        self.assertEqual((response.status, response.json), (200, {"status": "ready", "health": "good"}))

    def test_a_full_disk_is_not_ready_and_the_reason_names_no_file(self):
        self.start("--config", self.config("disk_reserve_mb = 4294967295"))
        self.assert_error(self.request("GET", "/ready"), 503, "the disk is full")
        self.assertNotIn(self.folder, self.request("GET", "/ready").body.decode())
        self.assertEqual(self.request("GET", "/health").status, 200)

    def test_a_database_that_was_opened_read_only_is_not_ready(self):
        self.start()
        self.write({"key": "a", "ts": 1, "value": "v"})
        self.server.stop()
        self.start("--config", self.config("read_only = true"))
        self.assert_error(self.request("GET", "/ready"), 503, "read-only")

    def config(self, engine):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[engine]\n{engine}\n")
        return path


class Keys(Observing):
    starts_server = False

    def test_figures_want_a_key_unless_they_are_public(self):
        self.start("--api-key", KEY)
        for target in ("/stats", "/metrics"):
            self.assertEqual(self.request("GET", target).status, 401)
            self.assertEqual(self.request("GET", target, None, [("X-API-Key", KEY)]).status, 200)
        self.server.stop()
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("public_metrics = true\n")
        self.start("--api-key", KEY, "--config", path)
        for target in ("/stats", "/metrics"):
            self.assertEqual(self.request("GET", target).status, 200)
        self.assertEqual(self.request("GET", "/query").status, 401)


class AccessLog(Observing):
    arguments = ("--log-level", "debug")

    def test_a_line_tells_a_request_and_nothing_that_a_client_wrote(self):
        with self.server.connect() as other:
            other.send(b"GET /health%0alevel=error?x=FORGED HTTP/1.1\r\nHost: FORGED\r\n"
                       b"X-API-Key: FORGED\r\nConnection: close\r\n\r\n")
            other.read_to_end()
        self.request("POST", "/write", {"records": [{"key": "FORGED", "ts": 1, "value": "FORGED"}]})
        self.request("FORGED", "/health")
        self.request("GET", "/health")
        line = self.server.wait_for_line('path="/health" status="200"')
        self.assertRegex(line, r'^time=\S+ level=debug msg="request" method="GET" path="/health" '
                               r'status="200" duration_us="\d+" bytes_in="0" bytes_out="15"$')
        self.server.wait_for_line('method="GET" path="unknown" status="404"')
        self.server.wait_for_line('method="POST" path="/write" status="200"')
        self.server.wait_for_line('method="other" path="unknown" status="405"')
        self.assertNotIn("FORGED", "\n".join(self.server.log))


if __name__ == "__main__":
    unittest.main()
