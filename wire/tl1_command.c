/* Commands: built by the client, parsed by simulators. The two are inverses. */
#include <string.h>
#include <strings.h>

#include "wire/tl1_internal.h"

static bool
is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_alnum(char c)
{
    return is_alpha(c) || (c >= '0' && c <= '9');
}

/* verb of letters, then modifiers that may begin with a digit: RTRV-PM-SCH, RMV-100GBE */
static bool
code_valid(const char *code)
{
    size_t verb = 0, parts = 0;

    while (is_alpha(code[verb]))
        verb++;
    if (verb == 0 || verb > 8)
        return false;
    for (code += verb; *code == '-' && parts < 3; parts++) {
        size_t len = 0;

        for (code++; is_alnum(code[len]) || code[len] == '_'; len++)
            continue;
        if (len == 0 || len > 20)
            return false;
        code += len;
    }
    return *code == '\0';
}

bool
lp_tl1_ctag_valid(const char *ctag)
{
    size_t len = strnlen(ctag, LP_TL1_CTAG_MAX + 1);
    bool digits = len > 0 && !is_alpha(ctag[0]);

    if (len == 0 || len > LP_TL1_CTAG_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(ctag[i]) || (digits && is_alpha(ctag[i])))
            return false;
    return strspn(ctag, "0") < len;
}

void
lp_tl1_ctag_make(char prefix, uint32_t *counter, char out[static LP_TL1_CTAG_MAX + 1])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint32_t n = *counter % 60466176u; /* 36^5 */

    *counter = n + 1;
    out[0] = prefix;
    out[LP_TL1_CTAG_MAX] = '\0';
    for (unsigned i = LP_TL1_CTAG_MAX - 1; i > 0; i--, n /= 36)
        out[i] = digits[n % 36];
}

bool
lp_tl1_writes(const char *code)
{
    static const char *const reads[] = {"RTRV-", "OPR-VALROUTE-", "INH-", "ALW-"};

    for (size_t i = 0; i < LP_COUNT(reads); i++)
        if (strncasecmp(code, reads[i], strlen(reads[i])) == 0)
            return false;
    return strcasecmp(code, "ACT-USER") != 0 && strcasecmp(code, "CANC-USER") != 0;
}

/* ---- building ---- */

static bool
is_list(const struct lp_tl1_param *param)
{
    enum lp_tl1_type type = param->name == NULL ? LP_TL1_TEXT : lp_tl1_type_of(param->name);

    return type != LP_TL1_TEXT && type != LP_TL1_DECIMAL;
}

static bool
ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static void
put_quoted(struct lp_buf *buf, const char *value)
{
    lp_buf_char(buf, '"');
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            lp_buf_char(buf, '\\');
        lp_buf_char(buf, *value);
    }
    lp_buf_char(buf, '"');
}

static enum lp_code
put_value(struct lp_buf *buf, const struct lp_tl1_param *param, const char *what,
          struct lp_err *err)
{
    const char *value = param->value == NULL ? "" : param->value;
    bool label = param->name != NULL && strcasecmp(param->name, "LABEL") == 0;

    if (!tl1_printable(value))
        return lp_fail(err, LP_INVALID, "%s has a control character", what);
    if (!label && !ascii(value))
        return lp_fail(err, LP_INVALID, "%s has a character outside ASCII", what);
    if (tl1_shall_quote(param, value, is_list(param) ? ":,;=\"\\ " : ":,;&=\"\\ ")) {
        put_quoted(buf, value);
        return LP_OK;
    }
    if (strpbrk(value, ":,;=\"\\ ") != NULL)
        return lp_fail(err, LP_INVALID, "%s needs quotes", what);
    lp_buf_str(buf, value);
    return LP_OK;
}

static bool
named_before(const struct lp_tl1_block *block, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (block->params[i].name != NULL
            && strcasecmp(block->params[i].name, block->params[n].name) == 0)
            return true;
    return false;
}

static enum lp_code
put_block(struct lp_buf *buf, const struct lp_tl1_block *block, const char *what,
          struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < block->count && rc == LP_OK; i++) {
        const struct lp_tl1_param *param = &block->params[i];

        if (param->name != NULL && !tl1_name_valid(param->name))
            return lp_fail(err, LP_INVALID, "'%.80s' is no name of a TL1 parameter", param->name);
        if (param->name != NULL && named_before(block, i))
            return lp_fail(err, LP_INVALID, "parameter %s is given twice", param->name);
        if (i > 0)
            lp_buf_char(buf, ',');
        if (param->name != NULL) {
            lp_buf_str(buf, param->name);
            lp_buf_char(buf, '=');
        }
        rc = put_value(buf, param, param->name != NULL ? param->name : what, err);
    }
    return rc;
}

static enum lp_code
put_all(struct lp_buf *buf, const struct lp_tl1_command *command, struct lp_err *err)
{
    const struct lp_tl1_param tid = {.value = command->tid};
    const struct lp_tl1_block tids = {.params = &tid, .count = 1};
    enum lp_code rc;

    if (command->code == NULL || !code_valid(command->code))
        return lp_fail(err, LP_INVALID, "'%.40s' is no TL1 command code",
                       command->code == NULL ? "" : command->code);
    if (command->ctag == NULL || !lp_tl1_ctag_valid(command->ctag))
        return lp_fail(err, LP_INVALID, "'%.40s' is no TL1 command tag",
                       command->ctag == NULL ? "" : command->ctag);
    lp_buf_printf(buf, "%s:", command->code);
    rc = put_block(buf, &tids, "the TID", err);
    lp_buf_char(buf, ':');
    if (rc == LP_OK)
        rc = put_block(buf, &command->aids, "the AID", err);
    lp_buf_printf(buf, ":%s", command->ctag);
    for (size_t i = 0; i < command->block_count && rc == LP_OK; i++) {
        lp_buf_char(buf, ':');
        rc = put_block(buf, &command->blocks[i], "a positional value", err);
    }
    lp_buf_char(buf, ';');
    return rc;
}

enum lp_code
lp_tl1_command_put(struct lp_buf *buf, const struct lp_tl1_command *command, struct lp_err *err)
{
    size_t mark = buf->len;
    enum lp_code rc = put_all(buf, command, err);

    if (rc == LP_OK && buf->len - mark > LP_TL1_MAX_COMMAND)
        rc = lp_fail(err, LP_INVALID, "the command exceeds the limit of %zu bytes",
                     LP_TL1_MAX_COMMAND);
    return tl1_put_done(buf, mark, rc, err);
}

/* ---- parsing ---- */

#define MAX_PARAMS 512 /* of one command; the longest of the catalogue has about 40 */

struct cursor {
    const char *at, *end;
    char *out;
    const char *fault; /* TL1 error code */
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_blanks(struct cursor *c)
{
    while (c->at < c->end && is_blank(*c->at))
        c->at++;
}

static bool
is_end(char c)
{
    return c == ':' || c == ',' || c == ';';
}

static void
parse_quoted(struct cursor *c)
{
    for (c->at++; c->at < c->end && *c->at != '"'; c->at++) {
        if (*c->at == '\\' && c->end - c->at > 1 && (c->at[1] == '"' || c->at[1] == '\\'))
            c->at++;
        if ((unsigned char)*c->at < 0x20)
            c->fault = "ISCH";
        *c->out++ = tl1_not_nul(*c->at);
    }
    if (c->at == c->end) {
        c->fault = "ISPC";
        return;
    }
    c->at++;
    skip_blanks(c);
    if (c->at < c->end && !is_end(*c->at))
        c->fault = "ISPC";
}

/* Blanks inside are dropped like those around it. */
static void
parse_bare(struct cursor *c)
{
    for (; c->at < c->end && !is_end(*c->at); c->at++) {
        if (is_blank(*c->at))
            continue;
        if ((unsigned char)*c->at < 0x20 || *c->at == 0x7f)
            c->fault = "ISCH";
        else if (*c->at == '"' || *c->at == '=')
            c->fault = "ISPC";
        *c->out++ = tl1_not_nul(*c->at);
    }
}

static void
parse_param(struct cursor *c, struct lp_tl1_param *param)
{
    size_t name;

    *param = (struct lp_tl1_param){.form = LP_TL1_BARE};
    skip_blanks(c);
    name = tl1_name_span(c->at, c->end);
    if (name > 0) {
        param->name = memcpy(c->out, c->at, name);
        c->out[name] = '\0';
        c->out += name + 1;
        c->at += name + 1;
        skip_blanks(c);
    }
    param->value = c->out;
    if (c->at < c->end && *c->at == '"') {
        param->form = LP_TL1_QUOTED;
        parse_quoted(c);
    } else {
        parse_bare(c);
    }
    *c->out++ = '\0';
}

/* All blocks up to ';' or the end, the code's own among them. */
static enum lp_code
parse_blocks(struct cursor *c, struct lp_tl1_scratch *scratch, size_t *blocks, struct lp_err *err)
{
    size_t params = 0;

    for (*blocks = 0;; c->at++) {
        struct lp_tl1_block *block = tl1_scratch_block(scratch, (*blocks)++);
        bool more;

        if (block == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a TL1 command");
        block->count = 0;
        skip_blanks(c);
        more = c->at < c->end && *c->at != ':' && *c->at != ';';
        while (more && c->fault == NULL) {
            struct lp_tl1_param *param = tl1_scratch_param(scratch, params++);

            if (param == NULL)
                return lp_fail(err, LP_NOMEM, "no memory for a TL1 command");
            parse_param(c, param);
            block->count++;
            if (params > MAX_PARAMS)
                c->fault = "IPEX";
            more = c->at < c->end && *c->at == ',';
            c->at += more ? 1 : 0;
        }
        if (c->fault != NULL || c->at >= c->end || *c->at != ':')
            break;
    }
    tl1_scratch_link(scratch, *blocks);
    for (const char *rest = c->at + 1; c->fault == NULL && rest < c->end; rest++)
        if (!is_blank(*rest))
            c->fault = "ISPC"; /* there is more behind the ';' */
    return LP_OK;
}

/* The one positional value of a block, "" when it is empty, NULL when it is something else. */
static const char *
single(const struct lp_tl1_scratch *scratch, size_t blocks, size_t n)
{
    const struct lp_tl1_block *block;

    if (n >= blocks)
        return NULL;
    block = &scratch->blocks[n];
    if (block->count > 1)
        return NULL;
    if (block->count == 0)
        return "";
    return block->params[0].name == NULL ? block->params[0].value : NULL;
}

static void
upper(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
}

static const char *
double_name(const struct lp_tl1_block *blocks, size_t count)
{
    for (size_t b = 0; b < count; b++)
        for (size_t i = 1; i < blocks[b].count; i++)
            if (blocks[b].params[i].name != NULL && named_before(&blocks[b], i))
                return blocks[b].params[i].name;
    return NULL;
}

static const char *
fault_text(const char *fault)
{
    if (strcmp(fault, "ISCH") == 0)
        return "a character is not allowed";
    return strcmp(fault, "IPEX") == 0 ? "there are too many parameters"
                                      : "the punctuation is not valid";
}

static enum lp_code
check_head(const struct lp_tl1_command *out, size_t blocks, const struct cursor *c,
           struct lp_err *err)
{
    if (out->code == NULL)
        return lp_fail_at(err, LP_INVALID, "IICM", "the command code is not valid");
    if (c->fault != NULL)
        return lp_fail_at(err, LP_INVALID, c->fault, "%s", fault_text(c->fault));
    if (blocks < 4)
        return lp_fail_at(err, LP_INVALID, "IBMS", "the command has %zu of at least 4 blocks",
                          blocks);
    if (out->ctag == NULL)
        return lp_fail_at(err, LP_INVALID, "IICT", "the command tag is not valid");
    if (out->tid == NULL)
        return lp_fail_at(err, LP_INVALID, "IITA", "the target identifier is not valid");
    return LP_OK;
}

enum lp_code
lp_tl1_command_parse(const char *text, size_t len, struct lp_tl1_scratch *scratch,
                     struct lp_tl1_command *out, struct lp_err *err)
{
    struct cursor c = {.at = text, .end = text + len};
    size_t blocks;
    const char *code;
    enum lp_code rc;

    *out = (struct lp_tl1_command){.code = NULL};
    if (len > LP_TL1_MAX_COMMAND)
        return lp_fail_at(err, LP_INVALID, "ISPC", "the command exceeds the limit of %zu bytes",
                          LP_TL1_MAX_COMMAND);
    if (!tl1_scratch_begin(scratch, len + 2))
        return lp_fail(err, LP_NOMEM, "no memory for a TL1 command");
    c.out = scratch->text;
    rc = parse_blocks(&c, scratch, &blocks, err);
    if (rc != LP_OK)
        return rc;
    code = single(scratch, blocks, 0);
    if (code != NULL && code_valid(code)) {
        upper(scratch->text); /* the code is the first thing in it */
        out->code = code;
    }
    out->tid = single(scratch, blocks, 1);
    out->ctag = single(scratch, blocks, 3);
    if (out->ctag != NULL && !lp_tl1_ctag_valid(out->ctag))
        out->ctag = NULL;
    rc = check_head(out, blocks, &c, err);
    if (rc != LP_OK)
        return rc;
    out->aids = scratch->blocks[2];
    out->blocks = scratch->blocks + 4;
    out->block_count = blocks - 4;
    if (double_name(out->blocks, out->block_count) != NULL)
        return lp_fail_at(err, LP_INVALID, "IPNC", "parameter %s is given twice",
                          double_name(out->blocks, out->block_count));
    return LP_OK;
}

/* ---- input ---- */

void
lp_tl1_input_init(struct lp_tl1_input *input, size_t max)
{
    *input = (struct lp_tl1_input){.max = max == 0 ? LP_TL1_MAX_COMMAND : max};
}

void
lp_tl1_input_free(struct lp_tl1_input *input)
{
    lp_buf_free(&input->text);
}

/* True when the byte ends a command. */
static bool
take_byte(struct lp_tl1_input *input, char c)
{
    if (input->text.len == 0 && !input->skipping && (is_blank(c) || c == '\0'))
        return false;
    if (input->escaped)
        input->escaped = false;
    else if (c == '\\')
        input->escaped = input->quoted;
    else if (c == '"')
        input->quoted = !input->quoted;
    if (c == '\n' || c == '\r')
        input->quoted = input->escaped = false;
    if (!input->skipping)
        lp_buf_char(&input->text, c);
    if (input->text.len > input->max) {
        input->skipping = true;
        lp_buf_reset(&input->text);
    }
    return c == ';' && !input->quoted;
}

enum lp_code
lp_tl1_input_feed(struct lp_tl1_input *input, const char *bytes, size_t len, lp_tl1_command_fn *fn,
                  void *arg, struct lp_err *err)
{
    for (size_t i = 0; i < len; i++) {
        bool skipped = input->skipping;
        enum lp_code rc;

        if (!take_byte(input, bytes[i]))
            continue;
        if (input->text.failed)
            return lp_fail(err, LP_NOMEM, "no memory for a TL1 command");
        skipped = skipped || input->skipping;
        rc = skipped ? fn(arg, NULL, 0, err) : fn(arg, input->text.data, input->text.len, err);
        input->quoted = input->escaped = input->skipping = false;
        lp_buf_reset(&input->text);
        if (rc != LP_OK)
            return rc;
    }
    return LP_OK;
}
