#!/usr/bin/env python3
"""Digital services over two simulated G42, with two ways through the line system: clients of both speeds, carriers, changes, another way, drift of
everything that is compared, adoption, and who asks at the same time."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402
import lightpathd  # noqa: E402
import network  # noqa: E402
import service  # noqa: E402

DOMAIN = network.DOMAIN
CREATE, MODIFY = service.CREATE, "modify_optical_digital_service"
ENDS = ("g42.rm01", "g42.bo01")


def two_ways():
    """Roma and Bologna: the short way over an amplifier, the long one over Napoli; each G42 with both lines of one card patched."""
    sides = {"flex.rm01": ("1-A-1", "1-A-2"), "flex.bo01": ("1-A-1", "1-A-2"), "flex.na00": ("1-A-1", "1-A-2")}
    roadms = [{"name": name, "kind": "ROADM", "gateway": True,
               "cards": [{"aid": aid, "type": "FRM", "ports": ["L1", "S1", "O1"]} for aid in degrees]
               + [{"aid": "1-E1-1", "type": "FSM", "ports": ["T1A", "T2A", "T3A", "T4A"]}]} for name, degrees in sides.items()]
    boxes = [{"name": name, "kind": "G42", "release": "R7.1.1", "cards": [{"name": "1-4", "subtype": "C6"}, {"name": "1-5", "subtype": "C6"}]}
             for name in ENDS]

    def span(name, a, b, length):
        return {"id": name, "a": list(a), "b": list(b), "length_m": length, "loss_cdb": length * 23 // 1000, "fiber": "G.652.D"}
    return {"format": "lightpath-sim network 1", "options": {"seed": 1}, "users": [{"name": flexsim.USER, "password": flexsim.PASSWORD}],
            "nodes": roadms + [{"name": "flex.cb00", "kind": "OLA", "gateway": True,
                                "cards": [{"aid": "1-A-1", "type": "OAM", "ports": ["L1", "L2", "O1", "O2"]}]}] + boxes,
            "spans": [span("rm-cb", ("flex.rm01", "1-A-1-L1"), ("flex.cb00", "1-A-1-L1"), 78000),
                      span("cb-bo", ("flex.cb00", "1-A-1-L2"), ("flex.bo01", "1-A-1-L1"), 71000),
                      span("rm-na", ("flex.rm01", "1-A-2-L1"), ("flex.na00", "1-A-1-L1"), 60000),
                      span("na-bo", ("flex.na00", "1-A-2-L1"), ("flex.bo01", "1-A-2-L1"), 65000)],
            "patches": [{"id": f"{box}-{line}", "a": [box, f"1-4-L{line}"], "b": [box.replace("g42", "flex"), f"1-E1-1-T{line}A"], "loss_cdb": 50}
                        for box in ENDS for line in (1, 2)]}


class Far(service.Services):
    MORE = service.ALIGNED
    NODES, TOPOLOGY, BASE = ("flex.rm01", "flex.cb00", "flex.na00", "flex.bo01") + ENDS, two_ways(), "127.81.0.1"
    FIBERS = tuple(f"{s['a'][0]},{s['a'][1]},{s['b'][0]},{s['b'][1]},span,G.652.D,{s['length_m']}" for s in TOPOLOGY["spans"]) \
        + tuple(f"{p['a'][0]},{p['a'][1]},{p['b'][0]},{p['b'][1]},patch,," for p in TOPOLOGY["patches"])

    @classmethod
    def image(cls):
        boxes = {node: cls.sim.get(node, "ioa-network-element:ne", content="config", depth=30) for node in ENDS}
        lines = {node: cls.sim.control(op="state", ne=node)["state"] for node in cls.NODES if node.startswith("flex")}
        return json.loads(json.dumps({**boxes, **lines}))

    @staticmethod
    def clients(a, z=None):
        return {"client_port_a": f"1-4-T{a}", "client_port_z": f"1-4-T{z or a}"}

    LINES = {"line_ports_a": ["1-4-L1"], "line_ports_z": ["1-4-L1"], "mode": "400E.96P"}
    SLOT = {"centers_mhz": [193500000], "widths_mhz": [112500]}

    def test_0(self):
        print(self.choices(CREATE, self.pages(1, och_ids=[42])[:3], "mode"))
        print(self.choices(CREATE, self.pages(1, och_ids=[42])[:3], "line_ports_a"))
        e = self.done(CREATE, self.pages(1, och_ids=[42], flow_id=7, client_id=1), "completed", "failed")
        print(e["last_status"], e["failed_reason"])
        print(json.dumps(self.json("plan", "show", e["process_id"]), indent=1))


if __name__ == "__main__":
    lightpathd.main()
