/** Turns a table of engine cases into a cmocka group of one database; each case gets an engine of
 * its own. */
#ifndef LP_TESTS_SUPPORT_ENGINE_MAIN_H
#define LP_TESTS_SUPPORT_ENGINE_MAIN_H

#include "tests/support/engine_env.h"
#include "tests/support/engine_tables.h"

struct lp_engine_case {
    const char *name;
    void (*run)(struct lp_engine_env *env);
};
struct lp_engine_cases {
    const struct lp_engine_case *rows;
    size_t count;
};
extern const struct lp_engine_cases lp_engine_service_cases, lp_engine_form_cases,
    lp_engine_record_cases, lp_engine_act_cases;

/** The value of main(). */
int lp_engine_cases_run(const char *group, enum lp_dialect dialect,
                        const struct lp_engine_cases *cases);

#endif
