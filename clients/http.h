/**
 * A small HTTP client over libcurl: one request at a time, over TCP, TLS or a Unix socket, and a
 * stream of server-sent events.
 *
 * TLS peers are always verified. A redirect is followed only to the same scheme, host and port.
 * Every call has a deadline, a limit on the size of the answer, and ends early when the cancel
 * descriptor becomes readable.
 *
 * Errors: LP_RETRYABLE nothing was sent (refused, unresolvable, timeout before the request left);
 * LP_UNKNOWN the connection broke or the deadline passed after bytes were sent; LP_PROTOCOL the
 * answer is not HTTP, or the certificate does not convince; LP_TOO_LARGE; LP_CANCELLED; LP_DENIED
 * the socket file may not be opened; LP_INVALID the URL. A status of 400 and above is not an error
 * here: the reply carries it. Threads: a handle belongs to one thread.
 */
#ifndef LP_CLIENTS_HTTP_H
#define LP_CLIENTS_HTTP_H

#include <stdint.h>

#include "base/err.h"

struct lp_http_options {
    const char *url;         /* "http://127.0.0.1:8420"; with a socket only the Host name counts */
    const char *socket_path; /* Unix socket, or NULL */
    const char *token;       /* bearer token, or NULL; never logged */
    const char *ca_file;     /* further trust anchors, or NULL for the system's */
    const char *agent;       /* User-Agent */
    int64_t connect_ms;      /* 0 = 5 s */
    int64_t timeout_ms;      /* of a whole exchange; 0 = 30 s */
    size_t max_reply;        /* bytes; 0 = 64 MiB */
    int cancel_fd;           /* readable = stop; -1 none */
    bool no_redirects;       /* 307 and 308 are answers like any other */
    /** A network element: HTTP/1.1 over TLS 1.2 or later, no proxy of the environment, a handshake
     * that breaks off is LP_RETRYABLE, and no advice for people in messages. */
    bool element;
    const char *tls_name; /* name that the certificate must bear, or NULL for the URL's host */
    /** "sha256//<base64>[;sha256//...]": the public keys that are accepted, instead of trust
     * anchors and name; or NULL. */
    const char *tls_pin;
    /** ms left, asked at least every 200 ms besides the deadline; 0 = stop, as by cancel_fd. */
    int64_t (*left_ms)(void *arg);
    void *left_arg;
};

struct lp_http; /* everything is copied from the options */
enum lp_code lp_http_new(const struct lp_http_options *options, struct lp_http **out,
                         struct lp_err *err) LP_MUST_CHECK;
void lp_http_free(struct lp_http *http);
/** Where it talks to, for messages: the URL without user and password, or the
 * socket path. */
const char *lp_http_where(const struct lp_http *http);
/** Value of the Authorization header of what follows ("Basic ..."), copied; NULL: none. Instead of
 * the token of the options; the former one is wiped. */
enum lp_code lp_http_set_authorization(struct lp_http *http, const char *value,
                                       struct lp_err *err) LP_MUST_CHECK;
/** Who is asked for the time left from now on, and with what. */
void lp_http_set_left(struct lp_http *http, int64_t (*left_ms)(void *arg), void *arg);
/** Connections that were made so far. */
uint64_t lp_http_connects(const struct lp_http *http);

struct lp_http_request {
    const char *method; /* "GET" ... */
    const char *path;   /* "/api/..." with query, already percent-encoded */
    const char *body;   /* or NULL */
    size_t body_len;
    const char *content_type;   /* NULL = application/json when there is a body */
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
    int64_t timeout_ms;         /* 0 = as the handle */
    /** Never sent a second time: libcurl repeats a request when a kept connection died under it;
     * with `once` that is LP_UNKNOWN. */
    bool once;
};

struct lp_http_reply {
    int status;
    char *body; /* owned, NUL-terminated, never NULL after LP_OK */
    size_t len;
    char *content_type, *link, *request_id; /* owned; NULL when absent */
    char *etag, *retry_after, *location;    /* likewise */
    bool sent; /* bytes of the request left; also told when lp_http_send failed */
};
enum lp_code lp_http_send(struct lp_http *http, const struct lp_http_request *request,
                          struct lp_http_reply *reply, struct lp_err *err) LP_MUST_CHECK;
void lp_http_reply_free(struct lp_http_reply *reply);

/** Percent-encodes everything but unreserved characters; malloc'ed, NULL without memory. */
char *lp_http_escape(const char *text);

/* ---- server-sent events ---- */

struct lp_http_event {
    char *name, *id, *data; /* owned by the receiver: lp_http_event_free */
};
void lp_http_event_free(struct lp_http_event *event);

struct lp_http_stream;
/** Opens GET path as text/event-stream and waits for the answer's head. last_id may be NULL.
 * LP_UNSUPPORTED: any other status or type
 *  (*status tells which). One stream may be open beside lp_http_send on the same handle. */
enum lp_code lp_http_stream_open(struct lp_http *http, const char *path, const char *last_id,
                                 struct lp_http_stream **out, int *status,
                                 struct lp_err *err) LP_MUST_CHECK;
/** The next event, waiting up to timeout_ms. *got = false: none yet. LP_RETRYABLE: the server ended
 * the stream. */
enum lp_code lp_http_stream_next(struct lp_http_stream *stream, int64_t timeout_ms,
                                 struct lp_http_event *event, bool *got,
                                 struct lp_err *err) LP_MUST_CHECK;
void lp_http_stream_close(struct lp_http_stream *stream);

#endif
