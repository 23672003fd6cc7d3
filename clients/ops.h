/**
 * What plans and their operations have in common, whatever driver makes them.
 * Threads: any; a document belongs to one thread.
 */
#ifndef LP_CLIENTS_OPS_H
#define LP_CLIENTS_OPS_H

#include "base/buf.h"
#include "base/json.h"
#include "clients/driver.h"

enum lp_op_flag {
    LP_OP_TRAFFIC = 1,
    LP_OP_IRREVERSIBLE = 2,
    LP_OP_NEEDS_OOS = 4,
    LP_OP_REBOOT = 8
};

/** Flags (bits of enum lp_op_flag) as operations hold them. New reference. */
json_t *lp_ops_flags(unsigned flags);
/** By phase; within one phase as planned. New reference. */
json_t *lp_ops_sorted(const json_t *ops);
/** The values of an object for a person: "a to 1, b to 2". */
void lp_ops_put_values(struct lp_buf *buf, const json_t *values);
/** The plan document of clients/driver.h; `identity` is taken over. */
enum lp_code lp_ops_document(const struct lp_ne *ne, json_t *identity, const json_t *intents,
                             json_t *ops, json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Sleeps in short slices; false: the call's time is over. */
bool lp_ops_pause(const struct lp_call *call, int64_t ms);

#endif
