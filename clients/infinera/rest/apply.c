/* The plan as a document, and one operation: look, compare, act on the difference, look again. */
#include <stdio.h>
#include <string.h>

#include "clients/infinera/rest/link.h"

#define LOOKS_AGAIN 3 /* at an image that nobody expected */

/* ---- who it is ---- */

void
ir_note_identity(struct ir_ne *r, const json_t *identity)
{
    (void)snprintf(r->serial, sizeof r->serial, "%s", lp_json_str(identity, "serial", ""));
    r->asked = lp_restconf_connections(r->http);
}

static enum lp_code
learn_serial(struct ir_ne *r, struct lp_err *err)
{
    json_auto_t *identity = NULL;
    enum lp_code rc;

    if (r->serial[0] != '\0' && r->asked == lp_restconf_connections(r->http))
        return LP_OK;
    rc = r->identify(r, &identity, err);
    if (rc == LP_OK)
        ir_note_identity(r, identity);
    return rc;
}

enum lp_code
ir_verify_identity(struct ir_ne *r, struct lp_err *err)
{
    const char *expected = r->ne.element->serial;
    enum lp_code rc;

    if (r->verified && r->asked == lp_restconf_connections(r->http))
        return LP_OK;
    r->verified = false;
    if (expected == NULL || expected[0] == '\0') {
        r->verified = true; /* as far as anybody can tell */
        return LP_OK;
    }
    rc = learn_serial(r, err);
    if (rc != LP_OK)
        return rc;
    if (strcmp(r->serial, expected) != 0) {
        rc = lp_fail(err, LP_CONFLICT,
                     "%s is another element than expected: serial number %s instead of %s",
                     r->ne.element->name, r->serial[0] != '\0' ? r->serial : "(none)", expected);
        r->serial[0] = '\0'; /* it is asked again, whoever answers then */
        return rc;
    }
    r->verified = true;
    return LP_OK;
}

enum lp_code
ir_plan_document(struct lp_ne *ne, const struct lp_call *call, const json_t *intents,
                 bool take_over, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    struct ir_source source;
    json_auto_t *ops = NULL;
    json_t *identity;
    enum lp_code rc;

    ir_source_of(r, &source);
    rc = ir_plan(r->platform, &source, call->arena, intents, take_over, &ops, err);
    if (rc == LP_OK)
        rc = learn_serial(r, err);
    if (rc == LP_OK) {
        identity = json_pack("{s:s, s:s, s:s}", "node", ne->element->node, "vendor", "Infinera",
                             "platform", r->platform->platform);
        if (r->serial[0] != '\0')
            (void)lp_json_set_str(identity, "serial", r->serial);
        rc = lp_ops_document(ne, identity, intents, ops, out, err);
    }
    r->call = NULL;
    return rc;
}

/* ---- one operation ---- */

struct run {
    struct ir_ne *r;
    const json_t *op;
    const char *object, *action;
    const json_t *before, *after;
    bool anything; /* a "set" whose object may be as it likes before */
    json_t *produced;
    struct ir_source source;
    struct lp_err *err;
};

static const struct lp_conf *
conf_of(const struct run *x)
{
    return lp_driver_host_conf(x->r->ne.host);
}

static enum lp_code
look(struct run *x, json_t **actual)
{
    json_decref(*actual);
    *actual = NULL;
    return ir_read(x->r->platform, &x->source, x->r->call->arena, x->object, actual, x->err);
}

static json_t *
image(const json_t *actual, const json_t *like)
{
    if (actual == NULL)
        return json_null();
    return json_is_object(like) ? ir_slice(actual, like) : json_deep_copy(actual);
}

static enum lp_code
conflict(struct run *x, const json_t *actual, const char *why)
{
    const json_t *like = json_is_object(x->before) ? x->before : x->after;
    enum lp_code rc =
        lp_fail(x->err, LP_CONFLICT, "%s %s: %s", x->r->ne.element->name, x->object, why);

    x->err->detail = json_pack("{s:o, s:O}", "actual", image(actual, like), "expected",
                               x->before != NULL ? x->before : json_null());
    return rc;
}

static enum lp_code
report(struct run *x, bool changed, const json_t *before, const json_t *after, json_t **out)
{
    const json_t *like = json_is_object(x->after) ? x->after : x->before;

    *out = json_pack("{s:b, s:o, s:o, s:O}", "changed", (int)changed, "before", image(before, like),
                     "after", image(after, like), "produced", x->produced);
    return *out != NULL ? LP_OK : lp_fail(x->err, LP_NOMEM, "no memory for a report");
}

/* An element that took a change by halves: each value is the one before or the one behind, none is
 * somebody else's. The change, or its undoing, may be sent (again). */
static bool
is_between(const struct run *x, const json_t *actual)
{
    const char *name;
    json_t *value;

    if (strcmp(x->action, "set") != 0 || !json_is_object(x->before) || !json_is_object(x->after)
        || !json_is_object(actual))
        return false;
    json_object_foreach((json_t *)(uintptr_t)x->before, name, value)
    {
        const json_t *is = json_object_get(actual, name);

        if (!ir_same(value, is) && !ir_same(json_object_get(x->after, name), is))
            return false;
    }
    return true;
}

static bool
is_expected(const struct run *x, const json_t *actual)
{
    if (ir_holds(x->after, actual) || is_between(x, actual))
        return true;
    return x->anything ? actual != NULL : ir_holds(x->before, actual);
}

/* Looks until it is as expected, for settle_ms at most where the object is to appear, else a few
 * times: an element may show an older image for a moment. */
static enum lp_code
look_until_expected(struct run *x, json_t **actual)
{
    const struct lp_clock *clock = lp_driver_host_clock(x->r->ne.host);
    int64_t until = lp_clock_mono_us(clock) + conf_of(x)->devices_settle_ms * 1000;
    enum lp_code rc = look(x, actual);

    for (unsigned i = 0; rc == LP_OK && !is_expected(x, *actual); i++) {
        if ((x->anything ? lp_clock_mono_us(clock) >= until : i >= LOOKS_AGAIN)
            || !lp_ops_pause(x->r->call, conf_of(x)->devices_poll_ms))
            break;
        rc = look(x, actual);
    }
    return rc;
}

/* Reads back until the change shows; a change that others completed shows just the same. */
static enum lp_code
look_until_done(struct run *x, json_t **actual, bool *held)
{
    const struct lp_clock *clock = lp_driver_host_clock(x->r->ne.host);
    int64_t until = lp_clock_mono_us(clock) + conf_of(x)->devices_settle_ms * 1000;
    enum lp_code rc = look(x, actual);

    *held = rc == LP_OK && ir_holds(x->after, *actual);
    while (rc == LP_OK && !*held && lp_clock_mono_us(clock) < until
           && lp_ops_pause(x->r->call, conf_of(x)->devices_poll_ms)) {
        rc = look(x, actual);
        *held = rc == LP_OK && ir_holds(x->after, *actual);
    }
    return rc;
}

/* ---- writing ---- */

static enum lp_code
send_all(struct run *x, const struct ir_request *requests, size_t count)
{
    enum lp_code rc = ir_verify_identity(x->r, x->err);

    for (size_t i = 0; rc == LP_OK && i < count; i++)
        rc = x->r->send(x->r, &requests[i], false, NULL, x->err);
    return rc;
}

static enum lp_code
verify(struct run *x, const json_t *before, json_t **out)
{
    json_auto_t *actual = NULL;
    bool held = false;
    enum lp_code rc = look_until_done(x, &actual, &held);

    if (rc == LP_OK && held)
        return report(x, true, before, actual, out);
    if (rc == LP_OK)
        return conflict(x, actual, "the element accepted the change and did not make it");
    if (rc == LP_RETRYABLE)
        rc = lp_fail(x->err, LP_UNKNOWN, "%s %s: changed, and could not be read back",
                     x->r->ne.element->name, x->object);
    return rc;
}

/* "Exists already", "not there", a refusal: hints to look, never results. */
static enum lp_code
look_at_refusal(struct run *x, enum lp_code refused, json_t **out)
{
    struct lp_err why = LP_ERR_INIT;
    json_auto_t *actual = NULL;
    enum lp_code rc;

    lp_err_move(&why, x->err);
    rc = look(x, &actual);
    if (rc == LP_OK && ir_holds(x->after, actual)) {
        rc = report(x, false, actual, actual, out);
    } else if (rc == LP_OK) {
        lp_err_move(x->err, &why);
        rc = refused;
        if (x->err->detail == NULL)
            x->err->detail = json_object();
        (void)json_object_set_new(x->err->detail, "actual", image(actual, x->after));
    }
    lp_err_clear(&why);
    return rc;
}

static bool
is_answer(enum lp_code rc)
{
    return rc == LP_CONFLICT || rc == LP_NOT_FOUND || rc == LP_REFUSED;
}

static enum lp_code
act(struct run *x, const json_t *actual, json_t **out)
{
    struct ir_request requests[IR_REQUESTS];
    size_t count = 0;
    enum lp_code rc = ir_requests(x->r->platform, &x->source, x->r->call->arena, x->op, actual,
                                  x->produced, requests, &count, x->err);

    if (rc != LP_OK)
        return rc;
    rc = send_all(x, requests, count);
    if (rc == LP_OK)
        return verify(x, actual, out);
    return is_answer(rc) && x->r->verified ? look_at_refusal(x, rc, out) : rc;
}

static enum lp_code
run_change(struct run *x, json_t **out)
{
    json_auto_t *actual = NULL;
    enum lp_code rc = look_until_expected(x, &actual);

    if (rc != LP_OK)
        return rc;
    if (ir_holds(x->after, actual))
        return report(x, false, actual, actual, out);
    if (x->anything && actual == NULL)
        return lp_fail(x->err, LP_RETRYABLE, "%s: %s is not there (yet)", x->r->ne.element->name,
                       x->object);
    if (!is_expected(x, actual))
        return conflict(x, actual,
                        actual != NULL && strcmp(x->action, "create") == 0
                            ? "something else is there"
                            : "it is no longer what it was when this was planned");
    return act(x, actual, out);
}

/* ---- software ---- */

static bool
well(struct run *x, const json_t *actual, json_t **problems)
{
    if (strcmp(x->object, "sw:health") != 0)
        return ir_holds(x->after, actual);
    json_decref(*problems);
    *problems = ir_health_problems(json_object_get(x->after, "baseline"), actual,
                                   x->r->platform->software->q_drop_cdb);
    return json_array_size(*problems) == 0;
}

/* An element that restarts refuses connections, logins and answers: all of that is "not yet". */
static bool
is_restarting(enum lp_code rc)
{
    return rc == LP_RETRYABLE || rc == LP_UNKNOWN || rc == LP_PROTOCOL || rc == LP_AUTH
           || rc == LP_REFUSED || rc == LP_NOT_FOUND;
}

static enum lp_code
run_wait(struct run *x, json_t **out)
{
    json_auto_t *actual = NULL, *problems = NULL;
    enum lp_code rc;

    do {
        lp_err_clear(x->err);
        rc = look(x, &actual);
        if (rc == LP_OK && well(x, actual, &problems))
            return report(x, false, actual, actual, out);
        if (rc != LP_OK && rc != LP_CANCELLED && !is_restarting(rc))
            return rc; /* cancelled: this look's time is over, not the wait's */
    } while (lp_ops_pause(x->r->call, conf_of(x)->devices_poll_ms));
    if (rc == LP_OK)
        rc = lp_fail(
            x->err, LP_RETRYABLE, "%s: not yet: %s%s%s", x->r->ne.element->name,
            lp_json_str(x->op, "text", x->object), json_array_size(problems) > 0 ? ": " : "",
            json_array_size(problems) > 0 ? json_string_value(json_array_get(problems, 0)) : "");
    else
        rc = x->err->code = LP_RETRYABLE;
    json_decref(x->err->detail);
    x->err->detail = json_pack("{s:O?}", "problems", problems);
    return rc;
}

/* Sent, and nothing came back: the element restarts, perhaps. A second one would do it twice; what
 * has an image is waited for by the operation behind it, which tells whether the first one ran. */
static bool
is_answer_lost(struct run *x, enum lp_code rc)
{
    const struct lp_call *call = x->r->call;
    struct lp_err stop = LP_ERR_INIT;
    bool lost =
        rc == LP_UNKNOWN && json_is_object(x->after) && call->check(call->ctx, &stop) == LP_OK;

    lp_err_clear(&stop);
    return lost;
}

/* One who died behind it may have sent it already: then a card restarts, and is let do so. */
static enum lp_code
demand_rest(struct run *x)
{
    json_auto_t *health = NULL;
    enum lp_code rc;

    if (strncmp(x->object, "fw:", 3) != 0)
        return LP_OK;
    rc = ir_read(x->r->platform, &x->source, x->r->call->arena, "sw:health", &health, x->err);
    if (rc == LP_OK && json_array_size(json_object_get(health, "busy")) > 0)
        rc = lp_fail(x->err, LP_RETRYABLE, "%s: a card restarts just now: %.80s",
                     x->r->ne.element->name,
                     json_string_value(json_array_get(json_object_get(health, "busy"), 0)));
    return rc;
}

/* Sent, by us or by one who died behind it, and nobody said what became of it. What shows it: the
 * image that is wanted, a card that restarts, an element that is away. Where nothing of it shows in
 * the time that things take to show, a person has to look: sent twice it would happen twice. */
static enum lp_code
look_for_traces(struct run *x)
{
    const struct lp_clock *clock = lp_driver_host_clock(x->r->ne.host);
    int64_t until = lp_clock_mono_us(clock) + conf_of(x)->devices_settle_ms * 1000;
    json_auto_t *actual = NULL;

    do {
        enum lp_code rc = look(x, &actual);

        if (rc == LP_OK && !ir_holds(x->after, actual))
            rc = demand_rest(x);
        if (rc == LP_CANCELLED) /* the call's time is over */
            break;
        if (rc != LP_OK && !is_restarting(rc))
            return rc;
        if (rc != LP_OK || ir_holds(x->after, actual)) {
            lp_err_clear(x->err);
            return LP_OK;
        }
    } while (lp_clock_mono_us(clock) < until
             && lp_ops_pause(x->r->call, conf_of(x)->devices_poll_ms));
    lp_err_clear(x->err);
    return lp_fail(x->err, LP_REFUSED,
                   "%s: %s: it was sent once, nobody knows what became of it, and nothing of it "
                   "shows; look at the element, then retry",
                   x->r->ne.element->name, lp_json_str(x->op, "text", x->object));
}

/* Images are fetched and written before the answer comes. */
static enum lp_code
send_action(struct run *x, struct ir_request *request)
{
    json_auto_t *answer = NULL;
    enum lp_code rc;

    request->timeout_ms = lp_json_int(x->op, "timeout_ms", 0);
    rc = x->r->send(x->r, request, false, &answer, x->err);
    if (rc == LP_OK)
        return ir_operation_outcome(x->r->ne.element->name, answer, x->err);
    if (!is_answer_lost(x, rc))
        return rc;
    if (json_object_get(x->err->detail, "http")
        != NULL) { /* it failed there, in whole or in part */
        x->r->call->progress(x->r->call->ctx, x->err->msg);
        lp_err_clear(x->err);
        return look_for_traces(x);
    }
    lp_err_clear(x->err);
    x->r->call->progress(x->r->call->ctx, "sent, and the answer was lost: what follows will show");
    return LP_OK;
}

/* Not read back: the element may be gone at once, a wait behind it tells. */
static enum lp_code
run_action(struct run *x, json_t **out)
{
    struct ir_request request[IR_REQUESTS];
    json_auto_t *actual = NULL;
    size_t count = 0;
    bool sent = json_is_object(x->after) && lp_json_true(x->produced, "sent");
    enum lp_code rc = look(x, &actual);

    if (rc == LP_OK && json_is_object(x->after) && ir_holds(x->after, actual))
        return report(x, false, actual, actual, out);
    if (sent && is_restarting(rc)) { /* away: it does what it was told */
        lp_err_clear(x->err);
        return report(x, true, actual, actual, out);
    }
    if (rc == LP_OK && json_is_object(x->before) && !ir_holds(x->before, actual))
        return conflict(x, actual, "it is no longer what it was when this was planned");
    if (rc == LP_OK && sent) {
        rc = look_for_traces(x);
        return rc == LP_OK ? report(x, true, actual, actual, out) : rc;
    }
    if (rc == LP_OK)
        rc = demand_rest(x);
    if (rc == LP_OK)
        rc = ir_requests(x->r->platform, &x->source, x->r->call->arena, x->op, actual, x->produced,
                         request, &count, x->err);
    if (rc == LP_OK)
        rc = ir_verify_identity(x->r, x->err);
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        rc = send_action(x, &request[i]);
    return rc == LP_OK ? report(x, true, actual, actual, out) : rc;
}

enum lp_code
ir_apply_op(struct lp_ne *ne, const struct lp_call *call, const json_t *operation,
            const json_t *produced, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *made = json_object();
    struct run x = {
        .r = r,
        .op = operation,
        .object = lp_json_str(operation, "object", ""),
        .action = lp_json_str(operation, "action", ""),
        .before = json_object_get(operation, "before"),
        .after = json_object_get(operation, "after"),
        .produced = made,
        .err = err,
    };
    enum lp_code rc;

    x.anything = strcmp(x.action, "set") == 0 && !json_is_object(x.before);
    ir_source_of(r, &x.source);
    if (json_is_object(produced))
        (void)json_object_update(made, (json_t *)(uintptr_t)produced);
    call->progress(call->ctx, lp_json_str(operation, "text", x.object));
    if (strcmp(x.action, "wait") == 0)
        rc = run_wait(&x, out);
    else if (strcmp(x.action, "action") == 0)
        rc = run_action(&x, out);
    else
        rc = run_change(&x, out);
    r->call = NULL;
    return rc;
}
