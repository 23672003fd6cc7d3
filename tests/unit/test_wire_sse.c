/* Server-sent events: the standard's examples, every cut, hostile streams. */
#include <string.h>

#include "tests/support/test_main.h"
#include "wire/sse.h"

struct log {
    struct lp_buf text;
};

static enum lp_code
note(void *arg, const struct lp_sse_event *event, struct lp_err *err)
{
    struct log *log = arg;

    (void)err;
    lp_buf_printf(&log->text, "(%s|%s|%s)", event->name, event->id, event->data);
    return LP_OK;
}

/* Feeds the text in pieces of `piece` bytes and compares the events. */
static void
feed(const char *text, size_t piece, const char *expected)
{
    struct lp_sse sse;
    struct log log = {.text = LP_BUF_INIT};
    struct lp_err err = LP_ERR_INIT;
    size_t len = strlen(text);

    lp_sse_init(&sse);
    for (size_t at = 0; at < len; at += piece)
        assert_int_equal(
            lp_sse_feed(&sse, text + at, len - at < piece ? len - at : piece, note, &log, &err),
            LP_OK);
    assert_string_equal(log.text.data != NULL ? log.text.data : "", expected);
    lp_sse_free(&sse);
    lp_buf_free(&log.text);
}

static void
every_cut_gives_the_same_events(void **state)
{
    static const char *const cases[][2] = {
        {"data: YHOO\ndata: +2\ndata: 10\n\n", "(message||YHOO\n+2\n10)"},
        {": comment\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
         "(message|1|first)(message||second)(message|| third)"},
        {"data\n\ndata\ndata\n\ndata:", "(message||)(message||\n)"},
        {"event: add\r\ndata: 7\r\n\r\nevent: x\r\rdata: y\r\r", "(add||7)(message||y)"},
        {"\xef\xbb\xbf"
         "data: bom\n\n",
         "(message||bom)"},
        {"id: 41\nretry: 10\nfoo: bar\ndata: {\"a\": 1}\n\n", "(message|41|{\"a\": 1})"},
        {"id: 5\n\ndata: later\n\n", "(message|5|later)"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        for (size_t piece = 1; piece < 12; piece++)
            feed(cases[i][0], piece, cases[i][1]);
    }
}

static void
too_large_ends_it(void **state)
{
    struct lp_sse sse;
    struct log log = {.text = LP_BUF_INIT};
    struct lp_err err = LP_ERR_INIT;
    char block[4096];
    enum lp_code rc = LP_OK;

    (void)state;
    memset(block, 'x', sizeof block);
    lp_sse_init(&sse);
    for (int i = 0; i < 1000 && rc == LP_OK; i++)
        rc = lp_sse_feed(&sse, block, sizeof block, note, &log, &err);
    assert_int_equal(rc, LP_TOO_LARGE);
    assert_int_equal(lp_sse_feed(&sse, "\n", 1, note, &log, &err), LP_PROTOCOL);
    lp_sse_free(&sse);
    lp_buf_free(&log.text);
}

static void
many_data_lines_are_limited_too(void **state)
{
    struct lp_sse sse;
    struct log log = {.text = LP_BUF_INIT};
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = LP_OK;

    (void)state;
    lp_sse_init(&sse);
    for (int i = 0; i < 200000 && rc == LP_OK; i++)
        rc = lp_sse_feed(&sse, "data: 0123456789\n", 17, note, &log, &err);
    assert_int_equal(rc, LP_TOO_LARGE);
    lp_sse_free(&sse);
    lp_buf_free(&log.text);
}

static void
only_text_is_let_through(void **state)
{
    struct lp_sse sse;
    struct log log = {.text = LP_BUF_INIT};
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    lp_sse_init(&sse);
    assert_int_equal(lp_sse_feed(&sse, "data: \xff\n\n", 9, note, &log, &err), LP_PROTOCOL);
    lp_sse_free(&sse);
    lp_buf_free(&log.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_events),
        cmocka_unit_test(too_large_ends_it),
        cmocka_unit_test(many_data_lines_are_limited_too),
        cmocka_unit_test(only_text_is_let_through),
    };

    return LP_RUN_TESTS(tests);
}
