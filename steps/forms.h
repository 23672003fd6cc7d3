/**
 * Form parts that product workflows share: catalog fields, choices of subscriptions, unique values,
 * summaries. Pure reads through ctx->reader. A coordinate field of the catalog (latitude_udeg) is
 * shown as text in decimal degrees under its short name (latitude).
 */
#ifndef LP_STEPS_FORMS_H
#define LP_STEPS_FORMS_H

#include "engine/workflow.h"

/** The fields of a product that operators fill in: names in the catalog, in the order shown. */
struct lp_form_model {
    const char *product; /* product type, equal to the name of its root block */
    const char *const *fields;
    size_t count;
};

/** Adds the fields. current NULL: a new subscription, what `active` demands is required. Else the
 * document to change: its values are the defaults, what is not given stays, null clears. */
enum lp_code lp_form_add_model(struct lp_form_ctx *ctx, struct lp_form_page *page,
                               const struct lp_form_model *model, const json_t *current,
                               struct lp_err *err) LP_MUST_CHECK;
/** Moves the members of the model out of the accepted answers into *document (new reference), in
 * catalog form. answers keep the rest when `take`. Problems: coordinates that are none. */
enum lp_code lp_form_document(const struct lp_form_model *model, const json_t *answers,
                              struct lp_problems *problems, json_t **document,
                              struct lp_err *err) LP_MUST_CHECK;
/**
 * Everything the catalog, the product and the database demand of a document that is to be active:
 * leaves, required fields, must, product rules, unique values (OPT-003 naming the holder). self =
 * id of the subscription that may hold them, or NULL. Problems carry form names.
 */
enum lp_code lp_form_check_document(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                                    const json_t *document, const char *self,
                                    struct lp_problems *problems, struct lp_err *err) LP_MUST_CHECK;
/** The subscription's document with the model's fields replaced by `document`. New reference. */
enum lp_code lp_form_changed_root(const struct lp_form_ctx *ctx, const struct lp_form_model *model,
                                  const json_t *document, json_t **root,
                                  struct lp_err *err) LP_MUST_CHECK;
/** {"field": new value or null} of the model's fields that differ from the subscription's. New
 * reference, NULL without memory. */
json_t *lp_form_changes(const struct lp_form_ctx *ctx, const struct lp_form_model *model,
                        const json_t *document);
/** Removes the model's form fields from the output (they are in root or changes). */
void lp_form_forget(const struct lp_form_model *model, json_t *output);

/* The page callbacks of a plain create form: page of fields, summary, finish -> output.root. */
enum lp_code lp_form_check_new(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                               const json_t *input, struct lp_problems *problems,
                               struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_form_summary_new(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                 const struct lp_form_model *model,
                                 struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_form_finish_new(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                                json_t *output, struct lp_err *err) LP_MUST_CHECK;
/* The same of a plain modify form: finish -> output.changes. */
enum lp_code lp_form_check_changed(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                                   const json_t *input, struct lp_problems *problems,
                                   struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_form_summary_changed(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                     const struct lp_form_model *model,
                                     struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_form_finish_changed(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                                    json_t *output, struct lp_err *err) LP_MUST_CHECK;
/** What finish does with a document that the product made of the answers itself. */
enum lp_code lp_form_finish_document(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                                     const json_t *document, json_t *output,
                                     struct lp_err *err) LP_MUST_CHECK;
/** Moves the chosen owner to output.customer_id. */
enum lp_code lp_form_finish_owner(json_t *output, const char *field,
                                  struct lp_err *err) LP_MUST_CHECK;
/** MODIFY: moves the chosen owner, when it is another one, to output.new_owner. */
enum lp_code lp_form_finish_new_owner(const struct lp_form_ctx *ctx, json_t *output,
                                      const char *field, struct lp_err *err) LP_MUST_CHECK;

/** A choice among the active subscriptions of a product, labelled by description; the default when
 * there is exactly one. */
enum lp_code lp_form_add_choice(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                const char *field, const char *title, const char *product,
                                bool required, struct lp_err *err) LP_MUST_CHECK;
/** The same, with what is chosen now, which is always among the choices, as the default. current
 * may be "": nothing yet. */
enum lp_code lp_form_add_choice_now(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                    const char *field, const char *title, const char *product,
                                    bool required, const char *current,
                                    struct lp_err *err) LP_MUST_CHECK;
/** Sets document.field to the description of a subscription, as a summary shows it; "": nothing. */
enum lp_code lp_form_show_subscription(struct lp_form_ctx *ctx, json_t *document, const char *field,
                                       const char *id, struct lp_err *err) LP_MUST_CHECK;

/** Read-only table: one label and one cell per column for each row. columns = array of arrays of
 * texts. Both borrowed. */
enum lp_code lp_form_add_summary(struct lp_form_page *page, const json_t *headers,
                                 const json_t *labels, const json_t *columns,
                                 struct lp_err *err) LP_MUST_CHECK;
/** Summary of a document (new), or of before and after (changed fields only). */
enum lp_code lp_form_add_document_summary(struct lp_form_page *page,
                                          const struct lp_form_model *model, const json_t *before,
                                          const json_t *after, struct lp_err *err) LP_MUST_CHECK;
/** A line of read-only text. */
void lp_form_add_label(struct lp_form_page *page, const char *field, const char *text);
/** Refuses (a problem of the page) while others use the target's blocks or belong to it. */
enum lp_code lp_form_check_unused(struct lp_form_ctx *ctx, struct lp_problems *problems,
                                  struct lp_err *err) LP_MUST_CHECK;
/** One page: what is terminated, read-only, refused while in use. */
extern const struct lp_form lp_form_terminate;
/** Adds a label naming who uses the target, when anybody does. */
enum lp_code lp_form_add_impact(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                const char *text, struct lp_err *err) LP_MUST_CHECK;

#endif
