/**
 * The network that FlexILS elements stand in: elements with their objects, fibers between them, and
 * what follows from both (TE links, free spectrum, light, alarms). No I/O and no clock: `now_us` is
 * set by the caller. Everything belongs to the network; pointers die with it or with the object.
 *
 * Objects appear and disappear as on the real thing: an object made on a remote element is visible
 * from `visible_us` on, one that is being deleted stays until `gone_us`.
 * Threads: one owner. Units as the names say: _mhz, _cdb (0.01 dB), _cdbm, _m, _us.
 */
#ifndef LP_SIM_FLEXILS_NET_H
#define LP_SIM_FLEXILS_NET_H

#include <stdint.h>

#include "base/err.h"

#define SIM_BAND_LOW_MHZ   191325000
#define SIM_BAND_HIGH_MHZ  196125000
#define SIM_FIELD_LOW_MHZ  191312500
#define SIM_FIELD_HIGH_MHZ 196137500
#define SIM_RASTER_MHZ     6250
#define SIM_MIN_WIDTH_MHZ  3125
#define SIM_GAIN_MAX_CDB   2800 /* what an amplifier can make up for */
#define SIM_DARK_CDBM      (-6000)
#define SIM_SCH_MAX        128

enum sim_class {
    SIM_EQPT,
    SIM_OTS,
    SIM_SCG,
    SIM_SCH,
    SIM_OCRS,
    SIM_OSNC,
    SIM_OEL,
    SIM_RFILE,
    SIM_FXFR,
    SIM_STORED, /* the classes above hold objects, those below follow from them */
    SIM_OTEINTF = SIM_STORED,
    SIM_OTELINK,
    SIM_TEINTF,
    SIM_TELINK,
    SIM_TOPONODE,
    SIM_CTRLLINK,
    SIM_TIDMAP,
    SIM_SYS,
    SIM_CLASS_COUNT
};

enum sim_admin { SIM_IS, SIM_OOS, SIM_MT, SIM_AINS };

enum sim_type {
    SIM_TEXT,
    SIM_WORD,
    SIM_ENUM,
    SIM_INT,
    SIM_DEC,
    SIM_LIST,
    SIM_PAIRS,
    SIM_CARRIERS,
    SIM_RANGES,
    SIM_ROUTE
};

enum sim_attr_flag {
    SIM_F_ED = 1 << 0,
    SIM_F_ENT = 1 << 1,
    SIM_F_REQ = 1 << 2,
    SIM_F_SHOW = 1 << 3,
    SIM_F_QUOTE = 1 << 4,
    SIM_F_PAST = 1 << 5,
    SIM_F_OOS = 1 << 6,
    SIM_F_MT = 1 << 7,
    SIM_F_LAB = 1 << 8,
    SIM_F_OWN = 1 << 9
};

/** A row of attrs.def. */
struct sim_attr {
    const char *name;
    const char *values; /* ENUM: A|B|C */
    const char *fallback;
    int32_t low, high;
    uint16_t flags;
    uint8_t cls, type;
};

struct sim_value {
    const struct sim_attr *attr;
    char *text;
};

struct sim_obj {
    char *aid; /* OCRS: "FROM,TO" */
    struct sim_value *values;
    uint32_t value_count;
    uint32_t circuit; /* OSNC, manual OCRS: its number; SCH, OCRS: the one that made it; else 0 */
    int64_t visible_us, gone_us; /* 0: now, never */
    int32_t light_cdbm;          /* SCG, SCH: light that comes in from the client side */
    int32_t offset_cdb;          /* added to every power reading */
    uint32_t reads;              /* power readings so far: the noise depends on it */
    uint8_t cls, admin;
    bool fault; /* an autonomous cause takes it out of service */
    bool lit;   /* light_cdbm was set; otherwise a healthy transponder hangs there */
    char *word; /* EQPT: type of the card; OTS: TE interface behind a control channel, NULL: the
                   port itself */
    struct sim_span *span; /* OTS: its fiber, NULL: none */
    struct sim_link *link; /* OTS of a ROADM: its TE link, NULL: dangling */
};

struct sim_list {
    struct sim_obj **at; /* sorted by AID, numbers inside as numbers */
    size_t count, cap;
};

struct sim_node;

struct sim_span {
    char *id;
    struct sim_node *node[2];
    struct sim_obj *port[2];
    int32_t length_m, loss_cdb;
    int32_t design_loss_cdb; /* at the start */
    bool cut;
    int64_t cut_us; /* since when */
    struct {
        int64_t from_us, to_us;
    } outage[16]; /* the last ones; a ring */
    unsigned outages;
};

struct sim_claim { /* spectrum in use, half-open */
    int32_t low_mhz, high_mhz;
    uint32_t circuit;
};

struct sim_link { /* between two ROADM line ports, through any number of amplifiers */
    struct sim_node *node[2];
    struct sim_obj *port[2];
    struct sim_span **spans;
    size_t span_count;
    struct sim_claim *claims; /* sorted */
    size_t claim_count;
};

struct sim_alarm {
    char *aid;
    const char *type; /* class name, constant */
    char severity[3]; /* CR MJ MN NA */
    char condition[21];
    char effect[4]; /* SA NSA */
    char direction[5];
    char *text;
    int64_t since_us; /* utc */
    bool planted, keep;
};

struct sim_seat {  /* a login that the element counts */
    uint32_t id;   /* 0: empty */
    uint64_t conn; /* 0: the connection is gone, the element has not noticed yet */
    char user[32];
    int64_t used_us;
};

struct sim_node {
    char *name, *kind, *serial, *release, *router_id, *area, *address;
    bool gateway, roadm;
    bool subtended; /* it has no address: only a gateway reaches it */
    struct sim_list objs[SIM_STORED];
    struct sim_link **links; /* the local ones */
    size_t link_count;
    struct sim_alarm *alarms;
    size_t alarm_count;
    struct sim_seat *seats;
    size_t seat_count, seat_peak;
    uint32_t atag, dbchg_seq;
    unsigned bad_logins;
    int64_t locked_until_us, down_until_us;
    int64_t clock_shift_us;
    int64_t latency_us;      /* -1: the network's */
    char *answers_as;        /* SID instead of the name: the wrong element under an address */
    struct sim_node *before; /* copy from before the last write, only while a rule asks for it */
    bool keep_before;
    uint32_t index;
    uint64_t commands, writes;
};

struct sim_box; /* elements that speak HTTPS: sim/rest/box.h */
struct sim_patch;

struct sim_user {
    char *name, *password;
};

struct sim_options {
    char *prompt;
    int64_t seed, settle_ms, ip_ms, latency_ms, jitter_ms, idle_ms, lockout_ms;
    int64_t block_records, max_sessions, bad_logins, max_command;
    bool echo, long_date, te_copies, linger, allow_messages, strict_state;
    int64_t fixed_clock_us; /* utc; 0: the real one */
};

enum sim_event { SIM_EVENT_ALARM, SIM_EVENT_EVENT, SIM_EVENT_DBCHG };

struct sim_net {
    struct sim_options options;
    struct sim_user *users;
    size_t user_count;
    struct sim_node *nodes; /* sorted by name */
    size_t node_count;
    struct sim_span *spans;
    size_t span_count;
    struct sim_link *links;
    size_t link_count;
    struct sim_box *boxes; /* sorted by name */
    size_t box_count;
    struct sim_patch *patches;
    size_t patch_count;
    char **setup; /* commands run at the start */
    size_t setup_count;
    uint32_t circuits; /* numbers given so far */
    int64_t now_us, utc_us;
    uint64_t random;
    json_t *topology; /* what it was made of, for reset */
    /** Where spontaneous messages go: code is "*C", "**", "*", "A"; body the inside of its lines.
     */
    void (*emit)(void *arg, struct sim_node *node, enum sim_event event, const char *code,
                 const char *verb, const char *body);
    void *emit_arg;
    /** Where notifications of the others go (taken over); NULL: nowhere. */
    void (*box_emit)(void *arg, struct sim_box *box, json_t *event);
    void *box_emit_arg;
};

/* ---- table rows ---- */

extern const char *const sim_class_names[SIM_CLASS_COUNT];
extern const struct sim_attr sim_attrs[];
extern const size_t sim_attr_count;
enum sim_class sim_class_find(const char *name); /* SIM_CLASS_COUNT: none */
/** The row of an attribute of a class (name in any case), or NULL. */
const struct sim_attr *sim_attr_find(enum sim_class cls, const char *name);
/** First row of a class; rows of a class are consecutive. */
const struct sim_attr *sim_attr_first(enum sim_class cls, size_t *count);

/* ---- life ---- */

/** Builds a network out of a topology document (sim/flexils/topology.c). LP_INVALID names the
 * place. The document is kept (its reference is shared). */
enum lp_code sim_net_load(json_t *topology, struct sim_net **out, struct lp_err *err) LP_MUST_CHECK;
void sim_net_free(struct sim_net *net);
/** Puts everything back as the topology says, alarms and spectrum included; sessions stay. */
enum lp_code sim_net_reset(struct sim_net *net, struct lp_err *err) LP_MUST_CHECK;

/* ---- elements and objects ---- */

struct sim_node *sim_node_find(struct sim_net *net, const char *name);
/** The object with this AID, visible or not; NULL. */
struct sim_obj *sim_obj_find(const struct sim_node *node, enum sim_class cls, const char *aid);
/** As sim_obj_find, but only what the element would show now. */
struct sim_obj *sim_obj_seen(const struct sim_net *net, const struct sim_node *node,
                             enum sim_class cls, const char *aid);
bool sim_obj_visible(const struct sim_net *net, const struct sim_obj *obj);
/** NULL: no memory, or the AID exists. */
struct sim_obj *sim_obj_add(struct sim_node *node, enum sim_class cls, const char *aid);
void sim_obj_remove(struct sim_node *node, struct sim_obj *obj);
/** Drops what is past its gone_us. */
void sim_node_reap(struct sim_net *net, struct sim_node *node);
const char *sim_obj_get(const struct sim_obj *obj, const char *name); /* default when not set */
/** false: no memory or no such attribute. NULL drops the value (the default shows). */
bool sim_obj_set(struct sim_obj *obj, const char *name, const char *text);
bool sim_obj_put(struct sim_obj *obj, const struct sim_attr *attr, const char *text);
/** "IS-NR", "OOS-MA", "OOS-AUMA,MT" ... */
const char *sim_obj_state(const struct sim_obj *obj);
/** Card type of the card that a port AID stands on; "" when there is no such card. */
const char *sim_card_type(const struct sim_node *node, const char *port);
/** The port of an SCH AID into buf; false when the AID is no SCH AID. */
bool sim_sch_port(const char *aid, char *buf, size_t size);
/** A deep copy of the objects (for stale reads); NULL without memory. */
struct sim_node *sim_node_copy(const struct sim_node *node);
void sim_node_copy_free(struct sim_node *copy);

/* ---- light and spectrum (sim/flexils/light.c) ---- */

/** Makes the TE links out of spans and amplifiers. */
enum lp_code sim_links_build(struct sim_net *net, struct lp_err *err) LP_MUST_CHECK;
bool sim_link_up(const struct sim_link *link);
/** Side 0 or 1 of a link that leaves a node at a port; -1: neither. */
int sim_link_side(const struct sim_link *link, const struct sim_node *node,
                  const struct sim_obj *port);
/** Name of the TE interface of a line port. */
const char *sim_te_name(const struct sim_obj *port);
/** The number of a circuit that holds part of [low, high) on the link; 0: free. */
uint32_t sim_link_holder(const struct sim_link *link, int32_t low_mhz, int32_t high_mhz,
                         uint32_t except);
bool sim_link_claim(struct sim_link *link, int32_t low_mhz, int32_t high_mhz, uint32_t circuit);
void sim_link_release(struct sim_link *link, uint32_t circuit);
struct lp_buf;
/** "191325000&193450000&-193550000&196125000" */
void sim_link_free_text(const struct sim_link *link, struct lp_buf *out);

#define SIM_ROUTE_MAX 64
struct sim_route { /* links in order; side[i] is the end where the circuit enters link i */
    struct sim_link *link[SIM_ROUTE_MAX];
    uint8_t side[SIM_ROUTE_MAX];
    size_t count;
};
/** Reads an EXPLICITROUTE. LP_INVALID says which hop is no TE link or does not join the one before.
 */
enum lp_code sim_route_parse(struct sim_net *net, const char *text, struct sim_route *out,
                             struct lp_err *err) LP_MUST_CHECK;
bool sim_route_up(const struct sim_route *route);
/** What comes out of a tributary at a frequency; *far_node and *far_sch: the other end's channel
 * (NULL when it is dark). */
int32_t sim_drop_power(struct sim_net *net, struct sim_node *node, const char *scg,
                       int32_t center_mhz, struct sim_node **far_node, struct sim_obj **far_sch);
/** Power in 0.01 dBm: what arrives (`out` false) or leaves at a port or channel. */
int32_t sim_power(struct sim_net *net, struct sim_node *node, struct sim_obj *obj, bool out);
/** The power that a channel is meant to arrive with. */
int32_t sim_target(const struct sim_net *net, const struct sim_node *node,
                   const struct sim_obj *obj);
/** Seconds without light in [from, to). */
int64_t sim_outage_s(const struct sim_net *net, const struct sim_span *span, int64_t from_us,
                     int64_t to_us);
/** Cuts or repairs a fiber, or changes its loss, with everything that follows. */
void sim_span_cut(struct sim_net *net, struct sim_span *span, bool cut);
void sim_span_loss(struct sim_net *net, struct sim_span *span, int32_t loss_cdb);
struct sim_span *sim_span_find(struct sim_net *net, const char *id);

/* ---- circuits (sim/flexils/circuit.c) ---- */

/** Why something is refused: a TL1 error code and a text; code "" is none. */
struct sim_denial {
    char code[5];
    char text[256];
};
bool sim_deny(struct sim_denial *why, const char *code, const char *fmt, ...) LP_PRINTF(3, 4);

/** Finds the links of an OSNC through its OEL or by search; false: denied. */
bool sim_circuit_route(struct sim_net *net, struct sim_node *node, const struct sim_obj *osnc,
                       struct sim_route *out, struct sim_denial *why);
/** Brings a circuit into service: spectrum, channels and cross-connections along its way. */
bool sim_circuit_up(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc,
                    struct sim_denial *why);
void sim_circuit_down(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc);
/** Channels at both ends for a circuit that was just entered. */
bool sim_circuit_enter(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc,
                       struct sim_denial *why);
/** New passband or route: both ends close their shutters again. */
void sim_circuit_retune(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc);
/** LABEL and the like of a circuit, told to its cross-connections. */
void sim_circuit_rename(struct sim_net *net, const struct sim_obj *osnc);
void sim_circuit_remove(struct sim_net *net, struct sim_node *node, struct sim_obj *osnc);
/** A manual cross-connection: its two channels, its spectrum when one of them is on a line. */
bool sim_cross_enter(struct sim_net *net, struct sim_node *node, struct sim_obj *ocrs,
                     struct sim_denial *why);
/** Another passband: the spectrum and the channels follow; refused, nothing has changed but the
 * values (the caller puts those back). */
bool sim_cross_retune(struct sim_net *net, struct sim_node *node, struct sim_obj *ocrs,
                      struct sim_denial *why);
void sim_cross_remove(struct sim_net *net, struct sim_node *node, struct sim_obj *ocrs);
/** The OSNC with this number and the element that holds it; NULL. */
struct sim_obj *sim_circuit_find(struct sim_net *net, uint32_t circuit, struct sim_node **node);
/** Low and high of a PAIRS value; false when there is none. */
bool sim_passband(const char *text, int32_t *low_mhz, int32_t *high_mhz);
/** As sim_passband for n-th pair. */
bool sim_passband_at(const char *text, size_t n, int32_t *low_mhz, int32_t *high_mhz);

/* ---- alarms (sim/flexils/alarm.c) ---- */

/** Fault flags and derived alarms of the whole network, and what is reported about them. */
void sim_refresh(struct sim_net *net);
/** Raises (or with `clear` ends) an alarm that nothing in the model causes. false: no memory, or
 * nothing to clear. */
bool sim_alarm_plant(struct sim_net *net, struct sim_node *node, const struct sim_alarm *alarm,
                     bool clear);
/** One alarm as the inside of a data line. */
void sim_alarm_record(const struct sim_net *net, const struct sim_node *node,
                      const struct sim_alarm *alarm, bool cleared, struct lp_buf *out);
void sim_alarms_free(struct sim_node *node);
/** A change of configuration, told to whoever wants to know. */
void sim_report_change(struct sim_net *net, struct sim_node *node, const char *code,
                       const char *aid, const char *ctag);
/** A change of state. */
void sim_report_event(struct sim_net *net, struct sim_node *node, const struct sim_obj *obj,
                      const char *condition, const char *text);

/* ---- canonical state (sim/flexils/state.c) ---- */

/** Configuration of one element (or all: node NULL) as JSON: class, AID, values that are not
 * default, state. Counters, times, alarms and sessions are left out; what is about to appear is in,
 * what is about to go is out. */
json_t *sim_state_json(const struct sim_net *net, const struct sim_node *node);
/** SHA-256 of its canonical text. */
bool sim_state_hash(const struct sim_net *net, const struct sim_node *node, char out[static 65]);

/** Deterministic numbers: the n-th of a name under a seed; the stream of the network. */
uint64_t sim_hash(uint64_t seed, const char *a, const char *b, uint64_t n);
uint64_t sim_random(struct sim_net *net);
/** "14-03", "09-12-44" ... of the element's clock. */
struct tm;
void sim_clock(const struct sim_net *net, const struct sim_node *node, struct tm *out);

#endif
