/* Cases of store/lists.h, part of the table in store_cases.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "store/lists.h"
#include "tests/support/store_cases.h"
#include "tests/support/test_main.h"

/* ---- lists ---- */

static enum lp_code
list(struct lp_store_env *env, const struct lp_list *what, const char *filter, const char *sort,
     const char *range, struct lp_list_result *out, struct lp_err *err)
{
    const struct lp_list_request request = {.filter = filter, .sort = sort, .range = range};

    return lp_list_query(env->store, what, &request, out, err);
}

/* Ids of the page, joined by commas. */
static void
expect_ids(struct lp_store_env *env, const struct lp_list *what, const char *filter,
           const char *sort, const char *expected)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_list_result result;
    char ids[400] = "";

    lp_test_ok(list(env, what, filter, sort, NULL, &result, &err), &err);
    for (size_t i = 0; i < lp_rows_count(result.rows); i++)
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%s", i == 0 ? "" : ",",
                 lp_rows_text(result.rows, i, "id"));
    if (strcmp(ids, expected) != 0)
        fail_msg("filter '%s' sort '%s': got %s, not %s", filter == NULL ? "" : filter,
                 sort == NULL ? "" : sort, ids, expected);
    lp_list_result_free(&result);
}

static void
expect_refused(struct lp_store_env *env, const struct lp_list *what, const char *filter,
               const char *sort, const char *range, const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_list_result result;

    assert_int_equal(list(env, what, filter, sort, range, &result, &err), LP_INVALID);
    if (strncmp(err.msg, text, strlen(text)) != 0)
        fail_msg("'%s' does not begin with '%s'", err.msg, text);
    assert_true(err.pointer[0] != '\0');
    lp_err_clear(&err);
}

static void
fill_lists(struct lp_store_env *env)
{
    /* created_at: 2026-02-01T10:00:00Z and the following days */
    lp_store_env_exec(
        env,
        "INSERT INTO subscriptions (id, product_id, product, customer_id, description, status, "
        "insync, "
        "start_date, note, version, created_at, modified_at) VALUES "
        "('s1', 'aa-1', 'PoP', 'c1', 'Bologna', 'active', 1, 1769940000000000, NULL, 1, "
        "1769940000000000, 1), "
        "('s2', 'aa-1', 'PoP', 'c1', 'bari', 'initial', 0, NULL, 'to do', 2, 1770026400000000, 1), "
        "('s3', 'bb-2', 'Partner', 'c2', 'Frankfurt-Main', 'terminated', 1, 1769940000000000, '', "
        "3, 1770112800000000, 1), "
        "('s4', 'bb-2', 'Partner', 'c2', 'Zagreb 100%', 'active', 1, 1770112800000000, 'a\\b', 9, "
        "1770199200000000, 1)");
    lp_store_env_exec(
        env, "INSERT INTO processes (id, workflow, workflow_id, target, is_task, status, assignee, "
             "created_by, "
             "correlation_id, definition_hash, created_at, modified_at, last_step, note) VALUES "
             "('p1', 'create_pop', 'w1', 'CREATE', 0, 'completed', 'SYSTEM', 'alice', 'c', 'h', "
             "1769940000000000, 5, 'Done', NULL), "
             "('p2', 'modify_pop', 'w2', 'MODIFY', 0, 'awaiting_callback', 'NOC', 'Bob', 'c', 'h', "
             "1770026400000000, 4, NULL, 'x'), "
             "('p3', 'task_x', 'w3', 'SYSTEM', 1, 'failed', 'SYSTEM', 'system', 'c', 'h', "
             "1770112800000000, 3, 'Check', NULL)");
    lp_store_env_exec(env, "INSERT INTO process_subscriptions VALUES ('p1', 's1', 1), ('p2', 's1', "
                           "2), ('p2', 's3', 2)");
}

void
lp_case_filters_follow_the_language(struct lp_store_env *env)
{
    const struct lp_list *subs = &lp_list_subscriptions, *procs = &lp_list_processes;

    fill_lists(env);
    expect_ids(env, subs, NULL, NULL, "s4,s3,s2,s1");
    expect_ids(env, subs, "", "", "s4,s3,s2,s1");
    expect_ids(env, subs, "status,active", NULL, "s4,s1");
    expect_ids(env, subs, "status,ACTIVE-initial", NULL, "s4,s2,s1");
    expect_ids(env, subs, "status,active|terminated", NULL, "s4,s3,s1");
    expect_ids(env, subs, "status,!active", NULL, "s3,s2");
    expect_ids(env, subs, "status,active,insync,true,productId,AA-1", NULL, "s1");
    expect_ids(env, subs, "productId,aa-1", NULL,
               "s2,s1"); /* ends in id: the hyphen is part of it */
    expect_ids(env, subs, "insync,False", NULL, "s2");
    expect_ids(env, subs, "description,BARI", NULL, "s2");
    expect_ids(env, subs, "description,b%", NULL, "s2,s1");
    expect_ids(env, subs, "description,b_ri", NULL, "s2");
    expect_ids(env, subs, "description,bar", NULL, "");
    expect_ids(env, subs, "description,Frankfurt-Main", NULL, "s3");
    expect_ids(env, subs, "description,zagreb 100%", NULL, "s4");
    expect_ids(env, subs, "note,a\\b", NULL, "s4");
    expect_ids(env, subs, "note,a\\%", NULL, "s4");
    expect_ids(env, subs, "note,\\", NULL, "");
    expect_ids(env, subs, "note,!to do", NULL, "s4,s3,s1"); /* null counts as empty */
    expect_ids(env, subs, "startDate,2026-02-01", NULL, "s3,s1");
    expect_ids(env, subs, "startDate,>=2026-02-03", NULL, "s4");
    expect_ids(env, subs, "start_date,!>=2026-02-03", NULL, "s3,s2,s1");
    expect_ids(env, subs, "start_date,<2026-02-01T10:00:01+00:00", NULL, "s3,s1");
    expect_ids(env, subs, "start_date,2026-02-01T10:00:00Z|2026-02-03", NULL, "s4,s3,s1");
    expect_ids(env, subs, "start_date,soon", NULL, "");
    expect_ids(env, subs, "version,>2", NULL, "s4,s3");
    expect_ids(env, subs, "version,2|9", NULL, "s4,s2");
    expect_ids(env, subs, "version,two", NULL, "");
    expect_ids(env, subs, "description,' OR 1=1 --", NULL, "");
    expect_ids(env, procs, "lastStatus,awaiting_callback", NULL, "p2");
    expect_ids(env, procs, "last_status,completed-failed", NULL, "p3,p1");
    expect_ids(env, procs, "isTask,false", NULL, "p2,p1");
    expect_ids(env, procs, "createdBy,bob", NULL, "p2");
    expect_ids(env, procs, "target,create|modify", NULL, "p2,p1");
    expect_ids(env, procs, "subscriptionId,s1", NULL, "p2,p1");
    expect_ids(env, procs, "subscriptionId,!s1", NULL, "p3");
    expect_ids(env, procs, "product,partner", NULL, "p2");
    expect_ids(env, procs, "customer,c1|c2", NULL, "p2,p1");
    expect_ids(env, procs, "lastStep,done", NULL, "p1");
    expect_ids(env, procs, "startedAt,>2026-02-01T10:00:00Z", NULL, "p3,p2");
    expect_ids(env, procs, "workflowName,create%", NULL, "p1");
    expect_ids(env, procs, "traceback,error", NULL, "");
    expect_ids(env, procs, "traceback,%", "traceback,asc", "p1,p2,p3");
}

void
lp_case_sorts_fold_case_and_are_total(struct lp_store_env *env)
{
    const struct lp_list *subs = &lp_list_subscriptions, *procs = &lp_list_processes;

    fill_lists(env);
    expect_ids(env, subs, NULL, "description,asc", "s2,s1,s3,s4");
    expect_ids(env, subs, NULL, "description,DESC", "s4,s3,s1,s2");
    expect_ids(env, subs, NULL, "status,asc,startDate,desc", "s4,s1,s2,s3");
    expect_ids(env, subs, NULL, "productName,asc,version,desc", "s4,s3,s2,s1");
    expect_ids(env, subs, NULL, "startDate,asc", "s2,s1,s3,s4");
    expect_ids(env, subs, NULL, "description", "s4,s3,s2,s1"); /* fewer than two: ignored */
    expect_ids(env, subs, "status,active", "createdAt,asc", "s1,s4");
    expect_ids(env, procs, NULL, "lastModifiedAt,asc", "p3,p2,p1");
    expect_ids(env, procs, NULL, "workflowTarget,asc", "p1,p2,p3");
    expect_ids(env, procs, NULL, "processId,asc", "p1,p2,p3");
}

void
lp_case_bad_list_requests_are_refused(struct lp_store_env *env)
{
    const struct lp_list *subs = &lp_list_subscriptions;
    struct lp_list_request request = {.limit = LP_LIST_MOST + 1};
    struct lp_list_result result;
    struct lp_err err = LP_ERR_INIT;
    char many[3000] = "description,";

    expect_refused(env, subs, "status", NULL, NULL, "Invalid number of filter arguments");
    expect_refused(env, subs, "a,b,c", NULL, NULL, "Invalid number of filter arguments");
    expect_refused(env, subs, "nothing,b", NULL, NULL, "400: Invalid filter arguments");
    expect_refused(env, subs, "status,", NULL, NULL, "400: Invalid filter arguments");
    expect_refused(env, subs, "status,!", NULL, NULL, "400: Invalid filter arguments");
    expect_refused(env, subs, "status,|-|", NULL, NULL, "400: Invalid filter arguments");
    expect_refused(env, subs, "startDate,>=yesterday", NULL, NULL, "400: Invalid filter arguments");
    expect_refused(env, subs, "insync,perhaps", NULL, NULL,
                   "insync is true or false, not 'perhaps'");
    expect_refused(env, subs, "s.status,active", NULL, NULL, "400: Invalid filter arguments");
    expect_refused(env, subs, NULL, "nothing,asc", NULL, "Invalid sort arguments");
    expect_refused(env, subs, NULL, "status,up", NULL, "Invalid sort arguments");
    expect_refused(env, subs, NULL, "status,asc,note", NULL, "Invalid sort arguments");
    expect_refused(env, &lp_list_processes, NULL, "customer,asc", NULL, "Invalid sort arguments");
    expect_refused(env, subs, NULL, NULL, "5,5", "range start must be lower than end");
    expect_refused(env, subs, NULL, NULL, "7,5", "range start must be lower than end");
    expect_refused(env, subs, NULL, NULL, "a,b", "range must be two whole numbers");
    expect_refused(env, subs, NULL, NULL, "-1,5", "range must be two whole numbers");
    expect_refused(env, subs, NULL, NULL, "9999,10001", "range end must not exceed 10000");
    expect_refused(env, subs, "description,\xff", NULL, NULL, "filter is not valid UTF-8");
    for (int i = 0; i < 200; i++)
        strncat(many, "x|", sizeof many - strlen(many) - 1);
    expect_refused(env, subs, many, NULL, NULL, "400: Invalid filter arguments: more than");
    assert_int_equal(lp_list_query(env->store, subs, &request, &result, &err), LP_INVALID);
    assert_string_equal(err.pointer, "limit");
    lp_err_clear(&err);
}

void
lp_case_ranges_count_what_the_filter_leaves(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_list_result result;

    fill_lists(env);
    lp_test_ok(list(env, &lp_list_subscriptions, "status,!initial", NULL, "1,3", &result, &err),
               &err);
    assert_int_equal(lp_rows_count(result.rows), 2);
    assert_string_equal(lp_rows_text(result.rows, 0, "id"), "s3");
    assert_int_equal(result.total, 3);
    assert_false(result.total_capped);
    assert_int_equal(result.from, 1);
    assert_int_equal(result.to, 3);
    assert_null(result.next_cursor);
    lp_list_result_free(&result);
    lp_test_ok(list(env, &lp_list_subscriptions, NULL, NULL, "1", &result, &err),
               &err); /* ignored */
    assert_int_equal(lp_rows_count(result.rows), 4);
    assert_int_equal(result.total, -1);
    lp_list_result_free(&result);
    lp_test_ok(list(env, &lp_list_subscriptions, NULL, NULL, "100,200", &result, &err), &err);
    assert_int_equal(lp_rows_count(result.rows), 0);
    assert_int_equal(result.total, 4);
    lp_list_result_free(&result);
}

/* ---- 10,000 rows ---- */

static void
fill_many(struct lp_store_env *env, unsigned count)
{
    char sql[1400];
    char from[200];

    snprintf(from, sizeof from,
             env->dialect == LP_DIALECT_POSTGRES
                 ? "generate_series(1, %u) AS g(i)"
                 : "(WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %u) "
                   "SELECT i FROM g) AS g",
             count);
    snprintf(sql, sizeof sql,
             "INSERT INTO subscriptions (id, product_id, product, customer_id, description, "
             "status, insync, "
             "start_date, version, created_at, modified_at) SELECT 's' || (1000000 + i), 'p' || (i "
             "%% 40), "
             "'Product ' || (i %% 40), 'c' || (i %% 50), 'Place ' || (i * 7919 %% 100003), "
             "CASE i %% 50 WHEN 0 THEN 'initial' WHEN 1 THEN 'provisioning' ELSE 'active' END, "
             "CASE WHEN i %% 97 = 0 THEN 0 ELSE 1 END, CASE WHEN i %% 11 = 0 THEN NULL ELSE i * 13 "
             "%% 100000 END, "
             "1, i / 3, i FROM %s",
             from);
    lp_store_env_exec(env, sql);
    snprintf(sql, sizeof sql,
             "INSERT INTO processes (id, workflow, workflow_id, target, is_task, status, "
             "created_by, correlation_id, "
             "definition_hash, created_at, modified_at) SELECT 'p' || (1000000 + i), 'wf' || (i %% "
             "60), 'w' || (i %% 60), "
             "'MODIFY', CASE WHEN i %% 100 = 0 THEN 1 ELSE 0 END, CASE i %% 200 WHEN 0 THEN "
             "'failed' WHEN 1 THEN 'running' ELSE 'completed' END, "
             "'me', 'c', 'h', i / 3, i FROM %s",
             from);
    lp_store_env_exec(env, sql);
    snprintf(sql, sizeof sql,
             "INSERT INTO process_subscriptions (process_id, subscription_id, created_at) SELECT "
             "'p' || (1000000 + i), "
             "'s' || (1000000 + i), i FROM %s",
             from);
    lp_store_env_exec(env, sql);
    lp_store_env_exec(env, "ANALYZE");
}

struct plan_row {
    const struct lp_list *list;
    const char *filter, *sort, *index;
};
static const struct plan_row plans[] = {
    {&lp_list_processes, NULL, NULL, "processes_created"},
    {&lp_list_processes, NULL, "startedAt,asc", "processes_created"},
    {&lp_list_processes, "lastStatus,failed", NULL, "processes_status"},
    {&lp_list_processes, NULL, "lastStatus,asc", "processes_status"},
    {&lp_list_processes, NULL, "lastStatus,desc", "processes_status"},
    {&lp_list_processes, "workflowId,w7", NULL, "processes_workflow"},
    {&lp_list_processes, NULL, "workflowId,asc", "processes_workflow"},
    {&lp_list_processes, "workflowName,wf7", NULL, "processes_workflow_name"},
    {&lp_list_processes, NULL, "workflowName,desc", "processes_workflow_name"},
    {&lp_list_processes, "isTask,true", NULL, "processes_task"},
    {&lp_list_processes, NULL, "isTask,asc", "processes_task"},
    {&lp_list_processes, "processId,p1000777", NULL, "processes_pkey"},
    {&lp_list_processes, "subscriptionId,s1000777", NULL, "process_subscriptions_subscription"},
    {&lp_list_subscriptions, NULL, NULL, "subscriptions_created"},
    {&lp_list_subscriptions, "status,initial", NULL, "subscriptions_status"},
    {&lp_list_subscriptions, NULL, "status,asc", "subscriptions_status"},
    {&lp_list_subscriptions, "productId,p7", NULL, "subscriptions_product"},
    {&lp_list_subscriptions, "product,product 7", NULL, "subscriptions_product_name"},
    {&lp_list_subscriptions, NULL, "productName,desc", "subscriptions_product_name"},
    {&lp_list_subscriptions, "customerId,c7", NULL, "subscriptions_customer"},
    {&lp_list_subscriptions, NULL, "customerId,asc", "subscriptions_customer"},
    {&lp_list_subscriptions, "description,place 7919", NULL, "subscriptions_description"},
    {&lp_list_subscriptions, NULL, "description,asc", "subscriptions_description"},
    {&lp_list_subscriptions, "insync,false", NULL, "subscriptions_insync"},
    {&lp_list_subscriptions, NULL, "startDate,desc", "subscriptions_start"},
    {&lp_list_subscriptions, NULL, "startDate,asc", "subscriptions_start"},
    {&lp_list_subscriptions, "subscriptionId,s1000777", NULL, "subscriptions_pkey"},
};

/* The plan of what lp_list_query would send, first page or following one. */
static void
explain(struct lp_store_env *env, const struct plan_row *row, const char *cursor, char *plan,
        size_t size)
{
    const struct lp_list_request request = {
        .filter = row->filter, .sort = row->sort, .limit = 25, .cursor = cursor};
    struct lp_err err = LP_ERR_INIT;
    struct lp_rows *rows = NULL;

    lp_test_ok(lp_list_explain(env->store, row->list, &request, &rows, &err), &err);
    *plan = '\0';
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        snprintf(
            plan + strlen(plan), size - strlen(plan), "%s\n",
            lp_rows_text(rows, i, env->dialect == LP_DIALECT_POSTGRES ? "QUERY PLAN" : "detail"));
    lp_rows_free(rows);
}

static void
expect_plan(const struct plan_row *row, const char *plan)
{
    const char *table = row->list == &lp_list_processes ? "processes" : "subscriptions";
    char auto_index[80], scan[80];
    bool primary = strstr(row->index, "_pkey") != NULL;
    bool found;

    snprintf(auto_index, sizeof auto_index, "sqlite_autoindex_%s_1", table);
    found = strstr(plan, row->index) != NULL || (primary && strstr(plan, auto_index) != NULL);
    snprintf(scan, sizeof scan, "Seq Scan on %s", table);
    if (!found || strstr(plan, scan) != NULL
        || (row->filter == NULL
            && (strstr(plan, "Sort") != NULL || strstr(plan, "B-TREE") != NULL)))
        fail_msg("%s filter '%s' sort '%s' wants %s:\n%s", row->list->name,
                 row->filter == NULL ? "" : row->filter, row->sort == NULL ? "" : row->sort,
                 row->index, plan);
}

void
lp_case_indexes_are_used(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char plan[8000];

    fill_many(env, 10000);
    for (size_t i = 0; i < LP_COUNT(plans); i++) {
        struct lp_list_request request = {
            .filter = plans[i].filter, .sort = plans[i].sort, .limit = 25};
        struct lp_list_result result;

        explain(env, &plans[i], NULL, plan, sizeof plan);
        expect_plan(&plans[i], plan);
        lp_test_ok(lp_list_query(env->store, plans[i].list, &request, &result, &err), &err);
        if (result.next_cursor != NULL) {
            explain(env, &plans[i], result.next_cursor, plan, sizeof plan);
            expect_plan(&plans[i], plan);
        }
        lp_list_result_free(&result);
    }
}

/* Whether a row of plans filters or sorts by the column of this field. */
static bool
mentions(const struct plan_row *row, const struct lp_list_field *field)
{
    const char *texts[] = {row->filter, row->sort};
    char name[64], snake[80];

    for (size_t t = 0; t < LP_COUNT(texts); t++) {
        size_t used = 0;

        if (texts[t] == NULL)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(texts[t], ","), texts[t]);
        for (const char *p = name; *p != '\0'; p++) {
            if (*p >= 'A' && *p <= 'Z')
                snake[used++] = '_';
            snake[used++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        }
        snake[used] = '\0';
        for (size_t i = 0; i < row->list->field_count; i++)
            if (strcmp(row->list->fields[i].name, snake) == 0
                && strcmp(row->list->fields[i].sql, field->sql) == 0)
                return true;
    }
    return false;
}

/* Every field that says it has an index has a row above, or a wrapper of its own. */
void
lp_case_every_indexed_field_is_proved(struct lp_store_env *env)
{
    const struct lp_list *const lists[] = {&lp_list_processes, &lp_list_subscriptions};

    (void)env;
    for (size_t l = 0; l < LP_COUNT(lists); l++)
        for (size_t f = 0; f < lists[l]->field_count; f++) {
            const struct lp_list_field *field = &lists[l]->fields[f];
            bool proved = field->within != NULL || !field->indexed;

            for (size_t i = 0; i < LP_COUNT(plans) && !proved; i++)
                proved = plans[i].list == lists[l]
                         && (strstr(plans[i].index, "_created") != NULL
                                 ? strcmp(field->sql, lists[l]->created) == 0
                                 : mentions(&plans[i], field));
            if (!proved)
                fail_msg("%s.%s says 'indexed', but no plan proves it", lists[l]->name,
                         field->name);
        }
}

/* ---- all statements ---- */

/* Tables that grow with what is done. Everything else is small whatever happens. */
static const char *const growing[] = {"processes",
                                      "process_steps",
                                      "step_attempts",
                                      "step_compensations",
                                      "process_inputs",
                                      "process_requests",
                                      "subscriptions",
                                      "blocks",
                                      "block_refs",
                                      "block_keys",
                                      "block_values",
                                      "block_history",
                                      "subscription_history",
                                      "process_subscriptions",
                                      "process_locks",
                                      "audit",
                                      "idempotency",
                                      "import_rows",
                                      "plans",
                                      "plan_operations",
                                      "process_plans",
                                      "plan_approvals",
                                      "applied_operations",
                                      "device_objects",
                                      "evidence",
                                      "notices",
                                      "deliveries"};

/* These count or walk all there is, and are asked seldom: by a scrape, by the page that shows the
 * counts, by a verification, by the doctor. */
static const char *const whole_table[] = {"api_metrics_ended",   "api_metrics_subscriptions",
                                          "query_status_counts", "audit_heads",
                                          "doc_locks",           "doc_locks_fix"};

/* SQLite's plan names the alias: "SCAN p" is a table when the statement calls one so. */
static bool
scans_alias(const char *plan, const char *sql, const char *table)
{
    for (const char *at = strstr(plan, "SCAN "); at != NULL; at = strstr(at + 1, "SCAN ")) {
        char words[2][120];
        int len = (int)strcspn(at + 5, " \n");

        if (at[5 + len] != '\n')
            continue; /* goes on: USING INDEX ... */
        snprintf(words[0], sizeof words[0], "%s %.*s ", table, len, at + 5);
        snprintf(words[1], sizeof words[1], "%s AS %.*s", table, len, at + 5);
        if (((size_t)len == strlen(table) && strncmp(at + 5, table, (size_t)len) == 0)
            || strstr(sql, words[0]) != NULL || strstr(sql, words[1]) != NULL)
            return true;
    }
    return false;
}

static bool
reads_whole_table(const char *plan, const char *sql, const char *table)
{
    char words[80];

    snprintf(words, sizeof words, "Seq Scan on %s ", table);
    return strstr(plan, words) != NULL || scans_alias(plan, sql, table);
}

void
lp_case_no_statement_reads_a_whole_table(struct lp_store_env *env)
{
    char plan[8000];
    unsigned bad = 0;

    for (size_t i = 0; i < LP_SQL_COUNT; i++) {
        const struct lp_sql *sql = &lp_sql_table[i];
        bool allowed = false;

        for (size_t k = 0; k < LP_COUNT(whole_table); k++)
            allowed = allowed || strcmp(whole_table[k], sql->name) == 0;
        if (allowed)
            continue;
        lp_store_env_plan(env, sql->text[env->dialect], sql->param_count, plan, sizeof plan);
        for (size_t k = 0; k < LP_COUNT(growing); k++)
            if (reads_whole_table(plan, sql->text[env->dialect], growing[k])) {
                print_error("%s reads all of %s:\n%s", sql->name, growing[k], plan);
                bad++;
            }
    }
    assert_int_equal(bad, 0);
}

/* ---- walking pages while rows are added ---- */

static const char *const sorts[] = {NULL,
                                    "description,asc",
                                    "status,desc",
                                    "startDate,asc",
                                    "status,asc,description,desc",
                                    "note,desc,version,asc",
                                    "insync,asc,createdAt,desc"};

static void
walk(struct lp_store_env *env, const char *sort, int64_t limit, unsigned old, unsigned *added)
{
    struct lp_err err = LP_ERR_INIT;
    unsigned char seen[4000] = {0};
    char *cursor = NULL, sql[400];
    unsigned found = 0;

    do {
        struct lp_list_request request = {.sort = sort, .limit = limit, .cursor = cursor};
        struct lp_list_result result;

        lp_test_ok(lp_list_query(env->store, &lp_list_subscriptions, &request, &result, &err),
                   &err);
        assert_true(lp_rows_count(result.rows) <= (size_t)limit);
        for (size_t i = 0; i < lp_rows_count(result.rows); i++) {
            unsigned n =
                (unsigned)strtoul(lp_rows_text(result.rows, i, "id") + 1, NULL, 10) - 1000000;

            assert_true(n < sizeof seen);
            assert_int_equal(seen[n], 0); /* never twice */
            seen[n] = 1;
            found += n <= old;
        }
        free(cursor);
        cursor = result.next_cursor;
        result.next_cursor = NULL;
        lp_list_result_free(&result);
        ++*added;
        snprintf(sql, sizeof sql,
                 "INSERT INTO subscriptions (id, product_id, product, customer_id, description, "
                 "status, created_at, "
                 "modified_at) VALUES ('s%u', 'p', 'P', 'c', 'Place %u', 'active', %u, 1)",
                 1000000 + old + *added, *added * 37 % 1000, *added * 53 % 400);
        lp_store_env_exec(env, sql);
    } while (cursor != NULL);
    assert_int_equal(found, old); /* every row that was there, once */
}

/* As many values as a filter may have, as many fields as may be sorted by, and a cursor. */
static void
walk_with_everything(struct lp_store_env *env)
{
    struct lp_list_request request = {.sort = "status,asc,description,desc,note,asc,version,desc",
                                      .limit = 10};
    struct lp_list_result result;
    struct lp_err err = LP_ERR_INIT;
    char filter[600] = "status,active";
    size_t len = strlen(filter);

    for (int i = 1; i < 52; i++)
        len += (size_t)snprintf(filter + len, sizeof filter - len, "|s%d", i);
    request.filter = filter;
    lp_test_ok(lp_list_query(env->store, &lp_list_subscriptions, &request, &result, &err), &err);
    assert_non_null(result.next_cursor);
    request.cursor = result.next_cursor;
    result.next_cursor = NULL;
    lp_list_result_free(&result);
    lp_test_ok(lp_list_query(env->store, &lp_list_subscriptions, &request, &result, &err), &err);
    assert_true(lp_rows_count(result.rows) > 0);
    lp_list_result_free(&result);
    free((void *)(uintptr_t)request.cursor);
}

void
lp_case_pages_hold_every_row_once(struct lp_store_env *env)
{
    uint64_t seed = lp_test_seed("pages_hold_every_row_once");
    unsigned added = 0;

    fill_many(env, 300);
    for (size_t i = 0; i < LP_COUNT(sorts); i++)
        walk(env, sorts[i], 10 + (int64_t)(lp_test_random(&seed) % 60), 300, &added);
    walk_with_everything(env);
}

void
lp_case_a_changed_cursor_is_refused(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_list_request request = {.limit = 10};
    struct lp_list_result result;
    uint64_t seed = lp_test_seed("a_changed_cursor_is_refused");
    char *cursor;

    fill_many(env, 50);
    lp_test_ok(lp_list_query(env->store, &lp_list_subscriptions, &request, &result, &err), &err);
    cursor = strdup(result.next_cursor);
    lp_list_result_free(&result);
    assert_non_null(cursor);
    assert_int_equal(
        strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        strlen(cursor));
    for (int i = 0; i < 200; i++) {
        char *copy = strdup(cursor);
        size_t at = lp_test_random(&seed) % strlen(cursor);

        copy[at] = copy[at] == 'A' ? 'B' : 'A';
        request.cursor = copy;
        assert_int_equal(lp_list_query(env->store, &lp_list_subscriptions, &request, &result, &err),
                         LP_INVALID);
        assert_string_equal(err.pointer, "cursor");
        lp_err_clear(&err);
        free(copy);
    }
    request.cursor = cursor;
    request.sort = "status,asc"; /* of another order */
    assert_int_equal(lp_list_query(env->store, &lp_list_subscriptions, &request, &result, &err),
                     LP_INVALID);
    lp_err_clear(&err);
    request.sort = NULL;
    assert_int_equal(lp_list_query(env->store, &lp_list_processes, &request, &result, &err),
                     LP_INVALID);
    lp_err_clear(&err);
    request.range = "0,5";
    assert_int_equal(lp_list_query(env->store, &lp_list_subscriptions, &request, &result, &err),
                     LP_INVALID);
    lp_err_clear(&err);
    free(cursor);
}

void
lp_case_totals_are_capped(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_list_result result;

    fill_many(env, 10005);
    lp_test_ok(list(env, &lp_list_subscriptions, NULL, NULL, "9990,10000", &result, &err), &err);
    assert_int_equal(lp_rows_count(result.rows), 10);
    assert_int_equal(result.total, 10001);
    assert_true(result.total_capped);
    lp_list_result_free(&result);
    lp_test_ok(list(env, &lp_list_subscriptions, NULL, NULL, NULL, &result, &err), &err);
    assert_int_equal(lp_rows_count(result.rows), 250);
    lp_list_result_free(&result);
}
