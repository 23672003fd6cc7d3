/* What the forms of a digital service ask and write alike: frequencies, rules, routes, locks. */
#include <stdlib.h>
#include <string.h>

#include "model/products_gen.h"
#include "products/channels.h"
#include "steps/forms.h"
#include "steps/port_forms.h"
#include "steps/routes.h"
#include "workflows/service_internal.h"

enum { STEP_MHZ = 12500, RASTER_MHZ = 6250, WIDTH_LEAST_MHZ = 37500 };

struct lp_channel_source
lp_service_source(const struct lp_form_ctx *ctx)
{
    return (struct lp_channel_source){ctx->store, ctx->reader, ctx->catalog};
}

/* An answer of this page, or of an earlier one. */
json_t *
lp_service_answer(const struct lp_form_ctx *ctx, const json_t *input, const char *name)
{
    json_t *value = json_object_get(input, name);

    return value != NULL ? value : json_object_get(ctx->answers, name);
}

const char *
lp_service_answer_text(const struct lp_form_ctx *ctx, const json_t *input, const char *name)
{
    const char *text = json_string_value(lp_service_answer(ctx, input, name));

    return text == NULL ? "" : text;
}

/* A refused answer is a problem of the page; anything else goes up. */
enum lp_code
lp_service_as_problem(enum lp_code rc, const char *field, const json_t *input,
                      struct lp_problems *problems, struct lp_err *err)
{
    if (rc != LP_INVALID && rc != LP_CONFLICT && rc != LP_PRECONDITION)
        return rc;
    lp_problem_field(problems, "value_error", field, json_object_get(input, field), "%s", err->msg);
    lp_err_clear(err);
    return LP_OK;
}

const json_t *
lp_service_target_channels(const struct lp_form_ctx *ctx)
{
    return json_object_get(ctx->subscription->root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS);
}

bool
lp_service_owns_channels(const struct lp_form_ctx *ctx)
{
    return json_array_size(lp_service_target_channels(ctx)) > 0;
}

/* The channels the target rides on, whoever owns them. */
enum lp_code
lp_service_target_group(struct lp_form_ctx *ctx, struct lp_channel_group *group, struct lp_err *err)
{
    const struct lp_channel_source source = lp_service_source(ctx);
    const json_t *shared =
        json_object_get(ctx->subscription->root, LP_F_OPTICAL_DIGITAL_SERVICE_SHARED_CHANNELS);
    char owner[LP_UUID_LEN + 1];
    enum lp_code rc;

    *group = (struct lp_channel_group){.owner = ""};
    if (lp_service_owns_channels(ctx))
        return lp_channel_group_load(&source, ctx->subscription->id, group, err);
    rc = lp_form_owner(ctx, json_string_value(json_array_get(shared, 0)), owner, err);
    return rc == LP_OK ? lp_channel_group_load(&source, owner, group, err) : rc;
}

/* ---- frequencies and rules ---- */

int64_t
lp_service_slot_for(int64_t signal)
{
    int64_t slot = (signal + STEP_MHZ - 1) / STEP_MHZ * STEP_MHZ;

    return slot < WIDTH_LEAST_MHZ ? WIDTH_LEAST_MHZ : slot;
}

void
lp_service_add_frequencies(struct lp_form_page *page, size_t carriers, const json_t *centers,
                           const json_t *widths)
{
    struct lp_field field = {.name = "centers_mhz",
                             .title = "Centre frequencies",
                             .description = "MHz, one per carrier, multiples of 6250. Empty: the "
                                            "first range that is free on the whole route.",
                             .kind = LP_FIELD_INT,
                             .required_in = -1,
                             .units = "MHz",
                             .list = true,
                             .max_items = carriers,
                             .unique_items = true,
                             .def = centers};

    lp_form_page_add(page, &field);
    field.name = "widths_mhz";
    field.title = "Widths";
    field.description = "MHz, one per carrier, multiples of 12500, guard bands included.";
    field.min_items = carriers;
    field.unique_items = false;
    field.required = widths == NULL;
    field.def = widths;
    lp_form_page_add(page, &field);
}

static const char *const constraint_fields[] = {
    LP_F_OPTICAL_SPECTRUM_PATH_CONSTRAINTS_INCLUDE,
    LP_F_OPTICAL_SPECTRUM_PATH_CONSTRAINTS_EXCLUDE_NODES,
    LP_F_OPTICAL_SPECTRUM_PATH_CONSTRAINTS_EXCLUDE_FIBERS,
    LP_F_OPTICAL_SPECTRUM_PATH_CONSTRAINTS_EXCLUDE_RISKS,
    LP_F_OPTICAL_SPECTRUM_PATH_CONSTRAINTS_DISJOINT_FROM,
    LP_F_OPTICAL_SPECTRUM_PATH_CONSTRAINTS_COST,
};

void
lp_service_add_constraints(struct lp_form_ctx *ctx, struct lp_form_page *page,
                           const json_t *current)
{
    for (size_t i = 0; i < LP_COUNT(constraint_fields); i++) {
        const json_t *value = json_object_get(current, constraint_fields[i]);

        lp_form_page_add_model(page, ctx->catalog, "OpticalSpectrumPathConstraints",
                               constraint_fields[i])
            ->required = false;
        if (value != NULL)
            lp_form_page_default(page, constraint_fields[i], value);
    }
}

void
lp_service_drop_constraints(json_t *from)
{
    for (size_t i = 0; i < LP_COUNT(constraint_fields); i++)
        (void)json_object_del(from, constraint_fields[i]);
}

/* Rules among the answers. New reference. */
json_t *
lp_service_constraints(const struct lp_form_ctx *ctx, const json_t *input)
{
    json_t *out = json_object();

    for (size_t i = 0; i < LP_COUNT(constraint_fields); i++) {
        json_t *value = lp_service_answer(ctx, input, constraint_fields[i]);
        if (value != NULL && !json_is_null(value)
            && !(json_is_array(value) && json_array_size(value) == 0))
            (void)json_object_set(out, constraint_fields[i], value);
    }
    return out;
}

static void
check_width(const json_t *list, const json_t *value, int64_t signal, struct lp_problems *problems)
{
    int64_t width = json_integer_value(value);

    if (width < WIDTH_LEAST_MHZ || width % STEP_MHZ != 0)
        lp_problem_field(problems, "value_error", "widths_mhz", list,
                         "OPT-022: width %lld MHz must be at least %d and a multiple of %d",
                         (long long)width, WIDTH_LEAST_MHZ, STEP_MHZ);
    else if (signal > width)
        lp_problem_field(problems, "value_error", "widths_mhz", list,
                         "OPT-024: signal %lld MHz plus guard does not fit slot %lld MHz",
                         (long long)signal, (long long)width);
}

void
lp_service_check_frequencies(const json_t *centers, const json_t *widths, size_t carriers,
                             int64_t signal, struct lp_problems *problems)
{
    const json_t *value;
    size_t i;

    if (json_array_size(centers) > 0 && json_array_size(centers) != carriers)
        lp_problem_field(problems, "value_error", "centers_mhz", centers,
                         "give one frequency per carrier (%zu), or none", carriers);
    json_array_foreach(centers, i, value)
    {
        if (json_integer_value(value) <= 0 || json_integer_value(value) % RASTER_MHZ != 0)
            lp_problem_field(problems, "value_error", "centers_mhz", centers,
                             "OPT-020: the centre %lld MHz is not a multiple of %d",
                             (long long)json_integer_value(value), RASTER_MHZ);
    }
    json_array_foreach(widths, i, value) check_width(widths, value, signal, problems);
    if (json_array_size(centers) == 2 && json_array_size(widths) == 2
        && 2
                   * llabs(json_integer_value(json_array_get(centers, 0))
                           - json_integer_value(json_array_get(centers, 1)))
               < json_integer_value(json_array_get(widths, 0))
                     + json_integer_value(json_array_get(widths, 1)))
        lp_problem_field(problems, "value_error", "centers_mhz", centers,
                         "the passbands of the two carriers overlap");
}

/* ---- routes ---- */

int
lp_service_set_range(json_t *to, int64_t center, int64_t width)
{
    int failed = json_object_set_new(to, "low_mhz", json_integer(center - width / 2));

    return failed | json_object_set_new(to, "high_mhz", json_integer(center + width / 2));
}

/* What to ask for one carrier: ends, passband or width, rules. New reference. */
json_t *
lp_service_carrier_wish(const json_t *constraints, const char *from, const char *to,
                        const json_t *centers, const json_t *widths, size_t carrier)
{
    json_t *wish = json_pack("{s:s, s:s}", "from", from, "to", to);
    int64_t width = json_integer_value(json_array_get(widths, carrier));
    size_t other = 1 - carrier;

    for (size_t i = 0; i < LP_COUNT(constraint_fields); i++) {
        json_t *value = json_object_get(constraints, constraint_fields[i]);
        if (value != NULL)
            (void)json_object_set(wish, constraint_fields[i], value);
    }
    if (json_array_size(centers) == 0) {
        (void)json_object_set_new(wish, "width_mhz", json_integer(width));
        if (carrier == 0 && json_array_size(widths) == 2)
            (void)json_object_set_new(
                wish, "also", json_pack("[{s:O}]", "width_mhz", json_array_get(widths, other)));
        return wish;
    }
    (void)lp_service_set_range(wish, json_integer_value(json_array_get(centers, carrier)), width);
    if (carrier == 0 && json_array_size(centers) == 2) {
        json_t *range = json_object();
        (void)lp_service_set_range(range, json_integer_value(json_array_get(centers, other)),
                                   json_integer_value(json_array_get(widths, other)));
        (void)json_object_set_new(wish, "also", json_pack("[o]", range));
    }
    return wish;
}

/* The second carrier goes the same way, between its own patch cords, in the passband that the first
 * one's search left for it. */
static enum lp_code
follow_route(struct lp_form_ctx *ctx, json_t *wish, const json_t *first, json_t **route,
             struct lp_err *err)
{
    const struct lp_route_source source = lp_route_source_form(ctx);
    const json_t *fibers = json_object_get(first, "fibers"), *one;
    json_t *slot = json_array_get(json_object_get(first, "slots"), 1);
    json_auto_t *found = NULL;
    size_t i;
    enum lp_code rc;

    if (json_array_size(fibers) > 0)
        (void)json_object_set(wish, "include", (json_t *)(uintptr_t)fibers);
    rc = lp_routes_find(&source, wish, &found, err);
    if (rc != LP_OK)
        return rc;
    json_array_foreach(json_object_get(found, "routes"), i, one)
    {
        if (json_equal(json_object_get(one, "fibers"), fibers)) {
            *route = json_deep_copy(one);
            if (slot != NULL)
                (void)json_object_set(*route, "first_free", slot);
            return LP_OK;
        }
    }
    return lp_fail(err, LP_INVALID, "the second carrier cannot go the same way: %.180s",
                   lp_json_str(json_object_get(found, "problem"), "message",
                               "its ports do not reach that route"));
}

enum lp_code
lp_service_chosen_routes(struct lp_form_ctx *ctx, const json_t *input, size_t carriers,
                         lp_service_wish_fn *wish_of, json_t **requests, struct lp_err *err)
{
    const struct lp_route_source source = lp_route_source_form(ctx);
    json_auto_t *out = json_array(), *first = NULL;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < carriers && rc == LP_OK; i++) {
        json_auto_t *wish = NULL, *route = NULL;

        rc = wish_of(ctx, input, i, &wish, err);
        if (rc == LP_OK)
            rc = i == 0 ? lp_route_again(&source, wish, lp_service_answer_text(ctx, input, "route"),
                                         &route, err)
                        : follow_route(ctx, wish, first, &route, err);
        if (rc != LP_OK)
            break;
        if (i == 0)
            first = json_incref(route);
        if (json_array_append_new(
                out, json_pack("{s:I, s:[s, I, s], s:O, s:O}", "slot", (json_int_t)i, "block",
                               LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS, (json_int_t)i,
                               LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM, "wish", wish,
                               "route", route))
            != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the routes");
    }
    if (rc == LP_OK)
        *requests = lp_json_take(&out);
    return rc;
}

/* ---- the end of a form ---- */

/* Instance ids of the chosen client ports. */
enum lp_code
lp_service_set_clients(struct lp_form_ctx *ctx, const json_t *input, const char *const device[2],
                       json_t *root, struct lp_err *err)
{
    json_auto_t *ports = json_array();
    enum lp_code rc = LP_OK;

    for (size_t side = 0; side < 2 && rc == LP_OK; side++) {
        const char *id = NULL, *role = NULL;

        rc = lp_form_port(
            ctx, device[side],
            lp_service_answer_text(ctx, input, side == 0 ? "client_port_a" : "client_port_z"), &id,
            &role, err);
        if (rc == LP_OK && json_array_append_new(ports, json_string(id)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    if (rc == LP_OK && json_object_set(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS, ports) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

void
lp_service_forget(json_t *output, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)json_object_del(output, names[i]);
    lp_service_drop_constraints(output);
}

/* Subscriptions that stay as they are while this runs: noted in the state for `shares`. */
void
lp_service_note_services(const struct lp_channel_group *group, json_t *ids)
{
    const json_t *service;
    size_t i;

    json_array_foreach(group->services, i, service)(void)
        json_array_append(ids, json_object_get(service, "subscription_id"));
}

void
lp_service_note_routes(const json_t *requests, json_t *ids)
{
    static const char *const members[] = {"nodes", "fibers", "patches"};
    const json_t *request;
    size_t i;

    json_array_foreach(requests, i, request)
    {
        for (size_t m = 0; m < LP_COUNT(members); m++)
            (void)json_array_extend(ids,
                                    json_object_get(json_object_get(request, "route"), members[m]));
    }
}

void
lp_service_add_others(struct lp_form_page *page, const struct lp_channel_group *group,
                      const char *self, const char *text)
{
    struct lp_buf line = LP_BUF_INIT;
    const json_t *service;
    size_t i;

    json_array_foreach(group->services, i, service)
    {
        const char *id = lp_json_str(service, "subscription_id", "");
        if (strcmp(id, self) != 0)
            lp_buf_printf(&line, "%s%s (%s)", line.len == 0 ? text : ", ",
                          lp_json_str(service, "description", ""), id);
    }
    if (line.len > 0 && !line.failed)
        lp_form_add_label(page, "impact", line.data);
    lp_buf_free(&line);
}
