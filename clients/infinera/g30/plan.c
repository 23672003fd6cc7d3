/* From intents to operations on a G30. */
#include <ctype.h>
#include <string.h>

#include "clients/infinera/g30/g30.h"

#define UNUSED "not-applicable" /* port-mode of a port without a job */

/* ---- wishes ---- */

static enum lp_code
check_port(struct ir_planner *p, const json_t *intent, const char **name)
{
    struct g30_port port;

    *name = lp_json_str(intent, "port", "");
    if (!g30_port_parse(*name, &port))
        return ir_bad_intent(p, intent, LP_INVALID, "its port is no port of a G30");
    return LP_OK;
}

static enum lp_code
put_admin(struct ir_planner *p, const json_t *intent, json_t *attrs)
{
    static const char *const names[][2] = {
        {"up", "up"}, {"down", "down"}, {"maintenance", "up-no-alm"}};
    const char *admin = lp_json_str(intent, "admin", NULL);

    for (size_t i = 0; admin != NULL && i < LP_COUNT(names); i++) {
        if (strcmp(names[i][0], admin) == 0) {
            (void)lp_json_set_str(attrs, "admin-status", names[i][1]);
            return LP_OK;
        }
    }
    return admin == NULL ? LP_OK
                         : ir_bad_intent(p, intent, LP_INVALID, "admin is up, down or maintenance");
}

static enum lp_code
wish_port(struct ir_planner *p, const json_t *intent)
{
    json_auto_t *attrs = json_object();
    const char *name;
    enum lp_code rc = check_port(p, intent, &name);

    if (rc == LP_OK && !lp_json_true(intent, "present"))
        (void)lp_json_set_str(attrs, "service-label", "");
    else if (rc == LP_OK)
        rc = ir_set_label(p, intent, "service-label", attrs);
    if (rc == LP_OK && lp_json_true(intent, "present"))
        rc = put_admin(p, intent, attrs);
    return rc == LP_OK ? ir_wish(p, intent, ir_ref(p->arena, "port", name), lp_json_take(&attrs))
                       : rc;
}

/* ---- fibers ---- */

/* The text that `connected-to` holds. */
static const char *
connected_to(struct ir_planner *p, const json_t *intent)
{
    const json_t *peer = json_object_get(intent, "peer");
    const char *port = lp_json_str(peer, "port", ""), *node = lp_json_str(peer, "node", "");

    if (lp_json_true(intent, "same_element"))
        return lp_arena_printf(p->arena, "patched to %s", port);
    return lp_arena_printf(p->arena, "%s %s", lp_json_str(peer, "fqdn", node), port);
}

/* An amplifier card towards another G30: its booster and pre-amplifier, by the design of the span;
 * without one they stay as they are. */
static enum lp_code
wish_amplifiers(struct ir_planner *p, const json_t *intent, const struct g30_port *port)
{
    int64_t gain = lp_json_int(intent, "gain_cdb", -1), voa = lp_json_int(intent, "voa_cdb", -1);
    json_auto_t *booster = NULL, *pre = NULL;
    enum lp_code rc;

    if (gain < 0 || voa < 0)
        return LP_OK;
    booster =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "admin-status", "up",
                  "amplifier-enable", "enabled", "input-los-shutdown", "disabled", "control-mode",
                  "manual", "gain-range-control", "manual", "target-gain-range", "standard",
                  "tilt-control-mode", "manual", "gain-tilt", "0", "target-gain",
                  ir_decimal(p->arena, gain), "output-voa", ir_decimal(p->arena, voa));
    pre = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "admin-status", "up", "amplifier-enable",
                    "enabled", "input-los-shutdown", "disabled", "control-mode", "auto",
                    "gain-range-control", "auto", "target-gain-range", "standard",
                    "tilt-control-mode", "auto");
    rc = ir_wish(
        p, intent,
        lp_arena_printf(p->arena, "amp:%u/%u.%u/ba", port->shelf, port->slot, port->subslot - 1),
        lp_json_take(&booster));
    if (rc == LP_OK)
        rc = ir_wish(
            p, intent,
            lp_arena_printf(p->arena, "amp:%u/%u.%u/pa", port->shelf, port->slot, port->subslot),
            lp_json_take(&pre));
    return rc;
}

static enum lp_code
wish_fiber_end(struct ir_planner *p, const json_t *intent)
{
    const json_t *peer = json_object_get(intent, "peer");
    json_auto_t *attrs = json_object();
    const char *name, *platform = lp_json_str(peer, "platform", "");
    struct g30_port port;
    enum lp_code rc = check_port(p, intent, &name);

    if (rc != LP_OK || !g30_port_parse(name, &port))
        return rc;
    if (!lp_json_true(intent, "present")) {
        (void)lp_json_set_str(attrs, "connected-to", "");
        if (port.subslot == 0) {
            (void)lp_json_set_str(attrs, "external-connectivity", "no");
            (void)lp_json_set_str(attrs, "service-label", "");
            (void)lp_json_set_str(attrs, "admin-status", "down");
            (void)lp_json_set_str(attrs, "port-mode", UNUSED);
        }
        return ir_wish(p, intent, ir_ref(p->arena, "port", name), lp_json_take(&attrs));
    }
    if (lp_json_str(peer, "port", "")[0] == '\0'
        || (lp_json_str(peer, "node", "")[0] == '\0' && !lp_json_true(intent, "same_element")))
        return ir_bad_intent(p, intent, LP_INVALID, "a fiber end needs peer.node and peer.port");
    (void)lp_json_set_str(attrs, "connected-to", connected_to(p, intent));
    (void)lp_json_set_str(attrs, "external-connectivity",
                          lp_json_true(intent, "same_element") ? "no" : "yes");
    (void)lp_json_set_str(attrs, "admin-status", "up");
    rc = ir_wish(p, intent, ir_ref(p->arena, "port", name), lp_json_take(&attrs));
    if (rc == LP_OK && port.subslot > 1
        && (strcmp(platform, "infinera-g30") == 0 || strcmp(platform, "Groove G30") == 0)
        && !lp_json_true(intent, "same_element"))
        rc = wish_amplifiers(p, intent, &port);
    return rc;
}

/* ---- lines and clients ---- */

static enum lp_code
check_mode(struct ir_planner *p, const json_t *intent, const char *port)
{
    const char *mode = lp_json_str(intent, "mode", "");
    const json_t *card = NULL;
    const struct ir_mode *rows;
    size_t count = 0;
    enum lp_code rc = ir_get(p, ir_ref(p->arena, "card", g30_card_of(p->arena, port)), &card);

    if (rc != LP_OK)
        return rc;
    rows = g30_modes(lp_json_str(card, "required-type", ""), &count);
    if (rows == NULL)
        return ir_bad_intent(p, intent, LP_UNSUPPORTED,
                             lp_arena_printf(p->arena, "port %s is on a card '%s' without lines",
                                             port, lp_json_str(card, "required-type", "?")));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].id, mode) == 0)
            return LP_OK;
    }
    return ir_bad_intent(p, intent, LP_INVALID,
                         lp_arena_printf(p->arena, "a %s has no mode '%.40s'",
                                         lp_json_str(card, "required-type", ""), mode));
}

static enum lp_code
check_power(struct ir_planner *p, const json_t *intent, int64_t power)
{
    if (power >= G30_POWER_MIN_CDBM && power <= G30_POWER_MAX_CDBM)
        return LP_OK;
    return ir_bad_intent(p, intent, LP_INVALID, "its transmit power is outside -10.00 to 6.00 dBm");
}

static enum lp_code
wish_och(struct ir_planner *p, const json_t *intent, const char *port, int64_t center)
{
    const char *label = lp_json_str(intent, "label", "");
    int64_t power = lp_json_int(intent, "power_cdbm", 0);
    json_t *attrs;

    if (center <= 0)
        return ir_bad_intent(p, intent, LP_INVALID, "a line needs center_mhz");
    if (json_object_get(intent, "power_cdbm") != NULL && check_power(p, intent, power) != LP_OK)
        return p->err->code;
    attrs = json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s}", "frequency", (json_int_t)center,
                      "rx-frequency", (json_int_t)center, "service-label", label, "admin-status",
                      "up", "loopback-enable", "disabled", "loopback-type", "none", "laser-enable",
                      lp_json_true(intent, "laser") ? "enabled" : "disabled");
    if (json_object_get(intent, "power_cdbm") != NULL)
        (void)lp_json_set_str(attrs, "required-tx-optical-power", ir_decimal(p->arena, power));
    return ir_wish(p, intent, ir_ref(p->arena, "och", port), attrs);
}

static enum lp_code
wish_unused(struct ir_planner *p, const json_t *intent, const char *port)
{
    bool cabled = false;
    enum lp_code rc = ir_is_cabled(p, port, &cabled);

    return rc == LP_OK ? ir_wish(p, intent, ir_ref(p->arena, "port", port),
                                 json_pack("{s:s, s:s, s:s}", "port-mode", UNUSED, "admin-status",
                                           cabled ? "up" : "down", "service-label", ""))
                       : rc;
}

static enum lp_code
wish_line_port(struct ir_planner *p, const json_t *intent, const char *port, int64_t center)
{
    json_auto_t *attrs = NULL;
    enum lp_code rc;

    if (!lp_json_true(intent, "present")) {
        rc = ir_wish(p, intent, ir_ref(p->arena, "och", port),
                     json_pack("{s:s, s:s}", "laser-enable", "disabled", "service-label", ""));
        return rc == LP_OK ? wish_unused(p, intent, port) : rc;
    }
    rc = check_mode(p, intent, port);
    attrs =
        json_pack("{s:s, s:s}", "port-mode", lp_json_str(intent, "mode", ""), "admin-status", "up");
    if (rc == LP_OK)
        rc = ir_set_label(p, intent, "service-label", attrs);
    if (rc == LP_OK)
        rc = ir_wish(p, intent, ir_ref(p->arena, "port", port), lp_json_take(&attrs));
    return rc == LP_OK ? wish_och(p, intent, port, center) : rc;
}

static enum lp_code
wish_line(struct ir_planner *p, const json_t *intent)
{
    const json_t *carriers = json_object_get(intent, "carriers");
    enum lp_code rc = LP_OK;
    struct g30_port port;
    const char *name;
    json_t *item;
    size_t i;

    if (json_array_size(carriers) == 0) {
        rc = check_port(p, intent, &name);
        return rc == LP_OK ? wish_line_port(p, intent, name, lp_json_int(intent, "center_mhz", 0))
                           : rc;
    }
    json_array_foreach((json_t *)(uintptr_t)carriers, i, item)
    {
        name = lp_json_str(item, "port", lp_json_str(intent, "port", ""));
        if (rc == LP_OK && !g30_port_parse(name, &port))
            rc = ir_bad_intent(p, intent, LP_INVALID, "a carrier's port is no port of a G30");
        if (rc == LP_OK)
            rc = wish_line_port(
                p, intent, name,
                lp_json_int(item, "center_mhz", lp_json_int(intent, "center_mhz", 0)));
    }
    return rc;
}

static enum lp_code
wish_eth(struct ir_planner *p, const json_t *intent, const char *port, const char *rate)
{
    static const struct ir_kept mapping[] = {{"mapping-mode", "GMP"}}; /* of a new one, too */
    const char *reference = ir_ref(p->arena, g30_container(rate), port);
    json_t *attrs =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "eth-fec-type",
                  strcmp(rate, "400GE") == 0 ? "enabled" : "auto", "admin-status", "up",
                  "client-shutdown", "no", "loopback-enable", "disabled", "test-signal-enable",
                  "NONE", "service-label", lp_json_str(intent, "label", ""));

    enum lp_code rc = ir_keep(p, reference, mapping, LP_COUNT(mapping), attrs);

    if (rc == LP_OK)
        return ir_wish(p, intent, reference, attrs);
    json_decref(attrs);
    return rc;
}

/* The pluggable of a client is up; that is said only where it is not. */
static enum lp_code
wish_pluggable(struct ir_planner *p, const json_t *intent, const char *port)
{
    static const struct ir_kept up[] = {{"admin-status", "up"}};
    const char *reference = ir_ref(p->arena, "pluggable", port);
    json_auto_t *attrs = json_object();
    enum lp_code rc = ir_keep(p, reference, up, LP_COUNT(up), attrs);

    return rc == LP_OK && json_object_size(attrs) > 0
               ? ir_wish(p, intent, reference, lp_json_take(&attrs))
               : rc;
}

static enum lp_code
wish_client(struct ir_planner *p, const json_t *intent)
{
    const char *rate = lp_json_str(intent, "rate", ""), *name;
    json_auto_t *attrs = NULL;
    enum lp_code rc = check_port(p, intent, &name);

    if (rc != LP_OK)
        return rc;
    if (!lp_json_true(intent, "present"))
        return wish_unused(p, intent, name);
    if (g30_client_mode(rate) == NULL)
        return ir_bad_intent(p, intent, LP_INVALID, "its rate is 100GE or 400GE");
    attrs = json_pack("{s:s, s:s}", "port-mode", g30_client_mode(rate), "admin-status", "up");
    rc = ir_set_label(p, intent, "service-label", attrs);
    if (rc == LP_OK)
        rc = ir_wish(p, intent, ir_ref(p->arena, "port", name), lp_json_take(&attrs));
    if (rc == LP_OK)
        rc = wish_pluggable(p, intent, name);
    return rc == LP_OK ? wish_eth(p, intent, name, rate) : rc;
}

static enum lp_code
wish_power(struct ir_planner *p, const json_t *intent)
{
    int64_t power = lp_json_int(intent, "target_cdbm", INT32_MAX);
    const char *name;
    enum lp_code rc = check_port(p, intent, &name);

    if (rc != LP_OK || !lp_json_true(intent, "present"))
        return rc;
    rc = check_power(p, intent, power);
    return rc == LP_OK ? ir_wish(
               p, intent, ir_ref(p->arena, "och", name),
               json_pack("{s:s}", "required-tx-optical-power", ir_decimal(p->arena, power)))
                       : rc;
}

/* In this order: what a fiber wants of a port comes behind what a service wants of it. */
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

/* What hangs on a port and comes and goes with its mode. */
static const char *const children[] = {"och", "eth100g", "eth400g"};

/* Everything of one port. */
struct port_plan {
    struct ir_planner *p;
    const char *name, *reference;
    const json_t *wish;
    bool moves; /* its mode changes */
};

static struct ir_op
op_for(const json_t *wish, const char *object)
{
    return (struct ir_op){.phase =
                              lp_json_true(wish, "present") ? LP_PHASE_PREPARE : LP_PHASE_CLEAN,
                          .object = object,
                          .intent = lp_json_str(wish, "intent", "")};
}

/* {port: true} of the ports whose mode changes. */
static enum lp_code
find_moving(struct ir_planner *p, json_t *moving)
{
    const struct ir_class *class = ir_class_find(p->platform, "port");
    const char *reference, *name;
    enum lp_code rc = LP_OK;
    json_t *wish;

    json_object_foreach(p->wishes, reference, wish)
    {
        const json_t *actual = NULL;

        if (rc != LP_OK || !ir_reference(reference, "port", &name))
            continue;
        rc = ir_get(p, reference, &actual);
        if (rc == LP_OK && actual != NULL
            && ir_needs_oos(class, json_object_get(wish, "attrs"), actual))
            (void)json_object_set_new(moving, name, json_true());
    }
    return rc;
}

static enum lp_code
set_laser(const struct port_plan *x, const json_t *wish, const char *object, const char *to)
{
    const bool on = strcmp(to, "enabled") == 0;
    json_auto_t *after = json_pack("{s:s}", "laser-enable", to), *before = NULL;
    const json_t *actual = NULL;
    struct ir_op op = op_for(wish, object);
    enum lp_code rc = ir_get(x->p, object, &actual);

    if (rc != LP_OK)
        return rc;
    if (actual != NULL && strcmp(lp_json_str(actual, "laser-enable", ""), to) == 0)
        return LP_OK;
    before = ir_slice(actual, after);
    if (lp_json_str(before, "laser-enable", "")[0] == '\0') /* it appears dark */
        (void)lp_json_set_str(before, "laser-enable", "disabled");
    op.phase = on ? LP_PHASE_LIGHT : LP_PHASE_DARK;
    op.action = "set";
    op.before = on && x->moves ? NULL : before;
    op.restore = before;
    op.after = after;
    op.flags = LP_OP_TRAFFIC;
    op.text = lp_arena_printf(x->p->arena, "laser of %s %s", x->name, on ? "on" : "off");
    return ir_add(x->p, &op);
}

/* Dark before its mode or frequency changes, and when nobody wants it to shine. */
static enum lp_code
darken(const struct port_plan *x)
{
    const char *object = ir_ref(x->p->arena, "och", x->name);
    const json_t *wish = ir_wished(x->p, object), *attrs = json_object_get(wish, "attrs");
    const json_t *actual = NULL;
    enum lp_code rc = ir_get(x->p, object, &actual);
    bool retuned;

    if (rc != LP_OK || actual == NULL)
        return rc;
    retuned =
        json_object_get(attrs, "frequency") != NULL
        && !ir_same(json_object_get(attrs, "frequency"), json_object_get(actual, "frequency"));
    if (strcmp(lp_json_str(actual, "laser-enable", ""), "enabled") != 0
        || !(x->moves || retuned
             || strcmp(lp_json_str(attrs, "laser-enable", ""), "disabled") == 0))
        return LP_OK;
    return set_laser(x, wish != NULL ? wish : x->wish, object, "disabled");
}

/* What goes with the port's mode is remembered, so that undoing brings it back as it was. */
static enum lp_code
clean_child(const struct port_plan *x, const char *object, const struct ir_class *class,
            const json_t *actual)
{
    const json_t *wish = ir_wished(x->p, object);
    json_auto_t *restore = ir_writable(class, actual, true), *before = NULL;
    json_auto_t *after = json_pack("{s:s}", "service-label", "");
    struct ir_op op = op_for(wish != NULL ? wish : x->wish, object);

    (void)json_object_del(restore, "laser-enable"); /* the first to go off, the last to come back */
    op.phase = LP_PHASE_CLEAN;
    op.action = "set";
    op.before = before = ir_slice(actual, after);
    op.after = after;
    op.restore = restore;
    op.purpose = "before it goes";
    op.text = lp_arena_printf(x->p->arena, "clear the label of %s", object);
    return ir_add(x->p, &op);
}

static bool
leaves_service(const struct port_plan *x)
{
    const json_t *attrs = json_object_get(x->wish, "attrs");

    return x->moves && strcmp(lp_json_str(attrs, "port-mode", ""), UNUSED) == 0;
}

static enum lp_code
clean_children(const struct port_plan *x)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(children); i++) {
        const char *object = ir_ref(x->p->arena, children[i], x->name);
        const json_t *actual = NULL;

        rc = ir_get(x->p, object, &actual);
        if (rc == LP_OK && actual != NULL)
            rc = clean_child(x, object, ir_class_find(x->p->platform, children[i]), actual);
    }
    return rc;
}

/* The child as it will be written; its laser has its own place at the end. */
static enum lp_code
write_child(const struct port_plan *x, const char *object, const char *prefix)
{
    const struct ir_class *class = ir_class_find(x->p->platform, prefix);
    const json_t *wish = ir_wished(x->p, object), *actual = NULL;
    json_auto_t *attrs = NULL, *restore = NULL;
    struct ir_op op = op_for(wish, object);
    enum lp_code rc = ir_get(x->p, object, &actual);

    if (rc != LP_OK || (actual == NULL && !lp_json_true(wish, "present")))
        return rc;
    attrs = json_deep_copy(json_object_get(wish, "attrs"));
    (void)json_object_del(attrs, "laser-enable");
    if (actual == NULL && !x->moves)
        return lp_fail(x->p->err, LP_NOT_FOUND, "%s: %s has no %s", x->p->source->name, x->name,
                       prefix);
    if (actual != NULL && !x->moves)
        return ir_edit(x->p, &op, attrs);
    if (actual != NULL)
        restore = ir_writable(class, actual, true);
    (void)json_object_del(restore, "laser-enable");
    op.restore = restore;
    return ir_write_later(x->p, &op, attrs);
}

static enum lp_code
write_children(const struct port_plan *x)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(children); i++) {
        const char *object = ir_ref(x->p->arena, children[i], x->name);
        const json_t *wish = ir_wished(x->p, object);

        if (wish == NULL || (leaves_service(x) && !lp_json_true(wish, "present")))
            continue;
        rc = write_child(x, object, children[i]);
        if (rc == LP_OK
            && strcmp(lp_json_str(json_object_get(wish, "attrs"), "laser-enable", ""), "enabled")
                   == 0)
            rc = set_laser(x, wish, object, "enabled");
    }
    return rc;
}

static enum lp_code
write_port(const struct port_plan *x)
{
    const json_t *actual = NULL;
    struct ir_op op;
    enum lp_code rc;

    if (x->wish == NULL)
        return LP_OK;
    op = op_for(x->wish, x->reference);
    rc = ir_get(x->p, x->reference, &actual);
    if (rc == LP_OK && actual == NULL && !lp_json_true(x->wish, "present"))
        return LP_OK; /* gone with its card */
    return rc == LP_OK ? ir_edit(x->p, &op, json_object_get(x->wish, "attrs")) : rc;
}

static enum lp_code
plan_port(struct ir_planner *p, const char *name, const json_t *moving)
{
    const char *reference = ir_ref(p->arena, "port", name);
    const struct port_plan x = {.p = p,
                                .name = name,
                                .reference = reference,
                                .wish = ir_wished(p, reference),
                                .moves = json_object_get(moving, name) != NULL};
    enum lp_code rc = darken(&x);

    if (rc == LP_OK && leaves_service(&x))
        rc = clean_children(&x);
    if (rc == LP_OK)
        rc = write_port(&x);
    return rc == LP_OK ? write_children(&x) : rc;
}

/* Amplifiers and pluggables: no mode of a port makes them come and go. */
static enum lp_code
plan_plain(struct ir_planner *p, const char *reference, const json_t *wish)
{
    const struct ir_op like = {.phase = LP_PHASE_PREPARE,
                               .object = reference,
                               .intent = lp_json_str(wish, "intent", ""),
                               .flags = LP_OP_TRAFFIC};

    return ir_edit(p, &like, json_object_get(wish, "attrs"));
}

enum lp_code
g30_plan(struct ir_planner *p)
{
    json_auto_t *moving = json_object(), *done = json_object();
    const char *reference, *name = NULL;
    enum lp_code rc = collect(p);
    json_t *wish;

    if (rc == LP_OK)
        rc = find_moving(p, moving);
    if (rc == LP_OK)
        rc = g30_plan_xc(p, moving);
    json_object_foreach(p->wishes, reference, wish)
    {
        const char *prefix = ir_cut(p->arena, reference, ':', &name);

        if (rc != LP_OK)
            continue;
        if (strcmp(prefix, "amp") == 0 || strcmp(prefix, "pluggable") == 0) {
            rc = plan_plain(p, reference, wish);
            continue;
        }
        if (json_object_get(done, name) == NULL)
            rc = plan_port(p, name, moving);
        (void)json_object_set_new(done, name, json_true());
    }
    return rc;
}
