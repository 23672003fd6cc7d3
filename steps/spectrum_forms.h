/**
 * Form parts of whatever asks for light: ends, passband, rules of the route, choice of the route.
 * Pure reads through ctx->reader; nothing here talks to a device. Field names:
 *
 *   passband     low_mhz and high_mhz, or width_mhz and policy
 *   rules        include, exclude_nodes, exclude_fibers, exclude_risks, disjoint_from, cost,
 *                required_osnr_cdb; accept_negative_margin, accept_unknown_light
 *   route        route (id of the chosen one)
 *   adopt        true: light of exactly this passband that runs already is taken over
 */
#ifndef LP_STEPS_SPECTRUM_FORMS_H
#define LP_STEPS_SPECTRUM_FORMS_H

#include "steps/forms.h"
#include "steps/routes.h"

/** The passband as two edges or as a width. */
void lp_form_add_passband(struct lp_form_page *page);
/** Edges or width, never both, and one of them when it is required; OPT-020 outside of the band or
 * off the raster of 12.5 GHz, OPT-021 order, OPT-022 width. */
void lp_form_check_passband(const struct lp_form_ctx *ctx, const json_t *input, bool required,
                            struct lp_problems *problems);
/** Was a passband given? */
bool lp_form_has_passband(const json_t *answers);

/** A required choice among the active devices that add and drop light. */
enum lp_code lp_form_add_multiplexer(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                     const char *field, const char *title,
                                     struct lp_err *err) LP_MUST_CHECK;
/** A list of the active devices that add and drop light, all of them by default. LP_PRECONDITION:
 * there is none. */
enum lp_code lp_form_add_line_systems(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                      const char *field, const char *title,
                                      struct lp_err *err) LP_MUST_CHECK;
/** A required choice among the add/drop ports of a device, also those in use: several spectra may
 * enter at one port. The value is the port's name. LP_PRECONDITION: it has none. */
enum lp_code lp_form_add_add_drop(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                  const char *field, const char *title, const char *device,
                                  struct lp_err *err) LP_MUST_CHECK;

/** *can: its driver connects two optical ports of the device with each other. */
enum lp_code lp_form_connects_locally(struct lp_form_ctx *ctx, const char *device, bool *can,
                                      struct lp_err *err) LP_MUST_CHECK;

/** The rules of a route; current: a block `constraints`, or NULL. What is given replaces what was,
 * nothing is added to it (D15). */
enum lp_code lp_form_add_rules(struct lp_form_ctx *ctx, struct lp_form_page *page,
                               const json_t *current, struct lp_err *err) LP_MUST_CHECK;
/** A subscription is not included and excluded; who may accept a negative margin. */
void lp_form_check_rules(const struct lp_form_ctx *ctx, const json_t *input,
                         struct lp_problems *problems);
/** The answers as a block `constraints`, and removed from them when `take`. New reference. */
json_t *lp_form_rules(json_t *answers, bool take);

/**
 * A wish (steps/routes.h) of the answers: from, to, passband, rules. own: holder whose light is not
 * in the way, or NULL. New reference, NULL without memory.
 */
json_t *lp_form_wish(const json_t *answers, const char *from, const char *to, const char *own);
/**
 * The routes of a wish as choice `route`; the default is the one over the ports of `current` (array
 * of instance ids, or NULL) when it is among them, else the best.
 */
enum lp_code lp_form_add_route(struct lp_form_ctx *ctx, struct lp_form_page *page,
                               const json_t *wish, const json_t *current,
                               struct lp_err *err) LP_MUST_CHECK;
/** The document of the route that was chosen. New reference. */
enum lp_code lp_form_route(struct lp_form_ctx *ctx, const json_t *wish, const char *id,
                           json_t **route, struct lp_err *err) LP_MUST_CHECK;

#endif
