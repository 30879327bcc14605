"""Many clients at once, and what becomes of their work when the server ends under it."""

import http.client
import json
import resource
import threading
import unittest

from harness import ServerTest, seeded_random

WRITERS = 4


class Writer(threading.Thread):
    """Writes batches until the server is gone. `acknowledged` counts those it was told of."""

    BATCH = 20

    def __init__(self, server, name, batches=None):
        super().__init__(daemon=True)
        self.server = server
        self.key = name
        self.batches = batches
        self.acknowledged = 0
        self.failure = None
        self.progress = threading.Event()

    def body(self, batch):
        return json.dumps({"records": [
            {"key": f"{self.key}.{i}", "ts": batch, "value": str(batch)}
            for i in range(self.BATCH)]})

    def run(self):
        try:
            with self.server.connect() as connection:
                while self.batches is None or self.acknowledged < self.batches:
                    response = connection.request("POST", "/write", self.body(self.acknowledged))
                    if response.json != {"written": self.BATCH}:
                        raise AssertionError(response.body)
                    self.acknowledged += 1
                    self.progress.set()
        except (OSError, EOFError, http.client.HTTPException):
            pass  # the server is gone
        except AssertionError as error:
            self.failure = error
        finally:
            self.progress.set()


class ConcurrentClients(ServerTest):
    def start_writers(self, batches=None):
        writers = [Writer(self.server, f"w{i}", batches) for i in range(WRITERS)]
        for writer in writers:
            writer.start()
        return writers

    def join(self, threads):
        for thread in threads:
            thread.join()
            self.assertIsNone(getattr(thread, "failure", None))

    def assert_kept(self, writers):
        """All that was acknowledged is there, and batches are whole."""
        for writer in writers:
            found = {}
            for key, ts, _, value in self.query(prefix=writer.key + "."):
                self.assertEqual(value, str(ts).encode())
                found.setdefault(ts, set()).add(key)
            for ts, keys in found.items():
                self.assertEqual(len(keys), Writer.BATCH, f"batch {ts} is torn")
            self.assertGreaterEqual(len(found), writer.acknowledged)
            self.assertLessEqual(len(found), writer.acknowledged + 1)
            self.assertEqual(sorted(found), list(range(len(found))))

    def test_writers_readers_and_deleters_get_along(self):
        writers = self.start_writers(batches=100)
        failures = []

        def read():
            try:
                with self.server.connect() as connection:
                    while any(writer.is_alive() for writer in writers):
                        answer = connection.request("GET", "/query?prefix=w").json
                        if answer["count"] % Writer.BATCH != 0:
                            failures.append(f"a torn batch among {answer['count']} records")
                        connection.request("DELETE", "/record?key=other&ts=1")
                        connection.request("PATCH", "/record", '{"key":"other","ts":2}')
                        connection.request("GET", "/nothing")
            except (OSError, EOFError) as error:
                failures.append(repr(error))

        readers = [threading.Thread(target=read, daemon=True) for _ in range(2)]
        for reader in readers:
            reader.start()
        self.join(writers + readers)
        self.assertEqual(failures, [])
        self.assert_kept(writers)
        self.assertEqual(self.server.stop(), 0)

    def test_a_stop_under_load_keeps_what_was_acknowledged(self):
        for _ in range(3):
            self.request("DELETE", "/range?key_start=&key_end=")
            writers = self.start_writers()
            for writer in writers:
                writer.progress.wait()
            self.assertEqual(self.server.stop(), 0)
            self.join(writers)
            self.start()
            self.assert_kept(writers)

    def test_a_kill_under_load_keeps_what_was_acknowledged(self):
        random = seeded_random()
        for _ in range(3):
            self.request("DELETE", "/range?key_start=&key_end=")
            writers = self.start_writers()
            for _ in range(random.randrange(1, 20)):
                writer = random.choice(writers)
                writer.progress.clear()
                writer.progress.wait()
            self.server.kill()
            self.join(writers)
            self.start()
            self.assert_kept(writers)

    def test_a_stop_under_a_rain_of_bad_requests_is_clean(self):
        bad = (b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", b"\xff\r\n\r\n",
               b"POST /write HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
               b"GET / HTTP/9\r\n\r\n", b"GET /query?%zz HTTP/1.1\r\nHost: x\r\n\r\n")

        def rain(server, started):
            try:
                while True:
                    for request in bad:
                        with server.connect() as connection:
                            connection.send(request)
                    started.set()
            except OSError:
                started.set()  # the server is gone

        for _ in range(10):
            started = [threading.Event() for _ in range(WRITERS)]
            threads = [threading.Thread(target=rain, args=(self.server, event), daemon=True)
                       for event in started]
            for thread in threads:
                thread.start()
            for event in started:
                event.wait()
            self.assertEqual(self.server.stop_at_once(), 0)
            self.join(threads)
            self.start()

    def test_a_thousand_idle_connections_leave_room_for_others(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        count = min(1000, most - 100)
        idle = [self.connect() for _ in range(count)]
        for connection in idle[:count // 2]:
            connection.send(b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        for _ in range(20):
            self.assert_alive()
        self.write({"key": "a", "ts": 1})
        self.assertEqual(self.server.stop_at_once(), 0)


if __name__ == "__main__":
    unittest.main()
