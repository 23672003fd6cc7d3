/**
 * Inside the queue room only: what the queues of several daemons share. Hints are collected without
 * blocking anybody and sent by a thread of the queue's own.
 */
#ifndef LP_QUEUE_INTERNAL_H
#define LP_QUEUE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "queue/queue.h"

enum { LP_LABEL_MAX = 64, LP_BACKOFF_FIRST_MS = 100, LP_BACKOFF_MOST_MS = 5000 };

struct lp_hint {
    char id[LP_UUID_LEN + 1];
    bool task;
    char label[LP_LABEL_MAX]; /* "" any executor */
};

/** Whether the text may be a process id: what stands in the queue may come from anybody. */
bool lp_hint_id_ok(const char *text, size_t len);
/** LP_INVALID names what is wrong. */
enum lp_code lp_hint_make(struct lp_hint *hint, const char *id, int priority, const char *label,
                          struct lp_err *err) LP_MUST_CHECK;

/** Hints on their way out. */
struct lp_outbox {
    pthread_mutex_t lock; /* guards all below */
    struct lp_hint *items;
    size_t count, cap, bound;
    int wake_fd; /* eventfd: readable when something was added or lp_outbox_wake called */
};
enum lp_code lp_outbox_open(struct lp_outbox *outbox, size_t bound,
                            struct lp_err *err) LP_MUST_CHECK;
void lp_outbox_close(struct lp_outbox *outbox);
/** False: full, or no memory. */
bool lp_outbox_add(struct lp_outbox *outbox, const struct lp_hint *hint);
/** Everything there is; the caller frees *items. Returns how many. */
size_t lp_outbox_take(struct lp_outbox *outbox, struct lp_hint **items);
void lp_outbox_wake(struct lp_outbox *outbox);
/** Makes wake_fd unreadable again. */
void lp_outbox_calm(struct lp_outbox *outbox);

/** The next pause of an exponential backoff with jitter, in ms: half to whole of *backoff_ms, which
 * is doubled. 0 begins anew. */
int lp_backoff_next(int *backoff_ms);

/** Counters of struct lp_queue_stats. */
struct lp_counts {
    atomic_bool connected;
    atomic_uint_fast64_t pushed, popped, lost, garbage, reconnects;
};
void lp_counts_read(const struct lp_counts *counts, struct lp_queue_stats *out);

/** Calls fn for every word of a comma list, blanks around it cut off; words that are too long are
 * left out. */
void lp_words(const char *list, void (*fn)(void *arg, const char *word), void *arg);

#endif
