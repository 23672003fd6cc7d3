/** The catalog of the source tree, with two modules made for tests: Rack (nested blocks) and Cable
 * (references). */
#ifndef LP_TESTS_SUPPORT_CATALOG_ENV_H
#define LP_TESTS_SUPPORT_CATALOG_ENV_H

#include "model/model.h"

/** Fails the test when it cannot be loaded. */
struct lp_catalog *lp_test_catalog(bool with_test_modules);
/** The root of the source tree. */
const char *lp_test_root(void);

#endif
