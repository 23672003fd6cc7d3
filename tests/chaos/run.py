#!/usr/bin/env python3
"""Chaos: everything that can break is broken while processes run; afterwards nothing may be lost, doubled or stuck.

    tests/chaos/run.py --chaosd FILE [--seconds N] [--seed N] [--without-redis] [--in-flight N] [--keep]

A real PostgreSQL and a real Redis on free ports, both behind proxies; 3 executors, 2 API daemons, 2 schedulers. Processes of ten steps are
started through the API, so that `--in-flight` of them are always under way; each step calls a recording server that takes 50 to 150 ms and can
tell a repeated call. Meanwhile faults from a seed: daemons killed (SIGKILL) or frozen (SIGSTOP) and continued, Redis flushed, killed and
started again, PostgreSQL restarted, connections cut. The seed replays the list of faults.

Afterwards:
  - every process that was accepted is completed,
  - the database has exactly one mark of each step,
  - a call was repeated only where an operation was in flight at a fault, and each repetition is a second attempt in the log,
  - no lease, lock or hint is left.
"""
import argparse
import collections
import importlib.machinery
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "support")]

from proxy import Proxy  # noqa: E402
from server import Server  # noqa: E402

_loader = importlib.machinery.SourceFileLoader("with_servers", os.path.join(ROOT, "tests", "support", "with-servers"))
servers = importlib.util.module_from_spec(importlib.util.spec_from_loader("with_servers", _loader))
_loader.exec_module(servers)

STEPS = 10
LEASE_S = 2.0
SLOW = float(os.environ.get("LP_TEST_SLOW", "1"))


class Postgres:
    def __init__(self, folder, user, watcher):
        self.folder, self.user, self.watcher = folder, user, watcher
        self.data, self.log, self.port = f"{folder}/pg", f"{folder}/postgres.log", servers.free_port()
        subprocess.run([servers.pg_program("initdb"), "-D", self.data, "--auth=trust", "-U", "lightpath", "-E", "UTF8", "--locale=C",
                        "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd="/", preexec_fn=servers.become(user, signal.SIGINT))
        self.start()
        self.query("CREATE DATABASE lightpath", "postgres")

    def start(self):
        self.child = servers.start([servers.pg_program("postgres"), "-D", self.data, "-k", self.folder, "-p", str(self.port), "-c",
                                    "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "log_min_messages=fatal"],
                                   self.user, self.log, self.watcher)
        servers.wait_until(lambda: self.query("SELECT 1", "postgres", check=False) is not None, self.child, self.log, "PostgreSQL")

    def restart(self, number):
        """SIGQUIT: as after a power cut; SIGINT: connections are ended."""
        self.child.send_signal(number)
        self.child.wait(30)
        self.start()

    def query(self, sql, database="lightpath", check=True):
        done = subprocess.run([servers.pg_program("psql"), "-h", self.folder, "-p", str(self.port), "-U", "lightpath", "-d", database,
                               "-qAt", "-c", "SET search_path TO lightpath, public", "-c", sql], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            if check:
                raise RuntimeError(done.stderr)
            return None
        return [line.split("|") for line in done.stdout.splitlines()]


class Redis:
    def __init__(self, folder, user, watcher):
        self.folder, self.user, self.watcher, self.port = folder, user, watcher, servers.free_port()
        self.log = f"{folder}/redis.log"
        self.start()

    def start(self):
        self.child = servers.start([shutil.which("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                                    "--appendonly", "no", "--dir", self.folder], self.user, self.log, self.watcher, signal.SIGTERM)
        servers.wait_until(lambda: self.command("PING") == "PONG", self.child, self.log, "Redis")

    def restart(self):
        self.child.kill()
        self.child.wait()
        self.start()

    def command(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()


class Member:
    """One daemon of the installation, started again whenever it is gone."""

    def __init__(self, cluster, name, role):
        self.cluster, self.name, self.role = cluster, name, role
        self.folder = os.path.join(cluster.folder, name)
        os.makedirs(self.folder)
        self.log_path = os.path.join(cluster.folder, name + ".log")
        self.port = servers.free_port()
        self.child = None
        self.wanted = True
        self.frozen = False

    def command(self):
        settings = {
            "daemon.data_dir": self.folder, "daemon.name": self.name, "api.listen": f"127.0.0.1:{self.port}",
            "store.url": f"postgresql://lightpath@127.0.0.1:{self.cluster.pg_proxy.port}/lightpath",
            "executor.lease_ms": int(LEASE_S * 1000), "executor.heartbeat_ms": 400, "executor.threads": 32,
            "scheduler.lease_ms": 2000, "executor.sweep_ms": 500, "daemon.stop_timeout_ms": 5000,
        }
        if self.cluster.redis is not None:
            settings["queue.redis"] = f"127.0.0.1:{self.cluster.redis_proxy.port}"
        words = [self.cluster.program, "--role", self.role]
        for key, value in settings.items():
            words += ["--set", f"{key}={value}"]
        return words

    def start(self):
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                          env={**os.environ, "CHAOS_SERVER": f"http://127.0.0.1:{self.cluster.server.port}"},
                                          preexec_fn=lambda: servers.LIBC.prctl(servers.PR_SET_PDEATHSIG, signal.SIGKILL))

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        if self.alive():
            self.child.kill()
            self.child.wait()

    def freeze(self, on):
        if self.alive():
            self.child.send_signal(signal.SIGSTOP if on else signal.SIGCONT)
        self.frozen = on

    def request(self, method, path, body=None, timeout=10, key=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, json.loads(answer.read() or b"null")


class Cluster:
    def __init__(self, args, folder, watcher):
        self.args, self.folder, self.program = args, folder, args.chaosd
        self.random = random.Random(args.seed)
        user = servers.unprivileged()
        self.server = Server(args.seed)
        self.pg = Postgres(folder, user, watcher)
        self.pg_proxy = Proxy(self.pg.port)
        self.redis = None if args.without_redis else Redis(folder, user, watcher)
        self.redis_proxy = None if args.without_redis else Proxy(self.redis.port)
        self.members = [Member(self, f"executor{i}", "executor") for i in range(3)]
        self.members += [Member(self, f"api{i}", "api") for i in range(2)]
        self.members += [Member(self, f"scheduler{i}", "scheduler") for i in range(2)]
        self.apis = [m for m in self.members if m.role == "api"]
        self.faults, self.fault_times, self.running = [], [], True
        self.wrecked, self.over = threading.Event(), threading.Event()
        self.refused = 0
        self.accepted = []

    # ---- life ----

    def up(self):
        self.members[3].start()  # one alone migrates
        self.wait_api(self.members[3])
        for member in self.members:
            if member is not self.members[3]:
                member.start()
        for member in self.apis:
            self.wait_api(member)
        threading.Thread(target=self.tend, daemon=True).start()

    def wait_api(self, member):
        until = time.monotonic() + 60 * SLOW
        while True:
            try:
                if member.request("GET", "/api/health/")[0] == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > until:
                with open(member.log_path, errors="replace", encoding="utf-8") as log:
                    raise RuntimeError(f"{member.name} does not answer: {log.read()[-2000:]}")
            time.sleep(0.05)

    def tend(self):
        """What a service manager does: whoever ended is started again after a moment."""
        while self.running:
            for member in self.members:
                if member.wanted and not member.frozen and not member.alive():
                    time.sleep(0.2)
                    member.start()
            time.sleep(0.1)
        self.over.wait()  # daemons, too, end with the thread that started them

    def down(self):
        self.running = False
        codes = {}
        for member in self.members:
            member.wanted = False
            if member.alive():
                member.child.terminate()
        for member in self.members:
            try:
                codes[member.name] = member.child.wait(30 * SLOW)
            except subprocess.TimeoutExpired:
                member.kill()
                codes[member.name] = "did not stop"
        return codes

    # ---- load ----

    def load(self, until):
        """Keeps so many processes under way; an answer that is lost is asked again with the same key."""
        number = 0
        while time.monotonic() < until:
            open_now = self.open_count()
            for _ in range(max(self.args.in_flight - open_now, 0)):
                number += 1
                self.start_one(f"chaos-{self.args.seed}-{number}")
            time.sleep(0.1)

    def open_count(self):
        """Accepted processes whose last step was not called yet."""
        done = {process for process, step in list(self.server.done) if step == f"call_{STEPS - 1}"}
        return sum(1 for process in self.accepted if process not in done)

    def start_one(self, key):
        for turn in range(400):
            api = self.apis[(len(self.accepted) + turn) % len(self.apis)]
            try:
                status, body = api.request("POST", "/api/processes/chaos", [{}], timeout=3, key=key)
                if status == 201:
                    self.accepted.append(body["id"])
                    return
            except urllib.error.HTTPError as error:
                if error.code not in (500, 503, 504, 409):
                    raise RuntimeError(f"start answered {error.code}: {error.read()[:300]}") from error
                self.refused += 1
            except OSError:
                self.refused += 1
            time.sleep(0.1)
        raise RuntimeError("no API daemon took a process within 40 s")

    # ---- faults ----

    def plan_faults(self, seconds):
        """[(second, kind, who, how long)...], from the seed alone."""
        kinds = ["kill"] * 6 + ["freeze"] * 3 + ["flush", "flush", "redis", "postgres", "postgres-cut", "postgres-cut", "redis-cut"]
        if self.redis is None:
            kinds = [k for k in kinds if not k.startswith(("flush", "redis"))]
        plan, at = [], 3.0
        while at < seconds - 5:
            kind = self.random.choice(kinds)
            plan.append((at, kind, self.random.randrange(len(self.members)), self.random.uniform(0.5, 2.0)))
            at += self.random.uniform(1.5, 4.0) + (6 if kind == "postgres" else 0)
        return plan

    def do(self, kind, who, much):
        member = self.members[who]
        if kind == "kill":
            member.kill()
            return member.name
        if kind == "freeze":
            member.freeze(True)
            threading.Timer(LEASE_S * much, lambda: member.freeze(False)).start()
            return f"{member.name} for {LEASE_S * much:.1f} s"
        if kind == "flush":
            self.redis.command("FLUSHALL")
        elif kind == "redis":
            self.redis.restart()
        elif kind == "postgres":
            self.pg.restart(signal.SIGQUIT if much > 1.25 else signal.SIGINT)
        elif kind == "postgres-cut":
            return f"{self.pg_proxy.cut(much / 2, self.random)} connections"
        elif kind == "redis-cut":
            return f"{self.redis_proxy.cut(much / 2, self.random)} connections"
        return ""

    def wreck(self, plan, begun):
        for at, kind, who, much in plan:
            time.sleep(max(0.0, begun + at - time.monotonic()))
            before = time.monotonic()
            what = self.do(kind, who, much)
            span = LEASE_S * much if kind == "freeze" else time.monotonic() - before
            self.fault_times.append((before, before + span))
            self.faults.append(kind)
            print(f"  {before - begun:6.1f} s  {kind:<13} {what}", flush=True)
        self.wrecked.set()
        self.over.wait()  # servers end with the thread that started them

    # ---- afterwards ----

    def settle(self, limit):
        """Waits until nothing is open any more."""
        for member in self.members:
            if member.frozen:
                member.freeze(False)
        until = time.monotonic() + limit * SLOW
        while time.monotonic() < until:
            rows = self.pg.query("SELECT count(*) FROM processes WHERE workflow = 'chaos' AND status <> 'completed'", check=False)
            if rows is not None and rows[0][0] == "0":
                return True
            time.sleep(0.2)
        return False


def in_flight_at_fault(call, faults):
    """Was the call under way, or its result on the way to the database, when something broke?"""
    end = (call.ended or call.began + 0.2) + 1.0
    return any(call.began - 0.5 <= until and end >= since for since, until in faults)


def verdict(cluster, settled):
    wrong = []
    query = cluster.pg.query
    status = dict(query("SELECT status, count(*) FROM processes WHERE workflow = 'chaos' GROUP BY status"))
    if not settled or set(status) - {"completed"}:
        rows = query("SELECT id, status, last_step, failed_reason, lease_owner, wait_reason FROM processes "
                     "WHERE workflow = 'chaos' AND status <> 'completed' LIMIT 5")
        wrong.append(f"not completed: {status}; {rows}")
    stored = {row[0] for row in query("SELECT id FROM processes WHERE workflow = 'chaos'")}
    lost = [p for p in cluster.accepted if p not in stored]
    if lost:
        wrong.append(f"{len(lost)} accepted processes are gone: {lost[:3]}")
    marks = query("SELECT source, key, count(*) FROM import_rows GROUP BY source, key")
    doubled = [row for row in marks if row[2] != "1"]
    if doubled:
        wrong.append(f"{len(doubled)} steps left two marks: {doubled[:3]}")
    if len(marks) != len(stored) * STEPS:
        wrong.append(f"{len(marks)} marks, but {len(stored)} processes of {STEPS} steps")
    calls = collections.defaultdict(list)
    for call in cluster.server.calls:
        calls[(call.process, call.step)].append(call)
    repeated = {where: found for where, found in calls.items() if len(found) > 1}
    attempts = {(p, k): int(n) for p, k, n in query(
        "SELECT process_id, step_key, count(*) FROM step_attempts WHERE step_key LIKE 'call%' GROUP BY process_id, step_key")}
    rows = query("SELECT count(*) FROM process_steps WHERE key LIKE 'call%' AND status = 'success'")
    if int(rows[0][0]) != len(stored) * STEPS:
        wrong.append(f"{rows[0][0]} finished steps, but {len(stored)} processes of {STEPS}")
    for where, found in repeated.items():
        if not any(in_flight_at_fault(call, cluster.fault_times) for call in found[:-1]):
            wrong.append(f"{where} was called {len(found)} times, and no fault was near")
        if attempts.get(where, 0) < 2:
            wrong.append(f"{where} was called {len(found)} times, but the log has {attempts.get(where, 0)} attempts")
    silent = [where for where in ((p, f"call_{i}") for p in stored for i in range(STEPS)) if where not in calls]
    if silent:
        wrong.append(f"{len(silent)} steps never called: {silent[:3]}")
    left = query("SELECT count(*) FROM processes WHERE lease_owner IS NOT NULL")[0][0]
    if left != "0":
        wrong.append(f"{left} leases are left")
    left = query("SELECT count(*) FROM process_locks")[0][0]
    if left != "0":
        wrong.append(f"{left} locks are left")
    if cluster.redis is not None:
        hints = sum(int(cluster.redis.command("LLEN", key) or 0) for key in cluster.redis.command("KEYS", "*").split())
        if hints:
            wrong.append(f"{hints} hints are left in Redis")
    print(f"  {len(stored)} processes, {len(marks)} steps, {len(cluster.server.calls)} calls, {len(repeated)} of them repeated, "
          f"{cluster.server.looks} looks, {sum(attempts.values())} attempts, {cluster.refused} starts asked again, "
          f"{len(cluster.faults)} faults: " + ", ".join(f"{n} {k}" for k, n in sorted(collections.Counter(cluster.faults).items())))
    return wrong


def drained(cluster):
    """Hints of finished processes are taken off by idle executors: they get a moment."""
    until = time.monotonic() + 15 * SLOW
    while cluster.redis is not None and time.monotonic() < until:
        if sum(int(cluster.redis.command("LLEN", key) or 0) for key in cluster.redis.command("KEYS", "*").split()) == 0:
            break
        time.sleep(0.2)


def run(args, folder, watcher):
    cluster = Cluster(args, folder, watcher)
    plan = cluster.plan_faults(args.seconds)
    print(f"seed {args.seed}, {args.seconds} s, {len(plan)} faults, lease {LEASE_S} s, "
          + ("PostgreSQL alone" if args.without_redis else "PostgreSQL and Redis"), flush=True)
    cluster.up()
    begun = time.monotonic()
    threading.Thread(target=cluster.wreck, args=(plan, begun), daemon=True).start()
    try:
        cluster.load(begun + args.seconds)
        cluster.wrecked.wait(60 * SLOW)
        settled = cluster.settle(60)
        drained(cluster)
    finally:
        codes = cluster.down()
    wrong = verdict(cluster, settled)
    cluster.over.set()
    wrong += [f"{name} ended with {code} at the end" for name, code in codes.items() if code != 0]
    for text in wrong:
        print("  WRONG " + text)
    if wrong:
        print(f"  logs: {folder}")
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chaosd", required=True)
    parser.add_argument("--seconds", type=int, default=1800 if os.environ.get("LP_TEST_LONG") == "1" else 90)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--in-flight", type=int, default=24)
    parser.add_argument("--without-redis", action="store_true")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1_000_000)
    folder = tempfile.mkdtemp(prefix="lp-chaos-")
    user = servers.unprivileged()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    os.chmod(folder, 0o711)
    watcher = servers.Watcher("/nonexistent")
    good = False
    try:
        good = run(args, folder, watcher)
    finally:
        watcher.end()
        if good and not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print("1 passed, 0 failed" if good else "0 passed, 1 failed")
    return 0 if good else 1


sys.exit(main())
