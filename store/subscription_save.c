/* The change set of a subscription: only rows whose content changed, in an order that never trips
   over itself: owners of newly referenced blocks are touched, the header takes the version, what
   goes is deleted, what comes is inserted, and the guards look last, when the row is held and every
   earlier commit is visible. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/subscription_internal.h"

struct saving {
    struct lp_unit *unit;
    struct lp_subscription *sub;
    const struct lp_save_context *context;
    struct lp_instances before, after;
    const struct lp_instance **old; /* per row of after: the same instance before, or NULL */
    bool *kept;                     /* per row of before: still there */
    bool keys_before, keys_after;   /* unique and indexed values are held (not terminated) */
    char *header;
    int64_t now;
    int64_t version; /* after this save */
    bool together;   /* several blocks are written: their rows are collected below */
    struct lp_buf inserts, updates, pasts;
};

/* ---- what changed ---- */

static bool
same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

static bool
same_instance(const struct lp_instance *a, const struct lp_instance *b)
{
    return strcmp(a->doc, b->doc) == 0 && same_text(a->label, b->label)
           && strcmp(a->parent, b->parent) == 0 && strcmp(a->field, b->field) == 0
           && a->position == b->position && json_equal(a->refs, b->refs);
}

static void
match_instances(struct saving *s)
{
    size_t i, k;

    for (i = 0; i < s->after.count; i++)
        for (k = 0; k < s->before.count; k++)
            if (!s->kept[k] && strcmp(s->after.rows[i].id, s->before.rows[k].id) == 0) {
                s->old[i] = &s->before.rows[k];
                s->kept[k] = true;
                break;
            }
}

/* Is the [a, b] or [a, b, c] tuple in the list (NULL = empty)? */
static bool
has_tuple(const json_t *list, const json_t *tuple)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) if (json_equal(item, tuple)) return true;
    return false;
}

static bool
blocks_changed(const struct saving *s)
{
    size_t i;

    for (i = 0; i < s->after.count; i++)
        if (s->old[i] == NULL || !same_instance(s->old[i], &s->after.rows[i]))
            return true;
    for (i = 0; i < s->before.count; i++)
        if (!s->kept[i])
            return true;
    return false;
}

static size_t
count_written(const struct saving *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->after.count; i++)
        if (s->old[i] == NULL || !same_instance(s->old[i], &s->after.rows[i]))
            count++;
    return count;
}

/* ---- rows of one block ---- */

static const char *
tuple_text(const json_t *tuple, size_t index)
{
    return json_string_value(json_array_get(tuple, index));
}

/* Every tuple of `list` that `other` lacks is handed to fn. */
typedef void tuple_fn(struct saving *s, const struct lp_instance *inst, const json_t *tuple);

static void
each_missing(struct saving *s, const struct lp_instance *inst, const json_t *list,
             const json_t *other, tuple_fn *fn)
{
    const json_t *tuple;
    size_t i;

    json_array_foreach(list, i, tuple) if (!has_tuple(other, tuple)) fn(s, inst, tuple);
}

static void
touch_owner(struct saving *s, const struct lp_instance *inst, const json_t *tuple)
{
    (void)inst;
    lp_unit_add(s->unit, LP_SQL_SUBSCRIPTION_TOUCH_OWNER,
                LP_ARGS(lp_text("to_id", tuple_text(tuple, 2))));
}

static void
ref_add(struct saving *s, const struct lp_instance *inst, const json_t *tuple)
{
    const struct lp_field *field = lp_block_field(inst->type, tuple_text(tuple, 0));

    lp_unit_add(s->unit, LP_SQL_BLOCK_REF_INSERT,
                LP_ARGS(lp_text("from_id", inst->id), lp_text("field", tuple_text(tuple, 0)),
                        lp_int("position", json_integer_value(json_array_get(tuple, 1))),
                        lp_text("to_id", tuple_text(tuple, 2)),
                        lp_text("block", field == NULL ? NULL : field->block)));
}

static void
ref_drop(struct saving *s, const struct lp_instance *inst, const json_t *tuple)
{
    lp_unit_add(s->unit, LP_SQL_BLOCK_REF_DELETE,
                LP_ARGS(lp_text("from_id", inst->id), lp_text("field", tuple_text(tuple, 0)),
                        lp_int("position", json_integer_value(json_array_get(tuple, 1)))));
}

static void
key_add(struct saving *s, const struct lp_instance *inst, const json_t *tuple)
{
    lp_unit_add(s->unit, LP_SQL_BLOCK_KEY_INSERT,
                LP_ARGS(lp_text("scope", tuple_text(tuple, 0)),
                        lp_text("value", tuple_text(tuple, 1)), lp_text("instance_id", inst->id),
                        lp_text("subscription_id", s->sub->id)));
}

static void
key_drop(struct saving *s, const struct lp_instance *inst, const json_t *tuple)
{
    lp_unit_add(s->unit, LP_SQL_BLOCK_KEY_DELETE,
                LP_ARGS(lp_text("scope", tuple_text(tuple, 0)),
                        lp_text("value", tuple_text(tuple, 1)), lp_text("instance_id", inst->id)));
}

static void
value_add(struct saving *s, const struct lp_instance *inst, const json_t *tuple)
{
    lp_unit_add(s->unit, LP_SQL_BLOCK_VALUE_INSERT,
                LP_ARGS(lp_text("name", tuple_text(tuple, 0)),
                        lp_text("value", tuple_text(tuple, 1)), lp_text("instance_id", inst->id),
                        lp_text("subscription_id", s->sub->id)));
}

static void
value_drop(struct saving *s, const struct lp_instance *inst, const json_t *tuple)
{
    lp_unit_add(s->unit, LP_SQL_BLOCK_VALUE_DELETE,
                LP_ARGS(lp_text("name", tuple_text(tuple, 0)),
                        lp_text("value", tuple_text(tuple, 1)), lp_text("instance_id", inst->id),
                        lp_text("subscription_id", s->sub->id)));
}

static const json_t *
held(bool holds, const struct lp_instance *inst, bool unique)
{
    if (!holds || inst == NULL)
        return NULL;
    return unique ? inst->unique : inst->indexed;
}

/* Links and values of one instance that are gone; `now` NULL when the instance is. */
static void
drop_links(struct saving *s, const struct lp_instance *was, const struct lp_instance *now)
{
    each_missing(s, was, was->refs, now == NULL ? NULL : now->refs, ref_drop);
    each_missing(s, was, held(s->keys_before, was, true), held(s->keys_after, now, true), key_drop);
    each_missing(s, was, held(s->keys_before, was, false), held(s->keys_after, now, false),
                 value_drop);
}

static void
add_links(struct saving *s, const struct lp_instance *was, const struct lp_instance *now)
{
    each_missing(s, now, now->refs, was == NULL ? NULL : was->refs, ref_add);
    each_missing(s, now, held(s->keys_after, now, true), held(s->keys_before, was, true), key_add);
    each_missing(s, now, held(s->keys_after, now, false), held(s->keys_before, was, false),
                 value_add);
}

/* What block_history keeps of an instance behind its document, which comes first. */
static void
add_rest(struct lp_buf *buf, const struct lp_instance *inst)
{
    json_auto_t *label = inst->label == NULL ? json_null() : json_string(inst->label);
    json_auto_t *field = json_string(inst->field);

    lp_buf_str(buf, ",\"field\":");
    lp_buf_json(buf, field);
    lp_buf_str(buf, ",\"label\":");
    lp_buf_json(buf, label);
    lp_buf_printf(buf, ",\"parent\":\"%s\",\"position\":%lld,\"refs\":", inst->parent,
                  (long long)inst->position);
    lp_buf_json(buf, inst->refs);
    lp_buf_char(buf, '}');
}

/* All of it: canonical JSON of all the instance is. */
static char *
history_text(const struct lp_instance *inst)
{
    struct lp_buf buf = LP_BUF_INIT;

    lp_buf_printf(&buf, "{\"doc\":%s", inst->doc);
    add_rest(&buf, inst);
    return lp_buf_take(&buf);
}

static void
add_member(struct lp_buf *buf, const char *name, const char *text)
{
    lp_buf_printf(buf, "\"%s\":", name);
    if (text == NULL)
        lp_buf_str(buf, "null,");
    else {
        lp_buf_json_string(buf, text, strlen(text));
        lp_buf_char(buf, ',');
    }
}

/* One more row for the statement that writes several: {"instance id":{...},... */
static void
collect(struct saving *s, const struct lp_instance *inst, bool is_new)
{
    struct lp_buf *buf = is_new ? &s->inserts : &s->updates, rest = LP_BUF_INIT;

    lp_buf_printf(buf, "%s\"%s\":{", buf->len == 0 ? "{" : ",", inst->id);
    if (is_new)
        add_member(buf, "block", inst->type->name);
    add_member(buf, "parent", *inst->parent == '\0' ? NULL : inst->parent);
    add_member(buf, "field", inst->field);
    add_member(buf, "label", inst->label);
    add_member(buf, "doc", inst->doc);
    lp_buf_printf(buf, "\"position\":%lld}", (long long)inst->position);
    add_rest(&rest, inst);
    lp_buf_printf(&s->pasts, "%s\"%s\":{\"rest\":", s->pasts.len == 0 ? "{" : ",", inst->id);
    lp_buf_json_string(&s->pasts, rest.data == NULL ? "" : rest.data, rest.len);
    lp_buf_char(&s->pasts, '}');
    s->pasts.failed = s->pasts.failed || rest.failed;
    lp_buf_free(&rest);
}

static const char *
rows_of(struct lp_buf *buf)
{
    lp_buf_char(buf, '}');
    return buf->failed ? NULL : buf->data;
}

static enum lp_code
write_collected(struct saving *s, struct lp_err *err)
{
    static const enum lp_stmt stmts[] = {LP_SQL_BLOCK_INSERTS, LP_SQL_BLOCK_UPDATES};
    struct lp_buf *const rows[] = {&s->inserts, &s->updates};
    const char *text = "";

    for (size_t i = 0; i < LP_COUNT(rows) && text != NULL; i++)
        if (rows[i]->len > 0 && (text = rows_of(rows[i])) != NULL)
            lp_unit_add(s->unit, stmts[i],
                        LP_ARGS(lp_text("subscription_id", s->sub->id), lp_text("rows", text)));
    if (text != NULL && s->pasts.len > 0 && (text = rows_of(&s->pasts)) != NULL)
        lp_unit_add(s->unit, LP_SQL_BLOCK_HISTORY_ADDS,
                    LP_ARGS(lp_int("subscription_version", s->version),
                            lp_text("process_id", s->context->process_id),
                            lp_text("actor", s->context->actor), lp_int("at", s->now),
                            lp_text("rows", text)));
    return text == NULL ? lp_fail(err, LP_NOMEM, "no memory for subscription %s", s->sub->id)
                        : LP_OK;
}

static enum lp_code
block_write(struct saving *s, const struct lp_instance *inst, enum lp_stmt stmt, struct lp_err *err)
{
    char *text;

    if (s->together) {
        collect(s, inst, stmt == LP_SQL_BLOCK_INSERT);
        return LP_OK;
    }
    text = history_text(inst);
    if (text == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", s->sub->id);
    const struct lp_arg args[] = {
        lp_text("instance_id", inst->id),
        lp_text("subscription_id", s->sub->id),
        lp_text("parent_id", *inst->parent == '\0' ? NULL : inst->parent),
        lp_text("field", inst->field),
        lp_int("position", inst->position),
        lp_text("label", inst->label),
        lp_text("doc", inst->doc),
        lp_text("block", inst->type->name),
    };
    /* the block type of an instance never changes: an update has no such argument */
    lp_unit_add(s->unit, stmt, args,
                stmt == LP_SQL_BLOCK_INSERT ? LP_COUNT(args) : LP_COUNT(args) - 1);
    lp_unit_add(s->unit, LP_SQL_BLOCK_HISTORY_ADD,
                LP_ARGS(lp_text("instance_id", inst->id),
                        lp_int("subscription_version", s->version), lp_text("doc", text),
                        lp_text("process_id", s->context->process_id),
                        lp_text("actor", s->context->actor), lp_int("at", s->now)));
    free(text);
    return LP_OK;
}

static void
history_end(struct saving *s, const struct lp_instance *inst)
{
    lp_unit_add(s->unit, LP_SQL_BLOCK_HISTORY_REMOVE,
                LP_ARGS(lp_text("instance_id", inst->id),
                        lp_int("subscription_version", s->version),
                        lp_text("process_id", s->context->process_id),
                        lp_text("actor", s->context->actor), lp_int("at", s->now)));
}

static void
block_remove(struct saving *s, const struct lp_instance *inst)
{
    history_end(s, inst);
    lp_unit_add(s->unit, LP_SQL_BLOCK_DELETE,
                LP_ARGS(lp_text("instance_id", inst->id), lp_text("subscription_id", s->sub->id)));
}

/* ---- header and guards ---- */

static struct lp_arg
date_arg(const char *name, int64_t utc_us)
{
    return utc_us == 0 ? lp_null(name) : lp_int(name, utc_us);
}

static void
write_header(struct saving *s)
{
    const struct lp_subscription *sub = s->sub;
    const struct lp_arg args[] = {
        lp_text("id", sub->id),
        lp_text("product_id", sub->product->id.text),
        lp_text("product", sub->product->name),
        lp_text("customer", sub->customer_id),
        lp_text("description", sub->description),
        lp_text("status", lp_lifecycle_name(sub->status)),
        lp_int("insync", sub->insync),
        date_arg("start_date", sub->start_date),
        date_arg("end_date", sub->end_date),
        lp_text("note", sub->note),
        lp_int("at", s->now),
        lp_int("version", sub->version), /* an insert starts at 1 by itself */
    };

    if (sub->version == 0)
        lp_unit_add(s->unit, LP_SQL_SUBSCRIPTION_INSERT, args, LP_COUNT(args) - 1);
    else
        lp_unit_add(s->unit, LP_SQL_SUBSCRIPTION_UPDATE, args, LP_COUNT(args));
}

/* Statuses a direct user may have while this one goes to its new status (engine-semantics 1.5). */
static void
write_guards(struct saving *s)
{
    static const char *const names[LP_LC_COUNT] = {"p0", "p1", "p2", "p3", "p4", "p5"};
    const struct lp_subscription *sub = s->sub;
    struct lp_arg args[LP_LC_COUNT + 1];
    const char *last = "";
    size_t i;

    if (sub->version == 0 || sub->status == sub->stored_status)
        return;
    for (i = 0; i < LP_LC_COUNT; i++) {
        if (lp_lifecycle_user_permits(sub->status, (enum lp_lifecycle)i))
            last = lp_lifecycle_name((enum lp_lifecycle)i);
        args[i] = lp_text(names[i], last); /* a status not permitted repeats the one before */
    }
    args[LP_LC_COUNT] = lp_text("id", sub->id);
    lp_unit_add(s->unit, LP_SQL_SUBSCRIPTION_GUARD_USERS, args, LP_COUNT(args));
    if (sub->status == LP_LC_TERMINATED)
        lp_unit_add(s->unit, LP_SQL_SUBSCRIPTION_GUARD_CUSTOMERS, LP_ARGS(lp_text("id", sub->id)));
}

/* ---- the whole ---- */

static enum lp_code
write_blocks(struct saving *s, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    size_t i;

    for (i = s->before.count; i > 0; i--) /* children before parents */
        if (!s->kept[i - 1])
            block_remove(s, &s->before.rows[i - 1]);
    for (i = 0; i < s->after.count && rc == LP_OK; i++) {
        if (s->old[i] == NULL)
            rc = block_write(s, &s->after.rows[i], LP_SQL_BLOCK_INSERT, err);
        else if (!same_instance(s->old[i], &s->after.rows[i]))
            rc = block_write(s, &s->after.rows[i], LP_SQL_BLOCK_UPDATE, err);
    }
    return rc;
}

static enum lp_code
write_changes(struct saving *s, struct lp_err *err)
{
    enum lp_code rc;
    size_t i;

    for (i = 0; i < s->after.count; i++)
        each_missing(s, &s->after.rows[i], s->after.rows[i].refs,
                     s->old[i] == NULL ? NULL : s->old[i]->refs, touch_owner);
    write_header(s);
    for (i = 0; i < s->before.count; i++)
        if (!s->kept[i])
            drop_links(s, &s->before.rows[i], NULL);
    for (i = 0; i < s->after.count; i++)
        if (s->old[i] != NULL)
            drop_links(s, s->old[i], &s->after.rows[i]);
    s->together = count_written(s) > 1;
    rc = write_blocks(s, err);
    if (rc == LP_OK)
        rc = write_collected(s, err);
    if (rc != LP_OK)
        return rc;
    for (i = 0; i < s->after.count; i++)
        add_links(s, s->old[i], &s->after.rows[i]);
    write_guards(s);
    lp_unit_add(s->unit, LP_SQL_SUBSCRIPTION_HISTORY_ADD,
                LP_ARGS(lp_text("id", s->sub->id), lp_int("version", s->version),
                        lp_text("doc", s->header), lp_text("process_id", s->context->process_id),
                        lp_text("actor", s->context->actor), lp_int("at", s->now)));
    return LP_OK;
}

/* Locking, unlocking and notes leave the document alone: nothing of it is looked at, so that a
   subscription whose stored document has become invalid can still be locked, compared and repaired.
 */
static bool
only_header(const struct lp_subscription *sub)
{
    return sub->version > 0 && sub->status == sub->stored_status
           && lp_json_same(sub->root, sub->stored);
}

static enum lp_code
prepare(struct saving *s, const struct lp_catalog *catalog, struct lp_err *err)
{
    struct lp_subscription *sub = s->sub;
    enum lp_code rc = lp_subscription_header_text(sub, &s->header, err);

    if (rc != LP_OK || only_header(sub))
        return rc;
    rc = lp_model_validate(catalog, sub->product, sub->root, sub->status, err);
    if (rc == LP_OK)
        rc = lp_model_split(catalog, sub->product, sub->root, &s->after, err);
    if (rc == LP_OK && sub->stored != NULL)
        rc = lp_model_split(catalog, sub->product, sub->stored, &s->before, err);
    if (rc != LP_OK)
        return rc;
    s->old = calloc(s->after.count + 1, sizeof *s->old);
    s->kept = calloc(s->before.count + 1, sizeof *s->kept);
    if (s->old == NULL || s->kept == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    match_instances(s);
    s->keys_before = sub->version > 0 && sub->stored_status != LP_LC_TERMINATED;
    s->keys_after = sub->status != LP_LC_TERMINATED;
    return LP_OK;
}

/* What was queued is what a further save of the same object starts from. */
static enum lp_code
settle(struct saving *s, struct lp_err *err)
{
    struct lp_subscription *sub = s->sub;
    json_t *copy = json_deep_copy(sub->root);

    if (copy == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    json_decref(sub->stored);
    sub->stored = copy;
    free(sub->stored_header);
    sub->stored_header = s->header;
    s->header = NULL;
    sub->stored_status = sub->status;
    if (sub->version == 0)
        sub->created_at = s->now;
    sub->modified_at = s->now;
    sub->version = s->version;
    return LP_OK;
}

static bool
anything_changed(const struct saving *s)
{
    const struct lp_subscription *sub = s->sub;

    return sub->version == 0 || strcmp(s->header, sub->stored_header) != 0 || blocks_changed(s);
}

enum lp_code
lp_subscription_save(struct lp_unit *unit, struct lp_subscription *sub,
                     const struct lp_catalog *catalog, const struct lp_save_context *context,
                     bool *changed, struct lp_err *err)
{
    struct saving s = {.unit = unit, .sub = sub, .context = context};
    enum lp_code rc;

    if (changed != NULL)
        *changed = false;
    if (sub->part || (sub->version > 0 && sub->stored == NULL))
        return lp_fail(err, LP_INTERNAL, "subscription %s was loaded in part, for reading",
                       sub->id);
    s.now = lp_clock_utc_us(context->clock);
    s.version = sub->version + 1;
    rc = prepare(&s, catalog, err);
    if (rc == LP_OK && anything_changed(&s)) {
        rc = write_changes(&s, err);
        if (rc == LP_OK)
            rc = settle(&s, err);
        if (changed != NULL)
            *changed = rc == LP_OK;
    }
    lp_instances_free(&s.before);
    lp_instances_free(&s.after);
    free(s.old);
    free(s.kept);
    free(s.header);
    lp_buf_free(&s.inserts);
    lp_buf_free(&s.updates);
    lp_buf_free(&s.pasts);
    return rc;
}

/* ---- blocks that go to another subscription ---- */

static enum lp_code
give_block(struct lp_unit *unit, const struct lp_instance *inst, const char *parent,
           const struct lp_subscription *from, const struct lp_subscription *to,
           const struct lp_save_context *context, struct lp_err *err)
{
    struct saving gone = {.unit = unit,
                          .sub = (struct lp_subscription *)(uintptr_t)from,
                          .context = context,
                          .now = lp_clock_utc_us(context->clock),
                          .version = from->version + 1};
    struct lp_instance taken = *inst;
    char *text;

    if (parent != NULL)
        (void)snprintf(taken.parent, sizeof taken.parent, "%s", parent);
    text = history_text(&taken);
    if (text == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", to->id);
    history_end(&gone, inst);
    lp_unit_add(unit, LP_SQL_BLOCK_GIVE,
                LP_ARGS(lp_text("giver", from->id), lp_text("taker", to->id),
                        lp_text("parent_id", parent), lp_text("instance_id", inst->id)));
    lp_unit_add(unit, LP_SQL_BLOCK_GIVE_KEYS,
                LP_ARGS(lp_text("giver", from->id), lp_text("taker", to->id),
                        lp_text("instance_id", inst->id)));
    lp_unit_add(unit, LP_SQL_BLOCK_GIVE_VALUES,
                LP_ARGS(lp_text("giver", from->id), lp_text("taker", to->id),
                        lp_text("instance_id", inst->id)));
    lp_unit_add(unit, LP_SQL_BLOCK_HISTORY_ADD,
                LP_ARGS(lp_text("instance_id", inst->id),
                        lp_int("subscription_version", to->version + 1), lp_text("doc", text),
                        lp_text("process_id", context->process_id),
                        lp_text("actor", context->actor), lp_int("at", gone.now)));
    free(text);
    return LP_OK;
}

/* Instance ids of a list of blocks, as references to them. */
static json_t *
references_to(const json_t *blocks)
{
    json_t *ids = json_array();
    const json_t *block;
    size_t i;

    json_array_foreach(blocks, i, block)
        json_array_append(ids, json_object_get(block, "subscription_instance_id"));
    return ids;
}

/* The documents as they are now, and as they are taken to be stored: what was given is no change
 * any more when they are saved. */
static enum lp_code
move_members(struct lp_subscription *from, struct lp_subscription *to, const char *field,
             const char *ref_field, struct lp_err *err)
{
    json_t *blocks = json_object_get(from->stored, field);
    int failed = json_object_set_new(from->root, ref_field, references_to(blocks));

    failed |= json_object_set_new(to->root, field, json_deep_copy(blocks));
    failed |= json_object_set_new(to->stored, field, json_deep_copy(blocks));
    (void)json_object_del(to->root, ref_field);
    (void)json_object_del(from->root, field);
    (void)json_object_del(from->stored, field);
    return failed != 0 ? lp_fail(err, LP_NOMEM, "no memory for subscription %s", to->id) : LP_OK;
}

enum lp_code
lp_subscription_give(struct lp_unit *unit, struct lp_subscription *from, struct lp_subscription *to,
                     const char *field, const char *ref_field, const struct lp_catalog *catalog,
                     const struct lp_save_context *context, struct lp_err *err)
{
    const char *from_root = lp_json_str(from->stored, "subscription_instance_id", "");
    const char *to_root = lp_json_str(to->stored, "subscription_instance_id", "");
    json_auto_t *given = references_to(json_object_get(from->stored, field));
    const json_t *used = json_object_get(to->stored, ref_field);
    struct lp_instances all = {.rows = NULL};
    json_auto_t *inside = json_object();
    enum lp_code rc;

    if (json_array_size(given) == 0 || !json_equal(given, used))
        return lp_fail(err, LP_PRECONDITION, "subscription %s does not use what %s is to give it",
                       to->id, from->id);
    rc = lp_model_split(catalog, from->product, from->stored, &all, err);
    for (size_t i = 0; i < all.count && rc == LP_OK; i++) { /* parents stand before children */
        const struct lp_instance *inst = &all.rows[i];
        bool top = strcmp(inst->parent, from_root) == 0 && strcmp(inst->field, field) == 0;

        if (!top && json_object_get(inside, inst->parent) == NULL)
            continue;
        (void)json_object_set_new(inside, inst->id, json_true());
        rc = give_block(unit, inst, top ? to_root : NULL, from, to, context, err);
    }
    lp_instances_free(&all);
    return rc == LP_OK ? move_members(from, to, field, ref_field, err) : rc;
}

enum lp_code
lp_import_row_add(struct lp_unit *unit, const char *source, const char *key, const json_t *doc,
                  const char *process_id, int64_t imported_at, int64_t keep, struct lp_err *err)
{
    char *text = NULL;
    size_t len;
    enum lp_code rc = lp_json_canonical(doc, &text, &len, err);

    if (rc != LP_OK)
        return rc;
    lp_unit_add(unit, LP_SQL_IMPORT_ROW_ADD,
                LP_ARGS(lp_text("source", source), lp_text("key", key),
                        lp_int("imported_at", imported_at), lp_text("doc", text),
                        lp_text("process_id", process_id)));
    lp_unit_add(unit, LP_SQL_IMPORT_ROWS_PRUNE,
                LP_ARGS(lp_text("source", source), lp_text("key", key), lp_int("keep", keep)));
    free(text);
    return LP_OK;
}
