/* The table of cases on SQLite; tests/integration/test_engine_service_pg.c runs it on PostgreSQL
 * too. */
#include "tests/support/engine_main.h"

int
main(void)
{
    return lp_engine_cases_run("sqlite", LP_DIALECT_SQLITE, &lp_engine_service_cases);
}
