/**
 * The queue: only says "look at process X". A hint may be lost, doubled or late; the database is
 * the truth. Interactive (priority 0) before tasks (1). Threads: all functions from any thread.
 */
#ifndef LP_QUEUE_QUEUE_H
#define LP_QUEUE_QUEUE_H

#include "base/uuid.h"

struct lp_queue;
struct lp_queue_ops {
    /** Announces a process; never blocks for long; a full queue drops the hint (the sweeper
     * announces again). */
    enum lp_code (*push)(struct lp_queue *queue, const char *process_id, int priority,
                         struct lp_err *err);
    /** Waits up to timeout_ms (-1 for ever) for a hint: LP_OK with id, LP_NOT_FOUND on timeout,
     * LP_CANCELLED after close. */
    enum lp_code (*pop)(struct lp_queue *queue, int timeout_ms, char id[static LP_UUID_LEN + 1],
                        struct lp_err *err);
    size_t (*depth)(struct lp_queue *queue);
    /** Hints of this priority; NULL when the queue cannot tell. */
    size_t (*depth_of)(struct lp_queue *queue, int priority);
    void (*close)(struct lp_queue *queue); /* wakes all poppers */
    void (*free)(struct lp_queue *queue);
};
struct lp_queue {
    const struct lp_queue_ops *ops;
};

/** In-process queue, bounded; an id that is already queued is not queued twice. */
struct lp_queue *lp_queue_local_new(size_t bound);

#endif
