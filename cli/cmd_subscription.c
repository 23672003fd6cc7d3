#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

static enum lp_code
subscription_path(struct cli *cli, const char *before, const char *after, struct cli_path *path,
                  struct lp_err *err)
{
    char id[37];
    enum lp_code rc = cli_resolve(cli, CLI_SUBSCRIPTION, cli->args[0], id, err);

    cli_path_start(path, before);
    if (rc != LP_OK)
        return rc;
    cli_path_part(path, id);
    cli_path_text(path, after);
    return LP_OK;
}

/* ---- list ---- */

static const char *
product_name(const json_t *subscription)
{
    return lp_json_str(json_object_get(subscription, "product"), "name", "");
}

static void
subscription_table(struct cli *cli, const json_t *rows)
{
    static const struct cli_column columns[] = {
        {.title = "Subscription"},
        {.title = "Description", .flexible = true},
        {.title = "Product"},
        {.title = "Status"},
        {.title = "In sync"},
        {.title = "Version", .right = true, .optional = true},
        {.title = "Since", .optional = true},
        {.title = "Note", .flexible = true, .optional = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        const char *status = lp_json_str(row, "status", "");
        bool insync = lp_json_true(row, "insync");
        char *since = cli_member_time(row, "start_date");
        char *version = cli_strfmt("%lld", (long long)lp_json_int(row, "version", 0));

        cli_table_cell(table, CLI_DIM, cli_short_id(lp_json_str(row, "subscription_id", "")));
        cli_table_cell(table, CLI_PLAIN, lp_json_str(row, "description", ""));
        cli_table_cell(table, CLI_PLAIN, product_name(row));
        cli_table_cell(table, cli_status_color(status), status);
        cli_table_cell(table, insync ? CLI_GOOD : CLI_BAD, insync ? "yes" : "no");
        cli_table_cell(table, CLI_DIM, version);
        cli_table_cell(table, CLI_DIM, since);
        cli_table_cell(table, CLI_PLAIN, lp_json_str(row, "note", ""));
        free(since);
        free(version);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

static void
add_statuses(struct cli *cli, struct lp_buf *filter)
{
    char *words = cli_alternatives(cli, "status");

    cli_filter_add(filter, "status", words != NULL ? words : "!terminated");
    free(words);
}

/* Commas, dashes and bars mean something in a filter; as wildcards for one character they do no
 * harm. */
static void
add_words(struct lp_buf *filter, const char *words)
{
    char *value = cli_strfmt("%s%%", words);

    for (char *p = value; *p != '\0'; p++) {
        if (strchr(",|-!<>=", *p) != NULL)
            *p = '_';
    }
    cli_filter_add(filter, "description", value);
    free(value);
}

enum lp_code
cli_subscription_list(struct cli *cli, struct lp_err *err)
{
    struct lp_buf filter = LP_BUF_INIT;
    struct cli_path path;
    json_auto_t *rows = NULL;
    int64_t limit = 100;
    bool more = false;
    enum lp_code rc = cli_opt_int(cli, "limit", 1, 100000, 100, &limit, err);

    add_statuses(cli, &filter);
    cli_filter_add(&filter, "product", cli_opt(cli, "product"));
    if (cli_has(cli, "out-of-sync"))
        cli_filter_add(&filter, "insync", "false");
    if (cli->arg_count > 0)
        add_words(&filter, cli->args[0]);
    if (filter.failed)
        cli_no_memory();
    cli_path_start(&path, "/subscriptions");
    cli_path_query(&path, "filter", filter.data);
    if (rc == LP_OK)
        rc = cli_list(cli, cli_path_get(&path), limit, &rows, &more, err);
    cli_path_free(&path);
    lp_buf_free(&filter);
    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, rows);
    else if (json_array_size(rows) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else {
        subscription_table(cli, rows);
        cli_putf(&cli->out, CLI_DIM, "%zu subscription%s%s\n", json_array_size(rows),
                 json_array_size(rows) == 1 ? "" : "s",
                 more ? "; there are more, --limit=N shows them" : "");
    }
    return LP_OK;
}

/* ---- show ---- */

static const char *const head_members[] = {"subscription_id",
                                           "start_date",
                                           "end_date",
                                           "description",
                                           "status",
                                           "product_id",
                                           "customer_id",
                                           "insync",
                                           "note",
                                           "name",
                                           "product",
                                           "customer_descriptions",
                                           "tag",
                                           "version",
                                           "validated_at",
                                           "metadata"};

static bool
is_head(const char *key)
{
    for (size_t i = 0; i < LP_COUNT(head_members); i++) {
        if (strcmp(head_members[i], key) == 0)
            return true;
    }
    return false;
}

/* What only machines need stands behind -o json. */
static bool
is_plumbing(const char *key)
{
    return strcmp(key, "subscription_instance_id") == 0 || strcmp(key, "owner_subscription_id") == 0
           || strcmp(key, "in_use_by_ids") == 0 || strcmp(key, "in_use_by_relations") == 0;
}

enum { MAX_DEPTH = 12 };

static void print_tree(struct cli *cli, const char *key, const json_t *value, int depth);

/* Coordinates are stored in micro-degrees. */
static char *
leaf_text(const char *key, const json_t *value)
{
    const char *unit = strrchr(key, '_');

    if (unit != NULL && strcmp(unit, "_udeg") == 0 && json_is_integer(value))
        return cli_strfmt("%.6f°", (double)json_integer_value(value) / 1e6);
    return json_is_string(value) ? cli_strdup(json_string_value(value)) : lp_json_text(value);
}

static void
print_leaf(struct cli *cli, const char *key, const json_t *value, int depth)
{
    char *text = leaf_text(key, value);
    char *clean = cli_clean(text != NULL ? text : "", false);

    fprintf(cli->out.file, "%*s", 2 * depth, "");
    cli_putf(&cli->out, CLI_DIM, "%s: ", key);
    fprintf(cli->out.file, "%s\n", clean);
    free(text);
    free(clean);
}

static void
print_members(struct cli *cli, const json_t *object, int depth)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!is_plumbing(key) && !json_is_null(value))
            print_tree(cli, key, value, depth);
    }
}

static void
print_tree(struct cli *cli, const char *key, const json_t *value, int depth)
{
    char *clean = cli_clean(key, false);
    size_t i;
    json_t *item;

    if (depth > MAX_DEPTH || (!json_is_object(value) && !json_is_array(value)))
        print_leaf(cli, clean, value, depth);
    else if (json_is_object(value)) {
        fprintf(cli->out.file, "%*s", 2 * depth, "");
        cli_putf(&cli->out, CLI_BOLD, "%s\n", clean);
        print_members(cli, value, depth + 1);
    } else {
        json_array_foreach(value, i, item) print_tree(cli, clean, item, depth);
    }
    free(clean);
}

/* The customer's description says more than its id. */
static char *
customer_text(struct cli *cli, const json_t *subscription)
{
    const char *id = lp_json_str(subscription, "customer_id", "");
    struct lp_err ignored = LP_ERR_INIT;
    json_auto_t *customer = NULL;
    struct cli_path path;
    char *text;

    cli_path_start(&path, "/subscriptions");
    cli_path_part(&path, id);
    if (strcmp(id, lp_json_str(subscription, "subscription_id", "")) == 0
        || cli_call(cli, "GET", cli_path_get(&path), NULL, &customer, &ignored) != LP_OK)
        text = cli_strdup("");
    else
        text = cli_strdup(lp_json_str(customer, "description", ""));
    cli_path_free(&path);
    lp_err_clear(&ignored);
    return text;
}

static void
print_head(struct cli *cli, const json_t *subscription)
{
    const char *status = lp_json_str(subscription, "status", "");
    bool insync = lp_json_true(subscription, "insync");
    char *start = cli_member_time(subscription, "start_date");
    char *end = cli_member_time(subscription, "end_date");
    char *customer = customer_text(cli, subscription);
    char *version = cli_strfmt("%lld", (long long)lp_json_int(subscription, "version", 0));

    cli_print_pair(cli, "Subscription", lp_json_str(subscription, "subscription_id", ""));
    cli_print_pair(cli, "Description", lp_json_str(subscription, "description", ""));
    cli_print_pair(cli, "Product", product_name(subscription));
    cli_print_pair(cli, "Customer", customer);
    cli_putf(&cli->out, CLI_DIM, "%-14s ", "Status");
    cli_put(&cli->out, cli_status_color(status), status);
    cli_put(&cli->out, insync ? CLI_GOOD : CLI_BAD, insync ? ", in sync" : ", out of sync");
    fputc('\n', cli->out.file);
    cli_print_pair(cli, "Version", version);
    cli_print_pair(cli, "Since", start);
    cli_print_pair(cli, "Ended", end);
    cli_print_pair(cli, "Note", lp_json_str(subscription, "note", ""));
    free(start);
    free(end);
    free(customer);
    free(version);
}

enum lp_code
cli_subscription_show(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *model = NULL;
    bool printed = false;
    const char *key;
    json_t *value;
    enum lp_code rc = subscription_path(cli, "/subscriptions/domain-model", "", &path, err);

    if (rc == LP_OK)
        rc = cli_fetch(cli, cli_path_get(&path), &model, &printed, err);
    cli_path_free(&path);
    if (rc != LP_OK || printed)
        return rc;
    print_head(cli, model);
    fputc('\n', cli->out.file);
    json_object_foreach(model, key, value)
    {
        if (!is_head(key))
            print_tree(cli, key, value, 0);
    }
    return LP_OK;
}

/* ---- history and differences ---- */

static void
history_table(struct cli *cli, const json_t *rows)
{
    static const struct cli_column columns[] = {
        {.title = "Version", .right = true},        {.title = "At"},
        {.title = "By", .flexible = true},          {.title = "Status"},
        {.title = "Description", .flexible = true}, {.title = "Process", .optional = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        const json_t *head = json_object_get(row, "header");
        char *version = cli_strfmt("%lld", (long long)lp_json_int(row, "version", 0));
        char *at = cli_member_time(row, "at");
        const char *status;

        if (!json_is_object(head))
            head = json_is_object(json_object_get(row, "doc")) ? json_object_get(row, "doc") : row;
        status = lp_json_str(head, "status", "");
        cli_table_cell(table, CLI_PLAIN, version);
        cli_table_cell(table, CLI_DIM, at);
        cli_table_cell(table, CLI_PLAIN, lp_json_str(row, "actor", ""));
        cli_table_cell(table, cli_status_color(status), status);
        cli_table_cell(table, CLI_PLAIN, lp_json_str(head, "description", ""));
        cli_table_cell(table, CLI_DIM, cli_short_id(lp_json_str(row, "process_id", "")));
        free(version);
        free(at);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

enum lp_code
cli_subscription_history(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *rows = NULL;
    bool printed = false;
    int64_t limit;
    enum lp_code rc = subscription_path(cli, "/subscriptions", "/history", &path, err);

    if (rc == LP_OK)
        rc = cli_opt_int(cli, "limit", 1, 1000, 100, &limit, err);
    cli_path_query(&path, "limit", cli_opt(cli, "limit"));
    if (rc == LP_OK)
        rc = cli_fetch(cli, cli_path_get(&path), &rows, &printed, err);
    cli_path_free(&path);
    if (rc == LP_OK && !printed)
        history_table(cli, rows);
    return rc;
}

/* Times of the header are stored in microseconds, and so told in versions and differences. */
static bool
is_time(const char *path, const json_t *value)
{
    const char *name = strrchr(path, '/');

    name = name == NULL ? path : name + 1;
    return json_is_integer(value)
           && (strcmp(name, "start_date") == 0 || strcmp(name, "end_date") == 0);
}

static char *
change_text(const char *path, const json_t *value)
{
    char *text = value == NULL           ? cli_strdup("")
                 : is_time(path, value)  ? cli_time((double)json_integer_value(value) / 1e6)
                 : json_is_string(value) ? cli_strdup(json_string_value(value))
                                         : lp_json_text(value);

    if (text == NULL)
        cli_no_memory();
    return text;
}

/* One row per leaf: an object that came or went is told member by member. */
static void
diff_rows(struct cli_table *table, const char *path, const json_t *before, const json_t *after,
          int depth)
{
    const json_t *whole = json_is_object(after) ? after : before;
    bool leaf = !json_is_object(whole) || (before != NULL && !json_is_object(before))
                || (after != NULL && !json_is_object(after)) || depth >= MAX_DEPTH;
    const char *key;
    json_t *value;

    if (leaf) {
        char *old = change_text(path, before), *new = change_text(path, after);

        cli_table_cell(table, CLI_PLAIN, path);
        cli_table_cell(table, CLI_BAD, old);
        cli_table_cell(table, CLI_GOOD, new);
        free(old);
        free(new);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)whole, key, value)
    {
        char *inner = cli_strfmt("%s/%s", path, key);

        diff_rows(table, inner, json_object_get(before, key), json_object_get(after, key),
                  depth + 1);
        free(inner);
    }
}

static void
diff_table(struct cli *cli, const json_t *diff)
{
    static const struct cli_column columns[] = {{.title = "Field", .flexible = true},
                                                {.title = "Before", .flexible = true},
                                                {.title = "After", .flexible = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    size_t i;
    json_t *change;

    json_array_foreach(json_object_get(diff, "changes"), i, change)
    {
        diff_rows(table, lp_json_str(change, "path", ""), json_object_get(change, "before"),
                  json_object_get(change, "after"), 0);
    }
    cli_putf(&cli->out, CLI_DIM, "version %lld → %lld\n", (long long)lp_json_int(diff, "from", 0),
             (long long)lp_json_int(diff, "to", 0));
    if (cli_table_rows(table) > 0)
        cli_table_print(table, &cli->out);
    else
        cli_put(&cli->out, CLI_DIM, "No difference.\n");
    cli_table_free(table);
}

/* Without a version: what the newest process made of it. */
static enum lp_code
version_before(struct cli *cli, char from[static 24], struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *rows = NULL;
    const char *newest = NULL;
    size_t i;
    json_t *row;
    enum lp_code rc = subscription_path(cli, "/subscriptions", "/history", &path, err);

    cli_path_query(&path, "limit", "50");
    if (rc == LP_OK)
        rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &rows, err);
    cli_path_free(&path);
    snprintf(from, 24, "0");
    json_array_foreach(rows, i, row)
    {
        const char *process = lp_json_str(row, "process_id", "");

        snprintf(from, 24, "%lld", (long long)lp_json_int(row, "version", 0));
        if (newest != NULL && strcmp(process, newest) != 0)
            return rc;
        newest = process;
    }
    snprintf(from, 24, "%lld",
             (long long)lp_json_int(json_array_get(rows, i > 0 ? i - 1 : 0), "version", 1) - 1);
    return rc;
}

enum lp_code
cli_subscription_diff(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *diff = NULL;
    bool printed = false;
    char from[24] = "";
    enum lp_code rc = subscription_path(cli, "/subscriptions", "/diff", &path, err);

    if (rc == LP_OK && cli->arg_count < 2)
        rc = version_before(cli, from, err);
    cli_path_query(&path, "from", cli->arg_count > 1 ? cli->args[1] : from);
    cli_path_query(&path, "to", cli->arg_count > 2 ? cli->args[2] : NULL);
    if (rc == LP_OK)
        rc = cli_fetch(cli, cli_path_get(&path), &diff, &printed, err);
    cli_path_free(&path);
    if (rc == LP_OK && !printed)
        diff_table(cli, diff);
    return rc;
}

/* ---- actions ---- */

enum lp_code
cli_subscription_sync(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    enum lp_code rc = subscription_path(cli, "/subscriptions", "/set_in_sync", &path, err);

    cli_path_why(&path, cli);
    if (rc == LP_OK)
        rc = cli_call(cli, "PUT", cli_path_get(&path), NULL, NULL, err);
    cli_path_free(&path);
    if (rc == LP_OK && !cli->json)
        fprintf(cli->out.file, "%s is in sync.\n", cli->args[0]);
    return rc;
}

/* "subscription.not_in_sync" -> "not in sync" */
static char *
reason_text(const json_t *workflow)
{
    const char *reason = lp_json_str(workflow, "reason", "");
    const char *dot = strchr(reason, '.');
    char *text = cli_strdup(dot != NULL ? dot + 1 : reason);

    for (char *p = text; *p != '\0'; p++)
        *p = *p == '_' ? ' ' : *p;
    return text;
}

enum lp_code
cli_subscription_workflows(struct cli *cli, struct lp_err *err)
{
    static const struct cli_column columns[] = {
        {.title = "Workflow"},
        {.title = "Target", .optional = true},
        {.title = "May start"},
        {.title = "Because", .flexible = true},
        {.title = "Description", .flexible = true, .optional = true}};
    static const char *const targets[] = {"create",    "modify",    "validate",
                                          "reconcile", "terminate", "system"};
    struct cli_path path;
    struct cli_table *table;
    json_auto_t *lists = NULL;
    bool printed = false;
    size_t i;
    json_t *workflow;
    enum lp_code rc = subscription_path(cli, "/subscriptions/workflows", "", &path, err);

    if (rc == LP_OK)
        rc = cli_fetch(cli, cli_path_get(&path), &lists, &printed, err);
    cli_path_free(&path);
    if (rc != LP_OK || printed)
        return rc;
    table = cli_table_new(columns, LP_COUNT(columns));
    for (size_t t = 0; t < LP_COUNT(targets); t++) {
        json_array_foreach(json_object_get(lists, targets[t]), i, workflow)
        {
            char *reason = reason_text(workflow);

            cli_table_cell(table, CLI_PLAIN, lp_json_str(workflow, "name", ""));
            cli_table_cell(table, CLI_DIM, targets[t]);
            cli_table_cell(table, *reason == '\0' ? CLI_GOOD : CLI_BAD,
                           *reason == '\0' ? "yes" : "no");
            cli_table_cell(table, CLI_PLAIN, reason);
            cli_table_cell(table, CLI_DIM, lp_json_str(workflow, "description", ""));
            free(reason);
        }
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
    return LP_OK;
}
