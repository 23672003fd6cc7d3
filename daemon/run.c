#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "scheduler/scheduler.h"
#include "workflows/workflows.h"

#define API_STOP_MS    5000
#define STOP_MORE_MS   2000  /* to say that a stop came to no good end, and to let go of the rest */
#define CLOCK_EVERY_MS 60000 /* between looks at the database's clock */
#define CLOCK_NOISE_US 10000
#define CLOCK_OFF_US   1000000 /* from here on a host's clock is complained about */
#define SPARE_FILES    512     /* descriptors besides the API's connections */

void
lp_daemon_store_options(const struct lp_daemon *daemon, struct lp_store_options *out)
{
    *out = (struct lp_store_options){
        .url = daemon->store_url,
        .pool = (unsigned)daemon->conf->store_pool,
        .batch = (unsigned)daemon->conf->store_batch,
        .log = daemon->log,
        .clock = &daemon->clock,
    };
}

/* ---- start ---- */

/** Signals are blocked in every thread and read here; SIGPIPE becomes EPIPE. */
static enum lp_code
take_signals(struct lp_daemon *daemon, struct lp_err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    daemon->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    sigaddset(&set, SIGPIPE);
    if (daemon->signal_fd < 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return lp_fail(err, LP_INTERNAL, "cannot set up signals: %s", strerror(errno));
    return LP_OK;
}

static enum lp_code
start_log(struct lp_daemon *daemon, struct lp_err *err)
{
    bool ok = true;
    enum lp_level level = lp_level_from_name(daemon->conf->log_level, &ok);

    if (!ok)
        return lp_fail_at(err, LP_INVALID, "log.level",
                          "log.level '%s' is none of debug, info, warn, error",
                          daemon->conf->log_level);
    daemon->log = lp_log_new(STDERR_FILENO, level, &daemon->clock);
    return daemon->log == NULL ? lp_fail(err, LP_NOMEM, "no memory for the log") : LP_OK;
}

/** Every connection is a descriptor: ask for enough of them. */
static void
raise_files(const struct lp_daemon *daemon)
{
    rlim_t want = (rlim_t)daemon->conf->api_max_connections + SPARE_FILES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
        return;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < want)
        lp_logf(daemon->log, LP_LOG_WARN, "daemon.few_files", "s:I, s:I", "wanted",
                (json_int_t)want, "got", (json_int_t)limit.rlim_cur);
}

static enum lp_code
open_place(struct lp_daemon *daemon, struct lp_err *err)
{
    enum lp_code rc = lp_place_data_dir(daemon->conf, &daemon->data_dir, err);

    if (rc == LP_OK)
        rc = lp_place_store_url(daemon->conf, daemon->data_dir, &daemon->store_url, err);
    if (rc == LP_OK)
        rc = lp_place_lock(daemon->data_dir, &daemon->lock_fd, err);
    return rc;
}

static enum lp_code
open_store(struct lp_daemon *daemon, struct lp_err *err)
{
    struct lp_store_options options;
    unsigned applied = 0;
    enum lp_code rc;

    lp_daemon_store_options(daemon, &options);
    rc = lp_store_open(&options, &daemon->store, err);
    if (rc != LP_PRECONDITION || !daemon->line->migrate)
        return rc;
    lp_err_clear(err); /* empty or older: bring it up to date, then open again */
    rc = lp_store_migrate(&options, &applied, err);
    if (rc != LP_OK)
        return rc;
    lp_logf(daemon->log, LP_LOG_INFO, "store.migrated", "s:i, s:i", "applied", (int)applied,
            "schema", lp_store_schema_version());
    return lp_store_open(&options, &daemon->store, err);
}

/** The main thread reads it like an operator's. */
static void
end_program(void)
{
    (void)kill(getpid(), SIGTERM);
}

static bool
shared(const struct lp_daemon *daemon)
{
    return lp_store_dialect(daemon->store) == LP_DIALECT_POSTGRES;
}

static bool
holds_lease(void *lease)
{
    return lp_lease_held(lease);
}

/** Messages are sent by whoever has the scheduler's duty; the owner of a file always has it. */
static enum lp_code
start_notifier(struct lp_daemon *daemon, struct lp_err *err)
{
    const struct lp_notifier_options options = {.store = daemon->store,
                                                .clock = &daemon->clock,
                                                .log = daemon->log,
                                                .conf = daemon->conf,
                                                .sender = {lp_daemon_send, daemon},
                                                .leads = shared(daemon) ? holds_lease : NULL,
                                                .leads_arg = daemon->lease};
    enum lp_code rc = lp_notifier_start(&options, &daemon->notifier, err);

    if (rc != LP_OK)
        return rc;
    daemon->listener = (struct lp_notice_listener){lp_notifier_poke, daemon->notifier};
    lp_engine_on_notice(daemon->engine, &daemon->listener);
    return LP_OK;
}

/**
 * Several hosts agree on the time of their database: what is due, and when something was done, does
 * not depend on whose clock is wrong. The host's is only complained about.
 */
static void
learn_time(struct lp_daemon *daemon)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t begun = lp_clock_mono_us(&daemon->clock), took, theirs = 0, off;

    if (!shared(daemon) || lp_store_now(daemon->store, &theirs, &err) != LP_OK) {
        lp_err_clear(&err);
        return;
    }
    took = lp_clock_mono_us(&daemon->clock) - begun;
    off = lp_clock_utc_us(&daemon->clock) - took / 2 - theirs;
    if (daemon->clock_known && off < took / 2 + CLOCK_NOISE_US && -off < took / 2 + CLOCK_NOISE_US)
        return;
    off = lp_clock_host_us(&daemon->clock) - took / 2 - theirs;
    if (off > CLOCK_OFF_US || -off > CLOCK_OFF_US)
        lp_logf(daemon->log, LP_LOG_WARN, "daemon.clock_off", "s:I, s:s", "ahead_ms",
                (json_int_t)(off / 1000), "msg",
                "the clock of this host differs from the database's, which counts");
    lp_clock_follow(&daemon->clock, theirs, begun + took / 2);
    daemon->clock_known = true;
}

static enum lp_code
start_scheduler(struct lp_daemon *daemon, struct lp_err *err)
{
    const struct lp_lease_options lease = {.store = daemon->store,
                                           .clock = &daemon->clock,
                                           .log = daemon->log,
                                           .name = "scheduler",
                                           .owner = lp_engine_incarnation(daemon->engine),
                                           .lease_ms = daemon->conf->scheduler_lease_ms};
    struct lp_sweeper_options sweeper = {.engine = daemon->engine,
                                         .conf = daemon->conf,
                                         .clock = &daemon->clock,
                                         .log = daemon->log};
    enum lp_code rc;

    if (!daemon->line->scheduler)
        return LP_OK;
    rc = lp_lease_new(&lease, &daemon->lease, err);
    sweeper.lease = daemon->lease;
    if (rc == LP_OK && shared(daemon))
        rc = lp_sweeper_start(&sweeper, &daemon->sweeper, err);
    if (rc == LP_OK)
        rc = lp_scheduler_start(&(struct lp_scheduler_options){.engine = daemon->engine,
                                                               .lease = daemon->lease,
                                                               .clock = &daemon->clock,
                                                               .log = daemon->log},
                                &daemon->scheduler, err);
    return rc == LP_OK ? start_notifier(daemon, err) : rc;
}

static enum lp_code
start_engine(struct lp_daemon *daemon, struct lp_err *err)
{
    struct lp_engine_options options = {
        .store = daemon->store,
        .catalog = daemon->catalog,
        .conf = daemon->conf,
        .clock = &daemon->clock,
        .log = daemon->log,
        .version = LP_VERSION,
        .give_up = end_program,
        .swept = shared(daemon),
    };
    enum lp_code rc = lp_daemon_make_queue(daemon, err);

    if (rc != LP_OK)
        return rc;
    options.queue = daemon->queue;
    options.sets = lp_workflow_sets(&options.set_count);
    if (daemon->line->executor) {
        const struct lp_driver_host_options drivers = {
            .conf = daemon->conf, .clock = &daemon->clock, .log = daemon->log};

        rc = lp_daemon_devices_start(&drivers, &daemon->devices, err);
        if (rc != LP_OK)
            return rc;
        options.services = lp_daemon_devices_services(daemon->devices);
    }
    rc = lp_engine_new(&options, &daemon->engine, err);
    if (rc == LP_OK) {
        rc = daemon->line->executor ? lp_engine_run(daemon->engine, err)
                                    : lp_engine_attend(daemon->engine, err);
    }
    if (rc == LP_OK)
        rc = start_scheduler(daemon, err);
    return rc;
}

static enum lp_code
listen_api(struct lp_daemon *daemon, struct lp_err *err)
{
    struct lp_api_options options = {
        .conf = daemon->conf,
        .clock = &daemon->clock,
        .log = daemon->log,
        .data_dir = daemon->data_dir,
        .version = LP_VERSION,
    };

    return daemon->line->api ? lp_api_listen(&options, &daemon->api, err) : LP_OK;
}

static enum lp_code
serve(struct lp_daemon *daemon, struct lp_err *err)
{
    struct lp_api_services services = {.engine = daemon->engine,
                                       .store = daemon->store,
                                       .catalog = daemon->catalog,
                                       .queue = daemon->queue,
                                       .store_url = daemon->store_url};
    enum lp_code rc = LP_OK;

    daemon->light = (struct lp_route_source){
        .store = daemon->store, .conf = daemon->conf, .clock = &daemon->clock};
    services.light = lp_daemon_light(&daemon->light);

    if (daemon->api != NULL)
        rc = lp_api_run(daemon->api, &services, err);
    if (rc == LP_OK && daemon->api != NULL)
        rc = lp_place_note_url(daemon->data_dir, lp_api_url(daemon->api), err);
    if (rc != LP_OK)
        return rc;
    lp_logf(daemon->log, LP_LOG_INFO, "daemon.ready", "s:s, s:s?, s:s?, s:s, s:i", "version",
            LP_VERSION, "url", daemon->api == NULL ? NULL : lp_api_url(daemon->api), "socket",
            daemon->api == NULL ? NULL : lp_api_socket(daemon->api), "data_dir", daemon->data_dir,
            "pid", (int)getpid());
    lp_notify("READY=1\nSTATUS=serving");
    return LP_OK;
}

/** In this order nothing is touched before everything that can be wrong from outside was looked at.
 */
static enum lp_code
start(struct lp_daemon *daemon, struct lp_err *err)
{
    const struct lp_command_line *line = daemon->line;
    const char *dir;
    enum lp_code rc =
        lp_conf_load(line->config, line->overrides, line->override_count, &daemon->conf, err);

    if (rc == LP_OK)
        rc = start_log(daemon, err);
    if (rc == LP_OK)
        rc = take_signals(daemon, err);
    if (rc != LP_OK)
        return rc;
    raise_files(daemon);
    dir = lp_place_catalog(daemon->conf);
    rc = lp_catalog_load(&dir, 1, &daemon->catalog, err);
    if (rc == LP_OK)
        rc = open_place(daemon, err);
    if (rc == LP_OK)
        rc = listen_api(daemon, err);
    if (rc == LP_OK)
        rc = open_store(daemon, err);
    if (rc == LP_OK)
        learn_time(daemon);
    if (rc == LP_OK)
        rc = start_engine(daemon, err);
    if (rc == LP_OK)
        rc = serve(daemon, err);
    return rc;
}

/* ---- life ---- */

static void
reload(struct lp_daemon *daemon)
{
    struct lp_err err = LP_ERR_INIT;

    lp_notify("RELOADING=1");
    if (lp_daemon_reload(daemon, &err) != LP_OK)
        lp_log_err(daemon->log, LP_LOG_ERROR, "config.rejected", &err);
    lp_err_clear(&err);
    if (daemon->notifier != NULL && lp_notifier_reload(daemon->notifier, &err) != LP_OK)
        lp_log_err(daemon->log, LP_LOG_ERROR, "notifications.rejected", &err);
    lp_err_clear(&err);
    lp_notify("READY=1");
}

/** A sign of life for the service manager. Not when the loop of the API has not turned since it was
 * asked to the last time: a daemon that answers nobody is better started anew. (A step thread that
 * hangs ends the daemon by itself: executor.stuck_grace_ms.) */
static void
sign_of_life(struct lp_daemon *daemon, uint64_t *turns)
{
    uint64_t now = daemon->api == NULL ? *turns + 1 : lp_api_turns(daemon->api);

    if (now != *turns)
        lp_notify("WATCHDOG=1");
    *turns = now;
}

/** Nothing wakes the main thread of a daemon alone with its file; others look at the time. */
static int
wait_ms(const struct lp_daemon *daemon, int watch_ms)
{
    if (!shared(daemon) || (watch_ms >= 0 && watch_ms < CLOCK_EVERY_MS))
        return watch_ms;
    return CLOCK_EVERY_MS;
}

/** Sleeps until a signal says stop. */
static void
wait_for_end(struct lp_daemon *daemon)
{
    int watch_ms = lp_notify_watchdog_ms();
    int64_t learned = lp_clock_mono_us(&daemon->clock);
    uint64_t turns = 0;

    for (;;) {
        struct signalfd_siginfo info;
        struct pollfd fd = {.fd = daemon->signal_fd, .events = POLLIN};

        if (poll(&fd, 1, wait_ms(daemon, watch_ms)) == 0) {
            if (watch_ms >= 0)
                sign_of_life(daemon, &turns);
            if (lp_clock_mono_us(&daemon->clock) - learned >= CLOCK_EVERY_MS * 1000) {
                learn_time(daemon);
                learned = lp_clock_mono_us(&daemon->clock);
            }
            continue;
        }
        if (read(daemon->signal_fd, &info, sizeof info) != sizeof info)
            continue;
        lp_logf(daemon->log, LP_LOG_INFO, "daemon.signal", "s:i", "signal", (int)info.ssi_signo);
        if (info.ssi_signo != SIGHUP)
            return;
        reload(daemon);
    }
}

/** The stop itself hangs: in a database that neither answers nor goes away, for one. Whatever was
 * under way is found again as after a crash. */
static void
late(int signal)
{
    static const char text[] =
        "lightpathd: the stop took longer than daemon.stop_timeout_ms allows: "
        "ended at once; what was under way is taken over as after a crash\n";

    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(lp_code_info(LP_CANCELLED)->exit);
}

/** From now on the program ends in that time, whatever hangs. */
static void
end_within(int64_t ms)
{
    const struct itimerval timer = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};
    struct sigaction action = {.sa_handler = late};

    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static enum lp_code
stop(struct lp_daemon *daemon, struct lp_err *err)
{
    int64_t timeout = daemon->conf->daemon_stop_timeout_ms;
    int64_t begun = lp_clock_mono_us(&daemon->clock);
    enum lp_code rc = LP_OK;

    end_within(timeout + STOP_MORE_MS);
    lp_notify("STOPPING=1");
    lp_place_forget_url(daemon->data_dir);
    if (daemon->api != NULL)
        lp_api_stop(daemon->api, timeout < API_STOP_MS ? timeout : API_STOP_MS);
    lp_scheduler_stop(daemon->scheduler);
    daemon->scheduler = NULL;
    lp_sweeper_stop(daemon->sweeper);
    daemon->sweeper = NULL;
    timeout -= (lp_clock_mono_us(&daemon->clock) - begun) / 1000;
    rc = lp_engine_stop(daemon->engine, timeout < 100 ? 100 : timeout, err);
    lp_logf(daemon->log, LP_LOG_INFO, "daemon.stopped", "s:b, s:I", "clean", rc == LP_OK, "ms",
            (json_int_t)((lp_clock_mono_us(&daemon->clock) - begun) / 1000));
    return rc;
}

static void
release(struct lp_daemon *daemon)
{
    lp_api_free(daemon->api);
    lp_scheduler_stop(daemon->scheduler);
    lp_sweeper_stop(daemon->sweeper);
    if (daemon->notifier != NULL)
        lp_engine_on_notice(daemon->engine, NULL);
    lp_notifier_stop(daemon->notifier); /* the engine has stopped: nobody pokes it any more */
    lp_lease_free(daemon->lease);
    lp_engine_free(daemon->engine);
    lp_daemon_devices_stop(daemon->devices);
    if (daemon->queue != NULL)
        daemon->queue->ops->free(daemon->queue);
    lp_store_close(daemon->store);
    lp_catalog_free(daemon->catalog);
    lp_log_free(daemon->log);
    if (daemon->signal_fd >= 0)
        close(daemon->signal_fd);
    if (daemon->lock_fd >= 0)
        close(daemon->lock_fd);
    for (size_t i = 0; i < daemon->retired_count; i++)
        free(daemon->retired[i]);
    free(daemon->retired);
    free(daemon->store_url);
    free(daemon->data_dir);
    lp_conf_free(daemon->conf);
}

/** Threads still work on something: the program ends without taking it from under them. What they
 * had is found again as after a crash. */
_Noreturn static void
leave(const struct lp_err *err)
{
    fprintf(stderr, "lightpathd: %s\n", err->msg);
    _exit(lp_code_info(err->code)->exit);
}

/** The start failed after the engine ran: it is stopped, in the order of stop(), before anything is
 * taken from under it. */
static void
abandon(struct lp_daemon *daemon, const struct lp_err *why)
{
    struct lp_err err = LP_ERR_INIT;

    end_within(daemon->conf->daemon_stop_timeout_ms + STOP_MORE_MS);
    lp_log_err(daemon->log, LP_LOG_ERROR, "daemon.not_started",
               why); /* the rest may take too long */
    lp_place_forget_url(daemon->data_dir);
    if (daemon->api != NULL)
        lp_api_stop(daemon->api, 0);
    lp_scheduler_stop(daemon->scheduler);
    daemon->scheduler = NULL;
    lp_sweeper_stop(daemon->sweeper);
    daemon->sweeper = NULL;
    if (lp_engine_stop(daemon->engine, daemon->conf->daemon_stop_timeout_ms, &err) != LP_OK) {
        lp_log_err(daemon->log, LP_LOG_WARN, "daemon.abandoned", &err);
        leave(why);
    }
}

enum lp_code
lp_daemon_run(const struct lp_command_line *line, struct lp_err *err)
{
    struct lp_daemon daemon = {
        .line = line, .clock = LP_CLOCK_INIT, .lock_fd = -1, .signal_fd = -1};
    enum lp_code rc = start(&daemon, err);

    if (rc == LP_OK) {
        wait_for_end(&daemon);
        rc = stop(&daemon, err);
        if (rc != LP_OK)
            leave(err);
    } else if (daemon.engine != NULL) { /* also one that ran only in part */
        abandon(&daemon, err);
    }
    release(&daemon);
    return rc;
}
