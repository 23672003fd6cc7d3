/* The catalog: tables, ids, definition-time rules, threads. */
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/model_env.h"

static struct lp_catalog *catalog;

/* ---- tables ---- */

static void
products_come_from_fixed_inputs(void **state)
{
    const struct lp_product_type *a = lp_catalog_product(catalog, "Test line 100G"),
                                 *b = lp_catalog_product(catalog, "Test line 400G");

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a->root, b->root);
    assert_string_equal(a->type, "Test line");
    assert_string_equal(a->member, "line");
    assert_string_equal(a->tag, "LINE");
    assert_int_equal(a->fixed_count, 1);
    assert_string_equal(a->fixed[0].name, "speed");
    assert_string_equal(b->fixed[0].value, "400G");
    assert_null(lp_catalog_product(catalog, "Test line"));
    assert_ptr_equal(lp_catalog_product_by_id(catalog, b->id.text), b);
    assert_null(lp_catalog_product_by_id(catalog, "nothing"));
}

static void
renamed_products_and_blocks_keep_their_ids(void **state)
{
    const struct lp_product_type *line = lp_catalog_product(catalog, "Test line 400G");

    (void)state;
    assert_string_equal(line->id.text, lp_catalog_id("product", "Old line 400G").text);
    assert_string_equal(line->root->id.text, lp_catalog_id("product_block", "OldLine").text);
    assert_ptr_equal(lp_catalog_product(catalog, "Old line 400G"), line);
    assert_ptr_equal(lp_catalog_block(catalog, "OldLine"), line->root);
    assert_string_equal(lp_catalog_product(catalog, "PoP")->id.text,
                        lp_catalog_id("product", "PoP").text);
}

static void
fields_tell_all_their_rules(void **state)
{
    const struct lp_block_type *line = lp_catalog_block(catalog, "TestLine");
    const struct lp_field *f = lp_block_field(line, "line_name");

    (void)state;
    assert_int_equal(f->kind, LP_FIELD_STRING);
    assert_int_equal(f->required_in, LP_LC_PROVISIONING);
    assert_string_equal(f->unique, "line.name");
    f = lp_block_field(line, "priority");
    assert_int_equal(f->min, -5);
    assert_int_equal(json_integer_value(f->def), 3);
    f = lp_block_field(line, "comment");
    assert_string_equal(f->renamed_from, "remark");
    assert_string_equal(f->format, "long");
    f = lp_block_field(line, "wdm");
    assert_int_equal(f->value_count, 2);
    assert_string_equal(f->values[1].label, "Flexible grid");
    f = lp_block_field(line, "ends");
    assert_true(f->kind == LP_FIELD_BLOCK && f->list && f->required);
    assert_int_equal(f->min_items, 2);
    assert_int_equal(f->max_items, 2);
    assert_string_equal(f->block, "TestPort");
    f = lp_block_field(line, "via");
    assert_true(f->kind == LP_FIELD_REF && f->list);
    assert_true(lp_block_field(line, "protection")->optional);
    assert_true(lp_block_field(line, "trail_id")->allocated);
    assert_true(lp_block_field(line, "circuit_id")->indexed);
    assert_string_equal(lp_block_field(line, "low_mhz")->units, "MHz");
    assert_int_equal(lp_block_field(line, "label")->max, 255);
    assert_null(lp_block_field(line, "nothing"));
}

static void
the_first_products_are_as_documented(void **state)
{
    const struct lp_block_type *pop = lp_catalog_block(catalog, "PoP"),
                               *partner = lp_catalog_block(catalog, "Partner");

    (void)state;
    assert_string_equal(pop->tag, "POP");
    assert_string_equal(partner->tag, "PARTNER");
    assert_string_equal(lp_block_field(pop, "code")->unique, "pop.code");
    assert_string_equal(lp_block_field(pop, "full_name")->unique, "pop.full_name");
    assert_int_equal(lp_block_field(pop, "latitude_udeg")->required_in, LP_LC_ACTIVE);
    assert_int_equal(lp_block_field(pop, "longitude_udeg")->max, 180000000);
    assert_string_equal(lp_block_field(partner, "partner_name")->unique, "partner.name");
    assert_int_equal(lp_block_field(partner, "roles")->value_count, 5);
    assert_true(lp_block_field(partner, "external_ids")->unique_items);
}

/* ---- definition-time rules ---- */

#define HEAD                                                                                       \
    "module lightpath-bad { yang-version 1.1; namespace \"urn:bad\"; prefix bad;\n"                \
    "import lightpath-catalog { prefix lpx; }\n"
#define ROOT                                                                                         \
    "container bad { config false; lpx:product Bad; lpx:block Bad; uses lpx:block-header;\n" /* line \
                                                                                                3    \
                                                                                              */
#define FIELD(text) ROOT "leaf fine { type string; }\n" text "\n}}" /* text on line 5 */

struct bad {
    const char *body;
    unsigned line;
    const char *node; /* NULL: libyang's own message, the node is not looked at */
    const char *text;
};

static const struct bad bad_modules[] = {
    {FIELD("leaf x { type string; lpx:nonsense \"1\"; }"), 0, NULL, "nonsense"},
    {FIELD("leaf x { type strin; }"), 5, NULL, "strin"},
    {FIELD("leaf x { type string; lpx:required-in sometimes; }"), 5, "bad/x",
     "'sometimes' is not a status"},
    {FIELD("leaf x { type string;\nlpx:required-in\nterminated; }"), 6, "bad/x",
     "'terminated' is not a status"},
    {FIELD("container x { lpx:required-in active; leaf y { type string; } }"), 5, "bad/x",
     "without presence"},
    {FIELD("leaf x { type string; lpx:product P; }"), 5, "bad/x",
     "lpx:product cannot stand on a leaf"},
    {FIELD("container x { lpx:product P; leaf y { type string; } }"), 5, "bad/x",
     "top-level container"},
    {FIELD("leaf x { type string; lpx:tag T; }"), 5, "bad/x", "lpx:tag cannot stand on a leaf"},
    {FIELD("container x { lpx:tag T; leaf y { type string; } }"), 5, "bad/x",
     "need lpx:block beside them"},
    {FIELD("container x { leaf y { type string; lpx:unique s; } }"), 5, "bad/x/y",
     "directly in a block"},
    {FIELD("container x { leaf y { type string; lpx:indexed; } }"), 5, "bad/x/y",
     "directly in a block"},
    {FIELD("container x { leaf y { type lpx:uuid; lpx:reference Bad; } }"), 5, "bad/x/y",
     "directly in a block"},
    {FIELD("leaf x { type string; lpx:title a; lpx:title b; }"), 5, "bad/x", "stands there twice"},
    {FIELD("leaf x { type string; lpx:unique \"\"; }"), 5, "bad/x", "needs an argument"},
    {FIELD("leaf x { type int64; }"), 5, "bad/x", "64-bit"},
    {FIELD("leaf x { type uint64; }"), 5, "bad/x", "64-bit"},
    {FIELD("leaf x { type decimal64 { fraction-digits 2; } }"), 5, "bad/x", "64-bit"},
    {FIELD("leaf x { type union { type string; type int8; } }"), 5, "bad/x", "a leaf is a string"},
    {FIELD("leaf x { type empty; }"), 5, "bad/x", "a leaf is a string"},
    {FIELD("leaf-list x { type binary; }"), 5, "bad/x", "a leaf is a string"},
    {FIELD("leaf x-y { type string; }"), 5, "bad/x-y", "a-z, 0-9 and '_'"},
    {FIELD("leaf X { type string; }"), 5, "bad/X", "a-z, 0-9 and '_'"},
    {FIELD("leaf default { type string; }"), 5, "bad/default", "keyword of C"},
    {FIELD("leaf name { type string; }"), 5, "bad/name", "of its own on the wire"},
    {FIELD("choice x { leaf a { type string; } leaf b { type string; } }"), 5, "bad/x",
     "choice cannot be part"},
    {FIELD("anydata x;"), 5, "bad/x", "cannot be part"},
    {FIELD("leaf x { when \"../fine\"; type string; }"), 5, "bad/x", "'when' is not supported"},
    {FIELD("list x { key k; leaf k { type string; } }"), 5, "bad/x", "a list has no key"},
    {FIELD("container x { presence \"p\"; }"), 5, "bad/x", "it has no fields"},
    {FIELD("leaf x { type string; lpx:renamed-from fine; }"), 5, "bad/x", "'fine' still exists"},
    {FIELD("list x { lpx:block B; leaf y { type string; } }"), 5, "bad/x", "uses lpx:block-header"},
    {FIELD("list x { leaf z { type string; } list y { lpx:block B; uses lpx:block-header; } }"), 5,
     "bad/x/y", "not in a plain container"},
    {FIELD("leaf x { type lpx:uuid; lpx:reference Nobody; }"), 5, "bad/x",
     "there is no block 'Nobody'"},
    {FIELD("leaf x { type string; lpx:reference Bad; }"), 5, "bad/x", "of type lpx:uuid"},
    {FIELD("leaf x { type string; default a; lpx:unique s; }"), 5, "bad/x", "has no default"},
    {FIELD("list x { lpx:block B; lpx:unique s; uses lpx:block-header; }"), 5, "bad/x",
     "list of blocks has no unique"},
    {FIELD("leaf bad { type string; }"), 3, "bad", "named like the product's member"},
    {FIELD("list a { lpx:block B; uses lpx:block-header; leaf f { type string; } }\n"
           "list b { lpx:block B; uses lpx:block-header; leaf f { type int8; } }"),
     6, "bad/b/f", "another kind of field"},
    {FIELD("list a { lpx:block B; uses lpx:block-header; leaf f { type string; lpx:required-in "
           "provisioning; } }\n"
           "list b { lpx:block B; uses lpx:block-header; leaf f { type string; lpx:required-in "
           "active; } }"),
     6, "bad/b/f", "mandatory later"},
    {FIELD(
         "list a { lpx:block B; uses lpx:block-header; leaf f { type string; mandatory true; } }\n"
         "list b { lpx:block B; uses lpx:block-header; leaf g { type string; } }"),
     6, "bad/b", "mandatory field 'f'"},
    {FIELD(
         "list a { lpx:block B; uses lpx:block-header; leaf f { type int8 { range \"1..5\"; } } }\n"
         "list b { lpx:block B; uses lpx:block-header; leaf f { type int8 { range \"1..6\"; } } }"),
     6, "bad/b/f", "wider limits"},
    {FIELD("list a { lpx:block B; uses lpx:block-header; }\n"
           "list b { lpx:block B; uses lpx:block-header; leaf f { type int8; } }"),
     6, "bad/b/f", "does not exist"},
    {"leaf x { config false; type string; }\n}", 3, "x", "container with lpx:product"},
    {"container bad { config false; lpx:product Bad; leaf x { type string; } }}", 3, "bad",
     "lpx:block is missing"},
    {"container bad { lpx:product Bad; lpx:block Bad; uses lpx:block-header; leaf x { type string; "
     "} }}",
     3, "bad", "'config false' is missing"},
    {"container status { config false; lpx:product Bad; lpx:block Bad; uses lpx:block-header; }}",
     3, "status", "every subscription has a member"},
    {"container a { config false; lpx:product A; lpx:block A; uses lpx:block-header; }\n"
     "container b { config false; lpx:product B; lpx:block B; uses lpx:block-header; }}",
     3, "a", "several products"},
    {"container a { presence x; config false; lpx:product A; lpx:block A; uses lpx:block-header; "
     "}\n"
     "container b { presence x; config false; lpx:product A; lpx:block B; uses lpx:block-header; "
     "}}",
     4, "b", "two products named 'A'"},
    {"container a { presence x; config false; lpx:product A; lpx:block A; uses lpx:block-header; "
     "}\n"
     "container b { presence x; config false; lpx:product B; lpx:block A; uses lpx:block-header; "
     "}}",
     4, "b", "root of two products"},
    {"container pop { config false; lpx:product A; lpx:block A; uses lpx:block-header; }}", 0, NULL,
     "two products have the member 'pop'"},
    {"container a { config false; lpx:product A; lpx:block A;\nlpx:tag\n\"a tag of more than "
     "twenty\"; uses lpx:block-header; }}",
     4, "a", "more than 20 characters"},
    {"container a { config false; lpx:product A; lpx:block A;\nlpx:fixed-input speed; uses "
     "lpx:block-header; }}",
     4, "a", "written 'name=value'"},
    {"rpc do { input { leaf x { type string; } } }}", 1, NULL, "operations and notifications"},
    {"container a {", 0, NULL, "module lightpath-bad"},
};

static void
write_module(const char *dir, const char *body)
{
    char path[300];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/lightpath-bad.yang", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(HEAD, file);
    (void)fputs(body, file);
    assert_int_equal(fclose(file), 0);
}

static void
check_refused(const char *dir, const struct bad *bad)
{
    const char *dirs[] = {LP_PRODUCTS_YANG, dir};
    struct lp_err err = LP_ERR_INIT;
    struct lp_catalog *loaded = NULL;
    char place[100];

    write_module(dir, bad->body);
    if (lp_catalog_load(dirs, 2, &loaded, &err) == LP_OK)
        fail_msg("accepted: %s", bad->body);
    assert_null(loaded);
    assert_int_equal(err.code, LP_INVALID);
    if (strstr(err.msg, bad->text) == NULL)
        fail_msg("%s\nsays: %s\nnot: %s", bad->body, err.msg, bad->text);
    assert_non_null(strstr(err.msg, "module lightpath-"));
    (void)snprintf(place, sizeof place, "line %u%s%s:", bad->line,
                   bad->node != NULL ? ", node " : "", bad->node != NULL ? bad->node : "");
    if (bad->line != 0 && strstr(err.msg, bad->node != NULL ? place : "line ") == NULL)
        fail_msg("%s\nsays: %s\nnot: %s", bad->body, err.msg, place);
    lp_err_clear(&err);
}

static void
every_broken_rule_names_module_line_and_node(void **state)
{
    char dir[] = "/tmp/lightpath-yang-XXXXXX", path[300];

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < LP_COUNT(bad_modules); i++)
        check_refused(dir, &bad_modules[i]);
    (void)snprintf(path, sizeof path, "%s/lightpath-bad.yang", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

static void
folders_that_cannot_be_read_are_named(void **state)
{
    static const char *const nowhere[] = {"/nonexistent/lightpath"};
    char dir[] = "/tmp/lightpath-yang-XXXXXX";
    const char *empty[] = {dir};
    struct lp_err err = LP_ERR_INIT;
    struct lp_catalog *loaded = NULL;

    (void)state;
    assert_int_equal(lp_catalog_load(nowhere, 1, &loaded, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "/nonexistent/lightpath"));
    assert_non_null(mkdtemp(dir));
    assert_int_equal(lp_catalog_load(empty, 1, &loaded, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "lightpath-catalog"));
    (void)rmdir(dir);
    lp_err_clear(&err);
}

static void
load_text(const char *dir, const char *body, char hash[65])
{
    const char *dirs[] = {LP_PRODUCTS_YANG, dir};
    struct lp_err err = LP_ERR_INIT;
    struct lp_catalog *loaded = NULL;

    write_module(dir, body);
    if (lp_catalog_load(dirs, 2, &loaded, &err) != LP_OK)
        fail_msg("%s", err.msg);
    (void)snprintf(hash, 65, "%s", lp_catalog_hash(loaded));
    assert_int_equal(strlen(hash), 64);
    lp_catalog_free(loaded);
}

static void
the_hash_follows_rules_not_texts(void **state)
{
    char dir[] = "/tmp/lightpath-yang-XXXXXX", path[300], a[65], b[65], c[65], d[65];

    (void)state;
    assert_non_null(mkdtemp(dir));
    load_text(dir, FIELD("leaf x { type string; }"), a);
    load_text(dir, FIELD("/* said more clearly */ leaf x { type string; description \"more\"; }"),
              b);
    load_text(dir, FIELD("leaf x { type string { pattern a; } }"), c);
    load_text(dir, FIELD("leaf x { type string; must \". = 'a'\"; }"), d);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_string_not_equal(a, d);
    (void)snprintf(path, sizeof path, "%s/lightpath-bad.yang", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

/* The module in docs/writing-a-product.md, as it stands there. */
static void
copy_documented_module(const char *dir)
{
    static const char page_path[] = LP_SOURCE_ROOT "/docs/writing-a-product.md";
    char path[300], line[1000];
    FILE *page = fopen(page_path, "r"), *out;
    bool inside = false;

    (void)snprintf(path, sizeof path, "%s/lightpath-rack.yang", dir);
    out = fopen(path, "w");
    assert_non_null(page);
    assert_non_null(out);
    while (fgets(line, sizeof line, page) != NULL) {
        if (inside && strncmp(line, "```", 3) == 0)
            break;
        if (inside)
            (void)fputs(line, out);
        inside |= strcmp(line, "```yang\n") == 0;
    }
    assert_true(inside);
    (void)fclose(page);
    (void)fclose(out);
}

static void
the_documented_module_loads(void **state)
{
    char dir[] = "/tmp/lightpath-yang-XXXXXX", path[300];
    const char *dirs[] = {LP_PRODUCTS_YANG, dir};
    struct lp_err err = LP_ERR_INIT;
    struct lp_catalog *loaded = NULL;

    (void)state;
    assert_non_null(mkdtemp(dir));
    copy_documented_module(dir);
    if (lp_catalog_load(dirs, 2, &loaded, &err) != LP_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(lp_catalog_product(loaded, "Rack")->member, "rack");
    lp_catalog_free(loaded);
    (void)snprintf(path, sizeof path, "%s/lightpath-rack.yang", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

/* ---- lifecycle ---- */

static void
lifecycle_names_go_both_ways(void **state)
{
    enum lp_lifecycle status;

    (void)state;
    for (unsigned i = 0; i < LP_LC_COUNT; i++) {
        assert_true(lp_lifecycle_from_name(lp_lifecycle_name((enum lp_lifecycle)i), &status));
        assert_int_equal(status, i);
    }
    assert_false(lp_lifecycle_from_name("Active", &status));
    assert_false(lp_lifecycle_from_name(NULL, &status));
}

static void
users_hold_a_status_change_back(void **state)
{
    static const char *const permitted[] = {
        [LP_LC_INITIAL] = "i",     [LP_LC_PROVISIONING] = "ipat", [LP_LC_ACTIVE] = "ipamdt",
        [LP_LC_MIGRATING] = "imt", [LP_LC_DISABLED] = "idt",      [LP_LC_TERMINATED] = "it"};
    static const char letters[] = "ipamdt";

    (void)state;
    for (unsigned to = 0; to < LP_LC_COUNT; to++) {
        for (unsigned user = 0; user < LP_LC_COUNT; user++)
            assert_int_equal(
                lp_lifecycle_user_permits((enum lp_lifecycle)to, (enum lp_lifecycle)user),
                strchr(permitted[to], letters[user]) != NULL);
    }
}

/* ---- threads ---- */

static void *
work(void *arg)
{
    const struct lp_product_type *line = lp_catalog_product(catalog, "Test line 100G");
    json_t *root = arg;
    size_t faults = 0;

    for (int i = 0; i < 100; i++) {
        struct lp_problems problems;
        struct lp_err err = LP_ERR_INIT;
        json_t *low =
            json_integer(i % 2 == 0 ? 193100000 : 195000000); /* above high_mhz: must fails */
        (void)json_object_set_new(root, "low_mhz", low);
        (void)json_object_set_new(root, "vlan_ref", json_string(i % 3 == 0 ? "UPPER" : "lower"));
        lp_problems_init(&problems);
        if (lp_model_check(catalog, line, root, LP_LC_ACTIVE, &problems, &err) != LP_OK)
            faults++;
        if ((lp_problems_count(&problems) == 0) != (i % 2 == 0 && i % 3 != 0))
            faults++;
        lp_problems_free(&problems);
    }
    return faults == 0 ? NULL : root;
}

static void
one_catalog_serves_many_threads(void **state)
{
    pthread_t threads[8];
    json_t *roots[8];

    (void)state;
    for (size_t i = 0; i < LP_COUNT(threads); i++) {
        roots[i] = test_line(catalog);
        assert_int_equal(pthread_create(&threads[i], NULL, work, roots[i]), 0);
    }
    for (size_t i = 0; i < LP_COUNT(threads); i++) {
        void *bad = NULL;
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
        json_decref(roots[i]);
    }
}

static int
setup(void **state)
{
    (void)state;
    catalog = test_catalog();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    lp_catalog_free(catalog);
    return 0;
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_come_from_fixed_inputs),
        cmocka_unit_test(renamed_products_and_blocks_keep_their_ids),
        cmocka_unit_test(fields_tell_all_their_rules),
        cmocka_unit_test(the_first_products_are_as_documented),
        cmocka_unit_test(every_broken_rule_names_module_line_and_node),
        cmocka_unit_test(folders_that_cannot_be_read_are_named),
        cmocka_unit_test(the_hash_follows_rules_not_texts),
        cmocka_unit_test(the_documented_module_loads),
        cmocka_unit_test(lifecycle_names_go_both_ways),
        cmocka_unit_test(users_hold_a_status_change_back),
        cmocka_unit_test(one_catalog_serves_many_threads),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
