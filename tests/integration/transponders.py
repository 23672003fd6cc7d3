#!/usr/bin/env python3
"""Transponders as devices: a Groove G30 and a GX G42 beside a FlexILS element, a real daemon, the lightpath program, real sockets."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402
import lightpathd  # noqa: E402
import network  # noqa: E402

DOMAIN = network.DOMAIN
PLATFORMS = {"lp.mil1": network.PLATFORM, "g30.mil1": "Groove G30", "g42.mil1": "GX G42"}
TOPOLOGY = {
    "format": "lightpath-sim network 1", "options": {"settle_ms": 30, "seed": 3},
    "users": [{"name": flexsim.USER, "password": flexsim.PASSWORD}],
    "nodes": [
        {"name": "lp.mil1", "kind": "ROADM", "gateway": True, "area": "x", "serial": "MA0000000001",
         "cards": [{"aid": "1-A-1", "type": "FRM", "ports": ["L1", "S1", "O1"]}, {"aid": "1-A-3", "type": "FMM", "ports": ["T1", "T2"]}]},
        {"name": "g30.mil1", "kind": "G30", "release": "FP4.7.2", "serial": "RO0000000001", "cards": [{"slot": 2, "type": "CHM2T"}]},
        {"name": "g42.mil1", "kind": "G42", "release": "R7.1.1", "serial": "GX0000000001",
         "cards": [{"name": "1-4", "type": "gx:CHM6", "subtype": "C14"}]}],
    "patches": [{"id": "p1", "a": ["g30.mil1", "port-1/2/1"], "b": ["lp.mil1", "1-A-3-T1"], "loss_cdb": 100},
                {"id": "p2", "a": ["g42.mil1", "1-4-L1"], "b": ["lp.mil1", "1-A-3-T2"], "loss_cdb": 100}]}
PATCHES = ("g30.mil1,port-1/2/1,lp.mil1,1-A-3-T1,patch,,", "g42.mil1,1-4-L1,lp.mil1,1-A-3-T2,patch,,")


class Transponders(network.Network):
    NODES, TOPOLOGY, BASE = tuple(PLATFORMS), TOPOLOGY, "127.81.0.1"

    @classmethod
    def pop_code(cls, node):
        return "MIL1"

    @classmethod
    def secrets(cls):
        login = f"user = {flexsim.USER}\npassword = {flexsim.PASSWORD}\n"
        trust = f"tls_ca = {cls.sim.path('ca.pem')}\n"
        return f"[infinera-flexils]\n{login}[infinera-g30]\n{login}{trust}[infinera-g42]\n{login}{trust}"

    def raw(self, node, path):
        text = self.cli("device", "command", node + DOMAIN, "GET " + path).stdout
        return text

    def test_1_they_are_devices_like_any_other(self):
        rows = []
        for node, platform in PLATFORMS.items():
            entry = self.sim.ports[node]
            rows.append(f"{node}{DOMAIN},MIL1,{platform},{'ROADM' if 'tcp' in entry else 'Transponder'},{entry['address']},"
                        f"{entry.get('tcp') or entry['https']},manage")
        file = self.file("devices", "fqdn,pop,platform,type,management_ip,management_port,mode", *rows)
        parent, children = self.imported("device", file)
        self.assertEqual([c["last_status"] for c in children], ["completed"] * 3, parent)
        for node, port, role, serial, software in (("g30.mil1", "port-1/2/1", "trx-line", "RO0000000001", "FP4.7.2"),
                                                   ("g30.mil1", "port-1/2/3", "trx-client", "RO0000000001", "FP4.7.2"),
                                                   ("g42.mil1", "1-4-L1", "trx-line", "GX0000000001", "R7.1.1"),
                                                   ("g42.mil1", "1-4-T1", "trx-client", "GX0000000001", "R7.1.1")):
            root = self.json("subscription", "show", self.ident("Optical Device", node))["optical_device"]
            self.assertEqual((root["serial"], root["software"]), (serial, software))
            self.assertIn((port, role), {(p["port_name"], p["role"]) for p in root["ports"]})
        for node in ("g30.mil1", "g42.mil1"):
            self.start("validate_optical_device", self.ident("Optical Device", node))

    def test_2_a_what_cannot_be_undone_one_by_one_is_rolled_back(self):
        before = self.sim.hash()
        self.sim.faults({"match": {"tid": "lp.mil1", "verb": "ED-*"}, "when": {"times": 0}, "do": {"fault": "deny", "code": "SRQN"}})
        row = PATCHES[0].split(",")
        file = self.file("one", "device_a,port_a,device_z,port_z,kind,types,lengths_m", ",".join([row[0] + DOMAIN, row[1], row[2] + DOMAIN, *row[3:]]))
        parent = self.json("fiber", "import", file, "--owner", "Net", "--source", "inventory")["id"]
        lightpathd.wait_for(lambda: [p for p in self.children(parent) if p["last_status"] == "failed"])
        failed = self.children(parent)[0]["process_id"]
        self.assertNotEqual(self.sim.hash(), before)
        self.sim.faults({"match": {"tid": "g30.mil1", "method": "PATCH"}, "when": {"times": 0}, "do": {"fault": "status", "status": 409}})
        self.cli("process", "abort", failed, "--rollback", "--yes")
        self.daemon.wait_process(failed, "aborted", limit=120)
        self.sim.control(op="faults-clear")
        self.assertEqual(self.sim.hash(), before)
        self.assertIn("rolled_back", self.cli("-o", "json", "audit", "show", failed).stdout)

    def children(self, parent):
        return [p for p in self.json("process", "list", "--all", "--limit", "1000") if p["parent_id"] == parent]

    def test_2_b_a_patch_ends_on_both_drivers(self):
        rows = []
        for row in PATCHES:
            a, a_port, z, *rest = row.split(",")
            rows.append(",".join([a + DOMAIN, a_port, z + DOMAIN, *rest]))
        parent, children = self.imported("fiber", self.file("fibers", "device_a,port_a,device_z,port_z,kind,types,lengths_m", *rows))
        self.assertEqual([c["last_status"] for c in children], ["completed"] * 2, parent)
        points = [point for c in children for point in self.json("plan", "show", c["process_id"])["rollback_points"].values()]
        self.assertEqual(len(points), 1, points)  # the G30 offers them, the others do not
        self.assertIn("/ne:ne/shelf=1/slot=2/card/port=1/connected-to", [change["path"] for change in points[0]["changes"]])
        # the line system names a G30 by its serial number and a G42 by its name
        self.assertEqual(self.attribute("lp.mil1", "1-A-3-T1", "PROVOWREMPTP", "SCG"), "RO0000000001/1-2-1")
        self.assertEqual(self.attribute("lp.mil1", "1-A-3-T2", "PROVOWREMPTP", "SCG"), "g42.mil1/1-4-L1")
        self.assertEqual(self.attribute("lp.mil1", "1-A-3-T1", "INTFTYP", "SCG"), "MANUALMODE-2")
        self.assertIn("lp.mil1.example.net 1-A-3-T1", self.raw("g30.mil1", "/data/ne:ne/shelf=1/slot=2/card/port=1?depth=2"))
        self.assertIn("lp.mil1.example.net 1-A-3-T2", self.raw("g42.mil1",
                                                               "/data/ioa-network-element:ne/equipment/card=1-4/port=L1?depth=2"))

    def test_3_drift_is_named_and_repaired(self):
        fiber = self.ident("Optical Fiber", "g42.mil1")
        self.start("validate_optical_fiber", fiber)
        before = self.sim.hash()
        path = "/data/ioa-network-element:ne/equipment/card=1-4/port=L1"
        self.cli("device", "command", "g42.mil1" + DOMAIN, "--write",
                 f'PATCH {path} {{"ioa-network-element:port":[{{"name":"L1","connected-to":"mine"}}]}}')
        failed = self.start("validate_optical_fiber", fiber, code=10)
        self.assertIn("connected-to", failed["failed_reason"])
        self.start("reconcile_optical_fiber", fiber)
        self.assertEqual(self.sim.hash(), before)
        self.cli("process", "abort", failed["process_id"], "--yes")

    def test_4_software_comes_stage_by_stage(self):
        for node, release, file in (("g30.mil1", "FP4.8.0", "img/FP4.8.0.tar"), ("g42.mil1", "R8.0.2", "img/gx-8.0.2.bin")):
            done = self.start("task_upgrade_software", "--set", f"device={node}{DOMAIN}", "--set", f"release={release}",
                              "--set", f"file=sftp://repo@192.0.2.10/{file}", "--set", "backup=sftp://repo@192.0.2.10/bk")
            self.assertEqual(done["last_status"], "completed", done)
            shown = self.json("process", "show", done["process_id"])
            keys = [s.get("key", "") for s in shown["steps"]]
            self.assertTrue([k for k in keys if k.startswith("software_activate/")], keys)
        for user in ("repo", "us@er"):
            refused = self.cli("process", "start", "task_upgrade_software", "--set", f"device=g30.mil1{DOMAIN}", "--set", "release=FP4.8.0",
                               "--set", f"file=sftp://{user}:secret@192.0.2.10/x", code=2).stderr
            self.assertIn("password", refused)

    def test_5_what_is_gone_is_clean(self):
        for text in ("g30.mil1", "g42.mil1"):
            asked = self.start("terminate_optical_fiber", self.ident("Optical Fiber", text), code=3)
            self.cli("process", "resume", asked["process_id"], "--set", "decision=approve")
            self.daemon.wait_process(asked["process_id"], "completed", limit=120)
            self.start("terminate_optical_device", self.ident("Optical Device", text))
        self.assertEqual(self.attribute("lp.mil1", "1-A-3-T1", "PROVOWREMPTP", "SCG"), "")


if __name__ == "__main__":
    lightpathd.main()
