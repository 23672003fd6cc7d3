/* Devices, their plans, emergency stops and evidence. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/form.h"
#include "cli/watch.h"

enum { CHANGES_SHOWN = 12 };

/** What a device said: lines that end as its protocol wants it are lines. */
static char *
device_text(const char *text)
{
    char *copy = cli_strdup(text), *out = copy, *clean;

    for (const char *c = text; *c != '\0'; c++)
        if (*c != '\r')
            *out++ = *c;
    *out = '\0';
    clean = cli_clean(copy, true);
    free(copy);
    return clean;
}

/* ---- devices ---- */

enum lp_code
cli_device_list(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Device"}, "device_id", CLI_AS_SHORT_ID},
        {{.title = "Name"}, "name", CLI_AS_TEXT},
        {{.title = "Site", .optional = true}, "site_name", CLI_AS_TEXT},
        {{.title = "Status"}, "status", CLI_AS_STATUS},
        {{.title = "Mode"}, "mode", CLI_AS_TEXT},
        {{.title = "Drift", .flexible = true}, "drift", CLI_AS_TEXT},
        {{.title = "Seen", .optional = true}, "seen_at", CLI_AS_TIME},
    };
    json_auto_t *all = json_array();
    enum lp_code rc = LP_OK;
    size_t got = 1000;

    while (rc == LP_OK && got == 1000) {
        const json_t *last = json_array_get(all, json_array_size(all) - 1);
        json_auto_t *rows = NULL;
        struct cli_path path;

        cli_path_start(&path, "/devices/");
        cli_path_query(&path, "limit", "1000");
        if (json_array_size(all) > 0)
            cli_path_query(&path, "after", lp_json_str(last, "device_id", ""));
        rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &rows, err);
        cli_path_free(&path);
        got = json_array_size(rows);
        json_array_extend(all, rows);
    }
    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, all);
    else if (json_array_size(all) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else
        cli_member_table(cli, columns, LP_COUNT(columns), all);
    return LP_OK;
}

static void
device_path(struct cli *cli, struct cli_path *path, const char *rest)
{
    cli_path_start(path, "/devices");
    cli_path_part(path, cli->args[0]);
    cli_path_text(path, rest);
}

static void
print_stop(struct cli *cli, const json_t *stop)
{
    char *text = cli_strfmt("emergency stop of %s by %s: %s", lp_json_str(stop, "scope", ""),
                            lp_json_str(stop, "actor", ""), lp_json_str(stop, "reason", ""));

    cli_print_pair(cli, "STOPPED", text);
    free(text);
}

static void
print_device(struct cli *cli, const json_t *device)
{
    static const char *const pairs[][2] = {
        {"Device", "name"},   {"Id", "device_id"},   {"Description", "description"},
        {"Status", "status"}, {"Site", "site_name"}, {"Driver", "driver"},
        {"Mode", "mode"},     {"Drift", "drift"}};
    static const char *const identity[] = {"node", "type", "serial", "software"};
    const char *kind;
    json_t *value;
    size_t i;

    for (i = 0; i < LP_COUNT(pairs); i++)
        cli_print_pair(cli, pairs[i][0], lp_json_str(device, pairs[i][1], NULL));
    for (i = 0; i < LP_COUNT(identity); i++)
        cli_print_pair(cli, identity[i],
                       lp_json_str(json_object_get(device, "identity"), identity[i], NULL));
    json_object_foreach(json_object_get(device, "cached"), kind, value)
    {
        char *at = cli_member_time(value, "as_of"), *text = cli_strfmt("as of %s", at);

        cli_print_pair(cli, kind, text);
        free(text);
        free(at);
    }
    json_array_foreach(json_object_get(device, "stops"), i, value) print_stop(cli, value);
}

enum lp_code
cli_device_show(struct cli *cli, struct lp_err *err)
{
    json_auto_t *device = NULL;
    struct cli_path path;
    bool printed = false;
    enum lp_code rc;

    device_path(cli, &path, "");
    rc = cli_fetch(cli, cli_path_get(&path), &device, &printed, err);
    cli_path_free(&path);
    if (rc == LP_OK && !printed)
        print_device(cli, device);
    return rc;
}

/* ---- what was read of it ---- */

static enum lp_code
show_cached(struct cli *cli, const char *kind, const struct cli_member_column *columns,
            size_t count, struct lp_err *err)
{
    char *rest = cli_strfmt("/cached/%s", kind);
    json_auto_t *doc = NULL;
    struct cli_path path;
    bool printed = false;
    enum lp_code rc;

    device_path(cli, &path, rest);
    rc = cli_fetch(cli, cli_path_get(&path), &doc, &printed, err);
    cli_path_free(&path);
    free(rest);
    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(json_object_get(doc, "items")) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else
        cli_member_table(cli, columns, count, json_object_get(doc, "items"));
    cli_putf(&cli->out, CLI_DIM, "read %lld s ago; `lightpath device refresh %s` reads it anew\n",
             (long long)lp_json_int(doc, "age_s", 0), cli->args[0]);
    return LP_OK;
}

enum lp_code
cli_device_ports(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Port"}, "name", CLI_AS_TEXT},
        {{.title = "Role"}, "role", CLI_AS_TEXT},
        {{.title = "Admin"}, "admin", CLI_AS_TEXT},
        {{.title = "Oper"}, "oper", CLI_AS_TEXT},
        {{.title = "Label", .flexible = true}, "label", CLI_AS_TEXT},
        {{.title = "Peer", .flexible = true, .optional = true}, "peer", CLI_AS_TEXT},
    };

    return show_cached(cli, "ports", columns, LP_COUNT(columns), err);
}

enum lp_code
cli_device_inventory(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Place"}, "aid", CLI_AS_TEXT},
        {{.title = "Type"}, "type", CLI_AS_TEXT},
        {{.title = "Part", .optional = true}, "part", CLI_AS_TEXT},
        {{.title = "Serial"}, "serial", CLI_AS_TEXT},
        {{.title = "State"}, "state", CLI_AS_TEXT},
    };

    return show_cached(cli, "inventory", columns, LP_COUNT(columns), err);
}

enum lp_code
cli_device_alarms(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Object"}, "object", CLI_AS_TEXT},
        {{.title = "Severity"}, "severity", CLI_AS_STATUS},
        {{.title = "Type"}, "type", CLI_AS_TEXT},
        {{.title = "Text", .flexible = true}, "text", CLI_AS_TEXT},
        {{.title = "Traffic", .optional = true}, "service_affecting", CLI_AS_FLAG},
    };

    return show_cached(cli, "alarms", columns, LP_COUNT(columns), err);
}

enum lp_code
cli_device_spectrum(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Port"}, "port", CLI_AS_TEXT},
        {{.title = "From MHz"}, "low_mhz", CLI_AS_TEXT},
        {{.title = "To MHz"}, "high_mhz", CLI_AS_TEXT},
        {{.title = "Circuit", .flexible = true}, "circuit", CLI_AS_TEXT},
    };

    return show_cached(cli, "spectrum", columns, LP_COUNT(columns), err);
}

/* ---- mode ---- */

enum lp_code
cli_device_mode(struct cli *cli, struct lp_err *err)
{
    json_auto_t *device = NULL;
    json_auto_t *body = NULL;
    struct cli_path path;
    enum lp_code rc;

    device_path(cli, &path, cli->arg_count > 1 ? "/mode" : "");
    if (cli->arg_count > 1) {
        body = json_pack("{s:s}", "mode", cli->args[1]);
        cli_path_why(&path, cli);
    }
    rc = cli_call(cli, cli->arg_count > 1 ? "PUT" : "GET", cli_path_get(&path), body, &device, err);
    cli_path_free(&path);
    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, device);
    else
        fprintf(cli->out.file, "%s\n", lp_json_str(device, "mode", "?"));
    return LP_OK;
}

/* ---- tasks: the API never speaks to a device itself ---- */

static enum lp_code
run_task(struct cli *cli, const char *task, const json_t *page, char id[static 37],
         struct lp_err *err)
{
    json_auto_t *pages = json_pack("[O]", page);
    json_auto_t *answer = NULL;
    struct cli_path path;
    enum lp_code rc;

    cli_path_start(&path, "/processes");
    cli_path_part(&path, task);
    cli_path_why(&path, cli);
    rc = cli_call(cli, "POST", cli_path_get(&path), pages, &answer, err);
    cli_path_free(&path);
    if (rc != LP_OK)
        return rc;
    snprintf(id, 37, "%s", lp_json_str(answer, "id", ""));
    return cli_watch(cli, id, NULL, err);
}

enum lp_code
cli_device_refresh(struct cli *cli, struct lp_err *err)
{
    json_auto_t *page = json_pack("{s:s}", "device", cli->args[0]);
    char id[37];

    if (page == NULL)
        return lp_fail(err, LP_INVALID, "the name is not valid UTF-8");
    return run_task(cli, "task_refresh_device", page, id, err);
}

enum lp_code
cli_device_command(struct cli *cli, struct lp_err *err)
{
    json_auto_t *page = json_pack("{s:s, s:s}", "device", cli->args[0], "command", cli->args[1]);
    json_auto_t *process = NULL;
    struct cli_path path;
    char id[37], *text;
    enum lp_code rc;

    if (page == NULL)
        return lp_fail(err, LP_INVALID, "the command is not valid UTF-8");
    rc = run_task(cli, cli_has(cli, "write") ? "task_device_write_command" : "task_device_command",
                  page, id, err);
    if (rc != LP_OK || cli->json)
        return rc;
    cli_path_start(&path, "/processes");
    cli_path_part(&path, id);
    rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &process, err);
    cli_path_free(&path);
    if (rc != LP_OK)
        return rc;
    text = device_text(lp_json_str(
        json_object_get(json_object_get(process, "current_state"), "answer"), "text", ""));
    fprintf(cli->out.file, "%s\n", text);
    free(text);
    return LP_OK;
}

/* ---- plans ---- */

static enum lp_code
fetch_plans(struct cli *cli, char id[static 37], json_t **plans, struct lp_err *err)
{
    struct cli_path path;
    enum lp_code rc = cli_resolve(cli, CLI_PROCESS, cli->args[0], id, err);

    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/processes");
    cli_path_part(&path, id);
    cli_path_text(&path, "/plans");
    rc = cli_call(cli, "GET", cli_path_get(&path), NULL, plans, err);
    cli_path_free(&path);
    return rc;
}

static char *
value_text(const json_t *value)
{
    char *raw, *clean;

    if (value == NULL || json_is_null(value))
        return cli_strdup("-");
    if (json_is_string(value))
        return cli_clean(json_string_value(value), false);
    raw = lp_json_text(value);
    clean = cli_clean(raw == NULL ? "?" : raw, false);
    free(raw);
    return clean;
}

/** Attribute by attribute, what changes. */
static void
print_changes(struct cli *cli, const json_t *op)
{
    json_t *before = json_object_get(op, "before"), *after = json_object_get(op, "after"), *value;
    const char *name;
    int shown = 0;

    json_object_foreach(json_is_object(after) ? after : before, name, value)
    {
        json_t *was = json_object_get(before, name), *will = json_object_get(after, name);
        char *old, *new;

        if (lp_json_same(was, will) || shown++ == CHANGES_SHOWN)
            continue;
        old = value_text(was);
        new = value_text(will);
        cli_putf(&cli->out, CLI_DIM, "        %s: ", name);
        fprintf(cli->out.file, "%s -> %s\n", old, new);
        free(old);
        free(new);
    }
}

static void
print_operation(struct cli *cli, const json_t *plan, size_t n, const json_t *op)
{
    const json_t *element =
        json_object_get(json_object_get(plan, "elements"), lp_json_str(op, "element", ""));
    const json_t *applied = json_object_get(op, "applied");
    char *text = cli_clean(lp_json_str(op, "text", lp_json_str(op, "id", "")), false);
    size_t i;
    json_t *value;

    fprintf(cli->out.file, "%4zu  %s  %s", n + 1, lp_json_str(element, "name", "?"), text);
    json_array_foreach(json_object_get(op, "flags"), i, value)
        cli_putf(&cli->out, CLI_WARN, "  [%s]", json_string_value(value));
    if (applied != NULL)
        cli_put(&cli->out, CLI_GOOD, lp_json_true(applied, "changed") ? "  done" : "  was so");
    fputs("\n", cli->out.file);
    print_changes(cli, op);
    json_array_foreach(json_object_get(op, "commands"), i, value)
    {
        char *command = cli_clean(json_string_value(value), false);

        cli_putf(&cli->out, CLI_DIM, "        > %s\n", command);
        free(command);
    }
    free(text);
}

static void
print_plan(struct cli *cli, const json_t *plan)
{
    const json_t *operations = json_object_get(plan, "operations");
    const json_t *approval = json_object_get(plan, "approval");
    size_t i;
    json_t *op;

    cli_putf(&cli->out, CLI_BOLD, "Plan %lld", (long long)lp_json_int(plan, "n", 0));
    fprintf(cli->out.file, "  %zu operations  %.12s%s\n", json_array_size(operations),
            lp_json_str(plan, "hash", ""),
            strcmp(lp_json_str(plan, "status", ""), "refused") == 0
                ? "  goes beyond what was planned before"
                : "");
    if (approval != NULL)
        cli_print_pair(cli, "Approved by", lp_json_str(approval, "actor", ""));
    if (json_array_size(operations) == 0)
        cli_put(&cli->out, CLI_GOOD, "Nothing to do: the devices hold what they should.\n");
    json_array_foreach(operations, i, op) print_operation(cli, plan, i, op);
}

/* What an element could be put back to, and how it differs from that by now. */
static void
print_points(struct cli *cli, const json_t *plans)
{
    const json_t *list = json_object_get(plans, "plans");
    const json_t *elements =
        json_object_get(json_array_get(list, json_array_size(list) - 1), "elements");
    const char *id;
    json_t *point, *change;
    size_t i;

    json_object_foreach(json_object_get(plans, "rollback_points"), id, point)
    {
        const json_t *changes = json_object_get(point, "changes");

        cli_putf(&cli->out, CLI_BOLD, "Rollback point ");
        if (json_object_get(point, "id") != NULL)
            fprintf(cli->out.file, "%lld  %s", (long long)lp_json_int(point, "id", 0),
                    lp_json_str(json_object_get(elements, id), "name", id));
        else
            fprintf(cli->out.file, "none  %s",
                    lp_json_str(json_object_get(elements, id), "name", id));
        if (changes != NULL)
            fprintf(cli->out.file, "  %zu differences", json_array_size(changes));
        fputs("\n", cli->out.file);
        json_array_foreach(changes, i, change)
        {
            char *path = cli_clean(lp_json_str(change, "path", ""), false);
            char *was = value_text(json_object_get(change, "was"));
            char *is = value_text(json_object_get(change, "is"));

            fprintf(cli->out.file, "        %s %s: %s -> %s\n",
                    lp_json_str(change, "operation", ""), path, was, is);
            free(path);
            free(was);
            free(is);
        }
    }
}

enum lp_code
cli_plan_show(struct cli *cli, struct lp_err *err)
{
    json_auto_t *plans = NULL;
    char id[37];
    size_t i;
    json_t *plan;
    enum lp_code rc = fetch_plans(cli, id, &plans, err);

    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, plans);
    else
        json_array_foreach(json_object_get(plans, "plans"), i, plan) print_plan(cli, plan);
    if (!cli->json)
        print_points(cli, plans);
    return LP_OK;
}

enum lp_code
cli_plan_approve(struct cli *cli, struct lp_err *err)
{
    json_auto_t *plans = NULL;
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    struct cli_path path;
    const json_t *list, *newest;
    char id[37];
    bool yes = true;
    enum lp_code rc = fetch_plans(cli, id, &plans, err);

    if (rc != LP_OK)
        return rc;
    list = json_object_get(plans, "plans");
    newest = json_array_get(list, json_array_size(list) - 1);
    if (!cli->json)
        print_plan(cli, newest);
    rc = cli_ask_yes(cli, "Approve this plan?", false, &yes, err);
    if (rc == LP_OK && !yes)
        rc = lp_fail(err, LP_CANCELLED, "not approved");
    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/processes");
    cli_path_part(&path, id);
    cli_path_text(&path, "/plans/approve");
    cli_path_why(&path, cli);
    body = json_pack("{s:s}", "hash", lp_json_str(newest, "hash", ""));
    rc = cli_call(cli, "PUT", cli_path_get(&path), body, &answer, err);
    cli_path_free(&path);
    if (rc == LP_OK && cli->json)
        cli_print_json(cli, answer);
    else if (rc == LP_OK)
        fprintf(cli->out.file, "Approved; `lightpath process retry %s` goes on with it.\n",
                cli_short_id(id));
    return rc;
}

/* ---- evidence ---- */

static void
print_exchange(struct cli *cli, const json_t *row)
{
    char *at = cli_member_time(row, "at"), *sent = device_text(lp_json_str(row, "sent", ""));
    char *received = device_text(lp_json_str(row, "received", ""));

    cli_putf(&cli->out, CLI_DIM, "%s  %s  attempt %lld  %s\n", at, lp_json_str(row, "step", ""),
             (long long)lp_json_int(row, "attempt", 0), lp_json_str(row, "outcome", ""));
    cli_put(&cli->out, lp_json_true(row, "writes") ? CLI_WARN : CLI_PLAIN, "> ");
    fprintf(cli->out.file, "%s\n%s%s", sent, received, *received == '\0' ? "" : "\n");
    if (!json_is_string(json_object_get(row, "received")))
        cli_put(&cli->out, CLI_BAD, "  (no answer)\n");
    free(at);
    free(sent);
    free(received);
}

enum lp_code
cli_process_evidence(struct cli *cli, struct lp_err *err)
{
    json_auto_t *all = json_array();
    char id[37], cursor[64] = "";
    bool more = true;
    enum lp_code rc = cli_resolve(cli, CLI_PROCESS, cli->args[0], id, err);

    while (rc == LP_OK && more) {
        json_auto_t *page = NULL;
        struct cli_path path;
        size_t i;
        json_t *row;

        cli_path_start(&path, "/processes");
        cli_path_part(&path, id);
        cli_path_text(&path, "/evidence");
        cli_path_query(&path, "limit", "500");
        cli_path_query(&path, "cursor", cursor[0] == '\0' ? NULL : cursor);
        rc = cli_call(cli, "GET", cli_path_get(&path), NULL, &page, err);
        cli_path_free(&path);
        json_array_foreach(json_object_get(page, "exchanges"), i, row)
        {
            if (cli->json)
                json_array_append(all, row);
            else
                print_exchange(cli, row);
        }
        more = json_is_string(json_object_get(page, "next"));
        snprintf(cursor, sizeof cursor, "%s", lp_json_str(page, "next", ""));
    }
    if (rc == LP_OK && cli->json)
        cli_print_json(cli, all);
    return rc;
}

/* ---- emergency stops ---- */

static void
print_stops(struct cli *cli, const json_t *stops)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Stopped"}, "scope", CLI_AS_TEXT},
        {{.title = "What", .flexible = true}, "description", CLI_AS_TEXT},
        {{.title = "Why", .flexible = true}, "reason", CLI_AS_TEXT},
        {{.title = "By"}, "actor", CLI_AS_TEXT},
        {{.title = "Since"}, "at", CLI_AS_TIME},
    };

    if (cli->json)
        cli_print_json(cli, stops);
    else if (json_array_size(stops) == 0)
        cli_put(&cli->out, CLI_GOOD, "Nothing is stopped.\n");
    else
        cli_member_table(cli, columns, LP_COUNT(columns), stops);
}

enum lp_code
cli_stop(struct cli *cli, struct lp_err *err)
{
    json_auto_t *stops = NULL;
    json_auto_t *body = NULL;
    struct cli_path path;
    enum lp_code rc;

    cli_path_start(&path, "/emergency-stops");
    if (cli->arg_count > 0) {
        body = json_pack("{s:s, s:s*}", "scope", cli->args[0], "target",
                         cli->arg_count > 1 ? cli->args[1] : NULL);
        cli_path_why(&path, cli);
    }
    rc = cli_call(cli, body == NULL ? "GET" : "PUT", cli_path_get(&path), body, &stops, err);
    cli_path_free(&path);
    if (rc == LP_OK)
        print_stops(cli, stops);
    return rc;
}

enum lp_code
cli_go(struct cli *cli, struct lp_err *err)
{
    json_auto_t *stops = NULL;
    struct cli_path path;
    enum lp_code rc;

    cli_path_start(&path, "/emergency-stops");
    cli_path_query(&path, "scope", cli->args[0]);
    cli_path_query(&path, "target", cli->arg_count > 1 ? cli->args[1] : NULL);
    cli_path_why(&path, cli);
    rc = cli_call(cli, "DELETE", cli_path_get(&path), NULL, &stops, err);
    cli_path_free(&path);
    if (rc == LP_OK)
        print_stops(cli, stops);
    return rc;
}
