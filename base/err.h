/**
 * Outcomes and errors: the one convention of the house.
 *
 * Whatever can fail returns enum lp_code (LP_OK is 0), is marked LP_MUST_CHECK and fills a
 * caller-owned struct lp_err, last parameter, never NULL. The failing function sets the error once;
 * callers pass it on; the outermost one logs it. Nothing branches on the message text.
 * Threads: an lp_err belongs to one thread at a time.
 */
#ifndef LP_BASE_ERR_H
#define LP_BASE_ERR_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define LP_MUST_CHECK        __attribute__((warn_unused_result))
#define LP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define LP_COUNT(array)      (sizeof(array) / sizeof((array)[0]))
#define LP_BIT(n)            (1u << (n))

enum lp_code {
#define LP_CODE(symbol, slug, http, exit, retry, text) symbol,
#include "base/codes.def"
#undef LP_CODE
    LP_CODE_COUNT
};

enum lp_retry { LP_RETRY_NEVER, LP_RETRY_AGAIN, LP_RETRY_AFTER_READBACK };

struct lp_code_info {
    const char *symbol;
    const char *slug; /* stable; `type` of problem documents */
    int http;
    int exit;
    enum lp_retry retry;
    const char *text;
};

struct lp_err {
    enum lp_code code;
    char msg[512];     /* one sentence for a person; never a secret */
    char pointer[128]; /* JSON pointer, path or place of the fault; empty when there is none */
    json_t *detail;    /* owned; NULL, or extension members for the problem document */
};

/** An error variable must start as this and end with lp_err_clear(). */
#define LP_ERR_INIT                                                                                \
    {                                                                                              \
        .code = LP_OK                                                                              \
    }

/** The table row of a code; never NULL. */
const struct lp_code_info *lp_code_info(enum lp_code code);
/** The code with this slug, or LP_INTERNAL when there is none. */
enum lp_code lp_code_from_slug(const char *slug);

/** Sets code and message (truncated, always terminated, valid UTF-8), drops an older detail;
 * returns code. Does not allocate. */
enum lp_code lp_fail(struct lp_err *err, enum lp_code code, const char *fmt, ...)
    LP_PRINTF(3, 4) LP_MUST_CHECK;
/** As lp_fail, and names the place (`pointer`), e.g. "/0/code" or "line 7, column 3". */
enum lp_code lp_fail_at(struct lp_err *err, enum lp_code code, const char *pointer, const char *fmt,
                        ...) LP_PRINTF(4, 5) LP_MUST_CHECK;
/** Adds context in front of the message ("pops.csv: ..."); keeps code, pointer and detail; returns
 * err->code. */
enum lp_code lp_err_prefix(struct lp_err *err, const char *fmt, ...) LP_PRINTF(2, 3);
/** Drops the detail and sets LP_OK. */
void lp_err_clear(struct lp_err *err);
/** Moves src into dst (dst's detail is dropped, src becomes LP_OK). */
void lp_err_move(struct lp_err *dst, struct lp_err *src);

#endif
