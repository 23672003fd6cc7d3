#!/usr/bin/env python3
"""The doctor finds what was broken by hand, says what it means, repairs what is safe and audits it; through the API, by the program, and
offline. Executors and queues as operators see them."""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402
from lightpathd import wait_for  # noqa: E402

CLI = os.environ.get("LIGHTPATH_TEST_CLI", os.path.join(lightpathd.ROOT, "build", "cli", "lightpath"))
FIXED = ("locks", "named_locks", "owned_ends", "fanouts", "sleepers", "requests")
SEEN = FIXED + ("orphans", "labels", "failed", "drift", "unrouted")


def identifier():
    return str(uuid.uuid4())


class Sick(unittest.TestCase):
    """A database with one of everything that should not be there."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lpd")
        self.addCleanup(folder.cleanup)
        self.data = os.path.join(folder.name, "data")
        self.settings = {"store.url": lightpathd.pg_database()} if lightpathd.store == "pg" else {}
        self.daemon = lightpathd.Daemon(self.settings, data_dir=self.data, arguments=["--role", "api"])
        self.addCleanup(self.daemon.close)

    def sql(self, *statements):
        if lightpathd.store == "pg":
            text = "SET search_path TO lightpath; " + "; ".join(statements)
            subprocess.run(["psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", self.settings["store.url"], "-c", text], check=True)
            return
        with sqlite3.connect(os.path.join(self.data, "lightpath.db")) as db:
            # the functions of the program's own connections, for triggers and defaults
            db.create_function("lp_now", 0, lambda: int(time.time() * 1e6))
            for statement in statements:
                db.execute(statement)
        db.close()

    def count(self, text):
        if lightpathd.store == "pg":
            done = subprocess.run(["psql", "-q", "-X", "-A", "-t", "-d", self.settings["store.url"], "-c", "SET search_path TO lightpath; " + text],
                                  check=True, capture_output=True, text=True)
            return int(done.stdout)
        with sqlite3.connect(os.path.join(self.data, "lightpath.db")) as db:
            return db.execute(text).fetchone()[0]

    def process(self, status, **more):
        row = {"id": identifier(), "workflow": "task_clean_up_tasks", "workflow_id": identifier(), "target": "SYSTEM", "is_task": 1,
               "status": status, "created_by": "me", "correlation_id": "c", "definition_hash": "h", "created_at": 1000000,
               "modified_at": 1000000, **more}
        values = ", ".join(str(v) if isinstance(v, int) else f"'{v}'" for v in row.values())
        return row["id"], f"INSERT INTO processes ({', '.join(row)}) VALUES ({values})"

    def damage(self):
        ended, one = self.process("completed", lease_owner=identifier(), requests=2)
        living, two = self.process("running", lease_owner=identifier())
        _, three = self.process("waiting", wait_kind="children")
        self.sleeper, four = self.process("waiting", wait_kind="retry")
        _, five = self.process("waiting", wait_kind="label", label="moon", wake_at=2000000)
        _, six = self.process("failed", failed_reason="it was broken")
        subscription = identifier()
        self.sql(one, two, three, four, five, six,
                 f"INSERT INTO process_locks (subscription_id, process_id, mode, taken_at) VALUES ('{subscription}', '{ended}', 'exclusive', 1)",
                 f"INSERT INTO process_locks (subscription_id, process_id, mode, taken_at) VALUES ('{identifier()}', '{living}', 'exclusive', 1)",
                 f"INSERT INTO named_locks (name, process_id, epoch, taken_at) VALUES ('ne:x', '{identifier()}', 1, 1)",
                 f"INSERT INTO notices (id, kind, severity, doc, created_at) VALUES ('{identifier()}', 'test', 'info', '{{}}', 1)",
                 "INSERT INTO subscriptions (id, product_id, product, customer_id, description, status, created_at, modified_at) VALUES "
                 f"('{identifier()}', '{identifier()}', 'PoP', '{identifier()}', 'Lost place', 'active', 1, 1)")

    def start_sick(self):
        self.daemon.start()
        self.daemon.stop()
        self.damage()
        return self.daemon.start()

    def found(self, report):
        found = {}
        for finding in report["findings"]:
            found.setdefault(finding["check"], finding)
        return found

    def test_W50_stuck_runs_are_found_and_repaired(self):
        self.start_sick()
        report = self.daemon.get("/api/doctor").json()
        found = self.found(report)
        for check in SEEN:
            self.assertNotEqual(found[check]["severity"], "ok", check)
            self.assertGreaterEqual(found[check]["count"], 1, check)
            self.assertTrue(found[check]["means"] and found[check]["todo"], check)
            self.assertEqual(found[check]["fixable"], check in FIXED, check)
        self.assertEqual(found["executors"]["severity"], "error")  # work waits, and nobody takes it
        self.assertEqual(report["worst"], "error")
        self.assertEqual([item["id"] for item in found["sleepers"]["items"]], [self.sleeper])
        again = self.daemon.get("/api/doctor").json()  # looking changes nothing
        self.assertEqual({c: f["count"] for c, f in self.found(again).items() if c in SEEN}, {c: found[c]["count"] for c in SEEN})
        fixed = self.daemon.post("/api/doctor/fix?reason=night+shift", unix=True)
        self.assertEqual(fixed.status, 200, fixed)
        self.assertEqual({c for c, f in self.found(fixed.json()).items() if f["fixed"]}, set(FIXED))
        after = self.found(self.daemon.get("/api/doctor").json())
        self.assertEqual({c: after[c]["severity"] for c in FIXED}, {c: "ok" for c in FIXED})
        self.assertEqual(self.count("SELECT count(*) FROM process_locks"), 1)  # of the process that is not finished
        rows = [row for row in self.daemon.get("/api/audit?limit=50").json() if row["body"].get("action") == "doctor.fixed"]
        self.assertEqual({row["body"]["check"] for row in rows}, set(FIXED))
        self.assertEqual({row["reason"] for row in rows}, {"night shift"})
        self.assertTrue(self.daemon.get("/api/audit/verify").json()["ok"])

    def test_by_the_program_and_offline(self):
        self.start_sick()
        env = {"LIGHTPATH_SOCKET": self.daemon.socket, "PATH": os.environ["PATH"]}
        done = subprocess.run([CLI, "doctor"], env=env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 10, done.stderr)
        self.assertIn("lock(s) held by processes that are finished or gone", done.stdout)
        self.assertIn("To do:", done.stdout)
        # begun with steps that nobody knows any more: the rows that were put in
        self.assertIn("5 process(es) were begun with other steps", done.stdout)
        done = subprocess.run([CLI, "process", "changed"], env=env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"process {self.sleeper}", done.stdout)
        self.assertIn(f"lightpath process abort {self.sleeper}", done.stdout)
        report = self.daemon.get(f"/api/processes/changed?process_id={self.sleeper}").json()
        self.assertEqual((report["count"], [p["process_id"] for p in report["processes"]]), (5, [self.sleeper]))
        self.assertIn('\nlightpath_changed_processes{workflow="task_clean_up_tasks"} 5', self.daemon.get("/api/metrics").body.decode())
        self.assertEqual(self.daemon.stop(), 0)

        def offline(*more):
            done = subprocess.run(self.daemon.command("doctor", *more), capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr
        self.sql("INSERT INTO outbox (doc, created_at) VALUES ('{}', 1)")
        code, said = offline()
        self.assertEqual(code, 10, said)
        self.assertRegex(said, r"error +locks +1 lock")
        self.assertRegex(said, r"warning +events +1 event")
        code, said = offline("--fix")
        self.assertRegex(said, r"info +locks +1 lock.*repaired")
        code, said = offline()
        self.assertNotRegex(said, r"error +locks")
        self.daemon.start()
        self.assertTrue(self.daemon.get("/api/audit/verify").json()["ok"])
        code, said = offline()
        self.assertEqual(code, 5, said)
        self.assertIn("lightpath doctor", said)  # ask the one that runs

    def test_offline_when_the_daemon_does_not_start(self):
        for url, words in (("postgresql://nobody@127.0.0.1:1/none", "connect"), ("sqlite:/proc/none/x.db", "x.db")):
            self.daemon.settings["store.url"] = url
            done = subprocess.run(self.daemon.command("doctor"), capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 10, done)
            self.assertRegex(done.stdout, r"(?m)^error +database ")
            self.assertIn(words, done.stdout)
            self.assertRegex(done.stdout, r"(?m)^ok +disk ")  # the rest is looked at all the same


class Whole(lightpathd.Case):
    def test_nothing_is_wrong_with_a_new_one(self):
        report = self.daemon.get("/api/doctor").json()
        wrong = [f for f in report["findings"] if f["severity"] in ("warning", "error") and f["check"] not in ("clock", "disk")]
        self.assertEqual(wrong, [])
        self.assertEqual(self.daemon.get("/api/processes/changed").json(), {"count": 0, "definitions": [], "processes": []})

    def test_executors_and_engine(self):
        row = self.daemon.get("/api/executors/").json()[0]
        self.assertEqual((row["state"], row["drained"], row["claims"]), ("live", False, 0))
        self.assertIn("executor", row["roles"])
        self.assertEqual(row["version"], self.daemon.ready["version"])
        if lightpathd.store == "pg":
            self.assertGreater(row["lease_left_s"], 0)
            wait_for(lambda: [lease for lease in self.daemon.get("/api/engine").json()["leases"] if lease["name"] == "scheduler" and lease["held"]])
        engine = self.daemon.get("/api/engine").json()
        self.assertEqual((engine["global_status"], engine["queue"]["depth"], engine["executors"]["live"]), ("RUNNING", 0, 1))

    def test_paused_is_told(self):
        self.assertEqual(self.daemon.put("/api/settings/status", {"global_lock": True}).status, 200)
        try:
            checks = {f["check"]: f for f in self.daemon.get("/api/doctor").json()["findings"]}
            self.assertEqual(checks["global_lock"]["severity"], "warning")
        finally:
            self.daemon.put("/api/settings/status", {"global_lock": False})

    def test_W50_a_process_counts_once_and_nobody_is_named(self):
        products = {p["name"]: p["product_id"] for p in self.daemon.get("/api/products/").json()}
        for name in ("One", "Two"):
            self.daemon.wait_process(self.daemon.start_process("create_partner", [{"product": products["Partner"]}, {"partner_name": name}]))
        self.daemon.wait_process(self.daemon.start_process("task_clean_up_tasks", [{}]))
        self.daemon.request("DELETE", "/api/settings/cache/metrics")
        page = self.daemon.get("/api/metrics").body.decode()
        counts = {}
        for line in page.splitlines():
            if line.startswith("wfo_process_count{"):
                labels = dict(part.split("=", 1) for part in line[line.index("{") + 1:line.index("}")].split(","))
                counts[labels["workflow_name"].strip('"')] = counts.get(labels["workflow_name"].strip('"'), 0) + int(line.rsplit(" ", 1)[1])
        self.assertEqual(counts["create_partner"], 2)
        self.assertEqual(counts["task_clean_up_tasks"], 1)  # a task belongs to no subscription
        self.assertNotIn("local", page)  # who started it is no label
        for name in ("lightpath_step_seconds_bucket", "lightpath_queue_oldest_seconds", "lightpath_step_retries_total",
                     "lightpath_last_step_age_seconds", "lightpath_fenced_total", "lightpath_lease_losses_total", "lightpath_claims_total"):
            self.assertIn("\n" + name, page)
        age = float(page.split("\nlightpath_last_step_age_seconds ")[1].split("\n")[0])
        self.assertTrue(0 <= age < 3600, age)


class Several(lightpathd.Case):
    @unittest.skipUnless("pg" in sys.argv, "several daemons share PostgreSQL only")
    def test_work_that_nobody_can_do(self):
        settings = {"store.url": self.daemon.settings["store.url"], "daemon.name": "front"}
        with lightpathd.Daemon(settings, arguments=["--role", "api"]) as front:
            rows = front.get("/api/executors/").json()
            self.assertEqual([row["name"] for row in rows], [self.daemon.get("/api/executors/").json()[0]["name"]])
            done = subprocess.run([CLI, "executor", "list"], env={"LIGHTPATH_SOCKET": front.socket, "PATH": os.environ["PATH"]},
                                  capture_output=True, text=True, check=False)
            self.assertIn("live", done.stdout)

    @unittest.skipUnless("pg" in sys.argv and "LIGHTPATH_TEST_CLOCKOFF" in os.environ, "one host has one clock")
    def test_a_host_clock_that_is_off(self):
        """Lightpath goes by the database's clock; the host's is told all the same."""
        shim = {"LD_PRELOAD": os.environ["LIGHTPATH_TEST_CLOCKOFF"], "LP_CLOCK_OFF_S": "3600", "ASAN_OPTIONS": "verify_asan_link_order=0"}
        settings = {"store.url": self.daemon.settings["store.url"], "daemon.name": "off"}
        with lightpathd.Daemon(settings, arguments=["--role", "api"], environment=shim) as off:
            found = {f["check"]: f for f in off.get("/api/doctor").json()["findings"]}
            self.assertEqual(found["clock"]["severity"], "error", found["clock"])
            self.assertIn("behind", found["clock"]["text"])


if __name__ == "__main__":
    lightpathd.main()
