/* Form negotiation on SQLite; tests/integration/test_engine_forms_pg.c runs it on PostgreSQL too.
 */
#include "tests/support/engine_main.h"

int
main(void)
{
    return lp_engine_cases_run("sqlite", LP_DIALECT_SQLITE, &lp_engine_form_cases);
}
