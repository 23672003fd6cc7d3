/* FlexILS planning: recorded answers and intents in, operations out; golden plans in
 * tests/golden/flexils (LP_GOLDEN_UPDATE=1 writes them anew). */
#include <string.h>

#include "clients/infinera/flexils/normal.h"
#include "clients/infinera/flexils/plan.h"
#include "tests/support/test_main.h"

/* ---- an element made of recorded lines ---- */

struct line {
    enum fx_class object;
    const char *record;
};

struct element {
    json_t *classes[FX_CLASS_COUNT];
    json_t *power;
};

static void
element_add(struct element *e, enum fx_class object, const char *record)
{
    struct lp_tl1_scratch scratch = {0};
    struct lp_tl1_record parsed;
    struct lp_err err = LP_ERR_INIT;
    char key[256];
    json_t *made;

    assert_int_equal(lp_tl1_record_parse(record, strlen(record), &scratch, &parsed, &err), LP_OK);
    assert_true(fx_key_of(&parsed, key, sizeof key));
    made = fx_object_of(object, &parsed);
    assert_non_null(made);
    assert_int_equal(json_object_set_new(e->classes[object], key, made), 0);
    lp_tl1_scratch_free(&scratch);
}

static void
element_init(struct element *e, const struct line *lines, size_t count)
{
    *e = (struct element){0};
    for (size_t i = 0; i < FX_CLASS_COUNT; i++)
        e->classes[i] = json_object();
    for (size_t i = 0; i < count; i++)
        element_add(e, lines[i].object, lines[i].record);
}

static void
element_free(struct element *e)
{
    for (size_t i = 0; i < FX_CLASS_COUNT; i++)
        json_decref(e->classes[i]);
    json_decref(e->power);
}

static enum lp_code
get(void *ctx, enum fx_class object, const char *aid, const json_t **out, struct lp_err *err)
{
    struct element *e = ctx;

    (void)err;
    *out = json_object_get(e->classes[object], aid);
    return LP_OK;
}

static enum lp_code
all(void *ctx, enum fx_class object, const json_t **out, struct lp_err *err)
{
    struct element *e = ctx;

    (void)err;
    *out = e->classes[object];
    return LP_OK;
}

static enum lp_code
no_remote(void *ctx, const char *tid, enum fx_class object, const json_t **out, struct lp_err *err)
{
    (void)ctx, (void)object, (void)out;
    return lp_fail(err, LP_UNSUPPORTED, "%s cannot be asked", tid);
}

static enum lp_code
power(void *ctx, const char *port, const char *circuit, const json_t **out, struct lp_err *err)
{
    struct element *e = ctx;

    (void)port, (void)circuit;
    *out = e->power;
    return e->power != NULL ? LP_OK : lp_fail(err, LP_NOT_FOUND, "no measurement");
}

/* ---- running ---- */

static json_t *
load(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;

    if (lp_json_load(text, strlen(text), &out, &err) != LP_OK)
        fail_msg("%s: %s", err.msg, text);
    return out;
}

static enum lp_code
plan(struct element *e, const char *intents, bool take_over, json_t **out, struct lp_err *err)
{
    const struct fx_source source = {e, "lp.mil1", get, all, no_remote, power};
    struct lp_arena *arena = lp_arena_new();
    json_auto_t *wanted = load(intents);
    enum lp_code rc = fx_plan(&source, arena, wanted, take_over, out, err);

    lp_arena_free(arena);
    return rc;
}

/* One line an operation and a command: what a person compares. */
static void
put_op(struct lp_buf *buf, const char *margin, const json_t *op)
{
    json_t *command;
    size_t i;

    lp_buf_printf(buf, "%s%02lld %s [%s] ", margin, (long long)lp_json_int(op, "phase", -1),
                  lp_json_str(op, "id", "?"), lp_json_str(op, "intent", "?"));
    lp_buf_json(buf, json_object_get(op, "before"));
    lp_buf_str(buf, " -> ");
    lp_buf_json(buf, json_object_get(op, "after"));
    lp_buf_char(buf, ' ');
    lp_buf_json(buf, json_object_get(op, "flags"));
    lp_buf_char(buf, '\n');
    json_array_foreach(json_object_get(op, "commands"), i, command)
        lp_buf_printf(buf, "%s   > %s\n", margin, json_string_value(command));
}

static char *
summary(const json_t *ops)
{
    struct lp_buf buf = LP_BUF_INIT;
    json_t *op;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)ops, i, op)
    {
        put_op(&buf, "", op);
        if (json_is_object(json_object_get(op, "compensation")))
            put_op(&buf, "      undo ", json_object_get(op, "compensation"));
    }
    lp_buf_str(&buf, "");
    return lp_buf_take(&buf);
}

static void
golden(const char *name, const char *text)
{
    char path[512], *stored = calloc(1, 1 << 20);
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/tests/golden/flexils/%s.txt", LP_SOURCE_ROOT, name);
    if (getenv("LP_GOLDEN_UPDATE") != NULL) {
        file = fopen(path, "w");
        assert_non_null(file);
        (void)fputs(text, file);
        (void)fclose(file);
    }
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(stored);
    stored[fread(stored, 1, (1 << 20) - 1, file)] = '\0';
    (void)fclose(file);
    assert_string_equal(text, stored);
    free(stored);
}

/* Plans twice: equal bytes; compares with the golden file. */
static void
expect(struct element *e, const char *name, const char *intents)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *first = NULL, *second = NULL;
    char *text, *a, *b;
    size_t len;

    if (plan(e, intents, false, &first, &err) != LP_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(plan(e, intents, false, &second, &err), LP_OK);
    assert_int_equal(lp_json_canonical(first, &a, &len, &err), LP_OK);
    assert_int_equal(lp_json_canonical(second, &b, &len, &err), LP_OK);
    assert_string_equal(a, b);
    text = summary(first);
    golden(name, text);
    free(a);
    free(b);
    free(text);
    json_decref(first);
    json_decref(second);
}

/* ---- elements ---- */

static const struct line mil1[] = {
    {FX_EQPT, "1:CHASSIS:SERNO=MA0123456789:IS-NR"},
    {FX_EQPT, "1-A-3:FMM:SERNO=MA0000000003:IS-NR"},
    {FX_EQPT, "1-A-4:FSM:SERNO=MA0000000004:IS-NR"},
    {FX_EQPT, "1-A-6:FBM:SERNO=MA0000000006:IS-NR"},
    {FX_EQPT, "1-A-9:FMMC12:SERNO=MA0000000009:IS-NR"},
    {FX_OTS, "1-A-1-L1:OTS:LABEL=\\\"\\\",PROVNBROTS=,DISCNBROTS=lp.fir1/1-A-2-L1,"
             "HISTSTATS=DISABLE:IS-NR"},
    {FX_OTS, "1-A-2-L1:OTS:LABEL=\\\"mil1-bol1\\\",PROVNBROTS=1-A-1-L1,DISCNBROTS=1-A-1-L1,"
             "HISTSTATS=ENABLED,SPANDIST=62,TXFIBERTYPE=G.652.D,PROVRXFIBERTYPE=G.652.D,"
             "EXPSPANLOSS=UNDER25DB:IS-NR"},
    {FX_OTS, "1-A-5-L1:OTS:LABEL=\\\"old\\\",PROVNBROTS=lp.rom1/1-A-1-L1,"
             "DISCNBROTS=lp.rom1/1-A-1-L1,HISTSTATS=ENABLED:OOS-MA,MT"},
    {FX_SCG, "1-A-3-T1:SCG:LABEL=\\\"\\\",INTFTYP=INFWAVE,PROVOWREMPTP=,HISTSTATS=ENABLED:IS-NR"},
    {FX_SCG, "1-A-3-T2:SCG:LABEL=\\\"\\\",INTFTYP=INFWAVE,PROVOWREMPTP=,"
             "HISTSTATS=ENABLED:OOS-MA"},
    {FX_SCG, "1-A-4-T1:SCG:LABEL=\\\"\\\",INTFTYP=INFWAVE,PROVOWREMPTP=,HISTSTATS=ENABLED:IS-NR"},
    {FX_SCG, "1-A-4-T3:SCG:LABEL=\\\"g30\\\",INTFTYP=MANUALMODE-2,"
             "PROVOWREMPTP=\\\"RO12345/1-2-1\\\",HISTSTATS=ENABLED:IS-NR"},
    {FX_SCG, "1-A-4-S1:SCG:LABEL=\\\"\\\",INTFTYP=MANUALMODE-2,HISTSTATS=ENABLED:IS-NR"},
    {FX_SCG, "1-A-6-T1:SCG:LABEL=\\\"\\\",INTFTYP=MANUALMODE-2,"
             "PROVOWREMPTP=\\\"MA0123456789/1-A-9-L1\\\",HISTSTATS=ENABLED:IS-NR"},
    {FX_OTEINTF, "1-A-1-O1:OSC:ASSOCGCC=:IS-NR"},
    {FX_OTEINTF, "1-A-2-L1:OTS:ASSOCGCC=1-A-2-O1:IS-NR"},
};

static void
golden_fiber_ends(void **state)
{
    struct element e;

    (void)state;
    element_init(&e, mil1, LP_COUNT(mil1));
    expect(&e, "fiber_end_line",
           "[{\"id\":\"f1\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-1-L1\","
           "\"role\":\"ols-line\",\"label\":\"mil1-fir1 span 7\",\"length_m\":61700,"
           "\"loss_cdb\":2620,\"fiber_types\":[\"G.652.D\",\"G.655.C\"],\"peer\":{\"node\":\"lp."
           "fir1\",\"port\":\"1-A-2-L1\","
           "\"platform\":\"infinera-flexils\"}}]");
    expect(&e, "fiber_end_add_drop",
           "[{\"id\":\"f2\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-3-T2\","
           "\"role\":\"ols-add-drop\",\"label\":\"g30 line 1\",\"peer\":{\"node\":\"lp.g30-1\","
           "\"port\":\"port-1/3.1/1\",\"platform\":\"infinera-g30\",\"serial\":\"RO12345\"}}]");
    expect(&e, "fiber_end_wrong_neighbour",
           "[{\"id\":\"f1\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-1-L1\","
           "\"role\":\"ols-line\",\"label\":\"x\",\"peer\":{\"node\":\"lp.fir1\","
           "\"port\":\"1-A-2-L12\",\"platform\":\"infinera-flexils\"}}]");
    expect(&e, "fiber_end_removed",
           "[{\"id\":\"f3\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-5-L1\","
           "\"role\":\"ols-line\"},"
           "{\"id\":\"f4\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-4-T3\","
           "\"role\":\"ols-add-drop\"},"
           "{\"id\":\"f5\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-3-T1\","
           "\"role\":\"ols-add-drop\"}]");
    element_free(&e);
}

static void
a_fiber_end_that_is_so_plans_nothing(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *ops = NULL;
    struct element e;

    (void)state;
    element_init(&e, mil1, LP_COUNT(mil1));
    assert_int_equal(
        plan(&e,
             "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-2-L1\","
             "\"role\":\"ols-line\",\"label\":\"mil1-bol1\",\"length_m\":62400,\"loss_cdb\":2000,"
             "\"fiber_types\":[\"G.652.D\"],"
             "\"peer\":{\"node\":\"lp.bol1\",\"port\":\"1-A-1-L1\","
             "\"platform\":\"infinera-flexils\"}},"
             "{\"id\":\"g\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-4-T3\","
             "\"role\":\"ols-add-drop\",\"label\":\"g30\",\"peer\":{\"node\":\"x\","
             "\"port\":\"port-1/2/1\",\"platform\":\"infinera-g30\",\"serial\":\"RO12345\"}}]",
             false, &ops, &err),
        LP_OK);
    assert_int_equal(json_array_size(ops), 0);
    json_decref(ops);
    element_free(&e);
}

static void
golden_ports(void **state)
{
    struct element e;

    (void)state;
    element_init(&e, mil1, LP_COUNT(mil1));
    expect(&e, "port_label_and_state",
           "[{\"id\":\"p1\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-3-T1\","
           "\"label\":\"spare, do not use\",\"admin\":\"down\"},"
           "{\"id\":\"p2\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-5-L1\","
           "\"admin\":\"up\"},"
           "{\"id\":\"p3\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-3-T2\","
           "\"admin\":\"maintenance\"}]");
    element_free(&e);
}

/* A port with all its indices taken refuses, and says which port. */
static void
no_super_channel_is_left(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct element e;
    json_t *ops = NULL;
    char record[80];

    (void)state;
    element_init(&e, mil1, LP_COUNT(mil1));
    for (int i = 1; i <= FX_SCH_MAX; i++) {
        (void)snprintf(record, sizeof record, "1-A-3-T1-%d:SCH:SHUTTERSTATE=OPEN:IS-NR", i);
        element_add(&e, FX_SCH, record);
    }
    assert_int_equal(
        plan(&e,
             "[{\"id\":\"c\",\"present\":true,\"kind\":\"circuit\",\"name\":\"LP 42\",\"label\":"
             "\"f001c03\",\"a\":{\"port\":\"1-A-3-T1\"},\"z\":{\"node\":\"lp.rom1\",\"port\":"
             "\"1-A-5-T2\"},\"route\":[{\"node\":\"lp.mil1\",\"port\":\"1-A-1-L1\"},{\"node\":"
             "\"lp.rom1\",\"port\":\"1-A-2-L1\"}],\"low_mhz\":193450000,\"high_mhz\":193550000,"
             "\"carriers\":[{\"center_mhz\":193500000,\"width_mhz\":37500}]}]",
             false, &ops, &err),
        LP_CONFLICT);
    assert_non_null(strstr(err.msg, "no free super-channel on 1-A-3-T1 (1..128)"));
    assert_string_equal(lp_json_str(err.detail, "code", ""), "OPT-063");
    lp_err_clear(&err);
    json_decref(ops);
    element_free(&e);
}

static void
golden_circuits(void **state)
{
    static const char circuit[] =
        "\"kind\":\"circuit\",\"name\":\"LP 42\",\"label\":\"f001c03\",\"a\":{\"port\":"
        "\"1-A-3-T1\"},\"z\":{\"node\":\"lp.rom1\",\"port\":\"1-A-5-T2\"},\"route\":["
        "{\"node\":\"lp.mil1\",\"port\":\"1-A-1-L1\"},{\"node\":\"lp.fir1\",\"port\":\"1-A-2-L1\"},"
        "{\"node\":\"lp.fir1\",\"port\":\"1-A-1-L1\"},{\"node\":\"lp.rom1\",\"port\":\"1-A-2-L1\"}"
        "],\"low_mhz\":193450000,\"high_mhz\":193550000,"
        "\"carriers\":[{\"center_mhz\":193500000,\"width_mhz\":37500}]}]";
    char intents[2048];
    struct element e;

    (void)state;
    element_init(&e, mil1, LP_COUNT(mil1));
    element_add(&e, FX_SCH, "1-A-3-T1-1:SCH:SHUTTERSTATE=OPEN:IS-NR");
    element_add(&e, FX_SCH, "1-A-3-T12-2:SCH:SHUTTERSTATE=OPEN:IS-NR");
    element_add(&e, FX_OSNC,
                "1-A-3-T1-2::REMENDPOINT=1-A-5-T2-1,REMNODETID=lp.rom1,"
                "CKTIDSUFFIX=LP_41,OELAID=x:IS-NR");
    (void)snprintf(intents, sizeof intents,
                   "[{\"id\":\"s\",\"kind\":\"shutter\",\"present\":true,\"open\":true,"
                   "\"port\":\"1-A-3-T1\",\"circuit\":\"LP 42\"},"
                   "{\"id\":\"c\",\"present\":true,%s",
                   circuit);
    expect(&e, "circuit_create", intents);
    element_add(&e, FX_OEL,
                "old-route:OEL:LABEL=\\\"mil-rom\\\",SRCNODENAME=lp.mil1,DSTNODENAME=lp.rom1,"
                "EXPLICITROUTE=lp.mil1&1-A-2-L1&lp.rom1&1-A-3-L1,"
                "VALIDFRANGELIST=191325000&196125000,OELSOURCE=MANUAL:IS-NR");
    element_add(&e, FX_OSNC,
                "1-A-3-T1-3::LABEL=\\\"f001c01\\\",REMENDPOINT=1-A-5-T2-2,REMNODETID=lp.rom1,"
                "OELAID=old-route,CKTIDSUFFIX=LP_42,PASSBANDLIST=193400000&193500000,"
                "CARRIERLIST=193450000&37500:IS-NR");
    (void)snprintf(intents, sizeof intents, "[{\"id\":\"c\",\"present\":true,%s", circuit);
    expect(&e, "circuit_modify", intents);
    (void)snprintf(intents, sizeof intents, "[{\"id\":\"c\",\"present\":false,%s", circuit);
    expect(&e, "circuit_delete", intents);
    element_free(&e);
}

#define MOVED(id, present, name, low, high)                                                        \
    "{\"id\":\"" id "\",\"kind\":\"circuit\",\"present\":" present ",\"name\":\"" name             \
    "\",\"label\":\"l\",\"a\":{\"port\":\"1-A-3-T1\"},\"z\":{\"node\":\"lp.rom1\",\"port\":"       \
    "\"1-A-5-T2\"},\"route\":[{\"node\":\"lp.mil1\",\"port\":\"1-A-2-L1\"},{\"node\":"             \
    "\"lp.rom1\",\"port\":\"1-A-3-L1\"}],\"low_mhz\":" low ",\"high_mhz\":" high "}"

/* Make before break: what goes, goes behind all that comes, and leaves the route they share. */
static void
D16_a_retired_circuit_goes_last(void **state)
{
    static const char intents[] =
        "[" MOVED("a", "false,\"retire\":true", "LP 42", "193400000",
                  "193500000") ","
                               "{\"id\":\"as\",\"kind\":\"shutter\",\"present\":false,\"retire\":"
                               "true,\"open\":true,"
                               "\"port\":\"1-A-3-T1\",\"circuit\":\"LP 42\"}," MOVED(
                                   "b", "true", "LP 42.2", "193500000",
                                   "193600000") ","
                                                "{\"id\":\"bs\",\"kind\":\"shutter\",\"present\":"
                                                "true,\"open\":true,\"port\":\"1-A-3-T1\","
                                                "\"circuit\":\"LP 42.2\"}]";
    struct lp_err err = LP_ERR_INIT;
    json_t *ops = NULL;
    struct element e;
    char *text, *opened, *closed;

    (void)state;
    element_init(&e, mil1, LP_COUNT(mil1));
    element_add(&e, FX_SCH, "1-A-3-T1-3:SCH:SHUTTERSTATE=OPEN:IS-NR");
    element_add(&e, FX_OEL,
                "old-route:OEL:LABEL=\\\"mil-rom\\\",SRCNODENAME=lp.mil1,DSTNODENAME=lp.rom1,"
                "EXPLICITROUTE=lp.mil1&1-A-2-L1&lp.rom1&1-A-3-L1,"
                "VALIDFRANGELIST=191325000&196125000,OELSOURCE=MANUAL:IS-NR");
    element_add(&e, FX_OSNC,
                "1-A-3-T1-3::LABEL=\\\"l\\\",REMENDPOINT=1-A-5-T2-2,REMNODETID=lp.rom1,"
                "OELAID=old-route,CKTIDSUFFIX=LP_42,PASSBANDLIST=193400000&193500000,"
                "CARRIERLIST=193450000&100000:IS-NR");
    if (plan(&e, intents, false, &ops, &err) != LP_OK)
        fail_msg("%s", err.msg);
    text = summary(ops);
    opened = strstr(text, "ED-SCH:lp.mil1:1-A-3-T1-1:*:::SHUTTERSTATE=OPEN");
    closed = strstr(text, "ED-SCH:lp.mil1:1-A-3-T1-3:*:::SHUTTERSTATE=CLOSED");
    assert_non_null(opened);
    assert_non_null(closed);
    assert_true(strstr(text, "ENT-OSNC:lp.mil1:1-A-3-T1-1:*") < opened);
    assert_true(opened < closed);
    assert_true(closed < strstr(text, "DLT-OSNC:lp.mil1:1-A-3-T1-3:*"));
    assert_null(strstr(text, "DLT-OEL:lp.mil1:old-route"));
    free(text);
    json_decref(ops);
    element_free(&e);
}

static void
golden_cross_connects(void **state)
{
    static const char cross[] = "\"kind\":\"cross-connect\",\"name\":\"LP-17\",\"label\":\"dark "
                                "17\",\"from\":\"1-A-3-T1\",\"to\":\"1-A-4-S1\",\"low_mhz\":"
                                "193450000,\"high_mhz\":193550000}]";
    char intents[1024];
    struct element e;

    (void)state;
    element_init(&e, mil1, LP_COUNT(mil1));
    (void)snprintf(intents, sizeof intents, "[{\"id\":\"x\",\"present\":true,%s", cross);
    expect(&e, "cross_connect_create", intents);
    element_add(&e, FX_OCRS,
                "1-A-4-S1-1,1-A-3-T1-1:2WAY:LABEL=\\\"dark 17\\\",SIGTYPE=MANUAL,CKTIDSUFFIX=LP-17,"
                "PASSBANDLIST=193450000&193550000,CARRIERLIST=193500000&100000:IS-NR");
    (void)snprintf(intents, sizeof intents, "[{\"id\":\"x\",\"present\":false,%s", cross);
    expect(&e, "cross_connect_delete", intents);
    element_free(&e);
}

/* An FMMC12 is cabled into an FBM: circuits of its ports use the FBM's. */
static void
circuits_of_cascaded_multiplexers(void **state)
{
    static const char intents[] =
        "[{\"id\":\"c\",\"kind\":\"circuit\",\"present\":true,\"name\":\"LP 9\",\"label\":\"l\","
        "\"a\":{\"port\":\"1-A-9-T4\"},\"z\":{\"node\":\"lp.fir1\",\"port\":\"1-A-5-T1\"},"
        "\"route\":[{\"node\":\"lp.mil1\",\"port\":\"1-A-2-L1\"},{\"node\":\"lp.fir1\",\"port\":"
        "\"1-A-2-L1\"}],\"low_mhz\":193450000,\"high_mhz\":193550000},"
        "{\"id\":\"s\",\"kind\":\"shutter\",\"present\":true,\"open\":true,\"port\":\"1-A-9-T4\","
        "\"circuit\":\"LP 9\"}]";
    struct lp_err err = LP_ERR_INIT;
    json_t *ops = NULL;
    struct element e;
    char *text;

    (void)state;
    element_init(&e, mil1, LP_COUNT(mil1));
    assert_int_equal(plan(&e, intents, false, &ops, &err), LP_OK);
    text = summary(ops);
    assert_non_null(strstr(text, "ENT-OSNC:lp.mil1:1-A-6-T1-1:*"));
    assert_non_null(strstr(text, "RMV-SCH:lp.mil1:1-A-6-T1-1:*"));
    assert_null(strstr(text, "1-A-9-T4"));
    free(text);
    json_decref(ops);
    json_object_del(e.classes[FX_SCG], "1-A-6-T1");
    assert_int_equal(plan(&e, intents, false, &ops, &err), LP_NOT_FOUND);
    assert_non_null(strstr(err.msg, "MA0123456789/1-A-9-L1"));
    lp_err_clear(&err);
    element_free(&e);
}

static void
power_is_waited_for_when_it_does_not_fit(void **state)
{
    static const struct {
        const char *power;
        size_t operations;
    } cases[] = {{"{\"difference_cdb\":150}", 0},
                 {"{\"difference_cdb\":-150}", 0},
                 {"{\"difference_cdb\":151}", 1},
                 {NULL, 1}};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_err err = LP_ERR_INIT;
        json_t *ops = NULL;
        struct element e;

        element_init(&e, mil1, LP_COUNT(mil1));
        e.power = cases[i].power != NULL ? load(cases[i].power) : NULL;
        assert_int_equal(plan(&e,
                              "[{\"id\":\"p\",\"kind\":\"power\",\"present\":true,\"port\":"
                              "\"1-A-3-T1\",\"circuit\":\"LP 42\",\"tolerance_cdb\":150}]",
                              false, &ops, &err),
                         LP_OK);
        assert_int_equal(json_array_size(ops), cases[i].operations);
        json_decref(ops);
        element_free(&e);
    }
}

/* A label that another circuit of the plan needs too: indices are not handed out twice. */
static void
two_circuits_of_one_plan_get_two_indices(void **state)
{
    static const char one[] =
        "{\"id\":\"%s\",\"kind\":\"circuit\",\"present\":true,\"name\":\"%s\",\"label\":\"l\","
        "\"a\":{\"port\":\"1-A-3-T1\"},\"z\":{\"node\":\"lp.fir1\",\"port\":\"1-A-5-T1\"},"
        "\"route\":[{\"node\":\"lp.mil1\",\"port\":\"1-A-1-L1\"},{\"node\":\"lp.fir1\",\"port\":"
        "\"1-A-2-L1\"}],\"low_mhz\":%d,\"high_mhz\":%d}";
    struct lp_buf intents = LP_BUF_INIT;
    struct lp_err err = LP_ERR_INIT;
    json_t *ops = NULL;
    struct element e;
    char *text;

    (void)state;
    lp_buf_char(&intents, '[');
    lp_buf_printf(&intents, one, "c1", "A", 193400000, 193450000);
    lp_buf_char(&intents, ',');
    lp_buf_printf(&intents, one, "c2", "B", 193450000, 193500000);
    lp_buf_char(&intents, ']');
    element_init(&e, mil1, LP_COUNT(mil1));
    assert_int_equal(plan(&e, intents.data, false, &ops, &err), LP_OK);
    text = summary(ops);
    assert_non_null(strstr(text, "ENT-OSNC:lp.mil1:1-A-3-T1-1:*"));
    assert_non_null(strstr(text, "ENT-OSNC:lp.mil1:1-A-3-T1-2:*"));
    assert_non_null(strstr(text, "REMENDPOINT=1-A-5-T1-1,"));
    assert_non_null(strstr(text, "REMENDPOINT=1-A-5-T1-2,"));
    assert_non_null(strstr(text, "ENT-OEL")); /* one route for both */
    assert_null(strstr(strstr(text, "> ENT-OEL") + 5, "   > ENT-OEL:"));
    free(text);
    json_decref(ops);
    lp_buf_free(&intents);
    element_free(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_fiber_ends),
        cmocka_unit_test(a_fiber_end_that_is_so_plans_nothing),
        cmocka_unit_test(golden_ports),
        cmocka_unit_test(golden_circuits),
        cmocka_unit_test(no_super_channel_is_left),
        cmocka_unit_test(D16_a_retired_circuit_goes_last),
        cmocka_unit_test(golden_cross_connects),
        cmocka_unit_test(circuits_of_cascaded_multiplexers),
        cmocka_unit_test(power_is_waited_for_when_it_does_not_fit),
        cmocka_unit_test(two_circuits_of_one_plan_get_two_indices),
    };

    return LP_RUN_TESTS(tests);
}
