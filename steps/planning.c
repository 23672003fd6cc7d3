/* The plans of all elements as one: read, plan, put in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps/device_internal.h"

#define OLD_KEY                                                                                    \
    "__old_subscriptions__" /* engine: subscriptions as they were before the process               \
                             */

bool
lp_forced(const json_t *state)
{
    return json_is_object(json_object_get(state, "force"));
}

bool
lp_take_over(const struct lp_run *run, const json_t *state)
{
    return run->workflow->target == LP_TARGET_RECONCILE || lp_json_true(state, "take_over");
}

/* Does every tag of the label stand in the other one, too? Both are joined by '+'. */
static bool
names_all(const char *label, const char *other)
{
    while (*label != '\0') {
        size_t len = strcspn(label, "+");
        const char *at = other;
        bool found = false;

        while (!found && *at != '\0') {
            size_t n = strcspn(at, "+");

            found = n == len && strncmp(at, label, len) == 0;
            at += n + (at[n] == '+' ? 1 : 0);
        }
        if (!found)
            return false;
        label += len + (label[len] == '+' ? 1 : 0);
    }
    return true;
}

static bool
only_relabels(const json_t *op)
{
    const json_t *before = json_object_get(op, "before"), *after = json_object_get(op, "after");
    const char *now = lp_json_str(before, "LABEL", NULL), *next = lp_json_str(after, "LABEL", NULL);

    return strncmp(lp_json_str(op, "object", ""), "osnc:", 5) == 0 && json_object_size(after) == 1
           && now != NULL && next != NULL && next[0] != '\0' && names_all(next, now);
}

void
lp_planned_forgive(struct lp_planned *planned, const json_t *state)
{
    for (size_t i = json_array_size(planned->operations);
         i-- > 0 && lp_json_true(state, "adopted");)
        if (only_relabels(json_array_get(planned->operations, i)))
            (void)json_array_remove(planned->operations, i);
}

bool
lp_operation_has(const json_t *operation, const char *flag)
{
    json_t *value;
    size_t i;

    json_array_foreach(json_object_get(operation, "flags"), i, value)
    {
        const char *text = json_string_value(value);

        if (text != NULL && strcmp(text, flag) == 0)
            return true;
    }
    return false;
}

void
lp_operation_text(const json_t *header, const json_t *operation, char *buf, size_t size)
{
    const char *element = lp_json_str(operation, "element", "");
    const json_t *entry = json_object_get(json_object_get(header, "elements"), element);

    snprintf(buf, size, "%s %s: %s", lp_json_str(entry, "name", element),
             lp_json_str(operation, "object", ""),
             lp_json_str(operation, "text", lp_json_str(operation, "id", "")));
}

/* ---- order ---- */

struct placed {
    json_t *op;
    int64_t phase;
    size_t at; /* keeps the driver's order within element and phase */
};

static int
by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int names;

    if (x->phase != y->phase)
        return x->phase < y->phase ? -1 : 1;
    names = strcmp(lp_json_str(x->op, "element", ""), lp_json_str(y->op, "element", ""));
    if (names != 0)
        return names;
    return x->at < y->at ? -1 : x->at > y->at;
}

static enum lp_code
put_in_order(json_t *operations, struct lp_err *err)
{
    size_t count = json_array_size(operations), i;
    struct placed *rows = calloc(count + 1, sizeof *rows);
    json_t *op;

    if (rows == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a plan");
    json_array_foreach(operations, i, op) rows[i] =
        (struct placed){json_incref(op), lp_json_int(op, "phase", 0), i};
    qsort(rows, count, sizeof *rows, by_place);
    json_array_clear(operations);
    for (i = 0; i < count; i++)
        json_array_append_new(operations, rows[i].op);
    free(rows);
    return LP_OK;
}

/* ---- one element ---- */

static int
by_id(const void *a, const void *b)
{
    return strcmp(lp_json_str(*(json_t *const *)a, "id", ""),
                  lp_json_str(*(json_t *const *)b, "id", ""));
}

/** Equal desires give equal plans, in whatever order they were said. */
static json_t *
sorted_intents(const json_t *list)
{
    size_t count = json_array_size(list), i;
    json_t **rows = calloc(count + 1, sizeof(json_t *)), *out = json_array(), *intent;

    if (rows != NULL) {
        json_array_foreach(list, i, intent) rows[i] = intent;
        qsort((void *)rows, count, sizeof *rows, by_id);
        for (i = 0; i < count; i++)
            json_array_append(out, rows[i]);
    }
    free((void *)rows);
    return out;
}

static enum lp_code
add_operations(const struct lp_device *device, const json_t *plan, json_t *operations,
               struct lp_err *err)
{
    size_t i;
    json_t *op;

    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        json_t *own = json_copy(op);

        if (lp_json_str(op, "id", NULL) == NULL)
            return lp_fail(err, LP_INTERNAL, "driver %s planned an operation without an id",
                           device->driver->name);
        if (lp_json_set_str(own, "element", device->element.id) != 0
            || json_array_append_new(operations, own) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for a plan");
    }
    return LP_OK;
}

static void
add_header(const struct lp_device *device, const json_t *plan, json_t *header)
{
    static const char *const members[] = {"identity", "before_hash", "intents_hash"};
    json_t *entry =
        json_pack("{s:s, s:s}", "name", device->element.name, "driver", device->driver->name);

    for (size_t i = 0; i < LP_COUNT(members); i++) {
        json_t *value = json_object_get(plan, members[i]);

        if (value != NULL)
            json_object_set(entry, members[i], value);
    }
    json_object_set_new(json_object_get(header, "elements"), device->element.id, entry);
}

static enum lp_code
plan_one(struct lp_device *device, const json_t *intents, bool take_over, struct lp_planned *out,
         struct lp_err *err)
{
    json_auto_t *sorted = sorted_intents(intents);
    json_auto_t *plan = NULL;
    enum lp_code rc;

    if (device->driver->plan == NULL)
        return lp_fail(err, LP_UNSUPPORTED, "%s: driver '%s' cannot configure anything",
                       device->element.name, device->driver->name);
    lp_run_progress(device->run, "%s: planning", device->element.name);
    rc = lp_device_same(device, NULL, err);
    if (rc == LP_OK)
        rc = lp_device_plan(device, sorted, take_over, &plan, err);
    if (rc == LP_OK)
        rc = add_operations(device, plan, out->operations, err);
    if (rc == LP_OK)
        add_header(device, plan, out->header);
    if (rc == LP_OK)
        lp_rollback_tell(device);
    return rc;
}

/* ---- all of them ---- */

static enum lp_code
load_docs(struct lp_run *run, const struct lp_wanted *wanted, json_t *docs, struct lp_err *err)
{
    const char *id;
    json_t *intents;
    enum lp_code rc = LP_OK;

    json_object_foreach(wanted->elements, id, intents)
    {
        json_t *doc = NULL;

        rc = lp_wanted_element(run, wanted, id, &doc, err);
        if (rc != LP_OK)
            return rc;
        json_array_append_new(docs, doc);
    }
    return rc;
}

static enum lp_code
plan_all(struct lp_run *run, const struct lp_wanted *wanted, json_t *const *docs, size_t count,
         bool take_over, struct lp_planned *out, struct lp_err *err)
{
    struct lp_device **devices = NULL;
    enum lp_code rc = lp_devices_open(run, docs, count, LP_DEVICE_READ, &devices, err);

    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        rc = plan_one(devices[i], json_object_get(wanted->elements, devices[i]->element.id),
                      take_over, out, err);
    lp_devices_close(devices, count, rc);
    return rc;
}

enum lp_code
lp_planning(struct lp_run *run, const struct lp_wanted *wanted, bool take_over,
            struct lp_planned *out, struct lp_err *err)
{
    json_auto_t *list = json_array();
    size_t count;
    json_t **docs;
    enum lp_code rc = load_docs(run, wanted, list, err);

    *out =
        (struct lp_planned){.header = json_pack("{s:{}}", "elements"), .operations = json_array()};
    count = json_array_size(list);
    docs = calloc(count + 1, sizeof(json_t *));
    if (rc == LP_OK && docs == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for a plan");
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        docs[i] = json_array_get(list, i);
    if (rc == LP_OK && count > 0) {
        qsort((void *)docs, count, sizeof *docs, by_id);
        rc = plan_all(run, wanted, docs, count, take_over, out, err);
    }
    free((void *)docs);
    if (rc == LP_OK && json_array_size(wanted->abandoned) > 0)
        json_object_set(out->header, "abandoned", wanted->abandoned);
    if (rc == LP_OK)
        rc = put_in_order(out->operations, err);
    if (rc != LP_OK)
        lp_planned_free(out);
    return rc;
}

void
lp_planned_free(struct lp_planned *planned)
{
    json_decref(planned->header);
    json_decref(planned->operations);
    *planned = (struct lp_planned){.header = NULL};
}

/* ---- who would notice ---- */

/** Active before the process began: the subject as it was remembered, the others as they are. */
static bool
was_active(const json_t *state, const struct lp_wanted *wanted, const char *id)
{
    const json_t *entry = strcmp(id, wanted->subject) == 0
                              ? json_object_get(json_object_get(state, OLD_KEY), id)
                              : lp_closure_subscription(wanted->closure, id);

    return strcmp(lp_json_str(entry, "status", ""), "active") == 0;
}

enum lp_code
lp_touched(struct lp_run *run, const json_t *state, const struct lp_wanted *wanted,
           const json_t *operations, json_t **out, struct lp_err *err)
{
    json_auto_t *seen = json_object();
    json_auto_t *list = json_array();
    size_t i;
    json_t *op;

    (void)run;
    json_array_foreach(operations, i, op)
    {
        const char *element = lp_json_str(op, "element", ""),
                   *intent = lp_json_str(op, "intent", "");
        const char *ids[2] = {wanted->subject,
                              lp_json_str(json_object_get(wanted->rest, element), intent, NULL)};

        if (!lp_operation_has(op, "traffic-affecting"))
            continue;
        for (size_t k = 0; k < LP_COUNT(ids); k++) {
            const json_t *entry = lp_closure_subscription(wanted->closure, ids[k]);

            if (ids[k] == NULL || json_object_get(seen, ids[k]) != NULL
                || !was_active(state, wanted, ids[k]))
                continue;
            json_object_set_new(seen, ids[k], json_true());
            if (json_array_append_new(list, json_pack("{s:s, s:s}", "subscription_id", ids[k],
                                                      "description",
                                                      lp_json_str(entry, "description", "")))
                != 0)
                return lp_fail(err, LP_NOMEM, "no memory for a plan");
        }
    }
    *out = lp_json_take(&list);
    return LP_OK;
}
