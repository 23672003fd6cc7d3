/* What a RESTCONF answer means: RFC 8040 section 7, and what servers send instead of it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "wire/restconf.h"

/* ---- media types, entity tags ---- */

enum lp_restconf_media
lp_restconf_media_of(const char *content_type)
{
    static const struct {
        const char *name;
        enum lp_restconf_media media;
    } types[] = {
        {"application/yang-data+json", LP_RESTCONF_MEDIA_JSON},
        {"application/json", LP_RESTCONF_MEDIA_JSON},
        {"application/vnd.yang.data+json", LP_RESTCONF_MEDIA_JSON},
        {"application/yang.data+json", LP_RESTCONF_MEDIA_JSON},
        {"application/yang-data+xml", LP_RESTCONF_MEDIA_XML},
        {"application/xml", LP_RESTCONF_MEDIA_XML},
        {"text/xml", LP_RESTCONF_MEDIA_XML},
        {"text/html", LP_RESTCONF_MEDIA_HTML},
        {"text/event-stream", LP_RESTCONF_MEDIA_EVENTS},
    };
    size_t len;

    if (content_type == NULL || *content_type == '\0')
        return LP_RESTCONF_MEDIA_NONE;
    len = strcspn(content_type, "; \t,");
    for (size_t i = 0; i < LP_COUNT(types); i++) {
        if (strlen(types[i].name) == len && strncasecmp(types[i].name, content_type, len) == 0)
            return types[i].media;
    }
    return LP_RESTCONF_MEDIA_OTHER;
}

bool
lp_restconf_etag_usable(const char *etag)
{
    size_t len = etag != NULL ? strlen(etag) : 0;

    if (len < 2 || etag[0] != '"' || etag[len - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < len; i++) {
        unsigned char c = (unsigned char)etag[i];

        if (c == '"' || c < 0x21 || c == 0x7f)
            return false;
    }
    return true;
}

/* ---- Retry-After ---- */

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that may be sent. */
static bool
read_http_date(const char *text, int64_t *seconds)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4] = "", zone[4] = "";
    const char *found;
    struct tm tm = {0};

    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3[A-Z]", &tm.tm_mday, month,
               &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone)
            != 7
        || strcmp(zone, "GMT") != 0)
        return false;
    found = strlen(month) == 3 ? strstr(months, month) : NULL;
    if (found == NULL || (found - months) % 3 != 0 || tm.tm_year < 1970)
        return false;
    tm.tm_mon = (int)(found - months) / 3;
    tm.tm_year -= 1900;
    *seconds = (int64_t)timegm(&tm);
    return true;
}

int64_t
lp_restconf_retry_after_ms(const char *value, int64_t now_us)
{
    int64_t seconds = 0;
    const char *p = value;

    if (value == NULL || *value == '\0')
        return -1;
    while (*p >= '0' && *p <= '9' && seconds <= LP_RESTCONF_RETRY_MAX_MS)
        seconds = seconds * 10 + (*p++ - '0');
    p += strspn(p, "0123456789");
    if (p == value) {
        if (!read_http_date(value, &seconds) || seconds <= now_us / 1000000)
            return -1;
        seconds -= now_us / 1000000;
    } else if (*p != '\0') {
        return -1;
    }
    return seconds * 1000 < LP_RESTCONF_RETRY_MAX_MS ? seconds * 1000 : LP_RESTCONF_RETRY_MAX_MS;
}

/* ---- error bodies ---- */

static void
keep_json(char *to, size_t size, const json_t *object, const char *name)
{
    char qualified[64];
    const char *text = lp_json_str(object, name, NULL);

    if (text == NULL) {
        (void)snprintf(qualified, sizeof qualified, "ietf-restconf:%s", name);
        text = lp_json_str(object, qualified, "");
    }
    (void)snprintf(to, size, "%s", text);
    for (size_t n = strlen(to); n > 0 && !lp_utf8_valid(to, n);) /* cut inside a character */
        to[--n] = '\0';
}

/* The member with this name, with or without a module. */
static const json_t *
member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    char qualified[64];

    (void)snprintf(qualified, sizeof qualified, "ietf-restconf:%s", name);
    return value != NULL ? value : json_object_get(object, qualified);
}

static bool
parse_json_error(const json_t *body, struct lp_restconf_error *out)
{
    const json_t *errors = member(body, "errors");
    const json_t *error = member(errors != NULL ? errors : body, "error");

    if (json_is_array(error))
        error = json_array_get(error, 0);
    if (!json_is_object(error))
        return false;
    keep_json(out->type, sizeof out->type, error, "error-type");
    keep_json(out->tag, sizeof out->tag, error, "error-tag");
    keep_json(out->app_tag, sizeof out->app_tag, error, "error-app-tag");
    keep_json(out->path, sizeof out->path, error, "error-path");
    keep_json(out->message, sizeof out->message, error, "error-message");
    return out->tag[0] != '\0' || out->message[0] != '\0';
}

static const struct {
    const char *text;
    char c;
} entities[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};

/* Copies text up to `end`, entities read and white space folded; markup left out. */
static void
copy_markup(char *to, size_t size, const char *text, const char *end)
{
    bool inside = false, gap = false;
    size_t n = 0;

    while (text < end && n + 2 < size) {
        size_t step = 1;
        char c = *text;

        for (size_t i = 0; i < LP_COUNT(entities) && c == '&'; i++) {
            size_t len = strlen(entities[i].text);

            if ((size_t)(end - text) >= len && memcmp(text, entities[i].text, len) == 0) {
                c = entities[i].c;
                step = len;
                break;
            }
        }
        if (step == 1 && (*text == '<' || *text == '>')) {
            inside = *text == '<';
            gap = true;
        } else if (!inside && (isspace((unsigned char)c) || (unsigned char)c < 0x20)) {
            gap = true;
        } else if (!inside) {
            if (gap && n > 0)
                to[n++] = ' ';
            gap = false;
            to[n++] = c;
        }
        text += step;
    }
    to[n] = '\0';
    while (n > 0 && !lp_utf8_valid(to, n)) /* cut in the middle of a character, or not UTF-8 */
        to[--n] = '\0';
}

/* The text of the first element of that name, whatever its prefix. */
static bool
xml_text(const char *body, size_t len, const char *name, char *to, size_t size)
{
    const char *end = body + len, *at = body;
    size_t name_len = strlen(name);

    while ((at = memmem(at, (size_t)(end - at), name, name_len)) != NULL) {
        const char *open = at, *close, *after = at + name_len;

        at = after;
        while (open > body && open[-1] != '<' && open[-1] != '/' && open[-1] != '>')
            open--;
        if (open == body || open[-1] != '<' || after == end
            || (*after != '>' && !isspace((unsigned char)*after)))
            continue;
        close = memchr(after, '>', (size_t)(end - after));
        at = close != NULL ? memmem(close, (size_t)(end - close), "</", 2) : NULL;
        if (at == NULL)
            return false;
        copy_markup(to, size, close + 1, at);
        return true;
    }
    return false;
}

static bool
parse_xml_error(const char *body, size_t len, struct lp_restconf_error *out)
{
    bool any = xml_text(body, len, "error-tag", out->tag, sizeof out->tag);

    (void)xml_text(body, len, "error-type", out->type, sizeof out->type);
    (void)xml_text(body, len, "error-app-tag", out->app_tag, sizeof out->app_tag);
    (void)xml_text(body, len, "error-path", out->path, sizeof out->path);
    any = xml_text(body, len, "error-message", out->message, sizeof out->message) || any;
    return any;
}

bool
lp_restconf_error_parse(const char *body, size_t len, struct lp_restconf_error *out)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *json = NULL;
    size_t skip = 0;

    memset(out, 0, sizeof *out);
    while (skip < len && isspace((unsigned char)body[skip]))
        skip++;
    if (skip == len)
        return false;
    if (lp_json_load(body, len, &json, &err) == LP_OK)
        return parse_json_error(json, out);
    lp_err_clear(&err);
    if (body[skip] == '<' && parse_xml_error(body, len, out))
        return true;
    memset(out, 0, sizeof *out);
    if (body[skip] == '<' && xml_text(body, len, "title", out->message, sizeof out->message)
        && out->message[0] != '\0')
        return true;
    copy_markup(out->message, sizeof out->message, body, body + len);
    return out->message[0] != '\0';
}

json_t *
lp_restconf_error_json(const struct lp_restconf_error *error)
{
    const struct {
        const char *name, *text;
    } members[] = {{"error-type", error->type[0] != '\0' ? error->type : "application"},
                   {"error-tag", error->tag},
                   {"error-app-tag", error->app_tag},
                   {"error-path", error->path},
                   {"error-message", error->message}};
    json_t *one = json_object();

    for (size_t i = 0; i < LP_COUNT(members); i++) {
        if (members[i].text[0] != '\0' && lp_json_set_str(one, members[i].name, members[i].text))
            return json_decref(one), NULL;
    }
    return json_pack("{s:{s:[o]}}", "ietf-restconf:errors", "error", one);
}

/* ---- outcomes ---- */

/* RFC 8040 section 7, with what a tag means to us whatever the status. LP_OK: the status decides.
 */
static const struct {
    const char *tag;
    int status;
    enum lp_code code;
} tags[] = {
    {"in-use", 409, LP_RETRYABLE},
    {"lock-denied", 409, LP_RETRYABLE},
    {"resource-denied", 409, LP_RETRYABLE},
    {"data-exists", 409, LP_CONFLICT},
    {"data-missing", 409, LP_NOT_FOUND},
    {"invalid-value", 400, LP_OK},
    {"too-big", 413, LP_REFUSED},
    {"missing-attribute", 400, LP_REFUSED},
    {"bad-attribute", 400, LP_REFUSED},
    {"unknown-attribute", 400, LP_REFUSED},
    {"missing-element", 400, LP_REFUSED},
    {"bad-element", 400, LP_REFUSED},
    {"unknown-element", 400, LP_REFUSED},
    {"unknown-namespace", 400, LP_REFUSED},
    {"malformed-message", 400, LP_REFUSED},
    {"access-denied", 403, LP_AUTH},
    {"operation-not-supported", 405, LP_UNSUPPORTED},
    {"operation-failed", 412, LP_OK},
    {"partial-operation", 500, LP_UNKNOWN},
    {"rollback-failed", 500, LP_UNKNOWN},
};

int
lp_restconf_status_of(const char *tag)
{
    for (size_t i = 0; i < LP_COUNT(tags); i++) {
        if (strcmp(tags[i].tag, tag) == 0)
            return tags[i].status;
    }
    return 500;
}

static enum lp_code
code_of_tag(const char *tag)
{
    for (size_t i = 0; i < LP_COUNT(tags); i++) {
        if (strcmp(tags[i].tag, tag) == 0)
            return tags[i].code;
    }
    return LP_OK;
}

/* What the status says alone. */
static enum lp_code
code_of_status(int status, bool tagged, bool conditional)
{
    switch (status) {
    case 401:
    case 403:
    case 407:
        return LP_AUTH;
    case 404:
    case 410:
        return LP_NOT_FOUND;
    case 405:
    case 501:
        return LP_UNSUPPORTED;
    case 408:
    case 425:
    case 429:
    case 503:
        return LP_RETRYABLE;
    case 409:
        return tagged ? LP_REFUSED : LP_CONFLICT;
    case 412: /* of a condition, or "operation-failed" */
        return tagged && !conditional ? LP_REFUSED : LP_CONFLICT;
    default:
        break;
    }
    if (status >= 500 && status < 600)
        return LP_UNKNOWN;
    return status >= 400 && status < 500 ? LP_REFUSED : LP_PROTOCOL;
}

/* The status settles what was not executed; otherwise the tag knows better. */
static enum lp_code
code_of(int status, const struct lp_restconf_error *error, bool conditional)
{
    enum lp_code by_tag = code_of_tag(error->tag);
    enum lp_code by_status = code_of_status(status, error->tag[0] != '\0', conditional);

    if (by_tag == LP_OK || by_status == LP_AUTH || by_status == LP_PROTOCOL || status == 503
        || status == 429)
        return by_status;
    if (status >= 500 && by_tag != LP_UNSUPPORTED && by_tag != LP_REFUSED)
        return by_status == LP_UNSUPPORTED ? by_status : LP_UNKNOWN;
    if (by_tag == LP_AUTH && status == 404) /* what may not be seen is not there */
        return LP_NOT_FOUND;
    return by_tag;
}

static json_t *
detail_of(const struct lp_restconf_answer *answer, const struct lp_restconf_error *error,
          int64_t now_us)
{
    int64_t retry_ms = lp_restconf_retry_after_ms(answer->retry_after, now_us);
    char code[64];
    json_t *detail = json_object();

    (void)snprintf(code, sizeof code, "http-%d", answer->status);
    (void)lp_json_set_int(detail, "http", answer->status);
    (void)lp_json_set_str(detail, "code", error->tag[0] != '\0' ? error->tag : code);
    (void)lp_json_set_str(detail, "text", error->message);
    if (error->path[0] != '\0')
        (void)lp_json_set_str(detail, "path", error->path);
    if (error->app_tag[0] != '\0')
        (void)lp_json_set_str(detail, "app_tag", error->app_tag);
    if (retry_ms >= 0)
        (void)lp_json_set_int(detail, "retry_after_ms", retry_ms);
    return detail;
}

/* An error text may repeat what we sent. */
static void
redact_error(struct lp_restconf_error *error)
{
    struct lp_buf text = LP_BUF_INIT;

    lp_restconf_redact(&text, error->message, strlen(error->message), NULL);
    if (text.failed)
        error->message[0] = '\0';
    else if (text.data != NULL)
        (void)snprintf(error->message, sizeof error->message, "%s", text.data);
    lp_buf_free(&text);
}

enum lp_code
lp_restconf_outcome(const struct lp_restconf_answer *answer, bool writes, bool conditional,
                    int64_t now_us, struct lp_err *err)
{
    struct lp_restconf_error error = {0};
    enum lp_code code;

    if (answer->status >= 200 && answer->status <= 299)
        return LP_OK;
    (void)lp_restconf_error_parse(answer->body != NULL ? answer->body : "", answer->len, &error);
    redact_error(&error);
    code = code_of(answer->status, &error, conditional);
    if (code == LP_UNKNOWN && !writes)
        code = LP_RETRYABLE;
    code = lp_fail(err, code, "HTTP %d%s%s%s%s", answer->status, error.tag[0] != '\0' ? " " : "",
                   error.tag, error.message[0] != '\0' ? ": " : "", error.message);
    err->detail = detail_of(answer, &error, now_us);
    return code;
}
