/* Server-sent events: the same bytes give the same events however they are cut. */
#include <assert.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wire/sse.h"

static enum lp_code
note(void *arg, const struct lp_sse_event *event, struct lp_err *err)
{
    struct lp_buf *seen = arg;

    (void)err;
    assert(event->name[0] != '\0');
    lp_buf_str(seen, event->name);
    lp_buf_char(seen, '\1');
    lp_buf_str(seen, event->id);
    lp_buf_char(seen, '\1');
    lp_buf_str(seen, event->data);
    lp_buf_char(seen, '\2');
    return LP_OK;
}

static enum lp_code
feed(const char *bytes, size_t size, size_t piece, struct lp_buf *seen)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_sse sse;
    enum lp_code rc = LP_OK;

    lp_sse_init(&sse);
    for (size_t at = 0; at < size && rc == LP_OK; at += piece)
        rc = lp_sse_feed(&sse, bytes + at, size - at < piece ? size - at : piece, note, seen, &err);
    lp_sse_free(&sse);
    lp_err_clear(&err);
    return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_buf whole = LP_BUF_INIT, pieces = LP_BUF_INIT;
    enum lp_code rc = feed((const char *)data, size, size + 1, &whole);

    assert(rc == feed((const char *)data, size, size > 0 ? data[0] % 7 + 1u : 1, &pieces));
    assert(whole.len == pieces.len);
    assert(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
    lp_buf_free(&whole);
    lp_buf_free(&pieces);
    return 0;
}
