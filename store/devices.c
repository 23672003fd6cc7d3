/* Devices as the database knows them: mode, drift, cached reads, emergency stops. */
#include "store/devices.h"

#include <stdio.h>
#include <string.h>

#include "store/subscriptions.h"

json_t *lp_device_time(int64_t us);

json_t *
lp_device_time(int64_t us)
{
    return us == 0 ? json_null() : json_real((double)us / 1e6);
}

/* ---- which one ---- */

enum lp_code
lp_device_find(struct lp_store *store, const char *name, char *id, char *found, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_DEVICE_FIND, LP_ARGS(lp_text("name", name)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND,
                     "there is no device '%.100s': neither an id nor a host name, node name or "
                     "address of one",
                     name);
    else if (lp_rows_count(rows) > 1 && strcmp(lp_rows_text(rows, 1, "status"), "terminated") != 0)
        rc = lp_fail(err, LP_CONFLICT, "several devices are called '%.100s': use an id", name);
    if (rc == LP_OK) {
        snprintf(id, LP_UUID_LEN + 1, "%s", lp_rows_text(rows, 0, "id"));
        if (found != NULL)
            snprintf(found, 256, "%s", lp_rows_text(rows, 0, "description"));
    }
    lp_rows_free(rows);
    return rc;
}

/* ---- one device ---- */

static json_t *
text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

static void
put_row(json_t *out, const struct lp_rows *rows, size_t i, const char *fallback_mode)
{
    static const char *const texts[] = {"site", "site_name", "driver", "mode_by", "drift"};
    static const char *const times[] = {"mode_at", "drifted_at", "seen_at"};
    const char *mode = rows == NULL ? NULL : lp_rows_text(rows, i, "mode");

    for (size_t k = 0; k < LP_COUNT(texts); k++)
        json_object_set_new(out, texts[k],
                            text_or_null(rows == NULL ? NULL : lp_rows_text(rows, i, texts[k])));
    for (size_t k = 0; k < LP_COUNT(times); k++)
        json_object_set_new(out, times[k],
                            lp_device_time(rows == NULL ? 0 : lp_rows_int(rows, i, times[k])));
    lp_json_set_str(out, "mode", mode == NULL ? fallback_mode : mode);
    lp_json_set_bool(out, "mode_default", mode == NULL);
    if (rows != NULL)
        lp_json_set_str(out, "name", lp_rows_text(rows, i, "name"));
}

static enum lp_code
put_cached(struct lp_store *store, const char *id, json_t *out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *cached;
    enum lp_code rc =
        lp_query(store, LP_SQL_DEVICE_CACHE_KINDS, LP_ARGS(lp_text("element", id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    cached = json_object();
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        json_object_set_new(cached, lp_rows_text(rows, i, "kind"),
                            json_pack("{s:o, s:s}", "as_of",
                                      lp_device_time(lp_rows_int(rows, i, "as_of")), "process_id",
                                      lp_rows_text(rows, i, "process_id")));
    json_object_set_new(out, "cached", cached);
    lp_rows_free(rows);
    return LP_OK;
}

static enum lp_code
put_identity(struct lp_store *store, const char *id, json_t *out, struct lp_err *err)
{
    json_auto_t *cached = NULL;
    enum lp_code rc = lp_device_cached(store, id, "identity", &cached, err);

    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        return LP_OK;
    }
    if (rc == LP_OK)
        json_object_set(out, "identity", cached);
    return rc;
}

static enum lp_code
put_objects(struct lp_store *store, const char *id, json_t *out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_OBJECTS_ON, LP_ARGS(lp_text("element", id)), &rows, err);

    if (rc == LP_OK)
        lp_json_set_int(out, "objects", (int64_t)lp_rows_count(rows));
    lp_rows_free(rows);
    return rc;
}

/** Stops that cover it. */
static enum lp_code
put_stops(struct lp_store *store, const char *id, json_t *out, struct lp_err *err)
{
    json_auto_t *all = NULL;
    json_t *stops, *stop;
    const char *site = lp_json_str(out, "site", "");
    size_t i;
    enum lp_code rc = lp_stops_json(store, &all, err);

    if (rc != LP_OK)
        return rc;
    stops = json_array();
    json_array_foreach(all, i, stop)
    {
        const char *scope = lp_json_str(stop, "scope", ""), *to = lp_json_str(stop, "target", "");

        if (strcmp(scope, "everything") == 0
            || strcmp(to, strcmp(scope, "site") == 0 ? site : id) == 0)
            json_array_append(stops, stop);
    }
    json_object_set_new(out, "stops", stops);
    return LP_OK;
}

enum lp_code
lp_device_json(struct lp_store *store, const char *id, const char *fallback_mode, json_t **out,
               struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *brief = NULL, *doc = NULL;
    enum lp_code rc = lp_subscription_brief(store, NULL, id, &brief, err);

    if (rc == LP_OK)
        rc = lp_query(store, LP_SQL_DEVICE_GET, LP_ARGS(lp_text("element", id)), &rows, err);
    if (rc != LP_OK)
        return rc;
    doc = json_pack("{s:s, s:O, s:O, s:O}", "device_id", id, "name",
                    json_object_get(brief, "description"), "description",
                    json_object_get(brief, "description"), "status",
                    json_object_get(brief, "status"));
    put_row(doc, lp_rows_count(rows) == 0 ? NULL : rows, 0, fallback_mode);
    lp_rows_free(rows);
    rc = put_cached(store, id, doc, err);
    if (rc == LP_OK)
        rc = put_identity(store, id, doc, err);
    if (rc == LP_OK)
        rc = put_objects(store, id, doc, err);
    if (rc == LP_OK)
        rc = put_stops(store, id, doc, err);
    if (rc == LP_OK)
        *out = lp_json_take(&doc);
    return rc;
}

enum lp_code
lp_devices_json(struct lp_store *store, const char *after, int64_t limit, const char *fallback_mode,
                json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(store, LP_SQL_DEVICE_LIST,
                               LP_ARGS(lp_text("after", after), lp_int("most", limit)), &rows, err);

    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        json_t *doc = json_pack("{s:s, s:s, s:s}", "device_id", lp_rows_text(rows, i, "element_id"),
                                "description", lp_rows_text(rows, i, "description"), "status",
                                lp_rows_text(rows, i, "status"));

        put_row(doc, rows, i, fallback_mode);
        json_array_append_new(*out, doc);
    }
    lp_rows_free(rows);
    return LP_OK;
}

/* ---- cached reads ---- */

enum lp_code
lp_device_cached(struct lp_store *store, const char *id, const char *kind, json_t **out,
                 struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *doc = NULL;
    int64_t as_of, now = 0;
    enum lp_code rc = lp_query(store, LP_SQL_DEVICE_CACHE_GET,
                               LP_ARGS(lp_text("element", id), lp_text("kind", kind)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND,
                     "%s of device %.64s were never read; refresh with 'lightpath device refresh "
                     "%.64s'",
                     kind, id, id);
    if (rc == LP_OK)
        rc = lp_store_now(store, &now, err);
    if (rc == LP_OK) {
        const char *text = lp_rows_text(rows, 0, "doc");

        rc = lp_json_load(text, strlen(text), &doc, err);
    }
    if (rc == LP_OK) {
        as_of = lp_rows_int(rows, 0, "as_of");
        lp_json_set_str(doc, "device_id", id);
        lp_json_set_str(doc, "kind", kind);
        json_object_set_new(doc, "as_of", lp_device_time(as_of));
        lp_json_set_int(doc, "age_s", now > as_of ? (now - as_of) / 1000000 : 0);
        lp_json_set_str(doc, "process_id", lp_rows_text(rows, 0, "process_id"));
        *out = doc;
    }
    lp_rows_free(rows);
    return rc;
}

/* ---- mode ---- */

enum lp_code
lp_device_mode_add(struct lp_unit *unit, const char *id, const char *name, const char *mode,
                   const char *actor, int64_t now_us, struct lp_err *err)
{
    if (strcmp(mode, "observe") != 0 && strcmp(mode, "manage") != 0)
        return lp_fail_at(err, LP_INVALID, "body/mode",
                          "the mode of a device is observe or manage, not '%.40s'", mode);
    lp_unit_add(unit, LP_SQL_DEVICE_MODE,
                LP_ARGS(lp_text("element", id), lp_text("name", name), lp_text("mode", mode),
                        lp_text("actor", actor), lp_int("now", now_us)));
    return LP_OK;
}

/* ---- emergency stops ---- */

enum lp_code
lp_stops_json(struct lp_store *store, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(store, LP_SQL_STOP_LIST, LP_NO_ARGS, &rows, err);

    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        json_array_append_new(*out, json_pack("{s:s, s:s, s:s?, s:s, s:s, s:o}", "scope",
                                              lp_rows_text(rows, i, "scope"), "target",
                                              lp_rows_text(rows, i, "target"), "description",
                                              lp_rows_text(rows, i, "description"), "reason",
                                              lp_rows_text(rows, i, "reason"), "actor",
                                              lp_rows_text(rows, i, "actor"), "at",
                                              lp_device_time(lp_rows_int(rows, i, "at"))));
    lp_rows_free(rows);
    return LP_OK;
}

static enum lp_code
site_of(struct lp_store *store, const char *name, char *target, struct lp_err *err)
{
    json_auto_t *brief = NULL;
    enum lp_code rc = lp_subscription_by_key(store, NULL, "pop.code", name, target, err);

    if (rc != LP_NOT_FOUND)
        return rc;
    lp_err_clear(err);
    rc = lp_subscription_brief(store, NULL, name, &brief, err);
    if (rc == LP_NOT_FOUND
        || (rc == LP_OK && strcmp(lp_json_str(brief, "product", ""), "PoP") != 0))
        return lp_fail(err, LP_NOT_FOUND, "there is no site '%.100s': neither a PoP code nor an id",
                       name);
    if (rc == LP_OK)
        snprintf(target, LP_UUID_LEN + 1, "%s", name);
    return rc;
}

enum lp_code
lp_stop_target(struct lp_store *store, const char *scope, const char *name, char *target,
               struct lp_err *err)
{
    if (strcmp(scope, "everything") == 0) {
        if (name != NULL && *name != '\0')
            return lp_fail_at(err, LP_INVALID, "body/target",
                              "a stop of everything names nothing, not '%.100s'", name);
        target[0] = '\0';
        return LP_OK;
    }
    if (name == NULL || *name == '\0')
        return lp_fail_at(err, LP_INVALID, "body/target", "which %.20s?", scope);
    if (strcmp(scope, "site") == 0)
        return site_of(store, name, target, err);
    if (strcmp(scope, "element") == 0)
        return lp_device_find(store, name, target, NULL, err);
    return lp_fail_at(err, LP_INVALID, "body/scope",
                      "the scope of a stop is everything, site or element, not '%.40s'", scope);
}

void
lp_stop_add(struct lp_unit *unit, const char *scope, const char *target, const char *reason,
            const char *actor, int64_t now_us)
{
    lp_unit_add(unit, LP_SQL_STOP_ADD,
                LP_ARGS(lp_text("scope", scope), lp_text("target", target),
                        lp_text("reason", reason), lp_text("actor", actor), lp_int("now", now_us)));
}

size_t
lp_stop_drop(struct lp_unit *unit, const char *scope, const char *target)
{
    return lp_unit_add(unit, LP_SQL_STOP_DROP,
                       LP_ARGS(lp_text("scope", scope), lp_text("target", target)));
}

static enum lp_code
refuse_stopped(const struct lp_rows *rows, const char *name, struct lp_err *err)
{
    const char *scope = lp_rows_text(rows, 0, "scope");
    enum lp_code rc =
        lp_fail(err, LP_CANCELLED,
                "%.100s is not written: emergency stop of %s by %.60s (%.120s); end it with "
                "'lightpath go %s%s', then retry",
                name, scope, lp_rows_text(rows, 0, "actor"), lp_rows_text(rows, 0, "reason"), scope,
                strcmp(scope, "everything") == 0 ? "" : " NAME");

    err->detail =
        json_pack("{s:s, s:s, s:s}", "stop", scope, "target", lp_rows_text(rows, 0, "target"),
                  "reason", lp_rows_text(rows, 0, "reason"));
    return rc;
}

enum lp_code
lp_device_demand_writable(struct lp_store *store, const char *id, const char *name,
                          const char *site, const char *fallback_mode, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    const char *mode = fallback_mode;
    enum lp_code rc = lp_query(store, LP_SQL_STOP_CHECK,
                               LP_ARGS(lp_text("element", id), lp_text("site", site)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) > 0 && !lp_rows_null(rows, 0, "mode"))
        mode = lp_rows_text(rows, 0, "mode");
    if (lp_rows_count(rows) > 0 && !lp_rows_null(rows, 0, "scope"))
        rc = refuse_stopped(rows, name, err);
    else if (strcmp(mode, "manage") != 0)
        rc = lp_fail(err, LP_PRECONDITION,
                     "%.100s is in mode observe and is not written; set it with 'lightpath device "
                     "mode %.100s manage', then retry",
                     name, name);
    lp_rows_free(rows);
    return rc;
}
