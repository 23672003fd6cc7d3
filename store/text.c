#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/internal.h"

void
lp_store_bug(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("lightpath: store: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

/* Eight bytes at a time while they are ASCII: nearly everything is, and this runs for every stored
 * text. */
bool
lp_text_ok(const char *text, size_t len)
{
    const uint64_t high = 0x8080808080808080u;
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        uint64_t word;

        memcpy(&word, text + i, sizeof word);
        if ((word & high) != 0)
            return lp_utf8_valid(text, len);
    }
    for (; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return lp_utf8_valid(text, len);
    return true;
}

static size_t
param_index(const struct lp_sql *sql, const char *name, size_t guess)
{
    /* Callers mostly name arguments in the order of the statement. */
    if (guess < sql->param_count && strcmp(sql->params[guess], name) == 0)
        return guess;
    for (size_t i = 0; i < sql->param_count; i++)
        if (strcmp(sql->params[i], name) == 0)
            return i;
    lp_store_bug("statement %s has no parameter '%s'", sql->name, name);
}

static enum lp_code
set_value(const struct lp_arg *arg, struct lp_value *out, const char *where, struct lp_err *err)
{
    size_t len;

    *out = (struct lp_value){.kind = LP_VALUE_NULL};
    switch (arg->kind) {
    case LP_ARG_NULL:
        return LP_OK;
    case LP_ARG_INT:
        out->kind = LP_VALUE_INT;
        out->i = arg->i;
        return LP_OK;
    case LP_ARG_TEXT:
        break;
    }
    len = strlen(arg->s);
    if (len > 512u << 20)
        return lp_fail_at(err, LP_TOO_LARGE, arg->name, "%s: '%s' is longer than 512 MiB", where,
                          arg->name);
    if (!lp_text_ok(arg->s, len))
        return lp_fail_at(err, LP_INVALID, arg->name, "%s: '%s' is not valid UTF-8", where,
                          arg->name);
    out->kind = LP_VALUE_TEXT;
    out->s = arg->s;
    out->len = (int)len;
    return LP_OK;
}

enum lp_code
lp_bind(const struct lp_sql *sql, const struct lp_arg *args, size_t count, struct lp_value *out,
        struct lp_err *err)
{
    uint64_t have = 0;

    if (count != sql->param_count)
        lp_store_bug("statement %s takes %u arguments, not %zu", sql->name, sql->param_count,
                     count);
    if (count > LP_MAX_PARAMS)
        lp_store_bug("statement %s has more than %d parameters", sql->name, LP_MAX_PARAMS);
    for (size_t i = 0; i < count; i++) {
        size_t at = param_index(sql, args[i].name, i);
        enum lp_code rc;

        if ((have >> at & 1) != 0)
            lp_store_bug("statement %s: '%s' is given twice", sql->name, args[i].name);
        have |= UINT64_C(1) << at;
        rc = set_value(&args[i], &out[at], sql->name, err);
        if (rc != LP_OK)
            return rc;
    }
    return LP_OK;
}

static size_t
arg_index(const struct lp_arg *args, size_t count, const char *name, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(args[i].name, name, len) == 0 && args[i].name[len] == '\0')
            return i;
    lp_store_bug("a statement put together at run time lacks the argument '%.*s'", (int)len, name);
}

char *
lp_text_rewrite(const char *sql, enum lp_dialect dialect, const struct lp_arg *args, size_t count)
{
    struct lp_buf buf = LP_BUF_INIT;
    const char sign = dialect == LP_DIALECT_POSTGRES ? '$' : '?';
    bool quoted = false;

    for (const char *p = sql; *p != '\0';) {
        size_t len = 0;

        if (*p == '\'')
            quoted = !quoted;
        if (*p == ':' && !quoted)
            while (isalnum((unsigned char)p[1 + len]) || p[1 + len] == '_')
                len++;
        if (len == 0) {
            lp_buf_char(&buf, *p++);
            continue;
        }
        lp_buf_printf(&buf, "%c%zu", sign, arg_index(args, count, p + 1, len) + 1);
        p += 1 + len;
    }
    return lp_buf_take(&buf);
}
