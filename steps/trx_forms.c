/* Transponder ports in forms. */
#include "steps/trx_forms.h"

#include <stdio.h>
#include <string.h>

#include "model/products_gen.h"
#include "store/devices.h"

enum { DEVICES_MOST = 20000 };

/* ---- what is known of the ports ---- */

static const char *
kept(struct lp_form_ctx *ctx, const json_t *doc, const char *member)
{
    const char *text = lp_arena_strdup(ctx->arena, lp_json_str(doc, member, ""));

    return text == NULL ? "" : text;
}

static enum lp_code
key_is_held(struct lp_form_ctx *ctx, const char *scope, const char *port, bool *held,
            struct lp_err *err)
{
    char holder[LP_UUID_LEN + 1];
    enum lp_code rc = lp_subscription_by_key(ctx->store, ctx->reader, scope, port, holder, err);

    *held = rc == LP_OK;
    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        rc = LP_OK;
    }
    return rc;
}

static const json_t *
item_named(const json_t *items, const char *name)
{
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        if (strcmp(lp_json_str(item, "name", ""), name) == 0)
            return item;
    }
    return NULL;
}

/* What is known of the modes that a port names: those of its card in the reading of modes. */
static json_t *
modes_of(const json_t *modes, const json_t *item)
{
    const char *card = lp_json_str(item, "card_type", "");
    json_t *out = json_array();
    const json_t *name, *mode;
    size_t i, k;

    json_array_foreach(json_object_get(item, "modes"), i, name)
    {
        json_array_foreach(json_object_get(modes, "items"), k, mode)
        {
            if (strcmp(lp_json_str(mode, "id", ""),
                       json_is_string(name) ? json_string_value(name) : "")
                    == 0
                && strcmp(lp_json_str(mode, "card_type", card), card) == 0) {
                (void)json_array_append(out, (json_t *)(uintptr_t)mode);
                break;
            }
        }
    }
    return out;
}

static enum lp_code
add_port(struct lp_form_ctx *ctx, const json_t *block, const json_t *items, const char *role,
         struct lp_trx_ports *out, struct lp_err *err)
{
    const char *own = lp_json_str(block, LP_F_OPTICAL_DEVICE_PORT_ROLE, "");
    bool line = strcmp(own, "trx-line") == 0, held = false;
    struct lp_trx_port *port = &out->rows[out->count];
    const json_t *item;
    enum lp_code rc;

    if (role != NULL ? strcmp(own, role) != 0 : !line && strcmp(own, "trx-client") != 0)
        return LP_OK;
    item = item_named(items, lp_json_str(block, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, ""));
    *port = (struct lp_trx_port){
        .id = kept(ctx, block, "subscription_instance_id"),
        .name = kept(ctx, block, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME),
        .role = kept(ctx, block, LP_F_OPTICAL_DEVICE_PORT_ROLE),
        .card = kept(ctx, item, "card"),
        .card_type = kept(ctx, item, "card_type"),
        .oper = kept(ctx, item, "oper"),
    };
    if (line) {
        json_t *modes = modes_of(json_object_get(out->doc, "modes"), item);

        (void)json_array_append_new(json_object_get(out->doc, "kept"), modes);
        port->modes = modes;
    }
    rc = key_is_held(ctx, line ? "channel.line_port" : "service.client_port", port->id, &held, err);
    port->free = !held;
    if (rc == LP_OK && line)
        rc = key_is_held(ctx, "fiber.termination", port->id, &port->patched, err);
    out->count += rc == LP_OK ? 1 : 0;
    return rc;
}

static const char *
age_text(struct lp_form_ctx *ctx, const json_t *doc)
{
    int64_t age = lp_json_int(doc, "age_s", -1);
    const char *text = age < 0     ? "never read"
                       : age < 120 ? lp_arena_printf(ctx->arena, "read %d s ago", (int)age)
                       : age < 7200
                           ? lp_arena_printf(ctx->arena, "read %d min ago", (int)age / 60)
                           : lp_arena_printf(ctx->arena, "read %lld h ago", (long long)age / 3600);

    return text == NULL ? "" : text;
}

/* The last reading of a kind as a member of doc; none when it was never read. */
static enum lp_code
cached(struct lp_form_ctx *ctx, const char *device, const char *kind, json_t *doc,
       struct lp_err *err)
{
    json_t *found = NULL;
    enum lp_code rc = lp_device_cached(ctx->store, device, kind, &found, err);

    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        return LP_OK;
    }
    return rc == LP_OK ? (json_object_set_new(doc, kind, found) == 0
                              ? LP_OK
                              : lp_fail(err, LP_NOMEM, "no memory for the ports"))
                       : rc;
}

enum lp_code
lp_trx_ports_load(struct lp_form_ctx *ctx, const char *device, const char *role,
                  struct lp_trx_ports *out, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    const json_t *ports, *block, *items;
    size_t i;
    enum lp_code rc =
        lp_subscription_load(ctx->store, ctx->reader, ctx->catalog, device, &sub, err);

    *out = (struct lp_trx_ports){.doc = json_pack("{s:[]}", "kept")};
    if (rc == LP_OK)
        rc = cached(ctx, device, "ports", out->doc, err);
    if (rc == LP_OK)
        rc = cached(ctx, device, "modes", out->doc, err);
    if (rc != LP_OK) {
        lp_subscription_free(sub);
        lp_trx_ports_free(out);
        return rc;
    }
    ports = json_object_get(sub->root, LP_F_OPTICAL_DEVICE_PORTS);
    items = json_object_get(json_object_get(out->doc, "ports"), "items");
    out->rows = lp_arena_array(ctx->arena, json_array_size(ports) + 1, sizeof *out->rows);
    out->device = lp_arena_strdup(ctx->arena, device);
    out->name = kept(ctx, sub->root, LP_F_OPTICAL_DEVICE_FQDN);
    out->age = age_text(ctx, json_object_get(out->doc, "ports"));
    if (out->rows == NULL || out->device == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the ports");
    json_array_foreach(ports, i, block)
    {
        if (rc == LP_OK)
            rc = add_port(ctx, block, items, role, out, err);
    }
    lp_subscription_free(sub);
    if (rc != LP_OK)
        lp_trx_ports_free(out);
    return rc;
}

void
lp_trx_ports_free(struct lp_trx_ports *ports)
{
    json_decref(ports->doc);
    *ports = (struct lp_trx_ports){.count = 0};
}

const struct lp_trx_port *
lp_trx_port_of(const struct lp_trx_ports *ports, const char *name)
{
    for (size_t i = 0; i < ports->count; i++)
        if (strcmp(ports->rows[i].name, name) == 0 || strcmp(ports->rows[i].id, name) == 0)
            return &ports->rows[i];
    return NULL;
}

const json_t *
lp_trx_mode(const struct lp_trx_port *port, const char *mode)
{
    const json_t *item;
    size_t i;

    json_array_foreach(port->modes, i, item)
    {
        if (strcmp(lp_json_str(item, "id", ""), mode) == 0)
            return item;
    }
    return NULL;
}

/* ---- choices ---- */

/* Active subscriptions of the types that end channels, by description: an index knows them. */
static enum lp_code
transponders(struct lp_form_ctx *ctx, json_t *found, struct lp_err *err)
{
    static const char *const types[] = {"Transponder", "Transceiver", "Transponder+OADM"};
    enum lp_code rc = LP_OK;

    for (size_t t = 0; t < LP_COUNT(types) && rc == LP_OK; t++) {
        struct lp_rows *rows = NULL;

        rc = lp_reader_query(ctx->reader, LP_SQL_SEARCH_VALUES,
                             LP_ARGS(lp_text("name", LP_F_OPTICAL_DEVICE_DEVICE_TYPE),
                                     lp_text("value", types[t]), lp_int("most", DEVICES_MOST)),
                             &rows, err);
        for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
            if (strcmp(lp_rows_text(rows, i, "status"), "active") == 0)
                (void)json_array_append_new(
                    found, json_pack("{s:s, s:s}", "subscription_id", lp_rows_text(rows, i, "id"),
                                     "description", lp_rows_text(rows, i, "description")));
        lp_rows_free(rows);
    }
    return rc;
}

enum lp_code
lp_form_add_transponders(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                         const char *title, struct lp_err *err)
{
    struct lp_field field = {
        .name = name, .title = title, .kind = LP_FIELD_ENUM, .required = true, .required_in = -1};
    json_auto_t *found = json_array();
    struct lp_enum_value *values;
    enum lp_code rc = transponders(ctx, found, err);

    if (rc != LP_OK)
        return rc;
    values = lp_arena_array(ctx->arena, json_array_size(found) + 1, sizeof *values);
    if (values == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *choice = json_array_get(found, i);
        values[field.value_count].value = kept(ctx, choice, "subscription_id");
        values[field.value_count++].label = kept(ctx, choice, "description");
    }
    if (field.value_count < 2)
        return lp_fail(err, LP_PRECONDITION,
                       "a digital service runs between two transponders, and there are %zu active",
                       field.value_count);
    field.values = values;
    lp_form_page_add(page, &field);
    return LP_OK;
}

static const char *
port_label(struct lp_form_ctx *ctx, const struct lp_trx_ports *ports,
           const struct lp_trx_port *port)
{
    return lp_arena_printf(
        ctx->arena, "%s (%s%s%s%s%s, %s)", port->name,
        port->card[0] == '\0' ? "card unknown" : "card ", port->card,
        port->card_type[0] == '\0' ? "" : " ", port->card_type,
        port->oper[0] == '\0' ? "" : lp_arena_printf(ctx->arena, ", %s", port->oper), ports->age);
}

enum lp_code
lp_form_add_trx_ports(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                      const char *title, const struct lp_trx_ports *ports, lp_trx_fits *fits,
                      const void *arg, size_t count, struct lp_err *err)
{
    struct lp_field field = {.name = name,
                             .title = title,
                             .kind = LP_FIELD_ENUM,
                             .required = true,
                             .required_in = -1,
                             .list = count > 0,
                             .min_items = count,
                             .max_items = count,
                             .unique_items = count > 0};
    enum lp_code rc;
    struct lp_enum_value *values = lp_arena_array(ctx->arena, ports->count + 1, sizeof *values);

    if (values == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the ports");
    for (size_t i = 0; i < ports->count; i++) {
        if (!fits(&ports->rows[i], arg))
            continue;
        values[field.value_count].value = ports->rows[i].name;
        values[field.value_count].label = port_label(ctx, ports, &ports->rows[i]);
        if (values[field.value_count++].label == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for the ports");
    }
    if (field.value_count < (count == 0 ? 1 : count)) {
        rc = lp_fail(
            err, LP_PRECONDITION,
            "OPT-050: %s has %zu ports that fit here, %zu are needed: free, patched, client and "
            "line "
            "on one card (%s; 'lightpath process start reconcile_optical_device' reads them "
            "anew)",
            ports->name, field.value_count, count == 0 ? 1 : count, ports->age);
        err->detail = json_pack("{s:s, s:s}", "code", "OPT-050", "device", ports->name);
        return rc;
    }
    field.values = values;
    lp_form_page_add(page, &field);
    return LP_OK;
}
