/* The status tables: no gaps, names of the wire, nothing leads out of an end, everything can come
 * to one. */
#include <string.h>

#include "engine/exec.h"
#include "tests/support/test_main.h"

static void
every_status_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < LP_PS_COUNT; i++) {
        enum lp_process_status back = LP_PS_COUNT;

        assert_non_null(lp_process_status_name((enum lp_process_status)i));
        assert_true(
            lp_process_status_from_name(lp_process_status_name((enum lp_process_status)i), &back));
        assert_int_equal(back, i);
    }
    for (int i = 0; i < LP_SS_COUNT; i++) {
        enum lp_step_status back = LP_SS_COUNT;

        assert_non_null(lp_step_status_name((enum lp_step_status)i));
        assert_true(lp_step_status_from_name(lp_step_status_name((enum lp_step_status)i), &back));
        assert_int_equal(back, i);
    }
}

static void
unknown_names_are_refused(void **state)
{
    static const char *const names[] = {"", "Running", "pending", "running ", "unknown"};
    enum lp_process_status process;
    enum lp_step_status step;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        assert_false(lp_process_status_from_name(names[i], &process));
        assert_false(lp_step_status_from_name(names[i], &step));
    }
    assert_false(lp_process_status_from_name(NULL, &process));
    assert_false(lp_step_status_from_name(NULL, &step));
}

static void
ends_are_ends(void **state)
{
    (void)state;
    for (int to = 0; to < LP_PS_COUNT; to++) {
        assert_false(lp_process_may_go(LP_PS_COMPLETED, (enum lp_process_status)to));
        assert_false(lp_process_may_go(LP_PS_ABORTED, (enum lp_process_status)to));
    }
    for (int i = 0; i < LP_PS_COUNT; i++) {
        bool final = i == LP_PS_COMPLETED || i == LP_PS_ABORTED;

        assert_true(lp_process_final((enum lp_process_status)i) == final);
        /* whatever is not over can be aborted, and is never created again */
        assert_true(lp_process_may_go((enum lp_process_status)i, LP_PS_ABORTED) == !final);
        assert_false(lp_process_may_go((enum lp_process_status)i, LP_PS_CREATED));
        if (lp_process_resumable((enum lp_process_status)i))
            assert_true(lp_process_may_go((enum lp_process_status)i, LP_PS_RESUMED));
    }
}

/** Every status is reached from "created", and every one leads to an end. */
static void
no_dead_ends(void **state)
{
    unsigned reached = LP_BIT(LP_PS_CREATED), before = 0;

    (void)state;
    while (reached != before) {
        before = reached;
        for (int from = 0; from < LP_PS_COUNT; from++)
            for (int to = 0; to < LP_PS_COUNT; to++)
                if ((reached & LP_BIT(from)) != 0
                    && lp_process_may_go((enum lp_process_status)from, (enum lp_process_status)to))
                    reached |= LP_BIT(to);
    }
    assert_int_equal(reached, LP_BIT(LP_PS_COUNT) - 1);
}

static void
a_step_says_what_becomes_of_its_process(void **state)
{
    static const enum lp_process_status after[] = {
        [LP_SS_SUCCESS] = LP_PS_RUNNING,
        [LP_SS_SKIPPED] = LP_PS_RUNNING,
        [LP_SS_SUSPEND] = LP_PS_SUSPENDED,
        [LP_SS_WAITING] = LP_PS_WAITING,
        [LP_SS_AWAITING_CALLBACK] = LP_PS_AWAITING_CALLBACK,
        [LP_SS_FAILED] = LP_PS_FAILED,
        [LP_SS_ABORT] = LP_PS_ABORTED,
        [LP_SS_COMPLETE] = LP_PS_COMPLETED,
    };

    (void)state;
    assert_int_equal(LP_COUNT(after), LP_SS_COUNT);
    for (int i = 0; i < LP_SS_COUNT; i++) {
        assert_int_equal(lp_process_after_step((enum lp_step_status)i), after[i]);
        assert_true(after[i] == LP_PS_RUNNING || lp_process_may_go(LP_PS_RUNNING, after[i]));
    }
}

/** W30: every code has a class; the classes hang on codes, not on names of exceptions. */
static void
every_code_has_a_failure_class(void **state)
{
    (void)state;
    for (int code = 1; code < LP_CODE_COUNT; code++) {
        const char *assignee = NULL;
        enum lp_process_status status = lp_task_failure((enum lp_code)code, &assignee);

        assert_non_null(assignee);
        assert_true(lp_process_may_go(LP_PS_RUNNING, status));
        if (code == LP_DRIFT) {
            assert_int_equal(status, LP_PS_INCONSISTENT_DATA);
            assert_string_equal(assignee, "NOC");
        } else if (code == LP_RETRYABLE || code == LP_UNKNOWN || code == LP_STORE) {
            assert_int_equal(status, LP_PS_API_UNAVAILABLE);
        } else {
            assert_int_equal(status, LP_PS_FAILED);
        }
    }
}

/* ---- places, deltas ---- */

static const struct lp_step one = {.key = "one", .title = "One"},
                            two = {.key = "two", .title = "Two"};
static const struct lp_step each = {.key = "each", .title = "Each", .kind = LP_STEP_EACH};
static const struct lp_step *const inner_steps[] = {&one, &each};
static const struct lp_step inner = {
    .key = "inner", .title = "Inner", .kind = LP_STEP_GROUP, LP_STEPS(inner_steps)};
static const struct lp_step *const outer_steps[] = {&inner, &two};
static const struct lp_step outer = {
    .key = "outer", .title = "Outer", .kind = LP_STEP_GROUP, LP_STEPS(outer_steps)};

static void
places_find_their_keys(void **state)
{
    const struct lp_step *steps[] = {&one, &outer, &each};
    const struct lp_workflow workflow = {.name = "w"};
    const struct lp_registered reg = {.workflow = &workflow, .steps = steps, .step_count = 3};
    static const char *const keys[] = {"one", "outer/inner/one", "outer/inner/each", "outer/two",
                                       "each"};
    struct lp_places places;
    struct lp_err err = LP_ERR_INIT;
    size_t n;

    (void)state;
    assert_int_equal(lp_places_build(&reg, &places, &err), LP_OK);
    assert_int_equal(places.count, LP_COUNT(keys));
    for (size_t i = 0; i < LP_COUNT(keys); i++) {
        assert_string_equal(places.rows[i].key, keys[i]);
        assert_int_equal(lp_places_find(&places, keys[i], &n), i);
    }
    assert_int_equal(lp_places_find(&places, "outer/inner/each/12", &n), 2);
    assert_int_equal(n, 12);
    assert_int_equal(lp_places_find(&places, "each/0", &n), 4);
    assert_int_equal(lp_places_find(&places, "one/0", &n), places.count); /* no each-step */
    assert_int_equal(lp_places_find(&places, "outer/inner", &n), places.count);
    assert_int_equal(lp_places_find(&places, "each/1x", &n), places.count);
    assert_int_equal(places.rows[1].group->first, 1);
    assert_int_equal(places.rows[1].group->outer->end, 4);
    lp_places_free(&places);
}

static void
deltas_refuse_what_cannot_be_read_back(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    char *text = NULL;
    size_t len;
    json_t *set = json_pack("{s:s}", "text", "a\\u0000 is no NUL");

    (void)state;
    assert_int_equal(lp_delta_text(set, NULL, &text, &len, &err), LP_OK);
    free(text);
    json_object_set_new(set, "bad", json_stringn("a\0b", 3));
    assert_int_equal(lp_delta_text(set, NULL, &text, &len, &err), LP_INVALID);
    assert_null(text);
    json_object_set_new(set, "bad", json_real(1.5));
    assert_int_equal(lp_delta_text(set, NULL, &text, &len, &err), LP_INVALID);
    json_decref(set);
    assert_int_equal(lp_delta_text(NULL, NULL, &text, &len, &err), LP_OK);
    assert_string_equal(text, "{}");
    free(text);
    lp_err_clear(&err);
}

static void
objects_merge_and_everything_else_is_replaced(void **state)
{
    json_t *base = json_loads("{\"a\": {\"x\": 1, \"y\": [1, 2]}, \"b\": 1}", 0, NULL);
    json_t *more = json_loads("{\"a\": {\"y\": [3], \"z\": null}, \"b\": {\"c\": 2}}", 0, NULL);
    json_t *want =
        json_loads("{\"a\": {\"x\": 1, \"y\": [3], \"z\": null}, \"b\": {\"c\": 2}}", 0, NULL);
    json_t *got = lp_json_merge(base, more);

    (void)state;
    assert_true(json_equal(got, want));
    assert_int_equal(json_array_size(json_object_get(json_object_get(base, "a"), "y")), 2);
    json_decref(base);
    json_decref(more);
    json_decref(want);
    json_decref(got);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(ends_are_ends),
        cmocka_unit_test(no_dead_ends),
        cmocka_unit_test(a_step_says_what_becomes_of_its_process),
        cmocka_unit_test(every_code_has_a_failure_class),
        cmocka_unit_test(places_find_their_keys),
        cmocka_unit_test(deltas_refuse_what_cannot_be_read_back),
        cmocka_unit_test(objects_merge_and_everything_else_is_replaced),
    };

    return LP_RUN_TESTS(tests);
}
