#include "model/generated.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* enum members are read and written as int: one size for all of them */
enum sample { SAMPLE_NONE };
static_assert(sizeof(enum sample) == sizeof(int), "enumerations are as large as int");

static const size_t sizes[] = {
    [LP_FIELD_STRING] = sizeof(char *), [LP_FIELD_INT] = sizeof(int64_t),
    [LP_FIELD_BOOL] = sizeof(bool),     [LP_FIELD_ENUM] = sizeof(int),
    [LP_FIELD_UUID] = sizeof(char *),   [LP_FIELD_REF] = sizeof(char *),
};

static size_t
size_of(const struct lp_gen_field *field)
{
    bool inner = field->kind == LP_FIELD_STRUCT || field->kind == LP_FIELD_BLOCK;

    return inner ? field->sub->size : sizes[field->kind];
}

static void *
member(void *value, size_t offset)
{
    return (char *)value + offset;
}

static const void *
const_member(const void *value, size_t offset)
{
    return (const char *)value + offset;
}

/* ---- free ---- */

static bool
is_text(const struct lp_gen_field *field)
{
    return field->kind == LP_FIELD_STRING || field->kind == LP_FIELD_UUID
           || field->kind == LP_FIELD_REF;
}

static void
free_one(const struct lp_gen_field *field, void *at)
{
    if (is_text(field))
        free(*(char **)at);
    else if (field->sub != NULL)
        lp_gen_free(field->sub, at);
}

void
lp_gen_free(const struct lp_gen_struct *type, void *value)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct lp_gen_field *field = &type->fields[i];
        void *at = member(value, field->offset);
        size_t count = field->list ? *(size_t *)member(value, field->beside) : 1;
        if (!field->list && field->sub == NULL) {
            free_one(field, at);
            continue;
        }
        for (size_t k = 0; k < count && *(void **)at != NULL; k++)
            free_one(field, member(*(void **)at, k * size_of(field)));
        free(*(void **)at);
    }
    memset(value, 0, type->size);
}

/* ---- from JSON ---- */

static enum lp_code
refuse(const struct lp_gen_struct *type, const struct lp_gen_field *field, const json_t *value,
       const char *wanted, struct lp_err *err)
{
    return lp_fail_at(err, LP_INVALID, field->name, "%s: '%s' should be %s, not %s", type->name,
                      field->name, wanted, lp_json_kind(value));
}

static enum lp_code
read_enum(const struct lp_gen_struct *type, const struct lp_gen_field *field, const json_t *value,
          int *out, struct lp_err *err)
{
    const char *text = json_string_value(value);

    for (size_t i = 1; text != NULL && i < field->value_count; i++) {
        if (strcmp(field->values[i], text) == 0) {
            *out = (int)i;
            return LP_OK;
        }
    }
    return refuse(type, field, value, "one of its values", err);
}

static enum lp_code
read_text(const struct lp_gen_struct *type, const struct lp_gen_field *field, const json_t *value,
          char **out, struct lp_err *err)
{
    if (!json_is_string(value))
        return refuse(type, field, value, "a string", err);
    *out = strdup(json_string_value(value));
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a %s", type->name);
}

static enum lp_code
read_one(const struct lp_gen_struct *type, const struct lp_gen_field *field, const json_t *value,
         void *at, struct lp_err *err)
{
    switch (field->kind) {
    case LP_FIELD_STRING:
    case LP_FIELD_UUID:
    case LP_FIELD_REF:
        return read_text(type, field, value, at, err);
    case LP_FIELD_INT:
        *(int64_t *)at = json_integer_value(value);
        return json_is_integer(value) ? LP_OK : refuse(type, field, value, "an integer", err);
    case LP_FIELD_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value) ? LP_OK : refuse(type, field, value, "a boolean", err);
    case LP_FIELD_ENUM:
        return read_enum(type, field, value, at, err);
    case LP_FIELD_STRUCT:
    case LP_FIELD_BLOCK:
        return lp_gen_from_json(field->sub, value, at, err);
    case LP_FIELD_KIND_COUNT:
        break;
    }
    return lp_fail(err, LP_INTERNAL, "%s: '%s' is of no known kind", type->name, field->name);
}

static enum lp_code
read_list(const struct lp_gen_struct *type, const struct lp_gen_field *field, const json_t *list,
          void *out, struct lp_err *err)
{
    size_t i, *count = member(out, field->beside);
    json_t *item;
    enum lp_code rc = LP_OK;
    char *rows;

    if (!json_is_array(list))
        return refuse(type, field, list, "a list", err);
    if (json_array_size(list) == 0)
        return LP_OK;
    rows = calloc(json_array_size(list), size_of(field));
    if (rows == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a %s", type->name);
    *(void **)member(out, field->offset) = rows;
    *count = json_array_size(list);
    json_array_foreach(list, i, item)
    {
        if (rc == LP_OK)
            rc = read_one(type, field, item, rows + i * size_of(field), err);
    }
    return rc;
}

static enum lp_code
read_member(const struct lp_gen_struct *type, const struct lp_gen_field *field, const json_t *value,
            void *out, struct lp_err *err)
{
    void *at = member(out, field->offset);

    if (field->list)
        return read_list(type, field, value, out, err);
    if (field->sub != NULL) {
        void *inner = calloc(1, field->sub->size);
        if (inner == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a %s", type->name);
        *(void **)at = inner;
        at = inner;
    } else if (field->kind == LP_FIELD_INT || field->kind == LP_FIELD_BOOL) {
        *(bool *)member(out, field->beside) = true;
    }
    return read_one(type, field, value, at, err);
}

static enum lp_code
unknown_member(const struct lp_gen_struct *type, const json_t *doc, struct lp_err *err)
{
    const char *key, *found = "?";
    json_t *item;

    json_object_foreach((json_t *)(uintptr_t)doc, key, item)
    {
        bool known = false;
        for (size_t i = 0; i < type->count; i++)
            known |= strcmp(type->fields[i].name, key) == 0;
        if (!known)
            found = key;
    }
    return lp_fail_at(err, LP_INVALID, found, "%s: there is no member '%s'", type->name, found);
}

enum lp_code
lp_gen_from_json(const struct lp_gen_struct *type, const json_t *doc, void *out, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    size_t known = 0;

    memset(out, 0, type->size);
    if (!json_is_object(doc))
        return lp_fail(err, LP_INVALID, "%s should be an object, not %s", type->name,
                       lp_json_kind(doc));
    for (size_t i = 0; i < type->count && rc == LP_OK; i++) {
        const json_t *value = json_object_get(doc, type->fields[i].name);
        known += value != NULL ? 1 : 0;
        if (value != NULL && !json_is_null(value))
            rc = read_member(type, &type->fields[i], value, out, err);
    }
    if (rc == LP_OK && known != json_object_size(doc))
        rc = unknown_member(type, doc, err);
    if (rc != LP_OK)
        lp_gen_free(type, out);
    return rc;
}

/* ---- to JSON ---- */

static json_t *
write_one(const struct lp_gen_field *field, const void *at)
{
    switch (field->kind) {
    case LP_FIELD_STRING:
    case LP_FIELD_UUID:
    case LP_FIELD_REF:
        return json_string(*(char *const *)at);
    case LP_FIELD_INT:
        return json_integer(*(const int64_t *)at);
    case LP_FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case LP_FIELD_ENUM:
        assert(*(const int *)at > 0 && (size_t) * (const int *)at < field->value_count);
        return json_string(field->values[*(const int *)at]);
    case LP_FIELD_STRUCT:
    case LP_FIELD_BLOCK:
        return lp_gen_to_json(field->sub, at);
    case LP_FIELD_KIND_COUNT:
        break;
    }
    return NULL;
}

static bool
is_present(const struct lp_gen_field *field, const void *value)
{
    const void *at = const_member(value, field->offset);

    if (field->list)
        return *(const size_t *)const_member(value, field->beside) > 0;
    if (field->kind == LP_FIELD_INT || field->kind == LP_FIELD_BOOL)
        return *(const bool *)const_member(value, field->beside);
    if (field->kind == LP_FIELD_ENUM)
        return *(const int *)at != 0;
    return *(void *const *)at != NULL;
}

static json_t *
write_list(const struct lp_gen_field *field, const char *rows, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, write_one(field, rows + i * size_of(field))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *
lp_gen_to_json(const struct lp_gen_struct *type, const void *value)
{
    json_t *out = json_object(), *one;

    for (size_t i = 0; i < type->count; i++) {
        const struct lp_gen_field *field = &type->fields[i];
        const void *at = const_member(value, field->offset);
        if (!is_present(field, value))
            continue;
        if (field->list)
            one = write_list(field, *(const char *const *)at,
                             *(const size_t *)const_member(value, field->beside));
        else
            one = write_one(field, field->sub != NULL ? *(const void *const *)at : at);
        if (json_object_set_new(out, field->name, one) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}
