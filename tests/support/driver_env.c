#include "tests/support/driver_env.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/test_main.h"

static int64_t
time_left(void *ctx)
{
    const struct driver_env *env = ctx;
    int64_t left = (env->until_us - lp_clock_mono_us(&env->clock)) / 1000;

    return left > 0 ? left : 0;
}

static enum lp_code
check(void *ctx, struct lp_err *err)
{
    (void)ctx, (void)err;
    return LP_OK;
}

static bool
shows(const char *text)
{
    return text != NULL && strstr(text, DRIVER_ENV_PASSWORD) != NULL;
}

static void
evidence(void *ctx, const struct lp_exchange *exchange)
{
    struct driver_env *env = ctx;

    env->writes += exchange->writes;
    env->secrets += shows(exchange->sent) || shows(exchange->received);
    env->trimmed += strcmp(exchange->protocol, "restconf") == 0
                    && strncmp(exchange->sent, "GET ", 4) == 0
                    && strstr(exchange->sent, "with-defaults=report-all") == NULL;
}

static void
progress(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

void
driver_env_patience(struct driver_env *env, int64_t seconds)
{
    env->until_us = lp_clock_mono_us(&env->clock) + seconds * 1000000;
}

static void
write_credentials(const char *path, const struct sim *sim)
{
    static const char *const drivers[] = {"infinera-flexils", "infinera-g30", "infinera-g42"};
    FILE *file = fdopen(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), "w");
    char ca[96];

    assert_non_null(file);
    sim_ca_path(sim, ca, sizeof ca);
    for (size_t i = 0; i < LP_COUNT(drivers); i++) {
        (void)fprintf(file,
                      "[%s]\nuser = " DRIVER_ENV_USER "\npassword = " DRIVER_ENV_PASSWORD "\n",
                      drivers[i]);
        if (i > 0)
            (void)fprintf(file, "tls_ca = %s\n", ca);
    }
    assert_int_equal(fclose(file), 0);
}

void
driver_env_open(struct driver_env *env, struct sim *sim)
{
    char credentials[160], keys[160], path[96];
    const char *const overrides[] = {credentials,
                                     keys,
                                     "devices.poll_ms=10",
                                     "devices.sessions=4",
                                     "devices.settle_ms=10000",
                                     "devices.read_ms=10000",
                                     "devices.write_ms=10000",
                                     "devices.breaker_open_ms=60000",
                                     "devices.breaker_failures=1000"};

    *env = (struct driver_env){
        .sim = sim, .clock = LP_CLOCK_INIT, .err = LP_ERR_INIT, .folder = "/tmp/lp_driver_XXXXXX"};
    assert_non_null(mkdtemp(env->folder));
    (void)snprintf(path, sizeof path, "%s/credentials", env->folder);
    (void)snprintf(credentials, sizeof credentials, "devices.credentials=%s", path);
    (void)snprintf(keys, sizeof keys, "devices.host_keys=%s/host_keys", env->folder);
    write_credentials(path, sim);
    if (lp_conf_load(NULL, overrides, LP_COUNT(overrides), &env->conf, &env->err) != LP_OK
        || lp_driver_host_new(&(struct lp_driver_host_options){env->conf, &env->clock, NULL},
                              &env->host, &env->err)
               != LP_OK)
        fail_msg("%s", env->err.msg);
    env->arena = lp_arena_new();
    env->call = (struct lp_call){.ctx = env,
                                 .time_left_ms = time_left,
                                 .check = check,
                                 .evidence = evidence,
                                 .progress = progress,
                                 .arena = env->arena};
    driver_env_patience(env, 240);
}

void
driver_env_close(struct driver_env *env)
{
    static const char *const files[] = {"credentials", "host_keys"};
    char path[96];

    assert_int_equal(env->secrets, 0);
    lp_driver_host_free(env->host);
    lp_arena_free(env->arena);
    lp_conf_free(env->conf);
    lp_err_clear(&env->err);
    for (size_t i = 0; i < LP_COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", env->folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(env->folder);
    sim_do(env->sim, "{\"op\":\"reset\",\"sessions\":true}");
}

struct lp_ne *
driver_env_element(struct driver_env *env, const char *name, const char *node, const char *serial)
{
    const struct lp_driver *driver = lp_driver_of(name);
    char address[96];
    const char *const addresses[] = {address};
    const struct lp_element element = {.id = node,
                                       .name = node,
                                       .node = node,
                                       .driver = name,
                                       .addresses = addresses,
                                       .address_count = 1,
                                       .serial = serial};
    struct lp_ne *ne = NULL;

    assert_non_null(driver);
    sim_address(env->sim, node, strcmp(name, "infinera-flexils") == 0 ? "tcp" : "https", address,
                sizeof address);
    if (driver->open(env->host, &element, &ne, &env->err) != LP_OK)
        fail_msg("%s: %s", node, env->err.msg);
    return ne;
}

json_t *
driver_env_load(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;

    if (lp_json_load(text, strlen(text), &out, &err) != LP_OK)
        fail_msg("%s: %s", err.msg, text);
    return out;
}
