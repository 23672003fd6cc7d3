/* Cross-connects of clients with lines. The element stores them either way round; here a
 * cross-connect belongs to its client. */
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/g30/g30.h"

const char g30_crs_path[] = "/data/ne:ne/services/CRS";
static const struct lp_restconf_query list = {.content = LP_RESTCONF_CONTENT_CONFIG, .depth = 2};

static const char *
rate_of(const char *container)
{
    return strcmp(container, "eth400g") == 0 ? "400GE" : "100GE";
}

static json_t *
normal(struct lp_arena *arena, const struct g30_crs *crs)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "line",
                     g30_port_name(arena, &crs->line.port), "rate", rate_of(crs->client.container),
                     "label", crs->label, "line_tp", crs->line_tp, "client_tp", crs->client_tp,
                     "client_first", (int)(crs->src == crs->client_tp));
}

static bool
is_port(struct lp_arena *arena, const struct g30_port *port, const char *name)
{
    const char *own = g30_port_name(arena, port);

    return own != NULL && strcmp(own, name) == 0;
}

enum lp_code
g30_xc_read(const struct ir_source *source, struct lp_arena *arena, const char *client,
            json_t **out, struct lp_err *err)
{
    json_auto_t *all = NULL;
    struct g30_crs crs;
    json_t *entry;
    size_t i;
    enum lp_code rc = source->get(source->ctx, g30_crs_path, &list, &all, err);

    *out = NULL;
    json_array_foreach(all, i, entry)
    {
        if (*out == NULL && g30_crs_of(entry, &crs) && is_port(arena, &crs.client.port, client))
            *out = normal(arena, &crs);
    }
    return rc;
}

/* ---- writing ---- */

static const char *
crs_instance(struct lp_arena *arena, const char *src, const char *dst)
{
    return lp_arena_printf(arena, "%s=%s,%s", g30_crs_path, ir_encode(arena, src),
                           ir_encode(arena, dst));
}

static enum lp_code
patch(struct lp_arena *arena, const char *src, const char *dst, const char *label,
      struct ir_request *request, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:[{s:s, s:s, s:s}]}", "ne:CRS", "src-tp", src, "dst-tp", dst,
                                  "service-label", label);
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);

    *request = (struct ir_request){.method = "PATCH",
                                   .path = crs_instance(arena, src, dst),
                                   .body = text != NULL ? lp_arena_strdup(arena, text) : NULL};
    free(text);
    return request->body != NULL && request->path != NULL
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for a request");
}

/* {tp: true} of every termination point that is part of a cross-connect. */
static enum lp_code
used_points(const struct ir_source *source, json_t *used, struct lp_err *err)
{
    json_auto_t *all = NULL;
    json_t *entry;
    size_t i;
    enum lp_code rc = source->get(source->ctx, g30_crs_path, &list, &all, err);

    json_array_foreach(all, i, entry)
    {
        (void)json_object_set_new(used, lp_json_str(entry, "src-tp", ""), json_true());
        (void)json_object_set_new(used, lp_json_str(entry, "dst-tp", ""), json_true());
    }
    return rc;
}

/* The client's container appears with its port mode. */
static enum lp_code
check_client(const struct ir_source *source, struct lp_arena *arena, const char *client,
             const char *container, struct lp_err *err)
{
    static const struct lp_restconf_query query = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 2};
    json_auto_t *port = NULL;
    const char *path = g30_port_path(arena, client);
    enum lp_code rc;

    if (path == NULL || container == NULL)
        return lp_fail(err, LP_INVALID, "%s: '%.40s' is no client port, or has no such rate",
                       source->name, client);
    rc = source->get(source->ctx, path, &query, &port, err);
    if (rc == LP_OK && ir_member(port, container) == NULL)
        rc = lp_fail(err, LP_RETRYABLE, "%s: client port %s has no %s (yet)", source->name, client,
                     container);
    return rc;
}

static enum lp_code
choose(const struct ir_source *source, struct lp_arena *arena, const char *line, const char *type,
       const char *preferred, const char **out, struct lp_err *err)
{
    static const struct lp_restconf_query deep = {.content = LP_RESTCONF_CONTENT_CONFIG,
                                                  .depth = 4};
    json_auto_t *used = json_object(), *och = NULL;
    const char *path = g30_port_path(arena, line);
    struct g30_port port;
    enum lp_code rc;

    if (path == NULL || type == NULL || !g30_port_parse(line, &port))
        return lp_fail(err, LP_INVALID, "%s: '%.40s' is no line port", source->name, line);
    rc = used_points(source, used, err);
    if (rc == LP_OK)
        rc = source->get(source->ctx, lp_arena_printf(arena, "%s/och-os", path), &deep, &och, err);
    if (rc != LP_OK)
        return rc;
    *out = g30_free_odu(arena, &port, och, type, used, preferred);
    if (*out != NULL)
        return LP_OK;
    rc = lp_fail(err, LP_CONFLICT, "%s: line port %s has no free %s", source->name, line, type);
    err->detail =
        json_pack("{s:s, s:s, s:s}", "code", "OPT-051", "device", source->name, "port", line);
    return rc;
}

/* What an earlier attempt chose, or what was there before, is taken again when it is free. */
static enum lp_code
create(const struct ir_source *source, struct lp_arena *arena, const json_t *operation,
       json_t *produced, struct ir_request *request, struct lp_err *err)
{
    const json_t *after = json_object_get(operation, "after");
    const char *client = strchr(lp_json_str(operation, "object", ":"), ':') + 1;
    const char *line = lp_json_str(after, "line", ""), *rate = lp_json_str(after, "rate", "");
    const char *type = g30_odu_type(rate), *line_tp = NULL, *client_tp;
    bool client_first = lp_json_true(after, "client_first");
    struct g30_port port;
    enum lp_code rc = check_client(source, arena, client, g30_container(rate), err);

    if (rc == LP_OK)
        rc = choose(source, arena, line, type,
                    lp_json_str(produced, "line_tp", lp_json_str(after, "line_tp", NULL)), &line_tp,
                    err);
    if (rc != LP_OK || !g30_port_parse(client, &port))
        return rc;
    client_tp = lp_json_str(after, "client_tp", NULL);
    if (client_tp == NULL)
        client_tp = g30_client_tp(arena, &port, g30_container(rate), type);
    (void)lp_json_set_str(produced, "line_tp", line_tp);
    (void)lp_json_set_str(produced, "client_tp", client_tp);
    return patch(arena, client_first ? client_tp : line_tp, client_first ? line_tp : client_tp,
                 lp_json_str(after, "label", ""), request, err);
}

enum lp_code
g30_xc_write(const struct ir_source *source, struct lp_arena *arena, const json_t *operation,
             const json_t *actual, json_t *produced, struct ir_request requests[static IR_REQUESTS],
             size_t *count, struct lp_err *err)
{
    const char *action = lp_json_str(operation, "action", "");
    const json_t *after = json_object_get(operation, "after");
    const json_t *known = actual != NULL ? actual : json_object_get(operation, "before");
    const char *line_tp = lp_json_str(known, "line_tp", "*");
    const char *client_tp = lp_json_str(known, "client_tp", "*");
    bool client_first = lp_json_true(known, "client_first");
    const char *src = client_first ? client_tp : line_tp, *dst = client_first ? line_tp : client_tp;

    *count = 1;
    if (strcmp(action, "create") == 0 && source != NULL)
        return create(source, arena, operation, produced, &requests[0], err);
    if (strcmp(action, "delete") == 0) {
        requests[0] =
            (struct ir_request){.method = "DELETE", .path = crs_instance(arena, src, dst)};
        return LP_OK;
    }
    if (strcmp(action, "create") == 0) /* the preview: which ODU shows when it is made */
        return patch(arena, lp_json_str(after, "line_tp", "*"),
                     lp_json_str(after, "client_tp", "*"), lp_json_str(after, "label", ""),
                     &requests[0], err);
    return patch(arena, src, dst, lp_json_str(after, "label", ""), &requests[0], err);
}

/* ---- planning ---- */

/* Its mapping is made by the factory: cross-connects are neither made nor removed. */
static enum lp_code
fixed_mapping(struct ir_planner *p, const char *client, bool *out)
{
    const char *card = g30_card_of(p->arena, client);
    const json_t *object = NULL;
    enum lp_code rc = ir_get(p, ir_ref(p->arena, "card", card), &object);

    *out = strcmp(lp_json_str(object, "required-type", ""), "CHM1") == 0;
    return rc;
}

static enum lp_code
check(struct ir_planner *p, const json_t *intent)
{
    struct g30_port port;

    if (!g30_port_parse(lp_json_str(intent, "client", ""), &port))
        return ir_bad_intent(p, intent, LP_INVALID, "its client is no port");
    if (lp_json_true(intent, "present") && g30_odu_type(lp_json_str(intent, "rate", "")) == NULL)
        return ir_bad_intent(p, intent, LP_INVALID, "its rate is 100GE or 400GE");
    return LP_OK;
}

/* Of several lines the first one that has room now; a line whose mode changes counts as empty. */
static enum lp_code
pick_line(struct ir_planner *p, const json_t *intent, const json_t *moving, const char **out)
{
    const json_t *lines = json_object_get(intent, "lines");
    const char *type = g30_odu_type(lp_json_str(intent, "rate", "")), *tp;
    struct ir_source source;
    struct g30_port a, b;
    enum lp_code rc;
    json_t *item;
    size_t i;

    *out = NULL;
    ir_planner_source(p, &source);
    json_array_foreach((json_t *)(uintptr_t)lines, i, item)
    {
        const char *name = json_is_string(item) ? json_string_value(item) : "";

        if (*out != NULL)
            break;
        rc = json_object_get(moving, name) != NULL
                 ? LP_OK
                 : choose(&source, p->arena, name, type, NULL, &tp, p->err);
        if (rc == LP_OK)
            *out = name;
        else if (rc != LP_CONFLICT) /* not known to be full: it could not be asked */
            return rc;
        lp_err_clear(p->err);
    }
    if (*out == NULL)
        *out = lp_json_str(intent, "line", json_string_value(json_array_get(lines, 0)));
    if (*out == NULL || !g30_port_parse(*out, &a)
        || !g30_port_parse(lp_json_str(intent, "client", ""), &b))
        return ir_bad_intent(p, intent, LP_INVALID, "its line is no port");
    if (a.shelf != b.shelf || a.slot != b.slot)
        return ir_bad_intent(p, intent, LP_INVALID, "client and line must be on the same card");
    return LP_OK;
}

static json_t *
wanted(struct ir_planner *p, const json_t *intent, const char *line)
{
    (void)p;
    return json_pack("{s:s, s:s, s:s}", "line", line, "rate", lp_json_str(intent, "rate", ""),
                     "label", lp_json_str(intent, "label", lp_json_str(intent, "name", "")));
}

static const struct ir_xc_rules rules = {check, fixed_mapping, pick_line, wanted};

/* A cross-connect that nobody speaks of keeps a port from changing its mode. */
static enum lp_code
clear_the_way(struct ir_planner *p, const struct g30_crs *crs, const json_t *moving)
{
    const char *client = g30_port_name(p->arena, &crs->client.port);
    const char *line = g30_port_name(p->arena, &crs->line.port);
    const char *object = ir_ref(p->arena, "xc", client);
    const char *port = json_object_get(moving, line) != NULL ? line : client;
    bool fixed = false;
    enum lp_code rc;

    if (json_object_get(moving, port) == NULL || json_object_get(p->state, object) != NULL)
        return LP_OK; /* planned already */
    rc = fixed_mapping(p, client, &fixed);
    if (rc != LP_OK || fixed)
        return rc;
    if (!p->take_over)
        return lp_fail(p->err, LP_CONFLICT,
                       "%s: %s cannot change its mode, %s is connected to %s (%s)", p->source->name,
                       port, client, line, crs->label);
    return ir_xc_remove(p, client,
                        lp_json_str(ir_wished(p, ir_ref(p->arena, "port", port)), "intent", ""));
}

enum lp_code
g30_plan_xc(struct ir_planner *p, const json_t *moving)
{
    const json_t *all = NULL;
    enum lp_code rc = ir_plan_xc(p, &rules, moving);
    struct g30_crs crs;
    json_t *item;
    size_t i;

    if (rc == LP_OK && json_object_size(moving) > 0)
        rc = ir_ask(p, g30_crs_path, &list, &all);
    json_array_foreach((json_t *)(uintptr_t)all, i, item)
    {
        if (rc == LP_OK && g30_crs_of(item, &crs))
            rc = clear_the_way(p, &crs, moving);
    }
    return rc;
}
