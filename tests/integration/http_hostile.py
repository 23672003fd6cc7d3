#!/usr/bin/env python3
"""Raw sockets against the HTTP server: framing, bad bytes, slowness, crowds. The daemon answers or closes, and lives on."""
import json
import os
import select
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402

GOOD = b"GET /api/health/ HTTP/1.1\r\nHost: localhost\r\n\r\n"


def status(data):
    return int(data.split(b" ", 2)[1]) if data.startswith(b"HTTP/1.1 ") else None


def body_of(data):
    return json.loads(data.split(b"\r\n\r\n", 1)[1])


class Framing(lightpathd.Case):
    def tearDown(self):
        self.assertEqual(self.daemon.get("/api/health/").status, 200, "the daemon no longer answers")

    def refused(self, data, pointer=None, codes=(400,)):
        got = self.daemon.raw(data)
        self.assertIn(status(got), (*codes, None), got[:300])
        # the library's own refusals repeat their head in the body; nothing of ours may come after the first answer
        self.assertLessEqual(got.count(b"\r\nX-Request-ID: "), 1, "a second request was seen in what followed")
        if pointer is not None:
            self.assertEqual(body_of(got)["pointer"], pointer, got)
        return got

    def post(self, *headers, body=b"{}"):
        head = b"POST /api/processes/task_clean_up_tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return head + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body

    def processes(self):
        return len(self.daemon.get("/api/processes/").json())

    def test_length_and_transfer_encoding(self):
        before = self.processes()
        smuggled = b"0\r\n\r\n" + self.post(b"Content-Length: 4", body=b"[{}]")
        self.refused(self.post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=smuggled), "header/Content-Length")
        self.refused(self.post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=smuggled), "header/Content-Length")
        self.assertEqual(self.processes(), before)

    def test_two_lengths(self):
        before = self.processes()
        self.refused(self.post(b"Content-Length: 4", b"Content-Length: 4", body=b"[{}]"), "header/Content-Length")
        self.refused(self.post(b"Content-Length: 4", b"Content-Length: 2", body=b"[{}]"), "header/Content-Length")
        self.refused(self.post(b"Content-Length: 4, 4", body=b"[{}]"))
        self.assertEqual(self.processes(), before)

    def test_lengths_that_are_no_numbers(self):
        for value in (b"-1", b"+4", b"4x", b"0x4", b"99999999999999999999999", b"", b"4 4"):
            with self.subTest(value=value):
                self.refused(self.post(b"Content-Length: " + value, body=b"[{}]"), codes=(400, 413))

    def test_other_codings(self):
        for value in (b"gzip", b"chunked, chunked", b"identity", b"xchunked", b"gzip, chunked"):
            with self.subTest(value=value):
                self.refused(self.post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"), "header/Transfer-Encoding")

    def test_chunks(self):
        whole = b"4\r\n[{}]\r\n0\r\n\r\n"
        got = self.daemon.raw(self.post(b"Transfer-Encoding: chunked", b"Connection: close", body=whole))
        self.assertEqual(status(got), 201, got)
        for garbage in (b"zz\r\n[{}]\r\n0\r\n\r\n", b"-4\r\n[{}]\r\n0\r\n\r\n", b"4\r\n[{}]xx0\r\n\r\n", b"ffffffffffffffffff\r\n[{}]"):
            with self.subTest(garbage=garbage):
                self.refused(self.post(b"Transfer-Encoding: chunked", body=garbage), codes=(400, 413))

    def test_bad_targets(self):
        for target, pointer in ((b"/api/%00health", "path"), (b"/api/processes/%ff%fe", "path"), (b"/api/%zz", "path"), (b"/api/%4", "path"),
                                (b"/api//health", "path"), (b"/api/../etc", "path"), (b"/api/./health", "path"),
                                (b"/api/processes/?filter=%00", "query"), (b"/api/processes/?filter=%c3%28", "query"),
                                (b"/api/processes/?limit=1&limit=2", "query"), (b"/api/processes/?a%", "query"),
                                (b"/" + b"a/" * 20, "path"), (b"/api/processes/?" + b"&".join(b"q%d=1" % i for i in range(50)), "query")):
            with self.subTest(target=target[:60]):
                got = self.daemon.raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.assertEqual(status(got), 400, got)
                self.assertEqual(body_of(got)["pointer"], pointer)

    def test_absolute_and_other_forms(self):
        for target in (b"*", b"http://localhost/api/health/", b"localhost:80"):
            got = self.daemon.raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertIn(status(got), (400, None), got)

    def test_bytes_that_are_no_http(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"\x00" * 400, b"HELO there\r\n\r\n", b"\r\n" * 100,
                     b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", os.urandom(4000)):
            self.daemon.raw(data + b"\r\n\r\n", timeout=2, half_close=True)

    def test_many_headers(self):
        head = b"GET /api/health/ HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(10000)) + b"\r\n"
        self.refused(head, codes=(400, 413, 431))
        self.refused(b"GET /api/health/ HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100000 + b"\r\n\r\n", codes=(400, 413, 431))
        self.refused(b"GET /" + b"y" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", codes=(400, 413, 414, 431))

    def test_doubled_fields(self):
        for field in (b"Authorization: Bearer a", b"Origin: http://x", b"Content-Type: application/json", b"X-Request-ID: a"):
            self.refused(b"GET /api/health/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + 2 * (field + b"\r\n") + b"\r\n")
        self.refused(b"GET /api/health/ HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "header/Host")

    def test_names_and_values_of_fields(self):
        """What another program on the way reads as a different field is refused (RFC 9112 5.1)."""
        before = self.processes()
        smuggled = b"0\r\n\r\n" + self.post(b"Content-Length: 4", body=b"[{}]")
        for field in (b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b"Content-Length : 5", b"X(y): z", b"X\x80: z", b"X y: z"):
            with self.subTest(field=field):
                self.refused(self.post(field, body=smuggled), "header")
        self.assertEqual(self.processes(), before)

    def test_no_host(self):
        got = self.daemon.raw(b"GET /api/health/ HTTP/1.1\r\n\r\n")
        self.assertEqual(status(got), 400, got)

    def test_pipelining(self):
        got = self.daemon.raw(GOOD * 20 + GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(got.count(b"HTTP/1.1 200"), 21)
        mixed = (b"GET /api/settings/status HTTP/1.1\r\nHost: localhost\r\n\r\n" + GOOD) * 5
        got = self.daemon.raw(mixed + GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(got.count(b"HTTP/1.1 200"), 11)

    def test_large_bodies(self):
        big = b"[" + b" " * 5000000 + b"]"
        reply = self.daemon.post("/api/processes/task_clean_up_tasks", big)
        self.problem(reply, 413, "body")
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        got = self.daemon.raw(self.post(b"Transfer-Encoding: chunked", b"Connection: close", body=chunk * 80 + b"0\r\n\r\n"))
        self.assertEqual(status(got), 413, got[:300])

    def test_expectation_is_refused_before_the_body(self):
        with self.daemon.connect() as sock:
            sock.sendall(self.post(b"Content-Length: 5000000", b"Expect: 100-continue", body=b""))
            code, _, _, _ = lightpathd.read_reply(sock)
            self.assertEqual(code, 413)

    def test_cut_bodies(self):
        before = self.processes()
        for data in (self.post(b"Content-Length: 100", body=b"[{}]"), self.post(b"Transfer-Encoding: chunked", body=b"4\r\n[{"),
                     b"POST /api/pro", b"GET /api/health/ HTTP/1.1\r\nHo"):
            self.daemon.raw(data, timeout=2, half_close=True)
            with self.daemon.connect() as sock:
                sock.sendall(data)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.assertEqual(self.processes(), before)

    def test_bad_json(self):
        before = self.processes()
        deep = b"[" * 5000 + b"]" * 5000
        for data in (b"{", b"[{}", b"[{}] x", b'[{"a":1,"a":2}]', b'[{"a":"\xff"}]', b'["\\u0000"]', b"nul", deep, b"\xef\xbb\xbf[{}]", b"'a'",
                     b"[1e999]", b"[NaN]"):
            reply = self.daemon.post("/api/processes/task_clean_up_tasks", data)
            body = self.problem(reply, 422)
            self.assertEqual(body["detail"][0]["loc"][0], "body", data)
            self.assertTrue(body["pointer"].startswith("/body"), body)
        for value in ({}, [1], "x", 5, [[{}]]):
            reply = self.daemon.post("/api/processes/task_clean_up_tasks", value)
            self.assertEqual(reply.status, 422, (value, reply))
        self.assertEqual(self.processes(), before)

    def peak_mb(self):
        with open(f"/proc/{self.daemon.child.pid}/status", encoding="ascii") as lines:
            return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024

    def test_small_bodies_do_not_become_large(self):
        """Four megabytes of the smallest values: neither the tree nor the list of problems may take hundreds of megabytes."""
        before = self.peak_mb()
        path = "/api/processes/task_clean_up_tasks"
        reply = self.daemon.post(path, b"[" + b"1," * 150000 + b"1]")
        self.assertLessEqual(len(self.problem(reply, 422)["detail"]), 100)
        self.assertLess(len(reply.body), 50000)
        for body in (b"[" + b"1," * 2000000 + b"1]", b"[" + b"{}," * 1300000 + b"{}]", b"[" + b"[]," * 1300000 + b"[]]"):
            self.problem(self.daemon.post(path, body), 413, "/body")
        some = "00000000-0000-4000-8000-000000000000"
        self.problem(self.daemon.post(f"/api/processes/{some}/callback/x", b'{"a":[' + b"{}," * 1300000 + b"{}]}"), 413, "/body")
        self.problem(self.daemon.request("PATCH", "/api/workflows/" + some, b"{" + b",".join(b'"a%d":1' % i for i in range(90000)) + b"}"), 422)
        text = json.dumps([{"x": "a,{[\\\"" * 400000}]).encode()  # many signs inside a text are one value
        self.assertEqual(self.daemon.post(path, text).status, 400)
        self.assertLess(self.peak_mb() - before, 150 * (1 + (lightpathd.SLOW > 1)))

    def test_no_noise(self):
        levels = {json.loads(line)["level"] for line in self.daemon.lines if line.startswith("{")}
        self.assertLessEqual(levels, {"info", "debug"})


class Slow(lightpathd.Case):
    settings = {"api.request_timeout_s": 2, "api.idle_timeout_s": 2, "api.threads": 1}

    def test_slow_clients_are_cut_off_and_hold_nobody_up(self):
        socks = []
        for begin in (b"GET /api/health/ HTTP/1.1\r\nHost: localhost\r\nX: ", b"POST /api/processes/x HTTP/1.1\r\nHost: localhost\r\n"
                      b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n", b""):
            for _ in range(40):
                sock = self.daemon.connect()
                sock.sendall(begin)
                socks.append(sock)
        started = time.monotonic()
        alive = len(socks)
        while alive and time.monotonic() - started < 60 * lightpathd.SLOW:
            asked = time.monotonic()
            self.assertEqual(self.daemon.get("/api/settings/status").status, 200)
            self.assertLess(time.monotonic() - asked, 20 * lightpathd.SLOW)
            alive = 0
            for sock in socks:
                readable, _, _ = select.select([sock], [], [], 0)
                try:
                    if readable and not sock.recv(65536):
                        continue
                    sock.send(b"a")  # one byte at a time keeps the connection busy
                    alive += 1
                except OSError:
                    pass
            time.sleep(0.2)
        self.assertEqual(alive, 0, "some slow connections were never closed")
        for sock in socks:
            sock.close()

    def test_late_request_is_told(self):
        with self.daemon.connect() as sock:
            sock.sendall(b"POST /api/processes/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n")
            for _ in range(8):
                time.sleep(0.4)
                try:
                    sock.send(b" ")
                except OSError:
                    break
            got = lightpathd.receive(sock)
        self.assertEqual(status(got), 408, got)

    def test_reader_that_does_not_read(self):
        with self.daemon.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
            time.sleep(1)
            self.assertEqual(self.daemon.get("/api/settings/status").status, 200)


class Crowd(lightpathd.Case):
    settings = {"api.max_connections": 600}

    def crowd(self, count):
        socks = [self.daemon.connect() for _ in range(count)]
        request = b"GET /api/settings/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try:
            for _ in range(5):
                for sock in socks:
                    sock.sendall(request)
                for sock in socks:
                    self.assertEqual(lightpathd.read_reply(sock)[0], 200)
        finally:
            for sock in socks:
                sock.close()

    def test_keep_alive_crowds_do_not_stall(self):
        for count in (127, 128, 129, 256, 512):
            with self.subTest(connections=count):
                started = time.monotonic()
                self.crowd(count)
                self.assertLess(time.monotonic() - started, 40 * lightpathd.SLOW)

    def test_too_many_are_told(self):
        lightpathd.wait_for(lambda: self.daemon.get("/api/health/").status == 200)
        socks = []
        refused = None
        try:
            for _ in range(650):
                sock = self.daemon.connect()
                socks.append(sock)
                sock.sendall(GOOD)
                try:
                    code = lightpathd.read_reply(sock)[0]
                except ConnectionError:
                    continue
                if code != 200:
                    refused = code
                    break
            self.assertEqual(refused, 503)
        finally:
            for sock in socks:
                sock.close()
        lightpathd.wait_for(lambda: self.daemon.get("/api/health/").status == 200)


class PerAddress(lightpathd.Case):
    settings = {"api.max_connections_per_ip": 4}

    def test_limit_per_address(self):
        socks = [self.daemon.connect() for _ in range(4)]
        for sock in socks:
            sock.sendall(GOOD)
            self.assertEqual(lightpathd.read_reply(sock)[0], 200)
        self.assertEqual(status(self.daemon.raw(GOOD)), 503)
        self.assertEqual(self.daemon.get("/api/health/", unix=True).status, 200)
        for sock in socks:
            sock.close()
        lightpathd.wait_for(lambda: status(self.daemon.raw(GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) == 200)


if __name__ == "__main__":
    lightpathd.main()
