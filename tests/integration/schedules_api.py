#!/usr/bin/env python3
"""Schedules and maintenance windows through HTTP and the command line, as clients of the contract use them."""
import json
import os
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402

CLI = os.environ.get("LIGHTPATH_CLI", os.path.join(lightpathd.ROOT, "build", "cli", "lightpath"))
TASK = "task_clean_up_tasks"


class Schedules(lightpathd.Case):
    settings = {"api.auth": "true"}

    def setUp(self):
        super().setUp()
        self.head = {"Authorization": "Bearer " + self.daemon.token("operate", "olga")}

    def ask(self, method, path, body=None, status=200):
        reply = self.daemon.request(method, path, body, headers=self.head)
        self.assertEqual(reply.status, status, reply)
        return reply.json() if reply.body else None

    def cli(self, *words, code=0):
        done = subprocess.run([CLI, "--url", self.daemon.url, "-o", "json", *words], capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"], "LIGHTPATH_TOKEN": self.head["Authorization"][7:]})
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() and code == 0 else None

    def test_contract(self):
        task = next(w for w in self.ask("GET", "/api/workflows/") if w["name"] == TASK)
        body = {"scheduled_type": "create", "name": "nightly", "workflow_name": TASK, "workflow_id": task["workflow_id"], "trigger": "cron",
                "trigger_kwargs": {"minute": "0", "hour": "3", "day": "*", "month": "*", "day_of_week": "*",
                                   "start_date": "2026-03-01T00:00:00+00:00"}, "user_inputs": [{}]}
        made = self.ask("POST", "/api/schedules/", body, 201)
        self.assertEqual(made["status"], "CREATED")
        self.assertEqual(made["owner"], "olga")
        self.assertIn(made["id"], [s["id"] for s in self.ask("GET", "/api/schedules")])  # there at once
        changed = self.ask("PUT", "/api/schedules/", {"schedule_id": made["id"], "trigger": "interval", "trigger_kwargs": {"hours": "2"}})
        self.assertEqual((changed["status"], changed["text"], changed["name"]), ("UPDATED", "every 2 hours", "nightly"))
        self.assertEqual(self.ask("GET", f"/api/schedules/{made['id']}/runs"), [])
        self.ask("DELETE", "/api/schedules/", {"workflow_id": str(uuid.uuid4()), "schedule_id": made["id"]}, 404)
        gone = self.ask("DELETE", "/api/schedules/", {"workflow_id": task["workflow_id"], "schedule_id": made["id"]})
        self.assertEqual(gone["status"], "DELETED")
        self.ask("GET", f"/api/schedules/{made['id']}", None, 404)
        unknown = self.ask("POST", "/api/schedules/", {**body, "workflow_name": "task_none"}, 404)
        self.assertEqual(unknown["detail"], "Task does not exist")
        never = self.ask("POST", "/api/schedules/", {**body, "trigger_kwargs": {"day": 31, "month": 2}}, 422)
        self.assertIn("never comes", never["detail"])
        self.ask("POST", "/api/schedules/", {**body, "trigger": "moon"}, 422)
        self.ask("POST", "/api/schedules/", {**body, "colour": "red"}, 422)
        reader = {"Authorization": "Bearer " + self.daemon.token("read", "rita")}
        self.assertEqual(self.daemon.post("/api/schedules/", body, headers=reader).status, 403)

    def test_first_ones_are_there_and_can_be_changed(self):
        found = lightpathd.wait_for(lambda: len(self.ask("GET", "/api/schedules/")) == 3 and self.ask("GET", "/api/schedules/"))
        self.assertEqual({s["workflow_name"] for s in found},
                         {TASK, "task_validate_subscriptions", "task_validate_products"})
        self.assertEqual(self.cli("schedule", "update", "Clean up", "--every", "1h30m")["text"], "every 90 minutes")
        self.assertTrue(self.cli("schedule", "pause", "Clean up")["paused"])
        self.assertFalse(self.cli("schedule", "resume", "Clean up")["paused"])

    def test_command_line(self):
        made = self.cli("schedule", "create", TASK, "--name", "soon", "--every", "1s")
        lightpathd.wait_for(lambda: len(self.cli("schedule", "runs", "soon")) > 1)
        self.assertEqual(self.cli("schedule", "runs", "soon")[0]["outcome"], "started")
        self.assertEqual(self.cli("schedule", "show", "soon")["id"], made["id"])
        self.cli("schedule", "delete", "soon")
        self.cli("schedule", "show", "soon", code=4)
        self.cli("schedule", "create", TASK, "--cron", "0 3 31 2 *", code=2)
        self.cli("schedule", "create", TASK, code=2)

    def test_windows(self):
        window = self.ask("POST", "/api/windows/", {"name": "once", "starts": "2199-01-01T02:00", "ends": "2199-01-01T04:00",
                                                    "timezone": "Europe/Rome"}, 201)
        self.assertFalse(window["open"])
        self.assertEqual(self.ask("GET", "/api/windows/once")["id"], window["id"])
        process = self.ask("POST", f"/api/processes/{TASK}?window=once", [{}], 201)["id"]
        path = f"/api/processes/{process}"
        lightpathd.wait_for(lambda: self.ask("GET", path)["last_status"] == "waiting")
        self.assertEqual(self.ask("GET", path)["wait_kind"], "window")
        self.assertIn("'once' opens 2199-01-01T02:00:00+01:00", self.ask("GET", path)["wait_reason"])
        self.ask("DELETE", "/api/windows/once", None, 409)
        self.ask("PUT", path + "/window", {"window": "other"}, 422)
        self.ask("PUT", path + "/window", {"window": None}, 204)
        lightpathd.wait_for(lambda: self.ask("GET", path)["last_status"] == "completed")
        self.cli("window", "delete", "once")
        self.cli("window", "create", "night", "--hours", "22:00-04:00", "--days", "mon,fri", "--timezone", "Europe/Rome")
        self.assertEqual(self.cli("window", "update", "night", "--margin", "60")["margin_seconds"], 60)
        self.assertEqual(self.cli("window", "show", "night")["days"], ["mon", "fri"])
        self.ask("POST", "/api/windows/", {"name": "bad", "opens": "25:00", "closes": "04:00"}, 422)
        self.ask("POST", f"/api/processes/{TASK}?window=none", [{}], 422)


if __name__ == "__main__":
    lightpathd.main()
