#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "base/json.h"
#include "engine/operate.h"
#include "store/notices.h"

/* Executors, the engine as a whole, the doctor, notifications. */

enum lp_code
lp_on_executors(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_operate_executors(req->api->services.store, lp_request_bool(req, "all", false), out,
                                err);
}

enum lp_code
lp_on_executor_drain(struct lp_request *req, json_t **out, struct lp_err *err)
{
    bool drained = json_is_true(json_object_get(req->json, "drained"));

    (void)out;
    return lp_engine_drain(req->api->services.engine, &req->caller, req->params[0], drained, err);
}

enum lp_code
lp_on_engine(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_auto_t *status = NULL;
    json_auto_t *report = NULL;
    enum lp_code rc = lp_engine_status(req->api->services.engine, &status, err);

    if (rc == LP_OK)
        rc = lp_operate_report(req->api->services.store, &report, err);
    if (rc != LP_OK)
        return rc;
    json_object_update(report, status);
    *out = lp_json_take(&report);
    return LP_OK;
}

/* ---- doctor ---- */

static enum lp_code
visit(struct lp_request *req, bool fix, json_t **out, struct lp_err *err)
{
    const struct lp_api *api = req->api;
    const struct lp_doctor doctor = {.store = api->services.store,
                                     .conf = api->options.conf,
                                     .clock = api->options.clock,
                                     .data_dir = api->data_dir,
                                     .store_url = api->services.store_url,
                                     .version = api->options.version,
                                     .queue = api->services.queue,
                                     .engine = api->services.engine,
                                     .caller = &req->caller,
                                     .fix = fix};

    lp_reply_header(req, "Cache-Control", "no-store");
    return lp_doctor_run(&doctor, out, err);
}

enum lp_code
lp_on_doctor(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return visit(req, false, out, err);
}

enum lp_code
lp_on_doctor_fix(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return visit(req, true, out, err);
}

/* ---- notifications ---- */

enum lp_code
lp_on_notification_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_delivery_list(req->api->services.store, lp_request_query(req, "status"), NULL,
                            lp_request_int(req, "limit", 100), out, err);
}

enum lp_code
lp_on_notification_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *deliveries = NULL;
    bool routed;
    enum lp_code rc = lp_query(req->api->services.store, LP_SQL_NOTICE_STATE,
                               LP_ARGS(lp_text("id", req->params[0])), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "Notification %s does not exist.", req->params[0]);
    routed = rc == LP_OK && lp_rows_int(rows, 0, "routed") != 0;
    lp_rows_free(rows);
    if (rc == LP_OK)
        rc = lp_delivery_list(req->api->services.store, NULL, req->params[0], 0, &deliveries, err);
    if (rc == LP_OK)
        *out = json_pack("{s:s, s:b, s:o}", "id", req->params[0], "routed", routed, "deliveries",
                         deliveries);
    return rc;
}

enum lp_code
lp_on_notification_test(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    char id[LP_UUID_LEN + 1];
    json_auto_t *doc = json_pack("{s:s, s:s*}", "actor", req->caller.actor, "to",
                                 lp_json_str(req->json, "target", NULL));
    enum lp_code rc;

    lp_notice_add(unit, &(struct lp_notice){.kind = LP_NOTICE_TEST, .doc = doc},
                  req->api->options.clock, id);
    rc = lp_store_commit(req->api->services.store, unit, err);
    lp_unit_free(unit);
    if (rc != LP_OK)
        return rc;
    lp_engine_notice_now(req->api->services.engine);
    *out = json_pack("{s:s}", "id", id);
    return LP_OK;
}
