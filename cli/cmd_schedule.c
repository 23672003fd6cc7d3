#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

/* ---- what both nouns share ---- */

/** Adds a text option as a member; "none" and "" become null. */
static void
put_text(struct cli *cli, json_t *body, const char *option, const char *member)
{
    const char *value = cli_opt(cli, option);

    if (value == NULL)
        return;
    if (value[0] == '\0' || strcmp(value, "none") == 0)
        json_object_set_new(body, member, json_null());
    else
        (void)!lp_json_set_str(body, member, value);
}

static enum lp_code
put_int(struct cli *cli, json_t *body, const char *option, const char *member, int64_t low,
        int64_t high, struct lp_err *err)
{
    int64_t value = 0;
    enum lp_code rc;

    if (cli_opt(cli, option) == NULL)
        return LP_OK;
    rc = cli_opt_int(cli, option, low, high, 0, &value, err);
    return rc == LP_OK && lp_json_set_int(body, member, value) != 0
               ? lp_fail(err, LP_NOMEM, "no memory")
               : rc;
}

/** A number of seconds stays one; everything else is a time as the server reads it. */
static json_t *
time_json(const char *text)
{
    char *end = NULL;
    long long seconds = strtoll(text, &end, 10);

    return *text != '\0' && *end == '\0' ? json_integer(seconds) : json_string(text);
}

static void
put_time(struct cli *cli, json_t *body, const char *option, const char *member)
{
    const char *value = cli_opt(cli, option);

    if (value != NULL)
        json_object_set_new(body, member,
                            strcmp(value, "none") == 0 ? json_null() : time_json(value));
}

/** Sends and shows what came back: the whole with -o json, else one line. */
static enum lp_code
send(struct cli *cli, const char *method, struct cli_path *path, const json_t *body,
     const char *done, struct lp_err *err)
{
    json_auto_t *answer = NULL;
    char *name;
    enum lp_code rc;

    cli_path_why(path, cli);
    rc = cli_call(cli, method, cli_path_get(path), body, &answer, err);
    cli_path_free(path);
    if (rc != LP_OK)
        return rc;
    if (cli->json && answer != NULL) {
        cli_print_json(cli, answer);
    } else if (!cli->json) {
        name = cli_clean(lp_json_str(answer, "name", cli->args[0]), false);
        fprintf(cli->out.file, "%s %s\n", done, name);
        if (lp_json_str(answer, "text", NULL) != NULL)
            cli_print_pair(cli, "When", lp_json_str(answer, "text", NULL));
        free(name);
    }
    return LP_OK;
}

/* ---- which schedule ---- */

/** By id, by the beginning or the end of one (4 characters and more), or by name. */
static bool
means(const json_t *schedule, const char *text)
{
    const char *id = lp_json_str(schedule, "id", "");
    size_t len = strlen(text), whole = strlen(id);

    if (strcmp(lp_json_str(schedule, "name", ""), text) == 0)
        return true;
    return len >= 4 && len <= whole
           && (strncmp(id, text, len) == 0 || strcmp(id + whole - len, text) == 0);
}

/** Path of the one schedule the first argument means. */
static enum lp_code
schedule_path(struct cli *cli, struct cli_path *path, struct lp_err *err)
{
    json_auto_t *list = NULL;
    const char *id = NULL;
    size_t i, found = 0;
    json_t *one;
    enum lp_code rc = cli_call(cli, "GET", "/api/schedules/", NULL, &list, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(list, i, one)
    {
        if (means(one, cli->args[0])) {
            id = lp_json_str(one, "id", "");
            found++;
        }
    }
    if (found == 0)
        return lp_fail(err, LP_NOT_FOUND, "there is no schedule '%.100s'", cli->args[0]);
    if (found > 1)
        return lp_fail(err, LP_CONFLICT, "'%.100s' means %zu schedules: give the id", cli->args[0],
                       found);
    cli_path_start(path, "/schedules");
    cli_path_part(path, id);
    return LP_OK;
}

/* ---- schedule ---- */

enum lp_code
cli_schedule_list(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Schedule"}, "id", CLI_AS_SHORT_ID},
        {{.title = "Name", .flexible = true}, "name", CLI_AS_TEXT},
        {{.title = "When", .flexible = true}, "text", CLI_AS_TEXT},
        {{.title = "Next"}, "next_run_time", CLI_AS_TIME},
        {{.title = "Paused", .optional = true}, "paused", CLI_AS_FLAG},
        {{.title = "Task", .flexible = true, .optional = true}, "workflow_name", CLI_AS_TEXT},
    };
    json_auto_t *rows = NULL;
    bool printed = false;
    enum lp_code rc = cli_fetch(cli, "/api/schedules/", &rows, &printed, err);

    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(rows) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else
        cli_member_table(cli, columns, LP_COUNT(columns), rows);
    return LP_OK;
}

static void
print_time(struct cli *cli, const char *label, const json_t *object, const char *key)
{
    char *text = cli_member_time(object, key);

    cli_print_pair(cli, label, text);
    free(text);
}

static void
print_schedule(struct cli *cli, const json_t *s)
{
    const json_t *last = json_object_get(s, "last_run");
    char *inputs = lp_json_text(json_object_get(s, "user_inputs"));

    cli_print_pair(cli, "Name", lp_json_str(s, "name", ""));
    cli_print_pair(cli, "Id", lp_json_str(s, "id", ""));
    cli_print_pair(cli, "Task", lp_json_str(s, "workflow_name", ""));
    cli_print_pair(cli, "When", lp_json_str(s, "text", ""));
    cli_print_pair(cli, "Input", inputs);
    print_time(cli, "Next", s, "next_run_time");
    cli_print_pair(cli, "Paused", json_is_true(json_object_get(s, "paused")) ? "yes" : NULL);
    cli_print_pair(cli, "Misfire", lp_json_str(s, "misfire", ""));
    cli_print_pair(cli, "Overlap", lp_json_str(s, "overlap", ""));
    cli_print_pair(cli, "Window", lp_json_str(s, "window", NULL));
    cli_print_pair(cli, "Starts as", lp_json_str(s, "owner", ""));
    cli_print_pair(cli, "Error", lp_json_str(s, "error", NULL));
    if (json_is_object(last)) {
        print_time(cli, "Last run", last, "due_at");
        cli_print_pair(cli, "Outcome", lp_json_str(last, "outcome", ""));
        cli_print_pair(cli, "Process", lp_json_str(last, "process_id", NULL));
        cli_print_pair(cli, "Reason", lp_json_str(last, "reason", NULL));
    }
    free(inputs);
}

enum lp_code
cli_schedule_show(struct cli *cli, struct lp_err *err)
{
    json_auto_t *schedule = NULL;
    struct cli_path path;
    bool printed = false;
    enum lp_code rc = schedule_path(cli, &path, err);

    if (rc != LP_OK)
        return rc;
    rc = cli_fetch(cli, cli_path_get(&path), &schedule, &printed, err);
    cli_path_free(&path);
    if (rc == LP_OK && !printed)
        print_schedule(cli, schedule);
    return rc;
}

/** "90s", "15m", "6h", "1d", "2w", or parts of them together: "1h30m". */
static enum lp_code
interval_json(const char *text, json_t **out, struct lp_err *err)
{
    static const struct {
        char letter;
        const char *name;
    } units[] = {{'w', "weeks"}, {'d', "days"}, {'h', "hours"}, {'m', "minutes"}, {'s', "seconds"}};
    json_auto_t *kwargs = json_object();
    const char *p = text;

    while (*p != '\0') {
        char *end = NULL;
        long long n = strtoll(p, &end, 10);
        size_t u = 0;

        while (u < LP_COUNT(units) && units[u].letter != *end)
            u++;
        if (end == p || n < 0 || u == LP_COUNT(units)
            || json_object_get(kwargs, units[u].name) != NULL)
            return lp_fail(err, LP_INVALID,
                           "--every wants a time such as 6h, 15m or 1h30m, not '%.40s'", text);
        (void)!lp_json_set_int(kwargs, units[u].name, n);
        p = end + 1;
    }
    *out = lp_json_take(&kwargs);
    return LP_OK;
}

static enum lp_code
put_trigger(struct cli *cli, json_t *body, struct lp_err *err)
{
    const char *cron = cli_opt(cli, "cron"), *every = cli_opt(cli, "every"),
               *at = cli_opt(cli, "at");
    const char *kind = cron != NULL ? "cron" : every != NULL ? "interval" : "date";
    json_t *kwargs = NULL;
    enum lp_code rc = LP_OK;

    if ((cron != NULL) + (every != NULL) + (at != NULL) > 1)
        return lp_fail(err, LP_INVALID, "--cron, --every and --at exclude each other");
    if (cron == NULL && every == NULL && at == NULL) {
        if (cli_has(cli, "timezone") || cli_has(cli, "jitter") || cli_has(cli, "start")
            || cli_has(cli, "end"))
            return lp_fail(err, LP_INVALID,
                           "--timezone, --jitter, --start and --end belong to --cron, --every or "
                           "--at: give that again");
        return LP_OK;
    }
    if (every != NULL)
        rc = interval_json(every, &kwargs, err);
    else
        kwargs = json_object();
    if (rc != LP_OK)
        return rc;
    if (cron != NULL)
        (void)!lp_json_set_str(kwargs, "expression", cron);
    if (at != NULL)
        json_object_set_new(kwargs, "run_date", time_json(at));
    put_text(cli, kwargs, "timezone", "timezone");
    put_time(cli, kwargs, "start", "start_date");
    put_time(cli, kwargs, "end", "end_date");
    rc = put_int(cli, kwargs, "jitter", "jitter", 0, 86400, err);
    (void)!lp_json_set_str(body, "trigger", kind);
    json_object_set_new(body, "trigger_kwargs", kwargs);
    return rc;
}

static enum lp_code
put_inputs(struct cli *cli, json_t *body, struct lp_err *err)
{
    const char *text = cli_opt(cli, "inputs");
    json_t *pages = NULL;
    enum lp_code rc;

    if (text == NULL)
        return LP_OK;
    rc = lp_json_load(text, strlen(text), &pages, err);
    if (rc != LP_OK)
        return lp_err_prefix(err, "--inputs: ");
    if (json_is_object(pages)) /* one page */
        pages = json_pack("[o]", pages);
    json_object_set_new(body, "user_inputs", pages);
    return LP_OK;
}

static enum lp_code
put_options(struct cli *cli, json_t *body, struct lp_err *err)
{
    enum lp_code rc = put_trigger(cli, body, err);

    if (rc == LP_OK)
        rc = put_inputs(cli, body, err);
    if (rc == LP_OK)
        rc = put_int(cli, body, "misfire-most", "misfire_most", 1, 1000, err);
    if (rc == LP_OK)
        rc = put_int(cli, body, "grace", "grace_seconds", 1, 604800, err);
    put_text(cli, body, "name", "name");
    put_text(cli, body, "misfire", "misfire");
    put_text(cli, body, "overlap", "overlap");
    put_text(cli, body, "window", "window");
    return rc;
}

enum lp_code
cli_schedule_create(struct cli *cli, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:s}", "workflow_name", cli->args[0]);
    struct cli_path path;
    enum lp_code rc = body == NULL ? lp_fail(err, LP_INVALID, "the name is not valid UTF-8")
                                   : put_options(cli, body, err);

    if (rc == LP_OK && json_object_get(body, "trigger") == NULL)
        rc = lp_fail(err, LP_INVALID, "a schedule needs --cron, --every or --at");
    if (cli_has(cli, "paused"))
        (void)!lp_json_set_bool(body, "paused", true);
    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/schedules/");
    return send(cli, "POST", &path, body, "Made", err);
}

static enum lp_code
put_schedule(struct cli *cli, const json_t *body, const char *done, struct lp_err *err)
{
    struct cli_path path;
    enum lp_code rc = schedule_path(cli, &path, err);

    return rc == LP_OK ? send(cli, "PUT", &path, body, done, err) : rc;
}

enum lp_code
cli_schedule_update(struct cli *cli, struct lp_err *err)
{
    json_auto_t *body = json_object();
    enum lp_code rc = put_options(cli, body, err);

    if (rc == LP_OK && json_object_size(body) == 0)
        rc = lp_fail(err, LP_INVALID, "nothing to change: give an option");
    return rc == LP_OK ? put_schedule(cli, body, "Changed", err) : rc;
}

enum lp_code
cli_schedule_pause(struct cli *cli, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:b}", "paused", 1);

    return put_schedule(cli, body, "Paused", err);
}

enum lp_code
cli_schedule_resume(struct cli *cli, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:b}", "paused", 0);

    return put_schedule(cli, body, "Goes on:", err);
}

enum lp_code
cli_schedule_delete(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    enum lp_code rc = schedule_path(cli, &path, err);

    return rc == LP_OK ? send(cli, "DELETE", &path, NULL, "Deleted", err) : rc;
}

enum lp_code
cli_schedule_runs(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Due"}, "due_at", CLI_AS_TIME},
        {{.title = "Dealt with", .optional = true}, "at", CLI_AS_TIME},
        {{.title = "Outcome"}, "outcome", CLI_AS_TEXT},
        {{.title = "Process"}, "process_id", CLI_AS_SHORT_ID},
        {{.title = "Status"}, "process_status", CLI_AS_STATUS},
        {{.title = "Reason", .flexible = true}, "reason", CLI_AS_TEXT},
    };
    json_auto_t *rows = NULL;
    struct cli_path path;
    bool printed = false;
    enum lp_code rc = schedule_path(cli, &path, err);

    if (rc != LP_OK)
        return rc;
    cli_path_text(&path, "/runs");
    cli_path_query(&path, "limit", cli_opt(cli, "limit"));
    rc = cli_fetch(cli, cli_path_get(&path), &rows, &printed, err);
    cli_path_free(&path);
    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(rows) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else
        cli_member_table(cli, columns, LP_COUNT(columns), rows);
    return LP_OK;
}

/* ---- window ---- */

static void
window_path(struct cli *cli, struct cli_path *path)
{
    cli_path_start(path, "/windows");
    cli_path_part(path, cli->args[0]);
}

enum lp_code
cli_window_list(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Window"}, "name", CLI_AS_TEXT},
        {{.title = "Open"}, "open", CLI_AS_FLAG},
        {{.title = "Opens"}, "next_opens_at", CLI_AS_TIME},
        {{.title = "Closes"}, "next_closes_at", CLI_AS_TIME},
        {{.title = "Bound", .right = true}, "bound", CLI_AS_TEXT},
        {{.title = "Zone", .optional = true}, "timezone", CLI_AS_TEXT},
        {{.title = "Description", .flexible = true, .optional = true}, "description", CLI_AS_TEXT},
    };
    json_auto_t *rows = NULL;
    bool printed = false;
    enum lp_code rc = cli_fetch(cli, "/api/windows/", &rows, &printed, err);

    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(rows) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else
        cli_member_table(cli, columns, LP_COUNT(columns), rows);
    return LP_OK;
}

static void
print_window(struct cli *cli, const json_t *w)
{
    char *days = lp_json_text(json_object_get(w, "days"));
    char *bound = cli_strfmt("%lld unfinished processes", (long long)lp_json_int(w, "bound", 0));
    char *hours =
        lp_json_str(w, "opens", NULL) == NULL
            ? NULL
            : cli_strfmt("%s to %s", lp_json_str(w, "opens", ""), lp_json_str(w, "closes", ""));

    cli_print_pair(cli, "Name", lp_json_str(w, "name", ""));
    cli_print_pair(cli, "Id", lp_json_str(w, "id", ""));
    cli_print_pair(cli, "Description", lp_json_str(w, "description", NULL));
    cli_print_pair(cli, "Now", lp_json_str(w, "text", ""));
    cli_print_pair(cli, "Hours", hours);
    cli_print_pair(cli, "Days", days);
    cli_print_pair(cli, "Zone", lp_json_str(w, "timezone", ""));
    print_time(cli, "Opens", w, "next_opens_at");
    print_time(cli, "Closes", w, "next_closes_at");
    cli_print_pair(cli, "Bound", bound);
    free(days);
    free(bound);
    free(hours);
}

enum lp_code
cli_window_show(struct cli *cli, struct lp_err *err)
{
    json_auto_t *window = NULL;
    struct cli_path path;
    bool printed = false;
    enum lp_code rc;

    window_path(cli, &path);
    rc = cli_fetch(cli, cli_path_get(&path), &window, &printed, err);
    cli_path_free(&path);
    if (rc == LP_OK && !printed)
        print_window(cli, window);
    return rc;
}

/** "02:00-04:00" */
static enum lp_code
put_hours(struct cli *cli, json_t *body, struct lp_err *err)
{
    const char *text = cli_opt(cli, "hours");
    const char *dash = text == NULL ? NULL : strchr(text, '-');

    if (text == NULL)
        return LP_OK;
    if (dash == NULL || strlen(text) > 20)
        return lp_fail(err, LP_INVALID, "--hours wants two times, such as 02:00-04:00");
    json_object_set_new(body, "opens", json_stringn(text, (size_t)(dash - text)));
    (void)!lp_json_set_str(body, "closes", dash + 1);
    return LP_OK;
}

/** "mon,tue" or "all" */
static void
put_days(struct cli *cli, json_t *body)
{
    const char *text = cli_opt(cli, "days");
    json_t *list;

    if (text == NULL)
        return;
    if (strcmp(text, "all") == 0) {
        json_object_set_new(body, "days", json_null());
        return;
    }
    list = json_array();
    for (const char *p = text; *p != '\0';) {
        size_t len = strcspn(p, ",");

        json_array_append_new(list, json_stringn(p, len));
        p += len + (p[len] == ',');
    }
    json_object_set_new(body, "days", list);
}

static enum lp_code
put_window(struct cli *cli, json_t *body, struct lp_err *err)
{
    enum lp_code rc = put_hours(cli, body, err);

    if (rc == LP_OK)
        rc = put_int(cli, body, "margin", "margin_seconds", 0, 86400, err);
    put_days(cli, body);
    put_text(cli, body, "timezone", "timezone");
    put_text(cli, body, "description", "description");
    put_time(cli, body, "starts", "starts");
    put_time(cli, body, "ends", "ends");
    put_time(cli, body, "not-before", "not_before");
    put_time(cli, body, "not-after", "not_after");
    return rc;
}

enum lp_code
cli_window_create(struct cli *cli, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:s}", "name", cli->args[0]);
    struct cli_path path;
    enum lp_code rc = body == NULL ? lp_fail(err, LP_INVALID, "the name is not valid UTF-8")
                                   : put_window(cli, body, err);

    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/windows/");
    return send(cli, "POST", &path, body, "Made", err);
}

enum lp_code
cli_window_update(struct cli *cli, struct lp_err *err)
{
    json_auto_t *body = json_object();
    struct cli_path path;
    enum lp_code rc = put_window(cli, body, err);

    put_text(cli, body, "name", "name");
    if (rc == LP_OK && json_object_size(body) == 0)
        rc = lp_fail(err, LP_INVALID, "nothing to change: give an option");
    if (rc != LP_OK)
        return rc;
    window_path(cli, &path);
    return send(cli, "PUT", &path, body, "Changed", err);
}

enum lp_code
cli_window_delete(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;

    window_path(cli, &path);
    return send(cli, "DELETE", &path, NULL, "Deleted", err);
}

enum lp_code
cli_process_window(struct cli *cli, struct lp_err *err)
{
    const char *window = strcmp(cli->args[1], "none") == 0 ? NULL : cli->args[1];
    json_auto_t *body = json_pack("{s:s?}", "window", window);
    struct cli_path path;
    char id[37];
    enum lp_code rc = cli_resolve(cli, CLI_PROCESS, cli->args[0], id, err);

    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/processes");
    cli_path_part(&path, id);
    cli_path_text(&path, "/window");
    return send(cli, "PUT", &path, body, window == NULL ? "No window:" : "Bound:", err);
}
