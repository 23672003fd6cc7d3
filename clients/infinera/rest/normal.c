/* The normal form of what a RESTCONF element says, and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/rest/rest.h"
#include "wire/tl1.h"

/* ---- answers ---- */

static const char *
bare(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon != NULL ? colon + 1 : name;
}

const json_t *
ir_member(const json_t *object, const char *name)
{
    const json_t *found = json_object_get(object, name);
    const char *key;
    json_t *value;

    if (found != NULL)
        return found;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (strcmp(bare(key), bare(name)) == 0)
            return value;
    }
    return NULL;
}

const char *
ir_text(struct lp_arena *arena, const json_t *object, const char *name, const char *fallback)
{
    const json_t *value = ir_member(object, name);
    const char *text = NULL;

    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        text = lp_arena_printf(arena, "%lld", (long long)json_integer_value(value));
    return text != NULL ? text : fallback;
}

/* ---- values ---- */

bool
ir_hundredths(const json_t *value, int64_t *out)
{
    struct lp_err ignored = LP_ERR_INIT;
    char text[64];
    int32_t hundredths;
    bool ok;

    if (json_is_integer(value)) {
        *out = json_integer_value(value) * 100;
        return json_integer_value(value) > -100000000 && json_integer_value(value) < 100000000;
    }
    if (json_is_real(value))
        (void)snprintf(text, sizeof text, "%.4f", json_real_value(value));
    else if (json_is_string(value))
        (void)snprintf(text, sizeof text, "%s", json_string_value(value));
    else
        return false;
    ok = lp_tl1_hundredths(text, &hundredths, &ignored) == LP_OK;
    lp_err_clear(&ignored);
    *out = ok ? hundredths : 0;
    return ok;
}

static void
decimal_text(int64_t hundredths, char text[static 32])
{
    int64_t size = hundredths < 0 ? -hundredths : hundredths;
    const char *sign = hundredths < 0 ? "-" : "";

    if (size % 100 == 0)
        (void)snprintf(text, 32, "%s%lld", sign, (long long)(size / 100));
    else if (size % 10 == 0)
        (void)snprintf(text, 32, "%s%lld.%lld", sign, (long long)(size / 100),
                       (long long)(size % 100 / 10));
    else
        (void)snprintf(text, 32, "%s%lld.%02lld", sign, (long long)(size / 100),
                       (long long)(size % 100));
}

const char *
ir_decimal(struct lp_arena *arena, int64_t hundredths)
{
    char text[32];

    decimal_text(hundredths, text);
    return lp_arena_strdup(arena, text);
}

static json_t *
normal_decimal(const json_t *value)
{
    int64_t hundredths;
    char text[32];

    if (!ir_hundredths(value, &hundredths))
        return json_deep_copy(value);
    decimal_text(hundredths, text);
    return json_string(text);
}

static json_t *
normal_int(const json_t *value)
{
    const char *text = json_string_value(value);
    char *end = NULL;
    long long number;

    if (json_is_real(value)) /* "193500000.0": an integer all the same */
        return json_integer((json_int_t)json_real_value(value));
    if (text == NULL)
        return json_deep_copy(value);
    number = strtoll(text, &end, 10);
    return text[0] != '\0' && *end == '\0' ? json_integer(number) : json_string(text);
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static json_t *
normal_set(const json_t *value)
{
    size_t count = json_array_size(value), used = 0;
    json_t **items = calloc(count + 1, sizeof(json_t *)), *out = json_array();

    for (size_t i = 0; items != NULL && i < count; i++) {
        if (json_is_string(json_array_get(value, i)))
            items[used++] = json_array_get(value, i);
    }
    if (items != NULL)
        qsort(items, used, sizeof(json_t *), by_text);
    for (size_t i = 0; i < used; i++)
        (void)json_array_append(out, items[i]);
    free(items);
    return out;
}

json_t *
ir_normal(const struct ir_leaf *leaf, const json_t *value)
{
    char text[32];

    switch (leaf->kind) {
    case IR_INT:
        return normal_int(value);
    case IR_DECIMAL:
        return normal_decimal(value);
    case IR_SET:
        return normal_set(value);
    case IR_TEXT:
    case IR_ENUM:
        break;
    }
    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "true" : "false");
    if (!json_is_integer(value))
        return json_deep_copy(value);
    (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    return json_string(text);
}

const struct ir_leaf *
ir_leaf_find(const struct ir_class *class, const char *name)
{
    for (size_t i = 0; i < class->leaf_count; i++) {
        if (strcmp(class->leaves[i].name, name) == 0)
            return &class->leaves[i];
    }
    return NULL;
}

json_t *
ir_object(const struct ir_class *class, const json_t *raw)
{
    json_t *out = json_object();

    for (size_t i = 0; i < class->leaf_count; i++) {
        const json_t *value = ir_member(raw, class->leaves[i].name);

        if (value != NULL && !json_is_null(value))
            (void)json_object_set_new(out, class->leaves[i].name,
                                      ir_normal(&class->leaves[i], value));
    }
    return out;
}

/* ---- bodies ---- */

static bool
is_one_of(const char *values, const char *value)
{
    size_t len = strlen(value);

    for (const char *at = values; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, value, len) == 0 && (at[len] == '|' || at[len] == '\0'))
            return true;
    }
    return false;
}

static bool
in_range(const struct ir_leaf *leaf, int64_t number)
{
    return leaf->low == leaf->high || (number >= leaf->low && number <= leaf->high);
}

static enum lp_code
wrong(const struct ir_place *place, const struct ir_leaf *leaf, const json_t *value,
      struct lp_err *err)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    enum lp_code rc =
        lp_fail(err, LP_INVALID, "%s of %s cannot be %.64s%s%.200s", leaf->name, place->path,
                text != NULL ? text : "that", leaf->values != NULL ? ", only one of " : "",
                leaf->values != NULL ? leaf->values : "");

    free(text);
    return rc;
}

static bool
is_valid(const struct ir_leaf *leaf, const json_t *value)
{
    int64_t number;

    switch (leaf->kind) {
    case IR_INT:
        return json_is_integer(value) && in_range(leaf, json_integer_value(value));
    case IR_DECIMAL:
        return json_is_string(value) && ir_hundredths(value, &number) && in_range(leaf, number);
    case IR_SET:
        return json_is_array(value);
    case IR_ENUM:
        return json_is_string(value)
               && (leaf->values == NULL || is_one_of(leaf->values, json_string_value(value)));
    case IR_TEXT:
        break;
    }
    return json_is_string(value)
           && (leaf->high == 0 || (int64_t)json_string_length(value) <= leaf->high);
}

static json_t *
to_wire(const struct ir_leaf *leaf, const json_t *value)
{
    char text[32];

    if ((leaf->flags & IR_AS_BOOL) != 0)
        return json_boolean(strcmp(json_string_value(value), "true") == 0);
    if (leaf->kind != IR_INT || (leaf->flags & IR_AS_TEXT) == 0)
        return json_deep_copy(value);
    (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    return json_string(text);
}

/* A text that was never there is not written to be empty. */
static enum lp_code
put_leaf(const struct ir_place *place, const char *name, const json_t *value, json_t *object,
         struct lp_err *err)
{
    const struct ir_leaf *leaf = ir_leaf_find(place->class, name);

    if (leaf == NULL || (leaf->flags & IR_READ_ONLY) != 0)
        return lp_fail(err, LP_INVALID, "%s has no leaf %.64s that could be written", place->path,
                       name);
    if (leaf->kind != IR_TEXT && json_is_string(value) && json_string_length(value) == 0)
        return LP_OK; /* of a before-image: it had none */
    if (!is_valid(leaf, value))
        return wrong(place, leaf, value, err);
    (void)json_object_set_new(object, name, to_wire(leaf, value));
    return LP_OK;
}

enum lp_code
ir_body(const struct ir_place *place, const json_t *values, json_t **out, struct lp_err *err)
{
    json_auto_t *object = json_object();
    enum lp_code rc = LP_OK;
    const char *name;
    json_t *value;

    if (place->class->key != NULL && place->class->key_number)
        (void)json_object_set_new(object, place->class->key,
                                  json_integer(strtoll(place->key, NULL, 10)));
    else if (place->class->key != NULL)
        (void)lp_json_set_str(object, place->class->key, place->key);
    json_object_foreach((json_t *)(uintptr_t)values, name, value)
    {
        if (rc == LP_OK)
            rc = put_leaf(place, name, value, object, err);
    }
    if (rc != LP_OK)
        return rc;
    *out = json_pack(place->class->key != NULL ? "{s:[O]}" : "{s:O}", place->class->node, object);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a request");
}

/* ---- comparing ---- */

static bool
is_empty(const json_t *value)
{
    return value == NULL || json_is_null(value)
           || (json_is_string(value) && json_string_length(value) == 0)
           || (json_is_array(value) && json_array_size(value) == 0);
}

bool
ir_same(const json_t *a, const json_t *b)
{
    if (is_empty(a) || is_empty(b))
        return is_empty(a) && is_empty(b);
    return lp_json_same(a, b);
}

bool
ir_holds(const json_t *wanted, const json_t *actual)
{
    const char *name;
    json_t *value;

    if (wanted == NULL || json_is_null(wanted))
        return actual == NULL;
    if (actual == NULL || json_is_null(actual))
        return false;
    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
    {
        if (!ir_same(value, json_object_get(actual, name)))
            return false;
    }
    return true;
}

json_t *
ir_slice(const json_t *actual, const json_t *like)
{
    json_t *out = json_object();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)like, name, value)
    {
        json_t *is = json_object_get(actual, name);

        if (is != NULL)
            (void)json_object_set(out, name, is);
        else
            (void)lp_json_set_str(out, name, "");
    }
    return out;
}

json_t *
ir_writable(const struct ir_class *class, const json_t *actual, bool admin)
{
    json_t *out = json_object();

    for (size_t i = 0; i < class->leaf_count; i++) {
        const struct ir_leaf *leaf = &class->leaves[i];
        json_t *value = json_object_get(actual, leaf->name);
        bool is_admin = class->admin != NULL && strcmp(leaf->name, class->admin) == 0;

        if (value != NULL && (leaf->flags & IR_READ_ONLY) == 0 && (admin || !is_admin))
            (void)json_object_set(out, leaf->name, value);
    }
    return out;
}

/* ---- names ---- */

const char *
ir_encode(struct lp_arena *arena, const char *text)
{
    struct lp_buf buf = LP_BUF_INIT;
    const char *out;

    lp_restconf_encode(&buf, text);
    out = buf.failed ? NULL : lp_arena_strdup(arena, buf.data != NULL ? buf.data : "");
    lp_buf_free(&buf);
    return out != NULL ? out : "";
}

const char *
ir_cut(struct lp_arena *arena, const char *text, char separator, const char **rest)
{
    const char *at = strchr(text, separator);

    *rest = at != NULL ? at + 1 : NULL;
    return at != NULL ? lp_arena_strndup(arena, text, (size_t)(at - text)) : text;
}

bool
ir_reference(const char *reference, const char *prefix, const char **name)
{
    size_t len = strlen(prefix);

    *name = reference;
    if (strncmp(reference, prefix, len) != 0 || reference[len] != ':')
        return false;
    *name = reference + len + 1;
    return true;
}

const char *
ir_ref(struct lp_arena *arena, const char *prefix, const char *name)
{
    const char *made = lp_arena_printf(arena, "%s:%s", prefix, name);

    return made != NULL ? made : "";
}
