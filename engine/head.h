/**
 * One process as the operator side reads it before it acts. Between service.c, callback.c, manage.c
 * only.
 */
#ifndef LP_ENGINE_HEAD_H
#define LP_ENGINE_HEAD_H

#include "engine/internal.h"

struct lp_head {
    char id[LP_UUID_LEN + 1];
    const struct lp_registered *reg; /* NULL: the workflow was removed from the program */
    enum lp_process_status status;
    bool is_task, free;
    int priority;
    int64_t epoch, seq;
    struct lp_chain chain;
    char *last_key;
    char parent[LP_UUID_LEN + 1];
};

/** LP_NOT_FOUND "Process with process_id <id> not found". Free with lp_head_clear. */
enum lp_code lp_head_load(struct lp_engine *engine, const char *id, struct lp_head *head,
                          struct lp_err *err) LP_MUST_CHECK;
void lp_head_clear(struct lp_head *head);
/** Begins a unit on a free process: audit row, fence, new status. Events of the process and the
 * counts are queued too. */
enum lp_code lp_head_take(struct lp_engine *engine, struct lp_unit *unit, struct lp_head *head,
                          const struct lp_caller *caller, enum lp_process_status status,
                          const json_t *body, struct lp_err *err) LP_MUST_CHECK;
/** Commits and announces. A lost race (LP_FENCED) stays LP_FENCED. */
enum lp_code lp_head_commit(struct lp_engine *engine, struct lp_unit *unit,
                            const struct lp_head *head, struct lp_err *err) LP_MUST_CHECK;
/** LP_DENIED unless the role is at least `least`. */
enum lp_code lp_demand_role(const struct lp_caller *caller, enum lp_role least, const char *what,
                            struct lp_err *err) LP_MUST_CHECK;

#endif
