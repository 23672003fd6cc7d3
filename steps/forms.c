#include "steps/forms.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "products/coord.h"
#include "products/product.h"
#include "steps/derive.h"
#include "steps/impact.h"
#include "steps/lifecycle.h"
#include "steps/texts.h"

/* ---- coordinates: catalog field <-> form field ---- */

static bool
is_coord(const char *field)
{
    size_t len = strlen(field);

    return len > 5 && strcmp(field + len - 5, "_udeg") == 0;
}

static enum lp_coord
coord_kind(const char *field)
{
    return strncmp(field, "latitude", 8) == 0 ? LP_LATITUDE : LP_LONGITUDE;
}

static enum lp_code
add_coord(struct lp_form_page *page, const struct lp_field *model, bool required,
          const json_t *current, struct lp_err *err)
{
    static const char pattern[] = "-?[0-9]{1,3}([.][0-9]+)?";
    char name[LP_TEXT_MAX], text[LP_COORD_TEXT];
    json_auto_t *def = NULL;
    struct lp_field field = {
        .name = lp_text_name(model->name, name),
        .title = model->title,
        .description = "Decimal degrees (WGS 84), for example 45.478611",
        .kind = LP_FIELD_STRING,
        .required = required,
        .required_in = -1,
        .pattern = pattern,
        .has_max = true,
        .max = 40,
    };

    if (json_is_integer(current)) {
        lp_coord_text(json_integer_value(current), text);
        def = json_string(text);
        if (def == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    field.def = def;
    lp_form_page_add(page, &field);
    return LP_OK;
}

/* ---- catalog fields ---- */

static enum lp_code
add_field(struct lp_form_ctx *ctx, struct lp_form_page *page, const struct lp_form_model *model,
          const char *name, const json_t *current, struct lp_err *err)
{
    const struct lp_product_type *type = lp_catalog_product(ctx->catalog, model->product);
    const struct lp_block_type *block = type == NULL ? NULL : type->root;
    const struct lp_field *field = block == NULL ? NULL : lp_block_field(block, name);
    const json_t *value = json_object_get(current, name);
    struct lp_field *added;
    bool required;

    if (field == NULL)
        return lp_fail(err, LP_INTERNAL, "product %s has no field %s", model->product, name);
    required =
        field->required || (field->required_in >= 0 && field->required_in <= (int)LP_LC_ACTIVE);
    if (is_coord(name))
        return add_coord(page, field, required, value, err);
    added = lp_form_page_add_model(page, ctx->catalog, block->name, name);
    if (added == NULL)
        return lp_fail(err, LP_INTERNAL, "product %s has no field %s", model->product, name);
    added->required = required;
    if (value != NULL)
        lp_form_page_default(page, name, value);
    return LP_OK;
}

enum lp_code
lp_form_add_model(struct lp_form_ctx *ctx, struct lp_form_page *page,
                  const struct lp_form_model *model, const json_t *current, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < model->count && rc == LP_OK; i++)
        rc = add_field(ctx, page, model, model->fields[i], current, err);
    return rc;
}

static enum lp_code
take_coord(const char *field, const char *shown, const json_t *answer, struct lp_problems *problems,
           json_t *document, struct lp_err *err)
{
    struct lp_err bad = LP_ERR_INIT;
    int64_t udeg = 0;

    if (lp_coord_parse(coord_kind(field), json_string_value(answer), &udeg, &bad) != LP_OK)
        lp_problem_field(problems, "value_error", shown, answer, "%s", bad.msg);
    else if (lp_json_set_int(document, field, udeg) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    lp_err_clear(&bad);
    return LP_OK;
}

enum lp_code
lp_form_document(const struct lp_form_model *model, const json_t *answers,
                 struct lp_problems *problems, json_t **document, struct lp_err *err)
{
    json_auto_t *made = json_object();
    char name[LP_TEXT_MAX];
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < model->count && rc == LP_OK; i++) {
        const char *field = model->fields[i], *shown = lp_text_name(field, name);
        json_t *answer = json_object_get(answers, shown);

        if (answer == NULL || json_is_null(answer))
            continue;
        if (is_coord(field))
            rc = take_coord(field, shown, answer, problems, made, err);
        else if (json_object_set(made, field, answer) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    if (rc == LP_OK)
        *document = lp_json_take(&made);
    return rc;
}

void
lp_form_forget(const struct lp_form_model *model, json_t *output)
{
    char name[LP_TEXT_MAX];

    for (size_t i = 0; i < model->count; i++)
        json_object_del(output, lp_text_name(model->fields[i], name));
}

enum lp_code
lp_form_changed_root(const struct lp_form_ctx *ctx, const struct lp_form_model *model,
                     const json_t *document, json_t **root, struct lp_err *err)
{
    json_auto_t *made = json_deep_copy(ctx->subscription->root);
    json_auto_t *copy = json_deep_copy(document);

    for (size_t i = 0; i < model->count; i++)
        json_object_del(made, model->fields[i]);
    if (made == NULL || json_object_update(made, copy) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    *root = lp_json_take(&made);
    return LP_OK;
}

json_t *
lp_form_changes(const struct lp_form_ctx *ctx, const struct lp_form_model *model,
                const json_t *document)
{
    json_auto_t *changes = json_object();
    int failed = changes == NULL;

    for (size_t i = 0; i < model->count && !failed; i++) {
        const char *field = model->fields[i];
        json_t *now = json_object_get(document, field);
        const json_t *was = json_object_get(ctx->subscription->root, field);

        if (now == NULL && was != NULL)
            failed = json_object_set_new(changes, field, json_null());
        else if (now != NULL && (was == NULL || !lp_json_same(now, was)))
            failed = json_object_set(changes, field, now);
    }
    return failed ? NULL : lp_json_take(&changes);
}

/* ---- rules ---- */

/* Places of the catalog become places of the form: latitude_udeg -> latitude. */
static void
rename_places(struct lp_problems *problems)
{
    json_t *problem;
    char name[LP_TEXT_MAX];
    size_t i;

    json_array_foreach(problems->list, i, problem)
    {
        json_t *loc = json_object_get(problem, "loc");
        const char *field = json_string_value(json_array_get(loc, 0));

        if (field != NULL && is_coord(field))
            json_array_set_new(loc, 0, json_string(lp_text_name(field, name)));
    }
}

static bool
told_already(const struct lp_problems *problems, const json_t *loc)
{
    const json_t *problem;
    size_t i;

    json_array_foreach(problems->list, i,
                       problem) if (json_equal(json_object_get(problem, "loc"), loc)) return true;
    return false;
}

/* What the catalog says, except about places the product itself has spoken of. */
static enum lp_code
check_catalog(struct lp_form_ctx *ctx, const struct lp_product_type *product, const json_t *root,
              struct lp_problems *problems, struct lp_err *err)
{
    struct lp_problems more;
    json_t *problem;
    size_t i;
    enum lp_code rc;

    lp_problems_init(&more);
    rc = lp_model_check(ctx->catalog, product, root, LP_LC_ACTIVE, &more, err);
    rename_places(&more);
    rename_places(problems);
    json_array_foreach(more.list, i,
                       problem) if (!told_already(problems, json_object_get(problem, "loc")))
        json_array_append(problems->list, problem);
    lp_problems_free(&more);
    return rc;
}

/* The form field behind a unique scope. */
static const char *
scope_owner(const struct lp_block_type *block, const char *scope)
{
    for (size_t i = 0; i < block->field_count; i++)
        if (block->fields[i].unique != NULL && strcmp(block->fields[i].unique, scope) == 0)
            return block->fields[i].name;
    return "__root__";
}

static enum lp_code
check_key(struct lp_form_ctx *ctx, const struct lp_block_type *block, const json_t *key,
          const char *self, struct lp_problems *problems, struct lp_err *err)
{
    const char *scope = json_string_value(json_array_get(key, 0));
    const char *value = json_string_value(json_array_get(key, 1));
    char holder[LP_UUID_LEN + 1], field[64], shown[300];
    json_auto_t *loc = NULL;
    enum lp_code rc = lp_subscription_by_key(ctx->store, ctx->reader, scope, value, holder, err);

    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        return LP_OK;
    }
    if (rc != LP_OK || (self != NULL && strcmp(holder, self) == 0))
        return rc;
    lp_scope_field(scope, field, sizeof field);
    lp_key_value(value, shown, sizeof shown);
    loc = json_pack("[s]", scope_owner(block, scope));
    lp_problem_add(problems, "value_error", loc, json_array_get(key, 1),
                   json_pack("{s:s, s:s}", "code", lp_scope_code(scope), "subscription_id", holder),
                   "%s %s is already used by subscription %s", field, shown, holder);
    return LP_OK;
}

static enum lp_code
check_keys(struct lp_form_ctx *ctx, const struct lp_product_type *product, const json_t *root,
           const char *self, struct lp_problems *problems, struct lp_err *err)
{
    struct lp_instances instances = {.rows = NULL};
    enum lp_code rc = lp_model_split(ctx->catalog, product, root, &instances, err);
    const json_t *key;
    size_t i, k;

    for (i = 0; i < instances.count && rc == LP_OK; i++)
        json_array_foreach(instances.rows[i].unique, k, key)
        {
            rc = check_key(ctx, instances.rows[i].type, key, self, problems, err);
            if (rc != LP_OK)
                break;
        }
    lp_instances_free(&instances);
    return rc;
}

enum lp_code
lp_form_check_document(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                       const json_t *document, const char *self, struct lp_problems *problems,
                       struct lp_err *err)
{
    const struct lp_product_type *type = lp_catalog_product(ctx->catalog, model->product);
    const struct lp_product *product = lp_product_of(model->product);
    json_auto_t *root = json_deep_copy(document);
    enum lp_code rc = LP_OK;

    if (type == NULL || product == NULL)
        return lp_fail(err, LP_INTERNAL, "there is no product %s", model->product);
    if (lp_json_str(root, "subscription_instance_id", NULL) == NULL
        && lp_json_set_str(root, "subscription_instance_id", lp_uuid_v4().text) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    rc = lp_derive(ctx->store, ctx->reader, ctx->catalog, ctx->conf, type, root, err);
    if (rc != LP_OK)
        return rc;
    if (product->check != NULL)
        product->check(ctx->conf, root, problems);
    rc = lp_check_linked(ctx->store, ctx->reader, ctx->catalog, ctx->conf, type, root, problems,
                         err);
    if (rc == LP_OK)
        rc = check_catalog(ctx, type, root, problems, err);
    if (rc == LP_OK && lp_problems_count(problems) == 0)
        rc = check_keys(ctx, type, root, self, problems, err);
    rename_places(problems);
    return rc;
}

/* ---- plain create and modify forms ---- */

/* The document of answers that were accepted on an earlier page. */
static enum lp_code
accepted(const struct lp_form_model *model, const json_t *answers, json_t **document,
         struct lp_err *err)
{
    struct lp_problems problems;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = lp_form_document(model, answers, &problems, document, err);
    if (rc == LP_OK)
        rc = lp_problems_fail(&problems, model->product, err);
    lp_problems_free(&problems);
    return rc;
}

enum lp_code
lp_form_check_new(struct lp_form_ctx *ctx, const struct lp_form_model *model, const json_t *input,
                  struct lp_problems *problems, struct lp_err *err)
{
    json_auto_t *document = NULL;
    enum lp_code rc = lp_form_document(model, input, problems, &document, err);

    if (rc == LP_OK)
        rc = lp_form_check_document(ctx, model, document, NULL, problems, err);
    return rc;
}

enum lp_code
lp_form_summary_new(struct lp_form_ctx *ctx, struct lp_form_page *page,
                    const struct lp_form_model *model, struct lp_err *err)
{
    json_auto_t *document = NULL;
    enum lp_code rc = accepted(model, ctx->answers, &document, err);

    if (rc == LP_OK)
        rc = lp_form_add_document_summary(page, model, NULL, document, err);
    return rc;
}

enum lp_code
lp_form_finish_new(struct lp_form_ctx *ctx, const struct lp_form_model *model, json_t *output,
                   struct lp_err *err)
{
    json_auto_t *document = NULL;
    enum lp_code rc = accepted(model, output, &document, err);

    (void)ctx;
    if (rc != LP_OK)
        return rc;
    lp_form_forget(model, output);
    if (json_object_set(output, "root", document) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    return LP_OK;
}

enum lp_code
lp_form_check_changed(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                      const json_t *input, struct lp_problems *problems, struct lp_err *err)
{
    json_auto_t *document = NULL;
    json_auto_t *root = NULL;
    enum lp_code rc = lp_form_document(model, input, problems, &document, err);

    if (rc == LP_OK)
        rc = lp_form_changed_root(ctx, model, document, &root, err);
    if (rc == LP_OK)
        rc = lp_form_check_document(ctx, model, root, ctx->subscription->id, problems, err);
    return rc;
}

enum lp_code
lp_form_summary_changed(struct lp_form_ctx *ctx, struct lp_form_page *page,
                        const struct lp_form_model *model, struct lp_err *err)
{
    json_auto_t *document = NULL;
    enum lp_code rc = accepted(model, ctx->answers, &document, err);

    if (rc == LP_OK)
        rc = lp_form_add_document_summary(page, model, ctx->subscription->root, document, err);
    return rc;
}

enum lp_code
lp_form_finish_document(struct lp_form_ctx *ctx, const struct lp_form_model *model,
                        const json_t *document, json_t *output, struct lp_err *err)
{
    lp_form_forget(model, output);
    json_object_del(output, "impact");
    if (json_object_set_new(output, "changes", lp_form_changes(ctx, model, document)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    return LP_OK;
}

enum lp_code
lp_form_finish_changed(struct lp_form_ctx *ctx, const struct lp_form_model *model, json_t *output,
                       struct lp_err *err)
{
    json_auto_t *document = NULL;
    enum lp_code rc = accepted(model, output, &document, err);

    return rc == LP_OK ? lp_form_finish_document(ctx, model, document, output, err) : rc;
}

enum lp_code
lp_form_finish_owner(json_t *output, const char *field, struct lp_err *err)
{
    if (json_object_set(output, "customer_id", json_object_get(output, field)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    json_object_del(output, field);
    return LP_OK;
}

enum lp_code
lp_form_finish_new_owner(const struct lp_form_ctx *ctx, json_t *output, const char *field,
                         struct lp_err *err)
{
    const char *chosen = lp_json_str(output, field, ctx->subscription->customer_id);

    if (strcmp(chosen, ctx->subscription->customer_id) != 0
        && lp_json_set_str(output, "new_owner", chosen) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    json_object_del(output, field);
    return LP_OK;
}

/* ---- choices ---- */

static enum lp_code
read_choices(struct lp_form_ctx *ctx, const char *product, struct lp_enum_value **values,
             size_t *count, struct lp_err *err)
{
    const struct lp_product_type *type = lp_catalog_product(ctx->catalog, product);
    json_auto_t *list = NULL;
    const json_t *row;
    size_t i;
    enum lp_code rc;

    if (type == NULL)
        return lp_fail(err, LP_INTERNAL, "there is no product %s", product);
    rc = lp_subscription_choices(ctx->store, ctx->reader, type->id.text, &list, err);
    if (rc != LP_OK)
        return rc;
    *count = json_array_size(list);
    *values = lp_arena_array(ctx->arena, *count + 1, sizeof **values);
    if (*values == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the choices");
    json_array_foreach(list, i, row)
    {
        (*values)[i].value = lp_arena_strdup(ctx->arena, lp_json_str(row, "subscription_id", ""));
        (*values)[i].label = lp_arena_strdup(ctx->arena, lp_json_str(row, "description", ""));
        if ((*values)[i].value == NULL || (*values)[i].label == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for the choices");
    }
    return LP_OK;
}

enum lp_code
lp_form_add_choice(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                   const char *title, const char *product, bool required, struct lp_err *err)
{
    struct lp_field field = {.name = name,
                             .title = title,
                             .kind = LP_FIELD_ENUM,
                             .required = required,
                             .required_in = -1};
    struct lp_enum_value *values = NULL;
    json_auto_t *def = NULL;
    enum lp_code rc = read_choices(ctx, product, &values, &field.value_count, err);

    if (rc != LP_OK)
        return rc;
    if (field.value_count == 0 && required)
        return lp_fail(err, LP_PRECONDITION, "there is no active %s to choose; create one first",
                       product);
    field.values = values;
    if (field.value_count == 1)
        def = json_string(values[0].value);
    field.def = def;
    lp_form_page_add(page, &field);
    return LP_OK;
}

enum lp_code
lp_form_show_subscription(struct lp_form_ctx *ctx, json_t *document, const char *field,
                          const char *id, struct lp_err *err)
{
    json_auto_t *brief = NULL;
    enum lp_code rc;

    if (id[0] == '\0')
        return LP_OK;
    rc = lp_subscription_brief(ctx->store, ctx->reader, id, &brief, err);
    if (rc == LP_OK && json_object_set(document, field, json_object_get(brief, "description")) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

/* What is chosen now may have become inactive: it can stay all the same. */
static enum lp_code
with_current(struct lp_form_ctx *ctx, struct lp_enum_value *values, size_t *count,
             const char *current, struct lp_err *err)
{
    json_auto_t *shown = json_object();
    enum lp_code rc;

    for (size_t i = 0; i < *count; i++)
        if (strcmp(values[i].value, current) == 0)
            return LP_OK;
    rc = lp_form_show_subscription(ctx, shown, "label", current, err);
    if (rc != LP_OK || current[0] == '\0')
        return rc;
    values[*count].value = lp_arena_strdup(ctx->arena, current);
    values[*count].label = lp_arena_strdup(ctx->arena, lp_json_str(shown, "label", current));
    if (values[*count].value == NULL || values[*count].label == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the choices");
    ++*count;
    return LP_OK;
}

enum lp_code
lp_form_add_choice_now(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                       const char *title, const char *product, bool required, const char *current,
                       struct lp_err *err)
{
    struct lp_field field = {.name = name,
                             .title = title,
                             .kind = LP_FIELD_ENUM,
                             .required = required,
                             .required_in = -1};
    struct lp_enum_value *values = NULL;
    json_auto_t *def = current[0] == '\0' ? NULL : json_string(current);
    enum lp_code rc = read_choices(ctx, product, &values, &field.value_count, err);

    if (rc == LP_OK)
        rc = with_current(ctx, values, &field.value_count, current, err);
    if (rc != LP_OK)
        return rc;
    field.values = values;
    field.def = def;
    lp_form_page_add(page, &field);
    return LP_OK;
}

/* ---- display ---- */

enum lp_code
lp_form_add_summary(struct lp_form_page *page, const json_t *headers, const json_t *labels,
                    const json_t *columns, struct lp_err *err)
{
    json_auto_t *extra = json_pack("{s:{s:O, s:O, s:O}}", "data", "headers", headers, "labels",
                                   labels, "columns", columns);
    struct lp_field field = {.name = "summary",
                             .title = "Summary",
                             .kind = LP_FIELD_STRING,
                             .required_in = -1,
                             .format = "summary",
                             .frozen = true,
                             .extra = extra};

    if (extra == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the summary");
    lp_form_page_add(page, &field);
    return LP_OK;
}

static void
add_cell(json_t *column, const char *field, const json_t *value)
{
    char text[LP_TEXT_MAX];

    lp_text_value(field, value, text);
    json_array_append_new(column, json_string(value == NULL ? "" : text));
}

enum lp_code
lp_form_add_document_summary(struct lp_form_page *page, const struct lp_form_model *model,
                             const json_t *before, const json_t *after, struct lp_err *err)
{
    json_auto_t *labels = json_array();
    json_auto_t *old = json_array();
    json_auto_t *new = json_array();
    json_auto_t *headers = NULL;
    json_auto_t *columns = NULL;
    char name[LP_TEXT_MAX];

    for (size_t i = 0; i < model->count; i++) {
        const char *field = model->fields[i];
        const json_t *was = json_object_get(before, field), *now = json_object_get(after, field);

        if (before == NULL ? now == NULL
                           : (was == NULL && now == NULL)
                                 || (was != NULL && now != NULL && lp_json_same(was, now)))
            continue;
        json_array_append_new(labels, json_string(lp_text_name(field, name)));
        add_cell(old, field, was);
        add_cell(new, field, now);
    }
    headers = before == NULL ? json_pack("[s]", "Value") : json_pack("[s, s]", "Before", "After");
    columns = before == NULL ? json_pack("[O]", new) : json_pack("[O, O]", old, new);
    return lp_form_add_summary(page, headers, labels, columns, err);
}

void
lp_form_add_label(struct lp_form_page *page, const char *name, const char *text)
{
    json_auto_t *def = json_string(text);
    struct lp_field field = {.name = name,
                             .kind = LP_FIELD_STRING,
                             .required_in = -1,
                             .format = "label",
                             .frozen = true,
                             .def = def};

    lp_form_page_add(page, &field);
}

/* ---- relations of the target ---- */

static enum lp_code
refuse_relations(struct lp_form_ctx *ctx, enum lp_relation_kind kind, const char *what,
                 struct lp_problems *problems, struct lp_err *err)
{
    struct lp_relations found;
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc = lp_subscription_relations(ctx->store, ctx->reader, ctx->subscription->id,
                                                kind, false, &found, err);

    if (rc != LP_OK)
        return rc;
    if (found.count > 0) {
        lp_relations_text(&found, 3, &text);
        lp_problem_field(problems, "value_error", "__root__", NULL,
                         "%.120s cannot be terminated: %s %s", ctx->subscription->description, what,
                         text.data == NULL ? "" : text.data);
        lp_buf_free(&text);
    }
    lp_relations_free(&found);
    return LP_OK;
}

enum lp_code
lp_form_check_unused(struct lp_form_ctx *ctx, struct lp_problems *problems, struct lp_err *err)
{
    enum lp_code rc = refuse_relations(ctx, LP_RELATION_USERS, "it is used by", problems, err);

    if (rc == LP_OK)
        rc = refuse_relations(ctx, LP_RELATION_CUSTOMER_OF, "it owns", problems, err);
    return rc;
}

static enum lp_code
terminate_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    (void)err;
    lp_form_add_label(page, "terminated", ctx->subscription->description);
    return LP_OK;
}

static enum lp_code
terminate_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                struct lp_err *err)
{
    (void)input;
    return lp_form_check_unused(ctx, problems, err);
}

static enum lp_code
terminate_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    (void)ctx;
    (void)err;
    json_object_del(output, "terminated");
    return LP_OK;
}

static const struct lp_page terminate_pages[] = {
    {.title = "Terminate", .build = terminate_build, .check = terminate_check},
};
const struct lp_form lp_form_terminate = {LP_PAGES(terminate_pages), .finish = terminate_finish};

/* Not only who uses its blocks, but what rides on those. */
static enum lp_code
add_riders_of_target(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *ids = json_pack("[s]", ctx->subscription->id);

    if (ids == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    return lp_form_add_riders(ctx, page, ids, NULL, err);
}

enum lp_code
lp_form_add_impact(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *text,
                   struct lp_err *err)
{
    static const enum lp_relation_kind kinds[] = {LP_RELATION_USERS, LP_RELATION_CUSTOMER_OF};
    struct lp_buf line = LP_BUF_INIT;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(kinds); i++) {
        struct lp_relations found;

        rc = lp_subscription_relations(ctx->store, ctx->reader, ctx->subscription->id, kinds[i],
                                       false, &found, err);
        if (rc != LP_OK)
            break;
        if (found.count > 0) {
            lp_buf_printf(&line, "%s%s", line.len == 0 ? text : ", ", line.len == 0 ? ": " : "");
            lp_relations_text(&found, 20, &line);
        }
        lp_relations_free(&found);
    }
    if (rc == LP_OK && line.len > 0)
        lp_form_add_label(page, "impact", line.data);
    lp_buf_free(&line);
    return rc == LP_OK ? add_riders_of_target(ctx, page, err) : rc;
}
