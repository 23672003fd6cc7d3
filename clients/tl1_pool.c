/* The pool: who has which session, limits, keep-alive, events, log-out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clients/tl1_internal.h"

#define DEFAULT(ms, fallback) (((ms) > 0 ? (ms) : (fallback)) * 1000)
#define LEAVE_US              2000000 /* a log-out that is not answered */
#define TICK_MS               250

static int64_t
now_us(const struct lp_tl1_pool *pool)
{
    return tl1_now(pool->options.clock);
}

void
tl1_pool_tag(struct lp_tl1_pool *pool, char ctag[static LP_TL1_CTAG_MAX + 1])
{
    pthread_mutex_lock(&pool->lock);
    lp_tl1_ctag_make(pool->options.tag_prefix, &pool->tags, ctag);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- breakers ---- */

static void
print_of(const struct lp_tl1_credentials *c, char out[static 65])
{
    char text[sizeof *c + 8];
    int len = snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%s\n%d", c->user, c->password,
                       c->ssh_user, c->ssh_password, c->ssh_key_file, c->ssh_no_password);

    lp_sha256_hex(text, len < 0 ? 0 : (size_t)len, out);
    explicit_bzero(text, sizeof text);
}

static struct tl1_breaker **
breaker_find(struct lp_tl1_pool *pool, const char *element)
{
    struct tl1_breaker **at = &pool->breakers;

    while (*at != NULL && strcmp((*at)->element, element) != 0)
        at = &(*at)->next;
    return at;
}

static void
breaker_drop(struct tl1_breaker **at)
{
    struct tl1_breaker *gone = *at;

    if (gone == NULL)
        return;
    *at = gone->next;
    free(gone->element);
    free(gone);
}

enum lp_code
tl1_pool_breaker_check(struct lp_tl1_pool *pool, const char *element,
                       const struct lp_tl1_credentials *credentials, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    struct tl1_breaker **at;
    char print[65];

    print_of(credentials, print);
    pthread_mutex_lock(&pool->lock);
    at = breaker_find(pool, element);
    if (*at != NULL) {
        int64_t left = (*at)->until_us - now_us(pool);

        if (left <= 0 || strcmp((*at)->print, print) != 0)
            breaker_drop(at);
        else
            rc = lp_fail(err, LP_AUTH,
                         "%s refused the login a moment ago; not tried again for %lld s with the "
                         "same credentials",
                         element, (long long)left / 1000000 + 1);
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

static void
breaker_open(struct lp_tl1_pool *pool, const char *element, const char *print)
{
    struct tl1_breaker *row = *breaker_find(pool, element);

    if (row == NULL) {
        row = calloc(1, sizeof *row);
        if (row == NULL)
            return;
        row->element = strdup(element);
        if (row->element == NULL) {
            free(row);
            return;
        }
        row->next = pool->breakers;
        pool->breakers = row;
    }
    (void)snprintf(row->print, sizeof row->print, "%s", print);
    row->until_us = now_us(pool) + DEFAULT(pool->options.breaker_ms, 120000);
}

void
tl1_pool_breaker_set(struct lp_tl1_pool *pool, const char *element,
                     const struct lp_tl1_credentials *credentials, bool ok)
{
    char print[65];

    print_of(credentials, print);
    pthread_mutex_lock(&pool->lock);
    if (ok)
        breaker_drop(breaker_find(pool, element));
    else
        breaker_open(pool, element, print);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- rows ---- */

struct tl1_login *
tl1_login_find(struct lp_tl1_session *session, const char *element)
{
    for (size_t i = 0; i < session->login_count; i++)
        if (strcmp(session->logins[i].element, element) == 0)
            return &session->logins[i];
    return NULL;
}

static void
login_free(struct tl1_login *login)
{
    free(login->element);
    free(login->tid);
    free(login->sid);
    free(login->user);
    *login = (struct tl1_login){.element = NULL};
}

static char *
dup_or_empty(const char *text)
{
    return strdup(text != NULL ? text : "");
}

/* A row for an element that is going to log in; NULL without memory or room. */
static struct tl1_login *
login_add(struct lp_tl1_session *session, const struct lp_tl1_element *element)
{
    struct tl1_login *login = &session->logins[session->login_count];

    if (session->login_count == LP_TL1_MAX_TIDS)
        return NULL;
    *login = (struct tl1_login){
        .element = dup_or_empty(element->name),
        .tid = dup_or_empty(element->tid),
        .sid = dup_or_empty(element->sid),
        .user = dup_or_empty(""),
    };
    if (login->element == NULL || login->tid == NULL || login->sid == NULL || login->user == NULL) {
        login_free(login);
        return NULL;
    }
    session->login_count++;
    return login;
}

static void
login_remove(struct lp_tl1_session *session, struct tl1_login *login)
{
    size_t n = (size_t)(login - session->logins);

    login_free(login);
    session->login_count--;
    memmove(&session->logins[n], &session->logins[n + 1],
            (session->login_count - n) * sizeof *login);
    session->logins[session->login_count] = (struct tl1_login){.element = NULL};
}

void
tl1_pool_forget_others(struct lp_tl1_session *session)
{
    pthread_mutex_lock(&session->pool->lock);
    for (size_t i = session->login_count; i-- > 0;)
        if (&session->logins[i] != session->now) {
            if (session->now > &session->logins[i])
                session->now--;
            login_remove(session, &session->logins[i]);
        }
    pthread_mutex_unlock(&session->pool->lock);
}

static char *
key_of(const struct lp_tl1_address *address)
{
    char *key = NULL;

    if (asprintf(&key, "%d|%s|%u|%s|%s", (int)address->transport, address->host,
                 (unsigned)address->port,
                 address->ssh_subsystem != NULL ? address->ssh_subsystem : "tl1telnet",
                 address->host_key != NULL ? address->host_key : "")
        < 0)
        return NULL;
    return key;
}

static bool
set_key(struct lp_tl1_session *session, const struct lp_tl1_address *address)
{
    char *key = key_of(address);

    if (key == NULL)
        return false;
    pthread_mutex_lock(&session->pool->lock);
    free(session->key);
    session->key = key;
    pthread_mutex_unlock(&session->pool->lock);
    return true;
}

static void
wake(struct lp_tl1_pool *pool)
{
    uint64_t one = 1;

    if (write(pool->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is awake */
}

/* Takes it out of the list; the caller owns it then. Under the lock. */
static void
unlink_session(struct lp_tl1_session *session)
{
    struct lp_tl1_session **at = &session->pool->sessions;

    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
}

/* What a caller gave is dropped. */
static void
forget_caller(struct lp_tl1_session *session)
{
    lp_arena_free(session->arena);
    session->arena = NULL;
    session->element = (struct lp_tl1_element){.name = NULL};
    session->addresses = NULL;
    session->now = NULL;
    session->call = (struct lp_tl1_call)LP_TL1_CALL_INIT;
}

static void
session_free(struct lp_tl1_session *session)
{
    tl1_session_hang_up(session);
    forget_caller(session);
    while (session->login_count > 0)
        login_remove(session, &session->logins[session->login_count - 1]);
    lp_buf_free(&session->evidence.text);
    free(session->key);
    free(session);
}

static struct lp_tl1_session *
session_new(struct lp_tl1_pool *pool, const struct lp_tl1_element *element)
{
    struct lp_tl1_session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->pool = pool;
    session->mode = TL1_OPENING;
    session->broken = true;
    session->call.wait.cancel_fd = -1;
    if (login_add(session, element) == NULL) {
        free(session);
        return NULL;
    }
    session->id = ++pool->ids;
    session->next = pool->sessions;
    if (pool->sessions == NULL)
        wake(pool); /* the tender rests while there is none */
    pool->sessions = session;
    return session;
}

/* ---- what a session keeps of its caller ---- */

static const char *
keep(struct lp_tl1_session *session, const char *text, bool *ok)
{
    char *copy = text == NULL ? NULL : lp_arena_strdup(session->arena, text);

    *ok = *ok && (text == NULL || copy != NULL);
    return copy;
}

static bool
keep_caller(struct lp_tl1_session *session, const struct lp_tl1_element *element,
            const struct lp_tl1_call *call)
{
    size_t size = element->address_count * sizeof *session->addresses;
    bool ok = true;

    session->call = *call;
    session->arena = lp_arena_new();
    if (session->arena == NULL)
        return false;
    session->addresses = lp_arena_alloc(session->arena, size);
    if (session->addresses == NULL)
        return false;
    session->element = *element;
    session->element.name = keep(session, element->name, &ok);
    session->element.tid = keep(session, element->tid, &ok);
    session->element.sid = keep(session, element->sid, &ok);
    session->element.addresses = session->addresses;
    for (size_t i = 0; i < element->address_count; i++) {
        session->addresses[i] = element->addresses[i];
        session->addresses[i].host = keep(session, element->addresses[i].host, &ok);
        session->addresses[i].ssh_subsystem =
            keep(session, element->addresses[i].ssh_subsystem, &ok);
        session->addresses[i].host_key = keep(session, element->addresses[i].host_key, &ok);
    }
    return ok;
}

/* ---- limits ---- */

static unsigned
count_element(struct lp_tl1_pool *pool, const char *element)
{
    unsigned count = 0;

    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next)
        count += tl1_login_find(s, element) != NULL ? 1 : 0;
    return count;
}

static unsigned
count_key(const struct lp_tl1_pool *pool, const char *key)
{
    unsigned count = 0;

    for (const struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next)
        count += s->key != NULL && strcmp(s->key, key) == 0 ? 1 : 0;
    return count;
}

static unsigned
max_sessions(const struct lp_tl1_element *element)
{
    return element->max_sessions > 0 ? element->max_sessions : LP_TL1_DEFAULT_SESSIONS;
}

static bool
has_address(const struct lp_tl1_session *session, const struct lp_tl1_element *element)
{
    for (size_t i = 0; i < element->address_count && session->key != NULL; i++) {
        char *key = key_of(&element->addresses[i]);
        bool same = key != NULL && strcmp(key, session->key) == 0;

        free(key);
        if (same)
            return true;
    }
    return false;
}

static unsigned
max_connections(const struct lp_tl1_pool *pool, const struct lp_tl1_element *element)
{
    unsigned most = pool->options.max_connections > 0 ? pool->options.max_connections : 4;

    return most < max_sessions(element) ? max_sessions(element) : most;
}

/* The first address, from `from` on, that may have another connection; address_count: none. */
static size_t
address_with_room(struct lp_tl1_pool *pool, const struct lp_tl1_element *element, size_t from)
{
    unsigned most = max_connections(pool, element);

    for (; from < element->address_count; from++) {
        char *key = key_of(&element->addresses[from]);
        bool room = key != NULL && count_key(pool, key) < most;

        free(key);
        if (room)
            break;
    }
    return from;
}

/* Asks an idle session (or one of events) to leave. Under the lock. */
static void
send_away(struct lp_tl1_session *session, const char *reason)
{
    session->mode = TL1_LEAVING;
    session->until_us = 0;
    session->reason = reason;
    wake(session->pool);
}

/* Makes room for the next try: the event session of the element goes first. */
static void
give_up_events(struct lp_tl1_pool *pool, const char *element)
{
    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next)
        if (s->mode == TL1_EVENTS && tl1_login_find(s, element) != NULL) {
            send_away(s, "given up for a command session");
            return;
        }
}

/* A gateway is full: its idle connection that was unused longest goes. */
static void
give_up_idle(struct lp_tl1_pool *pool, const struct lp_tl1_element *element)
{
    struct lp_tl1_session *oldest = NULL;

    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next)
        if (s->mode == TL1_IDLE && has_address(s, element)
            && (oldest == NULL || s->used_us < oldest->used_us))
            oldest = s;
    if (oldest != NULL)
        send_away(oldest, "given up for another element");
}

/* ---- acquire ---- */

enum fit { FIT_LOGGED_IN, FIT_SHARED };

static bool
fits(struct lp_tl1_session *session, const struct lp_tl1_element *element, enum fit fit)
{
    if (session->mode != TL1_IDLE)
        return false;
    if (fit == FIT_LOGGED_IN ? tl1_login_find(session, element->name) == NULL
                             : session->login_count == LP_TL1_MAX_TIDS)
        return false;
    return has_address(session, element);
}

/* An idle session, now busy. One that the pool's thread looks at is free again in microseconds. */
static struct lp_tl1_session *
take_idle(struct lp_tl1_pool *pool, const struct lp_tl1_element *element, enum fit fit)
{
    struct lp_tl1_session *s = pool->sessions;

    while (s != NULL) {
        if (!fits(s, element, fit)) {
            s = s->next;
        } else if (s->tending) {
            pthread_cond_wait(&pool->tended, &pool->lock);
            s = pool->sessions; /* the list may be another one */
        } else {
            s->mode = TL1_BUSY;
            (void)epoll_ctl(pool->epoll_fd, EPOLL_CTL_DEL, tl1_link_fd(s->link), NULL);
            return s;
        }
    }
    return NULL;
}

static enum lp_code
busy(const struct lp_tl1_element *element, const char *what, unsigned limit, struct lp_err *err)
{
    enum lp_code rc =
        lp_fail(err, LP_RETRYABLE, "%s has all its %u %s in use", element->name, limit, what);

    err->detail =
        json_pack("{s:s,s:s,s:i}", "busy", "session", "device", element->name, "limit", (int)limit);
    return rc;
}

bool
lp_tl1_is_busy(const struct lp_err *err)
{
    return err->code == LP_RETRYABLE && json_object_get(err->detail, "busy") != NULL;
}

/* A session to work with: idle and logged in, idle at the gateway, or one to be opened. */
static enum lp_code
reserve(struct lp_tl1_pool *pool, const struct lp_tl1_element *element, bool events,
        struct lp_tl1_session **out, struct lp_err *err)
{
    unsigned most = max_sessions(element);

    *out = events ? NULL : take_idle(pool, element, FIT_LOGGED_IN);
    if (*out != NULL)
        return LP_OK;
    if (count_element(pool, element->name) >= most) {
        if (!events)
            give_up_events(pool, element->name);
        return busy(element, "sessions", most, err);
    }
    *out = events ? NULL : take_idle(pool, element, FIT_SHARED);
    if (*out != NULL) {
        if (login_add(*out, element) != NULL)
            return LP_OK;
        (*out)->broken = true; /* out of memory: let it go */
    } else if (address_with_room(pool, element, 0) == element->address_count) {
        give_up_idle(pool, element);
        return busy(element, "connections", max_connections(pool, element), err);
    }
    if (*out == NULL)
        *out = session_new(pool, element);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a TL1 session");
}

/* Connects to the addresses in turn, but those that are full. */
enum lp_code
tl1_pool_open_any(struct lp_tl1_session *session, struct lp_err *err)
{
    struct lp_tl1_pool *pool = session->pool;
    enum lp_code rc = LP_RETRYABLE;

    for (size_t i = 0; i < session->element.address_count; i++) {
        pthread_mutex_lock(&pool->lock);
        free(session->key);
        session->key = NULL; /* it does not count against itself */
        i = address_with_room(pool, &session->element, i);
        pthread_mutex_unlock(&pool->lock);
        if (i == session->element.address_count)
            break;
        lp_err_clear(err);
        if (!set_key(session, &session->addresses[i]))
            return lp_fail(err, LP_NOMEM, "no memory for a TL1 session");
        rc = tl1_session_open(session, &session->addresses[i], err);
        if (rc != LP_RETRYABLE)
            return rc;
    }
    return err->code != LP_OK ? rc
                              : busy(&session->element, "connections",
                                     max_connections(pool, &session->element), err);
}

static enum lp_code
make_ready(struct lp_tl1_session *session, struct lp_err *err)
{
    if (session->link != NULL && tl1_session_drain(session) && !session->cancelled) {
        if (session->now->user[0] != '\0')
            return LP_OK;
        return tl1_session_login(session, err);
    }
    tl1_session_hang_up(session);
    tl1_pool_forget_others(session);
    return tl1_pool_open_any(session, err);
}

static bool
watch(struct lp_tl1_session *session)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = session->id};

    return epoll_ctl(session->pool->epoll_fd, EPOLL_CTL_ADD, tl1_link_fd(session->link), &event)
           == 0;
}

/* To the idle ones, without the login of `gone` (or NULL). */
static void
to_idle(struct lp_tl1_session *session, const char *gone)
{
    struct lp_tl1_pool *pool = session->pool;

    forget_caller(session);
    pthread_mutex_lock(&pool->lock);
    if (gone != NULL && tl1_login_find(session, gone) != NULL)
        login_remove(session, tl1_login_find(session, gone));
    session->used_us = now_us(pool);
    session->probe_us = session->used_us + DEFAULT(pool->options.keep_alive_ms, 300000);
    session->probe_tag[0] = '\0';
    session->mode = TL1_IDLE;
    if (pool->stopping || session->dropped || !watch(session)) {
        session->reason = "";
        send_away(session, NULL);
    }
    pthread_mutex_unlock(&pool->lock);
}

static enum lp_code
check_element(const struct lp_tl1_element *element, struct lp_err *err)
{
    if (element->name == NULL || element->name[0] == '\0' || element->address_count == 0)
        return lp_fail(err, LP_INVALID, "the element '%.100s' has no name or no address",
                       element->name == NULL ? "" : element->name);
    for (size_t i = 0; i < element->address_count; i++)
        if (element->addresses[i].host == NULL || element->addresses[i].host[0] == '\0')
            return lp_fail(err, LP_INVALID, "an address of %s has no host", element->name);
    return LP_OK;
}

/* A log-out is tried where it can be: the element counts the session otherwise until its idle timer
   ends it. Nobody waits for the answer. */
static void
drop(struct lp_tl1_session *session)
{
    char ctag[LP_TL1_CTAG_MAX + 1];

    for (size_t i = 0; i < session->login_count && session->link != NULL && !session->cut; i++)
        if (session->logins[i].user[0] != '\0'
            && !tl1_session_post(session, "CANC-USER", &session->logins[i], true, ctag))
            break;
    pthread_mutex_lock(&session->pool->lock);
    unlink_session(session);
    pthread_mutex_unlock(&session->pool->lock);
    session_free(session);
}

/* *elsewhere (to free): the connection on which the element cannot be reached though it works. */
static enum lp_code
obtain_once(struct lp_tl1_pool *pool, const struct lp_tl1_element *element,
            const struct lp_tl1_call *call, bool events, struct lp_tl1_session **out,
            char **elsewhere, struct lp_err *err)
{
    struct lp_tl1_session *session = NULL;
    enum lp_code rc = check_element(element, err);

    *out = NULL;
    if (rc != LP_OK)
        return rc;
    pthread_mutex_lock(&pool->lock);
    rc = reserve(pool, element, events, &session, err);
    if (rc == LP_OK)
        session->now = tl1_login_find(session, element->name);
    pthread_mutex_unlock(&pool->lock);
    if (rc != LP_OK)
        return rc;
    session->events = events;
    if (!keep_caller(session, element, call))
        rc = lp_fail(err, LP_NOMEM, "no memory for a TL1 session");
    if (rc == LP_OK)
        rc = make_ready(session, err);
    if (rc == LP_OK) {
        pthread_mutex_lock(&pool->lock);
        session->mode = TL1_BUSY;
        pthread_mutex_unlock(&pool->lock);
        *out = session;
        return LP_OK;
    }
    if (session->broken || session->login_count == 1) {
        drop(session);
        return rc;
    }
    /* The others keep the gateway's connection; this element may be reached through another one. */
    *elsewhere = rc == LP_RETRYABLE ? strdup(session->key) : NULL;
    to_idle(session, element->name);
    return rc;
}

/* The element without the addresses of one connection; *addresses is the caller's to free. */
static bool
without(const struct lp_tl1_element *element, const char *key, struct lp_tl1_element *out,
        struct lp_tl1_address **addresses)
{
    *out = *element;
    out->address_count = 0;
    *addresses = calloc(element->address_count, sizeof **addresses);
    for (size_t i = 0; i < element->address_count && *addresses != NULL; i++) {
        char *other = key_of(&element->addresses[i]);

        if (other != NULL && strcmp(other, key) != 0)
            (*addresses)[out->address_count++] = element->addresses[i];
        free(other);
    }
    out->addresses = *addresses;
    return out->address_count > 0;
}

static enum lp_code
obtain(struct lp_tl1_pool *pool, const struct lp_tl1_element *element,
       const struct lp_tl1_call *call, bool events, struct lp_tl1_session **out, struct lp_err *err)
{
    struct lp_tl1_address *addresses = NULL;
    struct lp_tl1_element rest;
    char *elsewhere = NULL;
    enum lp_code rc = obtain_once(pool, element, call, events, out, &elsewhere, err);

    if (elsewhere != NULL && without(element, elsewhere, &rest, &addresses)) {
        lp_err_clear(err);
        rc = obtain(pool, &rest, call, events, out, err);
    }
    free(addresses);
    free(elsewhere);
    return rc;
}

enum lp_code
lp_tl1_acquire(struct lp_tl1_pool *pool, const struct lp_tl1_element *element,
               const struct lp_tl1_call *call, struct lp_tl1_session **out, struct lp_err *err)
{
    return obtain(pool, element, call, false, out, err);
}

/* ---- release ---- */

void
lp_tl1_release(struct lp_tl1_session *session)
{
    if (session == NULL)
        return;
    if (!tl1_session_drain(session) || session->cancelled
        || lp_tl1_rx_open_tag(session->rx) != NULL)
        drop(session);
    else
        to_idle(session, NULL);
}

/* ---- the pool's thread ---- */

/* Works on a session without the lock; afterwards it is the pool's again. Called and left under the
 * lock. */
static bool
look_at(struct lp_tl1_session *session)
{
    struct lp_tl1_pool *pool = session->pool;
    bool alive;

    session->tending = true;
    session->look = false;
    pthread_mutex_unlock(&pool->lock);
    alive = tl1_session_drain(session);
    pthread_mutex_lock(&pool->lock);
    session->tending = false;
    pthread_cond_broadcast(&pool->tended);
    return alive && !session->cancelled;
}

static void
bury(struct lp_tl1_session *session, const char *reason)
{
    struct lp_tl1_pool *pool = session->pool;

    unlink_session(session);
    pthread_mutex_unlock(&pool->lock);
    if (session->fn != NULL)
        session->fn(session->fn_arg, session->logins[0].element, NULL,
                    session->reason != NULL ? session->reason : reason);
    session_free(session);
    pthread_mutex_lock(&pool->lock);
}

/* Sends the next probe, of one element after the other. */
static void
probe(struct lp_tl1_session *session, int64_t now)
{
    struct lp_tl1_pool *pool = session->pool;
    const struct tl1_login *login = &session->logins[session->probe_next++ % session->login_count];

    session->tending = true;
    pthread_mutex_unlock(&pool->lock);
    if (!tl1_session_post(session, "RTRV-HDR", login, false, session->probe_tag))
        session->broken = true;
    pthread_mutex_lock(&pool->lock);
    session->tending = false;
    pthread_cond_broadcast(&pool->tended);
    if (session->mode != TL1_LEAVING) /* it may have been sent away meanwhile */
        session->until_us = now + DEFAULT(pool->options.object_ms, 30000);
    session->probe_us =
        now + DEFAULT(pool->options.keep_alive_ms, 300000) / (int64_t)session->login_count;
}

static void
log_out(struct lp_tl1_session *session, int64_t now)
{
    struct lp_tl1_pool *pool = session->pool;

    session->tending = true;
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < session->login_count && !session->broken; i++)
        if (!tl1_session_post(session, "CANC-USER", &session->logins[i], true, session->probe_tag))
            session->broken = true;
    pthread_mutex_lock(&pool->lock);
    session->tending = false;
    pthread_cond_broadcast(&pool->tended);
    session->until_us = now + LEAVE_US;
}

/* One session whose time has come; true when there was one. Called and left under the lock. */
static bool
tend_idle(struct lp_tl1_session *s, int64_t now)
{
    bool idle = s->mode == TL1_IDLE;

    if (s->broken || (s->probe_tag[0] != '\0' && now >= s->until_us)) {
        bury(s, s->broken ? "the connection broke" : "the element does not answer");
    } else if (idle && now >= s->used_us + DEFAULT(s->pool->options.idle_ms, 900000)) {
        send_away(s, NULL);
    } else if (now >= s->probe_us && s->probe_tag[0] == '\0') {
        probe(s, now);
    } else if (s->look) {
        if (!look_at(s))
            bury(s, "the element closed the connection");
    } else {
        return false;
    }
    return true;
}

static bool
tend_leaving(struct lp_tl1_session *s, int64_t now)
{
    if (s->until_us == 0 && !s->broken)
        log_out(s, now);
    else if (s->broken || now >= s->until_us || s->probe_tag[0] == '\0')
        bury(s, "closed");
    else
        return false;
    return true;
}

static bool
tend_one(struct lp_tl1_pool *pool, int64_t now)
{
    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next) {
        bool done = false;

        if (s->mode == TL1_IDLE || s->mode == TL1_EVENTS)
            done = tend_idle(s, now);
        else if (s->mode == TL1_LEAVING)
            done = tend_leaving(s, now);
        if (done)
            return true;
    }
    return false;
}

static void
tend_ready(struct lp_tl1_pool *pool, uint64_t id)
{
    struct lp_tl1_session *s = pool->sessions;

    while (s != NULL && s->id != id)
        s = s->next;
    if (s == NULL || (s->mode != TL1_IDLE && s->mode != TL1_EVENTS && s->mode != TL1_LEAVING))
        return;
    if (!look_at(s))
        bury(s,
             s->cancelled ? "the element closed the session" : "the element closed the connection");
}

static bool
all_gone(const struct lp_tl1_pool *pool, int64_t now, int64_t until)
{
    return pool->stopping && (pool->sessions == NULL || now >= until);
}

/* What a storm left over is read in this turn, once. */
static void
look_again(struct lp_tl1_pool *pool)
{
    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next)
        if ((s->mode == TL1_IDLE || s->mode == TL1_EVENTS) && s->more) {
            s->more = false;
            s->look = true;
        }
}

static void *
tender(void *arg)
{
    struct lp_tl1_pool *pool = arg;
    int64_t until = INT64_MAX;
    int rest_ms = TICK_MS;

    for (;;) {
        struct epoll_event ready[32];
        int count = epoll_wait(pool->epoll_fd, ready, (int)LP_COUNT(ready), rest_ms);
        int64_t now = now_us(pool);
        uint64_t drained;

        pthread_mutex_lock(&pool->lock);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.u64 != 0)
                tend_ready(pool, ready[i].data.u64);
            else if (read(pool->wake_fd, &drained, sizeof drained) < 0)
                continue; /* nothing in it: woken already */
        }
        look_again(pool);
        while (tend_one(pool, now))
            continue;
        if (pool->stopping && until == INT64_MAX)
            until = now + LEAVE_US + LEAVE_US / 2;
        if (all_gone(pool, now, until))
            break;
        rest_ms = pool->sessions == NULL && !pool->stopping ? -1 : TICK_MS;
        pthread_mutex_unlock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- events ---- */

static bool
has_events(struct lp_tl1_pool *pool, const char *element)
{
    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next)
        if (s->events && s->mode != TL1_LEAVING && tl1_login_find(s, element) != NULL)
            return true;
    return false;
}

enum lp_code
lp_tl1_events_start(struct lp_tl1_pool *pool, const struct lp_tl1_element *element,
                    const struct lp_tl1_call *call, lp_tl1_event_fn *fn, void *arg,
                    struct lp_err *err)
{
    struct lp_tl1_session *session = NULL;
    enum lp_code rc = check_element(element, err);
    bool taken;

    if (rc != LP_OK)
        return rc;
    pthread_mutex_lock(&pool->lock);
    taken = has_events(pool, element->name);
    pthread_mutex_unlock(&pool->lock);
    if (taken)
        return lp_fail(err, LP_CONFLICT, "%s has an event session already", element->name);
    rc = obtain(pool, element, call, true, &session, err);
    if (rc != LP_OK)
        return rc;
    forget_caller(session);
    pthread_mutex_lock(&pool->lock);
    session->fn = fn;
    session->fn_arg = arg;
    session->look = true; /* what came behind the login is read already, perhaps */
    session->probe_tag[0] = '\0';
    session->probe_us = now_us(pool) + DEFAULT(pool->options.keep_alive_ms, 300000);
    session->mode = TL1_EVENTS;
    session->broken = !watch(session);
    wake(pool);
    pthread_mutex_unlock(&pool->lock);
    return LP_OK;
}

void
lp_tl1_drop(struct lp_tl1_pool *pool, const char *element)
{
    pthread_mutex_lock(&pool->lock);
    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next) {
        if (tl1_login_find(s, element) == NULL)
            continue;
        s->dropped = true;
        if (s->mode == TL1_IDLE || s->mode == TL1_EVENTS)
            send_away(s, "dropped");
    }
    pthread_mutex_unlock(&pool->lock);
}

static struct lp_tl1_session *
find_events(struct lp_tl1_pool *pool, const char *element)
{
    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next)
        if (s->fn != NULL && tl1_login_find(s, element) != NULL)
            return s;
    return NULL;
}

void
lp_tl1_events_stop(struct lp_tl1_pool *pool, const char *element)
{
    struct lp_tl1_session *s;
    bool own = pthread_equal(pthread_self(), pool->thread) != 0;

    pthread_mutex_lock(&pool->lock);
    while ((s = find_events(pool, element)) != NULL && s->tending && !own)
        pthread_cond_wait(&pool->tended, &pool->lock);
    if (s != NULL) {
        s->fn = NULL;
        send_away(s, NULL);
    }
    pthread_mutex_unlock(&pool->lock);
}

/* ---- the pool ---- */

static enum lp_code
start(struct lp_tl1_pool *pool, struct lp_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0};

    pool->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->epoll_fd < 0 || pool->wake_fd < 0
        || epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, pool->wake_fd, &event) != 0
        || pthread_create(&pool->thread, NULL, tender, pool) != 0)
        return lp_fail(err, LP_NOMEM, "the TL1 pool cannot start: %s", strerror(errno));
    return LP_OK;
}

static void
pool_release(struct lp_tl1_pool *pool)
{
    if (pool->epoll_fd >= 0)
        (void)close(pool->epoll_fd);
    if (pool->wake_fd >= 0)
        (void)close(pool->wake_fd);
    while (pool->breakers != NULL)
        breaker_drop(&pool->breakers);
    pthread_cond_destroy(&pool->tended);
    pthread_mutex_destroy(&pool->lock);
    free(pool->known_hosts);
    free(pool);
}

enum lp_code
lp_tl1_pool_new(const struct lp_tl1_pool_options *options, struct lp_tl1_pool **out,
                struct lp_err *err)
{
    struct lp_tl1_pool *pool;
    uint32_t first;
    enum lp_code rc;

    if (options->credentials == NULL)
        return lp_fail(err, LP_INVALID, "a TL1 pool needs credentials");
    pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a TL1 pool");
    pool->options = *options;
    if (pool->options.tag_prefix < 'A' || pool->options.tag_prefix > 'Z')
        pool->options.tag_prefix = 'L';
    pool->epoll_fd = pool->wake_fd = -1;
    /* not from 0: a late answer to a former daemon's command must not look like ours */
    lp_random(&first, sizeof first);
    pool->tags = first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->tended, NULL);
    if (options->known_hosts != NULL) {
        pool->known_hosts = strdup(options->known_hosts);
        pool->options.known_hosts = pool->known_hosts;
    }
    rc = options->known_hosts != NULL && pool->known_hosts == NULL
             ? lp_fail(err, LP_NOMEM, "no memory for a TL1 pool")
             : start(pool, err);
    if (rc != LP_OK) {
        pool_release(pool);
        return rc;
    }
    *out = pool;
    return LP_OK;
}

void
lp_tl1_pool_free(struct lp_tl1_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    for (struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next)
        if (s->mode == TL1_IDLE || s->mode == TL1_EVENTS)
            send_away(s, "the pool is closed");
    wake(pool);
    pthread_mutex_unlock(&pool->lock);
    (void)pthread_join(pool->thread, NULL);
    while (pool->sessions != NULL) {
        struct lp_tl1_session *s = pool->sessions;

        pool->sessions = s->next;
        session_free(s);
    }
    pool_release(pool);
}

void
lp_tl1_pool_get_stats(struct lp_tl1_pool *pool, struct lp_tl1_pool_stats *out)
{
    *out = (struct lp_tl1_pool_stats){
        .connects = pool->connects,
        .logins = pool->logins,
        .exchanges = pool->exchanges,
        .late = pool->late,
        .autonomous = pool->autonomous,
        .unknown = pool->unknown,
        .refused_logins = pool->refused_logins,
    };
    pthread_mutex_lock(&pool->lock);
    for (const struct lp_tl1_session *s = pool->sessions; s != NULL; s = s->next) {
        out->sessions++;
        out->idle += s->mode == TL1_IDLE ? 1 : 0;
        out->busy += s->mode == TL1_BUSY || s->mode == TL1_OPENING ? 1 : 0;
        out->events += s->mode == TL1_EVENTS ? 1 : 0;
    }
    pthread_mutex_unlock(&pool->lock);
}
