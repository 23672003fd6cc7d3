/**
 * What all lists share: parameters, Content-Range, the Link to the next page; and the wire form of
 * subscription rows.
 */
#ifndef LP_API_LISTS_H
#define LP_API_LISTS_H

#include "api/internal.h"
#include "store/lists.h"

void lp_list_request_fill(const struct lp_request *req, struct lp_list_request *out);
/** Content-Range when a range was asked for, Link rel=next when there is a further page. */
void lp_list_headers(struct lp_request *req, const char *unit, const struct lp_list_result *meta);

/** Texts of the catalogue as operators edited them, read once for a request: {"<kind>:<id>":
 * {...}}. New reference. */
enum lp_code lp_catalog_texts(struct lp_request *req, json_t **out,
                              struct lp_err *err) LP_MUST_CHECK;
/** ProductBase of http-api.md 1.2. New reference. */
json_t *lp_product_base(const struct lp_product_type *product, const json_t *texts);
/** Subscription of http-api.md 1.2 from a row with the columns of subscriptions. New reference. */
json_t *lp_subscription_row_json(struct lp_request *req, const json_t *texts,
                                 const struct lp_rows *rows, size_t row);
/** UTC us as seconds, or null for SQL null. New reference. */
json_t *lp_time_column(const struct lp_rows *rows, size_t row, const char *column);

/** Search text of http-api.md 2.4 into a condition over `subscriptions s`; arguments are appended.
 * LP_INVALID with the place. */
struct lp_search {
    struct lp_buf sql;
    struct lp_arg args[64];
    size_t arg_count;
    char names[64][8];
    struct lp_arena *arena;
    const struct lp_catalog *catalog;
    enum lp_dialect dialect;
    /** Is this phrase in so many documents that asking the newest subscriptions one by one is
     * quicker? NULL = no. */
    bool (*is_common)(void *arg, const char *match);
    void *arg;
    bool reads_blocks; /* a common phrase is among them */
};
enum lp_code lp_search_parse(const char *query, struct lp_search *out,
                             struct lp_err *err) LP_MUST_CHECK;

#endif
