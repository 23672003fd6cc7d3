/**
 * The life of a subscription without devices: steps that any product can use, driven by the catalog
 * and products/product.h. State keys (set by the forms of steps/forms.h): product      catalog id
 * of the product row (engine's first page) root         CREATE: the document without ids
 *   customer_id  CREATE: owning Partner's subscription id; absent: its own
 *   changes      MODIFY: {"field": new value, or null = cleared}; fields not named stay as they are
 *   new_owner    MODIFY: subscription id of the Partner that owns it from now on; absent: as before
 */
#ifndef LP_STEPS_LIFECYCLE_H
#define LP_STEPS_LIFECYCLE_H

#include "base/buf.h"
#include "engine/run.h"

/** CREATE, key `construct`: makes the subscription, provisioning, described; undo terminates it. */
extern const struct lp_step lp_step_construct;
/** MODIFY, key `update`: applies changes and describes anew; undo puts the former document back. */
extern const struct lp_step lp_step_update;
/** TERMINATE, key `check_unused`: LP_CONFLICT naming who uses its blocks or belongs to it. */
extern const struct lp_step lp_step_check_unused;
/** VALIDATE, key `compare`: LP_DRIFT listing every `attribute: expected X, found Y`; writes
 * nothing. */
extern const struct lp_step lp_step_compare;
/** RECONCILE, key `refresh`: brings document, description and unique keys to what they should be;
 * undo as of update. */
extern const struct lp_step lp_step_refresh;

/** What construct does, of a document (taken, also on failure; may be NULL) that the caller has
 * completed; and its undo. For steps of products that give out numbers. */
enum lp_code lp_construct(struct lp_run *run, const json_t *state, json_t *root, json_t *delta,
                          struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_construct_undo(struct lp_run *run, const json_t *state, json_t *delta,
                               struct lp_err *err);
/** A document with state `changes` (may be NULL) in it. New reference, NULL without memory. */
json_t *lp_changed_root(const json_t *root, const json_t *changes);
/** Takes root (also on failure) as the new document of a subscription: derived members, rules,
 * description; queues the save; delta.subscription. */
enum lp_code lp_take_root(struct lp_run *run, struct lp_subscription *sub, json_t *root,
                          json_t *delta, struct lp_err *err) LP_MUST_CHECK;

/** "<id> (<description>), ... and 3 more" of at most `most` relations. */
void lp_relations_text(const struct lp_relations *relations, size_t most, struct lp_buf *buf);

#endif
