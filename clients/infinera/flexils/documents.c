/* What a FlexILS element tells, as the documents of clients/driver.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/flexils/read.h"
#include "optical/band.h"

#define BAND_LOW_MHZ  191325000
#define BAND_HIGH_MHZ 196125000
enum { WINDOWS_MOST = 8 };

/* ---- begin and end of every call ---- */

static struct fx_ne *
begin(struct lp_ne *ne, const struct lp_call *call)
{
    struct fx_ne *fx = ne->priv;

    fx->call = call;
    return fx;
}

static enum lp_code
end(struct fx_ne *fx, enum lp_code rc, json_t **made, json_t **out, struct lp_err *err)
{
    fx->call = NULL;
    if (rc == LP_OK
        && (*made == NULL
            || (json_object_get(*made, "items") != NULL
                && json_object_get(*made, "as_of") == NULL)))
        rc = lp_fail(err, LP_NOMEM, "no memory for a document of %s", fx->element.name);
    if (rc == LP_OK)
        *out = lp_json_take(made);
    return rc;
}

static json_t *
list_document(const struct fx_ne *fx)
{
    return json_pack("{s:I, s:[]}", "as_of",
                     (json_int_t)lp_clock_utc_us(lp_driver_host_clock(fx->ne.host)), "items");
}

/* An item that could not be made leaves no gap: the document is marked and `end` refuses it. */
static void
add_item(json_t *document, json_t *item)
{
    if (json_array_append_new(json_object_get(document, "items"), item) != 0)
        (void)json_object_del(document, "as_of");
}

/* Copies an attribute under another name where it has a text. */
static void
give(json_t *item, const char *as, const json_t *object, const char *name)
{
    const char *value = lp_json_str(object, name, "");

    if (value[0] != '\0')
        (void)lp_json_set_str(item, as, value);
}

/* ---- identity ---- */

/* Older releases do not know the command; any other refusal is one. */
static bool
knows_no_such_command(enum lp_code rc, const struct lp_err *err)
{
    const char *error = lp_json_str(err->detail, "tl1_error", "");

    return rc == LP_REFUSED && (strcmp(error, "IICM") == 0 || strcmp(error, "ICNV") == 0);
}

enum lp_code
fx_probe(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct fx_ne *fx = begin(ne, call);
    json_auto_t *sys = NULL, *chassis = NULL, *made = NULL;
    json_t *first;
    enum lp_code rc = fx_read_all(fx, FX_SYS, NULL, &sys, err);

    if (knows_no_such_command(rc, err)) {
        lp_err_clear(err);
        rc = LP_OK;
    }
    if (rc == LP_OK)
        rc = fx_read_one(fx, FX_EQPT, "1", &chassis, err);
    if (rc == LP_OK) {
        made = json_pack("{s:s, s:s, s:s}", "node", fx->element.node, "vendor", "Infinera",
                         "platform", "FlexILS");
        first = json_object_iter_value(json_object_iter(sys));
        give(made, "serial", chassis, "SERNO");
        /* what it says now is what is compared before a write, also in a session that is older */
        lp_driver_host_set_serial(fx->ne.host, fx->element.name, lp_json_str(chassis, "SERNO", ""));
        give(made, "software", first, "SWVERSION");
        give(made, "type", first, "NETYPE");
    }
    return end(fx, rc, &made, out, err);
}

/* ---- inventory ---- */

/* The nearest enclosing object that the element lists itself. */
static const char *
listed_parent(struct lp_arena *arena, const json_t *eqpt, const char *aid)
{
    const char *at = fx_parent(arena, aid);

    while (at != NULL && at[0] != '\0' && json_object_get(eqpt, at) == NULL)
        at = fx_parent(arena, at);
    return at != NULL ? at : "";
}

enum lp_code
fx_inventory(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct fx_ne *fx = begin(ne, call);
    json_auto_t *eqpt = NULL, *made = NULL;
    const char *aid;
    json_t *object;
    enum lp_code rc = fx_read_all(fx, FX_EQPT, NULL, &eqpt, err);

    if (rc == LP_OK)
        made = list_document(fx);
    json_object_foreach(eqpt, aid, object)
    {
        json_t *item = json_pack(
            "{s:s, s:s, s:s, s:s}", "aid", aid, "type", lp_json_str(object, "TYPE", ""), "state",
            lp_json_str(object, "STATE", ""), "parent", listed_parent(call->arena, eqpt, aid));

        give(item, "serial", object, "SERNO");
        give(item, "part", object, "PARTNO");
        add_item(made, item);
    }
    return end(fx, rc, &made, out, err);
}

/* ---- ports ---- */

static const char *
admin_word(const json_t *object)
{
    const char *admin = lp_json_str(object, "ADMIN", "");

    return strcmp(admin, "IS") == 0 ? "up" : strcmp(admin, "MT") == 0 ? "maintenance" : "down";
}

/* By the primary state and its first qualifier, whole words. */
static const char *
oper_word(const json_t *object)
{
    const char *state = lp_json_str(object, "STATE", "");
    size_t primary = strcspn(state, "-,"), len = strcspn(state, ",");

    if (primary == 3 && strncmp(state, "OOS", 3) == 0)
        return "down";
    if (primary != 2 || strncmp(state, "IS", 2) != 0)
        return "unknown";
    return len == 6 && strncmp(state, "IS-ANR", 6) == 0 ? "degraded" : "up";
}

static const char *
peer_of(const json_t *object)
{
    static const char *const names[] = {"DISCNBROTS", "PROVNBROTS", "PROVOWREMPTP"};

    for (size_t i = 0; i < LP_COUNT(names); i++) {
        const char *value = lp_json_str(object, names[i], "");

        if (value[0] != '\0')
            return value;
    }
    return "";
}

/* The role is what the element lists the port as, never a guess from its name. */
static enum lp_code
add_ports(struct fx_ne *fx, enum fx_class object, const json_t *eqpt, json_t *made,
          struct lp_err *err)
{
    json_auto_t *ports = NULL;
    const char *aid;
    json_t *port;
    enum lp_code rc = fx_read_all(fx, object, NULL, &ports, err);

    json_object_foreach(ports, aid, port)
    {
        const char *card = fx_parent(fx->call->arena, aid);
        const char *type = lp_json_str(json_object_get(eqpt, card), "TYPE", "");

        add_item(made, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", aid, "role",
                                 lp_port_role_name(object == FX_OTS ? LP_PORT_OLS_LINE
                                                                    : LP_PORT_OLS_ADD_DROP),
                                 "admin", admin_word(port), "oper", oper_word(port), "label",
                                 lp_json_str(port, "LABEL", ""), "card", card, "card_type", type,
                                 "peer", peer_of(port)));
    }
    return rc;
}

enum lp_code
fx_ports(struct lp_ne *ne, const struct lp_call *call, int role, json_t **out, struct lp_err *err)
{
    struct fx_ne *fx = begin(ne, call);
    json_auto_t *eqpt = NULL, *made = list_document(fx);
    enum lp_code rc = LP_OK;

    if (role < 0 || role == LP_PORT_OLS_LINE || role == LP_PORT_OLS_ADD_DROP)
        rc = fx_read_all(fx, FX_EQPT, NULL, &eqpt, err);
    if (rc == LP_OK && (role < 0 || role == LP_PORT_OLS_LINE))
        rc = add_ports(fx, FX_OTS, eqpt, made, err);
    if (rc == LP_OK && (role < 0 || role == LP_PORT_OLS_ADD_DROP))
        rc = add_ports(fx, FX_SCG, eqpt, made, err);
    return end(fx, rc, &made, out, err);
}

/* ---- neighbours ---- */

/* "lp.fir1/1-A-2-L1"; a value without a node names the port only. */
static void
add_neighbour(struct lp_arena *arena, json_t *made, const char *port, const json_t *object,
              const char *name, const char *source)
{
    const char *value = lp_json_str(object, name, ""), *slash = strchr(value, '/');
    const char *node = slash != NULL ? lp_arena_strndup(arena, value, (size_t)(slash - value)) : "";

    if (value[0] != '\0')
        add_item(made,
                 json_pack("{s:s, s:s, s:s, s:s}", "port", port, "remote_node", node, "remote_port",
                           slash != NULL ? slash + 1 : value, "source", source));
}

enum lp_code
fx_neighbours(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct fx_ne *fx = begin(ne, call);
    json_auto_t *ots = NULL, *made = NULL;
    const char *aid;
    json_t *object;
    enum lp_code rc = fx_read_all(fx, FX_OTS, NULL, &ots, err);

    if (rc == LP_OK)
        made = list_document(fx);
    json_object_foreach(ots, aid, object)
    {
        add_neighbour(call->arena, made, aid, object, "DISCNBROTS", "discovered");
        add_neighbour(call->arena, made, aid, object, "PROVNBROTS", "provisioned");
    }
    return end(fx, rc, &made, out, err);
}

/* ---- spectrum ---- */

static int
by_low(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (x[0] > y[0]) - (x[0] < y[0]);
}

static bool
is_held(const struct lp_range *windows, size_t count, const struct lp_range *one)
{
    for (size_t i = 0; i < count; i++)
        if (lp_range_holds(&windows[i], one))
            return true;
    return false;
}

/* The parts of the spectrum that an element's free ranges speak of: the C band always, the pieces
 * of wider plans when something in them is free. What lies between pieces is nobody's light. */
static size_t
windows_of(const json_t *free_ranges, struct lp_range windows[static WINDOWS_MOST])
{
    size_t plans, count = 0, i;
    const struct lp_band *bands = lp_bands(&plans);
    const json_t *pair;

    windows[count++] = (struct lp_range){BAND_LOW_MHZ, BAND_HIGH_MHZ};
    json_array_foreach(free_ranges, i, pair)
    {
        const struct lp_range one = {json_integer_value(json_array_get(pair, 0)),
                                     json_integer_value(json_array_get(pair, 1))};

        for (size_t b = 0; b < plans && one.low_mhz < one.high_mhz; b++)
            for (size_t k = 0; k < bands[b].piece_count && count < WINDOWS_MOST; k++)
                if (!is_held(windows, count, &one) && lp_range_overlaps(&bands[b].pieces[k], &one))
                    windows[count++] = bands[b].pieces[k];
        count = lp_ranges_normalize(windows, count);
    }
    return count;
}

json_t *
fx_occupied(const json_t *free_ranges, int64_t low_mhz, int64_t high_mhz)
{
    size_t count = json_array_size(free_ranges), used = 0;
    int64_t(*ranges)[2] = calloc(count + 1, sizeof *ranges), at = low_mhz;
    json_t *out = json_array();

    for (size_t i = 0; ranges != NULL && i < count; i++) {
        const json_t *pair = json_array_get(free_ranges, i);
        int64_t low = json_integer_value(json_array_get(pair, 0));
        int64_t high = json_integer_value(json_array_get(pair, 1));

        ranges[used][0] = low > low_mhz ? low : low_mhz;
        ranges[used][1] = high < high_mhz ? high : high_mhz;
        used += ranges[used][0] < ranges[used][1];
    }
    if (ranges != NULL)
        qsort(ranges, used, sizeof *ranges, by_low);
    for (size_t i = 0; i < used; i++) {
        if (ranges[i][0] > at)
            (void)json_array_append_new(
                out, json_pack("[I, I]", (json_int_t)at, (json_int_t)ranges[i][0]));
        at = ranges[i][1] > at ? ranges[i][1] : at;
    }
    if (at < high_mhz)
        (void)json_array_append_new(out, json_pack("[I, I]", (json_int_t)at, (json_int_t)high_mhz));
    free(ranges);
    return out;
}

/* Is one end of the cross-connection "from,to" on that port? */
static bool
cross_is_on(struct lp_arena *arena, const char *key, const char *port)
{
    size_t len = strcspn(key, ",");
    const char *from = lp_arena_strndup(arena, key, len);

    return from != NULL
           && (fx_sch_on(from, port) || (key[len] == ',' && fx_sch_on(key + len + 1, port)));
}

/* The circuit that fills exactly this range at the port, "" when none does. */
static const char *
circuit_in(struct lp_arena *arena, const json_t *crosses, const char *port, int64_t low,
           int64_t high)
{
    const char *key;
    json_t *cross;

    json_object_foreach((json_t *)(uintptr_t)crosses, key, cross)
    {
        const json_t *band = json_object_get(cross, "PASSBANDLIST");

        if (json_integer_value(json_array_get(band, 0)) == low
            && json_integer_value(json_array_get(band, 1)) == high && cross_is_on(arena, key, port))
            return lp_json_str(cross, "CKTIDSUFFIX", "");
    }
    return "";
}

static void
add_occupied(struct fx_ne *fx, json_t *made, const char *port, const struct lp_range *window,
             const json_t *link, const json_t *crosses)
{
    json_auto_t *occupied =
        fx_occupied(json_object_get(link, "AVAILFREQRANGELIST"), window->low_mhz, window->high_mhz);
    json_t *pair;
    size_t i;

    json_array_foreach(occupied, i, pair)
    {
        json_int_t low = json_integer_value(json_array_get(pair, 0));
        json_int_t high = json_integer_value(json_array_get(pair, 1));

        add_item(made,
                 json_pack("{s:s, s:I, s:I, s:s}", "port", port, "low_mhz", low, "high_mhz", high,
                           "circuit", circuit_in(fx->call->arena, crosses, port, low, high)));
    }
}

/* Light of a cross-connection where the free ranges say nothing. */
static void
add_beyond(json_t *made, const char *port, const json_t *cross, const struct lp_range *windows,
           size_t count)
{
    const json_t *band = json_object_get(cross, "PASSBANDLIST");
    struct lp_range left[WINDOWS_MOST + 1];

    for (size_t i = 0; i + 1 < json_array_size(band); i += 2) {
        const struct lp_range light = {json_integer_value(json_array_get(band, i)),
                                       json_integer_value(json_array_get(band, i + 1))};
        size_t found =
            light.low_mhz < light.high_mhz ? lp_range_minus(&light, windows, count, left) : 0;

        for (size_t k = 0; k < found; k++)
            add_item(made, json_pack("{s:s, s:I, s:I, s:s}", "port", port, "low_mhz",
                                     (json_int_t)left[k].low_mhz, "high_mhz",
                                     (json_int_t)left[k].high_mhz, "circuit",
                                     lp_json_str(cross, "CKTIDSUFFIX", "")));
    }
}

static void
add_spectrum(struct fx_ne *fx, json_t *made, const char *port, const json_t *link,
             const json_t *crosses)
{
    struct lp_range windows[WINDOWS_MOST];
    size_t count = windows_of(json_object_get(link, "AVAILFREQRANGELIST"), windows);
    const char *key;
    json_t *cross;

    for (size_t i = 0; i < count; i++)
        add_occupied(fx, made, port, &windows[i], link, crosses);
    json_object_foreach((json_t *)(uintptr_t)crosses, key, cross)
    {
        if (cross_is_on(fx->call->arena, key, port))
            add_beyond(made, port, cross, windows, count);
    }
}

/* The port of one of our own links, "lp.mil1-1-A-1-L1"; NULL: another element's. The name of the
 * element is compared as a whole: it may hold '-'. */
static const char *
own_link(const struct fx_ne *fx, const char *aid, const json_t *link)
{
    size_t len = strlen(fx->element.node);

    if (strcmp(lp_json_str(link, "REACHSCOPE", ""), "Local") != 0
        || strncmp(aid, fx->element.node, len) != 0 || aid[len] != '-')
        return NULL;
    return aid + len + 1;
}

enum lp_code
fx_spectrum(struct lp_ne *ne, const struct lp_call *call, const char *port, json_t **out,
            struct lp_err *err)
{
    struct fx_ne *fx = begin(ne, call);
    json_auto_t *links = NULL, *crosses = NULL, *made = NULL;
    const char *aid;
    json_t *link;
    enum lp_code rc = fx_read_all(fx, FX_OTELINK, NULL, &links, err);

    if (rc == LP_OK)
        rc = fx_read_all(fx, FX_OCRS, NULL, &crosses, err);
    if (rc == LP_OK)
        made = list_document(fx);
    json_object_foreach(links, aid, link)
    {
        const char *own = own_link(fx, aid, link);

        if (made != NULL && own != NULL && (port == NULL || strcmp(own, port) == 0))
            add_spectrum(fx, made, own, link, crosses);
    }
    return end(fx, rc, &made, out, err);
}

/* ---- one object ---- */

/* "used:1-A-3-T1": the super-channel indices of a port that are taken. */
static enum lp_code
read_used(struct fx_ne *fx, const char *port, json_t **out, struct lp_err *err)
{
    json_auto_t *sch = NULL, *osnc = NULL, *taken = json_array();
    const char *aid;
    json_t *object;
    size_t len;
    unsigned index;
    enum lp_code rc = fx_read_all(fx, FX_SCH, NULL, &sch, err);

    if (rc == LP_OK)
        rc = fx_read_all(fx, FX_OSNC, NULL, &osnc, err);
    if (rc != LP_OK)
        return rc;
    (void)json_object_update_missing(sch, osnc);
    json_object_foreach(sch, aid, object)
    {
        if (fx_sch_on(aid, port) && lp_tl1_aid_split(aid, &len, &index))
            (void)json_array_append_new(taken, json_integer(index));
    }
    *out = json_pack("{s:O}", "indices", taken);
    return LP_OK;
}

/* [[node, interface, node, interface]...] as [{"node","port"}...]. */
static json_t *
route_ends(const json_t *hops)
{
    json_t *out = json_array(), *hop;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)hops, i, hop)
    {
        for (size_t k = 0; k + 1 < json_array_size(hop); k += 2)
            (void)json_array_append_new(out, json_pack("{s:O, s:O}", "node", json_array_get(hop, k),
                                                       "port", json_array_get(hop, k + 1)));
    }
    return out;
}

/* The route's name is cut where a circuit shows it. */
static const json_t *
route_of_circuit(const json_t *routes, const json_t *osnc)
{
    const char *shown = lp_json_str(osnc, "OELAID", ""), *name;
    json_t *route;

    json_object_foreach((json_t *)(uintptr_t)routes, name, route)
    {
        if (shown[0] != '\0' && strncmp(name, shown, 64) == 0)
            return json_object_get(route, "EXPLICITROUTE");
    }
    return NULL;
}

static const char *
port_of_sch(struct lp_arena *arena, const char *sch)
{
    size_t len = 0;
    unsigned index;

    return lp_tl1_aid_split(sch, &len, &index) ? lp_arena_strndup(arena, sch, len) : sch;
}

static void
add_circuit(struct fx_ne *fx, json_t *made, const char *aid, const json_t *osnc,
            const json_t *routes)
{
    const json_t *band = json_object_get(osnc, "PASSBANDLIST");
    struct lp_arena *arena = fx->call->arena;

    add_item(made, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "aid", aid, "name",
                             lp_json_str(osnc, "CKTIDSUFFIX", ""), "label",
                             lp_json_str(osnc, "LABEL", ""), "port", port_of_sch(arena, aid),
                             "far_node", lp_json_str(osnc, "REMNODETID", ""), "far_port",
                             port_of_sch(arena, lp_json_str(osnc, "REMENDPOINT", "")), "low_mhz",
                             json_integer_value(json_array_get(band, 0)), "high_mhz",
                             json_integer_value(json_array_get(band, 1)), "route",
                             route_ends(route_of_circuit(routes, osnc))));
}

/* "circuits": those whose source is this element, with the ends of their multiplex sections. */
static enum lp_code
read_circuits(struct fx_ne *fx, json_t **out, struct lp_err *err)
{
    json_auto_t *osncs = NULL, *routes = NULL;
    const char *aid;
    json_t *osnc;
    enum lp_code rc = fx_read_all(fx, FX_OSNC, NULL, &osncs, err);

    if (rc == LP_OK)
        rc = fx_read_all(fx, FX_OEL, NULL, &routes, err);
    if (rc != LP_OK)
        return rc;
    *out = list_document(fx);
    json_object_foreach(osncs, aid, osnc) add_circuit(fx, *out, aid, osnc, routes);
    return LP_OK;
}

enum lp_code
fx_read(struct lp_ne *ne, const struct lp_call *call, const char *object, json_t **out,
        struct lp_err *err)
{
    struct fx_ne *fx = begin(ne, call);
    json_auto_t *made = NULL;
    enum fx_class class;
    const char *aid, *at = strchr(object, '@');
    enum lp_code rc = LP_OK;

    if (strcmp(object, "circuits") == 0) {
        rc = read_circuits(fx, &made, err);
    } else if (strncmp(object, "used:", 5) == 0) {
        rc = read_used(fx, object + 5, &made, err);
    } else if (strncmp(object, "power:", 6) == 0 && at != NULL) {
        rc = fx_read_power(fx, lp_arena_strndup(call->arena, object + 6, (size_t)(at - object) - 6),
                           at + 1, &made, err);
    } else if (!fx_class_of(object, &class, &aid)) {
        rc = lp_fail(err, LP_INVALID, "'%.80s' is no object of a FlexILS element", object);
    } else {
        rc = fx_read_one(fx, class, aid, &made, err);
        if (rc == LP_OK && made == NULL)
            rc = lp_fail(err, LP_NOT_FOUND, "%s has no %s", fx->element.name, object);
    }
    return end(fx, rc, &made, out, err);
}

/* ---- alarms ---- */

static const char *
severity_word(const char *notification)
{
    static const char *const words[][2] = {
        {"CR", "critical"}, {"MJ", "major"}, {"MN", "minor"}, {"NA", "warning"}, {"CL", "cleared"}};

    for (size_t i = 0; i < LP_COUNT(words); i++) {
        if (strcmp(words[i][0], notification) == 0)
            return words[i][1];
    }
    return "info";
}

/* Bytes that are no text become '?': one odd alarm must not hide itself. */
static const char *
clean(struct lp_arena *arena, const char *text)
{
    char *copy = lp_arena_strdup(arena, text);

    if (copy == NULL)
        return "";
    if (!lp_utf8_valid(copy, strlen(copy))) {
        for (char *at = copy; *at != '\0'; at++) {
            if ((unsigned char)*at >= 0x80)
                *at = '?';
        }
    }
    return copy;
}

/* "OTS" and "1-A-1-L1" as plans name them: "ots:1-A-1-L1". */
static const char *
alarmed_object(struct lp_arena *arena, const struct lp_tl1_alarm *alarm)
{
    char *class = lp_arena_strdup(arena, clean(arena, alarm->type));

    for (char *at = class; at != NULL && *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return lp_arena_printf(arena, "%s:%s", class != NULL ? class : "", clean(arena, alarm->aid));
}

/* The element's clock has no year: the date goes along as it was sent. */
static json_t *
alarm_item(struct lp_arena *arena, const struct lp_tl1_record *record)
{
    struct lp_tl1_alarm alarm;

    lp_tl1_alarm_of(record, &alarm);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "object", alarmed_object(arena, &alarm), "severity",
        severity_word(alarm.notification), "type", clean(arena, alarm.condition), "text",
        clean(arena, alarm.text), "since",
        lp_arena_printf(arena, "%s %s", clean(arena, alarm.date), clean(arena, alarm.time)),
        "service_affecting", (int)(strcmp(alarm.effect, "SA") == 0), "direction",
        clean(arena, alarm.direction));
}

enum lp_code
fx_alarms(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    const struct fx_request request = {.object = FX_ALM, .verb = FX_RTRV};
    const struct lp_tl1_message *reply = NULL;
    struct lp_tl1_scratch scratch = {0};
    struct fx_ne *fx = begin(ne, call);
    json_auto_t *made = list_document(fx);
    enum lp_code rc = fx_send(fx, &request, &reply, err);

    for (size_t i = 0; rc == LP_OK && i < reply->line_count; i++) {
        struct lp_tl1_record record;

        if (reply->lines[i].kind != LP_TL1_LINE_RECORD)
            continue;
        rc = lp_tl1_message_record(reply, i, &scratch, &record, err);
        if (rc == LP_OK)
            add_item(made, alarm_item(call->arena, &record));
    }
    lp_tl1_scratch_free(&scratch);
    return end(fx, rc, &made, out, err);
}

/* ---- counters ---- */

static const struct {
    const char *montype, *name, *unit;
} counters[] = {
    {"OPR", "opr_cdbm", "0.01 dBm"}, {"OPT", "opt_cdbm", "0.01 dBm"},
    {"OSNR", "osnr_cdb", "0.01 dB"}, {"Q", "q_cdb", "0.01 dB"},
    {"CD", "cd_ps_nm", "ps/nm"},
};

static const char *
validity_word(const char *validity)
{
    static const char *const words[][2] = {{"CMPL", "complete"}, {"COMPL", "complete"},
                                           {"PRTL", "partial"},  {"ADJ", "suspect"},
                                           {"LONG", "suspect"},  {"NA", "unavailable"}};

    for (size_t i = 0; i < LP_COUNT(words); i++) {
        if (strcmp(words[i][0], validity) == 0)
            return words[i][1];
    }
    return "unknown"; /* an empty one: the number counts all the same */
}

static bool
is_wanted(const json_t *query, const char *name)
{
    const json_t *names = json_object_get(query, "names");
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)names, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return names == NULL;
}

static void
add_counter(json_t *made, const char *object, const char *period, const json_t *query,
            const struct lp_tl1_record *record)
{
    const char *montype = lp_tl1_record_at(record, 1, 0);
    struct lp_err ignored = LP_ERR_INIT;
    int32_t value;

    for (size_t i = 0; i < LP_COUNT(counters); i++) {
        if (strcmp(counters[i].montype, montype) != 0 || !is_wanted(query, counters[i].name)
            || lp_tl1_hundredths(lp_tl1_record_at(record, 1, 1), &value, &ignored) != LP_OK)
            continue;
        if (strstr(counters[i].unit, "0.01") == NULL)
            value /= 100;
        add_item(made, json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "object", object, "name",
                                 counters[i].name, "value", (int)value, "unit", counters[i].unit,
                                 "period", period, "validity",
                                 validity_word(lp_tl1_record_at(record, 1, 2))));
    }
    lp_err_clear(&ignored);
}

static enum lp_code
read_counters(struct fx_ne *fx, const char *object, const json_t *query, json_t *made,
              struct lp_err *err)
{
    const char *period = lp_json_str(query, "period", "current"), *aid = "";
    const char *positional[7] = {NULL};
    struct fx_request request = {.verb = FX_PM, .positional = positional};
    const struct lp_tl1_message *reply = NULL;
    struct lp_tl1_scratch scratch = {0};
    enum lp_code rc;

    if (!fx_class_of(object, &request.object, &aid) || fx_verb_find(request.object, FX_PM) == NULL)
        return lp_fail(err, LP_INVALID, "'%.80s' has no counters: ots:, scg: and sch: objects do",
                       object);
    request.aid = aid;
    positional[4] = strcmp(period, "day") == 0 ? "1-DAY" : "15-MIN";
    rc = fx_send(fx, &request, &reply, err);
    for (size_t i = 0; rc == LP_OK && i < reply->line_count; i++) {
        struct lp_tl1_record record;

        if (reply->lines[i].kind != LP_TL1_LINE_RECORD)
            continue;
        rc = lp_tl1_message_record(reply, i, &scratch, &record, err);
        if (rc == LP_OK)
            add_counter(made, object, period, query, &record);
    }
    lp_tl1_scratch_free(&scratch);
    return rc;
}

/* All lines and super-channels, when no object is named. */
static enum lp_code
read_all_counters(struct fx_ne *fx, const json_t *query, json_t *made, struct lp_err *err)
{
    static const enum fx_class classes[] = {FX_OTS, FX_SCH};
    enum lp_code rc = LP_OK;

    for (size_t c = 0; rc == LP_OK && c < LP_COUNT(classes); c++) {
        json_auto_t *objects = NULL;
        const char *aid;
        json_t *object;

        rc = fx_read_all(fx, classes[c], NULL, &objects, err);
        json_object_foreach(objects, aid, object)
        {
            if (rc == LP_OK)
                rc = read_counters(
                    fx, lp_arena_printf(fx->call->arena, "%s:%s", fx_class_prefix(classes[c]), aid),
                    query, made, err);
            if (rc == LP_NOT_FOUND || rc == LP_REFUSED) { /* it measures nothing there */
                lp_err_clear(err);
                rc = LP_OK;
            }
        }
    }
    return rc;
}

enum lp_code
fx_counters(struct lp_ne *ne, const struct lp_call *call, const json_t *query, json_t **out,
            struct lp_err *err)
{
    struct fx_ne *fx = begin(ne, call);
    const char *object = lp_json_str(query, "object", NULL);
    json_auto_t *made = list_document(fx);
    enum lp_code rc = object != NULL ? read_counters(fx, object, query, made, err)
                                     : read_all_counters(fx, query, made, err);

    return end(fx, rc, &made, out, err);
}
