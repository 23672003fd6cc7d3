#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const struct lp_code_info codes[] = {
#define LP_CODE(symbol, slug, http, exit, retry, text)                                             \
    [symbol] = {#symbol, slug, http, exit, LP_RETRY_##retry, text},
#include "base/codes.def"
#undef LP_CODE
};
static_assert(LP_COUNT(codes) == LP_CODE_COUNT, "a row for every code");

const struct lp_code_info *
lp_code_info(enum lp_code code)
{
    if ((unsigned)code >= LP_CODE_COUNT)
        code = LP_INTERNAL;
    return &codes[code];
}

enum lp_code
lp_code_from_slug(const char *slug)
{
    for (size_t i = 0; slug != NULL && i < LP_COUNT(codes); i++)
        if (strcmp(codes[i].slug, slug) == 0)
            return (enum lp_code)i;
    return LP_INTERNAL;
}

/* Through a local copy, because an argument may be the old message or pointer itself. */
LP_PRINTF(3, 0)
static void
set_text(char *dst, size_t size, const char *fmt, va_list args)
{
    char text[sizeof((struct lp_err *)0)->msg];
    int len = vsnprintf(text, sizeof text, fmt, args);

    if (len < 0)
        text[0] = '\0';
    lp_utf8_copy(dst, size, text);
}

LP_PRINTF(4, 0)
static enum lp_code
fail(struct lp_err *err, enum lp_code code, const char *pointer, const char *fmt, va_list args)
{
    char place[sizeof err->pointer];

    lp_utf8_copy(place, sizeof place, pointer);
    set_text(err->msg, sizeof err->msg, fmt, args);
    memcpy(err->pointer, place, sizeof place);
    json_decref(err->detail);
    err->detail = NULL;
    err->code = code;
    return code;
}

enum lp_code
lp_fail(struct lp_err *err, enum lp_code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    code = fail(err, code, "", fmt, args);
    va_end(args);
    return code;
}

enum lp_code
lp_fail_at(struct lp_err *err, enum lp_code code, const char *pointer, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    code = fail(err, code, pointer, fmt, args);
    va_end(args);
    return code;
}

enum lp_code
lp_err_prefix(struct lp_err *err, const char *fmt, ...)
{
    char text[2 * sizeof err->msg];
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(text, sizeof err->msg, fmt, args);
    va_end(args);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof err->msg)
        len = (int)sizeof err->msg - 1;
    memcpy(text + len, err->msg, strlen(err->msg) + 1);
    lp_utf8_copy(err->msg, sizeof err->msg, text);
    return err->code;
}

void
lp_err_clear(struct lp_err *err)
{
    json_decref(err->detail);
    *err = (struct lp_err)LP_ERR_INIT;
}

void
lp_err_move(struct lp_err *dst, struct lp_err *src)
{
    if (dst == src)
        return;
    json_decref(dst->detail);
    *dst = *src;
    *src = (struct lp_err)LP_ERR_INIT;
}
