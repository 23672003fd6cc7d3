/**
 * Steps that work on devices: read actual, plan, approve, apply, verify; and how a step opens an
 * element. A workflow table is made of the rows below:
 *
 *   CREATE     construct, (read_inventory,) plan, approve, apply, verify
 *   MODIFY     update, plan, approve, apply, verify
 *   TERMINATE  check_unused, plan, approve, apply, verify
 *   VALIDATE   compare, verify
 *   RECONCILE  refresh, plan, approve, apply, verify
 *
 * What should be comes from products/product.h (`desired`), what is and how to get there from
 * clients/driver.h. State keys these steps read and write:
 *   take_over   true: foreign objects in the way are changed to what is wanted (adoption); always
 *               so in RECONCILE
 *   moved       true: circuits of the subject change their way, so shutters must be opened again
 *   make_before_break  true: what is ours and desired no more goes behind everything else
 *   force       {"reason": text, "elements": [id...]?}: TERMINATE without these elements, or
 * without any when none are named (dead chassis): nothing is planned for them and nothing sent;
 *               what is given up is listed
 *   plan        {"hash","operations","elements":[{"id","name","operations"}],"traffic_affecting",
 *               "irreversible","approval":bool,"touches":[{"subscription_id","description"}]};
 *               the plan itself is stored once, see store/devices.h
 *   approval    {"decision","actor","comment"?,"window"?,"hash"} of the approval form
 *   verified    {"elements","intents"}
 *
 * Locks: a step that reads takes a session lock per element (session:<id>#<slot>), one that writes
 * also ne:<id>; all at once, and a busy one parks the process. No thread waits for a lock.
 */
#ifndef LP_STEPS_DEVICES_H
#define LP_STEPS_DEVICES_H

#include "clients/driver.h"
#include "engine/run.h"
#include "products/product.h"

/** What daemon/ wires in as lp_engine_options.services. */
struct lp_services {
    struct lp_driver_host *drivers;
    /** Normally lp_driver_of; NULL for a name nobody knows. */
    const struct lp_driver *(*driver_of)(const char *name);
    /** Normally lp_product_of, which NULL stands for. */
    const struct lp_product *(*product_of)(const char *type);
    /** Told before elements are opened, so that whoever keeps sessions alive wakes up; or NULL. */
    void (*opening)(void *arg);
    void *arg;
};

/** Key `plan`, EXTERNAL, reads only; the last step of a dry run. */
extern const struct lp_step lp_step_plan;
/** Key `approve`, GROUP of ask (INPUT) and record, only when the plan asks for it. The answer may
 * name a maintenance window in which apply runs. */
extern const struct lp_step lp_step_approve;
/** Key `apply`, EACH, EXTERNAL: one operation per sub-step; undo in reverse. */
extern const struct lp_step lp_step_apply;
/** Key `verify`, EXTERNAL, reads only: plans again; LP_DRIFT naming every discrepancy. */
extern const struct lp_step lp_step_verify;
/** Key `read_inventory`, EXTERNAL: reads identity, inventory, ports, neighbours, spectrum and
 * alarms of the target (an Optical Device) into the cache. State: "identity" = what it said. */
extern const struct lp_step lp_step_read_inventory;
/** Key `probe`, EXTERNAL: asks the target (an Optical Device) who it is: state "identity".
 * LP_CONFLICT when it is another one than expected. */
extern const struct lp_step lp_step_probe;
/** Key `confirm_serial`, EXTERNAL, only when state "changes" holds a serial number: the target (an
 * Optical Device), reached as it will be after the changes, must answer exactly that one.
 * LP_CONFLICT when it is another one, LP_PRECONDITION when it does not tell. */
extern const struct lp_step lp_step_confirm_serial;
/** Key `command`, EXTERNAL: state "command" sent to the element of state "device_id" as typed;
 * state "answer" = {"text","messages"?}. A command that writes needs workflow role admin, and obeys
 * mode, allow-list and stops. */
extern const struct lp_step lp_step_command;

/** One page that names a device by id, host name, node name or address: state "device_id"; the
 * second one asks for a command too: state "command". */
extern const struct lp_form lp_form_device, lp_form_device_command;

/* ---- for steps of other rooms' products ---- */

enum lp_device_use { LP_DEVICE_READ, LP_DEVICE_WRITE };

struct lp_devices;

/** An element opened for the rest of one call of a step; freed with lp_devices_close. */
struct lp_device {
    json_t *doc; /* of product.element; owned */
    struct lp_element element;
    const struct lp_driver *driver;
    struct lp_ne *ne;
    struct lp_call call;
    struct lp_run *run;
    struct lp_devices *set;
    enum lp_device_use use;
    int64_t deadline_us; /* of the operation under way (monotonic); 0 = the step's */
    int64_t quiet_until; /* UTC us: no writes before, an earlier owner's command may still act */
    int64_t exchanges;   /* so far */
};

/** Takes the locks of all of them, then opens them in the order given. `docs` = documents of
 * product.element. LP_CONFLICT parks (return it as it is); LP_PRECONDITION; errors of open. */
enum lp_code lp_devices_open(struct lp_run *run, json_t *const *docs, size_t count,
                             enum lp_device_use use, struct lp_device ***out,
                             struct lp_err *err) LP_MUST_CHECK;
/** Keeps the evidence (also of a step that failed: rc), closes, frees. NULL is fine. */
void lp_devices_close(struct lp_device **devices, size_t count, enum lp_code rc);
/** The element behind an Optical Device subscription. New reference in *doc. */
enum lp_code lp_device_doc(struct lp_run *run, const char *subscription_id, json_t **doc,
                           struct lp_err *err) LP_MUST_CHECK;
/** The same as it will be with state `changes` of a MODIFY. */
enum lp_code lp_device_doc_changed(struct lp_run *run, const char *subscription_id,
                                   const json_t *changes, json_t **doc,
                                   struct lp_err *err) LP_MUST_CHECK;
/** Queues the mode of an element, "observe" or "manage", with its audit; a step of effect DB. */
enum lp_code lp_device_set_mode(struct lp_run *run, const char *subscription_id, const char *name,
                                const char *mode, struct lp_err *err) LP_MUST_CHECK;

/** Closure of a subscription as products see it (products/product.h). New reference. */
enum lp_code lp_closure_load(struct lp_run *run, const char *subject, json_t **closure,
                             struct lp_err *err) LP_MUST_CHECK;

#endif
