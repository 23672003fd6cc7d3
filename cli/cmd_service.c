/* The path of a digital service, drawn as text. */
#include <string.h>

#include "cli/commands.h"

static double
thz(const json_t *channel, const char *member)
{
    return (double)lp_json_int(channel, member, 0) / 1e6;
}

static void
show_services(FILE *out, const json_t *channel)
{
    const json_t *service;
    size_t i;

    json_array_foreach(json_object_get(channel, "services"), i, service)
    {
        bool owner =
            strcmp(lp_json_str(service, "subscription_id", ""), lp_json_str(channel, "owner", ""))
            == 0;

        fprintf(out, "  %s %s%s  %s\n", i == 0 ? "carries" : "       ",
                lp_json_str(service, "description", ""), owner ? "  (owner)" : "",
                lp_json_str(service, "status", ""));
    }
}

/* What lies between two devices: patch cords at both ends, fibers in between. */
static void
show_link(FILE *out, const json_t *channel, size_t link, size_t links)
{
    const json_t *fibers = json_object_get(channel, "fibers");
    const json_t *fiber = link == 0 || link + 1 == links ? NULL : json_array_get(fibers, link - 1);

    if (fiber == NULL)
        fprintf(out, "      |  patch cord\n");
    else
        fprintf(out, "      |  %lld.%lld km\n", (long long)lp_json_int(fiber, "length_m", 0) / 1000,
                (long long)lp_json_int(fiber, "length_m", 0) / 100 % 10);
}

static bool
same_device(const json_t *a, const json_t *b)
{
    return strcmp(lp_json_str(a, "device_id", "a"), lp_json_str(b, "device_id", "b")) == 0;
}

static size_t
count_links(const json_t *ports)
{
    size_t links = 0;

    for (size_t i = 1; i < json_array_size(ports); i++)
        links += !same_device(json_array_get(ports, i - 1), json_array_get(ports, i));
    return links;
}

static void
show_ports(FILE *out, const json_t *channel)
{
    const json_t *ports = json_object_get(channel, "ports"), *port;
    size_t links = count_links(ports), link = 0, i;

    json_array_foreach(ports, i, port)
    {
        const json_t *before = i == 0 ? NULL : json_array_get(ports, i - 1);

        if (before != NULL && same_device(before, port)) {
            fprintf(out, " >< %s", lp_json_str(port, "port", ""));
            continue;
        }
        if (before != NULL) {
            fputc('\n', out);
            show_link(out, channel, link++, links);
        }
        fprintf(out, "  [%s] %s  %s", lp_json_str(port, "pop", ""), lp_json_str(port, "device", ""),
                lp_json_str(port, "port", ""));
    }
    fputc('\n', out);
}

static void
show_channel(FILE *out, const json_t *channel)
{
    fprintf(out, "\n%s  %.5f THz, %lld.%lld GHz wide, %s, %lld Gb/s, %s\n",
            lp_json_str(channel, "name", ""), thz(channel, "center_mhz"),
            (long long)lp_json_int(channel, "width_mhz", 0) / 1000,
            (long long)lp_json_int(channel, "width_mhz", 0) / 100 % 10,
            lp_json_str(channel, "mode", ""), (long long)lp_json_int(channel, "capacity_gbps", 0),
            lp_json_str(channel, "reservation", "planned"));
    show_services(out, channel);
    show_ports(out, channel);
}

enum lp_code
cli_service_show(struct cli *cli, struct lp_err *err)
{
    json_auto_t *path = NULL;
    struct cli_path url;
    bool printed = false;
    const json_t *channel;
    char id[37];
    size_t i;
    enum lp_code rc = cli_resolve(cli, CLI_SUBSCRIPTION, cli->args[0], id, err);

    if (rc != LP_OK)
        return rc;
    cli_path_start(&url, "/services");
    cli_path_part(&url, id);
    cli_path_text(&url, "/path");
    rc = cli_fetch(cli, cli_path_get(&url), &path, &printed, err);
    cli_path_free(&url);
    if (rc != LP_OK || printed)
        return rc;
    fprintf(cli->out.file, "%s  %s, %s\n", lp_json_str(path, "description", ""),
            lp_json_str(path, "status", ""),
            json_is_true(json_object_get(path, "insync")) ? "in sync" : "out of sync");
    json_array_foreach(json_object_get(path, "channels"), i, channel)
        show_channel(cli->out.file, channel);
    return LP_OK;
}
