/* TE links, spectrum in use and light: all of it follows from fibers, amplifiers and circuits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sim/flexils/net.h"
#include "sim/rest/box.h"

#define CHANNEL_OUT_CDBM 0      /* of one channel behind an amplifier or a ROADM */
#define DROP_CDBM        (-300) /* of a channel at a tributary that works */

const char *
sim_te_name(const struct sim_obj *port)
{
    return port->word != NULL ? port->word : port->aid;
}

/* ---- links ---- */

/* The line port on the other side of an amplifier: L1 with L2, L3 with L4, on the same card. */
static struct sim_obj *
through(const struct sim_node *node, const struct sim_obj *port)
{
    const char *last = strrchr(port->aid, '-');
    char other[80], *rest;
    unsigned long n;

    if (last == NULL || last[1] != 'L')
        return NULL;
    n = strtoul(last + 2, &rest, 10);
    if (n == 0 || n > 64 || *rest != '\0')
        return NULL;
    n = n % 2 == 1 ? n + 1 : n - 1;
    snprintf(other, sizeof other, "%.*s-L%lu", (int)(last - port->aid), port->aid, n);
    return sim_obj_find(node, SIM_OTS, other);
}

static bool
link_add_span(struct sim_link *link, struct sim_span *span)
{
    struct sim_span **grown = reallocarray(link->spans, link->span_count + 1, sizeof *grown);

    if (grown == NULL)
        return false;
    link->spans = grown;
    link->spans[link->span_count++] = span;
    return true;
}

/* Follows the fiber from a ROADM port through amplifiers; the link stays without second end when it
   stops before another ROADM. */
static bool
link_walk(struct sim_net *net, struct sim_node *node, struct sim_obj *port, struct sim_link *link)
{
    link->node[0] = node;
    link->port[0] = port;
    while (port != NULL && port->span != NULL && link->span_count <= net->span_count) {
        struct sim_span *span = port->span;
        int far = span->port[0] == port ? 1 : 0;

        if (!link_add_span(link, span))
            return false;
        node = span->node[far];
        port = span->port[far];
        if (node->roadm) {
            link->node[1] = node;
            link->port[1] = port;
            return true;
        }
        port = through(node, port);
    }
    return true;
}

static bool
node_add_link(struct sim_node *node, struct sim_link *link)
{
    struct sim_link **grown = reallocarray(node->links, node->link_count + 1, sizeof *grown);

    if (grown == NULL)
        return false;
    node->links = grown;
    node->links[node->link_count++] = link;
    return true;
}

static bool
link_register(struct sim_link *link)
{
    size_t end;

    for (end = 0; end < 2; end++) {
        if (link->port[end] == NULL || (end == 1 && link->port[1] == link->port[0]))
            continue;
        link->port[end]->link = link;
        if (!node_add_link(link->node[end], link))
            return false;
    }
    return true;
}

static size_t
count_line_ports(const struct sim_net *net)
{
    size_t i, n = 0;

    for (i = 0; i < net->node_count; i++)
        if (net->nodes[i].roadm)
            n += net->nodes[i].objs[SIM_OTS].count;
    return n;
}

enum lp_code
sim_links_build(struct sim_net *net, struct lp_err *err)
{
    size_t i, j;

    net->links = calloc(count_line_ports(net) + 1, sizeof *net->links);
    if (net->links == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the TE links");
    for (i = 0; i < net->node_count; i++) {
        struct sim_node *node = &net->nodes[i];

        for (j = 0; node->roadm && j < node->objs[SIM_OTS].count; j++) {
            struct sim_obj *port = node->objs[SIM_OTS].at[j];
            struct sim_link *link = &net->links[net->link_count];

            if (port->link != NULL) /* found from its other end */
                continue;
            net->link_count++;
            if (!link_walk(net, node, port, link) || !link_register(link))
                return lp_fail(err, LP_NOMEM, "no memory for the TE links");
        }
    }
    return LP_OK;
}

bool
sim_link_up(const struct sim_link *link)
{
    size_t i;

    if (link->port[1] == NULL || link->span_count == 0)
        return false;
    for (i = 0; i < link->span_count; i++)
        if (link->spans[i]->cut)
            return false;
    return true;
}

int
sim_link_side(const struct sim_link *link, const struct sim_node *node, const struct sim_obj *port)
{
    int end;

    for (end = 0; end < 2; end++)
        if (link->node[end] == node && link->port[end] == port)
            return end;
    return -1;
}

/* ---- spectrum ---- */

uint32_t
sim_link_holder(const struct sim_link *link, int32_t low_mhz, int32_t high_mhz, uint32_t except)
{
    size_t i;

    for (i = 0; i < link->claim_count; i++)
        if (link->claims[i].circuit != except && link->claims[i].low_mhz < high_mhz
            && low_mhz < link->claims[i].high_mhz)
            return link->claims[i].circuit;
    return 0;
}

bool
sim_link_claim(struct sim_link *link, int32_t low_mhz, int32_t high_mhz, uint32_t circuit)
{
    struct sim_claim *grown = reallocarray(link->claims, link->claim_count + 1, sizeof *grown);
    size_t at;

    if (grown == NULL)
        return false;
    link->claims = grown;
    for (at = link->claim_count; at > 0 && grown[at - 1].low_mhz > low_mhz; at--)
        grown[at] = grown[at - 1];
    grown[at] = (struct sim_claim){.low_mhz = low_mhz, .high_mhz = high_mhz, .circuit = circuit};
    link->claim_count++;
    return true;
}

void
sim_link_release(struct sim_link *link, uint32_t circuit)
{
    size_t i, kept = 0;

    for (i = 0; i < link->claim_count; i++)
        if (link->claims[i].circuit != circuit)
            link->claims[kept++] = link->claims[i];
    link->claim_count = kept;
}

void
sim_link_free_text(const struct sim_link *link, struct lp_buf *out)
{
    int32_t from = SIM_BAND_LOW_MHZ;
    size_t i;
    bool first = true;

    for (i = 0; i <= link->claim_count; i++) {
        int32_t to = i < link->claim_count ? link->claims[i].low_mhz : SIM_BAND_HIGH_MHZ;

        if (to > from) {
            lp_buf_printf(out, "%s%d&%d", first ? "" : "&-", from, to);
            first = false;
        }
        if (i < link->claim_count && link->claims[i].high_mhz > from)
            from = link->claims[i].high_mhz;
    }
}

/* ---- routes ---- */

static struct sim_obj *
te_port(struct sim_node *node, const char *name)
{
    size_t i;

    for (i = 0; i < node->objs[SIM_OTS].count; i++)
        if (strcmp(sim_te_name(node->objs[SIM_OTS].at[i]), name) == 0)
            return node->objs[SIM_OTS].at[i];
    return NULL;
}

/* Splits "node&interface&node&interface" in place. */
static bool
hop_split(char *hop, char *part[4])
{
    size_t i;

    for (i = 0; i < 4; i++) {
        char *end = strchr(hop, '&');

        if ((end == NULL) != (i == 3) || *hop == '\0')
            return false;
        part[i] = hop;
        if (end != NULL) {
            *end = '\0';
            hop = end + 1;
        }
    }
    return *part[3] != '\0';
}

static enum lp_code
hop_link(struct sim_net *net, char *part[4], struct sim_link **link, int *side, struct lp_err *err)
{
    struct sim_node *node[2];
    struct sim_obj *port[2];
    int end;

    for (end = 0; end < 2; end++) {
        node[end] = sim_node_find(net, part[2 * end]);
        port[end] = node[end] == NULL ? NULL : te_port(node[end], part[2 * end + 1]);
        if (port[end] == NULL)
            return lp_fail(err, LP_NOT_FOUND, "Object {TEINTF}={%s-%s} is not found", part[2 * end],
                           part[2 * end + 1]);
    }
    *link = port[0]->link;
    *side = *link == NULL ? -1 : sim_link_side(*link, node[0], port[0]);
    if (*side < 0 || (*link)->port[1 - *side] != port[1])
        return lp_fail(err, LP_INVALID, "No TE link between %s-%s and %s-%s", part[0], part[1],
                       part[2], part[3]);
    return LP_OK;
}

static enum lp_code
route_add(struct sim_net *net, char *hop, struct sim_route *out, struct lp_err *err)
{
    char *part[4];
    struct sim_link *link = NULL;
    int side = 0;
    enum lp_code rc;

    if (out->count == SIM_ROUTE_MAX)
        return lp_fail(err, LP_INVALID, "More than %d hops", SIM_ROUTE_MAX);
    if (!hop_split(hop, part))
        return lp_fail(err, LP_INVALID, "A hop is node&interface&node&interface");
    rc = hop_link(net, part, &link, &side, err);
    if (rc != LP_OK)
        return rc;
    if (out->count > 0) {
        const struct sim_link *before = out->link[out->count - 1];

        if (before->node[1 - out->side[out->count - 1]] != link->node[side])
            return lp_fail(err, LP_INVALID, "Route is not continuous at %s", part[0]);
    }
    out->link[out->count] = link;
    out->side[out->count++] = (uint8_t)side;
    return LP_OK;
}

enum lp_code
sim_route_parse(struct sim_net *net, const char *text, struct sim_route *out, struct lp_err *err)
{
    char *copy = strdup(text), *hop = copy;
    enum lp_code rc = copy == NULL ? lp_fail(err, LP_NOMEM, "no memory for a route") : LP_OK;

    out->count = 0;
    while (rc == LP_OK && hop != NULL) {
        char *end = strstr(hop, "&-");

        if (end != NULL)
            *end = '\0';
        rc = route_add(net, hop, out, err);
        hop = end == NULL ? NULL : end + 2;
    }
    free(copy);
    return rc;
}

bool
sim_route_up(const struct sim_route *route)
{
    size_t i;

    for (i = 0; i < route->count; i++)
        if (!sim_link_up(route->link[i]))
            return false;
    return true;
}

/* ---- light ---- */

/* Loss that no amplifier makes up for on the way. */
static int32_t
route_deficit(const struct sim_route *route)
{
    int32_t deficit = 0;
    size_t i, j;

    for (i = 0; i < route->count; i++)
        for (j = 0; j < route->link[i]->span_count; j++) {
            int32_t loss = route->link[i]->spans[j]->loss_cdb;

            if (loss > SIM_GAIN_MAX_CDB)
                deficit += loss - SIM_GAIN_MAX_CDB;
        }
    return deficit;
}

int32_t
sim_target(const struct sim_net *net, const struct sim_node *node, const struct sim_obj *obj)
{
    uint64_t h = sim_hash((uint64_t)net->options.seed, node->name, obj->aid, 0);

    return -600 - (int32_t)(h % 400);
}

/* The circuit's end on this element that a transponder is patched to: a channel inside the element
   carries its light. */
static const struct sim_obj *
patched_end(const struct sim_net *net, const struct sim_node *node, const struct sim_obj *sch)
{
    char port[80];
    size_t i;
    int near;

    if (sch->circuit == 0 || sch->aid == NULL)
        return sch;
    if (sim_sch_port(sch->aid, port, sizeof port) && strstr(port, "-S") == NULL)
        return sch;
    for (i = 0; i < node->objs[SIM_SCH].count; i++) {
        const struct sim_obj *other = node->objs[SIM_SCH].at[i];

        if (other->circuit == sch->circuit && sim_sch_port(other->aid, port, sizeof port)
            && sim_patch_of_port(net, node, port, &near) != NULL)
            return other;
    }
    return sch;
}

/* Light that a transponder sends into a tributary channel. */
static int32_t
channel_in(struct sim_net *net, struct sim_node *node, struct sim_obj *sch)
{
    char port[80];
    const struct sim_obj *scg, *end = patched_end(net, node, sch);
    struct sim_carrier carrier;
    int32_t low, high;

    if (sch->lit)
        return sch->light_cdbm;
    if (!sim_sch_port(end->aid, port, sizeof port))
        return SIM_DARK_CDBM;
    scg = sim_obj_find(node, SIM_SCG, port);
    if (scg != NULL && scg->lit)
        return scg->light_cdbm;
    if (sim_passband(sim_obj_get(end, "PROVPBLIST"), &low, &high)
        && sim_tributary_light(net, node, port, low, high, &carrier))
        return carrier.cdbm;
    return sim_target(net, node, sch);
}

/* Does a port let light of a channel in (`add`) or out? */
static bool
port_passes(struct sim_node *node, const struct sim_obj *sch, bool add)
{
    char port[80];
    const struct sim_obj *scg;

    if (sch == NULL || !sim_sch_port(sch->aid, port, sizeof port))
        return false;
    scg = sim_obj_find(node, SIM_SCG, port);
    if (scg == NULL || scg->admin != SIM_IS || sch->admin == SIM_OOS)
        return false;
    return strcmp(sim_obj_get(sch, add ? "SHUTTERSTATE" : "DEMUXSHUTTERSTATE"), "OPEN") == 0
           && strcmp(sim_obj_get(scg, "OPTICALSIGNAL"), "ENABLED") == 0;
}

struct ends {
    struct sim_node *node[2];
    struct sim_obj *sch[2];
};

static bool
circuit_ends(struct sim_net *net, struct sim_node *source, const struct sim_obj *osnc,
             struct ends *out)
{
    out->node[0] = source;
    out->node[1] = sim_node_find(net, sim_obj_get(osnc, "REMNODETID"));
    if (out->node[1] == NULL)
        return false;
    out->sch[0] = sim_obj_find(source, SIM_SCH, osnc->aid);
    out->sch[1] = sim_obj_find(out->node[1], SIM_SCH, sim_obj_get(osnc, "REMENDPOINT"));
    return out->sch[0] != NULL && out->sch[1] != NULL;
}

/* What comes out of a channel at this end: the other end's light when everything on the way lets it
   through. *far_node, *far_sch: that end, when light comes. */
static int32_t
channel_out(struct sim_net *net, struct sim_node *node, struct sim_obj *sch,
            struct sim_node **far_node, struct sim_obj **far_sch)
{
    struct sim_node *source;
    struct sim_obj *osnc = sim_circuit_find(net, sch->circuit, &source);
    struct sim_route route;
    struct sim_denial why;
    struct ends ends;
    int far;

    if (osnc == NULL || osnc->cls != SIM_OSNC || osnc->admin != SIM_IS
        || !circuit_ends(net, source, osnc, &ends)
        || !sim_circuit_route(net, source, osnc, &route, &why) || !sim_route_up(&route))
        return SIM_DARK_CDBM;
    far = ends.sch[0] == sch && ends.node[0] == node ? 1 : 0;
    if (!port_passes(ends.node[far], ends.sch[far], true)
        || !port_passes(ends.node[1 - far], ends.sch[1 - far], false)
        || channel_in(net, ends.node[far], ends.sch[far]) <= SIM_DARK_CDBM / 2)
        return SIM_DARK_CDBM;
    *far_node = ends.node[far];
    *far_sch = ends.sch[far];
    return DROP_CDBM - route_deficit(&route);
}

int32_t
sim_drop_power(struct sim_net *net, struct sim_node *node, const char *scg, int32_t center_mhz,
               struct sim_node **far_node, struct sim_obj **far_sch)
{
    char port[80];
    int32_t low, high;
    size_t i;

    for (i = 0; i < node->objs[SIM_SCH].count; i++) {
        struct sim_obj *sch = node->objs[SIM_SCH].at[i];

        if (sim_sch_port(sch->aid, port, sizeof port) && strcmp(port, scg) == 0
            && sim_passband(sim_obj_get(sch, "PROVPBLIST"), &low, &high) && low <= center_mhz
            && center_mhz < high)
            return channel_out(net, node, sch, far_node, far_sch);
    }
    return SIM_DARK_CDBM;
}

static int32_t
sum_cdb(size_t channels)
{
    return (int32_t)lround(1000.0 * log10((double)channels));
}

static int32_t
line_power(const struct sim_obj *port, bool out)
{
    const struct sim_span *span = port->span;
    size_t channels = port->link == NULL ? 1 : port->link->claim_count + 1; /* and the OSC */
    int32_t sent = CHANNEL_OUT_CDBM + sum_cdb(channels);

    if (out)
        return sent;
    if (span == NULL || span->cut)
        return SIM_DARK_CDBM;
    return sent - span->loss_cdb;
}

int32_t
sim_power(struct sim_net *net, struct sim_node *node, struct sim_obj *obj, bool out)
{
    int32_t cdbm = SIM_DARK_CDBM;
    struct sim_carrier carrier;
    struct sim_node *far_node;
    struct sim_obj *far_sch;
    uint64_t noise;

    if (obj->cls == SIM_OTS)
        cdbm = line_power(obj, out);
    else if (obj->cls == SIM_SCH)
        cdbm = out ? channel_out(net, node, obj, &far_node, &far_sch) : channel_in(net, node, obj);
    else if (obj->cls == SIM_SCG && !out && !obj->lit
             && sim_tributary_light(net, node, obj->aid, 0, INT32_MAX, &carrier))
        cdbm = carrier.cdbm;
    else if (obj->cls == SIM_SCG && !out)
        cdbm = obj->lit ? obj->light_cdbm : -500;
    if (cdbm <= SIM_DARK_CDBM)
        return SIM_DARK_CDBM;
    noise = sim_hash((uint64_t)net->options.seed, node->name, obj->aid, ++obj->reads);
    return cdbm + obj->offset_cdb + (int32_t)(noise % 21) - 10;
}

/* ---- fibers ---- */

static int64_t
overlap_us(int64_t a_from, int64_t a_to, int64_t b_from, int64_t b_to)
{
    int64_t from = a_from > b_from ? a_from : b_from, to = a_to < b_to ? a_to : b_to;

    return to > from ? to - from : 0;
}

int64_t
sim_outage_s(const struct sim_net *net, const struct sim_span *span, int64_t from_us, int64_t to_us)
{
    int64_t sum = 0;
    size_t i;

    for (i = 0; i < LP_COUNT(span->outage) && i < span->outages; i++)
        sum += overlap_us(span->outage[i].from_us, span->outage[i].to_us, from_us, to_us);
    if (span->cut)
        sum += overlap_us(span->cut_us, net->utc_us, from_us, to_us);
    return (sum + 999999) / 1000000;
}

void
sim_span_cut(struct sim_net *net, struct sim_span *span, bool cut)
{
    if (span->cut == cut)
        return;
    if (cut) {
        span->cut_us = net->utc_us;
    } else {
        size_t at = span->outages++ % LP_COUNT(span->outage);

        span->outage[at].from_us = span->cut_us;
        span->outage[at].to_us = net->utc_us;
    }
    span->cut = cut;
    sim_refresh(net);
}

void
sim_span_loss(struct sim_net *net, struct sim_span *span, int32_t loss_cdb)
{
    span->loss_cdb = loss_cdb;
    sim_refresh(net);
}

struct sim_span *
sim_span_find(struct sim_net *net, const char *id)
{
    size_t i;

    for (i = 0; i < net->span_count; i++)
        if (strcmp(net->spans[i].id, id) == 0)
            return &net->spans[i];
    return NULL;
}
