/**
 * Schedules: workflows that start by themselves. Operators change them here; scheduler/ deals with
 * what is due.
 *
 * A due time is a wall clock or interval time that the trigger names; with jitter the start is
 * spread behind it. Every due time is dealt with once, whatever number of schedulers runs and dies:
 * the row (schedule, due time), the move to the next due time and the new process are one
 * transaction, and the row's key is unique. The database's clock decides what is due.
 *
 * A due time that is more than grace_seconds late is a misfire (nobody was there):
 *   skip  it is recorded as missed
 *   once  (default) the newest of them starts, unless one that is on time does; the others are
 * missed all   the newest misfire_most of them start, in order; older ones are missed
 *
 * Starts go through lp_engine_begin with the name and the role of whoever changed the schedule
 * last: role, authorizer, run predicate, pause and state 'restored' are asked as for a start by
 * hand (W28). What they refuse is a run with outcome skipped (predicate, overlap) or refused, and
 * is not tried again; while the engine is paused or the store is away, due times wait.
 */
#ifndef LP_ENGINE_SCHEDULES_H
#define LP_ENGINE_SCHEDULES_H

#include "base/cron.h"
#include "engine/engine.h"

enum lp_trigger_kind { LP_TRIGGER_CRON, LP_TRIGGER_INTERVAL, LP_TRIGGER_DATE, LP_TRIGGER_COUNT };
const char *lp_trigger_name(enum lp_trigger_kind kind);

/** When a schedule is due. */
struct lp_trigger {
    enum lp_trigger_kind kind;
    struct lp_cron cron;
    int64_t anchor_us, period_us; /* INTERVAL: anchor + n * period */
    int64_t at_us;                /* DATE */
    int64_t begins_us, ends_us;   /* INT64_MIN, INT64_MAX: no limit; both included */
};
/** The first due time after after_us; INT64_MAX: none comes any more. Pure. */
int64_t lp_trigger_next(const struct lp_trigger *trigger, const struct lp_zone *zone,
                        int64_t after_us);

/* ---- operators; all demand that the caller may start the workflow ---- */

/**
 * {"name"?, "workflow_name", "workflow_id"?, "trigger": cron|interval|date, "trigger_kwargs",
 * "user_inputs"?, "misfire"?, "misfire_most"?, "grace_seconds"?, "overlap"? (allow|skip),
 * "window"?, "paused"?}. trigger_kwargs: cron {"expression"} or {"second", "minute", "hour", "day",
 * "month", "day_of_week"}; interval {"weeks", "days", "hours", "minutes", "seconds"}; date
 * {"run_date"}; all but date also {"start_date", "end_date", "jitter"}, all {"timezone"}. *out is
 * as lp_schedule_get gives it. LP_NOT_FOUND (no such task), LP_DENIED, LP_INVALID (pointer).
 */
enum lp_code lp_schedule_create(struct lp_engine *engine, const struct lp_caller *caller,
                                const json_t *body, json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Members of body replace those there are (not the workflow). */
enum lp_code lp_schedule_change(struct lp_engine *engine, const struct lp_caller *caller,
                                const char *id, const json_t *body, json_t **out,
                                struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_schedule_delete(struct lp_engine *engine, const struct lp_caller *caller,
                                const char *id, struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_schedule_get(struct lp_engine *engine, const char *id, json_t **out,
                             struct lp_err *err) LP_MUST_CHECK;
/** All, by name. */
enum lp_code lp_schedule_list(struct lp_engine *engine, json_t **out,
                              struct lp_err *err) LP_MUST_CHECK;
/** Newest first: {"due_at", "at", "outcome", "process_id", "process_status", "reason",
 * "scheduler"}; before_us: only older due times (INT64_MAX: all). */
enum lp_code lp_schedule_runs(struct lp_engine *engine, const char *id, int64_t before_us,
                              int64_t limit, json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** fn (must not block) is called whenever a schedule was changed through this program. */
void lp_engine_on_schedules(struct lp_engine *engine, void (*fn)(void *arg), void *arg);

/* ---- scheduler/ ---- */

/** Makes a schedule that an operator finds there at the first start, once for ever under this key:
 * what was changed or deleted stays so. */
enum lp_code lp_schedule_default(struct lp_engine *engine, const char *key, const json_t *body,
                                 struct lp_err *err) LP_MUST_CHECK;
/** Microseconds until the next start, by the database's clock; 0: something is due, INT64_MAX:
 * nothing ever. */
enum lp_code lp_schedules_sleep(struct lp_engine *engine, int64_t *us,
                                struct lp_err *err) LP_MUST_CHECK;
/** Deals with everything that is due. `go_on` is asked before each transaction. *dealt: due times
 * dealt with by this call. LP_PAUSED and LP_STORE: not all of it, look again later. */
enum lp_code lp_schedules_run(struct lp_engine *engine, bool (*go_on)(void *arg), void *arg,
                              size_t *dealt, struct lp_err *err) LP_MUST_CHECK;

#endif
