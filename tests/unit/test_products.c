/* Rules of the products that the modules cannot say; coordinates. */
#include <string.h>

#include "products/coord.h"
#include "products/product.h"
#include "tests/support/test_main.h"

static bool
good(enum lp_coord kind, const char *text, int64_t want)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t udeg = 0;
    bool ok = lp_coord_parse(kind, text, &udeg, &err) == LP_OK;

    lp_err_clear(&err);
    return ok && udeg == want;
}

static bool
bad(enum lp_coord kind, const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t udeg = 7;
    bool refused = lp_coord_parse(kind, text, &udeg, &err) == LP_INVALID && udeg == 7;

    lp_err_clear(&err);
    return refused;
}

static void
T23(void **state)
{
    static const char *const wrong[] = {
        "",   "-",  "+5",   "05",  "-05",   "00",  "91",   "90.0000001",         "1e1", "5.", ".5",
        " 5", "5 ", "45,5", "--5", "4.5.6", "100", "0x10", "9999999999999999999"};

    (void)state;
    assert_true(good(LP_LATITUDE, "-90.0", -90000000));
    assert_true(bad(LP_LATITUDE, "05"));
    assert_true(bad(LP_LATITUDE, "+5"));
    assert_true(bad(LP_LATITUDE, "91"));
    assert_true(good(LP_LATITUDE, "45.123456", 45123456));
    assert_true(good(LP_LONGITUDE, "180.0", 180000000));
    assert_true(bad(LP_LONGITUDE, "180.1"));
    for (size_t i = 0; i < LP_COUNT(wrong); i++)
        assert_true(bad(LP_LATITUDE, wrong[i]));
    assert_true(good(LP_LATITUDE, "0", 0));
    assert_true(good(LP_LATITUDE, "-0.000001", -1));
    assert_true(good(LP_LATITUDE, "42.6699982", 42669998));
    assert_true(good(LP_LATITUDE, "42.66999850", 42669999));
    assert_true(good(LP_LATITUDE, "89.99999999999999999999", 90000000));
    assert_true(good(LP_LONGITUDE, "90.00000000", 90000000));
}

static void
coordinates_are_written_short(void **state)
{
    static const struct {
        int64_t udeg;
        const char *text;
    } rows[] = {{0, "0.0"},           {45478611, "45.478611"}, {-90000000, "-90.0"},
                {180000000, "180.0"}, {-1, "-0.000001"},       {43598160, "43.59816"},
                {500000, "0.5"},      {-100000, "-0.1"}};
    char buf[LP_COORD_TEXT];

    (void)state;
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        lp_coord_text(rows[i].udeg, buf);
        assert_string_equal(buf, rows[i].text);
        assert_true(good(LP_LONGITUDE, buf, rows[i].udeg));
    }
}

/* The first problem of a PoP with this code and name, or NULL; the text is in buf. */
static const char *
pop_problem(const char *pattern, const char *code, const char *name, char buf[256])
{
    struct lp_conf conf = {.pop_code_pattern = NULL};
    struct lp_problems problems;
    json_auto_t *root = json_pack("{s:s?, s:s?}", "code", code, "full_name", name);
    char *text = strdup(pattern);

    conf.pop_code_pattern = text;
    lp_problems_init(&problems);
    lp_product_pop.check(&conf, root, &problems);
    *buf = '\0';
    if (lp_problems_count(&problems) > 0)
        (void)snprintf(buf, 256, "%s", lp_json_str(json_array_get(problems.list, 0), "msg", ""));
    lp_problems_free(&problems);
    free(text);
    return *buf == '\0' ? NULL : buf;
}

/* One rule for codes, and it is the operator's. */
static void
D02_the_operator_says_what_a_code_is(void **state)
{
    char buf[256];

    (void)state;
    assert_null(pop_problem("[A-Z]{3}-[0-9]", "MIL-1", "MIL-1 Milano", buf));
    assert_string_equal(pop_problem("[A-Z]{3}-[0-9]", "MI01", "MI01 Milano", buf),
                        "PoP code MI01 must match [A-Z]{3}-[0-9]");
}

static void
OPT_001(void **state)
{
    char buf[256];

    (void)state;
    assert_null(pop_problem("[A-Z0-9]{4}", "MI01", "MI01 Milano", buf));
    assert_string_equal(pop_problem("[A-Z0-9]{4}", "mi01", "mi01", buf),
                        "PoP code mi01 must match [A-Z0-9]{4}");
    assert_non_null(
        pop_problem("[A-Z0-9]{4}", "MI012", "MI012", buf)); /* whole value, not a part */
    assert_non_null(pop_problem("[A-Z0-9]{4}", "XMI01", "XMI01", buf));
    assert_non_null(pop_problem("AA|BB", "AAB", "AAB", buf)); /* the alternatives stay together */
    assert_non_null(pop_problem("[A-Z0-9]{4}", "MI01\n", "MI01\n", buf));
    assert_null(pop_problem("[a-z]{2}[0-9]{2}", "mi01", "mi01", buf));
    assert_string_equal(
        pop_problem("(", "mi01", "mi01", buf),
        "the configured pop.code_pattern cannot be used: '(' is not a regular expression");
}

static void
OPT_002(void **state)
{
    char buf[256];

    (void)state;
    assert_string_equal(pop_problem("[A-Z0-9]{4}", "MI01", "Milano MI01", buf),
                        "full name must begin with the PoP code MI01");
    assert_non_null(pop_problem("[A-Z0-9]{4}", "MI01", "MI0", buf));
    assert_null(pop_problem("[A-Z0-9]{4}", "MI01", "MI01", buf));
    assert_null(pop_problem("[A-Z0-9]{4}", "MI01", NULL, buf));
}

static void
descriptions(void **state)
{
    json_auto_t *pop = json_pack("{s:s, s:s}", "code", "MI01", "full_name", "MI01 Milano");
    json_auto_t *partner = json_pack("{s:s}", "partner_name", "Research Net");
    char *text;

    (void)state;
    text = lp_product_of("PoP")->describe(pop);
    assert_string_equal(text, "MI01 Milano (Point of Presence)");
    free(text);
    text = lp_product_of("Partner")->describe(partner);
    assert_string_equal(text, "Research Net (Partner Institution)");
    free(text);
    assert_null(lp_product_of("pop"));
}

static void
the_list_is_whole(void **state)
{
    size_t count = 0;
    const struct lp_product *const *list = lp_products(&count);

    (void)state;
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(lp_product_of(list[i]->type), list[i]);
        assert_non_null(list[i]->describe);
    }
}

static void
a_contact_stands_once(void **state)
{
    json_auto_t *root = json_loads(
        "{\"contacts\":[{\"name\":\"a\",\"email\":\"a@b\"},{\"name\":\"c\",\"email\":\"c@b\"},"
        "{\"name\":\"a\",\"email\":\"a@b\"}]}",
        0, NULL);
    struct lp_problems problems;

    (void)state;
    lp_problems_init(&problems);
    lp_product_partner.check(NULL, root, &problems);
    assert_int_equal(lp_problems_count(&problems), 1);
    assert_string_equal(lp_json_str(json_array_get(problems.list, 0), "msg", ""),
                        "contact 3 repeats contact 1");
    lp_problems_free(&problems);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T23),
        cmocka_unit_test(coordinates_are_written_short),
        cmocka_unit_test(D02_the_operator_says_what_a_code_is),
        cmocka_unit_test(OPT_001),
        cmocka_unit_test(OPT_002),
        cmocka_unit_test(descriptions),
        cmocka_unit_test(the_list_is_whole),
        cmocka_unit_test(a_contact_stands_once),
    };

    return LP_RUN_TESTS(tests);
}
