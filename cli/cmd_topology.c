/* The network, and finding things in it. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

/* ---- topology show ---- */

static bool
at_site(const json_t *item, const char *site)
{
    const json_t *end;
    size_t i;

    if (site == NULL || strcmp(lp_json_str(item, "code", ""), site) == 0
        || strcmp(lp_json_str(item, "pop_code", ""), site) == 0)
        return true;
    json_array_foreach(json_object_get(item, "ends"), i, end)
    {
        if (strcmp(lp_json_str(end, "pop_code", ""), site) == 0)
            return true;
    }
    return false;
}

static size_t
count_of(const json_t *list, const char *member, const char *value)
{
    const json_t *item;
    size_t i, count = 0;

    json_array_foreach(list, i, item) count += strcmp(lp_json_str(item, member, ""), value) == 0;
    return count;
}

static void
show_pops(struct cli *cli, const json_t *topology, const char *site)
{
    static const struct cli_column columns[] = {{.title = "PoP"},
                                                {.title = "Name", .flexible = true},
                                                {.title = "Status"},
                                                {.title = "Devices", .right = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    const json_t *pop;
    size_t i;

    json_array_foreach(json_object_get(topology, "pops"), i, pop)
    {
        const char *code = lp_json_str(pop, "code", ""), *status = lp_json_str(pop, "status", "");
        char *devices =
            cli_strfmt("%zu", count_of(json_object_get(topology, "devices"), "pop_code", code));
        if (at_site(pop, site)) {
            cli_table_cell(table, CLI_PLAIN, code);
            cli_table_cell(table, CLI_PLAIN, lp_json_str(pop, "full_name", ""));
            cli_table_cell(table, cli_status_color(status), status);
            cli_table_cell(table, CLI_PLAIN, devices);
        }
        free(devices);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

static void
show_devices(struct cli *cli, const json_t *topology, const char *site)
{
    static const struct cli_column columns[] = {
        {.title = "Device"}, {.title = "PoP"},
        {.title = "Type"},   {.title = "Platform", .optional = true},
        {.title = "Status"}, {.title = "In sync"}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    const json_t *device;
    size_t i;

    json_array_foreach(json_object_get(topology, "devices"), i, device)
    {
        const char *status = lp_json_str(device, "status", "");
        bool insync = lp_json_true(device, "insync");
        if (!at_site(device, site))
            continue;
        cli_table_cell(table, CLI_PLAIN, lp_json_str(device, "fqdn", ""));
        cli_table_cell(table, CLI_PLAIN, lp_json_str(device, "pop_code", ""));
        cli_table_cell(table, CLI_PLAIN, lp_json_str(device, "device_type", ""));
        cli_table_cell(table, CLI_DIM, lp_json_str(device, "platform", ""));
        cli_table_cell(table, cli_status_color(status), status);
        cli_table_cell(table, insync ? CLI_GOOD : CLI_BAD, insync ? "yes" : "no");
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

static void
loss_cell(struct cli_table *table, const json_t *fiber, const char *member)
{
    int64_t cdb = lp_json_int(fiber, member, INT64_MIN);
    char *text = cdb == INT64_MIN
                     ? cli_strfmt("%s", "")
                     : cli_strfmt("%s%lld.%02lld", cdb < 0 ? "-" : "", llabs((long long)cdb) / 100,
                                  llabs((long long)cdb) % 100);

    cli_table_cell(table, cdb != INT64_MIN && cdb < 0 ? CLI_BAD : CLI_PLAIN, text);
    free(text);
}

static void
show_fibers(struct cli *cli, const json_t *topology, const char *site)
{
    static const struct cli_column columns[] = {{.title = "Fiber", .flexible = true},
                                                {.title = "Kind", .optional = true},
                                                {.title = "km", .right = true},
                                                {.title = "Budget dB", .right = true},
                                                {.title = "Margin dB", .right = true},
                                                {.title = "Status"},
                                                {.title = "In sync"}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    const json_t *fiber;
    size_t i;

    json_array_foreach(json_object_get(topology, "fibers"), i, fiber)
    {
        const char *status = lp_json_str(fiber, "status", "");
        bool insync = lp_json_true(fiber, "insync");
        char *km = cli_strfmt("%.1f", (double)lp_json_int(fiber, "length_m", 0) / 1000);
        if (at_site(fiber, site)) {
            cli_table_cell(table, CLI_PLAIN, lp_json_str(fiber, "fiber_name", ""));
            cli_table_cell(table, CLI_DIM, lp_json_str(fiber, "kind", "span"));
            cli_table_cell(table, CLI_PLAIN, km);
            loss_cell(table, fiber, "loss_budget_cdb");
            loss_cell(table, fiber, "loss_margin_cdb");
            cli_table_cell(table, cli_status_color(status), status);
            cli_table_cell(table, insync ? CLI_GOOD : CLI_BAD, insync ? "yes" : "no");
        }
        free(km);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

enum lp_code
cli_topology_show(struct cli *cli, struct lp_err *err)
{
    const char *site = cli->arg_count > 0 ? cli->args[0] : NULL;
    json_auto_t *topology = NULL;
    bool printed = false;
    enum lp_code rc = cli_fetch(cli, "/api/topology", &topology, &printed, err);

    if (rc != LP_OK || printed)
        return rc;
    if (site != NULL && count_of(json_object_get(topology, "pops"), "code", site) == 0)
        return lp_fail(err, LP_NOT_FOUND, "there is no PoP %.60s", site);
    show_pops(cli, topology, site);
    (void)fputc('\n', cli->out.file);
    show_devices(cli, topology, site);
    (void)fputc('\n', cli->out.file);
    show_fibers(cli, topology, site);
    return LP_OK;
}

/* ---- topology export ---- */

/* A Graphviz string: quotes and backslashes escaped. */
static void
dot_text(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

static void
dot_pop(FILE *out, const json_t *topology, const json_t *pop)
{
    const char *code = lp_json_str(pop, "code", "");
    const json_t *device;
    size_t i;

    (void)fputs("  subgraph ", out);
    char *name = cli_strfmt("cluster_%s", code);
    dot_text(out, name);
    free(name);
    (void)fputs(" {\n    label=", out);
    dot_text(out, lp_json_str(pop, "full_name", code));
    (void)fputs(";\n", out);
    json_array_foreach(json_object_get(topology, "devices"), i, device)
    {
        if (strcmp(lp_json_str(device, "pop_code", ""), code) != 0)
            continue;
        (void)fputs("    ", out);
        dot_text(out, lp_json_str(device, "fqdn", ""));
        (void)fprintf(out, " [shape=%s];\n",
                      strcmp(lp_json_str(device, "device_type", ""), "Amplifier") == 0 ? "triangle"
                                                                                       : "box");
    }
    (void)fputs("  }\n", out);
}

static void
dot_fiber(FILE *out, const json_t *fiber)
{
    const json_t *ends = json_object_get(fiber, "ends");
    bool leased = strcmp(lp_json_str(fiber, "kind", ""), "leased") == 0;
    char *label = leased ? cli_strfmt("leased %lld-%lld MHz",
                                      (long long)lp_json_int(fiber, "leased_low_mhz", 0),
                                      (long long)lp_json_int(fiber, "leased_high_mhz", 0))
                         : cli_strfmt("%.1f km", (double)lp_json_int(fiber, "length_m", 0) / 1000);

    if (json_array_size(ends) == 2) {
        (void)fputs("  ", out);
        dot_text(out, lp_json_str(json_array_get(ends, 0), "fqdn", ""));
        (void)fputs(" -- ", out);
        dot_text(out, lp_json_str(json_array_get(ends, 1), "fqdn", ""));
        (void)fputs(" [label=", out);
        dot_text(out, label);
        (void)fputs(leased ? ", style=dashed];\n" : "];\n", out);
    }
    free(label);
}

static void
export_dot(FILE *out, const json_t *topology)
{
    const json_t *item;
    size_t i;

    (void)fputs("graph lightpath {\n  overlap=false;\n  splines=true;\n", out);
    json_array_foreach(json_object_get(topology, "pops"), i, item) dot_pop(out, topology, item);
    json_array_foreach(json_object_get(topology, "fibers"), i, item) dot_fiber(out, item);
    (void)fputs("}\n", out);
}

enum lp_code
cli_topology_export(struct cli *cli, struct lp_err *err)
{
    const char *format = cli_opt(cli, "format");
    json_auto_t *topology = NULL;
    enum lp_code rc;

    if (format != NULL && strcmp(format, "json") != 0 && strcmp(format, "dot") != 0)
        return lp_fail_at(err, LP_INVALID, "--format", "--format is json or dot, not '%.60s'",
                          format);
    rc = cli_call(cli, "GET", "/api/topology", NULL, &topology, err);
    if (rc != LP_OK)
        return rc;
    if (format != NULL && strcmp(format, "dot") == 0)
        export_dot(cli->out.file, topology);
    else
        cli_print_json(cli, topology);
    return LP_OK;
}

/* ---- topology impact ---- */

static void
impact_rows(struct cli_table *table, const json_t *customer)
{
    const json_t *service;
    size_t i;

    json_array_foreach(json_object_get(customer, "services"), i, service)
    {
        const char *status = lp_json_str(service, "status", "");
        const json_t *light = json_array_get(json_object_get(service, "spectrum"), 0);
        char *range = light == NULL ? cli_strfmt("%s", "")
                                    : cli_strfmt("%.5f to %.5f",
                                                 (double)lp_json_int(light, "low_mhz", 0) / 1e6,
                                                 (double)lp_json_int(light, "high_mhz", 0) / 1e6);
        cli_table_cell(table, CLI_PLAIN, lp_json_str(customer, "customer", ""));
        cli_table_cell(table, CLI_PLAIN, lp_json_str(service, "product", ""));
        cli_table_cell(table, CLI_DIM, cli_short_id(lp_json_str(service, "subscription_id", "")));
        cli_table_cell(table, CLI_PLAIN, lp_json_str(service, "description", ""));
        cli_table_cell(table, cli_status_color(status), status);
        cli_table_cell(table, CLI_PLAIN, range);
        cli_table_cell(table, CLI_DIM, lp_json_str(service, "via", ""));
        free(range);
    }
}

static void
show_impact(struct cli *cli, const json_t *impact)
{
    static const struct cli_column columns[] = {
        {.title = "Customer"},
        {.title = "Product", .optional = true},
        {.title = "Id"},
        {.title = "Service", .flexible = true},
        {.title = "Status"},
        {.title = "THz"},
        {.title = "Via", .flexible = true, .optional = true}};
    const json_t *subject = json_object_get(impact, "subject"), *customer;
    const json_t *customers = json_object_get(impact, "customers");
    const char *card = lp_json_str(subject, "card", NULL);
    long long services = (long long)lp_json_int(impact, "services", 0);
    struct cli_table *table;
    size_t i;

    (void)fprintf(cli->out.file, "%lld service%s of %zu customer%s ride%s on %s%s%s\n", services,
                  services == 1 ? "" : "s", json_array_size(customers),
                  json_array_size(customers) == 1 ? "" : "s", services == 1 ? "s" : "",
                  lp_json_str(subject, "description", ""), card != NULL ? ", card " : "",
                  card != NULL ? card : "");
    if (services == 0)
        return;
    table = cli_table_new(columns, LP_COUNT(columns));
    json_array_foreach(customers, i, customer) impact_rows(table, customer);
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

enum lp_code
cli_topology_impact(struct cli *cli, struct lp_err *err)
{
    static const char *const names[] = {"fiber", "device", "pop", "card"};
    json_auto_t *impact = NULL;
    struct cli_path path;
    bool printed = false;
    enum lp_code rc;

    cli_path_start(&path, "/topology/impact");
    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (cli_opt(cli, names[i]) != NULL)
            cli_path_query(&path, names[i], cli_opt(cli, names[i]));
    rc = cli_fetch(cli, cli_path_get(&path), &impact, &printed, err);
    cli_path_free(&path);
    if (rc == LP_OK && !printed)
        show_impact(cli, impact);
    return rc;
}

/* ---- search ---- */

static void
hit(struct cli_table *table, const char *kind, const char *id, const char *text, const char *status,
    const char *why)
{
    cli_table_cell(table, CLI_PLAIN, kind);
    cli_table_cell(table, CLI_DIM, cli_short_id(id));
    cli_table_cell(table, CLI_PLAIN, text);
    cli_table_cell(table, cli_status_color(status), status);
    cli_table_cell(table, CLI_DIM, why);
}

static void
show_hits(struct cli_table *table, const json_t *found, const json_t *words, json_t *seen)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(found, "subscriptions"), i, item)
    {
        const char *id = lp_json_str(item, "subscription_id", "");
        json_object_set_new(seen, id, json_true());
        hit(table, lp_json_str(item, "product", ""), id, lp_json_str(item, "description", ""),
            lp_json_str(item, "status", ""), lp_json_str(item, "matched", ""));
    }
    json_array_foreach(json_object_get(found, "processes"), i, item) hit(
        table, "Process", lp_json_str(item, "process_id", ""), lp_json_str(item, "workflow", ""),
        lp_json_str(item, "status", ""), lp_json_str(item, "matched", ""));
    json_array_foreach(json_object_get(found, "spectrum"), i, item)
    {
        char *why = cli_strfmt("%s carries %.4f to %.4f THz%s%s", lp_json_str(item, "port", ""),
                               (double)lp_json_int(item, "low_mhz", 0) / 1e6,
                               (double)lp_json_int(item, "high_mhz", 0) / 1e6,
                               json_is_string(json_object_get(item, "circuit")) ? ", circuit " : "",
                               lp_json_str(item, "circuit", ""));
        hit(table, "Spectrum", lp_json_str(item, "device_id", ""), lp_json_str(item, "device", ""),
            "", why);
        free(why);
    }
    json_array_foreach(words, i, item)
    {
        const char *id = lp_json_str(item, "subscription_id", "");
        if (json_object_get(seen, id) == NULL)
            hit(table, lp_json_str(json_object_get(item, "product"), "name", ""), id,
                lp_json_str(item, "description", ""), lp_json_str(item, "status", ""), "words");
    }
}

enum lp_code
cli_search(struct cli *cli, struct lp_err *err)
{
    static const struct cli_column columns[] = {{.title = "What"},
                                                {.title = "Id"},
                                                {.title = "Description", .flexible = true},
                                                {.title = "Status"},
                                                {.title = "Because", .flexible = true}};
    struct cli_path exact, words;
    json_auto_t *found = NULL, *wordy = NULL, *seen = json_object(), *whole = NULL;
    enum lp_code rc;

    cli_path_start(&exact, "/find");
    cli_path_query(&exact, "query", cli->args[0]);
    cli_path_start(&words, "/subscriptions/search");
    cli_path_query(&words, "query", cli->args[0]);
    cli_path_query(&words, "range", "0,50");
    rc = cli_call(cli, "GET", cli_path_get(&exact), NULL, &found, err);
    if (rc == LP_OK && cli_call(cli, "GET", cli_path_get(&words), NULL, &wordy, err) != LP_OK)
        lp_err_clear(err); /* a text that is no search expression may still be a port */
    cli_path_free(&exact);
    cli_path_free(&words);
    if (rc != LP_OK)
        return rc;
    if (cli->json) {
        whole = json_pack("{s:O, s:O?}", "exact", found, "words", wordy);
        cli_print_json(cli, whole);
        return LP_OK;
    }
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    show_hits(table, found, wordy, seen);
    cli_table_print(table, &cli->out);
    cli_table_free(table);
    return LP_OK;
}
