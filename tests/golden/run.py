#!/usr/bin/env python3
"""Golden transcripts: what is sent to a real daemon and what it must answer, as files.

    run.py [--store sqlite|pg] [--record] FILE.http...

A file is a row of blocks; lines beginning with '#' are comments, '@' lines speak to the runner, '>' is sent, '<' is expected:

    @ daemon api.auth=true role=api    a fresh daemon with these settings (without it: a plain one)
    @ restart role=all                 the same database, other settings
    @ wait {{process}} completed       until the process has one of these statuses
    @ token operate head               makes a token over the local socket; {{head}} is its text
    > POST /api/processes/create_pop   ("local" behind it: over the Unix socket)
    > Content-Type: application/json
    [{"a": 1}]
    < 510
    < Content-Type: application/json
    {"form": "{{any}}", "{{more}}": true}

Expected JSON holds placeholders: {{uuid}} {{text}} {{time}} {{int}} {{any}}; {{name=uuid}} keeps what stands there as {{name}}, to be used
and compared later on; the member "{{more}}" lets an object have further members. Headers that are not named may be anything.
--record fills in what comes where only a status is expected; whoever records reads the result.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")
HOLE = re.compile(r"\{\{([a-z_0-9]+)(?:=([a-z]+))?\}\}")
KEPT = ("Content-Type", "Content-Range", "Allow", "Location", "Retry-After", "Link", "Access-Control-Allow-Origin", "Cache-Control")
KINDS = {
    "uuid": lambda v: isinstance(v, str) and UUID.fullmatch(v),
    "text": lambda v: isinstance(v, str),
    "time": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool) and 1.5e9 < v < 1e11,
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "any": lambda v: True,
}


class Mismatch(Exception):
    pass


class Exchange:
    def __init__(self, line):
        self.line = line
        self.head, self.body, self.want, self.want_body = [], [], [], []


def parse(path):
    """[comment/command line texts and Exchanges]"""
    items, now = [], None
    with open(path, encoding="utf-8") as text:
        for number, line in enumerate(text.read().splitlines(), 1):
            if line.startswith("> "):
                if now is None or now.want or now.body:
                    now = Exchange(number)
                    items.append(now)
                now.head.append(line[2:])
            elif line.startswith("< "):
                now.want.append(line[2:])
            elif line.startswith(("#", "@")):
                items.append(line)
                now = None
            elif not line.strip():
                if now is None or now.want:
                    items.append("")
                    now = None
            elif now is None:
                raise SystemExit(f"{path}:{number}: what is this?")
            else:
                (now.want_body if now.want else now.body).append(line)
    return items


class Player:
    def __init__(self, path, record):
        self.path, self.record = path, record
        self.kept = {}
        self.daemon = None

    def fill(self, text):
        return HOLE.sub(lambda m: self.kept[m.group(1)], text)

    # ---- comparing ----

    def match(self, want, got, where):
        hole = HOLE.fullmatch(want) if isinstance(want, str) else None
        if hole and hole.group(1) in KINDS and not hole.group(2):
            if not KINDS[hole.group(1)](got):
                raise Mismatch(f"{where}: {got!r} is no {hole.group(1)}")
        elif hole and hole.group(2):
            if not KINDS[hole.group(2)](got):
                raise Mismatch(f"{where}: {got!r} is no {hole.group(2)}")
            self.kept[hole.group(1)] = got
        elif isinstance(want, str) and HOLE.search(want):
            if self.fill(want) != got:
                raise Mismatch(f"{where}: {got!r} instead of {self.fill(want)!r}")
        elif isinstance(want, dict) and isinstance(got, dict):
            self.match_object(want, got, where)
        elif isinstance(want, list) and isinstance(got, list):
            if len(want) != len(got):
                raise Mismatch(f"{where}: {len(got)} elements instead of {len(want)}")
            for i, pair in enumerate(zip(want, got)):
                self.match(*pair, f"{where}/{i}")
        elif type(want) is not type(got) or want != got:
            raise Mismatch(f"{where}: {got!r} instead of {want!r}")

    def match_object(self, want, got, where):
        names = [name for name in want if name != "{{more}}"]
        if missing := [name for name in names if name not in got]:
            raise Mismatch(f"{where}: {missing} missing")
        if "{{more}}" not in want and (extra := [name for name in got if name not in want]):
            raise Mismatch(f"{where}: {extra} not expected")
        for name in names:
            self.match(want[name], got[name], f"{where}/{name}")

    def compare(self, exchange, reply):
        if int(exchange.want[0].split()[0]) != reply.status:
            raise Mismatch(f"status {reply.status} instead of {exchange.want[0]}: {reply.body[:600]!r}")
        for header in exchange.want[1:]:
            name, value = header.split(": ", 1)
            if reply.headers[name] is None:
                raise Mismatch(f"header {name} is missing")
            self.match(value, reply.headers[name], name)
        for name in ("X-Request-ID", "X-Process-Time"):
            if reply.headers[name] is None:
                raise Mismatch(f"header {name} is missing")
        text = "\n".join(exchange.want_body)
        if not text:
            if reply.body:
                raise Mismatch(f"a body: {reply.body[:300]!r}")
        elif reply.headers["Content-Type"] == "application/json":
            self.match(json.loads(text), json.loads(reply.body), "")
        else:
            self.match(text, reply.body.decode(), "")

    # ---- recording ----

    def blur(self, value):
        if isinstance(value, dict):
            return {key: self.blur(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.blur(part) for part in value]
        if isinstance(value, float) and KINDS["time"](value):
            return "{{time}}"
        if isinstance(value, str):
            for name, text in self.kept.items():
                value = value.replace(text, "{{" + name + "}}")
            if UUID.fullmatch(value) and value[14] != "5":  # ids of the catalogue never change
                name = f"id{len(self.kept) + 1}"
                self.kept[name] = value
                return "{{" + name + "=uuid}}"
            if any(found.group()[14] != "5" for found in UUID.finditer(value)) or ISO.search(value):
                return "{{text}}"
        return value

    def rewrite(self, exchange, reply):
        exchange.want = [str(reply.status)]
        for name in KEPT:
            if reply.headers[name] is not None:
                exchange.want.append(f"{name}: {self.blur(reply.headers[name])}")
        if reply.headers["ETag"]:
            exchange.want.append("ETag: {{text}}")
        exchange.want_body = []
        if reply.body:
            value = self.blur(json.loads(reply.body))
            exchange.want_body = json.dumps(value, indent=1, ensure_ascii=False).splitlines()

    # ---- playing ----

    def settings(self, words):
        given = dict(word.split("=", 1) for word in words)
        arguments = ["--role", given.pop("role")] if "role" in given else []
        return given, arguments

    def command(self, words):
        if words[0] in ("daemon", "restart"):
            settings, arguments = self.settings(words[1:])
            if words[0] == "restart":
                self.daemon.stop()
                self.daemon.settings.update(settings)
                self.daemon.arguments = arguments
            else:
                self.close()
                self.daemon = lightpathd.Daemon(settings, arguments=arguments)
            self.daemon.start()
        elif words[0] == "wait":
            self.daemon.wait_process(self.fill(words[1]), *words[2:])
        elif words[0] == "token":
            self.kept[words[2]] = self.daemon.token(words[1], words[2])
        else:
            raise SystemExit(f"{self.path}: unknown command {words[0]}")

    def play(self, exchange):
        if self.daemon is None:
            self.daemon = lightpathd.Daemon().start()
        method, target, *local = self.fill(exchange.head[0]).split(" ")
        headers = dict(self.fill(line).split(": ", 1) for line in exchange.head[1:])
        body = self.fill("\n".join(exchange.body)).encode() if exchange.body else None
        headers.setdefault("Content-Type", None)
        reply = self.daemon.request(method, target, body, headers, unix=bool(local))
        if self.record and len(exchange.want) == 1 and not exchange.want_body and int(exchange.want[0]) == reply.status:
            self.rewrite(exchange, reply)
        else:
            try:
                self.compare(exchange, reply)
            except Mismatch as fault:
                raise Mismatch(f"{os.path.basename(self.path)}:{exchange.line} {exchange.head[0]}\n    {fault}") from None

    def close(self):
        if self.daemon is not None:
            self.daemon.close()

    def run(self):
        count = 0
        items = parse(self.path)
        try:
            for item in items:
                if isinstance(item, Exchange):
                    self.play(item)
                    count += 1
                elif item.startswith("@"):
                    self.command(item[1:].split())
        finally:
            self.close()
        if self.record:
            self.save(items)
        return count

    def save(self, items):
        lines = []
        for item in items:
            if isinstance(item, str):
                lines.append(item)
            else:
                lines += [f"> {line}" for line in item.head] + item.body + [f"< {line}" for line in item.want] + item.want_body
        with open(self.path, "w", encoding="utf-8") as out:
            out.write("\n".join(lines).rstrip("\n") + "\n")


def main():
    arguments = sys.argv[1:]
    record = "--record" in arguments
    if "--store" in arguments:
        lightpathd.store = arguments[arguments.index("--store") + 1]
        del arguments[arguments.index("--store"):arguments.index("--store") + 2]
    if lightpathd.store == "pg" and not os.environ.get("LIGHTPATH_TEST_PG"):
        sys.exit(lightpathd.SKIPPED)
    passed = failed = 0
    for path in [a for a in arguments if not a.startswith("--")]:
        try:
            passed += Player(path, record).run()
        except (Mismatch, AssertionError) as fault:
            failed += 1
            print(f"FAIL {fault}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
