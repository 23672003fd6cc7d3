/* Planning of circuits: routes (OEL), signalled circuits (OSNC), cross-connects (OCRS), shutters.
 */
#include <stdio.h>
#include <string.h>

#include "clients/infinera/flexils/plan.h"
#include "clients/ops.h"

#define INDEX_MAX FX_SCH_MAX

struct circuit {
    const json_t *intent;
    const char *id, *suffix;
    const char *a, *z, *z_node; /* ports, as the line system sees them */
    const json_t *oels, *osncs; /* all of this element */
};

static const char *
member(const json_t *intent, const char *object, const char *key)
{
    return lp_json_str(json_object_get(intent, object), key, "");
}

/* ---- attributes of the signal ---- */

static enum lp_code
signal_attrs(struct fx_planner *p, const json_t *intent, json_t *attrs)
{
    const char *label = lp_json_str(intent, "label", "");
    int64_t low = lp_json_int(intent, "low_mhz", 0), high = lp_json_int(intent, "high_mhz", 0);
    json_t *carriers = json_array(), *carrier;
    size_t i;

    (void)lp_json_set_str(attrs, "LABEL", label);
    (void)json_object_set_new(attrs, "PASSBANDLIST",
                              json_pack("[I, I]", (json_int_t)low, (json_int_t)high));
    (void)json_object_set_new(attrs, "CARRIERLIST", carriers);
    json_array_foreach(json_object_get(intent, "carriers"), i, carrier)
    {
        (void)json_array_append_new(carriers, json_integer(lp_json_int(carrier, "center_mhz", 0)));
        (void)json_array_append_new(carriers, json_integer(lp_json_int(carrier, "width_mhz", 0)));
    }
    if (json_array_size(carriers) == 0) {
        (void)json_array_append_new(carriers, json_integer((low + high) / 2));
        (void)json_array_append_new(carriers, json_integer(high - low));
    }
    if (low <= 0 || low >= high)
        return fx_bad_intent(p, intent, LP_INVALID, "low_mhz must lie below high_mhz");
    if (strpbrk(label, "\"\\\n\r\t") != NULL)
        return fx_bad_intent(p, intent, LP_INVALID,
                             "a label may hold neither quotes, backslashes nor line ends");
    return LP_OK;
}

/* ---- super-channel indices ---- */

static void
note_used(bool used[static INDEX_MAX + 1], const char *sch, const char *port)
{
    size_t len;
    unsigned index;

    if (fx_sch_on(sch, port) && lp_tl1_aid_split(sch, &len, &index) && index <= INDEX_MAX)
        used[index] = true;
}

/* Keys of SCH objects, and both ends of OSNCs: a dangling circuit reserves an index too. */
static void
note_objects(bool used[static INDEX_MAX + 1], const char *port, const json_t *sch,
             const json_t *osnc, const char *remote_node)
{
    const char *aid;
    json_t *object;

    json_object_foreach((json_t *)(uintptr_t)sch, aid, object) note_used(used, aid, port);
    json_object_foreach((json_t *)(uintptr_t)osnc, aid, object)
    {
        if (remote_node == NULL)
            note_used(used, aid, port);
        else if (strcmp(lp_json_str(object, "REMNODETID", ""), remote_node) == 0)
            note_used(used, lp_json_str(object, "REMENDPOINT", ""), port);
    }
}

/* The lowest free one, remembered as taken. `where` makes the key unique over both ends. */
static const char *
lowest_free(struct fx_planner *p, bool used[static INDEX_MAX + 1], const char *port,
            const char *node, const char *circuit)
{
    for (unsigned i = 1; i <= INDEX_MAX; i++) {
        const char *aid = lp_arena_printf(p->arena, "%s-%u", port, i);
        const char *key = lp_arena_printf(p->arena, "%s %s-%u", node, port, i);

        if (key == NULL || aid == NULL)
            return NULL;
        if (used[i] || json_object_get(p->chosen, key) != NULL)
            continue;
        (void)lp_json_set_str(p->chosen, key, circuit);
        return aid;
    }
    return NULL;
}

static enum lp_code
no_index(struct fx_planner *p, const json_t *intent, const char *port)
{
    enum lp_code rc = fx_bad_intent(
        p, intent, LP_CONFLICT,
        lp_arena_printf(p->arena, "no free super-channel on %s (1..%d)", port, INDEX_MAX));

    p->err->detail =
        json_pack("{s:s, s:s, s:s}", "code", "OPT-063", "device", p->source->tid, "port", port);
    return rc;
}

static enum lp_code
free_local(struct fx_planner *p, const json_t *intent, const char *port, const char *circuit,
           const char **out)
{
    bool used[INDEX_MAX + 1] = {false};
    const json_t *sch = NULL, *osnc = NULL;
    enum lp_code rc = p->source->all(p->source->ctx, FX_SCH, &sch, p->err);

    if (rc == LP_OK)
        rc = p->source->all(p->source->ctx, FX_OSNC, &osnc, p->err);
    if (rc != LP_OK)
        return rc;
    note_objects(used, port, sch, osnc, NULL);
    *out = lowest_free(p, used, port, p->source->tid, circuit);
    return *out != NULL ? LP_OK : no_index(p, intent, port);
}

/* What is known of the other end: our circuits to it, and what it tells itself where it can be
 * asked through this element. */
static enum lp_code
free_remote(struct fx_planner *p, const struct circuit *c, const char **out)
{
    bool used[INDEX_MAX + 1] = {false};
    const json_t *sch = NULL, *osnc = NULL;
    struct lp_err ignored = LP_ERR_INIT;
    json_t *index;
    size_t i;

    note_objects(used, c->z, NULL, c->osncs, c->z_node);
    if (p->source->remote(p->source->ctx, c->z_node, FX_SCH, &sch, &ignored) == LP_OK
        && p->source->remote(p->source->ctx, c->z_node, FX_OSNC, &osnc, &ignored) == LP_OK)
        note_objects(used, c->z, sch, osnc, NULL);
    lp_err_clear(&ignored);
    json_array_foreach(json_object_get(json_object_get(c->intent, "z"), "used"), i, index)
    {
        json_int_t n = json_integer_value(index);

        if (n >= 1 && n <= INDEX_MAX)
            used[n] = true;
    }
    *out = lowest_free(p, used, c->z, c->z_node, c->suffix);
    return *out != NULL ? LP_OK : no_index(p, c->intent, c->z);
}

/* ---- the port behind a cascaded multiplexer ---- */

static enum lp_code
behind_fmmc12(struct fx_planner *p, const json_t *intent, const char *card, const char **port)
{
    const json_t *chassis = NULL, *scgs = NULL;
    const char *aid, *remote;
    json_t *scg;
    enum lp_code rc = p->source->get(p->source->ctx, FX_EQPT, "1", &chassis, p->err);

    if (rc == LP_OK)
        rc = p->source->all(p->source->ctx, FX_SCG, &scgs, p->err);
    if (rc != LP_OK)
        return rc;
    remote = lp_arena_printf(p->arena, "%s/%s-L1", lp_json_str(chassis, "SERNO", ""), card);
    json_object_foreach((json_t *)(uintptr_t)scgs, aid, scg)
    {
        if (strcmp(lp_json_str(scg, "PROVOWREMPTP", ""), remote) == 0) {
            *port = aid;
            return LP_OK;
        }
    }
    return fx_bad_intent(
        p, intent, LP_NOT_FOUND,
        lp_arena_printf(p->arena, "no FBM port has PROVOWREMPTP %s of the card %s", remote, card));
}

/* The port that circuits use for a tributary: another one when its card hangs on an FBM. */
static enum lp_code
resolve_port(struct fx_planner *p, const json_t *intent, const char **port)
{
    const char *card = fx_parent(p->arena, *port);
    const json_t *eqpt = NULL;
    enum lp_code rc = p->source->get(p->source->ctx, FX_EQPT, card, &eqpt, p->err);

    if (rc == LP_OK && strcmp(lp_json_str(eqpt, "TYPE", ""), "FMMC12") == 0)
        rc = behind_fmmc12(p, intent, card, port);
    return rc;
}

/* ---- routes ---- */

/* The TE interface of one of our line ports. */
static enum lp_code
te_interface(struct fx_planner *p, const json_t *intent, const char *port, const char **out)
{
    const json_t *interfaces = NULL;
    const char *aid;
    json_t *interface;
    char *osc = lp_arena_strdup(p->arena, port);
    enum lp_code rc = p->source->all(p->source->ctx, FX_OTEINTF, &interfaces, p->err);

    if (rc != LP_OK)
        return rc;
    if (fx_port_letter(port) != 'L')
        return fx_bad_intent(p, intent, LP_INVALID, "its route leaves through no line port");
    strrchr(osc, '-')[1] = 'O';
    *out = json_object_get(interfaces, osc) != NULL ? port : NULL;
    json_object_foreach((json_t *)(uintptr_t)interfaces, aid, interface)
    {
        if (*out == NULL && strcmp(lp_json_str(interface, "ASSOCGCC", ""), osc) == 0)
            *out = aid;
    }
    if (*out != NULL)
        return LP_OK;
    return fx_bad_intent(p, intent, LP_NOT_FOUND,
                         lp_arena_printf(p->arena, "line port %s has no TE interface", port));
}

static enum lp_code
append_hop(struct fx_planner *p, const struct circuit *c, const json_t *end, json_t *tuple)
{
    const char *node = lp_json_str(end, "node", ""), *port = lp_json_str(end, "port", "");
    enum lp_code rc = LP_OK;

    if (strcmp(node, p->source->tid) == 0)
        rc = te_interface(p, c->intent, port, &port);
    if (rc == LP_OK) {
        (void)json_array_append_new(tuple, json_string(node));
        (void)json_array_append_new(tuple, json_string(port));
    }
    return rc;
}

/* [[node, interface, node, interface], ...] of the route's pairs of ends. */
static enum lp_code
explicit_route(struct fx_planner *p, const struct circuit *c, json_t *out)
{
    const json_t *route = json_object_get(c->intent, "route");
    size_t count = json_array_size(route);
    enum lp_code rc = LP_OK;

    if (count == 0 || count % 2 != 0)
        return fx_bad_intent(p, c->intent, LP_INVALID, "its route must be pairs of line ports");
    if (strcmp(lp_json_str(json_array_get(route, 0), "node", ""), p->source->tid) != 0
        || strcmp(lp_json_str(json_array_get(route, count - 1), "node", ""), c->z_node) != 0)
        return fx_bad_intent(p, c->intent, LP_INVALID, "its route does not lead from a to z");
    for (size_t i = 0; rc == LP_OK && i < count; i += 2) {
        json_t *tuple = json_array();

        (void)json_array_append_new(out, tuple);
        rc = append_hop(p, c, json_array_get(route, i), tuple);
        if (rc == LP_OK)
            rc = append_hop(p, c, json_array_get(route, i + 1), tuple);
    }
    return rc;
}

/* A name that tells routes apart: both ends, cut, and a hash of the hops. */
static const char *
route_name(struct fx_planner *p, const struct circuit *c, const json_t *hops)
{
    struct lp_buf text = LP_BUF_INIT;
    char hash[65];

    lp_buf_json(&text, hops);
    lp_sha256_hex(text.data != NULL ? text.data : "", text.len, hash);
    lp_buf_free(&text);
    return lp_arena_printf(p->arena, "%.24s-%.24s-%.12s", p->source->tid, c->z_node, hash);
}

static const char *
find_route(const struct circuit *c, const json_t *hops)
{
    const char *aid;
    json_t *oel;

    json_object_foreach((json_t *)(uintptr_t)c->oels, aid, oel)
    {
        if (lp_json_same(json_object_get(oel, "EXPLICITROUTE"), hops))
            return aid;
    }
    return NULL;
}

static bool
is_planned(const struct fx_planner *p, const char *object, const char *action)
{
    json_t *op;
    size_t i;

    json_array_foreach(p->ops, i, op)
    {
        if (strcmp(lp_json_str(op, "object", ""), object) == 0
            && strcmp(lp_json_str(op, "action", ""), action) == 0)
            return true;
    }
    return false;
}

static enum lp_code
create_route(struct fx_planner *p, const struct circuit *c, const char *name, json_t *hops)
{
    json_auto_t *wanted =
        json_pack("{s:o, s:s, s:s, s:O, s:s}", "LABEL",
                  json_sprintf("%s-%s", p->source->tid, c->z_node), "SRCNODENAME", p->source->tid,
                  "DSTNODENAME", c->z_node, "EXPLICITROUTE", hops, "ADMIN", "IS");
    json_auto_t *after = fx_creation(FX_OEL, wanted);
    struct fx_op op = {.phase = LP_PHASE_CIRCUIT,
                       .action = "create",
                       .object = lp_arena_printf(p->arena, "oel:%s", name),
                       .intent = c->id,
                       .after = after};
    enum lp_code rc;

    if (is_planned(p, op.object, "create"))
        return LP_OK;
    rc = fx_add(p, &op);
    op.action = "action";
    op.after = NULL;
    op.text = lp_arena_printf(p->arena, "let the element check the route %s", name);
    return rc == LP_OK ? fx_add(p, &op) : rc;
}

/* The route's name on the element; made where it is not there. One with the name of ours and other
 * hops is foreign. */
static enum lp_code
ensure_route(struct fx_planner *p, const struct circuit *c, const char **name)
{
    json_auto_t *hops = json_array();
    enum lp_code rc = explicit_route(p, c, hops);

    if (rc != LP_OK)
        return rc;
    *name = find_route(c, hops);
    if (*name != NULL)
        return LP_OK;
    *name = route_name(p, c, hops);
    if (json_object_get(c->oels, *name) != NULL)
        return fx_bad_intent(p, c->intent, LP_CONFLICT,
                             lp_arena_printf(p->arena, "route %s exists with other hops", *name));
    return create_route(p, c, *name, hops);
}

static const char *
shown(struct fx_planner *p, const char *route)
{
    return lp_arena_strndup(p->arena, route, strnlen(route, 64));
}

/* ---- the circuit itself ---- */

static const json_t *
find_by_suffix(const json_t *objects, const char *suffix, const char **aid)
{
    const char *key;
    json_t *object;

    json_object_foreach((json_t *)(uintptr_t)objects, key, object)
    {
        if (strcmp(lp_json_str(object, "CKTIDSUFFIX", ""), suffix) == 0) {
            *aid = key;
            return object;
        }
    }
    return NULL;
}

static bool
same_ends(const struct circuit *c, const char *aid, const json_t *osnc)
{
    return fx_sch_on(aid, c->a) && fx_sch_on(lp_json_str(osnc, "REMENDPOINT", ""), c->z)
           && strcmp(lp_json_str(osnc, "REMNODETID", ""), c->z_node) == 0;
}

static enum lp_code
foreign_ends(struct fx_planner *p, const struct circuit *c, const char *aid, const json_t *osnc)
{
    enum lp_code rc = fx_bad_intent(
        p, c->intent, LP_CONFLICT,
        lp_arena_printf(p->arena,
                        "circuit %s exists between %s and %s %s, not between %s and %s %s",
                        c->suffix, aid, lp_json_str(osnc, "REMNODETID", "?"),
                        lp_json_str(osnc, "REMENDPOINT", "?"), c->a, c->z_node, c->z));

    p->err->detail = json_pack("{s:o}", "actual", json_deep_copy(osnc));
    return rc;
}

static enum lp_code
wait_for(struct fx_planner *p, const struct circuit *c, enum lp_phase phase, const char *object,
         const json_t *after, const char *purpose)
{
    const struct fx_op op = {
        .phase = phase,
        .action = "wait",
        .object = object,
        .purpose = purpose,
        .intent = c->id,
        .after = after,
        .text = lp_arena_printf(p->arena, "wait until %s %s", object,
                                after != NULL ? "is there" : "is free"),
    };

    return fx_add(p, &op);
}

static enum lp_code
create_osnc(struct fx_planner *p, const struct circuit *c, const json_t *wanted)
{
    const char *local = NULL, *remote = NULL, *sch;
    json_auto_t *all = json_copy((json_t *)(uintptr_t)wanted), *after = NULL,
                *there = json_object();
    struct fx_op op = {.phase = LP_PHASE_CIRCUIT, .action = "create", .intent = c->id};
    enum lp_code rc = free_local(p, c->intent, c->a, c->suffix, &local);

    if (rc == LP_OK)
        rc = free_remote(p, c, &remote);
    if (rc != LP_OK)
        return rc;
    (void)lp_json_set_str(all, "CKTIDSUFFIX", c->suffix);
    (void)lp_json_set_str(all, "REMENDPOINT", remote);
    (void)lp_json_set_str(all, "REMNODETID", c->z_node);
    after = fx_creation(FX_OSNC, all);
    op.object = lp_arena_printf(p->arena, "osnc:%s", local);
    op.after = after;
    sch = lp_arena_printf(p->arena, "sch:%s", local);
    rc = wait_for(p, c, LP_PHASE_CIRCUIT, sch, NULL, "free");
    if (rc == LP_OK)
        rc = fx_add(p, &op);
    if (rc == LP_OK)
        rc = wait_for(p, c, LP_PHASE_CIRCUIT, sch, there, NULL);
    return rc;
}

/* Does another intent of this plan see to the port's mode? */
static bool
is_cared_for(const struct fx_planner *p, const char *port)
{
    json_t *intent;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
    {
        const char *kind = lp_json_str(intent, "kind", "");

        if (strcmp(lp_json_str(intent, "port", ""), port) == 0 && lp_json_true(intent, "present")
            && (strcmp(kind, "fiber-end") == 0
                || (strcmp(kind, "port") == 0 && lp_json_true(intent, "manual"))))
            return true;
    }
    return false;
}

/* The tributary must carry foreign waves. */
static enum lp_code
ensure_manual_mode(struct fx_planner *p, const struct circuit *c)
{
    json_auto_t *wanted = json_pack("{s:s, s:s}", "INTFTYP", "MANUALMODE-2", "ADMIN", "IS");
    const char *object = lp_arena_printf(p->arena, "scg:%s", c->a);

    if (is_cared_for(p, c->a))
        return LP_OK;
    return fx_plan_port(p, object, c->id, LP_PHASE_PREPARE, wanted);
}

static enum lp_code
remove_osnc(struct fx_planner *p, const struct circuit *c, const char *aid, const json_t *osnc)
{
    json_auto_t *out = json_pack("{s:s}", "ADMIN", "OOS"), *was = NULL;
    const char *object = lp_arena_printf(p->arena, "osnc:%s", aid);
    struct fx_op op = {
        .phase = LP_PHASE_REMOVE, .object = object, .intent = c->id, .flags = LP_OP_TRAFFIC};
    enum lp_code rc = fx_edit(p, &op, osnc, out);

    was = fx_creation(FX_OSNC, osnc);
    (void)lp_json_set_str(was, "ADMIN", "OOS");
    op.action = "delete";
    op.before = was;
    if (rc == LP_OK)
        rc = fx_add(p, &op);
    (void)json_object_set_new(p->routes, aid, json_null());
    if (rc == LP_OK)
        rc = wait_for(p, c, LP_PHASE_REMOVE, object, NULL, NULL);
    if (rc == LP_OK)
        rc = wait_for(p, c, LP_PHASE_REMOVE, lp_arena_printf(p->arena, "sch:%s", aid), NULL, NULL);
    return rc;
}

/* Does another intent of this plan mean the circuit of that name? */
static bool
is_anothers(struct fx_planner *p, const struct circuit *c, const char *suffix)
{
    json_t *intent;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
    {
        if (intent != c->intent && strcmp(lp_json_str(intent, "kind", ""), "circuit") == 0
            && strcmp(fx_suffix(p->arena, lp_json_str(intent, "name", "")), suffix) == 0)
            return true;
    }
    return false;
}

/* Ours under another name: the one it had before (intent member "was"), or, where foreign objects
 * may be changed, the one that has its ends and its light. */
static const json_t *
find_renamed(struct fx_planner *p, const struct circuit *c, const json_t *wanted, const char **aid)
{
    const char *was = fx_suffix(p->arena, lp_json_str(c->intent, "was", "")), *key;
    json_t *osnc;

    json_object_foreach((json_t *)(uintptr_t)c->osncs, key, osnc)
    {
        const char *suffix = lp_json_str(osnc, "CKTIDSUFFIX", "");
        bool same_light = lp_json_same(json_object_get(osnc, "PASSBANDLIST"),
                                       json_object_get(wanted, "PASSBANDLIST"));

        if (!same_ends(c, key, osnc) || is_anothers(p, c, suffix)
            || !((suffix[0] != '\0' && strcmp(suffix, was) == 0) || (p->take_over && same_light)))
            continue;
        *aid = key;
        return osnc;
    }
    return NULL;
}

/* The circuit to work on, or NULL when it has to be made. One of the same name between other ends
 * is in the way. */
static enum lp_code
find_circuit(struct fx_planner *p, const struct circuit *c, const json_t *wanted, const char **aid,
             const json_t **out)
{
    const json_t *osnc = find_by_suffix(c->osncs, c->suffix, aid);

    *out = osnc != NULL ? osnc : find_renamed(p, c, wanted, aid);
    if (osnc == NULL || same_ends(c, *aid, osnc))
        return LP_OK;
    *out = NULL;
    return p->take_over ? remove_osnc(p, c, *aid, osnc) : foreign_ends(p, c, *aid, osnc);
}

static enum lp_code
ensure_circuit(struct fx_planner *p, const struct circuit *c)
{
    json_auto_t *wanted = json_object();
    const char *aid = NULL, *route = NULL;
    const json_t *osnc = NULL;
    struct fx_op like = {.phase = LP_PHASE_CIRCUIT, .intent = c->id, .flags = LP_OP_TRAFFIC};
    enum lp_code rc = signal_attrs(p, c->intent, wanted);

    if (rc == LP_OK)
        rc = find_circuit(p, c, wanted, &aid, &osnc);
    if (rc == LP_OK)
        rc = ensure_manual_mode(p, c);
    if (rc == LP_OK)
        rc = ensure_route(p, c, &route);
    if (rc != LP_OK)
        return rc;
    (void)lp_json_set_str(wanted, "ADMIN", "IS");
    if (osnc == NULL) {
        (void)lp_json_set_str(wanted, "OELAID", route);
        return create_osnc(p, c, wanted);
    }
    (void)lp_json_set_str(wanted, "OELAID", shown(p, route));
    (void)lp_json_set_str(wanted, "CKTIDSUFFIX", c->suffix);
    (void)lp_json_set_str(p->routes, aid, shown(p, route));
    like.object = lp_arena_printf(p->arena, "osnc:%s", aid);
    return fx_edit(p, &like, osnc, wanted);
}

static enum lp_code
remove_circuit(struct fx_planner *p, const struct circuit *c)
{
    const char *aid = NULL;
    const json_t *osnc = find_by_suffix(c->osncs, c->suffix, &aid);

    if (osnc == NULL)
        return LP_OK; /* gone already: that is what was wanted */
    return same_ends(c, aid, osnc) ? remove_osnc(p, c, aid, osnc) : foreign_ends(p, c, aid, osnc);
}

/* ---- routes that nobody uses any more ---- */

/* Which route does this OSNC use after the plan? */
static const char *
route_after(const struct fx_planner *p, const char *aid, const json_t *osnc)
{
    const json_t *planned = json_object_get(p->routes, aid);

    if (planned != NULL)
        return json_is_string(planned) ? json_string_value(planned) : "";
    return lp_json_str(osnc, "OELAID", "");
}

static bool
is_used(const struct fx_planner *p, const json_t *osncs, const char *shown_route)
{
    const char *aid;
    json_t *osnc;
    json_t *op;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)osncs, aid, osnc)
    {
        if (strcmp(route_after(p, aid, osnc), shown_route) == 0)
            return true;
    }
    json_array_foreach(p->ops, i, op)
    {
        const char *route = lp_json_str(json_object_get(op, "after"), "OELAID", "");

        if (strcmp(lp_json_str(op, "action", ""), "create") == 0
            && strncmp(route, shown_route, 64) == 0)
            return true;
    }
    return false;
}

static enum lp_code
remove_route(struct fx_planner *p, const char *intent, const char *aid, const json_t *oel,
             enum lp_phase phase)
{
    json_auto_t *out = json_pack("{s:s}", "ADMIN", "OOS"), *was = fx_creation(FX_OEL, oel);
    struct fx_op op = {
        .phase = phase, .object = lp_arena_printf(p->arena, "oel:%s", aid), .intent = intent};
    enum lp_code rc;

    if (is_planned(p, op.object, "delete"))
        return LP_OK;
    rc = fx_edit(p, &op, oel, out);
    (void)lp_json_set_str(was, "ADMIN", "OOS");
    op.action = "delete";
    op.before = was;
    return rc == LP_OK ? fx_add(p, &op) : rc;
}

/* Routes that a circuit of this plan has left. A deleted circuit's goes while cleaning, a rerouted
 * one's right behind it. */
static enum lp_code
drop_left_routes(struct fx_planner *p, const char *intent, const json_t *osncs, const json_t *oels)
{
    enum lp_code rc = LP_OK;
    const char *aid, *name;
    json_t *planned, *oel;

    json_object_foreach(p->routes, aid, planned)
    {
        const char *old = lp_json_str(json_object_get(osncs, aid), "OELAID", "");

        if (old[0] == '\0' || is_used(p, osncs, old))
            continue;
        json_object_foreach((json_t *)(uintptr_t)oels, name, oel)
        {
            if (rc == LP_OK && strncmp(name, old, 64) == 0)
                rc = remove_route(p, intent, name, oel,
                                  json_is_null(planned) ? LP_PHASE_CLEAN : LP_PHASE_CIRCUIT);
        }
    }
    return rc;
}

/* A circuit that is gone already may have left its route behind: ours is known by its name. */
static enum lp_code
drop_orphan(struct fx_planner *p, const struct circuit *c)
{
    json_auto_t *hops = json_array();
    struct lp_err ignored = LP_ERR_INIT;
    struct fx_planner quiet = *p;
    const char *name;
    const json_t *oel;
    enum lp_code rc;

    quiet.err = &ignored;
    rc = explicit_route(&quiet, c, hops);
    lp_err_clear(&ignored);
    if (rc != LP_OK)
        return LP_OK;
    name = route_name(p, c, hops);
    oel = json_object_get(c->oels, name);
    if (oel == NULL || is_used(p, c->osncs, shown(p, name)))
        return LP_OK;
    return remove_route(p, c->id, name, oel, LP_PHASE_CLEAN);
}

static enum lp_code
plan_circuit(struct fx_planner *p, const json_t *intent)
{
    struct circuit c = {.intent = intent,
                        .id = lp_json_str(intent, "id", ""),
                        .suffix = fx_suffix(p->arena, lp_json_str(intent, "name", "")),
                        .a = member(intent, "a", "port"),
                        .z = member(intent, "z", "port"),
                        .z_node = member(intent, "z", "node")};
    bool present = lp_json_true(intent, "present");
    const char *aid;
    enum lp_code rc;

    if (c.suffix == NULL || c.suffix[0] == '\0' || c.a[0] == '\0' || c.z[0] == '\0'
        || c.z_node[0] == '\0')
        return fx_bad_intent(p, intent, LP_INVALID,
                             "a circuit needs name, a.port, z.node and z.port");
    rc = resolve_port(p, intent, &c.a);
    if (rc == LP_OK)
        rc = p->source->all(p->source->ctx, FX_OSNC, &c.osncs, p->err);
    if (rc == LP_OK)
        rc = p->source->all(p->source->ctx, FX_OEL, &c.oels, p->err);
    if (rc == LP_OK)
        rc = present ? ensure_circuit(p, &c) : remove_circuit(p, &c);
    if (rc == LP_OK)
        rc = drop_left_routes(p, c.id, c.osncs, c.oels);
    if (rc == LP_OK && !present && find_by_suffix(c.osncs, c.suffix, &aid) == NULL)
        rc = drop_orphan(p, &c);
    return rc;
}

/* ---- shutters ---- */

/* An SCH of a circuit at a port: its own OSNC, a cross-connect of the circuit, what this plan
 * makes.
 */
static const char *
find_sch(struct fx_planner *p, const char *port, const char *suffix, const json_t *osncs,
         const json_t *crosses)
{
    size_t node = strlen(p->source->tid);
    const char *aid = NULL, *key;
    json_t *object;

    json_object_foreach((json_t *)(uintptr_t)osncs, key, object)
    {
        if (strcmp(lp_json_str(object, "CKTIDSUFFIX", ""), suffix) == 0 && fx_sch_on(key, port))
            return key;
    }
    json_object_foreach((json_t *)(uintptr_t)crosses, key, object)
    {
        size_t from = strcspn(key, ",");

        if (strcmp(lp_json_str(object, "CKTIDSUFFIX", ""), suffix) != 0)
            continue;
        aid = lp_arena_strndup(p->arena, key, from);
        if (aid != NULL && fx_sch_on(aid, port))
            return aid;
        if (key[from] == ',' && fx_sch_on(key + from + 1, port))
            return key + from + 1;
    }
    json_object_foreach(p->chosen, key, object)
    {
        if (strcmp(json_string_value(object), suffix) == 0
            && strncmp(key, p->source->tid, node) == 0 && key[node] == ' '
            && fx_sch_on(key + node + 1, port))
            return key + node + 1;
    }
    return NULL;
}

/* A name that was changed by hand, or is changed by this plan, may not show at the far end: at one
 * port the light alone tells who it is. */
static enum lp_code
find_by_light(struct fx_planner *p, const struct circuit *c, const char *port, const char **aid)
{
    json_auto_t *light = json_pack("[I, I]", (json_int_t)lp_json_int(c->intent, "low_mhz", 0),
                                   (json_int_t)lp_json_int(c->intent, "high_mhz", 0));
    const json_t *all = NULL;
    const char *key;
    json_t *sch;
    enum lp_code rc = p->source->all(p->source->ctx, FX_SCH, &all, p->err);

    if (rc == LP_OK)
        json_object_foreach((json_t *)(uintptr_t)all, key, sch)
        {
            if (fx_sch_on(key, port) && lp_json_same(json_object_get(sch, "PROVPBLIST"), light))
                *aid = key;
        }
    return rc;
}

/* A circuit that is moved is dark afterwards, at both ends. The source knows from its own plan, the
 * other end from the passband that the intent expects. */
static bool
will_be_moved(struct fx_planner *p, const struct circuit *c, const char *aid, const json_t *sch,
              json_t *expected)
{
    json_int_t low = lp_json_int(c->intent, "low_mhz", 0);
    json_int_t high = lp_json_int(c->intent, "high_mhz", 0);
    json_auto_t *wanted = json_pack("[I, I]", low, high);
    const char *object = lp_arena_printf(p->arena, "osnc:%s", aid);
    const json_t *is = json_object_get(sch, "PROVPBLIST");
    json_t *op;
    size_t i;

    json_array_foreach(p->ops, i, op)
    {
        const json_t *band = json_object_get(json_object_get(op, "after"), "PASSBANDLIST");

        if (strcmp(lp_json_str(op, "object", ""), object) == 0 && band != NULL
            && strcmp(lp_json_str(op, "action", ""), "set") == 0)
            return json_object_set(expected, "PASSBANDLIST", (json_t *)(uintptr_t)band) == 0;
    }
    return low > 0 && strcmp(lp_json_str(c->intent, "kind", ""), "shutter") == 0 && is != NULL
           && !lp_json_same(is, wanted) && json_object_set(expected, "PASSBANDLIST", wanted) == 0;
}

/* The move would darken it by itself; closed before by a command of its own, it is opened again
 * when the move is undone. */
static enum lp_code
close_before_move(struct fx_planner *p, const struct fx_op *like, const json_t *sch,
                  const json_t *closed)
{
    struct fx_op dark = *like;

    if (strcmp(lp_json_str(sch, "SHUTTERSTATE", ""), "OPEN") != 0)
        return LP_OK;
    dark.phase = LP_PHASE_DARK;
    dark.flags = LP_OP_TRAFFIC;
    dark.purpose = "to move it";
    return fx_edit(p, &dark, sch, closed);
}

/* Channels of a moved circuit may still go and come again: its cross-connect, which is made anew,
 * tells when the move is done. */
static enum lp_code
open_after_move(struct fx_planner *p, const struct circuit *c, const char *port,
                const struct fx_op *like, const json_t *sch, const json_t *expected,
                const json_t *wanted)
{
    json_auto_t *assumed = json_pack("{s:s, s:s}", "ADMIN", "IS", "SHUTTERSTATE", "CLOSED");
    const char *cross = lp_arena_printf(p->arena, "ocrs:%s@%s", port, c->suffix);
    enum lp_code rc = close_before_move(p, like, sch, assumed);

    if (rc == LP_OK)
        rc = wait_for(p, c, LP_PHASE_CONNECT, cross, expected, NULL);
    return rc == LP_OK ? fx_edit(p, like, assumed, wanted) : rc;
}

/* The SCH does not exist yet: it will appear in service and dark. */
static enum lp_code
open_later(struct fx_planner *p, const struct circuit *c, const struct fx_op *like,
           const json_t *wanted)
{
    json_auto_t *assumed = json_pack("{s:s, s:s}", "ADMIN", "IS", "SHUTTERSTATE", "CLOSED");
    json_auto_t *there = json_object();
    enum lp_code rc = LP_OK;

    if (!is_planned(p, like->object,
                    "wait")) /* behind whatever its source makes: any phase later */
        rc = wait_for(p, c, LP_PHASE_CONNECT, like->object, there, NULL);
    return rc == LP_OK ? fx_edit(p, like, assumed, wanted) : rc;
}

static enum lp_code
shutter(struct fx_planner *p, const struct circuit *c, const char *port, bool open)
{
    const json_t *osncs = NULL, *crosses = NULL, *sch = NULL;
    struct fx_op like = {.phase = open ? LP_PHASE_OPEN : LP_PHASE_DARK, .intent = c->id};
    json_auto_t *wanted =
        json_pack("{s:s, s:s}", "SHUTTERSTATE", open ? "OPEN" : "CLOSED", "ADMIN", "IS");
    json_auto_t *expected = json_object();
    const char *aid;
    enum lp_code rc = p->source->all(p->source->ctx, FX_OSNC, &osncs, p->err);

    if (rc == LP_OK)
        rc = p->source->all(p->source->ctx, FX_OCRS, &crosses, p->err);
    if (rc != LP_OK)
        return rc;
    aid = find_sch(p, port, c->suffix, osncs, crosses);
    if (aid == NULL && open)
        rc = find_by_light(p, c, port, &aid);
    if (rc == LP_OK && aid != NULL)
        rc = p->source->get(p->source->ctx, FX_SCH, aid, &sch, p->err);
    if (rc != LP_OK || (sch == NULL && !open))
        return rc;
    like.flags = open ? 0 : LP_OP_TRAFFIC;
    like.object = aid != NULL ? lp_arena_printf(p->arena, "sch:%s", aid)
                              : lp_arena_printf(p->arena, "sch:%s@%s", port, c->suffix);
    if (sch == NULL)
        return open_later(p, c, &like, wanted);
    if (open && (will_be_moved(p, c, aid, sch, expected) || lp_json_true(c->intent, "moved")))
        return open_after_move(p, c, port, &like, sch, expected, wanted);
    return fx_edit(p, &like, sch, wanted);
}

static enum lp_code
plan_shutter(struct fx_planner *p, const json_t *intent)
{
    struct circuit c = {.intent = intent,
                        .id = lp_json_str(intent, "id", ""),
                        .suffix = fx_suffix(p->arena, lp_json_str(intent, "circuit", ""))};
    const char *port = lp_json_str(intent, "port", "");
    enum lp_code rc;

    if (c.suffix == NULL || c.suffix[0] == '\0' || port[0] == '\0')
        return fx_bad_intent(p, intent, LP_INVALID, "a shutter needs port and circuit");
    rc = resolve_port(p, intent, &port);
    if (rc != LP_OK)
        return rc;
    return shutter(p, &c, port, lp_json_true(intent, "present") && lp_json_true(intent, "open"));
}

/* ---- local cross-connects ---- */

static bool
cross_on(const char *key, const char *from, const char *to)
{
    char first[256];
    size_t len = strcspn(key, ",");

    if (key[len] != ',' || len >= sizeof first)
        return false;
    (void)snprintf(first, sizeof first, "%.*s", (int)len, key);
    return fx_sch_on(first, from) && fx_sch_on(key + len + 1, to);
}

static const json_t *
find_manual(const json_t *crosses, const char *suffix, const char **aid)
{
    const char *key;
    json_t *object;

    json_object_foreach((json_t *)(uintptr_t)crosses, key, object)
    {
        if (strcmp(lp_json_str(object, "CKTIDSUFFIX", ""), suffix) == 0
            && strcmp(lp_json_str(object, "SIGTYPE", ""), "SIGNALED") != 0) {
            *aid = key;
            return object;
        }
    }
    return NULL;
}

static enum lp_code
create_cross(struct fx_planner *p, const struct circuit *c, json_t *wanted)
{
    const char *from = NULL, *to = NULL;
    json_auto_t *after = NULL, *there = json_object();
    struct fx_op op = {.phase = LP_PHASE_CONNECT, .action = "create", .intent = c->id};
    enum lp_code rc = free_local(p, c->intent, c->a, c->suffix, &from);

    if (rc == LP_OK)
        rc = free_local(p, c->intent, c->z, c->suffix, &to);
    if (rc != LP_OK)
        return rc;
    (void)lp_json_set_str(wanted, "CKTIDSUFFIX", c->suffix);
    after = fx_creation(FX_OCRS, wanted);
    op.object = lp_arena_printf(p->arena, "ocrs:%s,%s", from, to);
    op.after = after;
    rc = fx_add(p, &op);
    return rc == LP_OK ? wait_for(p, c, LP_PHASE_CONNECT, lp_arena_printf(p->arena, "sch:%s", from),
                                  there, NULL)
                       : rc;
}

static enum lp_code
ensure_cross(struct fx_planner *p, const struct circuit *c, const char *key, const json_t *cross)
{
    json_auto_t *wanted = json_object();
    struct fx_op like = {.phase = LP_PHASE_CONNECT, .intent = c->id, .flags = LP_OP_TRAFFIC};
    enum lp_code rc = signal_attrs(p, c->intent, wanted);

    if (rc == LP_OK && cross == NULL)
        rc = create_cross(p, c, wanted);
    else if (rc == LP_OK) {
        like.object = lp_arena_printf(p->arena, "ocrs:%s", key);
        rc = fx_edit(p, &like, cross, wanted);
    }
    return rc == LP_OK ? shutter(p, c, c->a, true) : rc;
}

static enum lp_code
remove_cross(struct fx_planner *p, const struct circuit *c, const char *key, const json_t *cross)
{
    json_auto_t *was = NULL;
    struct fx_op op = {
        .phase = LP_PHASE_REMOVE, .action = "delete", .intent = c->id, .flags = LP_OP_TRAFFIC};
    enum lp_code rc;

    if (cross == NULL)
        return LP_OK;
    was = fx_creation(FX_OCRS, cross);
    (void)json_object_del(was, "ADMIN");
    op.object = lp_arena_printf(p->arena, "ocrs:%s", key);
    op.before = was;
    rc = shutter(p, c, c->a, false);
    if (rc == LP_OK)
        rc = fx_add(p, &op);
    return rc == LP_OK ? wait_for(p, c, LP_PHASE_REMOVE, op.object, NULL, NULL) : rc;
}

static enum lp_code
plan_cross(struct fx_planner *p, const json_t *intent)
{
    struct circuit c = {.intent = intent,
                        .id = lp_json_str(intent, "id", ""),
                        .suffix = fx_suffix(p->arena, lp_json_str(intent, "name", "")),
                        .a = lp_json_str(intent, "from", ""),
                        .z = lp_json_str(intent, "to", ""),
                        .z_node = p->source->tid};
    const json_t *crosses = NULL, *cross;
    const char *key = NULL;
    enum lp_code rc;

    if (c.suffix == NULL || c.suffix[0] == '\0' || c.a[0] == '\0' || c.z[0] == '\0')
        return fx_bad_intent(p, intent, LP_INVALID, "a cross-connect needs name, from and to");
    if (fx_port_letter(c.z) == 'S') { /* the system port comes first */
        const char *a = c.a;

        c.a = c.z;
        c.z = a;
    }
    rc = p->source->all(p->source->ctx, FX_OCRS, &crosses, p->err);
    if (rc != LP_OK)
        return rc;
    cross = find_manual(crosses, c.suffix, &key);
    if (cross != NULL && !cross_on(key, c.a, c.z))
        return fx_bad_intent(p, intent, LP_CONFLICT,
                             lp_arena_printf(p->arena,
                                             "cross-connect %s exists as %s, not between "
                                             "%s and %s",
                                             c.suffix, key, c.a, c.z));
    return lp_json_true(intent, "present") ? ensure_cross(p, &c, key, cross)
                                           : remove_cross(p, &c, key, cross);
}

/* ---- power ---- */

/* A line system aligns nothing by itself: what can be planned is to wait until the power fits. */
static enum lp_code
plan_power(struct fx_planner *p, const json_t *intent)
{
    const char *port = lp_json_str(intent, "port", "");
    const char *suffix = fx_suffix(p->arena, lp_json_str(intent, "circuit", ""));
    int64_t tolerance = lp_json_int(intent, "tolerance_cdb", 150), difference;
    const json_t *power = NULL;
    json_auto_t *after = NULL;
    struct fx_op op = {.phase = LP_PHASE_ALIGN, .action = "wait"};
    enum lp_code rc;

    if (!lp_json_true(intent, "present"))
        return LP_OK;
    rc = resolve_port(p, intent, &port);
    if (rc != LP_OK)
        return rc;
    rc = p->source->power(p->source->ctx, port, suffix, &power, p->err);
    if (rc != LP_OK && rc != LP_NOT_FOUND)
        return rc;
    difference = lp_json_int(power, "difference_cdb", INT32_MAX);
    if (rc == LP_OK && difference >= -tolerance && difference <= tolerance)
        return LP_OK;
    lp_err_clear(p->err);
    after = json_pack("{s:I}", "tolerance_cdb", (json_int_t)tolerance);
    op.object = lp_arena_printf(p->arena, "power:%s@%s", port, suffix);
    op.intent = lp_json_str(intent, "id", "");
    op.after = after;
    op.text = lp_arena_printf(p->arena,
                              "wait until the received power of %s at %s is within "
                              "%lld.%02lld dB of its target",
                              suffix, port, (long long)tolerance / 100, (long long)tolerance % 100);
    return fx_add(p, &op);
}

struct kind {
    const char *name;
    enum lp_code (*plan)(struct fx_planner *, const json_t *);
};

static enum lp_code
plan_kind(struct fx_planner *p, const struct kind *kind, bool present)
{
    enum lp_code rc = LP_OK;
    json_t *intent;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
    {
        if (strcmp(lp_json_str(intent, "kind", ""), kind->name) != 0
            || lp_json_true(intent, "present") != present)
            continue;
        p->later = !present && lp_json_true(intent, "retire") ? LP_PHASE_LATER : 0;
        rc = kind->plan(p, intent);
        p->later = 0;
        if (rc != LP_OK)
            break;
    }
    return rc;
}

/* What shall be there comes first, so that what goes knows which routes are needed afterwards. */
enum lp_code
fx_plan_circuits(struct fx_planner *p)
{
    static const struct kind kinds[] = {
        {"circuit", plan_circuit},
        {"cross-connect", plan_cross},
        {"shutter", plan_shutter},
        {"power", plan_power},
    };
    enum lp_code rc = LP_OK;

    for (size_t k = 0; k < LP_COUNT(kinds) && rc == LP_OK; k++) {
        rc = plan_kind(p, &kinds[k], true);
        if (rc == LP_OK)
            rc = plan_kind(p, &kinds[k], false);
    }
    return rc;
}
