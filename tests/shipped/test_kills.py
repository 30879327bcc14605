"""The server as it ships, killed at random moments: what it acknowledged is there when it starts again.

FLOWDB_SERVER_KILLS is the number of kills (100).
"""

import os
import shutil
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "server"))

from harness import Server, ServerTest, seeded_random  # noqa: E402

KILLS = int(os.environ.get("FLOWDB_SERVER_KILLS", "100"))
KILLS_PER_FOLDER = 10
WRITERS = 3
BATCH = 7


class Writer(threading.Thread):
    """Writes batch after batch until the server is gone; each has a number and its own timestamps."""

    def __init__(self, server, name, first, wanted):
        super().__init__()
        self.connection = server.connect()
        self.name = name
        self.next = first
        self.acknowledged = first  # batches below it
        self.wanted = wanted
        self.reached = threading.Event()

    def run(self):
        try:
            while True:
                records = [{"key": self.name, "ts": self.next * BATCH + at, "value": str(self.next)}
                           for at in range(BATCH)]
                self.next += 1
                response = self.connection.request("POST", "/write", {"records": records})
                if response.status == 200:
                    self.acknowledged = self.next
                if self.acknowledged >= self.wanted:
                    self.reached.set()
        except (OSError, EOFError):
            self.reached.set()
            self.connection.close()


class Kills(ServerTest):
    starts_server = False

    def check(self, name, acknowledged, begun):
        """Whole batches, in order from the first on: all that were acknowledged, at most those begun."""
        rows = self.query(key_start=name, key_end=name)
        self.assertEqual(len(rows) % BATCH, 0, f"{name}: a torn batch")
        self.assertEqual([row[1] for row in rows], list(range(len(rows))), name)
        for _, ts, _, value in rows:
            self.assertEqual(value, str(ts // BATCH).encode())
        batches = len(rows) // BATCH
        self.assertGreaterEqual(batches, acknowledged, f"{name}: acknowledged and lost")
        self.assertLessEqual(batches, begun, f"{name}: never written")
        return batches

    def kill_once(self, random, stored):
        """A life of some batches; the batches of each writer that are there at the next start."""
        server = Server(self.data_dir)
        writers = [Writer(server, name, first, first + random.randrange(1, 12))
                   for name, first in stored.items()]
        for writer in writers:
            writer.start()
        random.choice(writers).reached.wait()
        server.kill()
        for writer in writers:
            writer.join()
        self.start()
        return {writer.name: self.check(writer.name, writer.acknowledged, writer.next)
                for writer in writers}

    def test_what_was_acknowledged_survives_every_kill(self):
        random = seeded_random()
        stored, batches = {}, 0
        for number in range(KILLS):
            if number % KILLS_PER_FOLDER == 0:
                batches += sum(stored.values())
                shutil.rmtree(self.data_dir, ignore_errors=True)
                stored = {f"writer-{i}": 0 for i in range(WRITERS)}
            stored = self.kill_once(random, stored)
            self.connection.close()
            # Killed again at once, or ended as it should be.
            if random.random() < 0.5:
                self.server.kill()
            else:
                self.assertEqual(self.server.stop(), 0)
        print(f"{KILLS} kills, {batches + sum(stored.values())} batches stored")


if __name__ == "__main__":
    unittest.main()
