/**
 * List queries: filter, sort, keyset cursor or offset range, capped totals (http-api.md 0.6
 * and 2.4, design: first 250 without a range, offsets up to 10,000, totals counted up to 10,001
 * rows). A table of fields says what may be filtered and sorted and which SQL it means; texts from
 * outside only ever become arguments.
 *
 * Fields marked `indexed` are served by an index for filter and order, which a test sees in EXPLAIN
 * on both databases; the others are columns that change with every step and must stay without one.
 * Order: the sort fields, then creation time and id in the direction of the last field, so that
 * every order is total. Null sorts as the empty text or 0.
 */
#ifndef LP_STORE_LISTS_H
#define LP_STORE_LISTS_H

#include "store/db.h"

enum lp_list_type {
    LP_LIST_TEXT,  /* compared in lower case; % and _ are wildcards */
    LP_LIST_LOWER, /* words stored in lower case (statuses, workflow names); % is a wildcard */
    LP_LIST_UPPER, /* words stored in upper case (targets, assignees) */
    LP_LIST_UUID,
    LP_LIST_BOOL, /* 0 and 1 */
    LP_LIST_TIME, /* UTC microseconds */
    LP_LIST_INT
};

enum { LP_LIST_DEFAULT = 250, LP_LIST_MOST = 1000, LP_LIST_OFFSET_MOST = 10000 };

struct lp_list_field {
    const char *name; /* snake_case; camelCase is accepted too */
    const char *sql;  /* constant expression, e.g. "p.status" */
    enum lp_list_type type;
    bool filter, sort;
    bool nullable;
    bool indexed;
    const char *within; /* optional: "p.id IN (SELECT ... WHERE %s)" around the comparison (fields
                           of linked rows) */
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
    int64_t limit;      /* 1 to 1,000; 0 = 250 */
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
/** How the database would run the page: its EXPLAIN rows. For operators who wonder, and for the
 * test that proves the indexes. */
enum lp_code lp_list_explain(struct lp_store *store, const struct lp_list *list,
                             const struct lp_list_request *request, struct lp_rows **plan,
                             struct lp_err *err) LP_MUST_CHECK;

extern const struct lp_list lp_list_processes;
extern const struct lp_list lp_list_subscriptions;

#endif
