/* JSON Schema 2020-12 of pages and documents, in the shapes of http-api.md 5.2 and 5.3. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

struct schema {
    json_t *defs;
    const enum lp_lifecycle *status; /* of a stored document; NULL: a form */
    bool failed;
};

static void
put(struct schema *schema, json_t *into, const char *name, json_t *value)
{
    if (json_object_set_new(into, name, value) != 0) /* refuses NULL too */
        schema->failed = true;
}

static void
put_text(struct schema *schema, json_t *into, const char *name, const char *text)
{
    if (text != NULL)
        put(schema, into, name, json_string(text));
}

/* "port_name" -> "Port Name", or "PortName" for a definition */
static char *
capitalised(const char *name, bool blanks)
{
    struct lp_buf out = LP_BUF_INIT;
    bool begin = true;

    for (; *name != '\0'; name++) {
        if (*name == '_' || *name == '-' || *name == ' ') {
            if (blanks)
                lp_buf_char(&out, ' ');
            begin = true;
            continue;
        }
        lp_buf_char(&out, begin ? (char)toupper((unsigned char)*name) : *name);
        begin = false;
    }
    return lp_buf_take(&out);
}

/* Puts a definition under its name, or name2, name3 ... when another one stands there; returns
 * {"$ref": ...}. */
static json_t *
define(struct schema *schema, const char *name, json_t *definition)
{
    struct lp_buf key = LP_BUF_INIT;
    json_t *ref = NULL;

    for (unsigned n = 1; definition != NULL; n++) {
        const json_t *there;
        lp_buf_reset(&key);
        lp_buf_str(&key, name);
        if (n > 1)
            lp_buf_printf(&key, "%u", n);
        there = key.failed ? NULL : json_object_get(schema->defs, key.data);
        if (there != NULL && !json_equal(there, definition))
            continue;
        if (!key.failed && json_object_set(schema->defs, key.data, definition) == 0)
            ref = json_pack("{s:s++}", "$ref", "#/$defs/", key.data, "");
        break;
    }
    schema->failed |= ref == NULL;
    json_decref(definition);
    lp_buf_free(&key);
    return ref;
}

/* A choice: always `enum`, `options` only when a label differs from its value. */
static json_t *
choice(struct schema *schema, const struct lp_field *field)
{
    char *name = capitalised(field->name, false);
    json_t *list = json_array(), *options = json_object(), *out;
    bool labelled = false;

    for (size_t i = 0; i < field->value_count; i++) {
        const struct lp_enum_value *v = &field->values[i];
        const char *label = v->label != NULL ? v->label : v->value;
        labelled |= strcmp(label, v->value) != 0;
        if (json_array_append_new(list, json_string(v->value)) != 0)
            schema->failed = true;
        put(schema, options, v->value, json_string(label));
    }
    out = json_pack("{s:o, s:s, s:s}", "enum", list, "title", name != NULL ? name : "Choice",
                    "type", "string");
    if (labelled)
        put(schema, out, "options", json_incref(options));
    json_decref(options);
    out = define(schema, name != NULL ? name : "Choice", out);
    free(name);
    return out;
}

/* XSD patterns cover the whole value. Escapes that ECMA 262 reads differently are left to the
 * server. */
static void
put_pattern(struct schema *schema, json_t *out, const char *pattern)
{
    static const char *const foreign[] = {"\\i", "\\c", "\\I", "\\C", "\\p", "\\P", "-[", "&&"};

    if (pattern == NULL)
        return;
    for (size_t i = 0; i < LP_COUNT(foreign); i++) {
        if (strstr(pattern, foreign[i]) != NULL)
            return;
    }
    put(schema, out, "pattern", json_sprintf("^(?:%s)$", pattern));
}

static json_t *
string_type(struct schema *schema, const struct lp_field *field)
{
    json_t *out = json_pack("{s:s}", "type", "string");

    if (field->has_min && field->min > 0)
        put(schema, out, "minLength", json_integer((json_int_t)field->min));
    if (field->has_max)
        put(schema, out, "maxLength", json_integer((json_int_t)field->max));
    put_pattern(schema, out, field->pattern);
    return out;
}

static json_t *
int_type(struct schema *schema, const struct lp_field *field)
{
    bool timestamp = field->format != NULL && strcmp(field->format, "timestamp") == 0;
    json_t *out = json_pack("{s:s}", "type", timestamp ? "number" : "integer");

    if (field->has_min)
        put(schema, out, "minimum", json_integer((json_int_t)field->min));
    if (field->has_max)
        put(schema, out, "maximum", json_integer((json_int_t)field->max));
    return out;
}

static json_t *object_schema(struct schema *schema, const char *title,
                             const struct lp_field *fields, size_t count, bool block);

static json_t *
inner_type(struct schema *schema, const struct lp_field *field)
{
    bool block = field->kind == LP_FIELD_BLOCK;
    char *name = capitalised(block && field->block != NULL ? field->block : field->name, false);
    json_t *out;

    if (name == NULL)
        return NULL;
    out =
        define(schema, name, object_schema(schema, name, field->fields, field->field_count, block));
    free(name);
    return out;
}

static json_t *
bool_type(struct schema *schema, const struct lp_field *field)
{
    (void)schema, (void)field;
    return json_pack("{s:s}", "type", "boolean");
}

static json_t *
uuid_type(struct schema *schema, const struct lp_field *field)
{
    (void)schema, (void)field;
    return json_pack("{s:s, s:s}", "type", "string", "format", "uuid");
}

static json_t *(*const types[])(struct schema *, const struct lp_field *) = {
    [LP_FIELD_STRING] = string_type, [LP_FIELD_INT] = int_type,     [LP_FIELD_BOOL] = bool_type,
    [LP_FIELD_ENUM] = choice,        [LP_FIELD_UUID] = uuid_type,   [LP_FIELD_REF] = uuid_type,
    [LP_FIELD_STRUCT] = inner_type,  [LP_FIELD_BLOCK] = inner_type,
};

static json_t *
list_type(struct schema *schema, const struct lp_field *field)
{
    size_t min = field->min_items;
    json_t *out;

    if (min == 0 && schema->status != NULL && field->required_in >= 0
        && (int)*schema->status >= field->required_in)
        min = 1;
    out = json_pack("{s:s, s:o}", "type", "array", "items", types[field->kind](schema, field));
    if (min > 0 || field->kind == LP_FIELD_ENUM)
        put(schema, out, "minItems", json_integer((json_int_t)min));
    if (field->max_items > 0)
        put(schema, out, "maxItems", json_integer((json_int_t)field->max_items));
    if (field->unique_items)
        put(schema, out, "uniqueItems", json_true());
    return out;
}

/* ---- display fields and other formats with a shape of their own ---- */

static json_t *
nullable_text(const char *format)
{
    return json_pack("{s:[{s:s}, {s:s}], s:s, s:s}", "anyOf", "type", "string", "type", "null",
                     "type", "string", "format", format);
}

static json_t *
display_object(struct schema *schema, const char *name, const char *format)
{
    json_t *out = define(
        schema, name, json_pack("{s:{}, s:s, s:s}", "properties", "title", name, "type", "object"));

    put_text(schema, out, "type", "string");
    put_text(schema, out, "format", format);
    return out;
}

static json_t *
accept_type(struct schema *schema, const struct lp_field *field)
{
    json_t *out = json_pack("{s:s, s:s, s:[s, s]}", "type", "string", "format", "accept", "enum",
                            "ACCEPTED", "INCOMPLETE");
    json_t *data = json_object_get(field->extra, "data");

    if (data != NULL)
        put(schema, out, "data", json_deep_copy(data));
    return out;
}

static json_t *
buttons_type(struct schema *schema)
{
    json_t *button =
        json_pack("{s:{s:{s:s}, s:{s:s}}, s:s, s:s}", "properties", "text", "type", "string",
                  "color", "type", "string", "title", "ButtonConfig", "type", "object");
    json_t *ref = define(schema, "ButtonConfig", button);
    json_t *all = json_pack("{s:{s:O, s:O}, s:s, s:s}", "properties", "previous", ref, "next", ref,
                            "title", "Buttons", "type", "object");

    json_decref(ref);
    return define(schema, "Buttons", all);
}

static const struct display {
    const char *format;
    const char *definition; /* NULL: nullable text */
} displays[] = {
    {"label", NULL},
    {"divider", NULL},
    {"hidden", NULL},
    {"callout", "CalloutValue"},
    {"markdown", "MarkdownValue"},
    {"summary", "MigrationSummaryValue"},
};

/* NULL: the format has no shape of its own. */
static json_t *
special_type(struct schema *schema, const struct lp_field *field)
{
    if (field->format == NULL)
        return NULL;
    for (size_t i = 0; field->frozen && i < LP_COUNT(displays); i++) {
        if (strcmp(displays[i].format, field->format) == 0)
            return displays[i].definition == NULL
                       ? nullable_text(field->format)
                       : display_object(schema, displays[i].definition, field->format);
    }
    if (strcmp(field->format, "accept") == 0)
        return accept_type(schema, field);
    if (strcmp(field->format, "buttons") == 0)
        return buttons_type(schema);
    return NULL;
}

/* ---- one property ---- */

static void
put_extra(struct schema *schema, const struct lp_field *field, json_t *out, json_t *extra)
{
    if (extra == NULL && field->extra != NULL)
        extra = json_deep_copy(field->extra);
    if (extra == NULL && field->format != NULL && strcmp(field->format, "timestamp") == 0)
        extra =
            json_pack("{s:b, s:n, s:n, s:n, s:n, s:n}", "showTimeSelect", 1, "locale", "min", "max",
                      "dateFormat", "timeFormat"); /* front ends take it apart without looking */
    if (extra == NULL)
        return;
    put(schema, out, "uniforms", json_deep_copy(extra));
    put(schema, out, "extraProperties", extra);
}

static json_t *
plain_type(struct schema *schema, const struct lp_field *field)
{
    return field->list ? list_type(schema, field) : types[field->kind](schema, field);
}

/* A value that is shown and may not be changed. */
static json_t *
read_only(struct schema *schema, const struct lp_field *field)
{
    json_t *out, *value = field->def == NULL ? json_null() : json_deep_copy(field->def);

    if (json_is_array(value)) {
        out = plain_type(schema, field);
    } else {
        out = plain_type(schema, field);
        (void)json_object_del(out, "anyOf");
        put(schema, out, "const", json_deep_copy(value));
    }
    put(schema, out, "default", json_deep_copy(value));
    put_extra(schema, field, out, json_pack("{s:b, s:o}", "disabled", 1, "value", value));
    return out;
}

static bool
is_required(const struct schema *schema, const struct lp_field *field)
{
    if (schema->status == NULL)
        return field->required && field->def == NULL && !field->frozen;
    return field->required
           || (field->required_in >= 0 && (int)*schema->status >= field->required_in);
}

/* A nullable value: {"anyOf": [X, null]}. Lists are never null, they are empty. */
static json_t *
optional_type(struct schema *schema, const struct lp_field *field)
{
    json_t *type = plain_type(schema, field);

    if (schema->status != NULL || field->list || (field->required && field->def != NULL))
        return type;
    return json_pack("{s:[o, {s:s}]}", "anyOf", type, "type", "null");
}

static void
put_default(struct schema *schema, const struct lp_field *field, json_t *out)
{
    if (field->def != NULL)
        put(schema, out, "default", json_deep_copy(field->def));
    else if (schema->status == NULL && !is_required(schema, field))
        put(schema, out, "default", field->list ? json_array() : json_null());
}

static json_t *
property(struct schema *schema, const struct lp_field *field)
{
    json_t *out = special_type(schema, field);
    bool special = out != NULL;
    char *title = field->title == NULL ? capitalised(field->name, true) : NULL;

    if (field->frozen && field->format == NULL) {
        out = read_only(schema, field);
    } else {
        if (!special)
            out = is_required(schema, field) ? plain_type(schema, field)
                                             : optional_type(schema, field);
        put_default(schema, field, out);
        if (!(special && strcmp(field->format, "accept") == 0))
            put_extra(schema, field, out, NULL);
    }
    if (field->format != NULL && !special && strcmp(field->format, "contacts") != 0)
        put_text(schema, out, "format", field->format);
    if (field->format != NULL && strcmp(field->format, "contacts") == 0)
        put_text(schema, out, "customerKey", "customer_id");
    put_text(schema, out, "title", field->title != NULL ? field->title : title);
    put_text(schema, out, "description", field->description);
    put_text(schema, out, "x-unit", field->units);
    free(title);
    return out;
}

static void
add_property(struct schema *schema, const struct lp_field *field, json_t *properties,
             json_t *required)
{
    if (field->allocated && schema->status == NULL)
        return;
    put(schema, properties, field->name, property(schema, field));
    if (is_required(schema, field)
        && json_array_append_new(required, json_string(field->name)) != 0)
        schema->failed = true;
}

static json_t *
object_schema(struct schema *schema, const char *title, const struct lp_field *fields, size_t count,
              bool block)
{
    json_t *properties = json_object(), *required = json_array(), *out;

    for (size_t i = 0; block && i < LP_COUNT(lp_header_fields); i++) {
        struct lp_field header = lp_header_fields[i];
        header.allocated = false; /* an owned block in a form keeps its identity by its id */
        add_property(schema, &header, properties, required);
    }
    for (size_t i = 0; i < count; i++)
        add_property(schema, &fields[i], properties, required);
    out = json_pack("{s:s, s:s, s:o}", "title", title, "type", "object", "properties", properties);
    if (json_array_size(required) > 0)
        put(schema, out, "required", json_incref(required));
    put(schema, out, "additionalProperties", json_false());
    json_decref(required);
    return out;
}

static json_t *
finished(struct schema *schema, json_t *out)
{
    if (json_object_size(schema->defs) > 0)
        put(schema, out, "$defs", json_incref(schema->defs));
    json_decref(schema->defs);
    if (!schema->failed)
        return out;
    json_decref(out);
    return NULL;
}

json_t *
lp_schema_object(const char *title, const struct lp_field *fields, size_t count,
                 const enum lp_lifecycle *status)
{
    struct schema schema = {.defs = json_object(), .status = status};

    return finished(&schema, object_schema(&schema, title, fields, count, false));
}

json_t *
lp_model_schema(const struct lp_catalog *catalog, const struct lp_product_type *product,
                enum lp_lifecycle status)
{
    enum lp_lifecycle demands = lp_lifecycle_demands(status);
    struct schema schema = {.defs = json_object(), .status = &demands};
    const struct lp_block_type *block = product->root;
    json_t *out = object_schema(&schema, block->name, block->fields, block->field_count, true);

    (void)catalog;
    put_text(&schema, out, "description", block->description);
    return finished(&schema, out);
}
