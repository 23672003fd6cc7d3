#!/usr/bin/env python3
"""Server-sent events: replay from Last-Event-ID, nothing lost, nothing doubled, many listeners without threads."""
import json
import os
import socket
import statistics
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402


class Stream:
    """A listener; events() gives what came so far."""

    def __init__(self, daemon, after=None, unix=False, more=""):
        self.sock = daemon.connect(60)
        head = f"GET /api/events{more} HTTP/1.1\r\nHost: localhost\r\n"
        if after is not None:
            head += f"Last-Event-ID: {after}\r\n"
        self.sock.sendall(head.encode() + b"\r\n")
        self.raw = b""
        self.head = None
        self.text = b""

    def pump(self, wait):
        self.sock.settimeout(wait)
        try:
            part = self.sock.recv(262144)
        except (TimeoutError, BlockingIOError):
            return False
        if not part:
            raise ConnectionError("closed")
        self.raw += part
        self.parse()
        return True

    def parse(self):
        if self.head is None:
            if b"\r\n\r\n" not in self.raw:
                return
            self.head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        while b"\r\n" in self.raw:  # chunks
            size, rest = self.raw.split(b"\r\n", 1)
            length = int(size, 16)
            if len(rest) < length + 2:
                return
            self.text += rest[:length]
            self.raw = rest[length + 2:]

    def events(self):
        found = []
        for block in self.text.decode().split("\n\n")[:-1]:
            fields = {}
            for line in block.split("\n"):
                key, _, value = line.partition(":")
                fields[key] = value.strip()
            if "data" in fields:
                found.append((int(fields["id"]) if "id" in fields else None, fields.get("event"), json.loads(fields["data"])))
        return found

    def until(self, what, limit=60):
        end = time.monotonic() + limit * lightpathd.SLOW
        while not what(self.events()):
            if time.monotonic() > end:
                raise AssertionError(f"did not come; last events {self.events()[-3:]}")
            self.pump(0.2)
        return self.events()

    def wait(self, what, limit=60):
        """Until what() of the text so far is true."""
        end = time.monotonic() + limit * lightpathd.SLOW
        while not what(self.text):
            if time.monotonic() > end:
                raise AssertionError(f"did not come; so far {self.text[-300:]}")
            self.pump(0.2)
        return self

    def close(self):
        self.sock.close()


def completed(daemon, count=1):
    ids = [daemon.start_process("task_clean_up_tasks", [{}]) for _ in range(count)]
    for process in ids:
        daemon.wait_process(process)
    return ids


class Events(lightpathd.Case):
    def newest(self):
        stream = Stream(self.daemon)
        stream.wait(lambda text: b"id: " in text)
        stream.close()
        return int(stream.text.split(b"id: ")[1].split(b"\n")[0])

    def test_events_of_a_process(self):
        stream = Stream(self.daemon)
        stream.wait(lambda text: b"id: " in text)
        self.assertIn(b"Content-Type: text/event-stream", stream.head)
        process = completed(self.daemon)[0]
        wanted = {"name": "invalidateCache", "value": {"type": "processes", "id": process}}
        events = stream.until(lambda seen: any(e[2] == wanted for e in seen))
        self.assertIn({"name": "invalidateCache", "value": {"type": "processes", "id": "LIST"}}, [e[2] for e in events])
        ids = [e[0] for e in events]
        self.assertEqual(ids, sorted(set(ids)))
        stream.close()

    def test_replay_loses_and_doubles_nothing(self):
        first = self.newest()
        completed(self.daemon, 12)
        whole = Stream(self.daemon, first)
        time.sleep(0.5)
        last = self.newest()
        events = whole.until(lambda seen: seen and seen[-1][0] >= last)
        whole.close()
        self.assertEqual([e[0] for e in events], list(range(first + 1, events[-1][0] + 1)))
        self.assertFalse([e for e in events if e[1] == "gap"])
        for cut in (first, first + 1, (first + last) // 2, last - 1):
            again = Stream(self.daemon, cut)
            got = again.until(lambda seen: seen and seen[-1][0] >= last)
            again.close()
            self.assertEqual([e for e in got if e[0] <= last], [e for e in events if cut < e[0] <= last])

    def test_reconnecting_all_the_time(self):
        at = first = self.newest()
        done = threading.Event()

        def work():
            completed(self.daemon, 20)
            done.set()
        worker = threading.Thread(target=work)
        worker.start()
        got = []
        quiet = 0
        while quiet < 3:
            stream = Stream(self.daemon, at)
            try:
                stream.pump(0.3)
                stream.pump(0.05)
                events = stream.events()
            except ConnectionError:
                events = []
            stream.close()
            quiet = quiet + 1 if done.is_set() and not events else 0
            got += events
            if events:
                at = events[-1][0]
        worker.join()
        self.assertEqual([e[0] for e in got], list(range(first + 1, at + 1)))
        self.assertGreater(len(got), 20)

    def test_head_has_no_body(self):
        head = b"HEAD /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
        got = self.daemon.raw(head + b"GET /api/health/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        first, rest = got.split(b"\r\n\r\n", 1)
        self.assertTrue(first.startswith(b"HTTP/1.1 200"), got)
        self.assertIn(b"\r\nContent-Type: text/event-stream", first)
        self.assertTrue(rest.startswith(b"HTTP/1.1 200"), got)

    def test_query_parameter_and_bad_ids(self):
        self.assertEqual(self.daemon.get("/api/events?last_event_id=x", timeout=30).status, 400)
        self.assertEqual(self.daemon.get("/api/events", headers={"Last-Event-ID": "-1"}, timeout=30).status, 400)
        first = self.newest()
        completed(self.daemon)
        stream = Stream(self.daemon, more=f"?last_event_id={first}")
        stream.until(lambda seen: seen and seen[0][0] == first + 1)
        stream.close()

    def test_an_id_of_the_future_says_so(self):
        stream = Stream(self.daemon, 10 ** 15)
        self.assertEqual(stream.until(len)[0][1], "gap")
        completed(self.daemon)
        stream.until(lambda seen: len(seen) > 1)
        stream.close()

    def test_far_behind(self):
        """More events than the ring holds are read in pages."""
        first = self.newest()
        completed(self.daemon, 60 if lightpathd.REDUCED else 130)
        last = self.newest()
        self.assertGreater(last - first, 100)
        here = Stream(self.daemon)  # keeps the ring alive while the other reads from the beginning
        stream = Stream(self.daemon, 0)
        events = stream.until(lambda seen: seen and seen[-1][0] >= last)
        self.assertEqual([e[0] for e in events], list(range(events[0][0], events[-1][0] + 1)))
        here.close()
        stream.close()


class Crowd(lightpathd.Case):
    COUNT = 300 if lightpathd.REDUCED else 1000
    settings = {"api.max_connections": 1400, "api.threads": 2}

    def threads(self):
        return len(os.listdir(f"/proc/{self.daemon.child.pid}/task"))

    def test_many_listeners_without_threads(self):
        before = self.threads()
        streams = [Stream(self.daemon) for _ in range(self.COUNT)]
        try:
            for stream in streams:
                stream.wait(len)
            self.assertEqual(self.threads(), before)
            self.assertEqual(self.daemon.get("/api/health/").status, 200)
            process = completed(self.daemon)[0]
            wanted = {"type": "processes", "id": process}
            for stream in streams:
                stream.until(lambda seen: any(e[2]["value"] == wanted for e in seen))
            # a listener of the test before may not have been missed yet
            lightpathd.wait_for(lambda: f"lightpath_event_streams {self.COUNT}\n" in self.daemon.get("/api/metrics").body.decode(), pause=0.2)
        finally:
            for stream in streams:
                stream.close()

    def test_listeners_that_are_behind_do_not_keep_requests_waiting(self):
        with lightpathd.Daemon({"api.threads": 1}) as daemon:
            completed(daemon, 200)
            streams = [Stream(daemon, 0) for _ in range(150)]
            for stream in streams:
                stream.sock.setblocking(False)
            waits = []
            for _ in range(20):
                begun = time.monotonic()
                self.assertEqual(daemon.get("/api/settings/status").status, 200)
                waits.append(time.monotonic() - begun)
                for stream in streams:  # they read as fast as they can
                    try:
                        stream.sock.recv(1 << 20)
                    except BlockingIOError:
                        pass
            for stream in streams:
                stream.close()
            # without turns the first request waits for all listeners; a busy machine slows single ones
            self.assertLess(statistics.median(waits), 2 * lightpathd.SLOW, waits)
            self.assertLess(max(waits), 8 * lightpathd.SLOW, waits)

    def test_listeners_leave_room_for_requests(self):
        with lightpathd.Daemon({"api.max_connections": 16}) as daemon:
            streams = [Stream(daemon) for _ in range(12)]
            for stream in streams:
                stream.wait(len)
            reply = daemon.get("/api/events", timeout=30)
            self.problem(reply, 503, detail="too many listeners")
            self.assertEqual(daemon.get("/api/settings/status").status, 200)
            for stream in streams:
                stream.close()

    def test_without_an_executor(self):
        """Another program numbers the events; this one looks for them."""
        if lightpathd.store != "pg":
            self.skipTest("two programs share PostgreSQL only")
        with lightpathd.Daemon() as worker:
            with lightpathd.Daemon({"store.url": worker.settings["store.url"], "daemon.name": "front"}, arguments=["--role", "api"]) as front:
                stream = Stream(front)
                stream.wait(len)
                process = completed(worker)[0]
                wanted = {"type": "processes", "id": process}
                stream.until(lambda seen: any(e[2]["value"] == wanted for e in seen))
                other = front.start_process("task_clean_up_tasks", [{}])
                worker.wait_process(other)
                stream.close()

    def test_listeners_end_with_the_daemon(self):
        daemon = lightpathd.Daemon()
        with daemon:
            stream = Stream(daemon)
            stream.wait(len)
            started = time.monotonic()
            self.assertEqual(daemon.stop(), 0)
            self.assertLess(time.monotonic() - started, 20 * lightpathd.SLOW)
            with self.assertRaises(ConnectionError):
                while True:
                    stream.pump(2)
            stream.close()

    def test_keep_alive(self):
        stream = Stream(self.daemon)
        stream.wait(lambda text: b": keep-alive\n\n" in text)
        stream.close()


if __name__ == "__main__":
    lightpathd.main()
