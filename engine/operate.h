/**
 * The engine as operators see it: executors, leases, what waits, and the doctor. Reads the store
 * only, so all of it also works in a program that runs no engine. Threads: any.
 */
#ifndef LP_ENGINE_OPERATE_H
#define LP_ENGINE_OPERATE_H

#include "base/conf.h"
#include "engine/engine.h"

/** [{"name","incarnation","host","labels","roles","version","threads","state","drained",
 * "drained_by","drain_reason","started_at","renewed_at","lease_left_s","claims"}]; state: "live",
 * "lost" (nobody renewed it), "retired". Without `all` only the first two. */
enum lp_code lp_operate_executors(struct lp_store *store, bool all, json_t **out,
                                  struct lp_err *err) LP_MUST_CHECK;
/** {"queue": {"depth","oldest_seconds","labels": [{"label","is_task","depth","oldest_seconds",
 * "executors"}]}, "waiting": [{"kind","label","count","oldest_seconds"}], "leases": [...],
 * "executors": {"live","lost","drained"}}. */
enum lp_code lp_operate_report(struct lp_store *store, json_t **out,
                               struct lp_err *err) LP_MUST_CHECK;

/* ---- doctor ---- */

struct lp_doctor {
    struct lp_store *store; /* NULL: it could not be opened; store_err says why */
    const struct lp_err *store_err;
    const struct lp_conf *conf;
    const struct lp_clock *clock;
    const char *data_dir;  /* or NULL */
    const char *store_url; /* for the modes of a database file; or NULL */
    const char *version;
    const struct lp_queue *queue;   /* of a running daemon, or NULL */
    struct lp_engine *engine;       /* of a running daemon, or NULL */
    const struct lp_caller *caller; /* who fixes */
    bool fix;                       /* repair what is safe, each repair audited */
};

/**
 * {"worst": "ok"|"info"|"warning"|"error", "errors", "warnings", "fixed", "version", "schema",
 * "findings": [{"check","severity","text","means","todo","count","items","fixable","fixed"}]}.
 * A check that cannot be made is a finding. LP_NOMEM only.
 */
enum lp_code lp_doctor_run(const struct lp_doctor *doctor, json_t **out,
                           struct lp_err *err) LP_MUST_CHECK;

#endif
