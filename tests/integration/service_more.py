#!/usr/bin/env python3
"""Digital services over two simulated G42, with two ways through the line system: clients of both speeds, carriers, changes, another way, drift of
everything that is compared, adoption, and who asks at the same time."""
import json
import os
import re
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import drift  # noqa: E402
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

    LINES = {"line_ports_a": ["1-4-L1"], "line_ports_z": ["1-4-L1"], "mode": "800E.96P"}
    SLOT = {"centers_mhz": [193500000], "widths_mhz": [112500]}

    def power(self, node, port="L1"):
        return float(self.sim.get(node, f"ioa-network-element:ne/facilities/optical-carrier=1-4-{port}-1")[0]["rx-power"])

    def sound(self, *services):
        """They are what their elements hold, and both ends see light."""
        for one in services:
            self.on(one, "validate_optical_digital_service")
        for node in ENDS:
            self.assertGreater(self.power(node), -40)

    def find_service(self, tag, speed="100G"):
        return self.find("Optical Digital Service " + speed, tag)

    def changed(self, one, answers, *more):
        return self.through(self.daemon.start_process(MODIFY, [{"subscription_id": one}, answers, *more]))


class Life(Far, drift.Drift):
    """One channel over G42, from its first client to its last."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dark = cls.image()

    def test_1_a_400G_service(self):
        self.done(CREATE, self.pages(1, speed="400G", och_ids=[42], flow_id=7, client_id=1))
        one = self.find_service("f007c01", "400G")
        self.assertEqual(self.root(one)["channels"][0]["capacity_gbps"], 800)
        self.sound(one)

    def test_2_100G_clients_join_it(self):
        mark = self.mark()
        for client in (2, 3):
            self.done(CREATE, self.joining(client))
        told = self.told(mark)
        self.assertEqual(told.pop("flex.rm01"), ['ED-OSNC:flex.rm01:1-E1-1-T1A-1:*:::LABEL="f007c01+f007c02"',
                                                  'ED-OSNC:flex.rm01:1-E1-1-T1A-1:*:::LABEL="f007c01+f007c02+f007c03"'])
        self.assertEqual(set(told), set(ENDS))
        self.assertFalse([line for lines in told.values() for line in lines if "L1" in line and "create-xcon" not in line], told)
        self.sound(self.find_service("f007c01", "400G"), self.find_service("f007c02"), self.find_service("f007c03"))
        self.refused([{"product": self.product("400G")}, self.first_page(och_ids=[42])], "200 of 800 Gb/s free: 400 are needed")

    def test_3_clients_move_to_other_ports(self):
        one, mark = self.find_service("f007c03"), self.mark()
        self.changed(one, {"client_port_a": "1-4-T5"})
        self.assertEqual(set(self.told(mark)), set(ENDS))  # the far client is labelled with the name of its new partner
        self.refused([{"subscription_id": one}, {"client_port_a": "1-4-T2"}], "client_port_a", MODIFY)
        self.assertEqual(self.sim.get(ENDS[0], "ioa-network-element:ne/equipment/card=1-4/port=T3", depth=2)[0]["label"], "")
        self.sound(one, self.find_service("f007c02"))

    def channel(self, one):
        channel = self.root(one)["channels"][0]
        return {name: channel[name] for name in ("center_mhz", "width_mhz", "mode", "capacity_gbps", "subscription_instance_id")}

    def test_4_frequency_width_and_mode(self):
        one = self.find_service("f007c01", "400G")
        was, others = self.channel(one), [self.find_service("f007c02"), self.find_service("f007c03")]
        for answers, pages in (({"centers_mhz": [194000000]}, [{}]), ({"widths_mhz": [150000]}, [{}]), ({"mode": "700E.91P"}, [])):
            with self.subTest(answers=answers):
                self.changed(one, answers, *pages, {"confirm": "MODIFY"})
                self.sound(one, *others)
        now = self.channel(one)
        self.assertEqual(now, {**was, "center_mhz": 194000000, "width_mhz": 150000, "mode": "700E.91P", "capacity_gbps": 700})
        carrier = self.sim.get(ENDS[1], "ioa-network-element:ne/facilities/optical-carrier=1-4-L1-1")[0]
        self.assertEqual(int(carrier["frequency"]), 194000000)
        self.refused([{"subscription_id": one}, {"mode": "500E.91P"}], "3 services with 600 Gb/s", MODIFY)
        self.refused([{"subscription_id": others[0]}, {"centers_mhz": [193500000]}], "centers_mhz", MODIFY)  # not its channels

    def way(self, one):
        return {fiber["owner_subscription_id"] for fiber in self.root(one)["channels"][0]["optical_spectrum"]["route_fibers"]}

    def test_5_another_way_and_back(self):
        one = self.find_service("f007c01", "400G")
        short = self.way(one)
        span = self.find("Optical Fiber", f"flex.cb00{DOMAIN} 1-A-1-L2")
        self.assertIn(span, short)
        self.changed(one, {"reroute": True, "exclude_fibers": [span]}, {}, {"confirm": "MODIFY"})
        self.assertNotIn(span, self.way(one))
        self.assertIn(self.find("Optical Fiber", f"flex.na00{DOMAIN} 1-A-2-L1"), self.way(one))
        self.sound(one, self.find_service("f007c02"))
        self.sim.control(op="cut", span="cb-bo")  # nothing of it runs there any more
        self.sound(one)
        self.sim.control(op="repair", span="cb-bo")
        self.changed(one, {"reroute": True, "exclude_fibers": []}, {}, {"confirm": "MODIFY"})
        self.assertEqual(self.way(one), short)
        self.sound(one)

    def cross_connect(self, node):
        name, = (x["name"] for x in self.sim.get(node, "ioa-network-element:ne/services/xcon") if "1-4-T1," in x["name"])
        return "ioa-network-element:ne/services/xcon=" + urllib.parse.quote(name, safe="")

    def test_6_T30_drift_is_named_and_repaired(self):
        tables = drift.leaves_of("g42", "names.c")
        self.assertEqual(drift.without_row(tables, drift.G42, drift.G42_EXEMPT), [])
        one, ne = self.find_service("f007c01", "400G"), "ioa-network-element:ne"
        port, facility = f"{ne}/equipment/card=1-4/port=", f"{ne}/facilities/"
        self.drift_of_leaves(one, ENDS[1], drift.G42, {
            "line port": (port + "L1", "port:1-4-L1"), "client port": (port + "T1", "port:1-4-T1"), "tom": (port + "T1/tom", "tom:1-4-T1"),
            "scg": (facility + "super-channel-group=1-4-L1", "scg:1-4-L1"), "sc": (facility + "super-channel=1-4-L1", "sc:1-4-L1"),
            "oc": (facility + "optical-carrier=1-4-L1-1", "oc:1-4-L1-1"), "ptp": (facility + "trib-ptp=1-4-T1", "ptp:1-4-T1"),
            "eth": (facility + "ethernet=1-4-T1", "eth:1-4-T1"), "xc": (self.cross_connect(ENDS[1]), "xc:1-4-T1")},
            others=[self.find_service("f007c02"), self.find_service("f007c03")])

    def test_6a_T30_a_cross_connect_that_is_gone(self):
        one = self.find_service("f007c01", "400G")
        self.drifted(one, lambda: self.sim.control(op="delete", ne=ENDS[0], path=self.cross_connect(ENDS[0])), {(ENDS[0], "xc:1-4-T1", "")},
                     {ENDS[0]})

    LEFT_BEHIND = r"/tom/(phy-mode|required-type|required-subtype): |/facilities/(ethernet|trib-ptp): None became"  # what a pluggable brings

    def is_dark(self):
        left = [d for d in drift.differences(self.dark, self.image()) if not re.search(self.LEFT_BEHIND, d)]
        self.assertEqual(left, [])
        for node in ENDS:
            for kind in ("ethernet", "trib-ptp"):
                for one in self.image()[node]["facilities"].get(kind, []):
                    self.assertEqual((one["admin-state"], one["label"]), ("lock", ""), (node, one))

    def ended(self, one):
        self.through(self.daemon.start_process("terminate_optical_digital_service", [{"subscription_id": one}, {}]))

    def test_7_the_last_one_takes_the_light_with_it(self):
        first, second, third = self.find_service("f007c01", "400G"), self.find_service("f007c02"), self.find_service("f007c03")
        self.ended(first)
        self.assertEqual(self.root(second)["channels"][0]["och_id"], 42)
        self.sound(second, third)
        for one in (third, second):
            self.ended(one)
        self.is_dark()

    BOTH = {"line_ports_a": ["1-4-L1", "1-4-L2"], "line_ports_z": ["1-4-L1", "1-4-L2"], "mode": "300E.84P"}

    def test_8_two_carriers_of_one_super_channel(self):
        slot = {"centers_mhz": [193500000, 193700000], "widths_mhz": [100000, 100000]}
        self.done(CREATE, self.pages(1, speed="400G", lines=self.BOTH, slot=slot, och_ids=[33, 34], flow_id=2, client_id=5))
        one = self.find_service("f002c05", "400G")
        self.done(CREATE, [{"product": self.product("100G")}, self.first_page(och_ids=[33, 34]), self.clients(2)])
        other = self.find_service("f002c01")
        for node in ENDS:
            channel, = self.sim.get(node, "ioa-network-element:ne/facilities/super-channel")
            self.assertEqual((channel["name"], channel["carriers"], channel["carrier-mode"]),
                             ("1-4-L1_1-4-L2", ["1-4-L1-1", "1-4-L2-1"], "300E.84P"))
            self.assertGreater(self.power(node, "L2"), -40)
        self.sound(one, other)
        reply = self.daemon.post(f"/api/processes/{MODIFY}", [{"subscription_id": one}])
        self.assertIn('"250E.84P"', reply.body.decode())
        self.changed(one, {"centers_mhz": [193500000, 194000000], "mode": "250E.84P"}, {}, {"confirm": "MODIFY"})
        self.assertEqual([(c["center_mhz"], c["mode"], c["capacity_gbps"]) for c in self.root(one)["channels"]],
                         [(193500000, "250E.84P", 250), (194000000, "250E.84P", 250)])
        self.sound(one, other)
        self.ended(one)
        self.sound(other)
        self.ended(other)
        self.is_dark()

    def at_once(self, *requests):
        """Asks for all at the same moment; [(won, why not)], what lost is gone again."""
        replies, gate = [None] * len(requests), threading.Barrier(len(requests))

        def ask(i):
            gate.wait()
            replies[i] = self.daemon.post(f"/api/processes/{CREATE}", requests[i] + [{}] * (4 - len(requests[i]) if len(requests[i]) < 4 else 2))
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(requests))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out = []
        for reply in replies:
            if reply.status != 201:
                out.append((False, reply.body.decode()))
                continue
            ended = self.daemon.wait_process(reply.json()["id"], "completed", "failed", limit=120)
            out.append((ended["last_status"] == "completed", ended["failed_reason"] or ""))
            if ended["last_status"] == "failed":
                self.assertFalse(self.daemon.get(f"/api/processes/{ended['process_id']}").json()["current_state"].get("plan"))  # nothing was sent
                self.cli("process", "abort", ended["process_id"], "--rollback", "--yes")
                self.daemon.wait_process(ended["process_id"], "aborted", limit=120)
        return out

    def one_wins(self, why, *requests):
        outcomes = self.at_once(*requests)
        self.assertEqual(sum(won for won, _ in outcomes), 1, outcomes)
        self.assertRegex(next(text for won, text in outcomes if not won), why)

    def test_8a_T27_who_asks_at_the_same_time(self):
        lines = {**self.LINES, "mode": "400E.63P"}
        self.done(CREATE, self.pages(1, lines=lines, slot={"widths_mhz": [75000]}, och_ids=[60], flow_id=4, client_id=1))
        self.one_wins("client_port_a|service.client_port|already|in use", self.joining(2, och=60), self.joining(2, och=60))  # one client port
        self.one_wins("OPT-040|service.tag|already|in use", self.joining(3, och=60, flow_id=4, client_id=9),
                      self.joining(4, och=60, flow_id=4, client_id=9))  # one tag
        self.one_wins("0 of 400 Gb/s free: 100 are needed", self.joining(5, och=60), self.joining(6, och=60))  # the last 100 Gb/s
        services = [self.find_service(f"f004c{n:02}") for n in (1, 2, 3, 9)]
        slots = [entry["dst-time-slots"] for entry in self.sim.get(ENDS[0], "ioa-network-element:ne/services/xcon")]
        self.assertEqual(len(set(slots)), 4, slots)
        self.sound(*services)
        for one in services:
            self.ended(one)
        # two channels for one line port, and for the same light
        single = {"line_ports_a": ["1-4-L2"], "line_ports_z": ["1-4-L2"], "mode": "100E.31U"}
        slot = {"centers_mhz": [194000000], "widths_mhz": [37500]}
        self.one_wins("line_port|already|in use|OPT-023", self.pages(1, lines=single, slot=slot, och_ids=[61]),
                      self.pages(2, lines=single, slot=slot, och_ids=[62]))
        self.ended(self.find_service("OCh06"))
        self.is_dark()

    COLUMNS = "speed,flow_id,client_id,och_ids,device_a,client_a,device_z,client_z,lines_a,lines_z,mode,centers_mhz,widths_mhz,via"

    def row(self, speed, flow, client, och, port, channel=""):
        a, z = (node + DOMAIN for node in ENDS)
        return f"{speed},{flow},{client},{och},{a},1-4-T{port},{z},1-4-T{port}," + (channel or ",,,,,")

    def adopted(self, *args):
        process = self.json("service", "adopt", self.path("services"), "--owner", "Net", *args)["id"]
        self.assertEqual(self.daemon.wait_process(process, "completed", "failed", limit=120)["last_status"], "completed")
        return self.daemon.process(process)["current_state"]["report"]

    def test_9_what_runs_is_adopted_without_a_write(self):
        self.done(CREATE, self.pages(1, speed="400G", och_ids=[42], flow_id=7, client_id=1))
        self.done(CREATE, self.joining(2))
        single = {"line_ports_a": ["1-4-L2"], "line_ports_z": ["1-4-L2"], "mode": "100E.31U"}
        self.done(CREATE, self.pages(4, lines=single, slot={"centers_mhz": [194000000], "widths_mhz": [37500]}, och_ids=[50], flow_id=8, client_id=1))
        running = self.image()
        for tag, speed in (("f007c02", "100G"), ("f007c01", "400G"), ("f008c01", "100G")):  # the books are lost
            self.through(self.daemon.start_process("terminate_optical_digital_service", [{"subscription_id": self.find_service(tag, speed)},
                                                                                         {"force_reason": "the books are lost"}]))
        self.assertEqual(self.image(), running)
        way = f"flex.cb00{DOMAIN}"
        self.file("services", self.COLUMNS, self.row("400G", 7, 1, 42, 1, f"1-4-L1,1-4-L1,800E.96P,193500000,112500,{way}"),
                  self.row("100G", 7, 2, 42, 2), self.row("100G", 8, 1, 50, 4, f"1-4-L2,1-4-L2,100E.31U,194000000,50000,{way}"),
                  self.row("100G", 8, 2, 50, 5), self.row("100G", 9, 1, 42, 11))
        mark = self.mark()
        report = self.adopted("--preview")
        self.assertEqual((report["rows"], report["fits"], report["adopted"]), (5, ["f007c01"], []), report)
        report = self.adopted()
        self.assertEqual(sorted(one["service"] for one in report["adopted"]), ["f007c01", "f007c02"], report)
        left = {one["service"]: one for one in report["left"]}
        self.assertEqual(set(left), {"f008c01", "f008c02", "f009c01"})
        self.assertTrue(any("PASSBANDLIST" in text for text in left["f008c01"]["differences"]), left)
        self.assertTrue(any("1-4-T11" in text for text in left["f009c01"]["differences"]), left)
        self.assertEqual((self.told(mark), self.image()), ({}, running))
        first, second = self.find_service("f007c01", "400G"), self.find_service("f007c02")
        self.sound(first, second)
        self.assertEqual(self.root(first)["channels"][0]["optical_spectrum"]["reservation"], "lit")
        self.assertEqual({one["service"] for one in self.adopted()["explained"]}, {"f007c01", "f007c02"})
        self.refused([{"csv": self.COLUMNS + "\n100G,x,1,,,,,,,,,,,", "partner_name": "Net"}], "row 2, column flow_id", "task_adopt_digital_services")
        self.ended(first)
        self.ended(second)


if __name__ == "__main__":
    lightpathd.main()
