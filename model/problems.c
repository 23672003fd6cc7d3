#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "model/internal.h"

/* A hostile document may hold any number of faults and any amount of text: what is shown of it is
 * bounded. */
#define MAX_PROBLEMS    1000
#define MAX_INPUT_NODES 64
#define MAX_INPUT_TEXT  256

void
lp_problems_init(struct lp_problems *problems)
{
    problems->list = json_array();
}

void
lp_problems_free(struct lp_problems *problems)
{
    json_decref(problems->list);
    problems->list = NULL;
}

void
lp_problems_lost(struct lp_problems *problems)
{
    lp_problems_free(problems);
}

size_t
lp_problems_count(const struct lp_problems *problems)
{
    /* without a list nobody knows what was wrong: never take that for "nothing" */
    return problems->list == NULL ? 1 : json_array_size(problems->list);
}

static size_t
nodes_in(const json_t *value, size_t budget)
{
    size_t used = 1, i;
    const char *key;
    json_t *item;

    if (json_is_string(value))
        return 1 + json_string_length(value) / MAX_INPUT_TEXT * MAX_INPUT_NODES;
    json_array_foreach(value, i, item)
    {
        if (used > budget)
            break;
        used += nodes_in(item, budget - used);
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if (used > budget)
            break;
        used += nodes_in(item, budget - used);
    }
    return used;
}

/* The faulty input as it is shown: whole when small, a text's beginning, else null. */
static json_t *
shown(const json_t *input)
{
    char cut[MAX_INPUT_TEXT + 4];
    size_t len = MAX_INPUT_TEXT;

    if (input == NULL)
        return json_null();
    if (nodes_in(input, MAX_INPUT_NODES) <= MAX_INPUT_NODES)
        return json_deep_copy(input);
    if (!json_is_string(input))
        return json_null();
    memcpy(cut, json_string_value(input), len);
    while (len > 0 && ((unsigned char)json_string_value(input)[len] & 0xC0u) == 0x80u)
        len--;
    memcpy(cut + len, "\xE2\x80\xA6", 4); /* an ellipsis and NUL */
    return json_string(cut);
}

static json_t *
root_loc(void)
{
    return json_pack("[s]", "__root__");
}

static void
append(struct lp_problems *problems, const char *type, json_t *loc, const char *msg, json_t *input,
       json_t *ctx)
{
    json_t *row = json_object();
    int rc = 0;

    rc |= json_object_set_new(row, "type", json_string(type));
    rc |= json_object_set_new(row, "loc", loc);
    rc |= json_object_set_new(row, "msg", json_string(msg));
    rc |= json_object_set_new(row, "input", input);
    if (ctx != NULL)
        rc |= json_object_set_new(row, "ctx", ctx);
    if (rc != 0 || json_array_append(problems->list, row) != 0)
        lp_problems_lost(problems);
    json_decref(row);
}

static bool
is_full(const struct lp_problems *problems)
{
    return problems->list == NULL || json_array_size(problems->list) > MAX_PROBLEMS;
}

LP_PRINTF(6, 0)
static void
add(struct lp_problems *problems, const char *type, json_t *loc, const json_t *input, json_t *ctx,
    const char *fmt, va_list args)
{
    char msg[512], text[sizeof msg + 8];

    if (is_full(problems)) {
        json_decref(loc);
        json_decref(ctx);
        return;
    }
    if (json_array_size(problems->list) == MAX_PROBLEMS) {
        json_decref(loc);
        json_decref(ctx);
        append(problems, "value_error", root_loc(), "there are further problems; they are left out",
               json_null(), NULL);
        return;
    }
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        text[0] = '\0';
    lp_utf8_copy(msg, sizeof msg, text); /* what was cut, here or by "%.60s", ends at a character */
    if (json_array_size(loc) == 0) {
        json_decref(loc);
        loc = root_loc();
    }
    append(problems, type, loc, msg, shown(input), ctx);
}

void
lp_problem_add(struct lp_problems *problems, const char *type, const json_t *loc,
               const json_t *input, json_t *ctx, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(problems, type, loc == NULL ? json_array() : json_deep_copy(loc), input, ctx, fmt, args);
    va_end(args);
}

void
lp_problem_field(struct lp_problems *problems, const char *type, const char *field,
                 const json_t *input, const char *fmt, ...)
{
    va_list args;
    json_t *loc = json_array();

    if (field != NULL && json_array_append_new(loc, json_string(field)) != 0)
        lp_problems_lost(problems);
    va_start(args, fmt);
    add(problems, type, loc, input, NULL, fmt, args);
    va_end(args);
}

static json_t *
place_json(const struct lp_check *check, const struct lp_place *at)
{
    json_t *loc = check->base == NULL ? json_array() : json_deep_copy(check->base);
    size_t first = json_array_size(loc);

    for (; at != NULL; at = at->up) {
        json_t *item =
            at->name != NULL ? json_string(at->name) : json_integer((json_int_t)at->index);
        if (json_array_insert_new(loc, first, item) != 0)
            lp_problems_lost(check->problems);
    }
    return loc;
}

void
lp_check_problem(struct lp_check *check, const char *type, const struct lp_place *at,
                 const json_t *input, json_t *ctx, const char *fmt, ...)
{
    va_list args;

    if (is_full(check->problems)) {
        json_decref(ctx);
        return;
    }
    va_start(args, fmt);
    add(check->problems, type, place_json(check, at), input, ctx, fmt, args);
    va_end(args);
}

/* "/a/0/b", escaped as a JSON pointer */
static void
pointer_of(const json_t *loc, struct lp_buf *out)
{
    size_t i;
    json_t *item;

    json_array_foreach(loc, i, item)
    {
        lp_buf_char(out, '/');
        if (json_is_integer(item)) {
            lp_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
            continue;
        }
        for (const char *c = json_string_value(item); c != NULL && *c != '\0'; c++) {
            if (*c == '~' || *c == '/')
                lp_buf_str(out, *c == '~' ? "~0" : "~1");
            else
                lp_buf_char(out, *c);
        }
    }
}

static void
dotted(const json_t *loc, struct lp_buf *out)
{
    size_t i;
    json_t *item;

    json_array_foreach(loc, i, item)
    {
        if (i > 0)
            lp_buf_char(out, '.');
        if (json_is_integer(item))
            lp_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
        else
            lp_buf_str(out, json_string_value(item));
    }
}

enum lp_code
lp_problems_fail(const struct lp_problems *problems, const char *what, struct lp_err *err)
{
    size_t count = lp_problems_count(problems);
    const json_t *first = json_array_get(problems->list, 0), *loc = json_object_get(first, "loc");
    struct lp_buf pointer = LP_BUF_INIT, name = LP_BUF_INIT;
    char more[40] = "";
    enum lp_code rc;

    if (count == 0)
        return LP_OK;
    if (problems->list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the problems of %s", what);
    if (count > 1)
        (void)snprintf(more, sizeof more, " (and %zu more)", count - 1);
    dotted(loc, &name);
    pointer_of(loc, &pointer);
    rc = lp_fail_at(err, LP_INVALID, pointer.data != NULL ? pointer.data : "", "%s: %s: %s%s", what,
                    name.data != NULL ? name.data : "", lp_json_str(first, "msg", ""), more);
    lp_buf_free(&pointer);
    lp_buf_free(&name);
    err->detail = json_pack("{s:O}", "validation_errors", problems->list);
    return rc;
}
