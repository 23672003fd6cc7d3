/**
 * Form parts of products that stand on devices: choices among the ports of a device, references to
 * other subscriptions' blocks, derived members. Pure reads through ctx->reader; nothing here talks
 * to a device.
 */
#ifndef LP_STEPS_PORT_FORMS_H
#define LP_STEPS_PORT_FORMS_H

#include "steps/forms.h"

/** A choice among the ports of an Optical Device that are free: no subscription holds their id as a
 * value of the unique scope. The value is the port's name, the label names its role too.
 * LP_PRECONDITION when none is free. */
enum lp_code lp_form_add_ports(struct lp_form_ctx *ctx, struct lp_form_page *page,
                               const char *field, const char *title, const char *device,
                               const char *scope, struct lp_err *err) LP_MUST_CHECK;
/** Instance id and role of a port by name, from the arena. LP_INVALID when the device has none. */
enum lp_code lp_form_port(struct lp_form_ctx *ctx, const char *device, const char *name,
                          const char **id, const char **role, struct lp_err *err) LP_MUST_CHECK;
/** Sets document.field to the root block of a subscription. */
enum lp_code lp_form_set_block(struct lp_form_ctx *ctx, json_t *document, const char *field,
                               const char *subscription, struct lp_err *err) LP_MUST_CHECK;
/** Sets the derived members of a document of the model's product. */
enum lp_code lp_form_derive(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                            json_t *document, struct lp_err *err) LP_MUST_CHECK;
/** Makes a field a choice among the platforms that drivers speak to. */
void lp_form_platforms(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *field);
/**
 * A list of choices among the devices that can relay: active ones of that platform with an address,
 * nearest to the site first (great circle), never the target itself; the default is what the target
 * has now, else the nearest seven. Devices and the site
 * are subscription ids. LP_PRECONDITION when there is none.
 */
enum lp_code lp_form_add_gateways(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                  const char *field, const char *platform, const char *pop,
                                  struct lp_err *err) LP_MUST_CHECK;
/** Subscription that owns a block; "" when there is none. */
enum lp_code lp_form_owner(struct lp_form_ctx *ctx, const char *instance_id,
                           char id[static LP_UUID_LEN + 1], struct lp_err *err) LP_MUST_CHECK;
/** The fields of a termination: what is terminated, an optional reason to do it without the
 * devices, and which of them when not all; the rule between them; and what becomes of them: state
 * force =
 * {"reason","elements"?}. */
enum lp_code lp_form_add_force(struct lp_form_ctx *ctx, struct lp_form_page *page,
                               struct lp_err *err) LP_MUST_CHECK;
void lp_form_check_force(const json_t *input, struct lp_problems *problems);
enum lp_code lp_form_finish_force(json_t *output, struct lp_err *err) LP_MUST_CHECK;
/** Terminate: as lp_form_terminate, and an optional reason to do it without the devices (a dead
 * chassis), or without some of them: state force = {"reason","elements"?}. */
extern const struct lp_form lp_form_terminate_on_devices;

#endif
