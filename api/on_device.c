/* Devices, their plans and evidence. Nothing here speaks to a device: what is shown was read by
 * processes, and what is to be read is asked of a task. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "store/devices.h"

static struct lp_store *
store_of(const struct lp_request *req)
{
    return req->api->services.store;
}

static int64_t
now_of(const struct lp_request *req)
{
    return lp_clock_utc_us(req->api->options.clock);
}

static const char *
default_mode(const struct lp_request *req)
{
    return lp_conf_live_text(&req->api->options.conf->devices_default_mode);
}

/** A change of ours and its audit row: both, or neither. */
static enum lp_code
change(struct lp_request *req, struct lp_unit *unit, json_t *body, struct lp_err *err)
{
    return lp_engine_audit_with(req->api->services.engine, unit, &req->caller, body, err);
}

/* ---- devices ---- */

enum lp_code
lp_on_device_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *after = lp_request_query(req, "after");

    return lp_devices_json(store_of(req), after == NULL ? "" : after,
                           lp_request_int(req, "limit", 250), default_mode(req), out, err);
}

enum lp_code
lp_on_device_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_device_find(store_of(req), req->params[0], id, NULL, err);

    return rc == LP_OK ? lp_device_json(store_of(req), id, default_mode(req), out, err) : rc;
}

enum lp_code
lp_on_device_cached(struct lp_request *req, json_t **out, struct lp_err *err)
{
    static const char *const kinds[] = {"identity", "inventory", "ports", "neighbours",
                                        "spectrum", "alarms",    "modes"};
    const char *kind = req->params[1];
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_device_find(store_of(req), req->params[0], id, NULL, err);
    bool known = false;

    for (size_t i = 0; i < LP_COUNT(kinds); i++)
        known = known || strcmp(kinds[i], kind) == 0;
    if (rc == LP_OK && !known)
        rc = lp_fail_at(err, LP_NOT_FOUND, "path/kind",
                        "nothing called '%.60s' is kept of devices; there are identity, inventory, "
                        "ports, neighbours, spectrum, alarms and modes",
                        kind);
    return rc == LP_OK ? lp_device_cached(store_of(req), id, kind, out, err) : rc;
}

enum lp_code
lp_on_device_mode(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *mode = lp_json_str(req->json, "mode", "");
    char id[LP_UUID_LEN + 1], name[256];
    struct lp_unit *unit;
    enum lp_code rc = lp_device_find(store_of(req), req->params[0], id, name, err);

    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    rc = lp_device_mode_add(unit, id, name, mode, req->caller.actor, now_of(req), err);
    if (rc == LP_OK)
        rc = change(
            req, unit,
            json_pack("{s:s, s:s, s:s}", "event", "device.mode", "device_id", id, "mode", mode),
            err);
    lp_unit_free(unit);
    return rc == LP_OK ? lp_device_json(store_of(req), id, default_mode(req), out, err) : rc;
}

/* ---- emergency stops ---- */

enum lp_code
lp_on_stop_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_stops_json(store_of(req), out, err);
}

static json_t *
stop_event(const char *event, const char *scope, const char *target)
{
    return json_pack("{s:s, s:s, s:s}", "event", event, "scope", scope, "target", target);
}

enum lp_code
lp_on_stop_set(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *scope = lp_json_str(req->json, "scope", "");
    const char *reason = req->caller.reason;
    char target[LP_UUID_LEN + 1];
    struct lp_unit *unit;
    enum lp_code rc =
        lp_stop_target(store_of(req), scope, lp_json_str(req->json, "target", NULL), target, err);

    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    lp_stop_add(unit, scope, target, reason == NULL ? "no reason given" : reason, req->caller.actor,
                now_of(req));
    rc = change(req, unit, stop_event("emergency_stop.set", scope, target), err);
    lp_unit_free(unit);
    return rc == LP_OK ? lp_stops_json(store_of(req), out, err) : rc;
}

static enum lp_code
demand_stop(struct lp_request *req, const char *scope, const char *target, struct lp_err *err)
{
    json_auto_t *stops = NULL;
    size_t i;
    json_t *stop;
    enum lp_code rc = lp_stops_json(store_of(req), &stops, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(stops, i, stop)
    {
        if (strcmp(lp_json_str(stop, "scope", ""), scope) == 0
            && strcmp(lp_json_str(stop, "target", ""), target) == 0)
            return LP_OK;
    }
    return lp_fail(err, LP_NOT_FOUND, "there is no emergency stop of %s", scope);
}

enum lp_code
lp_on_stop_end(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *scope = lp_request_query(req, "scope");
    char target[LP_UUID_LEN + 1];
    struct lp_unit *unit;
    enum lp_code rc =
        lp_stop_target(store_of(req), scope, lp_request_query(req, "target"), target, err);

    if (rc == LP_OK)
        rc = demand_stop(req, scope, target, err);
    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    (void)lp_stop_drop(unit, scope, target);
    rc = change(req, unit, stop_event("emergency_stop.end", scope, target), err);
    lp_unit_free(unit);
    return rc == LP_OK ? lp_stops_json(store_of(req), out, err) : rc;
}

/* ---- plans and evidence of a process ---- */

enum lp_code
lp_on_process_plans(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_process_plans_json(store_of(req), req->params[0], out, err);
}

/** Somebody else than who started the process, where the configuration demands it. */
static enum lp_code
demand_other(struct lp_request *req, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(store_of(req), LP_SQL_QUERY_PROCESS,
                               LP_ARGS(lp_text("id", req->params[0])), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "Process with process_id %.64s not found", req->params[0]);
    else if (rc == LP_OK && lp_conf_live_bool(&req->api->options.conf->devices_four_eyes)
             && strcmp(lp_rows_text(rows, 0, "created_by"), req->caller.actor) == 0)
        rc = lp_fail(err, LP_DENIED,
                     "somebody else than %.100s, who started the process, has to approve its plan",
                     req->caller.actor);
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
demand_plan(struct lp_request *req, const char *hash, struct lp_err *err)
{
    struct lp_process_plan *plans = NULL;
    size_t count = 0;
    bool found = false;
    enum lp_code rc = lp_process_plans(store_of(req), req->params[0], &plans, &count, err);

    for (size_t i = 0; rc == LP_OK && i < count; i++)
        found = found || strcmp(plans[i].hash, hash) == 0;
    free(plans);
    if (rc == LP_OK && !found)
        rc = lp_fail_at(err, LP_NOT_FOUND, "body/hash", "the process has no plan %.64s", hash);
    return rc;
}

enum lp_code
lp_on_plan_approve(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *hash = lp_json_str(req->json, "hash", "");
    struct lp_unit *unit;
    enum lp_code rc = demand_other(req, err);

    if (rc == LP_OK)
        rc = demand_plan(req, hash, err);
    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_PLAN_APPROVE,
                LP_ARGS(lp_text("process", req->params[0]), lp_text("hash", hash),
                        lp_text("actor", req->caller.actor), lp_text("comment", req->caller.reason),
                        lp_int("now", now_of(req))));
    rc = change(req, unit,
                json_pack("{s:s, s:s, s:s}", "event", "plan.approve", "process_id", req->params[0],
                          "hash", hash),
                err);
    lp_unit_free(unit);
    return rc == LP_OK ? lp_process_plans_json(store_of(req), req->params[0], out, err) : rc;
}

enum lp_code
lp_on_process_evidence(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_evidence_json(store_of(req), req->params[0], lp_request_query(req, "cursor"),
                            lp_request_int(req, "limit", 100), out, err);
}
