#include "clients/breaker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An entry exists only while something failed lately. */
struct breaker {
    char *key;
    unsigned failures; /* within the window */
    int64_t first_us;  /* start of the window */
    int64_t until_us;  /* open until; 0 = closed */
    bool trying;       /* half-open: one caller is on its way */
    enum lp_code code; /* of the last failure */
    char why[160];
};

struct lp_breakers {
    struct lp_breaker_options options;
    pthread_mutex_t lock; /* guards what follows */
    struct breaker *items;
    size_t count;
};

enum lp_code
lp_breakers_new(const struct lp_breaker_options *options, struct lp_breakers **out,
                struct lp_err *err)
{
    struct lp_breakers *breakers = calloc(1, sizeof *breakers);

    if (breakers == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for circuit breakers");
    breakers->options = *options;
    (void)pthread_mutex_init(&breakers->lock, NULL);
    *out = breakers;
    return LP_OK;
}

void
lp_breakers_free(struct lp_breakers *breakers)
{
    if (breakers == NULL)
        return;
    for (size_t i = 0; i < breakers->count; i++)
        free(breakers->items[i].key);
    free(breakers->items);
    (void)pthread_mutex_destroy(&breakers->lock);
    free(breakers);
}

static struct breaker *
find(struct lp_breakers *breakers, const char *key)
{
    for (size_t i = 0; i < breakers->count; i++) {
        if (strcmp(breakers->items[i].key, key) == 0)
            return &breakers->items[i];
    }
    return NULL;
}

static void
forget(struct lp_breakers *breakers, struct breaker *b)
{
    free(b->key);
    *b = breakers->items[--breakers->count];
}

static enum lp_code
refuse(const struct breaker *b, const char *key, int64_t now, struct lp_err *err)
{
    int64_t left = b->until_us > now ? (b->until_us - now) / 1000 + 1 : 1000;
    enum lp_code code = b->code == LP_AUTH ? LP_AUTH : LP_RETRYABLE;
    enum lp_code rc = lp_fail(err, code, "%s is left alone for another %lld s after failures: %s",
                              key, (long long)((left + 999) / 1000), b->why);

    err->detail = json_pack("{s:I, s:s}", "retry_after_ms", (json_int_t)left, "cause",
                            lp_code_info(b->code)->slug);
    return rc;
}

enum lp_code
lp_breaker_ask(struct lp_breakers *breakers, const char *key, struct lp_err *err)
{
    int64_t now = lp_clock_mono_us(breakers->options.clock);
    enum lp_code rc = LP_OK;
    struct breaker *b;

    (void)pthread_mutex_lock(&breakers->lock);
    b = find(breakers, key);
    if (b != NULL && b->until_us != 0) {
        if (now < b->until_us || b->trying)
            rc = refuse(b, key, now, err);
        else
            b->trying = true;
    }
    (void)pthread_mutex_unlock(&breakers->lock);
    return rc;
}

static struct breaker *
find_or_add(struct lp_breakers *breakers, const char *key)
{
    struct breaker *b = find(breakers, key), *grown;

    if (b != NULL)
        return b;
    grown = realloc(breakers->items, (breakers->count + 1) * sizeof *grown);
    if (grown == NULL)
        return NULL;
    breakers->items = grown;
    grown[breakers->count] = (struct breaker){.key = strdup(key)};
    return grown[breakers->count].key != NULL ? &grown[breakers->count++] : NULL;
}

static void
note_failure(struct lp_breakers *breakers, const char *key, enum lp_code outcome, const char *why)
{
    int64_t now = lp_clock_mono_us(breakers->options.clock);
    struct breaker *b = find_or_add(breakers, key);

    if (b == NULL)
        return;
    if (now - b->first_us > breakers->options.window_ms * 1000 && b->until_us == 0)
        b->failures = 0;
    if (b->failures == 0)
        b->first_us = now;
    b->failures += outcome == LP_AUTH ? breakers->options.failures : 1;
    b->code = outcome;
    (void)snprintf(b->why, sizeof b->why, "%s", why != NULL ? why : "");
    if (b->failures >= breakers->options.failures || b->trying)
        b->until_us = now + breakers->options.open_ms * 1000;
    b->trying = false;
}

void
lp_breaker_tell(struct lp_breakers *breakers, const char *key, enum lp_code outcome,
                const char *why)
{
    struct breaker *b;

    (void)pthread_mutex_lock(&breakers->lock);
    b = find(breakers, key);
    if (outcome == LP_AUTH || outcome == LP_PROTOCOL)
        note_failure(breakers, key, outcome, why);
    else if (b != NULL && (outcome == LP_OK || outcome == LP_REFUSED || outcome == LP_NOT_FOUND))
        forget(breakers, b);
    else if (b != NULL)
        b->trying = false;
    (void)pthread_mutex_unlock(&breakers->lock);
}

void
lp_breakers_forgive_logins(struct lp_breakers *breakers)
{
    (void)pthread_mutex_lock(&breakers->lock);
    for (size_t i = breakers->count; i > 0; i--) {
        if (breakers->items[i - 1].code == LP_AUTH)
            forget(breakers, &breakers->items[i - 1]);
    }
    (void)pthread_mutex_unlock(&breakers->lock);
}

size_t
lp_breakers_open(struct lp_breakers *breakers)
{
    size_t open = 0;

    (void)pthread_mutex_lock(&breakers->lock);
    for (size_t i = 0; i < breakers->count; i++)
        open += breakers->items[i].until_us != 0;
    (void)pthread_mutex_unlock(&breakers->lock);
    return open;
}
