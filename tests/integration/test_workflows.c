/* The product workflows through a running engine, on SQLite and on PostgreSQL where
 * LIGHTPATH_TEST_PG names one. */
#include <pthread.h>
#include <string.h>

#include "engine/run.h"
#include "steps/lifecycle.h"
#include "tests/support/catalog_env.h"
#include "tests/support/engine_env.h"
#include "tests/support/test_main.h"
#include "workflows/workflows.h"

struct env {
    struct lp_engine_env e;
    pthread_mutex_t lock; /* guards newest */
    pthread_cond_t told;
    int64_t newest;
    struct lp_err err;
    char partner[LP_UUID_LEN + 1]; /* an active partner, made by make_partner */
};

/* ---- variants that fail behind the product's own step, to see it undone ---- */

static enum lp_code
refuse(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)delta;
    return lp_fail(err, LP_INVALID, "this step always fails");
}

static const struct lp_step step_refuse = {.key = "refuse",
                                           .title = "Refuse",
                                           .kind = LP_STEP_ACTION,
                                           .effects = LP_EFFECT_NONE,
                                           .run = refuse,
                                           .no_undo = "does nothing"};
static const struct lp_step *const create_steps[] = {&lp_step_construct, &step_refuse};
static const struct lp_step *const modify_steps[] = {&lp_step_update, &step_refuse};
static const struct lp_step *const reconcile_steps[] = {&lp_step_refresh, &step_refuse};
static const struct {
    const char *of, *name;
    const struct lp_step *const *steps;
} variants[] = {{"create_pop", "create_pop_fails", create_steps},
                {"modify_pop", "modify_pop_fails", modify_steps},
                {"reconcile_pop", "reconcile_pop_fails", reconcile_steps}};

static void
add_variants(struct lp_workflow *rows, size_t *count)
{
    size_t originals = *count;

    for (size_t i = 0; i < originals; i++)
        for (size_t k = 0; k < LP_COUNT(variants); k++)
            if (strcmp(rows[i].name, variants[k].of) == 0) {
                rows[*count] = rows[i];
                rows[*count].name = variants[k].name;
                rows[*count].steps = variants[k].steps;
                rows[(*count)++].step_count = 2;
            }
}

/* All workflow sets as one. */
static const struct lp_workflow_set *
all_sets(void)
{
    static struct lp_workflow rows[64];
    static struct lp_workflow_set all = {.rows = rows};
    size_t count;
    const struct lp_workflow_set *const *sets = lp_workflow_sets(&count);

    all.count = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sets[i]->count; k++)
            rows[all.count++] = sets[i]->rows[k];
    add_variants(rows, &all.count);
    return &all;
}

/* ---- helpers ---- */

static void
on_events(void *arg, int64_t newest)
{
    struct env *t = arg;

    pthread_mutex_lock(&t->lock);
    t->newest = newest;
    pthread_cond_broadcast(&t->told);
    pthread_mutex_unlock(&t->lock);
}

/* Until something has happened since `seen`, or a while has passed; the newest event. */
static int64_t
next_event(struct env *t, int64_t seen)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&t->lock);
    while (t->newest == seen && pthread_cond_timedwait(&t->told, &t->lock, &until) == 0)
        ;
    seen = t->newest;
    pthread_mutex_unlock(&t->lock);
    return seen;
}

static enum lp_code
try_start(struct env *t, const char *workflow, json_t *pages, char id[LP_UUID_LEN + 1])
{
    enum lp_code rc;

    assert_non_null(pages);
    lp_err_clear(&t->err);
    rc = lp_engine_start(t->e.engine, &lp_test_operator, workflow, pages, NULL, NULL, id, &t->err);
    json_decref(pages);
    return rc;
}

static void
start(struct env *t, const char *workflow, json_t *pages, char id[LP_UUID_LEN + 1])
{
    enum lp_code rc = try_start(t, workflow, pages, id);

    if (rc != LP_OK) {
        char *text = t->err.detail == NULL ? NULL : json_dumps(t->err.detail, JSON_INDENT(1));
        fail_msg("%s: %s: %s\n%s", workflow, lp_code_info(rc)->slug, t->err.msg,
                 text == NULL ? "" : text);
    }
}

/* The first message of a 400, or what else was said. */
static const char *
refusal(struct env *t, const char *workflow, json_t *pages)
{
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = try_start(t, workflow, pages, id);
    const json_t *problems = json_object_get(t->err.detail, "validation_errors");

    if (rc == LP_OK)
        fail_msg("%s was accepted", workflow);
    return problems == NULL ? t->err.msg : lp_json_str(json_array_get(problems, 0), "msg", "?");
}

static json_t *
detail(struct env *t, const char *id)
{
    json_t *out = NULL;

    lp_test_ok(lp_engine_process(t->e.engine, &lp_test_operator, id, &out, &t->err), &t->err);
    return out;
}

static bool
settled(const char *status)
{
    static const char *const over[] = {"completed", "failed", "aborted", "inconsistent_data",
                                       "api_unavailable"};

    for (size_t i = 0; i < LP_COUNT(over); i++)
        if (strcmp(status, over[i]) == 0)
            return true;
    return false;
}

/* Waits for the end; the status and, in *reason (may be NULL), why it failed. */
static void
ends(struct env *t, const char *id, const char *want, char reason[512])
{
    time_t give_up = time(NULL) + 60;
    int64_t seen = -1;

    while (time(NULL) < give_up) {
        json_auto_t *process = detail(t, id);
        const char *status = lp_json_str(process, "last_status", "");

        if (settled(status)) {
            if (strcmp(status, want) != 0)
                fail_msg("process is %s: %s", status, lp_json_str(process, "failed_reason", "?"));
            if (reason != NULL)
                (void)snprintf(reason, 512, "%s", lp_json_str(process, "failed_reason", ""));
            return;
        }
        seen = next_event(t, seen);
    }
    {
        json_auto_t *process = detail(t, id);
        char *text = json_dumps(process, JSON_INDENT(1));

        fail_msg("process %s does not end:\n%s", id, text);
    }
}

static void
run(struct env *t, const char *workflow, json_t *pages, char id[LP_UUID_LEN + 1])
{
    start(t, workflow, pages, id);
    ends(t, id, "completed", NULL);
}

static void
subscription_of(struct env *t, const char *process, char id[LP_UUID_LEN + 1])
{
    json_auto_t *more = detail(t, process);

    (void)snprintf(id, LP_UUID_LEN + 1, "%s",
                   lp_json_str(json_object_get(more, "current_state"), "subscription_id", "?"));
}

static const char *
product_id(const struct env *t, const char *product)
{
    return lp_catalog_product(t->e.catalog, product)->id.text;
}

static json_t *
create_pages(const struct env *t, const char *product, const char *input)
{
    json_error_t why;
    json_t *page = json_loads(input, 0, &why);

    if (page == NULL)
        fail_msg("%s", why.text);
    return json_pack("[{s:s}, o, {}]", "product", product_id(t, product), page);
}

static json_t *
modify_pages(const char *id, const char *input)
{
    return json_pack("[{s:s}, o, {}]", "subscription_id", id, json_loads(input, 0, NULL));
}

static json_t *
target_page(const char *id)
{
    return json_pack("[{s:s}]", "subscription_id", id);
}

static void
make_partner(struct env *t, const char *name, char id[LP_UUID_LEN + 1])
{
    char process[LP_UUID_LEN + 1], input[200];

    (void)snprintf(input, sizeof input, "{\"partner_name\":\"%s\"}", name);
    run(t, "create_partner", create_pages(t, "Partner", input), process);
    subscription_of(t, process, id);
}

static void
make_pop(struct env *t, const char *input, char id[LP_UUID_LEN + 1])
{
    char process[LP_UUID_LEN + 1];

    run(t, "create_pop", create_pages(t, "PoP", input), process);
    subscription_of(t, process, id);
}

static struct lp_subscription *
loaded(struct env *t, const char *id)
{
    struct lp_subscription *sub = NULL;

    lp_test_ok(lp_subscription_load(t->e.db.store, NULL, t->e.catalog, id, &sub, &t->err), &t->err);
    return sub;
}

/* A member of the document, or "" */
static const char *
field(struct env *t, const char *id, const char *name, char buf[256])
{
    struct lp_subscription *sub = loaded(t, id);
    const json_t *value = json_object_get(sub->root, name);

    if (json_is_integer(value))
        (void)snprintf(buf, 256, "%lld", (long long)json_integer_value(value));
    else
        (void)snprintf(buf, 256, "%s", value == NULL ? "" : json_string_value(value));
    lp_subscription_free(sub);
    return buf;
}

#define MILANO                                                                                     \
    "{\"code\":\"MI01\",\"full_name\":\"MI01 Milano\",\"latitude\":\"45.46427\","                  \
    "\"longitude\":\"9.18951\",\"address\":{\"street\":\"Via Colombo 1\",\"city\":\"Milano\"}}"

/* ---- partner ---- */

static void
a_partner_lives(struct env *t)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1];
    struct lp_subscription *sub;

    make_partner(t, "Research Net", id);
    sub = loaded(t, id);
    assert_int_equal(sub->status, LP_LC_ACTIVE);
    assert_true(sub->insync);
    assert_string_equal(sub->customer_id, id);
    assert_string_equal(sub->description, "Research Net (Partner Institution)");
    assert_true(sub->start_date > 0);
    lp_subscription_free(sub);
    run(t, "validate_partner", target_page(id), process);
    run(t, "reconcile_partner", target_page(id), process);
    sub = loaded(t, id);
    assert_true(sub->validated_at > 0);
    lp_subscription_free(sub);
    run(t, "terminate_partner", json_pack("[{s:s}, {}]", "subscription_id", id), process);
    sub = loaded(t, id);
    assert_int_equal(sub->status, LP_LC_TERMINATED);
    assert_true(sub->end_date > 0);
    lp_subscription_free(sub);
}

static void
D05_partner_name_unique(struct env *t)
{
    char id[LP_UUID_LEN + 1], want[200];

    make_partner(t, "Research Net", id);
    (void)snprintf(want, sizeof want, "name Research Net is already used by subscription %s", id);
    assert_string_equal(refusal(t, "create_partner",
                                create_pages(t, "Partner", "{\"partner_name\":\"Research Net\"}")),
                        want);
    assert_int_equal(lp_engine_env_int(&t->e, "SELECT count(*) FROM subscriptions"), 1);
}

/* Both forms were accepted before either was stored: the database decides, and says who was first.
 */
static void
D05_the_database_decides(struct env *t)
{
    char first[LP_UUID_LEN + 1], second[LP_UUID_LEN + 1], reason[512] = "";
    time_t give_up = time(NULL) + 60;
    int64_t seen = -1;
    int completed = 0, failed = 0;

    start(t, "create_partner", create_pages(t, "Partner", "{\"partner_name\":\"Twice\"}"), first);
    start(t, "create_partner", create_pages(t, "Partner", "{\"partner_name\":\"Twice\"}"), second);
    lp_test_ok(lp_engine_run(t->e.engine, &t->err), &t->err);
    while (completed + failed < 2 && time(NULL) < give_up) {
        completed = (int)lp_engine_env_int(
            &t->e, "SELECT count(*) FROM processes WHERE status = 'completed'");
        failed =
            (int)lp_engine_env_int(&t->e, "SELECT count(*) FROM processes WHERE status = 'failed'");
        seen = next_event(t, seen);
    }
    assert_int_equal(completed, 1);
    assert_int_equal(failed, 1);
    for (int i = 0; i < 2; i++) {
        json_auto_t *process = detail(t, i == 0 ? first : second);

        if (strcmp(lp_json_str(process, "last_status", ""), "failed") == 0)
            (void)snprintf(reason, sizeof reason, "%s", lp_json_str(process, "failed_reason", ""));
    }
    assert_non_null(strstr(reason, "name Twice is already used by subscription "));
}

static void
D06_modify_partner_works(struct env *t)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], buf[256];
    const json_t *summary, *data;
    struct lp_subscription *sub;

    run(t, "create_partner",
        create_pages(t, "Partner",
                     "{\"partner_name\":\"Research Net\",\"short_name\":\"RN\",\"country\":\"IT\","
                     "\"roles\":[\"operator\",\"customer\"]}"),
        process);
    subscription_of(t, process, id);
    /* the summary shows what changes, and nothing else */
    assert_int_equal(try_start(t, "modify_partner",
                               json_pack("[{s:s}, {s:s, s:n}]", "subscription_id", id,
                                         "partner_name", "Net", "country"),
                               process),
                     LP_FORM_INCOMPLETE);
    summary = json_object_get(json_object_get(json_object_get(t->err.detail, "form"), "properties"),
                              "summary");
    data = json_object_get(json_object_get(summary, "uniforms"), "data");
    assert_int_equal(json_array_size(json_object_get(data, "labels")), 2);
    assert_string_equal(
        json_string_value(json_array_get(json_array_get(json_object_get(data, "columns"), 0), 0)),
        "Research Net");
    assert_string_equal(
        json_string_value(json_array_get(json_array_get(json_object_get(data, "columns"), 1), 0)),
        "Net");
    run(t, "modify_partner", modify_pages(id, "{\"partner_name\":\"Net\",\"country\":null}"),
        process);
    assert_string_equal(field(t, id, "partner_name", buf), "Net");
    assert_string_equal(field(t, id, "short_name", buf), "RN"); /* not given: stays */
    assert_string_equal(field(t, id, "country", buf), "");      /* null: cleared */
    sub = loaded(t, id);
    assert_string_equal(sub->description, "Net (Partner Institution)");
    assert_true(sub->insync);
    lp_subscription_free(sub);
    assert_string_equal(refusal(t, "modify_partner", modify_pages(id, "{\"partner_name\":null}")),
                        "Input should be a valid string");
}

/* ---- PoP ---- */

static void
a_pop_lives(struct env *t)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], buf[256];
    struct lp_subscription *sub;

    make_partner(t, "Research Net", t->partner);
    make_pop(t, MILANO, id); /* the one partner is the default owner */
    sub = loaded(t, id);
    assert_string_equal(sub->customer_id, t->partner);
    assert_string_equal(sub->description, "MI01 Milano (Point of Presence)");
    lp_subscription_free(sub);
    assert_string_equal(field(t, id, "latitude_udeg", buf), "45464270");
    run(t, "validate_pop", target_page(id), process);
    run(t, "terminate_pop", json_pack("[{s:s}, {}]", "subscription_id", id), process);
    assert_int_equal(
        lp_engine_env_int(&t->e, "SELECT count(*) FROM block_keys WHERE scope LIKE 'pop%%'"), 0);
}

static void
OPT_001_OPT_002_in_forms(struct env *t)
{
    static const struct {
        const char *input, *message;
    } rows[] = {
        {"{\"code\":\"mi01\",\"full_name\":\"mi01 x\",\"latitude\":\"1\",\"longitude\":\"1\"}",
         "PoP code mi01 must match [A-Z0-9]{4}"},
        {"{\"code\":\"MI01\",\"full_name\":\"Milano\",\"latitude\":\"1\",\"longitude\":\"1\"}",
         "full name must begin with the PoP code MI01"},
        {"{\"code\":\"MI01\",\"full_name\":\"MI01\",\"latitude\":\"91\",\"longitude\":\"1\"}",
         "latitude '91' must be decimal degrees between -90 and 90, such as 45.478611"},
        {"{\"code\":\"MI01\",\"full_name\":\"MI01\",\"longitude\":\"1\"}", "Field required"},
        {"{\"code\":\"MI01\",\"full_name\":\"MI01\",\"latitude\":\"1\",\"longitude\":\"1\","
         "\"import_source\":\"x\"}",
         "an imported site has a source and a key"},
        {"{\"code\":\"MI01\",\"full_name\":\"MI01\",\"latitude\":\"1\",\"longitude\":\"1\","
         "\"import_source\":\"x\",\"import_key\":\"y\"}",
         "no import of y from x is stored"},
    };

    make_partner(t, "Research Net", t->partner);
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        assert_string_equal(refusal(t, "create_pop", create_pages(t, "PoP", rows[i].input)),
                            rows[i].message);
        assert_int_equal(json_array_size(json_object_get(t->err.detail, "validation_errors")), 1);
    }
}

static void
OPT_003_in_forms(struct env *t)
{
    char id[LP_UUID_LEN + 1], want[200];

    make_partner(t, "Research Net", t->partner);
    make_pop(t, MILANO, id);
    (void)snprintf(want, sizeof want, "code MI01 is already used by subscription %s", id);
    assert_string_equal(refusal(t, "create_pop", create_pages(t, "PoP", MILANO)), want);
    assert_string_equal(
        lp_json_str(
            json_object_get(json_array_get(json_object_get(t->err.detail, "validation_errors"), 0),
                            "ctx"),
            "code", ""),
        "OPT-003");
}

static void
D08_modify_pop_rules(struct env *t)
{
    char id[LP_UUID_LEN + 1], other[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], buf[256], want[200];
    struct lp_subscription *sub;

    make_partner(t, "Research Net", t->partner);
    make_pop(t, MILANO, id);
    make_pop(t,
             "{\"code\":\"RM01\",\"full_name\":\"RM01 "
             "Roma\",\"latitude\":\"41.9\",\"longitude\":\"12.5\"}",
             other);
    /* the rules of create hold */
    assert_string_equal(refusal(t, "modify_pop", modify_pages(id, "{\"code\":\"XX01\"}")),
                        "full name must begin with the PoP code XX01");
    assert_string_equal(
        refusal(t, "modify_pop", modify_pages(id, "{\"code\":\"mi1\",\"full_name\":\"mi1\"}")),
        "PoP code mi1 must match [A-Z0-9]{4}");
    (void)snprintf(want, sizeof want, "code RM01 is already used by subscription %s", other);
    assert_string_equal(
        refusal(t, "modify_pop", modify_pages(id, "{\"code\":\"RM01\",\"full_name\":\"RM01 b\"}")),
        want);
    assert_string_equal(refusal(t, "modify_pop", modify_pages(id, "{\"latitude\":null}")),
                        "Input should be a valid string");
    /* what is not given stays, one member of the address too; nothing becomes a text "None" */
    run(t, "modify_pop",
        modify_pages(id, "{\"address\":{\"city\":\"Monza\"},\"site_class\":\"core\"}"), process);
    sub = loaded(t, id);
    assert_string_equal(lp_json_str(json_object_get(sub->root, "address"), "city", ""), "Monza");
    assert_string_equal(lp_json_str(json_object_get(sub->root, "address"), "street", ""),
                        "Via Colombo 1");
    lp_subscription_free(sub);
    assert_string_equal(field(t, id, "latitude_udeg", buf), "45464270");
    run(t, "modify_pop", modify_pages(id, "{\"address\":{\"street\":null},\"site_class\":null}"),
        process);
    sub = loaded(t, id);
    assert_null(json_object_get(json_object_get(sub->root, "address"), "street"));
    assert_string_equal(lp_json_str(json_object_get(sub->root, "address"), "city", ""), "Monza");
    assert_null(json_object_get(sub->root, "site_class"));
    lp_subscription_free(sub);
    run(t, "modify_pop", modify_pages(id, "{\"address\":null}"), process);
    sub = loaded(t, id);
    assert_null(json_object_get(sub->root, "address"));
    lp_subscription_free(sub);
    assert_int_equal(
        lp_engine_env_int(&t->e, "SELECT count(*) FROM blocks WHERE doc LIKE '%%None%%'"), 0);
}

/* A rename names who uses the PoP; while somebody does it cannot be terminated. */
static void
users_are_named(struct env *t)
{
    char id[LP_UUID_LEN + 1], cable[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1];
    struct lp_subscription *pop;
    json_auto_t *input = NULL;
    const json_t *properties;

    make_partner(t, "Research Net", t->partner);
    make_pop(t, MILANO, id);
    pop = loaded(t, id);
    input = json_pack("{s:s, s:s}", "cable_name", "K1", "home",
                      lp_json_str(pop->root, "subscription_instance_id", ""));
    lp_engine_env_subscription(&t->e, "Cable", input, LP_LC_ACTIVE, cable, NULL);
    lp_subscription_free(pop);
    assert_int_equal(
        try_start(t, "modify_pop",
                  json_pack("[{s:s}, {s:s}]", "subscription_id", id, "full_name", "MI01 Lambrate"),
                  process),
        LP_FORM_INCOMPLETE);
    properties = json_object_get(json_object_get(t->err.detail, "form"), "properties");
    assert_non_null(
        strstr(lp_json_str(json_object_get(properties, "impact"), "default", ""), cable));
    assert_int_equal(
        try_start(t, "modify_pop",
                  json_pack("[{s:s}, {s:s}]", "subscription_id", id, "site_class", "core"),
                  process),
        LP_FORM_INCOMPLETE);
    properties = json_object_get(json_object_get(t->err.detail, "form"), "properties");
    assert_null(json_object_get(properties, "impact")); /* not a rename */
    assert_non_null(
        strstr(refusal(t, "terminate_pop", json_pack("[{s:s}, {}]", "subscription_id", id)),
               "cannot be started"));
    assert_non_null(strstr(
        refusal(t, "terminate_partner", json_pack("[{s:s}, {}]", "subscription_id", t->partner)),
        "in use by other subscriptions"));
}

/* ---- validate, reconcile ---- */

static void
D07_validate_compares(struct env *t)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], reason[512];
    struct lp_subscription *sub;

    make_partner(t, "Research Net", t->partner);
    make_pop(t, MILANO, id);
    run(t, "validate_pop", target_page(id), process);
    lp_engine_env_sql(&t->e, "UPDATE subscriptions SET description = 'else' WHERE id = '%s'", id);
    lp_engine_env_sql(&t->e, "DELETE FROM block_keys WHERE scope = 'pop.code'");
    start(t, "validate_pop", target_page(id), process);
    ends(t, process, "inconsistent_data", reason);
    assert_string_equal(reason,
                        "description: expected MI01 Milano (Point of Presence), found else; "
                        "unique pop.code: expected MI01, found nothing");
    sub = loaded(t, id);
    assert_false(sub->insync); /* the drift signal */
    lp_subscription_free(sub);
    run(t, "reconcile_pop", target_page(id), process);
    run(t, "validate_pop", target_page(id), process);
    sub = loaded(t, id);
    assert_true(sub->insync);
    assert_string_equal(sub->description, "MI01 Milano (Point of Presence)");
    lp_subscription_free(sub);
    lp_engine_env_sql(&t->e, "UPDATE subscriptions SET status = 'terminated' WHERE id = '%s'",
                      t->partner);
    start(t, "validate_pop", target_page(id), process);
    ends(t, process, "inconsistent_data", reason);
    assert_non_null(strstr(reason, "customer_id: expected an active Partner, found Partner "));
}

static void
D07_validate_reads_the_document(struct env *t)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], reason[512];

    make_partner(t, "Research Net", t->partner);
    make_pop(t, MILANO, id);
    lp_engine_env_sql(
        &t->e,
        "UPDATE blocks SET doc = '{\"code\":\"MI01\",\"full_name\":\"Milano\",\"latitude_udeg\":1,"
        "\"longitude_udeg\":1,\"import_source\":\"s\",\"import_key\":\"k\"}' WHERE block = 'PoP'");
    lp_engine_env_sql(&t->e, "UPDATE subscriptions SET customer_id = '%s' WHERE id = '%s'",
                      "00000000-0000-4000-8000-000000000009", id);
    start(t, "validate_pop", target_page(id), process);
    ends(t, process, "inconsistent_data", reason);
    assert_non_null(strstr(reason, "full_name: expected a valid value (full name must begin with "
                                   "the PoP code MI01), found Milano"));
    assert_non_null(
        strstr(reason, "description: expected Milano (Point of Presence), found MI01 Milano"));
    assert_non_null(
        strstr(reason, "customer_id: expected an active Partner, found no such subscription"));
    assert_non_null(strstr(reason, "import: expected a row k of source s, found nothing"));
}

static json_t *
import_pages(const char *csv, const char *more)
{
    json_t *page = json_loads(more, 0, NULL);

    assert_non_null(page);
    assert_int_equal(json_object_set_new(page, "csv", json_string(csv)), 0);
    return json_pack("[o, {}]", page);
}

#define HEADER "code,name,latitude,longitude,city,key\n"
#define TWO                                                                                        \
    HEADER "MI01,MI01 Milano,45.46427,9.18951,Milano,MI-1\nRM01,RM01 Roma,41.9,12.5,Roma,RM-1\n"

static void
pop_of_code(struct env *t, const char *code, char id[LP_UUID_LEN + 1])
{
    lp_test_ok(lp_subscription_by_key(t->e.db.store, NULL, "pop.code", code, id, &t->err), &t->err);
}

static void
D07_validate_compares_with_the_import(struct env *t)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], reason[512], buf[256];

    make_partner(t, "Research Net", t->partner);
    run(t, "task_import_pops", import_pages(TWO, "{\"source\":\"survey\"}"), process);
    pop_of_code(t, "MI01", id);
    assert_string_equal(field(t, id, "import_source", buf), "survey");
    assert_string_equal(field(t, id, "import_key", buf), "MI-1");
    run(t, "validate_pop", target_page(id), process);
    run(t, "modify_pop", modify_pages(id, "{\"latitude\":\"46\",\"address\":{\"city\":\"Monza\"}}"),
        process);
    start(t, "validate_pop", target_page(id), process);
    ends(t, process, "inconsistent_data", reason);
    assert_string_equal(
        reason,
        "address.city: expected Milano, found Monza; latitude: expected 45.46427, found 46.0");
    run(t, "reconcile_pop", target_page(id), process);
    assert_string_equal(field(t, id, "latitude_udeg", buf), "45464270");
    run(t, "validate_pop", target_page(id), process);
    /* a newer row of the source is what counts from then on */
    run(t, "task_import_pops",
        import_pages(HEADER "MI01,MI01 Milano Sud,45.46427,9.18951,Milano,MI-1\n",
                     "{\"source\":\"survey\",\"mode\":\"skip-existing\"}"),
        process);
    start(t, "validate_pop", target_page(id), process);
    ends(t, process, "inconsistent_data", reason);
    assert_string_equal(reason, "full_name: expected MI01 Milano Sud, found MI01 Milano");
    run(t, "reconcile_pop", target_page(id), process);
    assert_string_equal(field(t, id, "full_name", buf), "MI01 Milano Sud");
}

/* ---- import ---- */

static char *
demo_file(void)
{
    char path[512], *text = NULL;
    size_t cap = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/scripts/demo.d/pops.csv", lp_test_root());
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getdelim(&text, &cap, EOF, file) > 0);
    (void)fclose(file);
    return text;
}

static void
the_demo_file_is_imported(struct env *t)
{
    char process[LP_UUID_LEN + 1], *csv = demo_file();
    json_auto_t *after = NULL;
    const json_t *report;

    make_partner(t, "Research Net", t->partner);
    run(t, "task_import_pops", import_pages(csv, "{\"partner_name\":\"Research Net\"}"), process);
    assert_int_equal(lp_engine_env_int(&t->e,
                                       "SELECT count(*) FROM subscriptions WHERE product = 'PoP' "
                                       "AND status = 'active' AND insync = 1"),
                     44);
    assert_int_equal(lp_engine_env_int(&t->e, "SELECT count(*) FROM import_rows"), 44);
    after = detail(t, process);
    report = json_object_get(json_object_get(after, "current_state"), "report");
    assert_int_equal(lp_json_int(report, "rows", 0), 44);
    assert_int_equal(lp_json_int(json_object_get(report, "children"), "completed", 0), 44);
    assert_null(json_object_get(json_object_get(after, "current_state"), "csv"));
    /* again: nothing or only what is missing */
    assert_non_null(strstr(refusal(t, "task_import_pops", import_pages(csv, "{}")),
                           "row 2, column code: code AN01 is already used by subscription "));
    run(t, "task_import_pops", import_pages(csv, "{\"mode\":\"skip-existing\"}"), process);
    assert_int_equal(
        lp_engine_env_int(&t->e, "SELECT count(*) FROM subscriptions WHERE product = 'PoP'"), 44);
    assert_int_equal(lp_engine_env_int(&t->e, "SELECT count(*) FROM import_rows"), 88);
    free(csv);
}

static void
OPT_080_nothing_of_a_bad_file(struct env *t)
{
    make_partner(t, "Research Net", t->partner);
    assert_string_equal(
        refusal(t, "task_import_pops", import_pages(TWO "mi02,mi02,1,1,x,y\n", "{}")),
        "row 4, column code: PoP code mi02 must match [A-Z0-9]{4}");
    assert_string_equal(refusal(t, "task_import_pops", import_pages("code,nome\nx,y\n", "{}")),
                        "unexpected columns nome; missing full_name, latitude, longitude");
    assert_string_equal(
        refusal(t, "task_import_pops", import_pages(TWO, "{\"partner_name\":\"Nobody\"}")),
        "there is no active partner 'Nobody'");
    assert_string_equal(refusal(t, "task_import_pops", import_pages(TWO, "{\"source\":null}")),
                        "Input should be a valid string");
    assert_string_equal(refusal(t, "task_import_pops", import_pages(TWO, "{\"mode\":\"x\"}")),
                        "Input should be 'all-or-nothing' or 'skip-existing'");
    assert_string_equal(refusal(t, "task_import_pops", import_pages("", "{}")),
                        "String should have at least 1 character");
    assert_int_equal(lp_engine_env_int(&t->e, "SELECT count(*) FROM import_rows"), 0);
    assert_int_equal(
        lp_engine_env_int(&t->e,
                          "SELECT count(*) FROM processes WHERE workflow = 'task_import_pops'"),
        0);
}

static void
D39_terminated_pop_can_be_imported_again(struct env *t)
{
    char id[LP_UUID_LEN + 1], again[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1];

    make_partner(t, "Research Net", t->partner);
    run(t, "task_import_pops", import_pages(TWO, "{}"), process);
    pop_of_code(t, "MI01", id);
    run(t, "terminate_pop", json_pack("[{s:s}, {}]", "subscription_id", id), process);
    run(t, "task_import_pops",
        import_pages(HEADER "MI01,MI01 Milano,45.46427,9.18951,Milano,MI-1\n",
                     "{\"mode\":\"all-or-nothing\"}"),
        process);
    pop_of_code(t, "MI01", again);
    assert_string_not_equal(id, again);
}

static void
the_owner_must_be_chosen_among_several(struct env *t)
{
    char second[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    struct lp_subscription *sub;

    assert_non_null(strstr(refusal(t, "create_pop", create_pages(t, "PoP", MILANO)),
                           "there is no active Partner"));
    make_partner(t, "First", t->partner);
    make_partner(t, "Second", second);
    assert_string_equal(refusal(t, "create_pop", create_pages(t, "PoP", MILANO)), "Field required");
    assert_string_equal(refusal(t, "task_import_pops", import_pages(TWO, "{}")),
                        "choose the partner that owns the PoPs");
    run(t, "task_import_pops", import_pages(TWO, "{\"partner_name\":\"Second\"}"), process);
    pop_of_code(t, "RM01", id);
    sub = loaded(t, id);
    assert_string_equal(sub->customer_id, second);
    lp_subscription_free(sub);
}

/* ---- undo ---- */

static void
roll_back(struct env *t, const char *process)
{
    time_t give_up = time(NULL) + 60;
    int64_t seen = -1;
    bool aborted = false;

    ends(t, process, "failed", NULL);
    lp_test_ok(lp_engine_abort(t->e.engine, &lp_test_operator, process, true, &t->err), &t->err);
    while (!aborted && time(NULL) < give_up) {
        json_auto_t *now = detail(t, process);

        aborted = strcmp(lp_json_str(now, "last_status", ""), "aborted") == 0;
        if (!aborted)
            seen = next_event(t, seen);
    }
    assert_true(aborted);
}

static void
a_failed_create_is_rolled_back(struct env *t)
{
    char process[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    struct lp_subscription *sub;

    make_partner(t, "Research Net", t->partner);
    start(t, "create_pop_fails", create_pages(t, "PoP", MILANO), process);
    roll_back(t, process);
    subscription_of(t, process, id);
    sub = loaded(t, id);
    assert_int_equal(sub->status, LP_LC_TERMINATED);
    lp_subscription_free(sub);
    assert_int_equal(lp_engine_env_int(&t->e, "SELECT count(*) FROM process_locks"), 0);
    make_pop(t, MILANO, id); /* the code is free again */
}

static void
a_failed_change_is_rolled_back(struct env *t)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], buf[256];
    struct lp_subscription *before, *sub;

    make_partner(t, "Research Net", t->partner);
    make_pop(t, MILANO, id);
    before = loaded(t, id);
    start(t, "modify_pop_fails",
          modify_pages(id, "{\"code\":\"MI02\",\"full_name\":\"MI02 Milano\",\"address\":null}"),
          process);
    ends(t, process, "failed", NULL);
    assert_string_equal(field(t, id, "code", buf), "MI02");
    roll_back(t, process);
    sub = loaded(t, id);
    assert_true(lp_json_same(sub->root, before->root));
    assert_string_equal(sub->description, before->description);
    assert_true(sub->insync);
    assert_int_equal(sub->version, before->version + 4); /* lock, change, change back, unlock */
    lp_subscription_free(sub);
    lp_subscription_free(before);
}

static void
a_failed_reconcile_is_rolled_back(struct env *t)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1], buf[256];

    make_partner(t, "Research Net", t->partner);
    run(t, "task_import_pops", import_pages(TWO, "{\"source\":\"survey\"}"), process);
    pop_of_code(t, "MI01", id);
    run(t, "modify_pop", modify_pages(id, "{\"latitude\":\"46\"}"), process);
    start(t, "reconcile_pop_fails", target_page(id), process);
    ends(t, process, "failed", NULL);
    assert_string_equal(field(t, id, "latitude_udeg", buf), "45464270");
    roll_back(t, process);
    assert_string_equal(field(t, id, "latitude_udeg", buf), "46000000");
}

/* ---- all of them, per database ---- */

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name, true                                                                          \
    }
static const struct test_case {
    const char *name;
    void (*run)(struct env *t);
    bool running; /* the engine runs from the beginning */
} cases[] = {
    CASE(a_partner_lives),
    CASE(D05_partner_name_unique),
    {"D05_the_database_decides", D05_the_database_decides, false},
    CASE(D06_modify_partner_works),
    CASE(a_pop_lives),
    CASE(OPT_001_OPT_002_in_forms),
    CASE(OPT_003_in_forms),
    CASE(D08_modify_pop_rules),
    CASE(users_are_named),
    CASE(D07_validate_compares),
    CASE(D07_validate_compares_with_the_import),
    CASE(D07_validate_reads_the_document),
    CASE(the_demo_file_is_imported),
    CASE(OPT_080_nothing_of_a_bad_file),
    CASE(D39_terminated_pop_can_be_imported_again),
    CASE(the_owner_must_be_chosen_among_several),
    CASE(a_failed_create_is_rolled_back),
    CASE(a_failed_change_is_rolled_back),
    CASE(a_failed_reconcile_is_rolled_back),
};

struct case_run {
    enum lp_dialect dialect;
    const struct test_case *row;
};

static void
case_main(void **state)
{
    const struct case_run *what = *state;
    struct env t = {
        .err = LP_ERR_INIT, .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};

    if (!lp_store_env_has(what->dialect))
        skip();
    lp_engine_env_open(&t.e, what->dialect, all_sets());
    lp_engine_on_events(t.e.engine, on_events, &t);
    if (what->row->running)
        lp_test_ok(lp_engine_run(t.e.engine, &t.err), &t.err);
    what->row->run(&t);
    lp_err_clear(&t.err);
    lp_test_ok(lp_engine_stop(t.e.engine, 10000, &t.err), &t.err);
    lp_engine_env_close(&t.e);
}

static int
run_on(const char *group, enum lp_dialect dialect)
{
    struct CMUnitTest tests[LP_COUNT(cases)];
    struct case_run runs[LP_COUNT(cases)];

    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        runs[i] = (struct case_run){dialect, &cases[i]};
        tests[i] = (struct CMUnitTest){cases[i].name, case_main, NULL, NULL, &runs[i]};
    }
    return _cmocka_run_group_tests(group, tests, LP_COUNT(cases), NULL, NULL);
}

int
main(void)
{
    int sqlite;

    lp_test_apply_filter();
    sqlite = run_on("sqlite", LP_DIALECT_SQLITE);
    return sqlite + run_on("postgres", LP_DIALECT_POSTGRES);
}
