/**
 * A RESTCONF element in memory, for tests of planners: a JSON tree, GET, PATCH, POST and DELETE on
 * it, and nothing of HTTP. What else a change does to the tree, a test adds with `changed`.
 */
#ifndef LP_TESTS_SUPPORT_REST_TREE_H
#define LP_TESTS_SUPPORT_REST_TREE_H

#include "clients/infinera/rest/rest.h"

struct rest_tree {
    json_t *root; /* {"ne:ne": {...}} */
    /** Called behind each write, with the object that was written. */
    void (*changed)(struct rest_tree *tree, const char *path, json_t *object);
    unsigned writes;
    const struct ir_platform *platform;
};

/** As a source of the planner. */
void rest_tree_source(struct rest_tree *tree, struct ir_source *out);
/** The object, list or leaf at "/data/..."; NULL: not there. Borrowed. */
json_t *rest_tree_at(struct rest_tree *tree, const char *path);
void rest_tree_write(struct rest_tree *tree, const struct ir_request *request);
/** Plans for intents (JSON text); fails the test when that fails. New reference. */
json_t *rest_tree_plan(struct rest_tree *tree, const char *intents, bool take_over);
/** The outcome of a plan that should not be made, and why. */
enum lp_code rest_tree_refused(struct rest_tree *tree, const char *intents, bool take_over,
                               struct lp_err *err);
/** Executes operations, or their compensations from the last to the first, as the driver does but
 * for the network: the image must be before or after. */
void rest_tree_apply(struct rest_tree *tree, const json_t *operations);
void rest_tree_undo(struct rest_tree *tree, const json_t *operations);
/** "id\n" of each operation: what a person compares. malloc'ed. */
char *rest_tree_ids(const json_t *operations);

#endif
