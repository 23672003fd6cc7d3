/* Zone files: whatever is accepted answers with offsets of less than 26 hours, and wall clock times
 * come in their order. */
#include <stdlib.h>

#include "base/zone.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_zone *zone = NULL;
    int64_t before = INT64_MIN;

    if (lp_zone_parse("fuzz", data, size, &zone, &err) == LP_OK) {
        for (int day = 1; day < 900; day += 9) {
            int64_t at = lp_zone_utc(zone, &(struct lp_civil){2026, 1, day, 2, 30, 0});

            if (at < before || abs(lp_zone_offset(zone, at)) >= 26 * 3600)
                abort();
            before = at;
        }
        lp_zone_free(zone);
    }
    lp_err_clear(&err);
    return 0;
}
