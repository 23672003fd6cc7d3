/* Software of transponders: what counts as worse, what an answer says, what the command line shows.
 */
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/g30/g30.h"
#include "clients/infinera/g42/g42.h"
#include "clients/infinera/rest/link.h"
#include "tests/support/rest_tree.h"
#include "tests/support/test_main.h"

static json_t *
load(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;

    if (lp_json_load(text, strlen(text), &out, &err) != LP_OK)
        fail_msg("%s: %s", err.msg, text);
    return out;
}

static void
assert_problems(const char *baseline, const char *now, const char *expected)
{
    json_auto_t *was = load(baseline), *is = load(now), *problems = NULL;
    char *text;

    problems = ir_health_problems(was, is, 50);
    text = json_dumps(problems, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

#define NOTHING "{\"alarms\":[],\"lines\":{},\"busy\":[]}"

/* D41: an empty set is a set: what was none before and is one now is new. */
static void
d41_new_alarms_are_seen(void **state)
{
    (void)state;
    assert_problems(NOTHING, NOTHING, "[]");
    assert_problems(NOTHING, "{\"alarms\":[\"LOS\"],\"lines\":{},\"busy\":[]}",
                    "[\"new alarm: LOS\"]");
    assert_problems("{}", "{\"alarms\":[\"LOS\"]}", "[\"new alarm: LOS\"]");
    assert_problems("{\"alarms\":[\"LOS\",\"LOF\"]}", "{\"alarms\":[\"LOF\"]}", "[]");
    assert_problems("{\"alarms\":[\"LOS\"]}", "{\"alarms\":[\"LOF\",\"LOS\"]}",
                    "[\"new alarm: LOF\"]");
}

static void
signals_may_get_a_little_worse(void **state)
{
#define LINE(q, tx, mhz)                                                                           \
    "{\"alarms\":[],\"lines\":{\"l\":{\"q_cdb\":" q ",\"tx_cdbm\":" tx ",\"mhz\":" mhz             \
    "}},\"busy\":[]}"
    (void)state;
    assert_problems(LINE("890", "100", "193500000"), LINE("840", "50", "193500050"), "[]");
    assert_problems(LINE("890", "100", "193500000"), LINE("839", "100", "193500000"),
                    "[\"Q fell: l\"]");
    assert_problems(LINE("890", "100", "193500000"), LINE("890", "49", "193500051"),
                    "[\"transmit power fell: l\",\"frequency moved: l\"]");
    assert_problems(LINE("890", "100", "193500000"), NOTHING, "[\"no longer there: l\"]");
    assert_problems(NOTHING, "{\"alarms\":[],\"lines\":{},\"busy\":[\"1/2\"]}",
                    "[\"restarting: 1/2\"]");
}

/* ---- an element that answers ---- */

static const char *cli_text;

/* Two signals, each on a page of its own. */
static json_t *
signals_of(const json_t *input)
{
    bool second = lp_json_int(input, "skip-records", 0) == 1;

    return json_pack("{s:b, s:[{s:s, s:s}]}", "additional-records-available", (int)!second,
                     "pm-record", "AID", second ? "1-4-L2-1" : "1-4-L1-1", "pm-value", "7.4");
}

static enum lp_code
rpc(void *ctx, const char *name, json_t *input, json_t **out, struct lp_err *err)
{
    (void)ctx, (void)err;
    *out =
        strstr(name, "get-pm") != NULL ? signals_of(input) : json_pack("{s:s}", "result", cli_text);
    json_decref(input);
    return LP_OK;
}

static enum lp_code
health_of(const struct ir_platform *platform, const char *element, json_t **out)
{
    struct rest_tree tree = {.platform = platform, .root = load(element)};
    struct lp_arena *arena = lp_arena_new();
    struct lp_err err = LP_ERR_INIT;
    struct ir_source source;
    enum lp_code rc;

    rest_tree_source(&tree, &source);
    source.rpc = rpc;
    rc = ir_read(platform, &source, arena, "sw:health", out, &err);
    lp_err_clear(&err);
    json_decref(tree.root);
    lp_arena_free(arena);
    return rc;
}

/* D41: a card on its way up raises alarms that need not name it. */
static void
d41_an_alarm_need_not_name_a_card(void **state)
{
    static const char element[] =
        "{\"ioa-network-element:ne\":{\"equipment\":{\"card\":[{\"name\":\"1-4\",\"oper-state\":"
        "\"enabled\"}]}},\"ioa-alarm:alarms\":{\"current-alarms\":{\"alarm\":["
        "{\"alarm-id\":\"1\",\"alarm-type\":\"SW-INIT\",\"perceived-severity\":\"major\"},"
        "{\"alarm-id\":\"2\",\"alarm-type\":\"OLOS\",\"perceived-severity\":\"critical\","
        "\"resource\":"
        "\"r\"},{\"alarm-id\":\"3\",\"alarm-type\":\"X\",\"perceived-severity\":\"not-reported\"}]}"
        "}}";
    json_auto_t *health = NULL;

    (void)state;
    assert_int_equal(health_of(&g42_platform, element, &health), LP_OK);
    assert_int_equal(json_array_size(json_object_get(health, "busy")), 1);
    assert_int_equal(json_array_size(json_object_get(health, "alarms")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(health, "alarms"), 0)),
                        "critical;r;OLOS;;;");
}

/* A signal that a page left out would be one that nobody misses behind the upgrade. */
static void
signals_come_in_pages(void **state)
{
    json_auto_t *health = NULL;

    (void)state;
    assert_int_equal(health_of(&g42_platform,
                               "{\"ioa-network-element:ne\":{\"equipment\":{\"card\":[]}},"
                               "\"ioa-alarm:alarms\":{\"current-alarms\":{\"alarm\":[]}}}",
                               &health),
                     LP_OK);
    assert_int_equal(json_object_size(json_object_get(health, "lines")), 2);
}

/* A spare card that is out of service is no reason never to upgrade. */
static void
a_card_out_of_service_is_not_busy(void **state)
{
#define CARD(slot, admin)                                                                          \
    "{\"slot-id\":" slot ",\"card\":{\"admin-status\":\"" admin "\",\"oper-status\":\"down\"}}"
    json_auto_t *health = NULL;

    (void)state;
    assert_int_equal(health_of(&g30_platform,
                               "{\"ne:ne\":{\"shelf\":[{\"shelf-id\":1,\"slot\":[" CARD(
                                   "2", "up") "," CARD("3", "down") "]}],\"fault\":{\"standing-"
                                                                    "condition\":[]}}}",
                               &health),
                     LP_OK);
    assert_int_equal(json_array_size(json_object_get(health, "busy")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(health, "busy"), 0)),
                        "1/2");
}

/* One row for each firmware of a card: it is current when all of them are. */
static void
a_card_is_current_when_all_its_firmware_is(void **state)
{
#define ROW(card, what)                                                                            \
    "\"row\":{\"card\":\"" card "\",\"fw-equipment-type\":\"CHM2T\",\"fw-state\":\"" what "\"}"
    struct ir_source source = {.name = "e", .rpc = rpc};
    struct lp_arena *arena = lp_arena_new();
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *cards = NULL;

    (void)state;
    cli_text =
        "{" ROW("1/2", "not-current") "," ROW("1/2", "current") "," ROW("1/3", "current") "}";
    assert_int_equal(g30_software.cards(&source, arena, &cards, &err), LP_OK);
    assert_false(lp_json_true(json_object_get(cards, "1/2"), "current"));
    assert_true(lp_json_true(json_object_get(cards, "1/3"), "current"));
    lp_arena_free(arena);
}

/* ---- an opened element: what it answers is in `tree` ---- */

static struct rest_tree tree;
static unsigned sent;

static enum lp_code
get(struct ir_ne *r, const char *path, const struct lp_restconf_query *query, json_t **out,
    struct lp_err *err)
{
    struct ir_source source;

    (void)r;
    rest_tree_source(&tree, &source);
    return source.get(source.ctx, path, query, out, err);
}

static enum lp_code
send_it(struct ir_ne *r, const struct ir_request *request, bool reads, json_t **out,
        struct lp_err *err)
{
    json_auto_t *body = load(request->body);

    (void)r;
    sent += reads ? 0 : 1;
    return rpc(NULL, request->path, json_incref(json_object_get(body, "ioa-pm:input")), out, err);
}

static int64_t
time_left(void *ctx)
{
    (void)ctx;
    return 1000;
}

static enum lp_code
check(void *ctx, struct lp_err *err)
{
    (void)ctx, (void)err;
    return LP_OK;
}

static void
progress(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

/* One who died right behind his command left a card that restarts: no other is restarted then, and
 * not the same one again. */
static void
no_card_restarts_while_another_does(void **state)
{
    static const char element[] =
        "{\"ioa-network-element:ne\":{\"equipment\":{\"card\":[{\"name\":\"1-4\",\"oper-state\":"
        "\"enabled\"},{\"name\":\"1-5\",\"oper-state\":\"disabled\"}]}},\"ioa-alarm:alarms\":{"
        "\"current-alarms\":{\"alarm\":[]}}}";
    static const struct lp_element named = {.name = "e"};
    struct ir_ne r = {.platform = &g42_platform, .get = get, .send = send_it};
    struct lp_call call = {
        .time_left_ms = time_left, .check = check, .progress = progress, .arena = lp_arena_new()};
    json_auto_t *op = load("{\"object\":\"fw:1-4\",\"action\":\"action\",\"before\":{\"current\":"
                           "false},\"after\":{\"current\":true}}");
    json_auto_t *report = NULL;
    struct lp_err err = LP_ERR_INIT;
    json_t *card;

    (void)state;
    r.ne = (struct lp_ne){.element = &named, .priv = &r};
    tree = (struct rest_tree){.platform = &g42_platform, .root = load(element)};
    cli_text = "current-fw-1-4/DCO-MCU-DSP-P   not-current";
    sent = 0;
    assert_int_equal(ir_apply_op(&r.ne, &call, op, NULL, &report, &err), LP_RETRYABLE);
    assert_non_null(strstr(err.msg, "1-5"));
    assert_int_equal(sent, 0);
    lp_err_clear(&err);
    card = json_array_get(rest_tree_at(&tree, "/data/ioa-network-element:ne/equipment/card"), 1);
    (void)lp_json_set_str(card, "oper-state", "enabled");
    assert_int_equal(ir_apply_op(&r.ne, &call, op, NULL, &report, &err), LP_OK);
    assert_int_equal(sent, 1);
    json_decref(tree.root);
    lp_arena_free(call.arena);
}

/* Rows are repeated members: none of them is lost. */
static void
rows_of_the_command_line(void **state)
{
    static const struct {
        const char *text;
        size_t rows;
    } cases[] = {
        {"{\"row\":{\"card\":\"1/2\",\"fw-state\":\"current\"},\"row\":{\"card\":\"1/3\"}}\n", 2},
        {"\n", 0},
        {"", 0},
        {"{\"row\":", 0},
        {"{\"row\":[1],\"row\":{}}", 1},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_auto_t *rows = ir_cli_rows(cases[i].text);

        assert_int_equal(json_array_size(rows), cases[i].rows);
    }
}

static void
failures_with_status_200(void **state)
{
    static const struct {
        const char *answer;
        enum lp_code code;
    } cases[] = {
        {"{\"status\":\"Successful\"}", LP_OK},
        {"{\"status\":\"In-progress\",\"status-message\":\"m\"}", LP_OK},
        {"{}", LP_OK},
        {"{\"status\":\"Failed\",\"status-message\":\"no such file\"}", LP_REFUSED},
        {"{\"download-result\":\"Failed: the file is no software image\"}", LP_REFUSED},
        {"{\"upload-result\":\"Failed\"}", LP_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_auto_t *answer = load(cases[i].answer);
        struct lp_err err = LP_ERR_INIT;

        assert_int_equal(ir_operation_outcome("e", answer, &err), cases[i].code);
        lp_err_clear(&err);
    }
}

static void
errors_of_the_command_line(void **state)
{
    struct ir_source source = {.name = "e", .rpc = rpc};
    struct lp_err err = LP_ERR_INIT;
    char *text = NULL;

    (void)state;
    cli_text = "ERROR: invalid command";
    assert_int_equal(ir_cli(&source, "coriant-rpc:cli-command", "show x", &text, &err), LP_REFUSED);
    lp_err_clear(&err);
    cli_text = "object does not exist";
    assert_int_equal(ir_cli(&source, "coriant-rpc:cli-command", "show x", &text, &err), LP_OK);
    assert_string_equal(text, "");
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(d41_new_alarms_are_seen),
        cmocka_unit_test(d41_an_alarm_need_not_name_a_card),
        cmocka_unit_test(signals_come_in_pages),
        cmocka_unit_test(a_card_is_current_when_all_its_firmware_is),
        cmocka_unit_test(a_card_out_of_service_is_not_busy),
        cmocka_unit_test(no_card_restarts_while_another_does),
        cmocka_unit_test(signals_may_get_a_little_worse),
        cmocka_unit_test(rows_of_the_command_line),
        cmocka_unit_test(failures_with_status_200),
        cmocka_unit_test(errors_of_the_command_line),
    };

    return LP_RUN_TESTS(tests);
}
