/* The network of the store as a graph: one query per table, whatever its size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "clients/driver.h"
#include "model/products_gen.h"
#include "products/product.h"
#include "steps/route_internal.h"
#include "store/claims.h"

enum lp_code
lp_route_query(const struct lp_route_source *source, enum lp_stmt stmt, const struct lp_arg *args,
               size_t count, struct lp_rows **rows, struct lp_err *err)
{
    return source->reader != NULL ? lp_reader_query(source->reader, stmt, args, count, rows, err)
                                  : lp_query(source->store, stmt, args, count, rows, err);
}

const struct lp_band *
lp_route_band(const struct lp_conf *conf)
{
    const struct lp_band *band = lp_band_of(lp_conf_live_text(&conf->spectrum_band));

    return band != NULL ? band : lp_band_of("C");
}

struct lp_osnr_rules
lp_route_osnr(const struct lp_conf *conf)
{
    return (struct lp_osnr_rules){
        .constant_cdb = (int32_t)lp_conf_live_int(&conf->osnr_constant_cdb),
        .launch_cdbm = (int32_t)lp_conf_live_int(&conf->osnr_launch_cdbm),
        .noise_figure_cdb = (int32_t)lp_conf_live_int(&conf->osnr_noise_figure_cdb),
        .margin_cdb = (int32_t)lp_conf_live_int(&conf->osnr_margin_cdb),
        .attenuation_cdb_km = (uint32_t)lp_conf_live_int(&conf->osnr_attenuation_cdb_km),
        .min_loss_cdb = (uint32_t)lp_conf_live_int(&conf->osnr_min_loss_cdb),
    };
}

bool
lp_fiber_limit(const json_t *doc, struct lp_range *limit)
{
    int64_t guard = lp_json_int(doc, LP_F_OPTICAL_FIBER_LEASED_GUARD_MHZ, 0);

    *limit = (struct lp_range){0, 0};
    if (strcmp(lp_json_str(doc, LP_F_OPTICAL_FIBER_KIND, ""), "leased") != 0)
        return false;
    limit->low_mhz = lp_json_int(doc, LP_F_OPTICAL_FIBER_LEASED_LOW_MHZ, 0) + guard;
    limit->high_mhz = lp_json_int(doc, LP_F_OPTICAL_FIBER_LEASED_HIGH_MHZ, 0) - guard;
    return true;
}

/* ---- lists of ranges ---- */

enum lp_code
lp_range_list_add(struct lp_range_list *list, int64_t low_mhz, int64_t high_mhz, struct lp_err *err)
{
    if (low_mhz >= high_mhz)
        return LP_OK;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 8 : list->room * 2;
        struct lp_range *rows = realloc(list->rows, room * sizeof *rows);

        if (rows == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for %zu ranges", room);
        list->rows = rows;
        list->room = room;
    }
    list->rows[list->count++] = (struct lp_range){low_mhz, high_mhz};
    return LP_OK;
}

enum lp_code
lp_range_list_minus(const struct lp_range_list *light, struct lp_range_list *claims,
                    struct lp_range_list *out, struct lp_err *err)
{
    struct lp_range *left;
    enum lp_code rc = LP_OK;

    claims->count = lp_ranges_normalize(claims->rows, claims->count);
    left = malloc((claims->count + 1) * sizeof *left);
    if (left == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for ranges");
    for (size_t i = 0; i < light->count && rc == LP_OK; i++) {
        size_t count = lp_range_minus(&light->rows[i], claims->rows, claims->count, left);

        for (size_t k = 0; k < count && rc == LP_OK; k++)
            rc = lp_range_list_add(out, left[k].low_mhz, left[k].high_mhz, err);
    }
    free(left);
    out->count = lp_ranges_normalize(out->rows, out->count);
    return rc;
}

bool
lp_wish_adopts(const json_t *wish, const struct lp_range *light)
{
    return lp_json_true(wish, "adopt") && light->low_mhz >= lp_json_int(wish, "low_mhz", INT64_MAX)
           && light->high_mhz <= lp_json_int(wish, "high_mhz", 0);
}

/* ---- devices ---- */

static const struct {
    const char *type;
    enum lp_node_role role;
    bool reads;
} device_types[] = {
    {"ROADM", LP_NODE_ROADM, true},
    {"Transponder+OADM", LP_NODE_ROADM, true},
    {"Amplifier", LP_NODE_AMPLIFIER, false}, /* its spectrum is told at the ends of the section */
    {"Transponder", LP_NODE_TRANSPONDER, false},
    {"Transceiver", LP_NODE_TRANSPONDER, false},
};

bool
lp_device_type_reads(const char *device_type)
{
    for (size_t i = 0; i < LP_COUNT(device_types); i++)
        if (strcmp(device_types[i].type, device_type) == 0)
            return device_types[i].reads;
    return false;
}

bool
lp_device_tells(const json_t *doc)
{
    const struct lp_driver *driver =
        lp_product_driver(lp_json_str(doc, LP_F_OPTICAL_DEVICE_PLATFORM, ""));

    return driver != NULL && driver->spectrum != NULL
           && lp_device_type_reads(lp_json_str(doc, LP_F_OPTICAL_DEVICE_DEVICE_TYPE, ""));
}

static enum lp_node_role
role_of(const char *device_type)
{
    for (size_t i = 0; i < LP_COUNT(device_types); i++)
        if (strcmp(device_types[i].type, device_type) == 0)
            return device_types[i].role;
    return LP_NODE_TRANSPONDER; /* let nothing pass where it is not known */
}

/** Host name without the configured domain, or the name on the wire. */
static void
short_name(const struct lp_conf *conf, const json_t *doc, char *out, size_t size)
{
    const char *fqdn = lp_json_str(doc, LP_F_OPTICAL_DEVICE_FQDN, "?");
    const char *domain = lp_conf_live_text(&conf->naming_domain);
    size_t len = strlen(fqdn), tail = domain == NULL ? 0 : strlen(domain);

    (void)snprintf(out, size, "%s", lp_json_str(doc, LP_F_OPTICAL_DEVICE_NODE_NAME, fqdn));
    if (json_object_get(doc, LP_F_OPTICAL_DEVICE_NODE_NAME) == NULL && tail > 0 && len > tail + 1
        && fqdn[len - tail - 1] == '.' && strcmp(fqdn + len - tail, domain) == 0)
        (void)snprintf(out, size, "%.*s", (int)(len - tail - 1), fqdn);
}

/** What is known while building, gone afterwards. */
struct build {
    struct lp_net *net;
    json_t *types;    /* device -> its type */
    json_t *tell;     /* devices that would tell their light */
    json_t *readings; /* device -> {"as_of","items"} */
    json_t *lines;    /* "device port name" -> link index, of ports whose light is read */
    json_t *cards;    /* device -> {port name: group} */
    struct lp_range_list *claims, *light; /* by link */
    json_t *ends;                         /* fiber -> [{"port": index, "device", "name","line"}] */
    bool failed;
};

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for the network");
}

static enum lp_code
add_device(struct build *b, const struct lp_rows *rows, size_t i, struct lp_err *err)
{
    const char *id = lp_rows_text(rows, i, "id"), *text = lp_rows_text(rows, i, "doc"), *type;
    json_auto_t *doc = NULL;
    char name[256];
    struct lp_node node = {.id = id, .name = name, .site = ""};
    enum lp_code rc = lp_json_load(text, strlen(text), &doc, err);

    if (rc != LP_OK)
        return rc;
    type = lp_json_str(doc, LP_F_OPTICAL_DEVICE_DEVICE_TYPE, "");
    short_name(b->net->source->conf, doc, name, sizeof name);
    node.domain = lp_json_str(doc, LP_F_OPTICAL_DEVICE_PLATFORM, "");
    node.role = role_of(type);
    if (lp_json_set_str(b->types, id, type) != 0
        || (lp_device_tells(doc) && json_object_set_new(b->tell, id, json_true()) != 0))
        return no_memory(err);
    return lp_graph_add_node(b->net->graph, &node, NULL, err);
}

static enum lp_code
read_devices(struct build *b, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_route_query(b->net->source, LP_SQL_ROUTE_DEVICES, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = add_device(b, rows, i, err);
    lp_rows_free(rows);
    return rc;
}

/* ---- what the elements last said ---- */

static enum lp_code
read_readings(struct build *b, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_route_query(b->net->source, LP_SQL_ROUTE_READINGS, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *id = lp_rows_text(rows, i, "element_id"), *text = lp_rows_text(rows, i, "doc");
        json_t *doc = NULL;

        if (!lp_device_type_reads(lp_json_str(b->types, id, "")))
            continue;
        rc = lp_json_load(text, strlen(text), &doc, err);
        if (rc == LP_OK
            && (lp_json_set_int(doc, "as_of", lp_rows_int(rows, i, "as_of")) != 0
                || json_object_set(b->readings, id, doc) != 0))
            rc = no_memory(err);
        json_decref(doc);
    }
    lp_rows_free(rows);
    return rc;
}

/** Cards of a transponder with amplifier cards: light stays on its card. Numbers from 1. */
static enum lp_code
read_cards(struct build *b, const char *device, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *doc = NULL, *groups = json_object(), *seen = json_object();
    const json_t *item;
    size_t i;
    enum lp_code rc =
        lp_route_query(b->net->source, LP_SQL_DEVICE_CACHE_GET,
                       LP_ARGS(lp_text("element", device), lp_text("kind", "ports")), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 1)
        rc = lp_json_load(lp_rows_text(rows, 0, "doc"), strlen(lp_rows_text(rows, 0, "doc")), &doc,
                          err);
    lp_rows_free(rows);
    if (rc != LP_OK)
        return rc;
    json_array_foreach(json_object_get(doc, "items"), i, item)
    {
        const char *card = lp_json_str(item, "card", NULL), *name = lp_json_str(item, "name", "");

        if (card == NULL)
            continue;
        if (json_object_get(seen, card) == NULL)
            (void)lp_json_set_int(seen, card, (int64_t)json_object_size(seen) + 1);
        (void)lp_json_set_int(groups, name, lp_json_int(seen, card, 0));
    }
    return json_object_set(b->cards, device, groups) == 0 ? LP_OK : no_memory(err);
}

/* ---- ports ---- */

static bool
kind_of(const char *role, enum lp_port_kind *kind)
{
    enum lp_port_role known;

    if (!lp_port_role_from_name(role, &known))
        return false;
    switch (known) {
    case LP_PORT_OLS_LINE:
        *kind = LP_PORT_LINE;
        return true;
    case LP_PORT_OLS_ADD_DROP:
        *kind = LP_PORT_ADD_DROP;
        return true;
    case LP_PORT_TRX_LINE:
        *kind = LP_PORT_TRX;
        return true;
    case LP_PORT_TRX_CLIENT:
    case LP_PORT_ROLE_COUNT:
        break;
    }
    return false;
}

static enum lp_code
group_of(struct build *b, const char *device, const char *name, uint32_t *group, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    *group = 0;
    if (strcmp(lp_json_str(b->types, device, ""), "Transponder+OADM") != 0)
        return LP_OK;
    if (json_object_get(b->cards, device) == NULL)
        rc = read_cards(b, device, err);
    if (rc == LP_OK)
        *group = (uint32_t)lp_json_int(json_object_get(b->cards, device), name, 0);
    return rc;
}

/** *index = LP_GRAPH_NONE: it carries no line light (a client port), or its device is gone. */
static enum lp_code
add_port(struct build *b, const char *id, const char *device, const json_t *doc, uint32_t *index,
         struct lp_err *err)
{
    const char *name = lp_json_str(doc, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, "");
    struct lp_port port = {.id = id, .name = name, .node = lp_graph_node(b->net->graph, device)};
    enum lp_code rc;

    *index = LP_GRAPH_NONE;
    if (port.node == LP_GRAPH_NONE
        || !kind_of(lp_json_str(doc, LP_F_OPTICAL_DEVICE_PORT_ROLE, ""), &port.kind))
        return LP_OK;
    rc = group_of(b, device, name, &port.group, err);
    return rc == LP_OK ? lp_graph_add_port(b->net->graph, &port, index, err) : rc;
}

static enum lp_code
add_end(struct build *b, const struct lp_rows *rows, size_t i, struct lp_err *err)
{
    const char *fiber = lp_rows_text(rows, i, "fiber_id"), *text = lp_rows_text(rows, i, "doc");
    const char *device = lp_rows_text(rows, i, "device_id"), *id = lp_rows_text(rows, i, "port_id");
    json_auto_t *doc = NULL;
    json_t *ends;
    uint32_t index;
    enum lp_code rc = lp_json_load(text, strlen(text), &doc, err);

    if (rc == LP_OK)
        rc = add_port(b, id, device, doc, &index, err);
    if (rc != LP_OK || index == LP_GRAPH_NONE)
        return rc;
    ends = json_object_get(b->ends, fiber);
    if (ends == NULL) {
        ends = json_array();
        if (json_object_set_new(b->ends, fiber, ends) != 0)
            return no_memory(err);
    }
    return json_array_append_new(
               ends,
               json_pack("{s:I, s:s, s:s, s:b}", "port", (json_int_t)index, "device", device,
                         "name", lp_json_str(doc, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, ""), "line",
                         lp_graph_port_at(b->net->graph, index)->kind == LP_PORT_LINE))
                   == 0
               ? LP_OK
               : no_memory(err);
}

static enum lp_code
read_ends(struct build *b, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_route_query(b->net->source, LP_SQL_ROUTE_ENDS, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = add_end(b, rows, i, err);
    lp_rows_free(rows);
    return rc;
}

/** An end of the wish that no fiber ends at: an add/drop port without a patch cord. */
static enum lp_code
add_wished(struct build *b, const char *member, struct lp_err *err)
{
    const char *id = lp_json_str(b->net->wish, member, NULL), *text;
    struct lp_rows *rows = NULL;
    json_auto_t *doc = NULL;
    uint32_t index = LP_GRAPH_NONE;
    enum lp_code rc;

    if (id == NULL)
        return lp_fail_at(err, LP_INVALID, member, "a route needs both ends: %s is missing",
                          member);
    if (lp_graph_port(b->net->graph, id) != LP_GRAPH_NONE
        || lp_graph_node(b->net->graph, id) != LP_GRAPH_NONE)
        return LP_OK;
    rc = lp_route_query(b->net->source, LP_SQL_ROUTE_PORT, LP_ARGS(lp_text("id", id)), &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 1) {
        text = lp_rows_text(rows, 0, "doc");
        rc = lp_json_load(text, strlen(text), &doc, err);
        if (rc == LP_OK)
            rc = add_port(b, id, lp_rows_text(rows, 0, "device_id"), doc, &index, err);
    }
    lp_rows_free(rows);
    if (rc == LP_OK && index == LP_GRAPH_NONE)
        rc = lp_fail_at(err, LP_NOT_FOUND, member,
                        "%.64s is neither a device nor a port for line light", id);
    return rc;
}

/* ---- fibers ---- */

/** Losses and the like; the worse direction counts. */
static void
fill_link(const struct lp_graph *graph, struct lp_link *link, const json_t *doc)
{
    int64_t az = lp_json_int(doc, LP_F_OPTICAL_FIBER_MEASURED_LOSS_AZ_CDB, 0);
    int64_t za = lp_json_int(doc, LP_F_OPTICAL_FIBER_MEASURED_LOSS_ZA_CDB, 0);
    int64_t measured = az > za ? az : za;

    link->name = lp_json_str(doc, LP_F_OPTICAL_FIBER_FIBER_NAME, "?");
    link->kind = strcmp(lp_json_str(doc, LP_F_OPTICAL_FIBER_KIND, "span"), "patch") == 0
                     ? LP_LINK_PATCH
                     : LP_LINK_SPAN;
    if (lp_fiber_limit(doc, &link->limit)) {
        link->kind = LP_LINK_LEASED;
        link->osnr_cdb = (int32_t)lp_json_int(doc, LP_F_OPTICAL_FIBER_LEASED_OSNR_CDB, 0);
    }
    if (link->kind == LP_LINK_LEASED && link->osnr_cdb == 0)
        link->osnr_cdb = lp_osnr_guess_cdb(
            lp_graph_rules(graph), (uint32_t)lp_json_int(doc, LP_F_OPTICAL_FIBER_LENGTH_M, 0));
    link->length_m = (uint32_t)lp_json_int(doc, LP_F_OPTICAL_FIBER_LENGTH_M, 0);
    link->loss_cdb =
        (uint32_t)(measured > 0 ? measured
                                : lp_json_int(doc, LP_F_OPTICAL_FIBER_EXPECTED_LOSS_CDB, 0));
    link->latency_ns = (uint32_t)lp_json_int(doc, LP_F_OPTICAL_FIBER_LATENCY_NS, 0);
}

/** The older of the readings of its ends; notes which ports tell its light. */
static void
note_readings(struct build *b, const json_t *ends, struct lp_link *link, uint32_t index)
{
    char key[LP_UUID_LEN + 80];
    const json_t *end;
    size_t i;

    json_array_foreach(ends, i, end)
    {
        const char *device = lp_json_str(end, "device", "");
        int64_t as_of = lp_json_int(json_object_get(b->readings, device), "as_of", 0);

        if (!lp_json_true(end, "line"))
            continue;
        if (as_of == 0 && lp_json_true(b->tell, device))
            link->seen_us = LP_SEEN_NEVER; /* unknown is not dark */
        if (as_of == 0)
            continue;
        link->seen_us = link->seen_us == 0 || as_of < link->seen_us ? as_of : link->seen_us;
        (void)snprintf(key, sizeof key, "%s %s", device, lp_json_str(end, "name", ""));
        b->failed |= lp_json_set_int(b->lines, key, (int64_t)index) != 0;
    }
}

static enum lp_code
add_inside(struct build *b, const char *fiber, const json_t *ends, struct lp_err *err)
{
    const struct lp_graph *graph = b->net->graph;
    const char *a =
        lp_graph_port_at(graph, (uint32_t)lp_json_int(json_array_get(ends, 0), "port", 0))->id;
    const char *z =
        lp_graph_port_at(graph, (uint32_t)lp_json_int(json_array_get(ends, 1), "port", 0))->id;

    if (json_object_set_new(b->net->inside, a, json_pack("{s:s, s:s}", "fiber", fiber, "far", z))
            != 0
        || json_object_set_new(b->net->inside, z, json_pack("{s:s, s:s}", "fiber", fiber, "far", a))
               != 0)
        return no_memory(err);
    return LP_OK;
}

static enum lp_code
add_fiber(struct build *b, const char *id, const json_t *doc, struct lp_err *err)
{
    const json_t *ends = json_object_get(b->ends, id), *names, *name;
    const char *risks[64];
    struct lp_link link = {.id = id, .risks = risks};
    size_t i;

    if (json_array_size(ends) != 2)
        return LP_OK; /* a client's patch cord, or a device that is gone */
    if (strcmp(lp_json_str(json_array_get(ends, 0), "device", ""),
               lp_json_str(json_array_get(ends, 1), "device", ""))
        == 0)
        return add_inside(b, id, ends, err);
    fill_link(b->net->graph, &link, doc);
    link.a_port = (uint32_t)lp_json_int(json_array_get(ends, 0), "port", 0);
    link.z_port = (uint32_t)lp_json_int(json_array_get(ends, 1), "port", 0);
    names = json_object_get(doc, LP_F_OPTICAL_FIBER_SHARED_RISKS);
    json_array_foreach(names, i, name)
    {
        if (link.risk_count < LP_COUNT(risks) && json_is_string(name))
            risks[link.risk_count++] = json_string_value(name);
    }
    note_readings(b, ends, &link, (uint32_t)lp_graph_link_count(b->net->graph));
    return lp_graph_add_link(b->net->graph, &link, NULL, err);
}

static enum lp_code
read_fibers(struct build *b, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_route_query(b->net->source, LP_SQL_ROUTE_FIBERS, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *text = lp_rows_text(rows, i, "doc");
        json_auto_t *doc = NULL;

        rc = lp_json_load(text, strlen(text), &doc, err);
        if (rc == LP_OK)
            rc = add_fiber(b, lp_rows_text(rows, i, "id"), doc, err);
    }
    lp_rows_free(rows);
    return rc == LP_OK && b->failed ? no_memory(err) : rc;
}

/* ---- what is taken ---- */

static bool
holds_text(const json_t *list, const char *text)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *s = json_string_value(one);
        if (s != NULL && strcmp(s, text) == 0)
            return true;
    }
    return false;
}

struct taking {
    struct build *b;
    const json_t *own, *disjoint_from;
    enum lp_code rc;
    struct lp_err *err;
};

static void
take_claim(void *arg, const struct lp_claim_row *row)
{
    struct taking *t = arg;
    struct lp_graph *graph = t->b->net->graph;
    uint32_t link = lp_graph_link(graph, row->fiber_id);

    if (t->rc != LP_OK)
        return;
    if (holds_text(t->disjoint_from, row->subscription_id))
        t->b->failed |= json_object_set_new(t->b->net->disjoint, row->fiber_id, json_true()) != 0;
    if (link == LP_GRAPH_NONE)
        return;
    t->rc = lp_range_list_add(&t->b->claims[link], row->low_mhz, row->high_mhz, t->err);
    if (t->rc == LP_OK && !holds_text(t->own, row->holder))
        t->rc = lp_graph_take(graph, link, &(struct lp_range){row->low_mhz, row->high_mhz},
                              row->holder, row->subscription_id, t->err);
}

static enum lp_code
take_claims(struct build *b, struct lp_err *err)
{
    struct taking t = {.b = b,
                       .own = json_object_get(b->net->wish, "own"),
                       .disjoint_from = json_object_get(b->net->wish, "disjoint_from"),
                       .err = err};
    enum lp_code rc =
        lp_claims_each(b->net->source->store, b->net->source->reader, take_claim, &t, err);

    return rc == LP_OK ? t.rc : rc;
}

/** Light at one device, sorted out by link. */
static enum lp_code
sort_light(struct build *b, const char *device, const json_t *reading, struct lp_err *err)
{
    char key[LP_UUID_LEN + 80];
    const json_t *item, *link;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(json_object_get(reading, "items"), i, item)
    {
        struct lp_range light = {lp_json_int(item, "low_mhz", 0), lp_json_int(item, "high_mhz", 0)};

        (void)snprintf(key, sizeof key, "%s %.79s", device, lp_json_str(item, "port", ""));
        link = json_object_get(b->lines, key);
        if (rc == LP_OK && link != NULL && !lp_wish_adopts(b->net->wish, &light))
            rc = lp_range_list_add(&b->light[json_integer_value(link)], light.low_mhz,
                                   light.high_mhz, err);
    }
    return rc;
}

/** Light that no claim explains is in everybody's way. */
static enum lp_code
take_light(struct build *b, struct lp_err *err)
{
    const char *device;
    json_t *reading;
    enum lp_code rc = LP_OK;

    json_object_foreach(b->readings, device, reading)
    {
        if (rc == LP_OK)
            rc = sort_light(b, device, reading, err);
    }
    for (uint32_t i = 0; rc == LP_OK && i < lp_graph_link_count(b->net->graph); i++) {
        struct lp_range_list foreign = {.rows = NULL};

        if (b->light[i].count > 0)
            rc = lp_range_list_minus(&b->light[i], &b->claims[i], &foreign, err);
        for (size_t k = 0; rc == LP_OK && k < foreign.count; k++)
            rc = lp_graph_take(b->net->graph, i, &foreign.rows[k], NULL, NULL, err);
        free(foreign.rows);
    }
    return rc;
}

static enum lp_code
take_all(struct build *b, struct lp_err *err)
{
    size_t count = lp_graph_link_count(b->net->graph);
    enum lp_code rc = LP_OK;

    b->claims = calloc(count + 1, sizeof *b->claims);
    b->light = calloc(count + 1, sizeof *b->light);
    if (b->claims == NULL || b->light == NULL)
        rc = no_memory(err);
    if (rc == LP_OK)
        rc = take_claims(b, err);
    if (rc == LP_OK)
        rc = take_light(b, err);
    for (size_t i = 0; i < count && b->claims != NULL && b->light != NULL; i++) {
        free(b->claims[i].rows);
        free(b->light[i].rows);
    }
    free(b->claims);
    free(b->light);
    return rc;
}

/* ---- all of it ---- */

static enum lp_code
build_all(struct build *b, struct lp_err *err)
{
    enum lp_code rc = read_devices(b, err);

    if (rc == LP_OK)
        rc = read_readings(b, err);
    if (rc == LP_OK)
        rc = read_ends(b, err);
    if (rc == LP_OK)
        rc = add_wished(b, "from", err);
    if (rc == LP_OK)
        rc = add_wished(b, "to", err);
    if (rc == LP_OK)
        rc = read_fibers(b, err);
    if (rc == LP_OK)
        rc = lp_graph_seal(b->net->graph, err);
    if (rc == LP_OK)
        rc = take_all(b, err);
    return rc;
}

enum lp_code
lp_net_build(const struct lp_route_source *source, const json_t *wish, struct lp_net *out,
             struct lp_err *err)
{
    json_auto_t *types = json_object(), *readings = json_object(), *lines = json_object();
    json_auto_t *cards = json_object(), *ends = json_object(), *tell = json_object();
    struct build b = {.net = out,
                      .types = types,
                      .tell = tell,
                      .readings = readings,
                      .lines = lines,
                      .cards = cards,
                      .ends = ends};
    const struct lp_osnr_rules rules = lp_route_osnr(source->conf);
    enum lp_code rc = LP_OK;

    *out = (struct lp_net){.source = source,
                           .wish = wish,
                           .graph = lp_graph_new(lp_route_band(source->conf), &rules),
                           .inside = json_object(),
                           .disjoint = json_object()};
    if (types == NULL || readings == NULL || lines == NULL || cards == NULL || ends == NULL
        || tell == NULL || out->graph == NULL || out->inside == NULL || out->disjoint == NULL)
        rc = no_memory(err);
    if (rc == LP_OK)
        rc = build_all(&b, err);
    if (rc == LP_OK && b.failed)
        rc = no_memory(err);
    if (rc != LP_OK)
        lp_net_free(out);
    return rc;
}

void
lp_net_free(struct lp_net *net)
{
    lp_graph_free(net->graph);
    json_decref(net->inside);
    json_decref(net->disjoint);
    *net = (struct lp_net){.graph = NULL};
}
