/* The engine's tables of cases on PostgreSQL. */
#include "tests/support/engine_main.h"

int
main(void)
{
    int failed =
        lp_engine_cases_run("postgres service", LP_DIALECT_POSTGRES, &lp_engine_service_cases);

    failed |= lp_engine_cases_run("postgres forms", LP_DIALECT_POSTGRES, &lp_engine_form_cases);
    failed |= lp_engine_cases_run("postgres records", LP_DIALECT_POSTGRES, &lp_engine_record_cases);
    return failed;
}
