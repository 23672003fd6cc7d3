#!/usr/bin/env python3
"""Digital services end to end: the lightpath program, a real daemon, and over real sockets two simulated G30 transponders at the ends of a line
system of three FlexILS elements."""
import json
import os
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import drift  # noqa: E402
import flexsim  # noqa: E402
import lightpathd  # noqa: E402
import network  # noqa: E402

DOMAIN = network.DOMAIN
PLATFORMS = {"flex": network.PLATFORM, "g30": "Groove G30", "g42": "GX G42"}
CREATE = "create_optical_digital_service"
FIBERS = ("g30.rm01,port-1/1/1,flex.rm01,1-E1-1-T1A,patch,,", "flex.rm01,1-A-1-L1,flex.cb00,1-A-1-L1,span,G.652.D,78000",
          "flex.cb00,1-A-1-L2,flex.bo01,1-A-1-L1,span,G.652.D,71000", "flex.bo01,1-E1-1-T2A,g30.bo01,port-1/1/1,patch,,")
FAST = {"devices.rest_write_gap_ms": "0"}
ALIGNED = {**FAST, "power.low_cdb": "-1000", "power.high_cdb": "2000"}  # what the simulator receives is in the window, whatever it is


def topology():
    with open(os.path.join(flexsim.ROOT, "sim", "topologies", "service.json"), encoding="utf-8") as file:
        return json.load(file)


class Services(network.Network):
    MORE = FAST
    FIBERS = FIBERS
    NODES, TOPOLOGY, BASE = ("flex.rm01", "flex.cb00", "flex.bo01", "g30.rm01", "g30.bo01"), topology(), "127.79.0.1"

    @classmethod
    def pop_code(cls, node):
        return node.split(".")[1].upper()

    @classmethod
    def secrets(cls):
        login = f"user = {flexsim.USER}\npassword = {flexsim.PASSWORD}\n"
        secure = f"{login}tls_ca = {cls.sim.path('ca.pem')}\n"
        return f"[infinera-flexils]\n{login}[infinera-g30]\n{secure}[infinera-g42]\n{secure}"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rows = []
        for node in cls.NODES:
            entry = cls.sim.ports[node]
            kind = "Amplifier" if ".cb" in node else "ROADM" if node.startswith("flex") else "Transponder"
            rows.append(f"{node}{DOMAIN},{cls.pop_code(node)},{PLATFORMS[node.split('.')[0]]},{kind},{entry['address']},"
                        f"{entry.get('tcp') or entry['https']},manage")
        cls.cli_once("device", "import", cls.file("devices", "fqdn,pop,platform,type,management_ip,management_port,mode", *rows), "--owner", "Net",
                     "--source", "inventory", "--watch")
        rows = [re.sub(r"(flex|g30|g42)\.(\w+)", rf"\1.\2{DOMAIN}", row) for row in cls.FIBERS]
        cls.cli_once("fiber", "import", cls.file("fibers", "device_a,port_a,device_z,port_z,kind,types,lengths_m", *rows), "--owner", "Net",
                     "--source", "inventory", "--watch")
        cls.partner = cls.find("Partner", "Net")
        cls.ends = {node: cls.find("Optical Device", node) for node in cls.NODES if not node.startswith("flex")}
        for node in cls.NODES: # as the operator's night job does
            cls.cli_once("process", "start", "task_refresh_device", "--set", f"device={node}{DOMAIN}", "--watch")

    @classmethod
    def find(cls, product, text):
        rows = json.loads(cls.cli_once("-o", "json", "subscription", "list", "--product", product, "--limit", "1000").stdout)
        found = [s["subscription_id"] for s in rows if text in s["description"] and s["status"] == "active"]
        assert len(found) == 1, (product, text, found)
        return found[0]

    # ---- forms, page by page ----

    def choices(self, workflow, pages, field):
        """The choices of a field of the page behind those posted: [(value, label)]."""
        reply = self.daemon.post(f"/api/processes/{workflow}", pages)
        self.assertEqual(reply.status, 510, reply)
        return self.options(reply.json()["form"], field)

    @staticmethod
    def options(form, field):
        text = json.dumps(form)
        assert f'"{field}"' in text, text
        node = form["properties"][field]
        while "items" in node:
            node = node["items"]
        name = (node.get("$ref") or node.get("allOf", [{}])[0].get("$ref") or "").split("/")[-1]
        node = form.get("$defs", {}).get(name, node)
        labels = node.get("options", {})
        return [(value, labels.get(value, value)) for value in node.get("enum", [])]


    # ---- services ----

    def product(self, name):
        found = [p["product_id"] for p in self.daemon.get("/api/products/").json() if p["name"].endswith(name)]
        self.assertEqual(len(found), 1)
        return found[0]

    def first_page(self, **more):
        a, z = self.ends.values()
        return {"partner_id": self.partner, "device_a": a, "device_z": z, **more}

    @staticmethod
    def clients(a, z=None):
        return {"client_port_a": f"port-1/1/{a}", "client_port_z": f"port-1/1/{z or a}"}

    LINES = {"line_ports_a": ["port-1/1/1"], "line_ports_z": ["port-1/1/1"], "mode": "16QAM_300G"}
    SLOT = {"centers_mhz": [193500000], "widths_mhz": [75000]}

    def pages(self, client, speed="100G", lines=None, slot=None, **first):
        """A service with channels of its own; och_ids are given, so the page of channels does not come."""
        return [{"product": self.product(speed)}, self.first_page(**first), self.clients(client), {**self.LINES, **(lines or {})},
                {**self.SLOT, **(slot or {})}]

    def joining(self, client, och=42, speed="100G", **first):
        return [{"product": self.product(speed)}, self.first_page(och_ids=[och], **first), self.clients(client)]

    def refused(self, pages, text, workflow=CREATE):
        reply = self.daemon.post(f"/api/processes/{workflow}", pages)
        self.assertIn(reply.status, (400, 409, 412, 422), reply)
        self.assertIn(text, reply.body.decode())

    def done(self, workflow, pages, *wanted):
        process = self.daemon.start_process(workflow, pages)
        ended = self.daemon.wait_process(process, "completed", "failed", "suspended", "inconsistent_data", limit=120)
        self.assertIn(ended["last_status"], wanted or ("completed",), ended["failed_reason"])
        return ended

    def on(self, service, workflow, *pages, wanted=("completed",)):
        return self.done(workflow, [{"subscription_id": service}, *pages], *wanted)

    def service(self, text):
        return self.find("Optical Digital Service 100G", text)

    def root(self, service):
        return self.json("subscription", "show", service)["optical_digital_service"]

    def through(self, process, asks=None):
        """To the end; what would be noticed by traffic of active services is approved by a person."""
        states = ("completed", "suspended", "failed", "inconsistent_data")
        seen = self.daemon.wait_process(process, *states, limit=120)
        if asks or seen["last_status"] == "suspended":
            self.cli("process", "resume", process, "--set", "decision=approve")
            seen = self.daemon.wait_process(process, "completed", "failed", "inconsistent_data", limit=120)
        self.assertEqual(seen["last_status"], "completed", seen["failed_reason"])
        return seen

    @classmethod
    def image(cls):
        """All that the elements hold, as far as it is configured."""
        boxes = {node: cls.sim.get(node, "ne:ne", content="config", depth=30) for node in cls.NODES if node.startswith("g30")}
        lines = {node: cls.sim.control(op="state", ne=node)["state"] for node in cls.NODES if node.startswith("flex")}
        return json.loads(json.dumps({**boxes, **lines}))

    # ---- what the elements were told ----

    def mark(self):
        return {node: len(self.sim.transcript(node)) for node in self.NODES}

    def writes(self, mark):
        """[(time, element, command)] in order of time: what changed something since the mark. TL1 without its tag."""
        told = []
        for node in self.NODES:
            for line in self.sim.transcript(node)[mark[node]:]:
                text = line.get("dir") == "in" and self.command(line)
                if text:
                    told.append((line["t_us"], node, text))
        return sorted(told)

    @staticmethod
    def command(line):
        if line.get("protocol") == "https":
            if not line["writes"] or line["path"].endswith("rollback-point"):  # a point to go back to changes nothing
                return None
            path = urllib.parse.unquote(line["path"]).replace("/restconf/data/ne:ne", "")
            body = line.get("body")
            if isinstance(body, dict):
                body = next(iter(body.values()))
                body = body[0] if isinstance(body, list) else body
            return f"{line['method']} {path} {json.dumps(body, sort_keys=True)}"
        parts = line["text"].rstrip(";").split(":")
        if not re.match(r"(ENT|ED|DLT|RMV|RST|SET|OPR)-", parts[0]):
            return None
        return ":".join(parts[:3] + ["*"] + parts[4:]).rstrip(":")

    def told(self, mark):
        """{element: [command]}."""
        out = {}
        for _, node, text in self.writes(mark):
            out.setdefault(node, []).append(text)
        return out

    def och(self, node):
        return self.sim.get(node, "ne:ne/shelf=1/slot=1/card/port=1/och-os", depth=2)


def client_port(port, service, remote):
    label = f"{service} remote:{remote}{DOMAIN} port-1/1/{port}"
    at = f"PATCH /shelf=1/slot=1/card/port={port}"
    return [f'{at} {{"port-id": {port}, "port-mode": "100GBE"}}',
            f'{at} {{"admin-status": "up", "port-id": {port}, "service-label": "{label}"}}',
            f'{at}/eth100g {{"admin-status": "up", "client-shutdown": "no", "eth-fec-type": "auto", "loopback-enable": "disabled", '
            f'"service-label": "{label}", "test-signal-enable": "NONE"}}']


def cross(port, service, odu):
    line = ("/ne:ne/shelf[shelf-id='1']/slot[slot-id='1']/card/port[port-id='1']/och-os/otuc3/odu[odutype-L1='oduc3'][oduid-L1='1']"
            f"[odutype-L2='odu4'][oduid-L2='{odu}'][odutype-L3='unused'][oduid-L3='0'][odutype-L4='unused'][oduid-L4='0']")
    client = (f"/ne:ne/shelf[shelf-id='1']/slot[slot-id='1']/card/port[port-id='{port}']/eth100g/odu[odutype-L1='odu4'][oduid-L1='1']"
              "[odutype-L2='unused'][oduid-L2='0'][odutype-L3='unused'][oduid-L3='0'][odutype-L4='unused'][oduid-L4='0']")
    return f'PATCH /services/CRS={line},{client} {{"dst-tp": "{client}", "service-label": "{service}", "src-tp": "{line}"}}'


LINE = ['PATCH /shelf=1/slot=1/card/port=1 {"admin-status": "down", "port-id": 1}',
        'PATCH /shelf=1/slot=1/card/port=1 {"port-id": 1, "port-mode": "16QAM_300G"}',
        'PATCH /shelf=1/slot=1/card/port=1 {"admin-status": "up", "port-id": 1, "service-label": "OCh042 rm01-bo01"}',
        'PATCH /shelf=1/slot=1/card/port=1/och-os {"admin-status": "up", "frequency": 193500000, "loopback-enable": "disabled", '
        '"loopback-type": "none", "rx-frequency": 193500000, "service-label": "OCh042 rm01-bo01"}',
        'PATCH /shelf=1/slot=1/card/port=1/och-os {"laser-enable": "enabled"}']
FIRST = "f007c01 OCh042 rm01-bo01"


def shutter(node, port):
    return [f"RMV-SCH:{node}:{port}-1:*", f"ED-SCH:{node}:{port}-1:*:::SHUTTERSTATE=OPEN", f"RST-SCH:{node}:{port}-1:*"]


def circuit(oel):
    return [f'ENT-OEL:flex.rm01:{oel}:*:::LABEL="flex.rm01-flex.bo01",SRCNODENAME=flex.rm01,DSTNODENAME=flex.bo01,MODULATION=PM-NONE,ENCODMOD=None,'
            'RATE=NA,SPECTYPE=NA,CARDTYPE=UNKNOWN,FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,COMPCARDTYPELIST=UNKNOWN,VALIDFRANGELIST=191325000&196125000,'
            'SRCPOWEROFFSET=0,DSTPOWEROFFSET=0,EXPLICITROUTE=flex.rm01&1-A-1-L1&flex.bo01&1-A-1-L1,OELSOURCE=MANUAL,GAURDBAND=0,NUMFECITRNS=4:IS',
            f"OPR-VALROUTE-OEL:flex.rm01:{oel}:*",
            f'ENT-OSNC:flex.rm01:1-E1-1-T1A-1:*:::LABEL="f007c01",REMENDPOINT=1-E1-1-T2A-1,REMNODETID=flex.bo01,OELAID={oel},RESTORABLE=NONE,'
            'CKTIDSUFFIX="OCh042_rm01-bo01",PREPROV=TRUE,PASSBANDLIST=193462500&193537500,CARRIERLIST=193500000&75000,AUTORETUNELMSCH=DISABLED,'
            'SRCRXSCHOFFSET=0,DSTRXSCHOFFSET=0,FAULTSOAKTIMER=5,BAUDRATE=NA,MODULATION=PM-NONE,FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,'
            'SRCSCHPOWEROFFSET=0,DSTSCHPOWEROFFSET=0,ROUTETYPE=OEL,INTRACARRSPECSHAPING=ENABLED,DIGITRIGGER=FALSE,RESTORATIONTRIGGER=OPTICALSF:IS']


class Life(Services, drift.Drift):
    """The end-to-end trace: create, a second client, changes and drift, the end."""

    MORE = ALIGNED
    TUNING = r"/och-os/(admin-status|frequency|rx-frequency):"  # a dark line port remembers where it was tuned to

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dark = cls.image()

    def expect(self, mark, expected):
        told = self.told(mark)
        self.assertEqual(set(told), set(expected))
        for node, commands in expected.items():
            self.assertEqual(sorted(told[node]), sorted(commands), node)

    def test_1_the_trace(self):
        mark = self.mark()
        self.done(CREATE, self.pages(3, och_ids=[42], flow_id=7, client_id=1))
        writes = self.writes(mark)
        oel = next(text.split(":")[2] for _, _, text in writes if text.startswith("ENT-OEL"))
        self.assertLessEqual(len(oel), 64)
        self.expect(mark, {
            "g30.rm01": LINE + client_port(3, FIRST, "g30.bo01") + [cross(3, FIRST, 1)],
            "g30.bo01": LINE + client_port(3, FIRST, "g30.rm01") + [cross(3, FIRST, 1)],
            "flex.rm01": circuit(oel) + shutter("flex.rm01", "1-E1-1-T1A"),
            "flex.bo01": shutter("flex.bo01", "1-E1-1-T2A")})
        order = [text for _, _, text in writes]
        opened = [i for i, text in enumerate(order) if "SHUTTERSTATE=OPEN" in text]
        lasers = [i for i, text in enumerate(order) if '"laser-enable": "enabled"' in text]
        self.assertLess(next(i for i, text in enumerate(order) if text.startswith("ENT-OSNC")), min(opened))
        self.assertEqual(lasers, [len(order) - 2, len(order) - 1])

    def test_2_the_far_end_sees_light(self):
        for node in ("g30.rm01", "g30.bo01"):
            self.assertGreater(float(self.och(node)["rx-optical-power"]), -40)
            self.assertEqual(self.och(node)["oper-status"], "up")
        service = self.service(FIRST)
        self.on(service, "validate_optical_digital_service")
        channel = self.root(service)["channels"][0]
        self.assertEqual((channel["center_mhz"], channel["width_mhz"], channel["signal_mhz"], channel["capacity_gbps"]),
                         (193500000, 75000, 75000, 300))
        spectrum = channel["optical_spectrum"]
        self.assertEqual((spectrum["circuit_name"], spectrum["reservation"], len(spectrum["route_ports"])), ("OCh042_rm01-bo01", "lit", 6))

    def test_3_who_joins_brings_only_himself(self):
        mark = self.mark()
        self.done(CREATE, self.joining(4))
        second = "f007c02 OCh042 rm01-bo01"
        self.expect(mark, {
            "g30.rm01": client_port(4, second, "g30.bo01") + [cross(4, second, 2)],
            "g30.bo01": client_port(4, second, "g30.rm01") + [cross(4, second, 2)],
            "flex.rm01": ['ED-OSNC:flex.rm01:1-E1-1-T1A-1:*:::LABEL="f007c01+f007c02"']})

    def test_3a_the_path_is_drawn(self):
        text = self.cli("service", "show", "f007c02").stdout
        self.assertIn("OCh042 rm01-bo01  193.50000 THz, 75.0 GHz wide, 16QAM_300G, 300 Gb/s, lit", text)
        self.assertIn("carries f007c01 OCh042 rm01-bo01 (100GBE)  (owner)  active", text)
        self.assertIn(f"[RM01] g30.rm01{DOMAIN}  port-1/1/4 >< port-1/1/1\n      |  patch cord\n  [RM01] flex.rm01{DOMAIN}  1-E1-1-T1A >< 1-A-1-L1\n"
                      f"      |  78.0 km\n  [CB00] flex.cb00{DOMAIN}  1-A-1-L1 >< 1-A-1-L2\n      |  71.0 km\n", text)
        self.cli("service", "show", self.find("Optical Device", "flex.rm01"), code=2)

    def test_4_what_cannot_be_is_refused(self):
        first = self.first_page
        self.refused([{"product": self.product("100G")}, first(device_z=self.ends["g30.rm01"])], "OPT-010")
        self.refused([{"product": self.product("100G")}, first(flow_id=7, client_id=2)], "OPT-040: f007c02 is in use by")
        self.refused([{"product": self.product("100G")}, first(och_ids=[42, 43])], "OPT-041")
        self.refused([{"product": self.product("400G")}, first(och_ids=[42])], "100 of 300 Gb/s free: 400 are needed")
        self.refused(self.joining(3), "client_port_a")  # it is taken
        self.refused(self.pages(5, och_ids=[50]), "0 ports that fit")
        self.refused(self.pages(5, och_ids=[50]), "OPT-050")  # no line is left

    def test_5_D20_either_direction_is_the_same_pair(self):
        reversed_ends = {"device_a": self.ends["g30.bo01"], "device_z": self.ends["g30.rm01"]}
        reply = self.daemon.post(f"/api/processes/{CREATE}", [{"product": self.product("100G")}, self.first_page(och_ids=[42], **reversed_ends)])
        self.assertEqual(reply.status, 510, reply)
        self.assertIn("exchanged", reply.body.decode())
        self.assertIn("Client port A (g30.rm01", reply.body.decode())

    def test_6_T30_drift_is_named_and_repaired(self):
        self.assertEqual(drift.without_row(drift.leaves_of("g30", "tables.c"), drift.G30, drift.G30_EXEMPT), [])
        service, node, port = self.service(FIRST), "g30.bo01", "ne:ne/shelf=1/slot=1/card/port"
        crs = next(c for c in self.sim.get(node, "ne:ne/services/CRS") if c["service-label"] == FIRST)
        crs = ",".join(urllib.parse.quote(crs[end], safe="") for end in ("src-tp", "dst-tp"))
        self.drift_of_leaves(service, node, drift.G30, {
            "line port": (f"{port}=1", "port:port-1/1/1"), "client port": (f"{port}=3", "port:port-1/1/3"),
            "och": (f"{port}=1/och-os", "och:port-1/1/1"), "eth100g": (f"{port}=3/eth100g", "eth100g:port-1/1/3"),
            "pluggable": (f"{port}=3/pluggable", "pluggable:port-1/1/3"), "crs": (f"ne:ne/services/CRS={crs}", "xc:port-1/1/3")},
                             others=[self.service("f007c02")])

    def test_6_T30_drift_of_a_circuit(self):
        self.drift_of_circuit(self.service(FIRST), "flex.rm01", "1-E1-1-T1A-1", "flex.bo01", "1-E1-1-T2A-1", 193462500, 193537500)

    def test_6a_D23_a_change_is_checked_like_a_new_one(self):
        first, modify = {"subscription_id": self.service(FIRST)}, "modify_optical_digital_service"
        self.refused([first, {"centers_mhz": [194000001]}], "OPT-020", modify)
        self.refused([first, {"widths_mhz": [40000]}], "OPT-022", modify)
        self.refused([first, {"widths_mhz": [50000]}], "OPT-024", modify)
        self.refused([first, {"mode": "QPSK_100G"}], "2 services with 200 Gb/s", modify)
        self.refused([first, {"centers_mhz": [180000000]}, {}], "OPT-020: 179962500 MHz is outside", modify)

    def test_7_D24_others_are_named_and_confirmed(self):
        service, before = self.service(FIRST), self.root(self.service(FIRST))
        move = {"centers_mhz": [194000000], "widths_mhz": [100000]}
        pages = [{"subscription_id": service}, move, {}]
        reply = self.daemon.post("/api/processes/modify_optical_digital_service", pages)
        self.assertEqual(reply.status, 510, reply)
        self.assertIn("f007c02", reply.body.decode())
        self.refused(pages + [{"confirm": "yes"}], "OPT-012", "modify_optical_digital_service")
        self.through(self.daemon.start_process("modify_optical_digital_service", pages + [{"confirm": "MODIFY"}]), asks=True)
        self.assertEqual(self.och("g30.bo01")["frequency"], 194000000)
        self.assertGreater(float(self.och("g30.bo01")["rx-optical-power"]), -40)
        after = self.root(service)["channels"][0]
        self.assertEqual((after["center_mhz"], after["width_mhz"]), (194000000, 100000))
        self.assertEqual(after["subscription_instance_id"], before["channels"][0]["subscription_instance_id"])
        second = self.service("f007c02")
        self.on(second, "validate_optical_digital_service")

    def test_8_D50_who_stays_inherits(self):
        first, second, mark = self.service(FIRST), self.service("f007c02"), self.mark()
        process = self.daemon.start_process("terminate_optical_digital_service", [{"subscription_id": first}])
        self.through(process)
        told = self.told(mark)
        self.assertEqual(told.pop("flex.rm01"), ['ED-OSNC:flex.rm01:1-E1-1-T1A-1:*:::LABEL="f007c02"'])
        self.assertEqual(set(told), {"g30.rm01", "g30.bo01"})
        for commands in told.values():
            self.assertFalse([c for c in commands if "port=1/" in c or "port=1 " in c], commands)  # the line is not touched
        root = self.root(second)
        self.assertEqual(root["channels"][0]["och_id"], 42)
        self.on(second, "validate_optical_digital_service")
        self.through(self.daemon.start_process("terminate_optical_digital_service", [{"subscription_id": second}]))
        left = [d for d in drift.differences(self.dark, self.image()) if not re.search(self.TUNING, d)]
        self.assertEqual(left, [])



def two_lines():
    """A second patch cord at each end."""
    more = topology()
    next(node for node in more["nodes"] if node["name"] == "g30.bo01")["cards"].append({"slot": 2, "type": "CHM1"})
    more["patches"] += [{"id": "g30-bo01-3", "a": ["g30.bo01", "port-1/2/1"], "b": ["flex.bo01", "1-E1-1-T1A"], "loss_cdb": 50}]
    more["patches"] += [{"id": "g30-rm01-2", "a": ["g30.rm01", "port-1/1/2"], "b": ["flex.rm01", "1-E1-1-T3A"], "loss_cdb": 50},
                        {"id": "g30-bo01-2", "a": ["g30.bo01", "port-1/1/2"], "b": ["flex.bo01", "1-E1-1-T4A"], "loss_cdb": 50}]
    return more


class Days(Services):
    """Two carriers, two at once, and what goes wrong."""

    TOPOLOGY, BASE = two_lines(), "127.80.0.1"
    FIBERS = FIBERS + ("g30.rm01,port-1/1/2,flex.rm01,1-E1-1-T3A,patch,,", "flex.bo01,1-E1-1-T4A,g30.bo01,port-1/1/2,patch,,",
                       "flex.bo01,1-E1-1-T1A,g30.bo01,port-1/2/1,patch,,")
    BOTH = {"line_ports_a": ["port-1/1/1", "port-1/1/2"], "line_ports_z": ["port-1/1/1", "port-1/1/2"]}

    def same(self, before, tuning=Life.TUNING):
        self.assertEqual([d for d in drift.differences(before, self.image()) if not re.search(tuning, d)], [])

    def claimed(self):
        """Claims of light of all fibers."""
        found = []
        for fiber in self.json("topology", "export")["fibers"]:
            reply = self.daemon.get(f"/api/spectrum/{fiber['subscription_id']}")
            self.assertEqual(reply.status, 200, reply)
            found += [claim for entry in reply.json()["fibers"] for claim in entry["claims"]]
        return found

    def test_0_D51_only_modes_that_both_ends_have(self):
        pages = [{"product": self.product("100G")}, self.first_page(carriers=1),
                 {"client_port_a": "port-1/1/3", "client_port_z": "port-1/2/3"}]
        self.assertEqual([value for value, _ in self.choices(CREATE, pages, "mode")], ["QPSK_100G", "16QAM_200G"])

    def test_1_D49_abort_in_the_middle_puts_everything_back(self):
        before = self.image()
        for rule in ({"match": {"verb": "ENT-OSNC"}, "do": {"fault": "deny", "code": "SROF", "text": "no"}},
                     {"match": {"verb": "ED-SCH", "tid": "flex.rm01"}, "do": {"fault": "deny", "code": "SROF", "text": "no"}}):
            with self.subTest(rule=rule):
                self.sim.faults(rule)
                try:
                    process = self.done(CREATE, self.pages(3, carriers=1), "failed")
                finally:
                    self.sim.faults()
                reply = self.daemon.post("/api/processes/reconcile_optical_device", [{"subscription_id": self.find("Optical Device", "flex.cb00")}])
                self.assertEqual(reply.status, 409, reply)  # what it runs through stays as it is meanwhile
                self.cli("process", "abort", process["process_id"], "--rollback", "--yes")
                self.daemon.wait_process(process["process_id"], "aborted", limit=120)
                self.same(before, "nothing")
                self.assertEqual(self.claimed(), [])

    def test_2_D21_two_carriers_each_have_their_light(self):
        before = self.image()
        reply = self.daemon.post(f"/api/processes/{CREATE}", self.pages(3, lines=self.BOTH, och_ids=[33, 34])[:4] + [{"widths_mhz": [75000, 75000]}, {}])
        self.assertEqual(reply.status, 510, reply)
        for band in ("191325000 - 191400000 MHz", "191400000 - 191475000 MHz"):  # each is shown its own
            self.assertIn(band, reply.body.decode())
        slot = {"centers_mhz": [193500000, 193600000], "widths_mhz": [75000, 75000]}
        self.done(CREATE, self.pages(3, lines=self.BOTH, slot=slot, och_ids=[33, 34], flow_id=2, client_id=5))
        service = self.service("f002c05 OCh033+OCh034 rm01-bo01")
        bands = [(c["optical_spectrum"]["low_mhz"], c["optical_spectrum"]["high_mhz"]) for c in self.root(service)["channels"]]
        self.assertEqual(bands, [(193462500, 193537500), (193562500, 193637500)])
        self.assertEqual(len([c for c in self.claimed() if c["state"] == "lit"]), 2 * 2 + 4)  # two spans, and a patch cord at each end
        for port in (1, 2):
            och = self.sim.get("g30.bo01", f"ne:ne/shelf=1/slot=1/card/port={port}/och-os", depth=2)
            self.assertGreater(float(och["rx-optical-power"]), -40)
        self.on(service, "validate_optical_digital_service")
        self.refused([{"product": self.product("100G")}, self.first_page(och_ids=[33])], "OPT-041")
        self.refused([{"subscription_id": service}, {"centers_mhz": [193600000, 193700000]}], "OPT-023: carrier 1 would come to lie on the present",
                     "modify_optical_digital_service")
        self.through(self.daemon.start_process("terminate_optical_digital_service", [{"subscription_id": service}]))
        self.same(before, Life.TUNING + "|required-tx-optical-power")
        self.assertEqual(self.claimed(), [])

    def test_3_D48_two_at_once_get_different_things(self):
        started = [self.daemon.start_process(CREATE, [{"product": self.product("100G")}, self.first_page(carriers=1), self.clients(client),
                                                      {**self.LINES, "line_ports_a": [line], "line_ports_z": [line]}, {}])
                   for client, line in ((3, "port-1/1/1"), (4, "port-1/1/2"))]
        for process in started:
            self.through(process)
        rows = [s for s in self.json("subscription", "list", "--product", "Optical Digital Service 100G") if s["status"] == "active"]
        roots = [self.root(s["subscription_id"]) for s in rows]
        self.assertEqual(len(roots), 2)
        self.assertEqual(len({r["service_tag"] for r in roots}), 2)
        self.assertEqual({r["channels"][0]["och_id"] for r in roots}, {1, 2})
        low, high = sorted((r["channels"][0]["optical_spectrum"]["low_mhz"], r["channels"][0]["optical_spectrum"]["high_mhz"]) for r in roots)
        self.assertLessEqual(low[1], high[0])

    def test_4_power_is_brought_into_the_window(self):
        for node in ("g30.rm01", "g30.bo01"):
            self.assertNotEqual(float(self.och(node)["required-tx-optical-power"]), 0)
        for service in [s["subscription_id"] for s in self.json("subscription", "list", "--product", "Optical Digital Service 100G")
                        if s["status"] == "active"]:
            self.on(service, "validate_optical_digital_service")


if __name__ == "__main__":
    lightpathd.main()
