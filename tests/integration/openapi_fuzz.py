#!/usr/bin/env python3
"""Requests made from our own OpenAPI document, good and bad ones mixed.

    openapi_fuzz.py [--store sqlite|pg] [--requests N] [--seed S]

No reply may be 500, 501, 502 or 504; every status must be listed for its operation (510 and 503 therefore only where they are), and every
body must be valid against its schema. The default is 10,000 requests, 50,000 with LP_TEST_LONG=1; the seed is printed and repeats a run.
"""
import http.client
import json
import os
import random
import string
import sys
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lightpathd  # noqa: E402

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed")
    sys.exit(lightpathd.SKIPPED)

NEVER = {500, 501, 502, 504}
NASTY = ["", " ", "0", "-1", "null", "true", "a" * 300, "é", "%", "%00", "'", "\"", "' OR 1=1 --", "../..", "\u202e", "🚀", "9" * 30, "1e9", "[]",
         "a,b", "a,b,c", ",", "status,active", "lastStatus,failed", "startedAt,desc", "0,10", "10,0", "5,5", "x,y", "-5,5", "*", "(a", "a|b",
         "tag:POP", "status:active", "\"a b\"", "-a", "a\tb"]


class Failure(Exception):
    pass


class Fuzzer:
    def __init__(self, daemon, seed):
        self.daemon = daemon
        self.random = random.Random(seed)
        self.doc = daemon.get("/api/openapi.json").json()
        self.operations = [(method.upper(), path, op) for path, item in self.doc["paths"].items() for method, op in item.items()]
        self.validators = {}
        self.pool = {}  # values seen in replies, by member name
        self.workflows = [w["name"] for w in daemon.get("/api/workflows/").json()]
        self.statuses = {}
        self.connections = {}
        self.backups = 0
        self.known = set(json.dumps(self.doc["paths"]))

    # ---- values ----

    def text(self):
        r = self.random
        if r.random() < 0.5:
            return r.choice(NASTY)
        return "".join(r.choice(string.ascii_letters + string.digits + " _-.:,|!é\"'{}") for _ in range(r.randint(0, 30)))

    def junk(self, depth=0):
        r = self.random
        kinds = [None, True, False, 0, -1, 2 ** 40, 1.5, self.text(), [], {}]
        if depth < 3 and r.random() < 0.3:
            if r.random() < 0.5:
                return [self.junk(depth + 1) for _ in range(r.randint(0, 4))]
            return {self.text() or "k": self.junk(depth + 1) for _ in range(r.randint(0, 4))}
        return r.choice(kinds)

    def resolve(self, schema, root):
        while isinstance(schema, dict) and "$ref" in schema:
            at = root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            schema = {**at, **{k: v for k, v in schema.items() if k != "$ref"}}
        return schema

    def value(self, schema, root, name=""):
        """Mostly what the schema wants."""
        r = self.random
        schema = self.resolve(schema, root)
        if r.random() < 0.06:
            return self.junk()
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return r.choice(schema["enum"])
        if "anyOf" in schema:
            return self.value(r.choice(schema["anyOf"]), root, name)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = r.choice(kind)
        if name in self.pool and r.random() < 0.6:
            return r.choice(self.pool[name])
        if kind == "integer":
            return r.randint(schema.get("minimum", -5), schema.get("maximum", schema.get("minimum", -5) + 100))
        if kind == "number":
            return r.choice([0, 1.5, time.time() + 1000])
        if kind == "boolean":
            return r.random() < 0.5
        if kind == "array":
            return [self.value(schema.get("items", {}), root) for _ in range(r.randint(schema.get("minItems", 0), schema.get("maxItems", 3)))]
        if kind == "null":
            return None
        if kind == "object":
            return self.object(schema, root)
        if kind == "string":
            return self.string(schema, name)
        return self.junk()

    def object(self, schema, root):
        r = self.random
        made = {}
        for name, part in schema.get("properties", {}).items():
            if name in schema.get("required", []) or r.random() < 0.5:
                if r.random() > 0.03:
                    made[name] = self.value(part, root, name)
        if r.random() < 0.05:
            made[self.text() or "extra"] = self.junk()
        return made

    def string(self, schema, name):
        r = self.random
        if schema.get("format") == "uuid":
            every = [v for values in self.pool.values() for v in values if isinstance(v, str) and len(v) == 36]
            return r.choice(every) if every and r.random() < 0.5 else str(uuid.UUID(int=r.getrandbits(128)))
        if "code" in name:
            return "".join(r.choice(string.ascii_uppercase) for _ in range(4))
        if r.random() < 0.5:
            return "".join(r.choice(string.ascii_letters) for _ in range(r.randint(schema.get("minLength", 0), min(schema.get("maxLength", 12), 40))))
        return self.text()

    # ---- one request ----

    def path_value(self, name, schema):
        r = self.random
        if name == "workflow_key":
            return r.choice(self.workflows) if r.random() < 0.9 else self.text() or "x"
        if name in self.pool and r.random() < 0.8:
            return r.choice(self.pool[name])
        if name == "lang":
            return "en-GB"
        if name == "name":
            return r.choice(["all", "metrics", "x"])
        if r.random() < 0.1:
            return self.text() or "x"
        return self.string(schema, name) or "x"

    def pages(self):
        """Grows a list of form pages by what the server asks for."""
        r = self.random
        forms = self.pool.get("__form__", [])
        pages = []
        if forms and r.random() < 0.7:
            pages = json.loads(json.dumps(r.choice(forms)))
        return pages

    def build(self, method, path, op):
        r = self.random
        query = []
        headers = {"Host": "localhost"}
        for param in op["parameters"]:
            name, schema = param["name"], param["schema"]
            if param["in"] == "path":
                path = path.replace("{" + name + "}", urllib.parse.quote(str(self.path_value(name, schema)), safe=""))
            elif param["in"] == "query" and (param["required"] or r.random() < 0.3):
                value = self.value(schema, self.doc, name)
                if name in ("range", "filter", "sort", "cursor", "query") and r.random() < 0.7:
                    value = r.choice(NASTY)
                if isinstance(value, bool):
                    value = str(value).lower()
                query.append((name, value if isinstance(value, (str, int)) else json.dumps(value)))
            elif param["in"] == "header" and r.random() < 0.2:
                headers[name] = r.choice(["a", "b", "77", "x" * 201, ""])
        if r.random() < 0.02:
            query.append((self.text(), self.text()))
        if path.endswith("/") and r.random() < 0.5:
            path = path[:-1]
        if query:
            path += "?" + urllib.parse.urlencode(query)
        if r.random() < 0.1 and method == "GET":
            headers["If-None-Match"] = r.choice(["*", '"x"', "x"] + self.pool.get("__etag__", []))
        body = self.body(op, path)
        if body is not None or method == "POST":
            headers["Content-Type"] = "application/json" if r.random() < 0.98 else r.choice(["text/plain", "", "application/xml"])
        return path, headers, body

    def body(self, op, path):
        r = self.random
        if "requestBody" not in op:
            return None if r.random() < 0.9 else json.dumps(self.junk()).encode()
        if r.random() < 0.03:
            return r.choice([b"", b"{", b"[", b"\xff", b"[{}] x", b'{"a":1,"a":2}', b"nul"])
        schema = op["requestBody"]["content"]["application/json"]["schema"]
        if "/resume" in path or op["operationId"] in ("create_workflow", "post_form"):
            value = self.workflow_pages(path) if op["operationId"] == "create_workflow" and r.random() < 0.8 else r.choice([[{}], {}, [], None])
        else:
            value = self.value(schema, self.doc)
        return json.dumps(value).encode()

    def workflow_pages(self, path):
        """Answers the form page by page as far as it is valid."""
        pages = []
        for _ in range(6):
            reply = self.send("POST", path, {"Host": "localhost", "Content-Type": "application/json"}, json.dumps(pages).encode())
            self.check("POST", "/api/processes/{workflow_key}", reply, path)
            if reply.status != 510:
                return pages
            form = json.loads(reply.body)["form"]
            pages.append(self.object(form, form) if self.random.random() < 0.95 else self.junk())
        return pages

    def send(self, method, path, headers, body, unix=False):
        key = "unix" if unix else "tcp"
        for _ in range(2):
            connection = self.connections.get(key)
            if connection is None:
                limit = 30 * lightpathd.SLOW
                connection = (lightpathd.UnixConnection(self.daemon.socket, limit) if unix
                              else http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=limit))
                self.connections[key] = connection
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                if answer.headers["Content-Type"] == "text/event-stream":
                    reply = lightpathd.Reply(answer.status, answer.headers, b"")
                    connection.close()
                    del self.connections[key]
                    return reply
                return lightpathd.Reply(answer.status, answer.headers, answer.read())
            except (http.client.RemoteDisconnected, ConnectionError, http.client.CannotSendRequest):
                connection.close()
                del self.connections[key]
                if self.daemon.child.poll() is not None:
                    raise Failure(f"the daemon died: {self.daemon.lines[-5:]}") from None
        raise Failure("no answer")

    # ---- judging ----

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator({**schema, "components": self.doc["components"]})
        return self.validators[key]

    def check(self, method, template, reply, what):
        op = self.doc["paths"][template][method.lower()]
        self.statuses[reply.status] = self.statuses.get(reply.status, 0) + 1
        if reply.status in NEVER:
            raise Failure(f"{method} {what}: {reply}")
        listed = op["responses"].get(str(reply.status))
        if listed is None:
            raise Failure(f"{method} {what}: status {reply.status} is not listed: {reply}")
        if "content" not in listed:
            if reply.body:
                raise Failure(f"{method} {what}: a body where none is: {reply}")
            return
        kind, content = next(iter(listed["content"].items()))
        if reply.headers["Content-Type"] != kind:
            raise Failure(f"{method} {what}: {reply.headers['Content-Type']} instead of {kind}")
        if kind == "application/json":
            value = json.loads(reply.body)
            fault = next(self.validator(content["schema"]).iter_errors(value), None)
            if fault is not None:
                raise Failure(f"{method} {what}: {reply.status} {list(fault.absolute_path)}: {fault.message[:600]}")
            self.learn(value)

    def learn(self, value, name=""):
        if isinstance(value, dict):
            for key, part in value.items():
                self.learn(part, key)
        elif isinstance(value, list):
            for part in value[:20]:
                self.learn(part, name)
        elif isinstance(value, str) and (name.endswith("_id") or name in ("id", "cursor", "chain")) and 0 < len(value) < 100:
            known = self.pool.setdefault({"id": "token_id"}.get(name, name), [])
            if value not in known:
                known.append(value)
                del known[:-50]

    def step(self):
        r = self.random
        method, template, op = r.choice(self.operations)
        if r.random() < 0.25:
            method, template, op = next(o for o in self.operations if o[2]["operationId"] == "create_workflow")
        if op["operationId"] == "backup_database":
            self.backups += 1
            if self.backups > 5:
                return
        path, headers, body = self.build(method, template, op)
        reply = self.send(method, path, headers, body, unix=r.random() < 0.4)
        self.check(method, template, reply, f"{path} {body!r:.300}")
        if reply.headers["ETag"]:
            self.pool.setdefault("__etag__", []).append(reply.headers["ETag"])
            del self.pool["__etag__"][:-20]
        if op["operationId"] == "set_global_status" or r.random() < 0.01:
            self.send("PUT", "/api/settings/status", {"Host": "localhost", "Content-Type": "application/json"}, b'{"global_lock":false}')


def main():
    arguments = sys.argv[1:]

    def option(name, fallback):
        return arguments[arguments.index(name) + 1] if name in arguments else fallback
    lightpathd.store = option("--store", "sqlite")
    if lightpathd.store == "pg" and not os.environ.get("LIGHTPATH_TEST_PG"):
        sys.exit(lightpathd.SKIPPED)
    wanted = 50000 if os.environ.get("LP_TEST_LONG") == "1" else 500 if lightpathd.REDUCED else 10000
    count = int(option("--requests", wanted))
    seed = int(option("--seed", random.SystemRandom().randrange(10 ** 9)))
    print(f"seed {seed}, {count} requests", flush=True)
    with lightpathd.Daemon() as daemon:
        fuzzer = Fuzzer(daemon, seed)
        done = 0
        try:
            while sum(fuzzer.statuses.values()) < count:
                fuzzer.step()
                done += 1
            code = daemon.stop()
            if code != 0:
                raise Failure(f"the daemon ended with {code}: {daemon.lines[-3:]}")
        except Failure as fault:
            print(f"seed {seed}, request {done}: {fault}")
            print(f"{sum(fuzzer.statuses.values())} passed, 1 failed")
            sys.exit(1)
        loud = [line for line in daemon.lines if line.startswith("{") and json.loads(line)["level"] in ("warn", "error")]
    print("statuses: " + ", ".join(f"{k}: {v}" for k, v in sorted(fuzzer.statuses.items())))
    for line in loud[:20]:
        print("log:", line)
    print(f"{sum(fuzzer.statuses.values())} passed, 0 failed")


if __name__ == "__main__":
    main()
