#include "engine/operate.h"

#include <string.h>

#include "engine/internal.h"

static json_t *
seconds(const struct lp_rows *rows, size_t row, const char *column)
{
    return lp_rows_null(rows, row, column)
               ? json_null()
               : json_real((double)lp_rows_int(rows, row, column) / 1e6);
}

static json_t *
text_or_null(const struct lp_rows *rows, size_t row, const char *column)
{
    const char *text = lp_rows_text(rows, row, column);

    return text == NULL ? json_null() : json_string(text);
}

/** ",a,b," as ["a","b"]. */
static json_t *
words(const char *text)
{
    json_t *list = json_array();

    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, ",");

        if (len > 0 && text[0] != '[')
            json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    return list;
}

/* Whoever owns the file for itself writes a lease without end. */
static json_t *
lease_left(int64_t expires, int64_t now)
{
    int64_t left = expires - now;

    return left > INT64_C(365) * 86400 * 1000000 ? json_null() : json_real((double)left / 1e6);
}

static json_t *
executor(const struct lp_rows *rows, size_t i)
{
    int64_t now = lp_rows_int(rows, i, "now"), expires = lp_rows_int(rows, i, "expires_at");
    bool retired = !lp_rows_null(rows, i, "retired_at");
    const char *state = retired ? "retired" : expires > now ? "live" : "lost";
    json_t *roles = json_pack("[s]", "executor");

    if (lp_rows_int(rows, i, "schedules") > 0)
        json_array_append_new(roles, json_string("scheduler"));
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:I}", "name",
        lp_rows_text(rows, i, "name"), "incarnation", lp_rows_text(rows, i, "incarnation"), "host",
        lp_rows_text(rows, i, "host"), "labels", words(lp_rows_text(rows, i, "labels")), "roles",
        roles, "version", lp_rows_text(rows, i, "version"), "threads",
        (json_int_t)lp_rows_int(rows, i, "threads"), "state", state, "drained",
        !lp_rows_null(rows, i, "drained_by"), "drained_by", text_or_null(rows, i, "drained_by"),
        "drain_reason", text_or_null(rows, i, "drain_reason"), "started_at",
        seconds(rows, i, "started_at"), "renewed_at", seconds(rows, i, "renewed_at"),
        "lease_left_s", lease_left(expires, now), "claims",
        (json_int_t)lp_rows_int(rows, i, "claims"));
}

enum lp_code
lp_operate_executors(struct lp_store *store, bool all, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(store, LP_SQL_OP_EXECUTORS, LP_ARGS(lp_int("all", all)), &rows, err);

    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        if (json_array_append_new(*out, executor(rows, i)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the list of executors");
    lp_rows_free(rows);
    return rc;
}

/* ---- the report ---- */

static double
age_s(int64_t now, int64_t then)
{
    return now > then ? (double)(now - then) / 1e6 : 0.0;
}

static enum lp_code
add_queue(struct lp_store *store, int64_t now, json_t *report, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *labels = json_array();
    int64_t depth = 0, oldest = now;
    enum lp_code rc = lp_query(store, LP_SQL_OP_QUEUE, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        int64_t then = lp_rows_int(rows, i, "oldest");

        depth += lp_rows_int(rows, i, "n");
        oldest = then < oldest ? then : oldest;
        json_array_append_new(labels, json_pack("{s:s, s:b, s:I, s:f, s:I}", "label",
                                                lp_rows_text(rows, i, "label"), "is_task",
                                                lp_rows_int(rows, i, "is_task") != 0, "depth",
                                                (json_int_t)lp_rows_int(rows, i, "n"),
                                                "oldest_seconds", age_s(now, then), "executors",
                                                (json_int_t)lp_rows_int(rows, i, "executors")));
    }
    lp_rows_free(rows);
    json_object_set_new(report, "queue",
                        json_pack("{s:I, s:f, s:o}", "depth", (json_int_t)depth, "oldest_seconds",
                                  age_s(now, oldest), "labels", labels));
    return rc;
}

static enum lp_code
add_waiting(struct lp_store *store, int64_t now, json_t *report, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *list = json_array();
    enum lp_code rc = lp_query(store, LP_SQL_OP_WAITING, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:f}", "kind", lp_rows_text(rows, i, "kind"), "label",
                            lp_rows_text(rows, i, "label"), "count",
                            (json_int_t)lp_rows_int(rows, i, "n"), "oldest_seconds",
                            age_s(now, lp_rows_int(rows, i, "oldest"))));
    lp_rows_free(rows);
    json_object_set_new(report, "waiting", list);
    return rc;
}

static enum lp_code
add_leases(struct lp_store *store, json_t *report, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *list = json_array();
    enum lp_code rc = lp_query(store, LP_SQL_OP_LEASES, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        int64_t now = lp_rows_int(rows, i, "now"), expires = lp_rows_int(rows, i, "expires_at");

        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:I, s:o, s:b, s:o}", "name",
                                              lp_rows_text(rows, i, "name"), "owner",
                                              lp_rows_text(rows, i, "owner"), "executor",
                                              text_or_null(rows, i, "executor"), "host",
                                              text_or_null(rows, i, "host"), "epoch",
                                              (json_int_t)lp_rows_int(rows, i, "epoch"), "taken_at",
                                              seconds(rows, i, "taken_at"), "held", expires > now,
                                              "lease_left_s", lease_left(expires, now)));
    }
    lp_rows_free(rows);
    json_object_set_new(report, "leases", list);
    return rc;
}

static enum lp_code
add_executors(struct lp_store *store, json_t *report, struct lp_err *err)
{
    json_auto_t *list = NULL;
    json_int_t live = 0, lost = 0, drained = 0;
    size_t i;
    json_t *row;
    enum lp_code rc = lp_operate_executors(store, false, &list, err);

    json_array_foreach(list, i, row)
    {
        bool is_live = strcmp(lp_json_str(row, "state", ""), "live") == 0;

        live += is_live;
        lost += !is_live;
        drained += is_live && lp_json_true(row, "drained");
    }
    json_object_set_new(
        report, "executors",
        json_pack("{s:I, s:I, s:I}", "live", live, "lost", lost, "drained", drained));
    return rc;
}

enum lp_code
lp_operate_report(struct lp_store *store, json_t **out, struct lp_err *err)
{
    json_auto_t *report = json_object();
    int64_t now = 0;
    enum lp_code rc = lp_store_now(store, &now, err);

    if (rc == LP_OK)
        rc = add_queue(store, now, report, err);
    if (rc == LP_OK)
        rc = add_waiting(store, now, report, err);
    if (rc == LP_OK)
        rc = add_leases(store, report, err);
    if (rc == LP_OK)
        rc = add_executors(store, report, err);
    if (rc == LP_OK)
        *out = lp_json_take(&report);
    return rc;
}
