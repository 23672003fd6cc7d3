#include "wire/sse.h"

#include <string.h>

#include "base/json.h"

void
lp_sse_init(struct lp_sse *sse)
{
    memset(sse, 0, sizeof *sse);
}

void
lp_sse_free(struct lp_sse *sse)
{
    lp_buf_free(&sse->line);
    lp_buf_free(&sse->data);
    lp_buf_free(&sse->name);
    memset(sse, 0, sizeof *sse);
}

static void
forget_event(struct lp_sse *sse)
{
    lp_buf_reset(&sse->data);
    lp_buf_reset(&sse->name);
    sse->has_data = false;
}

static enum lp_code
dispatch(struct lp_sse *sse, lp_sse_fn *fn, void *arg, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    if (sse->has_data) { /* an event without data is dropped by the standard */
        struct lp_sse_event event = {
            .name = sse->name.len > 0 ? sse->name.data : "message",
            .id = sse->id,
            .data = sse->data.data != NULL ? sse->data.data : "",
        };
        rc = fn(arg, &event, err);
    }
    forget_event(sse);
    return rc;
}

static void
take_field(struct lp_sse *sse, const char *field, size_t field_len, const char *value)
{
    if (field_len == 4 && memcmp(field, "data", 4) == 0) {
        if (sse->has_data)
            lp_buf_char(&sse->data, '\n');
        lp_buf_str(&sse->data, value);
        sse->has_data = true;
    } else if (field_len == 5 && memcmp(field, "event", 5) == 0) {
        lp_buf_reset(&sse->name);
        lp_buf_str(&sse->name, value);
    } else if (field_len == 2 && memcmp(field, "id", 2) == 0 && strlen(value) < sizeof sse->id) {
        memcpy(sse->id, value, strlen(value) + 1);
    } /* retry and unknown fields: nothing to remember */
}

static enum lp_code
take_line(struct lp_sse *sse, lp_sse_fn *fn, void *arg, struct lp_err *err)
{
    const char *line = sse->line.data != NULL ? sse->line.data : "";
    const char *colon;

    if (sse->line.failed || sse->data.failed || sse->name.failed)
        return lp_fail(err, LP_NOMEM, "no memory for an event");
    if (!lp_utf8_valid(line, sse->line.len))
        return lp_fail(err, LP_PROTOCOL, "the event stream holds bytes that are not UTF-8 text");
    if (!sse->begun && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    sse->begun = true;
    if (*line == '\0')
        return dispatch(sse, fn, arg, err);
    colon = strchr(line, ':');
    if (colon == line)
        return LP_OK; /* a comment: the server's sign of life */
    if (colon == NULL)
        take_field(sse, line, strlen(line), "");
    else
        take_field(sse, line, (size_t)(colon - line), colon[1] == ' ' ? colon + 2 : colon + 1);
    return LP_OK;
}

enum lp_code
lp_sse_feed(struct lp_sse *sse, const char *bytes, size_t len, lp_sse_fn *fn, void *arg,
            struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    if (sse->dead)
        return lp_fail(err, LP_PROTOCOL, "the event stream broke earlier");
    for (size_t i = 0; i < len && rc == LP_OK; i++) {
        bool second_half = sse->after_cr && bytes[i] == '\n';

        sse->after_cr = bytes[i] == '\r';
        if (second_half)
            continue;
        if (bytes[i] == '\n' || bytes[i] == '\r') {
            rc = take_line(sse, fn, arg, err);
            lp_buf_reset(&sse->line);
        } else if (sse->line.len + sse->data.len >= LP_SSE_MAX_EVENT) {
            rc = lp_fail(err, LP_TOO_LARGE, "an event is larger than %d bytes", LP_SSE_MAX_EVENT);
        } else {
            lp_buf_char(&sse->line, bytes[i]);
        }
    }
    sse->dead = rc != LP_OK;
    return rc;
}
