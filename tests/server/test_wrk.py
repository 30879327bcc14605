"""wrk, which keeps a few connections as busy as it can: what it had acknowledged is there, and nothing else."""

import os
import pathlib
import re
import subprocess
import time
import unittest

from harness import DEADLINE, ServerTest, need

WRK = need("wrk")
SCRIPT = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"]) / "tests" / "server" / "write.lua"
RECORDS = 10  # a request, as the script has it
CONNECTIONS = 8


class Wrk(ServerTest):
    def written(self):
        """Records, once what wrk left under way has ended: then this connection is the only one."""
        deadline = time.monotonic() + DEADLINE
        while (stats := self.request("GET", "/stats").json)["http_connections"] > 1:
            self.assertLess(time.monotonic(), deadline)
        return stats["total_records_written"]

    def test_every_write_that_was_acknowledged_is_there(self):
        done = subprocess.run(
            [WRK, "-t2", f"-c{CONNECTIONS}", "-d1s", "-s", SCRIPT, f"http://127.0.0.1:{self.server.port}"],
            capture_output=True, text=True, timeout=DEADLINE, check=True)
        requests, errors = map(int, re.search(r"requests=(\d+) errors=(\d+)", done.stdout).groups())
        self.assertEqual(errors, 0, done.stdout)
        self.assertGreater(requests, 100, done.stdout)
        written = self.written()
        # What was under way at the end may have been written as well.
        self.assertIn(written, range(requests * RECORDS, (requests + CONNECTIONS) * RECORDS + 1))
        self.assertEqual(written % RECORDS, 0)
        body = self.request("GET", "/query?format=csv&encoding=text").body.decode()
        rows = [line.split(",") for line in body.split("\r\n")[1:-1]]
        self.assertEqual(len(rows), written)
        for key, ts, _, value in rows:
            self.assertEqual(value, f"{ts}.5", key)
        self.assertEqual({key for key, *_ in rows}, {"wrk.1", "wrk.2"})


if __name__ == "__main__":
    unittest.main()
