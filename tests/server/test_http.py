"""The protocol, down to the bytes: what clients may do, and what a hostile one sends."""

import unittest

from harness import ServerTest, seeded_random

MIB = 1 << 20
BODY = b'{"records":[{"key":"a","ts":1}]}'
LENGTH = f"Content-Length: {len(BODY)}\r\n".encode()
HOST = b"Host: x\r\n"


class Paths(ServerTest):
    def test_what_is_not_there_is_404(self):
        for target in ("/", "//", "/writ", "/write/", "/write/x", "/Write", "/%77rite", "/../write",
                       "/health/../write", "/query%3Fprefix=a", "/query%00", "*", "/.", "/etc"):
            with self.subTest(target):
                self.assert_error(self.request("GET", target), 404)

    def test_405_names_what_is_allowed(self):
        for path, allowed in (("/write", "POST, PUT"), ("/query", "GET, HEAD"),
                              ("/record", "GET, HEAD, PATCH, DELETE"), ("/range", "DELETE"),
                              ("/health", "GET, HEAD")):
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
                           "CONNECT", "get", "BREW"):
                if method in allowed.split(", "):
                    continue
                with self.subTest(method=method, path=path):
                    response = self.request(method, path)
                    self.assertEqual(response.headers["allow"], allowed)
                    self.assertEqual(response.status, 405)

    def test_a_target_may_be_a_whole_url(self):
        self.assertEqual(self.request("GET", "http://x:1/health").status, 200)
        self.assertEqual(self.request("GET", "HTTP://x/query?prefix=a").status, 200)
        self.assert_error(self.request("GET", "http://x"), 404)
        self.assert_error(self.request("GET", "http:///"), 404)

    def test_empty_parameters_are_none(self):
        for target in ("/query?", "/query?&", "/query?&&prefix=a&&"):
            self.assertEqual(self.request("GET", target).status, 200)


class Messages(ServerTest):
    def test_a_connection_serves_many_requests(self):
        for _ in range(50):
            self.write({"key": "a", "ts": 1})
            self.assertEqual(len(self.query()), 1)
            self.assert_error(self.request("GET", "/nothing"), 404)

    def test_pipelined_requests_are_answered_in_order(self):
        write = b"POST /write HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + BODY
        chunked = (b"POST /write HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" +
                   BODY[:5] + b"\r\n%x\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n\r\n")
        lost = b"POST /lost HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + BODY
        bad = b"POST /write HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n{\"records"
        query = b"GET /query HTTP/1.1\r\n" + HOST + b"\r\n"
        self.connection.send((write + query + chunked + lost + bad + query) * 20)
        for _ in range(20):
            statuses = [self.connection.read_response().status for _ in range(6)]
            self.assertEqual(statuses, [200, 200, 200, 404, 400, 200])

    def test_a_request_may_arrive_byte_by_byte(self):
        request = b"POST /write HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + BODY
        for at in range(len(request)):
            self.connection.send(request[at:at + 1])
        self.assertEqual(self.connection.read_response().json, {"written": 1})

    def test_a_client_may_end_its_side_and_read_on(self):
        self.connection.send_request("POST", "/write", BODY)
        self.connection.end_sending()
        self.assertEqual(self.connection.read_response().json, {"written": 1})

    def test_head_answers_without_a_body(self):
        for target in ("/health", "/query", "/nothing"):
            response = self.request("HEAD", target)
            self.assertEqual(response.status, 404 if target == "/nothing" else 200)
            self.assertGreater(int(response.headers["content-length"]), 0)
        self.assertEqual(self.request("GET", "/health").json, {"status": "ok"})

    def test_http_1_0_is_answered_and_closed(self):
        self.connection.send(b"GET /health HTTP/1.0\r\n\r\n")
        response = self.connection.read_response()
        self.assertEqual((response.status, response.body), (200, b'{"status":"ok"}'))
        self.assertTrue(self.connection.is_closed())

    def test_close_is_honoured(self):
        response = self.request("GET", "/health", headers=[("Connection", "close")])
        self.assertEqual(response.headers["connection"].lower(), "close")
        self.assertTrue(self.connection.is_closed())

    def test_a_body_where_none_is_wanted_is_passed_over(self):
        for method, target in (("GET", "/health"), ("GET", "/query"),
                               ("DELETE", "/record?key=a&ts=1")):
            self.assertEqual(self.request(method, target, BODY).status, 200)
        self.assert_error(self.request("POST", "/nothing", BODY), 404)

    def test_no_body_is_no_json(self):
        self.assert_error(self.request("POST", "/write"), 400, "JSON")

    def test_100_continue_is_sent_before_the_body(self):
        headers = [("Expect", "100-continue"), ("Content-Length", str(len(BODY)))]
        self.connection.send_request("POST", "/write", None, headers)
        self.assertEqual(self.connection.read_response().status, 100)
        self.connection.send(BODY)
        self.assertEqual(self.connection.read_response().json, {"written": 1})

    def test_who_waits_to_send_the_body_is_refused_at_once(self):
        for target, length, status in (("/nothing", 10, 404), ("/query", 10, 405),
                                       ("/write?x=1", 10, 400), ("/write", 16 * MIB + 1, 413)):
            with self.subTest(target), self.server.connect() as connection:
                connection.send_request("POST", target, None, [
                    ("Expect", "100-continue"), ("Content-Length", str(length))])
                self.assert_error(connection.read_response(), status)
                self.assertTrue(connection.is_closed())

    def test_an_unknown_content_encoding_is_415(self):
        for encoding in ("br", "br", "identity, gzip", "x"):
            self.assert_error(self.request("POST", "/write", BODY,
                                           [("Content-Encoding", encoding)]), 415)
        self.assertEqual(self.query(), [])
        self.assertEqual(self.request("POST", "/write", BODY,
                                      [("Content-Encoding", "Identity")]).status, 200)


class Chunks(ServerTest):
    def send_chunked(self, *chunks, end=b"0\r\n\r\n"):
        self.connection.send(b"POST /write HTTP/1.1\r\n" + HOST +
                             b"Transfer-Encoding: chunked\r\n\r\n")
        for chunk in chunks:
            self.connection.send(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        self.connection.send(end)

    def test_a_body_may_come_in_chunks_of_any_size(self):
        for size in (1, 2, 3, 7, len(BODY)):
            self.send_chunked(*(BODY[at:at + size] for at in range(0, len(BODY), size)))
            self.assertEqual(self.connection.read_response().json, {"written": 1})

    def test_extensions_and_trailers_are_passed_over(self):
        self.send_chunked(end=b"%X;name=value\r\n" % len(BODY) + BODY +
                          b"\r\n0\r\nChecksum: 1\r\n\r\n")
        self.assertEqual(self.connection.read_response().json, {"written": 1})
        self.assertEqual(self.request("GET", "/health").status, 200)

    def test_a_string_in_many_small_chunks_costs_no_more_than_its_length(self):
        value = b"v" * 65000
        chunks = [b'{"records":[{"key":"a","ts":1,"value":"']
        chunks += [value[at:at + 5] for at in range(0, len(value), 5)] + [b'"}]}']
        self.connection.send(b"POST /write HTTP/1.1\r\n" + HOST +
                             b"Transfer-Encoding: chunked\r\n\r\n" +
                             b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) +
                             b"0\r\n\r\n")
        self.assertEqual(self.connection.read_response().json, {"written": 1})
        self.assertEqual(self.query()[0][3], value)

    def test_a_malformed_chunk_ends_the_connection(self):
        for garbage in (b"zz\r\n" + BODY, b"-1\r\n", b"\r\n\r\n", b"ffffffffffffffffff\r\n",
                        b"10000000000000001\r\nx", b"1\r\nxy\r\n0\r\n\r\n"):
            with self.subTest(garbage), self.server.connect() as connection:
                connection.send(b"POST /write HTTP/1.1\r\n" + HOST +
                                b"Transfer-Encoding: chunked\r\n\r\n" + garbage)
                status = connection.read_response().status
                self.assertIn(status, (400, 413))
                self.assertTrue(connection.is_closed())
        self.assertEqual(self.query(), [])


class Framing(ServerTest):
    """A request whose end can be read in two ways is refused, and what follows it is not read."""

    def test_two_ways_to_tell_the_length_are_400(self):
        for headers in (LENGTH * 2, LENGTH + b"Content-Length: 3\r\n",
                        LENGTH + b"Transfer-Encoding: chunked\r\n",
                        b"Transfer-Encoding: chunked\r\n" + LENGTH,
                        b"Transfer-Encoding: chunked\r\n" * 2,
                        b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n",
                        b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding:\r\n chunked\r\n",
                        b"Content-Length : 32\r\n", b"Transfer-Encoding : chunked\r\n",
                        b"Content-Length:\r\n 32\r\n", b"Transfer-Encoding\x0b: chunked\r\n",
                        b"Content-Length: 3 2\r\n", b"Content-Length: 32,32\r\n",
                        b"Content-Length: +32\r\n", b"Content-Length: -32\r\n",
                        b"Content-Length: 0x20\r\n", b"Content-Length:\r\n",
                        b"Content-Length: x\r\n"):
            for request_line in (b"POST /write HTTP/1.1\r\n", b"GET /query HTTP/1.1\r\n"):
                with self.subTest(headers), self.server.connect() as connection:
                    connection.send(request_line + HOST + headers + b"\r\n" + BODY +
                                    b"DELETE /range?key_start=&key_end= HTTP/1.1\r\n" + HOST +
                                    b"\r\n")
                    self.assertEqual(connection.read_response().status, 400)
                    self.assertNotIn(b"range deleted", connection.read_to_end())
        self.assertEqual(self.query(), [])

    def test_a_nul_is_400_and_changes_nothing(self):
        self.write({"key": "z", "ts": 1})
        delete = b"DELETE /range?key_start=a&key_end=zz HTTP/1.1\r\n" + HOST
        for request in (b"DELETE /range?key_start=m&key_end=\0n HTTP/1.1\r\n" + HOST,
                        b"DELETE /range?key_start=m&key_end=\0 HTTP/1.1\r\n" + HOST,
                        b"DELETE /range?key_start=m&\0key_end=n HTTP/1.1\r\n" + HOST,
                        b"DELETE  /range?key_start=m&key_end=\0\0  HTTP/1.1\r\n" + HOST,
                        b"GET /health\0/x HTTP/1.1\r\n" + HOST,
                        b"GET /health\0 HTTP/1.1\r\n" + HOST,
                        b"GET /health\0?x HTTP/1.1\r\n" + HOST,
                        b"GET\0X /health HTTP/1.1\r\n" + HOST,
                        b"GET /health HTTP/1.1\0\r\n" + HOST,
                        delete + b"Content-Length: 0\0 11\r\n",
                        delete + b"Content-Length: 0\0\r\n",
                        delete + b"Content-Length: 0\0\0 11\r\nX: y\r\n",
                        delete + b"Content-Length: 0\0\0\0\0\r\nX: y\r\n",
                        delete + b"Transfer-Encoding: chunked\0x\r\n",
                        delete + b"X:\0 y\r\n", delete + b"X\0: y\r\n", delete + b"X: y\0z\r\n",
                        delete + b"\0Content-Length: 11\r\n", delete + b"\0\r\n",
                        delete[:-2] + b"\0evil\r\n", delete[:-2] + b"\0evil\r\nX: y\r\n",
                        delete[:-2] + b"\0\r\n"):
            with self.subTest(request), self.server.connect() as connection:
                connection.send(request + b"\r\n0\r\n\r\n" + b"\r\n" * 4)
                self.assertEqual(connection.read_response().status, 400)
        self.assertEqual(len(self.query()), 1)

    def test_a_line_ends_with_cr_lf_and_is_not_continued(self):
        for request in (b"GET /health HTTP/1.1\n" + HOST + b"\r\n",
                        b"GET /health HTTP/1.1\r\nHost: x\n\r\n",
                        b"GET /health HTTP/1.1\r\n" + HOST + b"\nGET",
                        b"GET /health HTTP/1.1\r\n" + HOST + b"X: y\r\n z\r\n\r\n",
                        b"GET /health HTTP/1.1\r\n" + HOST + b"X: y\r\n z\r\nX: z\r\n\r\n"):
            with self.subTest(request), self.server.connect() as connection:
                connection.send(request)
                self.assert_error(connection.read_response(), 400, "malformed")
                self.assertTrue(connection.is_closed())
        for spaced in (b"X:y\r\n", b"X:   y\r\n", b"X: \t y  \r\n", b"X:\r\n", b"X:  \r\n"):
            self.connection.send(b"GET  /health HTTP/1.1\r\n" + HOST + spaced + b"\r\n")
            self.assertEqual(self.connection.read_response().status, 200)

    def test_a_host_is_wanted_once(self):
        for headers in (b"", b"Host: a\r\nHost: b\r\n"):
            with self.server.connect() as connection:
                connection.send(b"GET /health HTTP/1.1\r\n" + headers + b"\r\n")
                self.assert_error(connection.read_response(), 400, "Host")
                self.assertTrue(connection.is_closed())

    def test_a_malformed_first_line_is_refused(self):
        for line in (b"GET /query?prefix=a b HTTP/1.1", b"GET /health", b"GET /health HTP/1.1",
                     b"GET /health HTTP/1.1 x", b"GET /health HTTP/3.0"):
            with self.subTest(line), self.server.connect() as connection:
                connection.send(line + b"\r\n" + HOST + b"\r\n")
                self.assertIn(connection.read_response().status, (400, 505))
                self.assertTrue(connection.is_closed())


class Sizes(ServerTest):
    def test_a_body_as_long_as_the_limit_is_taken(self):
        padded = BODY + b" " * (16 * MIB - len(BODY))
        self.assertEqual(self.request("POST", "/write", padded).json, {"written": 1})

    def test_a_longer_one_is_413_before_it_is_sent(self):
        for length in (16 * MIB + 1, 2**40, 2**63, 2**64 - 1):
            for method, target in (("POST", "/write"), ("PATCH", "/record"), ("GET", "/query")):
                with self.subTest(length), self.server.connect() as connection:
                    connection.send_request(method, target, None,
                                            [("Content-Length", str(length))])
                    self.assert_error(connection.read_response(), 413, str(16 * MIB))
                    self.assertTrue(connection.is_closed())

    def test_a_length_beyond_64_bits_is_413(self):
        self.connection.send_request("POST", "/write", None, [("Content-Length", "9" * 30)])
        self.assertEqual(self.connection.read_response().status, 413)

    def send_endless(self, limit):
        """Chunks of blanks, up to `limit` bytes; how many went out before the server cut them."""
        chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
        self.connection.send(b"POST /write HTTP/1.1\r\n" + HOST +
                             b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < limit:
                self.connection.send(chunk)
                sent += MIB
        except OSError:
            pass
        return sent

    def test_a_chunked_body_over_the_limit_is_413(self):
        self.assertEqual(self.send_endless(16 * MIB), 16 * MIB)
        self.connection.send(b"1\r\n \r\n0\r\n\r\n")
        self.assert_error(self.connection.read_response(), 413)
        self.assertTrue(self.connection.is_closed())

    def test_a_chunked_body_without_end_is_cut_off(self):
        self.assertLess(self.send_endless(256 * MIB), 256 * MIB)
        self.assert_alive()

    def test_targets_and_headers_have_a_limit(self):
        for size, target_status, header_status in ((32768, 400, 200), (65536, 414, 431)):
            for request, status in (
                    (b"GET /health?" + b"x" * size + b" HTTP/1.1\r\n" + HOST, target_status),
                    (b"GET /health HTTP/1.1\r\n" + HOST + b"X: " + b"x" * size + b"\r\n",
                     header_status),
                    (b"GET /health HTTP/1.1\r\n" + HOST + b"X" * size + b": x\r\n", header_status),
                    (b"GET /health HTTP/1.1\r\n" + HOST + b"a: b\r\n" * (size // 64),
                     header_status)):
                with self.subTest(request=request[:30], size=size), \
                        self.server.connect() as connection:
                    connection.send(request + b"\r\n")
                    self.assertEqual(connection.read_response().status, status)

    def test_so_have_parameters(self):
        for count, size, status in ((256, 256, 200), (257, 257, 414), (2000, 2000, 414),
                                    (60000, 60000, 414), (100, 50000, 400), (200, 50000, 414)):
            with self.subTest(count=count, size=size), self.server.connect() as connection:
                query = b"x" * (size - count) + b"&" * (count - 1)
                connection.send(b"GET /health?" + query + b" HTTP/1.1\r\n" + HOST + b"\r\n")
                self.assertEqual(connection.read_response().status, status)

    def test_long_headers_and_targets_are_refused(self):
        for request in (b"GET /health HTTP/1.1\r\n" + HOST + b"X: " + b"x" * MIB,
                        b"GET /query?prefix=" + b"x" * MIB, b"x" * MIB,
                        b"GET /health HTTP/1.1\r\n" + HOST + b"a:b\r\n" * 100000):
            with self.server.connect() as connection:
                try:
                    connection.send(request + b"\r\n\r\n")
                    self.assertGreaterEqual(connection.read_response().status, 400)
                except (OSError, EOFError):
                    pass  # cut off while the rest was on its way
        self.assert_alive()

    def test_the_longest_keys_fit_a_query_string(self):
        low, high = "%00" * 4096, "%FF" * 4096
        self.write({"key": "a", "ts": 1})
        self.assertEqual(len(self.request("GET", f"/query?key_start={low}&key_end={high}")
                             .json["records"]), 1)
        self.assertEqual(self.request("DELETE", f"/range?key_start={low}&key_end={high}").status,
                         200)
        self.assertEqual(self.query(), [])


class Hostile(ServerTest):
    def test_the_log_cannot_be_forged(self):
        self.server.stop()
        self.start("--log-level", "debug")
        forged = b"level=error msg=\"forged\""
        for request in (b"GET /\x1b[31m\r" + forged + b" HTTP/1.1\r\n",
                        b"POST /write HTTP/1.1\r\n" + HOST + b"Content-Length: \"\x07" + forged,
                        b"\n" + forged, b"GET /%0a" + forged + b" HTTP/9\r\n"):
            with self.server.connect() as connection:
                connection.send(request + b"\r\n\r\n")
                connection.end_sending()
                connection.read_to_end()
        self.assertEqual(self.server.stop(), 0)
        for line in self.server.log:
            self.assertRegex(line, r'^time=\S+ level=[a-z]+ msg="')
            self.assertNotIn(' msg="forged"', line)
            self.assertTrue(all(" " <= character < "\x7f" for character in line), line)

    def test_random_requests_leave_it_serving(self):
        random = seeded_random()
        words = [b"GET ", b"POST ", b"DELETE ", b"PATCH ", b"/write", b"/query", b"/record",
                 b"/range", b"?", b"&", b"=", b"key", b"ts", b"prefix", b"%", b"%00", b"%ff", b"1",
                 b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"Host: x\r\n",
                 b"Content-Length: ", b"10", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-c",
                 b"{", b"}", b"[", b"]", b'"', b":", b",", b'"records"', b'"value_base64"', b"\\u",
                 b"d800", b"\0", b"\xff", b" ", b"\t", b"ffffffffffffffff", b"0\r\n\r\n"]
        head = b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n"
        for _ in range(1500):
            request = b"".join(random.choices(words, k=random.randrange(1, 60)))
            if random.random() < 0.3:
                request = head + request
            with self.server.connect() as connection:
                connection.send(request)
                if random.random() < 0.5:
                    connection.end_sending()
                elif random.random() < 0.5:
                    connection.send(b"\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assert_alive()
        self.assertEqual(self.server.stop_at_once(), 0)


if __name__ == "__main__":
    unittest.main()
