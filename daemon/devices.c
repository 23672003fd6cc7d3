/* What steps need to speak to devices, and the thread that keeps sessions alive. */
#include "daemon/devices.h"

#include <stdlib.h>
#include <time.h>

enum { IDLE_MORE_S = 3600 /* a step may use a session for so long */ };

struct lp_daemon_devices {
    struct lp_services services;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* guarded by lock */
    time_t until;  /* guarded by lock: sessions may be open so long (monotonic) */
    time_t idle_s; /* a session unused for so long is closed */
    pthread_t thread;
    bool runs;
};

static time_t
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/** Sleeps without a timer as long as there are no sessions. */
static void *
keep_alive(void *arg)
{
    struct lp_daemon_devices *devices = arg;

    pthread_mutex_lock(&devices->lock);
    while (!devices->stopping) {
        struct timespec until = {.tv_sec = now_s() + 1};

        if (devices->until < until.tv_sec) {
            pthread_cond_wait(&devices->wake, &devices->lock);
            continue;
        }
        if (pthread_cond_timedwait(&devices->wake, &devices->lock, &until) == 0)
            continue;
        pthread_mutex_unlock(&devices->lock);
        lp_driver_host_tick(devices->services.drivers);
        pthread_mutex_lock(&devices->lock);
    }
    pthread_mutex_unlock(&devices->lock);
    return NULL;
}

static void
opening(void *arg)
{
    struct lp_daemon_devices *devices = arg;
    time_t now = now_s();
    bool slept;

    pthread_mutex_lock(&devices->lock);
    slept = devices->until <= now + 1;
    devices->until = now + devices->idle_s + IDLE_MORE_S;
    if (slept)
        pthread_cond_signal(&devices->wake);
    pthread_mutex_unlock(&devices->lock);
}

enum lp_code
lp_daemon_devices_start(const struct lp_driver_host_options *options,
                        struct lp_daemon_devices **out, struct lp_err *err)
{
    struct lp_daemon_devices *devices = calloc(1, sizeof *devices);
    pthread_condattr_t monotonic;
    enum lp_code rc;

    if (devices == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the device drivers");
    pthread_mutex_init(&devices->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&devices->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    devices->idle_s = (time_t)options->conf->devices_idle_s;
    devices->services =
        (struct lp_services){.driver_of = lp_driver_of, .opening = opening, .arg = devices};
    rc = lp_driver_host_new(options, &devices->services.drivers, err);
    if (rc == LP_OK && pthread_create(&devices->thread, NULL, keep_alive, devices) != 0)
        rc = lp_fail(err, LP_NOMEM, "no thread for the device sessions");
    devices->runs = rc == LP_OK;
    if (rc == LP_OK)
        *out = devices;
    else
        lp_daemon_devices_stop(devices);
    return rc;
}

struct lp_services *
lp_daemon_devices_services(struct lp_daemon_devices *devices)
{
    return &devices->services;
}

void
lp_daemon_devices_stop(struct lp_daemon_devices *devices)
{
    if (devices == NULL)
        return;
    pthread_mutex_lock(&devices->lock);
    devices->stopping = true;
    pthread_cond_signal(&devices->wake);
    pthread_mutex_unlock(&devices->lock);
    if (devices->runs)
        pthread_join(devices->thread, NULL);
    lp_driver_host_free(devices->services.drivers);
    pthread_cond_destroy(&devices->wake);
    pthread_mutex_destroy(&devices->lock);
    free(devices);
}
