/* Optical Spectrum: create, modify, terminate, validate, reconcile. */
#include <string.h>

#include "model/products_gen.h"
#include "products/spectrum.h"
#include "steps/adoption.h"
#include "steps/claims.h"
#include "steps/devices.h"
#include "steps/forms.h"
#include "steps/lifecycle.h"
#include "steps/port_forms.h"
#include "steps/spectrum_forms.h"
#include "steps/spectrum_steps.h"
#include "workflows/workflows.h"

#define MAKE_FIRST "make-before-break"

static const char *const name_field[] = {LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME};
static const struct lp_form_model named = {"Optical Spectrum", name_field, LP_COUNT(name_field)};
static const char *const all_fields[] = {LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME,
                                         LP_F_OPTICAL_SPECTRUM_LOW_MHZ,
                                         LP_F_OPTICAL_SPECTRUM_HIGH_MHZ};
static const struct lp_form_model whole = {"Optical Spectrum", all_fields, LP_COUNT(all_fields)};

static const struct end {
    const char *device, *device_title, *port, *port_title;
} ends[2] = {
    {"device_a", "Device A", "port_a", "Add/drop port A"},
    {"device_z", "Device Z", "port_z", "Add/drop port Z"},
};

static json_t *
mhz_text(const json_t *range)
{
    return json_sprintf("%lld-%lld MHz", (long long)lp_json_int(range, "low_mhz", 0),
                        (long long)lp_json_int(range, "high_mhz", 0));
}

/* ---- create ---- */

static enum lp_code
new_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const struct lp_field adopt = {.name = "adopt",
                                   .title = "It runs already",
                                   .description = "a circuit of this name and passband is taken "
                                                  "over",
                                   .kind = LP_FIELD_BOOL,
                                   .required_in = -1};
    enum lp_code rc = lp_form_add_choice(ctx, page, "partner_id", "Customer", "Partner", true, err);

    if (rc == LP_OK)
        rc = lp_form_add_model(ctx, page, &named, NULL, err);
    if (rc != LP_OK)
        return rc;
    lp_form_add_passband(page);
    lp_form_page_add(page, &adopt);
    return LP_OK;
}

static enum lp_code
new_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
          struct lp_err *err)
{
    (void)err;
    lp_form_check_passband(ctx, input, true, problems);
    return LP_OK;
}

static enum lp_code
devices_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < LP_COUNT(ends) && rc == LP_OK; i++)
        rc = lp_form_add_multiplexer(ctx, page, ends[i].device, ends[i].device_title, err);
    return rc;
}

static enum lp_code
ports_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < LP_COUNT(ends) && rc == LP_OK; i++)
        rc = lp_form_add_add_drop(ctx, page, ends[i].port, ends[i].port_title,
                                  lp_json_str(ctx->answers, ends[i].device, ""), err);
    return rc;
}

/* Both ends on one device need a device that connects its own ports. */
static enum lp_code
ports_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
            struct lp_err *err)
{
    const char *device = lp_json_str(ctx->answers, ends[0].device, "");
    const json_t *port = json_object_get(input, ends[1].port);
    bool can = false;
    enum lp_code rc;

    if (strcmp(device, lp_json_str(ctx->answers, ends[1].device, "")) != 0)
        return LP_OK;
    if (json_equal(json_object_get(input, ends[0].port), port)) {
        lp_problem_field(problems, "value_error", ends[1].port, port,
                         "the two ends must be different ports");
        return LP_OK;
    }
    rc = lp_form_connects_locally(ctx, device, &can, err);
    if (rc == LP_OK && !can)
        lp_problem_field(problems, "value_error", ends[1].port, port,
                         "OPT-010: the two ends must be different devices, because this one cannot "
                         "connect its ports with each other");
    return rc;
}

static enum lp_code
rules_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const json_t *root = ctx->subscription == NULL ? NULL : ctx->subscription->root;

    return lp_form_add_rules(ctx, page, json_object_get(root, LP_F_OPTICAL_SPECTRUM_CONSTRAINTS),
                             err);
}

static enum lp_code
rules_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
            struct lp_err *err)
{
    (void)err;
    lp_form_check_rules(ctx, input, problems);
    return LP_OK;
}

/* What is looked for between the chosen ports. */
static enum lp_code
new_wish(struct lp_form_ctx *ctx, const json_t *answers, json_t **wish, struct lp_err *err)
{
    const char *ids[2] = {NULL, NULL}, *role;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < LP_COUNT(ends) && rc == LP_OK; i++)
        rc = lp_form_port(ctx, lp_json_str(answers, ends[i].device, ""),
                          lp_json_str(answers, ends[i].port, ""), &ids[i], &role, err);
    if (rc != LP_OK)
        return rc;
    *wish = lp_form_wish(answers, ids[0], ids[1], NULL);
    return *wish != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for the form");
}

static enum lp_code
route_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *wish = NULL;
    enum lp_code rc = new_wish(ctx, ctx->answers, &wish, err);

    return rc == LP_OK ? lp_form_add_route(ctx, page, wish, NULL, err) : rc;
}

/* The document, with the passband that the route offers. */
static enum lp_code
new_document(struct lp_form_ctx *ctx, const json_t *answers, const char *id, json_t **document,
             json_t **request, struct lp_err *err)
{
    json_auto_t *wish = NULL, *route = NULL, *root = NULL;
    const json_t *light;
    enum lp_code rc = new_wish(ctx, answers, &wish, err);

    if (rc == LP_OK)
        rc = lp_form_route(ctx, wish, id, &route, err);
    if (rc != LP_OK)
        return rc;
    light = json_object_get(route, "first_free");
    root = json_pack("{s:O, s:O*, s:O*, s:o, s:s}", LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME,
                     json_object_get(answers, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME),
                     LP_F_OPTICAL_SPECTRUM_LOW_MHZ, json_object_get(light, "low_mhz"),
                     LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, json_object_get(light, "high_mhz"),
                     LP_F_OPTICAL_SPECTRUM_CONSTRAINTS,
                     lp_form_rules((json_t *)(uintptr_t)answers, false),
                     LP_F_OPTICAL_SPECTRUM_RESERVATION, "planned");
    *request = json_pack("{s:i, s:[], s:O, s:O}", "slot", 0, "block", "wish", wish, "route", route);
    if (root == NULL || *request == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    *document = lp_json_take(&root);
    return LP_OK;
}

static enum lp_code
route_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
            struct lp_err *err)
{
    json_auto_t *document = NULL, *request = NULL, *root = NULL;
    enum lp_code rc =
        new_document(ctx, ctx->answers, lp_json_str(input, "route", ""), &document, &request, err);

    if (rc == LP_CONFLICT || rc == LP_INVALID) { /* gone since it was shown */
        lp_problem_field(problems, "value_error", "route", json_object_get(input, "route"), "%s",
                         err->msg);
        lp_err_clear(err);
        return LP_OK;
    }
    if (rc == LP_OK)
        rc = lp_model_new(ctx->catalog, lp_catalog_product(ctx->catalog, whole.product), document,
                          ctx->clock, &root, err);
    return rc == LP_OK ? lp_form_check_document(ctx, &whole, root, NULL, problems, err) : rc;
}

static enum lp_code
add_rows(struct lp_form_page *page, const json_t *names, const json_t *values, struct lp_err *err)
{
    json_auto_t *headers = json_pack("[s]", "Value"), *columns = json_pack("[O]", values);

    return lp_form_add_summary(page, headers, names, columns, err);
}

static enum lp_code
new_summary(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *document = NULL, *request = NULL, *names = NULL, *values = NULL;
    const json_t *route;
    enum lp_code rc = new_document(ctx, ctx->answers, lp_json_str(ctx->answers, "route", ""),
                                   &document, &request, err);

    if (rc != LP_OK)
        return rc;
    route = json_object_get(request, "route");
    names = json_pack("[s, s, s]", "Name", "Passband", "Route");
    values = json_pack("[O, o, O]", json_object_get(document, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME),
                       mhz_text(document), json_object_get(route, "text"));
    return add_rows(page, names, values, err);
}

static void
forget(json_t *output)
{
    static const char *const names[] = {"low_mhz",  "high_mhz", "width_mhz", "policy",
                                        "device_a", "device_z", "port_a",    "port_z",
                                        "route",    "reroute",  "how",       "adopt"};

    for (size_t i = 0; i < LP_COUNT(names); i++)
        json_object_del(output, names[i]);
    json_decref(lp_form_rules(output, true));
    lp_form_forget(&named, output);
}

static enum lp_code
new_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    json_auto_t *document = NULL, *request = NULL;
    enum lp_code rc =
        new_document(ctx, output, lp_json_str(output, "route", ""), &document, &request, err);

    if (rc != LP_OK)
        return rc;
    forget(output);
    if (json_object_set(output, "root", document) != 0
        || json_object_set_new(output, "spectrum_requests", json_pack("[O]", request)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    return lp_form_finish_owner(output, "partner_id", err);
}

static const struct lp_page create_pages[] = {
    {.title = "New spectrum", .build = new_build, .check = new_check},
    {.title = "Devices", .build = devices_build},
    {.title = "Add/drop ports", .build = ports_build, .check = ports_check},
    {.title = "Rules of the route", .build = rules_build, .check = rules_check},
    {.title = "Route", .build = route_build, .check = route_check},
    {.title = "Summary", .build = new_summary},
};
static const struct lp_form create_form = {LP_PAGES(create_pages), .finish = new_finish};

/* ---- modify ---- */

static const char *
holder_of(const struct lp_form_ctx *ctx)
{
    return lp_json_str(ctx->subscription->root, "subscription_instance_id", "");
}

static bool
makes_first(const json_t *answers)
{
    return strcmp(lp_json_str(answers, "how", ""), MAKE_FIRST) == 0;
}

static enum lp_code
change_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_enum_value hows[] = {
        {"break-before-make", "In place: dark while it moves"},
        {MAKE_FIRST, "The new one is set up before the old one goes; needs other light"}};
    json_auto_t *how_default = json_string(hows[0].value), *no = json_false();
    const struct lp_field reroute = {.name = "reroute",
                                     .title = "Choose a route",
                                     .description = "shows rules and routes, also when the "
                                                    "passband stays",
                                     .kind = LP_FIELD_BOOL,
                                     .required_in = -1,
                                     .def = no};
    const struct lp_field how = {.name = "how",
                                 .title = "How to move",
                                 .kind = LP_FIELD_ENUM,
                                 .required_in = -1,
                                 .values = hows,
                                 .value_count = LP_COUNT(hows),
                                 .def = how_default};
    enum lp_code rc = lp_form_add_model(ctx, page, &named, ctx->subscription->root, err);

    if (rc != LP_OK)
        return rc;
    lp_form_add_passband(page);
    lp_form_page_add(page, &reroute);
    lp_form_page_add(page, &how);
    return LP_OK;
}

static void
check_side_by_side(const struct lp_form_ctx *ctx, const char *field, const json_t *after,
                   struct lp_problems *problems)
{
    const char *why = NULL;

    if (!lp_spectrum_side_by_side(ctx->subscription->root, after, &why))
        lp_problem_field(problems, "value_error", field, NULL,
                         "make-before-break is not possible here: %s", why);
}

static enum lp_code
change_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    lp_form_check_passband(ctx, input, false, problems);
    if (makes_first(input) && json_is_integer(json_object_get(input, "low_mhz")))
        check_side_by_side(ctx, "how", input, problems);
    else if (makes_first(input) && !lp_form_has_passband(input))
        lp_problem_field(problems, "value_error", "how", NULL,
                         "make-before-break is not possible here: the new circuit needs a passband "
                         "of its own beside the present one");
    return lp_form_check_changed(ctx, &named, input, problems, err);
}

/* Does its light move, or may it? */
static bool
moves(const struct lp_form_ctx *ctx)
{
    return lp_json_true(ctx->answers, "reroute") || lp_form_has_passband(ctx->answers);
}

/* Its own light is not in the way (D18), unless both shall exist for a while. */
static json_t *
moved_wish(const struct lp_form_ctx *ctx, const json_t *answers)
{
    const json_t *root = ctx->subscription->root;
    const json_t *ports = json_object_get(root, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS);
    json_t *wish =
        lp_form_wish(answers, json_string_value(json_array_get(ports, 0)),
                     json_string_value(json_array_get(ports, json_array_size(ports) - 1)),
                     makes_first(answers) ? NULL : holder_of(ctx));

    json_object_set_new(wish, "inner", json_true());
    if (!lp_form_has_passband(answers)) {
        json_object_set(wish, "low_mhz", json_object_get(root, LP_F_OPTICAL_SPECTRUM_LOW_MHZ));
        json_object_set(wish, "high_mhz", json_object_get(root, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ));
    }
    return wish;
}

static enum lp_code
moved_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *wish = moved_wish(ctx, ctx->answers);

    return lp_form_add_route(
        ctx, page, wish,
        json_object_get(ctx->subscription->root, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS), err);
}

static enum lp_code
moved_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
            struct lp_err *err)
{
    json_auto_t *wish = moved_wish(ctx, ctx->answers), *route = NULL;
    enum lp_code rc = lp_form_route(ctx, wish, lp_json_str(input, "route", ""), &route, err);

    if (rc == LP_CONFLICT || rc == LP_INVALID) {
        lp_problem_field(problems, "value_error", "route", json_object_get(input, "route"), "%s",
                         err->msg);
        lp_err_clear(err);
        return LP_OK;
    }
    if (rc == LP_OK && makes_first(ctx->answers))
        check_side_by_side(ctx, "route", json_object_get(route, "first_free"), problems);
    return rc;
}

static enum lp_code
changed_request(struct lp_form_ctx *ctx, const json_t *answers, json_t **request,
                struct lp_err *err)
{
    json_auto_t *wish = moved_wish(ctx, answers), *route = NULL;
    enum lp_code rc = lp_form_route(ctx, wish, lp_json_str(answers, "route", ""), &route, err);

    if (rc != LP_OK)
        return rc;
    *request = json_pack("{s:i, s:[], s:O, s:O}", "slot", 0, "block", "wish", wish, "route", route);
    return *request != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for the form");
}

/* Rows about the move: passband, route, how. */
static void
add_move(const struct lp_form_ctx *ctx, const json_t *route, json_t *names, json_t *before,
         json_t *after)
{
    const json_t *root = ctx->subscription->root;
    bool same = json_equal(json_object_get(route, "ports"),
                           json_object_get(root, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS));

    json_array_append_new(names, json_string("Passband"));
    json_array_append_new(before, mhz_text(root));
    json_array_append_new(after, mhz_text(json_object_get(route, "first_free")));
    json_array_append_new(names, json_string("Route"));
    json_array_append_new(before, json_string(same ? "the same" : "another"));
    json_array_append(after, json_object_get(route, "text"));
    json_array_append_new(names, json_string("How to move"));
    json_array_append_new(before, json_string(""));
    json_array_append_new(after, json_string(lp_json_str(ctx->answers, "how", "")));
}

static enum lp_code
change_summary(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const json_t *root = ctx->subscription->root;
    json_auto_t *names = json_pack("[s]", "Name");
    json_auto_t *before =
        json_pack("[O]", json_object_get(root, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME));
    json_auto_t *after =
        json_pack("[s]", lp_json_str(ctx->answers, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME,
                                     lp_json_str(root, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, "")));
    json_auto_t *headers = json_pack("[s, s]", "Before", "After");
    json_auto_t *columns = json_pack("[O, O]", before, after), *request = NULL;
    enum lp_code rc = LP_OK;

    if (moves(ctx)) {
        rc = changed_request(ctx, ctx->answers, &request, err);
        if (rc != LP_OK)
            return rc;
        add_move(ctx, json_object_get(request, "route"), names, before, after);
    }
    rc = lp_form_add_summary(page, headers, names, columns, err);
    return rc == LP_OK ? lp_form_add_impact(ctx, page, "These ride on the spectrum", err) : rc;
}

/* The rules replace the former ones, they are not added to them (D15); the block stays. */
static int
set_moved(const json_t *root, json_t *output, json_t *changes, json_t *request)
{
    const json_t *old = json_object_get(root, LP_F_OPTICAL_SPECTRUM_CONSTRAINTS);
    json_t *rules = lp_form_rules(output, true);
    int failed = json_object_set(rules, "subscription_instance_id",
                                 json_object_get(old, "subscription_instance_id"));

    failed |= json_object_set_new(changes, LP_F_OPTICAL_SPECTRUM_CONSTRAINTS, rules);
    if (makes_first(output)) {
        int64_t leg = lp_json_int(root, LP_F_OPTICAL_SPECTRUM_LEG, 0);

        failed |= json_object_set_new(changes, LP_F_OPTICAL_SPECTRUM_LEG, json_integer(1 - leg));
        failed |= json_object_set_new(output, "make_before_break", json_true());
    } else if (!json_equal(json_object_get(json_object_get(request, "route"), "ports"),
                           json_object_get(root, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS))) {
        failed |= json_object_set_new(output, "moved", json_true());
    }
    failed |= json_object_set_new(output, "spectrum_requests", json_pack("[O]", request));
    return failed;
}

static enum lp_code
change_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    bool moved = lp_json_true(output, "reroute") || lp_form_has_passband(output);
    json_auto_t *request = NULL;
    enum lp_code rc = moved ? changed_request(ctx, output, &request, err) : LP_OK;

    if (rc == LP_OK)
        rc = lp_form_finish_changed(ctx, &named, output, err);
    if (rc != LP_OK)
        return rc;
    if (moved
        && set_moved(ctx->subscription->root, output, json_object_get(output, "changes"), request)
               != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    forget(output);
    return LP_OK;
}

static const struct lp_page modify_pages[] = {
    {.title = "Change spectrum", .build = change_build, .check = change_check},
    {.title = "Rules of the route", .when = moves, .build = rules_build, .check = rules_check},
    {.title = "Route", .when = moves, .build = moved_build, .check = moved_check},
    {.title = "Summary", .build = change_summary},
};
static const struct lp_form modify_form = {LP_PAGES(modify_pages), .finish = change_finish};

/* ---- steps ---- */

static const struct lp_step *const create_steps[] = {
    &lp_step_construct,       &lp_step_claim_spectrum, &lp_step_plan,
    &lp_step_approve,         &lp_step_apply,          &lp_step_verify,
    &lp_step_settle_spectrum, &lp_step_read_spectrum,
};
static const struct lp_step *const modify_steps[] = {
    &lp_step_update,          &lp_step_claim_spectrum, &lp_step_plan,
    &lp_step_approve,         &lp_step_apply,          &lp_step_verify,
    &lp_step_settle_spectrum, &lp_step_settle_name,    &lp_step_read_spectrum,
};
static const struct lp_step *const terminate_steps[] = {
    &lp_step_check_unused,  &lp_step_plan,   &lp_step_approve,
    &lp_step_apply,         &lp_step_verify, &lp_step_release_spectrum,
    &lp_step_read_spectrum,
};
static const struct lp_step *const validate_steps[] = {
    &lp_step_read_spectrum,
    &lp_step_check_spectrum,
};
static const struct lp_step *const reconcile_steps[] = {
    &lp_step_refresh,     &lp_step_ask_again,     &lp_step_claim_spectrum, &lp_step_plan,
    &lp_step_approve,     &lp_step_apply,         &lp_step_verify,         &lp_step_settle_spectrum,
    &lp_step_settle_name, &lp_step_read_spectrum,
};
static const struct lp_step *const adopt_steps[] = {
    &lp_step_read_circuits,
    &lp_step_match_circuits,
    &lp_step_adopt_circuits,
    &lp_step_report_adoption,
};

/* The owner, and everything the route runs over, stay while it is made. */
static enum lp_code
share_route(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    static const char *const members[] = {"nodes", "fibers", "patches"};
    const json_t *requests = json_object_get(output, "spectrum_requests");
    const json_t *route = json_object_get(json_array_get(requests, 0), "route");
    const json_t *owner = json_object_get(output, "customer_id");
    json_t *id;
    size_t i;

    (void)ctx;
    if (owner != NULL)
        json_array_append(ids, (json_t *)(uintptr_t)owner);
    for (size_t k = 0; k < LP_COUNT(members); k++)
        json_array_foreach(json_object_get(route, members[k]), i, id)
        {
            if (json_array_append(ids, id) != 0)
                return lp_fail(err, LP_NOMEM, "no memory for the locks");
        }
    return LP_OK;
}

static const struct lp_workflow list[] = {
    {.name = "create_optical_spectrum",
     .description = "Create an optical spectrum",
     .target = LP_TARGET_CREATE,
     .product = "Optical Spectrum",
     .form = &create_form,
     .shares = share_route,
     LP_STEPS(create_steps)},
    {.name = "modify_optical_spectrum",
     .description = "Modify an optical spectrum",
     .target = LP_TARGET_MODIFY,
     .product = "Optical Spectrum",
     .form = &modify_form,
     .shares = share_route,
     .usable_out_of_sync = true, /* its way leads around what is out of order */
     LP_STEPS(modify_steps)},
    {.name = "terminate_optical_spectrum",
     .description = "Terminate an optical spectrum",
     .target = LP_TARGET_TERMINATE,
     .product = "Optical Spectrum",
     .form = &lp_form_terminate_on_devices,
     LP_STEPS(terminate_steps)},
    {.name = "validate_optical_spectrum",
     .description = "Validate an optical spectrum",
     .target = LP_TARGET_VALIDATE,
     .is_task = true,
     .product = "Optical Spectrum",
     LP_STEPS(validate_steps)},
    {.name = "reconcile_optical_spectrum",
     .description = "Reconcile an optical spectrum",
     .target = LP_TARGET_RECONCILE,
     .product = "Optical Spectrum",
     LP_STEPS(reconcile_steps)},
    {.name = "task_adopt_optical_spectra",
     .description = "Adopt circuits that already run",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &lp_form_adopt_circuits,
     LP_STEPS(adopt_steps)},
};
const struct lp_workflow_set lp_workflows_optical_spectrum = {list, LP_COUNT(list)};
