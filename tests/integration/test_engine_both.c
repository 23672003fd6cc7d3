/* The engine's tables of cases on PostgreSQL. */
#include "tests/support/engine_main.h"

int
main(void)
{
    return lp_engine_cases_run("postgres", LP_DIALECT_POSTGRES, &lp_engine_service_cases);
}
