/**
 * Linear estimate of the signal-to-noise ratio of a route: every amplified span adds its share of
 * noise, 1/OSNR = sum of 1/OSNR of the spans. Interfaces in hundredths of a dB (_cdb, _cdbm),
 * inside noise is an integer too (lp_noise: noise per signal in 1e-9), so that it can be added up
 * as a cost. Pure; any thread.
 *
 * Source: the usual planning formula at 1550 nm in 0.1 nm,
 * OSNR = 58 dB + P_channel - A_span - NF - 10 log N for N equal spans. It knows no non-linear
 * noise: the margin of the rules has to cover it.
 */
#ifndef LP_OPTICAL_OSNR_H
#define LP_OPTICAL_OSNR_H

#include <stdbool.h>
#include <stdint.h>

/** Constants of planning; all are configuration. */
struct lp_osnr_rules {
    int32_t constant_cdb;        /* -10 log(h f B) at 1550 nm in 0.1 nm, in dBm: 58 dB */
    int32_t launch_cdbm;         /* power of a channel into a span: +1 dBm */
    int32_t noise_figure_cdb;    /* of the amplifier behind a span: 5.5 dB */
    int32_t margin_cdb;          /* demanded beyond what a mode requires: 3 dB */
    uint32_t attenuation_cdb_km; /* of a span whose loss nobody knows: 0.22 dB/km (G.652 typical) */
    uint32_t min_loss_cdb;       /* a shorter span is padded to this before its amplifier: 0 */
};
extern const struct lp_osnr_rules lp_osnr_defaults;

/** Noise of one span of that loss, in 1e-9 of the signal; at least 1. */
uint64_t lp_noise_of_span(const struct lp_osnr_rules *rules, uint32_t loss_cdb);
/** Noise of something whose OSNR is known, as of lp_noise_of_span. */
uint64_t lp_noise_of_osnr(int32_t osnr_cdb);
/** OSNR behind a way of that length that somebody else amplifies every 80 km. */
int32_t lp_osnr_guess_cdb(const struct lp_osnr_rules *rules, uint32_t length_m);
/** Loss of a span that was neither measured nor computed. */
uint32_t lp_osnr_guess_loss_cdb(const struct lp_osnr_rules *rules, uint32_t length_m);
/** OSNR of so much noise; INT32_MAX for none at all. */
int32_t lp_osnr_cdb(uint64_t noise);
/** Most noise with which osnr - margin of the rules >= required. */
uint64_t lp_noise_allowed(const struct lp_osnr_rules *rules, int32_t required_cdb);
/** osnr - required - margin of the rules; negative: does not carry. */
int32_t lp_osnr_margin_cdb(const struct lp_osnr_rules *rules, uint64_t noise, int32_t required_cdb);

#endif
