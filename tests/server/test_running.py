"""Reads that nobody takes: they are ended, and what they held is free again."""

import os
import unittest

from harness import ServerTest

VALUE = "x" * 65000
RECORDS = 600  # more than sockets hold


class StoppedReaders(ServerTest):
    starts_server = False

    def fill(self, timeout_secs):
        config = os.path.join(self.folder, "flowdb.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"request_timeout_secs = {timeout_secs}\n")
        self.start("--config", config)
        for at in range(0, RECORDS, 200):
            self.write(*({"key": "k", "ts": ts, "value": VALUE} for ts in range(at, at + 200)))

    def test_a_reader_that_stops_is_cut_off(self):
        self.fill(timeout_secs=1)
        readers = [self.connect() for _ in range(3)]
        for reader in readers:
            reader.send_request("GET", "/query?prefix=k")
            self.assertEqual(reader.read_head()[0], 200)
        self.server.wait_for(lambda log: sum("a read was ended" in line for line in log) == 3,
                             "the end of three reads")
        line = self.server.wait_for_line("a read was ended")
        for word in ('how="timed out"', 'path="/query"', r'filters="prefix=\"k\""', "rows="):
            self.assertIn(word, line)
        for reader in readers:
            self.assertNotIn(b"\r\n0\r\n\r\n", self.read_rest(reader)[-7:])
        self.assert_alive()
        # No iterator is left: closing the database would refuse.
        self.assertEqual(self.server.stop(), 0)

    @staticmethod
    def read_rest(reader):
        try:
            return reader.read_to_end()
        except ConnectionResetError:
            return b""

    def test_a_reader_that_reads_gets_it_all(self):
        self.fill(timeout_secs=60)
        response = self.request("GET", "/query?format=ndjson")
        self.assertEqual(response.body.count(b"\n"), RECORDS)
        self.assertFalse([line for line in self.server.log if "a read was ended" in line])


if __name__ == "__main__":
    unittest.main()
