/* Plan, approve, apply, verify over a driver that can be told to misbehave, on both databases. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/internal.h"
#include "store/devices.h"
#include "tests/support/device_env.h"
#include "tests/support/test_main.h"

struct site {
    char id[LP_UUID_LEN + 1], block[LP_UUID_LEN + 1];
};

static struct site a, b;

static void
two_sites(struct lp_run_env *env)
{
    lp_device_env_site(env, "alpha", a.id, a.block);
    lp_device_env_site(env, "beta", b.id, b.block);
}

static void
line_over_both(const char *name, const char *comment)
{
    const char *blocks[] = {a.block, b.block, NULL};

    lp_device_env_line(name, comment, blocks);
}

static void
assert_holds(const char *element, const char *object, const char *text)
{
    json_auto_t *now = lp_fake_object(element, object);
    json_auto_t *want = text == NULL ? NULL : json_loads(text, 0, NULL);
    char *shown = now == NULL ? NULL : json_dumps(now, JSON_SORT_KEYS);

    if (text == NULL ? now != NULL : now == NULL || !json_equal(now, want))
        fail_msg("%s holds %s, expected %s", object, shown == NULL ? "nothing" : shown,
                 text == NULL ? "nothing" : text);
    free(shown);
}

static int64_t
count(struct lp_run_env *env, const char *sql, const char *id)
{
    return lp_test_int(env, sql, id);
}

static const char *
reason(struct lp_run_env *env, const char *id)
{
    return lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id);
}

static void
assert_says(struct lp_run_env *env, const char *id, const char *words)
{
    const char *text = reason(env, id);

    if (strstr(text, words) == NULL)
        fail_msg("'%s' does not say '%s'", text, words);
}

static void
resume(struct lp_run_env *env, const char *id, const char *pages)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *doc = pages == NULL ? NULL : json_loads(pages, 0, NULL);

    lp_test_ok(lp_engine_resume(env->engine, &lp_test_caller, id, doc, &err), &err);
}

static void
roll_back(struct lp_run_env *env, const char *id)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_abort(env->engine, &lp_test_caller, id, true, &err), &err);
}

/* ---- the pipeline ---- */

static void
life_of_a_line(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "first");
    lp_device_env_make(env, line);
    assert_holds(a.id, "port:one", "{\"name\":\"one\",\"comment\":\"first\"}");
    assert_holds(b.id, "port:one", "{\"name\":\"one\",\"comment\":\"first\"}");
    assert_holds(a.id, "label", "{\"lines\":[\"one\"]}");
    assert_int_equal(count(env,
                           "SELECT count(*) FROM device_objects WHERE subscription_id = :id "
                           "AND state = 'held'",
                           line),
                     4);
    lp_device_env_start(env, "check_line", line, false, id);
    lp_test_wait(env, id, "completed");
    lp_device_env_comment("second");
    lp_device_env_start(env, "change_line", line, false, id);
    lp_test_wait(env, id, "completed");
    assert_holds(b.id, "port:one", "{\"name\":\"one\",\"comment\":\"second\"}");
    assert_int_equal(lp_fake_seen().changed, 6);
    lp_device_env_start(env, "remove_line", line, false, id);
    lp_test_wait(env, id, "completed");
    assert_holds(a.id, "port:one", NULL);
    assert_holds(a.id, "label", NULL);
    assert_int_equal(
        count(env, "SELECT count(*) FROM device_objects WHERE subscription_id = :id", line), 0);
    assert_int_equal(lp_fake_seen().sessions_now, 0);
    assert_int_equal(count(env, "SELECT count(*) FROM named_locks WHERE name <> :id", ""), 0);
}

/** What the other line still wants stays; what both name is named anew. */
static void
siblings_share_a_label(struct lp_run_env *env)
{
    char one[LP_UUID_LEN + 1], two[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    lp_device_env_make(env, one);
    line_over_both("two", "x");
    lp_device_env_make(env, two);
    assert_holds(a.id, "label", "{\"lines\":[\"one\",\"two\"]}");
    lp_device_env_start(env, "remove_line", one, false, id);
    lp_test_wait(env, id, "completed");
    assert_holds(a.id, "port:one", NULL);
    assert_holds(a.id, "port:two", "{\"name\":\"two\",\"comment\":\"x\"}");
    assert_holds(a.id, "label", "{\"lines\":[\"two\"]}");
    lp_device_env_start(env, "check_line", two, false, id);
    lp_test_wait(env, id, "completed");
}

/** Two desired an object; one changed, so that neither does any more. The other's record of it does
 * not keep it alive. */
static void
what_no_sibling_desires_goes(struct lp_run_env *env)
{
    char one[LP_UUID_LEN + 1], two[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], sql[400];

    two_sites(env);
    line_over_both("one", "x");
    lp_device_env_make(env, one);
    line_over_both("two", "x");
    lp_device_env_make(env, two);
    snprintf(sql, sizeof sql,
             "INSERT INTO device_objects (element_id, intent_id, subscription_id, doc, state, "
             "process_id, at) SELECT element_id, intent_id, '%s', doc, state, process_id, at FROM "
             "device_objects WHERE intent_id = 'port:one'",
             two);
    lp_store_env_exec(&env->db, sql);
    lp_device_env_start(env, "remove_line", one, false, id);
    lp_test_wait(env, id, "completed");
    assert_holds(a.id, "port:one", NULL);
    assert_holds(b.id, "port:one", NULL);
    assert_holds(a.id, "port:two", "{\"name\":\"two\",\"comment\":\"x\"}");
}

/** An empty plan becomes active with zero writes, though nothing may be written. */
static void
adoption_writes_nothing(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1];

    two_sites(env);
    lp_store_env_exec(&env->db, "INSERT INTO emergency_stops (scope, target, reason, actor, at) "
                                "VALUES ('everything', '', 'test', 'test', 1)");
    lp_fake_put(a.id, "port:one", json_pack("{s:s, s:s}", "name", "one", "comment", "live"));
    lp_fake_put(a.id, "label", json_pack("{s:[s]}", "lines", "one"));
    lp_fake_put(b.id, "port:one", json_pack("{s:s, s:s}", "name", "one", "comment", "live"));
    lp_fake_put(b.id, "label", json_pack("{s:[s]}", "lines", "one"));
    line_over_both("one", "live");
    lp_device_env_make(env, line);
    assert_int_equal(lp_fake_seen().writes, 0);
    assert_int_equal(count(env,
                           "SELECT count(*) FROM device_objects WHERE subscription_id = :id "
                           "AND state = 'held'",
                           line),
                     4);
    assert_string_equal(lp_test_text(env, "SELECT status FROM subscriptions WHERE id = :id", line),
                        "active");
}

static void
foreign_objects_are_in_the_way(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    two_sites(env);
    lp_fake_put(b.id, "port:one", json_pack("{s:b}", "foreign", 1));
    line_over_both("one", "x");
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "failed");
    assert_says(env, id, "foreign port:one is in the way");
    assert_int_equal(lp_fake_seen().writes, 0);
}

/** Dead elements: nothing is asked of them, what is given up is listed, and nothing stays ours. */
static void
forced_without_the_elements(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    struct lp_fake_seen before;
    json_auto_t *state = NULL;

    two_sites(env);
    line_over_both("one", "x");
    lp_device_env_make(env, line);
    before = lp_fake_seen();
    lp_device_env_start(env, "abandon_line", line, false, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_fake_seen().calls, before.calls);
    state = lp_test_state(env, id);
    assert_int_equal(json_array_size(json_object_get(json_object_get(state, "plan"), "abandoned")),
                     4);
    assert_int_equal(
        count(env, "SELECT count(*) FROM device_objects WHERE subscription_id = :id", line), 0);
}

/* ---- dry run ---- */

static void
dry_run_leaves_nothing(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *plans = NULL;
    json_auto_t *process = NULL;
    int64_t subscriptions, version, seen;

    two_sites(env);
    subscriptions = count(env, "SELECT count(*) FROM subscriptions WHERE id <> :id", "");
    seen = count(env, "SELECT count(*) FROM devices WHERE seen_at IS NOT NULL AND :id = ''", "");
    line_over_both("one", "x");
    lp_device_env_start(env, "make_line", NULL, true, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(
        count(env, "SELECT count(*) FROM devices WHERE seen_at IS NOT NULL AND :id = ''", ""),
        seen);
    assert_int_equal(lp_fake_seen().writes, 0);
    assert_int_equal(count(env, "SELECT count(*) FROM subscriptions WHERE id <> :id", ""),
                     subscriptions);
    assert_int_equal(count(env, "SELECT count(*) FROM device_objects WHERE element_id <> :id", ""),
                     0);
    assert_int_equal(count(env, "SELECT count(*) FROM process_locks WHERE process_id = :id", id),
                     0);
    lp_test_ok(lp_process_plans_json(env->db.store, id, &plans, &err), &err);
    assert_int_equal(json_array_size(json_object_get(
                         json_array_get(json_object_get(plans, "plans"), 0), "operations")),
                     4);
    lp_test_ok(lp_engine_process(env->engine, &lp_test_caller, id, &process, &err), &err);
    assert_true(lp_json_true(process, "dry_run"));

    /* the same of a change: header, document and locks stay as they are */
    lp_device_env_make(env, line);
    version = count(env, "SELECT version FROM subscriptions WHERE id = :id", line);
    lp_device_env_comment("other");
    lp_device_env_start(env, "change_line", line, true, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(count(env, "SELECT version FROM subscriptions WHERE id = :id", line), version);
    assert_int_equal(count(env, "SELECT insync FROM subscriptions WHERE id = :id", line), 1);
    lp_device_env_start(env, "remove_line", line, true, id);
    lp_test_wait(env, id, "completed");
    assert_string_equal(lp_test_text(env, "SELECT status FROM subscriptions WHERE id = :id", line),
                        "active");
    assert_holds(a.id, "port:one", "{\"name\":\"one\",\"comment\":\"x\"}");
    assert_int_equal(
        lp_engine_begin(env->engine, &lp_test_caller,
                        &(struct lp_start){.workflow = "task_command", .dry_run = true}, id, &err),
        LP_PRECONDITION);
    lp_err_clear(&err);
}

/* ---- approval ---- */

static void
traffic_of_active_lines_needs_approval(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "traffic 1"); /* new: nobody's traffic yet */
    lp_device_env_make(env, line);
    lp_device_env_comment("traffic 2");
    lp_device_env_start(env, "change_line", line, false, id);
    lp_test_wait(env, id, "suspended");
    assert_holds(a.id, "port:one", "{\"name\":\"one\",\"comment\":\"traffic 1\"}");
    assert_int_equal(count(env,
                           "SELECT count(*) FROM notices WHERE process_id = :id AND kind = "
                           "'approval_asked'",
                           id),
                     1);
    resume(env, id, "[{\"decision\":\"approve\",\"comment\":\"go\"}]");
    lp_test_wait(env, id, "completed");
    assert_holds(a.id, "port:one", "{\"name\":\"one\",\"comment\":\"traffic 2\"}");
    assert_int_equal(count(env,
                           "SELECT count(*) FROM plan_approvals WHERE process_id = :id AND "
                           "actor = 'tester'",
                           id),
                     1);
    assert_int_equal(count(env,
                           "SELECT count(*) FROM audit WHERE chain = :id AND body LIKE "
                           "'%\"key\":\"approve/record\"%' "
                           "AND body LIKE '%\"approval\"%'",
                           id),
                     1);
}

static void
an_approval_expires(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "traffic 1");
    lp_device_env_make(env, line);
    lp_device_env_comment("traffic 2");
    lp_device_env_start(env, "change_line", line, false, id);
    lp_test_wait(env, id, "suspended");
    lp_fake_fail(LP_FAKE_APPLY, 1, 1, LP_REFUSED, false);
    resume(env, id, "[{\"decision\":\"approve\"}]");
    lp_test_wait(env, id, "failed");
    lp_test_turn(env, INT64_C(73) * 3600 * 1000000);
    resume(env, id, NULL);
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND status = 'failed' AND "
                  "failed_reason LIKE '%older than%'",
                  id, 1);
    lp_store_env_exec(&env->db, "UPDATE plan_approvals SET at = at + 262800000000");
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
}

/* ---- outcomes ---- */

/** Each outcome of a write, made and not made: the end is the same as without. */
static void
every_outcome_converges(struct lp_run_env *env)
{
    static const struct {
        enum lp_code code;
        bool executed, retried;
    } rows[] = {{LP_RETRYABLE, false, true}, {LP_UNKNOWN, false, true},  {LP_UNKNOWN, true, true},
                {LP_REFUSED, false, false},  {LP_REFUSED, true, false},  {LP_AUTH, false, false},
                {LP_PROTOCOL, true, false},  {LP_PROTOCOL, false, false}};
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], name[20], object[40], want[100];

    two_sites(env);
    for (size_t i = 0; i < LP_COUNT(rows); i++)
        for (int nth = 3; nth <= 3; nth++) {
            snprintf(name, sizeof name, "l%zu-%d", i, nth);
            snprintf(object, sizeof object, "port:%s", name);
            snprintf(want, sizeof want, "{\"name\":\"%s\",\"comment\":\"x\"}", name);
            line_over_both(name, "x");
            lp_fake_fail(LP_FAKE_APPLY, nth, 1, rows[i].code, rows[i].executed);
            lp_device_env_start(env, "make_line", NULL, false, id);
            if (!rows[i].retried) {
                lp_test_wait(env, id, "failed");
                assert_says(env, id, "fault of a test");
                resume(env, id, NULL);
            }
            lp_test_wait(env, id, "completed");
            assert_holds(a.id, object, want);
            assert_holds(b.id, object, want);
        }
    (void)line;
}

static void
reads_that_fail_are_tried_again(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    lp_fake_fail(LP_FAKE_PLAN, 2, 1, LP_RETRYABLE, false);
    lp_device_env_make(env, line);
    assert_holds(b.id, "port:one", "{\"name\":\"one\",\"comment\":\"x\"}");
    assert_int_equal(lp_fake_seen().writes, 4);
}

/** The cause arrives as it was: code, device and text (D44). */
static void
D44_causes_keep_their_code(struct lp_run_env *env)
{
    static const enum lp_code codes[] = {LP_REFUSED, LP_AUTH, LP_PROTOCOL, LP_UNSUPPORTED,
                                         LP_INVALID};
    char id[LP_UUID_LEN + 1], words[100];

    two_sites(env);
    for (size_t i = 0; i < LP_COUNT(codes); i++) {
        line_over_both("one", "x");
        lp_fake_fail(LP_FAKE_PLAN, 1, 1, codes[i], false);
        lp_device_env_start(env, "make_line", NULL, false, id);
        lp_test_wait(env, id, "failed");
        assert_says(env, id, "alpha");
        snprintf(words, sizeof words,
                 "SELECT count(*) FROM processes WHERE id = :id AND error "
                 "LIKE '%%\"%s\"%%'",
                 lp_code_info(codes[i])->slug);
        assert_int_equal(count(env, words, id), 1);
        roll_back(env, id);
        lp_test_wait(env, id, "aborted");
    }
}

/* ---- rollback ---- */

static void
rollback_restores(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], *before, *after;

    two_sites(env);
    line_over_both("one", "x");
    lp_device_env_make(env, line);
    before = lp_fake_all();
    lp_device_env_comment("y");
    lp_fake_fail(LP_FAKE_APPLY, 2, 1, LP_REFUSED, true);
    lp_device_env_start(env, "change_line", line, false, id);
    lp_test_wait(env, id, "failed");
    roll_back(env, id);
    lp_test_wait(env, id, "aborted");
    after = lp_fake_all();
    assert_string_equal(before, after);
    free(before);
    free(after);

    /* and of a creation: nothing of it stays, on the elements or as ours */
    line_over_both("two", "x");
    before = lp_fake_all();
    lp_fake_fail(LP_FAKE_APPLY, 4, 1, LP_REFUSED, false);
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "failed");
    roll_back(env, id);
    lp_test_wait(env, id, "aborted");
    after = lp_fake_all();
    assert_string_equal(before, after);
    assert_int_equal(count(env, "SELECT count(*) FROM device_objects WHERE process_id = :id", id),
                     0);
    free(before);
    free(after);
}

/** D49: an undo that fails says so, to the NOC, and the element is called drifted. */
static void
D49_failed_undo_marks_the_element(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    lp_fake_fail(LP_FAKE_APPLY, 2, 1, LP_REFUSED, false);
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "failed");
    lp_fake_fail(LP_FAKE_APPLY, 1, 100, LP_REFUSED, false);
    roll_back(env, id);
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND status = 'failed' AND "
                  "assignee = 'NOC'",
                  id, 1);
    assert_says(env, id, "marked as drifted");
    assert_int_equal(count(env,
                           "SELECT count(*) FROM devices WHERE drifted_at IS NOT NULL AND "
                           "element_id <> :id",
                           ""),
                     1);
    lp_fake_fail(LP_FAKE_APPLY, 1, 0, LP_OK, false);
    resume(env, id, NULL);
    lp_test_wait(env, id, "aborted");
    assert_holds(a.id, "port:one", NULL);
    assert_holds(a.id, "label", NULL);
}

static int64_t
points(struct lp_run_env *env, const char *id, const char *like)
{
    char sql[200];

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM applied_operations WHERE process_id = :id AND op_id = "
             "'rollback-point' AND report LIKE '%%\"%s\"%%'",
             like);
    return count(env, sql, id);
}

/** What cannot be undone by itself is put back with the whole element. */
static void
a_point_is_the_last_way_back(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], *before, *after;

    two_sites(env);
    line_over_both("zero", "x");
    lp_device_env_make(env, id);
    line_over_both("one", "x");
    before = lp_fake_all();
    lp_fake_points();
    lp_fake_fail(LP_FAKE_APPLY, 4, 1, LP_REFUSED, false);
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(points(env, id, "id"), 2);
    lp_fake_fail(LP_FAKE_APPLY, 1, 1, LP_REFUSED, false);
    roll_back(env, id);
    lp_test_wait(env, id, "aborted");
    after = lp_fake_all();
    assert_string_equal(before, after);
    assert_int_equal(
        count(env, "SELECT count(*) FROM audit WHERE chain = :id AND body LIKE '%rolled_back%'",
              id),
        1);
    free(before);
    free(after);
}

/** One that is taken after operations were sent would bring back what is being undone. */
static void
a_point_in_the_middle_is_none(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    lp_fake_fail(LP_FAKE_APPLY, 2, 1, LP_REFUSED, false);
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(points(env, id, "id"), 0);
    lp_fake_points();
    lp_test_ok(lp_engine_resume(env->engine, &lp_test_caller, id, NULL, &err), &err);
    lp_test_wait(env, id, "completed");
    assert_int_equal(points(env, id, "refused"), 1); /* the element that had its first operation */
    assert_int_equal(points(env, id, "id"), 1);
}

static void
what_cannot_be_undone_is_listed(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "for good");
    lp_fake_fail(LP_FAKE_APPLY, 4, 1, LP_REFUSED, false);
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "failed");
    roll_back(env, id);
    lp_test_wait(env, id, "aborted");
    assert_true(count(env,
                      "SELECT count(*) FROM audit WHERE chain = :id AND body LIKE "
                      "'%\"not_undone\"%'",
                      id)
                > 0);
}

/* ---- somebody else changed the element between plan and apply ---- */

/** Within what was planned: gone on with, once and by itself. */
static void
planned_again_within(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    lp_device_env_make(env, line);
    lp_device_env_comment("y");
    /* the element changes while the process waits for its first operation */
    lp_fake_fail(LP_FAKE_APPLY, 1, 1, LP_RETRYABLE, false);
    lp_device_env_start(env, "change_line", line, false, id);
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = "
                  "'apply/0' AND status IN ('waiting', 'success')",
                  id, 1);
    lp_fake_put(a.id, "port:one", json_pack("{s:s, s:s}", "name", "one", "comment", "?"));
    lp_fake_put(b.id, "port:one", json_pack("{s:s, s:s}", "name", "one", "comment", "?"));
    lp_test_wait(env, id, "completed");
    assert_holds(a.id, "port:one", "{\"name\":\"one\",\"comment\":\"y\"}");
    assert_holds(b.id, "port:one", "{\"name\":\"one\",\"comment\":\"y\"}");
    assert_int_equal(count(env,
                           "SELECT count(*) FROM process_plans WHERE process_id = :id AND "
                           "status = 'planned'",
                           id),
                     2);
}

/** Beyond it: both plans are told, and nothing more is done until one is approved. */
static void
planned_again_beyond(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *plans = NULL;
    const char *hash;
    struct lp_unit *unit;

    two_sites(env);
    line_over_both("one", "x");
    lp_device_env_make(env, line);
    lp_device_env_comment("y");
    lp_fake_fail(LP_FAKE_APPLY, 1, 1, LP_REFUSED, false);
    lp_device_env_start(env, "change_line", line, false, id);
    lp_test_wait(env, id, "failed");
    lp_fake_put(a.id, "port:one", json_pack("{s:s, s:s}", "name", "?", "comment", "?"));
    lp_fake_put(b.id, "port:one", json_pack("{s:s, s:s}", "name", "?", "comment", "?"));
    lp_fake_put(b.id, "label", json_pack("{s:[s]}", "lines", "wrong"));
    resume(env, id, NULL);
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND status = 'failed' AND "
                  "failed_reason LIKE '%go beyond plan%'",
                  id, 1);
    lp_test_ok(lp_process_plans_json(env->db.store, id, &plans, &err), &err);
    assert_int_equal(json_array_size(json_object_get(plans, "plans")), 2);
    hash = lp_json_str(json_array_get(json_object_get(plans, "plans"), 1), "hash", "");
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_PLAN_APPROVE,
                LP_ARGS(lp_text("process", id), lp_text("hash", hash), lp_text("actor", "boss"),
                        lp_null("comment"), lp_int("now", lp_clock_utc_us(&env->db.clock))));
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    lp_unit_free(unit);
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_holds(b.id, "label", "{\"lines\":[\"one\"]}");
    assert_holds(b.id, "port:one", "{\"name\":\"one\",\"comment\":\"y\"}");
}

static void
another_element_is_not_touched(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    lp_fake_fail(LP_FAKE_APPLY, 1, 1, LP_REFUSED, false);
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "failed");
    lp_fake_serial(a.id, "S2");
    lp_fake_serial(b.id, "S2");
    resume(env, id, NULL);
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND status = 'failed' AND "
                  "failed_reason LIKE '%it was replaced%'",
                  id, 1);
    assert_int_equal(lp_fake_seen().writes, 0);
}

/* ---- drift ---- */

static void
D26_drift_is_told_and_repaired(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    lp_device_env_make(env, line);
    lp_fake_put(a.id, "port:one", json_pack("{s:s, s:s}", "name", "one", "comment", "drift"));
    lp_fake_put(b.id, "port:one", NULL);
    lp_device_env_start(env, "check_line", line, false, id);
    lp_test_wait(env, id, "inconsistent_data");
    assert_says(env, id, "2 differences");
    assert_says(env, id, "comment: expected x, found drift");
    assert_says(env, id, "beta port:one: is missing");
    assert_int_equal(count(env, "SELECT insync FROM subscriptions WHERE id = :id", line), 0);
    lp_device_env_start(env, "repair_line", line, false, id);
    lp_test_wait(env, id, "completed");
    assert_holds(a.id, "port:one", "{\"name\":\"one\",\"comment\":\"x\"}");
    assert_holds(b.id, "port:one", "{\"name\":\"one\",\"comment\":\"x\"}");
    lp_device_env_start(env, "check_line", line, false, id);
    lp_test_wait(env, id, "completed");
}

/** D52: what needs a moment to show is looked at again, not slept for. */
static void
D52_what_settles_is_looked_at_again(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    lp_fake_hide(2, 2); /* the plan reads both elements; then they show nothing yet */
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(
        count(env,
              "SELECT count(*) FROM step_attempts WHERE process_id = :id AND step_key = 'verify'",
              id),
        2);
    assert_int_equal(lp_fake_seen().changed, 4);
}

/** D53: a validation writes nothing but its own log. */
static void
D53_validation_writes_nothing(struct lp_run_env *env)
{
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    int64_t objects;
    struct lp_fake_seen before;

    two_sites(env);
    line_over_both("one", "x");
    lp_device_env_make(env, line);
    before = lp_fake_seen();
    objects = count(env, "SELECT sum(at) FROM device_objects WHERE subscription_id = :id", line);
    lp_store_env_exec(&env->db, "DELETE FROM devices");
    for (int drift = 0; drift < 2; drift++) {
        if (drift)
            lp_fake_put(a.id, "port:one", NULL);
        lp_device_env_start(env, "check_line", line, false, id);
        lp_test_wait(env, id, drift ? "inconsistent_data" : "completed");
    }
    assert_int_equal(lp_fake_seen().writes, before.writes);
    assert_int_equal(
        count(env, "SELECT sum(at) FROM device_objects WHERE subscription_id = :id", line),
        objects);
    assert_int_equal(count(env, "SELECT count(*) FROM devices WHERE element_id <> :id", ""), 0);
    assert_int_equal(count(env, "SELECT count(*) FROM block_history WHERE process_id = :id", id),
                     0);
}

/* ---- permission to write ---- */

static void
stopped_and_observed_elements_are_not_written(struct lp_run_env *env)
{
    static const struct {
        const char *set, *unset, *words;
    } rows[] = {
        {"INSERT INTO emergency_stops (scope, target, reason, actor, at) VALUES ('everything', '', "
         "'smoke', 'boss', 1)",
         "DELETE FROM emergency_stops", "emergency stop of everything by boss (smoke)"},
        {"INSERT INTO emergency_stops (scope, target, reason, actor, at) SELECT 'element', "
         "element_id, 'smoke', 'boss', 1 FROM devices",
         "DELETE FROM emergency_stops", "emergency stop of element"},
        {"UPDATE devices SET mode = 'observe'", "UPDATE devices SET mode = 'manage'",
         "is in mode observe"},
    };
    char line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    int writes;

    two_sites(env);
    line_over_both("one", "0");
    lp_device_env_make(env, line);
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        char comment[4];

        snprintf(comment, sizeof comment, "%zu", i + 1);
        lp_store_env_exec(&env->db, rows[i].set);
        lp_device_env_comment(comment);
        writes = lp_fake_seen().writes;
        lp_device_env_start(env, "change_line", line, false, id);
        lp_test_wait(env, id, "failed");
        assert_says(env, id, rows[i].words);
        assert_int_equal(lp_fake_seen().writes, writes);
        lp_store_env_exec(&env->db, rows[i].unset);
        resume(env, id, NULL);
        lp_test_wait(env, id, "completed");
    }
}

static struct lp_run_env *stop_env;

static void
stop_now(const char *element, const char *object)
{
    (void)element;
    (void)object;
    lp_fake_before_write = NULL;
    lp_store_env_exec(&stop_env->db, "INSERT INTO emergency_stops (scope, target, reason, actor, "
                                     "at) VALUES ('everything', '', 'smoke', 'boss', 1)");
}

/** It is asked between the operations of one plan. */
static void
a_stop_halts_between_operations(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    two_sites(env);
    line_over_both("one", "x");
    stop_env = env;
    lp_fake_before_write = stop_now;
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(lp_fake_seen().changed, 1);
    lp_store_env_exec(&env->db, "DELETE FROM emergency_stops");
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_fake_seen().changed, 4);
}

/* ---- evidence, inventory, commands ---- */

static void
every_exchange_is_kept(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *all = NULL;

    two_sites(env);
    line_over_both("one", "x");
    lp_fake_fail(LP_FAKE_APPLY, 2, 1, LP_UNKNOWN, true);
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(count(env,
                           "SELECT count(*) FROM evidence WHERE process_id = :id AND writes = "
                           "1 AND outcome = 'ok'",
                           id),
                     3);
    assert_int_equal(count(env,
                           "SELECT count(*) FROM evidence WHERE process_id = :id AND writes = "
                           "1 AND outcome = 'outcome-unknown'",
                           id),
                     1);
    lp_test_ok(lp_evidence_json(env->db.store, id, "", 5, &all, &err), &err);
    assert_int_equal(json_array_size(json_object_get(all, "exchanges")), 5);
    assert_true(json_is_string(json_object_get(all, "next")));
}

/** D47: what forms need is read by a task and kept with its age; no form speaks to a device. */
static void
D47_inventory_is_cached(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], pages[100];
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *ports = NULL;

    two_sites(env);
    assert_int_equal(lp_device_cached(env->db.store, a.id, "ports", &ports, &err), LP_NOT_FOUND);
    lp_err_clear(&err);
    snprintf(pages, sizeof pages, "[{\"device_id\":\"%s\"}]", a.id);
    lp_test_start(env, "task_read", pages, id);
    lp_test_wait(env, id, "completed");
    lp_test_ok(lp_device_cached(env->db.store, a.id, "ports", &ports, &err), &err);
    assert_int_equal(json_array_size(json_object_get(ports, "items")), 1);
    assert_true(lp_json_int(ports, "age_s", -1) >= 0);
}

static void
D42_commands_obey_the_role(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], pages[200];

    two_sites(env);
    snprintf(pages, sizeof pages, "[{\"device_id\":\"%s\",\"command\":\"RTRV-ALL\"}]", a.id);
    lp_test_start(env, "task_command", pages, id);
    lp_test_wait(env, id, "completed");
    snprintf(pages, sizeof pages, "[{\"device_id\":\"%s\",\"command\":\"DLT-ALL\"}]", a.id);
    lp_test_start(env, "task_command", pages, id);
    lp_test_wait(env, id, "failed");
    assert_says(env, id, "role admin");
    lp_test_start(env, "task_write_command", pages, id);
    lp_test_wait(env, id, "completed");
    lp_store_env_exec(&env->db, "INSERT INTO emergency_stops (scope, target, reason, actor, at) "
                                "VALUES ('everything', '', 'smoke', 'boss', 1)");
    lp_test_start(env, "task_write_command", pages, id);
    lp_test_wait(env, id, "failed");
}

/* ---- many at once ---- */

/** 50 processes over 10 elements: two sessions, one writer, and nobody waits in a thread. */
static void
many_processes_few_sessions(struct lp_run_env *env)
{
    enum { SITES = 10, LINES = 50 };
    struct site sites[SITES];
    char ids[LINES][LP_UUID_LEN + 1], name[40];
    struct lp_fake_seen seen;

    for (int i = 0; i < SITES; i++) {
        snprintf(name, sizeof name, "site%d", i);
        lp_device_env_site(env, name, sites[i].id, sites[i].block);
    }
    lp_fake_latency_ms = 2;
    for (int i = 0; i < LINES; i++) {
        const char *blocks[] = {sites[i % SITES].block, sites[(i * 3 + 1) % SITES].block, NULL};

        if (blocks[0] == blocks[1])
            blocks[1] = sites[(i + 1) % SITES].block;
        snprintf(name, sizeof name, "line%d", i);
        lp_device_env_line(name, "x", blocks);
        lp_device_env_start(env, "make_line", NULL, false, ids[i]);
        lp_test_until(env,
                      "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = "
                      "'make' AND status = 'success'",
                      ids[i], 1);
    }
    for (int i = 0; i < LINES; i++)
        lp_test_until(env,
                      "SELECT count(*) FROM processes WHERE id = :id AND status IN "
                      "('completed', 'failed', 'inconsistent_data')",
                      ids[i], 1);
    seen = lp_fake_seen();
    assert_true(seen.sessions_most <= 2);
    assert_int_equal(seen.writers_most, 1);
    assert_int_equal(seen.sessions_now, 0);
    /* labels of a site are changed by many: whoever lost goes on after a look */
    for (int i = 0; i < LINES; i++) {
        char object[60];

        snprintf(object, sizeof object, "port:line%d", i);
        (void)object;
    }
    assert_true(lp_test_int(env,
                            "SELECT count(*) FROM processes WHERE status = 'completed' AND id "
                            "<> :id",
                            "")
                > 0);
}

static atomic_bool held_back;
static char held_element[LP_UUID_LEN + 1];

static void
hold_back(const char *element, const char *object)
{
    (void)object;
    while (strcmp(element, held_element) == 0 && atomic_load(&held_back))
        usleep(1000);
}

static void
start_line(struct lp_run_env *env, const char *name, const char *block,
           char id[static LP_UUID_LEN + 1])
{
    const char *blocks[] = {block, NULL};

    lp_device_env_line(name, "x", blocks);
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = 'make' AND "
                  "status = 'success'",
                  id, 1);
}

/** Four threads; one writes to an element and does not come back, twenty more want that element.
 * They are parked: the threads that are left do other work meanwhile. */
static void
who_waits_for_an_element_holds_no_thread(struct lp_run_env *env)
{
    enum { LINES = 20 };
    char ids[LINES][LP_UUID_LEN + 1], other[LP_UUID_LEN + 1], name[40];

    lp_run_env_stop(env);
    env->conf_lines[env->conf_count++] = "executor.threads=4";
    lp_run_env_start(env);
    two_sites(env);
    snprintf(held_element, sizeof held_element, "%s", a.id);
    atomic_store(&held_back, true);
    lp_fake_before_write = hold_back;
    for (int i = 0; i < LINES; i++) {
        snprintf(name, sizeof name, "line%d", i);
        start_line(env, name, a.block, ids[i]);
    }
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE wait_kind = 'lock' AND status = 'waiting' "
                  "AND id <> :id",
                  "", LINES - 1);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "other%d", i);
        start_line(env, name, b.block, other);
        lp_test_wait(env, other, "completed");
    }
    assert_int_equal(count(env,
                           "SELECT count(*) FROM device_objects WHERE state = 'held' AND "
                           "element_id = :id",
                           a.id),
                     0); /* it is still held */
    atomic_store(&held_back, false);
    for (int i = 0; i < LINES; i++)
        lp_test_until(env,
                      "SELECT count(*) FROM processes WHERE id = :id AND status IN ('completed', "
                      "'failed', 'inconsistent_data')",
                      ids[i], 1);
    assert_true(lp_fake_seen().sessions_most <= 2);
    assert_int_equal(lp_fake_seen().writers_most, 1);
    assert_int_equal(lp_fake_seen().sessions_now, 0);
}

/* ---- a crash inside apply ---- */

static char kept[100]; /* what the elements hold outlives the program */

static void
die(const char *element, const char *object)
{
    (void)element;
    (void)object;
    kill(getpid(), SIGKILL);
}

static void
crash_before(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_fake_before_write = die;
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "completed");
}

static void
crash_behind(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_fake_after_write = die;
    lp_device_env_start(env, "make_line", NULL, false, id);
    lp_test_wait(env, id, "completed");
}

/** The command was sent, or was just about to be: resumed, it converges, and nothing is done twice.
 * The element is left in peace first: the dead program's command may still act. */
static void
goes_on(struct lp_run_env *env, void (*crash)(struct lp_run_env *env), int changed)
{
    char id[LP_UUID_LEN + 1];

    two_sites(env);
    lp_run_env_stop(env);
    line_over_both("one", "x");
    snprintf(kept, sizeof kept, "%s/elements.json", env->db.dir);
    lp_fake_keep(kept);
    lp_run_env_crash(env, crash);
    lp_fake_load(kept);
    lp_fake_keep(NULL);
    lp_run_env_start(env);
    snprintf(id, sizeof id, "%s",
             lp_test_text(
                 env, "SELECT id FROM processes WHERE workflow = 'make_line' AND id <> :id", ""));
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND status IN ('completed', "
                  "'failed')",
                  id, 1);
    lp_test_wait(env, id, "completed");
    assert_holds(a.id, "port:one", "{\"name\":\"one\",\"comment\":\"x\"}");
    assert_holds(b.id, "port:one", "{\"name\":\"one\",\"comment\":\"x\"}");
    assert_holds(b.id, "label", "{\"lines\":[\"one\"]}");
    assert_int_equal(lp_fake_seen().changed, changed);
}

static void
a_crash_before_the_write_converges(struct lp_run_env *env)
{
    goes_on(env, crash_before, 4);
}

static void
a_crash_behind_the_write_converges(struct lp_run_env *env)
{
    goes_on(env, crash_behind, 3);
}

struct device_case {
    const char *name, *name_pg;
    void (*run)(struct lp_run_env *env);
};
#define CASE(fn)                                                                                   \
    {                                                                                              \
#fn, #fn "_postgres", fn                                                                   \
    }
static struct device_case cases[] = {
    CASE(life_of_a_line),
    CASE(siblings_share_a_label),
    CASE(what_no_sibling_desires_goes),
    CASE(adoption_writes_nothing),
    CASE(foreign_objects_are_in_the_way),
    CASE(forced_without_the_elements),
    CASE(dry_run_leaves_nothing),
    CASE(traffic_of_active_lines_needs_approval),
    CASE(an_approval_expires),
    CASE(every_outcome_converges),
    CASE(reads_that_fail_are_tried_again),
    CASE(D44_causes_keep_their_code),
    CASE(rollback_restores),
    CASE(D49_failed_undo_marks_the_element),
    CASE(a_point_is_the_last_way_back),
    CASE(a_point_in_the_middle_is_none),
    CASE(what_cannot_be_undone_is_listed),
    CASE(planned_again_within),
    CASE(planned_again_beyond),
    CASE(another_element_is_not_touched),
    CASE(D26_drift_is_told_and_repaired),
    CASE(D52_what_settles_is_looked_at_again),
    CASE(D53_validation_writes_nothing),
    CASE(stopped_and_observed_elements_are_not_written),
    CASE(a_stop_halts_between_operations),
    CASE(every_exchange_is_kept),
    CASE(D47_inventory_is_cached),
    CASE(D42_commands_obey_the_role),
    CASE(many_processes_few_sessions),
    CASE(who_waits_for_an_element_holds_no_thread),
    CASE(a_crash_before_the_write_converges),
    CASE(a_crash_behind_the_write_converges),
};

static void
on(enum lp_dialect dialect, const struct device_case *one)
{
    struct lp_run_env env;

    if (!lp_store_env_has(dialect))
        skip();
    lp_device_env_open(&env, dialect);
    one->run(&env);
    lp_fake_before_write = NULL;
    lp_run_env_close(&env);
}

static void
on_sqlite(void **state)
{
    on(LP_DIALECT_SQLITE, *state);
}

static void
on_postgres(void **state)
{
    on(LP_DIALECT_POSTGRES, *state);
}

int
main(void)
{
    struct CMUnitTest tests[2 * LP_COUNT(cases)];

    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        tests[2 * i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = on_sqlite, .initial_state = &cases[i]};
        tests[2 * i + 1] = (struct CMUnitTest){
            .name = cases[i].name_pg, .test_func = on_postgres, .initial_state = &cases[i]};
    }
    return LP_RUN_TESTS(tests);
}
