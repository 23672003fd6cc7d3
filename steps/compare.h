/**
 * What a subscription without devices should be: a valid document for its status, the derived
 * description, its unique values held in the database, an active owner, and - when it was imported
 * - the attributes of the newest row of its source. Differences are objects {"attribute",
 * "expected", "found"} with texts for people.
 */
#ifndef LP_STEPS_COMPARE_H
#define LP_STEPS_COMPARE_H

#include "engine/run.h"

/** Appends every difference; writes nothing. */
enum lp_code lp_compare(struct lp_run *run, const struct lp_subscription *sub, json_t *differences,
                        struct lp_err *err) LP_MUST_CHECK;
/** LP_DRIFT "code: expected X, found Y; ..." with {"differences": [...]} in detail. */
enum lp_code lp_compare_fail(const struct lp_subscription *sub, const json_t *differences,
                             struct lp_err *err) LP_MUST_CHECK;
/** The document as it should be: the stored one under the newest import row. New reference. */
enum lp_code lp_compare_wanted(struct lp_run *run, const struct lp_subscription *sub, json_t **root,
                               struct lp_err *err) LP_MUST_CHECK;
/** Queues inserts and deletes that make the held unique values those of the stored document as
 * loaded (repair of lost rows). */
enum lp_code lp_compare_repair_keys(struct lp_run *run, const struct lp_subscription *sub,
                                    struct lp_err *err) LP_MUST_CHECK;

#endif
