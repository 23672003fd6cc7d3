/**
 * Retention: nothing grows for ever. Each rule deletes what is older than its time in chunks, every
 * chunk a unit of its own, so that steps are never held up for long.
 *
 * Rules (base/conf.def, retention.*): finished tasks with all they hold (task_days), the step log
 * of finished processes (process_days), numbered events (event_days), audit chains whose newest row
 * is old and the seals of their time (audit_days), superseded versions of blocks and headers
 * (history_days), idempotency keys (idempotency_hours), stored source rows (import_runs), retired
 * executors (event_days), plans of no process (task_days), exchanges with devices (evidence_days),
 * notices and deliveries (notification_days).
 * Threads: any; two runs at once do each other no harm.
 */
#ifndef LP_STORE_RETENTION_H
#define LP_STORE_RETENTION_H

#include "base/conf.h"
#include "store/db.h"

struct lp_retention_report {
    int64_t tasks, processes, events, chains, seals, versions, keys, imports, executors, notices,
        runs, schedules, plans, exchanges;
};

/** One pass over all rules. `stop` (may be NULL) is asked between chunks. The report counts rows,
 * for tasks, processes and chains whole ones. On failure it holds what was deleted before. */
enum lp_code lp_retention_run(struct lp_store *store, const struct lp_conf *conf,
                              bool (*stop)(void *arg), void *arg,
                              struct lp_retention_report *report, struct lp_err *err) LP_MUST_CHECK;

#endif
