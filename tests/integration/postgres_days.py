#!/usr/bin/env python3
"""Bad days of PostgreSQL: restarted, failed over to a promoted standby, out of connections. No process is lost, none is stuck."""
import importlib.machinery
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
sys.path.insert(0, SUPPORT)
import cluster  # noqa: E402
import lightpathd  # noqa: E402

loader = importlib.machinery.SourceFileLoader("with_servers", os.path.join(SUPPORT, "with-servers"))
spec = importlib.util.spec_from_loader("with_servers", loader)
servers = importlib.util.module_from_spec(spec)
loader.exec_module(servers)

PARTNER = "ed8974dc-8dc5-5ab7-8b2e-1c2420ca601f"


class Server:
    """A PostgreSQL of the test's own, to be killed and promoted."""

    def __init__(self, folder, name, user):
        self.folder, self.user = folder, user
        self.data, self.port = os.path.join(folder, name), servers.free_port()
        self.child = None

    def run(self, *command, **more):
        return subprocess.run(command, check=True, cwd="/", capture_output=True, text=True,
                              preexec_fn=servers.become(self.user, signal.SIGINT), **more)

    def init(self):
        self.run(servers.pg_program("initdb"), "-D", self.data, "--auth=trust", "-U", "lightpath", "-E", "UTF8", "--locale=C", "--no-sync")
        with open(os.path.join(self.data, "pg_hba.conf"), "a", encoding="utf-8") as file:
            file.write("host replication all 127.0.0.1/32 trust\n")

    def copy(self, primary):
        self.run(servers.pg_program("pg_basebackup"), "-D", self.data, "-h", "127.0.0.1", "-p", str(primary.port), "-U", "lightpath", "-R",
                 "-c", "fast", "-d", "application_name=standby")

    def start(self, *options):
        self.child = subprocess.Popen(
            [servers.pg_program("postgres"), "-D", self.data, "-k", self.folder, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
             "-c", "max_connections=60", "-c", "log_min_messages=fatal", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", preexec_fn=servers.become(self.user, signal.SIGINT))
        lightpathd.wait_for(lambda: subprocess.run(
            ["psql", "-XqAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "lightpath", "-d", "postgres", "-c", "SELECT 1"],
            capture_output=True).returncode == 0)

    def sql(self, text, database="postgres"):
        return subprocess.run(["psql", "-XqAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "lightpath", "-d", database, "-c", text],
                              check=True, capture_output=True, text=True).stdout.strip()

    def end(self, number=signal.SIGQUIT):
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(number)
            self.child.wait(60)


class Days(unittest.TestCase):
    def setUp(self):
        self.user = servers.unprivileged()
        self.folder = tempfile.mkdtemp(prefix="lppg")
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.servers = []
        self.addCleanup(self.clean)

    def clean(self):
        for server in self.servers:
            server.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def server(self, name):
        self.servers.append(Server(self.folder, name, self.user))
        return self.servers[-1]

    def crowd(self, url):
        settings = {"executor.lease_ms": "3000", "executor.heartbeat_ms": "500", "scheduler.lease_ms": "2000"}
        crowd = cluster.Cluster(settings, url=url)
        self.addCleanup(crowd.close)
        api = crowd.start("api")
        crowd.start("scheduler")
        return crowd, api, [crowd.start("executor", name) for name in ("one", "two")]

    def load(self, api, stop, started):
        """Starts processes until told to stop; what was answered 201 is there for good."""
        number = 0
        while not stop.is_set():
            number += 1
            try:
                answer = api.post("/api/processes/create_partner",
                                  [{"product": PARTNER}, {"partner_name": f"p {number}", "country": "IT"}, {}], timeout=30)
            except OSError:
                continue
            if answer.status == 201:
                started.append(answer.json()["id"])
            else:
                self.assertIn(answer.status, (500, 503, 504), answer)
            stop.wait(0.02)

    def through(self, api, disturb):
        stop, started = threading.Event(), []
        loader_thread = threading.Thread(target=self.load, args=(api, stop, started))
        loader_thread.start()
        try:
            lightpathd.wait_for(lambda: len(started) > 5)
            disturb()
            before = len(started)
            lightpathd.wait_for(lambda: len(started) > before + 5)
        finally:
            stop.set()
            loader_thread.join(120)
        return started

    def test_failover_to_a_promoted_standby(self):
        first, second = self.server("first"), self.server("second")
        first.init()
        first.start()
        second.copy(first)
        second.start()
        first.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        first.sql("SELECT pg_reload_conf()")
        lightpathd.wait_for(lambda: first.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1")
        first.sql("CREATE DATABASE net")
        url = (f"postgresql://lightpath@127.0.0.1:{first.port},127.0.0.1:{second.port}/net"
               "?target_session_attrs=read-write&connect_timeout=2")
        _, api, executors = self.crowd(url)

        def fail_over():
            first.end(signal.SIGKILL)
            second.run(servers.pg_program("pg_ctl"), "promote", "-D", second.data)

        started = self.through(api, fail_over)
        quoted = ", ".join(f"'{i}'" for i in started)
        lightpathd.wait_for(lambda: second.sql(
            f"SELECT count(*) FROM lightpath.processes WHERE status = 'completed' AND id IN ({quoted})", "net") == str(len(started)))
        self.assertEqual(second.sql("SELECT count(*) FROM lightpath.process_locks", "net"), "0")
        doubled = "SELECT count(*) FROM (SELECT description FROM lightpath.subscriptions GROUP BY 1 HAVING count(*) > 1) d"
        self.assertEqual(second.sql(doubled, "net"), "0")
        self.assertTrue(all(e.child.poll() is None for e in executors))

    def test_restart(self):
        server = self.server("only")
        server.init()
        server.start()
        server.sql("CREATE DATABASE net")
        crowd, api, executors = self.crowd(f"postgresql://lightpath@127.0.0.1:{server.port}/net")

        def restart():
            for how in (signal.SIGINT, signal.SIGQUIT):
                server.end(how)
                server.start()

        started = self.through(api, restart)
        quoted = ", ".join(f"'{i}'" for i in started)
        lightpathd.wait_for(lambda: crowd.value(
            f"SELECT count(*) FROM processes WHERE status = 'completed' AND id IN ({quoted})") == str(len(started)))
        self.assertTrue(all(e.child.poll() is None for e in executors))

    def test_out_of_connections(self):
        server = self.server("only")
        server.init()
        server.start()
        server.sql("CREATE ROLE net LOGIN")
        server.sql("CREATE DATABASE net OWNER net")
        crowd, api, _ = self.crowd(f"postgresql://net@127.0.0.1:{server.port}/net")
        server.sql("ALTER ROLE net CONNECTION LIMIT 3")
        taken = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'net'"

        def starve():
            server.sql(taken)  # of all that come back only three get in
            statuses = set()
            for _ in range(10):
                statuses.add(api.get("/api/processes/?range=0,10", timeout=60).status)
            self.assertLessEqual(statuses, {200, 503})
            server.sql("ALTER ROLE net CONNECTION LIMIT -1")

        started = self.through(api, starve)
        quoted = ", ".join(f"'{i}'" for i in started)
        lightpathd.wait_for(lambda: crowd.value(
            f"SELECT count(*) FROM processes WHERE status = 'completed' AND id IN ({quoted})") == str(len(started)))


if __name__ == "__main__":
    lightpathd.main()
