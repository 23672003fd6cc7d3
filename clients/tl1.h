/**
 * TL1 sessions to elements: login, one command at a time, answers matched by tag, keep-alive,
 * events.
 *
 * A pool holds the sessions of a daemon. A caller acquires a session of an element, exchanges
 * commands, and releases it; the session stays open for the next caller. Nobody ever waits for a
 * session: when an element has no free one, lp_tl1_acquire says so at once (lp_tl1_is_busy) and the
 * caller parks. Limits hold within this process; across daemons the engine's named locks do it
 * ("session:<element>"), which the caller holds already.
 *
 * Outcomes of an exchange:
 *   LP_OK         answered COMPLD (or an unfiltered retrieval found nothing)
 *   LP_NOT_FOUND, LP_CONFLICT (a hint to read and compare), LP_REFUSED, LP_AUTH, LP_RETRYABLE (did
 *                 not run): the element said no; err->detail names its code, text and class
 *   LP_RETRYABLE  nothing was sent; or a command that only reads lost its answer
 *   LP_UNKNOWN    a command that writes was sent and its answer was lost, damaged, partial or late:
 *                 read back before anything else
 *   LP_PROTOCOL   a read was answered by something that is not TL1, or by another element
 *   LP_TOO_LARGE  a read was answered by more than the limit (the limit is named)
 *   LP_CANCELLED  the caller's cancel came before anything was sent (later it is LP_UNKNOWN)
 *   LP_INVALID    the command cannot be expressed; nothing was sent
 * A session that lost its answer is closed. A command is repeated by itself only after a denial
 * that proves that it did not run (login not active): once.
 *
 * Secrets: credentials are asked for at login and wiped after it; transcripts are redacted.
 * Threads: a pool may be used by all threads; a session belongs to the thread that acquired it. The
 * pool has one thread of its own for idle sessions and events; no lock is held during I/O.
 * Source: Telcordia GR-831, GR-833; RFC 4254 (SSH), RFC 854 (telnet).
 */
#ifndef LP_CLIENTS_TL1_H
#define LP_CLIENTS_TL1_H

#include <stdint.h>

#include "base/clock.h"
#include "wire/tl1.h"

#define LP_TL1_DEFAULT_SESSIONS 2 /* per element: one writer, one reader */
#define LP_TL1_MAX_TIDS         8 /* elements logged in on one connection to a gateway */

enum lp_tl1_transport { LP_TL1_SSH, LP_TL1_TCP /* raw or telnet */ };

struct lp_tl1_address { /* of the element itself, or of a gateway that reaches it */
    enum lp_tl1_transport transport;
    const char *host;
    uint16_t port;             /* 0: 22 or 9090 */
    const char *ssh_subsystem; /* NULL: "tl1telnet"; "": a shell channel (older releases) */
    const char *host_key;      /* "SHA256:<base64>": the only key accepted; NULL: known_hosts */
};

/** What the pool must know of an element; borrowed during a call, copied where kept. */
struct lp_tl1_element {
    const char *name; /* ours: in messages, evidence and limits */
    const char *tid;  /* block 2 of every command, and the source its answers must have; NULL or "":
                         empty, any source */
    const char *sid;  /* the source of its answers where it differs from tid */
    /* Tried in order when a connection is made, never for a command that was sent. Elements with
       the same address share its connections: that is a gateway with its subtending elements. */
    const struct lp_tl1_address *addresses;
    size_t address_count;
    unsigned max_sessions; /* 0: LP_TL1_DEFAULT_SESSIONS; the event session counts */
};

struct lp_tl1_credentials {
    char user[128], password[256];         /* of ACT-USER */
    char ssh_user[128], ssh_password[256]; /* "": as above */
    bool ssh_no_password;                  /* the SSH account has an empty password (method none) */
    char ssh_key_file[256];                /* private key, or "" */
};

/** Waiting: every limit given counts; all are asked again at every poll (at most 200 ms apart). */
struct lp_tl1_wait {
    int64_t deadline_us;           /* lp_clock_mono_us; 0: none but the timers of the pool */
    int64_t (*left_ms)(void *arg); /* <= 0: stop now; NULL: not asked */
    void *left_arg;
    int cancel_fd; /* readable: stop now; -1: none */
};

/** One exchange for the evidence; everything is borrowed and redacted. */
struct lp_tl1_exchange {
    const char *element, *tid, *ctag, *code;
    const char *sent;     /* the command; "" for what came without one */
    const char *received; /* raw bytes since the sending, cut at the pool's evidence limit */
    size_t received_len, received_total;
    const char *received_sha256; /* of all received bytes before redaction when they were cut; "" */
    int64_t started_us, ended_us; /* UTC */
    enum lp_code outcome;
    bool writes;
};
typedef void lp_tl1_transcript_fn(void *arg, const struct lp_tl1_exchange *exchange);
/** Before a command that writes is sent: no answer yet, outcome LP_UNKNOWN. Anything but LP_OK: it
 * is not sent; the transcript is told all the same. */
typedef enum lp_code lp_tl1_sending_fn(void *arg, const struct lp_tl1_exchange *exchange,
                                       struct lp_err *err);

/** How a caller wants its exchanges made; copied. All zero but cancel_fd = -1 is fine. */
struct lp_tl1_call {
    struct lp_tl1_wait wait;
    lp_tl1_transcript_fn *transcript; /* NULL: no evidence is kept */
    lp_tl1_sending_fn *sending;       /* or NULL */
    void *transcript_arg;             /* of both */
};
#define LP_TL1_CALL_INIT                                                                           \
    {                                                                                              \
        .wait = {.cancel_fd = -1 }                                                                 \
    }

enum lp_tl1_host_keys {
    LP_TL1_HOSTS_FIRST_USE, /* remember the first key, refuse another */
    LP_TL1_HOSTS_STRICT,    /* only keys in the file */
    LP_TL1_HOSTS_ANY        /* for laboratories */
};

struct lp_tl1_session;

struct lp_tl1_pool_options {
    const struct lp_clock *clock;
    /** Fills in the credentials of an element: LP_OK, or an error that ends the login. */
    enum lp_code (*credentials)(void *arg, const char *element, struct lp_tl1_credentials *out,
                                struct lp_err *err);
    void *credentials_arg;
    /** Identity beyond the source of answers (a serial number): called after every login with the
     * new session, which it may use. Anything but LP_OK closes it. NULL: none. */
    enum lp_code (*identify)(void *arg, const struct lp_tl1_element *element,
                             struct lp_tl1_session *session, struct lp_err *err);
    void *identify_arg;
    /** A host key that was not known, or differs from the known one (an event for operators). */
    void (*host_key)(void *arg, const char *host, uint16_t port, const char *fingerprint,
                     bool changed);
    void *host_key_arg;
    enum lp_tl1_host_keys host_keys;
    const char *known_hosts;  /* file in OpenSSH's format; NULL: LP_TL1_HOSTS_ANY or pinned keys */
    char tag_prefix;          /* first letter of tags; 0: 'L' */
    size_t max_reply;         /* 0: LP_TL1_MAX_MESSAGE */
    size_t max_evidence;      /* 0: 256 KiB per exchange */
    unsigned max_connections; /* per address; 0: 4 */
    /* milliseconds; 0: the default in brackets */
    int64_t connect_ms;    /* [10000] TCP; as much again for SSH */
    int64_t login_ms;      /* [15000] banner, prompt and each login command */
    int64_t banner_ms;     /* [3000] silence after which a missing prompt is not waited for */
    int64_t object_ms;     /* [30000] retrieval of named objects */
    int64_t class_ms;      /* [120000] retrieval of a whole class */
    int64_t write_ms;      /* [60000] until an acknowledgement or the answer begins */
    int64_t progress_ms;   /* [180000] after an acknowledgement; OPR-VALROUTE from the start */
    int64_t keep_alive_ms; /* [300000] between probes of an idle session */
    int64_t idle_ms;       /* [900000] an unused session is closed */
    int64_t breaker_ms;    /* [120000] no login after a refused one, unless credentials change */
};

struct lp_tl1_pool;
/** Starts the pool's thread. Everything but the callbacks' arguments is copied. LP_NOMEM,
 * LP_INVALID. */
enum lp_code lp_tl1_pool_new(const struct lp_tl1_pool_options *options, struct lp_tl1_pool **out,
                             struct lp_err *err) LP_MUST_CHECK;
/** Logs out and closes everything (a few seconds at most). No session may be out. */
void lp_tl1_pool_free(struct lp_tl1_pool *pool);

/**
 * A session of the element that is logged in: a free one, or a new one (connect and login within
 * the call's limits). Does not wait for others: LP_RETRYABLE with lp_tl1_is_busy(err) when the
 * element or the gateway has no session left; its event session, or the gateway's idle session that
 * was unused longest, is then asked to leave, so that the next try succeeds.
 * LP_AUTH: refused, or refused a moment ago (the breaker is open). LP_PROTOCOL: no TL1 there,
 * another host key, or another element. LP_RETRYABLE otherwise: not reachable.
 */
enum lp_code lp_tl1_acquire(struct lp_tl1_pool *pool, const struct lp_tl1_element *element,
                            const struct lp_tl1_call *call, struct lp_tl1_session **out,
                            struct lp_err *err) LP_MUST_CHECK;
/** Back to the pool, or closed when it broke. NULL is fine. */
void lp_tl1_release(struct lp_tl1_session *session);
/** Closes the element's idle sessions at once, and those that are out at their release. */
void lp_tl1_drop(struct lp_tl1_pool *pool, const char *element);
/** True when the error of lp_tl1_acquire means "no session free": park, do not count an attempt. */
bool lp_tl1_is_busy(const struct lp_err *err);

/** Sends a command and waits for its answer. TID and CTAG are the session's: leave both NULL. The
 * reply (may be NULL) is borrowed until the next exchange or the release; it is set for every
 * answer, also for a denial, and NULL when there was none. */
enum lp_code lp_tl1_exchange(struct lp_tl1_session *session, const struct lp_tl1_command *command,
                             const struct lp_tl1_message **reply, struct lp_err *err) LP_MUST_CHECK;
/** Called per record, in order; borrowed for the call. Anything but LP_OK ends lp_tl1_retrieve. */
typedef enum lp_code lp_tl1_record_fn(void *arg, const struct lp_tl1_record *record,
                                      struct lp_err *err);
/** As lp_tl1_exchange for a retrieval, record by record. Nothing is handed out of an answer that is
 * not complete and sound. */
enum lp_code lp_tl1_retrieve(struct lp_tl1_session *session, const struct lp_tl1_command *command,
                             lp_tl1_record_fn *fn, void *arg, struct lp_err *err) LP_MUST_CHECK;
/** A command as an operator typed it: parsed, its TID must be empty or the element's own, its CTAG
 * is replaced (it and the ';' may be left out). LP_INVALID before anything is sent; session
 * commands (ACT-USER, CANC-USER) are LP_DENIED. */
enum lp_code lp_tl1_raw(struct lp_tl1_session *session, const char *text,
                        const struct lp_tl1_message **reply, struct lp_err *err) LP_MUST_CHECK;
/** The element's name, as acquired. */
const char *lp_tl1_session_element(const struct lp_tl1_session *session);

/* ---- events ---- */

/** Called on the pool's thread: must be quick. message NULL: the event session ended (`reason`), or
 * was given up for a command session; lp_tl1_events_start opens another. */
typedef void lp_tl1_event_fn(void *arg, const char *element, const struct lp_tl1_message *message,
                             const char *reason);
/** Opens the element's one event session (autonomous messages allowed). LP_CONFLICT: it has one.
 * Other errors as lp_tl1_acquire. */
enum lp_code lp_tl1_events_start(struct lp_tl1_pool *pool, const struct lp_tl1_element *element,
                                 const struct lp_tl1_call *call, lp_tl1_event_fn *fn, void *arg,
                                 struct lp_err *err) LP_MUST_CHECK;
/** Ends it; fn is not called afterwards. Nothing happens when there is none. */
void lp_tl1_events_stop(struct lp_tl1_pool *pool, const char *element);

/* ---- figures ---- */

struct lp_tl1_pool_stats {
    uint64_t sessions, busy, idle, events; /* now */
    uint64_t connects, logins, exchanges;  /* since the start */
    uint64_t late;                         /* answers to commands that had been given up: dropped */
    uint64_t autonomous;                   /* autonomous messages, on command sessions too */
    uint64_t unknown;                      /* exchanges that ended LP_UNKNOWN */
    uint64_t refused_logins;
};
void lp_tl1_pool_get_stats(struct lp_tl1_pool *pool, struct lp_tl1_pool_stats *out);

#endif
