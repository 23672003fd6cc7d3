/* One operation: its commands, its preview, its undoing. */
#include <string.h>

#include "clients/infinera/flexils/normal.h"
#include "clients/infinera/flexils/plan.h"
#include "clients/ops.h"

/* What production networks send with a creation beside the attributes that matter. */
static const struct fixed {
    enum fx_class object;
    const char *name, *value;
} fixed_values[] = {
    {FX_OSNC, "RESTORABLE", "NONE"},
    {FX_OSNC, "PREPROV", "TRUE"},
    {FX_OSNC, "AUTORETUNELMSCH", "DISABLED"},
    {FX_OSNC, "SRCRXSCHOFFSET", "0"},
    {FX_OSNC, "DSTRXSCHOFFSET", "0"},
    {FX_OSNC, "FAULTSOAKTIMER", "5"},
    {FX_OSNC, "BAUDRATE", "NA"},
    {FX_OSNC, "MODULATION", "PM-NONE"},
    {FX_OSNC, "FREQSLOTPLANTYPE", "FREQ-SLOT-PLAN-NONE"},
    {FX_OSNC, "SRCSCHPOWEROFFSET", "0"},
    {FX_OSNC, "DSTSCHPOWEROFFSET", "0"},
    {FX_OSNC, "ROUTETYPE", "OEL"},
    {FX_OSNC, "INTRACARRSPECSHAPING", "ENABLED"},
    {FX_OSNC, "DIGITRIGGER", "FALSE"},
    {FX_OSNC, "RESTORATIONTRIGGER", "OPTICALSF"},
    {FX_OEL, "MODULATION", "PM-NONE"},
    {FX_OEL, "ENCODMOD", "None"},
    {FX_OEL, "RATE", "NA"},
    {FX_OEL, "SPECTYPE", "NA"},
    {FX_OEL, "CARDTYPE", "UNKNOWN"},
    {FX_OEL, "FREQSLOTPLANTYPE", "FREQ-SLOT-PLAN-NONE"},
    {FX_OEL, "COMPCARDTYPELIST", "UNKNOWN"},
    {FX_OEL, "VALIDFRANGELIST", "191325000&196125000"},
    {FX_OEL, "SRCPOWEROFFSET", "0"},
    {FX_OEL, "DSTPOWEROFFSET", "0"},
    {FX_OEL, "OELSOURCE", "MANUAL"},
    {FX_OEL, "GAURDBAND", "0"},
    {FX_OEL, "NUMFECITRNS", "4"},
    {FX_OCRS, "FREQSLOTPLANTYPE", "FREQ-SLOT-PLAN-NONE"},
    {FX_OCRS, "SCHOFFSET", "0"},
    {FX_OCRS, "AUTORETUNELMSCH", "DISABLED"},
    {FX_OCRS, "INTRACARRSPECSHAPING", "ENABLED"},
};

/* ---- comparing ---- */

static bool
is_fixed(enum fx_class object, const char *name)
{
    for (size_t i = 0; i < LP_COUNT(fixed_values); i++) {
        if (fixed_values[i].object == object && strcmp(fixed_values[i].name, name) == 0)
            return true;
    }
    return false;
}

bool
fx_holds(enum fx_class object, const json_t *wanted, const json_t *actual)
{
    const char *name;
    json_t *value;

    if (wanted == NULL || json_is_null(wanted))
        return actual == NULL;
    if (actual == NULL)
        return false;
    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
    {
        const json_t *is = json_object_get(actual, name);

        if (is == NULL && is_fixed(object, name))
            continue; /* not every release shows what it was created with */
        if (!fx_same_value(name, value, is))
            return false;
    }
    return true;
}

json_t *
fx_slice(const json_t *actual, const json_t *like)
{
    json_t *out = json_object();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)like, name, value)
    {
        json_t *is = json_object_get(actual, name);

        if (is != NULL)
            (void)json_object_set(out, name, is);
        else
            (void)lp_json_set_str(out, name, "");
    }
    return out;
}

/* ---- commands ---- */

struct maker {
    struct lp_arena *arena;
    const char *tid, *aid;
    enum fx_class object;
    const json_t *before, *after;
    struct fx_request *requests;
    size_t *count;
    struct lp_err *err;
};

static struct fx_request *
next(const struct maker *m, enum fx_verb verb)
{
    struct fx_request *r = &m->requests[(*m->count)++];

    *r = (struct fx_request){.object = m->object, .verb = verb, .tid = m->tid, .aid = m->aid};
    return r;
}

/* A state is reached by ED, or through RMV and RST when maintenance is on either side. */
static void
state_request(const struct maker *m, const char *from, const char *to)
{
    if (strcmp(to, "MT") == 0)
        (void)next(m, FX_RMV);
    else if (strcmp(from, "MT") == 0 || m->object == FX_OTS)
        (void)next(m, FX_RST);
    else
        next(m, FX_ED_V)->state = to;
}

static enum lp_code
set_requests(const struct maker *m)
{
    const char *to = lp_json_str(m->after, "ADMIN", NULL);

    if (to == NULL)
        next(m, FX_ED_V)->named = m->after;
    else if (json_object_size(m->after) == 1)
        state_request(m, lp_json_str(m->before, "ADMIN", ""), to);
    else
        return lp_fail(m->err, LP_INVALID, "a state is changed by a command of its own");
    return LP_OK;
}

static void
delete_requests(const struct maker *m)
{
    if (strcmp(lp_json_str(m->before, "ADMIN", ""), "IS") == 0
        && (m->object == FX_OSNC || m->object == FX_OEL))
        next(m, FX_ED_V)->state = "OOS";
    (void)next(m, FX_DLT);
}

static void
create_requests(const struct maker *m)
{
    struct fx_request *r = next(m, FX_ENT_V);

    r->named = m->after;
    if (m->object != FX_OCRS)
        r->state = lp_json_str(m->after, "ADMIN", NULL);
}

enum lp_code
fx_op_requests(struct lp_arena *arena, const char *tid, const json_t *operation,
               struct fx_request requests[static FX_OP_COMMANDS], size_t *count, struct lp_err *err)
{
    const char *object = lp_json_str(operation, "object", "");
    const char *action = lp_json_str(operation, "action", "");
    struct maker m = {.arena = arena,
                      .tid = tid,
                      .before = json_object_get(operation, "before"),
                      .after = json_object_get(operation, "after"),
                      .requests = requests,
                      .count = count,
                      .err = err};

    *count = 0;
    if (strcmp(action, "wait") == 0)
        return LP_OK; /* also for what is no object of a class, such as power */
    if (!fx_class_of(object, &m.object, &m.aid))
        return lp_fail(err, LP_INVALID, "'%.80s' is no object of a FlexILS element", object);
    if (strcmp(action, "set") == 0)
        return set_requests(&m);
    if (strcmp(action, "create") == 0)
        create_requests(&m);
    else if (strcmp(action, "delete") == 0)
        delete_requests(&m);
    else if (strcmp(action, "action") == 0)
        (void)next(&m, FX_OPR);
    else
        return lp_fail(err, LP_INVALID, "'%.32s' is no action", action);
    return LP_OK;
}

/* ---- making one ---- */

/* "LABEL, ADMIN=IS": what tells this operation from others on its object. */
static void
put_what(struct lp_buf *buf, const struct fx_op *op)
{
    const char *name, *separator = " ";
    json_t *value;

    if (strcmp(op->action, "set") != 0 && strcmp(op->action, "wait") != 0)
        return;
    json_object_foreach((json_t *)(uintptr_t)op->after, name, value)
    {
        lp_buf_printf(buf, "%s%s", separator, name);
        if (strcmp(name, "ADMIN") == 0)
            lp_buf_printf(buf, "=%s", json_string_value(value));
        separator = ",";
    }
}

/* One line for a person. */
static void
put_text(struct lp_buf *buf, const struct fx_op *op)
{
    const char *label = lp_json_str(op->after != NULL ? op->after : op->before, "LABEL", "");

    if (op->text != NULL) {
        lp_buf_str(buf, op->text);
    } else if (strcmp(op->action, "set") != 0) {
        lp_buf_printf(buf, "%s %s", op->action, op->object);
        if (label[0] != '\0')
            lp_buf_printf(buf, " (%s)", label);
    } else if (json_object_get(op->after, "ADMIN") != NULL) {
        lp_buf_printf(buf, "take %s from %s to %s", op->object,
                      lp_json_str(op->before, "ADMIN", "?"), lp_json_str(op->after, "ADMIN", "?"));
    } else {
        lp_buf_printf(buf, "set %s ", op->object);
        lp_ops_put_values(buf, op->after);
    }
}

static int64_t
timeout_of(const struct fx_op *op)
{
    if (op->timeout_ms != 0)
        return op->timeout_ms;
    return strcmp(op->action, "set") == 0 ? 120000 : 240000;
}

static enum lp_code
add_commands(const struct fx_source *source, struct lp_arena *arena, json_t *op, struct lp_err *err)
{
    struct fx_request requests[FX_OP_COMMANDS];
    json_t *commands = json_array();
    size_t count = 0;
    enum lp_code rc;

    (void)json_object_set_new(op, "commands", commands);
    rc = fx_op_requests(arena, source->tid, op, requests, &count, err);
    for (size_t i = 0; rc == LP_OK && i < count; i++) {
        const char *text = NULL;

        rc = fx_command_text(arena, &requests[i], &text, err);
        if (rc == LP_OK && json_array_append_new(commands, json_string(text)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for a plan");
    }
    return rc;
}

static json_t *
or_null(const json_t *value)
{
    return value != NULL ? json_deep_copy(value) : json_null();
}

static enum lp_code
make_plain(const struct fx_source *source, struct lp_arena *arena, const struct fx_op *op,
           json_t **out, struct lp_err *err)
{
    struct lp_buf id = LP_BUF_INIT, text = LP_BUF_INIT;
    json_t *made;
    enum lp_code rc;

    lp_buf_printf(&id, "%s %s", op->action, op->object);
    put_what(&id, op);
    if (op->purpose != NULL)
        lp_buf_printf(&id, " %s", op->purpose);
    put_text(&text, op);
    made = id.failed || text.failed
               ? NULL
               : json_pack("{s:s, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:I}", "id", id.data,
                           "phase", (int)op->phase, "object", op->object, "action", op->action,
                           "intent", op->intent, "before", or_null(op->before), "after",
                           or_null(op->after), "flags", lp_ops_flags(op->flags), "text", text.data,
                           "timeout_ms", (json_int_t)timeout_of(op));
    rc = made == NULL ? lp_fail(err, LP_NOMEM, "no memory for a plan")
                      : add_commands(source, arena, made, err);
    lp_buf_free(&id);
    lp_buf_free(&text);
    if (rc != LP_OK) {
        json_decref(made);
        return rc;
    }
    *out = made;
    return LP_OK;
}

json_t *
fx_creation(enum fx_class object, const json_t *wanted)
{
    json_t *out = json_object();
    const char *name;
    json_t *value;

    for (size_t i = 0; i < LP_COUNT(fixed_values); i++) {
        if (fixed_values[i].object == object)
            (void)json_object_set_new(
                out, fixed_values[i].name,
                fx_normal(object, fixed_values[i].name, fixed_values[i].value));
    }
    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
    {
        const struct fx_param *param = fx_param_find(object, name);
        bool may = (param != NULL && (param->uses & FX_ENT) != 0) || strcmp(name, "ADMIN") == 0;

        if (may && !fx_same_value(name, value, NULL))
            (void)json_object_set(out, name, value);
    }
    return out;
}

/* Enumerations that had no value before cannot be emptied again: they stay. */
static json_t *
restorable(enum fx_class object, const json_t *before)
{
    json_t *out = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)before, name, value)
    {
        const struct fx_param *param = fx_param_find(object, name);

        if (param == NULL || param->values == NULL || !fx_same_value(name, value, NULL))
            (void)json_object_set(out, name, value);
    }
    return out;
}

static enum lp_code
make_inverse(const struct fx_source *source, struct lp_arena *arena, const struct fx_op *op,
             json_t **out, struct lp_err *err)
{
    struct fx_op undo = *op;
    enum fx_class object = FX_EQPT;
    const char *aid;
    json_auto_t *made_of = NULL;

    *out = NULL;
    if ((op->flags & LP_OP_IRREVERSIBLE) != 0 || strcmp(op->action, "action") == 0)
        return LP_OK;
    if (strcmp(op->action, "wait") == 0 && op->purpose == NULL)
        return LP_OK;
    undo.before = op->after;
    undo.after = op->before;
    undo.text = NULL;
    undo.purpose = "to undo";
    undo.flags = op->flags;
    (void)fx_class_of(op->object, &object, &aid);
    if (strcmp(op->action, "create") == 0)
        undo.action = "delete";
    if (strcmp(op->action, "set") == 0) {
        undo.after = made_of = restorable(object, op->before);
        if (json_object_size(made_of) == 0)
            return LP_OK;
    }
    if (strcmp(op->action, "delete") == 0) {
        undo.action = "create";
        undo.after = made_of = fx_creation(object, op->before);
    }
    if (strcmp(op->action, "wait") == 0)
        undo.after = op->after;
    return make_plain(source, arena, &undo, out, err);
}

enum lp_code
fx_op_make(const struct fx_source *source, struct lp_arena *arena, const struct fx_op *op,
           json_t **out, struct lp_err *err)
{
    json_t *made = NULL, *undo = NULL;
    enum lp_code rc = make_plain(source, arena, op, &made, err);

    if (rc == LP_OK)
        rc = make_inverse(source, arena, op, &undo, err);
    if (rc != LP_OK) {
        json_decref(made);
        return rc;
    }
    (void)json_object_set_new(made, "compensation", undo != NULL ? undo : json_null());
    *out = made;
    return LP_OK;
}
