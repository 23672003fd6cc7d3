/* Sessions: greeting, logins, the queue of commands, spontaneous messages, the transcript. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "sim/server.h"

#define MAX_READ_AHEAD (256u * 1024)

/* ---- transcript ---- */

static int
transcript_fd(struct sim_server *server, const struct sim_node *node)
{
    char name[96];

    if (server->transcript_dir < 0)
        return -1;
    if (server->transcripts[node->index] < 0) {
        snprintf(name, sizeof name, "%.64s.jsonl", node->name);
        server->transcripts[node->index] =
            openat(server->transcript_dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    return server->transcripts[node->index];
}

void
sim_transcribe(struct sim_server *server, const struct sim_conn *conn, const struct sim_node *node,
               const char *direction, const char *text, size_t len)
{
    int fd = transcript_fd(server, node);
    struct lp_buf clean = LP_BUF_INIT, line = LP_BUF_INIT;
    size_t i;

    if (fd < 0)
        return;
    lp_tl1_redact(&clean, text, len > 65536 ? 65536 : len, NULL);
    for (i = 0; i < clean.len; i++) /* labels are bytes; a line of JSON is UTF-8 */
        if ((clean.data[i] & 0x80) != 0 && !lp_utf8_valid(clean.data, clean.len))
            clean.data[i] = '?';
    lp_buf_printf(&line, "{\"t_us\":%lld,\"session\":%llu,\"dir\":\"%s\",\"text\":",
                  (long long)server->net->utc_us,
                  conn == NULL ? 0ULL : (unsigned long long)conn->id, direction);
    lp_buf_json_string(&line, clean.data == NULL ? "" : clean.data, clean.len);
    lp_buf_str(&line, "}\n");
    if (!line.failed && write(fd, line.data, line.len) < 0)
        lp_logf(server->log, LP_LOG_WARN, "sim.transcript", "s:s", "error", strerror(errno));
    lp_buf_free(&clean);
    lp_buf_free(&line);
}

/* ---- seats ---- */

static int64_t
idle_us(const struct sim_server *server, const struct sim_login *login)
{
    if (login != NULL && login->idle_us != 0)
        return login->idle_us;
    return server->net->options.idle_ms * 1000;
}

static void
seats_prune(struct sim_server *server, struct sim_node *node)
{
    int64_t limit = server->net->options.idle_ms * 1000;
    size_t i, kept = 0;

    for (i = 0; i < node->seat_count; i++) {
        bool gone = node->seats[i].conn == 0
                    && (!server->net->options.linger
                        || server->net->now_us - node->seats[i].used_us >= limit);

        if (!gone)
            node->seats[kept++] = node->seats[i];
    }
    node->seat_count = kept;
}

static struct sim_seat *
seat_find(struct sim_node *node, uint32_t id)
{
    size_t i;

    for (i = 0; i < node->seat_count; i++)
        if (node->seats[i].id == id)
            return &node->seats[i];
    return NULL;
}

static void
seat_free(struct sim_node *node, uint32_t id)
{
    struct sim_seat *seat = seat_find(node, id);

    if (seat != NULL)
        *seat = node->seats[--node->seat_count];
}

static struct sim_seat *
seat_take(struct sim_server *server, struct sim_conn *conn, struct sim_node *node, const char *user)
{
    struct sim_seat *grown = reallocarray(node->seats, node->seat_count + 1, sizeof *grown), *seat;

    if (grown == NULL)
        return NULL;
    node->seats = grown;
    seat = &grown[node->seat_count++];
    *seat = (struct sim_seat){
        .id = ++server->seat_ids, .conn = conn->id, .used_us = server->net->now_us};
    snprintf(seat->user, sizeof seat->user, "%s", user);
    if (node->seat_count > node->seat_peak)
        node->seat_peak = node->seat_count;
    return seat;
}

/* ---- logins ---- */

struct sim_login *
sim_login_find(struct sim_conn *conn, const struct sim_node *node)
{
    size_t i;

    for (i = 0; i < conn->login_count; i++)
        if (conn->logins[i].node == node)
            return &conn->logins[i];
    return NULL;
}

void
sim_login_end(struct sim_server *server, struct sim_conn *conn, struct sim_login *login)
{
    (void)server;
    seat_free(login->node, login->seat);
    *login = conn->logins[--conn->login_count];
}

static bool
password_right(const struct sim_net *net, const char *user, const char *password)
{
    size_t i;

    for (i = 0; i < net->user_count; i++)
        if (strcmp(net->users[i].name, user) == 0)
            return lp_same_secret(net->users[i].password, password);
    return false;
}

bool
sim_session_auth(void *arg, uint32_t element, const char *user, const char *password)
{
    struct sim_server *server = arg;
    bool right;

    (void)element;
    pthread_mutex_lock(&server->users_lock);
    right = password_right(server->net, user, password);
    pthread_mutex_unlock(&server->users_lock);
    return right;
}

static bool
login_refused(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
              const char *user, const char *password, struct sim_denial *why)
{
    const struct sim_options *options = &server->net->options;

    if (server->net->now_us < node->locked_until_us)
        return !sim_deny(why, "PIUI", "Privilege, Illegal User Identity: account is locked");
    if (!password_right(server->net, user, password)) {
        if (++node->bad_logins >= (unsigned)options->bad_logins) {
            node->bad_logins = 0;
            node->locked_until_us = server->net->now_us + options->lockout_ms * 1000;
        }
        return !sim_deny(why, "PIUI", "Privilege, Illegal User Identity");
    }
    if (sim_login_find(conn, node) != NULL)
        return !sim_deny(why, "SAAL", "Status, user is ALREADY logged in");
    seats_prune(server, node);
    if (node->seat_count >= (size_t)options->max_sessions || conn->login_count == SIM_LOGINS)
        return !sim_deny(why, "SSRE", "System Resources Exceeded: maximum number of sessions");
    return false;
}

static void
login_record(struct sim_server *server, struct sim_node *node, const char *user,
             struct sim_reply *reply)
{
    char when[32];
    struct tm tm;

    sim_clock(server->net, node, &tm);
    strftime(when, sizeof when, "%Y-%m-%d,%H-%M-%S", &tm);
    lp_buf_printf(&reply->records, "%s:%s,0\n", user, when);
    reply->count = 1;
}

static void
act_user(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
         const struct lp_tl1_command *command, struct sim_reply *reply)
{
    const char *user = command->aids.params[0].value;
    const char *password = command->blocks[1].count == 0 ? "" : command->blocks[1].params[0].value;
    struct sim_seat *seat;

    if (login_refused(server, conn, node, user, password, &reply->why)) {
        reply->completion = LP_TL1_DENY;
        return;
    }
    seat = seat_take(server, conn, node, user);
    if (seat == NULL) {
        reply->completion = LP_TL1_DENY;
        sim_deny(&reply->why, "SSRE", "System Resources Exceeded");
        return;
    }
    node->bad_logins = 0;
    conn->logins[conn->login_count] =
        (struct sim_login){.node = node,
                           .seat = seat->id,
                           .messages = server->net->options.allow_messages,
                           .changes = server->net->options.allow_messages};
    snprintf(conn->logins[conn->login_count++].user, sizeof seat->user, "%s", seat->user);
    login_record(server, node, seat->user, reply);
}

static void
set_messages(struct sim_login *login, const char *code)
{
    bool allow = strncmp(code, "ALW", 3) == 0;

    if (strcmp(code + 3, "-MSG-ALL") == 0)
        login->messages = allow;
    else
        login->changes = allow;
}

static bool
password_set(struct sim_server *server, struct sim_user *user, const char *fresh)
{
    char *copy = strdup(fresh);

    if (copy == NULL)
        return false;
    pthread_mutex_lock(&server->users_lock);
    free(user->password);
    user->password = copy;
    pthread_mutex_unlock(&server->users_lock);
    return true;
}

/* ED-PID: own password. ED-USER-SECU: own idle time in minutes, 0 is never. */
static void
edit_security(struct sim_server *server, const struct lp_tl1_command *command,
              struct sim_login *login, struct sim_reply *reply)
{
    const struct lp_tl1_block *block = &command->blocks[1];
    const char *old = block->count > 0 ? block->params[0].value : "";
    const char *fresh = block->count > 1 ? block->params[1].value : "";
    size_t i;

    reply->completion = LP_TL1_DENY;
    if (strcmp(login->user, command->aids.params[0].value) != 0) {
        sim_deny(&reply->why, "PICC", "Privilege, Illegal Command Code: other user");
        return;
    }
    if (strcmp(command->code, "ED-USER-SECU") == 0) {
        const char *minutes = "";

        for (i = 0; command->block_count > 2 && i < command->blocks[2].count; i++)
            if (command->blocks[2].params[i].name != NULL)
                minutes = command->blocks[2].params[i].value;
        if (minutes[0] == '\0' || strspn(minutes, "0123456789") != strlen(minutes)
            || strlen(minutes) > 4) {
            sim_deny(&reply->why, "IDNV", "Input, Data Not Valid: TMOUT");
            return;
        }
        login->idle_us = strtoll(minutes, NULL, 10) * 60000000;
        if (login->idle_us == 0)
            login->idle_us = INT64_MAX / 2;
        reply->completion = LP_TL1_COMPLD;
        return;
    }
    for (i = 0; i < server->net->user_count; i++) {
        struct sim_user *user = &server->net->users[i];

        if (strcmp(user->name, login->user) != 0 || !lp_same_secret(user->password, old))
            continue;
        if (fresh[0] == '\0') {
            sim_deny(&reply->why, "IDNV", "Input, Data Not Valid: new password");
            return;
        }
        reply->completion = password_set(server, user, fresh) ? LP_TL1_COMPLD : LP_TL1_DENY;
        return;
    }
    sim_deny(&reply->why, "PIUI", "Privilege, Illegal User Identity");
}

/* Commands about the session itself. */
static void
session_command(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
                const struct sim_command *row, const struct lp_tl1_command *command,
                struct sim_reply *reply)
{
    struct sim_login *login = sim_login_find(conn, node);

    reply->completion = LP_TL1_COMPLD;
    if (row->verb == SIM_ACT_USER) {
        act_user(server, conn, node, command, reply);
    } else if (row->verb == SIM_CANC_USER) {
        if (strcmp(login->user, command->aids.params[0].value) == 0) {
            sim_login_end(server, conn, login);
        } else {
            reply->completion = LP_TL1_DENY;
            sim_deny(&reply->why, "PIUI", "Privilege, Illegal User Identity");
        }
    } else if (row->verb == SIM_MESSAGES) {
        set_messages(login, command->code);
    } else {
        edit_security(server, command, login, reply);
    }
}

/* ---- which element ---- */

static struct sim_node *
target_of(struct sim_server *server, const struct sim_conn *conn, const char *tid,
          struct sim_denial *why)
{
    struct sim_node *node;

    if (tid == NULL || tid[0] == '\0' || strcmp(tid, conn->node->name) == 0)
        return conn->node;
    node = sim_node_find(server->net, tid);
    if (node == NULL || !conn->node->gateway || strcmp(node->area, conn->node->area) != 0
        || sim_real_us() < node->down_until_us) {
        sim_deny(why, "IITA", "Input, Invalid TArget identifier");
        return NULL;
    }
    return node;
}

/* ---- faults before the command ---- */

static void
fault_meddle(struct sim_server *server, struct sim_node *node, const struct sim_rule *rule)
{
    json_t *request = json_deep_copy(rule->args), *reply = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (request == NULL)
        return;
    (void)json_object_del(request, "fault");
    (void)json_object_set_new(request, "op",
                              json_string(lp_json_true(rule->args, "delete") ? "delete" : "set"));
    (void)json_object_del(request, "delete");
    if (json_object_get(request, "ne") == NULL)
        (void)json_object_set_new(request, "ne", json_string(node->name));
    if (sim_control(server, request, &reply, &err) != LP_OK)
        lp_log_err(server->log, LP_LOG_WARN, "sim.meddle", &err);
    lp_err_clear(&err);
    json_decref(reply);
    json_decref(request);
}

/* Somebody else's object takes the place of the one that is to be entered. */
static void
fault_foreign(struct sim_server *server, struct sim_node *node, const struct sim_command *row,
              const struct lp_tl1_command *command, const struct sim_rule *rule)
{
    json_t *attrs = json_object_get(rule->args, "attrs"), *value;
    const char *name;
    char aid[256];
    struct sim_obj *obj;

    if (row->verb != SIM_ENT || row->cls >= SIM_STORED)
        return;
    if (command->aids.count == 2)
        snprintf(aid, sizeof aid, "%.120s,%.120s", command->aids.params[0].value,
                 command->aids.params[1].value);
    else
        snprintf(aid, sizeof aid, "%.200s", command->aids.params[0].value);
    obj = sim_obj_add(node, row->cls, aid);
    if (obj == NULL)
        return;
    obj->circuit = ++server->net->circuits;
    (void)sim_obj_set(obj, "LABEL", "foreign");
    json_object_foreach(attrs, name, value)
    {
        if (json_is_string(value))
            (void)sim_obj_set(obj, name, json_string_value(value));
    }
}

static void
fault_logout(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
             const struct sim_rule *rule)
{
    struct sim_login *login = sim_login_find(conn, node);
    struct lp_buf out = LP_BUF_INIT;

    if (login == NULL)
        return;
    if (lp_json_true(rule->args, "notice")) {
        sim_put_message(server, node, "A", "CANC", login->user, &out);
        sim_conn_interject(server, conn, out.data, out.len);
    }
    sim_login_end(server, conn, login);
    lp_buf_free(&out);
}

static void
fault_before(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
             const struct sim_command *row, const struct lp_tl1_command *command,
             const struct sim_rule *rule)
{
    if (rule->fault == SIM_FAULT_LOGOUT)
        fault_logout(server, conn, node, rule);
    else if (rule->fault == SIM_FAULT_MEDDLE)
        fault_meddle(server, node, rule);
    else if (rule->fault == SIM_FAULT_FOREIGN && row != NULL)
        fault_foreign(server, node, row, command, rule);
    else if (rule->fault == SIM_FAULT_CLOCK) {
        node->clock_shift_us += sim_rule_int(rule, "shift_ms", 0) * 1000;
        if (lp_json_true(rule->args, "long_date"))
            server->net->options.long_date = true;
    }
}

/* CLAMP: the element takes another value than the one that was sent. */
static void
fault_clamp(const struct sim_rule *rule, const struct lp_tl1_command *command)
{
    const char *name = sim_rule_text(rule, "attr", "");
    size_t i;

    for (i = 0; command->block_count > 2 && i < command->blocks[2].count; i++) {
        /* parsed into our own scratch: what it holds may be replaced */
        struct lp_tl1_param *param =
            (struct lp_tl1_param *)(uintptr_t)&command->blocks[2].params[i];

        if (param->name != NULL && strcasecmp(param->name, name) == 0)
            param->value = sim_rule_text(rule, "value", "");
    }
}

/* ---- running a command ---- */

static bool
runs(const struct sim_rule *rule)
{
    if (rule == NULL)
        return true;
    if (rule->fault == SIM_FAULT_LOGOUT || rule->fault == SIM_FAULT_FOREIGN)
        return true; /* the command meets what was prepared for it */
    return rule->executed;
}

static void
command_run(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
            const struct sim_command *row, const struct lp_tl1_command *command,
            const struct sim_rule *rule, struct sim_reply *reply)
{
    bool stale = rule != NULL && rule->fault == SIM_FAULT_STALE;
    struct sim_login *login = sim_login_find(conn, node);
    struct sim_seat *seat = login == NULL ? NULL : seat_find(node, login->seat);

    if (login == NULL && row->verb != SIM_ACT_USER) {
        reply->completion = LP_TL1_DENY;
        sim_deny(&reply->why, "PLNA", "PRIVILEGE, LOGIN NOT ACTIVE");
        return;
    }
    if (seat != NULL)
        seat->used_us = server->net->now_us;
    if (!runs(rule))
        return;
    if (row->run == NULL) {
        session_command(server, conn, node, row, command, reply);
        return;
    }
    if (rule != NULL && rule->fault == SIM_FAULT_CLAMP)
        fault_clamp(rule, command);
    if (!node->keep_before)
        node->keep_before = sim_faults_any(&server->faults, SIM_FAULT_STALE, node->name);
    sim_execute(server->net, node, row, command, stale, reply);
}

static const char *
parse_denial(const struct lp_err *err, struct sim_denial *why)
{
    const char *code = strlen(err->pointer) == 4 ? err->pointer : "IISP";
    const struct lp_tl1_error_info *info = lp_tl1_error_find(code);

    sim_deny(why, code, "%s", info == NULL ? "Input, Invalid Syntax or Punctuation" : info->text);
    return code;
}

static void
deny_all(struct sim_server *server, struct sim_conn *conn, struct sim_node *node, const char *ctag,
         const struct sim_denial *why)
{
    struct sim_reply reply = {.completion = LP_TL1_DENY, .why = *why, .records = LP_BUF_INIT};

    sim_answer(server, conn, node, ctag, &reply, NULL);
    sim_reply_free(&reply);
}

static void
command_known(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
              const struct lp_tl1_command *command)
{
    const char *aid = command->aids.count == 0 ? "" : command->aids.params[0].value;
    const struct sim_rule *rule =
        sim_faults_fire(&server->faults, command->code, node->name, aid, sim_real_us());
    const struct sim_command *row = sim_command_find(command->code);
    struct sim_reply reply = {.records = LP_BUF_INIT, .completion = LP_TL1_COMPLD};

    if (rule != NULL)
        fault_before(server, conn, node, row, command, rule);
    if (row == NULL) {
        reply.completion = LP_TL1_DENY;
        sim_deny(&reply.why, "IICM", "Input, Invalid CoMmand");
    } else if (!sim_command_check(row, command, &reply.why)) {
        reply.completion = LP_TL1_DENY;
    } else {
        command_run(server, conn, node, row, command, rule, &reply);
    }
    sim_answer(server, conn, node, command->ctag, &reply, rule);
    if (reply.restart && !conn->dead)
        sim_server_down(server, node, 5000000);
    sim_reply_free(&reply);
}

static void
command_text(struct sim_server *server, struct sim_conn *conn, const char *text, size_t len)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_tl1_command command;
    struct sim_denial why;
    struct sim_node *node;

    sim_server_time(server);
    server->exchanges++;
    if (len == 0) {
        sim_deny(&why, "IISP", "Input, Invalid Syntax or Punctuation: command is too long");
        deny_all(server, conn, conn->node, "0", &why);
        return;
    }
    if (server->net->options.echo && !conn->muted) {
        struct sim_chunk now = {.at_us = 0};

        sim_conn_send(server, conn, text, len, &now);
        sim_conn_send(server, conn, "\r\n", 2, &now);
    }
    if (lp_tl1_command_parse(text, len, &server->scratch, &command, &err) != LP_OK) {
        sim_transcribe(server, conn, conn->node, "in", text, len);
        parse_denial(&err, &why);
        deny_all(server, conn, conn->node, "0", &why);
        lp_err_clear(&err);
        return;
    }
    node = target_of(server, conn, command.tid, &why);
    sim_transcribe(server, conn, node == NULL ? conn->node : node, "in", text, len);
    if (node == NULL)
        deny_all(server, conn, conn->node, command.ctag, &why);
    else
        command_known(server, conn, node, &command);
}

/* ---- bytes and commands ---- */

void
sim_session_next(struct sim_server *server, struct sim_conn *conn)
{
    while (!conn->busy && !conn->dead && !conn->frozen && conn->queue_count > 0) {
        char *text = conn->queue[conn->queue_head];
        size_t len = conn->queue_len[conn->queue_head];

        conn->queue_head = (conn->queue_head + 1) % SIM_MAX_QUEUE;
        conn->queue_count--;
        conn->busy = true;
        command_text(server, conn, text, len);
        free(text);
        sim_conn_flush(server, conn);
    }
}

struct feeding {
    struct sim_server *server;
    struct sim_conn *conn;
};

static enum lp_code
command_queue(void *arg, const char *text, size_t len, struct lp_err *err)
{
    struct feeding *feeding = arg;
    struct sim_conn *conn = feeding->conn;
    size_t at = (conn->queue_head + conn->queue_count) % SIM_MAX_QUEUE;

    if (conn->dead)
        return lp_fail(err, LP_CANCELLED, "the connection is gone");
    if (text == NULL) /* it was too long, and was skipped */
        text = "";
    if (conn->queue_count == SIM_MAX_QUEUE)
        return lp_fail(err, LP_RETRYABLE, "%d commands wait already", SIM_MAX_QUEUE);
    conn->queue[at] = malloc(len + 1);
    if (conn->queue[at] == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a command");
    memcpy(conn->queue[at], text, len);
    conn->queue[at][len] = '\0';
    conn->queue_len[at] = len;
    conn->queue_count++;
    sim_session_next(feeding->server, conn);
    return LP_OK;
}

/* Telnet commands (IAC and two bytes) are skipped, in place. */
static size_t
strip_telnet(struct sim_conn *conn, char *bytes, size_t len)
{
    size_t i, kept = 0;

    for (i = 0; i < len; i++) {
        if (conn->telnet > 0)
            conn->telnet--;
        else if ((unsigned char)bytes[i] == 0xff && !conn->ssh)
            conn->telnet = 2;
        else
            bytes[kept++] = bytes[i];
    }
    return kept;
}

void
sim_session_bytes(struct sim_server *server, struct sim_conn *conn, const char *bytes, size_t len)
{
    struct feeding feeding = {server, conn};
    struct lp_err err = LP_ERR_INIT;
    char *copy = malloc(len + 1);
    enum lp_code rc;

    if (copy == NULL) {
        sim_conn_kill(server, conn, true);
        return;
    }
    memcpy(copy, bytes, len);
    len = strip_telnet(conn, copy, len);
    rc = lp_tl1_input_feed(&conn->input, copy, len, command_queue, &feeding, &err);
    free(copy);
    if (rc != LP_OK && !conn->dead)
        sim_conn_kill(server, conn, false); /* it does not wait for answers */
    lp_err_clear(&err);
}

void
sim_session_open(struct sim_server *server, struct sim_conn *conn)
{
    const struct sim_rule *rule =
        sim_faults_fire(&server->faults, "CONNECT", conn->node->name, "", sim_real_us());
    struct lp_buf out = LP_BUF_INIT;
    struct sim_chunk now = {.at_us = 0};

    if (rule != NULL && (rule->fault == SIM_FAULT_NO_BANNER || rule->fault == SIM_FAULT_SILENCE)) {
        conn->muted = rule->fault == SIM_FAULT_SILENCE;
        conn->frozen = conn->muted;
        return;
    }
    if (rule != NULL && (rule->fault == SIM_FAULT_DROP || rule->fault == SIM_FAULT_REFUSE)) {
        if (rule->fault == SIM_FAULT_REFUSE)
            sim_server_down(server, conn->node, sim_rule_int(rule, "duration_ms", 1000) * 1000);
        else
            sim_conn_kill(server, conn, strcmp(sim_rule_text(rule, "how", "fin"), "rst") == 0);
        return;
    }
    lp_buf_printf(&out,
                  "\r\n Infinera IQ NOS %s\r\n"
                  " This is a simulated network element. Unauthorised access is forbidden.\r\n"
                  " License notice: there are no licensed features on this element.\r\n\r\n%s",
                  conn->node->release, server->net->options.prompt);
    if (rule != NULL && rule->fault == SIM_FAULT_SLOW)
        now.at_us = sim_real_us() + sim_rule_int(rule, "delay_ms", 1000) * 1000;
    if (rule != NULL && rule->fault == SIM_FAULT_DRIP)
        now.bytes_per_s = sim_rule_int(rule, "bytes_per_s", 100);
    if (!out.failed)
        sim_conn_send(server, conn, out.data, out.len, &now);
    lp_buf_free(&out);
    sim_conn_flush(server, conn);
}

void
sim_session_close(struct sim_server *server, struct sim_conn *conn)
{
    size_t i;

    for (i = 0; i < conn->login_count; i++) { /* the element still counts them for a while */
        struct sim_seat *seat = seat_find(conn->logins[i].node, conn->logins[i].seat);

        if (seat != NULL)
            seat->conn = 0;
        seats_prune(server, conn->logins[i].node);
    }
    conn->login_count = 0;
}

void
sim_session_free(struct sim_conn *conn)
{
    for (; conn->queue_count > 0; conn->queue_count--) {
        free(conn->queue[conn->queue_head]);
        conn->queue_head = (conn->queue_head + 1) % SIM_MAX_QUEUE;
    }
    lp_tl1_input_free(&conn->input);
    lp_buf_free(&conn->last);
}

/* ---- time ---- */

static void
login_expire(struct sim_server *server, struct sim_conn *conn, struct sim_login *login)
{
    struct sim_node *node = login->node;
    struct lp_buf out = LP_BUF_INIT;

    sim_put_message(server, node, "A", "CANC", login->user, &out);
    sim_transcribe(server, conn, node, "auto", out.data, out.len);
    sim_conn_interject(server, conn, out.data, out.len);
    lp_buf_free(&out);
    sim_login_end(server, conn, login);
    if (node == conn->node && !conn->dead && !conn->busy) {
        struct sim_chunk end = {.after = SIM_FIN};

        sim_conn_send(server, conn, "", 0, &end);
    }
    sim_conn_flush(server, conn);
}

void
sim_session_sweep(struct sim_server *server)
{
    struct sim_conn *conn, *next;
    size_t i;

    for (conn = server->conns; conn != NULL; conn = next) {
        next = conn->next;
        for (i = conn->login_count; i > 0 && !conn->dead; i--) {
            struct sim_login *login = &conn->logins[i - 1];
            const struct sim_seat *seat = seat_find(login->node, login->seat);

            if (seat != NULL && server->net->now_us - seat->used_us >= idle_us(server, login))
                login_expire(server, conn, login);
        }
    }
    for (i = 0; i < server->net->node_count; i++)
        if (server->net->nodes[i].seat_count > 0)
            seats_prune(server, &server->net->nodes[i]);
}

/* ---- spontaneous messages ---- */

void
sim_session_emit(void *arg, struct sim_node *node, enum sim_event event, const char *code,
                 const char *verb, const char *body)
{
    struct sim_server *server = arg;
    struct lp_buf out = LP_BUF_INIT;
    struct sim_conn *conn, *next;

    sim_put_message(server, node, code, verb, body, &out);
    if (!out.failed)
        sim_transcribe(server, NULL, node, "auto", out.data, out.len);
    for (conn = server->conns; conn != NULL && !out.failed; conn = next) {
        const struct sim_login *login = conn->dead ? NULL : sim_login_find(conn, node);

        next = conn->next;
        if (login == NULL || conn->frozen
            || !(event == SIM_EVENT_DBCHG ? login->changes : login->messages))
            continue;
        sim_conn_interject(server, conn, out.data, out.len);
    }
    lp_buf_free(&out);
}
