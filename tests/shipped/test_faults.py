"""The server as it ships, with calls to the system that fail: what it acknowledged is there afterwards.

tests/shipped/fault_shim.c, loaded in front of libc, counts what the engine asks of the system and
makes one call fail, or all from one on. Every place of a run is tried FLOWDB_SHIM_ROUNDS times (2),
each time in a way that is drawn.
"""

import errno
import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "server"))

from harness import NEVER, Server, seeded_random  # noqa: E402
from shim import ShimTest  # noqa: E402

ROUNDS = int(os.environ.get("FLOWDB_SHIM_ROUNDS", "2"))
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EINTR": errno.EINTR, "EMFILE": errno.EMFILE,
          "a short write": 0}
KEYS = 8
BATCHES = 6


class Life:
    """One server's life under the shim, and what its client was told."""

    def __init__(self, test, number):
        self.data_dir = os.path.join(test.folder, f"data-{number}")
        self.acknowledged = {}  # (key, ts): value, or None where a delete was acknowledged
        self.unclear = {}       # (key, ts): what a request that failed may have left

    def start(self):
        """None where it refused to start, which it may while calls fail."""
        try:
            return Server(self.data_dir)
        except AssertionError:
            return None

    def ask(self, connection, method, target, changes, body=None):
        """Sends one request; whatever becomes of it, what it may change is remembered."""
        try:
            response = connection.request(method, target, body)
            done = response.status == 200
        except (OSError, EOFError):
            done = False
        for place, value in changes.items():
            if done:
                self.acknowledged[place] = value
                self.unclear.pop(place, None)
            else:
                self.unclear.setdefault(place, set()).add(value)

    def work(self, server, number):
        with server.connect() as connection:
            for batch in range(BATCHES):
                ts = number * BATCHES + batch
                changes = {(f"key-{key}".encode(), ts): f"{number}.{batch}.{key}".encode()
                           for key in range(KEYS)}
                records = [{"key": key.decode(), "ts": at, "value": value.decode()}
                           for (key, at), value in changes.items()]
                self.ask(connection, "POST", "/write", changes, {"records": records})
            self.ask(connection, "DELETE", f"/record?key=key-0&ts={ts}", {(b"key-0", ts): None})
            self.ask(connection, "PATCH", "/record", {(b"key-1", ts): b"patched"},
                     {"key": "key-1", "ts": ts, "value": "patched"})

    def check(self, test, stored, what):
        """Everything acknowledged is there; what is there was written."""
        found = {(key, ts): value for key, ts, _, value in stored}
        for place, value in self.acknowledged.items():
            allowed = {value} | self.unclear.get(place, set())
            test.assertIn(found.get(place), allowed, f"{what}: {place}")
        for place, value in found.items():
            allowed = {self.acknowledged.get(place)} | self.unclear.get(place, set())
            test.assertIn(value, allowed, f"{what}: {place}")


class Shim(ShimTest):
    def live(self, number, fail_at, error, persistent):
        """A life in which a call fails, ended; then one in which none does, and a look at all."""
        life = Life(self, number)
        self.counters.arm(fail_at, error, persistent)
        self.shimmed(True)
        try:
            for turn in range(2):
                server = life.start()
                if server is None:
                    continue
                life.work(server, turn)
                # Asked to end, which may fail now; the first time it is not asked.
                if turn == 0:
                    server.kill()
                else:
                    server.stop_at_once()
        finally:
            self.shimmed(False)
        counted = self.counters.read()
        self.look(life, f"call {fail_at} of {counted[0]}, errno {error}, persistent {persistent}")
        shutil.rmtree(life.data_dir)
        return counted

    def look(self, life, what):
        """With nothing failing it starts, has everything, and takes writes again."""
        server = Server(life.data_dir)
        self.server, self.connection = server, server.connect()
        try:
            stored = self.query()
            life.check(self, stored, what)
            self.write({"key": "after", "ts": 1, "value": "v"})
            self.assertIn((b"after", 1, NEVER, b"v"), self.query(prefix="after"))
        finally:
            self.connection.close()
            self.assertEqual(server.stop(), 0)

    def test_no_call_that_fails_takes_what_was_acknowledged(self):
        random = seeded_random()
        calls, failed, kinds = self.live(0, 0, 0, 0)
        self.assertEqual(failed, 0)
        # The shim sees what the engine does, or the rest proves nothing.
        for kind in ("open", "read", "write", "sync", "rename", "unlink", "mkdir"):
            self.assertGreater(kinds[kind], 0, kind)
        places = list(range(1, calls + 1)) * ROUNDS
        hit = 0
        for number, place in enumerate(places):
            name = random.choice(list(ERRORS))
            persistent = random.random() < 0.3 and name not in ("EINTR", "a short write")
            hit += self.live(number + 1, place, ERRORS[name], int(persistent))[1] > 0
        print(f"{calls} calls in a run; {len(places)} runs, {hit} in which a call failed")
        self.assertGreater(hit, len(places) // 2)


if __name__ == "__main__":
    unittest.main()
