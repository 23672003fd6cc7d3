/* RESTCONF on the wire: paths, queries, outcomes, Retry-After, what may be shown. */
#include <string.h>

#include "base/json.h"
#include "tests/support/test_main.h"
#include "wire/restconf.h"

/* ---- paths ---- */

static void
keys_are_encoded_one_by_one(void **state)
{
    struct lp_buf path = LP_BUF_INIT;

    (void)state;
    lp_restconf_path(&path, "/data/ne:ne/shelf=%d/services/CRS=%s,%s", 1, "/ne:ne/a[b='1']", "x,y");
    assert_string_equal(path.data, "/data/ne:ne/shelf=1/services/"
                                   "CRS=%2Fne%3Ane%2Fa%5Bb%3D%271%27%5D,x%2Cy");
    lp_buf_reset(&path);
    lp_restconf_path(&path, "/data/m:l=%s", "");
    assert_string_equal(path.data, "/data/m:l=");
    lp_buf_reset(&path);
    lp_restconf_encode(&path, "AZaz09-._~ %\xc3\xa9");
    assert_string_equal(path.data, "AZaz09-._~%20%25%C3%A9");
    lp_buf_free(&path);
}

static void
a_path_is_taken_apart(void **state)
{
    struct lp_arena *arena = lp_arena_new();
    struct lp_restconf_target t;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(
        lp_restconf_path_parse(arena, "/data/ne:ne/services/CRS=%2Fa,x%2Cy/?depth=2&a=b", &t, &err),
        LP_OK);
    assert_int_equal(t.count, 4);
    assert_string_equal(t.segments[0].name, "data");
    assert_string_equal(t.segments[1].module, "ne");
    assert_string_equal(t.segments[1].name, "ne");
    assert_false(t.segments[2].has_keys);
    assert_int_equal(t.segments[3].key_count, 2);
    assert_string_equal(t.segments[3].keys[0], "/a");
    assert_string_equal(t.segments[3].keys[1], "x,y");
    assert_string_equal(t.query, "depth=2&a=b");
    assert_int_equal(lp_restconf_path_parse(arena, "/data/l=", &t, &err), LP_OK);
    assert_true(t.segments[1].has_keys);
    assert_string_equal(t.segments[1].keys[0], "");
    assert_int_equal(lp_restconf_path_parse(arena, "/", &t, &err), LP_OK);
    assert_int_equal(t.count, 0);
    lp_arena_free(arena);
}

static void
bad_paths_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "data",
                                      "//a",
                                      "/a//b",
                                      "/a%",
                                      "/a%2",
                                      "/a%zz",
                                      "/a=%00",
                                      "/:a",
                                      "/a:",
                                      "/a:b:c",
                                      "/=1",
                                      "/a=\xff\xfe",
                                      "/a=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"};
    struct lp_arena *arena = lp_arena_new();
    struct lp_restconf_target t;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        assert_int_equal(lp_restconf_path_parse(arena, bad[i], &t, &err), LP_INVALID);
        assert_true(err.pointer[0] != '\0');
        lp_err_clear(&err);
    }
    lp_arena_free(arena);
}

static void
queries_go_round(void **state)
{
    const struct lp_restconf_query query = {
        .content = LP_RESTCONF_CONTENT_CONFIG,
        .depth = LP_RESTCONF_UNBOUNDED,
        .fields = "device(name;uuid)",
        .with_defaults = LP_RESTCONF_DEFAULTS_REPORT_ALL,
    };
    static const char *const bad[] = {"depth=0",        "depth=65536",
                                      "depth=x",        "colour=red",
                                      "content=some",   "depth=1&depth=2",
                                      "fields=",        "depth",
                                      "with-defaults=", "content=config&content=all"};
    struct lp_arena *arena = lp_arena_new();
    struct lp_buf path = LP_BUF_INIT;
    struct lp_restconf_query back;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    lp_restconf_query_add(&path, &query);
    assert_string_equal(
        path.data,
        "?content=config&depth=unbounded&with-defaults=report-all&fields=device(name;uuid)");
    assert_int_equal(lp_restconf_query_parse(arena, path.data + 1, &back, &err), LP_OK);
    assert_int_equal(back.content, query.content);
    assert_int_equal(back.depth, query.depth);
    assert_int_equal(back.with_defaults, query.with_defaults);
    assert_string_equal(back.fields, query.fields);
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        assert_int_equal(lp_restconf_query_parse(arena, bad[i], &back, &err), LP_INVALID);
        lp_err_clear(&err);
    }
    lp_buf_free(&path);
    lp_arena_free(arena);
}

/* ---- answers ---- */

#define ERRORS(tag, text)                                                                          \
    "{\"ietf-restconf:errors\":{\"error\":[{\"error-type\":\"application\",\"error-tag\":\"" tag   \
    "\",\"error-message\":\"" text "\",\"error-path\":\"/ne:ne/x\"}]}}"

static const struct answer {
    int status;
    const char *body;
    bool writes, conditional;
    enum lp_code code;
    const char *tag;
} answers[] = {
    {200, "", true, false, LP_OK, NULL},
    {204, "", true, false, LP_OK, NULL},
    {400, ERRORS("invalid-value", "no"), true, false, LP_REFUSED, "invalid-value"},
    {404, ERRORS("invalid-value", "no"), false, false, LP_NOT_FOUND, "invalid-value"},
    {404, "", false, false, LP_NOT_FOUND, "http-404"},
    {409, ERRORS("data-missing", "no"), true, false, LP_NOT_FOUND, "data-missing"},
    {409, ERRORS("data-exists", "yes"), true, false, LP_CONFLICT, "data-exists"},
    {409, ERRORS("in-use", "later"), true, false, LP_RETRYABLE, "in-use"},
    {409, ERRORS("lock-denied", "later"), true, false, LP_RETRYABLE, "lock-denied"},
    {409, ERRORS("operation-failed", "port is up"), true, false, LP_REFUSED, "operation-failed"},
    {409, "", true, false, LP_CONFLICT, "http-409"},
    {412, "", true, true, LP_CONFLICT, "http-412"},
    {412, "", true, false, LP_CONFLICT, "http-412"},
    {412, ERRORS("operation-failed", "no"), true, false, LP_REFUSED, "operation-failed"},
    {401, "", true, false, LP_AUTH, "http-401"},
    {403, ERRORS("access-denied", "no"), true, false, LP_AUTH, "access-denied"},
    {405, "", true, false, LP_UNSUPPORTED, "http-405"},
    {501, ERRORS("operation-not-supported", "no"), true, false, LP_UNSUPPORTED,
     "operation-not-supported"},
    {429, "", true, false, LP_RETRYABLE, "http-429"},
    {503, "<html><title>Busy</title></html>", true, false, LP_RETRYABLE, "http-503"},
    {500, "", true, false, LP_UNKNOWN, "http-500"},
    {500, ERRORS("operation-failed", "no"), true, false, LP_UNKNOWN, "operation-failed"},
    {500, "", false, false, LP_RETRYABLE, "http-500"},
    {500, ERRORS("partial-operation", "half"), true, false, LP_UNKNOWN, "partial-operation"},
    {502, "<html>", true, false, LP_UNKNOWN, "http-502"},
    {504, "", true, false, LP_UNKNOWN, "http-504"},
    {302, "", false, false, LP_PROTOCOL, "http-302"},
    {418, "short and stout", true, false, LP_REFUSED, "http-418"},
};

static void
answers_become_outcomes(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(answers); i++) {
        const struct answer *a = &answers[i];
        const struct lp_restconf_answer answer = {
            .status = a->status, .body = a->body, .len = strlen(a->body)};
        struct lp_err err = LP_ERR_INIT;

        assert_int_equal(lp_restconf_outcome(&answer, a->writes, a->conditional, 0, &err), a->code);
        if (a->tag != NULL) {
            assert_string_equal(lp_json_str(err.detail, "code", ""), a->tag);
            assert_int_equal(lp_json_int(err.detail, "http", 0), a->status);
        }
        lp_err_clear(&err);
    }
}

static void
error_bodies_of_all_kinds(void **state)
{
    static const struct {
        const char *body, *tag, *message;
    } bodies[] = {
        {ERRORS("too-big", "split it"), "too-big", "split it"},
        {"{\"errors\":{\"error\":{\"error-tag\":\"in-use\",\"error-message\":\"m\"}}}", "in-use",
         "m"},
        {"<errors xmlns=\"urn:x\"><error><error-type>protocol</error-type>"
         "<error-tag>bad-element</error-tag>\n<error-message xml:lang=\"en\">a &lt;b&gt;\n c"
         "</error-message></error></errors>",
         "bad-element", "a <b> c"},
        {"<rc:errors><rc:error><rc:error-tag>data-missing</rc:error-tag></rc:error></rc:errors>",
         "data-missing", ""},
        {"<html><head><title>502 Bad Gateway</title></head><body><h1>x</h1></body></html>", "",
         "502 Bad Gateway"},
        {"<html><body><h1>Not  now</h1>\n<p>later</p></body></html>", "", "Not now later"},
        {"plain words", "", "plain words"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(bodies); i++) {
        struct lp_restconf_error error;

        assert_true(lp_restconf_error_parse(bodies[i].body, strlen(bodies[i].body), &error));
        assert_string_equal(error.tag, bodies[i].tag);
        assert_string_equal(error.message, bodies[i].message);
    }
    assert_false(lp_restconf_error_parse("", 0, &(struct lp_restconf_error){0}));
    assert_false(lp_restconf_error_parse("{}", 2, &(struct lp_restconf_error){0}));
}

static void
error_bodies_go_round(void **state)
{
    const struct lp_restconf_error error = {.tag = "in-use", .message = "busy", .path = "/a:b"};
    struct lp_restconf_error back;
    json_auto_t *json = lp_restconf_error_json(&error);
    char *text = lp_json_text(json);

    (void)state;
    assert_true(lp_restconf_error_parse(text, strlen(text), &back));
    assert_string_equal(back.tag, "in-use");
    assert_string_equal(back.type, "application");
    assert_string_equal(back.path, "/a:b");
    assert_int_equal(lp_restconf_status_of("in-use"), 409);
    assert_int_equal(lp_restconf_status_of("no such tag"), 500);
    free(text);
}

static void
retry_after_is_bounded(void **state)
{
    const int64_t now = INT64_C(784111777) * 1000000; /* Sun, 06 Nov 1994 08:49:37 GMT */

    (void)state;
    assert_int_equal(lp_restconf_retry_after_ms("7", now), 7000);
    assert_int_equal(lp_restconf_retry_after_ms("0", now), 0);
    assert_int_equal(lp_restconf_retry_after_ms("31536000", now), 120000);
    assert_int_equal(lp_restconf_retry_after_ms("99999999999999999999999", now), 120000);
    assert_int_equal(lp_restconf_retry_after_ms("-5", now), -1);
    assert_int_equal(lp_restconf_retry_after_ms("soon", now), -1);
    assert_int_equal(lp_restconf_retry_after_ms("", now), -1);
    assert_int_equal(lp_restconf_retry_after_ms(NULL, now), -1);
    assert_int_equal(lp_restconf_retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", now), 10000);
    assert_int_equal(lp_restconf_retry_after_ms("Sun, 06 Nov 1994 08:49:17 GMT", now), -1);
    assert_int_equal(lp_restconf_retry_after_ms("Sun, 06 Nov 2094 08:49:17 GMT", now), 120000);
}

static void
media_types_and_tags(void **state)
{
    (void)state;
    assert_int_equal(lp_restconf_media_of(NULL), LP_RESTCONF_MEDIA_NONE);
    assert_int_equal(lp_restconf_media_of("Application/Yang-Data+JSON; charset=utf-8"),
                     LP_RESTCONF_MEDIA_JSON);
    assert_int_equal(lp_restconf_media_of("text/html"), LP_RESTCONF_MEDIA_HTML);
    assert_int_equal(lp_restconf_media_of("text/event-stream"), LP_RESTCONF_MEDIA_EVENTS);
    assert_int_equal(lp_restconf_media_of("image/png"), LP_RESTCONF_MEDIA_OTHER);
    assert_true(lp_restconf_etag_usable("\"a1\""));
    assert_false(lp_restconf_etag_usable("W/\"a1\""));
    assert_false(lp_restconf_etag_usable("a1"));
    assert_false(lp_restconf_etag_usable("\"a\r\nX: y\""));
    assert_false(lp_restconf_etag_usable("\""));
    assert_false(lp_restconf_etag_usable(NULL));
}

/* ---- secrets ---- */

static void
secrets_are_taken_out(void **state)
{
    static const char *const known[] = {"pw/\"1", NULL};
    static const char *const texts[][2] = {
        {"{\"password\":\"a\\\"b\",\"x\":1}", "{\"password\":\"********\",\"x\":1}"},
        {"{\"user\":\"u\" , \"ne:shared-secret\" : \"s\"}",
         "{\"user\":\"u\" , \"ne:shared-secret\" : \"********\"}"},
        {"{\"access_token\":\"ey.J\",\"token_type\":\"Bearer\"}",
         "{\"access_token\":\"********\",\"token_type\":\"Bearer\"}"},
        {"user=svc&password=a%2Fb", "user=svc&password=********"},
        {"<password>geheim</password>", "<password>********</password>"},
        {"{\"source\":\"sftp://repo:pw@192.0.2.1/x\"}",
         "{\"source\":\"sftp://repo:********@192.0.2.1/x\"}"},
        {"{\"source\":\"sftp://repo@192.0.2.1/x\"}", "{\"source\":\"sftp://repo@192.0.2.1/x\"}"},
        {"{\"commands\":[\"ACT-USER:n:svc:W1::geheim;\",\"RTRV-OTS:n::W1::::;\"]}",
         "{\"commands\":[\"ACT-USER:n:svc:W1::********;\",\"RTRV-OTS:n::W1::::;\"]}"},
        {"{\"commands\":\"set user x password geheim role y\"}",
         "{\"commands\":\"set user x password ******** role y\"}"},
        {"{\"result\":\"{\\\"password\\\":\\\"geheim\\\",\\\"a\\\":1}\"}",
         "{\"result\":\"{\\\"password\\\":\\\"********\\\",\\\"a\\\":1}\"}"},
        {"it echoes pw/\"1 and pw\\/\\\"1 and pw%2F%221 and pw/\\\"1",
         "it echoes ******** and ******** and ******** and ********"},
        {"the wrong password was given", "the wrong password was given"},
        {"{\"port\":[{\"port-id\":1}]}", "{\"port\":[{\"port-id\":1}]}"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        struct lp_buf out = LP_BUF_INIT;

        lp_restconf_redact(&out, texts[i][0], strlen(texts[i][0]), known);
        assert_false(out.failed);
        assert_string_equal(out.data, texts[i][1]);
        lp_buf_free(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_encoded_one_by_one), cmocka_unit_test(a_path_is_taken_apart),
        cmocka_unit_test(bad_paths_are_refused),       cmocka_unit_test(queries_go_round),
        cmocka_unit_test(answers_become_outcomes),     cmocka_unit_test(error_bodies_of_all_kinds),
        cmocka_unit_test(error_bodies_go_round),       cmocka_unit_test(retry_after_is_bounded),
        cmocka_unit_test(media_types_and_tags),        cmocka_unit_test(secrets_are_taken_out),
    };

    return LP_RUN_TESTS(tests);
}
