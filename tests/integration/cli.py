#!/usr/bin/env python3
"""The lightpath program against a real daemon: the life of partners and PoPs, imports, failures and their repair, tokens, backup."""
import itertools
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402

CLI = os.environ.get("LIGHTPATH_TEST_CLI", os.path.join(lightpathd.ROOT, "build", "cli", "lightpath"))
HEADER = "code,full_name,latitude,longitude\n"


class Cli(lightpathd.Case):
    def cli(self, *args, code=0, where=None, env=None, text=None):
        full = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LIGHTPATH_SOCKET": self.daemon.socket, **(env or {})}
        done = subprocess.run([CLI, *(where or ()), *args], env=full, input=text, stdin=None if text is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120 * lightpathd.SLOW)
        self.assertEqual(done.returncode, code, f"lightpath {' '.join(args)}: {done.stdout}{done.stderr}")
        return done

    def json(self, *args, **more):
        return json.loads(self.cli("-o", "json", *args, **more).stdout)

    def start(self, *args, code=0):
        return self.json("process", "start", *args, "--watch", code=code)

    def partner(self, name):
        return self.start("create_partner", "--set", f"partner_name={name}")["subscriptions"][0]["subscription_id"]

    def pop(self, code, owner):
        return self.start("create_pop", "--set", f"code={code}", "--set", f"full_name={code} Town", "--set", "latitude=45.5",
                          "--set", "longitude=-9.25", "--set", f"partner_id={owner}")["subscriptions"][0]["subscription_id"]

    def csv(self, *rows):
        file = tempfile.NamedTemporaryFile("w", suffix=".csv")
        file.write(HEADER + "".join(row + "\n" for row in rows))
        file.flush()
        self.addCleanup(file.close)
        return file.name


class Life(Cli):
    def test_create_modify_validate_terminate(self):
        self.partner("Life")
        pop = self.pop("LI01", "Life")
        shown = self.json("subscription", "show", "LI01")
        self.assertEqual((shown["subscription_id"], shown["status"], shown["insync"]), (pop, "active", True))
        self.assertEqual(shown["pop"]["longitude_udeg"], -9250000)
        self.start("modify_pop", "LI01", "--set", "full_name=LI01 City", "--set", "address.city=Rome")
        changes = {c["path"]: c.get("after") for c in self.json("subscription", "diff", "LI01")["changes"]}
        self.assertEqual(changes["/pop/full_name"], "LI01 City")
        table = self.cli("subscription", "diff", "LI01", "0").stdout
        self.assertRegex(table, r"start_date +\d{4}-\d\d-\d\d \d\d:\d\d")
        self.assertEqual(self.json("subscription", "show", "LI01")["pop"]["address"], {"city": "Rome"})
        self.start("validate_pop", "LI01")
        self.assertIn("LI01 City", self.cli("subscription", "history", "LI01").stdout)
        refused = self.cli("process", "start", "terminate_partner", "Life", code=2)
        self.assertIn("LI01", refused.stdout + refused.stderr)  # who uses it
        self.assertIn("no task", self.cli("task", "start", "modify_pop", "LI01", code=2).stderr)
        form = self.daemon.post("/api/processes/modify_partner", [
            {"subscription_id": self.json("subscription", "show", "Life")["subscription_id"]}, {"partner_name": "Longer life"}])
        self.assertEqual(form.status, 510, form)
        self.assertIn("LI01", json.dumps(form.json()["form"]["properties"]["impact"]))
        self.start("terminate_pop", "LI01")
        self.assertEqual(self.json("subscription", "show", pop)["status"], "terminated")
        self.cli("subscription", "show", "LI02", code=4)

    def test_what_may_be_started(self):
        self.partner("Choice")
        table = self.cli("subscription", "workflows", "Choice").stdout
        self.assertRegex(table, r"modify_partner +modify +yes")
        self.assertRegex(self.cli("workflow", "list", "--tasks").stdout, r"task_import_pops +SYSTEM +yes")
        self.assertRegex(self.cli("product", "list").stdout, r"PoP +PoP +POP +active")

    def test_bad_values_name_every_field_and_start_nothing(self):
        self.partner("Owner")
        before = len(self.json("process", "list", "--all", "--limit", "1000"))
        done = self.cli("process", "start", "create_pop", "--set", "code=x", "--set", "latitude=1", "--set", "longitude=abc",
                        "--set", "full_name=y", "--set", "partner_id=nobody", code=2)
        self.assertIn("partner_id", done.stderr)
        done = self.cli("process", "start", "create_partner", "--set", "partner_name=Bad", "--set", "country=italy", "--set", "roles=boss",
                        code=2)
        self.assertIn("roles", done.stderr)
        done = self.cli("process", "start", "create_partner", "--set", "partner_name=Bad", "--set", "country=italy", code=2)
        self.assertIn("country", done.stderr)
        done = self.cli("process", "start", "create_partner", "--set", "partner_name=Bad", "--set", "colour=red", code=2)
        self.assertIn("colour", done.stderr)
        done = self.cli("process", "start", "create_partner", code=3)
        self.assertIn("--set partner_name=", done.stderr)
        self.assertEqual(len(self.json("process", "list", "--all", "--limit", "1000")), before)

    def test_notes_and_shortened_ids(self):
        self.partner("Noted")
        process = self.json("process", "list", "--workflow", "create_partner", "--limit", "1")[0]["process_id"]
        for name in (process, process[-12:], process[:-1]):
            self.cli("process", "note", name, "seen by the operator")
        self.assertEqual(self.json("process", "show", process)["note"], "seen by the operator")
        self.assertIn("seen by the operator", self.cli("process", "show", process[-12:]).stdout)
        self.cli("process", "delete", process, code=2)
        self.partner("Other")
        self.assertIn("different rows", self.cli("process", "show", process[:4], code=5).stderr)


class Imports(Cli):
    def test_a_file_becomes_pops_and_drift_is_found_and_healed(self):
        self.partner("Import")
        first = self.csv("IA01,IA01 One,45.1,9.1", "IA02,IA02 Two,45.2,9.2", "IA03,IA03 Three,45.3,9.3")
        done = self.json("pop", "import", first, "--owner", "Import", "--source", "src", "--watch")
        self.assertEqual(done["last_status"], "completed")
        self.assertEqual(len(self.json("subscription", "list", "IA0", "--product", "PoP")), 3)
        moved = self.csv("IA01,IA01 One,45.1,9.1", "IA02,IA02 Two,46.2,9.2", "IA03,IA03 Three,45.3,9.3")
        self.cli("pop", "import", moved, "--owner", "Import", "--source", "src", code=2)
        self.cli("pop", "import", moved, "--owner", "Import", "--source", "src", "--skip-existing", "--watch")
        failed = self.cli("process", "start", "validate_pop", "IA02", "--watch", code=10)
        self.assertIn("latitude: expected 46.2, found 45.2", failed.stderr)
        self.assertEqual([s["description"].split()[0] for s in self.json("subscription", "list", "--out-of-sync")], ["IA02"])
        todo = self.json("todo")
        self.assertEqual(todo["processes"][0]["subscriptions"][0]["description"].split()[0], "IA02")
        self.start("reconcile_pop", "IA02")
        self.cli("process", "retry", todo["processes"][0]["process_id"], "--watch", "--ticket", "T-1")
        self.assertEqual(self.json("subscription", "show", "IA02")["pop"]["latitude_udeg"], 46200000)
        self.assertEqual(self.json("todo"), {"processes": [], "out_of_sync": []})

    def test_skip_mark_done_and_abort_by_hand(self):
        self.partner("Hand")
        rows = [f"HA0{i},HA0{i} Site,45.{i},9.1" for i in range(3)]
        self.cli("pop", "import", self.csv(*rows), "--owner", "Hand", "--source", "hand", "--watch")
        self.cli("pop", "import", self.csv(*(row.replace(",45.", ",46.") for row in rows)), "--owner", "Hand", "--source", "hand",
                 "--skip-existing", "--watch")
        failed = []
        for i in range(3):
            self.cli("process", "start", "validate_pop", f"HA0{i}", "--watch", code=10)
            failed.append(self.json("process", "list", "--tasks", "--workflow", "validate_pop", "--limit", "1")[0]["process_id"])
        self.cli("process", "skip", failed[0], code=2)
        self.cli("process", "skip", failed[0], "--reason", "known", "--ticket", "T-9", "--watch")
        steps = {s["key"]: s["status"] for s in self.json("process", "show", failed[0])["steps"]}
        self.assertEqual(steps["compare"], "skipped")
        self.assertIn("T-9", self.cli("audit", "show", failed[0]).stdout)
        self.cli("process", "mark-done", failed[1], "--reason", "measured by hand", "--delta", '{"seen": 1}', "--watch")
        done = self.json("process", "show", failed[1])
        self.assertEqual((done["last_status"], done["current_state"]["seen"]), ("completed", 1))
        self.cli("process", "mark-done", failed[1], "--reason", "again", code=5)
        self.cli("process", "mark-done", failed[2], "--reason", "x", "--delta", "[1]", code=2)
        self.cli("process", "abort", failed[2], "--reason", "not needed", "--watch")
        self.assertEqual(self.json("process", "show", failed[2])["last_status"], "aborted")
        self.cli("process", "retry", failed[2], code=5)
        self.cli("process", "delete", failed[2])
        self.cli("process", "show", failed[2], code=4)
        self.cli("subscription", "sync", "HA02", "--reason", "looked")
        self.cli("process", "start", "reconcile_pop", "HA02", "--watch")
        for line in self.cli("process", "steps", failed[1]).stdout, self.cli("process", "show", failed[0]).stdout:
            self.assertIn("Compare with what should be", line)

    def test_faults_are_told_with_row_and_column(self):
        self.partner("Faults")
        before = len(self.json("subscription", "list", "--limit", "1000"))
        done = self.cli("pop", "import", self.csv("FA01,XX01 One,45.1,9.1", "FA02,FA02 Two,95.2,9.2"), "--owner", "Faults", code=2)
        self.assertIn("row 2, column full_name", done.stderr)
        self.assertIn("row 3, column latitude", done.stderr)
        self.cli("pop", "import", self.csv("FA01,FA01 One,45.1,9.1"), "--owner", "Nobody", code=2)
        self.cli("pop", "import", "/nonexistent.csv", "--owner", "Faults", code=4)
        self.assertEqual(len(self.json("subscription", "list", "--limit", "1000")), before)

    def test_columns_of_other_names(self):
        self.partner("Mapped")
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("site;label;lat;lon;owner\nMP01;MP01 One;45.1;9.1;x\n")
            file.flush()
            args = ["pop", "import", file.name, "--owner", "Mapped", "--map", "code=site", "--map", "full_name=label", "--map", "latitude=lat",
                    "--map", "longitude=lon"]
            self.cli(*args, code=2)
            self.cli(*args, "--ignore-columns", "--watch")
        self.assertEqual(self.json("subscription", "show", "MP01")["pop"]["full_name"], "MP01 One")

    def test_a_kill_in_the_middle_loses_and_doubles_nothing(self):
        self.partner("Killed")
        rows = [f"K{i:03d},K{i:03d} Hut,{40 + i / 1000:.3f},9.0" for i in range(150)]
        task = self.json("pop", "import", self.csv(*rows), "--owner", "Killed", "--source", "killed")["id"]

        def done():
            return sum(s["status"] == "active" for s in self.json("subscription", "list", "K", "--product", "PoP", "--limit", "1000"))
        lightpathd.wait_for(lambda: done() >= 10, 60)
        self.daemon.kill()
        self.daemon.start()
        self.cli("process", "watch", task)
        pops = self.json("subscription", "list", "K", "--product", "PoP", "--limit", "1000")
        self.assertEqual(len({p["description"].split()[0] for p in pops}), 150)
        self.assertEqual(len(pops), 150)
        self.assertEqual({p["version"] for p in pops}, {3})
        self.cli("audit", "verify")


class Operating(Cli):
    def test_pause_and_go_on(self):
        self.assertIn("paused", self.cli("engine", "pause", "--reason", "window").stdout)
        done = self.cli("process", "start", "create_partner", "--set", "partner_name=Paused", code=7)
        self.assertIn("engine resume", done.stderr)
        self.assertIn("PAUSED", self.cli("engine", "status").stdout)
        self.cli("engine", "resume")
        self.assertIn("RUNNING", self.cli("engine", "status").stdout)

    def test_tokens(self):
        token = self.cli("token", "create", "reader", "--role", "read").stdout.strip()
        where = ("--url", self.daemon.url)
        env = {"LIGHTPATH_SOCKET": "", "LIGHTPATH_TOKEN": token}
        self.cli("todo", where=where, env=env)
        done = self.cli("process", "start", "create_partner", "--set", "partner_name=Reader", where=where, env=env, code=9)
        self.assertIn("role", done.stderr)
        self.assertNotIn(token, done.stderr + self.cli("token", "list").stdout)
        self.cli("token", "revoke", "reader")
        done = self.cli("todo", where=where, env=env, code=9)
        self.assertIn("--token-file", done.stderr)

    def test_backup(self):
        if lightpathd.store != "sqlite":
            self.skipTest("pg_dump is tested with the store")
        done = self.json("db", "backup", "cli-test.db")
        self.assertEqual(os.path.getsize(done["path"]), done["bytes"])
        self.cli("db", "backup", "cli-test.db", code=5)
        self.cli("db", "backup", "../outside.db", code=2)

    def test_audit_shows_who_why_and_for_which_ticket(self):
        process = self.json("process", "start", "create_partner", "--set", "partner_name=Audited", "--ticket", "T-77", "--reason", "because",
                            "--watch")["process_id"]
        text = self.cli("audit", "show", process).stdout
        self.assertIn("T-77", text)
        self.assertIn("because", text)
        self.assertRegex(self.cli("audit", "verify").stdout, r"\d+ audit rows")

    def until(self, what, name):
        """Makes events until what() is true: when somebody begins to listen cannot be seen from outside."""
        numbers = itertools.count()
        lightpathd.wait_for(lambda: self.partner(f"{name} {next(numbers)}") and what(), pause=0.2)

    def test_events_follow_what_happens(self):
        watcher = subprocess.Popen([CLI, "events"], env={"LIGHTPATH_SOCKET": self.daemon.socket}, stdout=subprocess.PIPE, text=True)
        self.until(lambda: select.select([watcher.stdout], [], [], 0)[0], "Events")
        line = watcher.stdout.readline()
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=60 * lightpathd.SLOW)
        self.assertEqual(watcher.returncode, 0)
        self.assertRegex(line, r"\d+ +(processes|subscriptions)")

    def test_a_reader_that_leaves_is_no_error(self):
        for args in (("workflow", "list"), ("-o", "json", "workflow", "list"), ("--help",), ("events",)):
            reader, writer = os.pipe()
            os.close(reader)
            child = subprocess.Popen([CLI, *args], env={"LIGHTPATH_SOCKET": self.daemon.socket}, stdout=writer, stderr=subprocess.PIPE, text=True)
            os.close(writer)
            if args == ("events",):
                self.until(lambda: child.poll() is not None, "Nobody reads")
            _, errors = child.communicate(timeout=60 * lightpathd.SLOW)
            self.assertEqual((child.returncode, errors), (0, ""), args)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([CLI, "workflow", "list"], env={"LIGHTPATH_SOCKET": self.daemon.socket}, stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be written", done.stderr)

    def test_refused_words_are_told_with_the_good_ones(self):
        done = self.cli("token", "create", "x", "--role", "root", code=2)
        self.assertIn("read, operate, admin", done.stderr)
        for args in (("process", "list", "--status", "complete"), ("subscription", "list", "--status", "live"),
                     ("workflow", "list", "--target", "create"), ("-o", "yaml", "todo")):
            self.assertIn("there are", self.cli(*args, code=2).stderr, args)
        self.cli("process", "list", "--status", "failed", "--status", "completed")

    def test_what_is_over_is_not_aborted(self):
        process = self.start("create_partner", "--set", "partner_name=Over")["process_id"]
        done = self.cli("process", "abort", process, "--yes", code=5)
        self.assertIn("completed", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_versions(self):
        both = self.json("version")
        self.assertEqual(both["client"], both["server"])

    def test_two_starts_on_one_subscription(self):
        self.partner("Busy")
        results = [subprocess.Popen([CLI, "process", "start", "modify_partner", "Busy", "--set", f"legal_name=Name {i}", "--watch"],
                                    env={"LIGHTPATH_SOCKET": self.daemon.socket}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True) for i in range(6)]
        codes = []
        for child in results:
            _, err = child.communicate(timeout=120 * lightpathd.SLOW)
            codes.append(child.returncode)
            if child.returncode != 0:
                self.assertTrue(re.search("lock|in sync|Stale|unfinished|held|holds", err), err)
        self.assertIn(0, codes)
        self.assertTrue(set(codes) <= {0, 2, 5}, codes)
        self.assertTrue(self.json("subscription", "show", "Busy")["insync"])


if __name__ == "__main__":
    lightpathd.main()
