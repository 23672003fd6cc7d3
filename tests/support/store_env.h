/**
 * A database of its own for each test: a SQLite file in a temporary folder, or a schema of its own
 * in the PostgreSQL that LIGHTPATH_TEST_PG names. Everything is removed afterwards.
 */
#ifndef LP_TESTS_SUPPORT_STORE_ENV_H
#define LP_TESTS_SUPPORT_STORE_ENV_H

#include "store/db.h"

struct lp_store_env {
    enum lp_dialect dialect;
    char dir[64]; /* temporary folder, in TMPDIR */
    char url[400];
    char schema[64];
    struct lp_clock clock;
    struct lp_store_options options;
    struct lp_store *store; /* open, or NULL */
};

/** False: this database is not to be had here (no LIGHTPATH_TEST_PG). */
bool lp_store_env_has(enum lp_dialect dialect);
/** Migrated and open. Fails the test when that does not work. */
void lp_store_env_open(struct lp_store_env *env, enum lp_dialect dialect);
/** Only the place: nothing migrated, nothing open. */
void lp_store_env_place(struct lp_store_env *env, enum lp_dialect dialect);
void lp_store_env_reopen(struct lp_store_env *env);
void lp_store_env_close(struct lp_store_env *env);

/** Fails the test with the error's text unless rc is LP_OK. */
void lp_test_ok(enum lp_code rc, struct lp_err *err);
/** Runs SQL past the store (psql or sqlite3 library): several statements. */
void lp_store_env_exec(struct lp_store_env *env, const char *sql);
/** Prepares one statement past the store; false with the database's words in text. */
bool lp_store_env_prepares(struct lp_store_env *env, const char *sql, char *text, size_t size);
/** The plan of a prepared statement with so many parameters, whatever their values; on PostgreSQL
 * as if scanning a table cost very much. */
void lp_store_env_plan(struct lp_store_env *env, const char *sql, unsigned params, char *text,
                       size_t size);
/** One integer of one row, past the store. */
int64_t lp_store_env_int(struct lp_store_env *env, const char *sql);

#endif
