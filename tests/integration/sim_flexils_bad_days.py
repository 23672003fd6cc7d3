#!/usr/bin/env python3
"""lightpath-sim flexils on bad days: logins and their limits, autonomous messages, every fault of the catalogue, hostile clients, SSH,
many elements in one process."""
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402
from sim_flexils import ENT_OCRS, ENT_OEL, ENT_OSNC  # noqa: E402

LABEL = "ED-OTS:lp.mil1:1-A-1-L1:A1:::LABEL=\"new\";"
READ = "RTRV-OTS:lp.mil1:1-A-1-L1:A2::::;"


class Case(unittest.TestCase):
    def sim(self, **more):
        sim = flexsim.Sim(**more)
        self.addCleanup(sim.close)
        return sim

    def good(self, ne, text):
        answer = ne.run(text)
        self.assertEqual(answer.word, "COMPLD", (text, answer))
        return answer


class Sessions(Case):
    def test_limit(self):
        """The element counts what is logged in; a connection that broke is counted until its idle time is over."""
        sim = self.sim(options={"max_sessions": 2, "idle_ms": 86400000})
        first, second = sim.login("lp.mil1"), sim.login("lp.mil1")
        third = sim.connect("lp.mil1")
        third.to_prompt()
        log_in = "ACT-USER:lp.mil1:svc_orch:A1::s3cr3t;"
        answer = third.run(log_in)
        self.assertEqual((answer.word, answer.code), ("DENY", "SSRE"))
        self.assertEqual(sim.control(op="sessions", ne="lp.mil1")["elements"]["lp.mil1"]["peak"], 2)
        first.close()  # without CANC-USER
        flexsim_wait(lambda: not all(login["connected"] for login in sim.control(op="sessions")["elements"]["lp.mil1"]["logins"]))
        self.assertEqual(third.run(log_in).code, "SSRE")
        self.good(second, "CANC-USER:lp.mil1:svc_orch:A2;")
        self.good(third, log_in)
        sim.control(op="clock", advance_ms=86000000)
        self.good(third, "RTRV-HDR:lp.mil1::A3;")
        self.assertEqual(second.run(log_in).code, "SSRE")
        sim.control(op="clock", advance_ms=600000)
        self.good(second, log_in)

    def test_idle_logins_end_with_a_message(self):
        sim = self.sim(options={"idle_ms": 60000})
        ne = sim.login("lp.mil1")
        other = sim.login("lp.mil1")
        self.good(other, "ED-USER-SECU:lp.mil1:svc_orch:A1::,,:TMOUT=0;")
        sim.control(op="clock", advance_ms=61000)
        self.assertIn("svc_orch", ne.autonomous("A  [0-9]+ CANC"))
        with self.assertRaises(flexsim.Closed):
            ne.until(lambda data: 0)
        self.good(other, "RTRV-HDR:lp.mil1::A2;")

    def test_wrong_passwords_lock(self):
        sim = self.sim(options={"bad_logins": 3, "lockout_ms": 60000})
        ne = sim.connect("lp.mil1")
        ne.to_prompt()
        for _ in range(3):
            self.assertEqual(ne.run("ACT-USER:lp.mil1:svc_orch:A1::guess;").code, "PIUI")
        self.assertIn("locked", ne.run("ACT-USER:lp.mil1:svc_orch:A2::s3cr3t;").text)
        sim.control(op="clock", advance_ms=61000)
        self.good(ne, "ACT-USER:lp.mil1:svc_orch:A3::s3cr3t;")
        self.assertEqual(ne.run("ACT-USER:lp.mil1:nobody:A4::s3cr3t;").code, "PIUI")

    def test_banner_echo_and_telnet(self):
        sim = self.sim()
        ne = sim.connect("lp.mil1")
        banner = ne.to_prompt()
        self.assertIn("License", banner)
        self.assertTrue(banner.endswith("TL1>>"))
        ne.write(b"\xff\xfb\x18RTRV-SYS:lp.mil1::\xff\xfd\x01A1;")
        raw = ne.to_prompt()
        self.assertTrue(raw.startswith("RTRV-SYS:lp.mil1::A1;\r\n"), raw)
        self.assertIn("PLNA", raw)
        plain = self.sim(options={"echo": False, "prompt": "TL1>", "long_date": True})
        ne = plain.connect("lp.mil1")
        ne.prompt = b"TL1>"
        ne.to_prompt()
        ne.send("RTRV-SYS:lp.mil1::A1;")
        raw = ne.to_prompt()
        self.assertNotIn("RTRV-SYS", raw)
        self.assertRegex(raw, r"\r\n\n   lp.mil1 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\r\nM  A1 DENY")

    def test_autonomous_messages(self):
        """Who allows them gets alarms, events and reports of change; who inhibits them gets neither; answers stay whole."""
        sim = self.sim(setup=[ENT_OEL, ENT_OSNC])
        listener, quiet, half = sim.login("lp.mil1", messages=True), sim.login("lp.mil1"), sim.login("lp.mil1", messages=True)
        self.good(half, "INH-MSG-ALL:lp.mil1::A0::;")
        sim.control(op="cut", span="mil-fir")
        self.good(quiet, LABEL)
        text = listener.autonomous(r"REPT DBCHG")
        self.assertIn("REPT ALM OTS", text)
        self.assertIn("REPT EVT OTS", text)
        self.assertRegex(text, r'A  \d{7} REPT DBCHG\r\n   "TIME=\d\d-\d\d-\d\d,DATE=\d\d-\d\d,SOURCE=A1,DBCHGSEQ=\d+:ED-OTS:1-A-1-L1"')
        self.assertNotIn("REPT ALM", half.autonomous("REPT DBCHG"))
        self.assertEqual(quiet.run(READ).autonomous, [])
        self.good(quiet, "ALW-MSG-ALL:lp.mil1::A3::;")
        sim.control(op="repair", span="mil-fir")
        quiet.autonomous(r"A  \d+ REPT ALM OTS")
        numbers = [int(n) for n in re.findall(r"\n(?:\*C|\*\*|\* |A ) (\d{7}) ", text)]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_one_command_at_a_time(self):
        """Commands that came together are answered one after the other, each whole, in order."""
        sim = self.sim(options={"latency_ms": 5})
        ne = sim.login("lp.mil1")
        ne.send("".join(f"RTRV-HDR:lp.mil1::N{n};" for n in range(20)))
        raw = ""
        while raw.count("COMPLD") < 20:
            raw += ne.to_prompt()
        self.assertEqual(re.findall(r"M  N(\d+) COMPLD", raw), [str(n) for n in range(20)])

    def test_slow_answers_are_announced(self):
        sim = self.sim(options={"ip_ms": 50})
        ne = sim.login("lp.mil1")
        sim.control(op="latency", ms=200)
        began = time.monotonic()
        answer = self.good(ne, READ)
        self.assertEqual(answer.acks, ["IP"])
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_transcript_without_passwords(self):
        sim = self.sim()
        ne = sim.login("lp.mil1")
        self.good(ne, LABEL)
        rows = sim.transcript("lp.mil1")
        self.assertEqual({row["dir"] for row in rows}, {"in", "out", "auto"})
        self.assertTrue(any(LABEL[:-1] in row["text"] for row in rows if row["dir"] == "in"))
        self.assertNotIn("s3cr3t", json.dumps(rows))
        self.assertIn("ACT-USER:lp.mil1:svc_orch", json.dumps(rows))


def flexsim_wait(what):
    end = time.monotonic() + flexsim.LIMIT
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


CLOSED, NOTHING = "closed", "nothing"

# The faults, one row each: rule, command, what the client sees (a pattern in the raw answer, CLOSED, or NOTHING), was it executed.
FAULTS = [
    ("F1", {"fault": "slow-first-byte", "delay_ms": 300}, LABEL, r"M  A1 COMPLD", True),
    ("F2", {"fault": "slow-drip", "bytes_per_s": 2000}, LABEL, r"M  A1 COMPLD", True),
    ("F3", {"fault": "silence"}, LABEL, NOTHING, True),
    ("F4", {"fault": "refuse", "duration_ms": 200}, LABEL, CLOSED, False),
    ("F5", {"fault": "drop"}, LABEL, CLOSED, True),
    ("F5", {"fault": "drop", "how": "rst"}, LABEL, CLOSED, True),
    ("F6", {"fault": "drop-mid-reply", "at_byte": 20, "how": "fin"}, LABEL, CLOSED, True),
    ("F6", {"fault": "drop-mid-reply", "at_byte": 40, "how": "rst"}, LABEL, CLOSED, True),
    ("F7", {"fault": "half-open"}, LABEL, NOTHING, True),
    ("F8", {"fault": "login", "variant": "wrong-credentials"}, "ACT-USER:lp.mil1:svc_orch:A1::s3cr3t;", r"DENY\r\n   PIUI", False),
    ("F8", {"fault": "login", "variant": "lock-out"}, "ACT-USER:lp.mil1:svc_orch:A1::s3cr3t;", "locked", False),
    ("F8", {"fault": "login", "variant": "too-many-sessions"}, "ACT-USER:lp.mil1:svc_orch:A1::s3cr3t;", "SSRE", False),
    ("F8", {"fault": "login", "variant": "password-expired"}, "ACT-USER:lp.mil1:svc_orch:A1::s3cr3t;", "expired", False),
    ("F9", {"fault": "logout"}, LABEL, "PLNA", False),
    ("F9", {"fault": "logout", "notice": True}, LABEL, r"CANC.*PLNA", False),
    ("F10", {"fault": "deny", "code": "RCBY", "text": "Resource, Circuit BusY", "style": "lines"}, LABEL,
     r"DENY\r\n   RCBY\r\n   /\*Resource,\r\n     Circuit BusY\*/", False),
    ("F10", {"fault": "deny", "code": "XYZZ", "style": "none"}, LABEL, r"DENY\r\n   XYZZ\r\n;", False),
    ("F11", {"fault": "completion", "word": "PRTL"}, LABEL, "M  A1 PRTL", True),
    ("F11", {"fault": "completion", "word": "DELAY"}, LABEL, "M  A1 DELAY", True),
    ("F11", {"fault": "acknowledge", "word": "NA"}, LABEL, r"NA A1\r\n<\r\n", False),
    ("F11", {"fault": "acknowledge", "word": "RL"}, LABEL, r"RL A1\r\n<\r\n", False),
    ("F11", {"fault": "acknowledge", "word": "NG"}, LABEL, r"NG A1\r\n<\r\n", False),
    ("F11", {"fault": "in-progress", "times": 3, "interval_ms": 20, "word": "PF"}, LABEL, r"(PF A1\r\n<\r\n\s*){3}", True),
    ("F12", {"fault": "foreign-exists", "attrs": {"CKTIDSUFFIX": "THEIRS"}}, ENT_OCRS, "IEAE", False),
    ("F13", {"fault": "blocks", "records": 2, "between": "autonomous"}, "RTRV-SCG:lp.mil1::A2::::;", r"A2 RTRV.*\n>\r\n.*REPT ALM SCH",
     False),
    ("F13", {"fault": "blocks", "records": 2, "between": "other-tag"}, "RTRV-SCG:lp.mil1::A2::::;", r"M  Z9999 COMPLD", False),
    ("F14", {"fault": "cut-blocks", "records": 2, "after": 2, "close": True}, "RTRV-SCG:lp.mil1::A2::::;", CLOSED, False),
    ("F14", {"fault": "cut-blocks", "records": 2, "after": 2}, "RTRV-SCG:lp.mil1::A2::::;", r"\n>\r\n$", False),
    ("F15", {"fault": "storm", "count": 2000, "rate": 5000, "where": "before"}, LABEL, r"M  A1 COMPLD", True),
    ("F15", {"fault": "storm", "count": 50, "where": "inside"}, LABEL, r"storm", True),
    ("F15", {"fault": "storm", "count": 50, "rate": 5000, "where": "after"}, LABEL, r"M  A1 COMPLD.*storm", True),
    ("F16", {"fault": "garbage", "variant": "binary", "bytes": 500}, LABEL, r"A1 COMPLD", True),
    ("F16", {"fault": "garbage", "variant": "no-header"}, LABEL, r"\r\nM  A1 COMPLD", True),
    ("F16", {"fault": "garbage", "variant": "wrong-ctag"}, LABEL, r"M  X99999 COMPLD", True),
    ("F16", {"fault": "garbage", "variant": "ctag-0"}, LABEL, r"M  0 DENY", True),
    ("F16", {"fault": "garbage", "variant": "double-reply"}, LABEL, r"M  A1 COMPLD.*M  A1 COMPLD", True),
    ("F16", {"fault": "garbage", "variant": "late-reply"}, LABEL, r"M  LOGIN3 COMPLD.*M  A1 COMPLD", True),
    ("F16", {"fault": "garbage", "variant": "cr-only"}, LABEL, r"\rM  A1 COMPLD\r", True),
    ("F16", {"fault": "garbage", "variant": "no-final-crlf"}, LABEL, r"M  A1 COMPLD\r\n;$", True),
    ("F16", {"fault": "garbage", "variant": "long-line", "bytes": 1200000}, LABEL, r"x{1000}", True),
    ("F16", {"fault": "garbage", "variant": "unescaped-quote"}, LABEL, r'LABEL="half', True),
    ("F16", {"fault": "garbage", "variant": "telnet-iac"}, LABEL, r"COMPLD", True),
    ("F16", {"fault": "garbage", "variant": "prompt-glued"}, LABEL, r"TL1>>\r\n\n   lp.mil1", True),
    ("F16", {"fault": "garbage", "variant": "no-prompt"}, LABEL, r"M  A1 COMPLD\r\n;\r\n$", True),
    ("F16", {"fault": "garbage", "variant": "huge", "bytes": 3000000}, LABEL, r"without measure", True),
    ("F16", {"fault": "garbage", "variant": "endless", "bytes": 100000}, LABEL, r"IS-NR\"\r\n$", True),
    ("F17", {"fault": "text", "text": "M  A2 DENY ; COMPLD TL1> = , :"}, READ, r"M  A2 DENY ; COMPLD", False),
    ("F18", {"fault": "wrong-sid", "sid": "lp.fir1"}, READ, r"   lp.fir1 \d\d", False),
    ("F27", {"fault": "hide"}, READ, "IENE", False),
    ("F27", {"fault": "hide", "aid": "1-A-3-T1"}, "RTRV-SCG:lp.mil1::A2::FSM::;", r"A2 COMPLD\r\n   \"1-A-3-T2:SCG", False),
    ("F27", {"fault": "show-state", "state": "OOS-AUMA,FLT"}, READ, r":OOS-AUMA,FLT\"", False),
    ("F28", {"fault": "no-op"}, LABEL, r"M  A1 COMPLD", False),
    ("F39", {"fault": "restart", "down_ms": 200}, LABEL, CLOSED, True),
    ("F40", {"fault": "clock", "shift_ms": -86400000000, "long_date": True}, LABEL, r"COMPLD", True),
    ("F42", {"fault": "text", "text": "\x1b[31m<script>%s%n../../etc"}, READ, r"\x1b\[31m<script>%s%n", False),
]


class Faults(Case):
    @classmethod
    def setUpClass(cls):
        cls.box = flexsim.Sim()

    @classmethod
    def tearDownClass(cls):
        cls.box.close()

    def label(self):
        return self.box.control(op="state", ne="lp.mil1")["state"].get("OTS", {})["1-A-1-L1"].get("LABEL", "")

    def see(self, ne, command, pattern):
        ne.send(command)
        if pattern is CLOSED:
            with self.assertRaises(flexsim.Closed):
                ne.until(lambda data: 0)
            return
        if pattern is NOTHING:
            text = ne.silence(0.15)
            self.assertNotIn("M  A", text)
            return
        ne.until(lambda data: 1 if re.search(pattern.encode("latin-1"), data, re.S) else 0)

    def test_each(self):
        for number, fault, command, pattern, executed in FAULTS:
            with self.subTest(number=number, **fault):
                self.box.control(op="reset", sessions=True)
                self.box.control(op="options", options={"long_date": False})
                flexsim_wait(lambda: self.reachable())
                ne = self.box.login("lp.mil1") if not command.startswith("ACT-USER") else self.box.connect("lp.mil1")
                if command.startswith("ACT-USER"):
                    ne.to_prompt()
                self.box.faults({"match": {"verb": command.split(":")[0], "tid": "lp.mil1"}, "do": fault})
                self.see(ne, command, pattern)
                ne.close()
                if command == LABEL:
                    self.assertEqual(self.label(), "new" if executed else "", "executed or not")
                journal = self.box.control(op="journal")
                self.assertEqual([row["fault"] for row in journal["journal"]], [fault["fault"]])
                self.assertEqual(journal["rules"][0]["fired"], 1)

    def reachable(self):
        try:
            self.box.connect("lp.mil1").to_prompt()
            return True
        except (ConnectionError, flexsim.Closed):
            return False

    def test_table_is_complete(self):
        with open(os.path.join(flexsim.ROOT, "sim", "faults.def")) as text:
            # those of HTTP and TLS alone are tried in sim_trx.py
            rows = set(re.findall(r'^SIM_FAULT\(\w+, +"([a-z-]+)"(?!.*"(?:HTTP|TLS):)', text.read(), re.M))
        tried = {fault["fault"] for _, fault, _, _, _ in FAULTS} | {"no-banner", "stale", "clamp", "meddle"}
        self.assertEqual(rows, tried)

    def test_executed_or_not(self):
        """Every fault that loses an answer can be had both ways."""
        for fault in ("drop", "drop-mid-reply", "silence", "half-open", "refuse", "restart", "deny", "completion", "acknowledge"):
            for state, label in (("executed", "new"), ("not-executed", "")):
                with self.subTest(fault=fault, state=state):
                    self.box.control(op="reset", sessions=True)
                    flexsim_wait(lambda: self.reachable())
                    ne = self.box.login("lp.mil1")
                    do = {"fault": fault}
                    if fault in ("refuse", "restart"):
                        do["duration_ms" if fault == "refuse" else "down_ms"] = 50
                    self.box.faults({"match": {"verb": "ED-*"}, "when": {"state": state}, "do": do})
                    ne.send(LABEL)
                    flexsim_wait(lambda: self.box.control(op="journal")["journal"])
                    self.assertEqual(self.label(), label)

    def test_connection_faults(self):
        for fault, seen in (({"fault": "no-banner"}, None), ({"fault": "silence"}, None), ({"fault": "drop", "how": "rst"}, CLOSED),
                            ({"fault": "slow-first-byte", "delay_ms": 100}, "License")):
            with self.subTest(**fault):
                self.box.control(op="reset", sessions=True)
                self.box.faults({"match": {"verb": "CONNECT", "tid": "lp.fir1"}, "do": fault})
                if seen is CLOSED:  # at once, or when the reset arrives
                    with self.assertRaises((flexsim.Closed, ConnectionResetError)):
                        self.box.connect("lp.fir1").to_prompt()
                    continue
                ne = self.box.connect("lp.fir1")
                if seen is None:
                    self.assertEqual(ne.silence(0.1), "")
                else:
                    self.assertIn(seen, ne.to_prompt())
        self.box.faults({"match": {"verb": "CONNECT", "tid": "lp.fir1"}, "do": {"fault": "refuse", "duration_ms": 3600000}})
        with self.assertRaises((flexsim.Closed, ConnectionResetError)):
            self.box.connect("lp.fir1").to_prompt()
        with self.assertRaises(ConnectionRefusedError):
            self.box.connect("lp.fir1")
        self.box.faults()
        self.box.control(op="restart", ne="lp.fir1", down_ms=0)
        flexsim_wait(lambda: self.reachable_fir())

    def reachable_fir(self):
        try:
            self.box.connect("lp.fir1").to_prompt()
            return True
        except (ConnectionError, flexsim.Closed):
            return False

    def test_other_values_stale_reads_and_meddlers(self):
        self.box.control(op="reset", sessions=True)
        ne = self.box.login("lp.mil1")
        self.box.faults({"match": {"verb": "ED-OTS"}, "do": {"fault": "clamp", "attr": "SPANDIST", "value": "63"}},
                        {"match": {"verb": "RTRV-OTS"}, "when": {"times": 2}, "do": {"fault": "stale"}},
                        {"match": {"verb": "ED-SCG"},
                         "do": {"fault": "meddle", "class": "SCG", "aid": "1-A-3-T1", "attrs": {"LABEL": "somebody"}}})
        self.good(ne, "ED-OTS:lp.mil1:1-A-1-L1:A1:::SPANDIST=62.9;")
        self.assertEqual(self.good(ne, READ).get("SPANDIST"), "62")
        self.assertEqual(self.good(ne, READ).get("SPANDIST"), "62")
        self.assertEqual(self.good(ne, READ).get("SPANDIST"), "63")
        self.good(ne, "ED-SCG:lp.mil1:1-A-3-T1:A2::::IS;")
        self.assertEqual(self.good(ne, "RTRV-SCG:lp.mil1:1-A-3-T1:A3::::;").get("LABEL"), "somebody")

    def test_when(self):
        """nth, times, every, after_ms, prob; the first rule that fires wins; patterns."""
        self.box.control(op="reset", sessions=True)
        ne = self.box.login("lp.mil1")
        deny = {"fault": "deny", "code": "SDNR"}

        def words(count):
            return "".join("x" if ne.run("RTRV-HDR:lp.mil1::H1;").word == "DENY" else "." for _ in range(count))
        for when, expected in (({"nth": 3}, "..x..."), ({"nth": 2, "times": 2}, ".xx..."), ({"nth": 1, "times": 0, "every": 2}, "x.x.x."),
                               ({"times": 0, "after_ms": 3600000}, "......"), ({"times": 0}, "xxxxxx")):
            with self.subTest(**when):
                self.box.faults({"match": {"verb": "RTRV-H*", "tid": "lp.*"}, "when": when, "do": deny})
                self.assertEqual(words(6), expected)
        self.box.control(op="reset")  # its seed begins anew
        self.box.faults({"match": {"verb": "*"}, "when": {"times": 0, "prob": 0.5}, "do": deny})
        drawn = words(40)
        self.assertIn("x", drawn)
        self.assertIn(".", drawn)
        self.box.control(op="reset")
        self.box.faults({"match": {"verb": "*"}, "when": {"times": 0, "prob": 0.5}, "do": deny})
        self.assertEqual(words(40), drawn)
        self.box.faults({"match": {"aid": "1-A-1-L1"}, "do": deny}, {"match": {"verb": "RTRV-OTS"}, "do": {"fault": "deny", "code": "RALB"}})
        self.assertEqual(ne.run(READ).code, "SDNR")
        self.assertEqual(ne.run(READ).code, "RALB")
        for bad in ({}, {"do": {"fault": "nonsense"}}, {"do": {"fault": "garbage", "variant": "odd"}}, {"do": {"fault": "drop", "how": 1}}, {"do": {"fault": "drop", "colour": 1}}, {"do": {"fault": "drop"}, "when": {"nth": 0}},
                    {"do": {"fault": "drop"}, "when": {"state": "perhaps"}}, {"do": {"fault": "drop"}, "match": {"verb": 7}},
                    {"do": {"fault": "drop"}, "when": {"prob": 2}}, {"do": {"fault": "drop"}, "what": 1}):
            self.assertFalse(self.box.control(ok=False, op="faults", rules=[bad])["ok"], bad)


class Hostile(Case):
    def test_garbage_and_long_lines(self):
        """Noise, a line of 50 MB, a command without end: answered or dropped, memory stays, others do not notice."""
        sim = self.sim()
        good = sim.login("lp.mil1")
        before = sim.memory()
        seeded = random.Random(1)
        for _ in range(30):
            ne = sim.connect("lp.mil1")
            try:
                ne.write(seeded.randbytes(5000) + b";")
            except ConnectionError:
                pass
        noise = sim.connect("lp.mil1")
        block = b"x" * 1000000
        for _ in range(50):
            noise.write(block)
        self.good(good, READ)
        noise.write(b";")
        self.assertIn("IISP", noise.until(lambda data: data.find(b"IISP") + 4 if b"IISP" in data else 0))
        noise.write(b"RTRV-HDR:lp.mil1::A1;")
        noise.until(lambda data: data.find(b"PLNA") + 1)
        if not os.environ.get("LP_TEST_REDUCED"):  # a sanitizer keeps what was freed
            self.assertLess(sim.memory() - before, 20e6)
        self.good(good, READ)

    def test_clients_that_do_not_read_or_vanish(self):
        sim = self.sim(options={"latency_ms": 20})
        good = sim.login("lp.mil1")
        sim.faults({"match": {"verb": "RTRV-SYS"}, "when": {"times": 0}, "do": {"fault": "garbage", "variant": "huge", "bytes": 40000000}})
        for _ in range(3):
            ne = sim.login("lp.fir1")
            ne.send("RTRV-SYS:lp.fir1::A1;" * 4)
        for _ in range(50):  # cut while an answer is on its way
            ne = sim.connect("lp.mil1")
            ne.send("RTRV-HDR:lp.mil1::A1;")
            ne.close()
        slow = sim.connect("lp.mil1")
        slow.to_prompt()
        for byte in "RTRV-HDR:lp.mil1::S1;":
            slow.send(byte)
            time.sleep(0.002)
        self.assertIn("S1", slow.to_prompt())
        self.good(good, READ)
        flood = sim.connect("lp.mil1")
        try:
            flood.send("RTRV-HDR:lp.mil1::A1;" * 100000)
            flood.until(lambda data: 0)
        except (flexsim.Closed, ConnectionError):
            pass
        self.good(good, READ)

    def test_hostile_control_socket(self):
        sim = self.sim()
        for text in (b"{\n", b"[]\n", b"\0\xff\xfe\n", b"{\"op\":7}\n", b"{\"op\":\"state\",\"ne\":[]}\n", b"\n" * 100, b"{" * 100000 + b"\n"):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(sim.path("c"))
            sock.sendall(text)
            self.assertIn(b'"ok":false', sock.recv(65536))
            sock.close()
        sim.control(op="stats")


class Ssh(Case):
    def test_subsystem_shell_and_refusals(self):
        sim = self.sim(ssh=True)
        ne = sim.ssh("lp.mil1")
        ne.to_prompt()
        self.good(ne, "ACT-USER:lp.mil1:svc_orch:A1::s3cr3t;")
        self.assertEqual(self.good(ne, "RTRV-SCG:lp.mil1::A2::::;").sid, "lp.mil1")
        shell = sim.ssh("lp.mil1", "tl1telnet", "", ("shell",))
        self.assertIn("License", shell.to_prompt())
        for arguments, code in ((("svc_orch", "wrong", ("subsystem", "tl1telnet")), 3), (("svc_orch", "s3cr3t", ("subsystem", "sftp")), 4),
                                (("svc_orch", "s3cr3t", ("shell",)), 4)):
            refused = sim.ssh("lp.mil1", *arguments)
            self.assertEqual(refused.process.wait(flexsim.LIMIT), code, arguments)
        sim.faults({"match": {"verb": "RTRV-HDR"}, "do": {"fault": "drop"}})
        ne.send("RTRV-HDR:lp.mil1::A3;")
        with self.assertRaises(flexsim.Closed):
            ne.until(lambda data: 0)
        self.assertEqual(ne.process.wait(flexsim.LIMIT), 0)

    def test_many_and_a_replaced_element(self):
        sim = self.sim(ssh=True)
        sessions = [sim.ssh(name) for name in sorted(sim.ports) for _ in range(3)]
        for session in sessions:
            session.to_prompt()
        for n, session in enumerate(sessions):
            name = sorted(sim.ports)[n // 3]
            self.good(session, f"ACT-USER:{name}:svc_orch:A1::s3cr3t;")
            self.good(session, f"RTRV-EQPT:{name}::A2::::;")
        keys = []
        for _ in range(2):
            session = sim.ssh("lp.mil1")
            session.to_prompt()
            session.close()
        for _ in range(2):
            session = sim.ssh("lp.mil1")
            keys.append(session.process.stderr.readline())
            sim.control(op="replace", ne="lp.mil1", new_host_key=True)
        self.assertTrue(keys[0].startswith(b"hostkey ") and keys[1].startswith(b"hostkey "))
        self.assertNotEqual(keys[0], keys[1])

    def test_large_answers_and_slow_readers(self):
        """20 MB through one channel, whole; a reader that stops holds up nobody else."""
        sim = self.sim(ssh=True)
        ne, lazy = sim.ssh("lp.mil1"), sim.ssh("lp.mil1")
        for one in (ne, lazy):
            one.to_prompt()
            self.good(one, "ACT-USER:lp.mil1:svc_orch:A1::s3cr3t;")
            self.good(one, "INH-MSG-ALL:lp.mil1::A2::;")
        sim.faults({"match": {"verb": "RTRV-SYS"}, "when": {"times": 2}, "do": {"fault": "garbage", "variant": "huge", "bytes": 20000000}})
        lazy.send("RTRV-SYS:lp.mil1::L1;")
        ne.send("RTRV-SYS:lp.mil1::A3;")
        size = 0
        tail = b""
        while b"\r\n;\r\nTL1>>" not in tail:
            piece = ne.read_some(flexsim.LIMIT)
            size += len(piece)
            tail = (tail + piece)[-200:]
        self.assertGreater(size, 20000000)
        self.good(ne, READ)
        self.good(sim.login("lp.mil1"), READ)

    def test_hostile_handshakes(self):
        sim = self.sim(ssh=True)
        for text in (b"", b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-x\r\n" + b"\xff" * 5000, b"\0" * 70000):
            sock = socket.create_connection((sim.ports["lp.mil1"]["address"], sim.ports["lp.mil1"]["ssh"]))
            try:
                sock.sendall(text)
                sock.shutdown(socket.SHUT_WR)
            except OSError:  # it has hung up already
                pass
            sock.close()
        for n in range(10):  # killed while an answer is on its way
            ne = sim.ssh("lp.mil1")
            ne.to_prompt()
            ne.send("RTRV-HDR:lp.mil1::A1;" * 20)
            ne.process.kill()
        ne = sim.ssh("lp.mil1")
        ne.to_prompt()


class Many(Case):
    def test_three_hundred_elements(self):
        """300 elements in one process: memory and start time are printed; a storm of clients is served."""
        topology = {"format": "lightpath-sim flexils 1", "users": [{"name": "svc_orch", "password": "s3cr3t"}], "nodes": [], "spans": []}
        cards = [{"aid": "1-A-1", "type": "FRM", "ports": ["L1", "S1"]}, {"aid": "1-A-2", "type": "FRM", "ports": ["L1", "S1"]},
                 {"aid": "1-E1-1", "type": "FSM", "ports": [f"T{n}A" for n in range(1, 9)]}]
        for n in range(300):
            topology["nodes"].append({"name": f"n{n:03d}", "gateway": True, "cards": cards})
            topology["spans"].append({"id": f"s{n}", "a": [f"n{n:03d}", "1-A-1-L1"], "b": [f"n{(n + 1) % 300:03d}", "1-A-2-L1"], "length_m": 80000})
        began = time.monotonic()
        sim = self.sim(topology=topology, ssh=True)
        started = time.monotonic() - began
        idle = sim.memory()
        errors = []

        def client(first):
            try:
                for n in range(first, 300, 8):
                    ne = sim.login(f"n{n:03d}")
                    for _ in range(5):
                        assert ne.run(f"RTRV-OTS:n{n:03d}::A1::::;").word == "COMPLD"
                    ne.close()
            except Exception as error:  # noqa: BLE001
                errors.append(error)
        threads = [threading.Thread(target=client, args=(first,)) for first in range(8)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        self.assertEqual(errors, [])
        print(f"300 elements: started in {started * 1000:.0f} ms, {idle / 1e6:.1f} MB resident, "
              f"2400 exchanges of 8 clients in {took:.2f} s, then {sim.memory() / 1e6:.1f} MB", file=sys.stderr)
        if not os.environ.get("LP_TEST_REDUCED"):
            self.assertLess(idle, 100e6 * float(os.environ.get("LP_TEST_SLOW", "1")))

    def test_generator(self):
        data = os.path.join(flexsim.ROOT, "scripts", "demo.d")
        made = [flexsim.PROGRAM, "topology", "--sites", os.path.join(data, "pops.csv"), "--links", os.path.join(data, "links.csv")]
        topology = json.loads(subprocess.run(made, capture_output=True, check=True, text=True).stdout)
        kinds = [node["kind"] for node in topology["nodes"]]
        self.assertEqual((kinds.count("ROADM"), kinds.count("OLA")), (44, 109))
        self.assertLessEqual(max(span["length_m"] for span in topology["spans"]), 80000)
        fibers = subprocess.run([*made, "--csv", "fibers"], capture_output=True, check=True, text=True).stdout.splitlines()
        self.assertEqual(len(fibers), 1 + len(topology["spans"]))
        sim = self.sim(topology=topology)
        self.assertEqual(len(sim.ports), 153)
        behind = json.loads(subprocess.run([*made, "--subtended", "--password", "s3cr3t", "--user", "svc_orch"], capture_output=True, check=True,
                                           text=True).stdout)
        sim = self.sim(topology=behind)
        self.assertEqual(set(sim.ports), {node["name"] for node in behind["nodes"] if node["gateway"]})
        self.assertLess(len(sim.ports), 44)
        ne = sim.login("flex.rm01")
        self.good(ne, "ACT-USER:flex.h001:svc_orch:A1::s3cr3t;")
        self.assertEqual(self.good(ne, "RTRV-SYS:flex.h001::A2;").sid, "flex.h001")
        self.assertEqual(subprocess.run([*made[:3], "/nonexistent", *made[4:]], capture_output=True).returncode, 4)

    def test_bad_topologies_and_arguments(self):
        with open(flexsim.RING) as text:
            ring = json.load(text)
        good = subprocess.run([flexsim.PROGRAM, "check", flexsim.RING], capture_output=True, text=True)
        self.assertEqual(good.returncode, 0)
        self.assertIn("6 elements, 6 fibers, 4 TE links", good.stdout)
        for change, words in ((lambda d: d.update(format="x"), "format"), (lambda d: d.update(colour=1), "colour"),
                              (lambda d: d["nodes"].append(dict(d["nodes"][0])), "twice"), (lambda d: d["nodes"][0].update(name="a-b"), "a-b"),
                              (lambda d: d["nodes"][0]["cards"][0].update(type="XYZ"), "XYZ"),
                              (lambda d: d["nodes"][0]["cards"][0]["ports"].append("Q1"), "Q1"),
                              (lambda d: d["spans"][0].update(a=["lp.mil1", "1-A-9-L9"]), "1-A-9-L9"),
                              (lambda d: d["spans"].append(dict(d["spans"][0], id="z")), "two fibers"),
                              (lambda d: d["options"].update(settle_ms=-1), "settle_ms"), (lambda d: d.update(setup=["RTRV-NO:lp.mil1::1;"]), "setup"),
                              (lambda d: d.update(setup=[ENT_OSNC]), "is not found"), (lambda d: d.update(nodes=[]), "elements")):
            document = json.loads(json.dumps(ring))
            change(document)
            done = subprocess.run([flexsim.PROGRAM, "check", "-"], input=json.dumps(document), capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words, done.stderr)
        for arguments in ((), ("nonsense",), ("flexils",), ("flexils", "/nonexistent"), ("flexils", flexsim.RING, "--tcp", "x"),
                          ("topology",), ("control", "/nonexistent", "{}"), ("check", "/nonexistent")):
            done = subprocess.run([flexsim.PROGRAM, *arguments], capture_output=True, text=True)
            self.assertGreater(done.returncode, 0, arguments)
            self.assertNotEqual(done.stderr, "")

    def test_a_control_path_that_is_somebodys_file_is_left_alone(self):
        with tempfile.NamedTemporaryFile("w+", prefix="lp") as mine:
            mine.write("dear diary")
            mine.flush()
            done = subprocess.run([flexsim.PROGRAM, "flexils", flexsim.RING, "--tcp", "0", "--control", mine.name], capture_output=True, text=True, timeout=60)
            self.assertGreater(done.returncode, 0)
            self.assertIn(mine.name, done.stderr)
            with open(mine.name) as still:
                self.assertEqual(still.read(), "dear diary")

    def test_ways_to_listen(self):
        """One port for all, an address for each; users, rules, latency and the host key from files and arguments."""
        with tempfile.TemporaryDirectory(prefix="lp") as folder:
            users, rules, key = (os.path.join(folder, name) for name in ("users", "rules", "key"))
            with open(users, "w") as out:
                json.dump([{"name": "other", "password": "secret"}], out)
            with open(rules, "w") as out:
                out.write('# a comment\n\n{"match":{"verb":"RTRV-HDR"},"do":{"fault":"deny","code":"SDNR"}}\n')
            keys = []
            for _ in range(2):
                sim = self.sim(ssh=True, arguments=["--one-port", "--users", users, "--faults", rules, "--host-key", key, "--latency", "10"])
                self.assertEqual(list(sim.ports), ["lp.bol1"])  # the first gateway
                ne = sim.login("lp.bol1", user="other", password="secret")
                self.good(ne, "ACT-USER:lp.ola2:other:A1::secret;")
                self.assertEqual(self.good(ne, "RTRV-SYS:lp.ola2::A2;").sid, "lp.ola2")
                self.assertEqual(ne.run("RTRV-HDR:lp.bol1::A3;").code, "SDNR")
                began = time.monotonic()
                self.good(ne, "RTRV-HDR:lp.bol1::A4;")
                self.assertGreaterEqual(time.monotonic() - began, 0.01)
                keys.append(sim.ssh("lp.bol1", "other", "secret").process.stderr.readline())
            self.assertEqual(keys[0], keys[1])
            self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)
            with open(rules, "w") as out:
                out.write('{"do":{"fault":"drop"}}\n{"do":{"fault":"nonsense"}}\n')
            bad = subprocess.run([flexsim.PROGRAM, "flexils", flexsim.RING, "--tcp", "0", "--faults", rules], capture_output=True, text=True)
            self.assertEqual(bad.returncode, 2)
            self.assertIn("line 2", bad.stderr)
        sim = self.sim(arguments=["--address-base", "127.77.0.1"])
        self.assertEqual([sim.ports[name]["address"] for name in sorted(sim.ports)], [f"127.77.0.{n}" for n in range(1, 7)])
        self.good(sim.login("lp.rom1"), "RTRV-SYS:lp.rom1::A1;")

    def test_control_program_and_kill(self):
        sim = self.sim()
        done = subprocess.run([flexsim.PROGRAM, "control", sim.path("c"), '{"op":"hash"}', '{"op":"cut","span":"mil-fir"}', '{"op":"no"}'],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertEqual([json.loads(line)["ok"] for line in done.stdout.splitlines()], [True, True, False])
        for _ in range(20):  # clients that are killed
            client = subprocess.Popen([sys.executable, "-c", "import socket,sys,time\n"
                                       f"s=socket.create_connection(('127.0.0.1',{sim.ports['lp.mil1']['tcp']}))\n"
                                       "s.sendall(b'RTRV-HDR:lp.mil1::1;');time.sleep(60)"])
            client.send_signal(signal.SIGKILL)
            client.wait()
        self.good(sim.login("lp.mil1"), READ)


if __name__ == "__main__":
    unittest.main()
