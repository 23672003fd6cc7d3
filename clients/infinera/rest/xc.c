/* Intents odu-xc: a client has at most one cross-connect, "xc:<client>". */
#include <string.h>

#include "clients/infinera/rest/rest.h"

struct xc {
    struct ir_planner *p;
    const struct ir_xc_rules *rules;
    const json_t *intent, *moving;
    const char *client;
    struct ir_op like;
};

/* What may be changed without making it anew. */
static bool
is_name(const char *attribute)
{
    return strcmp(attribute, "label") == 0 || strcmp(attribute, "circuit_id_suffix") == 0;
}

/* Splits what is wanted into its nature and its names. */
static void
split(const json_t *wanted, json_t *nature, json_t *names)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)(void)
        json_object_set(is_name(name) ? names : nature, name, value);
}

static enum lp_code
rename_xc(struct xc *x, const json_t *actual, const json_t *names)
{
    json_auto_t *before = NULL;
    struct ir_op op = x->like;

    if (ir_holds(names, actual))
        return LP_OK;
    before = ir_slice(actual, names);
    op.phase = LP_PHASE_CONNECT;
    op.action = "set";
    op.before = before;
    op.after = names;
    return ir_add(x->p, &op);
}

static enum lp_code
take_away(struct xc *x, const json_t *actual)
{
    json_auto_t *before = json_deep_copy(actual), *restore = json_deep_copy(actual);
    struct ir_op op = x->like;

    if (strcmp(lp_json_str(actual, "managed_by", "user"), "user") != 0)
        return lp_fail(x->p->err, LP_CONFLICT, "%s: the cross-connect of %s is the element's own",
                       x->p->source->name, x->client);
    op.phase = LP_PHASE_REMOVE;
    op.action = "delete";
    op.before = before;
    (void)json_object_del(restore, "name"); /* the element chooses another one, as it happens */
    op.restore = restore;
    op.flags = LP_OP_TRAFFIC;
    op.text = lp_arena_printf(x->p->arena, "disconnect client %s from line %s", x->client,
                              lp_json_str(actual, "line", "?"));
    return ir_add(x->p, &op);
}

enum lp_code
ir_xc_remove(struct ir_planner *p, const char *client, const char *intent)
{
    struct xc x = {.p = p, .client = client};
    const json_t *actual = NULL;
    enum lp_code rc;

    x.like = (struct ir_op){.object = ir_ref(p->arena, "xc", client), .intent = intent};
    rc = ir_get(p, x.like.object, &actual);
    return rc == LP_OK && actual != NULL ? take_away(&x, actual) : rc;
}

static enum lp_code
connect(struct xc *x, const json_t *wanted)
{
    const char *slots = lp_json_str(x->intent, "slots", NULL);
    json_auto_t *hints = slots != NULL ? json_pack("{s:s}", "slots", slots) : NULL;
    struct ir_op op = x->like;

    op.phase = LP_PHASE_CONNECT;
    op.action = "create";
    op.after = wanted;
    op.hints = hints;
    op.text = lp_arena_printf(x->p->arena, "connect client %s to line %s (%s)", x->client,
                              lp_json_str(wanted, "line", "?"), lp_json_str(wanted, "label", ""));
    return ir_add(x->p, &op);
}

/* We made what an intent of ours wants gone. */
static bool
is_ours(const struct xc *x)
{
    json_t *intent;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)x->p->intents, i, intent)
    {
        if (strcmp(lp_json_str(intent, "kind", ""), "odu-xc") == 0
            && !lp_json_true(intent, "present")
            && strcmp(lp_json_str(intent, "client", ""), x->client) == 0)
            return true;
    }
    return x->p->take_over;
}

static bool
is_line_wanted(const json_t *intent, const char *line)
{
    const json_t *lines = json_object_get(intent, "lines");
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)lines, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), line) == 0)
            return true;
    }
    return strcmp(lp_json_str(intent, "line", ""), line) == 0;
}

static bool
moves(const struct xc *x, const char *line)
{
    return json_object_get(x->moving, x->client) != NULL
           || json_object_get(x->moving, line) != NULL;
}

static enum lp_code
plan_fixed(struct xc *x, const json_t *actual, bool right, const json_t *names)
{
    if (actual == NULL)
        return ir_bad_intent(x->p, x->intent, LP_NOT_FOUND,
                             "the card connects its clients itself, and this one is not");
    if (!right)
        return ir_bad_intent(x->p, x->intent, LP_CONFLICT,
                             "the card connects this client itself, and otherwise");
    return rename_xc(x, actual, names);
}

static enum lp_code
plan_present(struct xc *x, const json_t *actual, bool fixed)
{
    json_auto_t *wanted = NULL, *nature = json_object(), *names = json_object();
    const char *line = lp_json_str(actual, "line", NULL);
    bool right;
    enum lp_code rc = LP_OK;

    if (fixed && actual == NULL)
        return plan_fixed(x, actual, false, names);
    if (line == NULL || !is_line_wanted(x->intent, line))
        rc = x->rules->line(x->p, x->intent, x->moving, &line);
    if (rc != LP_OK)
        return rc;
    wanted = x->rules->wanted(x->p, x->intent, line);
    split(wanted, nature, names);
    right = actual != NULL && ir_holds(nature, actual);
    if (fixed)
        return plan_fixed(x, actual, right, names);
    if (right && !moves(x, line))
        return rename_xc(x, actual, names);
    if (actual != NULL && !right && !is_ours(x)) {
        rc = ir_bad_intent(x->p, x->intent, LP_CONFLICT,
                           lp_arena_printf(x->p->arena, "client %s is connected to %s already",
                                           x->client, lp_json_str(actual, "line", "?")));
        x->p->err->detail = json_pack("{s:s, s:s, s:s}", "code", "OPT-052", "device",
                                      x->p->source->name, "client", x->client);
        return rc;
    }
    if (actual != NULL)
        rc = take_away(x, actual);
    return rc == LP_OK ? connect(x, wanted) : rc;
}

static enum lp_code
plan_absent(struct xc *x, const json_t *actual, bool fixed)
{
    json_auto_t *no_names = json_pack("{s:s}", "label", "");

    if (actual == NULL)
        return LP_OK;
    return fixed ? rename_xc(x, actual, no_names) : take_away(x, actual);
}

static enum lp_code
plan_one(struct ir_planner *p, const struct ir_xc_rules *rules, const json_t *intent,
         const json_t *moving)
{
    struct xc x = {.p = p,
                   .rules = rules,
                   .intent = intent,
                   .moving = moving,
                   .client = lp_json_str(intent, "client", "")};
    const json_t *actual = NULL;
    bool fixed = false;
    enum lp_code rc;

    x.like = (struct ir_op){.object = ir_ref(p->arena, "xc", x.client),
                            .intent = lp_json_str(intent, "id", "")};
    rc = ir_get(p, x.like.object, &actual);
    if (rc == LP_OK && lp_json_true(intent, "rest")
        && (actual == NULL || !moves(&x, lp_json_str(actual, "line", ""))))
        return LP_OK; /* somebody else's: only a line that moves takes it along */
    if (rc == LP_OK)
        rc = rules->check(p, intent);
    if (rc == LP_OK && rules->fixed != NULL)
        rc = rules->fixed(p, x.client, &fixed);
    if (rc != LP_OK)
        return rc;
    return lp_json_true(intent, "present") ? plan_present(&x, actual, fixed)
                                           : plan_absent(&x, actual, fixed);
}

enum lp_code
ir_plan_xc(struct ir_planner *p, const struct ir_xc_rules *rules, const json_t *moving)
{
    json_auto_t *done = json_object();
    enum lp_code rc = LP_OK;
    json_t *intent;
    size_t i;

    for (int present = 1; present >= 0; present--) {
        json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
        {
            const char *client = lp_json_str(intent, "client", "");

            if (rc != LP_OK || strcmp(lp_json_str(intent, "kind", ""), "odu-xc") != 0
                || (int)lp_json_true(intent, "present") != present)
                continue;
            if (json_object_get(done, client) != NULL && present != 0)
                return ir_bad_intent(p, intent, LP_INVALID,
                                     "two intents want the same client connected");
            if (json_object_get(done, client) == NULL)
                rc = plan_one(p, rules, intent, moving);
            (void)json_object_set_new(done, client, json_true());
        }
    }
    return rc;
}
