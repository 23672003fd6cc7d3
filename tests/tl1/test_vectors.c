/* The vectors every TL1 receiver must pass, and the traps of real streams. Each stream is fed
 * whole, byte by byte and in odd pieces. */
#include <string.h>

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
vector_11_types_come_from_the_name(void **state)
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
        cmocka_unit_test(vector_11_types_come_from_the_name),
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
    };

    return LP_RUN_TESTS(tests);
}
