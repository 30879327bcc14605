"""Prometheus, as Debian has it, and its promtool: what they make of /metrics."""

import json
import os
import re
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import DEADLINE, ServerTest, frame, need, prepare_child, record_bytes

PROMETHEUS, PROMTOOL = need("prometheus"), need("promtool")
KEY, READING_KEY = "figures-key", "scraper"


class Promtool(ServerTest):
    def test_finds_no_fault_in_what_a_busy_server_shows(self):
        seconds = {"records": [{"key": "a", "ts": 1700000000, "value": "v", "ttl_secs": 1}]}
        for method, target, body in (("POST", "/write", seconds), ("POST", "/write", b"{"),
                                     ("GET", "/query", None),
                                     ("GET", "/no-such-path", None), ("POST", "/admin/flush", b""),
                                     ("POST", "/write/binary", frame(record_bytes(b"a", 1, b"v")))):
            self.request(method, target, body)
        text = self.request("GET", "/metrics").body.decode()
        self.assertIn("flowdb_unit_warnings_total 1", text)
        result = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True,
                                capture_output=True, check=False)
        self.assertEqual((result.stdout + result.stderr, result.returncode), ("", 0))


class Prometheus(ServerTest):
    arguments = ("--api-key", KEY)

    def configure_server(self):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'read_api_keys = ["{READING_KEY}"]\n')
        return "--config", path

    def start(self, *arguments, **options):
        return super().start(*self.configure_server(), *arguments, **options)

    def start_prometheus(self, **jobs):
        """One that scrapes the server all the time, as each job with its key. It takes 5 seconds to begin."""
        config = os.path.join(self.folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n")
            for name, key in jobs.items():
                path = os.path.join(self.folder, name)
                with open(path, "w", encoding="ascii") as secret:
                    secret.write(key)
                file.write(f"""  - job_name: {name}
    authorization: {{credentials_file: {path}}}
    static_configs: [{{targets: ["{self.server.host}:{self.server.port}"]}}]
""")
        subprocess.run([PROMTOOL, "check", "config", config], check=True, capture_output=True)
        self.process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={config}", "--web.listen-address=127.0.0.1:0",
             f"--storage.tsdb.path={self.folder}/tsdb"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: prepare_child({}))
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        for line in self.process.stderr:
            if found := re.search(r'msg="Listening on" address=(\S+)', line):
                self.address = found[1]
                break
        # What it goes on to say must not fill the pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def ask(self, target):
        try:
            with urllib.request.urlopen(f"http://{self.address}{target}", timeout=10) as answer:
                return json.load(answer)["data"]
        except (OSError, urllib.error.URLError):
            return None  # it is not up yet

    def target(self, job):
        """What Prometheus says of the server."""
        data = self.ask("/api/v1/targets") or {"activeTargets": []}
        return next((target for target in data["activeTargets"] if target["labels"]["job"] == job),
                    {"health": "none"})

    def value_of(self, query):
        data = self.ask("/api/v1/query?query=" + urllib.parse.quote(query))
        return data["result"][0]["value"][1] if data and data["result"] else None

    def wait_for(self, condition):
        deadline = time.monotonic() + DEADLINE
        while not (found := condition()):
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(self.process.poll())
            threading.Event().wait(0.05)
        return found

    def test_scrapes_with_a_bearer_token_that_may_only_read(self):
        header = [("Authorization", f"Bearer {KEY}")]
        for ts in range(5):
            self.request("POST", "/write", {"records": [{"key": "a", "ts": ts}]}, header)
        self.start_prometheus(flowdb=READING_KEY, stranger="some-other-key")
        self.wait_for(lambda: self.target("flowdb")["health"] == "up")
        self.assertEqual(self.target("flowdb")["lastError"], "")
        value = self.wait_for(lambda: self.value_of("flowdb_records_written"))
        self.assertEqual(value, "5")
        self.assertEqual(self.value_of('up{job="flowdb"}'), "1")
        self.assertEqual(self.value_of(
            'sum(flowdb_http_responses_total{path="/write",status="200"})'), "5")
        quantile = float(self.value_of(
            'histogram_quantile(0.9, flowdb_http_request_duration_seconds_bucket{path="/write"})'))
        self.assertGreater(quantile, 0)
        self.wait_for(lambda: self.target("stranger")["health"] == "down")
        self.assertIn("401", self.target("stranger")["lastError"])
        self.assertEqual(self.value_of('up{job="stranger"}'), "0")


if __name__ == "__main__":
    unittest.main()
