/* What only SQLite can suffer: files that are damaged, foreign, in use, read-only, or on a full
 * disk. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/internal.h"
#include "store/settings.h"
#include "tests/support/store_env.h"
#include "tests/support/test_main.h"

static void
path_of(const struct lp_store_env *env, const char *name, char out[static 128])
{
    snprintf(out, 128, "%s/%s", env->dir, name);
}

static void
refused(const struct lp_store_env *env, enum lp_code expected, const char *words)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_store *store = NULL;
    enum lp_code rc = lp_store_open(&env->options, &store, &err);

    assert_int_equal(rc, expected);
    assert_null(store);
    if (strstr(err.msg, words) == NULL)
        fail_msg("'%s' lacks '%s'", err.msg, words);
    assert_null(strchr(err.msg, '\n'));
    lp_err_clear(&err);
}

static void
a_second_daemon_is_told_who_holds_the_file(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    unsigned applied;
    char words[64];

    (void)state;
    lp_store_env_open(&env, LP_DIALECT_SQLITE);
    snprintf(words, sizeof words, "in use by process %ld", (long)getpid());
    refused(&env, LP_CONFLICT, words);
    assert_int_equal(lp_store_migrate(&env.options, &applied, &err), LP_CONFLICT);
    lp_err_clear(&err);
    lp_store_env_reopen(&env); /* the lock went with its holder */
    lp_store_env_close(&env);
}

static void
a_dead_holder_leaves_no_lock(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    unsigned applied;
    pid_t pid;
    int status, ready[2];
    char byte;

    (void)state;
    lp_store_env_place(&env, LP_DIALECT_SQLITE);
    lp_test_ok(lp_store_migrate(&env.options, &applied, &err), &err);
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        struct lp_store *store = NULL;

        if (lp_store_open(&env.options, &store, &err) != LP_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    refused(&env, LP_CONFLICT, "in use");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    lp_store_env_reopen(&env);
    close(ready[0]);
    close(ready[1]);
    lp_store_env_close(&env);
}

static void
an_absent_file_is_not_made_by_opening(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    unsigned applied;
    char path[128];
    struct stat st;

    (void)state;
    lp_store_env_place(&env, LP_DIALECT_SQLITE);
    refused(&env, LP_PRECONDITION, "does not exist");
    path_of(&env, "test.db", path);
    assert_int_equal(stat(path, &st), -1);
    snprintf(env.url, sizeof env.url, "sqlite:%s/nowhere/test.db", env.dir);
    assert_int_equal(lp_store_migrate(&env.options, &applied, &err), LP_STORE);
    assert_non_null(strstr(err.msg, "No such file"));
    lp_err_clear(&err);
    env.options.url = "mysql://x";
    assert_int_equal(lp_store_migrate(&env.options, &applied, &err), LP_INVALID);
    lp_err_clear(&err);
    lp_store_env_close(&env);
}

static void
write_text(const char *path, long offset, const char *text)
{
    FILE *file = fopen(path, offset < 0 ? "w" : "r+");

    assert_non_null(file);
    assert_int_equal(fseek(file, offset < 0 ? 0 : offset, SEEK_SET), 0);
    fputs(text, file);
    fclose(file);
}

static void
a_file_that_is_no_database_is_left_as_it_is(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    unsigned applied;
    char path[128], line[128] = "";
    FILE *file;

    (void)state;
    lp_store_env_place(&env, LP_DIALECT_SQLITE);
    path_of(&env, "test.db", path);
    write_text(path, -1,
               "Dear diary, this is the only copy of my notes and I do not want to lose it.\n");
    refused(&env, LP_STORE, "is not a database");
    assert_int_equal(lp_store_migrate(&env.options, &applied, &err), LP_STORE);
    lp_err_clear(&err);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(strncmp(line, "Dear diary", 10), 0);
    fclose(file);
    lp_store_env_close(&env);
}

static void
a_damaged_file_is_refused_or_told(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    char path[128], big[9000];
    char *value = NULL;
    struct stat st;

    (void)state;
    lp_store_env_open(&env, LP_DIALECT_SQLITE);
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    lp_test_ok(lp_setting_set(env.store, "big", big, "me", &err), &err);
    lp_store_close(env.store);
    env.store = NULL;
    path_of(&env, "test.db", path);
    assert_int_equal(stat(path, &st), 0);
    for (long at = 4096; at < (long)st.st_size; at += 4096)
        write_text(path, at, "\x7f damage damage damage"); /* every page but the first */
    lp_test_ok(lp_store_open(&env.options, &env.store, &err) == LP_STORE ? LP_OK : LP_INTERNAL,
               &err);
    assert_non_null(strstr(err.msg, "damaged"));
    assert_null(strchr(err.msg, '\n'));
    lp_err_clear(&err);
    free(value);
    write_text(path, 16, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    refused(&env, LP_STORE, path);
    lp_store_env_close(&env);
}

/* Permissions do not bind root: a child gives them up. */
static void
as_nobody(const struct lp_store_env *env, enum lp_code expected, const char *words)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_store *store = NULL;

        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(3);
        _exit(lp_store_open(&env->options, &store, &err) != expected ? 1
              : strstr(err.msg, words) == NULL                       ? 2
                                                                     : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_read_only_file_is_refused(void **state)
{
    struct lp_store_env env;
    char path[128], lock[128];

    (void)state;
    lp_store_env_open(&env, LP_DIALECT_SQLITE);
    lp_store_close(env.store);
    env.store = NULL;
    path_of(&env, "test.db", path);
    path_of(&env, "test.db.lock", lock);
    assert_int_equal(chmod(env.dir, 0777), 0);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(lock, 0666), 0);
    as_nobody(&env, LP_STORE, "read-only");
    assert_int_equal(chmod(env.dir, 0700), 0);
    as_nobody(&env, LP_STORE, "Permission denied");
    lp_store_env_close(&env);
}

static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes > limit.rlim_max ? limit.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
a_full_disk_fails_units_and_work_goes_on_when_there_is_room(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    char value[5000], name[32];
    enum lp_code rc = LP_OK;
    int stored = 0;

    (void)state;
    signal(SIGXFSZ, SIG_IGN); /* writing beyond the limit gives EFBIG, which is a full disk to us */
    lp_store_env_open(&env, LP_DIALECT_SQLITE);
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    limit_files(1 << 20);
    for (; rc == LP_OK && stored < 1000; stored++) {
        snprintf(name, sizeof name, "n%d", stored);
        rc = lp_setting_set(env.store, name, value, "me", &err);
    }
    assert_int_equal(rc, LP_STORE);
    if (strstr(err.msg, "disk is full") == NULL)
        fail_msg("%s", err.msg);
    lp_err_clear(&err);
    assert_int_equal(lp_store_ping(env.store, &err), LP_OK); /* changes nothing: needs no room */
    limit_files(RLIM_INFINITY);
    lp_test_ok(lp_setting_set(env.store, "after", "1", "me", &err), &err);
    assert_int_equal(lp_store_env_int(&env, "SELECT count(*) FROM settings"),
                     stored); /* all but the failed one, and "after" */
    lp_store_env_close(&env);
}

static void
another_program_that_locks_the_file_is_waited_for(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    sqlite3 *other = NULL;
    pid_t pid;
    int status;

    (void)state;
    lp_store_env_open(&env, LP_DIALECT_SQLITE);
    pid = fork();
    if (pid == 0) {
        /* a shell that an administrator left open in a transaction for a moment */
        if (sqlite3_open(env.url + 7, &other) != SQLITE_OK
            || sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        usleep(300000);
        _exit(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : 1);
    }
    usleep(50000);
    lp_test_ok(lp_setting_set(env.store, "a", "1", "me", &err), &err);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    lp_store_env_close(&env);
}

static void
the_log_is_copied_back_while_writing(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    char *value = malloc(100001), path[128], name[16];
    struct stat st;

    (void)state;
    assert_non_null(value);
    memset(value, 'v', 100000);
    value[100000] = '\0';
    lp_store_env_open(&env, LP_DIALECT_SQLITE);
    for (int i = 0; i < 400; i++) { /* 40 MB in the log without checkpoints */
        snprintf(name, sizeof name, "n%d", i % 20);
        memset(value, 'a' + i % 26, 100000); /* equal pages would not be written */
        lp_test_ok(lp_setting_set(env.store, name, value, "me", &err), &err);
    }
    path_of(&env, "test.db", path);
    for (int i = 0; i < 1200 && (stat(path, &st) != 0 || st.st_size < 1000000); i++)
        usleep(50000);
    assert_true(st.st_size > 1000000); /* pages came back into the file */
    path_of(&env, "test.db-wal", path);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 70 << 20);
    free(value);
    lp_store_env_close(&env);
}

/* ---- a back end that is told what to answer ---- */

static struct {
    atomic_bool hold; /* the batch under way does not end */
    atomic_bool held; /* there is one */
    atomic_int batches;
} fake;

static enum lp_code
fake_open(const struct lp_store_options *options, enum lp_role role, struct lp_conn **out,
          struct lp_err *err)
{
    (void)options;
    (void)role;
    *out = (struct lp_conn *)&fake;
    (void)err;
    return LP_OK;
}

static void
fake_close(struct lp_conn *conn)
{
    (void)conn;
}

static bool
fake_broken(struct lp_conn *conn)
{
    (void)conn;
    return atomic_load(&fake.batches) == 2; /* after the second batch */
}

/* The first unit occupies the committer; of those that queue meanwhile one does wrong, and then the
 * connection dies. */
static enum lp_code
fake_batch(struct lp_conn *conn, struct lp_unit *const *units, size_t count, struct lp_err *err)
{
    (void)conn;
    (void)units;
    if (atomic_load(&fake.batches) == 0)
        while (atomic_load(&fake.hold)) {
            atomic_store(&fake.held, true);
            usleep(1000);
        }
    atomic_fetch_add(&fake.batches, 1);
    return count > 1 ? lp_fail(err, LP_FENCED, "one of them is too old") : LP_OK;
}

static void
fake_settle(struct lp_conn *conn)
{
    (void)conn;
}

static void
keep_code(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    (void)unit;
    (void)err;
    atomic_store((atomic_int *)arg, (int)code);
}

static void
a_connection_that_dies_in_a_bad_batch_blames_nobody(void **state)
{
    static const struct lp_backend backend = {.name = "fake",
                                              .open = fake_open,
                                              .close = fake_close,
                                              .broken = fake_broken,
                                              .batch = fake_batch,
                                              .settle = fake_settle};
    struct lp_clock clock = LP_CLOCK_INIT;
    const struct lp_store_options options = {.clock = &clock};
    struct lp_committer committer = {.backend = NULL};
    struct lp_err err = LP_ERR_INIT;
    atomic_int codes[3];

    (void)state;
    fake.hold = true;
    lp_test_ok(lp_committer_start(&committer, &backend, &options, (struct lp_conn *)&fake, &err),
               &err);
    for (size_t i = 0; i < LP_COUNT(codes); i++) {
        struct lp_unit *unit = lp_unit_new();

        unit->done = keep_code;
        unit->arg = &codes[i];
        lp_committer_push(&committer, unit);
        while (!atomic_load(&fake.held)) /* the first alone is its batch */
            usleep(1000);
    }
    fake.hold = false;
    lp_committer_stop(&committer);
    assert_int_equal(codes[0], LP_OK);
    assert_int_equal(codes[1], LP_STORE);
    assert_int_equal(codes[2], LP_STORE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_dies_in_a_bad_batch_blames_nobody),
        cmocka_unit_test(a_second_daemon_is_told_who_holds_the_file),
        cmocka_unit_test(a_dead_holder_leaves_no_lock),
        cmocka_unit_test(an_absent_file_is_not_made_by_opening),
        cmocka_unit_test(a_file_that_is_no_database_is_left_as_it_is),
        cmocka_unit_test(a_damaged_file_is_refused_or_told),
        cmocka_unit_test(a_read_only_file_is_refused),
        cmocka_unit_test(a_full_disk_fails_units_and_work_goes_on_when_there_is_room),
        cmocka_unit_test(another_program_that_locks_the_file_is_waited_for),
        cmocka_unit_test(the_log_is_copied_back_while_writing),
    };
    return LP_RUN_TESTS(tests);
}
