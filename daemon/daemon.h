/**
 * lightpathd: wiring. Not included from other rooms.
 */
#ifndef LP_DAEMON_DAEMON_H
#define LP_DAEMON_DAEMON_H

#include "api/api.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "daemon/devices.h"
#include "engine/engine.h"
#include "scheduler/notify.h"
#include "scheduler/sweeper.h"
#include "steps/routes.h"

struct lp_command_line {
    const char *config; /* or NULL */
    const char *const *overrides;
    size_t override_count;
    bool api, executor, scheduler; /* roles */
    bool fix;                      /* doctor: repair what is safe */
    bool migrate;                  /* bring an older database up to date at start */
};

struct lp_daemon {
    const struct lp_command_line *line;
    struct lp_conf *conf;
    struct lp_clock clock;
    struct lp_log *log;
    char *data_dir;
    char *store_url;
    int lock_fd;
    bool clock_known; /* the database's is followed */
    struct lp_store *store;
    struct lp_catalog *catalog;
    struct lp_queue *queue;
    struct lp_notifier *notifier; /* NULL without the scheduler's role */
    struct lp_notice_listener listener;
    struct lp_lease *lease;     /* of the scheduler; NULL without the role */
    struct lp_sweeper *sweeper; /* shared databases only */
    struct lp_scheduler *scheduler;
    struct lp_daemon_devices *devices; /* executors only */
    struct lp_engine *engine;
    struct lp_api *api;
    struct lp_route_source light; /* what the API asks for routes */
    int signal_fd;
    char **retired; /* texts of the configuration that a reload replaced; readers may still hold
                       them */
    size_t retired_count;
};

/* ---- light.c: routes and light for the API ---- */

/** The source is borrowed for as long as the API runs. */
struct lp_api_light lp_daemon_light(struct lp_route_source *source);

/* ---- place.c: where things live ---- */

/** daemon.data_dir or the default of the user; made with mode 0700 when absent. malloc'ed. */
enum lp_code lp_place_data_dir(const struct lp_conf *conf, char **out,
                               struct lp_err *err) LP_MUST_CHECK;
/** store.url, or sqlite:<data_dir>/lightpath.db. malloc'ed. */
enum lp_code lp_place_store_url(const struct lp_conf *conf, const char *data_dir, char **out,
                                struct lp_err *err) LP_MUST_CHECK;
/** One daemon per data directory: LP_CONFLICT names the other's process id. *fd is held until exit.
 */
enum lp_code lp_place_lock(const char *data_dir, int *fd, struct lp_err *err) LP_MUST_CHECK;
/** daemon.catalog_dir, the installed folder, or the source tree's. */
const char *lp_place_catalog(const struct lp_conf *conf);
/** Writes <data_dir>/lightpathd.url, for scripts. */
enum lp_code lp_place_note_url(const char *data_dir, const char *url,
                               struct lp_err *err) LP_MUST_CHECK;
void lp_place_forget_url(const char *data_dir);

/* ---- run.c ---- */

/** The daemon's life from start to SIGTERM. */
enum lp_code lp_daemon_run(const struct lp_command_line *line, struct lp_err *err) LP_MUST_CHECK;
/** Store options of a configuration. */
void lp_daemon_store_options(const struct lp_daemon *daemon, struct lp_store_options *out);

/* ---- hints.c ---- */

/** Hints stay in the program when the database is a file of its own; else they go through Redis
 * when one is configured, or through PostgreSQL. A server that is away is no failure. LP_INVALID:
 * the configuration. */
enum lp_code lp_daemon_make_queue(struct lp_daemon *daemon, struct lp_err *err) LP_MUST_CHECK;

/* ---- sender.c ---- */

/** struct lp_sender: webhooks and mail. arg is the daemon. */
enum lp_code lp_daemon_send(void *arg, const struct lp_rules *rules, const json_t *target,
                            const struct lp_message *message, int cancel_fd,
                            struct lp_err *err) LP_MUST_CHECK;

/* ---- reload.c ---- */

/** Reads the configuration again and takes over what may change while running; says which keys
 * changed and which need a restart. */
enum lp_code lp_daemon_reload(struct lp_daemon *daemon, struct lp_err *err) LP_MUST_CHECK;

/* ---- offline.c: commands that need no running daemon and refuse one ---- */

enum lp_code lp_offline_migrate(const struct lp_command_line *line,
                                struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_offline_restore(const struct lp_command_line *line, const char *file,
                                struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_offline_check(const struct lp_command_line *line, struct lp_err *err) LP_MUST_CHECK;
/** Prints what the doctor finds (engine/operate.h). LP_DRIFT: something is wrong. */
enum lp_code lp_offline_doctor(const struct lp_command_line *line,
                               struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_offline_show(const struct lp_command_line *line, struct lp_err *err) LP_MUST_CHECK;

/* ---- notify.c ---- */

/** Tells the service manager (NOTIFY_SOCKET); without one nothing happens. Source: sd_notify(3),
 * the wire form is one datagram. */
void lp_notify(const char *state);
/** How often the service manager wants a sign of life, with reserve; -1: never. Source:
 * sd_watchdog_enabled(3). */
int lp_notify_watchdog_ms(void);

#endif
