/**
 * Between form.c and form_memo.c only.
 */
#ifndef LP_ENGINE_FORM_H
#define LP_ENGINE_FORM_H

#include "engine/internal.h"

/** An accepted prefix of pages and the page that is asked for next. */
struct lp_form_prefix {
    json_t *answers;           /* merged; shared with nobody */
    size_t next;               /* index of the page below in the whole sequence */
    struct lp_form_page *page; /* built */
    int64_t made_us;           /* monotonic; 0 = now */
};
void lp_form_prefix_clear(struct lp_form_prefix *prefix);
/** Takes the entry out (put it back when done). False when there is none or it is too old. */
bool lp_form_memo_take(struct lp_form_memo *memo, const char *key, int64_t now_us,
                       struct lp_form_prefix *out);
/** Moves the prefix into the memo. */
void lp_form_memo_put(struct lp_form_memo *memo, const char *key, int64_t now_us,
                      struct lp_form_prefix *prefix);

#endif
