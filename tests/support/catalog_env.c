#include "tests/support/catalog_env.h"

#include "tests/support/test_main.h"

const char *
lp_test_root(void)
{
    return LP_SOURCE_ROOT;
}

struct lp_catalog *
lp_test_catalog(bool with_test_modules)
{
    static const char *const dirs[] = {LP_SOURCE_ROOT "/products/yang",
                                       LP_SOURCE_ROOT "/tests/support/yang"};
    struct lp_catalog *catalog = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (lp_catalog_load(dirs, with_test_modules ? 2 : 1, &catalog, &err) != LP_OK)
        fail_msg("%s (%s)", err.msg, err.pointer);
    return catalog;
}
