/**
 * Names and labels from templates that the operator configures: text with placeholders such as
 * "{remote.fqdn}" or "{pop.code|lower}". "{{" is a brace. Pure; any thread.
 */
#ifndef LP_PRODUCTS_NAMING_H
#define LP_PRODUCTS_NAMING_H

#include "base/buf.h"

/** Value of a placeholder, or NULL when it has none. */
typedef const char *lp_naming_fn(const void *ctx, const char *placeholder);

/** LP_INVALID naming place and fault: a brace without its partner, a placeholder that is not in
 * the NULL-terminated list, a filter that is neither lower nor upper. */
enum lp_code lp_naming_check(const char *template, const char *const *placeholders,
                             struct lp_err *err) LP_MUST_CHECK;
/** Appends the expanded text; LP_INVALID also when a placeholder has no value. */
enum lp_code lp_naming_expand(const char *template, lp_naming_fn *value, const void *ctx,
                              struct lp_buf *out, struct lp_err *err) LP_MUST_CHECK;

/** A whole value against a configured expression (POSIX extended): LP_OK, LP_NOT_FOUND when it does
 * not match, LP_INVALID when the expression is none. */
enum lp_code lp_naming_matches(const char *pattern, const char *text,
                               struct lp_err *err) LP_MUST_CHECK;

#endif
