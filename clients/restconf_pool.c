/* The pool of RESTCONF sessions: who has one, who may, and when they end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/restconf_internal.h"

/* ---- sessions ---- */

static void
wipe(char **text)
{
    if (*text != NULL)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static void
session_free(struct rc_session *session)
{
    for (size_t i = 0; i < RC_ADDRESSES_MAX; i++) {
        lp_http_free(session->http[i]);
        wipe(&session->token[i]);
    }
    free(session->element);
    free(session->addresses);
    free(session);
}

static struct rc_session *
session_new(const struct lp_restconf *rc, uint64_t generation)
{
    struct rc_session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->element = strdup(rc->element.name);
    session->addresses = strdup(rc->addresses);
    session->generation = generation;
    if (session->element != NULL && session->addresses != NULL)
        return session;
    session_free(session);
    return NULL;
}

void
rc_forget_token(struct rc_session *session, size_t address)
{
    wipe(&session->token[address]);
}

/* ---- with the lock held ---- */

static void
unlink_session(struct lp_restconf_pool *pool, const struct rc_session *session)
{
    struct rc_session **at = &pool->sessions;

    while (*at != NULL && *at != session)
        at = &(*at)->next;
    if (*at != NULL)
        *at = session->next;
}

/* Takes the first idle session that `gone` says goes away; NULL: none. */
typedef bool gone_fn(const struct rc_session *session, const void *arg);
static struct rc_session *
take_gone(struct lp_restconf_pool *pool, gone_fn *gone, const void *arg)
{
    struct rc_session *session = pool->sessions;

    while (session != NULL && (session->out || !gone(session, arg)))
        session = session->next;
    if (session != NULL)
        unlink_session(pool, session);
    return session;
}

static void
close_gone(struct lp_restconf_pool *pool, gone_fn *gone, const void *arg)
{
    struct rc_session *session;

    do { /* closing a connection is I/O: without the lock */
        (void)pthread_mutex_lock(&pool->lock);
        session = take_gone(pool, gone, arg);
        (void)pthread_mutex_unlock(&pool->lock);
        if (session != NULL)
            session_free(session);
    } while (session != NULL);
}

struct wanted {
    const struct lp_restconf *rc;
    uint64_t generation;
};

static bool
is_of(const struct rc_session *session, const char *element)
{
    return strcmp(session->element, element) == 0;
}

/* It was made for other addresses, or with other credentials. */
static bool
is_stale(const struct rc_session *session, const void *arg)
{
    const struct wanted *wanted = arg;

    return is_of(session, wanted->rc->element.name)
           && (session->generation != wanted->generation
               || strcmp(session->addresses, wanted->rc->addresses) != 0);
}

static unsigned
limit_of(const struct lp_restconf *rc)
{
    return rc->element.max_sessions != 0
               ? rc->element.max_sessions
               : (unsigned)lp_driver_host_conf(rc->host)->devices_sessions;
}

static enum lp_code
busy(const struct lp_restconf *rc, unsigned limit, struct lp_err *err)
{
    enum lp_code code =
        lp_fail(err, LP_RETRYABLE, "%s has all its %u sessions in use", rc->element.name, limit);

    err->detail = json_pack("{s:s,s:s,s:i}", "busy", "session", "device", rc->element.name, "limit",
                            (int)limit);
    return code;
}

bool
lp_restconf_is_busy(const struct lp_err *err)
{
    return err->code == LP_RETRYABLE && json_object_get(err->detail, "busy") != NULL;
}

/* An idle session, or room for a new one. A stream gives way to commands. */
static enum lp_code
reserve(struct lp_restconf *rc, bool stream, struct rc_session **out, struct lp_err *err)
{
    struct rc_session *events = NULL, *idle = NULL;
    unsigned count = 0;

    for (struct rc_session *s = rc->pool->sessions; s != NULL; s = s->next) {
        if (!is_of(s, rc->element.name))
            continue;
        count++;
        if (s->out && s->stream)
            events = s;
        else if (!s->out && idle == NULL)
            idle = s;
    }
    if (stream && events != NULL)
        return lp_fail(err, LP_RETRYABLE, "%s has a stream of notifications already",
                       rc->element.name);
    if (idle == NULL && count >= limit_of(rc)) {
        if (events != NULL)
            events->leave = true;
        return busy(rc, limit_of(rc), err);
    }
    *out = idle;
    return LP_OK;
}

static enum lp_code
take_locked(struct lp_restconf *rc, bool stream, uint64_t generation, struct rc_session **out,
            struct lp_err *err)
{
    struct rc_session *session = NULL;
    enum lp_code code = reserve(rc, stream, &session, err);

    if (code != LP_OK)
        return code;
    if (session == NULL) {
        session = session_new(rc, generation);
        if (session == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a session");
        session->next = rc->pool->sessions;
        rc->pool->sessions = session;
    }
    session->out = true;
    session->stream = stream;
    session->leave = false;
    *out = session;
    return LP_OK;
}

/* ---- taking and giving ---- */

enum lp_code
rc_take(struct lp_restconf *rc, bool stream, struct rc_session **out, struct lp_err *err)
{
    struct lp_credential credential;
    struct wanted wanted = {.rc = rc};
    enum lp_code code =
        lp_driver_host_credential(rc->host, rc->element.credentials, &credential, err);

    if (code != LP_OK)
        return code;
    wanted.generation = credential.generation;
    lp_credential_wipe(&credential);
    close_gone(rc->pool, is_stale, &wanted);
    (void)pthread_mutex_lock(&rc->pool->lock);
    code = take_locked(rc, stream, wanted.generation, out, err);
    (void)pthread_mutex_unlock(&rc->pool->lock);
    return code;
}

void
rc_give(struct lp_restconf *rc, struct rc_session *session, bool broke)
{
    struct lp_restconf_pool *pool = rc->pool;
    bool gone;

    if (session == NULL)
        return;
    for (size_t i = 0; i < RC_ADDRESSES_MAX; i++) {
        if (session->http[i] == NULL)
            continue;
        lp_http_set_left(session->http[i], NULL, NULL);
        if (lp_http_set_authorization(session->http[i], NULL, &(struct lp_err){0}) != LP_OK)
            broke = true;
    }
    (void)pthread_mutex_lock(&pool->lock);
    gone = broke || session->dropped || session->stream;
    if (gone)
        unlink_session(pool, session);
    session->out = false;
    session->used_us = lp_clock_mono_us(lp_driver_host_clock(pool->host));
    (void)pthread_mutex_unlock(&pool->lock);
    if (gone)
        session_free(session);
}

bool
rc_must_leave(struct lp_restconf *rc, const struct rc_session *session)
{
    bool leave;

    (void)pthread_mutex_lock(&rc->pool->lock);
    leave = session->leave || session->dropped;
    (void)pthread_mutex_unlock(&rc->pool->lock);
    return leave;
}

void
rc_count(struct lp_restconf *rc, const struct lp_restconf_stats *more)
{
    struct lp_restconf_stats *stats = &rc->pool->stats;

    (void)pthread_mutex_lock(&rc->pool->lock);
    stats->connects += more->connects;
    stats->requests += more->requests;
    stats->logins += more->logins;
    stats->unknown += more->unknown;
    (void)pthread_mutex_unlock(&rc->pool->lock);
}

/* ---- the pool ---- */

enum lp_code
lp_restconf_pool_new(struct lp_driver_host *host, struct lp_restconf_pool **out, struct lp_err *err)
{
    struct lp_restconf_pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for RESTCONF sessions");
    pool->host = host;
    (void)pthread_mutex_init(&pool->lock, NULL);
    *out = pool;
    return LP_OK;
}

void
lp_restconf_pool_free(struct lp_restconf_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->sessions != NULL) {
        struct rc_session *session = pool->sessions;

        pool->sessions = session->next;
        session_free(session);
    }
    while (pool->schemas != NULL) {
        struct rc_schema *schema = pool->schemas;

        pool->schemas = schema->next;
        lp_yang_free(schema->yang);
        free(schema);
    }
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static bool
is_old(const struct rc_session *session, const void *arg)
{
    return session->used_us < *(const int64_t *)arg;
}

void
lp_restconf_pool_tick(struct lp_restconf_pool *pool)
{
    int64_t idle_us = lp_driver_host_conf(pool->host)->devices_idle_s * 1000000;
    int64_t before = lp_clock_mono_us(lp_driver_host_clock(pool->host)) - idle_us;

    close_gone(pool, is_old, &before);
}

static bool
is_dropped(const struct rc_session *session, const void *element)
{
    return is_of(session, element);
}

void
lp_restconf_pool_drop(struct lp_restconf_pool *pool, const char *element)
{
    (void)pthread_mutex_lock(&pool->lock);
    for (struct rc_session *s = pool->sessions; s != NULL; s = s->next)
        s->dropped |= s->out && is_of(s, element);
    (void)pthread_mutex_unlock(&pool->lock);
    close_gone(pool, is_dropped, element);
}

void
lp_restconf_pool_get_stats(struct lp_restconf_pool *pool, struct lp_restconf_stats *out)
{
    (void)pthread_mutex_lock(&pool->lock);
    *out = pool->stats;
    for (const struct rc_session *s = pool->sessions; s != NULL; s = s->next) {
        out->sessions++;
        out->idle += s->out ? 0 : 1;
        out->streams += s->out && s->stream ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

/* ---- schemas ---- */

static struct lp_yang *
known_schema(struct lp_restconf_pool *pool, const char *name)
{
    for (struct rc_schema *s = pool->schemas; s != NULL; s = s->next)
        if (strcmp(s->name, name) == 0)
            return s->yang;
    return NULL;
}

static enum lp_code
load_schema(struct lp_restconf *rc, struct lp_yang **out, struct lp_err *err)
{
    const struct lp_restconf_profile *profile = rc->profile;
    struct rc_schema *schema = calloc(1, sizeof *schema);
    enum lp_code code;

    if (schema == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for YANG modules");
    if (profile->modules != NULL)
        code = lp_yang_new_from(profile->modules, profile->module_count, profile->schema,
                                &schema->yang, err);
    else
        code = lp_yang_new(profile->schema, &schema->yang, err);
    if (code != LP_OK) {
        free(schema);
        return code;
    }
    schema->name = profile->schema;
    schema->next = rc->pool->schemas;
    rc->pool->schemas = schema;
    *out = schema->yang;
    return LP_OK;
}

/* Loading takes milliseconds once; whoever needs the set meanwhile has to wait for it anyway. */
enum lp_code
lp_restconf_schema(struct lp_restconf *rc, struct lp_yang **out, struct lp_err *err)
{
    enum lp_code code = LP_OK;

    (void)pthread_mutex_lock(&rc->pool->lock);
    *out = known_schema(rc->pool, rc->profile->schema);
    if (*out == NULL)
        code = load_schema(rc, out, err);
    (void)pthread_mutex_unlock(&rc->pool->lock);
    return code;
}
