/* Making, completing and changing instance trees. */
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

static const struct lp_clock plain_clock = LP_CLOCK_INIT;

/* ---- normalise ---- */

struct maker {
    const struct lp_clock *clock;
    bool defaults; /* fill defaults and make the child blocks that always exist */
    bool failed;
};

static void set(struct maker *maker, json_t *into, const char *name, json_t *value);
static json_t *made_object(struct maker *maker, const struct lp_field *fields, size_t count,
                           bool block, const json_t *from);

static void
set(struct maker *maker, json_t *into, const char *name, json_t *value)
{
    if (json_object_set_new(into, name, value) != 0) /* refuses NULL too */
        maker->failed = true;
}

static json_t *
made_value(struct maker *maker, const struct lp_field *field, const json_t *from)
{
    bool block = field->kind == LP_FIELD_BLOCK;
    json_t *list, *item;
    size_t i;

    if (field->kind != LP_FIELD_STRUCT && !block)
        return json_deep_copy(from);
    if (!field->list || !json_is_array(from))
        return json_is_object(from)
                   ? made_object(maker, field->fields, field->field_count, block, from)
                   : json_deep_copy(from);
    list = json_array();
    json_array_foreach(from, i, item)
    {
        json_t *one = json_is_object(item)
                          ? made_object(maker, field->fields, field->field_count, block, item)
                          : json_deep_copy(item);
        if (json_array_append_new(list, one) != 0)
            maker->failed = true;
    }
    return list;
}

/* What a field that is not there begins with; NULL: nothing. */
static json_t *
made_default(struct maker *maker, const struct lp_field *field)
{
    bool always = !field->list && !field->optional;
    json_t *out;

    if (field->def != NULL)
        return json_deep_copy(field->def);
    if (field->kind == LP_FIELD_BLOCK && field->list && field->min_items > 0) {
        out = json_array();
        for (size_t i = 0; i < field->min_items; i++) {
            if (json_array_append_new(
                    out, made_object(maker, field->fields, field->field_count, true, NULL))
                != 0)
                maker->failed = true;
        }
        return out;
    }
    if (always && field->kind == LP_FIELD_BLOCK)
        return made_object(maker, field->fields, field->field_count, true, NULL);
    if (!always || field->kind != LP_FIELD_STRUCT)
        return NULL;
    return made_object(maker, field->fields, field->field_count, false, NULL);
}

static const json_t *
stored_value(const struct lp_field *field, const json_t *from)
{
    const json_t *value = json_object_get(from, field->name);

    return value == NULL && field->renamed_from != NULL ? json_object_get(from, field->renamed_from)
                                                        : value;
}

/* YANG data cannot tell an empty list, or an empty plain container, from none: one form for all of
 * them. */
static bool
means_absent(const struct lp_field *field, const json_t *value)
{
    if (field->list)
        return json_is_array(value) && json_array_size(value) == 0;
    return field->kind == LP_FIELD_STRUCT && !field->optional && json_is_object(value)
           && json_object_size(value) == 0;
}

static bool
is_former(const struct lp_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].renamed_from != NULL && strcmp(fields[i].renamed_from, name) == 0)
            return true;
    }
    return false;
}

static void
make_header(struct maker *maker, const json_t *from, json_t *out)
{
    const json_t *id = json_object_get(from, LP_MEMBER_ID),
                 *label = json_object_get(from, LP_MEMBER_LABEL);

    if (id == NULL || json_is_null(id))
        set(maker, out, LP_MEMBER_ID, json_string(lp_uuid_v7(maker->clock).text));
    else
        set(maker, out, LP_MEMBER_ID, json_deep_copy(id));
    if (label != NULL && !json_is_null(label))
        set(maker, out, LP_MEMBER_LABEL, json_deep_copy(label));
}

static json_t *
made_object(struct maker *maker, const struct lp_field *fields, size_t count, bool block,
            const json_t *from)
{
    json_t *out = json_object(), *item;
    const char *key;

    if (block)
        make_header(maker, from, out);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = stored_value(&fields[i], from);
        json_t *made = NULL;
        if (value != NULL && !json_is_null(value))
            made = made_value(maker, &fields[i], value);
        else if (value == NULL && maker->defaults)
            made = made_default(maker, &fields[i]);
        else
            continue;
        if (made == NULL || means_absent(&fields[i], made))
            maker->failed |= value != NULL && made == NULL;
        else
            set(maker, out, fields[i].name, json_incref(made));
        json_decref(made);
    }
    /* what the catalog does not know stays, so that the check can name it: nothing is lost silently
     * (W53) */
    json_object_foreach((json_t *)(uintptr_t)from, key, item)
    {
        if (!json_is_null(item) && lp_field_find(fields, count, key) == NULL
            && !is_former(fields, count, key) && !(block && lp_is_header(key)))
            set(maker, out, key, json_deep_copy(item));
    }
    return out;
}

static enum lp_code
make_root(const struct lp_product_type *product, const json_t *from, const struct lp_clock *clock,
          bool defaults, json_t **out, struct lp_err *err)
{
    struct maker maker = {.clock = clock != NULL ? clock : &plain_clock, .defaults = defaults};
    json_t *root;

    if (from != NULL && !json_is_object(from))
        return lp_fail(err, LP_INVALID, "%s: the root block is an object, not %s", product->name,
                       lp_json_kind(from));
    root = made_object(&maker, product->root->fields, product->root->field_count, true, from);
    if (maker.failed || root == NULL) {
        json_decref(root);
        return lp_fail(err, LP_NOMEM, "no memory for a %s", product->name);
    }
    *out = root;
    return LP_OK;
}

enum lp_code
lp_model_normalise(const struct lp_catalog *catalog, const struct lp_product_type *product,
                   const json_t *root, const struct lp_clock *clock, json_t **out,
                   struct lp_err *err)
{
    (void)catalog;
    return make_root(product, root, clock, false, out, err);
}

enum lp_code
lp_model_new(const struct lp_catalog *catalog, const struct lp_product_type *product,
             const json_t *input, const struct lp_clock *clock, json_t **root, struct lp_err *err)
{
    json_t *made = NULL;
    enum lp_code rc =
        make_root(product, json_is_null(input) ? NULL : input, clock, true, &made, err);

    if (rc == LP_OK)
        rc = lp_model_validate(catalog, product, made, LP_LC_INITIAL, err);
    if (rc == LP_OK)
        *root = made;
    else
        json_decref(made);
    return rc;
}

/* ---- assign ---- */

/* Where a path leads: the object that holds the field, the field, and the rest of the path inside a
 * list (an index or nothing). */
struct target {
    json_t *holder; /* borrowed; NULL: containers on the way do not exist yet */
    const struct lp_field *field;
    json_t *missing; /* names of plain containers to make, outermost first */
    json_t *last;    /* deepest existing object, where they are made */
    bool has_index;
    size_t index;
};

static enum lp_code
step_name(const struct lp_product_type *product, const struct lp_field **fields, size_t *count,
          bool block, const json_t *step, const struct lp_field **out, struct lp_err *err)
{
    const char *name = json_string_value(step);
    const struct lp_field *field = name == NULL ? NULL : lp_field_find(*fields, *count, name);

    if (field == NULL && block && name != NULL)
        field = lp_field_find(lp_header_fields, LP_COUNT(lp_header_fields), name);
    if (field == NULL)
        return lp_fail(err, LP_INVALID, "%s: there is no field '%s'", product->name,
                       name != NULL ? name : "?");
    *fields = field->fields;
    *count = field->field_count;
    *out = field;
    return LP_OK;
}

/* Goes into the value of a field on the way. */
static enum lp_code
descend(const struct lp_product_type *product, struct target *target, const json_t *path, size_t *i,
        struct lp_err *err)
{
    json_t *value = json_object_get(target->holder, target->field->name);
    const json_t *step = json_array_get(path, *i);

    if (target->field->list) {
        if (!json_is_integer(step))
            return lp_fail(err, LP_INVALID, "%s: '%s' is a list: an index must follow",
                           product->name, target->field->name);
        target->index = (size_t)json_integer_value(step);
        if (json_integer_value(step) < 0 || target->index > json_array_size(value))
            return lp_fail(err, LP_INVALID,
                           "%s: '%s' has %zu entries; there is no index %" JSON_INTEGER_FORMAT,
                           product->name, target->field->name, json_array_size(value),
                           json_integer_value(step));
        target->has_index = true;
        if (++*i == json_array_size(path))
            return LP_OK;
        value = json_array_get(value, target->index);
        target->has_index = false;
    }
    if (target->field->kind != LP_FIELD_STRUCT && target->field->kind != LP_FIELD_BLOCK)
        return lp_fail(err, LP_INVALID, "%s: '%s' has no members", product->name,
                       target->field->name);
    if (json_is_object(value)) {
        target->holder = target->last = value;
    } else if (target->field->kind == LP_FIELD_STRUCT && !target->field->list
               && !target->field->optional) {
        target->holder = NULL;
        if (json_array_append_new(target->missing, json_string(target->field->name)) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for a path");
    } else {
        return lp_fail(err, LP_INVALID, "%s: there is no '%s' to change", product->name,
                       target->field->name);
    }
    return LP_OK;
}

static enum lp_code
find_target(const struct lp_product_type *product, json_t *root, const json_t *path,
            struct target *target, struct lp_err *err)
{
    const struct lp_field *fields = product->root->fields;
    size_t count = product->root->field_count, i = 0;
    bool block = true;
    enum lp_code rc = LP_OK;
    const char *first = json_string_value(json_array_get(path, 0));

    target->holder = target->last = root;
    if (first != NULL && strcmp(first, product->member) == 0)
        i++; /* the member may lead the path; the rules keep it different from every field */
    if (i >= json_array_size(path))
        return lp_fail(err, LP_INVALID, "%s: the path names no field", product->name);
    while (rc == LP_OK && i < json_array_size(path)) {
        rc = step_name(product, &fields, &count, block, json_array_get(path, i), &target->field,
                       err);
        i++;
        if (rc == LP_OK && i < json_array_size(path))
            rc = descend(product, target, path, &i, err);
        if (rc == LP_OK)
            block = target->field->kind == LP_FIELD_BLOCK;
    }
    return rc;
}

static int
change_entry(struct maker *maker, const struct target *target, const json_t *value, json_t *list)
{
    struct lp_field entry = *target->field;

    entry.list = false;
    if (json_is_null(value))
        return target->index < json_array_size(list) ? json_array_remove(list, target->index) : 0;
    if (target->index == json_array_size(list))
        return json_array_append_new(list, made_value(maker, &entry, value));
    return json_array_set_new(list, target->index, made_value(maker, &entry, value));
}

/* The whole new value of the field (a list with one entry changed, added or taken out); *out NULL
 * means remove. */
static enum lp_code
new_value(const struct target *target, const json_t *value, json_t **out, struct lp_err *err)
{
    struct maker maker = {.clock = &plain_clock};
    const json_t *old = json_object_get(target->holder, target->field->name);
    json_t *made = NULL;

    *out = NULL;
    if (target->has_index) {
        made = old == NULL ? json_array() : json_deep_copy(old);
        maker.failed = made == NULL || change_entry(&maker, target, value, made) != 0;
    } else if (!json_is_null(value)) {
        made = made_value(&maker, target->field, value);
        maker.failed |= made == NULL;
    }
    if (maker.failed) {
        json_decref(made);
        return lp_fail(err, LP_NOMEM, "no memory for '%s'", target->field->name);
    }
    if (made != NULL && means_absent(target->field, made))
        json_decref(made);
    else
        *out = made;
    return LP_OK;
}

static enum lp_code
store(const struct lp_product_type *product, struct target *target, json_t *value,
      struct lp_err *err)
{
    json_t *holder = target->last, *name;
    size_t i;
    int rc = 0;

    if (value == NULL) {
        (void)json_object_del(target->holder, target->field->name); /* absent already is fine */
        return LP_OK;
    }
    json_array_foreach(target->missing, i, name)
    {
        rc |= json_object_set_new(holder, json_string_value(name), json_object());
        holder = json_object_get(holder, json_string_value(name));
    }
    rc |= json_object_set(holder, target->field->name, value);
    return rc == 0 ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a %s", product->name);
}

static enum lp_code
check_new(const struct lp_product_type *product, const struct target *target, const json_t *path,
          const json_t *value, struct lp_err *err)
{
    struct lp_problems problems;
    struct lp_check check = {
        .problems = &problems, .base = path, .model = true, .demands = LP_LC_INITIAL};
    json_t *base = NULL;
    enum lp_code rc;

    lp_problems_init(&problems);
    if (target->has_index) { /* the list as a whole is checked: its loc is one shorter */
        base = json_copy((json_t *)(uintptr_t)path);
        (void)json_array_remove(base, json_array_size(base) - 1);
        check.base = base;
    }
    if (value != NULL)
        lp_check_value(&check, target->field, value, NULL, NULL);
    else if (target->field->required || strcmp(target->field->name, LP_MEMBER_ID) == 0)
        lp_check_problem(&check, "missing", NULL, NULL, NULL, "Field required");
    rc = lp_problems_fail(&problems, product->name, err);
    lp_problems_free(&problems);
    json_decref(base);
    return rc;
}

enum lp_code
lp_model_assign(const struct lp_catalog *catalog, const struct lp_product_type *product,
                json_t *root, const json_t *path, const json_t *value, struct lp_err *err)
{
    struct target target = {.missing = json_array()};
    json_t *made = NULL;
    enum lp_code rc = find_target(product, root, path, &target, err);

    (void)catalog;
    if (rc == LP_OK) {
        rc = new_value(&target, value == NULL ? json_null() : value, &made, err);
        if (rc == LP_OK)
            rc = check_new(product, &target, path, made, err);
        if (rc == LP_OK)
            rc = store(product, &target, made, err);
        json_decref(made);
    }
    json_decref(target.missing);
    return rc;
}
