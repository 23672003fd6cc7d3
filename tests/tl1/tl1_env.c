#include "tests/tl1/tl1_env.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void
tl1_env_print(struct lp_buf *out, const struct lp_tl1_message *message)
{
    json_t *json = lp_tl1_message_json(message);

    assert(json != NULL);
    lp_buf_json(out, json);
    lp_buf_char(out, '\n');
    json_decref(json);
}

static enum lp_code
note(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    (void)err;
    tl1_env_print(arg, message);
    return LP_OK;
}

static size_t
next_piece(size_t piece, uint64_t *seed)
{
    if (piece > 0)
        return piece;
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return 1 + (size_t)(*seed >> 33) % 40;
}

enum lp_code
tl1_env_run(const struct lp_tl1_rx_options *options, const char *sent, const char *bytes,
            size_t len, size_t piece, uint64_t *seed, bool end, struct lp_buf *out)
{
    struct lp_tl1_rx *rx = lp_tl1_rx_new(options);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = LP_OK;

    assert(rx != NULL);
    if (sent != NULL)
        lp_tl1_rx_sent(rx, sent, strlen(sent));
    for (size_t at = 0; at < len && rc == LP_OK;) {
        size_t take = next_piece(piece, seed);
        char *copy;

        take = take < len - at ? take : len - at;
        copy = malloc(take); /* of its own size, so that a sanitizer sees a read behind it */
        assert(copy != NULL);
        memcpy(copy, bytes + at, take);
        rc = lp_tl1_rx_feed(rx, copy, take, note, out, &err);
        free(copy);
        at += take;
    }
    if (rc == LP_OK && end)
        rc = lp_tl1_rx_end(rx, note, out, &err);
    if (rc != LP_OK)
        lp_buf_printf(out, "%s: %s\n", lp_code_info(rc)->slug, err.msg);
    lp_err_clear(&err);
    lp_tl1_rx_free(rx);
    return rc;
}
