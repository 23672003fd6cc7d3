/* Optical Digital Service: create, modify (their forms: service_create.c, service_modify.c),
 * terminate, validate, reconcile. */
#include <stdio.h>
#include <string.h>

#include "products/channels.h"
#include "steps/channels.h"
#include "steps/claims.h"
#include "steps/devices.h"
#include "steps/forms.h"
#include "steps/lifecycle.h"
#include "steps/port_forms.h"
#include "steps/service_adoption.h"
#include "steps/services.h"
#include "workflows/service_internal.h"
#include "workflows/workflows.h"

/* ---- locks: what the forms noted ---- */

static enum lp_code
share_held(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    const json_t *customer = json_object_get(output, "customer_id");
    const json_t *held = json_object_get(output, "holds"), *id;
    json_auto_t *seen = json_object();
    size_t i;

    if (customer != NULL && json_array_append(ids, (json_t *)(uintptr_t)customer) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the locks");
    json_array_foreach(held, i, id)
    {
        const char *text = json_string_value(id);

        if (json_object_get(seen, text) != NULL
            || (ctx->subscription != NULL && strcmp(ctx->subscription->id, text) == 0))
            continue;
        (void)json_object_set_new(seen, text, json_true());
        if (json_array_append(ids, (json_t *)(uintptr_t)id) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for the locks");
    }
    return LP_OK;
}

/* ---- terminate ---- */

/* Nobody is made the owner of a channel without being named. */
static void
add_heir(struct lp_form_page *page, const struct lp_channel_group *group)
{
    const json_t *heir = lp_channel_heir(group);
    const char *status = lp_json_str(heir, "status", "");
    char line[300];

    if (heir == NULL)
        return;
    (void)snprintf(line, sizeof line, "They will belong to %.200s%s%s%s.",
                   lp_json_str(heir, "description", ""), strcmp(status, "active") == 0 ? "" : " (",
                   strcmp(status, "active") == 0 ? "" : status,
                   strcmp(status, "active") == 0 ? "" : ": none of them is active)");
    lp_form_add_label(page, "heir", line);
}

static enum lp_code
terminate_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_channel_group group;
    enum lp_code rc = lp_service_target_group(ctx, &group, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_form_add_force(ctx, page, err);
    lp_service_add_others(page, &group, ctx->subscription->id,
                          "Its channels stay, because these services ride on them: ");
    add_heir(page, &group);
    lp_channel_group_free(&group);
    return rc;
}

static enum lp_code
terminate_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                struct lp_err *err)
{
    (void)ctx;
    (void)err;
    lp_form_check_force(input, problems);
    return LP_OK;
}

static enum lp_code
terminate_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    json_auto_t *held = json_array();
    struct lp_channel_group group;
    enum lp_code rc = lp_service_target_group(ctx, &group, err);

    if (rc != LP_OK)
        return rc;
    lp_service_note_services(&group, held);
    lp_channel_group_free(&group);
    (void)json_object_del(output, "impact");
    (void)json_object_del(output, "heir"); /* hand_over says who it is */
    rc = lp_form_finish_force(output, err);
    if (rc == LP_OK && json_object_set(output, "holds", held) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

static const struct lp_page terminate_pages[] = {
    {.title = "Terminate", .build = terminate_build, .check = terminate_check}};
static const struct lp_form terminate_form = {LP_PAGES(terminate_pages),
                                              .finish = terminate_finish};

/* ---- steps ---- */

static const struct lp_step *const create_steps[] = {
    &lp_step_construct_service, &lp_step_claim_spectrum, &lp_step_plan,   &lp_step_demand_running,
    &lp_step_approve,           &lp_step_apply,          &lp_step_verify, &lp_step_align_power,
    &lp_step_settle_spectrum,   &lp_step_read_spectrum,
};
static const struct lp_step *const modify_steps[] = {
    &lp_step_update,      &lp_step_claim_spectrum,  &lp_step_plan,
    &lp_step_approve,     &lp_step_apply,           &lp_step_verify,
    &lp_step_align_power, &lp_step_settle_spectrum, &lp_step_read_spectrum,
};
static const struct lp_step *const terminate_steps[] = {
    &lp_step_hand_over,     &lp_step_plan,   &lp_step_approve,
    &lp_step_apply,         &lp_step_verify, &lp_step_release_spectrum,
    &lp_step_read_spectrum,
};
static const struct lp_step *const adopt_steps[] = {
    &lp_step_service_rows,    &lp_step_service_preview_1, &lp_step_service_judge_1,
    &lp_step_service_adopt_1, &lp_step_service_preview_2, &lp_step_service_judge_2,
    &lp_step_service_adopt_2, &lp_step_service_adopted,
};
static const struct lp_step *const validate_steps[] = {&lp_step_compare, &lp_step_verify,
                                                       &lp_step_compare_spectrum};
static const struct lp_step *const reconcile_steps[] = {
    &lp_step_refresh,
    &lp_step_reclaim_spectrum,
    &lp_step_plan,
    &lp_step_approve,
    &lp_step_apply,
    &lp_step_verify,
    &lp_step_settle_spectrum,
    &lp_step_read_spectrum,
};

static const struct lp_workflow list[] = {
    {.name = "create_optical_digital_service",
     .description = "Create an optical digital service",
     .target = LP_TARGET_CREATE,
     .product = LP_SERVICE_PRODUCT,
     .form = &lp_service_create_form,
     .shares = share_held,
     LP_STEPS(create_steps)},
    {.name = "modify_optical_digital_service",
     .description = "Modify an optical digital service",
     .target = LP_TARGET_MODIFY,
     .product = LP_SERVICE_PRODUCT,
     .form = &lp_service_modify_form,
     .shares = share_held,
     LP_STEPS(modify_steps)},
    {.name = "terminate_optical_digital_service",
     .description = "Terminate an optical digital service",
     .target = LP_TARGET_TERMINATE,
     .product = LP_SERVICE_PRODUCT,
     .form = &terminate_form,
     .shares = share_held,
     .hands_over = true,
     LP_STEPS(terminate_steps)},
    {.name = "validate_optical_digital_service",
     .description = "Validate an optical digital service",
     .target = LP_TARGET_VALIDATE,
     .is_task = true,
     .product = LP_SERVICE_PRODUCT,
     LP_STEPS(validate_steps)},
    {.name = "reconcile_optical_digital_service",
     .description = "Reconcile an optical digital service",
     .target = LP_TARGET_RECONCILE,
     .product = LP_SERVICE_PRODUCT,
     LP_STEPS(reconcile_steps)},
    {.name = "task_adopt_digital_services",
     .description = "Adopt digital services that already run",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &lp_form_adopt_services,
     LP_STEPS(adopt_steps)},
};
const struct lp_workflow_set lp_workflows_optical_digital_service = {list, LP_COUNT(list)};
