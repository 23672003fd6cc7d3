/* Answers: how a reply looks on the wire, when it leaves, and what a fault makes of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "sim/server.h"

void
sim_put_header(const struct sim_server *server, const struct sim_node *node, const char *sid,
               struct lp_buf *out)
{
    struct lp_err err = LP_ERR_INIT;
    char date[16], hour[16];
    struct tm tm;

    if (sid == NULL)
        sid = node->answers_as != NULL ? node->answers_as : node->name;
    sim_clock(server->net, node, &tm);
    strftime(date, sizeof date, "%Y-%m-%d", &tm);
    strftime(hour, sizeof hour, "%H:%M:%S", &tm);
    if (lp_tl1_put_header(out, sid, date + (server->net->options.long_date ? 0 : 2), hour, &err)
        != LP_OK) /* a SID that a fault made up */
        lp_buf_printf(out, "\r\n\n   %s %s %s\r\n", sid, date, hour);
    lp_err_clear(&err);
}

void
sim_put_message(const struct sim_server *server, struct sim_node *node, const char *code,
                const char *verb, const char *body, struct lp_buf *out)
{
    struct lp_err err = LP_ERR_INIT;
    char atag[16];

    snprintf(atag, sizeof atag, "%07u", ++node->atag % 10000000u);
    sim_put_header(server, node, NULL, out);
    if (lp_tl1_put_autonomous(out, code, atag, verb, &err) != LP_OK)
        lp_buf_printf(out, "A  %s %s\r\n", atag, verb);
    lp_buf_printf(out, "   \"%s\"\r\n", body);
    lp_tl1_put_end(out, false);
    lp_err_clear(&err);
}

int64_t
sim_delay_us(struct sim_server *server, const struct sim_node *node)
{
    int64_t delay =
        node->latency_us >= 0 ? node->latency_us : server->net->options.latency_ms * 1000;
    int64_t jitter = server->net->options.jitter_ms * 1000;

    if (jitter > 0)
        delay += (int64_t)(sim_random(server->net) % (uint64_t)jitter);
    return delay;
}

/* ---- the plain answer ---- */

struct writing {
    struct sim_server *server;
    struct sim_conn *conn;
    struct sim_node *node;
    const char *ctag, *sid;
    const struct sim_reply *reply;
    const struct sim_rule *rule;
    struct lp_buf out;
    size_t records_per_block, cut_after;
};

static bool
is_fault(const struct writing *w, enum sim_fault fault)
{
    return w->rule != NULL && w->rule->fault == fault;
}

static void
put_identification(struct writing *w, const char *completion)
{
    sim_put_header(w->server, w->node, w->sid, &w->out);
    lp_buf_printf(&w->out, "M  %s %s\r\n", w->ctag, completion);
}

static void
put_comment(struct lp_buf *out, const char *text, const char *style)
{
    const char *half = strchr(text, ' ');

    if (strcmp(style, "none") == 0 || text[0] == '\0')
        return;
    if (strcmp(style, "lines") == 0 && half != NULL)
        lp_buf_printf(out, "   /*%.*s\r\n     %s*/\r\n", (int)(half - text), text, half + 1);
    else
        lp_buf_printf(out, "   /*%s*/\r\n", text);
}

static void
put_denial(struct writing *w, const char *completion, const char *code, const char *text,
           const char *style)
{
    put_identification(w, completion);
    lp_buf_printf(&w->out, "   %s\r\n", code);
    put_comment(&w->out, text, style);
    lp_tl1_put_end(&w->out, false);
}

/* Something that belongs to somebody else, between two blocks. */
static void
put_between(struct writing *w)
{
    const char *what = w->rule == NULL ? "nothing" : sim_rule_text(w->rule, "between", "nothing");
    const char *ctag = w->ctag;

    if (strcmp(what, "autonomous") == 0) {
        sim_put_message(w->server, w->node, "**", "REPT ALM SCH",
                        "1-A-1-L1-1,SCH:MJ,TEST,SA,01-01,00-00-00,NEND,RCV:\\\"M  0 DENY\\\"",
                        &w->out);
    } else if (strcmp(what, "other-tag") == 0) {
        w->ctag = "Z9999";
        put_identification(w, "COMPLD");
        lp_buf_str(&w->out, "   \"1-Z-9-T9:SCG:LABEL=\\\"not yours\\\":IS-NR\"\r\n");
        lp_tl1_put_end(&w->out, false);
        w->ctag = ctag;
    }
}

/* The records, in blocks; true when a fault cut the answer off. */
static bool
put_records(struct writing *w, const char *completion)
{
    const char *at = w->reply->records.data;
    size_t left = w->reply->count, n, blocks = 0;

    do {
        bool more = left > w->records_per_block;

        put_identification(w, more ? "RTRV" : completion);
        for (n = 0; n < w->records_per_block && left > 0; n++, left--) {
            const char *end = strchr(at, '\n');

            lp_buf_str(&w->out, "   \"");
            lp_buf_add(&w->out, at, (size_t)(end - at));
            lp_buf_str(&w->out, "\"\r\n");
            at = end + 1;
        }
        lp_tl1_put_end(&w->out, more);
        if (++blocks == w->cut_after)
            return true;
        if (more)
            put_between(w);
    } while (left > 0);
    return false;
}

static bool
put_reply(struct writing *w)
{
    const char *completion = lp_tl1_completion_name(w->reply->completion);

    if (is_fault(w, SIM_FAULT_COMPLETION))
        completion = sim_rule_text(w->rule, "word", "PRTL");
    if (w->reply->completion == LP_TL1_DENY) {
        put_denial(w, "DENY", w->reply->why.code, w->reply->why.text, "one");
        return false;
    }
    if (strcmp(completion, "PRTL") == 0) {
        put_denial(w, completion, "MERR", "Multiple ERRors: partly done", "one");
        return false;
    }
    return put_records(w, completion);
}

/* ---- records that a fault rewrites ---- */

/* The value of NAME= in a record is replaced; quotes stay as they were. */
static void
rewrite_attr(struct lp_buf *out, const char *line, size_t len, const char *name, const char *text)
{
    char key[80];
    const char *at, *end = line + len;
    size_t skip;

    snprintf(key, sizeof key, "%.64s=", name);
    at = memmem(line, len, key, strlen(key));
    if (at == NULL) {
        lp_buf_add(out, line, len);
        return;
    }
    at += strlen(key);
    lp_buf_add(out, line, (size_t)(at - line));
    if (end - at >= 2 && at[0] == '\\' && at[1] == '"') {
        const char *close = memmem(at + 2, (size_t)(end - at - 2), "\\\"", 2);

        skip = close == NULL ? (size_t)(end - at) : (size_t)(close + 2 - at);
    } else {
        for (skip = 0; at + skip < end && at[skip] != ',' && at[skip] != ':'; skip++)
            continue;
    }
    lp_buf_printf(out, "\\\"%s\\\"", text);
    lp_buf_add(out, at + skip, (size_t)(end - at) - skip);
}

static void
rewrite_state(struct lp_buf *out, const char *line, size_t len, const char *state)
{
    const char *colon = memrchr(line, ':', len);

    lp_buf_add(out, line, colon == NULL ? len : (size_t)(colon + 1 - line));
    if (colon != NULL)
        lp_buf_str(out, state);
}

static void
rewrite(struct sim_reply *reply, const struct sim_rule *rule)
{
    struct lp_buf out = LP_BUF_INIT;
    const char *at = reply->records.data, *end;

    for (; at != NULL && *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        if (rule->fault == SIM_FAULT_TEXT)
            rewrite_attr(&out, at, (size_t)(end - at), sim_rule_text(rule, "attr", "LABEL"),
                         sim_rule_text(rule, "text", ""));
        else
            rewrite_state(&out, at, (size_t)(end - at), sim_rule_text(rule, "state", "OOS-AU"));
        lp_buf_char(&out, '\n');
    }
    if (!out.failed && out.len > 0) {
        lp_buf_free(&reply->records);
        reply->records = out;
    } else {
        lp_buf_free(&out);
    }
}

/* One object is missing in a list; when nothing is left the list does not exist. */
static void
hide_record(struct sim_reply *reply, const char *aid)
{
    size_t len = strlen(aid);
    char *at = reply->records.data, *end;

    while (at != NULL && *at != '\0') {
        end = strchr(at, '\n');
        if (strncmp(at, aid, len) != 0 || strchr(":,", at[len]) == NULL) {
            at = end + 1;
            continue;
        }
        memmove(at, end + 1, strlen(end + 1) + 1);
        reply->count--;
    }
    if (reply->count == 0)
        reply->completion = LP_TL1_DENY;
}

/* What the element says, before it is said. */
static void
fault_reply(struct sim_reply *reply, const struct sim_rule *rule)
{
    static const struct {
        const char *variant, *code, *text;
    } logins[] = {
        {"wrong-credentials", "PIUI", "Privilege, Illegal User Identity"},
        {"lock-out", "PIUI", "Privilege, Illegal User Identity: account is locked"},
        {"too-many-sessions", "SSRE", "System Resources Exceeded: maximum number of sessions"},
        {"password-expired", "PIUC", "Privilege, password expired, use ED-PID"},
    };
    const char *variant = sim_rule_text(rule, "variant", "wrong-credentials");
    size_t i;

    if (rule->fault == SIM_FAULT_HIDE) {
        if (sim_rule_text(rule, "aid", NULL) == NULL)
            reply->completion = LP_TL1_DENY;
        else
            hide_record(reply, sim_rule_text(rule, "aid", ""));
        sim_deny(&reply->why, "IENE", "INPUT, SPECIFIED OBJECT ENTITY DOES NOT EXIST");
    } else if (rule->fault == SIM_FAULT_LOGIN) {
        for (i = 0; i + 1 < LP_COUNT(logins) && strcmp(logins[i].variant, variant) != 0; i++)
            continue;
        reply->completion = LP_TL1_DENY;
        sim_deny(&reply->why, logins[i].code, "%s", logins[i].text);
    } else if (rule->fault == SIM_FAULT_NO_OP) {
        reply->completion = LP_TL1_COMPLD;
    } else if (rule->fault == SIM_FAULT_TEXT || rule->fault == SIM_FAULT_SHOW_STATE) {
        rewrite(reply, rule);
    }
}

/* ---- garbage ---- */

static void
put_noise(struct writing *w, size_t bytes)
{
    size_t i;

    for (i = 0; i < bytes; i++) {
        char c = (char)(sim_random(w->server->net) & 0xff);

        lp_buf_char(&w->out, c == '\n' || c == ';' ? '#' : c);
    }
}

static void
put_fill(struct writing *w, char c, int64_t bytes)
{
    for (; bytes > 0 && !w->out.failed; bytes--)
        lp_buf_char(&w->out, c);
}

static void
garbage_binary(struct writing *w)
{
    put_noise(w, (size_t)sim_rule_int(w->rule, "bytes", 200) % 10000000);
    lp_buf_str(&w->out, "\r\n");
    put_reply(w);
}

static void
garbage_no_header(struct writing *w)
{
    struct lp_buf whole = w->out;
    const char *m;

    w->out = (struct lp_buf)LP_BUF_INIT;
    put_reply(w);
    m = w->out.data == NULL ? NULL : strstr(w->out.data, "\r\nM  ");
    if (m != NULL)
        lp_buf_str(&whole, m);
    lp_buf_free(&w->out);
    w->out = whole;
}

static void
garbage_wrong_ctag(struct writing *w)
{
    w->ctag = "X99999";
    put_reply(w);
}

static void
garbage_ctag_zero(struct writing *w)
{
    w->ctag = "0";
    put_denial(w, "DENY", "IICT", "Input, Invalid Correlation Tag", "one");
}

static void
garbage_double(struct writing *w)
{
    put_reply(w);
    put_reply(w);
}

static void
garbage_late(struct writing *w)
{
    if (w->conn->last.len > 0)
        lp_buf_add(&w->out, w->conn->last.data, w->conn->last.len);
    put_reply(w);
}

/* Line ends of the answer become something else. */
static void
line_ends(struct writing *w, const char *instead)
{
    struct lp_buf whole = LP_BUF_INIT;
    size_t i;

    put_reply(w);
    for (i = 0; i < w->out.len; i++) {
        if (w->out.data[i] == '\n')
            lp_buf_str(&whole, instead);
        else if (w->out.data[i] != '\r')
            lp_buf_char(&whole, w->out.data[i]);
    }
    lp_buf_free(&w->out);
    w->out = whole;
}

static void
garbage_cr_only(struct writing *w)
{
    line_ends(w, "\r");
}

static void
garbage_no_final(struct writing *w)
{
    put_reply(w);
    while (w->out.len > 0
           && (w->out.data[w->out.len - 1] == '\n' || w->out.data[w->out.len - 1] == '\r'))
        w->out.data[--w->out.len] = '\0';
}

static void
garbage_long_line(struct writing *w)
{
    put_identification(w, "COMPLD");
    lp_buf_str(&w->out, "   \"1-A-1-L1:OTS:LABEL=\\\"");
    put_fill(w, 'x', sim_rule_int(w->rule, "bytes", 1100000) % (1 << 30));
    lp_buf_str(&w->out, "\\\":IS-NR\"\r\n");
    lp_tl1_put_end(&w->out, false);
}

static void
garbage_quote(struct writing *w)
{
    put_identification(w, "COMPLD");
    lp_buf_str(&w->out, "   \"1-A-1-L1:OTS:LABEL=\"half,PROVNBROTS=:IS-NR\r\n");
    lp_tl1_put_end(&w->out, false);
}

static void
garbage_telnet(struct writing *w)
{
    lp_buf_add(&w->out, "\xff\xfd\x18\xff\xfb\x01\xff\xfa\x18\x01\xff\xf0", 12);
    put_reply(w);
}

static void
garbage_glued(struct writing *w)
{
    lp_buf_str(&w->out, w->server->net->options.prompt);
    put_reply(w);
}

static void
garbage_huge(struct writing *w)
{
    int64_t bytes = sim_rule_int(w->rule, "bytes", 50000000);

    put_identification(w, "COMPLD");
    while (bytes > 0 && !w->out.failed) {
        size_t before = w->out.len;

        lp_buf_printf(&w->out,
                      "   \"1-A-1-T%lld:SCG:LABEL=\\\"a reply without measure\\\":IS-NR\"\r\n",
                      (long long)bytes);
        bytes -= (int64_t)(w->out.len - before);
    }
    lp_tl1_put_end(&w->out, false);
}

/* A reply that never ends: it drips records for ever (the client must give up). */
static void
garbage_endless(struct writing *w)
{
    put_identification(w, "COMPLD");
    garbage_huge(w);
    if (w->out.len > 3)
        w->out.len -= 3; /* without its end */
}

static const struct {
    const char *name;
    void (*put)(struct writing *w);
    bool prompt; /* follows */
} variants[] = {
    {"binary", garbage_binary, true},
    {"no-header", garbage_no_header, true},
    {"wrong-ctag", garbage_wrong_ctag, true},
    {"ctag-0", garbage_ctag_zero, true},
    {"double-reply", garbage_double, true},
    {"late-reply", garbage_late, true},
    {"cr-only", garbage_cr_only, true},
    {"no-final-crlf", garbage_no_final, false},
    {"long-line", garbage_long_line, true},
    {"unescaped-quote", garbage_quote, true},
    {"telnet-iac", garbage_telnet, true},
    {"prompt-glued", garbage_glued, true},
    {"no-prompt", NULL, false},
    {"huge", garbage_huge, true},
    {"endless", garbage_endless, false},
};

static bool
put_garbage(struct writing *w)
{
    const char *name = sim_rule_text(w->rule, "variant", "binary");
    size_t i;

    for (i = 0; i + 1 < LP_COUNT(variants) && strcmp(variants[i].name, name) != 0; i++)
        continue;
    if (variants[i].put != NULL)
        variants[i].put(w);
    else
        put_reply(w);
    return variants[i].prompt;
}

/* ---- storms ---- */

static void
put_storm(struct writing *w)
{
    int64_t count = sim_rule_int(w->rule, "count", 100), i;

    for (i = 0; i < count && i < 1000000; i++)
        sim_put_message(w->server, w->node, "**", "REPT ALM SCH",
                        "1-A-1-L1-1,SCH:MJ,STORM,SA,01-01,00-00-00,NEND,RCV:\\\"storm\\\"",
                        &w->out);
}

/* Spreads a storm over time: so many messages a second, then the rest. */
static void
send_storm(struct writing *w)
{
    int64_t rate = sim_rule_int(w->rule, "rate", 5000);
    struct sim_chunk how = {.bytes_per_s = rate * 110};
    struct lp_buf kept = w->out;

    w->out = (struct lp_buf)LP_BUF_INIT;
    put_storm(w);
    if (!w->out.failed)
        sim_conn_send(w->server, w->conn, w->out.data, w->out.len, &how);
    lp_buf_free(&w->out);
    w->out = kept;
}

/* ---- delivery ---- */

static void
send_ack(struct writing *w, const char *word, int64_t at_us, bool last)
{
    struct lp_buf out = LP_BUF_INIT;
    struct sim_chunk how = {.at_us = at_us, .last = last};

    lp_buf_printf(&out, "\r\n%s %s\r\n<\r\n", word, w->ctag);
    if (!out.failed)
        sim_conn_send(w->server, w->conn, out.data, out.len, &how);
    lp_buf_free(&out);
}

static void
send_progress(struct writing *w, int64_t *at_us)
{
    int64_t times = sim_rule_int(w->rule, "times", 1), i;
    int64_t interval = sim_rule_int(w->rule, "interval_ms", 100) * 1000;

    for (i = 0; i < times && i < 10000; i++, *at_us += interval)
        send_ack(w, sim_rule_text(w->rule, "word", "IP"), *at_us, false);
}

static enum sim_after
ending(const struct sim_rule *rule)
{
    return strcmp(sim_rule_text(rule, "how", "fin"), "rst") == 0 ? SIM_RESET : SIM_FIN;
}

static void
break_drop(struct writing *w, struct sim_chunk *how)
{
    how->after = ending(w->rule);
    sim_conn_send(w->server, w->conn, "", 0, how);
}

static void
break_mid(struct writing *w, struct sim_chunk *how)
{
    size_t at = (size_t)sim_rule_int(w->rule, "at_byte", (int64_t)(w->out.len / 2));

    how->after = ending(w->rule);
    sim_conn_send(w->server, w->conn, w->out.data, at < w->out.len ? at : w->out.len, how);
}

static void
break_half_open(struct writing *w, struct sim_chunk *how)
{
    how->after = SIM_FREEZE;
    sim_conn_send(w->server, w->conn, "", 0, how);
}

static void
break_silence(struct writing *w, struct sim_chunk *how)
{
    how->last = true;
    sim_conn_send(w->server, w->conn, "", 0, how);
}

static void
break_refuse(struct writing *w, struct sim_chunk *how)
{
    (void)how;
    sim_server_down(w->server, w->conn->node, sim_rule_int(w->rule, "duration_ms", 1000) * 1000);
}

static void
break_restart(struct writing *w, struct sim_chunk *how)
{
    struct lp_err err = LP_ERR_INIT;

    (void)how;
    w->node->clock_shift_us += sim_rule_int(w->rule, "clock_ms", 0) * 1000;
    if (lp_json_true(w->rule->args, "new_host_key") && w->server->ssh != NULL
        && sim_ssh_new_key(w->server->ssh, w->node->index, &err) != LP_OK)
        lp_log_err(w->server->log, LP_LOG_WARN, "sim.host_key", &err);
    lp_err_clear(&err);
    sim_server_down(w->server, w->node, sim_rule_int(w->rule, "down_ms", 2000) * 1000);
}

static void
break_ack(struct writing *w, struct sim_chunk *how)
{
    send_ack(w, sim_rule_text(w->rule, "word", "NA"), how->at_us, true);
}

/* Faults after which no whole answer leaves. */
static void (*const breaks[SIM_FAULT_COUNT])(struct writing *w, struct sim_chunk *how) = {
    [SIM_FAULT_DROP] = break_drop,
    [SIM_FAULT_DROP_MID] = break_mid,
    [SIM_FAULT_HALF_OPEN] = break_half_open,
    [SIM_FAULT_SILENCE] = break_silence,
    [SIM_FAULT_REFUSE] = break_refuse,
    [SIM_FAULT_RESTART] = break_restart,
    [SIM_FAULT_ACK] = break_ack,
};

/* The whole message with everything that a fault adds; true: a prompt follows. */
static bool
compose(struct writing *w, bool *closed)
{
    const struct sim_rule *rule = w->rule;

    *closed = false;
    if (is_fault(w, SIM_FAULT_GARBAGE))
        return put_garbage(w);
    if (is_fault(w, SIM_FAULT_DENY)) {
        put_denial(w, "DENY", sim_rule_text(rule, "code", "SROF"),
                   sim_rule_text(rule, "text", "Status, Requested Operation Failed"),
                   sim_rule_text(rule, "style", "one"));
        return true;
    }
    if (is_fault(w, SIM_FAULT_STORM)
        && strcmp(sim_rule_text(rule, "where", "inside"), "inside") == 0)
        put_storm(w);
    if (put_reply(w)) {
        *closed = lp_json_true(rule->args, "close");
        return false;
    }
    return true;
}

static void
send_all(struct writing *w, struct sim_chunk *how)
{
    bool closed, prompt = compose(w, &closed);

    if (prompt)
        lp_buf_str(&w->out, w->server->net->options.prompt);
    if (w->out.failed) {
        sim_conn_kill(w->server, w->conn, true);
        return;
    }
    sim_transcribe(w->server, w->conn, w->node, "out", w->out.data, w->out.len);
    if (w->rule != NULL && breaks[w->rule->fault] != NULL) {
        breaks[w->rule->fault](w, how);
        return;
    }
    if (closed)
        how->after = SIM_FIN;
    how->last = true;
    if (is_fault(w, SIM_FAULT_DRIP))
        how->bytes_per_s = sim_rule_int(w->rule, "bytes_per_s", 100);
    sim_conn_send(w->server, w->conn, w->out.data, w->out.len, how);
    if (is_fault(w, SIM_FAULT_STORM) && strcmp(sim_rule_text(w->rule, "where", ""), "after") == 0)
        send_storm(w);
}

/* When the answer leaves, and the acknowledgements before it. */
static void
send_timed(struct writing *w, struct sim_chunk *how)
{
    const struct sim_options *options = &w->server->net->options;
    int64_t delay = sim_delay_us(w->server, w->node);
    int64_t now = sim_real_us();

    if (is_fault(w, SIM_FAULT_SLOW)) {
        int64_t jitter = sim_rule_int(w->rule, "jitter_ms", 0) * 1000;

        delay += sim_rule_int(w->rule, "delay_ms", 1000) * 1000;
        if (jitter > 0)
            delay += (int64_t)(sim_random(w->server->net) % (uint64_t)jitter);
    }
    how->at_us = now + delay;
    if (is_fault(w, SIM_FAULT_PROGRESS)) {
        how->at_us = now;
        send_progress(w, &how->at_us);
    } else if (w->reply->slow && !is_fault(w, SIM_FAULT_ACK)) {
        send_ack(w, "IP", 0, false);
    } else if (delay >= options->ip_ms * 1000 && options->ip_ms > 0
               && !is_fault(w, SIM_FAULT_SLOW)) {
        send_ack(w, "IP", now + options->ip_ms * 1000, false);
    }
}

void
sim_answer(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
           const char *ctag, struct sim_reply *reply, const struct sim_rule *rule)
{
    struct sim_chunk how = {.at_us = 0};
    struct writing w = {.server = server,
                        .conn = conn,
                        .node = node,
                        .ctag = ctag,
                        .reply = reply,
                        .rule = rule,
                        .records_per_block = (size_t)server->net->options.block_records};

    if (conn->dead)
        return;
    if (rule != NULL) {
        fault_reply(reply, rule);
        if (rule->fault == SIM_FAULT_WRONG_SID)
            w.sid = sim_rule_text(rule, "sid", "lp.other9");
        if (rule->fault == SIM_FAULT_BLOCKS || rule->fault == SIM_FAULT_CUT_BLOCKS)
            w.records_per_block =
                (size_t)(sim_rule_int(rule, "records", 1) > 0 ? sim_rule_int(rule, "records", 1)
                                                              : 1);
        if (rule->fault == SIM_FAULT_CUT_BLOCKS)
            w.cut_after = (size_t)sim_rule_int(rule, "after", 1);
        if (rule->fault == SIM_FAULT_STORM
            && strcmp(sim_rule_text(rule, "where", ""), "before") == 0)
            send_storm(&w);
    }
    send_timed(&w, &how);
    send_all(&w, &how);
    lp_buf_reset(&conn->last);
    if (!conn->dead && !w.out.failed && w.out.len <= 65536)
        lp_buf_add(&conn->last, w.out.data, w.out.len);
    lp_buf_free(&w.out);
}
