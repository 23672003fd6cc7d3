/** Workflow tables of the engine tests. */
#ifndef LP_TESTS_SUPPORT_ENGINE_TABLES_H
#define LP_TESTS_SUPPORT_ENGINE_TABLES_H

#include "engine/workflow.h"

extern const struct lp_workflow_set lp_test_workflows;

/** How often each page of create_node was built. */
extern unsigned lp_test_builds[3];
/** How often the step that always fails was run. */
extern _Atomic unsigned lp_test_failures;
/** Called by .shares of modify_node, between form and commit; NULL = nothing. */
extern void (*lp_test_between)(void *arg);
extern void *lp_test_between_arg;
/** .shares of share_node appends this id; NULL = none. */
extern const char *lp_test_share;

#endif
