/**
 * UUIDs as 36 lower-case characters (RFC 9562): v4 random, v5 from a name, v7 time-ordered row ids.
 * Threads: all functions may be called from any thread; v7 ids of one process are strictly
 * increasing.
 */
#ifndef LP_BASE_UUID_H
#define LP_BASE_UUID_H

#include "base/clock.h"

#define LP_UUID_LEN 36

struct lp_uuid {
    char text[LP_UUID_LEN + 1];
};

/** Namespace of every catalog id. */
#define LP_CATALOG_NAMESPACE "6f1d7a52-3c0e-5b8e-9d4a-1f2e7c6b5a90"

struct lp_uuid lp_uuid_v4(void);
/** v5 (SHA-1) of name under a namespace in text form. */
struct lp_uuid lp_uuid_v5(const char *name_space, const char *name);
/** v7; strictly increasing inside this program whatever the clock does. */
struct lp_uuid lp_uuid_v7(const struct lp_clock *clock);
/** v5 of "<kind>:<name>" under LP_CATALOG_NAMESPACE; kinds: product, product_block, resource_type,
 * workflow, fixed_input. */
struct lp_uuid lp_catalog_id(const char *kind, const char *name);
/** 36 characters, hyphens in place, hexadecimal, lower-case only. */
bool lp_uuid_valid(const char *text);

#endif
