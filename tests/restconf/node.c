/* The test element: connections, requests, faults. */
#include "tests/restconf/node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "tests/restconf/node_internal.h"

#define PLANS_MAX 16

struct connection {
    struct node *node;
    struct connection *next;
    int fd;
    SSL *ssl;
    pthread_t thread;
    bool done, stream;
    size_t told; /* events sent */
};

struct node {
    SSL_CTX *tls;
    int fd, port, delay_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    bool stopping, token;
    char authorization[512], form[512];
    unsigned token_number;
    json_t *data, *events; /* events: [[id, data]] */
    struct node_plan plans[PLANS_MAX];
    size_t plan_count;
    struct connection *connections;
    struct node_seen seen;
};

static void
pause_ms(int ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* ---- reading ---- */

static bool
read_some(struct connection *c, struct lp_buf *in)
{
    char bytes[8192];
    int n = SSL_read(c->ssl, bytes, sizeof bytes);

    if (n > 0)
        lp_buf_add(in, bytes, (size_t)n);
    return n > 0;
}

static void
keep_header(const char *head, const char *name, char *to, size_t size)
{
    const char *at = strcasestr(head, name);
    size_t len;

    to[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(name);
    at += strspn(at, " ");
    len = strcspn(at, "\r\n");
    (void)snprintf(to, size, "%.*s", (int)len, at);
}

static bool
read_request(struct connection *c, struct lp_buf *in, struct node_request *r)
{
    char *end, length[32], target[6000], *query;
    size_t head;

    lp_buf_str(in, "");
    while ((end = strstr(in->data, "\r\n\r\n")) == NULL)
        if (!read_some(c, in))
            return false;
    *end = '\0';
    head = (size_t)(end + 4 - in->data);
    if (sscanf(in->data, "%15s %5999s", r->method, target) != 2)
        return false;
    query = strchr(target, '?');
    if (query != NULL)
        *query++ = '\0';
    (void)snprintf(r->path, sizeof r->path, "%.4090s", target);
    (void)snprintf(r->query, sizeof r->query, "%.2000s", query != NULL ? query : "");
    keep_header(in->data, "\r\nAccept:", r->accept, sizeof r->accept);
    keep_header(in->data, "\r\nContent-Type:", r->content_type, sizeof r->content_type);
    keep_header(in->data, "\r\nAuthorization:", r->authorization, sizeof r->authorization);
    keep_header(in->data, "\r\nIf-Match:", r->if_match, sizeof r->if_match);
    keep_header(in->data, "\r\nLast-Event-ID:", r->last_event_id, sizeof r->last_event_id);
    keep_header(in->data, "\r\nContent-Length:", length, sizeof length);
    r->body_len = strtoul(length, NULL, 10);
    while (in->len < head + r->body_len)
        if (!read_some(c, in))
            return false;
    r->body = strndup(in->data + head, r->body_len);
    lp_buf_reset(in);
    return true;
}

/* ---- answering ---- */

static bool
send_all(struct connection *c, const char *text, size_t len)
{
    return SSL_write(c->ssl, text, (int)len) > 0;
}

static bool
send_answer(struct connection *c, const struct node_answer *a, size_t cut)
{
    struct lp_buf out = LP_BUF_INIT;
    bool ok;

    lp_buf_printf(&out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s", a->status, a->body.len,
                  a->headers);
    if (a->body.len > 0)
        lp_buf_printf(&out, "Content-Type: %s\r\n",
                      a->type != NULL ? a->type : "application/yang-data+json");
    lp_buf_str(&out, "\r\n");
    if (a->body.len > 0)
        lp_buf_add(&out, a->body.data, a->body.len - cut);
    ok = send_all(c, out.data, out.len);
    lp_buf_free(&out);
    return ok && cut == 0;
}

static bool
send_login(struct connection *c, const struct node_request *r)
{
    struct node *node = c->node;
    struct node_answer a = {.status = 401, .type = "application/json"};
    bool ok;

    (void)pthread_mutex_lock(&node->lock);
    node->seen.logins++;
    if (strcmp(r->body, node->form) == 0) {
        a.status = 200;
        lp_buf_printf(&a.body, "{\"token_type\":\"Bearer\",\"access_token\":\"tok-%u\"}",
                      ++node->token_number);
        (void)snprintf(node->authorization, sizeof node->authorization, "Bearer tok-%u",
                       node->token_number);
    }
    (void)pthread_mutex_unlock(&node->lock);
    ok = send_answer(c, &a, 0);
    lp_buf_free(&a.body);
    return ok;
}

/* Sends what there is until the client goes away. */
static bool
send_stream(struct connection *c, const struct node_request *r)
{
    static const char head[] = "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\n";
    struct node *node = c->node;
    bool alive = send_all(c, head, strlen(head));

    (void)pthread_mutex_lock(&node->lock);
    c->stream = true;
    node->seen.streams++;
    (void)snprintf(node->seen.last_event_id, sizeof node->seen.last_event_id, "%s",
                   r->last_event_id);
    (void)pthread_mutex_unlock(&node->lock);
    while (alive) {
        struct pollfd gone = {.fd = c->fd, .events = POLLIN};
        struct lp_buf out = LP_BUF_INIT;
        const json_t *event;

        (void)pthread_mutex_lock(&node->lock);
        event = json_array_get(node->events, c->told);
        if (event != NULL) {
            lp_buf_printf(&out, "id: %s\ndata: %s\n\n", json_string_value(json_array_get(event, 0)),
                          json_string_value(json_array_get(event, 1)));
            c->told++;
        }
        alive = !node->stopping;
        (void)pthread_mutex_unlock(&node->lock);
        if (out.len > 0)
            alive = alive && send_all(c, out.data, out.len);
        else if (poll(&gone, 1, 5) > 0)
            alive = false;
        lp_buf_free(&out);
    }
    return false;
}

/* ---- faults ---- */

static struct node_plan
plan_for(struct node *node, const char *method)
{
    struct node_plan plan = {0};

    for (size_t i = 0; i < node->plan_count; i++) {
        struct node_plan *p = &node->plans[i];

        if (p->times == 0 || (p->method != NULL && strcmp(p->method, method) != 0))
            continue;
        if (p->skip > 0) {
            p->skip--;
            continue;
        }
        p->times--;
        return *p;
    }
    return plan;
}

static bool
is_write(const char *method)
{
    return strcmp(method, "GET") != 0;
}

/* With the lock held: the effect, and the answer that a healthy element would give. */
static void
execute(struct node *node, const struct node_request *r, const struct node_plan *plan,
        struct node_answer *a)
{
    bool allowed = strcmp(r->authorization, node->authorization) == 0;

    node->seen.requests++;
    node->seen.writes += is_write(r->method);
    (void)snprintf(node->seen.last, sizeof node->seen.last, "%s %.3000s%s%.1000s", r->method,
                   r->path, r->query[0] != '\0' ? "?" : "", r->query);
    (void)snprintf(node->seen.last_body, sizeof node->seen.last_body, "%s", r->body);
    a->status = 401;
    if (!allowed || (plan->fault != NODE_FAULT_NONE && !plan->executed))
        return;
    node_serve(node->data, r, a);
    node->seen.executed += is_write(r->method) && a->status < 300;
}

static bool
send_fault(struct connection *c, const struct node_plan *plan, const struct node_answer *a)
{
    struct node_answer own = {.status = plan->status};
    bool ok = false;

    switch (plan->fault) {
    case NODE_SILENT:
        for (bool stop = false; !stop;) {
            struct pollfd gone = {.fd = c->fd, .events = POLLIN};

            stop = poll(&gone, 1, 20) > 0;
            (void)pthread_mutex_lock(&c->node->lock);
            stop = stop || c->node->stopping;
            (void)pthread_mutex_unlock(&c->node->lock);
        }
        return false;
    case NODE_DROP_HALF:
        return send_answer(c, a, a->body.len / 2 + 1);
    case NODE_RAW:
        (void)send_all(c, plan->raw, plan->raw_len > 0 ? plan->raw_len : strlen(plan->raw));
        (void)SSL_shutdown(c->ssl);
        return false;
    case NODE_ANSWER:
        (void)snprintf(own.headers, sizeof own.headers, "%s",
                       plan->headers != NULL ? plan->headers : "");
        lp_buf_str(&own.body, plan->body != NULL ? plan->body : "");
        ok = send_answer(c, &own, 0);
        lp_buf_free(&own.body);
        return ok;
    case NODE_FAULT_NONE:
    case NODE_DROP:
    case NODE_DROP_STALE:
        break;
    }
    return false;
}

/* ---- connections ---- */

/* The connection dies under the next request: it is closed as soon as bytes of it arrive. */
static bool
die_at_next(struct connection *c)
{
    struct pollfd more = {.fd = c->fd, .events = POLLIN};

    while (poll(&more, 1, 20) == 0) {
        bool stop;

        (void)pthread_mutex_lock(&c->node->lock);
        stop = c->node->stopping;
        (void)pthread_mutex_unlock(&c->node->lock);
        if (stop)
            break;
    }
    return false;
}

static bool
answer_one(struct connection *c, struct node_request *r)
{
    struct node *node = c->node;
    struct node_answer a = {0};
    struct node_plan plan = {0};
    bool ok, is_auth = strcmp(r->path, "/auth") == 0 && node->token;
    int delay;

    if (is_auth)
        return send_login(c, r);
    (void)pthread_mutex_lock(&node->lock);
    plan = plan_for(node, r->method);
    execute(node, r, &plan, &a);
    delay = node->delay_ms;
    (void)pthread_mutex_unlock(&node->lock);
    if (delay > 0)
        pause_ms(delay);
    if (strcmp(r->path, "/streams/events") == 0 && a.status != 401
        && plan.fault == NODE_FAULT_NONE) {
        lp_buf_free(&a.body);
        return send_stream(c, r);
    }
    if (plan.fault == NODE_DROP_STALE)
        ok = send_answer(c, &a, 0) && die_at_next(c);
    else
        ok = plan.fault == NODE_FAULT_NONE ? send_answer(c, &a, 0) : send_fault(c, &plan, &a);
    lp_buf_free(&a.body);
    return ok;
}

static void *
serve(void *arg)
{
    struct connection *c = arg;
    struct lp_buf in = LP_BUF_INIT;
    bool alive = SSL_accept(c->ssl) == 1;

    while (alive) {
        struct node_request request = {0};

        alive = read_request(c, &in, &request) && answer_one(c, &request);
        free(request.body);
    }
    lp_buf_free(&in);
    (void)pthread_mutex_lock(&c->node->lock);
    (void)shutdown(c->fd, SHUT_RDWR);
    c->done = true;
    c->node->seen.open--;
    (void)pthread_mutex_unlock(&c->node->lock);
    return NULL;
}

static void
bury(struct connection *c)
{
    (void)pthread_join(c->thread, NULL);
    SSL_free(c->ssl);
    (void)close(c->fd);
    free(c);
}

static void
welcome(struct node *node, int fd)
{
    struct connection *c = calloc(1, sizeof *c);

    c->node = node;
    c->fd = fd;
    c->ssl = SSL_new(node->tls);
    (void)SSL_set_fd(c->ssl, fd);
    (void)pthread_mutex_lock(&node->lock);
    node->seen.connections++;
    node->seen.open++;
    c->next = node->connections;
    node->connections = c;
    if (pthread_create(&c->thread, NULL, serve, c) != 0)
        abort();
    (void)pthread_mutex_unlock(&node->lock);
}

static void *
listen_thread(void *arg)
{
    struct node *node = arg;
    int fd;

    while ((fd = accept(node->fd, NULL, NULL)) >= 0)
        welcome(node, fd);
    return NULL;
}

/* ---- the element ---- */

struct node *
node_start(enum node_certificate certificate)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct node *node = calloc(1, sizeof *node);

    (void)signal(SIGPIPE, SIG_IGN); /* clients go away */
    node->tls = node_tls(certificate);
    node->data = json_object();
    node->events = json_array();
    (void)pthread_mutex_init(&node->lock, NULL);
    node_login(node, "svc", "pw/\"1", false);
    node->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(node->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(node->fd, 256) != 0
        || getsockname(node->fd, (struct sockaddr *)&at, &len) != 0
        || pthread_create(&node->thread, NULL, listen_thread, node) != 0)
        abort();
    node->port = ntohs(at.sin_port);
    return node;
}

void
node_stop(struct node *node)
{
    if (node == NULL)
        return;
    (void)pthread_mutex_lock(&node->lock);
    node->stopping = true;
    for (struct connection *c = node->connections; c != NULL; c = c->next)
        (void)shutdown(c->fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&node->lock);
    (void)shutdown(node->fd, SHUT_RDWR);
    (void)pthread_join(node->thread, NULL);
    (void)close(node->fd);
    while (node->connections != NULL) {
        struct connection *c = node->connections;

        node->connections = c->next;
        (void)shutdown(c->fd, SHUT_RDWR);
        bury(c);
    }
    json_decref(node->data);
    json_decref(node->events);
    SSL_CTX_free(node->tls);
    (void)pthread_mutex_destroy(&node->lock);
    free(node);
}

int
node_port(const struct node *node)
{
    return node->port;
}

void
node_login(struct node *node, const char *user, const char *password, bool token)
{
    unsigned char plain[256], text[512];
    int len = snprintf((char *)plain, sizeof plain, "%s:%s", user, password);
    struct lp_buf form = LP_BUF_INIT;

    (void)EVP_EncodeBlock(text, plain, len);
    (void)pthread_mutex_lock(&node->lock);
    node->token = token;
    (void)snprintf(node->authorization, sizeof node->authorization, "Basic %.400s",
                   token ? "never" : (const char *)text);
    lp_buf_printf(&form, "user=%s&password=", user);
    for (const char *p = password; *p != '\0'; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9'))
            lp_buf_char(&form, *p);
        else
            lp_buf_printf(&form, "%%%02X", (unsigned char)*p);
    }
    (void)snprintf(node->form, sizeof node->form, "%s", form.data);
    (void)pthread_mutex_unlock(&node->lock);
    lp_buf_free(&form);
}

void
node_forget_tokens(struct node *node)
{
    (void)pthread_mutex_lock(&node->lock);
    (void)snprintf(node->authorization, sizeof node->authorization, "Bearer none");
    (void)pthread_mutex_unlock(&node->lock);
}

void
node_plan(struct node *node, const struct node_plan *plan)
{
    (void)pthread_mutex_lock(&node->lock);
    if (node->plan_count == PLANS_MAX)
        abort();
    node->plans[node->plan_count] = *plan;
    if (plan->times == 0)
        node->plans[node->plan_count].times = 1;
    node->plan_count++;
    (void)pthread_mutex_unlock(&node->lock);
}

void
node_load(struct node *node, const char *json)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *data = NULL;

    if (lp_json_load(json, strlen(json), &data, &err) != LP_OK)
        abort();
    (void)pthread_mutex_lock(&node->lock);
    json_decref(node->data);
    node->data = data;
    (void)pthread_mutex_unlock(&node->lock);
}

json_t *
node_data(struct node *node)
{
    json_t *copy;

    (void)pthread_mutex_lock(&node->lock);
    copy = json_deep_copy(node->data);
    (void)pthread_mutex_unlock(&node->lock);
    return copy;
}

void
node_delay_ms(struct node *node, int ms)
{
    (void)pthread_mutex_lock(&node->lock);
    node->delay_ms = ms;
    (void)pthread_mutex_unlock(&node->lock);
}

void
node_event(struct node *node, const char *id, const char *data)
{
    (void)pthread_mutex_lock(&node->lock);
    (void)json_array_append_new(node->events, json_pack("[s, s]", id, data));
    (void)pthread_mutex_unlock(&node->lock);
}

void
node_look(struct node *node, struct node_seen *seen)
{
    (void)pthread_mutex_lock(&node->lock);
    *seen = node->seen;
    (void)pthread_mutex_unlock(&node->lock);
}

bool
node_wait_requests(struct node *node, unsigned requests)
{
    for (int i = 0; i < 3000; i++) {
        struct node_seen seen;

        node_look(node, &seen);
        if (seen.requests >= requests)
            return true;
        pause_ms(10);
    }
    return false;
}
