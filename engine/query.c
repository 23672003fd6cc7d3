/* Read models of processes in wire form (http-api 1.2 and 1.3). Lists read the head rows only
 * (W16); the detail folds the log once. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/internal.h"

#define LINK_PAGE 50 /* processes whose subscriptions are read at once */

/* ---- small pieces ---- */

static json_t *
text_or_null(const struct lp_rows *rows, size_t i, const char *column)
{
    return lp_rows_null(rows, i, column) ? json_null() : json_string(lp_rows_text(rows, i, column));
}

static json_t *
time_or_null(const struct lp_rows *rows, size_t i, const char *column)
{
    return lp_rows_null(rows, i, column) ? json_null()
                                         : json_real((double)lp_rows_int(rows, i, column) / 1e6);
}

/* A stored document, or its text when it cannot be read. */
static json_t *
doc_or_null(const struct lp_rows *rows, size_t i, const char *column)
{
    const char *text = lp_rows_text(rows, i, column);
    json_t *doc = text == NULL ? json_null() : json_loads(text, JSON_DECODE_ANY, NULL);

    return doc == NULL ? json_string(text) : doc;
}

/* Which column becomes which member, and how. */
struct member {
    const char *name, *column;
    json_t *(*make)(const struct lp_rows *rows, size_t i, const char *column);
};

static json_t *
flag(const struct lp_rows *rows, size_t i, const char *column)
{
    return json_boolean(lp_rows_int(rows, i, column) != 0);
}

static json_t *
number(const struct lp_rows *rows, size_t i, const char *column)
{
    return json_integer((json_int_t)lp_rows_int(rows, i, column));
}

static json_t *
nothing(const struct lp_rows *rows, size_t i, const char *column)
{
    (void)rows;
    (void)i;
    (void)column;
    return json_null();
}

static json_t *
object_of(const struct member *members, size_t count, const struct lp_rows *rows, size_t i)
{
    json_t *object = json_object();

    for (size_t m = 0; m < count; m++)
        json_object_set_new(object, members[m].name, members[m].make(rows, i, members[m].column));
    return object;
}

static json_t *
array_of(const struct member *members, size_t count, const struct lp_rows *rows)
{
    json_t *list = json_array();

    for (size_t i = 0; i < lp_rows_count(rows); i++)
        json_array_append_new(list, object_of(members, count, rows, i));
    return list;
}

/* ---- processes ---- */

static const char process_select[] =
    "SELECT p.id, p.workflow_id, p.workflow, p.is_task, p.created_by, p.failed_reason, "
    "p.created_at, p.status, p.last_step, p.last_key, p.assignee, p.modified_at, p.target, p.note, "
    "p.ticket, p.reason, p.parent_id, p.wait_kind, p.wait_reason, p.wake_at, p.correlation_id, "
    "p.definition_hash, p.dry_run FROM processes p";

static const struct member process_members[] = {
    {"process_id", "id", text_or_null},
    {"workflow_id", "workflow_id", text_or_null},
    {"workflow_name", "workflow", text_or_null},
    {"is_task", "is_task", flag},
    {"created_by", "created_by", text_or_null},
    {"failed_reason", "failed_reason", text_or_null},
    {"started_at", "created_at", time_or_null},
    {"last_status", "status", text_or_null},
    {"last_step", "last_step", text_or_null},
    {"assignee", "assignee", text_or_null},
    {"last_modified_at", "modified_at", time_or_null},
    {"traceback", "", nothing},
    {"product_id", "", nothing},
    {"customer_id", "", nothing},
    {"workflow_target", "target", text_or_null},
    {"subscriptions", "", nothing},
    {"current_state", "", nothing},
    {"steps", "", nothing},
    {"form", "", nothing},
    {"note", "note", text_or_null},
    {"ticket", "ticket", text_or_null},
    {"reason", "reason", text_or_null},
    {"parent_id", "parent_id", text_or_null},
    {"wait_kind", "wait_kind", text_or_null},
    {"wait_reason", "wait_reason", text_or_null},
    {"wake_at", "wake_at", time_or_null},
    {"correlation_id", "correlation_id", text_or_null},
    {"dry_run", "dry_run", flag},
};

static const char link_select[] =
    "SELECT l.process_id, s.id, s.start_date, s.description, s.status, s.product_id, s.product, "
    "s.customer_id, s.insync, s.note, s.end_date, s.version, c.description AS product_description, "
    "c.status AS product_status FROM process_subscriptions l "
    "JOIN subscriptions s ON s.id = l.subscription_id "
    "LEFT JOIN catalog_texts c ON c.kind = 'product' AND c.id = s.product_id "
    "WHERE l.process_id IN (";

static const struct member subscription_members[] = {
    {"subscription_id", "id", text_or_null},
    {"start_date", "start_date", time_or_null},
    {"description", "description", text_or_null},
    {"status", "status", text_or_null},
    {"product_id", "product_id", text_or_null},
    {"customer_id", "customer_id", text_or_null},
    {"insync", "insync", flag},
    {"note", "note", text_or_null},
    {"name", "", nothing},
    {"end_date", "end_date", time_or_null},
    {"product", "", nothing},
    {"customer_descriptions", "", nothing},
    {"tag", "", nothing},
    {"version", "version", number},
};

/* The short form of the product inside a subscription of a process. */
static json_t *
product_json(const struct lp_engine *engine, const struct lp_rows *rows, size_t i)
{
    const struct lp_product_type *type =
        lp_catalog_product_by_id(engine->catalog, lp_rows_text(rows, i, "product_id"));
    const char *description = lp_rows_text(rows, i, "product_description");
    const char *status = lp_rows_text(rows, i, "product_status");

    if (description == NULL)
        description = type == NULL || type->description == NULL ? "" : type->description;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:n}", "product_id",
                     lp_rows_text(rows, i, "product_id"), "name", lp_rows_text(rows, i, "product"),
                     "description", description, "product_type", type == NULL ? "" : type->type,
                     "status", status == NULL ? "active" : status, "tag",
                     type == NULL || type->tag == NULL ? "" : type->tag, "created_at", "end_date");
}

static void
add_link(const struct lp_engine *engine, json_t *process, const struct lp_rows *rows, size_t i)
{
    json_t *links = json_object_get(process, "subscriptions");
    json_t *sub = object_of(subscription_members, LP_COUNT(subscription_members), rows, i);

    json_object_set_new(sub, "product", product_json(engine, rows, i));
    if (json_array_size(links) == 0) {
        json_object_set_new(process, "product_id", text_or_null(rows, i, "product_id"));
        json_object_set_new(process, "customer_id", text_or_null(rows, i, "customer_id"));
    }
    json_array_append_new(links, sub);
}

static json_t *
process_by_id(const json_t *list, size_t from, size_t to, const char *id)
{
    for (size_t i = from; i < to; i++) {
        json_t *process = json_array_get(list, i);

        if (strcmp(lp_json_str(process, "process_id", ""), id) == 0)
            return process;
    }
    return NULL;
}

/* Subscriptions of list[from..to) in one query. */
static enum lp_code
link_page(struct lp_engine *engine, json_t *list, size_t from, size_t to, struct lp_err *err)
{
    struct lp_buf sql = LP_BUF_INIT;
    struct lp_arg args[LINK_PAGE];
    char names[LINK_PAGE][24];
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    lp_buf_str(&sql, link_select);
    for (size_t i = from; i < to; i++) {
        char *name = names[i - from];

        snprintf(name, sizeof names[0], "p%zu", i - from);
        lp_buf_printf(&sql, "%s:%s", i == from ? "" : ", ", name);
        args[i - from] = lp_text(name, lp_json_str(json_array_get(list, i), "process_id", ""));
    }
    lp_buf_str(&sql, ") ORDER BY l.created_at, s.id");
    if (sql.failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for the list of processes");
    else
        rc = lp_query_text(engine->store, sql.data, args, to - from, &rows, err);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        json_t *process = process_by_id(list, from, to, lp_rows_text(rows, i, "process_id"));

        if (process != NULL)
            add_link(engine, process, rows, i);
    }
    lp_rows_free(rows);
    lp_buf_free(&sql);
    return rc;
}

/* Process objects without details, their subscriptions included. */
static enum lp_code
processes_of(struct lp_engine *engine, const struct lp_rows *rows, json_t **out, struct lp_err *err)
{
    json_auto_t *list = array_of(process_members, LP_COUNT(process_members), rows);
    size_t count = json_array_size(list);
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < count; i++)
        json_object_set_new(json_array_get(list, i), "subscriptions", json_array());
    for (size_t from = 0; rc == LP_OK && from < count; from += LINK_PAGE)
        rc =
            link_page(engine, list, from, from + LINK_PAGE < count ? from + LINK_PAGE : count, err);
    if (rc == LP_OK)
        *out = lp_json_take(&list);
    return rc;
}

enum lp_code
lp_engine_processes(struct lp_engine *engine, const struct lp_list_request *request, json_t **out,
                    struct lp_list_result *meta, struct lp_err *err)
{
    struct lp_list list = lp_list_processes;
    enum lp_code rc;

    list.select = process_select;
    rc = lp_list_query(engine->store, &list, request, meta, err);
    if (rc != LP_OK)
        return rc;
    rc = processes_of(engine, meta->rows, out, err);
    lp_rows_free(meta->rows);
    meta->rows = NULL;
    if (rc != LP_OK)
        lp_list_result_free(meta);
    return rc;
}

/* ---- the log of one process ---- */

/* Keys of now that are new or changed against before; objects are reduced to what changed in them.
 * New reference; empty = the same. */
static json_t *
changed_keys(const json_t *before, const json_t *now)
{
    json_t *delta = json_object();
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)now, key, value)
    {
        const json_t *old = json_object_get(before, key);

        if (old != NULL && lp_json_same(old, value))
            continue;
        if (json_is_object(old) && json_is_object(value))
            json_object_set_new(delta, key, changed_keys(old, value));
        else
            json_object_set(delta, key, value);
    }
    return delta;
}

static bool
holds_error(const char *status)
{
    return strcmp(status, "failed") == 0 || strcmp(status, "waiting") == 0;
}

/* One row of the log; state is folded on. */
static json_t *
step_json(const struct lp_rows *rows, size_t i, json_t *state)
{
    static const struct member members[] = {
        {"step_id", "step_id", text_or_null},
        {"key", "key", text_or_null},
        {"name", "title", text_or_null},
        {"status", "status", text_or_null},
        {"created_by", "created_by", text_or_null},
        {"executed", "completed_at", time_or_null},
        {"started", "started_at", time_or_null},
        {"completed", "completed_at", time_or_null},
        {"commit_hash", "", nothing},
        {"retries", "retries", number},
    };
    json_t *step = object_of(members, LP_COUNT(members), rows, i);
    json_auto_t *delta = json_loads(lp_rows_text(rows, i, "delta"), 0, NULL);
    json_auto_t *before = i == 0 ? json_object() : json_copy(state);

    if (holds_error(lp_rows_text(rows, i, "status")) && !lp_rows_null(rows, i, "error")) {
        json_t *error = doc_or_null(rows, i, "error");

        json_object_set(step, "state", error);
        json_object_set_new(step, "state_delta", error);
        return step;
    }
    lp_state_apply(state, delta);
    json_object_set_new(step, "state", json_copy(state));
    json_object_set_new(step, "state_delta", changed_keys(before, state));
    return step;
}

/* One flat entry per step that may have a row, groups opened. */
struct flat {
    json_t *list;     /* [[key, title]...] */
    const char *last; /* key the process stands at, or NULL */
    bool passed;
};

static void
add_pending(struct flat *flat, const struct lp_step *const *steps, size_t count, const char *prefix)
{
    for (size_t i = 0; i < count; i++) {
        struct lp_buf key = LP_BUF_INIT;

        lp_buf_printf(&key, "%s%s%s", prefix, prefix[0] == '\0' ? "" : "/", steps[i]->key);
        if (key.failed)
            continue;
        if (steps[i]->kind == LP_STEP_GROUP)
            add_pending(flat, steps[i]->steps, steps[i]->step_count, key.data);
        else if (flat->passed)
            json_array_append_new(
                flat->list,
                json_pack("{s:n, s:s, s:s, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n}", "step_id",
                          "key", key.data, "name", steps[i]->title, "status", "pending",
                          "created_by", "executed", "started", "completed", "commit_hash",
                          "retries", "state", "state_delta"));
        else if (strncmp(flat->last, key.data, key.len) == 0
                 && (flat->last[key.len] == '\0' || flat->last[key.len] == '/'))
            flat->passed = true; /* "key/3" of an each-step as well */
        lp_buf_free(&key);
    }
}

static enum lp_code
initial_doc(struct lp_reader *reader, const char *id, json_t **state, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_reader_query(reader, LP_SQL_QUERY_INITIAL, LP_ARGS(lp_text("id", id)), &rows, err);

    if (rc == LP_OK)
        *state = lp_rows_count(rows) == 0 ? json_object()
                                          : json_loads(lp_rows_text(rows, 0, "doc"), 0, NULL);
    if (rc == LP_OK && *state == NULL)
        rc = lp_fail(err, LP_STORE, "the initial state of process %s cannot be read", id);
    lp_rows_free(rows);
    return rc;
}

/* steps and current_state. */
static enum lp_code
add_log(struct lp_reader *reader, const char *id, json_t *process, struct lp_err *err)
{
    json_auto_t *state = NULL;
    struct lp_rows *rows = NULL;
    json_t *steps = json_array();
    enum lp_code rc = initial_doc(reader, id, &state, err);

    json_object_set_new(process, "steps", steps);
    if (rc == LP_OK)
        rc = lp_reader_query(reader, LP_SQL_QUERY_STEPS, LP_ARGS(lp_text("id", id)), &rows, err);
    if (rc == LP_OK) {
        for (size_t i = 0; i < lp_rows_count(rows); i++)
            json_array_append_new(steps, step_json(rows, i, state));
        json_object_set(process, "current_state", state);
    }
    lp_rows_free(rows);
    return rc;
}

/* The schema of the form the process stands at; null when there is none. A form that cannot be
 * built is logged, not fatal to the view. */
static void
add_form(struct lp_engine *engine, const struct lp_caller *caller, const struct lp_registered *reg,
         const char *last_key, json_t *process)
{
    const struct lp_step *step = last_key == NULL ? NULL : lp_registry_step(reg, last_key, NULL);
    struct lp_err err = LP_ERR_INIT;
    enum lp_process_status status;
    json_t *schema = NULL;

    if (step == NULL || step->kind != LP_STEP_INPUT
        || !lp_process_status_from_name(lp_json_str(process, "last_status", ""), &status)
        || !lp_process_resumable(status) || status == LP_PS_RESUMED)
        return;
    if (lp_form_first_schema(engine, caller, reg, step->form,
                             json_object_get(process, "current_state"), &schema, &err)
        != LP_OK)
        lp_log_err(engine->log, LP_LOG_WARN, "process.form", &err);
    lp_err_clear(&err);
    if (schema != NULL)
        json_object_set_new(process, "form", schema);
}

static void
add_definition(struct lp_engine *engine, const struct lp_caller *caller, const struct lp_rows *rows,
               json_t *process)
{
    const struct lp_registered *reg = lp_registry_find(engine, lp_rows_text(rows, 0, "workflow"));
    const char *last_key = lp_rows_text(rows, 0, "last_key");
    struct flat flat = {.list = json_object_get(process, "steps"), .last = last_key};
    enum lp_process_status status;

    json_object_set_new(
        process, "definition_changed",
        json_boolean(reg == NULL
                     || strcmp(reg->hash, lp_rows_text(rows, 0, "definition_hash")) != 0));
    if (reg == NULL || !lp_process_status_from_name(lp_rows_text(rows, 0, "status"), &status)
        || lp_process_final(status))
        return;
    flat.passed = last_key == NULL;
    if (last_key == NULL || strncmp(last_key, "undo:", 5) != 0)
        add_pending(&flat, reg->steps, reg->step_count, "");
    add_form(engine, caller, reg, last_key, process);
}

static enum lp_code
fail_unknown(const char *id, struct lp_err *err)
{
    return lp_fail(err, LP_NOT_FOUND, "Process with process_id %.64s not found", id);
}

enum lp_code
lp_engine_process(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
                  json_t **out, struct lp_err *err)
{
    struct lp_reader *reader = NULL;
    struct lp_rows *rows = NULL;
    json_auto_t *list = NULL;
    json_t *process = NULL;
    enum lp_code rc = lp_reader_open(engine->store, &reader, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_reader_query(reader, LP_SQL_QUERY_PROCESS, LP_ARGS(lp_text("id", id)), &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = fail_unknown(id, err);
    if (rc == LP_OK)
        list = array_of(process_members, LP_COUNT(process_members), rows);
    process = json_array_get(list, 0);
    if (rc == LP_OK)
        rc = add_log(reader, id, process, err);
    lp_reader_close(reader); /* the links and the form take their own connections */
    if (rc == LP_OK) {
        json_object_set_new(process, "subscriptions", json_array());
        rc = link_page(engine, list, 0, 1, err);
    }
    if (rc == LP_OK) {
        add_definition(engine, caller, rows, process);
        *out = json_incref(process);
    }
    lp_rows_free(rows);
    return rc;
}

/* ---- counts, more, todo ---- */

enum lp_code
lp_engine_status_counts(struct lp_engine *engine, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *processes = json_object(), *tasks = json_object();
    enum lp_code rc = lp_query(engine->store, LP_SQL_QUERY_STATUS_COUNTS, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        json_object_set_new(lp_rows_int(rows, i, "is_task") != 0 ? tasks : processes,
                            lp_rows_text(rows, i, "status"), number(rows, i, "n"));
    lp_rows_free(rows);
    *out = json_pack("{s:o, s:o}", "process_counts", processes, "task_counts", tasks);
    if (rc != LP_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

static const struct member attempt_members[] = {
    {"step", "step_key", text_or_null},
    {"n", "n", number},
    {"epoch", "epoch", number},
    {"executor", "executor", text_or_null},
    {"started", "started_at", time_or_null},
    {"ended", "ended_at", time_or_null},
    {"outcome", "outcome", text_or_null},
    {"error", "error", doc_or_null},
};
static const struct member input_members[] = {
    {"step", "step_key", text_or_null},
    {"n", "n", number},
    {"kind", "kind", text_or_null},
    {"input", "doc", doc_or_null},
    {"actor", "actor", text_or_null},
    {"created_at", "created_at", time_or_null},
    {"consumed_at", "consumed_at", time_or_null},
};
static const struct member request_members[] = {
    {"id", "id", text_or_null},         {"kind", "kind", text_or_null},
    {"actor", "actor", text_or_null},   {"ticket", "ticket", text_or_null},
    {"reason", "reason", text_or_null}, {"created_at", "created_at", time_or_null},
};
static const struct member child_members[] = {
    {"process_id", "id", text_or_null},         {"step", "parent_step", text_or_null},
    {"item", "parent_item", text_or_null},      {"workflow_name", "workflow", text_or_null},
    {"last_status", "status", text_or_null},    {"failed_reason", "failed_reason", text_or_null},
    {"started_at", "created_at", time_or_null}, {"last_modified_at", "modified_at", time_or_null},
};
static const struct member lock_members[] = {
    {"subscription_id", "subscription_id", text_or_null},
    {"description", "description", text_or_null},
    {"mode", "mode", text_or_null},
    {"taken_at", "taken_at", time_or_null},
};
static const struct member named_lock_members[] = {
    {"name", "name", text_or_null},
    {"taken_at", "taken_at", time_or_null},
};

static const struct {
    const char *name;
    enum lp_stmt stmt;
    const struct member *members;
    size_t count;
} more_lists[] = {
    {"attempts", LP_SQL_QUERY_ATTEMPTS, attempt_members, LP_COUNT(attempt_members)},
    {"inputs", LP_SQL_QUERY_INPUTS, input_members, LP_COUNT(input_members)},
    {"requests", LP_SQL_QUERY_REQUESTS, request_members, LP_COUNT(request_members)},
    {"children", LP_SQL_QUERY_CHILDREN, child_members, LP_COUNT(child_members)},
    {"locks", LP_SQL_QUERY_LOCKS, lock_members, LP_COUNT(lock_members)},
    {"named_locks", LP_SQL_QUERY_NAMED_LOCKS, named_lock_members, LP_COUNT(named_lock_members)},
};

static enum lp_code
add_more(struct lp_reader *reader, const char *id, json_t *more, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(more_lists); i++) {
        struct lp_rows *rows = NULL;

        rc = lp_reader_query(reader, more_lists[i].stmt, LP_ARGS(lp_text("id", id)), &rows, err);
        if (rc == LP_OK)
            json_object_set_new(more, more_lists[i].name,
                                array_of(more_lists[i].members, more_lists[i].count, rows));
        lp_rows_free(rows);
    }
    return rc;
}

enum lp_code
lp_engine_process_more(struct lp_engine *engine, const char *id, json_t **out, struct lp_err *err)
{
    struct lp_reader *reader = NULL;
    struct lp_rows *rows = NULL;
    json_auto_t *more = json_object();
    enum lp_code rc = lp_reader_open(engine->store, &reader, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_reader_query(reader, LP_SQL_QUERY_PROCESS, LP_ARGS(lp_text("id", id)), &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = fail_unknown(id, err);
    lp_rows_free(rows);
    if (rc == LP_OK)
        rc = add_more(reader, id, more, err);
    lp_reader_close(reader);
    if (rc == LP_OK)
        *out = lp_json_take(&more);
    return rc;
}

static const struct member drift_members[] = {
    {"subscription_id", "id", text_or_null},
    {"description", "description", text_or_null},
    {"product", "product", text_or_null},
    {"since", "modified_at", time_or_null},
};

enum lp_code
lp_engine_todo(struct lp_engine *engine, json_t **out, struct lp_err *err)
{
    struct lp_rows *waiting = NULL, *drift = NULL;
    json_t *processes = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_QUERY_TODO, LP_NO_ARGS, &waiting, err);

    if (rc == LP_OK)
        rc = processes_of(engine, waiting, &processes, err);
    if (rc == LP_OK)
        rc = lp_query(engine->store, LP_SQL_QUERY_TODO_DRIFT, LP_NO_ARGS, &drift, err);
    if (rc == LP_OK)
        *out = json_pack("{s:O, s:o}", "processes", processes, "out_of_sync",
                         array_of(drift_members, LP_COUNT(drift_members), drift));
    json_decref(processes);
    lp_rows_free(waiting);
    lp_rows_free(drift);
    return rc;
}
