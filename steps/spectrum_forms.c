/* Asking for light: ends, passband, rules, route. */
#include "steps/spectrum_forms.h"

#include <string.h>

#include "clients/driver.h"
#include "model/products_gen.h"
#include "optical/band.h"
#include "products/product.h"

/* What an operator may take who says so. */
#define ACCEPTING_ROLE LP_ROLE_OPERATE
static const struct {
    const char *name, *member, *what; /* field, member of the wish */
} accepted[] = {
    {"accept_negative_margin", "negative_margin", "a negative margin"},
    {"accept_unknown_light", "unknown_light", "light that is not known"},
};

static const char *const product_of_choice[] = {"Optical Device", "Optical Fiber",
                                                "Optical Spectrum", "Optical Digital Service"};

/* ---- choices ---- */

enum { DEVICES = 1, FIBERS = 2, LIGHT = 12 };

struct choices {
    struct lp_enum_value *list;
    size_t count;
};

static enum lp_code
add_product(struct lp_form_ctx *ctx, const struct lp_product_type *type, struct choices *out,
            struct lp_err *err)
{
    json_auto_t *found = NULL;
    struct lp_enum_value *grown;
    const json_t *row;
    size_t i;
    enum lp_code rc = lp_subscription_choices(ctx->store, ctx->reader, type->id.text, &found, err);

    if (rc != LP_OK)
        return rc;
    grown = lp_arena_array(ctx->arena, out->count + json_array_size(found) + 1, sizeof *grown);
    if (grown == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the choices");
    if (out->count > 0)
        memcpy(grown, out->list, out->count * sizeof *grown);
    out->list = grown;
    json_array_foreach(found, i, row)
    {
        struct lp_enum_value *value = &grown[out->count];

        value->value = lp_arena_strdup(ctx->arena, lp_json_str(row, "subscription_id", ""));
        value->label = lp_arena_strdup(ctx->arena, lp_json_str(row, "description", ""));
        if (value->value == NULL || value->label == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for the choices");
        out->count++;
    }
    return LP_OK;
}

/* Active subscriptions of the products whose bits are set; a product has several rows. */
static enum lp_code
read_products(struct lp_form_ctx *ctx, unsigned set, struct choices *out, struct lp_err *err)
{
    size_t count;
    const struct lp_product_type *rows = lp_catalog_products(ctx->catalog, &count);
    enum lp_code rc = LP_OK;

    for (size_t k = 0; k < LP_COUNT(product_of_choice); k++)
        for (size_t i = 0; i < count && rc == LP_OK; i++)
            if ((set >> k & 1) != 0 && strcmp(rows[i].type, product_of_choice[k]) == 0)
                rc = add_product(ctx, &rows[i], out, err);
    return rc;
}

/* ---- passband ---- */

static const struct lp_enum_value policies[] = {{"first-fit", "The lowest that is free"},
                                                {"last-fit", "The highest that is free"}};

void
lp_form_add_passband(struct lp_form_page *page)
{
    static const struct {
        const char *name, *title, *description;
    } numbers[] = {
        {"low_mhz", "Low edge", "MHz; with the high edge: exactly this passband"},
        {"high_mhz", "High edge", "MHz; it does not belong to the passband"},
        {"width_mhz", "Width", "MHz; instead of the edges: a free passband of this width"},
    };
    const struct lp_field policy = {.name = "policy",
                                    .title = "Which free passband",
                                    .description = "counts when a width is given",
                                    .kind = LP_FIELD_ENUM,
                                    .required_in = -1,
                                    .values = policies,
                                    .value_count = LP_COUNT(policies)};

    for (size_t i = 0; i < LP_COUNT(numbers); i++) {
        const struct lp_field field = {.name = numbers[i].name,
                                       .title = numbers[i].title,
                                       .description = numbers[i].description,
                                       .kind = LP_FIELD_INT,
                                       .required_in = -1,
                                       .units = "MHz",
                                       .has_min = true,
                                       .has_max = true,
                                       .min = 1,
                                       .max = 1000000000};
        lp_form_page_add(page, &field);
    }
    lp_form_page_add(page, &policy);
}

static void
band_problem(const struct lp_band *band, enum lp_band_rule rule, const json_t *input,
             const char *field, int64_t value, int64_t other, struct lp_problems *problems)
{
    char text[200];

    lp_band_explain(band, rule, value, other, text, sizeof text);
    lp_problem_field(problems, "value_error", field, json_object_get(input, field), "%s", text);
}

static void
check_edges(const struct lp_band *band, const json_t *input, struct lp_problems *problems)
{
    const struct lp_range edges = {lp_json_int(input, "low_mhz", 0),
                                   lp_json_int(input, "high_mhz", 0)};
    enum lp_band_rule rule = lp_band_check_passband(band, &edges, LP_GRID_SLOT_MHZ);
    struct lp_range whole = lp_band_whole(band);
    bool low_is_fine = edges.low_mhz % LP_GRID_SLOT_MHZ == 0 && edges.low_mhz >= whole.low_mhz
                       && edges.low_mhz < whole.high_mhz;

    if (rule == LP_BAND_ORDER)
        lp_problem_field(problems, "value_error", "high_mhz", json_object_get(input, "high_mhz"),
                         "OPT-021: start frequency must be below end frequency");
    else if (rule == LP_BAND_WIDTH)
        band_problem(band, rule, input, "high_mhz", edges.high_mhz - edges.low_mhz, 0, problems);
    else if (rule != LP_BAND_OK)
        band_problem(band, rule, input, low_is_fine ? "high_mhz" : "low_mhz",
                     low_is_fine ? edges.high_mhz : edges.low_mhz, 0, problems);
}

bool
lp_form_has_passband(const json_t *answers)
{
    static const char *const names[] = {"low_mhz", "high_mhz", "width_mhz"};

    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (json_is_integer(json_object_get(answers, names[i])))
            return true;
    return false;
}

void
lp_form_check_passband(const struct lp_form_ctx *ctx, const json_t *input, bool required,
                       struct lp_problems *problems)
{
    const struct lp_band *band = lp_band_of(lp_conf_live_text(&ctx->conf->spectrum_band));
    bool low = json_is_integer(json_object_get(input, "low_mhz"));
    bool high = json_is_integer(json_object_get(input, "high_mhz"));
    const json_t *width = json_object_get(input, "width_mhz");
    enum lp_band_rule rule;

    if (band == NULL)
        band = lp_band_of("C");
    if (!required && !lp_form_has_passband(input))
        return;
    if (json_is_integer(width) && (low || high))
        lp_problem_field(problems, "value_error", "width_mhz", width,
                         "give the two edges or a width, not both");
    else if (!json_is_integer(width) && !(low && high))
        lp_problem_field(problems, "missing", low ? "high_mhz" : "low_mhz", NULL,
                         "give both edges of the passband, or a width");
    else if (low)
        check_edges(band, input, problems);
    else {
        rule = lp_band_check_width(band, json_integer_value(width));
        if (rule != LP_BAND_OK)
            band_problem(band, rule, input, "width_mhz", json_integer_value(width), 0, problems);
    }
}

/* ---- ends ---- */

static enum lp_code
load_device(struct lp_form_ctx *ctx, const char *id, struct lp_subscription **out,
            struct lp_err *err)
{
    return lp_subscription_load(ctx->store, ctx->reader, ctx->catalog, id, out, err);
}

/* Active devices that add and drop light. */
static enum lp_code
read_multiplexers(struct lp_form_ctx *ctx, struct choices *out, struct lp_err *err)
{
    struct choices all = {NULL, 0};
    enum lp_code rc = read_products(ctx, DEVICES, &all, err);

    *out = (struct choices){all.list, 0};
    for (size_t i = 0; i < all.count && rc == LP_OK; i++) {
        struct lp_subscription *sub = NULL;
        const char *type;

        rc = load_device(ctx, all.list[i].value, &sub, err);
        if (rc != LP_OK)
            break;
        type = lp_json_str(sub->root, LP_F_OPTICAL_DEVICE_DEVICE_TYPE, "");
        if (strcmp(type, "ROADM") == 0 || strcmp(type, "Transponder+OADM") == 0)
            out->list[out->count++] = all.list[i];
        lp_subscription_free(sub);
    }
    if (rc == LP_OK && out->count == 0)
        rc = lp_fail(err, LP_PRECONDITION,
                     "there is no active device that adds and drops light; create one first");
    return rc;
}

enum lp_code
lp_form_add_multiplexer(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                        const char *title, struct lp_err *err)
{
    struct choices found;
    enum lp_code rc = read_multiplexers(ctx, &found, err);
    const struct lp_field field = {.name = name,
                                   .title = title,
                                   .kind = LP_FIELD_ENUM,
                                   .required = true,
                                   .required_in = -1,
                                   .values = found.list,
                                   .value_count = found.count};

    if (rc == LP_OK)
        lp_form_page_add(page, &field);
    return rc;
}

enum lp_code
lp_form_add_line_systems(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                         const char *title, struct lp_err *err)
{
    struct choices found;
    json_auto_t *def = json_array();
    enum lp_code rc = read_multiplexers(ctx, &found, err);

    for (size_t i = 0; i < found.count; i++)
        json_array_append_new(def, json_string(found.list[i].value));
    const struct lp_field field = {.name = name,
                                   .title = title,
                                   .kind = LP_FIELD_ENUM,
                                   .list = true,
                                   .required_in = -1,
                                   .min_items = 1,
                                   .unique_items = true,
                                   .values = found.list,
                                   .value_count = found.count,
                                   .def = def};
    if (rc == LP_OK)
        lp_form_page_add(page, &field);
    return rc;
}

enum lp_code
lp_form_add_add_drop(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                     const char *title, const char *device, struct lp_err *err)
{
    struct lp_field field = {
        .name = name, .title = title, .kind = LP_FIELD_ENUM, .required = true, .required_in = -1};
    struct lp_subscription *sub = NULL;
    struct lp_enum_value *values;
    const json_t *port, *ports;
    size_t i;
    enum lp_code rc = load_device(ctx, device, &sub, err);

    if (rc != LP_OK)
        return rc;
    ports = json_object_get(sub->root, LP_F_OPTICAL_DEVICE_PORTS);
    values = lp_arena_array(ctx->arena, json_array_size(ports) + 1, sizeof *values);
    json_array_foreach(ports, i, port)
    {
        if (values == NULL
            || strcmp(lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_ROLE, ""), "ols-add-drop") != 0)
            continue;
        values[field.value_count].label = NULL;
        values[field.value_count++].value =
            lp_arena_strdup(ctx->arena, lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, ""));
    }
    if (values == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the ports");
    else if (field.value_count == 0)
        rc = lp_fail(err, LP_PRECONDITION,
                     "%s has no add/drop port; reconcile it to read its ports", sub->description);
    lp_subscription_free(sub);
    if (rc != LP_OK)
        return rc;
    field.values = values;
    lp_form_page_add(page, &field);
    return LP_OK;
}

enum lp_code
lp_form_connects_locally(struct lp_form_ctx *ctx, const char *device, bool *can, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    const struct lp_driver *driver;
    enum lp_code rc = load_device(ctx, device, &sub, err);

    if (rc != LP_OK)
        return rc;
    driver = lp_product_driver(lp_json_str(sub->root, LP_F_OPTICAL_DEVICE_PLATFORM, ""));
    *can = driver != NULL && lp_driver_can(driver, LP_CAP_OPTICAL_XC);
    lp_subscription_free(sub);
    return LP_OK;
}

/* ---- rules ---- */

static const struct rule_list {
    const char *name, *title, *description;
    unsigned products; /* 0: plain texts */
    size_t most;
} rule_lists[] = {
    {"include", "Include in this order", "devices and fibers it must run through", DEVICES | FIBERS,
     30},
    {"exclude_nodes", "Exclude devices", "devices it must not run through", DEVICES, 30},
    {"exclude_fibers", "Exclude fibers", "fibers it must not run over", FIBERS, 30},
    {"exclude_risks", "Exclude shared risks", "no fiber with one of these", 0, 30},
    {"disjoint_from", "Disjoint from", "shares no fiber and no shared risk with these", LIGHT, 8},
};

/* A current value that is no choice any more (a terminated device) would block the form. */
static json_t *
still_there(const json_t *current, const struct choices *choices)
{
    json_t *out = json_array(), *value;
    size_t i;

    json_array_foreach(current, i, value) for (size_t k = 0; k < choices->count; k++)
    {
        if (json_is_string(value) && strcmp(choices->list[k].value, json_string_value(value)) == 0)
            json_array_append(out, value);
    }
    return out;
}

static enum lp_code
add_list(struct lp_form_ctx *ctx, struct lp_form_page *page, const struct rule_list *rule,
         const json_t *current, struct lp_err *err)
{
    struct choices choices = {NULL, 0};
    enum lp_code rc = read_products(ctx, rule->products, &choices, err);
    json_auto_t *def = rule->products == 0 ? json_copy((json_t *)(uintptr_t)current)
                                           : still_there(current, &choices);
    const struct lp_field field = {.name = rule->name,
                                   .title = rule->title,
                                   .description = rule->description,
                                   .kind = rule->products == 0 ? LP_FIELD_STRING : LP_FIELD_ENUM,
                                   .list = true,
                                   .required_in = -1,
                                   .max_items = rule->most,
                                   .unique_items = true,
                                   .has_max = rule->products == 0,
                                   .max = 64,
                                   .values = choices.list,
                                   .value_count = choices.count,
                                   .def = json_array_size(def) > 0 ? def : NULL};

    if (rc == LP_OK && (rule->products == 0 || choices.count > 0))
        lp_form_page_add(page, &field);
    return rc;
}

static const struct lp_enum_value costs[] = {
    {"oms_hops", "Fewest multiplex sections, then length"},
    {"hops", "Fewest fibers, then length"},
    {"length", "Shortest"},
    {"latency", "Fastest"},
    {"loss", "Least loss"},
    {"margin", "Largest optical margin"},
};

enum lp_code
lp_form_add_rules(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *current,
                  struct lp_err *err)
{
    const struct lp_field cost = {.name = "cost",
                                  .title = "Prefer",
                                  .kind = LP_FIELD_ENUM,
                                  .required_in = -1,
                                  .values = costs,
                                  .value_count = LP_COUNT(costs),
                                  .def = json_object_get(current, "cost")};
    const struct lp_field osnr = {.name = "required_osnr_cdb",
                                  .title = "Required OSNR",
                                  .description = "of the signal, in 0.01 dB; without it margins "
                                                 "are not known",
                                  .kind = LP_FIELD_INT,
                                  .required_in = -1,
                                  .has_min = true,
                                  .has_max = true,
                                  .min = 1,
                                  .max = 6000,
                                  .def = json_object_get(current, "required_osnr_cdb")};
    const struct lp_field accept = {.name = "accept_negative_margin",
                                    .title = "Accept a negative margin",
                                    .description = "offers routes that the estimate says will not "
                                                   "work",
                                    .kind = LP_FIELD_BOOL,
                                    .required_in = -1};
    const struct lp_field unknown = {.name = "accept_unknown_light",
                                     .title = "Accept unknown light",
                                     .description = "offers routes over elements whose light was "
                                                    "never read, or too long ago",
                                     .kind = LP_FIELD_BOOL,
                                     .required_in = -1};
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < LP_COUNT(rule_lists) && rc == LP_OK; i++)
        rc = add_list(ctx, page, &rule_lists[i], json_object_get(current, rule_lists[i].name), err);
    lp_form_page_add(page, &cost);
    lp_form_page_add(page, &osnr);
    lp_form_page_add(page, &accept);
    lp_form_page_add(page, &unknown);
    return rc;
}

static bool
has(const json_t *list, const json_t *value)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) if (json_equal(one, value)) return true;
    return false;
}

void
lp_form_check_rules(const struct lp_form_ctx *ctx, const json_t *input,
                    struct lp_problems *problems)
{
    static const char *const names[] = {"exclude_nodes", "exclude_fibers"};
    const json_t *include = json_object_get(input, "include"), *value;
    size_t i;

    for (size_t k = 0; k < LP_COUNT(names); k++)
        json_array_foreach(json_object_get(input, names[k]), i, value)
        {
            if (has(include, value))
                lp_problem_field(problems, "value_error", names[k], value,
                                 "%.64s is included and excluded", json_string_value(value));
        }
    for (size_t k = 0; k < LP_COUNT(accepted); k++)
        if (lp_json_true(input, accepted[k].name) && ctx->caller->role < ACCEPTING_ROLE)
            lp_problem_field(problems, "value_error", accepted[k].name, NULL,
                             "only role %s may accept %s", lp_role_name(ACCEPTING_ROLE),
                             accepted[k].what);
}

static const char *const rule_members[] = {"include",          "exclude_nodes", "exclude_fibers",
                                           "exclude_risks",    "disjoint_from", "cost",
                                           "required_osnr_cdb"};

json_t *
lp_form_rules(json_t *answers, bool take)
{
    json_t *out = json_object();

    for (size_t i = 0; i < LP_COUNT(rule_members); i++) {
        json_t *value = json_object_get(answers, rule_members[i]);

        if (value != NULL && !json_is_null(value)
            && !(json_is_array(value) && json_array_size(value) == 0))
            json_object_set(out, rule_members[i], value);
        if (take)
            json_object_del(answers, rule_members[i]);
    }
    for (size_t i = 0; i < LP_COUNT(accepted) && take; i++)
        json_object_del(answers, accepted[i].name);
    return out;
}

/* ---- the route ---- */

json_t *
lp_form_wish(const json_t *answers, const char *from, const char *to, const char *own)
{
    static const char *const members[] = {"low_mhz", "high_mhz", "width_mhz", "policy"};
    json_t *wish = lp_form_rules((json_t *)(uintptr_t)answers, false);

    for (size_t i = 0; i < LP_COUNT(members); i++) {
        json_t *value = json_object_get(answers, members[i]);

        if (value != NULL && !json_is_null(value))
            json_object_set(wish, members[i], value);
    }
    (void)lp_json_set_str(wish, "from", from);
    (void)lp_json_set_str(wish, "to", to);
    if (own != NULL)
        json_object_set_new(wish, "own", json_pack("[s]", own));
    for (size_t i = 0; i < LP_COUNT(accepted); i++)
        if (lp_json_true(answers, accepted[i].name))
            json_object_set_new(wish, accepted[i].member, json_true());
    if (lp_json_true(answers, "adopt"))
        json_object_set_new(wish, "adopt", json_true());
    return wish;
}

enum lp_code
lp_form_add_route(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *wish,
                  const json_t *current, struct lp_err *err)
{
    json_auto_t *found = NULL;
    const json_t *routes, *route, *best;
    size_t i;
    enum lp_code rc = lp_form_add_routes(ctx, page, "route", "Route", wish, &found, err);

    if (rc != LP_OK)
        return rc;
    routes = json_object_get(found, "routes");
    best = json_object_get(json_array_get(routes, 0), "id");
    json_array_foreach(routes, i, route)
    {
        if (current != NULL && json_equal(json_object_get(route, "ports"), current))
            best = json_object_get(route, "id");
    }
    if (best != NULL)
        lp_form_page_default(page, "route", best);
    return LP_OK;
}

enum lp_code
lp_form_route(struct lp_form_ctx *ctx, const json_t *wish, const char *id, json_t **route,
              struct lp_err *err)
{
    const struct lp_route_source source = lp_route_source_form(ctx);

    return lp_route_again(&source, wish, id, route, err);
}
