/* Signalled circuits and manual cross-connections: what they need, take and leave behind. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sim/flexils/net.h"

bool
sim_deny(struct sim_denial *why, const char *code, const char *fmt, ...)
{
    va_list args;

    snprintf(why->code, sizeof why->code, "%s", code);
    va_start(args, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    return false;
}

bool
sim_passband_at(const char *text, size_t n, int32_t *low_mhz, int32_t *high_mhz)
{
    char *end;
    long low, high;

    for (; n > 0; n--) {
        size_t item;

        for (item = 0; item < 2; item++) {
            text = strchr(text, '&');
            if (text == NULL)
                return false;
            text++;
        }
    }
    low = strtol(text, &end, 10);
    if (end == text || *end != '&')
        return false;
    text = end + 1;
    high = strtol(text, &end, 10);
    if (end == text || (*end != '&' && *end != '\0') || low < 0 || high < 0 || low > INT32_MAX
        || high > INT32_MAX)
        return false;
    *low_mhz = (int32_t)low;
    *high_mhz = (int32_t)high;
    return true;
}

bool
sim_passband(const char *text, int32_t *low_mhz, int32_t *high_mhz)
{
    return sim_passband_at(text, 0, low_mhz, high_mhz);
}

/* ---- who belongs to a circuit ---- */

struct sim_obj *
sim_circuit_find(struct sim_net *net, uint32_t circuit, struct sim_node **node)
{
    size_t i, j;

    for (i = 0; circuit != 0 && i < net->node_count; i++) {
        const struct sim_list *list = &net->nodes[i].objs[SIM_OSNC];

        for (j = 0; j < list->count; j++)
            if (list->at[j]->circuit == circuit) {
                *node = &net->nodes[i];
                return list->at[j];
            }
    }
    return NULL;
}

static bool
is_end(const struct sim_node *node, const struct sim_node *source, const struct sim_obj *osnc,
       const struct sim_obj *sch)
{
    if (node == source && strcmp(sch->aid, osnc->aid) == 0)
        return true;
    return strcmp(node->name, sim_obj_get(osnc, "REMNODETID")) == 0
           && strcmp(sch->aid, sim_obj_get(osnc, "REMENDPOINT")) == 0;
}

enum leaving { LEAVE_NOW, LEAVE_SETTLED };

/* Lets the channels and cross-connections of a circuit go; those at its ends only with `ends`. On
   other elements they stay for a while, as the real ones do. */
static void
parts_leave(struct sim_net *net, struct sim_node *source, const struct sim_obj *osnc, bool ends,
            enum leaving how)
{
    static const enum sim_class parts[] = {SIM_SCH, SIM_OCRS};
    size_t n, c, i;

    for (n = 0; n < net->node_count; n++)
        for (c = 0; c < LP_COUNT(parts); c++) {
            struct sim_node *node = &net->nodes[n];
            struct sim_list *list = &node->objs[parts[c]];

            for (i = list->count; i > 0; i--) {
                struct sim_obj *obj = list->at[i - 1];

                if (obj->circuit != osnc->circuit
                    || (!ends && obj->cls == SIM_SCH && is_end(node, source, osnc, obj)))
                    continue;
                if (how == LEAVE_NOW || node == source || net->options.settle_ms == 0) {
                    sim_obj_remove(node, obj);
                } else if (obj->gone_us == 0) {
                    obj->gone_us = net->now_us + net->options.settle_ms * 1000;
                    if (obj->cls == SIM_OCRS && !sim_obj_set(obj, "DLTINPRGRESS", "TRUE"))
                        obj->gone_us = net->now_us; /* no memory to say so: go at once */
                }
            }
        }
}

static void
claims_release(struct sim_net *net, uint32_t circuit)
{
    size_t i;

    for (i = 0; i < net->link_count; i++)
        sim_link_release(&net->links[i], circuit);
}

/* ---- ways ---- */

static bool
route_of_oel(struct sim_net *net, struct sim_node *node, const struct sim_obj *osnc,
             struct sim_route *out, struct sim_denial *why)
{
    const char *name = sim_obj_get(osnc, "OELAID"), *remote = sim_obj_get(osnc, "REMNODETID");
    const struct sim_obj *oel = sim_obj_find(node, SIM_OEL, name);
    struct lp_err err = LP_ERR_INIT;
    bool ok;

    if (name[0] == '\0')
        return sim_deny(why, "IPMS", "Input, Parameter MiSsing: OELAID");
    if (oel == NULL)
        return sim_deny(why, "SROF", "Object {OEL}={%s} is not found", name);
    if (strcmp(sim_obj_get(oel, "DSTNODENAME"), remote) != 0)
        return sim_deny(why, "SROF", "OEL %s does not end at %s", name, remote);
    ok = sim_route_parse(net, sim_obj_get(oel, "EXPLICITROUTE"), out, &err) == LP_OK;
    if (!ok)
        sim_deny(why, "SROF", "%s", err.msg);
    lp_err_clear(&err);
    return ok;
}

/* Breadth first over links with free spectrum; the order of links makes it deterministic. */
struct search {
    struct sim_link **from; /* by node index: the link it was reached through */
    struct sim_node **queue;
};

static bool
link_usable(const struct sim_link *link, const struct sim_obj *osnc, int32_t low, int32_t high)
{
    return sim_link_up(link) && sim_link_holder(link, low, high, osnc->circuit) == 0;
}

static bool
search_run(struct search *s, struct sim_node *node, const struct sim_node *goal,
           const struct sim_obj *osnc, int32_t low, int32_t high)
{
    size_t head = 0, tail = 0, i;

    s->queue[tail++] = node;
    while (head < tail) {
        struct sim_node *at = s->queue[head++];

        if (at == goal)
            return true;
        for (i = 0; i < at->link_count; i++) {
            struct sim_link *link = at->links[i];
            struct sim_node *next = link->node[link->node[0] == at ? 1 : 0];

            if (next == NULL || next == node || s->from[next->index] != NULL
                || !link_usable(link, osnc, low, high))
                continue;
            s->from[next->index] = link;
            s->queue[tail++] = next;
        }
    }
    return false;
}

static bool
search_read(const struct search *s, const struct sim_node *node, struct sim_node *goal,
            struct sim_route *out)
{
    size_t i;

    for (out->count = 0; goal != node; out->count++) {
        struct sim_link *link = s->from[goal->index];

        if (out->count == SIM_ROUTE_MAX)
            return false;
        memmove(out->link + 1, out->link, out->count * sizeof out->link[0]);
        out->link[0] = link;
        goal = link->node[link->node[0] == goal ? 1 : 0];
    }
    for (i = 0; i < out->count; i++) {
        out->side[i] = out->link[i]->node[0] == node ? 0 : 1;
        node = out->link[i]->node[1 - out->side[i]];
    }
    return true;
}

static bool
route_search(struct sim_net *net, struct sim_node *node, const struct sim_obj *osnc,
             struct sim_route *out, struct sim_denial *why)
{
    struct sim_node *goal = sim_node_find(net, sim_obj_get(osnc, "REMNODETID"));
    struct search s = {.from = calloc(net->node_count, sizeof(struct sim_link *)),
                       .queue = calloc(net->node_count + 1, sizeof(struct sim_node *))};
    int32_t low = 0, high = 0;
    bool ok = s.from != NULL && s.queue != NULL && goal != NULL
              && sim_passband(sim_obj_get(osnc, "PASSBANDLIST"), &low, &high)
              && search_run(&s, node, goal, osnc, low, high) && search_read(&s, node, goal, out);

    free(s.from);
    free(s.queue);
    if (!ok)
        return sim_deny(why, "SROF", "No route with free spectrum to %s",
                        sim_obj_get(osnc, "REMNODETID"));
    return true;
}

bool
sim_circuit_route(struct sim_net *net, struct sim_node *node, const struct sim_obj *osnc,
                  struct sim_route *out, struct sim_denial *why)
{
    out->count = 0;
    if (strcmp(sim_obj_get(osnc, "REMNODETID"), node->name) == 0)
        return true; /* both ends on one element */
    if (strcmp(sim_obj_get(osnc, "ROUTETYPE"), "DYNAMIC") == 0
        && sim_obj_get(osnc, "OELAID")[0] == '\0')
        return route_search(net, node, osnc, out, why);
    return route_of_oel(net, node, osnc, out, why);
}

/* ---- checks ---- */

/* Overlap with another channel on the same port. */
static const struct sim_obj *
port_conflict(const struct sim_node *node, const char *aid, const char *passbands, uint32_t except)
{
    char port[80], other[80];
    int32_t low, high, from, to;
    size_t i;

    if (!sim_sch_port(aid, port, sizeof port) || !sim_passband(passbands, &low, &high))
        return NULL;
    for (i = 0; i < node->objs[SIM_SCH].count; i++) {
        const struct sim_obj *sch = node->objs[SIM_SCH].at[i];

        if (strcmp(sch->aid, aid) != 0 && (except == 0 || sch->circuit != except)
            && sch->gone_us == 0 && sim_sch_port(sch->aid, other, sizeof other)
            && strcmp(port, other) == 0 && sim_passband(sim_obj_get(sch, "PROVPBLIST"), &from, &to)
            && low < to && from < high)
            return sch;
    }
    return NULL;
}

static bool
end_check(struct sim_node *node, const char *aid, const char *passbands, struct sim_denial *why)
{
    char port[80];
    const struct sim_obj *other;

    if (!sim_sch_port(aid, port, sizeof port))
        return sim_deny(why, "IIAC", "Input, Invalid ACcess identifier: %s", aid);
    if (sim_obj_find(node, SIM_SCG, port) == NULL && sim_obj_find(node, SIM_OTS, port) == NULL)
        return sim_deny(why, "SROF", "Object {SCG}={%s} is not found", port);
    if (sim_obj_find(node, SIM_SCH, aid) != NULL)
        return sim_deny(why, "SROF", "SCH %s is in use", aid);
    other = port_conflict(node, aid, passbands, 0);
    if (other != NULL)
        return sim_deny(why, "SROF", "Spectrum conflict with SCH %s", other->aid);
    return true;
}

static bool
carriers_check(const char *passbands, const char *carriers, struct sim_denial *why)
{
    int32_t low, high, centre, width;
    size_t n, p;

    for (n = 0; sim_passband_at(carriers, n, &centre, &width); n++) {
        bool inside = false;

        for (p = 0; sim_passband_at(passbands, p, &low, &high); p++)
            inside = inside || (2 * centre - width >= 2 * low && 2 * centre + width <= 2 * high);
        if (!inside)
            return sim_deny(why, "IDNC", "Carrier %d&%d is outside of the passband", centre, width);
    }
    return true;
}

/* The first passband must lie inside the route's valid range and be free on every link. */
static bool
spectrum_check(struct sim_node *node, const struct sim_obj *osnc, const struct sim_route *route,
               struct sim_denial *why)
{
    const struct sim_obj *oel = sim_obj_find(node, SIM_OEL, sim_obj_get(osnc, "OELAID"));
    const char *valid = oel == NULL ? "191325000&196125000" : sim_obj_get(oel, "VALIDFRANGELIST");
    const char *passbands = sim_obj_get(osnc, "PASSBANDLIST");
    int32_t low, high, from, to;
    size_t n, i;

    for (n = 0; sim_passband_at(passbands, n, &low, &high); n++) {
        if (strstr(valid, "&-") == NULL && sim_passband(valid, &from, &to)
            && (low < from || high > to))
            return sim_deny(why, "SROF", "Passband %d&%d is outside of the valid range of the OEL",
                            low, high);
        for (i = 0; i < route->count; i++)
            if (sim_link_holder(route->link[i], low, high, osnc->circuit) != 0)
                return sim_deny(why, "SROF", "Spectrum conflict on TE link %s-%s: %d&%d is in use",
                                route->link[i]->node[0]->name, sim_te_name(route->link[i]->port[0]),
                                low, high);
    }
    return true;
}

/* ---- parts ---- */

static struct sim_obj *
channel_add(struct sim_net *net, struct sim_node *node, struct sim_node *source, const char *aid,
            const struct sim_obj *circuit)
{
    const char *list = circuit->cls == SIM_OSNC || circuit->cls == SIM_OCRS ? "PASSBANDLIST" : "";
    struct sim_obj *sch = sim_obj_add(node, SIM_SCH, aid);

    if (sch == NULL)
        return NULL;
    sch->circuit = circuit->circuit;
    if (node != source)
        sch->visible_us = net->now_us + net->options.settle_ms * 1000;
    if (!sim_obj_set(sch, "PROVPBLIST", sim_obj_get(circuit, list))) {
        sim_obj_remove(node, sch);
        return NULL;
    }
    return sch;
}

/* A channel with the lowest free index on a port. */
static struct sim_obj *
channel_next(struct sim_net *net, struct sim_node *node, struct sim_node *source, const char *port,
             const struct sim_obj *circuit)
{
    char aid[96];
    int i;

    for (i = 1; i <= SIM_SCH_MAX; i++) {
        snprintf(aid, sizeof aid, "%.80s-%d", port, i);
        if (sim_obj_find(node, SIM_SCH, aid) == NULL)
            return channel_add(net, node, source, aid, circuit);
    }
    return NULL;
}

/* The system port on the card of a line port, when it has one: light passes it on the way to a
   tributary. */
static const struct sim_obj *
system_port(const struct sim_node *node, const struct sim_obj *line)
{
    char aid[96];
    const char *last = strrchr(line->aid, '-');

    if (last == NULL)
        return NULL;
    snprintf(aid, sizeof aid, "%.*s-S1", (int)(last - line->aid), line->aid);
    return sim_obj_find(node, SIM_SCG, aid);
}

static bool
cross_names(struct sim_obj *ocrs, const struct sim_obj *osnc)
{
    static const char *const names[] = {"LABEL", "CKTIDSUFFIX", "OELAID", "PASSBANDLIST",
                                        "CARRIERLIST"};
    bool ok = sim_obj_set(ocrs, "ACTIVEPASSBANDLIST", sim_obj_get(osnc, "PASSBANDLIST"));
    size_t i;

    for (i = 0; ok && i < LP_COUNT(names); i++)
        ok = sim_obj_set(ocrs, names[i], sim_obj_get(osnc, names[i]));
    return ok;
}

static bool
cross_add(struct sim_net *net, struct sim_node *node, struct sim_node *source, const char *from,
          const char *to, const struct sim_obj *osnc, const struct sim_obj *middle, const char *xct)
{
    char aid[200];
    struct sim_obj *ocrs;

    snprintf(aid, sizeof aid, "%.96s,%.96s", from, to);
    ocrs = sim_obj_add(node, SIM_OCRS, aid);
    if (ocrs == NULL)
        return false;
    ocrs->circuit = osnc->circuit;
    if (node != source)
        ocrs->visible_us = net->now_us + net->options.settle_ms * 1000;
    return sim_obj_set(ocrs, "SIGTYPE", "SIGNALED") && cross_names(ocrs, osnc)
           && sim_obj_set(ocrs, "XCT", xct)
           && (middle == NULL || sim_obj_set(ocrs, "INTERMEDIATESCHCTP", middle->aid));
}

/* Add/drop at one end of the way: line channel, system channel, cross-connection. */
static bool
end_connect(struct sim_net *net, struct sim_node *node, struct sim_node *source,
            const struct sim_obj *line, const char *tributary, const struct sim_obj *osnc)
{
    const struct sim_obj *system = system_port(node, line), *middle = NULL;
    const struct sim_obj *sch = channel_next(net, node, source, line->aid, osnc);

    if (sch == NULL)
        return false;
    if (system != NULL) {
        middle = channel_next(net, node, source, system->aid, osnc);
        if (middle == NULL)
            return false;
    }
    return cross_add(net, node, source, sch->aid, tributary, osnc, middle, "AddDrop");
}

static bool
way_connect(struct sim_net *net, struct sim_node *source, const struct sim_obj *osnc,
            const struct sim_route *route)
{
    const char *remote = sim_obj_get(osnc, "REMENDPOINT");
    const struct sim_link *last;
    size_t i;

    if (route->count == 0)
        return cross_add(net, source, source, osnc->aid, remote, osnc, NULL, "AddDrop");
    if (!end_connect(net, source, source, route->link[0]->port[route->side[0]], osnc->aid, osnc))
        return false;
    for (i = 0; i + 1 < route->count; i++) {
        const struct sim_link *in = route->link[i], *out = route->link[i + 1];
        struct sim_node *node = in->node[1 - route->side[i]];
        const struct sim_obj *a =
            channel_next(net, node, source, in->port[1 - route->side[i]]->aid, osnc);
        const struct sim_obj *b =
            channel_next(net, node, source, out->port[route->side[i + 1]]->aid, osnc);

        if (a == NULL || b == NULL
            || !cross_add(net, node, source, a->aid, b->aid, osnc, NULL, "Express"))
            return false;
    }
    last = route->link[i];
    return end_connect(net, last->node[1 - route->side[i]], source, last->port[1 - route->side[i]],
                       remote, osnc);
}

static bool
way_claim(const struct sim_obj *osnc, const struct sim_route *route)
{
    const char *passbands = sim_obj_get(osnc, "PASSBANDLIST");
    int32_t low, high;
    size_t n, i;

    for (n = 0; sim_passband_at(passbands, n, &low, &high); n++)
        for (i = 0; i < route->count; i++)
            if (!sim_link_claim(route->link[i], low, high, osnc->circuit))
                return false;
    return true;
}

/* ---- circuits ---- */

/* Endpoint channels follow the circuit's passband. */
static bool
ends_follow(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc,
            struct sim_denial *why)
{
    const char *passbands = sim_obj_get(osnc, "PASSBANDLIST");
    struct sim_node *remote = sim_node_find(net, sim_obj_get(osnc, "REMNODETID"));
    struct sim_node *at[2] = {node, remote};
    const char *aid[2] = {osnc->aid, sim_obj_get(osnc, "REMENDPOINT")};
    int end;

    for (end = 0; end < 2; end++) {
        struct sim_obj *sch = at[end] == NULL ? NULL : sim_obj_find(at[end], SIM_SCH, aid[end]);
        const struct sim_obj *other;

        if (at[end] == NULL)
            continue;
        other = port_conflict(at[end], aid[end], passbands, osnc->circuit);
        if (other != NULL)
            return sim_deny(why, "SROF", "Spectrum conflict with SCH %s", other->aid);
        if (sch == NULL)
            sch = channel_add(net, at[end], node, aid[end], osnc);
        if (sch == NULL || !sim_obj_set(sch, "PROVPBLIST", passbands))
            return sim_deny(why, "SSRE", "No resources for SCH %s", aid[end]);
    }
    return true;
}

bool
sim_circuit_up(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc,
               struct sim_denial *why)
{
    struct sim_route route;

    if (!sim_circuit_route(net, node, osnc, &route, why) || !spectrum_check(node, osnc, &route, why)
        || !ends_follow(net, node, osnc, why))
        return false;
    claims_release(net, osnc->circuit);
    parts_leave(net, node, osnc, false, LEAVE_NOW); /* what is left of an earlier way */
    if (!way_claim(osnc, &route) || !way_connect(net, node, osnc, &route)) {
        claims_release(net, osnc->circuit);
        parts_leave(net, node, osnc, false, LEAVE_NOW);
        return sim_deny(why, "SSRE", "System Resources Exceeded");
    }
    osnc->fault = !sim_route_up(&route);
    return true;
}

void
sim_circuit_down(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc)
{
    claims_release(net, osnc->circuit);
    parts_leave(net, node, osnc, false, LEAVE_SETTLED);
    osnc->fault = false;
}

static bool
enter_check(struct sim_net *net, struct sim_node *node, const struct sim_obj *osnc,
            struct sim_route *route, struct sim_denial *why)
{
    const char *passbands = sim_obj_get(osnc, "PASSBANDLIST");
    const char *remote = sim_obj_get(osnc, "REMNODETID");
    struct sim_node *far = sim_node_find(net, remote);

    if (far == NULL || !far->roadm)
        return sim_deny(why, "SROF", "Object {NODE}={%s} is not found", remote);
    if (passbands[0] == '\0' && sim_obj_get(osnc, "FREQSLOTLIST")[0] == '\0')
        return sim_deny(why, "IPMS", "Input, Parameter MiSsing: PASSBANDLIST");
    if (sim_obj_get(osnc, "INCLIST")[0] != '\0' || sim_obj_get(osnc, "EXCLIST")[0] != '\0'
        || strcmp(sim_obj_get(osnc, "RESTORABLE"), "NONE") != 0)
        return sim_deny(why, "EFON",
                        "Equipage, Feature Option Not provided: constrained routing "
                        "and restoration need a licence");
    return end_check(node, osnc->aid, passbands, why)
           && end_check(far, sim_obj_get(osnc, "REMENDPOINT"), passbands, why)
           && carriers_check(passbands, sim_obj_get(osnc, "CARRIERLIST"), why)
           && sim_circuit_route(net, node, osnc, route, why);
}

bool
sim_circuit_enter(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc,
                  struct sim_denial *why)
{
    struct sim_route route;

    if (!enter_check(net, node, osnc, &route, why))
        return false;
    osnc->circuit = ++net->circuits;
    if (osnc->admin == SIM_IS ? !sim_circuit_up(net, node, osnc, why)
                              : !ends_follow(net, node, osnc, why)) {
        claims_release(net, osnc->circuit);
        parts_leave(net, node, osnc, true, LEAVE_NOW);
        return false;
    }
    return true;
}

void
sim_circuit_retune(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc)
{
    size_t n, i;

    for (n = 0; n < net->node_count; n++)
        for (i = 0; i < net->nodes[n].objs[SIM_SCH].count; i++) {
            struct sim_obj *sch = net->nodes[n].objs[SIM_SCH].at[i];

            if (sch->circuit == osnc->circuit && is_end(&net->nodes[n], node, osnc, sch))
                (void)sim_obj_set(sch, "SHUTTERSTATE", NULL); /* dropping cannot fail */
        }
}

void
sim_circuit_rename(struct sim_net *net, const struct sim_obj *osnc)
{
    size_t n, i;

    for (n = 0; n < net->node_count; n++)
        for (i = 0; i < net->nodes[n].objs[SIM_OCRS].count; i++) {
            struct sim_obj *ocrs = net->nodes[n].objs[SIM_OCRS].at[i];

            if (ocrs->circuit == osnc->circuit)
                (void)cross_names(ocrs, osnc); /* what does not fit keeps its old name */
        }
}

void
sim_circuit_remove(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc)
{
    claims_release(net, osnc->circuit);
    parts_leave(net, node, osnc, true, LEAVE_SETTLED);
    sim_obj_remove(node, osnc);
}

/* ---- manual cross-connections ---- */

static struct sim_link *
line_link(const struct sim_node *node, const char *aid)
{
    char port[80];
    const struct sim_obj *ots;

    if (!sim_sch_port(aid, port, sizeof port))
        return NULL;
    ots = sim_obj_find(node, SIM_OTS, port);
    return ots == NULL ? NULL : ots->link;
}

static bool
cross_claim(struct sim_node *node, const struct sim_obj *ocrs, const char *aid,
            struct sim_denial *why)
{
    struct sim_link *link = line_link(node, aid);
    const char *passbands = sim_obj_get(ocrs, "PASSBANDLIST");
    int32_t low, high;
    size_t n;

    for (n = 0; link != NULL && sim_passband_at(passbands, n, &low, &high); n++) {
        if (sim_link_holder(link, low, high, ocrs->circuit) != 0)
            return sim_deny(why, "SROF", "Spectrum conflict on TE link %s-%s: %d&%d is in use",
                            node->name, aid, low, high);
        if (!sim_link_claim(link, low, high, ocrs->circuit))
            return sim_deny(why, "SSRE", "System Resources Exceeded");
    }
    return true;
}

static bool
cross_end(struct sim_net *net, struct sim_node *node, const struct sim_obj *ocrs, const char *aid,
          struct sim_denial *why)
{
    if (!cross_claim(node, ocrs, aid, why))
        return false;
    if (channel_add(net, node, node, aid, ocrs) == NULL)
        return sim_deny(why, "SSRE", "System Resources Exceeded");
    return true;
}

static void
cross_undo(struct sim_net *net, struct sim_node *node, uint32_t circuit)
{
    size_t i;

    claims_release(net, circuit);
    for (i = node->objs[SIM_SCH].count; i > 0; i--)
        if (node->objs[SIM_SCH].at[i - 1]->circuit == circuit)
            sim_obj_remove(node, node->objs[SIM_SCH].at[i - 1]);
}

bool
sim_cross_enter(struct sim_net *net, struct sim_node *node, struct sim_obj *ocrs,
                struct sim_denial *why)
{
    const char *passbands = sim_obj_get(ocrs, "PASSBANDLIST"), *to = strchr(ocrs->aid, ',');
    char from[96];

    if (to == NULL)
        return sim_deny(why, "IIAC", "Input, Invalid ACcess identifier: FROM,TO");
    snprintf(from, sizeof from, "%.*s", (int)(to - ocrs->aid), ocrs->aid);
    to++;
    if (strcmp(from, to) == 0)
        return sim_deny(why, "IIAC", "Input, Invalid ACcess identifier: FROM and TO are one");
    if (passbands[0] == '\0' && sim_obj_get(ocrs, "FREQSLOTLIST")[0] == '\0')
        return sim_deny(why, "IPMS", "Input, Parameter MiSsing: PASSBANDLIST");
    if (!end_check(node, from, passbands, why) || !end_check(node, to, passbands, why)
        || !carriers_check(passbands, sim_obj_get(ocrs, "CARRIERLIST"), why))
        return false;
    ocrs->circuit = ++net->circuits;
    if (!cross_end(net, node, ocrs, from, why) || !cross_end(net, node, ocrs, to, why)) {
        cross_undo(net, node, ocrs->circuit);
        return false;
    }
    if (!sim_obj_set(ocrs, "ACTIVEPASSBANDLIST", passbands)) {
        cross_undo(net, node, ocrs->circuit);
        return sim_deny(why, "SSRE", "System Resources Exceeded");
    }
    return true;
}

/* Its channels take the passband that the cross-connection has now, unless something is in the way.
 */
bool
sim_cross_retune(struct sim_net *net, struct sim_node *node, struct sim_obj *ocrs,
                 struct sim_denial *why)
{
    const char *passbands = sim_obj_get(ocrs, "PASSBANDLIST");
    int32_t low, high;
    size_t i, n;

    for (i = 0; i < node->objs[SIM_SCH].count; i++) {
        const struct sim_obj *sch = node->objs[SIM_SCH].at[i];
        const struct sim_obj *other = sch->circuit == ocrs->circuit
                                          ? port_conflict(node, sch->aid, passbands, ocrs->circuit)
                                          : NULL;
        const struct sim_link *link =
            sch->circuit == ocrs->circuit ? line_link(node, sch->aid) : NULL;

        if (other != NULL)
            return sim_deny(why, "SROF", "Spectrum conflict with SCH %s", other->aid);
        for (n = 0; link != NULL && sim_passband_at(passbands, n, &low, &high); n++)
            if (sim_link_holder(link, low, high, ocrs->circuit) != 0)
                return sim_deny(why, "SROF", "Spectrum conflict: %d&%d is in use", low, high);
    }
    claims_release(net, ocrs->circuit);
    for (i = 0; i < node->objs[SIM_SCH].count; i++) {
        struct sim_obj *sch = node->objs[SIM_SCH].at[i];

        if (sch->circuit == ocrs->circuit
            && (!sim_obj_set(sch, "PROVPBLIST", passbands)
                || !cross_claim(node, ocrs, sch->aid, why)))
            return sim_deny(why, "SSRE", "System Resources Exceeded");
    }
    return sim_obj_set(ocrs, "ACTIVEPASSBANDLIST", passbands)
           || sim_deny(why, "SSRE", "System Resources Exceeded");
}

void
sim_cross_remove(struct sim_net *net, struct sim_node *node, struct sim_obj *ocrs)
{
    cross_undo(net, node, ocrs->circuit);
    sim_obj_remove(node, ocrs);
}
