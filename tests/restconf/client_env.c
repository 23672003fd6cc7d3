#include "tests/restconf/client_env.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char module_text[] =
    "module box { yang-version 1.1; namespace 'urn:t:box'; prefix box;"
    " container ne { leaf name { type string; } leaf mhz { type uint64; }"
    "  list shelf { key shelf-id; leaf shelf-id { type uint8; } leaf admin { type string; }"
    "   list port { key 'port-id kind'; leaf port-id { type uint8; } leaf kind { type string; }"
    "    leaf label { type string; } } }"
    "  list cross { key 'src dst'; leaf src { type string; } leaf dst { type string; } } }"
    " rpc copy { input { leaf what { type string; } leaf password { type string; }"
    "  leaf source { type string; } }"
    "  output { leaf status { type string; } list row { leaf n { type uint64; } } } }"
    " rpc ping; }";
static const struct lp_yang_source modules[] = {{"box", "box", module_text}};

static int64_t
left_ms(void *ctx)
{
    const struct client *c = ctx;

    return c->left_ms;
}

static enum lp_code
check(void *ctx, struct lp_err *err)
{
    struct client *c = ctx;

    c->checks++;
    return c->check_says == LP_OK ? LP_OK : lp_fail(err, c->check_says, "stopped by the test");
}

static void
evidence(void *ctx, const struct lp_exchange *e)
{
    struct client *c = ctx;

    lp_buf_printf(&c->evidence, "%s|%s|%s|%s\n", e->protocol, e->sent,
                  e->received != NULL ? e->received : "-", lp_code_info(e->outcome)->symbol);
}

static void
progress(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

const char *
client_entry(const char *password, const char *more)
{
    static char text[1024];

    (void)snprintf(text, sizeof text, "[box]\nuser = svc\npassword = %s\n%s%s\n%s", password,
                   strstr(more, "tls_pin") == NULL ? "tls_ca = " : "",
                   strstr(more, "tls_pin") == NULL ? node_trust()->ca_file : "", more);
    return text;
}

void
client_credentials(struct client *c, const char *entries)
{
    char fresh[80];
    FILE *file;

    (void)snprintf(fresh, sizeof fresh, "%s.new", c->credentials);
    file = fopen(fresh, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_true(fputs(entries, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, c->credentials), 0);
}

void
client_open(struct client *c, const char *entries)
{
    struct lp_err err = LP_ERR_INIT;
    char folder[] = "/tmp/lp_restconf_XXXXXX", setting[128], data_dir[128];
    const char *overrides[] = {setting, data_dir, "devices.connect_ms=5000",
                               "devices.breaker_open_ms=60000"};

    memset(c, 0, sizeof *c);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(c->credentials, sizeof c->credentials, "%s/credentials", folder);
    client_credentials(c, entries != NULL ? entries : client_entry("pw/\"1", ""));
    c->clock = (struct lp_clock)LP_CLOCK_INIT;
    (void)snprintf(setting, sizeof setting, "devices.credentials=%s", c->credentials);
    (void)snprintf(data_dir, sizeof data_dir, "daemon.data_dir=%s", folder);
    if (lp_conf_load(NULL, overrides, LP_COUNT(overrides), &c->conf, &err) != LP_OK)
        fail_msg("%s", err.msg);
    c->log = lp_log_new(2, LP_LOG_ERROR, &c->clock);
    assert_int_equal(
        lp_driver_host_new(&(struct lp_driver_host_options){c->conf, &c->clock, c->log}, &c->host,
                           &err),
        LP_OK);
    c->profile = (struct lp_restconf_profile){.driver = "box",
                                              .schema = "box",
                                              .root = "/restconf",
                                              .port = 8181,
                                              .login_path = "/auth",
                                              .modules = modules,
                                              .module_count = 1};
    c->left_ms = 60000;
    c->call = (struct lp_call){.ctx = c,
                               .time_left_ms = left_ms,
                               .check = check,
                               .evidence = evidence,
                               .progress = progress,
                               .arena = lp_arena_new()};
}

void
client_close(struct client *c)
{
    char folder[64];

    lp_driver_host_free(c->host);
    lp_log_free(c->log);
    lp_arena_free(c->call.arena);
    (void)unlink(c->credentials);
    (void)snprintf(folder, sizeof folder, "%s", c->credentials);
    *strrchr(folder, '/') = '\0';
    (void)rmdir(folder);
    lp_conf_free(c->conf);
    lp_buf_free(&c->evidence);
}

struct lp_restconf *
client_handle(struct client *c, int port, int second)
{
    char first[64], other[64];
    const char *addresses[] = {first, other};
    const struct lp_element element = {.id = "e1",
                                       .name = "g30.test",
                                       .node = "g30",
                                       .addresses = addresses,
                                       .address_count = second != 0 ? 2 : 1};
    struct lp_err err = LP_ERR_INIT;
    struct lp_restconf *rc = NULL;

    (void)snprintf(first, sizeof first, "127.0.0.1:%d", port);
    (void)snprintf(other, sizeof other, "https://127.0.0.1:%d", second);
    assert_int_equal(lp_restconf_new(c->host, &element, &c->profile, &rc, &err), LP_OK);
    return rc;
}
