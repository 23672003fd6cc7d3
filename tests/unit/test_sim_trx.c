/* Simulated transponders without sockets: HTTP requests out of bytes, decimals, paths and edits of
   the datastores, the tables themselves, topologies that are wrong, light through a network. */
#include <string.h>

#include "base/json.h"
#include "sim/g30/g30.h"
#include "sim/g42/g42.h"
#include "sim/rest/web.h"
#include "tests/support/test_main.h"

static const char topology[] =
    "{\"format\":\"lightpath-sim network 1\",\"users\":[{\"name\":\"u\",\"password\":\"p\"}],"
    "\"nodes\":[{\"name\":\"a\",\"kind\":\"G30\",\"apply_ms\":500,\"cards\":[{\"slot\":1,"
    "\"type\":\"CHM2T\"}]},{\"name\":\"b\",\"kind\":\"G42\",\"cards\":[{\"name\":\"1-4\"}]},"
    "{\"name\":\"c\",\"kind\":\"G30\",\"cards\":[{\"slot\":1,\"type\":\"CHM2T\"},{\"slot\":3,"
    "\"type\":\"OCC2\"}]},{\"name\":\"t\",\"kind\":\"TNMS\"}],"
    "\"patches\":[{\"id\":\"a-c\",\"a\":[\"a\",\"port-1/1/1\"],\"b\":[\"c\",\"port-1/1/1\"],"
    "\"loss_cdb\":100}]}";

static struct sim_net *
network(void)
{
    struct lp_err err = LP_ERR_INIT;
    struct sim_net *net = NULL;
    json_t *doc = NULL;

    assert_int_equal(lp_json_load(topology, strlen(topology), &doc, &err), LP_OK);
    if (sim_net_load(doc, &net, &err) != LP_OK)
        fail_msg("%s", err.msg);
    json_decref(doc);
    net->now_us = net->utc_us = INT64_C(1800000000000000);
    return net;
}

/* ---- HTTP ---- */

static enum sim_http_state
take(const char *text, struct sim_http_request *out, int *status, size_t *left)
{
    struct lp_buf in = LP_BUF_INIT;
    enum sim_http_state state;

    lp_buf_str(&in, text);
    state = sim_http_take(&in, out, status);
    *left = in.len;
    lp_buf_free(&in);
    return state;
}

static void
requests_come_out_of_bytes(void **state)
{
    static const struct {
        const char *text;
        enum sim_http_state state;
        int status;
        const char *body;
    } cases[] = {
        {"GET /a?b=1 HTTP/1.1\r\n\r\nrest", SIM_HTTP_READY, 0, ""},
        {"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd", SIM_HTTP_READY, 0, "abc"},
        {"POST /a HTTP/1.1\r\ncontent-length:3 \r\n\r\nab", SIM_HTTP_MORE, 0, NULL},
        {"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", SIM_HTTP_CONTINUE,
         0, NULL},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         SIM_HTTP_READY, 0, "abc"},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab", SIM_HTTP_MORE, 0, NULL},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", SIM_HTTP_BAD, 400,
         NULL},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", SIM_HTTP_BAD, 413,
         NULL},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", SIM_HTTP_BAD, 501, NULL},
        {"POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", SIM_HTTP_BAD, 400,
         NULL},
        {"POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\na", SIM_HTTP_BAD, 400, NULL},
        {"GET /a HTTP/1.1\r\nBad Name: x\r\n\r\n", SIM_HTTP_BAD, 400, NULL},
        {"GET /a HTTP/1.1\r\nX: y\nZ: w\r\n\r\n", SIM_HTTP_BAD, 400, NULL},
        {"GET a HTTP/1.1\r\n\r\n", SIM_HTTP_BAD, 400, NULL},
        {"GET /a HTTP/2.0\r\n\r\n", SIM_HTTP_BAD, 505, NULL},
        {"\r\n\r\n", SIM_HTTP_BAD, 400, NULL},
        {"GET /a HTTP/1.1\r\n", SIM_HTTP_MORE, 0, NULL},
    };
    struct sim_http_request request;
    size_t i, left;
    int status = 0;

    (void)state;
    for (i = 0; i < LP_COUNT(cases); i++) {
        enum sim_http_state got = take(cases[i].text, &request, &status, &left);

        if (got != cases[i].state || (got == SIM_HTTP_BAD && status != cases[i].status))
            fail_msg("%s: state %d, status %d", cases[i].text, got, status);
        if (got == SIM_HTTP_READY) {
            assert_string_equal(request.body, cases[i].body);
            assert_string_equal(request.path, "/a");
            sim_http_request_free(&request);
        }
    }
    (void)take(cases[0].text, &request, &status, &left);
    assert_string_equal(request.query, "b=1");
    assert_int_equal(left, 4);
    sim_http_request_free(&request);
}

/* ---- values ---- */

static void
decimals_are_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"-9.25", -925}, {"0", 0},       {"6.0", 600},
                {"-0.1", -10},   {"1.255", 126}, {"12", 1200}};
    static const char *const bad[] = {"", "-", ".5", "5.", "1.2.3", "1e3", " 1", "0x1"};
    char text[24];
    int64_t value;
    size_t i;

    (void)state;
    for (i = 0; i < LP_COUNT(good); i++) {
        assert_true(sim_decimal(good[i].text, &value));
        assert_int_equal(value, good[i].value);
    }
    for (i = 0; i < LP_COUNT(bad); i++)
        if (sim_decimal(bad[i], &value))
            fail_msg("'%s' is a number", bad[i]);
    sim_decimal_text(-925, 1, text);
    assert_string_equal(text, "-9.3");
    sim_decimal_text(-4, 1, text);
    assert_string_equal(text, "0.0");
    sim_decimal_text(740, 2, text);
    assert_string_equal(text, "7.40");
    sim_decimal_text(740, 7, text);
    assert_string_equal(text, "7.4000000");
}

static void
modes_of_cards(void **state)
{
    (void)state;
    assert_int_equal(g30_mode_rate("16QAM_300G"), 300);
    assert_int_equal(g30_mode_rate("32QAM_64QAM_1100G_C"), 1100);
    assert_int_equal(g30_mode_rate("not-applicable"), 0);
    assert_true(g30_mode_coupled("16QAM_500G_C"));
    assert_false(g30_mode_coupled("16QAM_500G"));
    assert_true(g42_mode_known("C6", "400E.96P"));
    assert_false(g42_mode_known("C14", "400E.96P"));
    assert_true(g42_mode_known("C14", "800E.84U"));
    assert_false(g42_mode_known("C14", "800E"));
    assert_false(g42_mode_known("C14", "80E.84U"));
    assert_int_equal(g42_mode_rate("400E.96P"), 400);
}

/* Every leaf has a sense: enumerations have words and defaults among them, keys are leaves. */
static void
table_check(const struct sim_schema *schema, unsigned depth)
{
    size_t i;

    assert_true(depth < SIM_MAX_DEPTH);
    for (i = 0; i < schema->leaf_count; i++) {
        const struct sim_leaf *leaf = &schema->leaves[i];
        json_t *value;

        if (leaf->type == SIM_L_ENUM && leaf->values == NULL)
            fail_msg("%s of %s has no words", leaf->name, schema->name);
        if (leaf->fallback == NULL || leaf->type == SIM_L_LIST || leaf->type == SIM_L_BOOL)
            continue;
        value = json_string(leaf->fallback);
        if (leaf->fallback[0] != '\0') {
            json_t *clean = sim_leaf_value(leaf, value, NULL);

            if (clean == NULL)
                fail_msg("%s of %s: '%s' is not allowed", leaf->name, schema->name, leaf->fallback);
            json_decref(clean);
        }
        json_decref(value);
    }
    for (i = 0; schema->keys[i] != NULL; i++)
        if (sim_schema_leaf(schema, schema->keys[i]) == NULL)
            fail_msg("key %s of %s is no leaf", schema->keys[i], schema->name);
    for (i = 0; schema->children != NULL && schema->children[i] != NULL; i++)
        table_check(schema->children[i], depth + 1);
}

static void
tables_are_whole(void **state)
{
    static const struct sim_box_kind *const kinds[] = {&sim_kind_g30, &sim_kind_g42,
                                                       &sim_kind_tnms};
    size_t i, r;

    (void)state;
    for (i = 0; i < LP_COUNT(kinds); i++)
        for (r = 0; kinds[i]->model->roots[r] != NULL; r++)
            table_check(kinds[i]->model->roots[r], 0);
}

/* ---- paths and edits ---- */

static int
edit(struct sim_net *net, const char *name, const char *path, const char *body)
{
    struct sim_box *box = sim_box_find(net, name);
    struct sim_place place = {.object = NULL};
    struct sim_why why = {.status = 204};
    json_t *patch = json_loads(body, 0, NULL);

    assert_non_null(patch);
    if (sim_resolve(box->kind->model, box->tree, path, &place, &why)
        && sim_patch(box->kind->model, box, &place, patch, &why)) {
        sim_box_changed(net, box);
        why.status = 204;
    }
    sim_place_free(&place);
    json_decref(patch);
    return why.status;
}

static void
paths_lead_or_say_why_not(void **state)
{
    static const struct {
        const char *path;
        int status; /* 0: it leads somewhere */
    } cases[] = {
        {"", 0},
        {"ne:ne", 0},
        {"ne:ne/shelf", 0},
        {"ne:ne/shelf=1/slot=1/card/port=3/admin-status", 0},
        {"ne:ne/ne:shelf=1", 0},
        {"ne:ne/other:shelf=1", 404},
        {"ne", 404},
        {"ne:ne/nothing", 404},
        {"ne:ne/shelf=9/slot=1", 404},
        {"ne:ne/shelf=1,2", 400},
        {"ne:ne/shelf=%zz", 400},
        {"ne:ne/shelf=%00", 400},
        {"ne:ne/services=1", 404},
        {"ne:ne/shelf/slot", 404},
        {"ne:ne/ne-id/more", 404},
        {"ne:ne//shelf", 404},
    };
    struct sim_net *net = network();
    const struct sim_box *box = sim_box_find(net, "a");
    size_t i;

    (void)state;
    for (i = 0; i < LP_COUNT(cases); i++) {
        struct sim_place place;
        struct sim_why why = {.status = 0};
        bool ok = sim_resolve(box->kind->model, box->tree, cases[i].path, &place, &why);

        if (ok != (cases[i].status == 0) || (!ok && why.status != cases[i].status))
            fail_msg("'%s': %d", cases[i].path, why.status);
        sim_place_free(&place);
    }
    sim_net_free(net);
}

#define PORT "ne:ne/shelf=1/slot=1/card/port=1"

static void
facilities_appear_after_their_time(void **state)
{
    struct sim_net *net = network();
    const struct sim_box *box = sim_box_find(net, "a");
    struct sim_place place;

    (void)state;
    assert_int_equal(
        edit(net, "a", PORT, "{\"port\":[{\"port-id\":1,\"port-mode\":\"QPSK_200G\"}]}"), 204);
    assert_true(sim_resolve(box->kind->model, box->tree, PORT "/och-os/otuc2", &place, NULL));
    assert_null(place.object);
    sim_place_free(&place);
    net->now_us += 600000;
    sim_boxes_settle(net);
    assert_true(sim_resolve(box->kind->model, box->tree, PORT "/och-os/otuc2", &place, NULL));
    assert_non_null(place.object);
    sim_place_free(&place);
    sim_net_free(net);
}

static void
light_needs_laser_frequency_and_patch(void **state)
{
    static const char on[] = "{\"och-os\":{\"frequency\":193500000,\"rx-frequency\":193500000,"
                             "\"laser-enable\":\"enabled\",\"admin-status\":\"up\"}}";
    static const char up[] =
        "{\"port\":[{\"port-id\":1,\"port-mode\":\"16QAM_300G\",\"admin-status\":\"up\"}]}";
    struct sim_net *net = network();
    struct sim_box *a = sim_box_find(net, "a");
    struct sim_arrival in;

    (void)state;
    assert_int_equal(edit(net, "a", PORT, up), 204);
    assert_int_equal(edit(net, "c", PORT, up), 204);
    assert_int_equal(edit(net, "a", PORT "/och-os", on), 204);
    sim_line_arrival(net, a, "port-1/1/1", &in);
    assert_int_equal(in.cdbm, SIM_DARK_CDBM);
    assert_int_equal(edit(net, "c", PORT "/och-os", on), 204);
    sim_line_arrival(net, a, "port-1/1/1", &in);
    assert_int_equal(in.cdbm, -100);
    assert_string_equal(in.far.mode, "16QAM_300G");
    sim_patch_find(net, "a-c")->cut = true;
    sim_line_arrival(net, a, "port-1/1/1", &in);
    assert_int_equal(in.cdbm, SIM_DARK_CDBM);
    sim_patch_find(net, "a-c")->cut = false;
    assert_int_equal(edit(net, "c", PORT "/och-os", "{\"och-os\":{\"frequency\":193600000}}"), 204);
    sim_line_arrival(net, a, "port-1/1/1", &in);
    assert_int_equal(in.cdbm, SIM_DARK_CDBM);
    sim_net_free(net);
}

static void
a_reset_puts_everything_back(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct sim_net *net = network();
    char before[65], after[65];

    (void)state;
    assert_true(sim_state_hash(net, NULL, before));
    assert_int_equal(
        edit(net, "c", PORT, "{\"port\":[{\"port-id\":1,\"port-mode\":\"QPSK_200G\"}]}"), 204);
    assert_true(sim_state_hash(net, NULL, after));
    assert_string_not_equal(before, after);
    assert_int_equal(sim_net_reset(net, &err), LP_OK);
    assert_true(sim_state_hash(net, NULL, after));
    assert_string_equal(before, after);
    assert_ptr_equal(sim_patch_find(net, "a-c")->end[0].box, sim_box_find(net, "a"));
    sim_net_free(net);
}

static void
refused_edits_name_status_and_place(void **state)
{
    static const struct {
        const char *path, *body;
        int status;
    } cases[] = {
        {PORT, "{}", 400},
        {PORT, "{\"port\":[]}", 400},
        {PORT, "{\"port\":[{\"port-id\":1},{\"port-id\":2}]}", 400},
        {PORT, "{\"ne:port\":1}", 400},
        {PORT, "{\"other:port\":[{\"port-id\":1}]}", 400},
        {PORT, "{\"slot\":[{\"slot-id\":1}]}", 400},
        {PORT, "{\"port\":[{\"port-id\":1,\"arc-timer\":\"12x\"}]}", 400},
        {PORT, "{\"port\":[{\"port-id\":1,\"arc-timer\":99999}]}", 400},
        {PORT, "{\"port\":[{\"port-id\":1,\"arc-timer\":\"12\"}]}", 204},
        {PORT, "{\"port\":[{\"port-id\":1,\"och-os\":{\"frequency\":193500001}}]}", 400},
        {PORT, "{\"port\":[{\"port-id\":1,\"och-os\":{\"frequency\":\"193500000\"}}]}", 204},
        {PORT, "{\"port\":[{\"port-id\":1,\"eth100g\":{}}]}", 404},
        {PORT "/och-os", "{\"och-os\":{\"required-tx-optical-power\":\"7.0\"}}", 400},
        {PORT "/och-os", "{\"och-os\":{\"required-tx-optical-power\":-3.2}}", 204},
        {"ne:ne", "{\"ne:ne\":{\"shelf\":[{\"slot\":[]}]}}", 400},
        {"ne:ne", "{\"ne:ne\":{\"inventory-data\":{\"inventory\":[{\"vendor\":\"x\"}]}}}", 400},
        {"ne:ne/shelf=1/slot=1/card", "{\"card\":{\"required-type\":\"CHM1\"}}", 409},
    };
    struct sim_net *net = network();
    size_t i;

    (void)state;
    for (i = 0; i < LP_COUNT(cases); i++) {
        int status = edit(net, "c", cases[i].path, cases[i].body);

        if (status != cases[i].status)
            fail_msg("%s %s: %d", cases[i].path, cases[i].body, status);
    }
    sim_net_free(net);
}

static void
wrong_topologies_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *part, *words;
    } cases[] = {
        {"\"nodes\":[{\"name\":\"a\",\"kind\":\"G30\",\"cards\":[{\"slot\":9}]}]", "cards[0]"},
        {"\"nodes\":[{\"name\":\"a\",\"kind\":\"G30\",\"cards\":[{\"slot\":1,\"type\":\"XX\"}]}]",
         "CHM1"},
        {"\"nodes\":[{\"name\":\"a\",\"kind\":\"G42\",\"cards\":[{\"name\":\"x\"}]}]", "cards[0]"},
        {"\"nodes\":[{\"name\":\"a\",\"kind\":\"G30\",\"colour\":1}]", "colour"},
        {"\"nodes\":[{\"name\":\"a\",\"kind\":\"G30\"},{\"name\":\"a\",\"kind\":\"G42\"}]",
         "twice"},
        {"\"nodes\":[{\"name\":\"a b\",\"kind\":\"G30\"}]", "no name"},
        {"\"nodes\":[{\"name\":\"a\",\"kind\":\"G30\"}],\"patches\":[{\"a\":[\"a\",\"x\"],\"b\":"
         "[\"a\",\"y\"]}]",
         "line port"},
        {"\"nodes\":[{\"name\":\"a\",\"kind\":\"G30\",\"cards\":[{\"slot\":1}]}],\"patches\":[{"
         "\"a\""
         ":[\"a\",\"port-1/1/1\"],\"b\":[\"a\",\"port-1/1/1\"]}]",
         "two patches"},
        {"\"nodes\":[{\"name\":\"t\",\"kind\":\"TNMS\",\"token_ms\":-1}]", "token_ms"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < LP_COUNT(cases); i++) {
        struct lp_buf text = LP_BUF_INIT;
        struct lp_err err = LP_ERR_INIT;
        struct sim_net *net = NULL;
        json_t *doc = NULL;

        lp_buf_printf(&text, "{\"format\":\"lightpath-sim network 1\",%s}", cases[i].part);
        assert_int_equal(lp_json_load(text.data, text.len, &doc, &err), LP_OK);
        assert_int_equal(sim_net_load(doc, &net, &err), LP_INVALID);
        if (strstr(err.msg, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].part, err.msg);
        json_decref(doc);
        lp_err_clear(&err);
        lp_buf_free(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_out_of_bytes),
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(modes_of_cards),
        cmocka_unit_test(tables_are_whole),
        cmocka_unit_test(paths_lead_or_say_why_not),
        cmocka_unit_test(facilities_appear_after_their_time),
        cmocka_unit_test(light_needs_laser_frequency_and_patch),
        cmocka_unit_test(a_reset_puts_everything_back),
        cmocka_unit_test(refused_edits_name_status_and_place),
        cmocka_unit_test(wrong_topologies_are_refused_with_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
