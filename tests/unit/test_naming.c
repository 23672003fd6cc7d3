/* Templates of names and labels. */
#include <string.h>

#include "products/naming.h"
#include "tests/support/test_main.h"

static const char *
value(const void *ctx, const char *placeholder)
{
    (void)ctx;
    return strcmp(placeholder, "a.pop") == 0 ? "MI01" : NULL;
}

static const char *const known[] = {"a.pop", "z.pop", NULL};

static void
expands(const char *template, const char *want)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_buf out = LP_BUF_INIT;

    assert_int_equal(lp_naming_check(template, known, &err), LP_OK);
    lp_buf_str(&out, "");
    assert_int_equal(lp_naming_expand(template, value, NULL, &out, &err), LP_OK);
    assert_string_equal(out.data == NULL ? "" : out.data, want);
    lp_buf_free(&out);
    lp_err_clear(&err);
}

static void
refuses(const char *template, const char *why)
{
    struct lp_err err = LP_ERR_INIT;

    assert_int_equal(lp_naming_check(template, known, &err), LP_INVALID);
    if (strstr(err.msg, why) == NULL)
        fail_msg("'%s' lacks '%s'", err.msg, why);
    lp_err_clear(&err);
}

static void
placeholders(void **state)
{
    (void)state;
    expands("", "");
    expands("plain", "plain");
    expands("flex.{a.pop|lower}.x", "flex.mi01.x");
    expands("{a.pop}{a.pop|upper}", "MI01MI01");
    expands("{{a}} {a.pop}", "{a} MI01");
}

static void
faults_have_a_place(void **state)
{
    (void)state;
    refuses("x{a.pop", "character 2 is not closed");
    refuses("a}b", "character 2 was not opened");
    refuses("{}", "no placeholder at character 1");
    refuses("{b.pop}", "no placeholder {b.pop}");
    refuses("{a.pop|title}", "'title' is no filter");
}

static void
a_value_must_be_there(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_buf out = LP_BUF_INIT;

    (void)state;
    assert_int_equal(lp_naming_expand("{z.pop}", value, NULL, &out, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "{z.pop} has no value"));
    lp_buf_free(&out);
    lp_err_clear(&err);
}

static void
patterns(void **state)
{
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_naming_matches("[A-Z]{2}|x", "AB", &err), LP_OK);
    assert_int_equal(lp_naming_matches("[A-Z]{2}|x", "xAB", &err), LP_NOT_FOUND);
    assert_int_equal(lp_naming_matches("[A-Z", "A", &err), LP_INVALID);
    lp_err_clear(&err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placeholders),
        cmocka_unit_test(faults_have_a_place),
        cmocka_unit_test(a_value_must_be_there),
        cmocka_unit_test(patterns),
    };

    return LP_RUN_TESTS(tests);
}
