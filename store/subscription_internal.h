/**
 * Shared by the subscription files of this room.
 */
#ifndef LP_STORE_SUBSCRIPTION_INTERNAL_H
#define LP_STORE_SUBSCRIPTION_INTERNAL_H

#include "store/subscriptions.h"

/** On the reader when there is one, else on a borrowed connection. */
enum lp_code lp_store_query_on(struct lp_store *store, struct lp_reader *reader, enum lp_stmt stmt,
                               const struct lp_arg *args, size_t arg_count, struct lp_rows **rows,
                               struct lp_err *err) LP_MUST_CHECK;
/** The header as history keeps it. New reference, NULL without memory. */
json_t *lp_subscription_header_doc(const struct lp_subscription *sub);
/** The same as canonical text, malloc'ed. */
enum lp_code lp_subscription_header_text(const struct lp_subscription *sub, char **text,
                                         struct lp_err *err) LP_MUST_CHECK;

#endif
