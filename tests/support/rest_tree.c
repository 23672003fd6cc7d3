#include "tests/support/rest_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test_main.h"

/* ---- finding ---- */

static const char *
plain(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon != NULL ? colon + 1 : name;
}

static json_t *
member(json_t *object, const char *name)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (strcmp(plain(key), plain(name)) == 0)
            return value;
    }
    return NULL;
}

static bool
has_key(const json_t *entry, const struct lp_restconf_segment *segment)
{
    static const char *const names[] = {"%s-id", "%s-name", "name", "src-tp", NULL};
    char name[96];

    if (segment->key_count == 2)
        return strcmp(lp_json_str(entry, "src-tp", ""), segment->keys[0]) == 0
               && strcmp(lp_json_str(entry, "dst-tp", ""), segment->keys[1]) == 0;
    for (size_t i = 0; names[i] != NULL; i++) {
        const json_t *value;
        char text[32];

        (void)snprintf(name, sizeof name,
                       i == 0   ? "%s-id"
                       : i == 1 ? "%s-name"
                                : "name",
                       segment->name);
        value = json_object_get(entry, name);
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        if (json_is_integer(value) && strcmp(text, segment->keys[0]) == 0)
            return true;
        if (json_is_string(value) && strcmp(json_string_value(value), segment->keys[0]) == 0)
            return true;
    }
    return false;
}

static json_t *
step(json_t *at, const struct lp_restconf_segment *segment)
{
    json_t *found = member(at, segment->name), *entry;
    size_t i;

    if (!segment->has_keys)
        return found;
    json_array_foreach(found, i, entry)
    {
        if (has_key(entry, segment))
            return entry;
    }
    return NULL;
}

static json_t *
walk(struct rest_tree *tree, const char *path, size_t leave, struct lp_restconf_segment *last)
{
    struct lp_arena *arena = lp_arena_new();
    struct lp_restconf_target *target = lp_arena_alloc(arena, sizeof *target);
    struct lp_err err = LP_ERR_INIT;
    json_t *at = tree->root;

    if (lp_restconf_path_parse(arena, path, target, &err) != LP_OK)
        fail_msg("%s: %s", path, err.msg);
    for (size_t i = 1; i + leave < target->count && at != NULL; i++)
        at = step(at, &target->segments[i]);
    if (last != NULL)
        last->has_keys = target->segments[target->count - 1].has_keys;
    lp_arena_free(arena);
    return at;
}

json_t *
rest_tree_at(struct rest_tree *tree, const char *path)
{
    return walk(tree, path, 0, NULL);
}

static enum lp_code
get(void *ctx, const char *path, const struct lp_restconf_query *query, json_t **out,
    struct lp_err *err)
{
    json_t *found = rest_tree_at(ctx, path);

    (void)query, (void)err;
    *out = json_is_array(found) && json_array_size(found) == 0 ? NULL : json_deep_copy(found);
    return LP_OK;
}

void
rest_tree_source(struct rest_tree *tree, struct ir_source *out)
{
    *out = (struct ir_source){.ctx = tree, .name = "the element", .get = get};
}

/* ---- writing ---- */

static json_t *
load(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;

    if (lp_json_load(text, strlen(text), &out, &err) != LP_OK)
        fail_msg("%s: %s", err.msg, text);
    return out;
}

static json_t *
list_in(json_t *parent, const char *name)
{
    json_t *list = member(parent, name);

    if (list == NULL) {
        list = json_array();
        assert_int_equal(json_object_set_new(parent, plain(name), list), 0);
    }
    return list;
}

static json_t *
add_entry(struct rest_tree *tree, const struct ir_request *request, size_t leave)
{
    json_auto_t *body = load(request->body);
    const char *name = json_object_iter_key(json_object_iter(body));
    json_t *parent = walk(tree, request->path, leave, NULL);
    json_t *entry = json_deep_copy(json_array_get(json_object_get(body, name), 0));

    if (parent == NULL)
        fail_msg("nothing to create in: %s", request->path);
    assert_int_equal(json_array_append_new(list_in(parent, name), entry), 0);
    return entry;
}

static json_t *
patch(struct rest_tree *tree, const struct ir_request *request)
{
    json_auto_t *body = load(request->body);
    json_t *value = json_object_iter_value(json_object_iter(body));
    json_t *object = rest_tree_at(tree, request->path);

    if (object == NULL && strstr(request->path, "/CRS=") != NULL)
        return add_entry(tree, request, 1);
    if (object == NULL)
        fail_msg("not there: %s %s", request->path, request->body);
    if (json_is_array(value))
        value = json_array_get(value, 0);
    assert_int_equal(json_object_update(object, value), 0);
    return object;
}

static void
erase(struct rest_tree *tree, const char *path)
{
    json_t *object = rest_tree_at(tree, path), *parent = walk(tree, path, 1, NULL), *list;
    const char *name;
    size_t i;

    if (object == NULL)
        fail_msg("not there: %s", path);
    json_object_foreach(parent, name, list)
    {
        for (i = 0; i < json_array_size(list); i++) {
            if (json_array_get(list, i) == object) {
                assert_int_equal(json_array_remove(list, i), 0);
                return;
            }
        }
    }
    fail_msg("no entry of a list: %s", path);
}

void
rest_tree_write(struct rest_tree *tree, const struct ir_request *request)
{
    json_t *object = NULL;

    tree->writes++;
    if (strcmp(request->method, "DELETE") == 0)
        erase(tree, request->path);
    else if (strcmp(request->method, "PATCH") == 0)
        object = patch(tree, request);
    else if (strncmp(request->path, "/data/", 6) == 0)
        object = add_entry(tree, request, 0);
    else
        object = load(request->body);
    if (tree->changed != NULL)
        tree->changed(tree, request->path, object);
    if (strncmp(request->path, "/operations/", 12) == 0)
        json_decref(object);
}

/* ---- plans ---- */

enum lp_code
rest_tree_refused(struct rest_tree *tree, const char *intents, bool take_over, struct lp_err *err)
{
    struct lp_arena *arena = lp_arena_new();
    json_auto_t *wanted = load(intents), *ops = NULL;
    struct ir_source source;
    enum lp_code rc;

    rest_tree_source(tree, &source);
    rc = ir_plan(tree->platform, &source, arena, wanted, take_over, &ops, err);
    lp_arena_free(arena);
    return rc;
}

json_t *
rest_tree_plan(struct rest_tree *tree, const char *intents, bool take_over)
{
    struct lp_arena *arena = lp_arena_new();
    struct lp_err err = LP_ERR_INIT;
    json_t *wanted = load(intents), *ops = NULL;
    struct ir_source source;

    rest_tree_source(tree, &source);
    if (ir_plan(tree->platform, &source, arena, wanted, take_over, &ops, &err) != LP_OK)
        fail_msg("%s", err.msg);
    json_decref(wanted);
    lp_arena_free(arena);
    return ops;
}

static void
apply_one(struct rest_tree *tree, const json_t *op)
{
    const json_t *before = json_object_get(op, "before"), *after = json_object_get(op, "after");
    bool anything = strcmp(lp_json_str(op, "action", ""), "set") == 0 && !json_is_object(before);
    struct lp_arena *arena = lp_arena_new();
    struct ir_request requests[IR_REQUESTS];
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *produced = json_object();
    json_t *actual = NULL;
    struct ir_source source;
    size_t count = 0;

    rest_tree_source(tree, &source);
    if (ir_read(tree->platform, &source, arena, lp_json_str(op, "object", ""), &actual, &err)
        != LP_OK)
        fail_msg("%s", err.msg);
    if (!ir_holds(after, actual)) {
        if (anything ? actual == NULL : !ir_holds(before, actual))
            fail_msg("%s: not as it was planned: %s", lp_json_str(op, "id", ""),
                     lp_json_text(actual));
        if (ir_requests(tree->platform, &source, arena, op, actual, produced, requests, &count,
                        &err)
            != LP_OK)
            fail_msg("%s: %s", lp_json_str(op, "id", ""), err.msg);
        for (size_t i = 0; i < count; i++)
            rest_tree_write(tree, &requests[i]);
        json_decref(actual);
        assert_int_equal(
            ir_read(tree->platform, &source, arena, lp_json_str(op, "object", ""), &actual, &err),
            LP_OK);
        if (!ir_holds(after, actual))
            fail_msg("%s: did not do it", lp_json_str(op, "id", ""));
    }
    json_decref(actual);
    lp_arena_free(arena);
}

void
rest_tree_apply(struct rest_tree *tree, const json_t *operations)
{
    json_t *op;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)operations, i, op) apply_one(tree, op);
}

void
rest_tree_undo(struct rest_tree *tree, const json_t *operations)
{
    for (size_t i = json_array_size(operations); i-- > 0;) {
        const json_t *undo = json_object_get(json_array_get(operations, i), "compensation");

        if (json_is_object(undo))
            apply_one(tree, undo);
    }
}

char *
rest_tree_ids(const json_t *operations)
{
    struct lp_buf out = LP_BUF_INIT;
    json_t *op;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)operations, i, op) lp_buf_printf(
        &out, "%lld %s\n", (long long)lp_json_int(op, "phase", 0), lp_json_str(op, "id", ""));
    return out.data != NULL ? lp_buf_take(&out) : strdup("");
}
