#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

#ifndef LP_VERSION
#define LP_VERSION "unknown"
#endif

static enum lp_code
fetch_table(struct cli *cli, const char *path, const struct cli_member_column *columns,
            size_t count, struct lp_err *err)
{
    json_auto_t *rows = NULL;
    bool printed = false;
    enum lp_code rc = cli_fetch(cli, path, &rows, &printed, err);

    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(rows) == 0)
        cli_put(&cli->out, CLI_DIM, "None.\n");
    else
        cli_member_table(cli, columns, count, rows);
    return LP_OK;
}

/* ---- catalogue ---- */

enum lp_code
cli_product_list(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Product"}, "name", CLI_AS_TEXT},
        {{.title = "Type", .optional = true}, "product_type", CLI_AS_TEXT},
        {{.title = "Tag", .optional = true}, "tag", CLI_AS_TEXT},
        {{.title = "Status"}, "status", CLI_AS_STATUS},
        {{.title = "Description", .flexible = true}, "description", CLI_AS_TEXT},
    };

    return fetch_table(cli, "/api/products/", columns, LP_COUNT(columns), err);
}

enum lp_code
cli_workflow_list(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Workflow"}, "name", CLI_AS_TEXT},
        {{.title = "Target"}, "target", CLI_AS_TEXT},
        {{.title = "Task", .optional = true}, "is_task", CLI_AS_FLAG},
        {{.title = "Description", .flexible = true}, "description", CLI_AS_TEXT},
    };
    struct cli_path path;
    enum lp_code rc;

    cli_path_start(&path, "/workflows/");
    cli_path_query(&path, "target", cli_opt(cli, "target"));
    cli_path_query(&path, "is_task", cli_has(cli, "tasks") ? "true" : NULL);
    rc = fetch_table(cli, cli_path_get(&path), columns, LP_COUNT(columns), err);
    cli_path_free(&path);
    return rc;
}

/* ---- engine ---- */

static enum lp_code
set_pause(struct cli *cli, bool paused, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:b}", "global_lock", paused);
    json_auto_t *status = NULL;
    struct cli_path path;
    enum lp_code rc;

    cli_path_start(&path, "/settings/status");
    cli_path_why(&path, cli);
    rc = cli_call(cli, "PUT", cli_path_get(&path), body, &status, err);
    cli_path_free(&path);
    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, status);
    else
        fprintf(cli->out.file, "The engine is %s.\n",
                strcmp(lp_json_str(status, "global_status", ""), "PAUSING") == 0
                    ? "pausing: running steps are being finished"
                : paused ? "paused; `lightpath engine resume` lets it go on"
                         : "running");
    return LP_OK;
}

enum lp_code
cli_engine_pause(struct cli *cli, struct lp_err *err)
{
    return set_pause(cli, true, err);
}

enum lp_code
cli_engine_resume(struct cli *cli, struct lp_err *err)
{
    return set_pause(cli, false, err);
}

/* ---- audit ---- */

/* The audited event in a few words: the member that names it, or the body as it is. */
static char *
audit_text(const json_t *row)
{
    const json_t *body = json_object_get(row, "body");
    const char *what = lp_json_str(body, "action", lp_json_str(body, "event", NULL));
    const char *step =
        lp_json_str(body, "title", lp_json_str(body, "step", lp_json_str(body, "key", NULL)));
    char *text;

    if (what != NULL)
        return cli_strfmt("%s%s%s%s%s", what, step != NULL ? ": " : "", step != NULL ? step : "",
                          lp_json_str(body, "status", NULL) != NULL ? " → " : "",
                          lp_json_str(body, "status", ""));
    text = lp_json_text(body);
    return text != NULL ? text : cli_strdup("");
}

static void
audit_table(struct cli *cli, const json_t *rows)
{
    static const struct cli_column columns[] = {
        {.title = "At"},
        {.title = "Who", .flexible = true},
        {.title = "What", .flexible = true},
        {.title = "Reason", .flexible = true, .optional = true},
        {.title = "Ticket", .flexible = true, .optional = true},
        {.title = "Chain", .optional = true},
        {.title = "Row", .right = true, .optional = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        const char *chain = lp_json_str(row, "chain", "");
        char *at = cli_member_time(row, "at"), *what = audit_text(row);
        char *seq = cli_strfmt("%lld", (long long)lp_json_int(row, "seq", 0));

        cli_table_cell(table, CLI_DIM, at);
        cli_table_cell(table, CLI_PLAIN, lp_json_str(row, "actor", ""));
        cli_table_cell(table, CLI_PLAIN, what);
        cli_table_cell(table, CLI_PLAIN, lp_json_str(row, "reason", ""));
        cli_table_cell(table, CLI_PLAIN, lp_json_str(row, "ticket", ""));
        cli_table_cell(table, CLI_DIM,
                       strncmp(chain, "system:", 7) == 0 ? "system" : cli_short_id(chain));
        cli_table_cell(table, CLI_DIM, seq);
        free(at);
        free(what);
        free(seq);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

enum lp_code
cli_audit_show(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    json_auto_t *rows = NULL;
    bool printed = false;
    char id[37];
    const char *chain = cli->arg_count > 0 ? cli->args[0] : NULL;
    int64_t limit;
    enum lp_code rc = cli_opt_int(cli, "limit", 1, 1000, 100, &limit, err);

    if (rc == LP_OK && chain != NULL && strncmp(chain, "system:", 7) != 0) {
        rc = cli_resolve(cli, CLI_PROCESS, chain, id, err);
        chain = id;
    }
    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/audit");
    cli_path_query(&path, "chain", chain);
    cli_path_query(&path, "limit", cli_opt(cli, "limit"));
    rc = cli_fetch(cli, cli_path_get(&path), &rows, &printed, err);
    cli_path_free(&path);
    if (rc == LP_OK && !printed)
        audit_table(cli, rows);
    return rc;
}

enum lp_code
cli_audit_verify(struct cli *cli, struct lp_err *err)
{
    json_auto_t *answer = NULL;
    bool printed = false;
    enum lp_code rc = cli_fetch(cli, "/api/audit/verify", &answer, &printed, err);

    if (rc != LP_OK || printed)
        return rc;
    cli_put(&cli->out, CLI_GOOD, "✓ ");
    fprintf(cli->out.file, "%lld audit rows: every hash and every seal holds\n",
            (long long)lp_json_int(answer, "rows", 0));
    return LP_OK;
}

/* ---- tokens ---- */

enum lp_code
cli_token_create(struct cli *cli, struct lp_err *err)
{
    const char *role = cli_opt(cli, "role"), *expires = cli_opt(cli, "expires");
    json_auto_t *answer = NULL;
    json_auto_t *body = json_pack("{s:s, s:s, s:s*}", "name", cli->args[0], "role",
                                  role != NULL ? role : "operate", "expires_at", expires);
    enum lp_code rc;

    if (body == NULL)
        return lp_fail(err, LP_INVALID, "the name is not valid UTF-8");
    rc = cli_call(cli, "POST", "/api/tokens/", body, &answer, err);
    if (rc != LP_OK)
        return rc;
    if (cli->json) {
        cli_print_json(cli, answer);
        return LP_OK;
    }
    /* The token alone goes to standard output, so that it may be sent into a file. */
    fprintf(cli->out.file, "%s\n", lp_json_str(answer, "token", ""));
    fflush(cli->out.file);
    cli_putf(&cli->err, CLI_DIM,
             "Token '%s', role %s. It is not shown again; keep it in a file for --token-file.\n",
             cli->args[0], lp_json_str(answer, "role", ""));
    return LP_OK;
}

enum lp_code
cli_token_list(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Token"}, "id", CLI_AS_SHORT_ID},
        {{.title = "Name", .flexible = true}, "name", CLI_AS_TEXT},
        {{.title = "Role"}, "role", CLI_AS_TEXT},
        {{.title = "Made by", .flexible = true, .optional = true}, "created_by", CLI_AS_TEXT},
        {{.title = "Made", .optional = true}, "created_at", CLI_AS_TIME},
        {{.title = "Last used", .optional = true}, "used_at", CLI_AS_TIME},
        {{.title = "Expires"}, "expires_at", CLI_AS_TIME},
        {{.title = "Revoked"}, "revoked_at", CLI_AS_TIME},
    };

    return fetch_table(cli, "/api/tokens/", columns, LP_COUNT(columns), err);
}

enum lp_code
cli_token_revoke(struct cli *cli, struct lp_err *err)
{
    struct cli_path path;
    char id[37];
    enum lp_code rc = cli_resolve(cli, CLI_TOKEN, cli->args[0], id, err);

    if (rc != LP_OK)
        return rc;
    cli_path_start(&path, "/tokens");
    cli_path_part(&path, id);
    rc = cli_call(cli, "DELETE", cli_path_get(&path), NULL, NULL, err);
    cli_path_free(&path);
    if (rc == LP_OK && !cli->json)
        fprintf(cli->out.file, "Revoked %s\n", id);
    return rc;
}

/* ---- database ---- */

enum lp_code
cli_db_backup(struct cli *cli, struct lp_err *err)
{
    json_auto_t *answer = NULL;
    json_auto_t *body = json_pack("{s:s*}", "path", cli->arg_count > 0 ? cli->args[0] : NULL);
    enum lp_code rc = body == NULL ? lp_fail(err, LP_INVALID, "the file name is not valid UTF-8")
                                   : cli_call(cli, "POST", "/api/db/backup", body, &answer, err);

    if (rc != LP_OK)
        return rc;
    if (cli->json)
        cli_print_json(cli, answer);
    else {
        cli_print_pair(cli, "Backup", lp_json_str(answer, "path", ""));
        fprintf(cli->out.file, "%-14s %lld\n", "Bytes", (long long)lp_json_int(answer, "bytes", 0));
    }
    return LP_OK;
}

/* ---- events ---- */

static void
print_event(struct cli *cli, const struct lp_http_event *event)
{
    struct lp_err ignored = LP_ERR_INIT;
    json_auto_t *data = NULL;
    const json_t *value;
    char *id, *type, *what;

    if (cli->json) {
        fprintf(cli->out.file, "%s\n", event->data);
        return;
    }
    if (lp_json_load(event->data, strlen(event->data), &data, &ignored) != LP_OK)
        lp_err_clear(&ignored);
    value = json_object_get(data, "value");
    id = cli_clean(event->id, false);
    type = cli_clean(lp_json_str(value, "type", event->name), false);
    what = cli_clean(lp_json_str(value, "id", ""), false);
    cli_putf(&cli->out, CLI_DIM, "%8s  ", id);
    fprintf(cli->out.file, "%-20s %s\n", type, what);
    free(id);
    free(type);
    free(what);
}

enum lp_code
cli_events(struct cli *cli, struct lp_err *err)
{
    struct lp_http_stream *stream = NULL;
    int status = 0;
    enum lp_code rc = lp_http_stream_open(cli->http, "/api/events", NULL, &stream, &status, err);

    if (rc != LP_OK && (status == 401 || status == 403))
        rc = lp_fail(err, LP_AUTH, "the events may only be read with a valid token");
    while (rc == LP_OK && !ferror(cli->out.file)) {
        struct lp_http_event event;
        bool got = false;

        rc = lp_http_stream_next(stream, 60000, &event, &got, err);
        if (rc == LP_OK && got) {
            print_event(cli, &event);
            fflush(cli->out.file);
            lp_http_event_free(&event);
        }
    }
    lp_http_stream_close(stream);
    if (rc == LP_CANCELLED) { /* how this command is meant to end */
        lp_err_clear(err);
        rc = LP_OK;
    }
    return rc;
}

/* ---- this program ---- */

enum lp_code
cli_version(struct cli *cli, struct lp_err *err)
{
    json_auto_t *openapi = NULL;
    const char *server;
    enum lp_code rc = cli_call(cli, "GET", "/api/openapi.json", NULL, &openapi, err);

    server = lp_json_str(json_object_get(openapi, "info"), "version", NULL);
    if (cli->json) {
        json_auto_t *both = json_pack("{s:s, s:s?}", "client", LP_VERSION, "server", server);

        cli_print_json(cli, both);
    } else
        fprintf(cli->out.file, "lightpath %s\n", LP_VERSION);
    if (rc == LP_OK && !cli->json)
        cli_print_pair(cli, "lightpathd", server);
    if (rc != LP_OK && !cli->json)
        cli_putf(&cli->out, CLI_DIM, "no server at %s\n", lp_http_where(cli->http));
    lp_err_clear(err);
    return LP_OK; /* the version of this program is an answer without a server too */
}

enum lp_code
cli_completion(struct cli *cli, struct lp_err *err)
{
    if (strcmp(cli->args[0], "bash") != 0)
        return lp_fail(err, LP_UNSUPPORTED, "completion is made for bash, not for '%.40s'",
                       cli->args[0]);
    cli_completion_bash(cli->out.file);
    return LP_OK;
}
