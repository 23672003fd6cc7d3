/**
 * The queue: only says "look at process X". A hint may be lost, doubled or late; the database is
 * the truth, and the sweeper announces again what nobody took. A hint goes to one executor, of
 * those that have its label. Interactive (priority 0) before tasks (1).
 *
 * Nothing here fails an operator's request: a queue that is away loses hints and counts them.
 * Threads: all functions from any thread.
 */
#ifndef LP_QUEUE_QUEUE_H
#define LP_QUEUE_QUEUE_H

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"

struct lp_queue;

enum { LP_QUEUE_INTERACTIVE = 1, LP_QUEUE_ALL = 2 }; /* priorities that a pop wants */

struct lp_queue_stats {
    bool connected;   /* to what carries the hints; always true in process */
    uint64_t pushed;  /* hints given to it */
    uint64_t popped;  /* hints taken from it here */
    uint64_t lost;    /* full, away, out of memory, or nobody had the label */
    uint64_t garbage; /* what was in it and is no process id */
    uint64_t reconnects;
};

struct lp_queue_ops {
    /** Announces a process; never blocks for long; a full queue drops the hint. label NULL: any
     * executor. LP_INVALID: no process id. */
    enum lp_code (*push)(struct lp_queue *queue, const char *process_id, int priority,
                         const char *label, struct lp_err *err);
    /** Waits up to timeout_ms (-1 for ever) for a hint of the first `priorities`: LP_OK with id,
     * LP_NOT_FOUND on timeout or wake, LP_CANCELLED after close, LP_RETRYABLE while it is away (it
     * has waited a little). */
    enum lp_code (*pop)(struct lp_queue *queue, int timeout_ms, int priorities,
                        char id[static LP_UUID_LEN + 1], struct lp_err *err);
    /** Ends the waits of all poppers once; they ask again for what they want now. Remembered when
     * nobody waits: whoever is on the way to pop has asked before it. */
    void (*wake)(struct lp_queue *queue);
    /** A muted queue takes no hints that others could have: this daemon claims nothing new. */
    void (*mute)(struct lp_queue *queue, bool muted);
    /** Hints that wait, as far as this daemon knows (may be a second old). */
    size_t (*depth)(struct lp_queue *queue);
    size_t (*depth_of)(struct lp_queue *queue, int priority);
    void (*stats)(struct lp_queue *queue, struct lp_queue_stats *out);
    void (*close)(struct lp_queue *queue); /* wakes all poppers */
    void (*free)(struct lp_queue *queue);
};
struct lp_queue {
    const struct lp_queue_ops *ops;
    const char *kind; /* "local", "postgresql", "redis" */
};

/** In-process queue, bounded; an id that is already queued is not queued twice; labels do not
 * matter. NULL without memory. */
struct lp_queue *lp_queue_local_new(size_t bound);

struct lp_queue_postgres_options {
    const char *url;    /* of the store: libpq URL or conninfo */
    const char *schema; /* NULL: lightpath; separates installations in one database */
    const char *labels; /* comma list of this executor's, or NULL */
    bool pops;          /* this daemon is an executor */
    size_t bound;
    struct lp_log *log;
    const struct lp_clock *clock;
};
/**
 * Hints through LISTEN and NOTIFY on a connection of its own: every executor has a channel, found
 * by the advisory lock that its session holds; what comes while a notification
 * is under way goes with the next one, outside of any transaction of the store. Connects in the
 * background: a server that is away only loses hints. LP_NOMEM. Source: performance.md 2.6, 2.8.
 */
enum lp_code lp_queue_postgres_new(const struct lp_queue_postgres_options *options,
                                   struct lp_queue **out, struct lp_err *err) LP_MUST_CHECK;

struct lp_queue_redis_options {
    const char *hosts;     /* comma list: HOST[:PORT], [v6]:PORT or unix:PATH; the first that is a
                              master is used */
    const char *sentinels; /* comma list of HOST[:PORT], asked before the hosts; or NULL */
    const char *master;    /* name the Sentinels know it by; NULL: lightpath */
    const char *user, *password; /* or NULL */
    const char *prefix;          /* of the lists' names; NULL: lightpath */
    const char *labels;          /* comma list of this executor's, or NULL */
    int64_t db;
    size_t bound;       /* of each list */
    int64_t timeout_ms; /* of connecting and of an answer; 0: 2 s */
    struct lp_log *log;
    const struct lp_clock *clock;
};
/**
 * Hints through Redis lists, BLPOP over them in priority order. Connects in the background and
 * again with exponential backoff and jitter; a Redis that is away, full, of a wrong version or no
 * master is told in the log, loses hints and fails nothing. LP_INVALID: no host, a prefix that is
 * too long. Source: Redis 5 and later, RESP2; hiredis 0.14.
 */
enum lp_code lp_queue_redis_new(const struct lp_queue_redis_options *options, struct lp_queue **out,
                                struct lp_err *err) LP_MUST_CHECK;

#endif
