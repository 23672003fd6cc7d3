/**
 * A byte stream to a TL1 port: SSH channel, or TCP with telnet's commands taken out. Non-blocking;
 * only tl1_link_open and tl1_wait wait, and both obey their limits. Inside of clients/tl1 only.
 */
#ifndef LP_CLIENTS_TL1_LINK_H
#define LP_CLIENTS_TL1_LINK_H

#include <sys/types.h>

#include "clients/tl1.h"

/** Until when a phase may take, and what the caller allows beside it. */
struct tl1_limits {
    const struct lp_clock *clock;
    const struct lp_tl1_wait *wait; /* or NULL */
    int64_t until_us;               /* of the phase, lp_clock_mono_us */
};
enum tl1_wake {
    TL1_READY,   /* the descriptor has something, or it is time to look again */
    TL1_TIMEOUT, /* the phase or the caller's deadline is over */
    TL1_STOPPED  /* the caller cancelled */
};
enum tl1_wake tl1_wait(const struct tl1_limits *limits, int fd, short events);
/** As tl1_wait, but only looks: may anything be begun? */
enum tl1_wake tl1_look(const struct tl1_limits *limits);
int64_t tl1_now(const struct lp_clock *clock);

struct tl1_link;
struct tl1_link_options {
    const struct lp_tl1_address *address;
    const struct lp_tl1_credentials *credentials;
    const struct lp_tl1_pool_options *pool; /* host keys */
};
/** LP_RETRYABLE not reachable; LP_AUTH SSH refused the credentials; LP_PROTOCOL no SSH there, or
 * not the host key that was expected; LP_CANCELLED. */
enum lp_code tl1_link_open(const struct tl1_link_options *options, const struct tl1_limits *limits,
                           struct tl1_link **out, struct lp_err *err) LP_MUST_CHECK;
void tl1_link_close(struct tl1_link *link); /* NULL is fine */
/** Bytes read; 0: none now; -1: the stream ended. */
ssize_t tl1_link_read(struct tl1_link *link, char *buf, size_t size);
/** Bytes taken; 0: none can be taken now; -1: the stream is broken. */
ssize_t tl1_link_write(struct tl1_link *link, const char *data, size_t len);
int tl1_link_fd(const struct tl1_link *link);
/** What to poll for while waiting for input. */
short tl1_link_events(const struct tl1_link *link);
/** What to poll for when tl1_link_write took nothing: with SSH that may need a message of the peer.
 */
short tl1_link_write_events(const struct tl1_link *link);

#endif
