/* Names and labels from templates. */
#include "products/naming.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct placeholder {
    char name[64];
    char filter; /* 'l', 'u' or 0 */
};

/* Reads a placeholder at "{...}"; *at moves behind it. */
static enum lp_code
read_placeholder(const char *template, const char **at, struct placeholder *out, struct lp_err *err)
{
    const char *from = *at + 1, *end = strchr(from, '}');
    const char *bar = end == NULL ? NULL : memchr(from, '|', (size_t)(end - from));
    size_t len = end == NULL ? 0 : (size_t)((bar == NULL ? end : bar) - from);
    long place = (long)(*at - template) + 1;

    if (end == NULL)
        return lp_fail(err, LP_INVALID,
                       "template '%.100s': the brace at character %ld is not closed", template,
                       place);
    if (len == 0 || len >= sizeof(out->name))
        return lp_fail(err, LP_INVALID, "template '%.100s': no placeholder at character %ld",
                       template, place);
    memcpy(out->name, from, len);
    out->name[len] = '\0';
    out->filter = 0;
    if (bar != NULL) {
        size_t filter = (size_t)(end - bar) - 1;
        if (filter != 5 || (strncmp(bar + 1, "lower", 5) != 0 && strncmp(bar + 1, "upper", 5) != 0))
            return lp_fail(err, LP_INVALID,
                           "template '%.100s': '%.*s' is no filter; there are lower and upper",
                           template, (int)filter, bar + 1);
        out->filter = bar[1];
    }
    *at = end + 1;
    return LP_OK;
}

/* Walks over a template; each piece of text and each placeholder is given to `piece`. */
typedef enum lp_code piece_fn(void *ctx, const char *text, size_t len, const struct placeholder *ph,
                              struct lp_err *err);
static enum lp_code
walk(const char *template, piece_fn *piece, void *ctx, struct lp_err *err)
{
    const char *at = template;
    enum lp_code rc = LP_OK;

    while (*at != '\0' && rc == LP_OK) {
        struct placeholder ph;
        if ((at[0] == '{' && at[1] == '{') || (at[0] == '}' && at[1] == '}')) {
            rc = piece(ctx, at, 1, NULL, err);
            at += 2;
        } else if (*at == '{') {
            rc = read_placeholder(template, &at, &ph, err);
            if (rc == LP_OK)
                rc = piece(ctx, NULL, 0, &ph, err);
        } else if (*at == '}') {
            rc = lp_fail(err, LP_INVALID,
                         "template '%.100s': the brace at character %ld was not opened", template,
                         (long)(at - template) + 1);
        } else {
            size_t len = strcspn(at, "{}");
            rc = piece(ctx, at, len, NULL, err);
            at += len;
        }
    }
    return rc;
}

struct known {
    const char *const *names;
};

static enum lp_code
check_piece(void *ctx, const char *text, size_t len, const struct placeholder *ph,
            struct lp_err *err)
{
    const struct known *known = ctx;

    (void)text, (void)len;
    if (ph == NULL)
        return LP_OK;
    for (size_t i = 0; known->names[i] != NULL; i++)
        if (strcmp(known->names[i], ph->name) == 0)
            return LP_OK;
    return lp_fail(err, LP_INVALID, "there is no placeholder {%s} here", ph->name);
}

enum lp_code
lp_naming_check(const char *template, const char *const *placeholders, struct lp_err *err)
{
    struct known known = {placeholders};

    return walk(template, check_piece, &known, err);
}

struct expansion {
    lp_naming_fn *value;
    const void *ctx;
    struct lp_buf *out;
};

static enum lp_code
expand_piece(void *ctx, const char *text, size_t len, const struct placeholder *ph,
             struct lp_err *err)
{
    const struct expansion *to = ctx;
    const char *value;

    if (ph == NULL) {
        lp_buf_add(to->out, text, len);
        return LP_OK;
    }
    value = to->value(to->ctx, ph->name);
    if (value == NULL)
        return lp_fail(err, LP_INVALID, "the placeholder {%s} has no value", ph->name);
    for (; *value != '\0'; value++) {
        int c = (unsigned char)*value;
        lp_buf_char(to->out, (char)(ph->filter == 'l'   ? tolower(c)
                                    : ph->filter == 'u' ? toupper(c)
                                                        : c));
    }
    return LP_OK;
}

enum lp_code
lp_naming_expand(const char *template, lp_naming_fn *value, const void *ctx, struct lp_buf *out,
                 struct lp_err *err)
{
    struct expansion to = {value, ctx, out};
    enum lp_code rc = walk(template, expand_piece, &to, err);

    if (rc == LP_OK && out->failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for a name");
    return rc;
}

enum lp_code
lp_naming_matches(const char *pattern, const char *text, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    char *whole = NULL;
    regex_t regex;

    if (asprintf(&whole, "^(%s)$", pattern) < 0)
        return lp_fail(err, LP_NOMEM, "no memory for a pattern");
    if (regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB) != 0) {
        rc = lp_fail(err, LP_INVALID, "'%.100s' is not a regular expression", pattern);
    } else {
        if (regexec(&regex, text, 0, NULL, 0) != 0)
            rc = lp_fail(err, LP_NOT_FOUND, "'%.100s' does not match %.100s", text, pattern);
        regfree(&regex);
    }
    free(whole);
    return rc;
}
