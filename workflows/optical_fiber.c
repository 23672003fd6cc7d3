/* Optical Fiber: create, modify, terminate, validate, reconcile. */
#include <stdio.h>
#include <string.h>

#include "model/products_gen.h"
#include "steps/devices.h"
#include "steps/forms.h"
#include "steps/import.h"
#include "steps/lease.h"
#include "steps/lifecycle.h"
#include "steps/port_forms.h"
#include "workflows/workflows.h"

/* Of spectrum leased in somebody else's network. */
#define LEASED_FIELDS                                                                              \
    LP_F_OPTICAL_FIBER_LEASED_LOW_MHZ, LP_F_OPTICAL_FIBER_LEASED_HIGH_MHZ,                         \
        LP_F_OPTICAL_FIBER_LEASED_GUARD_MHZ, LP_F_OPTICAL_FIBER_LEASED_LENGTH_M,                   \
        LP_F_OPTICAL_FIBER_LEASED_OSNR_CDB, LP_F_OPTICAL_FIBER_LEASED_LAUNCH_LOW_CDBM,             \
        LP_F_OPTICAL_FIBER_LEASED_LAUNCH_HIGH_CDBM, LP_F_OPTICAL_FIBER_LEASED_UNTIL

/* Members by what forms do with them: the owners are chosen as subscriptions, and so are the two
 * ends, once and for all. */
static const char *const all_fields[] = {
    "owner", /* in summaries only: it is no member */
    LP_F_OPTICAL_FIBER_TERMINATIONS,
    LP_F_OPTICAL_FIBER_FIBER_OWNER,
    LP_F_OPTICAL_FIBER_KIND,
    LP_F_OPTICAL_FIBER_CABLE_ID,
    LP_F_OPTICAL_FIBER_PAIR_ID,
    LP_F_OPTICAL_FIBER_CIRCUIT_ID,
    LEASED_FIELDS,
    LP_F_OPTICAL_FIBER_SEGMENTS,
    LP_F_OPTICAL_FIBER_CONNECTORS,
    LP_F_OPTICAL_FIBER_FIXED_ATTENUATION_CDB,
    LP_F_OPTICAL_FIBER_MEASURED_LOSS_AZ_CDB,
    LP_F_OPTICAL_FIBER_MEASURED_LOSS_ZA_CDB,
    LP_F_OPTICAL_FIBER_MEASURED_ON,
    LP_F_OPTICAL_FIBER_SHARED_RISKS,
    LP_F_OPTICAL_FIBER_EXTERNAL_IDS,
};
static const struct lp_form_model model = {"Optical Fiber", all_fields + 3,
                                           LP_COUNT(all_fields) - 3};
static const struct lp_form_model changeable = {"Optical Fiber", all_fields + 2,
                                                LP_COUNT(all_fields) - 2};
static const struct lp_form_model whole = {"Optical Fiber", all_fields + 1,
                                           LP_COUNT(all_fields) - 1};
static const struct lp_form_model shown_changes = {"Optical Fiber", all_fields,
                                                   LP_COUNT(all_fields)};

/* What the summary shows: the name instead of the ends, and what was computed. */
static const char *const shown_fields[] = {
    LP_F_OPTICAL_FIBER_FIBER_NAME,
    LP_F_OPTICAL_FIBER_KIND,
    LP_F_OPTICAL_FIBER_CABLE_ID,
    LP_F_OPTICAL_FIBER_PAIR_ID,
    LP_F_OPTICAL_FIBER_CIRCUIT_ID,
    LEASED_FIELDS,
    LP_F_OPTICAL_FIBER_SEGMENTS,
    LP_F_OPTICAL_FIBER_LENGTH_M,
    LP_F_OPTICAL_FIBER_EXPECTED_LOSS_CDB,
    LP_F_OPTICAL_FIBER_LOSS_BUDGET_CDB,
    LP_F_OPTICAL_FIBER_MEASURED_LOSS_AZ_CDB,
    LP_F_OPTICAL_FIBER_MEASURED_LOSS_ZA_CDB,
    LP_F_OPTICAL_FIBER_LOSS_MARGIN_CDB,
    LP_F_OPTICAL_FIBER_DISPERSION_PS_NM,
    LP_F_OPTICAL_FIBER_LATENCY_NS,
    LP_F_OPTICAL_FIBER_SHARED_RISKS,
    LP_F_OPTICAL_FIBER_EXTERNAL_IDS,
};
static const struct lp_form_model shown = {"Optical Fiber", shown_fields, LP_COUNT(shown_fields)};

/* ---- the two ends ---- */

static const struct end {
    const char *device, *device_title, *port, *port_title;
} ends[2] = {
    {"device_a", "Device A", "port_a", "Port A"},
    {"device_z", "Device Z", "port_z", "Port Z"},
};

/* Roles that a fiber may connect. Links between line ports leave the site; everything else is a
 * patch cord. */
static const struct {
    const char *a, *z, *kind;
} links[] = {
    {"ols-line", "ols-line", "span"},      {"trx-line", "trx-line", "span"},
    {"ols-add-drop", "trx-line", "patch"}, {"ols-add-drop", "ols-add-drop", "patch"},
    {"ols-line", "ols-line", "patch"},     {"ols-add-drop", "ols-add-drop", "leased"},
    {"ols-line", "ols-line", "leased"},    {"ols-add-drop", "trx-line", "leased"},
    {"trx-line", "trx-line", "leased"},
};

static bool
link_is_known(const char *a, const char *z, const char *kind)
{
    for (size_t i = 0; i < LP_COUNT(links); i++)
        if (strcmp(links[i].kind, kind) == 0
            && ((strcmp(links[i].a, a) == 0 && strcmp(links[i].z, z) == 0)
                || (strcmp(links[i].a, z) == 0 && strcmp(links[i].z, a) == 0)))
            return true;
    return false;
}

/* ---- create ---- */

static enum lp_code
devices_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = lp_form_add_choice(ctx, page, "partner_id", "Customer", "Partner", true, err);

    for (size_t i = 0; i < 2 && rc == LP_OK; i++)
        rc = lp_form_add_choice(ctx, page, ends[i].device, ends[i].device_title, "Optical Device",
                                true, err);
    if (rc == LP_OK)
        rc = lp_form_add_choice(ctx, page, "fiber_owner_id", "Fiber owner", "Partner", false, err);
    if (rc == LP_OK)
        lp_form_add_source(page);
    return rc;
}

static enum lp_code
ports_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < 2 && rc == LP_OK; i++)
        rc = lp_form_add_ports(ctx, page, ends[i].port, ends[i].port_title,
                               lp_json_str(ctx->answers, ends[i].device, ""), "fiber.termination",
                               err);
    if (rc == LP_OK)
        rc = lp_form_add_model(ctx, page, &model, NULL, err);
    return rc;
}

/* The document: chosen ports as references, and the fields. */
static enum lp_code
document_of(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
            json_t **document, const char *roles[2], struct lp_err *err)
{
    const char *owner =
        lp_json_str(input, "fiber_owner_id", lp_json_str(ctx->answers, "fiber_owner_id", NULL));
    json_auto_t *terminations = json_array(), *found = NULL;
    enum lp_code rc = lp_form_document(&model, input, problems, &found, err);

    for (size_t i = 0; i < 2 && rc == LP_OK; i++) {
        const char *device =
            lp_json_str(ctx->answers, ends[i].device, lp_json_str(input, ends[i].device, ""));
        const char *id = NULL;
        rc = lp_form_port(ctx, device, lp_json_str(input, ends[i].port, ""), &id, &roles[i], err);
        if (rc == LP_OK && json_array_append_new(terminations, json_string(id)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    if (rc == LP_OK && json_object_set(found, LP_F_OPTICAL_FIBER_TERMINATIONS, terminations) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    if (rc == LP_OK && owner != NULL)
        rc = lp_form_set_block(ctx, found, LP_F_OPTICAL_FIBER_FIBER_OWNER, owner, err);
    if (rc == LP_OK)
        *document = lp_json_take(&found);
    return rc;
}

static enum lp_code
ports_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
            struct lp_err *err)
{
    const char *roles[2] = {"", ""};
    json_auto_t *document = NULL;
    enum lp_code rc = document_of(ctx, input, problems, &document, roles, err);
    const char *kind;

    if (rc != LP_OK)
        return rc;
    kind = lp_json_str(document, LP_F_OPTICAL_FIBER_KIND, "span");
    if (!link_is_known(roles[0], roles[1], kind))
        lp_problem_field(
            problems, "value_error", ends[1].port, json_object_get(input, ends[1].port),
            "a %s cannot connect a port of role %s with one of role %s", kind, roles[0], roles[1]);
    return lp_form_check_document(ctx, &whole, document, NULL, problems, err);
}

/* OPT-110: a measured loss above the budget is a matter for whoever built the span, not an error.
 */
static void
warn_loss(struct lp_form_page *page, const json_t *document)
{
    int64_t budget = lp_json_int(document, LP_F_OPTICAL_FIBER_LOSS_BUDGET_CDB, -1);
    int64_t margin = lp_json_int(document, LP_F_OPTICAL_FIBER_LOSS_MARGIN_CDB, 0);
    char text[400];

    if (budget < 0 || margin >= 0)
        return;
    (void)snprintf(text, sizeof text,
                   "OPT-110: span %.250s: measured %lld.%02lld dB exceeds budget %lld.%02lld dB",
                   lp_json_str(document, LP_F_OPTICAL_FIBER_FIBER_NAME, "?"),
                   (long long)(budget - margin) / 100, (long long)(budget - margin) % 100,
                   (long long)budget / 100, (long long)budget % 100);
    lp_form_add_label(page, "loss_warning", text);
}

static enum lp_code
summary_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_problems problems;
    const char *roles[2];
    json_auto_t *document = NULL;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = document_of(ctx, ctx->answers, &problems, &document, roles, err);
    lp_problems_free(&problems);
    if (rc == LP_OK)
        rc = lp_form_derive(ctx, &whole, document, err);
    if (rc == LP_OK) {
        warn_loss(page, document);
        rc = lp_form_add_document_summary(page, &shown, NULL, document, err);
    }
    return rc;
}

static enum lp_code
create_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    struct lp_problems problems;
    const char *roles[2];
    json_auto_t *document = NULL;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = document_of(ctx, output, &problems, &document, roles, err);
    lp_problems_free(&problems);
    if (rc != LP_OK)
        return rc;
    lp_form_forget(&model, output);
    json_object_del(output, "fiber_owner_id");
    if (json_object_set(output, "root", document) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    rc = lp_form_finish_owner(output, "partner_id", err);
    if (rc == LP_OK)
        rc = lp_form_finish_source(output, err);
    return rc;
}

static const struct lp_page create_pages[] = {
    {.title = "New fiber", .build = devices_build, .check = lp_form_check_source},
    {.title = "Ports and glass", .build = ports_build, .check = ports_check},
    {.title = "Summary", .build = summary_build},
};
static const struct lp_form create_form = {LP_PAGES(create_pages), .finish = create_finish};

/* ---- modify ---- */

static enum lp_code
modify_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const json_t *root = ctx->subscription->root;
    char owner[LP_UUID_LEN + 1];
    enum lp_code rc =
        lp_form_owner(ctx, lp_json_str(root, LP_F_OPTICAL_FIBER_FIBER_OWNER, ""), owner, err);

    if (rc == LP_OK)
        rc = lp_form_add_choice_now(ctx, page, "partner_id", "Customer", "Partner", true,
                                    ctx->subscription->customer_id, err);
    if (rc == LP_OK)
        rc = lp_form_add_choice_now(ctx, page, "fiber_owner_id", "Fiber owner", "Partner", false,
                                    owner, err);
    return rc == LP_OK ? lp_form_add_model(ctx, page, &model, root, err) : rc;
}

static enum lp_code
changed_document(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                 json_t **document, struct lp_err *err)
{
    const char *owner = lp_json_str(input, "fiber_owner_id", NULL);
    enum lp_code rc = lp_form_document(&model, input, problems, document, err);

    return rc == LP_OK && owner != NULL
               ? lp_form_set_block(ctx, *document, LP_F_OPTICAL_FIBER_FIBER_OWNER, owner, err)
               : rc;
}

static enum lp_code
modify_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    json_auto_t *document = NULL, *root = NULL;
    enum lp_code rc = changed_document(ctx, input, problems, &document, err);

    if (rc == LP_OK)
        rc = lp_form_changed_root(ctx, &changeable, document, &root, err);
    if (rc == LP_OK)
        rc = lp_form_check_document(ctx, &changeable, root, ctx->subscription->id, problems, err);
    if (rc == LP_OK)
        rc = lp_lease_holds(ctx->store, ctx->reader, ctx->subscription->id, root, err);
    if (rc == LP_CONFLICT) {
        lp_problem_field(problems, "value_error", LP_F_OPTICAL_FIBER_LEASED_LOW_MHZ,
                         json_object_get(input, LP_F_OPTICAL_FIBER_LEASED_LOW_MHZ), "%s", err->msg);
        lp_err_clear(err);
        rc = LP_OK;
    }
    return rc;
}

/* The document of answers that were accepted. */
static enum lp_code
accepted(struct lp_form_ctx *ctx, const json_t *answers, json_t **document, struct lp_err *err)
{
    struct lp_problems problems;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = changed_document(ctx, answers, &problems, document, err);
    lp_problems_free(&problems);
    return rc;
}

/* The owners as texts. */
static enum lp_code
readable(struct lp_form_ctx *ctx, const json_t *document, const char *customer, json_t **out,
         struct lp_err *err)
{
    json_auto_t *made = json_deep_copy(document);
    char owner[LP_UUID_LEN + 1];
    enum lp_code rc = lp_form_show_subscription(ctx, made, "owner", customer, err);

    if (rc == LP_OK)
        rc = lp_form_owner(ctx, lp_json_str(document, LP_F_OPTICAL_FIBER_FIBER_OWNER, ""), owner,
                           err);
    if (rc == LP_OK)
        rc = lp_form_show_subscription(ctx, made, LP_F_OPTICAL_FIBER_FIBER_OWNER, owner, err);
    json_object_del(made, LP_F_OPTICAL_FIBER_TERMINATIONS); /* which nobody changes */
    if (rc == LP_OK)
        *out = lp_json_take(&made);
    return rc;
}

static enum lp_code
modify_summary(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const struct lp_subscription *sub = ctx->subscription;
    json_auto_t *document = NULL, *root = NULL, *before = NULL, *after = NULL;
    enum lp_code rc = accepted(ctx, ctx->answers, &document, err);

    if (rc == LP_OK)
        rc = lp_form_changed_root(ctx, &changeable, document, &root, err);
    if (rc == LP_OK)
        rc = lp_form_derive(ctx, &whole, root, err);
    if (rc == LP_OK)
        warn_loss(page, root);
    if (rc == LP_OK)
        rc = readable(ctx, sub->root, sub->customer_id, &before, err);
    if (rc == LP_OK)
        rc = readable(ctx, document, lp_json_str(ctx->answers, "partner_id", sub->customer_id),
                      &after, err);
    if (rc == LP_OK)
        rc = lp_form_add_document_summary(page, &shown_changes, before, after, err);
    return rc == LP_OK ? lp_form_add_impact(ctx, page, "These ride on the fiber", err) : rc;
}

static enum lp_code
modify_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    json_auto_t *document = NULL;
    enum lp_code rc = accepted(ctx, output, &document, err);

    if (rc == LP_OK)
        rc = lp_form_finish_document(ctx, &changeable, document, output, err);
    return rc == LP_OK ? lp_form_finish_new_owner(ctx, output, "partner_id", err) : rc;
}

/* Whom it belongs to from now on stays until that is so. */
static enum lp_code
share_new(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    const json_t *changes = json_object_get(output, "changes");
    int failed = 0;

    (void)ctx;
    if (json_object_get(output, "new_owner") != NULL)
        failed |= json_array_append(ids, json_object_get(output, "new_owner"));
    if (json_is_string(json_object_get(changes, LP_F_OPTICAL_FIBER_FIBER_OWNER)))
        failed |= json_array_append(ids, json_object_get(output, "fiber_owner_id"));
    return failed != 0 ? lp_fail(err, LP_NOMEM, "no memory for the locks") : LP_OK;
}

static const struct lp_page modify_pages[] = {
    {.title = "Change fiber", .build = modify_build, .check = modify_check},
    {.title = "Summary", .build = modify_summary},
};
static const struct lp_form modify_form = {LP_PAGES(modify_pages), .finish = modify_finish};

/* ---- steps ---- */

static const struct lp_step *const create_steps[] = {
    &lp_step_construct, &lp_step_plan, &lp_step_approve, &lp_step_apply, &lp_step_verify,
};
static const struct lp_step *const modify_steps[] = {
    &lp_step_update,  &lp_step_check_lease, &lp_step_plan,
    &lp_step_approve, &lp_step_apply,       &lp_step_verify,
};
static const struct lp_step *const terminate_steps[] = {
    &lp_step_check_unused, &lp_step_plan, &lp_step_approve, &lp_step_apply, &lp_step_verify,
};
static const struct lp_step *const validate_steps[] = {&lp_step_compare, &lp_step_check_contract,
                                                       &lp_step_verify};
static const struct lp_step *const reconcile_steps[] = {
    &lp_step_refresh, &lp_step_plan, &lp_step_approve, &lp_step_apply, &lp_step_verify,
};

/* The owner and both devices stay while a fiber is made between them. */
static enum lp_code
share_ends(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    int failed = json_array_append(ids, json_object_get(output, "customer_id"));

    (void)ctx;
    for (size_t i = 0; i < 2; i++)
        failed |= json_array_append(ids, json_object_get(output, ends[i].device));
    return failed != 0 ? lp_fail(err, LP_NOMEM, "no memory for the locks") : LP_OK;
}

static const struct lp_workflow list[] = {
    {.name = "create_optical_fiber",
     .description = "Create an optical fiber",
     .target = LP_TARGET_CREATE,
     .product = "Optical Fiber",
     .form = &create_form,
     .shares = share_ends,
     LP_STEPS(create_steps)},
    {.name = "modify_optical_fiber",
     .description = "Modify an optical fiber",
     .target = LP_TARGET_MODIFY,
     .product = "Optical Fiber",
     .form = &modify_form,
     .shares = share_new,
     LP_STEPS(modify_steps)},
    {.name = "terminate_optical_fiber",
     .description = "Terminate an optical fiber",
     .target = LP_TARGET_TERMINATE,
     .product = "Optical Fiber",
     .form = &lp_form_terminate_on_devices,
     /* A fiber with a dead end is out of sync for good, and what is ours goes whatever else
      * differs.
      */
     .usable_out_of_sync = true,
     LP_STEPS(terminate_steps)},
    {.name = "validate_optical_fiber",
     .description = "Validate an optical fiber",
     .target = LP_TARGET_VALIDATE,
     .is_task = true,
     .product = "Optical Fiber",
     LP_STEPS(validate_steps)},
    {.name = "reconcile_optical_fiber",
     .description = "Reconcile an optical fiber",
     .target = LP_TARGET_RECONCILE,
     .product = "Optical Fiber",
     LP_STEPS(reconcile_steps)},
};
const struct lp_workflow_set lp_workflows_optical_fiber = {list, LP_COUNT(list)};
