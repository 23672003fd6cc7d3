/* The planner that both platforms share: wishes for objects, differences, the way through "out of
 * service". */
#include <string.h>

#include "clients/infinera/rest/rest.h"

/* ---- what the element says ---- */

enum lp_code
ir_ask(struct ir_planner *p, const char *path, const struct lp_restconf_query *query,
       const json_t **out)
{
    const char *key =
        lp_arena_printf(p->arena, "%s %d %u", path, (int)query->content, query->depth);
    const json_t *known = key != NULL ? json_object_get(p->answers, key) : NULL;
    json_t *answer = NULL;
    enum lp_code rc;

    *out = NULL;
    if (key == NULL)
        return lp_fail(p->err, LP_NOMEM, "no memory for a plan");
    if (known == NULL) {
        rc = p->source->get(p->source->ctx, path, query, &answer, p->err);
        if (rc != LP_OK)
            return rc;
        if (json_object_set_new(p->answers, key, answer != NULL ? answer : json_null()) != 0)
            return lp_fail(p->err, LP_NOMEM, "no memory for a plan");
        known = json_object_get(p->answers, key);
    }
    *out = json_is_null(known) ? NULL : known;
    return LP_OK;
}

static enum lp_code
ask_again(void *ctx, const char *path, const struct lp_restconf_query *query, json_t **out,
          struct lp_err *err)
{
    struct ir_planner *p = ctx;
    const json_t *known = NULL;
    enum lp_code rc = ir_ask(p, path, query, &known);

    (void)err; /* the planner's */
    *out = json_incref((json_t *)(uintptr_t)known);
    return rc;
}

static enum lp_code
pass_on(void *ctx, const char *rpc, json_t *input, json_t **out, struct lp_err *err)
{
    struct ir_planner *p = ctx;

    return p->source->rpc(p->source->ctx, rpc, input, out, err);
}

void
ir_planner_source(struct ir_planner *p, struct ir_source *out)
{
    *out = (struct ir_source){p, p->source->name, ask_again, pass_on};
}

enum lp_code
ir_get(struct ir_planner *p, const char *reference, const json_t **out)
{
    const json_t *known = json_object_get(p->state, reference);
    struct ir_source again;
    json_t *object = NULL;
    enum lp_code rc;

    *out = NULL;
    if (known == NULL) {
        ir_planner_source(p, &again);
        rc = ir_read(p->platform, &again, p->arena, reference, &object, p->err);
        if (rc != LP_OK)
            return rc;
        if (json_object_set_new(p->state, reference, object != NULL ? object : json_null()) != 0)
            return lp_fail(p->err, LP_NOMEM, "no memory for a plan");
        known = json_object_get(p->state, reference);
    }
    *out = json_is_null(known) ? NULL : known;
    return LP_OK;
}

/* ---- wishes ---- */

enum lp_code
ir_bad_intent(struct ir_planner *p, const json_t *intent, enum lp_code code, const char *why)
{
    return lp_fail(p->err, code, "intent %s for %s: %s", lp_json_str(intent, "id", "?"),
                   p->source->name, why);
}

enum lp_code
ir_set_label(struct ir_planner *p, const json_t *intent, const char *leaf, json_t *attrs)
{
    const char *label = lp_json_str(intent, "label", NULL);

    if (label == NULL)
        return LP_OK;
    for (const char *at = label; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return ir_bad_intent(p, intent, LP_INVALID, "a label may hold no control characters");
    }
    (void)lp_json_set_str(attrs, leaf, label);
    return LP_OK;
}

static enum lp_code
merge_wish(struct ir_planner *p, const json_t *intent, const char *reference, const json_t *entry,
           json_t *attrs)
{
    json_t *held = json_object_get(entry, "attrs"), *value;
    const char *name;

    json_object_foreach(attrs, name, value)
    {
        const json_t *other = json_object_get(held, name);

        if (other != NULL && !ir_same(other, value))
            return lp_fail(p->err, LP_INVALID, "intents %s and %s want %s of %s differently",
                           lp_json_str(entry, "intent", ""), lp_json_str(intent, "id", ""), name,
                           reference);
        (void)json_object_set(held, name, value);
    }
    return LP_OK;
}

enum lp_code
ir_wish(struct ir_planner *p, const json_t *intent, const char *reference, json_t *attrs)
{
    const char *id = lp_json_str(intent, "id", "");
    bool present = lp_json_true(intent, "present");
    const json_t *entry = json_object_get(p->wishes, reference);
    enum lp_code rc = LP_OK;

    if (entry == NULL || (present && !lp_json_true(entry, "present"))) {
        json_t *made =
            json_pack("{s:s, s:b, s:o}", "intent", id, "present", (int)present, "attrs", attrs);

        return json_object_set_new(p->wishes, reference, made) == 0
                   ? LP_OK
                   : lp_fail(p->err, LP_NOMEM, "no memory for a plan");
    }
    if (present || !lp_json_true(entry, "present")) /* else somebody still wants the object */
        rc = merge_wish(p, intent, reference, entry, attrs);
    json_decref(attrs);
    return rc;
}

enum lp_code
ir_keep(struct ir_planner *p, const char *reference, const struct ir_kept *kept, size_t count,
        json_t *attrs)
{
    const char *name;
    const struct ir_class *class =
        ir_class_find(p->platform, ir_cut(p->arena, reference, ':', &name));
    const json_t *actual = NULL;
    enum lp_code rc = ir_get(p, reference, &actual);

    for (size_t i = 0; rc == LP_OK && class != NULL && i < count; i++) {
        const json_t *is = json_object_get(actual, kept[i].name);
        const struct ir_leaf *leaf = ir_leaf_find(class, kept[i].name);
        json_auto_t *text = json_string(kept[i].value), *value = NULL;

        if (is == NULL || leaf == NULL)
            continue;
        value = ir_normal(leaf, text);
        if (!ir_same(value, is))
            (void)json_object_set(attrs, kept[i].name, value);
    }
    return rc;
}

const json_t *
ir_wished(const struct ir_planner *p, const char *reference)
{
    return json_object_get(p->wishes, reference);
}

enum lp_code
ir_is_cabled(struct ir_planner *p, const char *port, bool *out)
{
    const json_t *actual = NULL;
    enum lp_code rc = ir_get(p, ir_ref(p->arena, "port", port), &actual);
    json_t *intent;
    size_t i;

    *out = lp_json_str(actual, "connected-to", "")[0] != '\0';
    json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
    {
        if (strcmp(lp_json_str(intent, "kind", ""), "fiber-end") == 0
            && strcmp(lp_json_str(intent, "port", ""), port) == 0)
            *out = lp_json_true(intent, "present");
    }
    return rc;
}

/* ---- from what is to what is wanted ---- */

static bool
is_guarded(const struct ir_class *class, const char *name)
{
    const struct ir_leaf *leaf = ir_leaf_find(class, name);

    return leaf != NULL && (leaf->flags & IR_GUARDED) != 0;
}

static bool
touches_traffic(const struct ir_class *class, const json_t *values)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)values, name, value)
    {
        const struct ir_leaf *leaf = ir_leaf_find(class, name);

        if (leaf != NULL && (leaf->flags & (IR_TRAFFIC | IR_GUARDED)) != 0)
            return true;
    }
    return false;
}

/* Splits what differs; the admin state is among the plain ones. */
static void
differences(const struct ir_class *class, const json_t *wanted, const json_t *actual,
            json_t *guarded, json_t *plain)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
    {
        if (!ir_same(value, json_object_get(actual, name)))
            (void)json_object_set(is_guarded(class, name) ? guarded : plain, name, value);
    }
}

bool
ir_needs_oos(const struct ir_class *class, const json_t *wanted, const json_t *actual)
{
    json_auto_t *guarded = json_object(), *plain = json_object();

    differences(class, wanted, actual, guarded, plain);
    return json_object_size(guarded) > 0;
}

static enum lp_code
set_values(struct ir_planner *p, const struct ir_op *like, const struct ir_class *class,
           const json_t *values, unsigned flags)
{
    json_auto_t *before = NULL;
    const json_t *actual = NULL;
    struct ir_op op = *like;
    enum lp_code rc;

    if (json_object_size(values) == 0)
        return LP_OK;
    rc = ir_get(p, like->object, &actual);
    if (rc != LP_OK)
        return rc;
    before = ir_slice(actual, values);
    op.action = "set";
    op.before = before;
    op.after = values;
    op.flags = flags | (touches_traffic(class, values) ? LP_OP_TRAFFIC : 0);
    return ir_add(p, &op);
}

static enum lp_code
take_down(struct ir_planner *p, const struct ir_op *like, const struct ir_class *class)
{
    json_auto_t *down = json_pack("{s:s}", class->admin, class->down);
    struct ir_op op = *like;

    op.purpose = "before the change";
    op.restore = NULL;
    return set_values(p, &op, class, down, LP_OP_TRAFFIC);
}

/* Back to where it was, when nobody says where it should be. */
static void
come_back(const struct ir_class *class, const json_t *was, const json_t *wanted, json_t *plain)
{
    const char *admin = lp_json_str(was, class->admin, class->down);

    if (json_object_get(wanted, class->admin) == NULL && strcmp(admin, class->down) != 0)
        (void)lp_json_set_str(plain, class->admin, admin);
}

enum lp_code
ir_edit(struct ir_planner *p, const struct ir_op *like, const json_t *wanted)
{
    json_auto_t *guarded = json_object(), *plain = json_object(), *was = NULL;
    const char *name = NULL, *prefix = ir_cut(p->arena, like->object, ':', &name);
    const struct ir_class *class = ir_class_find(p->platform, prefix);
    const json_t *actual = NULL;
    struct ir_op op = *like;
    enum lp_code rc = ir_get(p, like->object, &actual);

    if (rc != LP_OK)
        return rc;
    if (actual == NULL || class == NULL)
        return lp_fail(p->err, LP_NOT_FOUND, "%s has no %s", p->source->name, like->object);
    was = json_deep_copy(actual);
    differences(class, wanted, was, guarded, plain);
    if (json_object_size(guarded) > 0 && class->admin != NULL) {
        if (strcmp(lp_json_str(was, class->admin, ""), class->down) != 0)
            rc = take_down(p, like, class);
        if (rc == LP_OK)
            rc = set_values(p, like, class, guarded, like->flags | LP_OP_NEEDS_OOS);
        (void)json_object_clear(plain);
        (void)json_object_clear(guarded);
        if (rc == LP_OK)
            rc = ir_get(p, like->object, &actual);
        if (rc == LP_OK)
            differences(class, wanted, actual, guarded, plain);
        come_back(class, was, wanted, plain);
    }
    op.restore = json_object_size(plain) > 0 ? like->restore : NULL;
    return rc == LP_OK ? set_values(p, &op, class, plain, like->flags) : rc;
}

enum lp_code
ir_write_later(struct ir_planner *p, const struct ir_op *like, const json_t *wanted)
{
    struct ir_op op = *like;

    op.action = "set";
    op.before = NULL;
    op.after = wanted;
    return ir_add(p, &op);
}

/* ---- the whole ---- */

static enum lp_code
check_intents(struct ir_planner *p)
{
    json_t *intent;
    size_t i;

    if (!json_is_array(p->intents))
        return lp_fail(p->err, LP_INVALID, "intents are an array");
    json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
    {
        if (lp_json_str(intent, "id", "")[0] == '\0')
            return lp_fail(p->err, LP_INVALID, "intent %zu for %s has no id", i, p->source->name);
        if (!json_is_boolean(json_object_get(intent, "present")))
            return ir_bad_intent(p, intent, LP_INVALID, "'present' is true or false");
        if (!p->platform->knows(lp_json_str(intent, "kind", "")))
            return ir_bad_intent(p, intent, LP_UNSUPPORTED, p->platform->speaks);
    }
    return LP_OK;
}

enum lp_code
ir_plan(const struct ir_platform *platform, const struct ir_source *source, struct lp_arena *arena,
        const json_t *intents, bool take_over, json_t **out, struct lp_err *err)
{
    json_auto_t *ops = json_array(), *state = json_object(), *wishes = json_object(),
                *answers = json_object();
    struct ir_planner p = {.platform = platform,
                           .source = source,
                           .arena = arena,
                           .intents = intents,
                           .take_over = take_over,
                           .ops = ops,
                           .state = state,
                           .wishes = wishes,
                           .answers = answers,
                           .err = err};
    enum lp_code rc = check_intents(&p);

    if (rc == LP_OK)
        rc = platform->plan(&p);
    if (rc == LP_OK && platform->software != NULL)
        rc = ir_plan_software(&p);
    if (rc != LP_OK)
        return rc;
    *out = lp_ops_sorted(ops);
    return LP_OK;
}
