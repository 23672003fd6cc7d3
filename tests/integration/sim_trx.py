#!/usr/bin/env python3
"""lightpath-sim with transponders: what a G30 and a G42 insist on over HTTPS, light from line port to line port through FlexILS elements,
notifications, software, and every fault of HTTP and TLS."""
import json
import os
import re
import socket
import ssl
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402

TOPOLOGIES = os.path.join(flexsim.ROOT, "sim", "topologies")
PORT = "ne:ne/shelf=1/slot={}/card/port={}"


def topology(name):
    with open(os.path.join(TOPOLOGIES, name + ".json")) as text:
        document = json.load(text)
    for node in document["nodes"]:
        if node["kind"] in ("G30", "G42"):
            node["outage_ms"] = 60000 if node["name"] == "g42.b" else 300
        if node["kind"] == "TNMS":
            node["job_ms"] = 5000
    return document


def until(condition, limit=flexsim.LIMIT):
    """Waits for a condition; its value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value or time.monotonic() > end:
            assert value, "it did not come true"
            return value
        time.sleep(0.02)


class WithSim(unittest.TestCase):
    topology = "g30"
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.sim = flexsim.Sim(topology(cls.topology), options=cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.sim.close()

    def setUp(self):
        self.sim.control(op="reset")

    def refused(self, answer, tag, text=""):
        error = answer["ietf-restconf:errors"]["error"][0]
        self.assertEqual(error["error-tag"], tag, answer)
        self.assertIn(text, error["error-message"])


def g30_line(sim, ne, slot=1, port=1, mode="16QAM_300G", mhz=193500000, power="0.0"):
    sim.patch(ne, PORT.format(slot, port), {"ne:port": [{"port-id": port, "port-mode": mode, "admin-status": "up"}]})
    sim.patch(ne, PORT.format(slot, port) + "/och-os", {"ne:och-os": {
        "frequency": mhz, "rx-frequency": mhz, "laser-enable": "enabled", "admin-status": "up", "required-tx-optical-power": power}})


def crs_path(*points):
    return "ne:ne/services/CRS=" + ",".join(urllib.parse.quote(point, safe="") for point in points)


def point(slot, port, inside, *odu):
    odu = list(odu) + ["unused", 0] * (4 - len(odu) // 2)
    keys = "".join(f"[odutype-L{n + 1}='{odu[2 * n]}'][oduid-L{n + 1}='{odu[2 * n + 1]}']" for n in range(4))
    return f"/ne:ne/shelf[shelf-id='1']/slot[slot-id='{slot}']/card/port[port-id='{port}']/{inside}/odu{keys}"


class G30(WithSim):
    def test_reading(self):
        get = self.sim.get
        self.assertEqual(get("g30.a", "ne:ne", depth=2)["shelf"], {})
        port = get("g30.a", PORT.format(2, 1), depth=2)[0]
        self.assertEqual((port["port-id"], port["port-mode"], port["admin-status"], port["och-os"]), (1, "not-applicable", "down", {}))
        self.assertIsNone(get("g30.a", "ne:ne/services/CRS"))
        self.assertEqual(set(get("g30.a", PORT.format(2, 1), depth=2, content="config")[0]) & {"port-type", "oper-status"}, set())
        self.assertEqual(get("g30.a", "ne:ne", fields="ne-id;shelf(shelf-id;slot(card(required-type)))")["shelf"][0]["slot"][1],
                         {"card": {"required-type": "CHM2T"}})
        self.assertEqual(get("g30.a", "ne:ne/system/sw-management/softwareload", fields="swload-version"), [{"swload-version": "FP4.7.2"}])
        for query in ("depth=0", "depth=x", "colour=red", "depth=1&depth=2", "content=some"):
            self.assertEqual(self.sim.http("g30.a", "GET", "/restconf/data/ne:ne?" + query)[0], 400, query)

    def test_who_and_how(self):
        http, path = self.sim.http, "/restconf/data/ne:ne"
        self.assertEqual(http("g30.a", "GET", path, password="wrong")[0], 401)
        self.assertEqual(http("g30.a", "GET", path, user=None)[0], 401)
        self.assertEqual(http("g30.a", "GET", "/restconf/data/ne:nothing")[0], 404)
        self.assertEqual(http("g30.a", "PUT", path, {})[0], 405)
        self.assertEqual(http("g30.a", "PATCH", path, "{}", headers={"Content-Type": "text/plain"})[0], 415)
        self.assertEqual(http("g30.a", "GET", path, headers={"Accept": "text/html"})[0], 406)
        self.sim.control(op="password", ne="g30.a", password="another")
        self.assertEqual(http("g30.a", "GET", path)[0], 401)
        self.assertEqual(http("g30.a", "GET", path, password="another")[0], 200)

    def test_modes(self):
        patch = self.sim.patch
        path = PORT.format(2, 1)
        self.refused(patch("g30.a", path, {"port": [{"port-id": 1, "port-mode": "8QAM_300G"}]}, 400), "invalid-value")
        self.refused(patch("g30.a", PORT.format(2, 3), {"port": [{"port-id": 3, "port-mode": "16QAM_300G"}]}, 400), "invalid-value")
        self.refused(patch("g30.a", path, {"port": [{"port-id": 2, "port-mode": "QPSK_200G"}]}, 400), "invalid-value", "path")
        self.refused(patch("g30.a", path, {"port": [{"port-id": 1, "oper-status": "up"}]}, 400), "access-denied")
        self.refused(patch("g30.a", path, {"port": [{"port-id": 1, "colour": "red"}]}, 400), "unknown-element")
        patch("g30.a", path, {"port": [{"port-id": "1", "port-mode": "16QAM_300G", "admin-status": "up", "service-label": "LP-42"}]})
        self.refused(patch("g30.a", path, {"port": [{"port-id": 1, "port-mode": "QPSK_200G"}]}, 409), "operation-failed", "down")
        och = self.sim.get("g30.a", path + "/och-os", depth=4)
        self.assertEqual((och["modulation-format"], och["rate-class"], och["fec-type"]), ("DP-16QAM", "300G", "SDFEC27ND"))
        self.assertEqual([odu["oduid-L2"] for odu in och["otuc3"]["odu"]], [1, 2, 3])
        patch("g30.a", path, {"port": [{"port-id": 1, "admin-status": "down"}]})
        self.refused(patch("g30.a", PORT.format(2, 2), {"port": [{"port-id": 2, "port-mode": "16QAM_500G_C"}]}, 409), "operation-failed", "lower")
        patch("g30.a", path, {"port": [{"port-id": 1, "port-mode": "16QAM_500G_C"}]})
        self.assertEqual(self.sim.get("g30.a", PORT.format(2, 2), depth=2)[0]["port-mode"], "16QAM_500G_C")
        patch("g30.a", path, {"port": [{"port-id": 1, "port-mode": "not-applicable"}]})
        self.assertNotIn("otuc5", self.sim.get("g30.a", path + "/och-os", depth=4))

    def test_cross_connections(self):
        sim = self.sim
        self.assertEqual(sim.http("g30.a", "PATCH", "/restconf/data/" + PORT.format(2, 3) + "/eth100g", {"eth100g": {"admin-status": "up"}})[0], 404)
        g30_line(sim, "g30.a", 2)
        for client in (3, 4, 5, 6):
            sim.patch("g30.a", PORT.format(2, client), {"port": [{"port-id": client, "port-mode": "100GBE", "admin-status": "up"}]})
        client, line = point(2, 3, "eth100g", "odu4", 1), point(2, 1, "och-os/otuc3", "oduc3", 1, "odu4", 1)
        body = {"CRS": [{"src-tp": line, "dst-tp": client, "service-label": "LP-42"}]}
        sim.patch("g30.a", crs_path(line, client), body)
        self.assertEqual(sim.get("g30.a", "ne:ne/services/CRS", depth=2, content="config"), body["CRS"])
        other = point(2, 4, "eth100g", "odu4", 1)
        self.refused(sim.patch("g30.a", crs_path(line, other), {"CRS": [{"src-tp": line, "dst-tp": other}]}, 409), "in-use")
        wrong = point(2, 9, "eth100g", "odu4", 1)
        self.refused(sim.patch("g30.a", crs_path(line, wrong), {"CRS": [{"src-tp": line, "dst-tp": wrong}]}, 400), "invalid-value")
        self.refused(sim.patch("g30.a", crs_path(line, client), {"CRS": [{"src-tp": line, "dst-tp": other}]}, 400), "invalid-value")
        sim.patch("g30.a", PORT.format(2, 3), {"port": [{"port-id": 3, "admin-status": "down"}]})
        self.refused(sim.patch("g30.a", PORT.format(2, 3), {"port": [{"port-id": 3, "port-mode": "not-applicable"}]}, 409), "operation-failed")
        self.assertEqual(sim.http("g30.a", "DELETE", "/restconf/data/" + crs_path(line, client))[0], 204)
        self.assertEqual(sim.http("g30.a", "DELETE", "/restconf/data/" + crs_path(line, client))[0], 404)
        self.assertIsNone(sim.get("g30.a", "ne:ne/services/CRS"))

    def test_fixed_cross_connections_of_a_chm1(self):
        sim = self.sim
        g30_line(sim, "g30.a", 1, mode="16QAM_200G")
        sim.patch("g30.a", PORT.format(1, 4), {"port": [{"port-id": 4, "port-mode": "100GBE", "admin-status": "up"}]})
        rows = sim.get("g30.a", "ne:ne/services/CRS")
        self.assertEqual(len(rows), 1)
        self.assertIn("[oduid-L2='2']", rows[0]["src-tp"])
        path = crs_path(rows[0]["src-tp"], rows[0]["dst-tp"])
        self.assertEqual(sim.http("g30.a", "DELETE", "/restconf/data/" + path)[0], 409)
        sim.patch("g30.a", path, {"CRS": [dict(rows[0], **{"service-label": "LP-1"})]})
        self.assertEqual(sim.get("g30.a", "ne:ne/services/CRS")[0]["service-label"], "LP-1")

    def test_400g_and_room(self):
        sim = self.sim
        g30_line(sim, "g30.a", 2, mode="64QAM_500G")
        sim.patch("g30.a", PORT.format(2, 3), {"port": [{"port-id": 3, "port-mode": "400GBE", "admin-status": "up"}]})
        for client in (4, 5):
            sim.patch("g30.a", PORT.format(2, client), {"port": [{"port-id": client, "port-mode": "100GBE", "admin-status": "up"}]})

        def connect(client, inside, kind, n, expect=204):
            ends = point(2, 1, "och-os/otuc5", "oduc5", 1, kind, n), point(2, client, inside, kind, 1)
            return sim.patch("g30.a", crs_path(*ends), {"CRS": [{"src-tp": ends[0], "dst-tp": ends[1]}]}, expect)
        connect(3, "eth400g", "oduflex", 1)
        connect(4, "eth100g", "odu4", 3)
        self.refused(connect(5, "eth100g", "odu4", 4, 409), "resource-denied")

    def test_light_alarms_and_counters(self):
        sim = self.sim
        entity = "/ne:ne/shelf[shelf-id='1']/slot[slot-id='2']/card/port[port-id='1']/och-os"

        def conditions():
            return [(row["fm-entity"], row["condition-type"]) for row in sim.get("g30.a", "ne:ne/fault/standing-condition") or []]
        self.assertEqual(conditions(), [])
        g30_line(sim, "g30.a", 2)
        self.assertEqual(conditions(), [(entity, "LOS")])
        g30_line(sim, "g30.b", 2, mode="16QAM_200G", power="-1.5")
        self.assertEqual(conditions(), [(entity, "LOF")])
        sim.patch("g30.b", PORT.format(2, 1), {"port": [{"port-id": 1, "admin-status": "down"}]})
        sim.patch("g30.b", PORT.format(2, 1), {"port": [{"port-id": 1, "port-mode": "16QAM_300G", "admin-status": "up"}]})
        self.assertEqual(conditions(), [])
        och = sim.get("g30.a", PORT.format(2, 1) + "/och-os", depth=2)
        self.assertEqual(och["rx-optical-power"], "-4.5")
        self.assertGreater(float(och["Q-factor"]), 8)
        rows = sim.rpc("g30.a", "coriant-rpc:get-pm", pm_entity=entity, pm_parameter="Q-factor")["pm-data"]
        self.assertEqual([(row["pm-parameter"], row["pm-entity"]) for row in rows], [("Q-factor", entity)])
        sim.control(op="cut", span="a-b")
        self.assertEqual(conditions(), [(entity, "LOS")])
        sim.control(op="repair", span="a-b")
        sim.patch("g30.b", PORT.format(2, 1) + "/och-os", {"och-os": {"frequency": 193600000}})
        self.assertEqual(conditions(), [(entity, "LOS")], "another frequency")
        planted = {"fm-entity": "/ne:ne", "condition-type": "FAN", "severity-level": "major"}
        sim.control(op="alarm", ne="g30.a", row=planted)
        self.assertIn(("/ne:ne", "FAN"), conditions())

    def test_software(self):
        sim = self.sim
        sim.control(op="reset")
        out = sim.rpc("g30.a", "coriant-rpc:download", filetype="swimage", source="sftp://repo:secret@192.0.2.10/img/FP4.8.0.tar", password="x")
        self.assertEqual(out["status"], "Successful")
        loads = sim.get("g30.a", "ne:ne/system/sw-management/softwareload")
        self.assertEqual([row["swload-version"] for row in loads], ["FP4.7.2", "FP4.8.0"])
        self.assertEqual(sim.rpc("g30.a", "coriant-rpc:activate-file", filetype="swimage", db_action="upgrade-db")["status"], "In-progress")

        def active():
            try:
                rows = sim.get("g30.a", "ne:ne/system/sw-management/softwareload")
                return rows[0]["swload-version"] == "FP4.8.0" and rows
            except (ConnectionError, ssl.SSLError, OSError):
                return None
        self.assertEqual(until(active)[1]["swload-version"], "FP4.7.2")
        text = sim.rpc("g30.a", "coriant-rpc:cli-command", commands="show current-fw-version | display json")["result"]
        self.assertEqual(text.count('"fw-state":"not-current"'), 2)
        sim.rpc("g30.a", "coriant-rpc:restart", entity_id="/ne:ne/shelf[shelf-id='1']/slot[slot-id='2']/card", restart_type="warm", dsp_upgrade=[None])
        text = sim.rpc("g30.a", "coriant-rpc:cli-command", commands="show current-fw-version | display json")["result"]
        self.assertEqual(text.count('"fw-state":"not-current"'), 1)
        self.assertIn("ERROR", sim.rpc("g30.a", "coriant-rpc:cli-command", commands="sing")["result"])
        log = json.dumps(sim.transcript("g30.a"))
        self.assertNotIn("secret", log)
        self.assertIn("192.0.2.10", log)

    def test_rollback(self):
        sim = self.sim
        before = sim.hash(ne="g30.a")
        n = sim.rpc("g30.a", "coriant-rpc:create-rollback-point", description="LP-42 before")["created-rollback-point-id"]
        g30_line(sim, "g30.a", 2)
        self.assertNotEqual(sim.hash(ne="g30.a"), before)
        self.assertIn("port-mode", json.dumps(sim.rpc("g30.a", "coriant-rpc:diff", target_rollback_point=n)))
        self.assertEqual(sim.rpc("g30.a", "coriant-rpc:rollback", target_rollback_point=n)["status"], "Successful")
        self.assertEqual(sim.hash(ne="g30.a"), before)

    def test_drift_and_transcript(self):
        sim = self.sim
        path = PORT.format(2, 1)
        sim.control(op="set", ne="g30.a", path=path, leaves={"service-label": "mine"})
        self.assertEqual(sim.get("g30.a", path, depth=2)[0]["service-label"], "mine")
        self.assertFalse(sim.control(ok=False, op="set", ne="g30.a", path=path, leaves={"port-mode": "nonsense"})["ok"])
        rows = [row for row in sim.transcript("g30.a") if row["dir"] == "in"]
        self.assertFalse(rows[-1]["writes"])
        self.assertEqual((rows[-1]["element"], rows[-1]["protocol"], rows[-1]["method"]), ("g30.a", "https", "GET"))


CARRIER = "ioa-network-element:ne/facilities/optical-carrier={}"
G42_NE = "ioa-network-element:ne"


def g42_line(sim, ne, ports=("1-4-L1",), mode="400E.84P", mhz=193500000):
    for port in ports:
        sim.patch(ne, f"{G42_NE}/equipment/card=1-4/port={port[4:]}", {"port": [{"name": port[4:], "admin-state": "unlock"}]})
        sim.patch(ne, f"{G42_NE}/facilities/super-channel-group={port}", {"super-channel-group": [{"name": port, "admin-state": "unlock"}]})
    name = "_".join(ports)
    sim.patch(ne, f"{G42_NE}/facilities/super-channel={name}", {"super-channel": [
        {"name": name, "carrier-mode": mode, "carriers": [port + "-1" for port in ports], "admin-state": "unlock"}]})
    for n, port in enumerate(ports):
        sim.patch(ne, CARRIER.format(port + "-1"), {"optical-carrier": [{"name": port + "-1", "frequency": str(mhz + n * 100000), "admin-state": "unlock"}]})


def g42_client(sim, ne, name="T1", speed="100G"):
    pluggable, phy = ("gx:QSFP28", "100G") if speed == "100G" else ("gx:QSFPDD", "400GE")
    port = f"{G42_NE}/equipment/card=1-4/port={name}"
    sim.patch(ne, port, {"port": [{"name": name, "admin-state": "unlock"}]})
    sim.patch(ne, port + "/tom", {"tom": {"required-type": pluggable, "phy-mode": phy, "admin-state": "unlock"}})
    sim.patch(ne, f"{G42_NE}/facilities/trib-ptp=1-4-{name}", {"trib-ptp": [{"name": "1-4-" + name, "service-type": speed + "BE", "admin-state": "unlock"}]})
    sim.patch(ne, f"{G42_NE}/facilities/ethernet=1-4-{name}", {"ethernet": [{"name": "1-4-" + name, "fec-mode": "enabled", "admin-state": "unlock"}]})


def xcon(sim, ne, client, slots, payload="100GBE", expect=204, odu="1-4-L1-1-ODUCni"):
    return sim.rpc(ne, "ioa-services:create-xcon", expect=expect, source=f"/ioa-ne:ne/facilities/ethernet[name='1-4-{client}']",
                   dst_parent_odu=odu, dst_time_slots=slots, payload_type=payload, direction="two-way", label="LP-42", circuit_id_suffix="LP-42")


class G42(WithSim):
    topology = "g42"

    def test_objects_come_and_go(self):
        sim = self.sim
        self.assertEqual(sim.http("g42.a", "PATCH", "/restconf/data/" + CARRIER.format("1-4-L1-1"), {"optical-carrier": [{"name": "1-4-L1-1"}]})[0], 404)
        self.assertIsNone(sim.get("g42.a", G42_NE + "/services/xcon"))
        g42_line(sim, "g42.a")
        channel = sim.get("g42.a", G42_NE + "/facilities/super-channel", depth=2)[0]
        self.assertEqual((channel["carriers"], channel["spectral-bandwidth"]), (["1-4-L1-1"], "100.0"))
        carrier = sim.get("g42.a", CARRIER.format("1-4-L1-1"), depth=2)[0]
        self.assertEqual(carrier["frequency"], "193500000", "64 bits are a string")
        self.assertEqual(sim.get("g42.a", G42_NE + "/facilities/odu=1-4-L1-1-ODUCni")[0]["available-time-slots"], "1..320")
        path = G42_NE + "/facilities/super-channel=1-4-L1"
        self.refused(sim.patch("g42.a", path, {"super-channel": [{"name": "1-4-L1", "carrier-mode": "400E.63U"}]}, 409), "operation-failed")
        self.refused(sim.patch("g42.a", path, {"super-channel": [{"name": "1-4-L1", "carrier-mode": "400E.96P"}]}, 400), "invalid-value")
        self.assertEqual(sim.http("g42.a", "DELETE", "/restconf/data/" + path)[0], 409)
        sim.patch("g42.a", path, {"super-channel": [{"name": "1-4-L1", "admin-state": "lock"}]})
        self.assertEqual(sim.http("g42.a", "DELETE", "/restconf/data/" + path)[0], 204)
        self.assertIsNone(sim.get("g42.a", CARRIER.format("1-4-L1-1")))
        self.assertIsNone(sim.get("g42.a", G42_NE + "/facilities/odu"))

    def test_words_and_ranges(self):
        sim = self.sim
        port = G42_NE + "/equipment/card=1-4/port=L1"
        self.refused(sim.patch("g42.a", port, {"port": [{"name": "L1", "admin-state": "up"}]}, 400), "invalid-value")
        sim.patch("g42.a", port, {"port": [{"name": "L1", "admin-state": "maintenance"}]})
        g42_line(sim, "g42.a")
        for frequency in ("193500001", "190000000", "abc"):
            self.refused(sim.patch("g42.a", CARRIER.format("1-4-L1-1"), {"optical-carrier": [{"name": "1-4-L1-1", "frequency": frequency}]}, 400), "invalid-value")
        self.refused(sim.patch("g42.a", G42_NE + "/facilities/super-channel=1-4-L2", {"super-channel": [{"name": "1-4-L2", "carriers": ["1-4-L1-1"]}]}, 400),
                     "invalid-value")

    def test_cross_connections_and_slots(self):
        sim = self.sim
        g42_line(sim, "g42.a", mode="600E.84P")
        for name in ("T1", "T2"):
            g42_client(sim, "g42.a", name)
        g42_client(sim, "g42.a", "T3", "400G")
        odu = G42_NE + "/facilities/odu=1-4-L1-1-ODUCni"
        xcon(sim, "g42.a", "T1", "1..80")
        self.assertEqual(sim.get("g42.a", odu)[0]["available-time-slots"], "81..480")
        self.refused(xcon(sim, "g42.a", "T1", "81..160", expect=412), "operation-failed", "exists")
        self.refused(xcon(sim, "g42.a", "T2", "41..120", expect=409), "resource-denied")
        self.refused(xcon(sim, "g42.a", "T2", "81..200", expect=400), "invalid-value")
        self.refused(xcon(sim, "g42.a", "T2", "81..160", "400GBE", 400), "invalid-value")
        xcon(sim, "g42.a", "T3", "161..480", "400GBE")
        self.assertEqual(sim.get("g42.a", odu)[0]["available-time-slots"], "81..160")
        rows = {row["name"]: row for row in sim.get("g42.a", G42_NE + "/services/xcon", depth=2, content="config")}
        self.assertEqual(set(rows), {"1-4-T1,1-4-L1-1-ODUflexi-1", "1-4-T3,1-4-L1-1-ODUflexi-2"})
        path = G42_NE + "/services/xcon=1-4-T1%2C1-4-L1-1-ODUflexi-1"
        sim.patch("g42.a", path, {"xcon": [{"name": "1-4-T1,1-4-L1-1-ODUflexi-1", "label": "LP-42b"}]})
        self.refused(sim.patch("g42.a", path, {"xcon": [{"name": "1-4-T1,1-4-L1-1-ODUflexi-1", "payload-type": "OTU4"}]}, 409), "operation-failed")
        self.assertEqual(sim.http("g42.a", "DELETE", "/restconf/data/" + path)[0], 204)
        self.assertEqual(sim.http("g42.a", "DELETE", "/restconf/data/" + path)[0], 404)
        self.assertEqual(sim.get("g42.a", odu)[0]["available-time-slots"], "1..160")
        self.assertEqual(sim.control(op="count", ne="g42.a", path=G42_NE + "/services/xcon")["count"], 1)

    def test_coupled_lines(self):
        sim = self.sim
        for ne in ("g42.a", "g42.b"):
            g42_line(sim, ne, ("1-4-L1", "1-4-L2"), "800E.84U")
        channel = sim.get("g42.a", G42_NE + "/facilities/super-channel=1-4-L1_1-4-L2")[0]
        self.assertEqual(channel["spectral-bandwidth"], "200.0")
        self.assertEqual(sim.get("g42.a", G42_NE + "/facilities/odu")[0]["available-time-slots"], "1..1280")
        self.assertEqual(sim.get("g42.a", CARRIER.format("1-4-L2-1"))[0]["rx-power"], "-3.00")

    def test_etags_and_cookies(self):
        sim = self.sim
        path = "/restconf/data/" + G42_NE
        _, _, headers = sim.http("g42.a", "GET", path, depth=1)
        body = {G42_NE: {"label": "x"}}
        self.assertEqual(sim.http("g42.a", "PATCH", path, body, {"If-Match": headers["ETag"]})[0], 204)
        self.assertEqual(sim.http("g42.a", "PATCH", path, body, {"If-Match": headers["ETag"]})[0], 412)
        status, _, headers = sim.http("g42.a", "POST", "/login", {"username": flexsim.USER, "password": flexsim.PASSWORD}, user=None)
        self.assertEqual(status, 204)
        cookie = headers["Set-Cookie"].split(";")[0]
        self.assertEqual(sim.http("g42.a", "GET", path, headers={"Cookie": cookie}, user=None, depth=1)[0], 200)
        sim.http("g42.a", "POST", "/logout", headers={"Cookie": cookie})
        self.assertEqual(sim.http("g42.a", "GET", path, headers={"Cookie": cookie}, user=None, depth=1)[0], 401)
        self.assertIn(b"/restconf", sim.http("g42.a", "GET", "/.well-known/host-meta", user=None)[1])

    def test_notifications(self):
        sim = self.sim
        for ne in ("g42.a", "g42.b"):
            g42_line(sim, ne)
        where = sim.get("g42.a", "ietf-restconf-monitoring:restconf-state/streams/stream")[0]["access"][0]["location"]
        connection = sim.https("g42.a")
        import base64
        secret = base64.b64encode(f"{flexsim.USER}:{flexsim.PASSWORD}".encode()).decode()
        connection.request("GET", where, headers={"Accept": "text/event-stream", "Authorization": "Basic " + secret})
        answer = connection.getresponse()
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")

        def event(kind="ioa-alarm:alarm-notification"):
            while True:
                line = answer.readline()
                if line.startswith(b"data: "):
                    return json.loads(line[6:])["ietf-restconf:notification"][kind]
        sim.patch("g42.a", G42_NE, {G42_NE: {"label": "x"}})
        self.assertEqual(event("ietf-netconf-notifications:netconf-config-change")["edit"][0]["target"], "/" + G42_NE)
        sim.control(op="cut", span="a-b-1")
        raised = event()
        self.assertEqual((raised["alarm-type"], raised["AID"], raised["perceived-severity"]), ("OLOS", "1-4-L1-1", "critical"))
        listed = sim.get("g42.a", "ioa-alarm:alarms/current-alarms")
        self.assertEqual((listed["number-of-alarms"], listed["alarm"][0]["alarm-id"]), (1, raised["alarm-id"]))
        sim.control(op="repair", span="a-b-1")
        self.assertEqual(event()["perceived-severity"], "cleared")
        connection.close()
        self.assertIsNone(sim.get("g42.a", "ioa-alarm:alarms/current-alarms/alarm"))

    def test_counters_and_software(self):
        sim = self.sim
        for ne in ("g42.a", "g42.b"):
            g42_line(sim, ne)
        out = sim.rpc("g42.a", "ioa-pm:get-pm", data_type="real-time", filter=[{"filter-id": 1, "parameter": "gx:pre-fec-q"}])
        self.assertEqual(out["number-of-result-records"], 1)
        self.assertGreater(float(out["pm-record"][0]["pm-value"]), 7)
        out = sim.rpc("g42.a", "ioa-rpc:download", filetype="swimage", source="sftp://repo@192.0.2.10/gx-8.0.2.bin", **{"async": True}, unattended=True)
        self.assertTrue(out["download-result"].startswith("Download will happen in the background"))

        def active():
            try:
                return sim.get("g42.a", G42_NE + "/system/sw-management/software-load=active")[0]["swload-version"] == "R8.0.2"
            except (ConnectionError, ssl.SSLError, OSError):
                return False
        until(active)
        rows = sim.rpc("g42.a", "ioa-rpc:cli-command", commands="show current-fw fw-status=not-current | inc DCO-MCU-DSP-P")["result"]
        self.assertIn("current-fw-1-4/DCO-MCU-DSP-P", rows)
        sim.rpc("g42.b", "ioa-rpc:restart", resource="/ioa-ne:ne/equipment/card[name='1-4']", type="cold")
        show = "show alarm alarm-type=EQPTCPRESET"
        self.assertIn("EQPTCPRESET", sim.rpc("g42.b", "ioa-rpc:cli-command", commands=show)["result"])
        self.assertEqual(sim.control(op="power", ne="g42.a", port="1-4-L1")["in_cdbm"], -6000, "its lasers are off")
        sim.control(op="clock", advance_ms=61000)
        self.assertEqual(sim.rpc("g42.b", "ioa-rpc:cli-command", commands=show)["result"], "")


ENT_OEL = ("ENT-OEL:flex.rm01:rm01-cb00-bo01:TAG001:::LABEL=rm01-bo01,SRCNODENAME=flex.rm01,DSTNODENAME=flex.bo01,MODULATION=PM-NONE,"
           "ENCODMOD=None,RATE=NA,SPECTYPE=NA,CARDTYPE=UNKNOWN,FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,COMPCARDTYPELIST=UNKNOWN,"
           "VALIDFRANGELIST=191325000&196125000,SRCPOWEROFFSET=0,DSTPOWEROFFSET=0,"
           "EXPLICITROUTE=flex.rm01&1-A-1-L1&flex.bo01&1-A-1-L1,OELSOURCE=MANUAL,GAURDBAND=0,NUMFECITRNS=4:IS;")
ENT_OSNC = ("ENT-OSNC:flex.rm01:1-E1-1-T1A-1:TAG002:::LABEL=f007c01,REMENDPOINT=1-E1-1-T2A-1,REMNODETID=flex.bo01,OELAID=rm01-cb00-bo01,"
            "RESTORABLE=NONE,CKTIDSUFFIX=OCh042_rm01-bo01,PREPROV=TRUE,PASSBANDLIST=193462500&193537500,CARRIERLIST=193500000&75000,"
            "AUTORETUNELMSCH=DISABLED,SRCRXSCHOFFSET=0,DSTRXSCHOFFSET=0,FAULTSOAKTIMER=5,BAUDRATE=NA,MODULATION=PM-NONE,"
            "FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,SRCSCHPOWEROFFSET=0,DSTSCHPOWEROFFSET=0,ROUTETYPE=OEL,INTRACARRSPECSHAPING=ENABLED,"
            "DIGITRIGGER=FALSE,RESTORATIONTRIGGER=OPTICALSF:IS;")


class Light(WithSim):
    """The service of one channel: two transponders, two ROADMs, an amplifier."""
    topology = "service"

    def command(self, text):
        return self.sim.control(op="command", text=text)

    def rx(self, ne):
        return self.sim.control(op="power", ne=ne, port="port-1/1/1")["in_cdbm"]

    def opr(self, ne, aid):
        return self.sim.control(op="power", ne=ne, **{"class": "SCH"}, aid=aid)["in_cdbm"]

    def shutter(self, ne, aid, state="OPEN"):
        for text in (f"RMV-SCH:{ne}:{aid}:A1::;", f"ED-SCH:{ne}:{aid}:A2:::SHUTTERSTATE={state}:;", f"RST-SCH:{ne}:{aid}:A3::::;"):
            self.command(text)

    def test_from_end_to_end(self):
        sim = self.sim
        for ne in ("g30.rm01", "g30.bo01"):
            g30_line(sim, ne)
        for ne, port in (("flex.rm01", "1-E1-1-T1A"), ("flex.bo01", "1-E1-1-T2A")):
            self.command(f"ED-SCG:{ne}:{port}:A1:::INTFTYP=MANUALMODE-2:;")
            self.command(f"ED-SCG:{ne}:{port}:A2::::IS;")
        self.assertEqual(self.rx("g30.rm01"), -6000)
        for text in (ENT_OEL, ENT_OSNC):
            self.command(text)
        self.assertEqual(self.rx("g30.rm01"), -6000, "the shutters are closed")
        self.shutter("flex.rm01", "1-E1-1-T1A-1")
        self.assertEqual(self.rx("g30.rm01"), -6000, "the other end's shutter is closed")
        self.assertEqual(self.rx("g30.bo01"), -350)
        self.shutter("flex.bo01", "1-E1-1-T2A-1")
        self.assertEqual(self.rx("g30.rm01"), -350)
        self.assertIsNone(sim.get("g30.rm01", "ne:ne/fault/standing-condition"))
        self.assertAlmostEqual(self.opr("flex.rm01", "1-E1-1-T1A-1"), -50, delta=11)
        sim.patch("g30.rm01", PORT.format(1, 1) + "/och-os", {"och-os": {"required-tx-optical-power": "-7.5"}})
        self.assertAlmostEqual(self.opr("flex.rm01", "1-E1-1-T1A-1"), -800, delta=11)
        for change in ({"frequency": 193600000}, {"frequency": 193500000, "laser-enable": "disabled"}):
            sim.patch("g30.rm01", PORT.format(1, 1) + "/och-os", {"och-os": change})
            self.assertEqual(self.rx("g30.bo01"), -6000, change)
            self.assertEqual(self.opr("flex.rm01", "1-E1-1-T1A-1"), -6000)
        sim.patch("g30.rm01", PORT.format(1, 1) + "/och-os", {"och-os": {"laser-enable": "enabled"}})
        self.assertEqual(self.rx("g30.bo01"), -350)
        sim.control(op="cut", span="rm01-cb00")
        self.assertEqual(self.rx("g30.bo01"), -6000)
        self.assertEqual(sim.get("g30.bo01", "ne:ne/fault/standing-condition")[0]["condition-type"], "LOS")
        sim.control(op="repair", span="rm01-cb00")
        sim.control(op="cut", span="g30-bo01")
        self.assertEqual((self.rx("g30.bo01"), self.rx("g30.rm01")), (-6000, -6000))

    def test_power_alignment_converges(self):
        sim = self.sim
        self.test_from_end_to_end()
        sim.control(op="repair", span="g30-bo01")
        session = sim.login("flex.rm01")
        aid, power = "1-E1-1-T1A-1", -7.5
        for _ in range(3):
            target = float(session.run(f"RTRV-SCH:flex.rm01:{aid}:{session.tag()}::::;").get("TARGETOPR"))
            record = session.run(f"RTRV-PM-SCH:flex.rm01:{aid}:{session.tag()}::OPR::;").records[0]
            delta = round(float(record.split(":")[1].split(",")[1]) - target, 1)
            if 0.0 <= delta <= 1.5:
                break
            power = round(power - delta + 0.7, 1)
            sim.patch("g30.rm01", PORT.format(1, 1) + "/och-os", {"och-os": {"required-tx-optical-power": f"{power:.1f}"}})
        else:
            self.fail(f"no convergence, delta {delta}")


class Tnms(WithSim):
    topology = "service"
    CONTEXT = "/data/tapi-common:context/tapi-equipment:physical-context"
    MODULE = "tapi-equipment-extensions-cli"

    def login(self, password=flexsim.PASSWORD):
        status, body, _ = self.sim.http("tnms", "POST", "/auth", f"user={flexsim.USER}&password={password}", user=None,
                                        headers={"Content-Type": "application/x-www-form-urlencoded"})
        return status, body

    def ask(self, method, path, body=None, **query):
        return self.sim.http("tnms", method, path, body, user=None, headers={"Authorization": "Bearer " + self.token}, **query)

    def setUp(self):
        super().setUp()

        def token():
            try:
                return self.login()[1]["access_token"]
            except OSError:
                return None  # it still restarts
        self.token = until(token)

    def test_tokens(self):
        self.assertEqual(self.login("wrong")[0], 401)
        self.assertEqual(self.sim.http("tnms", "GET", self.CONTEXT)[0], 401, "no Basic")
        self.assertEqual(self.ask("GET", self.CONTEXT)[0], 200)
        self.sim.control(op="clock", advance_ms=61000)
        self.assertEqual(self.ask("GET", self.CONTEXT)[0], 401)

    def test_devices_and_fibers(self):
        value = self.ask("GET", self.CONTEXT, fields="device(name;uuid;access-port(uuid;name(value)));physical-span(access-port)")[1]
        context = value["tapi-equipment:physical-context"]
        names = {device["name"][0]["value"]: device for device in context["device"]}
        self.assertEqual(set(names), {"flex.rm01", "flex.cb00", "flex.bo01", "g30.rm01", "g30.bo01"})
        ports = {port["uuid"]: (name, port["name"][0]["value"]) for name, device in names.items() for port in device["access-port"]}
        spans = {frozenset(ports[end["access-port-uuid"]] for end in span["access-port"]) for span in context["physical-span"]}
        self.assertIn(frozenset({("flex.rm01", "Line PTP 1-A-1.L1"), ("flex.cb00", "Line PTP 1-A-1.L1")}), spans)
        self.assertIn(frozenset({("flex.rm01", "Tributary PTP 1-E1-1.T1A"), ("g30.rm01", "Line PTP 1.1.1")}), spans)
        self.sim.control(op="hide", ne="tnms", span="rm01-cb00")
        fewer = self.ask("GET", self.CONTEXT, fields="physical-span(uuid)")[1]["tapi-equipment:physical-context"]
        self.assertEqual(len(fewer["physical-span"]), len(spans) - 1)
        one = self.ask("GET", self.CONTEXT + "/device=" + names["flex.rm01"]["uuid"], fields="name;access-port")[1]
        self.assertEqual(one["tapi-equipment:device"][0]["name"][0]["value"], "flex.rm01")

    def job(self, *commands, policy="ABORT"):
        context = self.ask("GET", self.CONTEXT, fields="device(name;uuid)")[1]["tapi-equipment:physical-context"]
        uuid = [device["uuid"] for device in context["device"] if device["name"][0]["value"] == "flex.rm01"][0]
        status, out, _ = self.ask("POST", f"/operations/{self.MODULE}:run-cli-script/", {self.MODULE + ":input": {
            "device-list": [uuid], "commands": list(commands), "channel": "TL1", "error-policy": policy}})
        self.assertEqual(status, 200, out)

        def result():
            answer = self.ask("POST", f"/operations/{self.MODULE}:get-cli-script-result/", {self.MODULE + ":input": {"id": out[self.MODULE + ":output"]["id"]}})[1]
            return answer[self.MODULE + ":output"]
        self.assertIn(result()["status"], ("PENDING", "RUNNING"))
        self.sim.control(op="clock", advance_ms=5000)
        result = result()
        return result["status"], [(row["status"], row["output"]) for row in result["device-results"][0]["responses"]]

    def test_scripts(self):
        login, logout = "ACT-USER:flex.rm01:svc_orch:WF01::s3cr3t;", "CANC-USER:flex.rm01:svc_orch:WF03;"
        status, rows = self.job(login, "RTRV-OTS:flex.rm01::WF02::::;", logout)
        self.assertEqual((status, [row[0] for row in rows]), ("FINISHED", ["FINISHED"] * 3))
        self.assertIn("1-A-1-L1:OTS:", rows[1][1])
        self.assertIn("M  WF02 COMPLD", rows[1][1])
        status, rows = self.job("RTRV-OTS:flex.rm01::WF02::::;", login)
        self.assertEqual((status, len(rows)), ("FAILED", 1))
        status, rows = self.job("RTRV-OTS:flex.rm01::WF02::::;", login, policy="CONTINUE")
        self.assertEqual((status, [row[0] for row in rows]), ("FINISHED", ["FAILED", "FINISHED"]))
        self.assertNotIn("s3cr3t", json.dumps(self.sim.transcript("tnms")))
        self.sim.faults({"match": {"path": "*result*"}, "do": {"fault": "restart", "down_ms": 50}})
        with self.assertRaises((OSError, flexsim.http.client.HTTPException)):
            self.job(login)


def status_of(case, **do):
    case.sim.faults({"match": {"verb": "GET"}, "do": do})
    return case.sim.http("g30.a", "GET", "/restconf/data/ne:ne", depth=1)


class Faults(WithSim):
    PATH = "/restconf/data/" + PORT.format(2, 1)
    BODY = {"port": [{"port-id": 1, "service-label": "LP-42", "connected-to": "x"}]}

    def label(self):
        return self.sim.control(op="get", ne="g30.a", path=PORT.format(2, 1))["value"]["ne:port"][0]["service-label"]

    def test_table_is_complete(self):
        with open(os.path.join(flexsim.ROOT, "sim", "faults.def")) as text:
            rows = set(re.findall(r'^SIM_FAULT\(\w+, +"([a-z-]+)".*"(?:HTTP|TLS):', text.read(), re.M))
        self.assertEqual(rows, {"status", "body", "redirect", "ignore", "hang-up", "tls"})

    def test_statuses(self):
        for status in (400, 401, 403, 409, 412, 429, 500, 502, 503, 504):
            got, body, headers = status_of(self, fault="status", status=status, retry_after=7)
            self.assertEqual((got, headers["Retry-After"]), (status, "7"))
            self.assertIn("ietf-restconf:errors", body)
        self.assertIn(b"<html>", status_of(self, fault="status", status=502, body="html")[1])
        self.assertIsNone(status_of(self, fault="status", status=500, body="none")[1])
        got, _, headers = status_of(self, fault="redirect", location="https://192.0.2.1/")
        self.assertEqual((got, headers["Location"]), (302, "https://192.0.2.1/"))
        self.assertEqual(status_of(self, fault="login")[0], 401)
        self.assertEqual(status_of(self, fault="hide")[0], 404)

    def test_bodies(self):
        import http.client
        for variant in ("truncated", "malformed", "html", "empty", "null", "bom", "duplicate", "deep", "invalid-utf8", "wrong-type", "wrong-length", "gzip"):
            try:
                status, _, headers = status_of(self, fault="body", variant=variant)
            except RecursionError:
                continue
            self.assertEqual(status, 200, variant)
        for variant in ("half", "bad-chunk"):
            with self.assertRaises((http.client.IncompleteRead, http.client.HTTPException, ConnectionError, ValueError, ssl.SSLError), msg=variant):
                status_of(self, fault="body", variant=variant)
        self.assertEqual(len(status_of(self, fault="body", variant="huge", bytes=100000)[1]["a"]), 100032)

    def test_effect_before_or_after_the_cut(self):
        for how in ("fin", "rst"):
            for fault in ("drop", "drop-mid-reply"):
                for state in ("executed", "not-executed"):
                    self.sim.control(op="reset")
                    self.sim.faults({"match": {"method": "PATCH", "path": "*port=1"}, "when": {"state": state}, "do": {"fault": fault, "how": how}})
                    try:
                        self.sim.http("g30.a", "PATCH", self.PATH, self.BODY)
                        self.assertEqual(fault, "drop-mid-reply")
                    except (ConnectionError, OSError, flexsim.http.client.HTTPException):
                        pass
                    self.assertEqual(self.label(), "LP-42" if state == "executed" else "", (how, fault, state))

    def test_half_of_a_write_is_ignored(self):
        self.sim.faults({"match": {"method": "PATCH"}, "do": {"fault": "ignore", "attr": "service-label"}})
        self.assertEqual(self.sim.http("g30.a", "PATCH", self.PATH, self.BODY)[0], 204)
        port = self.sim.get("g30.a", PORT.format(2, 1))[0]
        self.assertEqual((port["service-label"], port["connected-to"]), ("", "x"))
        self.sim.faults({"match": {"method": "PATCH"}, "do": {"fault": "no-op"}}, {"match": {"method": "PATCH"}, "do": {"fault": "clamp", "attr": "service-label", "value": "LP"}},
                        {"match": {"method": "PATCH"}, "do": {"fault": "ignore"}})
        for expected in ("", "LP", "LP-42"):
            self.assertEqual(self.sim.http("g30.a", "PATCH", self.PATH, self.BODY)[0], 204)
            self.assertEqual(self.label(), expected)
        self.assertEqual(len(self.sim.control(op="journal")["journal"]), 3)

    def test_a_connection_that_ends_between_requests(self):
        self.sim.faults({"match": {"method": "GET"}, "do": {"fault": "hang-up"}})
        connection = self.sim.https("g30.a")
        status, _, headers = self.sim.http("g30.a", "GET", self.PATH, connection=connection, depth=2)
        self.assertEqual((status, headers["Connection"]), (200, None))
        connection.auto_open = False
        with self.assertRaises((OSError, flexsim.http.client.HTTPException)):
            self.sim.http("g30.a", "GET", self.PATH, connection=connection, depth=2)
        connection.close()

    def test_stale_and_meddled_reads(self):
        self.sim.patch("g30.a", PORT.format(2, 1), self.BODY)
        self.sim.faults({"match": {"method": "GET"}, "do": {"fault": "stale"}})
        self.assertEqual(self.sim.get("g30.a", PORT.format(2, 1))[0]["service-label"], "")
        self.assertEqual(self.sim.get("g30.a", PORT.format(2, 1))[0]["service-label"], "LP-42")
        self.sim.faults({"match": {"method": "PATCH"}, "do": {"fault": "meddle", "ne": "g30.a", "path": PORT.format(2, 1), "leaves": {"connected-to": "me"}}})
        self.sim.patch("g30.a", PORT.format(2, 1), {"port": [{"port-id": 1, "arc-config": "nalm"}]})
        self.assertEqual(self.sim.get("g30.a", PORT.format(2, 1))[0]["connected-to"], "me")

    def test_time(self):
        began = time.monotonic()
        status_of(self, fault="slow-first-byte", delay_ms=150)
        self.assertGreater(time.monotonic() - began, 0.14)
        self.sim.faults({"match": {"verb": "GET"}, "do": {"fault": "slow-drip", "bytes_per_s": 3000}})
        self.assertEqual(self.sim.http("g30.a", "GET", "/restconf/data/ne:ne", depth=1)[0], 200)
        for fault in ("silence", "half-open"):
            self.sim.faults({"match": {"verb": "GET"}, "do": {"fault": fault}})
            with self.assertRaises((TimeoutError, socket.timeout)):
                self.sim.http("g30.a", "GET", "/restconf/data/ne:ne", connection=self.sim.https("g30.a", 0.3))

    def test_restarts(self):
        for fault, member in (("restart", "down_ms"), ("refuse", "duration_ms")):
            self.sim.faults({"match": {"verb": "GET"}, "do": {"fault": fault, member: 100}})
            with self.assertRaises((ConnectionError, OSError, flexsim.http.client.HTTPException)):
                self.sim.get("g30.a", "ne:ne", depth=1)

            def back():
                try:
                    return self.sim.get("g30.a", "ne:ne", depth=2)
                except OSError:
                    return None
            until(back)

    def test_certificates(self):
        pins = set()
        for certificate, words in (("expired", "expired"), ("wrong-name", "mismatch"), ("self-signed", "self"), ("good", None), ("new-key", None)):
            pins.add(self.sim.control(op="replace", ne="g30.a", certificate=certificate)["pin"])
            if words is None:
                self.assertEqual(self.sim.http("g30.a", "GET", "/restconf/data/ne:ne", depth=1)[0], 200)
                continue
            with self.assertRaisesRegex(ssl.SSLCertVerificationError, words):
                self.sim.http("g30.a", "GET", "/restconf/data/ne:ne", depth=1)
            trusting = self.sim.https("g30.a", verify=False)
            self.assertEqual(self.sim.http("g30.a", "GET", "/restconf/data/ne:ne", depth=1, connection=trusting)[0], 200)
            trusting.close()
        self.assertEqual(len(pins), 2, "only a new key changes the pin")

    def test_handshakes(self):
        for variant in ("close", "garbage", "old", "stall"):
            self.sim.faults({"match": {"verb": "CONNECT"}, "do": {"fault": "tls", "variant": variant}})
            with self.assertRaises((ssl.SSLError, OSError), msg=variant):
                self.sim.http("g30.a", "GET", "/restconf/data/ne:ne", connection=self.sim.https("g30.a", 0.4 if variant == "stall" else flexsim.LIMIT))
        self.sim.control(op="faults-clear")
        self.assertEqual(self.sim.http("g30.a", "GET", "/restconf/data/ne:ne", depth=1)[0], 200)

    def test_hostile_requests(self):
        def raw(data):
            context = ssl.create_default_context(cafile=self.sim.path("ca.pem"))
            with socket.create_connection((self.sim.ports["g30.a"]["address"], self.sim.ports["g30.a"]["https"]), timeout=flexsim.LIMIT) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
                    sock.sendall(data)
                    out = b""
                    while True:
                        try:
                            more = sock.recv(65536)
                        except (ConnectionError, ssl.SSLError):
                            break
                        if not more:
                            break
                        out += more
                    return out
        self.assertIn(b" 400 ", raw(b"nonsense\r\n\r\n"))
        self.assertIn(b" 505 ", raw(b"GET / HTTP/3.0\r\n\r\n"))
        self.assertIn(b" 400 ", raw(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"))
        self.assertIn(b" 400 ", raw(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
        self.assertIn(b" 413 ", raw(b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n"))
        self.assertIn(b" 431 ", raw(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 80 + b"\r\n"))
        self.assertEqual(raw(b"GET /x HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\nConnection: close\r\n\r\n").count(b"HTTP/1.1 401"), 2)
        self.refused(self.sim.http("g30.a", "PATCH", self.PATH, "{" * 5000)[1], "malformed-message")


if __name__ == "__main__":
    unittest.main()
