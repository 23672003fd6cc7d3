/* How the tables of datastores are written (sim/rest/tree.h). Only their files include this. */
#ifndef LP_SIM_REST_TABLE_H
#define LP_SIM_REST_TABLE_H

#include "sim/rest/tree.h"

#define LEAF(n, t, ...)                                                                            \
    {                                                                                              \
        .name = (n), .type = SIM_L_##t, __VA_ARGS__                                                \
    }
#define LEAVES(array)      .leaves = (array), .leaf_count = LP_COUNT(array)
#define CONFIG(unset)      .fallback = (unset)
#define STATE              .state = true
#define PLAIN              .fallback = NULL
#define WORDS(list, unset) .values = (list), .fallback = (unset)
#define RANGE(from, to)    .low = (from), .high = (to)
#define LONGEST(n)         .high = (n)

#endif
