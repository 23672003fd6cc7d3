/* Who lost its lease stops acting: a real executor in a program of its own, stopped and continued,
 * a device that is a socket server here. PostgreSQL only: a file has one owner. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/exec.h"
#include "tests/support/run_env.h"
#include "tests/support/test_main.h"

enum { LONGEST_MS = 700, WAIT_MS = 60000, LEASE_MS = 1000 };

#define UNTIL(condition)                                                                           \
    for (int left_ = WAIT_MS / 10;; left_--) {                                                     \
        if (condition)                                                                             \
            break;                                                                                 \
        assert_true(left_ > 0);                                                                    \
        usleep(10000);                                                                             \
    }

/* ---- the device: says "go" to whoever writes, except to its first visitor ---- */

enum { VISITORS = 4 };

static struct {
    int listen_fd, port;
    pthread_t thread;
    atomic_bool stop;
    atomic_bool answer_first; /* it says "go" to the first one as well */
    atomic_int came;
    atomic_int writes[VISITORS];
    atomic_bool gone[VISITORS];
} device;

static void
hear(int visitor, int *fd)
{
    char text[100];
    ssize_t n = read(*fd, text, sizeof text);

    if (n <= 0) {
        close(*fd);
        *fd = -1;
        atomic_store(&device.gone[visitor], true);
        return;
    }
    if (memchr(text, 'w', (size_t)n) == NULL)
        return;
    atomic_fetch_add(&device.writes[visitor], 1);
    if (visitor > 0)
        (void)!write(*fd, "go", 2);
}

static void *
device_main(void *arg)
{
    struct pollfd fds[VISITORS + 1] = {{.fd = device.listen_fd, .events = POLLIN}};

    (void)arg;
    for (int i = 1; i <= VISITORS; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    while (!atomic_load(&device.stop)) {
        if (atomic_load(&device.answer_first) && fds[1].fd >= 0) {
            (void)!write(fds[1].fd, "go", 2);
            atomic_store(&device.answer_first, false);
        }
        if (poll(fds, VISITORS + 1, 50) <= 0)
            continue;
        if (fds[0].revents != 0 && atomic_load(&device.came) < VISITORS) {
            fds[1 + atomic_load(&device.came)].fd = accept(device.listen_fd, NULL, NULL);
            atomic_fetch_add(&device.came, 1);
        }
        for (int i = 0; i < VISITORS; i++)
            if (fds[i + 1].fd >= 0 && fds[i + 1].revents != 0)
                hear(i, &fds[i + 1].fd);
    }
    for (int i = 1; i <= VISITORS; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    return NULL;
}

static void
device_start(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    memset(&device, 0, sizeof device);
    device.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(device.listen_fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(device.listen_fd, 5), 0);
    assert_int_equal(getsockname(device.listen_fd, (struct sockaddr *)&at, &len), 0);
    device.port = ntohs(at.sin_port);
}

static void
device_stop(void)
{
    atomic_store(&device.stop, true);
    pthread_join(device.thread, NULL);
    close(device.listen_fd);
}

static int
device_connect(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)device.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* ---- the step ---- */

/** Until the commands of a former owner are over. */
static enum lp_code
wait_for_rest(struct lp_run *run, json_t *delta, struct lp_err *err)
{
    int64_t left = 0, first = -1;
    enum lp_code rc = LP_OK;

    do {
        if (first >= 0)
            usleep(10000);
        rc = lp_run_takeover_left_ms(run, "ne:one", LONGEST_MS, &left, err);
        if (rc == LP_OK)
            rc = lp_run_check(run, err);
        first = first < 0 ? left : first;
    } while (rc == LP_OK && left > 0);
    json_object_set_new(delta, "waited_ms", json_integer(first));
    lp_run_takeover_settled(run, "ne:one");
    return rc;
}

static enum lp_code
act(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    static const char *const locks[] = {"ne:one"};
    enum lp_code rc = lp_run_locks(run, locks, 1, err);
    int fd = -1;

    (void)state;
    if (rc == LP_OK)
        rc = wait_for_rest(run, delta, err);
    if (rc == LP_OK && (fd = device_connect()) < 0)
        rc = lp_fail(err, LP_RETRYABLE, "no device");
    if (rc == LP_OK && write(fd, "w", 1) != 1)
        rc = lp_fail(err, LP_UNKNOWN, "lost the device");
    while (rc == LP_OK) { /* the operation takes as long as the device wants */
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

        rc = lp_run_check(run, err);
        if (rc == LP_OK && poll(&poll_fd, 1, 10) > 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

static const struct lp_step step_act = {.key = "act",
                                        .title = "Act on a device",
                                        .kind = LP_STEP_ACTION,
                                        .effects = LP_EFFECT_EXTERNAL,
                                        .attempts = 3,
                                        .timeout_ms = 120000,
                                        .no_undo = "a test",
                                        .run = act};
static const struct lp_step *const act_steps[] = {&step_act};
static const struct lp_workflow workflows[] = {
    {.name = "acts",
     .description = "Acts",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     LP_STEPS(act_steps)},
};
static const struct lp_workflow_set set = {workflows, LP_COUNT(workflows)};

/* ---- the other program ---- */

struct other {
    pid_t pid;
    FILE *log;
    char text[200000];
    size_t len;
};

static void
other_main(struct lp_run_env *env, int log_fd)
{
    char id[LP_UUID_LEN + 1];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(300);
    lp_store_env_reopen(&env->db);
    env->log = lp_log_new(log_fd, LP_LOG_INFO, &env->db.clock);
    env->conf_lines[env->conf_count++] = "daemon.name=first";
    lp_run_env_start(env);
    lp_test_start(env, "acts", NULL, id);
    for (;;)
        pause();
}

static void
other_start(struct lp_run_env *env, struct other *other)
{
    int fds[2];

    memset(other, 0, sizeof *other);
    lp_store_close(env->db.store);
    env->db.store = NULL;
    assert_int_equal(pipe(fds), 0);
    other->pid = fork();
    assert_true(other->pid >= 0);
    if (other->pid == 0) {
        close(fds[0]);
        close(device.listen_fd);
        other_main(env, fds[1]);
        _exit(3);
    }
    close(fds[1]);
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    other->log = fdopen(fds[0], "r");
    assert_int_equal(pthread_create(&device.thread, NULL, device_main, NULL), 0);
    lp_store_env_reopen(&env->db);
}

static bool
other_said(struct other *other, const char *words)
{
    ssize_t n =
        read(fileno(other->log), other->text + other->len, sizeof other->text - 1 - other->len);

    if (n > 0)
        other->len += (size_t)n;
    other->text[other->len] = '\0';
    return strstr(other->text, words) != NULL;
}

static void
other_end(struct other *other)
{
    kill(other->pid, SIGKILL);
    waitpid(other->pid, NULL, 0);
    fclose(other->log);
}

/* ---- tests ---- */

/** A process of another daemon's executor stands in its device operation; ours only looks on. */
static void
other_at_work(struct lp_run_env *env, struct other *other, char id[static LP_UUID_LEN + 1])
{
    device_start();
    lp_run_env_open(env, LP_DIALECT_POSTGRES, &set);
    other_start(env, other);
    UNTIL(atomic_load(&device.writes[0]) == 1);
    lp_run_env_make(env, NULL);
    snprintf(id, LP_UUID_LEN + 1, "%s",
             lp_test_text(env, "SELECT id FROM processes WHERE id <> :id", ""));
}

static void
done_looking(struct lp_run_env *env, struct other *other)
{
    other_end(other);
    device_stop();
    lp_engine_free(env->engine);
    env->engine = NULL;
    env->queue->ops->free(env->queue);
    env->queue = NULL;
    lp_run_env_close(env);
}

static int64_t
counted(struct lp_run_env *env, const char *sql)
{
    return lp_store_env_int(&env->db, sql);
}

static void
W09_abort_reaches_another_daemon(void **state)
{
    struct lp_run_env env;
    struct other other;
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    other_at_work(&env, &other, id);
    lp_test_ok(lp_engine_abort(env.engine, &lp_test_caller, id, false, &err), &err);
    UNTIL(atomic_load(&device.gone[0])); /* the step there stopped */
    UNTIL(counted(&env, "SELECT count(*) FROM processes WHERE status = 'aborted'") == 1);
    assert_int_equal(counted(&env, "SELECT count(*) FROM audit WHERE body LIKE '%abort%' AND actor "
                                   "= 'tester'"),
                     1);
    assert_int_equal(counted(&env, "SELECT count(*) FROM process_requests"), 0);
    done_looking(&env, &other);
}

static void
W31_a_task_that_runs_elsewhere_is_not_deleted(void **state)
{
    struct lp_run_env env;
    struct other other;
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    other_at_work(&env, &other, id);
    assert_int_equal(lp_engine_delete(env.engine, &lp_test_caller, id, &err), LP_CONFLICT);
    lp_err_clear(&err);
    atomic_store(&device.answer_first, true);
    UNTIL(counted(&env, "SELECT count(*) FROM processes WHERE status = 'completed'") == 1);
    lp_test_ok(lp_engine_delete(env.engine, &lp_test_caller, id, &err), &err);
    assert_int_equal(counted(&env, "SELECT count(*) FROM processes"), 0);
    done_looking(&env, &other);
}

static bool
engine_is(struct lp_run_env *env, const char *status, int64_t running)
{
    json_auto_t *now = NULL;
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_status(env->engine, &now, &err), &err);
    return strcmp(lp_json_str(now, "global_status", ""), status) == 0
           && lp_json_int(now, "running_processes", -1) == running;
}

/** W05: going on while it still pauses runs nothing twice; W36: the status counts what works
 * anywhere. */
static void
W36_pause_and_status_span_daemons(void **state)
{
    struct lp_run_env env;
    struct other other;
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    other_at_work(&env, &other, id);
    assert_true(engine_is(&env, "RUNNING", 1));
    lp_test_ok(lp_engine_pause(env.engine, &lp_test_caller, true, &err), &err);
    assert_true(engine_is(&env, "PAUSING", 1));
    lp_test_ok(lp_engine_pause(env.engine, &lp_test_caller, false, &err), &err); /* W05 */
    lp_test_ok(lp_engine_pause(env.engine, &lp_test_caller, true, &err), &err);
    usleep(300000); /* the other one has read it */
    atomic_store(&device.answer_first, true);
    UNTIL(engine_is(&env, "PAUSED", 0));
    assert_int_equal(
        counted(&env,
                "SELECT count(*) FROM processes WHERE status = 'running' AND lease_owner IS NULL"),
        1);
    lp_test_ok(lp_engine_pause(env.engine, &lp_test_caller, false, &err), &err);
    UNTIL(counted(&env, "SELECT count(*) FROM processes WHERE status = 'completed'") == 1);
    assert_int_equal(counted(&env, "SELECT count(*) FROM step_attempts WHERE step_key = 'act'"), 1);
    assert_int_equal(atomic_load(&device.came), 1);
    done_looking(&env, &other);
}

/** SIGSTOP for longer than the lease, then SIGCONT: the other one has done the work meanwhile. */
static void
W01_a_stopped_executor_is_fenced(void **state)
{
    struct lp_run_env env;
    struct other other;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    device_start();
    lp_run_env_open(&env, LP_DIALECT_POSTGRES, &set);
    other_start(&env, &other);
    UNTIL(atomic_load(&device.writes[0]) == 1);
    assert_int_equal(kill(other.pid, SIGSTOP), 0);

    lp_run_env_start(&env); /* takes over when the lease has ended */
    UNTIL(lp_store_env_int(&env.db, "SELECT count(*) FROM processes WHERE status = 'completed'")
          == 1);
    assert_false(atomic_load(&device.gone[0])); /* it does not know yet */
    assert_int_equal(atomic_load(&device.writes[1]), 1);
    /* the new owner waited for the longest command of the element before it wrote */
    assert_true(
        lp_store_env_int(&env.db,
                         "SELECT CAST(substr(delta, strpos(delta, 'waited_ms') + 11, 3) AS int) "
                         "FROM process_steps WHERE key = 'act'")
        > 100);
    assert_int_equal(lp_store_env_int(&env.db, "SELECT count(*) FROM lock_takeovers"), 0);
    usleep(2 * LEASE_MS * 1000);

    assert_int_equal(kill(other.pid, SIGCONT), 0);
    UNTIL(atomic_load(&device.gone[0]));                 /* its connection is closed ... */
    assert_int_equal(atomic_load(&device.writes[0]), 1); /* ... and it wrote nothing more */
    UNTIL(other_said(&other, "\"process.fenced\""));
    assert_true(other_said(&other, "\"epoch\":1,\"epoch_now\":2"));
    assert_int_equal(
        lp_store_env_int(&env.db, "SELECT count(*) FROM process_steps WHERE key = 'act'"), 1);
    assert_int_equal(
        lp_store_env_int(&env.db, "SELECT count(*) FROM step_attempts WHERE step_key = 'act'"), 2);
    other_end(&other);
    device_stop();
    lp_run_env_close(&env);
}

/** Somebody holds the executor's row: the executor stops acting while by the database's clock its
 * lease still runs, says so, and goes on when it can renew again. */
static void
who_cannot_renew_stops_in_time(void **state)
{
    struct lp_run_env env;
    struct other other;
    char sql[200];
    PGconn *pg;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    device_start();
    lp_run_env_open(&env, LP_DIALECT_POSTGRES, &set);
    env.conf_lines[env.conf_count++] = "executor.lease_ms=5000";
    other_start(&env, &other);
    UNTIL(atomic_load(&device.writes[0]) == 1);
    pg = PQconnectdb(env.db.url);
    snprintf(sql, sizeof sql, "SET search_path TO %s; BEGIN; UPDATE executors SET host = host",
             env.db.schema);
    PQclear(PQexec(pg, sql));
    assert_int_equal(PQtransactionStatus(pg), PQTRANS_INTRANS);
    UNTIL(atomic_load(&device.gone[0]));
    assert_true(lp_store_env_int(&env.db, "SELECT expires_at - lp_now() FROM executors") > 0);
    UNTIL(other_said(&other, "\"executor.lease_ending\""));
    PQclear(PQexec(pg, "ROLLBACK"));
    PQfinish(pg);
    UNTIL(other_said(&other, "\"executor.lease_renewed\""));
    UNTIL(atomic_load(&device.writes[1]) == 1); /* again, by itself */
    UNTIL(lp_store_env_int(&env.db, "SELECT count(*) FROM processes WHERE status = 'completed'")
          == 1);
    other_end(&other);
    device_stop();
    lp_run_env_close(&env);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(W01_a_stopped_executor_is_fenced),
        cmocka_unit_test(W09_abort_reaches_another_daemon),
        cmocka_unit_test(W31_a_task_that_runs_elsewhere_is_not_deleted),
        cmocka_unit_test(W36_pause_and_status_span_daemons),
        cmocka_unit_test(who_cannot_renew_stops_in_time),
    };

    return LP_RUN_TESTS(tests);
}
