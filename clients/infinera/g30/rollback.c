/* Rollback points of a G30: the whole configuration at one moment, what has changed since, and the
 * way back. The way back is taken only where nothing but what is named has changed. */
#include <string.h>

#include "clients/infinera/g30/g30.h"
#include "clients/infinera/rest/link.h"

#define CHANGES_MAX 1000 /* told of one difference */
#define DEPTH_MAX   32

/* ---- differences: a subtree whose changed nodes carry metadata (RFC 7952) ---- */

struct walk {
    struct lp_arena *arena;
    json_t *changes;
};

static const struct {
    const char *list;
    const char *keys[2];
} lists[] = {
    {"shelf", {"shelf-id"}},       {"slot", {"slot-id"}},       {"port", {"port-id"}},
    {"subslot", {"subslot-id"}},   {"subport", {"subport-id"}}, {"amplifier", {"amplifier-name"}},
    {"CRS", {"src-tp", "dst-tp"}},
};

static const char *
plain(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon != NULL ? colon + 1 : name;
}

/* "shelf=1" of an entry; a list that nobody here knows stays as a whole. */
static const char *
entry_name(struct lp_arena *arena, const char *list, const json_t *entry)
{
    const char *name = list;

    for (size_t i = 0; i < LP_COUNT(lists); i++) {
        if (strcmp(lists[i].list, plain(list)) != 0)
            continue;
        for (size_t k = 0; k < LP_COUNT(lists[i].keys) && lists[i].keys[k] != NULL; k++)
            name = lp_arena_printf(arena, "%s%s%s", name, k == 0 ? "=" : ",",
                                   ir_encode(arena, ir_text(arena, entry, lists[i].keys[k], "")));
    }
    return name;
}

/* What was not looked at is nobody's, hence somebody else's: it lies below none of our objects. */
static void
not_all(const struct walk *w)
{
    if (json_array_size(w->changes) <= CHANGES_MAX)
        (void)json_array_append_new(w->changes,
                                    json_pack("{s:s, s:s}", "path", "/", "operation", "more"));
}

static void
add_change(const struct walk *w, const char *path, const json_t *metadata, const json_t *is)
{
    if (json_array_size(w->changes) >= CHANGES_MAX)
        not_all(w);
    else
        (void)json_array_append_new(w->changes,
                                    json_pack("{s:s, s:s, s:O?, s:O?}", "path", path, "operation",
                                              ir_text(w->arena, metadata, "operation", "replace"),
                                              "was", ir_member(metadata, "old-value"), "is", is));
}

static void walk_object(const struct walk *w, const char *path, const json_t *object,
                        unsigned depth);

static void
walk_member(const struct walk *w, const char *path, const json_t *object, const char *name,
            json_t *value, unsigned depth)
{
    const char *own = lp_arena_printf(w->arena, "%s/%s", path, name);
    const json_t *metadata = json_object_get(object, lp_arena_printf(w->arena, "@%s", plain(name)));
    json_t *entry;
    size_t i;

    if (metadata == NULL)
        metadata = json_object_get(object, lp_arena_printf(w->arena, "@%s", name));
    if (json_is_object(value)) {
        walk_object(w, own, value, depth + 1);
    } else if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
        json_array_foreach(value, i, entry) walk_object(
            w, lp_arena_printf(w->arena, "%s/%s", path, entry_name(w->arena, name, entry)), entry,
            depth + 1);
    } else if (metadata != NULL) {
        add_change(w, own, metadata, value);
    }
}

/* A leaf that is gone has nothing but its metadata; one without any is there for orientation. */
static void
walk_object(const struct walk *w, const char *path, const json_t *object, unsigned depth)
{
    const char *name;
    json_t *value;

    if (path == NULL || depth > DEPTH_MAX) {
        not_all(w);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (name[0] != '@')
            walk_member(w, path, object, name, value, depth);
        else if (name[1] == '\0')
            add_change(w, path, value, NULL);
        else if (json_object_get(object, name + 1) == NULL)
            add_change(w, lp_arena_printf(w->arena, "%s/%s", path, name + 1), value, NULL);
    }
}

json_t *
g30_changes(struct lp_arena *arena, const json_t *differences)
{
    struct walk w = {.arena = arena, .changes = json_array()};

    walk_object(&w, "", differences, 0);
    return w.changes;
}

/* ---- whose changes they are ---- */

static bool
is_below(const char *path, const char *top)
{
    size_t len = strlen(top);

    return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* A cross-connect stands at both of its ends; what a client is connected by is known by the client.
 */
static bool
is_connection_of(struct lp_arena *arena, const char *path, const char *client)
{
    static const char crs[] = "/ne:ne/services/CRS=";
    struct g30_port port;
    const char *end;

    if (strncmp(path, crs, sizeof crs - 1) != 0 || !g30_port_parse(client, &port))
        return false;
    end = ir_encode(arena, lp_arena_printf(arena,
                                           "/shelf[shelf-id='%u']/slot[slot-id='%u']/card/"
                                           "port[port-id='%u']/eth",
                                           port.shelf, port.slot, port.port));
    return end != NULL && strstr(path, end) != NULL;
}

bool
g30_change_is_of(struct lp_arena *arena, const char *path, const char *reference)
{
    struct lp_err ignored = LP_ERR_INIT;
    struct ir_place place = {0};
    const char *client = NULL;
    bool is = false;

    if (ir_reference(reference, "xc", &client))
        return is_connection_of(arena, path, client);
    if (g30_platform.locate(arena, reference, &place, &ignored) == LP_OK)
        is = is_below(path, place.path + strlen("/data"));
    lp_err_clear(&ignored);
    return is;
}

/* The paths of changes on nothing that is named. New reference. */
static json_t *
foreign(struct lp_arena *arena, const json_t *changes, const json_t *objects)
{
    json_t *out = json_array(), *change, *object;
    size_t i, k;

    json_array_foreach((json_t *)(uintptr_t)changes, i, change)
    {
        const char *path = lp_json_str(change, "path", "");
        bool ours = false;

        json_array_foreach((json_t *)(uintptr_t)objects, k, object) ours |=
            g30_change_is_of(arena, path, json_string_value(object));
        if (!ours)
            (void)json_array_append_new(out, json_string(path));
    }
    return out;
}

/* ---- functions of struct lp_driver ---- */

enum lp_code
g30_rollback_point(struct lp_ne *ne, const struct lp_call *call, const char *description,
                   json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *answer = NULL;
    int64_t id = 0;
    enum lp_code rc = ir_verify_identity(r, err);

    if (rc == LP_OK)
        rc = ir_rpc(r, "coriant-rpc:create-rollback-point",
                    json_pack("{s:s%}", "description", description,
                              strlen(description) < 200 ? strlen(description) : 200),
                    false, &answer, err);
    if (rc == LP_OK)
        rc = ir_operation_outcome(ne->element->name, answer, err);
    if (rc == LP_OK)
        id = lp_json_int(answer, "created-rollback-point-id", 0);
    if (rc == LP_OK && id == 0)
        rc = lp_fail(err, LP_PROTOCOL, "%s does not say which rollback point it made",
                     ne->element->name);
    if (rc == LP_OK)
        *out = json_pack("{s:I}", "id", (json_int_t)id);
    r->call = NULL;
    return rc;
}

static enum lp_code
changes_since(struct ir_ne *r, int64_t id, json_t **out, struct lp_err *err)
{
    json_auto_t *answer = NULL;
    const json_t *differences = NULL;
    enum lp_code rc =
        ir_rpc(r, "coriant-rpc:diff", json_pack("{s:I}", "target-rollback-point", (json_int_t)id),
               true, &answer, err);

    if (rc == LP_OK)
        rc = ir_operation_outcome(r->ne.element->name, answer, err);
    if (rc == LP_OK)
        differences = ir_member(answer, "differences");
    if (differences != NULL && !json_is_null(differences) && !json_is_object(differences))
        rc = lp_fail(err, LP_PROTOCOL, "%s tells differences that nobody understands",
                     r->ne.element->name);
    if (rc == LP_OK)
        *out = g30_changes(r->call->arena, differences);
    return rc;
}

enum lp_code
g30_rollback_diff(struct lp_ne *ne, const struct lp_call *call, const json_t *point, json_t **out,
                  struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *changes = NULL;
    int64_t id = lp_json_int(point, "id", 0);
    enum lp_code rc = changes_since(r, id, &changes, err);

    if (rc == LP_OK)
        *out = json_pack("{s:I, s:O}", "id", (json_int_t)id, "changes", changes);
    r->call = NULL;
    return rc;
}

static enum lp_code
refuse_foreign(const struct ir_ne *r, const json_t *others, struct lp_err *err)
{
    enum lp_code rc =
        lp_fail(err, LP_CONFLICT,
                "%s: the rollback point would undo more than this process did: %.120s changed, too",
                r->ne.element->name, json_string_value(json_array_get(others, 0)));

    err->detail = json_pack("{s:O}", "foreign", others);
    return rc;
}

enum lp_code
g30_rollback(struct lp_ne *ne, const struct lp_call *call, const json_t *point,
             const json_t *objects, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    int64_t id = lp_json_int(point, "id", 0);
    json_auto_t *changes = NULL, *others = NULL, *answer = NULL, *left = NULL;
    enum lp_code rc = ir_verify_identity(r, err);

    if (rc == LP_OK)
        rc = changes_since(r, id, &changes, err);
    others = foreign(call->arena, changes, objects);
    if (rc == LP_OK && json_array_size(others) > 0)
        rc = refuse_foreign(r, others, err);
    if (rc == LP_OK && json_array_size(changes) > 0) {
        rc = ir_rpc(r, "coriant-rpc:rollback",
                    json_pack("{s:I}", "target-rollback-point", (json_int_t)id), false, &answer,
                    err);
        if (rc == LP_OK)
            rc = ir_operation_outcome(ne->element->name, answer, err);
        if (rc == LP_OK)
            rc = changes_since(r, id, &left, err);
        if (rc == LP_OK && json_array_size(left) > 0)
            rc = lp_fail(err, LP_UNKNOWN, "%s does not hold (yet) what it was rolled back to",
                         ne->element->name);
    }
    r->call = NULL;
    return rc;
}
