/* Records: the inside of a data line. A quoted value stands in it as \"text\", because the line is
 * a quoted string itself; a quote inside the text is escaped once more (\\\"). Devices are not that
 * careful, so the end of a text is looked for with some sense (see closes). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/tl1.h"
#include "wire/tl1_internal.h"

void
lp_tl1_scratch_free(struct lp_tl1_scratch *scratch)
{
    free(scratch->text);
    free(scratch->params);
    free(scratch->blocks);
    *scratch = (struct lp_tl1_scratch){.text = NULL};
}

static bool
grow(void **array, size_t *cap, size_t want, size_t item)
{
    size_t more = *cap == 0 ? 16 : *cap;
    void *moved;

    if (want <= *cap)
        return true;
    while (more < want)
        more *= 2;
    moved = realloc(*array, more * item);
    if (moved == NULL)
        return false;
    *array = moved;
    *cap = more;
    return true;
}

bool
tl1_scratch_begin(struct lp_tl1_scratch *scratch, size_t text)
{
    void *array = scratch->text;
    bool ok = grow(&array, &scratch->text_cap, text, 1);

    scratch->text = array;
    return ok;
}

struct lp_tl1_param *
tl1_scratch_param(struct lp_tl1_scratch *scratch, size_t n)
{
    void *array = scratch->params;
    bool ok = grow(&array, &scratch->param_cap, n + 1, sizeof *scratch->params);

    scratch->params = array;
    return ok ? &scratch->params[n] : NULL;
}

struct lp_tl1_block *
tl1_scratch_block(struct lp_tl1_scratch *scratch, size_t n)
{
    void *array = scratch->blocks;
    bool ok = grow(&array, &scratch->block_cap, n + 1, sizeof *scratch->blocks);

    scratch->blocks = array;
    return ok ? &scratch->blocks[n] : NULL;
}

void
tl1_scratch_link(struct lp_tl1_scratch *scratch, size_t blocks)
{
    struct lp_tl1_param *next = scratch->params;

    for (size_t i = 0; i < blocks; i++) {
        scratch->blocks[i].params = next;
        next = next == NULL ? NULL : next + scratch->blocks[i].count;
    }
}

bool
tl1_name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-';
}

size_t
tl1_name_span(const char *at, const char *end)
{
    const char *p = at;

    while (p < end && p - at <= LP_TL1_NAME_MAX && tl1_name_char(*p))
        p++;
    return p > at && p - at <= LP_TL1_NAME_MAX && p < end && *p == '=' ? (size_t)(p - at) : 0;
}

/* ---- parsing ---- */

struct cursor {
    const char *at, *end;
    char *out;    /* next free byte of the scratch's text */
    bool no_more; /* a search saw that no text ends properly in the rest: do not search again */
};

static bool
is_quote(const char *at, const char *end)
{
    return end - at >= 2 && at[0] == '\\' && at[1] == '"';
}

static bool
is_backslash(const char *at, const char *end)
{
    return end - at >= 2 && at[0] == '\\' && at[1] == '\\';
}

static bool
is_separator(char c)
{
    return c == ',' || c == ':';
}

static void
emit(struct cursor *c, char byte)
{
    *c->out++ = tl1_not_nul(byte);
}

/* Does a quote before `at` end the text of a parameter? Of a named one only when the block goes on
 * with NAME= (or ends): a label may have a quote and a comma inside. */
static bool
closes(const char *at, const char *end, bool named)
{
    if (at == end || *at == ':')
        return true;
    if (*at != ',')
        return false;
    at++;
    return !named || at == end || is_separator(*at) || tl1_name_span(at, end) > 0;
}

/* One unit inside a text that does not end it. */
static void
quoted_unit(struct cursor *c)
{
    if (is_quote(c->at, c->end)) {
        emit(c, '"');
        c->at += 2;
    } else if (is_backslash(c->at, c->end)) {
        c->at += 2;
        if (is_quote(c->at, c->end) || is_backslash(c->at, c->end)) {
            emit(c, c->at[1]);
            c->at += 2;
        } else {
            emit(c, '\\');
        }
    } else {
        emit(c, *c->at++);
    }
}

static void
parse_quoted(struct cursor *c, bool named)
{
    const char *first = NULL; /* the first quote that might end it */
    char *first_out = NULL;

    c->at += 2;
    while (c->at < c->end) {
        if (*c->at == '\\' && is_quote(c->at, c->end)) {
            if (closes(c->at + 2, c->end, named && !c->no_more)) {
                c->at += 2;
                return;
            }
            if (first == NULL && c->end - c->at > 2 && c->at[2] == ',') {
                first = c->at + 2;
                first_out = c->out;
            }
        }
        quoted_unit(c);
    }
    if (named)
        c->no_more = true;
    if (first != NULL) {
        c->at = first;
        c->out = first_out;
    }
}

static void
parse_bare(struct cursor *c)
{
    bool inside = false;

    while (c->at < c->end && (inside || !is_separator(*c->at))) {
        if (*c->at != '\\') {
            emit(c, *c->at++);
        } else if (is_quote(c->at, c->end)) {
            inside = !inside;
            emit(c, '"');
            c->at += 2;
        } else {
            emit(c, '\\');
            c->at += is_backslash(c->at, c->end) ? 2 : 1;
        }
    }
}

static void
parse_param(struct cursor *c, struct lp_tl1_param *param)
{
    size_t name = tl1_name_span(c->at, c->end);

    param->name = NULL;
    if (name > 0) {
        param->name = c->out;
        memcpy(c->out, c->at, name);
        c->out[name] = '\0';
        c->out += name + 1;
        c->at += name + 1;
    }
    param->value = c->out;
    param->form = LP_TL1_BARE;
    if (is_quote(c->at, c->end)) {
        param->form = LP_TL1_QUOTED;
        parse_quoted(c, name > 0);
    } else {
        parse_bare(c);
    }
    *c->out++ = '\0';
}

enum lp_code
lp_tl1_record_parse(const char *text, size_t len, struct lp_tl1_scratch *scratch,
                    struct lp_tl1_record *out, struct lp_err *err)
{
    struct cursor c = {.at = text, .end = text + len};
    size_t params = 0, blocks = 0;

    if (!tl1_scratch_begin(scratch, len + 2))
        return lp_fail(err, LP_NOMEM, "no memory for a TL1 record of %zu bytes", len);
    c.out = scratch->text;
    for (;;) {
        struct lp_tl1_block *block = tl1_scratch_block(scratch, blocks++);
        bool more = c.at < c.end && *c.at != ':';

        if (block == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a TL1 record");
        block->count = 0;
        while (more) {
            struct lp_tl1_param *param = tl1_scratch_param(scratch, params++);

            if (param == NULL)
                return lp_fail(err, LP_NOMEM, "no memory for a TL1 record");
            parse_param(&c, param);
            block = &scratch->blocks[blocks - 1];
            block->count++;
            more = c.at < c.end && *c.at == ',';
            c.at += more ? 1 : 0;
        }
        if (c.at == c.end)
            break;
        c.at++; /* the colon */
    }
    tl1_scratch_link(scratch, blocks);
    *out = (struct lp_tl1_record){.blocks = scratch->blocks, .count = blocks};
    return LP_OK;
}

/* ---- reading ---- */

const char *
lp_tl1_record_get(const struct lp_tl1_record *record, const char *name)
{
    for (size_t b = 0; b < record->count; b++)
        for (size_t i = 0; i < record->blocks[b].count; i++) {
            const struct lp_tl1_param *param = &record->blocks[b].params[i];

            if (param->name != NULL && strcasecmp(param->name, name) == 0)
                return param->value;
        }
    return NULL;
}

const char *
lp_tl1_record_at(const struct lp_tl1_record *record, size_t block, size_t n)
{
    if (block >= record->count)
        return "";
    for (size_t i = 0; i < record->blocks[block].count; i++) {
        const struct lp_tl1_param *param = &record->blocks[block].params[i];

        if (param->name == NULL && n-- == 0)
            return param->value;
    }
    return "";
}

const char *
lp_tl1_record_aid(const struct lp_tl1_record *record)
{
    return lp_tl1_record_at(record, 0, 0);
}

const char *
lp_tl1_record_state(const struct lp_tl1_record *record)
{
    return record->count < 2 ? "" : lp_tl1_record_at(record, record->count - 1, 0);
}

/* ---- building ---- */

bool
tl1_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

bool
tl1_name_valid(const char *name)
{
    size_t len = strnlen(name, LP_TL1_NAME_MAX + 1);

    if (len == 0 || len > LP_TL1_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!tl1_name_char(name[i]))
            return false;
    return true;
}

bool
tl1_always_quoted(const char *name)
{
    static const char *const names[] = {"LABEL", "CKTIDSUFFIX", "PROVOWREMPTP"};

    for (size_t i = 0; name != NULL && i < LP_COUNT(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

bool
tl1_shall_quote(const struct lp_tl1_param *param, const char *value, const char *special)
{
    if (param->form != LP_TL1_AUTO)
        return param->form == LP_TL1_QUOTED;
    return strpbrk(value, special) != NULL || tl1_always_quoted(param->name);
}

static void
put_escaped(struct lp_buf *buf, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '"')
            lp_buf_str(buf, "\\\\\\\"");
        else if (*value == '\\')
            lp_buf_str(buf, "\\\\\\\\");
        else
            lp_buf_char(buf, *value);
    }
}

/* `texts`: a quoted named value went before in this block, so a positional one cannot follow. */
static enum lp_code
put_param(struct lp_buf *buf, const struct lp_tl1_param *param, bool *texts, struct lp_err *err)
{
    const char *value = param->value == NULL ? "" : param->value;
    const char *name = param->name == NULL ? "value" : param->name;
    bool quoted = tl1_shall_quote(param, value, ":,\"\\= ;");

    if (param->name != NULL && !tl1_name_valid(param->name))
        return lp_fail(err, LP_INVALID, "'%.80s' is no name of a TL1 parameter", param->name);
    if (!tl1_printable(value))
        return lp_fail(err, LP_INVALID, "%s has a control character", name);
    if (param->name == NULL && *texts)
        return lp_fail(err, LP_INVALID,
                       "positional value '%.80s' cannot follow a quoted named one in its block",
                       value);
    if (!quoted && strpbrk(value, ":,\"\\") != NULL)
        return lp_fail(err, LP_INVALID, "%s '%.80s' needs quotes", name, value);
    if (!quoted && param->name == NULL && strchr(value, '=') != NULL)
        return lp_fail(err, LP_INVALID, "positional value '%.80s' needs quotes", value);
    if (param->name != NULL) {
        lp_buf_str(buf, param->name);
        lp_buf_char(buf, '=');
    }
    if (!quoted) {
        lp_buf_str(buf, value);
        return LP_OK;
    }
    *texts = *texts || param->name != NULL;
    lp_buf_str(buf, "\\\"");
    put_escaped(buf, value);
    lp_buf_str(buf, "\\\"");
    return LP_OK;
}

static enum lp_code
put_block(struct lp_buf *buf, const struct lp_tl1_block *block, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    bool texts = false;

    for (size_t i = 0; i < block->count && rc == LP_OK; i++) {
        if (i > 0)
            lp_buf_char(buf, ',');
        rc = put_param(buf, &block->params[i], &texts, err);
    }
    return rc;
}

enum lp_code
tl1_put_done(struct lp_buf *buf, size_t mark, enum lp_code rc, struct lp_err *err)
{
    if (rc == LP_OK && buf->failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for a TL1 message");
    if (rc != LP_OK && buf->data != NULL) {
        buf->len = mark;
        buf->data[mark] = '\0';
    }
    return rc;
}

enum lp_code
lp_tl1_record_put(struct lp_buf *buf, const struct lp_tl1_record *record, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    size_t mark = buf->len;

    for (size_t i = 0; i < record->count && rc == LP_OK; i++) {
        if (i > 0)
            lp_buf_char(buf, ':');
        rc = put_block(buf, &record->blocks[i], err);
    }
    return tl1_put_done(buf, mark, rc, err);
}
