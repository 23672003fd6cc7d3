#include "steps/software.h"

#include <string.h>

#include "steps/device_internal.h"
#include "steps/forms.h"
#include "steps/impact.h"

#define LOOK_MS 5000 /* a wait looks for so long, then gives its thread back */
#define WAKE_US 5000000

/* ---- form ---- */

static const struct lp_field fields[] = {
    {.name = "device",
     .title = "Device",
     .description = "id, host name, node name or address",
     .kind = LP_FIELD_STRING,
     .required = true,
     .required_in = -1,
     .has_min = true,
     .min = 1,
     .has_max = true,
     .max = 255},
    {.name = "release",
     .title = "Release",
     .description = "as the element calls it, such as FP4.8.0 or R8.0.2",
     .kind = LP_FIELD_STRING,
     .required = true,
     .required_in = -1,
     .has_min = true,
     .min = 1,
     .has_max = true,
     .max = 64},
    {.name = "file",
     .title = "File",
     .description = "where the element gets the image: sftp://user@host/path, without a password",
     .kind = LP_FIELD_STRING,
     .required = true,
     .required_in = -1,
     .has_min = true,
     .min = 1,
     .has_max = true,
     .max = 500},
    {.name = "backup",
     .title = "Backup",
     .description = "where the element puts a copy of its database first; empty: nowhere",
     .kind = LP_FIELD_STRING,
     .required_in = -1,
     .has_max = true,
     .max = 500},
};

static enum lp_code
software_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    (void)ctx, (void)err;
    for (size_t i = 0; i < LP_COUNT(fields); i++)
        lp_form_page_add(page, &fields[i]);
    return LP_OK;
}

/* "sftp://user:secret@host": the text would be kept with the process. */
static bool
holds_password(const char *url)
{
    const char *at = strstr(url, "://"), *colon, *host;

    if (at == NULL)
        return lp_driver_text_has_secret(url);
    colon = strchr(at + 3, ':');
    host = strrchr(at + 3, '@'); /* the last one: a name may have one, too */
    return colon != NULL && host != NULL && colon < host;
}

static enum lp_code
software_check_form(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                    struct lp_err *err)
{
    static const char *const urls[] = {"file", "backup"};
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_device_find(ctx->store, lp_json_str(input, "device", ""), id, NULL, err);

    for (size_t i = 0; i < LP_COUNT(urls); i++) {
        if (holds_password(lp_json_str(input, urls[i], "")))
            lp_problem_field(problems, "value_error", urls[i], NULL,
                             "an address with a password would be kept with its process: let the "
                             "server know the element's key");
    }
    if (rc != LP_NOT_FOUND && rc != LP_CONFLICT)
        return rc;
    lp_problem_field(problems, "value_error", "device", json_object_get(input, "device"), "%s",
                     err->msg);
    lp_err_clear(err);
    return LP_OK;
}

static enum lp_code
software_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_device_find(ctx->store, lp_json_str(output, "device", ""), id, NULL, err);

    if (rc == LP_OK && lp_json_set_str(output, "device_id", id) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

/* ---- cards restart: what rides on the device is named, and confirmed ---- */

/* [id of the device]; empty when it is none. New reference. */
static json_t *
chosen_device(const struct lp_form_ctx *ctx)
{
    struct lp_err ignored = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    enum lp_code rc =
        lp_device_find(ctx->store, lp_json_str(ctx->answers, "device", ""), id, NULL, &ignored);

    lp_err_clear(&ignored);
    return rc == LP_OK ? json_pack("[s]", id) : json_array();
}

static bool
interrupts(const struct lp_form_ctx *ctx)
{
    json_auto_t *ids = chosen_device(ctx);

    return lp_form_is_ridden(ctx, ids);
}

static enum lp_code
interrupts_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *ids = chosen_device(ctx);

    return lp_form_add_confirmation(ctx, page, ids, err);
}

static enum lp_code
interrupts_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                 struct lp_err *err)
{
    json_auto_t *ids = chosen_device(ctx);

    return lp_form_check_confirmation(ctx, ids, input, problems, err);
}

static const struct lp_page pages[] = {
    {.title = "Software", .build = software_build, .check = software_check_form},
    {.title = "Traffic", .when = interrupts, .build = interrupts_build, .check = interrupts_check},
};
const struct lp_form lp_form_software = {LP_PAGES(pages), .finish = software_finish};

/* ---- the element ---- */

static enum lp_code
open_one(struct lp_run *run, const json_t *state, enum lp_device_use use, struct lp_device ***out,
         struct lp_err *err)
{
    const char *id = NULL;
    json_auto_t *doc = NULL;
    enum lp_code rc = lp_json_get_string(state, "device_id", &id, err);

    if (rc == LP_OK)
        rc = lp_device_doc(run, id, &doc, err);
    if (rc == LP_OK && use == LP_DEVICE_WRITE)
        rc = lp_device_demand(run, doc, err);
    if (rc == LP_OK)
        rc = lp_devices_open(run, &doc, 1, use, out, err);
    if (rc == LP_OK && !lp_driver_can((*out)[0]->driver, LP_CAP_SW_UPGRADE)) {
        rc = lp_fail(err, LP_UNSUPPORTED, "the software of %s cannot be upgraded from here",
                     (*out)[0]->element.name);
        lp_devices_close(*out, 1, rc);
    }
    return rc;
}

/* stage NULL: all of them. */
static json_t *
intents_of(const json_t *state, const char *stage)
{
    const json_t *baseline = json_object_get(json_object_get(state, "software_before"), "baseline");
    json_t *intent = json_pack(
        "{s:s, s:s, s:b, s:s, s:s, s:s, s:O*}", "id", "software", "kind", "software", "present", 1,
        "release", lp_json_str(state, "release", ""), "file", lp_json_str(state, "file", ""),
        "backup", lp_json_str(state, "backup", ""), "baseline", baseline);

    if (stage != NULL)
        (void)json_object_set_new(intent, "stages", json_pack("[s]", stage));
    return json_pack("[o]", intent);
}

static enum lp_code
plan_stage(struct lp_run *run, const json_t *state, const char *stage, json_t **plan,
           json_t **before, struct lp_err *err)
{
    json_auto_t *intents = intents_of(state, stage), *image = NULL, *health = NULL;
    struct lp_device **devices = NULL;
    enum lp_code rc = open_one(run, state, LP_DEVICE_READ, &devices, err);
    struct lp_device *device;

    if (rc != LP_OK)
        return rc;
    device = devices[0];
    rc = lp_device_plan(device, intents, false, plan, err);
    if (rc == LP_OK && before != NULL)
        rc = device->driver->read(device->ne, &device->call, "sw:image", &image, err);
    if (rc == LP_OK && before != NULL)
        rc = device->driver->read(device->ne, &device->call, "sw:health", &health, err);
    if (rc == LP_OK && before != NULL)
        *before = json_pack("{s:O?, s:O}", "release", json_object_get(image, "active"), "baseline",
                            health);
    lp_devices_close(devices, 1, rc);
    return rc;
}

/* ---- steps ---- */

static enum lp_code
check_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *plan = NULL, *before = NULL;
    const json_t *op;
    size_t i;
    enum lp_code rc = plan_stage(run, state, NULL, &plan, &before, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(json_object_get(plan, "operations"), i, op)
        lp_run_progress(run, "%s", lp_json_str(op, "text", ""));
    (void)json_object_set(delta, "software_before", before);
    return LP_OK;
}

const struct lp_step lp_step_software_check = {
    .key = "software_check",
    .title = "See what runs, what would be done and how well the element is",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 3,
    .backoff_ms = {2000, 30000},
    .timeout_ms = 300000,
    .assignee = "NOC",
    .run = check_run,
    .no_undo = "reads only",
    .only_reads = true,
};

static const char plan_prefix[] = "software_plan_";

static enum lp_code
plan_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *key = run->step->key, *stage = key + sizeof plan_prefix - 1;
    json_auto_t *plan = NULL;
    enum lp_code rc = plan_stage(run, state, stage, &plan, NULL, err);

    if (rc != LP_OK)
        return rc;
    (void)json_object_set_new(delta, key,
                              json_pack("{s:O, s:O, s:O}", "identity",
                                        json_object_get(plan, "identity"), "as_of",
                                        json_object_get(plan, "as_of"), "operations",
                                        json_object_get(plan, "operations")));
    return LP_OK;
}

static const json_t *
stage_plan(const struct lp_run *run, const json_t *state)
{
    const char *stage = run->step->key + strlen("software_");
    const char *key = lp_arena_printf(run->arena, "%s%s", plan_prefix, stage);

    return key != NULL ? json_object_get(state, key) : NULL;
}

static enum lp_code
stage_count(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)err;
    *count = json_array_size(json_object_get(stage_plan(run, state), "operations"));
    return LP_OK;
}

#define SINCE "software_since" /* in the state: when the last action was done */

static bool
is_wait(const json_t *op)
{
    return strcmp(lp_json_str(op, "action", ""), "wait") == 0;
}

/* All that the action and the waits for it may take together. It counts from the action, not from
 * the plan: between the two may lie a night, until the maintenance window opens. */
static bool
is_over(const struct lp_run *run, const json_t *state, const json_t *plan)
{
    const json_t *ops = json_object_get(plan, "operations");
    int64_t until = lp_json_int(state, SINCE, 0);

    for (size_t i = run->index + 1; i-- > 0;) {
        const json_t *op = json_array_get(ops, i);

        until += lp_json_int(op, "timeout_ms", 0) * 1000;
        if (!is_wait(op))
            break;
    }
    return lp_clock_utc_us(run->clock) > until;
}

static enum lp_code
wait_on(struct lp_run *run, const json_t *state, const json_t *plan, struct lp_err *err)
{
    if (is_over(run, state, plan)) {
        err->code = LP_DRIFT;
        return lp_err_prefix(err, "the time is over: ");
    }
    lp_run_progress(run, "%s", err->msg);
    lp_run_wake_at(run, lp_clock_utc_us(run->clock) + WAKE_US, err->msg);
    return LP_RETRYABLE;
}

static enum lp_code
apply_op(struct lp_run *run, struct lp_device *device, const json_t *plan, const json_t *op,
         bool waits, struct lp_err *err)
{
    int64_t most = waits ? LOOK_MS : lp_json_int(op, "timeout_ms", LOOK_MS);
    /* whoever had this before may have died behind sending it: the attempt was written first */
    json_auto_t *sent = run->unknown ? json_pack("{s:b}", "sent", 1) : NULL;
    json_auto_t *report = NULL;
    enum lp_code rc =
        waits ? LP_OK : lp_device_same(device, json_object_get(plan, "identity"), err);

    device->deadline_us = lp_clock_mono_us(run->clock) + most * 1000;
    return rc == LP_OK ? device->driver->apply_op(device->ne, &device->call, op, sent, &report, err)
                       : rc;
}

static enum lp_code
stage_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *plan = stage_plan(run, state);
    const json_t *op = json_array_get(json_object_get(plan, "operations"), run->index);
    bool waits = is_wait(op);
    struct lp_device **devices = NULL;
    enum lp_code rc = open_one(run, state, waits ? LP_DEVICE_READ : LP_DEVICE_WRITE, &devices, err);

    if (rc != LP_OK)
        return rc;
    lp_run_progress(run, "%s", lp_json_str(op, "text", ""));
    rc = apply_op(run, devices[0], plan, op, waits, err);
    lp_run_audit(run, "device", json_string(devices[0]->element.name));
    lp_devices_close(devices, 1, rc);
    if (rc == LP_OK && !waits)
        (void)lp_json_set_int(delta, SINCE, lp_clock_utc_us(run->clock));
    return rc == LP_RETRYABLE && waits ? wait_on(run, state, plan, err) : rc;
}

#define STAGE(name, plan_title, title_)                                                            \
    const struct lp_step lp_step_software_plan_##name = {                                          \
        .key = "software_plan_" #name,                                                             \
        .title = plan_title,                                                                       \
        .kind = LP_STEP_ACTION,                                                                    \
        .effects = LP_EFFECT_EXTERNAL,                                                             \
        .attempts = 5,                                                                             \
        .backoff_ms = {2000, 60000},                                                               \
        .timeout_ms = 300000,                                                                      \
        .assignee = "NOC",                                                                         \
        .run = plan_run,                                                                           \
        .no_undo = "reads only",                                                                   \
        .only_reads = true,                                                                        \
    };                                                                                             \
    const struct lp_step lp_step_software_##name = {                                               \
        .key = "software_" #name,                                                                  \
        .title = title_,                                                                           \
        .kind = LP_STEP_EACH,                                                                      \
        .effects = LP_EFFECT_EXTERNAL,                                                             \
        .attempts = 5,                                                                             \
        .backoff_ms = {2000, 60000},                                                               \
        .timeout_ms = 1800000,                                                                     \
        .assignee = "NOC",                                                                         \
        .in_window = true,                                                                         \
        .run = stage_run,                                                                          \
        .count = stage_count,                                                                      \
        .no_undo = "a release that runs is left by activating another one",                        \
    }

STAGE(load, "Plan the loading", "Load the image");
STAGE(activate, "Plan the activation", "Activate the image and see that all is well again");
STAGE(cards, "Find the cards with old firmware", "Restart one card after the other");
