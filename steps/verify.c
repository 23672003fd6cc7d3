/* Step verify: what the devices hold is what should be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps/device_internal.h"
#include "steps/texts.h"

enum {
    TOLD = 3,       /* differences named in the message; all of them stand in the detail */
    SETTLES_IN = 3, /* attempts: what was just applied may need a moment to show */
};

/* ---- every discrepancy by name ---- */

/* The message of the catalogue: a circuit that is not there, one that is otherwise, anything else.
 */
static const char *
code_of(const char *object, const json_t *actual)
{
    if (strncmp(object, "osnc:", 5) != 0)
        return "OPT-062";
    return actual == NULL || json_is_null(actual) ? "OPT-060" : "OPT-061";
}

static void
add_difference(json_t *list, const json_t *header, const json_t *op, const char *attribute,
               json_t *expected, json_t *actual)
{
    const char *element = lp_json_str(op, "element", "");
    const json_t *entry = json_object_get(json_object_get(header, "elements"), element);

    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:s, s:s, s:s?, s:O?, s:O?, s:b}", "code",
                                    code_of(lp_json_str(op, "object", ""), actual), "element_id",
                                    element, "element", lp_json_str(entry, "name", element),
                                    "object", lp_json_str(op, "object", ""), "attribute", attribute,
                                    "expected", expected, "actual", actual, "traffic_affecting",
                                    (int)lp_operation_has(op, "traffic-affecting")));
}

/* One object may be changed in several steps, out of service and back: what counts is where it
 * stands and where it shall end. net = {"element object": {"op", "attributes": {name: {"from",
 * "to"}}}}. */
static void
add_step(json_t *net, const char *key, json_t *op)
{
    json_t *before = json_object_get(op, "before"), *after = json_object_get(op, "after"), *value;
    json_t *entry = json_object_get(net, key), *attributes;
    const char *name;

    if (entry == NULL) {
        entry = json_pack("{s:O, s:{}}", "op", op, "attributes");
        json_object_set_new(net, key, entry);
    }
    attributes = json_object_get(entry, "attributes");
    json_object_foreach(after, name, value)
    {
        json_t *attribute = json_object_get(attributes, name);

        if (attribute == NULL)
            json_object_set_new(
                attributes, name,
                json_pack("{s:O?, s:O}", "from", json_object_get(before, name), "to", value));
        else
            json_object_set(attribute, "to", value);
    }
}

static void
add_net(json_t *list, const json_t *header, const json_t *net)
{
    const char *key, *name;
    json_t *entry, *attribute;

    json_object_foreach((json_t *)(uintptr_t)net, key, entry)
        json_object_foreach(json_object_get(entry, "attributes"), name, attribute)
    {
        json_t *from = json_object_get(attribute, "from"), *to = json_object_get(attribute, "to");

        if (!lp_json_same(from, to))
            add_difference(list, header, json_object_get(entry, "op"), name, to,
                           json_is_null(from) ? NULL : from);
    }
}

/* As a whole: missing, too much, or an action. A wait for what this plan does is none. */
static void
add_whole(json_t *list, const json_t *header, const json_t *op)
{
    json_t *before = json_object_get(op, "before"), *after = json_object_get(op, "after");
    const char *action = lp_json_str(op, "action", "");

    if (strcmp(action, "wait") == 0 || strcmp(action, "action") == 0)
        return;
    add_difference(list, header, op, NULL, json_is_null(after) ? NULL : after,
                   json_is_null(before) ? NULL : before);
}

static void
add_operations(json_t *list, const json_t *header, const json_t *operations)
{
    json_auto_t *net = json_object();
    char key[600];
    json_t *op;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)operations, i, op)
    {
        if (!json_is_object(json_object_get(op, "before"))
            || !json_is_object(json_object_get(op, "after"))) {
            add_whole(list, header, op);
            continue;
        }
        snprintf(key, sizeof key, "%s %s", lp_json_str(op, "element", ""),
                 lp_json_str(op, "object", ""));
        add_step(net, key, op);
    }
    add_net(list, header, net);
    json_array_foreach((json_t *)(uintptr_t)operations, i, op)
    {
        if (json_array_size(list) == 0) /* nothing but waits: those are what is wrong */
            add_difference(list, header, op, NULL, json_object_get(op, "after"),
                           json_object_get(op, "before"));
    }
}

static void
difference_text(const json_t *difference, char *buf, size_t size)
{
    const char *attribute = lp_json_str(difference, "attribute", NULL);
    const json_t *expected = json_object_get(difference, "expected");
    const json_t *actual = json_object_get(difference, "actual");
    char want[LP_TEXT_MAX], got[LP_TEXT_MAX];

    if (attribute == NULL && json_is_null(actual)) {
        snprintf(buf, size, "%s %s: is missing", lp_json_str(difference, "element", ""),
                 lp_json_str(difference, "object", ""));
        return;
    }
    if (attribute == NULL && json_is_null(expected)) {
        snprintf(buf, size, "%s %s: should not be there", lp_json_str(difference, "element", ""),
                 lp_json_str(difference, "object", ""));
        return;
    }
    lp_text_value(attribute, expected, want);
    lp_text_value(attribute, actual, got);
    snprintf(buf, size, "%s %s%s%s: expected %.60s, found %.60s",
             lp_json_str(difference, "element", ""), lp_json_str(difference, "object", ""),
             attribute == NULL ? "" : " ", attribute == NULL ? "" : attribute, want, got);
}

static enum lp_code
fail_differences(const struct lp_wanted *wanted, const struct lp_planned *planned,
                 enum lp_code code, struct lp_err *err)
{
    const json_t *entry = lp_closure_subscription(wanted->closure, wanted->subject);
    json_t *list = json_array();
    char text[400], all[450] = "";
    size_t i, used = 0, count;
    enum lp_code rc;

    add_operations(list, planned->header, planned->operations);
    count = json_array_size(list);
    for (i = 0; i < count && i < TOLD && used < sizeof all; i++) {
        difference_text(json_array_get(list, i), text, sizeof text);
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : "; ", text);
    }
    rc = lp_fail(err, code, "%.80s: %zu difference%s: %s%s",
                 lp_json_str(entry, "description", wanted->subject), count, count == 1 ? "" : "s",
                 all, count > TOLD ? "; ..." : "");
    json_decref(err->detail);
    err->detail = json_pack("{s:o}", "differences", list);
    return rc;
}

/* ---- what is held is recorded ---- */

static void
drop(struct lp_run *run, const struct lp_wanted *wanted, const json_t *list)
{
    size_t i;
    json_t *row;

    json_array_foreach(list, i, row)
        lp_run_write(run, LP_SQL_OBJECT_DROP,
                     LP_ARGS(lp_text("element", lp_json_str(row, "element", "")),
                             lp_text("intent", lp_json_str(row, "intent", "")),
                             lp_text("subscription", wanted->subject)));
}

static enum lp_code
hold(struct lp_run *run, const struct lp_wanted *wanted, struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(run->clock);
    const char *element, *id;
    json_t *map, *intent;

    json_object_foreach(wanted->mine, element, map)
    {
        json_object_foreach(map, id, intent)
        {
            char *text = NULL;
            size_t len = 0;
            enum lp_code rc = lp_json_canonical(intent, &text, &len, err);

            if (rc != LP_OK)
                return rc;
            lp_run_write(run, LP_SQL_OBJECT_HOLD,
                         LP_ARGS(lp_text("element", element), lp_text("intent", id),
                                 lp_text("subscription", wanted->subject), lp_text("doc", text),
                                 lp_text("process", run->process_id), lp_int("now", now)));
            free(text);
        }
    }
    return LP_OK;
}

/** A reconcile that verified an element takes its mark back. */
static void
trust_again(struct lp_run *run, const json_t *header)
{
    const char *id;
    json_t *entry;

    json_object_foreach(json_object_get(header, "elements"), id, entry) lp_run_write(
        run, LP_SQL_DEVICE_DRIFT,
        LP_ARGS(lp_text("element", id), lp_text("name", lp_json_str(entry, "name", "")),
                lp_null("at"), lp_null("drift")));
}

static enum lp_code
record(struct lp_run *run, const struct lp_wanted *wanted, const struct lp_planned *planned,
       struct lp_err *err)
{
    enum lp_code rc;

    if (run->workflow->target == LP_TARGET_VALIDATE)
        return LP_OK; /* a validation writes nothing (D53) */
    rc = hold(run, wanted, err);
    drop(run, wanted, wanted->leaving);
    drop(run, wanted, wanted->abandoned);
    if (run->workflow->target == LP_TARGET_RECONCILE)
        trust_again(run, planned->header);
    return rc;
}

/* ---- the step ---- */

static enum lp_code
judge(struct lp_run *run, const struct lp_wanted *wanted, const struct lp_planned *planned,
      json_t *delta, struct lp_err *err)
{
    bool fresh = run->workflow->target != LP_TARGET_VALIDATE && run->attempt < SETTLES_IN;
    enum lp_code rc;

    if (json_array_size(planned->operations) > 0)
        return fail_differences(wanted, planned, fresh ? LP_RETRYABLE : LP_DRIFT, err);
    rc = record(run, wanted, planned, err);
    if (rc == LP_OK
        && json_object_set_new(delta, "verified",
                               json_pack("{s:I}", "elements",
                                         (json_int_t)json_object_size(
                                             json_object_get(planned->header, "elements"))))
               != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the result");
    return rc;
}

static enum lp_code
verify_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_wanted wanted;
    struct lp_planned planned;
    enum lp_code rc = lp_wanted_load(run, state, lp_is_terminating(run), &wanted, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_planning(run, &wanted, true, &planned, err);
    if (rc == LP_OK) {
        lp_planned_forgive(&planned, state);
        rc = judge(run, &wanted, &planned, delta, err);
        lp_planned_free(&planned);
    }
    lp_wanted_free(&wanted);
    return rc;
}

const struct lp_step lp_step_verify = {
    .key = "verify",
    .title = "Check that the devices hold what was planned",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 5,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 600000,
    .assignee = "NOC",
    .run = verify_run,
    .no_undo = "reads only",
    .only_reads = true,
};
