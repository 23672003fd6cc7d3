/* Secrets out of transcripts: by the shape of the commands that carry them, and literally. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "wire/tl1_internal.h"

#define STARS "********"

/* Commands with secrets, and the first block (from 0, the code) that has them; the rest up to the
   ';' is replaced. */
static const struct {
    const char *code;
    unsigned block;
} commands[] = {
    {"ACT-USER", 5},
    {"ED-PID", 5},
    {"ENT-USER-SECU", 4},
    {"ED-USER-SECU", 4},
};

static size_t
find_secret(const char *at, size_t len, const char *const *secrets)
{
    for (; secrets != NULL && *secrets != NULL; secrets++) {
        size_t n = strlen(*secrets);

        if (n > 0 && n <= len && memcmp(at, *secrets, n) == 0)
            return n;
    }
    return 0;
}

/* Length of the command code at `at` and its row, or -1. */
static int
find_command(const char *text, size_t pos, size_t len)
{
    if (pos > 0 && (isalnum((unsigned char)text[pos - 1]) || text[pos - 1] == '-'))
        return -1;
    for (size_t i = 0; i < LP_COUNT(commands); i++) {
        size_t n = strlen(commands[i].code);

        if (len - pos > n && strncasecmp(text + pos, commands[i].code, n) == 0
            && (text[pos + n] == ':' || isspace((unsigned char)text[pos + n])))
            return (int)i;
    }
    return -1;
}

/* End of the command: its ';' outside quotes; a line end closes a quote that was forgotten. */
static size_t
command_end(const char *text, size_t pos, size_t len)
{
    bool quoted = false;

    for (; pos < len; pos++) {
        if (text[pos] == '\\' && quoted && pos + 1 < len)
            pos++;
        else if (text[pos] == '"')
            quoted = !quoted;
        else if (text[pos] == ';' && !quoted)
            return pos;
    }
    return len;
}

static size_t
put_command(struct lp_buf *buf, const char *text, size_t pos, size_t len, unsigned block)
{
    size_t end = command_end(text, pos, len), at = pos;
    unsigned colons = 0;

    while (at < end && colons < block) {
        colons += text[at] == ':' ? 1 : 0;
        at++;
    }
    lp_buf_add(buf, text + pos, at - pos);
    if (at < end)
        lp_buf_str(buf, STARS);
    return end;
}

/* "sftp://user:password@host": the end of the password, or 0. `pos` stands on "://". A password
   that was not percent-encoded may have an '@' of its own: the last one before the path ends it. */
static size_t
url_password(const char *text, size_t pos, size_t len, size_t *start)
{
    size_t colon = 0, end = 0;

    for (size_t at = pos + 3; at < len; at++) {
        if (text[at] == '/' || text[at] == '"' || text[at] == ';'
            || isspace((unsigned char)text[at]))
            break;
        if (text[at] == '@' && colon == 0)
            return 0;
        if (text[at] == '@')
            end = at;
        if (text[at] == ':' && colon == 0)
            colon = at;
    }
    *start = colon + 1;
    return end;
}

static void
redact_shapes(struct lp_buf *buf, const char *text, size_t len)
{
    for (size_t pos = 0; pos < len;) {
        size_t start = 0, end = 0;
        int command = find_command(text, pos, len);

        if (command >= 0) {
            pos = put_command(buf, text, pos, len, commands[command].block);
        } else if (len - pos > 3 && memcmp(text + pos, "://", 3) == 0
                   && (end = url_password(text, pos, len, &start)) > 0) {
            lp_buf_add(buf, text + pos, start - pos);
            lp_buf_str(buf, STARS);
            pos = end;
        } else {
            lp_buf_char(buf, text[pos++]);
        }
    }
}

void
lp_tl1_redact(struct lp_buf *buf, const char *text, size_t len, const char *const *secrets)
{
    struct lp_buf shaped = LP_BUF_INIT;

    redact_shapes(&shaped, text, len);
    for (size_t pos = 0; pos < shaped.len;) {
        size_t secret = find_secret(shaped.data + pos, shaped.len - pos, secrets);

        if (secret > 0)
            lp_buf_str(buf, STARS);
        else
            lp_buf_char(buf, shaped.data[pos]);
        pos += secret > 0 ? secret : 1;
    }
    buf->failed = buf->failed || shaped.failed;
    lp_buf_free(&shaped);
}
