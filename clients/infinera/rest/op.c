/* One operation: its requests, its preview, its undoing. */
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/rest/rest.h"

const struct ir_class *
ir_class_find(const struct ir_platform *platform, const char *prefix)
{
    for (size_t i = 0; i < platform->class_count; i++) {
        if (strcmp(platform->classes[i].prefix, prefix) == 0)
            return &platform->classes[i];
    }
    return NULL;
}

/* ---- requests ---- */

static enum lp_code
body_text(struct lp_arena *arena, const json_t *body, const char **out, struct lp_err *err)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);

    *out = text != NULL ? lp_arena_strdup(arena, text) : NULL;
    free(text);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a request");
}

static enum lp_code
write_request(struct lp_arena *arena, const struct ir_place *place, const char *method,
              const json_t *values, struct ir_request *request, struct lp_err *err)
{
    json_auto_t *body = NULL;
    enum lp_code rc = ir_body(place, values, &body, err);

    *request = (struct ir_request){
        .method = method, .path = strcmp(method, "POST") == 0 ? place->parent : place->path};
    return rc == LP_OK ? body_text(arena, body, &request->body, err) : rc;
}

enum lp_code
ir_requests(const struct ir_platform *platform, const struct ir_source *source,
            struct lp_arena *arena, const json_t *operation, const json_t *actual, json_t *produced,
            struct ir_request requests[static IR_REQUESTS], size_t *count, struct lp_err *err)
{
    const char *action = lp_json_str(operation, "action", "");
    const char *object = lp_json_str(operation, "object", "");
    const json_t *after = json_object_get(operation, "after");
    struct ir_place place;
    bool special = false;
    enum lp_code rc;

    *count = 0;
    if (strcmp(action, "wait") == 0)
        return LP_OK;
    if (ir_is_software(object) && platform->software != NULL) {
        *count = 1;
        return platform->software->write(arena, operation, &requests[0], err);
    }
    rc = platform->special_read(NULL, arena, object, &special, NULL, err);
    if (rc == LP_OK && special)
        return platform->special_write(source, arena, operation, actual, produced, requests, count,
                                       err);
    if (rc == LP_OK)
        rc = platform->locate(arena, object, &place, err);
    if (rc != LP_OK)
        return rc;
    *count = 1;
    if (strcmp(action, "set") == 0)
        return write_request(arena, &place, "PATCH", after, &requests[0], err);
    if (strcmp(action, "create") == 0 && place.parent != NULL)
        return write_request(arena, &place, "POST", after, &requests[0], err);
    if (strcmp(action, "delete") == 0 && place.parent != NULL) {
        requests[0] = (struct ir_request){.method = "DELETE", .path = place.path};
        return LP_OK;
    }
    return lp_fail(err, LP_INVALID, "%s cannot be the object of '%.32s'", object, action);
}

/* ---- reading ---- */

enum lp_code
ir_read(const struct ir_platform *platform, const struct ir_source *source, struct lp_arena *arena,
        const char *reference, json_t **out, struct lp_err *err)
{
    static const struct lp_restconf_query two_levels = {.content = LP_RESTCONF_CONTENT_ALL,
                                                        .depth = 2};
    struct ir_place place;
    json_auto_t *answer = NULL;
    bool special = false;
    enum lp_code rc;

    if (ir_is_software(reference))
        return ir_software_read(platform, source, arena, reference, out, err);
    rc = platform->special_read(source, arena, reference, &special, out, err);

    if (rc != LP_OK || special)
        return rc;
    *out = NULL;
    rc = platform->locate(arena, reference, &place, err);
    if (rc == LP_OK)
        rc = source->get(source->ctx, place.path, &two_levels, &answer, err);
    if (rc == LP_OK && json_is_object(answer))
        *out = ir_object(place.class, answer);
    return rc;
}

/* ---- making one ---- */

static void
put_what(struct lp_buf *buf, const struct ir_op *op)
{
    const char *name, *separator = " ";
    json_t *value;

    if (strcmp(op->action, "set") != 0)
        return;
    json_object_foreach((json_t *)(uintptr_t)op->after, name, value)
    {
        lp_buf_printf(buf, "%s%s", separator, name);
        separator = ",";
    }
}

static void
put_text(struct lp_buf *buf, const struct ir_op *op)
{
    if (op->text != NULL) {
        lp_buf_str(buf, op->text);
    } else if (strcmp(op->action, "set") != 0) {
        lp_buf_printf(buf, "%s %s", op->action, op->object);
    } else {
        lp_buf_printf(buf, "set %s ", op->object);
        lp_ops_put_values(buf, op->after);
    }
}

static enum lp_code
add_commands(struct ir_planner *p, json_t *op)
{
    struct ir_request requests[IR_REQUESTS];
    json_t *commands = json_array();
    size_t count = 0;
    enum lp_code rc;

    (void)json_object_set_new(op, "commands", commands);
    rc = ir_requests(p->platform, NULL, p->arena, op, NULL, NULL, requests, &count, p->err);
    for (size_t i = 0; rc == LP_OK && i < count; i++) {
        const char *text = lp_arena_printf(p->arena, "%s %s%s%s", requests[i].method,
                                           requests[i].path, requests[i].body != NULL ? " " : "",
                                           requests[i].body != NULL ? requests[i].body : "");

        if (text == NULL || json_array_append_new(commands, json_string(text)) != 0)
            rc = lp_fail(p->err, LP_NOMEM, "no memory for a plan");
    }
    return rc;
}

static json_t *
or_null(const json_t *value)
{
    return value != NULL ? json_deep_copy(value) : json_null();
}

static enum lp_code
make_plain(struct ir_planner *p, const struct ir_op *op, json_t **out)
{
    int64_t timeout = op->timeout_ms != 0 ? op->timeout_ms : 120000;
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
                           "timeout_ms", (json_int_t)timeout);
    if (op->hints != NULL)
        (void)json_object_set_new(made, "hints", json_deep_copy(op->hints));
    rc = made == NULL ? lp_fail(p->err, LP_NOMEM, "no memory for a plan") : add_commands(p, made);
    lp_buf_free(&id);
    lp_buf_free(&text);
    if (rc != LP_OK) {
        json_decref(made);
        return rc;
    }
    *out = made;
    return LP_OK;
}

/* The attributes that can be written again: an enumeration or a number that was not there cannot
 * be emptied. */
static json_t *
restorable(const struct ir_op *op)
{
    const json_t *from = op->restore != NULL ? op->restore : op->before;
    json_t *out = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)from, name, value)
    {
        if (!ir_same(value, NULL)
            || (op->after != NULL && json_object_get(op->after, name) != NULL))
            (void)json_object_set(out, name, value);
    }
    return out;
}

static enum lp_code
make_inverse(struct ir_planner *p, const struct ir_op *op, json_t **out)
{
    struct ir_op undo = *op;
    json_auto_t *again = NULL;

    *out = NULL;
    if ((op->flags & LP_OP_IRREVERSIBLE) != 0 || strcmp(op->action, "action") == 0
        || strcmp(op->action, "wait") == 0)
        return LP_OK;
    if (strcmp(op->action, "set") == 0 && op->before == NULL && op->restore == NULL)
        return LP_OK; /* it goes with what made it appear */
    undo.before = op->restore != NULL ? NULL : op->after;
    undo.after = op->restore != NULL ? op->restore : op->before;
    undo.restore = NULL;
    undo.hints = NULL;
    undo.text = NULL;
    undo.purpose = "to undo";
    if (strcmp(op->action, "create") == 0)
        undo.action = "delete";
    else if (strcmp(op->action, "delete") == 0)
        undo.action = "create";
    if (strcmp(op->action, "set") == 0) {
        undo.after = again = restorable(op);
        if (json_object_size(again) == 0)
            return LP_OK;
    }
    return make_plain(p, &undo, out);
}

/* What the object is once the operation is done. */
static void
note_state(struct ir_planner *p, const struct ir_op *op)
{
    json_t *held = json_object_get(p->state, op->object);

    if (strcmp(op->action, "delete") == 0)
        (void)json_object_set_new(p->state, op->object, json_null());
    else if (strcmp(op->action, "set") == 0 && json_is_object(held))
        (void)json_object_update(held, (json_t *)(uintptr_t)op->after);
    else if (op->after != NULL && strcmp(op->action, "wait") != 0)
        (void)json_object_set_new(p->state, op->object, json_deep_copy(op->after));
}

enum lp_code
ir_add(struct ir_planner *p, const struct ir_op *op)
{
    json_t *made = NULL, *undo = NULL;
    enum lp_code rc = make_plain(p, op, &made);

    if (rc == LP_OK)
        rc = make_inverse(p, op, &undo);
    if (rc != LP_OK) {
        json_decref(made);
        return rc;
    }
    (void)json_object_set_new(made, "compensation", undo != NULL ? undo : json_null());
    note_state(p, op);
    if (json_array_append_new(p->ops, made) != 0)
        return lp_fail(p->err, LP_NOMEM, "no memory for a plan");
    return LP_OK;
}
