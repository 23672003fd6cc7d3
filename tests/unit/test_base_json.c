#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "tests/support/test_main.h"

static void
refused(const char *text, size_t len, const char *pointer, const char *why)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    assert_int_equal(lp_json_load(text, len, &value, &err), LP_INVALID);
    assert_null(value);
    assert_string_equal(err.pointer, pointer);
    if (strstr(err.msg, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.msg, why);
    lp_err_clear(&err);
}

#define REFUSED(text, pointer, why) refused(text, sizeof(text) - 1, pointer, why)

static void
refuses_hostile_text(void **state)
{
    (void)state;
    REFUSED("", "line 1, column 1", "");
    REFUSED("{\"a\":1,\"b\":2,\"a\":3}", "line 1, column 16", "duplicate object key near '\"a\"'");
    REFUSED("{\"a\":1} x", "line 1, column 9", "end of file expected");
    REFUSED("{\"a\":1}{}", "line 1, column 8", "end of file expected");
    REFUSED("\n\n  \"\xC3\x28\"", "line 3, column 4", "not UTF-8");
    REFUSED("\"\xED\xA0\x80\"", "line 1, column 2", "not UTF-8"); /* a surrogate */
    REFUSED("\"\xC0\xAF\"", "line 1, column 2", "not UTF-8");     /* overlong */
    REFUSED("\"\xF5\x80\x80\x80\"", "line 1, column 2", "not UTF-8");
    REFUSED("{\"a\":\n\"x\0y\"}", "line 2, column 3", "NUL");
    REFUSED("[1]\0", "line 1, column 4", "NUL");
    REFUSED("\"\\u0000\"", "line 1, column 8", "\\u0000");
    REFUSED("{\"\\u0000a\":1}", "line 1, column 10", "NUL byte");
    REFUSED("[1,]", "line 1, column 4", "");
    REFUSED("nul", "line 1, column 3", "");
    REFUSED("\"\\uD800\"", "line 1, column 8", "Unicode");
    REFUSED("99999999999999999999", "line 1, column 20", "too big integer");
    REFUSED("1e999", "line 1, column 5", "real number overflow");
    REFUSED("{\"a\":\xEF\xBB\xBF"
            "1}",
            "line 1, column 6", "");
    REFUSED("\"\\\xC3\"", "line 1, column 3", "not UTF-8");
}

static void
counts_columns_in_characters(void **state)
{
    (void)state;
    REFUSED("\"\xC3\xA4\xC3\xB6\", \x01", "line 1, column 5", "end of file expected");
    REFUSED("[\"\xC3\xA4\", \"\xFF\"]", "line 1, column 8", "not UTF-8");
}

static void
does_not_quote_what_may_be_secret(void **state)
{
    static const char text[] = "{\"password\": \"hunter2\x01\"}";
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    (void)state;
    assert_int_equal(lp_json_load(text, sizeof text - 1, &value, &err), LP_INVALID);
    assert_null(strstr(err.msg, "hunter"));
    lp_err_clear(&err);
}

static void
limits_depth(void **state)
{
    char text[2 * 65 + 1];
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    (void)state;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_int_equal(lp_json_load(text, 128, &value, &err), LP_OK);
    json_decref(value);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    refused(text, 130, "line 1, column 65", "64 levels");
    /* brackets inside text are no levels, nor behind an escaped quote */
    memset(text, '[', sizeof text);
    text[0] = text[129] = '"';
    text[1] = '\\';
    text[2] = '"';
    assert_int_equal(lp_json_load(text, 130, &value, &err), LP_OK);
    json_decref(value);
}

static void
reads_exactly_len_bytes_and_any_kind(void **state)
{
    static const char *const texts[] = {"1", "\"x\"", "null", "true", "[]", "{}", " 1.5 "};
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        assert_int_equal(lp_json_load(texts[i], strlen(texts[i]), &value, &err), LP_OK);
        json_decref(value);
    }
    assert_int_equal(lp_json_load("12345", 3, &value, &err), LP_OK);
    assert_int_equal(json_integer_value(value), 123);
    json_decref(value);
}

static char *
canonical(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;
    char *out = NULL;
    size_t len = 0;

    assert_int_equal(lp_json_load(text, strlen(text), &value, &err), LP_OK);
    assert_int_equal(lp_json_canonical(value, &out, &len, &err), LP_OK);
    assert_int_equal(strlen(out), len);
    json_decref(value);
    return out;
}

static void
canonical_is_sorted_compact_and_unescaped(void **state)
{
    char *text = canonical("{ \"b\" : [1, {\"z\":null,\"a\":true}], \"a/\" : \"\\u00e4\\/\\n\" , "
                           "\"B\":-0 }");

    (void)state;
    assert_string_equal(text,
                        "{\"B\":0,\"a/\":\"\xC3\xA4/\\n\",\"b\":[1,{\"a\":true,\"z\":null}]}");
    free(text);
}

static void
canonical_refuses_reals_by_path(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *value = json_pack("{s:i, s:[i, {s:f}]}", "a", 1, "b/c", 2, "x~y", 1.5);
    json_auto_t *top = json_real(1.0);
    char *out = NULL;
    size_t len = 7;

    (void)state;
    assert_int_equal(lp_json_canonical(value, &out, &len, &err), LP_INVALID);
    assert_string_equal(err.pointer, "/b~1c/1/x~0y");
    assert_null(out);
    assert_int_equal(len, 7);
    assert_int_equal(lp_json_canonical(top, &out, &len, &err), LP_INVALID);
    assert_string_equal(err.pointer, "");
    lp_err_clear(&err);
}

static void
canonical_survives_cycles_and_depth(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *outer = json_array(), *inner = outer;
    char *out = NULL;
    size_t len;

    (void)state;
    for (unsigned i = 1; i <= LP_JSON_MAX_DEPTH; i++) {
        assert_int_equal(json_array_append_new(inner, json_array()), 0);
        inner = json_array_get(inner, 0);
    }
    assert_int_equal(lp_json_canonical(outer, &out, &len, &err), LP_INVALID);
    assert_null(out);
    lp_err_clear(&err);
    json_decref(outer);
}

static void
pointer_of_a_deep_fault_is_cut_not_overrun(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    char name[200];
    json_auto_t *value = json_object();
    char *out = NULL;
    size_t len;

    (void)state;
    memset(name, '/', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(json_object_set_new(value, name, json_real(1)), 0);
    assert_int_equal(lp_json_canonical(value, &out, &len, &err), LP_INVALID);
    assert_in_range(strlen(err.pointer), 120, sizeof err.pointer - 1);
    lp_err_clear(&err);
}

/* A random value of limited depth without reals. */
static json_t *
random_value(uint64_t *state, unsigned depth)
{
    static const char *const words[] = {"", "a", "b", "\xC3\xA4", "\"\\/", "\x01\x1F\x7F", "zz"};
    uint64_t kind = lp_test_random(state) % (depth == 0 ? 5 : 7);
    uint64_t n = lp_test_random(state) % 5;
    json_t *value;

    switch (kind) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(n % 2);
    case 2:
    case 3:
        return json_integer((json_int_t)lp_test_random(state));
    case 4:
        return json_string(words[lp_test_random(state) % LP_COUNT(words)]);
    case 5:
        value = json_array();
        for (uint64_t i = 0; i < n; i++)
            assert_int_equal(json_array_append_new(value, random_value(state, depth - 1)), 0);
        return value;
    default:
        value = json_object();
        for (uint64_t i = 0; i < n; i++)
            assert_int_equal(json_object_set_new(value,
                                                 words[lp_test_random(state) % LP_COUNT(words)],
                                                 random_value(state, depth - 1)),
                             0);
        return value;
    }
}

static void
property_canonical_is_a_fixed_point(void **state)
{
    uint64_t seed = lp_test_seed("property_canonical_is_a_fixed_point");

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        json_auto_t *value = random_value(&seed, 5), *back = NULL;
        struct lp_err err = LP_ERR_INIT;
        char *once = NULL, *twice = NULL;
        size_t len;

        assert_int_equal(lp_json_canonical(value, &once, &len, &err), LP_OK);
        assert_int_equal(lp_json_load(once, len, &back, &err), LP_OK);
        assert_true(lp_json_same(value, back));
        assert_int_equal(lp_json_canonical(back, &twice, &len, &err), LP_OK);
        assert_string_equal(once, twice);
        free(once);
        free(twice);
    }
}

static void
property_text_is_what_jansson_writes(void **state)
{
    uint64_t seed = lp_test_seed("property_text_is_what_jansson_writes");

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        json_auto_t *value = json_pack("[o, f]", random_value(&seed, 6), (double)(i % 100) / 7);
        struct lp_err err = LP_ERR_INIT;
        char *ours = lp_json_text(value), *theirs = json_dumps(value, JSON_COMPACT);
        size_t len;

        assert_string_equal(ours, theirs);
        free(ours);
        free(theirs);
        assert_int_equal(json_array_remove(value, 1), 0);
        assert_int_equal(lp_json_canonical(value, &ours, &len, &err), LP_OK);
        theirs = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(ours, theirs);
        free(ours);
        free(theirs);
    }
}

static void
large_objects_are_sorted_too(void **state)
{
    json_auto_t *value = json_object();
    char key[16], *ours = NULL, *theirs;
    struct lp_err err = LP_ERR_INIT;
    size_t len;

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        (void)snprintf(key, sizeof key, "%u", i * 7919 % 501);
        assert_int_equal(json_object_set_new(value, key, json_integer(i)), 0);
    }
    assert_int_equal(lp_json_canonical(value, &ours, &len, &err), LP_OK);
    theirs = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(ours, theirs);
    free(ours);
    free(theirs);
    assert_null(lp_json_text(NULL));
    assert_int_equal(lp_json_canonical(NULL, &ours, &len, &err), LP_INVALID);
    lp_err_clear(&err);
}

static void
property_mutated_text_never_crashes(void **state)
{
    static const char seedling[] = "{\"a\":[1,2.5,\"\xC3\xA4\\u00e4\",{\"b\":null}],\"c\":true}";
    uint64_t seed = lp_test_seed("property_mutated_text_never_crashes");
    unsigned accepted = 0;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char text[sizeof seedling];
        struct lp_err err = LP_ERR_INIT;
        json_t *value = NULL;
        enum lp_code rc;

        memcpy(text, seedling, sizeof text);
        for (unsigned k = 0; k < 1 + i % 3; k++)
            text[lp_test_random(&seed) % (sizeof text - 1)] = (char)lp_test_random(&seed);
        rc = lp_json_load(text, sizeof text - 1, &value, &err);
        assert_true((rc == LP_OK) == (value != NULL));
        assert_true(rc == LP_OK || (rc == LP_INVALID && err.pointer[0] != '\0'));
        assert_true(lp_utf8_valid(err.msg, strlen(err.msg)));
        accepted += rc == LP_OK;
        json_decref(value);
        lp_err_clear(&err);
    }
    assert_in_range(accepted, 1, 19999);
}

static void
members_are_typed_and_named(void **state)
{
    json_auto_t *obj = json_pack("{s:s, s:i, s:b, s:{}, s:[], s:n, s:f}", "text", "x", "int", 7,
                                 "bool", 1, "object", "array", "null", "real", 1.0);
    struct lp_err err = LP_ERR_INIT;
    const char *text = NULL;
    int64_t number = 0;
    bool flag = false;
    json_t *inner = NULL;

    (void)state;
    assert_int_equal(lp_json_get_string(obj, "text", &text, &err), LP_OK);
    assert_string_equal(text, "x");
    assert_int_equal(lp_json_get_int(obj, "int", &number, &err), LP_OK);
    assert_int_equal(number, 7);
    assert_int_equal(lp_json_get_bool(obj, "bool", &flag, &err), LP_OK);
    assert_true(flag);
    assert_int_equal(lp_json_get_object(obj, "object", &inner, &err), LP_OK);
    assert_true(json_is_object(inner));
    assert_int_equal(lp_json_get_array(obj, "array", &inner, &err), LP_OK);
    assert_true(json_is_array(inner));

    assert_int_equal(lp_json_get_int(obj, "real", &number, &err), LP_INVALID);
    assert_string_equal(err.pointer, "/real");
    assert_string_equal(err.msg, "member 'real' must be an integer, not real");
    assert_int_equal(lp_json_get_string(obj, "gone", &text, &err), LP_INVALID);
    assert_string_equal(err.msg, "member 'gone' is missing: a string is expected");
    assert_int_equal(lp_json_get_bool(obj, "null", &flag, &err), LP_INVALID);
    assert_int_equal(lp_json_get_object(obj, "array", &inner, &err), LP_INVALID);
    assert_int_equal(lp_json_get_array(obj, "object", &inner, &err), LP_INVALID);
    assert_int_equal(lp_json_get_string(json_object_get(obj, "array"), "x", &text, &err),
                     LP_INVALID);
    assert_int_equal(lp_json_get_string(NULL, "x", &text, &err), LP_INVALID);
    lp_err_clear(&err);
}

static void
optional_members_leave_the_default(void **state)
{
    json_auto_t *obj = json_pack("{s:n, s:s}", "null", "text", "x");
    struct lp_err err = LP_ERR_INIT;
    const char *text = "default";
    int64_t number = 5;
    bool flag = true;

    (void)state;
    assert_int_equal(lp_json_opt_string(obj, "null", &text, &err), LP_OK);
    assert_string_equal(text, "default");
    assert_int_equal(lp_json_opt_int(obj, "gone", &number, &err), LP_OK);
    assert_int_equal(number, 5);
    assert_int_equal(lp_json_opt_bool(obj, "gone", &flag, &err), LP_OK);
    assert_true(flag);
    assert_int_equal(lp_json_opt_int(obj, "text", &number, &err), LP_INVALID);
    assert_int_equal(number, 5);
    lp_err_clear(&err);
}

static void
unknown_members_are_named(void **state)
{
    static const char *const names[] = {"a", "b"};
    json_auto_t *good = json_pack("{s:i}", "b", 1);
    json_auto_t *bad = json_pack("{s:i, s:i}", "a", 1, "colour", 2);
    json_auto_t *list = json_array();
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_json_only(good, names, 2, &err), LP_OK);
    assert_int_equal(lp_json_only(bad, names, 2, &err), LP_INVALID);
    assert_string_equal(err.pointer, "/colour");
    assert_int_equal(lp_json_only(list, names, 2, &err), LP_INVALID);
    lp_err_clear(&err);
}

static void
setters_report_failure(void **state)
{
    json_auto_t *obj = json_object();

    (void)state;
    assert_int_equal(lp_json_set_str(obj, "a", "x"), 0);
    assert_int_equal(lp_json_set_str(obj, "b", NULL), 0);
    assert_int_equal(lp_json_set_int(obj, "c", INT64_MIN), 0);
    assert_int_equal(lp_json_set_bool(obj, "d", true), 0);
    assert_int_equal(lp_json_set_str(obj, "e", "\xFF"), -1);
    assert_null(json_object_get(obj, "e"));
    assert_string_equal(lp_json_str(obj, "a", ""), "x");
    assert_string_equal(lp_json_str(obj, "c", "fallback"), "fallback");
    assert_true(json_is_null(json_object_get(obj, "b")));
    assert_true(lp_json_int(obj, "c", 0) == INT64_MIN);
    assert_int_equal(lp_json_int(obj, "a", -3), -3);
    assert_true(lp_json_true(obj, "d"));
    assert_false(lp_json_true(obj, "a"));
}

static void
same_knows_types_but_not_key_order(void **state)
{
    json_auto_t *a = json_pack("{s:i, s:[i,i]}", "x", 1, "y", 1, 2);
    json_auto_t *b = json_pack("{s:[i,i], s:i}", "y", 1, 2, "x", 1);
    json_auto_t *c = json_pack("{s:[i,i], s:i}", "y", 2, 1, "x", 1);
    json_auto_t *one = json_integer(1), *real = json_real(1.0);

    (void)state;
    assert_true(lp_json_same(a, b));
    assert_false(lp_json_same(a, c));
    assert_false(lp_json_same(one, real));
}

/* Every allocation of jansson fails once; nothing may leak or be half done. */
static long allocations_left;

static void *
failing_malloc(size_t size)
{
    return allocations_left-- <= 0 ? NULL : malloc(size);
}

static void
every_allocation_may_fail(void **state)
{
    static const char text[] = "{\"a\":[1,\"two\",{\"b\":null}],\"c\":\"d\"}";
    bool loaded = false;

    (void)state;
    for (long n = 0; n < 500 && !loaded; n++) {
        struct lp_err err = LP_ERR_INIT;
        json_t *value = NULL;
        char *out = NULL;
        size_t len;
        enum lp_code rc;

        allocations_left = n;
        json_set_alloc_funcs(failing_malloc, free);
        rc = lp_json_load(text, sizeof text - 1, &value, &err);
        assert_true((rc == LP_OK) == (value != NULL));
        if (rc == LP_OK) {
            rc = lp_json_canonical(value, &out, &len, &err);
            assert_true((rc == LP_OK) == (out != NULL));
            loaded = rc == LP_OK;
        }
        /* jansson's scanner calls a token that it found no memory for invalid */
        assert_true(rc == LP_OK || rc == LP_NOMEM || (rc == LP_INVALID && value == NULL));
        json_decref(value);
        free(out);
        lp_err_clear(&err);
    }
    json_set_alloc_funcs(malloc, free);
    assert_true(loaded);
}

static void
text_and_buffer_agree(void **state)
{
    json_auto_t *value = json_pack("{s:f, s:s}", "r", 0.5, "s", "\xC3\xA4");
    struct lp_buf buf = LP_BUF_INIT;
    char *text = lp_json_text(value);

    (void)state;
    lp_buf_json(&buf, value);
    assert_string_equal(text, "{\"r\":0.5,\"s\":\"\xC3\xA4\"}");
    assert_string_equal(buf.data, text);
    lp_buf_free(&buf);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_hostile_text),
        cmocka_unit_test(counts_columns_in_characters),
        cmocka_unit_test(does_not_quote_what_may_be_secret),
        cmocka_unit_test(limits_depth),
        cmocka_unit_test(reads_exactly_len_bytes_and_any_kind),
        cmocka_unit_test(canonical_is_sorted_compact_and_unescaped),
        cmocka_unit_test(canonical_refuses_reals_by_path),
        cmocka_unit_test(canonical_survives_cycles_and_depth),
        cmocka_unit_test(pointer_of_a_deep_fault_is_cut_not_overrun),
        cmocka_unit_test(property_canonical_is_a_fixed_point),
        cmocka_unit_test(property_text_is_what_jansson_writes),
        cmocka_unit_test(large_objects_are_sorted_too),
        cmocka_unit_test(property_mutated_text_never_crashes),
        cmocka_unit_test(members_are_typed_and_named),
        cmocka_unit_test(optional_members_leave_the_default),
        cmocka_unit_test(unknown_members_are_named),
        cmocka_unit_test(setters_report_failure),
        cmocka_unit_test(same_knows_types_but_not_key_order),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(text_and_buffer_agree),
    };
    return LP_RUN_TESTS(tests);
}
