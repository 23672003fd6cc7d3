/* Transport channels in the store: groups, and the rules of joining them. */
#include "steps/channels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/products_gen.h"
#include "products/channels.h"
#include "store/subscriptions.h"

static enum lp_code
ask(const struct lp_channel_source *source, enum lp_stmt stmt, const struct lp_arg *args,
    size_t count, struct lp_rows **rows, struct lp_err *err)
{
    return source->reader != NULL ? lp_reader_query(source->reader, stmt, args, count, rows, err)
                                  : lp_query(source->store, stmt, args, count, rows, err);
}

void
lp_channel_group_free(struct lp_channel_group *group)
{
    json_decref(group->channels);
    json_decref(group->services);
    *group = (struct lp_channel_group){.owner = ""};
}

/* ---- who rides on them ---- */

struct gathering {
    const struct lp_channel_source *source;
    json_t *closure; /* {"subscriptions": {id: {"type","status","root"}}} of services */
    json_t *services;
};

static enum lp_code
add_service(struct gathering *g, const char *id, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    json_t *all = json_object_get(g->closure, "subscriptions");
    enum lp_code rc;

    if (json_object_get(all, id) != NULL)
        return LP_OK;
    rc = lp_subscription_load(g->source->store, g->source->reader, g->source->catalog, id, &sub,
                              err);
    if (rc != LP_OK)
        return rc;
    if (sub->status != LP_LC_TERMINATED) {
        (void)json_object_set_new(all, sub->id,
                                  json_pack("{s:s, s:s, s:O}", "type", sub->product->type, "status",
                                            lp_lifecycle_name(sub->status), "root", sub->root));
        (void)json_array_append_new(g->services,
                                    json_pack("{s:s, s:s, s:s, s:I}", "subscription_id", sub->id,
                                              "description", sub->description, "status",
                                              lp_lifecycle_name(sub->status), "since",
                                              (json_int_t)sub->created_at));
    }
    lp_subscription_free(sub);
    return LP_OK;
}

static enum lp_code
add_users(struct gathering *g, const json_t *channels, struct lp_err *err)
{
    const json_t *channel;
    size_t i;
    enum lp_code rc = LP_OK;

    json_array_foreach(channels, i, channel)
    {
        struct lp_rows *rows = NULL;

        if (rc == LP_OK)
            rc = ask(g->source, LP_SQL_BLOCK_USERS,
                     LP_ARGS(lp_text("instance_id",
                                     lp_json_str(channel, "subscription_instance_id", ""))),
                     &rows, err);
        for (size_t k = 0; rc == LP_OK && k < lp_rows_count(rows); k++)
            rc = add_service(g, lp_rows_text(rows, k, "id"), err);
        lp_rows_free(rows);
    }
    return rc;
}

static int
older(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int64_t p = lp_json_int(x, "since", 0), q = lp_json_int(y, "since", 0);

    if (p != q)
        return p < q ? -1 : 1;
    return strcmp(lp_json_str(x, "subscription_id", ""), lp_json_str(y, "subscription_id", ""));
}

static enum lp_code
sort_services(json_t *services, struct lp_err *err)
{
    size_t count = json_array_size(services);
    json_t **rows = calloc(count + 1, sizeof(json_t *));

    if (rows == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the services of a channel");
    for (size_t i = 0; i < count; i++)
        rows[i] = json_incref(json_array_get(services, i));
    qsort((void *)rows, count, sizeof *rows, older);
    json_array_clear(services);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(services, rows[i]);
    free((void *)rows);
    return LP_OK;
}

static enum lp_code
device_of(const struct lp_channel_source *source, const json_t *port,
          char id[static LP_UUID_LEN + 1], struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = ask(source, LP_SQL_BLOCK_OWNER,
                          LP_ARGS(lp_text("instance_id", json_string_value(port))), &rows, err);

    (void)snprintf(id, LP_UUID_LEN + 1, "%s",
                   rc == LP_OK && lp_rows_count(rows) > 0 ? lp_rows_text(rows, 0, "subscription_id")
                                                          : "");
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
fill(struct gathering *g, struct lp_channel_group *out, struct lp_err *err)
{
    const json_t *ports = json_object_get(json_array_get(out->channels, 0),
                                          LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);
    const json_t *list[LP_CHANNELS_MOST] = {NULL};
    size_t count = 0;
    enum lp_code rc = add_users(g, out->channels, err);

    for (size_t i = 0; i < 2 && rc == LP_OK; i++)
        rc = device_of(g->source, json_array_get(ports, i), out->devices[i], err);
    if (rc == LP_OK)
        rc = sort_services(g->services, err);
    for (; count < json_array_size(out->channels) && count < LP_CHANNELS_MOST; count++)
        list[count] = json_array_get(out->channels, count);
    out->capacity_gbps = 0;
    for (size_t i = 0; i < count && out->capacity_gbps >= 0; i++) {
        int64_t gbps = lp_json_int(list[i], LP_F_OPTICAL_TRANSPORT_CHANNEL_CAPACITY_GBPS, 0);
        out->capacity_gbps = gbps == 0 ? -1 : out->capacity_gbps + gbps;
    }
    out->spare_gbps = lp_channels_spare_gbps(g->closure, list, count);
    return rc;
}

enum lp_code
lp_channel_group_load(const struct lp_channel_source *source, const char *owner,
                      struct lp_channel_group *out, struct lp_err *err)
{
    struct gathering g = {.source = source,
                          .closure = json_pack("{s:{}}", "subscriptions"),
                          .services = json_array()};
    const json_t *entry, *root;
    enum lp_code rc = add_service(&g, owner, err);

    *out = (struct lp_channel_group){.services = json_incref(g.services)};
    (void)snprintf(out->owner, sizeof out->owner, "%s", owner);
    entry = json_object_get(json_object_get(g.closure, "subscriptions"), owner);
    root = json_object_get(entry, "root");
    out->channels = json_deep_copy(json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS));
    out->flow_id = lp_json_int(root, LP_F_OPTICAL_DIGITAL_SERVICE_FLOW_ID, 0);
    out->active = strcmp(lp_json_str(entry, "status", ""), "active") == 0;
    if (rc == LP_OK && json_array_size(out->channels) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "subscription %.64s owns no channel", owner);
    if (rc == LP_OK)
        rc = fill(&g, out, err);
    json_decref(g.closure);
    json_decref(g.services);
    if (rc != LP_OK)
        lp_channel_group_free(out);
    return rc;
}

/* ---- finding them ---- */

/* Who holds a unique value: owner "" when nobody does. */
static enum lp_code
holder_of(const struct lp_channel_source *source, const char *scope, const char *value,
          char owner[static LP_UUID_LEN + 1], struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = ask(source, LP_SQL_BLOCK_KEY_HOLDER,
                          LP_ARGS(lp_text("scope", scope), lp_text("value", value)), &rows, err);

    (void)snprintf(owner, LP_UUID_LEN + 1, "%s",
                   rc == LP_OK && lp_rows_count(rows) > 0 ? lp_rows_text(rows, 0, "subscription_id")
                                                          : "");
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_channel_group_at(const struct lp_channel_source *source, const char *line_port,
                    struct lp_channel_group *out, struct lp_err *err)
{
    char owner[LP_UUID_LEN + 1];
    enum lp_code rc = holder_of(source, "channel.line_port", line_port, owner, err);

    *out = (struct lp_channel_group){.owner = ""};
    if (rc == LP_OK && owner[0] == '\0')
        return lp_fail(err, LP_NOT_FOUND, "no channel ends at port %.64s", line_port);
    return rc == LP_OK ? lp_channel_group_load(source, owner, out, err) : rc;
}

static void
ids_text(const json_t *och_ids, char *buf, size_t size)
{
    size_t used = 0, i;
    const json_t *id;

    buf[0] = '\0';
    json_array_foreach(och_ids, i, id)
    {
        if (used < size)
            used += (size_t)snprintf(buf + used, size - used, "%s%lld", i == 0 ? "" : ", ",
                                     (long long)json_integer_value(id));
    }
}

static bool
has_number(const struct lp_channel_group *group, json_int_t och)
{
    const json_t *channel;
    size_t i;

    json_array_foreach(group->channels, i, channel)
    {
        if (lp_json_int(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OCH_ID, 0) == och)
            return true;
    }
    return false;
}

/* All by one owner: *owner. None by anybody: "". Else LP_INVALID. */
static enum lp_code
common_owner(const struct lp_channel_source *source, const json_t *och_ids,
             char owner[static LP_UUID_LEN + 1], struct lp_err *err)
{
    char one[LP_UUID_LEN + 1], number[24], all[64];
    const json_t *id;
    size_t i;

    owner[0] = '\0';
    json_array_foreach(och_ids, i, id)
    {
        enum lp_code rc;

        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(id));
        rc = holder_of(source, "channel.och_id", number, one, err);
        if (rc != LP_OK)
            return rc;
        if (i > 0 && strcmp(one, owner) != 0) {
            ids_text(och_ids, all, sizeof all);
            return lp_fail(err, LP_INVALID,
                           "OPT-041: channels %s belong to different services and cannot be "
                           "combined%s",
                           all, one[0] == '\0' || owner[0] == '\0' ? " (one of them is new)" : "");
        }
        memcpy(owner, one, sizeof one);
    }
    return LP_OK;
}

enum lp_code
lp_channels_named(const struct lp_channel_source *source, const json_t *och_ids,
                  struct lp_channel_group *out, struct lp_err *err)
{
    char owner[LP_UUID_LEN + 1], all[64], group[64];
    const json_t *id;
    size_t i;
    enum lp_code rc = common_owner(source, och_ids, owner, err);

    *out = (struct lp_channel_group){.owner = ""};
    ids_text(och_ids, all, sizeof all);
    if (rc == LP_OK && owner[0] == '\0')
        return lp_fail(err, LP_NOT_FOUND, "channels %s are new", all);
    if (rc == LP_OK)
        rc = lp_channel_group_load(source, owner, out, err);
    if (rc != LP_OK)
        return rc;
    json_array_foreach(och_ids, i, id)
    {
        if (!has_number(out, json_integer_value(id)))
            rc = LP_INVALID;
    }
    if (rc == LP_OK && json_array_size(och_ids) == json_array_size(out->channels))
        return LP_OK;
    lp_channel_group_text(out, group, sizeof group);
    lp_channel_group_free(out);
    return lp_fail(err, LP_INVALID,
                   "OPT-041: channels %s are not the whole group %s of their service", all, group);
}

void
lp_channel_group_text(const struct lp_channel_group *group, char *buf, size_t size)
{
    size_t used = 0, i;
    const json_t *channel;

    buf[0] = '\0';
    json_array_foreach(group->channels, i, channel)
    {
        if (used < size)
            used += (size_t)snprintf(
                buf + used, size - used, "%sOCh%03lld", i == 0 ? "" : "+",
                (long long)lp_json_int(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OCH_ID, 0));
    }
}

/* ---- inheriting ---- */

const json_t *
lp_channel_heir(const struct lp_channel_group *group)
{
    const json_t *service, *unfinished = NULL;
    size_t i;

    json_array_foreach(group->services, i, service)
    {
        if (strcmp(lp_json_str(service, "subscription_id", ""), group->owner) == 0)
            continue;
        if (strcmp(lp_json_str(service, "status", ""), "active") == 0)
            return service;
        if (unfinished == NULL)
            unfinished = service;
    }
    return unfinished;
}

/* ---- joining ---- */

enum lp_code
lp_channels_may_join(const struct lp_channel_group *group, const char *device_a,
                     const char *device_z, unsigned gbps, bool *swapped, struct lp_err *err)
{
    bool straight =
        strcmp(group->devices[0], device_a) == 0 && strcmp(group->devices[1], device_z) == 0;
    char text[64];

    lp_channel_group_text(group, text, sizeof text);
    *swapped = !straight && strcmp(group->devices[0], device_z) == 0
               && strcmp(group->devices[1], device_a) == 0;
    if (!straight && !*swapped)
        return lp_fail(err, LP_INVALID,
                       "OPT-042: channel %s runs between devices %s and %s (subscriptions), not "
                       "between those chosen",
                       text, group->devices[0], group->devices[1]);
    if (!group->active)
        return lp_fail(err, LP_INVALID, "channel %s belongs to a service that is not active (%s)",
                       text, group->owner);
    if (group->spare_gbps < 0)
        return lp_fail(err, LP_INVALID,
                       "the capacity of channel %s is not known: nobody else can join it", text);
    if (group->spare_gbps < (int64_t)gbps)
        return lp_fail(err, LP_INVALID, "channel %s has %lld of %lld Gb/s free: %u are needed",
                       text, (long long)group->spare_gbps, (long long)group->capacity_gbps, gbps);
    return LP_OK;
}
