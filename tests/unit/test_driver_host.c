/* The driver host: credentials file, circuit breakers, addresses, gateways. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "clients/infinera/flexils/link.h"
#include "tests/support/test_main.h"

static char folder[] = "/tmp/lp_driver_host_XXXXXX";
static char path[64];

static void
write_file(const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
}

static int
make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/credentials", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

/* ---- credentials ---- */

static void
entries_are_found_by_name(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_credentials *file = NULL;
    struct lp_credential c;

    (void)state;
    write_file("# north\n[north]\nuser = svc orch\npassword = \" a \\\"b\\\\ \"\n\n"
               "[old]\nuser=u\npassword=p\nssh_user = tl1telnet\nssh_password = \n"
               "[nms]\ntoken = t0ken\n",
               0600);
    assert_int_equal(lp_credentials_open(path, &file, &err), LP_OK);
    assert_int_equal(lp_credentials_get(file, "north", &c, &err), LP_OK);
    assert_string_equal(c.user, "svc orch");
    assert_string_equal(c.password, " a \"b\\ ");
    assert_string_equal(c.ssh_user, "svc orch");
    assert_string_equal(c.ssh_password, " a \"b\\ ");
    assert_null(c.token);
    lp_credential_wipe(&c);
    assert_int_equal(lp_credentials_get(file, "old", &c, &err), LP_OK);
    assert_string_equal(c.ssh_user, "tl1telnet");
    assert_string_equal(c.ssh_password, "");
    lp_credential_wipe(&c);
    assert_int_equal(lp_credentials_get(file, "nms", &c, &err), LP_OK);
    assert_string_equal(c.token, "t0ken");
    lp_credential_wipe(&c);
    assert_int_equal(lp_credentials_get(file, "south", &c, &err), LP_AUTH);
    assert_non_null(strstr(err.msg, "[south]"));
    lp_credentials_free(file);
    lp_err_clear(&err);
}

/* D46: secrets live in one file that only its owner may read, and never in a message. */
static void
D46_a_file_that_others_can_read_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0620, 0644};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(modes); i++) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_credentials *file = NULL;

        write_file("[a]\nuser=u\npassword=p\n", modes[i]);
        assert_int_equal(lp_credentials_open(path, &file, &err), LP_INVALID);
        assert_non_null(strstr(err.msg, path));
        assert_non_null(strstr(err.msg, "chmod 600"));
        lp_err_clear(&err);
    }
}

static void
D46_wrong_lines_are_named_and_never_quoted(void **state)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"user = u\n", "line 1"},
        {"[a]\nuser = u\npassword = hunter2\nhunter2\n", "line 4"},
        {"[a]\nuser = u\npassword = \"hunter2\n", "line 3"},
        {"[a]\nuser = u\npassword = \"hunter2\" hunter2\n", "line 3"},
        {"[a]\nuser = u\npassword = hunter2\npassword = hunter2\n", "line 4"},
        {"[a]\nuser = u\npassword = hunter2\n\n[a]\n", "line 5"},
        {"[a\n", "line 1"},
        {"[]\n", "line 1"},
        {"[a]\nusr = hunter2\n", "line 2"},
        {"[a]\nuser = hunter2\n", "line 3"},
        {"[a]\npassword = hunter2\n", "line 3"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_credentials *file = NULL;

        write_file(cases[i].text, 0600);
        assert_int_equal(lp_credentials_open(path, &file, &err), LP_INVALID);
        assert_string_equal(err.pointer, cases[i].place);
        assert_non_null(strstr(err.msg, path));
        assert_null(strstr(err.msg, "hunter2"));
        lp_err_clear(&err);
    }
}

static void
a_changed_file_is_read_again_and_a_wrong_one_is_not(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_credentials *file = NULL;
    struct lp_credential c;
    uint64_t generation;

    (void)state;
    write_file("[a]\nuser=u\npassword=one\n", 0600);
    assert_int_equal(lp_credentials_open(path, &file, &err), LP_OK);
    assert_int_equal(lp_credentials_get(file, "a", &c, &err), LP_OK);
    generation = c.generation;
    lp_credential_wipe(&c);
    write_file("[a]\nuser=u\npassword=three\n", 0600);
    assert_int_equal(lp_credentials_refresh(file, &err), LP_OK);
    assert_int_equal(lp_credentials_get(file, "a", &c, &err), LP_OK);
    assert_string_equal(c.password, "three");
    assert_true(c.generation != generation);
    lp_credential_wipe(&c);
    write_file("[a]\nuser=u\nnonsense\n", 0600);
    assert_int_equal(lp_credentials_refresh(file, &err), LP_INVALID);
    assert_int_equal(lp_credentials_get(file, "a", &c, &err), LP_OK);
    assert_string_equal(c.password, "three");
    lp_credential_wipe(&c);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lp_credentials_refresh(file, &err), LP_INVALID);
    lp_credentials_free(file);
    lp_err_clear(&err);
}

static void
without_a_file_every_look_up_says_so(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_credentials *file = NULL;
    struct lp_credential c;

    (void)state;
    assert_int_equal(lp_credentials_open("", &file, &err), LP_OK);
    assert_int_equal(lp_credentials_get(file, "a", &c, &err), LP_AUTH);
    assert_non_null(strstr(err.msg, "devices.credentials"));
    assert_int_equal(lp_credentials_refresh(file, &err), LP_OK);
    lp_credentials_free(file);
    assert_int_equal(lp_credentials_open("/nonexistent/x", &file, &err), LP_INVALID);
    lp_err_clear(&err);
}

/* ---- circuit breakers ---- */

static void
breakers_open_half_open_and_close(void **state)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    const struct lp_breaker_options options = {
        .clock = &clock, .failures = 3, .window_ms = 300000, .open_ms = 120000};
    struct lp_err err = LP_ERR_INIT;
    struct lp_breakers *b = NULL;

    (void)state;
    assert_int_equal(lp_breakers_new(&options, &b, &err), LP_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(lp_breaker_ask(b, "x", &err), LP_OK);
        lp_breaker_tell(b, "x", LP_PROTOCOL, "garbage");
    }
    assert_int_equal(lp_breaker_ask(b, "x", &err), LP_RETRYABLE);
    assert_non_null(strstr(err.msg, "garbage"));
    assert_in_range(lp_json_int(err.detail, "retry_after_ms", 0), 110000, 120001);
    assert_int_equal(lp_breaker_ask(b, "y", &err), LP_OK);
    assert_int_equal(lp_breakers_open(b), 1);
    lp_clock_turn(&clock, 121 * INT64_C(1000000));
    assert_int_equal(lp_breaker_ask(b, "x", &err), LP_OK); /* half-open: one */
    assert_int_equal(lp_breaker_ask(b, "x", &err), LP_RETRYABLE);
    lp_breaker_tell(b, "x", LP_PROTOCOL, "still garbage");
    assert_int_equal(lp_breaker_ask(b, "x", &err), LP_RETRYABLE);
    lp_clock_turn(&clock, 121 * INT64_C(1000000));
    assert_int_equal(lp_breaker_ask(b, "x", &err), LP_OK);
    lp_breaker_tell(b, "x", LP_OK, NULL);
    assert_int_equal(lp_breaker_ask(b, "x", &err), LP_OK);
    assert_int_equal(lp_breakers_open(b), 0);
    lp_breakers_free(b);
    lp_err_clear(&err);
}

static void
old_failures_and_other_outcomes_do_not_count(void **state)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    const struct lp_breaker_options options = {
        .clock = &clock, .failures = 3, .window_ms = 300000, .open_ms = 120000};
    struct lp_err err = LP_ERR_INIT;
    struct lp_breakers *b = NULL;

    (void)state;
    assert_int_equal(lp_breakers_new(&options, &b, &err), LP_OK);
    for (unsigned i = 0; i < 6; i++) {
        lp_breaker_tell(b, "x", LP_PROTOCOL, "g");
        lp_clock_turn(&clock, 200 * INT64_C(1000000));
        lp_breaker_tell(b, "y", LP_RETRYABLE, NULL);
        lp_breaker_tell(b, "z", LP_PROTOCOL, "g");
        lp_breaker_tell(b, "z", LP_OK, NULL);
    }
    assert_int_equal(lp_breakers_open(b), 0);
    lp_breaker_tell(b, "x", LP_AUTH, "wrong password"); /* one is enough: accounts get locked */
    assert_int_equal(lp_breaker_ask(b, "x", &err), LP_AUTH);
    lp_breakers_forgive_logins(b);
    assert_int_equal(lp_breaker_ask(b, "x", &err), LP_OK);
    lp_breakers_free(b);
    lp_err_clear(&err);
}

/* ---- addresses and gateways ---- */

static struct lp_conf *
conf_with(const char *const *overrides, size_t count)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;

    if (lp_conf_load(NULL, overrides, count, &conf, &err) != LP_OK)
        fail_msg("%s", err.msg);
    return conf;
}

static void
addresses_in_every_form(void **state)
{
    static const struct {
        const char *text, *host;
        enum lp_tl1_transport transport;
        unsigned port;
    } good[] = {
        {"192.0.2.1", "192.0.2.1", LP_TL1_SSH, 22},
        {"ne1.example.net:2222", "ne1.example.net", LP_TL1_SSH, 2222},
        {"tcp://192.0.2.1", "192.0.2.1", LP_TL1_TCP, 9090},
        {"tcp://[2001:db8::1]:9000", "2001:db8::1", LP_TL1_TCP, 9000},
        {"2001:db8::1", "2001:db8::1", LP_TL1_SSH, 22},
        {"ssh://[::1]", "::1", LP_TL1_SSH, 22},
    };
    static const char *const bad[] = {"",       "host:",  "host:0",    "host:99999",
                                      "host:x", "ssh://", "host/path", "http://h"};
    struct lp_conf *conf = conf_with(NULL, 0);
    struct lp_arena *arena = lp_arena_new();
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_address out;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(good); i++) {
        assert_int_equal(fx_address(arena, conf, good[i].text, &out, &err), LP_OK);
        assert_string_equal(out.host, good[i].host);
        assert_int_equal(out.transport, good[i].transport);
        assert_int_equal(out.port, good[i].port);
    }
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        assert_int_equal(fx_address(arena, conf, bad[i], &out, &err), LP_INVALID);
    lp_err_clear(&err);
    lp_arena_free(arena);
    lp_conf_free(conf);
}

static int64_t
plenty(void *ctx)
{
    (void)ctx;
    return 30000;
}

static enum lp_code
go_on(void *ctx, struct lp_err *err)
{
    (void)ctx, (void)err;
    return LP_OK;
}

static void
ignore_exchange(void *ctx, const struct lp_exchange *exchange)
{
    (void)ctx, (void)exchange;
}

static void
ignore_progress(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

/* D35: a gateway is remembered for a time only, all are tried, and the error lists them. */
static void
D35_gateways_are_forgotten_and_all_are_tried(void **state)
{
    char credentials[128];
    const char *const overrides[] = {"devices.gateway_ttl_s=60", credentials};
    static const char *const gateways[] = {"tcp://127.0.0.1:1", "tcp://127.0.0.1:2"};
    const struct lp_element element = {
        .id = "e", .name = "lp.sub1", .node = "lp.sub1", .gateways = gateways, .gateway_count = 2};
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_conf *conf;
    struct lp_err err = LP_ERR_INIT;
    struct lp_driver_host *host = NULL;
    struct lp_ne *ne = NULL;
    json_t *out = NULL;
    struct lp_call call = {.time_left_ms = plenty,
                           .check = go_on,
                           .evidence = ignore_exchange,
                           .progress = ignore_progress};
    char known[128];

    (void)state;
    (void)snprintf(credentials, sizeof credentials, "devices.credentials=%s", path);
    conf = conf_with(overrides, LP_COUNT(overrides));
    call.arena = lp_arena_new();
    write_file("[infinera-flexils]\nuser=u\npassword=p\n", 0600);
    assert_int_equal(
        lp_driver_host_new(&(struct lp_driver_host_options){conf, &clock, NULL}, &host, &err),
        LP_OK);
    lp_driver_host_set_gateway(host, "lp.sub1", "127.0.0.1:2");
    lp_driver_host_get_gateway(host, "lp.sub1", known, sizeof known);
    assert_string_equal(known, "127.0.0.1:2");
    lp_driver_host_get_gateway(host, "lp.sub12", known, sizeof known); /* the whole name */
    assert_string_equal(known, "");
    lp_clock_turn(&clock, 61 * INT64_C(1000000));
    lp_driver_host_get_gateway(host, "lp.sub1", known, sizeof known);
    assert_string_equal(known, "");
    lp_driver_host_set_gateway(host, "lp.sub1", "127.0.0.1:2");
    assert_int_equal(lp_driver_of("infinera-flexils")->open(host, &element, &ne, &err), LP_OK);
    assert_int_equal(ne->driver->probe(ne, &call, &out, &err), LP_RETRYABLE);
    assert_non_null(strstr(err.msg, "no gateway sees lp.sub1"));
    assert_string_equal(lp_json_str(err.detail, "code", ""), "OPT-071");
    assert_non_null(strstr(err.msg, "127.0.0.1:1"));
    assert_non_null(strstr(err.msg, "127.0.0.1:2"));
    lp_driver_host_get_gateway(host, "lp.sub1", known, sizeof known);
    assert_string_equal(known, "");
    ne->driver->close(ne);
    lp_driver_host_free(host);
    lp_arena_free(call.arena);
    lp_conf_free(conf);
    lp_err_clear(&err);
}

static void
events_wait_in_a_bounded_queue(void **state)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_conf *conf = conf_with(NULL, 0);
    struct lp_err err = LP_ERR_INIT;
    struct lp_driver_host *host = NULL;
    json_t *event;

    (void)state;
    assert_int_equal(
        lp_driver_host_new(&(struct lp_driver_host_options){conf, &clock, NULL}, &host, &err),
        LP_OK);
    assert_null(lp_driver_host_take_event(host, "x", 1));
    for (int i = 0; i < 1005; i++)
        lp_driver_host_put_event(host, "x", json_pack("{s:i}", "n", i));
    event = lp_driver_host_take_event(host, "x", 1);
    assert_string_equal(lp_json_str(event, "kind", ""), "lost");
    assert_int_equal(lp_json_int(event, "count", 0), 5);
    json_decref(event);
    event = lp_driver_host_take_event(host, "x", 1);
    assert_int_equal(lp_json_int(event, "n", -1), 5);
    json_decref(event);
    lp_driver_host_free(host);
    lp_conf_free(conf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_found_by_name),
        cmocka_unit_test(D46_a_file_that_others_can_read_is_refused),
        cmocka_unit_test(D46_wrong_lines_are_named_and_never_quoted),
        cmocka_unit_test(a_changed_file_is_read_again_and_a_wrong_one_is_not),
        cmocka_unit_test(without_a_file_every_look_up_says_so),
        cmocka_unit_test(breakers_open_half_open_and_close),
        cmocka_unit_test(old_failures_and_other_outcomes_do_not_count),
        cmocka_unit_test(addresses_in_every_form),
        cmocka_unit_test(D35_gateways_are_forgotten_and_all_are_tried),
        cmocka_unit_test(events_wait_in_a_bounded_queue),
    };

    return LP_RUN_TESTS_WITH(tests, make_folder, remove_folder);
}
