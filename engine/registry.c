/* Workflows by name: full step lists, definition hashes and the start-up check that reports every
 * fault at once. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/internal.h"

#define NAME_MAX_LEN  64
#define GROUP_DEPTH   4 /* groups within groups; deeper is a mistake in a table */
#define ATTEMPTS_MOST 1000u

/* ---- faults ---- */

/* Everything wrong with the tables; the text names workflow and step. */
struct faults {
    json_t *list;
    const char *workflow;
};

static void fault(struct faults *faults, const struct lp_step *step, const char *fmt, ...)
    LP_PRINTF(3, 4);

static void
fault(struct faults *faults, const struct lp_step *step, const char *fmt, ...)
{
    struct lp_buf text = LP_BUF_INIT;
    char what[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    lp_buf_printf(&text, "workflow '%s'", faults->workflow);
    if (step != NULL)
        lp_buf_printf(&text, ", step '%s'", step->key == NULL ? "(without key)" : step->key);
    lp_buf_printf(&text, ": %s", what);
    if (!text.failed)
        json_array_append_new(faults->list, json_string(text.data));
    lp_buf_free(&text);
}

static bool
word_ok(const char *word)
{
    size_t len = word == NULL ? 0 : strlen(word);

    return len > 0 && len <= NAME_MAX_LEN
           && strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool
text_ok(const char *text)
{
    return text != NULL && text[0] != '\0' && lp_utf8_valid(text, strlen(text));
}

/* ---- checks of one step ---- */

/* What each kind of step needs; everything it does not name must be absent. */
static const struct kind_rule {
    bool run, run_optional, form, validate, steps, count, items, undo;
} kind_rules[] = {
    [LP_STEP_ACTION] = {.run = true, .undo = true},
    [LP_STEP_INPUT] = {.form = true, .undo = true},
    [LP_STEP_CALLBACK] = {.run = true, .run_optional = true, .validate = true, .undo = true},
    [LP_STEP_WAIT] = {.run = true, .undo = true},
    [LP_STEP_GROUP] = {.steps = true},
    [LP_STEP_FANOUT] = {.items = true, .undo = true},
    [LP_STEP_EACH] = {.run = true, .count = true, .undo = true},
};
static_assert(LP_COUNT(kind_rules) == LP_STEP_KIND_COUNT, "a rule for every kind of step");

static void
need(struct faults *faults, const struct lp_step *step, bool wanted, bool optional, bool there,
     const char *what)
{
    if (wanted && !optional && !there)
        fault(faults, step, "a step of kind %s needs .%s", lp_step_kind_name(step->kind), what);
    if (!wanted && there)
        fault(faults, step, "a step of kind %s has no use for .%s", lp_step_kind_name(step->kind),
              what);
}

static void
check_kind(struct faults *faults, const struct lp_step *step)
{
    const struct kind_rule *rule = &kind_rules[step->kind];

    need(faults, step, rule->run, rule->run_optional, step->run != NULL, "run");
    need(faults, step, rule->form, false, step->form != NULL, "form");
    need(faults, step, rule->validate, true, step->validate != NULL, "validate");
    need(faults, step, rule->steps, false, step->steps != NULL && step->step_count > 0, "steps");
    need(faults, step, rule->count, false, step->count != NULL, "count");
    need(faults, step, rule->items, false, step->items != NULL, "items");
    if (rule->undo && (step->undo != NULL) == (step->no_undo != NULL))
        fault(faults, step, "exactly one of .undo and .no_undo must be given");
    if (!rule->undo && (step->undo != NULL || step->no_undo != NULL))
        fault(faults, step, "a group is undone through its sub-steps");
    if (step->no_undo != NULL && !text_ok(step->no_undo))
        fault(faults, step, ".no_undo must say why there is none");
}

static void
check_pages(struct faults *faults, const struct lp_step *step, const struct lp_form *form)
{
    if (form == NULL)
        return;
    if (form->count == 0 || form->pages == NULL)
        fault(faults, step, "the form has no page");
    for (size_t i = 0; form->pages != NULL && i < form->count; i++)
        if (form->pages[i].build == NULL)
            fault(faults, step, "page %zu of the form has no .build", i + 1);
}

static bool
assignee_ok(const char *assignee)
{
    static const char *const known[] = {"SYSTEM", "NOC", "CHANGES", "KLANTSUPPORT"};

    if (assignee == NULL)
        return true;
    for (size_t i = 0; i < LP_COUNT(known); i++)
        if (strcmp(assignee, known[i]) == 0)
            return true;
    return false;
}

static void
check_limits(struct faults *faults, const struct lp_step *step)
{
    if (step->attempts > ATTEMPTS_MOST)
        fault(faults, step, ".attempts is above %u", ATTEMPTS_MOST);
    if (step->backoff_ms[1] != 0 && step->backoff_ms[0] > step->backoff_ms[1])
        fault(faults, step, ".backoff_ms begins above its longest value");
    if (step->wait_ms < 0)
        fault(faults, step, ".wait_ms is negative");
    if (!assignee_ok(step->assignee))
        fault(faults, step, "unknown .assignee '%.40s'", step->assignee);
    if (step->kind == LP_STEP_INPUT && step->effects != LP_EFFECT_NONE)
        fault(faults, step, "an input step has no effects of its own");
    if (step->kind == LP_STEP_GROUP && step->effects != LP_EFFECT_NONE)
        fault(faults, step, "the effects of a group are those of its sub-steps");
    if (step->may_resume != NULL && step->kind != LP_STEP_INPUT)
        fault(faults, step, ".may_resume belongs to input steps");
    check_pages(faults, step, step->form);
}

static void check_steps(struct faults *faults, const struct lp_step *const *steps, size_t count,
                        unsigned depth);

static void
check_step(struct faults *faults, const struct lp_step *step, unsigned depth)
{
    if (!word_ok(step->key))
        fault(faults, step, "the key must be 1 to %d characters of a-z, 0-9 and _", NAME_MAX_LEN);
    if (!text_ok(step->title))
        fault(faults, step, "the title is missing");
    if ((unsigned)step->kind >= LP_STEP_KIND_COUNT
        || (unsigned)step->effects > LP_EFFECT_EXTERNAL) {
        fault(faults, step, "unknown kind or effects");
        return;
    }
    check_kind(faults, step);
    check_limits(faults, step);
    if (step->kind != LP_STEP_GROUP || step->steps == NULL)
        return;
    if (depth >= GROUP_DEPTH)
        fault(faults, step, "groups are nested deeper than %d", GROUP_DEPTH);
    else
        check_steps(faults, step->steps, step->step_count, depth + 1);
}

static void
check_steps(struct faults *faults, const struct lp_step *const *steps, size_t count, unsigned depth)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i] == NULL) {
            fault(faults, NULL, "step %zu is NULL", i + 1);
            continue;
        }
        check_step(faults, steps[i], depth);
        for (size_t j = 0; j < i; j++)
            if (steps[j] != NULL && steps[j]->key != NULL && steps[i]->key != NULL
                && strcmp(steps[i]->key, steps[j]->key) == 0)
                fault(faults, steps[i], "the key is used twice");
    }
}

/* ---- checks of one workflow ---- */

static bool
product_type_known(const struct lp_catalog *catalog, const char *type)
{
    size_t count = 0;
    const struct lp_product_type *products = lp_catalog_products(catalog, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(products[i].type, type) == 0)
            return true;
    return false;
}

static void
check_product(struct faults *faults, const struct lp_catalog *catalog, const struct lp_workflow *wf)
{
    if (wf->product != NULL && wf->all_products)
        fault(faults, NULL, "both .product and .all_products are set");
    if (wf->target == LP_TARGET_SYSTEM) {
        if (wf->product != NULL || wf->all_products)
            fault(faults, NULL, "a SYSTEM workflow belongs to no product");
        return;
    }
    if (wf->product == NULL && (!wf->all_products || wf->target == LP_TARGET_CREATE))
        fault(faults, NULL, "a %s workflow needs .product", lp_target_name(wf->target));
    if (wf->product != NULL && catalog != NULL && !product_type_known(catalog, wf->product))
        fault(faults, NULL, "unknown product type '%.64s'", wf->product);
}

static void
check_workflow(struct faults *faults, const struct lp_catalog *catalog,
               const struct lp_workflow *wf)
{
    if (!word_ok(wf->name))
        fault(faults, NULL, "the name must be 1 to %d characters of a-z, 0-9 and _", NAME_MAX_LEN);
    if (!text_ok(wf->description))
        fault(faults, NULL, "the description is missing");
    if (wf->role != LP_ROLE_NONE && wf->role != LP_ROLE_OPERATE && wf->role != LP_ROLE_ADMIN)
        fault(faults, NULL, "the role must be operate or admin");
    if (wf->steps == NULL && wf->step_count > 0)
        fault(faults, NULL, "the step list is missing");
    if (wf->target == LP_TARGET_CREATE && wf->step_count == 0)
        fault(faults, NULL, "a CREATE workflow must make its subscription in a step");
    if (wf->usable_in >= LP_BIT(LP_LC_COUNT))
        fault(faults, NULL, ".usable_in names unknown statuses");
    if (wf->without_lock && wf->target != LP_TARGET_MODIFY)
        fault(faults, NULL, ".without_lock is for MODIFY workflows");
    check_product(faults, catalog, wf);
    check_pages(faults, NULL, wf->form);
}

/* ---- full step lists ---- */

/* Built-in steps around the workflow's own, by target (engine-semantics 3.2 without the refresh
 * steps). */
static const struct frame {
    const struct lp_step *before[4], *after[4];
} frames[] = {
    [LP_TARGET_CREATE] = {{&lp_step_start}, {&lp_step_set_active, &lp_step_unlock, &lp_step_done}},
    [LP_TARGET_MODIFY] = {{&lp_step_start, &lp_step_link, &lp_step_lock},
                          {&lp_step_unlock, &lp_step_done}},
    [LP_TARGET_TERMINATE] = {{&lp_step_start, &lp_step_link, &lp_step_lock},
                             {&lp_step_set_terminated, &lp_step_unlock, &lp_step_done}},
    [LP_TARGET_SYSTEM] = {{&lp_step_start}, {&lp_step_done}},
    [LP_TARGET_VALIDATE] = {{&lp_step_start, &lp_step_link, &lp_step_lock},
                            {&lp_step_unlock, &lp_step_done}},
    [LP_TARGET_RECONCILE] = {{&lp_step_start, &lp_step_link, &lp_step_lock},
                             {&lp_step_unlock, &lp_step_done}},
};
static_assert(LP_COUNT(frames) == LP_TARGET_COUNT, "a frame for every target");
static const struct frame frame_without_lock = {{&lp_step_start, &lp_step_link}, {&lp_step_done}};

static size_t
copy_steps(const struct lp_step **to, const struct lp_step *const *from, size_t most)
{
    size_t n = 0;

    while (n < most && from[n] != NULL) {
        to[n] = from[n];
        n++;
    }
    return n;
}

static bool
build_steps(struct lp_registered *reg)
{
    const struct lp_workflow *wf = reg->workflow;
    const struct frame *frame = wf->without_lock ? &frame_without_lock : &frames[wf->target];

    reg->steps = calloc(wf->step_count + LP_COUNT(frame->before) + LP_COUNT(frame->after),
                        sizeof *reg->steps);
    if (reg->steps == NULL)
        return false;
    reg->step_count = copy_steps(reg->steps, frame->before, LP_COUNT(frame->before));
    for (size_t i = 0; wf->steps != NULL && i < wf->step_count; i++)
        reg->steps[reg->step_count++] = wf->steps[i];
    reg->step_count +=
        copy_steps(reg->steps + reg->step_count, frame->after, LP_COUNT(frame->after));
    return true;
}

/* [[key, kind, effects, [sub-steps]?]...]: what recovery depends on, and nothing else. With `undo`
 * also whether a step has one: stored for those who ask what a step that is gone could do. */
static json_t *
definition_of(const struct lp_step *const *steps, size_t count, bool undo)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *row = json_pack("[sss]", steps[i]->key, lp_step_kind_name(steps[i]->kind),
                                lp_effect_name(steps[i]->effects));

        if (steps[i]->kind == LP_STEP_GROUP)
            json_array_append_new(row, definition_of(steps[i]->steps, steps[i]->step_count, undo));
        else if (undo && steps[i]->undo != NULL)
            json_array_append_new(row, json_string("undo"));
        json_array_append_new(list, row);
    }
    return list;
}

static enum lp_code
build_definition(struct lp_registered *reg, struct lp_err *err)
{
    json_auto_t *hashed = definition_of(reg->steps, reg->step_count, false);
    json_auto_t *doc = definition_of(reg->steps, reg->step_count, true);
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(hashed, &text, &len, err);

    if (rc == LP_OK)
        lp_sha256_hex(text, len, reg->hash);
    free(text);
    return rc == LP_OK ? lp_json_canonical(doc, &reg->definition, &len, err) : rc;
}

/* ---- building ---- */

static void
add_workflow(struct lp_engine *engine, const struct lp_workflow *wf, struct faults *faults)
{
    struct lp_registered *reg = &engine->workflows[engine->workflow_count];

    faults->workflow = wf->name == NULL ? "(without name)" : wf->name;
    if (wf->name != NULL && lp_registry_find(engine, wf->name) != NULL)
        fault(faults, NULL, "the name is used twice");
    if ((unsigned)wf->target >= LP_TARGET_COUNT) {
        fault(faults, NULL, "unknown target");
        return;
    }
    check_workflow(faults, engine->catalog, wf);
    reg->workflow = wf;
    if (wf->name != NULL)
        reg->id = lp_catalog_id("workflow", wf->name);
    if (!build_steps(reg)) {
        fault(faults, NULL, "no memory");
        return;
    }
    engine->workflow_count++;
    check_steps(faults, reg->steps, reg->step_count, 1);
}

static void
add_set(struct lp_engine *engine, const struct lp_workflow_set *set, struct faults *faults)
{
    for (size_t i = 0; i < set->count; i++)
        add_workflow(engine, &set->rows[i], faults);
}

static enum lp_code
faults_fail(const struct faults *faults, struct lp_err *err)
{
    size_t count = json_array_size(faults->list);
    enum lp_code rc;

    if (count == 0)
        return LP_OK;
    rc = lp_fail(err, LP_INVALID, "the workflow tables have %zu fault%s: %s", count,
                 count == 1 ? "" : "s", json_string_value(json_array_get(faults->list, 0)));
    err->detail = json_pack("{s:O}", "problems", faults->list);
    return rc;
}

enum lp_code
lp_registry_build(struct lp_engine *engine, const struct lp_workflow_set *const *sets, size_t count,
                  struct lp_err *err)
{
    json_auto_t *list = json_array();
    struct faults faults = {.list = list};
    static const struct lp_workflow_set *const own[] = {
        &lp_workflows_builtin, &lp_workflows_validation, &lp_workflows_catalog};
    size_t total = 0;
    enum lp_code rc;

    for (size_t i = 0; i < LP_COUNT(own); i++)
        total += own[i]->count;
    for (size_t i = 0; i < count; i++)
        total += sets[i]->count;
    engine->workflows = calloc(total == 0 ? 1 : total, sizeof *engine->workflows);
    if (engine->workflows == NULL || list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for %zu workflows", total);
    for (size_t i = 0; i < LP_COUNT(own); i++)
        add_set(engine, own[i], &faults);
    for (size_t i = 0; i < count; i++)
        add_set(engine, sets[i], &faults);
    rc = faults_fail(&faults, err);
    for (size_t i = 0; rc == LP_OK && i < engine->workflow_count; i++)
        rc = build_definition(&engine->workflows[i], err);
    return rc;
}

void
lp_registry_free(struct lp_engine *engine)
{
    for (size_t i = 0; i < engine->workflow_count; i++) {
        free(engine->workflows[i].steps);
        free(engine->workflows[i].definition);
    }
    free(engine->workflows);
    engine->workflows = NULL;
    engine->workflow_count = 0;
}

/* ---- looking up ---- */

const struct lp_registered *
lp_registry_find(const struct lp_engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->workflow_count; i++) {
        const struct lp_workflow *wf = engine->workflows[i].workflow;

        if (wf->name != NULL && strcmp(wf->name, name) == 0)
            return &engine->workflows[i];
    }
    return NULL;
}

const struct lp_registered *
lp_registry_find_id(const struct lp_engine *engine, const char *workflow_id)
{
    for (size_t i = 0; i < engine->workflow_count; i++)
        if (strcmp(engine->workflows[i].id.text, workflow_id) == 0)
            return &engine->workflows[i];
    return NULL;
}

/* n of an each-row: digits only, no leading zero but "0" itself. */
static bool
row_number(const char *text, size_t *out)
{
    size_t n = 0;

    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0') || strlen(text) > 9)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (size_t)(*text - '0');
    }
    *out = n;
    return true;
}

static const struct lp_step *
find_step(const struct lp_step *const *steps, size_t count, const char *key, size_t *index)
{
    size_t len = strcspn(key, "/");

    for (size_t i = 0; i < count; i++) {
        const struct lp_step *step = steps[i];

        if (strlen(step->key) != len || memcmp(step->key, key, len) != 0)
            continue;
        if (key[len] == '\0')
            return step;
        if (step->kind == LP_STEP_GROUP)
            return find_step(step->steps, step->step_count, key + len + 1, index);
        if (step->kind == LP_STEP_EACH && row_number(key + len + 1, index))
            return step;
        return NULL;
    }
    return NULL;
}

const struct lp_step *
lp_registry_step(const struct lp_registered *reg, const char *key, size_t *index)
{
    size_t n = 0;
    const struct lp_step *step = find_step(reg->steps, reg->step_count, key, &n);

    if (index != NULL)
        *index = n;
    return step;
}

const char *
lp_label_needed(const struct lp_workflow *workflow, const struct lp_step *step)
{
    return step != NULL && step->label != NULL ? step->label : workflow->label;
}

const struct lp_workflow *
lp_engine_workflow(const struct lp_engine *engine, const char *name)
{
    const struct lp_registered *reg = lp_registry_find(engine, name);

    return reg == NULL ? NULL : reg->workflow;
}

const struct lp_workflow *const *
lp_engine_workflows(const struct lp_engine *engine, size_t *count)
{
    *count = engine->workflow_count;
    return engine->workflow_list;
}

const struct lp_step *const *
lp_engine_steps(const struct lp_engine *engine, const struct lp_workflow *workflow, size_t *count)
{
    const struct lp_registered *reg = lp_registry_find(engine, workflow->name);

    *count = reg == NULL ? 0 : reg->step_count;
    return reg == NULL ? NULL : (const struct lp_step *const *)reg->steps;
}

bool
lp_workflow_fits(const struct lp_workflow *workflow, const struct lp_product_type *product)
{
    if (workflow->target == LP_TARGET_SYSTEM)
        return false;
    return workflow->all_products
           || (workflow->product != NULL && strcmp(workflow->product, product->type) == 0);
}
