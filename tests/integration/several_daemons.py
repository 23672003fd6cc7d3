#!/usr/bin/env python3
"""Several daemons on one PostgreSQL, without Redis: who does what, and what happens when one goes."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import cluster  # noqa: E402
import lightpathd  # noqa: E402
import unittest  # noqa: E402

MANY = 30
PARTNER = "ed8974dc-8dc5-5ab7-8b2e-1c2420ca601f"  # of the catalog: made of its name
DONE = "SELECT count(*) FROM processes WHERE status = 'completed'"


class Several(unittest.TestCase):
    def setUp(self):
        self.cluster = cluster.Cluster({"executor.lease_ms": "2000", "executor.heartbeat_ms": "300", "scheduler.lease_ms": "1500"})
        self.addCleanup(self.cluster.close)

    def partners(self, api, count, tag):
        return [api.start_process("create_partner", [{"product": PARTNER}, {"partner_name": f"{tag} {i}", "country": "IT"}])
                for i in range(count)]

    def all_done(self, ids):
        quoted = ", ".join(f"'{i}'" for i in ids)
        lightpathd.wait_for(lambda: int(self.cluster.value(f"{DONE} AND id IN ({quoted})")) == len(ids))

    def test_work_is_shared(self):
        api = self.cluster.start("api")
        self.cluster.start("scheduler")
        executors = [self.cluster.start("executor", name) for name in ("one", "two")]
        ids = self.partners(api, MANY, "shared")
        self.all_done(ids)
        used = self.cluster.value("SELECT count(DISTINCT executor) FROM step_attempts")
        self.assertEqual(used, "2", "both executors had work")
        self.assertEqual(self.cluster.value("SELECT count(*) FROM subscriptions WHERE status = 'active'"), str(MANY))
        self.assertEqual([e.stop() for e in executors], [0, 0])

    def test_hints_through_redis(self):
        host = os.environ.get("LIGHTPATH_TEST_REDIS")
        if not host:
            self.skipTest("no Redis")
        settings = {"queue.redis": f"127.0.0.1:1,{host}", "queue.prefix": "t" + self.cluster.url[-8:]}
        api = self.cluster.start("api", settings=settings)
        # a sweeper that is too slow to be of help: it is Redis that carries the hints
        self.cluster.start("scheduler", settings={**settings, "executor.sweep_ms": "60000"})
        for name in ("one", "two"):
            self.cluster.start("executor", name, settings=settings)
        self.all_done(self.partners(api, MANY, "redis"))

    def test_a_killed_executor_is_taken_over(self):
        api = self.cluster.start("api,scheduler", "front")
        one = self.cluster.start("executor", "one")
        ids = self.partners(api, 5, "before")
        self.all_done(ids)
        one.child.send_signal(signal.SIGSTOP)
        ids = self.partners(api, 5, "stopped")
        self.cluster.start("executor", "two")
        self.all_done(ids)
        one.kill()


if __name__ == "__main__":
    lightpathd.main()
