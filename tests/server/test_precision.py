"""Units of time: what a request counts in, and what is said where it seems to count in another."""

import time
import unittest

from harness import NEVER, ServerTest, frame, query_string, record_bytes

UNITS = {"s": 1_000_000, "ms": 1000, "us": 1}


class PrecisionTest(ServerTest):
    def post(self, *records, **parameters):
        response = self.request("POST", "/write" + query_string(**parameters),
                                {"records": list(records)})
        self.assertEqual(response.status, 200, response.body)
        return response.json

    def times(self, path="/query", **parameters):
        response = self.request("GET", path + query_string(**parameters))
        self.assertEqual(response.status, 200, response.body)
        return [(record["ts"], record["expire_at"]) for record in response.json["records"]]


class Precision(PrecisionTest):
    def test_times_go_in_and_come_out_in_the_unit(self):
        for name, unit in UNITS.items():
            far = 10**10 * 1_000_000 // unit
            self.post({"key": name, "ts": -7}, {"key": name, "ts": 1, "expire_at": far},
                      {"key": name, "ts": 2, "expire_at": NEVER},
                      {"key": name, "ts": far, "ttl_secs": 60}, precision=name)
            expected = [(-7, NEVER), (1, far), (2, NEVER), (far, far + 60 * 1_000_000 // unit)]
            self.assertEqual(self.times(prefix=name, precision=name), expected)
            exact = [(ts * unit, end if end == NEVER else end * unit) for ts, end in expected]
            self.assertEqual(self.times(prefix=name), exact)
            self.request("DELETE", "/range?key_start=&key_end=")

    def test_nanoseconds_are_rounded_down(self):
        for ts, us in ((1999, 1), (1000, 1), (0, 0), (-1, -1), (-1000, -1), (-1001, -2),
                       (2**63 - 1, 9223372036854775), (-2**63, -9223372036854776)):
            self.post({"key": "n", "ts": ts, "value": "x"}, precision="ns")
            self.assertEqual(self.times(), [(us, NEVER)])
            self.assertEqual(self.request("GET", f"/record?key=n&ts={ts}&precision=ns").status, 200)
            self.assertEqual(
                self.request("DELETE", f"/record?key=n&ts={ts}&precision=ns").status, 200)
            self.assertEqual(self.times(), [])

    def test_answers_round_down_and_stop_where_an_integer_does(self):
        self.post(*({"key": "r", "ts": ts, "expire_at": 2**63 - 2} for ts in
                    (-2**63, -1_000_001, -1, 0, 999_999, 2**63 - 1)), precision="us")
        self.assertEqual([ts for ts, _ in self.times(precision="s")],
                         [-9223372036855, -2, -1, 0, 0, 9223372036854])
        self.assertEqual(self.times(precision="ns"),
                         [(ts, NEVER - 1) for ts in
                          (-2**63, -1_000_001_000, -1000, 0, 999_999_000, 2**63 - 1)])

    def test_a_record_is_in_a_range_exactly_if_its_answered_time_is(self):
        stored = [-1_000_001, -1_000_000, -999_999, -1, 0, 1, 999, 1000, 999_999, 1_000_000,
                  1_999_999, 2_000_000]
        self.post(*({"key": "k", "ts": ts} for ts in stored))
        for name, bounds in (("s", (-2, -1, 0, 1, 2)), ("ms", (-1001, -1000, -1, 0, 1, 999, 1000)),
                             ("ns", (-1_000_000_001, -1001, -1000, -999, 0, 1, 999, 1000, 1001))):
            answered = [ts for ts, _ in self.times(precision=name)]
            for start in bounds:
                for end in bounds:
                    self.assertEqual(
                        [ts for ts, _ in self.times(precision=name, ts_start=start, ts_end=end)],
                        [ts for ts in answered if start <= ts <= end], (name, start, end))
                latest = [ts for ts in answered if ts <= start]
                response = self.request("GET", "/latest" + query_string(
                    key="k", precision=name, ts_end=start))
                self.assertEqual([record["ts"] for record in response.json.get("records", [])],
                                 latest[-1:])

    def test_what_64_bits_do_not_hold_is_refused_by_name(self):
        big = 2**63 // 1000 + 1
        body = {"records": [{"key": "a", "ts": 1}, {"key": "a", "ts": big}]}
        self.assert_error(self.request("POST", "/write?precision=ms", body), 400,
                          "records[1].ts", "beyond")
        body["records"][1] = {"key": "a", "ts": 1, "expire_at": -big - 1}
        self.assert_error(self.request("POST", "/write?precision=ms", body), 400,
                          "records[1].expire_at", "beyond")
        body["records"][1] = {"key": "a", "ts": big - 1, "ttl_secs": 1}
        self.assert_error(self.request("POST", "/write?precision=ms", body), 400,
                          "records[1].ttl_secs", "beyond")
        for target in (f"/query?ts_start={big}", f"/query?ts_end=-{big}",
                       f"/latest?key=a&ts_end={big}", f"/record?key=a&ts={big}"):
            self.assert_error(self.request("GET", target + "&precision=ms"), 400, "ts", "beyond")
        self.assert_error(self.request("DELETE", f"/record?key=a&ts={big}&precision=ms"), 400, "ts")
        self.assertEqual(self.times(), [])
        self.assertEqual(self.times(precision="s", ts_end=9223372036854), [])

    def test_patch_counts_in_the_unit_as_well(self):
        far = 4_102_444_800
        self.post({"key": "p", "ts": 5, "value": "old"}, precision="s")
        response = self.request("PATCH", "/record?precision=s",
                                {"key": "p", "ts": 5, "expire_at": far})
        self.assertEqual(response.json["records"][0],
                         {"key": "p", "ts": 5, "expire_at": far, "value": "b2xk"})
        self.assertEqual(self.times(), [(5_000_000, far * 1_000_000)])
        self.assertEqual(self.request("PATCH", "/record?precision=ms",
                                      {"key": "p", "ts": 5, "value": "x"}).status, 404)

    def test_binary_frames_count_in_the_unit_as_well(self):
        far = 4_102_444_800
        body = frame(record_bytes(b"f", far, b"v", ttl=60), record_bytes(b"f", 1, b"v"))
        response = self.request("POST", "/write/binary?precision=s", body)
        self.assertEqual((response.status, response.json), (200, {"written": 2}))
        self.assertEqual(self.times(precision="s"), [(1, NEVER), (far, far + 60)])
        body = frame(record_bytes(b"f", 1, b"v"), record_bytes(b"f", 2**62, b"v"))
        self.assert_error(self.request("POST", "/write/binary?precision=s", body), 400, "record 1")


    def test_every_request_takes_a_unit_and_none_a_wrong_one(self):
        checkpoint = ("POST", "/admin/checkpoint", {"name": "c"})
        for method, path, body in (("GET", "/health", None), ("GET", "/ready", None),
                                   ("GET", "/stats", None), ("GET", "/metrics", None),
                                   ("GET", "/keys", None), ("GET", "/openapi.json", None),
                                   ("GET", "/admin", None), ("GET", "/admin/page/main.js", None),
                                   ("GET", "/admin/config", None), ("POST", "/admin/flush", None),
                                   ("POST", "/admin/compact", None), ("POST", "/admin/gc", None),
                                   checkpoint, ("GET", "/admin/checkpoints", None),
                                   ("DELETE", "/admin/checkpoint?name=c", None),
                                   ("DELETE", "/range?prefix=a", None)):
            target = path + ("&" if "?" in path else "?") + "precision="
            self.assert_error(self.request(method, target + "h", body), 400,
                              "precision must be s, ms, us or ns")
            answer = self.request(method, target + "s", body)
            self.assertEqual(answer.status, 200, (path, answer.body))

    def test_checkpoints_are_listed_in_the_unit(self):
        self.assertEqual(self.request("POST", "/admin/checkpoint", {"name": "c"}).status, 200)

        def made_at(query=""):
            return self.request("GET", "/admin/checkpoints" + query).json["checkpoints"][0]["made_at"]

        exact = made_at()
        for name, unit in UNITS.items():
            self.assertEqual(made_at(f"?precision={name}"), exact // unit)
        self.assertEqual(made_at("?precision=ns"), exact * 1000)


class Warnings(PrecisionTest):
    def metric(self, name):
        text = self.request("GET", "/metrics").body.decode()
        return [float(line.split()[-1]) for line in text.split("\n")
                if line.startswith(name + " ")][0]

    def test_warnings_expiries_and_refusals_are_counted(self):
        now = time.time()
        self.post({"key": "w", "ts": int(now)}, {"key": "w", "ts": 1, "expire_at": 2})
        self.request("POST", "/write/binary", frame(record_bytes(b"w", 1, b"v", ttl=1)))
        self.request("POST", "/write", '{"records":[{"key":"w"}]}')
        for name, expected in (
                ("flowdb_unit_warnings_total", 1),
                ('flowdb_ingest_records_total{protocol="http_json"}', 2),
                ('flowdb_ingest_records_total{protocol="http_binary"}', 1),
                ('flowdb_ingest_expired_total{protocol="http_json"}', 1),
                ('flowdb_ingest_expired_total{protocol="http_binary"}', 1),
                ('flowdb_ingest_rejected_total{protocol="http_json"}', 1),
                ('flowdb_ingest_rejected_total{protocol="udp"}', 0)):
            self.assertEqual(self.metric(name), expected, name)

    def test_times_of_today_in_another_unit_are_warned_of(self):
        now = time.time()
        for name, factor in (("s", 1), ("ms", 10**3), ("ns", 10**9)):
            record = {"key": "w", "ts": int(now * factor)}
            answer = self.post({"key": "w", "ts": int(now * 10**6)}, record)
            self.assertEqual(answer["written"], 2)
            self.assertIn("record 1", answer["warning"])
            self.assertIn(f"precision={name},", answer["warning"])
            self.assertNotIn("warning", self.post(record, precision="us"))
            self.assertNotIn("warning", self.post(record, precision=name))
            response = self.request("POST", "/write/binary",
                                    frame(record_bytes(b"w", int(now * factor), b"")))
            self.assertIn(f"precision={name},", response.json["warning"])

    def test_other_numbers_are_not(self):
        for ts in (0, 1, 2, 1000, -1, 10**6, 10**9, 10**12, 10**15, 10**18, int(time.time() * 10**6),
                   1262304000 * 10**6, 4102444799 * 10**6, 2**62, 2**63 - 1, -2**63,
                   -int(time.time())):
            self.assertEqual(self.post({"key": "q", "ts": ts}), {"written": 1}, ts)

    def test_a_list_that_replaces_another_leaves_nothing_of_it(self):
        now = int(time.time())
        body = (f'{{"records":[{{"key":"a","ts":{now}}},{{"key":"a","ts":1,"expire_at":2}}],'
                '"records":[{"key":"b","ts":1}]}')
        self.assertEqual(self.request("POST", "/write", body).json, {"written": 1})


if __name__ == "__main__":
    unittest.main()
