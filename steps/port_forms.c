#include "steps/port_forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/driver.h"
#include "model/products_gen.h"
#include "optical/budget.h"
#include "products/product.h"
#include "steps/derive.h"

/* The device without its ports. */
static enum lp_code
load_device(struct lp_form_ctx *ctx, const char *id, struct lp_subscription **out,
            struct lp_err *err)
{
    enum lp_code rc = lp_subscription_load_top(ctx->store, ctx->reader, ctx->catalog, id, out, err);

    if (rc == LP_OK && strcmp((*out)->product->type, "Optical Device") != 0) {
        rc = lp_fail(err, LP_INVALID, "subscription %.64s is no Optical Device", id);
        lp_subscription_free(*out);
        *out = NULL;
    }
    return rc;
}

static enum lp_code
query(struct lp_form_ctx *ctx, enum lp_stmt stmt, const struct lp_arg *args, size_t count,
      struct lp_rows **rows, struct lp_err *err)
{
    return ctx->reader != NULL ? lp_reader_query(ctx->reader, stmt, args, count, rows, err)
                               : lp_query(ctx->store, stmt, args, count, rows, err);
}

static enum lp_code
port_choice(struct lp_form_ctx *ctx, const struct lp_rows *rows, size_t i,
            struct lp_enum_value *value, struct lp_err *err)
{
    const char *text = lp_rows_text(rows, i, "doc"), *name;
    json_auto_t *port = NULL;
    enum lp_code rc = lp_json_load(text, strlen(text), &port, err);

    if (rc != LP_OK)
        return rc;
    name = lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, "");
    value->value = lp_arena_strdup(ctx->arena, name);
    value->label = lp_arena_printf(ctx->arena, "%s (%s)", name,
                                   lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_ROLE, ""));
    return value->value != NULL && value->label != NULL
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the ports");
}

/* One statement, whatever the number of ports. */
static enum lp_code
free_ports(struct lp_form_ctx *ctx, const char *device, const char *scope,
           struct lp_enum_value **values, size_t *count, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        query(ctx, LP_SQL_PORTS_FREE, LP_ARGS(lp_text("device", device), lp_text("scope", scope)),
              &rows, err);

    if (rc != LP_OK)
        return rc;
    *count = lp_rows_count(rows);
    *values = lp_arena_array(ctx->arena, *count + 1, sizeof **values);
    if (*values == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the ports");
    for (size_t i = 0; rc == LP_OK && i < *count; i++)
        rc = port_choice(ctx, rows, i, &(*values)[i], err);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_form_add_ports(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                  const char *title, const char *device, const char *scope, struct lp_err *err)
{
    struct lp_field field = {
        .name = name, .title = title, .kind = LP_FIELD_ENUM, .required = true, .required_in = -1};
    struct lp_subscription *sub = NULL;
    struct lp_enum_value *values = NULL;
    enum lp_code rc = load_device(ctx, device, &sub, err);

    if (rc != LP_OK)
        return rc;
    rc = free_ports(ctx, sub->id, scope, &values, &field.value_count, err);
    if (rc == LP_OK && field.value_count == 0)
        rc = lp_fail(err, LP_PRECONDITION, "%s has no free port; reconcile it to read its ports",
                     sub->description);
    lp_subscription_free(sub);
    if (rc != LP_OK)
        return rc;
    field.values = values;
    lp_form_page_add(page, &field);
    return LP_OK;
}

static enum lp_code
take_port(struct lp_form_ctx *ctx, const struct lp_rows *rows, const char **id, const char **role,
          struct lp_err *err)
{
    const char *text = lp_rows_text(rows, 0, "doc");
    json_auto_t *port = NULL;
    enum lp_code rc = lp_json_load(text, strlen(text), &port, err);

    if (rc != LP_OK)
        return rc;
    *id = lp_arena_strdup(ctx->arena, lp_rows_text(rows, 0, "instance_id"));
    *role = lp_arena_strdup(ctx->arena, lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_ROLE, ""));
    return *id != NULL && *role != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a port");
}

enum lp_code
lp_form_port(struct lp_form_ctx *ctx, const char *device, const char *name, const char **id,
             const char **role, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    struct lp_rows *rows = NULL;
    enum lp_code rc = load_device(ctx, device, &sub, err);

    if (rc != LP_OK)
        return rc;
    *id = NULL;
    rc = query(ctx, LP_SQL_PORT_BY_NAME, LP_ARGS(lp_text("port", name), lp_text("device", sub->id)),
               &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_INVALID, "%s has no port %.64s", sub->description, name);
    else if (rc == LP_OK)
        rc = take_port(ctx, rows, id, role, err);
    lp_rows_free(rows);
    lp_subscription_free(sub);
    return rc;
}

enum lp_code
lp_form_set_block(struct lp_form_ctx *ctx, json_t *document, const char *field,
                  const char *subscription, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc =
        lp_subscription_load_top(ctx->store, ctx->reader, ctx->catalog, subscription, &sub, err);

    if (rc != LP_OK)
        return rc;
    if (json_object_set(document, field, json_object_get(sub->root, "subscription_instance_id"))
        != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    lp_subscription_free(sub);
    return rc;
}

enum lp_code
lp_form_derive(struct lp_form_ctx *ctx, const struct lp_form_model *model, json_t *document,
               struct lp_err *err)
{
    const struct lp_product_type *type = lp_catalog_product(ctx->catalog, model->product);

    if (type == NULL)
        return lp_fail(err, LP_INTERNAL, "there is no product %s", model->product);
    return lp_derive(ctx->store, ctx->reader, ctx->catalog, ctx->conf, type, document, err);
}

void
lp_form_platforms(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *field)
{
    size_t count;
    const struct lp_driver *const *drivers = lp_drivers(&count);
    struct lp_enum_value *values = lp_arena_array(ctx->arena, count + 1, sizeof *values);

    if (values == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        values[i].value = values[i].label = drivers[i]->platform;
    lp_form_page_choices(page, field, values, count);
}

/* ---- gateways ---- */

#define NEAREST 7

struct candidate {
    const char *id, *label;
    uint32_t metres;
};

/* Coordinates of a site; false when it has none. */
static bool
site_of(struct lp_form_ctx *ctx, const char *pop, int32_t at[2])
{
    struct lp_err ignored = LP_ERR_INIT;
    struct lp_subscription *sub = NULL;
    bool found = false;

    if (lp_subscription_load(ctx->store, ctx->reader, ctx->catalog, pop, &sub, &ignored) == LP_OK
        && json_object_get(sub->root, LP_F_POP_LATITUDE_UDEG) != NULL) {
        at[0] = (int32_t)lp_json_int(sub->root, LP_F_POP_LATITUDE_UDEG, 0);
        at[1] = (int32_t)lp_json_int(sub->root, LP_F_POP_LONGITUDE_UDEG, 0);
        found = true;
    }
    lp_subscription_free(sub);
    lp_err_clear(&ignored);
    return found;
}

enum lp_code
lp_form_owner(struct lp_form_ctx *ctx, const char *instance_id, char id[static LP_UUID_LEN + 1],
              struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(ctx->reader, LP_SQL_BLOCK_OWNER,
                                      LP_ARGS(lp_text("instance_id", instance_id)), &rows, err);

    (void)snprintf(id, LP_UUID_LEN + 1, "%s",
                   rc == LP_OK && lp_rows_count(rows) > 0 ? lp_rows_text(rows, 0, "subscription_id")
                                                          : "");
    lp_rows_free(rows);
    return rc;
}

/* Adds a device that can relay, with its distance from `here`. */
static enum lp_code
consider(struct lp_form_ctx *ctx, const json_t *choice, const char *platform, const int32_t *here,
         struct candidate *list, size_t *count, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    char pop[LP_UUID_LEN + 1];
    int32_t there[2];
    enum lp_code rc = load_device(ctx, lp_json_str(choice, "subscription_id", ""), &sub, err);

    if (rc != LP_OK)
        return rc;
    if (strcmp(lp_json_str(sub->root, LP_F_OPTICAL_DEVICE_PLATFORM, ""), platform) == 0
        && (json_object_get(sub->root, LP_F_OPTICAL_DEVICE_MANAGEMENT_IP) != NULL
            || json_object_get(sub->root, LP_F_OPTICAL_DEVICE_LOOPBACK_IP) != NULL)) {
        struct candidate *c = &list[*count];
        c->id = lp_arena_strdup(ctx->arena, sub->id);
        c->metres = UINT32_MAX;
        rc = lp_form_owner(ctx, lp_json_str(sub->root, LP_F_OPTICAL_DEVICE_POP, ""), pop, err);
        if (rc == LP_OK && here != NULL && site_of(ctx, pop, there))
            c->metres = lp_great_circle_m(here[0], here[1], there[0], there[1]);
        c->label = c->metres == UINT32_MAX ? lp_arena_strdup(ctx->arena, sub->description)
                                           : lp_arena_printf(ctx->arena, "%s, %u km",
                                                             sub->description, c->metres / 1000);
        if (rc == LP_OK && (c->id == NULL || c->label == NULL))
            rc = lp_fail(err, LP_NOMEM, "no memory for the gateways");
        *count += rc == LP_OK ? 1 : 0;
    }
    lp_subscription_free(sub);
    return rc;
}

static int
nearer(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->metres != y->metres)
        return x->metres < y->metres ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* Nobody relays to itself. */
static bool
is_target(const struct lp_form_ctx *ctx, const char *id)
{
    return ctx->subscription != NULL && strcmp(ctx->subscription->id, id) == 0;
}

/* The gateways that a device has now, as far as they can relay, in their order; else the nearest.
 */
static enum lp_code
chosen_gateways(struct lp_form_ctx *ctx, const struct candidate *list, size_t count, json_t *chosen,
                struct lp_err *err)
{
    const json_t *root = ctx->subscription == NULL ? NULL : ctx->subscription->root, *gateway;
    json_auto_t *nearest = json_array();
    char owner[LP_UUID_LEN + 1];
    size_t i;

    json_array_foreach(json_object_get(root, LP_F_OPTICAL_DEVICE_GATEWAYS), i, gateway)
    {
        enum lp_code rc = lp_form_owner(ctx, json_string_value(gateway), owner, err);

        if (rc != LP_OK)
            return rc;
        for (size_t k = 0; k < count; k++)
            if (strcmp(list[k].id, owner) == 0)
                json_array_append_new(chosen, json_string(owner));
    }
    for (i = 0; json_array_size(chosen) == 0 && i < count && i < NEAREST; i++)
        json_array_append_new(nearest, json_string(list[i].id));
    return json_array_extend(chosen, nearest) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the gateways");
}

static enum lp_code
candidates(struct lp_form_ctx *ctx, const char *platform, const char *pop, struct candidate **list,
           size_t *count, struct lp_err *err)
{
    const struct lp_product_type *type = lp_catalog_product(ctx->catalog, "Optical Device");
    json_auto_t *choices = NULL;
    int32_t here[2];
    bool placed = site_of(ctx, pop, here);
    const json_t *choice;
    size_t i;
    enum lp_code rc;

    if (type == NULL)
        return lp_fail(err, LP_INTERNAL, "there is no product Optical Device");
    rc = lp_subscription_choices(ctx->store, ctx->reader, type->id.text, &choices, err);
    if (rc != LP_OK)
        return rc;
    *list = lp_arena_array(ctx->arena, json_array_size(choices) + 1, sizeof **list);
    if (*list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the gateways");
    json_array_foreach(choices, i, choice)
    {
        if (rc == LP_OK && !is_target(ctx, lp_json_str(choice, "subscription_id", "")))
            rc = consider(ctx, choice, platform, placed ? here : NULL, *list, count, err);
    }
    if (*count > 1)
        qsort(*list, *count, sizeof **list, nearer);
    return rc;
}

enum lp_code
lp_form_add_gateways(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                     const char *platform, const char *pop, struct lp_err *err)
{
    struct candidate *list = NULL;
    struct lp_enum_value *values;
    json_auto_t *def = json_array();
    size_t count = 0;
    enum lp_code rc = candidates(ctx, platform, pop, &list, &count, err);

    if (rc != LP_OK)
        return rc;
    if (count == 0)
        return lp_fail(err, LP_PRECONDITION,
                       "a device without an address needs a gateway, and there is no active %s "
                       "with an address",
                       platform);
    values = lp_arena_array(ctx->arena, count, sizeof *values);
    if (values == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the gateways");
    for (size_t i = 0; i < count; i++) {
        values[i].value = list[i].id;
        values[i].label = list[i].label;
    }
    rc = chosen_gateways(ctx, list, count, def, err);
    if (rc != LP_OK)
        return rc;
    const struct lp_field field = {.name = name,
                                   .title = "Gateways",
                                   .kind = LP_FIELD_ENUM,
                                   .list = true,
                                   .required = true,
                                   .required_in = -1,
                                   .min_items = 1,
                                   .max_items = 8,
                                   .unique_items = true,
                                   .values = values,
                                   .value_count = count,
                                   .def = def};
    lp_form_page_add(page, &field);
    return LP_OK;
}

/* ---- terminate ---- */

/* The elements that hold something of the target: id, and host name as label. */
static enum lp_code
holding_elements(struct lp_form_ctx *ctx, struct lp_enum_value **values, size_t *count,
                 struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_reader_query(ctx->reader, LP_SQL_OBJECTS_OF,
                        LP_ARGS(lp_text("subscription", ctx->subscription->id)), &rows, err);

    *values =
        rc == LP_OK ? lp_arena_array(ctx->arena, lp_rows_count(rows) + 1, sizeof **values) : NULL;
    if (rc == LP_OK && *values == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the elements");
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *id = lp_rows_text(rows, i, "element_id"); /* in the order of ids */
        struct lp_subscription *sub = NULL;

        if (*count > 0 && strcmp((*values)[*count - 1].value, id) == 0)
            continue;
        rc = load_device(ctx, id, &sub, err);
        if (rc == LP_NOT_FOUND) { /* purged: it is given up more than any other */
            lp_err_clear(err);
            rc = LP_OK;
        }
        if (rc != LP_OK)
            break;
        (*values)[*count].value = lp_arena_strdup(ctx->arena, id);
        (*values)[*count].label = lp_arena_strdup(
            ctx->arena, sub == NULL ? id : lp_json_str(sub->root, LP_F_OPTICAL_DEVICE_FQDN, id));
        lp_subscription_free(sub);
        if ((*values)[*count].value == NULL || (*values)[*count].label == NULL)
            rc = lp_fail(err, LP_NOMEM, "no memory for the elements");
        ++*count;
    }
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_form_add_force(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const struct lp_field reason = {
        .name = "force_reason",
        .title = "Without the devices, because",
        .description = "Fill in only when a device is gone for good: nothing is sent to it, and "
                       "what it may still hold is given up.",
        .kind = LP_FIELD_STRING,
        .required_in = -1,
        .has_min = true,
        .min = 3,
        .has_max = true,
        .max = 255,
    };
    struct lp_field devices = {
        .name = "force_devices",
        .title = "These devices",
        .description = "Only these are given up, the others are cleaned as usual; none named: all "
                       "are given up.",
        .kind = LP_FIELD_ENUM,
        .list = true,
        .required_in = -1,
        .unique_items = true,
    };
    struct lp_enum_value *values = NULL;
    enum lp_code rc = holding_elements(ctx, &values, &devices.value_count, err);

    lp_form_add_label(page, "terminated", ctx->subscription->description);
    lp_form_page_add(page, &reason);
    devices.values = values;
    if (rc == LP_OK && devices.value_count > 0)
        lp_form_page_add(page, &devices);
    return rc;
}

void
lp_form_check_force(const json_t *input, struct lp_problems *problems)
{
    const json_t *devices = json_object_get(input, "force_devices");

    if (json_array_size(devices) > 0 && lp_json_str(input, "force_reason", NULL) == NULL)
        lp_problem_field(problems, "value_error", "force_reason", NULL,
                         "say why these devices are given up");
}

enum lp_code
lp_form_finish_force(json_t *output, struct lp_err *err)
{
    json_t *reason = json_object_get(output, "force_reason"), *force = NULL;
    json_t *devices = json_object_get(output, "force_devices");

    json_object_del(output, "terminated");
    if (json_array_size(devices) == 0)
        devices = NULL;
    if (json_is_string(reason)) {
        force = json_pack("{s:O, s:O*}", "reason", reason, "elements", devices);
        if (force == NULL || json_object_set_new(output, "force", force) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    json_object_del(output, "force_reason");
    json_object_del(output, "force_devices");
    return LP_OK;
}

static enum lp_code
terminate_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    return lp_form_add_force(ctx, page, err);
}

static enum lp_code
terminate_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                struct lp_err *err)
{
    lp_form_check_force(input, problems);
    return lp_form_check_unused(ctx, problems, err);
}

static enum lp_code
terminate_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    (void)ctx;
    return lp_form_finish_force(output, err);
}

static const struct lp_page terminate_pages[] = {
    {.title = "Terminate", .build = terminate_build, .check = terminate_check},
};
const struct lp_form lp_form_terminate_on_devices = {LP_PAGES(terminate_pages),
                                                     .finish = terminate_finish};
