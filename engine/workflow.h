/**
 * Definitions: workflows, steps, forms. Everything here is a const table written by the workflow
 * authors (workflows/, steps/) and walked by the registry's start-up check. A step's key is stored
 * in the log and never given a second meaning.
 */
#ifndef LP_ENGINE_WORKFLOW_H
#define LP_ENGINE_WORKFLOW_H

#include "base/arena.h"
#include "base/conf.h"
#include "model/model.h"
#include "store/db.h"
#include "store/subscriptions.h"

enum lp_target {
    LP_TARGET_CREATE,
    LP_TARGET_MODIFY,
    LP_TARGET_TERMINATE,
    LP_TARGET_SYSTEM,
    LP_TARGET_VALIDATE,
    LP_TARGET_RECONCILE,
    LP_TARGET_COUNT
};
const char *lp_target_name(enum lp_target target);
bool lp_target_from_name(const char *name, enum lp_target *out);

enum lp_role { LP_ROLE_NONE, LP_ROLE_READ, LP_ROLE_OPERATE, LP_ROLE_ADMIN };
const char *lp_role_name(enum lp_role role);
bool lp_role_from_name(const char *name, enum lp_role *out);

/** Who acts. Every service call and every audit row has one. */
struct lp_caller {
    const char *actor; /* token name, local user, or "SYSTEM" */
    enum lp_role role;
    const char *correlation_id;
    const char *ticket; /* or NULL */
    const char *reason; /* or NULL */
};

struct lp_run;
struct lp_step;
struct lp_workflow;

/* ---- forms ---- */

/** What a page may look at: one snapshot of the database, earlier answers, the process state
 * (resume forms). Pure reads. */
struct lp_form_ctx {
    const struct lp_caller *caller;
    const struct lp_workflow *workflow;
    const struct lp_catalog *catalog;
    const struct lp_conf *conf;
    const struct lp_clock *clock;
    struct lp_store *store;
    struct lp_reader *reader; /* all reads go here */
    struct lp_arena *arena;
    const json_t *answers; /* accepted members of all earlier pages, merged */
    const json_t *state;   /* state of the process for resume forms; else NULL */
    struct lp_subscription
        *subscription; /* target of MODIFY, TERMINATE, VALIDATE, RECONCILE; else NULL */
    const struct lp_product_type *product; /* chosen product (CREATE) or the target's; else NULL */
};

struct lp_page {
    const char *title;
    bool (*when)(const struct lp_form_ctx *ctx); /* NULL = always */
    /** Adds the fields. The page exists already and has the title. */
    enum lp_code (*build)(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err);
    /** Rules across fields and against the database, after every field was accepted by itself. May
     * be NULL. */
    enum lp_code (*check)(struct lp_form_ctx *ctx, const json_t *input,
                          struct lp_problems *problems, struct lp_err *err);
};

struct lp_form {
    const struct lp_page *pages;
    size_t count;
    /** Turns the merged answers into what the state gets; NULL = as they are. */
    enum lp_code (*finish)(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err);
};
#define LP_PAGES(array) .pages = (array), .count = LP_COUNT(array)

/* ---- authorizers ---- */

enum lp_action { LP_ACTION_START, LP_ACTION_RESUME, LP_ACTION_RETRY };
/** step is NULL for workflow-level questions. */
typedef bool lp_authorizer(const struct lp_caller *caller, enum lp_action action,
                           const struct lp_workflow *workflow, const struct lp_step *step);

/* ---- steps ---- */

enum lp_step_kind {
    LP_STEP_ACTION,
    LP_STEP_INPUT,
    LP_STEP_CALLBACK,
    LP_STEP_WAIT,
    LP_STEP_GROUP,
    LP_STEP_FANOUT,
    LP_STEP_EACH,
    LP_STEP_KIND_COUNT
};
const char *lp_step_kind_name(enum lp_step_kind kind);

enum lp_effect { LP_EFFECT_NONE, LP_EFFECT_DB, LP_EFFECT_DB_RW, LP_EFFECT_EXTERNAL };
const char *lp_effect_name(enum lp_effect effect);

/** LP_OK: delta holds {"key": value...} to set (null is a value); lp_run_unset removes keys. Any
 * other code fails the attempt. */
typedef enum lp_code lp_step_fn(struct lp_run *run, const json_t *state, json_t *delta,
                                struct lp_err *err);

struct lp_step {
    const char *key; /* [a-z0-9_]+, unique among its siblings */
    const char *title;
    enum lp_step_kind kind;
    enum lp_effect effects;
    unsigned attempts; /* most attempts in a row before it counts as failed; 0 = 1. Retried codes:
                          lp_code_info()->retry != NEVER */
    uint32_t backoff_ms[2]; /* first, longest; doubled with jitter in between */
    uint32_t timeout_ms;    /* 0 = 60 s */
    const char *assignee;   /* NULL = SYSTEM; NOC, CHANGES */
    const char *label;      /* executor label it needs, or NULL */
    bool in_window; /* waits outside the maintenance window its process is bound to, also between
                       the rows of EACH (engine/windows.h). When no step of a workflow says so, all
                       but INPUT and built-in steps do */
    bool (*when)(const json_t *state); /* evaluated once and logged; false = row "skipped" */
    lp_step_fn *run;
    lp_step_fn *undo;
    bool only_reads;     /* EXTERNAL: changes nothing outside, a dry run may run it */
    bool plans;          /* a dry run ends behind it; what it queues is kept even then */
    const char *no_undo; /* why there is none; exactly one of undo and no_undo (groups: neither) */

    /* INPUT */
    const struct lp_form *form;
    lp_authorizer *may_resume; /* survive wrapping in groups and .when (W25) */
    lp_authorizer *may_retry;
    /* CALLBACK: run (may be NULL) hands run->callback_route out, then the process awaits; validate
     * sees state[result_key] */
    const char *result_key; /* NULL = "callback_result" */
    int64_t wait_ms;        /* 0 = for ever; counted from the start of the wait (W22) */
    lp_step_fn *validate;
    /* WAIT: run returns LP_OK when over, or LP_RETRYABLE after lp_run_wake_at(): asked again then,
     * without counting attempts */
    /* GROUP */
    const struct lp_step *const *steps;
    size_t step_count;
    bool restart_whole;
    /* EACH: run and undo are called with run->index = 0..count-1 */
    enum lp_code (*count)(struct lp_run *run, const json_t *state, size_t *count,
                          struct lp_err *err);
    /* FANOUT: items = [{"item": "unique text", "workflow": "name", "pages": [...], "dry_run"?:
       true}]; children start as this process's actor. When all are completed or aborted, state[key]
       =
       {"total","completed","aborted","failed"...} */
    enum lp_code (*items)(struct lp_run *run, const json_t *state, json_t *items,
                          struct lp_err *err);
    unsigned max_open; /* 0 = 16 */
    /** Over how long the items are spread, from the start of the step; NULL or 0 = as fast as
     * max_open lets them. */
    int64_t (*spread_ms)(const json_t *state);
    bool busy_ends; /* an item whose subscription somebody holds is counted as "busy" in state[key],
                       and listed; otherwise as failed */
    bool failed_ends; /* a child that failed is a result; otherwise it is waited for until somebody
                         has dealt with it */
};

/* ---- workflows ---- */

struct lp_workflow {
    const char *name;
    const char *description;
    enum lp_target target;
    bool is_task;
    enum lp_role role; /* least role to start; NONE = operate */
    const char *
        product; /* product *type* it belongs to; NULL = none (SYSTEM) or all (with all_products) */
    bool all_products; /* modify_note */
    const struct lp_form *form;
    const struct lp_step *const *steps;
    size_t step_count;
    lp_authorizer *may_start, *may_retry;
    /** Refuses a start before any row exists (LP_PRECONDITION with the reason). */
    enum lp_code (*predicate)(struct lp_reader *reader, const struct lp_workflow *workflow,
                              struct lp_err *err);
    unsigned usable_in;      /* LP_BIT(lp_lifecycle)...; 0 = default of the target */
    bool usable_out_of_sync; /* besides tasks and RECONCILE */
    bool without_lock;       /* modify_note: link only */
    bool hands_over; /* TERMINATE: others may still use its blocks when it starts: one of its steps
                        gives them away; the last step checks all the same */
    const char *label;   /* executor label its steps need, unless they name their own; or NULL */
    bool only_validates; /* SYSTEM: starts validations only; may run when restored */
    /** Further subscriptions to hold shared while it runs (the customer, chosen references):
     * appends ids to the array. */
    enum lp_code (*shares)(struct lp_form_ctx *ctx, const json_t *output, json_t *ids,
                           struct lp_err *err);
};
#define LP_STEPS(array) .steps = (array), .step_count = LP_COUNT(array)

struct lp_workflow_set {
    const struct lp_workflow *rows;
    size_t count;
};

#endif
