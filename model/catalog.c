/* Loads the modules, checks the rules, builds the tables once. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

#define EXTENSIONS "lightpath-catalog"

/* ---- errors ---- */

enum lp_code
lp_catalog_fault(const struct lp_catalog_build *build, const struct lysc_node *node,
                 const char *extension, struct lp_err *err, const char *fmt, ...)
{
    char path[512] = "?", msg[300], place[120];
    unsigned line;
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    (void)lysc_path(node, LYSC_PATH_LOG, path, sizeof path);
    line = lp_yang_line(&build->texts, path, extension);
    (void)snprintf(place, sizeof place, "%s.yang line %u", node->module->name, line);
    return lp_fail_at(err, LP_INVALID, place, "module %s, line %u, node %s: %s", node->module->name,
                      line, strchr(path, ':') != NULL ? strchr(path, ':') + 1 : path, msg);
}

/* libyang names lines while it parses and paths while it compiles: both end as "module, line". */
static enum lp_code
yang_fault(const struct lp_catalog_build *build, const char *module, struct lp_err *err)
{
    const struct ly_err_item *item = ly_err_first(build->catalog->ctx), *found = NULL;
    const char *number, *quoted;
    char path[256] = "";
    unsigned line = 0;
    enum lp_code rc;

    for (; item != NULL; item = item->next) {
        if (item->level == LY_LLERR
            && (found == NULL || (found->path == NULL && item->path != NULL)))
            found = item;
    }
    if (found != NULL && found->path != NULL) {
        number = strstr(found->path, "ine number ");
        quoted = strchr(found->path, '"');
        if (number != NULL)
            line = (unsigned)strtoul(number + strlen("ine number "), NULL, 10);
        if (quoted != NULL)
            (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(quoted + 1, "\"{"), quoted + 1);
        if (line == 0 && path[0] != '\0')
            line = lp_yang_line(&build->texts, path, NULL);
    } else if (found == NULL) {
        found = ly_err_first(build->catalog->ctx);
    }
    rc = lp_fail(err, LP_INVALID, "module %s, line %u%s%s: %s", module, line,
                 path[0] != '\0' ? ", node " : "", path,
                 found != NULL ? found->msg : "cannot be read");
    (void)snprintf(err->pointer, sizeof err->pointer, "%s.yang line %u", module, line);
    ly_err_clean(build->catalog->ctx, NULL);
    return rc;
}

/* ---- module files ---- */

struct names {
    char **rows;
    size_t count;
};

static void
names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->rows[i]);
    free(names->rows);
}

static int
names_add(struct names *names, const char *text, size_t len)
{
    char **rows = realloc(names->rows, (names->count + 1) * sizeof *rows);

    if (rows == NULL)
        return -1;
    names->rows = rows;
    rows[names->count] = strndup(text, len);
    if (rows[names->count] == NULL)
        return -1;
    names->count++;
    return 0;
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_module_file(const char *name)
{
    size_t len = strlen(name);

    return strncmp(name, "lightpath-", 10) == 0 && len > 15 && strcmp(name + len - 5, ".yang") == 0;
}

static enum lp_code
read_folder(const char *dir, struct names *names, struct lp_yang_texts *texts, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    const struct dirent *entry;
    DIR *handle = opendir(dir);
    char path[4096];

    if (handle == NULL)
        return lp_fail(err, LP_INVALID, "cannot read the catalog folder %s: %s", dir,
                       strerror(errno));
    while (rc == LP_OK && (entry = readdir(handle)) != NULL) {
        if (!is_module_file(entry->d_name))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (names_add(names, entry->d_name, strcspn(entry->d_name, "@.")) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the catalog");
        else
            rc = lp_yang_scan(path, texts, err);
    }
    (void)closedir(handle);
    return rc;
}

/* ---- tables ---- */

static void *
grown(void *rows, size_t count, size_t size)
{
    return count % 16 == 0 ? realloc(rows, (count + 16) * size) : rows;
}

static struct lp_block_type *
find_block(const struct lp_catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->block_count; i++) {
        if (strcmp(catalog->blocks[i].name, name) == 0)
            return &catalog->blocks[i];
    }
    return NULL;
}

static enum lp_code
new_block(struct lp_catalog *catalog, struct lp_block_type **out, struct lp_err *err)
{
    struct lp_block_type *blocks = grown(catalog->blocks, catalog->block_count, sizeof *blocks);
    struct lp_block_extra *extras;

    if (blocks != NULL) {
        catalog->blocks = blocks;
        extras = grown(catalog->block_extras, catalog->block_count, sizeof *extras);
        if (extras != NULL) {
            catalog->block_extras = extras;
            *out = &blocks[catalog->block_count++];
            return LP_OK;
        }
    }
    return lp_fail(err, LP_NOMEM, "no memory for the catalog");
}

enum lp_code
lp_catalog_add_block(struct lp_catalog_build *build, const struct lysc_node *node, bool is_root,
                     const struct lp_field *fields, size_t count, struct lp_err *err)
{
    struct lp_catalog *catalog = build->catalog;
    const char *name = lp_ext(node, "block"), *was = lp_ext(node, "block-was");
    struct lp_block_type *block = find_block(catalog, name);
    enum lp_code rc;

    if (block != NULL) {
        bool was_root = catalog->block_extras[block - catalog->blocks].is_root;
        if (is_root && was_root)
            return lp_catalog_fault(build, node, "block", err,
                                    "block '%s' is the root of two products", name);
        if (!is_root)
            return LP_OK;
    } else {
        rc = new_block(catalog, &block, err);
        if (rc != LP_OK)
            return rc;
    }
    catalog->block_extras[block - catalog->blocks] =
        (struct lp_block_extra){.was = was, .is_root = is_root};
    *block = (struct lp_block_type){
        .name = name,
        .tag = lp_ext(node, "tag"),
        .description = node->dsc,
        .id = lp_catalog_id("product_block", was != NULL ? was : name),
        .fields = fields,
        .field_count = count,
        .schema = node,
    };
    return LP_OK;
}

static enum lp_code
add_product(struct lp_catalog_build *build, const struct lysc_node *node,
            const struct lp_fixed_input *fixed, size_t fixed_count, struct lp_err *err)
{
    struct lp_catalog *catalog = build->catalog;
    const char *type = lp_ext(node, "product"), *was = lp_ext(node, "product-was");
    struct lp_product_type *products =
        grown(catalog->products, catalog->product_count, sizeof *products);
    struct lp_product_extra *extras;
    const char *name = type, *old = was;
    struct lp_fixed_input *kept = lp_arena_array(catalog->arena, fixed_count + 1, sizeof *kept);

    if (products != NULL)
        catalog->products = products;
    extras = grown(catalog->product_extras, catalog->product_count, sizeof *extras);
    if (extras != NULL)
        catalog->product_extras = extras;
    for (size_t i = 0; i < fixed_count && kept != NULL && name != NULL; i++) {
        kept[i] = fixed[i];
        name = lp_arena_printf(catalog->arena, "%s %s", name, fixed[i].value);
        old = old == NULL ? NULL : lp_arena_printf(catalog->arena, "%s %s", old, fixed[i].value);
    }
    if (products == NULL || extras == NULL || kept == NULL || name == NULL
        || (was != NULL && old == NULL))
        return lp_fail(err, LP_NOMEM, "no memory for the catalog");
    if (lp_catalog_product(catalog, name) != NULL)
        return lp_catalog_fault(build, node, "product", err, "there are two products named '%s'",
                                name);
    extras[catalog->product_count] = (struct lp_product_extra){.was = old};
    products[catalog->product_count++] = (struct lp_product_type){
        .name = name,
        .type = type,
        .tag = lp_ext(node, "tag"),
        .description = node->dsc,
        .member = node->name,
        .id = lp_catalog_id("product", old != NULL ? old : name),
        .fixed = kept,
        .fixed_count = fixed_count,
    };
    return LP_OK;
}

#define MAX_FIXED 8

struct fixed_axis {
    const char *name;
    const char *values[64];
    size_t count;
};

/* "name=value" extensions in order, gathered by name. */
static enum lp_code
read_fixed(struct lp_catalog_build *build, const struct lysc_node *node, struct fixed_axis *axes,
           size_t *axis_count, struct lp_err *err)
{
    LY_ARRAY_COUNT_TYPE i;

    LY_ARRAY_FOR(node->exts, i)
    {
        const char *text = node->exts[i].argument,
                   *equals = text == NULL ? NULL : strchr(text, '=');
        char *name;
        size_t k = 0;
        if (strcmp(node->exts[i].def->name, "fixed-input") != 0)
            continue;
        if (equals == NULL || equals == text || equals[1] == '\0')
            return lp_catalog_fault(build, node, "fixed-input", err,
                                    "a fixed input is written 'name=value'");
        name = lp_arena_strndup(build->catalog->arena, text, (size_t)(equals - text));
        if (name == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for the catalog");
        while (k < *axis_count && strcmp(axes[k].name, name) != 0)
            k++;
        if (k == MAX_FIXED || axes[k].count == LP_COUNT(axes[k].values))
            return lp_catalog_fault(build, node, "fixed-input", err, "too many fixed inputs");
        if (k == *axis_count)
            axes[(*axis_count)++] = (struct fixed_axis){.name = name};
        axes[k].values[axes[k].count++] = equals + 1;
    }
    return LP_OK;
}

static enum lp_code
add_products(struct lp_catalog_build *build, const struct lysc_node *node, struct lp_err *err)
{
    struct fixed_axis axes[MAX_FIXED + 1] = {{NULL, {NULL}, 0}};
    struct lp_fixed_input fixed[MAX_FIXED];
    size_t axis_count = 0, total = 1;
    enum lp_code rc = read_fixed(build, node, axes, &axis_count, err);

    for (size_t i = 0; i < axis_count; i++)
        total *= axes[i].count;
    if (rc == LP_OK && total > 1000)
        return lp_catalog_fault(build, node, "fixed-input", err,
                                "%zu products of one type are too many", total);
    for (size_t n = 0; n < total && rc == LP_OK; n++) {
        size_t rest = n;
        for (size_t i = axis_count; i-- > 0; rest /= axes[i].count)
            fixed[i] = (struct lp_fixed_input){axes[i].name, axes[i].values[rest % axes[i].count]};
        rc = add_product(build, node, fixed, axis_count, err);
    }
    return rc;
}

/* ---- roots ---- */

static const char *const subscription_words[] = {"subscription_id",
                                                 "product",
                                                 "product_id",
                                                 "description",
                                                 "status",
                                                 "insync",
                                                 "note",
                                                 "name",
                                                 "tag",
                                                 "version",
                                                 "start_date",
                                                 "end_date",
                                                 "customer_id",
                                                 "customer_descriptions"};

static enum lp_code
check_root(struct lp_catalog_build *build, const struct lysc_node *node, struct lp_err *err)
{
    const struct lysc_node *other;

    if (node->nodetype != LYS_CONTAINER || lp_ext(node, "product") == NULL)
        return lp_catalog_fault(build, node, NULL, err,
                                "a top-level node is a container with lpx:product");
    if (lp_ext(node, "block") == NULL)
        return lp_catalog_fault(build, node, "product", err,
                                "a product needs its root block: lpx:block is missing");
    if (lys_find_child(node, node->module, node->name, 0, 0, 0) != NULL)
        return lp_catalog_fault(build, node, NULL, err,
                                "the root block has a field named like the product's member");
    for (size_t i = 0; i < LP_COUNT(subscription_words); i++) {
        if (strcmp(subscription_words[i], node->name) == 0)
            return lp_catalog_fault(build, node, NULL, err,
                                    "every subscription has a member '%s' of its own", node->name);
    }
    other = node->module->compiled->data;
    if ((other != node || other->next != NULL) && !lp_node_is_presence(node))
        return lp_catalog_fault(build, node, NULL, err,
                                "the module has several products: each container needs 'presence'");
    for (size_t i = 0; i < build->catalog->product_count; i++) {
        if (strcmp(build->catalog->products[i].member, node->name) == 0)
            return lp_catalog_fault(build, node, NULL, err, "two products have the member '%s'",
                                    node->name);
    }
    return LP_OK;
}

static enum lp_code
add_root(struct lp_catalog_build *build, const struct lysc_node *node, struct lp_err *err)
{
    const struct lp_field *fields = NULL;
    size_t count = 0;
    enum lp_code rc = check_root(build, node, err);

    if (rc == LP_OK)
        rc = lp_rules_node(build, node, err);
    if (rc == LP_OK)
        rc = lp_fields_build(build, node, true, &fields, &count, err);
    if (rc == LP_OK)
        rc = lp_catalog_add_block(build, node, true, fields, count, err);
    return rc == LP_OK ? add_products(build, node, err) : rc;
}

/* A later module may have libyang compile earlier ones again: no table is built before all are
 * read. */
static enum lp_code
read_modules(struct lp_catalog_build *build, const struct names *names, struct lp_err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        if (ly_ctx_load_module(build->catalog->ctx, names->rows[i], NULL, NULL) == NULL)
            return yang_fault(build, names->rows[i], err);
    }
    return LP_OK;
}

static enum lp_code
add_module(struct lp_catalog_build *build, const char *name, struct lp_err *err)
{
    const struct lys_module *module = ly_ctx_get_module_implemented(build->catalog->ctx, name);
    enum lp_code rc = LP_OK;

    if (module->compiled->rpcs != NULL || module->compiled->notifs != NULL)
        return lp_fail(
            err, LP_INVALID,
            "module %s, line 1: operations and notifications cannot be part of the catalog", name);
    for (const struct lysc_node *node = module->compiled->data; node != NULL && rc == LP_OK;
         node = node->next)
        rc = add_root(build, node, err);
    return rc;
}

/* ---- the canonical description ---- */

/* A list that lacks an entry would give another hash: without memory it becomes NULL, and so does
 * all it is part of. */
static void
append_or_lose(json_t **list, json_t *entry)
{
    if (json_array_append_new(*list, entry) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

static json_t *
musts_json(const struct lysc_node *node)
{
    json_t *list = json_array();
    struct lysc_must *musts = node == NULL ? NULL : lysc_node_musts(node);
    LY_ARRAY_COUNT_TYPE i;

    LY_ARRAY_FOR(musts, i)
    {
        append_or_lose(&list, json_string(lyxp_get_expr(musts[i].cond)));
    }
    return list;
}

static json_t *
patterns_json(const struct lysc_node *node)
{
    struct lysc_pattern **patterns = lp_node_patterns(node);
    json_t *list = json_array();
    LY_ARRAY_COUNT_TYPE i;

    LY_ARRAY_FOR(patterns, i)
    {
        append_or_lose(&list, json_pack("[s, b]", patterns[i]->expr, (int)patterns[i]->inverted));
    }
    return list;
}

static json_t *
values_json(const struct lp_field *field)
{
    json_t *list = json_array();

    for (size_t i = 0; i < field->value_count; i++)
        append_or_lose(&list, json_string(field->values[i].value));
    return list;
}

static json_t *fields_json(const struct lp_field *fields, size_t count);

static json_t *
field_json(const struct lp_field *f)
{
    return json_pack("{s:s, s:i, s:b, s:b, s:i, s:b, s:b, s:s?, s:s?, s:s?, s:b, s:[I, I, I, I], "
                     "s:b, s:o, s:O?, s:o, s:o, "
                     "s:o}",
                     "name", f->name, "kind", (int)f->kind, "list", f->list, "required",
                     f->required, "from", f->required_in, "allocated", f->allocated, "indexed",
                     f->indexed, "unique", f->unique, "block", f->block, "was", f->renamed_from,
                     "optional", f->optional, "limits",
                     (json_int_t)(f->has_min ? f->min : INT64_MIN),
                     (json_int_t)(f->has_max ? f->max : INT64_MAX), (json_int_t)f->min_items,
                     (json_int_t)f->max_items, "distinct", f->unique_items, "values",
                     values_json(f), "default", f->def, "must", musts_json(f->schema), "patterns",
                     patterns_json(f->schema), "fields", fields_json(f->fields, f->field_count));
}

static json_t *
fields_json(const struct lp_field *fields, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        append_or_lose(&list, field_json(&fields[i]));
    return list;
}

static enum lp_code
describe(struct lp_catalog *catalog, struct lp_err *err)
{
    json_auto_t *all = json_array();
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc;

    for (size_t i = 0; i < catalog->block_count; i++) {
        const struct lp_block_type *b = &catalog->blocks[i];
        (void)json_array_append_new(
            all, json_pack("{s:s, s:s, s:o, s:o}", "block", b->name, "id", b->id.text, "fields",
                           fields_json(b->fields, b->field_count), "must", musts_json(b->schema)));
    }
    for (size_t i = 0; i < catalog->product_count; i++) {
        const struct lp_product_type *p = &catalog->products[i];
        (void)json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s}", "product", p->name,
                                                   "type", p->type, "id", p->id.text, "member",
                                                   p->member, "root", p->root->name));
    }
    if (json_array_size(all) != catalog->block_count + catalog->product_count)
        return lp_fail(err, LP_NOMEM, "no memory for the catalog");
    rc = lp_json_canonical(all, &text, &len, err);
    if (rc != LP_OK)
        return rc;
    lp_sha256_hex(text, len, catalog->hash);
    free(text);
    return LP_OK;
}

/* ---- load ---- */

static enum lp_code
set_up(struct lp_catalog_build *build, const char *const *dirs, size_t dir_count,
       struct lp_err *err)
{
    struct lp_catalog *catalog = build->catalog = calloc(1, sizeof *catalog);

    if (catalog == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the catalog");
    catalog->arena = lp_arena_new();
    catalog->values = json_array();
    if (catalog->arena == NULL || catalog->values == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the catalog");
    (void)ly_log_options(LY_LOSTORE); /* messages reach the caller as errors, never the terminal */
    if (ly_ctx_new(NULL, LY_CTX_NO_YANGLIBRARY | LY_CTX_DISABLE_SEARCHDIR_CWD, &catalog->ctx)
        != LY_SUCCESS)
        return lp_fail(err, LP_NOMEM, "libyang cannot be started");
    for (size_t i = 0; i < dir_count; i++) {
        LY_ERR rc = ly_ctx_set_searchdir(catalog->ctx, dirs[i]);
        if (rc != LY_SUCCESS && rc != LY_EEXIST)
            return lp_fail(err, LP_INVALID, "cannot read the catalog folder %s", dirs[i]);
    }
    return LP_OK;
}

static void
resolve(struct lp_catalog *catalog)
{
    for (size_t i = 0; i < catalog->product_count; i++) {
        struct lp_product_type *product = &catalog->products[i];
        for (size_t k = 0; k < catalog->block_count; k++) {
            const struct lysc_node *node = catalog->blocks[k].schema;
            if (node->parent == NULL && strcmp(node->name, product->member) == 0)
                product->root = &catalog->blocks[k];
        }
    }
}

static enum lp_code
load(struct lp_catalog_build *build, const char *const *dirs, size_t dir_count, struct names *names,
     struct lp_err *err)
{
    char extensions_name[] = EXTENSIONS, *extensions = extensions_name;
    enum lp_code rc = set_up(build, dirs, dir_count, err);

    for (size_t i = 0; i < dir_count && rc == LP_OK; i++)
        rc = read_folder(dirs[i], names, &build->texts, err);
    if (rc != LP_OK)
        return rc;
    if (names->count > 1)
        qsort(names->rows, names->count, sizeof *names->rows, by_text);
    rc = read_modules(build, &(struct names){.rows = &extensions, .count = 1}, err);
    if (rc == LP_OK)
        rc = read_modules(build, names, err);
    for (size_t i = 0; i < names->count && rc == LP_OK; i++) {
        if (strcmp(names->rows[i], EXTENSIONS) != 0)
            rc = add_module(build, names->rows[i], err);
    }
    if (rc == LP_OK)
        rc = lp_rules_tables(build, err);
    if (rc != LP_OK)
        return rc;
    resolve(build->catalog);
    return describe(build->catalog, err);
}

enum lp_code
lp_catalog_load(const char *const *dirs, size_t dir_count, struct lp_catalog **out,
                struct lp_err *err)
{
    struct lp_catalog_build build = {.catalog = NULL};
    struct names names = {.rows = NULL};
    enum lp_code rc = load(&build, dirs, dir_count, &names, err);

    names_free(&names);
    lp_yang_texts_free(&build.texts);
    if (rc != LP_OK)
        lp_catalog_free(build.catalog);
    else
        *out = build.catalog;
    return rc;
}

void
lp_catalog_free(struct lp_catalog *catalog)
{
    if (catalog == NULL)
        return;
    json_decref(catalog->values);
    free(catalog->products);
    free(catalog->product_extras);
    free(catalog->blocks);
    free(catalog->block_extras);
    lp_arena_free(catalog->arena);
    ly_ctx_destroy(catalog->ctx);
    free(catalog);
}

/* ---- look-ups ---- */

const char *
lp_catalog_hash(const struct lp_catalog *catalog)
{
    return catalog->hash;
}

const struct lp_product_type *
lp_catalog_products(const struct lp_catalog *catalog, size_t *count)
{
    *count = catalog->product_count;
    return catalog->products;
}

const struct lp_block_type *
lp_catalog_blocks(const struct lp_catalog *catalog, size_t *count)
{
    *count = catalog->block_count;
    return catalog->blocks;
}

const struct lp_product_type *
lp_catalog_product(const struct lp_catalog *catalog, const char *name)
{
    for (size_t i = 0; name != NULL && i < catalog->product_count; i++) {
        const char *was = catalog->product_extras[i].was;
        if (strcmp(catalog->products[i].name, name) == 0 || (was != NULL && strcmp(was, name) == 0))
            return &catalog->products[i];
    }
    return NULL;
}

const struct lp_product_type *
lp_catalog_product_by_id(const struct lp_catalog *catalog, const char *id)
{
    for (size_t i = 0; id != NULL && i < catalog->product_count; i++) {
        if (strcmp(catalog->products[i].id.text, id) == 0)
            return &catalog->products[i];
    }
    return NULL;
}

const struct lp_block_type *
lp_catalog_block(const struct lp_catalog *catalog, const char *name)
{
    const struct lp_block_type *found = name == NULL ? NULL : find_block(catalog, name);

    for (size_t i = 0; name != NULL && found == NULL && i < catalog->block_count; i++) {
        const char *was = catalog->block_extras[i].was;
        if (was != NULL && strcmp(was, name) == 0)
            found = &catalog->blocks[i];
    }
    return found;
}

const struct lp_field *
lp_block_field(const struct lp_block_type *block, const char *name)
{
    const struct lp_field *field = lp_field_find(block->fields, block->field_count, name);

    return field != NULL ? field
                         : lp_field_find(lp_header_fields, LP_COUNT(lp_header_fields), name);
}
