/* The table of cases that tests/unit/test_engine_service.c runs on SQLite, on PostgreSQL. */
#include "tests/support/engine_main.h"

int
main(void)
{
    return lp_engine_cases_run("postgres", LP_DIALECT_POSTGRES, &lp_engine_service_cases);
}
