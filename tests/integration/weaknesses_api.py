#!/usr/bin/env python3
"""Weaknesses of the engine that this one replaces, where they belong to the interface. One class per number; each has a mutant."""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402

TASK = "/api/processes/task_clean_up_tasks"


class W29_reporter_never_overrides(lightpathd.Case):
    """A query parameter named the user in the audit trail."""
    settings = {"api.auth": "true"}

    def test_actor_is_the_token(self):
        head = {"Authorization": "Bearer " + self.daemon.token("operate", "anna")}
        reply = self.daemon.post(TASK + "?reporter=mallory&ticket=T-1&reason=because", [{}], headers=head)
        self.assertEqual(reply.status, 201, reply)
        path = f"/api/processes/{reply.json()['id']}"

        def done():
            got = self.daemon.get(path, headers=head).json()
            return got["last_status"] == "completed" and got
        process = lightpathd.wait_for(done)
        self.assertEqual(process["created_by"], "anna")
        for path in ("note", "delete"):
            if path == "note":
                changed = self.daemon.request("PATCH", f"/api/processes/{process['process_id']}?reporter=mallory", {"note": "x"}, headers=head)
                self.assertEqual(changed.status, 200, changed)
        self.daemon.put("/api/settings/status?reporter=mallory", {"global_lock": False}, headers=head)
        audit = self.daemon.get("/api/audit?limit=1000", headers=head).json()
        actors = {row["actor"] for row in audit}
        self.assertIn("anna", actors)
        self.assertNotIn("mallory", actors)
        self.assertNotIn("mallory", json.dumps(process))
        self.assertNotIn("mallory", json.dumps(audit))
        chain = self.daemon.get(f"/api/audit?chain={process['process_id']}&limit=1000", headers=head).json()
        self.assertEqual({(row["ticket"], row["reason"]) for row in chain if row["actor"] == "anna" and row["ticket"]}, {("T-1", "because")})

    def test_over_the_socket_the_kernel_says_who(self):
        reply = self.daemon.post(TASK + "?reporter=mallory", [{}], unix=True)
        process = self.daemon.get(f"/api/processes/{reply.json()['id']}", unix=True).json()
        self.assertNotEqual(process["created_by"], "mallory")
        self.assertRegex(process["created_by"], r"^[a-z_][a-z0-9_-]*$")

    def test_too_long_is_told(self):
        reply = self.daemon.post(TASK + "?reporter=" + "x" * 101, [{}], unix=True)
        self.problem(reply, 422, "/query/reporter")


class W33_events_after_commit(lightpathd.Case):
    """Events were sent before the commit: who asked at once read old data."""

    def test_what_an_event_announces_can_be_read(self):
        with self.daemon.connect() as sock:
            sock.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            text = sock.recv(65536)
            ids = [self.daemon.start_process("task_clean_up_tasks", [{}]) for _ in range(15)]
            seen, checked = set(), 0
            while len(seen) < len(ids):
                text += sock.recv(65536)
                for process in re.findall(rb'"type":"processes","id":"([0-9a-f-]{36})"', text):
                    process = process.decode()
                    if process not in seen:
                        seen.add(process)
                        self.assertEqual(self.daemon.get(f"/api/processes/{process}").status, 200)
                        checked += 1
        self.assertEqual(seen, set(ids))
        self.assertEqual(checked, len(ids))


class W46_etag(lightpathd.Case):
    """The tag was sent in one form and compared in another, so nothing ever matched."""

    def check(self, path, change):
        first = self.daemon.get(path)
        tag = first.headers["ETag"]
        self.assertRegex(tag, r'^"[^"]+"$')
        for header in (tag, "W/" + tag, f'"other", {tag}', "*", f'W/"x",{tag} , "y"'):
            reply = self.daemon.get(path, headers={"If-None-Match": header})
            self.assertEqual((reply.status, reply.body), (304, b""), header)
            self.assertEqual(reply.headers["ETag"], tag)
        for header in (tag.strip('"'), '"other"', "", 'W/"other"', tag[:-1], f"x{tag}"):
            reply = self.daemon.get(path, headers={"If-None-Match": header})
            self.assertEqual((reply.status, reply.body), (200, first.body), header)
        change()
        reply = self.daemon.get(path, headers={"If-None-Match": tag})
        self.assertEqual(reply.status, 200)
        self.assertNotEqual(reply.headers["ETag"], tag)

    def run_task(self):
        self.daemon.wait_process(self.daemon.start_process("task_clean_up_tasks", [{}]))

    def test_process_list(self):
        self.run_task()
        self.check("/api/processes/", self.run_task)

    def test_domain_model(self):
        products = {p["name"]: p["product_id"] for p in self.daemon.get("/api/products/").json()}
        process = self.daemon.start_process("create_partner", [{"product": products["Partner"]}, {"partner_name": "Etag"}])
        subscription = self.daemon.wait_process(process)["subscriptions"][0]["subscription_id"]

        def note():
            process = self.daemon.start_process("modify_note", [{"subscription_id": subscription}, {"note": "new"}])
            self.daemon.wait_process(process)
        self.check(f"/api/subscriptions/domain-model/{subscription}", note)
        self.check(f"/api/subscriptions/{subscription}", self.second_note(subscription))

    def second_note(self, subscription):
        def note():
            self.daemon.wait_process(self.daemon.start_process("modify_note", [{"subscription_id": subscription}, {"note": "newer"}]))
        return note


class W48_safe_defaults(unittest.TestCase):
    """What a daemon does when nothing was configured: local only, no foreign pages, no debug noise, nothing waits for a run."""

    def test_defaults(self):
        with lightpathd.Daemon() as daemon:
            del daemon.settings["api.listen"]
            values = {v["env_name"]: v["env_value"] for s in daemon.get("/api/settings/overview").json() for v in s["variables"]}
            shown = os.popen(f"{lightpathd.PROGRAM} config show").read()
            self.assertIn('listen: "127.0.0.1:', shown)
            self.assertEqual(values["LIGHTPATH_LOG_LEVEL"], "info")
            self.assertEqual(values["LIGHTPATH_API_CORS_ORIGINS"], "")
            self.assertEqual(values["LIGHTPATH_API_HOSTS"], "")
            reply = daemon.get("/api/processes/", headers={"Origin": "https://any.example"})
            self.assertEqual(reply.status, 200)
            self.assertIsNone(reply.headers["Access-Control-Allow-Origin"])
            self.assertEqual(daemon.post(TASK, [{}], headers={"Origin": "https://any.example"}).status, 403)
            self.assertEqual(daemon.get("/api/processes/", headers={"Host": "any.example"}).status, 403)
            # without tokens a caller of this machine operates, and is no administrator
            self.assertEqual(daemon.get("/api/tokens/").status, 403)
            self.assertEqual(daemon.post(TASK, [{}]).status, 201)
            self.assertFalse([line for line in daemon.lines if '"debug"' in line])
            self.assertNotIn("lp_", daemon.get("/api/settings/overview").body.decode())

    def test_server_key_is_kept(self):
        """The key that callbacks are signed with differed per program."""
        daemon = lightpathd.Daemon()
        self.addCleanup(daemon.close)
        keys = set()
        if lightpathd.store != "sqlite":
            self.skipTest("looks into the SQLite file")
        import sqlite3
        for _ in range(2):
            daemon.start()
            daemon.stop()
            db = sqlite3.connect(os.path.join(daemon.data_dir, "lightpath.db"))
            keys.add(db.execute("SELECT value FROM settings WHERE name = 'server_key'").fetchone()[0])
            db.close()
        self.assertEqual(len(keys), 1)
        self.assertGreaterEqual(len(keys.pop()), 32)

    def test_beyond_loopback_needs_tokens(self):
        daemon = lightpathd.Daemon({"api.listen": "0.0.0.0:0"})
        self.addCleanup(daemon.close)
        with self.assertRaises(AssertionError) as caught:
            daemon.start()
        self.assertIn("authentication", str(caught.exception))


if __name__ == "__main__":
    lightpathd.main()
