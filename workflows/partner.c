/* Partner: create, modify, terminate, validate, reconcile. */
#include <string.h>

#include "base/json.h"
#include "model/products_gen.h"
#include "steps/forms.h"
#include "steps/lifecycle.h"
#include "workflows/workflows.h"

static const char *const fields[] = {
    LP_F_PARTNER_PARTNER_NAME, LP_F_PARTNER_SHORT_NAME, LP_F_PARTNER_LEGAL_NAME,
    LP_F_PARTNER_ROLES,        LP_F_PARTNER_CONTACTS,   LP_F_PARTNER_COUNTRY,
    LP_F_PARTNER_EXTERNAL_IDS,
};
static const struct lp_form_model model = {"Partner", fields, LP_COUNT(fields)};

/* ---- create ---- */

static enum lp_code
create_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    return lp_form_add_model(ctx, page, &model, NULL, err);
}

static enum lp_code
create_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    return lp_form_check_new(ctx, &model, input, problems, err);
}

static enum lp_code
summary_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    return lp_form_summary_new(ctx, page, &model, err);
}

static enum lp_code
create_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    return lp_form_finish_new(ctx, &model, output, err);
}

static const struct lp_page create_pages[] = {
    {.title = "New partner", .build = create_build, .check = create_check},
    {.title = "Summary", .build = summary_build},
};
static const struct lp_form create_form = {LP_PAGES(create_pages), .finish = create_finish};
static const struct lp_step *const create_steps[] = {&lp_step_construct};

/* ---- modify ---- */

static enum lp_code
modify_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    return lp_form_add_model(ctx, page, &model, ctx->subscription->root, err);
}

static enum lp_code
modify_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    return lp_form_check_changed(ctx, &model, input, problems, err);
}

static bool
renamed(const struct lp_form_ctx *ctx)
{
    static const char *const names[] = {LP_F_PARTNER_PARTNER_NAME, LP_F_PARTNER_SHORT_NAME};

    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (strcmp(lp_json_str(ctx->answers, names[i], ""),
                   lp_json_str(ctx->subscription->root, names[i], ""))
            != 0)
            return true;
    return false;
}

static enum lp_code
modify_summary(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = lp_form_summary_changed(ctx, page, &model, err);

    if (rc == LP_OK && renamed(ctx))
        rc = lp_form_add_impact(
            ctx, page, "These belong to the partner, or name it, and may carry its old name", err);
    return rc;
}

static enum lp_code
modify_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    return lp_form_finish_changed(ctx, &model, output, err);
}

static const struct lp_page modify_pages[] = {
    {.title = "Change partner", .build = modify_build, .check = modify_check},
    {.title = "Summary", .build = modify_summary},
};
static const struct lp_form modify_form = {LP_PAGES(modify_pages), .finish = modify_finish};
static const struct lp_step *const modify_steps[] = {&lp_step_update};

/* ---- the rest needs no fields ---- */

static const struct lp_step *const terminate_steps[] = {&lp_step_check_unused};
static const struct lp_step *const validate_steps[] = {&lp_step_compare};
static const struct lp_step *const reconcile_steps[] = {&lp_step_refresh};

static const struct lp_workflow list[] = {
    {.name = "create_partner",
     .description = "Create a partner",
     .target = LP_TARGET_CREATE,
     .product = "Partner",
     .form = &create_form,
     LP_STEPS(create_steps)},
    {.name = "modify_partner",
     .description = "Modify a partner",
     .target = LP_TARGET_MODIFY,
     .product = "Partner",
     .form = &modify_form,
     LP_STEPS(modify_steps)},
    {.name = "terminate_partner",
     .description = "Terminate a partner",
     .target = LP_TARGET_TERMINATE,
     .product = "Partner",
     .form = &lp_form_terminate,
     LP_STEPS(terminate_steps)},
    {.name = "validate_partner",
     .description = "Validate a partner",
     .target = LP_TARGET_VALIDATE,
     .is_task = true,
     .product = "Partner",
     LP_STEPS(validate_steps)},
    {.name = "reconcile_partner",
     .description = "Reconcile a partner",
     .target = LP_TARGET_RECONCILE,
     .product = "Partner",
     LP_STEPS(reconcile_steps)},
};
const struct lp_workflow_set lp_workflows_partner = {list, LP_COUNT(list)};
