#!/usr/bin/env python3
"""Optical devices and fibers end to end: the lightpath program, a real daemon and simulated FlexILS elements over real sockets."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402
import lightpathd  # noqa: E402

CLI = os.environ.get("LIGHTPATH_TEST_CLI", os.path.join(lightpathd.ROOT, "build", "cli", "lightpath"))
PLATFORM = "Infinera FlexILS"
NODES = ("lp.mil1", "lp.fir1", "lp.rom1")
DOMAIN = ".example.net"


class Network(lightpathd.Case):
    NODES, TOPOLOGY, BASE, MORE = NODES, None, "127.78.0.1", {}

    @classmethod
    def secrets(cls):
        """What the credentials file says."""
        return f"[infinera-flexils]\nuser = {flexsim.USER}\npassword = {flexsim.PASSWORD}\n"

    @classmethod
    def pop_code(cls, node):
        return node[3:].upper()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="lpn")
        cls.sim = flexsim.Sim(cls.TOPOLOGY, arguments=("--address-base", cls.BASE))
        secrets = os.path.join(cls.folder.name, "credentials")
        with open(secrets, "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(cls.secrets())
        cls.settings = {"devices.credentials": secrets, "devices.tl1_transport": "tcp", "devices.poll_ms": "50",
                        "naming.domain": DOMAIN[1:], **cls.MORE}
        super().setUpClass()
        cls.cli_once("process", "start", "create_partner", "--set", "partner_name=Net", "--watch")
        codes = sorted({cls.pop_code(node) for node in cls.NODES})
        cls.file("pops", "code,full_name,latitude,longitude", *(f"{code},{code} City,45.{i},9.{i}" for i, code in enumerate(codes)))
        cls.cli_once("pop", "import", cls.path("pops"), "--owner", "Net", "--watch")

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.sim.close()
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name + ".csv")

    @classmethod
    def file(cls, name, *lines):
        with open(cls.path(name), "w", encoding="utf-8") as out:
            out.write("".join(line + "\n" for line in lines))
        return cls.path(name)

    @classmethod
    def cli_once(cls, *args, code=0):
        done = subprocess.run([CLI, *args], env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LIGHTPATH_SOCKET": cls.daemon.socket},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * lightpathd.SLOW, check=False)
        assert done.returncode == code, f"lightpath {' '.join(args)}: {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def cli(self, *args, code=0):
        return self.cli_once(*args, code=code)

    def json(self, *args, **more):
        return json.loads(self.cli("-o", "json", *args, **more).stdout)

    def start(self, *args, code=0):
        return self.json("process", "start", *args, "--watch", code=code)

    @classmethod
    def port_of(cls, node):
        entry = cls.sim.ports[node]
        return entry["address"], entry["tcp"]

    @classmethod
    def devices(cls, mode):
        """The CSV of all elements; each listens on a port of its own, and has an address of the loopback net for itself."""
        rows = []
        for node in NODES:
            address, port = cls.port_of(node)
            rows.append(f"{node}{DOMAIN},{node[3:].upper()},{PLATFORM},ROADM,{address},{port},{mode}")
        return cls.file("devices", "fqdn,pop,platform,type,management_ip,management_port,mode", *rows)

    def ident(self, product, text):
        found = [s["subscription_id"] for s in self.json("subscription", "list", "--product", product, "--limit", "1000")
                 if text in s["description"] and s["status"] == "active"]
        self.assertEqual(len(found), 1, text)
        return found[0]

    def attribute(self, node, port, name="LABEL", kind="OTS"):
        return self.sim.control(op="state", ne=node)["state"][kind][port].get(name, "")

    def imported(self, what, file, wanted="completed", source="inventory"):
        """Imports and returns the children by status."""
        parent = self.json(what, "import", file, "--owner", "Net", "--source", source)["id"]
        self.daemon.wait_process(parent, wanted, limit=120)
        rows = self.json("process", "list", "--all", "--limit", "1000")
        return parent, [p for p in rows if p["parent_id"] == parent]


SPAN = "lp.mil1.example.net,1-A-1-L1,lp.fir1.example.net,1-A-2-L1,G.652.D,62000,14.64"
HEADER = "device_a,port_a,device_z,port_z,types,lengths_m,loss_az_db"


class Life(Network):
    MORE = {"device.fqdn_pattern": ".*([.]{pop.code|lower}|rome|florence)[.]example[.]net"}

    def test_1_devices_are_asked_who_they_are(self):
        parent, children = self.imported("device", self.devices("manage"))
        self.assertEqual([c["last_status"] for c in children], ["completed"] * len(NODES), parent)
        device = self.json("subscription", "show", self.ident("Optical Device", "lp.mil1"))
        root = device["optical_device"]
        self.assertEqual((root["node_name"], root["serial"]), ("lp.mil1", "MA0123456789"))
        self.assertIn("1-A-1-L1", {p["port_name"] for p in root["ports"] if p["role"] == "ols-line"})
        # the same file again: everything is there; without leave it is refused, row and column named
        refused = self.cli("device", "import", self.path("devices"), "--owner", "Net", "--source", "inventory", code=2).stderr
        self.assertIn("row 2, column fqdn: host name lp.mil1.example.net is already used by subscription", refused)
        self.cli("device", "import", self.path("devices"), "--owner", "Net", "--source", "inventory", "--skip-existing", "--watch")

    def test_2_a_fiber_is_written_to_both_ends(self):
        _, children = self.imported("fiber", self.file("fibers", HEADER, SPAN))
        self.assertEqual([c["last_status"] for c in children], ["completed"])
        self.assertEqual(self.attribute("lp.mil1", "1-A-1-L1"), "Physically connected to lp.fir1.example.net 1-A-2-L1.")
        self.assertEqual(self.attribute("lp.fir1", "1-A-2-L1"), "Physically connected to lp.mil1.example.net 1-A-1-L1.")
        fiber = self.json("subscription", "show", self.ident("Optical Fiber", "lp.mil1"))["optical_fiber"]
        self.assertEqual((fiber["length_m"], fiber["measured_loss_az_cdb"]), (62000, 1464))
        self.assertEqual(fiber["loss_margin_cdb"], fiber["loss_budget_cdb"] - 1464)
        plan = self.json("plan", "show", children[0]["process_id"])
        self.assertTrue(plan["plans"][0]["operations"])

    def test_3_a_port_ends_one_fiber(self):
        refused = self.cli("fiber", "import", self.file("twice", HEADER, SPAN.replace("lp.fir1.example.net,1-A-2-L1",
                                                                                      "lp.rom1.example.net,1-A-2-L1")),
                           "--owner", "Net", "--source", "inventory", code=2).stderr
        self.assertIn("row 2, column port_a: OPT-011: port 1-A-1-L1 on lp.mil1.example.net already belongs to fiber", refused)
        refused = self.cli("fiber", "import", self.file("nowhere", HEADER, SPAN.replace("1-A-1-L1", "1-A-7-L1")), "--owner", "Net",
                           "--source", "inventory", code=2).stderr
        self.assertIn("row 2, column port_a: lp.mil1.example.net (Infinera FlexILS) has no port 1-A-7-L1", refused)
        # two rows of one file, the port once on either side
        rows = ("lp.mil1.example.net,1-A-2-L1,lp.rom1.example.net,1-A-1-L1,G.652.D,62000,14.64",
                "lp.fir1.example.net,1-A-1-L1,lp.mil1.example.net,1-A-2-L1,G.652.D,62000,14.64")
        refused = self.cli("fiber", "import", self.file("shared", HEADER, *rows), "--owner", "Net", "--source", "inventory", code=2).stderr
        self.assertIn("row 3, column port_z: port 1-A-2-L1 on lp.mil1.example.net stands in row 2 already", refused)

    def test_3_a_gateway_is_for_devices_without_an_address(self):
        file = self.file("gateways", "fqdn,pop,platform,type,management_ip,gateway",
                         f"lp.new1.example.net,ROM1,{PLATFORM},ROADM,127.78.0.99,lp.mil1.example.net")
        refused = self.cli("device", "import", file, "--owner", "Net", "--source", "inventory", code=2).stderr
        self.assertIn("row 2, column gateway: a device with an address of its own needs no gateway", refused)

    def test_4_D11_drift_is_named_and_repaired_and_nothing_else_is_touched(self):
        fiber = self.ident("Optical Fiber", "lp.mil1")
        self.start("validate_optical_fiber", fiber)
        before = self.sim.hash()
        self.sim.control(op="set", ne="lp.fir1", **{"class": "OTS"}, aid="1-A-2-L1",
                         attrs={"LABEL": "mine", "TXFIBERTYPE": "G.655.C", "PROVRXFIBERTYPE": "G.653.A"}, silent=True)
        failed = self.start("validate_optical_fiber", fiber, code=10)
        self.assertIn("lp.fir1", failed["failed_reason"])
        for name, found in (("TXFIBERTYPE", "G.655.C"), ("PROVRXFIBERTYPE", "G.653.A")):
            self.assertIn(f"{name}: expected G.652.D, found {found}", failed["failed_reason"])
        self.assertIn("mine", failed["failed_reason"])
        self.assertEqual(self.attribute("lp.fir1", "1-A-2-L1"), "mine")  # a validation writes nothing
        self.assertFalse(self.json("subscription", "show", fiber)["insync"])
        self.start("reconcile_optical_fiber", fiber)
        self.assertEqual(self.sim.hash(), before)
        self.assertTrue(self.json("subscription", "show", fiber)["insync"])
        self.cli("process", "abort", failed["process_id"], "--yes")

    def test_4_b_what_was_sent_is_known_after_a_kill(self):
        """Killed between a command and its answer: the command is in the evidence, its outcome unknown; what came before has its answer."""
        fiber = self.ident("Optical Fiber", "lp.mil1")
        before = self.sim.hash()
        self.sim.control(op="set", ne="lp.fir1", **{"class": "OTS"}, aid="1-A-2-L1", attrs={"LABEL": "mine"}, silent=True)
        self.start("validate_optical_fiber", fiber, code=10)
        self.sim.faults({"match": {"verb": "ED-OTS", "tid": "lp.fir1"}, "when": {"state": "executed"}, "do": {"fault": "silence"}})
        process = self.json("process", "start", "reconcile_optical_fiber", fiber)["id"]
        lightpathd.wait_for(lambda: self.attribute("lp.fir1", "1-A-2-L1") != "mine")
        self.daemon.kill()
        # the element is left in peace for as long as a command may take
        self.daemon.settings.update({"devices.write_ms": "3000", "devices.progress_ms": "2000"})
        self.sim.faults()
        self.daemon.start()

        def exchanges():
            return self.json("process", "evidence", process)
        lost = [e for e in exchanges() if e["outcome"] == "outcome-unknown"]
        self.assertEqual([(e["attempt"], e["received"], e["writes"]) for e in lost], [(1, None, True)])
        self.assertRegex(lost[0]["sent"], "^ED-OTS:lp.fir1:1-A-2-L1:.*Physically connected")
        earlier = [e for e in exchanges() if e["step"] == lost[0]["step"] and e["attempt"] == 1 and e["at"] < lost[0]["at"]]
        self.assertTrue(earlier and all(e["received"] for e in earlier), earlier)
        self.assertRegex(self.cli("process", "evidence", process).stdout, "outcome-unknown\n> ED-OTS:lp.fir1.*\n.*no answer")
        self.daemon.wait_process(process, "completed", limit=120)
        attempts = [a["outcome"] for a in self.daemon.get(f"/api/processes/{process}/attempts").json()["attempts"] if a["step"] == lost[0]["step"]]
        self.assertEqual(len(attempts), 2, attempts)
        sent = [e for e in exchanges() if e["sent"].startswith("ED-OTS:lp.fir1")]
        self.assertEqual(len(sent), 1, sent)  # it was read back, and not sent again
        self.assertEqual(self.sim.hash(), before)

    def test_5_a_dry_run_leaves_nothing_behind(self):
        fiber = self.ident("Optical Fiber", "lp.mil1")
        before, version = self.sim.hash(), self.json("subscription", "show", fiber)["version"]
        process = self.start("modify_optical_fiber", fiber, "--set", "measured_loss_az_cdb=2540", "--dry-run")
        plan = self.cli("plan", "show", process["process_id"]).stdout
        self.assertIn("ED-OTS:lp.mil1:1-A-1-L1:*:::EXPSPANLOSS=OVER25DB;", plan)
        self.assertEqual(self.sim.hash(), before)
        shown = self.json("subscription", "show", fiber)
        self.assertEqual((shown["version"], shown["insync"]), (version, True))

    def test_6_D10_a_fiber_can_be_modified(self):
        fiber = self.ident("Optical Fiber", "lp.mil1")
        customer = self.json("subscription", "show", fiber)["customer_id"]
        warned = self.daemon.post("/api/processes/modify_optical_fiber", [{"subscription_id": fiber}, {
            "partner_id": customer, "kind": "span", "measured_loss_az_cdb": 2540, "segments": [{"length_m": 62000, "fiber_type": "G.652.D"}]}])
        self.assertIn("measured 25.40 dB exceeds budget", warned.body.decode())
        self.assertIn("OPT-110", warned.body.decode())
        self.start("modify_optical_fiber", fiber, "--set", "cable_id=C-17", "--set", "measured_loss_az_cdb=1500")
        shown = self.json("subscription", "show", fiber)["optical_fiber"]
        self.assertEqual((shown["cable_id"], shown["measured_loss_az_cdb"]), ("C-17", 1500))
        found = self.json("search", "C-17")["exact"]["subscriptions"]
        self.assertEqual([(f["subscription_id"], f["matched"]) for f in found], [(fiber, "Cable C-17")])

    def test_7_a_replaced_chassis_is_taken_over_on_purpose(self):
        device, fiber = self.ident("Optical Device", "lp.mil1"), self.ident("Optical Fiber", "lp.mil1")
        label = self.attribute("lp.mil1", "1-A-1-L1")
        before, old = self.sim.hash(), "MA0123456789"

        def known():
            return self.json("subscription", "show", device)["optical_device"]

        def refused(workflow, subject, *answers):
            was = known()
            failed = self.start(workflow, subject, *answers, code=5)
            self.assertEqual(known(), was)
            self.assertEqual(self.attribute("lp.mil1", "1-A-1-L1"), "")
            self.cli("process", "abort", failed["process_id"], "--yes")
            return failed["failed_reason"]
        self.sim.control(op="replace", ne="lp.mil1", serial="MA5550001111")
        self.sim.control(op="set", ne="lp.mil1", **{"class": "OTS"}, aid="1-A-1-L1", attrs={"LABEL": ""}, silent=True)
        self.sim.control(op="disconnect", ne="lp.mil1")
        # nobody takes it over by accident: not by reconciling, not with the number of a third one, not with what stands there
        for workflow, subject in (("reconcile_optical_fiber", fiber), ("reconcile_optical_device", device)):
            self.assertIn("MA5550001111", refused(workflow, subject))
        said = refused("modify_optical_device", device, "--set", "serial=MA5550002222")
        self.assertIn("lp.mil1.example.net", said)
        self.assertIn("'MA5550001111', expected 'MA5550002222'", said)
        wrong = self.cli("process", "start", "modify_optical_device", device, "--set", "serial=", code=2).stderr
        self.assertIn("serial", wrong)
        taken = self.json("subscription", "show", self.ident("Optical Device", "florence"))["optical_device"]["serial"]
        wrong = self.cli("process", "start", "modify_optical_device", device, "--set", f"serial={taken}", code=2).stderr
        self.assertIn("already used by subscription", wrong)
        pages = [{"subscription_id": device}, {"serial": "MA5550001111"}]
        shown = self.daemon.post("/api/processes/modify_optical_device", pages).body.decode()
        self.assertIn('"labels":["serial"],"columns":[["MA0123456789"],["MA5550001111"]]', shown)
        self.start("modify_optical_device", device, "--set", "serial=MA5550001111")
        self.assertEqual(known()["serial"], "MA5550001111")
        self.assertEqual(self.attribute("lp.mil1", "1-A-1-L1"), "")
        self.start("reconcile_optical_fiber", fiber)
        self.assertEqual(self.attribute("lp.mil1", "1-A-1-L1"), label)
        self.start("validate_optical_fiber", fiber)
        self.sim.control(op="replace", ne="lp.mil1", serial=old)
        self.start("modify_optical_device", device, "--set", f"serial={old}")  # in the session that is open
        self.assertEqual(self.sim.hash(), before)

    def test_7_D09_a_new_name_shows_where_the_old_one_stands(self):
        device, fiber = self.ident("Optical Device", "lp.rom1"), self.ident("Optical Fiber", "lp.mil1")
        self.start("modify_optical_device", device, "--set", "fqdn=rome.example.net")
        self.assertEqual(self.json("subscription", "show", device)["optical_device"]["node_name"], "lp.rom1")
        renamed = self.ident("Optical Device", "lp.fir1")
        self.start("modify_optical_device", renamed, "--set", "fqdn=florence.example.net")
        failed = self.start("validate_optical_fiber", fiber, code=10)
        self.assertIn("fiber_name", failed["failed_reason"])
        self.cli("process", "abort", failed["process_id"], "--yes")
        self.start("reconcile_optical_fiber", fiber)
        self.assertEqual(self.attribute("lp.mil1", "1-A-1-L1"), "Physically connected to florence.example.net 1-A-2-L1.")
        self.assertIn("florence", self.json("subscription", "show", fiber)["description"])

    def pages(self, workflow, *pages):
        answer = self.daemon.post(f"/api/processes/{workflow}", list(pages))
        self.assertEqual(answer.status, 510, answer)
        return answer.body.decode()

    def test_7_b_owner_site_and_gateways_of_a_device_change(self):
        device, gateway = self.ident("Optical Device", "rome"), self.ident("Optical Device", "lp.mil1")
        before = self.json("subscription", "show", device)
        address, port = self.port_of("lp.rom1")
        self.start("create_partner", "--set", "partner_name=Other")
        other, net = self.ident("Partner", "Other"), before["customer_id"]
        milan, rome = self.ident("PoP", "MIL1"), self.ident("PoP", "ROM1")
        # what the summary shows, with who uses it; a name that needs the code of its site cannot leave it
        shown = self.pages("modify_optical_device", {"subscription_id": gateway}, {"partner_id": other})
        self.assertIn('"labels":["owner"],"columns":[["Net', shown)
        self.assertIn('["Other', shown)
        self.assertIn("These use the device: " + self.ident("Optical Fiber", "lp.mil1"), shown)
        fits = self.daemon.post("/api/processes/modify_optical_device", [{"subscription_id": gateway}, {"pop_id": rome}])
        self.assertEqual(fits.status, 400)
        self.assertIn("host name lp.mil1.example.net must match .*([.]{pop.code|lower}|rome|florence)[.]example[.]net, in PoP ROM1", fits.body.decode())
        # no address, and gateways: the nearest by itself; never the device itself
        page = self.pages("modify_optical_device", {"subscription_id": device}, {"management_ip": None, "pop_id": milan})
        self.assertNotIn(f'"{device}"', page.split('"gateway_ids"')[1])
        self.assertIn(f'"{gateway}"', page.split('"gateway_ids"')[1])
        self.sim.control(op="disconnect", ne="lp.rom1")
        change = [{"subscription_id": device}, {"management_ip": None, "partner_id": other, "pop_id": milan}, {"gateway_ids": [gateway]}]
        shown = self.pages("modify_optical_device", *change)
        self.assertIn('"labels":["owner","management_ip","pop","gateways"]', shown)
        self.start("modify_optical_device", device, "--set", "management_ip=null", "--set", f"partner_id={other}", "--set", f"pop_id={milan}",
                   "--set", f"gateway_ids={gateway}")
        after = self.json("subscription", "show", device)
        self.assertEqual(after["customer_id"], other)
        self.assertIsNone(after["optical_device"]["management_ip"])
        relay = self.json("subscription", "show", gateway)["optical_device"]["subscription_instance_id"]
        self.assertEqual([g["subscription_instance_id"] for g in after["optical_device"]["gateways"]], [relay])
        self.assertEqual((after["optical_device"]["pop"]["code"], before["optical_device"]["pop"]["code"]), ("MIL1", "ROM1"))
        # what is not named stays; with an address of its own it needs no gateway
        self.start("modify_optical_device", device, "--set", "device_type=ROADM")
        kept = self.json("subscription", "show", device)["optical_device"]["gateways"]
        self.assertEqual([g["subscription_instance_id"] for g in kept], [relay])
        self.start("modify_optical_device", device, "--set", f"management_ip={address}", "--set", f"partner_id={net}", "--set", f"pop_id={rome}")
        now = self.json("subscription", "show", device)
        self.assertEqual((now["customer_id"], now["optical_device"]["management_port"]), (net, port))
        self.assertEqual((now["optical_device"]["gateways"], now["optical_device"]["pop"]["code"]), ([], "ROM1"))

    def test_7_c_a_fiber_changes_its_owners(self):
        fiber, other = self.ident("Optical Fiber", "lp.mil1"), self.ident("Partner", "Other")
        net, before = self.json("subscription", "show", fiber)["customer_id"], self.sim.hash()
        shown = self.pages("modify_optical_fiber", {"subscription_id": fiber}, {"partner_id": other, "fiber_owner_id": other})
        self.assertIn('"labels":["owner","fiber_owner"],"columns":[["Net', shown)
        self.start("modify_optical_fiber", fiber, "--set", f"partner_id={other}", "--set", f"fiber_owner_id={other}")
        now = self.json("subscription", "show", fiber)
        self.assertEqual(now["customer_id"], other)
        partner = self.json("subscription", "show", other)["partner"]["subscription_instance_id"]
        self.assertEqual(now["optical_fiber"]["fiber_owner"]["subscription_instance_id"], partner)
        self.assertIn("in use by other subscriptions", self.cli("process", "start", "terminate_partner", other, code=2).stderr)
        self.start("modify_optical_fiber", fiber, "--set", f"partner_id={net}", "--set", f"fiber_owner_id={net}")
        self.assertEqual(self.json("subscription", "show", fiber)["customer_id"], net)
        self.assertEqual(self.sim.hash(), before)
        self.start("terminate_partner", other)

    def test_7_d_leased_spectrum_is_a_fiber_with_a_band(self):
        ends = [self.json("subscription", "show", self.ident("Optical Device", name)) for name in ("lp.mil1", "florence")]
        ports = [next(p["port_name"] for p in e["optical_device"]["ports"] if p["role"] == "ols-add-drop") for e in ends]
        given = {"partner_id": ends[0]["customer_id"], "device_a": ends[0]["subscription_id"], "device_z": ends[1]["subscription_id"],
                 "port_a": ports[0], "port_z": ports[1], "kind": "leased"}

        def create(code=0, **more):
            settings = [word for item in {**given, **more}.items() for word in ("--set", "%s=%s" % item)]
            return self.cli("-o", "json", "process", "start", "create_optical_fiber", *settings, "--watch", code=code)
        self.assertIn("leased spectrum has a low and a high edge", create(code=2).stderr)
        self.assertIn("OPT-021", create(code=2, leased_low_mhz=193800000, leased_high_mhz=193600000).stderr)
        self.assertIn("OPT-020", create(code=2, leased_low_mhz=193600000, leased_high_mhz=197000000).stderr)
        self.assertIn("only leased spectrum has this", create(code=2, kind="patch", leased_low_mhz=193600000).stderr)
        create(leased_low_mhz=193600000, leased_high_mhz=193800000, leased_length_m=500000, leased_until="2999-12-31")
        self.assertEqual([self.attribute("lp.mil1", ports[0], name, "SCG") for name in ("LABEL", "INTFTYP")],
                         [f"Physically connected to florence.example.net {ports[1]}.", "MANUALMODE-2"])
        lease = self.ident("Optical Fiber", f"lp.mil1.example.net {ports[0]} ---")
        self.start("validate_optical_fiber", lease)
        for low, routes in ((193650000, 2), (194650000, 1)):  # over the lease within its band only
            found = self.json("path", "find", "lp.mil1.example.net", "florence.example.net", "--low", str(low), "--high", str(low + 50000))
            self.assertEqual(len(found["routes"]), routes, found)
        self.assertIn('[label="leased 193600000-193800000 MHz", style=dashed];', self.cli("topology", "export", "--format", "dot").stdout)
        self.assertIn("193600000-193800000  free", self.cli("spectrum", "show", lease).stdout)
        self.start("modify_optical_fiber", lease, "--set", "leased_until=2020-01-31")
        failed = self.start("validate_optical_fiber", lease, code=10)
        self.assertIn("its lease ended on 2020-01-31", failed["failed_reason"])
        self.cli("process", "abort", failed["process_id"], "--yes")
        asked = self.start("terminate_optical_fiber", lease, code=3)["process_id"]  # an add/drop port goes out of service
        self.cli("process", "resume", asked, "--set", "decision=approve")
        self.daemon.wait_process(asked, "completed")
        self.assertEqual(self.attribute("lp.mil1", ports[0], "LABEL", "SCG"), "")

    def test_8_the_network_is_shown(self):
        text = self.cli("topology", "show", "MIL1").stdout
        self.assertIn("lp.mil1.example.net 1-A-1-L1 --- florence.example.net 1-A-2-L1", text)
        dot = self.cli("topology", "export", "--format", "dot").stdout
        self.assertIn('"lp.mil1.example.net" -- "florence.example.net" [label="62.0 km"];', dot)
        network = self.json("topology", "export")
        self.assertEqual(len(network["fibers"][0]["ends"]), 2)
        self.assertEqual(self.cli("topology", "show", "XX99", code=4).stderr.strip(), "lightpath: there is no PoP XX99")
        fiber = network["fibers"][0]["fiber_name"]
        self.assertIn("0 services of 0 customers ride on", self.cli("topology", "impact", "--fiber", fiber).stdout)
        self.assertEqual(self.json("topology", "impact", "--pop", "MIL1")["fibers"][0]["description"], fiber)
        self.assertEqual(len(self.json("topology", "impact", "--device", "lp.mil1.example.net", "--card", "1-A-1")["fibers"]), 1)
        self.assertEqual(self.json("topology", "impact", "--device", "lp.mil1.example.net", "--card", "1-A-2")["fibers"], [])
        self.assertIn("there is no pop 'XX99'", self.cli("topology", "impact", "--pop", "XX99", code=4).stderr)
        self.assertIn("name one fiber, device or PoP", self.cli("topology", "impact", "--card", "1-A-1", code=2).stderr)
        found = self.json("search", "1-A-1-L1")["exact"]["subscriptions"]
        self.assertTrue(any(f["matched"].startswith("uses Port 1-A-1-L1") for f in found), found)

    def test_9_routes_and_light_are_shown(self):
        ends = "lp.mil1.example.net", "florence.example.net"
        routes = self.json("path", "find", *ends, "--low", "193450000", "--high", "193550000")["routes"]
        self.assertEqual([(r["length_m"], r["oms_hops"], len(r["fibers"])) for r in routes], [(62000, 1, 1)])
        self.assertEqual(routes[0]["first_free"], {"low_mhz": 193450000, "high_mhz": 193550000})
        text = self.cli("path", "find", *ends, "--width", "50000", "--policy", "last-fit").stdout
        self.assertIn("196075000-196125000", text)
        fiber = "lp.mil1.example.net 1-A-1-L1 --- florence.example.net 1-A-2-L1"
        none = self.cli("path", "find", *ends, "--exclude", fiber, code=4).stderr
        self.assertIn("no route from lp.mil1 to lp.fir1", none)
        self.assertIn("1 by exclusion", none)
        self.assertIn("there is no device 'nowhere'", self.cli("path", "find", ends[0], "nowhere", code=4).stderr)
        shown = self.json("spectrum", "show", ends[0])["fibers"]
        self.assertEqual([(f["fiber"], f["claims"], f["observed"]) for f in shown], [(fiber, [], [])])
        self.assertIsInstance(shown[0]["age_us"], int)
        self.assertIn("191325000-196125000  free", self.cli("spectrum", "show", fiber).stdout)
        self.assertEqual(self.cli("spectrum", "differences").stdout, "None on 1 fibers whose light is known.\n")

    def test_9_termination_cleans_the_ends(self):
        fiber, device = self.ident("Optical Fiber", "lp.mil1"), self.ident("Optical Device", "lp.mil1")
        self.assertIn("in use by other subscriptions", self.cli("process", "start", "terminate_optical_device", device, code=2).stderr)
        self.start("terminate_optical_fiber", fiber)
        self.assertEqual((self.attribute("lp.mil1", "1-A-1-L1"), self.attribute("lp.fir1", "1-A-2-L1")), ("", ""))
        self.start("terminate_optical_device", device)


class DeadEnd(Network):
    BASE = "127.79.0.1"

    def test_the_dead_end_is_given_up_and_the_living_one_is_cleaned(self):
        self.imported("device", self.devices("manage"))
        self.imported("fiber", self.file("fibers", HEADER, SPAN))
        fiber, dead = self.ident("Optical Fiber", "lp.mil1"), self.ident("Optical Device", "lp.fir1")
        labels = [self.attribute("lp.mil1", "1-A-1-L1"), self.attribute("lp.fir1", "1-A-2-L1")]
        self.assertTrue(all(labels), labels)
        # by the time somebody knows that it is dead, a validation has failed
        self.sim.control(op="set", ne="lp.mil1", **{"class": "OTS"}, aid="1-A-1-L1", attrs={"LABEL": "mine"}, silent=True)
        failed = self.start("validate_optical_fiber", fiber, code=10)
        self.cli("process", "abort", failed["process_id"], "--yes")
        self.sim.control(op="restart", ne="lp.fir1", down_ms=86400000)
        why = self.cli("process", "start", "terminate_optical_fiber", fiber, "--set", "force_devices=lp.fir1.example.net", code=2).stderr
        self.assertIn("say why these devices are given up", why)
        rome = self.ident("Optical Device", "lp.rom1")  # has nothing to do with it
        why = self.daemon.post("/api/processes/terminate_optical_fiber", [{"subscription_id": fiber}, {"force_reason": "fire", "force_devices": [rome]}])
        self.assertEqual(why.status, 400)
        said = len(self.sim.transcript("lp.fir1"))
        done = self.start("terminate_optical_fiber", fiber, "--set", "force_reason=burnt down", "--set", "force_devices=lp.fir1.example.net")
        self.assertEqual(done["current_state"]["force"], {"reason": "burnt down", "elements": [dead]})
        plan = done["current_state"]["plan"]
        self.assertEqual({a["element"] for a in plan["abandoned"]}, {dead})
        self.assertEqual([e["name"] for e in plan["elements"]], ["lp.mil1.example.net"])
        self.assertGreater(plan["operations"], 0)
        self.assertEqual([self.attribute("lp.mil1", "1-A-1-L1"), self.attribute("lp.fir1", "1-A-2-L1")], ["", labels[1]])
        self.assertEqual(len(self.sim.transcript("lp.fir1")), said)
        self.assertEqual(self.json("subscription", "show", fiber)["status"], "terminated")
        self.start("terminate_optical_device", dead)


class Adoption(Network):
    def test_what_is_right_already_is_taken_over_without_a_write(self):
        for near, port, far, remote in (("lp.mil1", "1-A-1-L1", "lp.fir1", "1-A-2-L1"), ("lp.fir1", "1-A-2-L1", "lp.mil1", "1-A-1-L1")):
            self.sim.control(op="set", ne=near, **{"class": "OTS"}, aid=port, silent=True,
                             attrs={"LABEL": f"Physically connected to {far}{DOMAIN} {remote}.", "EXPSPANLOSS": "UNDER25DB"})
        before = self.sim.hash()
        self.imported("device", self.devices("observe"))
        other = "lp.fir1.example.net,1-A-1-L1,lp.rom1.example.net,1-A-2-L1,G.652.D,70000,16.40"
        parent = self.json("fiber", "import", self.file("fibers", HEADER, SPAN, other), "--owner", "Net", "--source", "inventory")["id"]

        def children():
            rows = [p for p in self.json("process", "list", "--all", "--limit", "1000") if p["parent_id"] == parent]
            return len(rows) == 2 and all(p["last_status"] in ("completed", "failed") for p in rows) and rows
        by_status = {p["last_status"]: p for p in lightpathd.wait_for(children, 120)}
        self.assertEqual(set(by_status), {"completed", "failed"})
        self.assertIn("observe", by_status["failed"]["failed_reason"])
        self.assertIn("LABEL", self.cli("plan", "show", by_status["failed"]["process_id"]).stdout)
        self.assertEqual(self.sim.hash(), before)
        self.assertTrue(self.json("subscription", "show", self.ident("Optical Fiber", "lp.mil1"))["insync"])
        self.cli("process", "abort", by_status["failed"]["process_id"], "--yes")
        self.daemon.wait_process(parent, "completed", limit=120)


if __name__ == "__main__":
    lightpathd.main()
