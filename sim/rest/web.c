/* Connections over TLS: requests come in, answers go out, with what the fault script does to them.
 */
#include "sim/rest/web.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "sim/rest/tls.h"

struct sim_web {
    struct lp_buf in;
    bool streaming, continued;
};

/* ---- transcript ---- */

static bool
is_secret(const char *name)
{
    return strstr(name, "password") != NULL || strstr(name, "passphrase") != NULL
           || strstr(name, "token") != NULL;
}

/* A copy without secrets. */
static json_t *
redacted(const json_t *value, const char *name)
{
    const char *key, *text = json_string_value(value), *at, *scheme;
    json_t *member, *out;
    size_t i;

    if (text != NULL && is_secret(name))
        return json_string("***");
    if (text != NULL && (scheme = strstr(text, "://")) != NULL
        && (at = strchr(scheme + 3, '@')) != NULL)
        return json_sprintf("%.*s://***%s", (int)(scheme - text), text, at);
    if (json_is_object(value)) {
        out = json_object();
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            (void)json_object_set_new(out, key, redacted(member, key));
        }
        return out;
    }
    if (!json_is_array(value))
        return json_incref((json_t *)(uintptr_t)value);
    out = json_array();
    for (i = 0; i < json_array_size(value); i++)
        (void)json_array_append_new(out, redacted(json_array_get(value, i), name));
    return out;
}

static json_t *
body_for_log(const char *body, size_t len)
{
    struct lp_buf clean = LP_BUF_INIT;
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL, *out;

    lp_tl1_redact(&clean, body, len > 65536 ? 65536 : len, NULL);
    if (clean.data == NULL || clean.failed)
        out = json_string("");
    else if (strstr(clean.data, "password=") != NULL)
        out = json_string("password=***");
    else if (lp_json_load(clean.data, clean.len, &value, &err) == LP_OK)
        out = redacted(value, "");
    else
        out = json_string(clean.data); /* NULL: no UTF-8 */
    json_decref(value);
    lp_err_clear(&err);
    lp_buf_free(&clean);
    return out != NULL ? out : json_string("?");
}

static int
transcript_fd(struct sim_server *server, struct sim_box *box)
{
    char name[96];

    if (server->transcript_dir >= 0 && box->transcript < 0) {
        (void)snprintf(name, sizeof name, "%.64s.jsonl", box->name);
        box->transcript =
            openat(server->transcript_dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    return box->transcript;
}

static void
transcribe(struct sim_server *server, const struct sim_conn *conn, json_t *line, const char *body,
           size_t len)
{
    int fd = transcript_fd(server, conn->box);
    struct lp_buf out = LP_BUF_INIT;

    if (fd >= 0 && line != NULL) {
        (void)json_object_set_new(line, "t_us", json_integer(server->net->utc_us));
        (void)json_object_set_new(line, "element", json_string(conn->box->name));
        (void)json_object_set_new(line, "protocol", json_string("https"));
        (void)json_object_set_new(line, "session", json_integer((json_int_t)conn->id));
        if (len > 0)
            (void)json_object_set_new(line, "body", body_for_log(body, len));
        lp_buf_json(&out, line);
        lp_buf_char(&out, '\n');
        if (!out.failed && write(fd, out.data, out.len) < 0)
            lp_logf(server->log, LP_LOG_WARN, "sim.transcript", "s:s", "error", strerror(errno));
    }
    lp_buf_free(&out);
    json_decref(line);
}

static void
transcribe_in(struct sim_server *server, const struct sim_conn *conn,
              const struct sim_http_request *r)
{
    transcribe(server, conn,
               json_pack("{s:s,s:s,s:s,s:s?,s:b}", "dir", "in", "method", r->method, "path",
                         r->path, "query", r->query, "writes", sim_web_writes(conn->box, r)),
               r->body, r->body_len);
}

/* ---- an answer on its way ---- */

struct reply {
    struct sim_server *server;
    struct sim_conn *conn;
    const struct sim_http_request *request;
    const struct sim_rule *rule;
    struct sim_web_answer answer;
    struct lp_buf out;
    struct sim_chunk *how;
};

static bool
is_fault(const struct reply *r, enum sim_fault fault)
{
    return r->rule != NULL && r->rule->fault == fault;
}

static void
put_head(struct reply *r, long length)
{
    const struct sim_web_answer *a = &r->answer;

    lp_buf_printf(&r->out, "HTTP/1.1 %d %s\r\nServer: lightpath-sim\r\n", a->status,
                  sim_http_reason(a->status));
    if (a->headers.len > 0)
        lp_buf_add(&r->out, a->headers.data, a->headers.len);
    if (a->body.len > 0 || a->stream)
        lp_buf_printf(&r->out, "Content-Type: %s\r\n",
                      a->type != NULL ? a->type : "application/yang-data+json");
    if (a->stream)
        lp_buf_str(&r->out, "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n");
    else if (length >= 0 && a->status != 204)
        lp_buf_printf(&r->out, "Content-Length: %ld\r\n", length);
    lp_buf_printf(&r->out, "%s\r\n", a->close ? "Connection: close\r\n" : "");
}

static void
put_plain(struct reply *r)
{
    bool head = r->request != NULL && strcmp(r->request->method, "HEAD") == 0;

    put_head(r, (long)r->answer.body.len);
    if (!head && r->answer.body.len > 0)
        lp_buf_add(&r->out, r->answer.body.data, r->answer.body.len);
}

/* ---- bodies that lie ---- */

static void
body_set(struct reply *r, const char *text)
{
    lp_buf_reset(&r->answer.body);
    lp_buf_str(&r->answer.body, text);
    r->answer.status = 200;
}

static void
body_short(struct reply *r)
{
    if (r->answer.body.len == 0)
        body_set(r, "{\"ne:port\":[{\"port-id\":1,\"port-mode\":\"not-applicable\"}]}");
}

static void
lie_half(struct reply *r) /* the head promises more than comes, then the connection ends */
{
    long whole;

    body_short(r);
    whole = (long)r->answer.body.len;
    r->answer.body.len /= 2;
    put_head(r, whole);
    lp_buf_add(&r->out, r->answer.body.data, r->answer.body.len);
    r->how->after = SIM_RESET;
}

static void
lie_truncated(struct reply *r) /* half a body that says it is whole */
{
    body_short(r);
    r->answer.body.len /= 2;
    put_plain(r);
}

static void
lie_length(struct reply *r) /* more comes than the head promises */
{
    body_short(r);
    put_head(r, (long)r->answer.body.len / 2);
    lp_buf_add(&r->out, r->answer.body.data, r->answer.body.len);
}

static void
lie_deep(struct reply *r)
{
    size_t i;

    body_set(r, "");
    for (i = 0; i < 10000; i++)
        lp_buf_str(&r->answer.body, "{\"a\":");
    put_plain(r);
}

static void
lie_huge(struct reply *r)
{
    int64_t bytes = sim_rule_int(r->rule, "bytes", 80000000);

    body_set(r, "{\"a\":\"");
    while (bytes > 0 && !r->answer.body.failed) {
        lp_buf_str(&r->answer.body,
                   "0123456789012345678901234567890123456789012345678901234567890123");
        bytes -= 64;
    }
    lp_buf_str(&r->answer.body, "\"}");
    put_plain(r);
}

static void
lie_chunk(struct reply *r)
{
    r->answer.status = 200;
    lp_buf_str(&r->answer.headers, "Transfer-Encoding: chunked\r\n");
    put_head(r, -1);
    lp_buf_str(&r->out, "zz\r\n{\"a\":1}\r\n");
    r->how->after = SIM_FIN;
}

static const struct {
    const char *name, *body, *type;
    void (*put)(struct reply *r);
} lies[] = {
    {"truncated", NULL, NULL, lie_truncated},
    {"malformed", "{\"ne:port\":[{\"port-id\":1,,}", NULL, NULL},
    {"half", NULL, NULL, lie_half},
    {"wrong-length", NULL, NULL, lie_length},
    {"html", "<html><body><h1>It works</h1></body></html>", "text/html", NULL},
    {"empty", "", NULL, NULL},
    {"null", "null", NULL, NULL},
    {"bom", "\xef\xbb\xbf{}", NULL, NULL},
    {"duplicate", "{\"ne:port\":[{\"port-id\":1,\"port-id\":2}],\"ne:port\":[]}", NULL, NULL},
    {"deep", NULL, NULL, lie_deep},
    {"invalid-utf8", "{\"ne:port\":[{\"port-id\":1,\"service-label\":\"\xff\xfe\xc0\"}]}", NULL,
     NULL},
    {"huge", NULL, NULL, lie_huge},
    {"wrong-type", NULL, "application/xml", NULL},
    {"bad-chunk", NULL, NULL, lie_chunk},
    {"gzip", "\x1f\x8b\x08nothing of the kind", NULL, NULL},
};

static void
put_lie(struct reply *r)
{
    const char *name = sim_rule_text(r->rule, "variant", "malformed");
    size_t i;

    for (i = 0; i + 1 < LP_COUNT(lies) && strcmp(lies[i].name, name) != 0; i++)
        continue;
    r->answer.type = lies[i].type;
    if (strcmp(name, "gzip") == 0)
        lp_buf_str(&r->answer.headers, "Content-Encoding: gzip\r\n");
    if (lies[i].put != NULL) {
        lies[i].put(r);
        return;
    }
    if (lies[i].body != NULL)
        body_set(r, lies[i].body);
    put_plain(r);
}

/* ---- other answers ---- */

static void
fault_status(struct reply *r)
{
    const char *body = sim_rule_text(r->rule, "body", "errors");
    struct sim_why why;
    int status = (int)sim_rule_int(r->rule, "status", 503);
    const json_t *after = json_object_get(r->rule->args, "retry_after");

    sim_web_answer_free(&r->answer);
    r->answer = (struct sim_web_answer){.status = status};
    if (json_is_string(after))
        lp_buf_printf(&r->answer.headers, "Retry-After: %s\r\n", json_string_value(after));
    else if (json_is_integer(after))
        lp_buf_printf(&r->answer.headers, "Retry-After: %lld\r\n",
                      (long long)json_integer_value(after));
    if (strcmp(body, "html") == 0) {
        lp_buf_printf(&r->answer.body, "<html><body>%s</body></html>", sim_http_reason(status));
        r->answer.type = "text/html";
    } else if (strcmp(body, "errors") == 0) {
        (void)sim_refuse(&why, status, sim_rule_text(r->rule, "tag", "operation-failed"), "%s",
                         sim_rule_text(r->rule, "text", sim_http_reason(status)));
        sim_web_refuse(&r->answer, &why);
    }
}

static void
fault_redirect(struct reply *r)
{
    const char *path = r->request == NULL ? "/" : r->request->path;

    sim_web_answer_free(&r->answer);
    r->answer = (struct sim_web_answer){.status = (int)sim_rule_int(r->rule, "status", 302)};
    lp_buf_printf(&r->answer.headers, "Location: %s\r\n", sim_rule_text(r->rule, "location", path));
}

static void
fault_login(struct reply *r)
{
    struct sim_why why;

    if (r->rule->fault == SIM_FAULT_LOGOUT)
        (void)json_object_del(r->conn->box->extra, "tokens");
    sim_web_answer_free(&r->answer);
    r->answer = (struct sim_web_answer){.status = 401};
    (void)sim_refuse(&why, 401, "access-denied", "%s",
                     sim_rule_text(r->rule, "variant", "not authenticated"));
    sim_web_refuse(&r->answer, &why);
}

/* ---- delivery ---- */

static enum sim_after
ending(const struct sim_rule *rule)
{
    return strcmp(sim_rule_text(rule, "how", "fin"), "rst") == 0 ? SIM_RESET : SIM_FIN;
}

/* Faults after which no whole answer leaves; true: done. */
static bool
broken(struct reply *r)
{
    struct sim_box *box = r->conn->box;
    size_t at;

    switch ((int)r->rule->fault) {
    case SIM_FAULT_DROP:
        r->out.len = 0;
        r->how->after = ending(r->rule);
        break;
    case SIM_FAULT_DROP_MID:
        at = (size_t)sim_rule_int(r->rule, "at_byte", (int64_t)(r->out.len / 2));
        r->out.len = at < r->out.len ? at : r->out.len;
        r->how->after = ending(r->rule);
        break;
    case SIM_FAULT_HANG_UP:
        r->conn->polite = true;
        r->how->after = SIM_FIN;
        break;
    case SIM_FAULT_HALF_OPEN:
    case SIM_FAULT_SILENCE:
        r->out.len = 0;
        r->how->after = SIM_FREEZE;
        break;
    case SIM_FAULT_REFUSE:
        sim_box_down(r->server, box, sim_rule_int(r->rule, "duration_ms", 1000) * 1000);
        return true;
    case SIM_FAULT_RESTART:
        box->clock_shift_us += sim_rule_int(r->rule, "clock_ms", 0) * 1000;
        (void)json_object_del(box->extra, "tokens");
        (void)json_object_del(box->extra, "jobs");
        sim_box_down(r->server, box, sim_rule_int(r->rule, "down_ms", 2000) * 1000);
        return true;
    default:
        break;
    }
    return false;
}

static void
compose(struct reply *r)
{
    if (is_fault(r, SIM_FAULT_STATUS))
        fault_status(r);
    else if (is_fault(r, SIM_FAULT_REDIRECT))
        fault_redirect(r);
    else if (is_fault(r, SIM_FAULT_LOGIN) || is_fault(r, SIM_FAULT_LOGOUT))
        fault_login(r);
    if (is_fault(r, SIM_FAULT_BODY))
        put_lie(r);
    else
        put_plain(r);
}

static int64_t
delay_of(struct reply *r)
{
    const struct sim_box *box = r->conn->box;
    const struct sim_options *options = &r->server->net->options;
    int64_t delay = box->latency_us >= 0 ? box->latency_us : options->latency_ms * 1000;
    int64_t jitter = options->jitter_ms * 1000;

    if (is_fault(r, SIM_FAULT_SLOW)) {
        delay += sim_rule_int(r->rule, "delay_ms", 1000) * 1000;
        jitter += sim_rule_int(r->rule, "jitter_ms", 0) * 1000;
    }
    if (jitter > 0)
        delay += (int64_t)(sim_random(r->server->net) % (uint64_t)jitter);
    return delay;
}

static void
deliver(struct reply *r)
{
    struct sim_conn *conn = r->conn;
    int64_t delay = delay_of(r);

    compose(r);
    transcribe(r->server, conn, json_pack("{s:s,s:i}", "dir", "out", "status", r->answer.status),
               r->answer.body.data, r->answer.body.len);
    if (r->out.failed || (r->rule != NULL && broken(r))) {
        if (r->out.failed)
            sim_conn_kill(r->server, conn, true);
        return;
    }
    r->how->at_us = delay > 0 ? sim_real_us() + delay : 0;
    r->how->last = !r->answer.stream;
    if (is_fault(r, SIM_FAULT_DRIP))
        r->how->bytes_per_s = sim_rule_int(r->rule, "bytes_per_s", 100);
    if (r->answer.close && r->how->after == SIM_STAY) {
        conn->polite = true;
        r->how->after = SIM_FIN;
    }
    conn->web->streaming = r->answer.stream;
    sim_conn_send(r->server, conn, r->out.data == NULL ? "" : r->out.data, r->out.len, r->how);
}

/* ---- what a rule does before the answer ---- */

static void
ignore_in(json_t *value, const char *attr)
{
    const char *key;
    json_t *member;
    void *next;
    size_t i, leaves = 0, seen = 0;

    for (i = 0; i < json_array_size(value); i++)
        ignore_in(json_array_get(value, i), attr);
    if (!json_is_object(value))
        return;
    json_object_foreach(value, key, member)
    {
        if (json_is_object(member) || json_is_array(member))
            ignore_in(member, attr);
        else
            leaves++;
    }
    json_object_foreach_safe(value, next, key, member)
    {
        bool leaf = !json_is_object(member) && !json_is_array(member);
        size_t len = strlen(key);

        if (leaf)
            seen++;
        if (attr != NULL ? strcmp(sim_plain_name(key), attr) == 0
                         : leaf && leaves > 1 && seen > (leaves + 1) / 2
                               && !(len > 3 && strcmp(key + len - 3, "-id") == 0)
                               && strcmp(key, "name") != 0)
            (void)json_object_del(value, key);
    }
}

static void
clamp_in(json_t *value, const char *attr, const json_t *clamped)
{
    const char *key;
    json_t *member;
    size_t i;

    for (i = 0; i < json_array_size(value); i++)
        clamp_in(json_array_get(value, i), attr, clamped);
    if (!json_is_object(value))
        return;
    json_object_foreach(value, key, member)
    {
        clamp_in(member, attr, clamped);
    }
    if (json_object_get(value, attr) != NULL)
        (void)json_object_set(value, attr, (json_t *)(uintptr_t)clamped);
}

/* Another body than the one that was sent. */
static void
rewrite(struct sim_http_request *request, const struct sim_rule *rule)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *body = NULL;
    const char *attr = sim_rule_text(rule, "attr", NULL);
    char *text;

    if (lp_json_load(request->body, request->body_len, &body, &err) == LP_OK) {
        if (rule->fault == SIM_FAULT_IGNORE)
            ignore_in(body, attr);
        else if (attr != NULL)
            clamp_in(body, attr, json_object_get(rule->args, "value"));
        text = lp_json_text(body);
        if (text != NULL) {
            free(request->body);
            request->body = text;
            request->body_len = strlen(text);
        }
    }
    json_decref(body);
    lp_err_clear(&err);
}

static void
meddle(struct sim_server *server, const struct sim_rule *rule)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *request = json_deep_copy(rule->args), *reply = NULL;

    (void)json_object_set_new(request, "op", json_string("set"));
    if (sim_control(server, request, &reply, &err) != LP_OK)
        lp_log_err(server->log, LP_LOG_WARN, "sim.meddle", &err);
    json_decref(reply);
    json_decref(request);
    lp_err_clear(&err);
}

static bool
not_executed(const struct sim_rule *rule)
{
    return rule != NULL && !rule->executed && rule->fault != SIM_FAULT_MEDDLE;
}

/* ---- requests ---- */

static void
answer_request(struct sim_server *server, struct sim_conn *conn, struct sim_http_request *request)
{
    struct sim_box *box = conn->box;
    const struct sim_rule *rule =
        sim_faults_fire(&server->faults, request->method, box->name, request->path, sim_real_us());
    struct sim_chunk how = {.at_us = 0};
    struct reply r = {
        .server = server, .conn = conn, .request = request, .rule = rule, .how = &how};

    sim_server_time(server);
    transcribe_in(server, conn, request);
    if (is_fault(&r, SIM_FAULT_IGNORE) || is_fault(&r, SIM_FAULT_CLAMP))
        rewrite(request, rule);
    if (is_fault(&r, SIM_FAULT_MEDDLE))
        meddle(server, rule);
    if (is_fault(&r, SIM_FAULT_CLOCK))
        box->clock_shift_us += sim_rule_int(rule, "shift_ms", 0) * 1000;
    r.answer.status = 204;
    if (is_fault(&r, SIM_FAULT_HIDE)) {
        struct sim_why why;

        (void)sim_refuse(&why, 404, "data-missing", "No such instance");
        sim_web_refuse(&r.answer, &why);
    } else if (!not_executed(rule)) {
        sim_web_execute(server->net, box, request, is_fault(&r, SIM_FAULT_STALE), &r.answer);
    }
    if (request->close)
        r.answer.close = true;
    deliver(&r);
    sim_web_answer_free(&r.answer);
    lp_buf_free(&r.out);
}

static void
answer_bad(struct sim_server *server, struct sim_conn *conn, int status)
{
    struct sim_chunk how = {.at_us = 0};
    struct reply r = {.server = server, .conn = conn, .how = &how};
    struct sim_why why;

    (void)sim_refuse(&why, status, "malformed-message", "this is no HTTP/1.1 request");
    sim_web_refuse(&r.answer, &why);
    r.answer.close = true;
    deliver(&r);
    sim_web_answer_free(&r.answer);
    lp_buf_free(&r.out);
}

void
sim_web_next(struct sim_server *server, struct sim_conn *conn)
{
    while (!conn->dead && !conn->busy && !conn->frozen && !conn->web->streaming) {
        struct sim_http_request request;
        struct sim_chunk now = {.at_us = 0};
        int status = 0;
        enum sim_http_state state = sim_http_take(&conn->web->in, &request, &status);

        if (state == SIM_HTTP_CONTINUE && !conn->web->continued) {
            conn->web->continued = true;
            sim_conn_send(server, conn, "HTTP/1.1 100 Continue\r\n\r\n", 25, &now);
            sim_conn_flush(server, conn);
        }
        if (state == SIM_HTTP_MORE || state == SIM_HTTP_CONTINUE)
            return;
        conn->busy = true;
        conn->web->continued = false;
        if (state == SIM_HTTP_BAD)
            answer_bad(server, conn, status);
        else
            answer_request(server, conn, &request);
        if (state == SIM_HTTP_READY)
            sim_http_request_free(&request);
        server->exchanges++;
        if (!conn->dead)
            sim_conn_flush(server, conn);
    }
}

void
sim_web_bytes(struct sim_server *server, struct sim_conn *conn, const char *bytes, size_t len)
{
    lp_buf_add(&conn->web->in, bytes, len);
    if (conn->web->in.failed || conn->web->in.len > SIM_HTTP_MAX_BODY + 2 * SIM_HTTP_MAX_HEAD
        || conn->web->streaming)
        sim_conn_kill(server, conn, true);
}

/* ---- life of a connection ---- */

static void
open_fault(struct sim_server *server, struct sim_conn *conn, const struct sim_rule *rule, bool *old)
{
    struct sim_chunk now = {.at_us = 0, .after = SIM_FIN};
    const char *variant = sim_rule_text(rule, "variant", "stall");

    switch ((int)rule->fault) {
    case SIM_FAULT_TLS:
        *old = strcmp(variant, "old") == 0;
        conn->muted = conn->frozen = strcmp(variant, "stall") == 0;
        if (strcmp(variant, "close") == 0)
            sim_conn_kill(server, conn, false);
        if (strcmp(variant, "garbage") == 0)
            sim_conn_send(server, conn, "SSH-2.0-dropbear\r\n", 18, &now);
        break;
    case SIM_FAULT_SILENCE:
    case SIM_FAULT_NO_BANNER:
    case SIM_FAULT_HALF_OPEN:
        conn->muted = conn->frozen = true;
        break;
    case SIM_FAULT_DROP:
        sim_conn_kill(server, conn, ending(rule) == SIM_RESET);
        break;
    case SIM_FAULT_REFUSE:
        sim_box_down(server, conn->box, sim_rule_int(rule, "duration_ms", 1000) * 1000);
        break;
    default:
        break;
    }
}

void
sim_web_open(struct sim_server *server, struct sim_conn *conn)
{
    const struct sim_rule *rule =
        sim_faults_fire(&server->faults, "CONNECT", conn->box->name, "", sim_real_us());
    bool old = false;

    conn->web = calloc(1, sizeof *conn->web);
    if (rule != NULL)
        open_fault(server, conn, rule, &old);
    if (conn->dead || conn->frozen || conn->out != NULL) {
        if (conn->out != NULL)
            sim_conn_flush(server, conn); /* in the clear */
        return;
    }
    conn->tls = conn->web == NULL ? NULL : sim_tls_open(conn->box->identity, conn->source.fd, old);
    if (conn->tls == NULL)
        sim_conn_kill(server, conn, true);
}

void
sim_web_free(struct sim_conn *conn)
{
    if (conn->web != NULL)
        lp_buf_free(&conn->web->in);
    free(conn->web);
    conn->web = NULL;
}

/* ---- events ---- */

void
sim_web_emit(void *arg, struct sim_box *box, json_t *event)
{
    struct sim_server *server = arg;
    struct sim_conn *conn;
    struct lp_buf text = LP_BUF_INIT, out = LP_BUF_INIT;
    struct sim_chunk now = {.at_us = 0};

    lp_buf_printf(&text, "id: %llu\ndata: ", (unsigned long long)++box->event_id);
    lp_buf_json(&text, event);
    lp_buf_str(&text, "\n\n");
    lp_buf_printf(&out, "%zx\r\n", text.len);
    if (!text.failed)
        lp_buf_add(&out, text.data, text.len);
    lp_buf_str(&out, "\r\n");
    for (conn = server->conns; conn != NULL && !out.failed; conn = conn->next)
        if (conn->box == box && !conn->dead && !conn->frozen && conn->web != NULL
            && conn->web->streaming) {
            sim_conn_send(server, conn, out.data, out.len, &now);
            sim_conn_flush(server, conn);
        }
    lp_buf_free(&text);
    lp_buf_free(&out);
    json_decref(event);
}

void
sim_web_sweep(struct sim_server *server)
{
    const struct sim_conn *conn;
    size_t i;

    for (i = 0; i < server->net->box_count; i++) {
        struct sim_box *box = &server->net->boxes[i];

        if (box->restart_us != 0 && server->net->utc_us >= box->restart_us) {
            box->restart_us = 0;
            (void)json_object_del(box->extra, "tokens");
            if (box->kind->restarted != NULL)
                box->kind->restarted(server->net, box);
            sim_box_down(server, box, box->outage_ms * 1000);
        }
    }
    for (conn = server->conns; conn != NULL; conn = conn->next)
        if (!conn->dead && conn->web != NULL && conn->web->streaming) {
            sim_boxes_settle(server->net); /* somebody wants to know */
            return;
        }
}

enum lp_code
sim_web_identities(struct sim_server *server, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    size_t i;

    for (i = 0; rc == LP_OK && i < server->listener_count; i++) {
        struct sim_listener *listener = &server->listeners[i];

        if (listener->box != NULL && listener->box->identity == NULL)
            rc = sim_tls_identity_new(server->tls, listener->box->name, listener->address,
                                      &listener->box->identity, err);
    }
    return rc;
}
