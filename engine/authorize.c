/* Who may start, resume and retry. Every interface asks here (W28); a step's authorizers count
 * wherever the step stands (W25). */
#include <string.h>

#include "engine/internal.h"

bool
lp_may_start(const struct lp_caller *caller, const struct lp_workflow *workflow)
{
    enum lp_role least = workflow->role == LP_ROLE_NONE ? LP_ROLE_OPERATE : workflow->role;

    if (caller->role < least)
        return false;
    return workflow->may_start == NULL
           || workflow->may_start(caller, LP_ACTION_START, workflow, NULL);
}

/* The newest non-empty rules on the way to a step, that step included. */
struct rules {
    lp_authorizer *resume, *retry;
    const struct lp_step *resume_step, *retry_step;
};

static void
take_rules(struct rules *rules, const struct lp_step *step)
{
    if (step->may_resume != NULL) {
        rules->resume = step->may_resume;
        rules->resume_step = step;
    }
    if (step->may_retry != NULL || step->may_resume != NULL) {
        rules->retry = step->may_retry != NULL ? step->may_retry : step->may_resume;
        rules->retry_step = step;
    }
}

/* Walks in order, into groups too, up to and including the step named by key ("group/sub"; NULL =
 * everything). True = arrived. */
static bool
walk(struct rules *rules, const struct lp_step *const *steps, size_t count, const char *key)
{
    size_t len = key == NULL ? 0 : strcspn(key, "/");

    for (size_t i = 0; i < count; i++) {
        const struct lp_step *step = steps[i];
        bool here = key != NULL && strlen(step->key) == len && memcmp(step->key, key, len) == 0;
        const char *rest = here && key[len] == '/' ? key + len + 1 : NULL;

        take_rules(rules, step);
        if (step->kind == LP_STEP_GROUP && (!here || rest != NULL)
            && walk(rules, step->steps, step->step_count, rest) && rest != NULL)
            return true;
        if (here)
            return true;
    }
    return false;
}

static void
rules_at(struct rules *rules, const struct lp_registered *reg, const char *step_key)
{
    *rules = (struct rules){.resume = NULL};
    if (step_key != NULL && step_key[0] != '\0')
        walk(rules, reg->steps, reg->step_count, step_key);
}

bool
lp_may_resume(const struct lp_caller *caller, const struct lp_registered *reg, const char *step_key)
{
    const struct lp_workflow *workflow = reg->workflow;
    struct rules rules;

    if (caller->role < LP_ROLE_OPERATE)
        return false;
    rules_at(&rules, reg, step_key);
    if (rules.resume != NULL)
        return rules.resume(caller, LP_ACTION_RESUME, workflow, rules.resume_step);
    return workflow->may_start == NULL
           || workflow->may_start(caller, LP_ACTION_RESUME, workflow, NULL);
}

bool
lp_may_retry(const struct lp_caller *caller, const struct lp_registered *reg, const char *step_key)
{
    const struct lp_workflow *workflow = reg->workflow;
    lp_authorizer *rule = workflow->may_retry != NULL ? workflow->may_retry : workflow->may_start;
    struct rules rules;

    if (caller->role < LP_ROLE_OPERATE)
        return false;
    rules_at(&rules, reg, step_key);
    if (rules.retry != NULL)
        return rules.retry(caller, LP_ACTION_RETRY, workflow, rules.retry_step);
    return rule == NULL || rule(caller, LP_ACTION_RETRY, workflow, NULL);
}
