/* Cross-connections of a G42: tributary slots, the operation that makes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "sim/g42/g42.h"

#define MAX_SLOTS 1280

/* "1..80,161..480" or "7" into a map; false: no such list. */
static bool
slots_read(const char *text, bool map[MAX_SLOTS + 1], int64_t *count)
{
    *count = 0;
    while (*text != '\0') {
        char *end;
        unsigned long from = strtoul(text, &end, 10), to = from, i;

        if (end == text || *text < '0' || *text > '9')
            return false;
        if (strncmp(end, "..", 2) == 0) {
            text = end + 2;
            to = strtoul(text, &end, 10);
            if (end == text)
                return false;
        }
        if (from < 1 || to < from || to > MAX_SLOTS || (*end != '\0' && *end != ','))
            return false;
        for (i = from; i <= to; i++) {
            *count += map[i] ? 0 : 1;
            map[i] = true;
        }
        text = *end == ',' ? end + 1 : end;
    }
    return *count > 0;
}

static const json_t *
xcons_of(const struct sim_box *box)
{
    return json_object_get(json_object_get(g42_ne_of(box), "services"), "xcon");
}

/* "1-4-L1-1-ODUCni" out of a destination "…odu[name='1-4-L1-1-ODUflexi-1']" */
static void
parent_of(const char *destination, char *buf, size_t size)
{
    const char *name = strstr(destination, "[name='");
    const char *end = name == NULL ? NULL : strstr(name, "-ODUflexi-");

    buf[0] = '\0';
    if (end != NULL)
        (void)snprintf(buf, size, "%.*s-ODUCni", (int)(end - name - 7), name + 7);
}

static void
slots_used(const struct sim_box *box, const char *parent, bool map[MAX_SLOTS + 1])
{
    const json_t *list = xcons_of(box);
    char of[80];
    int64_t ignored;
    size_t i;

    for (i = 0; i < json_array_size(list); i++) {
        const json_t *xcon = json_array_get(list, i);

        parent_of(lp_json_str(xcon, "destination", ""), of, sizeof of);
        if (strcmp(of, parent) == 0)
            (void)slots_read(lp_json_str(xcon, "dst-time-slots", ""), map, &ignored);
    }
}

void
g42_slots_free(const struct sim_box *box, const char *parent, int64_t total, char *buf, size_t size)
{
    bool used[MAX_SLOTS + 1] = {false};
    size_t len = 0;
    int64_t i, from;

    slots_used(box, parent, used);
    buf[0] = '\0';
    for (i = 1; i <= total && i <= MAX_SLOTS && len + 16 < size; i++) {
        if (used[i])
            continue;
        from = i;
        while (i < total && i < MAX_SLOTS && !used[i + 1])
            i++;
        len += (size_t)snprintf(buf + len, size - len, "%s%lld..%lld", len > 0 ? "," : "",
                                (long long)from, (long long)i);
    }
}

bool
g42_connected(const struct sim_box *box, const char *name)
{
    const json_t *list = xcons_of(box);
    char client[96], carrier[96];
    size_t i;

    (void)snprintf(client, sizeof client, "[name='%.64s']", name);
    (void)snprintf(carrier, sizeof carrier, "[name='%.64s-ODU", name);
    for (i = 0; i < json_array_size(list); i++) {
        const json_t *xcon = json_array_get(list, i);

        if (strstr(lp_json_str(xcon, "source", ""), client) != NULL
            || strstr(lp_json_str(xcon, "destination", ""), carrier) != NULL)
            return true;
    }
    return false;
}

void
g42_xcon_gone(struct sim_box *box, const json_t *xcon)
{
    json_t *list = json_object_get(g42_facilities(box), "odu");
    const char *destination = lp_json_str(xcon, "destination", "");
    char wanted[96];
    size_t i;

    for (i = json_array_size(list); i > 0; i--) {
        (void)snprintf(wanted, sizeof wanted, "[name='%.64s']",
                       lp_json_str(json_array_get(list, i - 1), "name", ""));
        if (strstr(destination, wanted) != NULL)
            (void)json_array_remove(list, i - 1);
    }
}

/* ---- the operation ---- */

struct order {
    char client[80], parent[80], odu[96], name[192];
    const char *slots, *payload, *direction;
    int64_t count;
};

/* The name inside "…[name='X']", or the text itself. */
static void
name_inside(const char *text, char *buf, size_t size)
{
    const char *at = strstr(text, "[name='");

    (void)snprintf(buf, size, "%.*s", (int)strcspn(at == NULL ? text : at + 7, "'"),
                   at == NULL ? text : at + 7);
}

static bool
input_read(const json_t *input, struct order *o, struct sim_why *why)
{
    const char *source = lp_json_str(input, "source", NULL);
    const char *target = lp_json_str(input, "dst-parent-odu", NULL);

    o->slots = lp_json_str(input, "dst-time-slots", NULL);
    if (source == NULL && target == NULL) { /* the other way round */
        source = lp_json_str(input, "destination", NULL);
        target = lp_json_str(input, "src-parent-odu", NULL);
        o->slots = lp_json_str(input, "src-time-slots", NULL);
    }
    o->payload = lp_json_str(input, "payload-type", "");
    o->direction = lp_json_str(input, "direction", "two-way");
    if (source == NULL || target == NULL || o->slots == NULL)
        return sim_refuse(why, 400, "missing-element",
                          "source, dst-parent-odu and dst-time-slots are needed");
    if (strcmp(o->direction, "two-way") != 0 && strcmp(o->direction, "one-way") != 0)
        return sim_refuse(why, 400, "invalid-value", "direction '%.32s'", o->direction);
    name_inside(source, o->client, sizeof o->client);
    name_inside(target, o->parent, sizeof o->parent);
    return true;
}

static bool
ends_check(const struct sim_box *box, const struct order *o, struct sim_why *why)
{
    const json_t *facilities = g42_facilities(box);
    const json_t *trib = g42_entry(facilities, &g42_trib, o->client);

    if (g42_entry(facilities, &g42_ethernet, o->client) == NULL)
        return sim_refuse(why, 400, "invalid-value", "there is no ethernet %.64s", o->client);
    if (g42_entry(facilities, &g42_odu, o->parent) == NULL || strstr(o->parent, "-ODUCni") == NULL)
        return sim_refuse(why, 400, "invalid-value", "there is no line ODU %.64s", o->parent);
    if (strcmp(lp_json_str(trib, "service-type", ""), o->payload) != 0)
        return sim_refuse(why, 400, "invalid-value", "payload-type %.16s, but the client is %.16s",
                          o->payload, lp_json_str(trib, "service-type", ""));
    if (g42_connected(box, o->client))
        return sim_refuse(why, 412, "operation-failed", "a cross-connection of %.64s exists",
                          o->client);
    return true;
}

static bool
slots_check(const struct sim_box *box, struct order *o, struct sim_why *why)
{
    bool used[MAX_SLOTS + 1] = {false}, wanted[MAX_SLOTS + 1] = {false},
                          all[MAX_SLOTS + 1] = {false};
    const json_t *odu = g42_entry(g42_facilities(box), &g42_odu, o->parent);
    int64_t needed = strcmp(o->payload, "400GBE") == 0 ? 320 : 80, ignored;
    size_t i;

    if (!slots_read(o->slots, wanted, &o->count))
        return sim_refuse(why, 400, "invalid-value", "time slots '%.64s'", o->slots);
    if (o->count != needed)
        return sim_refuse(why, 400, "invalid-value", "%lld time slots, %s needs %lld",
                          (long long)o->count, o->payload, (long long)needed);
    slots_used(box, o->parent, used);
    (void)slots_read(lp_json_str(odu, "available-time-slots", ""), all, &ignored);
    for (i = 1; i <= MAX_SLOTS; i++)
        if (wanted[i] && (used[i] || !all[i]))
            return sim_refuse(why, 409, "resource-denied", "time slot %zu is not free", i);
    return true;
}

static void
order_place(struct sim_box *box, const struct order *o, const json_t *input)
{
    json_t *xcon = sim_object_new(&g42_xcon), *odu = sim_object_new(&g42_odu);
    json_t *services = json_object_get(g42_ne_of(box), "services");
    char source[160], destination[200], circuit[256];

    (void)snprintf(source, sizeof source, "/ioa-ne:ne/facilities/ethernet[name='%s']", o->client);
    (void)snprintf(destination, sizeof destination, "/ioa-ne:ne/facilities/odu[name='%s']", o->odu);
    (void)snprintf(circuit, sizeof circuit, "1|%.40s|%.64s|%.48s", box->name, o->name,
                   lp_json_str(input, "circuit-id-suffix", ""));
    (void)lp_json_set_str(xcon, "name", o->name);
    (void)lp_json_set_str(xcon, "AID", o->name);
    (void)lp_json_set_str(xcon, "source", source);
    (void)lp_json_set_str(xcon, "destination", destination);
    (void)lp_json_set_str(xcon, "payload-type", o->payload);
    (void)lp_json_set_str(xcon, "direction", o->direction);
    (void)lp_json_set_str(xcon, "label", lp_json_str(input, "label", ""));
    (void)lp_json_set_str(xcon, "circuit-id-suffix", lp_json_str(input, "circuit-id-suffix", ""));
    (void)lp_json_set_str(xcon, "circuit-id", circuit);
    (void)lp_json_set_str(xcon, "dst-time-slots", o->slots);
    (void)lp_json_set_str(xcon, "oper-state", "enabled");
    (void)json_array_append_new(g42_list(services, "xcon"), xcon);
    (void)lp_json_set_str(odu, "name", o->odu);
    (void)lp_json_set_str(odu, "AID", o->odu);
    (void)lp_json_set_str(odu, "odu-type", "ODUflex");
    (void)json_array_append_new(g42_list(g42_facilities(box), "odu"), odu);
}

bool
g42_xcon_create(struct sim_box *box, const json_t *input, struct sim_why *why)
{
    struct order o;
    int n;

    if (strlen(lp_json_str(input, "label", "")) > 256
        || strlen(lp_json_str(input, "circuit-id-suffix", "")) > 48)
        return sim_refuse(why, 400, "invalid-value", "label or circuit-id-suffix is too long");
    if (!input_read(input, &o, why) || !ends_check(box, &o, why) || !slots_check(box, &o, why))
        return false;
    for (n = 1;; n++) {
        (void)snprintf(o.odu, sizeof o.odu, "%.*s-ODUflexi-%d",
                       (int)(strstr(o.parent, "-ODUCni") - o.parent), o.parent, n);
        if (g42_entry(g42_facilities(box), &g42_odu, o.odu) == NULL)
            break;
    }
    (void)snprintf(o.name, sizeof o.name, "%s,%s", o.client, o.odu);
    if (strlen(o.name) > 64)
        return sim_refuse(why, 400, "invalid-value",
                          "the name of the cross-connection is too long");
    order_place(box, &o, input);
    return true;
}
