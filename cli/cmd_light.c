/* Routes through the network, and the light on its fibers. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

/* ---- path find ---- */

/** All values of an option, joined by commas. */
static void
query_list(const struct cli *cli, struct cli_path *path, const char *option)
{
    struct lp_buf text = LP_BUF_INIT;

    for (size_t i = 0; i < cli->given_count; i++)
        if (strcmp(cli->given[i].option->name, option) == 0)
            lp_buf_printf(&text, "%s%s", text.len == 0 ? "" : ",", cli->given[i].value);
    if (text.len > 0)
        cli_path_query(path, option, text.data);
    lp_buf_free(&text);
}

static char *
km(const json_t *route)
{
    int64_t m = lp_json_int(route, "length_m", 0);

    return cli_strfmt("%lld.%lld", (long long)(m / 1000), (long long)(m % 1000 / 100));
}

static char *
db(const json_t *route, const char *member)
{
    const json_t *value = json_object_get(route, member);
    long long cdb = json_integer_value(value);

    return json_is_integer(value)
               ? cli_strfmt("%s%lld.%02lld", cdb < 0 ? "-" : "", llabs(cdb) / 100, llabs(cdb) % 100)
               : cli_strfmt("%s", "-");
}

static char *
range(const json_t *slot)
{
    return json_is_object(slot)
               ? cli_strfmt("%lld-%lld", (long long)lp_json_int(slot, "low_mhz", 0),
                            (long long)lp_json_int(slot, "high_mhz", 0))
               : cli_strfmt("%s", "");
}

static void
take_cell(struct cli_table *table, char *text)
{
    cli_table_cell(table, CLI_PLAIN, text);
    free(text);
}

static void
show_routes(struct cli *cli, const json_t *routes)
{
    static const struct cli_column columns[] = {
        {.title = "Route", .flexible = true},  {.title = "Sections", .right = true},
        {.title = "km", .right = true},        {.title = "OSNR dB", .right = true},
        {.title = "Margin dB", .right = true}, {.title = "MHz"}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    const json_t *route;
    size_t i;

    json_array_foreach(routes, i, route)
    {
        cli_table_cell(table, CLI_PLAIN, lp_json_str(route, "text", ""));
        take_cell(table, cli_strfmt("%lld", (long long)lp_json_int(route, "oms_hops", 0)));
        take_cell(table, km(route));
        take_cell(table, db(route, "osnr_cdb"));
        take_cell(table, db(route, "margin_cdb"));
        take_cell(table, range(json_object_get(route, "first_free")));
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

enum lp_code
cli_path_find(struct cli *cli, struct lp_err *err)
{
    static const char *const options[][2] = {{"low", "low_mhz"},     {"high", "high_mhz"},
                                             {"width", "width_mhz"}, {"policy", "policy"},
                                             {"cost", "cost"},       {"osnr", "required_osnr_cdb"},
                                             {"limit", "limit"}};
    json_auto_t *found = NULL;
    struct cli_path path;
    bool printed = false;
    enum lp_code rc;

    cli_path_start(&path, "/routes");
    cli_path_query(&path, "from", cli->args[0]);
    cli_path_query(&path, "to", cli->args[1]);
    for (size_t i = 0; i < LP_COUNT(options); i++)
        if (cli_opt(cli, options[i][0]) != NULL)
            cli_path_query(&path, options[i][1], cli_opt(cli, options[i][0]));
    query_list(cli, &path, "include");
    query_list(cli, &path, "exclude");
    query_list(cli, &path, "exclude_risks");
    rc = cli_fetch(cli, cli_path_get(&path), &found, &printed, err);
    cli_path_free(&path);
    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(json_object_get(found, "routes")) == 0)
        return lp_fail(err, LP_NOT_FOUND, "%s",
                       lp_json_str(json_object_get(found, "problem"), "message", "no route"));
    show_routes(cli, json_object_get(found, "routes"));
    return LP_OK;
}

/* ---- spectrum show ---- */

static void
row(struct cli_table *table, const json_t *item, const char *what, const char *whose,
    enum cli_color color)
{
    take_cell(table, range(item));
    cli_table_cell(table, color, what);
    cli_table_cell(table, CLI_PLAIN, whose);
}

static void
show_fiber(struct cli *cli, const json_t *fiber)
{
    static const struct cli_column columns[] = {
        {.title = "MHz"}, {.title = "What"}, {.title = "Whose", .flexible = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    const json_t *item, *age = json_object_get(fiber, "age_us");
    char *text =
        json_is_integer(age)
            ? cli_strfmt("%lld s old", (long long)(json_integer_value(age) / INT64_C(1000000)))
            : cli_strfmt("%s", "nobody tells its light");
    size_t i;

    cli_print_pair(cli, "Fiber", lp_json_str(fiber, "fiber", ""));
    cli_print_pair(cli, "Reading", text);
    free(text);
    json_array_foreach(json_object_get(fiber, "claims"), i, item)
    {
        row(table, item, lp_json_str(item, "state", ""),
            lp_json_str(item, "subscription", lp_json_str(item, "subscription_id", "")), CLI_GOOD);
    }
    json_array_foreach(json_object_get(fiber, "observed"), i, item)
    {
        text = cli_strfmt("%s %s  %s", lp_json_str(item, "device", ""),
                          lp_json_str(item, "port", ""), lp_json_str(item, "circuit", ""));
        row(table, item, "seen", text, CLI_PLAIN);
        free(text);
    }
    json_array_foreach(json_object_get(fiber, "free"), i, item)
    {
        row(table, item, "free", "", CLI_DIM);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

enum lp_code
cli_spectrum_show(struct cli *cli, struct lp_err *err)
{
    json_auto_t *shown = NULL;
    const json_t *fiber;
    struct cli_path path;
    bool printed = false;
    enum lp_code rc;
    size_t i;

    cli_path_start(&path, "/spectrum");
    cli_path_part(&path, cli->args[0]);
    rc = cli_fetch(cli, cli_path_get(&path), &shown, &printed, err);
    cli_path_free(&path);
    if (rc != LP_OK || printed)
        return rc;
    if (json_array_size(json_object_get(shown, "fibers")) == 0)
        cli_put(&cli->out, CLI_DIM, "No fiber ends there.\n");
    json_array_foreach(json_object_get(shown, "fibers"), i, fiber)
    {
        if (i > 0)
            cli_put(&cli->out, CLI_PLAIN, "\n");
        show_fiber(cli, fiber);
    }
    return LP_OK;
}

/* ---- spectrum differences ---- */

enum lp_code
cli_spectrum_differences(struct cli *cli, struct lp_err *err)
{
    static const struct cli_member_column columns[] = {
        {{.title = "Kind"}, "kind", CLI_AS_TEXT},
        {{.title = "Fiber", .flexible = true}, "fiber", CLI_AS_TEXT},
        {{.title = "What", .flexible = true}, "text", CLI_AS_TEXT},
    };
    json_auto_t *found = NULL;
    struct cli_path path;
    bool printed = false;
    const json_t *list;
    enum lp_code rc;

    cli_path_start(&path, "/spectrum/differences");
    if (cli->arg_count > 0)
        cli_path_query(&path, "fiber", cli->args[0]);
    rc = cli_fetch(cli, cli_path_get(&path), &found, &printed, err);
    cli_path_free(&path);
    if (rc != LP_OK || printed)
        return rc;
    list = json_object_get(found, "differences");
    if (json_array_size(list) == 0) {
        char *text = cli_strfmt("None on %lld fibers whose light is known.\n",
                                (long long)lp_json_int(found, "fibers", 0));
        cli_put(&cli->out, CLI_DIM, text);
        free(text);
        return LP_OK;
    }
    cli_member_table(cli, columns, LP_COUNT(columns), (json_t *)(uintptr_t)list);
    return LP_OK;
}
