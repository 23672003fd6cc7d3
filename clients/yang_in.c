/* Bodies that arrive: put into the schema's shape; what the schema does not know is kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/yang_internal.h"

#define NOTES_MAX 100

struct reader {
    const struct lp_yang *yang;
    struct lp_buf path, scratch;
    json_t *notes;    /* or NULL */
    uint32_t options; /* LYS_GETNEXT_OUTPUT at the top of an operation's answer */
    struct lp_err *err;
};

static LP_PRINTF(2, 3) enum lp_code bad(struct reader *r, const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return lp_fail_at(r->err, LP_PROTOCOL, r->path.data != NULL ? r->path.data : "/",
                      "the answer is not what its schema says: %s: %s",
                      r->path.data != NULL ? r->path.data : "/", text);
}

static enum lp_code
no_memory(struct reader *r)
{
    return lp_fail(r->err, LP_NOMEM, "no memory for an answer");
}

static void
note(struct reader *r)
{
    if (r->notes != NULL && json_array_size(r->notes) < NOTES_MAX && r->path.data != NULL)
        (void)json_array_append_new(r->notes, json_string(r->path.data));
}

static enum lp_code take_node(struct reader *r, const struct lysc_node *node, json_t *value,
                              json_t **out);

/* ---- leaves ---- */

static json_t *
json_of(LY_DATA_TYPE base, const char *text)
{
    if (yang_is_number(base))
        return json_integer(strtoll(text, NULL, 10));
    if (base == LY_TYPE_BOOL)
        return json_boolean(strcmp(text, "true") == 0);
    return json_string(text);
}

/* Numbers and booleans are needed as such: what is none is a fault. Names may be newer than we. */
static bool
may_be_newer(LY_DATA_TYPE base)
{
    return base == LY_TYPE_ENUM || base == LY_TYPE_IDENT || base == LY_TYPE_STRING
           || base == LY_TYPE_BITS || base == LY_TYPE_UNION || base == LY_TYPE_BINARY
           || base == LY_TYPE_INST;
}

static enum lp_code
take_leaf(struct reader *r, const struct lysc_node *node, json_t *value, json_t **out)
{
    LY_DATA_TYPE base = yang_base(node);
    const char *text;
    char canonical[1024], why[200];

    if (base == LY_TYPE_EMPTY) {
        *out = json_pack("[n]");
        return *out != NULL ? LP_OK : no_memory(r);
    }
    text = yang_scalar(value, &r->scratch);
    if (text == NULL)
        return bad(r, "%s where a value belongs", lp_json_kind(value));
    if (!yang_value_ok(r->yang, node, text, canonical, sizeof canonical, why)) {
        if (!may_be_newer(base))
            return bad(r, "%s", why);
        note(r);
        *out = json_incref(value);
        return LP_OK;
    }
    if (base == LY_TYPE_UNION || (base == LY_TYPE_STRING && json_is_string(value)))
        *out = json_incref(value);
    else
        *out = json_of(base, yang_is_number64(base) || yang_is_number(base) ? canonical : text);
    return *out != NULL ? LP_OK : no_memory(r);
}

/* ---- containers ---- */

/* The name without its module where that is the parent's. */
static const char *
short_name(const struct lysc_node *parent, const struct lysc_node *child, const char *member)
{
    return parent != NULL && parent->module == child->module ? child->name : member;
}

static bool
is_array_node(const struct lysc_node *node)
{
    return (node->nodetype & (LYS_LIST | LYS_LEAFLIST)) != 0;
}

/* Below the depth limit containers and lists come as {}: that says nothing about a list. */
static bool
is_cut_off(const struct lysc_node *node, const json_t *value)
{
    return node->nodetype == LYS_LIST && json_is_object(value) && json_object_size(value) == 0;
}

static enum lp_code
take_member(struct reader *r, const struct lysc_node *parent, const char *name, json_t *value,
            uint32_t options, json_t *out)
{
    const struct lysc_node *child = yang_child(r->yang, parent, name, options);
    json_t *taken = NULL;
    enum lp_code rc;

    if (child == NULL) {
        note(r);
        return json_object_set(out, name, value) == 0 ? LP_OK : no_memory(r);
    }
    if (is_cut_off(child, value) || json_is_null(value))
        return LP_OK;
    rc = take_node(r, child, value, &taken);
    if (rc == LP_OK && json_object_get(out, short_name(parent, child, name)) != NULL) {
        json_decref(taken);
        return bad(r, "it stands twice, with and without its module");
    }
    if (rc == LP_OK && json_object_set_new(out, short_name(parent, child, name), taken) != 0)
        rc = no_memory(r);
    return rc;
}

static enum lp_code
take_members(struct reader *r, const struct lysc_node *parent, json_t *value, json_t **out)
{
    uint32_t options = r->options;
    json_auto_t *object = json_object();
    const char *name;
    json_t *member;

    r->options = 0;
    if (!json_is_object(value))
        return bad(r, "%s where an object belongs", lp_json_kind(value));
    json_object_foreach(value, name, member)
    {
        size_t mark = r->path.len;
        enum lp_code rc;

        yang_push(&r->path, name, -1);
        rc = take_member(r, parent, name, member, options, object);
        if (rc != LP_OK)
            return rc;
        yang_pop(&r->path, mark);
    }
    *out = lp_json_take(&object);
    return *out != NULL ? LP_OK : no_memory(r);
}

/* ---- lists ---- */

/* "key\nkey" of an entry; false: a key is missing (fields= left it out, or there are none). */
static bool
entry_key(struct reader *r, const struct lysc_node *list, const json_t *entry, struct lp_buf *out)
{
    size_t count = 0;

    lp_buf_reset(out);
    for (const struct lysc_node *key = lysc_node_child(list); key != NULL && lysc_is_key(key);
         key = key->next, count++) {
        const char *text = yang_scalar(json_object_get(entry, key->name), &r->scratch);

        if (text == NULL)
            return false;
        lp_buf_str(out, text);
        lp_buf_char(out, '\n');
    }
    return count > 0 && !out->failed;
}

static enum lp_code
check_unique(struct reader *r, const struct lysc_node *list, const json_t *items)
{
    json_auto_t *seen = json_object();
    struct lp_buf key = LP_BUF_INIT;
    const json_t *item;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(items, i, item)
    {
        if (rc != LP_OK || !entry_key(r, list, item, &key))
            continue;
        if (json_object_get(seen, key.data) != NULL)
            rc = bad(r, "two entries with the key '%.100s'", key.data);
        else if (json_object_set_new(seen, key.data, json_true()) != 0)
            rc = no_memory(r);
    }
    lp_buf_free(&key);
    return rc;
}

/* An array; also of one entry that came without it (never of {}: see is_cut_off). */
static enum lp_code
take_array(struct reader *r, const struct lysc_node *node, json_t *value, json_t **out)
{
    bool list = node->nodetype == LYS_LIST;
    json_auto_t *items = json_array(), *single = NULL;
    size_t mark = r->path.len, i;
    json_t *item;

    if (!json_is_array(value))
        value = single = json_pack("[O]", value);
    json_array_foreach(value, i, item)
    {
        json_t *taken = NULL;
        enum lp_code rc;

        yang_push(&r->path, NULL, (long)i);
        rc = list ? take_members(r, node, item, &taken) : take_leaf(r, node, item, &taken);
        if (rc == LP_OK && json_array_append_new(items, taken) != 0)
            rc = no_memory(r);
        if (rc != LP_OK)
            return rc;
        yang_pop(&r->path, mark);
    }
    if (list) {
        enum lp_code rc = check_unique(r, node, items);

        if (rc != LP_OK)
            return rc;
    }
    *out = lp_json_take(&items);
    return LP_OK;
}

static enum lp_code
take_node(struct reader *r, const struct lysc_node *node, json_t *value, json_t **out)
{
    if (is_array_node(node))
        return take_array(r, node, value, out);
    if (node->nodetype == LYS_CONTAINER)
        return take_members(r, node, value, out);
    if (node->nodetype == LYS_LEAF)
        return take_leaf(r, node, value, out);
    *out = json_incref(value); /* anydata */
    return LP_OK;
}

/* ---- answers ---- */

static bool
has_path_keys(struct reader *r, const struct yang_place *place, const json_t *entry)
{
    const struct lysc_node *key = lysc_node_child(place->node);

    for (size_t i = 0; i < place->last->key_count; i++, key = key->next) {
        const json_t *value = json_object_get(entry, key->name);
        const char *text = yang_scalar(value, &r->scratch);

        /* with fields= a server may leave the keys out: then the path is all there is */
        if (value != NULL && (text == NULL || strcmp(text, place->last->keys[i]) != 0))
            return false;
    }
    return true;
}

/* The one entry that a path with keys names. */
static enum lp_code
take_entry(struct reader *r, const struct yang_place *place, json_t *value, json_t **out)
{
    json_auto_t *items = NULL;
    enum lp_code rc = take_array(r, place->node, value, &items);

    if (rc != LP_OK)
        return rc;
    if (json_array_size(items) != 1)
        return bad(r, "%zu entries where one was asked for", json_array_size(items));
    if (place->node->nodetype == LYS_LIST && !has_path_keys(r, place, json_array_get(items, 0)))
        return bad(r, "another entry than was asked for");
    *out = json_incref(json_array_get(items, 0));
    return LP_OK;
}

static enum lp_code
take_data(struct reader *r, const struct yang_place *place, json_t *body, json_t **out)
{
    const struct lysc_node *node = NULL;
    const char *name;
    json_t *value, *found = NULL;

    if (!json_is_object(body))
        return bad(r, "%s where an object belongs", lp_json_kind(body));
    json_object_foreach(body, name, value)
    {
        if (name[0] == '@') /* annotations of the node */
            continue;
        node = found == NULL ? yang_child(r->yang, place->parent, name, 0) : NULL;
        found = value;
        yang_push(&r->path, name, -1);
        if (node != place->node)
            return bad(r, "'%s' was asked for", place->node->name);
    }
    if (found == NULL)
        return bad(r, "'%s' was asked for, and nothing answered", place->node->name);
    if (is_array_node(node) && place->last->has_keys)
        return take_entry(r, place, found, out);
    if (is_cut_off(node, found))
        return bad(r, "a list is an array");
    return take_node(r, node, found, out);
}

/* {"module:output": {...}}; an empty object is an operation without output. */
static enum lp_code
take_output(struct reader *r, const struct yang_place *place, json_t *body, json_t **out)
{
    char name[160];
    json_t *output;

    (void)snprintf(name, sizeof name, "%s:output", place->node->module->name);
    output = json_object_get(body, name);
    if (output == NULL)
        output = json_object_get(body, "output");
    if (json_is_object(body) && json_object_size(body) == 0)
        output = body;
    yang_push(&r->path, name, -1);
    if (output == NULL)
        return bad(r, "it is missing");
    r->options = LYS_GETNEXT_OUTPUT;
    return take_members(r, place->node, output, out);
}

enum lp_code
lp_yang_take(struct lp_yang *yang, const char *path, const json_t *body, json_t **out,
             json_t **notes, struct lp_err *err)
{
    json_auto_t *noted = json_array();
    struct reader r = {.yang = yang, .notes = noted, .err = err};
    struct lp_arena *arena = lp_arena_new();
    json_t *value = (json_t *)(uintptr_t)body; /* its parts are shared with the result */
    struct yang_place place;
    enum lp_code rc = arena != NULL ? yang_find(yang, arena, path, &place, err)
                                    : lp_fail(err, LP_NOMEM, "no memory for a path");

    if (rc == LP_OK && place.node == NULL)
        rc = lp_fail_at(err, LP_INVALID, path, "%.200s names no data", path);
    if (rc == LP_OK)
        rc = place.rpc ? take_output(&r, &place, value, out) : take_data(&r, &place, value, out);
    if (rc == LP_OK && notes != NULL)
        *notes = lp_json_take(&noted);
    lp_buf_free(&r.path);
    lp_buf_free(&r.scratch);
    lp_arena_free(arena);
    return rc;
}
