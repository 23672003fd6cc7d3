/* Step align_power: the light of a new or changed channel at its target, end by end. */
#include "optical/power.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/products_gen.h"
#include "products/channels.h"
#include "steps/device_internal.h"
#include "steps/services.h"

enum { SLICE_MS = 50, ENDS = 2, NOISE_CDB = 20 /* two readings no further apart are one */ };

/* One end of one channel: the transponder that sends, and the add/drop port that receives. */
struct alignment {
    struct lp_run *run;
    const struct lp_conf *conf;
    struct lp_power_rules rules;
    json_t *line_doc, *roadm_doc; /* elements; roadm_doc NULL: no line system there */
    const char *line_port;
    char sending[160];   /* object "power:<line port>" */
    char receiving[256]; /* object "power:<add/drop port>@<circuit>" */
    int64_t difference_cdb;
    int64_t before_cdb, step_cdb; /* of the last correction: what was measured, what was changed */
};

static void
alignment_free(struct alignment *at)
{
    json_decref(at->line_doc);
    json_decref(at->roadm_doc);
}

static const json_t *
own_channels(const json_t *closure)
{
    return json_object_get(lp_closure_root(closure), LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS);
}

/* ---- which end ---- */

/* The line system's port at an end of a channel; false: transponders face each other. */
static bool
add_drop_of(const json_t *closure, const json_t *spectrum, size_t side, struct lp_end *out)
{
    const json_t *sections = json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_SECTIONS);
    size_t count = json_array_size(sections);
    const json_t *ports = json_object_get(json_array_get(sections, side == 0 ? 0 : count - 1),
                                          LP_F_OPTICAL_SPECTRUM_SECTION_ADD_DROP_PORTS);

    return count > 0 && lp_end_find(closure, json_string_value(json_array_get(ports, side)), out);
}

static bool
can(const json_t *doc, enum lp_cap cap)
{
    const struct lp_driver *driver = lp_driver_of(lp_json_str(doc, "driver", ""));

    return driver != NULL && lp_driver_can(driver, cap);
}

static enum lp_code
find_end(struct alignment *at, const json_t *closure, const json_t *channel, size_t side,
         struct lp_err *err)
{
    const json_t *spectrum =
        json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM);
    struct lp_end lines[2], drop;
    enum lp_code rc;

    if (!lp_channel_ends(closure, channel, lines) || !add_drop_of(closure, spectrum, side, &drop))
        return LP_OK;
    at->line_port = lp_arena_strdup(at->run->arena, lp_end_port(&lines[side]));
    (void)snprintf(at->sending, sizeof at->sending, "power:%s", lp_end_port(&lines[side]));
    (void)snprintf(at->receiving, sizeof at->receiving, "power:%s@%s", lp_end_port(&drop),
                   lp_json_str(spectrum, LP_F_OPTICAL_SPECTRUM_CIRCUIT_NAME, ""));
    rc = lp_device_doc(at->run, lines[side].device, &at->line_doc, err);
    if (rc == LP_OK)
        rc = lp_device_doc(at->run, drop.device, &at->roadm_doc, err);
    if (rc == LP_OK
        && (!can(at->line_doc, LP_CAP_POWER_CONTROL)
            || !can(at->roadm_doc, LP_CAP_SIGNALLED_CIRCUIT))) {
        json_decref(at->roadm_doc); /* nobody measures, or nothing can be set */
        at->roadm_doc = NULL;
    }
    return rc;
}

/* ---- measuring ---- */

static bool
nap(struct lp_run *run, int64_t ms)
{
    while (ms > 0) {
        int64_t slice = ms < SLICE_MS ? ms : SLICE_MS;
        const struct timespec time = {.tv_nsec = (long)(slice * 1000000)};

        if (lp_run_time_left_ms(run) <= slice)
            return false;
        (void)nanosleep(&time, NULL);
        ms -= slice;
    }
    return true;
}

/* Reads one object of one element. */
static enum lp_code
read_object(struct alignment *at, json_t *doc, const char *object, json_t **out, struct lp_err *err)
{
    struct lp_device **devices = NULL;
    enum lp_code rc = lp_devices_open(at->run, &doc, 1, LP_DEVICE_READ, &devices, err);

    if (rc != LP_OK)
        return rc;
    rc = devices[0]->driver->read == NULL
             ? lp_fail(err, LP_UNSUPPORTED, "driver %s reads no powers", devices[0]->driver->name)
             : devices[0]->driver->read(devices[0]->ne, &devices[0]->call, object, out, err);
    lp_devices_close(devices, 1, rc);
    return rc;
}

/* Two readings agree, and the last correction shows in them. */
static bool
has_settled(const struct alignment *at, int64_t last)
{
    int64_t now = at->difference_cdb;

    return llabs(now - last) <= NOISE_CDB && 2 * llabs(now - at->before_cdb) >= llabs(at->step_cdb);
}

/* Asks the line system until what it receives fits or has settled, for the settling time at most.
 * LP_OK: *fits says which. LP_RETRYABLE: there is no measurement. */
static enum lp_code
measure(struct alignment *at, bool *fits, struct lp_err *err)
{
    struct lp_run *run = at->run;
    int64_t end = lp_clock_mono_us(run->clock) + at->conf->devices_settle_ms * 1000;
    int64_t last = INT32_MAX;

    for (;;) {
        json_auto_t *power = NULL;
        enum lp_code rc = read_object(at, at->roadm_doc, at->receiving, &power, err);
        bool over = lp_clock_mono_us(run->clock) >= end;

        if (rc != LP_OK && rc != LP_NOT_FOUND)
            return rc;
        if (rc == LP_OK) {
            at->difference_cdb = lp_json_int(power, "difference_cdb", 0);
            *fits = lp_power_fits(&at->rules, at->difference_cdb);
            if (*fits || has_settled(at, last) || over)
                return LP_OK;
            last = at->difference_cdb;
        } else if (over) {
            err->code = LP_RETRYABLE;
            return lp_err_prefix(err, "no light is measured: ");
        }
        lp_err_clear(err);
        if (!nap(run, at->conf->devices_poll_ms))
            return lp_fail(err, LP_RETRYABLE, "there was no time to measure the light");
    }
}

/* ---- setting ---- */

static json_t *
power_intent(const struct alignment *at, int64_t target_cdbm)
{
    return json_pack("[{s:s, s:s, s:b, s:s, s:I}]", "id", at->sending, "kind", "power", "present",
                     1, "port", at->line_port, "target_cdbm", (json_int_t)target_cdbm);
}

static enum lp_code
set_power(struct lp_run *run, json_t *doc, const json_t *intents, struct lp_err *err)
{
    struct lp_device **devices = NULL;
    json_auto_t *plan = NULL;
    const json_t *op;
    size_t i;
    enum lp_code rc = lp_device_demand(run, doc, err);

    if (rc == LP_OK)
        rc = lp_devices_open(run, &doc, 1, LP_DEVICE_WRITE, &devices, err);
    if (rc != LP_OK)
        return rc;
    rc = lp_device_plan(devices[0], intents, true, &plan, err);
    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        json_auto_t *report = NULL;

        if (rc == LP_OK)
            rc = devices[0]->driver->apply_op(devices[0]->ne, &devices[0]->call, op, NULL, &report,
                                              err);
    }
    lp_devices_close(devices, 1, rc);
    return rc;
}

/* One correction. *changed false: the module can do no more. */
static enum lp_code
correct(struct alignment *at, unsigned round, bool *changed, struct lp_err *err)
{
    json_auto_t *now = NULL, *intents = NULL, *back = NULL;
    int64_t present, next;
    enum lp_code rc = read_object(at, at->line_doc, at->sending, &now, err);

    if (rc != LP_OK)
        return rc;
    present = lp_json_int(now, "required_cdbm", lp_json_int(now, "tx_cdbm", 0));
    next = lp_power_next(&at->rules, at->difference_cdb, lp_json_int(now, "tx_cdbm", present),
                         lp_json_int(now, "min_cdbm", 0), lp_json_int(now, "max_cdbm", 0));
    *changed = next != present;
    if (!*changed)
        return LP_OK;
    at->before_cdb = at->difference_cdb;
    at->step_cdb = next - present;
    lp_run_progress(
        at->run, "%s %s: %lld.%02lld dB from its target, transmit power %lld.%02lld dBm",
        lp_json_str(at->line_doc, "name", ""), at->line_port, (long long)at->difference_cdb / 100,
        llabs(at->difference_cdb) % 100, (long long)next / 100, llabs(next) % 100);
    if (round == 0) { /* the way back: what it was before the first one */
        json_auto_t *former = power_intent(at, present);

        back = json_pack("{s:O, s:O}", "element", at->line_doc, "intents", former);
        rc = lp_run_compensation(at->run, 1, back, err);
    }
    intents = power_intent(at, next);
    return rc == LP_OK ? set_power(at->run, at->line_doc, intents, err) : rc;
}

static enum lp_code
align(struct alignment *at, struct lp_err *err)
{
    int64_t rounds = lp_conf_live_int(&at->conf->power_rounds);
    bool fits = false, changed = true;

    for (unsigned round = 0;; round++) {
        enum lp_code rc = measure(at, &fits, err);

        if (rc != LP_OK || fits)
            return rc;
        if ((int64_t)round >= rounds || !changed)
            return lp_fail(err, LP_PRECONDITION,
                           "%s %s: what the line system receives is %lld.%02lld dB off its target "
                           "after %u corrections; the window is %lld to %lld (0.01 dB)",
                           lp_json_str(at->line_doc, "name", ""), at->line_port,
                           (long long)at->difference_cdb / 100, llabs(at->difference_cdb) % 100,
                           round, (long long)at->rules.low_cdb, (long long)at->rules.high_cdb);
        rc = correct(at, round, &changed, err);
        if (rc != LP_OK)
            return rc;
    }
}

/* ---- the step ---- */

static enum lp_code
align_count(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    *count = rc == LP_OK ? ENDS
                               * json_array_size(json_object_get(
                                   sub->root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS))
                         : 0;
    return rc;
}

static enum lp_code
align_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const struct lp_conf *conf = run->conf;
    struct alignment at = {.run = run,
                           .conf = conf,
                           .rules = {.low_cdb = lp_conf_live_int(&conf->power_low_cdb),
                                     .high_cdb = lp_conf_live_int(&conf->power_high_cdb),
                                     .step_cdb = lp_conf_live_int(&conf->power_step_cdb)}};
    json_auto_t *closure = NULL;
    const char *subject = NULL;
    enum lp_code rc = lp_json_get_string(state, "subscription_id", &subject, err);

    (void)delta;
    if (rc == LP_OK)
        rc = lp_closure_load(run, subject, &closure, err);
    if (rc == LP_OK)
        rc = find_end(&at, closure, json_array_get(own_channels(closure), run->index / ENDS),
                      run->index % ENDS, err);
    if (rc == LP_OK && at.roadm_doc != NULL)
        rc = align(&at, err);
    alignment_free(&at);
    return rc;
}

static enum lp_code
align_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *list = NULL;
    json_t *row;
    size_t i;
    enum lp_code rc = lp_run_compensations(run, &list, err);

    (void)state;
    (void)delta;
    json_array_foreach(list, i, row)
    {
        json_t *doc = json_object_get(row, "doc");

        if (rc == LP_OK)
            rc = set_power(run, json_object_get(doc, "element"), json_object_get(doc, "intents"),
                           err);
    }
    return rc;
}

/* What runs already has the power that it runs with. */
static bool
aligns(const json_t *state)
{
    return !lp_json_true(state, "adopted");
}

const struct lp_step lp_step_align_power = {
    .key = "align_power",
    .title = "Align the power of the light",
    .kind = LP_STEP_EACH,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 4,
    .backoff_ms = {1000, 30000},
    .timeout_ms = 600000,
    .assignee = "NOC",
    .in_window = true,
    .when = aligns,
    .run = align_run,
    .undo = align_undo,
    .count = align_count,
};
