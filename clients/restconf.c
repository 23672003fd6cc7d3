/* One RESTCONF handle: addresses, credentials, requests, what their answers mean. */
#include "clients/restconf.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "clients/restconf_internal.h"

#define EVIDENCE_MARGIN 4096 /* a secret that is cut in the middle still goes */

/* ---- addresses ---- */

static enum lp_code
bad_address(const char *text, struct lp_err *err)
{
    return lp_fail(err, LP_INVALID,
                   "'%.128s' is no address: host, host:port or https://host[:port][/path]", text);
}

/* A bare IPv6 address has several colons and no port. */
static bool
is_bare_ipv6(const char *text)
{
    const char *colon = strchr(text, ':');

    return text[0] != '[' && colon != NULL && strchr(colon + 1, ':') != NULL;
}

static bool
has_port(const char *host, size_t len)
{
    while (len > 0 && host[len - 1] != ':' && host[len - 1] != ']')
        len--;
    return len > 0 && host[len - 1] == ':';
}

static enum lp_code
make_url(struct lp_restconf *rc, const char *text, const char **out, struct lp_err *err)
{
    bool whole = strncmp(text, "https://", 8) == 0;
    const char *host = whole ? text + 8 : text, *url;
    size_t len = strcspn(host, "/");

    if (strstr(host, "://") != NULL || len == 0 || len > 255 || (!whole && host[len] == '/')
        || strpbrk(host, "?#@ \t\r\n") != NULL) /* http:// would show the password */
        return bad_address(text, err);
    if (!whole && is_bare_ipv6(host))
        url = lp_arena_printf(rc->memory, "https://[%s]:%u", host, (unsigned)rc->profile->port);
    else if (has_port(host, len))
        url = lp_arena_printf(rc->memory, "https://%s", host);
    else
        url = lp_arena_printf(rc->memory, "https://%.*s:%u%s", (int)len, host,
                              (unsigned)rc->profile->port, host + len);
    *out = url;
    return url != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an address");
}

static enum lp_code
read_addresses(struct lp_restconf *rc, const struct lp_element *element, struct lp_err *err)
{
    struct lp_buf all = LP_BUF_INIT;
    enum lp_code code = LP_OK;

    for (size_t i = 0; code == LP_OK && i < element->address_count && i < RC_ADDRESSES_MAX; i++) {
        code = make_url(rc, element->addresses[i], &rc->urls[i], err);
        if (code == LP_OK)
            lp_buf_printf(&all, "%s ", rc->urls[i]);
        rc->url_count += code == LP_OK ? 1 : 0;
    }
    if (code == LP_OK && rc->url_count == 0)
        code = lp_fail(err, LP_INVALID, "%s has no address", rc->element.name);
    if (code == LP_OK)
        rc->addresses = lp_arena_strdup(rc->memory, all.data != NULL ? all.data : "");
    if (code == LP_OK && (all.failed || rc->addresses == NULL))
        code = lp_fail(err, LP_NOMEM, "no memory for addresses");
    lp_buf_free(&all);
    return code;
}

/* ---- handles ---- */

static const char *
own(struct lp_restconf *rc, const char *text)
{
    return text != NULL ? lp_arena_strdup(rc->memory, text) : NULL;
}

static enum lp_code
own_element(struct lp_restconf *rc, const struct lp_element *element, struct lp_err *err)
{
    bool named = element->credentials != NULL && element->credentials[0] != '\0';

    rc->element = *element;
    rc->element.id = own(rc, element->id);
    rc->element.name = own(rc, element->name != NULL ? element->name : element->node);
    rc->element.node = own(rc, element->node);
    rc->element.serial = own(rc, element->serial);
    rc->element.driver = rc->profile->driver;
    rc->element.credentials = own(rc, named ? element->credentials : rc->profile->driver);
    rc->element.addresses = rc->element.gateways = NULL; /* parsed into rc->urls */
    rc->element.gateway_count = 0;
    if (rc->element.name == NULL || rc->element.credentials == NULL)
        return lp_fail(err, LP_INVALID, "the element has no name");
    return read_addresses(rc, element, err);
}

enum lp_code
lp_restconf_new(struct lp_driver_host *host, const struct lp_element *element,
                const struct lp_restconf_profile *profile, struct lp_restconf **out,
                struct lp_err *err)
{
    struct lp_arena *memory = lp_arena_new();
    struct lp_restconf *rc = memory != NULL ? lp_arena_alloc(memory, sizeof *rc) : NULL;
    enum lp_code code;

    if (rc == NULL) {
        lp_arena_free(memory);
        return lp_fail(err, LP_NOMEM, "no memory for an element");
    }
    rc->memory = memory;
    rc->host = host;
    rc->pool = lp_driver_host_restconf(host);
    rc->profile = profile;
    code = own_element(rc, element, err);
    if (code == LP_OK)
        code = lp_driver_host_note(host, &rc->element, err);
    if (code != LP_OK) {
        lp_arena_free(memory);
        return code;
    }
    *out = rc;
    return LP_OK;
}

void
lp_restconf_free(struct lp_restconf *rc)
{
    if (rc == NULL)
        return;
    lp_http_stream_close(rc->stream);
    rc_give(rc, rc->stream_session, true);
    rc_give(rc, rc->session, false);
    lp_arena_free(rc->memory);
}

const struct lp_element *
lp_restconf_element(const struct lp_restconf *rc)
{
    return &rc->element;
}

const char *
lp_restconf_method_name(enum lp_restconf_method method)
{
    static const char *const names[] = {
        [LP_RESTCONF_GET] = "GET",     [LP_RESTCONF_POST] = "POST",     [LP_RESTCONF_PUT] = "PUT",
        [LP_RESTCONF_PATCH] = "PATCH", [LP_RESTCONF_DELETE] = "DELETE",
    };

    static_assert(LP_COUNT(names) == LP_RESTCONF_METHODS, "a name for every method");
    return names[method];
}

int64_t
rc_left_ms(void *handle)
{
    const struct lp_restconf *rc = handle;

    return rc->call != NULL ? rc->call->time_left_ms(rc->call->ctx) : 0;
}

/* ---- connections ---- */

/* How the peer proves who it is: an entry that is called as the element goes before that of its
 * credentials, key by key. */
static void
tls_settings(struct lp_restconf *rc, const struct lp_credential *shared,
             const struct lp_credential *own_entry, struct lp_http_options *options)
{
    const struct lp_conf *conf = lp_driver_host_conf(rc->host);

    options->ca_file = own_entry->tls_ca != NULL ? own_entry->tls_ca : shared->tls_ca;
    options->tls_name = own_entry->tls_name != NULL ? own_entry->tls_name : shared->tls_name;
    options->tls_pin = own_entry->tls_pin != NULL ? own_entry->tls_pin : shared->tls_pin;
    options->connect_ms = conf->devices_connect_ms + conf->devices_handshake_ms;
    options->max_reply = (size_t)conf->devices_max_reply;
}

enum lp_code
rc_http(struct lp_restconf *rc, struct rc_session *session, size_t address, struct lp_http **out,
        struct lp_err *err)
{
    struct lp_http_options options = {.url = rc->urls[address],
                                      .agent = "lightpath",
                                      .cancel_fd = -1,
                                      .no_redirects = true,
                                      .element = true};
    struct lp_credential shared, own_entry;
    struct lp_err none = LP_ERR_INIT;
    enum lp_code code = LP_OK;

    if (session->http[address] == NULL) {
        code = lp_driver_host_credential(rc->host, rc->element.credentials, &shared, err);
        if (code != LP_OK)
            return code;
        if (lp_driver_host_credential(rc->host, rc->element.name, &own_entry, &none) != LP_OK)
            lp_err_clear(&none); /* it needs none */
        tls_settings(rc, &shared, &own_entry, &options);
        code = lp_http_new(&options, &session->http[address], err);
        lp_credential_wipe(&shared);
        lp_credential_wipe(&own_entry);
    }
    if (code != LP_OK)
        return code;
    lp_http_set_left(session->http[address], rc_left_ms, rc);
    *out = session->http[address];
    return LP_OK;
}

/* ---- evidence ---- */

/* The text cut to what is kept, without secrets; the hash of all of it when something was cut. */
static void
keep_text(struct lp_buf *out, const char *text, size_t len, size_t most, const char *const *secrets)
{
    size_t before = out->len;
    char hash[65];

    lp_restconf_redact(out, text, len < most + EVIDENCE_MARGIN ? len : most + EVIDENCE_MARGIN,
                       secrets);
    if (out->failed || out->len - before <= most)
        return;
    out->len = before + most;
    while (out->len > before && ((unsigned char)out->data[out->len] & 0xc0) == 0x80)
        out->len--; /* not inside a character */
    out->data[out->len] = '\0';
    lp_sha256_hex(text, len, hash);
    lp_buf_printf(out, "\n[cut: %zu bytes in all, SHA-256 %s]", len, hash);
}

/* err NULL: the exchange is over. */
static enum lp_code
tell(struct lp_restconf *rc, const struct rc_evidence *e, const struct lp_credential *credential,
     struct lp_err *err)
{
    enum lp_code code = LP_OK;
    size_t most = (size_t)lp_driver_host_conf(rc->host)->devices_max_evidence;
    const char *secrets[3] = {NULL};
    struct lp_buf sent = LP_BUF_INIT, received = LP_BUF_INIT;
    size_t n = 0;

    if (credential->password != NULL)
        secrets[n++] = credential->password;
    if (credential->token != NULL)
        secrets[n++] = credential->token;
    lp_buf_printf(&sent, "%s %s", e->method, e->where);
    lp_restconf_redact(&sent, e->path, strlen(e->path), secrets);
    if (e->body != NULL) {
        lp_buf_str(&sent, "\n\n");
        keep_text(&sent, e->body, strlen(e->body), most, secrets);
    }
    if (e->status != 0) {
        lp_buf_printf(&received, "HTTP %d\n\n", e->status);
        keep_text(&received, e->received != NULL ? e->received : "", e->received_len, most,
                  secrets);
    }
    if (!sent.failed && !received.failed) {
        const struct lp_exchange exchange = {
            .element = rc->element.id,
            .protocol = "restconf",
            .sent = sent.data,
            .received = received.data,
            .outcome = e->outcome,
            .at_us = e->at_us,
            .took_us = e->took_us,
            .writes = e->writes,
        };

        if (err == NULL)
            rc->call->evidence(rc->call->ctx, &exchange);
        else if (rc->call->sending != NULL)
            code = rc->call->sending(rc->call->ctx, &exchange, err);
    }
    lp_buf_free(&sent);
    lp_buf_free(&received);
    return code;
}

void
rc_tell(struct lp_restconf *rc, const struct rc_evidence *e, const struct lp_credential *credential)
{
    (void)tell(rc, e, credential, NULL);
}

enum lp_code
rc_tell_sending(struct lp_restconf *rc, const struct rc_evidence *e,
                const struct lp_credential *credential, struct lp_err *err)
{
    return tell(rc, e, credential, err);
}

/* ---- credentials ---- */

static char *
basic_of(const struct lp_credential *credential)
{
    size_t user = credential->user != NULL ? strlen(credential->user) : 0;
    size_t password = credential->password != NULL ? strlen(credential->password) : 0;
    size_t len = user + 1 + password;
    char *plain = malloc(len + 1), *value = malloc(6 + 4 * (len / 3 + 1) + 1);

    if (plain != NULL && value != NULL) {
        memcpy(plain, credential->user != NULL ? credential->user : "", user);
        plain[user] = ':';
        memcpy(plain + user + 1, credential->password != NULL ? credential->password : "",
               password);
        memcpy(value, "Basic ", 6);
        (void)EVP_EncodeBlock((unsigned char *)value + 6, (const unsigned char *)plain, (int)len);
    }
    if (plain != NULL)
        explicit_bzero(plain, len);
    free(plain);
    return value;
}

static enum lp_code
keep_token(struct lp_restconf *rc, struct rc_session *session, size_t address,
           const struct lp_http_reply *reply, struct lp_err *err)
{
    json_auto_t *json = NULL;
    const char *token;

    if (reply->status == 400 || reply->status == 401 || reply->status == 403)
        return lp_fail(err, LP_AUTH, "%s refuses the login of credentials '%.64s' (HTTP %d)",
                       rc->element.name, rc->element.credentials, reply->status);
    if (reply->status == 429 || reply->status >= 500)
        return lp_fail(err, LP_RETRYABLE, "%s cannot log in now (HTTP %d)", rc->element.name,
                       reply->status);
    if (reply->status != 200 || lp_json_load(reply->body, reply->len, &json, err) != LP_OK) {
        lp_err_clear(err);
        return lp_fail(err, LP_PROTOCOL, "%s answers its login with HTTP %d and no token",
                       rc->element.name, reply->status);
    }
    token = lp_json_str(json, "access_token", "");
    if (token[0] == '\0' || strpbrk(token, "\r\n") != NULL
        || asprintf(&session->token[address], "%s %s", lp_json_str(json, "token_type", "Bearer"),
                    token)
               < 0) {
        session->token[address] = NULL;
        return lp_fail(err, LP_PROTOCOL, "%s answers its login without a token", rc->element.name);
    }
    return LP_OK;
}

/* POST user=..&password=..; nothing that a repetition could harm. */
static enum lp_code
log_in(struct lp_restconf *rc, struct rc_session *session, size_t address,
       const struct lp_credential *credential, struct lp_err *err)
{
    struct lp_http *http = session->http[address];
    const struct lp_clock *clock = lp_driver_host_clock(rc->host);
    struct lp_buf body = LP_BUF_INIT;
    struct lp_http_reply reply = {0};
    int64_t at = lp_clock_utc_us(clock), begun = lp_clock_mono_us(clock);
    enum lp_code code;

    lp_buf_str(&body, "user=");
    lp_restconf_encode(&body, credential->user != NULL ? credential->user : "");
    lp_buf_str(&body, "&password=");
    lp_restconf_encode(&body, credential->password != NULL ? credential->password : "");
    if (body.failed) {
        lp_buf_free(&body);
        return lp_fail(err, LP_NOMEM, "no memory for a login");
    }
    const struct lp_http_request request = {
        .method = "POST",
        .path = rc->profile->login_path,
        .body = body.data,
        .body_len = body.len,
        .content_type = "application/x-www-form-urlencoded",
        .timeout_ms = lp_driver_host_conf(rc->host)->devices_read_ms,
    };
    code = lp_http_send(http, &request, &reply, err);
    if (code == LP_UNKNOWN)
        code = err->code = LP_RETRYABLE;
    if (code == LP_OK)
        code = keep_token(rc, session, address, &reply, err);
    rc_tell(rc,
            &(struct rc_evidence){.method = "POST",
                                  .where = rc->urls[address],
                                  .path = rc->profile->login_path,
                                  .body = body.data,
                                  .status = reply.status,
                                  .received = reply.body,
                                  .received_len = reply.len,
                                  .outcome = code,
                                  .at_us = at,
                                  .took_us = lp_clock_mono_us(clock) - begun},
            credential);
    rc_count(rc, &(struct lp_restconf_stats){.logins = 1});
    if (reply.body != NULL)
        explicit_bzero(reply.body, reply.len);
    lp_http_reply_free(&reply);
    explicit_bzero(body.data, body.len);
    lp_buf_free(&body);
    return code;
}

enum lp_code
rc_authorize(struct lp_restconf *rc, struct rc_session *session, size_t address,
             struct lp_credential *credential, struct lp_err *err)
{
    struct lp_http *http = session->http[address];
    char *basic = NULL;
    enum lp_code code =
        lp_driver_host_credential(rc->host, rc->element.credentials, credential, err);

    if (code == LP_OK && credential->user == NULL)
        code = lp_fail(err, LP_AUTH, "credentials '%.64s' have no user", rc->element.credentials);
    if (code != LP_OK)
        return code;
    if (rc->profile->auth == LP_RESTCONF_TOKEN) {
        if (session->token[address] == NULL)
            code = log_in(rc, session, address, credential, err);
        return code == LP_OK ? lp_http_set_authorization(http, session->token[address], err) : code;
    }
    basic = basic_of(credential);
    if (basic == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for credentials");
    code = lp_http_set_authorization(http, basic, err);
    explicit_bzero(basic, strlen(basic));
    free(basic);
    return code;
}

/* ---- one exchange ---- */

struct exchange {
    struct lp_restconf *rc;
    const struct lp_restconf_request *request;
    bool writes;
    char *body; /* text, wiped afterwards; or NULL */
    const char *path;
    struct lp_yang *yang;     /* NULL: unchecked */
    struct lp_http_reply raw; /* of the last attempt */
    struct lp_restconf_reply *reply;
    struct lp_err *err;
};

static int64_t
timeout_of(const struct exchange *x)
{
    const struct lp_conf *conf = lp_driver_host_conf(x->rc->host);

    if (x->request->timeout_ms > 0)
        return x->request->timeout_ms;
    return x->writes ? conf->devices_write_ms : conf->devices_list_ms;
}

/* What was sent and may have been executed is unknown, whatever broke afterwards: a lack of memory
 * for the answer, too. */
static enum lp_code
settle(const struct exchange *x, enum lp_code code)
{
    if (code == LP_OK)
        return code;
    if (x->writes && x->raw.sent)
        return x->err->code = LP_UNKNOWN;
    if (code == LP_UNKNOWN) /* a read that lost its answer */
        return x->err->code = LP_RETRYABLE;
    return code;
}

/* A read of an operation's kind may be repeated as a GET may. */
static enum lp_code
send_http(struct exchange *x, struct lp_http *http)
{
    char if_match[96], accept[] = "Accept: " LP_RESTCONF_JSON;
    const char *headers[] = {accept, NULL, NULL};
    const struct lp_http_request request = {
        .method = lp_restconf_method_name(x->request->method),
        .path = x->path,
        .body = x->body,
        .body_len = x->body != NULL ? strlen(x->body) : 0,
        .content_type = LP_RESTCONF_JSON,
        .headers = headers,
        .timeout_ms = timeout_of(x),
        .once = x->writes,
    };

    if (x->request->if_match != NULL) {
        (void)snprintf(if_match, sizeof if_match, "If-Match: %.80s", x->request->if_match);
        headers[1] = if_match;
    }
    return lp_http_send(http, &request, &x->raw, x->err);
}

static enum lp_code
judge(struct exchange *x)
{
    const struct lp_restconf_answer answer = {
        .status = x->raw.status,
        .retry_after = x->raw.retry_after,
        .body = x->raw.body,
        .len = x->raw.len,
    };
    int64_t now = lp_clock_utc_us(lp_driver_host_clock(x->rc->host));

    if (answer.status >= 300 && answer.status <= 399)
        return lp_fail(x->err, LP_PROTOCOL,
                       "HTTP %d sends on to %.200s; redirects are not followed", answer.status,
                       x->raw.location != NULL ? x->raw.location : "?");
    return lp_restconf_outcome(&answer, x->writes, x->request->if_match != NULL, now, x->err);
}

/* Sends it to one address, with a new token when the old one has expired. */
static enum lp_code
send_to(struct exchange *x, size_t address)
{
    struct lp_restconf *rc = x->rc;
    const struct lp_clock *clock = lp_driver_host_clock(rc->host);
    struct lp_credential credential = {0};
    struct lp_http *http = NULL;
    int64_t at = lp_clock_utc_us(clock), begun = lp_clock_mono_us(clock);
    uint64_t connects;
    enum lp_code code = rc_http(rc, rc->session, address, &http, x->err);

    if (code != LP_OK)
        return code;
    connects = lp_http_connects(http);
    code = rc_authorize(rc, rc->session, address, &credential, x->err);
    if (code == LP_OK) {
        struct rc_evidence told = {.method = lp_restconf_method_name(x->request->method),
                                   .where = rc->urls[address],
                                   .path = x->path,
                                   .body = x->body,
                                   .outcome = LP_UNKNOWN,
                                   .at_us = at,
                                   .writes = x->writes};

        lp_http_reply_free(&x->raw);
        if (x->writes) /* this program may die before the answer */
            code = rc_tell_sending(rc, &told, &credential, x->err);
        if (code == LP_OK)
            code = settle(x, send_http(x, http));
        if (code == LP_OK)
            code = judge(x);
        told.status = x->raw.status;
        told.received = x->raw.body;
        told.received_len = x->raw.len;
        told.outcome = code;
        told.took_us = lp_clock_mono_us(clock) - begun;
        rc_tell(rc, &told, &credential);
        rc_count(rc, &(struct lp_restconf_stats){.requests = 1,
                                                 .connects = lp_http_connects(http) - connects,
                                                 .unknown = code == LP_UNKNOWN});
    }
    rc->connections += lp_http_connects(http) - connects;
    lp_credential_wipe(&credential);
    return code;
}

/* 401 for a token that was good once: it expired, and the request was not executed. */
static enum lp_code
send_authorized(struct exchange *x, size_t address)
{
    bool had_token = x->rc->session->token[address] != NULL;
    enum lp_code code = send_to(x, address);

    if (x->rc->profile->auth != LP_RESTCONF_TOKEN || x->raw.status != 401)
        return code;
    rc_forget_token(x->rc->session, address);
    if (!had_token)
        return code;
    lp_err_clear(x->err);
    return send_to(x, address);
}

/* The address that answered last, then all in their order, while nothing was sent. */
static enum lp_code
send_somewhere(struct exchange *x)
{
    struct rc_session *session = x->rc->session;
    struct lp_buf tried = LP_BUF_INIT;
    size_t good = session->good;
    enum lp_code code = LP_RETRYABLE;

    for (size_t n = 0; n <= x->rc->url_count; n++) {
        size_t address = n == 0 ? good : n - 1;

        if (n > 0 && address == good)
            continue;
        lp_err_clear(x->err);
        x->raw.sent = false;
        code = send_authorized(x, address);
        if (code == LP_OK || x->raw.status != 0)
            session->good = address;
        if (code != LP_RETRYABLE || x->raw.sent)
            break;
        lp_buf_printf(&tried, "%s%.150s", tried.len > 0 ? "; " : "", x->err->msg);
    }
    if (code == LP_RETRYABLE && !x->raw.sent && x->rc->url_count > 1 && !tried.failed)
        code = lp_fail(x->err, LP_RETRYABLE, "%s is not reachable: %.400s", x->rc->element.name,
                       tried.data);
    lp_buf_free(&tried);
    return code;
}

/* ---- before it is sent ---- */

static void
strip_module(json_t **body)
{
    void *first = json_object_iter(*body);
    const char *name = first != NULL ? json_object_iter_key(first) : "", *colon = strchr(name, ':');
    json_t *plain;

    if (colon == NULL || json_object_size(*body) != 1)
        return;
    plain = json_pack("{s:O}", colon + 1, json_object_iter_value(first));
    if (plain == NULL)
        return;
    json_decref(*body);
    *body = plain;
}

static enum lp_code
check_body(struct exchange *x)
{
    const struct lp_restconf_request *request = x->request;
    bool operation = strncmp(request->path, "/operations/", 12) == 0;

    if (operation)
        return lp_yang_check_rpc(x->yang, request->path, request->body, x->err);
    if (request->body == NULL)
        return lp_yang_check_path(x->yang, request->path, x->err);
    return lp_yang_check_data(x->yang, request->path, request->method == LP_RESTCONF_POST,
                              request->body, x->err);
}

static enum lp_code
prepare(struct exchange *x, struct lp_buf *path)
{
    json_auto_t *body = json_incref((json_t *)(uintptr_t)x->request->body);
    enum lp_code code = LP_OK;

    if (!x->request->unchecked)
        code = lp_restconf_schema(x->rc, &x->yang, x->err);
    if (code == LP_OK && x->yang != NULL)
        code = check_body(x);
    if (code != LP_OK)
        return code;
    if (x->request->if_match != NULL && !lp_restconf_etag_usable(x->request->if_match))
        return lp_fail(x->err, LP_INVALID, "'%.80s' is no entity tag to ask for",
                       x->request->if_match);
    if (body != NULL && x->rc->profile->unqualified_top)
        strip_module(&body);
    if (body != NULL)
        x->body = json_dumps(body, JSON_COMPACT);
    lp_buf_str(path, x->rc->profile->root);
    lp_buf_str(path, x->request->path);
    if (path->failed || (body != NULL && x->body == NULL))
        return lp_fail(x->err, LP_NOMEM, "no memory for a request");
    x->path = path->data;
    return LP_OK;
}

static bool
pause_ms(struct lp_restconf *rc, int64_t ms)
{
    while (ms > 0) {
        int64_t piece = ms < 50 ? ms : 50;

        if (rc_left_ms(rc) <= 0)
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = piece * 1000000}, NULL);
        ms -= piece;
    }
    return true;
}

static enum lp_code
may_begin(struct exchange *x)
{
    struct lp_restconf *rc = x->rc;
    int64_t least = rc->profile->write_gap_ms; /* most the platform needs; tests need less */
    int64_t most = lp_driver_host_conf(rc->host)->devices_rest_write_gap_ms;
    int64_t gap = x->writes ? lp_driver_host_write_gap_of(rc->host, rc->element.name,
                                                          least < most ? least : most)
                            : 0;

    if (!pause_ms(rc, gap) || rc_left_ms(rc) <= 0)
        return lp_fail(x->err, LP_CANCELLED, "%s: no time left for another request",
                       rc->element.name);
    return x->writes ? rc->call->check(rc->call->ctx, x->err) : LP_OK;
}

static enum lp_code
take_session(struct lp_restconf *rc, struct lp_err *err)
{
    struct lp_breakers *breakers = lp_driver_host_breakers(rc->host);
    struct lp_credential credential;
    enum lp_code code;

    if (rc->session != NULL)
        return LP_OK;
    /* new credentials close what a refused login opened: look at them first */
    code = lp_driver_host_credential(rc->host, rc->element.credentials, &credential, err);
    lp_credential_wipe(&credential);
    if (code == LP_OK)
        code = lp_breaker_ask(breakers, rc->element.name, err);
    if (code != LP_OK)
        return code;
    rc->asked = true;
    rc->connections++; /* one that somebody else opened, perhaps */
    return rc_take(rc, false, &rc->session, err);
}

/* ---- after it came back ---- */

/* An answer of whatever kind shows that the element is well; only what is unintelligible and a
 * refused login count against it. */
static void
tell_breaker(struct exchange *x, enum lp_code code)
{
    struct lp_restconf *rc = x->rc;
    bool refused = code == LP_AUTH && x->raw.status != 403;
    bool answered = x->raw.status != 0 && !refused && code != LP_PROTOCOL;

    if (rc->asked || refused || code == LP_PROTOCOL)
        lp_breaker_tell(lp_driver_host_breakers(rc->host), rc->element.name,
                        refused || code == LP_PROTOCOL ? code
                        : answered                     ? LP_OK
                                                       : LP_RETRYABLE,
                        x->err->msg);
    rc->asked = false;
    if (refused) { /* the next one asks the breaker first */
        rc_give(rc, rc->session, true);
        rc->session = NULL;
    }
}

static enum lp_code
damaged(struct exchange *x, const char *why)
{
    char text[300];

    (void)snprintf(text, sizeof text, "%s", why);
    return lp_fail(x->err, x->writes ? LP_UNKNOWN : LP_PROTOCOL, "HTTP %d, but %s", x->raw.status,
                   text);
}

static void
log_notes(struct exchange *x, const json_t *notes)
{
    if (json_array_size(notes) > 0)
        lp_logf(lp_driver_host_log(x->rc->host), LP_LOG_DEBUG, "device.unknown_members",
                "s:s, s:s, s:i, s:s", "device", x->rc->element.name, "path", x->request->path,
                "count", (int)json_array_size(notes), "first",
                json_string_value(json_array_get(notes, 0)));
}

static enum lp_code
take_body(struct exchange *x)
{
    enum lp_restconf_media media = lp_restconf_media_of(x->raw.content_type);
    bool operation = strncmp(x->request->path, "/operations/", 12) == 0;
    json_auto_t *json = NULL, *notes = NULL;
    enum lp_code code;

    if (x->raw.len == 0)
        return LP_OK;
    if (media != LP_RESTCONF_MEDIA_JSON && media != LP_RESTCONF_MEDIA_NONE)
        return damaged(x, "its body is not JSON");
    if (lp_json_load(x->raw.body, x->raw.len, &json, x->err) != LP_OK)
        return damaged(x, x->err->msg);
    if (x->yang == NULL || (x->request->method != LP_RESTCONF_GET && !operation)) {
        x->reply->body = lp_json_take(&json);
        return LP_OK;
    }
    code = lp_yang_take(x->yang, x->request->path, json, &x->reply->body, &notes, x->err);
    log_notes(x, notes);
    if (code == LP_PROTOCOL && x->writes)
        code = x->err->code = LP_UNKNOWN;
    return code;
}

static enum lp_code
take_reply(struct exchange *x)
{
    x->reply->status = x->raw.status;
    if (lp_restconf_etag_usable(x->raw.etag) && strlen(x->raw.etag) < sizeof x->reply->etag)
        (void)snprintf(x->reply->etag, sizeof x->reply->etag, "%s", x->raw.etag);
    if (x->request->unchecked) {
        x->reply->text = x->raw.body;
        x->raw.body = NULL;
        return LP_OK;
    }
    return take_body(x);
}

static enum lp_code
send_prepared(struct exchange *x)
{
    enum lp_code code = take_session(x->rc, x->err);

    if (code == LP_OK)
        code = may_begin(x);
    if (code == LP_OK)
        code = send_somewhere(x);
    if (code == LP_OK)
        code = take_reply(x);
    else if (x->raw.status != 0 && x->request->unchecked)
        (void)take_reply(x);
    x->reply->status = x->raw.status;
    if (x->rc->session != NULL)
        tell_breaker(x, code);
    else if (x->rc->asked) /* no session */
        tell_breaker(x, LP_RETRYABLE);
    return code;
}

enum lp_code
lp_restconf_send(struct lp_restconf *rc, const struct lp_call *call,
                 const struct lp_restconf_request *request, struct lp_restconf_reply *reply,
                 struct lp_err *err)
{
    struct exchange x = {.rc = rc, .request = request, .reply = reply, .err = err};
    struct lp_buf path = LP_BUF_INIT;
    enum lp_code code;

    memset(reply, 0, sizeof *reply);
    x.writes = request->method != LP_RESTCONF_GET && !request->reads;
    rc->call = call;
    code = prepare(&x, &path);
    if (code == LP_OK)
        code = send_prepared(&x);
    if (code != LP_OK && code != LP_INVALID)
        lp_err_prefix(err, "%s, %s %.160s: ", rc->element.name,
                      lp_restconf_method_name(request->method), request->path);
    rc->call = NULL;
    if (x.body != NULL)
        explicit_bzero(x.body, strlen(x.body));
    free(x.body);
    lp_http_reply_free(&x.raw);
    lp_buf_free(&path);
    return code;
}

uint64_t
lp_restconf_connections(const struct lp_restconf *rc)
{
    return rc != NULL ? rc->connections : 0;
}

void
lp_restconf_reply_free(struct lp_restconf_reply *reply)
{
    json_decref(reply->body);
    free(reply->text);
    memset(reply, 0, sizeof *reply);
}

/* ---- the common ones ---- */

enum lp_code
lp_restconf_get(struct lp_restconf *rc, const struct lp_call *call, const char *path,
                const struct lp_restconf_query *query, json_t **out, struct lp_err *err)
{
    struct lp_restconf_request request = {.method = LP_RESTCONF_GET};
    struct lp_restconf_reply reply = {0};
    struct lp_yang *yang = NULL;
    struct lp_buf full = LP_BUF_INIT;
    enum lp_code code = LP_OK;

    lp_buf_str(&full, path);
    if (query != NULL)
        lp_restconf_query_add(&full, query);
    request.path = full.data;
    code = full.failed ? lp_fail(err, LP_NOMEM, "no memory for a path")
                       : lp_restconf_send(rc, call, &request, &reply, err);
    if (code == LP_NOT_FOUND && reply.status == 404
        && lp_restconf_schema(rc, &yang, &(struct lp_err){0}) == LP_OK
        && lp_yang_is_list(yang, path)) {
        lp_err_clear(err);
        reply.body = json_array();
        code = LP_OK;
    }
    if (code == LP_OK && reply.body == NULL)
        code = lp_fail(err, LP_PROTOCOL, "%s answers GET %.160s with HTTP %d and nothing",
                       rc->element.name, path, reply.status);
    if (code == LP_OK)
        *out = json_incref(reply.body);
    lp_restconf_reply_free(&reply);
    lp_buf_free(&full);
    return code;
}

enum lp_code
lp_restconf_write(struct lp_restconf *rc, const struct lp_call *call,
                  enum lp_restconf_method method, const char *path, json_t *body,
                  struct lp_err *err)
{
    const struct lp_restconf_request request = {.method = method, .path = path, .body = body};
    struct lp_restconf_reply reply = {0};
    enum lp_code code = body != NULL ? lp_restconf_send(rc, call, &request, &reply, err)
                                     : lp_fail(err, LP_NOMEM, "no memory for a request");

    lp_restconf_reply_free(&reply);
    json_decref(body);
    return code;
}

enum lp_code
lp_restconf_delete(struct lp_restconf *rc, const struct lp_call *call, const char *path, bool *gone,
                   struct lp_err *err)
{
    const struct lp_restconf_request request = {.method = LP_RESTCONF_DELETE, .path = path};
    struct lp_restconf_reply reply;
    enum lp_code code = lp_restconf_send(rc, call, &request, &reply, err);

    if (gone != NULL)
        *gone = code == LP_OK;
    if (code == LP_NOT_FOUND) {
        lp_err_clear(err);
        code = LP_OK;
    }
    lp_restconf_reply_free(&reply);
    return code;
}

/* "module" of "module:rpc". */
static json_t *
rpc_body(const char *rpc, json_t *input)
{
    char name[160];

    (void)snprintf(name, sizeof name, "%.*s:input", (int)strcspn(rpc, ":"), rpc);
    return json_pack("{s:o}", name, input);
}

enum lp_code
lp_restconf_rpc(struct lp_restconf *rc, const struct lp_call *call, const char *rpc, json_t *input,
                bool reads, json_t **out, struct lp_err *err)
{
    json_auto_t *body = input != NULL ? rpc_body(rpc, input) : NULL;
    struct lp_restconf_request request = {.method = LP_RESTCONF_POST, .body = body, .reads = reads};
    struct lp_restconf_reply reply = {0};
    struct lp_buf path = LP_BUF_INIT;
    enum lp_code code = LP_OK;

    lp_buf_printf(&path, "/operations/%s", rpc);
    request.path = path.data;
    if (path.failed || (input != NULL && body == NULL))
        code = lp_fail(err, LP_NOMEM, "no memory for an operation");
    if (code == LP_OK)
        code = lp_restconf_send(rc, call, &request, &reply, err);
    if (code == LP_OK && out != NULL) {
        *out = reply.body != NULL ? json_incref(reply.body) : json_object();
        if (*out == NULL)
            code = lp_fail(err, LP_NOMEM, "no memory for an answer");
    }
    lp_restconf_reply_free(&reply);
    lp_buf_free(&path);
    return code;
}
