#include "clients/infinera/flexils/apply.h"

#include <string.h>

#include "clients/ops.h"

#define LOOKS_AGAIN 3 /* at an image that nobody expected */

/* ---- the plan as a document ---- */

static json_t *
identity_of(const struct fx_ne *fx)
{
    json_t *out = json_pack("{s:s, s:s, s:s}", "node", fx->element.node, "vendor", "Infinera",
                            "platform", "FlexILS");
    char serial[80];

    lp_driver_host_get_serial(fx->ne.host, fx->element.name, serial, sizeof serial);
    if (serial[0] != '\0')
        (void)lp_json_set_str(out, "serial", serial);
    return out;
}

enum lp_code
fx_plan_document(struct lp_ne *ne, const struct lp_call *call, const json_t *intents,
                 bool take_over, json_t **out, struct lp_err *err)
{
    struct fx_ne *fx = ne->priv;
    struct fx_reader reader;
    struct fx_source source;
    json_auto_t *ops = NULL;
    enum lp_code rc;

    fx->call = call;
    fx_reader_init(&reader, fx);
    fx_reader_source(&reader, &source);
    rc = fx_plan(&source, call->arena, intents, take_over, &ops, err);
    if (rc == LP_OK)
        rc = lp_ops_document(ne, identity_of(fx), intents, ops, out, err);
    fx_reader_free(&reader);
    fx->call = NULL;
    return rc;
}

/* ---- one operation ---- */

struct run {
    struct fx_ne *fx;
    const json_t *op;
    const char *object, *action;
    enum fx_class class;
    const char *named; /* as the operation says it */
    const char *aid;   /* as the element says it */
    const json_t *before, *after;
    bool undo;        /* a compensation */
    json_t *produced; /* what the element chose */
    struct lp_err *err;
};

static const struct lp_conf *
conf_of(const struct run *r)
{
    return lp_driver_host_conf(r->fx->ne.host);
}

/* "1-A-3-T1@LP-42": the super-channel, or the cross-connect, that the circuit has at the port by
 * now. r->aid is what it is called now, NULL: it is not there. */
static enum lp_code
resolve(struct run *r, const char *at)
{
    const char *port = lp_arena_strndup(r->fx->call->arena, r->named, (size_t)(at - r->named));
    json_t *cross = NULL;
    enum lp_code rc;

    if (r->class == FX_SCH)
        return fx_find_sch(r->fx, port, at + 1, &r->aid, r->err);
    rc = fx_find_cross(r->fx, port, at + 1, &r->aid, &cross, r->err);
    json_decref(cross);
    return rc;
}

static enum lp_code
read_actual(struct run *r, json_t **actual)
{
    const char *at = strchr(r->named, '@');
    enum lp_code rc = LP_OK;

    *actual = NULL;
    if (at != NULL && (r->class == FX_SCH || r->class == FX_OCRS))
        rc = resolve(r, at);
    if (rc != LP_OK || r->aid == NULL)
        return rc;
    return fx_read_one(r->fx, r->class, r->aid, actual, r->err);
}

static json_t *
image(const json_t *actual, const json_t *like)
{
    if (actual == NULL)
        return json_null();
    return json_is_object(like) ? fx_slice(actual, like) : json_deep_copy(actual);
}

static enum lp_code
conflict(struct run *r, const json_t *actual, const char *why)
{
    const json_t *like = json_is_object(r->before) ? r->before : r->after;
    enum lp_code rc =
        lp_fail(r->err, LP_CONFLICT, "%s %s: %s", r->fx->element.name, r->object, why);

    r->err->detail = json_pack("{s:o, s:O}", "actual", image(actual, like), "expected",
                               r->before != NULL ? r->before : json_null());
    return rc;
}

static enum lp_code
report(struct run *r, bool changed, const json_t *before, const json_t *after, json_t **out)
{
    const json_t *like = json_is_object(r->after) ? r->after : r->before;

    *out = json_pack("{s:b, s:o, s:o, s:O}", "changed", (int)changed, "before", image(before, like),
                     "after", image(after, like), "produced", r->produced);
    return *out != NULL ? LP_OK : lp_fail(r->err, LP_NOMEM, "no memory for a report");
}

/* ---- waiting ---- */

typedef enum lp_code look_fn(struct run *r, bool *holds, json_t **actual);

static enum lp_code
look(struct run *r, bool *holds, json_t **actual)
{
    enum lp_code rc = read_actual(r, actual);

    *holds = rc == LP_OK && fx_holds(r->class, r->after, *actual);
    return rc;
}

static enum lp_code
look_at_power(struct run *r, bool *holds, json_t **actual)
{
    const char *rest = r->object + strlen("power:"), *at = strchr(rest, '@');
    int64_t tolerance = lp_json_int(r->after, "tolerance_cdb", 150), difference;
    enum lp_code rc;

    if (at == NULL)
        return lp_fail(r->err, LP_INVALID, "'%.80s' is no power of a circuit", r->object);
    rc = fx_read_power(r->fx, lp_arena_strndup(r->fx->call->arena, rest, (size_t)(at - rest)),
                       at + 1, actual, r->err);
    *holds = false;
    if (rc == LP_NOT_FOUND) { /* no measurement yet */
        lp_err_clear(r->err);
        return LP_OK;
    }
    difference = lp_json_int(*actual, "difference_cdb", INT32_MAX);
    *holds = rc == LP_OK && difference >= -tolerance && difference <= tolerance;
    return rc;
}

/* Looks until `times` looks in a row hold, for settle_ms at most. *actual: the last look. */
static enum lp_code
poll_until(struct run *r, look_fn *fn, unsigned times, bool *held, json_t **actual)
{
    const struct lp_clock *clock = lp_driver_host_clock(r->fx->ne.host);
    int64_t end = lp_clock_mono_us(clock) + conf_of(r)->devices_settle_ms * 1000;
    unsigned good = 0;

    for (;;) {
        bool holds = false;
        enum lp_code rc;

        json_decref(*actual);
        *actual = NULL;
        rc = fn(r, &holds, actual);
        if (rc != LP_OK)
            return rc;
        good = holds ? good + 1 : 0;
        *held = good >= times;
        if (*held || lp_clock_mono_us(clock) >= end
            || !lp_ops_pause(r->fx->call, conf_of(r)->devices_poll_ms))
            return LP_OK;
    }
}

static enum lp_code
not_yet(struct run *r, const json_t *actual)
{
    enum lp_code code = actual == NULL || !json_is_object(r->after) ? LP_RETRYABLE : LP_CONFLICT;
    enum lp_code rc = lp_fail(r->err, code, "%s: after waiting, not so: %s", r->fx->element.name,
                              lp_json_str(r->op, "text", r->object));

    r->err->detail = json_pack("{s:o}", "actual", image(actual, r->after));
    return rc;
}

static enum lp_code
run_wait(struct run *r, json_t **out)
{
    bool power = strncmp(r->object, "power:", 6) == 0, held = false;
    json_auto_t *actual = NULL;
    enum lp_code rc = poll_until(r, power ? look_at_power : look, 2, &held, &actual);

    if (rc != LP_OK)
        return rc;
    return held ? report(r, false, actual, actual, out) : not_yet(r, actual);
}

/* ---- writing ---- */

static enum lp_code
send_one(struct run *r, const struct fx_request *request)
{
    const struct lp_call *call = r->fx->call;
    const struct lp_tl1_message *reply = NULL;
    int64_t gap;
    enum lp_code rc = fx_verify_identity(r->fx, r->err);

    if (rc != LP_OK)
        return rc;
    gap = lp_driver_host_write_gap(r->fx->ne.host, r->fx->element.name);
    if (gap > 0 && !lp_ops_pause(call, gap))
        return lp_fail(r->err, LP_RETRYABLE, "%s: no time left for the next change",
                       r->fx->element.name);
    rc = call->check(call->ctx, r->err);
    return rc == LP_OK ? fx_send(r->fx, request, &reply, r->err) : rc;
}

/* "Exists already", "not there", "is so already" are hints to look, never results. */
static bool
is_hint(enum lp_code rc)
{
    return rc == LP_CONFLICT || rc == LP_NOT_FOUND;
}

static enum lp_code
send_all(struct run *r, const struct fx_request *requests, size_t count)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < count; i++) {
        rc = send_one(r, &requests[i]);
        if (is_hint(rc) && i + 1 < count) {
            lp_err_clear(r->err);
            rc = LP_OK;
        }
    }
    return rc;
}

/* Reads back until the change shows. A hint of the element that turns out true is no change of
 * ours. */
static enum lp_code
verify(struct run *r, enum lp_code sent, const char *command, const json_t *before, json_t **out)
{
    struct lp_err hint = LP_ERR_INIT;
    json_auto_t *actual = NULL;
    bool held = false;
    char why[96];
    enum lp_code rc;

    lp_err_move(&hint, r->err);
    (void)snprintf(why, sizeof why, "the element accepted %s and did not make the change", command);
    rc = poll_until(r, look, 1, &held, &actual);
    if (rc == LP_OK && held)
        rc = report(r, sent == LP_OK, before, actual, out);
    else if (rc == LP_OK && sent != LP_OK)
        rc = conflict(r, actual, hint.msg);
    else if (rc == LP_OK)
        rc = conflict(r, actual, why);
    else if (sent == LP_OK && rc == LP_RETRYABLE)
        rc = lp_fail(r->err, LP_UNKNOWN, "%s %s: changed, and could not be read back",
                     r->fx->element.name, r->object);
    lp_err_clear(&hint);
    return rc;
}

/* ---- creations find their object by its business key first ---- */

static enum lp_code
find_twin(struct run *r, json_t **twin, const char **aid)
{
    const char *suffix = lp_json_str(r->after, "CKTIDSUFFIX", ""), *key;
    json_auto_t *all = NULL;
    json_t *object;
    enum lp_code rc;

    *twin = NULL;
    if (suffix[0] == '\0' || (r->class != FX_OSNC && r->class != FX_OCRS))
        return LP_OK;
    rc = fx_read_all(r->fx, r->class, NULL, &all, r->err);
    json_object_foreach(all, key, object)
    {
        if (*twin == NULL && strcmp(lp_json_str(object, "CKTIDSUFFIX", ""), suffix) == 0
            && strcmp(lp_json_str(object, "SIGTYPE", ""), "SIGNALED") != 0) {
            *twin = json_incref(object);
            *aid = lp_arena_strdup(r->fx->call->arena, key);
        }
    }
    return rc;
}

/* An object of this name on other endpoints was made by an earlier attempt, or is foreign. */
static enum lp_code
accept_twin(struct run *r, const json_t *twin, const char *aid, json_t **out)
{
    json_auto_t *wanted = json_deep_copy(r->after);

    (void)json_object_del(wanted, "REMENDPOINT"); /* its index is the element's choice */
    if (!fx_holds(r->class, wanted, twin))
        return conflict(r, twin, "a circuit of this name exists and is another one");
    (void)lp_json_set_str(r->produced, "aid", aid);
    return report(r, false, twin, twin, out);
}

/* ---- a super-channel of the far end that is taken ---- */

#define FAR_ENDS_TRIED 16

/* Does the refusal name the far end, as a whole word? */
static bool
names_far_end(const struct lp_err *err, const char *far)
{
    const char *at = strstr(lp_json_str(err->detail, "tl1_text", err->msg), far);
    char behind = at != NULL ? at[strlen(far)] : '0';

    return at != NULL && (behind < '0' || behind > '9') && behind != '-';
}

/* What the far element uses cannot be seen from here, only heard when it refuses: then the next
 * index is asked for. The refusal proves that nothing was made; the circuit is looked for by its
 * name all the same. */
static enum lp_code
try_other_far_ends(struct run *r, json_t *op, enum lp_code rc)
{
    json_t *after = json_object_get(op, "after");

    for (unsigned i = 0; i < FAR_ENDS_TRIED && (rc == LP_REFUSED || rc == LP_CONFLICT); i++) {
        const char *far = lp_json_str(after, "REMENDPOINT", ""), *twin_aid = NULL, *next;
        json_auto_t *twin = NULL;
        struct fx_request requests[FX_OP_COMMANDS];
        size_t len, count = 0;
        unsigned index;

        if (!lp_tl1_aid_split(far, &len, &index) || !names_far_end(r->err, far)
            || index >= FX_SCH_MAX)
            break;
        lp_err_clear(r->err);
        rc = find_twin(r, &twin, &twin_aid);
        if (rc != LP_OK || twin != NULL)
            break;
        next = lp_arena_printf(r->fx->call->arena, "%.*s-%u", (int)len, far, index + 1);
        (void)lp_json_set_str(after, "REMENDPOINT", next);
        (void)lp_json_set_str(r->produced, "REMENDPOINT", next);
        rc = fx_op_requests(r->fx->call->arena, r->fx->element.node, op, requests, &count, r->err);
        if (rc == LP_OK)
            rc = send_one(r, &requests[0]);
    }
    return rc;
}

/* ---- the three kinds of change ---- */

/* Where a creation is undone, somebody may have taken it out of service on the way already. */
static bool
before_holds(const struct run *r, const json_t *actual)
{
    json_auto_t *tolerant = NULL;

    if (fx_holds(r->class, r->before, actual))
        return true;
    if (strcmp(r->action, "delete") != 0 || actual == NULL
        || strcmp(lp_json_str(r->before, "ADMIN", ""), "IS") != 0
        || strcmp(lp_json_str(actual, "ADMIN", ""), "OOS") != 0)
        return false;
    tolerant = json_deep_copy(r->before);
    (void)lp_json_set_str(tolerant, "ADMIN", "OOS");
    return fx_holds(r->class, tolerant, actual);
}

/* "ED-OTS": what was sent last. */
static const char *
last_code(const struct fx_request *requests, size_t count)
{
    const struct fx_verb_row *row =
        count > 0 ? fx_verb_find(requests[count - 1].object, requests[count - 1].verb) : NULL;

    return row != NULL ? row->code : "the command";
}

static enum lp_code
act(struct run *r, const json_t *actual, json_t **out)
{
    json_auto_t *op = json_copy((json_t *)(uintptr_t)r->op), *from = NULL;
    struct fx_request requests[FX_OP_COMMANDS];
    size_t count = 0;
    enum lp_code rc;

    if (strcmp(r->action, "delete") == 0 && json_is_object(r->before)) {
        from = json_deep_copy(r->before); /* commands for the state that it is in now */
        (void)json_object_set(from, "ADMIN", json_object_get(actual, "ADMIN"));
        (void)json_object_set(op, "before", from);
    }
    rc = fx_op_requests(r->fx->call->arena, r->fx->element.node, op, requests, &count, r->err);
    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        requests[i].aid = r->aid;
    rc = send_all(r, requests, count);
    if (r->class == FX_OSNC && strcmp(r->action, "create") == 0 && rc != LP_OK) {
        json_auto_t *after = json_deep_copy(r->after);

        (void)json_object_set(op, "after", after);
        rc = try_other_far_ends(r, op, rc);
    }
    return rc == LP_OK || is_hint(rc) ? verify(r, rc, last_code(requests, count), actual, out) : rc;
}

/* A super-channel that is gone is dark: undoing the opening of its shutter is done. */
static bool
is_dark_already(const struct run *r, const json_t *actual)
{
    return r->undo && r->class == FX_SCH && actual == NULL && strcmp(r->action, "set") == 0
           && lp_json_int(r->op, "phase", 0) % LP_PHASE_LATER != LP_PHASE_DARK;
}

static enum lp_code
look_whether_there(struct run *r, bool *holds, json_t **actual)
{
    enum lp_code rc = read_actual(r, actual);

    *holds = rc == LP_OK && *actual != NULL;
    return rc;
}

/* Undoing a closing comes right behind undoing a deletion: the super-channel is on its way. */
static enum lp_code
await_super_channel(struct run *r, json_t **actual)
{
    bool held;

    if (!r->undo || r->class != FX_SCH || *actual != NULL || strcmp(r->action, "set") != 0
        || is_dark_already(r, *actual))
        return LP_OK;
    return poll_until(r, look_whether_there, 1, &held, actual);
}

static bool
is_expected(const struct run *r, const json_t *actual)
{
    return fx_holds(r->class, r->after, actual) || before_holds(r, actual);
}

static enum lp_code
look_whether_expected(struct run *r, bool *holds, json_t **actual)
{
    enum lp_code rc = read_actual(r, actual);

    *holds = rc == LP_OK && is_expected(r, *actual);
    return rc;
}

/* An element may show an older image for a moment: what is neither before nor after is looked at
 * again before it counts as a conflict. */
static enum lp_code
look_again(struct run *r, json_t **actual)
{
    enum lp_code rc = LP_OK;
    bool holds = is_expected(r, *actual);

    for (unsigned i = 0; rc == LP_OK && !holds && i < LOOKS_AGAIN
                         && lp_ops_pause(r->fx->call, conf_of(r)->devices_poll_ms);
         i++) {
        json_decref(*actual);
        *actual = NULL;
        rc = look_whether_expected(r, &holds, actual);
    }
    return rc;
}

static enum lp_code
run_change(struct run *r, json_t **out)
{
    json_auto_t *actual = NULL, *twin = NULL;
    const char *aid = NULL;
    enum lp_code rc = read_actual(r, &actual);

    if (rc == LP_OK)
        rc = await_super_channel(r, &actual);
    if (rc == LP_OK && !is_dark_already(r, actual))
        rc = look_again(r, &actual);
    if (rc != LP_OK)
        return rc;
    if (fx_holds(r->class, r->after, actual) || is_dark_already(r, actual))
        return report(r, false, actual, actual, out);
    if (strcmp(r->action, "create") == 0) {
        rc = find_twin(r, &twin, &aid);
        if (rc != LP_OK)
            return rc;
        if (twin != NULL && strcmp(aid, r->aid) != 0)
            return accept_twin(r, twin, aid, out);
    }
    if (!before_holds(r, actual))
        return conflict(r, actual,
                        actual != NULL && strcmp(r->action, "create") == 0
                            ? "something else is there"
                            : "it is no longer what it was when this was planned");
    return act(r, actual, out);
}

/* OPR-VALROUTE-OEL: may be repeated, changes nothing that could be read. */
static enum lp_code
run_action(struct run *r, json_t **out)
{
    struct fx_request requests[FX_OP_COMMANDS];
    const struct lp_tl1_message *reply = NULL;
    size_t count = 0;
    enum lp_code rc =
        fx_op_requests(r->fx->call->arena, r->fx->element.node, r->op, requests, &count, r->err);

    if (rc == LP_OK)
        rc = fx_send(r->fx, &requests[0], &reply, r->err);
    return rc == LP_OK ? report(r, false, NULL, NULL, out) : rc;
}

static enum lp_code
run_op(struct run *r, json_t **out)
{
    bool power = strncmp(r->object, "power:", 6) == 0;

    if (!power && !fx_class_of(r->object, &r->class, &r->named))
        return lp_fail(r->err, LP_INVALID, "'%.80s' is no object of a FlexILS element", r->object);
    r->aid = r->named;
    r->fx->call->progress(r->fx->call->ctx, lp_json_str(r->op, "text", r->object));
    if (strcmp(r->action, "wait") == 0)
        return run_wait(r, out);
    if (strcmp(r->action, "action") == 0)
        return run_action(r, out);
    return run_change(r, out);
}

static bool
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), wanted = strlen(end);

    return len >= wanted && strcmp(text + len - wanted, end) == 0;
}

enum lp_code
fx_apply_op(struct lp_ne *ne, const struct lp_call *call, const json_t *operation,
            const json_t *produced, json_t **out, struct lp_err *err)
{
    struct fx_ne *fx = ne->priv;
    json_auto_t *made = json_object();
    struct run r = {
        .fx = fx,
        .op = operation,
        .object = lp_json_str(operation, "object", ""),
        .action = lp_json_str(operation, "action", ""),
        .named = "",
        .before = json_object_get(operation, "before"),
        .after = json_object_get(operation, "after"),
        .undo = ends_with(lp_json_str(operation, "id", ""), " to undo"),
        .produced = made,
        .err = err,
    };
    enum lp_code rc;

    fx->call = call;
    if (json_is_object(produced))
        (void)json_object_update(made, (json_t *)(uintptr_t)produced);
    rc = run_op(&r, out);
    fx->call = NULL;
    return rc;
}
