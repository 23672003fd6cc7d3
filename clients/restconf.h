/**
 * RESTCONF sessions to elements and to the TNMS.
 *
 * One handle (struct lp_restconf) per opened element, made by a driver's open() without I/O. Its
 * first request takes a session of the element from the host's pool: a connection that is open
 * already, or a new one. The session goes back when the handle is freed and stays open for the next
 * one. Nobody waits for a session: when an element has none left the request is LP_RETRYABLE with
 * lp_restconf_is_busy(err), the caller parks. Limits hold within this process; across daemons the
 * engine's locks "session:<element>" do it, which the caller holds already.
 *
 * Addresses are tried in their order when a connection is made, never for a request that was sent.
 * TLS peers are always verified, by the system's trust anchors and the host name, or as the
 * credentials file says for the element (tls_ca, tls_name, tls_pin: clients/credentials.h); there
 * is no way to turn it off. Redirects are answers that are refused: credentials go to no other
 * place.
 *
 * Outcomes of a request:
 *   LP_OK          answered 2xx, and its body is what the schema says
 *   LP_RETRYABLE   nothing was sent (unreachable, no session, breaker open), or it was not executed
 *                  (503, 429, in-use: detail {"retry_after_ms"}), or a read lost its answer
 *   LP_UNKNOWN     a write was sent, in part or whole, and its answer was lost, damaged, late, or
 *                  is a 5xx that says nothing certain: read back before anything else
 *   LP_INVALID     the body does not agree with the schema: nothing was sent
 *   others         as wire/restconf.h lp_restconf_outcome(); LP_TOO_LARGE: the answer of a read;
 *   LP_CANCELLED   the call ended before anything was sent, or during a read
 * A write is never sent twice, neither here nor by libcurl below: only a 401 of an expired token is
 * proof enough that it did not run (once). Reads are repeated once when a kept connection turns out
 * to be dead.
 *
 * A request asks call->check() before it writes and call->time_left_ms() at least every 200 ms; the
 * evidence of every exchange has its secrets removed.
 *
 * Threads: a handle belongs to one thread; pools may be used by all. No lock is held during I/O.
 * Source: RFC 8040, RFC 9110, RFC 6750.
 */
#ifndef LP_CLIENTS_RESTCONF_H
#define LP_CLIENTS_RESTCONF_H

#include "clients/driver.h"
#include "clients/yang_check.h"
#include "wire/restconf.h"

enum lp_restconf_auth {
    LP_RESTCONF_BASIC, /* user and password with every request */
    LP_RESTCONF_TOKEN, /* POST user=..&password=.. to `login_path`, then "Bearer <access_token>" */
};

/** What all elements of a platform have in common: a constant of the driver's. */
struct lp_restconf_profile {
    const char *driver; /* also the credentials entry of elements that name none */
    const char *schema; /* set of YANG modules: lp_yang_new() */
    const char *root;   /* "/restconf" */
    uint16_t port;      /* of addresses that name none */
    enum lp_restconf_auth auth;
    const char *login_path;               /* below the base URL; LP_RESTCONF_TOKEN only */
    int64_t write_gap_ms;                 /* least time between two writes to one element */
    bool unqualified_top;                 /* sends "port" and "input" instead of "module:port" */
    const struct lp_yang_source *modules; /* instead of those of the program, or NULL */
    size_t module_count;
};

struct lp_restconf;
/** Copies what it needs of the element; addresses are "host", "host:port" or "https://host:port"
 * (with a path in front of the root, if need be). No I/O. LP_INVALID: an address, or none. */
enum lp_code lp_restconf_new(struct lp_driver_host *host, const struct lp_element *element,
                             const struct lp_restconf_profile *profile, struct lp_restconf **out,
                             struct lp_err *err) LP_MUST_CHECK;
/** Ends its stream, gives the session back. NULL is fine. */
void lp_restconf_free(struct lp_restconf *rc);
/** True when the error means "no session free": park, do not count an attempt. */
bool lp_restconf_is_busy(const struct lp_err *err);
/** The element's copy, as struct lp_ne needs it: lives as long as the handle. */
const struct lp_element *lp_restconf_element(const struct lp_restconf *rc);
/** The compiled modules of the profile's set; shared by all handles of the host. */
enum lp_code lp_restconf_schema(struct lp_restconf *rc, struct lp_yang **out,
                                struct lp_err *err) LP_MUST_CHECK;

/* ---- requests ---- */

enum lp_restconf_method {
    LP_RESTCONF_GET,
    LP_RESTCONF_POST,   /* creates one child of the path, or runs an operation */
    LP_RESTCONF_PUT,    /* creates or replaces all of it */
    LP_RESTCONF_PATCH,  /* merges */
    LP_RESTCONF_DELETE, /* LP_NOT_FOUND: it was not there */
    LP_RESTCONF_METHODS
};
const char *lp_restconf_method_name(enum lp_restconf_method method);

struct lp_restconf_request {
    enum lp_restconf_method method;
    const char *path;     /* below the root, encoded, with query: lp_restconf_path() */
    const json_t *body;   /* or NULL; checked against the schema before anything is sent */
    const char *if_match; /* entity tag of the before-image, or NULL */
    bool reads;           /* an operation that changes nothing (get-pm, cli "show ...") */
    bool unchecked;       /* raw requests of operators: no schema in either direction */
    int64_t timeout_ms;   /* 0: devices.list_ms for reads, devices.write_ms for writes */
};
struct lp_restconf_reply {
    int status;
    json_t *body; /* in the schema's shape (lp_yang_take); as it came when unchecked; NULL: empty */
    char etag[80]; /* usable for If-Match, or "" */
    char *text;    /* as it came, unchecked requests only */
};
/** Sends one request. *reply is set on every outcome that has an answer (status 0: none) and freed
 * by lp_restconf_reply_free(), also after an error. */
enum lp_code lp_restconf_send(struct lp_restconf *rc, const struct lp_call *call,
                              const struct lp_restconf_request *request,
                              struct lp_restconf_reply *reply, struct lp_err *err) LP_MUST_CHECK;
void lp_restconf_reply_free(struct lp_restconf_reply *reply);

/** GET of path (without query) with query (may be NULL). *out: new reference in the schema's shape.
 * A list that is answered with 404 is an empty array; else LP_NOT_FOUND. */
enum lp_code lp_restconf_get(struct lp_restconf *rc, const struct lp_call *call, const char *path,
                             const struct lp_restconf_query *query, json_t **out,
                             struct lp_err *err) LP_MUST_CHECK;
/** PATCH, PUT or POST of a body; the body is stolen, also on failure (NULL: LP_NOMEM). */
enum lp_code lp_restconf_write(struct lp_restconf *rc, const struct lp_call *call,
                               enum lp_restconf_method method, const char *path, json_t *body,
                               struct lp_err *err) LP_MUST_CHECK;
/** DELETE; what is not there is LP_OK with *gone (may be NULL) false. */
enum lp_code lp_restconf_delete(struct lp_restconf *rc, const struct lp_call *call,
                                const char *path, bool *gone, struct lp_err *err) LP_MUST_CHECK;
/** Changes whenever another connection than before answers the handle: what was asked over the old
 * one (who are you?) has to be asked again. TLS verifies every connection by itself. 0: none yet.
 */
uint64_t lp_restconf_connections(const struct lp_restconf *rc);
/** Runs "module:rpc" with an input object (stolen; NULL: no input). *out (may be NULL): new
 * reference to its output, {} when it has none. */
enum lp_code lp_restconf_rpc(struct lp_restconf *rc, const struct lp_call *call, const char *rpc,
                             json_t *input, bool reads, json_t **out,
                             struct lp_err *err) LP_MUST_CHECK;

/* ---- notifications ---- */

/**
 * The next notification of the stream at `path` (below the base URL; found by the driver under
 * ietf-restconf-monitoring:restconf-state/streams), within the call's time and at most wait_ms.
 * *out: the object in its "ietf-restconf:notification" member or, unwrapped, as it came. Opens the
 * element's one stream when it is not open; after a break goes on behind the last event id.
 * LP_NOT_FOUND: none came. LP_RETRYABLE: the stream ended, or was given up for a session of
 * commands; a later call opens another, with TLS verified as for the first: a second after the
 * break, twice as long after each further one that brought nothing, at most a minute. Until then a
 * call waits, and is LP_RETRYABLE when its time ends first. LP_UNSUPPORTED: the element has no such
 * stream.
 */
enum lp_code lp_restconf_next(struct lp_restconf *rc, const struct lp_call *call, const char *path,
                              int64_t wait_ms, json_t **out, struct lp_err *err) LP_MUST_CHECK;

/** Is the stream of this handle open? */
bool lp_restconf_listens(const struct lp_restconf *rc);
/** Waits, wait_ms at most, until the stream may be opened (again). LP_RETRYABLE: not yet. */
enum lp_code lp_restconf_turn(struct lp_restconf *rc, const struct lp_call *call, int64_t wait_ms,
                              struct lp_err *err) LP_MUST_CHECK;

/* ---- the pool; made by the driver host ---- */

struct lp_restconf_pool;
enum lp_code lp_restconf_pool_new(struct lp_driver_host *host, struct lp_restconf_pool **out,
                                  struct lp_err *err) LP_MUST_CHECK;
/** Closes everything. No handle may be left. */
void lp_restconf_pool_free(struct lp_restconf_pool *pool);
/** Closes what was idle for devices.idle_s. */
void lp_restconf_pool_tick(struct lp_restconf_pool *pool);
/** Closes the element's idle sessions at once, and the others when they come back. */
void lp_restconf_pool_drop(struct lp_restconf_pool *pool, const char *element);

struct lp_restconf_stats {
    uint64_t sessions, idle, streams;             /* now */
    uint64_t connects, requests, logins, unknown; /* since the start */
};
void lp_restconf_pool_get_stats(struct lp_restconf_pool *pool, struct lp_restconf_stats *out);

#endif
