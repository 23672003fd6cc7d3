/* Transcripts as files, both ways: what is received gives the expected JSON, and what was parsed is
 * built again byte by byte. NAME.tl1 as an element sent it, NAME.json expected (one line a
 * message), NAME.sent the commands. */
#include <string.h>

#include "tests/support/test_main.h"
#include "tests/tl1/tl1_env.h"

static void
read_file(const char *name, struct lp_buf *out)
{
    char path[512], chunk[4096];
    FILE *file;
    size_t len;

    (void)snprintf(path, sizeof path, "%s/%s", LP_GOLDEN, name);
    file = fopen(path, "re");
    if (file == NULL)
        fail_msg("%s is not there", path);
    while ((len = fread(chunk, 1, sizeof chunk, file)) > 0)
        lp_buf_add(out, chunk, len);
    fclose(file);
}

static void
must(enum lp_code rc)
{
    assert_int_equal(rc, LP_OK);
}

/* The same record line again, byte by byte; all of the message into `out`. */
static void
rebuild_line(const struct lp_tl1_message *message, size_t n, struct lp_buf *out)
{
    const struct lp_tl1_line *line = &message->lines[n];
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_err err = LP_ERR_INIT;
    struct lp_buf again = LP_BUF_INIT;
    struct lp_tl1_record record;
    char text[256];

    if (line->kind == LP_TL1_LINE_RECORD) {
        must(lp_tl1_message_record(message, n, &scratch, &record, &err));
        must(lp_tl1_record_put(&again, &record, &err));
        assert_int_equal(again.len, line->len);
        assert_memory_equal(again.data, message->text + line->at, line->len);
        must(lp_tl1_put_record(out, &record, &err));
    } else {
        assert_int_equal(line->kind, LP_TL1_LINE_COMMENT);
        (void)snprintf(text, sizeof text, "%.*s", (int)line->len, message->text + line->at);
        must(lp_tl1_put_comment(out, text, &err));
    }
    lp_tl1_scratch_free(&scratch);
    lp_buf_free(&again);
}

static enum lp_code
rebuild(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    struct lp_buf *out = arg;

    if (message->kind == LP_TL1_ACKNOWLEDGEMENT)
        return lp_tl1_put_ack(out, message->ack, message->tag, err);
    if (message->sid[0] != '\0')
        must(lp_tl1_put_header(out, message->sid, message->date, message->time, err));
    if (message->kind == LP_TL1_RESPONSE)
        must(lp_tl1_put_response(out, message->tag, message->completion, err));
    else
        must(lp_tl1_put_autonomous(out, message->alarm, message->tag, message->verb, err));
    if (message->error[0] != '\0')
        must(lp_tl1_put_error(out, message->error, err));
    for (size_t i = 0; i < message->line_count; i++)
        rebuild_line(message, i, out);
    lp_tl1_put_end(out, false);
    return LP_OK;
}

/* "blocks":N is the one thing that a joined message does not have any more. */
static void
without_blocks(struct lp_buf *text)
{
    for (char *at = text->data; (at = strstr(at, "\"blocks\":")) != NULL; at += 9)
        at[9] = '1';
}

static void
play(const char *name)
{
    struct lp_buf bytes = LP_BUF_INIT, expected = LP_BUF_INIT, seen = LP_BUF_INIT;
    struct lp_buf built = LP_BUF_INIT, again = LP_BUF_INIT;
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_rx *rx = lp_tl1_rx_new(NULL);
    uint64_t seed = 3;
    char file[64];

    (void)snprintf(file, sizeof file, "%s.tl1", name);
    read_file(file, &bytes);
    (void)snprintf(file, sizeof file, "%s.json", name);
    read_file(file, &expected);
    must(tl1_env_run(NULL, NULL, bytes.data, bytes.len, 0, &seed, true, &seen));
    assert_string_equal(seen.data, expected.data);
    must(lp_tl1_rx_feed(rx, bytes.data, bytes.len, rebuild, &built, &err));
    must(tl1_env_run(NULL, NULL, built.data, built.len, 0, &seed, true, &again));
    without_blocks(&again);
    without_blocks(&expected);
    assert_string_equal(again.data, expected.data);
    lp_tl1_rx_free(rx);
    lp_buf_free(&bytes);
    lp_buf_free(&expected);
    lp_buf_free(&seen);
    lp_buf_free(&built);
    lp_buf_free(&again);
}

static void
the_catalogue_of_commands_is_received_and_built(void **state)
{
    (void)state;
    play("catalogue");
}

static void
events_and_blocks_are_received_and_built(void **state)
{
    (void)state;
    play("events");
}

static void
commands_are_parsed_and_built_byte_by_byte(void **state)
{
    struct lp_buf text = LP_BUF_INIT;
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_err err = LP_ERR_INIT;
    unsigned built = 0, refused = 0;

    (void)state;
    read_file("catalogue.sent", &text);
    for (char *line = text.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        struct lp_tl1_command command;
        struct lp_buf again = LP_BUF_INIT;

        *end = '\0';
        if (lp_tl1_command_parse(line, strlen(line), &scratch, &command, &err) != LP_OK) {
            assert_string_equal(err.pointer, "IBMS"); /* the one without a tag */
            assert_string_equal(command.code, "RTRV-OTS");
            refused++;
            continue;
        }
        must(lp_tl1_command_put(&again, &command, &err));
        assert_string_equal(again.data, line);
        lp_buf_free(&again);
        built++;
    }
    assert_int_equal(built, 45);
    assert_int_equal(refused, 1);
    lp_err_clear(&err);
    lp_tl1_scratch_free(&scratch);
    lp_buf_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_catalogue_of_commands_is_received_and_built),
        cmocka_unit_test(events_and_blocks_are_received_and_built),
        cmocka_unit_test(commands_are_parsed_and_built_byte_by_byte),
    };

    return LP_RUN_TESTS(tests);
}
