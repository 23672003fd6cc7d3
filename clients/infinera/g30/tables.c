/* Classes of objects and their leaves; where they are. */
#include <string.h>

#include "clients/infinera/g30/g30.h"

/* clang-format off */
static const struct ir_leaf port_leaves[] = {
    {"port-mode", IR_ENUM, IR_GUARDED, NULL, 0, 0},
    {"admin-status", IR_ENUM, IR_TRAFFIC, "up|down|up-no-alm", 0, 0},
    {"service-label", IR_TEXT, 0, NULL, 0, 128},
    {"connected-to", IR_TEXT, 0, NULL, 0, 255},
    {"external-connectivity", IR_ENUM, 0, "yes|no", 0, 0},
    {"alias-name", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"port-type", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"oper-status", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"actual-pluggable-type", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"rx-optical-power", IR_DECIMAL, IR_READ_ONLY, NULL, 0, 0},
    {"tx-optical-power", IR_DECIMAL, IR_READ_ONLY, NULL, 0, 0},
};
static const struct ir_leaf och_leaves[] = {
    {"frequency", IR_INT, IR_TRAFFIC, NULL, 0, 197000000},
    {"rx-frequency", IR_INT, IR_TRAFFIC, NULL, 0, 197000000},
    {"service-label", IR_TEXT, 0, NULL, 0, 128},
    {"admin-status", IR_ENUM, IR_TRAFFIC, "up|down|up-no-alm", 0, 0},
    {"laser-enable", IR_ENUM, IR_TRAFFIC, "enabled|disabled", 0, 0},
    {"loopback-enable", IR_ENUM, IR_TRAFFIC, "enabled|disabled", 0, 0},
    {"loopback-type", IR_ENUM, IR_TRAFFIC, "none|terminal|facility", 0, 0},
    {"required-tx-optical-power", IR_DECIMAL, IR_TRAFFIC, NULL, G30_POWER_MIN_CDBM, G30_POWER_MAX_CDBM},
    {"actual-tx-optical-power", IR_DECIMAL, IR_READ_ONLY, NULL, 0, 0},
    {"rx-optical-power", IR_DECIMAL, IR_READ_ONLY, NULL, 0, 0},
    {"fec-type", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"modulation-format", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"rate-class", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"Q-factor", IR_DECIMAL, IR_READ_ONLY, NULL, 0, 0},
    {"OSNR", IR_DECIMAL, IR_READ_ONLY, NULL, 0, 0},
    {"avail-status", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
};
static const struct ir_leaf eth_leaves[] = {
    {"admin-status", IR_ENUM, IR_TRAFFIC, "up|down|up-no-alm", 0, 0},
    {"service-label", IR_TEXT, 0, NULL, 0, 128},
    {"eth-fec-type", IR_ENUM, IR_TRAFFIC, "auto|enabled|disabled", 0, 0},
    {"mapping-mode", IR_ENUM, IR_TRAFFIC, NULL, 0, 0},
    {"client-shutdown", IR_ENUM, IR_TRAFFIC, "yes|no", 0, 0},
    {"loopback-enable", IR_ENUM, IR_TRAFFIC, "enabled|disabled", 0, 0},
    {"loopback-type", IR_ENUM, IR_TRAFFIC, "none|terminal|facility", 0, 0},
    {"test-signal-enable", IR_TEXT, IR_TRAFFIC, NULL, 0, 32},
};
static const struct ir_leaf pluggable_leaves[] = {
    {"admin-status", IR_ENUM, IR_TRAFFIC, "up|down|up-no-alm", 0, 0},
};
static const struct ir_leaf amp_leaves[] = {
    {"admin-status", IR_ENUM, IR_TRAFFIC, "up|down|up-no-alm", 0, 0},
    {"amplifier-enable", IR_ENUM, IR_TRAFFIC, "enabled|disabled", 0, 0},
    {"input-los-shutdown", IR_ENUM, 0, "enabled|disabled", 0, 0},
    {"control-mode", IR_ENUM, IR_TRAFFIC, "manual|auto", 0, 0},
    {"gain-range-control", IR_ENUM, IR_TRAFFIC, "manual|auto", 0, 0},
    {"target-gain-range", IR_ENUM, IR_TRAFFIC, "standard|low|high", 0, 0},
    {"target-gain", IR_DECIMAL, IR_TRAFFIC, NULL, 0, 4000},
    {"output-voa", IR_DECIMAL, IR_TRAFFIC, NULL, 0, 3000},
    {"tilt-control-mode", IR_ENUM, 0, "manual|auto", 0, 0},
    {"gain-tilt", IR_DECIMAL, 0, NULL, -500, 500},
};
static const struct ir_leaf card_leaves[] = {
    {"required-type", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"card-mode", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"admin-status", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
};
#define LEAVES(list) list, LP_COUNT(list)
static const struct ir_class classes[] = {
    {"port", "ne:port", "port-id", true, "admin-status", "up", "down", LEAVES(port_leaves)},
    {"subport", "ne:subport", "subport-id", true, "admin-status", "up", "down", LEAVES(port_leaves)},
    {"och", "ne:och-os", NULL, false, NULL, NULL, NULL, LEAVES(och_leaves)},
    {"eth100g", "ne:eth100g", NULL, false, NULL, NULL, NULL, LEAVES(eth_leaves)},
    {"eth400g", "ne:eth400g", NULL, false, NULL, NULL, NULL, LEAVES(eth_leaves)},
    {"pluggable", "ne:pluggable", NULL, false, NULL, NULL, NULL, LEAVES(pluggable_leaves)},
    {"amp", "ne:amplifier", "amplifier-name", false, NULL, NULL, NULL, LEAVES(amp_leaves)},
    {"card", "ne:card", NULL, false, NULL, NULL, NULL, LEAVES(card_leaves)},
};
/* clang-format on */

static enum lp_code
locate_amp(struct lp_arena *arena, const char *name, struct ir_place *out, struct lp_err *err)
{
    const char *slash = strrchr(name, '/');
    const char *slot = slash != NULL ? lp_arena_strndup(arena, name, (size_t)(slash - name)) : "";
    struct g30_port port;

    if (slash == NULL || !g30_port_parse(lp_arena_printf(arena, "port-%s/1", slot), &port)
        || port.subslot == 0)
        return lp_fail(err, LP_INVALID, "'%.60s' is no amplifier", name);
    out->key = slash + 1;
    out->path =
        lp_arena_printf(arena, "/data/ne:ne/shelf=%u/slot=%u/card/subslot=%u/subcard/amplifier=%s",
                        port.shelf, port.slot, port.subslot, ir_encode(arena, out->key));
    return LP_OK;
}

static enum lp_code
locate_card(struct lp_arena *arena, const char *name, struct ir_place *out, struct lp_err *err)
{
    const char *path = g30_card_path(arena, lp_arena_printf(arena, "port-%s/1", name));

    if (path == NULL)
        return lp_fail(err, LP_INVALID, "'%.60s' is no card", name);
    out->path = path;
    return LP_OK;
}

static enum lp_code
locate_port(struct lp_arena *arena, const char *name, struct ir_place *out, struct lp_err *err)
{
    const char *path = g30_port_path(arena, name), *node = strchr(out->class->node, ':') + 1;
    struct g30_port port;

    if (path == NULL || !g30_port_parse(name, &port))
        return lp_fail(err, LP_INVALID,
                       "'%.60s' is no port: they are called port-1/2/3, port-1/3.2/1 or "
                       "subport-1/3.2/1.4",
                       name);
    if (out->class->key == NULL) {
        out->path = lp_arena_printf(arena, "%s/%s", path, node);
        return LP_OK;
    }
    if (port.subport != 0)
        out->class = &classes[1];
    out->path = path;
    out->key = lp_arena_printf(arena, "%u", port.subport != 0 ? port.subport : port.port);
    return LP_OK;
}

static enum lp_code
locate(struct lp_arena *arena, const char *reference, struct ir_place *out, struct lp_err *err)
{
    const char *name = NULL, *prefix = ir_cut(arena, reference, ':', &name);
    const struct ir_class *class = ir_class_find(&g30_platform, prefix);
    enum lp_code rc;

    if (class == NULL || name == NULL)
        return lp_fail(err, LP_INVALID, "'%.80s' is no object of a G30", reference);
    *out = (struct ir_place){.class = class};
    if (strcmp(prefix, "amp") == 0)
        rc = locate_amp(arena, name, out, err);
    else if (strcmp(prefix, "card") == 0)
        rc = locate_card(arena, name, out, err);
    else
        rc = locate_port(arena, name, out, err);
    return rc != LP_OK || out->path != NULL ? rc : lp_fail(err, LP_NOMEM, "no memory for a path");
}

/* "power:port-1/2/1": what the transmit power is and may be. */
static enum lp_code
read_power(const struct ir_source *source, struct lp_arena *arena, const char *port, json_t **out,
           struct lp_err *err)
{
    json_auto_t *och = NULL;
    int64_t is = 0, wanted = 0;
    enum lp_code rc = ir_read(&g30_platform, source, arena, ir_ref(arena, "och", port), &och, err);

    *out = NULL;
    if (rc != LP_OK || och == NULL)
        return rc;
    *out = json_pack("{s:i, s:i}", "min_cdbm", G30_POWER_MIN_CDBM, "max_cdbm", G30_POWER_MAX_CDBM);
    if (ir_hundredths(json_object_get(och, "actual-tx-optical-power"), &is))
        (void)lp_json_set_int(*out, "tx_cdbm", is);
    if (ir_hundredths(json_object_get(och, "required-tx-optical-power"), &wanted))
        (void)lp_json_set_int(*out, "required_cdbm", wanted);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a document");
}

static enum lp_code
special_read(const struct ir_source *source, struct lp_arena *arena, const char *reference,
             bool *handled, json_t **out, struct lp_err *err)
{
    const char *name;
    bool xc = ir_reference(reference, "xc", &name);
    bool power = !xc && ir_reference(reference, "power", &name);

    *handled = xc || power;
    if (!*handled || source == NULL)
        return LP_OK;
    return xc ? g30_xc_read(source, arena, name, out, err)
              : read_power(source, arena, name, out, err);
}

static bool
knows(const char *kind)
{
    static const char *const kinds[] = {"port",   "fiber-end", "line",    "client",
                                        "odu-xc", "power",     "software"};

    for (size_t i = 0; i < LP_COUNT(kinds); i++) {
        if (strcmp(kinds[i], kind) == 0)
            return true;
    }
    return false;
}

const struct ir_platform g30_platform = {
    .driver = "infinera-g30",
    .platform = "Groove G30",
    .speaks = "a Groove G30 has ports, fiber ends, lines, clients, ODU cross-connects, transmit "
              "power and software, nothing else",
    .classes = classes,
    .class_count = LP_COUNT(classes),
    .locate = locate,
    .knows = knows,
    .plan = g30_plan,
    .special_read = special_read,
    .special_write = g30_xc_write,
    .software = &g30_software,
};
