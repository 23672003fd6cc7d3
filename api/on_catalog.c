#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lists.h"
#include "base/json.h"

/* Products, blocks and fields come from the YANG modules; description, product status and times
 * from catalog_texts. */

/* ---- texts ---- */

static void
text_key(char *buf, size_t size, const char *kind, const char *id)
{
    snprintf(buf, size, "%s:%s", kind, id);
}

enum lp_code
lp_catalog_texts(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(req->api->services.store, LP_SQL_API_CATALOG_TEXTS, LP_NO_ARGS, &rows, err);

    if (rc != LP_OK)
        return rc;
    *out = json_object();
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        char key[80];

        text_key(key, sizeof key, lp_rows_text(rows, i, "kind"), lp_rows_text(rows, i, "id"));
        json_object_set_new(*out, key,
                            json_pack("{s:s?, s:s, s:o, s:o}", "description",
                                      lp_rows_text(rows, i, "description"), "status",
                                      lp_rows_text(rows, i, "status"), "created_at",
                                      lp_time_column(rows, i, "created_at"), "end_date",
                                      lp_time_column(rows, i, "end_date")));
    }
    lp_rows_free(rows);
    return LP_OK;
}

static const json_t *
text_of(const json_t *texts, const char *kind, const char *id)
{
    char key[80];

    text_key(key, sizeof key, kind, id);
    return json_object_get(texts, key);
}

/** Description as edited, else the catalogue's. */
static json_t *
description(const json_t *text, const char *fallback)
{
    const char *value = text == NULL ? fallback : lp_json_str(text, "description", NULL);

    return value == NULL ? json_null() : json_string(value);
}

static json_t *
member(const json_t *text, const char *key, json_t *fallback)
{
    json_t *value = json_object_get(text, key);

    if (value == NULL)
        return fallback;
    json_decref(fallback);
    return json_incref(value);
}

/* ---- shapes ---- */

json_t *
lp_product_base(const struct lp_product_type *product, const json_t *texts)
{
    const json_t *text = text_of(texts, "product", product->id.text);

    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s?, s:o, s:o}", "product_id", product->id.text,
                     "name", product->name, "description", description(text, product->description),
                     "product_type", product->type, "status", lp_json_str(text, "status", "active"),
                     "tag", product->tag, "created_at", member(text, "created_at", json_null()),
                     "end_date", member(text, "end_date", json_null()));
}

static json_t *
resource_type_json(const struct lp_field *field, const json_t *texts)
{
    struct lp_uuid id = lp_catalog_id("resource_type", field->name);

    return json_pack("{s:s, s:s, s:o}", "resource_type_id", id.text, "resource_type", field->name,
                     "description",
                     description(text_of(texts, "resource_type", id.text), field->description));
}

/** A resource type is a leaf of a block. */
static bool
is_resource(const struct lp_field *field)
{
    return field->kind != LP_FIELD_BLOCK && field->kind != LP_FIELD_REF;
}

static json_t *
block_json(const struct lp_block_type *block, const json_t *texts)
{
    const json_t *text = text_of(texts, "product_block", block->id.text);
    json_t *resources = json_array();

    for (size_t i = 0; i < block->field_count; i++)
        if (is_resource(&block->fields[i]))
            json_array_append_new(resources, resource_type_json(&block->fields[i], texts));
    return json_pack("{s:s, s:s, s:o, s:s?, s:s, s:o, s:o, s:o}", "product_block_id",
                     block->id.text, "name", block->name, "description",
                     description(text, block->description), "tag", block->tag, "status",
                     lp_json_str(text, "status", "active"), "created_at",
                     member(text, "created_at", json_real(0)), "end_date",
                     member(text, "end_date", json_null()), "resource_types", resources);
}

static json_t *
workflow_json(struct lp_request *req, const struct lp_workflow *workflow, const json_t *texts,
              bool with_steps)
{
    struct lp_uuid id = lp_catalog_id("workflow", workflow->name);
    const json_t *text = text_of(texts, "workflow", id.text);
    size_t count = 0;
    const struct lp_step *const *steps = NULL;
    json_t *list = with_steps ? json_array() : json_null();

    if (with_steps)
        steps = lp_engine_steps(req->api->services.engine, workflow, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "name", steps[i]->title, "key",
                                        steps[i]->key, "kind", lp_step_kind_name(steps[i]->kind)));
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "workflow_id", id.text, "name",
                     workflow->name, "target", lp_target_name(workflow->target), "is_task",
                     (int)workflow->is_task, "description",
                     description(text, workflow->description), "created_at",
                     member(text, "created_at", json_real(0)), "steps", list);
}

/** The blocks a product is made of, root first. */
static void
add_blocks(struct lp_request *req, const struct lp_block_type *block, const json_t *texts,
           json_t *list, int depth)
{
    size_t i;
    json_t *have;

    if (block == NULL || depth > 8)
        return;
    json_array_foreach(list, i,
                       have) if (strcmp(lp_json_str(have, "name", ""), block->name) == 0) return;
    json_array_append_new(list, block_json(block, texts));
    for (size_t f = 0; f < block->field_count; f++)
        if (block->fields[f].kind == LP_FIELD_BLOCK)
            add_blocks(req, lp_catalog_block(req->api->services.catalog, block->fields[f].block),
                       texts, list, depth + 1);
}

static json_t *
product_json(struct lp_request *req, const struct lp_product_type *product, const json_t *texts)
{
    json_t *out = lp_product_base(product, texts);
    json_t *blocks = json_array();
    json_t *inputs = json_array();
    json_t *workflows = json_array();
    size_t count;
    const struct lp_workflow *const *all = lp_engine_workflows(req->api->services.engine, &count);

    add_blocks(req, product->root, texts, blocks, 0);
    for (size_t i = 0; i < product->fixed_count; i++) {
        char name[256];
        struct lp_uuid id;

        snprintf(name, sizeof name, "%s.%s", product->name, product->fixed[i].name);
        id = lp_catalog_id("fixed_input", name);
        json_array_append_new(inputs, json_pack("{s:s, s:s, s:s, s:O, s:s}", "fixed_input_id",
                                                id.text, "name", product->fixed[i].name, "value",
                                                product->fixed[i].value, "created_at",
                                                json_object_get(out, "created_at"), "product_id",
                                                product->id.text));
    }
    for (size_t i = 0; i < count; i++)
        if (lp_workflow_fits(all[i], product))
            json_array_append_new(workflows, workflow_json(req, all[i], texts, false));
    json_object_set_new(out, "product_blocks", blocks);
    json_object_set_new(out, "fixed_inputs", inputs);
    json_object_set_new(out, "workflows", workflows);
    return out;
}

/* ---- finding ---- */

static enum lp_code
find_product(struct lp_request *req, const struct lp_product_type **out, struct lp_err *err)
{
    *out = lp_catalog_product_by_id(req->api->services.catalog, req->params[0]);
    if (*out == NULL)
        return lp_fail(err, LP_NOT_FOUND, "Product id %s not found", req->params[0]);
    return LP_OK;
}

static enum lp_code
find_block(struct lp_request *req, const struct lp_block_type **out, struct lp_err *err)
{
    size_t count;
    const struct lp_block_type *blocks = lp_catalog_blocks(req->api->services.catalog, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(blocks[i].id.text, req->params[0]) == 0) {
            *out = &blocks[i];
            return LP_OK;
        }
    return lp_fail(err, LP_NOT_FOUND, "Product block id %s not found", req->params[0]);
}

static enum lp_code
find_resource(struct lp_request *req, const struct lp_field **out, struct lp_err *err)
{
    size_t count;
    const struct lp_block_type *blocks = lp_catalog_blocks(req->api->services.catalog, &count);

    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < blocks[i].field_count; f++) {
            const struct lp_field *field = &blocks[i].fields[f];

            if (is_resource(field)
                && strcmp(lp_catalog_id("resource_type", field->name).text, req->params[0]) == 0) {
                *out = field;
                return LP_OK;
            }
        }
    return lp_fail(err, LP_NOT_FOUND, "Resource type id %s not found", req->params[0]);
}

static enum lp_code
find_workflow(struct lp_request *req, const struct lp_workflow **out, struct lp_err *err)
{
    size_t count;
    const struct lp_workflow *const *all = lp_engine_workflows(req->api->services.engine, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(lp_catalog_id("workflow", all[i]->name).text, req->params[0]) == 0) {
            *out = all[i];
            return LP_OK;
        }
    return lp_fail(err, LP_NOT_FOUND, "Workflow id %s not found", req->params[0]);
}

/* ---- changing texts ---- */

struct edit {
    const char *kind, *id, *name;
    const char *fallback; /* description of the catalogue */
};

/** "pre_production" and "pre production" are both taken; the wire shows blanks. */
static const char *
status_name(struct lp_request *req, const char *value)
{
    char *text = lp_arena_strdup(req->arena, value);

    for (char *p = text; p != NULL && *p != '\0'; p++)
        if (*p == '_')
            *p = ' ';
    return text;
}

static enum lp_code
may_end(struct lp_request *req, const struct edit *edit, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    int64_t open = 0;
    enum lp_code rc = lp_query(req->api->services.store, LP_SQL_API_PRODUCT_OPEN,
                               LP_ARGS(lp_text("id", edit->id)), &rows, err);

    if (rc == LP_OK)
        open = lp_rows_int(rows, 0, "n");
    lp_rows_free(rows);
    if (rc == LP_OK && open > 0)
        rc = lp_fail_at(err, LP_FORM_INVALID, "/body/status",
                        "Cannot set product to 'end of life': %lld subscription(s) are not in "
                        "terminated state",
                        (long long)open);
    return rc;
}

static enum lp_code
write_text(struct lp_request *req, const struct edit *edit, const char *text, const char *status,
           struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(req->api->options.clock);
    bool ended = strcmp(status, "end of life") == 0;
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_API_CATALOG_TEXT_SET,
                LP_ARGS(lp_text("kind", edit->kind), lp_text("id", edit->id),
                        lp_text("name", edit->name), lp_text("description", text),
                        lp_text("status", status), lp_int("now", now),
                        ended ? lp_int("end_date", now) : lp_null("end_date")));
    rc = lp_store_commit(req->api->services.store, unit, err);
    lp_unit_free(unit);
    if (rc != LP_OK)
        return rc;
    return lp_engine_audit_system(req->api->services.engine, &req->caller,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s}", "action",
                                            "catalog.changed", "kind", edit->kind, "id", edit->id,
                                            "name", edit->name, "description", text, "status",
                                            status),
                                  err);
}

/** Only members that are given change. */
static enum lp_code
apply_edit(struct lp_request *req, const struct edit *edit, struct lp_err *err)
{
    json_auto_t *texts = NULL;
    const json_t *given = json_object_get(req->json, "description");
    const json_t *status_given = json_object_get(req->json, "status");
    const json_t *old;
    const char *text;
    const char *status;
    enum lp_code rc = lp_catalog_texts(req, &texts, err);

    if (rc != LP_OK || json_object_size(req->json) == 0)
        return rc;
    old = text_of(texts, edit->kind, edit->id);
    text = given != NULL ? json_string_value(given)
           : old != NULL ? lp_json_str(old, "description", NULL)
                         : edit->fallback;
    status = lp_json_str(old, "status", "active");
    if (status_given != NULL) {
        status = status_name(req, json_string_value(status_given));
        if (status == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for the change");
        if (strcmp(status, "end of life") == 0)
            rc = may_end(req, edit, err);
    }
    return rc == LP_OK ? write_text(req, edit, text, status, err) : rc;
}

/* ---- handlers ---- */

enum lp_code
lp_on_product_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_auto_t *texts = NULL;
    const char *tag = lp_request_query(req, "tag");
    const char *type = lp_request_query(req, "product_type");
    size_t count;
    const struct lp_product_type *products =
        lp_catalog_products(req->api->services.catalog, &count);
    enum lp_code rc = lp_catalog_texts(req, &texts, err);

    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < count; i++) {
        if (tag != NULL && (products[i].tag == NULL || strcmp(products[i].tag, tag) != 0))
            continue;
        if (type != NULL && strcmp(products[i].type, type) != 0)
            continue;
        json_array_append_new(*out, product_json(req, &products[i], texts));
    }
    return LP_OK;
}

enum lp_code
lp_on_product_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_auto_t *texts = NULL;
    const struct lp_product_type *product = NULL;
    enum lp_code rc = find_product(req, &product, err);

    if (rc == LP_OK)
        rc = lp_catalog_texts(req, &texts, err);
    if (rc == LP_OK)
        *out = product_json(req, product, texts);
    return rc;
}

enum lp_code
lp_on_product_patch(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const struct lp_product_type *product = NULL;
    enum lp_code rc = find_product(req, &product, err);

    if (rc == LP_OK)
        rc = apply_edit(
            req, &(struct edit){"product", product->id.text, product->name, product->description},
            err);
    return rc == LP_OK ? lp_on_product_get(req, out, err) : rc;
}

enum lp_code
lp_on_block_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_auto_t *texts = NULL;
    const struct lp_block_type *block = NULL;
    enum lp_code rc = find_block(req, &block, err);

    if (rc == LP_OK)
        rc = lp_catalog_texts(req, &texts, err);
    if (rc == LP_OK)
        *out = block_json(block, texts);
    return rc;
}

enum lp_code
lp_on_block_patch(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const struct lp_block_type *block = NULL;
    enum lp_code rc = find_block(req, &block, err);

    if (rc == LP_OK)
        rc = apply_edit(
            req, &(struct edit){"product_block", block->id.text, block->name, block->description},
            err);
    return rc == LP_OK ? lp_on_block_get(req, out, err) : rc;
}

enum lp_code
lp_on_resource_type_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_auto_t *texts = NULL;
    const struct lp_field *field = NULL;
    enum lp_code rc = find_resource(req, &field, err);

    if (rc == LP_OK)
        rc = lp_catalog_texts(req, &texts, err);
    if (rc == LP_OK)
        *out = resource_type_json(field, texts);
    return rc;
}

enum lp_code
lp_on_resource_type_patch(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const struct lp_field *field = NULL;
    enum lp_code rc = find_resource(req, &field, err);

    if (rc == LP_OK)
        rc = apply_edit(
            req, &(struct edit){"resource_type", req->params[0], field->name, field->description},
            err);
    return rc == LP_OK ? lp_on_resource_type_get(req, out, err) : rc;
}

enum lp_code
lp_on_workflow_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_auto_t *texts = NULL;
    const char *target = lp_request_query(req, "target");
    bool by_task = lp_request_query(req, "is_task") != NULL;
    bool task = lp_request_bool(req, "is_task", false);
    size_t count;
    const struct lp_workflow *const *all = lp_engine_workflows(req->api->services.engine, &count);
    enum lp_code rc = lp_catalog_texts(req, &texts, err);

    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < count; i++)
        if ((target == NULL || strcmp(lp_target_name(all[i]->target), target) == 0)
            && (!by_task || all[i]->is_task == task))
            json_array_append_new(*out, workflow_json(req, all[i], texts, false));
    return LP_OK;
}

enum lp_code
lp_on_workflow_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_auto_t *texts = NULL;
    const struct lp_workflow *workflow = NULL;
    enum lp_code rc = find_workflow(req, &workflow, err);

    if (rc == LP_OK)
        rc = lp_catalog_texts(req, &texts, err);
    if (rc == LP_OK)
        *out = workflow_json(req, workflow, texts, true);
    return rc;
}

enum lp_code
lp_on_workflow_patch(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const struct lp_workflow *workflow = NULL;
    enum lp_code rc = find_workflow(req, &workflow, err);

    if (rc == LP_OK)
        rc = apply_edit(
            req, &(struct edit){"workflow", req->params[0], workflow->name, workflow->description},
            err);
    return rc == LP_OK ? lp_on_workflow_get(req, out, err) : rc;
}

/* ---- translations: titles and descriptions of the catalogue's fields ---- */

static void
add_field_texts(json_t *fields, const struct lp_field *field, int depth)
{
    char name[160];

    if (field->title != NULL && json_object_get(fields, field->name) == NULL)
        json_object_set_new(fields, field->name, json_string(field->title));
    if (field->description != NULL) {
        snprintf(name, sizeof name, "%s_info", field->name);
        if (json_object_get(fields, name) == NULL)
            json_object_set_new(fields, name, json_string(field->description));
    }
    for (size_t i = 0; depth < 8 && i < field->field_count; i++)
        add_field_texts(fields, &field->fields[i], depth + 1);
}

enum lp_code
lp_on_translations(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_t *fields;
    json_t *names;
    size_t count;
    const struct lp_block_type *blocks = lp_catalog_blocks(req->api->services.catalog, &count);
    const struct lp_workflow *const *all;

    (void)err;
    if (strcmp(req->params[0], "en-GB") != 0) {
        *out = json_object(); /* no texts in other languages */
        return LP_OK;
    }
    fields = json_object();
    names = json_object();
    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < blocks[i].field_count; f++)
            add_field_texts(fields, &blocks[i].fields[f], 0);
    all = lp_engine_workflows(req->api->services.engine, &count);
    for (size_t i = 0; i < count; i++)
        json_object_set_new(
            names, all[i]->name,
            json_string(all[i]->description == NULL ? all[i]->name : all[i]->description));
    *out = json_pack("{s:{s:o}, s:o}", "forms", "fields", fields, "workflow", names);
    return LP_OK;
}
