#include "store/notices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

enum { LONGEST_TEXT = 600 };

static const char *const severities[] = {"info", "warning", "error", "critical"};

static const struct {
    const char *name;
    const char *severity;
} kinds[] = {
    [LP_NOTICE_FAILED] = {"process_failed", "error"},
    [LP_NOTICE_SUSPENDED] = {"process_suspended", "info"},
    [LP_NOTICE_APPROVAL] = {"approval_asked", "warning"},
    [LP_NOTICE_DRIFT] = {"drift_found", "error"},
    [LP_NOTICE_EXECUTOR_LOST] = {"executor_lost", "critical"},
    [LP_NOTICE_TEST] = {"test", "info"},
};
_Static_assert(LP_COUNT(kinds) == LP_NOTICE_KIND_COUNT, "a row for every kind");

const char *
lp_notice_kind_name(enum lp_notice_kind kind)
{
    return kinds[kind].name;
}

const char *
lp_notice_severity(enum lp_notice_kind kind)
{
    return kinds[kind].severity;
}

int
lp_severity_rank(const char *severity)
{
    for (size_t i = 0; severity != NULL && i < LP_COUNT(severities); i++)
        if (strcmp(severities[i], severity) == 0)
            return (int)i;
    return -1;
}

void
lp_notice_add(struct lp_unit *unit, const struct lp_notice *notice, const struct lp_clock *clock,
              char id[LP_UUID_LEN + 1])
{
    struct lp_uuid uuid = lp_uuid_v7(clock);
    char *doc = lp_json_text(notice->doc);

    if (doc == NULL)
        abort(); /* like lp_unit_add: nothing worth telling is lost quietly */
    lp_unit_add(unit, LP_SQL_NOTICE_INSERT,
                LP_ARGS(lp_text("id", uuid.text), lp_text("kind", kinds[notice->kind].name),
                        lp_text("severity", kinds[notice->kind].severity),
                        lp_text("process_id", notice->process_id),
                        lp_text("subscription_id", notice->subscription_id), lp_text("doc", doc),
                        lp_text("dedupe", notice->dedupe), lp_int("now", lp_clock_utc_us(clock))));
    free(doc);
    if (id != NULL)
        memcpy(id, uuid.text, LP_UUID_LEN + 1);
}

/* ---- words ---- */

/** A member's text, cut at a whole character. */
static void
add_text(struct lp_buf *out, const json_t *doc, const char *key, size_t most)
{
    char text[LONGEST_TEXT];

    lp_utf8_copy(text, most < sizeof text ? most : sizeof text, lp_json_str(doc, key, "?"));
    lp_buf_str(out, text);
}

static bool
has_text(const json_t *doc, const char *key)
{
    return lp_json_str(doc, key, "")[0] != '\0';
}

static void
add_stand(struct lp_buf *out, const json_t *doc, const char *words)
{
    add_text(out, doc, "workflow", 100);
    lp_buf_printf(out, " %s", words);
    if (has_text(doc, "step")) {
        lp_buf_str(out, " at '");
        add_text(out, doc, "step", 200);
        lp_buf_char(out, '\'');
    }
    if (has_text(doc, "reason")) {
        lp_buf_str(out, ": ");
        add_text(out, doc, "reason", LONGEST_TEXT);
    }
}

static void
add_lost(struct lp_buf *out, const json_t *doc)
{
    long long claims = (long long)lp_json_int(doc, "claims", 0);

    lp_buf_str(out, "executor ");
    add_text(out, doc, "executor", 100);
    lp_buf_str(out, " on ");
    add_text(out, doc, "host", 100);
    lp_buf_printf(out, " is lost; it held %lld process%s", claims, claims == 1 ? "" : "es");
}

char *
lp_notice_summary(const char *kind, const json_t *doc)
{
    static const struct {
        enum lp_notice_kind kind;
        const char *words;
    } stood[] = {
        {LP_NOTICE_FAILED, "failed"},
        {LP_NOTICE_SUSPENDED, "waits for input"},
        {LP_NOTICE_APPROVAL, "waits for approval"},
        {LP_NOTICE_DRIFT, "found something else than what was ordered"},
    };
    struct lp_buf out = LP_BUF_INIT;

    for (size_t i = 0; i < LP_COUNT(stood); i++)
        if (strcmp(kind, kinds[stood[i].kind].name) == 0)
            add_stand(&out, doc, stood[i].words);
    if (strcmp(kind, kinds[LP_NOTICE_EXECUTOR_LOST].name) == 0)
        add_lost(&out, doc);
    if (strcmp(kind, kinds[LP_NOTICE_TEST].name) == 0) {
        lp_buf_str(&out, "a test, asked for by ");
        add_text(&out, doc, "actor", 100);
    }
    if (out.len == 0)
        lp_buf_printf(&out, "%s", kind);
    return lp_buf_take(&out);
}

/* ---- the log ---- */

static json_t *
seconds(const struct lp_rows *rows, size_t row, const char *column)
{
    return lp_rows_null(rows, row, column)
               ? json_null()
               : json_real((double)lp_rows_int(rows, row, column) / 1e6);
}

static json_t *
text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

static json_t *
delivery(const struct lp_rows *rows, size_t i)
{
    const char *kind = lp_rows_text(rows, i, "kind"), *doc_text = lp_rows_text(rows, i, "doc");
    const char *status = lp_rows_text(rows, i, "status");
    json_auto_t *doc = doc_text == NULL ? NULL : json_loads(doc_text, 0, NULL);
    char *summary = lp_notice_summary(kind == NULL ? "" : kind, doc);
    bool open = strcmp(status, "pending") == 0;
    json_t *row = json_pack(
        "{s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
        lp_rows_text(rows, i, "id"), "notification_id", lp_rows_text(rows, i, "notice_id"), "kind",
        text_or_null(kind), "severity", text_or_null(lp_rows_text(rows, i, "severity")), "summary",
        summary == NULL ? "" : summary, "target", lp_rows_text(rows, i, "target"), "form",
        lp_rows_text(rows, i, "form"), "status", status, "attempts",
        (json_int_t)lp_rows_int(rows, i, "attempts"), "next_at",
        open ? seconds(rows, i, "next_at") : json_null(), "error",
        text_or_null(lp_rows_text(rows, i, "error")), "created_at", seconds(rows, i, "created_at"),
        "ended_at", seconds(rows, i, "ended_at"), "process_id",
        text_or_null(lp_rows_text(rows, i, "process_id")), "subscription_id",
        text_or_null(lp_rows_text(rows, i, "subscription_id")));

    free(summary);
    return row;
}

enum lp_code
lp_delivery_list(struct lp_store *store, const char *status, const char *notice_id, int64_t limit,
                 json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    if (notice_id != NULL)
        rc = lp_query(store, LP_SQL_DELIVERY_OF_NOTICE, LP_ARGS(lp_text("id", notice_id)), &rows,
                      err);
    else if (status != NULL)
        rc = lp_query(store, LP_SQL_DELIVERY_LIST_STATUS,
                      LP_ARGS(lp_text("status", status), lp_int("most", limit)), &rows, err);
    else
        rc = lp_query(store, LP_SQL_DELIVERY_LIST, LP_ARGS(lp_int("most", limit)), &rows, err);
    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        if (json_array_append_new(*out, delivery(rows, i)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the list");
    lp_rows_free(rows);
    return rc;
}
