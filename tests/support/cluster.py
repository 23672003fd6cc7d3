"""Several daemons on one PostgreSQL: api, executors, schedulers, each with a data directory and a name of its own.

    with cluster.Cluster() as c:
        api, one = c.start("api"), c.start("executor", "one")
"""
import os
import subprocess
import tempfile

import lightpathd


class Cluster:
    def __init__(self, settings=None, url=None):
        self.folder = tempfile.TemporaryDirectory(prefix="lpc")
        self.url = url or lightpathd.pg_database()
        self.settings = {"store.url": self.url, **(settings or {})}
        self.daemons = {}

    def daemon(self, role, name=None, settings=None, **more):
        name = name or role
        data_dir = os.path.join(self.folder.name, f"{name}.{len(self.daemons)}")
        daemon = lightpathd.Daemon({**self.settings, "daemon.name": name, **(settings or {})}, kind="pg", data_dir=data_dir,
                                   arguments=["--role", role], **more)
        self.daemons[data_dir] = daemon
        return daemon

    def start(self, role, name=None, settings=None, **more):
        return self.daemon(role, name, settings, **more).start()

    def sql(self, text):
        """Rows as tuples of texts."""
        done = subprocess.run(["psql", "-XqAt", "-F", "\t", "-d", self.url, "-c", f"SET search_path TO lightpath; {text}"], check=True,
                              capture_output=True, text=True)
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]

    def value(self, text):
        rows = self.sql(text)
        return rows[0][0] if rows else None

    def close(self):
        for daemon in self.daemons.values():
            daemon.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()
