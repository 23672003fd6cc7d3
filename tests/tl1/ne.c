#include "tests/tl1/ne.h"

#include <assert.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/tl1.h"

#define MAX_RULES 64
#define MAX_TAGS  20000
#define MAX_CONNS 256
#define USER      "svc_orch"
#define PASSWORD  "s3cr3t;\"x"

struct rule {
    char code[40], error[8], text[128];
    enum ne_fault fault;
    unsigned times;
};

struct conn {
    struct ne *ne;
    int fd;
    ssh_session session;
    ssh_channel channel;
    atomic_bool dead;
    bool allows;
    char tids[16][64]; /* logged in */
    unsigned tid_count;
    unsigned emitted; /* alarms already sent */
    pthread_t thread;
};

struct ne {
    struct ne_options options;
    int listener;
    ssh_bind bind;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock; /* everything below, and conn->tids */
    bool stopping;
    struct rule rules[MAX_RULES];
    unsigned rule_count;
    char (*tags)[8];
    char (*codes)[24];
    unsigned tag_count;
    bool tags_unique;
    struct conn *conns[MAX_CONNS];
    unsigned conn_count, most, emits, hang_ups;
    char emit_text[128];
};

/* ---- bytes ---- */

static bool
stopping(struct ne *ne)
{
    bool yes;

    pthread_mutex_lock(&ne->lock);
    yes = ne->stopping;
    pthread_mutex_unlock(&ne->lock);
    return yes;
}

static void
put(struct conn *c, const char *text, size_t len)
{
    while (len > 0 && !c->dead) {
        ssize_t done = c->channel != NULL ? ssh_channel_write(c->channel, text, (uint32_t)len)
                                          : send(c->fd, text, len, MSG_NOSIGNAL);

        if (done <= 0) {
            c->dead = true;
            return;
        }
        text += done;
        len -= (size_t)done;
    }
}

static void
put_buf(struct conn *c, struct lp_buf *buf)
{
    put(c, buf->data, buf->len);
    lp_buf_reset(buf);
}

/* Bytes, 0 after 20 ms without any; sets dead. */
static size_t
get(struct conn *c, char *buf, size_t size)
{
    struct pollfd ready = {.fd = c->fd, .events = POLLIN};
    ssize_t got;

    if (c->channel != NULL) {
        got = ssh_channel_read_timeout(c->channel, buf, (uint32_t)size, 0, 20);
        if (got < 0 || (got == 0 && ssh_channel_is_eof(c->channel)))
            c->dead = true;
        return got > 0 ? (size_t)got : 0;
    }
    if (poll(&ready, 1, 20) <= 0)
        return 0;
    got = recv(c->fd, buf, size, 0);
    c->dead = got <= 0;
    return got > 0 ? (size_t)got : 0;
}

/* ---- sessions ---- */

static bool
logged_in(const struct conn *c, const char *tid)
{
    for (unsigned i = 0; i < c->tid_count; i++)
        if (strcmp(c->tids[i], tid) == 0)
            return true;
    return false;
}

static unsigned
sessions_of(const struct ne *ne, const char *tid)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ne->conn_count; i++)
        count += !ne->conns[i]->dead && logged_in(ne->conns[i], tid) ? 1 : 0;
    return count;
}

static bool
known_tid(const struct ne *ne, const char *tid)
{
    const char *at = ne->options.tids;
    size_t len = strlen(tid);

    while (*at != '\0') {
        size_t word = strcspn(at, " ");

        if (word == len && memcmp(at, tid, len) == 0)
            return true;
        at += word + strspn(at + word, " ");
    }
    return ne->options.tids[0] == '\0';
}

/* ---- answers ---- */

struct answer {
    const char *sid, *ctag, *error, *text;
    enum lp_tl1_completion completion;
    const char *aid; /* of the one record, or NULL */
    bool more;
};

static void
build(struct lp_buf *out, const struct answer *a)
{
    struct lp_err err = LP_ERR_INIT;
    const struct lp_tl1_param aid = {.value = a->aid}, type = {.value = "TEST"},
                              named = {.name = "LABEL", .value = "a:b,c"},
                              state = {.value = "IS-NR"};
    const struct lp_tl1_block blocks[] = {{&aid, 1}, {&type, 1}, {&named, 1}, {&state, 1}};
    const struct lp_tl1_record record = {blocks, 4};

    assert(lp_tl1_put_header(out, a->sid[0] != '\0' ? a->sid : "n1", "27-03-14", "09:00:00", &err)
           == LP_OK);
    assert(lp_tl1_put_response(out, a->ctag, a->completion, &err) == LP_OK);
    if (a->error != NULL)
        assert(lp_tl1_put_error(out, a->error, &err) == LP_OK);
    if (a->text != NULL)
        assert(lp_tl1_put_comment(out, a->text, &err) == LP_OK);
    if (a->aid != NULL)
        assert(lp_tl1_put_record(out, &record, &err) == LP_OK);
    lp_tl1_put_end(out, a->more);
    if (!a->more)
        lp_buf_str(out, "TL1>>");
}

static void
build_alarm(struct lp_buf *out, const char *text)
{
    lp_buf_printf(out,
                  "\r\n\n   n1 27-03-14 09:00:01\r\n** 77 REPT ALM SCH\r\n   \"1-A-1,SCH:MJ,LOS,"
                  "SA,,,NEND,RCV:\\\"%s\\\"\"\r\n;\r\n",
                  text);
}

static void
drip(struct conn *c, const struct lp_buf *buf)
{
    for (size_t i = 0; i < buf->len && !c->dead; i++) {
        put(c, buf->data + i, 1);
        usleep(10000);
    }
}

static void
endless(struct conn *c, const struct answer *a, bool one_line)
{
    char block[16384];
    struct lp_buf head = LP_BUF_INIT;

    lp_buf_printf(&head, "\r\n\n   %s 27-03-14 09:00:00\r\nM  %s COMPLD\r\n   \"", a->sid, a->ctag);
    put_buf(c, &head);
    lp_buf_free(&head);
    memset(block, 'x', sizeof block);
    if (!one_line)
        for (size_t i = 64; i + 8 < sizeof block; i += 64)
            memcpy(block + i, "\"\r\n   \"", 7);
    while (!c->dead && !stopping(c->ne))
        put(c, block, sizeof block);
}

static void
storm(struct conn *c)
{
    struct lp_buf out = LP_BUF_INIT;

    for (int i = 0; i < 5000 && !c->dead; i++) {
        build_alarm(&out, "M  L00001 DENY");
        put_buf(c, &out);
    }
    lp_buf_free(&out);
}

static void
flood(struct conn *c)
{
    char block[65536];

    memset(block, '\n', sizeof block); /* nothing costs a reader more per byte */
    while (!c->dead && !stopping(c->ne))
        put(c, block, sizeof block);
}

/* Faults that put something around a sound answer; true when the answer itself was dealt with. */
static bool
around(struct conn *c, struct answer *a, enum ne_fault fault, struct lp_buf *out)
{
    struct answer other = *a;
    struct lp_err err = LP_ERR_INIT;

    switch ((int)fault) {
    case NE_LATE_FIRST:
        other.ctag = "Z99999";
        other.completion = LP_TL1_DENY;
        other.error = "SROF";
        build(out, &other);
        return false;
    case NE_DOUBLE:
        build(out, a);
        return false;
    case NE_ALARMS:
        build_alarm(out, "M  L00001 DENY");
        other.more = true;
        other.completion = LP_TL1_RTRV;
        build(out, &other);
        build_alarm(out, "between");
        build(out, a);
        build_alarm(out, "behind the prompt");
        return true;
    case NE_ACK_SLOW:
        assert(lp_tl1_put_ack(out, LP_TL1_ACK_IP, a->ctag, &err) == LP_OK);
        put_buf(c, out);
        usleep(600000);
        return false;
    case NE_STORM:
        storm(c);
        return false;
    case NE_GARBAGE:
        for (int i = 0; i < 100; i++)
            lp_buf_str(out, "\r\n\x01\x02 nonsense \xff");
        return false;
    default:
        return false;
    }
}

/* Faults instead of a sound answer; false: none of these. */
static bool
instead(struct conn *c, struct answer *a, const struct rule *rule, struct lp_buf *out)
{
    static const enum lp_tl1_ack acks[] = {
        [NE_ACK_NA] = LP_TL1_ACK_NA, [NE_ACK_NG] = LP_TL1_ACK_NG, [NE_ACK_RL] = LP_TL1_ACK_RL};
    struct lp_err err = LP_ERR_INIT;

    switch ((int)rule->fault) {
    case NE_SILENT:
        return true;
    case NE_CUT:
        c->dead = true;
        return true;
    case NE_CUT_MIDDLE:
        build(out, a);
        put(c, out->data, out->len / 2);
        c->dead = true;
        return true;
    case NE_CUT_BLOCK:
        a->more = true;
        build(out, a);
        put_buf(c, out);
        c->dead = true;
        return true;
    case NE_DRIP:
        build(out, a);
        drip(c, out);
        return true;
    case NE_ACK_NA:
    case NE_ACK_NG:
    case NE_ACK_RL:
        assert(lp_tl1_put_ack(out, acks[rule->fault], a->ctag, &err) == LP_OK);
        put_buf(c, out);
        return true;
    case NE_FLOOD:
        flood(c);
        return true;
    case NE_ENDLESS:
    case NE_ENDLESS_LINE:
        endless(c, a, rule->fault == NE_ENDLESS_LINE);
        return true;
    case NE_DAMAGED:
        lp_buf_printf(out,
                      "\r\n\n   %s 27-03-14 09:00:00\r\nM  %s COMPLD\r\n   \"1:A:LABEL=\\\"x\r\n;"
                      "\r\nTL1>>",
                      a->sid, a->ctag);
        put_buf(c, out);
        return true;
    case NE_CUT_OFF:
        lp_buf_printf(out, "\r\n\n   %s 27-03-14 09:00:00\r\nM  %s COMPLD\r\n   \"1:A::IS\"\r\n",
                      a->sid, a->ctag);
        build_alarm(out, "another message");
        put_buf(c, out);
        return true;
    default:
        return false;
    }
}

static void
answer(struct conn *c, struct answer *a, const struct rule *rule)
{
    struct lp_buf out = LP_BUF_INIT;

    switch ((int)rule->fault) {
    case NE_OTHER_SID:
        a->sid = "n2";
        break;
    case NE_TAG_ZERO:
        *a =
            (struct answer){.sid = a->sid, .ctag = "0", .completion = LP_TL1_DENY, .error = "IBMS"};
        break;
    case NE_PRTL:
        a->completion = LP_TL1_PRTL;
        a->error = "SROF";
        break;
    case NE_DENY:
        *a = (struct answer){.sid = a->sid,
                             .ctag = a->ctag,
                             .completion = LP_TL1_DENY,
                             .error = rule->error,
                             .text = rule->text};
        break;
    default:
        break;
    }
    if (!instead(c, a, rule, &out)) {
        if (!around(c, a, rule->fault, &out))
            build(&out, a);
        if (rule->fault == NE_CANC)
            lp_buf_str(
                &out, "\r\n\n   n1 27-03-14 09:00:01\r\nA  9 CANC\r\n   \"session over\"\r\n;\r\n");
        if (out.data != NULL)
            put_buf(c, &out);
    }
    lp_buf_free(&out);
}

/* ---- commands ---- */

static struct rule
take_rule(struct ne *ne, const char *code)
{
    for (unsigned i = 0; i < ne->rule_count; i++)
        if (ne->rules[i].times > 0 && strcmp(ne->rules[i].code, code) == 0) {
            ne->rules[i].times--;
            return ne->rules[i];
        }
    return (struct rule){.fault = NE_NONE};
}

static void
note_command(struct ne *ne, const struct lp_tl1_command *command)
{
    for (unsigned i = 0; i < ne->tag_count; i++)
        if (strcmp(ne->tags[i], command->ctag) == 0)
            ne->tags_unique = false;
    assert(ne->tag_count < MAX_TAGS);
    (void)snprintf(ne->tags[ne->tag_count], sizeof ne->tags[0], "%s", command->ctag);
    (void)snprintf(ne->codes[ne->tag_count], sizeof ne->codes[0], "%s", command->code);
    ne->tag_count++;
}

static void
deny(struct answer *a, const char *error, const char *text)
{
    a->completion = LP_TL1_DENY;
    a->error = error;
    a->text = text;
    a->aid = NULL;
}

/* Under the lock: log-in and log-out. */
static void
log_in(struct conn *c, const struct lp_tl1_command *command, struct answer *a)
{
    const char *user = command->aids.count > 0 ? command->aids.params[0].value : "";
    const char *password = command->block_count > 1 && command->blocks[1].count > 0
                               ? command->blocks[1].params[0].value
                               : "";

    a->aid = NULL;
    if (!known_tid(c->ne, command->tid)) {
        deny(a, "IITA", "Input, Invalid TArget identifier");
    } else if (strcmp(user, USER) != 0 || strcmp(password, PASSWORD) != 0) {
        deny(a, "PIUI", "bad user or password");
    } else if (c->ne->options.max_sessions > 0
               && sessions_of(c->ne, command->tid) >= c->ne->options.max_sessions) {
        deny(a, "RALB", "all sessions in use");
    } else if (!logged_in(c, command->tid)) {
        (void)snprintf(c->tids[c->tid_count++], sizeof c->tids[0], "%s", command->tid);
        if (sessions_of(c->ne, command->tid) > c->ne->most)
            c->ne->most = sessions_of(c->ne, command->tid);
    }
}

static void
log_out(struct conn *c, const char *tid)
{
    for (unsigned i = 0; i < c->tid_count; i++)
        if (strcmp(c->tids[i], tid) == 0) {
            memmove(c->tids[i], c->tids[c->tid_count - 1], sizeof c->tids[0]);
            c->tid_count--;
            return;
        }
}

static void
run_command(struct conn *c, const struct lp_tl1_command *command)
{
    struct ne *ne = c->ne;
    struct answer a = {.sid = command->tid, .ctag = command->ctag, .completion = LP_TL1_COMPLD};
    struct rule rule;
    bool leave = strcmp(command->code, "CANC-USER") == 0;

    a.aid = command->aids.count > 0 ? command->aids.params[0].value : NULL;
    pthread_mutex_lock(&ne->lock);
    note_command(ne, command);
    rule = take_rule(ne, command->code);
    if (rule.fault == NE_FORGET_LOGIN)
        log_out(c, command->tid);
    if (strcmp(command->code, "ACT-USER") == 0)
        log_in(c, command, &a);
    else if (!logged_in(c, command->tid))
        deny(&a, "PLNA", "PRIVILEGE, LOGIN NOT ACTIVE");
    if (strcmp(command->code, "INH-MSG-ALL") == 0)
        c->allows = false;
    if (strcmp(command->code, "ALW-MSG-ALL") == 0)
        c->allows = true;
    if (leave) {
        a.aid = NULL;
        log_out(c, command->tid);
    }
    if (strncmp(command->code, "RTRV-", 5) != 0)
        a.aid = NULL;
    pthread_mutex_unlock(&ne->lock);
    answer(c, &a, &rule);
    if (rule.fault == NE_CANC)
        c->dead = true;
}

static enum lp_code
on_command(void *arg, const char *text, size_t len, struct lp_err *err)
{
    struct conn *c = arg;
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_tl1_command command;

    put(c, text, len); /* the echo */
    put(c, "\r\n", 2);
    if (lp_tl1_command_parse(text, len, &scratch, &command, err) == LP_OK)
        run_command(c, &command);
    else
        fprintf(stderr, "element: %.*s: %s\n", (int)len, text, err->msg);
    lp_err_clear(err);
    lp_tl1_scratch_free(&scratch);
    return LP_OK;
}

static void
send_alarms(struct conn *c)
{
    struct lp_buf out = LP_BUF_INIT;
    bool due;

    pthread_mutex_lock(&c->ne->lock);
    due = c->emitted < c->ne->emits;
    c->emitted = c->ne->emits;
    if (due && c->allows)
        build_alarm(&out, c->ne->emit_text);
    pthread_mutex_unlock(&c->ne->lock);
    if (out.len > 0)
        put_buf(c, &out);
    lp_buf_free(&out);
}

static void
greet(struct conn *c)
{
    const struct ne_options *o = &c->ne->options;

    if (o->telnet)
        put(c, "\xff\xfd\x18\xff\xfb\x01\xff\xfa\x18\x01\xff\xf0", 12);
    if (!o->no_prompt)
        put(c, "Software License Agreement\r\nlegal notice\r\nTL1>>", 47);
}

static void
serve(struct conn *c)
{
    struct lp_tl1_input input;
    struct lp_err err = LP_ERR_INIT;
    unsigned hang_ups;

    pthread_mutex_lock(&c->ne->lock);
    hang_ups = c->ne->hang_ups;
    pthread_mutex_unlock(&c->ne->lock);
    lp_tl1_input_init(&input, 0);
    greet(c);
    while (!c->dead) {
        char block[4096];
        size_t got = get(c, block, sizeof block);

        if (got > 0 && c->ne->options.telnet && (unsigned char)block[0] == 0xff) {
            size_t skip = 0; /* the client's refusals: three bytes each */

            while (skip + 3 <= got && (unsigned char)block[skip] == 0xff)
                skip += 3;
            memmove(block, block + skip, got -= skip);
        }
        if (lp_tl1_input_feed(&input, block, got, on_command, c, &err) != LP_OK)
            break;
        send_alarms(c);
        pthread_mutex_lock(&c->ne->lock);
        c->dead = c->dead || c->ne->stopping || c->ne->hang_ups != hang_ups;
        pthread_mutex_unlock(&c->ne->lock);
    }
    lp_tl1_input_free(&input);
}

/* ---- SSH: with libssh's messages, which are old but enough for a test ---- */

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static bool
password_right(const char *password)
{
    return password != NULL && strcmp(password, PASSWORD) == 0;
}

static int
method_of(const struct ne_options *options)
{
    if (options->old_release)
        return SSH_AUTH_METHOD_NONE;
    if (options->keys)
        return SSH_AUTH_METHOD_PUBLICKEY;
    return options->questions ? SSH_AUTH_METHOD_INTERACTIVE : SSH_AUTH_METHOD_PASSWORD;
}

/* A request that is answered by a question; true when it was. */
static bool
asked_back(ssh_message message, int method)
{
    const char *prompts[] = {"Password: "};
    char echo[] = {0};

    if (method == SSH_AUTH_METHOD_INTERACTIVE && !ssh_message_auth_kbdint_is_response(message)) {
        (void)ssh_message_auth_interactive_request(message, "login", "", 1, prompts, echo);
        return true;
    }
    if (method == SSH_AUTH_METHOD_PUBLICKEY
        && ssh_message_auth_publickey_state(message) == SSH_PUBLICKEY_STATE_NONE) {
        (void)ssh_message_auth_reply_pk_ok_simple(message);
        return true;
    }
    return false;
}

static bool
granted(const struct conn *c, ssh_message message, int method)
{
    if (method == SSH_AUTH_METHOD_PASSWORD)
        return password_right(ssh_message_auth_password(message));
    if (method == SSH_AUTH_METHOD_NONE)
        return strcmp(ssh_message_auth_user(message), "tl1telnet") == 0;
    if (method == SSH_AUTH_METHOD_PUBLICKEY)
        return ssh_message_auth_publickey_state(message) == SSH_PUBLICKEY_STATE_VALID;
    return ssh_userauth_kbdint_getnanswers(c->session) == 1
           && password_right(ssh_userauth_kbdint_getanswer(c->session, 0));
}

/* One message of the login; true when it was granted. */
static bool
ssh_auth(struct conn *c, ssh_message message)
{
    int want = method_of(&c->ne->options);

    ssh_message_auth_set_methods(message, want);
    if (ssh_message_subtype(message) == want) {
        if (asked_back(message, want))
            return false;
        if (granted(c, message, want)) {
            (void)ssh_message_auth_reply_success(message, 0);
            return true;
        }
    }
    (void)ssh_message_reply_default(message);
    return false;
}

/* What a channel asks for: the subsystem, or with an old release a shell. */
static bool
is_wanted(const struct conn *c, ssh_message message)
{
    const char *subsystem;

    if (c->channel == NULL || ssh_message_type(message) != SSH_REQUEST_CHANNEL)
        return false;
    if (c->ne->options.old_release)
        return ssh_message_subtype(message) == SSH_CHANNEL_REQUEST_SHELL;
    if (ssh_message_subtype(message) != SSH_CHANNEL_REQUEST_SUBSYSTEM)
        return false;
    subsystem = ssh_message_channel_request_subsystem(message);
    return subsystem != NULL && strcmp(subsystem, "tl1telnet") == 0;
}

/* Until the subsystem is asked for; false: it came to nothing. */
static bool
ssh_dialogue(struct conn *c)
{
    bool in = false;
    ssh_message message;

    if (ssh_handle_key_exchange(c->session) != SSH_OK)
        return false;
    while (!stopping(c->ne) && ssh_is_connected(c->session)) {
        bool ready = false;

        message = ssh_message_get(c->session);
        if (message == NULL)
            continue; /* nothing for a second, or over */

        if (!in && ssh_message_type(message) == SSH_REQUEST_AUTH) {
            in = ssh_auth(c, message);
        } else if (in && ssh_message_type(message) == SSH_REQUEST_CHANNEL_OPEN) {
            c->channel = ssh_message_channel_request_open_reply_accept(message);
        } else if (is_wanted(c, message)) {
            ready = ssh_message_channel_request_reply_success(message) == SSH_OK;
        } else {
            (void)ssh_message_reply_default(message);
        }
        ssh_message_free(message);
        if (ready)
            return true;
    }
    return false;
}

static void
close_conn(struct conn *c)
{
    if (c->session != NULL) {
        if (c->channel != NULL) {
            (void)ssh_channel_close(c->channel);
            ssh_channel_free(c->channel);
        }
        ssh_disconnect(c->session);
        ssh_free(c->session);
    } else {
        (void)close(c->fd);
    }
}

static void *
conn_main(void *arg)
{
    struct conn *c = arg;

    if (c->session == NULL || ssh_dialogue(c))
        serve(c);
    close_conn(c);
    pthread_mutex_lock(&c->ne->lock);
    c->dead = true;
    c->tid_count = 0;
    pthread_mutex_unlock(&c->ne->lock);
    return NULL;
}

/* ---- the element ---- */

static void
accept_one(struct ne *ne, int fd)
{
    struct conn *c = calloc(1, sizeof *c);

    assert(c != NULL);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    c->ne = ne;
    c->fd = fd;
    c->allows = true;
    if (ne->options.ssh) {
        c->session = ssh_new();
        assert(c->session != NULL);
        assert(ssh_options_set(c->session, SSH_OPTIONS_TIMEOUT, &(long){1}) == 0);
        if (ssh_bind_accept_fd(ne->bind, c->session, fd) != SSH_OK) {
            ssh_free(c->session);
            free(c);
            return;
        }
    }
    pthread_mutex_lock(&ne->lock);
    assert(ne->conn_count < MAX_CONNS);
    c->emitted = ne->emits;
    ne->conns[ne->conn_count++] = c;
    assert(pthread_create(&c->thread, NULL, conn_main, c) == 0);
    pthread_mutex_unlock(&ne->lock);
}

static void *
ne_main(void *arg)
{
    struct ne *ne = arg;
    struct pollfd ready = {.fd = ne->listener, .events = POLLIN};

    while (!stopping(ne)) {
        int fd;

        if (poll(&ready, 1, 20) <= 0)
            continue;
        fd = accept(ne->listener, NULL, NULL);
        if (fd >= 0)
            accept_one(ne, fd);
    }
    return NULL;
}

void
ne_change_key(struct ne *ne)
{
    ssh_key key = NULL;

    pthread_mutex_lock(&ne->lock);
    assert(ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) == SSH_OK);
    ssh_bind_free(ne->bind);
    ne->bind = ssh_bind_new();
    assert(ne->bind != NULL);
    assert(ssh_bind_options_set(ne->bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) == SSH_OK);
    pthread_mutex_unlock(&ne->lock);
}

struct ne *
ne_start(const struct ne_options *options)
{
    struct ne *ne = calloc(1, sizeof *ne);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    assert(ne != NULL);
    ne->options = *options;
    if (ne->options.tids == NULL)
        ne->options.tids = "";
    ne->tags = calloc(MAX_TAGS, sizeof *ne->tags);
    ne->codes = calloc(MAX_TAGS, sizeof *ne->codes);
    assert(ne->tags != NULL && ne->codes != NULL);
    ne->tags_unique = true;
    pthread_mutex_init(&ne->lock, NULL);
    if (options->ssh)
        ne_change_key(ne);
    ne->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(ne->listener >= 0 && bind(ne->listener, (struct sockaddr *)&at, sizeof at) == 0);
    assert(listen(ne->listener, 64) == 0
           && getsockname(ne->listener, (struct sockaddr *)&at, &len) == 0);
    ne->port = ntohs(at.sin_port);
    assert(pthread_create(&ne->thread, NULL, ne_main, ne) == 0);
    return ne;
}

void
ne_stop(struct ne *ne)
{
    pthread_mutex_lock(&ne->lock);
    ne->stopping = true;
    pthread_mutex_unlock(&ne->lock);
    pthread_join(ne->thread, NULL);
    for (unsigned i = 0; i < ne->conn_count; i++) {
        pthread_join(ne->conns[i]->thread, NULL);
        free(ne->conns[i]);
    }
    (void)close(ne->listener);
    ssh_bind_free(ne->bind);
    pthread_mutex_destroy(&ne->lock);
    free(ne->tags);
    free(ne->codes);
    free(ne);
}

uint16_t
ne_port(const struct ne *ne)
{
    return ne->port;
}

void
ne_rule(struct ne *ne, const char *code, enum ne_fault fault, unsigned times, const char *error,
        const char *text)
{
    struct rule *rule;

    pthread_mutex_lock(&ne->lock);
    assert(ne->rule_count < MAX_RULES);
    rule = &ne->rules[ne->rule_count++];
    *rule = (struct rule){.fault = fault, .times = times};
    (void)snprintf(rule->code, sizeof rule->code, "%s", code);
    (void)snprintf(rule->error, sizeof rule->error, "%s", error != NULL ? error : "SROF");
    (void)snprintf(rule->text, sizeof rule->text, "%s", text != NULL ? text : "");
    pthread_mutex_unlock(&ne->lock);
}

unsigned
ne_count(struct ne *ne, const char *code)
{
    unsigned count = 0;

    pthread_mutex_lock(&ne->lock);
    for (unsigned i = 0; i < ne->tag_count; i++)
        count += code[0] == '\0' || strcmp(ne->codes[i], code) == 0 ? 1 : 0;
    pthread_mutex_unlock(&ne->lock);
    return count;
}

unsigned
ne_connections(struct ne *ne)
{
    unsigned count;

    pthread_mutex_lock(&ne->lock);
    count = ne->conn_count;
    pthread_mutex_unlock(&ne->lock);
    return count;
}

unsigned
ne_most_sessions(struct ne *ne)
{
    unsigned most;

    pthread_mutex_lock(&ne->lock);
    most = ne->most;
    pthread_mutex_unlock(&ne->lock);
    return most;
}

unsigned
ne_sessions(struct ne *ne)
{
    unsigned count = 0;

    pthread_mutex_lock(&ne->lock);
    for (unsigned i = 0; i < ne->conn_count; i++)
        count += ne->conns[i]->tid_count;
    pthread_mutex_unlock(&ne->lock);
    return count;
}

bool
ne_tags_unique(struct ne *ne)
{
    bool unique;

    pthread_mutex_lock(&ne->lock);
    unique = ne->tags_unique;
    pthread_mutex_unlock(&ne->lock);
    return unique;
}

void
ne_emit(struct ne *ne, const char *text)
{
    pthread_mutex_lock(&ne->lock);
    (void)snprintf(ne->emit_text, sizeof ne->emit_text, "%s", text);
    ne->emits++;
    pthread_mutex_unlock(&ne->lock);
}

void
ne_hang_up(struct ne *ne)
{
    pthread_mutex_lock(&ne->lock);
    ne->hang_ups++;
    pthread_mutex_unlock(&ne->lock);
}
