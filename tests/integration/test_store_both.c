/* The table of store cases on both databases; PostgreSQL only where LIGHTPATH_TEST_PG names one. */
#include "tests/support/store_main.h"

int
main(void)
{
    int sqlite = lp_store_cases_run("sqlite", LP_DIALECT_SQLITE);

    return lp_store_cases_run("postgres", LP_DIALECT_POSTGRES) + sqlite;
}
