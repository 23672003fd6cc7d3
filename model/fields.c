/* Field tables out of the compiled schema, built once at load. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

const struct lp_field lp_header_fields[2] = {
    {.name = LP_MEMBER_ID,
     .title = "Instance id",
     .description = "Id of this block instance",
     .kind = LP_FIELD_UUID,
     .required_in = LP_LC_INITIAL,
     .allocated = true},
    {.name = LP_MEMBER_LABEL,
     .title = "Label",
     .description = "Free label of this block instance",
     .kind = LP_FIELD_STRING,
     .required_in = -1,
     .has_max = true,
     .max = 255},
};

bool
lp_is_header(const char *name)
{
    return strcmp(name, LP_MEMBER_ID) == 0 || strcmp(name, LP_MEMBER_LABEL) == 0;
}

const struct lp_field *
lp_field_find(const struct lp_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

const char *
lp_ext(const struct lysc_node *node, const char *name)
{
    LY_ARRAY_COUNT_TYPE i;

    LY_ARRAY_FOR(node->exts, i)
    {
        const struct lysc_ext *def = node->exts[i].def;
        if (strcmp(def->name, name) == 0 && strcmp(def->module->name, "lightpath-catalog") == 0)
            return node->exts[i].argument != NULL ? node->exts[i].argument : "";
    }
    return NULL;
}

static const struct lysc_type *
type_of(const struct lysc_node *node)
{
    if (node->nodetype == LYS_LEAF)
        return ((const struct lysc_node_leaf *)(const void *)node)->type;
    return ((const struct lysc_node_leaflist *)(const void *)node)->type;
}

static const struct lysc_pattern *
first_pattern(const struct lysc_type *type)
{
    const struct lysc_type_str *text = (const struct lysc_type_str *)(const void *)type;

    return type->basetype == LY_TYPE_STRING && LY_ARRAY_COUNT(text->patterns) > 0
               ? text->patterns[0]
               : NULL;
}

bool
lp_type_is_uuid(const struct lysc_type *type)
{
    const struct lysc_pattern *pattern = first_pattern(type);

    return pattern != NULL && strcmp(pattern->expr, LP_YANG_UUID) == 0;
}

static void
take_limits(struct lp_field *field, const struct lysc_range *range, bool is_signed)
{
    size_t last = LY_ARRAY_COUNT(range->parts) - 1;

    field->has_min = field->has_max = true;
    field->min = is_signed ? range->parts[0].min_64 : (int64_t)range->parts[0].min_u64;
    field->max = is_signed ? range->parts[last].max_64 : (int64_t)range->parts[last].max_u64;
    if (range->emsg != NULL)
        field->hint = range->emsg;
}

static void
take_string(struct lp_field *field, const struct lysc_type *type)
{
    const struct lysc_type_str *text = (const struct lysc_type_str *)(const void *)type;
    const struct lysc_pattern *pattern = first_pattern(type);

    field->kind = lp_type_is_uuid(type) ? LP_FIELD_UUID : LP_FIELD_STRING;
    if (field->kind == LP_FIELD_UUID)
        return;
    if (text->length != NULL) {
        take_limits(field, text->length, false);
        if ((uint64_t)field->max > UINT32_MAX) /* "1..max" */
            field->has_max = false;
    }
    if (pattern != NULL)
        field->pattern = pattern->expr;
}

static const struct {
    LY_DATA_TYPE type;
    int64_t min, max;
} integers[] = {
    {LY_TYPE_INT8, INT8_MIN, INT8_MAX},    {LY_TYPE_UINT8, 0, UINT8_MAX},
    {LY_TYPE_INT16, INT16_MIN, INT16_MAX}, {LY_TYPE_UINT16, 0, UINT16_MAX},
    {LY_TYPE_INT32, INT32_MIN, INT32_MAX}, {LY_TYPE_UINT32, 0, UINT32_MAX},
};

static void
take_integer(struct lp_field *field, const struct lysc_type *type)
{
    const struct lysc_type_num *num = (const struct lysc_type_num *)(const void *)type;

    field->kind = LP_FIELD_INT;
    for (size_t i = 0; i < LP_COUNT(integers); i++) {
        if (integers[i].type != type->basetype)
            continue;
        field->has_min = field->has_max = true;
        field->min = integers[i].min;
        field->max = integers[i].max;
        if (num->range != NULL)
            take_limits(field, num->range, integers[i].min < 0);
    }
}

static int
take_enum(struct lp_catalog *catalog, struct lp_field *field, const struct lysc_type *type)
{
    const struct lysc_type_enum *list = (const struct lysc_type_enum *)(const void *)type;
    size_t count = LY_ARRAY_COUNT(list->enums);
    struct lp_enum_value *values = lp_arena_array(catalog->arena, count, sizeof *values);

    field->kind = LP_FIELD_ENUM;
    if (values == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        values[i] = (struct lp_enum_value){list->enums[i].name, list->enums[i].dsc};
    field->values = values;
    field->value_count = count;
    return 0;
}

static json_t *
value_json(const struct ly_ctx *ctx, const struct lp_field *field, const struct lyd_value *value)
{
    const char *text = lyd_value_get_canonical(ctx, value);

    if (field->kind == LP_FIELD_INT)
        return json_integer(strtoll(text, NULL, 10));
    if (field->kind == LP_FIELD_BOOL)
        return json_boolean(strcmp(text, "true") == 0);
    return json_string(text);
}

static int
take_default(struct lp_catalog *catalog, struct lp_field *field, const struct lysc_node *node)
{
    json_t *def = NULL;

    if (node->nodetype == LYS_LEAF) {
        const struct lysc_node_leaf *leaf = (const struct lysc_node_leaf *)(const void *)node;
        if (leaf->dflt == NULL)
            return 0;
        def = value_json(catalog->ctx, field, leaf->dflt);
    } else {
        const struct lysc_node_leaflist *list =
            (const struct lysc_node_leaflist *)(const void *)node;
        LY_ARRAY_COUNT_TYPE i;
        if (list->dflts == NULL)
            return 0;
        def = json_array();
        LY_ARRAY_FOR(list->dflts, i)
        {
            if (json_array_append_new(def, value_json(catalog->ctx, field, list->dflts[i])) != 0)
                return json_decref(def), -1;
        }
    }
    field->def = def;
    return json_array_append_new(catalog->values, def);
}

static int
take_type(struct lp_catalog *catalog, struct lp_field *field, const struct lysc_node *node)
{
    const struct lysc_type *type = type_of(node);

    if (type->basetype == LY_TYPE_STRING)
        take_string(field, type);
    else if (type->basetype == LY_TYPE_BOOL)
        field->kind = LP_FIELD_BOOL;
    else if (type->basetype == LY_TYPE_ENUM) {
        if (take_enum(catalog, field, type) != 0)
            return -1;
    } else
        take_integer(field, type);
    if (lp_ext(node, "reference") != NULL)
        field->kind = LP_FIELD_REF;
    return take_default(catalog, field, node);
}

static void
take_elements(struct lp_field *field, uint32_t min, uint32_t max)
{
    field->list = true;
    field->min_items = min;
    field->max_items = max == UINT32_MAX ? 0 : max;
    field->required = min > 0;
}

static void
take_extensions(struct lp_field *field, const struct lysc_node *node)
{
    const char *status = lp_ext(node, "required-in"), *block = lp_ext(node, "reference");
    enum lp_lifecycle from;

    field->required_in = lp_lifecycle_from_name(status, &from) ? (int)from : -1;
    field->allocated = lp_ext(node, "allocated") != NULL;
    field->indexed = lp_ext(node, "indexed") != NULL;
    field->unique = lp_ext(node, "unique");
    field->unique_items =
        field->list && (field->unique != NULL || lp_ext(node, "distinct") != NULL);
    field->renamed_from = lp_ext(node, "renamed-from");
    field->title = lp_ext(node, "title");
    field->format = lp_ext(node, "format");
    field->block = block != NULL ? block : lp_ext(node, "block");
}

static enum lp_code
build_inner(struct lp_catalog_build *build, struct lp_field *field, const struct lysc_node *node,
            struct lp_err *err)
{
    bool block = lp_ext(node, "block") != NULL;
    enum lp_code rc;

    field->kind = block ? LP_FIELD_BLOCK : LP_FIELD_STRUCT;
    if (node->nodetype == LYS_LIST) {
        const struct lysc_node_list *list = (const struct lysc_node_list *)(const void *)node;
        take_elements(field, list->min, list->max);
    } else {
        field->optional = lp_node_is_presence(node);
    }
    rc = lp_fields_build(build, node, block, &field->fields, &field->field_count, err);
    if (rc != LP_OK)
        return rc;
    if (!field->list && !field->optional) {
        field->required = block;
        for (size_t i = 0; !block && i < field->field_count; i++)
            field->required |= field->fields[i].required;
    }
    if (!block)
        return LP_OK;
    return lp_catalog_add_block(build, node, false, field->fields, field->field_count, err);
}

static enum lp_code
build_field(struct lp_catalog_build *build, struct lp_field *field, const struct lysc_node *node,
            struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    field->name = node->name;
    field->description = node->dsc;
    field->schema = node;
    if ((node->nodetype & (LYS_LEAF | LYS_LEAFLIST)) == 0) {
        rc = build_inner(build, field, node, err);
    } else {
        if (node->nodetype == LYS_LEAFLIST) {
            const struct lysc_node_leaflist *list =
                (const struct lysc_node_leaflist *)(const void *)node;
            take_elements(field, list->min, list->max);
            field->units = list->units;
        } else {
            field->required = (node->flags & LYS_MAND_TRUE) != 0;
            field->units = ((const struct lysc_node_leaf *)(const void *)node)->units;
        }
        if (take_type(build->catalog, field, node) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the catalog");
    }
    take_extensions(field, node);
    return rc;
}

enum lp_code
lp_fields_build(struct lp_catalog_build *build, const struct lysc_node *parent, bool in_block,
                const struct lp_field **fields, size_t *count, struct lp_err *err)
{
    size_t n = 0;
    struct lp_field *table;
    enum lp_code rc = LP_OK;

    for (const struct lysc_node *node = lysc_node_child(parent); node != NULL; node = node->next)
        n++;
    table = lp_arena_array(build->catalog->arena, n + 1, sizeof *table);
    if (table == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the catalog");
    n = 0;
    for (const struct lysc_node *node = lysc_node_child(parent); node != NULL && rc == LP_OK;
         node = node->next) {
        rc = lp_rules_node(build, node, err);
        if (rc == LP_OK && !(in_block && lp_is_header(node->name)))
            rc = build_field(build, &table[n++], node, err);
    }
    *fields = table;
    *count = n;
    return rc;
}
