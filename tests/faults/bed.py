"""A daemon and a simulated network of many small sets of elements, all alike, that can be put back to a level of preparation at once."""
import http.client
import json
import os
import re
import shutil
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402
import lightpathd  # noqa: E402
from tables import LEVELS, names  # noqa: E402

ENDED = ("completed", "failed", "inconsistent_data", "api_unavailable", "aborted", "suspended")
CHANNEL = re.compile(r"(?<=:)(\d+-\w+-\d+-[TS]\d+[A-Z]?)(@[^:,]*|-\d+)(?=:)")
OWN = re.compile(r"MA\d{10}|127\.79\.\d+\.\d+")
HASHED = re.compile(r"-[0-9a-f]{12}(?![0-9a-f])")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
READ_VERBS = ("RTRV-", "INH-", "ALW-", "CANC-")
# Real time-outs are minutes; these are what a busy machine needs to answer in.
SCALED = {
    "connect_ms": 2000, "handshake_ms": 800, "read_ms": 500, "list_ms": 500, "write_ms": 500, "progress_ms": 500, "settle_ms": 1500, "poll_ms": 10,
    "breaker_window_ms": 10, "breaker_open_ms": 10, "gateway_probe_ms": 1500,
}


def is_write(command):
    return not command.startswith(READ_VERBS + ("ACT-",))


def node(name):
    manual = {"attrs": {"INTFTYP": "MANUALMODE-2"}}
    return {"name": name, "kind": "ROADM", "gateway": True, "ports": {"1-A-3-T1": manual, "1-A-3-T2": manual},
            "cards": [{"aid": "1-A-1", "type": "FRM", "ports": ["L1", "S1", "O1"]}, {"aid": "1-A-3", "type": "FSM", "ports": ["T1", "T2"]}]}


def topology(sets):
    pairs = [names(k) for k in range(sets)]
    return {"format": "lightpath-sim flexils 1", "users": [{"name": flexsim.USER, "password": flexsim.PASSWORD}],
            "nodes": [node(n) for pair in pairs for n in pair],
            "spans": [{"id": "s" + a, "a": [a, "1-A-1-L1"], "b": [z, "1-A-1-L1"], "length_m": 62000, "loss_cdb": 1464, "fiber": "G.652.D"}
                      for a, z in pairs],
            "options": {"linger": False, "ip_ms": 600000, "settle_ms": 0}}


class Bed:
    def __init__(self, sets, folder):
        self.sets, self.folder = sets, folder
        self.sim = flexsim.Sim(topology=topology(sets), arguments=("--address-base", "127.79.0.1"))
        secrets = os.path.join(folder, "credentials")
        with open(secrets, "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(f"[infinera-flexils]\nuser = {flexsim.USER}\npassword = {flexsim.PASSWORD}\n")
        self.file = os.path.join(folder, "lp.db")
        scaled = {"devices." + key: str(round(value * lightpathd.SLOW)) for key, value in SCALED.items()}
        self.daemon = lightpathd.Daemon(kind="sqlite", data_dir=os.path.join(folder, "data"), settings={
            "store.url": "sqlite:" + self.file, "devices.credentials": secrets, "devices.tl1_transport": "tcp", "executor.sweep_ms": "50",
            "executor.retry_longest_ms": "20", **scaled})
        self.levels, self.read_to, self.pages, self.ids, self.db, self.http = {}, {}, {}, {}, None, None
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

    def start(self):
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
                self.http = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=60 * lightpathd.SLOW)
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
        return self.sim.ports[name]["address"], self.sim.ports[name]["tcp"]

    def subscription(self, product, text):
        """The live subscription of this product with this word in its description."""
        if not self.ids:
            for ident, name, words in self.query("SELECT id, product, description FROM subscriptions WHERE status <> 'terminated'"):
                for word in re.findall(r"x\d{3,}[az]", words):
                    self.ids.setdefault((name, word), ident)
        return self.ids[product, text]

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

    def restore(self, level, sets=None):
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
        for name, text in commands:
            self.sim.control(op="command", ne=name, text=text)
        self.ids = {}
        self.start()
        self.forget()

    def _prepare(self, level):
        below, chain = LEVELS[level]
        self.restore(below)
        inherited, done = list(self.levels[below][1]), []
        for workflow, pages in chain:
            started = [self.start_process(workflow, pages(self, k)) for k in range(self.sets)]
            bad = [(s, r) for s, r, _ in self.wait(started, limit=300).values() if s != "completed"]
            assert not bad, (workflow, bad[:3])
            self.ids = {}
        for name, _, text in self.commands():
            if is_write(text):
                done.append((name, text))
        self._snapshot(level, inherited + done)

    # ---- what the elements saw and hold ----

    def transcripts(self):
        for name in (n for k in range(self.sets) for n in names(k)):
            path = os.path.join(self.sim.path("log"), name + ".jsonl")
            if os.path.exists(path):
                yield name, path

    def forget(self):
        """What was sent until now is of no interest."""
        for name, path in self.transcripts():
            self.read_to[name] = os.path.getsize(path)

    def commands(self):
        """What the elements were sent since this was asked last: (element, session, command), in order."""
        found = []
        for name, path in self.transcripts():
            with open(path, "rb") as lines:
                lines.seek(self.read_to.get(name, 0))
                data = lines.read()
            self.read_to[name] = self.read_to.get(name, 0) + len(data)
            for line in data.splitlines():
                if b'"dir":"in"' in line:
                    entry = json.loads(line)
                    found.append((entry["t_us"], len(found), name, entry["session"], entry["text"].strip()))
        return [row[2:] for row in sorted(found)]

    def plain(self, k, text):
        """Without what tells this set from the others: names, serial numbers, addresses, ids and what is made of them."""
        for end, name in zip("AZ", names(k)):
            tcp = self.address(name)[1]
            text = text.replace(name, "node" + end).replace(self.serials[name], "serial" + end)
            text = re.sub(rf"(?<!\d){tcp}(?!\d)", "port" + end, text)  # and no part of a frequency
        text = CHANNEL.sub(r"\1~", text)  # plans name the circuit, commands the number it was given
        return OWN.sub("own", HASHED.sub("-hash", UUID.sub("id", text)))

    def configuration(self, k):
        """What both elements hold, so that it can be compared with other sets."""
        return "\n".join(self.plain(k, json.dumps(self.sim.control(op="state", ne=name)["state"], sort_keys=True)) for name in names(k))

    def stored(self):
        """What the store says of every set's subscriptions and objects, without ids, times and what is terminated: {set: text}."""
        out = {k: [] for k in range(self.sets)}
        named = {}

        def sets_of(words):
            return {int(w) for w in re.findall(r"x(\d{3,})[az]", words)}
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
