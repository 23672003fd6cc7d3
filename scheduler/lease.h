/**
 * The lease of a duty that only one daemon has at a time (the scheduler: sweeping, schedules).
 * Every daemon with the role competes for one row of the database; the database's clock decides,
 * and the end is counted here from the sending of the renewal, on the monotonic clock.
 *
 * Who leads must still fence what it writes: between the question and the commit the lease may have
 * gone (the program was stopped for a while). lp_lease_fence puts the fence in front of a unit.
 *
 * On SQLite the file has one daemon only: it leads from its first question on and renews nothing.
 * Threads: all functions from any thread.
 */
#ifndef LP_SCHEDULER_LEASE_H
#define LP_SCHEDULER_LEASE_H

#include "base/clock.h"
#include "base/log.h"
#include "store/db.h"

struct lp_lease;

struct lp_lease_options {
    struct lp_store *store;
    const struct lp_clock *clock;
    struct lp_log *log;
    const char *name;  /* of the duty: "scheduler" */
    const char *owner; /* incarnation of this daemon */
    int64_t lease_ms;  /* without a renewal for so long another daemon takes it */
};

/** Takes nothing yet. Texts are copied. LP_NOMEM. */
enum lp_code lp_lease_new(const struct lp_lease_options *options, struct lp_lease **out,
                          struct lp_err *err) LP_MUST_CHECK;
/** Gives it back when it is held, so that another daemon has it at once. */
void lp_lease_free(struct lp_lease *lease);

/**
 * Takes or renews it when that is due (a short write), else answers from memory. True: this daemon
 * has the duty now, under *epoch (may be NULL). A store that does not answer means false once the
 * lease could have run out. Call it at least every lp_lease_wait_ms.
 */
bool lp_scheduler_lead(struct lp_lease *lease, int64_t *epoch);
/** Whether it is held in this moment; asks nobody. To be asked again before each effect. */
bool lp_lease_held(const struct lp_lease *lease);
/** Milliseconds until lp_scheduler_lead wants to be called again: a third of the lease while it is
 * held, at most a second while it is not. INT32_MAX: on SQLite, once held. */
int lp_lease_wait_ms(const struct lp_lease *lease);
/** Adds the fence: the unit commits only while the lease is of this daemon and epoch, else
 * LP_FENCED. */
void lp_lease_fence(const struct lp_lease *lease, struct lp_unit *unit);
/** Gives it back. */
void lp_lease_release(struct lp_lease *lease);

#endif
