#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/utf8.h"

/* A device answer or a request body may be huge; a log line must not. */
enum { LONGEST_VALUE = 4096, DEEPEST_VALUE = 16 };

struct lp_log {
    int fd;
    _Atomic int min; /* enum lp_level; changed by a reload */
    const struct lp_clock *clock;
};

static const char *const levels[] = {
    [LP_LOG_DEBUG] = "debug",
    [LP_LOG_INFO] = "info",
    [LP_LOG_WARN] = "warn",
    [LP_LOG_ERROR] = "error",
};

static _Thread_local char correlation[129];

struct lp_log *
lp_log_new(int fd, enum lp_level min, const struct lp_clock *clock)
{
    struct lp_log *log = malloc(sizeof *log);

    if (log == NULL)
        return NULL;
    log->fd = fd;
    atomic_init(&log->min, (int)min);
    log->clock = clock;
    return log;
}

void
lp_log_free(struct lp_log *log)
{
    free(log);
}

void
lp_log_set_level(struct lp_log *log, enum lp_level min)
{
    atomic_store(&log->min, (int)min);
}

bool
lp_log_on(const struct lp_log *log, enum lp_level level)
{
    return log != NULL && (int)level >= atomic_load_explicit(&log->min, memory_order_relaxed);
}

enum lp_level
lp_level_from_name(const char *name, bool *ok)
{
    for (size_t i = 0; i < LP_COUNT(levels); i++)
        if (strcmp(levels[i], name) == 0) {
            *ok = true;
            return (enum lp_level)i;
        }
    *ok = false;
    return LP_LOG_INFO;
}

void
lp_log_correlation(const char *id)
{
    lp_utf8_copy(correlation, sizeof correlation, id);
}

const char *
lp_log_correlation_get(void)
{
    return correlation;
}

/* Secret whatever stands around these words ... */
static const char *const secret_words[] = {
    "password", "passwd", "passphrase", "secret", "token", "authorization", "credential", "cookie",
};
/* ... or when the name is one of these; step_key and lock_key are no secrets. */
static const char *const secret_names[] = {
    "key", "api_key", "apikey", "private_key", "server_key", "signing_key",
};

static bool
is_secret(const char *name)
{
    for (size_t i = 0; i < LP_COUNT(secret_words); i++)
        if (strcasestr(name, secret_words[i]) != NULL)
            return true;
    for (size_t i = 0; i < LP_COUNT(secret_names); i++)
        if (strcasecmp(name, secret_names[i]) == 0)
            return true;
    return false;
}

static void
put_char(struct lp_buf *out, unsigned char c)
{
    static const char short_escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (const char *p = short_escapes; *p != '\0'; p += 2)
        if ((unsigned char)p[0] == c) {
            lp_buf_char(out, '\\');
            lp_buf_char(out, p[1]);
            return;
        }
    if (c < 0x20 || c == 0x7F)
        lp_buf_printf(out, "\\u%04x", c);
    else
        lp_buf_char(out, (char)c);
}

/* A JSON string of any bytes: what is not UTF-8 becomes U+FFFD, what is too long is cut and marked.
 */
static void
put_text(struct lp_buf *out, const char *text, size_t len)
{
    bool cut = len > LONGEST_VALUE;

    if (cut)
        len = LONGEST_VALUE;
    lp_buf_char(out, '"');
    for (size_t i = 0; i < len;) {
        size_t n = lp_utf8_sequence(text + i, len - i);

        if (n == 0)
            lp_buf_str(out, cut && len - i < 4 ? "" : "\xEF\xBF\xBD");
        else if (n == 1)
            put_char(out, (unsigned char)text[i]);
        else
            lp_buf_add(out, text + i, n);
        i += n == 0 ? 1 : n;
    }
    lp_buf_str(out, cut ? "...\"" : "\"");
}

static void put_value(struct lp_buf *out, json_t *value, unsigned depth);

/* The name, and its secret's stand-in; true when the value is still to be written. */
static bool
put_name(struct lp_buf *out, const char *name)
{
    put_text(out, name, strlen(name));
    lp_buf_char(out, ':');
    if (!is_secret(name))
        return true;
    lp_buf_str(out, "\"***\"");
    return false;
}

static void
put_object(struct lp_buf *out, json_t *object, unsigned depth)
{
    const char *name, *comma = "";
    json_t *member;

    lp_buf_char(out, '{');
    json_object_foreach(object, name, member)
    {
        lp_buf_str(out, comma);
        comma = ",";
        if (put_name(out, name))
            put_value(out, member, depth);
    }
    lp_buf_char(out, '}');
}

static void
put_array(struct lp_buf *out, json_t *array, unsigned depth)
{
    lp_buf_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            lp_buf_char(out, ',');
        put_value(out, json_array_get(array, i), depth);
    }
    lp_buf_char(out, ']');
}

static void
put_value(struct lp_buf *out, json_t *value, unsigned depth)
{
    if (value == NULL)
        lp_buf_str(out, "null");
    else if (json_is_string(value))
        put_text(out, json_string_value(value), json_string_length(value));
    else if ((json_is_object(value) || json_is_array(value)) && depth >= DEEPEST_VALUE)
        lp_buf_str(out, "\"...\"");
    else if (json_is_object(value))
        put_object(out, value, depth + 1);
    else if (json_is_array(value))
        put_array(out, value, depth + 1);
    else
        lp_buf_json(out, value);
}

/* The caller's variable arguments, passed on by address. */
struct args {
    va_list list;
};

/* The next meaningful character of a json_pack format, which ignores blanks, commas and colons. */
static char
next(const char **fmt)
{
    *fmt += strspn(*fmt, " \t\n,:");
    return **fmt == '\0' ? '\0' : *(*fmt)++;
}

static void
pack_string(struct lp_buf *out, const char **fmt, struct args *args)
{
    const char *text = va_arg(args->list, const char *);
    size_t len = 0;

    if (**fmt == '#')
        len = (size_t)va_arg(args->list, int);
    else if (**fmt == '%')
        len = va_arg(args->list, size_t);
    else if (text != NULL)
        len = strlen(text);
    *fmt += strspn(*fmt, "#%?*");
    if (text == NULL)
        lp_buf_str(out, "null");
    else
        put_text(out, text, len);
}

static void
pack_json(struct lp_buf *out, char kind, const char **fmt, struct args *args)
{
    json_t *value = va_arg(args->list, json_t *);

    *fmt += strspn(*fmt, "?*");
    put_value(out, value, 0);
    if (kind == 'o')
        json_decref(value);
}

/* A real that JSON can hold; jansson refuses the others too. */
static void
pack_real(struct lp_buf *out, double value)
{
    json_t *real = json_real(value);

    put_value(out, real, 0);
    json_decref(real);
}

/* One value of a json_pack format. jansson's own packer refuses the whole object when one text is
   not UTF-8, which device answers are not always, so the same formats are walked here. False: no
   such format. */
static bool
pack_value(struct lp_buf *out, const char **fmt, struct args *args)
{
    char kind = next(fmt);

    switch (kind) {
    case 's':
        pack_string(out, fmt, args);
        return true;
    case 'i':
        lp_buf_printf(out, "%d", va_arg(args->list, int));
        return true;
    case 'I':
        lp_buf_printf(out, "%" JSON_INTEGER_FORMAT, va_arg(args->list, json_int_t));
        return true;
    case 'b':
        lp_buf_str(out, va_arg(args->list, int) != 0 ? "true" : "false");
        return true;
    case 'f':
        pack_real(out, va_arg(args->list, double));
        return true;
    case 'n':
        lp_buf_str(out, "null");
        return true;
    case 'o':
    case 'O':
        pack_json(out, kind, fmt, args);
        return true;
    default:
        return false;
    }
}

static void
pack_members(struct lp_buf *out, const char *fmt, struct args *args)
{
    struct lp_buf hidden = LP_BUF_INIT;
    char kind;

    while ((kind = next(&fmt)) == 's') {
        const char *name = va_arg(args->list, const char *);
        bool ok;

        lp_buf_char(out, ',');
        lp_buf_reset(&hidden);
        ok = put_name(out, name) ? pack_value(out, &fmt, args) : pack_value(&hidden, &fmt, args);
        if (!ok) {
            kind = '!';
            lp_buf_str(out, "null");
            break;
        }
    }
    if (kind != '\0')
        lp_buf_str(out, ",\"log_format\":\"bad\"");
    lp_buf_free(&hidden);
}

static void
put_member(struct lp_buf *out, const char *name, const char *text)
{
    lp_buf_printf(out, ",\"%s\":", name);
    put_text(out, text, strlen(text));
}

static void
begin(struct lp_buf *out, const struct lp_log *log, enum lp_level level, const char *event)
{
    char ts[33];

    lp_time_iso(lp_clock_utc_us(log->clock), ts);
    lp_buf_printf(out, "{\"ts\":\"%s\",\"level\":\"%s\"", ts, levels[level]);
    put_member(out, "event", event);
    if (correlation[0] != '\0')
        put_member(out, "correlation_id", correlation);
}

/* One write per line. A line that cannot be written is lost: there is nowhere to tell. */
static void
end(struct lp_buf *out, const struct lp_log *log)
{
    static const char lost[] = "{\"level\":\"error\",\"event\":\"log.no_memory\"}\n";
    ssize_t n;

    lp_buf_str(out, "}\n");
    do {
        n = out->failed ? write(log->fd, lost, sizeof lost - 1)
                        : write(log->fd, out->data, out->len);
    } while (n < 0 && errno == EINTR);
    lp_buf_free(out);
}

void
lp_logf(struct lp_log *log, enum lp_level level, const char *event, const char *fields, ...)
{
    struct lp_buf line = LP_BUF_INIT, dropped = LP_BUF_INIT;
    bool on = lp_log_on(log, level);
    struct args args;

    va_start(args.list, fields);
    if (on) {
        begin(&line, log, level, event);
        pack_members(&line, fields, &args);
        end(&line, log);
    } else if (strchr(fields, 'o') != NULL) {
        pack_members(&dropped, fields, &args); /* gives back the stolen references */
        lp_buf_free(&dropped);
    }
    va_end(args.list);
}

void
lp_log_err(struct lp_log *log, enum lp_level level, const char *event, const struct lp_err *err)
{
    struct lp_buf line = LP_BUF_INIT;

    if (!lp_log_on(log, level))
        return;
    begin(&line, log, level, event);
    put_member(&line, "error", lp_code_info(err->code)->slug);
    put_member(&line, "msg", err->msg);
    if (err->pointer[0] != '\0')
        put_member(&line, "pointer", err->pointer);
    if (err->detail != NULL) {
        lp_buf_str(&line, ",\"detail\":");
        put_value(&line, err->detail, 0);
    }
    end(&line, log);
}
