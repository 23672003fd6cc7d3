/* Circuits that already run become subscriptions. */
#include "steps/adoption.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/products_gen.h"
#include "steps/devices.h"
#include "steps/spectrum_forms.h"
#include "store/devices.h"

#define PRODUCT "Optical Spectrum"

/* ---- form ---- */

static enum lp_code
form_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = lp_form_add_choice(ctx, page, "partner_id", "Customer", "Partner", true, err);

    return rc == LP_OK ? lp_form_add_line_systems(ctx, page, "devices", "Devices", err) : rc;
}

static const struct lp_page pages[] = {{.title = "Adopt circuits", .build = form_build}};
const struct lp_form lp_form_adopt_circuits = {LP_PAGES(pages)};

/* ---- reading ---- */

static enum lp_code
read_count(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)err;
    *count = json_array_size(json_object_get(state, "devices"));
    return LP_OK;
}

static enum lp_code
read_device(struct lp_device *device, json_t **circuits, struct lp_err *err)
{
    if (!lp_driver_can(device->driver, LP_CAP_SIGNALLED_CIRCUIT) || device->driver->read == NULL) {
        *circuits = json_pack("{s:[]}", "items");
        return LP_OK;
    }
    lp_run_progress(device->run, "%s: reading circuits", device->element.name);
    return device->driver->read(device->ne, &device->call, "circuits", circuits, err);
}

static enum lp_code
read_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *id =
        json_string_value(json_array_get(json_object_get(state, "devices"), run->index));
    struct lp_device **devices = NULL;
    json_auto_t *doc = NULL, *circuits = NULL;
    char key[40];
    enum lp_code rc = lp_device_doc(run, id == NULL ? "" : id, &doc, err);

    if (rc == LP_OK)
        rc = lp_devices_open(run, &doc, 1, LP_DEVICE_READ, &devices, err);
    if (rc != LP_OK)
        return rc;
    rc = read_device(devices[0], &circuits, err);
    lp_devices_close(devices, 1, rc);
    if (rc != LP_OK)
        return rc;
    (void)snprintf(key, sizeof key, "circuits_%zu", run->index);
    return json_object_set(delta, key, json_object_get(circuits, "items")) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for circuits");
}

const struct lp_step lp_step_read_circuits = {
    .key = "read_circuits",
    .title = "Read the circuits of the devices",
    .kind = LP_STEP_EACH,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 3,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 600000,
    .count = read_count,
    .run = read_run,
    .no_undo = "reads only",
    .only_reads = true,
};

/* ---- matching ---- */

struct match {
    struct lp_run *run;
    const json_t *state, *circuit;
    char device[2][LP_UUID_LEN + 1]; /* A, Z */
    json_t *include;
    char reason[300]; /* why it is left; "" = it is not */
};

static void leave(struct match *m, const char *fmt, ...) LP_PRINTF(2, 3);
static void
leave(struct match *m, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (m->reason[0] == '\0')
        (void)vsnprintf(m->reason, sizeof m->reason, fmt, args);
    va_end(args);
}

/* LP_NOT_FOUND and LP_CONFLICT are reasons, everything else is a failure. */
static enum lp_code
as_reason(struct match *m, enum lp_code rc, struct lp_err *err)
{
    if (rc != LP_NOT_FOUND && rc != LP_CONFLICT)
        return rc;
    leave(m, "%s", err->msg);
    lp_err_clear(err);
    return LP_OK;
}

/* Instance id of a port, "" when the device's inventory does not know it. */
static enum lp_code
port_of(struct match *m, const char *node, const char *name, char device[static LP_UUID_LEN + 1],
        char id[static LP_UUID_LEN + 1], struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_device_find(m->run->store, node, device, NULL, err);

    id[0] = '\0';
    if (rc == LP_OK)
        rc = lp_query(m->run->store, LP_SQL_ROUTE_PORT_NAMED,
                      LP_ARGS(lp_text("port", name), lp_text("device", device)), &rows, err);
    if (rc != LP_OK)
        return as_reason(m, rc, err);
    if (lp_rows_count(rows) > 0)
        (void)snprintf(id, LP_UUID_LEN + 1, "%s", lp_rows_text(rows, 0, "instance_id"));
    lp_rows_free(rows);
    if (id[0] == '\0')
        leave(m, "%.80s has no port %.64s in its inventory", node, name);
    return LP_OK;
}

/* The fibers at both ends of each multiplex section pin the way down. */
static enum lp_code
include_hop(struct match *m, const json_t *hop, struct lp_err *err)
{
    const char *node = lp_json_str(hop, "node", ""), *name = lp_json_str(hop, "port", "");
    char device[LP_UUID_LEN + 1], port[LP_UUID_LEN + 1], fiber[LP_UUID_LEN + 1];
    size_t count = json_array_size(m->include);
    const char *last;
    enum lp_code rc = port_of(m, node, name, device, port, err);

    if (rc != LP_OK || port[0] == '\0')
        return rc;
    rc = lp_subscription_by_key(m->run->store, NULL, "fiber.termination", port, fiber, err);
    if (rc == LP_NOT_FOUND) {
        leave(m, "no fiber is known at %.80s %.64s", node, name);
        lp_err_clear(err);
        return LP_OK;
    }
    last = count == 0 ? "" : json_string_value(json_array_get(m->include, count - 1));
    if (rc == LP_OK && strcmp(last, fiber) != 0)
        json_array_append_new(m->include, json_string(fiber));
    return rc;
}

static enum lp_code
match_route(struct match *m, struct lp_err *err)
{
    const json_t *route = json_object_get(m->circuit, "route"), *hop;
    enum lp_code rc = LP_OK;
    size_t i;

    if (json_array_size(route) == 0)
        leave(m, "it has no explicit route");
    json_array_foreach(route, i, hop)
    {
        if (rc == LP_OK && m->reason[0] == '\0')
            rc = include_hop(m, hop, err);
    }
    return rc;
}

static enum lp_code
match_one(struct match *m, const char *device, json_t *adoptable, json_t *report,
          struct lp_err *err)
{
    const json_t *c = m->circuit;
    const char *name = lp_json_str(c, "name", "");
    const struct lp_product_type *type = lp_catalog_product(m->run->catalog, PRODUCT);
    char holder[LP_UUID_LEN + 1], port[LP_UUID_LEN + 1];
    enum lp_code rc =
        lp_subscription_by_key(m->run->store, NULL, "spectrum.circuit", name, holder, err);

    if (rc == LP_OK) {
        json_array_append_new(json_object_get(report, "explained"),
                              json_pack("{s:s, s:s, s:s}", "circuit", name, "device", device,
                                        "subscription_id", holder));
        return LP_OK;
    }
    if (rc != LP_NOT_FOUND)
        return rc;
    lp_err_clear(err);
    if (name[0] == '\0')
        leave(m, "it has no name");
    (void)snprintf(m->device[0], sizeof m->device[0], "%s", device);
    rc = port_of(m, lp_json_str(c, "far_node", ""), lp_json_str(c, "far_port", ""), m->device[1],
                 port, err);
    if (rc == LP_OK)
        rc = match_route(m, err);
    if (rc != LP_OK)
        return rc;
    if (m->reason[0] != '\0')
        json_array_append_new(json_object_get(report, "left"),
                              json_pack("{s:s, s:s, s:O, s:O, s:s}", "circuit", name, "device",
                                        device, "low_mhz", json_object_get(c, "low_mhz"),
                                        "high_mhz", json_object_get(c, "high_mhz"), "reason",
                                        m->reason));
    else if (type != NULL)
        json_array_append_new(
            adoptable,
            json_pack("{s:s, s:s, s:[{s:s}, {s:O, s:s, s:O, s:O, s:b}, {s:s, s:s}, {s:O, s:O}, "
                      "{s:O}, {}, {}]}",
                      "item", name, "workflow", "create_optical_spectrum", "pages", "product",
                      type->id.text, "partner_id", json_object_get(m->state, "partner_id"),
                      "spectrum_name", name, "low_mhz", json_object_get(c, "low_mhz"), "high_mhz",
                      json_object_get(c, "high_mhz"), "adopt", 1, "device_a", m->device[0],
                      "device_z", m->device[1], "port_a", json_object_get(c, "port"), "port_z",
                      json_object_get(c, "far_port"), "include", m->include));
    return LP_OK;
}

static enum lp_code
match_device(struct lp_run *run, const json_t *state, size_t index, json_t *adoptable,
             json_t *report, struct lp_err *err)
{
    const char *device =
        json_string_value(json_array_get(json_object_get(state, "devices"), index));
    const json_t *circuits, *circuit;
    enum lp_code rc = LP_OK;
    char key[40];
    size_t i;

    (void)snprintf(key, sizeof key, "circuits_%zu", index);
    circuits = json_object_get(state, key);
    json_array_foreach(circuits, i, circuit)
    {
        json_auto_t *include = json_array();
        struct match m = {.run = run, .state = state, .circuit = circuit, .include = include};

        if (rc == LP_OK)
            rc = match_one(&m, device == NULL ? "" : device, adoptable, report, err);
    }
    lp_json_set_int(report, "circuits",
                    lp_json_int(report, "circuits", 0) + (int64_t)json_array_size(circuits));
    lp_run_unset(run, key);
    return rc;
}

static enum lp_code
match_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    size_t count = json_array_size(json_object_get(state, "devices"));
    json_auto_t *adoptable = json_array();
    json_auto_t *report = json_pack("{s:i, s:[], s:[]}", "circuits", 0, "explained", "left");
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < count && rc == LP_OK; i++)
        rc = match_device(run, state, i, adoptable, report, err);
    if (rc == LP_OK
        && (json_object_set(delta, "adoptable", adoptable) != 0
            || json_object_set(delta, "report", report) != 0))
        rc = lp_fail(err, LP_NOMEM, "no memory for the report");
    return rc;
}

const struct lp_step lp_step_match_circuits = {
    .key = "match_circuits",
    .title = "Find ends, fibers and subscriptions of the circuits",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .run = match_run,
    .no_undo = "reads only",
};

/* ---- adopting ---- */

static enum lp_code
adopt_items(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    (void)run;
    return json_array_extend(items, json_object_get(state, "adoptable")) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the circuits");
}

static bool
any_to_adopt(const json_t *state)
{
    return json_array_size(json_object_get(state, "adoptable")) > 0;
}

const struct lp_step lp_step_adopt_circuits = {
    .key = "adopt",
    .title = "Create one subscription per circuit",
    .kind = LP_STEP_FANOUT,
    .effects = LP_EFFECT_DB,
    .when = any_to_adopt,
    .items = adopt_items,
    .max_open = 16,
    .failed_ends = true,
    .no_undo = "each circuit has a process of its own, which can be rolled back",
};

static enum lp_code
report_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *report = json_copy(json_object_get(state, "report"));
    json_t *children = json_object_get(state, "adopt");

    if (report == NULL || (children != NULL && json_object_set(report, "children", children) != 0)
        || json_object_set(delta, "report", report) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the report");
    lp_run_unset(run, "adoptable");
    return LP_OK;
}

const struct lp_step lp_step_report_adoption = {
    .key = "report_adoption",
    .title = "Report",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .run = report_run,
    .no_undo = "writes only its own report",
};
