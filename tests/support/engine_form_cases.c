/* Form negotiation: the bodies of 510 and 400 as files under tests/golden/forms, the memo, the
 * standard pages. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/internal.h"
#include "tests/support/engine_main.h"
#include "tests/support/test_main.h"

/* ---- golden bodies ---- */

/* Ids of this run become {subscription}. */
static char *
masked(const json_t *body, const char *subscription)
{
    char *text = json_dumps(body, JSON_INDENT(1) | JSON_SORT_KEYS);
    struct lp_buf out = LP_BUF_INIT;
    const char *at = text, *hit;

    assert_non_null(text);
    while (subscription != NULL && (hit = strstr(at, subscription)) != NULL) {
        lp_buf_add(&out, at, (size_t)(hit - at));
        lp_buf_str(&out, "{subscription}");
        at = hit + strlen(subscription);
    }
    lp_buf_str(&out, at);
    lp_buf_char(&out, '\n');
    free(text);
    return lp_buf_take(&out);
}

/* LP_TEST_GOLDEN=write makes the file anew; look at the difference before you commit it. */
static void
golden(const char *name, const json_t *body, const char *subscription)
{
    const char *mode = getenv("LP_TEST_GOLDEN");
    char path[400], *text = masked(body, subscription), *want;
    FILE *file;
    long size;

    snprintf(path, sizeof path, LP_TEST_GOLDEN_DIR "/%s.json", name);
    if (mode != NULL && strcmp(mode, "write") == 0) {
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is missing", path);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    want = calloc(1, (size_t)size + 1);
    assert_int_equal(fread(want, 1, (size_t)size, file), size);
    fclose(file);
    assert_string_equal(text, want);
    free(want);
    free(text);
}

/* Posts pages and demands the outcome; the body goes to the golden file. pages are taken. */
static void
post(struct lp_engine_env *env, const char *workflow, json_t *pages, enum lp_code want,
     const char *name, const char *subscription)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    enum lp_code rc =
        lp_engine_start(env->engine, &lp_test_vip, workflow, pages, NULL, NULL, id, &err);

    json_decref(pages);
    if (rc != want)
        fail_msg("%s: wanted %s, got %s: %s", name == NULL ? workflow : name,
                 lp_code_info(want)->slug, lp_code_info(rc)->slug, err.msg);
    if (name != NULL)
        golden(name, err.detail, subscription);
    lp_err_clear(&err);
}

static const char *
product_id(struct lp_engine_env *env, const char *name)
{
    return lp_catalog_product(env->catalog, name)->id.text;
}

static json_t *
product_page(struct lp_engine_env *env)
{
    return json_pack("{s:s}", "product", product_id(env, "TestNode"));
}

static void
node(struct lp_engine_env *env, const char *code, char *id)
{
    json_t *input = json_pack("{s:s}", "code", code);

    lp_engine_env_subscription(env, "TestNode", input, LP_LC_ACTIVE, id, NULL);
    json_decref(input);
}

/* ---- the worked example ---- */

static void
create_form_page_by_page(struct lp_engine_env *env)
{
    post(env, "create_node", json_array(), LP_FORM_INCOMPLETE, "create_510_product", NULL);
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INCOMPLETE,
         "create_510_name", NULL);
    post(env, "create_node", json_pack("[o, {s:s}]", product_page(env), "code", "N1"),
         LP_FORM_INCOMPLETE, "create_510_size", NULL);
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:s, s:s}]", product_page(env), "code", "N1", "size", "x", "speed",
                   "123"),
         LP_FORM_INVALID, "create_400_fields", NULL);
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s, s:i}]", product_page(env), "code", "N1", "size", 5,
                   "speed", "100", "colour", 1),
         LP_FORM_INVALID, "create_400_extra", NULL);
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s}]", product_page(env), "code", "N1", "size", 13, "speed",
                   "100"),
         LP_FORM_INVALID, "create_400_check", NULL);
    post(env, "create_node", json_pack("[o, {}]", product_page(env)), LP_FORM_INVALID,
         "create_400_missing", NULL);
    post(env, "create_node", json_pack("[o, i]", product_page(env), 7), LP_FORM_INVALID,
         "create_400_no_object", NULL);
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s}]", product_page(env), "code", "N1", "size", 99, "speed",
                   "100"),
         LP_FORM_INCOMPLETE, "create_510_confirm", NULL);
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s}, {s:b}, {}]", product_page(env), "code", "N1", "size", 99,
                   "speed", "100", "sure", 1),
         LP_FORM_INVALID, "create_400_overflow", NULL);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes"), 0);
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s}]", product_page(env), "code", "N1", "size", 9, "speed",
                   "100"),
         LP_OK, NULL, NULL);
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM process_inputs WHERE doc LIKE "
                                       "'%%\"finished\":true%%\"product_name\":\"TestNode\"%%'"),
                     1);
}

static void
workflow_without_form_is_one_empty_page(struct lp_engine_env *env)
{
    post(env, "task_plain", json_array(), LP_FORM_INCOMPLETE, "empty_510", NULL);
    post(env, "task_plain", json_pack("[{s:i}]", "x", 1), LP_FORM_INVALID, "empty_400_extra", NULL);
    post(env, "task_plain", json_pack("[{}, {}]"), LP_FORM_INVALID, "empty_400_overflow", NULL);
    post(env, "task_plain", json_pack("[{}]"), LP_OK, NULL, NULL);
    post(env, "task_plain", json_null(), LP_OK, NULL, NULL);
}

static void
subscription_page_knows_its_faults(struct lp_engine_env *env)
{
    char sub[LP_UUID_LEN + 1], other[LP_UUID_LEN + 1];

    node(env, "N1", sub);
    lp_engine_env_subscription(env, "TestLink", NULL, LP_LC_ACTIVE, other, NULL);
    post(env, "modify_node", json_array(), LP_FORM_INCOMPLETE, "modify_510", NULL);
    post(env, "modify_node",
         json_pack("[{s:s}]", "subscription_id", "01890000-0000-7000-8000-000000000000"),
         LP_FORM_INVALID, "modify_400_unknown", NULL);
    post(env, "modify_node", json_pack("[{s:s}]", "subscription_id", "nonsense"), LP_FORM_INVALID,
         "modify_400_no_uuid", NULL);
    post(env, "modify_node", json_pack("[{s:s}]", "subscription_id", other), LP_FORM_INVALID,
         "modify_400_other_product", other);
    post(env, "modify_node", json_pack("[{s:s, s:i}]", "subscription_id", sub, "version", 7),
         LP_FORM_INVALID, "modify_400_stale", sub);
    lp_engine_env_sql(env, "UPDATE subscriptions SET insync = 0");
    post(env, "modify_node", json_pack("[{s:s}]", "subscription_id", sub), LP_FORM_INVALID,
         "modify_400_not_in_sync", sub);
    lp_engine_env_sql(env, "UPDATE subscriptions SET insync = 1");
    post(env, "modify_node", json_pack("[{s:s, s:i}]", "subscription_id", sub, "version", 1), LP_OK,
         NULL, NULL);
}

static void
W47_product_status(struct lp_engine_env *env)
{
    json_t *wrong = json_pack("[{s:s}]", "product", product_id(env, "TestLink"));

    post(env, "create_node", wrong, LP_FORM_INVALID, "create_400_wrong_product", NULL);
    post(env, "create_node", json_pack("[{s:s}]", "product", "nonsense"), LP_FORM_INVALID, NULL,
         NULL);
    lp_engine_env_sql(env, "UPDATE catalog_texts SET status = 'end of life' WHERE id = '%s'",
                      product_id(env, "TestNode"));
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INVALID,
         "create_400_end_of_life", NULL);
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s}]", product_page(env), "code", "N1", "size", 9, "speed",
                   "100"),
         LP_FORM_INVALID, NULL, NULL);
    lp_engine_env_sql(env, "UPDATE catalog_texts SET status = 'phase out' WHERE id = '%s'",
                      product_id(env, "TestNode"));
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INVALID, NULL, NULL);
    lp_engine_env_sql(env, "UPDATE catalog_texts SET status = 'active' WHERE id = '%s'",
                      product_id(env, "TestNode"));
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INCOMPLETE, NULL, NULL);
}

static void
W34_forms_memoised(struct lp_engine_env *env)
{
    memset(lp_test_builds, 0, sizeof lp_test_builds);
    post(env, "create_node", json_array(), LP_FORM_INCOMPLETE, NULL, NULL);
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INCOMPLETE, NULL, NULL);
    post(env, "create_node", json_pack("[o, {s:s}]", product_page(env), "code", "N1"),
         LP_FORM_INCOMPLETE, NULL, NULL);
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s}]", product_page(env), "code", "N1", "size", 99, "speed",
                   "100"),
         LP_FORM_INCOMPLETE, NULL, NULL);
    /* each page was built once while it was the next one, however many pages stand before it */
    for (int i = 0; i < 3; i++)
        assert_int_equal(lp_test_builds[i], 1);
    /* shown again: nothing is built */
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INCOMPLETE, NULL, NULL);
    assert_int_equal(lp_test_builds[0], 1);
    /* the start itself replays everything once */
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s}, {s:b}]", product_page(env), "code", "N1", "size", 99,
                   "speed", "100", "sure", 1),
         LP_OK, NULL, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(lp_test_builds[i], 2);
}

static void
W34_detail_view_remembers_the_form(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *schema = NULL, *state = json_object();
    const struct lp_registered *reg = lp_registry_find(env->engine, "create_node");

    memset(lp_test_builds, 0, sizeof lp_test_builds);
    for (int i = 0; i < 5; i++) {
        lp_test_ok(lp_form_first_schema(env->engine, &lp_test_vip, reg, reg->workflow->form, state,
                                        &schema, &err),
                   &err);
        assert_string_equal(lp_json_str(schema, "title", ""), "Name of the node");
        json_decref(schema);
    }
    assert_int_equal(lp_test_builds[0], 1);
    json_decref(state);
}

static void
memo_never_decides_a_start(struct lp_engine_env *env)
{
    char sub[LP_UUID_LEN + 1];

    node(env, "N1", sub);
    post(env, "create_node", json_pack("[o, {s:s}]", product_page(env), "code", "N1"),
         LP_FORM_INCOMPLETE, NULL, NULL);
    /* the remembered prefix said yes to the product; the start asks again */
    lp_engine_env_sql(env, "UPDATE catalog_texts SET status = 'end of life' WHERE id = '%s'",
                      product_id(env, "TestNode"));
    post(env, "create_node",
         json_pack("[o, {s:s}, {s:i, s:s}]", product_page(env), "code", "N1", "size", 9, "speed",
                   "100"),
         LP_FORM_INVALID, NULL, NULL);
    /* remembered pages are those of one caller */
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes"), 0);
}

static void
memo_forgets(struct lp_engine_env *env)
{
    memset(lp_test_builds, 0, sizeof lp_test_builds);
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INCOMPLETE, NULL, NULL);
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INCOMPLETE, NULL, NULL);
    assert_int_equal(lp_test_builds[0], 1);
    lp_clock_turn(&env->db.clock, 60000000);
    post(env, "create_node", json_pack("[o]", product_page(env)), LP_FORM_INCOMPLETE, NULL, NULL);
    assert_int_equal(lp_test_builds[0], 2);
    /* more prefixes than it keeps: still right, only slower */
    for (int i = 0; i < 200; i++) {
        char code[9];

        snprintf(code, sizeof code, "N%d", i);
        post(env, "create_node", json_pack("[o, {s:s}]", product_page(env), "code", code),
             LP_FORM_INCOMPLETE, NULL, NULL);
    }
}

static const struct lp_engine_case cases[] = {
    {"create_form_page_by_page", create_form_page_by_page},
    {"workflow_without_form_is_one_empty_page", workflow_without_form_is_one_empty_page},
    {"subscription_page_knows_its_faults", subscription_page_knows_its_faults},
    {"W47_product_status", W47_product_status},
    {"W34_forms_memoised", W34_forms_memoised},
    {"W34_detail_view_remembers_the_form", W34_detail_view_remembers_the_form},
    {"memo_never_decides_a_start", memo_never_decides_a_start},
    {"memo_forgets", memo_forgets},
};
const struct lp_engine_cases lp_engine_form_cases = {cases, LP_COUNT(cases)};
