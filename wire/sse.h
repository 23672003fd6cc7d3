/**
 * Server-sent events: the receiving side, fed byte by byte. Pure: no I/O, no clock.
 * Limits: an event above LP_SSE_MAX_EVENT bytes is LP_TOO_LARGE and the parser is dead afterwards.
 * Ownership: the parser owns its buffers; an event is borrowed for the length of the call. Threads:
 * one owner. Source: HTML Living Standard, 9.2 "Server-sent events".
 */
#ifndef LP_WIRE_SSE_H
#define LP_WIRE_SSE_H

#include "base/buf.h"

#define LP_SSE_MAX_EVENT (1024 * 1024)
#define LP_SSE_MAX_ID    256

struct lp_sse_event {
    const char *name; /* "message" when the server named none */
    const char *id;   /* last event id, "" before the first */
    const char *data; /* lines joined with \n */
};

/** Called once per event, in order. Anything but LP_OK ends lp_sse_feed with that code. */
typedef enum lp_code lp_sse_fn(void *arg, const struct lp_sse_event *event, struct lp_err *err);

struct lp_sse {
    struct lp_buf line, data, name;
    char id[LP_SSE_MAX_ID];
    bool has_data; /* the current event has at least one data line */
    bool after_cr; /* a \n that follows belongs to the \r before it */
    bool begun;    /* the first line may carry a byte order mark */
    bool dead;
};

void lp_sse_init(struct lp_sse *sse);
void lp_sse_free(struct lp_sse *sse);
/** Takes the next bytes, in pieces of any size. LP_TOO_LARGE, LP_PROTOCOL (not UTF-8), LP_NOMEM or
 * what fn returned. */
enum lp_code lp_sse_feed(struct lp_sse *sse, const char *bytes, size_t len, lp_sse_fn *fn,
                         void *arg, struct lp_err *err) LP_MUST_CHECK;

#endif
