/* Messages: reading what a receiver hands out, and building them for simulators. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/tl1_internal.h"

enum lp_code
lp_tl1_message_record(const struct lp_tl1_message *message, size_t n,
                      struct lp_tl1_scratch *scratch, struct lp_tl1_record *out, struct lp_err *err)
{
    const struct lp_tl1_line *line;

    if (n >= message->line_count || message->lines[n].kind != LP_TL1_LINE_RECORD)
        return lp_fail(err, LP_INTERNAL, "line %zu of a TL1 message is no record", n);
    line = &message->lines[n];
    return lp_tl1_record_parse(message->text + line->at, line->len, scratch, out, err);
}

void
lp_tl1_message_comment(const struct lp_tl1_message *message, char *buf, size_t size)
{
    size_t out = 0;

    for (size_t i = 0; i < message->line_count; i++) {
        const struct lp_tl1_line *line = &message->lines[i];
        const char *at = message->text + line->at;

        if (line->kind != LP_TL1_LINE_COMMENT && line->kind != LP_TL1_LINE_TEXT)
            continue;
        if (out > 0 && out + 1 < size)
            buf[out++] = ' ';
        for (size_t k = 0; k < line->len;) {
            size_t n = lp_utf8_sequence(at + k, line->len - k), take = n == 0 ? 1 : n;

            if (out + take >= size)
                break;
            if (n == 0 || (unsigned char)at[k] < 0x20)
                buf[out] = '?';
            else
                memcpy(buf + out, at + k, n);
            out += take;
            k += take;
        }
    }
    if (size > 0)
        buf[out] = '\0';
}

struct lp_tl1_message *
lp_tl1_message_dup(const struct lp_tl1_message *message)
{
    size_t lines = message->line_count * sizeof *message->lines;
    struct lp_tl1_message *copy = malloc(sizeof *copy + lines + message->text_len + 1);
    struct lp_tl1_line *line;
    char *text;

    if (copy == NULL)
        return NULL;
    line = (struct lp_tl1_line *)(copy + 1);
    text = (char *)(line + message->line_count);
    *copy = *message;
    if (lines > 0)
        memcpy(line, message->lines, lines);
    if (message->text_len > 0)
        memcpy(text, message->text, message->text_len);
    text[message->text_len] = '\0';
    copy->lines = line;
    copy->text = text;
    return copy;
}

/* ---- JSON ---- */

static int
add_line(const struct lp_tl1_message *message, size_t n, struct lp_tl1_scratch *scratch,
         json_t *const lists[])
{
    const struct lp_tl1_line *line = &message->lines[n];
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_record record;
    json_t *value;

    if (line->kind != LP_TL1_LINE_RECORD)
        return json_array_append_new(lists[line->kind],
                                     tl1_json_text(message->text + line->at, line->len));
    if (lp_tl1_message_record(message, n, scratch, &record, &err) != LP_OK) {
        lp_err_clear(&err);
        return -1;
    }
    value = lp_tl1_record_json(&record);
    return json_array_append_new(lists[line->kind], value);
}

static int
add_lines(const struct lp_tl1_message *message, json_t *out)
{
    static const char *const names[] = {
        [LP_TL1_LINE_RECORD] = "records",
        [LP_TL1_LINE_COMMENT] = "comments",
        [LP_TL1_LINE_TEXT] = "text",
        [LP_TL1_LINE_BROKEN] = "damaged",
    };
    json_t *lists[LP_COUNT(names)];
    struct lp_tl1_scratch scratch = {.text = NULL};
    int bad = 0;

    for (size_t i = 0; i < LP_COUNT(names); i++)
        lists[i] = json_array();
    for (size_t i = 0; i < message->line_count && bad == 0; i++)
        bad = add_line(message, i, &scratch, lists);
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        if (i <= LP_TL1_LINE_COMMENT || json_array_size(lists[i]) > 0)
            bad |= json_object_set(out, names[i], lists[i]);
        json_decref(lists[i]);
    }
    lp_tl1_scratch_free(&scratch);
    return bad;
}

static json_t *
text_or_null(const char *text)
{
    return *text == '\0' ? json_null() : tl1_json_text(text, strlen(text));
}

static json_t *
ack_json(const struct lp_tl1_message *message)
{
    return json_pack("{s:s,s:o,s:s}", "kind", "acknowledgement", "tag",
                     tl1_json_text(message->tag, strlen(message->tag)), "acknowledgement",
                     lp_tl1_ack_name(message->ack));
}

json_t *
lp_tl1_message_json(const struct lp_tl1_message *message)
{
    bool response = message->kind == LP_TL1_RESPONSE;
    json_auto_t *out = NULL;
    int bad = 0;

    if (message->kind == LP_TL1_ACKNOWLEDGEMENT)
        return ack_json(message);
    out = json_pack("{s:s,s:o,s:o,s:o,s:o}", "kind", response ? "response" : "autonomous", "source",
                    text_or_null(message->sid), "date", text_or_null(message->date), "time",
                    text_or_null(message->time), "tag",
                    tl1_json_text(message->tag, strlen(message->tag)));
    if (response) {
        bad |= json_object_set_new(out, "completion",
                                   json_string(lp_tl1_completion_name(message->completion)));
        bad |= json_object_set_new(out, "error", text_or_null(message->error));
        bad |= json_object_set_new(out, "blocks", json_integer(message->blocks));
        if (message->mixed_sid)
            bad |= json_object_set_new(out, "mixed_sources", json_true());
    } else {
        bad |= json_object_set_new(out, "alarm", tl1_json_text(message->alarm, 2));
        bad |=
            json_object_set_new(out, "verb", tl1_json_text(message->verb, strlen(message->verb)));
    }
    bad |= add_lines(message, out);
    return bad == 0 ? json_incref(out) : NULL;
}

void
lp_tl1_alarm_of(const struct lp_tl1_record *record, struct lp_tl1_alarm *out)
{
    *out = (struct lp_tl1_alarm){
        .aid = lp_tl1_record_at(record, 0, 0),
        .type = lp_tl1_record_at(record, 0, 1),
        .notification = lp_tl1_record_at(record, 1, 0),
        .condition = lp_tl1_record_at(record, 1, 1),
        .effect = lp_tl1_record_at(record, 1, 2),
        .date = lp_tl1_record_at(record, 1, 3),
        .time = lp_tl1_record_at(record, 1, 4),
        .location = lp_tl1_record_at(record, 1, 5),
        .direction = lp_tl1_record_at(record, 1, 6),
        .text = lp_tl1_record_at(record, 2, 0),
    };
}

/* ---- building ---- */

/* Digits at the places of `form` that are '0', the character itself elsewhere. */
static bool
has_form(const char *text, const char *form)
{
    size_t len = strlen(form);

    if (strlen(text) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

enum lp_code
lp_tl1_put_header(struct lp_buf *buf, const char *sid, const char *date, const char *time,
                  struct lp_err *err)
{
    size_t len = strlen(sid), mark = buf->len;

    if (len == 0 || len > LP_TL1_SID_MAX || !tl1_printable(sid) || sid[0] == ' '
        || sid[len - 1] == ' ')
        return lp_fail(err, LP_INVALID, "'%.80s' is no source of a TL1 message", sid);
    if ((!has_form(date, "00-00-00") && !has_form(date, "0000-00-00"))
        || !has_form(time, "00:00:00"))
        return lp_fail(err, LP_INVALID, "'%.20s %.20s' is no TL1 date and time", date, time);
    lp_buf_printf(buf, "\r\n\n   %s %s %s\r\n", sid, date, time);
    return tl1_put_done(buf, mark, LP_OK, err);
}

static bool
tag_valid(const char *tag)
{
    size_t len = strnlen(tag, LP_TL1_TAG_MAX + 1);

    for (size_t i = 0; i < len; i++)
        if (tag[i] <= ' ' || tag[i] == 0x7f)
            return false;
    return len > 0 && len <= LP_TL1_TAG_MAX;
}

enum lp_code
lp_tl1_put_response(struct lp_buf *buf, const char *ctag, enum lp_tl1_completion completion,
                    struct lp_err *err)
{
    size_t mark = buf->len;

    if (!tag_valid(ctag))
        return lp_fail(err, LP_INVALID, "'%.40s' is no tag of a TL1 response", ctag);
    lp_buf_printf(buf, "M  %s %s\r\n", ctag, lp_tl1_completion_name(completion));
    return tl1_put_done(buf, mark, LP_OK, err);
}

enum lp_code
lp_tl1_put_autonomous(struct lp_buf *buf, const char *alarm, const char *atag, const char *verb,
                      struct lp_err *err)
{
    static const char *const alarms[] = {"*C", "**", "*", "* ", "A", "A "};
    size_t mark = buf->len, digits = strspn(atag, "0123456789"), verb_len = strlen(verb);
    bool known = false;

    for (size_t i = 0; i < LP_COUNT(alarms); i++)
        known = known || strcmp(alarm, alarms[i]) == 0;
    if (!known)
        return lp_fail(err, LP_INVALID, "'%.10s' is no TL1 alarm code", alarm);
    if (atag[digits] == '.' && atag[digits + 1] != '\0')
        digits += 1 + strspn(atag + digits + 1, "0123456789");
    if (digits == 0 || atag[0] == '.' || atag[digits] != '\0' || digits > LP_TL1_TAG_MAX)
        return lp_fail(err, LP_INVALID, "'%.40s' is no tag of an autonomous message", atag);
    if (verb_len == 0 || verb_len > LP_TL1_VERB_MAX || verb[0] < 'A' || verb[0] > 'Z'
        || verb[verb_len - 1] == ' ' || !tl1_printable(verb))
        return lp_fail(err, LP_INVALID, "'%.80s' is no TL1 report", verb);
    lp_buf_printf(buf, "%-2s %s %s\r\n", alarm, atag, verb);
    return tl1_put_done(buf, mark, LP_OK, err);
}

enum lp_code
lp_tl1_put_error(struct lp_buf *buf, const char *code, struct lp_err *err)
{
    size_t mark = buf->len;

    if (strlen(code) != 4 || strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 4)
        return lp_fail(err, LP_INVALID, "'%.20s' is no TL1 error code", code);
    lp_buf_printf(buf, "   %s\r\n", code);
    return tl1_put_done(buf, mark, LP_OK, err);
}

enum lp_code
lp_tl1_put_record(struct lp_buf *buf, const struct lp_tl1_record *record, struct lp_err *err)
{
    size_t mark = buf->len;
    enum lp_code rc;

    lp_buf_str(buf, "   \"");
    rc = lp_tl1_record_put(buf, record, err);
    lp_buf_str(buf, "\"\r\n");
    return tl1_put_done(buf, mark, rc, err);
}

enum lp_code
lp_tl1_put_comment(struct lp_buf *buf, const char *text, struct lp_err *err)
{
    size_t mark = buf->len, len = strlen(text);

    if (!tl1_printable(text) || strstr(text, "*/") != NULL || (len > 0 && text[len - 1] == '*'))
        return lp_fail(err, LP_INVALID, "'%.80s' cannot be a TL1 comment", text);
    lp_buf_printf(buf, "   /*%s*/\r\n", text);
    return tl1_put_done(buf, mark, LP_OK, err);
}

void
lp_tl1_put_end(struct lp_buf *buf, bool more)
{
    lp_buf_str(buf, more ? ">\r\n" : ";\r\n");
}

enum lp_code
lp_tl1_put_ack(struct lp_buf *buf, enum lp_tl1_ack ack, const char *ctag, struct lp_err *err)
{
    size_t mark = buf->len;

    if (!tag_valid(ctag))
        return lp_fail(err, LP_INVALID, "'%.40s' is no tag of a TL1 command", ctag);
    lp_buf_printf(buf, "\r\n%s %s\r\n<\r\n", lp_tl1_ack_name(ack), ctag);
    return tl1_put_done(buf, mark, LP_OK, err);
}
