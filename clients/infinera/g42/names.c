/* Names, paths, classes of objects and their leaves. */
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/g42/g42.h"

/* ---- names ---- */

const char *
g42_card_of(struct lp_arena *arena, const char *aid, const char **port)
{
    const char *dash = strrchr(aid, '-'), *first = strchr(aid, '-');

    if (dash == NULL || first == dash || (dash[1] != 'L' && dash[1] != 'T')
        || dash[2 + strspn(dash + 2, "0123456789.")] != '\0' || dash[2] == '\0'
        || (size_t)(dash - aid) != strspn(aid, "0123456789-") - 1)
        return NULL;
    *port = dash + 1;
    return lp_arena_strndup(arena, aid, (size_t)(dash - aid));
}

const char *
g42_super_channel(struct lp_arena *arena, const char *const *ports, size_t count)
{
    const char *name = count > 0 ? ports[0] : "";

    for (size_t i = 1; i < count && name != NULL; i++)
        name = lp_arena_printf(arena, "%s_%s", name, ports[i]);
    return name != NULL ? name : "";
}

const char *
g42_carrier(struct lp_arena *arena, const char *port)
{
    const char *name = lp_arena_printf(arena, "%s-1", port);

    return name != NULL ? name : "";
}

/* ---- tables ---- */

/* clang-format off */
#define ADMIN {"admin-state", IR_ENUM, IR_TRAFFIC, "lock|unlock|maintenance", 0, 0}
#define LABEL {"label", IR_TEXT, 0, NULL, 0, 256}
#define ALARM {"alarm-report-control", IR_ENUM, 0, "allowed|inhibited", 0, 0}
#define OPER  {"oper-state", IR_TEXT, IR_READ_ONLY, NULL, 0, 0}
static const struct ir_leaf port_leaves[] = {
    ADMIN, LABEL, ALARM, OPER,
    {"connected-to", IR_TEXT, 0, NULL, 0, 255},
    {"external-connectivity", IR_ENUM, 0, "yes|no", 0, 0},
    {"port-type", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"installed-type", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
};
static const struct ir_leaf tom_leaves[] = {
    {"required-type", IR_TEXT, IR_GUARDED, NULL, 0, 64},
    {"required-subtype", IR_TEXT, IR_GUARDED, NULL, 0, 64},
    {"phy-mode", IR_TEXT, IR_GUARDED, NULL, 0, 32},
    ADMIN, LABEL, ALARM, OPER,
};
static const struct ir_leaf scg_leaves[] = {
    {"line-system-mode", IR_ENUM, 0, "openwave|managed", 0, 0},
    ADMIN, LABEL, ALARM, OPER,
};
static const struct ir_leaf sc_leaves[] = {
    {"carrier-mode", IR_ENUM, IR_GUARDED, NULL, 0, 0},
    {"carriers", IR_SET, IR_GUARDED, NULL, 0, 0},
    {"spectral-bandwidth", IR_DECIMAL, IR_READ_ONLY, NULL, 0, 0},
    ADMIN, LABEL, ALARM, OPER,
};
static const struct ir_leaf oc_leaves[] = {
    {"frequency", IR_INT, IR_TRAFFIC | IR_AS_TEXT, NULL, 0, 196125000},
    {"frequency-offset", IR_INT, IR_TRAFFIC, NULL, -6000, 6000},
    {"tx-cd", IR_DECIMAL, IR_TRAFFIC, NULL, -21100000, 21100000},
    {"tx-power", IR_DECIMAL, IR_TRAFFIC, NULL, G42_POWER_MIN_CDBM, G42_POWER_MAX_CDBM},
    ADMIN, LABEL, ALARM, OPER,
};
static const struct ir_leaf ptp_leaves[] = {
    {"service-type", IR_TEXT, IR_GUARDED, NULL, 0, 32},
    ADMIN, LABEL, ALARM, OPER,
};
static const struct ir_leaf eth_leaves[] = {
    {"fec-mode", IR_ENUM, IR_TRAFFIC, "enabled|disabled", 0, 0},
    {"loopback", IR_ENUM, IR_TRAFFIC, "none|terminal|facility", 0, 0},
    {"test-signal-type", IR_ENUM, IR_TRAFFIC, "none|prbs|square-wave", 0, 0},
    {"test-signal-direction", IR_ENUM, IR_TRAFFIC, "ingress|egress", 0, 0},
    {"test-signal-monitoring", IR_ENUM, IR_TRAFFIC | IR_AS_BOOL, "true|false", 0, 0},
    {"lldp-admin-status", IR_ENUM, 0, "disabled|rx-only|tx-and-rx", 0, 0},
    {"lldp-ingress-mode", IR_ENUM, 0, "snoop|forward", 0, 0},
    {"lldp-egress-mode", IR_ENUM, 0, "snoop|forward", 0, 0},
    ADMIN, LABEL, ALARM, OPER,
};
static const struct ir_leaf card_leaves[] = {
    {"required-type", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
    {"required-subtype", IR_TEXT, IR_READ_ONLY, NULL, 0, 0},
};
#define NE "ioa-network-element:"
#define STATES "admin-state", "unlock", "lock"
#define LEAVES(list) list, LP_COUNT(list)
static const struct ir_class classes[] = {
    {"port", NE "port", "name", false, STATES, LEAVES(port_leaves)},
    {"tom", NE "tom", NULL, false, STATES, LEAVES(tom_leaves)},
    {"scg", NE "super-channel-group", "name", false, STATES, LEAVES(scg_leaves)},
    {"sc", NE "super-channel", "name", false, STATES, LEAVES(sc_leaves)},
    {"oc", NE "optical-carrier", "name", false, STATES, LEAVES(oc_leaves)},
    {"ptp", NE "trib-ptp", "name", false, STATES, LEAVES(ptp_leaves)},
    {"eth", NE "ethernet", "name", false, STATES, LEAVES(eth_leaves)},
    {"card", NE "card", "name", false, NULL, NULL, NULL, LEAVES(card_leaves)},
};
/* clang-format on */

static enum lp_code
locate_on_card(struct lp_arena *arena, const char *name, struct ir_place *out, struct lp_err *err)
{
    const char *port = NULL, *card = g42_card_of(arena, name, &port);

    if (card == NULL)
        return lp_fail(err, LP_INVALID, "'%.60s' is no port: they are called 1-4-L1 or 1-4-T12",
                       name);
    out->path =
        lp_arena_printf(arena, "%s/equipment/card=%s/port=%s%s", G42_NE, ir_encode(arena, card),
                        ir_encode(arena, port), out->class->key == NULL ? "/tom" : "");
    out->key = port;
    return LP_OK;
}

static enum lp_code
locate(struct lp_arena *arena, const char *reference, struct ir_place *out, struct lp_err *err)
{
    const char *name = NULL, *prefix = ir_cut(arena, reference, ':', &name);
    const struct ir_class *class = ir_class_find(&g42_platform, prefix);
    enum lp_code rc = LP_OK;

    if (class == NULL || name == NULL || name[0] == '\0')
        return lp_fail(err, LP_INVALID, "'%.80s' is no object of a G42", reference);
    *out = (struct ir_place){.class = class, .key = name};
    if (strcmp(prefix, "port") == 0 || strcmp(prefix, "tom") == 0)
        rc = locate_on_card(arena, name, out, err);
    else if (strcmp(prefix, "card") == 0)
        out->path = lp_arena_printf(arena, "%s/equipment/card=%s", G42_NE, ir_encode(arena, name));
    else
        out->path = lp_arena_printf(arena, "%s/%s=%s", G42_FACILITIES, strchr(class->node, ':') + 1,
                                    ir_encode(arena, name));
    if (strcmp(prefix, "sc") == 0)
        out->parent = G42_FACILITIES;
    return rc != LP_OK || out->path != NULL ? rc : lp_fail(err, LP_NOMEM, "no memory for a path");
}

/* "power:1-4-L1": what the transmit power is and may be. */
static enum lp_code
read_power(const struct ir_source *source, struct lp_arena *arena, const char *port, json_t **out,
           struct lp_err *err)
{
    json_auto_t *carrier = NULL;
    int64_t power = 0;
    enum lp_code rc = ir_read(&g42_platform, source, arena,
                              ir_ref(arena, "oc", g42_carrier(arena, port)), &carrier, err);

    *out = NULL;
    if (rc != LP_OK || carrier == NULL)
        return rc;
    *out = json_pack("{s:i, s:i}", "min_cdbm", G42_POWER_MIN_CDBM, "max_cdbm", G42_POWER_MAX_CDBM);
    if (ir_hundredths(json_object_get(carrier, "tx-power"), &power)) {
        (void)lp_json_set_int(*out, "tx_cdbm", power);
        (void)lp_json_set_int(*out, "required_cdbm", power);
    }
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
    return xc ? g42_xc_read(source, arena, name, out, err)
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

const struct ir_platform g42_platform = {
    .driver = "infinera-g42",
    .platform = "GX G42",
    .speaks = "a GX G42 has ports, fiber ends, lines, clients, cross-connects, transmit power "
              "and software, nothing else",
    .classes = classes,
    .class_count = LP_COUNT(classes),
    .locate = locate,
    .knows = knows,
    .plan = g42_plan,
    .special_read = special_read,
    .special_write = g42_xc_write,
    .software = &g42_software,
    .alarmed = g42_alarmed,
};
