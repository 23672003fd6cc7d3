/**
 * What a step sees while it runs. Valid only inside the call, on the calling thread.
 *
 * A step reads through run->store (or run->txn in DB_RW steps) and *queues* its writes; the engine
 * commits them with the step's own row, delta, attempt, audit and events in one fenced transaction.
 * A step never commits by itself and holds no connection during I/O.
 */
#ifndef LP_ENGINE_RUN_H
#define LP_ENGINE_RUN_H

#include "engine/workflow.h"

struct lp_run {
    const char *process_id;
    const struct lp_workflow *workflow;
    const struct lp_step *step;
    const char *actor;
    const char *correlation_id;
    const struct lp_catalog *catalog;
    const struct lp_conf *conf;
    const struct lp_clock *clock;
    struct lp_log *log;
    struct lp_store *store; /* reads */
    struct lp_txn *txn;     /* DB_RW steps only */
    struct lp_arena *arena;
    unsigned attempt;  /* 1, 2, ... of this step */
    const char *token; /* idempotency token: the same for every attempt of this step after an
                          unknown outcome */
    bool unknown;      /* an earlier attempt may have acted: read back first */
    size_t index;      /* EACH */
    bool dry_run;      /* nothing but the plan is kept: queued writes of other steps are dropped,
                          subscriptions are changed in the state only; EXTERNAL steps only read */
    const char *callback_route; /* CALLBACK: "/api/processes/<id>/callback/<token>" */
    void *services; /* what daemon/ wired in for steps (drivers); engine does not look inside */
    struct lp_run_private *priv;
};

/** Queues a named write. */
void lp_run_write(struct lp_run *run, enum lp_stmt stmt, const struct lp_arg *args,
                  size_t arg_count);
/** The unit behind it, for repositories (lp_subscription_save). */
struct lp_unit *lp_run_unit(struct lp_run *run);
/** Loads a subscription for reading and changing; freed by the engine after the step. LP_NOT_FOUND,
 * LP_STORE. */
enum lp_code lp_run_subscription(struct lp_run *run, const char *id, struct lp_subscription **out,
                                 struct lp_err *err) LP_MUST_CHECK;
/** The process's own target: state["subscription_id"]. */
enum lp_code lp_run_target(struct lp_run *run, const json_t *state, struct lp_subscription **out,
                           struct lp_err *err) LP_MUST_CHECK;
/** Queues the change set of a subscription, its events and its audit body. */
enum lp_code lp_run_save(struct lp_run *run, struct lp_subscription *sub,
                         struct lp_err *err) LP_MUST_CHECK;
/** Gives the blocks of a list to another subscription that references them (lp_subscription_give),
 * and queues the change sets of both. */
enum lp_code lp_run_give(struct lp_run *run, struct lp_subscription *from,
                         struct lp_subscription *to, const char *field, const char *ref_field,
                         struct lp_err *err) LP_MUST_CHECK;
/** For CREATE: saves a new subscription, links it to the process and takes its exclusive lock; sets
 * delta subscription_id and subscription. */
enum lp_code lp_run_create(struct lp_run *run, struct lp_subscription *sub, json_t *delta,
                           struct lp_err *err) LP_MUST_CHECK;
/** The key is removed from the state when the step succeeds. */
void lp_run_unset(struct lp_run *run, const char *key);
/** Adds an event of http-api.md 3.3 (value object is taken). */
void lp_run_event(struct lp_run *run, json_t *value);
/** Adds members to the audit body of this step (taken). */
void lp_run_audit(struct lp_run *run, const char *key, json_t *value);
/** When to be asked again (UTC us), and why: a WAIT step, or any other step that returns
 * LP_RETRYABLE behind it, is parked until then without counting an attempt. */
void lp_run_wake_at(struct lp_run *run, int64_t utc_us, const char *reason);
/** EXTERNAL steps: writes a compensation durably (fenced) before the forward operation. LP_FENCED:
 * stop at once. */
enum lp_code lp_run_compensation(struct lp_run *run, unsigned n, const json_t *doc,
                                 struct lp_err *err) LP_MUST_CHECK;
/** EXTERNAL steps: commits a unit of their own at once, under the fence of the process. The unit
 * is taken. LP_FENCED: stop at once. */
enum lp_code lp_run_commit(struct lp_run *run, struct lp_unit *unit,
                           struct lp_err *err) LP_MUST_CHECK;
/** Compensations of this step, newest first, for undo: [{"n":..., "doc":...}]. New reference. */
enum lp_code lp_run_compensations(struct lp_run *run, json_t **out,
                                  struct lp_err *err) LP_MUST_CHECK;
/** Time left until min(step timeout, lease end, cancel) in ms; 0 = stop now. Re-read it at every
 * poll. */
int64_t lp_run_time_left_ms(struct lp_run *run);
/** LP_OK, or LP_CANCELLED / LP_FENCED / LP_UNKNOWN with the reason: ask before each external
 * operation. */
enum lp_code lp_run_check(struct lp_run *run, struct lp_err *err) LP_MUST_CHECK;
/**
 * Binds the process to a maintenance window from this step's commit on (id or name; NULL: to none):
 * its steps with .in_window wait outside it. An approval calls it with the answer of the field that
 * lp_window_field has added. LP_INVALID: there is no such window.
 */
enum lp_code lp_run_bind_window(struct lp_run *run, const char *id_or_name,
                                struct lp_err *err) LP_MUST_CHECK;
/** Takes named leased locks, all at once. LP_CONFLICT parks the process (status waiting, lock) and
 * re-runs the step later. */
enum lp_code lp_run_locks(struct lp_run *run, const char *const *names, size_t count,
                          struct lp_err *err) LP_MUST_CHECK;
/**
 * After an unclean takeover of a named lock (its holder died or lost its lease holding it) the last
 * command of the former owner may still act on the element. *left_ms = milliseconds until that is
 * over when a command may take `longest_ms`; 0: it may be written. Until then the step only reads,
 * or waits (lp_run_wake_at). Ask after lp_run_locks. LP_STORE.
 */
enum lp_code lp_run_takeover_left_ms(struct lp_run *run, const char *lock, int64_t longest_ms,
                                     int64_t *left_ms, struct lp_err *err) LP_MUST_CHECK;
/** The element was proven at rest: forgotten with the commit of this step. */
void lp_run_takeover_settled(struct lp_run *run, const char *lock);
/** The stored key of the row being worked on: "verify", "apply/3", "undo:apply/3". */
void lp_run_key(const struct lp_run *run, char *buf, size_t size);
/** Appends a line that people watching the process see at once (not durable beyond the step's row).
 */
void lp_run_progress(struct lp_run *run, const char *fmt, ...) LP_PRINTF(2, 3);

#endif
