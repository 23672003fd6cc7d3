/* Audit, events, definitions and read models on SQLite; tests/integration/test_engine_records_pg.c
 * runs them on PostgreSQL too. */
#include "tests/support/engine_main.h"

int
main(void)
{
    return lp_engine_cases_run("sqlite", LP_DIALECT_SQLITE, &lp_engine_record_cases);
}
