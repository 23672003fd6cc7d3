/* What a message says: for people in a few lines, for programs as one JSON object. */
#include "scheduler/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "store/notices.h"

static json_t *
text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string(text);
}

json_t *
lp_message_notice(const struct lp_rows *rows, size_t row)
{
    static const char *const members[] = {"workflow", "step",     "reason", "actor",
                                          "ticket",   "executor", "host"};
    const char *kind = lp_rows_text(rows, row, "kind");
    json_auto_t *doc = json_loads(lp_rows_text(rows, row, "doc"), 0, NULL);
    char *summary = lp_notice_summary(kind, doc);
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o}", "notification_id",
                  lp_rows_text(rows, row, "id"), "kind", kind, "severity",
                  lp_rows_text(rows, row, "severity"), "summary", summary == NULL ? kind : summary,
                  "at", (double)lp_rows_int(rows, row, "created_at") / 1e6, "process_id",
                  text_or_null(lp_rows_text(rows, row, "process_id")), "subscription_id",
                  text_or_null(lp_rows_text(rows, row, "subscription_id")), "product",
                  text_or_null(lp_rows_text(rows, row, "product")), "customer_id",
                  text_or_null(lp_rows_text(rows, row, "customer_id")), "description",
                  text_or_null(lp_rows_text(rows, row, "description")));

    for (size_t i = 0; i < LP_COUNT(members); i++)
        if (json_object_get(doc, members[i]) != NULL)
            json_object_set(out, members[i], json_object_get(doc, members[i]));
    free(summary);
    return out;
}

static void
line(struct lp_buf *out, const char *name, const json_t *notice, const char *key)
{
    const char *text = lp_json_str(notice, key, NULL);

    if (text != NULL && text[0] != '\0')
        lp_buf_printf(out, "%-13s %s\n", name, text);
}

static void
when(struct lp_buf *out, double at)
{
    time_t seconds = (time_t)at;
    struct tm tm;
    char text[40] = "";

    if (gmtime_r(&seconds, &tm) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm);
    lp_buf_printf(out, "%-13s %s\n", "At", text);
}

void
lp_message_text(struct lp_buf *out, const json_t *notice)
{
    lp_buf_printf(out, "%s\n\n", lp_json_str(notice, "summary", ""));
    line(out, "Severity", notice, "severity");
    when(out, json_number_value(json_object_get(notice, "at")));
    line(out, "Process", notice, "process_id");
    line(out, "Workflow", notice, "workflow");
    line(out, "Subscription", notice, "description");
    line(out, "", notice, "subscription_id");
    line(out, "Product", notice, "product");
    line(out, "Executor", notice, "executor");
    line(out, "Host", notice, "host");
    line(out, "Started by", notice, "actor");
    line(out, "Ticket", notice, "ticket");
    if (lp_json_str(notice, "process_id", NULL) != NULL)
        lp_buf_printf(out, "\nlightpath process show %s\n", lp_json_str(notice, "process_id", ""));
}

void
lp_message_digest_text(struct lp_buf *out, const json_t *digest)
{
    size_t i;
    json_t *row;

    lp_buf_printf(out, "%s\n\n", lp_json_str(digest, "summary", ""));
    json_array_foreach(json_object_get(digest, "counts"), i, row)
    {
        lp_buf_printf(out, "%6lld  %s\n", (long long)lp_json_int(row, "count", 0),
                      lp_json_str(row, "kind", ""));
    }
    lp_buf_str(out, "\n");
    json_array_foreach(json_object_get(digest, "items"), i, row)
    {
        lp_buf_printf(out, "%s  %s\n", lp_json_str(row, "process_id", ""),
                      lp_json_str(row, "summary", ""));
    }
    if (lp_json_int(digest, "more", 0) > 0)
        lp_buf_printf(out, "and %lld more\n", (long long)lp_json_int(digest, "more", 0));
}
