/**
 * Between the files of the digital service only.
 *
 *   optical_digital_service.c  form of terminate, locks, step tables
 *   service_create.c           form of create: new channels, or joining some that are there
 *   service_modify.c           form of modify
 *   service_form.c             what those forms ask and write alike
 *
 * Answers of a page are looked for in `input` (this page; may be NULL) and then among those of the
 * earlier pages. Frequencies and widths are in MHz.
 */
#ifndef LP_WORKFLOWS_SERVICE_INTERNAL_H
#define LP_WORKFLOWS_SERVICE_INTERNAL_H

#include "engine/workflow.h"
#include "steps/channels.h"

extern const struct lp_form lp_service_create_form;
extern const struct lp_form lp_service_modify_form;

/* ---- answers ---- */

struct lp_channel_source lp_service_source(const struct lp_form_ctx *ctx);
/** Borrowed; NULL: not answered. */
json_t *lp_service_answer(const struct lp_form_ctx *ctx, const json_t *input, const char *name);
/** "": not answered. */
const char *lp_service_answer_text(const struct lp_form_ctx *ctx, const json_t *input,
                                   const char *name);
/** A refused answer (LP_INVALID, LP_CONFLICT, LP_PRECONDITION) is a problem of that field, and
 * LP_OK; any other code goes up. */
enum lp_code lp_service_as_problem(enum lp_code rc, const char *field, const json_t *input,
                                   struct lp_problems *problems, struct lp_err *err) LP_MUST_CHECK;

/* ---- the service that a form is about ---- */

/** Channels it owns; borrowed. */
const json_t *lp_service_target_channels(const struct lp_form_ctx *ctx);
bool lp_service_owns_channels(const struct lp_form_ctx *ctx);
/** The channels it rides on, whoever owns them; to be freed. */
enum lp_code lp_service_target_group(struct lp_form_ctx *ctx, struct lp_channel_group *group,
                                     struct lp_err *err) LP_MUST_CHECK;

/* ---- spectrum ---- */

/** The least slot that holds a signal. */
int64_t lp_service_slot_for(int64_t signal);
/** Fields centers_mhz and widths_mhz; the defaults are arrays or NULL. */
void lp_service_add_frequencies(struct lp_form_page *page, size_t carriers, const json_t *centers,
                                const json_t *widths);
void lp_service_check_frequencies(const json_t *centers, const json_t *widths, size_t carriers,
                                  int64_t signal, struct lp_problems *problems);
/** Members low_mhz and high_mhz of `to`; 0, or what jansson says. */
int lp_service_set_range(json_t *to, int64_t center, int64_t width);

/* ---- routes ---- */

/** Fields of the rules that a route must keep; current may be NULL. */
void lp_service_add_constraints(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                const json_t *current);
/** Rules among the answers. New reference. */
json_t *lp_service_constraints(const struct lp_form_ctx *ctx, const json_t *input);
void lp_service_drop_constraints(json_t *from);
/** What to ask for one carrier: ends (line ports), passband or width, rules. New reference. */
json_t *lp_service_carrier_wish(const json_t *constraints, const char *from, const char *to,
                                const json_t *centers, const json_t *widths, size_t carrier);
/** The wish of one carrier, as create or modify makes it. New reference in *wish. */
typedef enum lp_code lp_service_wish_fn(struct lp_form_ctx *ctx, const json_t *input,
                                        size_t carrier, json_t **wish, struct lp_err *err);
/** spectrum_requests of all carriers, by the answer `route`. New reference in *requests. */
enum lp_code lp_service_chosen_routes(struct lp_form_ctx *ctx, const json_t *input, size_t carriers,
                                      lp_service_wish_fn *wish_of, json_t **requests,
                                      struct lp_err *err) LP_MUST_CHECK;

/* ---- the end of a form ---- */

/** Instance ids of the chosen client ports, on those devices, into root.client_ports. */
enum lp_code lp_service_set_clients(struct lp_form_ctx *ctx, const json_t *input,
                                    const char *const device[2], json_t *root,
                                    struct lp_err *err) LP_MUST_CHECK;
/** Takes answers, and the rules, out of what becomes the state. */
void lp_service_forget(json_t *output, const char *const *names, size_t count);
/** Subscriptions that stay as they are while the workflow runs: appended to ids. */
void lp_service_note_services(const struct lp_channel_group *group, json_t *ids);
void lp_service_note_routes(const json_t *requests, json_t *ids);
/** A line that names the services of the group but `self`, when there are any. */
void lp_service_add_others(struct lp_form_page *page, const struct lp_channel_group *group,
                           const char *self, const char *text);

#endif
