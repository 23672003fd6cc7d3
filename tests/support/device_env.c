#include "tests/support/device_env.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/test_main.h"

static char next_name[64], next_comment[64];
static const char *next_blocks[5];

/* ---- products ---- */

static enum lp_code
site_element(const struct lp_conf *conf, const json_t *closure, const json_t *sub, json_t **out,
             struct lp_err *err)
{
    const char *name = lp_json_str(json_object_get(sub, "root"), "rack_name", "");

    (void)conf;
    (void)closure;
    (void)err;
    *out = json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "id", lp_json_str(sub, "subscription_id", ""),
                     "name", name, "node", name, "driver", "fake", "addresses", "nowhere");
    return LP_OK;
}

static bool
uses(const json_t *root, const char *block)
{
    size_t i;
    json_t *end;

    json_array_foreach(json_object_get(root, "ends"), i,
                       end) if (strcmp(json_string_value(end), block) == 0) return true;
    return false;
}

/** Names of all lines over a site, in order: a pure function of the closure. */
static json_t *
label_of(const json_t *closure, const char *block)
{
    json_t *names = json_array(), *sub;
    const char *id;

    json_object_foreach(json_object_get(closure, "subscriptions"), id, sub)
    {
        const char *name = lp_json_str(json_object_get(sub, "root"), "cable_name", NULL);
        size_t at = 0;

        if (name == NULL || !uses(json_object_get(sub, "root"), block))
            continue;
        while (at < json_array_size(names)
               && strcmp(json_string_value(json_array_get(names, at)), name) < 0)
            at++;
        json_array_insert_new(names, at, json_string(name));
    }
    return json_pack("{s:s, s:s, s:s, s:{s:o}}", "id", "label", "kind", "port", "object", "label",
                     "attributes", "lines", names);
}

static enum lp_code
desire_at(const json_t *closure, const json_t *root, const char *block, json_t *out,
          struct lp_err *err)
{
    const char *element = lp_closure_owner(closure, block);
    const char *name = lp_json_str(root, "cable_name", "");
    char object[100];
    enum lp_code rc;

    snprintf(object, sizeof object, "port:%s", name);
    rc = lp_desire(out, element,
                   json_pack("{s:s, s:s, s:s, s:b, s:b, s:{s:s, s:s}}", "id", object, "kind",
                             "port", "object", object, "traffic",
                             (int)(strstr(lp_json_str(root, "label", ""), "traffic") != NULL),
                             "irreversible",
                             (int)(strstr(lp_json_str(root, "label", ""), "for good") != NULL),
                             "attributes", "name", name, "comment", lp_json_str(root, "label", "")),
                   err);
    return rc == LP_OK ? lp_desire(out, element, label_of(closure, block), err) : rc;
}

static enum lp_code
line_desired(const struct lp_conf *conf, const json_t *closure, json_t **out, struct lp_err *err)
{
    const json_t *root = lp_closure_root(closure);
    json_auto_t *made = json_object();
    enum lp_code rc = LP_OK;
    size_t i;
    json_t *end;

    (void)conf;
    json_array_foreach(json_object_get(root, "ends"), i, end)
    {
        if (rc == LP_OK)
            rc = desire_at(closure, root, json_string_value(end), made, err);
    }
    *out = lp_json_take(&made);
    return rc;
}

static const char *const shared[] = {"RackPort", NULL};
static const struct lp_product site = {.type = "Rack", .element = site_element};
static const struct lp_product line = {
    .type = "Cable", .desired = line_desired, .shared_blocks = shared};

static const struct lp_product *
product_of(const char *type)
{
    return strcmp(type, site.type) == 0 ? &site : strcmp(type, line.type) == 0 ? &line : NULL;
}

struct lp_services lp_device_services = {.driver_of = lp_fake_driver_of, .product_of = product_of};

/* ---- workflows ---- */

static json_t *
line_root(void)
{
    json_t *root =
        json_pack("{s:s, s:s, s:[]}", "cable_name", next_name, "label", next_comment, "ends");

    for (size_t i = 0; next_blocks[i] != NULL; i++)
        json_array_append_new(json_object_get(root, "ends"), json_string(next_blocks[i]));
    return root;
}

static enum lp_code
make_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *root = line_root();
    struct lp_subscription *sub = NULL;
    enum lp_code rc;

    (void)state;
    rc = lp_subscription_new(run->catalog, lp_catalog_product(run->catalog, "Cable"), NULL, root,
                             run->clock, &sub, err);
    if (rc == LP_OK)
        rc = lp_subscription_set_description(sub, next_name, err);
    if (rc == LP_OK)
        rc = lp_subscription_set_status(sub, run->catalog, LP_LC_PROVISIONING, run->clock, err);
    if (rc == LP_OK)
        rc = lp_run_create(run, sub, delta, err);
    lp_subscription_free(sub);
    return rc;
}

static enum lp_code
make_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    (void)delta;
    if (rc == LP_OK)
        rc = lp_subscription_set_status(sub, run->catalog, LP_LC_TERMINATED, run->clock, err);
    return rc == LP_OK ? lp_run_save(run, sub, err) : rc;
}

static enum lp_code
change_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);
    json_t *root;

    if (rc != LP_OK)
        return rc;
    root = json_deep_copy(sub->root);
    lp_json_set_str(delta, "comment_before", lp_json_str(root, "label", ""));
    lp_json_set_str(root, "label", next_comment);
    rc = lp_subscription_set_root(sub, run->catalog, root, run->clock, err);
    return rc == LP_OK ? lp_run_save(run, sub, err) : rc;
}

static enum lp_code
change_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);
    json_t *root;

    (void)delta;
    if (rc != LP_OK)
        return rc;
    root = json_deep_copy(sub->root);
    lp_json_set_str(root, "label", lp_json_str(state, "comment_before", ""));
    rc = lp_subscription_set_root(sub, run->catalog, root, run->clock, err);
    return rc == LP_OK ? lp_run_save(run, sub, err) : rc;
}

#define STEP(name, title_, fn, back)                                                               \
    static const struct lp_step name = {.key = #name,                                              \
                                        .title = (title_),                                         \
                                        .kind = LP_STEP_ACTION,                                    \
                                        .effects = LP_EFFECT_DB,                                   \
                                        .run = (fn),                                               \
                                        .undo = (back)}
STEP(make, "Make the line", make_run, make_undo);
STEP(change, "Change the line", change_run, change_undo);

static enum lp_code
text_page(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field fields[] = {
        {.name = "device_id", .kind = LP_FIELD_STRING, .required_in = -1, .required = true},
        {.name = "command", .kind = LP_FIELD_STRING, .required_in = -1}};

    (void)ctx;
    (void)err;
    for (size_t i = 0; i < LP_COUNT(fields); i++)
        lp_form_page_add(page, &fields[i]);
    return LP_OK;
}

static const struct lp_page pages[] = {{.title = "Device", .build = text_page}};
static const struct lp_form device_form = {LP_PAGES(pages)};

/** A chassis that is dead: what is ours there is given up. */
static enum lp_code
force_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    (void)ctx;
    if (json_object_set_new(output, "force", json_pack("{s:s}", "reason", "burnt down")) != 0)
        return lp_fail(err, LP_NOMEM, "no memory");
    return LP_OK;
}

static enum lp_code
force_page(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field field = {.name = "sure", .kind = LP_FIELD_BOOL, .required_in = -1};

    (void)ctx;
    (void)err;
    lp_form_page_add(page, &field);
    return LP_OK;
}

static const struct lp_page force_pages[] = {{.title = "Without its devices", .build = force_page}};
static const struct lp_form force_form = {LP_PAGES(force_pages), .finish = force_finish};

#define PIPELINE &lp_step_plan, &lp_step_approve, &lp_step_apply, &lp_step_verify
static const struct lp_step *const make_line[] = {&make, PIPELINE};
static const struct lp_step *const change_line[] = {&change, PIPELINE};
static const struct lp_step *const remove_line[] = {PIPELINE};
static const struct lp_step *const check_line[] = {&lp_step_verify};
static const struct lp_step *const repair_line[] = {PIPELINE};
static const struct lp_step *const task_read[] = {&lp_step_read_inventory};
static const struct lp_step *const task_command[] = {&lp_step_command};

static const struct lp_workflow rows[] = {
    {.name = "make_line",
     .description = "Make a line",
     .target = LP_TARGET_CREATE,
     .product = "Cable",
     LP_STEPS(make_line)},
    {.name = "change_line",
     .description = "Change a line",
     .target = LP_TARGET_MODIFY,
     .product = "Cable",
     LP_STEPS(change_line)},
    {.name = "remove_line",
     .description = "Remove a line",
     .target = LP_TARGET_TERMINATE,
     .product = "Cable",
     LP_STEPS(remove_line)},
    {.name = "abandon_line",
     .description = "Remove a line without its devices",
     .target = LP_TARGET_TERMINATE,
     .product = "Cable",
     .form = &force_form,
     LP_STEPS(remove_line)},
    {.name = "check_line",
     .description = "Check a line",
     .target = LP_TARGET_VALIDATE,
     .product = "Cable",
     .is_task = true,
     LP_STEPS(check_line)},
    {.name = "repair_line",
     .description = "Repair a line",
     .target = LP_TARGET_RECONCILE,
     .product = "Cable",
     LP_STEPS(repair_line)},
    {.name = "task_read",
     .description = "Read a device",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &device_form,
     LP_STEPS(task_read)},
    {.name = "task_command",
     .description = "Ask a device",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &device_form,
     LP_STEPS(task_command)},
    {.name = "task_write_command",
     .description = "Tell a device",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_ADMIN,
     .form = &device_form,
     LP_STEPS(task_command)},
};
const struct lp_workflow_set lp_device_workflows = {rows, LP_COUNT(rows)};

/* ---- what tests call ---- */

void
lp_device_env_open(struct lp_run_env *env, enum lp_dialect dialect)
{
    lp_fake_reset();
    lp_run_env_open(env, dialect, &lp_device_workflows);
    env->services = &lp_device_services;
    env->conf_lines[env->conf_count++] = "devices.default_mode=manage";
    lp_run_env_start(env);
}

void
lp_device_env_site(struct lp_run_env *env, const char *name, char *id, char *block)
{
    struct lp_save_context context = {.actor = "test", .clock = &env->db.clock};
    json_auto_t *input = json_pack("{s:s, s:b, s:[{s:s}]}", "rack_name", name, "active_only", 1,
                                   "ports", "port_name", name);
    struct lp_subscription *sub = NULL;
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;
    bool changed = false;

    lp_test_ok(lp_subscription_new(env->catalog, lp_catalog_product(env->catalog, "Rack"), NULL,
                                   input, &env->db.clock, &sub, &err),
               &err);
    lp_test_ok(lp_subscription_set_status(sub, env->catalog, LP_LC_ACTIVE, &env->db.clock, &err),
               &err);
    lp_test_ok(lp_subscription_set_description(sub, name, &err), &err);
    sub->insync = true;
    lp_test_ok(lp_subscription_save(unit, sub, env->catalog, &context, &changed, &err), &err);
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    snprintf(id, LP_UUID_LEN + 1, "%s", sub->id);
    snprintf(block, LP_UUID_LEN + 1, "%s",
             lp_json_str(json_array_get(json_object_get(sub->root, "ports"), 0),
                         "subscription_instance_id", ""));
    lp_unit_free(unit);
    lp_subscription_free(sub);
}

void
lp_device_env_line(const char *name, const char *comment, const char *const *blocks)
{
    snprintf(next_name, sizeof next_name, "%s", name);
    snprintf(next_comment, sizeof next_comment, "%s", comment);
    memset((void *)next_blocks, 0, sizeof next_blocks);
    for (size_t i = 0; i < 4 && blocks[i] != NULL; i++)
        next_blocks[i] = blocks[i];
}

void
lp_device_env_comment(const char *comment)
{
    snprintf(next_comment, sizeof next_comment, "%s", comment);
}

void
lp_device_env_start(struct lp_run_env *env, const char *workflow, const char *subscription,
                    bool dry_run, char id[static LP_UUID_LEN + 1])
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *input =
        subscription != NULL && strcmp(workflow, "abandon_line") == 0
            ? json_pack("[{s:s}, {}]", "subscription_id", subscription)
        : subscription != NULL
            ? json_pack("[{s:s}]", "subscription_id", subscription)
            : json_pack("[{s:s}]", "product", lp_catalog_product(env->catalog, "Cable")->id.text);

    lp_test_ok(lp_engine_begin(
                   env->engine, &lp_test_caller,
                   &(struct lp_start){.workflow = workflow, .pages = input, .dry_run = dry_run}, id,
                   &err),
               &err);
}

void
lp_device_env_make(struct lp_run_env *env, char *subscription)
{
    char id[LP_UUID_LEN + 1];
    json_auto_t *state = NULL;

    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    snprintf(subscription, LP_UUID_LEN + 1, "%s", lp_json_str(state, "subscription_id", ""));
}
