/**
 * The workflow sets of this program, for daemon/.
 */
#ifndef LP_WORKFLOWS_WORKFLOWS_H
#define LP_WORKFLOWS_WORKFLOWS_H

#include "engine/workflow.h"

extern const struct lp_workflow_set lp_workflows_device_tasks;
extern const struct lp_workflow_set lp_workflows_partner;
extern const struct lp_workflow_set lp_workflows_pop;
extern const struct lp_workflow_set lp_workflows_optical_device;
extern const struct lp_workflow_set lp_workflows_optical_fiber;
extern const struct lp_workflow_set lp_workflows_optical_digital_service;
extern const struct lp_workflow_set lp_workflows_optical_spectrum;
extern const struct lp_workflow_set lp_workflows_imports;

/** All of them. */
const struct lp_workflow_set *const *lp_workflow_sets(size_t *count);

#endif
