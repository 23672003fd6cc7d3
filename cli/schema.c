#include "cli/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

enum { MAX_DEPTH = 16, MAX_INDEX = 999 };

/* ---- flattening ---- */

static const json_t *
referred(const json_t *page, const char *ref)
{
    static const char prefix[] = "#/$defs/";

    if (strncmp(ref, prefix, sizeof prefix - 1) != 0)
        return NULL;
    return json_object_get(json_object_get(page, "$defs"), ref + sizeof prefix - 1);
}

static void merge_flat(json_t *into, const json_t *page, const json_t *node, int depth);

static void
merge_branches(json_t *into, const json_t *page, const json_t *branches, int depth, bool all)
{
    bool taken = false;
    size_t i;
    json_t *branch;

    json_array_foreach(branches, i, branch)
    {
        if (strcmp(lp_json_str(branch, "type", ""), "null") == 0)
            json_object_set_new(into, "x-nullable", json_true());
        else if (all || !taken) {
            merge_flat(into, page, branch, depth + 1);
            taken = true;
        }
    }
}

/* What is referred to first, the node's own members over it. */
static void
merge_flat(json_t *into, const json_t *page, const json_t *node, int depth)
{
    const char *ref = lp_json_str(node, "$ref", NULL);
    const char *key;
    json_t *value;

    if (depth > MAX_DEPTH || !json_is_object(node))
        return;
    if (ref != NULL)
        merge_flat(into, page, referred(page, ref), depth + 1);
    merge_branches(into, page, json_object_get(node, "allOf"), depth, true);
    merge_branches(into, page, json_object_get(node, "anyOf"), depth, false);
    merge_branches(into, page, json_object_get(node, "oneOf"), depth, false);
    json_object_foreach((json_t *)(uintptr_t)node, key, value)
    {
        if (strcmp(key, "$ref") != 0 && strcmp(key, "anyOf") != 0 && strcmp(key, "oneOf") != 0
            && strcmp(key, "allOf") != 0)
            json_object_set(into, key, value);
    }
}

json_t *
cli_schema_flat(const json_t *page, const json_t *node)
{
    json_t *flat = json_object();

    if (flat == NULL)
        cli_no_memory();
    merge_flat(flat, page, node, 0);
    return flat;
}

/* ---- questions about a field ---- */

const char *
cli_schema_type(const json_t *flat)
{
    return lp_json_str(flat, "type",
                       json_is_object(json_object_get(flat, "properties")) ? "object" : "string");
}

bool
cli_schema_display_only(const json_t *flat)
{
    static const char *const shown[] = {"label",   "divider",  "hidden",  "subscription",
                                        "callout", "markdown", "summary", "buttons"};
    const char *format = lp_json_str(flat, "format", "");

    for (size_t i = 0; i < LP_COUNT(shown); i++) {
        if (strcmp(shown[i], format) == 0)
            return true;
    }
    return json_object_get(flat, "const") != NULL
           || strcmp(lp_json_str(flat, "title", ""), "Buttons") == 0
           || lp_json_true(json_object_get(flat, "uniforms"), "disabled")
           || lp_json_true(json_object_get(flat, "extraProperties"), "disabled");
}

bool
cli_schema_required(const json_t *page, const char *name)
{
    size_t i;
    json_t *required;

    json_array_foreach(json_object_get(page, "required"), i, required)
    {
        if (json_is_string(required) && strcmp(json_string_value(required), name) == 0)
            return true;
    }
    return false;
}

const char *
cli_schema_title(const json_t *flat, const char *name)
{
    return lp_json_str(flat, "title", name);
}

const char *
cli_schema_label(const json_t *flat, const char *choice)
{
    return lp_json_str(json_object_get(flat, "options"), choice, choice);
}

/* ---- conversion ---- */

static bool
nullable(const json_t *flat)
{
    return lp_json_true(flat, "x-nullable");
}

static enum lp_code
convert_integer(const char *name, const char *text, json_t **out, struct lp_err *err)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return lp_fail_at(err, LP_INVALID, name, "%s: '%.60s' is not a whole number", name, text);
    *out = json_integer(value);
    return LP_OK;
}

static enum lp_code
convert_number(const char *name, const char *text, json_t **out, struct lp_err *err)
{
    char *end;
    double value;

    if (strspn(text, "+-0123456789") == strlen(text))
        return convert_integer(name, text, out, err);
    value = strtod(text, &end);
    *out = end != text && *end == '\0' ? json_real(value) : NULL; /* NULL also for infinities */
    if (*out == NULL)
        return lp_fail_at(err, LP_INVALID, name, "%s: '%.60s' is not a number", name, text);
    return LP_OK;
}

static enum lp_code
convert_boolean(const char *name, const char *text, json_t **out, struct lp_err *err)
{
    static const char *const words[][2] = {
        {"false", "true"}, {"no", "yes"}, {"n", "y"}, {"off", "on"}, {"0", "1"}};

    for (size_t i = 0; i < LP_COUNT(words); i++) {
        for (int truth = 0; truth <= 1; truth++) {
            if (strcasecmp(words[i][truth], text) == 0) {
                *out = json_boolean(truth);
                return LP_OK;
            }
        }
    }
    return lp_fail_at(err, LP_INVALID, name, "%s: '%.60s' is neither true nor false", name, text);
}

static enum lp_code
no_such_choice(const json_t *flat, const char *name, const char *text, size_t hits,
               struct lp_err *err)
{
    struct lp_buf list = LP_BUF_INIT;
    enum lp_code rc;
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(flat, "enum"), i, value)
    {
        if (i < 8 && json_is_string(value))
            lp_buf_printf(&list, "%s%.60s", i > 0 ? ", " : "",
                          cli_schema_label(flat, json_string_value(value)));
    }
    lp_buf_str(&list, json_array_size(json_object_get(flat, "enum")) > 8 ? " ..." : "");
    rc = lp_fail_at(err, LP_INVALID, name, "%s: '%.60s' is %s; choose one of: %s", name, text,
                    hits > 1 ? "not clear" : "no choice", list.data != NULL ? list.data : "");
    lp_buf_free(&list);
    return rc;
}

static enum lp_code
convert_choice(const json_t *flat, const char *name, const char *text, json_t **out,
               struct lp_err *err)
{
    size_t hits = 0, len = strlen(text), i;
    json_t *value, *hit = NULL;

    json_array_foreach(json_object_get(flat, "enum"), i, value)
    {
        const char *choice = json_is_string(value) ? json_string_value(value) : "";
        const char *label = cli_schema_label(flat, choice);

        if (strcmp(choice, text) == 0 || strcasecmp(label, text) == 0) {
            *out = json_incref(value);
            return LP_OK;
        }
        if (len > 0 && strncasecmp(label, text, len) == 0) {
            hit = value;
            hits++;
        }
    }
    if (hits != 1)
        return no_such_choice(flat, name, text, hits, err);
    *out = json_incref(hit);
    return LP_OK;
}

static enum lp_code
convert_json(const char *name, const char *text, json_t **out, struct lp_err *err)
{
    enum lp_code rc = lp_json_load(text, strlen(text), out, err);

    return rc == LP_OK ? LP_OK : lp_err_prefix(err, "%s: not JSON: ", name);
}

enum lp_code
cli_convert(const json_t *page, const json_t *flat, const char *name, const char *text,
            json_t **out, struct lp_err *err)
{
    const char *type = cli_schema_type(flat);

    (void)page;
    *out = NULL;
    if (nullable(flat) && strcmp(text, "null") == 0)
        *out = json_null();
    else if (json_is_array(json_object_get(flat, "enum")) && strcmp(type, "string") == 0)
        return convert_choice(flat, name, text, out, err);
    else if (strcmp(type, "integer") == 0)
        return convert_integer(name, text, out, err);
    else if (strcmp(type, "number") == 0)
        return convert_number(name, text, out, err);
    else if (strcmp(type, "boolean") == 0)
        return convert_boolean(name, text, out, err);
    else if (strcmp(type, "object") == 0)
        return convert_json(name, text, out, err);
    else
        *out = json_string(text);
    if (*out == NULL)
        return lp_fail_at(err, LP_INVALID, name, "%s: the text is not valid UTF-8", name);
    return LP_OK;
}

/* ---- values given on the command line ---- */

static struct cli_set *
add_row(struct cli_sets *sets)
{
    struct cli_set *grown = reallocarray(sets->rows, sets->count + 1, sizeof *grown);

    if (grown == NULL)
        cli_no_memory();
    sets->rows = grown;
    memset(&grown[sets->count], 0, sizeof *grown);
    return &grown[sets->count++];
}

enum lp_code
cli_sets_add(struct cli_sets *sets, const char *given, struct lp_err *err)
{
    const char *equals = strchr(given, '=');
    bool raw = equals != NULL && equals > given && equals[-1] == ':';
    json_t *value = NULL;
    struct cli_set *row;

    if (equals == NULL || equals == given + (raw ? 1 : 0))
        return lp_fail_at(err, LP_INVALID, "--set",
                          "--set wants key=value (or key:=JSON), not '%.60s'", given);
    if (raw && lp_json_load(equals + 1, strlen(equals + 1), &value, err) != LP_OK)
        return lp_err_prefix(err, "--set %.60s: ", given);
    row = add_row(sets);
    row->path = cli_strfmt("%.*s", (int)(equals - given - (raw ? 1 : 0)), given);
    row->text = raw ? NULL : cli_strdup(equals + 1);
    row->value = value;
    return LP_OK;
}

void
cli_sets_add_object(struct cli_sets *sets, const json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        struct cli_set *row = add_row(sets);

        row->path = cli_strdup(key);
        row->value = json_incref(value);
    }
}

void
cli_sets_free(struct cli_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        free(sets->rows[i].path);
        free(sets->rows[i].text);
        json_decref(sets->rows[i].value);
    }
    free(sets->rows);
    memset(sets, 0, sizeof *sets);
}

const struct cli_set *
cli_sets_unused(const struct cli_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        if (!sets->rows[i].used)
            return &sets->rows[i];
    }
    return NULL;
}

/* Where a value goes: the container it is a member of, and the schema over it. */
struct place {
    const json_t *page;
    json_t *flat;      /* owned: schema of the value */
    json_t *container; /* borrowed: object or array */
    char key[128];
};

static json_t *
default_or_empty(const json_t *flat, bool array)
{
    json_t *def = json_object_get(flat, "default");
    json_t *made;

    if (array ? json_is_array(def) : json_is_object(def))
        made = json_deep_copy(def);
    else
        made = array ? json_array() : json_object();
    if (made == NULL)
        cli_no_memory();
    return made;
}

static bool
index_of(const char *key, size_t *index)
{
    char *end;
    unsigned long value = strtoul(key, &end, 10);

    *index = value;
    return *key >= '0' && *key <= '9' && *end == '\0' && value <= MAX_INDEX;
}

static json_t *
member(const struct place *place)
{
    size_t index;

    if (json_is_object(place->container))
        return json_object_get(place->container, place->key);
    return index_of(place->key, &index) ? json_array_get(place->container, index) : NULL;
}

/* Sets the member the place names; takes the value. */
static enum lp_code
put(const struct place *place, json_t *value, struct lp_err *err)
{
    size_t index;
    int rc = -1;

    if (json_is_object(place->container))
        rc = json_object_set_new(place->container, place->key, value);
    else if (index_of(place->key, &index) && index < json_array_size(place->container))
        rc = json_array_set_new(place->container, index, value);
    else if (index_of(place->key, &index) && index == json_array_size(place->container))
        rc = json_array_append_new(place->container, value);
    else
        json_decref(value);
    if (rc != 0)
        return lp_fail_at(err, LP_INVALID, place->key,
                          "list elements are numbered 0, 1, 2 ... without gaps; '%s' does not fit",
                          place->key);
    return LP_OK;
}

/* Steps from a value into its member `key`. */
static enum lp_code
descend(struct place *place, const char *key, const char *whole, struct lp_err *err)
{
    bool array = strcmp(cli_schema_type(place->flat), "array") == 0;
    json_t *here = member(place);
    const json_t *schema = array ? json_object_get(place->flat, "items")
                                 : json_object_get(json_object_get(place->flat, "properties"), key);

    if (schema == NULL)
        return lp_fail_at(err, LP_INVALID, whole, "%s: there is no field '%s' here", whole, key);
    if (!(array ? json_is_array(here) : json_is_object(here))) {
        enum lp_code rc = put(place, default_or_empty(place->flat, array), err);

        if (rc != LP_OK)
            return rc;
        here = member(place);
    }
    place->container = here;
    here = cli_schema_flat(place->page, schema);
    json_decref(place->flat);
    place->flat = here;
    snprintf(place->key, sizeof place->key, "%s", key);
    return LP_OK;
}

static enum lp_code
put_text(struct place *place, struct cli_set *set, struct lp_err *err)
{
    bool array = strcmp(cli_schema_type(place->flat), "array") == 0;
    json_auto_t *item_schema = NULL;
    json_t *value = NULL;
    enum lp_code rc;

    if (!array || (nullable(place->flat) && strcmp(set->text, "null") == 0)) {
        rc = cli_convert(place->page, place->flat, set->path, set->text, &value, err);
        return rc == LP_OK ? put(place, value, err) : rc;
    }
    if (!json_is_array(member(place))) {
        rc = put(place, json_array(), err);
        if (rc != LP_OK)
            return rc;
    }
    if (*set->text == '\0')
        return LP_OK;
    item_schema = cli_schema_flat(place->page, json_object_get(place->flat, "items"));
    rc = cli_convert(place->page, item_schema, set->path, set->text, &value, err);
    if (rc == LP_OK && json_array_append_new(member(place), value) != 0)
        cli_no_memory();
    return rc;
}

static enum lp_code
put_set(struct place *place, struct cli_set *set, char *rest, struct lp_err *err)
{
    while (rest != NULL && *rest != '\0') {
        enum lp_code rc = descend(place, strsep(&rest, "."), set->path, err);

        if (rc != LP_OK)
            return rc;
    }
    return set->text != NULL ? put_text(place, set, err) : put(place, json_incref(set->value), err);
}

enum lp_code
cli_sets_fill(struct cli_sets *sets, const json_t *page, json_t *input, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < sets->count && rc == LP_OK; i++) {
        struct place place = {.page = page, .container = input};
        char *copy = cli_strdup(sets->rows[i].path);
        char *dot = strchr(copy, '.');
        const json_t *schema;

        if (dot != NULL)
            *dot = '\0';
        schema = json_object_get(json_object_get(page, "properties"), copy);
        if (schema != NULL) {
            place.flat = cli_schema_flat(page, schema);
            snprintf(place.key, sizeof place.key, "%s", copy);
            rc = put_set(&place, &sets->rows[i], dot != NULL ? dot + 1 : copy + strlen(copy), err);
            json_decref(place.flat);
            sets->rows[i].used = true;
        }
        free(copy);
    }
    return rc;
}
