/**
 * What the Groove G30 and the GX G42 have in common: objects of a RESTCONF element in normal form,
 * planning over them, executing operations. A platform is a table (struct ir_platform): its classes
 * of objects, its planner, and what is special about its cross-connects.
 *
 * References: "<class>:<name>" ("port:port-1/2/1", "sc:1-4-L1"). Attributes have the names of the
 * leaves on the wire. Normal form: integers for whole numbers (whether the element writes them as
 * texts or not), decimals as texts without superfluous digits, leaf-lists without an order sorted.
 * Only the leaves of the tables exist: what else an element tells is not looked at, what else
 * somebody wants to write is an error.
 *
 * Everything here but link.c and documents.c is pure: it asks a source. Threads: any.
 */
#ifndef LP_CLIENTS_INFINERA_REST_REST_H
#define LP_CLIENTS_INFINERA_REST_REST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "clients/driver.h"
#include "clients/ops.h"
#include "wire/restconf.h"

/* ---- tables ---- */

enum ir_kind { IR_TEXT, IR_ENUM, IR_INT, IR_DECIMAL, IR_SET };

enum ir_leaf_flag {
    IR_READ_ONLY = 1, /* told, never written */
    IR_AS_TEXT = 2,   /* a number that goes over the wire as a text (64 bits) */
    IR_GUARDED = 4,   /* changes only while the object is out of service */
    IR_TRAFFIC = 8,   /* changing it touches traffic */
    IR_AS_BOOL = 16,  /* "true" or "false" that goes over the wire as a boolean */
};

struct ir_leaf {
    const char *name;
    enum ir_kind kind;
    unsigned flags;     /* enum ir_leaf_flag */
    const char *values; /* IR_ENUM: "up|down", or NULL: whatever the element takes */
    int64_t low, high;  /* of numbers, IR_DECIMAL in hundredths; equal: no limits. IR_TEXT: high =
                           most bytes */
};

struct ir_class {
    const char *prefix;            /* of references: "port" */
    const char *node;              /* as it is called on the wire: "ne:port" */
    const char *key;               /* its key leaf; NULL: a container */
    bool key_number;               /* the key is a number */
    const char *admin, *up, *down; /* leaf of the admin state and two of its values; or NULL */
    const struct ir_leaf *leaves;
    size_t leaf_count;
};

const struct ir_leaf *ir_leaf_find(const struct ir_class *class, const char *name);

/** Where an object is: what a reference stands for. Texts in the arena. */
struct ir_place {
    const struct ir_class *class;
    const char *path;   /* "/data/ne:ne/shelf=1/...", keys encoded */
    const char *parent; /* where it is created by POST; NULL: it appears by itself */
    const char *key;    /* value of the key leaf, or NULL */
};

/* ---- sources ---- */

struct ir_source {
    void *ctx;
    const char *name; /* of the element, for messages */
    /** A data resource, "/data/...", in the schema's shape (clients/yang_check.h): an object, or
     * the array of a list. *out: new reference, NULL when it does not exist. */
    enum lp_code (*get)(void *ctx, const char *path, const struct lp_restconf_query *query,
                        json_t **out, struct lp_err *err);
    /** An operation "module:rpc" that only reads (get-pm, show commands); input is stolen. */
    enum lp_code (*rpc)(void *ctx, const char *rpc, json_t *input, json_t **out,
                        struct lp_err *err);
};

/** A write as it goes over the wire; texts in the arena. */
struct ir_request {
    const char *method; /* "PATCH", "POST", "DELETE" */
    const char *path;   /* "/data/...", "/operations/..." */
    const char *body;   /* compact JSON, or NULL */
    int64_t timeout_ms; /* until its answer; 0: as every write */
};
#define IR_REQUESTS 4

/* ---- platforms ---- */

struct ir_planner;
struct ir_ne;
struct ir_software;

struct ir_platform {
    const char *driver;   /* name of the driver */
    const char *platform; /* "Groove G30", for documents and messages */
    const char *speaks;   /* "a G30 has ports, lines ..." : what a refused intent is told */
    const struct ir_class *classes;
    size_t class_count;
    /** LP_INVALID: no object of this platform. */
    enum lp_code (*locate)(struct lp_arena *arena, const char *reference, struct ir_place *out,
                           struct lp_err *err);
    bool (*knows)(const char *kind); /* of intents */
    enum lp_code (*plan)(struct ir_planner *p);
    /** Objects that are not one resource ("xc:..."): *handled tells whether this is one. Their
     * normal form, NULL when not there. */
    enum lp_code (*special_read)(const struct ir_source *source, struct lp_arena *arena,
                                 const char *reference, bool *handled, json_t **out,
                                 struct lp_err *err);
    /** The requests of an operation on such an object. `actual`: as just read, or NULL; `produced`
     * holds what an earlier attempt chose and takes what this one chooses; `source` NULL: for the
     * preview in a plan, where nothing is chosen yet. */
    enum lp_code (*special_write)(const struct ir_source *source, struct lp_arena *arena,
                                  const json_t *operation, const json_t *actual, json_t *produced,
                                  struct ir_request requests[static IR_REQUESTS], size_t *count,
                                  struct lp_err *err);
    const struct ir_software *software; /* NULL: cannot be upgraded */
    /** The object that an alarm in a notification is about. NULL: the platform has no notifications
     * over RESTCONF, its alarms are compared from time to time instead. */
    const char *(*alarmed)(struct lp_arena *arena, const json_t *alarm);
};

/* ---- normal form (normal.c) ---- */

/** A member of an object by its name with or without module. Borrowed, or NULL. */
const json_t *ir_member(const json_t *object, const char *name);
/** The same, as a text: numbers are written out; `fallback` when it is neither. In the arena. */
const char *ir_text(struct lp_arena *arena, const json_t *object, const char *name,
                    const char *fallback);
/** A value of a leaf in normal form. New reference. */
json_t *ir_normal(const struct ir_leaf *leaf, const json_t *value);
/** The leaves of an object of a class. New reference. */
json_t *ir_object(const struct ir_class *class, const json_t *raw);
/** The body that writes `values` into an object. LP_INVALID: a leaf that is not in the table, may
 * not be written, or a value out of its range. New reference in *out. */
enum lp_code ir_body(const struct ir_place *place, const json_t *values, json_t **out,
                     struct lp_err *err) LP_MUST_CHECK;
/** True when every attribute of `wanted` is so in `actual`; a missing text equals an empty one.
 * NULL or null `wanted`: `actual` must be NULL. */
bool ir_holds(const json_t *wanted, const json_t *actual);
/** True when both values mean the same. */
bool ir_same(const json_t *a, const json_t *b);
/** The attributes of `actual` that `like` has too, absent ones as "". New reference. */
json_t *ir_slice(const json_t *actual, const json_t *like);
/** The writable attributes of an object, without its admin state when `admin` is false. New. */
json_t *ir_writable(const struct ir_class *class, const json_t *actual, bool admin);
/** Percent-encodes everything but unreserved characters. In the arena. */
const char *ir_encode(struct lp_arena *arena, const char *text);
/** "-8.4" and -8.4 as -840; false: no number. */
bool ir_hundredths(const json_t *value, int64_t *out);
/** 150 as "1.5". In the arena. */
const char *ir_decimal(struct lp_arena *arena, int64_t hundredths);
/** Bytes of `text` before `separator`, in the arena; *rest behind it (NULL: it is not in there). */
const char *ir_cut(struct lp_arena *arena, const char *text, char separator, const char **rest);
/** True when the class of the reference is `prefix`; *name is what stands behind it. */
bool ir_reference(const char *reference, const char *prefix, const char **name);

/* ---- planning (plan.c) ---- */

struct ir_planner {
    const struct ir_platform *platform;
    const struct ir_source *source;
    struct lp_arena *arena;
    const json_t *intents;
    bool take_over;
    json_t *ops;
    json_t *state;   /* {reference: object after the operations so far, or null} */
    json_t *wishes;  /* {reference: {"intent","present","attrs"}} in the order of the intents */
    json_t *answers; /* what the element said: {path: answer} */
    struct lp_err *err;
};

struct ir_op {
    enum lp_phase phase;
    const char *action;  /* "create", "set", "delete", "action", "wait" */
    const char *object;  /* reference */
    const char *purpose; /* tells operations on one object apart, or NULL */
    const char *intent;
    const json_t *before, *after; /* or NULL; before NULL of a "set": whatever is there by then */
    /** What undoing a "set" or "delete" writes instead of `before`; or NULL. */
    const json_t *restore;
    const json_t *hints; /* what the element may choose freely, and we would like; or NULL */
    unsigned flags;      /* enum lp_op_flag */
    int64_t timeout_ms;
    const char *text; /* or NULL: made from the rest */
};

/** The operations for intents in executing order; new array. Errors as lp_driver.plan. */
enum lp_code ir_plan(const struct ir_platform *platform, const struct ir_source *source,
                     struct lp_arena *arena, const json_t *intents, bool take_over, json_t **out,
                     struct lp_err *err) LP_MUST_CHECK;
/** Adds an operation and notes what its object is after it. */
enum lp_code ir_add(struct ir_planner *p, const struct ir_op *op) LP_MUST_CHECK;
/** An object as it is after the operations planned so far; NULL: not there. Borrowed. */
enum lp_code ir_get(struct ir_planner *p, const char *reference, const json_t **out) LP_MUST_CHECK;
/** What the element says at a path; read once for a plan. Borrowed; NULL: nothing there. */
enum lp_code ir_ask(struct ir_planner *p, const char *path, const struct lp_restconf_query *query,
                    const json_t **out) LP_MUST_CHECK;
/** The planner as a source: what it was told already is not asked again. */
void ir_planner_source(struct ir_planner *p, struct ir_source *out);
/** Adds attributes to what is wanted of an object; they are taken over. A wish of an intent that is
 * present beats those of absent ones; two present ones that differ are LP_INVALID. */
enum lp_code ir_wish(struct ir_planner *p, const json_t *intent, const char *reference,
                     json_t *attrs) LP_MUST_CHECK;
/** What a new object has by itself and must keep: asked for (added to attrs) where it is otherwise
 * now, and never written into an object that has yet to appear. */
struct ir_kept {
    const char *name, *value;
};
enum lp_code ir_keep(struct ir_planner *p, const char *reference, const struct ir_kept *kept,
                     size_t count, json_t *attrs) LP_MUST_CHECK;
/** Does a fiber end at the port, once the plan is carried out? Such a port stays up, as the fiber
 * wants it, whatever service it is free of. */
enum lp_code ir_is_cabled(struct ir_planner *p, const char *port, bool *out) LP_MUST_CHECK;
/** What is wanted of an object, or NULL. Borrowed: {"intent","present","attrs"}. */
const json_t *ir_wished(const struct ir_planner *p, const char *reference);
/** Brings an object that exists to `wanted`: out of service where a guarded attribute differs,
 * then the attributes, and last the admin state. `like` gives phase, object, intent, restore. */
enum lp_code ir_edit(struct ir_planner *p, const struct ir_op *like,
                     const json_t *wanted) LP_MUST_CHECK;
/** True when bringing the object to `wanted` changes a guarded attribute. */
bool ir_needs_oos(const struct ir_class *class, const json_t *wanted, const json_t *actual);
/** Writes `wanted` into an object that an earlier operation makes appear or resets. */
enum lp_code ir_write_later(struct ir_planner *p, const struct ir_op *like,
                            const json_t *wanted) LP_MUST_CHECK;
enum lp_code ir_bad_intent(struct ir_planner *p, const json_t *intent, enum lp_code code,
                           const char *why) LP_MUST_CHECK;
/** Puts a label into attrs; LP_INVALID when it does not fit. */
enum lp_code ir_set_label(struct ir_planner *p, const json_t *intent, const char *leaf,
                          json_t *attrs) LP_MUST_CHECK;
/** "port:port-1/2/1" of class and name, in the arena. */
const char *ir_ref(struct lp_arena *arena, const char *prefix, const char *name);
/** The class of a prefix; NULL: none. */
const struct ir_class *ir_class_find(const struct ir_platform *platform, const char *prefix);

/** The requests of an operation on an object that is one resource; everything in the arena. */
enum lp_code ir_requests(const struct ir_platform *platform, const struct ir_source *source,
                         struct lp_arena *arena, const json_t *operation, const json_t *actual,
                         json_t *produced, struct ir_request requests[static IR_REQUESTS],
                         size_t *count, struct lp_err *err) LP_MUST_CHECK;
/** An object in normal form, fresh: new reference, NULL when it is not there. */
enum lp_code ir_read(const struct ir_platform *platform, const struct ir_source *source,
                     struct lp_arena *arena, const char *reference, json_t **out,
                     struct lp_err *err) LP_MUST_CHECK;

/* ---- cross-connects of clients (xc.c) ---- */

struct ir_xc_rules {
    enum lp_code (*check)(struct ir_planner *p, const json_t *intent);
    /** Is the client connected by the card itself? NULL: never. */
    enum lp_code (*fixed)(struct ir_planner *p, const char *client, bool *out);
    /** The line for a client that is not connected to one of those wanted; `moving` = {port: true}:
     * ports that this plan empties. */
    enum lp_code (*line)(struct ir_planner *p, const json_t *intent, const json_t *moving,
                         const char **out);
    /** What the cross-connect should be: "line", "label" and others. New reference. */
    json_t *(*wanted)(struct ir_planner *p, const json_t *intent, const char *line);
};
/** All intents odu-xc. A client that is connected to something else is LP_CONFLICT, unless an
 * intent wants that gone or foreign objects are taken over; one whose port or line moves is
 * disconnected before and connected again behind. */
enum lp_code ir_plan_xc(struct ir_planner *p, const struct ir_xc_rules *rules,
                        const json_t *moving) LP_MUST_CHECK;
/** Removes the cross-connect of a client. */
enum lp_code ir_xc_remove(struct ir_planner *p, const char *client,
                          const char *intent) LP_MUST_CHECK;

/* ---- software (software.c) ---- */

struct ir_release {
    const char *from, *to;
};
struct ir_software {
    const struct ir_release *releases; /* the ways that the vendor supports */
    size_t release_count;
    bool loads_alone;   /* an image is loaded first and activated later */
    int64_t q_drop_cdb; /* a signal may get so much worse */
    /** {"active","loaded"} */
    enum lp_code (*image)(const struct ir_source *source, struct lp_arena *arena, json_t **out,
                          struct lp_err *err);
    /** {"alarms":[text...],"lines":{line:{"q_cdb","tx_cdbm"?,"mhz"?}},"busy":[card...]} */
    enum lp_code (*health)(const struct ir_source *source, struct lp_arena *arena, json_t **out,
                           struct lp_err *err);
    /** {card: {"type","current":bool}} */
    enum lp_code (*cards)(const struct ir_source *source, struct lp_arena *arena, json_t **out,
                          struct lp_err *err);
    /** Does a card of the type restart cold, with its traffic down? */
    bool (*restarts_cold)(const char *card_type);
    /** The request of an "action" on "sw:image", "sw:backup" or "fw:<card>". */
    enum lp_code (*write)(struct lp_arena *arena, const json_t *operation,
                          struct ir_request *request, struct lp_err *err);
};
bool ir_is_software(const char *reference);
enum lp_code ir_software_read(const struct ir_platform *platform, const struct ir_source *source,
                              struct lp_arena *arena, const char *reference, json_t **out,
                              struct lp_err *err) LP_MUST_CHECK;
/** Intents "software". */
enum lp_code ir_plan_software(struct ir_planner *p) LP_MUST_CHECK;
/** What has got worse since `baseline`, one text each; empty: all is well. New reference. */
json_t *ir_health_problems(const json_t *baseline, const json_t *now, int64_t q_drop_cdb);
/** The rows of a JSON text whose members "row" repeat. New reference. */
json_t *ir_cli_rows(const char *text);
/** A show command: *out malloc'ed. LP_REFUSED: it said ERROR, be it with status 200. */
enum lp_code ir_cli(const struct ir_source *source, const char *rpc, const char *command,
                    char **out, struct lp_err *err) LP_MUST_CHECK;
/** The request that runs "module:name" with an input (stolen). */
enum lp_code ir_operation(struct lp_arena *arena, const char *module, const char *name,
                          json_t *input, struct ir_request *request,
                          struct lp_err *err) LP_MUST_CHECK;
/** LP_REFUSED when the answer of an operation says that it failed. */
enum lp_code ir_operation_outcome(const char *name, const json_t *answer,
                                  struct lp_err *err) LP_MUST_CHECK;

/* ---- modes (modes.c) ---- */

/** One row of the tables of line modes. */
struct ir_mode {
    const char *id;
    unsigned rate_gbps, baud_mbd, width_mhz;
    const char *fec; /* "" = not known */
    bool coupled;    /* over two line ports */
};
/** {"id","rate_gbps","width_mhz","min_slot_mhz","baud_mbd","text",...}. New reference. */
json_t *ir_mode_json(const struct ir_mode *mode, const char *card);
/** Width of the slot, in steps of 12.5 GHz, that a symbol rate needs with its roll-off. */
unsigned ir_slot_mhz(unsigned baud_mbd);

#endif
