/* Targets and rules of notifications, the files they come from, and mail addresses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "base/docfile.h"
#include "base/json.h"
#include "scheduler/rules.h"
#include "tests/support/test_main.h"

static void
yaml_becomes_json(void **state)
{
    static const struct {
        const char *text, *json;
    } good[] = {
        {"", "null"},
        {"a: 1\nb: [x, '2', true, ~, -7]\nc: {d: \"true\"}\n",
         "{\"a\":1,\"b\":[\"x\",\"2\",true,null,-7],\"c\":{\"d\":\"true\"}}"},
        {"- 12a\n- 99999999999999999999\n- 1.5\n", "[\"12a\",\"99999999999999999999\",\"1.5\"]"},
    };
    static const char *const bad[] = {"a: 1\na: 2\n",
                                      "a: &x 1\nb: *x\n",
                                      "a: [",
                                      "--- 1\n--- 2\n",
                                      "{[a]: 1}",
                                      "\xff",
                                      "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(good); i++) {
        struct lp_err err = LP_ERR_INIT;
        json_t *doc = NULL;
        char *text;

        assert_int_equal(lp_yaml_text("x", good[i].text, strlen(good[i].text), &doc, &err), LP_OK);
        text = json_dumps(doc, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, good[i].json);
        free(text);
        json_decref(doc);
    }
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        struct lp_err err = LP_ERR_INIT;
        json_t *doc = NULL;

        assert_int_equal(lp_yaml_text("x.yaml", bad[i], strlen(bad[i]), &doc, &err), LP_INVALID);
        assert_null(doc);
        assert_non_null(strstr(err.msg, "x.yaml"));
        lp_err_clear(&err);
    }
}

static void
secrets_are_ours_alone(void **state)
{
    char path[] = "/tmp/lp-secret-XXXXXX";
    int fd = mkstemp(path);
    struct lp_err err = LP_ERR_INIT;
    char *secret = NULL;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hush hush\nsecond\n", 17), 17);
    assert_int_equal(lp_secret_read(path, &secret, &err), LP_OK);
    assert_string_equal(secret, "hush hush");
    lp_secret_free(secret);
    for (mode_t bit = 1; bit <= 040; bit <<= 1) {
        assert_int_equal(fchmod(fd, 0600 | bit), 0);
        assert_int_equal(lp_secret_read(path, &secret, &err), LP_DENIED);
        assert_null(strstr(err.msg, "hush"));
    }
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lp_secret_read(path, &secret, &err), LP_INVALID);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lp_secret_read(path, &secret, &err), LP_INVALID);
    assert_int_equal(lp_secret_read("/dev", &secret, &err), LP_INVALID);
    lp_err_clear(&err);
    close(fd);
}

static void
addresses(void **state)
{
    static const char *const good[] = {"noc@example.net", "a.b+c@x-y.example", "x@localhost"};
    static const char *const bad[] = {
        "",        "a",       "@b",   "a@",   "a b@c", "a@b c", "a@b\r\nBcc:x", "<a@b>",
        "a@b,c@d", "\"a\"@b", "-a@b", "a@-b", "a@.b",  "a@b@c", "\xc3\xbc@b",   "a@b>"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(good); i++)
        assert_true(lp_mail_address_ok(good[i]));
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        assert_false(lp_mail_address_ok(bad[i]));
}

#define TARGETS                                                                                    \
    "targets:\n- {name: a, url: 'https://a.example/x', secret_file: /s}\n"                         \
    "- {name: b, mail: b@example.net}\n- {name: c, url: 'http://[::1]:80/', secret_file: /s}\n"    \
    "smtp: {server: 'h:25', from: l@example.net, tls: none}\n"

static struct lp_rules *
rules_of(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_rules *rules = NULL;
    json_t *doc = NULL;

    assert_int_equal(lp_yaml_text("r", text, strlen(text), &doc, &err), LP_OK);
    if (lp_rules_from("r", doc, &rules, &err) != LP_OK)
        fail_msg("%s", err.msg);
    json_decref(doc);
    return rules;
}

static void
goes_to(const struct lp_rules *rules, const struct lp_facts *facts, const char *wanted)
{
    json_t *names = lp_rules_targets(rules, facts);
    char *text = json_dumps(names, JSON_COMPACT);

    assert_string_equal(text, wanted);
    free(text);
    json_decref(names);
}

static void
rules_match(void **state)
{
    struct lp_rules *rules = rules_of(
        TARGETS
        "rules:\n- {to: [a, b], severity: error}\n- {to: b, workflow: [create_*, 'modify_p?p']}\n"
        "- {to: c, kind: process_failed, product: PoP, customer: 'c-1'}\n"
        "- {to: a, product: '*', kind: [test]}\n");

    (void)state;
    goes_to(rules, &(struct lp_facts){.kind = "process_failed", .severity = "error"},
            "[\"a\",\"b\"]");
    goes_to(rules, &(struct lp_facts){.kind = "executor_lost", .severity = "critical"},
            "[\"a\",\"b\"]");
    goes_to(rules, &(struct lp_facts){.kind = "process_suspended", .severity = "info"}, "[]");
    goes_to(rules,
            &(struct lp_facts){
                .kind = "process_suspended", .severity = "info", .workflow = "modify_pop"},
            "[\"b\"]");
    goes_to(
        rules,
        &(struct lp_facts){
            .kind = "process_failed", .severity = "warning", .product = "PoP", .customer = "c-1"},
        "[\"c\"]");
    goes_to(rules,
            &(struct lp_facts){.kind = "process_failed", .severity = "warning", .product = "PoP"},
            "[]");
    goes_to(rules, &(struct lp_facts){.kind = "test", .severity = "info"}, "[\"a\"]");
    assert_int_equal(json_array_size(lp_rules_all(rules)), 3);
    lp_rules_free(rules);
}

static void
wrong_rules_are_told(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"targets: {a: 1}", "targets must be a list"},
        {"targets: [1]", "number 1"},
        {"targets: [{name: a, url: 'https://h/', secret_file: /s, mail: a@b}]", "either"},
        {"targets: [{name: a, url: 'ftp://h/', secret_file: /s}]", "https://"},
        {"targets: [{name: a, url: 'https:///x', secret_file: /s}]", "no host"},
        {"targets: [{name: a, url: 'https://h/ x', secret_file: /s}]", "blanks"},
        {"targets: [{name: a, url: 'http://localhost.evil.example/', secret_file: /s}]", "machine"},
        {"targets: [{name: a, url: 'https://h/', url_file: /u, secret_file: /s}]", "not both"},
        {TARGETS "rules: [{to: d}]", "no target 'd'"},
        {TARGETS "rules: [{kind: test}]", "names no target"},
        {TARGETS "rules: [{to: a, kind: fire}]", "'fire'"},
        {TARGETS "rules: [{to: a, severity: bad}]", "severity"},
        {TARGETS "rules: [{to: a, product: 3}]", "product"},
        {TARGETS "rules: [{to: a, colour: red}]", "'colour'"},
        {"smtp: {server: 'a b', from: a@b}", "server"},
        {"smtp: {server: h, from: a@b, tls: maybe}", "tls"},
        {"smtp: {server: h, from: a@b, user: u}", "belong together"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_rules *rules = NULL;
        json_t *doc = NULL;

        assert_int_equal(lp_yaml_text("r", bad[i].text, strlen(bad[i].text), &doc, &err), LP_OK);
        assert_int_equal(lp_rules_from("r", doc, &rules, &err), LP_INVALID);
        if (strstr(err.msg, bad[i].words) == NULL)
            fail_msg("%s: %s", bad[i].text, err.msg);
        json_decref(doc);
        lp_err_clear(&err);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_becomes_json),
        cmocka_unit_test(secrets_are_ours_alone),
        cmocka_unit_test(addresses),
        cmocka_unit_test(rules_match),
        cmocka_unit_test(wrong_rules_are_told),
    };

    return LP_RUN_TESTS(tests);
}
