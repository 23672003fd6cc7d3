#include "sim/g30/g30.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define DARK "-99.0"

/* ---- ports ---- */

static json_t *
ne_of(const struct sim_box *box)
{
    return json_object_get(box->tree, "ne:ne");
}

void
g30_ports(const struct sim_box *box, bool (*each)(void *arg, const struct g30_where *at), void *arg)
{
    const json_t *shelves = json_object_get(ne_of(box), "shelf");
    size_t s, l, p;

    for (s = 0; s < json_array_size(shelves); s++) {
        const json_t *shelf = json_array_get(shelves, s), *slots = json_object_get(shelf, "slot");

        for (l = 0; l < json_array_size(slots); l++) {
            const json_t *slot = json_array_get(slots, l);
            struct g30_where at = {.card = json_object_get(slot, "card"),
                                   .shelf = sim_number(shelf, "shelf-id", 0),
                                   .slot = sim_number(slot, "slot-id", 0)};
            const json_t *ports = json_object_get(at.card, "port");

            for (p = 0; p < json_array_size(ports); p++) {
                at.port = json_array_get(ports, p);
                at.id = sim_number(at.port, "port-id", 0);
                if (!each(arg, &at))
                    return;
            }
        }
    }
}

void
g30_port_name(const struct g30_where *at, char buf[static 64])
{
    (void)snprintf(buf, 64, "port-%lld/%lld/%lld", (long long)at->shelf, (long long)at->slot,
                   (long long)at->id);
}

void
g30_port_path(const struct g30_where *at, char *buf, size_t size)
{
    (void)snprintf(buf, size,
                   "/ne:ne/shelf[shelf-id='%lld']/slot[slot-id='%lld']/card/port[port-id='%lld']",
                   (long long)at->shelf, (long long)at->slot, (long long)at->id);
}

bool
g30_is_line(const struct g30_where *at)
{
    return at->id >= 1 && at->id <= G30_LINES;
}

bool
g30_card_is(const struct g30_where *at, const char *type)
{
    return strcmp(lp_json_str(at->card, "required-type", ""), type) == 0;
}

struct search {
    const char *name;
    json_t *port; /* or: this one */
    struct g30_where *out;
    bool found;
};

static bool
is_wanted(void *arg, const struct g30_where *at)
{
    struct search *s = arg;
    char name[64];

    g30_port_name(at, name);
    s->found = s->port != NULL ? at->port == s->port : strcmp(name, s->name) == 0;
    if (s->found)
        *s->out = *at;
    return !s->found;
}

static bool
port_find(const struct sim_box *box, const char *name, json_t *port, struct g30_where *out)
{
    struct search s = {.name = name, .port = port, .out = out};

    g30_ports(box, is_wanted, &s);
    return s.found;
}

/* ---- modes ---- */

static const char chm1_modes[] = "not-applicable|QPSK_100G|16QAM_200G|8QAM_300G";
static const char chm2t_only[] = "8QAM_300G"; /* what a CHM2T lacks of the whole list */

int64_t
g30_mode_rate(const char *mode)
{
    const char *end = strrchr(mode, 'G'), *at;

    if (end == NULL)
        return 0;
    for (at = end; at > mode && at[-1] >= '0' && at[-1] <= '9'; at--)
        continue;
    return at == end ? 0 : strtoll(at, NULL, 10);
}

bool
g30_mode_coupled(const char *mode)
{
    size_t len = strlen(mode);

    return len > 2 && strcmp(mode + len - 2, "_C") == 0;
}

static bool
listed(const char *words, const char *word)
{
    const char *at = strstr(words, word);
    size_t len = strlen(word);

    for (; at != NULL; at = strstr(at + 1, word))
        if ((at == words || at[-1] == '|') && (at[len] == '|' || at[len] == '\0'))
            return true;
    return false;
}

bool
g30_mode_fits(const struct g30_where *at, const char *mode)
{
    bool client = strcmp(mode, "100GBE") == 0 || strcmp(mode, "400GBE") == 0;

    if (strcmp(mode, "not-applicable") == 0)
        return true;
    if (!g30_is_line(at))
        return client && (strcmp(mode, "400GBE") != 0 || g30_card_is(at, "CHM2T"));
    if (client)
        return false;
    return g30_card_is(at, "CHM1") ? listed(chm1_modes, mode) : !listed(chm2t_only, mode);
}

/* ---- cross-connections ---- */

/* A termination point of a cross-connection: an ODU under a port. */
struct point {
    struct g30_where at;
    const char *container, *type; /* type: of the ODU itself */
    int64_t index;
    bool line;
};

struct point_search {
    const char *text;
    struct point *out;
    bool found;
};

static void
odu_text(const json_t *odu, const char *base, const char *container, char *buf, size_t size)
{
    char ids[4][24];
    int n;

    for (n = 0; n < 4; n++) {
        char name[16];

        (void)snprintf(name, sizeof name, "oduid-L%d", n + 1);
        (void)sim_text(odu, name, ids[n]);
    }
    (void)snprintf(buf, size,
                   "%s/%s/odu[odutype-L1='%s'][oduid-L1='%s'][odutype-L2='%s'][oduid-L2='%s']"
                   "[odutype-L3='%s'][oduid-L3='%s'][odutype-L4='%s'][oduid-L4='%s']",
                   base, container, lp_json_str(odu, "odutype-L1", ""), ids[0],
                   lp_json_str(odu, "odutype-L2", ""), ids[1], lp_json_str(odu, "odutype-L3", ""),
                   ids[2], lp_json_str(odu, "odutype-L4", ""), ids[3]);
}

static bool
odus_search(struct point_search *s, const struct g30_where *at, const json_t *facility,
            const char *base, const char *container, bool line)
{
    const json_t *odus = json_object_get(facility, "odu");
    char text[1024];
    size_t i;

    for (i = 0; i < json_array_size(odus); i++) {
        const json_t *odu = json_array_get(odus, i);

        odu_text(odu, base, container, text, sizeof text);
        if (strcmp(text, s->text) != 0)
            continue;
        *s->out = (struct point){.at = *at, .line = line};
        s->out->type = lp_json_str(
            odu, line && strcmp(container, "och-os/otu4") != 0 ? "odutype-L2" : "odutype-L1", "");
        s->out->index = sim_number(odu, "oduid-L2", 0);
        return true;
    }
    return false;
}

static bool
point_at(void *arg, const struct g30_where *at)
{
    static const char *const eths[] = {"eth100g", "eth400g"};
    struct point_search *s = arg;
    const json_t *och = json_object_get(at->port, "och-os");
    char base[160], container[40];
    size_t i;

    g30_port_path(at, base, sizeof base);
    if (strncmp(s->text, base, strlen(base)) != 0 || s->text[strlen(base)] != '/')
        return true;
    for (i = 0; !s->found && i < LP_COUNT(eths); i++)
        s->found = odus_search(s, at, json_object_get(at->port, eths[i]), base, eths[i], false);
    for (i = 0; !s->found && i < G30_OTUS; i++) {
        (void)snprintf(container, sizeof container, "och-os/%s", g30_otu[i].name);
        s->found = odus_search(s, at, json_object_get(och, g30_otu[i].name), base, container, true);
    }
    return !s->found;
}

static bool
point_find(const struct sim_box *box, const char *text, struct point *out)
{
    struct point_search s = {.text = text, .out = out};

    g30_ports(box, point_at, &s);
    return s.found;
}

static json_t *
crs_list(const struct sim_box *box)
{
    return json_object_get(json_object_get(ne_of(box), "services"), "CRS");
}

/* How many 100G of a line are used by cross-connections; is the point in one of them? */
static int64_t
line_used(const struct sim_box *box, const struct point *line, const char *point, bool *taken)
{
    const json_t *list = crs_list(box);
    static const char *const ends[] = {"src-tp", "dst-tp"};
    int64_t used = 0;
    size_t i, e;

    for (i = 0; i < json_array_size(list); i++)
        for (e = 0; e < LP_COUNT(ends); e++) {
            const char *text = lp_json_str(json_array_get(list, i), ends[e], "");
            struct point found;

            if (strcmp(text, point) == 0)
                *taken = true;
            if (line != NULL && point_find(box, text, &found) && found.line
                && found.at.port == line->at.port)
                used += strcmp(found.type, "oduflex") == 0 ? 4 : 1;
        }
    return used;
}

static bool
crs_check(struct sim_box *box, const char *src, const char *dst, struct sim_why *why)
{
    struct point a, b, *line = &a, *client = &b;
    bool taken = false;
    int64_t used, wanted, rate;

    if (!point_find(box, src, &a) || !point_find(box, dst, &b))
        return sim_refuse(why, 400, "invalid-value", "there is no termination point %.180s",
                          point_find(box, src, &a) ? dst : src);
    if (a.line == b.line)
        return sim_refuse(why, 400, "invalid-value", "a line and a client must be connected");
    if (b.line) {
        line = &b;
        client = &a;
    }
    if (line->at.card != client->at.card)
        return sim_refuse(why, 409, "operation-failed", "both ends must stand on one card");
    if (strcmp(line->type, client->type) != 0)
        return sim_refuse(why, 409, "operation-failed", "%s cannot carry %s", line->type,
                          client->type);
    (void)line_used(box, NULL, client == &a ? src : dst, &taken);
    used = line_used(box, line, line == &a ? src : dst, &taken);
    if (taken)
        return sim_refuse(why, 409, "in-use", "the termination point has a cross-connection");
    wanted = strcmp(line->type, "oduflex") == 0 ? 4 : 1;
    rate = g30_mode_rate(lp_json_str(line->at.port, "port-mode", ""));
    if ((used + wanted) * 100 > rate)
        return sim_refuse(why, 409, "resource-denied", "the line has no room left");
    return true;
}

static bool
crs_create(void *arg, const struct sim_at *chain, size_t count, const struct sim_schema *schema,
           json_t *object, struct sim_why *why)
{
    struct sim_box *box = arg;
    struct point point;

    (void)chain;
    (void)count;
    if (schema->tag != G30_CRS)
        return sim_refuse(why, 405, "operation-not-supported", "%s cannot be made", schema->name);
    if (point_find(box, lp_json_str(object, "src-tp", ""), &point)
        && g30_card_is(&point.at, "CHM1"))
        return sim_refuse(why, 409, "operation-failed", "cross-connections of a CHM1 are fixed");
    return crs_check(box, lp_json_str(object, "src-tp", ""), lp_json_str(object, "dst-tp", ""),
                     why);
}

static bool
crs_remove(void *arg, const struct sim_at *chain, size_t count, struct sim_why *why)
{
    struct sim_box *box = arg;
    struct point point;

    if (point_find(box, lp_json_str(chain[count - 1].object, "src-tp", ""), &point)
        && g30_card_is(&point.at, "CHM1"))
        return sim_refuse(why, 409, "operation-failed", "cross-connections of a CHM1 are fixed");
    return true;
}

/* Is there a cross-connection over this port that somebody made? */
static bool
port_connected(const struct sim_box *box, const struct g30_where *at)
{
    const json_t *list = crs_list(box);
    char base[160];
    size_t i, len;

    if (g30_card_is(at, "CHM1"))
        return false;
    g30_port_path(at, base, sizeof base);
    len = strlen(base);
    for (i = 0; i < json_array_size(list); i++) {
        const char *src = lp_json_str(json_array_get(list, i), "src-tp", "");
        const char *dst = lp_json_str(json_array_get(list, i), "dst-tp", "");

        if ((strncmp(src, base, len) == 0 && src[len] == '/')
            || (strncmp(dst, base, len) == 0 && dst[len] == '/'))
            return true;
    }
    return false;
}

/* ---- rules ---- */

static bool
mode_rule(const struct sim_box *box, const struct g30_where *at, const char *mode,
          struct sim_why *why)
{
    const char *old = lp_json_str(at->port, "port-mode", "");

    if (strcmp(old, mode) == 0)
        return true;
    if (!g30_mode_fits(at, mode))
        return sim_refuse(why, 400, "invalid-value", "port-mode %s is not for port %lld of a %s",
                          mode, (long long)at->id, lp_json_str(at->card, "required-type", ""));
    if (strcmp(lp_json_str(at->port, "admin-status", ""), "down") != 0)
        return sim_refuse(why, 409, "operation-failed",
                          "port-mode may change only while the port is down");
    if (port_connected(box, at))
        return sim_refuse(why, 409, "operation-failed", "the port has a cross-connection");
    if (at->id == 2 && (g30_mode_coupled(mode) || g30_mode_coupled(old)))
        return sim_refuse(why, 409, "operation-failed",
                          "a coupled mode is set at the lower port of the pair");
    return true;
}

static bool
g30_rule(void *arg, const struct sim_at *chain, size_t count, json_t *changes, struct sim_why *why)
{
    struct sim_box *box = arg;
    const struct sim_at *at = &chain[count - 1];
    const char *mode = lp_json_str(changes, "port-mode", NULL);
    const char *alias = lp_json_str(changes, "alias-name", NULL);
    struct g30_where where;
    int64_t frequency;

    if (alias != NULL && strchr(alias, '\n') != NULL)
        return sim_refuse(why, 400, "invalid-value", "alias-name holds a line break");
    if (at->schema->tag == G30_PORT && mode != NULL && port_find(box, NULL, at->object, &where))
        return mode_rule(box, &where, mode, why);
    if (at->schema->tag == G30_OCH) {
        frequency = sim_number(changes, "frequency", 0);
        if (frequency != 0 && (frequency < 191150000 || frequency % 50 != 0))
            return sim_refuse(why, 400, "invalid-value", "frequency %lld cannot be tuned",
                              (long long)frequency);
    }
    if (at->schema->tag == G30_CARD && json_object_get(changes, "required-type") != NULL
        && strcmp(lp_json_str(changes, "required-type", ""),
                  lp_json_str(at->object, "required-type", ""))
               != 0)
        return sim_refuse(why, 409, "operation-failed", "the card is another one");
    return true;
}

/* ---- what follows from a mode ---- */

static json_t *
odu_new(const char *type1, int64_t id1, const char *type2, int64_t id2)
{
    return json_pack("{s:s,s:I,s:s,s:I,s:s,s:I,s:s,s:I}", "odutype-L1", type1, "oduid-L1",
                     (json_int_t)id1, "odutype-L2", type2, "oduid-L2", (json_int_t)id2,
                     "odutype-L3", "unused", "oduid-L3", (json_int_t)0, "odutype-L4", "unused",
                     "oduid-L4", (json_int_t)0);
}

/* The digital structure under a line: ODU4 for each 100G, ODUflex for each 400G. */
static void
otu_build(json_t *och, int64_t rate)
{
    int64_t n = (rate + 99) / 100, i;
    const struct sim_schema *schema = &g30_otu[n <= 1 ? 0 : n > 11 ? 10 : n - 1];
    json_t *otu = sim_object_new(schema), *odus = json_array();
    char type[32];

    (void)snprintf(type, sizeof type, "oduc%lld", (long long)n);
    if (n == 1)
        (void)json_array_append_new(odus, odu_new("odu4", 1, "unused", 0));
    for (i = 1; n > 1 && i <= rate / 100; i++)
        (void)json_array_append_new(odus, odu_new(type, 1, "odu4", i));
    for (i = 1; n > 1 && i <= rate / 400; i++)
        (void)json_array_append_new(odus, odu_new(type, 1, "oduflex", i));
    (void)json_object_set_new(otu, "odu", odus);
    (void)json_object_set_new(och, schema->name, otu);
}

/* "SP16QAM_16QAM_300G" to "DP-SP16QAM-16QAM". */
static void
modulation_of(const char *mode, char *buf, size_t size)
{
    size_t i, n = strlen(mode);

    if (g30_mode_coupled(mode))
        n -= 2;
    while (n > 0 && mode[n] != '_')
        n--;
    (void)snprintf(buf, size, "DP-%.*s", (int)n, mode);
    for (i = 0; buf[i] != '\0'; i++)
        if (buf[i] == '_')
            buf[i] = '-';
}

static const char *
fec_of(const struct g30_where *at, const char *mode)
{
    if (g30_card_is(at, "CHM1"))
        return "SDFEC25ND";
    return strcmp(mode, "16QAM_200G") == 0 ? "SDFEC15ND2" : "SDFEC27ND";
}

static void
line_follow(const struct g30_where *at)
{
    json_t *och = json_object_get(at->port, "och-os");
    const char *mode = lp_json_str(at->port, "port-mode", "");
    char modulation[64] = "not-applicable", class[24] = "not-applicable";
    int64_t rate = g30_mode_rate(mode);
    size_t i;

    if (rate > 0) {
        bool half = g30_mode_coupled(mode) || strcmp(mode, "8QAM_300G") == 0;

        modulation_of(mode, modulation, sizeof modulation);
        (void)snprintf(class, sizeof class, "%lldG", (long long)(half ? rate / 2 : rate));
    }
    if (strcmp(lp_json_str(och, "built-for", ""), mode) == 0)
        return;
    (void)lp_json_set_str(och, "built-for", mode); /* no leaf: never shown */
    (void)lp_json_set_str(och, "modulation-format", modulation);
    (void)lp_json_set_str(och, "rate-class", class);
    (void)lp_json_set_str(och, "fec-type", rate > 0 ? fec_of(at, mode) : "not-applicable");
    for (i = 0; i < G30_OTUS; i++)
        (void)json_object_del(och, g30_otu[i].name);
    if (rate > 0 && !(g30_mode_coupled(mode) && at->id == 2))
        otu_build(och, rate);
}

static void
client_follow(const struct g30_where *at)
{
    const char *mode = lp_json_str(at->port, "port-mode", "");
    const struct sim_schema *wanted = strcmp(mode, "100GBE") == 0   ? &g30_eth100g
                                      : strcmp(mode, "400GBE") == 0 ? &g30_eth400g
                                                                    : NULL;
    static const struct sim_schema *const all[] = {&g30_eth100g, &g30_eth400g};
    json_t *eth;
    size_t i;

    for (i = 0; i < LP_COUNT(all); i++)
        if (all[i] != wanted)
            (void)json_object_del(at->port, all[i]->name);
    if (wanted == NULL || json_object_get(at->port, wanted->name) != NULL)
        return;
    eth = sim_object_new(wanted);
    (void)json_object_set_new(
        eth, "odu",
        json_pack("[o]", odu_new(wanted == &g30_eth400g ? "oduflex" : "odu4", 1, "unused", 0)));
    (void)json_object_set_new(at->port, wanted->name, eth);
}

/* The upper port of a pair follows the coupled mode of the lower one. */
static void
pair_follow(const struct sim_box *box, const struct g30_where *upper)
{
    struct g30_where lower = *upper;
    char name[64];
    const char *mode;

    lower.id = 1;
    g30_port_name(&lower, name);
    if (!port_find(box, name, NULL, &lower))
        return;
    mode = lp_json_str(lower.port, "port-mode", "");
    if (g30_mode_coupled(mode))
        (void)lp_json_set_str(upper->port, "port-mode", mode);
    else if (g30_mode_coupled(lp_json_str(upper->port, "port-mode", "")))
        (void)lp_json_set_str(upper->port, "port-mode", "not-applicable");
}

static bool
follow(void *arg, const struct g30_where *at)
{
    if (at->id == 2)
        pair_follow(arg, at);
    if (g30_is_line(at))
        line_follow(at);
    else
        client_follow(at);
    return true;
}

/* ---- CHM1: its cross-connections come with the modes ---- */

static const struct {
    int64_t client, line, odu;
} chm1_map[] = {{3, 1, 1}, {4, 1, 2}, {5, 2, 1}, {6, 2, 2}, {7, 1, 3}, {8, 2, 3}};

static const json_t *
line_odu(const struct g30_where *line, int64_t n, const char **container)
{
    const json_t *och = json_object_get(line->port, "och-os"), *odus;
    size_t i;

    for (i = 0; i < G30_OTUS; i++) {
        odus = json_object_get(json_object_get(och, g30_otu[i].name), "odu");
        *container = g30_otu[i].name;
        if (odus != NULL)
            return json_array_get(odus, (size_t)n - 1);
    }
    return NULL;
}

static void
chm1_fix(const struct sim_box *box, const struct g30_where *client, size_t row)
{
    struct g30_where line = *client;
    json_t *services = json_object_get(ne_of(box), "services"), *list, *found = NULL;
    const char *container = "", *keys[2];
    char base[160], path[64], src[1024], dst[1024], name[64];
    const json_t *odu, *eth = json_object_get(client->port, "eth100g");
    size_t i;

    line.id = chm1_map[row].line;
    g30_port_name(&line, name);
    if (!port_find(box, name, NULL, &line))
        return;
    odu = line_odu(&line, chm1_map[row].odu, &container);
    if (odu == NULL || eth == NULL)
        return;
    g30_port_path(&line, base, sizeof base);
    (void)snprintf(path, sizeof path, "och-os/%s", container);
    odu_text(odu, base, path, src, sizeof src);
    g30_port_path(client, base, sizeof base);
    odu_text(json_array_get(json_object_get(eth, "odu"), 0), base, "eth100g", dst, sizeof dst);
    keys[0] = src;
    keys[1] = dst;
    found = sim_entry_find(&g30_crs, services, keys);
    list = json_object_get(services, "CRS");
    if (found != NULL)
        return;
    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(services, "CRS", list);
    }
    i = json_array_size(list);
    (void)json_array_insert_new(
        list, i, json_pack("{s:s,s:s,s:s}", "src-tp", src, "dst-tp", dst, "service-label", ""));
}

static bool
chm1_follow(void *arg, const struct g30_where *at)
{
    size_t i;

    for (i = 0; g30_card_is(at, "CHM1") && i < LP_COUNT(chm1_map); i++)
        if (chm1_map[i].client == at->id)
            chm1_fix(arg, at, i);
    return true;
}

/* Cross-connections whose ends are gone go too. */
static void
crs_prune(const struct sim_box *box)
{
    json_t *list = crs_list(box);
    struct point point;
    size_t i;

    for (i = json_array_size(list); i > 0; i--) {
        const json_t *crs = json_array_get(list, i - 1);

        if (!point_find(box, lp_json_str(crs, "src-tp", ""), &point)
            || !point_find(box, lp_json_str(crs, "dst-tp", ""), &point))
            (void)json_array_remove(list, i - 1);
    }
}

/* ---- light ---- */

static bool
g30_line(const struct sim_box *box, const char *port)
{
    struct g30_where at;

    return port_find(box, port, NULL, &at) && g30_is_line(&at);
}

static bool
emits(const struct g30_where *at)
{
    const json_t *och = json_object_get(at->port, "och-os");

    return g30_is_line(at) && g30_mode_rate(lp_json_str(at->port, "port-mode", "")) > 0
           && strcmp(lp_json_str(at->port, "admin-status", ""), "down") != 0
           && strcmp(lp_json_str(och, "admin-status", ""), "down") != 0
           && strcmp(lp_json_str(och, "laser-enable", ""), "enabled") == 0
           && sim_number(och, "frequency", 0) > 0
           && strcmp(lp_json_str(at->card, "oper-status", ""), "up") == 0;
}

static bool
g30_sends(const struct sim_box *box, const char *port, struct sim_carrier *out)
{
    struct g30_where at;
    const json_t *och;
    int64_t power = 0;

    if (!port_find(box, port, NULL, &at) || !emits(&at))
        return false;
    och = json_object_get(at.port, "och-os");
    (void)sim_decimal(lp_json_str(och, "required-tx-optical-power", "0.0"), &power);
    out->center_mhz = (int32_t)sim_number(och, "frequency", 0);
    out->cdbm = (int32_t)power + sim_line_offset(box, port);
    (void)snprintf(out->mode, sizeof out->mode, "%s", lp_json_str(at.port, "port-mode", ""));
    return true;
}

static int32_t
g30_listens(const struct sim_box *box, const char *port)
{
    struct g30_where at;

    return port_find(box, port, NULL, &at)
               ? (int32_t)sim_number(json_object_get(at.port, "och-os"), "rx-frequency", 0)
               : 0;
}

/* ---- readings and alarms ---- */

struct reading {
    struct sim_net *net;
    struct sim_box *box;
    json_t *conditions;
};

static void
condition_add(struct reading *r, const char *entity, const char *type, const char *text)
{
    char when[32];

    sim_box_clock(r->net, r->box, when);
    (void)json_array_append_new(
        r->conditions, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "fm-entity", entity,
                                 "condition-type", type, "direction", "ingress", "location",
                                 "near-end", "severity-level", "critical", "condition-description",
                                 text, "service-affecting", "SA", "occurrence-date-time", when));
}

static void
set_power(json_t *object, const char *name, int64_t cdbm)
{
    char text[24];

    sim_decimal_text(cdbm, 1, text);
    (void)lp_json_set_str(object, name, cdbm <= SIM_DARK_CDBM ? DARK : text);
}

static void
line_quality(struct reading *r, json_t *och, const char *name, bool good)
{
    char text[24];
    int32_t noise = sim_box_noise(r->net, r->box, name, 8);

    sim_decimal_text(good ? 890 + noise : 0, 1, text);
    (void)lp_json_set_str(och, "Q-factor", text);
    sim_decimal_text(good ? 2210 + 2 * noise : 0, 1, text);
    (void)lp_json_set_str(och, "OSNR", text);
    (void)lp_json_set_str(och, "CD", good ? "2512" : "0");
    (void)lp_json_set_str(och, "oper-status", good ? "up" : "down");
    (void)lp_json_set_str(och, "avail-status", good ? "" : "failed");
}

static void
line_read(struct reading *r, const struct g30_where *at)
{
    json_t *och = json_object_get(at->port, "och-os");
    const char *mode = lp_json_str(at->port, "port-mode", "");
    const char *admin = lp_json_str(at->port, "admin-status", "");
    struct sim_arrival in;
    struct sim_carrier out;
    char name[64], entity[200];
    bool lit, clear, good;

    g30_port_name(at, name);
    lit = g30_sends(r->box, name, &out);
    sim_line_arrival(r->net, r->box, name, &in);
    clear = in.cdbm > SIM_DARK_CDBM;
    good = clear && g30_mode_rate(mode) > 0 && strcmp(admin, "down") != 0
           && (!in.known || strcmp(in.far.mode, mode) == 0);
    set_power(och, "actual-tx-optical-power",
              lit ? out.cdbm + sim_box_noise(r->net, r->box, name, 4) : SIM_DARK_CDBM);
    set_power(och, "rx-optical-power", in.cdbm);
    (void)json_object_set(at->port, "tx-optical-power",
                          json_object_get(och, "actual-tx-optical-power"));
    (void)json_object_set(at->port, "rx-optical-power", json_object_get(och, "rx-optical-power"));
    (void)lp_json_set_int(och, "actual-frequency", lit ? out.center_mhz : 0);
    line_quality(r, och, name, good);
    (void)lp_json_set_str(at->port, "oper-status", good ? "up" : "down");
    if (strcmp(admin, "up") != 0 || g30_mode_rate(mode) == 0)
        return;
    g30_port_path(at, entity, sizeof entity - 8);
    (void)snprintf(entity + strlen(entity), 8, "/och-os");
    if (!clear)
        condition_add(r, entity, "LOS", "Loss of signal");
    else if (!good)
        condition_add(r, entity, "LOF", "Loss of frame");
}

static bool
port_read(void *arg, const struct g30_where *at)
{
    struct reading *r = arg;
    const char *mode = lp_json_str(at->port, "port-mode", "");
    bool up = strcmp(lp_json_str(at->port, "admin-status", ""), "down") != 0
              && strcmp(mode, "not-applicable") != 0;
    json_t *eth;

    if (g30_is_line(at)) {
        line_read(r, at);
        return true;
    }
    (void)lp_json_set_str(at->port, "oper-status", up ? "up" : "down");
    set_power(at->port, "rx-optical-power", up ? -60 : SIM_DARK_CDBM);
    set_power(at->port, "tx-optical-power", up ? 120 : SIM_DARK_CDBM);
    eth = json_object_get(at->port, strcmp(mode, "400GBE") == 0 ? "eth400g" : "eth100g");
    if (eth != NULL)
        (void)lp_json_set_str(eth, "oper-status", up ? "up" : "down");
    return true;
}

static void
software_show(const struct sim_box *box)
{
    const json_t *software = g30_software(box);
    const char *inactive = lp_json_str(software, "inactive", "");
    json_t *list = json_array();

    (void)json_array_append_new(list,
                                json_pack("{s:s,s:s}", "swload-state", "Active", "swload-version",
                                          lp_json_str(software, "active", "")));
    if (inactive[0] != '\0')
        (void)json_array_append_new(
            list, json_pack("{s:s,s:s}", "swload-state", "Inactive", "swload-version", inactive));
    (void)json_object_set_new(
        json_object_get(json_object_get(ne_of(box), "system"), "sw-management"), "softwareload",
        list);
}

static void
cards_revive(struct sim_net *net, struct sim_box *box)
{
    json_t *waiting = json_object_get(box->extra, "cards"), *until;
    const json_t *shelves = json_object_get(ne_of(box), "shelf"), *slots;
    const char *name;
    char key[48];
    void *next;
    size_t s, l;

    json_object_foreach_safe(waiting, next, name, until)
    {
        if (json_integer_value(until) > net->now_us)
            continue;
        for (s = 0; s < json_array_size(shelves); s++) {
            slots = json_object_get(json_array_get(shelves, s), "slot");
            for (l = 0; l < json_array_size(slots); l++) {
                (void)snprintf(key, sizeof key, "%lld/%lld",
                               (long long)sim_number(json_array_get(shelves, s), "shelf-id", 0),
                               (long long)sim_number(json_array_get(slots, l), "slot-id", 0));
                if (strcmp(key, name) == 0)
                    (void)lp_json_set_str(json_object_get(json_array_get(slots, l), "card"),
                                          "oper-status", "up");
            }
        }
        (void)json_object_del(waiting, name);
    }
}

static void
g30_settle(struct sim_net *net, struct sim_box *box)
{
    struct reading r = {.net = net, .box = box, .conditions = json_array()};

    if (box->settle_us <= net->now_us) {
        box->settle_us = 0;
        g30_ports(box, follow, box);
        g30_ports(box, chm1_follow, box);
        crs_prune(box);
    }
    cards_revive(net, box);
    g30_ports(box, port_read, &r);
    (void)json_array_extend(r.conditions, box->planted);
    (void)json_object_set_new(json_object_get(ne_of(box), "fault"), "standing-condition",
                              r.conditions);
    software_show(box);
}

/* ---- what a topology says ---- */

static json_t *
port_new(int64_t shelf, int64_t slot, int64_t id, const char *type)
{
    json_t *port = sim_object_new(&g30_port);
    struct g30_where at = {.shelf = shelf, .slot = slot, .id = id};
    char name[64];

    g30_port_name(&at, name);
    (void)lp_json_set_int(port, "port-id", id);
    (void)lp_json_set_str(port, "port-name", name);
    (void)lp_json_set_str(port, "alias-name", name);
    (void)lp_json_set_str(port, "port-type", g30_is_line(&at) ? "line" : "client");
    (void)lp_json_set_str(port, "actual-pluggable-type",
                          g30_is_line(&at)             ? ""
                          : strcmp(type, "CHM2T") == 0 ? "QSFP-DD"
                                                       : "QSFP28");
    (void)json_object_set_new(port, "pluggable", sim_object_new(&g30_pluggable));
    if (g30_is_line(&at))
        (void)json_object_set_new(port, "och-os", sim_object_new(&g30_och));
    return port;
}

static json_t *
subcard_port(int64_t shelf, int64_t slot, int64_t sub, int64_t subports)
{
    json_t *port = sim_object_new(&g30_subcard_port), *list = json_array();
    char name[80];
    int64_t i;

    (void)snprintf(name, sizeof name, "port-%lld/%lld.%lld/1", (long long)shelf, (long long)slot,
                   (long long)sub);
    (void)lp_json_set_int(port, "port-id", 1);
    (void)lp_json_set_str(port, "port-name", name);
    (void)lp_json_set_str(port, "alias-name", name);
    for (i = 1; i <= subports; i++) {
        json_t *subport = sim_object_new(&g30_subport);

        (void)snprintf(name, sizeof name, "subport-%lld/%lld.%lld/1.%lld", (long long)shelf,
                       (long long)slot, (long long)sub, (long long)i);
        (void)lp_json_set_int(subport, "subport-id", i);
        (void)lp_json_set_str(subport, "alias-name", name);
        (void)json_array_append_new(list, subport);
    }
    if (subports > 0)
        (void)json_object_set_new(port, "subport", list);
    else
        json_decref(list);
    return port;
}

/* A multiplexer, a booster and a pre-amplifier: the line is at the last one. */
static void
occ2_fill(json_t *card, json_t *ne, int64_t shelf, int64_t slot)
{
    static const char *const types[] = {"OMD48", "BAU", "PAU"};
    static const char *const amplifiers[] = {NULL, "ba", "pa"};
    json_t *subslots = json_array(),
           *ots = json_object_get(json_object_get(ne, "services"), "optical-interfaces");
    json_t *list = json_object_get(ots, "ots");
    char name[64];
    int64_t n;

    for (n = 1; n <= 3; n++) {
        json_t *subcard = sim_object_new(&g30_subcard);

        (void)lp_json_set_str(subcard, "required-type", types[n - 1]);
        (void)json_object_set_new(subcard, "port",
                                  json_pack("[o]", subcard_port(shelf, slot, n, n == 1 ? 8 : 0)));
        if (amplifiers[n - 1] != NULL) {
            json_t *amplifier = sim_object_new(&g30_amplifier);

            (void)lp_json_set_str(amplifier, "amplifier-name", amplifiers[n - 1]);
            (void)json_object_set_new(subcard, "amplifier", json_pack("[o]", amplifier));
        }
        (void)json_array_append_new(
            subslots, json_pack("{s:I,s:o}", "subslot-id", (json_int_t)n, "subcard", subcard));
    }
    (void)json_object_set_new(card, "subslot", subslots);
    (void)snprintf(name, sizeof name, "ots-%lld/%lld.3/1", (long long)shelf, (long long)slot);
    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(ots, "ots", list);
    }
    (void)json_array_append_new(list,
                                json_pack("{s:s,s:s}", "ots-name", name, "admin-status", "up"));
}

static json_t *
shelf_of(json_t *ne, int64_t id)
{
    json_t *list = json_object_get(ne, "shelf"), *shelf;
    size_t i;

    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(ne, "shelf", list);
    }
    for (i = 0; i < json_array_size(list); i++)
        if (sim_number(json_array_get(list, i), "shelf-id", 0) == id)
            return json_array_get(list, i);
    shelf = sim_object_new(&g30_shelf);
    (void)lp_json_set_int(shelf, "shelf-id", id);
    (void)json_object_set_new(shelf, "slot", json_array());
    (void)json_array_append_new(list, shelf);
    return shelf;
}

static void
inventory_add(struct sim_box *box, json_t *ne, const char *type, const char *module, int64_t shelf,
              int64_t slot, const char *serial)
{
    json_t *data = json_object_get(ne, "inventory-data"),
           *list = json_object_get(data, "inventory");
    json_t *row = json_pack("{s:s,s:s,s:I,s:s,s:s,s:s}", "equipment-type", type, "module-type",
                            module, "shelf-id", (json_int_t)shelf, "serial-number", serial,
                            "part-number", "81.71T-GROOVE-R6", "vendor", "Infinera");

    (void)box;
    if (slot > 0)
        (void)json_object_set_new(row, "slot-id", json_integer(slot));
    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(data, "inventory", list);
    }
    (void)json_array_append_new(list, row);
}

static enum lp_code
card_load(struct sim_net *net, struct sim_box *box, json_t *ne, const json_t *doc,
          struct lp_err *err)
{
    static const char *const members[] = {"shelf", "slot", "type", "serial"};
    const char *type = "CHM2T", *serial;
    int64_t shelf = 1, slot = 0, id;
    char made[32], key[24];
    json_t *card, *ports = json_array();
    enum lp_code rc = lp_json_only(doc, members, LP_COUNT(members), err);

    if (rc == LP_OK)
        rc = lp_json_opt_int(doc, "shelf", &shelf, err);
    if (rc == LP_OK)
        rc = lp_json_get_int(doc, "slot", &slot, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "type", &type, err);
    if (rc == LP_OK
        && (shelf < 1 || shelf > 20 || slot < 1 || slot > 4 || !listed("CHM1|CHM2T|OCC2", type)))
        rc = lp_fail(err, LP_INVALID,
                     "a card stands in shelf 1 to 20, slot 1 to 4, and is a CHM1, "
                     "CHM2T or OCC2");
    (void)snprintf(key, sizeof key, "%lld/%lld", (long long)shelf, (long long)slot);
    (void)snprintf(made, sizeof made, "RO%08llu",
                   (unsigned long long)(sim_hash((uint64_t)net->options.seed, box->name, key, 2)
                                        % 100000000u));
    serial = made;
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "serial", &serial, err);
    if (rc != LP_OK) {
        json_decref(ports);
        return rc;
    }
    card = sim_object_new(&g30_card);
    (void)lp_json_set_str(card, "required-type", type);
    (void)lp_json_set_str(card, "actual-type", type);
    (void)lp_json_set_str(card, "serial-number", serial);
    for (id = 1; strcmp(type, "OCC2") != 0 && id <= 12; id++)
        (void)json_array_append_new(ports, port_new(shelf, slot, id, type));
    if (json_array_size(ports) > 0)
        (void)json_object_set(card, "port", ports);
    else
        occ2_fill(card, ne, shelf, slot);
    json_decref(ports);
    (void)json_array_append_new(json_object_get(shelf_of(ne, shelf), "slot"),
                                json_pack("{s:I,s:s,s:o}", "slot-id", (json_int_t)slot,
                                          "admin-status", "up", "card", card));
    inventory_add(box, ne, "card", type, shelf, slot, serial);
    return LP_OK;
}

static enum lp_code
g30_load(struct sim_net *net, struct sim_box *box, const json_t *doc, struct lp_err *err)
{
    const json_t *cards = json_object_get(doc, "cards");
    json_t *ne = sim_object_new(&g30_ne);
    enum lp_code rc = LP_OK;
    size_t i;

    (void)json_object_set_new(box->tree, "ne:ne", ne);
    (void)lp_json_set_str(ne, "ne-id", box->name);
    (void)lp_json_set_str(ne, "ne-name", box->name);
    (void)lp_json_set_str(ne, "ne-site", box->site);
    (void)shelf_of(ne, 1);
    inventory_add(box, ne, "shelf", "GROOVE", 1, 0, box->serial);
    if (cards != NULL && !json_is_array(cards))
        return lp_fail(err, LP_INVALID, "'cards' is no array");
    for (i = 0; rc == LP_OK && i < json_array_size(cards); i++) {
        rc = card_load(net, box, ne, json_array_get(cards, i), err);
        if (rc != LP_OK)
            lp_err_prefix(err, "cards[%zu]: ", i);
    }
    if (rc != LP_OK)
        return rc;
    (void)json_object_set_new(box->extra, "software",
                              json_pack("{s:s,s:s}", "active",
                                        box->release[0] != '\0' ? box->release : "FP4.7.2",
                                        "inactive", ""));
    g30_settle(net, box);
    return LP_OK;
}

static void
g30_replaced(struct sim_box *box)
{
    const json_t *list =
        json_object_get(json_object_get(ne_of(box), "inventory-data"), "inventory");

    (void)lp_json_set_str(json_array_get(list, 0), "serial-number", box->serial);
}

static const struct sim_schema *const roots[] = {&g30_ne, NULL};
static const struct sim_model model = {
    .roots = roots, .rule = g30_rule, .create = crs_create, .remove = crs_remove};

const struct sim_box_kind sim_kind_g30 = {.name = "G30",
                                          .model = &model,
                                          .roots_module = "ne",
                                          .load = g30_load,
                                          .line = g30_line,
                                          .sends = g30_sends,
                                          .listens = g30_listens,
                                          .settle = g30_settle,
                                          .operations = g30_operations,
                                          .operation_count = &g30_operation_count,
                                          .restarted = g30_restarted,
                                          .replaced = g30_replaced};
