/* Optical Device: create, modify, terminate, validate, reconcile. */
#include <string.h>

#include "model/products_gen.h"
#include "steps/device_steps.h"
#include "steps/devices.h"
#include "steps/forms.h"
#include "steps/import.h"
#include "steps/lifecycle.h"
#include "steps/port_forms.h"
#include "workflows/workflows.h"

/* Members by what forms do with them, the widest last; the serial number is read from a new device,
 * and typed only when the chassis of a known one was replaced. Site and gateways are chosen as
 * subscriptions. */
static const char *const fields[] = {
    "owner", /* in summaries only: it is no member */
    LP_F_OPTICAL_DEVICE_FQDN,
    LP_F_OPTICAL_DEVICE_NODE_NAME,
    LP_F_OPTICAL_DEVICE_PLATFORM,
    LP_F_OPTICAL_DEVICE_DEVICE_TYPE,
    LP_F_OPTICAL_DEVICE_LOOPBACK_IP,
    LP_F_OPTICAL_DEVICE_MANAGEMENT_IP,
    LP_F_OPTICAL_DEVICE_MANAGEMENT_PORT,
    LP_F_OPTICAL_DEVICE_CREDENTIALS,
    LP_F_OPTICAL_DEVICE_EXTERNAL_IDS,
    LP_F_OPTICAL_DEVICE_SERIAL,
    LP_F_OPTICAL_DEVICE_POP,
    LP_F_OPTICAL_DEVICE_GATEWAYS,
};
static const struct lp_form_model model = {"Optical Device", fields + 1, LP_COUNT(fields) - 4};
static const struct lp_form_model changeable = {"Optical Device", fields + 1, LP_COUNT(fields) - 3};
static const struct lp_form_model whole = {"Optical Device", fields + 1, LP_COUNT(fields) - 1};
static const struct lp_form_model shown = {"Optical Device", fields, LP_COUNT(fields)};

/* ---- create ---- */

static const char *const modes[] = {"observe", "manage"};

static void
add_mode(struct lp_form_page *page)
{
    const struct lp_enum_value values[] = {{.value = modes[0], .label = "Observe: never written"},
                                           {.value = modes[1], .label = "Manage"}};
    json_auto_t *def = json_string(modes[0]);
    const struct lp_field field = {.name = "mode",
                                   .title = "Mode",
                                   .kind = LP_FIELD_ENUM,
                                   .required_in = -1,
                                   .values = values,
                                   .value_count = LP_COUNT(values),
                                   .def = def};

    lp_form_page_add(page, &field);
}

static enum lp_code
create_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = lp_form_add_choice(ctx, page, "partner_id", "Owner", "Partner", true, err);

    if (rc == LP_OK)
        rc = lp_form_add_choice(ctx, page, "pop_id", "PoP", "PoP", true, err);
    if (rc == LP_OK)
        rc = lp_form_add_model(ctx, page, &model, NULL, err);
    if (rc == LP_OK) {
        lp_form_platforms(ctx, page, LP_F_OPTICAL_DEVICE_PLATFORM);
        add_mode(page);
        lp_form_add_source(page);
    }
    return rc;
}

/* The chosen gateways as references to their blocks. */
static enum lp_code
gateways_of(struct lp_form_ctx *ctx, const json_t *input, json_t *document, struct lp_err *err)
{
    json_auto_t *gateways = json_array(), *one = json_object();
    const json_t *id;
    size_t i;
    enum lp_code rc = LP_OK;

    json_array_foreach(json_object_get(input, "gateway_ids"), i, id)
    {
        if (rc == LP_OK)
            rc = lp_form_set_block(ctx, one, "id", json_string_value(id), err);
        if (rc == LP_OK && json_array_append(gateways, json_object_get(one, "id")) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    if (rc == LP_OK && i > 0
        && json_object_set(document, LP_F_OPTICAL_DEVICE_GATEWAYS, gateways) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

/* The document: the fields, the site, the gateways. */
static enum lp_code
document_of(struct lp_form_ctx *ctx, const struct lp_form_model *asked, const json_t *input,
            struct lp_problems *problems, json_t **document, struct lp_err *err)
{
    json_auto_t *found = NULL;
    enum lp_code rc = lp_form_document(asked, input, problems, &found, err);

    if (rc == LP_OK)
        rc = lp_form_set_block(ctx, found, LP_F_OPTICAL_DEVICE_POP,
                               lp_json_str(input, "pop_id", ""), err);
    if (rc == LP_OK)
        rc = gateways_of(ctx, input, found, err);
    if (rc == LP_OK)
        *document = lp_json_take(&found);
    return rc;
}

static enum lp_code
create_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    json_auto_t *document = NULL;
    enum lp_code rc = document_of(ctx, &model, input, problems, &document, err);

    if (rc == LP_OK)
        rc = lp_form_check_document(ctx, &model, document, NULL, problems, err);
    if (rc == LP_OK)
        rc = lp_form_check_source(ctx, input, problems, err);
    return rc;
}

static bool
is_without_address(const json_t *answers)
{
    return lp_json_str(answers, LP_F_OPTICAL_DEVICE_LOOPBACK_IP, NULL) == NULL
           && lp_json_str(answers, LP_F_OPTICAL_DEVICE_MANAGEMENT_IP, NULL) == NULL;
}

static bool
has_no_address(const struct lp_form_ctx *ctx)
{
    return is_without_address(ctx->answers);
}

static enum lp_code
gateways_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    return lp_form_add_gateways(ctx, page, "gateway_ids",
                                lp_json_str(ctx->answers, LP_F_OPTICAL_DEVICE_PLATFORM, ""),
                                lp_json_str(ctx->answers, "pop_id", ""), err);
}

static enum lp_code
summary_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_problems problems;
    json_auto_t *document = NULL;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = document_of(ctx, &model, ctx->answers, &problems, &document, err);
    lp_problems_free(&problems);
    if (rc == LP_OK)
        rc = lp_form_derive(ctx, &model, document, err);
    if (rc == LP_OK)
        rc = lp_form_add_document_summary(page, &model, NULL, document, err);
    return rc;
}

static enum lp_code
create_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    struct lp_problems problems;
    json_auto_t *document = NULL;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = document_of(ctx, &model, output, &problems, &document, err);
    lp_problems_free(&problems);
    if (rc != LP_OK)
        return rc;
    lp_form_forget(&model, output);
    if (json_object_set(output, "root", document) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    rc = lp_form_finish_owner(output, "partner_id", err);
    return rc == LP_OK ? lp_form_finish_source(output, err) : rc;
}

static const struct lp_page create_pages[] = {
    {.title = "New optical device", .build = create_build, .check = create_check},
    {.title = "Gateways", .when = has_no_address, .build = gateways_build},
    {.title = "Summary", .build = summary_build},
};
static const struct lp_form create_form = {LP_PAGES(create_pages), .finish = create_finish};

/* ---- modify ---- */

static enum lp_code
modify_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const json_t *root = ctx->subscription->root;
    char pop[LP_UUID_LEN + 1];
    enum lp_code rc = lp_form_owner(ctx, lp_json_str(root, LP_F_OPTICAL_DEVICE_POP, ""), pop, err);

    if (rc == LP_OK)
        rc = lp_form_add_choice_now(ctx, page, "partner_id", "Owner", "Partner", true,
                                    ctx->subscription->customer_id, err);
    if (rc == LP_OK)
        rc = lp_form_add_choice_now(ctx, page, "pop_id", "PoP", "PoP", true, pop, err);
    if (rc == LP_OK)
        rc = lp_form_add_model(ctx, page, &changeable, root, err);
    if (rc == LP_OK)
        lp_form_platforms(ctx, page, LP_F_OPTICAL_DEVICE_PLATFORM);
    return rc;
}

/* As of create. Until page two has been filled in, a device without an address keeps its gateways;
 * one with an address has none. */
static enum lp_code
changed_document(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                 json_t **document, struct lp_err *err)
{
    json_t *gateways = json_object_get(ctx->subscription->root, LP_F_OPTICAL_DEVICE_GATEWAYS);
    enum lp_code rc = document_of(ctx, &changeable, input, problems, document, err);

    if (rc == LP_OK && gateways != NULL && is_without_address(input)
        && json_object_get(input, "gateway_ids") == NULL
        && json_object_set(*document, LP_F_OPTICAL_DEVICE_GATEWAYS, gateways) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

static enum lp_code
modify_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    json_auto_t *document = NULL, *root = NULL;
    enum lp_code rc = changed_document(ctx, input, problems, &document, err);

    if (lp_json_str(input, LP_F_OPTICAL_DEVICE_SERIAL, NULL) == NULL
        && lp_json_str(ctx->subscription->root, LP_F_OPTICAL_DEVICE_SERIAL, NULL) != NULL)
        lp_problem_field(problems, "value_error", LP_F_OPTICAL_DEVICE_SERIAL, json_null(),
                         "without a serial number any element would be taken for this one: give "
                         "that of the new chassis");
    if (rc == LP_OK)
        rc = lp_form_changed_root(ctx, &whole, document, &root, err);
    if (rc == LP_OK)
        rc = lp_form_check_document(ctx, &whole, root, ctx->subscription->id, problems, err);
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

/* References as texts. */
static enum lp_code
readable(struct lp_form_ctx *ctx, const json_t *document, const char *owner, json_t **out,
         struct lp_err *err)
{
    json_auto_t *made = json_deep_copy(document), *names = json_array(), *one = json_object();
    char id[LP_UUID_LEN + 1];
    const json_t *gateway;
    size_t i;
    enum lp_code rc = lp_form_show_subscription(ctx, made, "owner", owner, err);

    if (rc == LP_OK)
        rc = lp_form_owner(ctx, lp_json_str(document, LP_F_OPTICAL_DEVICE_POP, ""), id, err);
    if (rc == LP_OK)
        rc = lp_form_show_subscription(ctx, made, LP_F_OPTICAL_DEVICE_POP, id, err);
    json_array_foreach(json_object_get(document, LP_F_OPTICAL_DEVICE_GATEWAYS), i, gateway)
    {
        if (rc == LP_OK)
            rc = lp_form_owner(ctx, json_string_value(gateway), id, err);
        if (rc == LP_OK)
            rc = lp_form_show_subscription(ctx, one, "name", id, err);
        if (rc == LP_OK && json_array_append(names, json_object_get(one, "name")) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    if (rc == LP_OK && i > 0 && json_object_set(made, LP_F_OPTICAL_DEVICE_GATEWAYS, names) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    if (rc == LP_OK)
        *out = lp_json_take(&made);
    return rc;
}

static const char *
new_owner(const struct lp_form_ctx *ctx)
{
    return lp_json_str(ctx->answers, "partner_id", ctx->subscription->customer_id);
}

/* Who is told of a change: a new name stands elsewhere too; a new site, owner or way to reach it
 * concerns whoever uses the device. */
static enum lp_code
add_impact(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *changes,
           struct lp_err *err)
{
    bool concerns = json_object_get(changes, LP_F_OPTICAL_DEVICE_POP) != NULL
                    || json_object_get(changes, LP_F_OPTICAL_DEVICE_GATEWAYS) != NULL
                    || json_object_get(changes, LP_F_OPTICAL_DEVICE_SERIAL) != NULL
                    || strcmp(new_owner(ctx), ctx->subscription->customer_id) != 0;

    if (json_object_get(changes, LP_F_OPTICAL_DEVICE_FQDN) != NULL)
        return lp_form_add_impact(ctx, page,
                                  "These carry its old name, on the far ends too; reconcile them "
                                  "afterwards",
                                  err);
    return concerns ? lp_form_add_impact(ctx, page, "These use the device", err) : LP_OK;
}

static enum lp_code
modify_summary(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const struct lp_subscription *sub = ctx->subscription;
    json_auto_t *document = NULL, *before = NULL, *after = NULL, *changes = NULL;
    enum lp_code rc = accepted(ctx, ctx->answers, &document, err);

    if (rc == LP_OK)
        rc = readable(ctx, sub->root, sub->customer_id, &before, err);
    if (rc == LP_OK)
        rc = readable(ctx, document, new_owner(ctx), &after, err);
    if (rc == LP_OK)
        rc = lp_form_add_document_summary(page, &shown, before, after, err);
    if (rc != LP_OK)
        return rc;
    changes = lp_form_changes(ctx, &whole, document);
    return add_impact(ctx, page, changes, err);
}

static enum lp_code
modify_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    json_auto_t *document = NULL;
    enum lp_code rc = accepted(ctx, output, &document, err);

    if (rc == LP_OK)
        rc = lp_form_finish_document(ctx, &whole, document, output, err);
    return rc == LP_OK ? lp_form_finish_new_owner(ctx, output, "partner_id", err) : rc;
}

/* What it belongs to, and is reached through, from now on stays until that is so. */
static enum lp_code
share_new(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    const json_t *changes = json_object_get(output, "changes");
    int failed = 0;

    (void)ctx;
    if (json_object_get(output, "new_owner") != NULL)
        failed |= json_array_append(ids, json_object_get(output, "new_owner"));
    if (json_object_get(changes, LP_F_OPTICAL_DEVICE_POP) != NULL)
        failed |= json_array_append(ids, json_object_get(output, "pop_id"));
    if (json_is_array(json_object_get(changes, LP_F_OPTICAL_DEVICE_GATEWAYS)))
        failed |= json_array_extend(ids, json_object_get(output, "gateway_ids"));
    return failed != 0 ? lp_fail(err, LP_NOMEM, "no memory for the locks") : LP_OK;
}

static const struct lp_page modify_pages[] = {
    {.title = "Change optical device", .build = modify_build, .check = modify_check},
    {.title = "Gateways", .when = has_no_address, .build = gateways_build},
    {.title = "Summary", .build = modify_summary},
};
static const struct lp_form modify_form = {LP_PAGES(modify_pages), .finish = modify_finish};

/* ---- steps ---- */

static const struct lp_step *const create_steps[] = {
    &lp_step_construct,
    &lp_step_read_inventory,
    &lp_step_take_device,
    &lp_step_set_mode,
};
static const struct lp_step *const modify_steps[] = {
    &lp_step_confirm_serial,
    &lp_step_update,
    &lp_step_read_inventory,
    &lp_step_take_device,
};
static const struct lp_step *const terminate_steps[] = {&lp_step_check_unused};
static const struct lp_step *const validate_steps[] = {
    &lp_step_compare,
    &lp_step_read_inventory,
    &lp_step_compare_device,
};
static const struct lp_step *const reconcile_steps[] = {
    &lp_step_refresh,
    &lp_step_read_inventory,
    &lp_step_take_device,
};

/* Owner and site stay while a device is made there. */
static enum lp_code
share_site(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    (void)ctx;
    if (json_array_append(ids, json_object_get(output, "customer_id")) != 0
        || json_array_append(ids, json_object_get(output, "pop_id")) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the locks");
    return LP_OK;
}

static const struct lp_workflow list[] = {
    {.name = "create_optical_device",
     .description = "Create an optical device",
     .target = LP_TARGET_CREATE,
     .product = "Optical Device",
     .form = &create_form,
     .shares = share_site,
     LP_STEPS(create_steps)},
    {.name = "modify_optical_device",
     .description = "Modify an optical device",
     .target = LP_TARGET_MODIFY,
     .product = "Optical Device",
     .form = &modify_form,
     .shares = share_new,
     /* A replaced chassis is out of sync until it is taken over, and so are its fibers. */
     .usable_out_of_sync = true,
     LP_STEPS(modify_steps)},
    {.name = "terminate_optical_device",
     .description = "Terminate an optical device",
     .target = LP_TARGET_TERMINATE,
     .product = "Optical Device",
     .form = &lp_form_terminate,
     LP_STEPS(terminate_steps)},
    {.name = "validate_optical_device",
     .description = "Validate an optical device",
     .target = LP_TARGET_VALIDATE,
     .is_task = true,
     .product = "Optical Device",
     LP_STEPS(validate_steps)},
    {.name = "reconcile_optical_device",
     .description = "Reconcile an optical device",
     .target = LP_TARGET_RECONCILE,
     .product = "Optical Device",
     LP_STEPS(reconcile_steps)},
};
const struct lp_workflow_set lp_workflows_optical_device = {list, LP_COUNT(list)};
