/* CSV parser: every cell of an accepted text is a terminated string inside the limits. */
#include <stdlib.h>
#include <string.h>

#include "products/csv.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_csv csv;

    if (lp_csv_parse((const char *)data, size, &csv, &err) == LP_OK) {
        for (size_t i = 0; i < csv.row_count; i++)
            for (size_t k = 0; k < csv.rows[i].count; k++)
                if (strlen(csv.rows[i].cells[k]) > LP_CSV_MAX_CELL)
                    abort();
        (void)lp_csv_column(&csv, "code");
        lp_csv_free(&csv);
    }
    lp_err_clear(&err);
    return 0;
}
