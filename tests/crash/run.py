#!/usr/bin/env python3
"""Crash suite: kill the program at the n-th durable write, send or receive, restart it, and see that nothing was lost or doubled.

usage: run.py --crashd PATH --killpoint PATH [--points N] [--wall N] [--seed S] [--processes N] [--pg URL]

Each sampled point gets a fresh batch of processes. One database is kept for all points of a run, so that what a crash left behind
would also be seen by the points after it. The seed is printed; the same seed samples the same points.
"""
import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse


class Suite:
    def __init__(self, args, url, name):
        self.args, self.url, self.name = args, url, name
        self.dir = tempfile.mkdtemp(prefix="lightpath-crash-")
        if url is None:
            self.url = "sqlite:" + os.path.join(self.dir, "crash.db")
        self.batches = 0

    def command(self, batch, *more):
        return [self.args.crashd, self.url, self.dir, batch, str(self.args.processes), *more]

    def run(self, batch, env=None, timeout=120, kill_after=None):
        """Returns the exit status (negative for a signal)."""
        full = dict(os.environ, **(env or {}))
        with subprocess.Popen(self.command(batch), env=full, stderr=subprocess.PIPE, text=True) as child:
            if kill_after is not None:
                try:
                    child.wait(kill_after)
                except subprocess.TimeoutExpired:
                    child.kill()
            try:
                _, text = child.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
                return 124, "did not end within %d s" % timeout
            return child.returncode, text

    def batch(self):
        self.batches += 1
        return "b%d" % self.batches

    def calibrate(self):
        count = os.path.join(self.dir, "count")
        batch = self.batch()
        status, text = self.run(batch, {"LD_PRELOAD": self.args.killpoint, "LP_KILL_COUNT": count})
        if status != 0:
            return 0, "calibration ended with %d: %s" % (status, text)
        with open(count, encoding="ascii") as file:
            return int(file.read()), None

    def recover(self, batch):
        for _ in range(3):
            status, text = self.run(batch)
            if status == 0:
                return None
            if status != 137 and status != -signal.SIGKILL:
                return "after the kill the program ended with %d: %s" % (status, text.strip())
        return "never ended"

    def check(self):
        done = subprocess.run(self.command("b0", "check", str(self.batches)), capture_output=True, text=True, timeout=300 + 2 * self.batches)
        if done.returncode == 0:
            return None
        return (done.stdout + done.stderr).strip() or "check ended with %d" % done.returncode

    def point(self, n):
        batch = self.batch()
        status, text = self.run(batch, {"LD_PRELOAD": self.args.killpoint, "LP_KILL_AT": str(n)})
        if status not in (0, -signal.SIGKILL):
            return "killed at %d: ended with %d: %s" % (n, status, text.strip())
        return self.recover(batch) if status != 0 else None

    def wall(self, after):
        batch = self.batch()
        status, text = self.run(batch, kill_after=after)
        if status not in (0, -signal.SIGKILL):
            return "killed after %.3f s: ended with %d: %s" % (after, status, text.strip())
        return self.recover(batch) if status != 0 else None


def fresh_database(url):
    """A new database on the server of a libpq URL; returns its URL."""
    name = "crash_%d" % os.getpid()
    subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", "CREATE DATABASE " + name], check=True)
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(path="/" + name))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crashd", required=True)
    parser.add_argument("--killpoint", required=True)
    long = os.environ.get("LP_TEST_LONG") == "1"  # scripts/test --long
    parser.add_argument("--points", type=int, default=2000 if long else 60)
    parser.add_argument("--wall", type=int, default=200 if long else 0)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LP_SEED", "0")) or int(time.time()))
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("--pg", action="store_true", help="use the PostgreSQL of LIGHTPATH_TEST_PG, in a database of its own")
    parser.add_argument("--budget", type=float, default=0, help="seconds after which no further point is begun")
    args = parser.parse_args()
    url = None
    if args.pg:
        if "LIGHTPATH_TEST_PG" not in os.environ:
            print("LIGHTPATH_TEST_PG is not set: no PostgreSQL to test with")
            return 77
        url = fresh_database(os.environ["LIGHTPATH_TEST_PG"])
    suite = Suite(args, url, "postgresql" if args.pg else "sqlite")
    print("seed %d, %s, %d points, %d wall-clock kills" % (args.seed, suite.name, args.points, args.wall), flush=True)
    rng = random.Random(args.seed)
    total, fault = suite.calibrate()
    if fault:
        print("FAULT " + fault)
        return 1
    begun = time.monotonic()
    print("%d durable writes, sends and receives in a batch of %d processes" % (total, args.processes), flush=True)
    points = sorted(rng.sample(range(1, total + 1), min(args.points, total)))
    rng.shuffle(points)
    failed, done = 0, 0
    for n in points:
        if args.budget and time.monotonic() - begun > args.budget:
            print("stopped after %d points: the time budget of %.0f s is used up" % (done, args.budget))
            break
        fault = suite.point(n)
        done += 1
        if fault:
            failed += 1
            print("FAULT at point %d: %s" % (n, fault), flush=True)
            break
    for _ in range(args.wall):
        fault = None if failed else suite.wall(rng.uniform(0.01, 2.0))
        if fault:
            failed += 1
            print("FAULT " + fault, flush=True)
            break
    fault = suite.check()
    if fault:
        failed += 1
        print(fault)
    print("%s: %d kill points, %d batches of %d processes, %.1f s: %s" %
          (suite.name, done, suite.batches, args.processes, time.monotonic() - begun, "FAILED" if failed else "nothing lost, nothing doubled"))
    if failed:
        print("kept for inspection: " + suite.dir)
    else:
        shutil.rmtree(suite.dir)
    return 1 if failed else 0


sys.exit(main())
