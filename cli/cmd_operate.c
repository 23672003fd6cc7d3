#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"

/* Executors, the engine as a whole, the doctor, notifications. */

/** "12 s", "3 min", "5 h", "2 days": how long something has been so; owned. */
static char *
span(double seconds)
{
    static const struct {
        double least;
        double unit;
        const char *word;
    } units[] = {{2 * 86400.0, 86400.0, "days"}, {2 * 3600.0, 3600.0, "h"}, {120.0, 60.0, "min"}};

    for (size_t i = 0; i < LP_COUNT(units); i++)
        if (seconds >= units[i].least)
            return cli_strfmt("%.0f %s", seconds / units[i].unit, units[i].word);
    return cli_strfmt(seconds < 10 ? "%.1f s" : "%.0f s", seconds < 0 ? 0 : seconds);
}

static char *
span_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? span(json_number_value(value)) : cli_strdup("");
}

/** ["a","b"] as "a b"; owned. */
static char *
joined(const json_t *list)
{
    struct lp_buf text = LP_BUF_INIT;
    size_t i;
    json_t *word;

    lp_buf_str(&text, "");
    json_array_foreach(list, i, word)
    {
        lp_buf_printf(&text, "%s%s", i > 0 ? " " : "", json_string_value(word));
    }
    return lp_buf_take(&text);
}

/* ---- executors ---- */

static void
executor_row(struct cli_table *table, const json_t *row)
{
    const char *state = lp_json_str(row, "state", "");
    bool drained = lp_json_true(row, "drained");
    char *labels = joined(json_object_get(row, "labels"));
    char *roles = joined(json_object_get(row, "roles"));
    char *left = json_is_null(json_object_get(row, "lease_left_s")) ? cli_strdup("own")
                                                                    : span_of(row, "lease_left_s");
    char *claims = cli_strfmt("%lld", (long long)lp_json_int(row, "claims", 0));
    char *since = cli_member_time(row, "started_at");

    cli_table_cell(table, CLI_PLAIN, lp_json_str(row, "name", ""));
    cli_table_cell(table,
                   strcmp(state, "live") == 0   ? (drained ? CLI_WARN : CLI_GOOD)
                   : strcmp(state, "lost") == 0 ? CLI_BAD
                                                : CLI_DIM,
                   drained && strcmp(state, "live") == 0 ? "drained" : state);
    cli_table_cell(table, CLI_PLAIN, left);
    cli_table_cell(table, CLI_PLAIN, claims);
    cli_table_cell(table, CLI_PLAIN, roles);
    cli_table_cell(table, CLI_PLAIN, labels);
    cli_table_cell(table, CLI_DIM, lp_json_str(row, "host", ""));
    cli_table_cell(table, CLI_DIM, lp_json_str(row, "version", ""));
    cli_table_cell(table, CLI_DIM, since);
    cli_table_cell(table, CLI_DIM, cli_short_id(lp_json_str(row, "incarnation", "")));
    free(labels);
    free(roles);
    free(left);
    free(claims);
    free(since);
}

enum lp_code
cli_executor_list(struct cli *cli, struct lp_err *err)
{
    static const struct cli_column columns[] = {
        {.title = "Executor", .flexible = true},
        {.title = "State"},
        {.title = "Lease left", .right = true},
        {.title = "Claims", .right = true},
        {.title = "Roles", .flexible = true},
        {.title = "Labels", .flexible = true},
        {.title = "Host", .flexible = true, .optional = true},
        {.title = "Version", .optional = true},
        {.title = "Since", .optional = true},
        {.title = "Incarnation", .optional = true}};
    json_auto_t *rows = NULL;
    bool printed = false;
    size_t i;
    json_t *row;
    enum lp_code rc =
        cli_fetch(cli, cli_has(cli, "all") ? "/api/executors/?all=true" : "/api/executors/", &rows,
                  &printed, err);

    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(rows) == 0) {
        cli_put(&cli->out, CLI_DIM, "None.\n");
        return LP_OK;
    }
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));

    json_array_foreach(rows, i, row)
    {
        executor_row(table, row);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
    return LP_OK;
}

static enum lp_code
set_drained(struct cli *cli, bool drained, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:b}", "drained", drained);
    json_auto_t *answer = NULL;
    struct cli_path path;
    enum lp_code rc;

    cli_path_start(&path, "/executors");
    cli_path_part(&path, cli->args[0]);
    cli_path_why(&path, cli);
    rc = cli_call(cli, "PUT", cli_path_get(&path), body, &answer, err);
    cli_path_free(&path);
    return rc;
}

/** What the executor of this name holds; -1: it is not at work. */
static enum lp_code
claims_of(struct cli *cli, const char *name, int64_t *claims, struct lp_err *err)
{
    json_auto_t *rows = NULL;
    size_t i;
    json_t *row;
    enum lp_code rc = cli_call(cli, "GET", "/api/executors/", NULL, &rows, err);

    *claims = -1;
    if (rc != LP_OK)
        return rc;
    json_array_foreach(rows, i, row)
    {
        if (strcmp(lp_json_str(row, "name", ""), name) == 0
            && strcmp(lp_json_str(row, "state", ""), "live") == 0)
            *claims = lp_json_int(row, "claims", 0);
    }
    return LP_OK;
}

enum lp_code
cli_executor_drain(struct cli *cli, struct lp_err *err)
{
    const struct timespec pause = {.tv_nsec = 500000000};
    int64_t claims = -1;
    enum lp_code rc = set_drained(cli, true, err);

    if (rc == LP_OK)
        rc = claims_of(cli, cli->args[0], &claims, err);
    while (rc == LP_OK && cli_has(cli, "watch") && claims > 0) {
        nanosleep(&pause, NULL);
        rc = claims_of(cli, cli->args[0], &claims, err);
    }
    if (rc != LP_OK || cli->json)
        return rc;
    if (claims > 0)
        fprintf(cli->out.file, "%s takes no more work; it still holds %lld.\n", cli->args[0],
                (long long)claims);
    else
        fprintf(cli->out.file, "%s takes no more work and holds none.\n", cli->args[0]);
    return LP_OK;
}

enum lp_code
cli_executor_undrain(struct cli *cli, struct lp_err *err)
{
    enum lp_code rc = set_drained(cli, false, err);

    if (rc == LP_OK && !cli->json)
        fprintf(cli->out.file, "%s works again.\n", cli->args[0]);
    return rc;
}

/* ---- the engine ---- */

static void
print_counts(struct cli *cli, const char *label, const json_t *counts)
{
    struct lp_buf text = LP_BUF_INIT;
    const char *status;
    json_t *count;

    json_object_foreach((json_t *)(uintptr_t)counts, status, count) lp_buf_printf(
        &text, "%s%lld %s", text.len > 0 ? ", " : "", (long long)json_integer_value(count), status);
    cli_print_pair(cli, label, text.len > 0 ? text.data : "none");
    lp_buf_free(&text);
}

static void
print_queue(struct cli *cli, const json_t *engine)
{
    const json_t *queue = json_object_get(engine, "queue");
    char *oldest = span_of(queue, "oldest_seconds");
    char *text = cli_strfmt("%lld, oldest %s", (long long)lp_json_int(queue, "depth", 0), oldest);
    size_t i;
    json_t *row;

    cli_print_pair(cli, "To be executed", text);
    free(oldest);
    free(text);
    json_array_foreach(json_object_get(queue, "labels"), i, row)
    {
        const char *label = lp_json_str(row, "label", "");

        oldest = span_of(row, "oldest_seconds");
        text = cli_strfmt("%s%s%s: %lld, oldest %s, %lld executor(s) can",
                          label[0] == '\0' ? "no label" : "label ", label,
                          lp_json_true(row, "is_task") ? ", tasks" : "",
                          (long long)lp_json_int(row, "depth", 0), oldest,
                          (long long)lp_json_int(row, "executors", 0));
        cli_print_pair(cli, "", text);
        free(oldest);
        free(text);
    }
}

static void
print_waiting(struct cli *cli, const json_t *engine)
{
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(engine, "waiting"), i, row)
    {
        const char *kind = lp_json_str(row, "kind", ""), *label = lp_json_str(row, "label", "");
        char *oldest = span_of(row, "oldest_seconds");
        char *text = cli_strfmt(
            "%lld for %s%s%s, oldest %s", (long long)lp_json_int(row, "count", 0),
            kind[0] == '\0' ? "something" : kind, label[0] == '\0' ? "" : " ", label, oldest);

        cli_print_pair(cli, i == 0 ? "Waiting" : "", text);
        free(oldest);
        free(text);
    }
}

static void
print_leases(struct cli *cli, const json_t *engine)
{
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(engine, "leases"), i, row)
    {
        char *left = span_of(row, "lease_left_s");
        char *text = cli_strfmt("%s: %s%s%s%s", lp_json_str(row, "name", ""),
                                lp_json_true(row, "held")
                                    ? lp_json_str(row, "executor", lp_json_str(row, "owner", "?"))
                                    : "nobody",
                                lp_json_true(row, "held") && left[0] != '\0' ? ", " : "",
                                lp_json_true(row, "held") ? left : "",
                                lp_json_true(row, "held") && left[0] != '\0' ? " left" : "");

        cli_print_pair(cli, i == 0 ? "Leases" : "", text);
        free(left);
        free(text);
    }
}

static void
print_status(struct cli *cli, const json_t *engine, const json_t *counts)
{
    const char *word = lp_json_str(engine, "global_status", "");
    const json_t *executors = json_object_get(engine, "executors");
    char *text = cli_strfmt("%lld live, %lld lost, %lld drained; %lld process(es) in work",
                            (long long)lp_json_int(executors, "live", 0),
                            (long long)lp_json_int(executors, "lost", 0),
                            (long long)lp_json_int(executors, "drained", 0),
                            (long long)lp_json_int(engine, "running_processes", 0));

    cli_putf(&cli->out, CLI_DIM, "%-14s ", "Engine");
    cli_put(&cli->out, cli_status_color(word), word);
    fputs(lp_json_true(engine, "restored") ? " (restored, not validated yet)\n" : "\n",
          cli->out.file);
    cli_print_pair(cli, "Executors", text);
    print_queue(cli, engine);
    print_waiting(cli, engine);
    print_leases(cli, engine);
    print_counts(cli, "Processes", json_object_get(counts, "process_counts"));
    print_counts(cli, "Tasks", json_object_get(counts, "task_counts"));
    cli_print_pair(cli, "Asked at", lp_http_where(cli->http));
    free(text);
}

enum lp_code
cli_engine_status(struct cli *cli, struct lp_err *err)
{
    json_auto_t *engine = NULL;
    json_auto_t *counts = NULL;
    enum lp_code rc = cli_call(cli, "GET", "/api/engine", NULL, &engine, err);

    if (rc == LP_OK)
        rc = cli_call(cli, "GET", "/api/processes/status-counts", NULL, &counts, err);
    if (rc != LP_OK)
        return rc;
    if (cli->json) {
        json_auto_t *all = json_pack("{s:O*, s:O*}", "engine", engine, "counts", counts);

        cli_print_json(cli, all);
    } else
        print_status(cli, engine, counts);
    return LP_OK;
}

/* ---- doctor ---- */

static void
print_more(struct cli *cli, const json_t *finding)
{
    const char *means = lp_json_str(finding, "means", NULL);
    const char *todo = lp_json_str(finding, "todo", NULL);
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(finding, "items"), i, item)
    {
        char *id = cli_clean(lp_json_str(item, "id", ""), false);
        char *text = cli_clean(lp_json_str(item, "text", ""), false);

        cli_putf(&cli->out, CLI_DIM, "           %s  %s\n", id, text);
        free(id);
        free(text);
    }
    if (means != NULL)
        cli_putf(&cli->out, CLI_PLAIN, "           It means: %s\n", means);
    if (todo != NULL && !lp_json_true(finding, "fixed"))
        cli_putf(&cli->out, CLI_PLAIN, "           To do:    %s\n", todo);
}

static void
print_finding(struct cli *cli, const json_t *finding)
{
    const char *severity = lp_json_str(finding, "severity", "");
    bool ok = strcmp(severity, "ok") == 0;
    enum cli_color color = ok                                 ? CLI_GOOD
                           : strcmp(severity, "info") == 0    ? CLI_INFO
                           : strcmp(severity, "warning") == 0 ? CLI_WARN
                                                              : CLI_BAD;
    char *text = cli_clean(lp_json_str(finding, "text", ""), false);

    cli_putf(&cli->out, color, "%-8s", severity);
    fprintf(cli->out.file, "   %s\n", text);
    free(text);
    if (!ok)
        print_more(cli, finding);
}

enum lp_code
cli_doctor(struct cli *cli, struct lp_err *err)
{
    json_auto_t *report = NULL;
    struct cli_path path;
    bool fix = cli_has(cli, "fix");
    size_t i;
    json_t *finding;
    enum lp_code rc;

    cli_path_start(&path, fix ? "/doctor/fix" : "/doctor");
    if (fix)
        cli_path_why(&path, cli);
    rc = cli_call(cli, fix ? "POST" : "GET", cli_path_get(&path), NULL, &report, err);
    cli_path_free(&path);
    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, report);
    else
        json_array_foreach(json_object_get(report, "findings"), i, finding)
        {
            print_finding(cli, finding);
        }
    if (lp_json_int(report, "errors", 0) == 0)
        return LP_OK;
    return lp_fail(err, LP_DRIFT, "%lld thing(s) wrong, %lld to look at",
                   (long long)lp_json_int(report, "errors", 0),
                   (long long)lp_json_int(report, "warnings", 0));
}

/* ---- notifications ---- */

static void
delivery_table(struct cli *cli, const json_t *rows)
{
    static const struct cli_member_column columns[] = {
        {{.title = "At"}, "created_at", CLI_AS_TIME},
        {{.title = "Target"}, "target", CLI_AS_TEXT},
        {{.title = "Status"}, "status", CLI_AS_TEXT},
        {{.title = "Form", .optional = true}, "form", CLI_AS_TEXT},
        {{.title = "Severity", .optional = true}, "severity", CLI_AS_TEXT},
        {{.title = "What", .flexible = true}, "summary", CLI_AS_TEXT},
        {{.title = "Error", .flexible = true, .optional = true}, "error", CLI_AS_TEXT},
        {{.title = "Id", .optional = true}, "id", CLI_AS_SHORT_ID},
    };

    if (json_array_size(rows) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else
        cli_member_table(cli, columns, LP_COUNT(columns), rows);
}

enum lp_code
cli_notification_list(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *rows = NULL;
    bool printed = false;
    int64_t limit;
    enum lp_code rc = cli_opt_int(cli, "limit", 1, 1000, 100, &limit, err);

    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/notifications/");
    cli_path_query(&path, "status", cli_opt(cli, "status"));
    cli_path_query(&path, "limit", cli_opt(cli, "limit"));
    rc = cli_fetch(cli, cli_path_get(&path), &rows, &printed, err);
    cli_path_free(&path);
    if (rc == LP_OK && !printed)
        delivery_table(cli, rows);
    return rc;
}

/** Whether the rules were applied and every delivery has come to an end. */
static bool
settled(const json_t *notification)
{
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(notification, "deliveries"), i, row)
    {
        if (strcmp(lp_json_str(row, "status", ""), "pending") == 0
            && lp_json_str(row, "error", NULL) == NULL)
            return false;
    }
    return lp_json_true(notification, "routed");
}

static enum lp_code
verdict(const json_t *notification, struct lp_err *err)
{
    const json_t *rows = json_object_get(notification, "deliveries");
    size_t i;
    json_t *row;

    if (!lp_json_true(notification, "routed"))
        return lp_fail(err, LP_RETRYABLE,
                       "no scheduler has looked at it yet; is a daemon with that role running?");
    if (json_array_size(rows) == 0)
        return lp_fail(err, LP_NOT_FOUND, "there are no targets in notifications.file");
    json_array_foreach(rows, i, row)
    {
        if (strcmp(lp_json_str(row, "status", ""), "sent") != 0)
            return lp_fail(err, LP_REFUSED, "%s: %s", lp_json_str(row, "target", ""),
                           lp_json_str(row, "error", "not sent yet"));
    }
    return LP_OK;
}

enum lp_code
cli_notification_test(struct cli *cli, struct lp_err *err)
{
    static const struct timespec pause = {.tv_nsec = 200000000};
    enum { LOOKS = 150 }; /* half a minute */
    json_auto_t *body = json_pack("{s:s*}", "target", cli->arg_count > 0 ? cli->args[0] : NULL);
    json_auto_t *answer = NULL;
    json_auto_t *state = NULL;
    struct cli_path path;
    enum lp_code rc = cli_call(cli, "POST", "/api/notifications/test", body, &answer, err);

    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/notifications");
    cli_path_part(&path, lp_json_str(answer, "id", ""));
    for (int i = 0; rc == LP_OK && i < LOOKS && !(state != NULL && settled(state)); i++) {
        json_decref(state);
        state = NULL;
        nanosleep(&pause, NULL);
        rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &state, err);
    }
    cli_path_free(&path);
    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, state);
    else
        delivery_table(cli, json_object_get(state, "deliveries"));
    return verdict(state, err);
}
