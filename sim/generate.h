/**
 * Makes a topology out of two tables: sites (code, ..., latitude, longitude) and links
 * (a, b, length_km). A ROADM stands at each site, amplifiers on the links so that no span is longer
 * than the spacing.
 */
#ifndef LP_SIM_GENERATE_H
#define LP_SIM_GENERATE_H

#include "base/err.h"

struct sim_generate_options {
    const char *sites, *links; /* files */
    double spacing_km;
    const char *prefix; /* "flex.": in front of the lower-case site code */
    const char *user, *password;
    bool gateways_only; /* sites with three links or more; the others are subtended */
    int seed;
    const char *g30; /* NULL, or site codes "MI01,PA01": a G30 with a CHM2T stands there too, its
                        lines patched to the last two ports of the site's first add/drop card */
};

enum lp_code sim_generate(const struct sim_generate_options *options, json_t **out,
                          struct lp_err *err) LP_MUST_CHECK;
/** Elements, fibers or patches of a topology as CSV (what a bulk import takes). */
enum sim_csv { SIM_CSV_NODES, SIM_CSV_FIBERS, SIM_CSV_PATCHES };
enum lp_code sim_generate_csv(const json_t *topology, enum sim_csv what,
                              struct lp_err *err) LP_MUST_CHECK;

#endif
