/* Reading models: wire header, domain model, relations, look-ups. */
#include <stdlib.h>
#include <string.h>

#include "store/subscription_internal.h"

#define DEPTH_MAX 10 /* references followed from the subscription outwards */

/* Seconds with fraction, or null: the times of the wire. */
static json_t *
wire_time(int64_t utc_us)
{
    return utc_us == 0 ? json_null() : json_real((double)utc_us / 1e6);
}

static json_t *
product_json(const struct lp_product_type *product, const struct lp_rows *text)
{
    bool has = text != NULL && lp_rows_count(text) > 0;
    const char *edited = has ? lp_rows_text(text, 0, "description") : NULL;

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "product_id", product->id.text, "name",
        product->name, "description", edited != NULL ? edited : product->description,
        "product_type", product->type, "status", has ? lp_rows_text(text, 0, "status") : "active",
        "tag", product->tag, "created_at", wire_time(has ? lp_rows_int(text, 0, "created_at") : 0),
        "end_date", wire_time(has ? lp_rows_int(text, 0, "end_date") : 0));
}

static json_t *
iso_time(int64_t utc_us)
{
    char text[33];

    if (utc_us == 0)
        return json_null();
    lp_time_iso(utc_us, text);
    return json_string(text);
}

json_t *
lp_subscription_state_json(const struct lp_subscription *sub)
{
    json_t *out = lp_subscription_header_json(sub);

    json_object_set_new(out, "start_date", iso_time(sub->start_date));
    json_object_set_new(out, "end_date", iso_time(sub->end_date));
    return out;
}

json_t *
lp_subscription_header_json(const struct lp_subscription *sub)
{
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:b, s:s?, s:n, s:o, s:o, s:[], s:s, s:I}",
                     "subscription_id", sub->id, "start_date", wire_time(sub->start_date),
                     "description", sub->description, "status", lp_lifecycle_name(sub->status),
                     "product_id", sub->product->id.text, "customer_id", sub->customer_id, "insync",
                     (int)sub->insync, "note", sub->note, "name", "end_date",
                     wire_time(sub->end_date), "product", product_json(sub->product, NULL),
                     "customer_descriptions", "tag", sub->product->tag, "version",
                     (json_int_t)sub->version);
}

/* ---- domain model ---- */

struct member {
    struct lp_subscription *sub;
    struct lp_rows *users; /* to_id, from_id, subscription_id of references to its blocks */
};

struct domain {
    struct lp_reader *reader;
    const struct lp_catalog *catalog;
    struct member *members; /* every subscription read so far */
    size_t count;
    bool filter_owner;
    const char *path[DEPTH_MAX]; /* referenced instances being expanded: a ring is cut */
    size_t depth;
};

static enum lp_code
domain_member(struct domain *d, const char *id, size_t *index, struct lp_err *err)
{
    struct member *grown, *m;
    enum lp_code rc;

    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->members[i].sub->id, id) == 0) {
            *index = i;
            return LP_OK;
        }
    grown = reallocarray(d->members, d->count + 1, sizeof *grown);
    if (grown == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %.64s", id);
    d->members = grown;
    m = &grown[d->count];
    *m = (struct member){.sub = NULL};
    rc = lp_subscription_load(NULL, d->reader, d->catalog, id, &m->sub, err);
    if (rc != LP_OK)
        return rc;
    *index = d->count++;
    return lp_reader_query(d->reader, LP_SQL_SUBSCRIPTION_IN_USE_BY, LP_ARGS(lp_text("id", id)),
                           &m->users, err);
}

static void
domain_free(struct domain *d)
{
    for (size_t i = 0; i < d->count; i++) {
        lp_subscription_free(d->members[i].sub);
        lp_rows_free(d->members[i].users);
    }
    free(d->members);
    lp_reader_close(d->reader);
}

/* The object of an instance inside a tree, with its type. */
static const json_t *
find_instance(const struct lp_block_type *type, const json_t *obj, const char *id,
              const struct lp_block_type **found, const struct lp_catalog *catalog)
{
    if (strcmp(lp_json_str(obj, "subscription_instance_id", ""), id) == 0) {
        *found = type;
        return obj;
    }
    for (size_t i = 0; i < type->field_count; i++) {
        const struct lp_field *field = &type->fields[i];
        const json_t *value = json_object_get(obj, field->name), *hit, *item;
        size_t k;

        if (field->kind != LP_FIELD_BLOCK || value == NULL)
            continue;
        const struct lp_block_type *child = lp_catalog_block(catalog, field->block);
        if (!json_is_array(value)) {
            hit = find_instance(child, value, id, found, catalog);
            if (hit != NULL)
                return hit;
        }
        json_array_foreach(value, k, item)
        {
            hit = find_instance(child, item, id, found, catalog);
            if (hit != NULL)
                return hit;
        }
    }
    return NULL;
}

static enum lp_code expand(struct domain *d, size_t owner, const struct lp_block_type *type,
                           const json_t *obj, const char *parent, json_t **out, struct lp_err *err);

static enum lp_code
expand_reference(struct domain *d, const char *id, json_t **out, struct lp_err *err)
{
    const struct lp_block_type *type = NULL;
    struct lp_rows *rows = NULL;
    const json_t *obj;
    size_t owner;
    enum lp_code rc;

    for (size_t i = 0; i < d->depth; i++)
        if (strcmp(d->path[i], id) == 0) {
            *out = json_pack("{s:s}", "subscription_instance_id", id);
            return LP_OK;
        }
    if (d->depth == DEPTH_MAX) {
        *out = json_pack("{s:s}", "subscription_instance_id", id);
        return LP_OK;
    }
    rc = lp_reader_query(d->reader, LP_SQL_BLOCK_OWNER, LP_ARGS(lp_text("instance_id", id)), &rows,
                         err);
    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_STORE, "block %.64s is referenced but does not exist", id);
    if (rc == LP_OK)
        rc = domain_member(d, lp_rows_text(rows, 0, "subscription_id"), &owner, err);
    lp_rows_free(rows);
    if (rc != LP_OK)
        return rc;
    obj = find_instance(d->members[owner].sub->product->root, d->members[owner].sub->root, id,
                        &type, d->catalog);
    if (obj == NULL)
        return lp_fail(err, LP_STORE, "block %.64s is missing in its subscription", id);
    d->path[d->depth++] = id;
    rc = expand(d, owner, type, obj, NULL, out, err);
    d->depth--;
    return rc;
}

static enum lp_code
expand_one(struct domain *d, size_t owner, const struct lp_field *field, const json_t *value,
           const char *parent, json_t **out, struct lp_err *err)
{
    if (field->kind == LP_FIELD_BLOCK)
        return expand(d, owner, lp_catalog_block(d->catalog, field->block), value, parent, out,
                      err);
    if (field->kind == LP_FIELD_REF)
        return expand_reference(d, json_string_value(value), out, err);
    *out = json_deep_copy(value);
    return LP_OK;
}

static enum lp_code
expand_field(struct domain *d, size_t owner, const struct lp_field *field, const json_t *obj,
             json_t *result, struct lp_err *err)
{
    const char *parent = lp_json_str(obj, "subscription_instance_id", "");
    const json_t *value = json_object_get(obj, field->name), *item;
    json_auto_t *made = NULL;
    enum lp_code rc = LP_OK;
    size_t i;

    if (field->list && (value == NULL || json_is_array(value))) {
        made = json_array();
        json_array_foreach(value, i, item)
        {
            json_t *one = NULL;

            rc = expand_one(d, owner, field, item, parent, &one, err);
            if (rc != LP_OK)
                return rc;
            json_array_append_new(made, one);
        }
    } else if (value == NULL) {
        made = json_null();
    } else {
        rc = expand_one(d, owner, field, value, parent, &made, err);
    }
    if (rc == LP_OK && json_object_set(result, field->name, made) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for field %s", field->name);
    return rc;
}

/* in_use_by_*: the block that contains it, and every reference to it. */
static void
add_users(const struct domain *d, size_t owner, const char *id, const char *parent, json_t *result)
{
    const struct member *m = &d->members[owner];
    json_t *ids = json_array(), *relations = json_array();
    size_t count = m->users == NULL ? 0 : lp_rows_count(m->users);

    if (parent != NULL) {
        if (!d->filter_owner)
            json_array_append_new(ids, json_string(parent));
        json_array_append_new(relations, json_pack("{s:s, s:s}", "subscription_instance_id", parent,
                                                   "subscription_id", m->sub->id));
    }
    for (size_t i = 0; i < count; i++) {
        const char *from = lp_rows_text(m->users, i, "from_id");
        const char *user = lp_rows_text(m->users, i, "subscription_id");

        if (strcmp(lp_rows_text(m->users, i, "to_id"), id) != 0)
            continue;
        if (!d->filter_owner || strcmp(user, d->members[0].sub->id) != 0)
            json_array_append_new(ids, json_string(from));
        json_array_append_new(relations, json_pack("{s:s, s:s}", "subscription_instance_id", from,
                                                   "subscription_id", user));
    }
    json_object_set_new(result, "in_use_by_ids", ids);
    json_object_set_new(result, "in_use_by_relations", relations);
}

static enum lp_code
expand(struct domain *d, size_t owner, const struct lp_block_type *type, const json_t *obj,
       const char *parent, json_t **out, struct lp_err *err)
{
    const char *id = lp_json_str(obj, "subscription_instance_id", "");
    json_auto_t *result =
        json_pack("{s:s, s:s, s:s, s:s?}", "name", type->name, "subscription_instance_id", id,
                  "owner_subscription_id", d->members[owner].sub->id, "label",
                  lp_json_str(obj, "label", NULL));
    enum lp_code rc = LP_OK;

    if (result == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for block %.64s", id);
    for (size_t i = 0; i < type->field_count && rc == LP_OK; i++) {
        const struct lp_field *field = &type->fields[i];

        if (strcmp(field->name, "subscription_instance_id") != 0
            && strcmp(field->name, "label") != 0)
            rc = expand_field(d, owner, field, obj, result, err);
    }
    if (rc != LP_OK)
        return rc;
    add_users(d, owner, id, parent, result);
    *out = lp_json_take(&result);
    return LP_OK;
}

static enum lp_code
domain_build(struct domain *d, const char *id, json_t **out, struct lp_err *err)
{
    const struct lp_product_type *product;
    json_auto_t *head = NULL;
    struct lp_rows *text = NULL;
    json_t *root = NULL;
    size_t self;
    enum lp_code rc = domain_member(d, id, &self, err);

    if (rc != LP_OK)
        return rc;
    product = d->members[self].sub->product;
    head = lp_subscription_header_json(d->members[self].sub);
    if (head == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %.64s", id);
    rc = lp_reader_query(d->reader, LP_SQL_SUBSCRIPTION_PRODUCT_TEXT,
                         LP_ARGS(lp_text("id", product->id.text)), &text, err);
    if (rc != LP_OK)
        return rc;
    json_object_set_new(head, "product", product_json(product, text));
    lp_rows_free(text);
    for (size_t i = 0; i < product->fixed_count; i++)
        (void)lp_json_set_str(head, product->fixed[i].name, product->fixed[i].value);
    rc = expand(d, self, product->root, d->members[self].sub->root, NULL, &root, err);
    if (rc != LP_OK)
        return rc;
    json_object_set_new(head, product->member, root);
    *out = lp_json_take(&head);
    return LP_OK;
}

enum lp_code
lp_subscription_domain_model(struct lp_store *store, const struct lp_catalog *catalog,
                             const char *id, bool filter_owner_relations, json_t **out,
                             struct lp_err *err)
{
    struct domain d = {.catalog = catalog, .filter_owner = filter_owner_relations};
    enum lp_code rc = lp_reader_open(store, &d.reader, err);

    if (rc != LP_OK)
        return rc;
    rc = domain_build(&d, id, out, err);
    domain_free(&d);
    return rc;
}

/* ---- relations ---- */

void
lp_relations_free(struct lp_relations *relations)
{
    for (size_t i = 0; i < relations->count; i++)
        free(relations->rows[i].description);
    free(relations->rows);
    *relations = (struct lp_relations){.rows = NULL};
}

static enum lp_code
relations_fill(const struct lp_rows *rows, struct lp_relations *out, struct lp_err *err)
{
    size_t count = lp_rows_count(rows);

    out->rows = calloc(count + 1, sizeof *out->rows);
    if (out->rows == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for %zu related subscriptions", count);
    for (size_t i = 0; i < count; i++) {
        struct lp_relation *r = &out->rows[out->count++];

        (void)snprintf(r->subscription_id, sizeof r->subscription_id, "%s",
                       lp_rows_text(rows, i, "id"));
        r->insync = lp_rows_int(rows, i, "insync") != 0;
        r->description = strdup(lp_rows_text(rows, i, "description"));
        if (r->description == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for %zu related subscriptions", count);
        if (!lp_lifecycle_from_name(lp_rows_text(rows, i, "status"), &r->status))
            return lp_fail(err, LP_STORE, "subscription %s has an unknown status",
                           r->subscription_id);
    }
    return LP_OK;
}

enum lp_code
lp_subscription_relations(struct lp_store *store, struct lp_reader *reader, const char *id,
                          enum lp_relation_kind kind, bool with_terminated,
                          struct lp_relations *out, struct lp_err *err)
{
    static const enum lp_stmt stmts[] = {
        [LP_RELATION_USERS] = LP_SQL_SUBSCRIPTION_USERS,
        [LP_RELATION_DEPENDENCIES] = LP_SQL_SUBSCRIPTION_DEPENDENCIES,
        [LP_RELATION_CUSTOMER_OF] = LP_SQL_SUBSCRIPTION_CUSTOMER_OF,
    };
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    *out = (struct lp_relations){.rows = NULL};
    rc = lp_store_query_on(store, reader, stmts[kind],
                           LP_ARGS(lp_text("id", id), lp_int("all", with_terminated)), &rows, err);
    if (rc != LP_OK)
        return rc;
    rc = relations_fill(rows, out, err);
    lp_rows_free(rows);
    if (rc != LP_OK)
        lp_relations_free(out);
    return rc;
}

/* ---- look-ups ---- */

enum lp_code
lp_subscription_by_key(struct lp_store *store, struct lp_reader *reader, const char *scope,
                       const char *value, char *id, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_store_query_on(store, reader, LP_SQL_BLOCK_KEY_HOLDER,
                          LP_ARGS(lp_text("scope", scope), lp_text("value", value)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "nothing has %.64s %.128s", scope, value);
    else
        (void)snprintf(id, LP_UUID_LEN + 1, "%s", lp_rows_text(rows, 0, "subscription_id"));
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_subscription_keys(struct lp_store *store, struct lp_reader *reader, const char *id,
                     json_t **keys, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *list;
    enum lp_code rc = lp_store_query_on(store, reader, LP_SQL_BLOCK_KEYS_OF,
                                        LP_ARGS(lp_text("id", id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    list = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        json_array_append_new(list, json_pack("[s, s, s]", lp_rows_text(rows, i, "scope"),
                                              lp_rows_text(rows, i, "value"),
                                              lp_rows_text(rows, i, "instance_id")));
    lp_rows_free(rows);
    if (list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the keys of %.64s", id);
    *keys = list;
    return LP_OK;
}

enum lp_code
lp_subscription_brief(struct lp_store *store, struct lp_reader *reader, const char *id,
                      json_t **brief, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_store_query_on(store, reader, LP_SQL_SUBSCRIPTION_STATUS,
                                        LP_ARGS(lp_text("id", id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0) {
        rc = lp_fail(err, LP_NOT_FOUND, "Subscription with id: %.64s, not found", id);
    } else {
        *brief = json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I}", "subscription_id",
            lp_rows_text(rows, 0, "id"), "product_id", lp_rows_text(rows, 0, "product_id"),
            "product", lp_rows_text(rows, 0, "product"), "customer_id",
            lp_rows_text(rows, 0, "customer_id"), "description",
            lp_rows_text(rows, 0, "description"), "status", lp_rows_text(rows, 0, "status"),
            "insync", (int)(lp_rows_int(rows, 0, "insync") != 0), "version",
            (json_int_t)lp_rows_int(rows, 0, "version"));
        if (*brief == NULL)
            rc = lp_fail(err, LP_NOMEM, "no memory for subscription %.64s", id);
    }
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_subscription_choices(struct lp_store *store, struct lp_reader *reader, const char *product_id,
                        json_t **choices, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_t *list;
    enum lp_code rc = lp_store_query_on(store, reader, LP_SQL_SUBSCRIPTION_CHOICES,
                                        LP_ARGS(lp_text("product_id", product_id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    list = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "subscription_id",
                                              lp_rows_text(rows, i, "id"), "description",
                                              lp_rows_text(rows, i, "description")));
    lp_rows_free(rows);
    if (list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the choices");
    *choices = list;
    return LP_OK;
}

enum lp_code
lp_import_row_newest(struct lp_store *store, struct lp_reader *reader, const char *source,
                     const char *key, json_t **doc, int64_t *imported_at, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    const char *text;
    enum lp_code rc =
        lp_store_query_on(store, reader, LP_SQL_IMPORT_ROW_NEWEST,
                          LP_ARGS(lp_text("source", source), lp_text("key", key)), &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0) {
        rc = lp_fail(err, LP_NOT_FOUND, "no import of %.64s from %.64s is stored", key, source);
    } else {
        text = lp_rows_text(rows, 0, "doc");
        if (imported_at != NULL)
            *imported_at = lp_rows_int(rows, 0, "imported_at");
        rc = lp_json_load(text, strlen(text), doc, err);
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
import_row(const struct lp_rows *rows, size_t row, json_t *list, struct lp_err *err)
{
    const char *text = lp_rows_text(rows, row, "doc");
    json_t *doc = NULL;
    enum lp_code rc = lp_json_load(text, strlen(text), &doc, err);

    if (rc == LP_OK
        && json_array_append_new(list, json_pack("{s:s, s:o}", "key",
                                                 lp_rows_text(rows, row, "key"), "document", doc))
               != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the rows of an import");
    return rc;
}

enum lp_code
lp_import_rows_of(struct lp_store *store, const char *source, int64_t imported_at,
                  const char *process_id, json_t **out, struct lp_err *err)
{
    json_auto_t *list = json_array();
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_IMPORT_ROWS_OF,
                 LP_ARGS(lp_text("source", source), lp_int("imported_at", imported_at),
                         lp_text("process_id", process_id)),
                 &rows, err);

    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; i < lp_rows_count(rows) && rc == LP_OK; i++)
        rc = import_row(rows, i, list, err);
    lp_rows_free(rows);
    if (rc == LP_OK)
        *out = lp_json_take(&list);
    return rc;
}
