/* The table of cases on SQLite; tests/integration/test_store_both.c runs it on PostgreSQL too. */
#include "tests/support/store_cases.h"
#include "tests/support/store_main.h"

int
main(void)
{
    return lp_store_cases_run("sqlite", LP_DIALECT_SQLITE);
}
