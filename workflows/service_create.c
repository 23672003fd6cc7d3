/* Form of a new digital service: new channels, or joining some that are there. */
#include <stdio.h>
#include <string.h>

#include "model/products_gen.h"
#include "products/channels.h"
#include "steps/forms.h"
#include "steps/import.h"
#include "steps/port_forms.h"
#include "steps/routes.h"
#include "steps/trx_forms.h"
#include "workflows/service_internal.h"

static const char sides[2] = {'a', 'z'};

/* ---- what was answered ---- */

/* What the product of the form hands over: its fixed input. */
static const char *
client_signal(const struct lp_product_type *product)
{
    for (size_t i = 0; product != NULL && i < product->fixed_count; i++)
        if (strcmp(product->fixed[i].name, "speed") == 0
            && strcmp(product->fixed[i].value, "400G") == 0)
            return "400GBE";
    return "100GBE";
}

static unsigned
gbps_of(const struct lp_form_ctx *ctx)
{
    return strcmp(client_signal(ctx->product), "400GBE") == 0 ? 400 : 100;
}

/* How many channels. */
static size_t
carriers_of(const struct lp_form_ctx *ctx, const json_t *input)
{
    size_t named = json_array_size(lp_service_answer(ctx, input, "och_ids"));

    return named > 0                                                            ? named
           : json_integer_value(lp_service_answer(ctx, input, "carriers")) == 2 ? 2
                                                                                : 1;
}

/* ---- joining ---- */

/* Which channels it rides on, and in which order its ends stand. */
struct plan {
    bool joins;
    bool swapped;
    struct lp_channel_group group; /* when it joins */
    const char *device[2];         /* A and Z as the channel has them; borrowed from the answers */
};

static void
plan_free(struct plan *plan)
{
    lp_channel_group_free(&plan->group);
}

/* LP_INVALID: what was answered cannot be; the message says why. */
static enum lp_code
plan_of(const struct lp_form_ctx *ctx, const json_t *input, struct plan *out, struct lp_err *err)
{
    const struct lp_channel_source source = lp_service_source(ctx);
    const json_t *och_ids = lp_service_answer(ctx, input, "och_ids");
    const char *ride_on = lp_service_answer_text(ctx, input, "ride_on");
    enum lp_code rc = LP_NOT_FOUND;

    *out = (struct plan){.device = {lp_service_answer_text(ctx, input, "device_a"),
                                    lp_service_answer_text(ctx, input, "device_z")}};
    if (json_array_size(och_ids) > 0)
        rc = lp_channels_named(&source, och_ids, &out->group, err);
    else if (ride_on[0] != '\0' && strcmp(ride_on, "new") != 0)
        rc = lp_channel_group_load(&source, ride_on, &out->group, err);
    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        return LP_OK;
    }
    out->joins = rc == LP_OK;
    if (rc == LP_OK)
        rc = lp_channels_may_join(&out->group, out->device[0], out->device[1], gbps_of(ctx),
                                  &out->swapped, err);
    if (rc == LP_OK && out->swapped) {
        const char *a = out->device[0];
        out->device[0] = out->device[1];
        out->device[1] = a;
    }
    if (rc != LP_OK)
        plan_free(out);
    return rc;
}

/* For .when: something wrong has been told by the page where it was answered. */
static bool
makes_channels(const struct lp_form_ctx *ctx)
{
    struct lp_err ignored = LP_ERR_INIT;
    struct plan plan;
    bool makes = plan_of(ctx, NULL, &plan, &ignored) == LP_OK && !plan.joins;

    plan_free(&plan);
    lp_err_clear(&ignored);
    return makes;
}

/* ---- page 1: who, where, which channels ---- */

static void
add_number(struct lp_form_page *page, const char *name, const char *title, const char *help,
           int64_t low, int64_t high, size_t most)
{
    const struct lp_field field = {.name = name,
                                   .title = title,
                                   .description = help,
                                   .kind = LP_FIELD_INT,
                                   .required_in = -1,
                                   .has_min = true,
                                   .min = low,
                                   .has_max = true,
                                   .max = high,
                                   .list = most > 0,
                                   .max_items = most,
                                   .unique_items = most > 0};

    lp_form_page_add(page, &field);
}

static const struct lp_field runs_already = {
    .name = "adopt",
    .title = "It runs already",
    .description = "Its elements hold exactly this: nothing is written to them, or nothing is done",
    .kind = LP_FIELD_BOOL,
    .required_in = -1};

static enum lp_code
service_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = lp_form_add_choice(ctx, page, "partner_id", "Customer", "Partner", true, err);

    if (rc == LP_OK)
        rc = lp_form_add_transponders(ctx, page, "device_a", "Device A", err);
    if (rc == LP_OK)
        rc = lp_form_add_transponders(ctx, page, "device_z", "Device Z", err);
    if (rc != LP_OK)
        return rc;
    add_number(page, "och_ids", "Channels",
               "Numbers of the channels: all new, or all channels of another service, which this "
               "one then shares. Empty: you are asked, and new ones get the lowest free numbers.",
               1, 999, LP_CHANNELS_MOST);
    add_number(page, "carriers", "Carriers", "How many new channels carry it together; empty: one.",
               1, LP_CHANNELS_MOST, 0);
    lp_form_page_add(page, &runs_already);
    add_number(page, "flow_id", "Flow",
               "Empty: the flow of the channels it joins, or the lowest free one.", 1, 999, 0);
    add_number(page, "client_id", "Client", "Empty: the lowest free number within the flow.", 1, 16,
               0);
    return LP_OK;
}

static enum lp_code
check_tag(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
          struct lp_err *err)
{
    json_int_t flow = lp_json_int(input, "flow_id", 0), client = lp_json_int(input, "client_id", 0);
    char tag[32], holder[LP_UUID_LEN + 1];
    enum lp_code rc;

    if (flow == 0 || client == 0)
        return LP_OK;
    (void)snprintf(tag, sizeof tag, "f%03lldc%02lld", (long long)flow, (long long)client);
    rc = lp_import_holder(ctx->store, ctx->reader, "service.tag", tag, holder, err);
    if (rc == LP_OK && holder[0] != '\0')
        lp_problem_field(problems, "value_error", "client_id", json_object_get(input, "client_id"),
                         "OPT-040: %s is in use by %s", tag, holder);
    return rc;
}

static enum lp_code
service_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
              struct lp_err *err)
{
    struct plan plan;
    enum lp_code rc;

    if (strcmp(lp_json_str(input, "device_a", ""), lp_json_str(input, "device_z", "")) == 0) {
        lp_problem_field(problems, "value_error", "device_z", json_object_get(input, "device_z"),
                         "OPT-010: the two ends must be different devices");
        return LP_OK;
    }
    rc = plan_of(ctx, input, &plan, err);
    plan_free(&plan);
    rc = lp_service_as_problem(rc, "och_ids", input, problems, err);
    return rc == LP_OK ? check_tag(ctx, input, problems, err) : rc;
}

/* ---- page 2: ride on channels that are there? ---- */

struct joinable {
    struct lp_enum_value values[33];
    size_t count;
};

static void
offer_group(struct lp_form_ctx *ctx, const struct lp_channel_group *group, struct joinable *out)
{
    char text[64];

    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->values[i].value, group->owner) == 0)
            return;
    if (out->count >= LP_COUNT(out->values))
        return;
    lp_channel_group_text(group, text, sizeof text);
    out->values[out->count].value = lp_arena_strdup(ctx->arena, group->owner);
    out->values[out->count].label = lp_arena_printf(
        ctx->arena, "%s (%lld of %lld Gb/s free, %zu services)", text, (long long)group->spare_gbps,
        (long long)group->capacity_gbps, json_array_size(group->services));
    if (out->values[out->count].value != NULL && out->values[out->count].label != NULL)
        out->count++;
}

/* Channels between the two devices that have room: found by the line ports of A. */
static enum lp_code
find_joinable(struct lp_form_ctx *ctx, struct joinable *out, struct lp_err *err)
{
    const struct lp_channel_source source = lp_service_source(ctx);
    const char *a = lp_service_answer_text(ctx, NULL, "device_a"),
               *z = lp_service_answer_text(ctx, NULL, "device_z");
    struct lp_trx_ports ports;
    enum lp_code rc = lp_trx_ports_load(ctx, a, "trx-line", &ports, err);

    out->values[0] = (struct lp_enum_value){"new", "a new channel"};
    out->count = 1;
    for (size_t i = 0; rc == LP_OK && i < ports.count; i++) {
        struct lp_channel_group group;
        bool swapped;

        if (ports.rows[i].free)
            continue;
        rc = lp_channel_group_at(&source, ports.rows[i].id, &group, err);
        if (rc == LP_OK) {
            rc = lp_channels_may_join(&group, a, z, gbps_of(ctx), &swapped, err);
            if (rc == LP_OK)
                offer_group(ctx, &group, out);
            lp_channel_group_free(&group);
        }
        if (rc == LP_INVALID || rc == LP_NOT_FOUND) {
            lp_err_clear(err);
            rc = LP_OK;
        }
    }
    lp_trx_ports_free(&ports);
    return rc;
}

static bool
may_ride(const struct lp_form_ctx *ctx)
{
    return json_array_size(json_object_get(ctx->answers, "och_ids")) == 0
           && json_object_get(ctx->answers, "carriers") == NULL;
}

static enum lp_code
ride_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct joinable found;
    enum lp_code rc = find_joinable(ctx, &found, err);
    json_auto_t *def = json_string("new");
    const struct lp_field field = {.name = "ride_on",
                                   .title = "Rides on",
                                   .kind = LP_FIELD_ENUM,
                                   .required_in = -1,
                                   .values = found.values,
                                   .value_count = found.count,
                                   .def = def};

    if (rc == LP_OK)
        lp_form_page_add(page, &field);
    return rc;
}

/* ---- page 3: client ports ---- */

/* A client fits when its card has the lines: those of the channels it joins, or enough free ones.
 */
struct client_rule {
    const struct lp_trx_ports *ports;
    const char *card; /* of the lines it joins; NULL: any card with `lines` free patched lines */
    size_t lines;
};

static size_t
free_lines(const struct lp_trx_ports *ports, const char *card)
{
    size_t count = 0;

    for (size_t i = 0; i < ports->count; i++)
        if (strcmp(ports->rows[i].role, "trx-line") == 0 && ports->rows[i].free
            && ports->rows[i].patched && strcmp(ports->rows[i].card, card) == 0)
            count++;
    return count;
}

static bool
client_fits(const struct lp_trx_port *port, const void *arg)
{
    const struct client_rule *rule = arg;

    if (strcmp(port->role, "trx-client") != 0 || !port->free || port->card[0] == '\0')
        return false;
    return rule->card != NULL ? strcmp(port->card, rule->card) == 0
                              : free_lines(rule->ports, port->card) >= rule->lines;
}

/* Card of the line port that the group's first channel has at a side. */
static const char *
group_card(const struct plan *plan, const struct lp_trx_ports *ports, size_t side)
{
    const json_t *lines = json_object_get(json_array_get(plan->group.channels, 0),
                                          LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);
    const char *id = json_string_value(json_array_get(lines, side));
    const struct lp_trx_port *port = id == NULL ? NULL : lp_trx_port_of(ports, id);

    return port == NULL ? "" : port->card;
}

static enum lp_code
add_client(struct lp_form_ctx *ctx, struct lp_form_page *page, const struct plan *plan, size_t side,
           struct lp_err *err)
{
    struct lp_trx_ports ports;
    enum lp_code rc = lp_trx_ports_load(ctx, plan->device[side], NULL, &ports, err);
    struct client_rule rule = {.ports = &ports, .lines = carriers_of(ctx, NULL)};
    const char *name = side == 0 ? "client_port_a" : "client_port_z";

    if (rc != LP_OK)
        return rc;
    rule.card = plan->joins ? group_card(plan, &ports, side) : NULL;
    rc = lp_form_add_trx_ports(
        ctx, page, name,
        lp_arena_printf(ctx->arena, "Client port %c (%s)", sides[side] - 'a' + 'A', ports.name),
        &ports, client_fits, &rule, 0, err);
    lp_trx_ports_free(&ports);
    return rc;
}

static enum lp_code
clients_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    char text[64], label[160];
    struct plan plan;
    enum lp_code rc = plan_of(ctx, NULL, &plan, err);

    if (rc != LP_OK)
        return rc;
    lp_channel_group_text(&plan.group, text, sizeof text);
    (void)snprintf(label, sizeof label,
                   plan.swapped ? "It joins %s, whose A and Z are the other way round: both ends "
                                  "are exchanged."
                                : "It joins %s.",
                   text);
    if (plan.joins)
        lp_form_add_label(page, "joins", label);
    for (size_t side = 0; side < 2 && rc == LP_OK; side++)
        rc = add_client(ctx, page, &plan, side, err);
    plan_free(&plan);
    return rc;
}

/* ---- page 4: lines and mode ---- */

static bool
line_fits(const struct lp_trx_port *port, const void *arg)
{
    return strcmp(port->role, "trx-line") == 0 && port->free && port->patched
           && strcmp(port->card, arg) == 0;
}

struct line_side {
    struct lp_trx_ports ports;
    const char *card;
};

static void
free_sides(struct line_side both[2])
{
    lp_trx_ports_free(&both[0].ports);
    lp_trx_ports_free(&both[1].ports);
}

static enum lp_code
load_sides(struct lp_form_ctx *ctx, struct line_side both[2], struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    both[0] = both[1] = (struct line_side){.card = ""};
    for (size_t side = 0; side < 2 && rc == LP_OK; side++) {
        const struct lp_trx_port *client;

        rc = lp_trx_ports_load(
            ctx, lp_service_answer_text(ctx, NULL, side == 0 ? "device_a" : "device_z"), NULL,
            &both[side].ports, err);
        if (rc != LP_OK)
            break;
        client = lp_trx_port_of(
            &both[side].ports,
            lp_service_answer_text(ctx, NULL, side == 0 ? "client_port_a" : "client_port_z"));
        both[side].card = client == NULL ? "" : client->card;
    }
    if (rc != LP_OK)
        free_sides(both);
    return rc;
}

/* Does any line that fits on that side have the mode? */
static bool
side_has_mode(const struct line_side *side, const char *mode)
{
    for (size_t i = 0; i < side->ports.count; i++)
        if (line_fits(&side->ports.rows[i], side->card)
            && lp_trx_mode(&side->ports.rows[i], mode) != NULL)
            return true;
    return false;
}

static void
offer_modes(struct lp_form_ctx *ctx, const struct line_side both[2], const struct lp_trx_port *port,
            struct lp_enum_value *values, size_t *count, size_t most)
{
    int64_t needed = gbps_of(ctx) / (int64_t)carriers_of(ctx, NULL);
    const json_t *mode;
    size_t i;

    json_array_foreach(port->modes, i, mode)
    {
        const char *id = lp_json_str(mode, "id", "");
        bool known = id[0] == '\0' || *count >= most || !side_has_mode(&both[1], id)
                     || lp_json_int(mode, "rate_gbps", 0) < needed;

        for (size_t k = 0; k < *count && !known; k++)
            known = strcmp(values[k].value, id) == 0;
        if (known)
            continue;
        values[*count].value = lp_arena_strdup(ctx->arena, id);
        values[*count].label =
            lp_arena_printf(ctx->arena, "%s (%s)", id, lp_json_str(mode, "text", ""));
        *count += values[*count].value != NULL && values[*count].label != NULL ? 1 : 0;
    }
}

static enum lp_code
add_modes(struct lp_form_ctx *ctx, struct lp_form_page *page, const struct line_side both[2],
          struct lp_err *err)
{
    enum { MOST = 512 };
    struct lp_field field = {.name = "mode",
                             .title = "Mode",
                             .description = "Modes that both ends have and that carry the service.",
                             .kind = LP_FIELD_ENUM,
                             .required = true,
                             .required_in = -1};
    struct lp_enum_value *values = lp_arena_array(ctx->arena, MOST, sizeof *values);

    if (values == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the modes");
    for (size_t i = 0; i < both[0].ports.count; i++)
        if (line_fits(&both[0].ports.rows[i], both[0].card))
            offer_modes(ctx, both, &both[0].ports.rows[i], values, &field.value_count, MOST);
    if (field.value_count == 0)
        return lp_fail(err, LP_PRECONDITION,
                       "the cards at both ends have no mode in common that carries %u Gb/s",
                       gbps_of(ctx));
    field.values = values;
    lp_form_page_add(page, &field);
    return LP_OK;
}

static enum lp_code
lines_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct line_side both[2];
    enum lp_code rc = load_sides(ctx, both, err);

    if (rc != LP_OK)
        return rc;
    for (size_t side = 0; side < 2 && rc == LP_OK; side++)
        rc = lp_form_add_trx_ports(ctx, page, side == 0 ? "line_ports_a" : "line_ports_z",
                                   side == 0 ? "Line ports A" : "Line ports Z", &both[side].ports,
                                   line_fits, both[side].card, carriers_of(ctx, NULL), err);
    if (rc == LP_OK)
        rc = add_modes(ctx, page, both, err);
    free_sides(both);
    return rc;
}

/* The port chosen for a carrier at a side, or NULL. */
static const struct lp_trx_port *
chosen_line(const struct lp_form_ctx *ctx, const json_t *input, const struct line_side both[2],
            size_t side, size_t carrier)
{
    const json_t *list = lp_service_answer(ctx, input, side == 0 ? "line_ports_a" : "line_ports_z");
    const char *name = json_string_value(json_array_get(list, carrier));

    return name == NULL ? NULL : lp_trx_port_of(&both[side].ports, name);
}

static enum lp_code
lines_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
            struct lp_err *err)
{
    const char *mode = lp_json_str(input, "mode", "");
    struct line_side both[2];
    enum lp_code rc = load_sides(ctx, both, err);

    if (rc != LP_OK)
        return rc;
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < carriers_of(ctx, NULL); i++) {
            const struct lp_trx_port *port = chosen_line(ctx, input, both, side, i);

            if (port != NULL && lp_trx_mode(port, mode) == NULL)
                lp_problem_field(problems, "value_error", "mode", json_object_get(input, "mode"),
                                 "OPT-053: card %s in %s does not support %s", port->card_type,
                                 both[side].ports.name, mode);
        }
    free_sides(both);
    return LP_OK;
}

/* What a mode is: {"rate_gbps","width_mhz"...} of the first line port at A. New reference, or NULL.
 */
static json_t *
mode_doc(struct lp_form_ctx *ctx, const json_t *input)
{
    struct lp_err ignored = LP_ERR_INIT;
    const struct lp_trx_port *port;
    struct line_side both[2];
    json_t *out = NULL;

    if (load_sides(ctx, both, &ignored) == LP_OK) {
        port = chosen_line(ctx, input, both, 0, 0);
        if (port != NULL)
            out = json_deep_copy(lp_trx_mode(port, lp_service_answer_text(ctx, input, "mode")));
        free_sides(both);
    }
    lp_err_clear(&ignored);
    return out;
}

/* ---- page 5: spectrum ---- */

static enum lp_code
spectrum_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *mode = mode_doc(ctx, NULL), *widths = json_array();
    size_t carriers = carriers_of(ctx, NULL);

    (void)err;
    for (size_t i = 0; i < carriers; i++)
        (void)json_array_append_new(
            widths, json_integer(lp_service_slot_for(lp_json_int(mode, "width_mhz", 0))));
    lp_service_add_frequencies(page, carriers, NULL, widths);
    lp_service_add_constraints(ctx, page, NULL);
    return LP_OK;
}

static enum lp_code
spectrum_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
               struct lp_err *err)
{
    json_auto_t *mode = mode_doc(ctx, NULL);

    (void)err;
    lp_service_check_frequencies(json_object_get(input, "centers_mhz"),
                                 json_object_get(input, "widths_mhz"), carriers_of(ctx, NULL),
                                 lp_json_int(mode, "width_mhz", 0), problems);
    return LP_OK;
}

/* ---- page 6: route ---- */

/* Line ports of a carrier as instance ids of the arena; "" when one is not known. */
static enum lp_code
line_ids(struct lp_form_ctx *ctx, const json_t *input, size_t carrier, const char *ids[2],
         struct lp_err *err)
{
    struct line_side both[2];
    enum lp_code rc = load_sides(ctx, both, err);

    ids[0] = ids[1] = "";
    if (rc != LP_OK)
        return rc;
    for (size_t side = 0; side < 2; side++) {
        const struct lp_trx_port *port = chosen_line(ctx, input, both, side, carrier);
        if (port != NULL)
            ids[side] = port->id; /* of the arena */
    }
    free_sides(both);
    return LP_OK;
}

static enum lp_code
create_wish(struct lp_form_ctx *ctx, const json_t *input, size_t carrier, json_t **wish,
            struct lp_err *err)
{
    json_auto_t *constraints = lp_service_constraints(ctx, input);
    const char *ids[2];
    enum lp_code rc = line_ids(ctx, input, carrier, ids, err);

    if (rc == LP_OK)
        *wish = lp_service_carrier_wish(constraints, ids[0], ids[1],
                                        lp_service_answer(ctx, input, "centers_mhz"),
                                        lp_service_answer(ctx, input, "widths_mhz"), carrier);
    if (rc == LP_OK && json_is_true(lp_service_answer(ctx, input, "adopt")))
        (void)json_object_set_new(*wish, "adopt", json_true()); /* its light is there */
    return rc;
}

static enum lp_code
route_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *wish = NULL;
    enum lp_code rc = create_wish(ctx, NULL, 0, &wish, err);

    return rc == LP_OK ? lp_form_add_routes(ctx, page, "route", "Route", wish, NULL, err) : rc;
}

static enum lp_code
route_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
            struct lp_err *err)
{
    json_auto_t *requests = NULL;
    enum lp_code rc =
        lp_service_chosen_routes(ctx, input, carriers_of(ctx, NULL), create_wish, &requests, err);

    return lp_service_as_problem(rc, "route", input, problems, err);
}

/* ---- the document ---- */

/* Passband of a carrier: as answered, else the first that was free on its route. */
static enum lp_code
spectrum_of(const json_t *request, const json_t *constraints, json_t **out, struct lp_err *err)
{
    const json_t *wish = json_object_get(request, "wish");
    const json_t *free_range = json_object_get(json_object_get(request, "route"), "first_free");
    const json_t *from = json_object_get(wish, "low_mhz") != NULL ? wish : free_range;

    if (!json_is_object(from))
        return lp_fail(err, LP_INVALID, "nothing of that width is free on the route");
    *out = json_pack("{s:O, s:O, s:O}", LP_F_OPTICAL_SPECTRUM_LOW_MHZ,
                     json_object_get(from, "low_mhz"), LP_F_OPTICAL_SPECTRUM_HIGH_MHZ,
                     json_object_get(from, "high_mhz"), LP_F_OPTICAL_SPECTRUM_CONSTRAINTS,
                     constraints);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for the form");
}

static enum lp_code
new_channel(struct lp_form_ctx *ctx, const json_t *input, size_t carrier, const json_t *request,
            json_t *channels, struct lp_err *err)
{
    json_auto_t *mode = mode_doc(ctx, input), *constraints = lp_service_constraints(ctx, input);
    json_auto_t *spectrum = NULL;
    const json_t *och = json_array_get(lp_service_answer(ctx, input, "och_ids"), carrier);
    const char *ids[2];
    json_t *channel;
    enum lp_code rc = line_ids(ctx, input, carrier, ids, err);

    if (rc == LP_OK)
        rc = spectrum_of(request, constraints, &spectrum, err);
    if (rc != LP_OK)
        return rc;
    channel =
        json_pack("{s:O*, s:s, s:[s, s], s:O}", LP_F_OPTICAL_TRANSPORT_CHANNEL_OCH_ID, och,
                  LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE, lp_service_answer_text(ctx, input, "mode"),
                  LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS, ids[0], ids[1],
                  LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM, spectrum);
    if (lp_json_int(mode, "width_mhz", 0) > 0)
        (void)json_object_set(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ,
                              json_object_get(mode, "width_mhz"));
    else
        (void)json_object_set_new(
            channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ,
            json_copy(json_array_get(lp_service_answer(ctx, input, "widths_mhz"), carrier)));
    if (lp_json_int(mode, "rate_gbps", 0) > 0)
        (void)json_object_set(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_CAPACITY_GBPS,
                              json_object_get(mode, "rate_gbps"));
    return json_array_append_new(channels, channel) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the form");
}

static enum lp_code
set_shared(const struct plan *plan, json_t *root, struct lp_err *err)
{
    json_auto_t *ids = json_array();
    const json_t *channel;
    size_t i;

    json_array_foreach(plan->group.channels, i, channel)(void)
        json_array_append(ids, json_object_get(channel, "subscription_instance_id"));
    return json_object_set(root, LP_F_OPTICAL_DIGITAL_SERVICE_SHARED_CHANNELS, ids) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the form");
}

static enum lp_code
set_channels(struct lp_form_ctx *ctx, const json_t *input, json_t *root, json_t **requests,
             struct lp_err *err)
{
    size_t carriers = carriers_of(ctx, input);
    json_auto_t *channels = json_array();
    enum lp_code rc = lp_service_chosen_routes(ctx, input, carriers, create_wish, requests, err);

    for (size_t i = 0; i < carriers && rc == LP_OK; i++)
        rc = new_channel(ctx, input, i, json_array_get(*requests, i), channels, err);
    if (rc == LP_OK && json_object_set(root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS, channels) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

/* root, and spectrum_requests (NULL when it joins). */
static enum lp_code
document_of(struct lp_form_ctx *ctx, const json_t *input, struct plan *plan, json_t **root,
            json_t **requests, struct lp_err *err)
{
    static const char *const numbers[] = {"flow_id", "client_id"};
    json_auto_t *out =
        json_pack("{s:s}", LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_SIGNAL, client_signal(ctx->product));
    enum lp_code rc = plan_of(ctx, input, plan, err);

    *requests = NULL;
    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; i < LP_COUNT(numbers); i++)
        if (lp_service_answer(ctx, input, numbers[i]) != NULL)
            (void)json_object_set(out, numbers[i], lp_service_answer(ctx, input, numbers[i]));
    rc = lp_service_set_clients(ctx, input, plan->device, out, err);
    if (rc == LP_OK)
        rc =
            plan->joins ? set_shared(plan, out, err) : set_channels(ctx, input, out, requests, err);
    if (rc == LP_OK)
        *root = lp_json_take(&out);
    else
        plan_free(plan);
    return rc;
}

/* ---- page 7: summary ---- */

static void add_row(json_t *labels, json_t *values, const char *label, const char *fmt, ...)
    LP_PRINTF(4, 5);

static void
add_row(json_t *labels, json_t *values, const char *label, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)json_array_append_new(labels, json_string(label));
    (void)json_array_append_new(values, json_string(text));
}

static void
add_channel_rows(const json_t *root, const json_t *requests, json_t *labels, json_t *values)
{
    const json_t *channel;
    size_t i;

    json_array_foreach(json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS), i, channel)
    {
        const json_t *spectrum =
            json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM);
        const json_t *route = json_object_get(json_array_get(requests, i), "route");

        add_row(labels, values, i == 0 ? "Passband" : "Second passband", "%lld - %lld MHz",
                (long long)lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0),
                (long long)lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0));
        add_row(labels, values, i == 0 ? "Route" : "Second route", "%s",
                lp_json_str(route, "text", ""));
        if (i == 0)
            add_row(labels, values, "Mode", "%s",
                    lp_json_str(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE, ""));
    }
}

static enum lp_code
summary_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *root = NULL, *requests = NULL, *labels = json_array(), *values = json_array();
    json_auto_t *headers = json_pack("[s]", "Value"), *columns = json_pack("[O]", values);
    char text[64];
    struct plan plan;
    enum lp_code rc = document_of(ctx, NULL, &plan, &root, &requests, err);

    if (rc != LP_OK)
        return rc;
    add_row(labels, values, "Service", "%s", client_signal(ctx->product));
    for (size_t side = 0; side < 2; side++)
        add_row(labels, values, side == 0 ? "Client port A" : "Client port Z", "%s",
                lp_service_answer_text(ctx, NULL, side == 0 ? "client_port_a" : "client_port_z"));
    lp_channel_group_text(&plan.group, text, sizeof text);
    if (plan.joins)
        add_row(labels, values, "Joins", "%s with %zu services%s", text,
                json_array_size(plan.group.services),
                plan.swapped ? "; its A and Z are exchanged" : "");
    add_channel_rows(root, requests, labels, values);
    plan_free(&plan);
    return lp_form_add_summary(page, headers, labels, columns, err);
}

/* ---- create: the end of the form ---- */

static const char *const create_answers[] = {
    "partner_id",   "device_a",     "device_z", "och_ids",       "carriers",
    "flow_id",      "client_id",    "ride_on",  "client_port_a", "client_port_z",
    "line_ports_a", "line_ports_z", "mode",     "centers_mhz",   "widths_mhz",
    "route",        "joins",        "summary",  "adopt",
};

static enum lp_code
create_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    json_auto_t *root = NULL, *requests = NULL, *held = json_array();
    struct plan plan;
    enum lp_code rc = document_of(ctx, output, &plan, &root, &requests, err);

    if (rc != LP_OK)
        return rc;
    for (size_t side = 0; side < 2; side++)
        (void)json_array_append_new(held, json_string(plan.device[side]));
    lp_service_note_services(&plan.group, held);
    lp_service_note_routes(requests, held);
    if (plan.joins)
        (void)json_object_set_new(output, "join", json_pack("{s:s}", "owner", plan.group.owner));
    if (lp_json_true(output, "adopt"))
        (void)json_object_set_new(output, "adopted", json_true());
    rc = lp_form_finish_owner(output, "partner_id", err);
    lp_service_forget(output, create_answers, LP_COUNT(create_answers));
    plan_free(&plan);
    if (rc == LP_OK
        && (json_object_set(output, "root", root) != 0
            || (requests != NULL && json_object_set(output, "spectrum_requests", requests) != 0)
            || json_object_set(output, "holds", held) != 0))
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

static const struct lp_page create_pages[] = {
    {.title = "Optical Digital Service", .build = service_build, .check = service_check},
    {.title = "Channel", .when = may_ride, .build = ride_build},
    {.title = "Client ports", .build = clients_build},
    {.title = "Line ports", .when = makes_channels, .build = lines_build, .check = lines_check},
    {.title = "Spectrum", .when = makes_channels, .build = spectrum_build, .check = spectrum_check},
    {.title = "Route", .when = makes_channels, .build = route_build, .check = route_check},
    {.title = "Summary", .build = summary_build},
};
const struct lp_form lp_service_create_form = {LP_PAGES(create_pages), .finish = create_finish};
