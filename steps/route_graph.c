/* The network of one wish: the stored one with what is taken on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
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

/** What is known while building, gone afterwards. */
struct build {
    struct lp_net *net;
    struct lp_reader *reader;
    struct lp_range_list *claims, *light; /* by link */
    bool failed;
};

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for the network");
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
    enum lp_code rc = lp_claims_each(b->net->source->store, b->reader, take_claim, &t, err);

    return rc == LP_OK ? t.rc : rc;
}

/** Light at one device, sorted out by link. */
static enum lp_code
sort_light(struct build *b, const struct lp_reading *reading, struct lp_err *err)
{
    const struct lp_net *net = b->net;
    uint32_t node = lp_graph_node(net->graph, reading->device);
    enum lp_code rc = LP_OK;

    if (node == LP_GRAPH_NONE || !net->shape->nodes[node].reads)
        return LP_OK;
    for (size_t i = 0; rc == LP_OK && i < reading->count; i++) {
        const struct lp_seen_light *light = &reading->items[i];
        uint32_t link = lp_shape_link_at(net->shape, node, light->port);

        if (link != LP_GRAPH_NONE && !lp_wish_adopts(net->wish, &light->range))
            rc = lp_range_list_add(&b->light[link], light->range.low_mhz, light->range.high_mhz,
                                   err);
    }
    return rc;
}

/** Light that no claim explains is in everybody's way. */
static enum lp_code
take_light(struct build *b, struct lp_err *err)
{
    const struct lp_readings *readings = b->net->readings;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < readings->count; i++)
        rc = sort_light(b, readings->rows[i], err);
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
put_inside(const struct lp_net *net, struct lp_err *err)
{
    int failed = 0;

    for (size_t i = 0; i < net->shape->inside_count; i++) {
        const struct lp_shape_inside *cord = &net->shape->inside[i];
        const char *a = lp_graph_port_at(net->graph, cord->a_port)->id;
        const char *z = lp_graph_port_at(net->graph, cord->z_port)->id;

        failed |= json_object_set_new(net->inside, a,
                                      json_pack("{s:s, s:s}", "fiber", cord->fiber, "far", z));
        failed |= json_object_set_new(net->inside, z,
                                      json_pack("{s:s, s:s}", "fiber", cord->fiber, "far", a));
    }
    return failed != 0 ? no_memory(err) : LP_OK;
}

/** Of a fiber counts the older one of the readings of its ends; unknown is not dark. */
static void
note_seen(const struct lp_net *net)
{
    for (size_t i = 0; i < net->shape->line_count; i++) {
        const struct lp_shape_line *line = &net->shape->lines[i];
        const struct lp_reading *reading =
            lp_reading_of(net->readings, lp_graph_node_at(net->graph, line->node)->id);
        int64_t as_of = reading == NULL ? 0 : reading->as_of;
        int64_t seen = lp_graph_link_data(net->graph, line->link)->seen_us;

        if (as_of == 0 && net->shape->nodes[line->node].tells)
            lp_graph_set_seen(net->graph, line->link, LP_SEEN_NEVER);
        else if (as_of != 0 && (seen == 0 || as_of < seen))
            lp_graph_set_seen(net->graph, line->link, as_of);
    }
}

static enum lp_code
build_all(struct build *b, struct lp_err *err)
{
    struct lp_net *net = b->net;
    enum lp_code rc = lp_shape_take(net->source, b->reader, &net->shape, &net->readings, err);

    if (rc != LP_OK)
        return rc;
    net->graph = lp_graph_copy(net->shape->graph);
    if (net->graph == NULL)
        return no_memory(err);
    rc = lp_shape_add_wished(net->shape, b->reader, net->wish, "from", net->graph, err);
    if (rc == LP_OK)
        rc = lp_shape_add_wished(net->shape, b->reader, net->wish, "to", net->graph, err);
    if (rc == LP_OK)
        rc = put_inside(net, err);
    if (rc != LP_OK)
        return rc;
    note_seen(net);
    rc = lp_graph_seal(net->graph, err);
    return rc == LP_OK ? take_all(b, err) : rc;
}

enum lp_code
lp_net_build(const struct lp_route_source *source, const json_t *wish, struct lp_net *out,
             struct lp_err *err)
{
    struct build b = {.net = out, .reader = source->reader};
    enum lp_code rc = LP_OK;

    *out = (struct lp_net){
        .source = source, .wish = wish, .inside = json_object(), .disjoint = json_object()};
    if (out->inside == NULL || out->disjoint == NULL)
        rc = no_memory(err);
    if (rc == LP_OK && b.reader == NULL)
        rc = lp_reader_open(source->store, &b.reader, err);
    if (rc == LP_OK)
        rc = build_all(&b, err);
    if (source->reader == NULL && b.reader != NULL)
        lp_reader_close(b.reader);
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
    lp_shape_drop(net->shape, net->readings);
    json_decref(net->inside);
    json_decref(net->disjoint);
    *net = (struct lp_net){.graph = NULL};
}
