/**
 * The HTTP API: one loop thread that owns all sockets (TCP and Unix) and a small pool of handler
 * threads that get complete requests only. A slow or hostile client therefore costs a connection
 * slot, never a thread.
 *
 * Order of use: lp_api_listen (binds, touches nothing else), lp_api_run once store and engine
 * stand, lp_api_stop, lp_api_free. Threads: each of these from the main thread.
 */
#ifndef LP_API_API_H
#define LP_API_API_H

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "engine/engine.h"

struct lp_api;

struct lp_api_options {
    const struct lp_conf *conf; /* reloadable values are read again for each request */
    const struct lp_clock *clock;
    struct lp_log *log;
    const char *data_dir; /* backups stay inside; the default socket lives here */
    const char *version;
};

/** Routes and light, from rooms that the API does not look into: names or ids as in requests,
 * wishes and answers as in docs/http-api.md. Called on handler threads. */
struct lp_api_light {
    enum lp_code (*routes)(void *arg, json_t *wish, json_t **out, struct lp_err *err);
    enum lp_code (*show)(void *arg, const char *fiber_or_device, json_t **out, struct lp_err *err);
    enum lp_code (*differences)(void *arg, const char *fiber, json_t **out, struct lp_err *err);
    void *arg;
};

struct lp_api_services {
    struct lp_engine *engine;
    struct lp_store *store;
    const struct lp_catalog *catalog;
    const struct lp_queue *queue; /* for the doctor; or NULL */
    const char *store_url;        /* the same */
    struct lp_api_light light;    /* all NULL: not to be had */
};

/** Binds and listens. LP_CONFLICT: port or socket in use; LP_PRECONDITION: an address beyond
 * loopback without authentication. */
enum lp_code lp_api_listen(const struct lp_api_options *options, struct lp_api **out,
                           struct lp_err *err) LP_MUST_CHECK;
/** "http://127.0.0.1:8420" with the real port, and the path of the Unix socket. Borrowed. */
const char *lp_api_url(const struct lp_api *api);
const char *lp_api_socket(const struct lp_api *api);
/** How often the loop has turned; wakes it once more. Two equal answers some time apart: it hangs.
 */
uint64_t lp_api_turns(struct lp_api *api);
/** Starts the threads. The services outlive the API. */
enum lp_code lp_api_run(struct lp_api *api, const struct lp_api_services *services,
                        struct lp_err *err) LP_MUST_CHECK;
/** No new connections; requests in work are answered, streams end; returns when done or after
 * timeout_ms. */
void lp_api_stop(struct lp_api *api, int64_t timeout_ms);
/** Closes and removes the socket file. Accepts NULL. */
void lp_api_free(struct lp_api *api);

#endif
