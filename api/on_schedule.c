#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "engine/schedules.h"
#include "engine/windows.h"

enum { RUNS = 100 };

static struct lp_engine *
engine_of(const struct lp_request *req)
{
    return req->api->services.engine;
}

/* ---- schedules ---- */

/** The body without what each method fixes. */
static json_t *
definition(const struct lp_request *req, bool existing)
{
    json_t *body = json_copy(req->json);

    json_object_del(body, "scheduled_type");
    if (existing) {
        json_object_del(body, "schedule_id");
        json_object_del(body, "workflow_id");
    }
    return body;
}

/** The answer clients of the contract look at, with the schedule as it is now. */
static enum lp_code
answer(const char *message, const char *status, json_t *schedule, json_t **out)
{
    (void)!lp_json_set_str(schedule, "message", message);
    (void)!lp_json_set_str(schedule, "status", status);
    *out = schedule;
    return LP_OK;
}

enum lp_code
lp_on_schedule_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_schedule_list(engine_of(req), out, err);
}

enum lp_code
lp_on_schedule_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_schedule_get(engine_of(req), req->params[0], out, err);
}

enum lp_code
lp_on_schedule_create(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_auto_t *body = definition(req, false);
    json_t *schedule = NULL;
    enum lp_code rc = lp_schedule_create(engine_of(req), &req->caller, body, &schedule, err);

    return rc == LP_OK ? answer("Schedule created", "CREATED", schedule, out) : rc;
}

static enum lp_code
change(struct lp_request *req, const char *id, json_t **out, struct lp_err *err)
{
    json_auto_t *body = definition(req, true);
    json_t *schedule = NULL;
    enum lp_code rc = lp_schedule_change(engine_of(req), &req->caller, id, body, &schedule, err);

    return rc == LP_OK ? answer("Schedule changed", "UPDATED", schedule, out) : rc;
}

enum lp_code
lp_on_schedule_change(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return change(req, lp_json_str(req->json, "schedule_id", ""), out, err);
}

enum lp_code
lp_on_schedule_change_named(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return change(req, req->params[0], out, err);
}

/** A workflow id beside the schedule's must be its own: it decides nothing, but it may be a slip.
 */
static enum lp_code
demand_workflow(struct lp_request *req, const char *id, struct lp_err *err)
{
    const char *wanted = lp_json_str(req->json, "workflow_id", NULL);
    json_auto_t *schedule = NULL;
    enum lp_code rc = LP_OK;

    if (wanted != NULL)
        rc = lp_schedule_get(engine_of(req), id, &schedule, err);
    if (rc == LP_OK && wanted != NULL
        && strcmp(lp_json_str(schedule, "workflow_id", ""), wanted) != 0)
        rc = lp_fail_at(err, LP_NOT_FOUND, "/workflow_id", "Task does not exist");
    return rc;
}

enum lp_code
lp_on_schedule_delete(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *id = lp_json_str(req->json, "schedule_id", "");
    enum lp_code rc = demand_workflow(req, id, err);

    if (rc == LP_OK)
        rc = lp_schedule_delete(engine_of(req), &req->caller, id, err);
    if (rc == LP_OK)
        *out = json_pack("{s:s, s:s, s:s}", "message", "Schedule deleted", "status", "DELETED",
                         "id", id);
    return rc;
}

enum lp_code
lp_on_schedule_delete_named(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_schedule_delete(engine_of(req), &req->caller, req->params[0], err);
}

enum lp_code
lp_on_schedule_runs(struct lp_request *req, json_t **out, struct lp_err *err)
{
    int64_t before = lp_request_int(req, "before", -1);

    return lp_schedule_runs(engine_of(req), req->params[0],
                            before < 0 ? INT64_MAX : before * INT64_C(1000000),
                            lp_request_int(req, "limit", RUNS), out, err);
}

/* ---- maintenance windows ---- */

enum lp_code
lp_on_window_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_window_list(engine_of(req), out, err);
}

enum lp_code
lp_on_window_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_window_get(engine_of(req), req->params[0], out, err);
}

enum lp_code
lp_on_window_create(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_window_create(engine_of(req), &req->caller, req->json, out, err);
}

enum lp_code
lp_on_window_change(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_window_change(engine_of(req), &req->caller, req->params[0], req->json, out, err);
}

enum lp_code
lp_on_window_delete(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_window_delete(engine_of(req), &req->caller, req->params[0], err);
}

enum lp_code
lp_on_process_window(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_engine_bind_window(engine_of(req), &req->caller, req->params[0],
                                 lp_json_str(req->json, "window", NULL), err);
}
