/** What the executor asks of windows. Engine room only. */
#ifndef LP_ENGINE_GATED_H
#define LP_ENGINE_GATED_H

#include "engine/internal.h"
#include "engine/windows.h"

struct lp_window_look {
    bool open;
    int64_t opens_us; /* next opening, by the database's clock */
    char reason[300];
};
/** LP_PRECONDITION: it never opens again, or was deleted. */
enum lp_code lp_window_look(struct lp_store *store, const char *id, struct lp_window_look *out,
                            struct lp_err *err) LP_MUST_CHECK;
/** Whether a step of this workflow waits for the window its process is bound to. */
bool lp_step_gated(const struct lp_registered *reg, const struct lp_step *step);
/** Queues the binding; window_id NULL: none. */
void lp_window_add_binding(struct lp_unit *unit, const char *process_id, const char *window_id);

#endif
