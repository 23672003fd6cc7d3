#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "api/embedded.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/lists.h"
#include "base/json.h"
#include "store/settings.h"
#include "store/tokens.h"

#define HEALTH_FRESH_US 1000000
#define USER_LOG_MAX    4096
#define BACKUP_NAME_MAX 200 /* bytes; SQLite adds to it while it writes */

/* ---- health and pages ---- */

static uint64_t
write_failures(const struct lp_api *api)
{
    struct lp_store_stats stats;

    lp_store_stats(api->services.store, &stats);
    return stats.failures;
}

bool
lp_health_fresh(const struct lp_api *api)
{
    int64_t at = atomic_load(&api->healthy_us);

    return at != 0 && lp_api_now(api) - at < HEALTH_FRESH_US
           && write_failures(api) == atomic_load(&api->failures_seen);
}

/** Asks the store. When writes failed since the last time, only a write that succeeds proves that
 * it takes them again (a full disk). */
static enum lp_code
look_at_store(struct lp_api *api, struct lp_err *err)
{
    uint64_t failures = write_failures(api);
    char text[32];
    enum lp_code rc;

    if (failures == atomic_load(&api->failures_seen))
        return lp_store_ping(api->services.store, err);
    snprintf(text, sizeof text, "%lld", (long long)lp_clock_utc_us(api->options.clock));
    rc = lp_setting_set(api->services.store, "health_probe", text, "SYSTEM", err);
    if (rc == LP_OK)
        atomic_store(&api->failures_seen, failures);
    return rc;
}

enum lp_code
lp_on_health(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_api *api = req->api;

    lp_reply_header(req, "Cache-Control", "no-store");
    if (!lp_health_fresh(api)) {
        enum lp_code rc = look_at_store(api, err);

        if (rc != LP_OK) {
            atomic_store(&api->healthy_us, 0);
            return rc;
        }
        atomic_store(&api->healthy_us, lp_api_now(api));
    }
    *out = json_string("OK");
    return LP_OK;
}

enum lp_code
lp_on_root(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)req;
    (void)err;
    *out = json_string("Lightpath");
    return LP_OK;
}

enum lp_code
lp_on_docs(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    (void)err;
    req->reply.fixed = lp_embedded_docs;
    req->reply.fixed_len = lp_embedded_docs_len;
    req->reply.type = "text/html; charset=utf-8";
    lp_reply_header(req, "Content-Security-Policy",
                    "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; "
                    "script-src 'unsafe-inline'; frame-ancestors 'none'");
    return LP_OK;
}

enum lp_code
lp_on_openapi(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_api *api = req->api;

    (void)out;
    pthread_mutex_lock(&api->fixed_lock);
    if (api->openapi == NULL) {
        json_auto_t *doc = lp_openapi(api->options.version);

        api->openapi = doc == NULL ? NULL : lp_json_text(doc);
        api->openapi_len = api->openapi == NULL ? 0 : strlen(api->openapi);
    }
    pthread_mutex_unlock(&api->fixed_lock);
    if (api->openapi == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the description");
    req->reply.fixed = api->openapi;
    req->reply.fixed_len = api->openapi_len;
    req->reply.type = "application/json";
    return LP_OK;
}

enum lp_code
lp_on_form(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_fail(err, LP_NOT_FOUND, "Form %s does not exist.", req->params[0]);
}

/* ---- what front ends report ---- */

static enum lp_code
log_user(struct lp_request *req, const char *event, const char *name, json_t **out)
{
    char *text = lp_json_text(req->json);

    if (text != NULL && strlen(text) > USER_LOG_MAX)
        snprintf(text, USER_LOG_MAX, "(%zu bytes left out)", strlen(text));
    lp_logf(req->api->options.log, LP_LOG_INFO, event, "s:s, s:s, s:s", "actor", req->caller.actor,
            "name", name, "report", text == NULL ? "" : text);
    free(text);
    *out = json_object();
    return LP_OK;
}

enum lp_code
lp_on_user_error(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)err;
    return log_user(req, "user.error", "", out);
}

enum lp_code
lp_on_user_log(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)err;
    return log_user(req, "user.log", req->params[0], out);
}

/* ---- audit ---- */

enum lp_code
lp_on_audit(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_audit(req->api->services.engine, lp_request_query(req, "chain"),
                           lp_request_int(req, "limit", 100), out, err);
}

/** Long work runs one at a time, so that it cannot take all handler threads. */
static enum lp_code
begin_long(struct lp_api *api, struct lp_err *err)
{
    if (pthread_mutex_trylock(&api->long_lock) != 0)
        return lp_fail(err, LP_CONFLICT,
                       "another backup or verification is running; try again when it is done");
    return LP_OK;
}

enum lp_code
lp_on_audit_verify(struct lp_request *req, json_t **out, struct lp_err *err)
{
    int64_t rows = 0;
    enum lp_code rc = begin_long(req->api, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_engine_audit_verify(req->api->services.engine, &rows, err);
    pthread_mutex_unlock(&req->api->long_lock);
    if (rc == LP_OK)
        *out = json_pack("{s:b, s:I}", "ok", 1, "rows", (json_int_t)rows);
    return rc;
}

/* ---- tokens ---- */

static json_t *
time_or_null(int64_t us)
{
    return us == 0 ? json_null() : json_real((double)us / 1e6);
}

static json_t *
token_json(const struct lp_token *token)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", token->id, "name",
                     token->name, "role", token->role, "created_by", token->created_by,
                     "created_at", time_or_null(token->created_at), "expires_at",
                     time_or_null(token->expires_at), "revoked_at", time_or_null(token->revoked_at),
                     "used_at", time_or_null(token->used_at));
}

enum lp_code
lp_on_token_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_token *tokens = NULL;
    size_t count = 0;
    enum lp_code rc = lp_token_list(req->api->services.store, &tokens, &count, err);

    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(*out, token_json(&tokens[i]));
    free(tokens);
    return LP_OK;
}

static enum lp_code
expiry(const json_t *value, int64_t *out, struct lp_err *err)
{
    *out = 0;
    if (value == NULL || json_is_null(value))
        return LP_OK;
    if (json_is_string(value)) {
        enum lp_code rc = lp_time_parse(json_string_value(value), out, err);

        if (rc == LP_OK && *out < 1) /* 0 would mean never */
            *out = 1;
        return rc;
    }
    if (json_number_value(value) < 1 || json_number_value(value) > 253402300800.0)
        return lp_fail_at(err, LP_INVALID, "/body/expires_at",
                          "expires_at is no time between 1970 and the year 10000");
    *out = (int64_t)(json_number_value(value) * 1e6);
    return LP_OK;
}

/** Names that stand in the audit for something else than a token. */
static bool
is_own_actor(const char *name)
{
    static const char *const own[] = {"SYSTEM", "local", "anonymous"};

    for (size_t i = 0; i < LP_COUNT(own); i++)
        if (strcasecmp(name, own[i]) == 0)
            return true;
    return false;
}

enum lp_code
lp_on_token_create(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *name = lp_json_str(req->json, "name", "");
    const char *role = lp_json_str(req->json, "role", "");
    char text[LP_TOKEN_LEN + 1];
    struct lp_token token;
    int64_t expires = 0;
    enum lp_code rc = expiry(json_object_get(req->json, "expires_at"), &expires, err);

    if (rc == LP_OK && (!lp_http_text_sane(name, 100) || name[strspn(name, " ")] == '\0'))
        rc = lp_fail_at(err, LP_INVALID, "/body/name",
                        "the name is blank, longer than 100 bytes, or has control characters");
    if (rc == LP_OK && is_own_actor(name))
        rc = lp_fail_at(err, LP_INVALID, "/body/name",
                        "'%s' is what Lightpath calls itself; choose another name", name);
    if (rc == LP_OK)
        rc = lp_token_create(req->api->services.store, name, role, req->caller.actor, expires, text,
                             &token, err);
    if (rc == LP_OK)
        rc = lp_engine_audit_system(req->api->services.engine, &req->caller,
                                    json_pack("{s:s, s:s, s:s, s:s}", "action", "token.created",
                                              "id", token.id, "name", name, "role", role),
                                    err);
    if (rc == LP_OK) {
        *out = token_json(&token);
        json_object_set_new(*out, "token", json_string(text));
        lp_reply_header(req, "Cache-Control", "no-store");
    }
    explicit_bzero(text, sizeof text);
    return rc;
}

enum lp_code
lp_on_token_revoke(struct lp_request *req, json_t **out, struct lp_err *err)
{
    enum lp_code rc = lp_token_revoke(req->api->services.store, req->params[0], err);

    (void)out;
    if (rc != LP_OK)
        return rc;
    return lp_engine_audit_system(
        req->api->services.engine, &req->caller,
        json_pack("{s:s, s:s}", "action", "token.revoked", "id", req->params[0]), err);
}

/* ---- backup ---- */

static enum lp_code
default_name(struct lp_request *req, char *buf, size_t size, struct lp_err *err)
{
    time_t now = (time_t)(lp_clock_utc_us(req->api->options.clock) / 1000000);
    struct tm tm;
    char dir[PATH_MAX];

    snprintf(dir, sizeof dir, "%s/backups", req->api->data_dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return lp_fail(err, LP_STORE, "cannot make %s: %s", dir, strerror(errno));
    gmtime_r(&now, &tm);
    strftime(buf, size,
             lp_store_dialect(req->api->services.store) == LP_DIALECT_SQLITE
                 ? "backups/lightpath-%Y%m%dT%H%M%SZ.db"
                 : "backups/lightpath-%Y%m%dT%H%M%SZ.dump",
             &tm);
    return LP_OK;
}

/** The folder of the new file, links resolved, must lie inside the data directory. */
static enum lp_code
check_inside(struct lp_request *req, const char *path, struct lp_err *err)
{
    char *dir = lp_arena_strdup(req->arena, path);
    char *slash = dir == NULL ? NULL : strrchr(dir, '/');
    char *real;
    char *base = realpath(req->api->data_dir, NULL);
    size_t len = base == NULL ? 0 : strlen(base);
    bool inside;

    if (slash != NULL)
        *slash = '\0';
    real = slash == NULL ? NULL : realpath(dir, NULL);
    inside = real != NULL && base != NULL && strncmp(real, base, len) == 0
             && (real[len] == '/' || real[len] == '\0');
    free(real);
    free(base);
    if (!inside)
        return lp_fail_at(err, LP_INVALID, "/body/path",
                          "the folder does not exist inside the data directory");
    return LP_OK;
}

/** SQLite reads files of these names as part of a database beside them, and ours appear under
 * .part first. */
static bool
name_is_taken(const char *wanted)
{
    static const char *const ends[] = {"-journal", "-wal", "-shm", ".part"};
    size_t len = strlen(wanted);

    for (size_t i = 0; i < LP_COUNT(ends); i++)
        if (len >= strlen(ends[i]) && strcmp(wanted + len - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

static enum lp_code
backup_path(struct lp_request *req, char *path, size_t size, struct lp_err *err)
{
    const char *wanted = lp_json_str(req->json, "path", NULL);
    char name[300];
    enum lp_code rc = LP_OK;

    if (wanted == NULL) {
        rc = default_name(req, name, sizeof name, err);
    } else {
        bool bad = wanted[0] == '/' || wanted[0] == '\0' || wanted[0] == '.'
                   || strstr(wanted, "..") != NULL || strstr(wanted, "/.") != NULL
                   || wanted[strlen(wanted) - 1] == '/'
                   || !lp_http_text_sane(wanted, BACKUP_NAME_MAX) || name_is_taken(wanted);

        if (bad)
            return lp_fail_at(err, LP_INVALID, "/body/path",
                              "path is the name of a new file inside the data directory, at most "
                              "%d bytes, not ending in -journal, -wal, -shm or .part",
                              BACKUP_NAME_MAX);
        snprintf(name, sizeof name, "%s", wanted);
    }
    if (rc != LP_OK)
        return rc;
    snprintf(path, size, "%s/%s", req->api->data_dir, name);
    return check_inside(req, path, err);
}

enum lp_code
lp_on_backup(struct lp_request *req, json_t **out, struct lp_err *err)
{
    char path[PATH_MAX];
    struct stat st = {.st_size = 0};
    enum lp_code rc = backup_path(req, path, sizeof path, err);

    if (rc == LP_OK)
        rc = begin_long(req->api, err);
    if (rc != LP_OK)
        return rc;
    rc = lp_store_backup(req->api->services.store, path, err);
    pthread_mutex_unlock(&req->api->long_lock);
    if (rc == LP_OK)
        rc = lp_engine_audit_system(
            req->api->services.engine, &req->caller,
            json_pack("{s:s, s:s}", "action", "database.backup", "path", path), err);
    if (rc != LP_OK)
        return rc;
    (void)stat(path, &st);
    *out = json_pack("{s:s, s:I}", "path", path, "bytes", (json_int_t)st.st_size);
    return LP_OK;
}
