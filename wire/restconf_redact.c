/* Secrets out of bodies: by the names that carry them, and literally however they are encoded. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/restconf.h"
#include "wire/tl1.h"

#define STARS       "********"
#define SECRETS_MAX 16
#define ENCODINGS   4

/* A name with one of these in it carries a secret... */
static const char *const within[] = {"password", "passwd",  "passphrase",
                                     "secret",   "privkey", "community"};
/* ...or with one of these at its end. */
static const char *const at_end[] = {"token", "private-key", "priv-key", "auth-key", "authkey"};

static bool
is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_';
}

static bool
names_secret(const char *name, size_t len)
{
    for (size_t i = 0; i < LP_COUNT(within); i++) {
        size_t n = strlen(within[i]);

        for (size_t at = 0; at + n <= len; at++) {
            if (strncasecmp(name + at, within[i], n) == 0)
                return true;
        }
    }
    for (size_t i = 0; i < LP_COUNT(at_end); i++) {
        size_t n = strlen(at_end[i]);

        if (n <= len && strncasecmp(name + len - n, at_end[i], n) == 0)
            return true;
    }
    return false;
}

static size_t
skip_blanks(const char *text, size_t pos, size_t len)
{
    while (pos < len && isspace((unsigned char)text[pos]))
        pos++;
    return pos;
}

/* Behind a quote that may itself be escaped; pos when there is none. *depth: its backslashes. */
static size_t
skip_quote(const char *text, size_t pos, size_t len, size_t *depth)
{
    size_t at = pos;

    while (at < len && text[at] == '\\')
        at++;
    *depth = at - pos;
    return at < len && text[at] == '"' ? at + 1 : pos;
}

/* End of a quoted value: a quote with as many backslashes as opened it. */
static size_t
quoted_end(const char *text, size_t pos, size_t len, size_t depth)
{
    size_t slashes = 0;

    for (; pos < len; pos++) {
        if (text[pos] == '\\') {
            slashes++;
        } else if (text[pos] == '"' && slashes <= depth) {
            return pos - slashes;
        } else {
            slashes = 0;
        }
    }
    return len;
}

static size_t
word_end(const char *text, size_t pos, size_t len)
{
    while (pos < len && strchr(",&}]<\";", text[pos]) == NULL && !isspace((unsigned char)text[pos])
           && !(text[pos] == '\\' && pos + 1 < len && strchr("nrt\"", text[pos + 1]) != NULL))
        pos++;
    return pos;
}

/* The value of a secret's name that ends at pos: *start..result; 0 when there is none. `cli`: a
 * blank is enough between them. */
static size_t
value_of(const char *text, size_t name, size_t pos, size_t len, bool cli, size_t *start)
{
    size_t depth = 0, at = skip_blanks(text, skip_quote(text, pos, len, &depth), len), quote;

    if (at < len && text[at] == '>' && name > 0 && strchr("<:", text[name - 1]) != NULL) {
        const char *close = memchr(text + at, '<', len - at);

        *start = at + 1;
        return close != NULL ? (size_t)(close - text) : len;
    }
    if (at < len && (text[at] == ':' || text[at] == '='))
        at = skip_blanks(text, at + 1, len);
    else if (!cli || at == pos)
        return 0;
    quote = skip_quote(text, at, len, &depth);
    if (quote != at) {
        *start = quote;
        return quoted_end(text, quote, len, depth);
    }
    if (at < len && strchr("{[", text[at]) != NULL) /* its members are looked at themselves */
        return 0;
    *start = at;
    return word_end(text, at, len);
}

static void
redact_names(struct lp_buf *out, const char *text, size_t len)
{
    bool cli =
        memmem(text, len, "commands", 8) != NULL || memmem(text, len, "\"result\"", 8) != NULL;

    for (size_t pos = 0; pos < len;) {
        size_t end = pos, start = 0, stop = 0;

        while (end < len && is_name_char(text[end]))
            end++;
        if (end > pos && names_secret(text + pos, end - pos))
            stop = value_of(text, pos, end, len, cli, &start);
        if (stop > start) {
            lp_buf_add(out, text + pos, start - pos);
            lp_buf_str(out, STARS);
            pos = stop;
        } else {
            end += end == pos ? 1 : 0;
            lp_buf_add(out, text + pos, end - pos);
            pos = end;
        }
    }
}

/* ---- literally ---- */

static void
encode(struct lp_buf *out, const char *secret, unsigned how)
{
    switch (how) {
    case 0:
        lp_buf_str(out, secret);
        break;
    case 1:
        lp_restconf_encode(out, secret);
        break;
    case 2: { /* as JSON, without the quotes */
        struct lp_buf quoted = LP_BUF_INIT;

        lp_buf_json_string(&quoted, secret, strlen(secret));
        if (!quoted.failed && quoted.len > 2)
            lp_buf_add(out, quoted.data + 1, quoted.len - 2);
        out->failed = out->failed || quoted.failed;
        if (quoted.data != NULL)
            explicit_bzero(quoted.data, quoted.len);
        lp_buf_free(&quoted);
        break;
    }
    default: /* as JSON of writers that escape the slash */
        for (; *secret != '\0'; secret++) {
            if (strchr("/\"\\", *secret) != NULL)
                lp_buf_char(out, '\\');
            lp_buf_char(out, *secret);
        }
        break;
    }
}

/* Words of which one stands in everything that has a secret by its shape: names of members, "://"
 * of URLs, commands with a password. Most bodies have none, and are looked at once. */
static bool
word_at(const char *text, size_t left)
{
    static const char *const words[] = {"pass", "secr", "priv",  "comm", "token",
                                        "auth", "://",  "act-u", "ed-p", "user-s"};

    for (size_t i = 0; i < LP_COUNT(words); i++) {
        size_t n = strlen(words[i]);

        if (n <= left && strncasecmp(text, words[i], n) == 0)
            return true;
    }
    return false;
}

static bool
may_have_secrets(const char *text, size_t len)
{
    static const bool begins[256] = {
        ['p'] = true, ['P'] = true, ['s'] = true, ['S'] = true, ['c'] = true,
        ['C'] = true, ['t'] = true, ['T'] = true, ['a'] = true, ['A'] = true,
        [':'] = true, ['e'] = true, ['E'] = true, ['u'] = true, ['U'] = true,
    };
    static const bool seconds[256] = {
        ['a'] = true, ['A'] = true, ['e'] = true, ['E'] = true, ['r'] = true, ['R'] = true,
        ['o'] = true, ['O'] = true, ['u'] = true, ['U'] = true, ['/'] = true, ['c'] = true,
        ['C'] = true, ['d'] = true, ['D'] = true, ['s'] = true, ['S'] = true,
    };

    for (size_t i = 0; i + 1 < len; i++)
        if (begins[(unsigned char)text[i]] && seconds[(unsigned char)text[i + 1]]
            && word_at(text + i, len - i))
            return true;
    return false;
}

static bool
has_any(const char *text, size_t len, const char *const *secrets)
{
    for (; *secrets != NULL; secrets++)
        if (memmem(text, len, *secrets, strlen(*secrets)) != NULL)
            return true;
    return false;
}

void
lp_restconf_redact(struct lp_buf *out, const char *text, size_t len, const char *const *secrets)
{
    const char *all[SECRETS_MAX * ENCODINGS + 1] = {0};
    struct lp_buf encoded[SECRETS_MAX * ENCODINGS] = {0}, named = LP_BUF_INIT;
    size_t count = 0;

    for (size_t i = 0; secrets != NULL && secrets[i] != NULL && i < SECRETS_MAX; i++) {
        for (unsigned how = 0; how < ENCODINGS && secrets[i][0] != '\0'; how++) {
            encode(&encoded[count], secrets[i], how);
            out->failed = out->failed || encoded[count].failed;
            all[count] = encoded[count].data;
            count += encoded[count].data != NULL ? 1 : 0;
        }
    }
    if (!out->failed && !may_have_secrets(text, len) && !has_any(text, len, all)) {
        lp_buf_add(out, text, len);
    } else if (!out->failed) {
        redact_names(&named, text, len);
        if (!named.failed && named.data != NULL)
            lp_tl1_redact(out, named.data, named.len, all);
    }
    out->failed = out->failed || named.failed;
    for (size_t i = 0; i < count; i++) {
        explicit_bzero(encoded[i].data, encoded[i].len);
        lp_buf_free(&encoded[i]);
    }
    lp_buf_free(&named);
}
