/* Operations of a G30: counters, files, software, restarts, rollback points, the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "sim/g30/g30.h"

#define RESTART_DELAY_US 200000 /* until an announced restart takes place */
#define MAX_POINTS       16

json_t *
g30_software(const struct sim_box *box)
{
    return json_object_get(box->extra, "software");
}

static json_t *
status_new(const char *status, const char *message)
{
    return json_pack("{s:s,s:s}", "status", status, "status-message", message);
}

static bool
failed(json_t **out, const char *message)
{
    *out = status_new("Failed", message);
    return true;
}

/* ---- counters ---- */

struct pm {
    struct sim_net *net;
    struct sim_box *box;
    const char *entity, *parameter, *type;
    json_t *rows;
};

static void
pm_row(struct pm *pm, const char *entity, const char *type, const char *parameter,
       const char *value, const char *unit)
{
    char when[32];

    if ((strcmp(pm->parameter, "all") != 0 && strcmp(pm->parameter, parameter) != 0)
        || (strcmp(pm->type, "all") != 0 && strcmp(pm->type, type) != 0)
        || (pm->entity != NULL && strcmp(pm->entity, entity) != 0))
        return;
    sim_box_clock(pm->net, pm->box, when);
    (void)json_array_append_new(
        pm->rows, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "pm-time-period", "15min",
                            "monitoring-date-time", when, "pm-entity", entity, "pmp-type", type,
                            "pm-parameter", parameter, "pm-value", value, "pm-unit", unit,
                            "validity", "partial"));
}

static bool
pm_port(void *arg, const struct g30_where *at)
{
    struct pm *pm = arg;
    const json_t *och = json_object_get(at->port, "och-os");
    char entity[256];
    bool good;

    g30_port_path(at, entity, sizeof entity - 16);
    if (och == NULL) {
        pm_row(pm, entity, "optical-power", "OPR", lp_json_str(at->port, "rx-optical-power", ""),
               "dBm");
        pm_row(pm, entity, "optical-power", "OPT", lp_json_str(at->port, "tx-optical-power", ""),
               "dBm");
        return true;
    }
    (void)snprintf(entity + strlen(entity), 16, "/och-os");
    good = strcmp(lp_json_str(och, "oper-status", ""), "up") == 0;
    pm_row(pm, entity, "optical-power", "OPR", lp_json_str(och, "rx-optical-power", ""), "dBm");
    pm_row(pm, entity, "optical-power", "OPT", lp_json_str(och, "actual-tx-optical-power", ""),
           "dBm");
    pm_row(pm, entity, "coherent-optical-interface", "Q-factor", lp_json_str(och, "Q-factor", ""),
           "dB");
    pm_row(pm, entity, "coherent-optical-interface", "OSNR", lp_json_str(och, "OSNR", ""), "dB");
    pm_row(pm, entity, "coherent-optical-interface", "CD", lp_json_str(och, "CD", ""), "ps/nm");
    pm_row(pm, entity, "coherent-optical-interface", "DGD", good ? "2.0" : "0.0", "ps");
    pm_row(pm, entity, "fec", "BER-FEC", good ? "2.1E-03" : "0.0E+00", "Bit-ratio");
    pm_row(pm, entity, "fec", "BER-POST-FEC", "0.0E+00", "Bit-ratio");
    return true;
}

static void
pm_collect(struct pm *pm, const json_t *selector)
{
    pm->entity = lp_json_str(selector, "pm-entity", NULL);
    pm->parameter = lp_json_str(selector, "pm-parameter", "all");
    pm->type = lp_json_str(selector, "pmp-type", "all");
    g30_ports(pm->box, pm_port, pm);
}

static bool
rpc_get_pm(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
           struct sim_why *why)
{
    struct pm pm = {.net = net, .box = box, .rows = json_array()};
    const json_t *filter = json_object_get(input, "filter");
    const char *bin = lp_json_str(input, "pm-bin-type", "current");
    size_t i;

    if (strcmp(bin, "current") != 0 && strcmp(bin, "history") != 0 && strcmp(bin, "all") != 0) {
        json_decref(pm.rows);
        return sim_refuse(why, 400, "invalid-value", "pm-bin-type '%.32s'", bin);
    }
    if (json_is_array(filter))
        for (i = 0; i < json_array_size(filter); i++)
            pm_collect(&pm, json_array_get(filter, i));
    else
        pm_collect(&pm, input);
    *out = json_array_size(pm.rows) == 0 ? json_object() : json_pack("{s:O}", "pm-data", pm.rows);
    json_decref(pm.rows);
    return true;
}

/* ---- files and software ---- */

static bool
rpc_download(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
             struct sim_why *why)
{
    const char *type = lp_json_str(input, "filetype", ""),
               *source = lp_json_str(input, "source", "");
    const json_t *images = json_object_get(box->doc, "images");
    char version[32];
    size_t i;

    (void)net;
    if (type[0] == '\0' || source[0] == '\0')
        return sim_refuse(why, 400, "missing-element", "filetype and source are needed");
    if (strcmp(type, "swimage") != 0) {
        *out = json_pack("{s:s,s:s}", "status", "Successful", "download-result", "completed");
        return true;
    }
    if (!sim_version_of(source, "FP", version, sizeof version))
        return failed(out, "the file is no software image");
    for (i = 0; i < json_array_size(images); i++)
        if (json_string_value(json_array_get(images, i)) != NULL
            && strcmp(json_string_value(json_array_get(images, i)), version) == 0)
            break;
    if (images != NULL && i == json_array_size(images))
        return failed(out, "the file is not on the server");
    (void)lp_json_set_str(g30_software(box), "inactive", version);
    *out = json_pack("{s:s,s:s}", "status", "Successful", "download-result",
                     "download completed successfully");
    return true;
}

static bool
rpc_upload(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
           struct sim_why *why)
{
    (void)net;
    (void)box;
    if (lp_json_str(input, "filetype", NULL) == NULL
        || lp_json_str(input, "destination", NULL) == NULL)
        return sim_refuse(why, 400, "missing-element", "filetype and destination are needed");
    *out =
        json_pack("{s:s,s:s}", "status", "Successful", "result", "upload completed successfully");
    return true;
}

static bool
activate(struct sim_net *net, struct sim_box *box, json_t **out)
{
    json_t *software = g30_software(box);
    const char *inactive = lp_json_str(software, "inactive", "");

    if (inactive[0] == '\0')
        return failed(out, "there is no inactive software load");
    (void)lp_json_set_str(software, "pending", inactive);
    box->restart_us = net->utc_us + RESTART_DELAY_US;
    *out = status_new("In-progress", "the element restarts");
    return true;
}

static bool
rpc_activate(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
             struct sim_why *why)
{
    const char *type = lp_json_str(input, "filetype", "");

    if (strcmp(type, "swimage") == 0)
        return activate(net, box, out);
    if (strcmp(type, "database") != 0)
        return sim_refuse(why, 400, "invalid-value", "filetype '%.32s'", type);
    box->restart_us = net->utc_us + RESTART_DELAY_US;
    *out = status_new("In-progress", "the element restarts");
    return true;
}

/* The cards of the element and whether their firmware belongs to the software. */
static json_t *
firmware(const struct sim_box *box)
{
    json_t *all = json_object_get(box->extra, "firmware");

    if (all == NULL) {
        all = json_object();
        (void)json_object_set_new(box->extra, "firmware", all);
    }
    return all;
}

static bool
firmware_old(void *arg, const struct g30_where *at)
{
    char key[48];

    (void)snprintf(key, sizeof key, "%lld/%lld", (long long)at->shelf, (long long)at->slot);
    (void)json_object_set_new(arg, key, json_string("not-current"));
    return true;
}

void
g30_restarted(struct sim_net *net, struct sim_box *box)
{
    json_t *software = g30_software(box), *pending = json_object_get(software, "pending");

    (void)net;
    if (pending == NULL)
        return;
    (void)json_object_set(software, "inactive", json_object_get(software, "active"));
    (void)json_object_set(software, "active", pending);
    (void)json_object_del(software, "pending");
    g30_ports(box, firmware_old, firmware(box));
}

static bool
card_at(const struct sim_box *box, const char *entity, char key[static 48], json_t **card)
{
    const json_t *shelves = json_object_get(json_object_get(box->tree, "ne:ne"), "shelf"), *slots;
    int shelf, slot;
    size_t s, l;

    if (sscanf(entity, "/ne:ne/shelf[shelf-id='%2d']/slot[slot-id='%2d']/card", &shelf, &slot) != 2)
        return false;
    (void)snprintf(key, 48, "%d/%d", shelf, slot);
    for (s = 0; s < json_array_size(shelves); s++) {
        slots = json_object_get(json_array_get(shelves, s), "slot");
        for (l = 0; l < json_array_size(slots); l++)
            if (sim_number(json_array_get(shelves, s), "shelf-id", 0) == shelf
                && sim_number(json_array_get(slots, l), "slot-id", 0) == slot) {
                *card = json_object_get(json_array_get(slots, l), "card");
                return *card != NULL;
            }
    }
    return false;
}

static void
card_restart(struct sim_net *net, struct sim_box *box, const char *key, json_t *card, bool cold)
{
    json_t *waiting = json_object_get(box->extra, "cards");

    (void)json_object_set_new(firmware(box), key, json_string("current"));
    if (!cold)
        return;
    if (waiting == NULL) {
        waiting = json_object();
        (void)json_object_set_new(box->extra, "cards", waiting);
    }
    (void)lp_json_set_str(card, "oper-status", "down"); /* its lasers are off meanwhile */
    (void)json_object_set_new(waiting, key, json_integer(net->now_us + box->outage_ms * 1000));
}

static bool
rpc_restart(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
            struct sim_why *why)
{
    const char *entity = lp_json_str(input, "entity-id", "");
    const char *type = lp_json_str(input, "restart-type", "warm");
    bool cold = strcmp(type, "cold") == 0;
    json_t *card = NULL;
    char key[48];

    if (!cold && strcmp(type, "warm") != 0)
        return sim_refuse(why, 400, "invalid-value", "restart-type '%.32s'", type);
    if (strcmp(entity, "/ne:ne") == 0 || strcmp(entity, "ne:ne") == 0) {
        const char *name;
        json_t *state;

        json_object_foreach(firmware(box), name, state)
        {
            if (json_object_get(input, "dsp-upgrade") != NULL
                || json_object_get(input, "fpga-upgrade") != NULL)
                (void)json_string_set(state, "current");
        }
        box->restart_us = net->utc_us + RESTART_DELAY_US;
        *out = status_new("In-progress", "the element restarts");
        return true;
    }
    if (!card_at(box, entity, key, &card))
        return failed(out, "there is no such entity");
    if (strcmp(lp_json_str(card, "oper-status", "up"), "up") != 0)
        return failed(out, "restarting");
    card_restart(net, box, key, card, cold);
    *out = status_new("Successful", "");
    return true;
}

/* ---- rollback points ---- */

static json_t *
points_of(const struct sim_box *box)
{
    json_t *points = json_object_get(box->extra, "points");

    if (points == NULL) {
        points = json_array();
        (void)json_object_set_new(box->extra, "points", points);
    }
    return points;
}

static json_t *
point_find(const struct sim_box *box, int64_t id)
{
    const json_t *points = points_of(box);
    size_t i;

    for (i = 0; i < json_array_size(points); i++)
        if (lp_json_int(json_array_get(points, i), "id", 0) == id)
            return json_array_get(points, i);
    return NULL;
}

static bool
rpc_point(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
          struct sim_why *why)
{
    json_t *points = points_of(box);
    int64_t id = lp_json_int(box->extra, "point", 0) + 1;

    (void)net;
    (void)input;
    (void)why;
    while (json_array_size(points) >= MAX_POINTS)
        (void)json_array_remove(points, 0);
    (void)json_array_append_new(
        points, json_pack("{s:I,s:o}", "id", (json_int_t)id, "tree", json_deep_copy(box->tree)));
    (void)lp_json_set_int(box->extra, "point", id);
    *out = json_pack("{s:I}", "created-rollback-point-id", (json_int_t)id);
    return true;
}

static bool
rpc_rollback(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
             struct sim_why *why)
{
    const json_t *point = point_find(box, sim_number(input, "target-rollback-point", 0));

    (void)why;
    if (point == NULL)
        return failed(out, "there is no such rollback point");
    json_decref(box->before);
    box->before = box->tree;
    box->tree = json_deep_copy(json_object_get(point, "tree"));
    sim_box_changed(net, box);
    *out = status_new("Successful", "");
    return true;
}

/* What differs, as a subtree with RFC 7952 metadata: entries of lists with their keys, leaves with
 * their old value. */
static void
annotate(json_t *out, const char *name, const char *operation, const json_t *was)
{
    char member[140];

    (void)snprintf(member, sizeof member, "@%.128s", name);
    (void)json_object_set_new(out, member,
                              was == NULL ? json_pack("{s:s}", "coriant-rpc:operation", operation)
                                          : json_pack("{s:s,s:O}", "coriant-rpc:operation",
                                                      operation, "coriant-rpc:old-value", was));
}

static json_t *
keys_of(const struct sim_schema *schema, const json_t *entry, const char **texts, char (*bufs)[24])
{
    json_t *out = json_object();
    size_t i;

    for (i = 0; i < SIM_MAX_KEYS && schema->keys[i] != NULL; i++) {
        (void)json_object_set(out, schema->keys[i], json_object_get(entry, schema->keys[i]));
        texts[i] = sim_text(entry, schema->keys[i], bufs[i]);
    }
    return out;
}

static json_t *differences(const struct sim_schema *schema, const json_t *old, const json_t *now);

/* Entries of `of` that the other side has not, or has differently. */
static void
entries(const struct sim_schema *schema, const json_t *of, const json_t *other_parent,
        const char *operation, json_t *out)
{
    size_t i;
    json_t *entry;

    json_array_foreach((json_t *)(uintptr_t)of, i, entry)
    {
        const char *texts[SIM_MAX_KEYS + 1] = {NULL};
        char bufs[SIM_MAX_KEYS][24];
        json_t *row = keys_of(schema, entry, texts, bufs), *sub = NULL;
        const json_t *other = sim_entry_find(schema, other_parent, texts);

        if (other == NULL)
            annotate(row, "", operation, NULL);
        else if (strcmp(operation, "create") == 0 && !json_equal(other, entry))
            sub = differences(schema, other, entry);
        if (sub != NULL)
            (void)json_object_update(row, sub);
        if (other == NULL || sub != NULL)
            (void)json_array_append(out, row);
        json_decref(sub);
        json_decref(row);
    }
}

static void
list_differs(const struct sim_schema *schema, const char *member, const json_t *old,
             const json_t *now, json_t *out)
{
    json_t *rows = json_array();

    entries(schema, json_object_get(now, member), old, "create", rows);
    entries(schema, json_object_get(old, member), now, "delete", rows);
    if (json_array_size(rows) > 0)
        (void)json_object_set(out, member, rows);
    json_decref(rows);
}

static void
member_differs(const struct sim_schema *schema, const char *member, const json_t *old,
               const json_t *now, json_t *out)
{
    const struct sim_schema *child = sim_schema_child(schema, sim_plain_name(member));
    json_t *was = json_object_get(old, member), *is = json_object_get(now, member), *sub;

    if (json_equal(was, is))
        return;
    if (child != NULL && (child->flags & SIM_S_LIST) != 0) {
        list_differs(child, member, old, now, out);
    } else if (child != NULL && is != NULL && was != NULL) {
        sub = differences(child, was, is);
        (void)json_object_set_new(out, member, sub);
    } else if (child != NULL) {
        sub = json_object();
        annotate(sub, "", is != NULL ? "create" : "delete", NULL);
        (void)json_object_set_new(out, member, sub);
    } else {
        if (is != NULL)
            (void)json_object_set(out, member, is);
        annotate(out, member, was == NULL ? "create" : is == NULL ? "delete" : "replace", was);
    }
}

static json_t *
differences(const struct sim_schema *schema, const json_t *old, const json_t *now)
{
    json_t *out = json_object(), *value;
    const char *member;

    json_object_foreach((json_t *)(uintptr_t)now, member, value)
        member_differs(schema, member, old, now, out);
    json_object_foreach((json_t *)(uintptr_t)old, member, value)
    {
        if (json_object_get(now, member) == NULL)
            member_differs(schema, member, old, now, out);
    }
    return out;
}

static bool
rpc_diff(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
         struct sim_why *why)
{
    const json_t *point = point_find(box, sim_number(input, "target-rollback-point", 0));
    const struct sim_schema *root = box->kind->model->roots[0];
    json_t *old, *now;

    (void)net;
    if (point == NULL)
        return sim_refuse(why, 404, "data-missing", "there is no such rollback point");
    old = sim_config_of(box->kind->model, json_object_get(point, "tree"));
    now = sim_box_state(box);
    *out =
        json_pack("{s:{s:o}}", "differences", "ne:ne",
                  differences(root, json_object_get(old, "ne:ne"), json_object_get(now, "ne:ne")));
    json_decref(old);
    json_decref(now);
    return true;
}

/* ---- the command line ---- */

struct listing {
    struct sim_box *box;
    struct lp_buf *out;
    const char *type;
};

static bool
cli_firmware_row(void *arg, const struct g30_where *at)
{
    struct listing *l = arg;
    const char *type = lp_json_str(at->card, "required-type", "");
    const char *state;
    char key[48];

    if (at->id != 1 || (l->type != NULL && strcmp(l->type, type) != 0))
        return true;
    (void)snprintf(key, sizeof key, "%lld/%lld", (long long)at->shelf, (long long)at->slot);
    state = lp_json_str(firmware(l->box), key, "current");
    lp_buf_printf(l->out,
                  "%s\"row\":{\"card\":\"%s\",\"fw-equipment-type\":\"%s\",\"fw-state\":\"%s\"}",
                  l->out->len > 1 ? "," : "", key, type, state);
    return true;
}

static bool
cli_optics_row(void *arg, const struct g30_where *at)
{
    struct listing *l = arg;
    const json_t *och = json_object_get(at->port, "och-os");
    char name[64];

    if (och == NULL || strcmp(lp_json_str(och, "admin-status", ""), "up") != 0)
        return true;
    g30_port_name(at, name);
    lp_buf_printf(l->out,
                  "%s\"row\":{\"alias-name\":\"%s\",\"Q-factor\":\"%s\",\"avail-status\":\"%s\","
                  "\"actual-tx-optical-power\":\"%s\",\"actual-frequency\":\"%lld\"}",
                  l->out->len > 1 ? "," : "", name, lp_json_str(och, "Q-factor", ""),
                  lp_json_str(och, "avail-status", ""),
                  lp_json_str(och, "actual-tx-optical-power", ""),
                  (long long)sim_number(och, "actual-frequency", 0));
    return true;
}

static bool
cli_module_row(void *arg, const struct g30_where *at)
{
    struct listing *l = arg;
    const char *type = lp_json_str(at->card, "required-type", "");

    if (at->id == 1 && (l->type == NULL || strcmp(l->type, type) == 0))
        lp_buf_printf(l->out, "%s\"row\":{\"entity\":\"card-%lld/%lld\",\"module-type\":\"%s\"}",
                      l->out->len > 1 ? "," : "", (long long)at->shelf, (long long)at->slot, type);
    return true;
}

static void
cli_software(struct listing *l)
{
    lp_buf_printf(l->out, "\"row\":{\"swload-state\":\"Active\",\"swload-version\":\"%s\"}",
                  lp_json_str(g30_software(l->box), "active", ""));
}

/* "X" behind "name=" in a command, without blanks; NULL. */
static const char *
word_behind(const char *command, const char *name, char *buf, size_t size)
{
    const char *at = strstr(command, name);

    if (at == NULL)
        return NULL;
    at += strlen(name);
    (void)snprintf(buf, size, "%.*s", (int)strcspn(at, " |\n"), at);
    return buf;
}

static bool
cli_run(struct sim_net *net, struct sim_box *box, const char *command, struct lp_buf *out)
{
    char word[32];
    struct listing l = {.box = box, .out = out};
    json_t *ignored = NULL;

    lp_buf_char(out, '{');
    if (strncmp(command, "show current-fw-version", 23) == 0
        || strncmp(command, "show sw-management current-fw-version", 37) == 0) {
        l.type = word_behind(command, "fw-equipment-type=", word, sizeof word);
        g30_ports(box, cli_firmware_row, &l);
    } else if (strncmp(command, "show och-os", 11) == 0) {
        g30_ports(box, cli_optics_row, &l);
    } else if (strncmp(command, "show inventory", 14) == 0) {
        l.type = word_behind(command, "module-type=", word, sizeof word);
        g30_ports(box, cli_module_row, &l);
    } else if (strncmp(command, "show sw-management softwareload", 31) == 0) {
        cli_software(&l);
    } else if (strncmp(command, "activate swimage", 16) == 0) {
        (void)activate(net, box, &ignored);
        json_decref(ignored);
    } else if (strncmp(command, "delete session", 14) != 0 && strncmp(command, "show ne", 7) != 0) {
        return false;
    }
    if (out->len == 1)
        lp_buf_reset(out); /* no rows */
    else
        lp_buf_char(out, '}');
    return true;
}

static bool
rpc_cli(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
        struct sim_why *why)
{
    struct lp_buf text = LP_BUF_INIT;
    const char *command = lp_json_str(input, "commands", NULL);

    if (command == NULL)
        return sim_refuse(why, 400, "missing-element", "commands are needed");
    if (!cli_run(net, box, command, &text)) {
        lp_buf_reset(&text);
        lp_buf_str(&text, "ERROR: invalid command");
    } else {
        lp_buf_char(&text, '\n');
    }
    *out = json_pack("{s:s}", "result", text.failed ? "" : text.data);
    lp_buf_free(&text);
    return true;
}

static bool
rpc_no_op(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
          struct sim_why *why)
{
    (void)net;
    (void)box;
    (void)input;
    (void)why;
    *out = status_new("Successful", "");
    return true;
}

static bool
rpc_ping(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
         struct sim_why *why)
{
    const char *dest = lp_json_str(input, "ping-dest", NULL);
    char text[256];

    (void)net;
    (void)box;
    if (dest == NULL)
        return sim_refuse(why, 400, "missing-element", "ping-dest is needed");
    (void)snprintf(text, sizeof text, "PING %.64s: 4 packets transmitted, 4 received", dest);
    *out = json_pack("{s:s,s:s}", "status", "Successful", "result", text);
    return true;
}

/* ---- the table ---- */

const struct sim_operation g30_operations[] = {
    {"coriant-rpc:no-op", false, rpc_no_op, "||"},
    {"coriant-rpc:ping", false, rpc_ping,
     "|ping-dest|ping-count|ping-timeout|ping-pktsize|ping-ifname|"},
    {"coriant-rpc:get-pm", false, rpc_get_pm,
     "|pm-bin-type|pm-entity|pmp-type|pm-parameter|pm-time-period|monitoring-date-time|"
     "number-of-records|start-monitoring-date-time|end-monitoring-date-time|start-number-of-bin|"
     "end-number-of-bin|filter|"},
    {"coriant-rpc:clear-pm-data", true, rpc_no_op,
     "|pm-entity|pmp-type|pm-parameter|pm-time-period|"},
    {"coriant-rpc:download", true, rpc_download, "|filetype|source|password|"},
    {"coriant-rpc:upload", true, rpc_upload,
     "|filetype|destination|password|shelf|file-description|"},
    {"coriant-rpc:activate-file", true, rpc_activate, "|filetype|restart-type|db-action|"},
    {"coriant-rpc:restart", true, rpc_restart, "|entity-id|restart-type|fpga-upgrade|dsp-upgrade|"},
    {"coriant-rpc:create-rollback-point", true, rpc_point, "|backup|description|"},
    {"coriant-rpc:rollback", true, rpc_rollback, "|target-rollback-point|"},
    {"coriant-rpc:diff", false, rpc_diff, "|target-rollback-point|candidate|"},
    {"coriant-rpc:cli-command", true, rpc_cli, "|commands|echo|error-option|replace|script-file|"},
};
const size_t g30_operation_count = LP_COUNT(g30_operations);
