#include <stdio.h>
#include <stdlib.h>

#include "api/internal.h"

/** A function to run once on a handler thread. */
struct call {
    struct call *next;
    void (*fn)(void *arg);
    void *arg;
};

struct lp_pool {
    struct lp_api *api;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t more;
    struct lp_request *first, *last;
    struct call *calls, *last_call;
    bool closing;
    bool call_turn; /* calls and requests take turns: neither a crowd of listeners that are behind
                       nor a crowd of requests keeps the others waiting */
    unsigned count;
    pthread_t threads[];
};

static void
run_call(struct call *call)
{
    call->fn(call->arg);
    free(call);
}

static void *
work(void *arg)
{
    struct lp_pool *pool = arg;

    for (;;) {
        struct lp_request *req;
        struct call *call;

        pthread_mutex_lock(&pool->lock);
        while (pool->first == NULL && pool->calls == NULL && !pool->closing)
            pthread_cond_wait(&pool->more, &pool->lock);
        call = pool->call_turn || pool->first == NULL ? pool->calls : NULL;
        req = call == NULL ? pool->first : NULL;
        pool->call_turn = call == NULL;
        if (call != NULL)
            pool->calls = call->next;
        else if (req != NULL)
            pool->first = req->next;
        pthread_mutex_unlock(&pool->lock);
        if (call != NULL) {
            run_call(call);
        } else if (req != NULL) {
            lp_log_correlation(req->id);
            lp_request_run(req);
            lp_log_correlation("");
            lp_api_done(pool->api, req);
        } else {
            return NULL;
        }
    }
}

enum lp_code
lp_pool_new(struct lp_api *api, unsigned threads, struct lp_pool **out, struct lp_err *err)
{
    struct lp_pool *pool = calloc(1, sizeof *pool + threads * sizeof(pthread_t));

    if (pool == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the handler threads");
    pool->api = api;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    while (pool->count < threads) {
        char name[16];

        if (pthread_create(&pool->threads[pool->count], NULL, work, pool) != 0) {
            unsigned started = pool->count;

            lp_pool_free(pool);
            return lp_fail(err, LP_INTERNAL, "cannot start handler thread %u", started);
        }
        snprintf(name, sizeof name, "api-%u", pool->count % 1000);
        pthread_setname_np(pool->threads[pool->count], name);
        pool->count++;
    }
    *out = pool;
    return LP_OK;
}

void
lp_pool_push(struct lp_pool *pool, struct lp_request *req)
{
    req->next = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->first == NULL)
        pool->first = req;
    else
        pool->last->next = req;
    pool->last = req;
    pthread_cond_signal(&pool->more);
    pthread_mutex_unlock(&pool->lock);
}

bool
lp_pool_call(struct lp_pool *pool, void (*fn)(void *arg), void *arg)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return false;
    call->fn = fn;
    call->arg = arg;
    pthread_mutex_lock(&pool->lock);
    if (pool->calls == NULL)
        pool->calls = call;
    else
        pool->last_call->next = call;
    pool->last_call = call;
    pthread_cond_signal(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    return true;
}

void
lp_pool_free(struct lp_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->more);
    free(pool);
}
