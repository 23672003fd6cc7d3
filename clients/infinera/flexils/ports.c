/* Planning of ports: labels, states, fiber ends. */
#include <string.h>

#include "clients/infinera/flexils/plan.h"
#include "clients/ops.h"

#define MANUAL_MODE "MANUALMODE-2"

/* ---- from one state to another ---- */

/* One step of the state machine; from and to differ and one of them is IS. */
static enum lp_code
step(struct fx_planner *p, const struct fx_op *like, const char *from, const char *to)
{
    json_auto_t *before = json_pack("{s:s}", "ADMIN", from);
    json_auto_t *after = json_pack("{s:s}", "ADMIN", to);
    struct fx_op op = *like;

    op.action = "set";
    op.before = before;
    op.after = after;
    op.flags = strcmp(from, "IS") == 0 ? like->flags & LP_OP_TRAFFIC : 0;
    return fx_add(p, &op);
}

/* There is no direct way between OOS and MT: it leads over IS. */
static enum lp_code
walk(struct fx_planner *p, const struct fx_op *like, const char *from, const char *to)
{
    enum lp_code rc = LP_OK;

    if (strcmp(from, to) == 0)
        return LP_OK;
    if (strcmp(from, "IS") != 0)
        rc = step(p, like, from, "IS");
    if (rc == LP_OK && strcmp(to, "IS") != 0)
        rc = step(p, like, "IS", to);
    return rc;
}

/* The state in which INTFTYP of this port may be changed: the one home of the card rule. */
static enum lp_code
state_to_edit(struct fx_planner *p, const char *aid, const char **out)
{
    const char *card = fx_parent(p->arena, aid);
    const json_t *eqpt = NULL;
    enum lp_code rc = p->source->get(p->source->ctx, FX_EQPT, card, &eqpt, p->err);

    if (rc != LP_OK)
        return rc;
    if (eqpt == NULL)
        return lp_fail(p->err, LP_NOT_FOUND, "%s has no card %s that the port %s would be on",
                       p->source->tid, card, aid);
    *out = fx_card_without_maintenance(lp_json_str(eqpt, "TYPE", "")) ? "OOS" : "MT";
    return LP_OK;
}

/* ---- attributes that differ ---- */

/* What may be changed only in another state than in service. */
static bool
is_guarded(enum fx_class object, const char *name)
{
    static const struct {
        enum fx_class object;
        const char *name;
    } rows[] = {
        {FX_SCG, "INTFTYP"},      {FX_SCH, "SHUTTERSTATE"}, {FX_OSNC, "PASSBANDLIST"},
        {FX_OSNC, "CARRIERLIST"}, {FX_OSNC, "OELAID"},
    };

    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        if (rows[i].object == object && strcmp(rows[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Splits what differs into what needs the edit state and what does not; ADMIN is left out. */
static void
differences(enum fx_class object, const json_t *wanted, const json_t *actual, json_t *guarded,
            json_t *plain)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
    {
        bool needs = is_guarded(object, name);
        json_auto_t *one = json_pack("{s:O}", name, value);

        if (strcmp(name, "ADMIN") != 0 && !fx_holds(object, one, actual))
            (void)json_object_set(needs ? guarded : plain, name, value);
    }
}

static enum lp_code
set_values(struct fx_planner *p, const struct fx_op *like, const json_t *actual,
           const json_t *values, unsigned flags)
{
    json_auto_t *before = NULL;
    struct fx_op op = *like;

    if (json_object_size(values) == 0)
        return LP_OK;
    before = fx_slice(actual, values);
    op.action = "set";
    op.before = before;
    op.after = values;
    op.flags = flags;
    return fx_add(p, &op);
}

enum lp_code
fx_edit(struct fx_planner *p, const struct fx_op *like, const json_t *actual, const json_t *wanted)
{
    enum fx_class object = FX_EQPT;
    const char *aid = "";
    json_auto_t *guarded = json_object(), *plain = json_object();
    const char *is = lp_json_str(actual, "ADMIN", "IS"), *state = is;
    const char *goal = lp_json_str(wanted, "ADMIN", is);
    struct fx_op way = *like;
    enum lp_code rc = LP_OK;

    (void)fx_class_of(like->object, &object, &aid);
    differences(object, wanted, actual, guarded, plain);
    if (json_object_size(guarded) > 0) {
        way.purpose = like->purpose == NULL
                          ? "before the change"
                          : lp_arena_printf(p->arena, "%s, before the change", like->purpose);
        if (object == FX_SCG)
            rc = state_to_edit(p, aid, &state);
        else
            state = object == FX_SCH ? "MT" : "OOS";
        if (rc == LP_OK)
            rc = walk(p, &way, is, state);
        if (rc == LP_OK)
            rc = set_values(p, like, actual, guarded, like->flags | LP_OP_NEEDS_OOS);
    }
    if (rc == LP_OK)
        rc = set_values(p, like, actual, plain, 0);
    return rc == LP_OK ? walk(p, like, state, goal) : rc;
}

enum lp_code
fx_plan_port(struct fx_planner *p, const char *object, const char *intent, enum lp_phase phase,
             const json_t *wanted)
{
    const struct fx_op like = {
        .phase = phase, .object = object, .intent = intent, .flags = LP_OP_TRAFFIC};
    const json_t *actual = NULL;
    enum fx_class class;
    const char *aid;
    enum lp_code rc;

    if (!fx_class_of(object, &class, &aid))
        return lp_fail(p->err, LP_INTERNAL, "'%s' is no object", object);
    rc = p->source->get(p->source->ctx, class, aid, &actual, p->err);
    if (rc != LP_OK)
        return rc;
    if (actual == NULL)
        return lp_fail(p->err, LP_NOT_FOUND, "%s has no port %s", p->source->tid, aid);
    return fx_edit(p, &like, actual, wanted);
}

/* ---- what the intents want, port by port ---- */

/* {object: {"intent", "phase", "attrs": {..}}}; equal wishes meet here. */
struct wishes {
    struct fx_planner *p;
    json_t *by_object;
};

static enum lp_code
wish(struct wishes *w, const json_t *intent, const char *object, json_t *attrs)
{
    const char *id = lp_json_str(intent, "id", "");
    bool present = lp_json_true(intent, "present");
    json_t *entry = json_object_get(w->by_object, object), *held;
    const char *name;
    json_t *value;

    if (entry == NULL || (present && !lp_json_true(entry, "present"))) {
        entry = json_pack("{s:s, s:b, s:o}", "intent", id, "present", (int)present, "attrs", attrs);
        return json_object_set_new(w->by_object, object, entry) == 0
                   ? LP_OK
                   : lp_fail(w->p->err, LP_NOMEM, "no memory for a plan");
    }
    held = json_object_get(entry, "attrs");
    json_object_foreach(attrs, name, value)
    {
        const json_t *other = json_object_get(held, name);

        if (!present && lp_json_true(entry, "present"))
            break; /* somebody still wants the port */
        if (other != NULL && !lp_json_same(other, value)) {
            enum lp_code rc =
                lp_fail(w->p->err, LP_INVALID, "intents %s and %s want %s of %s differently",
                        lp_json_str(entry, "intent", ""), id, name, object);

            json_decref(attrs);
            return rc;
        }
        (void)json_object_set(held, name, value);
    }
    json_decref(attrs);
    return LP_OK;
}

enum lp_code
fx_bad_intent(struct fx_planner *p, const json_t *intent, enum lp_code code, const char *why)
{
    return lp_fail(p->err, code, "intent %s for %s: %s", lp_json_str(intent, "id", "?"),
                   p->source->tid, why);
}

/* Labels with quotes cannot be told apart on the wire from the end of the label. */
static enum lp_code
set_label(struct fx_planner *p, const json_t *intent, json_t *attrs)
{
    const char *label = lp_json_str(intent, "label", NULL);

    if (label == NULL)
        return LP_OK;
    if (strpbrk(label, "\"\\\n\r\t") != NULL)
        return fx_bad_intent(p, intent, LP_INVALID,
                             "a label may hold neither quotes, backslashes nor line ends");
    (void)lp_json_set_str(attrs, "LABEL", label);
    return LP_OK;
}

static enum lp_code
port_of(struct fx_planner *p, const json_t *intent, enum fx_class *object, const char **reference)
{
    const char *aid = lp_json_str(intent, "port", "");
    const char *role = lp_json_str(intent, "role", NULL);

    if (!fx_port_class(aid, object))
        return fx_bad_intent(p, intent, LP_INVALID,
                             "its port is no line, tributary or system port");
    if (role != NULL && strcmp(role, *object == FX_OTS ? "ols-line" : "ols-add-drop") != 0)
        return fx_bad_intent(p, intent, LP_INVALID, "its port has another role");
    *reference = lp_arena_printf(p->arena, "%s:%s", fx_class_prefix(*object), aid);
    return *reference != NULL ? LP_OK : fx_bad_intent(p, intent, LP_NOMEM, "no memory");
}

static enum lp_code
wish_admin(struct fx_planner *p, const json_t *intent, enum fx_class object, json_t *attrs)
{
    static const char *const names[][2] = {{"up", "IS"}, {"down", "OOS"}, {"maintenance", "MT"}};
    const char *admin = lp_json_str(intent, "admin", NULL);

    if (admin == NULL)
        return LP_OK;
    if (object == FX_OTS && strcmp(admin, "down") == 0)
        return fx_bad_intent(p, intent, LP_UNSUPPORTED,
                             "line ports know up and maintenance, not down");
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        if (strcmp(names[i][0], admin) == 0) {
            (void)lp_json_set_str(attrs, "ADMIN", names[i][1]);
            return LP_OK;
        }
    }
    return fx_bad_intent(p, intent, LP_INVALID, "admin is up, down or maintenance");
}

/* An add/drop port for waves that are not its vendor's. Nobody needs it: it looks unused. */
static void
wish_manual(const json_t *intent, json_t *attrs)
{
    if (!lp_json_true(intent, "manual"))
        return;
    (void)lp_json_set_str(attrs, "INTFTYP", MANUAL_MODE);
    (void)lp_json_set_str(attrs, "ADMIN", lp_json_true(intent, "present") ? "IS" : "OOS");
}

static enum lp_code
wish_port(struct wishes *w, const json_t *intent, enum fx_class object, json_t *attrs)
{
    if (object == FX_SCG)
        wish_manual(intent, attrs);
    if (!lp_json_true(intent, "present")) {
        (void)lp_json_set_str(attrs, "LABEL", "");
        return LP_OK;
    }
    if (set_label(w->p, intent, attrs) != LP_OK)
        return w->p->err->code;
    return wish_admin(w->p, intent, object, attrs);
}

static bool
speaks_neighbours(const json_t *peer)
{
    return fx_platform_is(lp_json_str(peer, "platform", ""), "infinera-flexils");
}

static void
wish_neighbour(struct fx_planner *p, const json_t *peer, json_t *attrs)
{
    if (speaks_neighbours(peer))
        (void)lp_json_set_str(attrs, "PROVNBROTS",
                              lp_arena_printf(p->arena, "%s/%s", lp_json_str(peer, "node", ""),
                                              lp_json_str(peer, "port", "")));
}

/* The glass that the port sends into, and the one that the far end sends into: the last segment as
 * seen from here. Types are named as ITU-T names them. */
static void
wish_glass(const json_t *intent, json_t *attrs)
{
    const json_t *types = json_object_get(intent, "fiber_types");
    const size_t count = json_array_size(types);
    const char *near = json_string_value(json_array_get(types, 0));
    const char *far = json_string_value(json_array_get(types, count == 0 ? 0 : count - 1));

    if (near != NULL)
        (void)lp_json_set_str(attrs, "TXFIBERTYPE", near);
    if (far != NULL)
        (void)lp_json_set_str(attrs, "PROVRXFIBERTYPE", far);
}

/* Length in whole kilometres and the loss class, where the fiber's record knows them. */
static void
wish_span(struct fx_planner *p, const json_t *intent, json_t *attrs)
{
    int64_t length = lp_json_int(intent, "length_m", -1),
            loss = lp_json_int(intent, "loss_cdb", -1);

    if (length >= 0)
        (void)lp_json_set_str(
            attrs, "SPANDIST",
            lp_arena_printf(p->arena, "%lld", (long long)((length + 500) / 1000)));
    if (loss >= 0)
        (void)lp_json_set_str(attrs, "EXPSPANLOSS", loss < 2500 ? "UNDER25DB" : "OVER25DB");
}

static enum lp_code
wish_line_end(struct wishes *w, const json_t *intent, json_t *attrs)
{
    if (!lp_json_true(intent, "present")) {
        (void)lp_json_set_str(attrs, "LABEL", "");
        (void)lp_json_set_str(attrs, "PROVNBROTS", "");
        return LP_OK;
    }
    (void)lp_json_set_str(attrs, "ADMIN", "IS");
    (void)lp_json_set_str(attrs, "HISTSTATS", "ENABLED");
    wish_span(w->p, intent, attrs);
    wish_glass(intent, attrs);
    wish_neighbour(w->p, json_object_get(intent, "peer"), attrs);
    return set_label(w->p, intent, attrs);
}

static enum lp_code
wish_add_drop_end(struct wishes *w, const json_t *intent, json_t *attrs)
{
    struct fx_planner *p = w->p;
    const char *remote;

    (void)lp_json_set_str(attrs, "INTFTYP", MANUAL_MODE);
    if (!lp_json_true(intent, "present")) {
        (void)lp_json_set_str(attrs, "PROVOWREMPTP", "");
        (void)lp_json_set_str(attrs, "LABEL", "");
        (void)lp_json_set_str(attrs, "ADMIN", "OOS");
        return LP_OK;
    }
    remote = fx_remote_of(p->arena, json_object_get(intent, "peer"));
    if (remote == NULL)
        return fx_bad_intent(p, intent, LP_NOMEM, "no memory");
    (void)lp_json_set_str(attrs, "PROVOWREMPTP", remote);
    (void)lp_json_set_str(attrs, "HISTSTATS", "ENABLED");
    (void)lp_json_set_str(attrs, "ADMIN", "IS");
    return set_label(p, intent, attrs);
}

static enum lp_code
wish_fiber_end(struct wishes *w, const json_t *intent, enum fx_class object, json_t *attrs)
{
    const json_t *peer = json_object_get(intent, "peer");

    if (lp_json_true(intent, "present")
        && (lp_json_str(peer, "node", "")[0] == '\0' || lp_json_str(peer, "port", "")[0] == '\0'))
        return fx_bad_intent(w->p, intent, LP_INVALID, "a fiber end needs peer.node and peer.port");
    return object == FX_OTS ? wish_line_end(w, intent, attrs) : wish_add_drop_end(w, intent, attrs);
}

static enum lp_code
collect(struct wishes *w, const json_t *intent)
{
    bool fiber = strcmp(lp_json_str(intent, "kind", ""), "fiber-end") == 0;
    json_auto_t *attrs = json_object();
    const char *reference = NULL;
    enum fx_class object;
    enum lp_code rc = port_of(w->p, intent, &object, &reference);

    if (rc == LP_OK)
        rc = fiber ? wish_fiber_end(w, intent, object, attrs) : wish_port(w, intent, object, attrs);
    return rc == LP_OK ? wish(w, intent, reference, lp_json_take(&attrs)) : rc;
}

/* ---- the neighbour that the element itself sees ---- */

static enum lp_code
check_neighbour(struct fx_planner *p, const json_t *intent)
{
    const json_t *peer = json_object_get(intent, "peer"), *actual = NULL;
    const char *aid = lp_json_str(intent, "port", ""), *node = lp_json_str(peer, "node", "");
    const char *port = lp_json_str(peer, "port", "");
    json_auto_t *after = NULL, *before = NULL;
    struct fx_op op = {.phase = LP_PHASE_CIRCUIT, .action = "wait"};
    enum fx_class object;
    enum lp_code rc;

    if (!lp_json_true(intent, "present") || !fx_port_class(aid, &object) || object != FX_OTS
        || !speaks_neighbours(peer))
        return LP_OK;
    rc = p->source->get(p->source->ctx, FX_OTS, aid, &actual, p->err);
    if (rc != LP_OK || fx_neighbour_is(lp_json_str(actual, "DISCNBROTS", ""), node, port))
        return rc;
    after = json_pack("{s:s}", "DISCNBROTS", lp_arena_printf(p->arena, "%s/%s", node, port));
    before = fx_slice(actual, after);
    op.object = lp_arena_printf(p->arena, "ots:%s", aid);
    op.intent = lp_json_str(intent, "id", "");
    op.before = before;
    op.after = after;
    op.text = lp_arena_printf(p->arena, "wait until %s sees %s %s at the other end (now: %s)", aid,
                              node, port, lp_json_str(before, "DISCNBROTS", ""));
    return fx_add(p, &op);
}

/* A port that is gone with its card needs no cleaning. */
static enum lp_code
plan_entry(struct fx_planner *p, const char *object, const json_t *entry)
{
    bool present = lp_json_true(entry, "present");
    const json_t *actual = NULL;
    enum fx_class class = FX_OTS;
    const char *aid = "";
    enum lp_code rc;

    (void)fx_class_of(object, &class, &aid);
    rc = p->source->get(p->source->ctx, class, aid, &actual, p->err);
    if (rc != LP_OK || (actual == NULL && !present))
        return rc;
    return fx_plan_port(p, object, lp_json_str(entry, "intent", ""),
                        present ? LP_PHASE_PREPARE : LP_PHASE_CLEAN,
                        json_object_get(entry, "attrs"));
}

enum lp_code
fx_plan_ports(struct fx_planner *p)
{
    json_auto_t *by_object = json_object();
    struct wishes w = {p, by_object};
    enum lp_code rc = LP_OK;
    const char *object;
    json_t *intent, *entry;
    size_t i;

    for (int fiber = 0; fiber < 2; fiber++) {
        json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
        {
            const char *kind = lp_json_str(intent, "kind", "");

            if (rc == LP_OK && strcmp(kind, fiber ? "fiber-end" : "port") == 0)
                rc = collect(&w, intent);
        }
    }
    json_object_foreach(by_object, object, entry)
    {
        if (rc == LP_OK)
            rc = plan_entry(p, object, entry);
    }
    json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
    {
        if (rc == LP_OK && strcmp(lp_json_str(intent, "kind", ""), "fiber-end") == 0)
            rc = check_neighbour(p, intent);
    }
    return rc;
}
