#!/usr/bin/env python3
"""Digital services end to end: the lightpath program, a real daemon, and over real sockets two simulated G30 transponders at the ends of a line
system of three FlexILS elements."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402
import lightpathd  # noqa: E402
import network  # noqa: E402

DOMAIN = network.DOMAIN
G30 = "Groove G30"
CREATE = "create_optical_digital_service"
FIBERS = ("g30.rm01,port-1/1/1,flex.rm01,1-E1-1-T1A,patch,,", "flex.rm01,1-A-1-L1,flex.cb00,1-A-1-L1,span,G.652.D,78000",
          "flex.cb00,1-A-1-L2,flex.bo01,1-A-1-L1,span,G.652.D,71000", "flex.bo01,1-E1-1-T2A,g30.bo01,port-1/1/1,patch,,")
ALIGNED = {"power.low_cdb": "-1000", "power.high_cdb": "2000"}  # what the simulator receives is in the window, whatever it is


def topology():
    with open(os.path.join(flexsim.ROOT, "sim", "topologies", "service.json"), encoding="utf-8") as file:
        return json.load(file)


class Services(network.Network):
    NODES, TOPOLOGY, BASE = ("flex.rm01", "flex.cb00", "flex.bo01", "g30.rm01", "g30.bo01"), topology(), "127.79.0.1"

    @classmethod
    def pop_code(cls, node):
        return node.split(".")[1].upper()

    @classmethod
    def secrets(cls):
        login = f"user = {flexsim.USER}\npassword = {flexsim.PASSWORD}\n"
        return f"[infinera-flexils]\n{login}[infinera-g30]\n{login}tls_ca = {cls.sim.path('ca.pem')}\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rows = []
        for node in cls.NODES:
            entry = cls.sim.ports[node]
            kind = "Amplifier" if ".cb" in node else "ROADM" if node.startswith("flex") else "Transponder"
            rows.append(f"{node}{DOMAIN},{cls.pop_code(node)},{network.PLATFORM if 'tcp' in entry else G30},{kind},{entry['address']},"
                        f"{entry.get('tcp') or entry['https']},manage")
        cls.cli_once("device", "import", cls.file("devices", "fqdn,pop,platform,type,management_ip,management_port,mode", *rows), "--owner", "Net",
                     "--source", "inventory", "--watch")
        rows = [re.sub(r"(flex|g30)\.(\w+)", rf"\1.\2{DOMAIN}", row) for row in FIBERS]
        cls.cli_once("fiber", "import", cls.file("fibers", "device_a,port_a,device_z,port_z,kind,types,lengths_m", *rows), "--owner", "Net",
                     "--source", "inventory", "--watch")
        cls.partner = cls.find("Partner", "Net")
        cls.g30 = {node: cls.find("Optical Device", node) for node in ("g30.rm01", "g30.bo01")}
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
        return {"partner_id": self.partner, "device_a": self.g30["g30.rm01"], "device_z": self.g30["g30.bo01"], **more}

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
        self.assertIn(reply.status, (400, 409, 412), reply)
        self.assertIn(text, reply.body.decode())

    def done(self, workflow, pages, *wanted):
        process = self.daemon.start_process(workflow, pages)
        return self.daemon.wait_process(process, *(wanted or ("completed",)), limit=120)

    def on(self, service, workflow, *pages, wanted=("completed",)):
        return self.done(workflow, [{"subscription_id": service}, *pages], *wanted)

    def service(self, text):
        return self.find("Optical Digital Service 100G", text)

    def root(self, service):
        return self.json("subscription", "show", service)["optical_digital_service"]

    def claims(self):
        rows = self.json("spectrum", "show") if False else []
        return rows

    # ---- what the elements were told ----

    def mark(self):
        return {node: len(self.sim.transcript(node)) for node in self.NODES}

    def writes(self, mark):
        """{element: [command]}: what changed something since the mark; TL1 tags as *, bodies of PATCH sorted."""
        told = {}
        for node in self.NODES:
            for line in self.sim.transcript(node)[mark[node]:]:
                if line.get("dir") == "in" and line.get("writes"):
                    told.setdefault(node, []).append(self.command(line))
        return told

    @staticmethod
    def command(line):
        if line["protocol"] == "https":
            path = line["path"].replace("/restconf/data/ne:ne", "")
            return f"{line['method']} {path} {json.dumps(line.get('body'), sort_keys=True)}"
        return json.dumps(line)


class Life(Services):
    def test_1_the_trace(self):
        mark = self.mark()
        self.done(CREATE, self.pages(3, och_ids=[42], flow_id=7, client_id=1))
        print(json.dumps(self.writes(mark), indent=1))


if __name__ == "__main__":
    lightpathd.main()
