#!/usr/bin/env python3
"""Being told: webhooks and mail over real sockets to receivers that are slow, cut, answer 500 or garbage; digests; restarts; secrets."""
import base64
import email
import email.policy
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

for folder in ("../support", "../../bench"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), folder))
import lightpathd  # noqa: E402
import receivers  # noqa: E402
from lightpathd import wait_for  # noqa: E402

SECRET = "s3cret-" + uuid.uuid4().hex
FAST = {"notifications.backoff_s": 1, "notifications.timeout_ms": 20000}


def limit(seconds):
    """For tests in which somebody does not answer."""
    return {"notifications.timeout_ms": min(int(seconds * 1000 * lightpathd.SLOW), 120000)}


class Case(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="lpn")
        self.addCleanup(self.place.cleanup)
        self.secret = self.file("secret", SECRET + "\n")
        self.data = os.path.join(self.place.name, "data")
        self.store = {"store.url": lightpathd.pg_database()} if lightpathd.store == "pg" else {}

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.place.name, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def hook(self, behave=None):
        hook = receivers.Webhook(behave)
        self.addCleanup(hook.close)
        return hook

    def smtp(self, *what, **more):
        smtp = receivers.Smtp(*what, **more)
        self.addCleanup(smtp.close)
        return smtp

    def target(self, hook, name):
        return {"name": name, "url": hook.url("/" + name), "secret_file": self.secret}

    def rules(self, **doc):
        return self.file("rules.yaml", json.dumps(doc))  # JSON is YAML

    def daemon(self, rules=None, name="main", arguments=(), **more):
        settings = {"notifications.file": rules or "", **FAST, **self.store, **more}
        daemon = lightpathd.Daemon(settings, data_dir=self.data if name == "main" else self.data + "-" + name, arguments=arguments)
        if name != "main":
            daemon.settings["daemon.name"] = name
        self.addCleanup(daemon.close)
        return daemon

    def failures(self, count):
        """Leaves processes that will fail: several creates of one name, made while nobody executes."""
        front = self.daemon(arguments=["--role", "api"]).start()
        products = {p["name"]: p["product_id"] for p in front.get("/api/products/").json()}
        ids = [front.start_process("create_partner", [{"product": products["Partner"]}, {"partner_name": "Twice"}]) for _ in range(count + 1)]
        self.assertEqual(front.stop(), 0)
        return ids

    def send_test(self, daemon, target=None):
        answer = daemon.post("/api/notifications/test", {"target": target} if target else {})
        self.assertEqual(answer.status, 201, answer)
        return answer.json()["id"]

    def log(self, daemon, notice):
        return {row["target"]: row for row in daemon.get(f"/api/notifications/{notice}").json()["deliveries"]}

    def nothing_secret(self, daemon):
        for line in daemon.lines:
            self.assertNotIn(SECRET, line)
        self.assertNotIn(SECRET, json.dumps(daemon.get("/api/notifications/").json()))


class Webhooks(Case):
    def test_a_failed_process_is_told_once_and_signed(self):
        hook = self.hook()
        ids = self.failures(1)
        rules = self.rules(targets=[self.target(hook, "a"), self.target(hook, "b"), self.target(hook, "c")],
                           rules=[{"to": ["a"], "kind": "process_failed", "workflow": "create_*"}, {"to": "a", "severity": "warning"},
                                  {"to": "b", "kind": ["drift_found"]}, {"to": "b", "product": "Fiber"}, {"to": "c", "severity": "critical"}])
        daemon = self.daemon(rules).start()
        wait_for(lambda: hook.at("/a"))
        failed = [i for i in ids if daemon.wait_process(i, "failed", "completed")["last_status"] == "failed"]
        self.assertEqual(len(failed), 1)
        path, headers, raw = hook.seen[0]
        body = json.loads(raw)
        self.assertTrue(receivers.signature_ok(SECRET, headers, raw))
        self.assertFalse(receivers.signature_ok(SECRET, headers, raw + b" "))
        self.assertEqual((body["kind"], body["severity"], body["process_id"], body["workflow"]),
                         ("process_failed", "error", failed[0], "create_partner"))
        self.assertEqual(headers["Lightpath-Id"], body["id"])
        self.assertLess(abs(int(headers["Lightpath-Timestamp"]) - time.time()), 600)
        self.assertIn("create_partner failed at", body["summary"])
        wait_for(lambda: daemon.get("/api/notifications/").json()[0]["status"] == "sent")
        row = daemon.get("/api/notifications/").json()[0]
        self.assertEqual((row["id"], row["attempts"], row["target"]), (body["id"], 1, "a"))
        daemon.stop()
        daemon.start()  # nothing is told again
        self.send_test(daemon, "a")
        wait_for(lambda: len(hook.at("/a")) == 2)
        self.assertEqual([p for p, _, _ in hook.seen], ["/a", "/a"])
        self.nothing_secret(daemon)

    def test_what_misbehaves_is_asked_again_with_the_same_id(self):
        ways = ["cut", "garbage", "slow", "redirect", 500, 404]
        hook = self.hook(lambda path, nth: "ok" if nth > 1 or path in ("/good", "/elsewhere") else
                         next(w for w in ways if path == f"/{w}"))
        targets = [self.target(hook, str(way)) for way in ways] + [self.target(hook, "good")]
        daemon = self.daemon(self.rules(targets=targets), **limit(4)).start()
        notice = self.send_test(daemon)
        wait_for(lambda: all(row["status"] == "sent" for row in self.log(daemon, notice).values()) and len(self.log(daemon, notice)) == 7)
        for target, row in self.log(daemon, notice).items():
            seen = hook.at("/" + target)
            self.assertGreaterEqual(len(seen), 1 if target == "good" else 2, target)
            self.assertEqual({headers["Lightpath-Id"] for headers, _ in seen}, {row["id"]})
            self.assertEqual(row["attempts"], len(seen))
        self.assertEqual(hook.at("/elsewhere"), [])
        errors = {e["target"]: e["error"] for e in daemon.log("notification.failed")}
        self.assertIn("answered 500", errors["500"])
        self.assertIn("redirects are not followed", errors["redirect"])
        self.nothing_secret(daemon)

    def test_given_up_after_the_limit(self):
        hook = self.hook(lambda path, nth: 500 if path == "/bad" else "ok")
        rules = self.rules(targets=[self.target(hook, "bad"), self.target(hook, "good")])
        daemon = self.daemon(rules, **{"notifications.attempts": 2}).start()
        notice = self.send_test(daemon, "bad")
        row = wait_for(lambda: (lambda r: r["status"] == "dead" and r)(self.log(daemon, notice)["bad"]) if self.log(daemon, notice) else None)
        self.assertEqual((row["attempts"], len(hook.at("/bad"))), (2, 2))
        self.assertIn("500", row["error"])
        self.assertTrue(daemon.log("notification.given_up"))
        found = {f["check"]: f for f in daemon.get("/api/doctor").json()["findings"]}
        self.assertEqual(found["notifications"]["severity"], "warning")
        self.assertIn("lightpath_notifications{status=\"dead\"} 1\n", daemon.get("/api/metrics").body.decode())
        gone = self.send_test(daemon, "nobody")
        row = wait_for(lambda: self.log(daemon, gone).get("nobody"))
        self.assertEqual(row["status"], "dead")
        self.assertIn("no target of this name", row["error"])
        good = self.send_test(daemon, "good")
        wait_for(lambda: self.log(daemon, good).get("good", {}).get("status") == "sent")

    def test_a_storm_becomes_a_digest(self):
        """Nobody is called ten times for one cause."""
        hook = self.hook()
        self.failures(9)
        rules = self.rules(targets=[self.target(hook, "noc")], rules=[{"to": "noc", "kind": "process_failed"}])
        daemon = self.daemon(rules, **{"notifications.burst": 2, "notifications.window_s": 3}).start()
        wait_for(lambda: any(body["kind"] == "digest" for _, body in hook.at("/noc")))
        wait_for(lambda: not [r for r in daemon.get("/api/notifications/").json() if r["status"] in ("pending", "held")])
        bodies = [body for _, body in hook.at("/noc")]
        singles = [b for b in bodies if b["kind"] == "process_failed"]
        digests = [b for b in bodies if b["kind"] == "digest"]
        told = {b["notification_id"] for b in singles} | {item["notification_id"] for d in digests for item in d["items"]}
        self.assertEqual(len(told), 9)
        self.assertEqual(len(singles) + sum(d["total"] for d in digests), 9)
        self.assertLess(len(bodies), 9)
        self.assertEqual(digests[0]["counts"][0]["kind"], "process_failed")
        self.assertEqual(digests[0]["severity"], "error")

    def test_killed_between_and_in_the_middle(self):
        hook = self.hook(lambda path, nth: "slow" if path == "/held" and nth == 1 else "ok")
        rules = self.rules(targets=[self.target(hook, "held"), self.target(hook, "away")])
        daemon = self.daemon(rules, **limit(3)).start()
        notice = self.send_test(daemon, "held")
        wait_for(lambda: hook.at("/held"))
        daemon.kill()  # one message is in flight
        hook.release.set()
        daemon.start()
        wait_for(lambda: self.log(daemon, notice)["held"]["status"] == "sent")
        seen = hook.at("/held")
        self.assertGreaterEqual(len(seen), 2)  # at least once, known by its id
        self.assertEqual(len({headers["Lightpath-Id"] for headers, _ in seen}), 1)
        daemon.kill()
        daemon.start()
        later = self.send_test(daemon, "away")
        wait_for(lambda: self.log(daemon, later).get("away", {}).get("status") == "sent")
        self.assertEqual(len(hook.at("/held")), len(seen))

    def test_a_receiver_that_hangs_keeps_nobody_waiting(self):
        hook = self.hook(lambda path, nth: "slow" if path == "/hangs" else "ok")
        rules = self.rules(targets=[self.target(hook, "hangs"), self.target(hook, "fine")])
        daemon = self.daemon(rules, **{"notifications.backoff_s": 3600}, **limit(3)).start()
        for _ in range(5):
            self.send_test(daemon, "hangs")
        wait_for(lambda: daemon.log("notification.failed"))
        for n in range(3):
            self.send_test(daemon, "fine")
            wait_for(lambda n=n: len(hook.at("/fine")) > n)
        self.assertEqual(len(hook.at("/hangs")), 1)
        self.assertEqual(daemon.stop(), 0)

    def test_targets_do_not_wait_for_each_other(self):
        """One hangs for as long as it may: the others are told meanwhile, each in order; the next for the one that hangs waits its turn."""
        hook = self.hook(lambda path, nth: "slow" if path == "/hangs" else "ok")
        rules = self.rules(targets=[self.target(hook, name) for name in ("hangs", "fine", "also")])
        daemon = self.daemon(rules, **limit(50)).start()
        for _ in range(2):
            self.send_test(daemon, "hangs")
        wait_for(lambda: hook.at("/hangs"))
        sent = {name: [self.send_test(daemon, name) for _ in range(8)] for name in ("fine", "also")}
        for name, notices in sent.items():
            wait_for(lambda name=name: len(hook.at("/" + name)) == 8)
            wanted = [self.log(daemon, notice)[name]["id"] for notice in notices]
            self.assertEqual([body["id"] for _, body in hook.at("/" + name)], wanted)
        self.assertEqual(len(hook.at("/hangs")), 1)
        self.assertFalse(daemon.log("notification.failed"))
        begun = time.monotonic()
        self.assertEqual(daemon.stop(), 0)  # a stop ends what is under way
        self.assertLess(time.monotonic() - begun, 20 * lightpathd.SLOW)

    def test_rules_are_read_again(self):
        hook = self.hook()
        rules = self.rules(targets=[self.target(hook, "old")])
        daemon = self.daemon(rules).start()
        self.rules(targets=[self.target(hook, "new")])
        daemon.child.send_signal(signal.SIGHUP)
        wait_for(lambda: self.send_test(daemon, "new") and hook.at("/new"), pause=0.3)
        self.file("rules.yaml", "targets: [{name: x}]")
        daemon.child.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.log("notifications.rejected"))
        before = len(hook.at("/new"))
        self.send_test(daemon, "new")
        wait_for(lambda: len(hook.at("/new")) > before)

    def test_wrong_files_refuse_the_start(self):
        for text, words in (("targets: [{name: a, url: 'http://example.net/x', secret_file: /x}]", "https://"),
                            ("targets: [{name: a, url: 'https://u:p@h/', secret_file: /x}]", "password"),
                            ("targets: [{name: a, url: 'https://h/'}]", "secret_file"),
                            ("targets: [{name: a, mail: a@b.c}]", "smtp"),
                            ("targets: [{name: 'a b', url: 'https://h/', secret_file: /x}]", "name"),
                            ("rules: [{to: nobody}]", "no target 'nobody'"),
                            ("rules: [{to: [], kind: nothing}]", "empty"),
                            ("rulez: []", "unknown key 'rulez'"),
                            ("smtp: {server: h, from: \"a@b\\r\\nBcc: x@y\"}", "mail address"),
                            ("smtp: {server: h, from: a@b, user: u, password_file: /x, tls: none}", "without TLS"),
                            ("a: [", "did not find")):
            daemon = self.daemon(self.file("rules.yaml", text))
            with self.assertRaises(AssertionError) as caught:
                daemon.start()
            self.assertIn(words, str(caught.exception), text)
            daemon.close()

    def test_a_secret_that_others_can_read_is_not_used(self):
        hook = self.hook()
        os.chmod(self.secret, 0o644)
        daemon = self.daemon(self.rules(targets=[self.target(hook, "a")])).start()
        notice = self.send_test(daemon, "a")
        row = wait_for(lambda: (lambda r: r.get("a", {}).get("error") and r["a"])(self.log(daemon, notice)))
        self.assertIn("others may read", row["error"])
        found = [f for f in daemon.get("/api/doctor").json()["findings"] if f["check"] == "files"]
        self.assertEqual(found[0]["severity"], "error")
        fixed = daemon.post("/api/doctor/fix", unix=True)
        self.assertEqual(fixed.status, 200, fixed)
        self.assertEqual(os.stat(self.secret).st_mode & 0o777, 0o600)
        wait_for(lambda: hook.at("/a"))

    def test_a_password_in_a_url_is_in_no_message(self):
        hook = self.hook()
        urls = {"away": f"https://robot:{SECRET}@127.0.0.1:1/x/{SECRET}", "wrong": f"https://robot:{SECRET} @127.0.0.1:1/",
                "plain": f"http://127.0.0.1:{SECRET}@localhost:{hook.url('').rsplit(':', 1)[1]}/plain"}
        targets = [{"name": name, "url_file": self.file("url-" + name, url + "\n")} for name, url in urls.items()]
        daemon = self.daemon(self.rules(targets=targets)).start()
        notice = self.send_test(daemon)
        rows = wait_for(lambda: (lambda r: len(r) == 3 and all(row["error"] for row in r.values()) and r)(self.log(daemon, notice)))
        self.assertIn("https://127.0.0.1:1", rows["away"]["error"])
        self.assertIn("https://127.0.0.1:1", rows["wrong"]["error"])
        self.assertIn("must hold a URL", rows["plain"]["error"])
        self.assertEqual(hook.seen, [])
        self.nothing_secret(daemon)

    def test_who_may_test(self):
        daemon = self.daemon(self.rules(targets=[]), **{"api.auth": "true"}).start()
        reader = {"Authorization": "Bearer " + daemon.token("read")}
        self.assertEqual(daemon.post("/api/notifications/test", {}, headers=reader).status, 403)
        self.assertEqual(daemon.get("/api/notifications/", headers=reader).status, 200)
        self.assertEqual(daemon.post("/api/doctor/fix", headers={"Authorization": "Bearer " + daemon.token("operate")}).status, 403)


class Mail(Case):
    def mail_rules(self, port, tls="none", **more):
        smtp = {"server": f"localhost:{port}", "tls": tls, "from": "lightpath@example.net", **more}
        return self.rules(targets=[{"name": "noc", "mail": ["noc@example.net", "second@example.net"]}], smtp=smtp,
                          rules=[{"to": "noc", "kind": "process_failed"}])

    def test_a_mail_that_people_can_read(self):
        smtp = self.smtp()
        self.failures(1)
        daemon = self.daemon(self.mail_rules(smtp.port)).start()
        got = wait_for(lambda: smtp.mails)[0]
        mail = email.message_from_bytes(got["data"], policy=email.policy.default)
        self.assertEqual(mail["From"], "Lightpath <lightpath@example.net>")
        self.assertEqual([a.addr_spec for a in mail["To"].addresses], ["noc@example.net", "second@example.net"])
        self.assertIn("create_partner failed at", mail["Subject"])
        self.assertIn("lightpath process show ", mail.get_content())
        self.assertEqual([line.split(" ")[1] for line in got["to"]], ["TO:<noc@example.net>", "TO:<second@example.net>"])
        row = wait_for(lambda: [r for r in daemon.get("/api/notifications/").json() if r["status"] == "sent"])[0]
        self.assertEqual(mail["Message-ID"], f"<{row['id']}@example.net>")

    def hostile(self, daemon, actor):
        """A notification whose text nobody has checked, put where the engine would put it."""
        row = (str(uuid.uuid4()), "test", "info", json.dumps({"actor": actor}), int(time.time() * 1e6))
        if lightpathd.store == "pg":
            text = "INSERT INTO lightpath.notices (id, kind, severity, doc, created_at) VALUES ('%s', '%s', '%s', $doc$%s$doc$, %d)" % row
            subprocess.run(["psql", "-q", "-X", "-d", self.store["store.url"], "-c", text], check=True)
        else:
            daemon.stop()
            with sqlite3.connect(os.path.join(self.data, "lightpath.db")) as db:
                db.execute("INSERT INTO notices (id, kind, severity, doc, created_at) VALUES (?, ?, ?, ?, ?)", row)
            db.close()
            daemon.start()

    def test_nothing_in_a_text_becomes_a_header_or_a_command(self):
        smtp = self.smtp()
        daemon = self.daemon(self.mail_rules(smtp.port)).start()
        self.hostile(daemon, "x\r\nBcc: evil@example.net\r\n\r\n.\r\nMAIL FROM:<evil@example.net>\r\n" + "ü€𝄞" * 90)
        got = wait_for(lambda: smtp.mails)[0]
        mail = email.message_from_bytes(got["data"], policy=email.policy.default)
        self.assertIsNone(mail["Bcc"])
        self.assertEqual(len(smtp.mails), 1)
        self.assertEqual(sum(line.startswith("MAIL") for line in smtp.dialogue), 1)
        self.assertIn("Bcc: evil", mail["Subject"])  # as words
        self.assertNotIn("\ufffd", mail["Subject"])
        self.assertTrue(all(len(line) <= 998 for line in got["data"].split(b"\r\n")))

    def test_servers_that_misbehave(self):
        for mode, words in (("refuse", "550"), ("busy", "421"), ("cut", ""), ("garbage", ""), ("silent", "")):
            with self.subTest(mode=mode):
                smtp = self.smtp(mode)
                daemon = self.daemon(self.mail_rules(smtp.port), **limit(4)).start()
                notice = self.send_test(daemon)
                row = wait_for(lambda: (lambda r: r.get("noc", {}).get("error") and r["noc"])(self.log(daemon, notice)))
                self.assertIn(words, row["error"])
                smtp.mode = "ok"
                wait_for(lambda: self.log(daemon, notice)["noc"]["status"] == "sent")
                self.assertEqual(len(smtp.mails), 1)
                self.assertEqual(daemon.stop(), 0)

    def test_starttls_and_password(self):
        pair = receivers.self_signed(self.place.name)
        if pair is None:
            self.skipTest("no openssl program")
        smtp = self.smtp(tls=receivers.server_context(*pair))
        more = {"user": "lightpath", "password_file": self.secret}
        daemon = self.daemon(self.mail_rules(smtp.port, "starttls", **more)).start()
        notice = self.send_test(daemon)
        row = wait_for(lambda: (lambda r: r.get("noc", {}).get("error") and r["noc"])(self.log(daemon, notice)))
        self.assertIn("no trusted connection", row["error"])  # nobody vouches for this certificate
        self.assertEqual(smtp.mails, [])
        smtp.mode = "nostarttls"  # as if somebody in between had taken the offer away
        self.mail_rules(smtp.port, "starttls", ca_file=pair[0], **more)
        daemon.child.send_signal(signal.SIGHUP)
        wait_for(lambda: any(entry["attempt"] > 1 for entry in daemon.log("notification.failed")))
        self.assertEqual(smtp.mails, [])
        smtp.mode = "ok"
        wait_for(lambda: smtp.mails)
        self.assertTrue(smtp.mails[0]["tls"])
        self.assertEqual(base64.b64decode(smtp.mails[0]["login"]).split(b"\0")[1:], [b"lightpath", SECRET.encode()])
        self.nothing_secret(daemon)


@unittest.skipUnless("pg" in sys.argv, "several daemons share PostgreSQL only")
class Several(Case):
    def test_two_schedulers_tell_once(self):
        hook = self.hook()
        rules = self.rules(targets=[self.target(hook, "noc")])
        lease = {"scheduler.lease_ms": 1000, **limit(5)}
        one = self.daemon(rules, "one", **lease).start()
        two = self.daemon(rules, "two", **lease).start()
        ids = [self.send_test(one if n % 2 else two, "noc") for n in range(20)]
        wait_for(lambda: len(hook.at("/noc")) >= 10)
        holder = wait_for(lambda: [lease for lease in two.get("/api/engine").json()["leases"] if lease["held"]])[0]["executor"]
        (one if holder == "one" else two).kill()
        left = two if holder == "one" else one
        ids += [self.send_test(left, "noc") for _ in range(5)]
        wait_for(lambda: all(self.log(left, i).get("noc", {}).get("status") == "sent" for i in ids))
        seen = [headers["Lightpath-Id"] for headers, _ in hook.at("/noc")]
        self.assertEqual(len(set(seen)), 25)
        self.assertLessEqual(len(seen), 26)  # at most the one in flight twice

    def test_a_lost_executor_is_told_once(self):
        hook = self.hook()
        rules = self.rules(targets=[self.target(hook, "noc")], rules=[{"to": "noc", "severity": "critical"}])
        main = self.daemon(rules).start()
        other = self.daemon(None, "other", ["--role", "executor,api"], **{"executor.lease_ms": 1000, "executor.heartbeat_ms": 300}).start()
        calm = self.daemon(None, "calm", ["--role", "executor,api"], **{"executor.lease_ms": 1000, "executor.heartbeat_ms": 300}).start()
        wait_for(lambda: len(main.get("/api/executors/").json()) == 3)
        other.kill()
        self.assertEqual(calm.stop(), 0)  # who says good-bye is not lost
        body = wait_for(lambda: hook.at("/noc"))[0][1]
        self.assertEqual((body["kind"], body["executor"]), ("executor_lost", "other"))
        self.send_test(main, "noc")
        wait_for(lambda: len(hook.at("/noc")) == 2)
        states = {row["name"]: row["state"] for row in main.get("/api/executors/?all=true").json()}
        self.assertEqual(states["other"], "lost")
        self.assertEqual(states["calm"], "retired")


if __name__ == "__main__":
    lightpathd.main()
