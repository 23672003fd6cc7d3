#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "daemon/daemon.h"
#include "engine/operate.h"

/** Configuration, data directory and its lock: what every offline command on the database begins
 * with. */
static enum lp_code
begin(const struct lp_command_line *line, struct lp_daemon *daemon, struct lp_err *err)
{
    enum lp_code rc =
        lp_conf_load(line->config, line->overrides, line->override_count, &daemon->conf, err);

    daemon->line = line;
    daemon->lock_fd = -1;
    if (rc == LP_OK)
        rc = lp_place_data_dir(daemon->conf, &daemon->data_dir, err);
    if (rc == LP_OK)
        rc = lp_place_store_url(daemon->conf, daemon->data_dir, &daemon->store_url, err);
    if (rc == LP_OK)
        rc = lp_place_lock(daemon->data_dir, &daemon->lock_fd, err);
    return rc;
}

static void
end(struct lp_daemon *daemon)
{
    if (daemon->lock_fd >= 0)
        close(daemon->lock_fd);
    free(daemon->store_url);
    free(daemon->data_dir);
    lp_conf_free(daemon->conf);
}

enum lp_code
lp_offline_migrate(const struct lp_command_line *line, struct lp_err *err)
{
    struct lp_daemon daemon = {.clock = LP_CLOCK_INIT};
    struct lp_store_options options;
    unsigned applied = 0;
    enum lp_code rc = begin(line, &daemon, err);

    if (rc == LP_OK) {
        lp_daemon_store_options(&daemon, &options);
        rc = lp_store_migrate(&options, &applied, err);
    }
    if (rc == LP_OK)
        printf("schema %d: %u migration%s applied\n", lp_store_schema_version(), applied,
               applied == 1 ? "" : "s");
    end(&daemon);
    return rc;
}

enum lp_code
lp_offline_restore(const struct lp_command_line *line, const char *file, struct lp_err *err)
{
    struct lp_daemon daemon = {.clock = LP_CLOCK_INIT};
    struct lp_store_options options;
    enum lp_code rc = begin(line, &daemon, err);

    if (rc == LP_OK) {
        lp_daemon_store_options(&daemon, &options);
        rc = lp_store_restore(&options, file, err);
    }
    if (rc == LP_OK)
        printf("restored from %s; nothing is written to a device until everything was validated\n",
               file);
    end(&daemon);
    return rc;
}

enum lp_code
lp_offline_check(const struct lp_command_line *line, struct lp_err *err)
{
    struct lp_daemon daemon = {.clock = LP_CLOCK_INIT};
    struct lp_store_options options;
    struct lp_catalog *catalog = NULL;
    const char *dir;
    enum lp_code rc = begin(line, &daemon, err);

    if (rc == LP_OK) {
        dir = lp_place_catalog(daemon.conf);
        rc = lp_catalog_load(&dir, 1, &catalog, err);
    }
    if (rc == LP_OK) {
        lp_daemon_store_options(&daemon, &options);
        rc = lp_store_open(&options, &daemon.store, err);
    }
    if (rc == LP_OK)
        rc = lp_store_ping(daemon.store, err);
    if (rc == LP_OK)
        printf("schema %d, catalogue %.12s: good\n", lp_store_schema_version(),
               lp_catalog_hash(catalog));
    lp_store_close(daemon.store);
    lp_catalog_free(catalog);
    end(&daemon);
    return rc;
}

/* ---- doctor ---- */

static void
print_finding(const json_t *finding)
{
    const char *means = lp_json_str(finding, "means", NULL);
    const char *todo = lp_json_str(finding, "todo", NULL);
    const char *severity = lp_json_str(finding, "severity", "");
    size_t i;
    json_t *item;

    printf("%-8s %-14s %s\n", severity, lp_json_str(finding, "check", ""),
           lp_json_str(finding, "text", ""));
    if (strcmp(severity, "ok") == 0)
        return;
    json_array_foreach(json_object_get(finding, "items"), i, item)
    {
        printf("%24s%s  %s\n", "", lp_json_str(item, "id", ""), lp_json_str(item, "text", ""));
    }
    if (means != NULL)
        printf("%24swhat it means: %s\n", "", means);
    if (todo != NULL && !lp_json_true(finding, "fixed"))
        printf("%24swhat to do: %s\n", "", todo);
}

static enum lp_code
examine(struct lp_daemon *daemon, const struct lp_err *store_err, struct lp_err *err)
{
    struct lp_uuid correlation = lp_uuid_v4();
    const struct lp_caller caller = {.actor = "lightpathd doctor",
                                     .role = LP_ROLE_ADMIN,
                                     .correlation_id = correlation.text,
                                     .reason = "offline"};
    const struct lp_doctor doctor = {.store = daemon->store,
                                     .store_err = store_err,
                                     .conf = daemon->conf,
                                     .clock = &daemon->clock,
                                     .data_dir = daemon->data_dir,
                                     .store_url = daemon->store_url,
                                     .version = LP_VERSION,
                                     .caller = &caller,
                                     .fix = daemon->line->fix};
    json_auto_t *report = NULL;
    size_t i;
    json_t *finding;
    enum lp_code rc = lp_doctor_run(&doctor, &report, err);

    json_array_foreach(json_object_get(report, "findings"), i, finding)
    {
        print_finding(finding);
    }
    if (rc == LP_OK && lp_json_int(report, "errors", 0) > 0)
        rc = lp_fail(err, LP_DRIFT, "%lld thing(s) wrong, %lld to look at",
                     (long long)lp_json_int(report, "errors", 0),
                     (long long)lp_json_int(report, "warnings", 0));
    return rc;
}

/** A database that several share is looked at beside its daemons; a file only while nobody has it.
 */
enum lp_code
lp_offline_doctor(const struct lp_command_line *line, struct lp_err *err)
{
    struct lp_daemon daemon = {.clock = LP_CLOCK_INIT};
    struct lp_err store_err = LP_ERR_INIT;
    struct lp_store_options options;
    enum lp_code rc = begin(line, &daemon, err);

    if (rc == LP_CONFLICT)
        (void)lp_err_prefix(err, "ask the running daemon with 'lightpath doctor': ");
    if (rc == LP_OK) {
        lp_daemon_store_options(&daemon, &options);
        if (lp_store_open(&options, &daemon.store, &store_err) != LP_OK)
            daemon.store = NULL;
        rc = examine(&daemon, &store_err, err);
    }
    lp_err_clear(&store_err);
    lp_store_close(daemon.store);
    end(&daemon);
    return rc;
}

static void
show_key(const struct lp_conf *conf, const struct lp_conf_key *key)
{
    const char *at = (const char *)conf + key->offset;
    const char *text;

    switch (key->type) {
    case LP_CONF_TYPE_INT:
        printf("  %s: %lld\n", key->key, (long long)*(const int64_t *)(const void *)at);
        return;
    case LP_CONF_TYPE_BOOL:
        printf("  %s: %s\n", key->key, *(const bool *)at ? "true" : "false");
        return;
    case LP_CONF_TYPE_STR:
        break;
    }
    text = *(const char *const *)(const void *)at;
    if (text != NULL && strcmp(key->key, "url") == 0 && strstr(text, "://") != NULL
        && (strchr(text, '@') != NULL || strstr(text, "password") != NULL))
        text = "**********"; /* may hold a password */
    if (text != NULL && *text != '\0' && strcmp(key->key, "password") == 0)
        text = "**********";
    printf("  %s: \"", key->key);
    for (const char *p = text == NULL ? "" : text; *p != '\0'; p++)
        printf(*p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
    printf("\"\n");
}

enum lp_code
lp_offline_show(const struct lp_command_line *line, struct lp_err *err)
{
    struct lp_conf *conf = NULL;
    size_t count;
    const struct lp_conf_key *keys = lp_conf_keys(&count);
    enum lp_code rc = lp_conf_load(line->config, line->overrides, line->override_count, &conf, err);

    for (size_t i = 0; rc == LP_OK && i < count; i++) {
        if (i == 0 || strcmp(keys[i].section, keys[i - 1].section) != 0)
            printf("%s:\n", keys[i].section);
        show_key(conf, &keys[i]);
    }
    lp_conf_free(conf);
    return rc;
}
