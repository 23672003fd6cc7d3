/* Texts of the command line turned into what a form page asks for. */
#include <string.h>

#include "cli/schema.h"
#include "tests/support/test_main.h"

static const char page_text[] =
    "{\"title\": \"PoP\", \"type\": \"object\", \"required\": [\"code\", \"count\", \"owner\"],"
    " \"$defs\": {\"Owner\": {\"type\": \"string\", \"enum\": [\"id-1\", \"id-2\", \"id-3\"],"
    "   \"options\": {\"id-1\": \"GARR\", \"id-2\": \"GEANT\", \"id-3\": \"SURF\"}},"
    "   \"Address\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}, "
    "\"zip\": {\"type\": \"integer\"}}},"
    "   \"Loop\": {\"$ref\": \"#/$defs/Loop\"}},"
    " \"properties\": {\"code\": {\"type\": \"string\"}, \"count\": {\"type\": \"integer\"}, "
    "\"live\": {\"type\": \"boolean\"},"
    "   \"ratio\": {\"type\": \"number\"}, \"note\": {\"anyOf\": [{\"type\": \"string\"}, "
    "{\"type\": \"null\"}], \"default\": null},"
    "   \"owner\": {\"$ref\": \"#/$defs/Owner\", \"title\": \"Owner of it\"},"
    "   \"tags\": {\"type\": \"array\", \"items\": {\"type\": \"integer\"}, \"default\": [1]},"
    "   \"address\": {\"anyOf\": [{\"$ref\": \"#/$defs/Address\"}, {\"type\": \"null\"}], "
    "\"default\": {\"city\": \"Roma\", \"zip\": 1}},"
    "   \"people\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": "
    "{\"name\": {\"type\": \"string\"}}}},"
    "   \"loop\": {\"$ref\": \"#/$defs/Loop\"}, \"shown\": {\"type\": \"string\", \"format\": "
    "\"label\"},"
    "   \"fixed\": {\"const\": 3, \"type\": \"integer\"}}}";

static json_t *page;

static int
load_page(void **state)
{
    (void)state;
    page = json_loads(page_text, 0, NULL);
    return page == NULL;
}

static int
drop_page(void **state)
{
    (void)state;
    json_decref(page);
    return 0;
}

static json_t *
flat_of(const char *name)
{
    return cli_schema_flat(page, json_object_get(json_object_get(page, "properties"), name));
}

/* Fills a page from one --set after another; NULL-terminated. Returns the input as text, or the
 * error. */
static char *
filled(enum lp_code expected, const char *const *sets)
{
    struct cli_sets given = {.rows = NULL};
    struct lp_err err = LP_ERR_INIT;
    json_t *input = json_object();
    char *text;

    for (size_t i = 0; sets[i] != NULL; i++)
        assert_int_equal(cli_sets_add(&given, sets[i], &err), LP_OK);
    assert_int_equal(cli_sets_fill(&given, page, input, &err), expected);
    text = expected == LP_OK ? json_dumps(input, JSON_COMPACT | JSON_SORT_KEYS) : strdup(err.msg);
    cli_sets_free(&given);
    json_decref(input);
    lp_err_clear(&err);
    return text;
}

#define FILLED(expected, ...)                                                                      \
    do {                                                                                           \
        char *text_ = filled(LP_OK, (const char *const[]){__VA_ARGS__, NULL});                     \
        assert_string_equal(text_, expected);                                                      \
        free(text_);                                                                               \
    } while (0)
#define REFUSED(part, ...)                                                                         \
    do {                                                                                           \
        char *text_ = filled(LP_INVALID, (const char *const[]){__VA_ARGS__, NULL});                \
        assert_non_null(strstr(text_, part));                                                      \
        free(text_);                                                                               \
    } while (0)

static void
values_take_the_type_of_their_field(void **state)
{
    (void)state;
    FILLED("{\"code\":\"12\"}", "code=12");
    FILLED("{\"count\":-7}", "count=-7");
    FILLED("{\"live\":true}", "live=yes");
    FILLED("{\"live\":false}", "live=FALSE");
    FILLED("{\"ratio\":2.5}", "ratio=2.5");
    FILLED("{\"ratio\":2}", "ratio=2");
    FILLED("{\"code\":\"a=b\"}", "code=a=b");
    FILLED("{\"code\":\"\"}", "code=");
}

static void
wrong_types_are_refused(void **state)
{
    (void)state;
    REFUSED("count: '1x' is not a whole number", "count=1x");
    REFUSED("count: '' is not", "count=");
    REFUSED("whole number", "count=99999999999999999999");
    REFUSED("neither true nor false", "live=maybe");
    REFUSED("not a number", "ratio=inf");
    REFUSED("not valid UTF-8", "code=\xff");
}

static void
null_only_where_it_may_be(void **state)
{
    (void)state;
    FILLED("{\"note\":null}", "note=null");
    FILLED("{\"code\":\"null\"}", "code=null");
    FILLED("{\"address\":null}", "address=null");
}

static void
choices_by_value_label_or_beginning(void **state)
{
    (void)state;
    FILLED("{\"owner\":\"id-2\"}", "owner=id-2");
    FILLED("{\"owner\":\"id-1\"}", "owner=garr");
    FILLED("{\"owner\":\"id-3\"}", "owner=su");
    REFUSED("choose one of: GARR, GEANT, SURF", "owner=nobody");
    REFUSED("not clear", "owner=G");
}

static void
lists_grow_and_can_be_emptied(void **state)
{
    (void)state;
    FILLED("{\"tags\":[4,5]}", "tags=4", "tags=5");
    FILLED("{\"tags\":[]}", "tags=");
    FILLED("{\"tags\":[9]}", "tags:=[9]");
    REFUSED("whole number", "tags=x");
}

static void
members_are_reached_with_dots(void **state)
{
    (void)state;
    FILLED("{\"address\":{\"city\":\"Bari\",\"zip\":1}}", "address.city=Bari");
    FILLED("{\"address\":{\"city\":\"Roma\",\"zip\":70100}}", "address.zip=70100");
    FILLED("{\"people\":[{\"name\":\"Ada\"},{\"name\":\"Bo\"}]}", "people.0.name=Ada",
           "people.1.name=Bo");
    REFUSED("there is no field 'street'", "address.street=x");
    REFUSED("without gaps", "people.4.name=x");
    REFUSED("there is no field 'deep'", "code.deep=x");
}

static void
hostile_schemas_end(void **state)
{
    json_t *flat = flat_of("loop");

    (void)state;
    assert_string_equal(cli_schema_type(flat), "string");
    json_decref(flat);
}

static void
what_is_only_shown(void **state)
{
    json_t *shown = flat_of("shown"), *fixed = flat_of("fixed"), *code = flat_of("code");

    (void)state;
    assert_true(cli_schema_display_only(shown));
    assert_true(cli_schema_display_only(fixed));
    assert_false(cli_schema_display_only(code));
    assert_true(cli_schema_required(page, "code"));
    assert_false(cli_schema_required(page, "note"));
    json_decref(shown);
    json_decref(fixed);
    json_decref(code);
}

static void
references_are_merged_under_the_field(void **state)
{
    json_t *owner = flat_of("owner"), *address = flat_of("address");

    (void)state;
    assert_string_equal(cli_schema_title(owner, "owner"), "Owner of it");
    assert_string_equal(cli_schema_label(owner, "id-2"), "GEANT");
    assert_string_equal(cli_schema_label(owner, "other"), "other");
    assert_string_equal(cli_schema_type(address), "object");
    assert_true(lp_json_true(address, "x-nullable"));
    json_decref(owner);
    json_decref(address);
}

static void
malformed_sets_are_told(void **state)
{
    static const char *const bad[] = {"code", "=x", ":=1", "code:={", "code:=1 2"};
    struct cli_sets sets = {.rows = NULL};
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        assert_int_equal(cli_sets_add(&sets, bad[i], &err), LP_INVALID);
        assert_non_null(strstr(err.msg, "--set"));
        lp_err_clear(&err);
    }
    assert_int_equal(sets.count, 0);
    cli_sets_free(&sets);
}

static void
values_no_page_asks_for_are_found(void **state)
{
    struct cli_sets sets = {.rows = NULL};
    struct lp_err err = LP_ERR_INIT;
    json_t *input = json_object();

    (void)state;
    assert_int_equal(cli_sets_add(&sets, "code=X", &err), LP_OK);
    assert_int_equal(cli_sets_add(&sets, "colour=red", &err), LP_OK);
    assert_int_equal(cli_sets_fill(&sets, page, input, &err), LP_OK);
    assert_string_equal(cli_sets_unused(&sets)->path, "colour");
    cli_sets_free(&sets);
    json_decref(input);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_take_the_type_of_their_field),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(null_only_where_it_may_be),
        cmocka_unit_test(choices_by_value_label_or_beginning),
        cmocka_unit_test(lists_grow_and_can_be_emptied),
        cmocka_unit_test(members_are_reached_with_dots),
        cmocka_unit_test(hostile_schemas_end),
        cmocka_unit_test(what_is_only_shown),
        cmocka_unit_test(references_are_merged_under_the_field),
        cmocka_unit_test(malformed_sets_are_told),
        cmocka_unit_test(values_no_page_asks_for_are_found),
    };

    return LP_RUN_TESTS_WITH(tests, load_page, drop_page);
}
