/**
 * Built-in tasks by interval: the clean-up. Each runs as an ordinary process, so that it is logged
 * and seen. When it ran last stands in the database; a restarted daemon does not run it again.
 * Threads: one (the daemon's main thread).
 */
#ifndef LP_SCHEDULER_TIMED_H
#define LP_SCHEDULER_TIMED_H

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine.h"

struct lp_timed {
    struct lp_engine *engine;
    struct lp_store *store;
    const struct lp_clock *clock;
    struct lp_log *log;
    int64_t look_us; /* monotonic time of the next look; 0 = not begun */
};

/** How long to sleep before lp_timed_tick. */
int lp_timed_wait_ms(struct lp_timed *timed);
/** Starts what is due. */
void lp_timed_tick(struct lp_timed *timed);

#endif
