/* Differences of two documents, for people and for change lists. */
#include <stdio.h>
#include <string.h>

#include "model/internal.h"

struct step {
    const struct step *up;
    const char *name; /* NULL: index */
    size_t index;
};

struct diff {
    json_t *list;
    bool failed;
};

static void
write_path(const struct step *at, struct lp_buf *out)
{
    if (at == NULL)
        return;
    write_path(at->up, out);
    lp_buf_char(out, '/');
    if (at->name == NULL)
        lp_buf_printf(out, "%zu", at->index);
    for (const char *c = at->name; c != NULL && *c != '\0'; c++) {
        if (*c == '~' || *c == '/')
            lp_buf_str(out, *c == '~' ? "~0" : "~1");
        else
            lp_buf_char(out, *c);
    }
}

static void
report(struct diff *diff, const struct step *at, const json_t *before, const json_t *after)
{
    struct lp_buf path = LP_BUF_INIT;
    json_t *row = json_object();
    const char *op = before == NULL ? "add" : after == NULL ? "remove" : "replace";
    int rc = 0;

    write_path(at, &path);
    rc |= json_object_set_new(row, "path", json_string(path.data != NULL ? path.data : ""));
    rc |= json_object_set_new(row, "op", json_string(op));
    if (before != NULL)
        rc |= json_object_set_new(row, "before", json_deep_copy(before));
    if (after != NULL)
        rc |= json_object_set_new(row, "after", json_deep_copy(after));
    rc |= json_array_append_new(diff->list, row);
    if (rc != 0 || path.failed)
        diff->failed = true;
    lp_buf_free(&path);
}

static void compare(struct diff *diff, const struct step *at, const json_t *before,
                    const json_t *after);

static void
compare_objects(struct diff *diff, const struct step *at, const json_t *before, const json_t *after)
{
    const char *key;
    json_t *item;

    json_object_foreach((json_t *)(uintptr_t)before, key, item)
    {
        const struct step here = {.up = at, .name = key};
        compare(diff, &here, item, json_object_get(after, key));
    }
    json_object_foreach((json_t *)(uintptr_t)after, key, item)
    {
        const struct step here = {.up = at, .name = key};
        if (json_object_get(before, key) == NULL)
            compare(diff, &here, NULL, item);
    }
}

static const char *
instance_id(const json_t *value)
{
    return lp_json_str(value, LP_MEMBER_ID, NULL);
}

static bool
is_block_list(const json_t *list)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (!json_is_object(item) || instance_id(item) == NULL)
            return false;
    }
    return true;
}

/* id -> index */
static json_t *
index_of(struct diff *diff, const json_t *list)
{
    json_t *map = json_object(), *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_object_set_new(map, instance_id(item), json_integer((json_int_t)i)) != 0)
            diff->failed = true;
    }
    return map;
}

/* Ids of `list` that are in `other` too, in order: what is left to compare once additions and
 * removals are told. */
static json_t *
common_ids(struct diff *diff, const json_t *list, const json_t *other)
{
    json_t *ids = json_array(), *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_object_get(other, instance_id(item)) != NULL
            && json_array_append_new(ids, json_string(instance_id(item))) != 0)
            diff->failed = true;
    }
    return ids;
}

static void
compare_order(struct diff *diff, const struct step *at, const json_t *before, const json_t *after,
              const json_t *in_before, const json_t *in_after)
{
    json_auto_t *old = common_ids(diff, before, in_after),
                *now = common_ids(diff, after, in_before);

    if (!json_equal(old, now))
        report(diff, at, old, now);
}

static void
compare_blocks(struct diff *diff, const struct step *at, const json_t *before, const json_t *after)
{
    json_auto_t *in_before = index_of(diff, before), *in_after = index_of(diff, after);
    size_t i;
    json_t *item;

    json_array_foreach(before, i, item)
    {
        const struct step here = {.up = at, .index = i};
        if (json_object_get(in_after, instance_id(item)) == NULL)
            report(diff, &here, item, NULL);
    }
    json_array_foreach(after, i, item)
    {
        const struct step here = {.up = at, .index = i};
        const json_t *old = json_object_get(in_before, instance_id(item));
        compare(diff, &here,
                old == NULL ? NULL : json_array_get(before, (size_t)json_integer_value(old)), item);
    }
    compare_order(diff, at, before, after, in_before, in_after);
}

static void
compare_lists(struct diff *diff, const struct step *at, const json_t *before, const json_t *after)
{
    size_t old = json_array_size(before), now = json_array_size(after);

    if (old + now > 0 && is_block_list(before) && is_block_list(after)) {
        compare_blocks(diff, at, before, after);
        return;
    }
    for (size_t i = 0; i < old || i < now; i++) {
        const struct step here = {.up = at, .index = i};
        compare(diff, &here, json_array_get(before, i), json_array_get(after, i));
    }
}

static void
compare(struct diff *diff, const struct step *at, const json_t *before, const json_t *after)
{
    if (json_is_object(before) && json_is_object(after))
        compare_objects(diff, at, before, after);
    else if (json_is_array(before) && json_is_array(after))
        compare_lists(diff, at, before, after);
    else if (before == NULL || after == NULL || !lp_json_same(before, after))
        report(diff, at, before, after);
}

json_t *
lp_model_diff(const json_t *before, const json_t *after)
{
    struct diff diff = {.list = json_array()};
    json_auto_t *nothing = json_object();

    if (nothing == NULL || diff.list == NULL) {
        json_decref(diff.list);
        return NULL;
    }
    compare(&diff, NULL, before == NULL ? nothing : before, after == NULL ? nothing : after);
    if (!diff.failed)
        return diff.list;
    json_decref(diff.list);
    return NULL;
}
