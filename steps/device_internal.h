/**
 * Between the files of the device steps only.
 *
 *   closure.c       what products look at, and what they desire
 *   devices.c       opening elements: locks, permission to write, evidence
 *   planning.c      the driver plans of all elements as one plan
 *   rollback.c      rollback points, where elements offer them
 *   plan.c          steps plan and approve;  apply.c, verify.c  their steps
 *   device_reads.c  steps probe, read_inventory, command
 */
#ifndef LP_STEPS_DEVICE_INTERNAL_H
#define LP_STEPS_DEVICE_INTERNAL_H

#include "steps/devices.h"
#include "store/devices.h"

/* ---- closure.c ---- */

/** What should be: owned by one call of a step. */
struct lp_wanted {
    const char *subject; /* borrowed from the state */
    json_t *closure;
    json_t *elements;  /* {element id: [intent...]}: everything to be planned */
    json_t *mine;      /* {element id: {intent id: intent}}: what the subject desires */
    json_t *leaving;   /* [{"element","intent"}]: ours so far, and desired by nobody now */
    json_t *rest;      /* {element id: {intent id: subscription id}}: what siblings desire */
    json_t *abandoned; /* [{"element","intent"}]: given up without the element (force) */
};
/** gone: the subject is being terminated. LP_INTERNAL: its product configures nothing. */
enum lp_code lp_wanted_load(struct lp_run *run, const json_t *state, bool gone,
                            struct lp_wanted *out, struct lp_err *err) LP_MUST_CHECK;
void lp_wanted_free(struct lp_wanted *wanted);
bool lp_is_terminating(const struct lp_run *run);
/** The element document of a device, from the closure when it stands in there. New reference. */
enum lp_code lp_wanted_element(struct lp_run *run, const struct lp_wanted *wanted, const char *id,
                               json_t **doc, struct lp_err *err) LP_MUST_CHECK;

/* ---- devices.c ---- */

/** Elements of a set, by id order. */
struct lp_device *lp_devices_one(struct lp_device **devices, size_t count, const char *id);
/** Refuses at once what the check before each write would refuse: stop, mode, allow-list. */
enum lp_code lp_device_demand(struct lp_run *run, const json_t *doc,
                              struct lp_err *err) LP_MUST_CHECK;
/** LP_CONFLICT: it is another element than `identity` says ({"node","serial"...}, may be NULL) or
 * than its document expects. */
enum lp_code lp_device_same(struct lp_device *device, const json_t *identity,
                            struct lp_err *err) LP_MUST_CHECK;
/** The same of an identity that was read already (the driver's probe), without asking. */
enum lp_code lp_device_is(struct lp_device *device, const json_t *now, const json_t *identity,
                          struct lp_err *err) LP_MUST_CHECK;
/** The driver's plan; LP_CONFLICT when another element answered it than the one that is meant. */
enum lp_code lp_device_plan(struct lp_device *device, const json_t *intents, bool take_over,
                            json_t **plan, struct lp_err *err) LP_MUST_CHECK;
/** Stores at once that an element cannot be trusted to hold what it should. */
void lp_device_drifted(struct lp_run *run, const json_t *doc, const char *why);

/* ---- rollback.c: elements with LP_CAP_ROLLBACK_POINT; nothing happens for the others ---- */

/** Takes the rollback point of this process, unless it has one. An element that refuses gives none.
 */
enum lp_code lp_rollback_take(struct lp_device *device, struct lp_err *err) LP_MUST_CHECK;
/** Queues what differs from the point by now, to be shown with the plan. */
void lp_rollback_tell(struct lp_device *device);
/** err says why an operation could not be undone. Puts the element back to its point where that is
 * safe: nothing but what this process planned has changed, and no other process has planned or
 * changed anything on it. LP_OK, or err with the reason added; *parked: the locks are not ours. */
enum lp_code lp_rollback_use(struct lp_run *run, const json_t *state, json_t *doc,
                             const char *element, bool *parked, struct lp_err *err) LP_MUST_CHECK;

/* ---- planning.c ---- */

struct lp_planned {
    json_t *header;     /* {"elements": {id: {"name","driver","identity","before_hash",
                           "intents_hash"}}, "abandoned"?} */
    json_t *operations; /* in the order of their execution */
};
/** Reads all elements and plans; takes their session locks (LP_CONFLICT parks). */
enum lp_code lp_planning(struct lp_run *run, const struct lp_wanted *wanted, bool take_over,
                         struct lp_planned *out, struct lp_err *err) LP_MUST_CHECK;
void lp_planned_free(struct lp_planned *planned);
/** While what runs already is taken over (state.adopted): a label of a circuit that names others as
 * well is right; who they are is seen when they are taken over. */
void lp_planned_forgive(struct lp_planned *planned, const json_t *state);
bool lp_operation_has(const json_t *operation, const char *flag);
/** "name object: text" of an operation. */
void lp_operation_text(const json_t *header, const json_t *operation, char *buf, size_t size);
bool lp_take_over(const struct lp_run *run, const json_t *state);
bool lp_forced(const json_t *state);
/** What stands against applying a plan for the touched subscriptions: [{"subscription_id",
 * "description"}...] that were active before the process began. New reference. */
enum lp_code lp_touched(struct lp_run *run, const json_t *state, const struct lp_wanted *wanted,
                        const json_t *operations, json_t **out, struct lp_err *err) LP_MUST_CHECK;

#endif
