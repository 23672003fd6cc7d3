/** Turns the table of store cases into a cmocka group of one database. */
#ifndef LP_TESTS_SUPPORT_STORE_MAIN_H
#define LP_TESTS_SUPPORT_STORE_MAIN_H

#include <stdlib.h>

#include "tests/support/store_cases.h"
#include "tests/support/test_main.h"

struct lp_case_run {
    enum lp_dialect dialect;
    const struct lp_store_case *row;
};

static void
lp_case_main(void **state)
{
    const struct lp_case_run *run = *state;
    struct lp_store_env env;

    if (!lp_store_env_has(run->dialect))
        skip();
    lp_store_env_open(&env, run->dialect);
    run->row->run(&env);
    lp_store_env_close(&env);
}

static inline int
lp_store_cases_run(const char *group, enum lp_dialect dialect)
{
    struct CMUnitTest *tests = calloc(lp_store_case_count, sizeof *tests);
    struct lp_case_run *runs = calloc(lp_store_case_count, sizeof *runs);
    int failed;

    if (tests == NULL || runs == NULL)
        return 1;
    lp_test_apply_filter();
    for (size_t i = 0; i < lp_store_case_count; i++) {
        runs[i] = (struct lp_case_run){dialect, &lp_store_cases[i]};
        tests[i] = (struct CMUnitTest){lp_store_cases[i].name, lp_case_main, NULL, NULL, &runs[i]};
    }
    failed = _cmocka_run_group_tests(group, tests, lp_store_case_count, NULL, NULL);
    free(tests);
    free(runs);
    return failed;
}

#endif
