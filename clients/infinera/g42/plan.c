/* From intents to operations on a G42. */
#include <string.h>

#include "clients/infinera/g42/g42.h"

#define LINES_MAX 4 /* ports of one super-channel */

/* ---- wishes ---- */

static enum lp_code
check_port(struct ir_planner *p, const json_t *intent, const char *name, char kind)
{
    const char *port;

    if (g42_card_of(p->arena, name, &port) == NULL || (kind != '\0' && port[0] != kind))
        return ir_bad_intent(p, intent, LP_INVALID,
                             kind == 'L'   ? "its port is no line port of a G42"
                             : kind == 'T' ? "its port is no client port of a G42"
                                           : "its port is no port of a G42");
    return LP_OK;
}

/* Attributes that every object of a line or client has while it is used, or not. */
static json_t *
in_use(const json_t *intent)
{
    const char *label = lp_json_str(intent, "label", "");

    if (!lp_json_true(intent, "present"))
        return json_pack("{s:s, s:s}", "admin-state", "lock", "label", "");
    return json_pack("{s:s, s:s, s:s}", "admin-state", "unlock", "label", label,
                     "alarm-report-control", "allowed");
}

static enum lp_code
wish(struct ir_planner *p, const json_t *intent, const char *prefix, const char *name,
     json_t *attrs)
{
    return ir_wish(p, intent, ir_ref(p->arena, prefix, name), attrs);
}

static enum lp_code
wish_port(struct ir_planner *p, const json_t *intent)
{
    static const char *const names[][2] = {
        {"up", "unlock"}, {"down", "lock"}, {"maintenance", "maintenance"}};
    const char *name = lp_json_str(intent, "port", "");
    const char *admin = lp_json_str(intent, "admin", NULL);
    bool present = lp_json_true(intent, "present"), known = admin == NULL || !present;
    json_auto_t *attrs = json_object();
    enum lp_code rc = check_port(p, intent, name, '\0');

    if (rc == LP_OK && present)
        rc = ir_set_label(p, intent, "label", attrs);
    else if (rc == LP_OK)
        (void)lp_json_set_str(attrs, "label", "");
    for (size_t i = 0; !known && i < LP_COUNT(names); i++) {
        known = strcmp(names[i][0], admin) == 0;
        if (known)
            (void)lp_json_set_str(attrs, "admin-state", names[i][1]);
    }
    if (rc == LP_OK && !known)
        rc = ir_bad_intent(p, intent, LP_INVALID, "admin is up, down or maintenance");
    return rc == LP_OK ? wish(p, intent, "port", name, lp_json_take(&attrs)) : rc;
}

static enum lp_code
wish_fiber_end(struct ir_planner *p, const json_t *intent)
{
    const json_t *peer = json_object_get(intent, "peer");
    const char *name = lp_json_str(intent, "port", ""), *node = lp_json_str(peer, "node", "");
    const char *far = lp_json_str(peer, "port", "");
    enum lp_code rc = check_port(p, intent, name, '\0');

    if (rc != LP_OK)
        return rc;
    if (!lp_json_true(intent, "present"))
        return wish(p, intent, "port", name,
                    json_pack("{s:s, s:s, s:s, s:s}", "external-connectivity", "no", "connected-to",
                              "", "label", "", "admin-state", "lock"));
    if (node[0] == '\0' || far[0] == '\0')
        return ir_bad_intent(p, intent, LP_INVALID, "a fiber end needs peer.node and peer.port");
    return wish(p, intent, "port", name,
                json_pack("{s:s, s:s, s:s}", "external-connectivity", "yes", "connected-to",
                          lp_arena_printf(p->arena, "%s %s", lp_json_str(peer, "fqdn", node), far),
                          "admin-state", "unlock"));
}

/* ---- lines ---- */

struct line {
    const char *ports[LINES_MAX];
    int64_t centers[LINES_MAX];
    size_t count;
};

static enum lp_code
line_of(struct ir_planner *p, const json_t *intent, struct line *out)
{
    const json_t *carriers = json_object_get(intent, "carriers");
    int64_t center = lp_json_int(intent, "center_mhz", 0);
    enum lp_code rc = LP_OK;
    json_t *item;
    size_t i;

    *out = (struct line){{lp_json_str(intent, "port", "")}, {center}, 1};
    if (json_array_size(carriers) > LINES_MAX)
        return ir_bad_intent(p, intent, LP_INVALID, "it has more carriers than a card has lines");
    json_array_foreach((json_t *)(uintptr_t)carriers, i, item)
    {
        out->ports[i] = lp_json_str(item, "port", lp_json_str(intent, "port", ""));
        out->centers[i] = lp_json_int(item, "center_mhz", center);
        out->count = i + 1;
    }
    for (i = 0; rc == LP_OK && i < out->count; i++) {
        rc = check_port(p, intent, out->ports[i], 'L');
        if (rc == LP_OK && lp_json_true(intent, "present") && out->centers[i] <= 0)
            rc = ir_bad_intent(p, intent, LP_INVALID, "a line needs center_mhz");
    }
    return rc;
}

struct search {
    const char *id;
    bool found;
};

static void
compare_mode(void *ctx, const struct ir_mode *mode)
{
    struct search *search = ctx;

    search->found |= strcmp(mode->id, search->id) == 0;
}

/* Of a sub-type that the tables do not know the element itself judges. */
static enum lp_code
check_mode(struct ir_planner *p, const json_t *intent, const char *port)
{
    const char *name = NULL, *card = g42_card_of(p->arena, port, &name), *subtype;
    struct search search = {lp_json_str(intent, "mode", ""), false};
    const json_t *object = NULL;
    struct ir_mode mode;
    enum lp_code rc = ir_get(p, ir_ref(p->arena, "card", card), &object);

    if (rc != LP_OK)
        return rc;
    subtype = lp_json_str(object, "required-subtype", "");
    if (!g42_mode_parse(search.id, &mode)
        || (g42_modes(subtype, compare_mode, &search) && !search.found))
        return ir_bad_intent(p, intent, LP_INVALID,
                             lp_arena_printf(p->arena, "a %s has no mode '%.40s'",
                                             subtype[0] != '\0' ? subtype : "CHM6", search.id));
    return LP_OK;
}

/* What an object has by itself while it is used. */
static enum lp_code
keep(struct ir_planner *p, const json_t *intent, const char *prefix, const char *name,
     const struct ir_kept *kept, size_t count, json_t *attrs)
{
    return lp_json_true(intent, "present")
               ? ir_keep(p, ir_ref(p->arena, prefix, name), kept, count, attrs)
               : LP_OK;
}

static enum lp_code
wish_group(struct ir_planner *p, const json_t *intent, const char *port)
{
    static const struct ir_kept kept[] = {{"line-system-mode", "openwave"}};
    json_t *attrs = in_use(intent);
    enum lp_code rc = keep(p, intent, "scg", port, kept, LP_COUNT(kept), attrs);

    if (rc == LP_OK)
        return wish(p, intent, "scg", port, attrs);
    json_decref(attrs);
    return rc;
}

static enum lp_code
wish_carrier(struct ir_planner *p, const json_t *intent, const char *port, int64_t center)
{
    static const struct ir_kept kept[] = {{"frequency-offset", "0"}, {"tx-cd", "0.00"}};
    json_t *attrs = in_use(intent);
    int64_t power = lp_json_int(intent, "power_cdbm", 0);
    enum lp_code rc =
        keep(p, intent, "oc", g42_carrier(p->arena, port), kept, LP_COUNT(kept), attrs);

    if (rc != LP_OK) {
        json_decref(attrs);
        return rc;
    }
    if (lp_json_true(intent, "present")) {
        (void)lp_json_set_int(attrs, "frequency", center);
        if (!lp_json_true(intent, "laser"))
            (void)lp_json_set_str(attrs, "admin-state", "lock");
    }
    if (lp_json_true(intent, "present") && json_object_get(intent, "power_cdbm") != NULL) {
        if (power < G42_POWER_MIN_CDBM || power > G42_POWER_MAX_CDBM) {
            json_decref(attrs);
            return ir_bad_intent(p, intent, LP_INVALID,
                                 "its transmit power is outside -6.00 to 9.00 dBm");
        }
        (void)lp_json_set_str(attrs, "tx-power", ir_decimal(p->arena, power));
    }
    return wish(p, intent, "oc", g42_carrier(p->arena, port), attrs);
}

static enum lp_code
wish_channel(struct ir_planner *p, const json_t *intent, const struct line *line)
{
    json_t *attrs = in_use(intent), *carriers = json_array();

    for (size_t i = 0; i < line->count; i++)
        (void)json_array_append_new(carriers, json_string(g42_carrier(p->arena, line->ports[i])));
    if (lp_json_true(intent, "present")) {
        (void)lp_json_set_str(attrs, "carrier-mode", lp_json_str(intent, "mode", ""));
        (void)json_object_set(attrs, "carriers", carriers);
    }
    json_decref(carriers);
    return wish(p, intent, "sc", g42_super_channel(p->arena, line->ports, line->count), attrs);
}

static enum lp_code
wish_line_port(struct ir_planner *p, const json_t *intent, const char *port)
{
    json_t *attrs = in_use(intent);
    bool cabled = false;
    enum lp_code rc = ir_is_cabled(p, port, &cabled);

    if (!lp_json_true(intent, "present") && cabled)
        (void)lp_json_set_str(attrs, "admin-state", "unlock");
    if (rc == LP_OK)
        return wish(p, intent, "port", port, attrs);
    json_decref(attrs);
    return rc;
}

static enum lp_code
wish_line(struct ir_planner *p, const json_t *intent)
{
    struct line line;
    enum lp_code rc = line_of(p, intent, &line);

    for (size_t i = 0; rc == LP_OK && i < line.count; i++) {
        if (lp_json_true(intent, "present"))
            rc = check_mode(p, intent, line.ports[i]);
        if (rc == LP_OK)
            rc = wish_line_port(p, intent, line.ports[i]);
        if (rc == LP_OK)
            rc = wish_group(p, intent, line.ports[i]);
    }
    if (rc == LP_OK)
        rc = wish_channel(p, intent, &line);
    for (size_t i = 0; rc == LP_OK && i < line.count; i++)
        rc = wish_carrier(p, intent, line.ports[i], line.centers[i]);
    return rc;
}

/* ---- clients ---- */

static const struct signal {
    const char *rate, *type, *subtype, *phy, *service;
} signals[] = {
    {"100GE", "gx:QSFP28", "TOM-100G-Q", "100G", "100GBE"},
    {"400GE", "gx:QSFPDD", "TOM-400G-Q-DR4", "400GE", "400GBE"},
};

static json_t *
with(json_t *object, const char *name, const char *value)
{
    (void)lp_json_set_str(object, name, value);
    return object;
}

/* The sub-type of the pluggable: the one that is asked for, else the one that carries this signal
 * already (LR4 or DR4, that is no reason to take a client down), else the usual one. */
static enum lp_code
pick_subtype(struct ir_planner *p, const json_t *intent, const char *port, const struct signal *s,
             const char **out)
{
    const json_t *tom = NULL;
    enum lp_code rc = ir_get(p, ir_ref(p->arena, "tom", port), &tom);
    const char *is = lp_json_str(tom, "required-subtype", "");
    bool carries = strcmp(lp_json_str(tom, "required-type", ""), s->type) == 0
                   && strcmp(lp_json_str(tom, "phy-mode", ""), s->phy) == 0 && is[0] != '\0';

    *out = lp_json_str(intent, "pluggable", carries ? is : s->subtype);
    return rc;
}

static enum lp_code
wish_signal(struct ir_planner *p, const json_t *intent, const char *port, const struct signal *s)
{
    static const struct ir_kept kept[] = {{"test-signal-direction", "egress"},
                                          {"test-signal-monitoring", "false"}};
    const char *subtype = NULL;
    enum lp_code rc = s != NULL ? pick_subtype(p, intent, port, s, &subtype) : LP_OK;
    json_t *tom, *ptp, *eth;

    if (rc != LP_OK)
        return rc;
    eth = in_use(intent);
    rc = keep(p, intent, "eth", port, kept, LP_COUNT(kept), eth);
    if (rc != LP_OK) {
        json_decref(eth);
        return rc;
    }
    tom = in_use(intent), ptp = in_use(intent);
    if (s != NULL) {
        (void)with(tom, "required-type", s->type);
        (void)with(tom, "required-subtype", subtype);
        (void)with(tom, "phy-mode", s->phy);
        (void)with(ptp, "service-type", s->service);
        (void)with(with(with(eth, "fec-mode", "enabled"), "loopback", "none"), "test-signal-type",
                   "none");
        (void)with(with(with(eth, "lldp-admin-status", "rx-only"), "lldp-ingress-mode", "snoop"),
                   "lldp-egress-mode", "snoop");
    }
    rc = wish(p, intent, "tom", port, tom);
    if (rc != LP_OK) {
        json_decref(ptp);
        json_decref(eth);
        return rc;
    }
    rc = wish(p, intent, "ptp", port, ptp);
    if (rc != LP_OK) {
        json_decref(eth);
        return rc;
    }
    return wish(p, intent, "eth", port, eth);
}

static enum lp_code
wish_client(struct ir_planner *p, const json_t *intent)
{
    const char *name = lp_json_str(intent, "port", "");
    const struct signal *signal = NULL;
    enum lp_code rc = check_port(p, intent, name, 'T');

    for (size_t i = 0; i < LP_COUNT(signals); i++) {
        if (strcmp(signals[i].rate, lp_json_str(intent, "rate", "")) == 0)
            signal = &signals[i];
    }
    if (rc == LP_OK && lp_json_true(intent, "present") && signal == NULL)
        return ir_bad_intent(p, intent, LP_INVALID, "its rate is 100GE or 400GE");
    if (rc == LP_OK)
        rc = wish(p, intent, "port", name, in_use(intent));
    return rc == LP_OK
               ? wish_signal(p, intent, name, lp_json_true(intent, "present") ? signal : NULL)
               : rc;
}

static enum lp_code
wish_power(struct ir_planner *p, const json_t *intent)
{
    const char *name = lp_json_str(intent, "port", "");
    int64_t power = lp_json_int(intent, "target_cdbm", INT32_MAX);
    enum lp_code rc = check_port(p, intent, name, 'L');

    if (rc != LP_OK || !lp_json_true(intent, "present"))
        return rc;
    if (power < G42_POWER_MIN_CDBM || power > G42_POWER_MAX_CDBM)
        return ir_bad_intent(p, intent, LP_INVALID,
                             "its transmit power is outside -6.00 to 9.00 dBm");
    return wish(p, intent, "oc", g42_carrier(p->arena, name),
                json_pack("{s:s}", "tx-power", ir_decimal(p->arena, power)));
}

static const struct {
    const char *kind;
    enum lp_code (*wish)(struct ir_planner *p, const json_t *intent);
} kinds[] = {
    {"port", wish_port},   {"line", wish_line},           {"client", wish_client},
    {"power", wish_power}, {"fiber-end", wish_fiber_end},
};

static enum lp_code
collect(struct ir_planner *p)
{
    enum lp_code rc = LP_OK;
    json_t *intent;
    size_t i;

    for (size_t k = 0; k < LP_COUNT(kinds); k++) {
        json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
        {
            if (rc == LP_OK && strcmp(lp_json_str(intent, "kind", ""), kinds[k].kind) == 0)
                rc = kinds[k].wish(p, intent);
        }
    }
    return rc;
}

/* ---- operations ---- */

struct object_plan {
    struct ir_planner *p;
    const char *reference, *prefix, *name;
    const struct ir_class *class;
    const json_t *wish, *attrs, *actual;
    bool present;
    const json_t *moving; /* {port: true}: ports under which objects come and go */
};

static enum lp_code
object_of(struct ir_planner *p, const char *reference, const json_t *moving,
          struct object_plan *out)
{
    const char *name = NULL, *prefix = ir_cut(p->arena, reference, ':', &name);
    const json_t *wish = ir_wished(p, reference);

    *out = (struct object_plan){.p = p,
                                .reference = reference,
                                .prefix = prefix,
                                .name = name,
                                .class = ir_class_find(p->platform, prefix),
                                .wish = wish,
                                .attrs = json_object_get(wish, "attrs"),
                                .present = lp_json_true(wish, "present"),
                                .moving = moving};
    return ir_get(p, reference, &out->actual);
}

/* The line or client port of an object: "1-4-L1" of "1-4-L1-1" and "1-4-L1_1-4-L2". */
static bool
is_on_moving(const struct object_plan *x)
{
    const char *port;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)x->moving, port, value)
    {
        size_t len = strlen(port);

        if (strncmp(x->name, port, len) == 0
            && (x->name[len] == '\0' || strcmp(x->name + len, "-1") == 0))
            return true;
    }
    return false;
}

static struct ir_op
op_for(const struct object_plan *x)
{
    return (struct ir_op){.phase = x->present ? LP_PHASE_PREPARE : LP_PHASE_CLEAN,
                          .object = x->reference,
                          .intent = lp_json_str(x->wish, "intent", ""),
                          .flags = 0};
}

/* {port: true} of ports whose super-channel or client signal is made anew. */
static enum lp_code
find_moving(struct ir_planner *p, json_t *moving)
{
    enum lp_code rc = LP_OK;
    const char *reference;
    json_t *wish;

    json_object_foreach(p->wishes, reference, wish)
    {
        struct object_plan x;
        const char *rest;

        if (rc == LP_OK)
            rc = object_of(p, reference, moving, &x);
        if (rc != LP_OK || !x.present
            || (x.actual != NULL && !ir_needs_oos(x.class, x.attrs, x.actual)))
            continue;
        if (strcmp(x.prefix, "sc") != 0 && strcmp(x.prefix, "tom") != 0
            && strcmp(x.prefix, "ptp") != 0)
            continue;
        for (rest = x.name; rest != NULL;)
            (void)json_object_set_new(moving, ir_cut(p->arena, rest, '_', &rest), json_true());
    }
    return rc;
}

/* ---- carriers: locked is dark ---- */

static enum lp_code
set_light(const struct object_plan *x, const char *to)
{
    const bool on = strcmp(to, "unlock") == 0;
    json_auto_t *after = json_pack("{s:s}", "admin-state", to), *before = NULL;
    const json_t *actual = NULL;
    struct ir_op op = op_for(x);
    enum lp_code rc = ir_get(x->p, x->reference, &actual);

    if (rc != LP_OK || (actual != NULL && ir_holds(after, actual)))
        return rc;
    before = ir_slice(actual, after);
    if (lp_json_str(before, "admin-state", "")[0] == '\0')
        (void)lp_json_set_str(before, "admin-state", "lock");
    op.phase = on ? LP_PHASE_LIGHT : LP_PHASE_DARK;
    op.action = "set";
    op.before = on && is_on_moving(x) ? NULL : before;
    op.restore = before;
    op.after = after;
    op.flags = LP_OP_TRAFFIC;
    op.text = lp_arena_printf(x->p->arena, "carrier %s %s", x->name, on ? "on" : "off");
    return ir_add(x->p, &op);
}

static bool
is_retuned(const struct object_plan *x)
{
    const json_t *frequency = json_object_get(x->attrs, "frequency");

    return frequency != NULL && !ir_same(frequency, json_object_get(x->actual, "frequency"));
}

static enum lp_code
darken(const struct object_plan *x)
{
    const char *admin = lp_json_str(x->attrs, "admin-state", NULL);

    if (x->actual == NULL || strcmp(lp_json_str(x->actual, "admin-state", ""), "lock") == 0
        || !(is_on_moving(x) || is_retuned(x) || (admin != NULL && strcmp(admin, "lock") == 0)))
        return LP_OK;
    return set_light(x, "lock");
}

/* A carrier may go with its super-channel: undoing brings back all of it. */
static enum lp_code
clean_carrier(const struct object_plan *x)
{
    json_auto_t *after = json_pack("{s:s}", "label", ""), *before = ir_slice(x->actual, after);
    json_auto_t *restore = ir_writable(x->class, x->actual, false);
    struct ir_op op = op_for(x);

    op.action = "set";
    op.before = before;
    op.after = after;
    op.restore = restore;
    op.purpose = "before it goes";
    op.text = lp_arena_printf(x->p->arena, "clear the label of %s", x->reference);
    return ir_add(x->p, &op);
}

static enum lp_code
write_carrier(const struct object_plan *x)
{
    json_auto_t *attrs = json_deep_copy(x->attrs), *restore = NULL;
    const char *admin = lp_json_str(x->attrs, "admin-state", NULL);
    struct ir_op op = op_for(x);
    enum lp_code rc;

    (void)json_object_del(attrs, "admin-state");
    if (is_on_moving(x)) {
        restore = x->actual != NULL ? ir_writable(x->class, x->actual, false) : NULL;
        op.restore = restore;
        rc = ir_write_later(x->p, &op, attrs);
    } else {
        rc = ir_edit(x->p, &op, attrs);
    }
    if (rc != LP_OK)
        return rc;
    if (admin == NULL) /* it shone before and nobody says otherwise */
        admin = lp_json_str(x->actual, "admin-state", "lock");
    return strcmp(admin, "unlock") == 0 ? set_light(x, "unlock") : LP_OK;
}

/* ---- super-channels ---- */

/* Locked, then deleted. */
static enum lp_code
remove_channel(const struct object_plan *x, const json_t *actual)
{
    json_auto_t *locked = json_pack("{s:s}", "admin-state", "lock"), *before = NULL;
    struct ir_op op = op_for(x);
    enum lp_code rc;

    op.phase = LP_PHASE_CLEAN;
    op.flags = LP_OP_TRAFFIC;
    rc = ir_edit(x->p, &op, locked);
    if (rc == LP_OK)
        rc = ir_get(x->p, x->reference, &actual);
    before = ir_writable(x->class, actual, true);
    op.action = "delete";
    op.before = before;
    return rc == LP_OK ? ir_add(x->p, &op) : rc;
}

/* Made while locked, so that undoing finds it so and may delete it. */
static enum lp_code
write_channel(const struct object_plan *x)
{
    json_auto_t *locked = NULL;
    struct ir_op op = op_for(x), make = op;
    enum lp_code rc = LP_OK;

    if (!x->present)
        return x->actual != NULL ? remove_channel(x, x->actual) : LP_OK;
    if (x->actual == NULL) {
        locked = json_copy((json_t *)(uintptr_t)x->attrs);
        (void)lp_json_set_str(locked, "admin-state", "lock");
        make.action = "create";
        make.after = locked;
        rc = ir_add(x->p, &make);
    }
    return rc == LP_OK ? ir_edit(x->p, &op, x->attrs) : rc;
}

static bool
share_carrier(const json_t *a, const json_t *b)
{
    json_t *one, *other;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)a, i, one)
    {
        json_array_foreach((json_t *)(uintptr_t)b, j, other)
        {
            if (json_equal(one, other))
                return true;
        }
    }
    return false;
}

/* A carrier is part of one super-channel: another one with it is in the way. What is locked is
 * nobody's. */
static enum lp_code
clear_channels(const struct object_plan *x)
{
    static const struct lp_restconf_query query = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 2};
    const json_t *all = NULL;
    enum lp_code rc = ir_ask(x->p, G42_FACILITIES "/super-channel", &query, &all);
    json_t *entry;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)all, i, entry)
    {
        const char *name = ir_text(x->p->arena, entry, "name", "");
        struct object_plan other = *x;

        if (rc != LP_OK || strcmp(name, x->name) == 0
            || !share_carrier(ir_member(entry, "carriers"), json_object_get(x->attrs, "carriers")))
            continue;
        other.reference = ir_ref(x->p->arena, "sc", name);
        if (ir_wished(x->p, other.reference) != NULL)
            continue; /* goes by its own intent */
        rc = ir_get(x->p, other.reference, &other.actual);
        if (rc == LP_OK && other.actual != NULL && !x->p->take_over
            && strcmp(lp_json_str(other.actual, "admin-state", ""), "lock") != 0)
            rc = lp_fail(x->p->err, LP_CONFLICT, "%s: the super-channel %s (%s) has the carrier %s",
                         x->p->source->name, name, lp_json_str(other.actual, "label", ""), x->name);
        else if (rc == LP_OK && other.actual != NULL)
            rc = remove_channel(&other, other.actual);
    }
    return rc;
}

/* ---- everything else ---- */

static enum lp_code
write_object(const struct object_plan *x)
{
    struct ir_op op = op_for(x);

    if (x->actual != NULL && x->present && strcmp(x->prefix, "eth") == 0 && is_on_moving(x)) {
        json_auto_t *restore = ir_writable(x->class, x->actual, true);

        op.restore = restore; /* made anew with its signal */
        return ir_write_later(x->p, &op, x->attrs);
    }
    if (x->actual != NULL)
        return ir_edit(x->p, &op, x->attrs);
    if (!x->present)
        return LP_OK; /* gone, as it should be */
    if (strcmp(x->prefix, "port") != 0 && is_on_moving(x))
        return ir_write_later(x->p, &op, x->attrs); /* it appears with what is made before it */
    return lp_fail(x->p->err, LP_NOT_FOUND, "%s has no %s", x->p->source->name, x->reference);
}

static enum lp_code
plan_object(struct ir_planner *p, const char *reference, const json_t *moving)
{
    struct object_plan x;
    enum lp_code rc = object_of(p, reference, moving, &x);

    if (rc != LP_OK)
        return rc;
    if (strcmp(x.prefix, "oc") == 0) {
        if (!x.present && x.actual != NULL)
            return LP_OK; /* has its turn first */
        return x.present ? write_carrier(&x) : LP_OK;
    }
    if (strcmp(x.prefix, "sc") == 0) {
        rc = x.present ? clear_channels(&x) : LP_OK;
        return rc == LP_OK ? write_channel(&x) : rc;
    }
    return write_object(&x);
}

/* Carriers go dark, and those that nobody wants are cleaned, before anything else moves. */
static enum lp_code
plan_dark(struct ir_planner *p, const json_t *moving)
{
    enum lp_code rc = LP_OK;
    const char *reference, *name;
    json_t *wish_;

    json_object_foreach(p->wishes, reference, wish_)
    {
        struct object_plan x;

        if (rc != LP_OK || !ir_reference(reference, "oc", &name))
            continue;
        rc = object_of(p, reference, moving, &x);
        if (rc == LP_OK)
            rc = darken(&x);
        if (rc == LP_OK && !x.present && x.actual != NULL
            && (lp_json_str(x.actual, "label", "")[0] != '\0'))
            rc = clean_carrier(&x);
    }
    return rc;
}

/* What is removed goes in the reverse order of how it is made. */
static enum lp_code
plan_all(struct ir_planner *p, const json_t *moving)
{
    static const char *const making[] = {"port", "tom", "scg", "sc", "oc", "ptp", "eth"};
    enum lp_code rc = LP_OK;

    for (int present = 0; present < 2; present++) {
        for (size_t i = 0; i < LP_COUNT(making); i++) {
            const char *prefix = making[present ? i : LP_COUNT(making) - 1 - i], *reference, *name;
            json_t *wish_;

            json_object_foreach(p->wishes, reference, wish_)
            {
                if (rc == LP_OK && (int)lp_json_true(wish_, "present") == present
                    && ir_reference(reference, prefix, &name))
                    rc = plan_object(p, reference, moving);
            }
        }
    }
    return rc;
}

enum lp_code
g42_plan(struct ir_planner *p)
{
    json_auto_t *moving = json_object();
    enum lp_code rc = collect(p);

    if (rc == LP_OK)
        rc = find_moving(p, moving);
    if (rc == LP_OK)
        rc = g42_plan_xc(p, moving);
    if (rc == LP_OK)
        rc = plan_dark(p, moving);
    return rc == LP_OK ? plan_all(p, moving) : rc;
}
