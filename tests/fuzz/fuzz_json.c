/* JSON bodies: whatever is accepted has a canonical text that is read back as the same value. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tests/fuzz/fuzz.h"

static void
check_canonical(const json_t *value)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *back = NULL;
    char *text = NULL;
    size_t len = 0;

    if (lp_json_canonical(value, &text, &len, &err) == LP_OK) {
        assert(lp_json_load(text, len, &back, &err) == LP_OK);
        assert(lp_json_same(value, back));
        json_decref(back);
        free(text);
    } else {
        assert(err.code == LP_INVALID && err.msg[0] != '\0');
    }
    lp_err_clear(&err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    if (lp_json_load((const char *)data, size, &value, &err) == LP_OK) {
        check_canonical(value);
    } else {
        assert(value == NULL && err.pointer[0] != '\0');
        assert(lp_utf8_valid(err.msg, strlen(err.msg)));
    }
    json_decref(value);
    lp_err_clear(&err);
    return 0;
}
