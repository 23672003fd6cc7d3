/* The planner: intents in, operations out. */
#include "clients/infinera/flexils/plan.h"

#include <string.h>

#include "clients/ops.h"

enum lp_code
fx_add(struct fx_planner *p, const struct fx_op *op)
{
    struct fx_op own = *op;
    json_t *made = NULL;
    enum lp_code rc;

    own.phase = (enum lp_phase)((int)op->phase + p->later);
    rc = fx_op_make(p->source, p->arena, &own, &made, p->err);

    if (rc == LP_OK && json_array_append_new(p->ops, made) != 0)
        rc = lp_fail(p->err, LP_NOMEM, "no memory for a plan");
    return rc;
}

static bool
known_kind(const char *kind)
{
    static const char *const kinds[] = {"port",    "fiber-end",     "circuit",
                                        "shutter", "cross-connect", "power"};

    for (size_t i = 0; i < LP_COUNT(kinds); i++) {
        if (strcmp(kinds[i], kind) == 0)
            return true;
    }
    return false;
}

static enum lp_code
check_intents(struct fx_planner *p)
{
    json_t *intent;
    size_t i;

    if (!json_is_array(p->intents))
        return lp_fail(p->err, LP_INVALID, "intents are an array");
    json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
    {
        if (lp_json_str(intent, "id", "")[0] == '\0')
            return lp_fail(p->err, LP_INVALID, "intent %zu for %s has no id", i, p->source->tid);
        if (!json_is_boolean(json_object_get(intent, "present")))
            return fx_bad_intent(p, intent, LP_INVALID, "'present' is true or false");
        if (!known_kind(lp_json_str(intent, "kind", "")))
            return fx_bad_intent(p, intent, LP_UNSUPPORTED,
                                 "a FlexILS element has ports, fiber ends, circuits, shutters, "
                                 "cross-connects and power, nothing else");
    }
    return LP_OK;
}

enum lp_code
fx_plan(const struct fx_source *source, struct lp_arena *arena, const json_t *intents,
        bool take_over, json_t **out, struct lp_err *err)
{
    json_auto_t *ops = json_array(), *chosen = json_object(), *routes = json_object();
    struct fx_planner p = {source, arena, intents, take_over, ops, chosen, routes, 0, err};
    enum lp_code rc = check_intents(&p);

    if (rc == LP_OK)
        rc = fx_plan_ports(&p);
    if (rc == LP_OK)
        rc = fx_plan_circuits(&p);
    if (rc != LP_OK)
        return rc;
    *out = lp_ops_sorted(ops);
    return LP_OK;
}
