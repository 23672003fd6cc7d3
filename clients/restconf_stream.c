/* Notifications: the element's one event stream. RFC 8040 section 6. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "clients/restconf_internal.h"

#define REST_MS      1000 /* behind the first break; each further one doubles it */
#define REST_MOST_MS 60000

bool
lp_restconf_listens(const struct lp_restconf *rc)
{
    return rc->stream != NULL;
}

static void
close_stream(struct lp_restconf *rc)
{
    lp_http_stream_close(rc->stream);
    rc->stream = NULL;
    rc_give(rc, rc->stream_session, true);
    rc->stream_session = NULL;
}

static enum lp_code
refused(struct lp_restconf *rc, int status, struct lp_err *err)
{
    if (status == 401 || status == 403)
        return lp_fail(err, LP_AUTH, "%s refuses its notifications (HTTP %d)", rc->element.name,
                       status);
    if (status == 429 || status >= 500)
        return lp_fail(err, LP_RETRYABLE, "%s has no notifications now (HTTP %d)", rc->element.name,
                       status);
    return lp_fail(err, LP_UNSUPPORTED, "%s has no such notifications (HTTP %d)", rc->element.name,
                   status);
}

static enum lp_code
open_at(struct lp_restconf *rc, size_t address, const char *path, struct lp_err *err)
{
    struct lp_credential credential = {0};
    struct lp_http *http = NULL;
    int status = 0;
    enum lp_code code = rc_http(rc, rc->stream_session, address, &http, err);

    if (code == LP_OK)
        code = rc_authorize(rc, rc->stream_session, address, &credential, err);
    lp_credential_wipe(&credential);
    if (code != LP_OK)
        return code;
    code = lp_http_stream_open(http, path, rc->last_id[0] != '\0' ? rc->last_id : NULL, &rc->stream,
                               &status, err);
    if (code == LP_UNSUPPORTED)
        return refused(rc, status, err);
    if (code == LP_UNKNOWN) /* opening a stream changes nothing */
        code = err->code = LP_RETRYABLE;
    return code;
}

static enum lp_code
open_stream(struct lp_restconf *rc, const char *path, struct lp_err *err)
{
    struct lp_breakers *breakers = lp_driver_host_breakers(rc->host);
    enum lp_code code = lp_breaker_ask(breakers, rc->element.name, err);

    if (code != LP_OK)
        return code;
    code = rc_take(rc, true, &rc->stream_session, err);
    for (size_t i = 0; code == LP_OK && i < rc->url_count; i++) {
        code = open_at(rc, i, path, err);
        if (code != LP_RETRYABLE || i + 1 == rc->url_count)
            break;
        lp_err_clear(err);
        code = LP_OK;
    }
    lp_breaker_tell(breakers, rc->element.name,
                    code == LP_OK || code == LP_AUTH || code == LP_PROTOCOL ? code : LP_RETRYABLE,
                    err->msg);
    if (code != LP_OK)
        close_stream(rc);
    return code;
}

/* {"ietf-restconf:notification": {...}} without its wrapping. */
static enum lp_code
read_event(struct lp_restconf *rc, struct lp_http_event *event, json_t **out, struct lp_err *err)
{
    json_auto_t *json = NULL;
    json_t *inner;
    enum lp_code code = lp_json_load(event->data, strlen(event->data), &json, err);

    if (code != LP_OK) {
        lp_err_prefix(err, "a notification of %s: ", rc->element.name);
        return err->code = LP_PROTOCOL;
    }
    if (event->id != NULL && strlen(event->id) < sizeof rc->last_id)
        (void)snprintf(rc->last_id, sizeof rc->last_id, "%s", event->id);
    inner = json_object_get(json, "ietf-restconf:notification");
    *out = json_incref(inner != NULL ? inner : json);
    return LP_OK;
}

static enum lp_code
wait_event(struct lp_restconf *rc, int64_t wait_ms, json_t **out, struct lp_err *err)
{
    const struct lp_clock *clock = lp_driver_host_clock(rc->host);
    int64_t end = lp_clock_mono_us(clock) + wait_ms * 1000;

    for (;;) {
        int64_t left = (end - lp_clock_mono_us(clock)) / 1000, call = rc_left_ms(rc);
        struct lp_http_event event = {0};
        bool got = false;
        enum lp_code code;

        if (rc_must_leave(rc, rc->stream_session))
            return lp_fail(err, LP_RETRYABLE,
                           "the notifications of %s gave way to a session of commands",
                           rc->element.name);
        left = call < left ? call : left;
        code = lp_http_stream_next(rc->stream,
                                   left > 200 ? 200
                                   : left > 0 ? left
                                              : 0,
                                   &event, &got, err);
        if (code == LP_OK && got) {
            code = read_event(rc, &event, out, err);
            lp_http_event_free(&event);
            return code;
        }
        if (code != LP_OK)
            return code == LP_UNKNOWN ? (err->code = LP_RETRYABLE) : code;
        if (left <= 0)
            return lp_fail(err, LP_NOT_FOUND, "%s reported nothing", rc->element.name);
    }
}

/* An element that ends its stream at once, or refuses it, is not asked without a pause. */
static void
rest_after_break(struct lp_restconf *rc)
{
    int64_t rest = REST_MS;

    for (unsigned i = 0; i < rc->stream_breaks && rest < REST_MOST_MS; i++)
        rest *= 2;
    rc->stream_breaks++;
    rc->stream_not_before = lp_clock_mono_us(lp_driver_host_clock(rc->host))
                            + (rest < REST_MOST_MS ? rest : REST_MOST_MS) * 1000;
}

static enum lp_code
wait_for_turn(struct lp_restconf *rc, int64_t wait_ms, struct lp_err *err)
{
    const struct lp_clock *clock = lp_driver_host_clock(rc->host);
    int64_t end = lp_clock_mono_us(clock) + wait_ms * 1000;

    while (lp_clock_mono_us(clock) < rc->stream_not_before) {
        if (rc_left_ms(rc) <= 0 || lp_clock_mono_us(clock) >= end)
            return lp_fail(
                err, LP_RETRYABLE,
                "the notifications of %s broke off %u times; they are asked for again in "
                "%lld ms",
                rc->element.name, rc->stream_breaks,
                (long long)(rc->stream_not_before - lp_clock_mono_us(clock)) / 1000);
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return LP_OK;
}

enum lp_code
lp_restconf_turn(struct lp_restconf *rc, const struct lp_call *call, int64_t wait_ms,
                 struct lp_err *err)
{
    enum lp_code code;

    rc->call = call;
    code = wait_for_turn(rc, wait_ms, err);
    rc->call = NULL;
    return code;
}

enum lp_code
lp_restconf_next(struct lp_restconf *rc, const struct lp_call *call, const char *path,
                 int64_t wait_ms, json_t **out, struct lp_err *err)
{
    enum lp_code code = LP_OK;

    rc->call = call;
    if (rc->stream == NULL) {
        code = wait_for_turn(rc, wait_ms, err);
        if (code != LP_OK) {
            rc->call = NULL;
            return code;
        }
        code = open_stream(rc, path, err);
    }
    if (code == LP_OK) {
        code = wait_event(rc, wait_ms, out, err);
        if (code != LP_OK && code != LP_NOT_FOUND)
            close_stream(rc);
    }
    if (code == LP_OK)
        rc->stream_breaks = 0;
    else if (rc->stream == NULL)
        rest_after_break(rc);
    rc->call = NULL;
    return code;
}
