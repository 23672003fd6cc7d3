/* What is built is parsed back equal; any split of a stream gives the same messages. */
#include <string.h>

#include "tests/support/test_main.h"
#include "tests/tl1/tl1_env.h"

#define ROUNDS     20000
#define MAX_PARAMS 12
#define MAX_BLOCKS 6

struct made { /* a random record or command with its storage */
    char names[MAX_BLOCKS][MAX_PARAMS][48];
    char values[MAX_BLOCKS][MAX_PARAMS][24];
    struct lp_tl1_param params[MAX_BLOCKS][MAX_PARAMS];
    struct lp_tl1_block blocks[MAX_BLOCKS];
    size_t count;
};

static unsigned
draw(uint64_t *seed, unsigned below)
{
    return (unsigned)(lp_test_random(seed) % below);
}

/* Text out of what separates, quotes and ends things. */
static void
draw_text(uint64_t *seed, const char *alphabet, char *out, unsigned size)
{
    unsigned len = draw(seed, size), letters = (unsigned)strlen(alphabet);

    for (unsigned i = 0; i < len; i++)
        out[i] = alphabet[draw(seed, letters)];
    out[len] = '\0';
}

/* A block that can be expressed: unique names, nothing positional behind a named text, and a lone
 * empty value is the empty block. */
static void
draw_block(uint64_t *seed, struct made *made, size_t b, bool names)
{
    static const char wild[] = "ab\"\"\\\\:,;&=- TL1>M\xc3\xa9*/";
    struct lp_tl1_block *block = &made->blocks[b];
    bool texts = false;

    block->params = made->params[b];
    block->count = draw(seed, MAX_PARAMS);
    for (size_t i = 0; i < block->count; i++) {
        struct lp_tl1_param *param = &made->params[b][i];
        bool named = names && (texts || draw(seed, 2) == 0);

        (void)snprintf(made->names[b][i], sizeof made->names[b][i], "N%zu_%zu", b, i);
        param->name = named ? made->names[b][i] : NULL;
        param->form = draw(seed, 2) == 0 ? LP_TL1_QUOTED : LP_TL1_BARE;
        draw_text(seed, param->form == LP_TL1_QUOTED ? wild : "abXY019-_.&/", made->values[b][i],
                  sizeof made->values[b][i]);
        param->value = made->values[b][i];
        texts = texts || (named && param->form == LP_TL1_QUOTED);
    }
    if (block->count == 1 && made->params[b][0].name == NULL
        && made->params[b][0].form == LP_TL1_BARE && made->values[b][0][0] == '\0')
        block->count = 0;
}

static void
draw_blocks(uint64_t *seed, struct made *made, size_t least, bool names)
{
    made->count = least + draw(seed, MAX_BLOCKS + 1 - (unsigned)least);
    for (size_t b = 0; b < made->count; b++)
        draw_block(seed, made, b, names);
}

static void
expect_block(const struct lp_tl1_block *a, const struct lp_tl1_block *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->params[i].value, b->params[i].value);
        assert_int_equal(a->params[i].form, b->params[i].form);
        assert_int_equal(a->params[i].name == NULL, b->params[i].name == NULL);
        if (a->params[i].name != NULL)
            assert_string_equal(a->params[i].name, b->params[i].name);
    }
}

static void
records_come_back_equal(void **state)
{
    uint64_t seed = lp_test_seed("records");
    struct lp_tl1_scratch scratch = {.text = NULL};

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct made made;
        struct lp_err err = LP_ERR_INIT;
        struct lp_buf text = LP_BUF_INIT;
        struct lp_tl1_record record, back;

        draw_blocks(&seed, &made, 1, true);
        record = (struct lp_tl1_record){.blocks = made.blocks, .count = made.count};
        assert_int_equal(lp_tl1_record_put(&text, &record, &err), LP_OK);
        assert_int_equal(lp_tl1_record_parse(text.data == NULL ? "" : text.data, text.len, &scratch,
                                             &back, &err),
                         LP_OK);
        assert_int_equal(back.count, record.count);
        for (size_t b = 0; b < record.count; b++)
            expect_block(&record.blocks[b], &back.blocks[b]);
        lp_buf_free(&text);
    }
    lp_tl1_scratch_free(&scratch);
}

static void
draw_command(uint64_t *seed, struct made *made, struct lp_tl1_command *command, char *ctag)
{
    static const char *const codes[] = {"RTRV-OTS", "ENT-OSNC", "RMV-100GBE", "RTRV-PM-SCH",
                                        "OPR-VALROUTE-OEL"};
    static const char *const tids[] = {"lp.mil1", "", "n 1", "a\"b", "x:y;z"};
    uint32_t counter = (uint32_t)lp_test_random(seed);

    draw_blocks(seed, made, 1, true);
    draw_block(seed, made, 0, false); /* the AID block has no names */
    for (size_t b = 0; b < made->count; b++)
        for (size_t i = 0; i < made->blocks[b].count; i++)
            for (char *p = made->values[b][i]; *p != '\0'; p++)
                *p = (char)(*p & 0x7f); /* ASCII only, but for LABEL */
    lp_tl1_ctag_make('L', &counter, ctag);
    *command = (struct lp_tl1_command){
        .code = codes[draw(seed, LP_COUNT(codes))],
        .tid = tids[draw(seed, LP_COUNT(tids))],
        .aids = made->blocks[0],
        .ctag = ctag,
        .blocks = made->blocks + 1,
        .block_count = made->count - 1,
    };
}

struct cut {
    const struct lp_tl1_command *expected;
    unsigned count;
};

static enum lp_code
compare_command(void *arg, const char *text, size_t len, struct lp_err *err)
{
    struct cut *cut = arg;
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_tl1_command back;

    assert_int_equal(lp_tl1_command_parse(text, len, &scratch, &back, err), LP_OK);
    assert_string_equal(back.code, cut->expected->code);
    assert_string_equal(back.tid, cut->expected->tid);
    assert_string_equal(back.ctag, cut->expected->ctag);
    expect_block(&back.aids, &cut->expected->aids);
    assert_int_equal(back.block_count, cut->expected->block_count);
    for (size_t b = 0; b < back.block_count; b++)
        expect_block(&back.blocks[b], &cut->expected->blocks[b]);
    lp_tl1_scratch_free(&scratch);
    cut->count++;
    return LP_OK;
}

static void
commands_come_back_equal_through_any_split(void **state)
{
    uint64_t seed = lp_test_seed("commands");

    (void)state;
    for (int round = 0; round < ROUNDS / 4; round++) {
        struct made made;
        struct lp_tl1_command command;
        char ctag[LP_TL1_CTAG_MAX + 1];
        struct lp_err err = LP_ERR_INIT;
        struct lp_buf text = LP_BUF_INIT;
        struct cut cut = {.expected = &command};
        struct lp_tl1_input input;
        size_t piece = 1 + draw(&seed, 9);

        draw_command(&seed, &made, &command, ctag);
        assert_int_equal(lp_tl1_command_put(&text, &command, &err), LP_OK);
        lp_buf_str(&text, "\r\n");
        lp_tl1_input_init(&input, 0);
        for (size_t at = 0; at < text.len; at += piece)
            assert_int_equal(lp_tl1_input_feed(&input, text.data + at,
                                               text.len - at < piece ? text.len - at : piece,
                                               compare_command, &cut, &err),
                             LP_OK);
        assert_int_equal(cut.count, 1);
        lp_tl1_input_free(&input);
        lp_buf_free(&text);
    }
}

/* ---- streams ---- */

static void
must(enum lp_code rc)
{
    assert_int_equal(rc, LP_OK);
}

static void
put_head(struct lp_buf *out)
{
    struct lp_err err = LP_ERR_INIT;

    must(lp_tl1_put_header(out, "lp.mil1", "27-03-14", "09:12:44", &err));
}

static void
put_body(uint64_t *seed, struct lp_buf *out)
{
    struct lp_err err = LP_ERR_INIT;

    for (unsigned i = draw(seed, 4); i > 0; i--) {
        struct made made;
        struct lp_tl1_record record;

        draw_blocks(seed, &made, 1, true);
        record = (struct lp_tl1_record){.blocks = made.blocks, .count = made.count};
        must(lp_tl1_put_record(out, &record, &err));
    }
    if (draw(seed, 3) == 0)
        must(lp_tl1_put_comment(out, "some text; M  L00001 COMPLD", &err));
}

static void
put_autonomous(uint64_t *seed, struct lp_buf *out)
{
    static const char *const alarms[] = {"*C", "**", "*", "A"};
    struct lp_err err = LP_ERR_INIT;

    put_head(out);
    must(lp_tl1_put_autonomous(out, alarms[draw(seed, 4)], "0007213", "REPT ALM OTS", &err));
    put_body(seed, out);
    lp_tl1_put_end(out, false);
}

/* One response of some blocks, with whatever may stand between them. Returns what it is as JSON
 * text would be too simple a mirror of the code: the count of messages is what is foretold. */
static unsigned
put_response(uint64_t *seed, struct lp_buf *out, uint32_t *counter)
{
    struct lp_err err = LP_ERR_INIT;
    char ctag[LP_TL1_CTAG_MAX + 1];
    unsigned messages = 1;

    lp_tl1_ctag_make('L', counter, ctag);
    if (draw(seed, 4) == 0) {
        must(lp_tl1_put_ack(out, LP_TL1_ACK_IP, ctag, &err));
        messages++;
    }
    for (unsigned more = draw(seed, 3);; more--) {
        put_head(out);
        must(lp_tl1_put_response(out, ctag, more > 0 ? LP_TL1_RTRV : LP_TL1_COMPLD, &err));
        put_body(seed, out);
        lp_tl1_put_end(out, more > 0);
        if (more == 0)
            break;
        for (unsigned i = draw(seed, 2); i > 0; i--, messages++)
            put_autonomous(seed, out);
    }
    lp_buf_str(out, draw(seed, 2) == 0 ? "TL1>>" : "");
    return messages;
}

static unsigned
count_lines(const struct lp_buf *text)
{
    unsigned lines = 0;

    for (size_t i = 0; i < text->len; i++)
        lines += text->data[i] == '\n' ? 1 : 0;
    return lines;
}

static void
any_split_gives_the_same_messages(void **state)
{
    uint64_t seed = lp_test_seed("streams");
    uint32_t counter = 1;

    (void)state;
    for (int round = 0; round < 400; round++) {
        struct lp_buf stream = LP_BUF_INIT, whole = LP_BUF_INIT;
        unsigned messages = 0;

        for (unsigned i = 1 + draw(&seed, 4); i > 0; i--)
            messages += put_response(&seed, &stream, &counter);
        must(tl1_env_run(NULL, NULL, stream.data, stream.len, SIZE_MAX, &seed, true, &whole));
        assert_int_equal(count_lines(&whole), messages);
        for (size_t piece = 0; piece < 5; piece++) {
            struct lp_buf cut = LP_BUF_INIT;

            must(tl1_env_run(NULL, NULL, stream.data, stream.len, piece, &seed, true, &cut));
            assert_string_equal(cut.data, whole.data);
            lp_buf_free(&cut);
        }
        lp_buf_free(&stream);
        lp_buf_free(&whole);
    }
}

/* Damaged streams: bytes lost, changed and doubled; every cut still gives the same. */
static void
damaged_streams_do_not_depend_on_the_split(void **state)
{
    uint64_t seed = lp_test_seed("damage");
    uint32_t counter = 1;

    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct lp_buf stream = LP_BUF_INIT, whole = LP_BUF_INIT, cut = LP_BUF_INIT;
        const struct lp_tl1_rx_options options = {.max_message = 500 + draw(&seed, 2000),
                                                  .max_line = 40 + draw(&seed, 400)};
        enum lp_code rc;

        for (unsigned i = 1 + draw(&seed, 4); i > 0; i--)
            (void)put_response(&seed, &stream, &counter);
        for (unsigned i = draw(&seed, 6); i > 0; i--)
            stream.data[draw(&seed, (unsigned)stream.len)] = "\n;>\"\\ M\0"[draw(&seed, 8)];
        stream.len -= draw(&seed, 20);
        lp_buf_str(&whole, "");
        lp_buf_str(&cut, "");
        rc = tl1_env_run(&options, "RTRV-OTS:n1::L00001;", stream.data, stream.len, SIZE_MAX, &seed,
                         true, &whole);
        assert_int_equal(tl1_env_run(&options, "RTRV-OTS:n1::L00001;", stream.data, stream.len,
                                     draw(&seed, 6), &seed, true, &cut),
                         rc);
        assert_string_equal(cut.data, whole.data);
        lp_buf_free(&stream);
        lp_buf_free(&whole);
        lp_buf_free(&cut);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_equal),
        cmocka_unit_test(commands_come_back_equal_through_any_split),
        cmocka_unit_test(any_split_gives_the_same_messages),
        cmocka_unit_test(damaged_streams_do_not_depend_on_the_split),
    };

    return LP_RUN_TESTS(tests);
}
