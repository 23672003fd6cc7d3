#include "tests/support/engine_tables.h"

#include <string.h>

unsigned lp_test_builds[3];
_Atomic unsigned lp_test_failures;
void (*lp_test_between)(void *arg);
void *lp_test_between_arg;
const char *lp_test_share;

/* ---- steps ---- */

static enum lp_code
do_nothing(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)delta;
    (void)err;
    return LP_OK;
}

static const struct lp_step work = {.key = "work",
                                    .title = "Work",
                                    .kind = LP_STEP_ACTION,
                                    .no_undo = "does nothing",
                                    .run = do_nothing};
static const struct lp_step more = {.key = "more",
                                    .title = "Work more",
                                    .kind = LP_STEP_ACTION,
                                    .no_undo = "does nothing",
                                    .run = do_nothing};
static const struct lp_step wait_for = {.key = "wait",
                                        .title = "Wait for the other side",
                                        .kind = LP_STEP_CALLBACK,
                                        .no_undo = "asks only",
                                        .run = do_nothing};
static const struct lp_step *const work_steps[] = {&work};
static const struct lp_step *const callback_steps[] = {&work, &wait_for, &more};

/* ---- forms ---- */

static struct lp_field
field(const char *name, enum lp_field_kind kind, bool required)
{
    return (struct lp_field){.name = name, .kind = kind, .required = required, .required_in = -1};
}

static enum lp_code
name_page(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_field code = field("code", LP_FIELD_STRING, true);

    (void)ctx;
    (void)err;
    lp_test_builds[0]++;
    code.has_max = true;
    code.max = 8;
    lp_form_page_add(page, &code);
    return LP_OK;
}

static enum lp_code
size_page(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_enum_value speeds[] = {{"100", NULL}, {"400", NULL}};
    struct lp_field size = field("size", LP_FIELD_INT, true);
    struct lp_field speed = field("speed", LP_FIELD_ENUM, true);

    (void)ctx;
    (void)err;
    lp_test_builds[1]++;
    size.has_min = size.has_max = true;
    size.min = 1;
    size.max = 100;
    speed.values = speeds;
    speed.value_count = LP_COUNT(speeds);
    lp_form_page_add(page, &size);
    lp_form_page_add(page, &speed);
    return LP_OK;
}

static enum lp_code
size_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
           struct lp_err *err)
{
    (void)err;
    if (lp_json_int(input, "size", 0) == 13)
        lp_problem_field(problems, "value_error", "size", json_object_get(input, "size"),
                         "Node %s cannot have size 13", lp_json_str(ctx->answers, "code", "?"));
    return LP_OK;
}

static enum lp_code
confirm_page(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_field sure = field("sure", LP_FIELD_BOOL, true);

    (void)ctx;
    (void)err;
    lp_test_builds[2]++;
    lp_form_page_add(page, &sure);
    return LP_OK;
}

static bool
is_big(const struct lp_form_ctx *ctx)
{
    return lp_json_int(ctx->answers, "size", 0) > 50;
}

static enum lp_code
create_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    (void)ctx;
    (void)err;
    lp_json_set_bool(output, "finished", true);
    return LP_OK;
}

static const struct lp_page create_pages[] = {
    {.title = "Name of the node", .build = name_page},
    {.title = "Size of the node", .build = size_page, .check = size_check},
    {.title = "Big nodes are rare", .when = is_big, .build = confirm_page},
};
static const struct lp_form create_form = {LP_PAGES(create_pages), .finish = create_finish};

static enum lp_code
ask_a_page(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_field answer = field("answer_a", LP_FIELD_STRING, true);

    (void)ctx;
    (void)err;
    lp_form_page_add(page, &answer);
    return LP_OK;
}

static enum lp_code
ask_b_page(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_field answer = field("answer_b", LP_FIELD_INT, true);

    (void)ctx;
    (void)err;
    lp_form_page_add(page, &answer);
    return LP_OK;
}

static const struct lp_page pages_a[] = {{.title = "Form A", .build = ask_a_page}};
static const struct lp_page pages_b[] = {{.title = "Form B", .build = ask_b_page}};
static const struct lp_form form_a = {LP_PAGES(pages_a)};
static const struct lp_form form_b = {LP_PAGES(pages_b)};

/* ---- authorizers ---- */

static bool
only_vip(const struct lp_caller *caller, enum lp_action action, const struct lp_workflow *workflow,
         const struct lp_step *step)
{
    (void)action;
    (void)workflow;
    (void)step;
    return strcmp(caller->actor, "vip") == 0;
}

static bool
is_awake(const json_t *state)
{
    (void)state;
    return true;
}

static const struct lp_step ask_a = {.key = "ask_a",
                                     .title = "Ask A",
                                     .kind = LP_STEP_INPUT,
                                     .no_undo = "asks only",
                                     .form = &form_a};
static const struct lp_step ask_b = {.key = "ask_b",
                                     .title = "Ask B",
                                     .kind = LP_STEP_INPUT,
                                     .no_undo = "asks only",
                                     .form = &form_b,
                                     .when = is_awake,
                                     .may_resume = only_vip};
static const struct lp_step *const group_steps[] = {&ask_a, &work, &ask_b};
static const struct lp_step group = {.key = "group",
                                     .title = "Questions",
                                     .kind = LP_STEP_GROUP,
                                     .steps = group_steps,
                                     .step_count = LP_COUNT(group_steps)};
static const struct lp_step *const asking_steps[] = {&group, &more};

static enum lp_code
fail_always(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)delta;
    lp_test_failures++;
    return lp_fail(err, LP_REFUSED, "the other side says no");
}

static const struct lp_step bad = {.key = "bad",
                                   .title = "Fail",
                                   .kind = LP_STEP_ACTION,
                                   .no_undo = "does nothing",
                                   .run = fail_always};
static const struct lp_step *const failing_group[] = {&work, &bad, &more};
static const struct lp_step fails = {.key = "fails",
                                     .title = "Works, fails, works",
                                     .kind = LP_STEP_GROUP,
                                     .steps = failing_group,
                                     .step_count = LP_COUNT(failing_group)};
static const struct lp_step *const failing_steps[] = {&fails, &more};

/* ---- what happens between form and commit ---- */

static enum lp_code
modify_shares(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    (void)ctx;
    (void)output;
    (void)ids;
    (void)err;
    if (lp_test_between != NULL)
        lp_test_between(lp_test_between_arg);
    return LP_OK;
}

static enum lp_code
share_one(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    (void)ctx;
    (void)output;
    (void)err;
    if (lp_test_share != NULL)
        json_array_append_new(ids, json_string(lp_test_share));
    return LP_OK;
}

static enum lp_code
refuse(struct lp_reader *reader, const struct lp_workflow *workflow, struct lp_err *err)
{
    (void)reader;
    return lp_fail(err, LP_PRECONDITION, "%s may only run once", workflow->name);
}

/* clang-format off */
static const struct lp_workflow rows[] = {
    {.name = "create_node", .description = "Create a node", .target = LP_TARGET_CREATE, .product = "TestNode",
     .form = &create_form, LP_STEPS(work_steps)},
    {.name = "modify_node", .description = "Modify a node", .target = LP_TARGET_MODIFY, .product = "TestNode",
     .shares = modify_shares, LP_STEPS(work_steps)},
    {.name = "modify_node_vip", .description = "Modify a node with care", .target = LP_TARGET_MODIFY, .product = "TestNode",
     .may_start = only_vip, LP_STEPS(work_steps)},
    {.name = "share_node", .description = "Modify a node beside another", .target = LP_TARGET_MODIFY, .product = "TestNode",
     .shares = share_one, LP_STEPS(work_steps)},
    {.name = "terminate_node", .description = "Terminate a node", .target = LP_TARGET_TERMINATE, .product = "TestNode",
     LP_STEPS(work_steps)},
    {.name = "remove_node", .description = "Terminate a node in any state of sync", .target = LP_TARGET_TERMINATE,
     .product = "TestNode", .usable_out_of_sync = true, LP_STEPS(work_steps)},
    {.name = "validate_node", .description = "Validate a node", .target = LP_TARGET_VALIDATE, .is_task = true,
     .product = "TestNode", LP_STEPS(work_steps)},
    {.name = "reconcile_node", .description = "Reconcile a node", .target = LP_TARGET_RECONCILE, .product = "TestNode",
     LP_STEPS(work_steps)},
    {.name = "modify_link", .description = "Modify a link", .target = LP_TARGET_MODIFY, .product = "TestLink",
     LP_STEPS(work_steps)},
    {.name = "task_plain", .description = "A task", .target = LP_TARGET_SYSTEM, .is_task = true, LP_STEPS(work_steps)},
    {.name = "task_vip", .description = "A task for few", .target = LP_TARGET_SYSTEM, .is_task = true, .may_start = only_vip,
     LP_STEPS(work_steps)},
    {.name = "task_admin", .description = "A task for administrators", .target = LP_TARGET_SYSTEM, .is_task = true,
     .role = LP_ROLE_ADMIN, LP_STEPS(work_steps)},
    {.name = "task_once", .description = "A task that refuses", .target = LP_TARGET_SYSTEM, .is_task = true,
     .predicate = refuse, LP_STEPS(work_steps)},
    {.name = "asking", .description = "Asks twice within a group", .target = LP_TARGET_SYSTEM, LP_STEPS(asking_steps)},
    {.name = "failing", .description = "Fails within a group", .target = LP_TARGET_SYSTEM, .is_task = true,
     LP_STEPS(failing_steps)},
    {.name = "calling", .description = "Waits for a callback", .target = LP_TARGET_SYSTEM, LP_STEPS(callback_steps)},
};
/* clang-format on */
const struct lp_workflow_set lp_test_workflows = {rows, LP_COUNT(rows)};
