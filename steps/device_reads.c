/* Steps that ask an element: who it is, what it has, and what an operator typed. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/products_gen.h"
#include "steps/device_internal.h"

enum { ANSWER_MOST = 262144 /* bytes of an answer kept in the state; all of it is evidence */ };

static enum lp_code
open_target(struct lp_run *run, const json_t *state, enum lp_device_use use,
            struct lp_device ***devices, struct lp_err *err)
{
    const char *id = lp_json_str(state, "device_id", lp_json_str(state, "subscription_id", NULL));
    json_auto_t *doc = NULL;
    enum lp_code rc;

    if (id == NULL)
        return lp_fail(err, LP_INTERNAL, "the state of process %s names no device",
                       run->process_id);
    rc = lp_device_doc(run, id, &doc, err);
    if (rc == LP_OK && use == LP_DEVICE_WRITE)
        rc = lp_device_demand(run, doc, err);
    return rc == LP_OK ? lp_devices_open(run, &doc, 1, use, devices, err) : rc;
}

/* ---- probe ---- */

static enum lp_code
probe_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_device **devices = NULL;
    json_t *identity = NULL;
    enum lp_code rc = open_target(run, state, LP_DEVICE_READ, &devices, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_device_same(devices[0], NULL, err);
    if (rc == LP_OK && devices[0]->driver->probe != NULL)
        rc = devices[0]->driver->probe(devices[0]->ne, &devices[0]->call, &identity, err);
    lp_devices_close(devices, 1, rc);
    if (rc == LP_OK && identity != NULL)
        json_object_set_new(delta, "identity", identity);
    return rc;
}

const struct lp_step lp_step_probe = {
    .key = "probe",
    .title = "Ask the device who it is",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 5,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 120000,
    .run = probe_run,
    .no_undo = "reads only",
    .only_reads = true,
};

/* ---- confirm_serial ---- */

static const char *
new_serial(const json_t *state)
{
    return lp_json_str(json_object_get(state, "changes"), LP_F_OPTICAL_DEVICE_SERIAL, NULL);
}

static bool
serial_changes(const json_t *state)
{
    return new_serial(state) != NULL;
}

/** lp_device_same lets pass who does not tell; who is taken over has to. */
static enum lp_code
must_tell(struct lp_device *device, const char *serial, struct lp_err *err)
{
    json_auto_t *identity = NULL;
    enum lp_code rc = lp_device_same(device, NULL, err);

    if (rc == LP_OK && device->driver->probe != NULL)
        rc = device->driver->probe(device->ne, &device->call, &identity, err);
    if (rc == LP_OK && strcmp(lp_json_str(identity, "serial", ""), serial) != 0)
        rc = lp_fail(err, LP_PRECONDITION,
                     "%.100s does not tell its serial number: nobody can say that it is '%.64s'",
                     device->element.name, serial);
    return rc;
}

static enum lp_code
confirm_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_device **devices = NULL;
    json_auto_t *doc = NULL;
    enum lp_code rc = lp_device_doc_changed(run, lp_json_str(state, "subscription_id", ""),
                                            json_object_get(state, "changes"), &doc, err);

    (void)delta;
    if (rc == LP_OK)
        rc = lp_devices_open(run, &doc, 1, LP_DEVICE_READ, &devices, err);
    if (rc != LP_OK)
        return rc;
    rc = must_tell(devices[0], new_serial(state), err);
    lp_devices_close(devices, 1, rc);
    return rc;
}

const struct lp_step lp_step_confirm_serial = {
    .key = "confirm_serial",
    .title = "Ask the device for its new serial number",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 5,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 120000,
    .when = serial_changes,
    .run = confirm_run,
    .no_undo = "reads only",
    .only_reads = true,
};

/* ---- read_inventory ---- */

enum reading {
    READ_IDENTITY,
    READ_INVENTORY,
    READ_PORTS,
    READ_NEIGHBOURS,
    READ_SPECTRUM,
    READ_ALARMS,
    READ_MODES,
    READ_COUNT
};
static const char *const reading_names[] = {
    [READ_IDENTITY] = "identity", [READ_INVENTORY] = "inventory",
    [READ_PORTS] = "ports",       [READ_NEIGHBOURS] = "neighbours",
    [READ_SPECTRUM] = "spectrum", [READ_ALARMS] = "alarms",
    [READ_MODES] = "modes"};
static_assert(LP_COUNT(reading_names) == READ_COUNT, "a name for every read");

/** LP_OK with *out NULL: this driver cannot. */
static enum lp_code
read_one(struct lp_device *device, enum reading what, json_t **out, struct lp_err *err)
{
    const struct lp_driver *driver = device->driver;
    struct lp_ne *ne = device->ne;
    const struct lp_call *call = &device->call;

    *out = NULL;
    switch (what) {
    case READ_IDENTITY:
        return driver->probe == NULL ? LP_OK : driver->probe(ne, call, out, err);
    case READ_INVENTORY:
        return driver->inventory == NULL ? LP_OK : driver->inventory(ne, call, out, err);
    case READ_PORTS:
        return driver->ports == NULL ? LP_OK : driver->ports(ne, call, -1, out, err);
    case READ_NEIGHBOURS:
        return driver->neighbours == NULL ? LP_OK : driver->neighbours(ne, call, out, err);
    case READ_SPECTRUM:
        return driver->spectrum == NULL ? LP_OK : driver->spectrum(ne, call, NULL, out, err);
    case READ_ALARMS:
        return driver->alarms == NULL ? LP_OK : driver->alarms(ne, call, out, err);
    case READ_MODES:
        return driver->modes == NULL ? LP_OK : driver->modes(ne, call, NULL, out, err);
    case READ_COUNT:
        break;
    }
    return LP_OK;
}

static enum lp_code
keep(struct lp_run *run, const char *element, const char *kind, const json_t *doc,
     struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(run->clock);
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(doc, &text, &len, err);

    if (rc == LP_OK)
        lp_run_write(run, LP_SQL_DEVICE_CACHE_PUT,
                     LP_ARGS(lp_text("element", element), lp_text("kind", kind),
                             lp_text("doc", text), lp_int("as_of", lp_json_int(doc, "as_of", now)),
                             lp_text("process", run->process_id)));
    free(text);
    return rc;
}

/* Who it is comes first and is asked again at the end: all that is between came from the same
 * element. */
static enum lp_code
read_all(struct lp_run *run, struct lp_device *device, json_t *delta, struct lp_err *err)
{
    json_auto_t *counts = json_object();
    enum lp_code rc = LP_OK;

    for (int what = 0; rc == LP_OK && what < READ_COUNT; what++) {
        json_auto_t *doc = NULL;

        lp_run_progress(run, "%s: reading %s", device->element.name, reading_names[what]);
        rc = read_one(device, (enum reading)what, &doc, err);
        if (rc == LP_UNSUPPORTED) {
            lp_err_clear(err);
            rc = LP_OK;
            continue;
        }
        if (rc != LP_OK || doc == NULL)
            continue;
        if (what == READ_IDENTITY)
            rc = lp_device_is(device, doc, NULL, err);
        if (rc == LP_OK)
            rc = keep(run, device->element.id, reading_names[what], doc, err);
        if (what == READ_IDENTITY)
            json_object_set(delta, "identity", doc);
        else
            lp_json_set_int(counts, reading_names[what],
                            (int64_t)json_array_size(json_object_get(doc, "items")));
    }
    json_object_set(delta, "read", counts);
    return rc == LP_OK ? lp_device_same(device, json_object_get(delta, "identity"), err) : rc;
}

static void
note(struct lp_run *run, const struct lp_device *device)
{
    lp_run_write(run, LP_SQL_DEVICE_SEE,
                 LP_ARGS(lp_text("element", device->element.id),
                         lp_text("name", device->element.name),
                         lp_text("site", lp_json_str(device->doc, "site", NULL)),
                         lp_text("site_name", lp_json_str(device->doc, "site_name", NULL)),
                         lp_text("driver", device->element.driver),
                         lp_int("now", lp_clock_utc_us(run->clock))));
}

static enum lp_code
inventory_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_device **devices = NULL;
    enum lp_code rc = open_target(run, state, LP_DEVICE_READ, &devices, err);

    if (rc != LP_OK)
        return rc;
    rc = read_all(run, devices[0], delta, err);
    if (rc == LP_OK)
        note(run, devices[0]);
    lp_devices_close(devices, 1, rc);
    return rc;
}

const struct lp_step lp_step_read_inventory = {
    .key = "read_inventory",
    .title = "Read inventory, ports and alarms of the device",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 5,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 600000,
    .run = inventory_run,
    .no_undo = "reads only",
    .only_reads = true,
};

/* ---- command ---- */

/** The text an operator gets, without what no state should hold. */
static void
keep_answer(json_t *answer, json_t *delta)
{
    const char *text = lp_json_str(answer, "text", "");
    size_t len = strlen(text);

    if (len > ANSWER_MOST) {
        size_t keep_len = ANSWER_MOST;

        while (keep_len > 0 && ((unsigned char)text[keep_len] & 0xC0) == 0x80)
            keep_len--;
        json_object_set_new(delta, "answer",
                            json_pack("{s:s%, s:b, s:I}", "text", text, keep_len, "cut", 1, "bytes",
                                      (json_int_t)len));
        return;
    }
    json_object_set(delta, "answer", answer);
}

static enum lp_code
command_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *text = NULL;
    struct lp_device **devices = NULL;
    json_auto_t *answer = NULL;
    bool admin = run->workflow->role == LP_ROLE_ADMIN;
    enum lp_code rc = lp_json_get_string(state, "command", &text, err);

    if (rc == LP_OK)
        rc = open_target(run, state, admin ? LP_DEVICE_WRITE : LP_DEVICE_READ, &devices, err);
    if (rc != LP_OK)
        return rc;
    if (devices[0]->driver->raw == NULL)
        rc = lp_fail(err, LP_UNSUPPORTED, "%s takes no commands as text", devices[0]->element.name);
    else if (!admin
             && (devices[0]->driver->raw_writes == NULL || devices[0]->driver->raw_writes(text)))
        rc = lp_fail(err, LP_DENIED,
                     "this command may change %s: that is for role admin, 'lightpath device "
                     "command --write'",
                     devices[0]->element.name);
    if (rc == LP_OK)
        rc = lp_device_same(devices[0], NULL, err);
    if (rc == LP_OK)
        rc = devices[0]->driver->raw(devices[0]->ne, &devices[0]->call, text, &answer, err);
    lp_run_audit(run, "device", json_string(devices[0]->element.name));
    lp_devices_close(devices, 1, rc);
    if (rc == LP_OK)
        keep_answer(answer, delta);
    return rc;
}

const struct lp_step lp_step_command = {
    .key = "command",
    .title = "Send the command",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 1, /* what an operator typed is sent once */
    .timeout_ms = 300000,
    .run = command_run,
    .no_undo = "what it did is known to the operator only",
};
