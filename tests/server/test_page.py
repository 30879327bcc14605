"""The dashboard's files: how they are sent. What they do in a browser is in tests/page."""

import gzip
import os
import pathlib
import re
import unittest

from harness import ServerTest

FILES = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"]) / "server" / "page"
KEY = "for-the-calls"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def target_of(file):
    return "/admin" if file.name == "index.html" else f"/admin/page/{file.name}"


class Files(ServerTest):
    arguments = ("--api-key", KEY)

    def each(self):
        files = sorted(FILES.iterdir())
        self.assertGreater(len(files), 3)
        for file in files:
            with self.subTest(file.name):
                yield file, target_of(file)

    def test_every_file_is_there_and_needs_no_key(self):
        for file, target in self.each():
            response = self.request("GET", target)
            self.assertEqual((response.status, response.body), (200, file.read_bytes()))
            self.assertEqual(response.headers["content-type"], TYPES[file.suffix])

    def test_only_what_is_in_the_folder_is_there(self):
        for target in ("/admin/page/", "/admin/page/none.js", "/admin/page/index.html",
                       "/admin/page/../page.css", "/admin/page/page.css%00", "/admin//", "/page.css"):
            with self.subTest(target):
                self.assertEqual(self.request("GET", target).status, 401)
                response = self.request("GET", target, None, [("X-API-Key", KEY)])
                self.assert_error(response, 404)

    def test_with_a_slash_it_leads_to_the_page(self):
        response = self.request("GET", "/admin/")
        self.assertEqual((response.status, response.headers["location"]), (308, "../admin"))
        self.assertEqual(response.headers["content-security-policy"],
                         "default-src 'none'; frame-ancestors 'none'")
        self.assert_error(self.request("GET", "/admin/?a=1"), 400)

    def test_a_browser_is_told_to_load_and_run_nothing_else(self):
        for _, target in self.each():
            headers = self.request("GET", target).headers
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            policy = dict(rule.split(" ", 1) for rule in
                          headers["content-security-policy"].split("; "))
            self.assertEqual(policy, {
                "default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
                "connect-src": "'self'", "img-src": "'self'", "base-uri": "'none'",
                "frame-ancestors": "'none'", "form-action": "'none'"})

    def test_nor_does_an_answer_that_is_no_page(self):
        for target in ("/health", "/query", "/metrics", "/nothing"):
            headers = self.request("GET", target, None, [("X-API-Key", KEY)]).headers
            self.assertEqual(headers["content-security-policy"],
                             "default-src 'none'; frame-ancestors 'none'")
            self.assertEqual(headers["x-content-type-options"], "nosniff")

    def test_what_a_browser_has_is_not_sent_again(self):
        for _, target in self.each():
            first = self.request("GET", target)
            tag = first.headers["etag"]
            self.assertRegex(tag, r'^W/"[0-9a-f]{24}"$')
            self.assertEqual(first.headers["cache-control"], "no-cache")
            strong = tag.removeprefix("W/")
            for known in (tag, strong, f'"other", {tag}', f"{strong},\"x\"", "*"):
                again = self.request("GET", target, None, [("If-None-Match", known)])
                self.assertEqual((again.status, again.body), (304, b""), known)
                self.assertNotIn("content-type", again.headers)
                for name in ("etag", "cache-control", "vary", "content-security-policy"):
                    self.assertEqual(again.headers[name], first.headers[name])
            for other in ('""', '"x"', strong[:-2] + '"', strong[1:-1], "", '"*"'):
                again = self.request("GET", target, None, [("If-None-Match", other)])
                self.assertEqual((again.status, again.body), (200, first.body), other)

    def test_tags_tell_the_files_apart(self):
        tags = {self.request("GET", target).headers["etag"] for _, target in self.each()}
        self.assertEqual(len(tags), len(list(FILES.iterdir())))

    def test_head_and_gzip(self):
        for file, target in self.each():
            plain = self.request("GET", target)
            head = self.request("HEAD", target)
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(int(head.headers["content-length"]), len(plain.body))
            packed = self.request("GET", target, None, [("Accept-Encoding", "gzip")])
            self.assertEqual(packed.headers["etag"], plain.headers["etag"])
            self.assertIn("Accept-Encoding", packed.headers["vary"])
            large = len(plain.body) >= 1024
            self.assertEqual(packed.headers.get("content-encoding"), "gzip" if large else None)
            body = gzip.decompress(packed.body) if large else packed.body
            self.assertEqual(body, file.read_bytes())

    def test_other_methods_and_parameters_are_refused(self):
        headers = [("X-API-Key", KEY)]
        response = self.request("POST", "/admin", b"", headers)
        self.assert_error(response, 405)
        self.assertEqual(response.headers["allow"], "GET, HEAD")
        self.assert_error(self.request("GET", "/admin?key=secret", None, headers), 400)

    def test_under_a_name_that_is_not_the_servers_a_browser_gets_nothing(self):
        self.connection.send(b"GET /admin HTTP/1.1\r\nHost: evil.example\r\n"
                             b"Sec-Fetch-Site: none\r\n\r\n")
        self.assert_error(self.connection.read_response(), 403, "allowed_hosts")


class Sources(unittest.TestCase):
    """What would let a record's key or value become part of the page, or the page leave the server."""

    def test_records_cannot_become_markup_or_code(self):
        gate = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|"
                          r"new Function|DOMParser|createContextualFragment|srcdoc|"
                          r"setAttribute\(\"on|javascript:")
        for file in FILES.glob("*.js"):
            self.assertIsNone(gate.search(file.read_text()), file.name)

    def test_nothing_is_kept_and_nothing_comes_from_elsewhere(self):
        gate = re.compile(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.|"
                          r"serviceWorker|sendBeacon|history\.|location\.(hash|search)")
        for file in FILES.iterdir():
            text = file.read_text().replace("http://www.w3.org/2000/svg", "")
            self.assertIsNone(gate.search(text), file.name)
            self.assertNotRegex(text, r"https?:|//[a-z]+\.[a-z]", file.name)

    def test_the_page_has_no_script_and_no_style_of_its_own(self):
        text = (FILES / "index.html").read_text()
        self.assertNotRegex(text, r"<style|\sstyle=|\son[a-z]+=")
        for script in re.findall(r"<script[^>]*>(.*?)</script>", text, re.S):
            self.assertEqual(script, "")


if __name__ == "__main__":
    unittest.main()
