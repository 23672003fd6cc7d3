#include "clients/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "wire/restconf.h"
#include "wire/sse.h"

enum { MAX_REDIRECTS = 3, MAX_EVENTS_WAITING = 10000 };

struct lp_http {
    CURLM *multi;
    char *url, *socket_path, *ca_file, *agent;
    char *shown;         /* url without user and password */
    char *authorization; /* "Authorization: Bearer ..." or NULL */
    char *tls_pin;
    struct curl_slist *connect_to; /* where the name of the certificate is found, or NULL */
    int64_t (*left_ms)(void *arg);
    void *left_arg;
    uint64_t connects;
    bool element;
    int64_t connect_ms, timeout_ms;
    size_t max_reply;
    int cancel_fd;
    bool no_redirects;
    const struct lp_clock *clock;
};

/* One exchange: what the callbacks of libcurl fill. */
struct exchange {
    struct lp_http *http;
    CURL *easy;
    struct curl_slist *headers;
    struct lp_buf body;
    struct lp_http_reply *reply; /* headers go here; NULL for streams */
    bool too_large;
    bool head;                     /* of the last answer that began: it came to its end */
    bool once, begun;              /* may be sent once; was */
    struct lp_http_stream *stream; /* NULL for plain requests */
    char problem[CURL_ERROR_SIZE];
};

struct lp_http_stream {
    struct exchange x;
    struct lp_sse sse;
    struct lp_http_event *events; /* ring without wrap: events[first .. count) */
    size_t first, count, cap;
    bool ended;
    enum lp_code broken;
    struct lp_err err;
};

static const struct lp_clock real_clock = LP_CLOCK_INIT;

/* ---- handle ---- */

static bool
copy_text(char **to, const char *from)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static bool
make_authorization(struct lp_http *http, const char *kind, const char *value)
{
    struct lp_buf text = LP_BUF_INIT;

    if (value == NULL || *value == '\0')
        return true;
    lp_buf_printf(&text, "Authorization: %s%s", kind, value);
    if (text.failed) {
        lp_buf_free(&text);
        return false;
    }
    http->authorization = lp_buf_take(&text);
    return true;
}

static void
drop_authorization(struct lp_http *http)
{
    if (http->authorization != NULL)
        explicit_bzero(http->authorization, strlen(http->authorization));
    free(http->authorization);
    http->authorization = NULL;
}

/* A header value from outside must not start a second header. */
static bool
one_line(const char *text)
{
    return text == NULL || strpbrk(text, "\r\n") == NULL;
}

/** The URL as messages and logs may have it: no user, no password. */
static char *
shown_url(const char *url)
{
    const char *host = strstr(url, "://"), *end, *at;
    struct lp_buf text = LP_BUF_INIT;

    host = host == NULL ? url : host + 3;
    end = host + strcspn(host, "/?#");
    at = memrchr(host, '@', (size_t)(end - host));
    lp_buf_add(&text, url, (size_t)(host - url));
    lp_buf_str(&text, at == NULL ? host : at + 1);
    if (!text.failed)
        return lp_buf_take(&text);
    lp_buf_free(&text);
    return NULL;
}

static enum lp_code
check_url(const char *url, struct lp_err *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *shown = shown_url(url);
    enum lp_code rc = LP_OK;

    if (parts == NULL || shown == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for a URL");
    else if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK
             || curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK
             || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        rc =
            lp_fail_at(err, LP_INVALID, "url", "'%.200s' is not an http:// or https:// URL", shown);
    free(shown);
    curl_free(scheme);
    curl_url_cleanup(parts);
    return rc;
}

static char *
trimmed_url(const char *url)
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        len--;
    return strndup(url, len);
}

/* The URL gets the name that the certificate must bear; the connection goes to the former host. */
static bool
name_for(struct lp_http *http, const char *name)
{
    CURLU *parts = curl_url();
    char *host = NULL, *port = NULL, *url = NULL, to[600];
    bool ok = name == NULL || *name == '\0';

    if (!ok && parts != NULL && curl_url_set(parts, CURLUPART_URL, http->url, 0) == CURLUE_OK
        && curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK
        && curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK
        && curl_url_set(parts, CURLUPART_HOST, name, 0) == CURLUE_OK
        && curl_url_get(parts, CURLUPART_URL, &url, 0) == CURLUE_OK
        && snprintf(to, sizeof to, "::%s:%s", host, port) < (int)sizeof to) {
        free(http->url);
        http->url = trimmed_url(url);
        http->connect_to = curl_slist_append(NULL, to);
        ok = http->url != NULL && http->connect_to != NULL;
    }
    curl_free(host);
    curl_free(port);
    curl_free(url);
    curl_url_cleanup(parts);
    return ok;
}

enum lp_code
lp_http_set_authorization(struct lp_http *http, const char *value, struct lp_err *err)
{
    drop_authorization(http);
    if (!one_line(value))
        return lp_fail(err, LP_INVALID, "credentials must be one line");
    return make_authorization(http, "", value)
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for an HTTP client");
}

void
lp_http_set_left(struct lp_http *http, int64_t (*left_ms)(void *arg), void *arg)
{
    http->left_ms = left_ms;
    http->left_arg = arg;
}

uint64_t
lp_http_connects(const struct lp_http *http)
{
    return http->connects;
}

enum lp_code
lp_http_new(const struct lp_http_options *options, struct lp_http **out, struct lp_err *err)
{
    const char *url = options->url != NULL ? options->url : "http://localhost";
    struct lp_http *http;
    enum lp_code rc = check_url(url, err);

    if (rc != LP_OK)
        return rc;
    if (!one_line(options->token))
        return lp_fail(err, LP_INVALID, "the token must be one line");
    http = calloc(1, sizeof *http);
    if (http == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        return lp_fail(err, LP_NOMEM, "no memory for an HTTP client");
    }
    http->multi = curl_multi_init();
    http->url = trimmed_url(url);
    http->shown = http->url == NULL ? NULL : shown_url(http->url);
    http->connect_ms = options->connect_ms > 0 ? options->connect_ms : 5000;
    http->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : 30000;
    http->max_reply = options->max_reply > 0 ? options->max_reply : (size_t)64 << 20;
    http->cancel_fd = options->cancel_fd;
    http->no_redirects = options->no_redirects;
    http->element = options->element;
    http->left_ms = options->left_ms;
    http->left_arg = options->left_arg;
    http->clock = &real_clock;
    if (http->multi == NULL || http->shown == NULL
        || !copy_text(&http->socket_path, options->socket_path)
        || !copy_text(&http->ca_file, options->ca_file)
        || !copy_text(&http->agent, options->agent != NULL ? options->agent : "lightpath")
        || !copy_text(&http->tls_pin, options->tls_pin)
        || !make_authorization(http, "Bearer ", options->token)
        || !name_for(http, options->tls_name)) {
        lp_http_free(http);
        return lp_fail(err, LP_NOMEM, "no memory for an HTTP client");
    }
    *out = http;
    return LP_OK;
}

void
lp_http_free(struct lp_http *http)
{
    if (http == NULL)
        return;
    curl_multi_cleanup(http->multi);
    drop_authorization(http);
    curl_slist_free_all(http->connect_to);
    free(http->tls_pin);
    if (http->url != NULL)
        explicit_bzero(http->url, strlen(http->url)); /* it may hold a password */
    free(http->url);
    free(http->shown);
    free(http->socket_path);
    free(http->ca_file);
    free(http->agent);
    free(http);
}

const char *
lp_http_where(const struct lp_http *http)
{
    return http->socket_path != NULL ? http->socket_path : http->shown;
}

/* ---- callbacks of libcurl ---- */

static enum lp_code
keep_event(void *arg, const struct lp_sse_event *event, struct lp_err *err)
{
    struct lp_http_stream *stream = arg;
    struct lp_http_event copy;

    if (stream->count - stream->first >= MAX_EVENTS_WAITING)
        return lp_fail(err, LP_TOO_LARGE, "more events arrived than are being read");
    if (stream->count == stream->cap) {
        size_t cap = stream->cap > 0 ? stream->cap * 2 : 16;
        struct lp_http_event *grown = reallocarray(stream->events, cap, sizeof *grown);

        if (grown == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for an event");
        stream->events = grown;
        stream->cap = cap;
    }
    copy.name = strdup(event->name);
    copy.id = strdup(event->id);
    copy.data = strdup(event->data);
    if (copy.name == NULL || copy.id == NULL || copy.data == NULL) {
        lp_http_event_free(&copy);
        return lp_fail(err, LP_NOMEM, "no memory for an event");
    }
    stream->events[stream->count++] = copy;
    return LP_OK;
}

static bool
is_event_stream(const struct exchange *x)
{
    long status = 0;
    const char *type = NULL;

    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->easy, CURLINFO_CONTENT_TYPE, &type);
    return status == 200 && type != NULL
           && strncmp(type, "text/event-stream", strlen("text/event-stream")) == 0;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;

    if (x->stream != NULL && is_event_stream(x)) {
        x->stream->broken =
            lp_sse_feed(&x->stream->sse, bytes, len, keep_event, x->stream, &x->stream->err);
        return x->stream->broken == LP_OK ? len : 0;
    }
    if (len > x->http->max_reply - x->body.len) {
        x->too_large = true;
        return 0; /* makes libcurl stop with CURLE_WRITE_ERROR */
    }
    lp_buf_add(&x->body, bytes, len);
    return x->body.failed ? 0 : len;
}

static void
keep_header(char **to, const char *name, const char *line, size_t len)
{
    size_t skip = strlen(name);

    if (len <= skip || strncasecmp(line, name, skip) != 0)
        return;
    line += skip;
    len -= skip;
    while (len > 0 && (*line == ' ' || *line == '\t'))
        line++, len--;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
        len--;
    free(*to);
    *to = strndup(line, len);
}

static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;

    if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
        x->head = false;
    else if (len > 0 && (line[0] == '\r' || line[0] == '\n'))
        x->head = true; /* what comes behind the body is no head */
    if (x->reply != NULL) {
        keep_header(&x->reply->content_type, "Content-Type:", line, len);
        keep_header(&x->reply->link, "Link:", line, len);
        keep_header(&x->reply->request_id, "X-Request-ID:", line, len);
        keep_header(&x->reply->etag, "ETag:", line, len);
        keep_header(&x->reply->retry_after, "Retry-After:", line, len);
        keep_header(&x->reply->location, "Location:", line, len);
    }
    return len;
}

/* ---- one exchange ---- */

static bool
add_header(struct exchange *x, const char *text)
{
    struct curl_slist *longer = curl_slist_append(x->headers, text);

    if (longer != NULL)
        x->headers = longer;
    return longer != NULL;
}

static bool
add_headers(struct exchange *x, const struct lp_http_request *request)
{
    bool ok = add_header(x, "Expect:"); /* no 100-continue round trip */

    if (request->body != NULL && request->content_type == NULL)
        ok = ok && add_header(x, "Content-Type: application/json");
    else if (request->body != NULL) {
        struct lp_buf type = LP_BUF_INIT;

        lp_buf_printf(&type, "Content-Type: %s", request->content_type);
        ok = ok && !type.failed && add_header(x, type.data);
        lp_buf_free(&type);
    }
    for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
        ok = ok && one_line(request->headers[i]) && add_header(x, request->headers[i]);
    if (x->http->authorization != NULL)
        ok = ok && add_header(x, x->http->authorization);
    return ok;
}

/* Called when a connection is there and the request is about to go: the second time libcurl repeats
 * it, because a kept connection died under it. */
static int
on_request(void *arg, char *remote, char *local, int remote_port, int local_port)
{
    struct exchange *x = arg;
    bool again = x->begun;

    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    x->begun = true;
    return again && x->once ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* Pinned keys stand instead of trust anchors and name: the element made its certificate itself. */
static CURLcode
set_trust(struct exchange *x)
{
    const struct lp_http *http = x->http;
    CURLcode rc =
        curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYPEER, http->tls_pin == NULL ? 1L : 0L);

    if (rc == CURLE_OK)
        rc = curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYHOST, http->tls_pin == NULL ? 2L : 0L);
    if (rc == CURLE_OK && http->tls_pin != NULL)
        rc = curl_easy_setopt(x->easy, CURLOPT_PINNEDPUBLICKEY, http->tls_pin);
    if (rc == CURLE_OK && http->connect_to != NULL)
        rc = curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, http->connect_to);
    return rc;
}

static CURLcode
set_element(struct exchange *x)
{
    CURLcode rc = curl_easy_setopt(x->easy, CURLOPT_PROXY, "");

    if (rc == CURLE_OK)
        rc = curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(x->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(x->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    return rc;
}

static CURLcode
set_peer(struct exchange *x)
{
    const struct lp_http *http = x->http;
    CURLcode rc = curl_easy_setopt(x->easy, CURLOPT_PROTOCOLS_STR, "http,https");

    if (rc == CURLE_OK && http->socket_path != NULL)
        rc = curl_easy_setopt(x->easy, CURLOPT_UNIX_SOCKET_PATH, http->socket_path);
    if (rc == CURLE_OK && http->socket_path != NULL)
        rc = curl_easy_setopt(x->easy, CURLOPT_PROXY, "");
    if (rc == CURLE_OK && http->ca_file != NULL)
        rc = curl_easy_setopt(x->easy, CURLOPT_CAINFO, http->ca_file);
    if (rc == CURLE_OK)
        rc = set_trust(x);
    return rc == CURLE_OK && http->element ? set_element(x) : rc;
}

static CURLcode
set_request(struct exchange *x, const char *url, const struct lp_http_request *request)
{
    CURLcode rc = set_peer(x);

    curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->problem);
    curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(x->easy, CURLOPT_PREREQDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_USERAGENT, x->http->agent);
    curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)x->http->connect_ms);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(x->easy, CURLOPT_URL, url);
    if (rc == CURLE_OK && request->body != NULL) {
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        rc = curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, request->body);
    }
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
    return rc;
}

static enum lp_code
exchange_begin(struct exchange *x, struct lp_http *http, const char *url,
               const struct lp_http_request *request, struct lp_err *err)
{
    x->http = http;
    x->easy = curl_easy_init();
    if (x->easy == NULL || !add_headers(x, request))
        return lp_fail(err, LP_NOMEM, "no memory for an HTTP request");
    if (set_request(x, url, request) != CURLE_OK)
        return lp_fail(err, LP_INVALID, "cannot ask '%.200s': %s", lp_http_where(http), x->problem);
    if (curl_multi_add_handle(http->multi, x->easy) != CURLM_OK)
        return lp_fail(err, LP_NOMEM, "no memory for an HTTP request");
    return LP_OK;
}

static void
exchange_end(struct exchange *x)
{
    if (x->easy != NULL) {
        curl_multi_remove_handle(x->http->multi, x->easy);
        curl_easy_cleanup(x->easy);
    }
    curl_slist_free_all(x->headers);
    lp_buf_free(&x->body);
    x->easy = NULL;
    x->headers = NULL;
}

static enum lp_code
connect_failed(struct exchange *x, struct lp_err *err)
{
    const char *where = lp_http_where(x->http);
    long os = 0;

    curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os);
    if (x->http->element)
        return lp_fail_at(err, LP_RETRYABLE, where, "nothing answers at %.200s (%s)", where,
                          os != 0 ? strerror((int)os) : x->problem);
    if (os == EACCES || os == EPERM)
        return lp_fail_at(err, LP_DENIED, where,
                          "%.200s may not be opened by this user; run as the daemon's user or as "
                          "root, or use --url with a token",
                          where);
    return lp_fail_at(err, LP_RETRYABLE, where,
                      "nothing answers at %.200s (%s); start lightpathd, or say where it is with "
                      "--url or --socket",
                      where, os != 0 ? strerror((int)os) : x->problem);
}

static bool
request_left(struct exchange *x)
{
    long sent = 0;

    curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
    return sent > 0;
}

/* What an ended transfer means in the words of the house. */
static enum lp_code
explain(struct exchange *x, CURLcode result, struct lp_err *err)
{
    const char *where = lp_http_where(x->http);
    const char *text = x->problem[0] != '\0' ? x->problem : curl_easy_strerror(result);

    if (x->too_large)
        return lp_fail(err, LP_TOO_LARGE, "the answer of %.200s is larger than %zu bytes", where,
                       x->http->max_reply);
    switch ((int)result) { /* libcurl's enum, of which few values matter */
    case CURLE_OK:
        if (x->head)
            return LP_OK;
        text = "the connection ended inside the head"; /* libcurl takes that for an answer */
        break;
    case CURLE_COULDNT_CONNECT:
        return connect_failed(x, err);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return lp_fail_at(err, LP_RETRYABLE, where, "the host of %.200s is not known: %s", where,
                          text);
    case CURLE_OUT_OF_MEMORY:
        return lp_fail(err, LP_NOMEM, "no memory for an HTTP request");
    case CURLE_WEIRD_SERVER_REPLY:
        return lp_fail_at(err, LP_PROTOCOL, where, "%.200s does not speak HTTP: %s", where, text);
    case CURLE_UNSUPPORTED_PROTOCOL:
        if (request_left(x)) /* HTTP/0.9, or something else altogether */
            return lp_fail_at(err, LP_PROTOCOL, where, "%.200s does not speak HTTP: %s", where,
                              text);
        return lp_fail_at(err, LP_INVALID, where, "%.200s is not a usable URL: %s", where, text);
    case CURLE_URL_MALFORMAT:
        return lp_fail_at(err, LP_INVALID, where, "%.200s is not a usable URL: %s", where, text);
    case CURLE_SSL_CONNECT_ERROR:
        if (x->http->element) /* it restarts, perhaps */
            return lp_fail_at(err, LP_RETRYABLE, where, "no TLS connection to %.200s: %s", where,
                              text);
        return lp_fail_at(err, LP_PROTOCOL, where, "no trusted connection to %.200s: %s", where,
                          text);
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return lp_fail_at(err, LP_PROTOCOL, where,
                          "no trusted connection to %.200s: its key is none of those pinned for it",
                          where);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return lp_fail_at(err, LP_PROTOCOL, where, "no trusted connection to %.200s: %s", where,
                          text);
    default:
        break;
    }
    if (!request_left(x))
        return lp_fail_at(err, LP_RETRYABLE, where, "%.200s could not be asked: %s; try again",
                          where, text);
    return lp_fail_at(err, LP_UNKNOWN, where,
                      "%.200s was asked but did not answer to the end: %s; look whether it was "
                      "done before repeating",
                      where, text);
}

/* Drives the transfer until it ends, something was received (streams) or the deadline passes. */
static enum lp_code
turn(struct lp_http *http, CURL *easy, int64_t wait_ms, bool *ended, CURLcode *result,
     struct lp_err *err)
{
    struct curl_waitfd extra = {.fd = http->cancel_fd, .events = CURL_WAIT_POLLIN};
    CURLMsg *msg;
    int left = 0;

    if (curl_multi_perform(http->multi, &left) != CURLM_OK)
        return lp_fail(err, LP_INTERNAL, "libcurl cannot go on");
    while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
        if (msg->msg == CURLMSG_DONE && msg->easy_handle == easy) {
            *ended = true;
            *result = msg->data.result;
        }
    }
    if (*ended || wait_ms <= 0)
        return LP_OK;
    curl_multi_poll(http->multi, http->cancel_fd >= 0 ? &extra : NULL, http->cancel_fd >= 0 ? 1 : 0,
                    wait_ms > 1000 ? 1000 : (int)wait_ms, NULL);
    if (http->cancel_fd >= 0 && (extra.revents & CURL_WAIT_POLLIN) != 0)
        return lp_fail(err, LP_CANCELLED, "interrupted");
    return LP_OK;
}

/* How long to wait next; 0: the one whom the handle asks says stop. */
static int64_t
piece_of(const struct lp_http *http, int64_t left_ms)
{
    int64_t asked = http->left_ms != NULL ? http->left_ms(http->left_arg) : left_ms;

    if (http->left_ms != NULL && asked > 200)
        asked = 200;
    return asked < left_ms ? asked : left_ms;
}

static enum lp_code
stopped(const struct lp_http *http, struct lp_err *err)
{
    return lp_fail(err, LP_CANCELLED, "%.200s was not waited for any longer", lp_http_where(http));
}

static enum lp_code
run_to_end(struct exchange *x, int64_t timeout_ms, struct lp_err *err)
{
    int64_t end = lp_clock_mono_us(x->http->clock) + timeout_ms * 1000;
    bool ended = false;
    CURLcode result = CURLE_OK;

    while (!ended) {
        int64_t left_ms = (end - lp_clock_mono_us(x->http->clock)) / 1000;
        int64_t piece = piece_of(x->http, left_ms);
        enum lp_code rc = turn(x->http, x->easy, piece, &ended, &result, err);

        if (rc != LP_OK)
            return rc;
        if (!ended && piece <= 0 && left_ms > 0)
            return stopped(x->http, err);
        if (!ended && left_ms <= 0)
            return lp_fail_at(err, request_left(x) ? LP_UNKNOWN : LP_RETRYABLE,
                              lp_http_where(x->http), "%.200s did not answer within %lld ms",
                              lp_http_where(x->http), (long long)timeout_ms);
    }
    return explain(x, result, err);
}

/* ---- redirects ---- */

static bool
same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *x = NULL, *y = NULL;
    bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK
                && curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK
                && strcasecmp(x, y) == 0;

    curl_free(x);
    curl_free(y);
    return same;
}

static bool
same_origin(const char *a, const char *b)
{
    CURLU *x = curl_url(), *y = curl_url();
    bool same = x != NULL && y != NULL && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK
                && curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK
                && same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST)
                && same_part(x, y, CURLUPART_PORT);

    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return same;
}

/* The place to ask again, or NULL when the answer is final. 301..303 change the method and are not
 * ours to follow. */
static enum lp_code
redirect_of(struct exchange *x, const char *url, char **next, struct lp_err *err)
{
    long status = 0;
    const char *to = NULL;

    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->easy, CURLINFO_REDIRECT_URL, &to);
    if ((status != 307 && status != 308) || to == NULL || x->http->no_redirects)
        return LP_OK;
    if (!same_origin(url, to))
        return lp_fail_at(err, LP_PROTOCOL, lp_http_where(x->http),
                          "%.200s sends on to another host (%.200s); not followed", url, to);
    *next = strdup(to);
    return *next != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a URL");
}

/* ---- plain requests ---- */

static enum lp_code
send_once(struct lp_http *http, const char *url, const struct lp_http_request *request,
          struct lp_http_reply *reply, char **next, struct lp_err *err)
{
    struct exchange x = {.reply = reply, .once = request->once};
    enum lp_code rc = exchange_begin(&x, http, url, request, err);
    long status = 0, connects = 0;

    if (rc == LP_OK)
        rc = run_to_end(&x, request->timeout_ms > 0 ? request->timeout_ms : http->timeout_ms, err);
    if (rc == LP_OK)
        rc = redirect_of(&x, url, next, err);
    if (rc == LP_OK) {
        curl_easy_getinfo(x.easy, CURLINFO_RESPONSE_CODE, &status);
        lp_buf_str(&x.body, ""); /* makes the text NUL-terminated even when it is empty */
        reply->status = (int)status;
        reply->len = x.body.len;
        reply->body = lp_buf_take(&x.body);
        if (reply->body == NULL)
            reply->body = strdup("");
        if (reply->body == NULL)
            rc = lp_fail(err, LP_NOMEM, "no memory for an answer");
    }
    if (x.easy != NULL) {
        reply->sent = request_left(&x);
        curl_easy_getinfo(x.easy, CURLINFO_NUM_CONNECTS, &connects);
        http->connects += (uint64_t)connects;
    }
    exchange_end(&x);
    return rc;
}

static char *
full_url(const struct lp_http *http, const char *path)
{
    struct lp_buf url = LP_BUF_INIT;

    lp_buf_str(&url, http->url);
    lp_buf_str(&url, path);
    if (url.failed) {
        lp_buf_free(&url);
        return NULL;
    }
    return lp_buf_take(&url);
}

enum lp_code
lp_http_send(struct lp_http *http, const struct lp_http_request *request,
             struct lp_http_reply *reply, struct lp_err *err)
{
    char *url = full_url(http, request->path);
    enum lp_code rc = LP_OK;
    bool sent;

    memset(reply, 0, sizeof *reply);
    for (int hop = 0; url != NULL; hop++) {
        char *next = NULL;

        lp_http_reply_free(reply);
        rc = send_once(http, url, request, reply, &next, err);
        free(url);
        url = next;
        if (rc == LP_OK && next != NULL && hop >= MAX_REDIRECTS)
            rc = lp_fail_at(err, LP_PROTOCOL, lp_http_where(http), "%.200s sends round in circles",
                            lp_http_where(http));
        if (rc != LP_OK)
            break;
    }
    free(url);
    if (rc == LP_OK && reply->body == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for a URL");
    sent = reply->sent;
    if (rc != LP_OK)
        lp_http_reply_free(reply);
    reply->sent = sent;
    return rc;
}

void
lp_http_reply_free(struct lp_http_reply *reply)
{
    free(reply->body);
    free(reply->content_type);
    free(reply->link);
    free(reply->request_id);
    free(reply->etag);
    free(reply->retry_after);
    free(reply->location);
    memset(reply, 0, sizeof *reply);
}

char *
lp_http_escape(const char *text)
{
    struct lp_buf out = LP_BUF_INIT;

    lp_restconf_encode(&out, text);
    if (out.failed) {
        lp_buf_free(&out);
        return NULL;
    }
    return lp_buf_take(&out);
}

/* ---- streams ---- */

void
lp_http_event_free(struct lp_http_event *event)
{
    free(event->name);
    free(event->id);
    free(event->data);
    memset(event, 0, sizeof *event);
}

static enum lp_code
stream_begin(struct lp_http_stream *stream, struct lp_http *http, const char *path,
             const char *last_id, struct lp_err *err)
{
    char last[LP_SSE_MAX_ID + 32];
    const char *headers[] = {"Accept: text/event-stream", NULL, NULL};
    const struct lp_http_request request = {.method = "GET", .path = path, .headers = headers};
    char *url = full_url(http, path);
    enum lp_code rc;

    if (url == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a URL");
    if (last_id != NULL && strlen(last_id) < LP_SSE_MAX_ID) {
        snprintf(last, sizeof last, "Last-Event-ID: %s", last_id);
        headers[1] = last;
    }
    stream->x.stream = stream;
    rc = exchange_begin(&stream->x, http, url, &request, err);
    free(url);
    return rc;
}

/* Waits for the head of the answer: a stream that is silent still has one. */
static enum lp_code
stream_head(struct lp_http_stream *stream, int *status, struct lp_err *err)
{
    struct lp_http *http = stream->x.http;
    int64_t end = lp_clock_mono_us(http->clock) + http->connect_ms * 1000;
    CURLcode result = CURLE_OK;

    for (;;) {
        int64_t left_ms = (end - lp_clock_mono_us(http->clock)) / 1000;
        long code = 0;
        enum lp_code rc =
            turn(http, stream->x.easy, left_ms > 50 ? 50 : left_ms, &stream->ended, &result, err);

        if (rc != LP_OK)
            return rc;
        if (!stream->ended && piece_of(http, 1) <= 0)
            return stopped(http, err);
        curl_easy_getinfo(stream->x.easy, CURLINFO_RESPONSE_CODE, &code);
        *status = (int)code;
        if (stream->ended && result != CURLE_OK)
            return explain(&stream->x, result, err);
        if (is_event_stream(&stream->x))
            return LP_OK;
        if (stream->ended)
            return lp_fail(err, LP_UNSUPPORTED, "%.200s answers %ld instead of a stream of events",
                           lp_http_where(http), code);
        if (left_ms <= 0)
            return lp_fail(err, LP_UNKNOWN, "%.200s opens no stream of events",
                           lp_http_where(http));
    }
}

enum lp_code
lp_http_stream_open(struct lp_http *http, const char *path, const char *last_id,
                    struct lp_http_stream **out, int *status, struct lp_err *err)
{
    struct lp_http_stream *stream = calloc(1, sizeof *stream);
    enum lp_code rc;

    *status = 0;
    if (stream == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a stream of events");
    lp_sse_init(&stream->sse);
    rc = stream_begin(stream, http, path, last_id, err);
    if (rc == LP_OK)
        rc = stream_head(stream, status, err);
    if (rc != LP_OK) {
        lp_http_stream_close(stream);
        return rc;
    }
    *out = stream;
    return LP_OK;
}

static bool
stream_pop(struct lp_http_stream *stream, struct lp_http_event *event)
{
    if (stream->first == stream->count)
        return false;
    *event = stream->events[stream->first++];
    if (stream->first == stream->count)
        stream->first = stream->count = 0;
    return true;
}

enum lp_code
lp_http_stream_next(struct lp_http_stream *stream, int64_t timeout_ms, struct lp_http_event *event,
                    bool *got, struct lp_err *err)
{
    struct lp_http *http = stream->x.http;
    int64_t end = lp_clock_mono_us(http->clock) + timeout_ms * 1000;

    for (;;) {
        CURLcode result = CURLE_OK;
        int64_t left_ms = (end - lp_clock_mono_us(http->clock)) / 1000;
        enum lp_code rc;

        *got = stream_pop(stream, event);
        if (*got)
            return LP_OK;
        if (stream->broken != LP_OK) {
            lp_err_move(err, &stream->err);
            return err->code;
        }
        if (stream->ended)
            return lp_fail(err, LP_RETRYABLE, "%.200s ended the stream of events",
                           lp_http_where(http));
        if (left_ms < 0)
            return LP_OK;
        rc = turn(http, stream->x.easy, left_ms, &stream->ended, &result, err);
        if (rc != LP_OK)
            return rc;
        if (left_ms == 0 && stream->first == stream->count)
            return LP_OK;
    }
}

void
lp_http_stream_close(struct lp_http_stream *stream)
{
    if (stream == NULL)
        return;
    exchange_end(&stream->x);
    while (stream->first < stream->count)
        lp_http_event_free(&stream->events[stream->first++]);
    free(stream->events);
    lp_sse_free(&stream->sse);
    lp_err_clear(&stream->err);
    free(stream);
}
