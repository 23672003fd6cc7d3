#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "base/json.h"

#define MASK "**********"

enum lp_code
lp_on_status(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_status(req->api->services.engine, out, err);
}

enum lp_code
lp_on_status_set(struct lp_request *req, json_t **out, struct lp_err *err)
{
    bool lock = json_is_true(json_object_get(req->json, "global_lock"));
    enum lp_code rc = lp_engine_pause(req->api->services.engine, &req->caller, lock, err);

    return rc == LP_OK ? lp_engine_status(req->api->services.engine, out, err) : rc;
}

enum lp_code
lp_on_restored_end(struct lp_request *req, json_t **out, struct lp_err *err)
{
    enum lp_code rc = lp_engine_end_restored(req->api->services.engine, &req->caller, err);

    return rc == LP_OK ? lp_engine_status(req->api->services.engine, out, err) : rc;
}

enum lp_code
lp_on_worker_status(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_worker_status(req->api->services.engine, out, err);
}

/* ---- caches: the only one is the counts of the metrics ---- */

enum lp_code
lp_on_cache_names(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)req;
    (void)err;
    *out = json_pack("{s:s, s:s}", "all", "All caches", "metrics", "Counts of the metrics page");
    return LP_OK;
}

enum lp_code
lp_on_cache_clear(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *name = req->params[0];

    if (strcmp(name, "all") != 0 && strcmp(name, "metrics") != 0)
        return lp_fail_at(err, LP_INVALID, "path/name", "Invalid cache name");
    *out = json_integer(lp_metrics_forget(req->api));
    return LP_OK;
}

enum lp_code
lp_on_search_reset(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)req;
    (void)out;
    (void)err;
    return LP_OK;
}

/* ---- overview ---- */

/** A value that may hold a secret is shown without it. */
static bool
is_secret(const struct lp_conf_key *key, const char *value)
{
    static const char *const words[] = {"password", "secret", "token", "credential"};

    for (size_t i = 0; i < LP_COUNT(words); i++)
        if (strstr(key->key, words[i]) != NULL)
            return true;
    if (strcmp(key->section, "store") != 0 || strcmp(key->key, "url") != 0)
        return false;
    if (strncmp(value, "sqlite:", 7) == 0 || value[0] == '\0')
        return false;
    return strchr(value, '@') != NULL || strcasestr(value, "password") != NULL;
}

static json_t *
key_value(const struct lp_conf *conf, const struct lp_conf_key *key)
{
    const char *at = (const char *)conf + key->offset;
    const char *text;

    switch (key->type) {
    case LP_CONF_TYPE_INT:
        return json_integer(*(const int64_t *)(const void *)at);
    case LP_CONF_TYPE_BOOL:
        return json_boolean(*(const bool *)at);
    case LP_CONF_TYPE_STR:
        break;
    }
    text = *(const char *const *)(const void *)at;
    if (text == NULL)
        text = "";
    return json_string(is_secret(key, text) ? MASK : text);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(lp_json_str(*(json_t *const *)a, "env_name", ""),
                  lp_json_str(*(json_t *const *)b, "env_name", ""));
}

/** Adds a variable to its section, sorted by name. */
static void
add_variable(json_t *variables, json_t *variable)
{
    size_t at = 0;

    while (at < json_array_size(variables)) {
        json_t *other = json_array_get(variables, at);

        if (by_name(&variable, &other) < 0)
            break;
        at++;
    }
    json_array_insert_new(variables, at, variable);
}

static json_t *
section_of(json_t *sections, const char *name)
{
    size_t i;
    json_t *section;

    json_array_foreach(sections, i, section) if (strcmp(lp_json_str(section, "name", ""), name)
                                                 == 0) return json_object_get(section, "variables");
    section = json_pack("{s:s, s:[]}", "name", name, "variables");
    json_array_append_new(sections, section);
    return json_object_get(section, "variables");
}

enum lp_code
lp_on_overview(struct lp_request *req, json_t **out, struct lp_err *err)
{
    size_t count;
    const struct lp_conf_key *keys = lp_conf_keys(&count);

    (void)err;
    *out = json_array();
    for (size_t i = 0; i < count; i++) {
        char name[96];

        snprintf(name, sizeof name, "LIGHTPATH_%s_%s", keys[i].section, keys[i].key);
        for (char *p = name; *p != '\0'; p++)
            *p = (char)toupper((unsigned char)*p);
        add_variable(section_of(*out, keys[i].section),
                     json_pack("{s:s, s:o}", "env_name", name, "env_value",
                               key_value(req->api->options.conf, &keys[i])));
    }
    return LP_OK;
}
