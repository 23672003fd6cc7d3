/* A root cut into rows, one per block instance, and put together again. */
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* ---- split ---- */

struct cutter {
    const struct lp_catalog *catalog;
    struct lp_instances *out;
    size_t cap;
    json_t *ids; /* set of instance ids met */
};

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for block instances");
}

static enum lp_code
new_row(struct cutter *cut, size_t *index, struct lp_err *err)
{
    struct lp_instances *out = cut->out;

    if (out->count == cut->cap) {
        size_t cap = cut->cap == 0 ? 4 : cut->cap * 2;
        struct lp_instance *rows = realloc(out->rows, cap * sizeof *rows);
        if (rows == NULL)
            return no_memory(err);
        out->rows = rows;
        cut->cap = cap;
    }
    *index = out->count++;
    out->rows[*index] =
        (struct lp_instance){.refs = json_array(), .unique = json_array(), .indexed = json_array()};
    return LP_OK;
}

/* Keys are texts in the database: a text stays itself, everything else is its canonical JSON. */
static json_t *
key_text(const json_t *value)
{
    char *text;
    json_t *out;

    if (json_is_string(value))
        return json_string(json_string_value(value));
    text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
    out = text == NULL ? NULL : json_string(text);
    free(text);
    return out;
}

static int
add_key(json_t *list, const char *name, const json_t *value)
{
    return json_array_append_new(list, json_pack("[s, o]", name, key_text(value)));
}

static int
add_keys(struct lp_instance *row, const struct lp_field *field, const json_t *value)
{
    size_t i;
    json_t *item;
    int rc = 0;

    if (field->indexed)
        rc |= add_key(row->indexed, field->name, value);
    if (field->unique == NULL)
        return rc;
    if (!field->list)
        return rc | add_key(row->unique, field->unique, value);
    json_array_foreach(value, i, item)
    {
        rc |= add_key(row->unique, field->unique, item);
    }
    return rc;
}

static int
add_refs(struct lp_instance *row, const struct lp_field *field, const json_t *value)
{
    size_t i;
    json_t *item;
    int rc = 0;

    if (!field->list)
        return json_array_append_new(
            row->refs, json_pack("[s, i, s]", field->name, 0, json_string_value(value)));
    json_array_foreach(value, i, item)
    {
        rc |= json_array_append_new(
            row->refs, json_pack("[s, I, s]", field->name, (json_int_t)i, json_string_value(item)));
    }
    return rc;
}

static enum lp_code cut_block(struct cutter *cut, const struct lp_block_type *type,
                              const struct lp_field *fields, size_t count, const json_t *object,
                              const struct lp_instance *at, struct lp_err *err);

static enum lp_code
cut_children(struct cutter *cut, const struct lp_field *field, const json_t *value,
             const char *parent, struct lp_err *err)
{
    struct lp_instance at = {.field = field->name};
    const struct lp_block_type *type = lp_catalog_block(cut->catalog, field->block);
    enum lp_code rc = LP_OK;
    size_t i;
    json_t *item;

    memcpy(at.parent, parent, sizeof at.parent);
    if (!field->list)
        return cut_block(cut, type, field->fields, field->field_count, value, &at, err);
    json_array_foreach(value, i, item)
    {
        at.position = (int64_t)i;
        if (rc == LP_OK)
            rc = cut_block(cut, type, field->fields, field->field_count, item, &at, err);
    }
    return rc;
}

static enum lp_code
begin_row(struct cutter *cut, const struct lp_block_type *type, const json_t *object,
          const struct lp_instance *at, size_t *index, struct lp_err *err)
{
    const char *id = lp_json_str(object, LP_MEMBER_ID, "");
    struct lp_instance *row;
    enum lp_code rc;

    if (!json_is_object(object) || !lp_uuid_valid(id))
        return lp_fail(err, LP_INVALID, "block %s in '%s': the instance id '%.40s' is not a UUID",
                       type->name, at->field, id);
    if (json_object_get(cut->ids, id) != NULL)
        return lp_fail(err, LP_INVALID, "the instance id %s occurs twice", id);
    if (json_object_set_new(cut->ids, id, json_true()) != 0)
        return no_memory(err);
    rc = new_row(cut, index, err);
    if (rc != LP_OK)
        return rc;
    row = &cut->out->rows[*index];
    row->type = type;
    memcpy(row->id, id, sizeof row->id);
    memcpy(row->parent, at->parent, sizeof row->parent);
    row->field = at->field;
    row->position = at->position;
    row->label = lp_json_str(object, LP_MEMBER_LABEL, NULL);
    return LP_OK;
}

/* Leaves and structs go into the document, references and keys into their lists. */
static enum lp_code
fill_row(struct lp_instance *row, const struct lp_field *fields, size_t count, const json_t *object,
         struct lp_err *err)
{
    json_auto_t *doc = json_object();
    size_t known = 0, len;
    int rc = 0;

    for (size_t i = 0; i < count; i++) {
        json_t *value = json_object_get(object, fields[i].name);
        if (value == NULL)
            continue;
        known++;
        if (json_is_null(value))
            continue;
        if (fields[i].kind == LP_FIELD_REF)
            rc |= add_refs(row, &fields[i], value);
        else if (fields[i].kind != LP_FIELD_BLOCK)
            rc |= json_object_set(doc, fields[i].name, value);
        rc |= add_keys(row, &fields[i], value);
    }
    known += json_object_get(object, LP_MEMBER_ID) != NULL ? 1 : 0;
    known += json_object_get(object, LP_MEMBER_LABEL) != NULL ? 1 : 0;
    if (known != json_object_size(object))
        return lp_fail(err, LP_INVALID, "block %s %s has members the catalog does not know",
                       row->type->name, row->id);
    if (rc != 0)
        return lp_fail(err, LP_INVALID,
                       "block %s %s cannot be stored: it was not checked, or memory ran out",
                       row->type->name, row->id);
    return lp_json_canonical(doc, &row->doc, &len, err);
}

static enum lp_code
cut_block(struct cutter *cut, const struct lp_block_type *type, const struct lp_field *fields,
          size_t count, const json_t *object, const struct lp_instance *at, struct lp_err *err)
{
    size_t index = 0;
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = begin_row(cut, type, object, at, &index, err);

    if (rc == LP_OK)
        rc = fill_row(&cut->out->rows[index], fields, count, object, err);
    if (rc != LP_OK)
        return rc;
    memcpy(id, cut->out->rows[index].id, sizeof id); /* rows may move */
    for (size_t i = 0; i < count && rc == LP_OK; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        if (fields[i].kind == LP_FIELD_BLOCK && value != NULL && !json_is_null(value))
            rc = cut_children(cut, &fields[i], value, id, err);
    }
    return rc;
}

enum lp_code
lp_model_split(const struct lp_catalog *catalog, const struct lp_product_type *product,
               const json_t *root, struct lp_instances *out, struct lp_err *err)
{
    static const struct lp_instance top = {.field = ""};
    struct cutter cut = {.catalog = catalog, .out = out, .ids = json_object()};
    enum lp_code rc;

    *out = (struct lp_instances){.root = lp_model_share(root)};
    rc = cut.ids == NULL ? no_memory(err)
                         : cut_block(&cut, product->root, product->root->fields,
                                     product->root->field_count, root, &top, err);
    json_decref(cut.ids);
    if (rc != LP_OK)
        lp_instances_free(out);
    return rc;
}

void
lp_instances_free(struct lp_instances *instances)
{
    for (size_t i = 0; i < instances->count; i++) {
        free(instances->rows[i].doc);
        json_decref(instances->rows[i].refs);
        json_decref(instances->rows[i].unique);
        json_decref(instances->rows[i].indexed);
    }
    free(instances->rows);
    json_decref(instances->root);
    *instances = (struct lp_instances){.rows = NULL};
}

/* ---- join ---- */

struct joiner {
    const struct lp_instance *rows;   /* as given */
    const struct lp_instance **order; /* sorted by parent, field, position */
    size_t count, used;
};

static int
by_place(const void *a, const void *b)
{
    const struct lp_instance *x = *(const struct lp_instance *const *)a,
                             *y = *(const struct lp_instance *const *)b;
    int rc = strcmp(x->parent, y->parent);

    if (rc == 0)
        rc = strcmp(x->field, y->field);
    if (rc == 0)
        rc = x->position < y->position ? -1 : x->position > y->position;
    return rc;
}

/* The rows of one parent and field: [*first, *end). */
static void
rows_of(const struct joiner *join, const char *parent, const char *field, size_t *first,
        size_t *end)
{
    struct lp_instance key = {.field = field, .position = INT64_MIN};
    const struct lp_instance *wanted = &key;
    size_t low = 0, high = join->count;

    (void)strncpy(key.parent, parent, sizeof key.parent - 1);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_place(&join->order[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    while (low < join->count && strcmp(join->order[low]->parent, parent) == 0
           && strcmp(join->order[low]->field, field) == 0)
        low++;
    *end = low;
}

static enum lp_code
set_member(json_t *into, const char *name, json_t *value, struct lp_err *err)
{
    return json_object_set_new(into, name, value) == 0 ? LP_OK : no_memory(err);
}

static bool
ref_belongs(const struct lp_field *field, const json_t *ref)
{
    const char *name = json_string_value(json_array_get(ref, 0));

    return name != NULL
           && (strcmp(name, field->name) == 0
               || (field->renamed_from != NULL && strcmp(name, field->renamed_from) == 0));
}

/* References of a field by position; positions of one field are 0..n-1 in any order. */
static enum lp_code
gather_refs(const struct lp_instance *row, const struct lp_field *field, json_t *list,
            struct lp_err *err)
{
    size_t i;
    json_t *ref;

    json_array_foreach(row->refs, i, ref)
    {
        if (ref_belongs(field, ref) && json_array_append_new(list, json_null()) != 0)
            return no_memory(err);
    }
    json_array_foreach(row->refs, i, ref)
    {
        size_t at = (size_t)json_integer_value(json_array_get(ref, 1));
        if (!ref_belongs(field, ref))
            continue;
        if (!json_is_null(json_array_get(list, at)))
            return lp_fail(err, LP_DRIFT, "block %s has a gap or a double in the references '%s'",
                           row->id, field->name);
        if (json_array_set(list, at, json_array_get(ref, 2)) != 0)
            return no_memory(err);
    }
    return LP_OK;
}

static enum lp_code
join_refs(const struct lp_instance *row, const struct lp_field *field, json_t *into,
          struct lp_err *err)
{
    json_auto_t *list = json_array();
    size_t count;
    enum lp_code rc = gather_refs(row, field, list, err);

    count = json_array_size(list);
    if (rc != LP_OK || count == 0)
        return rc;
    if (field->list)
        return set_member(into, field->name, json_incref(list), err);
    if (count > 1)
        return lp_fail(err, LP_DRIFT, "block %s has %zu references in '%s', which holds one",
                       row->id, count, field->name);
    return set_member(into, field->name, json_incref(json_array_get(list, 0)), err);
}

static enum lp_code join_row(struct joiner *join, const struct lp_instance *row,
                             const struct lp_field *fields, size_t count, json_t **out,
                             struct lp_err *err);

static enum lp_code
join_list(struct joiner *join, const struct lp_field *field, size_t first, size_t end, json_t *into,
          struct lp_err *err)
{
    json_t *list = json_array();
    enum lp_code rc = LP_OK;

    for (size_t i = first; i < end && rc == LP_OK; i++) {
        json_t *one = NULL;
        rc = join_row(join, join->order[i], field->fields, field->field_count, &one, err);
        if (rc == LP_OK && json_array_append_new(list, one) != 0)
            rc = no_memory(err);
    }
    if (rc == LP_OK)
        return set_member(into, field->name, list, err);
    json_decref(list);
    return rc;
}

static enum lp_code
join_children(struct joiner *join, const struct lp_instance *row, const struct lp_field *field,
              json_t *into, struct lp_err *err)
{
    size_t first, end;
    json_t *one = NULL;
    enum lp_code rc;

    rows_of(join, row->id, field->name, &first, &end);
    if (first == end && field->renamed_from != NULL)
        rows_of(join, row->id, field->renamed_from, &first, &end);
    if (first == end)
        return LP_OK;
    if (field->list)
        return join_list(join, field, first, end, into, err);
    if (end - first > 1)
        return lp_fail(err, LP_DRIFT, "block %s has %zu instances in '%s', which holds one",
                       row->id, end - first, field->name);
    rc = join_row(join, join->order[first], field->fields, field->field_count, &one, err);
    return rc == LP_OK ? set_member(into, field->name, one, err) : rc;
}

/* The stored leaves: known ones in the catalog's order under their present names, then what it does
 * not know. */
static enum lp_code
join_leaf(const struct lp_field *field, json_t *doc, json_t *into, struct lp_err *err)
{
    const char *name = field->name;
    json_t *value = json_object_get(doc, name);

    if (value == NULL && field->renamed_from != NULL) {
        name = field->renamed_from;
        value = json_object_get(doc, name);
    }
    if (value == NULL)
        return LP_OK;
    if (json_object_set(into, field->name, value) != 0)
        return no_memory(err);
    (void)json_object_del(doc, name);
    return LP_OK;
}

static enum lp_code
join_members(struct joiner *join, const struct lp_instance *row, const struct lp_field *fields,
             size_t count, json_t *doc, json_t *out, struct lp_err *err)
{
    enum lp_code rc = set_member(out, LP_MEMBER_ID, json_string(row->id), err);

    if (rc == LP_OK && row->label != NULL) /* W42: labels survive */
        rc = set_member(out, LP_MEMBER_LABEL, json_string(row->label), err);
    for (size_t i = 0; i < count && rc == LP_OK; i++) {
        if (fields[i].kind == LP_FIELD_BLOCK)
            rc = join_children(join, row, &fields[i], out, err);
        else if (fields[i].kind == LP_FIELD_REF)
            rc = join_refs(row, &fields[i], out, err);
        else
            rc = join_leaf(&fields[i], doc, out, err);
    }
    if (rc == LP_OK && json_object_update_missing(out, doc) != 0)
        rc = no_memory(err);
    return rc;
}

static enum lp_code
join_row(struct joiner *join, const struct lp_instance *row, const struct lp_field *fields,
         size_t count, json_t **out, struct lp_err *err)
{
    json_auto_t *doc = NULL, *object = json_object();
    enum lp_code rc = lp_json_load(row->doc, strlen(row->doc), &doc, err);

    if (rc != LP_OK || !json_is_object(doc))
        return lp_fail(err, LP_DRIFT, "the stored document of block %s is not a JSON object",
                       row->id);
    join->used++;
    rc = join_members(join, row, fields, count, doc, object, err);
    if (rc == LP_OK)
        *out = lp_json_take(&object);
    return rc;
}

static enum lp_code
join_root(struct joiner *join, const struct lp_product_type *product, json_t **root,
          struct lp_err *err)
{
    size_t first, end;
    const struct lp_instance *row;
    enum lp_code rc;

    qsort(join->order, join->count, sizeof *join->order, by_place);
    rows_of(join, "", "", &first,
            &end); /* the root is the row without parent, whatever its type (W45) */
    if (end - first != 1)
        return lp_fail(err, LP_DRIFT, "%s: there are %zu root blocks, not one", product->name,
                       end - first);
    row = join->order[first];
    if (row->type != product->root)
        return lp_fail(err, LP_DRIFT, "%s: the root block %s is a %s", product->name, row->id,
                       row->type != NULL ? row->type->name : "block of an unknown type");
    rc = join_row(join, row, product->root->fields, product->root->field_count, root, err);
    if (rc == LP_OK && join->used != join->count) {
        json_decref(*root);
        *root = NULL;
        rc = lp_fail(err, LP_DRIFT, "%s: %zu of %zu blocks belong to no field of their parent",
                     product->name, join->count - join->used, join->count);
    }
    return rc;
}

enum lp_code
lp_model_join(const struct lp_catalog *catalog, const struct lp_product_type *product,
              const struct lp_instance *rows, size_t count, json_t **root, struct lp_err *err)
{
    struct joiner join = {.rows = rows, .count = count};
    enum lp_code rc;

    (void)catalog;
    join.order = calloc(count + 1, sizeof *join.order);
    if (join.order == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        join.order[i] = &rows[i];
    rc = join_root(&join, product, root, err);
    free(join.order);
    return rc;
}
