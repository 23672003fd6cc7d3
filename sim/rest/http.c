#include "sim/rest/http.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *
sim_http_reason(int status)
{
    size_t i;

    for (i = 0; i < LP_COUNT(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

const char *
sim_http_header(const struct sim_http_request *request, const char *name)
{
    size_t i;

    for (i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

void
sim_http_request_free(struct sim_http_request *request)
{
    free(request->text);
    free(request->body);
    *request = (struct sim_http_request){.text = NULL};
}

static bool
token_valid(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (strchr("!#$%&'*+-.^_`|~", *text) == NULL
            && !((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z') && !(*text >= '0' && *text <= '9'))
            return false;
    return true;
}

/* ---- the head ---- */

/* "METHOD target HTTP/1.1" */
static int
request_line(struct sim_http_request *out, char *line)
{
    char *target = strchr(line, ' ');
    char *version = target == NULL ? NULL : strchr(target + 1, ' ');

    if (version == NULL)
        return 400;
    *target++ = '\0';
    *version++ = '\0';
    out->method = line;
    out->path = target;
    if (strcmp(version, "HTTP/1.0") == 0)
        out->close = true;
    else if (strcmp(version, "HTTP/1.1") != 0)
        return strncmp(version, "HTTP/", 5) == 0 ? 505 : 400;
    return token_valid(out->method) && target[0] == '/' ? 0 : 400;
}

static int
header_line(struct sim_http_request *out, char *line)
{
    char *colon = strchr(line, ':'), *value, *end;

    if (colon == NULL)
        return 400;
    *colon = '\0';
    if (!token_valid(line))
        return 400;
    if (out->header_count == SIM_HTTP_HEADERS)
        return 431;
    value = colon + 1 + strspn(colon + 1, " \t");
    end = value + strlen(value);
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    out->headers[out->header_count].name = line;
    out->headers[out->header_count++].value = value;
    return 0;
}

static int
head_parse(struct sim_http_request *out)
{
    char *line = out->text;
    bool first = true;

    while (line != NULL && *line != '\0') {
        char *end = strstr(line, "\r\n");
        int status;

        if (end != NULL)
            *end = '\0';
        if (strpbrk(line, "\r\n") != NULL)
            return 400;
        status = first ? request_line(out, line) : header_line(out, line);
        if (status != 0)
            return status;
        first = false;
        line = end == NULL ? NULL : end + 2;
    }
    if (first)
        return 400;
    out->query = strchr(out->path, '?');
    if (out->query != NULL)
        *out->query++ = '\0';
    return 0;
}

/* ---- the body ---- */

struct framing {
    bool chunked, expects;
    size_t length;
};

static int
framing_read(struct sim_http_request *r, struct framing *out)
{
    size_t i, lengths = 0;
    char *end;

    *out = (struct framing){.length = 0};
    for (i = 0; i < r->header_count; i++) {
        const char *name = r->headers[i].name, *value = r->headers[i].value;

        if (strcasecmp(name, "Content-Length") == 0) {
            if (*value < '0' || *value > '9' || strlen(value) > 10 || lengths++ > 0)
                return 400;
            out->length = (size_t)strtoull(value, &end, 10);
            if (*end != '\0')
                return 400;
        } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
            if (strcasecmp(value, "chunked") != 0 || out->chunked)
                return 501;
            out->chunked = true;
        } else if (strcasecmp(name, "Expect") == 0) {
            out->expects = strcasecmp(value, "100-continue") == 0;
        } else if (strcasecmp(name, "Connection") == 0 && strcasecmp(value, "close") == 0) {
            r->close = true;
        }
    }
    if (out->chunked && lengths > 0)
        return 400;
    return out->length > SIM_HTTP_MAX_BODY ? 413 : 0;
}

/* One chunk at `at`; returns the bytes that it takes, 0 when some are missing. */
static size_t
chunk_take(const struct lp_buf *in, size_t at, struct lp_buf *body, bool *last, int *status)
{
    const char *line = in->data + at;
    const char *end = memmem(line, in->len - at, "\r\n", 2);
    unsigned long size;
    char *rest;

    if (end == NULL) {
        *status = in->len - at > 64 ? 400 : 0;
        return 0;
    }
    size = strtoul(line, &rest, 16);
    if (rest != end || end == line || end - line > 8 || strchr("+- \t", *line) != NULL) {
        *status = 400;
        return 0;
    }
    if (size + body->len > SIM_HTTP_MAX_BODY) {
        *status = 413;
        return 0;
    }
    at = (size_t)(end - in->data) + 2;
    if (in->len - at < size + 2)
        return 0;
    if (memcmp(in->data + at + size, "\r\n", 2) != 0) {
        *status = 400;
        return 0;
    }
    lp_buf_add(body, in->data + at, size);
    *last = size == 0;
    return at + size + 2 - (size_t)(line - in->data);
}

/* The length of the chunked body at `at`, 0: more is needed. */
static size_t
chunks_take(const struct lp_buf *in, size_t at, struct lp_buf *body, int *status)
{
    size_t from = at, n;
    bool last = false;

    while (!last) {
        n = chunk_take(in, at, body, &last, status);
        if (n == 0)
            return 0;
        at += n;
    }
    return at - from;
}

static void
drop_front(struct lp_buf *in, size_t n)
{
    memmove(in->data, in->data + n, in->len - n);
    in->len -= n;
    in->data[in->len] = '\0';
}

static enum sim_http_state
body_take(struct lp_buf *in, size_t head, struct sim_http_request *out,
          const struct framing *framing, int *status)
{
    struct lp_buf body = LP_BUF_INIT;
    size_t taken = framing->length;

    if (framing->chunked) {
        taken = chunks_take(in, head, &body, status);
        if (taken == 0) {
            lp_buf_free(&body);
            if (*status != 0)
                return SIM_HTTP_BAD;
            return framing->expects && in->len == head ? SIM_HTTP_CONTINUE : SIM_HTTP_MORE;
        }
    } else if (in->len - head < framing->length) {
        return framing->expects && in->len == head ? SIM_HTTP_CONTINUE : SIM_HTTP_MORE;
    } else {
        lp_buf_add(&body, in->data + head, framing->length);
    }
    lp_buf_char(&body, '\0');
    out->body_len = body.len == 0 ? 0 : body.len - 1;
    out->body = lp_buf_take(&body);
    drop_front(in, head + taken);
    *status = 500;
    return out->body == NULL ? SIM_HTTP_BAD : SIM_HTTP_READY;
}

enum sim_http_state
sim_http_take(struct lp_buf *in, struct sim_http_request *out, int *status)
{
    const char *end = in->len == 0 ? NULL : memmem(in->data, in->len, "\r\n\r\n", 4);
    struct framing framing;
    enum sim_http_state state;
    size_t head;

    *out = (struct sim_http_request){.text = NULL};
    *status = 431;
    if (end == NULL)
        return in->len > SIM_HTTP_MAX_HEAD ? SIM_HTTP_BAD : SIM_HTTP_MORE;
    head = (size_t)(end - in->data) + 4;
    *status = memchr(in->data, '\0', head) != NULL ? 400 : 431;
    if (head > SIM_HTTP_MAX_HEAD || *status == 400)
        return SIM_HTTP_BAD;
    out->text = strndup(in->data, head - 2);
    *status = out->text == NULL ? 500 : head_parse(out);
    if (*status == 0)
        *status = framing_read(out, &framing);
    state = *status != 0 ? SIM_HTTP_BAD : body_take(in, head, out, &framing, status);
    if (state != SIM_HTTP_READY)
        sim_http_request_free(out);
    return state;
}
