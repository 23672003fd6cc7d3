/* Rollback points of elements that offer them: taken before the first operation of a process, told
 * of with its plan, and the last way back where an operation cannot be undone by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps/device_internal.h"

#define POINT "rollback-point"
#define DIFF  "rollback-diff"

/* ---- what is kept: beside the operations that were applied ---- */

static enum lp_code
kept(struct lp_run *run, const char *element, json_t **point, int64_t *at, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_PLAN_APPLIED_ONE,
                               LP_ARGS(lp_text("process", run->process_id),
                                       lp_text("element", element), lp_text("op", POINT)),
                               &rows, err);

    *point = NULL;
    if (rc == LP_OK && lp_rows_count(rows) > 0) {
        const char *text = lp_rows_text(rows, 0, "report");

        *at = lp_rows_int(rows, 0, "at");
        rc = lp_json_load(text, strlen(text), point, err);
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
keep(struct lp_run *run, struct lp_unit *unit, const char *element, const char *what,
     const json_t *report, struct lp_err *err)
{
    char key[80], *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(report, &text, &len, err);

    snprintf(key, sizeof key, "%s/%.40s", what, element);
    if (rc == LP_OK)
        lp_unit_add(unit, LP_SQL_PLAN_APPLIED_ADD,
                    LP_ARGS(lp_text("process", run->process_id), lp_text("key", key),
                            lp_text("op", what), lp_text("element", element), lp_int("changed", 0),
                            lp_text("report", text), lp_int("now", lp_clock_utc_us(run->clock))));
    free(text);
    return rc;
}

/* ---- taking one ---- */

/* It says no, or has not learnt it: that is no reason to configure nothing. */
static bool
is_refusal(enum lp_code rc)
{
    return rc == LP_REFUSED || rc == LP_UNSUPPORTED || rc == LP_NOT_FOUND || rc == LP_DENIED;
}

static enum lp_code
take(struct lp_device *device, json_t **point, struct lp_err *err)
{
    struct lp_run *run = device->run;
    char text[80];
    enum lp_code rc;

    snprintf(text, sizeof text, "Lightpath process %s", run->process_id);
    rc = device->driver->rollback_point(device->ne, &device->call, text, point, err);
    if (!is_refusal(rc))
        return rc;
    lp_run_progress(run, "%s gives no rollback point: %s", device->element.name, err->msg);
    *point = json_pack("{s:s}", "refused", err->msg);
    lp_err_clear(err);
    return LP_OK;
}

/* Has this process had anything done on the element? Then its beginning is past. */
static enum lp_code
has_begun(struct lp_run *run, const char *element, bool *begun, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_PLAN_APPLIED,
                               LP_ARGS(lp_text("process", run->process_id)), &rows, err);

    *begun = run->unknown; /* something may have been sent that nobody has written down */
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *op = lp_rows_text(rows, i, "op_id");

        if (strcmp(lp_rows_text(rows, i, "element_id"), element) == 0 && strcmp(op, POINT) != 0
            && strcmp(op, DIFF) != 0)
            *begun = true;
    }
    lp_rows_free(rows);
    return rc;
}

/* It is committed before anything is sent: a point that is taken later would be none. */
enum lp_code
lp_rollback_take(struct lp_device *device, struct lp_err *err)
{
    struct lp_run *run = device->run;
    json_auto_t *point = NULL;
    struct lp_unit *unit;
    int64_t at = 0;
    bool begun = false;
    enum lp_code rc;

    if (!lp_driver_can(device->driver, LP_CAP_ROLLBACK_POINT)
        || !run->conf->devices_rollback_points)
        return LP_OK;
    rc = kept(run, device->element.id, &point, &at, err);
    if (rc != LP_OK || point != NULL)
        return rc;
    rc = has_begun(run, device->element.id, &begun, err);
    if (rc == LP_OK && begun)
        point = json_pack("{s:s}", "refused", "operations were sent before there was one");
    else if (rc == LP_OK)
        rc = take(device, &point, err);
    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    rc = keep(run, unit, device->element.id, POINT, point, err);
    if (rc == LP_OK)
        return lp_run_commit(run, unit, err);
    lp_unit_free(unit);
    return rc;
}

/* ---- what is otherwise since ---- */

void
lp_rollback_tell(struct lp_device *device)
{
    struct lp_run *run = device->run;
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *point = NULL, *diff = NULL;
    int64_t at = 0;
    enum lp_code rc = LP_UNSUPPORTED;

    if (lp_driver_can(device->driver, LP_CAP_ROLLBACK_POINT))
        rc = kept(run, device->element.id, &point, &at, &err);
    if (rc == LP_OK && lp_json_int(point, "id", 0) != 0)
        rc = device->driver->rollback_diff(device->ne, &device->call, point, &diff, &err);
    if (rc == LP_OK && diff != NULL)
        rc = keep(run, lp_run_unit(run), device->element.id, DIFF, diff, &err);
    if (rc != LP_OK && point != NULL)
        lp_run_progress(run, "%s: what differs from its rollback point is not known: %s",
                        device->element.name, err.msg);
    lp_err_clear(&err);
}

/* ---- the way back ---- */

/* Everything on the element that the plans of this process speak of. New reference. */
static enum lp_code
objects_of(struct lp_run *run, const char *element, json_t **out, struct lp_err *err)
{
    struct lp_process_plan *plans = NULL;
    json_auto_t *objects = json_array();
    size_t count = 0, i;
    json_t *op;
    enum lp_code rc = lp_process_plans(run->store, run->process_id, &plans, &count, err);

    for (size_t n = 0; rc == LP_OK && n < count; n++) {
        json_auto_t *plan = NULL;

        rc = lp_plan_load(run->store, plans[n].hash, &plan, err);
        json_array_foreach(json_object_get(plan, "operations"), i, op)
        {
            if (strcmp(lp_json_str(op, "element", ""), element) == 0)
                (void)json_array_append(objects, json_object_get(op, "object"));
        }
    }
    free(plans);
    if (rc == LP_OK)
        *out = lp_json_take(&objects);
    return rc;
}

/* The point holds the whole element: whoever else has planned or changed something on it since
 * would lose that. */
static enum lp_code
demand_alone(struct lp_run *run, const char *element, const char *subject, int64_t since,
             struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(run->store, LP_SQL_OBJECTS_ON, LP_ARGS(lp_text("element", element)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        bool planned = strcmp(lp_rows_text(rows, i, "state"), "planned") == 0;

        if (strcmp(lp_rows_text(rows, i, "subscription_id"), subject) != 0
            && (planned || lp_rows_int(rows, i, "at") >= since))
            rc = lp_fail(err, LP_PRECONDITION, "subscription %.36s has changed this element since",
                         lp_rows_text(rows, i, "subscription_id"));
    }
    lp_rows_free(rows);
    return rc;
}

struct way_back {
    const char *element, *subject; /* ids of the element and of the subscription of the process */
    const json_t *point, *objects;
    int64_t since; /* UTC, us: when the point was taken */
};

static enum lp_code
go_back(struct lp_run *run, json_t *doc, const struct way_back *way, bool *parked,
        struct lp_err *err)
{
    struct lp_device **devices = NULL;
    enum lp_code rc = lp_devices_open(run, &doc, 1, LP_DEVICE_WRITE, &devices, err);

    *parked = rc == LP_CONFLICT && devices == NULL;
    if (rc != LP_OK)
        return rc;
    rc = lp_device_same(devices[0], NULL, err);
    if (rc == LP_OK) /* behind the lock: nobody comes in between */
        rc = demand_alone(run, way->element, way->subject, way->since, err);
    if (rc == LP_OK)
        rc = devices[0]->driver->rollback(devices[0]->ne, &devices[0]->call, way->point,
                                          way->objects, err);
    lp_devices_close(devices, 1, rc);
    return rc;
}

enum lp_code
lp_rollback_use(struct lp_run *run, const json_t *state, json_t *doc, const char *element,
                bool *parked, struct lp_err *err)
{
    struct lp_err why = LP_ERR_INIT;
    json_auto_t *point = NULL, *objects = NULL;
    int64_t at = 0;
    enum lp_code rc = kept(run, element, &point, &at, &why);

    if (rc == LP_OK && lp_json_int(point, "id", 0) == 0) {
        lp_err_clear(&why);
        return err->code; /* there is none */
    }
    if (rc == LP_OK)
        rc = objects_of(run, element, &objects, &why);
    if (rc == LP_OK)
        rc = go_back(run, doc,
                     &(struct way_back){.element = element,
                                        .subject = lp_json_str(state, "subscription_id", ""),
                                        .point = point,
                                        .objects = objects,
                                        .since = at},
                     parked, &why);
    if (rc == LP_OK) {
        lp_run_audit(run, "rolled_back", json_incref(point));
        lp_run_progress(run, "%s was put back to its rollback point %lld: %s",
                        lp_json_str(doc, "name", element), (long long)lp_json_int(point, "id", 0),
                        err->msg);
        lp_err_clear(err);
    } else if (*parked) {
        lp_err_move(err, &why);
    } else {
        lp_err_prefix(err, "its rollback point is of no use (%.120s): ", why.msg);
        rc = err->code;
    }
    lp_err_clear(&why);
    return rc;
}
