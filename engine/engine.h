/**
 * The engine: registry, executor, service calls of operators, read models of processes, events and
 * audit. It knows no product and no device. Every rule that protects a process or a subscription is
 * checked here, whatever interface called. Threads: all functions from any thread unless said
 * otherwise.
 */
#ifndef LP_ENGINE_ENGINE_H
#define LP_ENGINE_ENGINE_H

#include "engine/workflow.h"
#include "queue/queue.h"
#include "store/lists.h"

struct lp_engine;

struct lp_engine_options {
    struct lp_store *store;
    const struct lp_catalog *catalog;
    const struct lp_conf *conf;
    const struct lp_clock *clock; /* shiftable in tests */
    struct lp_log *log;
    struct lp_queue *queue; /* not owned */
    const char *version;    /* of the program, shown with its executor; NULL: unknown */
    void (*give_up)(void); /* called when another executor has our name: end the program; or NULL */
    bool swept; /* somebody else calls lp_engine_sweep: on a shared database only the holder of
                   the scheduler lease does. false: the executor of this engine does */
    const struct lp_workflow_set *const *sets;
    size_t set_count;
    void *services; /* handed to steps */
};

/** Builds the registry (built-in workflows included), checks every table (unique names and keys,
 * undo or reason, role, text, definition hash) and the catalog against the stored one. LP_INVALID
 * lists every fault. Does not start threads. */
enum lp_code lp_engine_new(const struct lp_engine_options *options, struct lp_engine **out,
                           struct lp_err *err) LP_MUST_CHECK;
/** Registers this executor (lease), recovers what its former incarnation held, starts executor
 * threads, sweeper and sequencer. */
enum lp_code lp_engine_run(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;
/** Instead of lp_engine_run in a daemon that executes nothing: events of what is done here are
 * numbered, and those of others are heard of. */
enum lp_code lp_engine_attend(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;
/** Graceful stop: no new steps, current operations end, everything is released. LP_OK within
 * timeout_ms, else LP_CANCELLED. */
enum lp_code lp_engine_stop(struct lp_engine *engine, int64_t timeout_ms,
                            struct lp_err *err) LP_MUST_CHECK;
void lp_engine_free(struct lp_engine *engine);
const char *lp_engine_incarnation(const struct lp_engine *engine);

/**
 * Announces to the queue what may run and nobody took: free, due, or owned by an executor that is
 * gone; processes that wait for a label no live executor has are left waiting, saying so. Works in
 * any daemon, also without an executor of its own. *found = announced; *next_ms = milliseconds
 * until the next waiting process is due (-1: none). Call it again soon when *found is
 * LP_SWEEP_MOST.
 */
enum { LP_SWEEP_MOST = 2000 };
enum lp_code lp_engine_sweep(struct lp_engine *engine, size_t *found, int64_t *next_ms,
                             struct lp_err *err) LP_MUST_CHECK;

/* ---- registry ---- */

const struct lp_workflow *lp_engine_workflow(const struct lp_engine *engine,
                                             const char *name); /* or NULL */
const struct lp_workflow *const *lp_engine_workflows(const struct lp_engine *engine, size_t *count);
/** All steps of a workflow in order, built-in ones included (start, link, lock, ..., set_status,
 * unlock, done). */
const struct lp_step *const *lp_engine_steps(const struct lp_engine *engine,
                                             const struct lp_workflow *workflow, size_t *count);
bool lp_workflow_fits(const struct lp_workflow *workflow, const struct lp_product_type *product);

/* ---- operator actions; errors carry the texts of http-api.md ---- */

/**
 * Start. pages NULL or null = [{}]. LP_FORM_INCOMPLETE / LP_FORM_INVALID: err->detail is the whole
 * 510 / 400 body. LP_NOT_FOUND, LP_DENIED, LP_PRECONDITION, LP_PAUSED, LP_CONFLICT (locked: detail
 * names the holder; stale). idempotency_key may be NULL; the same key with the same request hash
 * returns the first id, with another request LP_INVALID.
 */
enum lp_code lp_engine_start(struct lp_engine *engine, const struct lp_caller *caller,
                             const char *workflow, const json_t *pages, const char *idempotency_key,
                             const char *request_hash, char id[static LP_UUID_LEN + 1],
                             struct lp_err *err) LP_MUST_CHECK;
/** Everything a start can say. */
struct lp_start {
    const char *workflow;
    const json_t *pages;
    const char *idempotency_key, *request_hash;
    const char *window; /* maintenance window to bind the process to (id or name), or NULL */
    /** Runs up to and including the step that plans (to the end when none does) and leaves nothing
     * behind: no subscription, no lock, no status; the process stays as the record.
     * LP_PRECONDITION: a step would act before anything can be seen. */
    bool dry_run;
    /** Adds to the unit that creates the process: both happen or neither. May be called again with
     * another id, when the commit lost a race. */
    void (*also)(struct lp_unit *unit, const char *id, void *arg);
    void *arg;
    /** Whether a conflict at `place` (table.column or constraint) is with what `also` added: then
     * LP_FENCED. */
    bool (*theirs)(const char *place);
};
enum lp_code lp_engine_begin(struct lp_engine *engine, const struct lp_caller *caller,
                             const struct lp_start *what, char id[static LP_UUID_LEN + 1],
                             struct lp_err *err) LP_MUST_CHECK;
/** Resume (suspended) or retry (failed, waiting): pages as posted. */
enum lp_code lp_engine_resume(struct lp_engine *engine, const struct lp_caller *caller,
                              const char *id, const json_t *pages,
                              struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_engine_resume_all(struct lp_engine *engine, const struct lp_caller *caller,
                                  int64_t *count, struct lp_err *err) LP_MUST_CHECK;
/** Abort; with rollback runs the undo of every finished step in reverse first. A running process is
 * told through process_requests. */
enum lp_code lp_engine_abort(struct lp_engine *engine, const struct lp_caller *caller,
                             const char *id, bool rollback, struct lp_err *err) LP_MUST_CHECK;
/** By hand, with a reason (demanded): skip the failed/waiting step, or mark it done with a delta
 * ({} or {"key": value}). */
enum lp_code lp_engine_skip(struct lp_engine *engine, const struct lp_caller *caller,
                            const char *id, struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_engine_mark_done(struct lp_engine *engine, const struct lp_caller *caller,
                                 const char *id, const json_t *delta,
                                 struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_engine_note(struct lp_engine *engine, const struct lp_caller *caller,
                            const char *id, const char *note, struct lp_err *err) LP_MUST_CHECK;
/** Finished tasks only. */
enum lp_code lp_engine_delete(struct lp_engine *engine, const struct lp_caller *caller,
                              const char *id, struct lp_err *err) LP_MUST_CHECK;
/** A valid token is answered LP_OK at any time; the first result counts, later equal ones are
 * no-ops. Wrong token or process: LP_NOT_FOUND. */
enum lp_code lp_engine_callback(struct lp_engine *engine, const char *id, const char *token,
                                const json_t *body, bool progress,
                                struct lp_err *err) LP_MUST_CHECK;

/* ---- engine status ---- */

enum lp_code lp_engine_pause(struct lp_engine *engine, const struct lp_caller *caller, bool paused,
                             struct lp_err *err) LP_MUST_CHECK;
/** {"global_lock","global_status","running_processes","restored"}; counts real leases. New
 * reference. */
enum lp_code lp_engine_status(struct lp_engine *engine, json_t **out,
                              struct lp_err *err) LP_MUST_CHECK;
/** {"executor_type","number_of_workers_online","number_of_queued_jobs","number_of_running_jobs"}.
 */
enum lp_code lp_engine_worker_status(struct lp_engine *engine, json_t **out,
                                     struct lp_err *err) LP_MUST_CHECK;

/** Drains an executor by name (its current operations end, it claims nothing new, its processes go
 * to others between two steps) or ends that. The mark outlives a restart. LP_NOT_FOUND: no executor
 * ever had the name. */
enum lp_code lp_engine_drain(struct lp_engine *engine, const struct lp_caller *caller,
                             const char *name, bool drained, struct lp_err *err) LP_MUST_CHECK;

/** Ends the state 'restored' by hand: administrators with a reason. It ends by itself when
 * everything was validated. LP_DENIED, LP_INVALID. */
enum lp_code lp_engine_end_restored(struct lp_engine *engine, const struct lp_caller *caller,
                                    struct lp_err *err) LP_MUST_CHECK;

/* ---- read models, in wire form (times as numbers) ---- */

enum lp_code lp_engine_processes(struct lp_engine *engine, const struct lp_list_request *request,
                                 json_t **out, struct lp_list_result *meta, struct lp_err *err)
    LP_MUST_CHECK; /* meta->rows is NULL afterwards */
enum lp_code lp_engine_process(struct lp_engine *engine, const struct lp_caller *caller,
                               const char *id, json_t **out, struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_engine_status_counts(struct lp_engine *engine, json_t **out,
                                     struct lp_err *err) LP_MUST_CHECK;
struct lp_changed_request {
    const char *process_id; /* NULL: all */
    int64_t limit;          /* most processes */
};
/**
 * Processes under way that were begun with other steps than their workflow has in this program,
 * oldest first per definition: {"count", "definitions": [{"workflow_name","definition","count",
 * "workflow_gone","removed","added","moved","altered": [{"key","was","is"}],
 * "perhaps_renamed": [{"was","is"}]}], "processes": [{"process_id","workflow_name","definition",
 * "last_status","step","assignee","standing": "goes_on"|"will_stop"|"stopped"|"undoing"|
 * "workflow_gone","goes_on_at","passed_over","not_undoable","choices": [{"command","means"}]}]}.
 */
enum lp_code lp_engine_changed(struct lp_engine *engine, const struct lp_changed_request *request,
                               json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** How many, per workflow that has any. */
typedef void lp_changed_count(void *arg, const char *workflow, int64_t count);
enum lp_code lp_engine_changed_counts(struct lp_engine *engine, lp_changed_count *each, void *arg,
                                      struct lp_err *err) LP_MUST_CHECK;
/** Attempts, inputs, requests, children, locks of one process. */
enum lp_code lp_engine_process_more(struct lp_engine *engine, const char *id, json_t **out,
                                    struct lp_err *err) LP_MUST_CHECK;
/** Everything that waits for a person: suspended, failed, approvals. */
enum lp_code lp_engine_todo(struct lp_engine *engine, json_t **out,
                            struct lp_err *err) LP_MUST_CHECK;

/* ---- subscriptions under the engine's rules ---- */

/** The six lists of http-api.md 1.5 with reasons. caller decides insufficient_workflow_permissions.
 */
enum lp_code lp_engine_subscription_workflows(struct lp_engine *engine,
                                              const struct lp_caller *caller, const char *id,
                                              json_t **out, struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_engine_set_in_sync(struct lp_engine *engine, const struct lp_caller *caller,
                                   const char *id, struct lp_err *err) LP_MUST_CHECK;

/* ---- events and audit ---- */

/** Rows with seq > after, at most limit: [{"id": seq, "data": {...}}...]. after < 0 = only the
 * newest id as {"id"} (where to begin). */
enum lp_code lp_engine_events(struct lp_engine *engine, int64_t after, int64_t limit, json_t **out,
                              struct lp_err *err) LP_MUST_CHECK;
/** Calls fn (must not block) whenever new events were numbered. */
void lp_engine_on_events(struct lp_engine *engine, void (*fn)(void *arg, int64_t newest),
                         void *arg);
/** Told whenever this program committed a notice (store/notices.h). Lives until NULL is set and the
 * engine has stopped; fn must not block. */
struct lp_notice_listener {
    void (*fn)(void *arg);
    void *arg;
};
void lp_engine_on_notice(struct lp_engine *engine, const struct lp_notice_listener *listener);
/** A notice was committed by this program: the listener looks now. */
void lp_engine_notice_now(struct lp_engine *engine);
/** chain NULL = newest first over all. */
enum lp_code lp_engine_audit(struct lp_engine *engine, const char *chain, int64_t limit,
                             json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Recomputes every hash and seal. LP_DRIFT names chain and row of the first fault. *rows = rows
 * checked. */
enum lp_code lp_engine_audit_verify(struct lp_engine *engine, int64_t *rows,
                                    struct lp_err *err) LP_MUST_CHECK;
/** Appends to the system chain of this incarnation (token made, setting changed, backup taken ...);
 * body is taken. */
enum lp_code lp_engine_audit_system(struct lp_engine *engine, const struct lp_caller *caller,
                                    json_t *body, struct lp_err *err) LP_MUST_CHECK;
/** The same together with the statements of unit, which stays the caller's: both or neither. */
enum lp_code lp_engine_audit_with(struct lp_engine *engine, struct lp_unit *unit,
                                  const struct lp_caller *caller, json_t *body,
                                  struct lp_err *err) LP_MUST_CHECK;

/** Counters for metrics. */
struct lp_engine_stats {
    uint64_t steps, attempts, retries, fenced, claims, lease_losses;
    uint64_t running, threads;
    int64_t last_step_us; /* UTC of the newest commit of a step here; 0 none yet */
};
void lp_engine_stats(struct lp_engine *engine, struct lp_engine_stats *out);

/* Times of step attempts in this program, by workflow and step: as many as there are definitions.
 */
enum { LP_STEP_BUCKETS = 12 };
/** Upper bounds of the buckets in microseconds. */
extern const int64_t lp_step_bounds_us[LP_STEP_BUCKETS];
struct lp_step_time {
    const char *workflow, *step;       /* borrowed */
    uint64_t buckets[LP_STEP_BUCKETS]; /* cumulated */
    uint64_t all, us;
};
/** Calls fn for every step that was attempted here. */
void lp_engine_step_times(struct lp_engine *engine,
                          void (*fn)(void *arg, const struct lp_step_time *time), void *arg);

#endif
