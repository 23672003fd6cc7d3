#!/usr/bin/env python3
"""Fibers imported from the TNMS: asked when the task runs, shown before anything is created, and nobody misses it when it is not there."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flexsim  # noqa: E402
import lightpathd  # noqa: E402
import tnms_server  # noqa: E402
from network import NODES, Network  # noqa: E402

FIBERS = [("lp.mil1", "1-A-1.L1", "lp.fir1", "1-A-2.L1"),
          ("lp.fir1", "1-A-2.L1", "lp.mil1", "1-A-1.L1"),  # the same, the other way round
          ("lp.mil1", "1-A-2.L1", "lp.rom1", "1-A-1.L1"),
          ("lp.mil1", "1-A-7.L1", "lp.rom1", "1-A-2.L1"),  # no such port
          ("lp.fir1", "1-A-1.L1", "lp.nowhere", "1-A-1.L1")]


class Imports(Network):
    BASE = "127.78.7.1"

    @classmethod
    def secrets(cls):
        cls.nms = tnms_server.Tnms(cls.folder.name, FIBERS)
        os.environ["LIGHTPATH_TNMS_URL"] = cls.nms.url
        return super().secrets() + f"[tnms]\nuser = svc\npassword = nms\ntls_ca = {cls.nms.certificate}\n"

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.nms.close()
        del os.environ["LIGHTPATH_TNMS_URL"]

    def begin(self, wanted, *more):
        partner = [s["subscription_id"] for s in self.json("subscription", "list", "--product", "Partner")][0]
        started = self.json("process", "start", "task_import_tnms_fibers", "--set", f"partner_id={partner}", *more)
        return self.daemon.wait_process(started["id"], wanted, limit=120)

    def csv_of(self, process_id):
        form = self.daemon.get(f"/api/processes/{process_id}").json()["form"]
        return form["properties"]["csv"]["default"]

    def test_1_D43_everything_works_without_it(self):
        self.assertEqual((self.nms.requests, self.nms.logins), ([], 0))  # the daemon runs, and nobody asked it anything
        _, children = self.imported("device", self.devices("manage"))
        self.assertEqual([c["last_status"] for c in children], ["completed"] * len(NODES))
        self.assertEqual((self.nms.requests, self.nms.logins), ([], 0))

    def test_2_a_preview_comes_first(self):
        process = self.begin("suspended")
        self.assertEqual(self.nms.logins, 1)
        csv = self.csv_of(process["process_id"])
        self.assertEqual(csv.splitlines(), ["device_a,port_a,device_z,port_z,kind,types,lengths_m,key",
                                            "lp.mil1.example.net,1-A-1-L1,lp.fir1.example.net,1-A-2-L1,span,,,s-0",
                                            "lp.mil1.example.net,1-A-2-L1,lp.rom1.example.net,1-A-1-L1,span,,,s-2"])
        state = process["current_state"]["tnms"]
        self.assertEqual((state["found"], state["no_fibers"]), (2, 1))
        self.assertEqual([row["why"] for row in state["left_out"]],
                         ["lp.mil1.example.net has no port 1-A-7-L1", "there is no device lp.nowhere"])
        self.assertEqual(self.json("subscription", "list", "--product", "Optical Fiber"), [])
        bad = self.daemon.put(f"/api/processes/{process['process_id']}/resume", [{"csv": csv.replace("1-A-2-L1,lp.rom1", "1-A-9-L1,lp.rom1")}])
        self.assertEqual(bad.status, 400, bad)
        self.assertIn("has no port 1-A-9-L1", str(bad.body))
        chosen = "\n".join(line.replace("span,,,", "span,G.652.D,62000,") for line in csv.splitlines()[:2]) + "\n"
        self.assertLess(self.daemon.put(f"/api/processes/{process['process_id']}/resume", [{"csv": chosen}]).status, 300)
        self.daemon.wait_process(process["process_id"], "completed", limit=120)
        fiber = self.json("subscription", "show", self.ident("Optical Fiber", "lp.mil1"))["optical_fiber"]
        self.assertEqual(fiber["length_m"], 62000)
        self.assertEqual(self.attribute("lp.mil1", "1-A-1-L1"), "Physically connected to lp.fir1.example.net 1-A-2-L1.")

    def test_3_what_is_there_is_left_out(self):
        process = self.begin("suspended")
        self.assertEqual(len(self.csv_of(process["process_id"]).splitlines()), 2)
        reasons = [row["why"] for row in process["current_state"]["tnms"]["left_out"]]
        self.assertTrue(reasons[0].startswith("it is fiber "), reasons)
        self.cli("process", "abort", process["process_id"], "--yes")

    def test_4_patterns_choose(self):
        done = self.begin("completed", "--set", "node_pattern=none\\..*")
        self.assertEqual(done["current_state"]["tnms"]["found"], 0)
        refused = self.cli("process", "start", "task_import_tnms_fibers", "--set", "node_pattern=(", code=2).stderr
        self.assertIn("not a regular expression", refused)

    def test_5_a_tnms_that_is_away_fails_the_task_alone(self):
        self.nms.away = True
        process = self.begin("waiting")
        self.assertIn("tnms", process["failed_reason"] or "", process)
        self.cli("process", "abort", process["process_id"], "--yes")


class Simulated(Network):
    """The simulator's TNMS: its own certificate, tokens and names; we know none of its devices, and say so of each of its fibers."""
    BASE, NODES = "127.78.8.1", ("flex.rm01",)
    with open(os.path.join(os.path.dirname(flexsim.RING), "service.json"), encoding="utf-8") as topology:
        TOPOLOGY = json.load(topology)

    @classmethod
    def pop_code(cls, node):
        return node[5:].upper()

    @classmethod
    def secrets(cls):
        entry = cls.sim.ports["tnms"]
        os.environ["LIGHTPATH_TNMS_URL"] = f"https://{entry['address']}:{entry['https']}"
        return f"[tnms]\nuser = {flexsim.USER}\npassword = {flexsim.PASSWORD}\ntls_ca = {cls.sim.path('ca.pem')}\n"

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        del os.environ["LIGHTPATH_TNMS_URL"]

    def test_its_fibers_are_understood(self):
        partner = self.json("subscription", "list", "--product", "Partner")[0]["subscription_id"]
        started = self.json("process", "start", "task_import_tnms_fibers", "--set", f"partner_id={partner}",
                            "--set", "port_pattern=.+", "--watch")
        state = self.daemon.get(f"/api/processes/{started['process_id']}").json()["current_state"]["tnms"]
        self.assertEqual((state["found"], state["no_fibers"]), (0, 0))
        self.assertIn({"what": "flex.rm01 1-A-1-L1 to flex.cb00 1-A-1-L1", "why": "there is no device flex.rm01"}, state["left_out"])
        self.assertNotIn(flexsim.PASSWORD, str(self.sim.transcript("tnms")))


if __name__ == "__main__":
    lightpathd.main()
