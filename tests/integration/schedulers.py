#!/usr/bin/env python3
"""Three schedulers over one PostgreSQL: the one that leads is killed, or stopped and woken again, every five seconds over a schedule that is
due every second. Each second has one run and one process afterwards.

60 seconds; 20 where a build is slow (LP_TEST_REDUCED).
"""
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import cluster  # noqa: E402
import lightpathd  # noqa: E402

SECONDS = 20 if lightpathd.REDUCED else 60
EVERY = 5
TICK = {"name": "tick", "workflow_name": "task_resume_workflows", "trigger": "cron", "trigger_kwargs": {"expression": "* * * * * *"},
        "misfire": "all", "misfire_most": 1000, "grace_seconds": 600}
HOLES = """SELECT count(*), count(DISTINCT due_at), (max(due_at) - min(due_at)) / 1000000 + 1, count(DISTINCT process_id)
           FROM schedule_runs WHERE schedule_id = '%s'"""


class Schedulers(unittest.TestCase):
    def setUp(self):
        self.cluster = cluster.Cluster({"scheduler.lease_ms": "1500"})
        self.addCleanup(self.cluster.close)

    def leader(self, daemons):
        epoch = self.cluster.value("SELECT epoch FROM leases WHERE name = 'scheduler' AND expires_at > lp_now()")
        for daemon in daemons:
            if daemon.child.poll() is None and any(str(line.get("epoch")) == epoch for line in daemon.log("lease.taken")):
                return daemon
        return None

    def ticks(self, schedule, outcome="started"):
        return int(self.cluster.value(f"SELECT count(*) FROM schedule_runs WHERE schedule_id = '{schedule}' AND outcome = '{outcome}'"))

    def test_each_tick_once(self):
        api = self.cluster.start("api,executor", "front")
        daemons = [self.cluster.start("scheduler", name) for name in ("one", "two", "three")]
        schedule = api.post("/api/schedules/", TICK).json()["id"]
        lightpathd.wait_for(lambda: self.ticks(schedule) > 0)
        begun, killed, stopped = time.monotonic(), 0, 0
        while time.monotonic() - begun < SECONDS:
            time.sleep(EVERY)
            leader = lightpathd.wait_for(lambda: self.leader(daemons))
            before = self.ticks(schedule)
            if (killed + stopped) % 3 == 2:  # it believes to lead when it wakes
                stopped += 1
                leader.child.send_signal(signal.SIGSTOP)
                lightpathd.wait_for(lambda: self.ticks(schedule) > before)
                leader.child.send_signal(signal.SIGCONT)
            else:
                killed += 1
                leader.kill()
                lightpathd.wait_for(lambda: self.ticks(schedule) > before)
                leader.start()
        self.assertGreater(killed, 1)
        self.assertGreater(stopped, 0)
        self.assertEqual(api.put(f"/api/schedules/{schedule}", {"paused": True}).status, 200)
        rows, times, span, processes = map(int, self.cluster.sql(HOLES % schedule)[0])
        print(f"{killed} leaders killed, {stopped} stopped and woken; {rows} ticks in {span} seconds, {processes} processes")
        self.assertGreaterEqual(span, SECONDS)
        self.assertEqual((rows, times, processes), (span, span, span), "each tick exactly once")
        self.assertEqual(self.ticks(schedule), span, "none was missed, skipped or refused")
        self.assertEqual(int(self.cluster.value("SELECT count(*) FROM processes WHERE workflow = 'task_resume_workflows'")), span)
        done = "SELECT count(*) FROM processes WHERE workflow = 'task_resume_workflows' AND status = 'completed'"
        lightpathd.wait_for(lambda: int(self.cluster.value(done)) == span)

    def test_a_change_through_another_daemon_is_seen(self):
        api = self.cluster.start("api", "front")
        daemons = [self.cluster.start("scheduler", name, {"scheduler.lease_ms": "5000"}) for name in ("one", "two")]
        lightpathd.wait_for(lambda: int(self.cluster.value("SELECT count(*) FROM schedules")) == 3)
        at = time.time() + 8
        reply = api.post("/api/schedules/", {**TICK, "trigger": "date", "trigger_kwargs": {"run_date": at}})
        self.assertEqual(reply.status, 201, reply)
        schedule = reply.json()["id"]
        try:
            lightpathd.wait_for(lambda: self.ticks(schedule) == 1)
        except AssertionError:
            print(self.cluster.sql("SELECT lp_now(), * FROM leases"), self.cluster.sql("SELECT * FROM schedule_runs"),
                  self.cluster.sql("SELECT name, due_at, start_at, version FROM schedules"), *(f"{d.child.poll()} {d.lines[-20:]}" for d in daemons), sep="\n")
            raise


if __name__ == "__main__":
    lightpathd.main()
