#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

void
cli_print_json(struct cli *cli, const json_t *value)
{
    char *text = value != NULL ? lp_json_text(value) : NULL;

    fprintf(cli->out.file, "%s\n", text != NULL ? text : "null");
    free(text);
}

enum lp_code
cli_fetch(struct cli *cli, const char *path, json_t **value, bool *printed, struct lp_err *err)
{
    enum lp_code rc = cli_call(cli, "GET", path, NULL, value, err);

    *printed = rc == LP_OK && cli->json;
    if (*printed)
        cli_print_json(cli, *value);
    return rc;
}

void
cli_print_pair(struct cli *cli, const char *label, const char *text)
{
    char *clean;

    if (text == NULL || *text == '\0')
        return;
    clean = cli_clean(text, false);
    cli_putf(&cli->out, CLI_DIM, "%-14s", label);
    fprintf(cli->out.file, " %s\n", clean);
    free(clean);
}

char *
cli_member_time(const json_t *object, const char *key)
{
    return cli_time(json_number_value(json_object_get(object, key)));
}

/* ---- filters ---- */

char *
cli_alternatives(const struct cli *cli, const char *name)
{
    struct lp_buf text = LP_BUF_INIT;

    for (size_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, name) == 0)
            lp_buf_printf(&text, "%s%s", text.len > 0 ? "|" : "", cli->given[i].value);
    }
    if (text.failed)
        cli_no_memory();
    return text.len > 0 ? lp_buf_take(&text) : NULL;
}

void
cli_filter_add(struct lp_buf *filter, const char *field, const char *value)
{
    if (value != NULL)
        lp_buf_printf(filter, "%s%s,%s", filter->len > 0 ? "," : "", field, value);
}

/* ---- tables made from members ---- */

static void
member_cell(struct cli_table *table, const struct cli_member_column *c, const json_t *row)
{
    const char *text = lp_json_str(row, c->member, "");
    json_t *value = json_object_get(row, c->member);
    char *made = NULL;

    if (c->as == CLI_AS_TIME)
        made = cli_member_time(row, c->member);
    else if (c->as == CLI_AS_FLAG)
        text = json_is_true(value) ? "yes" : "";
    else if (c->as == CLI_AS_SHORT_ID)
        text = cli_short_id(text);
    else if (json_is_integer(value))
        made = cli_strfmt("%lld", (long long)json_integer_value(value));
    cli_table_cell(table, c->as == CLI_AS_STATUS ? cli_status_color(text) : CLI_PLAIN,
                   made != NULL ? made : text);
    free(made);
}

void
cli_member_table(struct cli *cli, const struct cli_member_column *columns, size_t count,
                 const json_t *rows)
{
    struct cli_column *heads = cli_alloc(count * sizeof *heads);
    struct cli_table *table;
    size_t i;
    json_t *row;

    for (size_t c = 0; c < count; c++)
        heads[c] = columns[c].column;
    table = cli_table_new(heads, count);
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < count; c++)
            member_cell(table, &columns[c], row);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
    free(heads);
}
