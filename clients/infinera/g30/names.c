/* Names of ports, paths and termination points. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clients/infinera/g30/g30.h"

/* ---- ports ---- */

static bool
number(const char **at, char end, unsigned *out)
{
    char *stop;
    unsigned long value;

    if (!isdigit((unsigned char)**at))
        return false;
    value = strtoul(*at, &stop, 10);
    if (*stop != end || value > 255)
        return false;
    *at = end != '\0' ? stop + 1 : stop;
    *out = (unsigned)value;
    return true;
}

bool
g30_port_parse(const char *name, struct g30_port *out)
{
    bool sub = strncmp(name, "subport-", 8) == 0;
    const char *at = name + (sub ? 8 : 5), *slash;

    *out = (struct g30_port){0};
    if ((!sub && strncmp(name, "port-", 5) != 0) || !number(&at, '/', &out->shelf))
        return false;
    slash = strchr(at, '/');
    if (slash == NULL)
        return false;
    if (memchr(at, '.', (size_t)(slash - at)) != NULL) {
        if (!number(&at, '.', &out->slot) || !number(&at, '/', &out->subslot))
            return false;
    } else if (!number(&at, '/', &out->slot)) {
        return false;
    }
    if (sub)
        return out->subslot != 0 && number(&at, '.', &out->port)
               && number(&at, '\0', &out->subport);
    return number(&at, '\0', &out->port);
}

const char *
g30_port_name(struct lp_arena *arena, const struct g30_port *port)
{
    if (port->subport != 0)
        return lp_arena_printf(arena, "subport-%u/%u.%u/%u.%u", port->shelf, port->slot,
                               port->subslot, port->port, port->subport);
    if (port->subslot != 0)
        return lp_arena_printf(arena, "port-%u/%u.%u/%u", port->shelf, port->slot, port->subslot,
                               port->port);
    return lp_arena_printf(arena, "port-%u/%u/%u", port->shelf, port->slot, port->port);
}

const char *
g30_card_path(struct lp_arena *arena, const char *name)
{
    struct g30_port port;

    if (!g30_port_parse(name, &port))
        return NULL;
    return lp_arena_printf(arena, "/data/ne:ne/shelf=%u/slot=%u/card", port.shelf, port.slot);
}

const char *
g30_card_of(struct lp_arena *arena, const char *name)
{
    struct g30_port port;

    if (!g30_port_parse(name, &port))
        return "";
    return lp_arena_printf(arena, "%u/%u", port.shelf, port.slot);
}

const char *
g30_port_path(struct lp_arena *arena, const char *name)
{
    const char *card = g30_card_path(arena, name);
    struct g30_port port;

    if (card == NULL || !g30_port_parse(name, &port))
        return NULL;
    if (port.subslot != 0)
        card = lp_arena_printf(arena, "%s/subslot=%u/subcard", card, port.subslot);
    card = lp_arena_printf(arena, "%s/port=%u", card, port.port);
    return port.subport != 0 ? lp_arena_printf(arena, "%s/subport=%u", card, port.subport) : card;
}

/* ---- termination points ---- */

static bool
predicate(const char *text, const char *key, unsigned *out)
{
    const char *at = strstr(text, key);

    if (at == NULL)
        return false;
    at += strlen(key);
    return number(&at, '\'', out);
}

bool
g30_tp_parse(const char *text, struct g30_tp *out)
{
    const char *at = strstr(text, "/port[port-id='");
    size_t len;

    *out = (struct g30_tp){0};
    if (at == NULL || !predicate(text, "/shelf[shelf-id='", &out->port.shelf)
        || !predicate(text, "/slot[slot-id='", &out->port.slot)
        || !predicate(text, "/port[port-id='", &out->port.port))
        return false;
    at = strstr(at, "']/");
    if (at == NULL)
        return false;
    at += 3;
    len = strcspn(at, "/[");
    if (len == 0 || len >= sizeof out->container)
        return false;
    (void)snprintf(out->container, sizeof out->container, "%.*s", (int)len, at);
    out->client = strncmp(out->container, "eth", 3) == 0;
    return out->client || strcmp(out->container, "och-os") == 0;
}

const char *
g30_client_tp(struct lp_arena *arena, const struct g30_port *port, const char *container,
              const char *odu_type)
{
    return lp_arena_printf(
        arena,
        "/ne:ne/shelf[shelf-id='%u']/slot[slot-id='%u']/card/port[port-id='%u']/%s/odu"
        "[odutype-L1='%s'][oduid-L1='1'][odutype-L2='unused'][oduid-L2='0'][odutype-L3='unused']"
        "[oduid-L3='0'][odutype-L4='unused'][oduid-L4='0']",
        port->shelf, port->slot, port->port, container, odu_type);
}

bool
g30_crs_of(const json_t *entry, struct g30_crs *out)
{
    struct g30_tp src, dst;

    *out = (struct g30_crs){.src = lp_json_str(entry, "src-tp", ""),
                            .dst = lp_json_str(entry, "dst-tp", ""),
                            .label = lp_json_str(entry, "service-label", "")};
    if (!g30_tp_parse(out->src, &src) || !g30_tp_parse(out->dst, &dst) || src.client == dst.client)
        return false;
    out->client = src.client ? src : dst;
    out->line = src.client ? dst : src;
    out->client_tp = src.client ? out->src : out->dst;
    out->line_tp = src.client ? out->dst : out->src;
    return true;
}

/* ---- rates ---- */

static const struct rate {
    const char *rate, *odu_type, *container, *mode;
} rates[] = {
    {"100GE", "odu4", "eth100g", "100GBE"},
    {"400GE", "oduflex", "eth400g", "400GBE"},
};

static const struct rate *
rate_find(const char *rate)
{
    for (size_t i = 0; i < LP_COUNT(rates); i++) {
        if (strcmp(rates[i].rate, rate) == 0)
            return &rates[i];
    }
    return NULL;
}

const char *
g30_odu_type(const char *rate)
{
    const struct rate *row = rate_find(rate);

    return row != NULL ? row->odu_type : NULL;
}

const char *
g30_container(const char *rate)
{
    const struct rate *row = rate_find(rate);

    return row != NULL ? row->container : NULL;
}

const char *
g30_client_mode(const char *rate)
{
    const struct rate *row = rate_find(rate);

    return row != NULL ? row->mode : NULL;
}

/* ---- free ODUs ---- */

struct odu {
    const char *tp;
    unsigned long index;
};

#define LEVELS 4

static const char *
level_text(struct lp_arena *arena, const json_t *odu, const char *what, unsigned level)
{
    const char *name = lp_arena_printf(arena, "%s-L%u", what, level);

    return name != NULL ? ir_text(arena, odu, name, NULL) : NULL;
}

/* Its instance identifier when all eight keys are there and a level is of the type. */
static bool
odu_of(struct lp_arena *arena, const struct g30_port *line, const char *container,
       const json_t *odu, const char *type, struct odu *out)
{
    const char *tp = lp_arena_printf(arena,
                                     "/ne:ne/shelf[shelf-id='%u']/slot[slot-id='%u']/card/"
                                     "port[port-id='%u']/och-os/%s/odu",
                                     line->shelf, line->slot, line->port, container);
    unsigned long ids[LEVELS + 1] = {0};
    bool matches = false;

    for (unsigned level = 1; level <= LEVELS; level++) {
        const char *name = level_text(arena, odu, "odutype", level);
        const char *id = level_text(arena, odu, "oduid", level);

        if (name == NULL || id == NULL || tp == NULL)
            return false;
        tp = lp_arena_printf(arena, "%s[odutype-L%u='%s'][oduid-L%u='%s']", tp, level, name, level,
                             id);
        ids[level] = strtoul(id, NULL, 10);
        matches |= strcasecmp(name, type) == 0;
    }
    *out = (struct odu){tp, line->port * 10000UL + ids[1] * 100 + ids[2]};
    return matches && tp != NULL;
}

static const json_t *
odus_of(const json_t *och_os, const char **container)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)och_os, name, value)
    {
        const char *colon = strchr(name, ':'), *plain = colon != NULL ? colon + 1 : name;

        if (strncmp(plain, "otu", 3) == 0 && json_is_array(ir_member(value, "odu"))) {
            *container = plain;
            return ir_member(value, "odu");
        }
    }
    return NULL;
}

const char *
g30_free_odu(struct lp_arena *arena, const struct g30_port *line, const json_t *och_os,
             const char *odu_type, const json_t *used, const char *preferred)
{
    struct odu best = {0}, one;
    const char *container = "";
    const json_t *odus = odus_of(och_os, &container);
    json_t *odu;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)odus, i, odu)
    {
        if (!odu_of(arena, line, container, odu, odu_type, &one)
            || json_object_get(used, one.tp) != NULL)
            continue;
        if (preferred != NULL && strcmp(one.tp, preferred) == 0)
            return one.tp;
        if (best.tp == NULL || one.index < best.index)
            best = one;
    }
    return best.tp;
}
