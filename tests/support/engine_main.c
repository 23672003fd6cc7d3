#include "tests/support/engine_main.h"

#include <stdlib.h>

#include "tests/support/test_main.h"

struct case_run {
    enum lp_dialect dialect;
    const struct lp_engine_case *row;
};

static void
run_case(void **state)
{
    const struct case_run *run = *state;
    struct lp_engine_env env;

    if (!lp_store_env_has(run->dialect))
        skip();
    lp_engine_env_open(&env, run->dialect, &lp_test_workflows);
    run->row->run(&env);
    lp_engine_env_close(&env);
}

int
lp_engine_cases_run(const char *group, enum lp_dialect dialect, const struct lp_engine_cases *cases)
{
    struct CMUnitTest *tests = calloc(cases->count, sizeof *tests);
    struct case_run *runs = calloc(cases->count, sizeof *runs);
    int failed;

    if (tests == NULL || runs == NULL)
        return 1;
    lp_test_apply_filter();
    for (size_t i = 0; i < cases->count; i++) {
        runs[i] = (struct case_run){dialect, &cases->rows[i]};
        tests[i] = (struct CMUnitTest){cases->rows[i].name, run_case, NULL, NULL, &runs[i]};
    }
    failed = _cmocka_run_group_tests(group, tests, cases->count, NULL, NULL);
    free(tests);
    free(runs);
    return failed == 0 ? 0 : 1;
}
