/**
 * What every cmocka program of the tree needs: the headers in the order cmocka demands, a filter, a
 * seed.
 *
 * LP_TEST_FILTER  runs only tests whose name matches (cmocka wildcards * and ?)
 * LP_TEST_SEED    repeats a property test with the seed that it printed
 * LP_TEST_LONG    1: everything at full size, as in scripts/test --long (which sets 0 otherwise)
 */
#ifndef LP_TESTS_SUPPORT_TEST_MAIN_H
#define LP_TESTS_SUPPORT_TEST_MAIN_H

/* cmocka.h needs the others before it */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/** Runs an array of struct CMUnitTest; the value of main(). */
#define LP_RUN_TESTS(tests)                                                                        \
    (lp_test_apply_filter(), cmocka_run_group_tests((tests), NULL, NULL) == 0 ? 0 : 1)
/** As LP_RUN_TESTS with a group setup and teardown (either may be NULL). */
#define LP_RUN_TESTS_WITH(tests, setup, teardown)                                                  \
    (lp_test_apply_filter(), cmocka_run_group_tests((tests), (setup), (teardown)) == 0 ? 0 : 1)

static inline void
lp_test_apply_filter(void)
{
    const char *filter = getenv("LP_TEST_FILTER");

    if (filter != NULL && filter[0] != '\0')
        cmocka_set_test_filter(filter);
}

/** Whether a test shall run at full size: LP_TEST_LONG=1, nothing else. */
static inline bool
lp_test_long(void)
{
    const char *given = getenv("LP_TEST_LONG");

    return given != NULL && strcmp(given, "1") == 0;
}

/** The seed of a property test: LP_TEST_SEED or the time, printed so that a failure can be
 * repeated. */
static inline uint64_t
lp_test_seed(const char *what)
{
    const char *given = getenv("LP_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

    printf("%s: seed %llu\n", what, (unsigned long long)seed);
    return seed;
}

/** splitmix64: the next number of a sequence that depends on the seed alone. */
static inline uint64_t
lp_test_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

#endif
