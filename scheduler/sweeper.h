/**
 * The sweeper of a shared database: while this daemon holds the scheduler lease, a thread announces
 * what may run and nobody took (lp_engine_sweep): at the configured pace, and exactly when the next
 * waiting process is due. It renews the lease; others ask lp_lease_held. Not used on SQLite, whose
 * one executor sweeps by itself without waking up when nothing is due.
 */
#ifndef LP_SCHEDULER_SWEEPER_H
#define LP_SCHEDULER_SWEEPER_H

#include "base/conf.h"
#include "engine/engine.h"
#include "scheduler/lease.h"

struct lp_sweeper;

struct lp_sweeper_options {
    struct lp_engine *engine;
    struct lp_lease *lease; /* not owned; must outlive the sweeper */
    const struct lp_conf *conf;
    const struct lp_clock *clock;
    struct lp_log *log;
};
/** Starts the thread. LP_NOMEM. */
enum lp_code lp_sweeper_start(const struct lp_sweeper_options *options, struct lp_sweeper **out,
                              struct lp_err *err) LP_MUST_CHECK;
/** Ends it; the lease is given back. NULL: nothing. */
void lp_sweeper_stop(struct lp_sweeper *sweeper);

#endif
