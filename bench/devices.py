"""1,000 fiber validations over 100 simulated elements that answer after 20 ms.

Two bounds, both printed: latency (all exchanges one after the other, divided by how many may run at once: the sessions of the elements,
or the threads of the executor) and CPU (what the daemon and the simulator used, divided by the cores). Wall time has to stay within 1.2 x
the larger one. The daemon's own CPU per exchange is a goal of its own.
"""
import http.client
import json
import os
import sqlite3
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import flexsim  # noqa: E402
import lightpathd  # noqa: E402

ELEMENTS, LATENCY_MS, STARTERS = 100, 20, 4
ENDED = "('completed', 'failed', 'inconsistent_data', 'api_unavailable', 'aborted', 'suspended')"


def node_name(i):
    return f"n{i:03d}"


def port(j):
    return f"1-A-{j}-L1"


def fibers(count):
    """(element, port, element, port): every element ends as many."""
    each = count // ELEMENTS
    return [(i, d, (i + d) % ELEMENTS, each + d) for d in range(1, each + 1) for i in range(ELEMENTS)]


def topology(links):
    cards = max(z for _, _, _, z in links)
    return {"format": "lightpath-sim flexils 1", "users": [{"name": flexsim.USER, "password": flexsim.PASSWORD}],
            "nodes": [{"name": node_name(i), "kind": "ROADM", "gateway": True,
                       "cards": [{"aid": f"1-A-{j}", "type": "FRM", "ports": ["L1"]} for j in range(1, cards + 1)]} for i in range(ELEMENTS)],
            "spans": [{"id": f"s{n}", "a": [node_name(a), port(p)], "b": [node_name(b), port(q)], "length_m": 62000, "loss_cdb": 1464,
                       "fiber": "G.652.D"} for n, (a, p, b, q) in enumerate(links)],
            "options": {"linger": False, "settle_ms": 0}}


class Api:
    """One connection that stays open."""

    def __init__(self, daemon):
        self.http = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=120)

    def start(self, workflow, pages):
        self.http.request("POST", f"/api/processes/{workflow}", json.dumps(pages), {"Host": "localhost", "Content-Type": "application/json"})
        reply = self.http.getresponse()
        body = json.loads(reply.read())
        if reply.status != 201:
            raise RuntimeError(f"{workflow}: {body}")
        return body["id"]


def start_all(daemon, rows):
    """Starts (workflow, pages) over a few connections at once."""
    def some(part):
        api = Api(daemon)
        for workflow, pages in part:
            api.start(workflow, pages)
    threads = [threading.Thread(target=some, args=(rows[i::STARTERS],)) for i in range(STARTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wait_all(db, workflow, count, limit=120):
    end = time.monotonic() + limit
    while True:
        done = dict(db.execute(f"SELECT status, count(*) FROM processes WHERE workflow = ? AND status IN {ENDED} GROUP BY status", (workflow,)))
        if sum(done.values()) >= count:
            break
        if time.monotonic() > end:
            raise RuntimeError(f"{workflow}: {done} of {count} after {limit} s")
        time.sleep(0.005)
    if set(done) != {"completed"}:
        raise RuntimeError(f"{workflow}: {done}")


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Network:
    def __init__(self, folder, links, daemon_program, sim_program):
        secrets = os.path.join(folder, "credentials")
        with open(secrets, "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(f"[infinera-flexils]\nuser = {flexsim.USER}\npassword = {flexsim.PASSWORD}\n")
        self.sim = flexsim.Sim(topology=topology(links), arguments=("--address-base", "127.81.0.1"), program=sim_program, transcript=False)
        self.daemon = lightpathd.Daemon(kind="sqlite", data_dir=os.path.join(folder, "data"), program=daemon_program, settings={
            "store.url": "sqlite:" + os.path.join(folder, "lp.db"), "devices.credentials": secrets, "devices.tl1_transport": "tcp",
            "devices.poll_ms": "10"}).start()
        self.db = sqlite3.connect(f"file:{os.path.join(folder, 'lp.db')}?mode=ro", uri=True, timeout=30, isolation_level=None)
        self.products = {p["name"]: p["product_id"] for p in self.daemon.get("/api/products/").json()}
        self.build(links)

    def close(self):
        self.db.close()
        self.daemon.close()
        self.sim.close()

    def ids(self, product):
        return dict(self.db.execute("SELECT description, id FROM subscriptions WHERE product = ?", (product,)))

    def run(self, workflow, rows):
        start_all(self.daemon, [(workflow, pages) for pages in rows])
        wait_all(self.db, workflow, len(rows))

    def build(self, links):
        product = self.products
        self.run("create_partner", [[{"product": product["Partner"]}, {"partner_name": "Net"}, {}]])
        owner = self.ids("Partner").popitem()[1]
        self.run("create_pop", [[{"product": product["PoP"]}, {"code": "MI01", "full_name": "MI01 Milano", "latitude": "45.4",
                                                               "longitude": "9.1", "partner_id": owner}, {}]])
        pop = self.ids("PoP").popitem()[1]
        self.run("create_optical_device", [[{"product": product["Optical Device"]}, {
            "partner_id": owner, "pop_id": pop, "fqdn": node_name(i) + ".example.net", "platform": "Infinera FlexILS", "device_type": "ROADM",
            "management_ip": self.sim.ports[node_name(i)]["address"], "management_port": self.sim.ports[node_name(i)]["tcp"],
            "mode": "manage"}, {}] for i in range(ELEMENTS)])
        device = {text[:4]: ident for text, ident in self.ids("Optical Device").items()}
        self.run("create_optical_fiber", [[{"product": product["Optical Fiber"]}, {
            "partner_id": owner, "device_a": device[node_name(a)], "device_z": device[node_name(b)]}, {
            "port_a": port(p), "port_z": port(q), "kind": "span", "segments": [{"fiber_type": "G.652.D", "length_m": 62000}],
            "measured_loss_az_cdb": 1464}, {}] for a, p, b, q in links])

    def validate(self, threads):
        """One round: (wall, latency bound, CPU bound, exchanges, CPU of the daemon)."""
        wanted = sorted(self.ids("Optical Fiber").values())
        had = self.db.execute("SELECT count(*) FROM processes WHERE workflow = 'validate_optical_fiber'").fetchone()[0]
        self.sim.control(op="latency", ms=LATENCY_MS)
        exchanges = self.sim.control(op="stats")["exchanges"]
        daemon, sim, began = cpu_s(self.daemon.child.pid), cpu_s(self.sim.process.pid), time.monotonic()
        start_all(self.daemon, [("validate_optical_fiber", [{"subscription_id": ident}]) for ident in wanted])
        started = time.monotonic() - began
        wait_all(self.db, "validate_optical_fiber", had + len(wanted))
        wall = time.monotonic() - began
        daemon, sim = cpu_s(self.daemon.child.pid) - daemon, cpu_s(self.sim.process.pid) - sim
        exchanges = self.sim.control(op="stats")["exchanges"] - exchanges
        self.sim.control(op="latency", ms=0)
        at_once = min(ELEMENTS * 2 // 2, threads)  # a validation holds a session of both ends
        return {"wall": wall, "latency": exchanges * LATENCY_MS / 1000 / at_once, "cpu": (daemon + sim) / os.cpu_count(),
                "exchanges": exchanges, "daemon": daemon, "at_once": at_once, "started": started}


def bench(table, args, daemon_program, sim_program):
    count = 1000
    with tempfile.TemporaryDirectory(prefix="lightpath-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        network = Network(folder, fibers(count), daemon_program, sim_program)
        try:
            network.validate(64)  # sessions are opened
            rounds = sorted((network.validate(64) for _ in range(args.rounds)), key=lambda r: r["wall"] / max(r["latency"], r["cpu"]))
        finally:
            network.close()
    one = rounds[len(rounds) // 2]
    table.note(f"{count} validations, {one['exchanges']} exchanges, started in", "%.2f s" % one["started"])
    table.note("bound by latency, %d at once" % one["at_once"], "%.2f s" % one["latency"])
    table.note("bound by CPU, daemon and simulator", "%.2f s" % one["cpu"])
    table.goal("", "1,000 fiber validations, 100 elements, 20 ms", "%.2f s" % one["wall"], "%.2f s" % max(one["latency"], one["cpu"]),
               one["wall"] / max(one["latency"], one["cpu"]), 1.2, at_most=True)
    per = one["daemon"] / one["exchanges"] * 1e6
    table.goal("", "CPU of the daemon per TL1 exchange", "%.0f us" % per, "150 us", per / 150, 1, at_most=True)
