#include "api/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

/* ---- targets ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/** Decodes raw[0..len) into the arena. `plus` turns '+' into a blank (queries). */
static enum lp_code
decode(struct lp_arena *arena, const char *raw, size_t len, bool plus, const char *where,
       const char **out, struct lp_err *err)
{
    char *text = lp_arena_strndup(arena, raw, len);
    size_t n = 0;
    size_t i = 0;

    if (text == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the request");
    while (i < len) {
        unsigned char c = (unsigned char)raw[i];
        size_t used = 1;

        if (c == '%') {
            int high = i + 2 < len ? hex_digit(raw[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(raw[i + 2]) : -1;

            if (high < 0 || low < 0)
                return lp_fail_at(err, LP_INVALID, where,
                                  "the %s has a '%%' without two hex digits at byte %zu", where, i);
            c = (unsigned char)(high * 16 + low);
            used = 3;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f)
            return lp_fail_at(err, LP_INVALID, where, "the %s has a control character at byte %zu",
                              where, i);
        text[n++] = (char)c;
        i += used;
    }
    text[n] = '\0';
    if (!lp_utf8_valid(text, n))
        return lp_fail_at(err, LP_INVALID, where, "the %s is not valid UTF-8", where);
    *out = text;
    return LP_OK;
}

static enum lp_code
add_segment(struct lp_arena *arena, const char *raw, size_t len, struct lp_http_target *out,
            struct lp_err *err)
{
    const char *text = NULL;
    enum lp_code rc;

    if (len == 0)
        return lp_fail_at(err, LP_INVALID, "path", "the path has an empty segment");
    if (out->segment_count == LP_HTTP_MAX_SEGMENTS)
        return lp_fail_at(err, LP_INVALID, "path", "the path has more than %d segments",
                          LP_HTTP_MAX_SEGMENTS);
    rc = decode(arena, raw, len, false, "path", &text, err);
    if (rc != LP_OK)
        return rc;
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return lp_fail_at(err, LP_INVALID, "path", "the path has a '%s' segment", text);
    out->segments[out->segment_count++] = text;
    return LP_OK;
}

static enum lp_code
parse_path(struct lp_arena *arena, const char *path, struct lp_http_target *out, struct lp_err *err)
{
    const char *at = path + 1;

    while (*at != '\0') {
        const char *end = strchrnul(at, '/');
        enum lp_code rc = add_segment(arena, at, (size_t)(end - at), out, err);

        if (rc != LP_OK)
            return rc;
        if (*end == '\0')
            return LP_OK;
        at = end + 1;
    }
    return LP_OK;
}

static enum lp_code
add_query(struct lp_arena *arena, const char *raw, size_t len, struct lp_http_target *out,
          struct lp_err *err)
{
    const char *eq = memchr(raw, '=', len);
    size_t name_len = eq == NULL ? len : (size_t)(eq - raw);
    struct lp_http_pair *pair;
    enum lp_code rc;

    if (out->query_count == LP_HTTP_MAX_QUERY)
        return lp_fail_at(err, LP_INVALID, "query", "the query has more than %d parameters",
                          LP_HTTP_MAX_QUERY);
    pair = &out->query[out->query_count];
    *pair = (struct lp_http_pair){.name = NULL, .value = ""};
    rc = decode(arena, raw, name_len, true, "query", &pair->name, err);
    if (rc == LP_OK && eq != NULL)
        rc = decode(arena, eq + 1, len - name_len - 1, true, "query", &pair->value, err);
    if (rc != LP_OK)
        return rc;
    if (lp_http_query(out, pair->name) != NULL)
        return lp_fail_at(err, LP_INVALID, "query", "query parameter '%.64s' is given twice",
                          pair->name);
    out->query_count++;
    return LP_OK;
}

static enum lp_code
parse_query(struct lp_arena *arena, const char *at, struct lp_http_target *out, struct lp_err *err)
{
    while (*at != '\0') {
        const char *end = strchrnul(at, '&');

        if (end > at) {
            enum lp_code rc = add_query(arena, at, (size_t)(end - at), out, err);

            if (rc != LP_OK)
                return rc;
        }
        at = *end == '\0' ? end : end + 1;
    }
    return LP_OK;
}

enum lp_code
lp_http_target_parse(struct lp_arena *arena, const char *raw, struct lp_http_target *out,
                     struct lp_err *err)
{
    const char *question;
    char *path;
    enum lp_code rc;

    *out = (struct lp_http_target){.path = "/"};
    if (raw[0] != '/')
        return lp_fail_at(err, LP_INVALID, "path", "the request target does not begin with '/'");
    question = strchrnul(raw, '?');
    path = lp_arena_strndup(arena, raw, (size_t)(question - raw));
    if (path == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the request");
    out->path = path;
    rc = parse_path(arena, path, out, err);
    if (rc == LP_OK && *question == '?')
        rc = parse_query(arena, question + 1, out, err);
    return rc;
}

const char *
lp_http_query(const struct lp_http_target *target, const char *name)
{
    for (size_t i = 0; i < target->query_count; i++)
        if (strcmp(target->query[i].name, name) == 0)
            return target->query[i].value;
    return NULL;
}

/* ---- Host and Origin ---- */

/** Length of the name part of "name", "name:port" or "[v6]:port"; 0 when it is neither. *port
 * points behind the colon or is NULL. */
static size_t
host_name_len(const char *host, const char **port)
{
    const char *end;

    *port = NULL;
    if (host[0] == '[') {
        end = strchr(host, ']');
        if (end == NULL)
            return 0;
        end++;
    } else {
        end = host + strcspn(host, ":");
    }
    if (end == host)
        return 0;
    if (*end == ':') {
        *port = end + 1;
        if (**port == '\0' || strspn(*port, "0123456789") != strlen(*port) || strlen(*port) > 5)
            return 0;
    } else if (*end != '\0') {
        return 0;
    }
    return (size_t)(end - host);
}

static bool
same_name(const char *a, size_t a_len, const char *b)
{
    return strlen(b) == a_len && strncasecmp(a, b, a_len) == 0;
}

/** Walks a comma list; returns the next trimmed entry and its length, or NULL at the end. */
static const char *
list_next(const char **at, size_t *len)
{
    const char *entry;

    while (**at == ',' || **at == ' ' || **at == '\t')
        (*at)++;
    if (**at == '\0')
        return NULL;
    entry = *at;
    *at += strcspn(*at, ",");
    *len = (size_t)(*at - entry);
    while (*len > 0 && (entry[*len - 1] == ' ' || entry[*len - 1] == '\t'))
        (*len)--;
    return entry;
}

bool
lp_http_host_allowed(const char *host, const char *more)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *port;
    const char *at = more == NULL ? "" : more;
    const char *entry;
    size_t len;
    size_t name_len = host == NULL ? 0 : host_name_len(host, &port);

    if (name_len == 0)
        return false;
    for (size_t i = 0; i < LP_COUNT(loopback); i++)
        if (same_name(host, name_len, loopback[i]))
            return true;
    while ((entry = list_next(&at, &len)) != NULL) {
        if (len == name_len && strncasecmp(entry, host, len) == 0)
            return true;
        if (len == strlen(host) && strncasecmp(entry, host, len) == 0)
            return true;
    }
    return false;
}

bool
lp_http_origin_listed(const char *origin, const char *list)
{
    const char *at = list == NULL ? "" : list;
    const char *entry;
    size_t len;

    if (strcmp(origin, "null") == 0)
        return false;
    while ((entry = list_next(&at, &len)) != NULL)
        if (same_name(entry, len, origin))
            return true;
    return false;
}

bool
lp_http_origin_is_host(const char *origin, const char *host)
{
    const char *rest;

    if (host == NULL)
        return false;
    rest = strncmp(origin, "http://", 7) == 0    ? origin + 7
           : strncmp(origin, "https://", 8) == 0 ? origin + 8
                                                 : NULL;
    return rest != NULL && *rest != '\0' && strcasecmp(rest, host) == 0;
}

/* ---- single fields ---- */

const char *
lp_http_bearer(const char *authorization)
{
    const char *token;

    if (authorization == NULL || strncasecmp(authorization, "Bearer", 6) != 0
        || authorization[6] != ' ')
        return NULL;
    token = authorization + 6 + strspn(authorization + 6, " ");
    for (const char *p = token; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("-._~+/=", *p) == NULL)
            return NULL;
    return *token == '\0' || strlen(token) > 512 ? NULL : token;
}

size_t
lp_http_json_values(const char *text, size_t len)
{
    size_t count = 1;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (quoted && text[i] == '\\')
            i++;
        else if (!quoted && strchr(",:[{", text[i]) != NULL)
            count++;
    }
    return count;
}

bool
lp_http_is_json(const char *content_type)
{
    static const char type[] = "application/json";
    const char *at;

    if (content_type == NULL || strncasecmp(content_type, type, sizeof type - 1) != 0)
        return false;
    at = content_type + sizeof type - 1;
    at += strspn(at, " \t");
    if (*at == '\0')
        return true;
    if (*at != ';')
        return false;
    at++;
    at += strspn(at, " \t");
    return *at == '\0' || strcasecmp(at, "charset=utf-8") == 0
           || strcasecmp(at, "charset=\"utf-8\"") == 0;
}

bool
lp_http_id_sane(const char *id)
{
    size_t len = id == NULL ? 0 : strlen(id);

    if (len == 0 || len > 64)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)id[i]) && strchr("._:-", id[i]) == NULL)
            return false;
    return true;
}

bool
lp_http_text_sane(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (len > max || !lp_utf8_valid(text, len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

/* ---- entity tags ---- */

bool
lp_http_none_match_hit(const char *header, const char *etag)
{
    size_t len = strlen(etag);
    const char *at = header;

    while (*at != '\0') {
        const char *end;

        at += strspn(at, " \t,");
        if (at[0] == '*')
            return at[1 + strspn(at + 1, " \t")] == '\0';
        if (at[0] == 'W' && at[1] == '/')
            at += 2;
        if (*at != '"')
            return false; /* not an entity tag: the whole field is ignored */
        end = strchr(at + 1, '"');
        if (end == NULL)
            return false;
        if ((size_t)(end + 1 - at) == len && memcmp(at, etag, len) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

/* ---- framing ---- */

static bool
parse_length(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 18)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return true;
}

static bool
is_token(const char *name)
{
    for (const char *p = name; *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80
            || (!isalnum((unsigned char)*p) && strchr("!#$%&'*+-.^_`|~", *p) == NULL))
            return false;
    return *name != '\0';
}

void
lp_http_framing_field(struct lp_http_framing *framing, const char *name, const char *value)
{
    framing->bad_name = framing->bad_name || !is_token(name);
    if (strcasecmp(name, "Content-Length") == 0) {
        framing->lengths++;
        framing->length_valid = parse_length(value, &framing->length);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        framing->transfers++;
        framing->chunked = strcasecmp(value, "chunked") == 0;
    } else if (strcasecmp(name, "Host") == 0) {
        framing->hosts++;
    }
}

enum lp_code
lp_http_framing_check(const struct lp_http_framing *framing, struct lp_err *err)
{
    if (framing->bad_name)
        return lp_fail_at(err, LP_INVALID, "header",
                          "the name of a header field has a blank or another sign that may not "
                          "stand there");
    if (framing->lengths > 0 && framing->transfers > 0)
        return lp_fail_at(err, LP_INVALID, "header/Content-Length",
                          "Content-Length and Transfer-Encoding in one request");
    if (framing->lengths > 1)
        return lp_fail_at(err, LP_INVALID, "header/Content-Length", "two Content-Length fields");
    if (framing->lengths == 1 && !framing->length_valid)
        return lp_fail_at(err, LP_INVALID, "header/Content-Length",
                          "Content-Length is not a number");
    if (framing->transfers > 1 || (framing->transfers == 1 && !framing->chunked))
        return lp_fail_at(err, LP_INVALID, "header/Transfer-Encoding",
                          "the only transfer coding taken is 'chunked', given once");
    if (framing->hosts > 1)
        return lp_fail_at(err, LP_INVALID, "header/Host", "two Host fields");
    return LP_OK;
}
