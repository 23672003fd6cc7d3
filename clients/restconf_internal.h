/**
 * Inside of the RESTCONF client. A session is one kept connection (per address at most) to an
 * element; it is owned by the handle that took it, or idle in the pool (the pool's lock guards it).
 * There is one lock, the pool's; it is not held during I/O.
 */
#ifndef LP_CLIENTS_RESTCONF_INTERNAL_H
#define LP_CLIENTS_RESTCONF_INTERNAL_H

#include <pthread.h>

#include "clients/host.h"
#include "clients/http.h"
#include "clients/restconf.h"

#define RC_ADDRESSES_MAX 8

struct rc_session {
    struct rc_session *next;
    char *element;
    struct lp_http *http[RC_ADDRESSES_MAX]; /* by address; made when it is needed */
    size_t good;                            /* the address that answered last */
    char *addresses;                        /* what they were made of: another element text, another
                                               session */
    uint64_t generation;                    /* of the credentials whose TLS settings it has */
    char *token[RC_ADDRESSES_MAX];          /* "Bearer ...", or NULL */
    bool out, dropped, stream, leave;       /* under the lock */
    int64_t used_us;
};

struct rc_schema { /* under the pool's lock; lives as long as the pool */
    struct rc_schema *next;
    const char *name;
    struct lp_yang *yang;
};

struct lp_restconf_pool {
    struct lp_driver_host *host;
    struct rc_schema *schemas;
    struct rc_session *sessions;
    struct lp_restconf_stats
        stats; /* under the lock; `sessions` and the like are counted on demand */
    pthread_mutex_t lock;
};

struct lp_restconf {
    struct lp_driver_host *host;
    struct lp_restconf_pool *pool;
    struct lp_arena *memory;
    const struct lp_restconf_profile *profile;
    struct lp_element element; /* strings in `memory` */
    const char *urls[RC_ADDRESSES_MAX];
    size_t url_count;
    const char *addresses; /* all of them, joined */
    struct rc_session *session, *stream_session;
    struct lp_http_stream *stream;
    char last_id[256];         /* of the stream */
    unsigned stream_breaks;    /* since the last notification */
    int64_t stream_not_before; /* monotonic us: it is opened again then */
    uint64_t connections;      /* that answered this handle so far */
    bool asked;                /* the breaker waits to be told */
    const struct lp_call *call;
};

/** A session of the element for this handle: a free one, or a new one. LP_RETRYABLE (busy). */
enum lp_code rc_take(struct lp_restconf *rc, bool stream, struct rc_session **out,
                     struct lp_err *err) LP_MUST_CHECK;
/** Back to the pool, or closed when it `broke` or was dropped. NULL is fine. */
void rc_give(struct lp_restconf *rc, struct rc_session *session, bool broke);
/** Was it asked to make room (a stream)? */
bool rc_must_leave(struct lp_restconf *rc, const struct rc_session *session);
/** The HTTP client of one address, made when there is none yet. */
enum lp_code rc_http(struct lp_restconf *rc, struct rc_session *session, size_t address,
                     struct lp_http **out, struct lp_err *err) LP_MUST_CHECK;
/** Sets the Authorization header of what goes to that address next: asks the credentials file, logs
 * in for a token where the profile says so. `credential` is what it used, for redaction: wipe it.
 */
enum lp_code rc_authorize(struct lp_restconf *rc, struct rc_session *session, size_t address,
                          struct lp_credential *credential, struct lp_err *err) LP_MUST_CHECK;
void rc_forget_token(struct rc_session *session, size_t address);
void rc_count(struct lp_restconf *rc, const struct lp_restconf_stats *more);
int64_t rc_left_ms(void *handle);

/** Evidence of one exchange: secrets are taken out besides what names say. */
struct rc_evidence {
    const char *method, *where, *path, *body;
    int status;
    const char *received;
    size_t received_len;
    enum lp_code outcome;
    int64_t at_us, took_us;
    bool writes;
};
void rc_tell(struct lp_restconf *rc, const struct rc_evidence *evidence,
             const struct lp_credential *credential);
/** The same before a request that writes is sent; anything but LP_OK: do not send it. */
enum lp_code rc_tell_sending(struct lp_restconf *rc, const struct rc_evidence *evidence,
                             const struct lp_credential *credential,
                             struct lp_err *err) LP_MUST_CHECK;

#endif
