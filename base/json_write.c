#include "base/json_write.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* jansson's own limit for unsorted text: beyond it a value is a cycle or an attack. */
enum { DEEPEST = 2048, FEW = 32 };

static size_t
add_escaped(char *out, size_t size, size_t len, const char *text)
{
    for (; *text != '\0' && len + 3 < size; text++) {
        if (*text == '~' || *text == '/') {
            out[len++] = '~';
            out[len++] = *text == '~' ? '0' : '1';
        } else {
            out[len++] = *text;
        }
    }
    out[len] = '\0';
    return len;
}

static size_t
write_pointer(char *out, size_t size, const struct lp_json_step *step)
{
    size_t len;
    char number[24];

    out[0] = '\0';
    if (step == NULL)
        return 0;
    len = write_pointer(out, size, step->up);
    if (len + 3 >= size)
        return len;
    out[len++] = '/';
    if (step->key != NULL)
        return add_escaped(out, size, len, step->key);
    (void)snprintf(number, sizeof number, "%zu", step->index);
    return add_escaped(out, size, len, number);
}

void
lp_json_pointer(char *out, size_t size, const struct lp_json_step *step)
{
    (void)write_pointer(out, size, step);
}

struct writer {
    struct lp_buf *out;
    bool sorted;
    struct lp_err *err;
};

static enum lp_code
refuse(struct writer *w, const struct lp_json_step *at, const char *why)
{
    char pointer[sizeof w->err->pointer];

    lp_json_pointer(pointer, sizeof pointer, at);
    return lp_fail_at(w->err, LP_INVALID, pointer, "%s at '%s'", why, pointer);
}

static void
write_escape(struct lp_buf *out, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char text[8];

    for (const char *p = letters; *p != '\0'; p += 2)
        if ((unsigned char)p[0] == c) {
            text[0] = '\\';
            text[1] = p[1];
            lp_buf_add(out, text, 2);
            return;
        }
    (void)snprintf(text, sizeof text, "\\u%04X", c);
    lp_buf_add(out, text, 6);
}

/* Whether one of eight bytes is a control character, a quote or a backslash; bytes from 0x80 on may
 * be taken for one. */
static bool
any_escape(const char *text)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t word, quote, slash;

    memcpy(&word, text, sizeof word);
    quote = word ^ ones * '"';
    slash = word ^ ones * '\\';
    return (((word - ones * 0x20) | (quote - ones) | (slash - ones)) & high) != 0;
}

/* jansson holds valid UTF-8 only; runs without an escape are copied whole. */
static void
write_string(struct lp_buf *out, const char *text, size_t len)
{
    size_t from = 0;

    lp_buf_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c;

        while (i + 8 <= len && !any_escape(text + i))
            i += 8;
        if (i == len)
            break;
        c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        lp_buf_add(out, text + from, i - from);
        write_escape(out, c);
        from = i + 1;
    }
    lp_buf_add(out, text + from, len - from);
    lp_buf_char(out, '"');
}

void
lp_buf_json_string(struct lp_buf *buf, const char *text, size_t len)
{
    write_string(buf, text, len);
}

static void
write_integer(struct lp_buf *out, json_int_t value)
{
    char digits[24], *p = digits + sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do
        *--p = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        *--p = '-';
    lp_buf_add(out, p, (size_t)(digits + sizeof digits - p));
}

static int
append(const char *text, size_t len, void *out)
{
    lp_buf_add(out, text, len);
    return 0;
}

/* jansson knows how many digits a fraction needs. */
static void
write_real(struct lp_buf *out, const json_t *value)
{
    if (json_dump_callback(value, append, out, JSON_ENCODE_ANY) != 0)
        out->failed = true;
}

struct member {
    const char *key;
    json_t *value;
};

static int
compare_members(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

/* Objects are small and often sorted already. */
static void
sort_members(struct member *members, size_t count)
{
    if (count > FEW) {
        qsort(members, count, sizeof *members, compare_members);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct member moved = members[i];
        size_t k = i;

        for (; k > 0 && strcmp(members[k - 1].key, moved.key) > 0; k--)
            members[k] = members[k - 1];
        members[k] = moved;
    }
}

/* jansson has no iteration over a const object. */
static json_t *
unconst(const json_t *value)
{
    union {
        const json_t *in;
        json_t *out;
    } u = {.in = value};

    return u.out;
}

static enum lp_code write_value(struct writer *w, const json_t *value,
                                const struct lp_json_step *at, unsigned depth);

static enum lp_code
write_member(struct writer *w, const char *key, const json_t *value, bool first,
             const struct lp_json_step *at, unsigned depth)
{
    struct lp_json_step step = {.up = at, .key = key};

    if (!first)
        lp_buf_char(w->out, ',');
    write_string(w->out, key, strlen(key));
    lp_buf_char(w->out, ':');
    return write_value(w, value, &step, depth);
}

static enum lp_code
write_sorted(struct writer *w, const json_t *object, const struct lp_json_step *at, unsigned depth)
{
    size_t size = json_object_size(object), count = 0;
    struct member few[FEW], *members = size <= FEW ? few : calloc(size, sizeof *members);
    enum lp_code rc = LP_OK;
    const char *key;
    json_t *value;

    if (members == NULL) {
        w->out->failed = true;
        return LP_OK; /* told at the end */
    }
    json_object_foreach(unconst(object), key, value) members[count++] = (struct member){key, value};
    sort_members(members, count);
    for (size_t i = 0; i < count && rc == LP_OK; i++)
        rc = write_member(w, members[i].key, members[i].value, i == 0, at, depth);
    if (members != few)
        free(members);
    return rc;
}

static enum lp_code
write_stored(struct writer *w, const json_t *object, const struct lp_json_step *at, unsigned depth)
{
    enum lp_code rc = LP_OK;
    bool first = true;
    const char *key;
    json_t *value;

    json_object_foreach(unconst(object), key, value)
    {
        rc = write_member(w, key, value, first, at, depth);
        first = false;
        if (rc != LP_OK)
            break;
    }
    return rc;
}

static enum lp_code
write_object(struct writer *w, const json_t *object, const struct lp_json_step *at, unsigned depth)
{
    enum lp_code rc;

    lp_buf_char(w->out, '{');
    rc = w->sorted ? write_sorted(w, object, at, depth) : write_stored(w, object, at, depth);
    lp_buf_char(w->out, '}');
    return rc;
}

static enum lp_code
write_array(struct writer *w, const json_t *array, const struct lp_json_step *at, unsigned depth)
{
    enum lp_code rc = LP_OK;

    lp_buf_char(w->out, '[');
    for (size_t i = 0; i < json_array_size(array) && rc == LP_OK; i++) {
        struct lp_json_step step = {.up = at, .index = i};

        if (i > 0)
            lp_buf_char(w->out, ',');
        rc = write_value(w, json_array_get(array, i), &step, depth);
    }
    lp_buf_char(w->out, ']');
    return rc;
}

static enum lp_code
write_value(struct writer *w, const json_t *value, const struct lp_json_step *at, unsigned depth)
{
    if (value == NULL)
        return refuse(w, at, "JSON text needs a value, and there is none");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (depth >= (w->sorted ? LP_JSON_MAX_DEPTH : DEEPEST))
            return refuse(w, at, "JSON text of too many levels");
        return json_is_object(value) ? write_object(w, value, at, depth + 1)
                                     : write_array(w, value, at, depth + 1);
    case JSON_STRING:
        write_string(w->out, json_string_value(value), json_string_length(value));
        return LP_OK;
    case JSON_INTEGER:
        write_integer(w->out, json_integer_value(value));
        return LP_OK;
    case JSON_REAL:
        if (w->sorted)
            return refuse(w, at, "canonical JSON holds no fractions: a real number");
        write_real(w->out, value);
        return LP_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        lp_buf_str(w->out, json_is_true(value) ? "true" : "false");
        return LP_OK;
    case JSON_NULL:
        lp_buf_add(w->out, "null", 4);
        return LP_OK;
    }
    return refuse(w, at, "no JSON value");
}

enum lp_code
lp_json_write(struct lp_buf *out, const json_t *value, bool sorted, struct lp_err *err)
{
    struct writer w = {.out = out, .sorted = sorted, .err = err};
    enum lp_code rc = write_value(&w, value, NULL, 0);

    if (rc == LP_OK && out->failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for the JSON text of a value");
    return rc;
}
