/*
 * Hints through Redis: one list per priority and executor label, named
 * <prefix>:<priority>[:<label>].
 *
 * A thread of the queue's own sends (RPUSH in pipelines, LTRIM when a list is too long). Who pops
 * waits in BLPOP on two connections, one per priority, over the lists of this executor: an executor
 * whose last slots are kept for people waits for their hints only, and nothing polls. Redis holds
 * nothing that the database does not: whatever goes wrong here loses hints, counts them, and is
 * told once. A context belongs to the thread that holds the lock named beside it.
 *
 * hiredis 0.14 has no TLS: a Unix socket, a private network, or stunnel (docs/operating.md).
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "queue/internal.h"

enum {
    LANES = 2,
    HOSTS_MOST = 16,
    HOST_MOST = 256,
    KEY_MOST = 256,
    KEYS_MOST = 64,      /* labels of one executor, and one */
    BATCH = 256,         /* commands sent before their answers are read */
    BLOCK_S = 10,        /* BLPOP ends by itself: a dead connection is noticed */
    SILENCE_MS = 15000,  /* a BLPOP without any answer for so long: the connection is dead */
    DEPTH_OLD_MS = 1000, /* lengths are asked again after this time, when somebody wants them */
    PORT = 6379,
    SENTINEL_PORT = 26379,
    VERSION_LEAST = 5,
};

struct place {
    char host[HOST_MOST]; /* name, address, or path of a socket */
    int port;             /* 0: a path */
};

struct places {
    struct place rows[HOSTS_MOST];
    size_t count;
};

struct lane {
    redisContext *ctx;
    char *keys[KEYS_MOST];
    size_t key_count;
    bool waits;      /* a BLPOP is under way */
    int64_t sent_us; /* since when */
};

struct redis_queue {
    struct lp_queue base;
    struct lp_outbox out;
    struct lp_counts counts;
    struct lp_log *log;
    const struct lp_clock *clock;
    struct places hosts, sentinels;
    char *master, *user, *password, *prefix;
    int64_t db;
    size_t bound;
    struct timeval timeout;
    pthread_t thread;
    bool started;
    atomic_bool closed, muted, depth_wanted;
    atomic_size_t depths[LANES];

    /* the sender's own */
    redisContext *ctx;
    int send_backoff_ms;
    int64_t depth_at_us;
    bool full_told;

    pthread_mutex_t pop_lock; /* guards lanes: one pops at a time */
    struct lane lanes[LANES];
    int pop_backoff_ms;
    int wake_fd; /* for who pops */

    pthread_mutex_t told_lock; /* guards told */
    char told[256];            /* the last trouble that was logged; "" none */
};

/* ---- places ---- */

static void
add_place(struct places *places, const char *word, int port)
{
    struct place *place = &places->rows[places->count];
    const char *colon = strrchr(word, ':'), *end = strchr(word, ']');
    size_t len = strlen(word);

    if (places->count == HOSTS_MOST)
        return;
    places->count++;
    place->port = port;
    if (strncmp(word, "unix:", 5) == 0 || *word == '/') {
        snprintf(place->host, sizeof place->host, "%s", *word == '/' ? word : word + 5);
        place->port = 0;
        return;
    }
    if (*word == '[' && end != NULL) { /* [v6]:port */
        len = (size_t)(end - word) - 1;
        colon = end[1] == ':' ? end + 1 : NULL;
        word++;
    } else if (colon != NULL && strchr(word, ':') == colon) {
        len = (size_t)(colon - word);
    } else {
        colon = NULL;
    }
    if (colon != NULL)
        place->port = (int)strtol(colon + 1, NULL, 10);
    snprintf(place->host, sizeof place->host, "%.*s", (int)len, word);
}

/** A comma list; paths may be longer than labels, so lp_words does not serve. */
static void
read_places(struct places *places, const char *list, int port)
{
    char word[HOST_MOST];

    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ","), from = strspn(list, " \t");

        if (from < len && len - from < sizeof word) {
            snprintf(word, sizeof word, "%.*s", (int)(len - from), list + from);
            word[strcspn(word, " \t")] = '\0';
            add_place(places, word, port);
        }
        list += len + (list[len] == ',');
    }
}

/* ---- trouble is told once ---- */

static void
tell(struct redis_queue *q, enum lp_level level, const char *text)
{
    bool news;

    pthread_mutex_lock(&q->told_lock);
    news = strcmp(q->told, text) != 0;
    if (news)
        snprintf(q->told, sizeof q->told, "%s", text);
    pthread_mutex_unlock(&q->told_lock);
    if (news && !atomic_load(&q->closed))
        lp_logf(q->log, level, "queue.away", "s:s, s:s", "kind", q->base.kind, "error", text);
}

static void
tell_well(struct redis_queue *q)
{
    bool news;

    pthread_mutex_lock(&q->told_lock);
    news = q->told[0] != '\0';
    q->told[0] = '\0';
    pthread_mutex_unlock(&q->told_lock);
    if (!news)
        return;
    atomic_fetch_add(&q->counts.reconnects, 1);
    lp_logf(q->log, LP_LOG_INFO, "queue.connected", "s:s", "kind", q->base.kind);
}

/* ---- connecting ---- */

static redisContext *
open_place(const struct redis_queue *q, const struct place *place, char *why, size_t size)
{
    redisContext *ctx = place->port == 0
                            ? redisConnectUnixWithTimeout(place->host, q->timeout)
                            : redisConnectWithTimeout(place->host, place->port, q->timeout);

    if (ctx == NULL || ctx->err != 0) {
        snprintf(why, size, "Redis at %.100s: %.100s", place->host,
                 ctx == NULL ? "no memory" : ctx->errstr);
        redisFree(ctx);
        return NULL;
    }
    (void)redisSetTimeout(ctx, q->timeout);
    if (place->port != 0)
        (void)redisEnableKeepAlive(ctx);
    return ctx;
}

/** NULL: refused or lost; `why` says so. */
static redisReply *
ask(redisContext *ctx, const struct place *place, char *why, size_t size, int argc,
    const char **argv)
{
    redisReply *reply = redisCommandArgv(ctx, argc, argv, NULL);

    if (reply != NULL && reply->type != REDIS_REPLY_ERROR)
        return reply;
    snprintf(why, size, "Redis at %.100s: %.120s", place->host,
             reply == NULL ? ctx->errstr : reply->str);
    freeReplyObject(reply);
    return NULL;
}

static bool
say(redisContext *ctx, const struct place *place, char *why, size_t size, int argc,
    const char **argv)
{
    redisReply *reply = ask(ctx, place, why, size, argc, argv);

    freeReplyObject(reply);
    return reply != NULL;
}

static bool
log_in(const struct redis_queue *q, redisContext *ctx, const struct place *place, char *why,
       size_t size)
{
    const char *named[] = {"AUTH", q->user, q->password};
    const char *plain[] = {"AUTH", q->password};

    if (q->password[0] == '\0')
        return true;
    return q->user[0] != '\0' ? say(ctx, place, why, size, 3, named)
                              : say(ctx, place, why, size, 2, plain);
}

static bool
choose_db(const struct redis_queue *q, redisContext *ctx, const struct place *place, char *why,
          size_t size)
{
    char number[24];
    const char *argv[] = {"SELECT", number};

    snprintf(number, sizeof number, "%lld", (long long)q->db);
    return q->db == 0 || say(ctx, place, why, size, 2, argv);
}

/** Old servers and other programs that speak the protocol are named as what they are. */
static bool
check_version(redisContext *ctx, const struct place *place, char *why, size_t size)
{
    const char *argv[] = {"INFO", "server"};
    redisReply *reply = ask(ctx, place, why, size, 2, argv);
    const char *at =
        reply == NULL || reply->str == NULL ? NULL : strstr(reply->str, "redis_version:");
    char version[24] = "unknown";
    bool good;

    if (reply == NULL)
        return false;
    if (at != NULL)
        snprintf(version, sizeof version, "%.*s", (int)strcspn(at + 14, "\r\n"), at + 14);
    good = strtol(version, NULL, 10) >= VERSION_LEAST;
    if (!good)
        snprintf(why, size, "Redis at %.100s has version %s: %d is the least", place->host, version,
                 VERSION_LEAST);
    freeReplyObject(reply);
    return good;
}

/** A replica would refuse every hint. */
static bool
check_master(redisContext *ctx, const struct place *place, char *why, size_t size)
{
    const char *argv[] = {"ROLE"};
    redisReply *reply = ask(ctx, place, why, size, 1, argv);
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
                && reply->element[0]->type == REDIS_REPLY_STRING
                && strcmp(reply->element[0]->str, "master") == 0;

    if (reply != NULL && !good)
        snprintf(why, size, "Redis at %.100s is no master", place->host);
    freeReplyObject(reply);
    return good;
}

static redisContext *
open_master(const struct redis_queue *q, const struct place *place, char *why, size_t size)
{
    redisContext *ctx = open_place(q, place, why, size);

    if (ctx == NULL)
        return NULL;
    if (log_in(q, ctx, place, why, size) && check_version(ctx, place, why, size)
        && check_master(ctx, place, why, size) && choose_db(q, ctx, place, why, size))
        return ctx;
    redisFree(ctx);
    return NULL;
}

/** Where a Sentinel says that the master is. */
static bool
ask_sentinel(const struct redis_queue *q, const struct place *sentinel, struct place *master,
             char *why, size_t size)
{
    const char *argv[] = {"SENTINEL", "get-master-addr-by-name", q->master};
    redisContext *ctx = open_place(q, sentinel, why, size);
    redisReply *reply = ctx == NULL ? NULL : ask(ctx, sentinel, why, size, 3, argv);
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
                && reply->element[0]->type == REDIS_REPLY_STRING
                && reply->element[1]->type == REDIS_REPLY_STRING;

    if (good) {
        snprintf(master->host, sizeof master->host, "%s", reply->element[0]->str);
        master->port = (int)strtol(reply->element[1]->str, NULL, 10);
    } else if (reply != NULL) {
        snprintf(why, size, "the Sentinel at %.100s knows no master '%.60s'", sentinel->host,
                 q->master);
    }
    freeReplyObject(reply);
    if (ctx != NULL)
        redisFree(ctx);
    return good;
}

static redisContext *
connect_once(struct redis_queue *q, char *why, size_t size)
{
    redisContext *ctx = NULL;
    struct place found;

    for (size_t i = 0; ctx == NULL && i < q->sentinels.count; i++)
        if (ask_sentinel(q, &q->sentinels.rows[i], &found, why, size))
            ctx = open_master(q, &found, why, size);
    for (size_t i = 0; ctx == NULL && i < q->hosts.count && !atomic_load(&q->closed); i++)
        ctx = open_master(q, &q->hosts.rows[i], why, size);
    return ctx;
}

static redisContext *
connect_now(struct redis_queue *q)
{
    char why[256] = "no Redis is configured";
    redisContext *ctx = connect_once(q, why, sizeof why);

    if (ctx == NULL) {
        tell(q, LP_LOG_ERROR, why);
        atomic_store(&q->counts.connected, false);
        return NULL;
    }
    tell_well(q);
    atomic_store(&q->counts.connected, true);
    return ctx;
}

/* ---- sending ---- */

static void
key_of(const struct redis_queue *q, bool task, const char *label, char out[static KEY_MOST])
{
    snprintf(out, KEY_MOST, "%s:%d%s%s", q->prefix, task ? 1 : 0, *label == '\0' ? "" : ":", label);
}

static void
drop_sender(struct redis_queue *q, const char *why)
{
    tell(q, LP_LOG_WARN, why);
    redisFree(q->ctx);
    q->ctx = NULL;
    atomic_store(&q->counts.connected, false);
}

/** Of these errors another connection knows better: a replica now, or not ready. */
static bool
wrong_server(const char *text)
{
    static const char *const words[] = {"READONLY", "LOADING", "MASTERDOWN", "NOAUTH"};

    for (size_t i = 0; i < LP_COUNT(words); i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/** Refused: full memory, no right. The hint is lost; the operator hears of it, no request does. */
static void
refused(struct redis_queue *q, const char *text)
{
    atomic_fetch_add(&q->counts.lost, 1);
    if (!q->full_told)
        lp_logf(q->log, LP_LOG_WARN, "queue.refused", "s:s, s:s", "kind", q->base.kind, "error",
                text);
    q->full_told = true;
}

static void
trim(struct redis_queue *q, const char *key, long long len)
{
    redisReply *reply = redisCommand(q->ctx, "LTRIM %s 0 %lld", key, (long long)q->bound - 1);

    if (reply != NULL && reply->type == REDIS_REPLY_STATUS)
        atomic_fetch_add(&q->counts.lost, (uint64_t)(len - (long long)q->bound));
    freeReplyObject(reply);
}

/** The answers of a pipeline; false: the connection is of no use. */
static bool
read_pushes(struct redis_queue *q, const struct lp_hint *hints, size_t count, size_t *done)
{
    long long longest = 0;
    size_t at = 0;
    char key[KEY_MOST];

    for (*done = 0; *done < count; ++*done) {
        void *raw = NULL;
        redisReply *reply;
        bool wrong;

        if (redisGetReply(q->ctx, &raw) != REDIS_OK || raw == NULL)
            return false;
        reply = raw;
        wrong = reply->type == REDIS_REPLY_ERROR && wrong_server(reply->str);
        if (reply->type == REDIS_REPLY_ERROR && !wrong)
            refused(q, reply->str);
        else if (reply->type == REDIS_REPLY_INTEGER) {
            q->full_told = false;
            if (hints[*done].label[0] == '\0')
                atomic_store(&q->depths[hints[*done].task ? 1 : 0], (size_t)reply->integer);
            if (reply->integer > longest) {
                longest = reply->integer;
                at = *done;
            }
        }
        freeReplyObject(reply);
        if (wrong)
            return false;
    }
    if (longest > (long long)q->bound) {
        key_of(q, hints[at].task, hints[at].label, key);
        trim(q, key, longest);
    }
    return true;
}

static bool
send_some(struct redis_queue *q, const struct lp_hint *hints, size_t count)
{
    char key[KEY_MOST];
    size_t done = 0;
    bool good = true;

    for (size_t i = 0; good && i < count; i++) {
        key_of(q, hints[i].task, hints[i].label, key);
        good = redisAppendCommand(q->ctx, "RPUSH %s %s", key, hints[i].id) == REDIS_OK;
    }
    good = good && read_pushes(q, hints, count, &done);
    if (good)
        return true;
    atomic_fetch_add(&q->counts.lost, count - done);
    drop_sender(q, q->ctx->err != 0 ? q->ctx->errstr : "this Redis takes no hints now");
    return false;
}

static void
send_all(struct redis_queue *q)
{
    struct lp_hint *hints = NULL;
    size_t count = lp_outbox_take(&q->out, &hints);

    for (size_t i = 0; i < count; i += BATCH) {
        size_t some = count - i < BATCH ? count - i : BATCH;

        if (q->ctx == NULL)
            atomic_fetch_add(&q->counts.lost, some);
        else
            (void)send_some(q, hints + i, some);
    }
    free(hints);
}

/** Lists without a label; those with one are short. */
static void
look_at_depths(struct redis_queue *q)
{
    char key[KEY_MOST];

    q->depth_at_us = lp_clock_mono_us(q->clock);
    atomic_store(&q->depth_wanted, false);
    for (size_t i = 0; q->ctx != NULL && i < LANES; i++) {
        redisReply *reply;

        key_of(q, i > 0, "", key);
        reply = redisCommand(q->ctx, "LLEN %s", key);
        if (reply == NULL)
            drop_sender(q, q->ctx->errstr);
        else if (reply->type == REDIS_REPLY_INTEGER)
            atomic_store(&q->depths[i], (size_t)reply->integer);
        freeReplyObject(reply);
    }
}

/** Idle it sleeps for ever. */
static void
wait_for_hints(struct redis_queue *q)
{
    struct pollfd fd = {.fd = q->out.wake_fd, .events = POLLIN};

    (void)poll(&fd, 1, -1);
    lp_outbox_calm(&q->out);
}

/** What is pushed while Redis is away is lost. */
static void
wait_for_redis(struct redis_queue *q)
{
    int64_t end = lp_clock_mono_us(q->clock) + (int64_t)lp_backoff_next(&q->send_backoff_ms) * 1000;
    int64_t left;

    while (!atomic_load(&q->closed)
           && (left = (end - lp_clock_mono_us(q->clock) + 999) / 1000) > 0) {
        struct pollfd fd = {.fd = q->out.wake_fd, .events = POLLIN};

        (void)poll(&fd, 1, (int)left);
        lp_outbox_calm(&q->out);
        send_all(q);
    }
}

static void *
sender_main(void *arg)
{
    struct redis_queue *q = arg;

    while (!atomic_load(&q->closed)) {
        if (q->ctx == NULL)
            q->ctx = connect_now(q);
        if (q->ctx == NULL) {
            wait_for_redis(q);
            continue;
        }
        q->send_backoff_ms = 0;
        send_all(q);
        if (q->ctx != NULL && atomic_load(&q->depth_wanted)
            && lp_clock_mono_us(q->clock) - q->depth_at_us >= DEPTH_OLD_MS * 1000)
            look_at_depths(q);
        if (q->ctx != NULL)
            wait_for_hints(q);
    }
    if (q->ctx != NULL)
        redisFree(q->ctx);
    q->ctx = NULL;
    return NULL;
}

/* ---- popping; pop_lock is held ---- */

static void
drop_lane(struct redis_queue *q, struct lane *lane, const char *why)
{
    if (why != NULL)
        tell(q, LP_LOG_WARN, why);
    if (lane->ctx != NULL)
        redisFree(lane->ctx);
    lane->ctx = NULL;
    lane->waits = false;
}

static bool
begin_wait(struct redis_queue *q, struct lane *lane)
{
    const char *argv[KEYS_MOST + 2];
    char block[8];
    int written = 0;

    argv[0] = "BLPOP";
    for (size_t i = 0; i < lane->key_count; i++)
        argv[i + 1] = lane->keys[i];
    snprintf(block, sizeof block, "%d", BLOCK_S);
    argv[lane->key_count + 1] = block;
    if (redisAppendCommandArgv(lane->ctx, (int)lane->key_count + 2, argv, NULL) != REDIS_OK)
        return false;
    while (written == 0)
        if (redisBufferWrite(lane->ctx, &written) != REDIS_OK)
            return false;
    lane->waits = true;
    lane->sent_us = lp_clock_mono_us(q->clock);
    return true;
}

/** Connected and waiting; false: Redis is away. */
static bool
lanes_wait(struct redis_queue *q, int priorities)
{
    for (int i = 0; i < priorities && i < LANES; i++) {
        struct lane *lane = &q->lanes[i];

        if (lane->waits && lp_clock_mono_us(q->clock) - lane->sent_us > (int64_t)SILENCE_MS * 1000)
            drop_lane(q, lane, "Redis does not answer");
        if (lane->ctx == NULL && (lane->ctx = connect_now(q)) == NULL)
            return false;
        if (!lane->waits && !begin_wait(q, lane)) {
            drop_lane(q, lane, lane->ctx->errstr);
            return false;
        }
    }
    q->pop_backoff_ms = 0;
    return true;
}

/** What came on a lane: LP_OK with id, LP_NOT_FOUND (nothing of use), LP_RETRYABLE (lost). */
static enum lp_code
read_lane(struct redis_queue *q, struct lane *lane, char id[static LP_UUID_LEN + 1])
{
    enum lp_code rc = LP_NOT_FOUND;
    void *raw = NULL;
    redisReply *reply;

    if (redisBufferRead(lane->ctx) != REDIS_OK
        || redisGetReplyFromReader(lane->ctx, &raw) != REDIS_OK) {
        drop_lane(q, lane, lane->ctx->errstr);
        return LP_RETRYABLE;
    }
    if (raw == NULL)
        return LP_NOT_FOUND; /* not complete yet */
    reply = raw;
    lane->waits = false;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && reply->element[1]->type == REDIS_REPLY_STRING) {
        const redisReply *text = reply->element[1];

        if (lp_hint_id_ok(text->str, text->len)) {
            memcpy(id, text->str, LP_UUID_LEN + 1);
            atomic_fetch_add(&q->counts.popped, 1);
            rc = LP_OK;
        } else {
            atomic_fetch_add(&q->counts.garbage, 1);
        }
    } else if (reply->type == REDIS_REPLY_ERROR) {
        drop_lane(q, lane, reply->str); /* a key of another type, no right, a replica now */
        rc = LP_RETRYABLE;
    }
    freeReplyObject(reply);
    return rc;
}

/** Until something came on a lane, somebody called, or the time is over. */
static bool
poll_lanes(struct redis_queue *q, int priorities, int timeout_ms,
           struct pollfd fds[static LANES + 1])
{
    nfds_t count = 0;

    for (int i = 0; i < priorities && i < LANES; i++)
        fds[count++] = (struct pollfd){.fd = q->lanes[i].ctx->fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = q->wake_fd, .events = POLLIN};
    return poll(fds, count, timeout_ms) > 0 && fds[count - 1].revents != 0;
}

static void
calm(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

static void
raise_fd(int fd)
{
    uint64_t one = 1;

    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/** A pause; a wake ends it, and the pop with it: what it was asked for may be out of date. */
static enum lp_code
rest(struct redis_queue *q, int ms, struct lp_err *err)
{
    struct pollfd fd = {.fd = q->wake_fd, .events = POLLIN};

    if (poll(&fd, 1, ms) <= 0)
        return lp_fail(err, LP_NOT_FOUND, "no hint");
    calm(q->wake_fd);
    return lp_fail(err, LP_CANCELLED, "woken");
}

static enum lp_code
pop_once(struct redis_queue *q, int timeout_ms, int priorities, char id[static LP_UUID_LEN + 1],
         struct lp_err *err)
{
    struct pollfd fds[LANES + 1];
    enum lp_code rc = LP_NOT_FOUND;
    int wait = timeout_ms < 0 || timeout_ms > SILENCE_MS ? SILENCE_MS : timeout_ms;

    if (!lanes_wait(q, priorities)) {
        int pause = lp_backoff_next(&q->pop_backoff_ms);

        return rest(q, timeout_ms >= 0 && timeout_ms < pause ? timeout_ms : pause, err);
    }
    if (poll_lanes(q, priorities, wait, fds)) {
        calm(q->wake_fd);
        return lp_fail(err, LP_CANCELLED, "woken");
    }
    for (int i = 0; rc == LP_NOT_FOUND && i < priorities && i < LANES; i++)
        if (fds[i].revents != 0)
            rc = read_lane(q, &q->lanes[i], id);
    return rc == LP_OK ? LP_OK : lp_fail(err, LP_NOT_FOUND, "no hint");
}

static enum lp_code
redis_pop(struct lp_queue *queue, int timeout_ms, int priorities, char id[static LP_UUID_LEN + 1],
          struct lp_err *err)
{
    struct redis_queue *q = (struct redis_queue *)queue;
    int64_t end = lp_clock_mono_us(q->clock) + (int64_t)timeout_ms * 1000;
    enum lp_code rc = LP_NOT_FOUND;

    pthread_mutex_lock(&q->pop_lock);
    while (rc == LP_NOT_FOUND && !atomic_load(&q->closed)) {
        int64_t left = timeout_ms < 0 ? -1 : (end - lp_clock_mono_us(q->clock) + 999) / 1000;

        lp_err_clear(err);
        if (atomic_load(&q->muted)) {
            for (size_t i = 0; i < LANES; i++)
                drop_lane(q, &q->lanes[i], NULL);
            rc = rest(q, (int)left, err);
        } else {
            rc = pop_once(q, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0, priorities, id, err);
        }
        if (timeout_ms >= 0 && left <= 0)
            break;
    }
    pthread_mutex_unlock(&q->pop_lock);
    if (rc == LP_OK)
        return LP_OK;
    lp_err_clear(err);
    if (atomic_load(&q->closed))
        return lp_fail(err, LP_CANCELLED, "the queue was closed");
    return lp_fail(err, LP_NOT_FOUND, "no hint within %d ms", timeout_ms);
}

/* ---- the interface ---- */

static enum lp_code
redis_push(struct lp_queue *queue, const char *id, int priority, const char *label,
           struct lp_err *err)
{
    struct redis_queue *q = (struct redis_queue *)queue;
    struct lp_hint hint;
    enum lp_code rc = lp_hint_make(&hint, id, priority, label, err);

    if (rc != LP_OK)
        return rc;
    atomic_fetch_add(&q->counts.pushed, 1);
    if (!lp_outbox_add(&q->out, &hint))
        atomic_fetch_add(&q->counts.lost, 1);
    return LP_OK;
}

static void
redis_wake(struct lp_queue *queue)
{
    raise_fd(((struct redis_queue *)queue)->wake_fd);
}

static void
redis_mute(struct lp_queue *queue, bool muted)
{
    struct redis_queue *q = (struct redis_queue *)queue;

    if (atomic_exchange(&q->muted, muted) == muted)
        return;
    raise_fd(q->wake_fd);
    /* A BLPOP under way would still take a hint: who is in pop gives it up, else we do. */
    if (pthread_mutex_trylock(&q->pop_lock) != 0)
        return;
    for (size_t i = 0; muted && i < LANES; i++)
        drop_lane(q, &q->lanes[i], NULL);
    pthread_mutex_unlock(&q->pop_lock);
}

static size_t
redis_depth_of(struct lp_queue *queue, int priority)
{
    struct redis_queue *q = (struct redis_queue *)queue;

    if (!atomic_exchange(&q->depth_wanted, true))
        lp_outbox_wake(&q->out);
    return atomic_load(&q->depths[priority <= 0 ? 0 : 1]);
}

static size_t
redis_depth(struct lp_queue *queue)
{
    return redis_depth_of(queue, 0) + redis_depth_of(queue, 1);
}

static void
redis_stats(struct lp_queue *queue, struct lp_queue_stats *out)
{
    lp_counts_read(&((struct redis_queue *)queue)->counts, out);
}

static void
redis_close(struct lp_queue *queue)
{
    struct redis_queue *q = (struct redis_queue *)queue;

    atomic_store(&q->closed, true);
    lp_outbox_wake(&q->out);
    raise_fd(q->wake_fd);
}

static void
free_secret(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void
redis_free(struct lp_queue *queue)
{
    struct redis_queue *q = (struct redis_queue *)queue;

    if (q == NULL)
        return;
    if (q->started) {
        redis_close(queue);
        pthread_join(q->thread, NULL);
    }
    for (size_t i = 0; i < LANES; i++) {
        drop_lane(q, &q->lanes[i], NULL);
        for (size_t k = 0; k < q->lanes[i].key_count; k++)
            free(q->lanes[i].keys[k]);
    }
    lp_outbox_close(&q->out);
    if (q->wake_fd >= 0)
        close(q->wake_fd);
    pthread_mutex_destroy(&q->pop_lock);
    pthread_mutex_destroy(&q->told_lock);
    free(q->master);
    free(q->user);
    free_secret(q->password);
    free(q->prefix);
    free(q);
}

/* ---- making ---- */

static void
add_label_key(void *arg, const char *word)
{
    struct redis_queue *q = arg;

    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &q->lanes[i];
        char key[KEY_MOST];

        if (lane->key_count == KEYS_MOST)
            continue;
        key_of(q, i > 0, word, key);
        lane->keys[lane->key_count] = strdup(key);
        if (lane->keys[lane->key_count] != NULL)
            lane->key_count++;
    }
}

static char *
copy(const char *text, const char *otherwise)
{
    return strdup(text == NULL || *text == '\0' ? otherwise : text);
}

static enum lp_code
build(struct redis_queue *q, const struct lp_queue_redis_options *options, struct lp_err *err)
{
    enum lp_code rc = lp_outbox_open(&q->out, options->bound, err);

    if (rc != LP_OK)
        return rc;
    read_places(&q->hosts, options->hosts, PORT);
    read_places(&q->sentinels, options->sentinels, SENTINEL_PORT);
    q->master = copy(options->master, "lightpath");
    q->user = copy(options->user, "");
    q->password = copy(options->password, "");
    q->prefix = copy(options->prefix, "lightpath");
    q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->master == NULL || q->user == NULL || q->password == NULL || q->prefix == NULL
        || q->wake_fd < 0)
        return lp_fail(err, LP_NOMEM, "no memory for the queue");
    if (strlen(q->prefix) > KEY_MOST - LP_LABEL_MAX - 8)
        return lp_fail_at(err, LP_INVALID, "queue.prefix", "queue.prefix is too long");
    if (q->hosts.count + q->sentinels.count == 0)
        return lp_fail_at(err, LP_INVALID, "queue.redis",
                          "queue.redis names no host and queue.sentinels none either");
    add_label_key(q, "");
    lp_words(options->labels, add_label_key, q);
    if (pthread_create(&q->thread, NULL, sender_main, q) != 0)
        return lp_fail(err, LP_NOMEM, "cannot start the thread of the queue");
    q->started = true;
    (void)pthread_setname_np(q->thread, "lp-queue");
    return LP_OK;
}

enum lp_code
lp_queue_redis_new(const struct lp_queue_redis_options *options, struct lp_queue **out,
                   struct lp_err *err)
{
    static const struct lp_queue_ops ops = {.push = redis_push,
                                            .pop = redis_pop,
                                            .wake = redis_wake,
                                            .mute = redis_mute,
                                            .depth = redis_depth,
                                            .depth_of = redis_depth_of,
                                            .stats = redis_stats,
                                            .close = redis_close,
                                            .free = redis_free};
    struct redis_queue *q = calloc(1, sizeof *q);
    int64_t ms = options->timeout_ms > 0 ? options->timeout_ms : 2000;
    enum lp_code rc;

    if (q == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the queue");
    q->base = (struct lp_queue){.ops = &ops, .kind = "redis"};
    q->out.wake_fd = q->wake_fd = -1;
    q->log = options->log;
    q->clock = options->clock;
    q->db = options->db;
    q->bound = options->bound > 0 ? options->bound : 1;
    q->timeout = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    pthread_mutex_init(&q->pop_lock, NULL);
    pthread_mutex_init(&q->told_lock, NULL);
    rc = build(q, options, err);
    if (rc == LP_OK)
        *out = &q->base;
    else
        redis_free(&q->base);
    return rc;
}
