"""From request to active: one 100G service over two G30 and three FlexILS elements in a simulator without latency, again and again.

What is ours is the time that no exchange with an element was under way, by the evidence of the process: steps, plans, commits. The power
window is wide open, so that nothing is waited for; elements get no rest between two writes.

And 100 of them asked for in one moment, over two line systems: each has line and client ports of its own, and all of a line system compete
for its two ROADMs and for its light, which none of them chose. All have to become active.
"""
import concurrent.futures
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))


def once(case):
    """Seconds until active, and of them with the elements; then the service is gone again."""
    began = time.monotonic()
    process = case.daemon.start_process("create_optical_digital_service", case.pages(3, och_ids=[42]))
    while case.daemon.process(process)["last_status"] != "completed":
        time.sleep(0.001)
    wall = time.monotonic() - began
    rows = case.daemon.get(f"/api/processes/{process}/evidence?limit=1000").json()["exchanges"]
    case.through(case.daemon.start_process("terminate_optical_digital_service", [{"subscription_id": case.service("f001c01")}]))
    return wall, sum(row["took_ms"] for row in rows) / 1000


CROWD, SYSTEMS, SLOTS, LINES = 100, 2, 4, 2
PER_SYSTEM = CROWD // SYSTEMS
CHASSIS = -(-PER_SYSTEM // (SLOTS * LINES))  # G30 at each end of a line system


def crowd_topology():
    """(topology, nodes, rows of fibers, [(G30 at one end, at the other, slot, line)])"""
    nodes, spans, patches, names, fibers, places = [], [], [], [], [], []
    for k in range(1, SYSTEMS + 1):
        ends, amplifier = (f"flex.rm{k}1", f"flex.bo{k}1"), f"flex.cb{k}0"
        cards = [{"aid": f"1-E1-{c}", "type": "FSM", "ports": [f"T{t}A" for t in range(1, 5)]} for c in range(1, PER_SYSTEM // 4 + 2)]
        for node in ends:
            nodes.append({"name": node, "kind": "ROADM", "gateway": True,
                          "cards": [{"aid": "1-A-1", "type": "FRM", "ports": ["L1", "S1", "O1"]}, *cards]})
        nodes.append({"name": amplifier, "kind": "OLA", "gateway": True,
                      "cards": [{"aid": "1-A-1", "type": "OAM", "ports": ["L1", "L2", "O1", "O2"]}]})
        names += [*ends, amplifier]
        for side, node in enumerate(ends):
            spans.append({"id": f"s{k}{side}", "a": [node, "1-A-1-L1"], "b": [amplifier, f"1-A-1-L{side + 1}"], "length_m": 75000,
                          "loss_cdb": 1750, "fiber": "G.652.D"})
            fibers.append(f"{node},1-A-1-L1,{amplifier},1-A-1-L{side + 1},span,G.652.D,75000")
        for c in range(CHASSIS):
            pair = [node.replace("flex", "g30") + chr(ord("a") + c) for node in ends]
            names += pair
            nodes += [{"name": node, "kind": "G30", "site": node[4:8].upper(), "release": "FP4.7.2",
                       "cards": [{"slot": slot, "type": "CHM2T"} for slot in range(1, SLOTS + 1)]} for node in pair]
            places += [(k, *pair, slot, line) for slot in range(1, SLOTS + 1) for line in range(1, LINES + 1)]
        mine = [place for place in places if place[0] == k][:PER_SYSTEM]
        places = [place for place in places if place[0] != k] + mine
        for n, (_, a, z, slot, line) in enumerate(mine):
            add_drop = f"1-E1-{n // 4 + 1}-T{n % 4 + 1}A"
            for g30, node in ((a, ends[0]), (z, ends[1])):
                patches.append({"id": f"p{g30}{slot}{line}", "a": [g30, f"port-1/{slot}/{line}"], "b": [node, add_drop], "loss_cdb": 50})
                fibers.append(f"{g30},port-1/{slot}/{line},{node},{add_drop},patch,,")
    return {"format": "lightpath-sim network 1", "options": {"seed": 1}, "nodes": nodes, "spans": spans, "patches": patches}, names, fibers, places


def crowd(service, told):
    """Seconds until all are active, of each one, and the daemon's CPU."""
    wanted, names, rows, places = crowd_topology()
    told("network of %d elements" % len(names))
    service.lightpathd.SLOW *= 10  # a network this large is no test that hangs
    base = service.topology()

    class Crowd(service.Services):
        TOPOLOGY = {**base, **{key: wanted[key] for key in ("nodes", "spans", "patches")}}
        NODES, FIBERS, BASE = tuple(names), tuple(rows), "127.80.0.1"
        MORE = {**service.ALIGNED, "devices.poll_ms": "10"}

        @classmethod
        def pop_code(cls, node):
            return node.split(".")[1][:4].upper()

        def runTest(self):
            pass

        def asked(self, place):
            _, a, z, slot, line = place
            ports = {"line_ports_a": [f"port-1/{slot}/{line}"], "line_ports_z": [f"port-1/{slot}/{line}"], "mode": "16QAM_300G"}
            client = f"port-1/{slot}/{line + 2}"
            return [{"product": self.hundred}, {"partner_id": self.partner, "device_a": self.ends[a], "device_z": self.ends[z], "carriers": 1},
                    {"client_port_a": client, "client_port_z": client}, ports, {}]
    Crowd.setUpClass()
    try:
        case = Crowd()
        case.hundred = case.product("100G")
        told("network is there")
        cpu, began = cpu_s(case.daemon.child.pid), time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as starters:
            started = list(starters.map(lambda place: case.daemon.start_process("create_optical_digital_service", case.asked(place)), places))
        asked = time.monotonic() - began
        open_ones, ended = set(started), {}
        while open_ones:
            for process in list(open_ones):
                found = case.daemon.process(process)
                if found["last_status"] in ("completed", "failed", "suspended", "inconsistent_data", "aborted", "api_unavailable"):
                    ended[process] = (found["last_status"], found["failed_reason"], time.monotonic() - began)
                    open_ones.remove(process)
            time.sleep(0.05)
        wall, cpu = time.monotonic() - began, cpu_s(case.daemon.child.pid) - cpu
        wrong = [(status, reason) for status, reason, _ in ended.values() if status != "completed"]
        if wrong:
            raise RuntimeError(f"{len(wrong)} of {CROWD} services did not become active: {wrong[:3]}")
        return wall, asked, sorted(at for _, _, at in ended.values()), cpu
    finally:
        Crowd.tearDownClass()


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench(table, args, daemon_program, cli_program, sim_program):
    os.environ["LIGHTPATH_TEST_CLI"] = cli_program
    import flexsim
    import lightpathd
    import service
    lightpathd.PROGRAM, service.network.CLI, flexsim.PROGRAM = daemon_program, cli_program, sim_program
    flexsim.Sim.__init__.__defaults__ = (*flexsim.Sim.__init__.__defaults__[:-1], sim_program)

    class Bench(service.Services):
        MORE = {**service.ALIGNED, "devices.poll_ms": "1"}

        def runTest(self):
            pass
    Bench.setUpClass()
    case = Bench()
    try:
        once(case)  # sessions are opened
        rounds = [once(case) for _ in range(3 * args.rounds)]
    finally:
        Bench.tearDownClass()
    wall, outside = (statistics.median(column) for column in zip(*rounds))
    table.note("with the elements, by their evidence", "%.0f ms" % (outside * 1e3))
    table.goal("", "100G service, request to active", "%.0f ms" % (wall * 1e3), "150 ms", wall / 0.150, 1, at_most=True)
    table.goal("", "of it ours", "%.0f %%" % ((wall - outside) / wall * 100), "20 %", (wall - outside) / wall / 0.2, 1, at_most=True)
    wall, asked, ends, cpu = crowd(service, lambda text: None)
    table.note("%d services at once: asked for in" % CROWD, "%.1f s" % asked)
    table.note("the first, half of them active after", "%.1f, %.1f s" % (ends[0], ends[len(ends) // 2]))
    table.note("all active after, CPU of the daemon", "%.1f s, %.1f s" % (wall, cpu))
