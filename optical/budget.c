/* Loss, dispersion and delay of fibers. */
#include "optical/budget.h"

#include <math.h>
#include <string.h>

const struct lp_budget_rules lp_budget_defaults = {.splice_cdb = 5,
                                                   .connector_cdb = 50,
                                                   .connectors = 2,
                                                   .drum_m = 4000,
                                                   .repair_cdb = 100,
                                                   .ageing_cdb = 50};

/* clang-format off */
static const struct lp_fiber_type types[] = {
    /* name      typical most disp.  multimode mixes */
    {"G.651.1",        0,   0,   0,  true,  false},
    {"G.652.A",       22,  40, 170, false, false},
    {"G.652.B",       22,  35, 170, false, false},
    {"G.652.C",       20,  30, 170, false, false},
    {"G.652.D",       20,  30, 170, false, false},
    {"G.653.A",       22,  35,   0, false, true},
    {"G.653.B",       22,  35,   0, false, true},
    {"G.654.A",       18,  22, 200, false, false},
    {"G.654.B",       18,  22, 200, false, false},
    {"G.654.C",       18,  22, 200, false, false},
    {"G.654.D",       17,  20, 210, false, false},
    {"G.654.E",       17,  23, 210, false, false},
    {"G.655.A",       22,  35,  45, false, false},
    {"G.655.B",       22,  35,  45, false, false},
    {"G.655.C",       22,  35,  45, false, false},
    {"G.655.D",       22,  35,  45, false, false},
    {"G.655.E",       22,  35,  45, false, false},
    {"G.656",         22,  35,  80, false, false},
    {"G.657.A",       20,  30, 170, false, false},
    {"G.657.B",       20,  30, 170, false, false},
};
/* clang-format on */
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

const struct lp_fiber_type *
lp_fiber_type_of(const char *name)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

const struct lp_fiber_type *
lp_fiber_types(size_t *count)
{
    *count = TYPE_COUNT;
    return types;
}

static uint64_t
up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit;
}

static uint64_t
splices_of(const struct lp_budget_rules *rules, const struct lp_segment *segment)
{
    uint64_t drums = rules->drum_m == 0 ? 1 : up(segment->length_m, rules->drum_m);

    if (segment->splices >= 0)
        return (uint64_t)segment->splices;
    return drums > 0 ? drums - 1 : 0;
}

void
lp_budget_compute(const struct lp_budget_rules *rules, const struct lp_span *span,
                  struct lp_budget *out)
{
    uint64_t length = 0, loss = 0, splices = span->count > 1 ? span->count - 1 : 0, expected;
    int64_t dispersion = 0;
    uint64_t connectors = span->connectors >= 0 ? (uint64_t)span->connectors : rules->connectors;

    for (size_t i = 0; i < span->count; i++) {
        const struct lp_segment *segment = &span->segments[i];
        unsigned attenuation = segment->attenuation_cdb_km > 0 ? segment->attenuation_cdb_km
                                                               : segment->type->typical_cdb;
        length += segment->length_m;
        loss += (uint64_t)attenuation * segment->length_m;
        dispersion += (int64_t)segment->type->dispersion_10 * segment->length_m;
        splices += splices_of(rules, segment);
    }
    loss = (loss + 500) / 1000;
    expected =
        loss + rules->splice_cdb * splices + rules->connector_cdb * connectors + span->fixed_cdb;
    *out = (struct lp_budget){
        .length_m = (uint32_t)length,
        .fiber_cdb = (uint32_t)loss,
        .splices = (uint32_t)splices,
        .expected_cdb = (uint32_t)expected,
        .budget_cdb =
            (uint32_t)(expected + rules->repair_cdb * up(length, 50000) + rules->ageing_cdb),
        .dispersion_ps_nm = (int32_t)((dispersion + 5000) / 10000),
        .latency_ns = (uint32_t)(length * 48967 / 10000),
    };
}

enum lp_margin
lp_margin_state(int32_t margin_cdb)
{
    if (margin_cdb < 0)
        return LP_MARGIN_VIOLATED;
    return margin_cdb < 100 ? LP_MARGIN_WARN : LP_MARGIN_OK;
}

bool
lp_loss_is_plausible(const struct lp_budget *budget, uint32_t measured_cdb)
{
    return (uint64_t)measured_cdb * 10 >= (uint64_t)budget->fiber_cdb * 9;
}

uint32_t
lp_great_circle_m(int32_t lat1_udeg, int32_t lon1_udeg, int32_t lat2_udeg, int32_t lon2_udeg)
{
    const double degree = acos(-1.0) / 180e6;
    double lat1 = lat1_udeg * degree, lat2 = lat2_udeg * degree;
    double s = sin((lat2 - lat1) / 2), t = sin((lon2_udeg - (double)lon1_udeg) * degree / 2);
    double h = s * s + cos(lat1) * cos(lat2) * t * t;

    return (uint32_t)lround(2 * 6371008.8 * asin(sqrt(h > 1 ? 1 : h)));
}
