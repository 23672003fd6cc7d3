/**
 * HTTP pieces that look at bytes from outside: request target, query, Host, Origin, bearer, entity
 * tags, framing. Pure functions, fuzzed by tests/fuzz. Nothing here allocates except from the
 * caller's arena. Threads: any. Source: RFC 3986 (targets), RFC 9110 (entity tags, fields), RFC
 * 9112 (framing), RFC 6750 (bearer).
 */
#ifndef LP_API_HTTP_H
#define LP_API_HTTP_H

#include <stdint.h>

#include "base/arena.h"

#define LP_HTTP_MAX_SEGMENTS 12
#define LP_HTTP_MAX_QUERY    32

struct lp_http_pair {
    const char *name, *value; /* decoded, valid UTF-8, no control characters */
};

/** A request target, split and decoded. Texts belong to the arena. */
struct lp_http_target {
    const char *path; /* raw, without the query; for messages and logs */
    const char *segments[LP_HTTP_MAX_SEGMENTS];
    size_t segment_count;
    struct lp_http_pair query[LP_HTTP_MAX_QUERY];
    size_t query_count;
};

/**
 * Splits an origin-form target ("/a/b?c=d"). LP_INVALID names what is wrong and where (pointer
 * "path" or "query"): bad percent escapes, %00 and other control characters, invalid UTF-8, empty
 * or dot segments, too many parts, a query name given twice.
 */
enum lp_code lp_http_target_parse(struct lp_arena *arena, const char *raw,
                                  struct lp_http_target *out, struct lp_err *err) LP_MUST_CHECK;
/** The decoded value of a query name, or NULL. */
const char *lp_http_query(const struct lp_http_target *target, const char *name);

/**
 * Host is one of localhost, 127.0.0.1, [::1] or of the comma list `more`, with any port or none.
 * Case does not matter. A list entry may carry a port; then it must match.
 */
bool lp_http_host_allowed(const char *host, const char *more);
/** Origin stands in the comma list, or is http://<host> for an allowed host. "null" never is. */
bool lp_http_origin_listed(const char *origin, const char *list);
bool lp_http_origin_is_host(const char *origin, const char *host);

/** The token of "Bearer <token>", or NULL; borrowed. */
const char *lp_http_bearer(const char *authorization);
/** How many values and keys a JSON text has at most, counted by its signs outside of strings: what
 * a tree of it will cost can be told before it is made. */
size_t lp_http_json_values(const char *text, size_t len);
/** Media type is application/json, parameters allowed only as charset=utf-8. */
bool lp_http_is_json(const char *content_type);
/** 1 to 64 of [A-Za-z0-9._:-]: what we take over as X-Request-ID. */
bool lp_http_id_sane(const char *id);
/** Visible text without control characters, valid UTF-8, at most max bytes: ticket, reason,
 * idempotency key. */
bool lp_http_text_sane(const char *text, size_t max);

/** If-None-Match against one entity tag (quoted, without W/): weak comparison, lists and "*" (RFC
 * 9110 13.1.2). */
bool lp_http_none_match_hit(const char *header, const char *etag);

/** What the framing headers of a request say. Feed every header field once, then ask
 * lp_http_framing_check. */
struct lp_http_framing {
    unsigned lengths, transfers, hosts;
    bool bad_name;     /* a field name with anything but the signs of a token */
    bool chunked;      /* the only coding is "chunked" */
    bool length_valid; /* digits only, fits */
    uint64_t length;
};
void lp_http_framing_field(struct lp_http_framing *framing, const char *name, const char *value);
/** LP_INVALID: both lengths and codings, two lengths even if equal, a length that is no number,
 * codings other than chunked, two Hosts, a field name that is no token: "Transfer-Encoding :" is
 * another field to the library, and the same to others on the way. */
enum lp_code lp_http_framing_check(const struct lp_http_framing *framing,
                                   struct lp_err *err) LP_MUST_CHECK;

#endif
