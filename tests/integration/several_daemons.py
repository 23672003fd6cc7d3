#!/usr/bin/env python3
"""Several daemons on one PostgreSQL, without Redis: who does what, and what happens when one goes."""
import os
import signal
import socket
import subprocess
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

    def test_W08_hints_through_redis(self):
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

    def test_W07_without_its_redis(self):
        """W07, W08: a Redis that is away fails neither a start nor a request; the sweep finds what nobody was told about."""
        settings = {"queue.redis": "127.0.0.1:1", "executor.sweep_ms": "200"}
        api = self.cluster.start("api", settings=settings)
        self.cluster.start("scheduler", settings=settings)
        self.cluster.start("executor", "one", settings=settings)
        self.all_done(self.partners(api, 5, "alone"))
        self.assertTrue(api.log("queue.away"))

    def test_W08_a_full_redis(self):
        """Out of memory it takes no hint, not even the sweeper's: executors look by themselves."""
        host = os.environ.get("LIGHTPATH_TEST_REDIS")
        if not host:
            self.skipTest("no Redis")
        settings = {"queue.redis": host, "queue.prefix": "f" + self.cluster.url[-8:], "executor.sweep_ms": "200"}
        with socket.create_connection(tuple(host.split(":"))) as redis:
            def say(*words):
                redis.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
                self.assertEqual(redis.recv(100), b"+OK\r\n")
            say("CONFIG", "SET", "maxmemory", "1")
            try:
                front = self.cluster.start("api,scheduler", "front", settings=settings)
                self.cluster.start("executor", "one", settings=settings)
                self.all_done(self.partners(front, 5, "full"))
                self.assertTrue(front.log("queue.refused"))
            finally:
                say("CONFIG", "SET", "maxmemory", "0")

    def test_W08_hints_for_what_is_gone_done_or_garbage(self):
        host = os.environ.get("LIGHTPATH_TEST_REDIS")
        if not host:
            self.skipTest("no Redis")
        prefix = "h" + self.cluster.url[-8:]
        settings = {"queue.redis": host, "queue.prefix": prefix}
        front = self.cluster.start("api,scheduler", "front", settings=settings)
        self.cluster.start("executor", "one", settings=settings)
        done = self.partners(front, 1, "done")
        self.all_done(done)
        with socket.create_connection(tuple(host.split(":"))) as redis:
            for text in ["00000000-0000-7000-8000-000000000000", done[0], "garbage", "", "x" * 5000, done[0]] * 20:
                redis.sendall(f"*3\r\n$5\r\nRPUSH\r\n${len(prefix) + 2}\r\n{prefix}:0\r\n${len(text)}\r\n{text}\r\n".encode())
            lightpathd.receive(redis, quiet=0.5)
        self.all_done(self.partners(front, 5, "after"))
        self.assertEqual(self.cluster.value("SELECT count(*) FROM step_attempts WHERE n > 1"), "0")

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


    def test_a_second_daemon_of_a_living_one_s_name_is_refused(self):
        one = self.cluster.start("executor", "twin")
        second = self.cluster.daemon("executor", "twin")
        done = subprocess.run(second.command(), capture_output=True, text=True, timeout=60 * lightpathd.SLOW)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("an executor named 'twin' is at work on host", done.stderr)
        self.assertIn("another daemon.name", done.stderr)
        self.assertEqual(len(self.alive("twin")), 1)
        one.kill()
        second.start()  # at once: nobody waits for the lease of a dead one
        self.assertEqual(len(self.alive("twin")), 1)

    def test_a_sleeper_whose_name_was_taken_ends(self):
        """Stopped, its connections cut: another daemon has its name when it wakes. Two never live under one."""
        one = self.cluster.start("executor", "twin")
        one.child.send_signal(signal.SIGSTOP)
        self.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                         "AND pid <> pg_backend_pid()")
        second = self.cluster.start("executor", "twin")
        incarnation = self.alive("twin")
        one.child.send_signal(signal.SIGCONT)
        self.assertEqual(one.child.wait(60 * lightpathd.SLOW), 0)
        self.assertTrue(one.log("executor.name_taken"), one.lines[-5:])
        self.assertEqual(self.alive("twin"), incarnation)
        self.assertIsNone(second.child.poll())

    def cli(self, api, *words, code=0):
        done = subprocess.run([os.environ["LIGHTPATH_TEST_CLI"], "--url", api.url, *words], capture_output=True, text=True,
                              timeout=120 * lightpathd.SLOW)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_W35_rolling_restart(self):
        """W35: every executor is drained, replaced and let in again while work comes in; nothing fails, nothing is run twice."""
        api = self.cluster.start("api,scheduler", "front")
        executors = {name: self.cluster.start("executor", name) for name in ("one", "two")}
        ids = self.partners(api, 5, "warm")
        for name in executors:
            self.assertIn("holds none", self.cli(api, "executor", "drain", name, "--watch", "--reason", "upgrade"))
            lightpathd.wait_for(lambda: executors[name].log("executor.drained"))
            before = self.claims(name)
            ids += self.partners(api, 5, "while " + name)
            self.all_done(ids)
            self.assertEqual(self.claims(name), before, "a drained executor claims nothing")
            self.assertEqual(executors[name].stop(), 0)
            executors[name] = self.cluster.start("executor", name)  # still drained: the mark is of the name
            ids += self.partners(api, 3, "again " + name)
            self.all_done(ids)
            self.assertEqual(self.claims(name), before)
            self.assertIn("works again", self.cli(api, "executor", "undrain", name))
            lightpathd.wait_for(lambda: executors[name].log("executor.undrained"))
        self.cli(api, "executor", "drain", "nobody", code=4)
        self.assertEqual(self.cluster.value("SELECT count(*) FROM processes WHERE status <> 'completed' AND is_task = 0"), "0")
        self.assertEqual(self.cluster.value("SELECT count(*) FROM step_attempts WHERE n > 1"), "0")
        self.assertEqual(self.cluster.value("SELECT count(*) FROM audit WHERE body LIKE '%executor.drain%'"), "2")

    def claims(self, name):
        return self.cluster.value("SELECT count(DISTINCT a.process_id) FROM step_attempts a JOIN executors x ON x.incarnation = a.executor "
                                  f"WHERE x.name = '{name}'")

    def test_W15_a_host_clock_one_hour_off(self):
        """W15: only the database's clock counts, for what is due, for leases, and in the records."""
        off = [{"LD_PRELOAD": os.environ["LIGHTPATH_TEST_CLOCKOFF"], "LP_CLOCK_OFF_S": seconds, "ASAN_OPTIONS": "verify_asan_link_order=0"}
               for seconds in ("3600", "-3600")]
        api = self.cluster.start("api", environment=off[0])
        scheduler = self.cluster.start("scheduler", environment=off[1])
        executors = [self.cluster.start("executor", name, environment=env) for name, env in zip(("one", "two"), off)]
        ids = self.partners(api, 10, "off")
        self.all_done(ids)
        for daemon in (api, scheduler, *executors):
            self.assertTrue(daemon.log("daemon.clock_off"), daemon.lines[-3:])
        for column, table in (("completed_at", "process_steps"), ("created_at", "processes"), ("started_at", "step_attempts"), ("at", "audit")):
            worst = self.cluster.value(f"SELECT max(abs({column} - lp_now())) / 1000000 FROM {table}")
            self.assertLess(int(worst), 600, f"{table}.{column}")
        order = "SELECT count(*) FROM process_steps a JOIN process_steps b ON a.process_id = b.process_id AND a.seq < b.seq AND a.started_at > b.completed_at"
        self.assertEqual(self.cluster.value(order), "0")

    def test_W33_events_of_a_daemon_that_executes_nothing(self):
        api = self.cluster.start("api")
        ids = self.partners(api, 1, "event")
        lightpathd.wait_for(lambda: self.cluster.value(
            f"SELECT count(*) FROM outbox WHERE seq IS NOT NULL AND doc LIKE '%{ids[0]}%'") != "0")

    def test_a_drained_executor_hands_its_processes_over(self):
        api = self.cluster.start("api,scheduler", "front")
        one = self.cluster.start("executor", "one")
        self.cli(api, "executor", "drain", "one")
        lightpathd.wait_for(lambda: one.log("executor.drained"))
        ids = self.partners(api, 3, "drained")
        self.assertEqual(self.cluster.value("SELECT count(*) FROM processes WHERE lease_owner IS NOT NULL"), "0")
        self.cluster.start("executor", "two")
        self.all_done(ids)

    def alive(self, name):
        return self.cluster.sql(f"SELECT incarnation FROM executors WHERE name = '{name}' AND retired_at IS NULL AND expires_at > lp_now()")


if __name__ == "__main__":
    lightpathd.main()
