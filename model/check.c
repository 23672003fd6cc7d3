/* One value against one field, strictly: no value changes its type on the way in (W41, W49). */
#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

json_t *
lp_model_share(const json_t *value)
{
    const union {
        const json_t *in;
        json_t *out;
    } same = {.in = value};

    return json_incref(same.out); /* counted references; the value itself is not changed */
}

json_t *
lp_model_stripped(const json_t *value)
{
    json_t *out, *item;
    const char *key;
    size_t i;

    if (json_is_object(value)) {
        out = json_object();
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            if (!json_is_null(item) && json_object_set_new(out, key, lp_model_stripped(item)) != 0)
                return json_decref(out), NULL;
        }
        return out;
    }
    if (!json_is_array(value))
        return json_deep_copy(value);
    out = json_array();
    json_array_foreach(value, i, item)
    {
        if (json_array_append_new(out, lp_model_stripped(item)) != 0)
            return json_decref(out), NULL;
    }
    return out;
}

/* ---- texts ---- */

/* Decodes valid UTF-8 (jansson lets nothing else in). */
static uint32_t
next_char(const char **at)
{
    const unsigned char *s = (const unsigned char *)*at;
    unsigned more = s[0] < 0x80 ? 0 : s[0] < 0xE0 ? 1 : s[0] < 0xF0 ? 2 : 3;
    uint32_t code = more == 0 ? s[0] : s[0] & (0x3Fu >> more);

    for (unsigned i = 1; i <= more; i++)
        code = code << 6 | (s[i] & 0x3Fu);
    *at += more + 1;
    return code;
}

/* RFC 7950, section 14: the characters YANG texts consist of. */
static bool
is_yang_char(uint32_t c)
{
    if (c < 0x20)
        return c == '\t' || c == '\n' || c == '\r';
    return !(c >= 0xFDD0 && c <= 0xFDEF) && (c & 0xFFFEu) != 0xFFFEu;
}

/* Characters in the text; *clean is false when there is one that no text may hold. */
static int64_t
count_chars(const json_t *value, bool *clean)
{
    const char *at = json_string_value(value), *end = at + json_string_length(value);
    int64_t n = 0;

    *clean = true;
    for (; at < end; n++)
        *clean &= is_yang_char(next_char(&at));
    return n;
}

struct lysc_pattern **
lp_node_patterns(const struct lysc_node *node)
{
    const struct lysc_type *type;

    if (node == NULL || (node->nodetype & (LYS_LEAF | LYS_LEAFLIST)) == 0)
        return NULL;
    type = node->nodetype == LYS_LEAF
               ? ((const struct lysc_node_leaf *)(const void *)node)->type
               : ((const struct lysc_node_leaflist *)(const void *)node)->type;
    if (type->basetype != LY_TYPE_STRING)
        return NULL;
    return ((const struct lysc_type_str *)(const void *)type)->patterns;
}

static void
pattern_problem(struct lp_check *check, const struct lp_field *field, const json_t *value,
                const struct lp_place *at, const char *text)
{
    json_t *ctx = json_pack("{s:s}", "pattern", field->pattern);

    if (text != NULL)
        lp_check_problem(check, "string_pattern_mismatch", at, value, ctx, "%s", text);
    else
        lp_check_problem(check, "string_pattern_mismatch", at, value, ctx,
                         "String should match pattern '%s'", field->pattern);
}

/* libyang's own type validation, so that XSD patterns (all of them, inverted ones too) mean what
 * they say. */
static bool
schema_accepts(struct lp_check *check, const struct lp_field *field, const json_t *value,
               const struct lp_place *at)
{
    const struct lysc_node *node = field->schema;
    struct ly_ctx *ctx = node->module->ctx;
    struct lysc_pattern **patterns = lp_node_patterns(field->schema);
    const char *told = NULL, *last;
    LY_ARRAY_COUNT_TYPE i;

    if (lyd_value_validate(ctx, node, json_string_value(value), json_string_length(value), NULL,
                           NULL, NULL)
        == LY_SUCCESS)
        return true;
    last = ly_errmsg(ctx);
    LY_ARRAY_FOR(patterns, i)
    {
        if (last != NULL && patterns[i]->emsg != NULL && strcmp(last, patterns[i]->emsg) == 0)
            told = patterns[i]->emsg;
    }
    pattern_problem(check, field, value, at, told);
    ly_err_clean(ctx, NULL);
    return false;
}

/* A pattern given at run time (a form, the configuration): POSIX extended, over the whole value. */
static void
check_regex(struct lp_check *check, const struct lp_field *field, const json_t *value,
            const struct lp_place *at)
{
    struct lp_buf text = LP_BUF_INIT;
    regex_t regex;
    int rc = -1;

    lp_buf_printf(&text, "^(%s)$", field->pattern);
    if (text.failed) {
        lp_problems_lost(check->problems);
    } else if (regcomp(&regex, text.data, REG_EXTENDED | REG_NOSUB) != 0) {
        lp_check_problem(check, "value_error", at, value, NULL,
                         "the pattern '%s' of this field is not valid", field->pattern);
    } else {
        rc = regexec(&regex, json_string_value(value), 0, NULL, 0);
        regfree(&regex);
        if (rc != 0)
            pattern_problem(check, field, value, at, field->hint);
    }
    lp_buf_free(&text);
}

static void
check_patterns(struct lp_check *check, const struct lp_field *field, const json_t *value,
               const struct lp_place *at)
{
    struct lysc_pattern **patterns = lp_node_patterns(field->schema);

    if (patterns != NULL && !schema_accepts(check, field, value, at))
        return;
    if (field->pattern != NULL
        && (patterns == NULL || strcmp(patterns[0]->expr, field->pattern) != 0))
        check_regex(check, field, value, at);
}

static void
check_length(struct lp_check *check, const struct lp_field *field, const json_t *value,
             const struct lp_place *at, int64_t chars)
{
    bool low = field->has_min && chars < field->min;
    const char *type = low ? "string_too_short" : "string_too_long";
    int64_t limit = low ? field->min : field->max;
    json_t *ctx = json_pack("{s:I}", low ? "min_length" : "max_length", (json_int_t)limit);

    if (field->hint != NULL)
        lp_check_problem(check, type, at, value, ctx, "%s", field->hint);
    else
        lp_check_problem(check, type, at, value, ctx,
                         "String should have at %s %" PRId64 " character%s", low ? "least" : "most",
                         limit, limit == 1 ? "" : "s");
}

static void
check_string(struct lp_check *check, const struct lp_field *field, const json_t *value,
             const struct lp_place *at)
{
    int64_t chars;
    bool clean;

    if (!json_is_string(value)) {
        lp_check_problem(check, "string_type", at, value, NULL, "Input should be a valid string");
        return;
    }
    chars = count_chars(value, &clean);
    if (!clean)
        lp_check_problem(check, "value_error", at, value, NULL,
                         "must not contain control characters");
    else if ((field->has_min && chars < field->min) || (field->has_max && chars > field->max))
        check_length(check, field, value, at, chars);
    else
        check_patterns(check, field, value, at);
}

/* ---- other scalars ---- */

static void
range_problem(struct lp_check *check, const struct lp_field *field, const json_t *value,
              const struct lp_place *at, bool low)
{
    const char *type = low ? "greater_than_equal" : "less_than_equal";
    int64_t limit = low ? field->min : field->max;
    json_t *ctx = json_pack("{s:I}", low ? "ge" : "le", (json_int_t)limit);

    if (field->hint != NULL)
        lp_check_problem(check, type, at, value, ctx, "%s", field->hint);
    else
        lp_check_problem(check, type, at, value, ctx,
                         "Input should be %s than or equal to %" PRId64, low ? "greater" : "less",
                         limit);
}

static void
check_int(struct lp_check *check, const struct lp_field *field, const json_t *value,
          const struct lp_place *at)
{
    int64_t number = json_integer_value(value);
    bool low = field->has_min && number < field->min;

    if (json_is_real(value))
        lp_check_problem(check, "int_from_float", at, value, NULL,
                         "Input should be a valid integer, got a number with a fractional part");
    else if (!json_is_integer(value))
        lp_check_problem(check, "int_type", at, value, NULL, "Input should be a valid integer");
    else if (low || (field->has_max && number > field->max))
        range_problem(check, field, value, at, low);
}

static void
check_bool(struct lp_check *check, const struct lp_field *field, const json_t *value,
           const struct lp_place *at)
{
    (void)field;
    if (!json_is_boolean(value))
        lp_check_problem(check, "bool_type", at, value, NULL, "Input should be a valid boolean");
}

/* "'A', 'B' or 'C'" */
static void
enum_problem(struct lp_check *check, const struct lp_field *field, const json_t *value,
             const struct lp_place *at)
{
    struct lp_buf text = LP_BUF_INIT;

    for (size_t i = 0; i < field->value_count && text.len < 400; i++)
        lp_buf_printf(&text, "%s'%s'",
                      i == 0                        ? ""
                      : i + 1 == field->value_count ? " or "
                                                    : ", ",
                      field->values[i].value);
    if (text.data == NULL)
        lp_buf_str(&text, "nothing: there is no choice");
    lp_check_problem(check, "enum", at, value, json_pack("{s:s}", "expected", text.data),
                     "Input should be %s", text.data);
    lp_buf_free(&text);
}

static void
check_enum(struct lp_check *check, const struct lp_field *field, const json_t *value,
           const struct lp_place *at)
{
    const char *text = json_string_value(value);

    for (size_t i = 0; text != NULL && i < field->value_count; i++) {
        if (strcmp(text, field->values[i].value) == 0 && strlen(text) == json_string_length(value))
            return;
    }
    enum_problem(check, field, value, at);
}

static void
check_uuid(struct lp_check *check, const struct lp_field *field, const json_t *value,
           const struct lp_place *at)
{
    (void)field;
    if (!json_is_string(value))
        lp_check_problem(check, "uuid_type", at, value, NULL, "UUID input should be a string");
    else if (!lp_uuid_valid(json_string_value(value)))
        lp_check_problem(check, "uuid_parsing", at, value, NULL,
                         "Input should be a valid UUID: 36 characters, lower case");
}

static void (*const scalar_checks[])(struct lp_check *, const struct lp_field *, const json_t *,
                                     const struct lp_place *) = {
    [LP_FIELD_STRING] = check_string, [LP_FIELD_INT] = check_int,   [LP_FIELD_BOOL] = check_bool,
    [LP_FIELD_ENUM] = check_enum,     [LP_FIELD_UUID] = check_uuid, [LP_FIELD_REF] = check_uuid,
};

/* Formats with a rule of their own beyond the kind. */
static void
check_format(struct lp_check *check, const struct lp_field *field, const json_t *value,
             const struct lp_place *at)
{
    if (field->format == NULL || strcmp(field->format, "accept") != 0)
        return;
    if (json_is_string(value) && strcmp(json_string_value(value), "INCOMPLETE") == 0)
        lp_check_problem(check, "value_error", at, value, NULL, "Not all tasks are done");
    else if (!json_is_string(value) || strcmp(json_string_value(value), "ACCEPTED") != 0)
        lp_check_problem(check, "enum", at, value,
                         json_pack("{s:s}", "expected", "'ACCEPTED' or 'INCOMPLETE'"),
                         "Input should be 'ACCEPTED' or 'INCOMPLETE'");
}

/* ---- one value, lists, objects ---- */

static void
check_one(struct lp_check *check, const struct lp_field *field, const json_t *value,
          const struct lp_place *at, json_t **clean)
{
    if (field->kind == LP_FIELD_STRUCT || field->kind == LP_FIELD_BLOCK) {
        if (json_is_object(value))
            lp_check_object(check, field->fields, field->field_count, field->kind == LP_FIELD_BLOCK,
                            value, at, clean);
        else
            lp_check_problem(check, "dict_type", at, value, NULL, "Input should be a valid object");
        return;
    }
    scalar_checks[field->kind](check, field, value, at);
    check_format(check, field, value, at);
    if (clean != NULL) {
        *clean = json_deep_copy(value);
        if (*clean == NULL)
            lp_problems_lost(check->problems);
    }
}

/* Entries of a contact list that hold nothing are dropped before anything is counted
 * (http-api 5.3). */
static bool
is_blank_entry(const struct lp_field *field, const json_t *value)
{
    const char *key;
    json_t *item;

    if (field->format == NULL || strcmp(field->format, "contacts") != 0 || !json_is_object(value))
        return false;
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if (!json_is_null(item) && !(json_is_string(item) && json_string_length(item) == 0))
            return false;
    }
    return true;
}

static void
check_distinct(struct lp_check *check, const json_t *list, const struct lp_place *at)
{
    json_auto_t *seen = json_object();
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        char *text = json_dumps(item, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
        bool twice = text != NULL && json_object_get(seen, text) != NULL;
        int rc = text == NULL ? -1 : json_object_set_new(seen, text, json_true());
        free(text);
        if (rc != 0)
            lp_problems_lost(check->problems);
        if (twice) {
            lp_check_problem(check, "unique_list", at, item, NULL, "List must be unique");
            return;
        }
    }
}

static void
check_size(struct lp_check *check, const struct lp_field *field, const json_t *list,
           const struct lp_place *at, size_t min, size_t size)
{
    if (size < min)
        lp_check_problem(check, "too_short", at, list,
                         json_pack("{s:s, s:I, s:I}", "field_type", "List", "min_length",
                                   (json_int_t)min, "actual_length", (json_int_t)size),
                         "List should have at least %zu item%s after validation, not %zu", min,
                         min == 1 ? "" : "s", size);
    if (field->max_items > 0 && size > field->max_items)
        lp_check_problem(check, "too_long", at, list,
                         json_pack("{s:s, s:I, s:I}", "field_type", "List", "max_length",
                                   (json_int_t)field->max_items, "actual_length", (json_int_t)size),
                         "List should have at most %zu item%s after validation, not %zu",
                         field->max_items, field->max_items == 1 ? "" : "s", size);
}

static bool
is_demanded(const struct lp_check *check, const struct lp_field *field)
{
    if (field->required)
        return true;
    return check->model && field->required_in >= 0 && (int)check->demands >= field->required_in;
}

static void
check_list(struct lp_check *check, const struct lp_field *field, const json_t *list,
           const struct lp_place *at, json_t **clean)
{
    size_t i, size = 0, min = field->min_items;
    json_t *item, *out = clean == NULL ? NULL : json_array();

    if (min == 0 && check->model && is_demanded(check, field))
        min = 1;
    json_array_foreach(list, i, item)
    {
        const struct lp_place here = {.up = at, .name = NULL, .index = i};
        json_t *one = NULL;
        if (is_blank_entry(field, item))
            continue;
        if (++size > field->max_items && field->max_items > 0)
            continue; /* too many is the fault; what they are costs nothing any more */
        check_one(check, field, item, &here, clean == NULL ? NULL : &one);
        if (one != NULL && json_array_append_new(out, one) != 0)
            lp_problems_lost(check->problems);
    }
    check_size(check, field, list, at, min, size);
    if (field->unique_items && (field->max_items == 0 || size <= field->max_items))
        check_distinct(check, list, at);
    if (clean != NULL)
        *clean = out;
}

void
lp_check_value(struct lp_check *check, const struct lp_field *field, const json_t *value,
               const struct lp_place *at, json_t **clean)
{
    if (!field->list)
        check_one(check, field, value, at, clean);
    else if (json_is_array(value))
        check_list(check, field, value, at, clean);
    else
        lp_check_problem(check, "list_type", at, value, NULL, "Input should be a valid list");
}

static void
report_unknown(struct lp_check *check, const struct lp_field *fields, size_t count, bool block,
               const json_t *object, const struct lp_place *at)
{
    const char *key;
    json_t *item;

    json_object_foreach((json_t *)(uintptr_t)object, key, item)
    {
        const struct lp_place here = {.up = at, .name = key};
        const struct lp_field *field = lp_field_find(fields, count, key);
        if ((field == NULL && !(block && lp_is_header(key)))
            || (field != NULL && field->allocated && !check->model))
            lp_check_problem(check, "extra_forbidden", &here, item, NULL,
                             "Extra inputs are not permitted");
    }
}

static void
put(struct lp_check *check, json_t *into, const char *name, json_t *value)
{
    if (value != NULL && json_object_set_new(into, name, value) != 0)
        lp_problems_lost(check->problems);
}

/* An absent plain container is an empty one: what is mandatory inside is missing there. */
static void
check_absent(struct lp_check *check, const struct lp_field *field, const json_t *object,
             const struct lp_place *at, json_t *out)
{
    bool np =
        field->kind == LP_FIELD_STRUCT && !field->list && !field->optional && field->schema != NULL;

    if (np && check->model)
        lp_check_object(check, field->fields, field->field_count, false, NULL, at, NULL);
    else if (field->def != NULL && !check->model)
        put(check, out, field->name, json_deep_copy(field->def));
    else if (is_demanded(check, field))
        lp_check_problem(check, "missing", at, object, NULL, "Field required");
}

static bool
check_member(struct lp_check *check, const struct lp_field *field, const json_t *object,
             const struct lp_place *up, json_t *out)
{
    const struct lp_place at = {.up = up, .name = field->name};
    const json_t *value = json_object_get(object, field->name);
    json_t *one = NULL;

    if (value != NULL && field->allocated && !check->model && !lp_is_header(field->name))
        return false; /* reported as unknown */
    if (json_is_null(value))
        check->saw_null = true;
    if (json_is_null(value) && !check->model && !field->required)
        return true; /* cleared on purpose: not even the default */
    if (value == NULL || (json_is_null(value) && check->model)) {
        if (check->model || !field->allocated)
            check_absent(check, field, object, &at, out);
        return value != NULL;
    }
    lp_check_value(check, field, value, &at, out == NULL ? NULL : &one);
    put(check, out, field->name, one);
    return true;
}

void
lp_check_object(struct lp_check *check, const struct lp_field *fields, size_t count, bool block,
                const json_t *object, const struct lp_place *at, json_t **clean)
{
    json_t *out = clean == NULL ? NULL : json_object();
    size_t seen = 0;

    if (clean != NULL && out == NULL)
        lp_problems_lost(check->problems);
    for (size_t i = 0; block && i < LP_COUNT(lp_header_fields); i++)
        seen += check_member(check, &lp_header_fields[i], object, at, out) ? 1 : 0;
    for (size_t i = 0; i < count; i++)
        seen += check_member(check, &fields[i], object, at, out) ? 1 : 0;
    if (seen != json_object_size(object))
        report_unknown(check, fields, count, block, object, at);
    if (clean != NULL)
        *clean = out;
}

void
lp_field_check(const struct lp_field *field, const json_t *value, const json_t *loc,
               struct lp_problems *problems, json_t **clean)
{
    struct lp_check check = {.problems = problems, .base = loc, .demands = LP_LC_INITIAL};

    *clean = NULL;
    if (value != NULL && !json_is_null(value)) {
        lp_check_value(&check, field, value, NULL, clean);
    } else if (value == NULL && field->def != NULL) {
        *clean = json_deep_copy(field->def);
        if (*clean == NULL)
            lp_problems_lost(problems);
    } else if (field->required) {
        lp_check_problem(&check, "missing", NULL, value, NULL, "Field required");
    }
}
