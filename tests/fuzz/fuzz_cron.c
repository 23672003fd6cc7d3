/* Cron texts: what is accepted finds a later moment or none. */
#include <stdlib.h>
#include <string.h>

#include "base/cron.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lp_zone *rome;
    struct lp_err err = LP_ERR_INIT;
    int64_t at = INT64_C(1774700000), due;
    struct lp_cron cron;
    char *text = strndup((const char *)data, size);

    if (text == NULL || (rome == NULL && lp_zone_load("Europe/Rome", &rome, &err) != LP_OK))
        abort();
    if (lp_cron_parse(text, &cron, &err) == LP_OK) {
        for (int i = 0; i < 5 && lp_cron_next(&cron, rome, at, &due); i++) {
            if (due <= at)
                abort();
            at = due;
        }
    }
    lp_err_clear(&err);
    free(text);
    return 0;
}
