/**
 * The driver interface: what the house asks of every kind of optical element, whatever protocol it
 * speaks. One `static const struct lp_driver` per device type, listed in clients/drivers.def.
 *
 * Ideas
 * - A function that a driver does not have is NULL and its capability bit is clear: callers ask
 *   before they plan (lp_driver_can).
 * - Everything that changes an element goes through plan() and apply_op(). plan() only reads: it
 *   compares intents (what should be) with the element and returns ordered operations. apply_op()
 *   executes exactly one of them, and is safe to call again after any interruption.
 * - No driver sleeps: what takes time on the element is an operation of action "wait" whose
 *   condition apply_op polls until the call's deadline.
 * - Documents between rooms are canonical JSON (base/json.h): integers only, in the units the
 *   members' names say (_mhz, _cdb, _cdbm, _m).
 *
 * Threads: a struct lp_ne and its session belong to one thread between open() and close(); the
 * host may be shared. No function keeps a pointer from its arguments beyond the call.
 *
 * Errors, the same for every function: LP_RETRYABLE nothing was sent (unreachable, busy session,
 * Retry-After in detail {"retry_after_ms"}); LP_UNKNOWN a write may have been executed: read back;
 * LP_REFUSED the element said no (detail {"code","text","command"}); LP_NOT_FOUND the object is not
 * there; LP_CONFLICT something foreign is in the way, the element is another one than expected, or
 * the before-image is gone; LP_AUTH credentials; LP_PROTOCOL not understandable or incomplete
 * (a partial list is never returned as a whole); LP_UNSUPPORTED; LP_INVALID the intent itself is
 * wrong; LP_CANCELLED, LP_FENCED as the call's check says. Messages name device, command, reason.
 */
#ifndef LP_CLIENTS_DRIVER_H
#define LP_CLIENTS_DRIVER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/log.h"

/* ---- the element ---- */

/** What a driver needs to know of one element. All strings are borrowed for the call to open(). */
struct lp_element {
    const char *id;     /* subscription id of the Optical Device: key of locks, cache and pools */
    const char *name;   /* fully qualified name, for messages */
    const char *node;   /* its name on the wire: TL1 target id, node name */
    const char *driver; /* name of the driver: the catalog entry of its platform */
    const char *const *addresses; /* "host", "host:port", tried in this order */
    size_t address_count;
    /** Elements that relay to it, nearest first (TL1 gateways); an element with addresses of its
     * own needs none. */
    const char *const *gateways;
    size_t gateway_count;
    const char *credentials; /* name in the credentials file; never the secret itself */
    const char *serial;      /* expected serial number, or NULL while it is not known */
    unsigned max_sessions;   /* sessions at one time; 0 = configuration */
};

/** One exchange with an element, for evidence and transcript; secrets are removed already. */
struct lp_exchange {
    const char *element;  /* lp_element.id */
    const char *protocol; /* "tl1", "restconf", ... */
    const char *sent;     /* as sent */
    const char *received; /* as received, cut at evidence limit with a mark; NULL = no answer */
    enum lp_code outcome;
    int64_t at_us;   /* UTC, when it was sent */
    int64_t took_us; /* until the answer was complete */
    bool writes;     /* changes the element */
};

/** The caller's side of every call. All callbacks run on the calling thread; none but the last may
 * be NULL. */
struct lp_call {
    void *ctx;
    /** ms left until deadline, lease end or cancel; 0 = stop. Re-read at every poll. */
    int64_t (*time_left_ms)(void *ctx);
    /** Asked before each command that writes: LP_OK, LP_CANCELLED, LP_FENCED, LP_UNKNOWN. */
    enum lp_code (*check)(void *ctx, struct lp_err *err);
    /** Called for each exchange, also failed ones. */
    void (*evidence)(void *ctx, const struct lp_exchange *exchange);
    /** A line for people who watch. */
    void (*progress)(void *ctx, const char *text);
    struct lp_arena *arena;
    /** Called right before a command that writes is sent, with what will be sent, no answer and the
     * outcome LP_UNKNOWN: what stands if this program dies now. Anything but LP_OK: it is not sent.
     * evidence follows for it in every case. NULL: nobody keeps it. */
    enum lp_code (*sending)(void *ctx, const struct lp_exchange *exchange, struct lp_err *err);
};

/* ---- capabilities ---- */

enum lp_cap {
#define LP_CAP(symbol, name, text) symbol,
#include "clients/caps.def"
#undef LP_CAP
    LP_CAP_COUNT
};
const char *lp_cap_name(enum lp_cap cap);

/** Port roles, as every driver and the catalog name them. */
enum lp_port_role {
    LP_PORT_OLS_LINE,     /* "ols-line": degree of a line system */
    LP_PORT_OLS_ADD_DROP, /* "ols-add-drop": tributary or system port */
    LP_PORT_TRX_LINE,     /* "trx-line": coherent line port */
    LP_PORT_TRX_CLIENT,   /* "trx-client": grey client port */
    LP_PORT_ROLE_COUNT
};
const char *lp_port_role_name(enum lp_port_role role);
bool lp_port_role_from_name(const char *name, enum lp_port_role *out);

/* ---- documents ----
 *
 * identity   {"node","vendor","platform","serial","software","type"}; members it cannot tell are
 *            left out
 * inventory  {"as_of",(UTC us) "items":[{"aid","type","part","serial","state","parent"}]}
 * ports      {"as_of","items":[{"name","role","admin","oper","label","card","card_type","peer",
 *            "modes":[...]}]}; admin up|down|maintenance; oper up|down|degraded|unknown
 * neighbours
 * {"as_of","items":[{"port","remote_node","remote_port","source":"provisioned|discovered"}]}
 * spectrum   {"as_of","items":[{"port","low_mhz","high_mhz","circuit"}]} occupied, half-open
 * modes      {"items":[{"id","rate_gbps","width_mhz","text"}]}
 * alarms     {"as_of","items":[{"object","severity","type","text","since","service_affecting"}]}
 * counters   {"as_of","items":[{"object","name","value","unit","period","validity"}]}
 *            value: integer (hundredths for dB and dBm), names such as opr_cdbm, osnr_cdb,
 *            q_cdb, cd_ps_nm; validity complete|partial|suspect|unknown|unavailable
 *
 * intent     {"id","kind","present":true|false, ...}: what should hold, or (present false) must
 *            not. `id` is stable and unique in the element. Kinds and their members:
 *   "port"      {"port","role"?,"admin"?,"label"?}: label and admin state of a port
 *   "fiber-end" {"port","role","label","same_element":bool,
 *                "peer":{"node","fqdn","port","platform","serial"?}, "fiber_types"?:[..] from here
 *                to the peer, "length_m"?,"loss_cdb"?,"gain_cdb"?,"voa_cdb"?}: a fiber ends here;
 *                gain and attenuation are the design of the amplifiers on the way, where the
 *                element has any. present=false: back to what an unused port looks like
 *   "circuit"   {"name","label","a":{"port"},"z":{"node","port"},"route":[{"node","port"},...],
 *                "low_mhz","high_mhz","carriers":[{"center_mhz","width_mhz"}],"preferred"?:{...}}:
 *                signalled optical circuit whose source is this element. With present=false and
 *                "retire":true (also of its shutters) it goes last, behind what replaces it. "was":
 *                its former name: a circuit of that name between its ends gets the new one
 *   "shutter"   {"port","circuit","open":bool,"low_mhz"?,"high_mhz"?}: super-channel shutter at one
 *               end of a circuit; the passband that the circuit will have tells the end that is not
 *               its source that the circuit moves, and that its shutter must be opened again.
 *               "moved":true says so where the route alone changes
 *   "cross-connect" {"from","to","label","name","low_mhz","high_mhz","carriers"}: local, optical
 *   "line"      {"port","mode","center_mhz","label","laser":bool,"power_cdbm"?,
 *                "carriers"?:[{"port","center_mhz"},...]}: a coherent line port, or (carriers) the
 *                line ports of one coupled super-channel, `port` being the first of them.
 *                present=false: dark and unused; only "port" (and "carriers") count
 *   "client"    {"port","rate":"100GE|400GE","label","pluggable"?}: present=false: unused
 *   "odu-xc"    {"name","client","line","lines"?:[..],"rate","label","slots"?:"1..80"}: client port
 *                connected to a line port, or to the first of `lines` that has room; one per
 *                client. present=false: nothing is connected to the client. "rest":true: another
 *                subscription's, left as it is unless a line under it has to let go of it for a
 *                moment
 *   "power"     {"port","circuit"?,"target_cdbm"?,"tolerance_cdb"?}: of a line system: wait until
 *                the circuit's receive power at the port is in its tolerance. Of a transponder: the
 *                port's transmit power is target_cdbm (read "power:<port>" tells what it is and may
 *                be: {"tx_cdbm","required_cdbm","min_cdbm","max_cdbm"}); outside is LP_INVALID
 *   "software"  {"release","file","stages"?:["load","activate","cards"]}
 *
 * plan       {"element","driver","identity":{...},"as_of","intents_hash","before_hash",
 *             "operations":[operation...]}; an empty list = converged. Equal input gives equal
 * bytes. operation  {"id": unique in the plan and stable over re-plans ("set ots:1-A-1-L1 LABEL"),
 *             "phase": see enum lp_phase, "object":"ots:1-A-1-L1",
 *             "action":"create|set|delete|action|wait","intent": id of the intent,
 *             "before":{attr:value}|null,"after":{attr:value}|null,
 *             "flags":["traffic-affecting","irreversible","needs-oos","reboot"],
 *             "text": one line for a person,
 *             "commands":["ED-OTS:flex.aa00:..."] as they will be sent, tag as "*", no secrets,
 *             "timeout_ms", "compensation": operation | null (null: nothing to undo, or
 *             irreversible)}
 * report     {"changed":bool,"before","after","produced":{...}}; `produced` are identifiers the
 *            element chose (channel index, cross-connect name): preferred on re-entry
 */

/** Order of operations over all elements of a plan; deletions run in the reverse order of what
 * they delete (lasers off first). */
enum lp_phase {
    LP_PHASE_DARK = 10,    /* lasers off, shutters closed, clients down */
    LP_PHASE_REMOVE = 20,  /* circuits, cross-connects deleted */
    LP_PHASE_CLEAN = 30,   /* ports back to unused, routes without users deleted */
    LP_PHASE_PREPARE = 40, /* ports, labels, modes, fiber ends */
    LP_PHASE_CIRCUIT = 50, /* routes and circuits created or changed, waits for them */
    LP_PHASE_CONNECT = 60, /* cross-connects, client ports */
    LP_PHASE_OPEN = 70,    /* shutters open */
    LP_PHASE_LIGHT = 80,   /* lasers on */
    LP_PHASE_ALIGN = 90,   /* power */
    /** Added to the first three for what is retired only when its successor carries. */
    LP_PHASE_LATER = 100,
};

/* ---- the driver ---- */

struct lp_driver;

/** What all elements share; made once by daemon/, lives as long as it. */
struct lp_driver_host;
struct lp_driver_host_options {
    const struct lp_conf *conf;
    const struct lp_clock *clock;
    struct lp_log *log;
};
/** Reads the credentials file (conf devices.credentials; mode 0600 or stricter, owner checked,
 * reloaded when it changes). LP_INVALID naming file and line. */
enum lp_code lp_driver_host_new(const struct lp_driver_host_options *options,
                                struct lp_driver_host **out, struct lp_err *err) LP_MUST_CHECK;
/** Closes every session (TL1: CANC-USER where time allows). */
void lp_driver_host_free(struct lp_driver_host *host);
/** Closes idle sessions, keeps others alive; called about once a second from one thread. */
void lp_driver_host_tick(struct lp_driver_host *host);
/** Drops the sessions of an element at once (fenced, or its address changed). */
void lp_driver_host_drop(struct lp_driver_host *host, const char *element_id);

/** An opened element: driver-private, one thread. */
struct lp_ne {
    const struct lp_driver *driver;
    struct lp_driver_host *host;
    const struct lp_element *element; /* copy owned by the handle */
    void *priv;
};

struct lp_driver {
    const char *name;          /* "infinera-flexils" */
    const char *platform;      /* as the Optical Device names it, unique: "Infinera FlexILS" */
    uint64_t caps;             /* LP_DRIVER_CAP(...) | ... */
    uint32_t longest_write_ms; /* longest a command may still act after its sender died */
    /** No I/O yet: a session is taken when the first command needs one. */
    enum lp_code (*open)(struct lp_driver_host *host, const struct lp_element *element,
                         struct lp_ne **out, struct lp_err *err);
    /** Gives the session back to the pool, or closes it when it broke. NULL is fine. */
    void (*close)(struct lp_ne *ne);

    /* Reads. *out: new reference, set on LP_OK only. */
    enum lp_code (*probe)(struct lp_ne *, const struct lp_call *, json_t **out, struct lp_err *);
    enum lp_code (*inventory)(struct lp_ne *, const struct lp_call *, json_t **out,
                              struct lp_err *);
    /** role: a value of enum lp_port_role, or -1 for all. */
    enum lp_code (*ports)(struct lp_ne *, const struct lp_call *, int role, json_t **out,
                          struct lp_err *);
    enum lp_code (*neighbours)(struct lp_ne *, const struct lp_call *, json_t **out,
                               struct lp_err *);
    /** port NULL = all. */
    enum lp_code (*spectrum)(struct lp_ne *, const struct lp_call *, const char *port, json_t **out,
                             struct lp_err *);
    enum lp_code (*modes)(struct lp_ne *, const struct lp_call *, const char *port, json_t **out,
                          struct lp_err *);
    /** One object by the reference that plans use ("ots:1-A-1-L1"): normalised attributes. Line
     * systems also know "circuits": {"items":[{"aid","name","label","port","far_node","far_port",
     * "low_mhz","high_mhz","route":[{"node","port"}...]}]}, whose source the element is. */
    enum lp_code (*read)(struct lp_ne *, const struct lp_call *, const char *object, json_t **out,
                         struct lp_err *);

    /** Plan for an array of intents. take_over = false: foreign objects in the way are
     * LP_CONFLICT; true (adoption, reconcile): they are changed to what is wanted. All
     * discrepancies are in the plan, not only the first. */
    enum lp_code (*plan)(struct lp_ne *, const struct lp_call *, const json_t *intents,
                         bool take_over, json_t **out, struct lp_err *);
    /** Executes one operation: actual equals after: LP_OK with changed false; equals before: do it
     * and read it back; else LP_CONFLICT with detail {"actual"}. `produced`: what an earlier
     * attempt of this operation reported or NULL. */
    enum lp_code (*apply_op)(struct lp_ne *, const struct lp_call *, const json_t *operation,
                             const json_t *produced, json_t **report, struct lp_err *);

    enum lp_code (*alarms)(struct lp_ne *, const struct lp_call *, json_t **out, struct lp_err *);
    /** query: {"object"?, "period":"current|15min|day", "names":[...]?}. */
    enum lp_code (*counters)(struct lp_ne *, const struct lp_call *, const json_t *query,
                             json_t **out, struct lp_err *);
    /** Next autonomous message within the call's time: {"at","object","kind","text",...};
     * LP_NOT_FOUND when there was none. Holds the element's event session. */
    enum lp_code (*next_event)(struct lp_ne *, const struct lp_call *, json_t **out,
                               struct lp_err *);
    /** A command as an operator typed it; the raw answer as {"text"} and, where it can be parsed,
     * {"messages"}. */
    enum lp_code (*raw)(struct lp_ne *, const struct lp_call *, const char *text, json_t **out,
                        struct lp_err *);
    /** True unless the text is certainly a read. */
    bool (*raw_writes)(const char *text);

    /* With LP_CAP_ROLLBACK_POINT, else NULL. */
    /** Remembers the whole configuration: {"id"}. A second one does no harm. */
    enum lp_code (*rollback_point)(struct lp_ne *, const struct lp_call *, const char *description,
                                   json_t **out, struct lp_err *);
    /** What is otherwise now: {"id","changes":[{"path","operation","was","is"}]}. LP_NOT_FOUND,
     * LP_REFUSED: the element has no such point (any more). */
    enum lp_code (*rollback_diff)(struct lp_ne *, const struct lp_call *, const json_t *point,
                                  json_t **out, struct lp_err *);
    /** Puts the whole configuration back, if nothing but `objects` (references as in plans) is
     * otherwise; else LP_CONFLICT with detail {"foreign":[path...]}, and nothing is done. */
    enum lp_code (*rollback)(struct lp_ne *, const struct lp_call *, const json_t *point,
                             const json_t *objects, struct lp_err *);
};
#define LP_DRIVER_CAP(cap) (UINT64_C(1) << (cap))

static inline bool
lp_driver_can(const struct lp_driver *driver, enum lp_cap cap)
{
    return (driver->caps >> cap & 1) != 0;
}

/** Does a command as an operator typed it hold a password, in any protocol's way of giving one?
 * Also true without memory to look. */
bool lp_driver_text_has_secret(const char *text);
/** The driver of that name, or NULL. */
const struct lp_driver *lp_driver_of(const char *name);
/** All of clients/drivers.def. */
const struct lp_driver *const *lp_drivers(size_t *count);

#endif
