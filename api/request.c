#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "base/json.h"

#define DISCARD_MAX                                                                                \
    (16 * 1024 * 1024)      /* of a refused body is read before the connection is closed */
#define VALUES_MAX   200000 /* in a body: a value costs up to a hundred times its text */
#define ANSWER_TIMES 5      /* an answer may take so many times what a request may */

/* ---- error bodies: http-api.md 0.4, with `type` = slug and `pointer` ---- */

static json_t *
problem(int status, const char *slug, const char *detail, const char *pointer)
{
    json_t *body = json_object();

    json_object_set_new(body, "type", json_string(slug));
    json_object_set_new(body, "title", json_string(MHD_get_reason_phrase_for((unsigned)status)));
    json_object_set_new(body, "status", json_integer(status));
    json_object_set_new(body, "detail", json_string(detail));
    if (pointer != NULL && pointer[0] != '\0')
        json_object_set_new(body, "pointer", json_string(pointer));
    return body;
}

static void
set_json(struct lp_request *req, const json_t *value)
{
    free(req->reply.text);
    req->reply.text = value == NULL ? strdup("null") : lp_json_text(value);
    req->reply.len = req->reply.text == NULL ? 0 : strlen(req->reply.text);
    req->reply.type = NULL;
}

/** Status of an error: what the row fixes, else the code's. */
static int
error_status(const struct lp_request *req, const struct lp_err *err)
{
    if (err->code == LP_INVALID && req->route != NULL && req->route->invalid_http != 0)
        return req->route->invalid_http;
    return lp_code_info(err->code)->http;
}

static void
reply_err(struct lp_request *req, const struct lp_err *err, int status)
{
    bool form = err->code == LP_FORM_INCOMPLETE || err->code == LP_FORM_INVALID;
    json_t *body = NULL;

    req->reply.status = status;
    req->reply.fixed = NULL;
    req->reply.header_count = 0;
    if (form && json_is_object(err->detail)) {
        set_json(req, err->detail); /* the engine made the whole 510 or 400 body */
        return;
    }
    body = problem(status, lp_code_info(err->code)->slug, err->msg, err->pointer);
    if (json_is_object(err->detail))
        json_object_update_missing(body, err->detail);
    set_json(req, body);
    json_decref(body);
    if (status == 503)
        lp_reply_header(req, "Retry-After", "1");
}

/** Shape 3: a list of problems. */
static void
reply_problems(struct lp_request *req, json_t *problems)
{
    json_t *first = json_array_get(problems, 0);
    json_t *loc = json_object_get(first, "loc");
    char pointer[160] = "";
    size_t len = 0;
    size_t i;
    json_t *part;
    json_t *body;

    json_array_foreach(loc, i, part)
    {
        if (json_is_string(part))
            len += (size_t)snprintf(pointer + len, sizeof pointer - len, "/%.60s",
                                    json_string_value(part));
        else
            len += (size_t)snprintf(pointer + len, sizeof pointer - len, "/%" JSON_INTEGER_FORMAT,
                                    json_integer_value(part));
        if (len >= sizeof pointer)
            break;
    }
    body = problem(422, lp_code_info(LP_INVALID)->slug, "", pointer);
    json_object_set(body, "detail", problems);
    req->reply.status = 422;
    set_json(req, body);
    json_decref(body);
}

/* ---- what handlers use ---- */

void
lp_reply_header(struct lp_request *req, const char *name, const char *value)
{
    if (value != NULL && req->reply.header_count < LP_REPLY_MAX_HEADERS)
        req->reply.headers[req->reply.header_count++] = (struct lp_header){name, value};
}

bool
lp_reply_etag(struct lp_request *req, const void *data, size_t len)
{
    char hash[65];
    const char *etag;

    lp_sha256_hex(data, len, hash);
    etag = lp_arena_printf(req->arena, "\"%.32s\"", hash);
    if (etag == NULL)
        return false;
    lp_reply_header(req, "ETag", etag);
    lp_reply_header(req, "Cache-Control", "no-cache");
    if (req->none_match == NULL || !lp_http_none_match_hit(req->none_match, etag))
        return false;
    req->reply.status = 304;
    return true;
}

void
lp_reply_text(struct lp_request *req, char *text, size_t len, const char *type)
{
    free(req->reply.text);
    req->reply.text = text;
    req->reply.len = len;
    req->reply.type = type;
}

const char *
lp_request_query(const struct lp_request *req, const char *name)
{
    return lp_http_query(&req->target, name);
}

bool
lp_request_bool(const struct lp_request *req, const char *name, bool fallback)
{
    const char *value = lp_request_query(req, name);

    return value == NULL ? fallback : strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

int64_t
lp_request_int(const struct lp_request *req, const char *name, int64_t fallback)
{
    const char *value = lp_request_query(req, name);

    return value == NULL ? fallback : strtoll(value, NULL, 10);
}

/* ---- running a complete request ---- */

/** Ticket and reason come as query parameters or as headers X-Ticket and X-Reason; the query wins.
 */
static void
fill_caller(struct lp_request *req)
{
    const char *ticket = lp_request_query(req, "ticket");
    const char *reason = lp_request_query(req, "reason");

    req->caller.correlation_id = req->id;
    req->caller.ticket = ticket != NULL ? ticket : req->ticket;
    req->caller.reason = reason != NULL ? reason : req->reason;
    if (req->caller.ticket != NULL && req->caller.ticket[0] == '\0')
        req->caller.ticket = NULL;
    if (req->caller.reason != NULL && req->caller.reason[0] == '\0')
        req->caller.reason = NULL;
}

static bool
decode_body(struct lp_request *req)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *problems;
    enum lp_code rc = LP_OK;

    if (req->body.failed)
        rc = lp_fail(&err, LP_NOMEM, "no memory for the body");
    else if (lp_http_json_values(req->body.data, req->body.len) > VALUES_MAX)
        rc =
            lp_fail_at(&err, LP_TOO_LARGE, "/body", "the body has more than %d values", VALUES_MAX);
    else if (req->body.len > 0)
        rc = lp_json_load(req->body.data, req->body.len, &req->json, &err);
    if (rc == LP_OK) {
        if (json_is_null(req->json)) {
            json_decref(req->json);
            req->json = NULL;
        }
        return true;
    }
    if (rc == LP_INVALID) {
        problems = json_pack("[{s:s, s:[s, s], s:s}]", "type", "json_invalid", "loc", "body",
                             err.pointer, "msg", err.msg);
        reply_problems(req, problems);
        json_decref(problems);
    } else {
        reply_err(req, &err, error_status(req, &err));
    }
    lp_err_clear(&err);
    return false;
}

/** True when path, query and body are what the row wants; otherwise the 422 stands. */
static bool
check_input(struct lp_request *req)
{
    json_t *problems = json_array();
    bool good;

    lp_route_check_params(req->route, &req->target, req->params, problems);
    lp_route_check_body(req->route, req->json, problems);
    good = json_array_size(problems) == 0;
    if (!good)
        reply_problems(req, problems);
    json_decref(problems);
    return good;
}

static void
reply_value(struct lp_request *req, json_t *value)
{
    const struct lp_route *route = req->route;
    bool get = route->method == LP_GET;

    if (req->reply.status == 0)
        req->reply.status = route->status;
    if (req->reply.fixed != NULL || req->reply.stream != NULL || req->reply.text != NULL)
        return;
    if (route->response == NULL)
        return; /* 204 */
    set_json(req, value);
    if (get && req->reply.status == 200 && req->reply.text != NULL && route->role != LP_ROLE_NONE
        && lp_reply_etag(req, req->reply.text, req->reply.len)) {
        free(req->reply.text);
        req->reply.text = NULL;
        req->reply.len = 0;
    }
}

static void
log_failure(struct lp_request *req, const struct lp_err *err, int status)
{
    if (status >= 500 && err->code != LP_FORM_INCOMPLETE && err->code != LP_PAUSED)
        lp_log_err(req->api->options.log, LP_LOG_WARN, "api.failed", err);
}

void
lp_request_run(struct lp_request *req)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;
    enum lp_code rc = lp_auth_check(req, &err);

    if (rc == LP_OK) {
        if (!decode_body(req) || !check_input(req))
            return;
        fill_caller(req);
        rc = req->route->handler(req, &out, &err);
    }
    if (rc == LP_OK) {
        reply_value(req, out);
    } else {
        int status = error_status(req, &err);

        log_failure(req, &err, status);
        reply_err(req, &err, status);
    }
    json_decref(out);
    lp_err_clear(&err);
}

/* ---- the answer ---- */

static const double bucket_s[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                  0.05,   0.1,   0.25,   0.5,   1,    2.5};

static void
count(struct lp_request *req, int status, int64_t us)
{
    struct lp_api_stats *stats = &req->api->stats;

    atomic_fetch_add(&stats->requests, 1);
    atomic_fetch_add(&stats->seconds_us, (unsigned long long)us);
    if (status >= 500 && status != 510)
        atomic_fetch_add(&stats->errors_5xx, 1);
    else if (status >= 400 && status != 510)
        atomic_fetch_add(&stats->errors_4xx, 1);
    for (size_t i = 0; i < LP_COUNT(bucket_s); i++)
        if ((double)us <= bucket_s[i] * 1e6) {
            atomic_fetch_add(&stats->buckets[i], 1);
            return;
        }
}

const double *
lp_api_buckets(size_t *n)
{
    *n = LP_COUNT(bucket_s);
    return bucket_s;
}

static void
add_cors(const struct lp_request *req, struct MHD_Response *response)
{
    if (req->origin == NULL
        || !lp_http_origin_listed(req->origin,
                                  lp_conf_live_text(&req->api->options.conf->api_cors_origins)))
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", req->origin);
    MHD_add_response_header(response, "Vary", "Origin");
    MHD_add_response_header(
        response, "Access-Control-Expose-Headers",
        "Cache-Control, Content-Length, Content-Type, Content-Range, ETag, Link, "
        "Location, Retry-After, X-Request-ID, X-Process-Time");
    if (!req->options)
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Methods",
                            "GET, PUT, PATCH, POST, DELETE, OPTIONS, HEAD");
    MHD_add_response_header(
        response, "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
        "Last-Event-ID, X-Reason, X-Request-ID, X-Ticket");
    MHD_add_response_header(response, "Access-Control-Max-Age", "600");
}

static struct MHD_Response *
make_response(struct lp_request *req)
{
    struct lp_reply *reply = &req->reply;
    struct MHD_Response *response;
    static char nothing[] = "";

    if (reply->stream != NULL && req->head) { /* the library would send the end of a chunked body */
        lp_stream_drop(reply->stream);
        reply->stream = NULL;
        reply->type = "text/event-stream";
        reply->text = strdup("");
        reply->len = 0;
    }
    if (reply->stream != NULL) {
        response = lp_stream_response(reply->stream, req);
        reply->stream = NULL;
        return response;
    }
    if (reply->text == NULL)
        return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer(reply->len, reply->text, MHD_RESPMEM_MUST_FREE);
    if (response != NULL) {
        reply->text = NULL; /* the response's now */
        MHD_add_response_header(response, "Content-Type",
                                reply->type == NULL ? "application/json" : reply->type);
    }
    return response;
}

/** The path without what proves the right to call back. */
static const char *
shown_path(const struct lp_request *req)
{
    static const char callback[] = "/callback/";
    const char *secret = strstr(req->target.path, callback);

    if (secret == NULL)
        return req->target.path;
    return lp_arena_printf(req->arena, "%.*s**********",
                           (int)(secret - req->target.path + (ptrdiff_t)sizeof callback - 1),
                           req->target.path);
}

static void
add_headers(struct lp_request *req, struct MHD_Response *response)
{
    char seconds[32];
    int64_t us = lp_api_now(req->api) - req->started_us;

    snprintf(seconds, sizeof seconds, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
    MHD_add_response_header(response, "X-Request-ID", req->id);
    MHD_add_response_header(response, "X-Process-Time", seconds);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < req->reply.header_count; i++)
        MHD_add_response_header(response, req->reply.headers[i].name, req->reply.headers[i].value);
    if (req->reply.close)
        MHD_add_response_header(response, "Connection", "close");
    add_cors(req, response);
    count(req, req->reply.status, us);
    lp_log_correlation(req->id);
    lp_logf(req->api->options.log, LP_LOG_DEBUG, "api.request", "s:s, s:s, s:i, s:I", "method",
            req->method_text, "path", shown_path(req), "status", req->reply.status, "us",
            (json_int_t)us);
    lp_log_correlation("");
}

static enum MHD_Result
answer(struct lp_request *req)
{
    bool stream = req->reply.stream != NULL;
    struct MHD_Response *response;
    enum MHD_Result rc;

    if (req->reply.text == NULL && req->reply.fixed != NULL) {
        size_t len = req->reply.fixed_len;

        response = MHD_create_response_from_buffer(len, (void *)(uintptr_t)req->reply.fixed,
                                                   MHD_RESPMEM_PERSISTENT);
        if (response != NULL)
            MHD_add_response_header(response, "Content-Type", req->reply.type);
    } else {
        response = make_response(req);
    }
    if (response == NULL)
        return MHD_NO;
    add_headers(req, response);
    req->state = LP_REQ_ANSWERED;
    req->conn->answering = true;
    lp_conn_deadline(req->conn,
                     stream ? 0
                            : lp_api_now(req->api)
                                  + lp_conf_live_int(&req->api->options.conf->api_request_timeout_s)
                                        * ANSWER_TIMES * 1000000);
    rc = MHD_queue_response(req->mhd, (unsigned)req->reply.status, response);
    MHD_destroy_response(response);
    return rc;
}

/* ---- first look at the head: loop thread, no store ---- */

/** Refuses; the body that may still come is read and thrown away first, so that the client sees the
 * answer. */
static void
refuse(struct lp_request *req, int status, enum lp_code code, const char *pointer, const char *text)
{
    if (req->refused)
        return;
    req->refused = true;
    req->refusal_status = status;
    (void)!lp_fail_at(&req->refusal, code, pointer, "%s", text);
}

static enum MHD_Result
answer_refusal(struct lp_request *req)
{
    reply_err(req, &req->refusal, req->refusal_status);
    if (req->refusal_status == 405)
        lp_reply_header(req, "Allow", req->allow);
    return answer(req);
}

static enum MHD_Result
take_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct lp_request *req = arg;
    const struct {
        const char *name;
        const char **slot;
    } wanted[] = {
        {"Host", &req->host},
        {"Origin", &req->origin},
        {"Content-Type", &req->content_type},
        {"Authorization", &req->authorization},
        {"If-None-Match", &req->none_match},
        {"X-Ticket", &req->ticket},
        {"X-Reason", &req->reason},
        {"Idempotency-Key", &req->idempotency_key},
        {"Last-Event-ID", &req->last_event_id},
        {"Sec-Fetch-Site", &req->fetch_site},
        {"X-Request-ID", &req->want_id},
        {"Expect", &req->expect},
    };

    (void)kind;
    if (value == NULL)
        value = "";
    lp_http_framing_field(&req->framing, name, value);
    for (size_t i = 0; i < LP_COUNT(wanted); i++)
        if (strcasecmp(name, wanted[i].name) == 0) {
            if (*wanted[i].slot != NULL && wanted[i].slot != &req->none_match)
                req->doubled = wanted[i].name;
            *wanted[i].slot = lp_arena_strdup(req->arena, value);
        }
    return MHD_YES;
}

static void
list_methods(struct lp_request *req, unsigned allowed)
{
    struct lp_buf buf = LP_BUF_INIT;

    for (int m = 0; m < LP_METHOD_COUNT; m++)
        if (allowed & LP_BIT(m))
            lp_buf_printf(&buf, "%s%s",
                          m == LP_GET ? "GET, HEAD" : lp_method_name((enum lp_method)m), ", ");
    lp_buf_str(&buf, "OPTIONS");
    req->allow = buf.failed ? "OPTIONS" : lp_arena_strdup(req->arena, buf.data);
    lp_buf_free(&buf);
}

static void
look_route(struct lp_request *req)
{
    unsigned allowed = 0;
    int match = lp_api_route_find(&req->target, req->method, &req->route, &allowed, req->params);

    list_methods(req, allowed);
    if (match == LP_MATCH_NONE)
        refuse(req, 404, LP_NOT_FOUND, "path", "Not Found");
    else if (match == LP_MATCH_METHOD && !req->options)
        refuse(req, 405, LP_INVALID, "method", "Method Not Allowed");
}

/** A page in somebody's browser must not start anything: neither from a foreign origin nor through
 * a re-bound name. */
static void
look_origin(struct lp_request *req)
{
    const struct lp_conf *conf = req->api->options.conf;
    bool write = req->method != LP_GET && !req->options;
    bool listed;

    if (!req->conn->local_socket && !conf->api_auth
        && !lp_http_host_allowed(req->host, lp_conf_live_text(&conf->api_hosts)))
        refuse(req, 403, LP_DENIED, "header/Host",
               "this Host name is not accepted; add it to api.hosts, or use localhost");
    if (!write)
        return;
    if (req->origin != NULL) {
        listed = lp_http_origin_listed(req->origin, lp_conf_live_text(&conf->api_cors_origins))
                 || lp_http_origin_is_host(req->origin, req->host);
        if (!listed)
            refuse(req, 403, LP_DENIED, "header/Origin",
                   "pages of this origin may not change anything; see api.cors_origins");
    } else if (req->fetch_site != NULL && strcmp(req->fetch_site, "same-origin") != 0
               && strcmp(req->fetch_site, "none") != 0) {
        refuse(req, 403, LP_DENIED, "header/Sec-Fetch-Site",
               "a browser page of another site may not change anything");
    }
}

static void
look_body(struct lp_request *req)
{
    bool write = req->method != LP_GET && !req->options;
    bool body = req->framing.transfers > 0 || req->framing.length > 0;

    if (write && (body || req->method == LP_POST) && !lp_http_is_json(req->content_type))
        refuse(req, 415, LP_INVALID, "header/Content-Type",
               "a request that changes something has Content-Type: application/json");
    if (req->framing.length > (uint64_t)lp_conf_live_int(&req->api->options.conf->api_max_body))
        refuse(req, 413, LP_TOO_LARGE, "body", "the body is larger than api.max_body");
}

static void
look_fields(struct lp_request *req)
{
    static const struct {
        size_t offset;
        const char *where;
        size_t max;
    } texts[] = {
        {offsetof(struct lp_request, ticket), "header/X-Ticket", 200},
        {offsetof(struct lp_request, reason), "header/X-Reason", 1000},
        {offsetof(struct lp_request, idempotency_key), "header/Idempotency-Key", 200},
    };

    if (req->doubled != NULL)
        refuse(req, 400, LP_INVALID, lp_arena_printf(req->arena, "header/%s", req->doubled),
               "this header field may stand once only");
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        const char *value = *(const char *const *)((const char *)req + texts[i].offset);

        if (value != NULL && !lp_http_text_sane(value, texts[i].max))
            refuse(req, 400, LP_INVALID, texts[i].where,
                   "the value is too long, no UTF-8, or has control characters");
    }
}

static void
look(struct lp_request *req)
{
    struct lp_err err = LP_ERR_INIT;

    if (lp_http_target_parse(req->arena, req->conn->uri, &req->target, &err) != LP_OK)
        refuse(req, 400, err.code, err.pointer, err.msg);
    lp_err_clear(&err);
    look_origin(req);
    look_fields(req);
    if (!req->refused)
        look_route(req);
    look_body(req);
}

static int
method_of(const char *text)
{
    if (strcmp(text, "HEAD") == 0)
        return LP_GET;
    for (int m = 0; m < LP_METHOD_COUNT; m++)
        if (strcmp(text, lp_method_name((enum lp_method)m)) == 0)
            return m;
    return -1;
}

static struct lp_request *
request_new(struct lp_api *api, struct MHD_Connection *mhd, const char *method)
{
    struct lp_request *req = calloc(1, sizeof *req);

    if (req == NULL)
        return NULL;
    req->api = api;
    req->mhd = mhd;
    req->conn = lp_request_conn(mhd);
    req->arena = lp_arena_new();
    if (req->conn == NULL || req->conn->uri == NULL || req->arena == NULL) {
        lp_arena_free(req->arena);
        free(req);
        return NULL;
    }
    req->started_us = lp_api_now(api);
    req->method_text = lp_arena_strdup(req->arena, method);
    req->method = method_of(method);
    req->head = strcmp(method, "HEAD") == 0;
    req->options = strcmp(method, "OPTIONS") == 0;
    req->target.path = "/";
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, take_header, req);
    if (lp_http_id_sane(req->want_id)) {
        snprintf(req->id, sizeof req->id, "%s", req->want_id);
    } else {
        struct lp_uuid id = lp_uuid_v4();

        snprintf(req->id, sizeof req->id, "%s", id.text);
    }
    return req;
}

static enum MHD_Result
first_call(struct lp_request *req)
{
    struct lp_err err = LP_ERR_INIT;
    enum MHD_Result rc = MHD_YES;

    if (lp_http_framing_check(&req->framing, &err) != LP_OK) {
        /* Where this request ends is not certain: answer and close, read nothing more (RFC
         * 9112 6.3). */
        reply_err(req, &err, 400);
        req->reply.close = true;
        rc = answer(req);
        lp_err_clear(&err);
        return rc;
    }
    look(req);
    if (req->refused
        && (req->expect != NULL
            || req->framing.length
                   > (uint64_t)lp_conf_live_int(&req->api->options.conf->api_max_body)
                         + DISCARD_MAX)) {
        req->reply.close = true;
        return answer_refusal(req);
    }
    return MHD_YES;
}

static enum MHD_Result
take_body(struct lp_request *req, const char *data, size_t size)
{
    uint64_t max = (uint64_t)lp_conf_live_int(&req->api->options.conf->api_max_body);

    req->body_seen += size;
    atomic_fetch_add(&req->api->stats.bytes_in, size);
    if (req->body_seen > max)
        refuse(req, 413, LP_TOO_LARGE, "body", "the body is larger than api.max_body");
    if (req->body_seen > max + DISCARD_MAX)
        return MHD_NO;
    if (req->refused)
        lp_buf_free(&req->body);
    else
        lp_buf_add(&req->body, data, size);
    return MHD_YES;
}

static enum MHD_Result
complete(struct lp_request *req)
{
    lp_conn_deadline(req->conn, 0);
    if (req->refused)
        return answer_refusal(req);
    if (req->options) {
        req->reply.status = 200;
        lp_reply_header(req, "Allow", req->allow);
        return answer(req);
    }
    if (req->route->inline_ || (req->route->handler == lp_on_health && lp_health_fresh(req->api))) {
        lp_request_run(req);
        return answer(req);
    }
    req->state = LP_REQ_WORKING;
    req->api->in_work++;
    MHD_suspend_connection(req->mhd);
    lp_pool_push(req->api->pool, req);
    return MHD_YES;
}

enum MHD_Result
lp_request_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                  const char *version, const char *data, size_t *size, void **req_slot)
{
    struct lp_request *req = *req_slot;

    (void)url;
    (void)version;
    if (req == NULL) {
        req = request_new(cls, mhd, method);
        *req_slot = req;
        return req == NULL ? MHD_NO : first_call(req);
    }
    switch (req->state) {
    case LP_REQ_READING:
        if (*size > 0) {
            enum MHD_Result rc = take_body(req, data, *size);

            *size = 0;
            return rc;
        }
        return complete(req);
    case LP_REQ_DONE:
        return answer(req);
    case LP_REQ_WORKING:
    case LP_REQ_ANSWERED:
        return MHD_YES;
    }
    return MHD_NO;
}

void *
lp_request_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct lp_api *api = cls;
    struct lp_conn *conn = lp_request_conn(mhd);

    if (conn != NULL) {
        int64_t by =
            lp_api_now(api) + lp_conf_live_int(&api->options.conf->api_request_timeout_s) * 1000000;

        free(conn->uri);
        conn->uri = strdup(uri);
        if (conn->deadline_us == 0 || by < conn->deadline_us)
            lp_conn_deadline(conn, by);
    }
    return NULL;
}

void
lp_request_completed(void *cls, struct MHD_Connection *mhd, void **req_slot,
                     enum MHD_RequestTerminationCode code)
{
    struct lp_request *req = *req_slot;
    struct lp_conn *conn = lp_request_conn(mhd);
    struct lp_api *api = cls;

    (void)code;
    if (conn != NULL) {
        conn->answering = false;
        lp_conn_deadline(conn, lp_api_now(api)
                                   + (api->options.conf->api_idle_timeout_s
                                      + lp_conf_live_int(&api->options.conf->api_request_timeout_s))
                                         * 1000000);
    }
    if (req == NULL)
        return;
    *req_slot = NULL;
    if (req->reply.stream != NULL)
        lp_stream_drop(req->reply.stream);
    lp_err_clear(&req->refusal);
    lp_buf_free(&req->body);
    json_decref(req->json);
    free(req->reply.text);
    lp_arena_free(req->arena);
    free(req);
}
