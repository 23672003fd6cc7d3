#!/usr/bin/env python3
"""The HTTP API as its clients see it: who may do what, browsers kept out, lists, catalogue, settings, tokens, backup."""
import json
import os
import sqlite3
import subprocess
import sys
import unittest
import urllib.parse
import uuid

for folder in ("../support", "../../bench"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), folder))
import lightpathd  # noqa: E402
import lists  # noqa: E402

TASK = "/api/processes/task_clean_up_tasks"


def partner(daemon, code="ACME"):
    """A new partner's subscription id."""
    products = {p["name"]: p["product_id"] for p in daemon.get("/api/products/").json()}
    answers = [{"product": products["Partner"]}]
    reply = daemon.post("/api/processes/create_partner", answers)
    assert reply.status == 510, reply
    page = {}
    for name, field in reply.json()["form"]["properties"].items():
        if name in reply.json()["form"].get("required", []):
            page[name] = code if "code" in name or "short" in name else f"{code} network"
    process = daemon.start_process("create_partner", answers + [page])
    done = daemon.wait_process(process)
    return done["subscriptions"][0]["subscription_id"]


class Basics(lightpathd.Case):
    def test_every_reply_has_an_id_and_a_time(self):
        for path, status in (("/", 200), ("/api/health", 200), ("/api/nope", 404), ("/api/processes/x", 422), ("/api/docs", 200)):
            reply = self.daemon.get(path)
            self.assertEqual(reply.status, status, reply)
            self.assertEqual(str(uuid.UUID(reply.headers["X-Request-ID"])), reply.headers["X-Request-ID"])
            self.assertGreaterEqual(float(reply.headers["X-Process-Time"]), 0)

    def test_a_sane_request_id_is_kept(self):
        self.assertEqual(self.daemon.get("/", headers={"X-Request-ID": "abc-1.2:3_x"}).headers["X-Request-ID"], "abc-1.2:3_x")
        for bad in ("a b", "x" * 65, "a\"b", "ä"):
            self.assertNotEqual(self.daemon.get("/", headers={"X-Request-ID": bad}).headers["X-Request-ID"], bad)

    def test_correlation_reaches_the_process(self):
        reply = self.daemon.post(TASK, [{}], headers={"X-Request-ID": "corr-77"})
        self.assertEqual(reply.status, 201, reply)
        self.assertEqual(reply.headers["Location"], "/api/processes/" + reply.json()["id"])
        self.assertEqual(self.daemon.process(reply.json()["id"])["correlation_id"], "corr-77")

    def test_collections_with_and_without_slash(self):
        for path in ("processes", "subscriptions", "products", "workflows", "health"):
            self.assertEqual(self.daemon.get(f"/api/{path}").status, 200)
            self.assertEqual(self.daemon.get(f"/api/{path}/").status, 200)
        self.assertEqual(self.daemon.get("/api/settings/status/").status, 200)

    def test_methods(self):
        reply = self.daemon.request("DELETE", "/api/health/")
        self.problem(reply, 405, "method")
        self.assertEqual(reply.headers["Allow"], "GET, HEAD, OPTIONS")
        self.problem(self.daemon.request("BREW", "/api/health/"), 405)
        self.problem(self.daemon.request("DELETE", "/api/nope"), 404)
        reply = self.daemon.request("HEAD", "/api/health/")
        self.assertEqual((reply.status, reply.body), (200, b""))
        reply = self.daemon.request("OPTIONS", "/api/processes/resume-all")
        self.assertEqual(reply.status, 200)
        self.assertIn("PUT", reply.headers["Allow"])

    def test_user_names_are_free_text(self):
        for name in ("j.doe%40example.org", "Jane%20Doe", "J%C3%B6rg"):
            self.assertEqual(self.daemon.post(f"/api/user/log/{name}", {"message": "hello"}).json(), {})
        self.problem(self.daemon.post("/api/user/log/" + "x" * 201, {}), 422, "/path/user_name")

    def test_literals_win_over_parameters(self):
        self.assertIn("process_counts", self.daemon.get("/api/processes/status-counts").json())
        self.assertEqual(self.daemon.put("/api/processes/resume-all").json(), {"count": 0})

    def test_content_type(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=latin1", ""):
            self.problem(self.daemon.post(TASK, b"[{}]", headers={"Content-Type": kind}), 415, "header/Content-Type")
        self.problem(self.daemon.request("POST", TASK, headers={"Content-Type": None}), 415)
        self.assertEqual(self.daemon.post(TASK, b"[{}]", headers={"Content-Type": "Application/JSON; charset=utf-8"}).status, 201)

    def test_query_is_checked(self):
        body = self.problem(self.daemon.get("/api/processes/?limit=0&colour=red"), 422)
        self.assertEqual({p["type"] for p in body["detail"]}, {"greater_than_equal", "extra_forbidden"})
        self.assertEqual(body["detail"][0]["loc"], ["query", "limit"])
        self.assertEqual(body["pointer"], "/query/limit")
        self.problem(self.daemon.get("/api/subscriptions/search"), 422, "/query/query")
        self.problem(self.daemon.get("/api/workflows/?target=NOPE"), 422, "/query/target")
        self.problem(self.daemon.get("/api/workflows/?is_task=maybe"), 422, "/query/is_task")

    def test_list_texts_of_the_contract(self):
        self.problem(self.daemon.get("/api/processes/?filter=lastStatus"), 400, detail="Invalid number of filter arguments")
        self.problem(self.daemon.get("/api/processes/?filter=nope,x"), 400, detail="400: Invalid filter arguments")
        self.problem(self.daemon.get("/api/processes/?sort=nope,asc"), 400, detail="Invalid sort arguments")
        self.problem(self.daemon.get("/api/processes/?range=5,5"), 400, detail="range start must be lower than end")
        self.problem(self.daemon.get("/api/processes/?cursor=%25%25%25"), 400)
        self.problem(self.daemon.get("/api/subscriptions/?filter=nope,x"), 400, detail="400: Invalid filter arguments")

    def test_unknown_things(self):
        some = "00000000-0000-4000-8000-000000000000"
        for path in (f"processes/{some}", f"processes/{some}/attempts", f"subscriptions/{some}", f"subscriptions/{some}/history",
                     f"subscriptions/{some}/diff?from=0", f"subscriptions/domain-model/{some}", f"subscriptions/workflows/{some}",
                     f"products/{some}", f"product_blocks/{some}", f"resource_types/{some}", f"workflows/{some}"):
            self.problem(self.daemon.get("/api/" + path), 404)
        for method, path, body in (("PUT", f"processes/{some}/resume", {}), ("PUT", f"processes/{some}/abort", None),
                                   ("DELETE", f"processes/{some}", None), ("PATCH", f"processes/{some}", {"note": "x"}),
                                   ("PUT", f"processes/{some}/skip?reason=x", None), ("POST", f"processes/{some}/callback/abc", {}),
                                   ("POST", f"processes/{some}/callback/abc/progress", "x"), ("PUT", f"subscriptions/{some}/set_in_sync", None),
                                   ("PATCH", f"products/{some}", {}), ("POST", "processes/no_such_workflow", []), ("POST", "forms/nope", [])):
            self.problem(self.daemon.request(method, "/api/" + path, body), 404)
        self.problem(self.daemon.get("/api/processes/0000"), 422, "/path/process_id")

    def test_search_grammar(self):
        for query in ("foo", "foo bar*", '"a b" -x', "tag:(POP|PARTNER) -status:terminated", "(a|b) c", "insync:false", "customerId:abc",
                      "code:MI01", "note:50%25_x", "%C3%A9t%C3%A9"):
            reply = self.daemon.get("/api/subscriptions/search?query=" + query.replace(" ", "%20").replace("|", "%7C"))
            self.assertEqual(reply.status, 200, (query, reply))
        for query in ("(", ")", "a%7C", "-", "tag:", 'x:"', "a!b", "((((((((((a))))))))))", "x" * 513, "*", ":a"):
            self.problem(self.daemon.get("/api/subscriptions/search?query=" + query), 400)

    def test_openapi(self):
        doc = self.daemon.get("/api/openapi.json").json()
        self.assertEqual(doc["openapi"], "3.1.0")
        ids = [op["operationId"] for item in doc["paths"].values() for op in item.values()]
        self.assertEqual(len(ids), len(set(ids)))
        for name in ("create_workflow", "resume_workflow_process", "abort_workflow_process", "get_process_status_counts", "list_products",
                     "get_product", "get_subscription_domain_model"):
            self.assertIn(name, ids)
        refs = set()

        def walk(value):
            if isinstance(value, dict):
                if "$ref" in value:
                    refs.add(value["$ref"])
                for part in value.values():
                    walk(part)
            elif isinstance(value, list):
                for part in value:
                    walk(part)
        walk(doc)
        for ref in refs:
            self.assertIn(ref.rsplit("/", 1)[1], doc["components"]["schemas"])

    def test_translations(self):
        doc = self.daemon.get("/api/translations/en-GB").json()
        self.assertIn("create_pop", doc["workflow"])
        self.assertTrue(doc["forms"]["fields"])
        self.assertEqual(self.daemon.get("/api/translations/de-DE").json(), {})
        self.problem(self.daemon.get("/api/translations/x"), 422)

    def test_metrics(self):
        text = self.daemon.get("/api/metrics").body.decode()
        for name in ("wfo_subscriptions_count", "wfo_process_count", "wfo_process_seconds_total_count", "wfo_engine_status",
                     "wfo_active_process_count", "lightpath_http_request_seconds_bucket", "lightpath_queue_oldest_seconds",
                     "lightpath_step_retries_total"):
            self.assertIn(f"# TYPE {name.removesuffix('_bucket')} ", text)
        for line in text.splitlines():
            self.assertRegex(line, r'^(# .*|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.]+(e[+-]?[0-9]+)?)$')

    def test_settings(self):
        overview = self.daemon.get("/api/settings/overview").json()
        values = {v["env_name"]: v["env_value"] for section in overview for v in section["variables"]}
        self.assertEqual(values["LIGHTPATH_API_AUTH"], False)
        if lightpathd.store == "pg":
            self.assertEqual(values["LIGHTPATH_STORE_URL"], "**********")
        self.assertEqual(set(self.daemon.get("/api/settings/worker-status").json()),
                         {"executor_type", "number_of_workers_online", "number_of_queued_jobs", "number_of_running_jobs"})
        self.daemon.get("/api/metrics")
        self.assertEqual(self.daemon.request("DELETE", "/api/settings/cache/all").json(), 1)
        self.problem(self.daemon.request("DELETE", "/api/settings/cache/nope"), 400, detail="Invalid cache name")

    def test_pause(self):
        reply = self.daemon.put("/api/settings/status", {"global_lock": True})
        self.assertEqual(reply.json()["global_lock"], True, reply)
        try:
            reply = self.daemon.post(TASK, [{}])
            self.problem(reply, 503, detail="Engine is locked cannot accept changes on processes at this time")
            self.assertEqual(reply.headers["Retry-After"], "1")
        finally:
            self.assertEqual(self.daemon.put("/api/settings/status", {"global_lock": False}).json()["global_status"], "RUNNING")
        self.problem(self.daemon.put("/api/settings/status", {"global_lock": "yes"}), 422, "/body/global_lock")
        self.problem(self.daemon.put("/api/settings/status", {"global_lock": True, "x": 1}), 422, "/body/x")
        self.problem(self.daemon.put("/api/settings/status", {}), 422, "/body/global_lock")


class Catalogue(lightpathd.Case):
    def test_products(self):
        products = self.daemon.get("/api/products/").json()
        self.assertLessEqual({"Partner", "PoP", "Optical Device", "Optical Fiber"}, {p["name"] for p in products})
        pop = next(p for p in products if p["name"] == "PoP")
        self.assertEqual(self.daemon.get(f"/api/products/?tag={pop['tag']}").json(), [pop])
        self.assertEqual(self.daemon.get("/api/products/?product_type=nope").json(), [])
        self.assertEqual(self.daemon.get(f"/api/products/{pop['product_id']}").json(), pop)
        self.assertIn("create_pop", {w["name"] for w in pop["workflows"]})
        block = pop["product_blocks"][0]
        self.assertEqual(self.daemon.get(f"/api/product_blocks/{block['product_block_id']}").json(), block)
        kind = block["resource_types"][0]
        self.assertEqual(self.daemon.get(f"/api/resource_types/{kind['resource_type_id']}").json(), kind)
        flow = pop["workflows"][0]
        got = self.daemon.get(f"/api/workflows/{flow['workflow_id']}").json()
        self.assertEqual({**got, "steps": None}, flow)
        self.assertEqual(got["steps"][0]["key"], "start")

    def test_patches(self):
        pop = next(p for p in self.daemon.get("/api/products/").json() if p["name"] == "PoP")
        path = f"/api/products/{pop['product_id']}"
        reply = self.daemon.request("PATCH", path, {})
        self.assertEqual((reply.status, reply.json()), (201, pop))
        for sent in ("phase_out", "phase out"):
            reply = self.daemon.request("PATCH", path, {"status": sent})
            self.assertEqual((reply.status, reply.json()["status"]), (201, "phase out"))
        reply = self.daemon.request("PATCH", path, {"description": "changed", "status": "active"})
        self.assertEqual(reply.json()["description"], "changed")
        self.assertEqual(self.daemon.get(path).json()["description"], "changed")
        self.assertIsNone(self.daemon.request("PATCH", path, {"description": None}).json()["description"])
        self.problem(self.daemon.request("PATCH", path, {"status": "gone"}), 422, "/body/status")
        self.problem(self.daemon.request("PATCH", path, {"name": "x"}), 422, "/body/name")
        self.problem(self.daemon.request("PATCH", path, {"description": "x" * 2001}), 422, "/body/description")
        for kind, key in (("product_blocks", "product_block_id"), ("resource_types", "resource_type_id"), ("workflows", "workflow_id")):
            items = {"product_blocks": pop["product_blocks"], "resource_types": pop["product_blocks"][0]["resource_types"],
                     "workflows": pop["workflows"]}[kind]
            reply = self.daemon.request("PATCH", f"/api/{kind}/{items[0][key]}", {"description": "mine"})
            self.assertEqual((reply.status, reply.json()["description"]), (201, "mine"))

    def test_product_in_use_does_not_end(self):
        partner(self.daemon, "ENDS")
        one = next(p for p in self.daemon.get("/api/products/").json() if p["name"] == "Partner")
        reply = self.daemon.request("PATCH", f"/api/products/{one['product_id']}", {"status": "end of life"})
        self.problem(reply, 400, detail="Cannot set product to 'end of life': ")


class Subscriptions(lightpathd.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ids = [partner(cls.daemon, code) for code in ("AAAA", "BBBB", "CCCC")]

    def test_header_and_list(self):
        rows = self.daemon.get("/api/subscriptions/").json()
        self.assertEqual([r["subscription_id"] for r in rows], self.ids[::-1])
        one = self.daemon.get(f"/api/subscriptions/{self.ids[0]}").json()
        self.assertEqual(one, rows[-1])
        self.assertEqual((one["status"], one["insync"], one["product"]["name"]), ("active", True, "Partner"))

    def test_pages(self):
        seen, path = [], "/api/subscriptions/?limit=2"
        while path:
            reply = self.daemon.get(path)
            seen += [r["subscription_id"] for r in reply.json()]
            link = reply.headers["Link"]
            path = link[1:link.index(">")] if link else None
        self.assertEqual(seen, self.ids[::-1])
        reply = self.daemon.get("/api/subscriptions/?range=1,2")
        self.assertEqual(reply.headers["Content-Range"], "subscriptions 1-2/3")
        self.assertEqual([r["subscription_id"] for r in reply.json()], [self.ids[1]])

    def test_filter_and_sort(self):
        reply = self.daemon.get("/api/subscriptions/?filter=status,active,insync,true&sort=description,asc")
        self.assertEqual([r["subscription_id"] for r in reply.json()], self.ids)
        self.assertEqual(self.daemon.get("/api/subscriptions/?filter=status,!active").json(), [])

    def test_search(self):
        def found(query):
            reply = self.daemon.get("/api/subscriptions/search?query=" + query)
            self.assertEqual(reply.status, 200, reply)
            return [r["subscription_id"] for r in reply.json()]
        self.assertEqual(found("aaaa"), [self.ids[0]])
        self.assertEqual(found("AAAA%7CBBBB"), [self.ids[1], self.ids[0]])
        self.assertEqual(found("status:active%20-bbbb%20-cccc"), [self.ids[0]])
        self.assertEqual(found("product:Partner"), self.ids[::-1])
        self.assertEqual(found("status:terminated"), [])
        self.assertEqual(found(f"subscription_id:{self.ids[2]}"), [self.ids[2]])
        reply = self.daemon.get("/api/subscriptions/search?query=product:partner&range=0,2")
        self.assertEqual(reply.headers["Content-Range"], "subscriptions 0-2/3")

    def test_search_follows_changes(self):
        def found(query):
            return [r["subscription_id"] for r in self.daemon.get("/api/subscriptions/search?query=" + query).json()]

        def change(workflow, page):
            pages = [{"subscription_id": self.ids[1]}, page]
            self.daemon.wait_process(self.daemon.start_process(workflow, pages))
        change("modify_note", {"note": "striped zebra"})
        self.assertEqual(found("zebra"), [self.ids[1]])
        self.assertEqual(found("note:zebra"), [self.ids[1]])
        change("modify_note", {"note": "lion"})
        self.assertEqual((found("zebra"), found("lion")), ([], [self.ids[1]]))
        change("modify_partner", {"legal_name": "Consortium of Giraffes"})
        self.assertEqual((found("giraffes"), found("legalName:consortium")), ([self.ids[1]], [self.ids[1]]))
        change("modify_partner", {"legal_name": "Society of Okapis"})
        self.assertEqual((found("giraffes"), found("okapis")), ([], [self.ids[1]]))

    def test_domain_model_history_and_diff(self):
        model = self.daemon.get(f"/api/subscriptions/domain-model/{self.ids[0]}").json()
        self.assertEqual(model["subscription_id"], self.ids[0])
        self.assertIn("partner", model)
        self.assertEqual(model["partner"]["owner_subscription_id"], self.ids[0])
        history = self.daemon.get(f"/api/subscriptions/{self.ids[0]}/history").json()
        self.assertEqual(history[0]["version"], model["version"])
        first = self.daemon.get(f"/api/subscriptions/{self.ids[0]}/history?version=1").json()
        self.assertEqual(first["version"], 1)
        diff = self.daemon.get(f"/api/subscriptions/{self.ids[0]}/diff?from=0&to=1").json()
        self.assertTrue(diff["changes"])
        self.problem(self.daemon.get(f"/api/subscriptions/{self.ids[0]}/history?version=99"), 404)

    def test_workflows(self):
        lists = self.daemon.get(f"/api/subscriptions/workflows/{self.ids[0]}").json()
        self.assertIn("modify_partner", {w["name"] for w in lists["modify"]})
        self.assertIn("modify_note", {w["name"] for w in lists["modify"]})

    def test_set_in_sync(self):
        reply = self.daemon.put(f"/api/subscriptions/{self.ids[0]}/set_in_sync")
        self.assertEqual((reply.status, reply.json()), (200, None))


class ManySubscriptions(lightpathd.Case):
    """Words that are in thousands of documents are searched in another way than rare ones, with the same result."""
    COUNT = 2500

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        original = partner(cls.daemon, "Original")
        cls.daemon.stop()
        if lightpathd.store == "pg":
            subprocess.run(["psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", cls.daemon.settings["store.url"], "-c", f"""
                SET search_path TO lightpath; SET session_replication_role TO replica;
                INSERT INTO subscriptions SELECT '00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'), product_id, product,
                    '00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'), 'Organization number ' || i, status, insync, start_date, end_date,
                    note, version, lock_seq, created_at - 10000000 + i, modified_at, validated_at
                    FROM subscriptions, generate_series(0, {cls.COUNT - 1}) i WHERE id = '{original}';
                INSERT INTO blocks SELECT '10000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'), '00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'),
                    block, parent_id, field, position, label, '{{"partner_name":"Organization ' || i || '","roles":["member"]}}', version
                    FROM blocks, generate_series(0, {cls.COUNT - 1}) i WHERE subscription_id = '{original}'"""], check=True)
        else:
            lists.fill(os.path.join(cls.daemon.data_dir, "lightpath.db"), original, 0, cls.COUNT)
        cls.daemon.start()

    def found(self, query, page="0,25"):
        reply = self.daemon.get(f"/api/subscriptions/search?query={query}&range={page}")
        self.assertEqual(reply.status, 200, reply)
        return [int(r["subscription_id"][-12:], 16) for r in reply.json()], reply.headers["Content-Range"]

    def test_common_word(self):
        newest = list(range(self.COUNT - 1, -1, -1))
        self.assertEqual(self.found("organization"), (newest[:25], "subscriptions 0-25/*"))
        self.assertEqual(self.found("ORGANIZ*%20-original", "100,110"), (newest[100:110], "subscriptions 100-110/*"))
        self.assertEqual(self.found("organization%20status:active%20number", "2490,2510"), (newest[2490:], "subscriptions 2490-2510/2500"))
        self.assertEqual(self.found("partner_name:organization", "0,3"), (newest[:3], "subscriptions 0-3/*"))
        self.assertEqual(self.found("organization", "3000,3010"), ([], "subscriptions 3000-3010/2500"))

    def test_common_and_rare(self):
        self.assertEqual(self.found("organization%201234"), ([1234], "subscriptions 0-25/1"))
        self.assertEqual(self.found('"number%201234"'), ([1234], "subscriptions 0-25/1"))
        self.assertEqual(self.found("1234%7C77"), ([1234, 77], "subscriptions 0-25/2"))
        self.assertEqual(self.found("organization%20-organization"), ([], "subscriptions 0-25/0"))
        self.assertEqual(self.found("123*")[0], [1239, 1238, 1237, 1236, 1235, 1234, 1233, 1232, 1231, 1230, 123])


class Browsers(lightpathd.Case):
    settings = {"api.cors_origins": "https://ui.example,http://localhost:3000", "api.hosts": "lightpath.example,other.example:81"}

    def test_rebound_names(self):
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8420", "", "[::2]", "localhost:x",
                     "127.0.0.2", "other.example:82", "localhost@evil"):
            for method, path in (("GET", "/api/processes/"), ("POST", TASK), ("GET", "/api/health/")):
                reply = self.daemon.request(method, path, [{}] if method == "POST" else None, headers={"Host": host})
                self.assertIn(reply.status, (400, 403), (host, reply))
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1:8420", "[::1]", "[::1]:9", "lightpath.example:443", "other.example:81"):
            self.assertEqual(self.daemon.get("/api/processes/", headers={"Host": host}).status, 200, host)

    def test_foreign_origins_change_nothing(self):
        before = len(self.daemon.get("/api/processes/").json())
        for origin in ("https://evil.example", "null", "http://localhost:3001", "https://ui.example.evil", "https://UI.example:444", ""):
            for method, path, body in (("POST", TASK, [{}]), ("PUT", "/api/settings/status", {"global_lock": True}),
                                       ("DELETE", "/api/settings/cache/all", None), ("PUT", "/api/processes/resume-all", None)):
                reply = self.daemon.request(method, path, body, headers={"Origin": origin})
                self.problem(reply, 403, "header/Origin")
                self.assertIsNone(reply.headers["Access-Control-Allow-Origin"])
        reply = self.daemon.post(TASK, [{}], headers={"Sec-Fetch-Site": "cross-site"})
        self.problem(reply, 403, "header/Sec-Fetch-Site")
        self.assertEqual(len(self.daemon.get("/api/processes/").json()), before)

    def test_listed_origins(self):
        reply = self.daemon.post(TASK, [{}], headers={"Origin": "https://ui.example"})
        self.assertEqual(reply.status, 201, reply)
        self.assertEqual(reply.headers["Access-Control-Allow-Origin"], "https://ui.example")
        self.assertIn("ETag", reply.headers["Access-Control-Expose-Headers"])
        own = f"http://127.0.0.1:{self.daemon.port}"
        self.assertEqual(self.daemon.post(TASK, [{}], headers={"Origin": own}).status, 201)

    def test_preflight(self):
        ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        reply = self.daemon.request("OPTIONS", TASK, headers={"Origin": "https://ui.example", **ask})
        self.assertEqual(reply.status, 200)
        self.assertIn("POST", reply.headers["Access-Control-Allow-Methods"])
        self.assertIn("Content-Type", reply.headers["Access-Control-Allow-Headers"])
        reply = self.daemon.request("OPTIONS", TASK, headers={"Origin": "https://evil.example", **ask})
        self.assertIsNone(reply.headers["Access-Control-Allow-Origin"])

    def test_errors_carry_cors_too(self):
        reply = self.daemon.get("/api/nope", headers={"Origin": "https://ui.example"})
        self.assertEqual((reply.status, reply.headers["Access-Control-Allow-Origin"]), (404, "https://ui.example"))


class Tokens(lightpathd.Case):
    settings = {"api.auth": "true"}

    def bearer(self, token):
        return {"Authorization": f"Bearer {token}"}

    def test_nobody_without_a_token(self):
        for path in ("/api/processes/", "/api/tokens/", "/api/events", "/api/settings/overview"):
            self.problem(self.daemon.get(path), 403, detail="Not authenticated")
        for value in ("Bearer", "Bearer ", "Basic YTpi", "bearer lp_" + "0" * 64, "Bearer a b"):
            self.problem(self.daemon.get("/api/processes/", headers={"Authorization": value}), 403)
        for path in ("/", "/api/health/", "/api/openapi.json", "/api/docs", "/api/translations/en-GB", "/api/metrics"):
            self.assertEqual(self.daemon.get(path).status, 200, path)

    def test_roles(self):
        read, operate, admin = (self.bearer(self.daemon.token(role, role + "-er")) for role in ("read", "operate", "admin"))
        self.assertEqual(self.daemon.get("/api/processes/", headers=read).status, 200)
        self.problem(self.daemon.post(TASK, [{}], headers=read), 403)
        self.problem(self.daemon.put("/api/settings/status", {"global_lock": False}, headers=read), 403)
        reply = self.daemon.post(TASK, [{}], headers=operate)
        self.assertEqual(reply.status, 201, reply)
        process = self.daemon.get(f"/api/processes/{reply.json()['id']}", headers=read).json()
        self.assertEqual(process["created_by"], "operate-er")
        self.problem(self.daemon.get("/api/tokens/", headers=operate), 403)
        self.assertEqual(self.daemon.get("/api/tokens/", headers=admin).status, 200)

    def test_life_of_a_token(self):
        reply = self.daemon.post("/api/tokens/", {"name": "short", "role": "read"}, unix=True)
        body = reply.json()
        head = self.bearer(body["token"])
        self.assertEqual(self.daemon.get("/api/processes/", headers=head).status, 200)
        listed = self.daemon.get("/api/tokens/", unix=True)
        self.assertNotIn(body["token"], listed.body.decode())
        self.assertIn(body["id"], {t["id"] for t in listed.json()})
        self.assertEqual(self.daemon.request("DELETE", f"/api/tokens/{body['id']}", unix=True).status, 204)
        self.problem(self.daemon.get("/api/processes/", headers=head), 403)
        some = "00000000-0000-4000-8000-000000000000"
        self.problem(self.daemon.request("DELETE", f"/api/tokens/{some}", unix=True), 404)

    def test_bad_tokens_are_not_made(self):
        for body, pointer in (({"name": "x"}, "/body/role"), ({"name": "", "role": "read"}, "/body/name"), ({"role": "read"}, "/body/name"),
                              ({"name": "x", "role": "root"}, "/body/role"), ({"name": "x" * 101, "role": "read"}, "/body/name"),
                              ({"name": "x", "role": "read", "expires_at": "tomorrow"}, "/body/expires_at"), ([], None)):
            self.problem(self.daemon.post("/api/tokens/", body, unix=True), 422, pointer)
        for past in (1, "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2020-01-01T00:00:00Z"):
            body = {"name": "x", "role": "read", "expires_at": past}
            self.problem(self.daemon.post("/api/tokens/", body, unix=True), 422)
        for name in ("SYSTEM", "local", "anonymous"):  # actors of the daemon itself: nobody else may stand in the audit as one
            self.problem(self.daemon.post("/api/tokens/", {"name": name, "role": "read"}, unix=True), 422, "/body/name")
        self.problem(self.daemon.post("/api/tokens/", {"name": "\u00e9" * 51, "role": "read"}, unix=True), 422, "/body/name")

    def test_nothing_secret_is_stored(self):
        token = self.daemon.token("read", "stored")
        if lightpathd.store == "sqlite":
            with sqlite3.connect(f"file:{self.daemon.data_dir}/lightpath.db?mode=ro", uri=True) as db:
                dump = json.dumps(db.execute("SELECT * FROM tokens").fetchall() + db.execute("SELECT * FROM audit").fetchall())
            self.assertIn("stored", dump)
            self.assertNotIn(token, dump)
            self.assertNotIn(token[3:], dump)
        self.assertNotIn(token, "\n".join(self.daemon.lines))


class Find(lightpathd.Case):
    def test_long_names_are_found_in_every_script(self):
        products = {p["name"]: p["product_id"] for p in self.daemon.get("/api/products/").json()}
        for name in ("Ü" * 100, "a" + "Ü" * 100, "€" * 80, "a" + "€" * 80, "ab" + "€" * 80):  # wherever a text is cut: within a character, once
            self.daemon.wait_process(self.daemon.start_process("create_partner", [{"product": products["Partner"]}, {"partner_name": name}]))
            found = self.daemon.get("/api/find?query=" + urllib.parse.quote(name)).json()["subscriptions"]
            self.assertEqual([s["product"] for s in found], ["Partner"], name)


class Commands(lightpathd.Case):
    def test_a_password_is_no_command_for_a_device(self):
        """What is typed stands in the process, for everybody who may read: refused before there is one."""
        for command in ("ED-PID:n1:svc:L1::hush-old,hush-new;", "ent-user-secu:n1:svc:L1::hush,,A:;", "COPY-RFILE:n1::L1:::SRC=\"ftp://u:hush@h/f\";"):
            refused = self.daemon.post("/api/processes/task_device_write_command", [{"device": "nowhere", "command": command}], unix=True)
            self.assertEqual(refused.status, 400, refused)
            found = {e["loc"][-1]: e["msg"] for e in refused.json()["validation_errors"]}
            self.assertIn("password", found["command"])
            self.assertNotIn(b"hush", refused.body)
        allowed = self.daemon.post("/api/processes/task_device_command", [{"device": "nowhere", "command": "RTRV-HDR:n1::L1;"}])
        self.assertEqual([e["loc"][-1] for e in allowed.json()["validation_errors"]], ["device"])
        self.assertEqual(self.daemon.get("/api/processes/").json(), [])


class Stops(lightpathd.Case):
    def refuse_rows(self, like):
        """The audit takes no such row any more, as when the disk fills up between two writes."""
        if lightpathd.store != "sqlite":
            self.skipTest("the file is written behind the daemon's back")
        self.daemon.stop()
        with sqlite3.connect(os.path.join(self.daemon.data_dir, "lightpath.db")) as db:
            db.execute("DROP TRIGGER IF EXISTS refuse")
            if like:
                db.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON audit WHEN NEW.body LIKE '%{like}%' BEGIN SELECT RAISE(ABORT, 'refused'); END")
        db.close()
        self.daemon.start()

    def test_a_stop_is_set_and_ended_with_its_audit_row_or_not_at_all(self):
        everything = "/api/emergency-stops?scope=everything"
        self.refuse_rows("emergency_stop")
        self.assertGreaterEqual(self.daemon.put("/api/emergency-stops", {"scope": "everything"}).status, 400)
        self.assertEqual(self.daemon.get("/api/emergency-stops").json(), [])
        self.assertEqual(self.daemon.request("DELETE", everything).status, 404)
        self.refuse_rows(None)
        self.assertEqual(self.daemon.put("/api/emergency-stops", {"scope": "everything"}).status, 200)
        self.refuse_rows("emergency_stop.end")
        self.assertGreaterEqual(self.daemon.request("DELETE", everything).status, 500)
        self.assertEqual([s["scope"] for s in self.daemon.get("/api/emergency-stops").json()], ["everything"])
        self.refuse_rows(None)
        self.assertEqual(self.daemon.request("DELETE", everything).json(), [])
        events = [row["body"].get("event") for row in self.daemon.get("/api/audit").json()]
        self.assertEqual([e for e in events if e and e.startswith("emergency")], ["emergency_stop.end", "emergency_stop.set"])


class Log(lightpathd.Case):
    settings = {"log.level": "debug"}

    def test_requests_are_logged_with_their_id_and_without_secrets(self):
        some = "00000000-0000-4000-8000-000000000000"
        for path in (f"/api/processes/{some}/callback/hush-hush", f"/api/processes/{some}/callback/hush-hush/progress"):
            self.assertEqual(self.daemon.post(path, {}, headers={"X-Request-ID": "req-1"}).status, 404)
            self.assertEqual(self.daemon.post(path, {}, headers={"X-Request-ID": "req-2", "Host": "example.org"}).status, 403)
        lightpathd.wait_for(lambda: len([e for e in self.daemon.log("api.request") if "callback" in e["path"]]) == 4)
        entries = [e for e in self.daemon.log("api.request") if "callback" in e["path"]]
        self.assertEqual({e.get("correlation_id") for e in entries}, {"req-1", "req-2"})
        self.assertNotIn("hush-hush", "\n".join(self.daemon.lines))


class Backup(lightpathd.Case):
    def test_backup(self):
        self.problem(self.daemon.post("/api/db/backup", {}), 403)
        reply = self.daemon.post("/api/db/backup", {"path": "one.db"}, unix=True)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(os.path.getsize(reply.json()["path"]), reply.json()["bytes"])
        self.problem(self.daemon.post("/api/db/backup", {"path": "one.db"}, unix=True), 409)
        self.assertEqual(self.daemon.post("/api/db/backup", {}, unix=True).status, 200)
        os.symlink("/tmp", os.path.join(self.daemon.data_dir, "out"))
        for path in ("/tmp/x.db", "../x.db", "a/../../x.db", "", "nowhere/x.db", "out/x.db", ".hidden", "x/", "lightpathd.sock", "x" * 245,
                     "lightpath.db-journal", "lightpath.db-wal", "lightpath.db-shm", "x.part"):
            reply = self.daemon.post("/api/db/backup", {"path": path}, unix=True)
            self.assertIn(reply.status, (422, 409), (path, reply))
        self.assertEqual(self.daemon.log("api.failed"), [])
        self.assertEqual(self.daemon.post("/api/db/backup", {"path": "two.db"}, unix=True).status, 200)

    def test_files_are_private(self):
        """The data directory may have been made by somebody else, for everybody to read."""
        if lightpathd.store == "sqlite":
            for name in ("lightpath.db", "lightpath.db-wal", "lightpath.db-shm"):
                mode = os.stat(os.path.join(self.daemon.data_dir, name)).st_mode & 0o777
                self.assertEqual(mode & 0o077, 0, f"{name} {mode:o}")
        audit = self.daemon.get("/api/audit?limit=50").json()
        self.assertTrue(any("backup" in json.dumps(row) for row in audit))


if __name__ == "__main__":
    lightpathd.main()
