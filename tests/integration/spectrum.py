#!/usr/bin/env python3
"""Optical spectrum end to end: forms, claims, circuits on simulated FlexILS elements over real sockets, drift, rollback, races, adoption."""
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import network  # noqa: E402
import lightpathd  # noqa: E402

network.NODES = ("lp.mil1", "lp.fir1", "lp.rom1", "lp.bol1", "lp.ola1", "lp.ola2")
DOMAIN = network.DOMAIN
SPANS = (("lp.mil1", "1-A-1-L1", "lp.fir1", "1-A-2-L1", 62000), ("lp.fir1", "1-A-1-L1", "lp.ola1", "1-A-1-L1", 70000),
         ("lp.ola1", "1-A-1-L2", "lp.rom1", "1-A-2-L1", 75000), ("lp.rom1", "1-A-1-L1", "lp.ola2", "1-A-1-L1", 70000),
         ("lp.ola2", "1-A-1-L2", "lp.bol1", "1-A-2-L1", 72000), ("lp.bol1", "1-A-1-L1", "lp.mil1", "1-A-2-L1", 48000))
LOW, HIGH = 193462500, 193537500
WRITES = ("ENT-", "ED-", "DLT-", "RMV-", "RST-", "OPR-")


class Light(network.Network):
    """The ring as it stands in the inventory: devices and spans are made once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rows = []
        for node in network.NODES:
            address, port = cls.port_of(node)
            kind = "Amplifier" if "ola" in node else "ROADM"
            rows.append(f"{node}{DOMAIN},{node[3:].upper()},{network.PLATFORM},{kind},{address},{port},manage")
        cls.bulk("device", cls.file("devices", "fqdn,pop,platform,type,management_ip,management_port,mode", *rows))
        cls.bulk("fiber", cls.file("fibers", network.HEADER, *(f"{a}{DOMAIN},{p},{z}{DOMAIN},{q},G.652.D,{m},{m / 4000:.2f}"
                                                               for a, p, z, q, m in SPANS)))
        for node in network.NODES:
            cls.cli_once("process", "start", "task_refresh_device", "--set", f"device={node}{DOMAIN}", "--watch")
        for node in network.NODES[:4]:
            for port in ("1-A-3-T1", "1-A-3-T2", "1-A-3-T3"):
                cls.sim.control(op="set", ne=node, **{"class": "SCG"}, aid=port, attrs={"INTFTYP": "MANUALMODE-2"}, silent=True)
        cls.fresh = {node: cls.sim.hash(ne=node) for node in network.NODES}

    @classmethod
    def bulk(cls, what, file):
        parent = cls.json_once(what, "import", file, "--owner", "Net", "--source", "inventory")["id"]
        cls.daemon.wait_process(parent, "completed", limit=120)

    @classmethod
    def json_once(cls, *args):
        import json
        return json.loads(cls.cli_once("-o", "json", *args).stdout)

    # ---- what tests say ----

    def device(self, node):
        return self.ident("Optical Device", node + DOMAIN)

    def fiber(self, a, z):
        found = [s for s in self.json("subscription", "list", "--product", "Optical Fiber", "--limit", "100")
                 if f"{a}{DOMAIN}" in s["description"] and f"{z}{DOMAIN}" in s["description"] and s["status"] == "active"]
        self.assertEqual(len(found), 1)
        return found[0]["subscription_id"]

    def settings_of(self, name, a, z, **more):
        """--set arguments of a creation between two (node, port)."""
        values = {"spectrum_name": name, "device_a": self.device(a[0]), "device_z": self.device(z[0]), "port_a": a[1], "port_z": z[1],
                  **({} if "width_mhz" in more else {"low_mhz": LOW, "high_mhz": HIGH}), **more}
        return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]

    def create(self, name, a, z, code=0, **more):
        return self.start("create_optical_spectrum", *self.settings_of(name, a, z, **more), code=code)

    def modify(self, subscription, code=0, **values):
        return self.start("modify_optical_spectrum", subscription, *(p for k, v in values.items() for p in ("--set", f"{k}={v}")), code=code)

    def show(self, subscription):
        return self.json("subscription", "show", subscription)

    def objects(self, node, kind):
        return self.sim.control(op="state", ne=node)["state"].get(kind, {})

    def circuit(self, node, name):
        found = [(aid, o) for aid, o in self.objects(node, "OSNC").items() if o.get("CKTIDSUFFIX") == name]
        self.assertEqual(len(found), 1, (name, self.objects(node, "OSNC")))
        return found[0]

    def written(self, since):
        """Commands that change anything, of all elements, behind the marks of self.marks()."""
        return [(node, entry["text"]) for node in network.NODES for entry in self.sim.transcript(node)[since[node]:]
                if self.is_write(entry)]

    @staticmethod
    def is_write(entry):
        return entry.get("dir") == "in" and entry.get("text", "").startswith(WRITES)

    def marks(self):
        return {node: len(self.sim.transcript(node)) for node in network.NODES}

    def at_rest(self):
        return {node: self.sim.hash(ne=node) for node in network.NODES}


class Life(Light):
    def test_01_a_spectrum_over_an_amplifier(self):
        done = self.create("Blue 1", ("lp.fir1", "1-A-3-T1"), ("lp.rom1", "1-A-3-T1"))
        root = self.show(done["subscriptions"][0]["subscription_id"] if "subscriptions" in done else self.ident("Optical Spectrum", "Blue 1"))
        print(root)


if __name__ == "__main__":
    lightpathd.main()
