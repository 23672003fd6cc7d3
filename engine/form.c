/* Form negotiation (http-api 1.6 and 5, engine-semantics 7): the client posts every page filled so
 * far, the pages are replayed as pure reads of one snapshot, and the answer is the next page (510),
 * the faults of one page (400) or the merged result. */
#include "engine/form.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define PAGES_MOST 64 /* posted pages; no form comes near */

/* One negotiation. */
struct replay {
    struct lp_engine *engine;
    const struct lp_caller *caller;
    const struct lp_registered *reg;
    const struct lp_form *form;
    bool workflow_form;
    struct lp_form_ctx ctx;
    json_t *answers;             /* owned; ctx.answers */
    struct lp_subscription *sub; /* owned; ctx.subscription */
};

/* ---- standard pages ---- */

static struct lp_field
hand_made(const char *name, enum lp_field_kind kind, bool required)
{
    return (struct lp_field){.name = name, .kind = kind, .required = required, .required_in = -1};
}

/* Status of a product row: the operators' edit, else active. */
static const char *
product_status(const struct lp_rows *rows, const char *id)
{
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        if (strcmp(lp_rows_text(rows, i, "id"), id) == 0)
            return lp_rows_text(rows, i, "status");
    return "active";
}

static enum lp_code
read_statuses(struct replay *replay, struct lp_rows **rows, struct lp_err *err)
{
    return lp_reader_query(replay->ctx.reader, LP_SQL_FORM_PRODUCT_STATUS, LP_NO_ARGS, rows, err);
}

/* CREATE: a choice of the products of this workflow that may be sold (W47). */
static enum lp_code
product_build(struct replay *replay, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_field field = hand_made("product", LP_FIELD_ENUM, true);
    struct lp_rows *statuses = NULL;
    struct lp_enum_value *values;
    size_t count = 0, n = 0;
    const struct lp_product_type *products = lp_catalog_products(replay->engine->catalog, &count);
    enum lp_code rc = read_statuses(replay, &statuses, err);

    if (rc != LP_OK)
        return rc;
    values = lp_arena_array(replay->ctx.arena, count + 1, sizeof *values);
    if (values == NULL) {
        lp_rows_free(statuses);
        return lp_fail(err, LP_NOMEM, "no memory for the product choice");
    }
    for (size_t i = 0; i < count; i++)
        if (lp_workflow_fits(replay->reg->workflow, &products[i])
            && strcmp(product_status(statuses, products[i].id.text), "active") == 0)
            values[n++] = (struct lp_enum_value){products[i].id.text, products[i].name};
    lp_rows_free(statuses);
    field.format = "productId";
    field.values = values;
    field.value_count = n;
    lp_form_page_add(page, &field);
    return LP_OK;
}

/* A product that exists and is not offered gets told why; anything else is an ordinary wrong
 * choice. */
static enum lp_code
product_refusal(struct replay *replay, const json_t *input, struct lp_problems *problems,
                struct lp_err *err)
{
    const char *id = lp_json_str(input, "product", "");
    const struct lp_product_type *product = lp_catalog_product_by_id(replay->engine->catalog, id);
    const json_t *value = json_object_get(input, "product");
    struct lp_rows *statuses = NULL;
    enum lp_code rc;

    if (product == NULL)
        return LP_OK;
    if (!lp_workflow_fits(replay->reg->workflow, product)) {
        json_array_clear(problems->list);
        lp_problem_field(problems, "value_error", "product", value,
                         "This workflow is not valid for this product");
        return LP_OK;
    }
    rc = read_statuses(replay, &statuses, err);
    if (rc != LP_OK)
        return rc;
    if (strcmp(product_status(statuses, id), "active") != 0) {
        json_array_clear(problems->list);
        lp_problem_field(problems, "value_error", "product", value,
                         "Product %s is '%s': no new subscriptions of it can be created",
                         product->name, product_status(statuses, id));
    }
    lp_rows_free(statuses);
    return LP_OK;
}

static void
product_accept(struct replay *replay, json_t *clean)
{
    const struct lp_product_type *product =
        lp_catalog_product_by_id(replay->engine->catalog, lp_json_str(clean, "product", ""));

    replay->ctx.product = product;
    if (product != NULL)
        lp_json_set_str(clean, "product_name", product->name);
}

/* MODIFY and its like: the subscription, and the version the client saw. */
static void
subscription_build(struct lp_form_page *page)
{
    struct lp_field id = hand_made("subscription_id", LP_FIELD_UUID, true);
    struct lp_field version = hand_made("version", LP_FIELD_INT, false);

    id.format = "uuid";
    lp_form_page_add(page, &id);
    lp_form_page_add(page, &version);
}

static enum lp_code
load_target(struct replay *replay, const char *id, struct lp_err *err)
{
    enum lp_code rc;

    lp_subscription_free(replay->sub);
    replay->sub = NULL;
    rc = lp_subscription_load(replay->engine->store, replay->ctx.reader, replay->engine->catalog,
                              id, &replay->sub, err);
    if (rc == LP_OK) {
        replay->ctx.subscription = replay->sub;
        replay->ctx.product = replay->sub->product;
    }
    return rc;
}

/** "PoP A, PoP B and 3 more" of a list of details; owned by out. */
static void
add_names(struct lp_buf *out, const json_t *details)
{
    enum { MOST = 5 };
    size_t count = json_array_size(details);

    for (size_t i = 0; i < count && i < MOST; i++)
        lp_buf_printf(out, "%s%s", i == 0 ? ": " : ", ",
                      lp_json_str(json_array_get(details, i), "subscription_description", "?"));
    if (count > MOST)
        lp_buf_printf(out, " and %zu more", count - MOST);
}

static enum lp_code
gate_problem(struct replay *replay, const json_t *value, struct lp_problems *problems,
             struct lp_err *err)
{
    json_auto_t *reason = NULL;
    /* Who may start it was asked before the form; here only the subscription counts. */
    enum lp_code rc = lp_gate_reason(replay->engine, replay->ctx.reader, NULL, replay->reg,
                                     replay->sub, &reason, err);

    if (rc == LP_OK && reason != NULL) {
        struct lp_buf names = LP_BUF_INIT;

        lp_buf_str(&names, "");
        add_names(&names, json_object_get(reason, "unterminated_in_use_by_subscriptions_detail"));
        add_names(&names, json_object_get(reason, "locked_relations_detail"));
        lp_problem_field(problems, "value_error", "subscription_id", value,
                         "This workflow cannot be started: %s%s",
                         lp_gate_text(lp_json_str(reason, "reason", "")),
                         names.failed ? "" : names.data);
        lp_buf_free(&names);
    }
    return rc;
}

static void
stale_problem(const struct replay *replay, const json_t *clean, struct lp_problems *problems)
{
    const json_t *version = json_object_get(clean, "version");

    if (json_is_integer(version) && json_integer_value(version) != replay->sub->version)
        lp_problem_field(problems, "value_error", "__root__", version,
                         "Stale data: given version (%lld) does not match the current version "
                         "(%lld)",
                         (long long)json_integer_value(version), (long long)replay->sub->version);
}

static enum lp_code
subscription_check(struct replay *replay, json_t *clean, struct lp_problems *problems,
                   struct lp_err *err)
{
    const json_t *value = json_object_get(clean, "subscription_id");
    enum lp_code rc = load_target(replay, lp_json_str(clean, "subscription_id", ""), err);

    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        lp_problem_field(problems, "value_error", "subscription_id", value,
                         "Subscription not found");
        return LP_OK;
    }
    if (rc != LP_OK)
        return rc;
    if (!lp_workflow_fits(replay->reg->workflow, replay->sub->product))
        lp_problem_field(problems, "value_error", "subscription_id", value,
                         "This workflow is not valid for this subscription");
    else
        rc = gate_problem(replay, value, problems, err);
    if (rc == LP_OK)
        stale_problem(replay, clean, problems);
    lp_json_set_str(clean, "product", replay->sub->product->id.text);
    lp_json_set_str(clean, "customer_id", replay->sub->customer_id);
    lp_json_set_int(clean, "version", replay->sub->version);
    return rc;
}

/* ---- the sequence of pages ---- */

enum page_kind { PAGE_NONE, PAGE_EMPTY, PAGE_PRODUCT, PAGE_SUBSCRIPTION, PAGE_OWN };

/* Pages in front of the form's own. */
static enum page_kind
first_kind(const struct replay *replay)
{
    if (!replay->workflow_form)
        return PAGE_NONE;
    switch (replay->reg->workflow->target) {
    case LP_TARGET_CREATE:
        return PAGE_PRODUCT;
    case LP_TARGET_MODIFY:
    case LP_TARGET_TERMINATE:
    case LP_TARGET_VALIDATE:
    case LP_TARGET_RECONCILE:
        return PAGE_SUBSCRIPTION;
    case LP_TARGET_SYSTEM:
    case LP_TARGET_COUNT:
        break;
    }
    return replay->form == NULL || replay->form->count == 0 ? PAGE_EMPTY : PAGE_NONE;
}

static enum page_kind
page_at(const struct replay *replay, size_t index, const struct lp_page **own)
{
    enum page_kind first = first_kind(replay);
    size_t ahead = first == PAGE_NONE ? 0 : 1;

    if (index < ahead)
        return first;
    if (replay->form == NULL || index - ahead >= replay->form->count)
        return PAGE_NONE;
    *own = &replay->form->pages[index - ahead];
    return PAGE_OWN;
}

/* The first page from index on that applies; PAGE_NONE behind the last. */
static enum page_kind
next_page(const struct replay *replay, size_t *index, const struct lp_page **own)
{
    enum page_kind kind = page_at(replay, *index, own);

    while (kind == PAGE_OWN && (*own)->when != NULL && !(*own)->when(&replay->ctx)) {
        (*index)++;
        kind = page_at(replay, *index, own);
    }
    return kind;
}

static enum lp_code
build_page(struct replay *replay, enum page_kind kind, size_t index, const struct lp_page *own,
           struct lp_form_page **out, struct lp_err *err)
{
    const struct lp_page *later = NULL;
    struct lp_form_page *page = lp_form_page_new(kind == PAGE_OWN ? own->title : NULL);
    enum lp_code rc = LP_OK;

    if (page_at(replay, index + 1, &later) == PAGE_NONE)
        lp_form_page_has_next(page, 0);
    if (kind == PAGE_EMPTY)
        lp_form_page_has_next(page, -1);
    else if (kind == PAGE_PRODUCT)
        rc = product_build(replay, page, err);
    else if (kind == PAGE_SUBSCRIPTION)
        subscription_build(page);
    else
        rc = own->build(&replay->ctx, page, err);
    if (rc == LP_OK)
        *out = page;
    else
        lp_form_page_free(page);
    return rc;
}

/* ---- the answers of form-driven calls ---- */

static const char *
title_of(const json_t *schema)
{
    return lp_json_str(schema, "title", "unknown");
}

static enum lp_code
fail_incomplete(const struct lp_form_page *page, size_t number, struct lp_err *err)
{
    json_auto_t *shared = lp_form_page_schema(page);
    json_t *schema = json_deep_copy(shared); /* the page may serve another thread next */
    int has_next = lp_form_page_has_next_get(page);
    json_t *meta = has_next < 0 ? json_null() : json_pack("{s:b}", "hasNext", has_next);
    enum lp_code rc;

    if (strcmp(title_of(schema), "unknown") == 0)
        rc = lp_fail(err, LP_FORM_INCOMPLETE, "page %zu of the form is to be filled in", number);
    else
        rc = lp_fail(err, LP_FORM_INCOMPLETE, "page %zu of the form is to be filled in: %.80s",
                     number, title_of(schema));
    err->detail = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "type", "FormNotCompleteError",
                            "detail", err->msg, "title", "Form not complete", "status", 510, "form",
                            schema, "meta", meta);
    return rc;
}

static void
add_loc(struct lp_buf *text, const json_t *loc, const char *between)
{
    size_t i;
    json_t *part;

    json_array_foreach(loc, i, part)
    {
        if (i > 0)
            lp_buf_str(text, between);
        if (json_is_string(part))
            lp_buf_str(text, json_string_value(part));
        else
            lp_buf_printf(text, "%lld", (long long)json_integer_value(part));
    }
}

static void
add_context(struct lp_buf *text, const json_t *problem)
{
    const char *name;
    json_t *value;

    lp_buf_printf(text, " (type=%s", lp_json_str(problem, "type", "value_error"));
    json_object_foreach(json_object_get(problem, "ctx"), name, value)
    {
        lp_buf_printf(text, "; %s=", name);
        if (json_is_string(value))
            lp_buf_str(text, json_string_value(value));
        else
            lp_buf_json(text, value);
    }
    lp_buf_char(text, ')');
}

/* "2 validation errors for <Page>", then two lines per field. */
static void
describe_problems(struct lp_buf *text, const json_t *list, const char *title)
{
    size_t i, count = json_array_size(list);
    json_t *problem;

    lp_buf_printf(text, "%zu validation error%s for %s", count, count == 1 ? "" : "s", title);
    json_array_foreach(list, i, problem)
    {
        lp_buf_char(text, '\n');
        add_loc(text, json_object_get(problem, "loc"), " -> ");
        lp_buf_printf(text, "\n  %s", lp_json_str(problem, "msg", ""));
        add_context(text, problem);
    }
}

static enum lp_code
fail_invalid(const struct lp_problems *problems, const char *title, size_t page_index,
             struct lp_err *err)
{
    const json_t *first = json_array_get(problems->list, 0);
    struct lp_buf text = LP_BUF_INIT, pointer = LP_BUF_INIT;
    const char *where, *name;
    enum lp_code rc;

    describe_problems(&text, problems->list, title);
    lp_buf_printf(&pointer, "/%zu", page_index);
    name = json_string_value(json_array_get(json_object_get(first, "loc"), 0));
    if (name != NULL && strcmp(name, "__root__") != 0) {
        lp_buf_char(&pointer, '/');
        add_loc(&pointer, json_object_get(first, "loc"), "/");
    }
    where = pointer.failed ? "" : pointer.data;
    rc = lp_fail_at(err, LP_FORM_INVALID, where, "%s: %s", where, lp_json_str(first, "msg", ""));
    err->detail = json_pack("{s:s, s:s, s:s, s:i, s:O, s:s}", "type", "FormValidationError",
                            "detail", text.failed ? "" : text.data, "title", "Form not valid",
                            "status", 400, "validation_errors", problems->list, "pointer", where);
    lp_buf_free(&text);
    lp_buf_free(&pointer);
    return rc;
}

static enum lp_code
fail_too_many(size_t pages, size_t posted, struct lp_err *err)
{
    struct lp_problems problems;
    enum lp_code rc;

    lp_problems_init(&problems);
    lp_problem_field(&problems, "too_many_pages", "__root__", NULL,
                     "The form has %zu page%s, %zu were posted", pages, pages == 1 ? "" : "s",
                     posted);
    rc = fail_invalid(&problems, "form", pages, err);
    lp_problems_free(&problems);
    return rc;
}

/* ---- one page ---- */

static enum lp_code
apply_rules(struct replay *replay, enum page_kind kind, const struct lp_page *own,
            const json_t *input, json_t *clean, struct lp_problems *problems, struct lp_err *err)
{
    bool fields_ok = lp_problems_count(problems) == 0;

    if (kind == PAGE_PRODUCT && !fields_ok)
        return product_refusal(replay, input, problems, err);
    if (!fields_ok)
        return LP_OK;
    if (kind == PAGE_PRODUCT)
        product_accept(replay, clean);
    else if (kind == PAGE_SUBSCRIPTION)
        return subscription_check(replay, clean, problems, err);
    else if (kind == PAGE_OWN && own->check != NULL)
        return own->check(&replay->ctx, clean, problems, err);
    return LP_OK;
}

/* Checks an input against its page and merges it into the answers. */
static enum lp_code
accept_page(struct replay *replay, enum page_kind kind, const struct lp_page *own,
            const struct lp_form_page *page, const json_t *input, size_t input_index,
            struct lp_err *err)
{
    struct lp_problems problems;
    json_auto_t *checked = NULL;
    json_auto_t *clean = NULL;
    json_auto_t *schema = NULL;
    enum lp_code rc = LP_OK;

    lp_problems_init(&problems);
    if (!json_is_object(input))
        lp_problem_field(&problems, "dict_type", "__root__", input,
                         "Input should be a valid dictionary");
    else {
        lp_form_page_check(page, input, &problems, &checked);
        clean = checked == NULL ? json_object() : json_deep_copy(checked);
        rc = apply_rules(replay, kind, own, input, clean, &problems, err);
    }
    if (rc == LP_OK && lp_problems_count(&problems) > 0) {
        schema = lp_form_page_schema(page);
        rc = fail_invalid(&problems, title_of(schema), input_index, err);
    }
    if (rc == LP_OK)
        json_object_update(replay->answers, clean);
    lp_problems_free(&problems);
    return rc;
}

/* ---- memo keys ---- */

static void
hash_json(struct lp_buf *text, const json_t *value)
{
    char *dump =
        value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    lp_buf_str(text, dump == NULL ? "-" : dump);
    lp_buf_char(text, '\n');
    free(dump);
}

static const char *
marker_subscription(const struct replay *replay, const json_t *pages)
{
    const json_t *from = replay->ctx.state != NULL ? replay->ctx.state : json_array_get(pages, 0);

    return lp_json_str(from, "subscription_id", "");
}

/* Everything a shown page depends on, the posted pages left out. Changes elsewhere show within the
 * memo's short life. */
static enum lp_code
memo_base(struct replay *replay, const json_t *pages, struct lp_buf *text, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_reader_query(replay->ctx.reader, LP_SQL_FORM_MARKER,
                        LP_ARGS(lp_text("id", marker_subscription(replay, pages))), &rows, err);

    if (rc != LP_OK)
        return rc;
    lp_buf_printf(text, "%s %p %d %s %d %lld %lld %lld\n", replay->reg->workflow->name,
                  (const void *)replay->form, (int)replay->workflow_form, replay->caller->actor,
                  (int)replay->caller->role, (long long)lp_rows_int(rows, 0, "newest"),
                  (long long)lp_rows_int(rows, 0, "version"),
                  (long long)lp_rows_int(rows, 0, "lock_seq"));
    lp_rows_free(rows);
    hash_json(text, replay->ctx.state);
    return LP_OK;
}

/* Keys of the prefixes of all pages, and of all but the last. */
static enum lp_code
memo_keys(struct replay *replay, const json_t *pages, char all[static 65], char but_last[static 65],
          struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    size_t i, count = json_array_size(pages);
    json_t *page;
    enum lp_code rc = memo_base(replay, pages, &text, err);

    but_last[0] = '\0';
    json_array_foreach(pages, i, page)
    {
        if (i + 1 == count && !text.failed)
            lp_sha256_hex(text.data, text.len, but_last);
        hash_json(&text, page);
    }
    if (rc == LP_OK && text.failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    if (rc == LP_OK)
        lp_sha256_hex(text.data, text.len, all);
    lp_buf_free(&text);
    return rc;
}

/* ---- replay ---- */

static void
start_over(struct replay *replay)
{
    json_decref(replay->answers);
    replay->answers = json_object();
    replay->ctx.answers = replay->answers;
    lp_subscription_free(replay->sub);
    replay->sub = NULL;
    replay->ctx.subscription = NULL;
    replay->ctx.product = NULL;
}

/* Resume forms know their subscription from the state. */
static enum lp_code
load_from_state(struct replay *replay, struct lp_err *err)
{
    const char *id = lp_json_str(replay->ctx.state, "subscription_id", "");
    const char *product = lp_json_str(replay->ctx.state, "product", "");
    enum lp_code rc;

    if (replay->workflow_form || replay->ctx.state == NULL)
        return LP_OK;
    replay->ctx.product = lp_catalog_product_by_id(replay->engine->catalog, product);
    if (id[0] == '\0')
        return LP_OK;
    rc = load_target(replay, id, err);
    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        rc = LP_OK;
    }
    return rc;
}

/* 510 with the page, which then goes to the memo. */
static enum lp_code
ask_for(struct replay *replay, struct lp_form_page *page, size_t index, size_t number,
        const char *key, struct lp_err *err)
{
    enum lp_code rc = fail_incomplete(page, number, err);
    struct lp_form_prefix prefix = {
        .answers = json_deep_copy(replay->answers), .next = index, .page = page};

    if (*key == '\0') {
        lp_form_prefix_clear(&prefix);
        return rc;
    }
    lp_form_memo_put(replay->engine->memo, key, lp_clock_mono_us(replay->engine->clock), &prefix);
    return rc;
}

/* All pages from the first one. LP_OK: answers are complete. */
static enum lp_code
replay_all(struct replay *replay, const json_t *pages, const char *key, struct lp_err *err)
{
    size_t posted = json_array_size(pages), used = 0;
    enum lp_code rc;

    start_over(replay);
    rc = load_from_state(replay, err);
    for (size_t index = 0; rc == LP_OK; index++) {
        const struct lp_page *own = NULL;
        struct lp_form_page *page = NULL;
        enum page_kind kind = next_page(replay, &index, &own);

        if (kind == PAGE_NONE)
            break;
        rc = build_page(replay, kind, index, own, &page, err);
        if (rc != LP_OK)
            return rc;
        if (used == posted)
            return ask_for(replay, page, index, used + 1, key, err);
        rc = accept_page(replay, kind, own, page, json_array_get(pages, used), used, err);
        used++;
        lp_form_page_free(page);
    }
    if (rc == LP_OK && used < posted)
        rc = fail_too_many(used, posted, err);
    return rc;
}

/* Puts a remembered prefix in place of the replay of its pages. */
static enum lp_code
restore_prefix(struct replay *replay, const struct lp_form_prefix *prefix, struct lp_err *err)
{
    const char *id;
    enum lp_code rc;

    start_over(replay);
    rc = load_from_state(replay, err);
    json_object_update_new(replay->answers, json_deep_copy(prefix->answers));
    if (rc != LP_OK || !replay->workflow_form)
        return rc;
    replay->ctx.product = lp_catalog_product_by_id(replay->engine->catalog,
                                                   lp_json_str(replay->answers, "product", ""));
    id = lp_json_str(replay->answers, "subscription_id", "");
    return first_kind(replay) == PAGE_SUBSCRIPTION && id[0] != '\0' ? load_target(replay, id, err)
                                                                    : LP_OK;
}

/* The posted last page against its remembered page, then the page after it. LP_OK: there is none,
 * or the prefix is gone. */
static enum lp_code
replay_last(struct replay *replay, const json_t *pages, const char *key, const char *but_last,
            struct lp_err *err)
{
    struct lp_form_prefix prefix = {.page = NULL};
    size_t last = json_array_size(pages) - 1, index;
    int64_t now = lp_clock_mono_us(replay->engine->clock);
    const struct lp_page *own = NULL;
    struct lp_form_page *page = NULL;
    enum page_kind kind;
    enum lp_code rc;

    if (!lp_form_memo_take(replay->engine->memo, but_last, now, &prefix))
        return LP_OK;
    index = prefix.next;
    rc = restore_prefix(replay, &prefix, err);
    if (rc == LP_OK) {
        kind = page_at(replay, index, &own);
        rc = accept_page(replay, kind, own, prefix.page, json_array_get(pages, last), last, err);
    }
    lp_form_memo_put(replay->engine->memo, but_last, now, &prefix);
    if (rc == LP_NOT_FOUND) { /* the target went away: the full replay says so */
        lp_err_clear(err);
        return LP_OK;
    }
    index++;
    if (rc != LP_OK || (kind = next_page(replay, &index, &own)) == PAGE_NONE)
        return rc;
    rc = build_page(replay, kind, index, own, &page, err);
    return rc != LP_OK ? rc : ask_for(replay, page, index, last + 2, key, err);
}

/* Short cuts through the memo; LP_OK means nothing was decided and everything is to be replayed. */
static enum lp_code
replay_remembered(struct replay *replay, const json_t *pages, const char *key, const char *but_last,
                  struct lp_err *err)
{
    struct lp_form_prefix prefix = {.page = NULL};
    size_t posted = json_array_size(pages);
    int64_t now = lp_clock_mono_us(replay->engine->clock);
    enum lp_code rc;

    if (lp_form_memo_take(replay->engine->memo, key, now, &prefix)) {
        rc = fail_incomplete(prefix.page, posted + 1, err);
        lp_form_memo_put(replay->engine->memo, key, now, &prefix);
        return rc;
    }
    return posted == 0 ? LP_OK : replay_last(replay, pages, key, but_last, err);
}

/* ---- the end of a form ---- */

static bool
has_id(const json_t *ids, const char *id)
{
    size_t i;
    json_t *value;

    json_array_foreach(ids, i, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), id) == 0)
            return true;
    }
    return false;
}

/* Subscriptions whose blocks the target uses are held shared while it is worked on. */
static enum lp_code
add_dependencies(struct replay *replay, json_t *ids, struct lp_err *err)
{
    struct lp_relations relations = {.count = 0};
    enum lp_code rc;

    if (replay->sub == NULL || replay->reg->workflow->without_lock)
        return LP_OK;
    rc = lp_subscription_relations(replay->engine->store, replay->ctx.reader, replay->sub->id,
                                   LP_RELATION_DEPENDENCIES, false, &relations, err);
    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; i < relations.count; i++)
        if (!has_id(ids, relations.rows[i].subscription_id))
            json_array_append_new(ids, json_string(relations.rows[i].subscription_id));
    lp_relations_free(&relations);
    return LP_OK;
}

static enum lp_code
finish(struct replay *replay, json_t *shared_ids, json_t **output, struct lp_err *err)
{
    const struct lp_workflow *workflow = replay->reg->workflow;
    json_auto_t *result = json_deep_copy(replay->answers);
    enum lp_code rc = LP_OK;

    if (replay->form != NULL && replay->form->finish != NULL)
        rc = replay->form->finish(&replay->ctx, result, err);
    if (rc == LP_OK && replay->workflow_form && shared_ids != NULL) {
        if (workflow->shares != NULL)
            rc = workflow->shares(&replay->ctx, result, shared_ids, err);
        if (rc == LP_OK)
            rc = add_dependencies(replay, shared_ids, err);
    }
    if (rc == LP_OK)
        *output = lp_json_take(&result);
    return rc;
}

/* ---- entry ---- */

/* The posted pages as an array: nothing at all stands for one empty page. New reference. */
static enum lp_code
posted_pages(const json_t *pages, json_t **out, struct lp_err *err)
{
    if (pages == NULL || json_is_null(pages)) {
        *out = json_pack("[{}]");
        return LP_OK;
    }
    if (!json_is_array(pages))
        return lp_fail_at(err, LP_INVALID, "", "the form input must be a list of pages, not %s",
                          lp_json_kind(pages));
    if (json_array_size(pages) > PAGES_MOST)
        return lp_fail_at(err, LP_INVALID, "", "more than %d pages were posted", PAGES_MOST);
    *out = json_deep_copy(pages);
    return LP_OK;
}

static enum lp_code
open_replay(struct replay *replay, const json_t *state, struct lp_err *err)
{
    struct lp_engine *engine = replay->engine;

    replay->ctx = (struct lp_form_ctx){.caller = replay->caller,
                                       .workflow = replay->reg->workflow,
                                       .catalog = engine->catalog,
                                       .conf = engine->conf,
                                       .clock = engine->clock,
                                       .store = engine->store,
                                       .state = state,
                                       .arena = lp_arena_new()};
    if (replay->ctx.arena == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    return lp_reader_open(engine->store, &replay->ctx.reader, err);
}

static void
close_replay(struct replay *replay)
{
    json_decref(replay->answers);
    lp_subscription_free(replay->sub);
    if (replay->ctx.reader != NULL)
        lp_reader_close(replay->ctx.reader);
    lp_arena_free(replay->ctx.arena);
}

enum lp_code
lp_form_negotiate(struct lp_engine *engine, const struct lp_caller *caller,
                  const struct lp_registered *reg, const struct lp_form *form, bool workflow_form,
                  const json_t *state, const json_t *pages, json_t **output, json_t *shared_ids,
                  struct lp_err *err)
{
    struct replay replay = {.engine = engine,
                            .caller = caller,
                            .reg = reg,
                            .form = form,
                            .workflow_form = workflow_form};
    json_auto_t *posted = NULL;
    char key[65] = "", but_last[65] = "";
    bool remembers; /* an empty page is made faster than found again */
    enum lp_code rc = posted_pages(pages, &posted, err);

    if (rc != LP_OK)
        return rc;
    rc = open_replay(&replay, state, err);
    remembers = first_kind(&replay) != PAGE_EMPTY;
    if (rc == LP_OK && remembers)
        rc = memo_keys(&replay, posted, key, but_last, err);
    if (rc == LP_OK && remembers)
        rc = replay_remembered(&replay, posted, key, but_last, err);
    if (rc == LP_OK)
        rc = replay_all(&replay, posted, key, err);
    if (rc == LP_OK)
        rc = finish(&replay, shared_ids, output, err);
    close_replay(&replay);
    return rc;
}

enum lp_code
lp_form_first_schema(struct lp_engine *engine, const struct lp_caller *caller,
                     const struct lp_registered *reg, const struct lp_form *form,
                     const json_t *state, json_t **schema, struct lp_err *err)
{
    json_auto_t *none = json_array();
    json_auto_t *output = NULL;
    enum lp_code rc;

    *schema = NULL;
    if (form == NULL)
        return LP_OK;
    rc = lp_form_negotiate(engine, caller, reg, form, false, state, none, &output, NULL, err);
    if (rc != LP_FORM_INCOMPLETE)
        return rc;
    *schema = json_incref(json_object_get(err->detail, "form"));
    lp_err_clear(err);
    return LP_OK;
}
