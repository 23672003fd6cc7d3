#include "scheduler/sweeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
    AGAIN_MS = 20,  /* after a full sweep, and the least pause before one that is due */
    RETRY_MS = 250, /* the store did not answer */
};

struct lp_sweeper {
    struct lp_sweeper_options o;
    pthread_t thread;
    pthread_mutex_t lock; /* guards stop */
    pthread_cond_t wake;
    bool stop;
};

/** False: the sweeper ends. */
static bool
sleep_ms(struct lp_sweeper *s, int64_t ms)
{
    struct timespec until;
    bool stop;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    while (!s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0)
        ;
    stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    return !stop;
}

/** One look; how long to rest after it. */
static int64_t
sweep(struct lp_sweeper *s)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t pace = lp_conf_live_int(&s->o.conf->executor_sweep_ms), next = -1;
    size_t found = 0;

    if (lp_engine_sweep(s->o.engine, &found, &next, &err) != LP_OK) {
        lp_log_err(s->o.log, LP_LOG_WARN, "sweeper.failed", &err);
        lp_err_clear(&err);
        return RETRY_MS;
    }
    if (next >= 0 && next < pace)
        pace = next > AGAIN_MS ? next : AGAIN_MS;
    /* what was announced just now need not be announced again at once */
    return found > 0 && found < LP_SWEEP_MOST ? lp_conf_live_int(&s->o.conf->executor_sweep_ms)
                                              : pace;
}

static void *
thread_main(void *arg)
{
    struct lp_sweeper *s = arg;
    int64_t rest = 0;

    while (sleep_ms(s, rest)) {
        bool leads = lp_scheduler_lead(s->o.lease, NULL);
        int64_t renew;

        rest = leads ? sweep(s) : INT32_MAX;
        renew = lp_lease_wait_ms(s->o.lease);
        rest = renew < rest ? renew : rest;
    }
    return NULL;
}

enum lp_code
lp_sweeper_start(const struct lp_sweeper_options *options, struct lp_sweeper **out,
                 struct lp_err *err)
{
    struct lp_sweeper *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;

    if (s == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the sweeper");
    s->o = *options;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&s->thread, NULL, thread_main, s) != 0) {
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return lp_fail(err, LP_NOMEM, "cannot start the sweeper's thread");
    }
    (void)pthread_setname_np(s->thread, "lp-sweep");
    *out = s;
    return LP_OK;
}

void
lp_sweeper_stop(struct lp_sweeper *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    lp_lease_release(s->o.lease);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
