#include "steps/derive.h"

#include <string.h>

#include "products/product.h"

/* Follows references of references: port, its device, the device's site. */
#define DEPTH 3

struct collect {
    struct lp_store *store;
    struct lp_reader *reader;
    const struct lp_catalog *catalog;
    json_t *subscriptions, *blocks; /* of the closure */
    struct lp_err *err;
};

typedef enum lp_code block_fn(struct collect *c, const char *owner,
                              const struct lp_block_type *type, const json_t *doc, unsigned depth);

static enum lp_code visit(struct collect *c, const char *owner, const struct lp_block_type *type,
                          const json_t *doc, unsigned depth, block_fn *fn);

/* The blocks in one member. */
static enum lp_code
visit_member(struct collect *c, const char *owner, const struct lp_field *field,
             const json_t *value, unsigned depth, block_fn *fn)
{
    const struct lp_block_type *type = lp_catalog_block(c->catalog, field->block);
    enum lp_code rc = LP_OK;
    const json_t *item;
    size_t i;

    if (json_is_object(value))
        return visit(c, owner, type, value, depth, fn);
    json_array_foreach(value, i, item)
    {
        if (rc == LP_OK)
            rc = visit(c, owner, type, item, depth, fn);
    }
    return rc;
}

/* A block and the blocks in it. */
static enum lp_code
visit(struct collect *c, const char *owner, const struct lp_block_type *type, const json_t *doc,
      unsigned depth, block_fn *fn)
{
    enum lp_code rc = fn(c, owner, type, doc, depth);

    for (size_t i = 0; i < type->field_count && rc == LP_OK; i++) {
        const struct lp_field *field = &type->fields[i];
        if (field->kind == LP_FIELD_BLOCK)
            rc = visit_member(c, owner, field, json_object_get(doc, field->name), depth, fn);
    }
    return rc;
}

static enum lp_code
index_block(struct collect *c, const char *owner, const struct lp_block_type *type,
            const json_t *doc, unsigned depth)
{
    const char *id = lp_json_str(doc, "subscription_instance_id", NULL);

    (void)depth;
    if (id != NULL
        && json_object_set_new(c->blocks, id,
                               json_pack("{s:s, s:s, s:O}", "subscription_id", owner, "block",
                                         type->name, "doc", doc))
               != 0)
        return lp_fail(c->err, LP_NOMEM, "no memory for a closure");
    return LP_OK;
}

static enum lp_code follow_block(struct collect *c, const char *owner,
                                 const struct lp_block_type *type, const json_t *doc,
                                 unsigned depth);

static enum lp_code
add_owner(struct collect *c, const struct lp_subscription *sub, unsigned depth)
{
    enum lp_code rc;

    if (json_object_set_new(c->subscriptions, sub->id,
                            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "subscription_id",
                                      sub->id, "product", sub->product->name, "type",
                                      sub->product->type, "customer_id", sub->customer_id,
                                      "description", sub->description, "status",
                                      lp_lifecycle_name(sub->status), "root", sub->root))
        != 0)
        return lp_fail(c->err, LP_NOMEM, "no memory for a closure");
    rc = visit(c, sub->id, sub->product->root, sub->root, depth, index_block);
    if (rc == LP_OK && depth > 1)
        rc = visit(c, sub->id, sub->product->root, sub->root, depth - 1, follow_block);
    return rc;
}

/* Of what configures nothing itself (a device) only the block that is referenced; all of the
 * others. */
static enum lp_code
load_owner(struct collect *c, const char *instance_id, struct lp_subscription **out)
{
    struct lp_subscription *part = NULL;
    const struct lp_product *product;
    enum lp_code rc =
        lp_subscription_load_around(c->store, c->reader, c->catalog, instance_id, &part, c->err);

    if (rc != LP_OK)
        return rc;
    product = lp_product_of(part->product->type);
    if (part->part && product != NULL && product->desired != NULL)
        rc = lp_subscription_load(c->store, c->reader, c->catalog, part->id, out, c->err);
    else
        *out = part;
    if (*out != part)
        lp_subscription_free(part);
    return rc;
}

static enum lp_code
follow(struct collect *c, const json_t *reference, unsigned depth)
{
    const char *id = json_string_value(reference);
    struct lp_subscription *sub = NULL;
    enum lp_code rc;

    if (id == NULL || json_object_get(c->blocks, id) != NULL)
        return LP_OK;
    rc = load_owner(c, id, &sub);
    if (rc == LP_NOT_FOUND) {
        lp_err_clear(c->err);
        return LP_OK;
    }
    if (rc == LP_OK)
        rc = add_owner(c, sub, depth);
    lp_subscription_free(sub);
    return rc;
}

static enum lp_code
follow_block(struct collect *c, const char *owner, const struct lp_block_type *type,
             const json_t *doc, unsigned depth)
{
    enum lp_code rc = LP_OK;

    (void)owner;
    for (size_t i = 0; i < type->field_count && rc == LP_OK; i++) {
        const struct lp_field *field = &type->fields[i];
        const json_t *value = json_object_get(doc, field->name), *item;
        size_t k;
        if (field->kind != LP_FIELD_REF)
            continue;
        if (json_is_string(value))
            rc = follow(c, value, depth);
        json_array_foreach(value, k, item)
        {
            if (rc == LP_OK)
                rc = follow(c, item, depth);
        }
    }
    return rc;
}

enum lp_code
lp_derive_closure(struct lp_store *store, struct lp_reader *reader,
                  const struct lp_catalog *catalog, const struct lp_product_type *type,
                  const json_t *root, json_t **closure, struct lp_err *err)
{
    json_auto_t *subscriptions = json_object(), *blocks = json_object();
    struct collect c = {.store = store,
                        .reader = reader,
                        .catalog = catalog,
                        .subscriptions = subscriptions,
                        .blocks = blocks,
                        .err = err};
    enum lp_code rc = LP_OK;

    if (reader == NULL)
        rc = lp_reader_open(store, &c.reader, err);
    if (rc != LP_OK)
        return rc;
    rc = visit(&c, "", type->root, root, DEPTH, follow_block);
    if (reader == NULL)
        lp_reader_close(c.reader);
    if (rc == LP_OK) {
        *closure = json_pack("{s:O, s:O}", "subscriptions", subscriptions, "blocks", blocks);
        if (*closure == NULL)
            rc = lp_fail(err, LP_NOMEM, "no memory for a closure");
    }
    return rc;
}

enum lp_code
lp_derive(struct lp_store *store, struct lp_reader *reader, const struct lp_catalog *catalog,
          const struct lp_conf *conf, const struct lp_product_type *type, json_t *root,
          struct lp_err *err)
{
    const struct lp_product *product = lp_product_of(type->type);
    json_auto_t *closure = NULL;
    enum lp_code rc;

    if (product == NULL || product->derive == NULL)
        return LP_OK;
    rc = lp_derive_closure(store, reader, catalog, type, root, &closure, err);
    return rc == LP_OK ? product->derive(conf, closure, root, err) : rc;
}

enum lp_code
lp_check_linked(struct lp_store *store, struct lp_reader *reader, const struct lp_catalog *catalog,
                const struct lp_conf *conf, const struct lp_product_type *type, const json_t *root,
                struct lp_problems *problems, struct lp_err *err)
{
    const struct lp_product *product = lp_product_of(type->type);
    json_auto_t *closure = NULL;
    enum lp_code rc;

    if (product == NULL || product->check_linked == NULL)
        return LP_OK;
    rc = lp_derive_closure(store, reader, catalog, type, root, &closure, err);
    if (rc == LP_OK)
        product->check_linked(conf, closure, root, problems);
    return rc;
}
