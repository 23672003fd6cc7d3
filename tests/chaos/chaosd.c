/*
 * lightpathd with one more workflow, for the chaos suite: ten steps that call a recording server
 * and leave a mark in the database each. Everything else is the real daemon, command line included.
 *
 * The address of the server stands in the environment, CHAOS_SERVER ("http://127.0.0.1:1234").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/http.h"
#include "engine/run.h"
#include "workflows/workflows.h"

/* A plain insert: when it happened twice, two rows tell. */
static void
mark(struct lp_run *run)
{
    struct lp_uuid id = lp_uuid_v7(run->clock);

    lp_run_write(run, LP_SQL_IMPORT_ROW_ADD,
                 LP_ARGS(lp_text("source", run->process_id), lp_text("key", run->step->key),
                         lp_int("imported_at", lp_clock_utc_us(run->clock)), lp_text("doc", "{}"),
                         lp_text("process_id", id.text)));
}

static enum lp_code
call(struct lp_run *run, const char *method, struct lp_http_reply *reply, struct lp_err *err)
{
    const struct lp_http_options options = {.url = getenv("CHAOS_SERVER"),
                                            .agent = "chaosd",
                                            .timeout_ms = lp_run_time_left_ms(run),
                                            .cancel_fd = -1};
    struct lp_http_request request = {.method = method};
    struct lp_http *http = NULL;
    char path[300];
    enum lp_code rc = lp_http_new(&options, &http, err);

    if (rc != LP_OK)
        return rc;
    (void)snprintf(path, sizeof path, "/%s/%s/%s/%u", run->process_id, run->step->key, run->token,
                   run->attempt);
    request.path = path;
    rc = lp_http_send(http, &request, reply, err);
    lp_http_free(http);
    return rc;
}

/* Looks first when an earlier attempt may have acted, then acts. */
static enum lp_code
run_call(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_http_reply reply = {.body = NULL};
    enum lp_code rc = LP_OK;
    bool done = false;

    (void)state;
    if (run->unknown) {
        rc = call(run, "GET", &reply, err);
        done = rc == LP_OK && reply.status == 200;
        lp_http_reply_free(&reply);
    }
    if (rc == LP_OK && !done)
        rc = lp_run_check(run, err);
    if (rc == LP_OK && !done) {
        rc = call(run, "POST", &reply, err);
        if (rc == LP_OK && reply.status != 200)
            rc = lp_fail(err, LP_REFUSED, "the server answered %d", reply.status);
        lp_http_reply_free(&reply);
    }
    if (rc != LP_OK)
        return rc;
    mark(run);
    return lp_json_set_str(delta, run->step->key, "done") == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the state");
}

#define STEP(n)                                                                                    \
    static const struct lp_step s##n = {.key = "call_" #n,                                         \
                                        .title = "Call " #n,                                       \
                                        .kind = LP_STEP_ACTION,                                    \
                                        .effects = LP_EFFECT_EXTERNAL,                             \
                                        .attempts = 1000,                                          \
                                        .backoff_ms = {50, 1000},                                  \
                                        .timeout_ms = 10000,                                       \
                                        .run = run_call,                                           \
                                        .no_undo = "the server only records"}
STEP(0);
STEP(1);
STEP(2);
STEP(3);
STEP(4);
STEP(5);
STEP(6);
STEP(7);
STEP(8);
STEP(9);
static const struct lp_step *const steps[] = {&s0, &s1, &s2, &s3, &s4, &s5, &s6, &s7, &s8, &s9};
static const struct lp_workflow list[] = {
    {.name = "chaos",
     .description = "Ten calls",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     LP_STEPS(steps)},
};
static const struct lp_workflow_set chaos_set = {list, LP_COUNT(list)};

/* Stands before the one of the workflows' library. */
const struct lp_workflow_set *const *
lp_workflow_sets(size_t *count)
{
    static const struct lp_workflow_set *const sets[] = {&lp_workflows_partner, &chaos_set};

    *count = LP_COUNT(sets);
    return sets;
}
