/**
 * Inside the api room only.
 *
 *   server.c    sockets, the loop, connections, deadlines, hand-over to handlers and back
 *   request.c   one request: first look at its head, body, dispatch, reply
 *   pool.c      handler threads
 *   auth.c      who is calling
 *   route.c     matching and checks;  routes.c the table;  openapi.c the document made from it
 *   stream.c    server-sent events
 *   metrics.c   Prometheus text;  on_*.c the handlers
 *
 * Threads: everything of libmicrohttpd is called on the loop thread only. A request belongs to the
 * loop thread until it is pushed to the pool, then to one handler thread, and again to the loop
 * thread once it stands in the done list.
 */
#ifndef LP_API_INTERNAL_H
#define LP_API_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "api/api.h"
#include "api/http.h"
#include "api/route.h"
#include "base/buf.h"

struct lp_stream;

/** One socket. Loop thread. */
struct lp_conn {
    struct lp_conn *prev, *next;
    struct lp_api *api;
    int fd;
    bool local_socket; /* Unix */
    uid_t peer_uid;
    char address[64];    /* for the limit per address; "" for Unix */
    int64_t deadline_us; /* monotonic; 0 = none */
    bool answering;      /* an answer is being sent: nothing else may be written */
    bool timed_out;
    char *uri; /* of the request being read */
};

struct lp_header {
    const char *name, *value;
};

#define LP_REPLY_MAX_HEADERS 8
struct lp_reply {
    int status; /* 0 = the row's */
    char *text; /* malloc'ed body, or NULL */
    size_t len;
    const char *type; /* media type; NULL = application/json */
    struct lp_header headers[LP_REPLY_MAX_HEADERS];
    size_t header_count;
    const char *fixed; /* instead of text: lives as long as the program (openapi, docs) */
    size_t fixed_len;
    struct lp_stream *stream; /* taken by the loop */
    bool close;
};

enum lp_request_state { LP_REQ_READING, LP_REQ_WORKING, LP_REQ_DONE, LP_REQ_ANSWERED };

struct lp_request {
    struct lp_api *api;
    struct lp_conn *conn;
    struct MHD_Connection *mhd;
    struct lp_request *next; /* in the pool's queue or the done list */
    enum lp_request_state state;
    struct lp_arena *arena;
    int64_t started_us;
    char id[65]; /* X-Request-ID, also the correlation id */

    /* head */
    const char *method_text;
    int method; /* enum lp_method, or -1 */
    bool head, options;
    struct lp_http_target target;
    struct lp_http_framing framing;
    const char *host, *origin, *content_type, *authorization, *none_match, *ticket, *reason,
        *idempotency_key, *last_event_id, *fetch_site, *want_id, *expect;
    const char *doubled; /* a field that may stand once only stood twice */
    const char *allow;   /* methods of this path */

    const struct lp_route *route;
    const char *params[LP_ROUTE_MAX_PARAMS];
    bool refused; /* answered with `refusal`; the body is thrown away */
    struct lp_err refusal;
    int refusal_status;

    struct lp_buf body;
    uint64_t body_seen;
    json_t *json; /* decoded body; NULL = none or null */

    char actor[128];
    struct lp_caller caller;
    struct lp_reply reply;
};

struct lp_pool;
struct lp_streams;

struct lp_api_stats {
    atomic_ullong requests, errors_4xx, errors_5xx, refused_connections, timed_out, bytes_in;
    atomic_ullong seconds_us; /* sum of process times */
    atomic_ullong buckets[12];
    atomic_int connections, streams;
};

/** Texts of metrics.c, and until when they are good (monotonic). */
enum { METRICS_PARTS = 3 };
struct lp_metrics_cache {
    char *whole[METRICS_PARTS]; /* subscriptions; counts and seconds of ended processes */
    int64_t whole_at_us, whole_until_us;
    bool renewing;
    struct lp_api *api; /* for whoever renews it */
    char *fresh;        /* all counts, put together */
    int64_t fresh_us;
};

struct lp_api {
    struct lp_api_options options;
    struct lp_api_services services;
    char *data_dir;
    char url[128];
    char *socket_path;
    int tcp_fd, unix_fd, epoll_fd, wake_fd;
    struct MHD_Daemon *mhd;
    pthread_t loop;
    bool loop_started;
    atomic_ullong turns;   /* of the loop */
    struct lp_conn *conns; /* loop thread */
    struct lp_conn **by_fd;
    size_t by_fd_size;
    int64_t next_deadline_us;
    int most_connections;    /* since memory was given back */
    int64_t accept_again_us; /* after running out of descriptors */
    unsigned in_work;        /* requests with the pool; loop thread */
    atomic_bool stopping;
    int64_t stop_by_us;
    pthread_mutex_t done_lock;
    struct lp_request *done; /* guarded by done_lock */
    struct lp_pool *pool;
    struct lp_streams *streams;
    pthread_mutex_t fixed_lock;
    char *openapi; /* made once; guarded by fixed_lock */
    size_t openapi_len;
    pthread_mutex_t metrics_lock;
    struct lp_metrics_cache metrics[2]; /* without and with customers; guarded by metrics_lock */
    atomic_int searches;                /* that read blocks, running now */
    pthread_mutex_t long_lock;          /* held by the one backup or verification that may run */
    atomic_ullong failures_seen; /* write failures of the store that a later write has outlived */
    atomic_llong healthy_us;     /* monotonic time of the last good look at the store */
    struct lp_api_stats stats;
};

static inline int64_t
lp_api_now(const struct lp_api *api)
{
    return lp_clock_mono_us(api->options.clock);
}

/* ---- server.c ---- */
void lp_api_wake(struct lp_api *api);                         /* any thread */
void lp_api_done(struct lp_api *api, struct lp_request *req); /* handler thread: hand back */
void lp_conn_deadline(struct lp_conn *conn, int64_t at_us);   /* loop thread; 0 = none */

/* ---- request.c: callbacks of libmicrohttpd, loop thread ---- */
enum MHD_Result lp_request_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **req);
void *lp_request_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
void lp_request_completed(void *cls, struct MHD_Connection *mhd, void **req,
                          enum MHD_RequestTerminationCode code);
/** Runs a complete request: identity, checks, handler. Handler thread, or the loop thread for
 * inline rows. */
void lp_request_run(struct lp_request *req);
struct lp_conn *lp_request_conn(struct MHD_Connection *mhd);

/* ---- helpers for handlers ---- */
void lp_reply_header(struct lp_request *req, const char *name,
                     const char *value); /* value: arena or constant */
/** A strong entity tag over text; sets ETag and turns the reply into 304 when If-None-Match says so
 * (then true). */
bool lp_reply_etag(struct lp_request *req, const void *data, size_t len);
/** Takes text (malloc'ed). */
void lp_reply_text(struct lp_request *req, char *text, size_t len, const char *type);
const char *lp_request_query(const struct lp_request *req, const char *name); /* or NULL */
bool lp_request_bool(const struct lp_request *req, const char *name, bool fallback);
int64_t lp_request_int(const struct lp_request *req, const char *name, int64_t fallback);
/** Upper bounds of the latency histogram, seconds. */
const double *lp_api_buckets(size_t *n);

/* ---- pool.c ---- */
enum lp_code lp_pool_new(struct lp_api *api, unsigned threads, struct lp_pool **out,
                         struct lp_err *err) LP_MUST_CHECK;
void lp_pool_push(struct lp_pool *pool, struct lp_request *req);
/** Runs fn on a handler thread, once, soon; used by the streams. fn and arg are kept until it ran.
 */
bool lp_pool_call(struct lp_pool *pool, void (*fn)(void *arg),
                  void *arg);            /* false without memory */
void lp_pool_free(struct lp_pool *pool); /* finishes what it has; joins */

/* ---- auth.c ---- */
/** Who calls and whether the row allows it. LP_AUTH, LP_DENIED, LP_STORE. */
enum lp_code lp_auth_check(struct lp_request *req, struct lp_err *err) LP_MUST_CHECK;
/** For rows that need nobody to be known: the caller by the token that was presented. LP_AUTH. */
enum lp_code lp_auth_token(struct lp_request *req, struct lp_err *err) LP_MUST_CHECK;

/* ---- on_system.c, metrics.c ---- */
/** The store answered within the last second: health needs no thread. */
bool lp_health_fresh(const struct lp_api *api);
/** Drops cached counts; how many entries. */
int lp_metrics_forget(struct lp_api *api);

/* ---- stream.c ---- */
struct lp_streams *lp_streams_new(struct lp_api *api);
void lp_streams_free(struct lp_streams *streams);
/** Called by the engine on any thread. */
void lp_streams_poke(void *streams, int64_t newest);
/** Loop thread: wakes listeners, keep-alives; returns the monotonic time at which it wants to be
 * called again, 0 = never. */
int64_t lp_streams_tick(struct lp_streams *streams, int64_t now_us);
void lp_streams_close_all(struct lp_streams *streams);
/** Makes the response of a stream request; loop thread. */
struct MHD_Response *lp_stream_response(struct lp_stream *stream, struct lp_request *req);
void lp_stream_drop(struct lp_stream *stream);

#endif
