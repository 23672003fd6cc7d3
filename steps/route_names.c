/* Wishes in the words of people: host names, names of ports and fibers. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/uuid.h"
#include "steps/route_internal.h"
#include "store/devices.h"
#include "store/subscriptions.h"

static enum lp_code
port_named(const struct lp_route_source *source, const char *device, const char *port, char *id,
           struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_route_query(source, LP_SQL_ROUTE_PORT_NAMED,
                       LP_ARGS(lp_text("device", device), lp_text("port", port)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "the device has no port '%.64s'", port);
    if (rc == LP_OK)
        (void)snprintf(id, LP_UUID_LEN + 1, "%s", lp_rows_text(rows, 0, "instance_id"));
    lp_rows_free(rows);
    return rc;
}

/** A device by any of its names, or one of its ports: "flex.mi01 1-A-1-T1A", "flex.mi01:1-A-1-T1A".
 */
static enum lp_code
place_named(const struct lp_route_source *source, const char *text, char *id, struct lp_err *err)
{
    const char *at = strchr(text, ' ') != NULL ? strchr(text, ' ') : strrchr(text, ':');
    char name[300], device[LP_UUID_LEN + 1];
    enum lp_code rc = lp_device_find(source->store, text, id, NULL, err);

    if (rc != LP_NOT_FOUND || at == NULL || (size_t)(at - text) >= sizeof name)
        return rc;
    lp_err_clear(err);
    (void)snprintf(name, sizeof name, "%.*s", (int)(at - text), text);
    rc = lp_device_find(source->store, name, device, NULL, err);
    return rc == LP_OK ? port_named(source, device, at + 1, id, err) : rc;
}

static enum lp_code
put_place(const struct lp_route_source *source, json_t *wish, const char *member,
          struct lp_err *err)
{
    const char *text = lp_json_str(wish, member, NULL);
    char id[LP_UUID_LEN + 1];
    enum lp_code rc;

    if (text == NULL || lp_uuid_valid(text))
        return LP_OK;
    rc = place_named(source, text, id, err);
    if (rc == LP_OK && lp_json_set_str(wish, member, id) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for a route");
    return rc;
}

/** A device or a fiber; *fiber says which. */
static enum lp_code
thing_named(const struct lp_route_source *source, const char *text, char *id, bool *fiber,
            struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    *fiber = false;
    if (lp_uuid_valid(text)) {
        (void)snprintf(id, LP_UUID_LEN + 1, "%s", text);
        rc = lp_route_query(source, LP_SQL_ROUTE_FIBER, LP_ARGS(lp_text("id", id)), &rows, err);
        *fiber = rc == LP_OK && lp_rows_count(rows) > 0;
        lp_rows_free(rows);
        return rc;
    }
    rc = lp_subscription_by_key(source->store, source->reader, "fiber.name", text, id, err);
    *fiber = rc == LP_OK;
    if (rc != LP_NOT_FOUND)
        return rc;
    lp_err_clear(err);
    rc = lp_device_find(source->store, text, id, NULL, err);
    return rc == LP_NOT_FOUND
               ? lp_fail(err, LP_NOT_FOUND, "'%.100s' is neither a device nor a fiber", text)
               : rc;
}

static enum lp_code
put_things(const struct lp_route_source *source, json_t *wish, const char *member, json_t *nodes,
           json_t *fibers, struct lp_err *err)
{
    const json_t *item;
    char id[LP_UUID_LEN + 1];
    bool fiber;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(json_object_get(wish, member), i, item)
    {
        if (rc == LP_OK)
            rc = thing_named(source, json_is_string(item) ? json_string_value(item) : "", id,
                             &fiber, err);
        if (rc == LP_OK && json_array_append_new(fiber ? fibers : nodes, json_string(id)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for a route");
    }
    return rc;
}

enum lp_code
lp_wish_names(const struct lp_route_source *source, json_t *wish, struct lp_err *err)
{
    json_auto_t *nodes = json_array(), *fibers = json_array(), *include = json_array();
    enum lp_code rc = put_place(source, wish, "from", err);

    if (rc == LP_OK)
        rc = put_place(source, wish, "to", err);
    if (rc == LP_OK)
        rc = put_things(source, wish, "include", include, include, err);
    if (rc == LP_OK)
        rc = put_things(source, wish, "exclude", nodes, fibers, err);
    if (rc == LP_OK
        && (json_object_set(wish, "include", include) != 0
            || json_object_set(wish, "exclude_nodes", nodes) != 0
            || json_object_set(wish, "exclude_fibers", fibers) != 0))
        rc = lp_fail(err, LP_NOMEM, "no memory for a route");
    return rc;
}

enum lp_code
lp_fiber_named(const struct lp_route_source *source, const char *text, char *id, struct lp_err *err)
{
    bool fiber;
    enum lp_code rc = thing_named(source, text, id, &fiber, err);

    if (rc == LP_OK && !fiber)
        rc = lp_fail(err, LP_NOT_FOUND, "'%.100s' is no fiber", text);
    return rc;
}
