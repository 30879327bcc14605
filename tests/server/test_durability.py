"""A recording of a real machine, loaded over HTTP, through kills, back byte for byte."""

import collections
import os
import unittest

from harness import NEVER, ServerTest, seeded_random

RECORDING = os.path.join(os.environ["FLOWDB_SOURCE_DIR"], "tests", "data", "machine.csv")
BATCH = 50


def recording():
    """The lines, and each as the record that it stands for."""
    with open(RECORDING, encoding="ascii", newline="") as file:
        lines = file.read().splitlines(keepends=True)
    records = []
    for line in lines:
        key, ts, value = line.rstrip("\n").split(",")
        records.append({"key": key, "ts": int(ts), "value": value})
    return lines, records


class Recording(ServerTest):
    def setUp(self):
        super().setUp()
        self.lines, self.records = recording()
        self.batches = [self.records[at:at + BATCH] for at in range(0, len(self.records), BATCH)]

    def stored_lines(self):
        """What the database holds, as the recording's lines."""
        lines = []
        for key, ts, expire_at, value in self.query():
            self.assertEqual(expire_at, NEVER)
            lines.append(f"{key.decode()},{ts},{value.decode()}\n")
        return lines

    def test_the_recording_is_worth_loading(self):
        keys = collections.Counter(record["key"] for record in self.records)
        self.assertGreater(len(self.records), 5000)
        self.assertGreater(len(keys), 10)
        self.assertEqual(len(set(keys.values())), 1)

    def test_comes_back_byte_for_byte_after_kills(self):
        random = seeded_random()
        middle = random.randrange(1, len(self.batches) - 1)
        for batch in self.batches[:middle]:
            self.write(*batch)
        self.server.kill()
        self.start()
        self.assertEqual(self.stored_lines(), sorted(self.lines[:middle * BATCH], key=by_key_and_ts))
        for batch in self.batches[middle:]:
            self.write(*batch)
        self.server.kill()
        self.start()
        stored = self.stored_lines()
        self.assertEqual(stored, sorted(self.lines, key=by_key_and_ts))
        self.assertEqual("".join(sorted(stored)), "".join(sorted(self.lines)))

    def test_a_batch_on_its_way_lands_whole_or_not_at_all(self):
        random = seeded_random()
        acknowledged = 0
        for _ in range(10):
            whole = random.randrange(0, 4)
            for batch in self.batches[acknowledged:acknowledged + whole]:
                self.write(*batch)
            acknowledged += whole
            self.send_without_waiting(self.batches[acknowledged], random.random())
            self.server.kill()
            self.start()
            stored = self.stored_lines()
            if len(stored) > acknowledged * BATCH:
                acknowledged += 1
            self.assertEqual(stored, sorted(self.lines[:acknowledged * BATCH], key=by_key_and_ts))

    def send_without_waiting(self, batch, part):
        """A write of which that part goes out; all of it from 0.5 on."""
        body = ('{"records":[' + ",".join(
            f'{{"key":"{record["key"]}","ts":{record["ts"]},"value":"{record["value"]}"}}'
            for record in batch) + "]}").encode()
        self.connection.send(b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" %
                             len(body) + body[:int(len(body) * min(1, part * 2))])

    def test_a_clean_stop_and_start_changes_nothing(self):
        for batch in self.batches:
            self.write(*batch)
        before = self.request("GET", "/query").body
        for _ in range(3):
            self.assertEqual(self.server.stop(), 0)
            self.start()
            self.assertEqual(self.request("GET", "/query").body, before)

    def test_deletes_and_patches_survive_kills_too(self):
        for batch in self.batches[:20]:
            self.write(*batch)
        first = self.records[0]
        self.assertEqual(self.request("DELETE", "/range?prefix=machine.load.").status, 200)
        self.assertEqual(self.request("PATCH", "/record", {**self.records[10], "value": "patched"})
                         .status, 200)
        self.assertEqual(self.request("DELETE", "/record?key=machine.memory.free_kb&ts=" +
                                      str(first["ts"])).status, 200)
        before = self.request("GET", "/query").body
        self.assertNotIn(b"machine.load.", before)
        self.assertIn(b"cGF0Y2hlZA==", before)
        self.server.kill()
        self.start()
        self.assertEqual(self.request("GET", "/query").body, before)


def by_key_and_ts(line):
    key, ts, _ = line.split(",")
    return key, int(ts)


if __name__ == "__main__":
    unittest.main()
