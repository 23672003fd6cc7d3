/**
 * Inside the scheduler room: what messages are made of.
 */
#ifndef LP_SCHEDULER_MESSAGE_H
#define LP_SCHEDULER_MESSAGE_H

#include "base/buf.h"
#include "store/db.h"

/** A row of notice_get, notice_new or delivery_digest_items as receivers see it. New reference. */
json_t *lp_message_notice(const struct lp_rows *rows, size_t row);
/** The same for people. */
void lp_message_text(struct lp_buf *out, const json_t *notice);
/** A digest {"summary", "counts": [{"kind","severity","count"}], "items", "more"} for people. */
void lp_message_digest_text(struct lp_buf *out, const json_t *digest);

#endif
