/* RESTCONF resource paths and query parameters: RFC 8040 sections 3.5.3 and 4.8. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "wire/restconf.h"

/* ---- making ---- */

static bool
is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
           || c == '.' || c == '_' || c == '~';
}

void
lp_restconf_encode(struct lp_buf *out, const char *text)
{
    lp_buf_str(out, ""); /* an empty text is one too */
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (is_unreserved(*p))
            lp_buf_char(out, (char)*p);
        else
            lp_buf_printf(out, "%%%02X", *p);
    }
}

void
lp_restconf_path(struct lp_buf *path, const char *pattern, ...)
{
    va_list args;

    va_start(args, pattern);
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p != '%') {
            lp_buf_char(path, *p);
            continue;
        }
        p++;
        assert(*p == 's' || *p == 'd');
        if (*p == 's')
            lp_restconf_encode(path, va_arg(args, const char *));
        else
            lp_buf_printf(path, "%d", va_arg(args, int));
    }
    va_end(args);
}

/* ---- taking apart ---- */

struct reader {
    struct lp_arena *arena;
    const char *text;
    struct lp_err *err;
};

static LP_PRINTF(3, 4) enum lp_code bad(struct reader *r, const char *at, const char *fmt, ...)
{
    char text[160], place[24];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)snprintf(place, sizeof place, "%zu", (size_t)(at - r->text));
    return lp_fail_at(r->err, LP_INVALID, place, "resource path, character %s: %s", place, text);
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes text[0..len) into the arena. */
static enum lp_code
decode(struct reader *r, const char *text, size_t len, const char **out)
{
    char *to = lp_arena_alloc(r->arena, len + 1);
    size_t n = 0;

    if (to == NULL)
        return lp_fail(r->err, LP_NOMEM, "no memory for a resource path");
    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (text[i] != '%') {
            to[n++] = text[i];
            continue;
        }
        high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
        low = len - i > 2 ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return bad(r, text + i, "'%%' needs two hexadecimal digits");
        if (high == 0 && low == 0)
            return bad(r, text + i, "%%00 is not allowed");
        to[n++] = (char)(high << 4 | low);
        i += 2;
    }
    to[n] = '\0';
    if (!lp_utf8_valid(to, n))
        return bad(r, text, "not UTF-8");
    *out = to;
    return LP_OK;
}

/* "module:name": a name is not empty and has no second colon. */
static enum lp_code
read_name(struct reader *r, const char *text, size_t len, struct lp_restconf_segment *out)
{
    const char *colon = memchr(text, ':', len);
    size_t skip = colon != NULL ? (size_t)(colon - text) + 1 : 0;
    enum lp_code rc = LP_OK;

    out->module = "";
    if (len == skip || skip == 1 || memchr(text + skip, ':', len - skip) != NULL)
        return bad(r, text, "a name, or module:name, is missing");
    if (skip > 0)
        rc = decode(r, text, skip - 1, &out->module);
    return rc == LP_OK ? decode(r, text + skip, len - skip, &out->name) : rc;
}

static enum lp_code
read_keys(struct reader *r, const char *text, size_t len, struct lp_restconf_segment *out)
{
    const char *end = text + len;

    out->has_keys = true;
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma != NULL ? comma : end;
        enum lp_code rc;

        if (out->key_count == LP_RESTCONF_MAX_KEYS)
            return bad(r, text, "more than %d keys", LP_RESTCONF_MAX_KEYS);
        rc = decode(r, text, (size_t)(stop - text), &out->keys[out->key_count]);
        if (rc != LP_OK)
            return rc;
        out->key_count++;
        if (comma == NULL)
            return LP_OK;
        text = comma + 1;
    }
}

static enum lp_code
read_segment(struct reader *r, const char *text, size_t len, struct lp_restconf_segment *out)
{
    const char *equals = memchr(text, '=', len);
    size_t name = equals != NULL ? (size_t)(equals - text) : len;
    enum lp_code rc = read_name(r, text, name, out);

    if (rc == LP_OK && equals != NULL)
        rc = read_keys(r, equals + 1, len - name - 1, out);
    return rc;
}

enum lp_code
lp_restconf_path_parse(struct lp_arena *arena, const char *text, struct lp_restconf_target *out,
                       struct lp_err *err)
{
    struct reader r = {.arena = arena, .text = text, .err = err};
    const char *end = text + strcspn(text, "?"), *at = text;

    memset(out, 0, sizeof *out);
    out->query = *end == '?' ? end + 1 : "";
    if (strlen(text) > LP_RESTCONF_MAX_PATH)
        return bad(&r, text, "longer than %d bytes", LP_RESTCONF_MAX_PATH);
    if (*text != '/')
        return bad(&r, text, "it begins with '/'");
    if (end - text > 1 && end[-1] == '/')
        end--;
    while (at < end) {
        const char *start = at + 1, *slash = memchr(start, '/', (size_t)(end - start));
        enum lp_code rc;

        at = slash != NULL ? slash : end;
        if (start == end) /* "/" alone: the API resource */
            break;
        if (out->count == LP_RESTCONF_MAX_SEGMENTS)
            return bad(&r, start, "more than %d parts", LP_RESTCONF_MAX_SEGMENTS);
        rc = read_segment(&r, start, (size_t)(at - start), &out->segments[out->count]);
        if (rc != LP_OK)
            return rc;
        out->count++;
    }
    return LP_OK;
}

/* ---- query parameters ---- */

static const char *const contents[] = {
    [LP_RESTCONF_CONTENT_ALL] = "all",
    [LP_RESTCONF_CONTENT_CONFIG] = "config",
    [LP_RESTCONF_CONTENT_NONCONFIG] = "nonconfig",
};
static const char *const defaults[] = {
    [LP_RESTCONF_DEFAULTS_REPORT_ALL] = "report-all",
    [LP_RESTCONF_DEFAULTS_TRIM] = "trim",
    [LP_RESTCONF_DEFAULTS_EXPLICIT] = "explicit",
    [LP_RESTCONF_DEFAULTS_TAGGED] = "report-all-tagged",
};

static void
add_parameter(struct lp_buf *path, const char **mark, const char *name)
{
    lp_buf_printf(path, "%s%s=", *mark, name);
    *mark = "&";
}

/* `fields` keeps the characters that give it structure: RFC 3986 allows them in a query. */
static void
encode_fields(struct lp_buf *path, const char *fields)
{
    char one[2] = "";

    for (; *fields != '\0'; fields++) {
        one[0] = *fields;
        if (strchr(";()/:", *fields) != NULL)
            lp_buf_char(path, *fields);
        else
            lp_restconf_encode(path, one);
    }
}

void
lp_restconf_query_add(struct lp_buf *path, const struct lp_restconf_query *query)
{
    const char *mark = "?";

    if (query->content != LP_RESTCONF_CONTENT_DEFAULT) {
        add_parameter(path, &mark, "content");
        lp_buf_str(path, contents[query->content]);
    }
    if (query->depth != 0) {
        add_parameter(path, &mark, "depth");
        if (query->depth >= LP_RESTCONF_UNBOUNDED)
            lp_buf_str(path, "unbounded");
        else
            lp_buf_printf(path, "%u", query->depth);
    }
    if (query->with_defaults != LP_RESTCONF_DEFAULTS_UNSET) {
        add_parameter(path, &mark, "with-defaults");
        lp_buf_str(path, defaults[query->with_defaults]);
    }
    if (query->fields != NULL) {
        add_parameter(path, &mark, "fields");
        encode_fields(path, query->fields);
    }
}

/* Index of a name in a table whose row 0 has none; 0: not there. */
static size_t
find_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return 0;
}

static bool
read_depth(const char *value, unsigned *out)
{
    char *end;
    unsigned long depth;

    if (strcmp(value, "unbounded") == 0) {
        *out = LP_RESTCONF_UNBOUNDED;
        return true;
    }
    if (*value < '0' || *value > '9')
        return false;
    depth = strtoul(value, &end, 10);
    *out = (unsigned)depth;
    return *end == '\0' && depth >= 1 && depth <= 65535;
}

/* True when name=value is a known parameter that was not given before and its value is right. */
static bool
take_parameter(struct lp_restconf_query *out, const char *name, const char *value)
{
    if (strcmp(name, "content") == 0 && out->content == LP_RESTCONF_CONTENT_DEFAULT) {
        out->content = (enum lp_restconf_content)find_name(contents, LP_COUNT(contents), value);
        return out->content != LP_RESTCONF_CONTENT_DEFAULT;
    }
    if (strcmp(name, "with-defaults") == 0 && out->with_defaults == LP_RESTCONF_DEFAULTS_UNSET) {
        out->with_defaults =
            (enum lp_restconf_defaults)find_name(defaults, LP_COUNT(defaults), value);
        return out->with_defaults != LP_RESTCONF_DEFAULTS_UNSET;
    }
    if (strcmp(name, "depth") == 0 && out->depth == 0)
        return read_depth(value, &out->depth);
    if (strcmp(name, "fields") == 0 && out->fields == NULL && *value != '\0') {
        out->fields = value;
        return true;
    }
    return false;
}

enum lp_code
lp_restconf_query_parse(struct lp_arena *arena, const char *text, struct lp_restconf_query *out,
                        struct lp_err *err)
{
    struct reader r = {.arena = arena, .text = text, .err = err};
    const char *at = text;

    memset(out, 0, sizeof *out);
    while (*at != '\0') {
        size_t len = strcspn(at, "&");
        const char *equals = memchr(at, '=', len), *name, *value = "";
        size_t name_len = equals != NULL ? (size_t)(equals - at) : len;
        enum lp_code rc = decode(&r, at, name_len, &name);

        if (rc == LP_OK && equals != NULL)
            rc = decode(&r, equals + 1, len - name_len - 1, &value);
        if (rc != LP_OK)
            return rc;
        if (!take_parameter(out, name, value))
            return lp_fail_at(err, LP_INVALID, name,
                              "query parameter '%.64s' is unknown, stands twice, or cannot be "
                              "'%.64s'",
                              name, value);
        at += len + (at[len] == '&' ? 1 : 0);
    }
    return LP_OK;
}
