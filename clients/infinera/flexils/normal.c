#include "clients/infinera/flexils/normal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAIRS_MAX 256

/* Length without the D of ENABLED and DISABLED. */
static size_t
stem(const char *word, size_t len)
{
    if ((len == 7 && strncasecmp(word, "ENABLED", 7) == 0)
        || (len == 8 && strncasecmp(word, "DISABLED", 8) == 0))
        return len - 1;
    return len;
}

bool
fx_one_of(const char *values, const char *value, const char **spelt)
{
    size_t wanted = stem(value, strlen(value));

    for (const char *at = values; *at != '\0'; at += *at == '|') {
        size_t len = strcspn(at, "|");

        if (stem(at, len) == wanted && strncasecmp(at, value, wanted) == 0) {
            if (spelt != NULL)
                *spelt = at;
            return true;
        }
        at += len;
    }
    return false;
}

void
fx_decimal(int32_t hundredths, char text[static 16])
{
    unsigned value = (unsigned)(hundredths < 0 ? -(int64_t)hundredths : hundredths);
    const char *sign = hundredths < 0 ? "-" : "";

    if (value % 100 == 0)
        (void)snprintf(text, 16, "%s%u", sign, value / 100);
    else if (value % 10 == 0)
        (void)snprintf(text, 16, "%s%u.%u", sign, value / 100, value % 100 / 10);
    else
        (void)snprintf(text, 16, "%s%u.%02u", sign, value / 100, value % 100);
}

static json_t *
text_json(const char *value, size_t len)
{
    json_t *text = json_stringn(value, len);
    char *copy;

    if (text != NULL)
        return text;
    copy = strndup(value, len);
    for (size_t i = 0; copy != NULL && i < len; i++) {
        if ((unsigned char)copy[i] >= 0x80)
            copy[i] = '?';
    }
    text = copy != NULL ? json_stringn(copy, len) : NULL;
    free(copy);
    return text;
}

static json_t *
enumeration(const char *value)
{
    size_t len = strlen(value), same = stem(value, len);
    char upper[64];

    if (len + 2 > sizeof upper)
        return text_json(value, len);
    for (size_t i = 0; i < len; i++)
        upper[i] = (char)(value[i] >= 'a' && value[i] <= 'z' ? value[i] - 32 : value[i]);
    upper[len] = '\0';
    if (same == len && (strcmp(upper, "ENABLE") == 0 || strcmp(upper, "DISABLE") == 0)) {
        upper[len] = 'D';
        upper[len + 1] = '\0';
    }
    return text_json(upper, strlen(upper));
}

static int
by_low(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    if (x[0] != y[0])
        return x[0] < y[0] ? -1 : 1;
    return (x[1] > y[1]) - (x[1] < y[1]);
}

/* Integer lists are sets of pairs: sorted, so that another order is no difference. */
static json_t *
integers(const char *value)
{
    int64_t pairs[PAIRS_MAX][2];
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;
    size_t count = 0;

    if (lp_tl1_pairs(value, pairs, PAIRS_MAX, &count, &err) == LP_OK) {
        qsort(pairs, count, sizeof pairs[0], by_low);
        out = json_array();
        for (size_t i = 0; out != NULL && i < 2 * count; i++) {
            if (json_array_append_new(out, json_integer(pairs[i / 2][i % 2])) != 0) {
                json_decref(out);
                out = NULL;
            }
        }
    }
    lp_err_clear(&err);
    return out != NULL ? out : text_json(value, strlen(value));
}

static json_t *
decimal(const char *value)
{
    struct lp_err err = LP_ERR_INIT;
    int32_t hundredths;
    char text[16];

    if (lp_tl1_hundredths(value, &hundredths, &err) == LP_OK) {
        fx_decimal(hundredths, text);
        value = text;
    }
    lp_err_clear(&err);
    return text_json(value, strlen(value));
}

static bool
is_null(const char *value)
{
    return strcasecmp(value, "NULL") == 0 || strcasecmp(value, "NA") == 0;
}

json_t *
fx_normal(enum fx_class object, const char *name, const char *value)
{
    const struct fx_param *param = fx_param_find(object, name);
    size_t len = strlen(value);

    switch (lp_tl1_type_of(name)) {
    case LP_TL1_DECIMAL:
        return decimal(value);
    case LP_TL1_INTS:
        return integers(is_null(value) ? "" : value);
    case LP_TL1_INT_TUPLES:
    case LP_TL1_TEXTS:
    case LP_TL1_TEXT_TUPLES:
        return lp_tl1_value_json(name, is_null(value) ? "" : value);
    case LP_TL1_TEXT:
        break;
    }
    if (strcmp(name, "SPANDIST") == 0 && len > 0)
        return decimal(value);
    if (param != NULL && param->values != NULL)
        return enumeration(value);
    if (strcmp(name, "OELAID") == 0 && len > FX_OEL_SHOWN)
        len = FX_OEL_SHOWN;
    return text_json(value, len);
}

/* ---- to the wire ---- */

static bool
put_item(struct lp_buf *buf, const json_t *item)
{
    if (json_is_integer(item))
        lp_buf_printf(buf, "%lld", (long long)json_integer_value(item));
    else if (json_is_string(item))
        lp_buf_str(buf, json_string_value(item));
    return json_is_integer(item) || json_is_string(item);
}

static bool
put_list(struct lp_buf *buf, const json_t *list, bool tuples)
{
    bool ok = true;

    for (size_t i = 0; ok && i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        if (i > 0)
            lp_buf_str(buf, json_is_array(item) ? "&-" : "&");
        ok = json_is_array(item) && tuples ? put_list(buf, item, false) : put_item(buf, item);
    }
    return ok;
}

static const char *
keep(struct lp_arena *arena, struct lp_buf *buf, bool ok)
{
    const char *text =
        ok && !buf->failed ? lp_arena_strdup(arena, buf->data != NULL ? buf->data : "") : NULL;

    lp_buf_free(buf);
    return text;
}

const char *
fx_wire_value(struct lp_arena *arena, const struct fx_param *param, const json_t *value)
{
    struct lp_buf buf = LP_BUF_INIT;
    const char *spelt;

    if (param->values != NULL) {
        if (!json_is_string(value) || !fx_one_of(param->values, json_string_value(value), &spelt))
            return NULL;
        return lp_arena_strndup(arena, spelt, strcspn(spelt, "|"));
    }
    if (json_is_array(value))
        return keep(arena, &buf, put_list(&buf, value, true));
    return keep(arena, &buf, put_item(&buf, value));
}

/* ---- records ---- */

bool
fx_key_of(const struct lp_tl1_record *record, char *key, size_t size)
{
    size_t len = 0;

    key[0] = '\0';
    if (record->count == 0)
        return false;
    for (size_t i = 0; i < record->blocks[0].count; i++) {
        int n = snprintf(key + len, size - len, "%s%s", i > 0 ? "," : "",
                         record->blocks[0].params[i].value);

        if (n < 0 || (size_t)n >= size - len)
            return false;
        len += (size_t)n;
    }
    return len > 0;
}

static const char *const admin_names[] = {
    [LP_TL1_ADMIN_IS] = "IS",
    [LP_TL1_ADMIN_OOS] = "OOS",
    [LP_TL1_ADMIN_MT] = "MT",
    [LP_TL1_ADMIN_UNKNOWN] = "?",
};

/* The whole last block: "OOS-AUMA,MT&FLT". */
static json_t *
state_json(const struct lp_tl1_record *record)
{
    const struct lp_tl1_block *last = &record->blocks[record->count - 1];
    struct lp_buf buf = LP_BUF_INIT;
    json_t *out;

    for (size_t i = 0; i < last->count; i++) {
        if (i > 0)
            lp_buf_char(&buf, ',');
        lp_buf_str(&buf, last->params[i].value);
    }
    out = text_json(buf.data != NULL ? buf.data : "", buf.len);
    lp_buf_free(&buf);
    return out;
}

static int
add_named(json_t *out, enum fx_class object, const struct lp_tl1_block *block)
{
    int failed = 0;

    for (size_t i = 0; i < block->count; i++) {
        const struct lp_tl1_param *p = &block->params[i];

        if (p->name != NULL && lp_utf8_valid(p->name, strlen(p->name))
            && json_object_get(out, p->name) == NULL)
            failed |= json_object_set_new(out, p->name, fx_normal(object, p->name, p->value));
    }
    return failed;
}

/* What an element does not show because it is as it always is. */
static int
add_defaults(json_t *out, enum fx_class object)
{
    static const struct {
        enum fx_class object;
        const char *name, *value;
    } rows[] = {
        {FX_OTS, "EXPSPANLOSS", "UNDER25DB"},
        {FX_SCH, "SHUTTERSTATE", "CLOSED"},
    };
    int failed = 0;

    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        if (rows[i].object == object && json_object_get(out, rows[i].name) == NULL)
            failed |= lp_json_set_str(out, rows[i].name, rows[i].value);
    }
    return failed;
}

json_t *
fx_object_of(enum fx_class object, const struct lp_tl1_record *record)
{
    json_t *out = json_object();
    int failed = out == NULL;

    if (out == NULL)
        return NULL;
    for (size_t b = 0; b < record->count; b++)
        failed |= add_named(out, object, &record->blocks[b]);
    if (object == FX_EQPT) {
        const char *type = lp_tl1_record_at(record, 1, 0);

        failed |= json_object_set_new(out, "TYPE", text_json(type, strlen(type)));
    }
    if (record->count > 1) {
        failed |= json_object_set_new(out, "STATE", state_json(record));
        failed |= lp_json_set_str(out, "ADMIN", admin_names[lp_tl1_record_admin(record)]);
    }
    failed |= add_defaults(out, object);
    if (failed != 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}
