/**
 * From intents to operations: pure planning over objects in normal form. What it needs to know it
 * asks a source for: the element (read.h), or recorded answers in tests.
 *
 * Equal intents over equal objects give equal bytes. One operation is one command, with the one
 * exception of undoing a creation (out of service, then delete).
 */
#ifndef LP_CLIENTS_INFINERA_FLEXILS_PLAN_H
#define LP_CLIENTS_INFINERA_FLEXILS_PLAN_H

#include "clients/driver.h"
#include "clients/infinera/flexils/commands.h"

#define FX_SCH_MAX 128 /* super-channels of a port: 1 to this */

/** Where objects come from. *out is borrowed and lives as long as the source. */
struct fx_source {
    void *ctx;
    const char *tid; /* name of the element on the wire */
    /** One object, NULL when it does not exist. */
    enum lp_code (*get)(void *ctx, enum fx_class object, const char *aid, const json_t **out,
                        struct lp_err *err);
    /** All objects of a class: {aid: object}. */
    enum lp_code (*all)(void *ctx, enum fx_class object, const json_t **out, struct lp_err *err);
    /** The same of another element, through this one; LP_UNSUPPORTED when there is no way. */
    enum lp_code (*remote)(void *ctx, const char *tid, enum fx_class object, const json_t **out,
                           struct lp_err *err);
    /** Received power of a circuit at a port: {"measured_cdbm", "target_cdbm", "difference_cdb"}.
     * LP_NOT_FOUND: no such circuit there, or no measurement yet. */
    enum lp_code (*power)(void *ctx, const char *port, const char *circuit, const json_t **out,
                          struct lp_err *err);
};

/** The operations for intents, a new array in executing order. LP_INVALID, LP_UNSUPPORTED,
 * LP_NOT_FOUND, LP_CONFLICT name intent and object. */
enum lp_code fx_plan(const struct fx_source *source, struct lp_arena *arena, const json_t *intents,
                     bool take_over, json_t **out, struct lp_err *err) LP_MUST_CHECK;

/* ---- operations (op.c) ---- */

/** What to put into a new operation; objects are borrowed. */
struct fx_op {
    enum lp_phase phase;
    const char *action;  /* "create", "set", "delete", "action", "wait" */
    const char *object;  /* "ots:1-A-1-L1" */
    const char *purpose; /* tells operations on one object apart, or NULL */
    const char *intent;
    const json_t *before, *after; /* or NULL */
    unsigned flags;               /* enum lp_op_flag */
    int64_t timeout_ms;           /* 0: by action */
    const char *text;             /* or NULL: made from the rest */
};

/** The operation with its commands and, unless irreversible, its compensation. */
enum lp_code fx_op_make(const struct fx_source *source, struct lp_arena *arena,
                        const struct fx_op *op, json_t **out, struct lp_err *err) LP_MUST_CHECK;

#define FX_OP_COMMANDS 2
/** The commands that an operation sends, in order; everything in the arena. */
enum lp_code fx_op_requests(struct lp_arena *arena, const char *tid, const json_t *operation,
                            struct fx_request requests[static FX_OP_COMMANDS], size_t *count,
                            struct lp_err *err) LP_MUST_CHECK;
/** True when every attribute of `wanted` is so in `actual`; a missing text equals an empty one.
 * NULL or null `wanted`: `actual` must be NULL. */
bool fx_holds(enum fx_class object, const json_t *wanted, const json_t *actual);
/** What an object is created with: what of `wanted` a creation takes, "ADMIN", and the values that
 * production networks send with it. New reference. */
json_t *fx_creation(enum fx_class object, const json_t *wanted);
/** The attributes of `actual` that `like` has too, absent ones as "". New reference. */
json_t *fx_slice(const json_t *actual, const json_t *like);

/* ---- the parts of the planner ---- */

struct fx_planner {
    const struct fx_source *source;
    struct lp_arena *arena;
    const json_t *intents;
    bool take_over;
    json_t *ops;
    json_t *chosen; /* SCH identifiers taken by this plan: {aid: circuit} */
    json_t *routes; /* route of each OSNC after this plan: {osnc: OEL as shown, or null} */
    int later;      /* LP_PHASE_LATER while something is planned that is retired, else 0 */
    struct lp_err *err;
};

enum lp_code fx_add(struct fx_planner *p, const struct fx_op *op) LP_MUST_CHECK;
/** Ports: intents "port" and "fiber-end", and the manual mode that circuits need (ports.c). */
enum lp_code fx_plan_ports(struct fx_planner *p) LP_MUST_CHECK;
/** The operations that bring an object from `actual` to `wanted`, through the state in which an
 * attribute may be changed, ending in wanted.ADMIN (or where it was). Of `like` count phase,
 * object, intent and the flags that leaving service deserves. */
enum lp_code fx_edit(struct fx_planner *p, const struct fx_op *like, const json_t *actual,
                     const json_t *wanted) LP_MUST_CHECK;
/** The same for a port, which must exist. */
enum lp_code fx_plan_port(struct fx_planner *p, const char *object, const char *intent,
                          enum lp_phase phase, const json_t *wanted) LP_MUST_CHECK;
/** An error about an intent. */
enum lp_code fx_bad_intent(struct fx_planner *p, const json_t *intent, enum lp_code code,
                           const char *why) LP_MUST_CHECK;
/** Intents "circuit", "shutter", "cross-connect", "power" (circuits.c). */
enum lp_code fx_plan_circuits(struct fx_planner *p) LP_MUST_CHECK;

/* ---- rules that have one home (rules.c) ---- */

/** True for cards whose tributaries know OOS and IS only: FSM and FRM. */
bool fx_card_without_maintenance(const char *card_type);
/** The AID one level up: "1-A-3" of "1-A-3-T1". In the arena; "" at the top. */
const char *fx_parent(struct lp_arena *arena, const char *aid);
/** The letter of an AID's last component: 'L', 'T', 'S', 'O'; '\0' when it begins with a digit. */
char fx_port_letter(const char *aid);
/** The class of a port's objects: OTS for lines, SCG for tributary and system ports. */
bool fx_port_class(const char *aid, enum fx_class *object);
/** Name of a remote port in PROVOWREMPTP: from its first digit, other characters than letters and
 * digits as '-'. */
const char *fx_remote_port(struct lp_arena *arena, const char *port);
/** True when a platform's name, or its driver's, is that of this driver. */
bool fx_platform_is(const char *platform, const char *driver);
/** PROVOWREMPTP for a peer {"node","port","platform","serial"?}. */
const char *fx_remote_of(struct lp_arena *arena, const json_t *peer);
/** True when two values of an attribute mean the same: an absent text is an empty one, a neighbour
 * may be written in several forms. */
bool fx_same_value(const char *name, const json_t *a, const json_t *b);
/** True when an SCH identifier is an index on exactly this port. */
bool fx_sch_on(const char *sch, const char *port);
/** CKTIDSUFFIX of a circuit's name: blanks are '_'. In the arena. */
const char *fx_suffix(struct lp_arena *arena, const char *name);
/** True when a neighbour attribute ("node/port", "node-port" or "port") names exactly these. */
bool fx_neighbour_is(const char *value, const char *node, const char *port);

#endif
