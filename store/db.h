/**
 * The database: one interface over libpq and sqlite3.
 *
 * Statements live in store/sql/<file>.sql as named texts and are compiled by store/sqlgen.py into
 * enum lp_stmt (LP_SQL_<NAME>), a const table and parameter names. File format:
 *     -- name: process_get            (then the statement; parameters are :name)
 *     -- name: outbox_number postgres (a dialect text where a measurement demands one; the other
 * keeps the common text) One text serves both databases (rules: docs/architecture.md, "One SQL
 * text"): CAST(:x AS bigint|text), integers and texts only.
 *
 * Threads: lp_store is shared. Reads borrow a connection for the call (or for the life of an
 * lp_reader). Writes go as *units* to the committer, which batches what is queued into one
 * transaction without waiting for more; on SQLite its thread owns the only writing connection.
 */
#ifndef LP_STORE_DB_H
#define LP_STORE_DB_H

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/uuid.h"
#include "store/sql.gen.h"

enum lp_dialect { LP_DIALECT_SQLITE, LP_DIALECT_POSTGRES, LP_DIALECT_COUNT };

/* ---- arguments: bound by name ---- */

struct lp_arg {
    const char *name;
    enum { LP_ARG_NULL, LP_ARG_INT, LP_ARG_TEXT } kind;
    int64_t i;
    const char *s; /* borrowed during the call; units copy it */
};
#define lp_int(name_, value_)                                                                      \
    ((struct lp_arg){.name = (name_), .kind = LP_ARG_INT, .i = (int64_t)(value_)})
/** NULL text binds SQL null. */
#define lp_text(name_, value_) lp_arg_text((name_), (value_))
#define lp_null(name_)         ((struct lp_arg){.name = (name_), .kind = LP_ARG_NULL})
static inline struct lp_arg
lp_arg_text(const char *name, const char *value)
{
    return (struct lp_arg){
        .name = name, .kind = value == NULL ? LP_ARG_NULL : LP_ARG_TEXT, .s = value};
}
/** LP_ARGS(lp_text("id", id), lp_int("n", 3)) expands to the pair (array, count). */
#define LP_ARGS(...)                                                                               \
    (const struct lp_arg[]){__VA_ARGS__},                                                          \
        (sizeof((const struct lp_arg[]){__VA_ARGS__}) / sizeof(struct lp_arg))
#define LP_NO_ARGS NULL, 0

/* ---- rows ---- */

struct lp_rows; /* materialised result, independent of the connection */
size_t lp_rows_count(const struct lp_rows *rows); /* NULL, after a failed query: 0 */
/** Column by name; aborts on a name the statement does not return (a bug, caught by the test that
 * prepares everything). */
bool lp_rows_null(const struct lp_rows *rows, size_t row, const char *column);
const char *lp_rows_text(const struct lp_rows *rows, size_t row,
                         const char *column); /* borrowed; NULL for SQL null */
int64_t lp_rows_int(const struct lp_rows *rows, size_t row,
                    const char *column); /* 0 for SQL null */
/** Forgets the rows from `count` on. */
void lp_rows_cut(struct lp_rows *rows, size_t count);
void lp_rows_free(struct lp_rows *rows);

/* ---- opening ---- */

struct lp_store;
struct lp_store_options {
    const char *url;    /* sqlite:PATH, or a libpq URL / conninfo */
    unsigned pool;      /* reading connections */
    unsigned batch;     /* most units in one transaction; 1 = strict */
    const char *schema; /* PostgreSQL search_path, NULL = lightpath */
    struct lp_log *log;
    const struct lp_clock *clock;
};
/** Opens and checks the schema version. LP_STORE: unreachable, not ours, corrupt (quick_check of
 * the header), or newer than this program; LP_PRECONDITION: older (run lp_store_migrate). SQLite:
 * takes an exclusive lock file "<db>.lock"; LP_CONFLICT names the holder's pid. */
enum lp_code lp_store_open(const struct lp_store_options *options, struct lp_store **out,
                           struct lp_err *err) LP_MUST_CHECK;
void lp_store_close(struct lp_store *store); /* finishes what was submitted first */
enum lp_dialect lp_store_dialect(const struct lp_store *store);
/** Applies the migrations compiled into this program: numbered, checksummed, each in a transaction,
 * under a lock. Creates the database file or schema when absent. Refuses a newer database and an
 * edited old migration. *applied = how many. */
enum lp_code lp_store_migrate(const struct lp_store_options *options, unsigned *applied,
                              struct lp_err *err) LP_MUST_CHECK;
int lp_store_schema_version(void); /* what this program needs */
/** LP_OK when a trivial write transaction can be made now. */
enum lp_code lp_store_ping(struct lp_store *store, struct lp_err *err) LP_MUST_CHECK;
/** The database's clock in UTC microseconds (what leases are measured with). */
enum lp_code lp_store_now(struct lp_store *store, int64_t *utc_us,
                          struct lp_err *err) LP_MUST_CHECK;
/** Proves that nobody else runs under this name: true at once with a SQLite file (its lock says
 * so), on PostgreSQL when the advisory lock on the name was free; it is held on a connection of its
 * own until the store is closed or that connection ends. Threads: one caller. */
enum lp_code lp_store_own_name(struct lp_store *store, const char *name, bool *owned,
                               struct lp_err *err) LP_MUST_CHECK;
/**
 * One statement on the connection that holds the name (lp_store_own_name was called before), beside
 * the committer: for renewals of leases. Ends within timeout_ms once connected. A lost connection
 * is made again and the name tried for again: *owned says whether it is held now. Threads: one at a
 * time. LP_STORE, LP_UNKNOWN: it may have been done.
 */
enum lp_code lp_store_beat(struct lp_store *store, enum lp_stmt stmt, const struct lp_arg *args,
                           size_t arg_count, int64_t timeout_ms, int64_t *changed, bool *owned,
                           struct lp_err *err) LP_MUST_CHECK;
/** Online backup to a new file: SQLite backup API, or pg_dump -Fc. LP_CONFLICT when the file
 * exists. */
enum lp_code lp_store_backup(struct lp_store *store, const char *path,
                             struct lp_err *err) LP_MUST_CHECK;
/** Offline restore of such a file into an empty place; sets settings.restored = 1. */
enum lp_code lp_store_restore(const struct lp_store_options *options, const char *path,
                              struct lp_err *err) LP_MUST_CHECK;

/**
 * What somebody above remembers of this database (a cache): made by `make` at the first call, freed
 * by `drop` when the store is closed. Every caller of one store passes the same functions; the
 * thing guards itself. NULL when `make` gave none. Threads: any.
 */
void *lp_store_beside(struct lp_store *store, void *(*make)(void), void (*drop)(void *));

/* ---- reading ---- */

/** One statement on a borrowed connection. *rows is the caller's. */
enum lp_code lp_query(struct lp_store *store, enum lp_stmt stmt, const struct lp_arg *args,
                      size_t arg_count, struct lp_rows **rows, struct lp_err *err) LP_MUST_CHECK;
/** The same for a text put together at run time from constant pieces (list filters); values only as
 * arguments. */
enum lp_code lp_query_text(struct lp_store *store, const char *sql, const struct lp_arg *args,
                           size_t arg_count, struct lp_rows **rows,
                           struct lp_err *err) LP_MUST_CHECK;

/** Several reads of one snapshot on one connection. Short: never across a form's wait or device
 * I/O. */
struct lp_reader;
enum lp_code lp_reader_open(struct lp_store *store, struct lp_reader **out,
                            struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_reader_query(struct lp_reader *reader, enum lp_stmt stmt, const struct lp_arg *args,
                             size_t arg_count, struct lp_rows **rows,
                             struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_reader_query_text(struct lp_reader *reader, const char *sql,
                                  const struct lp_arg *args, size_t arg_count,
                                  struct lp_rows **rows, struct lp_err *err) LP_MUST_CHECK;
void lp_reader_close(struct lp_reader *reader);

/* ---- writing: units ---- */

/** A set of statements that commits as a whole or not at all. Built by one thread, then submitted.
 */
struct lp_unit;
typedef void lp_unit_done(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err);

struct lp_unit *lp_unit_new(void);       /* aborts the program without memory */
void lp_unit_free(struct lp_unit *unit); /* only when it was not submitted */
/** Queues a statement (arguments are copied) and returns its index. */
size_t lp_unit_add(struct lp_unit *unit, enum lp_stmt stmt, const struct lp_arg *args,
                   size_t arg_count);
/** Keeps the rows that statement returns (RETURNING); read them with lp_unit_rows after success. */
void lp_unit_want_rows(struct lp_unit *unit, size_t index);
const struct lp_rows *lp_unit_rows(const struct lp_unit *unit, size_t index);
/** The same, handed over: the caller frees them, also after the unit. */
struct lp_rows *lp_unit_rows_take(struct lp_unit *unit, size_t index);
/** Rows that statement changed; valid after success. */
int64_t lp_unit_changed(const struct lp_unit *unit, size_t index);
/** Batches lock in id order and never hold two units of one key (normally the process id). */
void lp_unit_key(struct lp_unit *unit, const char *key);
const char *lp_unit_key_get(const struct lp_unit *unit);
/** Commits by itself, behind everything that was queued before and before all that comes after. */
void lp_unit_alone(struct lp_unit *unit);
size_t lp_unit_size(const struct lp_unit *unit); /* statements */
/** Moves all statements of src behind those of dst; src is freed. Returns the index offset. */
size_t lp_unit_append(struct lp_unit *dst, struct lp_unit *src);

/**
 * Hands the unit to the committer (taken in every case). `done` runs on a committer thread after
 * the commit or the failure, must not block, and the unit is freed when it returns. A failed batch
 * is rolled back and its units committed one by one, so that only the culprit fails. Codes:
 * LP_FENCED (NOT NULL on processes.lease_epoch), LP_CONFLICT (NOT NULL on subscriptions.version or
 * lock_seq, unique and foreign keys; err->pointer = "table.column" or constraint name), LP_STORE
 * (connection, disk full; nothing was committed, or after a connection loss at commit: LP_UNKNOWN).
 */
void lp_store_submit(struct lp_store *store, struct lp_unit *unit, lp_unit_done *done, void *arg);
/** The same by the calling thread itself when nobody else commits (`done` runs on it then), else as
 * above: for a caller that has nothing else to do. It may take as long as a commit takes. */
void lp_store_submit_here(struct lp_store *store, struct lp_unit *unit, lp_unit_done *done,
                          void *arg);
/**
 * From now on `after` is called when all units of a shared transaction have been told (those whose
 * `done` sees lp_unit_shared): what each of them would have to do once more, a thread to be woken,
 * is done once. It must neither block nor call the store. NULL takes it back: it does not run any
 * more then. There is room for one; false: another one has it, and nothing was changed.
 */
bool lp_store_after(struct lp_store *store, void (*after)(void *arg), void *arg);
bool lp_unit_shared(const struct lp_unit *unit);
/** The same, waiting. The unit stays the caller's (free with lp_unit_free). */
enum lp_code lp_store_commit(struct lp_store *store, struct lp_unit *unit,
                             struct lp_err *err) LP_MUST_CHECK;

/** The same on another connection where there are several (PostgreSQL): for what has no hurry and
 * should not stand in the way of steps. LP_STORE also when it was refused for another's sake and
 * may be tried again. */
enum lp_code lp_store_commit_aside(struct lp_store *store, struct lp_unit *unit,
                                   struct lp_err *err) LP_MUST_CHECK;

/** A write transaction with reads in between (allocators, claims): at most a second. `fn` may run
 * on the committer's thread. */
struct lp_txn;
enum lp_code lp_txn_query(struct lp_txn *txn, enum lp_stmt stmt, const struct lp_arg *args,
                          size_t arg_count, struct lp_rows **rows,
                          struct lp_err *err) LP_MUST_CHECK;
/** Executes; *changed may be NULL. */
enum lp_code lp_txn_exec(struct lp_txn *txn, enum lp_stmt stmt, const struct lp_arg *args,
                         size_t arg_count, int64_t *changed, struct lp_err *err) LP_MUST_CHECK;
/** LP_CANCELLED once its second is over, as every further statement is: it holds locks that others
 * wait for. */
enum lp_code lp_txn_in_time(struct lp_txn *txn, struct lp_err *err) LP_MUST_CHECK;
/** How the database refused a statement of it, or LP_CANCELLED; LP_OK as long as it has not. */
enum lp_code lp_txn_failure(const struct lp_txn *txn);
typedef enum lp_code lp_txn_fn(struct lp_txn *txn, void *arg, struct lp_err *err);
/** Runs fn in BEGIN IMMEDIATE / READ COMMITTED, then commits; rolls back when fn fails. `unit` (may
 * be NULL) is executed in the same transaction after fn and stays the caller's. */
enum lp_code lp_store_transact(struct lp_store *store, lp_txn_fn *fn, void *arg,
                               struct lp_unit *unit, struct lp_err *err) LP_MUST_CHECK;

/** Counters for metrics. */
struct lp_store_stats {
    uint64_t units, batches, failures, queued, readers_busy;
    int64_t last_commit_us; /* UTC */
};
void lp_store_stats(struct lp_store *store, struct lp_store_stats *out);

#endif
