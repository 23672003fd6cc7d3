#!/usr/bin/env python3
"""Optical spectrum end to end: forms, claims, circuits on simulated FlexILS elements over real sockets, drift, rollback, races, adoption."""
import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import network  # noqa: E402
import lightpathd  # noqa: E402

NODES = ("lp.mil1", "lp.fir1", "lp.rom1", "lp.bol1", "lp.ola1", "lp.ola2")
DOMAIN = network.DOMAIN
SPANS = (("lp.mil1", "1-A-1-L1", "lp.fir1", "1-A-2-L1", 62000), ("lp.fir1", "1-A-1-L1", "lp.ola1", "1-A-1-L1", 70000),
         ("lp.ola1", "1-A-1-L2", "lp.rom1", "1-A-2-L1", 75000), ("lp.rom1", "1-A-1-L1", "lp.ola2", "1-A-1-L1", 70000),
         ("lp.ola2", "1-A-1-L2", "lp.bol1", "1-A-2-L1", 72000), ("lp.bol1", "1-A-1-L1", "lp.mil1", "1-A-2-L1", 48000))
LOW, HIGH = 193462500, 193537500
ENDS = ("completed", "failed", "inconsistent_data", "aborted")
WRITES = ("ENT-", "ED-", "DLT-", "RMV-", "RST-", "OPR-")


class Light(network.Network):
    """The ring as it stands in the inventory: devices and spans are made once."""
    NODES, BASE = NODES, "127.79.0.1"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rows = []
        for node in NODES:
            address, port = cls.port_of(node)
            kind = "Amplifier" if "ola" in node else "ROADM"
            rows.append(f"{node}{DOMAIN},{node[3:].upper()},{network.PLATFORM},{kind},{address},{port},manage")
        cls.bulk("device", cls.file("devices", "fqdn,pop,platform,type,management_ip,management_port,mode", *rows))
        cls.bulk("fiber", cls.file("fibers", network.HEADER, *(f"{a}{DOMAIN},{p},{z}{DOMAIN},{q},G.652.D,{m},{m / 4000:.2f}"
                                                               for a, p, z, q, m in SPANS)))
        for node in NODES:
            cls.cli_once("process", "start", "task_refresh_device", "--set", f"device={node}{DOMAIN}", "--watch")
        for node in NODES[:4]:
            for port in ("1-A-3-T1", "1-A-3-T2", "1-A-3-T3"):
                cls.sim.control(op="set", ne=node, **{"class": "SCG"}, aid=port, attrs={"INTFTYP": "MANUALMODE-2"}, silent=True)
        cls.fresh = {node: cls.sim.hash(ne=node) for node in NODES}

    @classmethod
    def bulk(cls, what, file):
        parent = cls.json_once(what, "import", file, "--owner", "Net", "--source", "inventory")["id"]
        cls.daemon.wait_process(parent, "completed", limit=120)

    @classmethod
    def json_once(cls, *args):
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
        return self.sets(values)

    @staticmethod
    def sets(values):
        return [part for key, value in values.items()
                for part in ("--set", f"{key}={','.join(value) if isinstance(value, list) else value}")]

    def done(self, process, *statuses):
        """Waits; what asks for an approval gets it."""
        row = self.daemon.wait_process(process, "suspended", *ENDS, limit=60)
        if row["last_status"] == "suspended":
            self.cli("process", "resume", process, "--set", "decision=approve")
            row = self.daemon.wait_process(process, *ENDS, limit=60)
        self.assertIn(row["last_status"], statuses or ("completed",), row.get("failed_reason"))
        return row

    def act(self, workflow, *args, wanted=("completed",)):
        return self.done(self.json("process", "start", workflow, *args)["id"], *wanted)

    def create(self, name, a, z, **more):
        self.act("create_optical_spectrum", *self.settings_of(name, a, z, **more))
        return self.ident("Optical Spectrum", name)

    def modify(self, subscription, wanted=("completed",), **values):
        return self.act("modify_optical_spectrum", subscription, *self.sets(values), wanted=wanted)

    def block(self, subscription):
        return self.json("subscription", "show", subscription)["optical_spectrum"]

    def ports_of(self, subscription):
        return [p["port_name"] for p in self.block(subscription)["route_ports"]]

    def objects(self, node, kind):
        return self.sim.control(op="state", ne=node)["state"].get(kind, {})

    def circuit(self, node, name):
        found = [(aid, o) for aid, o in self.objects(node, "OSNC").items() if o.get("CKTIDSUFFIX") == name]
        self.assertEqual(len(found), 1, (name, self.objects(node, "OSNC")))
        return found[0]

    def shutters(self, node, port):
        return {aid: o["SHUTTERSTATE"] for aid, o in self.objects(node, "SCH").items() if aid.rsplit("-", 1)[0] == port}

    def all_claimed(self):
        fibers = [f["subscription_id"] for f in self.json("subscription", "list", "--product", "Optical Fiber", "--limit", "100")]
        return [c for f in fibers for shown in self.daemon.get(f"/api/spectrum/{f}").json()["fibers"] for c in shown["claims"]]

    def claims(self, subscription):
        """(fiber, low, high, state) of what a subscription has claimed."""
        return sorted((c["fiber_id"], c["low_mhz"], c["high_mhz"], c["state"]) for c in self.all_claimed()
                      if c["subscription_id"] == subscription)

    def all_claims(self):
        return len(self.all_claimed())

    def marks(self):
        return {node: len(self.sim.transcript(node)) for node in NODES}

    def written(self, since):
        """Commands that change anything, behind the marks."""
        return [(node, entry["text"]) for node in NODES for entry in self.sim.transcript(node)[since[node]:]
                if entry.get("text", "").startswith(WRITES)]

    def at_rest(self):
        return {node: self.sim.hash(ne=node) for node in NODES}


FIR, ROM = ("lp.fir1", "1-A-3-T1"), ("lp.rom1", "1-A-3-T1")
BLUE = "Blue 1"


class Life(Light):
    def blue(self):
        return self.ident("Optical Spectrum", BLUE)

    def test_01_over_an_amplifier_to_open_shutters(self):
        one = self.create(BLUE, FIR, ROM)
        aid, circuit = self.circuit("lp.fir1", "Blue_1")
        self.assertEqual((circuit["PASSBANDLIST"], circuit["LABEL"], circuit["state"]), (f"{LOW}&{HIGH}", "SpectrumService", "IS"))
        self.assertEqual([self.shutters(*end) for end in (FIR, ROM)], [{aid: "OPEN"}, {circuit["REMENDPOINT"]: "OPEN"}])
        self.assertEqual(self.ports_of(one), ["1-A-3-T1", "1-A-1-L1", "1-A-1-L1", "1-A-1-L2", "1-A-2-L1", "1-A-3-T1"])
        self.assertEqual(self.block(one)["reservation"], "lit")
        self.assertEqual({c[1:] for c in self.claims(one)}, {(LOW, HIGH, "lit")})
        self.assertEqual(len(self.claims(one)), 2)
        self.assertEqual(self.attribute(*FIR, kind="SCG"), f"Remotely connected to lp.rom1{DOMAIN} 1-A-3-T1 via {BLUE}.")
        self.start("validate_optical_spectrum", one)

    def test_01b_D54_what_rides_on_it(self):
        def riders(*args):
            found = self.json("topology", "impact", *args)
            return [(c["customer"], s["subscription_id"], s["spectrum"][0]["low_mhz"]) for c in found["customers"] for s in c["services"]]
        blue, fiber = self.blue(), self.fiber("lp.fir1", "lp.ola1")
        expected = riders("--fiber", fiber)
        self.assertEqual([r[1:] for r in expected], [(blue, LOW)])
        for args in (("--device", "lp.ola1" + DOMAIN), ("--device", "lp.fir1" + DOMAIN, "--card", "1-A-3"), ("--pop", "ROM1")):
            self.assertEqual(riders(*args), expected, args)
        for args in (("--fiber", self.fiber("lp.rom1", "lp.ola2")), ("--device", "lp.mil1" + DOMAIN), ("--device", "lp.fir1" + DOMAIN, "--card", "1-A-2")):
            self.assertEqual(riders(*args), [], args)
        told = self.cli("topology", "impact", "--fiber", fiber).stdout
        self.assertRegex(told, r"1 service of 1 customer rides on")
        self.assertRegex(told, rf"{BLUE}.*193\.46250 to 193\.53750")
        # what interrupts it names it, and wants to be sure
        asked = self.daemon.post("/api/processes/modify_optical_fiber", [{"subscription_id": fiber}, {}])
        self.assertEqual(asked.status, 510, asked)
        self.assertIn("1 service of 1 customer rides on it and may lose traffic:", asked.body.decode())
        self.assertIn(f"{BLUE} ({blue})", asked.body.decode())
        order = [p for k, v in (("device", "lp.ola1" + DOMAIN), ("release", "R1"), ("file", "sftp://repo@host/image")) for p in ("--set", f"{k}={v}")]
        self.assertIn("confirm", self.cli("process", "start", "task_upgrade_software", *order, code=3).stderr)
        self.assertIn("OPT-012", self.cli("process", "start", "task_upgrade_software", *order, "--set", "confirm=yes", code=2).stderr)

    def test_02_ports_are_shared_and_say_who_shares(self):
        two = self.create("Azure", FIR, ROM, low_mhz=HIGH, high_mhz=HIGH + 50000)
        self.assertEqual(self.attribute(*FIR, kind="SCG"), f"Remotely connected to lp.rom1{DOMAIN} 1-A-3-T1 via Azure+{BLUE}.")
        self.start("validate_optical_spectrum", self.blue())
        self.act("terminate_optical_spectrum", two)
        self.assertEqual(self.attribute(*FIR, kind="SCG"), f"Remotely connected to lp.rom1{DOMAIN} 1-A-3-T1 via {BLUE}.")
        self.start("validate_optical_spectrum", self.blue())

    def refused(self, code, *ends, **more):
        return self.cli("process", "start", "create_optical_spectrum", *self.settings_of("None", *ends, **more), code=code).stderr

    def test_03_D14_no_route_says_why(self):
        since = self.marks()
        why = self.refused(3, FIR, ROM, low_mhz=HIGH, high_mhz=HIGH + 50000, exclude_fibers=[self.fiber("lp.fir1", "lp.ola1")],
                           exclude_nodes=[self.device("lp.mil1")])
        self.assertRegex(why, r"no route from lp.fir1 1-A-3-T1 to lp.rom1 .*; removed: [1-9] by exclusion, 0 by spectrum")
        why = self.refused(3, FIR, ROM, exclude_fibers=[self.fiber("lp.mil1", "lp.fir1")])
        self.assertRegex(why, r"no route .* 1 by exclusion, [1-9] by spectrum")
        for low, high, part in ((HIGH, LOW, "OPT-021: start frequency must be below end frequency"), (LOW, LOW, "OPT-021"),
                                (LOW, HIGH + 6250, "OPT-020"), (1, 2, "OPT-020")):
            self.assertIn(part, self.refused(2, FIR, ROM, low_mhz=low, high_mhz=high))
        self.assertEqual(self.written(since), [])

    def test_03_a_negative_margin_is_wanted_or_refused(self):
        light = {"low_mhz": HIGH, "high_mhz": HIGH + 50000, "required_osnr_cdb": 6000}
        self.assertIn("by margin", self.refused(3, FIR, ROM, **light))
        before, claims = self.at_rest(), self.all_claims()
        tried = self.act("create_optical_spectrum", *self.settings_of("Thin", FIR, ROM, **light, accept_negative_margin="true"), "--dry-run")
        self.assertIn("ENT-OSNC:lp.fir1", self.cli("plan", "show", tried["process_id"]).stdout)
        self.assertEqual((self.at_rest(), self.all_claims()), (before, claims))  # a dry run claims nothing

    def test_04_D18_its_own_light_is_free(self):
        one = self.blue()
        self.modify(one, low_mhz=LOW - 12500, high_mhz=HIGH + 12500)
        self.assertEqual(self.circuit("lp.fir1", "Blue_1")[1]["PASSBANDLIST"], f"{LOW - 12500}&{HIGH + 12500}")
        self.assertEqual({c[1:] for c in self.claims(one)}, {(LOW - 12500, HIGH + 12500, "lit")})
        self.assertEqual(len(self.ports_of(one)), 6)  # on the same way
        self.modify(one, low_mhz=LOW, high_mhz=HIGH)
        self.assertEqual({c[1:] for c in self.claims(one)}, {(LOW, HIGH, "lit")})
        self.start("validate_optical_spectrum", one)

    def test_05_D15_rules_replace_rules(self):
        one, span, bol = self.blue(), self.fiber("lp.fir1", "lp.ola1"), self.device("lp.bol1")
        self.modify(one, reroute="true", exclude_nodes=[bol])
        self.assertEqual(self.block(one)["constraints"]["exclude_nodes"], [bol])
        # what is out of order may be left: a fiber that does not pass its validation holds nobody
        self.sim.control(op="set", ne="lp.fir1", **{"class": "OTS"}, aid="1-A-1-L1", attrs={"LABEL": "cut"}, silent=True)
        broken = self.act("validate_optical_fiber", span, wanted=("inconsistent_data",))
        self.modify(one, reroute="true", exclude_nodes=[], exclude_fibers=[span])
        self.cli("process", "abort", broken["process_id"], "--yes")
        self.act("reconcile_optical_fiber", span)
        rules = self.block(one)["constraints"]
        self.assertEqual((rules["exclude_nodes"], rules["exclude_fibers"]), ([], [span]))

    def test_06_D16_the_route_has_changed(self):
        one = self.blue()
        self.assertEqual(len(self.ports_of(one)), 10)  # the other way round, by test 5
        route = self.circuit("lp.fir1", "Blue_1")[1]["OELAID"]
        self.assertIn("lp.bol1", self.objects("lp.fir1", "OEL")[route]["EXPLICITROUTE"])
        self.assertEqual(list(self.objects("lp.fir1", "OEL")), [route])  # the one it left is gone
        self.assertEqual([set(self.shutters(*end).values()) for end in (FIR, ROM)], [{"OPEN"}, {"OPEN"}])
        self.assertEqual(len(self.claims(one)), 4)

    def test_07_D16_make_before_break(self):
        one = self.blue()
        refused = self.cli("process", "start", "modify_optical_spectrum", one, *self.sets(
            {"low_mhz": LOW, "high_mhz": HIGH + 12500, "how": "make-before-break"}), code=2).stderr
        self.assertIn("make-before-break is not possible here: both circuits would enter at the same add/drop ports", refused)
        since = self.marks()
        self.modify(one, low_mhz=LOW + 100000, high_mhz=HIGH + 100000, how="make-before-break", exclude_fibers=[])
        told = [text for node, text in self.written(since) if node == "lp.fir1"]
        made = next(i for i, t in enumerate(told) if t.startswith("ENT-OSNC"))
        opened = next(i for i, t in enumerate(told) if "SHUTTERSTATE=OPEN" in t)
        closed = next(i for i, t in enumerate(told) if "SHUTTERSTATE=CLOSED" in t)
        gone = next(i for i, t in enumerate(told) if t.startswith("DLT-OSNC"))
        self.assertTrue(made < opened < closed < gone, told)
        self.assertEqual([c["CKTIDSUFFIX"] for c in self.objects("lp.fir1", "OSNC").values()], ["Blue_1.2"])
        self.assertEqual({c[1:] for c in self.claims(one)}, {(LOW + 100000, HIGH + 100000, "lit")})
        self.modify(one, low_mhz=LOW, high_mhz=HIGH, how="make-before-break")
        self.assertEqual(list(self.shutters(*ROM).values()), ["OPEN"])
        self.assertEqual(self.circuit("lp.fir1", "Blue_1")[1]["PASSBANDLIST"], f"{LOW}&{HIGH}")

    def test_08_a_new_name_leaves_the_light_on(self):
        one, since = self.blue(), self.marks()
        self.modify(one, spectrum_name="Red 1")
        self.circuit("lp.fir1", "Red_1")
        self.assertFalse([t for _, t in self.written(since) if t.endswith("OOS;") or "SHUTTERSTATE" in t or t.startswith(("DLT", "ENT"))])
        self.assertIsNone(self.block(one)["former_circuit"])
        # an element that refuses to tell its light does not fail what is done
        self.sim.faults({"match": {"tid": "lp.rom1", "verb": "RTRV-OTELINK"}, "do": {"fault": "deny", "code": "PIUI", "text": "not for you"}})
        try:
            self.modify(one, spectrum_name=BLUE)
        finally:
            self.sim.control(op="faults-clear")

    def differences(self, process):
        steps = self.daemon.process(process)["steps"]
        return next(s["state"]["details"]["differences"] for s in steps if s["status"] == "failed")

    def drift(self, text, *wanted):
        """A change by hand is named by a validation that writes nothing, and only it is repaired."""
        one, before = self.blue(), self.at_rest()
        for command in text:
            self.sim.control(op="command", text=command)
        since = self.marks()
        failed = self.act("validate_optical_spectrum", one, wanted=("inconsistent_data",))
        self.assertEqual(self.written(since), [])
        lines = [d if isinstance(d, str) else d.get("text") or f"{d['element']} {d['object']} {d['attribute']} {d['expected']} {d['actual']}"
                 for d in self.differences(failed["process_id"])]
        for part in wanted:
            self.assertTrue(any(re.search(part, line) for line in lines), (part, lines))
        for d in (d for d in self.differences(failed["process_id"]) if isinstance(d, dict) and "object" in d):
            circuit = "OPT-060" if d["actual"] is None else "OPT-061"
            self.assertEqual(d["code"], circuit if d["object"].startswith("osnc:") else "OPT-062", d)
        self.assertFalse(self.json("subscription", "show", one)["insync"])
        self.cli("process", "abort", failed["process_id"], "--yes")
        self.act("reconcile_optical_spectrum", one)
        self.assertEqual(self.at_rest(), before)
        self.assertTrue(self.json("subscription", "show", one)["insync"])
        return [t for _, t in self.written(since)]

    def test_09_T30_D54_drift_is_named_and_repaired(self):
        self.modify(self.blue(), reroute="true", exclude_nodes=[self.device("lp.bol1")])  # back on the short way
        aid, circuit = self.circuit("lp.fir1", "Blue_1")
        far = circuit["REMENDPOINT"]
        one = f"ED-OSNC:lp.fir1:{aid}:X:::"
        out, back = f"ED-OSNC:lp.fir1:{aid}:X::::OOS;", f"ED-OSNC:lp.fir1:{aid}:X::::IS;"
        told = self.drift([one + "LABEL=mine;"], "LABEL SpectrumService mine")
        self.assertEqual([t.split(":")[0] for t in told], ["ED-OSNC"], told)
        told = self.drift([one + "CKTIDSUFFIX=mine;"], "CKTIDSUFFIX Blue_1 mine")
        self.assertEqual([t.split(":")[0] for t in told], ["ED-OSNC"], told)
        for node, sch in (("lp.fir1", aid), ("lp.rom1", far)):
            told = self.drift([f"RMV-SCH:{node}:{sch}:X::;", f"ED-SCH:{node}:{sch}:X:::SHUTTERSTATE=CLOSED;", f"RST-SCH:{node}:{sch}:X::::;"],
                              node + ".*SHUTTERSTATE OPEN CLOSED")
            self.assertTrue(all("-SCH:" in t for t in told), told)
        self.drift([out, one + f"CARRIERLIST={LOW + 37500}&50000;", back], "CARRIERLIST")
        self.drift([out, one + f"PASSBANDLIST={LOW - 12500}&{HIGH},CARRIERLIST={LOW + 37500}&75000;", back], "PASSBANDLIST")
        self.drift([out], "ADMIN IS OOS", "no light at")
        self.drift([out, f"DLT-OSNC:lp.fir1:{aid}:X::::;"], "osnc:.* None", "no light at")
        self.drift([f"ED-SCG:lp.fir1:{FIR[1]}:X:::LABEL=mine;"], "LABEL .* mine")

    def test_10_two_ports_of_one_element(self):
        fresh = self.at_rest()
        local = self.create("Local", ("lp.bol1", "1-A-3-T1"), ("lp.bol1", "1-A-3-T2"))
        self.assertEqual(len([o for o in self.objects("lp.bol1", "OCRS").values() if o["CKTIDSUFFIX"] == "Local"]), 1)
        self.assertEqual(self.claims(local), [])
        self.start("validate_optical_spectrum", local)
        self.act("terminate_optical_spectrum", local)
        self.assertEqual(self.at_rest(), fresh)

    def test_11_an_abort_in_the_middle_puts_everything_back(self):
        before, claims = self.at_rest(), self.all_claims()
        for verb, node in (("ENT-OSNC", "lp.mil1"), ("RST-SCH", "lp.bol1"), ("ED-SCH", "lp.mil1")):
            self.sim.faults({"match": {"tid": node, "verb": verb}, "do": {"fault": "deny", "code": "SROF", "text": "not today"}})
            process = self.json("process", "start", "create_optical_spectrum",
                                *self.settings_of("Lost", ("lp.mil1", "1-A-3-T2"), ("lp.bol1", "1-A-3-T2")))["id"]
            self.daemon.wait_process(process, "failed")
            self.sim.control(op="faults-clear")
            self.cli("process", "abort", process, "--rollback", "--yes")
            self.daemon.wait_process(process, "aborted")
            self.assertEqual(self.at_rest(), before, verb)
            self.assertEqual(self.all_claims(), claims)

    def test_12_D19_what_is_gone_is_gone(self):
        one = self.blue()
        aid, _ = self.circuit("lp.fir1", "Blue_1")
        self.sim.control(op="command", text=f"ED-OSNC:lp.fir1:{aid}:X::::OOS;")
        self.sim.control(op="command", text=f"DLT-OSNC:lp.fir1:{aid}:X::::;")
        self.act("terminate_optical_spectrum", one)
        self.assertEqual(self.at_rest(), self.fresh)
        self.assertEqual(self.all_claims(), 0)

    def test_13_one_of_fifty_gets_the_light(self):
        since, product = self.marks(), next(p["product_id"] for p in self.daemon.get("/api/products/").json() if p["name"] == "Optical Spectrum")
        ends = {"device_a": self.device("lp.fir1"), "device_z": self.device("lp.rom1")}
        partner = self.ident("Partner", "Net")
        answers = []

        def ask(n):
            pages = [{"product": product}, {"partner_id": partner, "spectrum_name": f"Race {n}", "low_mhz": LOW, "high_mhz": HIGH},
                     ends, {"port_a": "1-A-3-T1", "port_z": "1-A-3-T1"}, {"exclude_nodes": [self.bol]}]
            form = self.daemon.post("/api/processes/create_optical_spectrum", pages, timeout=120).json()
            if "form" in form and form["form"]["properties"].get("route", {}).get("default"):
                pages += [{"route": form["form"]["properties"]["route"]["default"]}, {}]
                answers.append(self.daemon.post("/api/processes/create_optical_spectrum", pages, timeout=120).json())
            else:
                answers.append(form)
        self.bol = self.device("lp.bol1")
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = [self.daemon.wait_process(a["id"], "completed", "failed", limit=120) for a in answers if "id" in a]
        won = [r for r in rows if r["last_status"] == "completed"]
        self.assertEqual(len(won), 1, [a for a in answers if "id" not in a][:1])
        for row in rows:
            if row["last_status"] == "failed":
                self.assertIn("overlaps", row["failed_reason"])
        self.assertEqual(len([t for _, t in self.written(since) if t.startswith("ENT-OSNC")]), 1)
        self.assertEqual(len(self.objects("lp.fir1", "OSNC")), 1)
        self.assertEqual(self.all_claims(), 2)
        for row in rows:
            if row["last_status"] == "failed":
                self.cli("process", "abort", row["process_id"], "--yes")
        self.act("terminate_optical_spectrum", won[0]["subscriptions"][0]["subscription_id"])

    def test_14_what_runs_is_adopted(self):
        one = self.create("Old", FIR, ROM)
        running, since = self.at_rest(), self.marks()
        self.act("terminate_optical_spectrum", one, "--set", "force_reason=the books are lost")
        self.assertEqual((self.at_rest(), self.all_claims()), (running, 0))
        report = self.daemon.process(self.act("task_adopt_optical_spectra")["process_id"])["current_state"]["report"]
        self.assertEqual((report["circuits"], report["left"], report["children"]["completed"]), (1, [], 1), report)
        adopted = self.ident("Optical Spectrum", "Old")
        self.assertEqual(self.written(since), [])
        self.assertEqual(self.ports_of(adopted), ["1-A-3-T1", "1-A-1-L1", "1-A-1-L1", "1-A-1-L2", "1-A-2-L1", "1-A-3-T1"])
        self.assertEqual(len(self.claims(adopted)), 2)
        self.start("validate_optical_spectrum", adopted)
        report = self.daemon.process(self.act("task_adopt_optical_spectra")["process_id"])["current_state"]["report"]
        self.assertEqual((len(report["explained"]), report["left"]), (1, []))
        self.act("terminate_optical_spectrum", adopted)
        self.assertEqual((self.at_rest(), self.all_claims()), (self.fresh, 0))


if __name__ == "__main__":
    lightpathd.main()
