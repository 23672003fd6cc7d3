#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/form.h"
#include "cli/watch.h"

/* "/api/processes/<id><suffix>", with ticket and reason when it is an action. */
static enum lp_code
process_path(struct cli *cli, const char *suffix, bool why, struct cli_path *path,
             char id[static 37], struct lp_err *err)
{
    enum lp_code rc = cli_resolve(cli, CLI_PROCESS, cli->args[0], id, err);

    cli_path_start(path, "/processes");
    if (rc != LP_OK)
        return rc;
    cli_path_part(path, id);
    cli_path_text(path, suffix);
    if (why)
        cli_path_why(path, cli);
    return LP_OK;
}

/* ---- start ---- */

static enum lp_code resume_form(struct cli *cli, const char *id, struct cli_form *form,
                                struct lp_err *err);

/* A process that asks for input is answered at once when a person sits there. */
static enum lp_code
watch_and_answer(struct cli *cli, const char *id, json_t *seen, struct lp_err *err)
{
    for (;; seen = cli_watch_seen(cli, id)) {
        struct cli_form form = {.method = "PUT", .ask_all = true};
        bool yes = true;
        enum lp_code rc = cli_watch(cli, id, seen, err);

        if (rc != LP_FORM_INCOMPLETE || !cli->ask || cli->json)
            return rc;
        lp_err_clear(err);
        rc = cli_ask_yes(cli, "The process waits for input. Answer now?", true, &yes, err);
        if (rc == LP_OK && !yes)
            return lp_fail(err, LP_FORM_INCOMPLETE, "it waits: `lightpath process resume %s`",
                           cli_short_id(id));
        if (rc == LP_OK)
            rc = resume_form(cli, id, &form, err);
        if (rc != LP_OK)
            return rc;
    }
}

static void
say_started(struct cli *cli, const char *workflow, const char *id)
{
    cli_put(&cli->out, CLI_GOOD, "Started ");
    fprintf(cli->out.file, "%s  %s\n", workflow, id);
    if (!cli_has(cli, "watch"))
        cli_putf(&cli->out, CLI_DIM, "  follow it: lightpath process watch %s\n", cli_short_id(id));
    fflush(cli->out.file);
}

enum lp_code
cli_start_form(struct cli *cli, const char *workflow, struct cli_form *form, struct lp_err *err)
{
    struct cli_path path;
    struct cli_answer answer = {.status = 0};
    enum lp_code rc;

    cli_path_start(&path, "/processes");
    cli_path_part(&path, workflow);
    cli_path_query(&path, "dry_run", cli_has(cli, "dry-run") ? "true" : NULL);
    cli_path_why(&path, cli);
    cli_path_query(&path, "window", cli_opt(cli, "window"));
    form->method = "POST";
    form->path = cli_path_get(&path);
    form->subject = workflow;
    rc = cli_form_run(cli, form, &answer, err);
    if (rc == LP_OK) {
        const char *id = lp_json_str(answer.body, "id", "");

        if (!cli->json)
            say_started(cli, workflow, id);
        else if (!cli_has(cli, "watch"))
            cli_print_json(cli, answer.body);
        if (cli_has(cli, "watch"))
            rc = watch_and_answer(cli, id, NULL, err);
    }
    cli_answer_free(&answer);
    cli_path_free(&path);
    cli_form_free(form);
    return rc;
}

/** `task start` starts tasks only: a name that was mixed up must not order anything. */
static enum lp_code
demand_task(struct cli *cli, const char *name, struct lp_err *err)
{
    json_auto_t *rows = NULL;
    size_t i;
    json_t *row;
    enum lp_code rc = cli_call(cli, "GET", "/api/workflows/", NULL, &rows, err);

    json_array_foreach(rows, i, row)
    {
        if (strcmp(lp_json_str(row, "name", ""), name) != 0)
            continue;
        if (lp_json_true(row, "is_task"))
            return LP_OK;
        return lp_fail(err, LP_INVALID, "%s is no task; 'lightpath process start %s' starts it",
                       name, name);
    }
    return rc; /* the server says that there is no such name */
}

enum lp_code
cli_process_start(struct cli *cli, struct lp_err *err)
{
    struct cli_form form = {.method = "POST"};
    enum lp_code rc = LP_OK;

    if (strcmp(cli->command->noun, "task") == 0)
        rc = demand_task(cli, cli->args[0], err);
    if (rc == LP_OK)
        rc = cli_form_options(cli, &form, err);

    if (rc == LP_OK && cli->arg_count > 1) {
        char *set = cli_strfmt("subscription_id=%s", cli->args[1]);

        rc = cli_sets_add(&form.sets, set, err);
        free(set);
    }
    if (rc != LP_OK) {
        cli_form_free(&form);
        return rc;
    }
    return cli_start_form(cli, cli->args[0], &form, err);
}

/* ---- lists ---- */

static void
process_row(struct cli_table *table, const json_t *process)
{
    const char *status = lp_json_str(process, "last_status", "");
    const json_t *subscription = json_array_get(json_object_get(process, "subscriptions"), 0);
    char *started = cli_member_time(process, "started_at");

    cli_table_cell(table, CLI_DIM, cli_short_id(lp_json_str(process, "process_id", "")));
    cli_table_cell(table, CLI_PLAIN, lp_json_str(process, "workflow_name", ""));
    cli_table_cell(table, cli_status_color(status), status);
    cli_table_cell(table, CLI_PLAIN, lp_json_str(subscription, "description", ""));
    cli_table_cell(table, CLI_PLAIN, lp_json_str(process, "last_step", ""));
    cli_table_cell(table, CLI_PLAIN, started);
    cli_table_cell(table, CLI_PLAIN, lp_json_str(process, "created_by", ""));
    free(started);
}

static void
process_table(struct cli *cli, const json_t *processes)
{
    static const struct cli_column columns[] = {
        {.title = "Process"},
        {.title = "Workflow", .flexible = true},
        {.title = "Status"},
        {.title = "Subscription", .flexible = true},
        {.title = "Last step", .flexible = true, .optional = true},
        {.title = "Started", .optional = true},
        {.title = "By", .flexible = true, .optional = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    size_t i;
    json_t *process;

    json_array_foreach(processes, i, process) process_row(table, process);
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

static enum lp_code
process_filter(struct cli *cli, struct lp_buf *filter, struct lp_err *err)
{
    char *status = cli_alternatives(cli, "status");
    const char *subscription = cli_opt(cli, "subscription");
    char id[37];
    enum lp_code rc = LP_OK;

    if (!cli_has(cli, "all"))
        cli_filter_add(filter, "is_task", cli_has(cli, "tasks") ? "true" : "false");
    cli_filter_add(filter, "last_status", status);
    cli_filter_add(filter, "workflow_name", cli_opt(cli, "workflow"));
    free(status);
    if (subscription != NULL)
        rc = cli_resolve(cli, CLI_SUBSCRIPTION, subscription, id, err);
    if (rc == LP_OK && subscription != NULL)
        cli_filter_add(filter, "subscription_id", id);
    if (rc == LP_OK && filter->failed)
        cli_no_memory();
    return rc;
}

/* Prints a list: the rows with -o json, else through `print`, with a word about what was left out.
 */
static enum lp_code
show_list(struct cli *cli, const struct cli_path *path, void (*print)(struct cli *, const json_t *),
          struct lp_err *err)
{
    json_auto_t *rows = NULL;
    int64_t limit = 100;
    bool more = false;
    enum lp_code rc = cli_opt_int(cli, "limit", 1, 100000, 100, &limit, err);

    if (rc == LP_OK)
        rc = cli_list(cli, cli_path_get(path), limit, &rows, &more, err);
    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, rows);
    else if (json_array_size(rows) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else {
        print(cli, rows);
        if (more)
            cli_putf(&cli->out, CLI_DIM, "There are more; --limit=N shows them.\n");
    }
    return LP_OK;
}

enum lp_code
cli_process_list(struct cli *cli, struct lp_err *err)
{
    struct lp_buf filter = LP_BUF_INIT;
    struct cli_path path;
    enum lp_code rc = process_filter(cli, &filter, err);

    cli_path_start(&path, "/processes/");
    cli_path_query(&path, "filter", filter.data);
    if (rc == LP_OK)
        rc = show_list(cli, &path, process_table, err);
    cli_path_free(&path);
    lp_buf_free(&filter);
    return rc;
}

/* ---- one process ---- */

static void
print_head(struct cli *cli, const json_t *process)
{
    const char *status = lp_json_str(process, "last_status", "");
    char *started = cli_member_time(process, "started_at");
    char *modified = cli_member_time(process, "last_modified_at");
    size_t i;
    json_t *subscription;

    cli_print_pair(cli, "Process", lp_json_str(process, "process_id", ""));
    cli_print_pair(cli, "Workflow", lp_json_str(process, "workflow_name", ""));
    cli_putf(&cli->out, CLI_DIM, "%-14s ", "Status");
    cli_put(&cli->out, cli_status_color(status), status);
    fputc('\n', cli->out.file);
    cli_print_pair(cli, "Failed because", lp_json_str(process, "failed_reason", ""));
    cli_print_pair(cli, "Assignee", lp_json_str(process, "assignee", ""));
    cli_print_pair(cli, "Started", started);
    cli_print_pair(cli, "Changed", modified);
    cli_print_pair(cli, "By", lp_json_str(process, "created_by", ""));
    cli_print_pair(cli, "Ticket", lp_json_str(process, "ticket", ""));
    cli_print_pair(cli, "Reason", lp_json_str(process, "reason", ""));
    cli_print_pair(cli, "Waits for", lp_json_str(process, "wait_reason", ""));
    cli_print_pair(cli, "Note", lp_json_str(process, "note", ""));
    json_array_foreach(json_object_get(process, "subscriptions"), i, subscription)
        cli_print_pair(cli, "Subscription", lp_json_str(subscription, "description", ""));
    free(started);
    free(modified);
}

static const struct {
    const char *status, *next;
} next_actions[] = {
    {"failed", "retry"},
    {"inconsistent_data", "retry"},
    {"api_unavailable", "retry"},
    {"waiting", "retry"},
    {"suspended", "resume"},
    {"running", "watch"},
    {"awaiting_callback", "watch"},
    {"created", "watch"},
};

static void
print_next(struct cli *cli, const json_t *process)
{
    const char *status = lp_json_str(process, "last_status", "");

    for (size_t i = 0; i < LP_COUNT(next_actions); i++) {
        if (strcmp(next_actions[i].status, status) == 0)
            cli_putf(&cli->out, CLI_DIM, "\nnext: lightpath process %s %s\n", next_actions[i].next,
                     cli_short_id(lp_json_str(process, "process_id", "")));
    }
}

enum lp_code
cli_process_show(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *process = NULL;
    bool printed = false;
    char id[37];
    enum lp_code rc = process_path(cli, "", false, &path, id, err);

    if (rc == LP_OK)
        rc = cli_fetch(cli, cli_path_get(&path), &process, &printed, err);
    cli_path_free(&path);
    if (rc != LP_OK || printed)
        return rc;
    print_head(cli, process);
    fputc('\n', cli->out.file);
    cli_steps_table(cli, process);
    print_next(cli, process);
    return LP_OK;
}

static void
print_delta(struct cli *cli, const json_t *step)
{
    const json_t *delta = json_object_get(step, "state_delta");
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)delta, key, value)
    {
        char *text =
            json_is_string(value) ? cli_strdup(json_string_value(value)) : lp_json_text(value);
        char *line = cli_strfmt("%s = %s", key, text != NULL ? text : "");
        char *clean = cli_clean(line, false);
        char *cut =
            cli->out.width > 8 ? cli_cut(clean, (size_t)cli->out.width - 8) : cli_strdup(clean);

        cli_putf(&cli->out, CLI_DIM, "      %s\n", cut);
        free(text);
        free(line);
        free(clean);
        free(cut);
    }
}

static void
print_attempts(struct cli *cli, const json_t *attempts)
{
    static const struct cli_column columns[] = {{.title = "Step", .flexible = true},
                                                {.title = "Attempt", .right = true},
                                                {.title = "Outcome"},
                                                {.title = "Started"},
                                                {.title = "Error", .flexible = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    size_t i;
    json_t *attempt;

    json_array_foreach(attempts, i, attempt)
    {
        char *started = cli_member_time(attempt, "started");
        char *n = cli_strfmt("%lld", (long long)lp_json_int(attempt, "n", 0));
        const json_t *error = json_object_get(attempt, "error");

        cli_table_cell(table, CLI_PLAIN, lp_json_str(attempt, "step", ""));
        cli_table_cell(table, CLI_PLAIN, n);
        cli_table_cell(table, CLI_PLAIN, lp_json_str(attempt, "outcome", ""));
        cli_table_cell(table, CLI_DIM, started);
        cli_table_cell(table, CLI_BAD,
                       json_is_string(error) ? json_string_value(error)
                                             : lp_json_str(error, "error", ""));
        free(started);
        free(n);
    }
    fputc('\n', cli->out.file);
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

static void
print_steps(struct cli *cli, const json_t *process)
{
    size_t i;
    json_t *step;

    json_array_foreach(json_object_get(process, "steps"), i, step)
    {
        const char *status = lp_json_str(step, "status", "");
        char *name = cli_clean(lp_json_str(step, "name", ""), false);

        fprintf(cli->out.file, "%3zu  %s  ", i + 1, name);
        cli_put(&cli->out, cli_status_color(status), status);
        fputc('\n', cli->out.file);
        print_delta(cli, step);
        free(name);
    }
}

enum lp_code
cli_process_steps(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *process = NULL;
    json_auto_t *more = NULL;
    char id[37];
    enum lp_code rc = process_path(cli, "", false, &path, id, err);

    if (rc == LP_OK)
        rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &process, err);
    cli_path_text(&path, "/attempts");
    if (rc == LP_OK)
        rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &more, err);
    cli_path_free(&path);
    if (rc != LP_OK)
        return rc;
    if (cli->json) {
        json_auto_t *both =
            json_pack("{s:O*, s:O*}", "steps", json_object_get(process, "steps"), "more", more);

        cli_print_json(cli, both);
        return LP_OK;
    }
    print_steps(cli, process);
    if (json_array_size(json_object_get(more, "attempts")) > 0)
        print_attempts(cli, json_object_get(more, "attempts"));
    return LP_OK;
}

enum lp_code
cli_process_watch(struct cli *cli, struct lp_err *err)
{
    char id[37];
    enum lp_code rc = cli_resolve(cli, CLI_PROCESS, cli->args[0], id, err);

    return rc == LP_OK ? watch_and_answer(cli, id, NULL, err) : rc;
}

/* ---- actions ---- */

/* Tells what was done, or follows the process; `seen` is taken. */
static enum lp_code
after_action(struct cli *cli, const char *id, const char *done, json_t *seen, struct lp_err *err)
{
    if (cli_has(cli, "watch"))
        return watch_and_answer(cli, id, seen, err);
    json_decref(seen);
    if (!cli->json)
        fprintf(cli->out.file, "%s %s\n", done, id);
    return LP_OK;
}

static enum lp_code
act(struct cli *cli, const char *suffix, const json_t *body, const char *done, struct lp_err *err)
{
    struct cli_path path;
    json_t *seen = NULL;
    char id[37];
    enum lp_code rc = process_path(cli, suffix, true, &path, id, err);

    if (rc == LP_OK && cli_has(cli, "watch"))
        seen = cli_watch_seen(cli, id);
    if (rc == LP_OK && strcmp(suffix, "/abort") == 0 && cli_has(cli, "rollback"))
        cli_path_query(&path, "rollback", "true");
    if (rc == LP_OK)
        rc = cli_call(cli, "PUT", cli_path_get(&path), body, NULL, err);
    cli_path_free(&path);
    if (rc == LP_OK)
        return after_action(cli, id, done, seen, err);
    json_decref(seen);
    return rc;
}

static enum lp_code
want_reason(const struct cli *cli, struct lp_err *err)
{
    if (cli_has(cli, "reason"))
        return LP_OK;
    return lp_fail_at(err, LP_INVALID, "--reason",
                      "an override wants --reason=TEXT: it is kept in the audit");
}

enum lp_code
cli_process_retry(struct cli *cli, struct lp_err *err)
{
    json_auto_t *body = json_object();

    return act(cli, "/resume", body, "Retrying", err);
}

enum lp_code
cli_process_skip(struct cli *cli, struct lp_err *err)
{
    enum lp_code rc = want_reason(cli, err);

    return rc == LP_OK ? act(cli, "/skip", NULL, "Skipped the step of", err) : rc;
}

enum lp_code
cli_process_mark_done(struct cli *cli, struct lp_err *err)
{
    const char *text = cli_opt(cli, "delta");
    json_t *delta = NULL;
    json_auto_t *body = json_object();
    enum lp_code rc = want_reason(cli, err);

    if (rc == LP_OK && text != NULL)
        rc = lp_json_load(text, strlen(text), &delta, err);
    if (rc == LP_OK && text != NULL && !json_is_object(delta))
        rc = lp_fail_at(err, LP_INVALID, "--delta",
                        "--delta wants a JSON object such as {\"key\": 1}");
    if (delta != NULL)
        json_object_set_new(body, "delta", delta);
    return rc == LP_OK ? act(cli, "/mark-done", body, "Marked the step done of", err) : rc;
}

/* The server takes an abort of what is over and does nothing: a person is told. */
static enum lp_code
check_abortable(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *process = NULL;
    char id[37];
    enum lp_code rc = process_path(cli, "", false, &path, id, err);

    if (rc == LP_OK)
        rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &process, err);
    cli_path_free(&path);
    if (rc == LP_OK && strcmp(lp_json_str(process, "last_status", ""), "completed") == 0)
        rc = lp_fail(err, LP_CONFLICT, "the process is completed already; nothing was aborted");
    return rc;
}

enum lp_code
cli_process_abort(struct cli *cli, struct lp_err *err)
{
    bool yes = true;
    enum lp_code rc = check_abortable(cli, err);

    if (rc == LP_OK && cli->ask)
        rc = cli_ask_yes(cli, "Abort this process for good?", false, &yes, err);
    if (rc == LP_OK && !yes)
        rc = lp_fail(err, LP_CANCELLED, "not confirmed; nothing was aborted");
    if (rc == LP_OK)
        rc = act(cli, "/abort", NULL, "Aborting", err);
    if (rc == LP_CANCELLED && cli_has(cli, "watch")
        && strcmp(err->msg, "the process was aborted") == 0) {
        lp_err_clear(err); /* that is what was asked for */
        rc = LP_OK;
    }
    return rc;
}

enum lp_code
cli_process_note(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *body = json_pack("{s:s}", "note", cli->args[1]);
    char id[37];
    enum lp_code rc = process_path(cli, "", true, &path, id, err);

    if (rc == LP_OK && body == NULL)
        rc = lp_fail(err, LP_INVALID, "the note is not valid UTF-8");
    if (rc == LP_OK)
        rc = cli_call(cli, "PATCH", cli_path_get(&path), body, NULL, err);
    cli_path_free(&path);
    return rc == LP_OK ? after_action(cli, id, "Noted on", NULL, err) : rc;
}

enum lp_code
cli_process_delete(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    char id[37];
    enum lp_code rc = process_path(cli, "", true, &path, id, err);

    if (rc == LP_OK)
        rc = cli_call(cli, "DELETE", cli_path_get(&path), NULL, NULL, err);
    cli_path_free(&path);
    return rc == LP_OK ? after_action(cli, id, "Deleted", NULL, err) : rc;
}

/* ---- resume ---- */

static enum lp_code
first_page(struct cli *cli, const char *id, struct cli_form *form, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *process = NULL;
    enum lp_code rc;

    cli_path_start(&path, "/processes");
    cli_path_part(&path, id);
    rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &process, err);
    cli_path_free(&path);
    if (rc != LP_OK)
        return rc;
    if (strcmp(lp_json_str(process, "last_status", ""), "suspended") != 0)
        return lp_fail(
            err, LP_CONFLICT,
            "the process is %.40s, it does not wait for input; `lightpath process show %s`",
            lp_json_str(process, "last_status", "?"), cli_short_id(id));
    form->first = json_incref(json_object_get(process, "form"));
    if (!json_is_object(form->first)) {
        json_decref(form->first);
        form->first = json_pack("{s:s, s:{}}", "type", "object", "properties");
    }
    return LP_OK;
}

/* Takes the form. */
static enum lp_code
resume_form(struct cli *cli, const char *id, struct cli_form *form, struct lp_err *err)
{
    struct cli_path path;
    struct cli_answer answer = {.status = 0};
    enum lp_code rc = first_page(cli, id, form, err);

    cli_path_start(&path, "/processes");
    cli_path_part(&path, id);
    cli_path_text(&path, "/resume");
    cli_path_why(&path, cli);
    form->method = "PUT";
    form->path = cli_path_get(&path);
    form->subject = "the step";
    if (rc == LP_OK)
        rc = cli_form_run(cli, form, &answer, err);
    cli_answer_free(&answer);
    cli_path_free(&path);
    cli_form_free(form);
    return rc;
}

enum lp_code
cli_process_resume(struct cli *cli, struct lp_err *err)
{
    struct cli_form form = {.method = "PUT"};
    json_t *seen = NULL;
    char id[37];
    enum lp_code rc = cli_resolve(cli, CLI_PROCESS, cli->args[0], id, err);

    if (rc == LP_OK)
        rc = cli_form_options(cli, &form, err);
    if (rc != LP_OK) {
        cli_form_free(&form);
        return rc;
    }
    seen = cli_has(cli, "watch") ? cli_watch_seen(cli, id) : NULL;
    rc = resume_form(cli, id, &form, err);
    if (rc == LP_OK)
        return after_action(cli, id, "Resumed", seen, err);
    json_decref(seen);
    return rc;
}

/* ---- processes whose definition changed ---- */

/** "label  a b c" of a list of keys; nothing of an empty one. */
static void
print_keys(struct cli *cli, const char *name, const json_t *keys)
{
    size_t i;
    json_t *key;

    if (json_array_size(keys) == 0)
        return;
    cli_putf(&cli->out, CLI_DIM, "  %-18s", name);
    json_array_foreach(keys, i, key)
    {
        char *text = json_is_string(key)
                         ? cli_strdup(json_string_value(key))
                         : cli_strfmt("%s%s -> %s", lp_json_str(key, "key", ""),
                                      json_object_get(key, "key") != NULL ? ": " : "",
                                      lp_json_str(key, "is", ""));
        const char *was = json_is_object(key) ? lp_json_str(key, "was", NULL) : NULL;

        fprintf(cli->out.file, "%s%s%s%s", i > 0 ? ", " : "", was == NULL ? "" : was,
                was == NULL ? "" : " ", text);
        free(text);
    }
    fputc('\n', cli->out.file);
}

static void
print_definition(struct cli *cli, const json_t *row)
{
    cli_putf(&cli->out, CLI_BOLD, "%s", lp_json_str(row, "workflow_name", ""));
    fprintf(cli->out.file, ": %lld process(es) begun with %s\n",
            (long long)lp_json_int(row, "count", 0),
            lp_json_true(row, "workflow_gone") ? "a workflow this program does not have"
                                               : "other steps");
    print_keys(cli, "removed", json_object_get(row, "removed"));
    print_keys(cli, "added", json_object_get(row, "added"));
    print_keys(cli, "moved", json_object_get(row, "moved"));
    print_keys(cli, "kind or effects", json_object_get(row, "altered"));
    print_keys(cli, "perhaps renamed", json_object_get(row, "perhaps_renamed"));
}

static void
print_changed(struct cli *cli, const json_t *row)
{
    static const struct {
        const char *standing, *text;
        enum cli_color color;
    } texts[] = {{"goes_on", "goes on", CLI_GOOD},
                 {"will_stop", "its step is gone: will stop", CLI_WARN},
                 {"stopped", "its step is gone: stopped", CLI_BAD},
                 {"undoing", "is being undone", CLI_INFO},
                 {"workflow_gone", "its workflow is gone", CLI_BAD}};
    const char *next = lp_json_str(row, "goes_on_at", NULL);
    size_t i;
    json_t *choice;

    fprintf(cli->out.file, "\nprocess %s  %s at %s: ", lp_json_str(row, "process_id", ""),
            lp_json_str(row, "last_status", ""), lp_json_str(row, "step", "its begin"));
    for (i = 0; i < LP_COUNT(texts); i++)
        if (strcmp(texts[i].standing, lp_json_str(row, "standing", "")) == 0)
            cli_put(&cli->out, texts[i].color, texts[i].text);
    fprintf(cli->out.file, "%s%s\n", next == NULL ? "" : ", next step ", next == NULL ? "" : next);
    print_keys(cli, "new, passed over", json_object_get(row, "passed_over"));
    print_keys(cli, "cannot be undone", json_object_get(row, "not_undoable"));
    json_array_foreach(json_object_get(row, "choices"), i, choice)
    {
        const char *command = lp_json_str(choice, "command", NULL);

        if (command != NULL)
            cli_putf(&cli->out, CLI_BOLD, "  %s\n", command);
        fprintf(cli->out.file, "%s%s\n", command != NULL ? "      " : "  ",
                lp_json_str(choice, "means", ""));
    }
}

enum lp_code
cli_process_changed(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *report = NULL;
    bool printed = false;
    char id[37];
    size_t i;
    json_t *row;
    enum lp_code rc = LP_OK;

    if (cli->arg_count > 0)
        rc = cli_resolve(cli, CLI_PROCESS, cli->args[0], id, err);
    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/processes/changed");
    cli_path_query(&path, "limit", cli_opt(cli, "limit"));
    cli_path_query(&path, "process_id", cli->arg_count > 0 ? id : NULL);
    rc = cli_fetch(cli, cli_path_get(&path), &report, &printed, err);
    cli_path_free(&path);
    if (rc != LP_OK || printed)
        return rc;
    json_array_foreach(json_object_get(report, "definitions"), i, row)
    {
        print_definition(cli, row);
    }
    json_array_foreach(json_object_get(report, "processes"), i, row)
    {
        print_changed(cli, row);
    }
    if (json_array_size(json_object_get(report, "processes")) == 0)
        cli_put(&cli->out, CLI_GOOD,
                cli->arg_count > 0 ? "It runs with the steps it was begun with.\n"
                                   : "Every process runs with the steps it was begun with.\n");
    return LP_OK;
}

/* ---- todo ---- */

static void
todo_table(struct cli *cli, const json_t *rows)
{
    static const struct cli_column columns[] = {
        {.title = "Process"},
        {.title = "Workflow", .flexible = true},
        {.title = "Status"},
        {.title = "Who", .optional = true},
        {.title = "Why", .flexible = true},
        {.title = "Subscription", .flexible = true, .optional = true},
        {.title = "Since", .optional = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        const char *status = lp_json_str(row, "last_status", lp_json_str(row, "status", ""));
        const json_t *subscription = json_array_get(json_object_get(row, "subscriptions"), 0);
        char *since = cli_member_time(row, "last_modified_at");

        cli_table_cell(table, CLI_DIM, cli_short_id(lp_json_str(row, "process_id", "")));
        cli_table_cell(table, CLI_PLAIN,
                       lp_json_str(row, "workflow_name", lp_json_str(row, "workflow", "")));
        cli_table_cell(table, cli_status_color(status), status);
        cli_table_cell(table, CLI_PLAIN, lp_json_str(row, "assignee", ""));
        cli_table_cell(table, CLI_PLAIN,
                       lp_json_str(row, "failed_reason", lp_json_str(row, "last_step", "")));
        cli_table_cell(table, CLI_PLAIN, lp_json_str(subscription, "description", ""));
        cli_table_cell(table, CLI_DIM, since);
        free(since);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

static const struct cli_member_column drift_columns[] = {
    {{.title = "Subscription"}, "subscription_id", CLI_AS_SHORT_ID},
    {{.title = "Description", .flexible = true}, "description", CLI_AS_TEXT},
    {{.title = "Product"}, "product", CLI_AS_TEXT},
    {{.title = "Out of sync since", .optional = true}, "since", CLI_AS_TIME},
};

enum lp_code
cli_todo(struct cli *cli, struct lp_err *err)
{
    json_auto_t *todo = NULL;
    bool printed = false;
    enum lp_code rc = cli_fetch(cli, "/api/todo", &todo, &printed, err);
    const json_t *processes = json_object_get(todo, "processes");
    const json_t *drift = json_object_get(todo, "out_of_sync");

    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(processes) == 0 && json_array_size(drift) == 0)
        cli_put(&cli->out, CLI_GOOD, "Nothing waits for a person.\n");
    if (json_array_size(processes) > 0) {
        todo_table(cli, processes);
        cli_put(&cli->out, CLI_DIM,
                "failed: `lightpath process retry|skip|mark-done|abort`; suspended: `lightpath "
                "process resume`\n");
    }
    if (json_array_size(drift) > 0) {
        fputs(json_array_size(processes) > 0 ? "\n" : "", cli->out.file);
        cli_member_table(cli, drift_columns, LP_COUNT(drift_columns), drift);
        cli_put(&cli->out, CLI_DIM,
                "out of sync: `lightpath subscription workflows SUBSCRIPTION` tells what may be "
                "started, such as validate and reconcile\n");
    }
    return LP_OK;
}
