/* Bodies that are sent: everything in them must be known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/yang_internal.h"

struct writer {
    const struct lp_yang *yang;
    struct lp_buf path, scratch;
    bool rpc; /* input of an operation: nothing is read-only, lists have keys all the same */
    struct lp_err *err;
};

static LP_PRINTF(2, 3) enum lp_code bad(struct writer *w, const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (w->path.failed)
        return lp_fail(w->err, LP_NOMEM, "no memory for the check of a body");
    return lp_fail_at(w->err, LP_INVALID, w->path.data != NULL ? w->path.data : "/",
                      "%s, about to be sent: %s", w->path.data != NULL ? w->path.data : "/", text);
}

static enum lp_code check_members(struct writer *w, const struct lysc_node *parent,
                                  const json_t *object);

/* RFC 7951 section 6: which JSON kind a type has. */
static bool
kind_fits(const json_t *value, LY_DATA_TYPE base)
{
    if (yang_is_number(base))
        return json_is_integer(value);
    if (base == LY_TYPE_BOOL)
        return json_is_boolean(value);
    if (base == LY_TYPE_UNION)
        return json_is_string(value) || json_is_integer(value) || json_is_boolean(value);
    return json_is_string(value);
}

static enum lp_code
check_value(struct writer *w, const struct lysc_node *node, const json_t *value)
{
    LY_DATA_TYPE base = yang_base(node);
    const char *text;
    char why[200];

    if (base == LY_TYPE_EMPTY)
        return json_array_size(value) == 1 && json_is_null(json_array_get(value, 0))
                   ? LP_OK
                   : bad(w, "an empty leaf is [null]");
    if (!kind_fits(value, base))
        return bad(w, "%s where its type wants %s", lp_json_kind(value),
                   yang_is_number(base)   ? "an integer"
                   : base == LY_TYPE_BOOL ? "a boolean"
                                          : "a string");
    text = yang_scalar(value, &w->scratch);
    if (text == NULL)
        return lp_fail(w->err, LP_NOMEM, "no memory for the check of a body");
    return yang_value_ok(w->yang, node, text, NULL, 0, why) ? LP_OK : bad(w, "%s", why);
}

/* Every key must stand in an entry. */
static enum lp_code
check_entry(struct writer *w, const struct lysc_node *list, const json_t *entry)
{
    if (!json_is_object(entry))
        return bad(w, "%s where a list entry belongs", lp_json_kind(entry));
    for (const struct lysc_node *key = lysc_node_child(list); key != NULL && lysc_is_key(key);
         key = key->next) {
        if (json_object_get(entry, key->name) == NULL)
            return bad(w, "the key '%s' is missing", key->name);
    }
    return check_members(w, list, entry);
}

static enum lp_code
check_array(struct writer *w, const struct lysc_node *node, const json_t *value)
{
    const json_t *item;
    size_t i, mark = w->path.len;

    if (!json_is_array(value))
        return bad(w, "%s where an array belongs", lp_json_kind(value));
    json_array_foreach(value, i, item)
    {
        enum lp_code rc;

        yang_push(&w->path, NULL, (long)i);
        rc = node->nodetype == LYS_LIST ? check_entry(w, node, item) : check_value(w, node, item);
        if (rc != LP_OK)
            return rc;
        yang_pop(&w->path, mark);
    }
    return LP_OK;
}

static enum lp_code
check_node(struct writer *w, const struct lysc_node *node, const json_t *value)
{
    if (!w->rpc && (node->flags & LYS_CONFIG_R) != 0)
        return bad(w, "it is read-only");
    if ((node->nodetype & (LYS_LIST | LYS_LEAFLIST)) != 0)
        return check_array(w, node, value);
    if (node->nodetype == LYS_CONTAINER)
        return json_is_object(value) ? check_members(w, node, value)
                                     : bad(w, "%s where an object belongs", lp_json_kind(value));
    return node->nodetype == LYS_LEAF ? check_value(w, node, value) : LP_OK; /* anydata */
}

static enum lp_code
check_members(struct writer *w, const struct lysc_node *parent, const json_t *object)
{
    json_t *members = (json_t *)(uintptr_t)object; /* jansson iterates over non-const objects */
    const char *name;
    json_t *value;

    json_object_foreach(members, name, value)
    {
        const struct lysc_node *child = yang_child(w->yang, parent, name, 0);
        size_t mark = w->path.len;
        enum lp_code rc;

        yang_push(&w->path, name, -1);
        rc = child != NULL
                 ? check_node(w, child, value)
                 : bad(w, "'%.64s' is not known to the modules of %s", name, w->yang->set);
        if (rc != LP_OK)
            return rc;
        yang_pop(&w->path, mark);
    }
    return LP_OK;
}

/* The one member at the top, be it qualified or not. */
static const json_t *
only_member(const json_t *body, const char **name)
{
    void *first = json_object_iter((json_t *)(uintptr_t)body);

    if (!json_is_object(body) || json_object_size(body) != 1)
        return NULL;
    *name = json_object_iter_key(first);
    return json_object_iter_value(first);
}

/* Where the path has the value of a key, the body may not say another. */
static enum lp_code
check_path_keys(struct writer *w, const struct yang_place *place, const json_t *entry)
{
    const struct lysc_node *key = lysc_node_child(place->node);

    for (size_t i = 0; i < place->last->key_count; i++, key = key->next) {
        const char *text = yang_scalar(json_object_get(entry, key->name), &w->scratch);

        if (text == NULL || strcmp(text, place->last->keys[i]) != 0)
            return bad(w, "key '%s' is '%.64s' here and '%.64s' in the path", key->name,
                       text != NULL ? text : "", place->last->keys[i]);
    }
    return LP_OK;
}

static enum lp_code
check_data(struct writer *w, const struct yang_place *place, bool post, const json_t *body)
{
    const char *name = NULL;
    const json_t *value = only_member(body, &name);
    const struct lysc_node *node;
    enum lp_code rc;

    if (value == NULL)
        return bad(w, "a body is an object with one member");
    node = yang_child(w->yang, post ? place->node : place->parent, name, 0);
    yang_push(&w->path, name, -1);
    if (node == NULL || (!post && node != place->node))
        return bad(w, "the path wants %s%s", post ? "a child of " : "",
                   place->node != NULL ? place->node->name : "the datastore");
    rc = check_node(w, node, value);
    if (rc != LP_OK || post || node->nodetype != LYS_LIST || !place->last->has_keys)
        return rc;
    if (json_array_size(value) != 1)
        return bad(w, "the path names one entry");
    return check_path_keys(w, place, json_array_get(value, 0));
}

static void
writer_free(struct writer *w)
{
    lp_buf_free(&w->path);
    lp_buf_free(&w->scratch);
}

enum lp_code
lp_yang_check_data(struct lp_yang *yang, const char *path, bool post, const json_t *body,
                   struct lp_err *err)
{
    struct writer w = {.yang = yang, .err = err};
    struct lp_arena *arena = lp_arena_new();
    struct yang_place place;
    enum lp_code rc = arena != NULL ? yang_find(yang, arena, path, &place, err)
                                    : lp_fail(err, LP_NOMEM, "no memory for a path");

    if (rc == LP_OK && (place.rpc || (place.node == NULL && !post)))
        rc = lp_fail_at(err, LP_INVALID, path, "%.200s is no data resource", path);
    if (rc == LP_OK)
        rc = check_data(&w, &place, post, body);
    writer_free(&w);
    lp_arena_free(arena);
    return rc;
}

/* ---- operations ---- */

/* Mandatory leaves, choices, when and must: libyang's own validation of the whole. */
static enum lp_code
validate_input(struct lp_yang *yang, const struct lysc_node *rpc, const json_t *input,
               struct lp_err *err)
{
    char name[256];
    json_auto_t *wrapped = NULL;
    struct lyd_node *tree = NULL, *op = NULL;
    const struct ly_err_item *item;
    struct ly_in *in = NULL;
    char *text;
    LY_ERR rc;
    enum lp_code code = LP_OK;

    (void)snprintf(name, sizeof name, "%s:%s", rpc->module->name, rpc->name);
    wrapped = json_object();
    if (json_object_set(wrapped, name, (json_t *)(uintptr_t)input) != 0
        || (text = json_dumps(wrapped, JSON_COMPACT)) == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the check of %s", name);
    rc = ly_in_new_memory(text, &in);
    if (rc == LY_SUCCESS)
        rc = lyd_parse_op(yang->ctx, NULL, in, LYD_JSON, LYD_TYPE_RPC_YANG, &tree, &op);
    if (rc == LY_SUCCESS)
        rc = lyd_validate_op(op, NULL, LYD_TYPE_RPC_YANG, NULL);
    item = rc == LY_SUCCESS ? NULL : ly_err_first(yang->ctx);
    if (rc != LY_SUCCESS)
        code = lp_fail_at(err, LP_INVALID, item != NULL && item->path != NULL ? item->path : name,
                          "input of %s: %s", name,
                          item != NULL && item->msg != NULL ? item->msg : "not valid");
    ly_err_clean(yang->ctx, NULL);
    lyd_free_all(tree);
    ly_in_free(in, 0);
    explicit_bzero(text, strlen(text)); /* it may hold a password */
    free(text);
    return code;
}

static bool
is_input(const char *name, const char *module)
{
    size_t len = strlen(module);

    return strcmp(name, "input") == 0
           || (strncmp(name, module, len) == 0 && strcmp(name + len, ":input") == 0);
}

static enum lp_code
check_rpc(struct writer *w, struct lp_yang *yang, const struct lysc_node *rpc, const json_t *body)
{
    const char *name = "";
    const json_t *input = body != NULL ? only_member(body, &name) : NULL;
    json_auto_t *none = NULL;
    enum lp_code rc;

    if (body != NULL && (!json_is_object(input) || !is_input(name, rpc->module->name)))
        return bad(w, "the body of an operation is {\"%s:input\": {...}}", rpc->module->name);
    if (input == NULL)
        input = none = json_object();
    yang_push(&w->path, "input", -1);
    rc = check_members(w, rpc, input);
    return rc == LP_OK ? validate_input(yang, rpc, input, w->err) : rc;
}

enum lp_code
lp_yang_check_rpc(struct lp_yang *yang, const char *path, const json_t *body, struct lp_err *err)
{
    struct writer w = {.yang = yang, .rpc = true, .err = err};
    struct lp_arena *arena = lp_arena_new();
    struct yang_place place;
    enum lp_code rc = arena != NULL ? yang_find(yang, arena, path, &place, err)
                                    : lp_fail(err, LP_NOMEM, "no memory for a path");

    if (rc == LP_OK && !place.rpc)
        rc = lp_fail_at(err, LP_INVALID, path, "%.200s is no operation", path);
    if (rc == LP_OK)
        rc = check_rpc(&w, yang, place.node, body);
    writer_free(&w);
    lp_arena_free(arena);
    return rc;
}
