/**
 * What is stored about devices: plans, modes, emergency stops, cached reads, evidence. The steps
 * write it, the API shows it; nothing here speaks to a device. Documents returned are new
 * references; times in them are UTC seconds as numbers, as everywhere on the wire. Threads: any.
 */
#ifndef LP_STORE_DEVICES_H
#define LP_STORE_DEVICES_H

#include "store/db.h"

/* ---- plans: stored once by their hash ---- */

/** Queues a plan. The hash covers canonical header and operations; equal plans are one row. */
enum lp_code lp_plan_add(struct lp_unit *unit, const json_t *header, const json_t *operations,
                         int64_t now_us, char hash[static 65], struct lp_err *err) LP_MUST_CHECK;
/** {header members..., "hash", "operations":[...]}. LP_NOT_FOUND. */
enum lp_code lp_plan_load(struct lp_store *store, const char *hash, json_t **plan,
                          struct lp_err *err) LP_MUST_CHECK;
/** One operation. LP_NOT_FOUND. */
enum lp_code lp_plan_operation(struct lp_store *store, const char *hash, int64_t n, json_t **op,
                               struct lp_err *err) LP_MUST_CHECK;

/** One plan of a process. */
struct lp_process_plan {
    int64_t n; /* 1 the first */
    char hash[65];
    int64_t begin_at;   /* sub-step its first operation is */
    int64_t operations; /* how many */
    bool refused;       /* goes beyond what was approved: waits for an approval of its own */
    int64_t created_at;
};
/** All plans of a process in order; *plans is malloc'ed. */
enum lp_code lp_process_plans(struct lp_store *store, const char *process_id,
                              struct lp_process_plan **plans, size_t *count,
                              struct lp_err *err) LP_MUST_CHECK;
/** Who approved that plan of a process, and when; *at_us = 0: nobody. actor has 128 bytes. */
enum lp_code lp_plan_approval(struct lp_store *store, const char *process_id, const char *hash,
                              int64_t *at_us, char actor[static 128],
                              struct lp_err *err) LP_MUST_CHECK;
/** Everything about the plans of a process: {"process_id","plans":[{"n","hash","status",
 * "created_at","elements":{...},"operations":[{...,"step","applied"?}],"approval"?}],
 * "rollback_points":{element id: {"at","id"?,"refused"?,"changes"?: what differed at the last
 * look}}}. LP_NOT_FOUND: the process has no plan. */
enum lp_code lp_process_plans_json(struct lp_store *store, const char *process_id, json_t **out,
                                   struct lp_err *err) LP_MUST_CHECK;

/* ---- devices ---- */

/** The Optical Device subscription of that id, host name, node name or address; id has LP_UUID_LEN
 * + 1 bytes, name may be NULL or have 256. LP_NOT_FOUND, LP_CONFLICT: several. */
enum lp_code lp_device_find(struct lp_store *store, const char *name, char *id, char *found,
                            struct lp_err *err) LP_MUST_CHECK;
/** {"device_id","name","description","status","site","site_name","driver","mode","mode_default",
 * "mode_by","mode_at","drifted_at","drift","seen_at","cached":{kind: {"as_of","process_id"}},
 * "objects": how many of ours,"identity"?,"stops":[...]}. `mode` = fallback when never set. */
enum lp_code lp_device_json(struct lp_store *store, const char *id, const char *fallback_mode,
                            json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Rows of lp_device_json without cache, objects and stops, by id, at most limit behind `after`. */
enum lp_code lp_devices_json(struct lp_store *store, const char *after, int64_t limit,
                             const char *fallback_mode, json_t **out,
                             struct lp_err *err) LP_MUST_CHECK;
/** {"device_id","kind","as_of","age_s","process_id", members of the document...}. LP_NOT_FOUND:
 * never read. */
enum lp_code lp_device_cached(struct lp_store *store, const char *id, const char *kind,
                              json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Queues a mode. LP_INVALID: neither observe nor manage. */
enum lp_code lp_device_mode_add(struct lp_unit *unit, const char *id, const char *name,
                                const char *mode, const char *actor, int64_t now_us,
                                struct lp_err *err) LP_MUST_CHECK;

/* ---- emergency stops ---- */

/** [{"scope","target","description","reason","actor","at"}...]. */
enum lp_code lp_stops_json(struct lp_store *store, json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Resolves scope and name ("" for everything; a site by PoP id or code, an element as
 * lp_device_find) to the stored target. target has LP_UUID_LEN + 1 bytes. */
enum lp_code lp_stop_target(struct lp_store *store, const char *scope, const char *name,
                            char *target, struct lp_err *err) LP_MUST_CHECK;
void lp_stop_add(struct lp_unit *unit, const char *scope, const char *target, const char *reason,
                 const char *actor, int64_t now_us);
size_t lp_stop_drop(struct lp_unit *unit, const char *scope, const char *target);
/** May this element be written now? LP_CANCELLED: a stop, its reason and who set it;
 * LP_PRECONDITION: its mode is observe. Messages say what to do. name is for messages; site may be
 * NULL. */
enum lp_code lp_device_demand_writable(struct lp_store *store, const char *id, const char *name,
                                       const char *site, const char *fallback_mode,
                                       struct lp_err *err) LP_MUST_CHECK;

/* ---- evidence ---- */

/** {"process_id","exchanges":[{"step","attempt","n","element_id","protocol","sent","received",
 * "outcome","writes","at","took_ms"}...],"next": cursor or null}; in order of time, at most limit
 * behind the cursor ("" = from the beginning). LP_INVALID: no such cursor. */
enum lp_code lp_evidence_json(struct lp_store *store, const char *process_id, const char *cursor,
                              int64_t limit, json_t **out, struct lp_err *err) LP_MUST_CHECK;

#endif
