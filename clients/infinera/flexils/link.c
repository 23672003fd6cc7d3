#include "clients/infinera/flexils/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/flexils/read.h"

#define REPEAT_WITHIN_US 1000000

/* ---- addresses ---- */

static enum lp_code
bad_address(const char *text, struct lp_err *err)
{
    return lp_fail(err, LP_INVALID,
                   "'%.128s' is no address: host, host:port, ssh://host:port or tcp://host:port",
                   text);
}

/* The colon before a port; NULL without one. A bare IPv6 address has several and no port. */
static const char *
port_colon(const char *rest)
{
    const char *colon = strrchr(rest, ':');

    if (rest[0] == '[')
        return colon != NULL && colon[-1] == ']' ? colon : NULL;
    return colon != NULL && strchr(rest, ':') == colon ? colon : NULL;
}

static bool
split_port(const char *colon, uint16_t *port)
{
    char *end;
    unsigned long value = strtoul(colon + 1, &end, 10);

    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || value < 1 || value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

enum lp_code
fx_address(struct lp_arena *arena, const struct lp_conf *conf, const char *text,
           struct lp_tl1_address *out, struct lp_err *err)
{
    bool tcp = strcmp(conf->devices_tl1_transport, "tcp") == 0;
    const char *rest = text, *colon;
    size_t len;

    if (strncmp(text, "ssh://", 6) == 0 || strncmp(text, "tcp://", 6) == 0) {
        tcp = text[0] == 't';
        rest = text + 6;
    }
    *out = (struct lp_tl1_address){.transport = tcp ? LP_TL1_TCP : LP_TL1_SSH};
    out->port = (uint16_t)(tcp ? conf->devices_tl1_tcp_port : conf->devices_tl1_ssh_port);
    colon = port_colon(rest);
    if (colon != NULL && !split_port(colon, &out->port))
        return bad_address(text, err);
    len = colon != NULL ? (size_t)(colon - rest) : strlen(rest);
    if (len >= 2 && rest[0] == '[' && rest[len - 1] == ']') {
        rest++;
        len -= 2;
    }
    if (len == 0 || len > 255 || memchr(rest, '/', len) != NULL)
        return bad_address(text, err);
    out->host = lp_arena_strndup(arena, rest, len);
    return out->host != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an address");
}

/* ---- opening ---- */

static enum lp_code
read_addresses(struct fx_ne *fx, const char *const *texts, size_t count, struct lp_err *err)
{
    const struct lp_conf *conf = lp_driver_host_conf(fx->ne.host);
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < count && fx->address_count < FX_ADDRESSES_MAX; i++) {
        rc = fx_address(fx->memory, conf, texts[i], &fx->addresses[fx->address_count], err);
        if (rc == LP_OK)
            fx->address_count++;
    }
    return rc;
}

static const char *
own(struct fx_ne *fx, const char *text)
{
    return text != NULL ? lp_arena_strdup(fx->memory, text) : NULL;
}

static enum lp_code
own_element(struct fx_ne *fx, const struct lp_element *element, struct lp_err *err)
{
    fx->through_gateway = element->address_count == 0;
    fx->element = *element;
    fx->element.id = own(fx, element->id);
    fx->element.name = own(fx, element->name != NULL ? element->name : element->node);
    fx->element.node = own(fx, element->node);
    fx->element.driver = "infinera-flexils";
    fx->element.credentials = own(
        fx, element->credentials != NULL && element->credentials[0] != '\0' ? element->credentials
                                                                            : fx->element.driver);
    fx->element.serial = own(fx, element->serial);
    fx->element.addresses = fx->element.gateways = NULL; /* parsed into fx->addresses */
    if (fx->element.node == NULL || fx->element.node[0] == '\0')
        return lp_fail(err, LP_INVALID, "the element %s has no TL1 target identifier",
                       fx->element.name != NULL ? fx->element.name : "?");
    if (element->address_count == 0 && element->gateway_count == 0)
        return lp_fail(err, LP_INVALID, "%s has neither an address nor a gateway",
                       fx->element.name);
    if (fx->through_gateway)
        return read_addresses(fx, element->gateways, element->gateway_count, err);
    return read_addresses(fx, element->addresses, element->address_count, err);
}

static enum lp_code
exchange_once(struct fx_ne *fx, const struct lp_tl1_command *command,
              const struct lp_tl1_message **reply, struct lp_err *err)
{
    enum lp_code rc = lp_tl1_exchange(fx->session, command, reply, err);

    if (*reply == NULL && rc != LP_INVALID)
        fx_disconnect(fx); /* it lost its answer: the next command gets another session */
    return rc;
}

/* A pooled session may have died while it was idle. What was not sent, or only reads, is sent once
 * more when that shows at once. */
static enum lp_code
exchange_tl1(struct fx_ne *fx, const struct lp_tl1_command *command,
             const struct lp_tl1_message **reply, struct lp_err *err)
{
    const struct lp_clock *clock = lp_driver_host_clock(fx->ne.host);
    int64_t begun;
    enum lp_code rc;

    *reply = NULL;
    rc = fx_connect(fx, err);
    if (rc != LP_OK)
        return rc;
    begun = lp_clock_mono_us(clock);
    rc = exchange_once(fx, command, reply, err);
    if (rc != LP_RETRYABLE || *reply != NULL || lp_clock_mono_us(clock) - begun > REPEAT_WITHIN_US)
        return rc;
    lp_err_clear(err);
    rc = fx_connect(fx, err);
    return rc == LP_OK ? exchange_once(fx, command, reply, err) : rc;
}

enum lp_code
fx_open(struct lp_driver_host *host, const struct lp_element *element, struct lp_ne **out,
        struct lp_err *err)
{
    struct lp_arena *memory = lp_arena_new();
    struct fx_ne *fx = memory != NULL ? lp_arena_alloc(memory, sizeof *fx) : NULL;
    enum lp_code rc;

    if (fx == NULL) {
        lp_arena_free(memory);
        return lp_fail(err, LP_NOMEM, "no memory for an element");
    }
    fx->memory = memory;
    fx->exchange = exchange_tl1;
    fx->ne = (struct lp_ne){.driver = lp_driver_of("infinera-flexils"),
                            .host = host,
                            .element = &fx->element,
                            .priv = fx};
    rc = own_element(fx, element, err);
    if (rc == LP_OK)
        rc = lp_driver_host_note(host, &fx->element, err);
    if (rc != LP_OK) {
        lp_arena_free(memory);
        return rc;
    }
    *out = &fx->ne;
    return LP_OK;
}

void
fx_close(struct lp_ne *ne)
{
    struct fx_ne *fx;

    if (ne == NULL)
        return;
    fx = ne->priv;
    fx_disconnect(fx);
    if (fx->events)
        lp_tl1_events_stop(lp_driver_host_tl1(ne->host), fx->element.name);
    lp_buf_free(&fx->received);
    lp_arena_free(fx->memory);
}

/* ---- sessions ---- */

static int64_t
left_ms(void *arg)
{
    const struct fx_ne *fx = arg;
    int64_t left = fx->call != NULL ? fx->call->time_left_ms(fx->call->ctx) : 0, probe;

    if (fx->probe_until_us == 0)
        return left;
    probe = (fx->probe_until_us - lp_clock_mono_us(lp_driver_host_clock(fx->ne.host))) / 1000;
    return probe < left ? probe : left;
}

static struct lp_exchange
exchange_of(const struct fx_ne *fx, const struct lp_tl1_exchange *x)
{
    return (struct lp_exchange){
        .element = fx->element.id,
        .protocol = "tl1",
        .sent = x->sent,
        .received = x->received_total > 0 ? x->received : NULL,
        .outcome = x->outcome,
        .at_us = x->started_us,
        .took_us = x->ended_us - x->started_us,
        .writes = x->writes,
    };
}

static enum lp_code
sending(void *arg, const struct lp_tl1_exchange *x, struct lp_err *err)
{
    struct fx_ne *fx = arg;
    const struct lp_exchange exchange = exchange_of(fx, x);

    if (fx->call == NULL || fx->call->sending == NULL)
        return LP_OK;
    return fx->call->sending(fx->call->ctx, &exchange, err);
}

static void
transcript(void *arg, const struct lp_tl1_exchange *x)
{
    struct fx_ne *fx = arg;
    const struct lp_exchange exchange = exchange_of(fx, x);

    lp_buf_reset(&fx->received);
    lp_buf_add(&fx->received, x->received, x->received_len);
    if (fx->call != NULL)
        fx->call->evidence(fx->call->ctx, &exchange);
}

void
fx_tl1_call(struct fx_ne *fx, struct lp_tl1_call *out)
{
    *out = (struct lp_tl1_call){
        .wait = {.left_ms = left_ms, .left_arg = fx, .cancel_fd = -1},
        .transcript = transcript,
        .sending = sending,
        .transcript_arg = fx,
    };
}

void
fx_tl1_element(const struct fx_ne *fx, size_t address, struct lp_tl1_element *out)
{
    const struct lp_conf *conf = lp_driver_host_conf(fx->ne.host);

    *out = (struct lp_tl1_element){
        .name = fx->element.name,
        .tid = fx->element.node,
        .addresses = fx->through_gateway ? &fx->addresses[address] : fx->addresses,
        .address_count = fx->through_gateway ? 1 : fx->address_count,
        .max_sessions = fx->element.max_sessions != 0 ? fx->element.max_sessions
                                                      : (unsigned)conf->devices_sessions,
    };
}

static enum lp_code
acquire(struct fx_ne *fx, size_t address, struct lp_err *err)
{
    struct lp_tl1_element element;
    struct lp_tl1_call call;

    fx_tl1_element(fx, address, &element);
    fx_tl1_call(fx, &call);
    return lp_tl1_acquire(lp_driver_host_tl1(fx->ne.host), &element, &call, &fx->session, err);
}

static const char *
gateway_text(struct fx_ne *fx, size_t address)
{
    return lp_arena_printf(fx->memory, "%s:%u", fx->addresses[address].host,
                           (unsigned)fx->addresses[address].port);
}

/* A gateway that lets us log in on the element reaches it. One that is busy, and a refused login,
 * end the search: the next one would only lock the account or take another session. */
static bool
is_final(const struct lp_err *err)
{
    return err->code != LP_RETRYABLE || lp_tl1_is_busy(err);
}

size_t
fx_known_gateway(struct fx_ne *fx)
{
    char known[280];

    lp_driver_host_get_gateway(fx->ne.host, fx->element.name, known, sizeof known);
    for (size_t i = 0; known[0] != '\0' && i < fx->address_count; i++) {
        if (strcmp(gateway_text(fx, i), known) == 0)
            return i;
    }
    return fx->address_count;
}

/* A gateway that says nothing must not use up the time for the next one. */
static enum lp_code
try_gateway(struct fx_ne *fx, size_t address, struct lp_err *err)
{
    const struct lp_clock *clock = lp_driver_host_clock(fx->ne.host);
    int64_t limit_ms = lp_driver_host_conf(fx->ne.host)->devices_gateway_probe_ms;
    enum lp_code rc;

    fx->probe_until_us = lp_clock_mono_us(clock) + limit_ms * 1000;
    rc = acquire(fx, address, err);
    fx->probe_until_us = 0;
    if (rc == LP_CANCELLED
        && fx->call->time_left_ms(fx->call->ctx) > 0) /* our limit, not the call's */
        rc = lp_fail(err, LP_RETRYABLE, "no answer within %lld ms", (long long)limit_ms);
    return rc;
}

/* The one that worked last, then all in their order: nearest first. */
static enum lp_code
acquire_through(struct fx_ne *fx, struct lp_err *err)
{
    size_t known = fx_known_gateway(fx);
    struct lp_buf tried = LP_BUF_INIT;
    enum lp_code rc = LP_RETRYABLE;

    for (size_t n = 0; n <= fx->address_count; n++) {
        size_t i = n == 0 ? known : n - 1;

        if (i >= fx->address_count || (n > 0 && i == known))
            continue;
        lp_err_clear(err);
        rc = try_gateway(fx, i, err);
        if (rc == LP_OK)
            lp_driver_host_set_gateway(fx->ne.host, fx->element.name, gateway_text(fx, i));
        if (rc == LP_OK || is_final(err))
            break;
        if (i == known)
            lp_driver_host_set_gateway(fx->ne.host, fx->element.name, NULL);
        lp_buf_printf(&tried, "%s%s (%.80s)", tried.len > 0 ? ", " : "", gateway_text(fx, i),
                      err->msg);
    }
    if (rc != LP_OK && !is_final(err)) {
        rc = lp_fail(err, LP_RETRYABLE, "no gateway sees %s; tried %s", fx->element.node,
                     tried.data != NULL ? tried.data : "none");
        err->detail = json_pack("{s:s, s:s}", "code", "OPT-071", "device", fx->element.name);
    }
    lp_buf_free(&tried);
    return rc;
}

enum lp_code
fx_connect(struct fx_ne *fx, struct lp_err *err)
{
    struct lp_breakers *breakers = lp_driver_host_breakers(fx->ne.host);
    enum lp_code rc;

    if (fx->session != NULL)
        return LP_OK;
    rc = lp_breaker_ask(breakers, fx->element.name, err);
    if (rc != LP_OK)
        return rc;
    rc = fx->through_gateway ? acquire_through(fx, err) : acquire(fx, 0, err);
    /* a refused login is counted by the pool, which knows when the credentials change */
    if (rc == LP_OK || rc == LP_PROTOCOL)
        lp_breaker_tell(breakers, fx->element.name, rc, err->msg);
    else
        lp_breaker_tell(breakers, fx->element.name, LP_RETRYABLE, NULL);
    return rc;
}

void
fx_disconnect(struct fx_ne *fx)
{
    lp_tl1_release(fx->session);
    fx->session = NULL;
    fx->verified = false; /* whoever answers next must prove who it is */
}

/* ---- commands ---- */

enum lp_code
fx_send(struct fx_ne *fx, const struct fx_request *request, const struct lp_tl1_message **reply,
        struct lp_err *err)
{
    struct lp_tl1_command command;
    enum lp_code rc = fx_command_make(fx->call->arena, request, &command, err);

    *reply = NULL;
    if (rc != LP_OK)
        return rc;
    command.tid = NULL; /* the session's */
    rc = fx->exchange(fx, &command, reply, err);
    if (rc == LP_TOO_LARGE) /* the message names the limit */
        rc = err->code = LP_PROTOCOL;
    if (rc == LP_PROTOCOL)
        lp_breaker_tell(lp_driver_host_breakers(fx->ne.host), fx->element.name, rc, err->msg);
    return rc;
}

/* ---- identity ---- */

static enum lp_code
take_serial(void *arg, const struct lp_tl1_record *record, struct lp_err *err)
{
    char *serial = arg;
    const char *value = lp_tl1_record_get(record, "SERNO");

    (void)err;
    if (value != NULL)
        (void)snprintf(serial, 80, "%.79s", value);
    return LP_OK;
}

enum lp_code
fx_identify(void *host, const struct lp_tl1_element *element, struct lp_tl1_session *session,
            struct lp_err *err)
{
    static const struct lp_tl1_param chassis = {.value = "1"};
    static const struct lp_tl1_block blocks[4];
    const struct lp_tl1_command command = {
        .code = "RTRV-EQPT", .aids = {&chassis, 1}, .blocks = blocks, .block_count = 4};
    char serial[80] = "";
    enum lp_code rc = lp_tl1_retrieve(session, &command, take_serial, serial, err);

    if (rc == LP_NOT_FOUND || rc == LP_REFUSED) { /* it does not tell: that is an answer too */
        lp_err_clear(err);
        rc = LP_OK;
    }
    if (rc == LP_OK)
        lp_driver_host_set_serial(host, element->name, serial);
    return rc;
}

/* An element that did not tell at the login is asked once more: not having told is no proof that it
 * is another one. */
static enum lp_code
known_serial(struct fx_ne *fx, char serial[static 80], struct lp_err *err)
{
    json_auto_t *chassis = NULL;
    enum lp_code rc;

    lp_driver_host_get_serial(fx->ne.host, fx->element.name, serial, 80);
    if (serial[0] != '\0')
        return LP_OK;
    rc = fx_read_one(fx, FX_EQPT, "1", &chassis, err);
    if (rc != LP_OK)
        return rc;
    (void)snprintf(serial, 80, "%.79s", lp_json_str(chassis, "SERNO", ""));
    lp_driver_host_set_serial(fx->ne.host, fx->element.name, serial);
    return LP_OK;
}

enum lp_code
fx_verify_identity(struct fx_ne *fx, struct lp_err *err)
{
    char serial[80];
    enum lp_code rc;

    if (fx->verified || fx->element.serial == NULL || fx->element.serial[0] == '\0')
        return LP_OK;
    rc = known_serial(fx, serial, err);
    if (rc != LP_OK)
        return rc;
    if (strcmp(serial, fx->element.serial) == 0) {
        fx->verified = true;
        return LP_OK;
    }
    rc = lp_fail(err, LP_CONFLICT,
                 "%s is another element than expected: serial number %s, expected %s; nothing was "
                 "written",
                 fx->element.name, serial[0] != '\0' ? serial : "(none)", fx->element.serial);
    err->detail = json_pack("{s:s, s:s}", "actual", serial, "expected", fx->element.serial);
    return rc;
}
