"""The lightpath program against a small server of our own: forms, prompts on a pseudo terminal, errors, ids, watching.

Usage: test_cli.py PATH_OF_LIGHTPATH [unittest arguments]
"""
import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
import urllib.parse

CLI = sys.argv.pop(1) if len(sys.argv) > 1 else "build/cli/lightpath"
SUB = "0198aaaa-0000-7000-8000-00000000%04x"
PROC = "0198bbbb-0000-7000-8000-0000000000aa"
OWNERS = {SUB % 1: "GARR", SUB % 2: "GEANT"}
DESCRIPTIONS = ["GARR (Partner)", "MI01 Milano Colombo", "MI02 Milano", "MI0 Short", "RM01 Roma\x1b[31m"]

PAGE1 = {"title": "unknown", "type": "object", "additionalProperties": False, "required": ["product"],
         "$defs": {"P": {"enum": ["p-1"], "type": "string", "options": {"p-1": "PoP"}}},
         "properties": {"product": {"$ref": "#/$defs/P", "format": "productId"}}}
PAGE2 = {"title": "PoP", "type": "object", "additionalProperties": False, "required": ["code", "owner", "count"],
         "$defs": {"Owner": {"enum": list(OWNERS), "type": "string", "options": OWNERS}},
         "properties": {
             "hint": {"type": "string", "format": "label", "default": "Say what it is\x1b]0;evil\x07"},
             "code": {"type": "string", "title": "Code", "description": "4 capital letters or digits"},
             "owner": {"$ref": "#/$defs/Owner", "title": "Owner"},
             "count": {"type": "integer", "title": "Count", "default": 3, "minimum": 0, "maximum": 9},
             "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}}}
PAGE3 = {"title": "Summary", "type": "object", "additionalProperties": False,
         "properties": {"summary": {"type": "string", "format": "summary", "default": None, "uniforms": {"data": {
             "headers": ["Before", "After"], "labels": ["code"], "columns": [["-"], ["MI01"]]}}}}}
RESUME = {"title": "Confirm", "type": "object", "additionalProperties": False, "required": ["sure"],
          "properties": {"sure": {"type": "boolean", "title": "Sure"}}}


class World:
    """What the server knows; reset for every test."""

    def __init__(self):
        self.started = []
        self.keys = []
        self.resumed = []
        self.calls = []
        self.watched = 0
        self.break_first = False
        self.final = "completed"
        self.redirect = None


world = World()


def problem(status, detail, slug="about"):
    return status, {"type": slug, "title": "x", "status": status, "detail": detail}


def invalid(*errors):
    return 400, {"type": "FormValidationError", "status": 400, "title": "Form not valid", "detail": "bad",
                 "validation_errors": [{"type": t, "loc": loc, "msg": msg, "input": None} for t, loc, msg in errors]}


def incomplete(page, has_next):
    return 510, {"type": "FormNotCompleteError", "status": 510, "title": "Form not complete", "detail": "more",
                 "form": page, "meta": {"hasNext": has_next}}


def check_page(page, given):
    errors = [("extra_forbidden", [k], "Extra inputs are not permitted") for k in given if k not in page["properties"]]
    errors += [("missing", [k], "field required") for k in page.get("required", [])
               if k not in given and "default" not in page["properties"][k]]
    if "code" in page["properties"] and "code" in given and not re.fullmatch("[A-Z0-9]{4}", given["code"]):
        errors.append(("value_error", ["code"], "code must be 4 capital letters or digits\x1b[5m"))
    if not isinstance(given.get("count", 0), int):
        errors.append(("int_type", ["count"], "Input should be a valid integer"))
    return errors


def form(pages, given, done):
    for i, page in enumerate(pages):
        if i >= len(given):
            return incomplete(page, i + 1 < len(pages))
        errors = check_page(page, given[i])
        if errors:
            return invalid(*errors)
    if len(given) > len(pages):
        return invalid(("too_many_pages", ["__root__"], "too many pages"))
    return done()


def subscription(i):
    return {"subscription_id": SUB % (i + 1), "description": DESCRIPTIONS[i], "status": "active", "insync": i != 2,
            "product": {"name": "PoP"}, "start_date": 1769940000.5, "version": 3, "note": None, "customer_id": SUB % 1}


def like(pattern, text):
    return re.fullmatch(re.escape(pattern).replace("%", ".*").replace("_", "."), text, re.I | re.S) is not None


def filtered(rows, query):
    parts = query.get("filter", [""])[0].split(",")
    for field, value in zip(parts[::2], parts[1::2]):
        if value.startswith("!"):
            rows = [r for r in rows if str(r[field]) != value[1:]]
        else:
            rows = [r for r in rows if any(like(v, str(r[field])) for v in value.split("|"))]
    return rows


def process(status):
    steps = [{"step_id": "s1", "name": "Start", "status": "success", "started": 1.0, "completed": 1.012, "state": {}, "created_by": "me"}]
    if status == "failed":
        steps.append({"step_id": "s2", "name": "Reach out", "status": "failed", "started": 2.0, "completed": 2.5,
                      "state": {"error": "the far end\x1b[2J is silent", "class": "device-refused"}})
    elif status in ("completed", "suspended"):
        steps.append({"step_id": "s2", "name": "Done", "status": "complete" if status == "completed" else "suspend",
                      "started": 2.0, "completed": 2.5, "state": {}})
    else:
        steps.append({"step_id": None, "name": "Done", "status": "pending"})
    return {"process_id": PROC, "workflow_name": "create_pop", "last_status": status, "last_step": "Reach out",
            "failed_reason": "the far end is silent" if status == "failed" else None, "steps": steps,
            "started_at": 1769940000.0, "last_modified_at": 1769940002.5, "created_by": "me", "is_task": False,
            "subscriptions": [subscription(1)], "form": RESUME if status == "suspended" else None, "assignee": "NOC"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "local"

    def reply(self, status, body, **headers):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for i in range(50):
            time.sleep(0.05)
            self.wfile.write(f'id: {i}\ndata: {{"name":"invalidateCache","value":{{"type":"processes","id":"{PROC}"}}}}\n\n'.encode())
            self.wfile.flush()

    def handle_any(self):
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        world.calls.append((self.command, self.path, raw))
        body = json.loads(raw) if raw else None
        where = parts.path.rstrip("/")
        if where == "/api/events":
            return self.events()
        if world.redirect is not None and where == "/api/engine" and "again" not in query:
            return self.reply(307, None, Location=world.redirect)
        if where == "/api/engine":
            return self.reply(200, {"global_status": "RUNNING", "global_lock": False, "running_processes": 1, "restored": False,
                                    "queue": {"depth": 2, "oldest_seconds": 3.5, "labels": [
                                        {"label": "lab", "is_task": False, "depth": 2, "oldest_seconds": 3.5, "executors": 0}]},
                                    "waiting": [{"kind": "retry", "label": "", "count": 4, "oldest_seconds": 300.0}],
                                    "leases": [{"name": "scheduler", "owner": PROC, "executor": "north\x1b[2J", "epoch": 3, "held": True,
                                                "lease_left_s": 4.2}],
                                    "executors": {"live": 2, "lost": 1, "drained": 1}})
        if where == "/api/executors":
            return self.reply(200, [{"name": "north", "incarnation": PROC, "host": "h1", "labels": ["lab", "a"], "roles": ["executor", "scheduler"],
                                     "version": "0.1.0", "threads": 4, "state": "live", "drained": True, "started_at": 1769940000.5,
                                     "renewed_at": 1769940001.5, "lease_left_s": 8.2, "claims": 7}])
        if where.startswith("/api/doctor"):
            return self.reply(200, {"worst": "error", "errors": 1, "warnings": 0, "fixed": 0, "version": "0.1.0", "schema": 4, "findings": [
                {"check": "locks", "severity": "error", "text": "1 lock(s) held\x1b[2J", "means": "bad", "todo": "fix it", "count": 1,
                 "items": [{"id": PROC, "text": "a lock"}], "fixable": True, "fixed": False},
                {"check": "clock", "severity": "ok", "text": "fine", "means": None, "todo": None, "count": 0, "items": [], "fixable": False,
                 "fixed": False}]})
        if where.startswith("/api/settings/"):
            return self.reply(200, {"global_status": "RUNNING", "global_lock": False})
        if where == "/api/processes/status-counts":
            return self.reply(200, {"process_counts": {}, "task_counts": {}})
        if self.command == "POST" and where == "/api/processes/create_pop":
            return self.start(body)
        if where == "/api/processes":
            return self.reply(200, filtered([process("completed")], query))
        if where == f"/api/processes/{PROC}":
            world.watched += 1
            return self.reply(200, process("running" if world.watched < 3 else world.final))
        if where == f"/api/processes/{PROC}/resume":
            world.resumed.append(body)
            status, answer = form([RESUME], body, lambda: (204, None))
            if status == 204:
                world.final = "completed"
            return self.reply(status, answer)
        if where == "/api/subscriptions":
            rows = filtered([subscription(i) for i in range(len(DESCRIPTIONS))], query)
            if "cursor" in query:
                return self.reply(200, rows[2:])
            if len(rows) > 2:
                return self.reply(200, rows[:2], Link=f'</api/subscriptions?cursor=x&{parts.query}>; rel="next"')
            return self.reply(200, rows)
        if where == "/api/todo":
            return self.reply(403, {"detail": "Not authenticated", "type": "not-authenticated", "status": 403})
        if where == "/api/products":
            return self.garbage()
        self.reply(*problem(404, "Workflow does not exist", "not-found"))

    def garbage(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"<html")

    def start(self, pages):
        world.keys.append(self.headers.get("Idempotency-Key"))

        def done():
            if world.break_first:
                world.break_first = False
                world.started.append(pages)
                self.connection.shutdown(socket.SHUT_RDWR)
                return None, None
            if not world.started or world.started[-1] != pages:
                world.started.append(pages)
            return 201, {"id": PROC}

        status, answer = form([PAGE1, PAGE2, PAGE3], pages, done)
        if status is None:
            self.close_connection = True
            return
        self.reply(status, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any


class Tcp(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def run(*args, env=None, stdin=subprocess.DEVNULL):
    full = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LIGHTPATH_URL": url, **(env or {})}
    return subprocess.run([CLI, *args], env=full, stdin=stdin, capture_output=True, text=True, timeout=120)


def posted(path="/api/processes/create_pop"):
    return [json.loads(c[2]) for c in world.calls if c[1] == path]


class Terminal:
    """The program on a pseudo terminal of its own. Our end of its side stays open, so that nothing it wrote is lost when it ends."""

    def __init__(self, *args, columns=80):
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LIGHTPATH_URL": url, "TERM": "xterm"}
        self.fd, self.slave = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.process = subprocess.Popen([CLI, *args], env=env, stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.seen = ""

    def read(self, until, seconds=60):
        end = time.monotonic() + seconds
        while until not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {until!r} in {self.seen!r}")
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"ended without {until!r}: {self.seen!r}")
            self.seen += data.decode()
        before, _, self.seen = self.seen.partition(until)
        return before

    def say(self, text):
        os.write(self.fd, (text + "\n").encode())

    def end(self):
        self.process.wait(timeout=60)
        while select.select([self.fd], [], [], 0.05)[0]:
            self.seen += os.read(self.fd, 4096).decode()
        os.close(self.fd)
        os.close(self.slave)
        return self.process.returncode, self.seen


class Case(unittest.TestCase):
    def setUp(self):
        global world
        world = World()


class Forms(Case):
    def test_all_pages_from_the_command_line(self):
        r = run("process", "start", "create_pop", "--set", "code=MI09", "--set", "owner=GARR", "--set", "count=7")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(world.started, [[{"product": "p-1"}, {"code": "MI09", "owner": SUB % 1, "count": 7}, {}]])
        self.assertIn(PROC, r.stdout)
        self.assertNotIn("\x1b", r.stdout)

    def test_missing_values_are_listed_and_nothing_starts(self):
        r = run("process", "start", "create_pop", "--set", "code=MI09")
        self.assertEqual(r.returncode, 3)
        self.assertIn("--set owner=", r.stderr)
        self.assertNotIn("--set count=", r.stderr)
        self.assertEqual(world.started, [])

    def test_missing_values_for_programs(self):
        r = run("process", "start", "create_pop", "-o", "json")
        self.assertEqual(r.returncode, 3)
        error = json.loads(r.stderr.splitlines()[-1])["error"]
        self.assertEqual(error["code"], "form-incomplete")
        self.assertIn("code", error["detail"]["form"]["properties"])

    def test_a_value_nobody_asks_for_starts_nothing(self):
        for wrong in ("colour=red", "code.deep=1", "summary.x=1"):
            r = run("process", "start", "create_pop", "--set", "code=MI09", "--set", "owner=GARR", "--set", wrong)
            self.assertEqual(r.returncode, 2, r.stderr)
            self.assertIn(wrong.split("=")[0], r.stderr)
        self.assertEqual(world.started, [])

    def test_refused_fields_are_named(self):
        r = run("process", "start", "create_pop", "--set", "code=no", "--set", "owner=GARR")
        self.assertEqual(r.returncode, 2)
        self.assertIn("code: code must be 4 capital letters", r.stderr)
        self.assertNotIn("\x1b", r.stderr)
        self.assertEqual(world.started, [])

    def test_pages_from_a_file(self):
        with tempfile.NamedTemporaryFile("w") as f:
            json.dump([{}, {"code": "MI09", "owner": SUB % 2}], f)
            f.flush()
            r = run("process", "start", "create_pop", "--file", f.name)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(world.started[0][1], {"code": "MI09", "owner": SUB % 2, "count": 3})

    def test_fields_from_a_file_whichever_page_asks(self):
        r = subprocess.run([CLI, "process", "start", "create_pop", "--file=-"], input='{"code": "MI09", "owner": "%s"}' % (SUB % 2),
                           env={"LIGHTPATH_URL": url}, capture_output=True, text=True, timeout=120)
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_bad_files(self):
        r = run("process", "start", "create_pop", "--file", "/nonexistent/x.json")
        self.assertEqual(r.returncode, 4)
        with tempfile.NamedTemporaryFile("w") as f:
            f.write('{"a": 1,}')
            f.flush()
            r = run("process", "start", "create_pop", "--file", f.name)
        self.assertEqual(r.returncode, 2)
        self.assertIn(f.name, r.stderr)
        self.assertEqual(world.calls, [])

    def test_a_lost_answer_does_not_start_twice(self):
        world.break_first = True
        r = run("process", "start", "create_pop", "--set", "code=MI09", "--set", "owner=GARR")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(len(world.started), 1)
        self.assertEqual(world.keys[-1], world.keys[-2])

    def test_unknown_workflow(self):
        r = run("process", "start", "nothing_such", "--set", "a=1")
        self.assertEqual(r.returncode, 4)
        self.assertIn("Workflow does not exist", r.stderr)

    def test_ticket_and_reason_are_passed_on(self):
        run("process", "start", "create_pop", "--set", "code=MI09", "--set", "owner=GARR", "--ticket", "T 1", "--reason", "a&b")
        self.assertIn("?ticket=T%201&reason=a%26b", world.calls[-1][1])


class Prompts(Case):
    def test_the_whole_conversation(self):
        t = Terminal("process", "start", "create_pop")
        shown = t.read("> ")
        self.assertIn("4 capital letters or digits", shown)
        self.assertIn("Say what it is", shown)
        self.assertNotIn("\x07", shown)
        t.say("")
        t.read("is needed")
        t.read("> ")
        t.say("MI09")
        shown = t.read("> ")
        self.assertIn("GEANT", shown)
        t.say("nobody")
        t.read("choose one of")
        t.read("> ")
        t.say("2")
        shown = t.read("> ")
        self.assertIn("[3]", shown)
        t.say("many")
        t.read("not a whole number")
        t.read("> ")
        t.say("")
        t.read("> ")
        t.say("")
        shown = t.read("[Y/n]")
        self.assertIn("Before", shown)
        t.say("y")
        code, rest = t.end()
        self.assertEqual(code, 0, rest)
        self.assertEqual(world.started[0][1], {"code": "MI09", "owner": SUB % 2, "count": 3})

    def test_what_was_refused_is_asked_again(self):
        t = Terminal("process", "start", "create_pop", "--set", "code=bad", "--set", "owner=GARR", "--yes")
        shown = t.read("> ")
        self.assertIn("must be 4 capital letters", shown)
        t.say("MI09")
        code, rest = t.end()
        self.assertEqual(code, 0, rest)
        self.assertEqual(world.started[0][1]["code"], "MI09")

    def test_no_means_no(self):
        t = Terminal("process", "start", "create_pop", "--set", "code=MI09", "--set", "owner=GARR")
        t.read("[Y/n]")
        t.say("n")
        code, rest = t.end()
        self.assertEqual(code, 5)
        self.assertIn("nothing was started", rest)
        self.assertEqual(world.started, [])

    def test_ctrl_c_and_the_end_of_input(self):
        for key in ["\x03"] * 12 + ["\x04"]:  # also when it comes between the question and the read
            t = Terminal("process", "start", "create_pop")
            t.read("> ")
            os.write(t.fd, key.encode())
            code, rest = t.end()
            self.assertEqual(code, 5, rest)
            self.assertIn("nothing was started", rest)

    def test_no_input_never_asks(self):
        t = Terminal("--no-input", "process", "start", "create_pop")
        code, rest = t.end()
        self.assertEqual(code, 3, rest)

    def test_colours_on_a_terminal_unless_unwanted(self):
        t = Terminal("subscription", "list")
        _, text = t.end()
        self.assertIn("\x1b[32m", text)
        self.assertNotIn("\x1b[31mm", text)


class Ids(Case):
    def show(self, text):
        r = run("subscription", "workflows", text)
        wanted = [c[1] for c in world.calls if c[1].startswith("/api/subscriptions/workflows/")]
        return r, wanted[-1].rsplit("/", 1)[1] if wanted else None

    def test_by_code_description_and_ends(self):
        for text in ("MI01", "mi01", "MI01 Milano Colombo", (SUB % 2)[-12:], SUB % 2, (SUB % 2).upper()):
            world.calls.clear()
            _, got = self.show(text)
            self.assertEqual(got, SUB % 2, text)

    def test_whole_words_only(self):
        _, got = self.show("MI0")
        self.assertEqual(got, SUB % 4)

    def test_ambiguous_beginnings_name_the_candidates(self):
        r, got = self.show("0198aaaa")
        self.assertEqual(r.returncode, 5)
        self.assertIsNone(got)
        self.assertIn("MI02 Milano", r.stderr)

    def test_unknown(self):
        r, got = self.show("XX99")
        self.assertEqual(r.returncode, 4)
        self.assertIn("subscription list", r.stderr)

    def test_filter_signs_in_a_name_do_no_harm(self):
        r, _ = self.show("a,b-c|d")
        self.assertEqual(r.returncode, 4, r.stderr)


class Output(Case):
    def test_lists_follow_the_cursor(self):
        r = run("subscription", "list", "-o", "json")
        self.assertEqual(len(json.loads(r.stdout)), 5)
        r = run("subscription", "list", "--limit=2")
        self.assertIn("there are more", r.stdout)

    def test_server_texts_cannot_steer_the_terminal(self):
        r = run("subscription", "list")
        self.assertIn("RM01 Roma?[31m", r.stdout)
        self.assertNotIn("\x1b", r.stdout)

    def test_narrow_terminal(self):
        for columns in (40, 50, 60, 100):
            _, text = Terminal("subscription", "list", columns=columns).end()
            for line in re.sub("\x1b\\[[0-9;]*[mK]", "", text).replace("\r", "").split("\n"):
                self.assertLessEqual(len(line), columns)

    def test_help_of_every_command(self):
        overview = run("--help").stdout
        for line in re.findall(r"^  ([a-z][a-z0-9]*(?: [a-z-]+)?)", overview, re.M):
            r = run(*line.split(), "--help")
            self.assertEqual(r.returncode, 0, line)
            self.assertIn("Usage: lightpath " + line.split()[0], r.stdout)

    def test_completion_knows_nouns_verbs_and_words(self):
        script = run("completion", "bash").stdout

        def complete(*words):
            text = "\n".join([script, f"COMP_WORDS=({' '.join(repr(w) for w in words)})", f"COMP_CWORD={len(words) - 1}",
                              "_lightpath; echo ${COMPREPLY[*]}"])
            return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True).stdout.split()

        self.assertIn("subscription", complete("lightpath", "sub"))
        self.assertEqual(complete("lightpath", "process", "ret"), ["retry"])
        self.assertIn("--set", complete("lightpath", "process", "start", "x", "--s"))
        self.assertIn("suspended", complete("lightpath", "process", "list", "--status", ""))
        self.assertEqual(complete("lightpath", "--output", "js"), ["json"])


class Errors(Case):
    def test_nobody_listens(self):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        r = run("todo", "--url", "http://127.0.0.1:%d" % s.getsockname()[1])
        s.close()
        self.assertEqual(r.returncode, 7)
        self.assertIn("start lightpathd", r.stderr)

    def test_no_socket(self):
        r = run("todo", "--socket", "/nonexistent/x.sock")
        self.assertEqual(r.returncode, 7)
        self.assertIn("/nonexistent/x.sock", r.stderr)

    def test_not_authenticated_says_what_to_do(self):
        r = run("todo")
        self.assertEqual(r.returncode, 9)
        self.assertIn("--token-file", r.stderr)

    def test_not_a_lightpath_server(self):
        r = run("product", "list")
        self.assertEqual(r.returncode, 6)
        self.assertIn("not JSON", r.stderr)

    def test_bad_usage(self):
        for args in (["nonsense"], ["process"], ["process", "start"], ["process", "list", "--nothing"], ["process", "list", "--status"],
                     ["process", "list", "--limit", "x"], ["todo", "extra"], ["--output", "xml", "todo"],
                     ["--url", "ftp://x", "todo"], ["--url", "http://a", "--socket", "b", "todo"], []):
            r = run(*args)
            self.assertEqual(r.returncode, 2, args)
            self.assertTrue(r.stderr.startswith("lightpath: "), r.stderr)

    def test_the_token_is_sent_and_never_shown(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("secret-token\nsecond line")
            f.flush()
            r = run("todo", "--token-file", f.name)
        self.assertNotIn("secret", r.stdout + r.stderr)

    def test_a_silent_server_is_given_up(self):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(1)
        began = time.monotonic()
        r = run("todo", "--timeout", "1", "--url", "http://127.0.0.1:%d" % s.getsockname()[1])
        s.close()
        self.assertLess(time.monotonic() - began, 25)
        self.assertEqual(r.returncode, 8)

    def test_overrides_want_a_reason(self):
        r = run("process", "skip", PROC)
        self.assertEqual(r.returncode, 2)
        self.assertIn("--reason", r.stderr)
        self.assertEqual(world.calls, [])


class Places(Case):
    def test_redirects_stay_at_home(self):
        world.redirect = "/api/engine?again=1"
        self.assertEqual(run("engine", "status").returncode, 0)
        for elsewhere in ("http://example.invalid/api/engine", url.replace("127.0.0.1", "localhost") + "/api/x",
                          "https" + url[4:] + "/api/x"):
            world.redirect = elsewhere
            r = run("engine", "status")
            self.assertEqual(r.returncode, 6, r.stderr)
            self.assertIn("another host", r.stderr)
        world.redirect = url + "/api/engine"
        r = run("engine", "status")
        self.assertEqual(r.returncode, 6)
        self.assertIn("circles", r.stderr)

    def test_certificates_are_verified(self):
        with tempfile.TemporaryDirectory() as folder:
            key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
            made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                                   "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], capture_output=True)
            if made.returncode != 0:
                self.skipTest("no openssl program")
            server = Tcp(("127.0.0.1", 0), Handler)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            port = server.server_address[1]
            r = run("engine", "status", "--url", f"https://localhost:{port}")
            self.assertEqual(r.returncode, 6, r.stderr)
            self.assertIn("no trusted connection", r.stderr)
            r = run("engine", "status", "--url", f"https://localhost:{port}", "--ca-file", cert)
            self.assertEqual(r.returncode, 0, r.stderr)
            r = run("engine", "status", "--url", f"https://127.0.0.1:{port}", "--ca-file", cert)
            self.assertEqual(r.returncode, 6, r.stderr)
            server.shutdown()
            server.server_close()


class Operating(Case):
    def test_engine_status(self):
        r = run("engine", "status")
        self.assertEqual(r.returncode, 0, r.stderr)
        for words in ("RUNNING", "2 live, 1 lost, 1 drained", "label lab: 2, oldest 3.5 s, 0 executor(s) can", "4 for retry, oldest 5 min",
                      "scheduler: north?[2J, 4.2 s left"):
            self.assertIn(words, r.stdout)

    def test_executors(self):
        r = run("executor", "list")
        self.assertEqual(r.returncode, 0, r.stderr)
        for words in ("north", "drained", "8.2 s", "executor scheduler", "lab a"):
            self.assertIn(words, r.stdout)
        self.assertIn(("GET", "/api/executors/?all=true", b""), (run("executor", "list", "--all"), world.calls)[1])

    def test_doctor(self):
        r = run("doctor")
        self.assertEqual(r.returncode, 10)
        for words in ("1 lock(s) held?[2J", "It means: bad", "To do:    fix it", "fine"):
            self.assertIn(words, r.stdout)
        self.assertIn("1 thing(s) wrong", r.stderr)
        run("doctor", "--fix", "--reason", "because")
        self.assertEqual(world.calls[-1][:2], ("POST", "/api/doctor/fix?reason=because"))


class Watching(Case):
    def test_steps_as_they_finish(self):
        r = run("process", "watch", PROC)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stdout.count("Start"), 1)
        self.assertIn("Completed in 2.5 s", r.stdout)

    def test_failure_tells_why_and_what_next(self):
        world.final = "failed"
        r = run("process", "watch", PROC)
        self.assertEqual(r.returncode, 6)
        self.assertIn("the far end?[2J is silent", r.stdout)
        self.assertIn("lightpath process retry", r.stderr)

    def test_json_is_the_process(self):
        r = run("process", "watch", PROC, "-o", "json")
        self.assertEqual(json.loads(r.stdout)["last_status"], "completed")

    def test_ctrl_c_leaves_the_process_alone(self):
        world.final = "running"
        p = subprocess.Popen([CLI, "process", "watch", PROC], env={"LIGHTPATH_URL": url}, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while world.watched < 2 and time.monotonic() < end:  # it looks again and again: it is watching
            time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 5)
        self.assertIn("the process goes on", err)

    def test_input_is_asked_for_on_a_terminal(self):
        world.final = "suspended"
        t = Terminal("process", "watch", PROC)
        t.read("Answer now?")
        t.say("")
        t.read("> ")
        t.say("perhaps")
        t.read("neither true nor false")
        t.read("> ")
        t.say("yes")
        code, rest = t.end()
        self.assertEqual(code, 0, rest)
        self.assertEqual(world.resumed, [[{"sure": True}]])

    def test_input_is_asked_for_later_without_one(self):
        world.final = "suspended"
        r = run("process", "watch", PROC)
        self.assertEqual(r.returncode, 3)
        self.assertIn("lightpath process resume", r.stderr)
        r = run("process", "resume", PROC, "--set", "sure=yes")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(world.resumed, [[{"sure": True}]])


class Sockets(Case):
    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s.sock")
            server = Unix(path, Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            r = run("process", "start", "create_pop", "--set", "code=MI09", "--set", "owner=GARR", "--socket", path)
            server.shutdown()
            server.server_close()
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_the_default_socket_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Unix(os.path.join(folder, "lightpathd.sock"), Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            r = run("subscription", "list", env={"LIGHTPATH_DAEMON_DATA_DIR": folder, "LIGHTPATH_URL": ""})
            server.shutdown()
            server.server_close()
        self.assertEqual(r.returncode, 0, r.stderr)


tcp = Tcp(("127.0.0.1", 0), Handler)
url = "http://127.0.0.1:%d" % tcp.server_address[1]
threading.Thread(target=tcp.serve_forever, daemon=True).start()

if __name__ == "__main__":
    unittest.main(verbosity=1)
