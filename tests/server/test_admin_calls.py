"""What a dashboard asks for: tables, events, queries, which can be cancelled, ingest and settings."""

import json
import os
import select
import signal
import socket
import time
import unittest
from unittest import mock

from harness import DEADLINE, ServerTest, frame, query_string, record_bytes, run

KEY, READING_KEY = "all-of-it", "only-looking"
VALUE = "x" * 65000
RECORDS = 600  # of these, more than sockets hold


class Calls(ServerTest):
    def get(self, target, headers=()):
        response = self.request("GET", target, None, headers)
        self.assertEqual(response.status, 200, response.body)
        return response.json

    def restart(self, text="", *arguments):
        """With another configuration, on the same database."""
        if self.server is not None:
            self.server.stop()
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return self.start("--config", path, *arguments)

    def write_frames(self, records):
        """(key, ts, value) of each, 1,000 to a frame."""
        for at in range(0, len(records), 1000):
            body = frame(*(record_bytes(*record) for record in records[at:at + 1000]))
            response = self.request("POST", "/write/binary", body)
            self.assertEqual(response.status, 200, response.body)

    def until(self, ask, what):
        """What `ask` answers once that is true."""
        deadline = time.monotonic() + DEADLINE
        while not (answer := ask()):
            self.assertLess(time.monotonic(), deadline, what)
        return answer


class Tables(Calls):
    starts_server = False

    def setUp(self):
        super().setUp()
        self.restart("[engine]\nauto_background = false\n")

    def flush(self, *records):
        self.write(*records)
        self.assertEqual(self.request("POST", "/admin/flush", b"").status, 200)

    def test_no_table_is_an_empty_list(self):
        self.assertEqual(self.get("/admin/tables"), {"windows": [], "tables": [], "count": 0})

    def test_a_table_tells_what_it_holds(self):
        self.flush({"key": "a", "ts": 1000001, "value": "12"},
                   {"key": "b", "ts": 2000001, "value": "345"},
                   {"key_base64": "/w==", "ts": 3000001, "value": "6", "expire_at": 4000000000000000})
        answer = self.get("/admin/tables?precision=s")
        self.assertEqual(answer["count"], 1)
        table, = answer["tables"]
        self.assertEqual((table["min_key"], table["max_key_base64"]), ("a", "/w=="))
        self.assertEqual((table["min_ts"], table["max_ts"]), (1, 3))
        self.assertEqual((table["records"], table["deletes"], table["keys"]), (3, 0, 3))
        self.assertEqual(table["raw_bytes"], 9)
        path = os.path.join(self.data_dir, "sst", f"{table['id']:06}.sst")
        self.assertEqual(table["file_bytes"], os.path.getsize(path))
        window, = answer["windows"]
        self.assertEqual((window["level"], window["start"], window["end"]),
                         (table["level"], table["window_start"], table["window_end"]))
        self.assertLessEqual(window["start"], 1)
        self.assertGreater(window["end"], 3)
        self.assertEqual((window["tables"], window["file_bytes"], window["records"]),
                         (1, table["file_bytes"], 3))

    def test_windows_come_newest_first_and_add_up(self):
        day = 86400 * 10**6
        for ts in (day * 20000, -day, day * 9000, day):
            self.flush({"key": "k", "ts": ts, "value": "v"})
        answer = self.get("/admin/tables")
        order = [(table["level"], -table["window_start"], -table["max_sequence"])
                 for table in answer["tables"]]
        self.assertEqual(order, sorted(order))
        self.assertEqual(len(order), 4)
        groups = {}
        for table in answer["tables"]:
            groups.setdefault((table["level"], table["window_start"]), []).append(table)
        self.assertEqual([(window["level"], window["start"]) for window in answer["windows"]],
                         list(groups))
        levels = [level for level, _ in groups]
        self.assertGreater(len(levels), len(set(levels)), "two windows of one level")
        self.assertGreater(len(set(levels)), 1)
        for window in answer["windows"]:
            tables = groups[window["level"], window["start"]]
            self.assertEqual(
                (window["tables"], window["file_bytes"], window["records"]),
                (len(tables), sum(table["file_bytes"] for table in tables), len(tables)))
        self.assertIn(True, (len(tables) > 1 for tables in groups.values()))

    def test_a_table_of_range_deletes_has_no_ranges(self):
        self.assertEqual(self.request("DELETE", "/range?key_start=a&key_end=b").status, 200)
        self.assertEqual(self.request("POST", "/admin/flush", b"").status, 200)
        table, = self.get("/admin/tables")["tables"]
        self.assertEqual((table["range_tombstones"], table["records"]), (1, 0))
        self.assertFalse({"min_key", "max_key", "min_ts", "max_ts", "max_expire_at"} & set(table))

    def test_a_long_list_is_streamed_whole(self):
        key = "k" * 4000
        for ts in range(12):
            self.flush({"key": f"{key}{ts}", "ts": ts, "value": "v"})
        response = self.request("GET", "/admin/tables")
        self.assertEqual(response.headers.get("transfer-encoding"), "chunked")
        answer = response.json
        self.assertEqual((answer["count"], len(answer["tables"])), (12, 12))
        self.assertEqual({table["min_key"] for table in answer["tables"]},
                         {f"{key}{ts}" for ts in range(12)})


class Series(Calls):
    def pages(self, **parameters):
        """All series of all pages, and how many of them each page had."""
        series, sizes = [], []
        while True:
            answer = self.get("/admin/series" + query_string(**parameters))
            self.assertEqual(answer["count"], len(answer["series"]))
            series += answer["series"]
            sizes.append(answer["count"])
            if "next" not in answer:
                return series, sizes
            parameters["cursor"] = answer["next"]

    def test_a_series_of_some_records_is_counted(self):
        self.write(*({"key": "a", "ts": ts * 10**7, "value": "v"} for ts in range(10)),
                   *({"key": "b", "ts": ts * 10**6, "value": "four"} for ts in range(100)),
                   {"key_base64": "Yv8=", "ts": 5, "value": ""}, {"key": "other", "ts": 1})
        self.write(*({"key": "b", "ts": ts * 1000 + 10**8, "value": "four"} for ts in range(100)))
        self.request("DELETE", "/record?key=a&ts=0")
        gone = {"key": "a", "ts": 1, "value": "gone", "expire_at": 2}
        self.assertEqual(self.request("POST", "/write", {"records": [gone]}).json["expired"], 1)
        answer = self.get("/admin/series")
        self.assertEqual((answer["count"], "next" in answer), (4, False))
        first, second, third, _ = answer["series"]
        self.assertEqual(first, {"key": "a", "records": 9, "bytes": 18, "exact": True,
                                 "first_ts": 10**7, "last_ts": 9 * 10**7, "records_per_sec": 0.1,
                                 "recent_records_per_sec": 0.1})
        self.assertEqual((second["records"], second["bytes"], second["exact"]), (200, 1000, True))
        self.assertAlmostEqual(second["records_per_sec"], 199 / 100.099)
        self.assertAlmostEqual(second["recent_records_per_sec"], 1000)
        self.assertEqual(third, {"key_base64": "Yv8=", "records": 1, "bytes": 2, "exact": True,
                                 "first_ts": 5, "last_ts": 5, "records_per_sec": None,
                                 "recent_records_per_sec": None})
        one, = self.get("/admin/series?prefix=o&precision=ns")["series"]
        self.assertEqual((one["key"], one["first_ts"]), ("other", 1000))
        self.assertEqual(self.get("/admin/series?prefix=x"), {"series": [], "count": 0})

    def test_up_to_the_bound_a_count_is_exact_and_beyond_it_is_close(self):
        for key, records in ((b"k1023", 1023), (b"k1024", 1024), (b"k1025", 1025)):
            self.write_frames([(key, ts * 1000, b"v") for ts in range(records)])
        self.write_frames([(b"long", 1700000000 * 10**6 + ts * 10**6, b"v" * (1 + ts % 9))
                           for ts in range(30000)])
        self.write_frames([(b"z", 1, b"after it")])
        series = {one["key"]: one for one in self.pages()[0]}
        for records in (1023, 1024):
            one = series[f"k{records}"]
            self.assertEqual((one["records"], one["bytes"], one["exact"]),
                             (records, records * 6, True))
            self.assertAlmostEqual(one["recent_records_per_sec"], 1000)
        self.assertEqual((series["k1025"]["records"], series["k1025"]["exact"]), (1025, False))
        long = series["long"]
        self.assertFalse(long["exact"])
        self.assertAlmostEqual(long["records"], 30000, delta=600)
        self.assertAlmostEqual(long["bytes"], 30000 * (4 + 5), delta=30000)
        self.assertEqual(long["first_ts"], 1700000000 * 10**6)
        self.assertEqual(long["last_ts"], 1700029999 * 10**6)
        self.assertAlmostEqual(long["records_per_sec"], 1, delta=0.02)
        self.assertEqual(long["recent_records_per_sec"], 1)
        self.assertEqual((series["z"]["records"], series["z"]["bytes"]), (1, 9))

    def test_a_burst_is_not_taken_for_the_rate_of_the_whole_time(self):
        """All but a few of its records in a second of eleven days."""
        dense = [(b"k", ts * 50, b"v") for ts in range(20000)]
        sparse = [(b"k", (ts + 1) * 10**9, b"v") for ts in range(1000)]
        self.write_frames(dense + sparse)
        one, = self.get("/admin/series")["series"]
        self.assertAlmostEqual(one["records"], 21000, delta=10000)

    def test_pages_have_each_series_once(self):
        names = [f"s{number:03}" for number in range(250)]
        self.write(*({"key": name, "ts": 1, "value": "v"} for name in names))
        series, sizes = self.pages(limit=60)
        self.assertEqual([one["key"] for one in series], names)
        self.assertEqual(sizes, [60, 60, 60, 60, 10])
        series, sizes = self.pages()
        self.assertEqual([one["key"] for one in series], names)
        self.assertEqual(sizes, [100, 100, 50])
        self.assertEqual(self.pages(limit=250)[1], [250])
        for limit in ("0", "1001", "x"):
            self.assert_error(self.request("GET", f"/admin/series?limit={limit}"), 400, "limit")
        cursor = self.get("/admin/series?limit=3")["next"]
        self.assert_error(self.request("GET", f"/admin/series?prefix=s&cursor={cursor}"), 400)
        self.assert_error(self.request("GET", f"/keys?cursor={cursor}"), 400)

    def test_a_page_reads_so_many_records_and_no_more(self):
        self.write_frames([(b"s%03d" % number, ts, b"v") for number in range(250)
                           for ts in range(1000)])
        before = self.get("/stats")["total_records_read"]
        answer = self.get("/admin/series?limit=1000")
        self.assertLess(answer["count"], 250)
        self.assertIn("next", answer)
        read = self.get("/stats")["total_records_read"] - before
        self.assertGreater(read, 200000)
        self.assertLess(read, 205000)
        series, sizes = self.pages(limit=1000)
        self.assertEqual([one["key"] for one in series], [f"s{number:03}" for number in range(250)])
        self.assertEqual({(one["records"], one["exact"]) for one in series}, {(1000, True)})
        self.assertEqual(len(sizes), 2)

    def test_its_iterators_are_given_back(self):
        self.write({"key": "a", "ts": 1, "value": "v"})
        self.get("/admin/series?limit=1")
        self.assertEqual(self.get("/stats")["iterators_open"], 0)


class Events(Calls):
    def test_the_newest_comes_first(self):
        self.write({"key": "a", "ts": 1, "value": "v"}, {"key": "b", "ts": 1, "value": "v"})
        self.request("POST", "/admin/flush", b"")
        self.request("POST", "/admin/gc", b"")
        answer = self.get("/admin/events")
        self.assertEqual((answer["health"], answer["health_reason"]), ("good", ""))
        kinds = [event["kind"] for event in answer["events"]]
        self.assertEqual(answer["count"], len(kinds))
        self.assertEqual(kinds[-1], "open")
        self.assertIn("gc", kinds)
        ids = [event["id"] for event in answer["events"]]
        self.assertEqual(ids, sorted(ids, reverse=True))
        flush = next(event for event in answer["events"] if event["kind"] == "flush")
        self.assertEqual((flush["status"], flush["records_in"], flush["outputs"]),
                         ("FLOWDB_OK", 2, 1))
        self.assertLess(abs(flush["started_at"] / 1e6 - time.time()), 3600)
        seconds = self.get("/admin/events?precision=s")["events"][-1]["started_at"]
        self.assertEqual(seconds, answer["events"][-1]["started_at"] // 10**6)

    def test_what_goes_on_failing_is_told_with_its_reason_to_those_with_a_key(self):
        """A flush whose folder is gone for a while."""
        self.restart(f'api_keys = ["{KEY}"]\n[engine]\nmemtable_size_mb = 1\n')
        key = [("X-API-Key", KEY)]
        folder = os.path.join(self.data_dir, "sst")
        os.rename(folder, folder + "-away")
        body = frame(*(record_bytes(b"k", ts, os.urandom(150)) for ts in range(9000)))
        self.assertEqual(self.request("POST", "/write/binary", body, key).status, 200)
        self.assertEqual(self.request("POST", "/write", {"records": [{"key": "a", "ts": 1}]},
                                      key).status, 200)
        answer = self.until(lambda: "reason" in (found := self.get("/ready")) and found, "failures")
        self.assertEqual((answer["status"], answer["health"]), ("ready", "degraded"))
        self.assertIn("/admin/events", answer["reason"])
        self.assertNotIn(self.data_dir, answer["reason"])
        self.until(lambda: "retry" in {
            event["kind"] for event in self.get("/admin/events", key)["events"]}, "the event")
        answer = self.get("/admin/events", key)
        self.assertEqual(answer["health"], "degraded")
        self.assertRegex(answer["health_reason"], r"has failed \d+ times in a row: ")
        self.assertGreater(self.get("/stats", key)["background_jobs_failing"], 0)
        os.rename(folder + "-away", folder)
        self.until(lambda: self.get("/ready")["health"] == "good", "a flush that went well")
        self.assertEqual(self.get("/stats", key)["background_jobs_failing"], 0)

    def test_a_folder_whose_name_is_no_text_makes_no_broken_answer(self):
        self.server.stop()
        self.data_dir = os.path.join(self.folder.encode(), b"\xff\xfe")
        self.start()
        self.write({"key": "a", "ts": 1, "value": "v"})
        self.assertEqual(self.request("POST", "/admin/checkpoint", {"name": "c"}).status, 200)
        json.loads(self.request("GET", "/admin/events").body.decode("utf-8"))


class Queries(Calls):
    def read_slowly(self, target="/query?prefix=k"):
        """A query whose reader takes the head of its answer and no more."""
        reader = self.connect()
        reader.send_request("GET", target)
        self.assertEqual(reader.read_head()[0], 200)
        return reader

    def fill(self):
        for at in range(0, RECORDS, 200):
            self.write(*({"key": "k", "ts": ts, "value": VALUE} for ts in range(at, at + 200)))

    @staticmethod
    def rest(reader):
        try:
            return reader.read_to_end()
        except ConnectionResetError:
            return b""

    def test_nothing_runs_at_first(self):
        self.assertEqual(self.get("/admin/queries"),
                         {"running": [], "count": 0, "slow": [], "slow_from_ms": 1000})

    def test_a_query_shows_and_ends_when_it_is_cancelled(self):
        self.fill()
        kept = self.read_slowly("/query?prefix=k&limit=590")
        reader = self.read_slowly()
        answer = self.get("/admin/queries")
        self.assertEqual(answer["count"], 2)
        first, second = answer["running"]
        self.assertEqual((first["path"], first["filters"], first["state"]),
                         ("/query", 'prefix="k" limit="590"', "running"))
        self.assertLess(first["id"], second["id"])
        self.assertGreater(second["rows"], 0)
        self.assertLess(abs(second["started_at"] / 1e6 - time.time()), 3600)
        self.assertEqual(self.get("/stats")["iterators_open"], 2)

        response = self.request("POST", "/admin/queries/cancel", {"id": second["id"]})
        self.assertEqual((response.status, response.json),
                         (200, {"ok": True, "message": f"query {second['id']} is being cancelled"}))
        self.assertNotIn(b"\r\n0\r\n\r\n", self.rest(reader)[-7:])
        line = self.server.wait_for_line("a read was ended")
        for word in ('how="cancelled"', r'filters="prefix=\"k\""'):
            self.assertIn(word, line)
        # What it held is free; the other goes on to its end.
        self.until(lambda: self.get("/stats")["iterators_open"] == 1, "one iterator is left")
        self.assertEqual([read["id"] for read in self.get("/admin/queries")["running"]],
                         [first["id"]])
        self.assertEqual(json.loads(kept.read_chunks())["count"], 590)
        self.until(lambda: self.get("/admin/queries")["count"] == 0, "none is running")

    def test_one_that_has_sent_nothing_yet_is_answered_503(self):
        """It passes over records that are deleted, in one call of the engine's."""
        self.restart("http_threads = 4\n[engine]\nauto_background = false\n")
        for series in range(40):
            self.write_frames([(b"k%d" % series, ts, b"v") for ts in range(10000)])
        self.assertEqual(self.request("DELETE", "/range?prefix=k").status, 200)
        for target in ("/query?prefix=k", "/admin/series?prefix=k", "/latest?prefix=k"):
            answer = self.until(lambda target=target: self.cancel_one(target), "one is cancelled")
            self.assert_error(answer, 503, "cancelled")
            self.assertEqual(self.get("/stats")["iterators_open"], 0)

    def cancel_one(self, target):
        """The answer to a query that was cancelled; None where it was too fast, or where it shared its
        thread with who looked for it."""
        with self.server.connect() as reader, self.server.connect() as looker:
            reader.send_request("GET", target)
            while self.waits(reader):
                running = looker.request("GET", "/admin/queries").json["running"]
                if running:
                    looker.request("POST", "/admin/queries/cancel", {"id": running[0]["id"]})
                    break
            answer = reader.read_response()
            return answer if answer.status != 200 else None

    @staticmethod
    def waits(reader):
        return not select.select([reader.socket], [], [], 0)[0]

    def test_what_is_not_running_cannot_be_cancelled(self):
        for number in (1, 0, -1, 2**63 - 1):
            self.assert_error(self.request("POST", "/admin/queries/cancel", {"id": number}), 404,
                              str(number))
        for body in ("", "{", "[]", "{}", '{"id":"1"}', '{"id":1.5}', '{"id":9223372036854775808}',
                     '{"id":1,"id":2}', '{"id":1,"why":"x"}', '{"id":null}'):
            with self.subTest(body):
                self.assert_error(self.request("POST", "/admin/queries/cancel", body), 400)
        self.assertEqual(self.request("GET", "/admin/queries/cancel").status, 405)

    def test_slow_ones_are_remembered(self):
        self.restart("request_timeout_secs = 1\n")
        self.fill()
        self.request("GET", "/query?prefix=none")
        readers = [self.read_slowly("/query?prefix=k&limit=589"), self.read_slowly()]
        answer = self.until(lambda: len((found := self.get("/admin/queries"))["slow"]) == 2 and found,
                            "both readers are cut off")
        self.assertEqual({read["state"] for read in answer["slow"]}, {"timed out"})
        self.assertTrue(all(read["duration_ms"] >= answer["slow_from_ms"] for read in answer["slow"]))
        self.assertEqual({read["filters"] for read in answer["slow"]},
                         {'prefix="k"', 'prefix="k" limit="589"'})
        for reader in readers:
            self.rest(reader)

    def test_filters_that_are_no_text_are_shown_as_text(self):
        self.fill()
        reader = self.read_slowly("/query?key_start=%22%00%ff%3C&key_end=z")
        running, = self.get("/admin/queries")["running"]
        self.assertEqual(running["filters"], r'key_start="\x22\x00\xff<" key_end="z"')
        self.request("POST", "/admin/queries/cancel", {"id": running["id"]})
        self.rest(reader)


class Ingest(Calls):
    def protocol(self, name):
        answer = self.get("/admin/ingest")
        return next(row for row in answer["protocols"] if row["protocol"] == name)

    def test_what_came_in_is_told_by_protocol(self):
        answer = self.get("/admin/ingest")
        self.assertEqual([row["protocol"] for row in answer["protocols"]],
                         ["http_json", "http_binary", "udp"])
        self.assertEqual(answer["rejections"], [])
        for row in answer["protocols"]:
            self.assertEqual({value for value in row.values() if not isinstance(value, str)}, {0})
        self.write(*({"key": "k", "ts": 1700000000 * 10**6 + ts, "value": "v"} for ts in range(600)))
        body = frame(record_bytes(b"b", 1, b"v"), record_bytes(b"b", 2, b"v"))
        self.request("POST", "/write/binary", body)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(frame(record_bytes(b"u", 1, b"v")), (self.server.host, self.server.udp_port))
            self.until(lambda: self.protocol("udp")["records"] == 1, "the datagram is counted")
        binary = self.protocol("http_binary")
        self.assertEqual((binary["records"], binary["bytes"], binary["writes"]), (2, len(body), 1))
        answer = self.get("/admin/ingest")
        row = answer["protocols"][0]
        self.assertEqual((row["records"], row["writes"], row["rejected"]), (600, 1, 0))
        self.assertGreaterEqual(answer["window_secs"], 1)
        self.assertAlmostEqual(row["records_per_sec"] * answer["window_secs"], 600, delta=6)
        self.assertAlmostEqual(row["bytes_per_sec"] * answer["window_secs"], row["bytes"],
                               delta=row["bytes"] / 100)

    def test_refused_inputs_are_told_with_their_reasons(self):
        self.request("POST", "/write", {"records": [{"key": "k", "ts": "x"}]})
        self.request("POST", "/write?<script>%0a%22=1", "{}")
        self.request("POST", "/write/binary", b"nonsense")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"nonsense", (self.server.host, self.server.udp_port))
            self.until(lambda: self.protocol("udp")["rejected"] == 1, "the datagram is counted")
        answer = self.get("/admin/ingest")
        self.assertEqual([row["rejected"] for row in answer["protocols"]], [2, 1, 1])
        udp, binary, script, plain = answer["rejections"]
        self.assertEqual((udp["protocol"], udp["reason"]), ("udp", "bad_magic"))
        self.assertEqual(binary["protocol"], "http_binary")
        self.assertIn("no frame", binary["reason"])
        self.assertEqual(script["reason"], 'unknown query parameter: <script>?"')
        self.assertEqual(plain["protocol"], "http_json")
        self.assertIn("records[0].ts", plain["reason"])
        self.assertLess(abs(plain["at"] / 1e6 - time.time()), 3600)
        self.assertNotIn(b"<script>", self.request("GET", "/admin/ingest").body)
        self.assertEqual(self.get("/admin/ingest?precision=s")["rejections"][-1]["at"],
                         plain["at"] // 10**6)

    def test_only_the_last_are_kept(self):
        for number in range(70):
            self.request("POST", f"/write?parameter{number}=1", "{}")
        answer = self.get("/admin/ingest")
        self.assertEqual(answer["protocols"][0]["rejected"], 70)
        self.assertEqual([rejection["reason"].split()[-1] for rejection in answer["rejections"]],
                         [f"parameter{number}" for number in range(69, 5, -1)])
        self.request("POST", "/write?" + "p" * 5000 + "=1", "{}")
        self.assertLess(len(self.get("/admin/ingest")["rejections"][0]["reason"]), 160)

    def test_a_key_that_went_astray_is_not_shown(self):
        self.restart(f'api_keys = ["{KEY}"]\nread_api_keys = ["{READING_KEY}"]\n')
        whole = [("X-API-Key", KEY)]
        for name in (KEY, READING_KEY, f"api_key_{KEY}"):
            response = self.request("POST", f"/write?{name}", "{}", whole)
            self.assertIn(name, response.json["message"])  # it is told to who sent it
        body = self.request("GET", "/admin/ingest", None, [("X-API-Key", READING_KEY)]).body
        self.assertEqual(len(json.loads(body)["rejections"]), 3)
        for key in (KEY, READING_KEY):
            self.assertNotIn(key.encode(), body)


class Settings(Calls):
    starts_server = False

    def settings(self, headers=()):
        answer = self.get("/admin/config", headers)
        self.assertEqual(answer["count"], len(answer["settings"]))
        return {setting["name"]: setting for setting in answer["settings"]}

    def test_each_has_its_value_and_its_origin(self):
        with mock.patch.dict(os.environ, FLOWDB_MAX_BATCH_RECORDS="77",
                             FLOWDB_CORS_ORIGINS="http://a,http://b"):
            self.restart('public_metrics = true\n[engine]\nwal_sync = "always"\nzstd_level = 5\n',
                         "--log-level", "debug")
        found = self.settings()
        path = os.path.join(self.folder, "flowdb.toml")
        for name, value, origin in (
                ("public_metrics", True, f"{path}, line 1"),
                ("engine.wal_sync", "always", f"{path}, line 3"),
                ("engine.zstd_level", 5, f"{path}, line 4"),
                ("max_batch_records", 77, "FLOWDB_MAX_BATCH_RECORDS"),
                ("cors_origins", ["http://a", "http://b"], "FLOWDB_CORS_ORIGINS"),
                ("log_level", "debug", "--log-level"),
                ("engine.data_dir", self.data_dir, "--data-dir"),
                ("engine.read_only", False, "default"),
                ("max_value_bytes", 65536, "default")):
            self.assertEqual((found[name]["value"], found[name]["origin"]), (value, origin), name)
        _, printed, _ = run("--print-config")
        names = [line.split(" = ")[0] for line in printed.splitlines() if " = " in line]
        self.assertEqual([name.removeprefix("engine.") for name in found], names)

    def test_secrets_are_told_to_be_there_and_no_more(self):
        self.restart(f'api_keys = ["{KEY}", "second-secret"]\nread_api_keys = ["{READING_KEY}"]\n'
                     'udp_api_key = "third-secret"\n')
        reading = [("X-API-Key", READING_KEY)]
        body = self.request("GET", "/admin/config", None, reading).body
        for key in (KEY, "second-secret", READING_KEY, "third-secret"):
            self.assertNotIn(key.encode(), body)
        found = self.settings(reading)
        for name, value in (("api_keys", ["(not shown)"] * 2), ("read_api_keys", ["(not shown)"]),
                            ("udp_api_key", "(not shown)")):
            self.assertEqual((found[name]["value"], found[name]["secret"]), (value, True))
        self.assertFalse(found["log_level"]["secret"])
        self.restart()
        found = self.settings()
        self.assertEqual((found["api_keys"]["value"], found["udp_api_key"]["value"]), ([], ""))

    def test_what_is_read_again_is_shown_as_it_is_now(self):
        self.restart('log_level = "info"\nmax_batch_records = 5\n')
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'# another\napi_keys = ["{KEY}"]\nmax_batch_records = 6\nlog_level = "debug"\n')
        self.server.signal(signal.SIGHUP)
        self.server.wait_for_line("configuration read again")
        headers = [("X-API-Key", KEY)]
        found = self.settings(headers)
        self.assertEqual((found["log_level"]["value"], found["log_level"]["origin"]),
                         ("debug", f"{path}, line 4"))
        self.assertEqual(found["api_keys"]["value"], ["(not shown)"])
        self.assertEqual(found["max_batch_records"]["value"], 5)
        self.assertEqual([name for name, setting in found.items() if setting["reloaded_by_sighup"]],
                         ["api_keys", "read_api_keys", "log_level"])
        with open(path, "w", encoding="utf-8") as file:
            file.write('api_keys = ["new-key"]\n')
        self.server.signal(signal.SIGHUP)
        self.server.wait_for(lambda log: sum("read again" in line for line in log) == 2)
        self.assertEqual(self.request("GET", "/admin/config", None, headers).status, 401)
        self.settings([("X-API-Key", "new-key")])


class Rights(Calls):
    looking = ("series", "tables", "events", "queries", "ingest", "config")
    starts_server = False

    def test_a_reading_key_looks_and_cancels_nothing(self):
        self.restart(f'api_keys = ["{KEY}"]\nread_api_keys = ["{READING_KEY}"]\n')
        reading = [("X-API-Key", READING_KEY)]
        for name in self.looking:
            self.assertEqual(self.request("GET", f"/admin/{name}").status, 401)
            self.get(f"/admin/{name}", reading)
            self.assert_error(self.request("POST", f"/admin/{name}", b"", [("X-API-Key", KEY)]), 405)
            self.assert_error(
                self.request("GET", f"/admin/{name}?nonsense=1", None, reading), 400, "nonsense")
        cancel = "/admin/queries/cancel"
        self.assertEqual(self.request("POST", cancel, {"id": 1}).status, 401)
        self.assertEqual(self.request("POST", cancel, {"id": 1}, reading).status, 403)
        self.assertEqual(self.request("POST", cancel, {"id": 1}, [("X-API-Key", KEY)]).status, 404)

    def test_a_page_of_another_site_cannot_make_a_browser_cancel(self):
        self.restart()
        for header in (("Sec-Fetch-Site", "cross-site"), ("Origin", "http://elsewhere"),
                       ("Origin", "null")):
            response = self.request("POST", "/admin/queries/cancel", {"id": 1}, [header])
            self.assert_error(response, 403)


if __name__ == "__main__":
    unittest.main()
