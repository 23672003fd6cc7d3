/* The route table and the pure pieces of the HTTP API. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http.h"
#include "api/lists.h"
#include "api/route.h"
#include "base/json.h"
#include "tests/support/catalog_env.h"
#include "tests/support/test_main.h"

/* ---- the table ---- */

static void
count_param(void *arg, const struct lp_param *param)
{
    assert_true(param->text[0] != '\0'); /* the fallback row has none: every name is known */
    *(size_t *)arg += 1;
}

static void
table_every_row_is_whole(void **state)
{
    size_t count;
    const struct lp_route *rows = lp_routes(&count);

    (void)state;
    assert_true(count > 40);
    for (size_t i = 0; i < count; i++) {
        size_t params = 0;

        assert_non_null(rows[i].handler);
        assert_true(rows[i].op != NULL && rows[i].tag != NULL && rows[i].text != NULL);
        assert_int_equal(rows[i].path[0], '/');
        assert_true(rows[i].status >= 200 && rows[i].status < 300);
        assert_true((rows[i].status == 204) == (rows[i].response == NULL));
        assert_true(rows[i].method != LP_GET || rows[i].body == LP_BODY_NONE);
        assert_true((rows[i].body == LP_BODY_OBJECT) || rows[i].member_count == 0);
        lp_route_each_param(&rows[i], count_param, &params);
        assert_true(params <= LP_ROUTE_MAX_PARAMS);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(rows[i].op, rows[k].op);
            assert_false(rows[i].method == rows[k].method
                         && strcmp(rows[i].path, rows[k].path) == 0);
        }
    }
}

/* Everything that changes something demands somebody who may, callbacks excepted: their token is
 * the permission. */
static void
table_writes_need_a_role(void **state)
{
    size_t count;
    const struct lp_route *rows = lp_routes(&count);

    (void)state;
    for (size_t i = 0; i < count; i++)
        if (rows[i].method != LP_GET && strstr(rows[i].path, "/callback/") == NULL)
            assert_true(rows[i].role != LP_ROLE_NONE);
}

static int
find(const char *target_text, int method, const struct lp_route **route, unsigned *allowed)
{
    struct lp_arena *arena = lp_arena_new();
    struct lp_http_target target;
    struct lp_err err = LP_ERR_INIT;
    const char *params[LP_ROUTE_MAX_PARAMS] = {NULL};
    int found;

    assert_int_equal(lp_http_target_parse(arena, target_text, &target, &err), LP_OK);
    found = lp_api_route_find(&target, method, route, allowed, params);
    lp_arena_free(arena);
    return found;
}

static void
table_finds(void **state)
{
    const struct lp_route *route = NULL;
    unsigned allowed = 0;

    (void)state;
    assert_int_equal(find("/api/processes/status-counts", LP_GET, &route, &allowed), LP_MATCH_OK);
    assert_string_equal(route->op, "get_process_status_counts");
    assert_int_equal(find("/api/processes/resume-all", LP_PUT, &route, &allowed), LP_MATCH_OK);
    assert_string_equal(route->op, "resume_all_processes");
    assert_int_equal(find("/api/processes/x", LP_GET, &route, &allowed), LP_MATCH_OK);
    assert_string_equal(route->op, "get_process");
    assert_int_equal(find("/api/processes", LP_GET, &route, &allowed), LP_MATCH_OK);
    assert_int_equal(find("/api/processes/", LP_GET, &route, &allowed), LP_MATCH_OK);
    assert_int_equal(find("/", LP_GET, &route, &allowed), LP_MATCH_OK);
    assert_int_equal(find("/api/processes/x/y/z", LP_GET, &route, &allowed), LP_MATCH_NONE);
    assert_int_equal(find("/api", LP_GET, &route, &allowed), LP_MATCH_NONE);
    assert_int_equal(find("/api/todo", LP_PUT, &route, &allowed), LP_MATCH_METHOD);
    assert_int_equal(allowed, LP_BIT(LP_GET));
    assert_int_equal(find("/api/todo", -1, &route, &allowed), LP_MATCH_METHOD);
}

static void
openapi_names_every_row(void **state)
{
    json_t *doc = lp_openapi("1");
    size_t count;
    const struct lp_route *rows = lp_routes(&count);
    json_t *schemas;

    (void)state;
    assert_non_null(doc);
    schemas = json_object_get(json_object_get(doc, "components"), "schemas");
    assert_true(json_object_size(schemas) > 20);
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_object_get(json_object_get(doc, "paths"), rows[i].path);
        char status[8];
        char method[8] = "";
        json_t *op;

        for (size_t k = 0; lp_method_name(rows[i].method)[k] != '\0'; k++)
            method[k] = (char)(lp_method_name(rows[i].method)[k] | 0x20);
        op = json_object_get(item, method);
        assert_string_equal(lp_json_str(op, "operationId", ""), rows[i].op);
        snprintf(status, sizeof status, "%d", rows[i].status);
        assert_non_null(json_object_get(json_object_get(op, "responses"), status));
    }
    json_decref(doc);
}

/* ---- pieces ---- */

static void
targets(void **state)
{
    static const struct {
        const char *text;
        enum lp_code code;
    } cases[] = {
        {"/", LP_OK},
        {"/a/b/", LP_OK},
        {"/a%2fb", LP_OK},
        {"/a?x=1&y=%20&z", LP_OK},
        {"/a?&&", LP_OK},
        {"", LP_INVALID},
        {"a", LP_INVALID},
        {"//", LP_INVALID},
        {"/a//b", LP_INVALID},
        {"/a/../b", LP_INVALID},
        {"/%2e%2e", LP_INVALID},
        {"/%00", LP_INVALID},
        {"/%0a", LP_INVALID},
        {"/%c3%28", LP_INVALID},
        {"/%", LP_INVALID},
        {"/%1", LP_INVALID},
        {"/a?x=1&x=2", LP_INVALID},
        {"/a?x=%01", LP_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_arena *arena = lp_arena_new();
        struct lp_http_target target;
        struct lp_err err = LP_ERR_INIT;

        assert_int_equal(lp_http_target_parse(arena, cases[i].text, &target, &err), cases[i].code);
        lp_err_clear(&err);
        lp_arena_free(arena);
    }
}

static void
hosts_and_origins(void **state)
{
    (void)state;
    assert_true(lp_http_host_allowed("localhost", NULL));
    assert_true(lp_http_host_allowed("LocalHost:80", ""));
    assert_true(lp_http_host_allowed("[::1]:8420", ""));
    assert_true(lp_http_host_allowed("a.example:99", "b.example, A.example"));
    assert_true(lp_http_host_allowed("c.example:81", "c.example:81"));
    assert_false(lp_http_host_allowed("c.example:82", "c.example:81"));
    assert_false(lp_http_host_allowed(NULL, ""));
    assert_false(lp_http_host_allowed("", ""));
    assert_false(lp_http_host_allowed("localhost.evil", ""));
    assert_false(lp_http_host_allowed("localhost:8a", ""));
    assert_false(lp_http_host_allowed("[::1", ""));
    assert_true(lp_http_origin_listed("http://a", "http://b,http://a"));
    assert_false(lp_http_origin_listed("http://a", "http://ab"));
    assert_false(lp_http_origin_listed("null", "null"));
    assert_true(lp_http_origin_is_host("http://localhost:1", "localhost:1"));
    assert_false(lp_http_origin_is_host("http://localhost:1", "localhost:2"));
    assert_false(lp_http_origin_is_host("ftp://localhost", "localhost"));
}

static void
entity_tags(void **state)
{
    (void)state;
    assert_true(lp_http_none_match_hit("\"a\"", "\"a\""));
    assert_true(lp_http_none_match_hit("W/\"a\"", "\"a\""));
    assert_true(lp_http_none_match_hit("\"b\" , \"a\"", "\"a\""));
    assert_true(lp_http_none_match_hit(" * ", "\"a\""));
    assert_false(lp_http_none_match_hit("a", "\"a\""));
    assert_false(lp_http_none_match_hit("\"a", "\"a\""));
    assert_false(lp_http_none_match_hit("", "\"a\""));
    assert_false(lp_http_none_match_hit("*x", "\"a\""));
}

static void
framing(void **state)
{
    static const struct {
        const char *fields[4][2];
        enum lp_code code;
    } cases[] = {
        {{{"Content-Length", "5"}, {"Host", "x"}}, LP_OK},
        {{{"Transfer-Encoding", "Chunked"}}, LP_OK},
        {{{"content-length", "5"}, {"transfer-encoding", "chunked"}}, LP_INVALID},
        {{{"Content-Length", "5"}, {"Content-Length", "5"}}, LP_INVALID},
        {{{"Content-Length", "+5"}}, LP_INVALID},
        {{{"Transfer-Encoding", "gzip"}}, LP_INVALID},
        {{{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, LP_INVALID},
        {{{"Host", "x"}, {"Host", "x"}}, LP_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_http_framing seen = {.lengths = 0};
        struct lp_err err = LP_ERR_INIT;

        for (size_t k = 0; k < 4 && cases[i].fields[k][0] != NULL; k++)
            lp_http_framing_field(&seen, cases[i].fields[k][0], cases[i].fields[k][1]);
        assert_int_equal(lp_http_framing_check(&seen, &err), cases[i].code);
        lp_err_clear(&err);
    }
}

/* Whatever is asked, the SQL is made of our own pieces. */
static void
search_is_bound(void **state)
{
    static const char *const queries[] = {"a'; DROP TABLE x --", "k:\"a' OR 1=1\"", "(a|-b) c*",
                                          "tag:POP", "insync:true"};
    struct lp_catalog *catalog = lp_test_catalog(false);

    (void)state;
    for (size_t i = 0; i < LP_COUNT(queries); i++) {
        struct lp_arena *arena = lp_arena_new();
        struct lp_search *search = lp_arena_alloc(arena, sizeof *search);
        struct lp_err err = LP_ERR_INIT;

        search->arena = arena;
        search->catalog = catalog;
        assert_int_equal(lp_search_parse(queries[i], search, &err), LP_OK);
        assert_null(strstr(search->sql.data, "DROP"));
        assert_null(strstr(search->sql.data, "1=1"));
        lp_buf_free(&search->sql);
        lp_err_clear(&err);
        lp_arena_free(arena);
    }
    lp_catalog_free(catalog);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_every_row_is_whole),
        cmocka_unit_test(table_writes_need_a_role),
        cmocka_unit_test(table_finds),
        cmocka_unit_test(openapi_names_every_row),
        cmocka_unit_test(targets),
        cmocka_unit_test(hosts_and_origins),
        cmocka_unit_test(entity_tags),
        cmocka_unit_test(framing),
        cmocka_unit_test(search_is_bound),
    };

    return LP_RUN_TESTS(tests);
}
