/**
 * One signed POST of a JSON document.
 *
 *     POST <url>
 *     Content-Type: application/json
 *     Lightpath-Id: <id>                   the same at every attempt: what was seen before is known
 *     Lightpath-Timestamp: <unix seconds>  of this attempt
 *     Lightpath-Signature: v1=<hex>        HMAC-SHA-256 of "<timestamp>.<body>" under the secret
 *
 * TLS peers are verified, redirects are not followed, the answer's body is thrown away. Messages of
 * errors hold scheme, host and port of the URL, never its path (which may be a secret). Threads:
 * any.
 */
#ifndef LP_CLIENTS_WEBHOOK_H
#define LP_CLIENTS_WEBHOOK_H

#include <stdint.h>

#include "base/err.h"

struct lp_webhook {
    const char *url;
    const char *secret;  /* or NULL: not signed */
    const char *ca_file; /* or NULL */
    const char *id;
    const char *body;
    int64_t now_us; /* UTC, for the timestamp */
    int64_t timeout_ms;
    int cancel_fd; /* readable = stop; -1 none */
};

/** LP_OK: answered 2xx. LP_REFUSED: any other answer. LP_CANCELLED. Otherwise as clients/http.h;
 * after LP_UNKNOWN it may have arrived. */
enum lp_code lp_webhook_send(const struct lp_webhook *hook, struct lp_err *err) LP_MUST_CHECK;

#endif
