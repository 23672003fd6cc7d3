#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/form.h"

/* `lightpath NOUN import FILE` */
static const struct {
    const char *noun, *task;
} tasks[] = {
    {"pop", "task_import_pops"},
    {"device", "task_import_optical_devices"},
    {"fiber", "task_import_optical_fibers"},
};

/* A value as it is, for whichever page of the task asks for it. */
static void
add_value(struct cli_form *form, const char *field, json_t *value)
{
    json_auto_t *one = json_object();

    if (json_object_set_new(one, field, value) != 0)
        cli_no_memory();
    cli_sets_add_object(&form->sets, one);
}

static enum lp_code
add_text(struct cli_form *form, const char *field, const char *text, struct lp_err *err)
{
    json_t *value = text != NULL ? json_string(text) : NULL;

    if (text != NULL && value == NULL)
        return lp_fail_at(err, LP_INVALID, field, "%s is not UTF-8 text", field);
    if (value != NULL)
        add_value(form, field, value);
    return LP_OK;
}

static enum lp_code
add_file(struct cli_form *form, const char *name, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc = cli_read_file(name, &text, err);

    if (rc == LP_OK && text.len == 0)
        rc = lp_fail_at(err, LP_INVALID, name, "%.200s is empty", name);
    if (rc == LP_OK && !lp_utf8_valid(text.data, text.len))
        rc = lp_fail_at(err, LP_INVALID, name, "%.200s is not UTF-8 text; convert it first", name);
    if (rc == LP_OK)
        rc = add_text(form, "csv", text.data, err);
    lp_buf_free(&text);
    return rc;
}

/* --map FIELD=COLUMN, each once more. */
static enum lp_code
add_columns(struct cli *cli, struct cli_form *form, struct lp_err *err)
{
    json_t *columns = json_object();
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < cli->given_count && rc == LP_OK; i++) {
        const char *map = cli->given[i].value;
        const char *equals = strchr(map, '=');

        if (strcmp(cli->given[i].option->name, "map") != 0)
            continue;
        if (equals == NULL || equals == map || equals[1] == '\0')
            rc = lp_fail_at(err, LP_INVALID, "--map", "--map wants FIELD=COLUMN, not '%.60s'", map);
        else {
            char *field = cli_strfmt("%.*s", (int)(equals - map), map);

            if (json_object_set_new(columns, field, json_string(equals + 1)) != 0)
                rc = lp_fail_at(err, LP_INVALID, "--map", "the column of %.60s is not UTF-8 text",
                                field);
            free(field);
        }
    }
    if (rc == LP_OK && json_object_size(columns) > 0)
        add_value(form, "columns", columns);
    else
        json_decref(columns);
    return rc;
}

static enum lp_code
add_options(struct cli *cli, struct cli_form *form, struct lp_err *err)
{
    const char *owner = cli_opt(cli, "owner");
    bool id = owner != NULL && cli_is_uuid(owner);
    enum lp_code rc = add_text(form, id ? "partner_id" : "partner_name", owner, err);

    if (rc == LP_OK)
        rc = add_text(form, "source", cli_opt(cli, "source"), err);
    if (rc == LP_OK && cli_has(cli, "skip-existing"))
        rc = add_text(form, "mode", "skip-existing", err);
    if (rc == LP_OK && cli_has(cli, "ignore-columns"))
        add_value(form, "ignore_other_columns", json_true());
    return rc == LP_OK ? add_columns(cli, form, err) : rc;
}

enum lp_code
cli_service_adopt(struct cli *cli, struct lp_err *err)
{
    struct cli_form form = {.method = "POST"};
    enum lp_code rc = add_file(&form, cli->args[0], err);

    if (rc == LP_OK)
        rc = add_text(&form, "partner_name", cli_opt(cli, "owner"), err);
    if (rc == LP_OK && cli_has(cli, "preview"))
        add_value(&form, "preview", json_true());
    if (rc == LP_OK)
        return cli_start_form(cli, "task_adopt_digital_services", &form, err);
    cli_form_free(&form);
    return rc;
}

enum lp_code
cli_import(struct cli *cli, struct lp_err *err)
{
    struct cli_form form = {.method = "POST"};
    enum lp_code rc = add_file(&form, cli->args[0], err);

    if (rc == LP_OK)
        rc = add_options(cli, &form, err);
    if (rc != LP_OK) {
        cli_form_free(&form);
        return rc;
    }
    for (size_t i = 0; i < LP_COUNT(tasks); i++)
        if (strcmp(tasks[i].noun, cli->command->noun) == 0)
            return cli_start_form(cli, tasks[i].task, &form, err);
    cli_form_free(&form);
    return lp_fail(err, LP_INTERNAL, "nothing is imported as %s", cli->command->noun);
}
