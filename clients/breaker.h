/**
 * Circuit breakers: an element that keeps failing with LP_AUTH or LP_PROTOCOL is left alone for a
 * while instead of being asked again by every process.
 *
 * Closed: `failures` failures within `window_ms` open it. Open: every question is refused at once,
 * for `open_ms`. Half-open: one caller may try; success closes it, failure opens it again. A failed
 * login weighs as much as `failures`: elements lock accounts after three.
 *
 * Other outcomes (unreachable, refused command) say nothing about the two and count as nothing.
 * Threads: any.
 */
#ifndef LP_CLIENTS_BREAKER_H
#define LP_CLIENTS_BREAKER_H

#include "base/clock.h"

struct lp_breaker_options {
    const struct lp_clock *clock;
    unsigned failures;
    int64_t window_ms, open_ms;
};

struct lp_breakers;
enum lp_code lp_breakers_new(const struct lp_breaker_options *options, struct lp_breakers **out,
                             struct lp_err *err) LP_MUST_CHECK;
void lp_breakers_free(struct lp_breakers *breakers);
/** May `key` be used? Refused with LP_AUTH (opened by a failed login) or LP_RETRYABLE; detail
 * {"retry_after_ms"}; the message repeats why it opened. After LP_OK exactly one tell follows. */
enum lp_code lp_breaker_ask(struct lp_breakers *breakers, const char *key,
                            struct lp_err *err) LP_MUST_CHECK;
/** What came of it; `why` NULL or the message of the failure. */
void lp_breaker_tell(struct lp_breakers *breakers, const char *key, enum lp_code outcome,
                     const char *why);
/** Closes all that failed logins opened: the credentials changed. */
void lp_breakers_forgive_logins(struct lp_breakers *breakers);
/** Number of breakers that are open or half-open. */
size_t lp_breakers_open(struct lp_breakers *breakers);

#endif
