/* Optical Digital Service: create (new channels or joining some), modify, terminate, validate,
 * reconcile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/products_gen.h"
#include "products/channels.h"
#include "steps/channels.h"
#include "steps/claims.h"
#include "steps/devices.h"
#include "steps/forms.h"
#include "steps/import.h"
#include "steps/lifecycle.h"
#include "steps/port_forms.h"
#include "steps/routes.h"
#include "steps/services.h"
#include "steps/trx_forms.h"
#include "workflows/workflows.h"

enum { STEP_MHZ = 12500, RASTER_MHZ = 6250, WIDTH_LEAST_MHZ = 37500 };

static const char sides[2] = {'a', 'z'};

/* ---- what was answered ---- */

static struct lp_channel_source
source_of(const struct lp_form_ctx *ctx)
{
    return (struct lp_channel_source){ctx->store, ctx->reader, ctx->catalog};
}

/* An answer of this page, or of an earlier one. */
static json_t *
answer(const struct lp_form_ctx *ctx, const json_t *input, const char *name)
{
    json_t *value = json_object_get(input, name);

    return value != NULL ? value : json_object_get(ctx->answers, name);
}

static const char *
answer_text(const struct lp_form_ctx *ctx, const json_t *input, const char *name)
{
    const char *text = json_string_value(answer(ctx, input, name));

    return text == NULL ? "" : text;
}

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
    size_t named = json_array_size(answer(ctx, input, "och_ids"));

    return named > 0 ? named : json_integer_value(answer(ctx, input, "carriers")) == 2 ? 2 : 1;
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
    const struct lp_channel_source source = source_of(ctx);
    const json_t *och_ids = answer(ctx, input, "och_ids");
    const char *ride_on = answer_text(ctx, input, "ride_on");
    enum lp_code rc = LP_NOT_FOUND;

    *out = (struct plan){
        .device = {answer_text(ctx, input, "device_a"), answer_text(ctx, input, "device_z")}};
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

/* A refused answer is a problem of the page; anything else goes up. */
static enum lp_code
as_problem(enum lp_code rc, const char *field, const json_t *input, struct lp_problems *problems,
           struct lp_err *err)
{
    if (rc != LP_INVALID && rc != LP_CONFLICT && rc != LP_PRECONDITION)
        return rc;
    lp_problem_field(problems, "value_error", field, json_object_get(input, field), "%s", err->msg);
    lp_err_clear(err);
    return LP_OK;
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
    rc = as_problem(rc, "och_ids", input, problems, err);
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
    const struct lp_channel_source source = source_of(ctx);
    const char *a = answer_text(ctx, NULL, "device_a"), *z = answer_text(ctx, NULL, "device_z");
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

        rc = lp_trx_ports_load(ctx, answer_text(ctx, NULL, side == 0 ? "device_a" : "device_z"),
                               NULL, &both[side].ports, err);
        if (rc != LP_OK)
            break;
        client =
            lp_trx_port_of(&both[side].ports,
                           answer_text(ctx, NULL, side == 0 ? "client_port_a" : "client_port_z"));
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
    const json_t *list = answer(ctx, input, side == 0 ? "line_ports_a" : "line_ports_z");
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
            out = json_deep_copy(lp_trx_mode(port, answer_text(ctx, input, "mode")));
        free_sides(both);
    }
    lp_err_clear(&ignored);
    return out;
}

/* ---- page 5: spectrum ---- */

static int64_t
slot_for(int64_t signal)
{
    int64_t slot = (signal + STEP_MHZ - 1) / STEP_MHZ * STEP_MHZ;

    return slot < WIDTH_LEAST_MHZ ? WIDTH_LEAST_MHZ : slot;
}

static void
add_frequencies(struct lp_form_page *page, size_t carriers, const json_t *centers,
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

static void
add_constraints(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *current)
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

static enum lp_code
spectrum_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *mode = mode_doc(ctx, NULL), *widths = json_array();
    size_t carriers = carriers_of(ctx, NULL);

    (void)err;
    for (size_t i = 0; i < carriers; i++)
        (void)json_array_append_new(widths,
                                    json_integer(slot_for(lp_json_int(mode, "width_mhz", 0))));
    add_frequencies(page, carriers, NULL, widths);
    add_constraints(ctx, page, NULL);
    return LP_OK;
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

static void
check_frequencies(const json_t *centers, const json_t *widths, size_t carriers, int64_t signal,
                  struct lp_problems *problems)
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

static enum lp_code
spectrum_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
               struct lp_err *err)
{
    json_auto_t *mode = mode_doc(ctx, NULL);

    (void)err;
    check_frequencies(json_object_get(input, "centers_mhz"), json_object_get(input, "widths_mhz"),
                      carriers_of(ctx, NULL), lp_json_int(mode, "width_mhz", 0), problems);
    return LP_OK;
}

/* ---- page 6: route ---- */

static int
set_range(json_t *to, int64_t center, int64_t width)
{
    int failed = json_object_set_new(to, "low_mhz", json_integer(center - width / 2));

    return failed | json_object_set_new(to, "high_mhz", json_integer(center + width / 2));
}

/* What to ask for one carrier: ends, passband or width, rules. New reference. */
static json_t *
carrier_wish(const json_t *constraints, const char *from, const char *to, const json_t *centers,
             const json_t *widths, size_t carrier)
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
    (void)set_range(wish, json_integer_value(json_array_get(centers, carrier)), width);
    if (carrier == 0 && json_array_size(centers) == 2) {
        json_t *range = json_object();
        (void)set_range(range, json_integer_value(json_array_get(centers, other)),
                        json_integer_value(json_array_get(widths, other)));
        (void)json_object_set_new(wish, "also", json_pack("[o]", range));
    }
    return wish;
}

/* Rules among the answers. New reference. */
static json_t *
answered_constraints(const struct lp_form_ctx *ctx, const json_t *input)
{
    json_t *out = json_object();

    for (size_t i = 0; i < LP_COUNT(constraint_fields); i++) {
        json_t *value = answer(ctx, input, constraint_fields[i]);
        if (value != NULL && !json_is_null(value)
            && !(json_is_array(value) && json_array_size(value) == 0))
            (void)json_object_set(out, constraint_fields[i], value);
    }
    return out;
}

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
    json_auto_t *constraints = answered_constraints(ctx, input);
    const char *ids[2];
    enum lp_code rc = line_ids(ctx, input, carrier, ids, err);

    if (rc == LP_OK)
        *wish = carrier_wish(constraints, ids[0], ids[1], answer(ctx, input, "centers_mhz"),
                             answer(ctx, input, "widths_mhz"), carrier);
    return rc;
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

/* The route documents of all carriers, by the choice. New reference in *routes. */
typedef enum lp_code wish_fn(struct lp_form_ctx *ctx, const json_t *input, size_t carrier,
                             json_t **wish, struct lp_err *err);
static enum lp_code
chosen_routes(struct lp_form_ctx *ctx, const json_t *input, size_t carriers, wish_fn *wish_of,
              json_t **requests, struct lp_err *err)
{
    const struct lp_route_source source = lp_route_source_form(ctx);
    json_auto_t *out = json_array(), *first = NULL;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < carriers && rc == LP_OK; i++) {
        json_auto_t *wish = NULL, *route = NULL;

        rc = wish_of(ctx, input, i, &wish, err);
        if (rc == LP_OK)
            rc = i == 0
                     ? lp_route_again(&source, wish, answer_text(ctx, input, "route"), &route, err)
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
        chosen_routes(ctx, input, carriers_of(ctx, NULL), create_wish, &requests, err);

    return as_problem(rc, "route", input, problems, err);
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
    json_auto_t *mode = mode_doc(ctx, input), *constraints = answered_constraints(ctx, input);
    json_auto_t *spectrum = NULL;
    const json_t *och = json_array_get(answer(ctx, input, "och_ids"), carrier);
    const char *ids[2];
    json_t *channel;
    enum lp_code rc = line_ids(ctx, input, carrier, ids, err);

    if (rc == LP_OK)
        rc = spectrum_of(request, constraints, &spectrum, err);
    if (rc != LP_OK)
        return rc;
    channel = json_pack("{s:O*, s:s, s:[s, s], s:O}", LP_F_OPTICAL_TRANSPORT_CHANNEL_OCH_ID, och,
                        LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE, answer_text(ctx, input, "mode"),
                        LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS, ids[0], ids[1],
                        LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM, spectrum);
    if (lp_json_int(mode, "width_mhz", 0) > 0)
        (void)json_object_set(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ,
                              json_object_get(mode, "width_mhz"));
    else
        (void)json_object_set_new(
            channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ,
            json_copy(json_array_get(answer(ctx, input, "widths_mhz"), carrier)));
    if (lp_json_int(mode, "rate_gbps", 0) > 0)
        (void)json_object_set(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_CAPACITY_GBPS,
                              json_object_get(mode, "rate_gbps"));
    return json_array_append_new(channels, channel) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the form");
}

/* Instance ids of the chosen client ports. */
static enum lp_code
set_clients(struct lp_form_ctx *ctx, const json_t *input, const char *const device[2], json_t *root,
            struct lp_err *err)
{
    json_auto_t *ports = json_array();
    enum lp_code rc = LP_OK;

    for (size_t side = 0; side < 2 && rc == LP_OK; side++) {
        const char *id = NULL, *role = NULL;

        rc = lp_form_port(ctx, device[side],
                          answer_text(ctx, input, side == 0 ? "client_port_a" : "client_port_z"),
                          &id, &role, err);
        if (rc == LP_OK && json_array_append_new(ports, json_string(id)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    if (rc == LP_OK && json_object_set(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS, ports) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
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
    enum lp_code rc = chosen_routes(ctx, input, carriers, create_wish, requests, err);

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
        if (answer(ctx, input, numbers[i]) != NULL)
            (void)json_object_set(out, numbers[i], answer(ctx, input, numbers[i]));
    rc = set_clients(ctx, input, plan->device, out, err);
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
                answer_text(ctx, NULL, side == 0 ? "client_port_a" : "client_port_z"));
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
    "partner_id", "device_a",    "device_z",      "och_ids",       "carriers",     "flow_id",
    "client_id",  "ride_on",     "client_port_a", "client_port_z", "line_ports_a", "line_ports_z",
    "mode",       "centers_mhz", "widths_mhz",    "route",         "joins",        "summary",
};

static void
forget(json_t *output, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)json_object_del(output, names[i]);
    for (size_t i = 0; i < LP_COUNT(constraint_fields); i++)
        (void)json_object_del(output, constraint_fields[i]);
}

/* Subscriptions that stay as they are while this runs: noted in the state for `shares`. */
static void
note_services(const struct lp_channel_group *group, json_t *ids)
{
    const json_t *service;
    size_t i;

    json_array_foreach(group->services, i, service)(void)
        json_array_append(ids, json_object_get(service, "subscription_id"));
}

static void
note_routes(const json_t *requests, json_t *ids)
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
    note_services(&plan.group, held);
    note_routes(requests, held);
    if (plan.joins)
        (void)json_object_set_new(output, "join", json_pack("{s:s}", "owner", plan.group.owner));
    rc = lp_form_finish_owner(output, "partner_id", err);
    forget(output, create_answers, LP_COUNT(create_answers));
    plan_free(&plan);
    if (rc == LP_OK
        && (json_object_set(output, "root", root) != 0
            || (requests != NULL && json_object_set(output, "spectrum_requests", requests) != 0)
            || json_object_set(output, "holds", held) != 0))
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

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

static const struct lp_page create_pages[] = {
    {.title = "Optical Digital Service", .build = service_build, .check = service_check},
    {.title = "Channel", .when = may_ride, .build = ride_build},
    {.title = "Client ports", .build = clients_build},
    {.title = "Line ports", .when = makes_channels, .build = lines_build, .check = lines_check},
    {.title = "Spectrum", .when = makes_channels, .build = spectrum_build, .check = spectrum_check},
    {.title = "Route", .when = makes_channels, .build = route_build, .check = route_check},
    {.title = "Summary", .build = summary_build},
};
static const struct lp_form create_form = {LP_PAGES(create_pages), .finish = create_finish};

/* ---- modify ---- */

static const json_t *
target_channels(const struct lp_form_ctx *ctx)
{
    return json_object_get(ctx->subscription->root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS);
}

static bool
owns_channels(const struct lp_form_ctx *ctx)
{
    return json_array_size(target_channels(ctx)) > 0;
}

/* The channels the target rides on, whoever owns them. */
static enum lp_code
target_group(struct lp_form_ctx *ctx, struct lp_channel_group *group, struct lp_err *err)
{
    const struct lp_channel_source source = source_of(ctx);
    const json_t *shared =
        json_object_get(ctx->subscription->root, LP_F_OPTICAL_DIGITAL_SERVICE_SHARED_CHANNELS);
    char owner[LP_UUID_LEN + 1];
    enum lp_code rc;

    *group = (struct lp_channel_group){.owner = ""};
    if (owns_channels(ctx))
        return lp_channel_group_load(&source, ctx->subscription->id, group, err);
    rc = lp_form_owner(ctx, json_string_value(json_array_get(shared, 0)), owner, err);
    return rc == LP_OK ? lp_channel_group_load(&source, owner, group, err) : rc;
}

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

/* Modes that the line ports of all channels have, at both ends; the one in use among them. */
static enum lp_code
add_other_mode(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *channels,
               struct lp_err *err)
{
    const char *now =
        lp_json_str(json_array_get(channels, 0), LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE, "");
    const json_t *lines = json_object_get(json_array_get(channels, 0),
                                          LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS),
                 *mode;
    struct lp_field field = {
        .name = "mode", .title = "Mode", .kind = LP_FIELD_ENUM, .required_in = -1};
    json_auto_t *def = json_string(now);
    struct found_port a, z;
    struct lp_enum_value *values;
    size_t i;
    enum lp_code rc = find_port(ctx, json_array_get(lines, 0), &a, err);

    if (rc != LP_OK)
        return rc;
    rc = find_port(ctx, json_array_get(lines, 1), &z, err);
    values = lp_arena_array(ctx->arena, json_array_size(a.port->modes) + 2, sizeof *values);
    if (rc == LP_OK && values == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the modes");
    if (rc == LP_OK) {
        values[field.value_count++] = (struct lp_enum_value){now, "as it is"};
        json_array_foreach(a.port->modes, i, mode)
        {
            const char *id = lp_json_str(mode, "id", "");
            if (lp_trx_mode(z.port, id) == NULL || strcmp(id, now) == 0)
                continue;
            values[field.value_count++] =
                (struct lp_enum_value){lp_arena_strdup(ctx->arena, id),
                                       lp_arena_strdup(ctx->arena, lp_json_str(mode, "text", id))};
        }
        field.values = values;
        field.def = def;
        lp_form_page_add(page, &field);
    }
    lp_trx_ports_free(&a.ports);
    lp_trx_ports_free(&z.ports);
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
    const json_t *channels = target_channels(ctx);
    json_auto_t *centers = NULL, *widths = NULL;
    enum lp_code rc = LP_OK;

    for (size_t side = 0; side < 2 && rc == LP_OK; side++)
        rc = add_other_client(ctx, page, side, err);
    if (rc != LP_OK)
        return rc;
    if (!owns_channels(ctx)) {
        lp_form_add_label(page, "shares",
                          "Its channels belong to another service: frequency, width, mode and "
                          "route are changed there.");
        return LP_OK;
    }
    current_ranges(channels, &centers, &widths);
    add_frequencies(page, json_array_size(channels), centers, widths);
    rc = add_other_mode(ctx, page, channels, err);
    lp_form_page_add(page, &again);
    add_constraints(ctx, page, current_constraints(channels));
    return rc;
}

/* ---- what changes ---- */

static bool
ranges_change(const struct lp_form_ctx *ctx, const json_t *input)
{
    const json_t *now_centers = answer(ctx, input, "centers_mhz");
    const json_t *now_widths = answer(ctx, input, "widths_mhz");
    json_auto_t *centers = NULL, *widths = NULL;

    if (!owns_channels(ctx))
        return false;
    current_ranges(target_channels(ctx), &centers, &widths);
    return (now_centers != NULL && !json_equal(now_centers, centers))
           || (now_widths != NULL && !json_equal(now_widths, widths));
}

static bool
asks_route(const struct lp_form_ctx *ctx)
{
    return owns_channels(ctx)
           && (json_is_true(json_object_get(ctx->answers, "reroute")) || ranges_change(ctx, NULL));
}

static bool
mode_changes(const struct lp_form_ctx *ctx, const json_t *input)
{
    const char *mode = answer_text(ctx, input, "mode");

    return owns_channels(ctx) && mode[0] != '\0'
           && strcmp(mode, lp_json_str(json_array_get(target_channels(ctx), 0),
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

    if (!owns_channels(ctx) || (!asks_route(ctx) && !mode_changes(ctx, NULL)))
        return false;
    if (target_group(&copy, &group, &ignored) == LP_OK)
        others = json_array_size(group.services) > 1;
    lp_channel_group_free(&group);
    lp_err_clear(&ignored);
    return others;
}

/* The mode it will have, as the line port at A knows it. New reference, or NULL. */
static json_t *
next_mode(struct lp_form_ctx *ctx, const json_t *input)
{
    const json_t *lines = json_object_get(json_array_get(target_channels(ctx), 0),
                                          LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);
    struct lp_err ignored = LP_ERR_INIT;
    struct found_port found;
    json_t *out = NULL;

    if (find_port(ctx, json_array_get(lines, 0), &found, &ignored) == LP_OK) {
        out = json_deep_copy(lp_trx_mode(found.port, answer_text(ctx, input, "mode")));
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
    rc = target_group(ctx, &group, err);
    if (rc != LP_OK)
        return rc;
    load = group.capacity_gbps - group.spare_gbps;
    total = rate * (int64_t)json_array_size(group.channels);
    if (group.capacity_gbps >= 0 && total < load)
        lp_problem_field(problems, "value_error", "mode", json_object_get(input, "mode"),
                         "%s carries %lld Gb/s, and %zu services with %lld Gb/s ride on it",
                         answer_text(ctx, input, "mode"), (long long)total,
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
    const json_t *channels = target_channels(ctx);
    json_auto_t *mode = next_mode(ctx, input);
    int64_t signal = lp_json_int(
        mode, "width_mhz",
        lp_json_int(json_array_get(channels, 0), LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ, 0));

    if (!owns_channels(ctx))
        return LP_OK;
    check_frequencies(answer(ctx, input, "centers_mhz"), answer(ctx, input, "widths_mhz"),
                      json_array_size(channels), signal, problems);
    check_exchange(channels, answer(ctx, input, "centers_mhz"), answer(ctx, input, "widths_mhz"),
                   problems);
    return check_rate(ctx, input, mode, problems, err);
}

static enum lp_code
modify_wish(struct lp_form_ctx *ctx, const json_t *input, size_t carrier, json_t **wish,
            struct lp_err *err)
{
    const json_t *channels = target_channels(ctx), *one;
    json_auto_t *constraints = answered_constraints(ctx, input), *own = json_array();
    const json_t *lines = json_object_get(json_array_get(channels, carrier),
                                          LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);
    size_t i;

    (void)err;
    json_array_foreach(channels, i, one)(void) json_array_append(
        own, json_object_get(json_object_get(one, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM),
                             "subscription_instance_id"));
    *wish =
        carrier_wish(constraints, json_string_value(json_array_get(lines, 0)),
                     json_string_value(json_array_get(lines, 1)), answer(ctx, input, "centers_mhz"),
                     answer(ctx, input, "widths_mhz"), carrier);
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
    enum lp_code rc = chosen_routes(ctx, input, json_array_size(target_channels(ctx)), modify_wish,
                                    &requests, err);

    return as_problem(rc, "route", input, problems, err);
}

/* ---- others are affected: named, and confirmed ---- */

#define CONFIRMED "MODIFY"

static void
add_others(struct lp_form_page *page, const struct lp_channel_group *group, const char *self,
           const char *text)
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

static enum lp_code
confirm_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const struct lp_field field = {.name = "confirm",
                                   .title = "Type " CONFIRMED " to confirm",
                                   .kind = LP_FIELD_STRING,
                                   .required = true,
                                   .required_in = -1};
    struct lp_channel_group group;
    enum lp_code rc = target_group(ctx, &group, err);

    if (rc != LP_OK)
        return rc;
    add_others(page, &group, ctx->subscription->id,
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
    json_t *center = json_array_get(answer(ctx, input, "centers_mhz"), carrier);
    json_t *width = json_array_get(answer(ctx, input, "widths_mhz"), carrier);
    json_auto_t *rules = answered_constraints(ctx, input);
    int failed = 0;

    if (center != NULL && width != NULL)
        failed |= set_range(spectrum, json_integer_value(center), json_integer_value(width));
    for (size_t i = 0; i < LP_COUNT(constraint_fields); i++)
        (void)json_object_del(constraints, constraint_fields[i]);
    failed |= json_object_update(constraints, rules); /* replaced, not added to (D15) */
    if (mode_changes(ctx, input)) {
        failed |= json_object_set(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE,
                                  answer(ctx, input, "mode"));
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
        rc = set_clients(ctx, input, (const char *const[2]){ids[0], ids[1]}, changes, err);
    if (rc == LP_OK
        && json_equal(now, json_object_get(changes, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS)))
        (void)json_object_del(changes, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS);
    return rc;
}

static enum lp_code
changes_of(struct lp_form_ctx *ctx, const json_t *input, json_t **changes, struct lp_err *err)
{
    json_auto_t *out = json_object(), *channels = json_deep_copy(target_channels(ctx));
    json_auto_t *mode = owns_channels(ctx) ? next_mode(ctx, input) : NULL;
    enum lp_code rc = change_clients(ctx, input, out, err);

    for (size_t i = 0; i < json_array_size(channels) && rc == LP_OK; i++)
        rc = changed_channel(ctx, input, i, mode, json_array_get(channels, i), err);
    if (rc == LP_OK && channels != NULL && !lp_json_same(channels, target_channels(ctx))
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
    const json_t *channels = target_channels(ctx), *request;
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
    enum lp_code rc = target_group(ctx, &group, err);

    if (rc != LP_OK)
        return rc;
    note_services(&group, held);
    lp_channel_group_free(&group);
    rc = changes_of(ctx, output, &changes, err);
    if (rc == LP_OK && answer_text(ctx, output, "route")[0] != '\0')
        rc = chosen_routes(ctx, output, json_array_size(target_channels(ctx)), modify_wish,
                           &requests, err);
    if (rc != LP_OK)
        return rc;
    note_routes(requests, held);
    forget(output, modify_answers, LP_COUNT(modify_answers));
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
static const struct lp_form modify_form = {LP_PAGES(modify_pages), .finish = modify_finish};

/* ---- terminate ---- */

static enum lp_code
terminate_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_channel_group group;
    enum lp_code rc = target_group(ctx, &group, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_form_add_force(ctx, page, err);
    add_others(page, &group, ctx->subscription->id,
               "Its channels stay, because these services ride on them: ");
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
    enum lp_code rc = target_group(ctx, &group, err);

    if (rc != LP_OK)
        return rc;
    note_services(&group, held);
    lp_channel_group_free(&group);
    (void)json_object_del(output, "impact");
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
    &lp_step_construct_service, &lp_step_claim_spectrum,  &lp_step_plan,
    &lp_step_approve,           &lp_step_apply,           &lp_step_verify,
    &lp_step_align_power,       &lp_step_settle_spectrum, &lp_step_read_spectrum,
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
     .form = &create_form,
     .shares = share_held,
     LP_STEPS(create_steps)},
    {.name = "modify_optical_digital_service",
     .description = "Modify an optical digital service",
     .target = LP_TARGET_MODIFY,
     .product = LP_SERVICE_PRODUCT,
     .form = &modify_form,
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
};
const struct lp_workflow_set lp_workflows_optical_digital_service = {list, LP_COUNT(list)};
