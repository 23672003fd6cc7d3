/**
 * Inside the engine room only: the parts and how they meet. Not included from other rooms.
 *
 *   registry.c    workflows by name, full step lists, definition hashes, start-up check
 *   transitions.c the process and step status tables; the only place that says what may follow what
 *   form.c        page negotiation, memoised per page prefix
 *   gate.c        which workflow may run on which subscription, and why not
 *   authorize.c   who may start, resume and retry
 *   engine.c      lp_engine_new, run, stop, free; server key, stored definitions, stored data
 * against the catalog names.c       words of the vocabularies start.c       starting, creation of
 * processes with their locks service.c     resume, retry, skip, abort (operator actions on a
 * process) callback.c    callbacks manage.c      note, delete, pause, status, set_in_sync query.c
 * read models audit.c       hash chains and seals events.c      outbox rows, sequencer executor.c
 * lease, threads, queue, claims, sweeper advance.c     one process: recover, run the next step,
 * commit, go on run.c         what a step sees (engine/run.h) builtin.c     start, link, lock,
 * set_status, unlock, done; modify_note, clean-up, resume tasks
 *
 * What the operator side (service.c) and the executor side (advance.c, executor.c) promise each
 * other:
 *
 * - A process is *free* when lease_owner is null or names an executor that is retired or expired.
 * The flush that stops a process (suspend, waiting, awaiting_callback, failed, final) also sets
 * lease_owner = null.
 * - service.c changes a free process in ONE unit that raises lease_epoch by one under the condition
 * that epoch, status and freedom are as read (else LP_FENCED, which becomes 409), leaves
 * lease_owner null and moves the audit head. On an owned process it only adds a process_requests
 * row and sets requests = requests + 1; the owner consumes it under its fence and writes its audit
 * row.
 * - resume and retry set status 'resumed', wake_at/wait_kind/wait_reason/label null. The executor
 * claims, when free: created, running, resumed; waiting and awaiting_callback whose wake_at is due;
 * and any status that is not final while requests > 0 (abort_rollback of a free process is such a
 *   request).
 * - One process_steps row per step key: the row that suspended, failed or waited is continued in
 * place by the next attempt, its seq stays. skip turns the failed/waiting row into 'skipped',
 * mark_done into 'success' with the given delta; then status 'resumed', and the executor goes on
 * behind that key (inside its group as well).
 * - Waits are numbered: n = 1 + the consumed process_inputs rows of (process, step key, kind); kind
 * 'form' or 'callback'. Resume inserts the form output under that n (its unique key lets one of two
 * win); the executor merges it into the delta and sets consumed_at in the same flush (W20). A
 * callback inserts kind 'callback' under its n whatever the status, after touching the process row
 * (so it is either seen by the executor's look after committing awaiting_callback, or the service
 * sees that status and sets 'resumed'); 'progress' rows are replaced and never consumed. A wait
 * that ends without a callback (timed out) leaves a consumed row of its n, so that a late callback
 * never answers the next wait.
 * - The flush that parks a process sets wake_at = now when requests > 0, so that a request that
 * came between is not slept on; inserting a request for a free process therefore also sets wake_at
 * = now.
 * - Abort of a free process is done by service.c: row key 'abort', title 'User Aborted', status
 * 'abort'; locks go, open children get an abort request, a parent that waits for children is woken
 * (wake_at = now). The subscription's insync stays as it is.
 * - Pause is settings.global_lock = '1'; restored is settings.restored = '1'.
 */
#ifndef LP_ENGINE_INTERNAL_H
#define LP_ENGINE_INTERNAL_H

#include <assert.h>
#include <pthread.h>

#include "engine/engine.h"
#include "engine/run.h"

/** Begin of the reason of a wait for an executor; the label follows in quotes. */
#define LP_WAITS_FOR_LABEL "waits for an executor with the label "

/* ---- transitions.c ---- */

enum lp_process_status {
    LP_PS_CREATED,
    LP_PS_RUNNING,
    LP_PS_SUSPENDED,
    LP_PS_WAITING,
    LP_PS_AWAITING_CALLBACK,
    LP_PS_ABORTED,
    LP_PS_FAILED,
    LP_PS_API_UNAVAILABLE,
    LP_PS_INCONSISTENT_DATA,
    LP_PS_COMPLETED,
    LP_PS_RESUMED,
    LP_PS_COUNT
};
enum lp_step_status {
    LP_SS_SUCCESS,
    LP_SS_SKIPPED,
    LP_SS_SUSPEND,
    LP_SS_WAITING,
    LP_SS_AWAITING_CALLBACK,
    LP_SS_FAILED,
    LP_SS_ABORT,
    LP_SS_COMPLETE,
    LP_SS_COUNT
};
const char *lp_process_status_name(enum lp_process_status status);
bool lp_process_status_from_name(const char *name, enum lp_process_status *out);
const char *lp_step_status_name(enum lp_step_status status);
bool lp_step_status_from_name(const char *name, enum lp_step_status *out);
bool lp_process_may_go(enum lp_process_status from, enum lp_process_status to);
bool lp_process_final(enum lp_process_status status);
bool lp_process_resumable(enum lp_process_status status); /* by resume/retry of an operator */
enum lp_process_status lp_process_after_step(enum lp_step_status step);
/** Failure class of a task from the code: LP_DRIFT -> inconsistent_data (NOC), unreachable codes ->
 * api_unavailable. */
enum lp_process_status lp_task_failure(enum lp_code code, const char **assignee);

/* ---- engine.c ---- */

/** Whether a row of settings has this value. */
enum lp_code lp_engine_setting_is(struct lp_store *store, const char *name, const char *value,
                                  bool *same, struct lp_err *err) LP_MUST_CHECK;

/* ---- stored.c ---- */

/** A walk over all stored subscriptions. */
struct lp_stored_check {
    struct lp_engine *engine;
    json_t *faults;                                       /* texts of the first ones; borrowed */
    size_t count, checked;                                /* faults, subscriptions */
    enum lp_code (*go_on)(void *arg, struct lp_err *err); /* asked now and then; NULL: to the end */
    void *arg;
};
/** LP_OK also when there are faults. */
enum lp_code lp_stored_check(struct lp_stored_check *check, struct lp_err *err) LP_MUST_CHECK;

/* ---- restored.c ---- */

/** Reads the state at start. */
enum lp_code lp_restored_load(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;
/** Ends the state when nothing is left to validate; the sequencer calls it after work. Cheap when
 * not restored. */
void lp_restored_check(struct lp_engine *engine);

/* ---- registry.c ---- */

struct lp_registered {
    const struct lp_workflow *workflow;
    const struct lp_step **steps; /* built-in and own, top level */
    size_t step_count;
    struct lp_uuid id; /* catalog id (kind workflow) */
    char hash[65];     /* definition hash over keys, kinds, effects, order (recursively) */
    char *definition;  /* its JSON text, with what can be undone */
};
const struct lp_registered *lp_registry_find(const struct lp_engine *engine,
                                             const char *name); /* or NULL */
const struct lp_registered *lp_registry_find_id(const struct lp_engine *engine,
                                                const char *workflow_id);
enum lp_code lp_registry_build(struct lp_engine *engine, const struct lp_workflow_set *const *sets,
                               size_t count, struct lp_err *err) LP_MUST_CHECK;
void lp_registry_free(struct lp_engine *engine);
/** Step by its stored key ("verify", "group/sub", "key/3" -> the each-step), or NULL. *index = n of
 * an each row. */
const struct lp_step *lp_registry_step(const struct lp_registered *reg, const char *key,
                                       size_t *index);

/* ---- audit.c ---- */

/** Head of a chain; for a process it is read at the claim and written with each fenced flush. */
struct lp_chain {
    char name[80];
    int64_t seq;
    char hash[65];
};
/** Queues one audit row (body is borrowed) and moves the head. prev_hash of row 1 is 64 zeros. */
enum lp_code lp_audit_add(struct lp_unit *unit, struct lp_chain *chain,
                          const struct lp_caller *caller, const json_t *body, int64_t now_us,
                          struct lp_err *err) LP_MUST_CHECK;
/** The same for a body that is canonical text already. */
enum lp_code lp_audit_add_text(struct lp_unit *unit, struct lp_chain *chain,
                               const struct lp_caller *caller, const char *body, int64_t now_us,
                               struct lp_err *err) LP_MUST_CHECK;

/** Locks the system chain of this incarnation, queues a row on it, commits the unit and moves the
 * head only when that worked. Appends are serialised: rare operator actions on things that are no
 * process. The unit stays the caller's; events are announced. */
enum lp_code lp_audit_commit_system(struct lp_engine *engine, struct lp_unit *unit,
                                    const struct lp_caller *caller, const json_t *body,
                                    struct lp_err *err) LP_MUST_CHECK;
/** Writes a seal over the heads of all chains that grew since the seal before; nothing when none
 * did. */
enum lp_code lp_audit_seal(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;

/* ---- events.c ---- */

void lp_event_add(struct lp_unit *unit, json_t *value, int64_t now_us); /* value is taken */
void lp_event_process(struct lp_unit *unit, const char *process_id,
                      int64_t now_us); /* LIST and the id */
void lp_event_subscription(struct lp_unit *unit, const char *subscription_id, int64_t now_us);
void lp_event_counts(struct lp_unit *unit, int64_t now_us);
void lp_event_engine(struct lp_unit *unit, int64_t now_us);
/** Tells the sequencer thread that commits with events happened (cheap; called after each commit).
 */
void lp_events_poke(struct lp_engine *engine);
enum lp_code lp_events_new(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_events_start(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;
void lp_events_stop(struct lp_engine *engine);
void lp_events_free(struct lp_engine *engine);

/* ---- form.c ---- */

/** Replays pages against a form (standard first page of the target included when workflow_form).
 * LP_OK: *output holds the merged result and *subscription (may be NULL) the loaded target. Errors
 * as lp_engine_start. */
enum lp_code lp_form_negotiate(struct lp_engine *engine, const struct lp_caller *caller,
                               const struct lp_registered *reg, const struct lp_form *form,
                               bool workflow_form, const json_t *state, const json_t *pages,
                               json_t **output, json_t *shared_ids,
                               struct lp_err *err) LP_MUST_CHECK;
/** Schema of the first page (process detail), or NULL without a form. */
enum lp_code lp_form_first_schema(struct lp_engine *engine, const struct lp_caller *caller,
                                  const struct lp_registered *reg, const struct lp_form *form,
                                  const json_t *state, json_t **schema,
                                  struct lp_err *err) LP_MUST_CHECK;
struct lp_form_memo;
enum lp_code lp_form_memo_new(struct lp_form_memo **out, struct lp_err *err) LP_MUST_CHECK;
void lp_form_memo_free(struct lp_form_memo *memo);

/* ---- gate.c ---- */

/** Reason object {"reason": ..., context...} why workflow may not run on the subscription, or NULL
 * when it may. New reference in *reason. */
enum lp_code lp_gate_reason(struct lp_engine *engine, struct lp_reader *reader,
                            const struct lp_caller *caller, const struct lp_registered *reg,
                            const struct lp_subscription *sub, json_t **reason,
                            struct lp_err *err) LP_MUST_CHECK;
/** Statuses (LP_BIT of lp_lifecycle) a workflow may start in, and whether the subscription must be
 * in sync. */
unsigned lp_workflow_usable(const struct lp_workflow *workflow);
bool lp_workflow_needs_sync(const struct lp_workflow *workflow);
/** Human text of a reason code. */
const char *lp_gate_text(const char *reason);

/* ---- service.c ---- */

/** Creates a process from accepted form output (no form, no authorizer): used by start and by
 * fan-out. unit gets everything; parent fields may be NULL. The caller submits the unit. */
struct lp_proc; /* exec.h */
struct lp_new_process {
    const struct lp_registered *reg;
    const struct lp_caller *caller;
    const json_t *output;     /* form output */
    const json_t *shared_ids; /* array of subscription ids, or NULL */
    const char *parent_id, *parent_step, *parent_item;
    const char *window_id; /* maintenance window to bind it to, or NULL */
    struct lp_proc *
        *claim; /* NULL: whoever is free takes it. Else it is created with our lease when
                   there is room; *claim is told the end of the commit, or stays NULL */
    bool dry_run;
};
enum lp_code lp_process_create(struct lp_engine *engine, struct lp_unit *unit,
                               const struct lp_new_process *request,
                               char id[static LP_UUID_LEN + 1], struct lp_err *err) LP_MUST_CHECK;
/** Turns a failed create-unit (LP_CONFLICT on lock_seq / process_locks ...) into the message that
 * names the reason or the holder. */
enum lp_code lp_process_create_explain(struct lp_engine *engine,
                                       const struct lp_new_process *request,
                                       struct lp_err *err) LP_MUST_CHECK;
/** Executor label that a step of a workflow needs, or NULL. */
const char *lp_label_needed(const struct lp_workflow *workflow, const struct lp_step *step);
/** Role and start authorizer. */
bool lp_may_start(const struct lp_caller *caller, const struct lp_workflow *workflow);
/** Effective authorizers at a step (latest non-empty of resume/retry so far, else the workflow's;
 * engine-semantics 3.8). */
bool lp_may_resume(const struct lp_caller *caller, const struct lp_registered *reg,
                   const char *step_key);
bool lp_may_retry(const struct lp_caller *caller, const struct lp_registered *reg,
                  const char *step_key);

/** LP_PAUSED while an operator has paused the engine (as stored, not as cached). */
enum lp_code lp_engine_demand_running(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;
/** LP_PRECONDITION while the database is in state restored, unless the workflow validates or an
 * administrator gives a reason. */
enum lp_code lp_engine_demand_not_restored(struct lp_engine *engine, const struct lp_caller *caller,
                                           const struct lp_workflow *workflow,
                                           struct lp_err *err) LP_MUST_CHECK;
/** Number of the wait a step is in, or comes to next: 1 + consumed inputs of that kind ('form',
 * 'callback'). */
enum lp_code lp_wait_number(struct lp_engine *engine, const char *id, const char *key,
                            const char *kind, int64_t *n, struct lp_err *err) LP_MUST_CHECK;

/* ---- changed.c ---- */

struct lp_head;
/** LP_CONFLICT: the process has run a step with an undo that this program does not know any more; a
 * rollback would leave what it did without a word. */
enum lp_code lp_changed_demand_undoable(struct lp_engine *engine, const struct lp_head *head,
                                        struct lp_err *err) LP_MUST_CHECK;

/* ---- lockwaits.c ---- */

/** Remembers the named locks that a process has from before that epoch as not given back: queue it
 * in front of their removal. */
void lp_locks_left(struct lp_unit *unit, const struct lp_engine *engine, const char *process_id,
                   int64_t epoch);

/* ---- dryrun.c ---- */

/** Member of the state that holds what a dry run has changed of subscriptions. */
#define LP_DRY_KEY "dry_run_subscriptions"
/** LP_PRECONDITION: it cannot be tried without acting. */
enum lp_code lp_dry_run_possible(const struct lp_registered *reg, struct lp_err *err) LP_MUST_CHECK;

/* ---- state: advance.c ---- */

/** Folds the state of a process from the database: initial input, newest snapshot, deltas after it.
 * New reference. upto_seq < 0 = head. */
enum lp_code lp_state_load(struct lp_store *store, struct lp_reader *reader, const char *process_id,
                           int64_t upto_seq, json_t **state, struct lp_err *err) LP_MUST_CHECK;
void lp_state_apply(json_t *state, const json_t *delta); /* {"set": {...}, "unset": [...]} */
/** HMAC token of a callback wait. */
void lp_callback_token(const struct lp_engine *engine, const char *process_id, const char *step_key,
                       int64_t n, char out[static 65]);

/* ---- executor.c ---- */

/** Looks at a process soon (queue hint; local when this engine executes). Call it after the commit.
 */
void lp_executor_hint(struct lp_engine *engine, const char *process_id, int priority);
/** The same for an executor with this label; NULL: any. */
void lp_executor_announce(struct lp_engine *engine, const char *process_id, int priority,
                          const char *label);
/** A slot for a process that is about to be created, when its executor is here and idle enough;
 * else NULL. */
struct lp_proc *lp_executor_reserve(struct lp_engine *engine, const char *id,
                                    const struct lp_registered *reg);
/** What its row and its first input say. `state` is taken. */
enum lp_code lp_proc_born(struct lp_proc *proc, const struct lp_new_process *request,
                          const struct lp_chain *chain, json_t *state, size_t state_bytes,
                          struct lp_err *err) LP_MUST_CHECK;
/** The commit that creates it has ended so: it begins, or gives its slot back. */
void lp_executor_begin(struct lp_proc *proc, enum lp_code code);
/** Wakes the owner when it is in this program: new process_requests, pause changed. */
void lp_executor_poke(struct lp_engine *engine, const char *process_id);
bool lp_executor_paused(const struct lp_engine *engine);
/** lp_engine_run, lp_engine_stop and the executor's part of lp_engine_free (NULL executor:
 * nothing). registry.c calls them. */
enum lp_code lp_executor_run(struct lp_engine *engine, struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_executor_stop(struct lp_engine *engine, int64_t timeout_ms,
                              struct lp_err *err) LP_MUST_CHECK;
void lp_executor_free(struct lp_engine *engine);
/** settings.global_lock was changed through this program: takes effect now (others learn it from
 * their sweep). */
void lp_executor_set_paused(struct lp_engine *engine, bool paused);

/* ---- builtin.c ---- */

extern const struct lp_step lp_step_start, lp_step_link, lp_step_lock, lp_step_unlock, lp_step_done;
extern const struct lp_step lp_step_set_active, lp_step_set_terminated; /* key set_status */
extern const struct lp_workflow_set lp_workflows_builtin;
extern const struct lp_workflow_set lp_workflows_validation; /* validate_all.c */
extern const struct lp_workflow_set lp_workflows_catalog;    /* validate_catalog.c */

struct lp_executor; /* executor.c */
struct lp_events;   /* events.c */

struct lp_engine {
    struct lp_store *store;
    const struct lp_catalog *catalog;
    const struct lp_conf *conf;
    const struct lp_clock *clock;
    struct lp_log *log;
    struct lp_queue *queue;
    const char *version;
    void (*give_up)(void);
    bool swept; /* by the holder of the scheduler lease */
    void *services;
    char incarnation[LP_UUID_LEN + 1];
    char server_key[65]; /* from settings, made once */
    struct lp_registered *workflows;
    size_t workflow_count;
    const struct lp_workflow **workflow_list; /* the same, for lp_engine_workflows */
    struct lp_chain system_chain;             /* guarded by system_lock */
    bool system_doubt;                        /* its head has to be read again; system_lock */
    pthread_mutex_t system_lock;
    struct lp_executor *executor;    /* NULL until lp_engine_run */
    void (*on_schedules)(void *arg); /* atomic; a schedule was changed through this program */
    void *on_schedules_arg;
    struct lp_events *events;
    struct lp_form_memo *memo;
    const struct lp_notice_listener *listener; /* atomic; or NULL */
    bool restored;                             /* atomic: settings.restored = 1 */
    bool resuming_all;                         /* atomic: one resume-all at a time */
    struct lp_engine_stats stats;              /* atomics by __atomic builtins */
};

#endif
