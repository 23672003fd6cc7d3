/**
 * Inside the store room only: the parts and how they meet. Not included from other rooms.
 *
 *   db.c         the store: opening, reader pool, reads, write transactions
 *   committer.c  the threads that turn queued units into transactions
 *   unit.c       units: statements with copied arguments
 *   text.c       parameters by name, statements put together at run time
 *   rows.c       materialised results
 *   beat.c       an executor's name and the renewals of its lease
 *   db_sqlite.c, db_pg.c   the two back ends behind struct lp_backend
 *   migrate.c    schema versions
 *   backup.c     backup and restore
 *
 * Lock order: none of the locks below is taken while another is held.
 */
#ifndef LP_STORE_INTERNAL_H
#define LP_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/db.h"

/* ---- generated tables ---- */

struct lp_sql {
    const char *name;
    const char *text[LP_DIALECT_COUNT];
    const char *const *params; /* names of $1 / ?1 ... in order */
    const char *table;         /* table it writes, or NULL for a read */
    unsigned param_count;
    bool rows;   /* returns rows */
    bool append; /* nothing in the same transaction reads or changes the row */
};
extern const struct lp_sql lp_sql_table[LP_SQL_COUNT];

struct lp_migration {
    enum lp_dialect dialect;
    int n;
    const char *name;
    const char *checksum;
    const char *text;
    bool contract; /* the release before does not tolerate it */
};
extern const struct lp_migration lp_migrations[];
extern const size_t lp_migration_count;
extern const int lp_migration_last;

/* ---- values and statements ---- */

struct lp_value {
    enum { LP_VALUE_NULL, LP_VALUE_INT, LP_VALUE_TEXT } kind;
    int len; /* of s, without its NUL */
    int64_t i;
    const char *s;
};

#define LP_MAX_PARAMS 64 /* lp_bind has a bit for each */

/** Says what is wrong with the program and aborts: a statement used against its declaration. */
_Noreturn void lp_store_bug(const char *fmt, ...) LP_PRINTF(1, 2);
/** Puts arguments into parameter order; texts are borrowed. Aborts on a missing, unknown or doubled
 * name. LP_INVALID: not UTF-8. */
enum lp_code lp_bind(const struct lp_sql *sql, const struct lp_arg *args, size_t count,
                     struct lp_value *out, struct lp_err *err) LP_MUST_CHECK;
/** Rewrites :name to $n or ?n in the order of args; malloc'ed. Every parameter must be an argument
 * and the other way round. */
char *lp_text_rewrite(const char *sql, enum lp_dialect dialect, const struct lp_arg *args,
                      size_t count);
bool lp_text_ok(const char *text, size_t len); /* UTF-8; fast for ASCII */

/** One statement as a back end runs it. */
struct lp_call {
    const struct lp_sql *sql; /* NULL: text below, not prepared ahead */
    const char *text;         /* rewritten */
    const struct lp_value *values;
    size_t count;
};

/* ---- rows.c ---- */

struct lp_cell {
    const char *text; /* NULL: SQL null */
    int64_t i;
};
struct lp_rows {
    const char **names;
    size_t columns, count, cap;
    struct lp_cell *cells;  /* count * columns */
    struct lp_arena *arena; /* texts, when they are ours */
    void *owner;            /* or the library's result that holds them */
    void (*drop)(void *owner);
};
/** An empty result; NULL without memory. */
struct lp_rows *lp_rows_new(size_t columns);
/** Room for one more row, zeroed; NULL without memory. */
struct lp_cell *lp_rows_add(struct lp_rows *rows);

/* ---- unit.c ---- */

struct lp_item {
    enum lp_stmt stmt;
    bool want_rows;
    const struct lp_value *values;
    int64_t changed;
    struct lp_rows *rows;
};
struct lp_chunk;
struct lp_unit {
    struct lp_unit *next; /* committer's queue */
    struct lp_item *items;
    size_t count, cap;
    const char *key; /* "" without one */
    uint64_t key_hash;
    bool alone;
    enum lp_code fault; /* an argument was unusable: the unit fails with this */
    const char *fault_text;
    struct lp_chunk *chunks;
    /* while it is queued */
    lp_unit_done *done;
    void *arg;
    bool keep;     /* the submitter frees it */
    bool shared;   /* told together with others: the listener is called after them */
    lp_txn_fn *fn; /* a write transaction with reads: runs before the items */
    void *fn_arg;
    struct lp_unit *body; /* fn units: whose items follow fn */
};
/** Forgets results of an attempt. */
void lp_unit_reset(struct lp_unit *unit);

/* ---- broken rules, told alike by both back ends (db.c) ---- */

/** place = "table.column": LP_FENCED for processes.lease_epoch and leases.epoch, else LP_CONFLICT.
 */
enum lp_code lp_fail_not_null(struct lp_err *err, const char *place) LP_MUST_CHECK;
/** LP_CONFLICT with the name of the rule as PostgreSQL makes it. */
enum lp_code lp_fail_unique(struct lp_err *err, const char *rule) LP_MUST_CHECK;
/** LP_CONFLICT at "<written table>.foreign_key": SQLite does not say more. */
enum lp_code lp_fail_foreign(struct lp_err *err, const char *table) LP_MUST_CHECK;
/** For an LP_CONFLICT of a statement that writes subscriptions or blocks: err->detail =
 * {"statement": name, "arguments": {short texts and numbers}}, which
 * lp_subscription_explain_conflict turns into a sentence. */
void lp_conflict_detail(const struct lp_sql *sql, const struct lp_value *values,
                        struct lp_err *err);

/* ---- back ends ---- */

enum lp_role { LP_CONN_READER, LP_CONN_WRITER, LP_CONN_CLAIMER, LP_CONN_ADMIN };

struct lp_conn; /* each back end has its own */

struct lp_backend {
    enum lp_dialect dialect;
    const char *name;
    /* A new connection. LP_STORE when it cannot be made now. */
    enum lp_code (*open)(const struct lp_store_options *options, enum lp_role role,
                         struct lp_conn **out, struct lp_err *err);
    void (*close)(struct lp_conn *conn);
    bool (*broken)(struct lp_conn *conn); /* looks at the socket; never blocks */
    /* One statement. rows may be NULL; changed may be NULL. An open transaction is in an undefined
     * state after a failure: roll it back. */
    enum lp_code (*run)(struct lp_conn *conn, const struct lp_call *call, struct lp_rows **rows,
                        int64_t *changed, struct lp_err *err);
    enum lp_code (*begin)(struct lp_conn *conn, bool write, struct lp_err *err);
    enum lp_code (*commit)(struct lp_conn *conn, struct lp_err *err);
    void (*rollback)(struct lp_conn *conn);
    /* All units in one transaction, committed or rolled back as a whole when it returns. */
    enum lp_code (*batch)(struct lp_conn *conn, struct lp_unit *const *units, size_t count,
                          struct lp_err *err);
    /* Several statements without arguments (migrations). */
    enum lp_code (*script)(struct lp_conn *conn, const char *text, struct lp_err *err);
    /* From now on a statement that takes longer breaks the connection; 0: the role's own limit.
     * NULL: statements end by themselves. */
    void (*limit)(struct lp_conn *conn, int64_t ms);
    /* Called by the committer after each batch; cheap. */
    void (*settle)(struct lp_conn *conn);
};
extern const struct lp_backend lp_backend_sqlite, lp_backend_postgres;
const struct lp_backend *lp_backend_for(const char *url, struct lp_err *err); /* NULL: not a URL */

struct lp_txn {
    const struct lp_backend *backend;
    struct lp_conn *conn;
    enum lp_code failed; /* sticky: nothing more is run after a failure */
    int64_t end_us;      /* CLOCK_MONOTONIC: its function has until then */
};
/** Begins, runs fn, then the statements of the unit (may be NULL), and commits, or rolls back. */
enum lp_code lp_txn_whole(const struct lp_backend *backend, struct lp_conn *conn, lp_txn_fn *fn,
                          void *arg, const struct lp_unit *unit, struct lp_err *err) LP_MUST_CHECK;

/* ---- committer.c ---- */

/* One thread with a connection of its own. */
struct lp_writer {
    struct lp_committer *committer;
    struct lp_conn *conn; /* NULL while lost */
    pthread_t thread;
    int64_t retry_at_us, backoff_us; /* reconnect */
    struct lp_unit **taken;          /* the batch in work: room for `batch` units */
    uint64_t *keys;                  /* their hashes, which outlive them; guarded by lock */
    size_t key_count;
    bool lent; /* guarded by lock: another thread works with the connection and what is above */
};

enum { LP_WRITERS_MOST = 8 };

/* The first writer is there from the start and does everything as long as it keeps up. More come on
 * PostgreSQL: one when the queue is longer than a batch, and when every unit is a transaction of
 * its own (batch 1) as many as there is work for, because the server commits those of several
 * connections together. Units of one key are never in work at two of them, and one that is to be
 * alone has nothing beside it. */
struct lp_committer {
    const struct lp_backend *backend;
    const struct lp_store_options *options;
    unsigned batch;
    bool started;
    pthread_mutex_t lock; /* guards the queue and all below up to the counters */
    pthread_cond_t wake;  /* writers without work */
    pthread_cond_t retry; /* writers that wait to connect again */
    struct lp_unit *head, **tail;
    size_t length;
    bool closing, alone; /* alone: such a unit is in work */
    struct lp_writer writers[LP_WRITERS_MOST];
    size_t writer_count, writer_most, busy, idle;
    void (*after)(void *arg); /* called with the lock held */
    void *after_arg;
    atomic_uint_fast64_t queued, units, batches, failures;
    atomic_int_fast64_t last_commit_us;
};
enum lp_code lp_committer_start(struct lp_committer *committer, const struct lp_backend *backend,
                                const struct lp_store_options *options, struct lp_conn *conn,
                                struct lp_err *err) LP_MUST_CHECK;
/** Finishes what is queued, ends the thread and closes its connection. */
void lp_committer_stop(struct lp_committer *committer);
/** Queues a unit whose done, arg, keep (and fn) are set. */
void lp_committer_push(struct lp_committer *committer, struct lp_unit *unit);
/** Commits the unit in the calling thread with the connection of the first writer, when nobody is
 * at work and nothing queued: what waking two threads costs is most of the price of a single
 * commit. False: somebody is; the unit is still the caller's. What is queued meanwhile waits for
 * the end, as it would behind any other commit. */
bool lp_committer_here(struct lp_committer *committer, struct lp_unit *unit) LP_MUST_CHECK;
/** See lp_store_after. */
bool lp_committer_after(struct lp_committer *committer, void (*after)(void *arg), void *arg);
/** One or the other, and waits for the end. */
enum lp_code lp_committer_wait(struct lp_committer *committer, struct lp_unit *unit,
                               struct lp_err *err) LP_MUST_CHECK;

/* ---- db.c ---- */

struct lp_slot {
    struct lp_conn *conn; /* NULL: not open */
    bool busy;
    pthread_t owner; /* while busy */
};
struct lp_pool {
    pthread_mutex_t lock; /* guards busy and count */
    pthread_cond_t free;
    struct lp_slot *slots;
    unsigned size; /* for threads that hold none; as many again for those that hold one already */
    enum lp_role role;
};
struct lp_store {
    struct lp_store_options options; /* strings owned */
    const struct lp_backend *backend;
    struct lp_pool readers;
    struct lp_pool writers; /* PostgreSQL: write transactions with reads in between */
    struct lp_committer committer;
    int lock_fd; /* SQLite: the lock file, or -1 */
    /* beat.c, PostgreSQL; one thread at a time */
    struct lp_conn *name_conn; /* holds the lock on an executor's name, or NULL */
    char *name;
    bool name_owned;
    /* lp_store_beside */
    pthread_mutex_t beside_mutex; /* guards the pointer alone */
    void *beside;
    void (*beside_drop)(void *);
};
/** A copy of options with owned strings. */
enum lp_code lp_options_copy(struct lp_store_options *to, const struct lp_store_options *from,
                             struct lp_err *err) LP_MUST_CHECK;
void lp_options_free(struct lp_store_options *options);

/* ---- migrate.c ---- */

/** LP_PRECONDITION: older or empty; LP_STORE: newer, edited or somebody else's. */
enum lp_code lp_schema_check(const struct lp_backend *backend, struct lp_conn *conn,
                             struct lp_err *err) LP_MUST_CHECK;

/* ---- db_sqlite.c ---- */

/** The file name in "sqlite:PATH", or NULL. */
const char *lp_sqlite_path(const char *url);
/** Takes "<db>.lock" for this process. LP_CONFLICT names the holder. */
enum lp_code lp_sqlite_lock(const char *path, int *fd, struct lp_err *err) LP_MUST_CHECK;
/** Copies the whole database of url into a new file (online); or a backup file into the place of
 * url. */
enum lp_code lp_sqlite_copy(const char *from, const char *to, struct lp_err *err) LP_MUST_CHECK;

/* ---- db_pg.c ---- */

/** Environment of a child program that reaches the same database: "PGHOST=..." ...,
 * NULL-terminated, to be freed by lp_pg_env_free. */
char **lp_pg_env(struct lp_conn *conn);
void lp_pg_env_free(char **env);
int lp_pg_server_major(struct lp_conn *conn);
const char *lp_pg_database(struct lp_conn *conn);
const char *lp_pg_schema(const struct lp_store_options *options);

#endif
