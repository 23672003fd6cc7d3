/* The receiver: bytes to messages, line by line. Only whole lines at fixed places mean something;
 * the words COMPLD or DENY, or a tag, anywhere else are text. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/tl1_internal.h"

#define KEEP_CAP ((size_t)256 * 1024) /* buffers above it are given back after the message */

/* A message that is being put together. */
struct draft {
    bool used;
    bool open;    /* its last block ended with '>' */
    uint64_t age; /* for pushing out the oldest open one */
    struct lp_tl1_message head;
    struct lp_buf text;
    struct lp_tl1_line *lines;
    size_t line_count, line_cap;
};

enum place { BETWEEN, AFTER_HEADER, IN_BODY };

struct header {
    char sid[LP_TL1_SID_MAX + 1], date[11], time[9];
};

struct lp_tl1_rx {
    struct lp_tl1_rx_options options;
    struct lp_buf partial; /* a line without its end so far */
    struct draft drafts[LP_TL1_MAX_OPEN + 1];
    struct draft *now;    /* IN_BODY */
    struct header header; /* AFTER_HEADER, or in a body: `suspect` */
    enum place place;
    bool suspect;     /* the last line of this body looked like a header: was the message cut? */
    bool in_comment;  /* a comment goes on over the line end */
    bool block_first; /* no line of this block yet */
    bool awake;       /* a prompt or a message was seen: from here on garbage counts */
    bool dead;
    unsigned garbage; /* since the last message */
    struct lp_buf sent;
    size_t echoed; /* of `sent` */
    struct lp_tl1_counts counts;
    uint64_t ages;
    lp_tl1_message_fn *fn; /* of the feed that runs */
    void *arg;
};

struct lp_tl1_rx *
lp_tl1_rx_new(const struct lp_tl1_rx_options *options)
{
    struct lp_tl1_rx *rx = calloc(1, sizeof *rx);

    if (rx == NULL)
        return NULL;
    if (options != NULL)
        rx->options = *options;
    if (rx->options.max_message == 0)
        rx->options.max_message = LP_TL1_MAX_MESSAGE;
    if (rx->options.max_message > UINT32_MAX)
        rx->options.max_message = UINT32_MAX;
    if (rx->options.max_line == 0)
        rx->options.max_line = LP_TL1_MAX_LINE;
    if (rx->options.max_garbage == 0)
        rx->options.max_garbage = LP_TL1_MAX_GARBAGE;
    return rx;
}

static void
draft_clear(struct draft *draft)
{
    draft->used = draft->open = false;
    draft->line_count = 0;
    lp_buf_reset(&draft->text);
    if (draft->text.cap > KEEP_CAP)
        lp_buf_free(&draft->text);
    if (draft->line_cap * sizeof *draft->lines > KEEP_CAP) {
        free(draft->lines);
        draft->lines = NULL;
        draft->line_cap = 0;
    }
}

void
lp_tl1_rx_free(struct lp_tl1_rx *rx)
{
    if (rx == NULL)
        return;
    for (size_t i = 0; i < LP_COUNT(rx->drafts); i++) {
        lp_buf_free(&rx->drafts[i].text);
        free(rx->drafts[i].lines);
    }
    lp_buf_free(&rx->partial);
    lp_buf_free(&rx->sent);
    free(rx);
}

/* ---- what a line is ---- */

static bool
is_digits(const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] < '0' || at[i] > '9')
            return false;
    return true;
}

/* "   SID YY-MM-DD HH:MM:SS" or with a year of four digits */
static bool
read_header(const char *line, size_t len, struct header *out)
{
    size_t start = 0, date = 0, sid;
    const char *clock;

    while (start < len && line[start] == ' ')
        start++;
    if (start == 0 || start > 3 || len < start + 19)
        return false;
    clock = line + len - 8;
    if (!is_digits(clock, 2) || clock[2] != ':' || !is_digits(clock + 3, 2) || clock[5] != ':'
        || !is_digits(clock + 6, 2) || clock[-1] != ' ')
        return false;
    if (clock[-4] != '-' || clock[-7] != '-' || !is_digits(clock - 3, 2) || !is_digits(clock - 6, 2)
        || !is_digits(clock - 9, 2))
        return false;
    date = 8;
    if (len >= start + 21 && is_digits(clock - 11, 2))
        date = 10;
    sid = len - 9 - date - start;
    if (line[start + sid - 1] != ' ')
        return false;
    while (sid > 0 && line[start + sid - 1] == ' ')
        sid--;
    if (sid == 0 || sid > LP_TL1_SID_MAX || memchr(line + start, '\0', sid) != NULL)
        return false;
    memcpy(out->sid, line + start, sid);
    out->sid[sid] = '\0';
    memcpy(out->date, clock - 1 - date, date);
    out->date[date] = '\0';
    memcpy(out->time, clock, 8);
    out->time[8] = '\0';
    return true;
}

static const char *const completions[] = {
    [LP_TL1_COMPLD] = "COMPLD", [LP_TL1_DENY] = "DENY", [LP_TL1_PRTL] = "PRTL",
    [LP_TL1_DELAY] = "DELAY",   [LP_TL1_RTRV] = "RTRV",
};
static const char *const acks[] = {
    [LP_TL1_ACK_IP] = "IP", [LP_TL1_ACK_PF] = "PF", [LP_TL1_ACK_OK] = "OK",
    [LP_TL1_ACK_NA] = "NA", [LP_TL1_ACK_NG] = "NG", [LP_TL1_ACK_RL] = "RL",
};
static_assert(LP_COUNT(completions) == LP_TL1_COMPLETION_COUNT, "every completion has a name");
static_assert(LP_COUNT(acks) == LP_TL1_ACK_COUNT, "every acknowledgement has a name");

const char *
lp_tl1_completion_name(enum lp_tl1_completion completion)
{
    return completions[completion];
}

const char *
lp_tl1_ack_name(enum lp_tl1_ack ack)
{
    return acks[ack];
}

static size_t
trim(const char *line, size_t len)
{
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\r'))
        len--;
    return len;
}

static bool
read_tag(const char *at, size_t len, char tag[static LP_TL1_TAG_MAX + 1])
{
    if (len == 0 || len > LP_TL1_TAG_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (at[i] <= ' ' || at[i] == 0x7f)
            return false;
    memcpy(tag, at, len);
    tag[len] = '\0';
    return true;
}

/* "M  CTAG COMPLD" */
static bool
read_response(const char *line, size_t len, struct lp_tl1_message *out)
{
    size_t at = 1, tag;
    const char *space;

    if (len < 4 || line[0] != 'M')
        return false;
    while (at < len && at < 3 && line[at] == ' ')
        at++;
    space = at == 1 ? NULL : memchr(line + at, ' ', len - at);
    if (space == NULL)
        return false;
    tag = (size_t)(space - line) - at;
    for (unsigned i = 0; i < LP_TL1_COMPLETION_COUNT; i++)
        if (strlen(completions[i]) == len - at - tag - 1
            && memcmp(space + 1, completions[i], len - at - tag - 1) == 0) {
            out->kind = LP_TL1_RESPONSE;
            out->completion = (enum lp_tl1_completion)i;
            return read_tag(line + at, tag, out->tag);
        }
    return false;
}

/* "*C 0007213 REPT ALM OTS" */
static bool
read_autonomous(const char *line, size_t len, struct lp_tl1_message *out)
{
    static const char *const alarms[] = {"*C", "**", "* ", "A "};
    size_t at = 2, tag, dots = 0, verb;
    bool known = false;

    for (size_t i = 0; i < LP_COUNT(alarms) && len > 4; i++)
        known = known || memcmp(line, alarms[i], 2) == 0;
    if (!known)
        return false;
    while (at < len && at < 4 && line[at] == ' ')
        at++;
    for (tag = at; tag < len && (is_digits(line + tag, 1) || line[tag] == '.'); tag++)
        dots += line[tag] == '.' ? 1 : 0;
    verb = tag + 1;
    if (tag == at || tag - at > LP_TL1_TAG_MAX || line[at] == '.' || line[tag - 1] == '.'
        || dots > 1 || verb >= len || line[tag] != ' ' || line[verb] < 'A' || line[verb] > 'Z'
        || len - verb > LP_TL1_VERB_MAX || memchr(line + verb, '\0', len - verb) != NULL)
        return false;
    out->kind = LP_TL1_AUTONOMOUS;
    memcpy(out->alarm, line, 2);
    memcpy(out->tag, line + at, tag - at);
    out->tag[tag - at] = '\0';
    memcpy(out->verb, line + verb, len - verb);
    out->verb[len - verb] = '\0';
    return true;
}

static bool
read_ack(const char *line, size_t len, struct lp_tl1_message *out)
{
    if (len < 4 || line[2] != ' ')
        return false;
    for (unsigned i = 0; i < LP_TL1_ACK_COUNT; i++)
        if (memcmp(line, acks[i], 2) == 0) {
            out->kind = LP_TL1_ACKNOWLEDGEMENT;
            out->ack = (enum lp_tl1_ack)i;
            return read_tag(line + 3, len - 3, out->tag);
        }
    return false;
}

/* The echo of what we sent, or as much of it as stands on this line. */
static bool
is_echo(struct lp_tl1_rx *rx, const char *line, size_t len)
{
    if (rx->sent.len == 0 || len == 0)
        return false;
    if (len <= rx->sent.len && memcmp(rx->sent.data, line, len) == 0) {
        rx->echoed = len;
        return true;
    }
    if (rx->place == BETWEEN && rx->echoed > 0 && len <= rx->sent.len - rx->echoed
        && memcmp(rx->sent.data + rx->echoed, line, len) == 0) {
        rx->echoed += len;
        return true;
    }
    return false;
}

static size_t
prompt_len(const char *line, size_t len)
{
    if (len < 5 || memcmp(line, "TL1>", 4) != 0)
        return len == 4 && memcmp(line, "TL1>", 4) == 0 ? 4 : 0;
    return line[4] == '>' ? 5 : 4;
}

/* ---- building a message up ---- */

static size_t
held(const struct lp_tl1_rx *rx)
{
    size_t sum = 0;

    for (size_t i = 0; i < LP_COUNT(rx->drafts); i++)
        if (rx->drafts[i].used)
            sum += rx->drafts[i].text.len + rx->drafts[i].line_count * sizeof *rx->drafts[i].lines;
    return sum;
}

static enum lp_code
too_large(struct lp_tl1_rx *rx, struct lp_err *err)
{
    return lp_fail(err, LP_TOO_LARGE,
                   "the TL1 message with tag '%s' exceeds the limit of %zu bytes",
                   rx->now->head.tag, rx->options.max_message);
}

static enum lp_code
add_text(struct lp_tl1_rx *rx, const char *at, size_t len, struct lp_err *err)
{
    /* the sum over all drafts costs: only asked when this one alone is not small */
    if (rx->now->text.len + len + sizeof *rx->now->lines * (rx->now->line_count + 1)
            > rx->options.max_message / (LP_TL1_MAX_OPEN + 1)
        && held(rx) + len + sizeof *rx->now->lines > rx->options.max_message)
        return too_large(rx, err);
    lp_buf_add(&rx->now->text, at, len);
    return rx->now->text.failed ? lp_fail(err, LP_NOMEM, "no memory for a TL1 message") : LP_OK;
}

static enum lp_code
add_line(struct lp_tl1_rx *rx, enum lp_tl1_line_kind kind, const char *at, size_t len,
         struct lp_err *err)
{
    struct draft *now = rx->now;
    size_t start = now->text.len;
    enum lp_code rc = add_text(rx, at, len, err);

    if (rc != LP_OK)
        return rc;
    if (now->line_count == now->line_cap) {
        size_t cap = now->line_cap == 0 ? 16 : now->line_cap * 2;
        void *moved = realloc(now->lines, cap * sizeof *now->lines);

        if (moved == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a TL1 message");
        now->lines = moved;
        now->line_cap = cap;
    }
    now->lines[now->line_count++] =
        (struct lp_tl1_line){.kind = kind, .at = (uint32_t)start, .len = (uint32_t)len};
    now->head.broken_lines += kind == LP_TL1_LINE_BROKEN ? 1 : 0;
    return LP_OK;
}

static struct draft *
draft_find(struct lp_tl1_rx *rx, const struct lp_tl1_message *head)
{
    for (size_t i = 0; i < LP_COUNT(rx->drafts); i++)
        if (rx->drafts[i].used && rx->drafts[i].head.kind == head->kind
            && strcmp(rx->drafts[i].head.tag, head->tag) == 0)
            return &rx->drafts[i];
    return NULL;
}

/* A free draft; the oldest open one is given up when there is none. */
static struct draft *
draft_new(struct lp_tl1_rx *rx)
{
    struct draft *oldest = &rx->drafts[0];

    for (size_t i = 0; i < LP_COUNT(rx->drafts); i++) {
        if (!rx->drafts[i].used)
            return &rx->drafts[i];
        if (rx->drafts[i].age < oldest->age)
            oldest = &rx->drafts[i];
    }
    draft_clear(oldest);
    rx->counts.broken++;
    return oldest;
}

/* The identification line was read: a new message, or the next block of an open one. */
static void
start_block(struct lp_tl1_rx *rx, const struct lp_tl1_message *head, const struct header *header)
{
    struct draft *draft = draft_find(rx, head);
    const char *sid = header == NULL ? "" : header->sid;

    rx->place = IN_BODY;
    rx->suspect = rx->in_comment = false;
    rx->block_first = true;
    rx->awake = true;
    rx->garbage = 0;
    if (draft != NULL) {
        draft->open = false;
        draft->head.completion = head->completion;
        if (*sid != '\0' && draft->head.sid[0] != '\0' && strcmp(sid, draft->head.sid) != 0)
            draft->head.mixed_sid = true;
    } else {
        draft = draft_new(rx);
        draft->used = true;
        draft->age = ++rx->ages;
        draft->head = *head;
        if (header != NULL) {
            memcpy(draft->head.sid, header->sid, sizeof draft->head.sid);
            memcpy(draft->head.date, header->date, sizeof draft->head.date);
            memcpy(draft->head.time, header->time, sizeof draft->head.time);
        }
    }
    rx->now = draft;
}

static enum lp_code
deliver(struct lp_tl1_rx *rx, const struct lp_tl1_message *message, struct lp_err *err)
{
    rx->counts.messages++;
    rx->awake = true;
    rx->garbage = 0;
    return rx->fn(rx->arg, message, err);
}

static void
end_comment(struct lp_tl1_rx *rx)
{
    if (rx->in_comment) /* it was never closed: what it swallowed may have been records */
        rx->now->head.broken_lines++;
    rx->in_comment = false;
}

static enum lp_code
finish(struct lp_tl1_rx *rx, struct lp_err *err)
{
    struct draft *draft = rx->now;
    struct lp_tl1_message message;
    enum lp_code rc;

    end_comment(rx);
    message = draft->head;
    message.blocks++;
    message.text = draft->text.data == NULL ? "" : draft->text.data;
    message.text_len = draft->text.len;
    message.lines = draft->lines;
    message.line_count = draft->line_count;
    rx->place = BETWEEN;
    rx->now = NULL;
    rc = deliver(rx, &message, err);
    draft_clear(draft);
    return rc;
}

static void
finish_block(struct lp_tl1_rx *rx)
{
    end_comment(rx);
    rx->now->head.blocks++;
    rx->now->open = true;
    rx->now = NULL;
    rx->place = BETWEEN;
}

/* Another message began inside this one: it lost its end, and is never handed out. */
static void
give_up(struct lp_tl1_rx *rx)
{
    draft_clear(rx->now);
    rx->counts.broken++;
    rx->now = NULL;
}

/* ---- lines of a body ---- */

/* The record ends at the quote that is last on the line and not escaped. */
static enum lp_code
body_record(struct lp_tl1_rx *rx, const char *at, size_t len, struct lp_err *err)
{
    size_t slashes = 0;

    if (len < 2 || at[len - 1] != '"')
        return add_line(rx, LP_TL1_LINE_BROKEN, at, len, err);
    while (slashes + 2 < len && at[len - 2 - slashes] == '\\')
        slashes++;
    if (slashes % 2 != 0)
        return add_line(rx, LP_TL1_LINE_BROKEN, at, len, err);
    return add_line(rx, LP_TL1_LINE_RECORD, at + 1, len - 2, err);
}

/* More of a comment; `at` stands behind its mark or at the begin of a further line. */
static enum lp_code
body_comment(struct lp_tl1_rx *rx, const char *at, size_t len, bool begins, struct lp_err *err)
{
    const char *end = memmem(at, len, "*/", 2);
    size_t take = end == NULL ? len : (size_t)(end - at);
    struct lp_tl1_line *last;
    enum lp_code rc;

    rx->in_comment = end == NULL;
    take = trim(at, take);
    if (begins)
        return add_line(rx, LP_TL1_LINE_COMMENT, at, take, err);
    last = &rx->now->lines[rx->now->line_count - 1];
    if (take == 0)
        return LP_OK;
    rc = last->len == 0 ? LP_OK : add_text(rx, " ", 1, err);
    if (rc == LP_OK)
        rc = add_text(rx, at, take, err);
    if (rc == LP_OK)
        last->len = (uint32_t)(rx->now->text.len - last->at);
    return rc;
}

static bool
is_error_code(const char *at, size_t len)
{
    for (size_t i = 0; i < 4 && len == 4; i++)
        if (at[i] < 'A' || at[i] > 'Z')
            return false;
    return len == 4;
}

static enum lp_code
body_text(struct lp_tl1_rx *rx, const char *at, size_t len, bool first, struct lp_err *err)
{
    struct lp_tl1_message *head = &rx->now->head;

    if (first && head->kind == LP_TL1_RESPONSE
        && (head->completion == LP_TL1_DENY || head->completion == LP_TL1_PRTL)
        && is_error_code(at, len)) {
        memcpy(head->error, at, 4);
        return LP_OK;
    }
    return add_line(rx, LP_TL1_LINE_TEXT, at, len, err);
}

/* Was this message cut, and does another begin? A header, and then an identification line. */
static bool
cut_off(struct lp_tl1_rx *rx, const char *line, size_t len)
{
    struct lp_tl1_message head = {.kind = LP_TL1_RESPONSE};

    if (!rx->suspect || (!read_response(line, len, &head) && !read_autonomous(line, len, &head)))
        return false;
    give_up(rx);
    start_block(rx, &head, &rx->header);
    return true;
}

static enum lp_code
body_line(struct lp_tl1_rx *rx, const char *line, size_t len, struct lp_err *err)
{
    size_t at = 0;
    bool first = rx->block_first;

    len = trim(line, len);
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (at == len)
        return LP_OK;
    if (at == 0 && cut_off(rx, line, len))
        return LP_OK;
    rx->suspect = line[at] != '"' && line[at] != '/' && read_header(line, len, &rx->header);
    if (len == 1 && *line == '>' && !rx->in_comment) {
        finish_block(rx);
        return LP_OK;
    }
    if (rx->in_comment)
        return body_comment(rx, line + at, len - at, false, err);
    if (at == 0 && is_echo(rx, line, len))
        return LP_OK;
    rx->block_first = false;
    if (at > 0 && line[at] == '"')
        return body_record(rx, line + at, len - at, err);
    if (at > 0 && len - at >= 2 && line[at] == '/' && line[at + 1] == '*') {
        at += 2;
        while (at < len && line[at] == ' ')
            at++;
        return body_comment(rx, line + at, len - at, true, err);
    }
    return body_text(rx, line + at, len - at, first, err);
}

/* ---- lines between messages ---- */

static enum lp_code
garbage(struct lp_tl1_rx *rx, struct lp_err *err)
{
    rx->place = BETWEEN;
    rx->counts.garbage++;
    if (rx->awake && ++rx->garbage > rx->options.max_garbage)
        return lp_fail(err, LP_PROTOCOL, "more than %u lines that are not TL1",
                       rx->options.max_garbage);
    return LP_OK;
}

static enum lp_code
between_line(struct lp_tl1_rx *rx, const char *line, size_t len, struct lp_err *err)
{
    struct lp_tl1_message head = {.kind = LP_TL1_RESPONSE};
    size_t prompt;

    len = trim(line, len);
    while ((prompt = prompt_len(line, len)) > 0) {
        rx->counts.prompts++;
        rx->awake = true;
        line += prompt;
        len -= prompt;
    }
    if (len == 0 || is_echo(rx, line, len) || (len == 1 && *line == '<'))
        return LP_OK;
    if (read_header(line, len, &rx->header)) {
        rx->place = AFTER_HEADER;
        return LP_OK;
    }
    if (read_response(line, len, &head)
        || (rx->place == AFTER_HEADER && read_autonomous(line, len, &head))) {
        start_block(rx, &head, rx->place == AFTER_HEADER ? &rx->header : NULL);
        return LP_OK;
    }
    if (rx->place == BETWEEN && read_ack(line, len, &head)) {
        head.text = "";
        return deliver(rx, &head, err);
    }
    return garbage(rx, err);
}

/* A ';' that begins a line of a body ends the message, whether a line end follows or not. */
static bool
ends_here(const struct lp_tl1_rx *rx, const char *line, size_t len)
{
    return rx->place == IN_BODY && len > 0 && *line == ';' && !rx->in_comment;
}

static enum lp_code
whole_line(struct lp_tl1_rx *rx, const char *line, size_t len, struct lp_err *err)
{
    if (ends_here(rx, line, len)) {
        enum lp_code rc = finish(rx, err);

        if (rc != LP_OK)
            return rc;
        line++;
        len--;
    }
    if (len > rx->options.max_line)
        return lp_fail(err, LP_TOO_LARGE, "a TL1 line exceeds the limit of %zu bytes",
                       rx->options.max_line);
    if (rx->place != IN_BODY)
        return between_line(rx, line, len, err);
    if (rx->in_comment && trim(line, len) == 1 && *line == ';')
        return finish(rx, err);
    return body_line(rx, line, len, err);
}

/* What has come of a line so far. */
static enum lp_code
part_of_line(struct lp_tl1_rx *rx, const char *at, size_t len, struct lp_err *err)
{
    enum lp_code rc;

    lp_buf_add(&rx->partial, at, len);
    if (rx->partial.failed)
        return lp_fail(err, LP_NOMEM, "no memory for a TL1 line");
    if (ends_here(rx, rx->partial.data, rx->partial.len)) {
        rc = finish(rx, err);
        if (rc != LP_OK)
            return rc;
        rx->partial.len--;
        memmove(rx->partial.data, rx->partial.data + 1, rx->partial.len);
        rx->partial.data[rx->partial.len] = '\0';
    }
    return rx->partial.len <= rx->options.max_line
               ? LP_OK
               : whole_line(rx, rx->partial.data, rx->partial.len, err);
}

static enum lp_code
feed(struct lp_tl1_rx *rx, const char *bytes, size_t len, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    while (len > 0 && rc == LP_OK) {
        const char *end = memchr(bytes, '\n', len);
        size_t take = end == NULL ? len : (size_t)(end - bytes);

        if (end != NULL && rx->partial.len == 0) {
            rc = whole_line(rx, bytes, take, err);
        } else {
            rc = part_of_line(rx, bytes, take, err);
            if (rc == LP_OK && end != NULL) {
                rc = whole_line(rx, rx->partial.data, rx->partial.len, err);
                lp_buf_reset(&rx->partial);
                if (rx->partial.cap > KEEP_CAP)
                    lp_buf_free(&rx->partial);
            }
        }
        take += end == NULL ? 0 : 1;
        bytes += take;
        len -= take;
    }
    return rc;
}

enum lp_code
lp_tl1_rx_feed(struct lp_tl1_rx *rx, const char *bytes, size_t len, lp_tl1_message_fn *fn,
               void *arg, struct lp_err *err)
{
    enum lp_code rc;

    if (rx->dead)
        return lp_fail(err, LP_PROTOCOL, "the TL1 stream was given up before");
    rx->fn = fn;
    rx->arg = arg;
    rc = feed(rx, bytes, len, err);
    rx->dead = rc != LP_OK;
    return rc;
}

enum lp_code
lp_tl1_rx_end(struct lp_tl1_rx *rx, lp_tl1_message_fn *fn, void *arg, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    const char *tag;

    if (rx->dead)
        return lp_fail(err, LP_PROTOCOL, "the TL1 stream was given up before");
    rx->fn = fn;
    rx->arg = arg;
    if (rx->partial.len > 0)
        rc = whole_line(rx, rx->partial.data, rx->partial.len, err);
    rx->dead = true;
    tag = rx->now != NULL ? rx->now->head.tag : lp_tl1_rx_open_tag(rx);
    if (rc == LP_OK && tag != NULL)
        rc = lp_fail(err, LP_PROTOCOL, "the stream ended inside the message with tag '%s'", tag);
    if (rc == LP_OK && rx->place == AFTER_HEADER)
        rc = lp_fail(err, LP_PROTOCOL, "the stream ended after the header of %s", rx->header.sid);
    return rc;
}

void
lp_tl1_rx_sent(struct lp_tl1_rx *rx, const char *text, size_t len)
{
    lp_buf_reset(&rx->sent);
    lp_buf_add(&rx->sent, text, len < LP_TL1_MAX_COMMAND ? len : LP_TL1_MAX_COMMAND);
    rx->echoed = 0;
}

bool
lp_tl1_rx_at_prompt(const struct lp_tl1_rx *rx)
{
    size_t prompt = 0;

    if (rx->place == IN_BODY || rx->partial.len == 0)
        return false;
    prompt = prompt_len(rx->partial.data, rx->partial.len);
    return prompt > 0 && prompt == rx->partial.len;
}

const char *
lp_tl1_rx_open_tag(const struct lp_tl1_rx *rx)
{
    for (size_t i = 0; i < LP_COUNT(rx->drafts); i++)
        if (rx->drafts[i].used && rx->drafts[i].head.kind == LP_TL1_RESPONSE)
            return rx->drafts[i].head.tag;
    return NULL;
}

bool
lp_tl1_rx_busy(const struct lp_tl1_rx *rx)
{
    if (rx->place != BETWEEN || (rx->partial.len > 0 && !lp_tl1_rx_at_prompt(rx)))
        return true;
    for (size_t i = 0; i < LP_COUNT(rx->drafts); i++)
        if (rx->drafts[i].used)
            return true;
    return false;
}

struct lp_tl1_counts
lp_tl1_rx_counts(const struct lp_tl1_rx *rx)
{
    return rx->counts;
}
