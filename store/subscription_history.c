/* What a subscription was: versions, any one of them put together again, and the difference of two.
 */
#include <stdlib.h>
#include <string.h>

#include "store/subscription_internal.h"

static enum lp_code
parse(const char *text, json_t **out, struct lp_err *err)
{
    return lp_json_load(text, strlen(text), out, err);
}

static enum lp_code
version_json(const struct lp_rows *rows, size_t row, json_t **out, struct lp_err *err)
{
    json_t *header = NULL;
    enum lp_code rc = parse(lp_rows_text(rows, row, "doc"), &header, err);

    if (rc != LP_OK)
        return rc;
    *out = json_pack(
        "{s:I, s:f, s:s, s:s?, s:o}", "version", (json_int_t)lp_rows_int(rows, row, "version"),
        "at", (double)lp_rows_int(rows, row, "at") / 1e6, "actor", lp_rows_text(rows, row, "actor"),
        "process_id", lp_rows_text(rows, row, "process_id"), "header", header);
    if (*out == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the history");
    return LP_OK;
}

/* Puts the changed blocks of every listed version beside it. */
static enum lp_code
add_blocks(struct lp_reader *reader, const char *id, json_t *list, struct lp_err *err)
{
    const json_t *oldest = json_array_get(list, json_array_size(list) - 1);
    struct lp_rows *rows = NULL;
    json_t *entry;
    size_t i, k;
    enum lp_code rc = lp_reader_query(
        reader, LP_SQL_BLOCK_HISTORY_LIST,
        LP_ARGS(lp_text("id", id), lp_int("from_version", lp_json_int(oldest, "version", 0))),
        &rows, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(list, i, entry)
    {
        json_t *blocks = json_array();

        for (k = 0; k < lp_rows_count(rows); k++)
            if (lp_rows_int(rows, k, "subscription_version") == lp_json_int(entry, "version", 0))
                json_array_append_new(
                    blocks, json_pack("{s:s, s:s, s:I, s:b}", "subscription_instance_id",
                                      lp_rows_text(rows, k, "instance_id"), "name",
                                      lp_rows_text(rows, k, "block"), "version",
                                      (json_int_t)lp_rows_int(rows, k, "version"), "removed",
                                      (int)(lp_rows_int(rows, k, "removed") != 0)));
        json_object_set_new(entry, "blocks", blocks);
    }
    lp_rows_free(rows);
    return LP_OK;
}

static enum lp_code
history_list(struct lp_reader *reader, const char *id, int64_t limit, json_t *list,
             struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_reader_query(reader, LP_SQL_SUBSCRIPTION_HISTORY_LIST,
                        LP_ARGS(lp_text("id", id), lp_int("limit", limit)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "Subscription with id: %.64s, not found", id);
    for (size_t i = 0; i < lp_rows_count(rows) && rc == LP_OK; i++) {
        json_t *entry = NULL;

        rc = version_json(rows, i, &entry, err);
        if (rc == LP_OK)
            json_array_append_new(list, entry);
    }
    lp_rows_free(rows);
    if (rc != LP_OK)
        return rc;
    return add_blocks(reader, id, list, err);
}

enum lp_code
lp_subscription_history(struct lp_store *store, const char *id, int64_t limit, json_t **out,
                        struct lp_err *err)
{
    json_auto_t *list = json_array();
    struct lp_reader *reader = NULL;
    enum lp_code rc;

    if (limit < 1)
        limit = 1;
    rc = lp_reader_open(store, &reader, err);
    if (rc != LP_OK)
        return rc;
    rc = history_list(reader, id, limit, list, err);
    lp_reader_close(reader);
    if (rc == LP_OK)
        *out = lp_json_take(&list);
    return rc;
}

/* ---- one version ---- */

static enum lp_code
past_instance(struct lp_instance *inst, const struct lp_catalog *catalog,
              const struct lp_rows *rows, size_t row, json_t *keep, struct lp_err *err)
{
    json_t *doc = NULL;
    size_t len;
    enum lp_code rc = parse(lp_rows_text(rows, row, "doc"), &doc, err);

    if (rc != LP_OK)
        return rc;
    json_array_append_new(keep, doc); /* field and label are borrowed from it */
    inst->type = lp_catalog_block(catalog, lp_rows_text(rows, row, "block"));
    if (inst->type == NULL)
        return lp_fail(err, LP_STORE, "history holds a block '%.64s' the catalog lacks",
                       lp_rows_text(rows, row, "block"));
    (void)snprintf(inst->id, sizeof inst->id, "%s", lp_rows_text(rows, row, "instance_id"));
    (void)snprintf(inst->parent, sizeof inst->parent, "%s", lp_json_str(doc, "parent", ""));
    inst->field = lp_json_str(doc, "field", "");
    inst->label = lp_json_str(doc, "label", NULL);
    inst->position = lp_json_int(doc, "position", 0);
    inst->refs = json_object_get(doc, "refs");
    return lp_json_canonical(json_object_get(doc, "doc"), &inst->doc, &len, err);
}

static enum lp_code
past_root(const struct lp_catalog *catalog, const struct lp_product_type *product,
          const struct lp_rows *rows, json_t **root, struct lp_err *err)
{
    size_t count = lp_rows_count(rows), i;
    struct lp_instance *list = calloc(count + 1, sizeof *list);
    json_auto_t *keep = json_array();
    enum lp_code rc = LP_OK;

    if (list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the history");
    for (i = 0; i < count && rc == LP_OK; i++)
        rc = past_instance(&list[i], catalog, rows, i, keep, err);
    if (rc == LP_OK)
        rc = lp_model_join(catalog, product, list, count, root, err);
    for (i = 0; i < count; i++)
        free(list[i].doc);
    free(list);
    return rc;
}

static enum lp_code
past_header(struct lp_reader *reader, const char *id, int64_t version, json_t **out,
            struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_reader_query(reader, LP_SQL_SUBSCRIPTION_HISTORY_AT,
                        LP_ARGS(lp_text("id", id), lp_int("version", version)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "subscription %.64s has no version %lld", id,
                     (long long)version);
    else
        rc = version_json(rows, 0, out, err);
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
past(struct lp_reader *reader, const struct lp_catalog *catalog, const char *id, int64_t version,
     json_t **out, struct lp_err *err)
{
    json_auto_t *entry = NULL;
    const struct lp_product_type *product;
    const char *name;
    struct lp_rows *rows = NULL;
    json_t *root = NULL;
    enum lp_code rc = past_header(reader, id, version, &entry, err);

    if (rc != LP_OK)
        return rc;
    name = lp_json_str(json_object_get(entry, "header"), "product", "");
    product = lp_catalog_product(catalog, name);
    if (product == NULL)
        return lp_fail(err, LP_STORE,
                       "subscription %.64s was of product '%.64s', which the catalog lacks", id,
                       name);
    rc = lp_reader_query(reader, LP_SQL_BLOCK_HISTORY_AT,
                         LP_ARGS(lp_text("id", id), lp_int("version", version)), &rows, err);
    if (rc != LP_OK)
        return rc;
    rc = past_root(catalog, product, rows, &root, err);
    lp_rows_free(rows);
    if (rc != LP_OK)
        return rc;
    json_object_set_new(entry, product->member, root);
    *out = lp_json_take(&entry);
    return LP_OK;
}

enum lp_code
lp_subscription_at(struct lp_store *store, const struct lp_catalog *catalog, const char *id,
                   int64_t version, json_t **out, struct lp_err *err)
{
    struct lp_reader *reader = NULL;
    enum lp_code rc = lp_reader_open(store, &reader, err);

    if (rc != LP_OK)
        return rc;
    rc = past(reader, catalog, id, version, out, err);
    lp_reader_close(reader);
    return rc;
}

/* What is compared: header and tree, without who and when. */
static enum lp_code
past_content(struct lp_store *store, const struct lp_catalog *catalog, const char *id,
             int64_t version, json_t **out, struct lp_err *err)
{
    static const char *const aside[] = {"version", "at", "actor", "process_id"};
    enum lp_code rc;

    if (version == 0) {
        *out = json_object();
        return LP_OK;
    }
    rc = lp_subscription_at(store, catalog, id, version, out, err);
    if (rc == LP_OK)
        for (size_t i = 0; i < LP_COUNT(aside); i++)
            json_object_del(*out, aside[i]);
    return rc;
}

enum lp_code
lp_subscription_diff(struct lp_store *store, const struct lp_catalog *catalog, const char *id,
                     int64_t from, int64_t to, json_t **out, struct lp_err *err)
{
    json_auto_t *before = NULL;
    json_auto_t *after = NULL;
    json_t *changes;
    enum lp_code rc = past_content(store, catalog, id, from, &before, err);

    if (rc == LP_OK)
        rc = past_content(store, catalog, id, to, &after, err);
    if (rc != LP_OK)
        return rc;
    changes = lp_model_diff(before, after);
    *out = json_pack("{s:s, s:I, s:I, s:o}", "subscription_id", id, "from", (json_int_t)from, "to",
                     (json_int_t)to, "changes", changes);
    if (*out == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the difference");
    return LP_OK;
}
