/**
 * Inside of the TL1 client: sessions and the pool. A session is owned by the thread that acquired
 * it, or by the pool's thread (`tending`), or by nobody (idle: the pool's lock guards it).
 * Lock order: there is one lock, the pool's; it is not held during I/O or callbacks.
 */
#ifndef LP_CLIENTS_TL1_INTERNAL_H
#define LP_CLIENTS_TL1_INTERNAL_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "clients/tl1_link.h"

enum tl1_mode {
    TL1_OPENING, /* being made by a caller */
    TL1_BUSY,    /* with a caller */
    TL1_IDLE,    /* free */
    TL1_EVENTS,  /* the event session of an element */
    TL1_LEAVING, /* logging out */
    TL1_MODES
};

struct tl1_evidence { /* what came since the command was sent */
    struct lp_buf text;
    uint64_t total;
    EVP_MD_CTX *hash; /* once it was cut */
};

struct tl1_login { /* an element that is logged in on this connection */
    char *element, *tid, *sid, *user;
};

struct lp_tl1_session {
    struct lp_tl1_pool *pool;
    struct lp_tl1_session *next;
    uint64_t id;
    /* under the pool's lock */
    enum tl1_mode mode;
    bool tending; /* the pool's thread works on it */
    bool dropped; /* goes away instead of becoming idle */
    struct tl1_login logins[LP_TL1_MAX_TIDS];
    size_t login_count;
    /* the owner's */
    char *key; /* transport, host, port */
    struct tl1_link *link;
    struct lp_tl1_rx *rx;
    bool broken;    /* may not be used again */
    bool cut;       /* a command was sent in part: nothing may be sent behind it */
    bool within;    /* a login's own exchanges: no login inside a login */
    bool cancelled; /* the element said that it closes the session */
    bool events;
    int64_t used_us, probe_us, until_us; /* last use, next probe, limit of a probe or a log-out */
    char probe_tag[LP_TL1_CTAG_MAX + 1]; /* "": none is out */
    size_t probe_next;                   /* which login is probed next */
    bool look;                           /* there may be input that was read already */
    bool more;                           /* a storm: there is more than one turn may read */
    const char *reason;                  /* why it was sent away, or NULL */
    /* while it is with a caller */
    struct lp_arena *arena;        /* of `element` */
    struct lp_tl1_element element; /* strings and addresses are in `arena` */
    struct lp_tl1_address *addresses;
    struct tl1_login *now; /* of `element` */
    struct lp_tl1_call call;
    const char *const *secrets; /* during a login */
    struct tl1_evidence evidence;
    struct lp_tl1_message *reply;
    /* the command that is out */
    char ctag[LP_TL1_CTAG_MAX + 1];
    bool waiting;
    bool acknowledged;
    enum lp_tl1_ack ack;
    bool wrong_source;
    char source[LP_TL1_SID_MAX + 1];
    /* events */
    lp_tl1_event_fn *fn;
    void *fn_arg;
};

struct tl1_breaker { /* a credential that was refused */
    struct tl1_breaker *next;
    char *element;
    char print[65]; /* of the credentials */
    int64_t until_us;
};

struct lp_tl1_pool {
    struct lp_tl1_pool_options options;
    char *known_hosts;
    pthread_mutex_t lock;
    pthread_cond_t tended; /* a session is not tended any more */
    pthread_t thread;
    int epoll_fd, wake_fd;
    bool stopping;
    struct lp_tl1_session *sessions;
    struct tl1_breaker *breakers;
    uint64_t ids;
    uint32_t tags;
    atomic_ullong connects, logins, exchanges, late, autonomous, unknown, refused_logins;
};

/* session.c */
/** Connects to one of the element's addresses, logs in. The session is opening; on failure it is
 * empty again. */
enum lp_code tl1_session_open(struct lp_tl1_session *session, const struct lp_tl1_address *address,
                              struct lp_err *err) LP_MUST_CHECK;
/** Logs the session's element in on its open connection. */
enum lp_code tl1_session_login(struct lp_tl1_session *session, struct lp_err *err) LP_MUST_CHECK;
/** Reads what is there without waiting. false: the connection is gone or unusable. */
bool tl1_session_drain(struct lp_tl1_session *session);
/** Sends a command without waiting for its answer; false: it could not be sent at once. */
bool tl1_session_post(struct lp_tl1_session *session, const char *code,
                      const struct tl1_login *login, bool user,
                      char ctag[static LP_TL1_CTAG_MAX + 1]);
void tl1_session_hang_up(struct lp_tl1_session *session);

/* pool.c */
void tl1_pool_tag(struct lp_tl1_pool *pool, char ctag[static LP_TL1_CTAG_MAX + 1]);
enum lp_code tl1_pool_breaker_check(struct lp_tl1_pool *pool, const char *element,
                                    const struct lp_tl1_credentials *credentials,
                                    struct lp_err *err) LP_MUST_CHECK;
/** Opens (or with ok closes) the breaker of an element's credentials. */
void tl1_pool_breaker_set(struct lp_tl1_pool *pool, const char *element,
                          const struct lp_tl1_credentials *credentials, bool ok);
/** The connection is new: only the session's own element is logged in on it. */
void tl1_pool_forget_others(struct lp_tl1_session *session);
/** Connects to the element's addresses in turn, but those that are full, and logs in. */
enum lp_code tl1_pool_open_any(struct lp_tl1_session *session, struct lp_err *err) LP_MUST_CHECK;
/** The login row of an element on this session; NULL. Under the lock, or by the owner. */
struct tl1_login *tl1_login_find(struct lp_tl1_session *session, const char *element);

#endif
