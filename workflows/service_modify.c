/* Form that changes a digital service: clients, frequencies, widths, mode, route. */
#include <string.h>

#include "model/products_gen.h"
#include "products/channels.h"
#include "steps/forms.h"
#include "steps/port_forms.h"
#include "steps/routes.h"
#include "steps/trx_forms.h"
#include "workflows/service_internal.h"

/* ---- what it is now ---- */

/* Frequencies and widths as they are. New references. */
static void
current_ranges(const json_t *channels, json_t **centers, json_t **widths)
{
    const json_t *channel;
    size_t i;

    *centers = json_array();
    *widths = json_array();
    json_array_foreach(channels, i, channel)
    {
        (void)json_array_append(
            *centers, json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_CENTER_MHZ));
        (void)json_array_append(*widths,
                                json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_WIDTH_MHZ));
    }
}

static const json_t *
current_constraints(const json_t *channels)
{
    return json_object_get(json_object_get(json_array_get(channels, 0),
                                           LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM),
                           LP_F_OPTICAL_SPECTRUM_CONSTRAINTS);
}

/* The port that a reference of the target names, on one of its devices. */
struct found_port {
    struct lp_trx_ports ports;
    const struct lp_trx_port *port;
};

static enum lp_code
find_port(struct lp_form_ctx *ctx, const json_t *id, struct found_port *out, struct lp_err *err)
{
    char device[LP_UUID_LEN + 1];
    enum lp_code rc = lp_form_owner(ctx, json_string_value(id), device, err);

    *out = (struct found_port){.port = NULL};
    if (rc == LP_OK)
        rc = lp_trx_ports_load(ctx, device, NULL, &out->ports, err);
    if (rc == LP_OK)
        out->port = lp_trx_port_of(&out->ports, json_string_value(id));
    if (rc == LP_OK && out->port == NULL) {
        rc = lp_fail(err, LP_INVALID, "%s has no port %.64s any more", out->ports.name,
                     json_string_value(id));
        lp_trx_ports_free(&out->ports);
    }
    return rc;
}

/* Another free client port of the same card, or the one it has. */
static bool
same_card_client(const struct lp_trx_port *port, const void *arg)
{
    const struct lp_trx_port *now = arg;

    return strcmp(port->role, "trx-client") == 0 && strcmp(port->card, now->card) == 0
           && (port->free || port == now);
}

static enum lp_code
add_other_client(struct lp_form_ctx *ctx, struct lp_form_page *page, size_t side,
                 struct lp_err *err)
{
    const json_t *ports =
        json_object_get(ctx->subscription->root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS);
    const char *name = side == 0 ? "client_port_a" : "client_port_z";
    json_auto_t *def = NULL;
    struct found_port found;
    enum lp_code rc = find_port(ctx, json_array_get(ports, side), &found, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_form_add_trx_ports(
        ctx, page, name,
        lp_arena_printf(ctx->arena, "Client port %c (%s)", side == 0 ? 'A' : 'Z', found.ports.name),
        &found.ports, same_card_client, found.port, 0, err);
    def = json_string(found.port->name);
    if (rc == LP_OK)
        lp_form_page_default(page, name, def);
    lp_trx_ports_free(&found.ports);
    return rc;
}

/* The line ports of all channels, at both ends. */
struct line_ports {
    struct found_port rows[2 * LP_CHANNELS_MOST];
    size_t count;
};

static void
free_lines(struct line_ports *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        lp_trx_ports_free(&lines->rows[i].ports);
    lines->count = 0;
}

static enum lp_code
load_lines(struct lp_form_ctx *ctx, const json_t *channels, struct line_ports *out,
           struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    const json_t *channel;
    size_t i;

    out->count = 0;
    json_array_foreach(channels, i, channel)
    {
        const json_t *ids = json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);

        for (size_t side = 0; side < 2 && rc == LP_OK && out->count < LP_COUNT(out->rows); side++) {
            rc = find_port(ctx, json_array_get(ids, side), &out->rows[out->count], err);
            out->count += rc == LP_OK ? 1 : 0;
        }
    }
    if (rc == LP_OK && out->count == 0)
        rc = lp_fail(err, LP_INVALID, "the service has no channel");
    if (rc != LP_OK)
        free_lines(out);
    return rc;
}

/* Every carrier runs in the one mode of its group, on cards that need not be of one type (D51). */
static bool
all_have(const struct line_ports *lines, const char *mode)
{
    for (size_t i = 0; i < lines->count; i++)
        if (lp_trx_mode(lines->rows[i].port, mode) == NULL)
            return false;
    return true;
}

static enum lp_code
offer_modes(struct lp_form_ctx *ctx, struct lp_form_page *page, const struct line_ports *lines,
            const char *now, struct lp_err *err)
{
    const json_t *modes = lines->rows[0].port->modes, *mode;
    struct lp_field field = {
        .name = "mode", .title = "Mode", .kind = LP_FIELD_ENUM, .required_in = -1};
    json_auto_t *def = json_string(now);
    struct lp_enum_value *values =
        lp_arena_array(ctx->arena, json_array_size(modes) + 1, sizeof *values);
    size_t i;

    if (values == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the modes");
    values[field.value_count++] = (struct lp_enum_value){now, "as it is"};
    json_array_foreach(modes, i, mode)
    {
        const char *id = lp_json_str(mode, "id", "");

        if (strcmp(id, now) != 0 && all_have(lines, id))
            values[field.value_count++] =
                (struct lp_enum_value){lp_arena_strdup(ctx->arena, id),
                                       lp_arena_strdup(ctx->arena, lp_json_str(mode, "text", id))};
    }
    field.values = values;
    field.def = def;
    lp_form_page_add(page, &field);
    return LP_OK;
}

/* Modes that the line ports of all channels have, at both ends; the one in use among them. */
static enum lp_code
add_other_mode(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *channels,
               struct lp_err *err)
{
    const char *now =
        lp_json_str(json_array_get(channels, 0), LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE, "");
    struct line_ports lines;
    enum lp_code rc = load_lines(ctx, channels, &lines, err);

    if (rc != LP_OK)
        return rc;
    rc = offer_modes(ctx, page, &lines, now, err);
    free_lines(&lines);
    return rc;
}

static enum lp_code
modify_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const struct lp_field again = {
        .name = "reroute",
        .title = "Choose its route anew",
        .description = "Otherwise it is asked for only when the frequencies change.",
        .kind = LP_FIELD_BOOL,
        .required_in = -1};
    const json_t *channels = lp_service_target_channels(ctx);
    json_auto_t *centers = NULL, *widths = NULL;
    enum lp_code rc = LP_OK;

    for (size_t side = 0; side < 2 && rc == LP_OK; side++)
        rc = add_other_client(ctx, page, side, err);
    if (rc != LP_OK)
        return rc;
    if (!lp_service_owns_channels(ctx)) {
        lp_form_add_label(page, "shares",
                          "Its channels belong to another service: frequency, width, mode and "
                          "route are changed there.");
        return LP_OK;
    }
    current_ranges(channels, &centers, &widths);
    lp_service_add_frequencies(page, json_array_size(channels), centers, widths);
    rc = add_other_mode(ctx, page, channels, err);
    lp_form_page_add(page, &again);
    lp_service_add_constraints(ctx, page, current_constraints(channels));
    return rc;
}

/* ---- what changes ---- */

static bool
ranges_change(const struct lp_form_ctx *ctx, const json_t *input)
{
    const json_t *now_centers = lp_service_answer(ctx, input, "centers_mhz");
    const json_t *now_widths = lp_service_answer(ctx, input, "widths_mhz");
    json_auto_t *centers = NULL, *widths = NULL;

    if (!lp_service_owns_channels(ctx))
        return false;
    current_ranges(lp_service_target_channels(ctx), &centers, &widths);
    return (now_centers != NULL && !json_equal(now_centers, centers))
           || (now_widths != NULL && !json_equal(now_widths, widths));
}

static bool
asks_route(const struct lp_form_ctx *ctx)
{
    return lp_service_owns_channels(ctx)
           && (json_is_true(json_object_get(ctx->answers, "reroute")) || ranges_change(ctx, NULL));
}

static bool
mode_changes(const struct lp_form_ctx *ctx, const json_t *input)
{
    const char *mode = lp_service_answer_text(ctx, input, "mode");

    return lp_service_owns_channels(ctx) && mode[0] != '\0'
           && strcmp(mode, lp_json_str(json_array_get(lp_service_target_channels(ctx), 0),
                                       LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE, ""))
                  != 0;
}

/* Others notice when a channel they ride on changes. */
static bool
touches_others(const struct lp_form_ctx *ctx)
{
    struct lp_err ignored = LP_ERR_INIT;
    struct lp_channel_group group;
    struct lp_form_ctx copy = *ctx;
    bool others = false;

    if (!lp_service_owns_channels(ctx) || (!asks_route(ctx) && !mode_changes(ctx, NULL)))
        return false;
    if (lp_service_target_group(&copy, &group, &ignored) == LP_OK)
        others = json_array_size(group.services) > 1;
    lp_channel_group_free(&group);
    lp_err_clear(&ignored);
    return others;
}

/* The mode it will have, as the line port at A knows it. New reference, or NULL. */
static json_t *
next_mode(struct lp_form_ctx *ctx, const json_t *input)
{
    const json_t *lines = json_object_get(json_array_get(lp_service_target_channels(ctx), 0),
                                          LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);
    struct lp_err ignored = LP_ERR_INIT;
    struct found_port found;
    json_t *out = NULL;

    if (find_port(ctx, json_array_get(lines, 0), &found, &ignored) == LP_OK) {
        out = json_deep_copy(lp_trx_mode(found.port, lp_service_answer_text(ctx, input, "mode")));
        lp_trx_ports_free(&found.ports);
    }
    lp_err_clear(&ignored);
    return out;
}

/* What rides on the channels must still fit (D23). */
static enum lp_code
check_rate(struct lp_form_ctx *ctx, const json_t *input, const json_t *mode,
           struct lp_problems *problems, struct lp_err *err)
{
    struct lp_channel_group group;
    int64_t rate = lp_json_int(mode, "rate_gbps", 0), load, total;
    enum lp_code rc;

    if (!mode_changes(ctx, input))
        return LP_OK;
    rc = lp_service_target_group(ctx, &group, err);
    if (rc != LP_OK)
        return rc;
    load = group.capacity_gbps - group.spare_gbps;
    total = rate * (int64_t)json_array_size(group.channels);
    if (group.capacity_gbps >= 0 && total < load)
        lp_problem_field(problems, "value_error", "mode", json_object_get(input, "mode"),
                         "%s carries %lld Gb/s, and %zu services with %lld Gb/s ride on it",
                         lp_service_answer_text(ctx, input, "mode"), (long long)total,
                         json_array_size(group.services), (long long)load);
    lp_channel_group_free(&group);
    return LP_OK;
}

/* No line system moves a circuit to where the other one still is. */
static void
check_exchange(const json_t *channels, const json_t *centers, const json_t *widths,
               struct lp_problems *problems)
{
    if (json_array_size(channels) != 2 || json_array_size(centers) != 2)
        return;
    for (size_t i = 0; i < 2; i++) {
        const json_t *present = json_object_get(json_array_get(channels, 1 - i),
                                                LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM);
        int64_t center = json_integer_value(json_array_get(centers, i));
        int64_t half = json_integer_value(json_array_get(widths, i)) / 2;

        if (center - half < lp_json_int(present, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0)
            && center + half > lp_json_int(present, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0))
            lp_problem_field(problems, "value_error", "centers_mhz", centers,
                             "OPT-023: carrier %zu would come to lie on the present light of the "
                             "other; move one after the other",
                             i + 1);
    }
}

static enum lp_code
modify_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    const json_t *channels = lp_service_target_channels(ctx);
    json_auto_t *mode = next_mode(ctx, input);
    int64_t signal = lp_json_int(
        mode, "width_mhz",
        lp_json_int(json_array_get(channels, 0), LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ, 0));

    if (!lp_service_owns_channels(ctx))
        return LP_OK;
    lp_service_check_frequencies(lp_service_answer(ctx, input, "centers_mhz"),
                                 lp_service_answer(ctx, input, "widths_mhz"),
                                 json_array_size(channels), signal, problems);
    check_exchange(channels, lp_service_answer(ctx, input, "centers_mhz"),
                   lp_service_answer(ctx, input, "widths_mhz"), problems);
    return check_rate(ctx, input, mode, problems, err);
}

static enum lp_code
modify_wish(struct lp_form_ctx *ctx, const json_t *input, size_t carrier, json_t **wish,
            struct lp_err *err)
{
    const json_t *channels = lp_service_target_channels(ctx), *one;
    json_auto_t *constraints = lp_service_constraints(ctx, input), *own = json_array();
    const json_t *lines = json_object_get(json_array_get(channels, carrier),
                                          LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);
    size_t i;

    (void)err;
    json_array_foreach(channels, i, one)(void) json_array_append(
        own, json_object_get(json_object_get(one, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM),
                             "subscription_instance_id"));
    *wish = lp_service_carrier_wish(constraints, json_string_value(json_array_get(lines, 0)),
                                    json_string_value(json_array_get(lines, 1)),
                                    lp_service_answer(ctx, input, "centers_mhz"),
                                    lp_service_answer(ctx, input, "widths_mhz"), carrier);
    (void)json_object_set(*wish, "own", own);
    return LP_OK;
}

static enum lp_code
modify_route_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *wish = NULL;
    enum lp_code rc = modify_wish(ctx, NULL, 0, &wish, err);

    return rc == LP_OK ? lp_form_add_routes(ctx, page, "route", "Route", wish, NULL, err) : rc;
}

static enum lp_code
modify_route_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                   struct lp_err *err)
{
    json_auto_t *requests = NULL;
    enum lp_code rc = lp_service_chosen_routes(
        ctx, input, json_array_size(lp_service_target_channels(ctx)), modify_wish, &requests, err);

    return lp_service_as_problem(rc, "route", input, problems, err);
}

/* ---- others are affected: named, and confirmed ---- */

#define CONFIRMED "MODIFY"

static enum lp_code
confirm_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const struct lp_field field = {.name = "confirm",
                                   .title = "Type " CONFIRMED " to confirm",
                                   .kind = LP_FIELD_STRING,
                                   .required = true,
                                   .required_in = -1};
    struct lp_channel_group group;
    enum lp_code rc = lp_service_target_group(ctx, &group, err);

    if (rc != LP_OK)
        return rc;
    lp_service_add_others(page, &group, ctx->subscription->id,
                          "The traffic of these services is interrupted as well: ");
    lp_channel_group_free(&group);
    lp_form_page_add(page, &field);
    return LP_OK;
}

static enum lp_code
confirm_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
              struct lp_err *err)
{
    (void)ctx;
    (void)err;
    if (strcmp(lp_json_str(input, "confirm", ""), CONFIRMED) != 0)
        lp_problem_field(problems, "value_error", "confirm", json_object_get(input, "confirm"),
                         "OPT-012: type " CONFIRMED " to confirm you have read the warning");
    return LP_OK;
}

/* ---- modify: the new document ---- */

static enum lp_code
changed_channel(struct lp_form_ctx *ctx, const json_t *input, size_t carrier, const json_t *mode,
                json_t *channel, struct lp_err *err)
{
    json_t *spectrum = json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM);
    json_t *constraints = json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_CONSTRAINTS);
    json_t *center = json_array_get(lp_service_answer(ctx, input, "centers_mhz"), carrier);
    json_t *width = json_array_get(lp_service_answer(ctx, input, "widths_mhz"), carrier);
    json_auto_t *rules = lp_service_constraints(ctx, input);
    int failed = 0;

    if (center != NULL && width != NULL)
        failed |=
            lp_service_set_range(spectrum, json_integer_value(center), json_integer_value(width));
    lp_service_drop_constraints(constraints);
    failed |= json_object_update(constraints, rules); /* replaced, not added to (D15) */
    if (mode_changes(ctx, input)) {
        failed |= json_object_set(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE,
                                  lp_service_answer(ctx, input, "mode"));
        if (lp_json_int(mode, "width_mhz", 0) > 0)
            failed |= json_object_set(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ,
                                      json_object_get(mode, "width_mhz"));
        if (lp_json_int(mode, "rate_gbps", 0) > 0)
            failed |= json_object_set(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_CAPACITY_GBPS,
                                      json_object_get(mode, "rate_gbps"));
    }
    return failed == 0 ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for the form");
}

static enum lp_code
change_clients(struct lp_form_ctx *ctx, const json_t *input, json_t *changes, struct lp_err *err)
{
    const json_t *now =
        json_object_get(ctx->subscription->root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS);
    char ids[2][LP_UUID_LEN + 1];
    enum lp_code rc = LP_OK;

    for (size_t side = 0; side < 2 && rc == LP_OK; side++)
        rc = lp_form_owner(ctx, json_string_value(json_array_get(now, side)), ids[side], err);
    if (rc == LP_OK)
        rc = lp_service_set_clients(ctx, input, (const char *const[2]){ids[0], ids[1]}, changes,
                                    err);
    if (rc == LP_OK
        && json_equal(now, json_object_get(changes, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS)))
        (void)json_object_del(changes, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS);
    return rc;
}

static enum lp_code
changes_of(struct lp_form_ctx *ctx, const json_t *input, json_t **changes, struct lp_err *err)
{
    json_auto_t *out = json_object(), *channels = json_deep_copy(lp_service_target_channels(ctx));
    json_auto_t *mode = lp_service_owns_channels(ctx) ? next_mode(ctx, input) : NULL;
    enum lp_code rc = change_clients(ctx, input, out, err);

    for (size_t i = 0; i < json_array_size(channels) && rc == LP_OK; i++)
        rc = changed_channel(ctx, input, i, mode, json_array_get(channels, i), err);
    if (rc == LP_OK && channels != NULL && !lp_json_same(channels, lp_service_target_channels(ctx))
        && json_object_set(out, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS, channels) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    if (rc == LP_OK)
        *changes = lp_json_take(&out);
    return rc;
}

/* Another way with the same light: both ends of its circuit go dark and have to be told so. */
static bool
route_changes(const struct lp_form_ctx *ctx, const json_t *requests)
{
    const json_t *channels = lp_service_target_channels(ctx), *request;
    bool changes = false;
    size_t i;

    json_array_foreach(requests, i, request)
    {
        const json_t *spectrum = json_object_get(json_array_get(channels, i),
                                                 LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM);
        changes = changes
                  || !json_equal(json_object_get(json_object_get(request, "route"), "ports"),
                                 json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS));
    }
    return changes;
}

static const char *const modify_answers[] = {
    "client_port_a", "client_port_z", "centers_mhz", "widths_mhz", "mode",
    "reroute",       "route",         "confirm",     "impact",     "shares",
};

static enum lp_code
modify_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    json_auto_t *changes = NULL, *requests = NULL, *held = json_array();
    struct lp_channel_group group;
    enum lp_code rc = lp_service_target_group(ctx, &group, err);

    if (rc != LP_OK)
        return rc;
    lp_service_note_services(&group, held);
    lp_channel_group_free(&group);
    rc = changes_of(ctx, output, &changes, err);
    if (rc == LP_OK && lp_service_answer_text(ctx, output, "route")[0] != '\0')
        rc = lp_service_chosen_routes(ctx, output, json_array_size(lp_service_target_channels(ctx)),
                                      modify_wish, &requests, err);
    if (rc != LP_OK)
        return rc;
    lp_service_note_routes(requests, held);
    lp_service_forget(output, modify_answers, LP_COUNT(modify_answers));
    if ((route_changes(ctx, requests) && json_object_set_new(output, "moved", json_true()) != 0)
        || json_object_set(output, "changes", changes) != 0
        || (requests != NULL && json_object_set(output, "spectrum_requests", requests) != 0)
        || json_object_set(output, "holds", held) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    return LP_OK;
}

static const struct lp_page modify_pages[] = {
    {.title = "Change service", .build = modify_build, .check = modify_check},
    {.title = "Route",
     .when = asks_route,
     .build = modify_route_build,
     .check = modify_route_check},
    {.title = "Others are affected",
     .when = touches_others,
     .build = confirm_build,
     .check = confirm_check},
};
const struct lp_form lp_service_modify_form = {LP_PAGES(modify_pages), .finish = modify_finish};
