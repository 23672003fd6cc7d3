#include "sim/rest/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

bool
sim_refuse(struct sim_why *why, int status, const char *tag, const char *fmt, ...)
{
    va_list args;

    if (why == NULL)
        return false;
    why->status = status;
    why->tag = tag;
    why->path[0] = '\0';
    va_start(args, fmt);
    (void)vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    return false;
}

json_t *
sim_why_json(const struct sim_why *why)
{
    const char *type = strcmp(why->tag, "access-denied") == 0 ? "protocol" : "application";
    json_t *error = json_pack("{s:s,s:s}", "error-type", type, "error-tag", why->tag);

    if (why->path[0] != '\0')
        (void)json_object_set_new(error, "error-path", json_string(why->path));
    if (why->text[0] != '\0')
        (void)json_object_set_new(error, "error-message", json_string(why->text));
    return json_pack("{s:{s:[o]}}", "ietf-restconf:errors", "error", error);
}

const char *
sim_plain_name(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon == NULL ? name : colon + 1;
}

/* ---- tables ---- */

const struct sim_schema *
sim_schema_child(const struct sim_schema *schema, const char *name)
{
    size_t i;

    for (i = 0; schema->children != NULL && schema->children[i] != NULL; i++)
        if (strcmp(schema->children[i]->name, name) == 0)
            return schema->children[i];
    return NULL;
}

const struct sim_leaf *
sim_schema_leaf(const struct sim_schema *schema, const char *name)
{
    size_t i;

    for (i = 0; i < schema->leaf_count; i++)
        if (strcmp(schema->leaves[i].name, name) == 0)
            return &schema->leaves[i];
    return NULL;
}

bool
sim_is_key(const struct sim_schema *schema, const char *name)
{
    size_t i;

    for (i = 0; schema->keys[i] != NULL; i++)
        if (strcmp(schema->keys[i], name) == 0)
            return true;
    return false;
}

static json_t *
fallback_value(const struct sim_leaf *leaf)
{
    json_t *text = json_string(leaf->fallback), *value;

    if (leaf->type == SIM_L_LIST) {
        json_decref(text);
        return json_array();
    }
    if (leaf->type == SIM_L_BOOL) {
        json_decref(text);
        return json_boolean(strcmp(leaf->fallback, "true") == 0);
    }
    if (leaf->type != SIM_L_INT)
        return text;
    value = json_integer(strtoll(leaf->fallback, NULL, 10));
    json_decref(text);
    return value;
}

json_t *
sim_object_new(const struct sim_schema *schema)
{
    json_t *object = json_object();
    size_t i;

    for (i = 0; i < schema->leaf_count; i++)
        if (schema->leaves[i].fallback != NULL)
            (void)json_object_set_new(object, schema->leaves[i].name,
                                      fallback_value(&schema->leaves[i]));
    for (i = 0; schema->children != NULL && schema->children[i] != NULL; i++)
        if ((schema->children[i]->flags & SIM_S_AUTO) != 0)
            (void)json_object_set_new(object, schema->children[i]->name,
                                      sim_object_new(schema->children[i]));
    return object;
}

/* ---- values ---- */

bool
sim_decimal(const char *text, int64_t *hundredths)
{
    bool negative = *text == '-';
    int64_t value = 0;
    int digits = 0, behind = -1;

    if (*text == '-' || *text == '+')
        text++;
    for (; *text != '\0'; text++) {
        if (*text == '.' && behind < 0 && digits > 0) {
            behind = 0;
            continue;
        }
        if (*text < '0' || *text > '9' || digits > 14)
            return false;
        digits++;
        if (behind < 0 || behind < 2)
            value = value * 10 + (*text - '0');
        else if (behind == 2 && *text >= '5')
            value++;
        if (behind >= 0)
            behind++;
    }
    for (behind = behind < 0 ? 0 : behind; behind < 2; behind++)
        value *= 10;
    *hundredths = negative ? -value : value;
    return digits > 0 && text[-1] != '.';
}

void
sim_decimal_text(int64_t hundredths, int digits, char buf[static 24])
{
    const char *sign = hundredths < 0 ? "-" : "";
    int64_t size = hundredths < 0 ? -hundredths : hundredths;

    if (digits == 1) {
        size = (size + 5) / 10;
        (void)snprintf(buf, 24, "%s%lld.%lld", size == 0 ? "" : sign, (long long)(size / 10),
                       (long long)(size % 10));
        return;
    }
    (void)snprintf(buf, 24, "%s%lld.%02lld", sign, (long long)(size / 100),
                   (long long)(size % 100));
    for (digits -= 2; digits > 0 && strlen(buf) < 23; digits--)
        strncat(buf, "0", 2);
}

const char *
sim_text(const json_t *object, const char *name, char buf[static 24])
{
    const json_t *value = json_object_get(object, name);

    if (json_is_string(value))
        return json_string_value(value);
    buf[0] = '\0';
    if (json_is_integer(value))
        (void)snprintf(buf, 24, "%lld", (long long)json_integer_value(value));
    return buf;
}

int64_t
sim_number(const json_t *object, const char *name, int64_t unset)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_integer(value))
        return json_integer_value(value);
    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : unset;
}

static bool
word_among(const char *words, const char *word)
{
    size_t len = strlen(word);

    while (*words != '\0') {
        size_t n = strcspn(words, "|");

        if (n == len && memcmp(words, word, n) == 0)
            return true;
        words += n + (words[n] == '|' ? 1 : 0);
    }
    return false;
}

static bool
whole_number(const json_t *value, int64_t *out)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    if (text == NULL || *text == '\0' || strlen(text) > 20 || *text == ' ')
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static bool
in_range(const struct sim_leaf *leaf, int64_t value, struct sim_why *why)
{
    if ((leaf->low == 0 && leaf->high == 0) || (value >= leaf->low && value <= leaf->high))
        return true;
    return sim_refuse(why, 400, "invalid-value", "%s: %lld is not in the range %lld..%lld",
                      leaf->name, (long long)value, (long long)leaf->low, (long long)leaf->high);
}

static json_t *
number_value(const struct sim_leaf *leaf, const json_t *value, struct sim_why *why)
{
    char text[24];
    int64_t number;

    if (!whole_number(value, &number)) {
        (void)sim_refuse(why, 400, "invalid-value", "%s is no whole number", leaf->name);
        return NULL;
    }
    if (!in_range(leaf, number, why))
        return NULL;
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    return leaf->type == SIM_L_INT ? json_integer(number) : json_string(text);
}

static json_t *
decimal_value(const struct sim_leaf *leaf, const json_t *value, struct sim_why *why)
{
    char text[40];
    int64_t hundredths;

    if (json_is_string(value))
        (void)snprintf(text, sizeof text, "%.39s", json_string_value(value));
    else if (json_is_integer(value))
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else
        (void)snprintf(text, sizeof text, "%.7f",
                       json_is_real(value) ? json_real_value(value) : 0.0);
    if ((!json_is_string(value) && !json_is_number(value)) || !sim_decimal(text, &hundredths)) {
        (void)sim_refuse(why, 400, "invalid-value", "%s is no decimal number", leaf->name);
        return NULL;
    }
    if (!in_range(leaf, hundredths, why))
        return NULL;
    sim_decimal_text(hundredths, leaf->values == NULL ? 1 : leaf->values[0] - '0', text);
    return json_string(text);
}

static json_t *
text_value(const struct sim_leaf *leaf, const json_t *value, struct sim_why *why)
{
    size_t most = leaf->high > 0 ? (size_t)leaf->high : 255;
    const char *text = json_string_value(value);

    if (text == NULL)
        (void)sim_refuse(why, 400, "invalid-value", "%s is no text", leaf->name);
    else if (leaf->type == SIM_L_ENUM && !word_among(leaf->values, text))
        (void)sim_refuse(why, 400, "invalid-value", "%s: '%.64s' is not one of %.128s", leaf->name,
                         text, leaf->values);
    else if (leaf->type == SIM_L_TEXT && json_string_length(value) > most)
        (void)sim_refuse(why, 400, "invalid-value", "%s is longer than %zu", leaf->name, most);
    else
        return json_string(text);
    return NULL;
}

static json_t *
list_value(const struct sim_leaf *leaf, const json_t *value, struct sim_why *why)
{
    size_t i;

    for (i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            break;
    if (json_is_array(value) && i == json_array_size(value) && i <= 16)
        return json_deep_copy(value);
    (void)sim_refuse(why, 400, "invalid-value", "%s is no list of texts", leaf->name);
    return NULL;
}

json_t *
sim_leaf_value(const struct sim_leaf *leaf, const json_t *value, struct sim_why *why)
{
    switch (leaf->type) {
    case SIM_L_TEXT:
    case SIM_L_ENUM:
        return text_value(leaf, value, why);
    case SIM_L_INT:
    case SIM_L_BIG:
        return number_value(leaf, value, why);
    case SIM_L_DEC:
        return decimal_value(leaf, value, why);
    case SIM_L_BOOL:
        if (json_is_boolean(value))
            return json_boolean(json_is_true(value));
        (void)sim_refuse(why, 400, "invalid-value", "%s is neither true nor false", leaf->name);
        return NULL;
    case SIM_L_LIST:
        return list_value(leaf, value, why);
    }
    return NULL;
}

/* ---- entries ---- */

json_t *
sim_entry_find(const struct sim_schema *schema, const json_t *parent, const char *const *keys)
{
    const json_t *list = json_object_get(parent, schema->name);
    char buf[24];
    size_t i, k;

    for (i = 0; i < json_array_size(list); i++) {
        json_t *entry = json_array_get(list, i);

        for (k = 0; schema->keys[k] != NULL; k++)
            if (strcmp(sim_text(entry, schema->keys[k], buf), keys[k]) != 0)
                break;
        if (schema->keys[k] == NULL && k > 0)
            return entry;
    }
    return NULL;
}

/* ---- paths ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
sim_percent_decode(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        int high, low;

        if (*text != '%') {
            *out++ = *text;
            continue;
        }
        high = hex_digit(text[1]);
        low = high < 0 ? -1 : hex_digit(text[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *out++ = (char)(high * 16 + low);
        text += 2;
    }
    *out = '\0';
    return true;
}

/* Splits "a,b" into the keys of an entry. */
static bool
keys_split(struct sim_place *place, char *text, struct sim_why *why)
{
    size_t n = 0, wanted = 0;

    while (place->schema->keys[wanted] != NULL)
        wanted++;
    while (text != NULL && n < wanted) {
        char *comma = strchr(text, ',');

        if (comma != NULL)
            *comma = '\0';
        if (!sim_percent_decode(text))
            return sim_refuse(why, 400, "malformed-message", "broken percent-encoding");
        place->keys[n++] = text;
        text = comma == NULL ? NULL : comma + 1;
    }
    if (n == wanted && text == NULL && wanted > 0)
        return true;
    return sim_refuse(why, 400, "missing-attribute", "%s has %zu keys", place->schema->name,
                      wanted);
}

static const struct sim_schema *
root_find(const struct sim_model *model, const char *name)
{
    char full[128];
    size_t i;

    for (i = 0; model->roots[i] != NULL; i++) {
        (void)snprintf(full, sizeof full, "%s:%s", model->roots[i]->module, model->roots[i]->name);
        if (strcmp(full, name) == 0)
            return model->roots[i];
    }
    return NULL;
}

static bool
no_such_path(struct sim_why *why, const char *name)
{
    return sim_refuse(why, 404, "invalid-value", "there is no '%.100s' here", name);
}

/* The schema (or leaf) that a segment names, below the place so far. */
static bool
step_schema(const struct sim_model *model, struct sim_place *place, char *name, struct sim_why *why)
{
    const char *plain = sim_plain_name(name), *module;
    const struct sim_schema *child;

    if (!sim_percent_decode(name))
        return sim_refuse(why, 400, "malformed-message", "broken percent-encoding");
    if (place->leaf != NULL || place->whole)
        return no_such_path(why, name);
    if (place->schema == NULL) {
        place->schema = root_find(model, name);
        if (place->schema == NULL)
            return no_such_path(why, name);
        place->module = place->schema->module;
        (void)snprintf(place->member, sizeof place->member, "%s", name);
        return true;
    }
    place->leaf = sim_schema_leaf(place->schema, plain);
    child = place->leaf != NULL ? NULL : sim_schema_child(place->schema, plain);
    module = child != NULL && child->module != NULL ? child->module : place->module;
    if (plain != name
        && (strncmp(name, module, strlen(module)) != 0
            || (size_t)(plain - name) != strlen(module) + 1))
        return no_such_path(why, name);
    place->module = module;
    if (place->leaf != NULL) {
        (void)snprintf(place->member, sizeof place->member, "%s", plain);
        return true;
    }
    place->schema = child;
    if (child == NULL)
        return no_such_path(why, name);
    (void)snprintf(place->member, sizeof place->member, "%s", plain);
    return true;
}

/* Takes one segment "name=keys". */
static bool
step(const struct sim_model *model, struct sim_place *place, char *segment, struct sim_why *why)
{
    char *keys = strchr(segment, '=');

    if (place->schema != NULL && place->object == NULL && !place->whole)
        return sim_refuse(why, 404, "data-missing", "%s is not there", place->member);
    if (keys != NULL)
        *keys++ = '\0';
    place->parent = place->object;
    if (!step_schema(model, place, segment, why))
        return false;
    if (place->leaf != NULL)
        return keys == NULL || no_such_path(why, segment);
    if ((place->schema->flags & SIM_S_LIST) == 0 && keys != NULL)
        return no_such_path(why, segment);
    place->object = NULL;
    place->whole = (place->schema->flags & SIM_S_LIST) != 0 && keys == NULL;
    if (place->whole)
        return true;
    if (keys != NULL && !keys_split(place, keys, why))
        return false;
    place->object = keys == NULL ? json_object_get(place->parent, place->member)
                                 : sim_entry_find(place->schema, place->parent, place->keys);
    if (place->object != NULL) {
        if (place->count == SIM_MAX_DEPTH)
            return no_such_path(why, segment);
        place->chain[place->count].schema = place->schema;
        place->chain[place->count++].object = place->object;
    }
    return true;
}

bool
sim_resolve(const struct sim_model *model, json_t *tree, const char *path, struct sim_place *out,
            struct sim_why *why)
{
    char *at;

    *out = (struct sim_place){.object = tree, .module = ""};
    out->text = strdup(path);
    if (out->text == NULL)
        return sim_refuse(why, 500, "operation-failed", "no memory");
    for (at = out->text; at != NULL && *at != '\0';) {
        char *slash = strchr(at, '/');

        if (slash != NULL)
            *slash = '\0';
        if (!step(model, out, at, why))
            return false;
        at = slash == NULL ? NULL : slash + 1;
    }
    return true;
}

void
sim_place_free(struct sim_place *place)
{
    free(place->text);
    place->text = NULL;
}

/* ---- rendering ---- */

static bool
leaf_shown(const struct sim_schema *schema, const struct sim_leaf *leaf, bool state,
           const struct sim_query *query, const json_t *value)
{
    char buf[24];

    if (sim_is_key(schema, leaf->name))
        return true;
    if (query->content == SIM_CONFIG && (state || leaf->state))
        return false;
    if (query->content == SIM_NONCONFIG && !(state || leaf->state))
        return false;
    if (!query->trim || leaf->fallback == NULL)
        return true;
    (void)snprintf(buf, sizeof buf, "%lld", (long long)json_integer_value(value));
    return strcmp(json_is_string(value) ? json_string_value(value) : buf, leaf->fallback) != 0;
}

static json_t *render_object(const struct sim_schema *schema, const json_t *object, int depth,
                             bool state, const struct sim_query *query);

/* depth: levels that may still be shown, the node itself included; 0: all. */
static json_t *
render_child(const struct sim_schema *schema, const json_t *value, int depth, bool state,
             const struct sim_query *query)
{
    json_t *out;
    size_t i;

    if (depth == 1)
        return json_object(); /* containers and lists alike */
    if ((schema->flags & SIM_S_LIST) == 0)
        return render_object(schema, value, depth, state, query);
    out = json_array();
    for (i = 0; i < json_array_size(value); i++)
        (void)json_array_append_new(
            out, render_object(schema, json_array_get(value, i), depth, state, query));
    return out;
}

static void
render_children(const struct sim_schema *schema, const json_t *object, int depth, bool state,
                const struct sim_query *query, json_t *out)
{
    size_t i;

    for (i = 0; schema->children != NULL && schema->children[i] != NULL; i++) {
        const struct sim_schema *child = schema->children[i];
        const json_t *value = json_object_get(object, child->name);
        bool below = state || (child->flags & SIM_S_STATE) != 0;
        json_t *shown;

        if (value == NULL || (query->content == SIM_CONFIG && below)
            || (json_is_array(value) && json_array_size(value) == 0))
            continue;
        shown = render_child(child, value, depth == 0 ? 0 : depth - 1, below, query);
        if (query->content == SIM_NONCONFIG && json_object_size(shown) == 0
            && json_array_size(shown) == 0)
            json_decref(shown);
        else
            (void)json_object_set_new(out, child->name, shown);
    }
}

static json_t *
render_object(const struct sim_schema *schema, const json_t *object, int depth, bool state,
              const struct sim_query *query)
{
    json_t *out = json_object();
    size_t i;

    for (i = 0; depth != 1 && i < schema->leaf_count; i++) {
        const struct sim_leaf *leaf = &schema->leaves[i];
        json_t *value = json_object_get(object, leaf->name);

        if (value != NULL && leaf_shown(schema, leaf, state, query, value))
            (void)json_object_set(out, leaf->name, value);
    }
    if (depth != 1)
        render_children(schema, object, depth, state, query, out);
    return out;
}

/* ---- fields=a;b(c;d) ---- */

static size_t
field_length(const char *text, size_t len)
{
    size_t i;
    int open = 0;

    for (i = 0; i < len && (open > 0 || text[i] != ';'); i++)
        open += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    return i;
}

static json_t *fields_apply(const json_t *value, const char *text, size_t len, int level);

static void
field_take(const json_t *object, const char *text, size_t len, int level, json_t *out)
{
    size_t name = strcspn(text, "/(");
    const char *key;
    json_t *member;

    name = name > len ? len : name;
    json_object_foreach((json_t *)(uintptr_t)object, key, member)
    {
        const char *plain = sim_plain_name(key);

        if ((strlen(plain) != name || memcmp(plain, text, name) != 0)
            && (strlen(key) != name || memcmp(key, text, name) != 0))
            continue;
        if (name == len)
            (void)json_object_set(out, key, member);
        else if (text[name] == '/')
            (void)json_object_set_new(
                out, key, fields_apply(member, text + name + 1, len - name - 1, level + 1));
        else if (text[len - 1] == ')')
            (void)json_object_set_new(
                out, key, fields_apply(member, text + name + 1, len - name - 2, level + 1));
    }
}

static json_t *
fields_apply(const json_t *value, const char *text, size_t len, int level)
{
    json_t *out;
    size_t i;

    if (level > SIM_MAX_DEPTH)
        return json_null();
    if (len >= 2 && text[0] == '(' && text[len - 1] == ')')
        return fields_apply(value, text + 1, len - 2, level + 1);
    if (json_is_array(value)) {
        out = json_array();
        for (i = 0; i < json_array_size(value); i++)
            (void)json_array_append_new(
                out, fields_apply(json_array_get(value, i), text, len, level + 1));
        return out;
    }
    out = json_object();
    while (len > 0) {
        size_t n = field_length(text, len);

        if (n > 0)
            field_take(value, text, n, level, out);
        n += n < len ? 1 : 0;
        text += n;
        len -= n;
    }
    return out;
}

/* ---- answers ---- */

static json_t *
render_roots(const struct sim_model *model, const json_t *tree, const struct sim_query *query)
{
    json_t *out = json_object();
    char name[128];
    size_t i;

    for (i = 0; model->roots[i] != NULL; i++) {
        const struct sim_schema *root = model->roots[i];
        const json_t *value;

        (void)snprintf(name, sizeof name, "%s:%s", root->module, root->name);
        value = json_object_get(tree, name);
        if (value != NULL && !(query->content == SIM_CONFIG && (root->flags & SIM_S_STATE) != 0))
            (void)json_object_set_new(out, name,
                                      render_child(root, value,
                                                   query->depth == 0 ? 0 : query->depth - 1,
                                                   (root->flags & SIM_S_STATE) != 0, query));
    }
    return out;
}

static bool
place_is_state(const struct sim_place *place)
{
    size_t i;

    for (i = 0; i < place->count; i++)
        if ((place->chain[i].schema->flags & SIM_S_STATE) != 0)
            return true;
    return place->schema != NULL && (place->schema->flags & SIM_S_STATE) != 0;
}

static json_t *
render_target(const struct sim_place *place, const struct sim_query *query)
{
    bool state = place_is_state(place);
    json_t *value;

    if (place->leaf != NULL)
        return json_incref(json_object_get(place->object, place->leaf->name));
    if (state && query->content == SIM_CONFIG)
        return NULL;
    if (place->whole) {
        const json_t *list = json_object_get(place->parent, place->member);

        if (json_array_size(list) == 0)
            return NULL;
        value =
            render_child(place->schema, list, query->depth == 1 ? 2 : query->depth, state, query);
    } else if (place->object == NULL) {
        return NULL;
    } else {
        value = render_object(place->schema, place->object, query->depth, state, query);
    }
    if (query->fields != NULL) {
        json_t *all = value;

        value = fields_apply(all, query->fields, strlen(query->fields), 0);
        json_decref(all);
    }
    return !place->whole && (place->schema->flags & SIM_S_LIST) != 0 ? json_pack("[o]", value)
                                                                     : value;
}

json_t *
sim_render(const struct sim_place *place, const struct sim_model *model, json_t *tree,
           const struct sim_query *query, struct sim_why *why)
{
    char name[256];
    json_t *value;

    if (place->schema == NULL)
        return json_pack("{s:o}", "ietf-restconf:data", render_roots(model, tree, query));
    value = render_target(place, query);
    if (value == NULL) {
        (void)sim_refuse(why, 404, "data-missing", "No such instance: %s", place->member);
        return NULL;
    }
    (void)snprintf(name, sizeof name, "%s:%s", place->module, sim_plain_name(place->member));
    return json_pack("{s:o}", name, value);
}

json_t *
sim_config_of(const struct sim_model *model, const json_t *tree)
{
    const struct sim_query query = {.content = SIM_CONFIG};

    return render_roots(model, tree, &query);
}
