/* Loading, changing and describing one subscription. Saving is subscription_save.c, reading models
 * subscription_read.c. */
#include "store/subscriptions.h"

#include <stdlib.h>
#include <string.h>

#include "store/subscription_internal.h"

#define DESCRIPTION_MAX 2000

enum lp_code
lp_store_query_on(struct lp_store *store, struct lp_reader *reader, enum lp_stmt stmt,
                  const struct lp_arg *args, size_t arg_count, struct lp_rows **rows,
                  struct lp_err *err)
{
    if (reader != NULL)
        return lp_reader_query(reader, stmt, args, arg_count, rows, err);
    return lp_query(store, stmt, args, arg_count, rows, err);
}

void
lp_subscription_free(struct lp_subscription *sub)
{
    if (sub == NULL)
        return;
    free(sub->customer_id);
    free(sub->description);
    free(sub->note);
    free(sub->stored_header);
    json_decref(sub->root);
    json_decref(sub->stored);
    free(sub);
}

static json_t *
time_or_null(int64_t utc_us)
{
    return utc_us == 0 ? json_null() : json_integer(utc_us);
}

json_t *
lp_subscription_header_doc(const struct lp_subscription *sub)
{
    return json_pack("{s:s, s:s, s:o, s:b, s:s?, s:s, s:o, s:s}", "customer_id", sub->customer_id,
                     "description", sub->description, "end_date", time_or_null(sub->end_date),
                     "insync", (int)sub->insync, "note", sub->note, "product", sub->product->name,
                     "start_date", time_or_null(sub->start_date), "status",
                     lp_lifecycle_name(sub->status));
}

enum lp_code
lp_subscription_header_text(const struct lp_subscription *sub, char **text, struct lp_err *err)
{
    json_auto_t *doc = lp_subscription_header_doc(sub);
    size_t len;

    if (doc == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    return lp_json_canonical(doc, text, &len, err);
}

/* ---- load ---- */

/* Rows come ordered by instance, each block repeated once per reference it holds. */
struct loading {
    const struct lp_rows *rows;
    const struct lp_catalog *catalog;
    const char *id;
    struct lp_instance *list;
    size_t count;
};

static enum lp_code
load_instance(struct loading *l, size_t row, struct lp_err *err)
{
    struct lp_instance *inst = &l->list[l->count];
    const char *block = lp_rows_text(l->rows, row, "block");
    const char *parent = lp_rows_text(l->rows, row, "parent_id");

    inst->type = lp_catalog_block(l->catalog, block);
    if (inst->type == NULL)
        return lp_fail(err, LP_STORE, "subscription %s holds a block '%.64s' the catalog lacks",
                       l->id, block);
    (void)snprintf(inst->id, sizeof inst->id, "%s", lp_rows_text(l->rows, row, "instance_id"));
    (void)snprintf(inst->parent, sizeof inst->parent, "%s", parent == NULL ? "" : parent);
    inst->field = lp_rows_text(l->rows, row, "field");
    inst->position = lp_rows_int(l->rows, row, "position");
    inst->label = lp_rows_text(l->rows, row, "label");
    inst->doc = strdup(lp_rows_text(l->rows, row, "doc"));
    inst->refs = json_array();
    if (inst->doc == NULL || inst->refs == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", l->id);
    return LP_OK;
}

static enum lp_code
load_row(struct loading *l, size_t row, struct lp_err *err)
{
    const char *instance = lp_rows_text(l->rows, row, "instance_id");
    struct lp_instance *inst;
    enum lp_code rc;

    if (instance == NULL)
        return LP_OK;
    inst = l->count > 0 ? &l->list[l->count - 1] : NULL;
    if (inst == NULL || strcmp(inst->id, instance) != 0) {
        rc = load_instance(l, row, err);
        l->count++; /* also after a failure half-way: what it holds is freed */
        if (rc != LP_OK)
            return rc;
        inst = &l->list[l->count - 1];
    }
    if (lp_rows_null(l->rows, row, "ref_to"))
        return LP_OK;
    if (json_array_append_new(inst->refs,
                              json_pack("[s, I, s]", lp_rows_text(l->rows, row, "ref_field"),
                                        (json_int_t)lp_rows_int(l->rows, row, "ref_position"),
                                        lp_rows_text(l->rows, row, "ref_to")))
        != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", l->id);
    return LP_OK;
}

static enum lp_code
load_root(struct lp_subscription *sub, const struct lp_catalog *catalog, const struct lp_rows *rows,
          struct lp_err *err)
{
    struct loading l = {.rows = rows, .catalog = catalog, .id = sub->id};
    enum lp_code rc = LP_OK;
    size_t i;

    l.list = calloc(lp_rows_count(rows), sizeof *l.list);
    if (l.list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    for (i = 0; i < lp_rows_count(rows) && rc == LP_OK; i++)
        rc = load_row(&l, i, err);
    if (rc == LP_OK)
        rc = lp_model_join(catalog, sub->product, l.list, l.count, &sub->root, err);
    for (i = 0; i < l.count; i++) {
        free(l.list[i].doc);
        json_decref(l.list[i].refs);
    }
    free(l.list);
    return rc;
}

static enum lp_code
load_header(struct lp_subscription *sub, const struct lp_catalog *catalog,
            const struct lp_rows *rows, struct lp_err *err)
{
    const char *note = lp_rows_text(rows, 0, "note");

    (void)snprintf(sub->id, sizeof sub->id, "%s", lp_rows_text(rows, 0, "id"));
    sub->product = lp_catalog_product_by_id(catalog, lp_rows_text(rows, 0, "product_id"));
    if (sub->product == NULL)
        return lp_fail(err, LP_STORE,
                       "subscription %s is of product '%.64s', which the catalog lacks", sub->id,
                       lp_rows_text(rows, 0, "product"));
    if (!lp_lifecycle_from_name(lp_rows_text(rows, 0, "status"), &sub->status))
        return lp_fail(err, LP_STORE, "subscription %s has an unknown status", sub->id);
    sub->stored_status = sub->status;
    sub->customer_id = strdup(lp_rows_text(rows, 0, "customer_id"));
    sub->description = strdup(lp_rows_text(rows, 0, "description"));
    sub->note = note == NULL ? NULL : strdup(note);
    sub->insync = lp_rows_int(rows, 0, "insync") != 0;
    sub->start_date = lp_rows_int(rows, 0, "start_date");
    sub->end_date = lp_rows_int(rows, 0, "end_date");
    sub->created_at = lp_rows_int(rows, 0, "created_at");
    sub->modified_at = lp_rows_int(rows, 0, "modified_at");
    sub->validated_at = lp_rows_int(rows, 0, "validated_at");
    sub->version = lp_rows_int(rows, 0, "version");
    if (sub->customer_id == NULL || sub->description == NULL || (note != NULL && sub->note == NULL))
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    return LP_OK;
}

/* What a change is found by. */
static enum lp_code
load_stored(struct lp_subscription *sub, struct lp_err *err)
{
    enum lp_code rc = lp_subscription_header_text(sub, &sub->stored_header, err);

    if (rc != LP_OK)
        return rc;
    sub->stored = json_deep_copy(sub->root);
    return sub->stored != NULL ? LP_OK
                               : lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
}

/* Takes the rows, of which there are some. */
static enum lp_code
load_rows(struct lp_rows *rows, const struct lp_catalog *catalog, struct lp_subscription **out,
          struct lp_err *err)
{
    struct lp_subscription *sub = calloc(1, sizeof *sub);
    enum lp_code rc = sub == NULL ? lp_fail(err, LP_NOMEM, "no memory for subscription %.64s",
                                            lp_rows_text(rows, 0, "id"))
                                  : load_header(sub, catalog, rows, err);

    if (rc == LP_OK)
        rc = load_root(sub, catalog, rows, err);
    lp_rows_free(rows);
    if (rc == LP_OK)
        *out = sub;
    else
        lp_subscription_free(sub);
    return rc;
}

static enum lp_code
fail_absent(const char *id, struct lp_err *err)
{
    return lp_fail(err, LP_NOT_FOUND, "Subscription with id: %.64s, not found", id);
}

enum lp_code
lp_subscription_load(struct lp_store *store, struct lp_reader *reader,
                     const struct lp_catalog *catalog, const char *id, struct lp_subscription **out,
                     struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_store_query_on(store, reader, LP_SQL_SUBSCRIPTION_LOAD,
                                        LP_ARGS(lp_text("id", id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0) {
        lp_rows_free(rows);
        return fail_absent(id, err);
    }
    rc = load_rows(rows, catalog, &sub, err);
    if (rc == LP_OK)
        rc = load_stored(sub, err);
    if (rc == LP_OK)
        *out = sub;
    else
        lp_subscription_free(sub);
    return rc;
}

/* ---- a part ---- */

static bool
owns_blocks(const struct lp_block_type *type)
{
    for (size_t i = 0; type != NULL && i < type->field_count; i++)
        if (type->fields[i].kind == LP_FIELD_BLOCK)
            return true;
    return false;
}

/* Rows of one block and what stands above it: is that its root, and are there none inside it? */
static bool
makes_a_part(const struct lp_catalog *catalog, const struct lp_rows *rows, const char *instance_id)
{
    bool rooted = false;

    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        bool top = lp_rows_null(rows, i, "parent_id");

        rooted = rooted || top;
        if (!top && strcmp(lp_rows_text(rows, i, "instance_id"), instance_id) == 0
            && owns_blocks(lp_catalog_block(catalog, lp_rows_text(rows, i, "block"))))
            return false;
    }
    return rooted;
}

static enum lp_code
load_part(struct lp_rows *rows, const struct lp_catalog *catalog, struct lp_subscription **out,
          struct lp_err *err)
{
    enum lp_code rc = load_rows(rows, catalog, out, err);

    if (rc == LP_OK)
        (*out)->part = owns_blocks((*out)->product->root);
    return rc;
}

enum lp_code
lp_subscription_load_around(struct lp_store *store, struct lp_reader *reader,
                            const struct lp_catalog *catalog, const char *instance_id,
                            struct lp_subscription **out, struct lp_err *err)
{
    char id[LP_UUID_LEN + 1];
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_store_query_on(store, reader, LP_SQL_SUBSCRIPTION_AROUND,
                                        LP_ARGS(lp_text("instance_id", instance_id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0) {
        lp_rows_free(rows);
        return lp_fail(err, LP_NOT_FOUND, "there is no block %.64s", instance_id);
    }
    if (makes_a_part(catalog, rows, instance_id))
        return load_part(rows, catalog, out, err);
    (void)snprintf(id, sizeof id, "%s", lp_rows_text(rows, 0, "id"));
    lp_rows_free(rows);
    return lp_subscription_load(store, reader, catalog, id, out, err);
}

enum lp_code
lp_subscription_load_top(struct lp_store *store, struct lp_reader *reader,
                         const struct lp_catalog *catalog, const char *id,
                         struct lp_subscription **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_store_query_on(store, reader, LP_SQL_SUBSCRIPTION_TOP,
                                        LP_ARGS(lp_text("id", id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0) {
        lp_rows_free(rows);
        return fail_absent(id, err);
    }
    return load_part(rows, catalog, out, err);
}

/* ---- new and changed ---- */

enum lp_code
lp_subscription_new(const struct lp_catalog *catalog, const struct lp_product_type *product,
                    const char *customer_id, const json_t *input, const struct lp_clock *clock,
                    struct lp_subscription **out, struct lp_err *err)
{
    struct lp_subscription *sub = calloc(1, sizeof *sub);
    enum lp_code rc;

    if (sub == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a subscription");
    memcpy(sub->id, lp_uuid_v7(clock).text, sizeof sub->id);
    sub->product = product;
    sub->customer_id = strdup(customer_id == NULL ? sub->id : customer_id);
    if (asprintf(&sub->description, "Initial subscription of %s", product->description) < 0)
        sub->description = NULL;
    if (sub->customer_id == NULL || sub->description == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for a subscription");
    else
        rc = lp_model_new(catalog, product, input, clock, &sub->root, err);
    if (rc != LP_OK) {
        lp_subscription_free(sub);
        return rc;
    }
    *out = sub;
    return LP_OK;
}

enum lp_code
lp_subscription_set_root(struct lp_subscription *sub, const struct lp_catalog *catalog,
                         json_t *root, const struct lp_clock *clock, struct lp_err *err)
{
    json_auto_t *taken = root;
    json_auto_t *clean = NULL;
    enum lp_code rc = lp_model_normalise(catalog, sub->product, taken, clock, &clean, err);

    if (rc == LP_OK)
        rc = lp_model_validate(catalog, sub->product, clean, sub->status, err);
    if (rc != LP_OK)
        return rc;
    json_decref(sub->root);
    sub->root = lp_json_take(&clean);
    return LP_OK;
}

static size_t
characters(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0u) != 0x80u;
    return n;
}

enum lp_code
lp_subscription_set_description(struct lp_subscription *sub, const char *text, struct lp_err *err)
{
    char *copy;

    if (text == NULL || *text == '\0' || characters(text) > DESCRIPTION_MAX)
        return lp_fail(err, LP_INVALID, "a description has 1 to %d characters", DESCRIPTION_MAX);
    copy = strdup(text);
    if (copy == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a description");
    free(sub->description);
    sub->description = copy;
    return LP_OK;
}

enum lp_code
lp_subscription_set_customer(struct lp_subscription *sub, const char *customer_id,
                             struct lp_err *err)
{
    char *copy = strdup(customer_id);

    if (copy == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for an owner");
    free(sub->customer_id);
    sub->customer_id = copy;
    return LP_OK;
}

enum lp_code
lp_subscription_set_status(struct lp_subscription *sub, const struct lp_catalog *catalog,
                           enum lp_lifecycle status, const struct lp_clock *clock,
                           struct lp_err *err)
{
    enum lp_code rc = lp_model_validate(catalog, sub->product, sub->root, status, err);

    if (rc != LP_OK)
        return rc;
    sub->status = status;
    if (status == LP_LC_ACTIVE && sub->start_date == 0)
        sub->start_date = lp_clock_utc_us(clock);
    if (status == LP_LC_TERMINATED && sub->end_date == 0)
        sub->end_date = lp_clock_utc_us(clock);
    return LP_OK;
}
