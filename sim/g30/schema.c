/* The G30's datastore as tables. */
#include "sim/g30/g30.h"
#include "sim/rest/table.h"

#define UP_DOWN  "up|down|up-no-alm"
#define ON_OFF   "enabled|disabled"
#define LOOPBACK "none|terminal|facility"

#define LINE_MODES                                                                                 \
    "not-applicable|QPSK_100G|16QAM_200G|8QAM_300G|16QAM_300G|16QAM_32QAM_400G|16QAM_32QAM_500G|"  \
    "16QAM_32QAM_500G_C|16QAM_32QAM_900G_C|16QAM_400G|16QAM_500G_C|16QAM_700G_C|32QAM_200G|"       \
    "32QAM_300G|32QAM_400G|32QAM_500G|32QAM_64QAM_1100G_C|32QAM_64QAM_500G|32QAM_64QAM_600G|"      \
    "32QAM_64QAM_700G_C|32QAM_900G_C|64QAM_300G|64QAM_400G|64QAM_500G|64QAM_600G|QPSK_200G|"       \
    "QPSK_SP16QAM_200G|QPSK_SP16QAM_300G|QPSK_SP16QAM_300G_C|QPSK_SP16QAM_500G_C|"                 \
    "SP16QAM_16QAM_200G|SP16QAM_16QAM_300G|SP16QAM_16QAM_400G|SP16QAM_16QAM_700G_C|SP16QAM_200G|"  \
    "SP16QAM_300G|SP16QAM_300G_C|SP16QAM_500G_C|SPQPSK_100G|SPQPSK_QPSK_100G|SPQPSK_QPSK_200G"

static const struct sim_leaf odu_leaves[] = {
    LEAF("odutype-L1", TEXT, PLAIN), LEAF("oduid-L1", INT, PLAIN),
    LEAF("odutype-L2", TEXT, PLAIN), LEAF("oduid-L2", INT, PLAIN),
    LEAF("odutype-L3", TEXT, PLAIN), LEAF("oduid-L3", INT, PLAIN),
    LEAF("odutype-L4", TEXT, PLAIN), LEAF("oduid-L4", INT, PLAIN),
};
const struct sim_schema g30_odu = {.name = "odu",
                                   .keys = {"odutype-L1", "oduid-L1", "odutype-L2", "oduid-L2",
                                            "odutype-L3", "oduid-L3", "odutype-L4", "oduid-L4"},
                                   LEAVES(odu_leaves),
                                   .flags = SIM_S_LIST};
static const struct sim_schema *const odu_only[] = {&g30_odu, NULL};

static const struct sim_leaf otu_leaves[] = {
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "up")),
    LEAF("service-label", TEXT, CONFIG("")),
};
#define OTU(n)                                                                                     \
    {                                                                                              \
        .name = (n), LEAVES(otu_leaves), .children = odu_only                                      \
    }
const struct sim_schema g30_otu[G30_OTUS] = {
    OTU("otu4"),  OTU("otuc2"), OTU("otuc3"), OTU("otuc4"),  OTU("otuc5"), OTU("otuc6"),
    OTU("otuc7"), OTU("otuc8"), OTU("otuc9"), OTU("otuc10"), OTU("otuc11")};
static const struct sim_schema *const otu_all[] = {
    &g30_otu[0], &g30_otu[1], &g30_otu[2], &g30_otu[3], &g30_otu[4],  &g30_otu[5],
    &g30_otu[6], &g30_otu[7], &g30_otu[8], &g30_otu[9], &g30_otu[10], NULL};

static const struct sim_leaf och_leaves[] = {
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "down")),
    LEAF("service-label", TEXT, CONFIG("")),
    LEAF("alias-name", TEXT, CONFIG("")),
    LEAF("frequency", INT, CONFIG("0"), RANGE(0, 196137500)),
    LEAF("rx-frequency", INT, CONFIG("0"), RANGE(0, 196137500)),
    LEAF("laser-enable", ENUM, WORDS(ON_OFF, "disabled")),
    LEAF("required-tx-optical-power", DEC, WORDS("1", "0.0"), RANGE(-1000, 600)),
    LEAF("fec-type", ENUM,
         WORDS("SDFEC15ND|SDFEC15ND2|SDFEC25ND|SDFEC27ND|HGFEC|not-applicable", "not-applicable")),
    LEAF("modulation-format", TEXT, CONFIG("not-applicable")),
    LEAF("rate-class", TEXT, CONFIG("not-applicable")),
    LEAF("loopback-enable", ENUM, WORDS(ON_OFF, "disabled")),
    LEAF("loopback-type", ENUM, WORDS(LOOPBACK, "none")),
    LEAF("tx-filter-roll-off", TEXT, CONFIG("0.2")),
    LEAF("preemphasis", ENUM, WORDS(ON_OFF, "disabled")),
    LEAF("preemphasis-value", DEC, WORDS("1", "0.0"), RANGE(0, 1000)),
    LEAF("rx-attenuation", DEC, WORDS("1", "0.0"), RANGE(0, 2000)),
    LEAF("fast-sop-mode", ENUM, WORDS(ON_OFF, "disabled")),
    LEAF("cd-compensation-mode", ENUM, WORDS("auto|manual", "auto")),
    LEAF("cd-compensation-value", INT, CONFIG("0"), RANGE(-280000, 280000)),
    LEAF("cd-range-low", INT, CONFIG("-280000"), RANGE(-280000, 280000)),
    LEAF("cd-range-high", INT, CONFIG("280000"), RANGE(-280000, 280000)),
    LEAF("oper-status", TEXT, STATE, CONFIG("down")),
    LEAF("avail-status", TEXT, STATE, CONFIG("")),
    LEAF("actual-frequency", INT, STATE, CONFIG("0")),
    LEAF("actual-tx-optical-power", TEXT, STATE, CONFIG("-99.0")),
    LEAF("rx-optical-power", TEXT, STATE, CONFIG("-99.0")),
    LEAF("Q-factor", TEXT, STATE, CONFIG("0.0")),
    LEAF("OSNR", TEXT, STATE, CONFIG("0.0")),
    LEAF("CD", TEXT, STATE, CONFIG("0")),
};
const struct sim_schema g30_och = {
    .name = "och-os", LEAVES(och_leaves), .children = otu_all, .tag = G30_OCH};

#define ETH_LEAVES(fec)                                                                            \
    LEAF("eth-fec-type", ENUM, WORDS("auto|enabled|disabled", fec)),                               \
        LEAF("mapping-mode", ENUM, WORDS("GMP|BMP|GFP|not-applicable", "GMP")),                    \
        LEAF("admin-status", ENUM, WORDS(UP_DOWN, "up")), LEAF("service-label", TEXT, CONFIG("")), \
        LEAF("alias-name", TEXT, CONFIG("")),                                                      \
        LEAF("client-shutdown", ENUM, WORDS("yes|no", "no")),                                      \
        LEAF("client-shutdown-holdoff-timer", INT, CONFIG("0"), RANGE(0, 10000)),                  \
        LEAF("holdoff-signal", ENUM, WORDS("yes|no", "no")),                                       \
        LEAF("near-end-als", ENUM, WORDS("yes|no", "no")),                                         \
        LEAF("als-degrade-mode", ENUM, WORDS(ON_OFF, "disabled")),                                 \
        LEAF("loopback-enable", ENUM, WORDS(ON_OFF, "disabled")),                                  \
        LEAF("loopback-type", ENUM, WORDS(LOOPBACK, "none")),                                      \
        LEAF("test-signal-type", ENUM, WORDS("NONE|PRBS31|IDLE", "NONE")),                         \
        LEAF("test-signal-enable", ENUM, WORDS("NONE|INGRESS|EGRESS|BOTH", "NONE")),               \
        LEAF("lldp-status-if", ENUM, WORDS("not-applicable|rxonly|txandrx|disabled", "rxonly")),   \
        LEAF("oper-status", TEXT, STATE, CONFIG("down"))
static const struct sim_leaf eth100g_leaves[] = {ETH_LEAVES("auto")};
static const struct sim_leaf eth400g_leaves[] = {ETH_LEAVES("enabled")};
const struct sim_schema g30_eth100g = {
    .name = "eth100g", LEAVES(eth100g_leaves), .children = odu_only, .tag = G30_ETH};
const struct sim_schema g30_eth400g = {
    .name = "eth400g", LEAVES(eth400g_leaves), .children = odu_only, .tag = G30_ETH};

static const struct sim_leaf pluggable_leaves[] = {
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "up")),
    LEAF("pluggable-type", TEXT, STATE, CONFIG("")),
    LEAF("vendor", TEXT, STATE, CONFIG("INFINERA")),
    LEAF("serial-number", TEXT, STATE, CONFIG("")),
};
const struct sim_schema g30_pluggable = {.name = "pluggable", LEAVES(pluggable_leaves)};

#define PORT_LEAVES                                                                                \
    LEAF("port-id", INT, PLAIN), LEAF("admin-status", ENUM, WORDS(UP_DOWN, "down")),               \
        LEAF("service-label", TEXT, CONFIG("")), LEAF("connected-to", TEXT, CONFIG("")),           \
        LEAF("external-connectivity", ENUM, WORDS("yes|no", "no")),                                \
        LEAF("alias-name", TEXT, CONFIG("")),                                                      \
        LEAF("arc-config", ENUM, WORDS("alm|nalm-qi|nalm", "alm")),                                \
        LEAF("arc-timer", INT, CONFIG("0"), RANGE(0, 1440)),                                       \
        LEAF("port-name", TEXT, STATE, CONFIG("")),                                                \
        LEAF("port-type", TEXT, STATE, CONFIG("client")),                                          \
        LEAF("oper-status", TEXT, STATE, CONFIG("down")),                                          \
        LEAF("avail-status", TEXT, STATE, CONFIG("")),                                             \
        LEAF("rx-optical-power", TEXT, STATE, CONFIG("-99.0")),                                    \
        LEAF("tx-optical-power", TEXT, STATE, CONFIG("-99.0")),                                    \
        LEAF("actual-pluggable-type", TEXT, STATE, CONFIG(""))
static const struct sim_leaf port_leaves[] = {
    PORT_LEAVES,
    LEAF("port-mode", ENUM, WORDS(LINE_MODES "|100GBE|400GBE", "not-applicable")),
};
static const struct sim_schema *const port_children[] = {&g30_och, &g30_eth100g, &g30_eth400g,
                                                         &g30_pluggable, NULL};
const struct sim_schema g30_port = {.name = "port",
                                    .keys = {"port-id"},
                                    LEAVES(port_leaves),
                                    .children = port_children,
                                    .flags = SIM_S_LIST,
                                    .tag = G30_PORT};

/* ---- the line system card ---- */

static const struct sim_leaf subport_leaves[] = {
    LEAF("subport-id", INT, PLAIN),
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "down")),
    LEAF("service-label", TEXT, CONFIG("")),
    LEAF("connected-to", TEXT, CONFIG("")),
    LEAF("external-connectivity", ENUM, WORDS("yes|no", "no")),
    LEAF("alias-name", TEXT, CONFIG("")),
    LEAF("oper-status", TEXT, STATE, CONFIG("down")),
};
const struct sim_schema g30_subport = {.name = "subport",
                                       .keys = {"subport-id"},
                                       LEAVES(subport_leaves),
                                       .flags = SIM_S_LIST,
                                       .tag = G30_SUBPORT};
static const struct sim_schema *const subport_only[] = {&g30_subport, NULL};
static const struct sim_leaf subcard_port_leaves[] = {PORT_LEAVES};
const struct sim_schema g30_subcard_port = {.name = "port",
                                            .keys = {"port-id"},
                                            LEAVES(subcard_port_leaves),
                                            .children = subport_only,
                                            .flags = SIM_S_LIST,
                                            .tag = G30_SUBPORT};

static const struct sim_leaf amplifier_leaves[] = {
    LEAF("amplifier-name", ENUM, WORDS("ba|pa", NULL)),
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "down")),
    LEAF("amplifier-enable", ENUM, WORDS(ON_OFF, "disabled")),
    LEAF("input-los-shutdown", ENUM, WORDS(ON_OFF, "enabled")),
    LEAF("control-mode", ENUM, WORDS("manual|auto", "auto")),
    LEAF("gain-range-control", ENUM, WORDS("manual|auto", "auto")),
    LEAF("target-gain-range", ENUM, WORDS("standard|low|high|not-available", "standard")),
    LEAF("target-gain", DEC, WORDS("1", "0.0"), RANGE(0, 3500)),
    LEAF("output-voa", DEC, WORDS("1", "0.0"), RANGE(0, 2000)),
    LEAF("tilt-control-mode", ENUM, WORDS("manual|auto", "auto")),
    LEAF("gain-tilt", DEC, WORDS("1", "0.0"), RANGE(-500, 500)),
    LEAF("actual-gain", TEXT, STATE, CONFIG("0.0")),
};
const struct sim_schema g30_amplifier = {.name = "amplifier",
                                         .keys = {"amplifier-name"},
                                         LEAVES(amplifier_leaves),
                                         .flags = SIM_S_LIST,
                                         .tag = G30_AMPLIFIER};
static const struct sim_leaf subcard_leaves[] = {
    LEAF("required-type", TEXT, CONFIG("")),
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "up")),
};
static const struct sim_schema *const subcard_children[] = {&g30_subcard_port, &g30_amplifier,
                                                            NULL};
const struct sim_schema g30_subcard = {
    .name = "subcard", LEAVES(subcard_leaves), .children = subcard_children};
static const struct sim_schema *const subcard_only[] = {&g30_subcard, NULL};
static const struct sim_leaf subslot_leaves[] = {LEAF("subslot-id", INT, PLAIN)};
const struct sim_schema g30_subslot = {.name = "subslot",
                                       .keys = {"subslot-id"},
                                       LEAVES(subslot_leaves),
                                       .children = subcard_only,
                                       .flags = SIM_S_LIST};

/* ---- shelves ---- */

static const struct sim_leaf card_leaves[] = {
    LEAF("required-type", TEXT, CONFIG("")),
    LEAF("card-mode", ENUM,
         WORDS("not-applicable|normal|regen|mix-function|grey-muxponder", "normal")),
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "up")),
    LEAF("alias-name", TEXT, CONFIG("")),
    LEAF("actual-type", TEXT, STATE, CONFIG("")),
    LEAF("oper-status", TEXT, STATE, CONFIG("up")),
    LEAF("serial-number", TEXT, STATE, CONFIG("")),
};
static const struct sim_schema *const card_children[] = {&g30_port, &g30_subslot, NULL};
const struct sim_schema g30_card = {
    .name = "card", LEAVES(card_leaves), .children = card_children, .tag = G30_CARD};
static const struct sim_schema *const card_only[] = {&g30_card, NULL};
static const struct sim_leaf slot_leaves[] = {
    LEAF("slot-id", INT, PLAIN),
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "up")),
};
const struct sim_schema g30_slot = {.name = "slot",
                                    .keys = {"slot-id"},
                                    LEAVES(slot_leaves),
                                    .children = card_only,
                                    .flags = SIM_S_LIST,
                                    .tag = G30_SLOT};
static const struct sim_schema *const slot_only[] = {&g30_slot, NULL};
static const struct sim_leaf shelf_leaves[] = {
    LEAF("shelf-id", INT, PLAIN),
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "up")),
    LEAF("shelf-location", TEXT, CONFIG("")),
};
const struct sim_schema g30_shelf = {.name = "shelf",
                                     .keys = {"shelf-id"},
                                     LEAVES(shelf_leaves),
                                     .children = slot_only,
                                     .flags = SIM_S_LIST,
                                     .tag = G30_SHELF};

/* ---- services, inventory, faults, system ---- */

static const struct sim_leaf crs_leaves[] = {
    LEAF("src-tp", TEXT, RANGE(0, 1024)),
    LEAF("dst-tp", TEXT, RANGE(0, 1024)),
    LEAF("service-label", TEXT, CONFIG("")),
};
const struct sim_schema g30_crs = {.name = "CRS",
                                   .keys = {"src-tp", "dst-tp"},
                                   LEAVES(crs_leaves),
                                   .flags = SIM_S_LIST | SIM_S_MAKE | SIM_S_POST | SIM_S_DELETE,
                                   .tag = G30_CRS};
static const struct sim_leaf ots_leaves[] = {
    LEAF("ots-name", TEXT, PLAIN),
    LEAF("admin-status", ENUM, WORDS(UP_DOWN, "up")),
};
const struct sim_schema g30_ots = {
    .name = "ots", .keys = {"ots-name"}, LEAVES(ots_leaves), .flags = SIM_S_LIST};
static const struct sim_schema *const ots_only[] = {&g30_ots, NULL};
static const struct sim_schema g30_optical = {
    .name = "optical-interfaces", .children = ots_only, .flags = SIM_S_AUTO};
static const struct sim_schema *const services_children[] = {&g30_crs, &g30_optical, NULL};
static const struct sim_schema g30_services = {
    .name = "services", .children = services_children, .flags = SIM_S_AUTO};

static const struct sim_leaf inventory_leaves[] = {
    LEAF("equipment-type", TEXT, STATE), LEAF("module-type", TEXT, STATE),
    LEAF("shelf-id", INT, STATE),        LEAF("slot-id", INT, STATE),
    LEAF("serial-number", TEXT, STATE),  LEAF("part-number", TEXT, STATE),
    LEAF("vendor", TEXT, STATE),
};
const struct sim_schema g30_inventory = {
    .name = "inventory", LEAVES(inventory_leaves), .flags = SIM_S_LIST | SIM_S_STATE};
static const struct sim_schema *const inventory_only[] = {&g30_inventory, NULL};
static const struct sim_schema g30_inventory_data = {
    .name = "inventory-data", .children = inventory_only, .flags = SIM_S_AUTO | SIM_S_STATE};

static const struct sim_leaf condition_leaves[] = {
    LEAF("fm-entity", TEXT, STATE),         LEAF("condition-type", TEXT, STATE),
    LEAF("direction", TEXT, STATE),         LEAF("location", TEXT, STATE),
    LEAF("severity-level", TEXT, STATE),    LEAF("condition-description", TEXT, STATE),
    LEAF("service-affecting", TEXT, STATE), LEAF("occurrence-date-time", TEXT, STATE),
};
const struct sim_schema g30_condition = {
    .name = "standing-condition", LEAVES(condition_leaves), .flags = SIM_S_LIST | SIM_S_STATE};
static const struct sim_schema *const condition_only[] = {&g30_condition, NULL};
static const struct sim_schema g30_fault = {
    .name = "fault", .children = condition_only, .flags = SIM_S_AUTO | SIM_S_STATE};

static const struct sim_leaf swload_leaves[] = {
    LEAF("swload-state", TEXT, STATE),
    LEAF("swload-version", TEXT, STATE),
    LEAF("swload-label", TEXT, STATE),
};
const struct sim_schema g30_swload = {.name = "softwareload",
                                      .keys = {"swload-state"},
                                      LEAVES(swload_leaves),
                                      .flags = SIM_S_LIST | SIM_S_STATE};
static const struct sim_schema *const swload_only[] = {&g30_swload, NULL};
static const struct sim_schema g30_sw = {
    .name = "sw-management", .children = swload_only, .flags = SIM_S_AUTO};
static const struct sim_leaf interface_leaves[] = {
    LEAF("if-name", TEXT, PLAIN),
    LEAF("ipv4-address", TEXT, CONFIG("")),
};
static const struct sim_schema g30_interface = {
    .name = "interface", .keys = {"if-name"}, LEAVES(interface_leaves), .flags = SIM_S_LIST};
static const struct sim_schema *const interface_only[] = {&g30_interface, NULL};
static const struct sim_schema g30_networking = {
    .name = "networking", .children = interface_only, .flags = SIM_S_AUTO};
static const struct sim_schema *const system_children[] = {&g30_sw, &g30_networking, NULL};
static const struct sim_schema g30_system = {
    .name = "system", .children = system_children, .flags = SIM_S_AUTO};

static const struct sim_leaf ne_leaves[] = {
    LEAF("ne-id", TEXT, CONFIG("")),
    LEAF("ne-name", TEXT, CONFIG("")),
    LEAF("ne-location", TEXT, CONFIG("")),
    LEAF("ne-site", TEXT, CONFIG("")),
    LEAF("ne-altitude", INT, CONFIG("0"), RANGE(-1000, 10000)),
    LEAF("ne-vendor", TEXT, STATE, CONFIG("Infinera")),
    LEAF("ne-type", TEXT, STATE, CONFIG("G30")),
};
static const struct sim_schema *const ne_children[] = {
    &g30_shelf, &g30_services, &g30_inventory_data, &g30_fault, &g30_system, NULL};
const struct sim_schema g30_ne = {
    .name = "ne", .module = "ne", LEAVES(ne_leaves), .children = ne_children, .flags = SIM_S_AUTO};
