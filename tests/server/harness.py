"""A flowdb-server of the test's own: on a free port, in a temporary folder, gone afterwards.

FLOWDB_SERVER_BIN names the binary. A server that does not do what is waited for within DEADLINE
seconds is killed, so that what waits for it sees an end.
"""

import base64
import ctypes
import hashlib
import hmac
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

BINARY = os.environ["FLOWDB_SERVER_BIN"]
DEADLINE = 120
NEVER = 2**63 - 1
LIBC = ctypes.CDLL(None)
# What configures the tests would be taken for settings of the server's.
OF_THE_TESTS = {name for name in os.environ if name.startswith("FLOWDB_")}


def environment():
    """The test's, with freed memory given back at once where AddressSanitizer would keep it."""
    variables = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
    variables.setdefault("FLOWDB_UDP_ADDR", "")  # the default port may be another test's
    if "ASAN_OPTIONS" in variables:
        variables["ASAN_OPTIONS"] += ":quarantine_size_mb=1"
    return variables


def prepare_child(limits):
    """Between fork and exec: the server does not outlive a test that was itself killed."""
    pr_set_pdeathsig = 1
    LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)
    for name, value in limits.items():
        resource.setrlimit(name, (value, value))


def run(*arguments):
    """The binary to its end: exit code, stdout, stderr."""
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, env=environment(), check=False)
    return done.returncode, done.stdout, done.stderr


class Server:
    """A running server. `log` holds its lines on stderr, as far as they have come."""

    def __init__(self, data_dir, *arguments, host="127.0.0.1", limits=None):
        """`limits` are of resources, as resource.setrlimit takes them, set before it starts."""
        self.data_dir = data_dir
        self.log = []
        self._grown = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [BINARY, "--data-dir", data_dir, "--http-addr", f"{host}:0", "--udp-addr", f"{host}:0",
             *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, errors="replace", env=environment(),
            preexec_fn=lambda: prepare_child(limits or {}))
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            line = self.wait_for_line("msg=\"listening\"")
        except AssertionError:
            self.wait()
            raise
        self.host, port = re.search(r'http_addr="\[?([^"\]]+)\]?:(\d+)"', line).groups()
        self.port = int(port)
        self.udp_port = int(re.search(r'udp_addr="[^"]*?:?(\d*)"', line).group(1) or 0)

    def _read_log(self):
        for line in self.process.stderr:
            with self._grown:
                self.log.append(line.rstrip("\n"))
                self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()

    def wait_for(self, condition, what="what was waited for"):
        """What `condition` makes of the log once that is true."""
        with self._grown:
            self._grown.wait_for(lambda: condition(self.log) or self._ended, timeout=DEADLINE)
            found = condition(self.log)
            if not found:
                self.process.kill()
                raise AssertionError(f"{what} is not in the log:\n" + "\n".join(self.log))
            return found

    def wait_for_line(self, text):
        """The first line of the log that has `text`."""
        return self.wait_for(lambda log: next((line for line in log if text in line), None),
                             f"a line with {text}")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """The exit code."""
        try:
            code = self.process.wait(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join()
        self.process.stderr.close()
        return code

    def kill(self):
        """As a crash would: nothing is flushed or closed."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self):
        """Asks it to end; the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def stop_at_once(self):
        """The same, without waiting for requests that clients have not finished."""
        self.signal(signal.SIGTERM)
        self.wait_for_line("msg=\"stopping\"")
        return self.stop()

    def connect(self):
        return Connection(self.host, self.port)

    def limit_file_size(self, size):
        """Writes past it fail, as on a disk that has no more room; None takes the limit away."""
        limit = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def memory_kb(self, name):
        """A line of the process's memory: VmRSS now, VmHWM at its highest."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(rf"{name}:\s+(\d+) kB", file.read()).group(1))

    def reset_memory_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in small letters
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Connection:
    """One HTTP connection, down to its bytes, so that a test can send what no client would."""

    def __init__(self, host, port):
        self.host = f"[{host}]" if ":" in host else host
        self.socket = socket.create_connection((host, port), timeout=DEADLINE)
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _fill(self):
        data = self.socket.recv(1 << 20)
        self.buffer += data
        return len(data) > 0

    def _take(self, size, skipped=0):
        data = bytes(memoryview(self.buffer)[:size])
        del self.buffer[:size + skipped]
        return data

    def _read_to(self, end):
        while (at := self.buffer.find(end)) < 0:
            if not self._fill():
                raise EOFError(bytes(self.buffer))
        return self._take(at, len(end))

    def _read_bytes(self, size):
        while len(self.buffer) < size:
            if not self._fill():
                raise EOFError(bytes(self.buffer[:1000]))
        return self._take(size)

    def read_chunks(self):
        """A chunked body to its end."""
        parts = []
        while True:
            size = int(self._read_to(b"\r\n"), 16)
            parts.append(self._read_bytes(size))
            self._read_to(b"\r\n")
            if size == 0:
                return b"".join(parts)

    def read_head(self):
        """Status and headers."""
        lines = self._read_to(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(lines[0].split()[1]), headers

    def read_response(self, method="GET"):
        status, headers = self.read_head()
        if method == "HEAD" or status in (100, 204, 304):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = self.read_chunks()
        elif "content-length" in headers:
            body = self._read_bytes(int(headers["content-length"]))
        else:
            body = self.read_to_end()
        return Response(status, headers, body)

    def read_to_end(self):
        """Everything until the server closes."""
        while self._fill():
            pass
        return self._take(len(self.buffer))

    def is_closed(self):
        """Waits until the server closes; false if it sends something instead."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def send_request(self, method, target, body=None, headers=()):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def request(self, method, target, body=None, headers=()):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        self.send_request(method, target, body, headers)
        return self.read_response(method)


def need(program):
    """The path of a program that a whole file of tests is about. Without it ctest says that the file was
    skipped."""
    path = shutil.which(program)
    if path is None:
        print(f"SKIPPED: {program} is not installed; make test-packages brings it")
        sys.exit(77)
    return path


def query_string(**parameters):
    """Values may be bytes; those that are None are left out."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return "?" + urllib.parse.urlencode(given) if given else ""


def record_bytes(key, ts, value, ttl=0):
    """A record of the binary frame."""
    return (struct.pack(">H", len(key)) + key + struct.pack(">qIH", ts, ttl, len(value)) + value)


def frame(*records, count=None, version=1, sent_at=0, key=b""):
    """A binary frame of records in bytes; signed with `key` where that is given."""
    count = len(records) if count is None else count
    if version == 1:
        return struct.pack(">BBH", 0x54, 1, count) + b"".join(records)
    unsigned = struct.pack(">BBHq", 0x54, version, count, sent_at) + bytes(16) + b"".join(records)
    mac = hmac.new(key, unsigned, hashlib.sha256).digest()[:16]
    return unsigned[:12] + mac + unsigned[28:]


def decode_records(answer):
    """(key, ts, expire_at, value) of each record of an answer, keys and values as bytes."""
    records = []
    for record in answer["records"]:
        key = (base64.b64decode(record["key_base64"], validate=True)
               if "key_base64" in record else record["key"].encode())
        value = base64.b64decode(record["value"], validate=True)
        records.append((key, record["ts"], record["expire_at"], value))
    if answer["count"] != len(records):
        raise AssertionError(f"count is {answer['count']}, records are {len(records)}")
    return records


class ServerTest(unittest.TestCase):
    """Each test has a folder, and by default a server and a connection to it."""

    starts_server = True
    arguments = ()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="flowdb-server-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.data_dir = os.path.join(self.folder, "data")
        self.server = None
        if self.starts_server:
            self.start()

    def start(self, *arguments, **options):
        self.server = Server(self.data_dir, *self.arguments, *arguments, **options)
        self.addCleanup(self._end, self.server)
        self.connection = self.connect()
        return self.server

    def _end(self, server):
        """A clean exit, of which a sanitizer that found something makes another code."""
        if server.process.poll() is None:
            self.assertEqual(server.stop_at_once(), 0, "\n".join(server.log))
        else:
            server.wait()

    def connect(self):
        connection = self.server.connect()
        self.addCleanup(connection.close)
        return connection

    def request(self, method, target, body=None, headers=()):
        return self.connection.request(method, target, body, headers)

    def write(self, *records):
        response = self.request("POST", "/write", {"records": list(records)})
        self.assertEqual((response.status, response.json), (200, {"written": len(records)}))

    def query(self, **parameters):
        response = self.request("GET", "/query" + query_string(**parameters))
        self.assertEqual(response.status, 200, response.body)
        return decode_records(response.json)

    def assert_error(self, response, status, *words):
        """An answer of the one shape that errors have, whose message has all the words."""
        self.assertEqual(response.status, status, response.body)
        self.assertEqual(response.headers["content-type"], "application/json")
        self.assertIs(response.json["ok"], False)
        for word in words:
            self.assertIn(word, response.json["message"])

    def assert_alive(self):
        """Answers on a new connection."""
        with self.server.connect() as connection:
            response = connection.request("GET", "/health")
            self.assertEqual((response.status, response.json), (200, {"status": "ok"}))


def seeded_random():
    """A generator whose seed is printed, and taken from FLOWDB_SEED where that is set."""
    seed = int(os.environ.get("FLOWDB_SEED", random.SystemRandom().getrandbits(32)))
    print(f"FLOWDB_SEED={seed}", flush=True)
    return random.Random(seed)
