/* What a G42 tells, as the documents of clients/driver.h; and its driver. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clients/infinera/g42/g42.h"
#include "clients/infinera/rest/link.h"

#define CHASSIS  G42_NE "/equipment/chassis"
#define CARDS    G42_NE "/equipment/card"
#define SOFTWARE G42_NE "/system/sw-management/software-load"
#define ALARMS   "/data/ioa-alarm:alarms/current-alarms/alarm"
#define RECORDS  200 /* of one answer of get-pm */
#define PAGES    100

static const struct lp_restconf_query two = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 2};
static const struct lp_restconf_query tree = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 5};

/* ---- identity ---- */

static const char *
serial_in(struct lp_arena *arena, const json_t *item)
{
    const char *own = ir_text(arena, item, "serial-number", "");

    if (own[0] == '\0')
        own = ir_text(arena, ir_member(item, "inventory"), "serial-number", "");
    return own[0] != '\0' ? own : ir_text(arena, item, "expected-serial-number", "");
}

static const char *
active_software(struct lp_arena *arena, const json_t *loads)
{
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)loads, i, item)
    {
        if (strcasecmp(ir_text(arena, item, "swload-state", ""), "active") == 0)
            return ir_text(arena, item, "swload-version", "");
    }
    return "";
}

static enum lp_code
identify(struct ir_ne *r, json_t **out, struct lp_err *err)
{
    json_auto_t *ne = NULL, *chassis = NULL, *software = NULL;
    struct lp_arena *arena = r->call->arena;
    enum lp_code rc = r->get(r, G42_NE, &two, &ne, err);

    if (rc == LP_OK)
        rc = r->get(r, CHASSIS, &tree, &chassis, err);
    if (rc == LP_OK)
        rc = r->get(r, SOFTWARE, &two, &software, err);
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:s, s:s}", "node", ir_text(arena, ne, "ne-name", r->ne.element->node),
                     "type", ir_text(arena, ne, "node-type", "G42"));
    if (serial_in(arena, json_array_get(chassis, 0))[0] != '\0')
        (void)lp_json_set_str(*out, "serial", serial_in(arena, json_array_get(chassis, 0)));
    if (active_software(arena, software)[0] != '\0')
        (void)lp_json_set_str(*out, "software", active_software(arena, software));
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an identity");
}

/* ---- inventory ---- */

static void
add_equipment(struct lp_arena *a, json_t *made, const json_t *list, const char *kind)
{
    json_t *entry;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, entry)
    {
        const char *name = ir_text(a, entry, "name", ""), *dash = strrchr(name, '-');
        const char *parent = dash != NULL ? lp_arena_strndup(a, name, (size_t)(dash - name)) : "";
        json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "aid", name, "type",
                                 ir_text(a, entry, "required-type", kind), "state",
                                 ir_text(a, entry, "oper-state", "present"), "parent", parent);

        if (serial_in(a, entry)[0] != '\0')
            (void)lp_json_set_str(item, "serial", serial_in(a, entry));
        ir_give(a, item, "part", entry, "part-number");
        ir_give(a, item, "part", ir_member(entry, "inventory"), "part-number");
        ir_add_item(made, item);
    }
}

static enum lp_code
inventory(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *chassis = NULL, *cards = NULL, *made = ir_list_document(r);
    enum lp_code rc = r->get(r, CHASSIS, &tree, &chassis, err);

    if (rc == LP_OK)
        rc = r->get(r, CARDS, &tree, &cards, err);
    if (rc == LP_OK) {
        add_equipment(call->arena, made, chassis, "chassis");
        add_equipment(call->arena, made, cards, "card");
    }
    return ir_end(r, rc, &made, out, err);
}

/* ---- every port ---- */

struct seen {
    const char *name; /* AID */
    const json_t *card, *port;
};
typedef void seen_fn(void *ctx, const struct seen *seen);

static void
walk_ports(struct lp_arena *arena, const json_t *cards, seen_fn *fn, void *ctx)
{
    json_t *card, *port;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)cards, i, card)
    {
        json_array_foreach((json_t *)(uintptr_t)ir_member(card, "port"), j, port)
        {
            const struct seen seen = {
                .name = lp_arena_printf(arena, "%s-%s", ir_text(arena, card, "name", ""),
                                        ir_text(arena, port, "name", "")),
                .card = card,
                .port = port,
            };

            if (seen.name != NULL)
                fn(ctx, &seen);
        }
    }
}

/* The element's own word; a port without one that holds a pluggable serves clients. */
static int
role_of(struct lp_arena *arena, const struct seen *seen)
{
    const char *type = ir_text(arena, seen->port, "port-type", "");

    if (strcasestr(type, "line") != NULL)
        return LP_PORT_TRX_LINE;
    if (strcasestr(type, "trib") != NULL || strcasestr(type, "client") != NULL)
        return LP_PORT_TRX_CLIENT;
    return type[0] == '\0' && ir_text(arena, seen->port, "installed-type", "")[0] != '\0'
               ? LP_PORT_TRX_CLIENT
               : -1;
}

static void
put_mode_id(void *ctx, const struct ir_mode *mode)
{
    (void)json_array_append_new(ctx, json_string(mode->id));
}

/* "gx:CHM6 C14": of ports and of modes the same, for that is how a port finds its modes. */
static const char *
card_type(struct lp_arena *arena, const json_t *card)
{
    const char *subtype = ir_text(arena, card, "required-subtype", "");

    return lp_arena_printf(arena, "%s%s%s", ir_text(arena, card, "required-type", ""),
                           subtype[0] != '\0' ? " " : "", subtype);
}

struct port_list {
    struct ir_ne *r;
    json_t *made;
    int role;
};

static const char *
admin_word(const char *admin)
{
    return strcmp(admin, "unlock") == 0        ? "up"
           : strcmp(admin, "maintenance") == 0 ? "maintenance"
                                               : "down";
}

static void
add_port(void *ctx, const struct seen *seen)
{
    struct port_list *list = ctx;
    struct lp_arena *a = list->r->call->arena;
    const char *subtype = ir_text(a, seen->card, "required-subtype", "");
    int role = role_of(a, seen);
    json_t *item, *modes;

    if (role < 0 || (list->role >= 0 && role != list->role))
        return;
    item = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", seen->name, "role",
                     lp_port_role_name((enum lp_port_role)role), "admin",
                     admin_word(ir_text(a, seen->port, "admin-state", "")), "oper",
                     ir_oper_word(ir_text(a, seen->port, "oper-state", "")), "label",
                     ir_text(a, seen->port, "label", ""), "card",
                     ir_text(a, seen->card, "name", ""), "card_type", card_type(a, seen->card),
                     "peer", ir_text(a, seen->port, "connected-to", ""));
    if (role == LP_PORT_TRX_LINE) {
        modes = json_array();
        (void)g42_modes(subtype, put_mode_id, modes);
        (void)json_object_set_new(item, "modes", modes);
    }
    ir_give(a, item, "pluggable", seen->port, "installed-type");
    ir_add_item(list->made, item);
}

static enum lp_code
ports(struct lp_ne *ne, const struct lp_call *call, int role, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *cards = NULL, *made = ir_list_document(r);
    enum lp_code rc = r->get(r, CARDS, &tree, &cards, err);
    struct port_list list = {r, made, role};

    if (rc == LP_OK)
        walk_ports(call->arena, cards, add_port, &list);
    return ir_end(r, rc, &made, out, err);
}

/* ---- neighbours ---- */

static void
add_neighbour(void *ctx, const struct seen *seen)
{
    struct port_list *list = ctx;
    struct lp_arena *a = list->r->call->arena;
    const char *text = ir_text(a, seen->port, "connected-to", ""), *blank = strrchr(text, ' ');

    if (blank != NULL)
        ir_add_item(list->made, json_pack("{s:s, s:s, s:s, s:s}", "port", seen->name, "remote_node",
                                          lp_arena_strndup(a, text, (size_t)(blank - text)),
                                          "remote_port", blank + 1, "source", "provisioned"));
}

static enum lp_code
neighbours(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *cards = NULL, *made = ir_list_document(r);
    enum lp_code rc = r->get(r, CARDS, &tree, &cards, err);
    struct port_list list = {r, made, -1};

    if (rc == LP_OK)
        walk_ports(call->arena, cards, add_neighbour, &list);
    return ir_end(r, rc, &made, out, err);
}

/* ---- modes ---- */

struct mode_list {
    json_t *made;
    const char *card;
};

static void
add_mode(void *ctx, const struct ir_mode *mode)
{
    const struct mode_list *list = ctx;

    (void)json_array_append_new(json_object_get(list->made, "items"),
                                ir_mode_json(mode, list->card));
}

static enum lp_code
modes(struct lp_ne *ne, const struct lp_call *call, const char *port, json_t **out,
      struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *cards = NULL, *known = json_object(), *made = json_pack("{s:[]}", "items");
    const char *name, *card = port != NULL ? g42_card_of(call->arena, port, &name) : "";
    enum lp_code rc = card != NULL ? r->get(r, CARDS, &two, &cards, err)
                                   : lp_fail(err, LP_INVALID, "'%.60s' is no port of a G42", port);
    bool found = port == NULL;
    json_t *entry;
    size_t i;

    json_array_foreach(cards, i, entry)
    {
        const char *subtype = ir_text(call->arena, entry, "required-subtype", "");
        struct mode_list list = {made, card_type(call->arena, entry)};

        if ((port != NULL && strcmp(ir_text(call->arena, entry, "name", ""), card) != 0)
            || json_object_get(known, list.card) != NULL)
            continue;
        found = true;
        (void)g42_modes(subtype, add_mode, &list);
        (void)json_object_set_new(known, list.card, json_true());
    }
    if (rc == LP_OK && !found)
        rc = lp_fail(err, LP_NOT_FOUND, "%s has no card for %s", ne->element->name, port);
    r->call = NULL;
    if (rc == LP_OK)
        *out = lp_json_take(&made);
    return rc;
}

/* ---- alarms ---- */

/* Class of references for the kinds of resources. */
const char *
g42_alarmed(struct lp_arena *arena, const json_t *alarm)
{
    static const char *const rows[][2] = {{"optical-carrier", "oc"}, {"super-channel-group", "scg"},
                                          {"super-channel", "sc"},   {"trib-ptp", "ptp"},
                                          {"ethernet", "eth"},       {"tom", "tom"},
                                          {"port", "port"},          {"card", "card"}};
    const char *type = ir_text(arena, alarm, "resource-type", ""), *colon = strchr(type, ':');
    const char *aid = ir_text(arena, alarm, "AID", "");

    type = colon != NULL ? colon + 1 : type;
    for (size_t i = 0; aid[0] != '\0' && i < LP_COUNT(rows); i++) {
        if (strcmp(rows[i][0], type) == 0)
            return ir_ref(arena, rows[i][1], aid);
    }
    return ir_text(arena, alarm, "resource", aid);
}

static const char *
severity_word(const char *severity)
{
    static const char *const known[] = {"critical", "major", "minor", "warning", "cleared"};

    for (size_t i = 0; i < LP_COUNT(known); i++) {
        if (strcasecmp(known[i], severity) == 0)
            return known[i];
    }
    return "info";
}

static enum lp_code
alarms(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    struct lp_arena *a = call->arena;
    json_auto_t *list = NULL, *made = ir_list_document(r);
    enum lp_code rc = r->get(r, ALARMS, &two, &list, err);
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        ir_add_item(
            made,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "object", g42_alarmed(a, entry),
                      "severity", severity_word(ir_text(a, entry, "perceived-severity", "")),
                      "type", ir_text(a, entry, "alarm-type", ""), "text",
                      ir_text(a, entry, "alarm-type-description", ""), "since",
                      ir_text(a, entry, "reported-time", ""), "service_affecting",
                      (int)(strcasecmp(ir_text(a, entry, "service-affecting", ""), "sa") == 0),
                      "direction", ir_text(a, entry, "direction", "")));
    }
    return ir_end(r, rc, &made, out, err);
}

/* ---- counters ---- */

static const struct {
    const char *parameter, *name, *unit;
} counted[] = {
    {"pre-fec-q", "q_cdb", "0.01 dB"}, {"osnr", "osnr_cdb", "0.01 dB"},
    {"opr", "opr_cdbm", "0.01 dBm"},   {"rx-power", "opr_cdbm", "0.01 dBm"},
    {"opt", "opt_cdbm", "0.01 dBm"},   {"tx-power", "opt_cdbm", "0.01 dBm"},
    {"cd", "cd_ps_nm", "ps/nm"},
};

static void
count_record(struct ir_ne *r, json_t *made, const json_t *query, const json_t *record)
{
    struct lp_arena *a = r->call->arena;
    const char *parameter = ir_text(a, record, "parameter", "");
    const char *validity = ir_text(a, record, "validity", "");
    const char *object = ir_ref(a, "oc", ir_text(a, record, "AID", ""));
    const char *colon = strchr(parameter, ':');
    bool known = strcmp(validity, "complete") == 0 || strcmp(validity, "partial") == 0
                 || strcmp(validity, "suspect") == 0;

    for (size_t i = 0; i < LP_COUNT(counted); i++) {
        if (strcasecmp(counted[i].parameter, colon != NULL ? colon + 1 : parameter) == 0)
            ir_add_counter(made, query, object, counted[i].name, ir_member(record, "pm-value"),
                           counted[i].unit, known ? validity : "unknown");
    }
}

static json_t *
pm_input(struct ir_ne *r, const json_t *query, const char *carrier, size_t skip)
{
    const char *period = lp_json_str(query, "period", "current");
    json_t *input = json_pack("{s:s, s:i}", "data-type",
                              strcmp(period, "current") == 0 ? "real-time" : "history",
                              "number-of-records", RECORDS);
    json_t *filter = json_pack("{s:i}", "filter-id", 1);

    if (strcmp(period, "current") != 0) {
        (void)lp_json_set_str(input, "period",
                              strcmp(period, "day") == 0 ? "ioa-pm:pm-day-24h" : "ioa-pm:pm-15min");
        (void)json_object_set_new(input, "pm-history-filter",
                                  json_pack("{s:i}", "number-of-bins", 4));
    }
    if (skip > 0)
        (void)lp_json_set_int(input, "skip-records", (int64_t)skip);
    if (carrier != NULL)
        (void)lp_json_set_str(filter, "resource-instance",
                              lp_arena_printf(r->call->arena,
                                              "/ioa-ne:ne/facilities/optical-carrier[name='%s']",
                                              carrier));
    (void)json_object_set_new(input, "filter", json_pack("[o]", filter));
    return input;
}

/* Page by page; a partial list is never taken for the whole. */
static enum lp_code
read_pm(struct ir_ne *r, const json_t *query, const char *carrier, json_t *made, struct lp_err *err)
{
    size_t skip = 0;

    for (unsigned page = 0; page < PAGES; page++) {
        json_auto_t *answer = NULL;
        const json_t *records;
        json_t *record;
        size_t i;
        enum lp_code rc =
            ir_rpc(r, "ioa-pm:get-pm", pm_input(r, query, carrier, skip), true, &answer, err);

        if (rc != LP_OK)
            return rc;
        records = ir_member(answer, "pm-record");
        json_array_foreach((json_t *)(uintptr_t)records, i, record)
            count_record(r, made, query, record);
        skip += json_array_size(records);
        if (!json_is_true(ir_member(answer, "additional-records-available"))
            || json_array_size(records) == 0)
            return LP_OK;
    }
    return lp_fail(err, LP_PROTOCOL, "%s has more measurements than can be read",
                   r->ne.element->name);
}

static enum lp_code
counters(struct lp_ne *ne, const struct lp_call *call, const json_t *query, json_t **out,
         struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    const char *object = lp_json_str(query, "object", NULL), *carrier = NULL;
    json_auto_t *made = ir_list_document(r);
    enum lp_code rc = LP_OK;

    if (object != NULL && !ir_reference(object, "oc", &carrier))
        rc = lp_fail(err, LP_INVALID, "'%.80s' has no counters: oc: objects do", object);
    if (rc == LP_OK)
        rc = read_pm(r, query, carrier, made, err);
    return ir_end(r, rc, &made, out, err);
}

/* ---- the driver ---- */

static const struct lp_restconf_profile profile = {
    .driver = "infinera-g42",
    .schema = "g42",
    .root = "/restconf",
    .port = 8181,
    .auth = LP_RESTCONF_BASIC,
    .write_gap_ms = 100,
};
static const struct ir_kind_of_ne kind = {&g42_platform, &profile, identify};

static enum lp_code
open_g42(struct lp_driver_host *host, const struct lp_element *element, struct lp_ne **out,
         struct lp_err *err)
{
    return ir_open(&kind, host, element, out, err);
}

const struct lp_driver lp_driver_infinera_g42;
const struct lp_driver lp_driver_infinera_g42 = {
    .name = "infinera-g42",
    .platform = "GX G42",
    .caps = LP_DRIVER_CAP(LP_CAP_TRX_LINE) | LP_DRIVER_CAP(LP_CAP_TRX_CLIENT)
            | LP_DRIVER_CAP(LP_CAP_COUPLED_LINES) | LP_DRIVER_CAP(LP_CAP_ODU_XC)
            | LP_DRIVER_CAP(LP_CAP_POWER_CONTROL) | LP_DRIVER_CAP(LP_CAP_PM_CURRENT)
            | LP_DRIVER_CAP(LP_CAP_PM_HISTORY) | LP_DRIVER_CAP(LP_CAP_ALARMS)
            | LP_DRIVER_CAP(LP_CAP_RAW) | LP_DRIVER_CAP(LP_CAP_SW_UPGRADE)
            | LP_DRIVER_CAP(LP_CAP_EVENTS),
    .longest_write_ms = 240000,
    .open = open_g42,
    .close = ir_close,
    .probe = ir_probe,
    .inventory = inventory,
    .ports = ports,
    .neighbours = neighbours,
    .modes = modes,
    .read = ir_read_object,
    .plan = ir_plan_document,
    .apply_op = ir_apply_op,
    .alarms = alarms,
    .counters = counters,
    .next_event = ir_next_event,
    .raw = ir_raw,
    .raw_writes = ir_raw_writes,
};
