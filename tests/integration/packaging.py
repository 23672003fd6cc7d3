#!/usr/bin/env python3
"""What lies in packaging/: units that systemd understands, a dashboard and alerts that name only what a daemon exports."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import yaml
except ImportError:
    print("python3-yaml is not installed")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402

PACKAGING = os.path.join(lightpathd.ROOT, "packaging")
NAME = re.compile(r"\b(?:lightpath|wfo)_[a-z_]+\b")


def text(*path):
    with open(os.path.join(PACKAGING, *path), encoding="utf-8") as file:
        return file.read()


class Monitoring(lightpathd.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.wait_process(cls.daemon.start_process("task_clean_up_tasks", [{}]))
        cls.page = cls.daemon.get("/api/metrics").body.decode()
        cls.kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", cls.page, re.M))

    def exported(self, name):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        return name in self.kinds or self.kinds.get(base) == "histogram"

    def check(self, expression):
        names = set(NAME.findall(re.sub(r'"[^"]*"', '""', expression))) - {"wfo_engine_status"} | {
            n for n in NAME.findall(expression) if n == "wfo_engine_status"}
        for name in names:
            self.assertTrue(self.exported(name), f"{name} in {expression}")
        for counter in re.findall(r"(?:rate|increase)\((\w+)", expression):
            base = re.sub(r"_(bucket|sum|count)$", "", counter)
            self.assertIn(self.kinds.get(counter, self.kinds.get(base)), ("counter", "histogram") +
                          (("gauge",) if counter == "lightpath_notifications" else ()), counter)
        return len(names)

    def test_dashboard(self):
        board = json.loads(text("monitoring", "grafana-dashboard.json"))
        self.assertEqual(len({p["id"] for p in board["panels"]}), len(board["panels"]))
        seen = sum(self.check(t["expr"]) for p in board["panels"] for t in p["targets"])
        self.assertGreater(seen, 25)

    def test_alerts(self):
        rules = [rule for group in yaml.safe_load(text("monitoring", "prometheus-alerts.yaml"))["groups"] for rule in group["rules"]]
        self.assertGreater(len(rules), 10)
        self.assertEqual(len({r["alert"] for r in rules}), len(rules))
        for rule in rules:
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
            self.assertTrue(rule["annotations"]["summary"] and rule["annotations"]["todo"])
            self.assertRegex(rule["for"], r"^\d+[smh]$")
            self.assertGreater(self.check(rule["expr"]), 0 if "up{" not in rule["expr"] else -1)

    def test_step_times_have_bounded_labels(self):
        rows = re.findall(r'^lightpath_step_seconds_bucket\{workflow="(\w+)",step="([\w/]+)",le="([^"]+)"\} (\d+)$', self.page, re.M)
        self.assertIn(("task_clean_up_tasks", "+Inf"), {(w, le) for w, _, le, _ in rows})
        by_step = {}
        for workflow, step, le, count in rows:
            by_step.setdefault((workflow, step), []).append(int(count))
        for counts in by_step.values():
            self.assertEqual(counts, sorted(counts))
            self.assertEqual(len(counts), 13)

    def test_example_of_rules_is_right(self):
        with tempfile.TemporaryDirectory() as folder:
            for bad in (False, True):
                path = os.path.join(folder, "rules.yaml")
                with open(path, "w", encoding="utf-8") as out:
                    out.write(text("notifications.yaml") + ("wrong: 1\n" if bad else ""))
                daemon = lightpathd.Daemon({"notifications.file": path})
                try:
                    if bad:
                        self.assertRaises(AssertionError, daemon.start)
                    else:
                        daemon.start()
                finally:
                    daemon.close()


class Customers(lightpathd.Case):
    """Whom a subscription belongs to is nobody's business without a token."""

    def test_only_with_a_token_or_when_wanted(self):
        products = {p["name"]: p["product_id"] for p in self.daemon.get("/api/products/").json()}
        done = self.daemon.wait_process(self.daemon.start_process("create_partner", [{"product": products["Partner"]}, {"partner_name": "Acme"}]))
        customer = done["subscriptions"][0]["subscription_id"]
        self.assertNotIn(customer, self.daemon.get("/api/metrics").body.decode())
        token = {"Authorization": "Bearer " + self.daemon.token("read")}
        self.assertIn(customer, self.daemon.get("/api/metrics", headers=token).body.decode())
        self.assertNotIn(customer, self.daemon.get("/api/metrics").body.decode())
        self.assertEqual(self.daemon.get("/api/metrics", headers={"Authorization": "Bearer wrong"}).status, 403)
        with lightpathd.Daemon({"api.metrics_customers": "true"}) as open_daemon:
            done = open_daemon.wait_process(open_daemon.start_process("create_partner",
                                                                      [{"product": products["Partner"]}, {"partner_name": "Acme"}]))
            self.assertIn(done["subscriptions"][0]["subscription_id"], open_daemon.get("/api/metrics").body.decode())


class Units(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_systemd_understands_them(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("lightpathd.service", "lightpathd@.service"):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                    out.write(text("systemd", name + ".in").replace("@sbindir@/lightpathd", lightpathd.PROGRAM).replace("man:", "file:///"))
            shutil.copy(os.path.join(PACKAGING, "systemd", "lightpath.target"), folder)
            for name in ("lightpathd.service", "lightpathd@executor.service"):
                done = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", os.path.join(folder, name)], capture_output=True,
                                      text=True, check=False)
                said = [line for line in done.stderr.splitlines() if "lightpath" in line]
                self.assertEqual(said, [], name)

    def test_they_fit_the_daemon(self):
        shown = subprocess.run([lightpathd.PROGRAM, "config", "sample"], capture_output=True, text=True, check=True).stdout
        for name in ("lightpathd.service.in", "lightpathd@.service.in"):
            unit = text("systemd", name)
            self.assertIn("Type=notify", unit)
            self.assertRegex(unit, r"WatchdogSec=\d+")
            limit = int(re.search(r"TimeoutStopSec=(\d+)", unit).group(1))
            self.assertGreater(limit * 1000, int(re.search(r"stop_timeout_ms: (\d+)", shown).group(1)))
            for key in re.findall(r"Environment=LIGHTPATH_(\w+)=", unit):
                section, _, rest = key.lower().partition("_")
                self.assertRegex(shown, rf"(?s)\n{section}:.*\n  {rest}:")


if __name__ == "__main__":
    lightpathd.main()
