"""Starts real daemons for tests: free port, temporary data directory, SQLite or a fresh PostgreSQL database.

    import lightpathd
    class Case(lightpathd.Case): ...          # self.daemon is running
    lightpathd.main()                         # --store sqlite|pg, then unittest's arguments

The program is LIGHTPATHD (set by meson) or build/daemon/lightpathd. Without LIGHTPATH_TEST_PG the PostgreSQL run is skipped (77).
"""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("LIGHTPATHD", os.path.join(ROOT, "build", "daemon", "lightpathd"))
SLOW = float(os.environ.get("LP_TEST_SLOW", "1"))
REDUCED = bool(os.environ.get("LP_TEST_REDUCED"))
SKIPPED = 77
store = "sqlite"


def wait_for(what, limit=60, pause=0.02):
    """The first true value of what(), or an error after limit seconds (times the slowness of this build)."""
    end = time.monotonic() + limit * SLOW
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"nothing came within {limit * SLOW:.0f} s")
        time.sleep(pause)


def pg_database():
    """A new empty database on the test server; its URL."""
    url = urllib.parse.urlsplit(os.environ["LIGHTPATH_TEST_PG"])
    name = "t_" + uuid.uuid4().hex
    subprocess.run(["psql", "-q", "-X", "-d", os.environ["LIGHTPATH_TEST_PG"], "-c", f"CREATE DATABASE {name}"], check=True,
                   stdout=subprocess.DEVNULL)
    return urllib.parse.urlunsplit(url._replace(path="/" + name))


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    def __init__(self, settings=None, kind=None, data_dir=None, environment=None, arguments=(), program=None):
        self.folder = None
        if data_dir is None:
            self.folder = tempfile.TemporaryDirectory(prefix="lp")
            data_dir = os.path.join(self.folder.name, "data")
        self.data_dir = data_dir
        self.kind = kind or store
        self.settings = {"daemon.data_dir": data_dir, "api.listen": "127.0.0.1:0", **(settings or {})}
        if self.kind == "pg" and "store.url" not in self.settings:
            self.settings["store.url"] = pg_database()
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.program = program or PROGRAM
        self.child = None
        self.lines = []

    def command(self, *more):
        command = [self.program]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        return command + self.arguments + list(more)

    def start(self):
        self.lines, self.ready = [], None
        self.child = subprocess.Popen(self.command(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                        env={**os.environ, **self.environment})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        end = time.monotonic() + 60 * SLOW
        while self.ready is None:
            if self.child.poll() is not None:
                self.reader.join(5)
                raise AssertionError(f"lightpathd ended with {self.child.returncode}: {self.lines[-5:]}")
            if time.monotonic() > end:
                raise AssertionError(f"lightpathd was not ready: {self.lines[-5:]}")
            time.sleep(0.002)
        self.url = self.ready["url"]
        self.socket = self.ready["socket"]
        self.port = urllib.parse.urlsplit(self.url).port
        return self

    def _read(self):
        for raw in self.child.stderr:
            text = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines.append(text)
            if self.ready is None and '"daemon.ready"' in text:
                self.ready = json.loads(text)

    def log(self, event):
        found = []
        for line in list(self.lines):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("event") == event:
                found.append(entry)
        return found

    def stop(self, sig=signal.SIGTERM, limit=60):
        if self.child is None:
            return None
        if self.child.poll() is None:
            self.child.send_signal(sig)
        code = self.child.wait(limit * SLOW)
        self.reader.join(5)
        self.child.stderr.close()
        self.child = None
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def close(self):
        if self.child is not None:
            self.kill()
        if self.folder is not None:
            self.folder.cleanup()

    def __enter__(self):
        return self.start()

    def __exit__(self, *what):
        self.close()

    # ---- requests ----

    def request(self, method, path, body=None, headers=None, unix=False, timeout=60):
        """body: None, bytes, or a value sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body)
        if (body is not None or method in ("POST", "PUT", "PATCH")) and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        limit = timeout * SLOW
        connection = UnixConnection(self.socket, limit) if unix else http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit)
        try:
            connection.request(method, path, body, {k: v for k, v in headers.items() if v is not None})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def connect(self, timeout=60):
        return socket.create_connection(("127.0.0.1", self.port), timeout * SLOW)

    def raw(self, data, timeout=20, half_close=False):
        """Everything that comes back for raw bytes until the other side closes or stays silent."""
        with self.connect(timeout) as sock:
            try:
                sock.sendall(data)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            return receive(sock)

    # ---- what tests often need ----

    def token(self, role, name=None, **more):
        answer = self.post("/api/tokens/", {"name": name or role, "role": role, **more}, unix=True)
        assert answer.status == 201, answer
        return answer.json()["token"]

    def process(self, process_id):
        answer = self.get(f"/api/processes/{process_id}")
        assert answer.status == 200, answer
        return answer.json()

    def wait_process(self, process_id, *statuses, limit=60):
        statuses = statuses or ("completed",)
        seen = {}

        def look():
            seen.update(self.process(process_id))
            return seen["last_status"] in statuses and seen
        try:
            return wait_for(look, limit)
        except AssertionError as err:
            raise AssertionError(f"process is {seen.get('last_status')} ({seen.get('failed_reason')}), wanted {statuses}") from err

    def start_process(self, workflow, pages):
        """Starts; pages of the form that ask for nothing (a summary) are answered with {}."""
        pages = list(pages)
        while True:
            answer = self.post(f"/api/processes/{workflow}", pages)
            if answer.status != 510 or answer.json()["form"].get("required"):
                break
            pages.append({})
        assert answer.status == 201, answer
        return answer.json()["id"]


def receive(sock, quiet=None):
    """Bytes until the end of the connection, or until nothing came for `quiet` seconds."""
    data = b""
    if quiet is not None:
        sock.settimeout(quiet * SLOW)
    try:
        while True:
            part = sock.recv(65536)
            if not part:
                return data
            data += part
    except (TimeoutError, ConnectionError):
        return data


def read_reply(sock, buffer=b""):
    """One reply with Content-Length; (status, headers, body, what follows)."""
    while b"\r\n\r\n" not in buffer:
        part = sock.recv(65536)
        if not part:
            raise ConnectionError(f"closed after {buffer!r}")
        buffer += part
    head, rest = buffer.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
    length = int(headers.get("content-length", "0"))
    while len(rest) < length:
        part = sock.recv(65536)
        if not part:
            raise ConnectionError("closed inside the body")
        rest += part
    return int(lines[0].split()[1]), headers, rest[:length], rest[length:]


class TimedResult(unittest.TextTestResult):
    """Says how long slow tests took."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        took = time.monotonic() - self.began
        if took > 2:
            self.stream.writeln(f"    ({took:.1f} s)")


class Case(unittest.TestCase):
    """One daemon for all tests of a class; `settings` may be overridden."""
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(cls.settings).start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def problem(self, reply, status, pointer=None, detail=None):
        """An error reply of the house: status, slug, title, detail."""
        self.assertEqual(reply.status, status, reply)
        body = reply.json()
        self.assertEqual(body["status"], status)
        for key in ("type", "title", "detail"):
            self.assertIn(key, body)
        if pointer is not None:
            self.assertEqual(body.get("pointer"), pointer, body)
        if detail is not None:
            self.assertIn(detail, str(body["detail"]))
        self.assertTrue(reply.headers["X-Request-ID"])
        return body


def main():
    global store
    arguments = sys.argv[1:]
    if "--store" in arguments:
        at = arguments.index("--store")
        store = arguments[at + 1]
        del arguments[at:at + 2]
    if store == "pg" and not os.environ.get("LIGHTPATH_TEST_PG"):
        print("LIGHTPATH_TEST_PG is not set")
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], *arguments], testRunner=unittest.TextTestRunner(verbosity=2, resultclass=TimedResult))
