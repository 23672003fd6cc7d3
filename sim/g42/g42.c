#include "sim/g42/g42.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define LINES 2

/* ---- finding ---- */

json_t *
g42_ne_of(const struct sim_box *box)
{
    return json_object_get(box->tree, "ioa-network-element:ne");
}

json_t *
g42_facilities(const struct sim_box *box)
{
    return json_object_get(g42_ne_of(box), "facilities");
}

json_t *
g42_list(json_t *parent, const char *name)
{
    json_t *list = json_object_get(parent, name);

    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(parent, name, list);
    }
    return list;
}

json_t *
g42_entry(const json_t *parent, const struct sim_schema *schema, const char *name)
{
    const char *keys[] = {name};

    return sim_entry_find(schema, parent, keys);
}

static bool
word_listed(const char *words, const char *word)
{
    size_t len = strlen(word);

    while (*words != '\0') {
        size_t n = strcspn(words, " ");

        if (n == len && memcmp(words, word, n) == 0)
            return true;
        words += n + (words[n] == ' ' ? 1 : 0);
    }
    return false;
}

bool
g42_mode_known(const char *subtype, const char *mode)
{
    static const struct {
        const char *subtype, *rate, *codes;
    } modes[] = {
#define G42_MODES(s, r, c) {#s, r, c},
#include "sim/g42/modes.def"
#undef G42_MODES
    };
    const char *dot = strchr(mode, '.');
    size_t i;

    for (i = 0; dot != NULL && i < LP_COUNT(modes); i++)
        if (strcmp(modes[i].subtype, subtype) == 0 && strlen(modes[i].rate) == (size_t)(dot - mode)
            && strncmp(modes[i].rate, mode, (size_t)(dot - mode)) == 0)
            return word_listed(modes[i].codes, dot + 1);
    return false;
}

int64_t
g42_mode_rate(const char *mode)
{
    return strchr(mode, '.') == NULL ? 0 : strtoll(mode, NULL, 10);
}

static bool
listed(const json_t *array, const char *text)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
            return true;
    return false;
}

json_t *
g42_channel_of(const struct sim_box *box, const char *carrier)
{
    const json_t *list = json_object_get(g42_facilities(box), "super-channel");
    size_t i;

    for (i = 0; i < json_array_size(list); i++)
        if (listed(json_object_get(json_array_get(list, i), "carriers"), carrier))
            return json_array_get(list, i);
    return NULL;
}

/* "1-4-L1" to its card and port. */
static bool
port_find(const struct sim_box *box, const char *aid, json_t **card, json_t **port)
{
    const char *dash = strrchr(aid, '-');
    char name[64];

    if (dash == NULL)
        return false;
    (void)snprintf(name, sizeof name, "%.*s", (int)(dash - aid), aid);
    *card = g42_entry(json_object_get(g42_ne_of(box), "equipment"), &g42_card, name);
    *port = *card == NULL ? NULL : g42_entry(*card, &g42_port, dash + 1);
    return *port != NULL;
}

static bool
is_locked(const json_t *object)
{
    return strcmp(lp_json_str(object, "admin-state", "lock"), "lock") == 0;
}

static bool
is_type(const json_t *port, const char *type)
{
    return strcmp(lp_json_str(port, "port-type", ""), type) == 0;
}

/* ---- rules ---- */

static bool
carriers_check(const struct sim_box *box, const char *name, const json_t *carriers, json_t **card,
               struct sim_why *why)
{
    char joined[128] = "", port_name[64];
    json_t *port;
    size_t i, len = 0;

    if (json_array_size(carriers) < 1 || json_array_size(carriers) > 2)
        return sim_refuse(why, 400, "invalid-value", "a super-channel has one or two carriers");
    for (i = 0; i < json_array_size(carriers); i++) {
        const char *carrier = json_string_value(json_array_get(carriers, i));
        size_t n = strlen(carrier);

        if (n < 3 || n > 60 || strcmp(carrier + n - 2, "-1") != 0)
            return sim_refuse(why, 400, "invalid-value", "carrier '%.64s'", carrier);
        (void)snprintf(port_name, sizeof port_name, "%.*s", (int)n - 2, carrier);
        if (!port_find(box, port_name, card, &port) || !is_type(port, "line"))
            return sim_refuse(why, 400, "invalid-value", "there is no line port %.60s", port_name);
        len += (size_t)snprintf(joined + len, sizeof joined - len, "%s%s", i > 0 ? "_" : "",
                                port_name);
    }
    if (strcmp(joined, name) != 0)
        return sim_refuse(why, 400, "invalid-value", "super-channel %.64s has carriers of %.64s",
                          name, joined);
    return true;
}

static bool
channel_rule(const struct sim_box *box, const json_t *channel, const json_t *changes,
             struct sim_why *why)
{
    const char *name = lp_json_str(channel, "name", "");
    const char *old = lp_json_str(channel, "carrier-mode", "");
    const char *mode = lp_json_str(changes, "carrier-mode", old);
    const json_t *carriers = json_object_get(changes, "carriers");
    const json_t *had = json_object_get(channel, "carriers");
    json_t *card = NULL;
    size_t i;

    if (carriers == NULL)
        carriers = had;
    if (json_array_size(carriers) > 0 && !carriers_check(box, name, carriers, &card, why))
        return false;
    if (strcmp(mode, old) == 0)
        return true;
    if (mode[0] != '\0' && !g42_mode_known(lp_json_str(card, "required-subtype", ""), mode))
        return sim_refuse(why, 400, "invalid-value", "carrier-mode %.32s is not for a CHM6 %.16s",
                          mode, lp_json_str(card, "required-subtype", ""));
    if (old[0] != '\0' && !is_locked(channel))
        return sim_refuse(why, 409, "operation-failed",
                          "carrier-mode may change only while the super-channel is locked");
    for (i = 0; i < json_array_size(had); i++)
        if (g42_connected(box, json_string_value(json_array_get(had, i))))
            return sim_refuse(why, 409, "operation-failed",
                              "the super-channel has a cross-connection");
    return true;
}

static bool
carrier_rule(const struct sim_box *box, const json_t *carrier, const json_t *changes,
             struct sim_why *why)
{
    int64_t frequency = sim_number(changes, "frequency", 0), power = 0;
    const char *text = lp_json_str(changes, "tx-power", "0");

    (void)box;
    (void)carrier;
    if (frequency != 0 && (frequency < 191333000 || frequency > 196117000 || frequency % 50 != 0))
        return sim_refuse(why, 400, "invalid-value", "frequency %lld cannot be tuned",
                          (long long)frequency);
    if (sim_decimal(text, &power) && (power < -1500 || power > 900))
        return sim_refuse(why, 400, "invalid-value", "tx-power %s is out of reach", text);
    return true;
}

static bool
xcon_rule(const json_t *changes, struct sim_why *why)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)changes, name, value)
    {
        if (strcmp(name, "label") != 0 && strcmp(name, "circuit-id-suffix") != 0)
            return sim_refuse(why, 409, "operation-failed", "%s cannot be changed", name);
    }
    return true;
}

static bool
tom_rule(const struct sim_box *box, const struct sim_at *chain, size_t count, const json_t *changes,
         struct sim_why *why)
{
    static const struct {
        const char *type, *mode;
    } fitting[] = {{"gx:QSFP28", "100G"}, {"gx:QSFPDD", "400GE"}, {"gx:QSFPDD", "4x100GE"}};
    const json_t *tom = chain[count - 1].object;
    const char *type = lp_json_str(changes, "required-type", lp_json_str(tom, "required-type", ""));
    const char *mode = lp_json_str(changes, "phy-mode", lp_json_str(tom, "phy-mode", ""));
    char aid[96];
    size_t i;

    if ((mode[0] == '\0' && type[0] == '\0')
        || (json_object_get(changes, "required-type") == NULL
            && json_object_get(changes, "phy-mode") == NULL))
        return true; /* what it is was set by hand, and this is about something else */
    (void)snprintf(aid, sizeof aid, "%.40s-%.40s", lp_json_str(chain[count - 3].object, "name", ""),
                   lp_json_str(chain[count - 2].object, "name", ""));
    if (strcmp(mode, lp_json_str(tom, "phy-mode", "")) != 0 && g42_connected(box, aid))
        return sim_refuse(why, 409, "operation-failed", "the port has a cross-connection");
    for (i = 0; i < LP_COUNT(fitting); i++)
        if (strcmp(type, fitting[i].type) == 0
            && (mode[0] == '\0' || strcmp(mode, fitting[i].mode) == 0))
            return true;
    return sim_refuse(why, 400, "invalid-value", "phy-mode %.16s is not for %.32s", mode, type);
}

static bool
trib_rule(const struct sim_box *box, const json_t *trib, const json_t *changes, struct sim_why *why)
{
    const char *old = lp_json_str(trib, "service-type", "");
    const char *type = lp_json_str(changes, "service-type", old);
    const char *name = lp_json_str(trib, "name", ""), *mode;
    json_t *card, *port;

    if (strcmp(type, old) == 0)
        return true;
    if (g42_connected(box, name))
        return sim_refuse(why, 409, "operation-failed", "the port has a cross-connection");
    if (!port_find(box, name, &card, &port))
        return sim_refuse(why, 404, "data-missing", "there is no port %.60s", name);
    mode = lp_json_str(json_object_get(port, "tom"), "phy-mode", "");
    if ((strcmp(type, "400GBE") == 0) != (strcmp(mode, "400GE") == 0)
        && (strcmp(type, "400GBE") == 0 || strcmp(type, "100GBE") == 0))
        return sim_refuse(why, 400, "invalid-value",
                          "service-type %.16s does not fit phy-mode %.16s", type, mode);
    return true;
}

static bool
g42_rule(void *arg, const struct sim_at *chain, size_t count, json_t *changes, struct sim_why *why)
{
    const struct sim_box *box = arg;
    const json_t *object = chain[count - 1].object;

    switch (chain[count - 1].schema->tag) {
    case G42_CHANNEL:
        return channel_rule(box, object, changes, why);
    case G42_CARRIER:
        return carrier_rule(box, object, changes, why);
    case G42_XCON:
        return xcon_rule(changes, why);
    case G42_TOM:
        return tom_rule(box, chain, count, changes, why);
    case G42_TRIB:
        return trib_rule(box, object, changes, why);
    default:
        return true;
    }
}

static bool
g42_create(void *arg, const struct sim_at *chain, size_t count, const struct sim_schema *schema,
           json_t *object, struct sim_why *why)
{
    const json_t *carriers = json_object_get(object, "carriers");
    struct sim_box *box = arg;
    size_t i;

    (void)chain;
    (void)count;
    if (schema->tag != G42_CHANNEL)
        return sim_refuse(why, 405, "operation-not-supported", "%s cannot be made", schema->name);
    if (json_array_size(carriers) == 0)
        return sim_refuse(why, 400, "missing-element", "a super-channel needs carriers");
    for (i = 0; i < json_array_size(carriers); i++)
        if (g42_channel_of(box, json_string_value(json_array_get(carriers, i))) != NULL)
            return sim_refuse(why, 409, "in-use", "carrier %s is part of a super-channel",
                              json_string_value(json_array_get(carriers, i)));
    return true;
}

static bool
g42_remove(void *arg, const struct sim_at *chain, size_t count, struct sim_why *why)
{
    struct sim_box *box = arg;
    const json_t *object = chain[count - 1].object, *carriers = json_object_get(object, "carriers");
    size_t i;

    if (chain[count - 1].schema->tag == G42_XCON) {
        if (strcmp(lp_json_str(object, "managed-by", "user"), "user") != 0)
            return sim_refuse(why, 409, "operation-failed", "it is managed by the system");
        g42_xcon_gone(box, object);
        return true;
    }
    for (i = 0; i < json_array_size(carriers); i++)
        if (g42_connected(box, json_string_value(json_array_get(carriers, i))))
            return sim_refuse(why, 409, "operation-failed",
                              "the super-channel has a cross-connection");
    if (!is_locked(object))
        return sim_refuse(why, 409, "operation-failed", "the super-channel is unlocked");
    return true;
}

/* ---- objects that come and go ---- */

static json_t *
facility_need(const struct sim_box *box, const struct sim_schema *schema, const char *name)
{
    json_t *object = g42_entry(g42_facilities(box), schema, name);

    if (object != NULL)
        return object;
    object = sim_object_new(schema);
    (void)lp_json_set_str(object, "name", name);
    (void)lp_json_set_str(object, "AID", name);
    (void)json_array_append_new(g42_list(g42_facilities(box), schema->name), object);
    return object;
}

static void
facility_drop(const struct sim_box *box, const struct sim_schema *schema, const char *name)
{
    json_t *list = json_object_get(g42_facilities(box), schema->name);
    size_t i;

    for (i = json_array_size(list); i > 0; i--)
        if (strcmp(lp_json_str(json_array_get(list, i - 1), "name", ""), name) == 0)
            (void)json_array_remove(list, i - 1);
}

/* 112.5 GHz for 96 GBd: the symbol rate with its skirts, in steps of 12.5 GHz. */
static int64_t
bandwidth_cghz(const char *mode)
{
    const char *dot = strchr(mode, '.');
    int64_t baud = dot == NULL ? 0 : strtoll(dot + 1, NULL, 10);

    return baud == 0 ? 0 : ((baud + 1) * 110 + 1249) / 1250 * 1250;
}

static void
channel_follow(const struct sim_box *box, json_t *channel)
{
    const json_t *carriers = json_object_get(channel, "carriers");
    const char *mode = lp_json_str(channel, "carrier-mode", "");
    int64_t waves = (int64_t)json_array_size(carriers), rate = g42_mode_rate(mode) * waves;
    char text[24], name[96], slots[512];
    json_t *odu;
    size_t i;

    sim_decimal_text(bandwidth_cghz(mode) * waves, 1, text);
    (void)lp_json_set_str(channel, "spectral-bandwidth", text);
    (void)snprintf(text, sizeof text, "%lld", (long long)rate);
    (void)lp_json_set_str(channel, "supported-capacity", text);
    (void)lp_json_set_str(channel, "AID", lp_json_str(channel, "name", ""));
    for (i = 0; i < json_array_size(carriers); i++)
        (void)facility_need(box, &g42_carrier, json_string_value(json_array_get(carriers, i)));
    if (waves == 0)
        return;
    (void)snprintf(name, sizeof name, "%.64s-ODUCni",
                   json_string_value(json_array_get(carriers, 0)));
    if (rate == 0) {
        facility_drop(box, &g42_odu, name);
        return;
    }
    odu = facility_need(box, &g42_odu, name);
    g42_slots_free(box, name, rate * 80 / 100, slots, sizeof slots);
    (void)lp_json_set_str(odu, "odu-type", "ODUCni");
    (void)lp_json_set_str(odu, "available-time-slots", slots);
}

/* Carriers and ODUs whose super-channel is gone go too. */
static void
orphans_drop(const struct sim_box *box)
{
    static const struct sim_schema *const kinds[] = {&g42_carrier, &g42_odu};
    size_t k, i;

    for (k = 0; k < LP_COUNT(kinds); k++) {
        json_t *list = json_object_get(g42_facilities(box), kinds[k]->name);

        for (i = json_array_size(list); i > 0; i--) {
            const char *name = lp_json_str(json_array_get(list, i - 1), "name", "");
            const char *end = strstr(name, "-ODU");
            char carrier[96];

            (void)snprintf(carrier, sizeof carrier, "%.*s",
                           end == NULL ? (int)strlen(name) : (int)(end - name), name);
            if (g42_channel_of(box, carrier) == NULL)
                (void)json_array_remove(list, i - 1);
        }
    }
}

static void
tributary_follow(const struct sim_box *box, const json_t *port, const char *aid)
{
    const json_t *tom = json_object_get(port, "tom"), *trib;
    const char *service = "";

    if (lp_json_str(tom, "phy-mode", "")[0] == '\0') {
        facility_drop(box, &g42_trib, aid);
    } else {
        trib = facility_need(box, &g42_trib, aid);
        service = lp_json_str(trib, "service-type", "");
    }
    if (strcmp(service, "100GBE") == 0 || strcmp(service, "400GBE") == 0)
        (void)facility_need(box, &g42_ethernet, aid);
    else
        facility_drop(box, &g42_ethernet, aid);
}

static void
ports_each(const struct sim_box *box,
           void (*each)(const struct sim_box *box, const json_t *port, const char *aid))
{
    const json_t *cards = json_object_get(json_object_get(g42_ne_of(box), "equipment"), "card");
    char aid[96];
    size_t c, p;

    for (c = 0; c < json_array_size(cards); c++) {
        const json_t *card = json_array_get(cards, c), *ports = json_object_get(card, "port");

        for (p = 0; p < json_array_size(ports); p++) {
            const json_t *port = json_array_get(ports, p);

            (void)snprintf(aid, sizeof aid, "%.40s-%.40s", lp_json_str(card, "name", ""),
                           lp_json_str(port, "name", ""));
            if (!is_type(port, "line"))
                each(box, port, aid);
        }
    }
}

static void
facilities_follow(const struct sim_box *box)
{
    const json_t *channels = json_object_get(g42_facilities(box), "super-channel");
    size_t i;

    for (i = 0; i < json_array_size(channels); i++)
        channel_follow(box, json_array_get(channels, i));
    orphans_drop(box);
    ports_each(box, tributary_follow);
}

/* ---- light ---- */

static bool
g42_line(const struct sim_box *box, const char *aid)
{
    json_t *card, *port;

    return port_find(box, aid, &card, &port) && is_type(port, "line");
}

static json_t *
carrier_of(const struct sim_box *box, const char *aid)
{
    char name[80];

    (void)snprintf(name, sizeof name, "%.64s-1", aid);
    return g42_entry(g42_facilities(box), &g42_carrier, name);
}

static bool
g42_sends(const struct sim_box *box, const char *aid, struct sim_carrier *out)
{
    const json_t *carrier = carrier_of(box, aid), *group, *channel;
    json_t *card, *port;
    int64_t power = 0;

    if (carrier == NULL || !port_find(box, aid, &card, &port))
        return false;
    group = g42_entry(g42_facilities(box), &g42_group, aid);
    channel = g42_channel_of(box, lp_json_str(carrier, "name", ""));
    if (is_locked(port) || is_locked(group) || is_locked(channel) || is_locked(carrier)
        || lp_json_str(channel, "carrier-mode", "")[0] == '\0'
        || sim_number(carrier, "frequency", 0) == 0
        || strcmp(lp_json_str(card, "oper-state", "enabled"), "enabled") != 0)
        return false;
    (void)sim_decimal(lp_json_str(carrier, "tx-power", "0"), &power);
    out->center_mhz =
        (int32_t)(sim_number(carrier, "frequency", 0) + sim_number(carrier, "frequency-offset", 0));
    out->cdbm = (int32_t)power + sim_line_offset(box, aid);
    (void)snprintf(out->mode, sizeof out->mode, "%s", lp_json_str(channel, "carrier-mode", ""));
    return true;
}

static int32_t
g42_listens(const struct sim_box *box, const char *aid)
{
    const json_t *carrier = carrier_of(box, aid);

    return carrier == NULL ? 0
                           : (int32_t)(sim_number(carrier, "frequency", 0)
                                       + sim_number(carrier, "frequency-offset", 0));
}

/* ---- alarms ---- */

struct reading {
    struct sim_net *net;
    struct sim_box *box;
    json_t *alarms;
};

static void
event_send(struct sim_net *net, struct sim_box *box, const json_t *alarm, const char *severity)
{
    char when[32];
    json_t *row;

    if (net->box_emit == NULL)
        return;
    sim_box_clock(net, box, when);
    row = json_copy((json_t *)(uintptr_t)alarm);
    (void)lp_json_set_str(row, "perceived-severity", severity);
    (void)lp_json_set_str(row, "last-changed-time", when);
    net->box_emit(net->box_emit_arg, box,
                  json_pack("{s:{s:s,s:o}}", "ietf-restconf:notification", "eventTime", when,
                            "ioa-alarm:alarm-notification", row));
}

/* An alarm keeps its number and its time while it stands. */
static void
alarm_raise(struct reading *r, const char *resource, const char *aid, const char *type,
            const char *text)
{
    json_t *standing = json_object_get(r->box->extra, "standing"), *row;
    char key[200], id[24], when[32];
    int64_t number;

    (void)snprintf(key, sizeof key, "%.120s %.60s", aid, type);
    row = json_object_get(standing, key);
    if (row != NULL) {
        (void)json_array_append(r->alarms, row);
        return;
    }
    number = lp_json_int(r->box->extra, "alarm", 30) + 1;
    (void)lp_json_set_int(r->box->extra, "alarm", number);
    (void)snprintf(id, sizeof id, "%lld", (long long)number);
    sim_box_clock(r->net, r->box, when);
    row = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "alarm-id", id,
                    "resource", resource, "resource-type", "ioa-common:optical-carrier", "AID", aid,
                    "alarm-type", type, "alarm-type-description", text, "direction", "ingress",
                    "location", "near-end", "perceived-severity", "critical", "reported-time", when,
                    "last-changed-time", when, "service-affecting", "sa", "operator-state", "none");
    (void)json_array_append_new(r->alarms, row);
    event_send(r->net, r->box, row, "critical");
    (void)json_object_set(standing, key, row);
}

/* What stood and stands no more. */
static void
alarms_clear(struct reading *r)
{
    json_t *standing = json_object_get(r->box->extra, "standing"), *row;
    const char *key;
    void *next;
    size_t i;

    json_object_foreach_safe(standing, next, key, row)
    {
        for (i = 0; i < json_array_size(r->alarms) && json_array_get(r->alarms, i) != row; i++)
            continue;
        if (i < json_array_size(r->alarms))
            continue;
        event_send(r->net, r->box, row, "cleared");
        (void)json_object_del(standing, key);
    }
}

static void
power_set(json_t *object, const char *name, int64_t cdbm)
{
    char text[24];

    sim_decimal_text(cdbm <= SIM_DARK_CDBM ? -9900 : cdbm, 2, text);
    (void)lp_json_set_str(object, name, text);
}

static void
carrier_read(struct reading *r, json_t *carrier)
{
    const char *name = lp_json_str(carrier, "name", "");
    const json_t *channel = g42_channel_of(r->box, name);
    char aid[80], resource[160], text[24];
    struct sim_arrival in;
    struct sim_carrier out;
    bool lit, good;

    (void)snprintf(aid, sizeof aid, "%.*s", (int)strlen(name) - 2, name);
    lit = g42_sends(r->box, aid, &out);
    sim_line_arrival(r->net, r->box, aid, &in);
    good = lit && in.cdbm > SIM_DARK_CDBM
           && (!in.known || strcmp(in.far.mode, lp_json_str(channel, "carrier-mode", "")) == 0);
    power_set(carrier, "actual-tx-power",
              lit ? out.cdbm + sim_box_noise(r->net, r->box, name, 4) : SIM_DARK_CDBM);
    power_set(carrier, "rx-power", in.cdbm);
    sim_decimal_text(good ? 740 + sim_box_noise(r->net, r->box, aid, 8) : 0, 2, text);
    (void)lp_json_set_str(carrier, "pre-fec-q", text);
    (void)lp_json_set_str(carrier, "oper-state", good ? "enabled" : "disabled");
    (void)snprintf(text, sizeof text, "%d", lit ? out.center_mhz : 0);
    (void)lp_json_set_str(carrier, "actual-frequency", text);
    (void)snprintf(resource, sizeof resource, "/ioa-ne:ne/facilities/optical-carrier[name='%.80s']",
                   name);
    if (!lit || strcmp(lp_json_str(carrier, "admin-state", ""), "unlock") != 0
        || strcmp(lp_json_str(carrier, "alarm-report-control", ""), "allowed") != 0)
        return;
    if (in.cdbm <= SIM_DARK_CDBM)
        alarm_raise(r, resource, name, "OLOS", "Optical loss of signal");
    else if (!good)
        alarm_raise(r, resource, name, "LOF", "Loss of frame");
}

static void
states_follow(const struct sim_box *box)
{
    static const char *const lists[] = {"super-channel", "super-channel-group", "trib-ptp",
                                        "ethernet"};
    size_t l, i;

    for (l = 0; l < LP_COUNT(lists); l++) {
        const json_t *list = json_object_get(g42_facilities(box), lists[l]);

        for (i = 0; i < json_array_size(list); i++) {
            json_t *object = json_array_get(list, i);

            (void)lp_json_set_str(object, "oper-state", is_locked(object) ? "disabled" : "enabled");
        }
    }
}

static void
software_show(const struct sim_box *box)
{
    const json_t *software = g42_software(box);
    const char *active = lp_json_str(software, "active", ""),
               *inactive = lp_json_str(software, "inactive", "");
    json_t *sw = json_object_get(json_object_get(g42_ne_of(box), "system"), "sw-management");
    json_t *loads = json_array(), *locations = json_array();
    const json_t *cards = json_object_get(json_object_get(g42_ne_of(box), "equipment"), "card");
    size_t i;

    (void)json_array_append_new(loads, json_pack("{s:s,s:s,s:s}", "swload-state", "active",
                                                 "swload-status", "activate-complete",
                                                 "swload-version", active));
    if (inactive[0] != '\0')
        (void)json_array_append_new(
            loads, json_pack("{s:s,s:s,s:s}", "swload-state", "inactive", "swload-status",
                             lp_json_str(software, "status", "download-complete"), "swload-version",
                             inactive));
    for (i = 0; i < json_array_size(cards); i++)
        (void)json_array_append_new(locations,
                                    json_pack("{s:s,s:s,s:s,s:s}", "location-id",
                                              lp_json_str(json_array_get(cards, i), "name", ""),
                                              "swload-state", "active", "swload-status",
                                              "activate-complete", "swload-version", active));
    (void)json_object_set_new(sw, "software-load", loads);
    (void)json_object_set_new(sw, "software-location", locations);
}

static void
cards_revive(struct sim_net *net, struct sim_box *box, struct reading *r)
{
    json_t *waiting = json_object_get(box->extra, "cards"), *until, *card;
    char resource[160];
    const char *name;
    void *next;

    json_object_foreach_safe(waiting, next, name, until)
    {
        card = g42_entry(json_object_get(g42_ne_of(box), "equipment"), &g42_card, name);
        if (json_integer_value(until) > net->now_us) {
            (void)snprintf(resource, sizeof resource, "/ioa-ne:ne/equipment/card[name='%.64s']",
                           name);
            alarm_raise(r, resource, name, "EQPTCPRESET", "The equipment restarts");
            continue;
        }
        if (card != NULL)
            (void)lp_json_set_str(card, "oper-state", "enabled");
        (void)json_object_del(waiting, name);
    }
}

static void
g42_settle(struct sim_net *net, struct sim_box *box)
{
    struct reading r = {.net = net, .box = box, .alarms = json_array()};
    json_t *current =
        json_object_get(json_object_get(box->tree, "ioa-alarm:alarms"), "current-alarms");
    const json_t *carriers;
    size_t i;

    if (box->settle_us <= net->now_us) {
        box->settle_us = 0;
        facilities_follow(box);
    }
    cards_revive(net, box, &r);
    carriers = json_object_get(g42_facilities(box), "optical-carrier");
    for (i = 0; i < json_array_size(carriers); i++)
        carrier_read(&r, json_array_get(carriers, i));
    states_follow(box);
    alarms_clear(&r);
    (void)json_array_extend(r.alarms, box->planted);
    (void)lp_json_set_int(current, "number-of-alarms", (int64_t)json_array_size(r.alarms));
    (void)json_object_set_new(current, "alarm", r.alarms);
    software_show(box);
}

/* ---- what a topology says ---- */

static json_t *
port_new(const char *card, const char *name, bool line)
{
    json_t *port = sim_object_new(&g42_port);
    char aid[80];

    (void)snprintf(aid, sizeof aid, "%.40s-%.16s", card, name);
    (void)lp_json_set_str(port, "name", name);
    (void)lp_json_set_str(port, "alias-name", name);
    (void)lp_json_set_str(port, "AID", aid);
    (void)lp_json_set_str(port, "port-type", line ? "line" : "tributary");
    if (line)
        return port;
    (void)lp_json_set_str(port, "installed-type", "gx:QSFPDD");
    (void)json_object_set_new(port, "tom", sim_object_new(&g42_tom));
    return port;
}

static enum lp_code
card_load(struct sim_net *net, struct sim_box *box, const json_t *doc, struct lp_err *err)
{
    static const char *const members[] = {"name", "type", "subtype", "serial"};
    const char *name = "", *type = "gx:CHM6", *subtype = "C14", *serial;
    json_t *card, *ports = json_array();
    char made[24], port[8], aid[80];
    int i;
    enum lp_code rc = lp_json_only(doc, members, LP_COUNT(members), err);

    if (rc == LP_OK)
        rc = lp_json_get_string(doc, "name", &name, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "type", &type, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "subtype", &subtype, err);
    (void)snprintf(made, sizeof made, "GX%08llu",
                   (unsigned long long)(sim_hash((uint64_t)net->options.seed, box->name, name, 2)
                                        % 100000000u));
    serial = made;
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "serial", &serial, err);
    if (rc == LP_OK
        && (strlen(name) > 16 || name[strspn(name, "0123456789-")] != '\0' || name[0] == '\0'
            || strcmp(type, "gx:CHM6") != 0
            || (strcmp(subtype, "C14") != 0 && strcmp(subtype, "C6") != 0)))
        rc = lp_fail(err, LP_INVALID,
                     "a card is named as in 1-4 and is a gx:CHM6 of subtype C6 or C14");
    if (rc != LP_OK) {
        json_decref(ports);
        return rc;
    }
    card = sim_object_new(&g42_card);
    (void)lp_json_set_str(card, "name", name);
    (void)lp_json_set_str(card, "AID", name);
    (void)lp_json_set_str(card, "required-type", type);
    (void)lp_json_set_str(card, "installed-type", type);
    (void)lp_json_set_str(card, "required-subtype", subtype);
    (void)lp_json_set_str(card, "serial-number", serial);
    (void)lp_json_set_str(card, "admin-state", "unlock");
    (void)lp_json_set_str(card, "oper-state", "enabled");
    for (i = 1; i <= LINES; i++) {
        (void)snprintf(port, sizeof port, "L%d", i);
        (void)json_array_append_new(ports, port_new(name, port, true));
        (void)snprintf(aid, sizeof aid, "%.16s-%s", name, port);
        (void)facility_need(box, &g42_group, aid);
    }
    for (i = 1; i <= G42_TRIBS; i++) {
        (void)snprintf(port, sizeof port, "T%d", i);
        (void)json_array_append_new(ports, port_new(name, port, false));
    }
    (void)json_object_set_new(card, "port", ports);
    (void)json_array_append_new(g42_list(json_object_get(g42_ne_of(box), "equipment"), "card"),
                                card);
    return LP_OK;
}

static void
fixed_fill(struct sim_box *box)
{
    json_t *ne = g42_ne_of(box), *chassis = sim_object_new(&g42_chassis);

    (void)lp_json_set_str(ne, "ne-name", box->name);
    (void)lp_json_set_str(ne, "ne-id", box->name);
    (void)lp_json_set_str(ne, "ne-site", box->site);
    (void)lp_json_set_str(chassis, "name", "1");
    (void)lp_json_set_str(chassis, "AID", "1");
    (void)lp_json_set_str(chassis, "serial-number", box->serial);
    (void)lp_json_set_str(chassis, "expected-serial-number", box->serial);
    (void)lp_json_set_str(chassis, "admin-state", "unlock");
    (void)lp_json_set_str(chassis, "oper-state", "enabled");
    (void)json_array_append_new(g42_list(json_object_get(ne, "equipment"), "chassis"), chassis);
    (void)json_object_set_new(
        json_object_get(json_object_get(box->tree, "ietf-restconf-monitoring:restconf-state"),
                        "streams"),
        "stream",
        json_pack("[{s:s,s:s,s:b,s:[{s:s,s:s}]}]", "name", "NETCONF", "description",
                  "alarms and changes of configuration", "replay-support", 0, "access", "encoding",
                  "json", "location", "/restconf/streams/NETCONF-JSON"));
}

static void
g42_replaced(struct sim_box *box)
{
    const json_t *list = json_object_get(json_object_get(g42_ne_of(box), "equipment"), "chassis");

    (void)lp_json_set_str(json_array_get(list, 0), "serial-number", box->serial);
}

static enum lp_code
g42_load(struct sim_net *net, struct sim_box *box, const json_t *doc, struct lp_err *err)
{
    static const struct sim_schema *const all[] = {&g42_ne, &g42_alarms, &g42_pm, &g42_streams};
    const json_t *cards = json_object_get(doc, "cards");
    char name[96];
    enum lp_code rc = LP_OK;
    size_t i;

    for (i = 0; i < LP_COUNT(all); i++) {
        (void)snprintf(name, sizeof name, "%s:%s", all[i]->module, all[i]->name);
        (void)json_object_set_new(box->tree, name, sim_object_new(all[i]));
    }
    fixed_fill(box);
    if (cards != NULL && !json_is_array(cards))
        return lp_fail(err, LP_INVALID, "'cards' is no array");
    for (i = 0; rc == LP_OK && i < json_array_size(cards); i++) {
        rc = card_load(net, box, json_array_get(cards, i), err);
        if (rc != LP_OK)
            lp_err_prefix(err, "cards[%zu]: ", i);
    }
    if (rc != LP_OK)
        return rc;
    (void)json_object_set_new(box->extra, "standing", json_object());
    (void)json_object_set_new(box->extra, "software",
                              json_pack("{s:s,s:s}", "active",
                                        box->release[0] != '\0' ? box->release : "R7.1.1",
                                        "inactive", ""));
    g42_settle(net, box);
    return LP_OK;
}

static const struct sim_schema *const roots[] = {&g42_ne, &g42_alarms, &g42_pm, &g42_streams, NULL};
static const struct sim_model model = {
    .roots = roots, .rule = g42_rule, .create = g42_create, .remove = g42_remove};

const struct sim_box_kind sim_kind_g42 = {.name = "G42",
                                          .model = &model,
                                          .roots_module = "ioa-network-element",
                                          .etag = true,
                                          .events = true,
                                          .cookie = true,
                                          .load = g42_load,
                                          .line = g42_line,
                                          .sends = g42_sends,
                                          .listens = g42_listens,
                                          .settle = g42_settle,
                                          .operations = g42_operations,
                                          .operation_count = &g42_operation_count,
                                          .other = g42_other,
                                          .restarted = g42_restarted,
                                          .replaced = g42_replaced};
