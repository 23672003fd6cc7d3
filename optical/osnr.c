/* Linear OSNR of a route. */
#include "optical/osnr.h"

#include <math.h>

#define PER_SIGNAL 1e9 /* of lp_noise */
enum { SPAN_M = 80000 };

const struct lp_osnr_rules lp_osnr_defaults = {.constant_cdb = 5800,
                                               .launch_cdbm = 100,
                                               .noise_figure_cdb = 550,
                                               .margin_cdb = 300,
                                               .attenuation_cdb_km = 22};

static double
ratio_of(int64_t cdb)
{
    return pow(10, (double)cdb / 1000);
}

static uint64_t
noise_of(int64_t osnr_cdb)
{
    double noise = PER_SIGNAL * ratio_of(-osnr_cdb);

    if (noise < 1)
        return 1;
    return noise > 1e15 ? UINT64_C(1000000000000000) : (uint64_t)llround(noise);
}

uint64_t
lp_noise_of_span(const struct lp_osnr_rules *rules, uint32_t loss_cdb)
{
    int64_t loss = loss_cdb < rules->min_loss_cdb ? rules->min_loss_cdb : loss_cdb;

    return noise_of((int64_t)rules->constant_cdb + rules->launch_cdbm - loss
                    - rules->noise_figure_cdb);
}

uint64_t
lp_noise_of_osnr(int32_t osnr_cdb)
{
    return noise_of(osnr_cdb);
}

int32_t
lp_osnr_guess_cdb(const struct lp_osnr_rules *rules, uint32_t length_m)
{
    uint32_t spans = length_m / SPAN_M + (length_m % SPAN_M != 0 ? 1 : 0);

    if (spans == 0)
        spans = 1;
    return lp_osnr_cdb(spans
                       * lp_noise_of_span(rules, lp_osnr_guess_loss_cdb(rules, length_m / spans)));
}

uint32_t
lp_osnr_guess_loss_cdb(const struct lp_osnr_rules *rules, uint32_t length_m)
{
    uint64_t loss = ((uint64_t)length_m * rules->attenuation_cdb_km + 500) / 1000;

    return loss > UINT32_MAX ? UINT32_MAX : (uint32_t)loss;
}

int32_t
lp_osnr_cdb(uint64_t noise)
{
    return noise == 0 ? INT32_MAX : (int32_t)lround(1000 * log10(PER_SIGNAL / (double)noise));
}

int32_t
lp_osnr_margin_cdb(const struct lp_osnr_rules *rules, uint64_t noise, int32_t required_cdb)
{
    int64_t margin = (int64_t)lp_osnr_cdb(noise) - required_cdb - rules->margin_cdb;

    return noise == 0 || margin > INT32_MAX ? INT32_MAX : (int32_t)margin;
}

/* Searched for rather than computed, so that it agrees with the rounded margin to the last unit. */
uint64_t
lp_noise_allowed(const struct lp_osnr_rules *rules, int32_t required_cdb)
{
    uint64_t low = 0, high = UINT64_C(1) << 62;

    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (lp_osnr_margin_cdb(rules, middle, required_cdb) >= 0)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}
