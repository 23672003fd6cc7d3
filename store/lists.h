/**
 * List queries: filter, sort, keyset cursor or offset range, capped totals (http-api.md 0.6
 * and 2.4, design: first 250 without a range, offsets up to 10,000, totals counted up to 10,001
 * rows). A table of fields says what may be filtered and sorted and which SQL it means; texts from
 * outside only ever become arguments. Every field that may be sorted has an index the EXPLAIN test
 * sees used.
 */
#ifndef LP_STORE_LISTS_H
#define LP_STORE_LISTS_H

#include "store/db.h"

enum lp_list_type { LP_LIST_TEXT, LP_LIST_UUID, LP_LIST_BOOL, LP_LIST_TIME, LP_LIST_INT };

struct lp_list_field {
    const char *name; /* snake_case; camelCase is accepted too */
    const char *sql;  /* constant expression, e.g. "p.status" */
    enum lp_list_type type;
    bool filter, sort;
    const char *exists; /* optional: constant EXISTS(... %s ...) wrapper around the comparison
                           (fields of linked rows) */
};

struct lp_list {
    const char *name;    /* "processes" */
    const char *select;  /* "SELECT ... FROM processes p" */
    const char *id;      /* "p.id" */
    const char *created; /* default order, newest first: "p.created_at" */
    const struct lp_list_field *fields;
    size_t field_count;
};

struct lp_list_request {
    const char *filter; /* "field,value,field,value" or NULL */
    const char *sort;   /* "field,asc,..." or NULL */
    const char *range;  /* "from,to" or NULL */
    const char *cursor; /* opaque, or NULL */
    int64_t limit;      /* 0 = 250 */
};

struct lp_list_result {
    struct lp_rows *rows; /* owned */
    int64_t total;        /* counted when a range was given; -1 otherwise */
    bool total_capped;    /* more than 10,000 */
    int64_t from, to;     /* echo of range */
    char *next_cursor;    /* owned; NULL on the last page */
};

/** LP_INVALID carries the exact texts of http-api.md 0.6 (status 400) with the field in
 * err->pointer. */
enum lp_code lp_list_query(struct lp_store *store, const struct lp_list *list,
                           const struct lp_list_request *request, struct lp_list_result *out,
                           struct lp_err *err) LP_MUST_CHECK;
void lp_list_result_free(struct lp_list_result *result);

extern const struct lp_list lp_list_processes;
extern const struct lp_list lp_list_subscriptions;

#endif
