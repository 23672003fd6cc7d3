/* The queues of several daemons, against real servers: LIGHTPATH_TEST_PG, and Redis servers of the
 * test's own, so that it may stop, fill and flush them. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/queue.h"
#include "tests/support/store_env.h"
#include "tests/support/test_main.h"

enum { WAIT_MS = 30000, SHORT_MS = 300 };

static const struct lp_clock the_clock = LP_CLOCK_INIT;

static const char *
id_of(int n)
{
    static char ids[8][LP_UUID_LEN + 1];
    char *id = ids[(unsigned)n % 8];

    snprintf(id, LP_UUID_LEN + 1, "00000000-0000-7000-8000-%012d", n);
    return id;
}

static void
push(struct lp_queue *queue, int n, int priority, const char *label)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(queue->ops->push(queue, id_of(n), priority, label, &err), &err);
}

/** The number that came, or -1. */
static int
pop(struct lp_queue *queue, int timeout_ms, int priorities)
{
    char id[LP_UUID_LEN + 1] = "";
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = queue->ops->pop(queue, timeout_ms, priorities, id, &err);

    lp_err_clear(&err);
    if (rc != LP_OK) {
        assert_int_equal(rc, LP_NOT_FOUND);
        return -1;
    }
    return (int)strtol(id + 24, NULL, 10);
}

/** Pushes until it comes out: the queue connects in the background and loses hints until then. */
static void
until_through(struct lp_queue *in, struct lp_queue *out, const char *label)
{
    for (int i = 0; i < WAIT_MS / 100; i++) {
        push(in, 999, 0, label);
        if (pop(out, 100, LP_QUEUE_ALL) == 999)
            break;
        assert_true(i + 1 < WAIT_MS / 100);
    }
    while (pop(out, 50, LP_QUEUE_ALL) >= 0)
        ;
}

static struct lp_queue_stats
stats(struct lp_queue *queue)
{
    struct lp_queue_stats out;

    queue->ops->stats(queue, &out);
    return out;
}

#define UNTIL(condition)                                                                           \
    for (int left_ = WAIT_MS / 20;; left_--) {                                                     \
        if (condition)                                                                             \
            break;                                                                                 \
        assert_true(left_ > 0);                                                                    \
        usleep(20000);                                                                             \
    }

/* ---- what every queue does ---- */

static void
speaks(struct lp_queue *in, struct lp_queue *one, struct lp_queue *lab)
{
    until_through(in, one, NULL);
    until_through(in, lab, "lab");
    lab->ops->mute(lab, true); /* what follows goes to `one` */
    UNTIL((push(in, 1, 0, NULL), pop(one, SHORT_MS, LP_QUEUE_ALL) == 1));
    usleep(1300000); /* what is known of the others may be a second old */
    while (pop(one, SHORT_MS, LP_QUEUE_ALL) >= 0)
        ;
    push(in, 2, 1, NULL);
    push(in, 3, 0, NULL);
    UNTIL(one->ops->depth(one) == 0 || one->ops->depth(one) == 2);
    usleep(SHORT_MS * 1000);
    assert_int_equal(pop(one, WAIT_MS, LP_QUEUE_INTERACTIVE), 3);
    assert_int_equal(pop(one, SHORT_MS, LP_QUEUE_INTERACTIVE), -1);
    assert_int_equal(pop(one, WAIT_MS, LP_QUEUE_ALL), 2);
    push(in, 4, 0, "lab"); /* nobody with the label listens */
    assert_int_equal(pop(one, SHORT_MS, LP_QUEUE_ALL), -1);
    lab->ops->mute(lab, false);
    UNTIL((push(in, 5, 0, "lab"), pop(lab, SHORT_MS, LP_QUEUE_ALL) >= 4));
}

static void
an_id_is_an_id(struct lp_queue *queue)
{
    struct lp_err err = LP_ERR_INIT;
    char label[100];

    assert_int_equal(queue->ops->push(queue, "rm -rf /", 0, NULL, &err), LP_INVALID);
    lp_err_clear(&err);
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    assert_int_equal(queue->ops->push(queue, id_of(1), 0, label, &err), LP_INVALID);
    lp_err_clear(&err);
}

struct popper {
    struct lp_queue *queue;
    int priorities;
    enum lp_code rc;
};

static void *
popper_main(void *arg)
{
    struct popper *popper = arg;
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    popper->rc = popper->queue->ops->pop(popper->queue, -1, popper->priorities, id, &err);
    lp_err_clear(&err);
    return NULL;
}

static enum lp_code
wait_in_pop(struct lp_queue *queue, void (*end)(struct lp_queue *queue))
{
    struct popper popper = {.queue = queue, .priorities = LP_QUEUE_INTERACTIVE};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, popper_main, &popper), 0);
    usleep(200000);
    end(queue);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return popper.rc;
}

/* Whoever is on its way to pop, with what it wanted before the wake, must not wait for ever. */
static void
remembers_a_wake(struct lp_queue *queue)
{
    struct popper popper = {.queue = queue, .priorities = LP_QUEUE_INTERACTIVE};

    queue->ops->wake(queue);
    popper_main(&popper);
    assert_int_equal(popper.rc, LP_NOT_FOUND);
}

static void
ends_waits(struct lp_queue *queue)
{
    remembers_a_wake(queue);
    assert_int_equal(wait_in_pop(queue, queue->ops->wake), LP_NOT_FOUND);
    assert_int_equal(wait_in_pop(queue, queue->ops->close), LP_CANCELLED);
}

/* ---- PostgreSQL alone ---- */

static struct lp_queue *
pg_queue(const char *url, const char *labels, bool pops)
{
    const struct lp_queue_postgres_options options = {.url = url,
                                                      .schema = "queue_test",
                                                      .labels = labels,
                                                      .pops = pops,
                                                      .bound = 100,
                                                      .clock = &the_clock};
    struct lp_queue *queue = NULL;
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_queue_postgres_new(&options, &queue, &err), &err);
    return queue;
}

static void
hints_through_postgres(void **state)
{
    const char *url = getenv("LIGHTPATH_TEST_PG");
    struct lp_queue *in, *one, *lab;

    (void)state;
    if (url == NULL)
        skip();
    in = pg_queue(url, NULL, false);
    one = pg_queue(url, NULL, true);
    lab = pg_queue(url, "other, lab", true);
    speaks(in, one, lab);
    an_id_is_an_id(in);
    ends_waits(one);
    in->ops->free(in);
    one->ops->free(one);
    lab->ops->free(lab);
}

static void
sql(const char *url, const char *text)
{
    PGconn *pg = PQconnectdb(url);
    PGresult *res = PQexec(pg, text);

    assert_true(PQresultStatus(res) == PGRES_TUPLES_OK || PQresultStatus(res) == PGRES_COMMAND_OK);
    PQclear(res);
    PQfinish(pg);
}

/** Anybody who may connect can notify: nothing but ids gets in. */
static void
garbage_in_a_notification_is_counted(void **state)
{
    const char *url = getenv("LIGHTPATH_TEST_PG");
    struct lp_queue *one;

    (void)state;
    if (url == NULL)
        skip();
    one = pg_queue(url, NULL, true);
    until_through(one, one, NULL);
    sql(url, "DO $$ DECLARE l record; BEGIN FOR l IN SELECT classid, objid FROM pg_locks WHERE "
             "locktype = "
             "'advisory' AND objsubid = 2 LOOP PERFORM pg_notify('lightpath_' || "
             "lpad(to_hex(CAST(l.classid AS "
             "bigint)), 8, '0') || '_' || l.objid, '0nonsense;;1;x'); END LOOP; END $$");
    UNTIL(stats(one).garbage >= 4);
    until_through(one, one, NULL);
    one->ops->free(one);
}

/** Its sessions are killed again and again: it comes back by itself. */
static void
a_lost_connection_is_made_again(void **state)
{
    const char *url = getenv("LIGHTPATH_TEST_PG");
    struct lp_queue *in, *one;

    (void)state;
    if (url == NULL)
        skip();
    in = pg_queue(url, NULL, false);
    one = pg_queue(url, NULL, true);
    until_through(in, one, NULL);
    for (int i = 0; i < 2; i++) {
        sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                 "'lightpath queue'");
        until_through(in, one, NULL);
    }
    assert_true(stats(one).reconnects > 0);
    in->ops->free(in);
    one->ops->free(one);
}

static void
a_postgres_that_is_away_fails_nothing(void **state)
{
    struct lp_queue *queue = pg_queue("postgresql://127.0.0.1:1/x", NULL, true);

    (void)state;
    push(queue, 1, 0, NULL);
    assert_int_equal(pop(queue, 100, LP_QUEUE_ALL), -1);
    UNTIL(stats(queue).lost > 0);
    assert_false(stats(queue).connected);
    ends_waits(queue);
    queue->ops->free(queue);
}

/* ---- Redis ---- */

struct redis {
    pid_t pid;
    int port;
    char port_text[8];
};

static int
free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static redisContext *
talk(const struct redis *redis)
{
    redisContext *ctx = NULL;

    for (int i = 0; i < WAIT_MS / 50; i++) {
        ctx = redisConnect("127.0.0.1", redis->port);
        if (ctx != NULL && ctx->err == 0)
            return ctx;
        redisFree(ctx);
        usleep(50000);
    }
    fail_msg("no Redis at port %d", redis->port);
    return NULL;
}

static void
tell(const struct redis *redis, const char *command)
{
    redisContext *ctx = talk(redis);
    redisReply *reply = redisCommand(ctx, command);

    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "LOADING", 7) != 0)
        fail_msg("%s: %s", command, reply->str);
    freeReplyObject(reply);
    redisFree(ctx);
}

static void
redis_start(struct redis *redis, const char *option, const char *value)
{
    if (redis->port == 0)
        redis->port = free_port();
    snprintf(redis->port_text, sizeof redis->port_text, "%d", redis->port);
    redis->pid = fork();
    assert_true(redis->pid >= 0);
    if (redis->pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execlp("redis-server", "redis-server", "--port", redis->port_text, "--bind", "127.0.0.1",
               "--save", "", "--dir", "/tmp", option, value, (char *)NULL);
        _exit(127);
    }
    redisFree(talk(redis));
}

static void
redis_stop(struct redis *redis)
{
    kill(redis->pid, SIGKILL);
    waitpid(redis->pid, NULL, 0);
}

static struct lp_queue *
redis_queue(const char *hosts, const char *labels, const char *password, size_t bound)
{
    const struct lp_queue_redis_options options = {.hosts = hosts,
                                                   .labels = labels,
                                                   .password = password,
                                                   .bound = bound,
                                                   .timeout_ms = 1000,
                                                   .clock = &the_clock};
    struct lp_queue *queue = NULL;
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_queue_redis_new(&options, &queue, &err), &err);
    return queue;
}

static bool
no_redis(void)
{
    return getenv("LIGHTPATH_TEST_REDIS") == NULL;
}

/* Also while the carrier is away: what was asked for before the wake is out of date. */
static void
a_wake_ends_a_wait_for_redis(void **state)
{
    struct lp_queue *queue;

    (void)state;
    queue = redis_queue("127.0.0.1:1", NULL, NULL, 10);
    remembers_a_wake(queue);
    ends_waits(queue);
    queue->ops->free(queue);
}

static void
hints_through_redis(void **state)
{
    struct redis redis = {.port = 0};
    struct lp_queue *in, *one, *lab;
    char hosts[64];

    (void)state;
    if (no_redis())
        skip();
    redis_start(&redis, "--requirepass", "s3cret");
    snprintf(hosts, sizeof hosts, "127.0.0.1:1, 127.0.0.1:%d", redis.port);
    in = redis_queue(hosts, NULL, "s3cret", 100);
    one = redis_queue(hosts, NULL, "s3cret", 100);
    lab = redis_queue(hosts, "other,lab", "s3cret", 100);
    speaks(in, one, lab);
    an_id_is_an_id(in);
    ends_waits(one);
    in->ops->free(in);
    one->ops->free(one);
    lab->ops->free(lab);
    redis_stop(&redis);
}

static void
a_wrong_password_is_told(void **state)
{
    struct redis redis = {.port = 0};
    struct lp_queue *queue;
    char hosts[64];

    (void)state;
    if (no_redis())
        skip();
    redis_start(&redis, "--requirepass", "s3cret");
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", redis.port);
    queue = redis_queue(hosts, NULL, "wrong", 100);
    push(queue, 1, 0, NULL);
    UNTIL(stats(queue).lost > 0);
    assert_false(stats(queue).connected);
    assert_int_equal(pop(queue, 100, LP_QUEUE_ALL), -1);
    queue->ops->free(queue);
    redis_stop(&redis);
}

/** Gone, back empty, flushed, full of nonsense. */
static void
bad_days_of_redis(void **state)
{
    struct redis redis = {.port = 0};
    struct lp_queue *queue;
    char hosts[64];
    uint64_t lost;

    (void)state;
    if (no_redis())
        skip();
    redis.port = free_port();
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", redis.port);
    queue = redis_queue(hosts, NULL, NULL, 10); /* started before its Redis */
    push(queue, 1, 0, NULL);
    UNTIL(stats(queue).lost > 0);
    redis_start(&redis, "--appendonly", "no");
    until_through(queue, queue, NULL);
    redis_stop(&redis);
    push(queue, 1, 0, NULL);
    assert_int_equal(pop(queue, SHORT_MS, LP_QUEUE_ALL), -1);
    redis_start(&redis, "--appendonly", "no");
    until_through(queue, queue, NULL);
    tell(&redis, "FLUSHALL");
    until_through(queue, queue, NULL);

    tell(&redis, "RPUSH lightpath:0 nonsense");
    tell(&redis, "RPUSH lightpath:0 00000000-0000-7000-8000-00000000000G");
    until_through(queue, queue, NULL);
    assert_int_equal(stats(queue).garbage, 2);
    tell(&redis, "SET lightpath:1 17"); /* a key of another type */
    push(queue, 1, 1, NULL);
    assert_int_equal(pop(queue, SHORT_MS, LP_QUEUE_ALL), -1);
    tell(&redis, "DEL lightpath:1");
    until_through(queue, queue, NULL);

    lost = stats(queue).lost;
    tell(&redis, "CONFIG SET maxmemory 1"); /* full: a lost hint, not an operator's error */
    push(queue, 2, 0, NULL);
    UNTIL(stats(queue).lost > lost);
    assert_true(stats(queue).connected);
    tell(&redis, "CONFIG SET maxmemory 0");
    until_through(queue, queue, NULL);
    queue->ops->free(queue);
    redis_stop(&redis);
}

static long long
length(const struct redis *redis, const char *key)
{
    redisContext *ctx = talk(redis);
    redisReply *reply = redisCommand(ctx, "LLEN %s", key);
    long long len = reply->integer;

    freeReplyObject(reply);
    redisFree(ctx);
    return len;
}

static void
a_list_has_a_bound(void **state)
{
    struct redis redis = {.port = 0};
    struct lp_queue *queue;
    char hosts[64];

    (void)state;
    if (no_redis())
        skip();
    redis_start(&redis, "--appendonly", "no");
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", redis.port);
    queue = redis_queue(hosts, NULL, NULL, 10);
    UNTIL(stats(queue).connected);
    for (int i = 0; i < 50; i++) {
        push(queue, i, 1, NULL);
        usleep(1000);
    }
    UNTIL(length(&redis, "lightpath:1") == 10 && stats(queue).lost >= 40);
    UNTIL((usleep(100000), queue->ops->depth(queue) == 10));
    queue->ops->free(queue);
    redis_stop(&redis);
}

/** The first host became a replica: hints go to the master of the list. */
static void
a_replica_is_passed_over(void **state)
{
    struct redis first = {.port = 0}, second = {.port = 0};
    struct lp_queue *queue;
    char hosts[100], command[64];

    (void)state;
    if (no_redis())
        skip();
    redis_start(&first, "--appendonly", "no");
    redis_start(&second, "--appendonly", "no");
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d,127.0.0.1:%d", first.port, second.port);
    queue = redis_queue(hosts, NULL, NULL, 100);
    until_through(queue, queue, NULL);
    snprintf(command, sizeof command, "REPLICAOF 127.0.0.1 %d", second.port);
    tell(&first, command);
    until_through(queue, queue, NULL);
    redis_stop(&first);
    until_through(queue, queue, NULL);
    queue->ops->free(queue);
    redis_stop(&second);
}

static void
a_sentinel_knows_the_master(void **state)
{
    struct redis redis = {.port = 0}, sentinel = {.port = 0};
    char path[] = "/tmp/lp-sentinel-XXXXXX", line[200], at[64];
    struct lp_queue_redis_options options = {
        .sentinels = at, .master = "mine", .bound = 10, .clock = &the_clock};
    struct lp_queue *queue = NULL;
    struct lp_err err = LP_ERR_INIT;
    int fd;

    (void)state;
    if (no_redis())
        skip();
    redis_start(&redis, "--appendonly", "no");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(line, sizeof line, "sentinel monitor mine 127.0.0.1 %d 1\n", redis.port);
    assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    close(fd);
    sentinel.port = free_port();
    snprintf(sentinel.port_text, sizeof sentinel.port_text, "%d", sentinel.port);
    sentinel.pid = fork();
    if (sentinel.pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 1);
        dup2(null, 2);
        execlp("redis-server", "redis-server", path, "--sentinel", "--port", sentinel.port_text,
               (char *)NULL);
        _exit(127);
    }
    redisFree(talk(&sentinel));
    snprintf(at, sizeof at, "127.0.0.1:%d", sentinel.port);
    lp_test_ok(lp_queue_redis_new(&options, &queue, &err), &err);
    until_through(queue, queue, NULL);
    queue->ops->free(queue);
    redis_stop(&sentinel);
    redis_stop(&redis);
    unlink(path);
}

/* A server that says it is old: the log names the version (W8: nothing else fails). */
struct fake {
    int listen_fd;
    atomic_bool stop, asked;
};

static void *
fake_main(void *arg)
{
    static const char info[] = "$27\r\n# Server\r\nredis_version:2.8\r\n";
    struct fake *fake = arg;

    while (!atomic_load(&fake->stop)) {
        int fd = accept(fake->listen_fd, NULL, NULL);
        char text[500];
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

        if (n > 0 && write(fd, info, sizeof info - 1) > 0)
            atomic_store(&fake->asked, true);
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

static void
an_old_redis_is_named(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct fake fake = {.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    socklen_t len = sizeof addr;
    int pipes[2];
    char hosts[64], text[2000];
    struct lp_queue_redis_options options = {
        .hosts = hosts, .bound = 10, .timeout_ms = 1000, .clock = &the_clock};
    struct lp_queue *queue = NULL;
    struct lp_err err = LP_ERR_INIT;
    pthread_t thread;
    ssize_t n;

    (void)state;
    assert_int_equal(bind(fake.listen_fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fake.listen_fd, 5), 0);
    assert_int_equal(getsockname(fake.listen_fd, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(pthread_create(&thread, NULL, fake_main, &fake), 0);
    assert_int_equal(pipe(pipes), 0);
    options.log = lp_log_new(pipes[1], LP_LOG_INFO, &the_clock);
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", ntohs(addr.sin_port));
    lp_test_ok(lp_queue_redis_new(&options, &queue, &err), &err);
    n = read(pipes[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "has version 2.8: 5 is the least"));
    push(queue, 1, 0, NULL);
    UNTIL(stats(queue).lost > 0);
    queue->ops->free(queue);
    atomic_store(&fake.stop, true);
    shutdown(fake.listen_fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fake.listen_fd);
    lp_log_free((struct lp_log *)(uintptr_t)options.log);
    close(pipes[0]);
    close(pipes[1]);
}

static void
a_configuration_without_a_host_is_refused(void **state)
{
    const struct lp_queue_redis_options options = {.hosts = " ,", .bound = 1, .clock = &the_clock};
    struct lp_queue *queue = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_queue_redis_new(&options, &queue, &err), LP_INVALID);
    lp_err_clear(&err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hints_through_postgres),
        cmocka_unit_test(garbage_in_a_notification_is_counted),
        cmocka_unit_test(a_lost_connection_is_made_again),
        cmocka_unit_test(a_postgres_that_is_away_fails_nothing),
        cmocka_unit_test(a_wake_ends_a_wait_for_redis),
        cmocka_unit_test(hints_through_redis),
        cmocka_unit_test(a_wrong_password_is_told),
        cmocka_unit_test(bad_days_of_redis),
        cmocka_unit_test(a_list_has_a_bound),
        cmocka_unit_test(a_replica_is_passed_over),
        cmocka_unit_test(a_sentinel_knows_the_master),
        cmocka_unit_test(an_old_redis_is_named),
        cmocka_unit_test(a_configuration_without_a_host_is_refused),
    };

    return LP_RUN_TESTS(tests);
}
