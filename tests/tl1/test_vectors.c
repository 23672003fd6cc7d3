/* The vectors every TL1 receiver must pass, and the traps of real streams. Each stream is fed
 * whole, byte by byte and in odd pieces. */
#include <string.h>

#include "base/json.h"
#include "tests/support/test_main.h"
#include "tests/tl1/tl1_env.h"

#define SENT   "RTRV-SCH:n1:1-A-3-T1-1:L00001::::;"
#define ECHOED SENT "\r\n"
#define HEAD   "\r\n\n   n1 27-03-14 09:00:00\r\n"
#define DONE   "M  L00001 COMPLD\r\n"
#define RECORD "   \"1-A-3-T1-1:SCH:LABEL=\\\"a:b,c=d;\\\",SHUTTERSTATE=OPEN:IS-NR\"\r\n"
#define END    ";\r\nTL1>>"
#define ALARM                                                                                      \
    "\r\n\n   n1 27-03-14 09:00:01\r\n** 77 REPT ALM SCH\r\n"                                      \
    "   \"1-A-3-T1-1,SCH:MJ,LOS,SA,03-14,09-12-44,NEND,RCV:\\\"M  L00001 DENY\\\"\"\r\n;\r\n"

static enum lp_code
note(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    (void)err;
    assert_int_equal(json_array_append_new(arg, lp_tl1_message_json(message)), 0);
    return LP_OK;
}

/* The messages of a stream as JSON; every way to cut it must give the same. */
static json_t *
receive(const char *bytes, bool end, enum lp_code expected)
{
    struct lp_buf whole = LP_BUF_INIT;
    json_t *messages = json_array();
    struct lp_tl1_rx *rx = lp_tl1_rx_new(NULL);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;
    uint64_t seed = 7;

    lp_buf_str(&whole, "");
    assert_int_equal(tl1_env_run(NULL, SENT, bytes, strlen(bytes), SIZE_MAX, &seed, end, &whole),
                     expected);
    for (size_t piece = 0; piece < 9; piece++) {
        struct lp_buf cut = LP_BUF_INIT;

        lp_buf_str(&cut, "");
        (void)tl1_env_run(NULL, SENT, bytes, strlen(bytes), piece, &seed, end, &cut);
        assert_string_equal(cut.data, whole.data);
        lp_buf_free(&cut);
    }
    lp_tl1_rx_sent(rx, SENT, strlen(SENT));
    rc = lp_tl1_rx_feed(rx, bytes, strlen(bytes), note, messages, &err);
    if (rc == LP_OK && end)
        rc = lp_tl1_rx_end(rx, note, messages, &err);
    assert_int_equal(rc, expected);
    lp_err_clear(&err);
    lp_tl1_rx_free(rx);
    lp_buf_free(&whole);
    return messages;
}

static json_t *
member(json_t *messages, size_t n, const char *key)
{
    return json_object_get(json_array_get(messages, n), key);
}

static const char *
text(json_t *messages, size_t n, const char *key)
{
    const char *value = json_string_value(member(messages, n, key));

    return value == NULL ? "" : value;
}

static const char *
named(json_t *messages, size_t n, size_t record, const char *key)
{
    json_t *found = json_array_get(member(messages, n, "records"), record);

    return json_string_value(json_object_get(json_object_get(found, "named"), key));
}

static void
vector_1_a_record_with_separators_in_a_label(void **state)
{
    json_auto_t *got = receive(ECHOED HEAD DONE RECORD END, false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(got), 1);
    assert_string_equal(text(got, 0, "completion"), "COMPLD");
    assert_string_equal(text(got, 0, "source"), "n1");
    assert_string_equal(text(got, 0, "tag"), "L00001");
    assert_int_equal(json_array_size(member(got, 0, "records")), 1);
    assert_string_equal(named(got, 0, 0, "LABEL"), "a:b,c=d;");
    assert_string_equal(named(got, 0, 0, "SHUTTERSTATE"), "OPEN");
}

static void
vector_2_the_next_message_stands_behind_the_prompt(void **state)
{
    json_auto_t *got = receive(ECHOED HEAD DONE RECORD END ALARM, false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(got), 2);
    assert_string_equal(named(got, 0, 0, "LABEL"), "a:b,c=d;");
    assert_string_equal(text(got, 1, "kind"), "autonomous");
    assert_string_equal(text(got, 1, "verb"), "REPT ALM SCH");
    assert_string_equal(text(got, 1, "alarm"), "**");
}

static void
vector_3_an_acknowledgement_goes_before(void **state)
{
    json_auto_t *got = receive(ECHOED "\r\nIP L00001\r\n<\r\n" HEAD DONE RECORD END, false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(got), 2);
    assert_string_equal(text(got, 0, "kind"), "acknowledgement");
    assert_string_equal(text(got, 0, "acknowledgement"), "IP");
    assert_string_equal(text(got, 0, "tag"), "L00001");
    assert_string_equal(text(got, 1, "completion"), "COMPLD");
}

static void
vector_4_an_alarm_that_quotes_a_denial(void **state)
{
    json_auto_t *got = receive(ECHOED ALARM HEAD DONE RECORD END, false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(got), 2);
    assert_string_equal(text(got, 0, "kind"), "autonomous");
    assert_string_equal(text(got, 1, "completion"), "COMPLD");
}

static void
vector_5_the_reply_to_another_command_keeps_its_tag(void **state)
{
    json_auto_t *got = receive(
        ECHOED HEAD "M  L00000 DENY\r\n   IENE\r\n;\r\n" HEAD DONE RECORD END, false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(got), 2);
    assert_string_equal(text(got, 0, "tag"), "L00000");
    assert_string_equal(text(got, 1, "tag"), "L00001");
}

static void
vector_6_two_blocks_with_an_alarm_between(void **state)
{
    json_auto_t *got = receive(ECHOED HEAD "M  L00001 RTRV\r\n" RECORD ">\r\n" ALARM HEAD DONE
                                           "   \"1-A-3-T1-2:SCH::OOS-MA\"\r\n" END,
                               false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(got), 2);
    assert_string_equal(text(got, 0, "kind"), "autonomous");
    assert_string_equal(text(got, 1, "completion"), "COMPLD");
    assert_int_equal(json_array_size(member(got, 1, "records")), 2);
    assert_string_equal(named(got, 1, 0, "SHUTTERSTATE"), "OPEN");
    assert_int_equal(json_integer_value(member(got, 1, "blocks")), 2);
}

static void
vector_7_tag_zero(void **state)
{
    json_auto_t *got =
        receive(HEAD "M  0 DENY\r\n   IBMS\r\n   /*Input, Block MiSsing*/\r\n" END, false, LP_OK);
    (void)state;

    assert_string_equal(text(got, 0, "tag"), "0");
    assert_string_equal(text(got, 0, "error"), "IBMS");
}

static void
vector_8_the_stream_ends_between_two_blocks(void **state)
{
    json_auto_t *got = receive(ECHOED HEAD "M  L00001 RTRV\r\n" RECORD ">\r\n", true, LP_PROTOCOL);

    (void)state;
    assert_int_equal(json_array_size(got), 0);
}

static void
vector_9_a_comment_over_two_lines(void **state)
{
    json_auto_t *got =
        receive(ECHOED HEAD "M  L00001 DENY\r\n   IENE\r\n   /*INPUT, SPECIFIED OBJECT"
                            "\r\n     ENTITY DOES NOT EXIST */\r\n" END,
                false, LP_OK);
    json_t *comments = member(got, 0, "comments");

    (void)state;
    assert_string_equal(text(got, 0, "error"), "IENE");
    assert_int_equal(json_array_size(comments), 1);
    assert_string_equal(json_string_value(json_array_get(comments, 0)),
                        "INPUT, SPECIFIED OBJECT ENTITY DOES NOT EXIST");
}

static void
vector_10_the_source_is_kept_for_the_client_to_compare(void **state)
{
    json_auto_t *got = receive("\r\n\n   n2 2027-03-14 09:00:00\r\n" DONE END, false, LP_OK);
    json_auto_t *two = receive(
        HEAD "M  L00001 RTRV\r\n>\r\n\r\n\n   n2 27-03-14 09:00:00\r\n" DONE END, false, LP_OK);

    (void)state;
    assert_string_equal(text(got, 0, "source"), "n2");
    assert_string_equal(text(got, 0, "date"), "2027-03-14");
    assert_true(json_is_true(member(two, 0, "mixed_sources")));
}

static void
expect_json(const char *name, const char *value, const char *expected)
{
    json_auto_t *json = lp_tl1_value_json(name, value);
    char *dump = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);

    assert_string_equal(dump, expected);
    free(dump);
}

static void
T25_types_come_from_the_name(void **state)
{
    (void)state;
    expect_json("PASSBANDLIST", "193450000&193550000", "[193450000,193550000]");
    expect_json("PASSBANDLIST", "193450000", "[193450000]");
    expect_json("PASSBANDLIST", "", "[]");
    expect_json("AVAILFREQRANGELIST", "191325000&196125000", "[[191325000,196125000]]");
    expect_json("AVAILFREQRANGELIST", "191325000&193450000&-193550000&196125000",
                "[[191325000,193450000],[193550000,196125000]]");
    expect_json("AVAILFREQRANGELIST", "", "[]");
    expect_json("EXPLICITROUTE", "lp.mil1&1-A-1-L1&lp.fir1&1-A-2-L1",
                "[[\"lp.mil1\",\"1-A-1-L1\",\"lp.fir1\",\"1-A-2-L1\"]]");
    expect_json("INCLIST", "a&-b", "[\"a\",\"-b\"]");
    expect_json("INCLIST", "1&&4&7", "[{\"from\":\"1\",\"to\":\"4\"},\"7\"]");
    expect_json("LABEL", "a&b", "\"a&b\"");
    expect_json("TARGETOPR", "-9.25", "\"-9.25\"");
    expect_json("PASSBANDLIST", "NA", "\"NA\"");
    expect_json("CARRIERLIST", "-5&-3", "[-5,-3]");
    expect_json("INCLIST", "&a&", "[\"\",\"a\",\"\"]");
}

static void
vector_12_a_label_with_a_quote_inside(void **state)
{
    json_auto_t *got =
        receive(ECHOED HEAD DONE "   \"1:SCH:LABEL=\\\"a\\\",b\\\",SHUTTERSTATE=OPEN:IS-NR\"\r\n"
                                 "   \"1:SCH:LABEL=\\\"x\\\"y\\\",A=\\\"\\\",B=:IS-NR\"\r\n" END,
                false, LP_OK);

    (void)state;
    assert_string_equal(named(got, 0, 0, "LABEL"), "a\",b");
    assert_string_equal(named(got, 0, 0, "SHUTTERSTATE"), "OPEN");
    assert_string_equal(named(got, 0, 1, "LABEL"), "x\"y");
    assert_string_equal(named(got, 0, 1, "A"), "");
    assert_string_equal(named(got, 0, 1, "B"), "");
}

/* ---- traps ---- */

static void
texts_that_look_like_the_protocol_are_data(void **state)
{
    static const char *const labels[] = {
        "COMPLD", ";",   ">",   "M  L00001 DENY", "TL1>>",
        "a=b",    "a,b", "a:b", "/* x */",        "   n1 27-03-14 09:00:00"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(labels); i++) {
        struct lp_buf bytes = LP_BUF_INIT;
        json_t *got;

        lp_buf_printf(&bytes, HEAD DONE "   \"1:SCH:LABEL=\\\"%s\\\",X=1:IS-NR\"\r\n" END,
                      labels[i]);
        got = receive(bytes.data, false, LP_OK);
        assert_int_equal(json_array_size(got), 1);
        assert_string_equal(named(got, 0, 0, "LABEL"), labels[i]);
        assert_string_equal(named(got, 0, 0, "X"), "1");
        json_decref(got);
        lp_buf_free(&bytes);
    }
}

static void
the_end_needs_no_line_end_and_the_prompt_no_place_of_its_own(void **state)
{
    json_auto_t *plain = receive(HEAD DONE RECORD ";", false, LP_OK);
    json_auto_t *glued = receive(
        HEAD DONE RECORD ";TL1>>TL1>   n1 27-03-14 09:00:02\r\nM  L2 COMPLD\r\n;", false, LP_OK);
    json_auto_t *lf = receive("\n   n1 27-03-14 09:00:00\nM L00001 COMPLD\n;\n", true, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(plain), 1);
    assert_int_equal(json_array_size(glued), 2);
    assert_string_equal(text(glued, 1, "source"), "n1");
    assert_int_equal(json_array_size(lf), 1);
}

static void
a_message_without_header_is_taken(void **state)
{
    json_auto_t *got = receive(DONE RECORD END, false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(got), 1);
    assert_true(json_is_null(member(got, 0, "source")));
}

static void
a_message_that_lost_its_end_is_never_handed_out(void **state)
{
    json_auto_t *got = receive(HEAD DONE RECORD HEAD "M  L00002 COMPLD\r\n" END, false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(got), 1);
    assert_string_equal(text(got, 0, "tag"), "L00002");
    assert_int_equal(json_array_size(member(got, 0, "records")), 0);
}

static void
a_damaged_record_is_named_damaged(void **state)
{
    json_auto_t *open = receive(HEAD DONE "   \"1:SCH:LABEL=\\\"x\r\n" END, false, LP_OK);
    json_auto_t *escaped = receive(HEAD DONE "   \"1:SCH:LABEL=x\\\"\r\n" END, false, LP_OK);
    json_auto_t *comment = receive(HEAD DONE "   /* never closed\r\n" RECORD END, false, LP_OK);

    (void)state;
    assert_int_equal(json_array_size(member(open, 0, "damaged")), 1);
    assert_int_equal(json_array_size(member(escaped, 0, "damaged")), 1);
    assert_int_equal(json_array_size(comment), 1);
    assert_int_equal(json_array_size(member(comment, 0, "records")), 0);
}

static void
garbage_is_counted_and_too_much_of_it_ends_the_stream(void **state)
{
    struct lp_buf bytes = LP_BUF_INIT;
    json_t *got;

    (void)state;
    for (int i = 0; i < 300; i++)
        lp_buf_str(&bytes, "Software License Agreement, legal notice\r\n");
    lp_buf_str(&bytes, "TL1>>" ECHOED HEAD DONE END);
    got = receive(bytes.data, false, LP_OK); /* a banner may be long */
    assert_int_equal(json_array_size(got), 1);
    json_decref(got);
    for (int i = 0; i < 64; i++)
        lp_buf_str(&bytes, "\r\nnonsense");
    got = receive(bytes.data, false, LP_OK);
    json_decref(got);
    lp_buf_str(&bytes, "\r\nnonsense\r\n");
    got = receive(bytes.data, false, LP_PROTOCOL);
    json_decref(got);
    lp_buf_free(&bytes);
}

static void
limits_name_themselves(void **state)
{
    const struct lp_tl1_rx_options options = {.max_message = 4096, .max_line = 256};
    struct lp_buf bytes = LP_BUF_INIT, print = LP_BUF_INIT;
    uint64_t seed = 1;

    (void)state;
    lp_buf_str(&bytes, HEAD DONE);
    for (int i = 0; i < 100; i++)
        lp_buf_str(&bytes, RECORD);
    assert_int_equal(tl1_env_run(&options, NULL, bytes.data, bytes.len, 100, &seed, false, &print),
                     LP_TOO_LARGE);
    assert_non_null(strstr(print.data, "L00001"));
    assert_non_null(strstr(print.data, "4096"));
    lp_buf_reset(&bytes);
    lp_buf_reset(&print);
    for (int i = 0; i < 100; i++)
        lp_buf_str(&bytes, "abcdefgh");
    assert_int_equal(tl1_env_run(&options, NULL, bytes.data, bytes.len, 1, &seed, false, &print),
                     LP_TOO_LARGE);
    assert_non_null(strstr(print.data, "256"));
    lp_buf_free(&bytes);
    lp_buf_free(&print);
}

static void
unfinished_replies_share_the_limit(void **state)
{
    const struct lp_tl1_rx_options options = {.max_message = 64 * 1024};
    struct lp_buf bytes = LP_BUF_INIT, print = LP_BUF_INIT;
    uint64_t seed = 1;

    (void)state;
    for (int tag = 0; tag < 5; tag++) {
        lp_buf_printf(&bytes, "%sM  L%05d RTRV\r\n", HEAD, tag);
        for (int i = 0; i < 500; i++)
            lp_buf_str(&bytes, RECORD);
        lp_buf_str(&bytes, ">\r\n");
    }
    assert_int_equal(tl1_env_run(&options, NULL, bytes.data, bytes.len, 4096, &seed, false, &print),
                     LP_TOO_LARGE);
    lp_buf_free(&bytes);
    lp_buf_free(&print);
}

static void
bytes_outside_utf8_become_question_marks_in_json(void **state)
{
    json_auto_t *got = receive(
        HEAD DONE "   \"1:SCH:LABEL=\\\"Mil\xc3\xa0n \xff\xc3\\\":IS\"\r\n" END, false, LP_OK);

    (void)state;
    assert_string_equal(named(got, 0, 0, "LABEL"), "Mil\xc3\xa0n ??");
}

/* ---- values ---- */

static void
D30_identifiers_are_compared_whole(void **state)
{
    size_t len = 0;
    unsigned index = 0;

    (void)state;
    assert_true(lp_tl1_aid_under("1-A-3-T1-4", "1-A-3-T1"));
    assert_true(lp_tl1_aid_under("1-A-3-T1", "1-A-3-T1"));
    assert_false(lp_tl1_aid_under("1-A-3-T12-4", "1-A-3-T1"));
    assert_false(lp_tl1_aid_under("1-A-3-T1", "1-A-3-T1-4"));
    assert_false(lp_tl1_aid_under("1-A-3-T1", ""));
    assert_true(lp_tl1_aid_split("1-A-3-T1-128", &len, &index));
    assert_int_equal(len, strlen("1-A-3-T1"));
    assert_int_equal(index, 128);
    assert_false(lp_tl1_aid_split("1-A-3-T1", &len, &index));
    assert_false(lp_tl1_aid_split("-4", &len, &index));
    assert_false(lp_tl1_aid_split("1-A-3-T1-", &len, &index));
}

static enum lp_tl1_admin
admin_of(const char *text)
{
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_record record;
    enum lp_tl1_admin admin;

    assert_int_equal(lp_tl1_record_parse(text, strlen(text), &scratch, &record, &err), LP_OK);
    admin = lp_tl1_record_admin(&record);
    lp_tl1_scratch_free(&scratch);
    return admin;
}

static void
states_are_words(void **state)
{
    (void)state;
    assert_int_equal(admin_of("1:SCG::IS-NR"), LP_TL1_ADMIN_IS);
    assert_int_equal(admin_of("1:SCG::IS-ANR,FAF"), LP_TL1_ADMIN_IS);
    assert_int_equal(admin_of("1:SCG::OOS-AU,FLT"), LP_TL1_ADMIN_IS);
    assert_int_equal(admin_of("1:SCG::OOS-MA"), LP_TL1_ADMIN_OOS);
    assert_int_equal(admin_of("1:SCG::OOS-AUMA,FLT"), LP_TL1_ADMIN_OOS);
    assert_int_equal(admin_of("1:SCG::OOS-AUMA,MT&FLT"), LP_TL1_ADMIN_MT);
    assert_int_equal(admin_of("1:SCG::OOS-MA,FLT&MT"), LP_TL1_ADMIN_MT);
    assert_int_equal(admin_of("1:SCG::IS-NR,FMT"), LP_TL1_ADMIN_IS);
    assert_int_equal(admin_of("1:SCG::MISMATCH"), LP_TL1_ADMIN_UNKNOWN);
    assert_int_equal(admin_of("1:SCG:LABEL=x:"), LP_TL1_ADMIN_UNKNOWN);
    assert_int_equal(admin_of("IS"), LP_TL1_ADMIN_UNKNOWN);
}

static void
D17_frequencies_are_integers_and_powers_hundredths(void **state)
{
    static const struct {
        const char *text;
        int32_t value;
    } good[] = {{"-9.25", -925}, {"0", 0},   {"-8.81938", -882}, {"1.5", 150},
                {"+3", 300},     {".5", 50}, {"-0.005", -1},     {"12.", 1200}};
    static const char *const bad[] = {"", "-", ".", "1.2.3", "NA", "1e3", "99999999999", "1,5"};
    int64_t ints[4], pairs[2][2];
    size_t count;
    int32_t value;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_tl1_ints("193450000&193550000", ints, 4, &count, &err), LP_OK);
    assert_int_equal(count, 2);
    assert_int_equal(ints[1], 193550000);
    assert_int_equal(lp_tl1_ints("193500000.0&100000", ints, 4, &count, &err), LP_PROTOCOL);
    assert_int_equal(lp_tl1_ints("1&2&3&4&5", ints, 4, &count, &err), LP_PROTOCOL);
    assert_int_equal(lp_tl1_ints("99999999999999999999", ints, 4, &count, &err), LP_PROTOCOL);
    assert_int_equal(lp_tl1_pairs("1&2&-3&4", pairs, 2, &count, &err), LP_OK);
    assert_true(count == 2 && pairs[1][0] == 3 && pairs[1][1] == 4);
    assert_int_equal(lp_tl1_pairs("", pairs, 2, &count, &err), LP_OK);
    assert_int_equal(count, 0);
    assert_int_equal(lp_tl1_pairs("1&2&-3", pairs, 2, &count, &err), LP_PROTOCOL);
    assert_int_equal(lp_tl1_pairs("1&-2&3&4", pairs, 2, &count, &err), LP_PROTOCOL);
    for (size_t i = 0; i < LP_COUNT(good); i++) {
        assert_int_equal(lp_tl1_hundredths(good[i].text, &value, &err), LP_OK);
        assert_int_equal(value, good[i].value);
    }
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        assert_int_equal(lp_tl1_hundredths(bad[i], &value, &err), LP_PROTOCOL);
    lp_err_clear(&err);
}

/* ---- what cannot be expressed ---- */

static enum lp_code
build_command(const char *name, const char *value, enum lp_tl1_form form, struct lp_buf *out)
{
    const struct lp_tl1_param param = {.name = name, .value = value, .form = form};
    const struct lp_tl1_block blocks[3] = {{.count = 0}, {.count = 0}, {&param, 1}};
    const struct lp_tl1_command command = {
        .code = "ED-SCH", .tid = "n1", .ctag = "L00001", .blocks = blocks, .block_count = 3};
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = lp_tl1_command_put(out, &command, &err);

    if (rc != LP_OK)
        assert_true(err.msg[0] != '\0' && out->len == 0);
    lp_err_clear(&err);
    return rc;
}

static void
builders_quote_where_needed_and_refuse_the_rest(void **state)
{
    static const struct {
        const char *name, *value;
        enum lp_tl1_form form;
        const char *expected; /* NULL: refused */
    } cases[] = {
        {"A", "x", LP_TL1_AUTO, ":::A=x;"},
        {"A", "x y", LP_TL1_AUTO, ":::A=\"x y\";"},
        {"A", "x;y\"\\", LP_TL1_AUTO, ":::A=\"x;y\\\"\\\\\";"},
        {"A", "1&2", LP_TL1_AUTO, ":::A=\"1&2\";"},
        {"PASSBANDLIST", "1&2", LP_TL1_AUTO, ":::PASSBANDLIST=1&2;"},
        {"LABEL", "", LP_TL1_AUTO, ":::LABEL=\"\";"},
        {"LABEL", "x", LP_TL1_AUTO, ":::LABEL=\"x\";"},
        {"LABEL", "Citt\xc3\xa0", LP_TL1_AUTO, ":::LABEL=\"Citt\xc3\xa0\";"},
        {"CKTIDSUFFIX", "LP-1", LP_TL1_AUTO, ":::CKTIDSUFFIX=\"LP-1\";"},
        {"A", "Citt\xc3\xa0", LP_TL1_AUTO, NULL},
        {"A", "x\ny", LP_TL1_AUTO, NULL},
        {"LABEL", "x\x1by", LP_TL1_QUOTED, NULL},
        {"A", "x,y", LP_TL1_BARE, NULL},
        {"A", "x y", LP_TL1_BARE, NULL},
        {"A B", "x", LP_TL1_AUTO, NULL},
        {"", "x", LP_TL1_AUTO, NULL},
        {NULL, "a=b", LP_TL1_BARE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_buf out = LP_BUF_INIT;
        enum lp_code rc = build_command(cases[i].name, cases[i].value, cases[i].form, &out);

        assert_int_equal(rc, cases[i].expected == NULL ? LP_INVALID : LP_OK);
        if (rc == LP_OK)
            assert_string_equal(strstr(out.data, "L00001") + 6, cases[i].expected);
        lp_buf_free(&out);
    }
}

static void
faulty_commands_get_the_code_that_a_node_answers(void **state)
{
    static const char *const cases[][2] = {
        {"RTRV-OTS:n1;", "IBMS"},
        {"123:n1::L1;", "IICM"},
        {"RTRV-OTS:n1::;", "IICT"},
        {"RTRV-OTS:n1::L1234567;", "IICT"},
        {"RTRV-OTS:n1::0;", "IICT"},
        {"ED-OTS:n1:1:L1:::LABEL=\"x;", "ISPC"},
        {"ED-OTS:n1:1:L1:::A=1,A=2;", "IPNC"},
        {"ED-OTS:n1:1:L1:::A=x\x01y;", "ISCH"},
        {"ED-OTS:n1,n2:1:L1;", "IITA"},
        {"ED-OTS:n1:1:L1:::A=\"x\"y;", "ISPC"},
        {"RTRV-OTS:n1:1:L1;DLT-OTS:n1:1:L2;", "ISPC"},
    };
    static const char spread[] = " ed-ots : n1 :\r\n 1 : L1 :::A= \"x y\" ;";
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_tl1_command command;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        assert_int_equal(
            lp_tl1_command_parse(cases[i][0], strlen(cases[i][0]), &scratch, &command, &err),
            LP_INVALID);
        assert_string_equal(err.pointer, cases[i][1]);
    }
    assert_int_equal(lp_tl1_command_parse(spread, strlen(spread), &scratch, &command, &err), LP_OK);
    assert_string_equal(command.code, "ED-OTS");
    assert_string_equal(command.blocks[2].params[0].value, "x y");
    lp_err_clear(&err);
    lp_tl1_scratch_free(&scratch);
}

/* ---- outcomes ---- */

struct judged {
    const struct lp_tl1_command *command;
    enum lp_code rc;
    enum lp_tl1_class found;
    char msg[512];
};

static enum lp_code
judge(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    struct judged *judged = arg;

    judged->rc = lp_tl1_verdict(message, judged->command, "mil1", &judged->found, err);
    (void)snprintf(judged->msg, sizeof judged->msg, "%s", err->msg);
    if (judged->rc != LP_OK && message->completion == LP_TL1_DENY)
        assert_string_equal(lp_json_str(err->detail, "code", ""), "OPT-072");
    lp_err_clear(err);
    return LP_OK;
}

/* A class is what the code says, unless it leaves it to the text; several reasons must agree. */
static void
T26_outcomes_come_from_code_and_text(void **state)
{
    static const struct {
        const char *code, *answer;
        enum lp_code rc;
        enum lp_tl1_class found;
    } cases[] = {
        {"ED-SCH", "M  L1 COMPLD\r\n;", LP_OK, LP_TL1_UNCLEAR},
        {"ED-SCH", "M  L1 DENY\r\n   IENE\r\n;", LP_NOT_FOUND, LP_TL1_NOT_FOUND},
        {"RTRV-OSNC", "M  L1 DENY\r\n   IENE\r\n;", LP_OK, LP_TL1_UNCLEAR},
        {"ED-SCH", "M  L1 DENY\r\n   SNVS\r\n   /*in maintenance, use RST command*/\r\n;",
         LP_REFUSED, LP_TL1_IN_MAINT},
        {"DLT-OEL", "M  L1 DENY\r\n   SROF\r\n   /*OEL is not Locked*/\r\n;", LP_REFUSED,
         LP_TL1_NOT_LOCKED},
        {"DLT-OEL", "M  L1 DENY\r\n   IPNV\r\n   /*ALREADY*/\r\n;", LP_REFUSED, LP_TL1_REJECTED},
        {"DLT-OEL", "M  L1 DENY\r\n   IITA\r\n;", LP_RETRYABLE, LP_TL1_UNREACHABLE},
        {"DLT-OEL", "M  L1 DENY\r\n;", LP_REFUSED, LP_TL1_REJECTED},
        {"DLT-OEL",
         "M  L1 DENY\r\n   MERR\r\n   /*A ALREADY there*/\r\n   /*B ALREADY there*/\r\n;",
         LP_CONFLICT, LP_TL1_ALREADY},
        {"DLT-OEL", "M  L1 DENY\r\n   MERR\r\n   /*A ALREADY there*/\r\n   /*B is wrong*/\r\n;",
         LP_REFUSED, LP_TL1_REJECTED},
        {"DLT-OEL", "M  L1 DENY\r\n   MERR\r\n;", LP_REFUSED, LP_TL1_REJECTED},
        {"DLT-OEL", "M  L1 PRTL\r\n   SROF\r\n;", LP_UNKNOWN, LP_TL1_UNCLEAR},
        {"DLT-OEL", "M  L1 DELAY\r\n;", LP_UNKNOWN, LP_TL1_UNCLEAR},
        {"RTRV-OEL", "M  L1 DELAY\r\n;", LP_PROTOCOL, LP_TL1_UNCLEAR},
        {"RTRV-OEL", "M  L1 RTRV\r\n;", LP_PROTOCOL, LP_TL1_UNCLEAR},
        {"RTRV-OEL", "M  L1 COMPLD\r\n   \"x\r\n;", LP_PROTOCOL, LP_TL1_UNCLEAR},
        {"ED-OEL", "M  L1 COMPLD\r\n   \"x\r\n;", LP_UNKNOWN, LP_TL1_UNCLEAR},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        const struct lp_tl1_command command = {.code = cases[i].code};
        struct judged judged = {.command = &command};
        struct lp_tl1_rx *rx = lp_tl1_rx_new(NULL);
        struct lp_err err = LP_ERR_INIT;

        assert_int_equal(
            lp_tl1_rx_feed(rx, cases[i].answer, strlen(cases[i].answer), judge, &judged, &err),
            LP_OK);
        assert_int_equal(judged.rc, cases[i].rc);
        assert_int_equal(judged.found, cases[i].found);
        if (judged.rc != LP_OK) {
            assert_non_null(strstr(judged.msg, "mil1"));
            assert_non_null(strstr(judged.msg, cases[i].code));
        }
        lp_tl1_rx_free(rx);
    }
    assert_null(lp_tl1_error_find("QQQQ"));
    assert_string_equal(lp_tl1_error_find("IEAE")->text, "named object exists already");
}

static void
alarms_have_their_members(void **state)
{
    static const char text[] =
        "1-A-1-L1,OTS:CR,OLOS,SA,03-14,09-12-44,NEND,RCV:\\\"Optical Loss of Signal\\\",";
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_record record;
    struct lp_tl1_alarm alarm;

    (void)state;
    assert_int_equal(lp_tl1_record_parse(text, strlen(text), &scratch, &record, &err), LP_OK);
    lp_tl1_alarm_of(&record, &alarm);
    assert_string_equal(alarm.aid, "1-A-1-L1");
    assert_string_equal(alarm.type, "OTS");
    assert_string_equal(alarm.notification, "CR");
    assert_string_equal(alarm.condition, "OLOS");
    assert_string_equal(alarm.time, "09-12-44");
    assert_string_equal(alarm.direction, "RCV");
    assert_string_equal(alarm.text, "Optical Loss of Signal");
    assert_int_equal(lp_tl1_record_parse("x", 1, &scratch, &record, &err), LP_OK);
    lp_tl1_alarm_of(&record, &alarm);
    assert_string_equal(alarm.condition, "");
    assert_string_equal(alarm.text, "");
    lp_tl1_scratch_free(&scratch);
}

/* ---- secrets ---- */

static void
D46_secrets_are_taken_out_of_transcripts(void **state)
{
    static const char *const secrets[] = {"hunter2", NULL};
    static const char *const cases[][2] = {
        {"ACT-USER:n1:svc:L1::geheim;RTRV-HDR:n1::L2;",
         "ACT-USER:n1:svc:L1::********;RTRV-HDR:n1::L2;"},
        {"TL1>>act-user:n1:svc:L1::\"a;b\\\"c\";\r\n", "TL1>>act-user:n1:svc:L1::********;\r\n"},
        {"ED-PID:n1:svc:L1::old,new;", "ED-PID:n1:svc:L1::********;"},
        {"SRC=\"sftp://user:pw@host/file\"", "SRC=\"sftp://user:********@host/file\""},
        {"sftp://user:p@ss:w@host/file", "sftp://user:********@host/file"},
        {"sftp://user@host:22/file", "sftp://user@host:22/file"},
        {"http://host:80/a@b", "http://host:80/a@b"},
        {"a hunter2 b", "a ******** b"},
        {"ACT-USER:n1:svc:L1::cut of", "ACT-USER:n1:svc:L1::********"},
        {"RTRV-OTS:n1::L1;", "RTRV-OTS:n1::L1;"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_buf out = LP_BUF_INIT;

        lp_tl1_redact(&out, cases[i][0], strlen(cases[i][0]), secrets);
        assert_string_equal(out.data, cases[i][1]);
        lp_buf_free(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_1_a_record_with_separators_in_a_label),
        cmocka_unit_test(vector_2_the_next_message_stands_behind_the_prompt),
        cmocka_unit_test(vector_3_an_acknowledgement_goes_before),
        cmocka_unit_test(vector_4_an_alarm_that_quotes_a_denial),
        cmocka_unit_test(vector_5_the_reply_to_another_command_keeps_its_tag),
        cmocka_unit_test(vector_6_two_blocks_with_an_alarm_between),
        cmocka_unit_test(vector_7_tag_zero),
        cmocka_unit_test(vector_8_the_stream_ends_between_two_blocks),
        cmocka_unit_test(vector_9_a_comment_over_two_lines),
        cmocka_unit_test(vector_10_the_source_is_kept_for_the_client_to_compare),
        cmocka_unit_test(T25_types_come_from_the_name),
        cmocka_unit_test(vector_12_a_label_with_a_quote_inside),
        cmocka_unit_test(texts_that_look_like_the_protocol_are_data),
        cmocka_unit_test(the_end_needs_no_line_end_and_the_prompt_no_place_of_its_own),
        cmocka_unit_test(a_message_without_header_is_taken),
        cmocka_unit_test(a_message_that_lost_its_end_is_never_handed_out),
        cmocka_unit_test(a_damaged_record_is_named_damaged),
        cmocka_unit_test(garbage_is_counted_and_too_much_of_it_ends_the_stream),
        cmocka_unit_test(limits_name_themselves),
        cmocka_unit_test(unfinished_replies_share_the_limit),
        cmocka_unit_test(bytes_outside_utf8_become_question_marks_in_json),
        cmocka_unit_test(D30_identifiers_are_compared_whole),
        cmocka_unit_test(states_are_words),
        cmocka_unit_test(D17_frequencies_are_integers_and_powers_hundredths),
        cmocka_unit_test(builders_quote_where_needed_and_refuse_the_rest),
        cmocka_unit_test(faulty_commands_get_the_code_that_a_node_answers),
        cmocka_unit_test(T26_outcomes_come_from_code_and_text),
        cmocka_unit_test(alarms_have_their_members),
        cmocka_unit_test(D46_secrets_are_taken_out_of_transcripts),
    };

    return LP_RUN_TESTS(tests);
}
