/* Plans, approvals, what was applied, and the evidence of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/devices.h"

enum { CHUNK = 500 };

json_t *lp_device_time(int64_t us);

/* ---- storing ---- */

static enum lp_code
canonical(const json_t *value, struct lp_buf *all, char **text, struct lp_err *err)
{
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(value, text, &len, err);

    if (rc == LP_OK) {
        lp_buf_add(all, *text, len);
        lp_buf_char(all, '\n');
    }
    return rc;
}

/** Queues operation rows under a hash that is known only once all of them were written out. */
static enum lp_code
hash_plan(const json_t *header, const json_t *operations, struct lp_buf *all, char **head,
          char **texts, struct lp_err *err)
{
    enum lp_code rc = canonical(header, all, head, err);

    for (size_t i = 0; rc == LP_OK && i < json_array_size(operations); i++)
        rc = canonical(json_array_get(operations, i), all, &texts[i], err);
    if (rc == LP_OK && all->failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for a plan");
    return rc;
}

enum lp_code
lp_plan_add(struct lp_unit *unit, const json_t *header, const json_t *operations, int64_t now_us,
            char hash[static 65], struct lp_err *err)
{
    size_t count = json_array_size(operations);
    char **texts = calloc(count + 1, sizeof *texts), *head = NULL;
    struct lp_buf all = LP_BUF_INIT;
    enum lp_code rc = texts == NULL ? lp_fail(err, LP_NOMEM, "no memory for a plan")
                                    : hash_plan(header, operations, &all, &head, texts, err);

    if (rc == LP_OK) {
        lp_sha256_hex(all.data, all.len, hash);
        lp_unit_add(unit, LP_SQL_PLAN_ADD,
                    LP_ARGS(lp_text("hash", hash), lp_text("doc", head),
                            lp_int("operations", count), lp_int("bytes", all.len),
                            lp_int("now", now_us)));
        for (size_t i = 0; i < count; i++)
            lp_unit_add(unit, LP_SQL_PLAN_OPERATION_ADD,
                        LP_ARGS(lp_text("hash", hash), lp_int("n", i), lp_text("doc", texts[i])));
    }
    for (size_t i = 0; texts != NULL && i < count; i++)
        free(texts[i]);
    free(texts);
    free(head);
    lp_buf_free(&all);
    return rc;
}

/* ---- reading ---- */

static enum lp_code
doc_of(const struct lp_rows *rows, size_t row, const char *column, json_t **out, struct lp_err *err)
{
    const char *text = lp_rows_text(rows, row, column);
    enum lp_code rc = lp_json_load(text, strlen(text), out, err);

    if (rc != LP_OK) {
        err->code = rc = LP_STORE;
        lp_err_prefix(err, "a stored document cannot be read: ");
    }
    return rc;
}

enum lp_code
lp_plan_operation(struct lp_store *store, const char *hash, int64_t n, json_t **op,
                  struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(store, LP_SQL_PLAN_OPERATION_GET,
                               LP_ARGS(lp_text("hash", hash), lp_int("n", n)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "plan %.16s has no operation %lld", hash, (long long)n);
    if (rc == LP_OK)
        rc = doc_of(rows, 0, "doc", op, err);
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
add_operations(struct lp_store *store, const char *hash, json_t *list, struct lp_err *err)
{
    size_t got = CHUNK;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && got == CHUNK) {
        struct lp_rows *rows = NULL;

        rc = lp_query(store, LP_SQL_PLAN_OPERATIONS,
                      LP_ARGS(lp_text("hash", hash), lp_int("from", json_array_size(list)),
                              lp_int("most", CHUNK)),
                      &rows, err);
        got = rc == LP_OK ? lp_rows_count(rows) : 0;
        for (size_t i = 0; rc == LP_OK && i < got; i++) {
            json_t *op = NULL;

            rc = doc_of(rows, i, "doc", &op, err);
            if (rc == LP_OK)
                json_array_append_new(list, op);
        }
        lp_rows_free(rows);
    }
    return rc;
}

enum lp_code
lp_plan_load(struct lp_store *store, const char *hash, json_t **plan, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *doc = NULL;
    enum lp_code rc = lp_query(store, LP_SQL_PLAN_GET, LP_ARGS(lp_text("hash", hash)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "there is no plan %.64s", hash);
    if (rc == LP_OK)
        rc = doc_of(rows, 0, "doc", &doc, err);
    lp_rows_free(rows);
    if (rc != LP_OK)
        return rc;
    lp_json_set_str(doc, "hash", hash);
    json_object_set_new(doc, "operations", json_array());
    rc = add_operations(store, hash, json_object_get(doc, "operations"), err);
    if (rc == LP_OK)
        *plan = lp_json_take(&doc);
    return rc;
}

static enum lp_code
count_operations(struct lp_store *store, struct lp_process_plan *plan, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_PLAN_GET, LP_ARGS(lp_text("hash", plan->hash)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_STORE, "plan %.16s is not stored", plan->hash);
    if (rc == LP_OK)
        plan->operations = lp_rows_int(rows, 0, "operations");
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_process_plans(struct lp_store *store, const char *process_id, struct lp_process_plan **plans,
                 size_t *count, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_PROCESS_PLANS, LP_ARGS(lp_text("process", process_id)), &rows, err);
    struct lp_process_plan *list;

    *plans = NULL;
    *count = 0;
    if (rc != LP_OK)
        return rc;
    list = calloc(lp_rows_count(rows) + 1, sizeof *list);
    if (list == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the plans of a process");
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        list[i] = (struct lp_process_plan){
            .n = lp_rows_int(rows, i, "n"),
            .begin_at = lp_rows_int(rows, i, "begin_at"),
            .created_at = lp_rows_int(rows, i, "created_at"),
            .refused = strcmp(lp_rows_text(rows, i, "status"), "refused") == 0};
        snprintf(list[i].hash, sizeof list[i].hash, "%s", lp_rows_text(rows, i, "hash"));
        rc = count_operations(store, &list[i], err);
    }
    if (rc == LP_OK) {
        *plans = list;
        *count = lp_rows_count(rows);
    } else {
        free(list);
    }
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_plan_approval(struct lp_store *store, const char *process_id, const char *hash, int64_t *at_us,
                 char actor[static 128], struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_PLAN_APPROVALS, LP_ARGS(lp_text("process", process_id)), &rows, err);

    *at_us = 0;
    actor[0] = '\0';
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        if (strcmp(lp_rows_text(rows, i, "hash"), hash) == 0) {
            *at_us = lp_rows_int(rows, i, "at");
            snprintf(actor, 128, "%s", lp_rows_text(rows, i, "actor"));
        }
    lp_rows_free(rows);
    return rc;
}

/* ---- everything about the plans of a process ---- */

/** Puts what was done beside the operation of the same sub-step. */
static enum lp_code
mark_applied(const struct lp_rows *applied, json_t *op, const char *key, struct lp_err *err)
{
    lp_json_set_str(op, "step", key);
    for (size_t i = 0; i < lp_rows_count(applied); i++) {
        json_t *report = NULL;
        enum lp_code rc;

        if (strcmp(lp_rows_text(applied, i, "step_key"), key) != 0)
            continue;
        rc = doc_of(applied, i, "report", &report, err);
        if (rc != LP_OK)
            return rc;
        json_object_set_new(
            op, "applied",
            json_pack("{s:b, s:o, s:o}", "changed", (int)lp_rows_int(applied, i, "changed"), "at",
                      lp_device_time(lp_rows_int(applied, i, "at")), "report", report));
    }
    return LP_OK;
}

static void
mark_approved(const struct lp_rows *approvals, json_t *plan, const char *hash)
{
    for (size_t i = 0; i < lp_rows_count(approvals); i++)
        if (strcmp(lp_rows_text(approvals, i, "hash"), hash) == 0)
            json_object_set_new(plan, "approval",
                                json_pack("{s:s, s:s?, s:o}", "actor",
                                          lp_rows_text(approvals, i, "actor"), "comment",
                                          lp_rows_text(approvals, i, "comment"), "at",
                                          lp_device_time(lp_rows_int(approvals, i, "at"))));
}

static enum lp_code
plan_json(struct lp_store *store, const struct lp_process_plan *plan, const struct lp_rows *applied,
          const struct lp_rows *approvals, json_t *list, struct lp_err *err)
{
    json_t *doc = NULL, *op;
    char key[40];
    size_t i;
    enum lp_code rc = lp_plan_load(store, plan->hash, &doc, err);

    if (rc != LP_OK)
        return rc;
    json_array_append_new(list, doc);
    lp_json_set_int(doc, "n", plan->n);
    lp_json_set_str(doc, "status", plan->refused ? "refused" : "planned");
    json_object_set_new(doc, "created_at", lp_device_time(plan->created_at));
    mark_approved(approvals, doc, plan->hash);
    json_array_foreach(json_object_get(doc, "operations"), i, op)
    {
        snprintf(key, sizeof key, "apply/%lld", (long long)plan->begin_at + (long long)i);
        rc = mark_applied(applied, op, key, err);
        if (rc != LP_OK)
            return rc;
    }
    return LP_OK;
}

/* {element: {"at","id"?,"refused"?,"changes"?}}: steps/rollback.c keeps them beside the operations.
 */
static enum lp_code
rollback_points(const struct lp_rows *applied, json_t *out, struct lp_err *err)
{
    static const char *const kinds[] = {"rollback-point", "rollback-diff"};

    for (size_t k = 0; k < LP_COUNT(kinds); k++)
        for (size_t i = 0; i < lp_rows_count(applied); i++) {
            const char *element = lp_rows_text(applied, i, "element_id");
            json_auto_t *report = NULL;
            json_t *entry = json_object_get(out, element);
            enum lp_code rc;

            if (strcmp(lp_rows_text(applied, i, "op_id"), kinds[k]) != 0)
                continue;
            rc = doc_of(applied, i, "report", &report, err);
            if (rc != LP_OK)
                return rc;
            if (entry == NULL) {
                entry = json_pack("{s:o}", "at", lp_device_time(lp_rows_int(applied, i, "at")));
                (void)json_object_set_new(out, element, entry);
            }
            (void)json_object_update(entry, report);
        }
    return LP_OK;
}

enum lp_code
lp_process_plans_json(struct lp_store *store, const char *process_id, json_t **out,
                      struct lp_err *err)
{
    struct lp_process_plan *plans = NULL;
    struct lp_rows *applied = NULL, *approvals = NULL;
    json_auto_t *list = json_array(), *points = json_object();
    size_t count = 0;
    enum lp_code rc = lp_process_plans(store, process_id, &plans, &count, err);

    if (rc == LP_OK && count == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "Process %.64s has no plan (yet)", process_id);
    if (rc == LP_OK)
        rc = lp_query(store, LP_SQL_PLAN_APPLIED, LP_ARGS(lp_text("process", process_id)), &applied,
                      err);
    if (rc == LP_OK)
        rc = lp_query(store, LP_SQL_PLAN_APPROVALS, LP_ARGS(lp_text("process", process_id)),
                      &approvals, err);
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        rc = plan_json(store, &plans[i], applied, approvals, list, err);
    if (rc == LP_OK)
        rc = rollback_points(applied, points, err);
    if (rc == LP_OK)
        *out = json_pack("{s:s, s:O, s:O}", "process_id", process_id, "plans", list,
                         "rollback_points", points);
    lp_rows_free(applied);
    lp_rows_free(approvals);
    free(plans);
    return rc;
}

/* ---- evidence ---- */

static json_t *
exchange_json(const struct lp_rows *rows, size_t i)
{
    return json_pack(
        "{s:s, s:I, s:I, s:s, s:s, s:s, s:s?, s:s, s:b, s:o, s:f}", "step",
        lp_rows_text(rows, i, "step_key"), "attempt", (json_int_t)lp_rows_int(rows, i, "attempt"),
        "n", (json_int_t)lp_rows_int(rows, i, "n"), "element_id",
        lp_rows_text(rows, i, "element_id"), "protocol", lp_rows_text(rows, i, "protocol"), "sent",
        lp_rows_text(rows, i, "sent"), "received", lp_rows_text(rows, i, "received"), "outcome",
        lp_rows_text(rows, i, "outcome"), "writes", (int)lp_rows_int(rows, i, "writes"), "at",
        lp_device_time(lp_rows_int(rows, i, "at")), "took_ms",
        (double)lp_rows_int(rows, i, "took_us") / 1000.0);
}

static bool
cursor_of(const char *text, int64_t *at, int64_t *n)
{
    char *end;

    *at = *n = 0;
    if (text == NULL || *text == '\0')
        return true;
    *at = strtoll(text, &end, 10);
    if (end == text || *end != '.')
        return false;
    text = end + 1;
    *n = strtoll(text, &end, 10);
    return end != text && *end == '\0';
}

enum lp_code
lp_evidence_json(struct lp_store *store, const char *process_id, const char *cursor, int64_t limit,
                 json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *list;
    char next[64];
    int64_t at, n;
    size_t count;
    enum lp_code rc;

    if (!cursor_of(cursor, &at, &n))
        return lp_fail_at(err, LP_INVALID, "query/cursor", "'%.100s' is no cursor of this list",
                          cursor);
    rc = lp_query(store, LP_SQL_EVIDENCE_OF,
                  LP_ARGS(lp_text("process", process_id), lp_int("at", at), lp_int("n", n),
                          lp_int("most", limit)),
                  &rows, err);
    if (rc != LP_OK)
        return rc;
    count = lp_rows_count(rows);
    list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, exchange_json(rows, i));
    if (count > 0)
        snprintf(next, sizeof next, "%lld.%lld", (long long)lp_rows_int(rows, count - 1, "at"),
                 (long long)lp_rows_int(rows, count - 1, "n"));
    *out = json_pack("{s:s, s:o, s:s?}", "process_id", process_id, "exchanges", list, "next",
                     count > 0 && (int64_t)count == limit ? next : NULL);
    lp_rows_free(rows);
    return LP_OK;
}
