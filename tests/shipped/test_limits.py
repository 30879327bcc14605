"""The server as it ships, with too few descriptors and too small files."""

import os
import resource
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "server"))

from harness import Server, ServerTest  # noqa: E402


def records(first, count=5):
    return {"records": [{"key": "k", "ts": first + at, "value": str(first + at)} for at in range(count)]}


class Limits(ServerTest):
    starts_server = False

    def write_what_it_takes(self, server, first):
        """Requests until one fails, 20 at most; the timestamps that were acknowledged."""
        taken = []
        for batch in range(20):
            body = records(first + 5 * batch)
            try:
                with server.connect() as connection:
                    if connection.request("POST", "/write", body).status != 200:
                        break
            except (OSError, EOFError):
                break
            taken += [record["ts"] for record in body["records"]]
        return taken

    def stored(self):
        return [ts for _, ts, _, _ in self.query(prefix="k")]

    def live_under(self, limits, first):
        """What a server under the limits has acknowledged; [] where it refused to start."""
        try:
            server = Server(self.data_dir, limits=limits)
        except AssertionError as refusal:
            self.assertIn("level=error", str(refusal))
            return None
        taken = self.write_what_it_takes(server, first)
        server.kill()
        return taken

    def expect(self, acknowledged):
        self.start()
        self.assertLessEqual(set(acknowledged), set(self.stored()))
        self.connection.close()
        self.assertEqual(self.server.stop(), 0)

    def test_few_descriptors_refuse_or_work_but_lose_nothing(self):
        acknowledged, refused, served = [], 0, 0
        for number, descriptors in enumerate(range(6, 65, 2)):
            taken = self.live_under({resource.RLIMIT_NOFILE: descriptors}, 1000 * number)
            refused += taken is None
            served += taken is not None and len(taken) == 100
            acknowledged += taken or []
            self.expect(acknowledged)
        print(f"{refused} refused to start, {served} served everything")
        self.assertGreater(refused, 0)
        self.assertGreater(served, 0)

    def test_small_files_refuse_or_work_but_lose_nothing(self):
        acknowledged, stopped = [], 0
        for number, size in enumerate([0, 1, 100, 4096, 65536, 262144, 300000, 1 << 20, 80 << 20]):
            taken = self.live_under({resource.RLIMIT_FSIZE: size}, 1000 * number)
            stopped += taken is None or len(taken) < 100
            acknowledged += taken or []
            self.expect(acknowledged)
        self.assertGreater(stopped, 0)
        self.assertGreater(len(acknowledged), 0)


if __name__ == "__main__":
    unittest.main()
