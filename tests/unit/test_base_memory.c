/* Every allocation that base makes itself fails once. The linker sends malloc and its kin here
 * first (--wrap). */
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/log.h"
#include "tests/support/test_main.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

static long countdown = -1; /* allocations until the one that fails; negative: none does */
static bool fired;

static bool
fails(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    fired = true;
    return true;
}

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

char *
__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* Runs the case until it ran clean; returns how many failures it survived. */
static long
survive(bool (*run)(void))
{
    long n = 0;

    for (;; n++) {
        bool ok;

        countdown = n;
        fired = false;
        ok = run();
        countdown = -1;
        assert_true(ok != fired); /* it says so, exactly when something failed */
        if (!fired)
            return n;
    }
}

static bool
use_arena(void)
{
    struct lp_arena *arena = lp_arena_new();
    bool ok = arena != NULL;

    for (unsigned i = 0; ok && i < 40; i++)
        ok = lp_arena_printf(arena, "%1000u", i) != NULL && lp_arena_array(arena, 300, i) != NULL;
    lp_arena_free(arena);
    return ok;
}

static bool
use_buffer(void)
{
    struct lp_buf buf = LP_BUF_INIT;
    char *text;

    for (unsigned i = 0; i < 1000; i++)
        lp_buf_printf(&buf, "%u,", i);
    text = lp_buf_take(&buf);
    if (text == NULL)
        return false;
    assert_int_equal(strlen(text), 3890);
    free(text);
    return true;
}

static bool
use_canonical(void)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *value = json_object();
    char key[16], *text = NULL;
    size_t len = 0;
    enum lp_code rc;

    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof key, "key%u", i);
        assert_int_equal(lp_json_set_int(value, key, i), 0);
    }
    rc = lp_json_canonical(value, &text, &len, &err);
    assert_true(rc == LP_OK || rc == LP_NOMEM);
    assert_true((rc == LP_OK) == (text != NULL));
    free(text);
    lp_err_clear(&err);
    return rc == LP_OK;
}

static bool
use_configuration(void)
{
    static const char *const overrides[] = {"store.url=sqlite:/x", "api.hosts=a,b"};
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;
    enum lp_code rc = lp_conf_load(NULL, overrides, 2, &conf, &err);

    assert_true(rc == LP_OK || rc == LP_NOMEM);
    assert_true((rc == LP_OK) == (conf != NULL));
    lp_conf_free(conf);
    lp_err_clear(&err);
    return rc == LP_OK;
}

static bool
use_sample(void)
{
    char *sample = lp_conf_sample();

    free(sample);
    return sample != NULL;
}

static void
allocations_may_fail_anywhere(void **state)
{
    (void)state;
    assert_true(survive(use_arena) > 4);
    assert_true(survive(use_buffer) > 4);
    assert_true(survive(use_canonical) > 4);
    assert_true(survive(use_configuration) > 10);
    assert_true(survive(use_sample) > 4);
}

/* A line without memory is replaced by a line that says so. */
static void
the_log_tells_that_memory_ran_out(void **state)
{
    int fds[2];
    char text[256];
    struct lp_log *log;
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    log = lp_log_new(fds[1], LP_LOG_INFO, NULL);
    countdown = 0;
    lp_logf(log, LP_LOG_INFO, "step.done", "s:s", "process", "p1");
    countdown = -1;
    n = read(fds[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "log.no_memory"));
    countdown = 0;
    assert_null(lp_log_new(2, LP_LOG_INFO, NULL));
    countdown = -1;
    lp_log_free(log);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_may_fail_anywhere),
        cmocka_unit_test(the_log_tells_that_memory_ran_out),
    };
    return LP_RUN_TESTS(tests);
}
