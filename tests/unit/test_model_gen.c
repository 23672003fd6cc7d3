/* The generated structs: documents in, the same documents out. */
#include "model_test_gen.h"
#include "tests/support/model_env.h"

static struct lp_catalog *catalog;

static void
structs_show_what_the_document_holds(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_block_test_line line;
    json_t *root = test_line(catalog), *back;

    (void)state;
    if (lp_block_test_line_from_json(root, &line, &err) != LP_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(line.line_name, "L1");
    assert_true(line.has_circuit_id && line.circuit_id == 7);
    assert_true(line.has_enabled && line.enabled);
    assert_int_equal(line.wdm, LP_TEST_LINE_WDM_FLEX);
    assert_string_equal(lp_test_line_wdm_names[line.wdm], "flex");
    assert_int_equal(line.lengths_count, 4);
    assert_int_equal(line.lengths[3], 100);
    assert_string_equal(line.names[1], "a");
    assert_string_equal(line.address->city, "Milano");
    assert_string_equal(line.contract->number, "C-1");
    assert_int_equal(line.segments[0].kind, LP_TEST_LINE_SEGMENTS_KIND_SPAN);
    assert_int_equal(line.segments[1].kind, LP_TEST_LINE_SEGMENTS_KIND_NONE);
    assert_int_equal(line.ends_count, 2);
    assert_string_equal(line.ends[0].label, "z side");
    assert_true(line.ends[1].limits->has_high_cdb && line.ends[1].limits->high_cdb == 6);
    assert_false(line.ends[1].limits->has_low_cdb);
    assert_null(line.protection);
    assert_string_equal(line.constraints->sections[0].avoid[0],
                        "01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f3");
    back = lp_block_test_line_to_json(&line);
    assert_true(json_equal(root, back));
    lp_block_test_line_free(&line);
    assert_null(line.line_name);
    assert_int_equal(line.ends_count, 0);
    json_decref(back);
    json_decref(root);
}

static void
structs_are_written_as_documents(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    char name[] = "L9", id[] = "01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f0", red[] = "x";
    char *names[] = {red, name};
    enum lp_test_line_colours colours[] = {LP_TEST_LINE_COLOURS_BLUE, LP_TEST_LINE_COLOURS_RED};
    struct lp_block_test_line line = {.subscription_instance_id = id,
                                      .line_name = name,
                                      .has_priority = true,
                                      .priority = -2,
                                      .names = names,
                                      .names_count = 2,
                                      .colours = colours,
                                      .colours_count = 2};
    json_t *doc = lp_block_test_line_to_json(&line);
    json_t *want = test_json("{'subscription_instance_id':'01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f0','"
                             "line_name':'L9','priority':-2,"
                             "'names':['x','L9'],'colours':['blue','red']}");

    (void)state;
    assert_true(json_equal(doc, want));
    json_decref(doc);
    json_decref(want);
    lp_err_clear(&err);
}

static void
wrong_documents_leave_nothing_behind(void **state)
{
    static const char *const wrong[] = {"[]",
                                        "{'nothing':1}",
                                        "{'line_name':7}",
                                        "{'circuit_id':'7'}",
                                        "{'enabled':0}",
                                        "{'wdm':'both'}",
                                        "{'lengths':7}",
                                        "{'line_name':'a','lengths':[1,'2']}",
                                        "{'names':['a',null]}",
                                        "{'address':'x'}",
                                        "{'address':{'town':'x'}}",
                                        "{'ends':[{'port_name':'p'},{'port_name':7}]}",
                                        "{'colours':['red','pink']}"};
    struct lp_block_test_line line;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(wrong); i++) {
        static const struct lp_block_test_line empty;
        struct lp_err err = LP_ERR_INIT;
        json_t *doc = test_json(wrong[i]);
        assert_int_equal(lp_block_test_line_from_json(doc, &line, &err), LP_INVALID);
        assert_true(err.msg[0] != '\0');
        assert_memory_equal(&line, &empty, sizeof line);
        lp_err_clear(&err);
        json_decref(doc);
    }
}

static void
blocks_of_their_own_type_nest(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_block_test_tree tree;
    json_t *doc = test_json("{'title':'top','trees':[{'title':'a'},{'title':'b'}]}");

    (void)state;
    assert_int_equal(lp_block_test_tree_from_json(doc, &tree, &err), LP_OK);
    assert_string_equal(tree.trees[1].title, "b");
    assert_int_equal(tree.trees[1].trees_count, 0);
    lp_block_test_tree_free(&tree);
    json_decref(doc);
}

static void
names_are_those_of_the_documents(void **state)
{
    (void)state;
    assert_non_null(
        lp_block_field(lp_catalog_block(catalog, LP_BLOCK_POP), LP_F_POP_LATITUDE_UDEG));
    assert_non_null(
        lp_block_field(lp_catalog_block(catalog, LP_BLOCK_TEST_LINE), LP_F_TEST_LINE_LINE_NAME));
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
        cmocka_unit_test(structs_show_what_the_document_holds),
        cmocka_unit_test(structs_are_written_as_documents),
        cmocka_unit_test(wrong_documents_leave_nothing_behind),
        cmocka_unit_test(blocks_of_their_own_type_nest),
        cmocka_unit_test(names_are_those_of_the_documents),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
