/* Definition-time rules: a catalog that breaks one is refused with module, line and node. */
#include <stdio.h>
#include <string.h>

#include "model/internal.h"

#define LEAVES (LYS_LEAF | LYS_LEAFLIST)
#define TREES  (LYS_CONTAINER | LYS_LIST)

/* Where an extension may stand. */
static const struct extension {
    const char *name;
    uint16_t on;   /* node types */
    bool top;      /* only on a product container */
    bool in_block; /* only directly in a block */
    bool many;     /* may be repeated */
} extensions[] = {
    {"product", LYS_CONTAINER, true, false, false},
    {"block", TREES, false, false, false},
    {"tag", TREES, false, false, false},
    {"fixed-input", LYS_CONTAINER, true, false, true},
    {"product-was", LYS_CONTAINER, true, false, false},
    {"block-was", TREES, false, false, false},
    {"required-in", LEAVES | TREES, false, false, false},
    {"reference", LEAVES, false, true, false},
    {"allocated", LEAVES, false, false, false},
    {"unique", LEAVES | LYS_LIST, false, true, false},
    {"distinct", LYS_LEAFLIST | LYS_LIST, false, false, false},
    {"indexed", LYS_LEAF, false, true, false},
    {"renamed-from", LEAVES | TREES, false, false, false},
    {"title", LEAVES | TREES, false, false, false},
    {"format", LEAVES | TREES, false, false, false},
};

static const struct extension *
extension_row(const char *name)
{
    for (size_t i = 0; i < LP_COUNT(extensions); i++) {
        if (strcmp(extensions[i].name, name) == 0)
            return &extensions[i];
    }
    return NULL;
}

static bool
in_block(const struct lysc_node *node)
{
    return node->parent != NULL && lp_ext(node->parent, "block") != NULL;
}

static unsigned
times(const struct lysc_node *node, const struct lysc_ext *def)
{
    LY_ARRAY_COUNT_TYPE i;
    unsigned n = 0;

    LY_ARRAY_FOR(node->exts, i)
    {
        n += node->exts[i].def == def ? 1 : 0;
    }
    return n;
}

static enum lp_code
check_extension(const struct lp_catalog_build *build, const struct lysc_node *node,
                const struct lysc_ext_instance *ext, struct lp_err *err)
{
    const char *name = ext->def->name;
    const struct extension *row = extension_row(name);

    if (row == NULL)
        return lp_catalog_fault(build, node, name, err, "lpx:%s is not known to this program",
                                name);
    if ((row->on & node->nodetype) == 0)
        return lp_catalog_fault(build, node, name, err, "lpx:%s cannot stand on a %s", name,
                                lys_nodetype2str(node->nodetype));
    if (row->top && (node->parent != NULL || lp_ext(node, "product") == NULL))
        return lp_catalog_fault(build, node, name, err,
                                "lpx:%s belongs on the top-level container of a product", name);
    if (row->in_block && !in_block(node))
        return lp_catalog_fault(build, node, name, err, "lpx:%s must stand directly in a block",
                                name);
    if (!row->many && times(node, ext->def) > 1)
        return lp_catalog_fault(build, node, name, err, "lpx:%s stands there twice", name);
    if (ext->def->argname != NULL && (ext->argument == NULL || ext->argument[0] == '\0'))
        return lp_catalog_fault(build, node, name, err, "lpx:%s needs an argument", name);
    return LP_OK;
}

static enum lp_code
check_extensions(const struct lp_catalog_build *build, const struct lysc_node *node,
                 struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    LY_ARRAY_COUNT_TYPE i;

    LY_ARRAY_FOR(node->exts, i)
    {
        if (rc == LP_OK && strcmp(node->exts[i].def->module->name, "lightpath-catalog") == 0)
            rc = check_extension(build, node, &node->exts[i], err);
    }
    return rc;
}

static enum lp_code
check_values(const struct lp_catalog_build *build, const struct lysc_node *node, struct lp_err *err)
{
    const char *status = lp_ext(node, "required-in"), *tag = lp_ext(node, "tag"),
               *old = lp_ext(node, "renamed-from");
    enum lp_lifecycle from;

    if (status != NULL && (!lp_lifecycle_from_name(status, &from) || from > LP_LC_ACTIVE))
        return lp_catalog_fault(
            build, node, "required-in", err,
            "'%s' is not a status to require from: initial, provisioning or active", status);
    if (status != NULL && node->nodetype == LYS_CONTAINER && !lp_node_is_presence(node))
        return lp_catalog_fault(
            build, node, "required-in", err,
            "a container without presence always exists; lpx:required-in has no meaning there");
    if (tag != NULL && strlen(tag) > 20)
        return lp_catalog_fault(build, node, "tag", err, "the tag '%s' has more than 20 characters",
                                tag);
    if (old != NULL && lys_find_child(node->parent, node->module, old, 0, 0, 0) != NULL)
        return lp_catalog_fault(build, node, "renamed-from", err, "'%s' still exists beside it",
                                old);
    if ((lp_ext(node, "tag") != NULL || lp_ext(node, "block-was") != NULL)
        && lp_ext(node, "block") == NULL)
        return lp_catalog_fault(build, node, NULL, err,
                                "lpx:tag and lpx:block-was need lpx:block beside them");
    return LP_OK;
}

/* Words of the wire that stand beside the fields of every block (http-api 1.4), and words a C
 * struct cannot use. */
static const char *const wire_words[] = {"name", "owner_subscription_id", "in_use_by_ids",
                                         "in_use_by_relations"};
static const char *const c_words[] = {
    "auto",     "break",    "case",   "char",     "const",  "continue", "default", "do",
    "double",   "else",     "enum",   "extern",   "float",  "for",      "goto",    "if",
    "inline",   "int",      "long",   "register", "return", "short",    "signed",  "sizeof",
    "static",   "struct",   "switch", "typedef",  "union",  "unsigned", "void",    "while",
    "restrict", "volatile", "bool",   "true",     "false",  "asm",      "typeof"};

static bool
listed(const char *const *words, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], name) == 0)
            return true;
    }
    return false;
}

static enum lp_code
check_name(const struct lp_catalog_build *build, const struct lysc_node *node, struct lp_err *err)
{
    size_t good = strspn(node->name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    if (node->name[good] != '\0' || strchr("_0123456789", node->name[0]) != NULL)
        return lp_catalog_fault(
            build, node, NULL, err,
            "a node name consists of a-z, 0-9 and '_' and begins with a letter");
    if (listed(c_words, LP_COUNT(c_words), node->name))
        return lp_catalog_fault(build, node, NULL, err, "the name is a keyword of C");
    if (in_block(node) && listed(wire_words, LP_COUNT(wire_words), node->name))
        return lp_catalog_fault(build, node, NULL, err,
                                "every block has a member '%s' of its own on the wire", node->name);
    return LP_OK;
}

static enum lp_code
check_type(const struct lp_catalog_build *build, const struct lysc_node *node, struct lp_err *err)
{
    const struct lysc_type *type =
        node->nodetype == LYS_LEAF ? ((const struct lysc_node_leaf *)(const void *)node)->type
                                   : ((const struct lysc_node_leaflist *)(const void *)node)->type;
    static const LY_DATA_TYPE known[] = {LY_TYPE_STRING, LY_TYPE_BOOL,  LY_TYPE_ENUM,
                                         LY_TYPE_INT8,   LY_TYPE_UINT8, LY_TYPE_INT16,
                                         LY_TYPE_UINT16, LY_TYPE_INT32, LY_TYPE_UINT32};

    if ((lp_ext(node, "reference") != NULL || strcmp(node->name, LP_MEMBER_ID) == 0)
        && !lp_type_is_uuid(type))
        return lp_catalog_fault(build, node, NULL, err,
                                "an instance id or a reference is of type lpx:uuid");
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        if (known[i] == type->basetype)
            return LP_OK;
    }
    if (type->basetype == LY_TYPE_INT64 || type->basetype == LY_TYPE_UINT64
        || type->basetype == LY_TYPE_DEC64)
        return lp_catalog_fault(
            build, node, NULL, err,
            "64-bit and decimal64 leaves are not allowed: choose a unit that fits 32 bits");
    return lp_catalog_fault(
        build, node, NULL, err,
        "a leaf is a string, a boolean, an enumeration or an integer of at most 32 bits");
}

static enum lp_code
check_block(const struct lp_catalog_build *build, const struct lysc_node *node, struct lp_err *err)
{
    static const char *const header[] = {LP_MEMBER_ID, LP_MEMBER_LABEL};

    if (node->parent != NULL && !in_block(node))
        return lp_catalog_fault(build, node, "block", err,
                                "a block stands in a block, not in a plain container or list");
    for (size_t i = 0; i < LP_COUNT(header); i++) {
        const struct lysc_node *leaf =
            lys_find_child(node, node->module, header[i], 0, LYS_LEAF, 0);
        if (leaf == NULL || (i == 0 && lp_ext(leaf, "allocated") == NULL))
            return lp_catalog_fault(build, node, "block", err,
                                    "a block needs 'uses lpx:block-header' (it has no %s)",
                                    header[i]);
    }
    return LP_OK;
}

static enum lp_code
check_shape(const struct lp_catalog_build *build, const struct lysc_node *node, struct lp_err *err)
{
    if ((node->nodetype & (LEAVES | TREES)) == 0)
        return lp_catalog_fault(build, node, NULL, err, "a %s cannot be part of the catalog",
                                lys_nodetype2str(node->nodetype));
    if (node->flags & LYS_CONFIG_W)
        return lp_catalog_fault(build, node, NULL, err,
                                "the catalog is state: 'config false' is missing");
    if (node->nodetype == LYS_LIST && (node->flags & LYS_KEYLESS) == 0)
        return lp_catalog_fault(
            build, node, NULL, err,
            "a list has no key: entries keep their order, blocks are known by their instance id");
    if (lysc_node_when(node) != NULL)
        return lp_catalog_fault(build, node, NULL, err, "'when' is not supported: use 'must'");
    if ((node->nodetype & TREES) != 0 && lysc_node_child(node) == NULL)
        return lp_catalog_fault(build, node, NULL, err, "it has no fields");
    if (lysc_node_actions(node) != NULL || lysc_node_notifs(node) != NULL)
        return lp_catalog_fault(build, node, NULL, err,
                                "actions and notifications cannot be part of the catalog");
    return LP_OK;
}

enum lp_code
lp_rules_node(const struct lp_catalog_build *build, const struct lysc_node *node,
              struct lp_err *err)
{
    enum lp_code rc = check_shape(build, node, err);

    if (rc == LP_OK)
        rc = check_name(build, node, err);
    if (rc == LP_OK)
        rc = check_extensions(build, node, err);
    if (rc == LP_OK)
        rc = check_values(build, node, err);
    if (rc == LP_OK && (node->nodetype & LEAVES) != 0)
        rc = check_type(build, node, err);
    if (rc == LP_OK && lp_ext(node, "block") != NULL)
        rc = check_block(build, node, err);
    return rc;
}

/* ---- rules over the tables ---- */

static bool
same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What makes a field of a repeated block a different field, or a laxer one; NULL when neither. */
static const char *
laxness(const struct lp_field *declared, const struct lp_field *used)
{
    if (declared->kind != used->kind || declared->list != used->list
        || !same_text(declared->block, used->block))
        return "is another kind of field";
    if (declared->allocated != used->allocated || declared->indexed != used->indexed
        || !same_text(declared->unique, used->unique)
        || !same_text(declared->renamed_from, used->renamed_from))
        return "has other rules (allocated, unique, indexed or renamed-from)";
    if ((declared->required && !used->required) || (!declared->optional && used->optional)
        || (declared->required_in >= 0 && !used->required
            && (used->required_in < 0 || used->required_in > declared->required_in)))
        return "is mandatory later, or not at all";
    if ((declared->has_min && (!used->has_min || used->min < declared->min))
        || (declared->has_max && (!used->has_max || used->max > declared->max))
        || used->min_items < declared->min_items
        || (declared->max_items > 0
            && (used->max_items == 0 || used->max_items > declared->max_items)))
        return "has wider limits";
    if (declared->kind == LP_FIELD_ENUM && used->value_count > declared->value_count)
        return "has more values";
    return NULL;
}

static enum lp_code
compare_fields(const struct lp_catalog_build *build, const struct lp_block_type *block,
               const struct lp_field *declared, size_t declared_count,
               const struct lysc_node *place, const struct lp_field *used, size_t used_count,
               struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    /* what nobody demands may be left out: that is as tight as it gets, and a block may hold blocks
     * of its own type */
    for (size_t i = 0; i < declared_count; i++) {
        if (lp_field_find(used, used_count, declared[i].name) == NULL
            && (declared[i].required || declared[i].required_in >= 0))
            return lp_catalog_fault(build, place, NULL, err,
                                    "block %s has the mandatory field '%s' elsewhere, but not here",
                                    block->name, declared[i].name);
    }
    for (size_t i = 0; i < used_count && rc == LP_OK; i++) {
        const struct lp_field *other = lp_field_find(declared, declared_count, used[i].name);
        const char *fault = other == NULL ? "does not exist" : laxness(other, &used[i]);
        if (fault != NULL)
            return lp_catalog_fault(build, used[i].schema, NULL, err,
                                    "block %s may only be tightened where it is used: '%s' %s %s",
                                    block->name, used[i].name, fault,
                                    other == NULL ? "where it is declared" : "here");
        if (used[i].kind == LP_FIELD_STRUCT)
            rc = compare_fields(build, block, other->fields, other->field_count, used[i].schema,
                                used[i].fields, used[i].field_count, err);
    }
    return rc;
}

static enum lp_code
check_uses(const struct lp_catalog_build *build, const struct lp_field *fields, size_t count,
           struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < count && rc == LP_OK; i++) {
        const struct lp_block_type *block;
        if (fields[i].kind != LP_FIELD_BLOCK && fields[i].kind != LP_FIELD_REF)
            continue;
        block = lp_catalog_block(build->catalog, fields[i].block);
        if (fields[i].kind == LP_FIELD_REF) {
            if (block == NULL)
                rc = lp_catalog_fault(build, fields[i].schema, "reference", err,
                                      "there is no block '%s'", fields[i].block);
            continue;
        }
        if (block->fields != fields[i].fields)
            rc = compare_fields(build, block, block->fields, block->field_count, fields[i].schema,
                                fields[i].fields, fields[i].field_count, err);
        if (rc == LP_OK)
            rc = check_uses(build, fields[i].fields, fields[i].field_count, err);
    }
    return rc;
}

static enum lp_code
check_values_of(const struct lp_catalog_build *build, const struct lp_field *fields, size_t count,
                struct lp_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct lp_field *field = &fields[i];
        if (field->unique != NULL && field->kind == LP_FIELD_BLOCK)
            return lp_catalog_fault(build, field->schema, "unique", err,
                                    "a list of blocks has no unique value");
        if (field->def != NULL && (field->kind == LP_FIELD_REF || field->unique != NULL))
            return lp_catalog_fault(build, field->schema, NULL, err,
                                    "a reference or unique field has no default");
    }
    return LP_OK;
}

enum lp_code
lp_rules_tables(const struct lp_catalog_build *build, struct lp_err *err)
{
    const struct lp_catalog *catalog = build->catalog;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < catalog->block_count && rc == LP_OK; i++) {
        rc = check_uses(build, catalog->blocks[i].fields, catalog->blocks[i].field_count, err);
        if (rc == LP_OK)
            rc = check_values_of(build, catalog->blocks[i].fields, catalog->blocks[i].field_count,
                                 err);
    }
    return rc;
}
