/**
 * RESTCONF on the wire: resource paths, query parameters, what an answer means, and what of a body
 * may be shown. Pure: no I/O, no clock. Client and simulators share it.
 *
 * Paths are made from patterns so that every key is percent-encoded on its own:
 *     lp_restconf_path(&buf, "/data/ne:ne/services/CRS=%s,%s", src, dst)
 * encodes everything but unreserved characters (a comma, a slash or a blank inside a key too), and
 * leaves the comma between two keys alone.
 *
 * Ownership: struct lp_buf is the caller's; parsed paths live in the arena. Threads: any.
 * Source: RFC 8040 sections 3-5 and 7, RFC 7951, RFC 3986, RFC 9110.
 */
#ifndef LP_WIRE_RESTCONF_H
#define LP_WIRE_RESTCONF_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

#define LP_RESTCONF_JSON         "application/yang-data+json"
#define LP_RESTCONF_MAX_SEGMENTS 32
#define LP_RESTCONF_MAX_KEYS     16
#define LP_RESTCONF_MAX_PATH     8192
#define LP_RESTCONF_RETRY_MAX_MS 120000 /* a longer Retry-After is cut to this */
#define LP_RESTCONF_UNBOUNDED    65536  /* depth=unbounded */

/* ---- paths ---- */

/** Appends text, percent-encoded completely but for A-Z a-z 0-9 - . _ ~ */
void lp_restconf_encode(struct lp_buf *out, const char *text);
/**
 * Appends `pattern` to `path`; %s is a key value (percent-encoded), %d an int. Nothing else of the
 * pattern is changed: it holds module and node names, '/', '=' and ','. Take compile-time constants
 * as patterns only. Data resources begin with "/data", operations with "/operations/module:rpc".
 */
void lp_restconf_path(struct lp_buf *path, const char *pattern, ...) LP_PRINTF(2, 3);

/** One part of a path: "module:name=key,key". Empty module: none was given. */
struct lp_restconf_segment {
    const char *module, *name;
    const char *keys[LP_RESTCONF_MAX_KEYS]; /* decoded */
    size_t key_count;
    bool has_keys; /* an '=' stood there, be its only key empty */
};
struct lp_restconf_target {
    struct lp_restconf_segment segments[LP_RESTCONF_MAX_SEGMENTS];
    size_t count;
    const char *query; /* what followed '?', still encoded; "" without one */
};
/**
 * Takes a path apart: "/data/ne:ne/shelf=1?depth=2" has the segments "data", "ne:ne", "shelf". One
 * trailing slash is ignored. LP_INVALID (pointer: the offset): no leading slash, empty segment, bad
 * escape, an encoded NUL, a key that is not UTF-8, or a limit above. LP_NOMEM.
 */
enum lp_code lp_restconf_path_parse(struct lp_arena *arena, const char *text,
                                    struct lp_restconf_target *out,
                                    struct lp_err *err) LP_MUST_CHECK;

/* ---- query parameters ---- */

enum lp_restconf_content {
    LP_RESTCONF_CONTENT_DEFAULT, /* not sent: all */
    LP_RESTCONF_CONTENT_ALL,
    LP_RESTCONF_CONTENT_CONFIG,
    LP_RESTCONF_CONTENT_NONCONFIG,
};
enum lp_restconf_defaults {
    LP_RESTCONF_DEFAULTS_UNSET, /* not sent */
    LP_RESTCONF_DEFAULTS_REPORT_ALL,
    LP_RESTCONF_DEFAULTS_TRIM,
    LP_RESTCONF_DEFAULTS_EXPLICIT,
    LP_RESTCONF_DEFAULTS_TAGGED, /* report-all-tagged */
};
struct lp_restconf_query {
    enum lp_restconf_content content;
    unsigned depth;     /* 0: not sent; 1..65535; LP_RESTCONF_UNBOUNDED */
    const char *fields; /* "a;b(c;d)", plain text; NULL: not sent */
    enum lp_restconf_defaults with_defaults;
};
/** Appends "?content=config&depth=2..." or nothing. */
void lp_restconf_query_add(struct lp_buf *path, const struct lp_restconf_query *query);
/** The server's side: LP_INVALID names a parameter that is unknown, given twice or has a wrong
 * value. `fields` lives in the arena. */
enum lp_code lp_restconf_query_parse(struct lp_arena *arena, const char *text,
                                     struct lp_restconf_query *out,
                                     struct lp_err *err) LP_MUST_CHECK;

/* ---- media types, entity tags ---- */

enum lp_restconf_media {
    LP_RESTCONF_MEDIA_NONE, /* no Content-Type */
    LP_RESTCONF_MEDIA_JSON, /* any JSON type, parameters ignored */
    LP_RESTCONF_MEDIA_XML,
    LP_RESTCONF_MEDIA_HTML,
    LP_RESTCONF_MEDIA_EVENTS,
    LP_RESTCONF_MEDIA_OTHER,
};
enum lp_restconf_media lp_restconf_media_of(const char *content_type);
/** A strong entity tag, as If-Match needs it: "..." in quotes without control characters. A weak
 * one (W/"...") and anything else is not. */
bool lp_restconf_etag_usable(const char *etag);
/** ms from a Retry-After of seconds or HTTP-date: at most LP_RESTCONF_RETRY_MAX_MS; -1 when it is
 * absent, in the past or nonsense. now_us: UTC. */
int64_t lp_restconf_retry_after_ms(const char *value, int64_t now_us);

/* ---- errors ---- */

/** The first error of an `ietf-restconf:errors` body; "" where it says nothing. */
struct lp_restconf_error {
    char type[24], tag[48], app_tag[96], path[256], message[300];
};
/** Reads it from JSON (also unqualified `errors`, `error` as an object) or XML; of anything else
 * (HTML, text) the message is what a person would see of it. False: nothing readable in it. */
bool lp_restconf_error_parse(const char *body, size_t len, struct lp_restconf_error *out);
/** Canonical body for servers: {"ietf-restconf:errors":{"error":[...]}}; NULL without memory. */
json_t *lp_restconf_error_json(const struct lp_restconf_error *error);
/** The HTTP status that RFC 8040 section 7 gives an error tag; 500 for an unknown one. */
int lp_restconf_status_of(const char *tag);

/** An answer as its head and body tell it. */
struct lp_restconf_answer {
    int status;
    const char *retry_after; /* header or NULL */
    const char *body;        /* may be NULL when len is 0 */
    size_t len;
};
/**
 * What an answer means; for 2xx LP_OK without a look at the body.
 * LP_AUTH 401 (credentials) and 403 (rights); LP_NOT_FOUND 404, 410, data-missing; LP_CONFLICT
 * data-exists, 409 and 412 without a tag, 412 of a request with If-Match (`conditional`);
 * LP_RETRYABLE 408, 425, 429, 503, in-use, lock-denied, resource-denied: it was not executed;
 * LP_UNSUPPORTED 405, 501, operation-not-supported; LP_UNKNOWN 500, 502, 504, other 5xx,
 * partial-operation, rollback-failed when it `writes` (read back: when the former state is still
 * there it was a refusal), LP_RETRYABLE when it only reads; LP_PROTOCOL redirects and statuses that
 * no such request can have; LP_REFUSED everything else.
 * err->detail: {"http", "code" (error-tag, or "http-<status>"), "text", "path"?, "app_tag"?,
 * "retry_after_ms"?}; the message has status, tag and text but no secret of the body's.
 */
enum lp_code lp_restconf_outcome(const struct lp_restconf_answer *answer, bool writes,
                                 bool conditional, int64_t now_us,
                                 struct lp_err *err) LP_MUST_CHECK;

/* ---- secrets ---- */

/**
 * Appends `text` without secrets: members (JSON), elements (XML) and form fields whose name says so
 * (password, passphrase, secret, token, community, key material), passwords in URLs, TL1 login
 * lines inside, and `secrets` (NULL-terminated, may be NULL) literally, also JSON- and
 * percent-encoded.
 */
void lp_restconf_redact(struct lp_buf *out, const char *text, size_t len,
                        const char *const *secrets);

#endif
