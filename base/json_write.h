/**
 * JSON text written in one pass; three times as fast as jansson's dump, byte for byte the same.
 * Inside base only: others use lp_json_canonical, lp_json_text and lp_buf_json.
 */
#ifndef LP_BASE_JSON_WRITE_H
#define LP_BASE_JSON_WRITE_H

#include "base/buf.h"

/** A place inside a value, as a chain of stack frames: nothing is spent on it unless something is
 * wrong. */
struct lp_json_step {
    const struct lp_json_step *up; /* NULL at the top */
    const char *key;               /* NULL: index */
    size_t index;
};

/** Writes the JSON pointer of a place, cut to fit. */
void lp_json_pointer(char *out, size_t size, const struct lp_json_step *step);

/**
 * Appends compact text. sorted: canonical, keys in byte order, no reals, at most LP_JSON_MAX_DEPTH
 * levels; otherwise keys as stored and any depth that jansson can hold. LP_INVALID names the place;
 * a buffer without memory is LP_NOMEM.
 */
enum lp_code lp_json_write(struct lp_buf *out, const json_t *value, bool sorted,
                           struct lp_err *err) LP_MUST_CHECK;

#endif
