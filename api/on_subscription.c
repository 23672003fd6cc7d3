#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lists.h"
#include "base/json.h"

#define PAGE        250
#define OFFSET_MAX  10000
#define TOTAL_MAX   10001
#define QUERY_CHARS 512

/* ---- shared with the process list ---- */

void
lp_list_request_fill(const struct lp_request *req, struct lp_list_request *out)
{
    *out = (struct lp_list_request){
        .filter = lp_request_query(req, "filter"),
        .sort = lp_request_query(req, "sort"),
        .range = lp_request_query(req, "range"),
        .cursor = lp_request_query(req, "cursor"),
        .limit = lp_request_int(req, "limit", 0),
    };
}

static void
range_header(struct lp_request *req, const char *unit, int64_t from, int64_t to, int64_t total,
             bool capped)
{
    const char *value =
        capped ? lp_arena_printf(req->arena, "%s %" PRId64 "-%" PRId64 "/*", unit, from, to)
               : lp_arena_printf(req->arena, "%s %" PRId64 "-%" PRId64 "/%" PRId64, unit, from, to,
                                 total);

    lp_reply_header(req, "Content-Range", value);
}

/** Appends name=value with the value percent-encoded. */
static void
add_query(struct lp_buf *buf, const char *name, const char *value)
{
    if (value == NULL)
        return;
    lp_buf_printf(
        buf, "%c%s=", buf->len > 0 && memchr(buf->data, '?', buf->len) != NULL ? '&' : '?', name);
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z')
                     || (*p >= 'a' && *p <= 'z') || (*p != '\0' && strchr("-._~,", *p) != NULL);

        lp_buf_printf(buf, plain ? "%c" : "%%%02X", *p);
    }
}

void
lp_list_headers(struct lp_request *req, const char *unit, const struct lp_list_result *meta)
{
    struct lp_buf buf = LP_BUF_INIT;

    if (meta->total >= 0)
        range_header(req, unit, meta->from, meta->to, meta->total, meta->total_capped);
    if (meta->next_cursor == NULL)
        return;
    lp_buf_printf(&buf, "/api/%s/", unit);
    add_query(&buf, "cursor", meta->next_cursor);
    add_query(&buf, "limit", lp_request_query(req, "limit"));
    add_query(&buf, "filter", lp_request_query(req, "filter"));
    add_query(&buf, "sort", lp_request_query(req, "sort"));
    if (!buf.failed)
        lp_reply_header(req, "Link", lp_arena_printf(req->arena, "<%s>; rel=\"next\"", buf.data));
    lp_buf_free(&buf);
}

json_t *
lp_time_column(const struct lp_rows *rows, size_t row, const char *column)
{
    if (lp_rows_null(rows, row, column))
        return json_null();
    return json_real((double)lp_rows_int(rows, row, column) / 1e6);
}

json_t *
lp_subscription_row_json(struct lp_request *req, const json_t *texts, const struct lp_rows *rows,
                         size_t row)
{
    const char *product_id = lp_rows_text(rows, row, "product_id");
    const struct lp_product_type *product =
        lp_catalog_product_by_id(req->api->services.catalog, product_id);

    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:b, s:s?, s:n, s:o, s:o, s:[], s:s?, s:I}",
                     "subscription_id", lp_rows_text(rows, row, "id"), "start_date",
                     lp_time_column(rows, row, "start_date"), "description",
                     lp_rows_text(rows, row, "description"), "status",
                     lp_rows_text(rows, row, "status"), "product_id", product_id, "customer_id",
                     lp_rows_text(rows, row, "customer_id"), "insync",
                     lp_rows_int(rows, row, "insync") != 0, "note", lp_rows_text(rows, row, "note"),
                     "name", "end_date", lp_time_column(rows, row, "end_date"), "product",
                     product == NULL ? json_null() : lp_product_base(product, texts),
                     "customer_descriptions", "tag", product == NULL ? NULL : product->tag,
                     "version", (json_int_t)lp_rows_int(rows, row, "version"));
}

static enum lp_code
rows_to_json(struct lp_request *req, const struct lp_rows *rows, bool metadata, json_t **out,
             struct lp_err *err)
{
    json_auto_t *texts = NULL;
    json_t *list;
    enum lp_code rc = lp_catalog_texts(req, &texts, err);

    if (rc != LP_OK)
        return rc;
    list = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        json_t *row = lp_subscription_row_json(req, texts, rows, i);

        if (metadata)
            json_object_set_new(row, "metadata", json_object());
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return lp_fail(err, LP_NOMEM, "no memory for the list");
        }
    }
    *out = list;
    return LP_OK;
}

/* ---- handlers ---- */

enum lp_code
lp_on_subscription_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_list_request list;
    struct lp_list_result result = {.rows = NULL};
    enum lp_code rc;

    lp_list_request_fill(req, &list);
    rc = lp_list_query(req->api->services.store, &lp_list_subscriptions, &list, &result, err);
    if (rc == LP_OK)
        rc = rows_to_json(req, result.rows, false, out, err);
    if (rc == LP_OK)
        lp_list_headers(req, "subscriptions", &result);
    lp_list_result_free(&result);
    return rc;
}

enum lp_code
lp_on_subscription_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *list = NULL;
    enum lp_code rc = lp_query(req->api->services.store, LP_SQL_API_SUBSCRIPTION_HEADER,
                               LP_ARGS(lp_text("id", req->params[0])), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "Subscription with id: %s, not found", req->params[0]);
    if (rc == LP_OK)
        rc = rows_to_json(req, rows, false, &list, err);
    if (rc == LP_OK)
        *out = json_incref(json_array_get(list, 0));
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_on_subscription_history(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_store *store = req->api->services.store;

    if (lp_request_query(req, "version") != NULL)
        return lp_subscription_at(store, req->api->services.catalog, req->params[0],
                                  lp_request_int(req, "version", 0), out, err);
    return lp_subscription_history(store, req->params[0], lp_request_int(req, "limit", 100), out,
                                   err);
}

enum lp_code
lp_on_subscription_diff(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_store *store = req->api->services.store;
    int64_t to = lp_request_int(req, "to", 0);

    if (to == 0) {
        json_auto_t *newest = NULL;
        enum lp_code rc = lp_subscription_history(store, req->params[0], 1, &newest, err);

        if (rc != LP_OK)
            return rc;
        to = lp_json_int(json_array_get(newest, 0), "version", 1);
    }
    return lp_subscription_diff(store, req->api->services.catalog, req->params[0],
                                lp_request_int(req, "from", 0), to, out, err);
}

enum lp_code
lp_on_domain_model(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_subscription_domain_model(
        req->api->services.store, req->api->services.catalog, req->params[0],
        lp_request_bool(req, "filter_owner_relations", true), out, err);
}

enum lp_code
lp_on_subscription_workflows(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_subscription_workflows(req->api->services.engine, &req->caller, req->params[0],
                                            out, err);
}

enum lp_code
lp_on_set_in_sync(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_engine_set_in_sync(req->api->services.engine, &req->caller, req->params[0], err);
}

/* ---- search ---- */

static bool
parse_range(const char *text, int64_t *from, int64_t *to, bool *given)
{
    char *end = NULL;

    *given = false;
    if (text == NULL)
        return true;
    *from = strtoll(text, &end, 10);
    if (end == text || *end != ',')
        return true; /* not two numbers: ignored, as the contract says */
    text = end + 1;
    *to = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        return true;
    *given = true;
    return *from >= 0 && *from < *to;
}

static enum lp_code
search_total(struct lp_request *req, const struct lp_search *search, int64_t *total,
             struct lp_err *err)
{
    struct lp_buf sql = LP_BUF_INIT;
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    lp_buf_printf(&sql,
                  "SELECT COUNT(*) AS n FROM (SELECT 1 FROM subscriptions s WHERE %s LIMIT %d) t",
                  search->sql.data, TOTAL_MAX);
    rc = lp_query_text(req->api->services.store, sql.data, search->args, search->arg_count, &rows,
                       err);
    if (rc == LP_OK)
        *total = lp_rows_int(rows, 0, "n");
    lp_rows_free(rows);
    lp_buf_free(&sql);
    return rc;
}

static enum lp_code
search_rows(struct lp_request *req, const struct lp_search *search, int64_t from, int64_t count,
            json_t **out, struct lp_err *err)
{
    struct lp_buf sql = LP_BUF_INIT;
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    lp_buf_printf(&sql,
                  "SELECT s.id, s.product_id, s.product, s.customer_id, s.description, s.status, "
                  "s.insync, s.start_date, s.end_date, s.note, s.version FROM subscriptions s "
                  "WHERE %s ORDER BY s.created_at DESC, s.id DESC LIMIT %" PRId64
                  " OFFSET %" PRId64,
                  search->sql.data, count, from);
    rc = lp_query_text(req->api->services.store, sql.data, search->args, search->arg_count, &rows,
                       err);
    if (rc == LP_OK)
        rc = rows_to_json(req, rows, true, out, err);
    lp_rows_free(rows);
    lp_buf_free(&sql);
    return rc;
}

/** What the page itself says about the total: a page that is not full ends the list. With a common
 * phrase every counted row would cost a look into the index, so that a full page leaves the total
 * open. */
static bool
total_from_page(const struct lp_search *search, int64_t from, int64_t wanted, int64_t got,
                int64_t *total)
{
    if (got < wanted && (got > 0 || from == 0))
        *total = from + got;
    else if (got == wanted && search->reads_blocks)
        *total = TOTAL_MAX;
    else
        return false;
    return true;
}

/* In more documents than this a phrase is common. */
#define COMMON 2000

static bool
is_common(void *arg, const char *match)
{
    struct lp_request *req = arg;
    struct lp_store *store = req->api->services.store;
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    bool common = false;

    if (lp_query(store, LP_SQL_API_PHRASE,
                 LP_ARGS(lp_text("match", match), lp_int("most", COMMON + 1)), &rows, &err)
        == LP_OK)
        common = lp_rows_int(rows, 0, "n") > COMMON;
    lp_rows_free(rows);
    lp_err_clear(&err); /* the search itself will tell what is wrong */
    return common;
}

/** A rare word in the blocks of very many subscriptions takes long: such searches never take more
 * than half of the handler threads. */
static enum lp_code
begin_search(struct lp_request *req, const struct lp_search *search, struct lp_err *err)
{
    int most = (int)(req->api->options.conf->api_threads + 1) / 2;

    if (!search->reads_blocks)
        return LP_OK;
    if (atomic_fetch_add(&req->api->searches, 1) < most)
        return LP_OK;
    atomic_fetch_sub(&req->api->searches, 1);
    return lp_fail(err, LP_RETRYABLE, "%d searches are running; try again", most);
}

static void
end_search(struct lp_request *req, const struct lp_search *search)
{
    if (search->reads_blocks)
        atomic_fetch_sub(&req->api->searches, 1);
}

enum lp_code
lp_on_subscription_search(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *query = lp_request_query(req, "query");
    struct lp_search *search;
    int64_t from = 0;
    int64_t to = PAGE;
    int64_t total = 0;
    bool ranged = false;
    enum lp_code rc;

    if (strlen(query) > QUERY_CHARS)
        return lp_fail_at(err, LP_INVALID, "query/query", "the search text is longer than %d",
                          QUERY_CHARS);
    if (!parse_range(lp_request_query(req, "range"), &from, &to, &ranged))
        return lp_fail_at(err, LP_INVALID, "query/range", "range start must be lower than end");
    if (from > OFFSET_MAX || to > OFFSET_MAX)
        return lp_fail_at(err, LP_INVALID, "query/range", "a range reaches to %d at most",
                          OFFSET_MAX);
    search = lp_arena_alloc(req->arena, sizeof *search);
    if (search == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the search");
    search->arena = req->arena;
    search->catalog = req->api->services.catalog;
    search->dialect = lp_store_dialect(req->api->services.store);
    search->is_common = is_common;
    search->arg = req;
    rc = lp_search_parse(query, search, err);
    if (rc == LP_OK)
        rc = begin_search(req, search, err);
    if (rc != LP_OK) {
        lp_buf_free(&search->sql);
        return rc;
    }
    rc = search_rows(req, search, ranged ? from : 0, ranged ? to - from : PAGE, out, err);
    if (rc == LP_OK && ranged
        && !total_from_page(search, from, to - from, (int64_t)json_array_size(*out), &total))
        rc = search_total(req, search, &total, err);
    end_search(req, search);
    if (rc == LP_OK && ranged)
        range_header(req, "subscriptions", from, to, total, total >= TOTAL_MAX);
    lp_buf_free(&search->sql);
    return rc;
}
