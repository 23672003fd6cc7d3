/* Edits of a RESTCONF datastore: PATCH, POST, DELETE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sim/rest/tree.h"

struct edit {
    const struct sim_model *model;
    void *arg;
    struct sim_why *why;
    struct sim_at chain[SIM_MAX_DEPTH];
    size_t count;
};

static bool merge(struct edit *e, const json_t *patch);

/* "/ne:ne/shelf[shelf-id='1']/..." of the last object, for error-path. */
static void
path_put(struct edit *e, const char *leaf)
{
    struct lp_buf out = LP_BUF_INIT;
    char buf[24];
    size_t i, k;

    for (i = 0; i < e->count; i++) {
        const struct sim_schema *schema = e->chain[i].schema;

        lp_buf_printf(&out, "/%s%s%s", i == 0 ? schema->module : "", i == 0 ? ":" : "",
                      schema->name);
        for (k = 0; schema->keys[k] != NULL; k++)
            lp_buf_printf(&out, "[%s='%s']", schema->keys[k],
                          sim_text(e->chain[i].object, schema->keys[k], buf));
    }
    if (leaf != NULL)
        lp_buf_printf(&out, "/%s", leaf);
    if (out.data != NULL && !out.failed)
        (void)snprintf(e->why->path, sizeof e->why->path, "%s", out.data);
    lp_buf_free(&out);
}

static bool
chain_state(const struct edit *e)
{
    size_t i;

    for (i = 0; i < e->count; i++)
        if ((e->chain[i].schema->flags & SIM_S_STATE) != 0)
            return true;
    return false;
}

/* One leaf of a patch, checked, into `changes`. */
static bool
leaf_take(struct edit *e, const struct sim_leaf *leaf, const json_t *value, json_t *changes)
{
    const struct sim_at *at = &e->chain[e->count - 1];
    json_t *clean;
    char have[24], given[24];

    if (leaf->state || chain_state(e)) {
        (void)sim_refuse(e->why, 400, "access-denied", "%s is read-only", leaf->name);
        path_put(e, leaf->name);
        return false;
    }
    clean = sim_leaf_value(leaf, value, e->why);
    if (clean == NULL) {
        path_put(e, leaf->name);
        return false;
    }
    (void)json_object_set_new(changes, leaf->name, clean);
    if (sim_is_key(at->schema, leaf->name)) {
        bool same =
            strcmp(sim_text(at->object, leaf->name, have), sim_text(changes, leaf->name, given))
            == 0;

        (void)json_object_del(changes, leaf->name);
        if (!same) {
            (void)sim_refuse(e->why, 400, "invalid-value", "key %s differs from the path",
                             leaf->name);
            path_put(e, leaf->name);
            return false;
        }
    }
    return true;
}

static bool
leaves_take(struct edit *e, const json_t *patch, json_t *changes)
{
    const struct sim_schema *schema = e->chain[e->count - 1].schema;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, name, value)
    {
        const char *plain = sim_plain_name(name);
        const struct sim_leaf *leaf = sim_schema_leaf(schema, plain);

        if (leaf != NULL) {
            if (!leaf_take(e, leaf, value, changes))
                return false;
        } else if (sim_schema_child(schema, plain) == NULL) {
            (void)sim_refuse(e->why, 400, "unknown-element", "unknown element %.100s", name);
            path_put(e, NULL);
            return false;
        }
    }
    return true;
}

static bool
enter(struct edit *e, const struct sim_schema *schema, json_t *object)
{
    if (e->count == SIM_MAX_DEPTH)
        return sim_refuse(e->why, 400, "malformed-message", "nested too deeply");
    e->chain[e->count].schema = schema;
    e->chain[e->count++].object = object;
    return true;
}

static bool
keys_of(const struct sim_schema *schema, const json_t *entry, const char *keys[SIM_MAX_KEYS],
        char bufs[SIM_MAX_KEYS][24])
{
    size_t k;

    for (k = 0; schema->keys[k] != NULL; k++) {
        keys[k] = sim_text(entry, schema->keys[k], bufs[k]);
        if (json_object_get(entry, schema->keys[k]) == NULL)
            return false;
    }
    return k > 0;
}

/* Makes an entry out of its leaves and puts it into the list. */
static bool
entry_make(struct edit *e, const struct sim_schema *schema, json_t *parent, const json_t *body)
{
    json_t *object = sim_object_new(schema), *list = json_object_get(parent, schema->name);
    size_t k, depth = e->count;
    bool ok;

    for (k = 0; schema->keys[k] != NULL; k++)
        (void)json_object_set(object, schema->keys[k], json_object_get(body, schema->keys[k]));
    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(parent, schema->name, list);
    }
    ok = enter(e, schema, object) && merge(e, body);
    e->count = depth;
    ok = ok
         && (e->model->create == NULL
             || e->model->create(e->arg, e->chain, e->count, schema, object, e->why));
    if (ok)
        (void)json_array_append(list, object);
    json_decref(object);
    return ok;
}

static bool
entry_merge(struct edit *e, const struct sim_schema *schema, json_t *parent, const json_t *patch)
{
    const char *keys[SIM_MAX_KEYS];
    char bufs[SIM_MAX_KEYS][24];
    json_t *entry;
    size_t depth = e->count;
    bool ok;

    if (!json_is_object(patch) || !keys_of(schema, patch, keys, bufs))
        return sim_refuse(e->why, 400, "missing-element", "an entry of %s needs its keys",
                          schema->name);
    entry = sim_entry_find(schema, parent, keys);
    if (entry == NULL && (schema->flags & SIM_S_MAKE) != 0)
        return entry_make(e, schema, parent, patch);
    if (entry == NULL)
        return sim_refuse(e->why, 404, "data-missing", "%s %.64s is not there", schema->name,
                          keys[0]);
    ok = enter(e, schema, entry) && merge(e, patch);
    e->count = depth;
    return ok;
}

static bool
child_merge(struct edit *e, const struct sim_schema *schema, json_t *parent, const json_t *patch)
{
    json_t *object = json_object_get(parent, schema->name);
    size_t i, depth = e->count;
    bool ok = true;

    if ((schema->flags & SIM_S_LIST) != 0) {
        if (!json_is_array(patch))
            return sim_refuse(e->why, 400, "invalid-value", "%s is no array", schema->name);
        for (i = 0; ok && i < json_array_size(patch); i++)
            ok = entry_merge(e, schema, parent, json_array_get(patch, i));
        return ok;
    }
    if (object == NULL)
        return sim_refuse(e->why, 404, "data-missing", "%s is not there", schema->name);
    ok = enter(e, schema, object) && merge(e, patch);
    e->count = depth;
    return ok;
}

/* Merges into the last object of the chain: its leaves at once, then what is below. */
static bool
merge(struct edit *e, const json_t *patch)
{
    const struct sim_schema *schema = e->chain[e->count - 1].schema;
    json_t *object = e->chain[e->count - 1].object, *changes, *value;
    const char *name;
    bool ok;

    if (!json_is_object(patch))
        return sim_refuse(e->why, 400, "malformed-message", "%s is no object", schema->name);
    changes = json_object();
    ok = leaves_take(e, patch, changes)
         && (e->model->rule == NULL || e->model->rule(e->arg, e->chain, e->count, changes, e->why));
    if (ok)
        (void)json_object_update(object, changes);
    else if (e->why->path[0] == '\0')
        path_put(e, NULL);
    json_decref(changes);
    json_object_foreach((json_t *)(uintptr_t)patch, name, value)
    {
        const struct sim_schema *child = sim_schema_child(schema, sim_plain_name(name));

        ok = ok && (child == NULL || child_merge(e, child, object, value));
    }
    return ok;
}

/* The one member of a body that stands for the target. */
static const json_t *
body_of(const struct sim_place *place, const json_t *body, struct sim_why *why)
{
    void *first = json_object_iter((json_t *)(uintptr_t)body);
    const json_t *value;
    const char *name;

    if (json_object_size(body) != 1) {
        (void)sim_refuse(why, 400, "malformed-message", "the body has not exactly one member");
        return NULL;
    }
    name = json_object_iter_key(first);
    if (strcmp(sim_plain_name(name), sim_plain_name(place->member)) != 0
        || (strchr(name, ':') != NULL
            && strncmp(name, place->module, (size_t)(sim_plain_name(name) - name) - 1) != 0)) {
        (void)sim_refuse(why, 400, "unknown-element",
                         "the body holds '%.64s', the path leads to %s", name, place->member);
        return NULL;
    }
    value = json_object_iter_value(first);
    if (!json_is_array(value))
        return value;
    if (json_array_size(value) == 1 && place->schema != NULL
        && (place->schema->flags & SIM_S_LIST) != 0)
        return json_array_get(value, 0);
    (void)sim_refuse(why, 400, "malformed-message", "the body holds not exactly one entry");
    return NULL;
}

/* A PATCH of an entry that is not there, where the element makes it. */
static bool
patch_make(struct edit *e, struct sim_place *place, const json_t *patch)
{
    size_t k;

    for (k = 0; place->schema->keys[k] != NULL; k++) {
        char buf[24];

        if (strcmp(sim_text(patch, place->schema->keys[k], buf), place->keys[k]) != 0)
            return sim_refuse(e->why, 400, "invalid-value", "key %s differs from the path",
                              place->schema->keys[k]);
    }
    return entry_make(e, place->schema, place->parent, patch);
}

bool
sim_patch(const struct sim_model *model, void *arg, struct sim_place *place, const json_t *body,
          struct sim_why *why)
{
    struct edit e = {.model = model, .arg = arg, .why = why, .count = place->count};
    const json_t *patch;

    if (place->schema == NULL || place->whole || place->leaf != NULL)
        return sim_refuse(why, 405, "operation-not-supported", "PATCH of this is not supported");
    memcpy(e.chain, place->chain, sizeof e.chain);
    patch = body_of(place, body, why);
    if (patch == NULL)
        return false;
    if (place->object != NULL)
        return merge(&e, patch);
    if ((place->schema->flags & SIM_S_MAKE) != 0)
        return patch_make(&e, place, patch);
    return sim_refuse(why, 404, "data-missing", "No such instance: %s", place->member);
}

bool
sim_post(const struct sim_model *model, void *arg, struct sim_place *place, const json_t *body,
         struct sim_why *why)
{
    struct edit e = {.model = model, .arg = arg, .why = why, .count = place->count};
    const struct sim_schema *child;
    const char *keys[SIM_MAX_KEYS], *name;
    char bufs[SIM_MAX_KEYS][24];
    const json_t *entry;
    void *first = json_object_iter((json_t *)(uintptr_t)body);

    if (place->schema == NULL || place->object == NULL || place->leaf != NULL)
        return sim_refuse(why, place->schema == NULL ? 405 : 404, "invalid-value",
                          "nothing can be made here");
    if (json_object_size(body) != 1)
        return sim_refuse(why, 400, "malformed-message", "the body has not exactly one member");
    memcpy(e.chain, place->chain, sizeof e.chain);
    name = json_object_iter_key(first);
    child = sim_schema_child(place->schema, sim_plain_name(name));
    if (child == NULL)
        return sim_refuse(why, 400, "unknown-element", "unknown element %.100s", name);
    if ((child->flags & SIM_S_POST) == 0)
        return sim_refuse(why, 405, "operation-not-supported", "%s cannot be made", child->name);
    entry = json_object_iter_value(first);
    entry = json_is_array(entry) ? json_array_get(entry, 0) : entry;
    if (!json_is_object(entry) || !keys_of(child, entry, keys, bufs))
        return sim_refuse(why, 400, "missing-element", "an entry of %s needs its keys",
                          child->name);
    if (sim_entry_find(child, place->object, keys) != NULL)
        return sim_refuse(why, 409, "data-exists", "%s %.64s is there", child->name, keys[0]);
    return entry_make(&e, child, place->object, entry);
}

bool
sim_delete(const struct sim_model *model, void *arg, struct sim_place *place, struct sim_why *why)
{
    json_t *list;
    size_t i;

    if (place->schema == NULL || place->whole || place->leaf != NULL
        || (place->schema->flags & SIM_S_DELETE) == 0)
        return sim_refuse(why, 405, "operation-not-supported", "DELETE of this is not supported");
    if (place->object == NULL)
        return sim_refuse(why, 404, "data-missing", "No such instance: %s", place->member);
    if (model->remove != NULL && !model->remove(arg, place->chain, place->count, why))
        return false;
    list = json_object_get(place->parent, place->schema->name);
    for (i = 0; i < json_array_size(list) && json_array_get(list, i) != place->object; i++)
        continue;
    place->object = NULL;
    (void)json_array_remove(list, i);
    return true;
}
