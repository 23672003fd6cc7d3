"""A daemon and a simulated network of many small sets of elements, all alike, that can be put back to a level of preparation at once."""
import http.client
import json
import os
import re
import shutil
import sqlite3
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402
import lightpathd  # noqa: E402
from nets import FLOWS, WORDS, name as node_name  # noqa: E402

ENDED = ("completed", "failed", "inconsistent_data", "api_unavailable", "aborted", "suspended")
CHANNEL = re.compile(r"(?<=:)(\d+-\w+-\d+-[TS]\d+[A-Z]?)(@[^:,]*|-\d+)(?=:)")
OWN = re.compile(r"MA\d{10}|127\.\d+\.\d+\.\d+")
NUMBERED = re.compile(r'((?:och|flow)_id\\*": ?)\d+|(OCh)\d{3}|(\bf)\d{3}(?=c\d\d)')
HASHED = re.compile(r"-[0-9a-f]{12}(?![0-9a-f])")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
READ_VERBS = ("RTRV-", "INH-", "ALW-", "CANC-")
# Real time-outs are minutes; these are what a busy machine needs to answer in.
SCALED = {
    "connect_ms": 2000, "handshake_ms": 800, "read_ms": 500, "list_ms": 500, "write_ms": 500, "progress_ms": 500, "settle_ms": 1500, "poll_ms": 10,
    "breaker_window_ms": 10, "breaker_open_ms": 10, "gateway_probe_ms": 1500,
}


UNHURRIED = 20  # of runs without faults


def is_write(command):
    return not command.startswith(READ_VERBS + ("ACT-",))


class Told(tuple):
    """One exchange that began: (element, session, verb, object, text, does it write)."""
    __slots__ = ()
    element, session, verb, target, text, writes = (property(lambda self, n=n: self[n]) for n in range(6))


def told(entry):
    """A request as a command of a plan says it: without what is before the data, with sorted members."""
    if entry.get("protocol") != "https":
        text = entry["text"].strip()
        verb = text.split(":")[0].rstrip(";")
        return Told((entry["element"], entry["session"], verb, "*", text, is_write(text)))
    body = entry.get("body")
    text = rest_command(f"{entry['method']} {entry['path']}" + ("" if body is None else " " + json.dumps(body)))
    shows = "cli-command" in entry["path"] and '"commands": "show ' in text
    return Told((entry["element"], entry["session"], entry["method"], entry["path"], text, entry["writes"] and not shows))


def unordered(value):
    """Entries of a list have no order: what was removed and made again stands at its end."""
    if isinstance(value, dict):
        return {key: unordered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted((unordered(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    return value


def rest_command(text):
    """The same text for the same request: of a plan, of a transcript."""
    method, path, *body = text.split(" ", 2)
    if body and body[0].startswith("{"):
        body = [json.dumps(json.loads(body[0]), sort_keys=True)]
    return " ".join([method, urllib.parse.unquote(re.sub("^(/restconf)?(/data)?", "", path)), *body])


class Bed:
    def __init__(self, net, sets, folder):
        self.net, self.sets, self.folder = net, sets, folder
        os.mkdir(folder)
        document = net.topology(sets)
        document["users"] = [{"name": flexsim.USER, "password": flexsim.PASSWORD}]
        self.sim = flexsim.Sim(topology=document, arguments=("--address-base", net.base))
        secrets = os.path.join(folder, "credentials")
        with open(secrets, "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), 0o600)
            login = f"user = {flexsim.USER}\npassword = {flexsim.PASSWORD}\n"
            out.write("".join(f"[infinera-{driver}]\n{login}" + (f"tls_ca = {self.sim.path('ca.pem')}\n" if driver != "flexils" else "")
                              for driver in ("flexils", "g30", "g42")))
        self.file = os.path.join(folder, "lp.db")
        self.daemon = lightpathd.Daemon(kind="sqlite", data_dir=os.path.join(folder, "data"), settings={
            "store.url": "sqlite:" + self.file, "devices.credentials": secrets, "devices.tl1_transport": "tcp", "executor.sweep_ms": "50",
            "executor.retry_longest_ms": "20", "devices.rest_write_gap_ms": "0", **net.settings})
        self.levels, self.read_to, self.ids, self.db, self.http = {}, {}, {}, None, None
        self.start()
        self.serials = {n["name"]: n["serial"] for n in self.sim.control(op="nodes")["nodes"]}
        self.products = {p["name"]: p["product_id"] for p in self.get("/api/products/")}
        self.workflows = self.get("/api/workflows/")
        self._site()
        self._snapshot("site", [])

    def close(self):
        self.stop(kill=True)
        self.daemon.close()
        self.sim.close()

    # ---- the daemon ----

    def start(self, patience=1):
        """patience: how much longer than in a case it waits for elements."""
        self.daemon.settings.update({"devices." + key: str(round(value * patience * lightpathd.SLOW)) for key, value in SCALED.items()})
        self.daemon.start()
        self.db = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30, isolation_level=None)

    def stop(self, kill):
        if self.db is not None:
            self.db.close()
        if self.http is not None:
            self.http.close()
        self.db = self.http = None
        if self.daemon.child is not None:
            self.daemon.kill() if kill else self.daemon.stop()

    def ask(self, method, path, body=None):
        for again in (True, False):
            if self.http is None:
                self.http = lightpathd.UnixConnection(self.daemon.socket, 60 * lightpathd.SLOW)  # whom nothing is forbidden
            try:
                self.http.request(method, path, None if method == "GET" else json.dumps(body),
                                  {"Host": "localhost", "Content-Type": "application/json"})
                reply = self.http.getresponse()
                return reply.status, reply.read()
            except (ConnectionError, http.client.HTTPException):
                self.http.close()
                self.http = None
                if not again:
                    raise

    def get(self, path):
        status, body = self.ask("GET", path)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def query(self, sql, *args):
        return self.db.execute(sql, args).fetchall()

    def start_process(self, workflow, pages):
        """pages: of the form; or the process, when the scenario has started it by fill()."""
        if isinstance(pages, str):
            return pages
        status, body = self.ask("POST", f"/api/processes/{workflow}", pages)
        assert status == 201, (workflow, status, body[:2000])
        return json.loads(body)["id"]

    def fill(self, workflow, first, values):
        """Starts with values by field name, page by page; a value may be a function of the page that asks for it. The process."""
        pages = [first]
        while True:
            status, body = self.ask("POST", f"/api/processes/{workflow}", pages)
            if status != 510:
                assert status == 201, (workflow, pages, status, body[:1000])
                return json.loads(body)["id"]
            form = json.loads(body)["form"]
            pages.append({name: values[name](form) if callable(values[name]) else values[name]
                          for name in form["properties"] if name in values})

    def wait(self, processes, limit=60, since=None):
        """Until all have ended, or wait for a person; {id: (status, reason, error)}. since: {id: modified_at before it was told to go on}."""
        since, left, found = since or {}, set(processes), {}
        end = time.monotonic() + limit * lightpathd.SLOW
        while left:
            for ident, status, reason, error, at in self.query("SELECT id, status, failed_reason, error, modified_at FROM processes"):
                if ident in left and status in ENDED and at != since.get(ident):
                    left.discard(ident)
                    found[ident] = (status, reason or "", error or "")
            if left and time.monotonic() > end:
                for ident in left:
                    found[ident] = ("stuck", self.query("SELECT status || ' ' || coalesce(wait_reason, '') || coalesce(last_key, '') "
                                                        "FROM processes WHERE id = ?", ident)[0][0], "")
                break
            time.sleep(0.01)
        return found

    # ---- what scenarios need ----

    def product(self, name):
        return self.products[name]

    def address(self, name):
        entry = self.sim.ports[name]
        return entry["address"], entry.get("tcp") or entry["https"]

    def subscription(self, product, text):
        """The live subscription of this product with this word in its description."""
        if not self.ids:
            for ident, name, words in self.query("SELECT id, product, description FROM subscriptions WHERE status <> 'terminated'"):
                for found in [*WORDS.finditer(words), *FLOWS.finditer(words)]:
                    self.ids.setdefault((name, found[0]), ident)
        return self.ids[product, text]

    @staticmethod
    def word(k, text):
        """What stands in the description of a subscription of a set: the name of an element, or the tag of a service."""
        return node_name(k, text) if len(text) == 1 else f"f{k + 1:03d}{text}"

    # ---- levels ----

    def _site(self):
        one = self.start_process("create_partner", [{"product": self.products["Partner"]}, {"partner_name": "Net"}, {}])
        assert self.wait([one])[one][0] == "completed"
        two = self.start_process("create_pop", [{"product": self.products["PoP"]}, {
            "code": "MI01", "full_name": "MI01 Milano", "latitude": "45.46427", "longitude": "9.18951",
            "partner_id": self.query("SELECT id FROM subscriptions")[0][0]}, {}])
        assert self.wait([two])[two][0] == "completed"
        self.owner, self.pop = (self.query("SELECT id FROM subscriptions WHERE product = ?", p)[0][0] for p in ("Partner", "PoP"))

    def _snapshot(self, level, commands):
        self.stop(kill=False)
        path = os.path.join(self.folder, level + ".snapshot")
        shutil.copyfile(self.file, path)
        assert not os.path.exists(self.file + "-wal") or os.path.getsize(self.file + "-wal") == 0
        self.levels[level] = (path, commands)

    def restore(self, level, patience=1):
        """The store and the elements as the level left them; the daemon is started anew."""
        if level not in self.levels:
            self._prepare(level)
        path, commands = self.levels[level]
        self.stop(kill=True)
        for end in ("-wal", "-shm"):
            if os.path.exists(self.file + end):
                os.unlink(self.file + end)
        shutil.copyfile(path, self.file)
        self.sim.control(op="reset", sessions=True)
        for call in commands:
            self._again(call)
        self.ids = {}
        self.start(patience)
        self.forget()

    def _prepare(self, level):
        below, chain = self.net.levels[level]
        self.restore(below, UNHURRIED)
        inherited, done = list(self.levels[below][1]), []
        for workflow, pages in chain:
            started = [self.start_process(workflow, pages(self, k)) for k in range(self.sets)]
            bad = [(s, r) for s, r, _ in self.wait(started, limit=300).values() if s != "completed"]
            assert not bad, (workflow, bad[:3])
            self.ids = {}
        done += [call for call in self.commands() if call.writes]
        self._snapshot(level, inherited + done)

    def _again(self, call):
        """A write as it was made when the level was prepared, without a connection."""
        if call.target == "*":
            self.sim.control(op="command", ne=call.element, text=call.text)
        elif call.verb == "PATCH":
            self.sim.control(op="patch", ne=call.element, path=call.target.split("/data/", 1)[1], body=json.loads(call.text.split(" ", 2)[2]))
        else:
            path, body = call.target, call.text.split(" ", 2)[2:]
            status, answer, _ = self.sim.http(call.element, call.verb, path, *body)
            assert status < 300, (call, status, answer)

    # ---- what the elements saw and hold ----

    def transcripts(self):
        for name in (n for k in range(self.sets) for n in self.net.names(k)):
            path = os.path.join(self.sim.path("log"), name + ".jsonl")
            if os.path.exists(path):
                yield name, path

    def forget(self):
        """What was sent until now is of no interest."""
        for name, path in self.transcripts():
            self.read_to[name] = os.path.getsize(path)

    def commands(self):
        """What the elements were sent since this was asked last, in order."""
        found = []
        for name, path in self.transcripts():
            with open(path, "rb") as lines:
                lines.seek(self.read_to.get(name, 0))
                data = lines.read()
            self.read_to[name] = self.read_to.get(name, 0) + len(data)
            for line in data.splitlines():
                if b'"dir":"in"' in line:
                    entry = json.loads(line)
                    entry["element"] = name
                    found.append((entry["t_us"], len(found), told(entry)))
        return [row[2] for row in sorted(found)]

    def written(self, name, since):
        """What an element was told to change after a moment of this machine's clock."""
        path = os.path.join(self.sim.path("log"), name + ".jsonl")
        with open(path, "rb") as lines:
            rows = [json.loads(line) for line in lines if b'"dir":"in"' in line]
        found = [told({**row, "element": name}) for row in rows if row["t_us"] > since * 1e6]
        return [call for call in found if call.writes]

    def plain(self, k, text):
        """Without what tells this set from the others: names, serial numbers, addresses, ids and what is made of them."""
        for name in self.net.names(k):
            end, port = name[-1], self.address(name)[1]
            text = text.replace(name, "node" + end).replace(self.serials[name], "serial" + end)
            text = re.sub(rf"(?<!\d){port}(?!\d)", "port" + end, text)  # and no part of a frequency
        text = CHANNEL.sub(r"\1~", text)  # plans name the circuit, commands the number it was given
        text = HASHED.sub("-hash", UUID.sub("id", text))
        return OWN.sub("own", NUMBERED.sub(lambda found: next(g for g in found.groups() if g is not None) + "~", text))

    def configuration(self, k):
        """What the elements of a set hold, so that it can be compared with other sets: {letter: {...}} as text."""
        return self.plain(k, json.dumps({name[-1]: unordered(self.sim.control(op="state", ne=name)["state"]) for name in self.net.names(k)},
                                        sort_keys=True))

    def stored(self):
        """What the store says of every set's subscriptions and objects, without ids, times and what is terminated: {set: text}."""
        out = {k: [] for k in range(self.sets)}
        named = {}

        def sets_of(words):
            return {int(w) for w in WORDS.findall(words)} | {int(w) - 1 for w in FLOWS.findall(words)}
        for ident, name, words, status, insync in self.query(
                "SELECT id, product, description, status, insync FROM subscriptions WHERE status <> 'terminated'"):
            named[ident] = words
            for k in sets_of(words):
                out[k].append(("subscription", name, words, status, insync))
        for ident, block, doc in self.query("SELECT subscription_id, block, doc FROM blocks"):
            for k in sets_of(named.get(ident, "")):
                out[k].append(("block", named[ident], block, doc))
        for element, intent, ident, doc, state in self.query(
                "SELECT element_id, intent_id, subscription_id, doc, state FROM device_objects"):
            for k in sets_of(named.get(ident, "") + named.get(element, "")):
                out[k].append(("object", named.get(element, "?"), intent, named.get(ident, "?"), doc, state))
        for fiber, low, high, state in self.query("SELECT fiber_id, low_mhz, high_mhz, state FROM spectrum_claims"):
            for k in sets_of(named.get(fiber, "")):
                out[k].append(("claim", named[fiber], low, high, state))
        return {k: sorted(self.plain(k, json.dumps(row)) for row in rows) for k, rows in out.items()}

    def held(self):
        """Locks that ended processes still have: {process: text}."""
        out = {}
        for table in ("process_locks", "named_locks"):
            for (ident,) in self.query(f"SELECT process_id FROM {table} WHERE process_id IS NOT NULL"):
                out.setdefault(ident, table)
        return out
