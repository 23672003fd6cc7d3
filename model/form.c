/* Form pages: an ordered list of fields that live as long as the page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

struct lp_form_page {
    struct lp_arena *arena;
    json_t *values; /* array: keeps defaults and extras alive */
    const char *title;
    struct lp_field *fields;
    size_t count, cap;
    int has_next;
};

/* A page is small and made on behalf of a request; without memory for it nothing useful can be
 * said. */
static void *
must_have(void *memory)
{
    if (memory == NULL) {
        (void)fputs("lightpath: no memory for a form page\n", stderr);
        abort();
    }
    return memory;
}

static const char *
keep_text(struct lp_form_page *page, const char *text)
{
    return text == NULL ? NULL : must_have(lp_arena_strdup(page->arena, text));
}

static const json_t *
keep_json(struct lp_form_page *page, const json_t *value)
{
    json_t *copy;

    if (value == NULL)
        return NULL;
    copy = must_have(json_deep_copy(
        value)); /* pages and catalogs never share values: other threads read them too */
    if (json_array_append_new(page->values, copy) != 0)
        (void)must_have(NULL);
    return copy;
}

struct lp_form_page *
lp_form_page_new(const char *title)
{
    struct lp_form_page *page = must_have(calloc(1, sizeof *page));

    page->arena = must_have(lp_arena_new());
    page->values = must_have(json_array());
    page->title = keep_text(page, title);
    page->has_next = 1;
    return page;
}

void
lp_form_page_free(struct lp_form_page *page)
{
    if (page == NULL)
        return;
    json_decref(page->values);
    lp_arena_free(page->arena);
    free(page->fields);
    free(page);
}

void
lp_form_page_set_title(struct lp_form_page *page, const char *title)
{
    page->title = keep_text(page, title);
}

void
lp_form_page_has_next(struct lp_form_page *page, int has_next)
{
    page->has_next = has_next;
}

int
lp_form_page_has_next_get(const struct lp_form_page *page)
{
    return page->has_next;
}

static const struct lp_enum_value *
keep_values(struct lp_form_page *page, const struct lp_enum_value *values, size_t count)
{
    struct lp_enum_value *copy = must_have(lp_arena_array(page->arena, count + 1, sizeof *copy));

    for (size_t i = 0; i < count; i++)
        copy[i] = (struct lp_enum_value){keep_text(page, values[i].value),
                                         keep_text(page, values[i].label)};
    return copy;
}

static struct lp_field *
add_kept(struct lp_form_page *page, const struct lp_field *field)
{
    struct lp_field *kept;

    if (page->count == page->cap) {
        page->cap = page->cap == 0 ? 16 : page->cap * 2;
        page->fields = must_have(realloc(page->fields, page->cap * sizeof *page->fields));
    }
    kept = &page->fields[page->count++];
    *kept = *field;
    kept->def = keep_json(page, field->def);
    kept->extra = keep_json(page, field->extra);
    return kept;
}

static void keep_members(struct lp_form_page *page, struct lp_field *kept);

/* The field is a copy already; what it points to becomes the page's own. */
static void
keep_pointers(struct lp_form_page *page, struct lp_field *kept, const struct lp_field *field)
{
    kept->name = keep_text(page, field->name);
    kept->title = keep_text(page, field->title);
    kept->description = keep_text(page, field->description);
    kept->pattern = keep_text(page, field->pattern);
    kept->hint = keep_text(page, field->hint);
    kept->format = keep_text(page, field->format);
    kept->units = keep_text(page, field->units);
    if (field->value_count > 0)
        kept->values = keep_values(page, field->values, field->value_count);
    keep_members(page, kept);
}

static void
keep_members(struct lp_form_page *page, struct lp_field *kept)
{
    const struct lp_field *from = kept->fields;
    struct lp_field *members;

    if (kept->field_count == 0)
        return;
    members = must_have(lp_arena_array(page->arena, kept->field_count, sizeof *members));
    for (size_t i = 0; i < kept->field_count; i++) {
        members[i] = from[i];
        members[i].def = keep_json(page, from[i].def);
        members[i].extra = keep_json(page, from[i].extra);
        keep_pointers(page, &members[i], &from[i]);
    }
    kept->fields = members;
}

struct lp_field *
lp_form_page_add(struct lp_form_page *page, const struct lp_field *field)
{
    struct lp_field *kept = add_kept(page, field);

    keep_pointers(page, kept, field);
    return kept;
}

struct lp_field *
lp_form_page_add_model(struct lp_form_page *page, const struct lp_catalog *catalog,
                       const char *block, const char *field)
{
    const struct lp_block_type *type = lp_catalog_block(catalog, block);
    const struct lp_field *found = type == NULL ? NULL : lp_block_field(type, field);
    struct lp_field *kept;

    if (found == NULL) { /* written wrong in a workflow: every run of its form would be wrong */
        (void)fprintf(stderr,
                      "lightpath: a form asks for field '%s' of block '%s', which the catalog does "
                      "not have\n",
                      field, block);
        abort();
    }
    kept = add_kept(page, found);
    kept->required = found->required || found->required_in >= 0;
    kept->allocated = false; /* whoever puts it into a form means it */
    return kept;
}

static struct lp_field *
own_field(struct lp_form_page *page, const char *name)
{
    for (size_t i = 0; i < page->count; i++) {
        if (strcmp(page->fields[i].name, name) == 0)
            return &page->fields[i];
    }
    (void)fprintf(stderr, "lightpath: a form page has no field '%s'\n", name);
    abort();
}

void
lp_form_page_choices(struct lp_form_page *page, const char *field,
                     const struct lp_enum_value *values, size_t count)
{
    struct lp_field *own = own_field(page, field);

    own->kind = LP_FIELD_ENUM;
    own->values = keep_values(page, values, count);
    own->value_count = count;
}

/* Members of a plain container get their own defaults, so that giving one of them leaves the others
 * as they are and null clears one alone. */
static void
keep_inner_defaults(struct lp_form_page *page, struct lp_field *field)
{
    struct lp_field *inner;

    if (field->kind != LP_FIELD_STRUCT || field->list || !json_is_object(field->def))
        return;
    inner = must_have(lp_arena_array(page->arena, field->field_count + 1, sizeof *inner));
    for (size_t i = 0; i < field->field_count; i++) {
        inner[i] = field->fields[i];
        inner[i].def = json_object_get(field->def, inner[i].name); /* lives with field->def */
    }
    field->fields = inner;
}

void
lp_form_page_default(struct lp_form_page *page, const char *field, const json_t *def)
{
    struct lp_field *own = own_field(page, field);

    own->def = json_is_null(def) ? NULL : keep_json(page, def);
    keep_inner_defaults(page, own);
}

const struct lp_field *
lp_form_page_fields(const struct lp_form_page *page, size_t *count)
{
    *count = page->count;
    return page->fields;
}

json_t *
lp_form_page_schema(const struct lp_form_page *page)
{
    return lp_schema_object(page->title != NULL ? page->title : "unknown", page->fields,
                            page->count, NULL);
}

/* ---- check ---- */

static bool
is_known(const struct lp_form_page *page, const char *name)
{
    return lp_field_find(page->fields, page->count, name) != NULL;
}

/* A frozen field takes its default whatever comes in; a read-only value may be left out but not
 * changed (http-api 5.3). */
static void
check_frozen(struct lp_check *check, const struct lp_field *field, const json_t *value,
             json_t *clean)
{
    const struct lp_place at = {.name = field->name};
    json_t *kept = field->def == NULL ? NULL : json_deep_copy(field->def);
    char *text;

    if (kept != NULL && json_object_set_new(clean, field->name, kept) != 0)
        lp_problems_lost(check->problems);
    if (field->format != NULL || value == NULL
        || (field->def != NULL && lp_json_same(value, field->def))
        || (field->def == NULL && json_is_null(value)))
        return;
    text = field->def == NULL ? NULL : json_dumps(field->def, JSON_COMPACT | JSON_ENCODE_ANY);
    lp_check_problem(check, "literal_error", &at, value, NULL, "Input should be %s",
                     text != NULL ? text : "null");
    free(text);
}

static void
check_member(struct lp_check *check, const struct lp_field *field, const json_t *input,
             json_t *clean)
{
    const struct lp_place at = {.name = field->name};
    const json_t *value = json_object_get(input, field->name);
    json_t *one = NULL;

    if (field->frozen) {
        check_frozen(check, field, value, clean);
        return;
    }
    if (value == NULL && field->def != NULL)
        one = json_deep_copy(field->def);
    else if (value == NULL && field->required)
        lp_check_problem(check, "missing", &at, input, NULL, "Field required");
    else if (value != NULL && (field->required || !json_is_null(value)))
        lp_check_value(check, field, value, &at, &one);
    if (one != NULL && json_object_set_new(clean, field->name, one) != 0)
        lp_problems_lost(check->problems);
}

void
lp_form_page_check(const struct lp_form_page *page, const json_t *input,
                   struct lp_problems *problems, json_t **clean)
{
    struct lp_check check = {.problems = problems};
    json_t *out = json_object(), *item;
    const char *key;

    *clean = out;
    if (out == NULL)
        lp_problems_lost(problems);
    if (!json_is_object(input)) {
        lp_check_problem(&check, "dict_type", NULL, input, NULL, "Input should be a valid object");
        return;
    }
    for (size_t i = 0; i < page->count; i++)
        check_member(&check, &page->fields[i], input, out);
    json_object_foreach((json_t *)(uintptr_t)input, key, item)
    {
        const struct lp_place at = {.name = key};
        if (!is_known(page, key))
            lp_check_problem(&check, "extra_forbidden", &at, item, NULL,
                             "Extra inputs are not permitted");
    }
}
