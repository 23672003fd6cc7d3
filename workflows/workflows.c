/* The one list of workflow sets. */
#include "workflows/workflows.h"

static const struct lp_workflow_set *const sets[] = {
    &lp_workflows_device_tasks,
    &lp_workflows_partner,
    &lp_workflows_pop,
    &lp_workflows_optical_device,
    &lp_workflows_optical_fiber,
    &lp_workflows_optical_digital_service,
    &lp_workflows_optical_spectrum,
    &lp_workflows_imports,
};

const struct lp_workflow_set *const *
lp_workflow_sets(size_t *count)
{
    *count = LP_COUNT(sets);
    return sets;
}
