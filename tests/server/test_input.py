"""What is refused: with which status, in which words, and that it changes nothing."""

import json
import unittest

from harness import ServerTest

MAX = 2**63 - 1


class BadInput(ServerTest):
    def setUp(self):
        super().setUp()
        self.write({"key": "kept", "ts": 1, "value": "v"})
        self.before = self.request("GET", "/query").body

    def tearDown(self):
        self.assertEqual(self.request("GET", "/query").body, self.before)
        super().tearDown()

    def refuse(self, method, target, body, *words, status=400):
        with self.subTest(target=target, body=body[:80] if body else body):
            self.assert_error(self.request(method, target, body), status, *words)


class BadRecords(BadInput):
    def refuse_record(self, record, *words):
        """In a list, behind a good one; and, where a patch takes the member too, by itself."""
        text = record if isinstance(record, str) else json.dumps(record)
        self.refuse("POST", "/write", '{"records":[{"key":"good","ts":1},' + text + "]}", *words)
        return text

    def refuse_anywhere(self, record, field, *words):
        text = self.refuse_record(record, f"records[1].{field}", *words)
        self.refuse("PATCH", "/record", text, field, *words)

    def test_a_key_has_to_be_there(self):
        self.refuse_anywhere({"ts": 1}, "key", "missing")
        self.refuse_anywhere({"ts": 1, "key": None}, "key", "missing")
        self.refuse_anywhere({"ts": 1, "key": ""}, "key", "empty")
        self.refuse_anywhere({"ts": 1, "key": "a", "key_base64": ""}, "key", "empty")

    def test_a_key_is_a_string(self):
        for value in (1, 1.5, True, [], ["a"], {}, {"a": "b"}):
            self.refuse_anywhere({"ts": 1, "key": value}, "key", "string")

    def test_a_key_has_a_limit(self):
        self.refuse_anywhere({"ts": 1, "key": "k" * 4097}, "key", "4096")
        self.refuse_anywhere({"ts": 1, "key": "k" * 70000}, "key", "4096")
        self.refuse_anywhere({"ts": 1, "key_base64": "AAAA" * 1366}, "key_base64", "4096")

    def test_a_ts_has_to_be_there(self):
        self.refuse_anywhere({"key": "a"}, "ts", "missing")
        self.refuse_anywhere({"key": "a", "ts": None}, "ts", "missing")

    def test_a_ts_is_an_integer_of_64_bits(self):
        for text in ("1.5", "1.0", "1e3", '"1"', "true", "[]", "{}", '"now"'):
            self.refuse_anywhere(f'{{"key":"a","ts":{text}}}', "ts", "integer")
        for text in (str(2**63), str(-2**63 - 1), "9" * 400):
            self.refuse_anywhere(f'{{"key":"a","ts":{text}}}', "ts", "64 bits")

    def test_a_value_is_a_string_or_a_number(self):
        for value in (True, False, [], {}):
            self.refuse_anywhere({"key": "kept", "ts": 1, "value": value}, "value", "string")
        self.refuse_anywhere({"key": "kept", "ts": 1, "value_base64": 1}, "value_base64", "string")

    def test_a_value_has_a_limit(self):
        self.refuse_anywhere({"key": "kept", "ts": 1, "value": "v" * 65537}, "value", "65536")
        self.refuse_anywhere({"key": "kept", "ts": 1, "value_base64": "AAAA" * 21846},
                             "value_base64", "65536")
        self.refuse_anywhere('{"key":"kept","ts":1,"value":' + "1" * 65537 + "}", "value", "65536")

    def test_base64_has_one_spelling(self):
        for text in ("A", "AA", "AAA", "AA=", "A===", "====", "AA==AA==", "AAB=", "AB==", "AA-_",
                     "AA A", "AAA\n", "AAAA\n", "=AAA", "AAA\u0000", "äää="):
            self.refuse_anywhere({"key": "kept", "ts": 1, "value_base64": text}, "value_base64",
                                 "base64")
            self.refuse_anywhere({"ts": 1, "key_base64": text}, "key_base64", "base64")

    def test_a_lifetime_is_a_count_of_seconds(self):
        for value in (1.5, "1", True, []):
            self.refuse_anywhere({"key": "kept", "ts": 1, "ttl_secs": value}, "ttl_secs",
                                 "integer")
        self.refuse_anywhere({"key": "kept", "ts": 1, "ttl_secs": -1}, "ttl_secs", "negative")
        self.refuse_anywhere({"key": "kept", "ts": 1, "ttl_secs": 2**63}, "ttl_secs", "64 bits")
        for ttl in (MAX, MAX // 1000000 + 1, MAX // 1000000):
            self.refuse_anywhere({"key": "kept", "ts": 1000000, "ttl_secs": ttl}, "ttl_secs",
                                 "64 bits")

    def test_a_lifetime_does_not_end_in_never(self):
        ts = MAX - 1000000
        self.refuse_anywhere({"key": "kept", "ts": ts, "ttl_secs": 1}, "ttl_secs", "64 bits")

    def test_a_lifetime_and_an_expiry_exclude_each_other(self):
        self.refuse_anywhere({"key": "kept", "ts": 1, "ttl_secs": 1, "expire_at": 5}, "ttl_secs",
                             "expire_at")

    def test_a_record_is_an_object(self):
        for text in ("1", '"a"', "null", "[]", "true"):
            self.refuse_record(text, "records[1]", "object")

    def test_a_list_has_a_limit(self):
        records = [{"key": "a", "ts": ts} for ts in range(10001)]
        self.refuse("POST", "/write", json.dumps({"records": records}), "records", "10000")

    def test_the_message_names_the_record(self):
        records = [{"key": "a", "ts": ts} for ts in range(700)]
        records[678]["ts"] = "x"
        self.refuse("POST", "/write", json.dumps({"records": records}), "records[678].ts")


class BadBodies(BadInput):
    def test_a_write_is_a_list_of_records(self):
        for body, word in (("{}", "records"), ('{"record":[]}', "records"),
                           ('{"records":{}}', "array"), ('{"records":null}', "array"),
                           ('{"records":1}', "array"), ("[]", "object"), ("1", "object"),
                           ('"records"', "object"), ("null", "object")):
            self.refuse("POST", "/write", body, word)

    def test_a_patch_is_one_record(self):
        for body in ("[]", "1", "null", '"a"'):
            self.refuse("PATCH", "/record", body, "object")
        self.refuse("PATCH", "/record", '{"records":[{"key":"kept","ts":1}]}', "key", "missing")

    def test_what_is_not_json_is_refused(self):
        good = '{"key":"kept","ts":1,"value":"changed"}'
        texts = ["", " ", "{", good[:-1], good + good, good + ",", good + "x", good + "]",
                 '{"key":"kept","ts":1,}', '{"key":"kept" "ts":1}', "{'key':'kept','ts':1}",
                 '{"key":"kept","ts":01}', '{"key":"kept","ts":+1}', '{"key":"kept","ts":1.}',
                 '{"key":"kept","ts":.1}', '{"key":"kept","ts":0x1}', '{"key":"kept","ts":NaN}',
                 '{"key":"kept","ts":-}', '{"key":"kept","ts":1,"value":nul}',
                 '{"key":"kept","ts":1}//', '/**/{"key":"kept","ts":1}', "\ufeff" + good,
                 '{"key":"kept","ts":1,"value":"\t"}', '{"key":"kept","ts":1,"value":"\x00"}',
                 r'{"key":"kept","ts":1,"value":"\x41"}', r'{"key":"kept","ts":1,"value":"\u12"}',
                 r'{"key":"kept","ts":1,"value":"\u12g4"}', '{"key":"kept","ts":1,"value":"',
                 '{key:"kept","ts":1}', "\0" + good, good + "\0"]
        for text in texts:
            self.refuse("PATCH", "/record", text, "JSON")
            self.refuse("POST", "/write", f'{{"records":[{text}' if text != good else text)

    def test_what_is_not_utf8_is_refused(self):
        for text in (b"\xff", b"\x80", b"\xc0\x80", b"\xc3", b"\xe0\x80\x80", b"\xed\xa0\x80",
                     b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98"):
            for body in (b'{"key":"kept","ts":1,"value":"' + text + b'"}',
                         b'{"key":"kept","ts":1,"other":"' + text + b'"}',
                         b'{"key":"kept","ts":1,"' + text + b'":1}',
                         b'{"key":"kept","ts":1,"value":"12345678' + text + b'12345678"}',
                         b'{"key":"kept","ts":1}' + text):
                with self.subTest(body):
                    self.assert_error(self.request("PATCH", "/record", body), 400, "JSON")

    def test_half_a_surrogate_pair_is_refused(self):
        for text in (r"\ud800", r"\udfff", r"\ud83d\ud83d\ude00", r"\ude00\ud83d", r"\ud83dx",
                     r"\ud83d\n", r"\ud83d\u0041", r"\uD83D", r"x\udc00"):
            self.refuse("PATCH", "/record", f'{{"key":"kept","ts":1,"value":"{text}"}}',
                        "surrogate")
            self.refuse("PATCH", "/record", f'{{"key":"kept","ts":1,"{text}":1}}', "surrogate")

    def test_brackets_have_a_limit(self):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            nested = opening * 1000 + "1" + closing * 1000
            self.refuse("POST", "/write", f'{{"other":{nested},"records":[]}}', "brackets")
        self.refuse("POST", "/write", "[" * 100000)
        self.refuse("POST", "/write", '{"records":' + "[" * 100000)

    def test_a_string_has_a_limit_even_where_it_is_ignored(self):
        for body in ('{"other":"' + "x" * 1000000 + '","records":[]}',
                     '{"other":' + "1" * 1000000 + ',"records":[]}',
                     '{"' + "x" * 1000000 + '":1,"records":[]}'):
            self.refuse("POST", "/write", body, "too long")


class BadParameters(BadInput):
    def test_an_unknown_parameter_is_refused(self):
        for method, target, name in (("GET", "/query?prefixx=a", "prefixx"),
                                     ("GET", "/query?Prefix=a", "Prefix"),
                                     ("GET", "/query?=a", ""), ("GET", "/query?key=a", "key"),
                                     ("GET", "/health?x", "x"), ("POST", "/write?ts=1", "ts"),
                                     ("DELETE", "/range?key_start=a&key_end=b&ts=1", "ts"),
                                     ("DELETE", "/record?key=kept&ts=1&prefix=k", "prefix"),
                                     ("PATCH", "/record?key=kept", "key"),
                                     ("GET", "/query?prefix%00=a", "prefix")):
            self.refuse(method, target, None, "unknown", name)

    def test_a_missing_parameter_deletes_nothing(self):
        for target, word in (("/record", "key"), ("/record?key=kept", "ts"), ("/record?ts=1", "key"),
                             ("/range", "key_start"), ("/range?key_start=k", "key_end"),
                             ("/range?key_end=l", "key_start"), ("/record?key=&ts=1", "empty"),
                             ("/range?prefix=", "empty")):
            self.refuse("DELETE", target, None, word)

    def test_a_parameter_is_given_once(self):
        self.refuse("GET", "/query?prefix=a&prefix=a", None, "prefix", "twice")
        self.refuse("DELETE", "/record?key=a&ts=1&key=kept", None, "key", "twice")

    def test_a_number_is_an_integer_of_64_bits(self):
        for text in ("", "x", "1.0", "1e3", "%2B1", "+1", "1%20", "--1", "-", "0x1", "1%00"):
            self.refuse("GET", f"/query?ts_start={text}", None, "ts_start", "integer")
            self.refuse("DELETE", f"/record?key=kept&ts={text}", None, "ts", "integer")
        for number in (2**63, -2**63 - 1):
            self.refuse("GET", f"/query?ts_end={number}", None, "ts_end", "64 bits")
        for number in (0, -1):
            self.refuse("GET", f"/query?limit={number}", None, "limit", "at least 1")

    def test_an_order_is_one_of_two(self):
        for text in ("", "up", "ASC", "desc%00"):
            self.refuse("GET", f"/query?order={text}", None, "order", "asc", "desc")

    def test_a_percent_sign_needs_two_digits(self):
        for text in ("%", "%4", "%4g", "%g4", "a%", "%%41", "%u0041"):
            self.refuse("GET", f"/query?prefix={text}", None, "%")
            self.refuse("GET", f"/query?{text}=a", None, "%")

    def test_a_prefix_excludes_a_key_range(self):
        for parameter in ("key_start=a", "key_end=a", "key_end="):
            self.refuse("GET", f"/query?prefix=a&{parameter}", None, "prefix")
            self.refuse("DELETE", f"/range?prefix=a&{parameter}", None, "prefix")

    def test_a_range_to_delete_runs_upwards(self):
        self.refuse("DELETE", "/range?key_start=z&key_end=a", None)
        self.refuse("DELETE", "/range?key_start=kept&key_end=kept", None)

    def test_a_key_has_a_limit(self):
        for name in ("prefix", "key_start", "key_end"):
            self.refuse("GET", f"/query?{name}=" + "k" * 4097, None, name, "4096")
        self.refuse("DELETE", "/record?ts=1&key=" + "%00" * 4097, None, "key", "4096")

    def test_the_message_is_json_whatever_the_name_was(self):
        for name in ("%00", "%FF%FE", "%22%5C%0A", "%3Cscript%3E", "x" * 5000):
            with self.subTest(name):
                self.assert_error(self.request("GET", f"/query?{name}=1"), 400, "unknown")


if __name__ == "__main__":
    unittest.main()
