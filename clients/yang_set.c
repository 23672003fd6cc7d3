/* Sets of YANG modules: loading, and finding what a resource path names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/yang_internal.h"

/* ---- loading ---- */

static const char *
text_of(const struct lp_yang *yang, const char *module)
{
    for (size_t i = 0; i < yang->source_count; i++) {
        const struct lp_yang_source *source = &yang->sources[i];

        if (strcmp(source->set, yang->set) == 0 && strcmp(source->module, module) == 0)
            return source->text;
    }
    return NULL;
}

static LY_ERR
import(const char *module, const char *revision, const char *submodule, const char *subrevision,
       void *arg, LYS_INFORMAT *format, const char **text,
       void (**free_text)(void *text, void *arg))
{
    const char *found = text_of(arg, submodule != NULL ? submodule : module);

    (void)revision;
    (void)subrevision;
    if (found == NULL)
        return LY_ENOTFOUND;
    *format = LYS_IN_YANG;
    *text = found;
    *free_text = NULL;
    return LY_SUCCESS;
}

static enum lp_code
load_module(struct lp_yang *yang, const char *module, struct lp_err *err)
{
    const struct ly_err_item *item;
    enum lp_code rc = LP_OK;

    if (ly_ctx_load_module(yang->ctx, module, NULL, NULL) == NULL) {
        item = ly_err_first(yang->ctx);
        rc = lp_fail(err, LP_INVALID, "module %s of %s: %s", module, yang->set,
                     item != NULL && item->msg != NULL ? item->msg : "cannot be read");
    }
    ly_err_clean(yang->ctx, NULL);
    return rc;
}

static enum lp_code
load(struct lp_yang *yang, struct lp_err *err)
{
    size_t loaded = 0;

    (void)ly_log_options(LY_LOSTORE); /* messages reach the caller as errors, never the terminal */
    if (ly_ctx_new(NULL, LY_CTX_NO_YANGLIBRARY | LY_CTX_DISABLE_SEARCHDIRS, &yang->ctx)
        != LY_SUCCESS)
        return lp_fail(err, LP_NOMEM, "no memory for the YANG modules of %s", yang->set);
    ly_ctx_set_module_imp_clb(yang->ctx, import, yang);
    for (size_t i = 0; i < yang->source_count; i++) {
        enum lp_code rc;

        if (strcmp(yang->sources[i].set, yang->set) != 0)
            continue;
        rc = load_module(yang, yang->sources[i].module, err);
        if (rc != LP_OK)
            return rc;
        loaded++;
    }
    return loaded > 0 ? LP_OK : lp_fail(err, LP_INVALID, "there are no modules of %s", yang->set);
}

enum lp_code
lp_yang_new_from(const struct lp_yang_source *sources, size_t count, const char *set,
                 struct lp_yang **out, struct lp_err *err)
{
    struct lp_yang *yang = calloc(1, sizeof *yang);
    enum lp_code rc;

    if (yang == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for YANG modules");
    *yang = (struct lp_yang){.sources = sources, .source_count = count, .set = set};
    rc = load(yang, err);
    if (rc != LP_OK) {
        lp_yang_free(yang);
        return rc;
    }
    *out = yang;
    return LP_OK;
}

enum lp_code
lp_yang_new(const char *set, struct lp_yang **out, struct lp_err *err)
{
    return lp_yang_new_from(lp_yang_sources, lp_yang_source_count, set, out, err);
}

void
lp_yang_free(struct lp_yang *yang)
{
    if (yang == NULL)
        return;
    ly_ctx_destroy(yang->ctx);
    free(yang);
}

/* ---- schema nodes ---- */

/* At the top a name without module is looked for in all modules of the set. */
static const struct lysc_node *
find_anywhere(const struct lp_yang *yang, const char *name, uint32_t options)
{
    const struct lys_module *module;
    uint32_t i = 0;

    while ((module = ly_ctx_get_module_iter(yang->ctx, &i)) != NULL) {
        const struct lysc_node *node =
            module->implemented ? lys_find_child(NULL, module, name, 0, 0, options) : NULL;

        if (node != NULL)
            return node;
    }
    return NULL;
}

static const struct lys_module *
module_named(const struct lp_yang *yang, const char *text, size_t len)
{
    char name[128];

    if (len >= sizeof name)
        return NULL;
    memcpy(name, text, len);
    name[len] = '\0';
    return ly_ctx_get_module_implemented(yang->ctx, name);
}

const struct lysc_node *
yang_child(const struct lp_yang *yang, const struct lysc_node *parent, const char *member,
           uint32_t options)
{
    const char *colon = strchr(member, ':');
    const struct lys_module *module;

    if (colon == NULL && parent == NULL)
        return find_anywhere(yang, member, options);
    module = colon != NULL ? module_named(yang, member, (size_t)(colon - member)) : parent->module;
    if (module == NULL)
        return NULL;
    return lys_find_child(parent, module, colon != NULL ? colon + 1 : member, 0, 0, options);
}

static const struct lysc_node *
segment_child(const struct lp_yang *yang, const struct lysc_node *parent,
              const struct lp_restconf_segment *segment)
{
    char member[256];

    if (snprintf(member, sizeof member, "%s%s%s", segment->module,
                 segment->module[0] != '\0' ? ":" : "", segment->name)
        >= (int)sizeof member)
        return NULL;
    return yang_child(yang, parent, member, 0);
}

static size_t
key_count(const struct lysc_node *list)
{
    size_t count = 0;

    for (const struct lysc_node *child = lysc_node_child(list); child != NULL && lysc_is_key(child);
         child = child->next)
        count++;
    return count;
}

static enum lp_code
unknown(const struct lp_yang *yang, const struct lp_restconf_segment *segment, const char *path,
        struct lp_err *err)
{
    return lp_fail_at(err, LP_INVALID, path, "'%.64s' in %.200s is not known to the modules of %s",
                      segment->name, path, yang->set);
}

static enum lp_code
check_keys(const struct lysc_node *node, const struct lp_restconf_segment *segment, bool last,
           const char *path, struct lp_err *err)
{
    size_t keys = node->nodetype == LYS_LIST ? key_count(node) : 1;

    if ((node->nodetype & (LYS_LIST | LYS_LEAFLIST)) == 0)
        return !segment->has_keys ? LP_OK
                                  : lp_fail_at(err, LP_INVALID, path,
                                               "'%.64s' in %.200s is no list", segment->name, path);
    if (!segment->has_keys && last)
        return LP_OK;
    if (segment->has_keys && segment->key_count == keys)
        return LP_OK;
    return lp_fail_at(err, LP_INVALID, path, "'%.64s' in %.200s needs %zu keys, not %zu",
                      segment->name, path, keys, segment->key_count);
}

static enum lp_code
find_data(const struct lp_yang *yang, const char *path, struct yang_place *out, struct lp_err *err)
{
    for (size_t i = 1; i < out->target.count; i++) {
        const struct lp_restconf_segment *segment = &out->target.segments[i];
        enum lp_code rc;

        out->parent = out->node;
        out->node =
            i == 1 && segment->module[0] == '\0' ? NULL : segment_child(yang, out->node, segment);
        if (out->node == NULL || out->node->nodetype == LYS_RPC)
            return unknown(yang, segment, path, err);
        rc = check_keys(out->node, segment, i + 1 == out->target.count, path, err);
        if (rc != LP_OK)
            return rc;
        out->last = segment;
    }
    return LP_OK;
}

enum lp_code
yang_find(const struct lp_yang *yang, struct lp_arena *arena, const char *path,
          struct yang_place *out, struct lp_err *err)
{
    const struct lp_restconf_segment *first = &out->target.segments[0];
    enum lp_code rc;

    memset(out, 0, sizeof *out);
    rc = lp_restconf_path_parse(arena, path, &out->target, err);
    if (rc != LP_OK)
        return rc;
    if (out->target.count > 0 && strcmp(first->name, "data") == 0 && first->module[0] == '\0')
        return find_data(yang, path, out, err);
    if (out->target.count != 2 || strcmp(first->name, "operations") != 0)
        return lp_fail_at(err, LP_INVALID, path, "%.200s is neither /data/... nor /operations/...",
                          path);
    out->rpc = true;
    out->last = &out->target.segments[1];
    out->node = out->last->module[0] != '\0' ? segment_child(yang, NULL, out->last) : NULL;
    if (out->node == NULL || out->node->nodetype != LYS_RPC)
        return unknown(yang, out->last, path, err);
    return LP_OK;
}

enum lp_code
lp_yang_check_path(struct lp_yang *yang, const char *path, struct lp_err *err)
{
    struct lp_arena *arena = lp_arena_new();
    struct yang_place place;
    enum lp_code rc = arena != NULL ? yang_find(yang, arena, path, &place, err)
                                    : lp_fail(err, LP_NOMEM, "no memory for a path");

    lp_arena_free(arena);
    return rc;
}

bool
lp_yang_is_list(struct lp_yang *yang, const char *path)
{
    struct lp_arena *arena = lp_arena_new();
    struct lp_err err = LP_ERR_INIT;
    struct yang_place place;
    bool is = arena != NULL && yang_find(yang, arena, path, &place, &err) == LP_OK
              && place.node != NULL && !place.last->has_keys
              && (place.node->nodetype & (LYS_LIST | LYS_LEAFLIST)) != 0;

    lp_err_clear(&err);
    lp_arena_free(arena);
    return is;
}

/* ---- values ---- */

LY_DATA_TYPE
yang_base(const struct lysc_node *node)
{
    const struct lysc_type *type = ((const struct lysc_node_leaf *)node)->type;

    if (node->nodetype == LYS_LEAFLIST)
        type = ((const struct lysc_node_leaflist *)node)->type;
    while (type->basetype == LY_TYPE_LEAFREF)
        type = ((const struct lysc_type_leafref *)type)->realtype;
    return type->basetype;
}

bool
yang_is_number(LY_DATA_TYPE base)
{
    return base == LY_TYPE_INT8 || base == LY_TYPE_INT16 || base == LY_TYPE_INT32
           || base == LY_TYPE_UINT8 || base == LY_TYPE_UINT16 || base == LY_TYPE_UINT32;
}

bool
yang_is_number64(LY_DATA_TYPE base)
{
    return base == LY_TYPE_INT64 || base == LY_TYPE_UINT64 || base == LY_TYPE_DEC64;
}

bool
yang_value_ok(const struct lp_yang *yang, const struct lysc_node *node, const char *text,
              char *canonical, size_t size, char why[static 200])
{
    const struct ly_err_item *item;
    const char *value = NULL;
    LY_ERR rc = lyd_value_validate(yang->ctx, node, text, strlen(text), NULL, NULL,
                                   canonical != NULL ? &value : NULL);
    bool ok = rc == LY_SUCCESS || rc == LY_EINCOMPLETE; /* a reference, whose target is elsewhere */

    why[0] = '\0';
    if (canonical != NULL)
        (void)snprintf(canonical, size, "%s", ok && value != NULL ? value : text);
    lydict_remove(yang->ctx, value);
    item = ok ? NULL : ly_err_first(yang->ctx);
    if (!ok)
        (void)snprintf(why, 200, "%.199s",
                       item != NULL && item->msg != NULL ? item->msg : "not a value of its type");
    ly_err_clean(yang->ctx, NULL);
    return ok;
}

const char *
yang_scalar(const json_t *value, struct lp_buf *buf)
{
    if (json_is_string(value)) /* lp_json_load refuses zero bytes inside */
        return json_string_value(value);
    lp_buf_reset(buf);
    if (json_is_integer(value))
        lp_buf_printf(buf, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        lp_buf_printf(buf, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        lp_buf_str(buf, json_is_true(value) ? "true" : "false");
    else
        return NULL;
    return buf->failed ? NULL : buf->data;
}

/* ---- places in messages ---- */

void
yang_push(struct lp_buf *path, const char *name, long index)
{
    char digits[24], *at = digits + sizeof digits - 1; /* of every member: printf would be felt */

    lp_buf_char(path, '/');
    *at = '\0';
    while (name == NULL && (index > 0 || *at == '\0')) {
        *--at = (char)('0' + index % 10);
        index /= 10;
    }
    lp_buf_str(path, name != NULL ? name : at);
}

void
yang_pop(struct lp_buf *path, size_t len)
{
    if (path->data == NULL)
        return;
    path->len = len;
    path->data[len] = '\0';
}
