/* TL1: the same bytes give the same messages however they are cut; what a parser took and a builder
 * takes again is equal; commands likewise. The first byte chooses the pieces, the second the
 * limits. */
#include <assert.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wire/telnet.h"
#include "wire/tl1.h"

struct run {
    struct lp_buf seen;
    struct lp_tl1_scratch scratch, again;
};

static void
same_blocks(const struct lp_tl1_block *a, const struct lp_tl1_block *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(a[i].count == b[i].count);
        for (size_t k = 0; k < a[i].count; k++) {
            assert(strcmp(a[i].params[k].value, b[i].params[k].value) == 0);
            assert((a[i].params[k].name == NULL) == (b[i].params[k].name == NULL));
        }
    }
}

static void
record_again(struct run *run, const struct lp_tl1_record *record)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_buf text = LP_BUF_INIT;
    struct lp_tl1_record back;

    if (lp_tl1_record_put(&text, record, &err) == LP_OK) {
        assert(lp_tl1_record_parse(text.data == NULL ? "" : text.data, text.len, &run->again, &back,
                                   &err)
               == LP_OK);
        assert(back.count == record->count);
        same_blocks(record->blocks, back.blocks, back.count);
    }
    lp_err_clear(&err);
    lp_buf_free(&text);
}

static enum lp_code
note(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    struct run *run = arg;
    json_t *json = lp_tl1_message_json(message);
    struct lp_tl1_record record;

    assert(json != NULL);
    lp_buf_json(&run->seen, json);
    json_decref(json);
    for (size_t i = 0; i < message->line_count; i++)
        if (message->lines[i].kind == LP_TL1_LINE_RECORD) {
            assert(lp_tl1_message_record(message, i, &run->scratch, &record, err) == LP_OK);
            (void)lp_tl1_record_admin(&record);
            record_again(run, &record);
        }
    return LP_OK;
}

static enum lp_code
receive(const char *bytes, size_t size, size_t piece, size_t limit, struct run *run)
{
    const struct lp_tl1_rx_options options = {
        .max_message = 64 + limit * 32, .max_line = 16 + limit * 8, .max_garbage = 8};
    struct lp_tl1_rx *rx = lp_tl1_rx_new(&options);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = LP_OK;

    assert(rx != NULL);
    lp_tl1_rx_sent(rx, "RTRV-OTS:n1::L00001::::;", 24);
    for (size_t at = 0; at < size && rc == LP_OK; at += piece)
        rc = lp_tl1_rx_feed(rx, bytes + at, size - at < piece ? size - at : piece, note, run, &err);
    if (rc == LP_OK)
        rc = lp_tl1_rx_end(rx, note, run, &err);
    lp_tl1_rx_free(rx);
    lp_err_clear(&err);
    return rc;
}

static enum lp_code
command(void *arg, const char *text, size_t len, struct lp_err *err)
{
    struct run *run = arg;
    struct lp_err bad = LP_ERR_INIT;
    struct lp_buf built = LP_BUF_INIT;
    struct lp_tl1_command parsed, back;

    (void)err;
    lp_buf_printf(&run->seen, "[%zu]", len);
    if (text != NULL && lp_tl1_command_parse(text, len, &run->scratch, &parsed, &bad) == LP_OK
        && lp_tl1_command_put(&built, &parsed, &bad) == LP_OK) {
        assert(lp_tl1_command_parse(built.data, built.len, &run->again, &back, &bad) == LP_OK);
        assert(parsed.block_count == back.block_count);
        same_blocks(&parsed.aids, &back.aids, 1);
        same_blocks(parsed.blocks, back.blocks, back.block_count);
    }
    lp_err_clear(&bad);
    lp_buf_free(&built);
    return LP_OK;
}

static void
commands(const char *bytes, size_t size, size_t piece, struct run *run)
{
    struct lp_tl1_input input;
    struct lp_err err = LP_ERR_INIT;

    lp_tl1_input_init(&input, 512);
    for (size_t at = 0; at < size; at += piece)
        assert(lp_tl1_input_feed(&input, bytes + at, size - at < piece ? size - at : piece, command,
                                 run, &err)
               == LP_OK);
    lp_tl1_input_free(&input);
}

/* Telnet's commands are taken out alike wherever the stream is cut. */
static void
telnet(const char *bytes, size_t size, size_t piece, struct run *run)
{
    struct lp_telnet telnet = {.at = LP_TELNET_DATA};
    char answers[LP_TELNET_MAX_ANSWER], block[32];
    size_t answer_len;

    for (size_t at = 0; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;

        memcpy(block, bytes + at, len);
        len = lp_telnet_strip(&telnet, block, len, answers, &answer_len);
        assert(answer_len <= LP_TELNET_MAX_ANSWER && answer_len % 3 == 0);
        lp_buf_add(&run->seen, block, len);
    }
}

static void
run_free(struct run *run)
{
    lp_buf_free(&run->seen);
    lp_tl1_scratch_free(&run->scratch);
    lp_tl1_scratch_free(&run->again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const secrets[] = {"s3cr3t", NULL};
    struct run whole = {.seen = LP_BUF_INIT}, pieces = {.seen = LP_BUF_INIT};
    const char *bytes = (const char *)data + 2;
    struct lp_buf redacted = LP_BUF_INIT;
    size_t piece;

    if (size < 2)
        return 0;
    size -= 2;
    piece = data[0] % 17 + 1u;
    assert(receive(bytes, size, size + 1, data[1], &whole)
           == receive(bytes, size, piece, data[1], &pieces));
    commands(bytes, size, size + 1, &whole);
    commands(bytes, size, piece, &pieces);
    telnet(bytes, size, 32, &whole);
    telnet(bytes, size, piece, &pieces);
    assert(whole.seen.len == pieces.seen.len);
    assert(whole.seen.len == 0 || memcmp(whole.seen.data, pieces.seen.data, whole.seen.len) == 0);
    lp_tl1_redact(&redacted, bytes, size, secrets);
    assert(redacted.len < 6 || memmem(redacted.data, redacted.len, "s3cr3t", 6) == NULL);
    lp_buf_free(&redacted);
    run_free(&whole);
    run_free(&pieces);
    return 0;
}
