/* One session: sending a command, matching its answer, login. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/utf8.h"
#include "clients/tl1_internal.h"

#define REPEAT_LATER_MS       5000 /* after RL: resources are short */
#define READS_AT_ONCE         64   /* of 16 KiB */
#define DEFAULT(ms, fallback) (((ms) > 0 ? (ms) : (fallback)) * 1000)

static struct tl1_limits
limits_of(const struct lp_tl1_session *session, int64_t phase_us)
{
    const struct lp_clock *clock = session->pool->options.clock;

    return (struct tl1_limits){
        .clock = clock, .wait = &session->call.wait, .until_us = tl1_now(clock) + phase_us};
}

/* ---- evidence ---- */

static int64_t
utc_now(const struct lp_tl1_session *session)
{
    static const struct lp_clock real = LP_CLOCK_INIT;
    const struct lp_clock *clock = session->pool->options.clock;

    return lp_clock_utc_us(clock != NULL ? clock : &real);
}

static size_t
evidence_limit(const struct lp_tl1_session *session)
{
    size_t limit = session->pool->options.max_evidence;

    return limit > 0 ? limit : (size_t)256 * 1024;
}

/* The first bytes are kept; of the rest only the hash (over all) and the count. */
static void
evidence_add(struct lp_tl1_session *session, const char *bytes, size_t len)
{
    struct tl1_evidence *kept = &session->evidence;
    size_t room = evidence_limit(session) - kept->text.len;

    if (session->call.transcript == NULL)
        return;
    kept->total += len;
    if (kept->hash == NULL && len <= room) {
        lp_buf_add(&kept->text, bytes, len);
        return;
    }
    if (kept->hash == NULL) {
        kept->hash = EVP_MD_CTX_new();
        if (kept->hash != NULL && EVP_DigestInit_ex(kept->hash, EVP_sha256(), NULL) == 1)
            (void)EVP_DigestUpdate(kept->hash, kept->text.data, kept->text.len);
        lp_buf_add(&kept->text, bytes, room);
    }
    if (kept->hash != NULL)
        (void)EVP_DigestUpdate(kept->hash, bytes, len);
}

static void
evidence_reset(struct lp_tl1_session *session)
{
    EVP_MD_CTX_free(session->evidence.hash);
    session->evidence.hash = NULL;
    session->evidence.total = 0;
    if (session->secrets != NULL && session->evidence.text.data != NULL)
        explicit_bzero(session->evidence.text.data, session->evidence.text.cap);
    lp_buf_reset(&session->evidence.text);
    if (session->evidence.text.cap > (size_t)64 * 1024)
        lp_buf_free(&session->evidence.text);
}

static void
hash_hex(EVP_MD_CTX *hash, char out[static 65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    out[0] = '\0';
    if (hash == NULL || EVP_DigestFinal_ex(hash, sum, &len) != 1)
        return;
    for (unsigned i = 0; i < 32 && i < len; i++)
        (void)snprintf(out + 2 * (size_t)i, 3, "%02x", sum[i]);
}

static void
evidence_give(struct lp_tl1_session *session, const char *sent, size_t sent_len, const char *code,
              int64_t started_us, enum lp_code outcome)
{
    struct lp_buf clean_sent = LP_BUF_INIT, clean = LP_BUF_INIT;
    char hash[65];
    bool shown;
    struct lp_tl1_exchange exchange;

    if (session->call.transcript == NULL)
        return;
    /* a secret may have been cut in two: of such an answer nothing is shown */
    shown = session->secrets == NULL || session->evidence.hash == NULL;
    hash_hex(session->evidence.hash, hash);
    lp_buf_str(&clean_sent, "");
    lp_buf_str(&clean, "");
    lp_tl1_redact(&clean_sent, sent, sent_len, session->secrets);
    lp_tl1_redact(&clean, session->evidence.text.data, session->evidence.text.len,
                  session->secrets);
    shown = shown && !clean.failed;
    exchange = (struct lp_tl1_exchange){
        .element = session->element.name,
        .tid = session->element.tid != NULL ? session->element.tid : "",
        .ctag = session->ctag,
        .code = code,
        .sent = clean_sent.failed ? "" : clean_sent.data,
        .received = shown ? clean.data : "",
        .received_len = shown ? clean.len : 0,
        .received_total = session->evidence.total,
        .received_sha256 = hash,
        .started_us = started_us,
        .ended_us = utc_now(session),
        .outcome = outcome,
        .writes = lp_tl1_writes(code),
    };
    session->call.transcript(session->call.transcript_arg, &exchange);
    lp_buf_free(&clean_sent);
    lp_buf_free(&clean);
}

/* What is about to be sent is kept first: this program may die before the answer. */
static enum lp_code
evidence_begins(struct lp_tl1_session *session, const char *sent, size_t sent_len, const char *code,
                int64_t started_us, struct lp_err *err)
{
    struct lp_buf clean = LP_BUF_INIT;
    enum lp_code rc;

    if (session->call.sending == NULL || session->secrets != NULL || !lp_tl1_writes(code))
        return LP_OK;
    lp_tl1_redact(&clean, sent, sent_len, NULL);
    rc = session->call.sending(
        session->call.transcript_arg,
        &(struct lp_tl1_exchange){.element = session->element.name,
                                  .tid = session->element.tid != NULL ? session->element.tid : "",
                                  .ctag = session->ctag,
                                  .code = code,
                                  .sent = clean.data == NULL ? "" : clean.data,
                                  .received = "",
                                  .received_sha256 = "",
                                  .started_us = started_us,
                                  .ended_us = started_us,
                                  .outcome = LP_UNKNOWN,
                                  .writes = true},
        err);
    lp_buf_free(&clean);
    return rc;
}

/* ---- receiving ---- */

static bool
is_ours(const struct lp_tl1_session *session, const struct lp_tl1_message *message)
{
    if (!session->waiting)
        return false;
    if (strcmp(message->tag, session->ctag) == 0)
        return true;
    /* the node could not read the tag: there is only one command it can mean */
    return strcmp(message->tag, "0") == 0 && message->kind == LP_TL1_RESPONSE
           && message->completion == LP_TL1_DENY;
}

/* An answer of another element, through a gateway that mixes them up or an address that moved. */
static bool
other_source(const struct lp_tl1_session *session, const struct lp_tl1_message *message)
{
    const char *wanted = session->element.sid;

    if (wanted == NULL || wanted[0] == '\0')
        wanted = session->element.tid;
    return wanted != NULL && wanted[0] != '\0' && message->sid[0] != '\0'
           && strcasecmp(wanted, message->sid) != 0;
}

/* The answer to a keep-alive or a log-out. */
static void
take_probe(struct lp_tl1_session *session, const struct lp_tl1_message *message)
{
    session->probe_tag[0] = '\0';
    if (message->completion == LP_TL1_DENY && lp_tl1_classify(message->error, "") == LP_TL1_LOGIN)
        session->cancelled = true; /* it was logged out: the next caller connects anew */
}

static enum lp_code
take_response(struct lp_tl1_session *session, const struct lp_tl1_message *message,
              struct lp_err *err)
{
    if (!is_ours(session, message)) {
        if (session->probe_tag[0] != '\0' && strcmp(message->tag, session->probe_tag) == 0)
            take_probe(session, message);
        else
            session->pool->late++;
        return LP_OK;
    }
    session->waiting = false;
    if (other_source(session, message)) {
        session->wrong_source = true;
        memcpy(session->source, message->sid, sizeof session->source);
        return LP_OK;
    }
    session->reply = lp_tl1_message_dup(message);
    return session->reply != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a TL1 reply");
}

static enum lp_code
on_message(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    struct lp_tl1_session *session = arg;

    switch (message->kind) {
    case LP_TL1_RESPONSE:
        return take_response(session, message, err);
    case LP_TL1_ACKNOWLEDGEMENT:
        if (is_ours(session, message)) {
            session->acknowledged = true;
            session->ack = message->ack;
        }
        return LP_OK;
    case LP_TL1_AUTONOMOUS:
        session->pool->autonomous++;
        if (strncmp(message->verb, "CANC", 4) == 0)
            session->cancelled = true;
        if (session->fn != NULL)
            session->fn(session->fn_arg, session->logins[0].element, message, NULL);
        return LP_OK;
    }
    return LP_OK;
}

/* Reads until nothing is there or the command is answered, but not for ever: who calls looks at the
   clock and at cancels in between, whatever an element pours out. *ended: the stream is over. */
static enum lp_code
read_some(struct lp_tl1_session *session, bool *ended, struct lp_err *err)
{
    char block[16384];
    enum lp_code rc = LP_OK;

    *ended = false;
    for (unsigned i = 0; rc == LP_OK && i < READS_AT_ONCE; i++) {
        ssize_t got = tl1_link_read(session->link, block, sizeof block);

        if (got <= 0) {
            *ended = got < 0;
            break;
        }
        evidence_add(session, block, (size_t)got);
        rc = lp_tl1_rx_feed(session->rx, block, (size_t)got, on_message, session, err);
        if (!session->waiting && session->reply != NULL)
            break;
    }
    return rc;
}

bool
tl1_session_drain(struct lp_tl1_session *session)
{
    struct lp_err err = LP_ERR_INIT;
    char block[16384];
    ssize_t got = 0;

    if (session->link == NULL || session->broken)
        return false;
    /* bounded: a storm leaves its rest for the next turn */
    for (unsigned i = 0; i < READS_AT_ONCE; i++) {
        got = tl1_link_read(session->link, block, sizeof block);
        session->more = got > 0;
        if (got <= 0)
            break;
        if (lp_tl1_rx_feed(session->rx, block, (size_t)got, on_message, session, &err) != LP_OK)
            got = -1;
        if (got < 0)
            break;
    }
    lp_err_clear(&err);
    session->broken = got < 0;
    return !session->broken;
}

/* ---- sending ---- */

struct attempt { /* one command on the wire */
    const struct lp_tl1_command *command;
    const char *text;
    size_t len, sent;
    bool writes;
    int64_t answer_us, progress_us; /* limits: to the first sign, after an acknowledgement */
};

/* Adds what the engine and people want to know beside the message. retry_ms 0: left out. */
static enum lp_code
with_detail(const struct lp_tl1_session *session, const char *code, int64_t retry_ms,
            struct lp_err *err)
{
    json_decref(err->detail);
    err->detail = json_pack("{s:s,s:s,s:s}", "device", session->element.name, "command", code,
                            "ctag", session->ctag);
    if (retry_ms > 0 && err->detail != NULL)
        (void)lp_json_set_int(err->detail, "retry_after_ms", retry_ms);
    return err->code;
}

/* The outcome when the answer is lost: nobody knows whether a write ran. */
static enum lp_code
lost(struct lp_tl1_session *session, const struct attempt *attempt, enum lp_code read_code,
     const char *why, struct lp_err *err)
{
    const char *code = attempt->command->code;
    enum lp_code rc = attempt->writes ? LP_UNKNOWN : read_code;

    session->broken = true;
    session->cut = attempt->sent > 0 && attempt->sent < attempt->len;
    if (attempt->sent == 0) {
        rc = lp_fail(err, read_code == LP_CANCELLED ? LP_CANCELLED : LP_RETRYABLE,
                     "%s: %s was not sent: %s", session->element.name, code, why);
    } else {
        session->pool->unknown += attempt->writes ? 1 : 0;
        rc = lp_fail(err, rc, "%s: the answer to %s (%s) is lost: %s", session->element.name, code,
                     session->ctag, why);
    }
    return rc == LP_OK ? rc : with_detail(session, code, 0, err);
}

static enum lp_code
lost_to(struct lp_tl1_session *session, const struct attempt *attempt, enum tl1_wake wake,
        struct lp_err *err)
{
    enum lp_code rc;

    if (wake == TL1_STOPPED)
        return lost(session, attempt, LP_CANCELLED, "stopped on request", err);
    rc = lost(session, attempt, LP_RETRYABLE,
              session->acknowledged ? "no end after the acknowledgement" : "it took too long", err);
    if (err->detail != NULL)
        (void)lp_json_set_str(err->detail, "code", "OPT-073");
    return rc;
}

/* Keeps code and message of the receiver for a read, its message for a write. */
static enum lp_code
unreadable(struct lp_tl1_session *session, const struct attempt *attempt, struct lp_err *err)
{
    char why[256];

    lp_utf8_copy(why, sizeof why, err->msg);
    return lost(session, attempt, err->code, why, err);
}

/* Nothing is begun for a caller who has no time left. The session is as good as before. */
static enum lp_code
may_begin(struct lp_tl1_session *session, const char *code, struct lp_err *err)
{
    struct tl1_limits limits = limits_of(session, 1000000);
    enum tl1_wake wake = tl1_look(&limits);

    if (wake == TL1_READY)
        return LP_OK;
    return lp_fail(err, wake == TL1_STOPPED ? LP_CANCELLED : LP_RETRYABLE,
                   "%s: %s was not sent: %s", session->element.name, code,
                   wake == TL1_STOPPED ? "stopped on request" : "there is no time left");
}

/* Input is read while sending: an element in a storm may stop to read before we do. */
static enum lp_code
send_all(struct lp_tl1_session *session, struct attempt *attempt, struct lp_err *err)
{
    struct tl1_limits limits = limits_of(session, attempt->answer_us);

    while (attempt->sent < attempt->len) {
        ssize_t done = tl1_link_write(session->link, attempt->text + attempt->sent,
                                      attempt->len - attempt->sent);
        enum tl1_wake wake;
        bool ended = false;

        if (done < 0)
            return lost(session, attempt, LP_RETRYABLE, "the connection broke", err);
        attempt->sent += (size_t)done;
        if (done > 0)
            continue;
        if (read_some(session, &ended, err) != LP_OK)
            return unreadable(session, attempt, err);
        if (ended)
            return lost(session, attempt, LP_RETRYABLE, "the element closed the connection", err);
        wake = tl1_wait(&limits, tl1_link_fd(session->link), tl1_link_write_events(session->link));
        if (wake != TL1_READY)
            return lost_to(session, attempt, wake, err);
    }
    return LP_OK;
}

/* An acknowledgement that is itself the end of the matter. */
static bool
ack_ends(enum lp_tl1_ack ack)
{
    return ack == LP_TL1_ACK_NA || ack == LP_TL1_ACK_NG || ack == LP_TL1_ACK_RL;
}

static enum lp_code
ack_outcome(struct lp_tl1_session *session, const struct attempt *attempt, struct lp_err *err)
{
    static const struct {
        enum lp_code write, read;
        const char *text;
    } outcomes[] = {
        [LP_TL1_ACK_NA] = {LP_UNKNOWN, LP_RETRYABLE, "not acknowledged, outcome not known (NA)"},
        [LP_TL1_ACK_NG] = {LP_REFUSED, LP_REFUSED, "cannot be executed (NG)"},
        [LP_TL1_ACK_RL] = {LP_RETRYABLE, LP_RETRYABLE, "repeat later (RL)"},
    };
    enum lp_code code =
        attempt->writes ? outcomes[session->ack].write : outcomes[session->ack].read;

    session->waiting = false;
    if (code == LP_UNKNOWN)
        session->pool->unknown++;
    code = lp_fail(err, code, "%s: %s: %s", session->element.name, attempt->command->code,
                   outcomes[session->ack].text);
    return code == LP_OK ? code
                         : with_detail(session, attempt->command->code,
                                       session->ack == LP_TL1_ACK_RL ? REPEAT_LATER_MS : 0, err);
}

static enum lp_code
await(struct lp_tl1_session *session, const struct attempt *attempt, struct lp_err *err)
{
    struct tl1_limits limits = limits_of(session, attempt->answer_us);
    uint64_t broken = lp_tl1_rx_counts(session->rx).broken;

    for (;;) {
        bool ended;
        enum tl1_wake wake;

        if (read_some(session, &ended, err) != LP_OK)
            return unreadable(session, attempt, err);
        if (!session->waiting)
            return LP_OK;
        if (lp_tl1_rx_counts(session->rx).broken != broken)
            return lost(session, attempt, LP_PROTOCOL, "a message was cut off by another", err);
        if (session->acknowledged) {
            if (ack_ends(session->ack))
                return ack_outcome(session, attempt, err);
            session->acknowledged = false;
            limits = limits_of(session, attempt->progress_us);
        }
        if (ended)
            return lost(session, attempt, LP_RETRYABLE, "the element closed the connection", err);
        wake = tl1_wait(&limits, tl1_link_fd(session->link), tl1_link_events(session->link));
        if (wake != TL1_READY)
            return lost_to(session, attempt, wake, err);
    }
}

static enum lp_code
judge(struct lp_tl1_session *session, const struct attempt *attempt, enum lp_tl1_class *error_class,
      struct lp_err *err)
{
    if (session->wrong_source) {
        session->broken = true;
        if (attempt->writes)
            session->pool->unknown++;
        return lp_fail(err, attempt->writes ? LP_UNKNOWN : LP_PROTOCOL,
                       "%s: %s was answered by another element, '%s'", session->element.name,
                       attempt->command->code, session->source);
    }
    return lp_tl1_verdict(session->reply, attempt->command, session->element.name, error_class,
                          err);
}

static void
forget_reply(struct lp_tl1_session *session)
{
    free(session->reply);
    session->reply = NULL;
    session->waiting = session->acknowledged = session->wrong_source = false;
}

/* How long the answer may take: by what the command does. */
static void
set_timers(const struct lp_tl1_session *session, struct attempt *attempt)
{
    const struct lp_tl1_pool_options *o = &session->pool->options;
    const char *code = attempt->command->code;

    attempt->progress_us = DEFAULT(o->progress_ms, 180000);
    attempt->answer_us = attempt->command->aids.count > 0 ? DEFAULT(o->object_ms, 30000)
                                                          : DEFAULT(o->class_ms, 120000);
    if (attempt->writes)
        attempt->answer_us = DEFAULT(o->write_ms, 60000);
    if (strncasecmp(code, "OPR-", 4) == 0)
        attempt->answer_us = attempt->progress_us;
    if (session->secrets != NULL || strcasecmp(code, "INH-MSG-ALL") == 0
        || strcasecmp(code, "INH-DBREPT-ALL") == 0 || strcasecmp(code, "ALW-MSG-ALL") == 0)
        attempt->answer_us = DEFAULT(o->login_ms, 15000);
}

/* Sends one command with a fresh tag and waits for its end. *error_class tells why it was denied.
 */
static enum lp_code
attempt_once(struct lp_tl1_session *session, struct lp_tl1_command *command,
             enum lp_tl1_class *error_class, struct lp_err *err)
{
    struct attempt attempt = {.command = command, .writes = lp_tl1_writes(command->code)};
    struct lp_buf text = LP_BUF_INIT;
    int64_t started_us = utc_now(session);
    enum lp_code rc;

    forget_reply(session);
    *error_class = LP_TL1_UNCLEAR;
    tl1_pool_tag(session->pool, session->ctag);
    command->tid = session->element.tid;
    command->ctag = session->ctag;
    rc = may_begin(session, command->code, err);
    if (rc == LP_OK)
        rc = lp_tl1_command_put(&text, command, err);
    if (rc != LP_OK) {
        lp_buf_free(&text);
        return rc;
    }
    attempt.text = text.data;
    attempt.len = text.len;
    set_timers(session, &attempt);
    evidence_reset(session);
    session->pool->exchanges++;
    session->waiting = true;
    lp_tl1_rx_sent(session->rx, text.data, text.len);
    rc = evidence_begins(session, text.data, text.len, command->code, started_us, err);
    if (rc == LP_OK)
        rc = send_all(session, &attempt, err);
    if (rc == LP_OK)
        rc = await(session, &attempt, err);
    session->waiting = false;
    if (rc == LP_OK)
        rc = judge(session, &attempt, error_class, err);
    evidence_give(session, text.data, text.len, command->code, started_us, rc);
    if (session->secrets != NULL) {
        explicit_bzero(text.data, text.len);
        lp_tl1_rx_sent(session->rx, "", 0);
        evidence_reset(session);
    }
    lp_buf_free(&text);
    return rc;
}

bool
tl1_session_post(struct lp_tl1_session *session, const char *code, const struct tl1_login *login,
                 bool user, char ctag[static LP_TL1_CTAG_MAX + 1])
{
    const struct lp_tl1_param param = {.value = login->user};
    struct lp_tl1_command command = {.code = code, .tid = login->tid, .ctag = ctag};
    struct lp_buf text = LP_BUF_INIT;
    struct lp_err err = LP_ERR_INIT;
    bool sent = false;

    tl1_pool_tag(session->pool, ctag);
    if (user)
        command.aids = (struct lp_tl1_block){.params = &param, .count = 1};
    if (session->link != NULL && lp_tl1_command_put(&text, &command, &err) == LP_OK) {
        lp_tl1_rx_sent(session->rx, text.data, text.len);
        sent = tl1_link_write(session->link, text.data, text.len) == (ssize_t)text.len;
    }
    lp_err_clear(&err);
    lp_buf_free(&text);
    return sent;
}

/* ---- login ---- */

/* The prompt says that the dialogue is ready; when there is none, a silence does. */
static enum lp_code
await_prompt(struct lp_tl1_session *session, struct lp_err *err)
{
    struct tl1_limits limits = limits_of(session, DEFAULT(session->pool->options.login_ms, 15000));
    int64_t silence_us = DEFAULT(session->pool->options.banner_ms, 3000);
    int64_t quiet_at = tl1_now(limits.clock) + silence_us;
    uint64_t seen = 0;

    while (!lp_tl1_rx_at_prompt(session->rx)) {
        struct tl1_limits short_limits = limits;
        bool ended;
        enum tl1_wake wake;
        uint64_t count;

        if (read_some(session, &ended, err) != LP_OK)
            return lp_err_prefix(err, "%s: ", session->element.name);
        if (ended)
            return lp_fail(err, LP_RETRYABLE, "%s closed the connection before the login",
                           session->element.name);
        count = lp_tl1_rx_counts(session->rx).garbage + (lp_tl1_rx_busy(session->rx) ? 1 : 0);
        if (count != seen)
            quiet_at = tl1_now(limits.clock) + silence_us;
        seen = count;
        if (lp_tl1_rx_at_prompt(session->rx))
            break;
        if (tl1_now(limits.clock) >= quiet_at)
            break;
        if (quiet_at < limits.until_us)
            short_limits.until_us = quiet_at;
        wake = tl1_wait(&short_limits, tl1_link_fd(session->link), tl1_link_events(session->link));
        if (wake == TL1_STOPPED)
            return lp_fail(err, LP_CANCELLED, "stopped while logging in to %s",
                           session->element.name);
        if (wake == TL1_TIMEOUT && tl1_now(limits.clock) < quiet_at)
            return lp_fail(err, LP_RETRYABLE, "%s sent no prompt", session->element.name);
    }
    return LP_OK;
}

/* A refusal of these is no reason to go without the session: messages just keep coming. */
static enum lp_code
set_messages(struct lp_tl1_session *session, struct lp_err *err)
{
    static const struct lp_tl1_block two[2] = {{.count = 0}, {.count = 0}};
    struct lp_tl1_command commands[] = {
        {.code = session->events ? "ALW-MSG-ALL" : "INH-MSG-ALL", .blocks = two, .block_count = 2},
        {.code = "INH-DBREPT-ALL"},
    };
    size_t count = session->events ? 1 : 2;

    for (size_t i = 0; i < count; i++) {
        enum lp_tl1_class error_class;
        enum lp_code rc = attempt_once(session, &commands[i], &error_class, err);

        if (rc != LP_OK && rc != LP_REFUSED && rc != LP_CONFLICT)
            return rc;
        lp_err_clear(err);
    }
    return LP_OK;
}

static enum lp_code
act_user(struct lp_tl1_session *session, const struct lp_tl1_credentials *credentials,
         struct lp_err *err)
{
    const char *const secrets[] = {credentials->password, credentials->ssh_password, NULL};
    const struct lp_tl1_param user = {.value = credentials->user};
    const struct lp_tl1_param password = {.value = credentials->password};
    const struct lp_tl1_block blocks[2] = {{.count = 0}, {.params = &password, .count = 1}};
    struct lp_tl1_command command = {.code = "ACT-USER",
                                     .aids = {.params = &user, .count = 1},
                                     .blocks = blocks,
                                     .block_count = 2};
    enum lp_tl1_class error_class;
    enum lp_code rc;

    session->secrets = secrets;
    rc = attempt_once(session, &command, &error_class, err);
    session->secrets = NULL;
    forget_reply(session);
    if (rc == LP_OK)
        return LP_OK;
    if (rc == LP_CONFLICT) { /* logged in already: that is what was wanted */
        lp_err_clear(err);
        return LP_OK;
    }
    if (rc == LP_REFUSED) { /* whatever the node calls it, it does not let us in */
        rc = err->code = LP_AUTH;
    }
    session->pool->refused_logins += rc == LP_AUTH ? 1 : 0;
    return rc;
}

enum lp_code
tl1_session_login(struct lp_tl1_session *session, struct lp_err *err)
{
    struct lp_tl1_pool *pool = session->pool;
    struct lp_tl1_credentials credentials = {.user = ""};
    enum lp_code rc;

    rc = pool->options.credentials(pool->options.credentials_arg, session->element.name,
                                   &credentials, err);
    if (rc == LP_OK)
        rc = tl1_pool_breaker_check(pool, session->element.name, &credentials, err);
    if (rc == LP_OK) {
        rc = act_user(session, &credentials, err);
        if (rc == LP_OK || rc == LP_AUTH)
            tl1_pool_breaker_set(pool, session->element.name, &credentials, rc == LP_OK);
    }
    if (rc == LP_OK) {
        free(session->now->user);
        session->now->user = strdup(credentials.user);
        if (session->now->user == NULL)
            rc = lp_fail(err, LP_NOMEM, "no memory for a TL1 session");
    }
    explicit_bzero(&credentials, sizeof credentials);
    if (rc == LP_OK)
        rc = set_messages(session, err);
    if (rc == LP_OK)
        pool->logins++;
    if (rc == LP_OK && pool->options.identify != NULL) {
        session->within = true;
        rc = pool->options.identify(pool->options.identify_arg, &session->element, session, err);
        session->within = false;
    }
    forget_reply(session);
    return rc;
}

static enum lp_code
dial(struct lp_tl1_session *session, const struct lp_tl1_address *address, struct lp_err *err)
{
    struct lp_tl1_pool *pool = session->pool;
    struct lp_tl1_credentials credentials = {.user = ""};
    const struct tl1_link_options options = {
        .address = address, .credentials = &credentials, .pool = &pool->options};
    int64_t connect_us = DEFAULT(pool->options.connect_ms, 10000);
    struct tl1_limits limits =
        limits_of(session, address->transport == LP_TL1_SSH ? 2 * connect_us : connect_us);
    enum lp_code rc = pool->options.credentials(pool->options.credentials_arg,
                                                session->element.name, &credentials, err);

    if (rc == LP_OK)
        rc = tl1_pool_breaker_check(pool, session->element.name, &credentials, err);
    if (rc == LP_OK) {
        rc = tl1_link_open(&options, &limits, &session->link, err);
        if (rc != LP_OK)
            lp_err_prefix(err, "%s: ", session->element.name);
        if (rc == LP_AUTH)
            tl1_pool_breaker_set(pool, session->element.name, &credentials, false);
    }
    explicit_bzero(&credentials, sizeof credentials);
    return rc;
}

enum lp_code
tl1_session_open(struct lp_tl1_session *session, const struct lp_tl1_address *address,
                 struct lp_err *err)
{
    const struct lp_tl1_rx_options options = {.max_message = session->pool->options.max_reply};
    enum lp_code rc = dial(session, address, err);

    if (rc != LP_OK)
        return rc;
    session->pool->connects++;
    session->broken = session->cancelled = session->cut = false;
    session->rx = lp_tl1_rx_new(&options);
    rc = session->rx != NULL ? await_prompt(session, err)
                             : lp_fail(err, LP_NOMEM, "no memory for a TL1 session");
    if (rc == LP_OK)
        rc = tl1_session_login(session, err);
    if (rc != LP_OK)
        tl1_session_hang_up(session);
    return rc;
}

void
tl1_session_hang_up(struct lp_tl1_session *session)
{
    tl1_link_close(session->link);
    session->link = NULL;
    lp_tl1_rx_free(session->rx);
    session->rx = NULL;
    forget_reply(session);
    evidence_reset(session);
    session->broken = true;
}

/* ---- exchanges ---- */

/* The connection went away while nobody asked anything of it: nothing was sent, so make another. */
static enum lp_code
revive(struct lp_tl1_session *session, struct lp_err *err)
{
    if (session->within)
        return lp_fail(err, LP_RETRYABLE, "%s closed the connection during the login",
                       session->element.name);
    tl1_session_hang_up(session);
    tl1_pool_forget_others(session);
    return tl1_pool_open_any(session, err);
}

enum lp_code
lp_tl1_exchange(struct lp_tl1_session *session, const struct lp_tl1_command *command,
                const struct lp_tl1_message **reply, struct lp_err *err)
{
    struct lp_tl1_command own = *command;
    enum lp_tl1_class error_class;
    enum lp_code rc = LP_OK;

    if (reply != NULL)
        *reply = NULL;
    if (command->code == NULL || command->ctag != NULL || command->tid != NULL)
        return lp_fail(err, LP_INVALID, "TID and CTAG of a command are the session's");
    forget_reply(session);
    if (!tl1_session_drain(session) || session->cancelled)
        rc = revive(session, err);
    if (rc != LP_OK)
        return rc;
    rc = attempt_once(session, &own, &error_class, err);
    if (rc == LP_AUTH && error_class == LP_TL1_LOGIN && !session->broken && !session->within) {
        /* the denial proves that it did not run */
        lp_err_clear(err);
        rc = tl1_session_login(session, err);
        if (rc == LP_OK)
            rc = attempt_once(session, &own, &error_class, err);
    }
    if (reply != NULL)
        *reply = session->reply;
    return rc;
}

enum lp_code
lp_tl1_retrieve(struct lp_tl1_session *session, const struct lp_tl1_command *command,
                lp_tl1_record_fn *fn, void *arg, struct lp_err *err)
{
    struct lp_tl1_scratch scratch = {.text = NULL};
    const struct lp_tl1_message *reply = NULL;
    struct lp_tl1_record record;
    enum lp_code rc = lp_tl1_exchange(session, command, &reply, err);

    for (size_t i = 0; rc == LP_OK && reply != NULL && i < reply->line_count; i++) {
        if (reply->lines[i].kind != LP_TL1_LINE_RECORD)
            continue;
        rc = lp_tl1_message_record(reply, i, &scratch, &record, err);
        if (rc == LP_OK)
            rc = fn(arg, &record, err);
    }
    lp_tl1_scratch_free(&scratch);
    return rc;
}

/* Operators leave the tag out, paste the '*' that a plan shows in its place, or leave out the
 * blocks up to it: "RTRV-SYS" becomes "RTRV-SYS:::T1;". */
static void
complete(struct lp_buf *out, const char *text)
{
    unsigned colons = 0;
    bool quoted = false;
    size_t at = 0, len = strlen(text);

    while (len > 0
           && (text[len - 1] == ';' || text[len - 1] == ' ' || text[len - 1] == '\n'
               || text[len - 1] == '\r'))
        len--;
    for (; at < len && colons < 3; at++) {
        quoted = quoted != (text[at] == '"');
        colons += text[at] == ':' && !quoted ? 1 : 0;
    }
    lp_buf_add(out, text, at);
    while (colons++ < 3)
        lp_buf_char(out, ':');
    while (at < len && text[at] == ' ')
        at++;
    if (at < len && text[at] == '*' && (at + 1 == len || text[at + 1] == ':'))
        at++; /* as plans show it */
    if (at == len || text[at] == ':')
        lp_buf_str(out, "T1");
    lp_buf_add(out, text + at, len - at);
    lp_buf_char(out, ';');
}

static enum lp_code
check_raw(const struct lp_tl1_session *session, const struct lp_tl1_command *command,
          struct lp_err *err)
{
    const char *tid = session->element.tid != NULL ? session->element.tid : "";

    if (command->tid[0] != '\0' && strcasecmp(command->tid, tid) != 0)
        return lp_fail(err, LP_INVALID, "the command is for '%.100s', not for %s", command->tid,
                       session->element.name);
    if (strcasecmp(command->code, "ACT-USER") == 0 || strcasecmp(command->code, "CANC-USER") == 0)
        return lp_fail(err, LP_DENIED, "%s is the session's own affair", command->code);
    return LP_OK;
}

enum lp_code
lp_tl1_raw(struct lp_tl1_session *session, const char *text, const struct lp_tl1_message **reply,
           struct lp_err *err)
{
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_buf full = LP_BUF_INIT;
    struct lp_tl1_command command;
    enum lp_code rc;

    if (reply != NULL)
        *reply = NULL;
    complete(&full, text);
    rc = full.failed ? lp_fail(err, LP_NOMEM, "no memory for a TL1 command")
                     : lp_tl1_command_parse(full.data, full.len, &scratch, &command, err);
    if (rc == LP_OK)
        rc = check_raw(session, &command, err);
    if (rc == LP_OK) {
        command.tid = command.ctag = NULL;
        rc = lp_tl1_exchange(session, &command, reply, err);
    }
    lp_buf_free(&full);
    lp_tl1_scratch_free(&scratch);
    return rc;
}

const char *
lp_tl1_session_element(const struct lp_tl1_session *session)
{
    return session->element.name;
}
