/* The way to an element over RESTCONF. */
#include "clients/infinera/rest/link.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading and writing ---- */

/* A leaf that has its default is told like any other: one that is left out would be a difference
 * that no write ends. */
static enum lp_code
get_http(struct ir_ne *r, const char *path, const struct lp_restconf_query *query, json_t **out,
         struct lp_err *err)
{
    struct lp_restconf_query all = query != NULL ? *query : (struct lp_restconf_query){0};
    enum lp_code rc;

    if (all.with_defaults == LP_RESTCONF_DEFAULTS_UNSET)
        all.with_defaults = LP_RESTCONF_DEFAULTS_REPORT_ALL;
    rc = lp_restconf_get(r->http, r->call, path, &all, out, err);

    if (rc != LP_NOT_FOUND)
        return rc;
    lp_err_clear(err);
    *out = NULL;
    return LP_OK;
}

static const struct {
    const char *name;
    enum lp_restconf_method method;
} methods[] = {
    {"GET", LP_RESTCONF_GET},     {"POST", LP_RESTCONF_POST},     {"PUT", LP_RESTCONF_PUT},
    {"PATCH", LP_RESTCONF_PATCH}, {"DELETE", LP_RESTCONF_DELETE},
};

static bool
method_of(const char *name, size_t len, enum lp_restconf_method *out)
{
    for (size_t i = 0; i < LP_COUNT(methods); i++) {
        if (strlen(methods[i].name) == len && strncmp(methods[i].name, name, len) == 0) {
            *out = methods[i].method;
            return true;
        }
    }
    return false;
}

static enum lp_code
send_http(struct ir_ne *r, const struct ir_request *request, bool reads, json_t **out,
          struct lp_err *err)
{
    struct lp_restconf_request http = {
        .path = request->path, .reads = reads, .timeout_ms = request->timeout_ms};
    struct lp_restconf_reply reply = {0};
    json_auto_t *body = NULL;
    enum lp_code rc = LP_OK;

    if (!method_of(request->method, strlen(request->method), &http.method))
        return lp_fail(err, LP_INTERNAL, "no method %s", request->method);
    if (request->body != NULL)
        rc = lp_json_load(request->body, strlen(request->body), &body, err);
    if (rc != LP_OK)
        return rc;
    http.body = body;
    rc = lp_restconf_send(r->http, r->call, &http, &reply, err);
    if (rc == LP_OK && out != NULL)
        *out = reply.body != NULL ? json_incref(reply.body) : json_object();
    lp_restconf_reply_free(&reply);
    return rc;
}

static enum lp_code
get_source(void *ctx, const char *path, const struct lp_restconf_query *query, json_t **out,
           struct lp_err *err)
{
    struct ir_ne *r = ctx;

    *out = NULL;
    return path != NULL ? r->get(r, path, query, out, err)
                        : lp_fail(err, LP_NOMEM, "no memory for a path");
}

static enum lp_code
rpc_source(void *ctx, const char *rpc, json_t *input, json_t **out, struct lp_err *err)
{
    return ir_rpc(ctx, rpc, input, true, out, err);
}

void
ir_source_of(struct ir_ne *r, struct ir_source *out)
{
    *out = (struct ir_source){r, r->ne.element->name, get_source, rpc_source};
}

enum lp_code
ir_rpc(struct ir_ne *r, const char *rpc, json_t *input, bool reads, json_t **out,
       struct lp_err *err)
{
    const char *colon = strchr(rpc, ':');
    const char *module =
        lp_arena_strndup(r->call->arena, rpc, colon != NULL ? (size_t)(colon - rpc) : 0);
    json_auto_t *body = json_pack(
        "{s:o}", lp_arena_printf(r->call->arena, "%s:input", module != NULL ? module : ""), input);
    char *text = json_dumps(body, JSON_COMPACT);
    const struct ir_request request = {
        .method = "POST",
        .path = lp_arena_printf(r->call->arena, "/operations/%s", rpc),
        .body = text,
    };
    enum lp_code rc = text != NULL && request.path != NULL
                          ? r->send(r, &request, reads, out, err)
                          : lp_fail(err, LP_NOMEM, "no memory for a request");

    free(text);
    return rc;
}

/* ---- opening ---- */

enum lp_code
ir_open(const struct ir_kind_of_ne *kind, struct lp_driver_host *host,
        const struct lp_element *element, struct lp_ne **out, struct lp_err *err)
{
    struct lp_arena *memory = lp_arena_new();
    struct ir_ne *r = memory != NULL ? lp_arena_alloc(memory, sizeof *r) : NULL;
    enum lp_code rc;

    if (r == NULL) {
        lp_arena_free(memory);
        return lp_fail(err, LP_NOMEM, "no memory for an element");
    }
    r->memory = memory;
    r->platform = kind->platform;
    r->identify = kind->identify;
    r->get = get_http;
    r->send = send_http;
    rc = lp_restconf_new(host, element, kind->profile, &r->http, err);
    if (rc != LP_OK) {
        lp_arena_free(memory);
        return rc;
    }
    r->ne = (struct lp_ne){.driver = lp_driver_of(kind->platform->driver),
                           .host = host,
                           .element = lp_restconf_element(r->http),
                           .priv = r};
    *out = &r->ne;
    return LP_OK;
}

void
ir_close(struct lp_ne *ne)
{
    struct ir_ne *r;

    if (ne == NULL)
        return;
    r = ne->priv;
    json_decref(r->conditions);
    json_decref(r->pending);
    lp_restconf_free(r->http);
    lp_arena_free(r->memory);
}

/* ---- commands as typed ---- */

/* "PATCH /data/... {json}" taken apart; the body may be missing. */
static bool
split_raw(const char *text, enum lp_restconf_method *method, struct lp_buf *path, const char **body)
{
    size_t len;

    while (*text == ' ' || *text == '\n' || *text == '\t')
        text++;
    len = strcspn(text, " \t\n");
    if (!method_of(text, len, method))
        return false;
    text += len + strspn(text + len, " \t\n");
    len = strcspn(text, " \t\n");
    if (text[0] != '/' || len >= LP_RESTCONF_MAX_PATH)
        return false;
    lp_buf_add(path, text, len);
    *body = text + len + strspn(text + len, " \t\n");
    return true;
}

bool
ir_raw_writes(const char *text)
{
    struct lp_buf path = LP_BUF_INIT;
    enum lp_restconf_method method;
    const char *body = "";
    bool reads =
        split_raw(text, &method, &path, &body) && method == LP_RESTCONF_GET && body[0] == '\0';

    lp_buf_free(&path);
    return !reads;
}

static json_t *
raw_document(const struct lp_restconf_reply *reply)
{
    json_t *parsed = NULL, *out;
    struct lp_err ignored = LP_ERR_INIT;
    const char *text = reply->text != NULL ? reply->text : "";

    out = json_pack("{s:i, s:s}", "status", reply->status, "text", text);
    if (out == NULL)
        out = json_pack("{s:i, s:s}", "status", reply->status, "text", "(no text)");
    if (lp_json_load(text, strlen(text), &parsed, &ignored) == LP_OK)
        (void)json_object_set_new(out, "messages", json_pack("[o]", parsed));
    lp_err_clear(&ignored);
    return out;
}

/* An answer is what was asked for, be it a refusal. */
enum lp_code
ir_raw(struct lp_ne *ne, const struct lp_call *call, const char *text, json_t **out,
       struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    struct lp_restconf_request request = {.unchecked = true};
    struct lp_restconf_reply reply = {0};
    struct lp_buf path = LP_BUF_INIT;
    json_auto_t *body = NULL;
    const char *rest = "";
    enum lp_code rc = LP_OK;

    if (!split_raw(text, &request.method, &path, &rest) || path.failed)
        rc = lp_fail(err, LP_INVALID,
                     "type a method, a path that begins with /data or /operations, and a JSON "
                     "body where it needs one");
    if (rc == LP_OK && rest[0] != '\0')
        rc = lp_json_load(rest, strlen(rest), &body, err);
    request.path = path.data;
    request.body = body;
    if (rc == LP_OK)
        rc = lp_restconf_send(r->http, call, &request, &reply, err);
    if (reply.status != 0) {
        lp_err_clear(err);
        *out = raw_document(&reply);
        rc = *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an answer");
    }
    lp_restconf_reply_free(&reply);
    lp_buf_free(&path);
    r->call = NULL;
    return rc;
}
