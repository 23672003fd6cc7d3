/** The cases every database must pass alike; run by the unit suite on SQLite and by the integration
 * suite on both. */
#ifndef LP_TESTS_SUPPORT_STORE_CASES_H
#define LP_TESTS_SUPPORT_STORE_CASES_H

#include "tests/support/store_env.h"

struct lp_store_case {
    const char *name;
    void (*run)(struct lp_store_env *env);
};
extern const struct lp_store_case lp_store_cases[];
extern const size_t lp_store_case_count;

#endif
