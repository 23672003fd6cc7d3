/* What an element answers to a request: data resources, operations, authentication. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "sim/rest/web.h"

void
sim_web_json(struct sim_web_answer *answer, int status, json_t *value)
{
    answer->status = status;
    lp_buf_json(&answer->body, value);
    json_decref(value);
}

void
sim_web_refuse(struct sim_web_answer *answer, const struct sim_why *why)
{
    sim_web_json(answer, why->status, sim_why_json(why));
}

void
sim_web_answer_free(struct sim_web_answer *answer)
{
    lp_buf_free(&answer->headers);
    lp_buf_free(&answer->body);
}

static void
refuse(struct sim_web_answer *answer, int status, const char *tag, const char *text)
{
    struct sim_why why;

    (void)sim_refuse(&why, status, tag, "%s", text);
    sim_web_refuse(answer, &why);
}

/* ---- who asks ---- */

void
sim_web_token(struct sim_net *net, struct sim_box *box, int64_t life_ms, char out[static 33])
{
    json_t *tokens = json_object_get(box->extra, "tokens");
    unsigned char bytes[16];
    size_t i;

    lp_random(bytes, sizeof bytes);
    for (i = 0; i < sizeof bytes; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    if (tokens == NULL) {
        tokens = json_object();
        (void)json_object_set_new(box->extra, "tokens", tokens);
    }
    (void)json_object_set_new(tokens, out, json_integer(net->now_us + life_ms * 1000));
}

static bool
token_valid(const struct sim_net *net, const struct sim_box *box, const char *token)
{
    return lp_json_int(json_object_get(box->extra, "tokens"), token, 0) > net->now_us;
}

static int
base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

static void
base64_decode(const char *text, char *out, size_t size)
{
    size_t n = 0;
    unsigned bits = 0;
    int have = 0;

    for (; base64_value(*text) >= 0 && n + 1 < size; text++) {
        bits = (bits << 6 | (unsigned)base64_value(*text)) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 0xff);
        }
    }
    out[n] = '\0';
}

bool
sim_box_password(const struct sim_net *net, const struct sim_box *box, const char *user,
                 const char *password)
{
    size_t i;

    if (box->password != NULL)
        return lp_same_secret(box->password, password)
               && (box->user == NULL || strcmp(box->user, user) == 0);
    for (i = 0; i < net->user_count; i++)
        if (strcmp(net->users[i].name, user) == 0)
            return lp_same_secret(net->users[i].password, password);
    return false;
}

static bool
basic_valid(const struct sim_net *net, const struct sim_box *box, const char *value)
{
    char pair[512], *colon;

    base64_decode(value, pair, sizeof pair);
    colon = strchr(pair, ':');
    if (colon == NULL)
        return false;
    *colon = '\0';
    return sim_box_password(net, box, pair, colon + 1);
}

static bool
authentic(const struct sim_net *net, const struct sim_box *box, const struct sim_http_request *r)
{
    const char *given = sim_http_header(r, "Authorization"), *cookie = sim_http_header(r, "Cookie");
    char token[33];

    if (cookie != NULL && (cookie = strstr(cookie, "session=")) != NULL && box->kind->cookie) {
        (void)snprintf(token, sizeof token, "%.32s", cookie + 8);
        if (token_valid(net, box, token))
            return true;
    }
    if (given == NULL)
        return false;
    if (strncasecmp(given, "Basic ", 6) == 0)
        return !box->kind->bearer && basic_valid(net, box, given + 6);
    return strncasecmp(given, "Bearer ", 7) == 0 && token_valid(net, box, given + 7);
}

/* ---- what is asked ---- */

/* The part of a path behind the API's root; NULL: outside. */
static const char *
resource_of(const struct sim_box *box, const char *path)
{
    if (strncmp(path, "/restconf/", 10) == 0)
        return path + 9;
    if (strcmp(path, "/restconf") == 0)
        return "";
    return box->kind->bearer ? path : NULL;
}

static bool
query_value(const char *name, const char *value, struct sim_query *out, unsigned *seen,
            struct sim_why *why)
{
    static const char *const names[] = {"content", "depth", "fields", "with-defaults"};
    char *end;
    size_t i;

    for (i = 0; i < LP_COUNT(names) && strcmp(names[i], name) != 0; i++)
        continue;
    if (i == LP_COUNT(names) || (*seen & LP_BIT(i)) != 0)
        return sim_refuse(why, 400, "invalid-value", "query parameter '%.32s'", name);
    *seen |= LP_BIT(i);
    if (i == 2) {
        out->fields = value;
        return true;
    }
    if (i == 0)
        out->content = strcmp(value, "config") == 0      ? SIM_CONFIG
                       : strcmp(value, "nonconfig") == 0 ? SIM_NONCONFIG
                                                         : SIM_ALL;
    else if (i == 1)
        out->depth = strcmp(value, "unbounded") == 0 ? 0 : (int)strtol(value, &end, 10);
    else
        out->trim = strcmp(value, "trim") == 0;
    if ((i == 0 && out->content == SIM_ALL && strcmp(value, "all") != 0)
        || (i == 1 && strcmp(value, "unbounded") != 0
            && (*end != '\0' || out->depth < 1 || out->depth > 65535))
        || (i == 3 && strcmp(value, "report-all") != 0 && strcmp(value, "report-all-tagged") != 0
            && strcmp(value, "explicit") != 0 && !out->trim))
        return sim_refuse(why, 400, "invalid-value", "%s=%.64s", name, value);
    return true;
}

/* Reads (and cuts up) the query of a request. */
static bool
query_read(char *text, struct sim_query *out, struct sim_why *why)
{
    unsigned seen = 0;

    *out = (struct sim_query){.content = SIM_ALL};
    while (text != NULL && *text != '\0') {
        char *next = strchr(text, '&'), *value = strchr(text, '=');

        if (next != NULL)
            *next++ = '\0';
        if (value == NULL || (next != NULL && value > next))
            return sim_refuse(why, 400, "invalid-value", "a query parameter has no value");
        *value++ = '\0';
        if (!sim_percent_decode(text) || !sim_percent_decode(value))
            return sim_refuse(why, 400, "malformed-message", "broken percent-encoding");
        if (!query_value(text, value, out, &seen, why))
            return false;
        text = next;
    }
    return true;
}

/* ---- entity tags ---- */

static void
etag_text(const struct sim_box *box, char out[static 64])
{
    (void)snprintf(out, 64, "\"%.20s-%llu\"", box->serial, (unsigned long long)box->version);
}

static void
etag_put(const struct sim_box *box, struct sim_web_answer *answer)
{
    char tag[64];

    if (!box->etag)
        return;
    etag_text(box, tag);
    lp_buf_printf(&answer->headers, "ETag: %s\r\n", tag);
}

static bool
match_holds(const struct sim_box *box, const struct sim_http_request *r)
{
    const char *wanted = sim_http_header(r, "If-Match");
    char tag[64];

    if (wanted == NULL || !box->etag || strcmp(wanted, "*") == 0)
        return true;
    etag_text(box, tag);
    return strstr(wanted, tag) != NULL;
}

/* ---- data ---- */

static void
data_get(struct sim_net *net, struct sim_box *box, const char *path,
         const struct sim_http_request *r, bool stale, struct sim_web_answer *answer)
{
    json_t *tree = stale && box->before != NULL ? box->before : box->tree, *value = NULL;
    char *copy = r->query == NULL ? NULL : strdup(r->query);
    struct sim_place place = {.object = NULL};
    struct sim_query query;
    struct sim_why why = {.status = 500};

    (void)net;
    if (query_read(copy, &query, &why) && sim_resolve(box->kind->model, tree, path, &place, &why))
        value = sim_render(&place, box->kind->model, tree, &query, &why);
    if (value == NULL) {
        sim_web_refuse(answer, &why);
    } else {
        sim_web_json(answer, 200, value);
        etag_put(box, answer);
    }
    if (strcmp(r->method, "HEAD") == 0)
        lp_buf_reset(&answer->body);
    sim_place_free(&place);
    free(copy);
}

static bool
body_json(const struct sim_http_request *r, json_t **out, struct sim_why *why)
{
    const char *type = sim_http_header(r, "Content-Type");
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;

    if (type == NULL
        || (strncasecmp(type, "application/yang-data+json", 26) != 0
            && strncasecmp(type, "application/json", 16) != 0))
        return sim_refuse(why, 415, "invalid-value", "the body is no application/yang-data+json");
    rc = lp_json_load(r->body, r->body_len, out, &err);
    if (rc == LP_OK && !json_is_object(*out))
        rc = lp_fail(&err, LP_INVALID, "the body is no object");
    if (rc != LP_OK)
        (void)sim_refuse(why, 400, "malformed-message", "%.200s", err.msg);
    lp_err_clear(&err);
    return rc == LP_OK;
}

/* "Location" of what a POST has made. */
static void
location_put(const struct sim_place *place, const json_t *body, const char *path,
             struct sim_web_answer *answer)
{
    void *first = json_object_iter((json_t *)(uintptr_t)body);
    const char *name = json_object_iter_key(first);
    const struct sim_schema *child = sim_schema_child(place->schema, sim_plain_name(name));
    const json_t *entry = json_object_iter_value(first);
    char buf[24];

    entry = json_is_array(entry) ? json_array_get(entry, 0) : entry;
    lp_buf_printf(&answer->headers, "Location: /restconf/data/%s/%s=%s\r\n", path, child->name,
                  sim_text(entry, child->keys[0], buf));
}

static bool
write_run(struct sim_box *box, const char *path, const struct sim_http_request *r,
          struct sim_web_answer *answer, struct sim_why *why)
{
    const struct sim_model *model = box->kind->model;
    struct sim_place place = {.object = NULL};
    json_t *body = NULL;
    bool ok, remove = strcmp(r->method, "DELETE") == 0, patch = strcmp(r->method, "PATCH") == 0;

    ok = sim_resolve(model, box->tree, path, &place, why) && (remove || body_json(r, &body, why));
    if (ok && remove)
        ok = sim_delete(model, box, &place, why);
    else if (ok)
        ok = patch ? sim_patch(model, box, &place, body, why)
                   : sim_post(model, box, &place, body, why);
    answer->status = patch || remove ? 204 : 201;
    if (ok && !patch && !remove)
        location_put(&place, body, path, answer);
    json_decref(body);
    sim_place_free(&place);
    return ok;
}

/* Tells whoever listens that the configuration was changed. Source: RFC 6470. */
void
sim_box_told(struct sim_net *net, struct sim_box *box, const char *path, const char *operation)
{
    char when[32];

    if (!box->kind->events || net->box_emit == NULL)
        return;
    sim_box_clock(net, box, when);
    net->box_emit(net->box_emit_arg, box,
                  json_pack("{s:{s:s,s:{s:s,s:[{s:s+,s:s}]}}}", "ietf-restconf:notification",
                            "eventTime", when, "ietf-netconf-notifications:netconf-config-change",
                            "datastore", "running", "edit", "target", "/", path, "operation",
                            operation));
}

static void
data_write(struct sim_net *net, struct sim_box *box, const char *path,
           const struct sim_http_request *r, struct sim_web_answer *answer)
{
    json_t *copy;
    struct sim_why why = {.status = 500};

    if (!match_holds(box, r)) {
        refuse(answer, 412, "operation-failed", "the entity tag does not match");
        return;
    }
    copy = json_deep_copy(box->tree);
    if (copy == NULL || !write_run(box, path, r, answer, &why)) {
        json_decref(box->tree);
        box->tree = copy;
        sim_web_refuse(answer, &why);
        return;
    }
    json_decref(box->before);
    box->before = copy;
    sim_box_told(net, box, path,
                 strcmp(r->method, "DELETE") == 0 ? "delete"
                 : strcmp(r->method, "POST") == 0 ? "create"
                                                  : "merge");
    sim_box_changed(net, box);
    etag_put(box, answer);
}

/* Something was written: what follows from it. */
void
sim_box_changed(struct sim_net *net, struct sim_box *box)
{
    box->version++;
    box->writes++;
    box->changed_us = net->utc_us;
    if (box->apply_ms > 0 && box->settle_us == 0)
        box->settle_us = net->now_us + box->apply_ms * 1000;
    box->kind->settle(net, box);
}

static void
data_run(struct sim_net *net, struct sim_box *box, const char *path,
         const struct sim_http_request *r, bool stale, struct sim_web_answer *answer)
{
    static const char *const writing[] = {"PATCH", "POST", "DELETE"};
    size_t i;

    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0) {
        data_get(net, box, path, r, stale, answer);
        return;
    }
    for (i = 0; i < LP_COUNT(writing); i++)
        if (strcmp(r->method, writing[i]) == 0) {
            data_write(net, box, path, r, answer);
            return;
        }
    if (strcmp(r->method, "OPTIONS") == 0)
        answer->status = 200;
    else
        refuse(answer, 405, "operation-not-supported", "this method is not supported");
    lp_buf_str(&answer->headers, "Allow: GET, HEAD, OPTIONS, PATCH, POST, DELETE\r\n"
                                 "Accept-Patch: application/yang-data+json\r\n");
}

/* ---- operations ---- */

static bool
input_of(const struct sim_http_request *r, const char *name, json_t **out, struct sim_why *why)
{
    json_t *body = NULL;
    const char *key;

    *out = NULL;
    if (r->body_len == 0) {
        *out = json_object();
        return true;
    }
    if (!body_json(r, &body, why))
        return false;
    key = json_object_iter_key(json_object_iter(body));
    if (json_object_size(body) != 1 || strcmp(sim_plain_name(key), "input") != 0
        || (strchr(key, ':') != NULL
            && strncmp(key, name, (size_t)(sim_plain_name(key) - key)) != 0)) {
        json_decref(body);
        return sim_refuse(why, 400, "unknown-element", "the body holds no input of %.64s", name);
    }
    *out = json_incref(json_object_get(body, key));
    json_decref(body);
    if (json_is_object(*out))
        return true;
    json_decref(*out);
    *out = NULL;
    return sim_refuse(why, 400, "malformed-message", "the input is no object");
}

static const struct sim_operation *
operation_find(const struct sim_box *box, const char *path)
{
    size_t i, len = strcspn(path, "/");

    for (i = 0; i < *box->kind->operation_count; i++)
        if (strlen(box->kind->operations[i].name) == len
            && strncmp(box->kind->operations[i].name, path, len) == 0)
            return &box->kind->operations[i];
    return NULL;
}

/* Does the input hold only what the operation knows? */
static bool
input_check(const struct sim_operation *operation, json_t *input, struct sim_why *why)
{
    const char *member;
    char word[140];
    json_t *value;

    json_object_foreach(input, member, value)
    {
        (void)snprintf(word, sizeof word, "|%.128s|", sim_plain_name(member));
        if (strstr(operation->members, word) == NULL)
            return sim_refuse(why, 400, "unknown-element", "unknown element %.100s", member);
    }
    return true;
}

static void
operation_run(struct sim_net *net, struct sim_box *box, const char *path,
              const struct sim_http_request *r, struct sim_web_answer *answer)
{
    const struct sim_operation *operation = operation_find(box, path);
    char member[160];
    json_t *input = NULL, *out = NULL;
    struct sim_why why = {.status = 500, .tag = "operation-failed"};

    if (strcmp(r->method, "POST") != 0 || operation == NULL) {
        refuse(answer, operation == NULL ? 404 : 405,
               operation == NULL ? "invalid-value" : "operation-not-supported",
               operation == NULL ? "there is no such operation" : "operations are posted");
        return;
    }
    if (!input_of(r, operation->name, &input, &why) || !input_check(operation, input, &why)
        || !operation->run(net, box, input, &out, &why)) {
        json_decref(input);
        json_decref(out);
        sim_web_refuse(answer, &why);
        return;
    }
    json_decref(input);
    answer->status = 204;
    if (out == NULL)
        return;
    (void)snprintf(member, sizeof member, "%.*s:output", (int)strcspn(operation->name, ":"),
                   operation->name);
    sim_web_json(answer, 200, json_pack("{s:o}", member, out));
}

/* ---- the whole ---- */

bool
sim_web_writes(const struct sim_box *box, const struct sim_http_request *r)
{
    const char *at = strstr(r->path, "/operations/");
    const struct sim_operation *operation = at == NULL ? NULL : operation_find(box, at + 12);

    if (operation != NULL && strcmp(r->method, "POST") == 0)
        return operation->writes;
    return at == NULL && strstr(r->path, "/data") != NULL && strcmp(r->method, "GET") != 0
           && strcmp(r->method, "HEAD") != 0 && strcmp(r->method, "OPTIONS") != 0;
}

static bool
acceptable(const struct sim_http_request *r)
{
    const char *accept = sim_http_header(r, "Accept");

    return accept == NULL || strstr(accept, "*/*") != NULL
           || strstr(accept, "application/*") != NULL || strstr(accept, "json") != NULL
           || strstr(accept, "event-stream") != NULL;
}

static void
resource_run(struct sim_net *net, struct sim_box *box, const char *resource,
             const struct sim_http_request *r, bool stale, struct sim_web_answer *answer)
{
    if (strcmp(resource, "/data") == 0 || strncmp(resource, "/data/", 6) == 0)
        data_run(net, box, resource[5] == '/' ? resource + 6 : "", r, stale, answer);
    else if (strncmp(resource, "/operations/", 12) == 0)
        operation_run(net, box, resource + 12, r, answer);
    else if (strncmp(resource, "/streams/", 9) == 0 && box->kind->events
             && strcmp(r->method, "GET") == 0) {
        answer->status = 200;
        answer->type = "text/event-stream";
        answer->stream = true;
    } else if (*resource == '\0' || strcmp(resource, "/") == 0)
        sim_web_json(answer, 200,
                     json_pack("{s:{s:{},s:{},s:s}}", "ietf-restconf:restconf", "data",
                               "operations", "yang-library-version", "2019-01-04"));
    else
        refuse(answer, 404, "invalid-value", "there is no such resource");
}

void
sim_web_execute(struct sim_net *net, struct sim_box *box, const struct sim_http_request *r,
                bool stale, struct sim_web_answer *answer)
{
    const char *resource = resource_of(box, r->path);

    box->requests++;
    box->kind->settle(net, box);
    if (box->kind->other != NULL && box->kind->other(net, box, r, answer))
        return;
    if (!authentic(net, box, r)) {
        refuse(answer, 401, "access-denied", "authentication is required");
        lp_buf_printf(&answer->headers, "WWW-Authenticate: %s realm=\"restconf\"\r\n",
                      box->kind->bearer ? "Bearer" : "Basic");
        return;
    }
    if (!acceptable(r))
        refuse(answer, 406, "invalid-value", "only application/yang-data+json is offered");
    else if (resource == NULL)
        refuse(answer, 404, "invalid-value", "there is no such resource");
    else
        resource_run(net, box, resource, r, stale, answer);
}
