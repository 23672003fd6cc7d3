/* Wishes, searches, route documents, and the field of a form that offers them. */
#include "steps/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/uuid.h"
#include "steps/forms.h"
#include "steps/route_internal.h"

enum { LISTED_MOST = 64 };

struct lp_route_source
lp_route_source_form(const struct lp_form_ctx *ctx)
{
    return (struct lp_route_source){
        .store = ctx->store, .reader = ctx->reader, .conf = ctx->conf, .clock = ctx->clock};
}

/* ---- the wish ---- */

/** A request in the words of the search, with the memory behind it. */
struct asked {
    struct lp_net *net;
    struct lp_route_request request;
    struct lp_waypoint ways[LP_ROUTE_MOST_WAYS];
    uint32_t nodes[LISTED_MOST], links[LISTED_MOST];
    const char *risks[LISTED_MOST];
    uint32_t *disjoint;
    const char *before, *behind; /* patch cords inside the devices at the ends, or NULL */
};

static enum lp_code
ask_end(struct asked *asked, const char *member, uint32_t *port, uint32_t *node, const char **patch,
        struct lp_err *err)
{
    const struct lp_graph *graph = asked->net->graph;
    const char *id = lp_json_str(asked->net->wish, member, "");
    const json_t *inside = json_object_get(asked->net->inside, id);

    if (inside != NULL)
        *patch = lp_json_str(inside, "fiber", NULL);
    if (inside != NULL && !lp_json_true(asked->net->wish, "inner"))
        id = lp_json_str(inside, "far", "");
    *port = lp_graph_port(graph, id);
    *node =
        *port == LP_GRAPH_NONE ? lp_graph_node(graph, id) : lp_graph_port_at(graph, *port)->node;
    if (*node == LP_GRAPH_NONE)
        return lp_fail_at(err, LP_NOT_FOUND, member, "%.64s is neither a device nor a port", id);
    return LP_OK;
}

/** Indices of what is there; ids that are gone exclude nothing. */
static size_t
list_of(const json_t *list, uint32_t (*find)(const struct lp_graph *, const char *),
        const struct lp_graph *graph, uint32_t *out)
{
    const json_t *item;
    size_t i, count = 0;

    json_array_foreach(list, i, item)
    {
        uint32_t index =
            json_is_string(item) ? find(graph, json_string_value(item)) : LP_GRAPH_NONE;
        if (index != LP_GRAPH_NONE && count < LISTED_MOST)
            out[count++] = index;
    }
    return count;
}

static enum lp_code
ask_ways(struct asked *asked, const json_t *include, struct lp_err *err)
{
    const struct lp_graph *graph = asked->net->graph;
    const json_t *item;
    size_t i;

    if (json_array_size(include) > LP_ROUTE_MOST_WAYS)
        return lp_fail_at(err, LP_INVALID, "include", "a route takes at most %d waypoints",
                          LP_ROUTE_MOST_WAYS);
    json_array_foreach(include, i, item)
    {
        const char *id = json_is_string(item) ? json_string_value(item) : "";
        struct lp_waypoint *way = &asked->ways[asked->request.way_count++];

        *way = (struct lp_waypoint){.index = lp_graph_node(graph, id)};
        if (way->index == LP_GRAPH_NONE) {
            way->is_link = true;
            way->index = lp_graph_link(graph, id);
        }
        if (way->index == LP_GRAPH_NONE)
            return lp_fail_at(err, LP_INVALID, "include",
                              "%.64s is neither a device nor an active fiber", id);
    }
    asked->request.ways = asked->ways;
    return LP_OK;
}

static enum lp_code
ask_cost(struct asked *asked, struct lp_err *err)
{
    const char *name = lp_json_str(asked->net->wish, "cost", "hops");

    if (strcmp(name, "hops") == 0) { /* of multiplex sections: what operators count */
        asked->request.cost = LP_COST_OMS_HOPS;
        return LP_OK;
    }
    asked->request.keep_order = true; /* somebody said what counts */
    return lp_route_cost_of(name, &asked->request.cost)
               ? LP_OK
               : lp_fail_at(err, LP_INVALID, "cost", "routes cannot be ordered by '%.40s'", name);
}

static enum lp_code
add_slot(struct lp_wanted *wanted, const json_t *item, struct lp_err *err)
{
    struct lp_range range = {lp_json_int(item, "low_mhz", 0), lp_json_int(item, "high_mhz", 0)};
    int64_t width = lp_json_int(item, "width_mhz", 0);
    bool exact = range.low_mhz != 0 || range.high_mhz != 0;

    if (wanted->count == LP_MOST_CARRIERS)
        return lp_fail_at(err, LP_INVALID, "also", "a route is asked for at most %d passbands",
                          LP_MOST_CARRIERS);
    if (!exact && width <= 0)
        return wanted->count == 0 ? LP_OK
                                  : lp_fail_at(err, LP_INVALID, "also", "a passband is missing");
    if (wanted->count > 0 && exact != (wanted->policy == LP_ASSIGN_EXACT))
        return lp_fail_at(err, LP_INVALID, "also", "either all passbands are given, or all widths");
    if (exact)
        wanted->policy = LP_ASSIGN_EXACT;
    wanted->exact[wanted->count] = range;
    wanted->width_mhz[wanted->count++] = width;
    return LP_OK;
}

static enum lp_code
ask_spectrum(struct asked *asked, struct lp_err *err)
{
    struct lp_wanted *wanted = &asked->request.wanted;
    const json_t *wish = asked->net->wish, *item;
    const char *policy = lp_json_str(wish, "policy", "first-fit");
    size_t i;
    enum lp_code rc;

    wanted->step_mhz = lp_json_int(wish, "step_mhz", LP_GRID_RASTER_MHZ);
    if (strcmp(policy, lp_assign_name(LP_ASSIGN_LAST)) == 0)
        wanted->policy = LP_ASSIGN_LAST;
    else if (strcmp(policy, lp_assign_name(LP_ASSIGN_FIRST)) != 0)
        return lp_fail_at(err, LP_INVALID, "policy", "there is no policy '%.40s'", policy);
    rc = add_slot(wanted, wish, err);
    json_array_foreach(json_object_get(wish, "also"), i, item)
    {
        if (rc == LP_OK)
            rc = add_slot(wanted, item, err);
    }
    return rc;
}

static enum lp_code
ask_disjoint(struct asked *asked, struct lp_err *err)
{
    const char *fiber;
    json_t *value;

    asked->disjoint = malloc((json_object_size(asked->net->disjoint) + 1) * sizeof(uint32_t));
    if (asked->disjoint == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a search");
    json_object_foreach(asked->net->disjoint, fiber, value)
    {
        uint32_t link = lp_graph_link(asked->net->graph, fiber);
        if (link != LP_GRAPH_NONE)
            asked->disjoint[asked->request.disjoint_link_count++] = link;
    }
    asked->request.disjoint_links = asked->disjoint;
    asked->request.disjoint = LP_DISJOINT_RISKS;
    return LP_OK;
}

static void
ask_excluded(struct asked *asked)
{
    const json_t *wish = asked->net->wish, *item;
    struct lp_route_request *request = &asked->request;
    size_t i;

    request->exclude_nodes = asked->nodes;
    request->exclude_node_count = list_of(json_object_get(wish, "exclude_nodes"), lp_graph_node,
                                          asked->net->graph, asked->nodes);
    request->exclude_links = asked->links;
    request->exclude_link_count = list_of(json_object_get(wish, "exclude_fibers"), lp_graph_link,
                                          asked->net->graph, asked->links);
    request->exclude_risks = asked->risks;
    json_array_foreach(json_object_get(wish, "exclude_risks"), i, item)
    {
        if (json_is_string(item) && request->exclude_risk_count < LISTED_MOST)
            asked->risks[request->exclude_risk_count++] = json_string_value(item);
    }
}

static enum lp_code
ask(struct lp_net *net, struct asked *asked, struct lp_err *err)
{
    struct lp_route_request *request = &asked->request;
    const struct lp_conf *conf = net->source->conf;
    enum lp_code rc;

    *asked = (struct asked){.net = net};
    rc = ask_end(asked, "from", &request->a_port, &request->a_node, &asked->before, err);
    if (rc == LP_OK)
        rc = ask_end(asked, "to", &request->z_port, &request->z_node, &asked->behind, err);
    if (rc == LP_OK)
        rc = ask_ways(asked, json_object_get(net->wish, "include"), err);
    if (rc == LP_OK)
        rc = ask_cost(asked, err);
    if (rc == LP_OK)
        rc = ask_spectrum(asked, err);
    if (rc == LP_OK)
        rc = ask_disjoint(asked, err);
    ask_excluded(asked);
    request->most =
        (size_t)lp_json_int(net->wish, "most", lp_conf_live_int(&conf->spectrum_routes));
    if (request->most == 0 || request->most > LP_ROUTE_MOST)
        request->most = LP_ROUTE_MOST;
    request->now_us = lp_clock_utc_us(net->source->clock);
    if (!lp_json_true(net->wish, "unknown_light"))
        request->max_age_us = lp_conf_live_int(&conf->spectrum_max_age_s) * 1000000;
    request->required_osnr_cdb = (int32_t)lp_json_int(net->wish, "required_osnr_cdb", 0);
    if (request->required_osnr_cdb == 0)
        request->keep_order = true; /* without a mode there is no margin to go by */
    request->allow_negative_margin = lp_json_true(net->wish, "negative_margin");
    return rc;
}

/* ---- a route as a document ---- */

struct making {
    struct asked *asked;
    const struct lp_route_result *result;
    const struct lp_route *route;
    json_t *doc;
};

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for a route");
}

static bool
is_trx(const struct lp_graph *graph, uint32_t port)
{
    return lp_graph_port_at(graph, port)->kind == LP_PORT_TRX;
}

/** Is that link of the route the patch cord of a transponder at one of its ends? */
static bool
is_patch(const struct making *m, uint32_t i)
{
    const struct lp_graph *graph = m->asked->net->graph;
    const struct lp_link *link = lp_graph_link_data(graph, m->route->links[i]);

    return (i == 0 || i + 1 == m->route->link_count)
           && (is_trx(graph, link->a_port) || is_trx(graph, link->z_port));
}

static int
put_links(const struct making *m)
{
    json_t *fibers = json_array(), *patches = json_array();
    int bad = 0;

    if (m->asked->before != NULL)
        bad |= json_array_append_new(patches, json_string(m->asked->before));
    for (uint32_t i = 0; i < m->route->link_count; i++)
        bad |= json_array_append_new(
            is_patch(m, i) ? patches : fibers,
            json_string(lp_graph_link_data(m->asked->net->graph, m->route->links[i])->id));
    if (m->asked->behind != NULL)
        bad |= json_array_append_new(patches, json_string(m->asked->behind));
    bad |= json_object_set_new(m->doc, "fibers", fibers);
    return bad | json_object_set_new(m->doc, "patches", patches);
}

/** Ports without those of transponders at the ends, and all devices. */
static int
put_places(const struct making *m)
{
    const struct lp_graph *graph = m->asked->net->graph;
    uint32_t places[2 * LP_ROUTE_MOST_LINKS + 2];
    json_t *ports = json_array(), *nodes = json_array();
    size_t count = lp_route_ports(graph, &m->asked->request, m->route, places);
    int bad = 0;

    for (size_t i = 0; i < count; i++)
        if (!is_trx(graph, places[i]))
            bad |=
                json_array_append_new(ports, json_string(lp_graph_port_at(graph, places[i])->id));
    count = lp_route_nodes(graph, m->result, m->route, places);
    for (size_t i = 0; i < count; i++)
        bad |= json_array_append_new(nodes, json_string(lp_graph_node_at(graph, places[i])->id));
    bad |= json_object_set_new(m->doc, "ports", ports);
    return bad | json_object_set_new(m->doc, "nodes", nodes);
}

static int
put_figures(const struct making *m)
{
    const struct lp_route *r = m->route;
    int64_t now = m->asked->request.now_us;
    int bad = lp_json_set_int(m->doc, "hops", r->hops);

    bad |= lp_json_set_int(m->doc, "oms_hops", r->oms_hops);
    bad |= lp_json_set_int(m->doc, "length_m", (int64_t)r->length_m);
    bad |= lp_json_set_int(m->doc, "loss_cdb", r->loss_cdb);
    bad |= lp_json_set_int(m->doc, "latency_ns", (int64_t)r->latency_ns);
    bad |= json_object_set_new(m->doc, "osnr_cdb",
                               r->osnr_cdb == INT32_MAX ? json_null() : json_integer(r->osnr_cdb));
    bad |= json_object_set_new(m->doc, "margin_cdb",
                               r->has_margin ? json_integer(r->margin_cdb) : json_null());
    if (r->seen_us == LP_SEEN_NEVER)
        bad |= json_object_set_new(m->doc, "unread", json_true());
    bad |= json_object_set_new(m->doc, "age_us",
                               r->seen_us <= LP_SEEN_NEVER
                                   ? json_null()
                                   : json_integer(now > r->seen_us ? now - r->seen_us : 0));
    return bad;
}

static json_t *
range_json(const struct lp_range *range)
{
    return json_pack("{s:I, s:I}", "low_mhz", (json_int_t)range->low_mhz, "high_mhz",
                     (json_int_t)range->high_mhz);
}

static int
put_slots(const struct making *m)
{
    json_t *slots = json_array();
    int bad = 0;

    for (size_t i = 0; i < m->asked->request.wanted.count; i++)
        bad |= json_array_append_new(slots, range_json(&m->route->slot[0][i]));
    bad |= json_object_set_new(m->doc, "first_free",
                               json_array_size(slots) > 0 ? range_json(&m->route->slot[0][0])
                                                          : json_null());
    return bad | json_object_set_new(m->doc, "slots", slots);
}

void
lp_route_id(const json_t *route, char id[static LP_UUID_LEN + 1])
{
    /* of the name space of ours; one for routes, for good */
    static const char space[] = "6f0f3a52-4f5c-5d0b-9e0e-2b7a7d1c9a31";
    static const char *const members[] = {"ports", "fibers", "patches"};
    struct lp_buf text = LP_BUF_INIT;
    const json_t *item;
    size_t i;

    for (size_t k = 0; k < LP_COUNT(members); k++) {
        lp_buf_str(&text, members[k]);
        json_array_foreach(json_object_get(route, members[k]), i, item)
        {
            lp_buf_char(&text, ' ');
            lp_buf_str(&text, json_is_string(item) ? json_string_value(item) : "?");
        }
        lp_buf_char(&text, '\n');
    }
    (void)snprintf(id, LP_UUID_LEN + 1, "%s",
                   lp_uuid_v5(space, text.data == NULL ? "" : text.data).text);
    lp_buf_free(&text);
}

static enum lp_code
route_doc(struct asked *asked, const struct lp_route_result *result, const struct lp_route *route,
          json_t **out, struct lp_err *err)
{
    json_auto_t *doc = json_object();
    struct making m = {asked, result, route, doc};
    struct lp_buf text = LP_BUF_INIT;
    char id[LP_UUID_LEN + 1];
    int bad = doc == NULL || put_links(&m) != 0 || put_places(&m) != 0 || put_figures(&m) != 0
              || put_slots(&m) != 0;

    if (!bad) {
        lp_route_id(doc, id);
        lp_route_text(asked->net->graph, &asked->request, route, &text);
        bad = text.failed || lp_json_set_str(doc, "id", id) != 0
              || lp_json_set_str(doc, "text", text.data == NULL ? "" : text.data) != 0;
    }
    lp_buf_free(&text);
    if (bad)
        return no_memory(err);
    *out = lp_json_take(&doc);
    return LP_OK;
}

/* ---- searching ---- */

/** One search: the memory it needs. */
struct search {
    struct lp_net net;
    struct asked asked;
    struct lp_route_space *space;
    struct lp_route_result *result;
};

static void
search_free(struct search *s)
{
    lp_route_space_free(s->space);
    free(s->result);
    free(s->asked.disjoint);
    lp_net_free(&s->net);
}

static enum lp_code
search_run(const struct lp_route_source *source, const json_t *wish, struct search *s,
           struct lp_err *err)
{
    enum lp_code rc;

    *s = (struct search){.space = lp_route_space_new(), .result = malloc(sizeof *s->result)};
    rc = s->space == NULL || s->result == NULL ? no_memory(err)
                                               : lp_net_build(source, wish, &s->net, err);
    if (rc == LP_OK)
        rc = ask(&s->net, &s->asked, err);
    if (rc == LP_OK)
        rc = lp_route_find(s->net.graph, &s->asked.request, s->space, s->result, err);
    return rc;
}

static int
put_removed(json_t *problem, const struct lp_route_result *result)
{
    json_t *removed = json_object();
    int bad = 0;

    for (int rule = 0; rule < LP_RULE_COUNT; rule++)
        if (result->removed[rule] > 0)
            bad |= lp_json_set_int(removed, lp_route_rule_name((enum lp_route_rule)rule),
                                   result->removed[rule]);
    return bad | json_object_set_new(problem, "removed", removed);
}

/** Would there be a route if old readings counted? Then the oldest one is what is wrong. */
static enum lp_code
stale(struct search *s, struct lp_buf *text, struct lp_err *err)
{
    uint32_t oldest = LP_GRAPH_NONE;
    const struct lp_route *route = &s->result->routes[0];
    int64_t seen = INT64_MAX;
    enum lp_code rc;

    s->asked.request.max_age_us = 0;
    rc = lp_route_find(s->net.graph, &s->asked.request, s->space, s->result, err);
    for (uint32_t i = 0; rc == LP_OK && s->result->count > 0 && i < route->link_count; i++) {
        const struct lp_link *link = lp_graph_link_data(s->net.graph, route->links[i]);

        if (link->seen_us > 0 && link->seen_us < seen) {
            seen = link->seen_us;
            oldest = route->links[i];
        }
    }
    if (oldest != LP_GRAPH_NONE && seen == LP_SEEN_NEVER)
        lp_buf_printf(text, "occupancy of %.120s was never read; refresh before planning",
                      lp_graph_link_data(s->net.graph, oldest)->name);
    else if (oldest != LP_GRAPH_NONE)
        lp_buf_printf(text, "occupancy of %.120s is %" PRId64 " h old; refresh before planning",
                      lp_graph_link_data(s->net.graph, oldest)->name,
                      (s->asked.request.now_us - seen) / INT64_C(3600000000));
    return rc;
}

/** The code stands beside the message. */
static const char *
without_code(const char *text)
{
    static const char code[] = "OPT-030: ";

    if (text == NULL)
        return "no route";
    return strncmp(text, code, sizeof code - 1) == 0 ? text + sizeof code - 1 : text;
}

static enum lp_code
problem_of(struct search *s, json_t **out, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT, old = LP_BUF_INIT;
    json_auto_t *problem = json_object();
    enum lp_code rc = LP_OK;
    int bad;

    lp_route_explain(s->net.graph, &s->asked.request, s->result, &text);
    bad = problem == NULL || put_removed(problem, s->result) != 0;
    if (s->result->removed[LP_RULE_STALE] > 0)
        rc = stale(s, &old, err);
    bad |= lp_json_set_str(problem, "code", old.len > 0 ? "OPT-031" : "OPT-030") != 0;
    bad |=
        lp_json_set_str(problem, "message", old.len > 0 ? old.data : without_code(text.data)) != 0;
    lp_buf_free(&text);
    lp_buf_free(&old);
    if (rc == LP_OK && bad)
        rc = no_memory(err);
    if (rc == LP_OK)
        *out = lp_json_take(&problem);
    return rc;
}

enum lp_code
lp_routes_find(const struct lp_route_source *source, const json_t *wish, json_t **found,
               struct lp_err *err)
{
    json_auto_t *routes = json_array(), *problem = NULL;
    struct search s;
    enum lp_code rc = search_run(source, wish, &s, err);

    for (size_t i = 0; rc == LP_OK && i < s.result->count; i++) {
        json_t *doc = NULL;

        rc = route_doc(&s.asked, s.result, &s.result->routes[i], &doc, err);
        if (rc == LP_OK && json_array_append_new(routes, doc) != 0)
            rc = no_memory(err);
    }
    if (rc == LP_OK && s.result->count == 0)
        rc = problem_of(&s, &problem, err);
    search_free(&s);
    if (rc != LP_OK)
        return rc;
    *found = json_pack("{s:O, s:O?}", "routes", routes, "problem", problem);
    if (*found != NULL && problem == NULL)
        json_object_set_new(*found, "problem", json_null());
    return *found == NULL ? no_memory(err) : LP_OK;
}

static enum lp_code
no_route(const json_t *found, struct lp_err *err)
{
    const json_t *problem = json_object_get(found, "problem");
    enum lp_code rc = lp_fail(err, LP_CONFLICT, "%s", lp_json_str(problem, "message", "no route"));

    err->detail = json_pack("{s:s, s:O?}", "code", lp_json_str(problem, "code", "OPT-030"),
                            "removed", json_object_get(problem, "removed"));
    return rc;
}

enum lp_code
lp_route_again(const struct lp_route_source *source, const json_t *wish, const char *id,
               json_t **route, struct lp_err *err)
{
    json_auto_t *found = NULL;
    const json_t *routes, *one;
    size_t i;
    enum lp_code rc = lp_routes_find(source, wish, &found, err);

    if (rc != LP_OK)
        return rc;
    routes = json_object_get(found, "routes");
    json_array_foreach(routes, i, one)
    {
        if (strcmp(lp_json_str(one, "id", ""), id) == 0) {
            *route = json_incref(json_array_get(routes, i));
            return LP_OK;
        }
    }
    if (json_array_size(routes) == 0)
        return no_route(found, err);
    return lp_fail(err, LP_CONFLICT,
                   "the route that was chosen is not to be had any more; choose again");
}

/* ---- does it still stand? ---- */

static const char *
text_at(const json_t *list, size_t i)
{
    const char *text = json_string_value(json_array_get(list, i));

    return text == NULL ? "" : text;
}

/** The fiber is in service, and ends where the route says (a or z NULL: anywhere). */
static enum lp_code
fiber_stands(const struct lp_route_source *source, const char *fiber, const char *a, const char *z,
             struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    const char *p, *q;
    bool found = false;
    enum lp_code rc =
        lp_route_query(source, LP_SQL_ROUTE_FIBER, LP_ARGS(lp_text("id", fiber)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) != 2)
        rc = lp_fail(err, LP_CONFLICT, "fiber %.36s of the route is gone", fiber);
    if (rc == LP_OK && strcmp(lp_rows_text(rows, 0, "status"), "active") != 0)
        rc = lp_fail(err, LP_CONFLICT, "fiber %.120s of the route is %s",
                     lp_rows_text(rows, 0, "description"), lp_rows_text(rows, 0, "status"));
    if (rc == LP_OK) {
        p = lp_rows_text(rows, 0, "port_id");
        q = lp_rows_text(rows, 1, "port_id");
        found = ((a == NULL || strcmp(a, p) == 0) && (z == NULL || strcmp(z, q) == 0))
                || ((a == NULL || strcmp(a, q) == 0) && (z == NULL || strcmp(z, p) == 0));
        if (!found)
            rc = lp_fail(err, LP_CONFLICT,
                         "fiber %.120s ends at other ports than when the route was "
                         "chosen",
                         lp_rows_text(rows, 0, "description"));
    }
    lp_rows_free(rows);
    return rc;
}

/** Is the first port the one that a route between fibers begins with (an add/drop port), or does a
 * fiber begin at it at once (a route between devices)? */
static size_t
first_egress(const json_t *ports, const json_t *fibers)
{
    return json_array_size(ports) == 2 * json_array_size(fibers) ? 0 : 1;
}

enum lp_code
lp_route_stands(const struct lp_route_source *source, const json_t *route, struct lp_err *err)
{
    const json_t *ports = json_object_get(route, "ports"),
                 *fibers = json_object_get(route, "fibers");
    const json_t *patches = json_object_get(route, "patches");
    size_t at = first_egress(ports, fibers);
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = LP_OK;

    lp_route_id(route, id);
    if (strcmp(id, lp_json_str(route, "id", "")) != 0)
        return lp_fail(err, LP_INVALID, "the route is not what its id says");
    if (json_array_size(fibers) + json_array_size(patches) == 0 && json_array_size(ports) == 0)
        return lp_fail(err, LP_INVALID, "the route leads nowhere");
    for (size_t i = 0; rc == LP_OK && i < json_array_size(fibers); i++)
        rc = fiber_stands(source, text_at(fibers, i), text_at(ports, at + 2 * i),
                          text_at(ports, at + 2 * i + 1), err);
    for (size_t i = 0; rc == LP_OK && i < json_array_size(patches); i++)
        rc = fiber_stands(source, text_at(patches, i), NULL, NULL, err);
    return rc;
}

/* ---- forms ---- */

static void
label_of(const json_t *route, struct lp_buf *out)
{
    const json_t *slot = json_object_get(route, "first_free");
    const json_t *margin = json_object_get(route, "margin_cdb");
    int64_t length = lp_json_int(route, "length_m", 0), age = lp_json_int(route, "age_us", -1);
    int64_t hops = lp_json_int(route, "oms_hops", 0);

    lp_buf_str(out, lp_json_str(route, "text", ""));
    lp_buf_printf(out, " | %" PRId64 " section%s, %" PRId64 ".%" PRId64 " km", hops,
                  hops == 1 ? "" : "s", length / 1000, length % 1000 / 100);
    if (json_is_object(slot))
        lp_buf_printf(out, ", %" PRId64 "-%" PRId64 " MHz", lp_json_int(slot, "low_mhz", 0),
                      lp_json_int(slot, "high_mhz", 0));
    if (json_is_integer(margin)) {
        long long m = json_integer_value(margin);
        lp_buf_printf(out, ", margin %s%lld.%02lld dB", m < 0 ? "-" : "", llabs(m) / 100,
                      llabs(m) % 100);
    }
    if (lp_json_true(route, "unread"))
        lp_buf_str(out, ", light never read on a part of it");
    if (age >= 0)
        lp_buf_printf(out, ", seen %" PRId64 " min ago", age / INT64_C(60000000));
}

/** Nothing can be chosen: the reason, and a field that takes no value. */
static void
offer_nothing(struct lp_form_page *page, const char *name, const char *title, const json_t *found)
{
    const json_t *problem = json_object_get(found, "problem");
    struct lp_field field = {
        .name = name, .title = title, .kind = LP_FIELD_ENUM, .required = true, .required_in = -1};
    char label[96];

    (void)snprintf(label, sizeof label, "%.80s_none", name);
    lp_form_add_label(page, label, lp_json_str(problem, "message", "no route"));
    lp_form_page_add(page, &field);
}

static enum lp_code
offer(struct lp_form_page *page, const char *name, const char *title, const json_t *routes,
      struct lp_err *err)
{
    struct lp_enum_value values[LP_ROUTE_MOST];
    struct lp_buf labels[LP_ROUTE_MOST];
    struct lp_field field = {.name = name,
                             .title = title,
                             .kind = LP_FIELD_ENUM,
                             .required = true,
                             .required_in = -1,
                             .values = values};
    json_auto_t *def = NULL;
    bool failed = false;

    for (size_t i = 0; i < json_array_size(routes) && i < LP_ROUTE_MOST; i++) {
        const json_t *route = json_array_get(routes, i);

        labels[i] = (struct lp_buf)LP_BUF_INIT;
        label_of(route, &labels[i]);
        failed = failed || labels[i].failed;
        values[i] =
            (struct lp_enum_value){.value = lp_json_str(route, "id", ""), .label = labels[i].data};
        field.value_count = i + 1;
    }
    def = json_string(values[0].value);
    field.def = def;
    if (!failed)
        lp_form_page_add(page, &field);
    for (size_t i = 0; i < field.value_count; i++)
        lp_buf_free(&labels[i]);
    return failed ? no_memory(err) : LP_OK;
}

enum lp_code
lp_form_add_routes(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *field,
                   const char *title, const json_t *wish, json_t **found, struct lp_err *err)
{
    const struct lp_route_source source = lp_route_source_form(ctx);
    json_auto_t *all = NULL;
    const json_t *routes;
    enum lp_code rc = lp_routes_find(&source, wish, &all, err);

    if (rc != LP_OK)
        return rc;
    routes = json_object_get(all, "routes");
    if (json_array_size(routes) == 0)
        offer_nothing(page, field, title, all);
    else
        rc = offer(page, field, title, routes, err);
    if (rc == LP_OK && found != NULL)
        *found = lp_json_take(&all);
    return rc;
}
