/* The TL1 client against an element that misbehaves, over real TCP and SSH. Waiting is for
 * conditions; time limits only bound a defect. */
#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "clients/tl1.h"
#include "tests/support/test_main.h"
#include "tests/tl1/ne.h"

#define PASSWORD "s3cr3t;\"x"

struct env {
    struct ne *ne;
    struct lp_tl1_pool *pool;
    struct lp_clock clock;
    struct lp_tl1_address address, second;
    struct lp_tl1_element element;
    struct lp_tl1_call call;
    char password[64], ssh_user[32], key_file[64];
    atomic_int new_keys, changed_keys;
    struct lp_buf evidence;
};

static enum lp_code
credentials(void *arg, const char *element, struct lp_tl1_credentials *out, struct lp_err *err)
{
    struct env *env = arg;

    (void)element;
    (void)err;
    (void)snprintf(out->user, sizeof out->user, "svc_orch");
    (void)snprintf(out->password, sizeof out->password, "%s", env->password);
    (void)snprintf(out->ssh_user, sizeof out->ssh_user, "%s", env->ssh_user);
    (void)snprintf(out->ssh_key_file, sizeof out->ssh_key_file, "%s", env->key_file);
    out->ssh_no_password = env->ssh_user[0] != '\0';
    return LP_OK;
}

static void
host_key(void *arg, const char *host, uint16_t port, const char *print, bool changed)
{
    struct env *env = arg;

    assert_string_equal(host, "127.0.0.1");
    assert_true(port > 0 && strncmp(print, "SHA256:", 7) == 0);
    atomic_fetch_add(changed ? &env->changed_keys : &env->new_keys, 1);
}

static void
transcript(void *arg, const struct lp_tl1_exchange *exchange)
{
    struct env *env = arg;

    lp_buf_printf(&env->evidence, "[%s %s %s|", exchange->element, exchange->code,
                  lp_code_info(exchange->outcome)->slug);
    lp_buf_str(&env->evidence, exchange->sent);
    lp_buf_add(&env->evidence, exchange->received, exchange->received_len);
    lp_buf_printf(&env->evidence, "|%zu %s]\n", exchange->received_total,
                  exchange->received_sha256);
}

/* Short limits where a test waits for them to end, long ones where they only bound a defect. */
static void
begin_with(struct env *env, const struct ne_options *ne, struct lp_tl1_pool_options *options)
{
    struct lp_err err = LP_ERR_INIT;

    *env = (struct env){.call = LP_TL1_CALL_INIT};
    (void)snprintf(env->password, sizeof env->password, "%s", PASSWORD);
    env->ne = ne_start(ne);
    options->clock = &env->clock;
    options->credentials = credentials;
    options->credentials_arg = env;
    options->host_key = host_key;
    options->host_key_arg = env;
    if (options->known_hosts == NULL)
        options->host_keys = LP_TL1_HOSTS_ANY;
    assert_int_equal(lp_tl1_pool_new(options, &env->pool, &err), LP_OK);
    env->address = (struct lp_tl1_address){.transport = ne->ssh ? LP_TL1_SSH : LP_TL1_TCP,
                                           .host = "127.0.0.1",
                                           .port = ne_port(env->ne)};
    env->element = (struct lp_tl1_element){
        .name = "mil1", .tid = "n1", .addresses = &env->address, .address_count = 1};
}

static void
begin(struct env *env)
{
    begin_with(env, &(struct ne_options){.tids = "n1"},
               &(struct lp_tl1_pool_options){.max_reply = 0});
}

static void
end(struct env *env)
{
    lp_tl1_pool_free(env->pool);
    assert_true(ne_tags_unique(env->ne));
    ne_stop(env->ne);
    lp_buf_free(&env->evidence);
}

static struct lp_tl1_session *
acquire(struct env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_session *session = NULL;
    enum lp_code rc = lp_tl1_acquire(env->pool, &env->element, &env->call, &session, &err);

    if (rc != LP_OK)
        fail_msg("acquire: %s", err.msg);
    return session;
}

static enum lp_code
refused(struct env *env, struct lp_err *err)
{
    struct lp_tl1_session *session = NULL;
    enum lp_code rc = lp_tl1_acquire(env->pool, &env->element, &env->call, &session, err);

    assert_null(session);
    return rc;
}

/* RTRV-SCH or ED-SCH of an AID. */
static enum lp_code
ask(struct lp_tl1_session *session, const char *code, const char *aid,
    const struct lp_tl1_message **reply, struct lp_err *err)
{
    const struct lp_tl1_param param = {.value = aid};
    const struct lp_tl1_param label = {.name = "LABEL", .value = "x, y"};
    const struct lp_tl1_block blocks[4] = {{.count = 0}, {.count = 0}, {&label, 1}, {.count = 0}};
    const struct lp_tl1_block none[4] = {{.count = 0}};
    struct lp_tl1_command command = {.code = code,
                                     .blocks = lp_tl1_writes(code) ? blocks : none,
                                     .block_count = lp_tl1_writes(code) ? 3 : 4};

    if (aid != NULL)
        command.aids = (struct lp_tl1_block){&param, 1};
    return lp_tl1_exchange(session, &command, reply, err);
}

static void
expect(struct lp_tl1_session *session, const char *code, enum lp_code expected)
{
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = ask(session, code, "1-A-3-T1-1", NULL, &err);

    if (rc != expected)
        fail_msg("%s: %s instead of %s: %s", code, lp_code_info(rc)->slug,
                 lp_code_info(expected)->slug, err.msg);
    if (rc != LP_OK)
        assert_non_null(strstr(err.msg, "mil1"));
    if (strstr(err.msg, "it took too long") != NULL)
        assert_string_equal(lp_json_str(err.detail, "code", ""), "OPT-073");
    lp_err_clear(&err);
}

/* A record's AID is the one that was asked for. */
static void
expect_answer(struct lp_tl1_session *session, const char *aid)
{
    struct lp_err err = LP_ERR_INIT;
    const struct lp_tl1_message *reply = NULL;
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_tl1_record record;

    if (ask(session, "RTRV-SCH", aid, &reply, &err) != LP_OK)
        fail_msg("%s", err.msg);
    assert_true(reply->line_count >= 1);
    assert_int_equal(lp_tl1_message_record(reply, 0, &scratch, &record, &err), LP_OK);
    assert_string_equal(lp_tl1_record_aid(&record), aid);
    assert_string_equal(lp_tl1_record_get(&record, "LABEL"), "a:b,c");
    lp_tl1_scratch_free(&scratch);
}

static void
nap(void)
{
    (void)poll(NULL, 0, 10);
}

#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        for (int turn = 0; turn < 6000 && !(condition); turn++)                                    \
            nap();                                                                                 \
        assert_true(condition);                                                                    \
    } while (0)

static struct lp_tl1_pool_stats
stats(struct env *env)
{
    struct lp_tl1_pool_stats out;

    lp_tl1_pool_get_stats(env->pool, &out);
    return out;
}

/* ---- sessions ---- */

static void
a_session_logs_in_once_and_is_used_again(void **state)
{
    struct env env;

    (void)state;
    begin(&env);
    for (int i = 0; i < 3; i++) {
        struct lp_tl1_session *session = acquire(&env);

        expect_answer(session, "1-A-3-T1-1");
        expect(session, "ED-SCH", LP_OK);
        lp_tl1_release(session);
    }
    assert_int_equal(ne_connections(env.ne), 1);
    assert_int_equal(ne_count(env.ne, "ACT-USER"), 1);
    assert_int_equal(ne_count(env.ne, "INH-MSG-ALL"), 1);
    assert_int_equal(ne_count(env.ne, "INH-DBREPT-ALL"), 1);
    assert_int_equal(ne_count(env.ne, "ED-SCH"), 3);
    end(&env);
}

static void
nobody_waits_for_a_session(void **state)
{
    struct env env;
    struct lp_tl1_session *one, *two;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    begin(&env);
    one = acquire(&env);
    two = acquire(&env);
    assert_int_equal(refused(&env, &err), LP_RETRYABLE);
    assert_true(lp_tl1_is_busy(&err));
    assert_non_null(strstr(err.msg, "mil1"));
    lp_err_clear(&err);
    lp_tl1_release(one);
    one = acquire(&env);
    expect_answer(one, "1-A-1");
    lp_tl1_release(one);
    lp_tl1_release(two);
    assert_int_equal(ne_most_sessions(env.ne), 2);
    end(&env);
}

static void
sessions_are_logged_out_when_the_pool_closes(void **state)
{
    struct env env;

    (void)state;
    begin(&env);
    lp_tl1_release(acquire(&env));
    lp_tl1_pool_free(env.pool);
    env.pool = NULL;
    assert_int_equal(ne_count(env.ne, "CANC-USER"), 1);
    end(&env);
}

static void
a_refused_login_is_not_tried_again(void **state)
{
    struct env env;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    begin(&env);
    (void)snprintf(env.password, sizeof env.password, "wrong");
    assert_int_equal(refused(&env, &err), LP_AUTH);
    for (int i = 0; i < 3; i++)
        assert_int_equal(refused(&env, &err), LP_AUTH);
    assert_int_equal(ne_count(env.ne, "ACT-USER"), 1);
    (void)snprintf(env.password, sizeof env.password, "%s", PASSWORD); /* another: tried at once */
    lp_tl1_release(acquire(&env));
    lp_err_clear(&err);
    end(&env);
}

static void
the_breaker_closes_with_time(void **state)
{
    struct env env;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    begin(&env);
    ne_rule(env.ne, "ACT-USER", NE_DENY, 1, "PIUC", "account locked");
    assert_int_equal(refused(&env, &err), LP_AUTH);
    assert_int_equal(refused(&env, &err), LP_AUTH);
    lp_clock_turn(&env.clock, 121 * INT64_C(1000000));
    lp_tl1_release(acquire(&env));
    assert_int_equal(ne_count(env.ne, "ACT-USER"), 2);
    lp_err_clear(&err);
    end(&env);
}

static void
an_element_without_room_is_retryable(void **state)
{
    struct env env;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1", .max_sessions = 1},
               &(struct lp_tl1_pool_options){.max_reply = 0});
    struct lp_tl1_session *one = acquire(&env);
    assert_int_equal(refused(&env, &err), LP_RETRYABLE);
    assert_non_null(strstr(err.msg, "RALB"));
    expect_answer(one, "1-A-1");
    lp_tl1_release(one);
    lp_err_clear(&err);
    end(&env);
}

/* A denial for a missing login proves that the command did not run: once more after a login. */
static void
a_lost_login_is_made_again_and_the_command_runs_once(void **state)
{
    struct env env;

    (void)state;
    begin(&env);
    struct lp_tl1_session *session = acquire(&env);
    ne_rule(env.ne, "ED-SCH", NE_FORGET_LOGIN, 1, NULL, NULL);
    expect(session, "ED-SCH", LP_OK);
    assert_int_equal(ne_count(env.ne, "ED-SCH"), 2);
    assert_int_equal(ne_count(env.ne, "ACT-USER"), 2);
    ne_rule(env.ne, "ED-SCH", NE_FORGET_LOGIN, 2, NULL, NULL); /* only once */
    expect(session, "ED-SCH", LP_AUTH);
    lp_tl1_release(session);
    end(&env);
}

static void
a_session_that_the_element_ended_is_made_again_before_the_next_command(void **state)
{
    struct env env;

    (void)state;
    begin(&env);
    struct lp_tl1_session *session = acquire(&env);
    ne_rule(env.ne, "RTRV-SCH", NE_CANC, 1, NULL, NULL);
    expect(session, "RTRV-SCH", LP_OK);
    expect(session, "ED-SCH", LP_OK);
    lp_tl1_release(session);
    WAIT_FOR(stats(&env).idle == 1);
    ne_hang_up(env.ne);
    WAIT_FOR(stats(&env).sessions == 0);
    session = acquire(&env);
    expect_answer(session, "1-A-9");
    lp_tl1_release(session);
    assert_int_equal(ne_count(env.ne, "ED-SCH"), 1);
    end(&env);
}

static void
D35_idle_sessions_are_kept_alive_and_then_logged_out(void **state)
{
    struct env env;

    (void)state;
    begin(&env);
    lp_tl1_release(acquire(&env));
    lp_clock_turn(&env.clock, 301 * INT64_C(1000000));
    WAIT_FOR(ne_count(env.ne, "RTRV-HDR") == 1);
    WAIT_FOR(stats(&env).idle == 1);
    lp_clock_turn(&env.clock, 600 * INT64_C(1000000));
    WAIT_FOR(ne_count(env.ne, "CANC-USER") == 1);
    WAIT_FOR(stats(&env).sessions == 0);
    WAIT_FOR(ne_sessions(env.ne) == 0);
    end(&env);
}

static void
an_idle_session_that_does_not_answer_is_closed(void **state)
{
    struct env env;

    (void)state;
    begin(&env);
    lp_tl1_release(acquire(&env));
    ne_rule(env.ne, "RTRV-HDR", NE_SILENT, 9, NULL, NULL);
    lp_clock_turn(&env.clock, 301 * INT64_C(1000000));
    WAIT_FOR(ne_count(env.ne, "RTRV-HDR") == 1);
    WAIT_FOR(stats(&env).idle == 1);
    lp_clock_turn(&env.clock, 31 * INT64_C(1000000));
    WAIT_FOR(stats(&env).sessions == 0);
    end(&env);
}

static void identity_is_checked_after_every_login(void **state);

/* ---- outcomes ---- */

static void
an_answer_that_is_lost_is_unknown_for_a_write_and_is_not_sent_again(void **state)
{
    static const enum ne_fault faults[] = {NE_CUT, NE_CUT_MIDDLE, NE_CUT_BLOCK, NE_CUT_OFF,
                                           NE_GARBAGE};
    struct env env;

    (void)state;
    begin(&env);
    for (size_t i = 0; i < LP_COUNT(faults); i++) {
        struct lp_tl1_session *session = acquire(&env);

        ne_rule(env.ne, "ED-SCH", faults[i], 1, NULL, NULL);
        expect(session, "ED-SCH", LP_UNKNOWN);
        assert_int_equal(ne_count(env.ne, "ED-SCH"), i + 1);
        lp_tl1_release(session);
        session = acquire(&env);
        ne_rule(env.ne, "RTRV-SCH", faults[i], 1, NULL, NULL);
        expect(session, "RTRV-SCH",
               faults[i] == NE_GARBAGE || faults[i] == NE_CUT_OFF ? LP_PROTOCOL : LP_RETRYABLE);
        lp_tl1_release(session);
    }
    assert_int_equal(stats(&env).unknown, LP_COUNT(faults));
    end(&env);
}

/* What is always there to be read must not hold a thread beyond its time. */
static void
a_flood_ends_at_the_deadline(void **state)
{
    static const char *const codes[] = {"ED-SCH", "RTRV-SCH"};
    static const enum lp_code outcomes[] = {LP_UNKNOWN, LP_RETRYABLE};
    struct env env;

    (void)state;
    begin(&env);
    for (size_t i = 0; i < LP_COUNT(codes); i++) {
        struct lp_tl1_session *session;

        ne_rule(env.ne, codes[i], NE_FLOOD, 1, NULL, NULL);
        env.call.wait.deadline_us = 0;
        lp_tl1_release(acquire(&env)); /* the login is not part of it */
        env.call.wait.deadline_us = lp_clock_mono_us(&env.clock) + 1000000;
        session = acquire(&env);
        expect(session, codes[i], outcomes[i]);
        lp_tl1_release(session);
    }
    end(&env);
}

static void
silence_ends_at_the_deadline(void **state)
{
    struct env env;

    (void)state;
    begin(&env);
    ne_rule(env.ne, "ED-SCH", NE_SILENT, 1, NULL, NULL);
    ne_rule(env.ne, "RTRV-SCH", NE_SILENT, 1, NULL, NULL);
    ne_rule(env.ne, "RTRV-SCH", NE_DRIP, 9, NULL, NULL);
    for (int round = 0; round < 3; round++) {
        struct lp_tl1_session *session;

        env.call.wait.deadline_us = 0;
        lp_tl1_release(acquire(&env)); /* the login is not part of it */
        env.call.wait.deadline_us = lp_clock_mono_us(&env.clock) + 200000;
        session = acquire(&env);
        expect(session, round == 0 ? "ED-SCH" : "RTRV-SCH", round == 0 ? LP_UNKNOWN : LP_RETRYABLE);
        lp_tl1_release(session);
    }
    end(&env);
}

static int64_t
no_time(void *arg)
{
    return (*(int *)arg)-- > 0 ? 1000 : 0;
}

static void
a_caller_can_stop_before_and_after_sending(void **state)
{
    static const enum lp_code outcomes[] = {LP_UNKNOWN, LP_CANCELLED};
    static const char *const codes[] = {"ED-SCH", "RTRV-SCH"};
    struct env env;
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_session *session;
    int pipe_fds[2];

    (void)state;
    begin(&env);
    lp_tl1_release(acquire(&env));
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    env.call.wait.cancel_fd = pipe_fds[0];
    session = acquire(&env);
    expect(session, "ED-SCH", LP_CANCELLED);
    assert_int_equal(refused(&env, &err), LP_CANCELLED); /* a new connection is not begun */
    lp_err_clear(&err);
    lp_tl1_release(session);
    assert_int_equal(ne_count(env.ne, "ED-SCH"), 0);
    env.call.wait.cancel_fd = -1;
    for (size_t i = 0; i < LP_COUNT(codes); i++) {
        int turns = 3; /* enough to send */

        env.call.wait.left_ms = NULL;
        ne_rule(env.ne, codes[i], NE_SILENT, 1, NULL, NULL);
        lp_tl1_release(acquire(&env));
        env.call.wait.left_ms = no_time;
        env.call.wait.left_arg = &turns;
        session = acquire(&env);
        expect(session, codes[i], outcomes[i]);
        lp_tl1_release(session);
        WAIT_FOR(ne_count(env.ne, codes[i]) == 1);
    }
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    end(&env);
}

static void
D44_refusals_have_their_outcome(void **state)
{
    static const struct {
        const char *error, *text;
        enum lp_code expected;
    } cases[] = {
        {"IENE", "INPUT, SPECIFIED OBJECT ENTITY DOES NOT EXIST", LP_NOT_FOUND},
        {"IEAE", "already exists", LP_CONFLICT},
        {"SROF", "OEL mil-fir-rom already exists", LP_CONFLICT},
        {"SROF", "OEL is not Locked", LP_REFUSED},
        {"SAIS", "already in service", LP_CONFLICT},
        {"RCBY", "busy", LP_RETRYABLE},
        {"PICC", "not permitted", LP_AUTH},
        {"XYZW", "something new", LP_REFUSED},
    };
    struct env env;

    (void)state;
    begin(&env);
    struct lp_tl1_session *session = acquire(&env);
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_err err = LP_ERR_INIT;
        const struct lp_tl1_message *reply;

        ne_rule(env.ne, "ED-SCH", NE_DENY, 1, cases[i].error, cases[i].text);
        assert_int_equal(ask(session, "ED-SCH", "1", &reply, &err), cases[i].expected);
        assert_string_equal(reply->error, cases[i].error);
        assert_non_null(strstr(err.msg, cases[i].error));
        assert_non_null(strstr(err.msg, cases[i].text));
        assert_string_equal(json_string_value(json_object_get(err.detail, "device")), "mil1");
        assert_string_equal(json_string_value(json_object_get(err.detail, "command")), "ED-SCH");
        lp_err_clear(&err);
    }
    lp_tl1_release(session);
    end(&env);
}

static void
partial_and_half_acknowledged_answers(void **state)
{
    static const struct {
        enum ne_fault fault;
        enum lp_code write, read;
    } cases[] = {{NE_PRTL, LP_UNKNOWN, LP_PROTOCOL},     {NE_ACK_NA, LP_UNKNOWN, LP_RETRYABLE},
                 {NE_ACK_NG, LP_REFUSED, LP_REFUSED},    {NE_ACK_RL, LP_RETRYABLE, LP_RETRYABLE},
                 {NE_TAG_ZERO, LP_REFUSED, LP_REFUSED},  {NE_DAMAGED, LP_UNKNOWN, LP_PROTOCOL},
                 {NE_OTHER_SID, LP_UNKNOWN, LP_PROTOCOL}};
    struct env env;

    (void)state;
    begin(&env);
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_tl1_session *session = acquire(&env);

        ne_rule(env.ne, "ED-SCH", cases[i].fault, 1, NULL, NULL);
        expect(session, "ED-SCH", cases[i].write);
        lp_tl1_release(session);
        session = acquire(&env);
        ne_rule(env.ne, "RTRV-SCH", cases[i].fault, 1, NULL, NULL);
        expect(session, "RTRV-SCH", cases[i].read);
        lp_tl1_release(session);
    }
    end(&env);
}

static enum lp_code
count_record(void *arg, const struct lp_tl1_record *record, struct lp_err *err)
{
    (void)record;
    (void)err;
    (*(unsigned *)arg)++;
    return LP_OK;
}

static void
an_empty_class_is_no_error_and_a_cut_list_is_no_list(void **state)
{
    static const struct lp_tl1_block none[4] = {{.count = 0}};
    const struct lp_tl1_command all = {.code = "RTRV-OSNC", .blocks = none, .block_count = 4};
    const struct lp_tl1_param aid = {.value = "1-A-1"};
    const struct lp_tl1_command one = {
        .code = "RTRV-SCH", .aids = {&aid, 1}, .blocks = none, .block_count = 4};
    struct lp_err err = LP_ERR_INIT;
    struct env env;
    unsigned count = 0;

    (void)state;
    begin(&env);
    struct lp_tl1_session *session = acquire(&env);
    ne_rule(env.ne, "RTRV-OSNC", NE_DENY, 1, "IENE",
            "INPUT, SPECIFIED OBJECT ENTITY DOES NOT EXIST");
    assert_int_equal(lp_tl1_retrieve(session, &all, count_record, &count, &err), LP_OK);
    assert_int_equal(count, 0);
    ne_rule(env.ne, "RTRV-SCH", NE_ALARMS, 1, NULL, NULL); /* two blocks */
    assert_int_equal(lp_tl1_retrieve(session, &one, count_record, &count, &err), LP_OK);
    assert_int_equal(count, 2);
    ne_rule(env.ne, "RTRV-SCH", NE_CUT_BLOCK, 1, NULL, NULL);
    assert_int_equal(lp_tl1_retrieve(session, &one, count_record, &count, &err), LP_RETRYABLE);
    assert_int_equal(count, 2);
    lp_err_clear(&err);
    lp_tl1_release(session);
    end(&env);
}

/* ---- matching ---- */

/* Answers to other tags, doubled answers, alarms anywhere: each command gets its own answer. */
static void
an_answer_goes_to_the_command_with_its_tag(void **state)
{
    static const enum ne_fault faults[] = {NE_LATE_FIRST, NE_DOUBLE, NE_ALARMS, NE_STORM,
                                           NE_ACK_SLOW};
    struct env env;

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1"},
               &(struct lp_tl1_pool_options){.max_reply = 0});
    struct lp_tl1_session *session = acquire(&env);
    for (size_t i = 0; i < LP_COUNT(faults); i++) {
        ne_rule(env.ne, "RTRV-SCH", faults[i], 1, NULL, NULL);
        expect_answer(session, "1-A-3-T1-1");
        expect_answer(session, "1-A-3-T12-7");
    }
    lp_tl1_release(session);
    assert_true(stats(&env).late >= 2);
    assert_true(stats(&env).autonomous >= 5003);
    assert_int_equal(ne_connections(env.ne), 1);
    end(&env);
}

static void
note_tag(void *arg, const struct lp_tl1_exchange *exchange)
{
    struct lp_buf *tags = arg;

    assert_true(lp_tl1_ctag_valid(exchange->ctag));
    if (tags->data != NULL) /* before this one */
        assert_null(strstr(tags->data, exchange->ctag));
    lp_buf_printf(tags, "%s ", exchange->ctag);
}

/* Also over two sessions and over the same command again. */
static void
D36_every_command_has_a_tag_of_its_own(void **state)
{
    struct env env;

    (void)state;
    begin(&env);
    env.call.transcript = note_tag;
    env.call.transcript_arg = &env.evidence;
    struct lp_tl1_session *one = acquire(&env), *two = acquire(&env);
    for (int i = 0; i < 50; i++) {
        expect_answer(i % 2 == 0 ? one : two, "1-A-3-T1-1");
        ne_rule(env.ne, "RTRV-SCH", i < 10 ? NE_LATE_FIRST : NE_NONE, i < 10 ? 1 : 0, NULL, NULL);
    }
    lp_tl1_release(one);
    lp_tl1_release(two);
    assert_int_equal(env.evidence.len, (50 + 2 * 3) * 7);
    end(&env);
}

static void
an_acknowledgement_starts_the_long_timer(void **state)
{
    struct env env;

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1"},
               &(struct lp_tl1_pool_options){.write_ms = 300, .progress_ms = 60000});
    struct lp_tl1_session *session = acquire(&env);
    ne_rule(env.ne, "ED-SCH", NE_ACK_SLOW, 1, NULL, NULL); /* 600 ms after the acknowledgement */
    expect(session, "ED-SCH", LP_OK);
    ne_rule(env.ne, "ED-SCH", NE_SILENT, 1, NULL, NULL);
    expect(session, "ED-SCH", LP_UNKNOWN);
    lp_tl1_release(session);
    end(&env);
}

static void
endless_replies_end_at_the_limit(void **state)
{
    struct env env;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1"},
               &(struct lp_tl1_pool_options){.max_reply = 3000000});
    ne_rule(env.ne, "RTRV-SCH", NE_ENDLESS, 1, NULL, NULL);
    ne_rule(env.ne, "RTRV-SCH", NE_ENDLESS_LINE, 1, NULL, NULL);
    ne_rule(env.ne, "ED-SCH", NE_ENDLESS, 1, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        struct lp_tl1_session *session = acquire(&env);

        assert_int_equal(ask(session, i < 2 ? "RTRV-SCH" : "ED-SCH", "1", NULL, &err),
                         i < 2 ? LP_TOO_LARGE : LP_UNKNOWN);
        assert_non_null(strstr(err.msg, i == 1 ? "1048576" : "3000000"));
        lp_tl1_release(session);
    }
    lp_err_clear(&err);
    end(&env);
}

/* ---- ways in ---- */

static void
telnet_is_declined_and_a_missing_prompt_waited_for(void **state)
{
    struct env env;

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1", .telnet = true},
               &(struct lp_tl1_pool_options){.max_reply = 0});
    struct lp_tl1_session *session = acquire(&env);
    expect_answer(session, "1-A-1");
    lp_tl1_release(session);
    end(&env);
    begin_with(&env, &(struct ne_options){.tids = "n1", .no_prompt = true},
               &(struct lp_tl1_pool_options){.banner_ms = 100});
    session = acquire(&env);
    expect_answer(session, "1-A-1");
    lp_tl1_release(session);
    end(&env);
}

static void
an_element_that_is_not_there(void **state)
{
    struct env env;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    begin(&env);
    ne_stop(env.ne);
    assert_int_equal(refused(&env, &err), LP_RETRYABLE);
    assert_false(lp_tl1_is_busy(&err));
    lp_err_clear(&err);
    lp_tl1_pool_free(env.pool);
}

/* Subtending elements share the gateway's connection, each with a login of its own; an element that
 * one gateway does not reach is asked for at the next. */
static void
gateways_relay_by_tid(void **state)
{
    static const char *const tids[] = {"n1", "sub1", "sub2"};
    struct env env;
    struct ne *second;

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1 sub1 sub2"},
               &(struct lp_tl1_pool_options){.max_reply = 0});
    for (size_t i = 0; i < LP_COUNT(tids); i++) {
        env.element.name = env.element.tid = tids[i];
        struct lp_tl1_session *session = acquire(&env);
        expect_answer(session, tids[i]);
        lp_tl1_release(session);
    }
    assert_int_equal(ne_connections(env.ne), 1);
    assert_int_equal(ne_count(env.ne, "ACT-USER"), 3);
    second = ne_start(&(struct ne_options){.tids = "sub3"});
    struct lp_tl1_address both[2] = {env.address, env.address};
    both[1].port = ne_port(second);
    env.element = (struct lp_tl1_element){
        .name = "sub3", .tid = "sub3", .addresses = both, .address_count = 2};
    struct lp_tl1_session *session = acquire(&env);
    expect_answer(session, "1-A-1");
    lp_tl1_release(session);
    assert_int_equal(ne_connections(second), 1);
    assert_int_equal(ne_connections(env.ne), 1);
    end(&env);
    ne_stop(second);
}

/* A gateway with one connection and more elements than that takes: the ninth is told to come again,
 * and finds room. */
static void
a_full_gateway_makes_room_for_the_next(void **state)
{
    struct env env;
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_session *session = NULL;
    char tid[16];

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = ""},
               &(struct lp_tl1_pool_options){.max_connections = 1});
    env.element.max_sessions = 1;
    env.element.name = env.element.tid = tid;
    for (unsigned i = 0; i < LP_TL1_MAX_TIDS; i++) {
        (void)snprintf(tid, sizeof tid, "sub%u", i);
        lp_tl1_release(acquire(&env));
    }
    assert_int_equal(ne_connections(env.ne), 1);
    (void)snprintf(tid, sizeof tid, "sub9");
    assert_int_equal(refused(&env, &err), LP_RETRYABLE);
    assert_true(lp_tl1_is_busy(&err));
    WAIT_FOR(session != NULL
             || lp_tl1_acquire(env.pool, &env.element, &env.call, &session, &err) == LP_OK);
    expect_answer(session, "1-A-1");
    lp_tl1_release(session);
    assert_int_equal(ne_count(env.ne, "CANC-USER"), LP_TL1_MAX_TIDS);
    lp_err_clear(&err);
    end(&env);
}

/* Idle logins of several elements are probed in turn. */
static void
every_login_of_a_gateway_is_kept_alive(void **state)
{
    static const char *const tids[] = {"n1", "sub1"};
    struct env env;

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1 sub1"},
               &(struct lp_tl1_pool_options){.max_reply = 0});
    for (size_t i = 0; i < LP_COUNT(tids); i++) {
        env.element.name = env.element.tid = tids[i];
        lp_tl1_release(acquire(&env));
    }
    for (unsigned i = 1; i <= 4; i++) {
        lp_clock_turn(&env.clock, (i == 1 ? 301 : 151) * INT64_C(1000000));
        WAIT_FOR(ne_count(env.ne, "RTRV-HDR") == i);
        nap();
    }
    assert_int_equal(stats(&env).sessions, 1);
    end(&env);
}

static void
ssh_with_password_and_with_questions(void **state)
{
    (void)state;
    for (int questions = 0; questions < 2; questions++) {
        struct env env;
        struct lp_err err = LP_ERR_INIT;

        begin_with(&env,
                   &(struct ne_options){.tids = "n1", .ssh = true, .questions = questions == 1},
                   &(struct lp_tl1_pool_options){.max_reply = 0});
        struct lp_tl1_session *session = acquire(&env);
        for (int i = 0; i < 20; i++)
            expect_answer(session, "1-A-3-T1-1");
        ne_rule(env.ne, "ED-SCH", NE_CUT_MIDDLE, 1, NULL, NULL);
        expect(session, "ED-SCH", LP_UNKNOWN);
        lp_tl1_release(session);
        session = acquire(&env);
        ne_rule(env.ne, "RTRV-SCH", NE_STORM, 1, NULL, NULL);
        expect_answer(session, "1-A-3-T1-2");
        lp_tl1_release(session);
        (void)snprintf(env.password, sizeof env.password, "wrong");
        env.element.name = "other";
        assert_int_equal(refused(&env, &err), LP_AUTH);
        lp_err_clear(&err);
        end(&env);
    }
}

static void
ssh_with_a_key_and_without_a_password(void **state)
{
    char file[] = "/tmp/lp_tl1_key_XXXXXX";
    struct env env;
    struct lp_tl1_session *session;
    struct lp_err err = LP_ERR_INIT;
    ssh_key key = NULL;
    int fd = mkstemp(file);

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key), SSH_OK);
    assert_int_equal(ssh_pki_export_privkey_file(key, NULL, NULL, NULL, file), SSH_OK);
    ssh_key_free(key);
    begin_with(&env, &(struct ne_options){.tids = "n1", .ssh = true, .keys = true},
               &(struct lp_tl1_pool_options){.max_reply = 0});
    assert_int_equal(refused(&env, &err), LP_AUTH); /* a password is not offered there */
    (void)snprintf(env.key_file, sizeof env.key_file, "%s", file);
    session = acquire(&env);
    expect_answer(session, "1-A-1");
    lp_tl1_release(session);
    end(&env);
    begin_with(&env, &(struct ne_options){.tids = "n1", .ssh = true, .old_release = true},
               &(struct lp_tl1_pool_options){.max_reply = 0});
    (void)snprintf(env.ssh_user, sizeof env.ssh_user, "tl1telnet");
    env.address.ssh_subsystem = "";
    session = acquire(&env);
    expect_answer(session, "1-A-1");
    lp_tl1_release(session);
    env.element.name = "other";
    env.address.ssh_subsystem = "tl1telnet"; /* which an old release does not have */
    assert_int_equal(refused(&env, &err), LP_PROTOCOL);
    lp_err_clear(&err);
    end(&env);
    (void)unlink(file);
}

static void
D46_a_changed_host_key_is_refused_and_told(void **state)
{
    char hosts[] = "/tmp/lp_tl1_hosts_XXXXXX";
    struct env env;
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_session *session;
    int fd = mkstemp(hosts);

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    begin_with(&env, &(struct ne_options){.tids = "n1", .ssh = true},
               &(struct lp_tl1_pool_options){.known_hosts = hosts});
    session = acquire(&env); /* first use: remembered */
    expect_answer(session, "1-A-1");
    assert_int_equal(env.new_keys, 1);
    env.element.max_sessions = 3;
    lp_tl1_release(acquire(&env)); /* the known one */
    assert_int_equal(env.new_keys, 1);
    lp_tl1_release(session);
    ne_change_key(env.ne);
    ne_hang_up(env.ne);
    WAIT_FOR(stats(&env).sessions == 0);
    assert_int_equal(refused(&env, &err), LP_PROTOCOL);
    assert_non_null(strstr(err.msg, "SHA256:"));
    assert_int_equal(env.changed_keys, 1);
    env.address.host_key = "SHA256:nothing";
    assert_int_equal(refused(&env, &err), LP_PROTOCOL);
    lp_err_clear(&err);
    end(&env);
    (void)unlink(hosts);
}

/* ---- events ---- */

struct events {
    atomic_int alarms, ended;
};

static void
on_event(void *arg, const char *element, const struct lp_tl1_message *message, const char *reason)
{
    struct events *events = arg;

    assert_string_equal(element, "mil1");
    if (message != NULL)
        atomic_fetch_add(&events->alarms, 1);
    else if (reason != NULL)
        atomic_fetch_add(&events->ended, 1);
}

static void
one_event_session_which_goes_first(void **state)
{
    struct env env;
    struct events events = {.alarms = 0};
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_session *one, *two = NULL;

    (void)state;
    begin(&env);
    assert_int_equal(
        lp_tl1_events_start(env.pool, &env.element, &env.call, on_event, &events, &err), LP_OK);
    assert_int_equal(
        lp_tl1_events_start(env.pool, &env.element, &env.call, on_event, &events, &err),
        LP_CONFLICT);
    assert_int_equal(ne_count(env.ne, "INH-MSG-ALL"), 0);
    one = acquire(&env);
    ne_emit(env.ne, "Optical Loss of Signal");
    WAIT_FOR(events.alarms == 1);
    /* both sessions of the element are out: the next caller is told busy, and the events go */
    assert_int_equal(refused(&env, &err), LP_RETRYABLE);
    assert_true(lp_tl1_is_busy(&err));
    WAIT_FOR(events.ended == 1);
    two = acquire(&env);
    expect_answer(two, "1-A-1");
    expect_answer(one, "1-A-2");
    lp_tl1_release(one);
    lp_tl1_release(two);
    assert_true(ne_most_sessions(env.ne) <= 2);
    lp_err_clear(&err);
    end(&env);
}

static void
an_event_session_ends_quietly_or_with_a_word(void **state)
{
    struct env env;
    struct events events = {.alarms = 0};
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    begin(&env);
    assert_int_equal(
        lp_tl1_events_start(env.pool, &env.element, &env.call, on_event, &events, &err), LP_OK);
    lp_tl1_events_stop(env.pool, "mil1");
    WAIT_FOR(stats(&env).sessions == 0);
    assert_int_equal(events.ended, 0);
    assert_int_equal(
        lp_tl1_events_start(env.pool, &env.element, &env.call, on_event, &events, &err), LP_OK);
    ne_hang_up(env.ne);
    WAIT_FOR(events.ended == 1);
    end(&env);
}

/* ---- evidence, raw commands ---- */

static void
D46_evidence_has_everything_but_secrets(void **state)
{
    struct env env;

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1"},
               &(struct lp_tl1_pool_options){.max_evidence = 2000});
    env.call.transcript = transcript;
    env.call.transcript_arg = &env;
    struct lp_tl1_session *session = acquire(&env);
    expect(session, "ED-SCH", LP_OK);
    ne_rule(env.ne, "RTRV-SCH", NE_STORM, 1, NULL, NULL);
    expect_answer(session, "1-A-3-T1-1");
    lp_tl1_release(session);
    assert_non_null(strstr(env.evidence.data, "[mil1 ACT-USER ok|ACT-USER:n1:svc_orch:"));
    assert_non_null(strstr(env.evidence.data, "::********;"));
    assert_null(strstr(env.evidence.data, "s3cr3t"));
    assert_non_null(strstr(env.evidence.data, "[mil1 ED-SCH ok|ED-SCH:n1:1-A-3-T1-1:"));
    assert_non_null(strstr(env.evidence.data, ":::LABEL=\"x, y\";"));
    /* the storm was cut, and its hash kept */
    char *last = strstr(env.evidence.data, "[mil1 RTRV-SCH ok|");
    assert_non_null(last);
    assert_true(strlen(last) < 2400);
    assert_int_equal(strlen(strrchr(last, ' ') + 1), 64 + 2);
    end(&env);
}

static void
D42_operators_commands_stay_on_their_element(void **state)
{
    struct env env;
    struct lp_err err = LP_ERR_INIT;
    const struct lp_tl1_message *reply = NULL;

    (void)state;
    begin(&env);
    struct lp_tl1_session *session = acquire(&env);
    assert_int_equal(lp_tl1_raw(session, "RTRV-SCH:n1:1-A-1:MYTAG::::;", &reply, &err), LP_OK);
    assert_string_not_equal(reply->tag, "MYTAG");
    assert_int_equal(lp_tl1_raw(session, "rtrv-sch::1-A-1", &reply, &err), LP_OK);
    assert_int_equal(reply->line_count, 1);
    assert_int_equal(lp_tl1_raw(session, "RTRV-SYS;", &reply, &err), LP_OK);
    assert_int_equal(lp_tl1_raw(session, "ED-SCH::1-A-1:::::LABEL=\"a:b;c\";", &reply, &err),
                     LP_OK);
    assert_int_equal(lp_tl1_raw(session, "RTRV-SCH:n2:1-A-1:1;", &reply, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "n2"));
    assert_int_equal(lp_tl1_raw(session, "CANC-USER::svc_orch:1;", &reply, &err), LP_DENIED);
    assert_int_equal(lp_tl1_raw(session, "no command", &reply, &err), LP_INVALID);
    assert_int_equal(lp_tl1_raw(session, "RTRV-SCH:::1;DLT-SCH::1-A-1:2;", &reply, &err),
                     LP_INVALID);
    assert_int_equal(ne_count(env.ne, "RTRV-SCH"), 2);
    lp_err_clear(&err);
    lp_tl1_release(session);
    end(&env);
}

static enum lp_code
identify(void *arg, const struct lp_tl1_element *element, struct lp_tl1_session *session,
         struct lp_err *err)
{
    const char *serial = arg;

    assert_string_equal(element->name, "mil1");
    expect_answer(session, "1");
    return strcmp(serial, "right") == 0
               ? LP_OK
               : lp_fail(err, LP_CONFLICT, "another chassis under the address of mil1");
}

static void
identity_is_checked_after_every_login(void **state)
{
    struct env env;
    struct lp_err err = LP_ERR_INIT;
    char serial[] = "wrong";

    (void)state;
    begin_with(&env, &(struct ne_options){.tids = "n1"},
               &(struct lp_tl1_pool_options){.identify = identify, .identify_arg = serial});
    assert_int_equal(refused(&env, &err), LP_CONFLICT);
    WAIT_FOR(stats(&env).sessions == 0);
    memcpy(serial, "right", 5);
    lp_tl1_release(acquire(&env));
    lp_err_clear(&err);
    end(&env);
}

/* ---- many ---- */

static void *
worker(void *arg)
{
    struct env *env = arg;
    unsigned done = 0;

    while (done < 25) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_tl1_session *session = NULL;
        char aid[32];
        enum lp_code rc = lp_tl1_acquire(env->pool, &env->element, &env->call, &session, &err);

        if (rc == LP_RETRYABLE && lp_tl1_is_busy(&err)) {
            lp_err_clear(&err);
            (void)poll(NULL, 0, 1);
            continue;
        }
        assert_int_equal(rc, LP_OK);
        (void)snprintf(aid, sizeof aid, "1-A-%u-T%u", done,
                       (unsigned)(uintptr_t)pthread_self() % 97);
        expect_answer(session, aid);
        lp_tl1_release(session);
        done++;
    }
    return NULL;
}

static void
D35_eight_threads_share_two_sessions(void **state)
{
    struct env env;
    pthread_t threads[8];

    (void)state;
    begin(&env);
    for (size_t i = 0; i < LP_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, &env), 0);
    for (size_t i = 0; i < LP_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(ne_count(env.ne, "RTRV-SCH"), 8 * 25);
    assert_true(ne_most_sessions(env.ne) <= 2);
    end(&env);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_logs_in_once_and_is_used_again),
        cmocka_unit_test(nobody_waits_for_a_session),
        cmocka_unit_test(sessions_are_logged_out_when_the_pool_closes),
        cmocka_unit_test(a_refused_login_is_not_tried_again),
        cmocka_unit_test(the_breaker_closes_with_time),
        cmocka_unit_test(an_element_without_room_is_retryable),
        cmocka_unit_test(a_lost_login_is_made_again_and_the_command_runs_once),
        cmocka_unit_test(a_session_that_the_element_ended_is_made_again_before_the_next_command),
        cmocka_unit_test(D35_idle_sessions_are_kept_alive_and_then_logged_out),
        cmocka_unit_test(an_idle_session_that_does_not_answer_is_closed),
        cmocka_unit_test(identity_is_checked_after_every_login),
        cmocka_unit_test(an_answer_that_is_lost_is_unknown_for_a_write_and_is_not_sent_again),
        cmocka_unit_test(a_flood_ends_at_the_deadline),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(a_caller_can_stop_before_and_after_sending),
        cmocka_unit_test(D44_refusals_have_their_outcome),
        cmocka_unit_test(partial_and_half_acknowledged_answers),
        cmocka_unit_test(an_empty_class_is_no_error_and_a_cut_list_is_no_list),
        cmocka_unit_test(an_answer_goes_to_the_command_with_its_tag),
        cmocka_unit_test(D36_every_command_has_a_tag_of_its_own),
        cmocka_unit_test(an_acknowledgement_starts_the_long_timer),
        cmocka_unit_test(endless_replies_end_at_the_limit),
        cmocka_unit_test(telnet_is_declined_and_a_missing_prompt_waited_for),
        cmocka_unit_test(an_element_that_is_not_there),
        cmocka_unit_test(gateways_relay_by_tid),
        cmocka_unit_test(a_full_gateway_makes_room_for_the_next),
        cmocka_unit_test(every_login_of_a_gateway_is_kept_alive),
        cmocka_unit_test(ssh_with_password_and_with_questions),
        cmocka_unit_test(ssh_with_a_key_and_without_a_password),
        cmocka_unit_test(D46_a_changed_host_key_is_refused_and_told),
        cmocka_unit_test(one_event_session_which_goes_first),
        cmocka_unit_test(an_event_session_ends_quietly_or_with_a_word),
        cmocka_unit_test(D46_evidence_has_everything_but_secrets),
        cmocka_unit_test(D42_operators_commands_stay_on_their_element),
        cmocka_unit_test(D35_eight_threads_share_two_sessions),
    };

    return LP_RUN_TESTS(tests);
}
