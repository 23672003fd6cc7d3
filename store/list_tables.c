/* What may be filtered and sorted (http-api.md 2.5), as far as it stands in the database: tag,
   product type and the product's own texts come from the catalog, not from here. */
#include "store/lists.h"

#define LINKED                                                                                     \
    "p.id IN (SELECT l.process_id FROM process_subscriptions l JOIN subscriptions s ON s.id = "    \
    "l.subscription_id WHERE %s)"
#define LINK "p.id IN (SELECT l.process_id FROM process_subscriptions l WHERE %s)"

/* clang-format off */
static const struct lp_list_field process_fields[] = { /* traceback: always empty */
    /* name               sql                type           filter sort   null   indexed within */
    {"process_id",        "p.id",            LP_LIST_UUID,  true,  true,  false, true,  NULL},
    {"workflow_id",       "p.workflow_id",   LP_LIST_UUID,  true,  true,  false, true,  NULL},
    {"workflow_name",     "p.workflow",      LP_LIST_LOWER, true,  true,  false, true,  NULL},
    {"workflow_target",   "p.target",        LP_LIST_UPPER, true,  true,  false, false, NULL},
    {"target",            "p.target",        LP_LIST_UPPER, true,  true,  false, false, NULL},
    {"is_task",           "p.is_task",       LP_LIST_BOOL,  true,  true,  false, true,  NULL},
    {"last_status",       "p.status",        LP_LIST_LOWER, true,  true,  false, true,  NULL},
    {"status",            "p.status",        LP_LIST_LOWER, true,  true,  false, true,  NULL},
    {"assignee",          "p.assignee",      LP_LIST_UPPER, true,  true,  false, false, NULL},
    {"created_by",        "p.created_by",    LP_LIST_TEXT,  true,  true,  false, false, NULL},
    {"started_at",        "p.created_at",    LP_LIST_TIME,  true,  true,  false, true,  NULL},
    {"created_at",        "p.created_at",    LP_LIST_TIME,  true,  true,  false, true,  NULL},
    {"last_modified_at",  "p.modified_at",   LP_LIST_TIME,  true,  true,  false, false, NULL},
    {"modified_at",       "p.modified_at",   LP_LIST_TIME,  true,  true,  false, false, NULL},
    {"last_step",         "p.last_step",     LP_LIST_TEXT,  true,  true,  true,  false, NULL},
    {"failed_reason",     "p.failed_reason", LP_LIST_TEXT,  true,  true,  true,  false, NULL},
    {"traceback",         "''",              LP_LIST_TEXT,  true,  true,  false, false, NULL},
    {"note",              "p.note",          LP_LIST_TEXT,  true,  true,  true,  false, NULL},
    {"ticket",            "p.ticket",        LP_LIST_TEXT,  true,  true,  true,  false, NULL},
    {"parent_id",         "p.parent_id",     LP_LIST_UUID,  true,  false, true,  false, NULL},
    {"subscription_id",   "l.subscription_id", LP_LIST_UUID, true, false, false, true,  LINK},
    {"customer",          "s.customer_id",   LP_LIST_UUID,  true,  false, false, true,  LINKED},
    {"product",           "s.product",       LP_LIST_TEXT,  true,  false, false, true,  LINKED},
    {"product_id",        "s.product_id",    LP_LIST_UUID,  true,  false, false, true,  LINKED},
};

static const struct lp_list_field subscription_fields[] = {
    /* name               sql                type           filter sort   null   indexed within */
    {"subscription_id",   "s.id",            LP_LIST_UUID,  true,  true,  false, true,  NULL},
    {"product_id",        "s.product_id",    LP_LIST_UUID,  true,  true,  false, true,  NULL},
    {"product",           "s.product",       LP_LIST_TEXT,  true,  true,  false, true,  NULL},
    {"product_name",      "s.product",       LP_LIST_TEXT,  true,  true,  false, true,  NULL},
    {"customer_id",       "s.customer_id",   LP_LIST_UUID,  true,  true,  false, true,  NULL},
    {"description",       "s.description",   LP_LIST_TEXT,  true,  true,  false, true,  NULL},
    {"status",            "s.status",        LP_LIST_LOWER, true,  true,  false, true,  NULL},
    {"insync",            "s.insync",        LP_LIST_BOOL,  true,  true,  false, true,  NULL},
    {"start_date",        "s.start_date",    LP_LIST_TIME,  true,  true,  true,  true,  NULL},
    {"end_date",          "s.end_date",      LP_LIST_TIME,  true,  true,  true,  false, NULL},
    {"created_at",        "s.created_at",    LP_LIST_TIME,  true,  true,  false, true,  NULL},
    {"modified_at",       "s.modified_at",   LP_LIST_TIME,  true,  true,  false, false, NULL},
    {"note",              "s.note",          LP_LIST_TEXT,  true,  true,  true,  false, NULL},
    {"version",           "s.version",       LP_LIST_INT,   true,  true,  false, false, NULL},
};
/* clang-format on */

const struct lp_list lp_list_processes = {
    .name = "processes",
    .select =
        "SELECT p.id, p.workflow, p.workflow_id, p.target, p.is_task, p.status, p.assignee, "
        "p.created_by, p.ticket, p.reason, p.correlation_id, p.created_at, p.modified_at, "
        "p.last_key, p.last_step, p.failed_reason, p.error, p.note, p.wake_at, p.wait_kind, "
        "p.wait_reason, p.parent_id, p.parent_step, p.parent_item, p.lease_owner FROM processes p",
    .id = "p.id",
    .created = "p.created_at",
    .fields = process_fields,
    .field_count = LP_COUNT(process_fields),
};

const struct lp_list lp_list_subscriptions = {
    .name = "subscriptions",
    .select =
        "SELECT s.id, s.product_id, s.product, s.customer_id, s.description, s.status, s.insync, "
        "s.start_date, s.end_date, s.note, s.version, s.created_at, s.modified_at, "
        "s.validated_at FROM subscriptions s",
    .id = "s.id",
    .created = "s.created_at",
    .fields = subscription_fields,
    .field_count = LP_COUNT(subscription_fields),
};
