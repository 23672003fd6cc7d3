/* The driver of Infinera FlexILS line systems: its table, events and typed commands. */
#include <string.h>

#include "clients/infinera/flexils/apply.h"
#include "clients/infinera/flexils/normal.h"

/* ---- events ---- */

/* "REPT ALM OTS" -> "alarm"; the kinds of autonomous messages. */
static const char *
event_kind(const char *verb)
{
    static const struct {
        const char *prefix, *kind;
    } rows[] = {
        {"REPT ALM", "alarm"},      {"REPT EVT", "event"}, {"REPT DBCHG", "change"},
        {"REPT COND", "condition"}, {"CANC", "session"},
    };

    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        if (strncmp(verb, rows[i].prefix, strlen(rows[i].prefix)) == 0)
            return rows[i].kind;
    }
    return "other";
}

/* On the pool's thread. */
static void
on_event(void *arg, const char *element, const struct lp_tl1_message *message, const char *reason)
{
    struct lp_driver_host *host = arg;
    json_t *event, *parsed;
    char text[512];

    if (message == NULL) {
        event = json_pack("{s:I, s:s, s:s, s:s}", "at",
                          (json_int_t)lp_clock_utc_us(lp_driver_host_clock(host)), "object", "",
                          "kind", "session", "text", reason != NULL ? reason : "ended");
        lp_driver_host_put_event(host, element, event);
        return;
    }
    parsed = lp_tl1_message_json(message);
    lp_tl1_message_comment(message, text, sizeof text);
    event = json_pack(
        "{s:I, s:s, s:s, s:s, s:o}", "at", (json_int_t)lp_clock_utc_us(lp_driver_host_clock(host)),
        "object", "", "kind", event_kind(message->verb), "text",
        text[0] != '\0' || !lp_utf8_valid(message->verb, strlen(message->verb)) ? text
                                                                                : message->verb,
        "message", parsed);
    for (size_t i = 0; event != NULL && i < message->line_count; i++) {
        struct lp_tl1_scratch scratch = {0};
        struct lp_tl1_record record;
        struct lp_err ignored = LP_ERR_INIT;

        if (message->lines[i].kind == LP_TL1_LINE_RECORD
            && lp_tl1_message_record(message, i, &scratch, &record, &ignored) == LP_OK) {
            (void)lp_json_set_str(event, "object", lp_tl1_record_aid(&record));
            i = message->line_count;
        }
        lp_err_clear(&ignored);
        lp_tl1_scratch_free(&scratch);
    }
    lp_driver_host_put_event(host, element, event);
}

static enum lp_code
start_events(struct fx_ne *fx, struct lp_err *err)
{
    size_t known = fx->through_gateway ? fx_known_gateway(fx) : 0;
    struct lp_tl1_element element;
    struct lp_tl1_call call;
    enum lp_code rc;

    if (fx->events)
        return LP_OK;
    fx_tl1_element(fx, known < fx->address_count ? known : 0, &element);
    fx_tl1_call(fx, &call);
    rc = lp_tl1_events_start(lp_driver_host_tl1(fx->ne.host), &element, &call, on_event,
                             fx->ne.host, err);
    fx->events = rc == LP_OK;
    return rc;
}

static enum lp_code
next_event(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct fx_ne *fx = ne->priv;
    enum lp_code rc;

    fx->call = call;
    rc = start_events(fx, err);
    *out = NULL;
    while (rc == LP_OK && *out == NULL && call->time_left_ms(call->ctx) > 0) {
        int64_t left = call->time_left_ms(call->ctx);

        *out = lp_driver_host_take_event(ne->host, fx->element.name, left < 200 ? left : 200);
    }
    fx->call = NULL;
    if (rc == LP_OK && *out != NULL && strcmp(lp_json_str(*out, "kind", ""), "session") == 0
        && json_object_get(*out, "message") == NULL)
        fx->events = false; /* it ended: the next call opens another */
    if (rc == LP_OK && *out == NULL)
        rc = lp_fail(err, LP_NOT_FOUND, "%s reported nothing", fx->element.name);
    return rc;
}

/* ---- commands as typed ---- */

struct typed {
    unsigned commands;
    bool writes;
};

static enum lp_code
note_command(void *arg, const char *text, size_t len, struct lp_err *err)
{
    struct lp_tl1_scratch scratch = {0};
    struct lp_tl1_command command;
    struct typed *typed = arg;

    typed->commands++;
    typed->writes |= lp_tl1_command_parse(text, len, &scratch, &command, err) != LP_OK
                     || lp_tl1_writes(command.code);
    lp_err_clear(err);
    lp_tl1_scratch_free(&scratch);
    return LP_OK;
}

/* How many commands a text holds and whether all of them only read. */
static struct typed
typed_of(const char *text)
{
    struct typed typed = {0};
    struct lp_tl1_input input;
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;

    lp_tl1_input_init(&input, 0);
    rc = lp_tl1_input_feed(&input, text, strlen(text), note_command, &typed, &err);
    if (rc == LP_OK && strchr(text, ';') == NULL) /* the ';' is left out */
        rc = lp_tl1_input_feed(&input, ";", 1, note_command, &typed, &err);
    typed.writes |= rc != LP_OK || typed.commands != 1;
    lp_err_clear(&err);
    lp_tl1_input_free(&input);
    return typed;
}

static bool
raw_writes(const char *text)
{
    return typed_of(text).writes;
}

/* As the element wrote it, but for its line ends, its prompt and bytes that are no text. */
static json_t *
raw_text(const struct lp_buf *received)
{
    struct lp_buf text = LP_BUF_INIT;
    json_t *out;

    for (size_t i = 0; i < received->len; i++) {
        if (received->data[i] != '\r' && (text.len > 0 || received->data[i] != '\n'))
            lp_buf_char(&text, received->data[i]);
    }
    if (text.len >= 6 && strcmp(text.data + text.len - 6, "TL1>>\n") == 0)
        text.data[text.len -= 6] = '\0';
    if (text.len >= 5 && strcmp(text.data + text.len - 5, "TL1>>") == 0)
        text.data[text.len -= 5] = '\0';
    out = fx_normal(FX_HDR, "TEXT", text.data != NULL ? text.data : "");
    lp_buf_free(&text);
    return out;
}

static json_t *
raw_document(struct fx_ne *fx, const struct lp_tl1_message *reply)
{
    json_t *messages = json_array();

    (void)json_array_append_new(messages, lp_tl1_message_json(reply));
    return json_pack("{s:o, s:o}", "text", raw_text(&fx->received), "messages", messages);
}

/* An answer is what was asked for, be it a denial. */
static enum lp_code
raw(struct lp_ne *ne, const struct lp_call *call, const char *text, json_t **out,
    struct lp_err *err)
{
    struct fx_ne *fx = ne->priv;
    const struct lp_tl1_message *reply = NULL;
    enum lp_code rc;

    if (typed_of(text).commands != 1) {
        rc = lp_fail(err, LP_INVALID, "type one command, ending in ';'");
        err->detail = json_pack("{s:s}", "code", "OPT-082");
        return rc;
    }
    fx->call = call;
    rc = fx_connect(fx, err);
    if (rc == LP_OK && raw_writes(text))
        rc = fx_verify_identity(fx, err);
    if (rc == LP_OK && raw_writes(text))
        rc = call->check(call->ctx, err);
    if (rc == LP_OK) {
        rc = lp_tl1_raw(fx->session, text, &reply, err);
        if (reply != NULL && rc != LP_PROTOCOL && rc != LP_TOO_LARGE) {
            lp_err_clear(err);
            *out = raw_document(fx, reply);
            rc = *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an answer");
        } else if (reply == NULL && rc != LP_INVALID && rc != LP_DENIED) {
            fx_disconnect(fx);
        }
    }
    fx->call = NULL;
    return rc;
}

/* ---- the table ---- */

const struct lp_driver lp_driver_infinera_flexils;
const struct lp_driver lp_driver_infinera_flexils = {
    .name = "infinera-flexils",
    .platform = "Infinera FlexILS",
    .caps = LP_DRIVER_CAP(LP_CAP_OLS_LINE) | LP_DRIVER_CAP(LP_CAP_ADD_DROP)
            | LP_DRIVER_CAP(LP_CAP_OPTICAL_XC) | LP_DRIVER_CAP(LP_CAP_SIGNALLED_CIRCUIT)
            | LP_DRIVER_CAP(LP_CAP_EXPLICIT_ROUTE) | LP_DRIVER_CAP(LP_CAP_SPECTRUM_READ)
            | LP_DRIVER_CAP(LP_CAP_PM_CURRENT) | LP_DRIVER_CAP(LP_CAP_PM_HISTORY)
            | LP_DRIVER_CAP(LP_CAP_ALARMS) | LP_DRIVER_CAP(LP_CAP_EVENTS)
            | LP_DRIVER_CAP(LP_CAP_RAW),
    .longest_write_ms = 240000, /* 60 s to the first answer, 180 s behind an acknowledgement */
    .open = fx_open,
    .close = fx_close,
    .probe = fx_probe,
    .inventory = fx_inventory,
    .ports = fx_ports,
    .neighbours = fx_neighbours,
    .spectrum = fx_spectrum,
    .read = fx_read,
    .plan = fx_plan_document,
    .apply_op = fx_apply_op,
    .alarms = fx_alarms,
    .counters = fx_counters,
    .next_event = next_event,
    .raw = raw,
    .raw_writes = raw_writes,
};
