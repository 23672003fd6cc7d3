#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/utf8.h"

bool
lp_utf8_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = text[i] == '\0' ? 0 : lp_utf8_sequence(text + i, len - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

struct place {
    size_t line, column; /* from 1, columns in characters */
};

static struct place
place_of(const char *text, size_t at)
{
    struct place p = {1, 1};

    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n')
            p = (struct place){p.line + 1, 1};
        else if (((unsigned char)text[i] & 0xC0u) != 0x80u)
            p.column++;
    }
    return p;
}

static enum lp_code fail_in_text(struct lp_err *err, const char *text, size_t at,
                                 const char *why) LP_MUST_CHECK;

static enum lp_code
fail_in_text(struct lp_err *err, const char *text, size_t at, const char *why)
{
    struct place p = place_of(text, at);
    char where[64];

    (void)snprintf(where, sizeof where, "line %zu, column %zu", p.line, p.column);
    return lp_fail_at(err, LP_INVALID, where, "not valid JSON: %s (%s)", why, where);
}

/* jansson recurses 2048 deep and reports NUL and bad UTF-8 without a place, so these three are
 * looked for first. */
static enum lp_code
check_text(const char *text, size_t len, struct lp_err *err)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0, n; i < len; i += n) {
        n = lp_utf8_sequence(text + i, len - i);
        if (n == 0)
            return fail_in_text(err, text, i, "this byte is not UTF-8");
        if (text[i] == '\0')
            return fail_in_text(err, text, i, "a NUL byte");
        if (quoted && text[i] == '\\' && i + 1 < len && (unsigned char)text[i + 1] < 0x80
            && text[i + 1] != '\0')
            n = 2;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '[' || text[i] == '{') && ++depth > LP_JSON_MAX_DEPTH)
            return fail_in_text(err, text, i, "nested deeper than 64 levels");
        else if (!quoted && (text[i] == ']' || text[i] == '}') && depth > 0)
            depth--;
    }
    return LP_OK;
}

/* jansson quotes the text it stopped at, which may be a piece of a secret; the place says enough. A
 * doubled key is worth its name. */
static void
explain(char *why, size_t size, const json_error_t *error)
{
    char *near;

    lp_utf8_copy(why, size, error->text);
    near = strstr(why, " near '");
    if (near != NULL && json_error_code(error) != json_error_duplicate_key)
        *near = '\0';
}

enum lp_code
lp_json_load(const char *text, size_t len, json_t **out, struct lp_err *err)
{
    enum lp_code rc = check_text(text, len, err);
    char why[JSON_ERROR_TEXT_LENGTH], where[64];
    json_error_t error = {.text = ""}; /* jansson may leave its code unset */
    json_t *value;

    if (rc != LP_OK)
        return rc;
    value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value != NULL) {
        *out = value;
        return LP_OK;
    }
    /* jansson says nothing at all when an allocation failed */
    if (json_error_code(&error) == json_error_out_of_memory || error.text[0] == '\0')
        return lp_fail(err, LP_NOMEM, "no memory for a JSON text of %zu bytes", len);
    explain(why, sizeof why, &error);
    (void)snprintf(where, sizeof where, "line %d, column %d", error.line,
                   error.column < 1 ? 1 : error.column);
    return lp_fail_at(err, LP_INVALID, where, "not valid JSON: %s (%s)", why, where);
}

enum lp_code
lp_json_canonical(const json_t *value, char **text, size_t *len, struct lp_err *err)
{
    struct lp_buf buf = LP_BUF_INIT;
    enum lp_code rc = lp_json_write(&buf, value, true, err);

    if (rc != LP_OK) {
        lp_buf_free(&buf);
        return rc;
    }
    *len = buf.len;
    *text = lp_buf_take(&buf);
    return LP_OK;
}

char *
lp_json_text(const json_t *value)
{
    struct lp_buf buf = LP_BUF_INIT;

    lp_buf_json(&buf, value);
    return lp_buf_take(&buf);
}

json_t *
lp_json_take(json_t **value)
{
    json_t *taken = *value;

    *value = NULL;
    return taken;
}

const char *
lp_json_kind(const json_t *value)
{
    if (value == NULL)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "real";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    case JSON_NULL:
        return "null";
    }
    return "nothing";
}

enum kind { STRING, INTEGER, BOOLEAN, OBJECT, ARRAY };

static const char *const expected[] = {
    [STRING] = "a string",  [INTEGER] = "an integer", [BOOLEAN] = "true or false",
    [OBJECT] = "an object", [ARRAY] = "an array",
};

static bool
is_kind(const json_t *value, enum kind kind)
{
    switch (kind) {
    case STRING:
        return json_is_string(value);
    case INTEGER:
        return json_is_integer(value);
    case BOOLEAN:
        return json_is_boolean(value);
    case OBJECT:
        return json_is_object(value);
    case ARRAY:
        return json_is_array(value);
    }
    return false;
}

static enum lp_code
fail_member(const char *key, struct lp_err *err, enum kind kind, const json_t *found)
{
    struct lp_json_step step = {.key = key};
    char pointer[sizeof err->pointer];

    lp_json_pointer(pointer, sizeof pointer, &step);
    if (found == NULL)
        return lp_fail_at(err, LP_INVALID, pointer, "member '%s' is missing: %s is expected", key,
                          expected[kind]);
    return lp_fail_at(err, LP_INVALID, pointer, "member '%s' must be %s, not %s", key,
                      expected[kind], lp_json_kind(found));
}

/* The member, or NULL when it is optional and absent; `demanded` members are never absent. */
static enum lp_code
get(const json_t *obj, const char *key, enum kind kind, bool demanded, json_t **out,
    struct lp_err *err)
{
    json_t *value;

    *out = NULL;
    if (!json_is_object(obj))
        return lp_fail(err, LP_INVALID, "an object with the member '%s' is expected, not %s", key,
                       lp_json_kind(obj));
    value = json_object_get(obj, key);
    if (!demanded && (value == NULL || json_is_null(value)))
        return LP_OK;
    if (!is_kind(value, kind))
        return fail_member(key, err, kind, value);
    *out = value;
    return LP_OK;
}

enum lp_code
lp_json_get_string(const json_t *obj, const char *key, const char **out, struct lp_err *err)
{
    json_t *value;
    enum lp_code rc = get(obj, key, STRING, true, &value, err);

    if (rc == LP_OK)
        *out = json_string_value(value);
    return rc;
}

enum lp_code
lp_json_get_int(const json_t *obj, const char *key, int64_t *out, struct lp_err *err)
{
    json_t *value;
    enum lp_code rc = get(obj, key, INTEGER, true, &value, err);

    if (rc == LP_OK)
        *out = json_integer_value(value);
    return rc;
}

enum lp_code
lp_json_get_bool(const json_t *obj, const char *key, bool *out, struct lp_err *err)
{
    json_t *value;
    enum lp_code rc = get(obj, key, BOOLEAN, true, &value, err);

    if (rc == LP_OK)
        *out = json_is_true(value);
    return rc;
}

enum lp_code
lp_json_get_object(const json_t *obj, const char *key, json_t **out, struct lp_err *err)
{
    return get(obj, key, OBJECT, true, out, err);
}

enum lp_code
lp_json_get_array(const json_t *obj, const char *key, json_t **out, struct lp_err *err)
{
    return get(obj, key, ARRAY, true, out, err);
}

enum lp_code
lp_json_opt_string(const json_t *obj, const char *key, const char **out, struct lp_err *err)
{
    json_t *value;
    enum lp_code rc = get(obj, key, STRING, false, &value, err);

    if (value != NULL)
        *out = json_string_value(value);
    return rc;
}

enum lp_code
lp_json_opt_int(const json_t *obj, const char *key, int64_t *out, struct lp_err *err)
{
    json_t *value;
    enum lp_code rc = get(obj, key, INTEGER, false, &value, err);

    if (value != NULL)
        *out = json_integer_value(value);
    return rc;
}

enum lp_code
lp_json_opt_bool(const json_t *obj, const char *key, bool *out, struct lp_err *err)
{
    json_t *value;
    enum lp_code rc = get(obj, key, BOOLEAN, false, &value, err);

    if (value != NULL)
        *out = json_is_true(value);
    return rc;
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

static bool
is_listed(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

enum lp_code
lp_json_only(const json_t *obj, const char *const *names, size_t count, struct lp_err *err)
{
    const char *key;
    json_t *member;

    if (!json_is_object(obj))
        return lp_fail(err, LP_INVALID, "an object is expected, not %s", lp_json_kind(obj));
    json_object_foreach(unconst(obj), key, member)
    {
        if (!is_listed(key, names, count)) {
            struct lp_json_step step = {.key = key};
            char pointer[sizeof err->pointer];

            lp_json_pointer(pointer, sizeof pointer, &step);
            return lp_fail_at(err, LP_INVALID, pointer, "unknown member '%.100s'", key);
        }
    }
    return LP_OK;
}

const char *
lp_json_str(const json_t *obj, const char *key, const char *fallback)
{
    const json_t *value = json_object_get(obj, key);

    return json_is_string(value) ? json_string_value(value) : fallback;
}

int64_t
lp_json_int(const json_t *obj, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(obj, key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool
lp_json_true(const json_t *obj, const char *key)
{
    return json_is_true(json_object_get(obj, key));
}

int
lp_json_set_str(json_t *obj, const char *key, const char *value)
{
    return json_object_set_new(obj, key, value == NULL ? json_null() : json_string(value));
}

int
lp_json_set_int(json_t *obj, const char *key, int64_t value)
{
    return json_object_set_new(obj, key, json_integer(value));
}

int
lp_json_set_bool(json_t *obj, const char *key, bool value)
{
    return json_object_set_new(obj, key, json_boolean(value));
}

bool
lp_json_same(const json_t *a, const json_t *b)
{
    return json_equal(a, b) == 1;
}
