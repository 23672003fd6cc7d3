/* What a G30 tells, as the documents of clients/driver.h; and its driver. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clients/infinera/g30/g30.h"
#include "clients/infinera/rest/link.h"

#define SHELVES   "/data/ne:ne/shelf"
#define INVENTORY "/data/ne:ne/inventory-data/inventory"
#define SOFTWARE  "/data/ne:ne/system/sw-management/softwareload"
#define ALARMS    "/data/ne:ne/fault/standing-condition"
#define OTS       "/data/ne:ne/services/optical-interfaces/ots"

static const struct lp_restconf_query two = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 2};
static const struct lp_restconf_query tree = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 8};

/* ---- identity ---- */

static const char *
serial_of(struct lp_arena *arena, const json_t *inventory)
{
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)inventory, i, item)
    {
        if (strcasecmp(ir_text(arena, item, "equipment-type", ""), "shelf") == 0
            && strcmp(ir_text(arena, item, "shelf-id", ""), "1") == 0)
            return ir_text(arena, item, "serial-number", "");
    }
    return "";
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
    json_auto_t *ne = NULL, *inventory = NULL, *software = NULL;
    struct lp_arena *arena = r->call->arena;
    enum lp_code rc = r->get(r, "/data/ne:ne", &two, &ne, err);

    if (rc == LP_OK)
        rc = r->get(r, INVENTORY, &two, &inventory, err);
    if (rc == LP_OK)
        rc = r->get(r, SOFTWARE, &two, &software, err);
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:s, s:s}", "node", ir_text(arena, ne, "ne-name", r->ne.element->node),
                     "type", "G30");
    if (serial_of(arena, inventory)[0] != '\0')
        (void)lp_json_set_str(*out, "serial", serial_of(arena, inventory));
    if (active_software(arena, software)[0] != '\0')
        (void)lp_json_set_str(*out, "software", active_software(arena, software));
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an identity");
}

/* ---- inventory ---- */

static const char *
inventory_aid(struct lp_arena *arena, const json_t *item, const char **parent)
{
    static const char *const levels[] = {"shelf-id", "slot-id", "subslot-id", "port-id"};
    const char *aid = "";

    *parent = "";
    for (size_t i = 0; i < LP_COUNT(levels); i++) {
        const char *id = ir_text(arena, item, levels[i], NULL);

        if (id == NULL || (i > 0 && strcmp(id, "0") == 0))
            continue;
        *parent = aid;
        aid = lp_arena_printf(arena, "%s%s%s", aid, aid[0] == '\0' ? "" : i == 2 ? "." : "/", id);
    }
    return aid != NULL && aid[0] != '\0' ? aid : "?";
}

static enum lp_code
inventory(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *list = NULL, *made = ir_list_document(r);
    enum lp_code rc = r->get(r, INVENTORY, &two, &list, err);
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        const char *parent, *aid = inventory_aid(call->arena, entry, &parent);
        json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "aid", aid, "type",
                                 ir_text(call->arena, entry, "actual-type",
                                         ir_text(call->arena, entry, "equipment-type", "")),
                                 "state", "present", "parent", parent);

        ir_give(call->arena, item, "serial", entry, "serial-number");
        ir_give(call->arena, item, "part", entry, "part-number");
        ir_add_item(made, item);
    }
    return ir_end(r, rc, &made, out, err);
}

/* ---- every port ---- */

struct seen {
    const char *name, *card, *card_type;
    const json_t *port;
};
typedef void seen_fn(void *ctx, const struct seen *seen);

struct walk {
    struct lp_arena *arena;
    seen_fn *fn;
    void *ctx;
    struct g30_port at;
    const char *card_type;
};

static unsigned
id_of(struct lp_arena *arena, const json_t *object, const char *key)
{
    return (unsigned)strtoul(ir_text(arena, object, key, "0"), NULL, 10);
}

static void
visit(struct walk *w, const json_t *port)
{
    const struct seen seen = {
        .name = g30_port_name(w->arena, &w->at),
        .card = w->at.subslot != 0
                    ? lp_arena_printf(w->arena, "%u/%u.%u", w->at.shelf, w->at.slot, w->at.subslot)
                    : lp_arena_printf(w->arena, "%u/%u", w->at.shelf, w->at.slot),
        .card_type = w->card_type,
        .port = port,
    };

    if (seen.name != NULL && seen.card != NULL)
        w->fn(w->ctx, &seen);
}

static void
walk_ports(struct walk *w, const json_t *holder)
{
    json_t *port, *sub;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)ir_member(holder, "port"), i, port)
    {
        w->at.port = id_of(w->arena, port, "port-id");
        w->at.subport = 0;
        visit(w, port);
        json_array_foreach((json_t *)(uintptr_t)ir_member(port, "subport"), j, sub)
        {
            w->at.subport = id_of(w->arena, sub, "subport-id");
            visit(w, sub);
        }
    }
}

static void
walk_slot(struct walk *w, const json_t *slot)
{
    const json_t *card = ir_member(slot, "card");
    json_t *subslot;
    size_t i;

    w->at.slot = id_of(w->arena, slot, "slot-id");
    w->at.subslot = 0;
    w->card_type = ir_text(w->arena, card, "required-type", "");
    walk_ports(w, card);
    json_array_foreach((json_t *)(uintptr_t)ir_member(card, "subslot"), i, subslot)
    {
        w->at.subslot = id_of(w->arena, subslot, "subslot-id");
        walk_ports(w, ir_member(subslot, "subcard"));
    }
}

static void
walk_shelves(struct lp_arena *arena, const json_t *shelves, seen_fn *fn, void *ctx)
{
    struct walk w = {.arena = arena, .fn = fn, .ctx = ctx};
    json_t *shelf, *slot;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)shelves, i, shelf)
    {
        w.at.shelf = id_of(arena, shelf, "shelf-id");
        json_array_foreach((json_t *)(uintptr_t)ir_member(shelf, "slot"), j, slot)
            walk_slot(&w, slot);
    }
}

/* ---- roles: what the element says; where it says nothing, what the card is made of ---- */

static bool
has_word(const char *text, const char *word)
{
    return strcasestr(text, word) != NULL;
}

static int
role_by_card(struct lp_arena *arena, const struct seen *seen)
{
    static const struct {
        const char *card;
        unsigned lines; /* its first ports */
    } rows[] = {{"CHM1", 2}, {"CHM2T", 2}};
    unsigned id = id_of(arena, seen->port, "port-id");

    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        if (strcmp(rows[i].card, seen->card_type) == 0)
            return id <= rows[i].lines ? LP_PORT_TRX_LINE : LP_PORT_TRX_CLIENT;
    }
    return -1;
}

static int
role_of(struct lp_arena *arena, const struct seen *seen, const json_t *ots)
{
    const char *type = ir_text(arena, seen->port, "port-type", "");
    json_t *item;
    size_t i;

    if (strcmp(seen->card_type, "OCC2") == 0) {
        json_array_foreach((json_t *)(uintptr_t)ots, i, item)
        {
            const char *name = ir_text(arena, item, "ots-name", ""), *digits = strchr(name, '-');

            if (digits != NULL && strcmp(digits + 1, strchr(seen->name, '-') + 1) == 0)
                return LP_PORT_OLS_LINE;
        }
        return LP_PORT_OLS_ADD_DROP;
    }
    if (has_word(type, "line"))
        return LP_PORT_TRX_LINE;
    if (has_word(type, "client"))
        return LP_PORT_TRX_CLIENT;
    return role_by_card(arena, seen);
}

struct port_list {
    struct ir_ne *r;
    const json_t *ots;
    json_t *made;
    int role;
};

static const char *
admin_word(const char *admin)
{
    return strcmp(admin, "up") == 0          ? "up"
           : strcmp(admin, "up-no-alm") == 0 ? "maintenance"
                                             : "down";
}

static json_t *
mode_ids(const char *card)
{
    size_t count = 0;
    const struct ir_mode *rows = g30_modes(card, &count);
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(out, json_string(rows[i].id));
    return out;
}

static void
add_port(void *ctx, const struct seen *seen)
{
    struct port_list *list = ctx;
    struct lp_arena *arena = list->r->call->arena;
    int role = role_of(arena, seen, list->ots);
    json_t *item;

    if (role < 0 || (list->role >= 0 && role != list->role))
        return;
    item =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", seen->name, "role",
                  lp_port_role_name((enum lp_port_role)role), "admin",
                  admin_word(ir_text(arena, seen->port, "admin-status", "")), "oper",
                  ir_oper_word(ir_text(arena, seen->port, "oper-status", "")), "label",
                  ir_text(arena, seen->port, "service-label", ""), "card", seen->card, "card_type",
                  seen->card_type, "peer", ir_text(arena, seen->port, "connected-to", ""));
    if (role == LP_PORT_TRX_LINE)
        (void)json_object_set_new(item, "modes", mode_ids(seen->card_type));
    ir_give(arena, item, "mode", seen->port, "port-mode");
    ir_add_item(list->made, item);
}

static enum lp_code
ports(struct lp_ne *ne, const struct lp_call *call, int role, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *shelves = NULL, *ots = NULL, *made = ir_list_document(r);
    enum lp_code rc = r->get(r, SHELVES, &tree, &shelves, err);

    if (rc == LP_OK)
        rc = r->get(r, OTS, &two, &ots, err);
    if (rc == LP_OK) {
        struct port_list list = {r, ots, made, role};

        walk_shelves(call->arena, shelves, add_port, &list);
    }
    return ir_end(r, rc, &made, out, err);
}

/* ---- neighbours ---- */

/* "lp.mil1 1-A-3-T1", "patched to port-1/2/1" */
static void
add_neighbour(void *ctx, const struct seen *seen)
{
    struct port_list *list = ctx;
    struct lp_arena *arena = list->r->call->arena;
    const char *text = ir_text(arena, seen->port, "connected-to", "");
    const char *blank = strrchr(text, ' '), *node;

    if (blank == NULL)
        return;
    node = strncmp(text, "patched to ", 11) == 0
               ? list->r->ne.element->node
               : lp_arena_strndup(arena, text, (size_t)(blank - text));
    ir_add_item(list->made, json_pack("{s:s, s:s, s:s, s:s}", "port", seen->name, "remote_node",
                                      node, "remote_port", blank + 1, "source", "provisioned"));
}

static enum lp_code
neighbours(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *shelves = NULL, *made = ir_list_document(r);
    enum lp_code rc = r->get(r, SHELVES, &tree, &shelves, err);
    struct port_list list = {r, NULL, made, -1};

    if (rc == LP_OK)
        walk_shelves(call->arena, shelves, add_neighbour, &list);
    return ir_end(r, rc, &made, out, err);
}

/* ---- modes ---- */

static void
add_modes(json_t *made, const char *card)
{
    size_t count = 0;
    const struct ir_mode *rows = g30_modes(card, &count);

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(json_object_get(made, "items"), ir_mode_json(&rows[i], card));
}

struct cards {
    json_t *made, *known;
};

static void
add_card(void *ctx, const struct seen *seen)
{
    struct cards *cards = ctx;

    if (json_object_get(cards->known, seen->card_type) == NULL)
        add_modes(cards->made, seen->card_type);
    (void)json_object_set_new(cards->known, seen->card_type, json_true());
}

static enum lp_code
modes(struct lp_ne *ne, const struct lp_call *call, const char *port, json_t **out,
      struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *answer = NULL, *known = json_object(), *made = json_pack("{s:[]}", "items");
    const char *path = port != NULL ? g30_card_path(call->arena, port) : SHELVES;
    struct cards cards = {made, known};
    enum lp_code rc;

    if (path == NULL)
        rc = lp_fail(err, LP_INVALID, "'%.60s' is no port of a G30", port);
    else
        rc = r->get(r, path, port != NULL ? &two : &tree, &answer, err);
    if (rc == LP_OK && port != NULL && answer == NULL)
        rc = lp_fail(err, LP_NOT_FOUND, "%s has no card for %s", ne->element->name, port);
    if (rc == LP_OK && port != NULL)
        add_modes(made, ir_text(call->arena, answer, "required-type", ""));
    else if (rc == LP_OK)
        walk_shelves(call->arena, answer, add_card, &cards);
    r->call = NULL;
    if (rc == LP_OK)
        *out = lp_json_take(&made);
    return rc;
}

/* ---- alarms ---- */

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

/* ".../port[port-id='3']" as plans name it: "port:port-1/2/3". */
static const char *
alarmed_object(struct lp_arena *arena, const char *entity)
{
    struct g30_tp tp;
    const char *with_end = lp_arena_printf(arena, "%s/port", entity);

    if (g30_tp_parse(entity, &tp) && g30_port_name(arena, &tp.port) != NULL)
        return ir_ref(arena, tp.client ? tp.container : "och", g30_port_name(arena, &tp.port));
    tp = (struct g30_tp){0};
    (void)g30_tp_parse(with_end != NULL ? with_end : "", &tp);
    return tp.port.port != 0 ? ir_ref(arena, "port", g30_port_name(arena, &tp.port)) : entity;
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
        const char *severity = severity_word(ir_text(a, entry, "severity-level", ""));

        ir_add_item(made,
                    json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "object",
                              alarmed_object(a, ir_text(a, entry, "fm-entity", "")), "severity",
                              severity, "type", ir_text(a, entry, "condition-type", ""), "text",
                              ir_text(a, entry, "condition-description", ""), "since",
                              ir_text(a, entry, "occurrence-date-time", ""), "service_affecting",
                              (int)(strcmp(severity, "critical") == 0), "direction",
                              ir_text(a, entry, "direction", "")));
    }
    return ir_end(r, rc, &made, out, err);
}

/* ---- counters ---- */

static const struct {
    const char *leaf, *parameter, *name, *unit;
} counted[] = {
    {"Q-factor", "Q-factor", "q_cdb", "0.01 dB"},
    {"OSNR", "OSNR", "osnr_cdb", "0.01 dB"},
    {"rx-optical-power", "OPR", "opr_cdbm", "0.01 dBm"},
    {"actual-tx-optical-power", "OPT", "opt_cdbm", "0.01 dBm"},
    {NULL, "CD", "cd_ps_nm", "ps/nm"},
};

struct counting {
    struct ir_ne *r;
    const json_t *query;
    json_t *made;
};

static void
count_line(void *ctx, const struct seen *seen)
{
    struct counting *c = ctx;
    struct lp_arena *arena = c->r->call->arena;
    const json_t *och = ir_member(seen->port, "och-os");
    const char *object = ir_ref(arena, "och", seen->name);
    const char *wanted = lp_json_str(c->query, "object", object);

    if (och == NULL || strcmp(wanted, object) != 0)
        return;
    for (size_t i = 0; i < LP_COUNT(counted); i++) {
        if (counted[i].leaf != NULL)
            ir_add_counter(c->made, c->query, object, counted[i].name,
                           ir_member(och, counted[i].leaf), counted[i].unit, "complete");
    }
}

static const char *
validity_word(const char *validity)
{
    return strcmp(validity, "complete") == 0 || strcmp(validity, "partial") == 0 ? validity
           : strcmp(validity, "not-available") == 0                              ? "unavailable"
                                                                                 : "unknown";
}

static void
count_record(struct counting *c, const json_t *record)
{
    struct lp_arena *arena = c->r->call->arena;
    const char *entity = ir_text(arena, record, "pm-entity", "");
    const char *parameter = ir_text(arena, record, "pm-parameter", "");

    for (size_t i = 0; i < LP_COUNT(counted); i++) {
        if (strcmp(counted[i].parameter, parameter) == 0)
            ir_add_counter(c->made, c->query, alarmed_object(arena, entity), counted[i].name,
                           ir_member(record, "pm-value"), counted[i].unit,
                           validity_word(ir_text(arena, record, "validity", "")));
    }
}

/* Past periods; `object` names a line, or NULL for all. */
static enum lp_code
count_history(struct counting *c, const char *object, struct lp_err *err)
{
    bool day = strcmp(lp_json_str(c->query, "period", ""), "day") == 0;
    json_t *input = json_pack("{s:s, s:s}", "pm-bin-type", "history", "pm-time-period",
                              day ? "24h" : "15min"),
           *record;
    json_auto_t *answer = NULL;
    const char *name = "";
    struct g30_port port;
    enum lp_code rc;
    size_t i;

    if (object != NULL && (!ir_reference(object, "och", &name) || !g30_port_parse(name, &port))) {
        json_decref(input);
        return lp_fail(err, LP_INVALID, "'%.80s' has no counters: och: objects do", object);
    }
    if (object != NULL)
        (void)lp_json_set_str(input, "pm-entity",
                              lp_arena_printf(c->r->call->arena,
                                              "/ne:ne/shelf[shelf-id='%u']/slot[slot-id='%u']/card/"
                                              "port[port-id='%u']/och-os",
                                              port.shelf, port.slot, port.port));
    rc = ir_rpc(c->r, "coriant-rpc:get-pm", input, true, &answer, err);
    json_array_foreach((json_t *)(uintptr_t)ir_member(answer, "pm-data"), i, record)
        count_record(c, record);
    return rc;
}

static enum lp_code
counters(struct lp_ne *ne, const struct lp_call *call, const json_t *query, json_t **out,
         struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    const char *object = lp_json_str(query, "object", NULL), *name;
    json_auto_t *shelves = NULL, *made = ir_list_document(r);
    struct counting c = {r, query, made};
    enum lp_code rc = LP_OK;

    if (object != NULL && !ir_reference(object, "och", &name))
        rc = lp_fail(err, LP_INVALID, "'%.80s' has no counters: och: objects do", object);
    else if (strcmp(lp_json_str(query, "period", "current"), "current") != 0)
        rc = count_history(&c, object, err);
    else
        rc = r->get(r, SHELVES, &tree, &shelves, err);
    if (rc == LP_OK)
        walk_shelves(call->arena, shelves, count_line, &c);
    return ir_end(r, rc, &made, out, err);
}

/* ---- the driver ---- */

static const struct lp_restconf_profile profile = {
    .driver = "infinera-g30",
    .schema = "g30",
    .root = "/restconf",
    .port = 8181,
    .auth = LP_RESTCONF_BASIC,
    .write_gap_ms = 200,
};
static const struct ir_kind_of_ne kind = {&g30_platform, &profile, identify};

static enum lp_code
open_g30(struct lp_driver_host *host, const struct lp_element *element, struct lp_ne **out,
         struct lp_err *err)
{
    return ir_open(&kind, host, element, out, err);
}

const struct lp_driver lp_driver_infinera_g30;
const struct lp_driver lp_driver_infinera_g30 = {
    .name = "infinera-g30",
    .platform = "Groove G30",
    .caps = LP_DRIVER_CAP(LP_CAP_TRX_LINE) | LP_DRIVER_CAP(LP_CAP_TRX_CLIENT)
            | LP_DRIVER_CAP(LP_CAP_ODU_XC) | LP_DRIVER_CAP(LP_CAP_OLS_LINE)
            | LP_DRIVER_CAP(LP_CAP_ADD_DROP) | LP_DRIVER_CAP(LP_CAP_POWER_CONTROL)
            | LP_DRIVER_CAP(LP_CAP_PM_CURRENT) | LP_DRIVER_CAP(LP_CAP_PM_HISTORY)
            | LP_DRIVER_CAP(LP_CAP_ALARMS) | LP_DRIVER_CAP(LP_CAP_RAW)
            | LP_DRIVER_CAP(LP_CAP_SW_UPGRADE) | LP_DRIVER_CAP(LP_CAP_ROLLBACK_POINT)
            | LP_DRIVER_CAP(LP_CAP_EVENTS),
    .longest_write_ms = 240000,
    .open = open_g30,
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
    .rollback_point = g30_rollback_point,
    .rollback_diff = g30_rollback_diff,
    .rollback = g30_rollback,
};
