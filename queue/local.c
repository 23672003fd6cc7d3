/* The in-process queue: two lanes, bounded, every id at most once. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/queue.h"

enum { LANES = 2, BUCKETS = 1024 };

struct hint {
    struct hint *next;  /* in its lane */
    struct hint *chain; /* in its bucket */
    char id[LP_UUID_LEN + 1];
};

struct lane {
    struct hint *first;
    struct hint **last;
    size_t count;
};

struct local_queue {
    struct lp_queue base;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t came;
    struct lane lanes[LANES];
    struct hint *buckets[BUCKETS];
    size_t count, bound;
    unsigned waiting; /* poppers */
    uint64_t wakes, pushed, popped, lost;
    uint64_t heard; /* wakes that a pop has come back from */
    bool closed;
};

static struct hint **
bucket_of(struct local_queue *q, const char *id)
{
    uint32_t h = 2166136261u;

    for (const char *c = id; *c != '\0'; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return &q->buckets[h % BUCKETS];
}

static bool
queued(struct local_queue *q, const char *id)
{
    for (struct hint *h = *bucket_of(q, id); h != NULL; h = h->chain)
        if (strcmp(h->id, id) == 0)
            return true;
    return false;
}

static void
append(struct local_queue *q, struct hint *hint, int priority)
{
    struct lane *lane = &q->lanes[priority <= 0 ? 0 : LANES - 1];
    struct hint **bucket = bucket_of(q, hint->id);

    hint->chain = *bucket;
    *bucket = hint;
    *lane->last = hint;
    lane->last = &hint->next;
    lane->count++;
    q->count++;
    if (q->waiting > 0) /* who waits may want another lane */
        pthread_cond_broadcast(&q->came);
}

static enum lp_code
local_push(struct lp_queue *queue, const char *id, int priority, const char *label,
           struct lp_err *err)
{
    struct local_queue *q = (struct local_queue *)queue;
    size_t len = strlen(id);
    struct hint *hint;
    bool taken = false;

    (void)label; /* one executor: it looks by itself whether it may */
    if (len == 0 || len > LP_UUID_LEN)
        return lp_fail(err, LP_INVALID, "'%.40s' is not a process id", id);
    hint = calloc(1, sizeof *hint);
    if (hint == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a hint");
    memcpy(hint->id, id, len + 1);
    pthread_mutex_lock(&q->lock);
    q->pushed++;
    if (!q->closed && !queued(q, id)) {
        taken = q->count < q->bound;
        if (taken)
            append(q, hint, priority);
        else
            q->lost++;
    }
    pthread_mutex_unlock(&q->lock);
    if (!taken)
        free(hint);
    return LP_OK;
}

static void
unchain(struct local_queue *q, const struct hint *hint)
{
    struct hint **at = bucket_of(q, hint->id);

    while (*at != hint)
        at = &(*at)->chain;
    *at = hint->chain;
}

static struct hint *
take(struct local_queue *q, int lanes)
{
    for (size_t i = 0; i < LANES && (int)i < lanes; i++) {
        struct lane *lane = &q->lanes[i];
        struct hint *hint = lane->first;

        if (hint == NULL)
            continue;
        lane->first = hint->next;
        if (lane->first == NULL)
            lane->last = &lane->first;
        unchain(q, hint);
        lane->count--;
        q->count--;
        return hint;
    }
    return NULL;
}

static bool
any(const struct local_queue *q, int lanes)
{
    return lanes >= LANES ? q->count > 0 : q->lanes[0].count > 0;
}

/** Until something came, the queue was closed, somebody called or the time is over; the lock is
 * held before and after. */
static void
wait_for_hint(struct local_queue *q, int lanes, int timeout_ms)
{
    struct timespec until;
    uint64_t wakes = q->heard;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    q->waiting++;
    while (!any(q, lanes) && !q->closed && q->wakes == wakes && rc != ETIMEDOUT)
        rc = timeout_ms < 0 ? pthread_cond_wait(&q->came, &q->lock)
                            : pthread_cond_timedwait(&q->came, &q->lock, &until);
    q->waiting--;
}

static enum lp_code
local_pop(struct lp_queue *queue, int timeout_ms, int lanes, char id[static LP_UUID_LEN + 1],
          struct lp_err *err)
{
    struct local_queue *q = (struct local_queue *)queue;
    struct hint *hint = NULL;
    bool closed;

    pthread_mutex_lock(&q->lock);
    if (!any(q, lanes) && !q->closed && timeout_ms != 0)
        wait_for_hint(q, lanes, timeout_ms);
    q->heard = q->wakes;
    closed = q->closed;
    if (!closed)
        hint = take(q, lanes);
    q->popped += hint != NULL;
    pthread_mutex_unlock(&q->lock);
    if (closed)
        return lp_fail(err, LP_CANCELLED, "the queue was closed");
    if (hint == NULL)
        return lp_fail(err, LP_NOT_FOUND, "no hint within %d ms", timeout_ms);
    memcpy(id, hint->id, sizeof hint->id);
    free(hint);
    return LP_OK;
}

static size_t
local_depth(struct lp_queue *queue)
{
    struct local_queue *q = (struct local_queue *)queue;
    size_t count;

    pthread_mutex_lock(&q->lock);
    count = q->count;
    pthread_mutex_unlock(&q->lock);
    return count;
}

static size_t
local_depth_of(struct lp_queue *queue, int priority)
{
    struct local_queue *q = (struct local_queue *)queue;
    size_t count;

    pthread_mutex_lock(&q->lock);
    count = q->lanes[priority <= 0 ? 0 : LANES - 1].count;
    pthread_mutex_unlock(&q->lock);
    return count;
}

static void
local_wake(struct lp_queue *queue)
{
    struct local_queue *q = (struct local_queue *)queue;

    pthread_mutex_lock(&q->lock);
    q->wakes++;
    pthread_cond_broadcast(&q->came);
    pthread_mutex_unlock(&q->lock);
}

static void
local_mute(struct lp_queue *queue, bool muted)
{
    (void)queue; /* there are no others */
    (void)muted;
}

static void
local_stats(struct lp_queue *queue, struct lp_queue_stats *out)
{
    struct local_queue *q = (struct local_queue *)queue;

    pthread_mutex_lock(&q->lock);
    *out = (struct lp_queue_stats){
        .connected = true, .pushed = q->pushed, .popped = q->popped, .lost = q->lost};
    pthread_mutex_unlock(&q->lock);
}

static void
local_close(struct lp_queue *queue)
{
    struct local_queue *q = (struct local_queue *)queue;

    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->came);
    pthread_mutex_unlock(&q->lock);
}

static void
local_free(struct lp_queue *queue)
{
    struct local_queue *q = (struct local_queue *)queue;
    struct hint *hint;

    if (q == NULL)
        return;
    while ((hint = take(q, LANES)) != NULL)
        free(hint);
    pthread_cond_destroy(&q->came);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

struct lp_queue *
lp_queue_local_new(size_t bound)
{
    static const struct lp_queue_ops ops = {.push = local_push,
                                            .pop = local_pop,
                                            .wake = local_wake,
                                            .mute = local_mute,
                                            .stats = local_stats,
                                            .depth = local_depth,
                                            .depth_of = local_depth_of,
                                            .close = local_close,
                                            .free = local_free};
    struct local_queue *q = calloc(1, sizeof *q);
    pthread_condattr_t attr;

    if (q == NULL)
        return NULL;
    q->base = (struct lp_queue){.ops = &ops, .kind = "local"};
    q->bound = bound > 0 ? bound : 1;
    for (size_t i = 0; i < LANES; i++)
        q->lanes[i].last = &q->lanes[i].first;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->came, &attr);
    pthread_condattr_destroy(&attr);
    return &q->base;
}
