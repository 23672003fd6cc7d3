/* Which workflow may run on which subscription, and why not (engine-semantics 1.7, http-api 1.5).
 */
#include <string.h>

#include "engine/internal.h"

#define REASON_NOT_IN_SYNC "subscription.not_in_sync"
#define REASON_RELATIONS   "subscription.relations_not_in_sync"
#define REASON_STATUS      "subscription.no_modify_invalid_status"
#define REASON_IN_USE      "subscription.no_modify_subscription_in_use_by_others"
#define REASON_PERMISSION  "subscription.insufficient_workflow_permissions"

static const struct {
    const char *reason, *text;
} texts[] = {
    {REASON_NOT_IN_SYNC, "the subscription is not in sync"},
    {REASON_RELATIONS, "a related subscription is not in sync"},
    {REASON_STATUS, "the status of the subscription does not allow it"},
    {REASON_IN_USE, "the subscription is in use by other subscriptions"},
    {REASON_PERMISSION, "you are not authorized to start it"},
};

const char *
lp_gate_text(const char *reason)
{
    for (size_t i = 0; i < LP_COUNT(texts); i++)
        if (strcmp(texts[i].reason, reason) == 0)
            return texts[i].text;
    return reason;
}

/* Statuses in which the workflows of a target may start, unless the workflow says otherwise. */
static const unsigned usable_by_target[] = {
    [LP_TARGET_CREATE] = 0,
    [LP_TARGET_MODIFY] = LP_BIT(LP_LC_ACTIVE),
    [LP_TARGET_TERMINATE] = LP_BIT(LP_LC_ACTIVE) | LP_BIT(LP_LC_PROVISIONING),
    [LP_TARGET_SYSTEM] = LP_BIT(LP_LC_ACTIVE),
    [LP_TARGET_VALIDATE] = LP_BIT(LP_LC_ACTIVE),
    [LP_TARGET_RECONCILE] = LP_BIT(LP_LC_ACTIVE),
};
static_assert(LP_COUNT(usable_by_target) == LP_TARGET_COUNT, "statuses for every target");

unsigned
lp_workflow_usable(const struct lp_workflow *workflow)
{
    return workflow->usable_in != 0 ? workflow->usable_in : usable_by_target[workflow->target];
}

bool
lp_workflow_needs_sync(const struct lp_workflow *workflow)
{
    return !workflow->usable_out_of_sync && !workflow->is_task
           && workflow->target != LP_TARGET_RECONCILE && workflow->target != LP_TARGET_VALIDATE;
}

/* ---- what is known about the subscription; relations are read when first asked for, whatever the
 * workflow (W52) ---- */

struct facts {
    struct lp_engine *engine;
    struct lp_reader *reader;
    const struct lp_subscription *sub;
    json_t *locked; /* array of {subscription_id, subscription_description}; NULL = not read yet */
    json_t *users;  /* unterminated users, likewise */
};

static void
facts_free(struct facts *facts)
{
    json_decref(facts->locked);
    json_decref(facts->users);
}

static bool
listed(const json_t *details, const char *id)
{
    size_t i;
    json_t *row;

    json_array_foreach(details, i, row)
    {
        if (strcmp(lp_json_str(row, "subscription_id", ""), id) == 0)
            return true;
    }
    return false;
}

static bool
out_of_sync(const struct lp_relation *relation)
{
    return !relation->insync;
}

static bool
any(const struct lp_relation *relation)
{
    (void)relation;
    return true;
}

/* Adds the not terminated relations of a kind that pass the test. Terminated ones never count
 * (W11). */
static enum lp_code
add_relations(struct facts *facts, enum lp_relation_kind kind,
              bool (*wanted)(const struct lp_relation *), json_t *details, struct lp_err *err)
{
    struct lp_relations relations = {.count = 0};
    enum lp_code rc = lp_subscription_relations(facts->engine->store, facts->reader, facts->sub->id,
                                                kind, false, &relations, err);

    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; i < relations.count; i++) {
        const struct lp_relation *row = &relations.rows[i];

        if (row->status == LP_LC_TERMINATED || !wanted(row)
            || listed(details, row->subscription_id))
            continue;
        json_array_append_new(details,
                              json_pack("{s:s, s:s}", "subscription_id", row->subscription_id,
                                        "subscription_description", row->description));
    }
    lp_relations_free(&relations);
    return LP_OK;
}

static enum lp_code
facts_locked(struct facts *facts, struct lp_err *err)
{
    enum lp_code rc;

    if (facts->locked != NULL)
        return LP_OK;
    facts->locked = json_array();
    rc = add_relations(facts, LP_RELATION_USERS, out_of_sync, facts->locked, err);
    if (rc == LP_OK)
        rc = add_relations(facts, LP_RELATION_DEPENDENCIES, out_of_sync, facts->locked, err);
    return rc;
}

static enum lp_code
facts_users(struct facts *facts, struct lp_err *err)
{
    enum lp_code rc;

    if (facts->users != NULL)
        return LP_OK;
    facts->users = json_array();
    rc = add_relations(facts, LP_RELATION_USERS, any, facts->users, err);
    if (rc == LP_OK)
        rc = add_relations(facts, LP_RELATION_CUSTOMER_OF, any, facts->users, err);
    return rc;
}

/* ---- reasons ---- */

/* The ids and their details as two members of the reason. */
static void
set_details(json_t *reason, const char *name, const char *detail_name, const json_t *details)
{
    json_t *ids = json_array();
    size_t i;
    json_t *row;

    json_array_foreach(details, i, row)
    {
        json_array_append(ids, json_object_get(row, "subscription_id"));
    }
    json_object_set_new(reason, name, ids);
    json_object_set_new(reason, detail_name, json_deep_copy(details));
}

/* The reason that blocks every workflow that needs the subscription in sync; an empty object when
 * there is none. */
static enum lp_code
global_reason(struct facts *facts, json_t *reason, struct lp_err *err)
{
    enum lp_code rc;

    if (!facts->sub->insync) {
        lp_json_set_str(reason, "reason", REASON_NOT_IN_SYNC);
        return LP_OK;
    }
    rc = facts_locked(facts, err);
    if (rc != LP_OK || json_array_size(facts->locked) == 0)
        return rc;
    lp_json_set_str(reason, "reason", REASON_RELATIONS);
    set_details(reason, "locked_relations", "locked_relations_detail", facts->locked);
    return LP_OK;
}

static void
status_reason(const struct lp_workflow *workflow, const struct lp_subscription *sub, json_t *reason)
{
    unsigned usable = lp_workflow_usable(workflow);
    json_t *names = json_array();

    for (unsigned i = 0; i < LP_LC_COUNT; i++)
        if (usable & LP_BIT(i))
            json_array_append_new(names, json_string(lp_lifecycle_name((enum lp_lifecycle)i)));
    lp_json_set_str(reason, "reason", REASON_STATUS);
    json_object_set_new(reason, "usable_when", names);
    lp_json_set_str(reason, "status", lp_lifecycle_name(sub->status));
}

static const char *
action_word(const struct lp_workflow *workflow)
{
    return workflow->target == LP_TARGET_TERMINATE ? "terminated" : "modified";
}

static enum lp_code
use_reason(struct facts *facts, const struct lp_workflow *workflow, json_t *reason,
           struct lp_err *err)
{
    enum lp_code rc;

    if (workflow->target != LP_TARGET_TERMINATE || workflow->hands_over)
        return LP_OK;
    rc = facts_users(facts, err);
    if (rc != LP_OK || json_array_size(facts->users) == 0)
        return rc;
    lp_json_set_str(reason, "reason", REASON_IN_USE);
    set_details(reason, "unterminated_in_use_by_subscriptions",
                "unterminated_in_use_by_subscriptions_detail", facts->users);
    return LP_OK;
}

/* The rules in their order; reason stays an empty object when the workflow may run. */
static enum lp_code
workflow_reason(struct facts *facts, const struct lp_workflow *workflow,
                const struct lp_caller *caller, json_t *reason, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    if (lp_workflow_needs_sync(workflow))
        rc = global_reason(facts, reason, err);
    if (rc != LP_OK || json_object_size(reason) > 0)
        return rc;
    if (!(lp_workflow_usable(workflow) & LP_BIT(facts->sub->status)))
        status_reason(workflow, facts->sub, reason);
    rc = use_reason(facts, workflow, reason, err);
    if (rc == LP_OK && json_object_size(reason) > 0)
        lp_json_set_str(reason, "action", action_word(workflow));
    if (rc == LP_OK && json_object_size(reason) == 0 && caller != NULL
        && !lp_may_start(caller, workflow))
        lp_json_set_str(reason, "reason", REASON_PERMISSION);
    return rc;
}

enum lp_code
lp_gate_reason(struct lp_engine *engine, struct lp_reader *reader, const struct lp_caller *caller,
               const struct lp_registered *reg, const struct lp_subscription *sub, json_t **reason,
               struct lp_err *err)
{
    struct facts facts = {.engine = engine, .reader = reader, .sub = sub};
    json_t *found = json_object();
    enum lp_code rc = workflow_reason(&facts, reg->workflow, caller, found, err);

    facts_free(&facts);
    *reason = NULL;
    if (rc == LP_OK && json_object_size(found) > 0)
        *reason = found;
    else
        json_decref(found);
    return rc;
}

/* ---- the list of http-api 1.5 ---- */

static const char *
description_of(const struct lp_rows *edited, const struct lp_workflow *workflow)
{
    for (size_t i = 0; i < lp_rows_count(edited); i++)
        if (strcmp(lp_rows_text(edited, i, "name"), workflow->name) == 0
            && !lp_rows_null(edited, i, "description"))
            return lp_rows_text(edited, i, "description");
    return workflow->description;
}

static const char *
list_key(enum lp_target target)
{
    static const char *const keys[] = {
        [LP_TARGET_CREATE] = "create",       [LP_TARGET_MODIFY] = "modify",
        [LP_TARGET_TERMINATE] = "terminate", [LP_TARGET_SYSTEM] = "system",
        [LP_TARGET_VALIDATE] = "validate",   [LP_TARGET_RECONCILE] = "reconcile",
    };
    static_assert(LP_COUNT(keys) == LP_TARGET_COUNT, "a list for every target");

    return keys[target];
}

static enum lp_code
add_workflows(struct facts *facts, const struct lp_caller *caller, const struct lp_rows *edited,
              json_t *lists, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < facts->engine->workflow_count; i++) {
        const struct lp_workflow *workflow = facts->engine->workflows[i].workflow;
        json_t *item;

        if (workflow->target == LP_TARGET_CREATE
            || !lp_workflow_fits(workflow, facts->sub->product))
            continue;
        item = json_object();
        rc = workflow_reason(facts, workflow, caller, item, err);
        lp_json_set_str(item, "name", workflow->name);
        lp_json_set_str(item, "description", description_of(edited, workflow));
        json_array_append_new(json_object_get(lists, list_key(workflow->target)), item);
    }
    return rc;
}

static enum lp_code
build_lists(struct facts *facts, const struct lp_caller *caller, json_t *lists, struct lp_err *err)
{
    struct lp_rows *edited = NULL;
    enum lp_code rc = global_reason(facts, lists, err);

    for (int target = 0; target < LP_TARGET_COUNT; target++)
        json_object_set_new(lists, list_key((enum lp_target)target), json_array());
    if (rc == LP_OK)
        rc = lp_reader_query(facts->reader, LP_SQL_GATE_WORKFLOW_TEXTS, LP_NO_ARGS, &edited, err);
    if (rc == LP_OK)
        rc = add_workflows(facts, caller, edited, lists, err);
    lp_rows_free(edited);
    return rc;
}

enum lp_code
lp_engine_subscription_workflows(struct lp_engine *engine, const struct lp_caller *caller,
                                 const char *id, json_t **out, struct lp_err *err)
{
    struct lp_reader *reader = NULL;
    struct lp_subscription *sub = NULL;
    struct facts facts = {.engine = engine};
    json_auto_t *lists = json_object();
    enum lp_code rc = lp_reader_open(engine->store, &reader, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_subscription_load(engine->store, reader, engine->catalog, id, &sub, err);
    if (rc == LP_OK) {
        facts.reader = reader;
        facts.sub = sub;
        rc = build_lists(&facts, caller, lists, err);
    }
    if (rc == LP_OK)
        *out = lp_json_take(&lists);
    facts_free(&facts);
    lp_subscription_free(sub);
    lp_reader_close(reader);
    return rc;
}
