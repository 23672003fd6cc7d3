/**
 * Values and places as people read them: "latitude" 45.46427 for latitude_udeg 45464270, "nothing"
 * for an absent value, "address.city" for a path. Buffers have LP_TEXT_MAX bytes; long values are
 * cut.
 */
#ifndef LP_STEPS_TEXTS_H
#define LP_STEPS_TEXTS_H

#include "base/json.h"

#define LP_TEXT_MAX 512

/** Field name without its unit when values are shown in another one; buf may be used. */
const char *lp_text_name(const char *field, char buf[static LP_TEXT_MAX]);
/** A value; field (may be NULL) decides on the unit. */
void lp_text_value(const char *field, const json_t *value, char buf[static LP_TEXT_MAX]);
/** A path as array: ["address", "city"] -> "address.city". */
void lp_text_loc(const json_t *loc, char buf[static LP_TEXT_MAX]);
/** A new reference to a value seen through a const pointer. */
json_t *lp_text_share(const json_t *value);

#endif
