#include "clients/infinera/flexils/commands.h"

#include <string.h>

#include "clients/infinera/flexils/normal.h"

static const struct {
    const char *prefix;
    unsigned aids;
} objects[] = {
#define FX_OBJECT(symbol, text, count) [FX_##symbol] = {(text), (count)},
#include "clients/infinera/flexils/commands.def"
#undef FX_OBJECT
};

static const struct fx_verb_row verbs[] = {
#define FX_COMMAND(symbol, what, text, blocks, values, may)                                        \
    {FX_##symbol, what, (text), (blocks), (values), (may)},
#include "clients/infinera/flexils/commands.def"
#undef FX_COMMAND
};

static const struct fx_param params[] = {
#define FX_PARAM(symbol, text, where, may) {FX_##symbol, (text), (where), (may)},
#include "clients/infinera/flexils/commands.def"
#undef FX_PARAM
};

static const char *const maintenance_types[] = {
#define FX_MAINT(type) type,
#include "clients/infinera/flexils/commands.def"
#undef FX_MAINT
};

const char *
fx_class_prefix(enum fx_class object)
{
    return objects[object].prefix;
}

bool
fx_class_of(const char *reference, enum fx_class *object, const char **aid)
{
    const char *colon = strchr(reference, ':');

    if (colon == NULL)
        return false;
    for (size_t i = 0; i < LP_COUNT(objects); i++) {
        size_t len = strlen(objects[i].prefix);

        if (len == (size_t)(colon - reference) && strncmp(objects[i].prefix, reference, len) == 0) {
            *object = (enum fx_class)i;
            *aid = colon + 1;
            return true;
        }
    }
    return false;
}

const struct fx_param *
fx_param_find(enum fx_class object, const char *name)
{
    for (size_t i = 0; i < LP_COUNT(params); i++) {
        if (params[i].object == object && strcmp(params[i].name, name) == 0)
            return &params[i];
    }
    return NULL;
}

const struct fx_verb_row *
fx_verb_find(enum fx_class object, enum fx_verb verb)
{
    for (size_t i = 0; i < LP_COUNT(verbs); i++) {
        if (verbs[i].object == object && verbs[i].verb == verb)
            return &verbs[i];
    }
    return NULL;
}

const struct fx_verb_row *
fx_verbs(size_t *count)
{
    *count = LP_COUNT(verbs);
    return verbs;
}

const struct fx_param *
fx_params(size_t *count)
{
    *count = LP_COUNT(params);
    return params;
}

bool
fx_maintenance_type(const char *type)
{
    for (size_t i = 0; i < LP_COUNT(maintenance_types); i++) {
        if (strcmp(maintenance_types[i], type) == 0)
            return true;
    }
    return false;
}

/* ---- the builder ---- */

struct maker {
    struct lp_arena *arena;
    const struct fx_request *request;
    const struct fx_verb_row *row;
    struct lp_err *err;
};

static enum lp_code
no_memory(const struct maker *m)
{
    return lp_fail(m->err, LP_NOMEM, "no memory for a TL1 command");
}

/* "1-A-3-T1" or "from,to" as positional parameters. */
static enum lp_code
make_aids(const struct maker *m, struct lp_tl1_command *out)
{
    unsigned expected = objects[m->request->object].aids;
    struct lp_tl1_param *aids;
    size_t count = 0;
    char *rest;

    if (m->request->aid == NULL || m->request->aid[0] == '\0')
        return LP_OK;
    aids = lp_arena_array(m->arena, expected + 1, sizeof *aids);
    rest = lp_arena_strdup(m->arena, m->request->aid);
    if (aids == NULL || rest == NULL)
        return no_memory(m);
    while (rest != NULL && count <= expected)
        aids[count++].value = strsep(&rest, ",");
    if (count != expected)
        return lp_fail(m->err, LP_INVALID, "%s takes %u identifiers, not '%.80s'", m->row->code,
                       expected, m->request->aid);
    out->aids = (struct lp_tl1_block){aids, count};
    return LP_OK;
}

/* All commas are sent even when nothing stands between them: a missing one shifts the rest. */
static enum lp_code
make_positional(const struct maker *m, struct lp_tl1_block *out)
{
    struct lp_tl1_param *values;

    if (m->request->positional == NULL && m->row->positional <= 1)
        return LP_OK;
    values = lp_arena_array(m->arena, m->row->positional + 1, sizeof *values);
    if (values == NULL)
        return no_memory(m);
    for (unsigned i = 0; i < m->row->positional; i++)
        values[i].value = m->request->positional != NULL ? m->request->positional[i] : NULL;
    *out = (struct lp_tl1_block){values, m->row->positional};
    return LP_OK;
}

static unsigned
use_of(enum fx_verb verb)
{
    return verb == FX_ENT_V ? FX_ENT : verb == FX_ED_V ? FX_ED : FX_FIND;
}

static enum lp_code
make_one(const struct maker *m, const char *name, const json_t *value, struct lp_tl1_param *out)
{
    const struct fx_param *param = fx_param_find(m->request->object, name);

    if (param == NULL || (param->uses & use_of(m->request->verb)) == 0)
        return lp_fail(m->err, LP_INVALID, "%s has no parameter '%.64s'", m->row->code, name);
    out->name = param->name;
    out->value = fx_wire_value(m->arena, param, value);
    if (out->value == NULL)
        return lp_fail(m->err, LP_INVALID, "%s: a value that %s does not take (allowed: %s)",
                       m->row->code, name, param->values != NULL ? param->values : "text or list");
    out->form = out->value[0] == '\0' ? LP_TL1_QUOTED : LP_TL1_AUTO;
    return LP_OK;
}

static enum lp_code
check_required(const struct maker *m)
{
    for (size_t i = 0; m->request->verb == FX_ENT_V && i < LP_COUNT(params); i++) {
        if (params[i].object == m->request->object && (params[i].uses & FX_REQ) != 0
            && json_object_get(m->request->named, params[i].name) == NULL)
            return lp_fail(m->err, LP_INVALID, "%s needs %s", m->row->code, params[i].name);
    }
    return LP_OK;
}

/* In the order of the table, so that equal requests give equal bytes. */
static enum lp_code
make_named(const struct maker *m, struct lp_tl1_block *out)
{
    size_t count = json_object_size(m->request->named), used = 0;
    struct lp_tl1_param *values = lp_arena_array(m->arena, count + 1, sizeof *values);
    enum lp_code rc = values != NULL ? check_required(m) : no_memory(m);
    const char *name;
    json_t *value;

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(params); i++) {
        value = params[i].object == m->request->object
                    ? json_object_get(m->request->named, params[i].name)
                    : NULL;
        if (value != NULL)
            rc = make_one(m, params[i].name, value, &values[used++]);
    }
    if (rc != LP_OK)
        return rc;
    if (used != count) {
        json_object_foreach((json_t *)(uintptr_t)m->request->named, name, value)
        {
            if (strcmp(name, "ADMIN") != 0 && fx_param_find(m->request->object, name) == NULL)
                return lp_fail(m->err, LP_INVALID, "%s has no parameter '%.64s'", m->row->code,
                               name);
        }
    }
    *out = (struct lp_tl1_block){values, used};
    return LP_OK;
}

static enum lp_code
make_state(const struct maker *m, struct lp_tl1_block *out)
{
    struct lp_tl1_param *state;

    if (m->request->state == NULL)
        return LP_OK;
    if (m->row->states == NULL || !fx_one_of(m->row->states, m->request->state, NULL))
        return lp_fail(m->err, LP_INVALID, "%s cannot set the state '%.16s'", m->row->code,
                       m->request->state);
    state = lp_arena_array(m->arena, 1, sizeof *state);
    if (state == NULL)
        return no_memory(m);
    state->value = m->request->state;
    *out = (struct lp_tl1_block){state, 1};
    return LP_OK;
}

static enum lp_code
make_blocks(const struct maker *m, struct lp_tl1_command *out)
{
    size_t count = strlen(m->row->shape);
    struct lp_tl1_block *blocks = lp_arena_array(m->arena, count + 1, sizeof *blocks);
    enum lp_code rc = blocks != NULL ? LP_OK : no_memory(m);

    for (size_t i = 0; rc == LP_OK && i < count; i++) {
        if (m->row->shape[i] == 'p')
            rc = make_positional(m, &blocks[i]);
        else if (m->row->shape[i] == 'n')
            rc = make_named(m, &blocks[i]);
        else if (m->row->shape[i] == 's')
            rc = make_state(m, &blocks[i]);
    }
    out->blocks = blocks;
    out->block_count = count;
    return rc;
}

enum lp_code
fx_command_make(struct lp_arena *arena, const struct fx_request *request,
                struct lp_tl1_command *out, struct lp_err *err)
{
    const struct maker m = {arena, request, fx_verb_find(request->object, request->verb), err};
    enum lp_code rc;

    if (m.row == NULL)
        return lp_fail(err, LP_INVALID, "there is no such command for %s objects",
                       fx_class_prefix(request->object));
    if (json_object_size(request->named) > 0 && strchr(m.row->shape, 'n') == NULL)
        return lp_fail(err, LP_INVALID, "%s takes no named parameters", m.row->code);
    if (request->state != NULL && strchr(m.row->shape, 's') == NULL)
        return lp_fail(err, LP_INVALID, "%s cannot set a state", m.row->code);
    *out = (struct lp_tl1_command){.code = m.row->code, .tid = request->tid};
    rc = make_aids(&m, out);
    return rc == LP_OK ? make_blocks(&m, out) : rc;
}

enum lp_code
fx_command_text(struct lp_arena *arena, const struct fx_request *request, const char **out,
                struct lp_err *err)
{
    static const char tag[] = "LP0000";
    struct lp_buf buf = LP_BUF_INIT;
    struct lp_tl1_command command;
    enum lp_code rc = fx_command_make(arena, request, &command, err);
    const char *at;

    if (rc != LP_OK)
        return rc;
    command.ctag = tag;
    rc = lp_tl1_command_put(&buf, &command, err);
    if (rc == LP_OK && buf.failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for a TL1 command");
    if (rc == LP_OK) {
        at = strstr(buf.data, ":LP0000"); /* the first: nothing before the tag may look like it */
        *out = at == NULL ? NULL
                          : lp_arena_printf(arena, "%.*s:*%s", (int)(at - buf.data), buf.data,
                                            at + sizeof tag);
        if (*out == NULL)
            rc = lp_fail(err, LP_NOMEM, "no memory for a TL1 command");
    }
    lp_buf_free(&buf);
    return rc;
}
