/**
 * JSON through jansson: decoding hostile text, typed members with named errors, canonical text,
 * merge.
 *
 * Canonical text = sorted keys, compact, UTF-8 unescaped, no reals: hashes cover these bytes.
 * Ownership: "get" borrows, "load"/"new" are owned by the caller. Never share a json_t between
 * threads.
 */
#ifndef LP_BASE_JSON_H
#define LP_BASE_JSON_H

#include <stdint.h>

#include "base/err.h"

#define LP_JSON_MAX_DEPTH 64

/** Parses exactly one JSON value of len bytes. Rejects duplicate keys, bad UTF-8, embedded NUL
 * (also as \u0000), trailing bytes and nesting above LP_JSON_MAX_DEPTH; any value kind may stand at
 * the top. LP_INVALID names line and column in err->pointer. */
enum lp_code lp_json_load(const char *text, size_t len, json_t **out,
                          struct lp_err *err) LP_MUST_CHECK;

/** Canonical text, malloc'ed, NUL-terminated; *len without the NUL. LP_INVALID when a real number
 * is inside (its path is named). */
enum lp_code lp_json_canonical(const json_t *value, char **text, size_t *len,
                               struct lp_err *err) LP_MUST_CHECK;
/** Compact text in stored key order (for answers), malloc'ed; NULL without memory. Reals are
 * allowed. */
char *lp_json_text(const json_t *value);

/** Takes the reference out of a json_auto_t variable: returns it and leaves NULL. */
json_t *lp_json_take(json_t **value);

/* Members. `where` is the name of the object in messages ("body", "config"). The plain form demands
   the member; _opt leaves *out alone when it is absent or null. LP_INVALID names the member and
   what was found instead. Values are borrowed. */
enum lp_code lp_json_get_string(const json_t *obj, const char *key, const char **out,
                                struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_json_get_int(const json_t *obj, const char *key, int64_t *out,
                             struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_json_get_bool(const json_t *obj, const char *key, bool *out,
                              struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_json_get_object(const json_t *obj, const char *key, json_t **out,
                                struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_json_get_array(const json_t *obj, const char *key, json_t **out,
                               struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_json_opt_string(const json_t *obj, const char *key, const char **out,
                                struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_json_opt_int(const json_t *obj, const char *key, int64_t *out,
                             struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_json_opt_bool(const json_t *obj, const char *key, bool *out,
                              struct lp_err *err) LP_MUST_CHECK;
/** LP_INVALID when obj has a member that is not in names[0..count); names it. */
enum lp_code lp_json_only(const json_t *obj, const char *const *names, size_t count,
                          struct lp_err *err) LP_MUST_CHECK;

/* Lenient readers for our own data: the value, or the fallback. */
const char *lp_json_str(const json_t *obj, const char *key, const char *fallback);
int64_t lp_json_int(const json_t *obj, const char *key, int64_t fallback);
bool lp_json_true(const json_t *obj, const char *key);

/* Setters that report failure once: they return 0, or -1 when memory ran out or text is not UTF-8.
 * NULL text is stored as null. */
int lp_json_set_str(json_t *obj, const char *key, const char *value);
int lp_json_set_int(json_t *obj, const char *key, int64_t value);
int lp_json_set_bool(json_t *obj, const char *key, bool value);

/** True when both are the same JSON value (objects regardless of key order; 1 and 1.0 differ). */
bool lp_json_same(const json_t *a, const json_t *b);
/** "string", "integer", "real", "object", "array", "boolean" or "null". */
const char *lp_json_kind(const json_t *value);
/** Valid UTF-8 without NUL. */
bool lp_utf8_valid(const char *text, size_t len);

#endif
