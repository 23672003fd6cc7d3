#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lockfile.h"
#include "store/internal.h"

enum { PATH_SIZE = 4096 };

static enum lp_code
check_absent(const char *path, struct lp_err *err)
{
    struct stat st;

    if (lstat(path, &st) == 0)
        return lp_fail(err, LP_CONFLICT, "'%s' exists already", path);
    if (errno != ENOENT)
        return lp_fail(err, LP_STORE, "cannot make '%s': %s", path, strerror(errno));
    return LP_OK;
}

static enum lp_code
sync_file(const char *path, struct lp_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0;
    int saved = errno;

    if (fd >= 0)
        close(fd);
    return failed ? lp_fail(err, LP_STORE, "cannot write '%s': %s", path, strerror(saved)) : LP_OK;
}

/* What was renamed is there after a power cut only when the folder is written too. */
static void
sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_SIZE];
    int fd;

    (void)snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
                   slash == NULL ? "." : path);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* A file appears under its name only when it is whole, and never in place of another that appeared
 * meanwhile. */
static enum lp_code
publish(const char *part, const char *path, struct lp_err *err)
{
    enum lp_code rc = sync_file(part, err);

    if (rc == LP_OK && renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) != 0)
        rc = errno == EEXIST
                 ? lp_fail(err, LP_CONFLICT, "'%s' exists already", path)
                 : lp_fail(err, LP_STORE, "cannot make '%s': %s", path, strerror(errno));
    if (rc == LP_OK)
        sync_folder(path);
    else
        unlink(part);
    return rc;
}

/* path + ".part", made empty and ours. */
static enum lp_code
part_name(const char *path, char part[static PATH_SIZE], struct lp_err *err)
{
    int fd;

    if (snprintf(part, PATH_SIZE, "%s.part", path) >= PATH_SIZE)
        return lp_fail(err, LP_INVALID, "the path '%.200s...' is too long", path);
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return lp_fail(err, LP_STORE, "cannot make '%s': %s", part, strerror(errno));
    close(fd);
    return LP_OK;
}

/* ---- PostgreSQL's own programs, started without a shell ---- */

static bool
find_program(const char *name, int major, char out[static PATH_SIZE])
{
    const char *path = getenv("PATH");

    snprintf(out, PATH_SIZE, "/usr/lib/postgresql/%d/bin/%s", major, name);
    if (access(out, X_OK) == 0)
        return true;
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");

        snprintf(out, PATH_SIZE, "%.*s/%s", (int)len, path, name);
        if (len > 0 && access(out, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

/* Collects the child's last words: the error a person needs is in them. */
static void
read_all(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t got;
    char drop[512];

    while ((got = read(fd, used + 1 < size ? text + used : drop,
                       used + 1 < size ? size - 1 - used : sizeof drop))
               > 0
           || (got < 0 && errno == EINTR))
        if (got > 0 && used + 1 < size)
            used += (size_t)got;
    text[used] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static enum lp_code
run_program(const char *program, const char *const *args, char **env, struct lp_err *err)
{
    posix_spawn_file_actions_t actions;
    char *argv[16], words[400];
    int pipe_fds[2], status = -1, failed;
    pid_t pid = 0;

    for (size_t i = 0; i < LP_COUNT(argv); i++) {
        memcpy(&argv[i], &args[i], sizeof argv[i]); /* posix_spawn wants char *, writes nothing */
        if (args[i] == NULL)
            break;
    }
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return lp_fail(err, LP_STORE, "cannot start %s: %s", program, strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 2);
    failed = posix_spawn(&pid, program, &actions, NULL, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    if (failed == 0)
        read_all(pipe_fds[0], words, sizeof words);
    close(pipe_fds[0]);
    if (failed != 0)
        return lp_fail(err, LP_STORE, "cannot start %s: %s", program, strerror(failed));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        return lp_fail(err, LP_STORE, "%s failed: %s", program, words);
    return LP_OK;
}

static enum lp_code
pg_program(struct lp_conn *conn, const char *name, const char **args, struct lp_err *err)
{
    char program[PATH_SIZE];
    char **env = lp_pg_env(conn);
    enum lp_code rc;

    if (env == NULL)
        return lp_fail(err, LP_NOMEM, "no memory to start %s", name);
    if (!find_program(name, lp_pg_server_major(conn), program)) {
        rc = lp_fail(err, LP_STORE, "%s is not installed: it belongs to the PostgreSQL client",
                     name);
    } else {
        args[0] = program;
        rc = run_program(program, args, env, err);
    }
    lp_pg_env_free(env);
    return rc;
}

static enum lp_code
pg_dump(const struct lp_store_options *options, const char *part, struct lp_err *err)
{
    const char *args[] = {NULL,       "--format=custom",     "--no-owner", "--no-privileges",
                          "--schema", lp_pg_schema(options), "--file",     part,
                          NULL};
    struct lp_conn *conn = NULL;
    enum lp_code rc = lp_backend_postgres.open(options, LP_CONN_READER, &conn, err);

    if (rc != LP_OK)
        return rc;
    rc = pg_program(conn, "pg_dump", args, err);
    lp_backend_postgres.close(conn);
    return rc;
}

enum lp_code
lp_store_backup(struct lp_store *store, const char *path, struct lp_err *err)
{
    char part[PATH_SIZE];
    enum lp_code rc = check_absent(path, err);

    if (rc == LP_OK)
        rc = part_name(path, part, err);
    if (rc != LP_OK)
        return rc;
    if (store->backend->dialect == LP_DIALECT_SQLITE)
        rc = lp_sqlite_copy(lp_sqlite_path(store->options.url), part, err);
    else
        rc = pg_dump(&store->options, part, err);
    if (rc == LP_OK)
        return publish(part, path, err);
    unlink(part);
    return rc;
}

/* ---- restore ---- */

/* From now on nothing may be written to a device until everything was validated. */
static enum lp_code
mark_restored(const struct lp_backend *backend, struct lp_conn *conn, struct lp_err *err)
{
    struct lp_value values[4];
    const struct lp_sql *sql = &lp_sql_table[LP_SQL_SETTING_SET];
    const struct lp_call call = {.sql = sql, .values = values, .count = LP_COUNT(values)};
    struct lp_rows *rows = NULL;
    const struct lp_call now = {.sql = &lp_sql_table[LP_SQL_STORE_NOW]};
    int64_t now_us;
    enum lp_code rc = backend->run(conn, &now, &rows, NULL, err);

    if (rc != LP_OK)
        return rc;
    now_us = lp_rows_int(rows, 0, "now");
    lp_rows_free(rows);
    rc = lp_bind(sql,
                 LP_ARGS(lp_text("name", "restored"), lp_text("value", "1"),
                         lp_text("actor", "restore"), lp_int("now", now_us)),
                 values, err);
    return rc == LP_OK ? backend->run(conn, &call, NULL, NULL, err) : rc;
}

/* An older backup is fine: the next migration lifts it. */
static enum lp_code
check_restored(const struct lp_backend *backend, struct lp_conn *conn, struct lp_err *err)
{
    enum lp_code rc = lp_schema_check(backend, conn, err);

    if (rc == LP_PRECONDITION && strstr(err->msg, "is empty") == NULL) {
        lp_err_clear(err);
        rc = LP_OK;
    }
    return rc == LP_OK ? mark_restored(backend, conn, err) : rc;
}

/* The copy is made whole under another name first: a restore that is interrupted leaves nothing
 * that looks like a database. */
static enum lp_code
sqlite_fill(const struct lp_store_options *options, const char *path, const char *part,
            struct lp_err *err)
{
    struct lp_store_options place = *options;
    struct lp_conn *conn = NULL;
    char url[PATH_SIZE + 8];
    enum lp_code rc = lp_sqlite_copy(path, part, err);

    if (rc != LP_OK)
        return rc;
    (void)snprintf(url, sizeof url, "sqlite:%s", part);
    place.url = url;
    rc = lp_backend_sqlite.open(&place, LP_CONN_ADMIN, &conn, err);
    if (rc != LP_OK)
        return rc;
    rc = check_restored(&lp_backend_sqlite, conn, err);
    lp_backend_sqlite.close(conn);
    return rc;
}

static enum lp_code
sqlite_restore(const struct lp_store_options *options, const char *path, struct lp_err *err)
{
    const char *target = lp_sqlite_path(options->url);
    char part[PATH_SIZE];
    int lock_fd = -1;
    enum lp_code rc = check_absent(target, err);

    if (rc == LP_OK)
        rc = lp_sqlite_lock(target, &lock_fd, err);
    if (rc == LP_OK)
        rc = part_name(target, part, err);
    if (rc == LP_OK) {
        rc = sqlite_fill(options, path, part, err);
        if (rc == LP_OK)
            rc = publish(part, target, err);
        else
            unlink(part);
    }
    lp_lockfile_drop(&lock_fd);
    return rc;
}

static enum lp_code
pg_empty(struct lp_conn *conn, struct lp_err *err)
{
    const struct lp_call call = {.sql = &lp_sql_table[LP_SQL_MIGRATION_TABLES]};
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_backend_postgres.run(conn, &call, &rows, NULL, err);
    int64_t tables;

    if (rc != LP_OK)
        return rc;
    tables = lp_rows_int(rows, 0, "tables");
    lp_rows_free(rows);
    if (tables > 0)
        return lp_fail(err, LP_CONFLICT,
                       "the schema holds %lld tables; a restore needs an empty one",
                       (long long)tables);
    /* The dump brings the schema along. It is empty: nothing can be lost. */
    return lp_backend_postgres.script(
        conn, "DO $$ BEGIN EXECUTE format('DROP SCHEMA IF EXISTS %I', current_schema()); END $$",
        err);
}

static enum lp_code
pg_restore(const struct lp_store_options *options, const char *path, struct lp_err *err)
{
    const char *args[] = {NULL,
                          "--no-owner",
                          "--no-privileges",
                          "--exit-on-error",
                          "--single-transaction",
                          "--dbname",
                          NULL,
                          path,
                          NULL};
    struct lp_conn *conn = NULL;
    enum lp_code rc = lp_backend_postgres.open(options, LP_CONN_ADMIN, &conn, err);

    if (rc != LP_OK)
        return rc;
    args[6] = lp_pg_database(conn);
    rc = pg_empty(conn, err);
    if (rc == LP_OK) /* it belongs to the database: the dump of a schema does not bring it along */
        rc = lp_backend_postgres.script(
            conn, "CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public", err);
    if (rc == LP_OK)
        rc = pg_program(conn, "pg_restore", args, err);
    if (rc == LP_OK)
        rc = check_restored(&lp_backend_postgres, conn, err);
    lp_backend_postgres.close(conn);
    return rc;
}

enum lp_code
lp_store_restore(const struct lp_store_options *options, const char *path, struct lp_err *err)
{
    const struct lp_backend *backend = lp_backend_for(options->url, err);

    if (backend == NULL)
        return err->code;
    if (access(path, R_OK) != 0)
        return lp_fail(err, LP_NOT_FOUND, "cannot read backup '%s': %s", path, strerror(errno));
    if (backend->dialect == LP_DIALECT_SQLITE)
        return sqlite_restore(options, path, err);
    return pg_restore(options, path, err);
}
