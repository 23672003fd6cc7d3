/* The G42's datastore as tables. */
#include "sim/g42/g42.h"
#include "sim/rest/table.h"

#define ADMIN  LEAF("admin-state", ENUM, WORDS("lock|unlock|maintenance", "lock"))
#define LABEL  LEAF("label", TEXT, CONFIG(""), LONGEST(256))
#define REPORT LEAF("alarm-report-control", ENUM, WORDS("allowed|inhibited", "allowed"))
#define NAMED  LEAF("name", TEXT, LONGEST(64))
#define SHOWN                                                                                      \
    LEAF("AID", TEXT, STATE, CONFIG("")), LEAF("oper-state", TEXT, STATE, CONFIG("disabled")),     \
        LEAF("avail-state", TEXT, STATE, CONFIG(""))
#define YES_NO "yes|no"

static const struct sim_leaf tom_leaves[] = {
    LEAF("required-type", TEXT, CONFIG("")),
    LEAF("required-subtype", TEXT, CONFIG("")),
    LEAF("phy-mode", ENUM, WORDS("|100G|400GE|4x100GE", "")),
    LEAF("power-class-override", TEXT, CONFIG("0")),
    LEAF("enable-serdes", BOOL, CONFIG("true")),
    ADMIN,
    LABEL,
    REPORT,
    LEAF("oper-state", TEXT, STATE, CONFIG("disabled")),
};
const struct sim_schema g42_tom = {.name = "tom", LEAVES(tom_leaves), .tag = G42_TOM};
static const struct sim_schema *const tom_only[] = {&g42_tom, NULL};

static const struct sim_leaf port_leaves[] = {
    NAMED,
    LEAF("alias-name", TEXT, CONFIG("")),
    ADMIN,
    LABEL,
    REPORT,
    LEAF("connected-to", TEXT, CONFIG(""), LONGEST(256)),
    LEAF("external-connectivity", ENUM, WORDS(YES_NO, "no")),
    LEAF("port-type", TEXT, STATE, CONFIG("")),
    LEAF("installed-type", TEXT, STATE, PLAIN),
    SHOWN,
};
const struct sim_schema g42_port = {.name = "port",
                                    .keys = {"name"},
                                    LEAVES(port_leaves),
                                    .children = tom_only,
                                    .flags = SIM_S_LIST,
                                    .tag = G42_PORT};
static const struct sim_schema *const port_only[] = {&g42_port, NULL};

static const struct sim_leaf card_leaves[] = {
    NAMED,
    LEAF("required-type", TEXT, CONFIG("")),
    LEAF("required-subtype", TEXT, CONFIG("")),
    LEAF("alias-name", TEXT, CONFIG("")),
    ADMIN,
    LABEL,
    REPORT,
    LEAF("installed-type", TEXT, STATE, CONFIG("")),
    LEAF("serial-number", TEXT, STATE, CONFIG("")),
    SHOWN,
};
const struct sim_schema g42_card = {.name = "card",
                                    .keys = {"name"},
                                    LEAVES(card_leaves),
                                    .children = port_only,
                                    .flags = SIM_S_LIST,
                                    .tag = G42_CARD};
static const struct sim_leaf chassis_leaves[] = {
    NAMED,
    LEAF("required-type", TEXT, CONFIG("gx:G42")),
    LEAF("expected-serial-number", TEXT, CONFIG("")),
    LEAF("rack-name", TEXT, CONFIG("")),
    LEAF("position-in-rack", INT, CONFIG("1"), RANGE(1, 64)),
    LEAF("power-redundancy", ENUM, WORDS("redundant|non-redundant", "redundant")),
    ADMIN,
    LEAF("serial-number", TEXT, STATE, CONFIG("")),
    SHOWN,
};
const struct sim_schema g42_chassis = {
    .name = "chassis", .keys = {"name"}, LEAVES(chassis_leaves), .flags = SIM_S_LIST};
static const struct sim_schema *const equipment_children[] = {&g42_chassis, &g42_card, NULL};
static const struct sim_schema g42_equipment = {
    .name = "equipment", .children = equipment_children, .flags = SIM_S_AUTO};

/* ---- facilities ---- */

static const struct sim_leaf group_leaves[] = {
    NAMED,
    ADMIN,
    LABEL,
    REPORT,
    LEAF("auto-in-service-enabled", BOOL, CONFIG("false")),
    LEAF("valid-signal-time", INT, CONFIG("480"), RANGE(1, 7200)),
    LEAF("line-system-mode", ENUM, WORDS("openwave|managed", "openwave")),
    LEAF("openwave-contention-check", BOOL, CONFIG("false")),
    SHOWN,
};
const struct sim_schema g42_group = {.name = "super-channel-group",
                                     .keys = {"name"},
                                     LEAVES(group_leaves),
                                     .flags = SIM_S_LIST,
                                     .tag = G42_GROUP};
static const struct sim_leaf channel_leaves[] = {
    NAMED,
    LEAF("carriers", LIST, CONFIG("")),
    LEAF("carrier-mode", TEXT, CONFIG("")),
    ADMIN,
    LABEL,
    REPORT,
    LEAF("spectral-bandwidth", TEXT, STATE, CONFIG("0.0")),
    LEAF("supported-capacity", TEXT, STATE, CONFIG("0")),
    SHOWN,
};
const struct sim_schema g42_channel = {.name = "super-channel",
                                       .keys = {"name"},
                                       LEAVES(channel_leaves),
                                       .flags = SIM_S_LIST | SIM_S_MAKE | SIM_S_POST | SIM_S_DELETE,
                                       .tag = G42_CHANNEL};
static const struct sim_leaf carrier_leaves[] = {
    NAMED,
    LEAF("frequency", BIG, CONFIG("0"), RANGE(0, 196125000)),
    LEAF("frequency-offset", INT, CONFIG("0"), RANGE(-6000, 6000)),
    LEAF("tx-power", DEC, WORDS("2", "0.00"), RANGE(-5500, 5500)),
    LEAF("tx-cd", DEC, WORDS("2", "0.00"), RANGE(-21100000, 21100000)),
    LEAF("enable-advanced-parameters", BOOL, CONFIG("false")),
    LEAF("pre-fec-q-sig-deg-threshold", DEC, WORDS("2", "6.00"), RANGE(0, 960)),
    LEAF("pre-fec-q-sig-deg-hysteresis", DEC, WORDS("2", "0.50"), RANGE(10, 100)),
    LEAF("post-fec-q-sig-deg-threshold", DEC, WORDS("2", "18.00"), RANGE(1250, 1800)),
    LEAF("post-fec-q-sig-deg-hysteresis", DEC, WORDS("2", "2.50"), RANGE(10, 300)),
    LEAF("dgd-high-threshold", INT, CONFIG("300"), RANGE(180, 350)),
    LEAF("sop-data-collection", TEXT, CONFIG("disabled")),
    ADMIN,
    LABEL,
    REPORT,
    LEAF("actual-frequency", TEXT, STATE, CONFIG("0")),
    LEAF("actual-tx-power", TEXT, STATE, CONFIG("-99.00")),
    LEAF("rx-power", TEXT, STATE, CONFIG("-99.00")),
    LEAF("pre-fec-q", TEXT, STATE, CONFIG("0.00")),
    SHOWN,
};
const struct sim_schema g42_carrier = {.name = "optical-carrier",
                                       .keys = {"name"},
                                       LEAVES(carrier_leaves),
                                       .flags = SIM_S_LIST,
                                       .tag = G42_CARRIER};
static const struct sim_leaf trib_leaves[] = {
    NAMED,
    LEAF("service-type", ENUM, WORDS("|100GBE|400GBE|OTU4|not-applicable", "")),
    ADMIN,
    LABEL,
    REPORT,
    LEAF("auto-in-service-enabled", BOOL, CONFIG("false")),
    LEAF("valid-signal-time", INT, CONFIG("480"), RANGE(1, 7200)),
    LEAF("tributary-disable-action", ENUM,
         WORDS("laser-shut-off|none|odu-ais|send-ais-1|send-gais|send-idles|send-lf|send-ms-ais|"
               "send-nos",
               "send-lf")),
    LEAF("forward-defect-trigger", BOOL, CONFIG("false")),
    LEAF("holdoff-timer", INT, CONFIG("0"), RANGE(0, 10000)),
    SHOWN,
};
const struct sim_schema g42_trib = {.name = "trib-ptp",
                                    .keys = {"name"},
                                    LEAVES(trib_leaves),
                                    .flags = SIM_S_LIST,
                                    .tag = G42_TRIB};
static const struct sim_leaf ethernet_leaves[] = {
    NAMED,
    LEAF("fec-mode", ENUM, WORDS("enabled|disabled", "enabled")),
    LEAF("loopback", ENUM, WORDS("none|terminal|facility", "none")),
    LEAF("test-signal-type", ENUM, WORDS("none|prbs|square-wave", "none")),
    LEAF("test-signal-direction", ENUM, WORDS("ingress|egress", "egress")),
    LEAF("test-signal-monitoring", BOOL, CONFIG("false")),
    LEAF("lldp-admin-status", ENUM, WORDS("disabled|rx-only|tx-and-rx", "disabled")),
    LEAF("lldp-ingress-mode", ENUM, WORDS("snoop|forward", "snoop")),
    LEAF("lldp-egress-mode", ENUM, WORDS("snoop|forward", "snoop")),
    ADMIN,
    LABEL,
    REPORT,
    SHOWN,
};
const struct sim_schema g42_ethernet = {.name = "ethernet",
                                        .keys = {"name"},
                                        LEAVES(ethernet_leaves),
                                        .flags = SIM_S_LIST,
                                        .tag = G42_ETHERNET};
static const struct sim_leaf odu_leaves[] = {
    LEAF("name", TEXT, STATE),
    LEAF("AID", TEXT, STATE, CONFIG("")),
    LEAF("odu-type", TEXT, STATE, CONFIG("")),
    LEAF("available-time-slots", TEXT, STATE, CONFIG("")),
    LEAF("oper-state", TEXT, STATE, CONFIG("enabled")),
};
const struct sim_schema g42_odu = {.name = "odu",
                                   .keys = {"name"},
                                   LEAVES(odu_leaves),
                                   .flags = SIM_S_LIST | SIM_S_STATE,
                                   .tag = G42_ODU};
static const struct sim_schema *const facilities_children[] = {
    &g42_group, &g42_channel, &g42_carrier, &g42_trib, &g42_ethernet, &g42_odu, NULL};
static const struct sim_schema g42_facilities_schema = {
    .name = "facilities", .children = facilities_children, .flags = SIM_S_AUTO};

/* ---- services and system ---- */

static const struct sim_leaf xcon_leaves[] = {
    NAMED,
    LEAF("source", TEXT, CONFIG("")),
    LEAF("destination", TEXT, CONFIG("")),
    LEAF("payload-type", TEXT, CONFIG("")),
    LEAF("direction", ENUM, WORDS("one-way|two-way", "two-way")),
    LABEL,
    LEAF("circuit-id-suffix", TEXT, CONFIG(""), LONGEST(48)),
    LEAF("dst-time-slots", TEXT, STATE, CONFIG("")),
    LEAF("managed-by", TEXT, STATE, CONFIG("user")),
    LEAF("circuit-id", TEXT, STATE, CONFIG("")),
    SHOWN,
};
const struct sim_schema g42_xcon = {.name = "xcon",
                                    .keys = {"name"},
                                    LEAVES(xcon_leaves),
                                    .flags = SIM_S_LIST | SIM_S_DELETE,
                                    .tag = G42_XCON};
static const struct sim_schema *const xcon_only[] = {&g42_xcon, NULL};
static const struct sim_schema g42_services = {
    .name = "services", .children = xcon_only, .flags = SIM_S_AUTO};

static const struct sim_leaf load_leaves[] = {
    LEAF("swload-state", TEXT, STATE),
    LEAF("swload-status", TEXT, STATE),
    LEAF("swload-version", TEXT, STATE),
};
static const struct sim_schema g42_load = {.name = "software-load",
                                           .keys = {"swload-state"},
                                           LEAVES(load_leaves),
                                           .flags = SIM_S_LIST | SIM_S_STATE};
static const struct sim_leaf location_leaves[] = {
    LEAF("location-id", TEXT, STATE),
    LEAF("swload-state", TEXT, STATE),
    LEAF("swload-status", TEXT, STATE),
    LEAF("swload-version", TEXT, STATE),
};
static const struct sim_schema g42_location = {.name = "software-location",
                                               .keys = {"location-id"},
                                               LEAVES(location_leaves),
                                               .flags = SIM_S_LIST | SIM_S_STATE};
static const struct sim_schema *const sw_children[] = {&g42_load, &g42_location, NULL};
static const struct sim_schema g42_sw = {
    .name = "sw-management", .children = sw_children, .flags = SIM_S_AUTO};
static const struct sim_leaf ntp_leaves[] = {
    LEAF("ntp-enabled", BOOL, CONFIG("false")),
    LEAF("ntp-auth-enabled", BOOL, CONFIG("false")),
};
static const struct sim_schema g42_ntp = {.name = "ntp", LEAVES(ntp_leaves), .flags = SIM_S_AUTO};
static const struct sim_schema *const system_children[] = {&g42_sw, &g42_ntp, NULL};
static const struct sim_schema g42_system = {
    .name = "system", .children = system_children, .flags = SIM_S_AUTO};

static const struct sim_leaf ne_leaves[] = {
    LEAF("ne-name", TEXT, CONFIG("")),
    LABEL,
    LEAF("node-type", TEXT, CONFIG("GX")),
    LEAF("ne-site", TEXT, CONFIG("")),
    LEAF("ne-location", TEXT, CONFIG("")),
    LEAF("ne-sub-location", TEXT, CONFIG("")),
    LEAF("clli", TEXT, CONFIG("")),
    LEAF("altitude", INT, CONFIG("0"), RANGE(-1000, 10000)),
    LEAF("latitude", TEXT, CONFIG("0.0")),
    LEAF("longitude", TEXT, CONFIG("0.0")),
    LEAF("contact", TEXT, CONFIG("")),
    REPORT,
    LEAF("node-controller-chassis-name", TEXT, CONFIG("1")),
    LEAF("ne-id", TEXT, STATE, CONFIG("")),
};
static const struct sim_schema *const ne_children[] = {&g42_equipment, &g42_facilities_schema,
                                                       &g42_services, &g42_system, NULL};
const struct sim_schema g42_ne = {.name = "ne",
                                  .module = "ioa-network-element",
                                  LEAVES(ne_leaves),
                                  .children = ne_children,
                                  .flags = SIM_S_AUTO};

/* ---- alarms, counters, streams ---- */

static const struct sim_leaf alarm_leaves[] = {
    LEAF("alarm-id", TEXT, STATE),           LEAF("resource", TEXT, STATE),
    LEAF("resource-type", TEXT, STATE),      LEAF("AID", TEXT, STATE),
    LEAF("alarm-type", TEXT, STATE),         LEAF("alarm-type-description", TEXT, STATE),
    LEAF("direction", TEXT, STATE),          LEAF("location", TEXT, STATE),
    LEAF("perceived-severity", TEXT, STATE), LEAF("reported-time", TEXT, STATE),
    LEAF("last-changed-time", TEXT, STATE),  LEAF("service-affecting", TEXT, STATE),
    LEAF("alarm-category", TEXT, STATE),     LEAF("operator-state", TEXT, STATE),
    LEAF("circuit-id", TEXT, STATE),
};
static const struct sim_schema g42_alarm = {
    .name = "alarm", .keys = {"alarm-id"}, LEAVES(alarm_leaves), .flags = SIM_S_LIST | SIM_S_STATE};
static const struct sim_schema *const alarm_only[] = {&g42_alarm, NULL};
static const struct sim_leaf current_leaves[] = {
    LEAF("number-of-alarms", INT, STATE, CONFIG("0")),
    LEAF("last-changed", TEXT, STATE, CONFIG("")),
};
static const struct sim_schema g42_current = {.name = "current-alarms",
                                              LEAVES(current_leaves),
                                              .children = alarm_only,
                                              .flags = SIM_S_AUTO | SIM_S_STATE};
static const struct sim_schema *const current_only[] = {&g42_current, NULL};
const struct sim_schema g42_alarms = {
    .name = "alarms", .module = "ioa-alarm", .children = current_only, .flags = SIM_S_AUTO};

static const struct sim_leaf pm_leaves[] = {
    LEAF("pm-enabled", BOOL, CONFIG("true")),
};
const struct sim_schema g42_pm = {
    .name = "pm", .module = "ioa-pm", LEAVES(pm_leaves), .flags = SIM_S_AUTO};

static const struct sim_leaf access_leaves[] = {
    LEAF("encoding", TEXT, STATE),
    LEAF("location", TEXT, STATE),
};
static const struct sim_schema g42_access = {.name = "access",
                                             .keys = {"encoding"},
                                             LEAVES(access_leaves),
                                             .flags = SIM_S_LIST | SIM_S_STATE};
static const struct sim_schema *const access_only[] = {&g42_access, NULL};
static const struct sim_leaf stream_leaves[] = {
    LEAF("name", TEXT, STATE),
    LEAF("description", TEXT, STATE),
    LEAF("replay-support", BOOL, STATE),
};
static const struct sim_schema g42_stream = {.name = "stream",
                                             .keys = {"name"},
                                             LEAVES(stream_leaves),
                                             .children = access_only,
                                             .flags = SIM_S_LIST | SIM_S_STATE};
static const struct sim_schema *const stream_only[] = {&g42_stream, NULL};
static const struct sim_schema g42_stream_list = {
    .name = "streams", .children = stream_only, .flags = SIM_S_AUTO | SIM_S_STATE};
static const struct sim_schema *const streams_only[] = {&g42_stream_list, NULL};
const struct sim_schema g42_streams = {.name = "restconf-state",
                                       .module = "ietf-restconf-monitoring",
                                       .children = streams_only,
                                       .flags = SIM_S_AUTO | SIM_S_STATE};
