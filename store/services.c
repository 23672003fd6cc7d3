/* The path of a digital service, port by port. */
#include "store/services.h"

#include <string.h>

#include "store/subscriptions.h"

struct path {
    struct lp_store *store;
    const struct lp_catalog *catalog;
    const struct lp_subscription *service;
};

static json_t *
parsed(const struct lp_rows *rows, size_t i, const char *column)
{
    struct lp_err ignored = LP_ERR_INIT;
    const char *text = lp_rows_text(rows, i, column);
    json_t *doc = NULL;

    if (text != NULL && lp_json_load(text, strlen(text), &doc, &ignored) != LP_OK)
        lp_err_clear(&ignored);
    return doc;
}

static enum lp_code
add_port(struct path *path, const json_t *id, json_t *list, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(path->store, LP_SQL_SERVICE_PORT,
                               LP_ARGS(lp_text("instance_id", json_string_value(id))), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) > 0) {
        json_auto_t *port = parsed(rows, 0, "doc"), *device = parsed(rows, 0, "device");
        json_auto_t *pop = parsed(rows, 0, "pop");

        if (json_array_append_new(list, json_pack("{s:O, s:s, s:s, s:s, s:s, s:s}", "port_id", id,
                                                  "port", lp_json_str(port, "port_name", ""),
                                                  "role", lp_json_str(port, "role", ""),
                                                  "device_id", lp_rows_text(rows, 0, "device_id"),
                                                  "device", lp_json_str(device, "fqdn", ""), "pop",
                                                  lp_json_str(pop, "code", "")))
            != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the path of a service");
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
add_fibers(struct path *path, const json_t *ids, json_t *list, struct lp_err *err)
{
    const json_t *id;
    size_t i;
    enum lp_code rc = LP_OK;

    json_array_foreach(ids, i, id)
    {
        struct lp_rows *rows = NULL;

        if (rc == LP_OK)
            rc = lp_query(path->store, LP_SQL_SERVICE_FIBER,
                          LP_ARGS(lp_text("instance_id", json_string_value(id))), &rows, err);
        if (rc == LP_OK && lp_rows_count(rows) > 0) {
            json_auto_t *doc = parsed(rows, 0, "doc");

            (void)json_array_append_new(
                list, json_pack("{s:s, s:s, s:I}", "fiber_id", lp_rows_text(rows, 0, "fiber_id"),
                                "name", lp_json_str(doc, "fiber_name", ""), "length_m",
                                (json_int_t)lp_json_int(doc, "length_m", 0)));
        }
        lp_rows_free(rows);
    }
    return rc;
}

/* Who else rides on a channel, and who owns it. */
static enum lp_code
add_services(struct path *path, const struct lp_subscription *owner, const char *channel,
             json_t *list, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(path->store, LP_SQL_BLOCK_USERS,
                               LP_ARGS(lp_text("instance_id", channel)), &rows, err);

    (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "subscription_id", owner->id,
                                                "description", owner->description, "status",
                                                lp_lifecycle_name(owner->status)));
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        if (strcmp(lp_rows_text(rows, i, "status"), "terminated") != 0)
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "subscription_id",
                                                        lp_rows_text(rows, i, "id"), "description",
                                                        lp_rows_text(rows, i, "description"),
                                                        "status", lp_rows_text(rows, i, "status")));
    lp_rows_free(rows);
    return rc;
}

/* Client, line, add, egress, ingress, ..., drop, line, client. */
static enum lp_code
add_ports(struct path *path, const json_t *channel, json_t *list, struct lp_err *err)
{
    const json_t *clients = json_object_get(path->service->root, "client_ports");
    const json_t *lines = json_object_get(channel, "line_ports");
    const json_t *route =
        json_object_get(json_object_get(channel, "optical_spectrum"), "route_ports");
    enum lp_code rc = add_port(path, json_array_get(clients, 0), list, err);

    if (rc == LP_OK)
        rc = add_port(path, json_array_get(lines, 0), list, err);
    for (size_t i = 0; i < json_array_size(route) && rc == LP_OK; i++)
        rc = add_port(path, json_array_get(route, i), list, err);
    if (rc == LP_OK)
        rc = add_port(path, json_array_get(lines, 1), list, err);
    return rc == LP_OK ? add_port(path, json_array_get(clients, 1), list, err) : rc;
}

static enum lp_code
add_channel(struct path *path, const struct lp_subscription *owner, const json_t *channel,
            json_t *list, struct lp_err *err)
{
    static const char *const members[] = {"och_id", "mode", "capacity_gbps", "center_mhz",
                                          "width_mhz"};
    static const char *const optical[] = {"low_mhz", "high_mhz", "reservation"};
    const json_t *spectrum = json_object_get(channel, "optical_spectrum");
    json_auto_t *ports = json_array(), *fibers = json_array(), *services = json_array();
    json_t *out =
        json_pack("{s:s, s:s, s:O, s:O, s:O}", "name", lp_json_str(spectrum, "spectrum_name", ""),
                  "owner", owner->id, "services", services, "ports", ports, "fibers", fibers);
    enum lp_code rc = add_ports(path, channel, ports, err);

    for (size_t i = 0; i < LP_COUNT(members); i++)
        if (json_object_get(channel, members[i]) != NULL)
            (void)json_object_set(out, members[i], json_object_get(channel, members[i]));
    for (size_t i = 0; i < LP_COUNT(optical); i++)
        if (json_object_get(spectrum, optical[i]) != NULL)
            (void)json_object_set(out, optical[i], json_object_get(spectrum, optical[i]));
    if (rc == LP_OK)
        rc = add_fibers(path, json_object_get(spectrum, "route_fibers"), fibers, err);
    if (rc == LP_OK)
        rc = add_services(path, owner, lp_json_str(channel, "subscription_instance_id", ""),
                          services, err);
    (void)json_array_append_new(list, out);
    return rc;
}

/* The subscription whose channels it rides on. */
static enum lp_code
load_owner(struct path *path, struct lp_subscription **owner, struct lp_err *err)
{
    const json_t *shared = json_object_get(path->service->root, "shared_channels");
    struct lp_rows *rows = NULL;
    const char *id = path->service->id;
    enum lp_code rc = LP_OK;

    if (json_array_size(shared) > 0) {
        rc = lp_query(path->store, LP_SQL_BLOCK_OWNER,
                      LP_ARGS(lp_text("instance_id", json_string_value(json_array_get(shared, 0)))),
                      &rows, err);
        if (rc == LP_OK && lp_rows_count(rows) > 0)
            id = lp_rows_text(rows, 0, "subscription_id");
    }
    if (rc == LP_OK)
        rc = lp_subscription_load(path->store, NULL, path->catalog, id, owner, err);
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
channels_of(struct path *path, json_t *list, struct lp_err *err)
{
    struct lp_subscription *owner = NULL;
    const json_t *channel;
    size_t i;
    enum lp_code rc = load_owner(path, &owner, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(json_object_get(owner->root, "channels"), i, channel)
    {
        if (rc == LP_OK)
            rc = add_channel(path, owner, channel, list, err);
    }
    lp_subscription_free(owner);
    return rc;
}

enum lp_code
lp_service_path(struct lp_store *store, const struct lp_catalog *catalog, const char *id,
                json_t **out, struct lp_err *err)
{
    struct lp_subscription *service = NULL;
    json_auto_t *channels = json_array();
    struct path path = {.store = store, .catalog = catalog};
    enum lp_code rc = lp_subscription_load(store, NULL, catalog, id, &service, err);

    if (rc == LP_OK && strcmp(service->product->type, "Optical Digital Service") != 0)
        rc = lp_fail(err, LP_INVALID, "%.120s is no digital service", service->description);
    path.service = service;
    if (rc == LP_OK)
        rc = channels_of(&path, channels, err);
    if (rc == LP_OK) {
        *out = json_pack(
            "{s:s, s:s, s:s, s:b, s:s, s:s, s:O}", "subscription_id", service->id, "description",
            service->description, "status", lp_lifecycle_name(service->status), "insync",
            (int)service->insync, "service_name", lp_json_str(service->root, "service_name", ""),
            "client_signal", lp_json_str(service->root, "client_signal", ""), "channels", channels);
        if (*out == NULL)
            rc = lp_fail(err, LP_NOMEM, "no memory for the path of a service");
    }
    lp_subscription_free(service);
    return rc;
}
