/* Events: the notifications of an element, or, where it has none over RESTCONF, what its list of
 * alarms says otherwise than before. */
#include <string.h>

#include "clients/infinera/rest/link.h"

#define STREAMS     "/data/ietf-restconf-monitoring:restconf-state/streams/stream"
#define LOOKS_EVERY 5 /* times devices.poll_ms: management processors are small */

/* ---- notifications ---- */

/* Where they are, as JSON: "/restconf/streams/...", without scheme and host. */
static enum lp_code
find_stream(struct ir_ne *r, struct lp_err *err)
{
    static const struct lp_restconf_query tree = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 8};
    json_auto_t *streams = NULL;
    json_t *stream, *access;
    const char *found = NULL;
    size_t i, j;
    enum lp_code rc = r->get(r, STREAMS, &tree, &streams, err);

    json_array_foreach(streams, i, stream)
    {
        json_array_foreach(ir_member(stream, "access"), j, access)
        {
            const char *at = ir_text(r->call->arena, access, "location", "");
            const char *host = strstr(at, "://");

            if (host != NULL)
                at = strchr(host + 3, '/');
            if (found == NULL && at != NULL && at[0] == '/'
                && strcmp(ir_text(r->call->arena, access, "encoding", ""), "json") == 0)
                found = at;
        }
    }
    if (rc == LP_OK && found == NULL)
        rc = lp_fail(err, LP_UNSUPPORTED, "%s has no notifications in JSON", r->ne.element->name);
    if (rc != LP_OK)
        return rc;
    r->stream = lp_arena_strdup(r->memory, found);
    return r->stream != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an event");
}

/* {"eventTime", "<module>:<name>": {...}} */
static json_t *
event_of(struct ir_ne *r, json_t *notification)
{
    const char *name, *object = "", *text = "";
    json_t *value;
    bool alarm = false;

    json_object_foreach(notification, name, value)
    {
        if (!json_is_object(value))
            continue;
        alarm = strstr(name, "alarm") != NULL;
        object = alarm ? r->platform->alarmed(r->call->arena, value) : "";
        text = lp_json_str(value, "alarm-type", name);
    }
    return json_pack("{s:I, s:s, s:s, s:s, s:O}", "at",
                     (json_int_t)lp_clock_utc_us(lp_driver_host_clock(r->ne.host)), "object",
                     object, "kind", alarm ? "alarm" : "event", "text", text, "message",
                     notification);
}

/* Whoever answers after a break may be somebody else: that is asked before he is listened to. */
static enum lp_code
before_listening(struct ir_ne *r, struct lp_err *err)
{
    const struct lp_call *call = r->call;
    enum lp_code rc = lp_restconf_turn(r->http, call, call->time_left_ms(call->ctx), err);

    r->verified = false;
    r->serial[0] = '\0';
    return rc == LP_OK ? ir_verify_identity(r, err) : rc;
}

static enum lp_code
next_notification(struct ir_ne *r, json_t **out, struct lp_err *err)
{
    json_auto_t *notification = NULL;
    const struct lp_call *call = r->call;
    enum lp_code rc = LP_OK;

    if (!lp_restconf_listens(r->http))
        rc = before_listening(r, err);
    if (rc == LP_OK && r->stream == NULL)
        rc = find_stream(r, err);
    if (rc == LP_OK)
        rc = lp_restconf_next(r->http, call, r->stream, call->time_left_ms(call->ctx),
                              &notification, err);
    if (rc == LP_OK)
        *out = event_of(r, notification);
    else if (rc == LP_UNSUPPORTED)
        r->stream = NULL; /* another release may have it elsewhere */
    return rc;
}

/* ---- alarms, compared ---- */

/* What makes an alarm the same one, however bad it is by now. */
static const char *
alarm_key(struct lp_arena *arena, const json_t *alarm)
{
    return lp_arena_printf(arena, "%s %s %s", lp_json_str(alarm, "object", ""),
                           lp_json_str(alarm, "type", ""), lp_json_str(alarm, "direction", ""));
}

static void
tell(struct ir_ne *r, const json_t *alarm, const char *severity)
{
    (void)json_array_append_new(
        r->pending,
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:O}", "at",
                  (json_int_t)lp_clock_utc_us(lp_driver_host_clock(r->ne.host)), "object",
                  lp_json_str(alarm, "object", ""), "kind", "alarm", "text",
                  lp_json_str(alarm, "type", ""), "severity", severity, "message", alarm));
}

static void
compare(struct ir_ne *r, const json_t *now)
{
    const char *key;
    json_t *alarm;

    json_object_foreach((json_t *)(uintptr_t)now, key, alarm)
    {
        const char *severity = lp_json_str(alarm, "severity", "");
        const json_t *was = json_object_get(r->conditions, key);

        if (was == NULL || strcmp(lp_json_str(was, "severity", ""), severity) != 0)
            tell(r, alarm, severity);
    }
    json_object_foreach(r->conditions, key, alarm)
    {
        if (json_object_get(now, key) == NULL)
            tell(r, alarm, "cleared");
    }
}

/* The first look tells nothing: what stands there already is no news. */
static enum lp_code
look_at_alarms(struct ir_ne *r, struct lp_err *err)
{
    const struct lp_call *call = r->call;
    json_auto_t *list = NULL, *now = json_object();
    json_t *alarm;
    size_t i;
    enum lp_code rc = ir_verify_identity(r, err);

    if (rc == LP_OK)
        rc = r->ne.driver->alarms(&r->ne, call, &list, err);
    r->call = call;
    if (rc != LP_OK)
        return rc;
    json_array_foreach(json_object_get(list, "items"), i, alarm)(void)
        json_object_set(now, alarm_key(call->arena, alarm), alarm);
    if (r->pending == NULL)
        r->pending = json_array();
    if (r->conditions != NULL)
        compare(r, now);
    json_decref(r->conditions);
    r->conditions = lp_json_take(&now);
    return r->pending != NULL && r->conditions != NULL
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for events");
}

static enum lp_code
next_alarm(struct ir_ne *r, json_t **out, struct lp_err *err)
{
    const struct lp_clock *clock = lp_driver_host_clock(r->ne.host);
    int64_t every = lp_driver_host_conf(r->ne.host)->devices_poll_ms * LOOKS_EVERY;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && json_array_size(r->pending) == 0) {
        int64_t rest = (r->look_us - lp_clock_mono_us(clock)) / 1000;

        if (rest > 0 && !lp_ops_pause(r->call, rest))
            return lp_fail(err, LP_NOT_FOUND, "%s reported nothing", r->ne.element->name);
        r->look_us = lp_clock_mono_us(clock) + every * 1000;
        rc = look_at_alarms(r, err);
    }
    if (rc != LP_OK)
        return rc;
    *out = json_incref(json_array_get(r->pending, 0));
    (void)json_array_remove(r->pending, 0);
    return LP_OK;
}

enum lp_code
ir_next_event(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    enum lp_code rc =
        r->platform->alarmed != NULL ? next_notification(r, out, err) : next_alarm(r, out, err);

    if (rc == LP_OK && *out == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for an event");
    r->call = NULL;
    return rc;
}
