/* The command tables of FlexILS: their shape, the exact texts of the catalogue, normal forms. */
#include <string.h>

#include "clients/infinera/flexils/normal.h"
#include "clients/infinera/flexils/plan.h"
#include "tests/support/test_main.h"

static void
tables_are_sound(void **state)
{
    size_t count, params;
    const struct fx_verb_row *rows = fx_verbs(&count);
    const struct fx_param *param = fx_params(&params);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strspn(rows[i].shape, "gpns."), strlen(rows[i].shape));
        assert_true(rows[i].shape[0] == '\0' || rows[i].shape[0] == 'g');
        assert_int_equal(strchr(rows[i].shape, 's') != NULL, rows[i].states != NULL);
        assert_true(strchr(rows[i].shape, 'p') != NULL || rows[i].positional == 0);
        assert_ptr_equal(fx_verb_find(rows[i].object, rows[i].verb), &rows[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[i].code, rows[k].code);
    }
    for (size_t i = 0; i < params; i++) {
        assert_true(param[i].uses != 0);
        assert_true(param[i].values == NULL || param[i].values[0] != '\0');
        assert_ptr_equal(fx_param_find(param[i].object, param[i].name), &param[i]);
    }
    assert_true(fx_maintenance_type("SCG") && fx_maintenance_type("100GBE"));
    assert_false(fx_maintenance_type("XYZ"));
}

/* ---- exact texts ---- */

static const char *const opr[] = {"OPR", "1-UP", "NEND", "RCV", "15-MIN", NULL, NULL};
static const char *const fbm[] = {"FBM"};

static const struct {
    enum fx_class object;
    enum fx_verb verb;
    const char *aid;
    const char *const *positional;
    const char *named; /* JSON */
    const char *state;
    const char *expected;
} texts[] = {
    {FX_TOPONODE, FX_RTRV, NULL, NULL, NULL, NULL, "RTRV-TOPONODE:flex.aa00::*::::;"},
    {FX_OTELINK, FX_RTRV, NULL, NULL, NULL, NULL, "RTRV-OTELINK:flex.aa00::*::::;"},
    {FX_OTEINTF, FX_RTRV, NULL, NULL, NULL, NULL, "RTRV-OTEINTF:flex.aa00::*::::;"},
    {FX_SCG, FX_RTRV, "1-E1-1-T2A", NULL, NULL, NULL, "RTRV-SCG:flex.aa00:1-E1-1-T2A:*::::;"},
    {FX_SCG, FX_RTRV, NULL, fbm, NULL, NULL, "RTRV-SCG:flex.aa00::*::FBM::;"},
    {FX_OTS, FX_RTRV, "1-A-1-L1", NULL, NULL, NULL, "RTRV-OTS:flex.aa00:1-A-1-L1:*::::;"},
    {FX_EQPT, FX_RTRV, "1-E1-1", NULL, NULL, NULL, "RTRV-EQPT:flex.aa00:1-E1-1:*::::;"},
    {FX_OTS, FX_ED_V, "1-A-1-L1", NULL, "{\"LABEL\":\"a, b\"}", NULL,
     "ED-OTS:flex.aa00:1-A-1-L1:*:::LABEL=\"a, b\";"},
    {FX_SCG, FX_ED_V, "1-E1-1-T2A", NULL, NULL, "IS", "ED-SCG:flex.aa00:1-E1-1-T2A:*::::IS;"},
    {FX_SCG, FX_ED_V, "1-E1-1-T2A", NULL, "{\"INTFTYP\":\"MANUALMODE-2\"}", NULL,
     "ED-SCG:flex.aa00:1-E1-1-T2A:*:::INTFTYP=MANUALMODE-2:;"},
    {FX_SCG, FX_ED_V, "1-E1-1-T2A", NULL,
     "{\"PROVOWREMPTP\":\"SN/1-2-1\",\"LABEL\":\"d\",\"HISTSTATS\":\"ENABLED\"}", NULL,
     "ED-SCG:flex.aa00:1-E1-1-T2A:*:::LABEL=\"d\",HISTSTATS=ENABLE,PROVOWREMPTP=\"SN/1-2-1\":;"},
    {FX_SCG, FX_RMV, "1-E1-1-T2A", NULL, NULL, NULL, "RMV-SCG:flex.aa00:1-E1-1-T2A:*::;"},
    {FX_OTS, FX_RST, "1-A-1-L1", NULL, NULL, NULL, "RST-OTS:flex.aa00:1-A-1-L1:*::::;"},
    {FX_OEL, FX_OPR, "mil-rom", NULL, NULL, NULL, "OPR-VALROUTE-OEL:flex.aa00:mil-rom:*::::;"},
    {FX_OEL, FX_DLT, "mil-rom", NULL, NULL, NULL, "DLT-OEL:flex.aa00:mil-rom:*::::;"},
    {FX_OSNC, FX_RTRV, NULL, NULL, "{\"OELAID\":\"o\"}", NULL,
     "RTRV-OSNC:flex.aa00::*:::OELAID=o:;"},
    {FX_OSNC, FX_ED_V, "1-A-3-T1-1", NULL,
     "{\"PASSBANDLIST\":[193400000,193500000],\"CARRIERLIST\":[193450000,37500]}", NULL,
     "ED-OSNC:flex.aa00:1-A-3-T1-1:*:::PASSBANDLIST=193400000&193500000,"
     "CARRIERLIST=193450000&37500:;"},
    {FX_OSNC, FX_ED_V, "1-A-3-T1-1", NULL, NULL, "OOS", "ED-OSNC:flex.aa00:1-A-3-T1-1:*::::OOS;"},
    {FX_OCRS, FX_RTRV, NULL, NULL, "{\"SIGTYPE\":\"SIGNALED\"}", NULL,
     "RTRV-OCRS:flex.aa00::*:::SIGTYPE=SIGNALED:;"},
    {FX_OCRS, FX_DLT, "1-A-4-S1-1,1-A-3-T1-1", NULL, NULL, NULL,
     "DLT-OCRS:flex.aa00:1-A-4-S1-1,1-A-3-T1-1:*::;"},
    {FX_SCH, FX_ED_V, "1-A-3-T1-1", NULL, "{\"SHUTTERSTATE\":\"OPEN\"}", NULL,
     "ED-SCH:flex.aa00:1-A-3-T1-1:*:::SHUTTERSTATE=OPEN:;"},
    {FX_SCH, FX_PM, "1-A-3-T1-1", opr, NULL, NULL,
     "RTRV-PM-SCH:flex.aa00:1-A-3-T1-1:*::OPR,1-UP,NEND,RCV,15-MIN,,;"},
    {FX_ALM, FX_RTRV, NULL, NULL, NULL, NULL, "RTRV-ALM-ALL:flex.aa00::*::,,,,;"},
    {FX_SYS, FX_RTRV, NULL, NULL, NULL, NULL, "RTRV-SYS:flex.aa00::*;"},
    {FX_HDR, FX_RTRV, NULL, NULL, NULL, NULL, "RTRV-HDR:flex.aa00::*;"},
    {FX_RFILE, FX_RTRV, NULL, NULL, "{\"TYPE\":\"SW\"}", NULL,
     "RTRV-RFILE:flex.aa00::*:::TYPE=SW:;"},
};

static void
every_block_has_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        json_auto_t *named = texts[i].named != NULL ? json_loads(texts[i].named, 0, NULL) : NULL;
        const struct fx_request request = {.object = texts[i].object,
                                           .verb = texts[i].verb,
                                           .tid = "flex.aa00",
                                           .aid = texts[i].aid,
                                           .positional = texts[i].positional,
                                           .named = named,
                                           .state = texts[i].state};
        struct lp_arena *arena = lp_arena_new();
        struct lp_err err = LP_ERR_INIT;
        const char *text = NULL;

        if (fx_command_text(arena, &request, &text, &err) != LP_OK)
            fail_msg("%s: %s", texts[i].expected, err.msg);
        assert_string_equal(text, texts[i].expected);
        lp_arena_free(arena);
        lp_err_clear(&err);
    }
}

static void
what_the_tables_do_not_allow_is_refused(void **state)
{
    static const struct {
        enum fx_class object;
        enum fx_verb verb;
        const char *aid, *named, *state, *part;
    } cases[] = {
        {FX_OTS, FX_ED_V, "1-A-1-L1", "{\"NOSUCH\":\"x\"}", NULL, "NOSUCH"},
        {FX_OTS, FX_ED_V, "1-A-1-L1", "{\"DISCNBROTS\":\"x\"}", NULL, "DISCNBROTS"},
        {FX_OTS, FX_ED_V, "1-A-1-L1", "{\"HISTSTATS\":\"MAYBE\"}", NULL, "ENABLE|DISABLE"},
        {FX_OTS, FX_ED_V, "1-A-1-L1", NULL, "IS", "state"},
        {FX_SCG, FX_ED_V, "1-A-3-T1", NULL, "MT", "MT"},
        {FX_OSNC, FX_ENT_V, "1-A-3-T1-1", "{\"LABEL\":\"x\"}", "IS", "REMENDPOINT"},
        {FX_OCRS, FX_DLT, "1-A-3-T1-1", NULL, NULL, "2 identifiers"},
        {FX_OTS, FX_DLT, "1-A-1-L1", NULL, NULL, "no such command"},
        {FX_OTS, FX_ED_V, "1-A-1-L1", "{\"LABEL\":\"a\\nb\"}", NULL, "LABEL"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_auto_t *named = cases[i].named != NULL ? json_loads(cases[i].named, 0, NULL) : NULL;
        const struct fx_request request = {.object = cases[i].object,
                                           .verb = cases[i].verb,
                                           .tid = "n",
                                           .aid = cases[i].aid,
                                           .named = named,
                                           .state = cases[i].state};
        struct lp_arena *arena = lp_arena_new();
        struct lp_err err = LP_ERR_INIT;
        const char *text = NULL;

        assert_int_equal(fx_command_text(arena, &request, &text, &err), LP_INVALID);
        if (strstr(err.msg, cases[i].part) == NULL)
            fail_msg("'%s' does not name '%s'", err.msg, cases[i].part);
        lp_arena_free(arena);
        lp_err_clear(&err);
    }
}

/* ---- normal forms ---- */

static void
equal_things_compare_equal(void **state)
{
    static const struct {
        enum fx_class object;
        const char *name, *a, *b;
        bool same;
    } cases[] = {
        {FX_OTS, "HISTSTATS", "ENABLE", "ENABLED", true},
        {FX_OTS, "HISTSTATS", "disabled", "DISABLE", true},
        {FX_OTS, "HISTSTATS", "ENABLED", "DISABLED", false},
        {FX_OTS, "LABEL", "a", "A", false},
        {FX_OTS, "LABEL", "ENABLE", "ENABLED", false},
        {FX_SCH, "SHUTTERSTATE", "open", "OPEN", true},
        {FX_SCH, "TARGETOPR", "-9.250", "-9.25", true},
        {FX_SCH, "TARGETOPR", "-9.2", "-9.20", true},
        {FX_SCH, "TARGETOPR", "-9.1721", "-9.17", true},
        {FX_OTS, "SPANDIST", "62", "62.0", true},
        {FX_OTS, "SPANDIST", "", "62", false},
        {FX_OSNC, "CARRIERLIST", "193500000&50000&193400000&50000",
         "193400000&50000&193500000&50000", true},
        {FX_OSNC, "PASSBANDLIST", "193450000&193550000", "193450000&193550001", false},
        {FX_OTELINK, "AVAILFREQRANGELIST", "NULL", "", true},
        {FX_OTELINK, "AVAILFREQRANGELIST", "1&2", "1&2&-3&4", false},
        {FX_OEL, "EXPLICITROUTE", "a&1&b&2", "a&1&b&2", true},
        {FX_OSNC, "OELAID",
         "0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123", true},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_auto_t *a = fx_normal(cases[i].object, cases[i].name, cases[i].a);
        json_auto_t *b = fx_normal(cases[i].object, cases[i].name, cases[i].b);

        assert_non_null(a);
        assert_non_null(b);
        if (fx_same_value(cases[i].name, a, b) != cases[i].same)
            fail_msg("%s: %s and %s", cases[i].name, cases[i].a, cases[i].b);
    }
}

static void
states_are_whole_words(void **state)
{
    static const char *const cases[][2] = {
        {"x:OTS::IS-NR", "IS"},           {"x:OTS::IS-ANR", "IS"},
        {"x:OTS::OOS-AU", "IS"},          {"x:OTS::OOS-MA", "OOS"},
        {"x:OTS::OOS-AUMA", "OOS"},       {"x:OTS::OOS-MA,MT", "MT"},
        {"x:OTS::OOS-AUMA,MT&FLT", "MT"}, {"x:OTS::IS-NR,MISMATCH", "IS"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_tl1_scratch scratch = {0};
        struct lp_tl1_record record;
        struct lp_err err = LP_ERR_INIT;
        json_t *object;

        assert_int_equal(
            lp_tl1_record_parse(cases[i][0], strlen(cases[i][0]), &scratch, &record, &err), LP_OK);
        object = fx_object_of(FX_OTS, &record);
        assert_string_equal(lp_json_str(object, "ADMIN", ""), cases[i][1]);
        json_decref(object);
        lp_tl1_scratch_free(&scratch);
    }
}

static void
T16_remote_ports_are_named_by_digits(void **state)
{
    static const char *const cases[][2] = {
        {"port-1/3.1/1.4", "1-3-1-1-4"}, {"port-2/1/1", "2-1-1"}, {"1-4-L1", "1-4-L1"}, {"x", ""}};
    struct lp_arena *arena = lp_arena_new();
    json_auto_t *g30 = json_pack("{s:s, s:s, s:s, s:s}", "node", "lp.g30", "port", "port-1/2/3",
                                 "platform", "infinera-g30", "serial", "RO12345");
    json_auto_t *g42 = json_pack("{s:s, s:s, s:s, s:s}", "node", "lp.g42", "port", "1-4-L1",
                                 "platform", "infinera-g42", "serial", "RO9");

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++)
        assert_string_equal(fx_remote_port(arena, cases[i][0]), cases[i][1]);
    assert_string_equal(fx_remote_of(arena, g30), "RO12345/1-2-3");
    assert_string_equal(fx_remote_of(arena, g42), "lp.g42/1-4-L1");
    lp_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(every_block_has_its_place),
        cmocka_unit_test(what_the_tables_do_not_allow_is_refused),
        cmocka_unit_test(equal_things_compare_equal),
        cmocka_unit_test(states_are_whole_words),
        cmocka_unit_test(T16_remote_ports_are_named_by_digits),
    };

    return LP_RUN_TESTS(tests);
}
