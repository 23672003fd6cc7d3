/**
 * Numbers that are given out: the lowest free one of a range. Called in a DB_RW step (run->txn);
 * the number is taken when the step saves the document that holds it, in the same transaction. Who
 * asks second waits until the first has ended; the unique key (lpx:unique) refuses whatever anybody
 * else wrote meanwhile. Ask for numbers before light (steps/claims.h).
 */
#ifndef LP_STEPS_ALLOCATE_H
#define LP_STEPS_ALLOCATE_H

#include "engine/run.h"

struct lp_number_range {
    int64_t low, high; /* both included */
};
/* The configured ranges (section `numbers`), within what the catalog allows. */
struct lp_number_range lp_numbers_och(const struct lp_conf *conf);    /* 1..999 */
struct lp_number_range lp_numbers_flow(const struct lp_conf *conf);   /* 1..999 */
struct lp_number_range lp_numbers_client(const struct lp_conf *conf); /* 1..16, within a flow */

/** The value that stands for a number in a unique scope, in buf: "7", "f003c07". NULL arguments of
 * the functions below stand for the plain number. */
typedef void lp_number_fn(void *arg, int64_t number, char *buf, size_t size);

/**
 * The lowest number of the range whose value nobody holds in that unique scope.
 * @param what    for messages: "channel number"
 * @param except  numbers given out in this step already (array of integers), or NULL
 * @return LP_CONFLICT "no free <what> between 1 and 999"
 */
enum lp_code lp_allocate_key(struct lp_run *run, const char *scope, const char *what,
                             struct lp_number_range range, lp_number_fn *value, void *arg,
                             const json_t *except, int64_t *number,
                             struct lp_err *err) LP_MUST_CHECK;
/** The same for a leaf that is only indexed (lpx:indexed): the lowest number that no document of a
 * subscription that is not terminated holds there. */
enum lp_code lp_allocate_value(struct lp_run *run, const char *leaf, const char *what,
                               struct lp_number_range range, const json_t *except, int64_t *number,
                               struct lp_err *err) LP_MUST_CHECK;
/** lp_allocate_key for values made of a prefix and the number in `digits` digits (0: as many as it
 * has): ("service.tag", "f003c", 2). */
enum lp_code lp_allocate_number(struct lp_run *run, const char *scope, const char *prefix,
                                int digits, const struct lp_number_range *range,
                                const json_t *except, int64_t *number,
                                struct lp_err *err) LP_MUST_CHECK;
/** The lowest number that begins no value of the scope: prefix, number in `digits` digits,
 * separator: ("service.tag", "f", 3, "c") is the lowest flow without a service. */
enum lp_code lp_allocate_group(struct lp_run *run, const char *scope, const char *prefix,
                               int digits, const char *separator,
                               const struct lp_number_range *range, int64_t *number,
                               struct lp_err *err) LP_MUST_CHECK;

#endif
