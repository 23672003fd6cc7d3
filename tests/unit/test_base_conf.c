#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/json.h"
#include "tests/support/test_main.h"

static char dir[] = "/tmp/lp_conf_XXXXXX", file[sizeof dir + 16];

static int
make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(file, sizeof file, "%s/conf.yaml", dir);
    return 0;
}

static int
remove_dir(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(dir);
}

static void
write_file(const void *data, size_t len)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static struct lp_conf *
load_ok(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;

    write_file(text, strlen(text));
    if (lp_conf_load(file, NULL, 0, &conf, &err) != LP_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(conf->path, file);
    return conf;
}

/* Exactly these problems, each containing the given text, in this order. */
static void
problems(const char *text, const char *const *expected, size_t count)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;
    json_t *list;

    write_file(text, strlen(text));
    assert_int_equal(lp_conf_load(file, NULL, 0, &conf, &err), LP_INVALID);
    assert_null(conf);
    list = json_object_get(err.detail, "problems");
    for (size_t i = 0; i < count; i++) {
        const char *found = json_string_value(json_array_get(list, i));

        if (found == NULL || strstr(found, expected[i]) == NULL)
            fail_msg("problem %zu is '%s', not '%s'", i, found == NULL ? "" : found, expected[i]);
    }
    assert_int_equal(json_array_size(list), count);
    assert_non_null(strstr(err.msg, expected[0]));
    lp_err_clear(&err);
}

#define PROBLEMS(text, ...)                                                                        \
    problems(text, (const char *const[]){__VA_ARGS__},                                             \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void
the_table_is_sound(void **state)
{
    size_t count;
    const struct lp_conf_key *keys = lp_conf_keys(&count);

    (void)state;
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        bool left = false; /* a section is one run of rows */

        assert_true(strlen(keys[i].text) > 10);
        assert_true(keys[i].min <= keys[i].max);
        for (size_t k = i + 1; k < count; k++) {
            bool same = strcmp(keys[i].section, keys[k].section) == 0;

            assert_false(same && strcmp(keys[i].key, keys[k].key) == 0);
            assert_false(same && left);
            left = left || !same;
        }
    }
}

static void
defaults_come_from_the_table(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;

    (void)state;
    assert_int_equal(lp_conf_load(NULL, NULL, 0, &conf, &err), LP_OK);
    assert_null(conf->path);
    assert_int_equal(conf->executor_threads, 64);
    assert_string_equal(conf->api_listen, "127.0.0.1:8420");
    assert_string_equal(conf->store_url, "");
    assert_false(conf->api_auth);
    assert_true(conf->engine_insync_check);
    lp_conf_free(conf);
    lp_conf_free(NULL);
}

static void
a_file_sets_what_it_names(void **state)
{
    struct lp_conf *conf = load_ok("# ours\n"
                                   "store:\n  url: 'postgresql://db/lightpath'\n  pool: 8\n"
                                   "api: {auth: yes, listen: \"[::1]:0\"}\n"
                                   "log:\n"
                                   "executor:\n  threads: ~\n");

    (void)state;
    assert_string_equal(conf->store_url, "postgresql://db/lightpath");
    assert_int_equal(conf->store_pool, 8);
    assert_true(conf->api_auth);
    assert_string_equal(conf->api_listen, "[::1]:0");
    assert_int_equal(conf->executor_threads, 64);
    lp_conf_free(conf);
}

static void
empty_files_are_fine(void **state)
{
    static const char *const texts[] = {"",    "\n# nothing\n", "---\n...\n",
                                        "~\n", "{}\n",          "api: {}\n"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(texts); i++)
        lp_conf_free(load_ok(texts[i]));
}

static void
every_problem_is_told_with_its_line(void **state)
{
    (void)state;
    PROBLEMS("store:\n"                /* 1 */
             "  pool: 5000\n"          /* 2 range */
             "  colour: red\n"         /* 3 unknown */
             "  url: [a, b]\n"         /* 4 a list */
             "cluster:\n  a: {b: 1}\n" /* 5 unknown section */
             "api:\n"                  /* 7 */
             "  threads: 4\n"          /* 8 */
             "  threads: 5\n"          /* 9 doubled */
             "  auth: perhaps\n"       /* 10 type */
             "executor:\n  threads: 7\n"
             "executor:\n  threads: 8\n" /* 13 doubled section */
             "log: loud\n"               /* 15 not a section */
             "pop:\n  code_pattern: '['\n",
             "line 3: unknown key 'colour' in section 'store'",
             "line 4: store.url must be one value, not a list", "line 5: unknown section 'cluster'",
             "line 9: api.threads was given before, on line 8",
             "line 13: section 'executor' was given before",
             "line 14: executor.threads was given before, on line 12",
             "line 15: 'log' is a section and needs keys below it",
             "line 2: store.pool must be a whole number from 1 to 64 (connections), not '5000'",
             "line 10: api.auth must be true or false, not 'perhaps'", "pop.code_pattern must be");
}

static void
numbers_are_decimal_and_complete(void **state)
{
    static const char *const wrong[] = {
        "0x10", "1e3", "4.0", "+4", "4 5", "''", "99999999999999999999", "-1", "4k"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(wrong); i++) {
        char text[100];

        (void)snprintf(text, sizeof text, "store:\n  pool: %s\n", wrong[i]);
        PROBLEMS(text, "store.pool must be a whole number");
    }
}

static void
rules_beyond_ranges_hold(void **state)
{
    static const char *const listens[] = {"8420",       ":8420",    "host:",  "host:x",
                                          "host:70000", "::1:8420", "host:-1"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(listens); i++) {
        char text[100];

        (void)snprintf(text, sizeof text, "api: {listen: '%s'}\n", listens[i]);
        PROBLEMS(text, "api.listen must be ADDRESS:PORT");
    }
    PROBLEMS("log: {level: loud}\n", "log.level must be");
    PROBLEMS("store: {url: 'mysql://x'}\n", "store.url must begin with");
    PROBLEMS("store: {url: 'sqlite:'}\n", "store.url must begin with");
    PROBLEMS("executor: {lease_ms: 1000}\n", "executor.heartbeat_ms must be at most half");
    PROBLEMS("api: {hosts: \"a\\tb\"}\n", "api.hosts must be text");
}

static void
what_is_not_our_yaml_is_one_clear_error(void **state)
{
    (void)state;
    PROBLEMS("store: [\n", "line 2, column 1");
    PROBLEMS("store:\n\tpool: 3\n", "line 2, column 1");
    PROBLEMS("- a\n- b\n", "sections with keys are expected");
    PROBLEMS("just text\n", "sections with keys are expected");
    PROBLEMS("a: &x {b: 1}\nstore: *x\n", "aliases are not read here");
    PROBLEMS("store: {}\n---\napi: {}\n", "a second document");
    PROBLEMS("? [a]\n: b\n", "a plain name is expected");
    PROBLEMS("cluster: [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]\n", "nested too deep");
    PROBLEMS("store: {url: \"a\\0b\"}\n", "text with a NUL in it");
}

static void
unreadable_binary_and_huge_files_are_refused(void **state)
{
    static const char binary[] = "store:\0\xFF\x80";
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;
    char *huge = malloc(300000);

    (void)state;
    write_file(binary, sizeof binary);
    assert_int_equal(lp_conf_load(file, NULL, 0, &conf, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "not a text file"));
    memset(huge, '#', 300000);
    write_file(huge, 300000);
    assert_int_equal(lp_conf_load(file, NULL, 0, &conf, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "larger than 262144 bytes"));
    assert_int_equal(lp_conf_load(dir, NULL, 0, &conf, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "not a regular file"));
    assert_int_equal(lp_conf_load("/nowhere/lightpath.conf", NULL, 0, &conf, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "No such file"));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_int_equal(lp_conf_load(file, NULL, 0, &conf, &err), LP_INVALID); /* does not hang */
    assert_int_equal(unlink(file), 0);
    assert_null(conf);
    lp_err_clear(&err);
    free(huge);
}

static void
environment_overrides_file_and_options_override_both(void **state)
{
    static const char *const options[] = {"store.pool=3", "api.auth=true"};
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;
    static const char text[] = "store: {pool: 1, batch: 2}\nexecutor: {threads: 3}\n";

    (void)state;
    write_file(text, sizeof text - 1);
    assert_int_equal(setenv("LIGHTPATH_STORE_POOL", "2", 1), 0);
    assert_int_equal(setenv("LIGHTPATH_EXECUTOR_THREADS", "9", 1), 0);
    assert_int_equal(lp_conf_load(file, options, 2, &conf, &err), LP_OK);
    assert_int_equal(conf->store_pool, 3);
    assert_int_equal(conf->store_batch, 2);
    assert_int_equal(conf->executor_threads, 9);
    assert_true(conf->api_auth);
    lp_conf_free(conf);
    assert_int_equal(setenv("LIGHTPATH_STORE_POOL", "many", 1), 0);
    assert_int_equal(lp_conf_load(file, NULL, 0, &conf, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "environment variable LIGHTPATH_STORE_POOL: store.pool"));
    assert_int_equal(unsetenv("LIGHTPATH_STORE_POOL"), 0);
    assert_int_equal(unsetenv("LIGHTPATH_EXECUTOR_THREADS"), 0);
    assert_int_equal(setenv("LIGHTPATH_EXECUTOR_THREAD", "9", 1), 0); /* misspelt */
    assert_int_equal(lp_conf_load(NULL, NULL, 0, &conf, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "LIGHTPATH_EXECUTOR_THREAD:"));
    lp_err_clear(&err);
    assert_int_equal(unsetenv("LIGHTPATH_EXECUTOR_THREAD"), 0);
    assert_int_equal(setenv("LIGHTPATH_URL", "http://x", 1), 0); /* of the other program */
    assert_int_equal(lp_conf_load(NULL, NULL, 0, &conf, &err), LP_OK);
    lp_conf_free(conf);
    assert_int_equal(unsetenv("LIGHTPATH_URL"), 0);
    lp_err_clear(&err);
}

static void
wrong_options_are_told(void **state)
{
    static const char *const options[] = {"pool=3",       "store.pool",   "store.colour=red",
                                          "nothing.at=1", "store.pool=0", "a=b.c"};
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;

    (void)state;
    assert_int_equal(lp_conf_load(NULL, options, LP_COUNT(options), &conf, &err), LP_INVALID);
    assert_int_equal(json_array_size(json_object_get(err.detail, "problems")), LP_COUNT(options));
    assert_non_null(strstr(err.msg, "(and 5 more)"));
    lp_err_clear(&err);
}

static void
the_sample_holds_the_defaults(void **state)
{
    char *sample = lp_conf_sample();
    struct lp_conf *conf = load_ok(sample), *defaults = NULL;
    struct lp_err err = LP_ERR_INIT;
    size_t count;
    const struct lp_conf_key *keys = lp_conf_keys(&count);

    (void)state;
    assert_int_equal(lp_conf_load(NULL, NULL, 0, &defaults, &err), LP_OK);
    for (size_t i = 0; i < count; i++) {
        const char *a = (const char *)conf + keys[i].offset;
        const char *b = (const char *)defaults + keys[i].offset;

        assert_non_null(strstr(sample, keys[i].text));
        if (keys[i].type == LP_CONF_TYPE_STR)
            assert_string_equal(*(const char *const *)(const void *)a,
                                *(const char *const *)(const void *)b);
        else
            assert_memory_equal(a, b,
                                keys[i].type == LP_CONF_TYPE_INT ? sizeof(int64_t) : sizeof(bool));
    }
    lp_conf_free(conf);
    lp_conf_free(defaults);
    free(sample);
}

static void
property_mutated_files_never_crash(void **state)
{
    static const char seedling[] = "store:\n  url: 'sqlite:/x'\n  pool: 8\napi: {auth: yes, "
                                   "threads: 3}\nlog:\n  level: info\n";
    uint64_t seed = lp_test_seed("property_mutated_files_never_crash");
    unsigned accepted = 0;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        char text[sizeof seedling];
        struct lp_err err = LP_ERR_INIT;
        struct lp_conf *conf = NULL;
        enum lp_code rc;

        memcpy(text, seedling, sizeof text);
        for (unsigned k = 0; k < 1 + i % 4; k++)
            text[lp_test_random(&seed) % (sizeof text - 1)] =
                (char)(i % 2 == 0
                           ? lp_test_random(&seed)
                           : (unsigned char)"[]{}:-'\"\n #&*!|>%@,?~"[lp_test_random(&seed) % 22]);
        write_file(text, sizeof text - 1);
        rc = lp_conf_load(file, NULL, 0, &conf, &err);
        assert_true((rc == LP_OK) == (conf != NULL));
        assert_true(rc == LP_OK || json_array_size(json_object_get(err.detail, "problems")) > 0);
        accepted += rc == LP_OK;
        lp_conf_free(conf);
        lp_err_clear(&err);
    }
    assert_in_range(accepted, 1, 2999);
}

static long allocations_left;

static void *
failing_malloc(size_t size)
{
    return allocations_left-- <= 0 ? NULL : malloc(size);
}

static void
allocation_failures_are_reported(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;
    static const char text[] = "store: {pool: 0, batch: 0}\n";
    bool told = false;

    (void)state;
    write_file(text, sizeof text - 1);
    for (long n = 0; n < 200 && !told; n++) {
        enum lp_code rc;

        allocations_left = n;
        json_set_alloc_funcs(failing_malloc, free);
        rc = lp_conf_load(file, NULL, 0, &conf, &err);
        assert_true(rc == LP_NOMEM || rc == LP_INVALID);
        assert_null(conf);
        told = rc == LP_INVALID && err.detail != NULL;
        lp_err_clear(&err);
    }
    json_set_alloc_funcs(malloc, free);
    assert_true(told);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(a_file_sets_what_it_names),
        cmocka_unit_test(empty_files_are_fine),
        cmocka_unit_test(every_problem_is_told_with_its_line),
        cmocka_unit_test(numbers_are_decimal_and_complete),
        cmocka_unit_test(rules_beyond_ranges_hold),
        cmocka_unit_test(what_is_not_our_yaml_is_one_clear_error),
        cmocka_unit_test(unreadable_binary_and_huge_files_are_refused),
        cmocka_unit_test(environment_overrides_file_and_options_override_both),
        cmocka_unit_test(wrong_options_are_told),
        cmocka_unit_test(the_sample_holds_the_defaults),
        cmocka_unit_test(property_mutated_files_never_crash),
        cmocka_unit_test(allocation_failures_are_reported),
    };
    return LP_RUN_TESTS_WITH(tests, make_dir, remove_dir);
}
