/**
 * YAML files of operators as JSON: mappings, lists and plain values, nothing else. Aliases, tags,
 * doubled keys, several documents, depth above 16 and files above 256 KiB are refused; the error
 * names file, line and column. Plain words true and false become booleans, plain whole numbers
 * integers, ~, null and nothing become null; everything else, and everything quoted, is text.
 * Threads: any.
 */
#ifndef LP_BASE_DOCFILE_H
#define LP_BASE_DOCFILE_H

#include "base/err.h"

/** *out is the caller's; null when the file holds nothing. LP_INVALID: unreadable or not as above;
 * LP_NOMEM. */
enum lp_code lp_yaml_load(const char *path, json_t **out, struct lp_err *err) LP_MUST_CHECK;

/** The same from memory; `name` stands for the file in messages. */
enum lp_code lp_yaml_text(const char *name, const char *text, size_t len, json_t **out,
                          struct lp_err *err) LP_MUST_CHECK;

/**
 * A secret from a file of its own: the first line without its end. The file must be a regular one
 * that belongs to us or root and that nobody else may read or write. LP_DENIED, LP_INVALID (empty,
 * longer than 4 KiB, control characters); messages never hold a part of it. *out is malloc'ed:
 * overwrite it before you free it (lp_secret_free).
 */
enum lp_code lp_secret_read(const char *path, char **out, struct lp_err *err) LP_MUST_CHECK;
void lp_secret_free(char *secret);

#endif
