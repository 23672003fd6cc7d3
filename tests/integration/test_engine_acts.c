/* Operator actions against a running executor, on both databases. */
#include "tests/support/engine_main.h"

int
main(void)
{
    int failed = lp_engine_cases_run("sqlite", LP_DIALECT_SQLITE, &lp_engine_act_cases);

    return lp_engine_cases_run("postgres", LP_DIALECT_POSTGRES, &lp_engine_act_cases) | failed;
}
