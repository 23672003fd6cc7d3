/* Bodies against YANG: what is sent must be known, what arrives gets the schema's shape. */
#include <string.h>

#include "base/json.h"
#include "clients/yang_check.h"
#include "tests/support/test_main.h"

static const char module_text[] =
    "module box { yang-version 1.1; namespace 'urn:t:box'; prefix box;"
    " container ne { leaf ne-id { type string; } leaf big { type uint64; }"
    "  leaf loss { type decimal64 { fraction-digits 2; } } leaf on { type boolean; }"
    "  leaf flag { type empty; } leaf-list tags { type string; }"
    "  list shelf { key shelf-id; leaf shelf-id { type uint8; }"
    "   leaf admin { type enumeration { enum up; enum down; } }"
    "   leaf oper { config false; type string; }"
    "   list port { key 'port-id kind'; leaf port-id { type uint8; } leaf kind { type string; }"
    "    leaf mhz { type uint32 { range '1..10'; } } } }"
    "  container alarms { config false; list alarm { leaf id { type string; } } } }"
    " rpc copy { input { leaf what { type string; mandatory true; } leaf password { type string; }"
    "   leaf some-text { type string; } }"
    "  output { leaf status { type string; } list row { leaf n { type uint64; } } } }"
    " rpc ping; }";
static const struct lp_yang_source sources[] = {{"t", "box", module_text}};

static struct lp_yang *yang;

static int
open_set(void **state)
{
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    return lp_yang_new_from(sources, 1, "t", &yang, &err) == LP_OK ? 0 : -1;
}

static int
close_set(void **state)
{
    (void)state;
    lp_yang_free(yang);
    return 0;
}

static json_t *
json(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    assert_int_equal(lp_json_load(text, strlen(text), &value, &err), LP_OK);
    return value;
}

/* ---- going out ---- */

static const struct {
    const char *path;
    bool post;
    const char *body, *pointer; /* pointer NULL: fine */
} sent[] = {
    {"/data/box:ne", false, "{\"box:ne\":{\"ne-id\":\"a\",\"big\":\"18446744073709551615\"}}",
     NULL},
    {"/data/box:ne/shelf=1", false, "{\"box:shelf\":[{\"shelf-id\":1,\"admin\":\"up\"}]}", NULL},
    {"/data/box:ne/shelf=1", false, "{\"shelf\":[{\"shelf-id\":1,\"admin\":\"up\"}]}", NULL},
    {"/data/box:ne", true, "{\"box:shelf\":[{\"shelf-id\":2}]}", NULL},
    {"/data/box:ne/shelf=1/port=3,a%2Cb", false,
     "{\"box:port\":[{\"port-id\":3,\"kind\":\"a,b\",\"mhz\":10}]}", NULL},
    {"/data/box:ne", false, "{\"box:ne\":{\"flag\":[null],\"on\":true,\"tags\":[\"x\",\"y\"]}}",
     NULL},
    /* what would have been dropped in silence elsewhere */
    {"/data/box:ne/shelf=1", false, "{\"box:shelf\":[{\"shelf-id\":1,\"admin-status\":\"up\"}]}",
     "/box:shelf/0/admin-status"},
    {"/data/box:ne/shelf=1", false, "{\"box:shelf\":[{\"shelf-id\":1,\"admin\":\"lock\"}]}",
     "/box:shelf/0/admin"},
    {"/data/box:ne/shelf=1", false, "{\"box:shelf\":[{\"admin\":\"up\"}]}", "/box:shelf/0"},
    {"/data/box:ne/shelf=1", false, "{\"box:shelf\":[{\"shelf-id\":2}]}", "/box:shelf"},
    {"/data/box:ne/shelf=1", false, "{\"box:shelf\":{\"shelf-id\":1}}", "/box:shelf"},
    {"/data/box:ne/shelf=1", false, "{\"box:shelf\":[{\"shelf-id\":1,\"oper\":\"up\"}]}",
     "/box:shelf/0/oper"},
    {"/data/box:ne/shelf=1/port=3,a", false,
     "{\"box:port\":[{\"port-id\":3,\"kind\":\"a\",\"mhz\":11}]}", "/box:port/0/mhz"},
    {"/data/box:ne", false, "{\"box:ne\":{\"big\":5}}", "/box:ne/big"},
    {"/data/box:ne", false, "{\"box:ne\":{\"on\":\"true\"}}", "/box:ne/on"},
    {"/data/box:ne", false, "{\"other:ne\":{}}", "/other:ne"},
    {"/data/box:ne", false, "{\"box:ne\":{},\"x\":1}", "/"},
    {"/data/box:ne/rack=1", false, "{\"box:rack\":[]}", "/data/box:ne/rack=1"},
    {"/data/box:ne/shelf=1,2", false, "{\"box:shelf\":[]}", "/data/box:ne/shelf=1,2"},
};

static void
D33_what_is_sent_must_be_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(sent); i++) {
        json_auto_t *body = json(sent[i].body);
        struct lp_err err = LP_ERR_INIT;
        enum lp_code rc = lp_yang_check_data(yang, sent[i].path, sent[i].post, body, &err);

        assert_int_equal(rc, sent[i].pointer == NULL ? LP_OK : LP_INVALID);
        assert_string_equal(err.pointer, sent[i].pointer == NULL ? "" : sent[i].pointer);
        lp_err_clear(&err);
    }
}

static void
D37_inputs_of_operations_reach_the_wire_or_fail(void **state)
{
    static const struct {
        const char *path, *body, *pointer;
    } calls[] = {
        {"/operations/box:copy", "{\"box:input\":{\"what\":\"a\",\"some-text\":\"b\"}}", NULL},
        {"/operations/box:copy", "{\"input\":{\"what\":\"a\"}}", NULL},
        {"/operations/box:ping", NULL, NULL},
        {"/operations/box:ping/", "{\"box:input\":{}}", NULL},
        {"/operations/box:copy", "{\"box:input\":{\"what\":\"a\",\"some_text\":\"b\"}}",
         "/input/some_text"},
        {"/operations/box:copy", "{\"box:input\":{\"what\":7}}", "/input/what"},
        {"/operations/box:copy", "{\"box:copy\":{}}", "/"},
        {"/operations/box:nothing", NULL, "/operations/box:nothing"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(calls); i++) {
        json_auto_t *body = calls[i].body != NULL ? json(calls[i].body) : NULL;
        struct lp_err err = LP_ERR_INIT;

        assert_int_equal(lp_yang_check_rpc(yang, calls[i].path, body, &err),
                         calls[i].pointer == NULL ? LP_OK : LP_INVALID);
        assert_string_equal(err.pointer, calls[i].pointer == NULL ? "" : calls[i].pointer);
        lp_err_clear(&err);
    }
    {
        json_auto_t *body = json("{\"box:input\":{\"some-text\":\"x\"}}"); /* `what` is mandatory */
        struct lp_err err = LP_ERR_INIT;

        assert_int_equal(lp_yang_check_rpc(yang, "/operations/box:copy", body, &err), LP_INVALID);
        lp_err_clear(&err);
    }
}

/* ---- coming in ---- */

static const struct {
    const char *path, *body, *shape; /* shape NULL: LP_PROTOCOL at `notes` */
    const char *notes;
} received[] = {
    /* one entry is a list too, be it wrapped or not */
    {"/data/box:ne/shelf", "{\"box:shelf\":[{\"shelf-id\":1}]}", "[{\"shelf-id\":1}]", "[]"},
    {"/data/box:ne/shelf", "{\"box:shelf\":{\"shelf-id\":1}}", "[{\"shelf-id\":1}]", "[]"},
    {"/data/box:ne/shelf=1", "{\"box:shelf\":[{\"shelf-id\":1}]}", "{\"shelf-id\":1}", "[]"},
    {"/data/box:ne/shelf=1", "{\"shelf\":{\"shelf-id\":\"1\"}}", "{\"shelf-id\":1}", "[]"},
    {"/data/box:ne", "{\"box:ne\":{\"shelf\":{\"shelf-id\":1,\"port\":{}}}}",
     "{\"shelf\":[{\"shelf-id\":1}]}", "[]"},
    {"/data/box:ne", "{\"box:ne\":{\"tags\":\"a\"}}", "{\"tags\":[\"a\"]}", "[]"},
    {"/data/box:ne", "{\"box:ne\":{\"box:ne-id\":\"a\"}}", "{\"ne-id\":\"a\"}", "[]"},
    /* numbers: one kind, whatever was sent */
    {"/data/box:ne", "{\"box:ne\":{\"big\":9007199254740993,\"loss\":-8.4,\"on\":\"true\"}}",
     "{\"big\":\"9007199254740993\",\"loss\":\"-8.4\",\"on\":true}", "[]"},
    {"/data/box:ne", "{\"box:ne\":{\"loss\":\"1.50\",\"ne-id\":null,\"flag\":[null]}}",
     "{\"flag\":[null],\"loss\":\"1.5\"}", "[]"},
    /* kept: what a newer release has */
    {"/data/box:ne", "{\"box:ne\":{\"colour\":{\"a\":1},\"x:y\":2}}",
     "{\"colour\":{\"a\":1},\"x:y\":2}", "[\"/box:ne/colour\",\"/box:ne/x:y\"]"},
    {"/data/box:ne/shelf=1", "{\"shelf\":[{\"shelf-id\":1,\"admin\":\"asleep\"}]}",
     "{\"admin\":\"asleep\",\"shelf-id\":1}", "[\"/shelf/0/admin\"]"},
    {"/operations/box:copy", "{\"box:output\":{\"status\":\"ok\",\"row\":{\"n\":1}}}",
     "{\"row\":[{\"n\":\"1\"}],\"status\":\"ok\"}", "[]"},
    {"/operations/box:copy", "{}", "{}", "[]"},
    /* refused */
    {"/data/box:ne/shelf=1", "{\"box:shelf\":[{\"shelf-id\":2}]}", NULL, "/box:shelf"},
    {"/data/box:ne/shelf=1", "{\"box:shelf\":[{\"shelf-id\":1},{\"shelf-id\":3}]}", NULL,
     "/box:shelf"},
    {"/data/box:ne/shelf", "{\"box:shelf\":[{\"shelf-id\":1},{\"shelf-id\":\"1\"}]}", NULL,
     "/box:shelf"},
    {"/data/box:ne", "{\"box:ne\":{\"big\":\"many\"}}", NULL, "/box:ne/big"},
    {"/data/box:ne", "{\"box:ne\":{\"ne-id\":{}}}", NULL, "/box:ne/ne-id"},
    {"/data/box:ne", "{\"box:ne\":{\"alarms\":[]}}", NULL, "/box:ne/alarms"},
    {"/data/box:ne", "{\"box:other\":{}}", NULL, "/box:other"},
    {"/data/box:ne", "[1]", NULL, "/"},
    {"/data/box:ne", "{}", NULL, "/"},
};

static void
D38_shape_is_the_schemas(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(received); i++) {
        json_auto_t *body = json(received[i].body), *out = NULL, *notes = NULL;
        struct lp_err err = LP_ERR_INIT;
        enum lp_code rc = lp_yang_take(yang, received[i].path, body, &out, &notes, &err);

        if (received[i].shape != NULL) {
            json_auto_t *shape = json(received[i].shape), *noted = json(received[i].notes);

            assert_int_equal(rc, LP_OK);
            assert_true(lp_json_same(out, shape));
            assert_true(lp_json_same(notes, noted));
        } else {
            assert_int_equal(rc, LP_PROTOCOL);
            assert_string_equal(err.pointer, received[i].notes);
        }
        lp_err_clear(&err);
    }
}

static void
lists_are_known_as_such(void **state)
{
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_true(lp_yang_is_list(yang, "/data/box:ne/shelf?depth=2"));
    assert_false(lp_yang_is_list(yang, "/data/box:ne/shelf=1"));
    assert_false(lp_yang_is_list(yang, "/data/box:ne"));
    assert_false(lp_yang_is_list(yang, "/operations/box:ping"));
    assert_int_equal(lp_yang_check_path(yang, "/data/box:ne/shelf=1/port=1,x", &err), LP_OK);
    assert_int_equal(lp_yang_check_path(yang, "/data/ne/shelf=1", &err), LP_INVALID);
    lp_err_clear(&err);
}

/* Every set that the program carries compiles. */
static void
the_sets_of_the_program_compile(void **state)
{
    (void)state;
    for (size_t i = 0; i < lp_yang_source_count; i++) {
        struct lp_yang *set = NULL;
        struct lp_err err = LP_ERR_INIT;

        if (i > 0 && strcmp(lp_yang_sources[i].set, lp_yang_sources[i - 1].set) == 0)
            continue;
        if (lp_yang_new(lp_yang_sources[i].set, &set, &err) != LP_OK)
            fail_msg("%s", err.msg);
        lp_yang_free(set);
    }
    assert_true(lp_yang_source_count > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D33_what_is_sent_must_be_known),
        cmocka_unit_test(D37_inputs_of_operations_reach_the_wire_or_fail),
        cmocka_unit_test(D38_shape_is_the_schemas),
        cmocka_unit_test(lists_are_known_as_such),
        cmocka_unit_test(the_sets_of_the_program_compile),
    };

    return LP_RUN_TESTS_WITH(tests, open_set, close_set);
}
