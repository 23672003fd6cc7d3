#include "scheduler/scheduler.h"

#include <pthread.h>
#include <stdlib.h>

#include "engine/schedules.h"

enum {
    RETRY_MS = 1000,    /* the store is away */
    PAUSED_MS = 5000,   /* something is due, and the engine is paused */
    BROKEN_MS = 5000,   /* something is due that cannot be dealt with */
    LONGEST_MS = 60000, /* clocks are set, and machines sleep */
};

struct lp_scheduler {
    struct lp_scheduler_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, poked; /* guarded by lock */
    bool furnished;       /* the first schedules are made */
};

/* ---- what is there from the first start on ---- */

/* clang-format off */
static const struct furniture {
    const char *key, *text;
} defaults[] = {
    {"clean_up",
     "{\"name\":\"Clean up\",\"workflow_name\":\"task_clean_up_tasks\",\"trigger\":\"interval\","
     "\"trigger_kwargs\":{\"hours\":6},\"overlap\":\"skip\"}"},
    {"validate_subscriptions",
     "{\"name\":\"Validate all subscriptions\",\"workflow_name\":\"task_validate_subscriptions\",\"trigger\":\"cron\","
     "\"trigger_kwargs\":{\"expression\":\"10 0 * * *\"},\"user_inputs\":[{\"spread_minutes\":240}],\"overlap\":\"skip\"}"},
    {"validate_catalog",
     "{\"name\":\"Validate the catalog against stored data\",\"workflow_name\":\"task_validate_products\",\"trigger\":\"cron\","
     "\"trigger_kwargs\":{\"expression\":\"30 2 * * *\"},\"overlap\":\"skip\"}"},
};
/* clang-format on */

enum lp_code
lp_scheduler_defaults(struct lp_engine *engine, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(defaults); i++) {
        json_auto_t *body = json_loads(defaults[i].text, JSON_REJECT_DUPLICATES, NULL);

        rc = lp_schedule_default(engine, defaults[i].key, body, err);
    }
    return rc;
}

/* ---- the thread ---- */

static bool
go_on(void *arg)
{
    struct lp_scheduler *scheduler = arg;
    bool stopping;

    pthread_mutex_lock(&scheduler->lock);
    stopping = scheduler->stopping;
    pthread_mutex_unlock(&scheduler->lock);
    return !stopping && lp_lease_held(scheduler->options.lease);
}

static enum lp_code
furnish(struct lp_scheduler *scheduler, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    if (!scheduler->furnished)
        rc = lp_scheduler_defaults(scheduler->options.engine, err);
    scheduler->furnished = rc == LP_OK;
    return rc;
}

static int64_t
after_failure(struct lp_scheduler *scheduler, enum lp_code rc, struct lp_err *err)
{
    if (rc != LP_PAUSED)
        lp_log_err(scheduler->options.log, LP_LOG_WARN, "scheduler.failed", err);
    lp_err_clear(err);
    return rc == LP_PAUSED ? PAUSED_MS : rc == LP_STORE || rc == LP_UNKNOWN ? RETRY_MS : BROKEN_MS;
}

/** Deals with what is due; milliseconds until it wants to look again. */
static int64_t
work(struct lp_scheduler *scheduler)
{
    struct lp_engine *engine = scheduler->options.engine;
    struct lp_err err = LP_ERR_INIT;
    int64_t us = INT64_MAX;
    size_t dealt = 0;
    enum lp_code rc = furnish(scheduler, &err);

    if (rc == LP_OK)
        rc = lp_schedules_run(engine, go_on, scheduler, &dealt, &err);
    if (rc == LP_OK)
        rc = lp_schedules_sleep(engine, &us, &err);
    if (rc != LP_OK)
        return after_failure(scheduler, rc, &err);
    if (us == 0 && dealt == 0)
        return BROKEN_MS;
    return us / 1000 >= LONGEST_MS ? LONGEST_MS : us / 1000 + (us % 1000 != 0);
}

static void
sleep_for(struct lp_scheduler *scheduler, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->stopping && !scheduler->poked
           && pthread_cond_timedwait(&scheduler->wake, &scheduler->lock, &until) == 0)
        continue;
    scheduler->poked = false;
    pthread_mutex_unlock(&scheduler->lock);
}

static void *
run(void *arg)
{
    struct lp_scheduler *scheduler = arg;
    struct lp_lease *lease = scheduler->options.lease;
    bool stopping = false;

    while (!stopping) {
        int64_t ms = LONGEST_MS, lease_ms;

        if (lp_scheduler_lead(lease, NULL))
            ms = work(scheduler);
        lease_ms = lp_lease_wait_ms(lease);
        sleep_for(scheduler, ms < lease_ms ? ms : lease_ms);
        pthread_mutex_lock(&scheduler->lock);
        stopping = scheduler->stopping;
        pthread_mutex_unlock(&scheduler->lock);
    }
    return NULL;
}

void
lp_scheduler_poke(void *arg)
{
    struct lp_scheduler *scheduler = arg;

    pthread_mutex_lock(&scheduler->lock);
    scheduler->poked = true;
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
}

static void
destroy(struct lp_scheduler *scheduler)
{
    pthread_cond_destroy(&scheduler->wake);
    pthread_mutex_destroy(&scheduler->lock);
    free(scheduler);
}

enum lp_code
lp_scheduler_start(const struct lp_scheduler_options *options, struct lp_scheduler **out,
                   struct lp_err *err)
{
    struct lp_scheduler *scheduler = calloc(1, sizeof *scheduler);
    pthread_condattr_t attr;

    if (scheduler == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the scheduler");
    scheduler->options = *options;
    pthread_mutex_init(&scheduler->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&scheduler->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&scheduler->thread, NULL, run, scheduler) != 0) {
        destroy(scheduler);
        return lp_fail(err, LP_NOMEM, "the scheduler's thread does not start");
    }
    lp_engine_on_schedules(options->engine, lp_scheduler_poke, scheduler);
    *out = scheduler;
    return LP_OK;
}

void
lp_scheduler_stop(struct lp_scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    lp_engine_on_schedules(scheduler->options.engine, NULL, NULL);
    pthread_mutex_lock(&scheduler->lock);
    scheduler->stopping = true;
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
    pthread_join(scheduler->thread, NULL);
    destroy(scheduler);
}
