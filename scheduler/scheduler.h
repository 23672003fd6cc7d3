/**
 * The thread that starts what is scheduled (engine/schedules.h). Of all daemons with the role, the
 * holder of the scheduler lease works; the others stand by. The lease only saves work: that each
 * due time happens once is the database's doing, also while two of them believe to lead.
 *
 * It sleeps until the next due time, until lp_scheduler_poke (a schedule was changed through this
 * program), or until the lease has to be renewed, which on a shared database is also when changes
 * made through other daemons are seen. On SQLite nothing wakes it without reason.
 */
#ifndef LP_SCHEDULER_SCHEDULER_H
#define LP_SCHEDULER_SCHEDULER_H

#include "engine/engine.h"
#include "scheduler/lease.h"

struct lp_scheduler;

struct lp_scheduler_options {
    struct lp_engine *engine;
    struct lp_lease *lease; /* not owned; must outlive the scheduler */
    const struct lp_clock *clock;
    struct lp_log *log;
};
/** Starts the thread; the schedules that are there from the beginning are made when it leads for
 * the first time. LP_NOMEM. */
enum lp_code lp_scheduler_start(const struct lp_scheduler_options *options,
                                struct lp_scheduler **out, struct lp_err *err) LP_MUST_CHECK;
/** Looks again now. Any thread; must not be called after lp_scheduler_stop. */
void lp_scheduler_poke(void *scheduler);
/** Ends it; what is being started is finished. NULL: nothing. */
void lp_scheduler_stop(struct lp_scheduler *scheduler);
/** Makes the schedules that are there from the first start on. */
enum lp_code lp_scheduler_defaults(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;

#endif
