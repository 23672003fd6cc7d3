/**
 * Inside of the TL1 codec: shared by wire/tl1_*.c only.
 */
#ifndef LP_WIRE_TL1_INTERNAL_H
#define LP_WIRE_TL1_INTERNAL_H

#include "wire/tl1.h"

/* Scratch: text of a known upper size, then parameters and blocks one by one; the pointers of the
   blocks are set at the end, when nothing moves any more. false or NULL: no memory. */
bool tl1_scratch_begin(struct lp_tl1_scratch *scratch, size_t text);
struct lp_tl1_param *tl1_scratch_param(struct lp_tl1_scratch *scratch, size_t n);
struct lp_tl1_block *tl1_scratch_block(struct lp_tl1_scratch *scratch, size_t n);
void tl1_scratch_link(struct lp_tl1_scratch *scratch, size_t blocks);

/** The byte of a string that is terminated by NUL. */
static inline char
tl1_not_nul(char c)
{
    if (c == '\0')
        return '?';
    return c;
}

bool tl1_name_char(char c);
/** Length of a name that is followed by '='; 0 when there is none. */
size_t tl1_name_span(const char *at, const char *end);
bool tl1_name_valid(const char *name);
/** No control characters. */
bool tl1_printable(const char *text);
bool tl1_always_quoted(const char *name);
bool tl1_shall_quote(const struct lp_tl1_param *param, const char *value, const char *special);
/** Ends an append: takes back what was added since `mark` when it failed. */
enum lp_code tl1_put_done(struct lp_buf *buf, size_t mark, enum lp_code rc,
                          struct lp_err *err) LP_MUST_CHECK;
/** A JSON string of any bytes: what is not UTF-8, and NUL, becomes '?'. NULL without memory. */
json_t *tl1_json_text(const char *text, size_t len);

#endif
