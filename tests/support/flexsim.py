"""Starts lightpath-sim for tests and speaks TL1 and HTTPS with it: as bytes, without any code of Lightpath.

    with flexsim.Sim() as sim:                     # the ring of sim/topologies, or a topology of your own
        ne = sim.login("lp.mil1")                  # a TCP session, logged in
        answer = ne.run("RTRV-SYS:lp.mil1::A1;")   # answer.word, .code, .text, .records, .raw
        sim.control(op="cut", span="mil-fir")
        status, body, headers = sim.http("g30.a", "GET", "/restconf/data/ne:ne", depth=2)   # elements that speak HTTPS

The program is LIGHTPATH_SIM (set by meson) or build/sim/lightpath-sim.
"""
import base64
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("LIGHTPATH_SIM", os.path.join(ROOT, "build", "sim", "lightpath-sim"))
SSHPIPE = os.environ.get("LIGHTPATH_SSHPIPE", os.path.join(ROOT, "build", "tests", "support", "sshpipe"))
RING = os.path.join(ROOT, "sim", "topologies", "ring.json")
LIMIT = float(os.environ.get("LP_TEST_LIMIT", "60")) * float(os.environ.get("LP_TEST_SLOW", "1"))
USER, PASSWORD = "svc_orch", "s3cr3t"


class Closed(Exception):
    """The element ended the connection; what had come is in args[0]."""


class Answer:
    """One response, all its blocks; or what else came before it."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw.replace("\r\n", "\n").split("\n")
        self.word = self.code = self.sid = None
        self.records, self.acks, self.autonomous, comments, blocks = [], [], [], [], 0
        inside = None
        for line in lines:
            head = re.match(r"^M  (\S+) (COMPLD|DENY|PRTL|DELAY|RTRV)$", line)
            other = re.match(r"^(\*C|\*\*|\* |A ) *(\d+) (.*)$", line)
            if re.match(r"^(IP|PF|OK|NA|NG|RL) \S+$", line):
                self.acks.append(line.split()[0])
            elif re.match(r"^ {3}\S+ [\d-]+ [\d:]+$", line):
                sid = line.split()[0]
            elif head:
                self.tag, self.word, self.sid, inside = head[1], head[2], sid, "answer"
            elif other:
                self.autonomous.append([other[1].strip(), other[3]])
                inside = "autonomous"
            elif line in (";", ">"):
                blocks += inside == "answer"
                inside = None
            elif inside == "answer" and line.startswith('   "'):
                self.records.append(line[4:-1])
            elif inside == "autonomous" and line.startswith('   "'):
                self.autonomous[-1].append(line[4:-1])
            elif inside == "answer" and re.match(r"^ {3}[A-Z]{4}$", line):
                self.code = line.strip()
            elif inside == "answer" and "/*" in line:
                comments.append(line.strip()[2:-2])
        self.text, self.blocks = " ".join(comments), blocks

    def get(self, name, record=0):
        """The value of a named parameter of a record, unescaped; None when it is not there."""
        found = re.search(rf'[:,]{name}=(\\"(.*?)\\"|([^,:]*))', self.records[record])
        return None if found is None else found[2] if found[2] is not None else found[3]

    def state(self, record=0):
        return self.records[record].rsplit(":", 1)[1]

    def __repr__(self):
        return f"{self.word} {self.code} {self.text} {self.records}"


class Session:
    """A TL1 conversation over a socket, or over SSH through sshpipe."""

    def __init__(self, reader, writer, close, prompt="TL1>>"):
        self.read_some, self.write, self.end, self.prompt = reader, writer, close, prompt.encode()
        self.data, self.tags = b"", 0

    def until(self, done, limit=LIMIT):
        """Reads until done(bytes) is the number of bytes to take."""
        until = time.monotonic() + limit
        while True:
            taken = done(self.data)
            if taken:
                out, self.data = self.data[:taken], self.data[taken:]
                return out.decode("utf-8", "replace")
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"after {self.data[-300:]!r}")
            more = self.read_some(left)
            if not more:
                raise Closed(self.data.decode("utf-8", "replace"))
            self.data += more

    def to_prompt(self, limit=LIMIT):
        return self.until(lambda data: (data.find(self.prompt) + 1) and data.find(self.prompt) + len(self.prompt), limit)

    def send(self, text):
        self.write(text.encode())

    def run(self, text, limit=LIMIT):
        """Sends a command and waits for the prompt behind its answer."""
        self.send(text)
        raw = self.to_prompt(limit)
        while not re.search(r"\nM  \S+ \w+\r\n", raw):
            raw += self.to_prompt(limit)
        return Answer(raw)

    def tag(self):
        self.tags += 1
        return f"T{self.tags:05d}"

    def silence(self, seconds):
        """Whatever comes in this time."""
        try:
            self.until(lambda data: 0, seconds)
        except TimeoutError:
            pass
        out, self.data = self.data, b""
        return out.decode("utf-8", "replace")

    def autonomous(self, pattern, limit=LIMIT):
        """Waits for an autonomous message; its bytes up to the end of it."""
        def seen(data):
            found = re.search(pattern.encode() + rb"[^;]*\r\n;\r\n", data)
            return found.end() if found else 0
        return self.until(seen, limit)

    def close(self):
        self.end()


def tcp(address, port):
    sock = socket.create_connection((address, port), timeout=LIMIT)

    def read(limit):
        sock.settimeout(max(limit, 0.001))
        try:
            return sock.recv(1 << 20)
        except socket.timeout:
            raise TimeoutError from None
        except ConnectionError:
            return b""
    return Session(read, sock.sendall, sock.close)


class Sim:
    def __init__(self, topology=None, arguments=(), ssh=False, options=None, setup=(), program=PROGRAM, transcript=True):
        self.folder = tempfile.TemporaryDirectory(prefix="lp")
        if topology is None:
            with open(RING) as ring:
                topology = json.load(ring)
        document = topology
        document.setdefault("options", {}).update({"settle_ms": 0, **(options or {})})
        document["setup"] = document.get("setup", []) + list(setup)
        self.path = lambda name: os.path.join(self.folder.name, name)
        with open(self.path("topology.json"), "w") as out:
            json.dump(document, out)
        self.error = open(self.path("stderr"), "w+")
        self.process = subprocess.Popen([program, "network", self.path("topology.json"), "--tcp", "0",
                                         "--https", "0", "--ca", self.path("ca.pem"), "--ports", self.path("ports"),
                                         "--control", self.path("c"), *(("--transcript", self.path("log")) if transcript else ()),
                                         "--ssh", "0" if ssh else "-1", *arguments], stderr=self.error)
        end = time.monotonic() + LIMIT
        while not os.path.exists(self.path("ports")):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"lightpath-sim did not start: {self.log()}")
            time.sleep(0.005)
        with open(self.path("ports")) as ports:
            self.ports = json.load(ports)
        self.sessions = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path("c"))
        self.lines = self.socket.makefile("r")

    def log(self):
        self.error.flush()
        with open(self.path("stderr")) as text:
            return text.read()

    def control(self, ok=True, **request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        reply = json.loads(self.lines.readline())
        assert not ok or reply["ok"], reply
        return reply

    def faults(self, *rules, replace=True):
        self.control(op="faults", rules=list(rules), replace=replace)

    def hash(self, **more):
        return self.control(op="hash", **more)["hash"]

    def connect(self, name):
        session = tcp(self.ports[name]["address"], self.ports[name]["tcp"])
        self.sessions.append(session)
        return session

    def login(self, name, tid=None, user=USER, password=PASSWORD, messages=False):
        session = self.connect(name)
        session.to_prompt()
        answer = session.run(f"ACT-USER:{tid or name}:{user}:LOGIN1::{password};")
        assert answer.word == "COMPLD", answer
        if not messages:
            session.run(f"INH-MSG-ALL:{tid or name}::LOGIN2::;")
            session.run(f"INH-DBREPT-ALL:{tid or name}::LOGIN3;")
        return session

    def ssh(self, name, user=USER, password=PASSWORD, how=("subsystem", "tl1telnet")):
        process = subprocess.Popen([SSHPIPE, self.ports[name]["address"], str(self.ports[name]["ssh"]), user, password, *how],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def read(limit):
            import select
            if not select.select([process.stdout], [], [], max(limit, 0.001))[0]:
                raise TimeoutError
            return os.read(process.stdout.fileno(), 1 << 20)

        def write(data):
            process.stdin.write(data)
            process.stdin.flush()

        def close():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        session = Session(read, write, close)
        session.process = process
        self.sessions.append(session)
        return session

    def https(self, name, limit=LIMIT, verify=True):
        """A connection to an element that speaks HTTPS, checked against the simulator's authority."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(self.ports[name]["address"], self.ports[name]["https"], timeout=limit, context=context)

    def http(self, name, method, path, body=None, headers=None, user=USER, password=PASSWORD, connection=None, **query):
        """One request; (status, decoded body or text, headers)."""
        mine = connection or self.https(name)
        all_headers = {"Accept": "application/yang-data+json"}
        if user is not None:
            all_headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if body is not None:
            all_headers["Content-Type"] = "application/yang-data+json"
        all_headers.update(headers or {})
        if query:
            path += "?" + urllib.parse.urlencode({key.replace("_", "-"): value for key, value in query.items()})
        try:
            mine.request(method, path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body), all_headers)
            answer = mine.getresponse()
            text = answer.read()
        finally:
            if connection is None:
                mine.close()
        try:
            value = json.loads(text) if text else None
        except ValueError:
            value = text
        return answer.status, value, answer.headers

    def get(self, name, path, **query):
        """What a GET below /restconf/data answers, without its outermost member; None: 404."""
        status, value, _ = self.http(name, "GET", "/restconf/data/" + path, **query)
        assert status in (200, 404), (status, value)
        return None if status == 404 else next(iter(value.values()))

    def patch(self, name, path, body, expect=204):
        status, value, _ = self.http(name, "PATCH", "/restconf/data/" + path, body)
        assert status == expect, (status, value)
        return value

    def rpc(self, name, operation, expect=(200, 204), **values):
        module = operation.split(":")[0]
        body = {module + ":input": {key.replace("_", "-"): value for key, value in values.items()}}
        status, value, _ = self.http(name, "POST", "/restconf/operations/" + operation, body)
        assert status in (expect if isinstance(expect, tuple) else (expect,)), (status, value)
        return value if value is None or status >= 400 else next(iter(value.values()))

    def transcript(self, name):
        path = os.path.join(self.path("log"), name + ".jsonl")
        if not os.path.exists(path):
            return []
        with open(path) as lines:
            return [json.loads(line) for line in lines]

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024

    def close(self):
        for session in self.sessions:
            session.close()
        self.lines.close()
        self.socket.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("lightpath-sim does not end") from None
        text = self.log()
        self.error.close()
        self.folder.cleanup()
        assert code == 0, f"exit code {code}: {text}"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
