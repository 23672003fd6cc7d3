/* What a product may look at, what it and its siblings desire, and what is ours and wanted no more.
 */
#include <string.h>

#include "steps/device_internal.h"
#include "steps/lifecycle.h"

static const struct lp_product *
product_of(const struct lp_run *run, const char *type)
{
    const struct lp_services *services = run->services;

    return services == NULL || services->product_of == NULL ? lp_product_of(type)
                                                            : services->product_of(type);
}

/* ---- the closure ---- */

struct walk {
    struct lp_run *run;
    json_t *closure;
    json_t *shared; /* instance ids of the subject's shared blocks */
    const char *const *shared_blocks;
};

/* "Block", or "Block.field": only where it is referenced by that field. */
static bool
in_list(const char *const *list, const char *block, const char *field)
{
    size_t len = strlen(block);

    for (; list != NULL && *list != NULL; list++)
        if (strncmp(*list, block, len) == 0
            && ((*list)[len] == '\0'
                || ((*list)[len] == '.' && field != NULL && strcmp(*list + len + 1, field) == 0)))
            return true;
    return false;
}

static void
note_shared(struct walk *walk, const char *block, const char *field, const char *id)
{
    if (block != NULL && in_list(walk->shared_blocks, block, field))
        json_object_set_new(walk->shared, id, json_true());
}

static void
note_refs(struct walk *walk, const struct lp_field *field, const json_t *value, json_t *refs)
{
    size_t i;
    json_t *one;

    if (json_is_string(value)) {
        json_object_set_new(refs, json_string_value(value), json_true());
        note_shared(walk, field->block, field->name, json_string_value(value));
    }
    json_array_foreach(value, i, one) note_refs(walk, field, one, refs);
}

static void index_block(struct walk *walk, const struct lp_block_type *type, json_t *doc,
                        const char *owner, json_t *refs);

static void
index_field(struct walk *walk, const struct lp_field *field, json_t *value, const char *owner,
            json_t *refs)
{
    const struct lp_block_type *type;
    size_t i;
    json_t *one;

    if (field->kind == LP_FIELD_REF) {
        note_refs(walk, field, value, refs);
        return;
    }
    type =
        field->kind == LP_FIELD_BLOCK ? lp_catalog_block(walk->run->catalog, field->block) : NULL;
    if (type == NULL)
        return;
    if (json_is_object(value))
        index_block(walk, type, value, owner, refs);
    json_array_foreach(value, i, one) index_block(walk, type, one, owner, refs);
}

static void
index_block(struct walk *walk, const struct lp_block_type *type, json_t *doc, const char *owner,
            json_t *refs)
{
    const char *id = lp_json_str(doc, "subscription_instance_id", NULL);

    if (id != NULL) {
        json_object_set_new(json_object_get(walk->closure, "blocks"), id,
                            json_pack("{s:s, s:s, s:O}", "subscription_id", owner, "block",
                                      type->name, "doc", doc));
        note_shared(walk, type->name, NULL, id);
    }
    for (size_t i = 0; i < type->field_count; i++) {
        json_t *value = json_object_get(doc, type->fields[i].name);

        if (value != NULL)
            index_field(walk, &type->fields[i], value, owner, refs);
    }
}

static enum lp_code
add_entry(struct walk *walk, const struct lp_subscription *sub, struct lp_err *err)
{
    json_t *entry =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "subscription_id", sub->id, "product",
                  sub->product->name, "type", sub->product->type, "customer_id", sub->customer_id,
                  "description", sub->description == NULL ? "" : sub->description, "status",
                  lp_lifecycle_name(sub->status), "root", sub->root);

    if (entry == NULL
        || json_object_set_new(json_object_get(walk->closure, "subscriptions"), sub->id, entry)
               != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    return LP_OK;
}

static enum lp_code add_owner(struct walk *walk, const char *instance_id, struct lp_err *err);

/** With everything that what was loaded of it references; the subject also tells which of its
 * blocks are shared. */
static enum lp_code
add_loaded(struct walk *walk, const struct lp_subscription *sub, bool subject, struct lp_err *err)
{
    const struct lp_product *product = product_of(walk->run, sub->product->type);
    json_auto_t *refs = json_object();
    const char *ref;
    json_t *value;
    enum lp_code rc =
        lp_closure_subscription(walk->closure, sub->id) != NULL ? LP_OK : add_entry(walk, sub, err);

    walk->shared_blocks = subject && product != NULL ? product->shared_blocks : NULL;
    if (rc == LP_OK)
        index_block(walk, sub->product->root, sub->root, sub->id, refs);
    json_object_foreach(refs, ref, value)
    {
        if (rc == LP_OK)
            rc = add_owner(walk, ref, err);
    }
    return rc;
}

static enum lp_code
add_subscription(struct walk *walk, const char *id, bool subject, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc;

    if (lp_closure_subscription(walk->closure, id) != NULL)
        return LP_OK;
    rc = lp_run_subscription(walk->run, id, &sub, err);
    return rc == LP_OK ? add_loaded(walk, sub, subject, err) : rc;
}

/** As a dry run would leave it: what it has changed already stands in no table. */
static enum lp_code
add_owner_dry(struct walk *walk, const char *instance_id, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(walk->run->store, LP_SQL_BLOCK_OWNER,
                               LP_ARGS(lp_text("instance_id", instance_id)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 1)
        rc = add_subscription(walk, lp_rows_text(rows, 0, "subscription_id"), false, err);
    lp_rows_free(rows);
    return rc;
}

/** What configures nothing itself (a device) is not asked for blocks that nobody references: there
 * may be hundreds of ports, and this is done several times in every process. */
static enum lp_code
add_owner(struct walk *walk, const char *instance_id, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    const struct lp_product *product;
    enum lp_code rc;

    if (lp_closure_owner(walk->closure, instance_id) != NULL)
        return LP_OK;
    if (walk->run->dry_run)
        return add_owner_dry(walk, instance_id, err);
    rc = lp_subscription_load_around(walk->run->store, NULL, walk->run->catalog, instance_id, &sub,
                                     err);
    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        return LP_OK;
    }
    if (rc != LP_OK)
        return rc;
    product = product_of(walk->run, sub->product->type);
    rc = sub->part && product != NULL && product->desired != NULL
             ? add_subscription(walk, sub->id, false, err)
             : add_loaded(walk, sub, false, err);
    lp_subscription_free(sub);
    return rc;
}

/** Who owns a shared block that the subject only uses is a sibling as well, when it desires
 * anything at all: a device with its ports does not. */
static void
add_owning_sibling(struct walk *walk, const char *instance)
{
    const char *owner = lp_closure_owner(walk->closure, instance);
    const json_t *entry = lp_closure_subscription(walk->closure, owner);
    const struct lp_product *product = product_of(walk->run, lp_json_str(entry, "type", ""));

    if (product != NULL && product->desired != NULL
        && strcmp(lp_json_str(entry, "status", ""), "terminated") != 0)
        json_object_set_new(json_object_get(walk->closure, "siblings"), owner, json_true());
}

/** Everybody else that uses one of the shared blocks. */
static enum lp_code
add_siblings(struct walk *walk, const char *subject, struct lp_err *err)
{
    const char *instance;
    json_t *value;
    enum lp_code rc = LP_OK;

    json_object_foreach(walk->shared, instance, value)
    {
        struct lp_rows *rows = NULL;

        rc = lp_query(walk->run->store, LP_SQL_BLOCK_USERS,
                      LP_ARGS(lp_text("instance_id", instance)), &rows, err);
        for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
            const char *id = lp_rows_text(rows, i, "id");

            if (strcmp(id, subject) != 0
                && strcmp(lp_rows_text(rows, i, "status"), "terminated") != 0)
                rc = add_subscription(walk, id, false, err);
            if (rc == LP_OK && lp_closure_subscription(walk->closure, id) != NULL)
                json_object_set_new(json_object_get(walk->closure, "siblings"), id, json_true());
        }
        lp_rows_free(rows);
        if (rc != LP_OK)
            break;
        add_owning_sibling(walk, instance);
    }
    return rc;
}

enum lp_code
lp_closure_load(struct lp_run *run, const char *subject, json_t **closure, struct lp_err *err)
{
    json_auto_t *shared = json_object();
    json_auto_t *made = json_pack("{s:s, s:{}, s:{}, s:{}}", "subject", subject, "subscriptions",
                                  "blocks", "siblings");
    struct walk walk = {.run = run, .closure = made, .shared = shared};
    enum lp_code rc = made == NULL ? lp_fail(err, LP_NOMEM, "no memory for a closure")
                                   : add_subscription(&walk, subject, true, err);

    if (rc == LP_OK)
        rc = add_siblings(&walk, subject, err);
    if (rc == LP_OK) {
        json_object_del(json_object_get(made, "siblings"), subject);
        *closure = lp_json_take(&made);
    }
    return rc;
}

/* ---- desires ---- */

/** The same closure seen from another subject; without: what is left when that one is gone. */
static json_t *
seen_from(const json_t *closure, const char *subject, const char *without)
{
    json_t *view = json_copy((json_t *)(uintptr_t)closure), *map, *entry;
    const char *id;
    void *next;

    lp_json_set_str(view, "subject", subject);
    if (without == NULL)
        return view;
    map = json_copy(json_object_get(closure, "subscriptions"));
    json_object_del(map, without);
    json_object_set_new(view, "subscriptions", map);
    map = json_copy(json_object_get(closure, "blocks"));
    json_object_foreach_safe(map, next, id, entry)
    {
        if (strcmp(lp_json_str(entry, "subscription_id", ""), without) == 0)
            json_object_del(map, id);
    }
    json_object_set_new(view, "blocks", map);
    return view;
}

static enum lp_code
desires(struct lp_run *run, const json_t *closure, const char *subject, const char *without,
        json_t **out, struct lp_err *err)
{
    const json_t *entry = lp_closure_subscription(closure, subject);
    const struct lp_product *product = product_of(run, lp_json_str(entry, "type", ""));
    json_auto_t *view = NULL;

    *out = NULL;
    if (product == NULL || product->desired == NULL)
        return LP_OK;
    view = seen_from(closure, subject, without);
    return product->desired(run->conf, view, out, err);
}

static json_t *
sub_object(json_t *object, const char *key)
{
    json_t *found = json_object_get(object, key);

    if (found == NULL) {
        json_object_set_new(object, key, json_object());
        found = json_object_get(object, key);
    }
    return found;
}

/** {"elements": {id: [intent...]}} into {id: {intent id: intent}}. */
static enum lp_code
by_intent(const json_t *desired, json_t *out, struct lp_err *err)
{
    const char *element;
    json_t *list, *intent;
    size_t i;

    json_object_foreach(json_object_get(desired, "elements"), element, list)
    {
        json_t *map = sub_object(out, element);

        json_array_foreach(list, i, intent)
        {
            const char *id = lp_json_str(intent, "id", NULL);

            if (id == NULL || json_object_get(map, id) != NULL)
                return lp_fail(err, LP_INTERNAL, "intent '%.80s' for element %.64s is there twice",
                               id == NULL ? "without id" : id, element);
            json_object_set(map, id, intent);
        }
    }
    return LP_OK;
}

static enum lp_code
load_mine(struct lp_run *run, struct lp_wanted *wanted, bool gone, struct lp_err *err)
{
    json_auto_t *desired = NULL;
    enum lp_code rc;

    if (gone)
        return LP_OK;
    rc = desires(run, wanted->closure, wanted->subject, NULL, &desired, err);
    return rc == LP_OK ? by_intent(desired, wanted->mine, err) : rc;
}

/** Desires of the siblings: rest = who, others = what. */
static enum lp_code
load_rest(struct lp_run *run, struct lp_wanted *wanted, bool gone, json_t *others,
          struct lp_err *err)
{
    const char *id, *element, *intent;
    json_t *value, *map, *doc;
    enum lp_code rc;

    json_object_foreach(json_object_get(wanted->closure, "siblings"), id, value)
    {
        json_auto_t *desired = NULL;
        json_auto_t *found = json_object();

        rc = desires(run, wanted->closure, id, gone ? wanted->subject : NULL, &desired, err);
        if (rc == LP_OK)
            rc = by_intent(desired, found, err);
        if (rc != LP_OK)
            return lp_err_prefix(err, "sibling %.64s: ", id);
        json_object_foreach(found, element, map) json_object_foreach(map, intent, doc)
        {
            json_object_set_new(sub_object(wanted->rest, element), intent, json_string(id));
            json_object_set(sub_object(others, element), intent, doc);
        }
    }
    return LP_OK;
}

static json_t *
list_of(json_t *elements, const char *element)
{
    json_t *list = json_object_get(elements, element);

    if (list == NULL) {
        json_object_set_new(elements, element, json_array());
        list = json_object_get(elements, element);
    }
    return list;
}

/** Is it held by somebody who does not stand in the closure? What siblings desire is known: one
 * that desired it once does not keep it. */
static enum lp_code
held_elsewhere(struct lp_run *run, const struct lp_wanted *wanted, const char *element,
               const char *intent, bool *held, struct lp_err *err)
{
    const json_t *siblings = json_object_get(wanted->closure, "siblings");
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(run->store, LP_SQL_OBJECT_HOLDERS,
                 LP_ARGS(lp_text("element", element), lp_text("intent", intent)), &rows, err);

    *held = false;
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *id = lp_rows_text(rows, i, "subscription_id");

        *held =
            *held || (strcmp(id, wanted->subject) != 0 && json_object_get(siblings, id) == NULL);
    }
    lp_rows_free(rows);
    return rc;
}

static bool
forced_away(const json_t *state, const char *element)
{
    const json_t *names = json_object_get(json_object_get(state, "force"), "elements");
    size_t i;
    json_t *name;

    if (!lp_forced(state))
        return false;
    if (names == NULL)
        return true;
    json_array_foreach(names, i,
                       name) if (strcmp(json_string_value(name), element) == 0) return true;
    return false;
}

/** One object that is ours and that the subject does not desire (any more): as the rest wants it,
 * or gone. */
static enum lp_code
let_go(struct lp_run *run, const json_t *state, struct lp_wanted *wanted, const json_t *others,
       const struct lp_rows *rows, size_t i, struct lp_err *err)
{
    const char *element = lp_rows_text(rows, i, "element_id");
    const char *intent = lp_rows_text(rows, i, "intent_id"), *text = lp_rows_text(rows, i, "doc");
    json_t *other = json_object_get(json_object_get(others, element), intent), *doc = NULL;
    bool held = false;
    enum lp_code rc = LP_OK;

    if (json_object_get(json_object_get(wanted->mine, element), intent) != NULL)
        return LP_OK;
    json_array_append_new(forced_away(state, element) ? wanted->abandoned : wanted->leaving,
                          json_pack("{s:s, s:s}", "element", element, "intent", intent));
    if (forced_away(state, element))
        return LP_OK;
    if (other != NULL) {
        json_array_append(list_of(wanted->elements, element), other);
        return LP_OK;
    }
    rc = held_elsewhere(run, wanted, element, intent, &held, err);
    if (rc != LP_OK || held)
        return rc;
    rc = lp_json_load(text, strlen(text), &doc, err);
    if (rc == LP_OK) {
        json_object_set_new(doc, "present", json_false());
        if (lp_json_true(state, "make_before_break"))
            json_object_set_new(doc, "retire", json_true());
        json_array_append_new(list_of(wanted->elements, element), doc);
    }
    return rc;
}

static enum lp_code
load_owned(struct lp_run *run, const json_t *state, struct lp_wanted *wanted, const json_t *others,
           struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_OBJECTS_OF,
                               LP_ARGS(lp_text("subscription", wanted->subject)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = let_go(run, state, wanted, others, rows, i, err);
    lp_rows_free(rows);
    return rc;
}

static void
add_mine(struct lp_wanted *wanted)
{
    const char *element, *id;
    json_t *map, *intent;

    json_object_foreach(wanted->mine, element, map) json_object_foreach(map, id, intent)
        json_array_append(list_of(wanted->elements, element), intent);
}

/** The clients of others on lines of ours: a line whose mode changes has to let go of them, and
 * they are connected again behind it. They are context: what they lack is their own affair. */
static enum lp_code
add_connected(struct lp_wanted *wanted, const json_t *others, struct lp_err *err)
{
    const char *element, *id;
    json_t *map, *intent;

    json_object_foreach((json_t *)(uintptr_t)others, element, map)
    {
        json_t *list = json_object_get(wanted->elements, element);

        json_object_foreach(map, id, intent)
        {
            json_t *copy;

            if (list == NULL || strcmp(lp_json_str(intent, "kind", ""), "odu-xc") != 0)
                continue;
            copy = json_copy(intent);
            if (copy == NULL || json_object_set_new(copy, "rest", json_true()) != 0
                || json_array_append(list, copy) != 0) {
                json_decref(copy);
                return lp_fail(err, LP_NOMEM, "no memory for the clients of a line");
            }
            json_decref(copy);
        }
    }
    return LP_OK;
}

bool
lp_is_terminating(const struct lp_run *run)
{
    return run->workflow->target == LP_TARGET_TERMINATE;
}

enum lp_code
lp_wanted_load(struct lp_run *run, const json_t *state, bool gone, struct lp_wanted *out,
               struct lp_err *err)
{
    json_t *others = json_object();
    enum lp_code rc;

    *out = (struct lp_wanted){.elements = json_object(),
                              .mine = json_object(),
                              .leaving = json_array(),
                              .rest = json_object(),
                              .abandoned = json_array()};
    rc = lp_json_get_string(state, "subscription_id", &out->subject, err);
    if (rc == LP_OK)
        rc = lp_closure_load(run, out->subject, &out->closure, err);
    if (rc == LP_OK)
        rc = load_mine(run, out, gone, err);
    if (rc == LP_OK)
        rc = load_rest(run, out, gone, others, err);
    if (rc == LP_OK)
        add_mine(out);
    if (rc == LP_OK)
        rc = load_owned(run, state, out, others, err);
    if (rc == LP_OK)
        rc = add_connected(out, others, err);
    json_decref(others);
    if (rc != LP_OK)
        lp_wanted_free(out);
    return rc;
}

void
lp_wanted_free(struct lp_wanted *wanted)
{
    json_decref(wanted->closure);
    json_decref(wanted->elements);
    json_decref(wanted->mine);
    json_decref(wanted->leaving);
    json_decref(wanted->rest);
    json_decref(wanted->abandoned);
    *wanted = (struct lp_wanted){.subject = NULL};
}

/* ---- elements ---- */

static enum lp_code
element_of(struct lp_run *run, const json_t *closure, const char *id, json_t **doc,
           struct lp_err *err)
{
    const json_t *entry = lp_closure_subscription(closure, id);
    const struct lp_product *product = product_of(run, lp_json_str(entry, "type", ""));

    if (product == NULL || product->element == NULL)
        return lp_fail(err, LP_INVALID, "subscription %.64s (%.80s) is no device", id,
                       lp_json_str(entry, "description", "?"));
    return product->element(run->conf, closure, entry, doc, err);
}

/** The subscription as it will be, with the gateways and the site it will have. */
static enum lp_code
change_entry(struct walk *walk, const char *id, const json_t *changes, struct lp_err *err)
{
    json_t *entry = json_object_get(json_object_get(walk->closure, "subscriptions"), id);
    const struct lp_block_type *type =
        lp_catalog_product(walk->run->catalog, lp_json_str(entry, "type", ""))->root;
    json_auto_t *root = lp_changed_root(json_object_get(entry, "root"), changes);
    json_auto_t *refs = json_object();
    const char *ref;
    json_t *value;
    enum lp_code rc = LP_OK;

    if (root == NULL || json_object_set(entry, "root", root) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", id);
    index_block(walk, type, root, id, refs);
    json_object_foreach(refs, ref, value)
    {
        if (rc == LP_OK)
            rc = add_owner(walk, ref, err);
    }
    return rc;
}

/** Without its ports. */
static enum lp_code
add_device(struct walk *walk, const char *id, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc;

    if (walk->run->dry_run)
        return add_subscription(walk, id, false, err);
    rc = lp_subscription_load_top(walk->run->store, NULL, walk->run->catalog, id, &sub, err);
    if (rc == LP_OK)
        rc = add_loaded(walk, sub, false, err);
    lp_subscription_free(sub);
    return rc;
}

enum lp_code
lp_device_doc_changed(struct lp_run *run, const char *subscription_id, const json_t *changes,
                      json_t **doc, struct lp_err *err)
{
    json_auto_t *closure = json_pack("{s:s, s:{}, s:{}, s:{}}", "subject", subscription_id,
                                     "subscriptions", "blocks", "siblings");
    struct walk walk = {.run = run, .closure = closure};
    enum lp_code rc = add_device(&walk, subscription_id, err);

    if (rc == LP_OK && changes != NULL)
        rc = change_entry(&walk, subscription_id, changes, err);
    return rc == LP_OK ? element_of(run, closure, subscription_id, doc, err) : rc;
}

enum lp_code
lp_device_doc(struct lp_run *run, const char *subscription_id, json_t **doc, struct lp_err *err)
{
    return lp_device_doc_changed(run, subscription_id, NULL, doc, err);
}

enum lp_code
lp_wanted_element(struct lp_run *run, const struct lp_wanted *wanted, const char *id, json_t **doc,
                  struct lp_err *err)
{
    if (lp_closure_subscription(wanted->closure, id) == NULL)
        return lp_device_doc(run, id, doc, err);
    return element_of(run, wanted->closure, id, doc, err);
}
