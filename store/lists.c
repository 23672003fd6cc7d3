#include "store/lists.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/internal.h"

enum { MAX_SORTS = 4, MAX_KEYS = MAX_SORTS + 2, MAX_TEXT = 4096, DAY_US_S = 86400 };
/* What a filter may ask for leaves room for the cursor of its next page. */
enum { MAX_ARGS = LP_MAX_PARAMS, MAX_VALUES = MAX_ARGS - 2 * MAX_KEYS };
#define DAY_US (DAY_US_S * INT64_C(1000000))

static const char bad_filter[] = "400: Invalid filter arguments";
static const char bad_count[] = "Invalid number of filter arguments";
static const char bad_sort[] = "Invalid sort arguments";

struct sort_key {
    const struct lp_list_field *field; /* NULL: creation time or id */
    const char *sql;
    bool text;
    bool nullable, fold;
    bool descending;
};

/* A query in the making: constant pieces of SQL, values only as arguments. */
struct query {
    const struct lp_list *list;
    struct lp_arena *arena;
    struct lp_buf where; /* " AND ..." pieces, without the keyset */
    struct lp_arg args[MAX_ARGS];
    bool paging; /* the filter is complete, what follows is the cursor's */
    char names[MAX_ARGS][24];
    size_t arg_count;
    struct sort_key keys[MAX_KEYS];
    size_t key_count;
};

/* ---- pieces ---- */

static enum lp_code
add_arg(struct query *q, struct lp_arg arg, const char **name, struct lp_err *err)
{
    if (q->arg_count == (q->paging ? MAX_ARGS : MAX_VALUES))
        return lp_fail_at(err, LP_INVALID, "filter", "%s: more than %d values", bad_filter,
                          MAX_VALUES);
    snprintf(q->names[q->arg_count], sizeof q->names[0], "v%zu", q->arg_count);
    *name = arg.name = q->names[q->arg_count];
    q->args[q->arg_count++] = arg;
    return LP_OK;
}

static const struct lp_list_field *
find_field(const struct lp_list *list, const char *name)
{
    char snake[64];
    size_t used = 0;

    for (; *name != '\0' && used + 2 < sizeof snake; name++) {
        if (isupper((unsigned char)*name))
            snake[used++] = '_';
        snake[used++] = (char)tolower((unsigned char)*name);
    }
    snake[used] = '\0';
    if (*name != '\0')
        return NULL;
    for (size_t i = 0; i < list->field_count; i++)
        if (strcmp(list->fields[i].name, snake) == 0)
            return &list->fields[i];
    return NULL;
}

/* Splits at sep; empty parts are kept. Texts live in the arena. */
static enum lp_code
split(struct lp_arena *arena, const char *text, char sep, char ***parts, size_t *count,
      struct lp_err *err)
{
    char *copy = lp_arena_strdup(arena, text);
    size_t n = 1;

    for (const char *p = text; *p != '\0'; p++)
        n += *p == sep;
    *parts = lp_arena_array(arena, n, sizeof **parts);
    if (copy == NULL || *parts == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a list query");
    *count = n;
    for (size_t i = 0; i < n; i++) {
        char *end = strchr(copy, sep);

        (*parts)[i] = copy;
        if (end != NULL) {
            *end = '\0';
            copy = end + 1;
        }
    }
    return LP_OK;
}

/* ---- one comparison ---- */

static void
change_case(char *text, int (*change)(int))
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x80)
            *text = (char)change((unsigned char)*text);
}

/* Backslashes are ordinary characters here, but LIKE's escape in SQL. */
static char *
like_pattern(struct lp_arena *arena, const char *value)
{
    size_t len = strlen(value), used = 0;
    char *out = lp_arena_alloc(arena, len * 2 + 1);

    for (size_t i = 0; out != NULL && i < len; i++) {
        if (value[i] == '\\')
            out[used++] = '\\';
        out[used++] = value[i];
    }
    return out;
}

static enum lp_code
compare_text(struct query *q, const struct lp_list_field *f, const char *value, struct lp_buf *out,
             struct lp_err *err)
{
    bool like = strpbrk(value, "%_") != NULL;
    char *copy = like ? like_pattern(q->arena, value) : lp_arena_strdup(q->arena, value);
    const char *name = "";
    enum lp_code rc;

    if (copy == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a list query");
    rc = add_arg(q, lp_text("", copy), &name, err);
    if (rc == LP_OK)
        lp_buf_printf(out,
                      f->nullable ? "lower(COALESCE(%s, '')) %s lower(CAST(:%s AS text))%s"
                                  : "lower(%s) %s lower(CAST(:%s AS text))%s",
                      f->sql, like ? "LIKE" : "=", name, like ? " ESCAPE '\\'" : "");
    return rc;
}

/* Values that are stored in one case: the column is compared as it is, so its index serves. */
static enum lp_code
compare_word(struct query *q, const struct lp_list_field *f, const char *value, struct lp_buf *out,
             struct lp_err *err)
{
    bool like = strchr(value, '%') != NULL;
    char *copy = like ? like_pattern(q->arena, value) : lp_arena_strdup(q->arena, value);
    const char *name = "";
    enum lp_code rc;

    if (copy == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a list query");
    change_case(copy, f->type == LP_LIST_UPPER ? toupper : tolower);
    rc = add_arg(q, lp_text("", copy), &name, err);
    if (rc == LP_OK)
        lp_buf_printf(out,
                      f->nullable ? "COALESCE(%s, '') %s CAST(:%s AS text)%s"
                                  : "%s %s CAST(:%s AS text)%s",
                      f->sql, like ? "LIKE" : "=", name, like ? " ESCAPE '\\'" : "");
    return rc;
}

static enum lp_code
compare_bool(const struct lp_list_field *f, const char *value, struct lp_buf *out,
             struct lp_err *err)
{
    bool yes = strcasecmp(value, "true") == 0;

    if (!yes && strcasecmp(value, "false") != 0)
        return lp_fail_at(err, LP_INVALID, f->name, "%s is true or false, not '%.40s'", f->name,
                          value);
    lp_buf_printf(out, "%s = %d", f->sql, yes);
    return LP_OK;
}

static const char *
take_operator(const char **value)
{
    static const char *const operators[] = {">=", "<=", ">", "<"};

    for (size_t i = 0; i < LP_COUNT(operators); i++)
        if (strncmp(*value, operators[i], strlen(operators[i])) == 0) {
            *value += strlen(operators[i]);
            return operators[i];
        }
    return NULL;
}

/* A date, or a time with or without zone; *span_us is what the text leaves open (a day, a second,
 * nothing). */
static bool
read_time(const char *text, int64_t *at_us, int64_t *span_us)
{
    struct lp_err err = LP_ERR_INIT;
    char full[64];
    size_t len = strlen(text);
    bool zone, ok;

    if (len < 10 || len > 40)
        return false;
    zone = strchr(text, 'Z') != NULL || strchr(text, '+') != NULL || strchr(text + 10, '-') != NULL;
    snprintf(full, sizeof full, "%s%s%s", text, len == 10 ? "T00:00:00" : "", zone ? "" : "Z");
    if (len > 10 && full[10] == ' ')
        full[10] = 'T';
    ok = lp_time_parse(full, at_us, &err) == LP_OK;
    lp_err_clear(&err);
    *span_us = len == 10 ? DAY_US : strchr(text, '.') == NULL ? 1000000 : 1;
    return ok;
}

static bool
read_int(const char *text, int64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && !isspace((unsigned char)*text);
}

static enum lp_code
compare_number(struct query *q, const struct lp_list_field *f, const char *value,
               struct lp_buf *out, struct lp_err *err)
{
    const char *op = take_operator(&value), *from = "", *to = "";
    int64_t at, span = 1;
    bool ok = f->type == LP_LIST_TIME ? read_time(value, &at, &span) : read_int(value, &at);
    enum lp_code rc;

    if (!ok && op != NULL)
        return lp_fail_at(err, LP_INVALID, f->name, "%s", bad_filter);
    if (!ok) {
        lp_buf_str(out, "1 = 0"); /* the printed value is never this text */
        return LP_OK;
    }
    rc = add_arg(q, lp_int("", at), &from, err);
    if (rc != LP_OK)
        return rc;
    if (op != NULL) {
        lp_buf_printf(out,
                      f->nullable ? "COALESCE(%s %s CAST(:%s AS bigint), FALSE)"
                                  : "%s %s CAST(:%s AS bigint)",
                      f->sql, op, from);
        return LP_OK;
    }
    rc = add_arg(q, lp_int("", at + span), &to, err);
    if (rc == LP_OK)
        lp_buf_printf(
            out,
            f->nullable ? "COALESCE(%s >= CAST(:%s AS bigint) AND %s < CAST(:%s AS bigint), FALSE)"
                        : "(%s >= CAST(:%s AS bigint) AND %s < CAST(:%s AS bigint))",
            f->sql, from, f->sql, to);
    return rc;
}

static enum lp_code
compare(struct query *q, const struct lp_list_field *f, const char *value, struct lp_buf *out,
        struct lp_err *err)
{
    switch (f->type) {
    case LP_LIST_TEXT:
        return compare_text(q, f, value, out, err);
    case LP_LIST_LOWER:
    case LP_LIST_UPPER:
    case LP_LIST_UUID:
        return compare_word(q, f, value, out, err);
    case LP_LIST_BOOL:
        return compare_bool(f, value, out, err);
    case LP_LIST_TIME:
    case LP_LIST_INT:
        break;
    }
    return compare_number(q, f, value, out, err);
}

/* ---- the filter ---- */

/* Alternatives stand between bars, and between hyphens too where a value of the field cannot hold
 * one. */
static bool
hyphen_splits(const struct lp_list_field *f)
{
    size_t len = strlen(f->name);

    return f->type != LP_LIST_UUID && f->type != LP_LIST_TIME && strstr(f->name, "date") == NULL
           && !(len >= 2 && strcmp(f->name + len - 2, "id") == 0);
}

static enum lp_code
add_alternative(struct query *q, const struct lp_list_field *f, const char *value,
                struct lp_buf *out, bool *any, struct lp_err *err)
{
    if (*value == '\0')
        return LP_OK;
    if (*any)
        lp_buf_str(out, " OR ");
    *any = true;
    return compare(q, f, value, out, err);
}

static enum lp_code
add_part(struct query *q, const struct lp_list_field *f, const char *part, struct lp_buf *out,
         bool *any, struct lp_err *err)
{
    char **words = NULL;
    size_t count = 0;
    enum lp_code rc;

    if (!hyphen_splits(f) || strchr(part, '-') == NULL)
        return add_alternative(q, f, part, out, any, err);
    rc = split(q->arena, part, '-', &words, &count, err);
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        rc = add_alternative(q, f, words[i], out, any, err);
    /* The whole text as well: a name with a hyphen can be found. */
    if (rc == LP_OK && f->type == LP_LIST_TEXT)
        rc = add_alternative(q, f, part, out, any, err);
    return rc;
}

static enum lp_code
alternatives(struct query *q, const struct lp_list_field *f, const char *value, struct lp_buf *out,
             struct lp_err *err)
{
    char **parts = NULL;
    size_t count = 0;
    bool any = false;
    enum lp_code rc = split(q->arena, value, '|', &parts, &count, err);

    for (size_t i = 0; rc == LP_OK && i < count; i++)
        rc = add_part(q, f, parts[i], out, &any, err);
    if (rc == LP_OK && !any)
        rc = lp_fail_at(err, LP_INVALID, f->name, "%s", bad_filter);
    return rc;
}

static enum lp_code
add_condition(struct query *q, const struct lp_list_field *f, const char *value, struct lp_err *err)
{
    struct lp_buf any = LP_BUF_INIT;
    bool negated = *value == '!';
    enum lp_code rc = alternatives(q, f, value + negated, &any, err);
    const char *hole = f->within == NULL ? NULL : strstr(f->within, "%s");

    if (rc == LP_OK && any.failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for a list query");
    if (rc == LP_OK) {
        lp_buf_str(&q->where, negated ? " AND NOT (" : " AND (");
        if (hole != NULL)
            lp_buf_add(&q->where, f->within, (size_t)(hole - f->within));
        if (hole != NULL)
            lp_buf_char(&q->where, '(');
        lp_buf_add(&q->where, any.data, any.len);
        if (hole != NULL)
            lp_buf_printf(&q->where, ")%s", hole + 2);
        lp_buf_char(&q->where, ')');
    }
    lp_buf_free(&any);
    return rc;
}

static enum lp_code
parse_filter(struct query *q, const char *text, struct lp_err *err)
{
    char **parts = NULL;
    size_t count = 0;
    enum lp_code rc;

    if (text == NULL || *text == '\0')
        return LP_OK;
    rc = split(q->arena, text, ',', &parts, &count, err);
    if (rc == LP_OK && count % 2 != 0)
        rc = lp_fail_at(err, LP_INVALID, "filter", "%s", bad_count);
    for (size_t i = 0; rc == LP_OK && i < count; i += 2) {
        const struct lp_list_field *f = find_field(q->list, parts[i]);

        if (f == NULL || !f->filter)
            rc = lp_fail_at(err, LP_INVALID, *parts[i] == '\0' ? "filter" : parts[i], "%s",
                            bad_filter);
        else
            rc = add_condition(q, f, parts[i + 1], err);
    }
    return rc;
}

/* ---- the order ---- */

static void
add_key(struct query *q, const struct lp_list_field *f, const char *sql, bool text, bool descending)
{
    q->keys[q->key_count++] = (struct sort_key){.field = f,
                                                .sql = sql,
                                                .text = text,
                                                .nullable = f != NULL && f->nullable,
                                                .fold = f != NULL && f->type == LP_LIST_TEXT,
                                                .descending = descending};
}

static enum lp_code
add_sort(struct query *q, const char *name, const char *direction, struct lp_err *err)
{
    const struct lp_list_field *f = find_field(q->list, name);
    bool descending = strcasecmp(direction, "desc") == 0;
    bool number;

    if (f == NULL || !f->sort || (!descending && strcasecmp(direction, "asc") != 0))
        return lp_fail_at(err, LP_INVALID, *name == '\0' ? "sort" : name, "%s", bad_sort);
    if (q->key_count == MAX_SORTS)
        return lp_fail_at(err, LP_INVALID, name, "%s: more than %d fields", bad_sort, MAX_SORTS);
    number = f->type == LP_LIST_BOOL || f->type == LP_LIST_TIME || f->type == LP_LIST_INT;
    add_key(q, f, f->sql, !number, descending);
    return LP_OK;
}

static enum lp_code
parse_sort(struct query *q, const char *text, struct lp_err *err)
{
    char **parts = NULL;
    size_t count = 0;
    enum lp_code rc = LP_OK;
    bool descending = true, created = false;

    if (text != NULL && *text != '\0')
        rc = split(q->arena, text, ',', &parts, &count, err);
    if (rc == LP_OK && count >= 2 && count % 2 != 0)
        rc = lp_fail_at(err, LP_INVALID, "sort", "%s", bad_sort);
    for (size_t i = 0; rc == LP_OK && i + 1 < count; i += 2)
        rc = add_sort(q, parts[i], parts[i + 1], err);
    for (size_t i = 0; i < q->key_count; i++) {
        descending = q->keys[i].descending;
        created = created || strcmp(q->keys[i].sql, q->list->created) == 0;
    }
    if (!created)
        add_key(q, NULL, q->list->created, false, descending);
    add_key(q, NULL, q->list->id, true, descending);
    return rc;
}

/* As the indexes spell it: an expression index serves only the same expression. */
static void
key_sql(const struct sort_key *key, struct lp_buf *out)
{
    if (key->fold)
        lp_buf_str(out, "lower(");
    if (key->nullable)
        lp_buf_printf(out, "COALESCE(%s, %s)", key->sql, key->text ? "''" : "0");
    else
        lp_buf_str(out, key->sql);
    if (key->fold)
        lp_buf_char(out, ')');
}

static void
order_sql(const struct query *q, struct lp_buf *out)
{
    lp_buf_str(out, " ORDER BY ");
    for (size_t i = 0; i < q->key_count; i++) {
        if (i > 0)
            lp_buf_str(out, ", ");
        key_sql(&q->keys[i], out);
        if (q->keys[i].descending)
            lp_buf_str(out, " DESC");
    }
}

/* ---- the cursor: base64url of JSON [check, key values...] ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *
base64url(const unsigned char *data, size_t len)
{
    char *out = malloc(len / 3 * 4 + 5), *p = out;

    for (size_t i = 0; out != NULL && i < len; i += 3) {
        unsigned v = (unsigned)data[i] << 16 | (i + 1 < len ? (unsigned)data[i + 1] << 8 : 0)
                     | (i + 2 < len ? data[i + 2] : 0u);

        *p++ = alphabet[v >> 18];
        *p++ = alphabet[v >> 12 & 63];
        if (i + 1 < len)
            *p++ = alphabet[v >> 6 & 63];
        if (i + 2 < len)
            *p++ = alphabet[v & 63];
    }
    if (out != NULL)
        *p = '\0';
    return out;
}

static bool
unbase64url(const char *text, unsigned char *out, size_t size, size_t *len)
{
    unsigned bits = 0, v = 0;

    *len = 0;
    for (; *text != '\0'; text++) {
        const char *at = strchr(alphabet, *text);

        if (at == NULL || *len == size)
            return false;
        v = (v << 6 | (unsigned)(at - alphabet)) & 0xffffffu;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[(*len)++] = (unsigned char)(v >> bits & 0xff);
        }
    }
    return bits < 6;
}

/* Ties a cursor to its list, filter and order, and its content to itself: what was cut, mixed up or
 * typed over is refused. */
static void
cursor_check(const struct query *q, const struct lp_list_request *request, const json_t *values,
             char out[static 65])
{
    struct lp_buf buf = LP_BUF_INIT;
    char *text = lp_json_text(values);

    lp_buf_printf(&buf, "%s\n%s\n%s\n%s", q->list->name,
                  request->filter == NULL ? "" : request->filter,
                  request->sort == NULL ? "" : request->sort, text == NULL ? "" : text);
    lp_sha256_hex(buf.data == NULL ? "" : buf.data, buf.len, out);
    out[16] = '\0';
    lp_buf_free(&buf);
    free(text);
}

static enum lp_code
bad_cursor(struct lp_err *err)
{
    return lp_fail_at(err, LP_INVALID, "cursor",
                      "Invalid cursor: it was changed, or belongs to another list, filter or sort");
}

static enum lp_code
read_cursor(const struct query *q, const struct lp_list_request *request, json_t **values,
            struct lp_err *err)
{
    unsigned char text[MAX_TEXT];
    char check[65];
    size_t len;
    json_auto_t *all = NULL;
    const char *given;

    if (!unbase64url(request->cursor, text, sizeof text, &len)
        || lp_json_load((const char *)text, len, &all, err) != LP_OK)
        return bad_cursor(err);
    given = json_string_value(json_array_get(all, 0));
    if (given == NULL || json_array_size(all) != q->key_count + 1)
        return bad_cursor(err);
    *values = json_array();
    for (size_t i = 0; *values != NULL && i < q->key_count; i++)
        json_array_append(*values, json_array_get(all, i + 1));
    cursor_check(q, request, *values, check);
    for (size_t i = 0; i < q->key_count; i++)
        if (q->keys[i].text ? !json_is_string(json_array_get(*values, i))
                            : !json_is_integer(json_array_get(*values, i)))
            return bad_cursor(err);
    return strcmp(check, given) == 0 ? LP_OK : bad_cursor(err);
}

static char *
write_cursor(const struct query *q, const struct lp_list_request *request,
             const struct lp_rows *rows, size_t row)
{
    json_auto_t *values = json_array(), *all = json_array();
    char check[65], name[32], *text, *out = NULL;

    for (size_t i = 0; i < q->key_count; i++) {
        snprintf(name, sizeof name, "lp_key_%zu", i);
        json_array_append_new(values, q->keys[i].text ? json_string(lp_rows_text(rows, row, name))
                                                      : json_integer(lp_rows_int(rows, row, name)));
    }
    cursor_check(q, request, values, check);
    json_array_append_new(all, json_string(check));
    json_array_extend(all, values);
    text = lp_json_text(all);
    if (text != NULL && strlen(text) < MAX_TEXT)
        out = base64url((const unsigned char *)text, strlen(text));
    free(text);
    return out;
}

/* ---- the keyset ---- */

static enum lp_code
key_arg(struct query *q, size_t i, const json_t *values, struct lp_buf *out, struct lp_err *err)
{
    const json_t *value = json_array_get(values, i);
    const char *name = "";
    char *copy;
    enum lp_code rc;

    q->paging = true;
    if (!q->keys[i].text) {
        rc = add_arg(q, lp_int("", json_integer_value(value)), &name, err);
        if (rc == LP_OK)
            lp_buf_printf(out, "CAST(:%s AS bigint)", name);
        return rc;
    }
    copy = lp_arena_strdup(q->arena, json_string_value(value));
    if (copy == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a list query");
    rc = add_arg(q, lp_text("", copy), &name, err);
    if (rc == LP_OK)
        lp_buf_printf(out, "CAST(:%s AS text)", name);
    return rc;
}

static bool
one_direction(const struct query *q)
{
    for (size_t i = 1; i < q->key_count; i++)
        if (q->keys[i].descending != q->keys[0].descending)
            return false;
    return true;
}

/* (a, b, id) > (1, 2, 3): both databases make a range of an index of it. */
static enum lp_code
keyset_row(struct query *q, const json_t *values, struct lp_buf *out, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    lp_buf_str(out, " AND (");
    for (size_t i = 0; i < q->key_count; i++) {
        if (i > 0)
            lp_buf_str(out, ", ");
        key_sql(&q->keys[i], out);
    }
    lp_buf_str(out, q->keys[0].descending ? ") < (" : ") > (");
    for (size_t i = 0; rc == LP_OK && i < q->key_count; i++) {
        if (i > 0)
            lp_buf_str(out, ", ");
        rc = key_arg(q, i, values, out, err);
    }
    lp_buf_char(out, ')');
    return rc;
}

/* Mixed directions: a > 1 OR (a = 1 AND (b < 2 OR (b = 2 AND id > 3))). */
static enum lp_code
keyset_chain(struct query *q, const json_t *values, struct lp_buf *out, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    lp_buf_str(out, " AND ");
    for (size_t i = 0; rc == LP_OK && i < q->key_count; i++) {
        lp_buf_char(out, '(');
        key_sql(&q->keys[i], out);
        lp_buf_str(out, q->keys[i].descending ? " < " : " > ");
        rc = key_arg(q, i, values, out, err);
        if (rc != LP_OK || i + 1 == q->key_count)
            break;
        lp_buf_str(out, " OR (");
        key_sql(&q->keys[i], out);
        lp_buf_str(out, " = ");
        rc = key_arg(q, i, values, out, err);
        lp_buf_str(out, " AND ");
    }
    for (size_t i = 0; i < q->key_count; i++)
        lp_buf_str(out, i + 1 == q->key_count ? ")" : "))");
    return rc;
}

/* ---- putting it together ---- */

/* The columns of the list, the keys for the cursor, FROM and WHERE. */
static void
select_sql(const struct query *q, struct lp_buf *out)
{
    const char *from = strstr(q->list->select, " FROM ");

    lp_buf_add(out, q->list->select, (size_t)(from - q->list->select));
    for (size_t i = 0; i < q->key_count; i++) {
        lp_buf_str(out, ", ");
        key_sql(&q->keys[i], out);
        lp_buf_printf(out, " AS lp_key_%zu", i);
    }
    lp_buf_printf(out, "%s WHERE 1 = 1", from);
    if (q->where.len > 0)
        lp_buf_add(out, q->where.data, q->where.len);
}

struct window {
    int64_t limit, offset;
    bool ranged;
};

static enum lp_code
parse_range(const char *text, struct window *w, struct lp_err *err)
{
    const char *comma = text == NULL ? NULL : strchr(text, ',');
    char from_text[32];
    int64_t from, to;

    if (comma == NULL || strchr(comma + 1, ',') != NULL)
        return LP_OK; /* not two numbers: ignored */
    snprintf(from_text, sizeof from_text, "%.*s", (int)(comma - text), text);
    if (comma - text >= (int)sizeof from_text || !read_int(from_text, &from)
        || !read_int(comma + 1, &to) || from < 0 || to < 0)
        return lp_fail_at(err, LP_INVALID, "range", "range must be two whole numbers");
    if (from >= to)
        return lp_fail_at(err, LP_INVALID, "range", "range start must be lower than end");
    if (to > LP_LIST_OFFSET_MOST)
        return lp_fail_at(err, LP_INVALID, "range",
                          "range end must not exceed %d; narrow the filter or follow the cursor",
                          LP_LIST_OFFSET_MOST);
    *w = (struct window){.limit = to - from, .offset = from, .ranged = true};
    return LP_OK;
}

static enum lp_code
parse_window(const struct lp_list_request *request, struct window *w, struct lp_err *err)
{
    enum lp_code rc;

    *w = (struct window){.limit = request->limit == 0 ? LP_LIST_DEFAULT : request->limit};
    if (w->limit < 1 || w->limit > LP_LIST_MOST)
        return lp_fail_at(err, LP_INVALID, "limit", "limit must be a number from 1 to %d",
                          LP_LIST_MOST);
    rc = parse_range(request->range, w, err);
    if (rc == LP_OK && w->ranged && request->cursor != NULL && *request->cursor != '\0')
        rc = lp_fail_at(err, LP_INVALID, "cursor", "range and cursor exclude each other");
    return rc;
}

static enum lp_code
count_total(struct lp_reader *reader, struct query *q, struct lp_list_result *out,
            struct lp_err *err)
{
    struct lp_buf sql = LP_BUF_INIT;
    struct lp_rows *rows = NULL;
    enum lp_code rc = LP_NOMEM;

    lp_buf_printf(&sql, "SELECT count(*) AS total FROM (SELECT 1%s WHERE 1 = 1",
                  strstr(q->list->select, " FROM "));
    if (q->where.len > 0)
        lp_buf_add(&sql, q->where.data, q->where.len);
    lp_buf_printf(&sql, " LIMIT %d) AS counted", LP_LIST_OFFSET_MOST + 1);
    rc = sql.failed ? lp_fail(err, LP_NOMEM, "no memory for a list query")
                    : lp_reader_query_text(reader, sql.data, q->args, q->arg_count, &rows, err);
    lp_buf_free(&sql);
    if (rc != LP_OK)
        return rc;
    out->total = lp_rows_int(rows, 0, "total");
    out->total_capped = out->total > LP_LIST_OFFSET_MOST;
    lp_rows_free(rows);
    return LP_OK;
}

static enum lp_code
add_keyset(struct query *q, const struct lp_list_request *request, struct lp_buf *sql,
           struct lp_err *err)
{
    json_auto_t *values = NULL;
    enum lp_code rc;

    if (request->cursor == NULL || *request->cursor == '\0')
        return LP_OK;
    rc = read_cursor(q, request, &values, err);
    if (rc != LP_OK)
        return rc;
    return one_direction(q) ? keyset_row(q, values, sql, err) : keyset_chain(q, values, sql, err);
}

/* One row more than asked for says whether there is a next page. */
static enum lp_code
page_sql(struct query *q, const struct lp_list_request *request, const struct window *w,
         struct lp_buf *sql, struct lp_err *err)
{
    enum lp_code rc;

    select_sql(q, sql);
    rc = add_keyset(q, request, sql, err);
    order_sql(q, sql);
    lp_buf_printf(sql, " LIMIT %" PRId64 " OFFSET %" PRId64, w->limit + (w->ranged ? 0 : 1),
                  w->offset);
    if (rc == LP_OK && sql->failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for a list query");
    return rc;
}

static enum lp_code
read_page(struct lp_reader *reader, struct query *q, const struct lp_list_request *request,
          const struct window *w, struct lp_list_result *out, struct lp_err *err)
{
    struct lp_buf sql = LP_BUF_INIT;
    enum lp_code rc = page_sql(q, request, w, &sql, err);

    if (rc == LP_OK)
        rc = lp_reader_query_text(reader, sql.data, q->args, q->arg_count, &out->rows, err);
    lp_buf_free(&sql);
    if (rc != LP_OK || w->ranged || lp_rows_count(out->rows) <= (size_t)w->limit)
        return rc;
    out->next_cursor = write_cursor(q, request, out->rows, (size_t)w->limit - 1);
    lp_rows_cut(out->rows, (size_t)w->limit);
    return out->next_cursor == NULL ? lp_fail(err, LP_NOMEM, "no memory for a cursor") : LP_OK;
}

static enum lp_code
check_request(const struct lp_list_request *request, struct lp_err *err)
{
    const char *const texts[] = {request->filter, request->sort, request->cursor, request->range};
    static const char *const names[] = {"filter", "sort", "cursor", "range"};

    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        if (texts[i] == NULL)
            continue;
        if (strlen(texts[i]) > MAX_TEXT)
            return lp_fail_at(err, LP_INVALID, names[i], "%s is longer than %d characters",
                              names[i], MAX_TEXT);
        if (!lp_utf8_valid(texts[i], strlen(texts[i])))
            return lp_fail_at(err, LP_INVALID, names[i], "%s is not valid UTF-8", names[i]);
    }
    return LP_OK;
}

static enum lp_code
read_list(struct lp_store *store, struct query *q, const struct lp_list_request *request,
          const struct window *w, struct lp_list_result *out, struct lp_err *err)
{
    struct lp_reader *reader = NULL;
    enum lp_code rc = lp_reader_open(store, &reader, err);

    if (rc != LP_OK)
        return rc;
    if (w->ranged)
        rc = count_total(reader, q, out, err);
    if (rc == LP_OK)
        rc = read_page(reader, q, request, w, out, err);
    lp_reader_close(reader);
    return rc;
}

static enum lp_code
parse(struct query *q, const struct lp_list *list, const struct lp_list_request *request,
      struct window *w, struct lp_err *err)
{
    enum lp_code rc;

    *q = (struct query){.list = list, .arena = lp_arena_new()};
    if (q->arena == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a list query");
    rc = check_request(request, err);
    if (rc == LP_OK)
        rc = parse_window(request, w, err);
    if (rc == LP_OK)
        rc = parse_filter(q, request->filter, err);
    if (rc == LP_OK)
        rc = parse_sort(q, request->sort, err);
    if (rc == LP_OK && q->where.failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for a list query");
    return rc;
}

static void
query_free(struct query *q)
{
    lp_buf_free(&q->where);
    lp_arena_free(q->arena);
}

enum lp_code
lp_list_query(struct lp_store *store, const struct lp_list *list,
              const struct lp_list_request *request, struct lp_list_result *out, struct lp_err *err)
{
    struct query q;
    struct window w;
    enum lp_code rc = parse(&q, list, request, &w, err);

    *out = (struct lp_list_result){.total = -1};
    if (rc == LP_OK) {
        out->from = w.offset;
        out->to = w.offset + w.limit;
        rc = read_list(store, &q, request, &w, out, err);
    }
    query_free(&q);
    if (rc != LP_OK)
        lp_list_result_free(out);
    return rc;
}

enum lp_code
lp_list_explain(struct lp_store *store, const struct lp_list *list,
                const struct lp_list_request *request, struct lp_rows **plan, struct lp_err *err)
{
    struct lp_buf sql = LP_BUF_INIT;
    struct query q;
    struct window w;
    enum lp_code rc = parse(&q, list, request, &w, err);

    lp_buf_str(&sql,
               lp_store_dialect(store) == LP_DIALECT_POSTGRES ? "EXPLAIN " : "EXPLAIN QUERY PLAN ");
    if (rc == LP_OK)
        rc = page_sql(&q, request, &w, &sql, err);
    if (rc == LP_OK)
        rc = lp_query_text(store, sql.data, q.args, q.arg_count, plan, err);
    lp_buf_free(&sql);
    query_free(&q);
    return rc;
}

void
lp_list_result_free(struct lp_list_result *result)
{
    lp_rows_free(result->rows);
    free(result->next_cursor);
    *result = (struct lp_list_result){.total = -1};
}
