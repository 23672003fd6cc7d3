/**
 * Loss, dispersion and delay of a fiber from what it is spliced of. Integers only: loss in
 * hundredths of a dB (_cdb), length in metres. Pure; any thread.
 *
 * Sources: typical values of attenuation and dispersion at 1550 nm after ITU-T G.650 to G.657
 * (planning values: measured ones win); group index 1.468.
 */
#ifndef LP_OPTICAL_BUDGET_H
#define LP_OPTICAL_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A type of fiber. */
struct lp_fiber_type {
    const char *name;     /* "G.652.D" */
    unsigned typical_cdb; /* attenuation in 0.01 dB/km; 0: none is given (multimode) */
    unsigned most_cdb;    /* most the recommendation allows */
    int dispersion_10;    /* 0.1 ps/(nm km) */
    bool multimode;       /* cannot carry DWDM */
    bool mixes;           /* next to no dispersion: four-wave mixing */
};
/** The type of that name, or NULL. */
const struct lp_fiber_type *lp_fiber_type_of(const char *name);
const struct lp_fiber_type *lp_fiber_types(size_t *count);

/** Constants of planning; the defaults are lp_budget_defaults. */
struct lp_budget_rules {
    unsigned splice_cdb;    /* one splice */
    unsigned connector_cdb; /* one connector */
    unsigned connectors;    /* of a fiber that does not say */
    unsigned drum_m;        /* cable on a drum: one splice each */
    unsigned repair_cdb;    /* margin for repairs, per 50 km begun */
    unsigned ageing_cdb;    /* margin for ageing */
};
extern const struct lp_budget_rules lp_budget_defaults;

struct lp_segment {
    const struct lp_fiber_type *type;
    uint32_t length_m;
    unsigned attenuation_cdb_km; /* 0: typical of the type */
    int splices;                 /* inside it; -1: one per drum */
};
struct lp_span {
    const struct lp_segment *segments;
    size_t count;
    int connectors; /* -1: as the rules say */
    unsigned fixed_cdb;
};
struct lp_budget {
    uint32_t length_m;
    uint32_t fiber_cdb; /* attenuation alone */
    uint32_t splices;
    uint32_t expected_cdb; /* fiber, splices, connectors, fixed attenuators */
    uint32_t budget_cdb;   /* with margins */
    int32_t dispersion_ps_nm;
    uint32_t latency_ns; /* one way */
};
/** Adds it all up; a span without segments has only connectors and attenuators. */
void lp_budget_compute(const struct lp_budget_rules *rules, const struct lp_span *span,
                       struct lp_budget *out);

enum lp_margin { LP_MARGIN_OK, LP_MARGIN_WARN, LP_MARGIN_VIOLATED };
/** ok from 1 dB, warn from 0, violated below. */
enum lp_margin lp_margin_state(int32_t margin_cdb);
/** A measured loss that is less than nine tenths of what the glass alone must lose is wrong. */
bool lp_loss_is_plausible(const struct lp_budget *budget, uint32_t measured_cdb);

/** Metres between two points on the sphere (haversine, mean radius 6371008.8 m). */
uint32_t lp_great_circle_m(int32_t lat1_udeg, int32_t lon1_udeg, int32_t lat2_udeg,
                           int32_t lon2_udeg);

#endif
