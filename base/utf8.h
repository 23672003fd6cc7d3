/**
 * UTF-8: what is valid, and how text of unknown origin is made so. Pure; any thread.
 * Source: RFC 3629 (no surrogates, no overlong forms, nothing above U+10FFFF).
 */
#ifndef LP_BASE_UTF8_H
#define LP_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/** Bytes (1 to 4) of the well-formed sequence at text, 0 when there is none within len. */
size_t lp_utf8_sequence(const char *text, size_t len);
/** Copies into dst (always terminated): cut at a character boundary, each byte that is not UTF-8
 * becomes '?'. */
void lp_utf8_copy(char *dst, size_t size, const char *text);

#endif
