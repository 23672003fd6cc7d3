/**
 * Time. Records carry UTC microseconds since 1970; intervals use CLOCK_BOOTTIME microseconds. Both
 * come from an lp_clock so that tests can turn them. Threads: lp_clock is read by all, a test clock
 * is turned through atomics.
 */
#ifndef LP_BASE_CLOCK_H
#define LP_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

struct lp_clock {
    atomic_llong shift_us;  /* added to both readings; 0 outside tests */
    atomic_llong anchor_us; /* UTC minus CLOCK_BOOTTIME as a better clock has it; 0: the host's */
};

/** The clock of a program: zero shift. */
#define LP_CLOCK_INIT                                                                              \
    {                                                                                              \
        .shift_us = 0                                                                              \
    }

int64_t lp_clock_utc_us(const struct lp_clock *clock);
int64_t lp_clock_mono_us(const struct lp_clock *clock);
/** From now on UTC is what somebody else's clock said when ours for intervals stood at mono_us:
 * that of a database which several hosts share. The host's own may be wrong, or be set while we
 * run. */
void lp_clock_follow(struct lp_clock *clock, int64_t utc_us, int64_t mono_us);
/** The host's idea of UTC, whatever is followed. */
int64_t lp_clock_host_us(const struct lp_clock *clock);
/** Turns the clock forward or back (tests only). */
void lp_clock_turn(struct lp_clock *clock, int64_t us);

/** "2026-02-01T10:00:00.250000+00:00"; buf holds at least 33 bytes. */
void lp_time_iso(int64_t utc_us, char buf[static 33]);
/** Parses ISO 8601 with offset or Z (seconds, up to six fraction digits). LP_INVALID otherwise. */
enum lp_code lp_time_parse(const char *text, int64_t *utc_us, struct lp_err *err) LP_MUST_CHECK;

#endif
