/*
 * What only a server can do to us: go away. Connections are killed while they idle and while a
 * batch waits, and a proxy between store and server swallows answers.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/settings.h"
#include "tests/support/store_env.h"
#include "tests/support/test_main.h"

static void
kill_connections(struct lp_store_env *env, const char *which)
{
    char sql[400];

    snprintf(sql, sizeof sql,
             "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE "
             "application_name = '%s' %s",
             env->schema, which);
    lp_store_env_exec(env, sql);
}

static enum lp_code
set(struct lp_store_env *env, const char *name, struct lp_err *err)
{
    return lp_setting_set(env->store, name, "v", "test", err);
}

static void
W32_db_hiccup(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    struct lp_reader *reader = NULL;
    struct lp_rows *rows = NULL;
    char *value = NULL;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    lp_test_ok(set(&env, "a", &err), &err);
    for (int i = 0; i < 3; i++) {
        lp_test_ok(lp_setting_get(env.store, NULL, "a", &value, &err), &err);
        free(value);
        kill_connections(&env, "");
        /* Neither a read nor a write notices that its connection died while it lay idle. */
        lp_test_ok(lp_setting_get(env.store, NULL, "a", &value, &err), &err);
        free(value);
        lp_test_ok(set(&env, "b", &err), &err);
    }
    lp_test_ok(lp_reader_open(env.store, &reader, &err), &err);
    lp_test_ok(lp_reader_query(reader, LP_SQL_SETTING_LIST, LP_NO_ARGS, &rows, &err), &err);
    lp_rows_free(rows);
    kill_connections(&env, "");
    /* Inside a snapshot there is no second try, but a clear code that says "again". */
    assert_int_equal(lp_reader_query(reader, LP_SQL_SETTING_LIST, LP_NO_ARGS, &rows, &err),
                     LP_STORE);
    assert_null(strchr(err.msg, '\n'));
    lp_err_clear(&err);
    lp_reader_close(reader);
    lp_test_ok(lp_setting_get(env.store, NULL, "a", &value, &err), &err);
    free(value);
    lp_store_env_close(&env);
}

struct outcome {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t cond;
    unsigned done;
    enum lp_code codes[8];
};

static void
note(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct outcome *o = arg;

    (void)unit;
    (void)err;
    pthread_mutex_lock(&o->lock);
    o->codes[o->done++] = code;
    pthread_cond_signal(&o->cond);
    pthread_mutex_unlock(&o->lock);
}

static void
wait_for(struct outcome *o, unsigned count)
{
    pthread_mutex_lock(&o->lock);
    while (o->done < count)
        pthread_cond_wait(&o->cond, &o->lock);
    pthread_mutex_unlock(&o->lock);
}

static struct lp_unit *
unit_of(const char *name)
{
    struct lp_unit *unit = lp_unit_new();

    lp_setting_add(unit, name, "v", "test", 1);
    lp_setting_add(unit, "locked", name, "test", 1);
    return unit;
}

static PGconn *
lock_row(struct lp_store_env *env)
{
    PGconn *pg = PQconnectdb(getenv("LIGHTPATH_TEST_PG"));
    char sql[200];

    snprintf(sql, sizeof sql,
             "SET search_path TO %s; BEGIN; UPDATE settings SET value = 'x' WHERE name = 'locked'",
             env->schema);
    PQclear(PQexec(pg, sql));
    return pg;
}

static void
a_connection_killed_in_a_batch_commits_nothing(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    struct outcome o = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    PGconn *other;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    lp_test_ok(set(&env, "locked", &err), &err);
    other = lock_row(&env);
    lp_store_submit(env.store, unit_of("one"), note, &o);
    while (lp_store_env_int(
               &env, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                     "application_name = current_schema()")
           == 0)
        usleep(1000);
    kill_connections(&env, "AND wait_event_type = 'Lock'");
    wait_for(&o, 1);
    assert_int_equal(
        o.codes[0],
        LP_STORE); /* the server said why before the transaction ended: nothing happened */
    PQfinish(other);
    lp_store_submit(env.store, unit_of("two"), note, &o);
    wait_for(&o, 2);
    assert_int_equal(o.codes[1], LP_OK); /* connected again by itself */
    assert_int_equal(lp_store_env_int(&env, "SELECT count(*) FROM settings WHERE name = 'one'"), 0);
    assert_int_equal(lp_store_env_int(&env, "SELECT count(*) FROM settings WHERE name = 'two'"), 1);
    lp_store_env_close(&env);
}

/* ---- a proxy that can go deaf or dumb ---- */

struct proxy {
    pthread_t thread;
    int listener;
    char host[108], port[16];
    atomic_bool stop;
    atomic_bool swallow; /* answers of the server are thrown away, then the connection ends */
    atomic_bool refuse;  /* new connections are closed at once */
    atomic_int pumps;    /* threads that carry a connection */
};

static void
pump(struct proxy *p, int client, int server)
{
    char data[65536];

    while (!atomic_load(&p->stop)) {
        struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        ssize_t got;

        if (poll(fds, 2, 50) < 0)
            return;
        if (fds[0].revents != 0) {
            got = read(client, data, sizeof data);
            if (got <= 0 || write(server, data, (size_t)got) != got)
                return;
        }
        if (fds[1].revents != 0) {
            got = read(server, data, sizeof data);
            if (got <= 0 || atomic_load(&p->swallow))
                return; /* the answer is lost, the commit is not */
            if (write(client, data, (size_t)got) != got)
                return;
        }
    }
}

static int
connect_unix(const char *host, const char *port)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(to.sun_path, sizeof to.sun_path, "%.80s/.s.PGSQL.%.15s", host, port);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int
connect_tcp(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int fd;

    assert_int_equal(getaddrinfo(host, port, &hints, &found), 0);
    fd = socket(found->ai_family, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, found->ai_addr, found->ai_addrlen), 0);
    freeaddrinfo(found);
    return fd;
}

struct pair {
    struct proxy *proxy;
    int client;
};

static void *
pair_main(void *arg)
{
    struct pair *pair = arg;
    struct proxy *p = pair->proxy;
    int server = p->host[0] == '/' ? connect_unix(p->host, p->port) : connect_tcp(p->host, p->port);

    pump(pair->proxy, pair->client, server);
    close(pair->client);
    close(server);
    free(pair);
    atomic_fetch_sub(&p->pumps, 1);
    return NULL;
}

static void *
proxy_main(void *arg)
{
    struct proxy *p = arg;

    while (!atomic_load(&p->stop)) {
        struct pollfd fd = {.fd = p->listener, .events = POLLIN};
        struct pair *pair;
        pthread_t thread;
        int client;

        if (poll(&fd, 1, 20) <= 0)
            continue;
        client = accept(p->listener, NULL, NULL);
        if (atomic_load(&p->refuse)) {
            close(client);
            continue;
        }
        pair = malloc(sizeof *pair);
        assert_non_null(pair);
        *pair = (struct pair){p, client};
        atomic_fetch_add(&p->pumps, 1);
        assert_int_equal(pthread_create(&thread, NULL, pair_main, pair), 0);
        pthread_detach(thread);
    }
    return NULL;
}

/* Listens as a PostgreSQL socket of port 5999 in the test's folder; *env then goes through it. */
static void
proxy_start(struct proxy *p, struct lp_store_env *env)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    PGconn *pg = PQconnectdb(env->url);

    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    memset(p, 0, sizeof *p);
    snprintf(p->host, sizeof p->host, "%s", PQhost(pg));
    snprintf(p->port, sizeof p->port, "%s", PQport(pg));
    snprintf(
        env->url, sizeof env->url,
        "host=%s port=5999 sslmode=disable user=%s password='%s' dbname=%s application_name=%s",
        env->dir, PQuser(pg), PQpass(pg) == NULL ? "" : PQpass(pg), PQdb(pg), env->schema);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.5999", env->dir);
    p->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(p->listener, 20), 0);
    assert_int_equal(pthread_create(&p->thread, NULL, proxy_main, p), 0);
    PQfinish(pg);
}

static void
proxy_stop(struct proxy *p, struct lp_store_env *env)
{
    char path[128];

    atomic_store(&p->stop, true);
    pthread_join(p->thread, NULL);
    close(p->listener);
    while (atomic_load(&p->pumps) != 0) /* they look at stop every 50 ms */
        usleep(1000);
    snprintf(path, sizeof path, "%s/.s.PGSQL.5999", env->dir);
    unlink(path);
}

static void
close_past_proxy(struct lp_store_env *env, struct proxy *p, const char *url)
{
    lp_store_close(env->store);
    env->store = NULL;
    proxy_stop(p, env);
    snprintf(env->url, sizeof env->url, "%s", url);
    lp_store_env_close(env);
}

static void
an_answer_lost_after_the_commit_is_told_as_unknown(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    struct proxy proxy;
    char url[400];

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    snprintf(url, sizeof url, "%s", env.url);
    proxy_start(&proxy, &env);
    lp_store_env_reopen(&env);
    lp_test_ok(set(&env, "before", &err), &err);
    atomic_store(&proxy.swallow, true);
    assert_int_equal(set(&env, "lost", &err), LP_UNKNOWN);
    assert_null(strchr(err.msg, '\n'));
    lp_err_clear(&err);
    atomic_store(&proxy.swallow, false);
    lp_test_ok(set(&env, "after", &err), &err);
    snprintf(env.url, sizeof env.url, "%s", url);
    assert_int_equal(
        lp_store_env_int(&env,
                         "SELECT count(*) FROM settings WHERE name IN ('before', 'lost', 'after')"),
        3);
    close_past_proxy(&env, &proxy, url);
}

static void
a_server_away_fails_units_and_work_goes_on_when_it_is_back(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    struct proxy proxy;
    char url[400];

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    snprintf(url, sizeof url, "%s", env.url);
    proxy_start(&proxy, &env);
    lp_store_env_reopen(&env);
    atomic_store(&proxy.refuse, true);
    snprintf(env.url, sizeof env.url, "%s", url);
    kill_connections(&env, "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(set(&env, "x", &err), LP_STORE);
        assert_null(strchr(err.msg, '\n'));
        lp_err_clear(&err);
        assert_int_equal(lp_store_ping(env.store, &err), LP_STORE);
        lp_err_clear(&err);
    }
    atomic_store(&proxy.refuse, false);
    lp_test_ok(set(&env, "y", &err), &err);
    lp_test_ok(lp_store_ping(env.store, &err), &err);
    close_past_proxy(&env, &proxy, url);
}

static void
an_unreachable_server_is_one_clear_line(void **state)
{
    struct lp_store_options options = {
        .url = "postgresql:///nodb?host=/nowhere&port=1", .pool = 1, .batch = 1};
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_store *store = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    options.clock = &clock;
    assert_int_equal(lp_store_open(&options, &store, &err), LP_STORE);
    assert_null(store);
    assert_null(strchr(err.msg, '\n'));
    assert_non_null(strstr(err.msg, "/nowhere"));
    lp_err_clear(&err);
    options.url = "postgresql://someone:verysecret@127.0.0.1:1/nodb";
    assert_int_equal(lp_store_open(&options, &store, &err), LP_STORE);
    assert_null(strstr(err.msg, "verysecret"));
    lp_err_clear(&err);
}

/** A lock that somebody else forgot on a row holds up who wants that row, and everybody else for a
 * moment only: far below any lease. */
static void
a_lock_of_somebody_else_holds_nobody_up(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    struct outcome o = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    struct lp_unit *stuck[3], *free_one = lp_unit_new();
    char sql[200];
    PGconn *pg;
    int64_t begun;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    lp_test_ok(set(&env, "held", &err), &err);
    pg = PQconnectdb(env.url);
    snprintf(sql, sizeof sql,
             "SET search_path TO %s; BEGIN; UPDATE settings SET value = 'x' WHERE name = 'held'",
             env.schema);
    PQclear(PQexec(pg, sql));
    assert_int_equal(PQtransactionStatus(pg), PQTRANS_INTRANS);
    begun = lp_clock_mono_us(&env.clock);
    for (size_t i = 0; i < LP_COUNT(stuck); i++) {
        stuck[i] = lp_unit_new();
        lp_setting_add(stuck[i], "held", "y", "t", 1);
        lp_unit_key(stuck[i], i == 0 ? "a" : i == 1 ? "b" : "c");
        lp_store_submit(env.store, stuck[i], note, &o);
    }
    lp_setting_add(free_one, "other", "y", "t", 1);
    lp_test_ok(lp_store_commit(env.store, free_one, &err), &err);
    assert_true(lp_clock_mono_us(&env.clock) - begun < 9000000); /* 50 s it was once */
    lp_unit_free(free_one);
    wait_for(&o, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(o.codes[i], LP_STORE);
    PQclear(PQexec(pg, "ROLLBACK"));
    PQfinish(pg);
    lp_test_ok(set(&env, "held", &err), &err);
    lp_store_env_close(&env);
}

struct crossed {
    struct lp_store_env *env;
    const char *first, *second;
    int calls;
    pthread_barrier_t *both;
    enum lp_code rc;
};

static enum lp_code
crossing(struct lp_txn *txn, void *arg, struct lp_err *err)
{
    struct crossed *c = arg;
    const char *names[] = {c->first, c->second};
    enum lp_code rc = LP_OK;

    c->calls++;
    for (size_t i = 0; rc == LP_OK && i < 2; i++) {
        rc = lp_txn_exec(txn, LP_SQL_REG_SETTING_PUT,
                         LP_ARGS(lp_text("name", names[i]), lp_text("value", "v"),
                                 lp_text("actor", "t"), lp_int("now", 1)),
                         NULL, err);
        if (i == 0 && c->calls == 1)
            pthread_barrier_wait(c->both);
    }
    return rc;
}

static void *
crossing_main(void *arg)
{
    struct crossed *c = arg;
    struct lp_err err = LP_ERR_INIT;

    c->rc = lp_store_transact(c->env->store, crossing, c, NULL, &err);
    lp_err_clear(&err);
    return NULL;
}

/** Two allocators in a deadlock: the database ends one, which is made again. */
static void
a_deadlocked_transaction_is_made_again(void **state)
{
    struct lp_store_env env;
    pthread_barrier_t both;
    struct crossed left = {.env = &env, .first = "a", .second = "b", .both = &both};
    struct crossed right = {.env = &env, .first = "b", .second = "a", .both = &both};
    pthread_t threads[2];

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    pthread_barrier_init(&both, NULL, 2);
    assert_int_equal(pthread_create(&threads[0], NULL, crossing_main, &left), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, crossing_main, &right), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(left.rc, LP_OK);
    assert_int_equal(right.rc, LP_OK);
    assert_true(left.calls + right.calls >= 3);
    pthread_barrier_destroy(&both);
    lp_store_env_close(&env);
}

static void
two_writers_that_meet_crosswise_both_succeed(void **state)
{
    struct lp_store_env env;
    struct lp_store *second = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct outcome o = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    lp_test_ok(lp_store_open(&env.options, &second, &err), &err); /* PostgreSQL: several daemons */
    for (int round = 0; round < 200; round++) {
        struct lp_unit *left = lp_unit_new(), *right = lp_unit_new();

        lp_setting_add(left, "a", "1", "t", 1);
        lp_setting_add(left, "b", "1", "t", 1);
        lp_setting_add(right, "b", "2", "t", 1);
        lp_setting_add(right, "a", "2", "t", 1);
        o.done = 0;
        lp_store_submit(env.store, left, note, &o);
        lp_store_submit(second, right, note, &o);
        wait_for(&o, 2);
        assert_int_equal(o.codes[0], LP_OK); /* a deadlock is tried again by the committer */
        assert_int_equal(o.codes[1], LP_OK);
    }
    lp_store_close(second);
    lp_store_env_close(&env);
}

static void
a_migration_waits_for_nobody_who_stays(void **state)
{
    struct lp_store_env env;
    struct lp_err err = LP_ERR_INIT;
    unsigned applied;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    lp_test_ok(lp_store_migrate(&env.options, &applied, &err),
               &err); /* nothing to do: a daemon may run */
    lp_store_env_exec(&env, "DELETE FROM schema_migrations");
    assert_int_equal(lp_store_migrate(&env.options, &applied, &err), LP_CONFLICT);
    assert_non_null(strstr(err.msg, "stop it first"));
    lp_err_clear(&err);
    lp_store_env_close(&env);
}

struct beginner {
    struct lp_store_options options;
    struct lp_store *store;
    pthread_t thread;
    unsigned applied;
    enum lp_code rc;
};

static void *
begin_with_nothing(void *arg)
{
    struct beginner *b = arg;
    struct lp_err err = LP_ERR_INIT;

    b->rc = lp_store_migrate(&b->options, &b->applied, &err);
    if (b->rc == LP_OK)
        b->rc = lp_store_open(&b->options, &b->store, &err);
    if (b->rc != LP_OK)
        print_message("%s\n", err.msg);
    lp_err_clear(&err);
    return NULL;
}

/* CREATE SCHEMA IF NOT EXISTS is no match for two who make it at one moment; and whoever waits for
 * the one that migrates finds it at work, and nothing left to do. */
static void
daemons_that_begin_together_all_begin(void **state)
{
    enum { DAEMONS = 8, ROUNDS = 5 };
    struct lp_store_env env;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    for (int round = 0; round < ROUNDS; round++) {
        struct beginner all[DAEMONS];
        unsigned applied = 0;
        char schema[80], drop[120];

        snprintf(schema, sizeof schema, "%s_b%d", env.schema, round);
        for (int i = 0; i < DAEMONS; i++) {
            all[i] = (struct beginner){.options = env.options};
            all[i].options.schema = schema;
            assert_int_equal(pthread_create(&all[i].thread, NULL, begin_with_nothing, &all[i]), 0);
        }
        for (int i = 0; i < DAEMONS; i++) {
            pthread_join(all[i].thread, NULL);
            assert_int_equal(all[i].rc, LP_OK);
            applied += all[i].applied;
        }
        assert_int_equal(applied, lp_store_env_int(&env, "SELECT count(*) FROM schema_migrations"));
        for (int i = 0; i < DAEMONS; i++)
            lp_store_close(all[i].store);
        snprintf(drop, sizeof drop, "DROP SCHEMA %s CASCADE", schema);
        lp_store_env_exec(&env, drop);
    }
    lp_store_env_close(&env);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(W32_db_hiccup),
        cmocka_unit_test(a_connection_killed_in_a_batch_commits_nothing),
        cmocka_unit_test(an_answer_lost_after_the_commit_is_told_as_unknown),
        cmocka_unit_test(a_server_away_fails_units_and_work_goes_on_when_it_is_back),
        cmocka_unit_test(an_unreachable_server_is_one_clear_line),
        cmocka_unit_test(a_lock_of_somebody_else_holds_nobody_up),
        cmocka_unit_test(a_deadlocked_transaction_is_made_again),
        cmocka_unit_test(two_writers_that_meet_crosswise_both_succeed),
        cmocka_unit_test(a_migration_waits_for_nobody_who_stays),
        cmocka_unit_test(daemons_that_begin_together_all_begin),
    };
    return LP_RUN_TESTS(tests);
}
