/**
 * The executor's own parts (executor.c, keeper.c, advance.c and its helpers). Not included by the
 * operator side.
 *
 * A *proc* is a process this program holds a lease on while it is in flight: its folded state and
 * where it stands. It belongs to one thread at a time: a step thread, or the committer between
 * lp_store_submit and the acknowledgement. A parked process has none.
 *
 * Locks: executor.lock guards the table of procs, the ready lists, thread bookkeeping and the
 * keeper's times. It is never held over a call into the store or a step.
 */
#ifndef LP_ENGINE_EXEC_H
#define LP_ENGINE_EXEC_H

#include <stdatomic.h>

#include "base/buf.h"
#include "engine/internal.h"

/* ---- places.c: a definition as a flat list of leaf steps ---- */

struct lp_group_at {
    const struct lp_step *step;
    char *key;
    size_t first, end; /* places [first, end) */
    const struct lp_group_at *outer;
};
struct lp_place {
    const struct lp_step *step;
    char *key;                       /* "verify", "group/sub" */
    const struct lp_group_at *group; /* innermost, or NULL */
};
/** How long attempts of a step took: one per place, so their number is known at the start. */
struct lp_step_times {
    atomic_ullong buckets[LP_STEP_BUCKETS]; /* not cumulated; slower ones only in `all` */
    atomic_ullong all, us;
};
struct lp_places {
    struct lp_place *rows;
    struct lp_step_times *times; /* as rows */
    size_t count;
    struct lp_group_at **groups;
    size_t group_count;
};
enum lp_code lp_places_build(const struct lp_registered *reg, struct lp_places *out,
                             struct lp_err *err) LP_MUST_CHECK;
void lp_places_free(struct lp_places *places);
/** The place of a stored key ("key/3": *each = 3); places->count when the definition has none. */
size_t lp_places_find(const struct lp_places *places, const char *key, size_t *each);

/* ---- a process in flight ---- */

#define LP_KEY_MAX 200
#define LP_KEY_RECOVER                                                                             \
    "recover" /* row that says the definition changed under the process (W14)                      \
               */
#define LP_KEY_ABORT   "abort"
#define LP_UNDO_PREFIX "undo:"

enum lp_phase {
    LP_PH_BORN,    /* its row is being committed, with our lease */
    LP_PH_CLAIM,   /* a hint: try to get the lease */
    LP_PH_CLAIMED, /* the claim was answered: recover */
    LP_PH_NEXT,    /* owned and recovered: run what comes next */
    LP_PH_IO,      /* T1 is committed: do the external operation */
    LP_PH_ACK,     /* the committer answered */
};

/** What the acknowledgement of a flush leads to. */
enum lp_after {
    LP_AFTER_GO,   /* the next step */
    LP_AFTER_IO,   /* T1 is durable */
    LP_AFTER_PARK, /* lease given up: forget it */
};

/** What each flush writes into the process row; kept twice so that a refused flush can be taken
 * back. */
struct lp_mark {
    enum lp_process_status status;
    int64_t head_seq, snapshot_seq, delta_bytes, state_bytes;
    int64_t row_seq;   /* of the row that is being worked on; 0 = not stored yet */
    int64_t retries;   /* of that row */
    int64_t attempt;   /* n of the newest attempt of this key */
    bool open_attempt; /* that attempt's row says running or awaiting */
    bool plain;        /* the row says running, with our lease, and neither wait nor error */
    struct lp_chain chain;
};

struct lp_thread;

struct lp_proc {
    struct lp_proc *next;  /* ready list */
    struct lp_proc *chain; /* table */
    struct lp_engine *engine;
    struct lp_executor *executor;
    struct lp_thread *thread; /* that works on it */
    char id[LP_UUID_LEN + 1];
    enum lp_phase phase;
    int priority;
    bool again;         /* guarded by executor.lock: a hint came while in flight */
    bool released;      /* given back before its end, because of a pause or a stop */
    atomic_bool poked;  /* look for requests before the next step */
    atomic_bool cancel; /* an abort was asked for: steps stop at their next check */

    /* head row, as of the last committed flush */
    const struct lp_registered *reg;
    const struct lp_places *places;
    enum lp_target target;
    bool is_task;
    char *actor, *ticket, *reason, *correlation;
    char parent[LP_UUID_LEN + 1];
    char window[LP_UUID_LEN + 1]; /* maintenance window it is bound to, or "" */
    int64_t epoch, requests, wake_at;
    struct lp_mark head;

    /* where it stands */
    size_t place;            /* index in places; count = behind the last */
    size_t each, each_count; /* EACH */
    bool each_known;
    bool undoing;
    char key[LP_KEY_MAX]; /* of the row that is being worked on */
    char title[LP_KEY_MAX];
    enum lp_step_status row_status;
    json_t *row_delta; /* stored delta of that row, or NULL */
    json_t *row_error; /* stored error of that row, or NULL */
    int64_t row_at;    /* completed_at of that row */
    int64_t in_row;    /* attempts in a row before this one */
    char token[LP_UUID_LEN + 1];
    bool unknown;      /* the newest attempt may have acted */
    bool named;        /* may hold named locks */
    json_t *held;      /* names of those that this call has taken, without slots; owned, or NULL */
    json_t *busy;      /* names of those that others had; owned, or NULL */
    int64_t carried;   /* attempts in a row of a group that begins anew */
    unsigned refused;  /* flushes refused in a row */
    bool fan_single;   /* FANOUT: one child per flush after a conflict */
    bool fan_bad;      /* that one child was refused */
    int64_t fan_begin; /* first item of the flush under way; INT64_MAX: none */
    json_t
        *fan_new;   /* ids of the children that flush creates, told to the queue behind it; owned */
    json_t *inputs; /* [{"key","n","kind","doc","actor"}] that were waiting at the claim */
    json_t *state;

    /* the flush that is under way */
    enum lp_after after;
    enum lp_code ack;
    struct lp_err ack_err;
    struct lp_mark before; /* to go back to when the flush fails */
    json_t *pending;       /* delta to fold in when it is acknowledged */
    bool pending_final;    /* the process ends with it */
    bool pending_success;  /* the row is done: go behind it */
    size_t pending_jump;   /* place to go to (skipped group); 0: the next */
    size_t fence_index, wake_index;
    struct lp_rows *claimed[4]; /* answers of the claim; owned */
    int64_t started_at;         /* of the attempt, UTC us */
    int64_t wake_known;         /* wake_at this flush stores; 0 none */
    const char *park_label; /* that an executor needs to take it up again, or NULL; a constant */
    int64_t wait_n;         /* number of the wait (INPUT, CALLBACK) */
    bool woken;             /* what it waits for came while the flush was under way */
    bool tell_parent;
    bool binding; /* this flush binds it to the window `bind` */
    char bind[LP_UUID_LEN + 1];
    bool told;       /* the flush holds a notice */
    int64_t took_us; /* the attempt that the flush ends; -1: it ends none */
};

/* ---- executor.c ---- */

struct lp_thread {
    struct lp_executor *executor;
    struct lp_thread *next_idle;
    struct lp_thread *next_all;
    pthread_t id;
    pthread_cond_t wake;
    bool called; /* guarded by executor.lock */
    bool slow;   /* guarded by executor.lock: in an operation that may take long */
    bool stays;  /* slow, because it commits; written by itself, with the lock held */
    struct lp_arena *arena;
    struct lp_proc *sending;  /* to be handed to the committer with this unit once nothing here
                                 refers to it any more */
    struct lp_unit *unit;     /* NULL: the answer is known already */
    atomic_llong deadline_us; /* CLOCK_BOOTTIME of the running step's timeout; 0 none */
    char process_id[LP_UUID_LEN + 1],
        step_key[LP_KEY_MAX]; /* of that step; valid while deadline_us is set */
};

struct lp_ready {
    struct lp_proc *first, **last;
};

enum { LP_PROC_BUCKETS = 1024, LP_FAN_LISTS = 4 };

/** Items of a FANOUT between two looks at its children: read and parsed again they would cost as
 * much as the list is long. Only lists that are stored; in no one else's hands while it is here. */
struct lp_fan_list {
    char process_id[LP_UUID_LEN + 1], key[LP_KEY_MAX];
    json_t *items; /* NULL: empty place */
};

struct lp_executor {
    struct lp_engine *engine;
    pthread_mutex_t lock;
    struct lp_proc *table[LP_PROC_BUCKETS];
    size_t in_flight, in_flight_max;
    struct lp_ready ready[2];
    size_t ready_count;
    struct lp_thread *threads, *idle;
    size_t thread_count, thread_max, idle_count, slow_count, thread_target;
    bool gathers;       /* the store says when those of one transaction are told */
    atomic_uint waking; /* who is about to signal a thread without the lock */
    bool stopping, ended;
    struct lp_fan_list fan_lists[LP_FAN_LISTS]; /* guarded by lock */
    size_t fan_next;                            /* place to be used next */
    size_t aside;                               /* units under way that belong to no proc */
    bool room_wanted;                           /* the dispatcher waits for room */
    size_t reserved;      /* slots that tasks leave to interactive processes */
    pthread_cond_t room;  /* dispatcher: a slot came free, or pause changed */
    pthread_cond_t empty; /* stop: nothing in flight */
    pthread_t dispatcher, keeper;
    bool dispatcher_on, keeper_on;
    atomic_bool paused, drained;
    bool narrow;              /* guarded by lock: the dispatcher waits for interactive hints only */
    struct lp_places *places; /* as engine->workflows */
    char *labels;             /* ",a,b," */
    char name[256];           /* daemon.name, or the host's */
    bool embedded;

    /* keeper.c */
    pthread_cond_t tick;
    bool tick_now;         /* guarded by lock */
    int64_t next_due_us;   /* UTC; earliest wake_at known here, 0 none */
    bool orphans;          /* owned rows without a proc may exist: the store failed */
    bool untold;           /* the end of a child may not have been told to its parent */
    int64_t crowded_at_us; /* CLOCK_BOOTTIME since when ready work has found no thread; 0 it does */
    uint64_t taken, crowded_taken; /* work taken up so far, and when the crowd began */
    bool slept;                    /* keeper is in a long sleep */
    int64_t looked_us;             /* keeper: CLOCK_BOOTTIME of its last look without hints */

    /* lease.c */
    atomic_llong lease_end_us; /* CLOCK_BOOTTIME: steps stop acting, a margin before the end that
                                  the database knows; INT64_MAX embedded */
    atomic_uint lapse;         /* lost leases: a step begun before stays cancelled */
    atomic_bool ending;        /* the end came without a renewal, and was told */
    atomic_bool doomed;        /* another executor has our name: this one stops */
    pthread_t beater;
    bool beater_on;
    pthread_cond_t beat;     /* with lock: the renewals end */
    bool beats_end;          /* guarded by lock */
    atomic_llong stop_by_us; /* CLOCK_BOOTTIME; 0 = not stopping */
};

/** Puts a proc into the ready list. */
void lp_executor_ready(struct lp_executor *executor, struct lp_proc *proc);
/** The same for one of several that were committed together. */
void lp_executor_gather(struct lp_executor *executor, struct lp_proc *proc);
/** Takes it out of the table and frees it; offers it again when a hint came meanwhile. */
void lp_executor_drop(struct lp_executor *executor, struct lp_proc *proc);
/** A hint: makes a proc in phase CLAIM, or marks the one there is. */
void lp_executor_offer(struct lp_executor *executor, const char *id, int priority);
/** Lock held: ready work has waited for a while; one more thread when those at work make too little
 * of it. */
void lp_executor_relieve(struct lp_executor *executor);
enum { LP_CROWDED_US = 5000 };
/** Submits a unit nobody waits for; a stop waits for it all the same. done (may be NULL) as
 * lp_unit_done with the engine as arg. */
void lp_executor_aside(struct lp_executor *executor, struct lp_unit *unit, lp_unit_done *done);
bool lp_executor_stopping(struct lp_executor *executor);
/** The thread is about to do something that may take long (true), or is back (false): others take
 * over its share. */
void lp_thread_slow(struct lp_thread *thread, bool slow);
/** True: nothing else is ready, so the thread may see to its commit itself; it counts as slow until
 * its process is ready again or lp_thread_back. */
bool lp_thread_stays(struct lp_thread *thread) LP_MUST_CHECK;
void lp_thread_back(struct lp_thread *thread);

/* ---- lease.c: the executor's row, its name and its renewals ---- */

/** Takes the name (LP_CONFLICT: a living executor has it) and the lease, retires the former
 * incarnation, begins to renew. */
enum lp_code lp_lease_begin(struct lp_executor *executor, struct lp_err *err) LP_MUST_CHECK;
/** Ends the renewals; the row stays as it is. */
void lp_lease_end(struct lp_executor *executor);
/** Gives the lease back: everything that was submitted is committed before. */
void lp_lease_retire(struct lp_executor *executor);
/** Stops what acts on devices when the lease comes to its end without a renewal, and says so. */
void lp_lease_watch(struct lp_executor *executor);
/** Until lp_lease_watch has something to do, in ms. */
int64_t lp_lease_left_ms(const struct lp_executor *executor);
/** Whether steps may begin and act: the lease has some time left. */
bool lp_lease_alive(const struct lp_executor *executor);

/* ---- keeper.c: sweeper, watchdog ---- */

void *lp_keeper_main(void *arg);
/** Whether an operator drained this executor; takes effect. */
enum lp_code lp_keeper_read_drain(struct lp_executor *executor, struct lp_err *err) LP_MUST_CHECK;
void lp_keeper_poke(struct lp_executor *executor);
/** A wake_at was stored. */
void lp_keeper_due(struct lp_executor *executor, int64_t utc_us);
/** The store failed under a process: look for owned rows once it is back. */
void lp_keeper_orphan(struct lp_executor *executor);
/** A parent was not told that a child of it ended, because the store refused or did not answer:
 * those that wait for children are woken as soon as it takes that. */
void lp_keeper_untold(struct lp_executor *executor);

/* ---- load.c: claim and recovery ---- */

/** Leaves the claim to be submitted; the answer comes with phase CLAIMED. */
void lp_proc_claim(struct lp_proc *proc);
/** Reads the answer. LP_OK: owned, phase NEXT. LP_NOT_FOUND: not ours to take. LP_STORE ...: try
 * later. */
enum lp_code lp_proc_claimed(struct lp_proc *proc, struct lp_err *err) LP_MUST_CHECK;
enum { LP_CLAIM_HEAD, LP_CLAIM_STEPS, LP_CLAIM_INPUTS, LP_CLAIM_ATTEMPT, LP_CLAIM_ROWS };
struct lp_proc *lp_proc_new(struct lp_executor *executor, const char *id);
void lp_proc_free(struct lp_proc *proc);
/** Moves to a place without a row of its own yet. */
void lp_proc_enter(struct lp_proc *proc, size_t place);
void lp_proc_set_key(struct lp_proc *proc);
/** Input of that kind that waits for the current key, or NULL (borrowed). */
json_t *lp_proc_input(struct lp_proc *proc, const char *kind);
bool lp_text_to_status(const char *text, enum lp_process_status *out);

/* ---- flush.c: one fenced unit per step ---- */

/** What a flush says. Texts are borrowed during the call. */
struct lp_flush {
    enum lp_step_status row;
    enum lp_process_status status;
    enum lp_after after;
    struct lp_unit *writes; /* of the step, or NULL; taken */
    json_t *set;            /* delta members, borrowed; NULL none */
    const json_t *unset;    /* names, borrowed; NULL none */
    json_t *audit;          /* further members of the audit body, borrowed; NULL none */
    const struct lp_err *error;
    int64_t in_row;                 /* attempts in a row, kept with the error */
    const char *assignee;           /* NULL: the step's */
    const char *created_by;         /* NULL: who started the process */
    const struct lp_caller *caller; /* who the audit row names; NULL: who started the process */
    const char *outcome;            /* of the attempt; NULL: no attempt row is touched */
    const char *note;               /* JSON kept with the attempt when there is no error, or NULL */
    const char *wait_kind, *wait_reason, *label;
    int64_t wake_at;    /* UTC us; 0 none */
    json_t *error_more; /* members added to the stored error object, borrowed */
    bool keep_delta;    /* the row's stored delta stays as it is */
    size_t jump;        /* place to go to after success; 0 the next */
};
#define LP_FLUSH(...) ((struct lp_flush){__VA_ARGS__})

/** Builds; lp_proc_advance submits when the call has unwound, and the proc belongs to the committer
 * then. */
void lp_flush_submit(struct lp_proc *proc, const struct lp_flush *flush);
/** Builds into `unit` (DB_RW): the caller commits and calls lp_flush_done. */
enum lp_code lp_flush_build(struct lp_proc *proc, const struct lp_flush *flush,
                            struct lp_unit *unit, struct lp_err *err) LP_MUST_CHECK;
/** Leaves a built unit (NULL: proc->ack is set already) to be submitted by lp_flush_hand_over. */
void lp_flush_send(struct lp_proc *proc, struct lp_unit *unit);
void lp_flush_hand_over(struct lp_thread *thread);
/** What the fence of a committed flush answered: open requests, window. */
void lp_flush_head(struct lp_proc *proc, const struct lp_rows *rows);
/** The committer's answer to a claim or a flush. */
void lp_flush_done(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err);
/** T1: the attempt is running (EXTERNAL, CALLBACK). */
void lp_flush_attempt(struct lp_proc *proc);
/** times.c: counts the attempt that the flush under way has ended, once it is committed. */
void lp_step_took(struct lp_proc *proc);
/** notice.c: queues the notice of a process that now needs a person. True: there is one. */
bool lp_flush_notice(const struct lp_proc *proc, const struct lp_flush *flush,
                     struct lp_unit *unit);
/** Gives the lease back without a word in the log. */
void lp_flush_release(struct lp_proc *proc);
/** Waits for children as before: nothing is logged. `seen` of them have ended. */
void lp_flush_park_again(struct lp_proc *proc, int64_t wake_at, int64_t seen);
/** Takes the answer: folds the delta, moves on. True: go on with phase NEXT or IO; false: dropped.
 */
bool lp_flush_acked(struct lp_proc *proc);
/** Unit that begins with the fence alone (T1 things, compensations, named locks). */
struct lp_unit *lp_flush_touch(const struct lp_proc *proc);
struct lp_caller lp_proc_caller(const struct lp_proc *proc);

/* ---- advance.c, waits.c, fanout.c, undo.c ---- */

/* Each of these leaves the proc submitted, dropped, or in a phase that lp_proc_advance goes on with
 * at once: true means "go on". */
void lp_proc_advance(struct lp_thread *thread, struct lp_proc *proc);
/** Logs a failed attempt: retried later, or failed. `writes` (may be NULL, taken) go with it. */
void lp_proc_failed(struct lp_proc *proc, const struct lp_err *error, struct lp_unit *writes);
const struct lp_step *lp_proc_step(const struct lp_proc *proc);
/** The step ended the program too often: logged as failed, true. Also true when the store failed.
 */
bool lp_proc_crashed(struct lp_proc *proc, const struct lp_step *step);
/** Marks the start of an attempt of the current row. */
void lp_proc_begin(struct lp_proc *proc);
/** n and outcome of the newest attempt of the current key. LP_STORE. */
enum lp_code lp_proc_load_attempt(struct lp_proc *proc, struct lp_err *err) LP_MUST_CHECK;
/** Somebody else has it, or the lease ran out: says so with both epochs, and drops the proc. */
void lp_proc_fenced(struct lp_proc *proc, const struct lp_err *err);
/** The store failed: forget the proc, it is found again when the store answers. */
void lp_proc_lost(struct lp_proc *proc, struct lp_err *err);
/** Runs fn as an attempt of the current row: effects, result, retries. The place for steps and for
 * their undo. */
bool lp_proc_attempt(struct lp_thread *thread, struct lp_proc *proc, const struct lp_step *step);
/** What a finished call leads to. */
bool lp_proc_finish(struct lp_proc *proc, struct lp_run *run, enum lp_code rc, json_t *delta,
                    struct lp_err *err);
bool lp_wait_input(struct lp_proc *proc);
bool lp_wait_callback(struct lp_thread *thread, struct lp_proc *proc);
/** The action of a CALLBACK step has returned: now it waits. */
void lp_wait_sent(struct lp_proc *proc, struct lp_run *run, json_t *delta);
bool lp_fanout(struct lp_thread *thread, struct lp_proc *proc);
/** Forgets the item lists that parents left. */
void lp_fan_forget(struct lp_executor *executor);
/** Consumes process_requests. True: something was submitted or dropped. */
bool lp_undo_requests(struct lp_proc *proc);
bool lp_undo_next(struct lp_thread *thread, struct lp_proc *proc);
/** A flush with children was refused: goes on one by one. False: it was not about children. */
bool lp_fanout_refused(struct lp_proc *proc);

/* ---- run.c ---- */

struct lp_run_private {
    struct lp_proc *proc;
    struct lp_thread *thread;
    struct lp_unit *unit;
    json_t *unset, *audit;
    json_t *dry; /* {id: what a dry run changed in this step}, or NULL */
    struct lp_subscription **subs;
    size_t sub_count;
    int64_t wake_at;
    char wake_reason[300]; /* outlives the arena of the call */
    bool locked_out;       /* a named lock is busy: park */
    char busy[160];
    int64_t deadline_us;
    unsigned lapse;
    int64_t told_us; /* last progress note */
};

/** Fills run and priv for a call of the current step. */
void lp_run_begin(struct lp_run *run, struct lp_run_private *priv, struct lp_thread *thread,
                  struct lp_proc *proc, struct lp_txn *txn);
/** Calls fn between watchdog marks; checks the bracket (an error is set exactly when it fails). */
enum lp_code lp_run_call(struct lp_run *run, lp_step_fn *fn, const json_t *state, json_t *delta,
                         struct lp_err *err) LP_MUST_CHECK;
void lp_run_end(struct lp_run *run);

/* ---- lockwaits.c ---- */

void lp_lock_taken(struct lp_proc *proc, const char *name);
void lp_lock_busy(struct lp_proc *proc, const char *name);
/** What the flush that parks has to store: who waits for what. */
struct lp_unit *lp_lock_waits(const struct lp_proc *proc);
/** The flush that gave named locks back is committed: wakes those that wait longest for them. */
void lp_lock_released(struct lp_proc *proc);

/* ---- dryrun.c ---- */

/** Puts what the dry run has changed of a subscription over `*sub` (NULL: not stored; made when the
 * dry run has created it). */
enum lp_code lp_dry_run_overlay(struct lp_run *run, const char *id, struct lp_subscription **sub,
                                struct lp_err *err) LP_MUST_CHECK;
/** Remembers a changed subscription for this state instead of the database. */
enum lp_code lp_dry_run_keep(struct lp_run *run, const struct lp_subscription *sub,
                             struct lp_err *err) LP_MUST_CHECK;
/** Moves what was remembered into the delta of the step. */
void lp_dry_run_delta(struct lp_run *run, json_t *delta);

/* ---- state.c ---- */

/** Canonical delta text {"set":..., "unset":...} ("{}" when empty), malloc'ed. LP_INVALID: reals,
 * NUL characters, too deep. */
enum lp_code lp_delta_text(const json_t *set, const json_t *unset, char **text, size_t *len,
                           struct lp_err *err) LP_MUST_CHECK;
/** Recursive object merge of more into a new copy of base; arrays and scalars are replaced. New
 * reference. */
json_t *lp_json_merge(const json_t *base, const json_t *more);
/** Text for a column: valid UTF-8 without NUL by construction of lp_err; the object {class, error,
 * ...}. New reference. */
json_t *lp_error_json(const struct lp_err *err);

#endif
