/* The driver host: credentials, circuit breakers, sessions, and what is remembered of elements. */
#include "clients/host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/infinera/flexils/link.h"
#include "clients/restconf.h"
#include "clients/tl1.h"

#define EVENTS_MAX 1000 /* waiting per element */

struct note {
    char *name;
    char id[64], credentials[80], serial[80], gateway[280];
    int64_t gateway_until_us, next_write_us;
    json_t *events;
    uint64_t lost;
};

struct lp_driver_host {
    struct lp_driver_host_options options;
    struct lp_credentials *credentials;
    struct lp_breakers *breakers;
    struct lp_tl1_pool *tl1;
    struct lp_restconf_pool *restconf;
    char *host_keys;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t event;
    json_t *index; /* name -> position in notes */
    struct note **notes;
    size_t count;
    uint64_t generation; /* of the credentials, as last seen */
};

/* ---- notes; with the lock held ---- */

static struct note *
find(struct lp_driver_host *host, const char *name)
{
    const json_t *at = json_object_get(host->index, name);

    return at != NULL ? host->notes[json_integer_value(at)] : NULL;
}

static struct note *
find_or_add(struct lp_driver_host *host, const char *name)
{
    struct note *note = find(host, name), **grown;

    if (note != NULL)
        return note;
    grown = realloc(host->notes, (host->count + 1) * sizeof(struct note *));
    if (grown == NULL)
        return NULL;
    host->notes = grown;
    note = calloc(1, sizeof *note);
    if (note == NULL)
        return NULL;
    note->name = strdup(name);
    note->events = json_array();
    if (note->name == NULL || note->events == NULL
        || json_object_set_new(host->index, name, json_integer((json_int_t)host->count)) != 0) {
        free(note->name);
        json_decref(note->events);
        free(note);
        return NULL;
    }
    host->notes[host->count++] = note;
    return note;
}

enum lp_code
lp_driver_host_note(struct lp_driver_host *host, const struct lp_element *element,
                    struct lp_err *err)
{
    struct note *note;

    (void)pthread_mutex_lock(&host->lock);
    note = find_or_add(host, element->name);
    if (note != NULL) {
        (void)snprintf(note->id, sizeof note->id, "%s", element->id != NULL ? element->id : "");
        (void)snprintf(note->credentials, sizeof note->credentials, "%s",
                       element->credentials != NULL ? element->credentials : "");
    }
    (void)pthread_mutex_unlock(&host->lock);
    return note != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for %s", element->name);
}

void
lp_driver_host_set_serial(struct lp_driver_host *host, const char *name, const char *serial)
{
    struct note *note;

    (void)pthread_mutex_lock(&host->lock);
    note = find_or_add(host, name);
    if (note != NULL)
        (void)snprintf(note->serial, sizeof note->serial, "%s", serial);
    (void)pthread_mutex_unlock(&host->lock);
}

void
lp_driver_host_get_serial(struct lp_driver_host *host, const char *name, char *out, size_t size)
{
    const struct note *note;

    (void)pthread_mutex_lock(&host->lock);
    note = find(host, name);
    (void)snprintf(out, size, "%s", note != NULL ? note->serial : "");
    (void)pthread_mutex_unlock(&host->lock);
}

void
lp_driver_host_set_gateway(struct lp_driver_host *host, const char *name, const char *gateway)
{
    int64_t ttl_us = host->options.conf->devices_gateway_ttl_s * 1000000;
    struct note *note;

    (void)pthread_mutex_lock(&host->lock);
    note = find_or_add(host, name);
    if (note != NULL) {
        (void)snprintf(note->gateway, sizeof note->gateway, "%s", gateway != NULL ? gateway : "");
        note->gateway_until_us = lp_clock_mono_us(host->options.clock) + ttl_us;
    }
    (void)pthread_mutex_unlock(&host->lock);
}

void
lp_driver_host_get_gateway(struct lp_driver_host *host, const char *name, char *out, size_t size)
{
    const struct note *note;
    bool fresh;

    (void)pthread_mutex_lock(&host->lock);
    note = find(host, name);
    fresh = note != NULL && lp_clock_mono_us(host->options.clock) < note->gateway_until_us;
    (void)snprintf(out, size, "%s", fresh ? note->gateway : "");
    (void)pthread_mutex_unlock(&host->lock);
}

int64_t
lp_driver_host_write_gap(struct lp_driver_host *host, const char *name)
{
    return lp_driver_host_write_gap_of(host, name, 0);
}

int64_t
lp_driver_host_write_gap_of(struct lp_driver_host *host, const char *name, int64_t least_ms)
{
    int64_t gap_ms = host->options.conf->devices_write_gap_ms;
    int64_t gap_us = (gap_ms > least_ms ? gap_ms : least_ms) * 1000, wait_us = 0;
    int64_t now = lp_clock_mono_us(host->options.clock);
    struct note *note;

    if (gap_us == 0)
        return 0;
    (void)pthread_mutex_lock(&host->lock);
    note = find_or_add(host, name);
    if (note != NULL) {
        wait_us = note->next_write_us > now ? note->next_write_us - now : 0;
        note->next_write_us = now + wait_us + gap_us;
    }
    (void)pthread_mutex_unlock(&host->lock);
    return (wait_us + 999) / 1000;
}

/* ---- events ---- */

void
lp_driver_host_put_event(struct lp_driver_host *host, const char *name, json_t *event)
{
    struct note *note;

    (void)pthread_mutex_lock(&host->lock);
    note = find_or_add(host, name);
    if (note != NULL && json_array_size(note->events) >= EVENTS_MAX) {
        (void)json_array_remove(note->events, 0);
        note->lost++;
    }
    if (note == NULL || json_array_append_new(note->events, event) != 0)
        lp_logf(host->options.log, LP_LOG_WARN, "device.event_lost", "s:s", "device", name);
    (void)pthread_cond_broadcast(&host->event);
    (void)pthread_mutex_unlock(&host->lock);
}

static json_t *
oldest(struct lp_driver_host *host, const char *name)
{
    struct note *note = find(host, name);
    json_t *event = NULL;

    if (note != NULL && note->lost > 0) {
        event = json_pack("{s:I, s:s, s:s, s:s}", "at",
                          (json_int_t)lp_clock_utc_us(host->options.clock), "object", "", "kind",
                          "lost", "text", "events came faster than they were read");
        (void)lp_json_set_int(event, "count", (int64_t)note->lost);
        note->lost = 0;
    } else if (note != NULL && json_array_size(note->events) > 0) {
        event = json_incref(json_array_get(note->events, 0));
        (void)json_array_remove(note->events, 0);
    }
    return event;
}

json_t *
lp_driver_host_take_event(struct lp_driver_host *host, const char *name, int64_t ms)
{
    struct timespec until;
    json_t *event;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&host->lock);
    event = oldest(host, name);
    while (event == NULL && pthread_cond_timedwait(&host->event, &host->lock, &until) == 0)
        event = oldest(host, name);
    (void)pthread_mutex_unlock(&host->lock);
    return event;
}

/* ---- credentials ---- */

/* A file that went wrong is logged and the former one stays in force. */
static void
refresh_credentials(struct lp_driver_host *host)
{
    struct lp_err err = LP_ERR_INIT;

    if (lp_credentials_refresh(host->credentials, &err) != LP_OK)
        lp_log_err(host->options.log, LP_LOG_ERROR, "devices.credentials", &err);
    lp_err_clear(&err);
}

/* New credentials deserve a new try. */
static void
note_generation(struct lp_driver_host *host, uint64_t generation)
{
    bool changed;

    (void)pthread_mutex_lock(&host->lock);
    changed = host->generation != generation;
    host->generation = generation;
    (void)pthread_mutex_unlock(&host->lock);
    if (changed)
        lp_breakers_forgive_logins(host->breakers);
}

enum lp_code
lp_driver_host_credential(struct lp_driver_host *host, const char *name, struct lp_credential *out,
                          struct lp_err *err)
{
    enum lp_code rc;

    refresh_credentials(host);
    rc = lp_credentials_get(host->credentials, name, out, err);
    if (rc == LP_OK)
        note_generation(host, out->generation);
    return rc;
}

static bool
fits(char *to, size_t size, const char *from)
{
    return snprintf(to, size, "%s", from != NULL ? from : "") < (int)size;
}

static enum lp_code
tl1_credentials(void *arg, const char *element, struct lp_tl1_credentials *out, struct lp_err *err)
{
    struct lp_driver_host *host = arg;
    struct lp_credential found = {0};
    const struct note *note;
    char name[80] = "";
    enum lp_code rc;
    bool ok;

    (void)pthread_mutex_lock(&host->lock);
    note = find(host, element);
    if (note != NULL)
        (void)snprintf(name, sizeof name, "%s", note->credentials);
    (void)pthread_mutex_unlock(&host->lock);
    rc = lp_driver_host_credential(host, name, &found, err);
    if (rc != LP_OK)
        return rc;
    ok = found.user != NULL && fits(out->user, sizeof out->user, found.user)
         && fits(out->password, sizeof out->password, found.password)
         && fits(out->ssh_user, sizeof out->ssh_user, found.ssh_user)
         && fits(out->ssh_password, sizeof out->ssh_password, found.ssh_password);
    out->ssh_no_password = found.ssh_password != NULL && found.ssh_password[0] == '\0';
    lp_credential_wipe(&found);
    return ok ? LP_OK
              : lp_fail(err, LP_AUTH, "credentials '%.64s' have no user, or one that is too long",
                        name);
}

/* ---- the host ---- */

static void
host_key_seen(void *arg, const char *name, uint16_t port, const char *fingerprint, bool changed)
{
    const struct lp_driver_host *host = arg;

    lp_logf(host->options.log, changed ? LP_LOG_ERROR : LP_LOG_WARN,
            changed ? "device.host_key_changed" : "device.host_key_new", "s:s, s:i, s:s", "host",
            name, "port", (int)port, "fingerprint", fingerprint);
}

/* devices.host_keys, or the file in the data folder. */
static char *
host_keys_path(const struct lp_conf *conf)
{
    const char *home = getenv("HOME");
    char *path = NULL;
    int n;

    if (conf->devices_host_keys != NULL && conf->devices_host_keys[0] != '\0')
        return strdup(conf->devices_host_keys);
    if (conf->daemon_data_dir != NULL && conf->daemon_data_dir[0] != '\0')
        n = asprintf(&path, "%s/host_keys", conf->daemon_data_dir);
    else if (geteuid() == 0 || home == NULL)
        n = asprintf(&path, "/var/lib/lightpath/host_keys");
    else
        n = asprintf(&path, "%s/.local/state/lightpath/host_keys", home);
    return n < 0 ? NULL : path;
}

static enum lp_code
open_tl1(struct lp_driver_host *host, struct lp_err *err)
{
    const struct lp_conf *conf = host->options.conf;
    const struct lp_tl1_pool_options options = {
        .clock = host->options.clock,
        .credentials = tl1_credentials,
        .credentials_arg = host,
        .identify = fx_identify,
        .identify_arg = host,
        .host_key = host_key_seen,
        .host_key_arg = host,
        .known_hosts = host->host_keys,
        .max_reply = (size_t)conf->devices_max_reply,
        .max_evidence = (size_t)conf->devices_max_evidence,
        .connect_ms = conf->devices_connect_ms,
        .login_ms = conf->devices_handshake_ms,
        .object_ms = conf->devices_read_ms,
        .class_ms = conf->devices_list_ms,
        .write_ms = conf->devices_write_ms,
        .progress_ms = conf->devices_progress_ms,
        .keep_alive_ms = conf->devices_keepalive_s * 1000,
        .idle_ms = conf->devices_idle_s * 1000,
        .breaker_ms = conf->devices_breaker_open_ms,
    };

    return lp_tl1_pool_new(&options, &host->tl1, err);
}

static enum lp_code
open_parts(struct lp_driver_host *host, struct lp_err *err)
{
    const struct lp_conf *conf = host->options.conf;
    const struct lp_breaker_options breaker = {
        .clock = host->options.clock,
        .failures = (unsigned)conf->devices_breaker_failures,
        .window_ms = conf->devices_breaker_window_ms,
        .open_ms = conf->devices_breaker_open_ms,
    };
    enum lp_code rc;

    if (strcmp(conf->devices_tl1_transport, "ssh") != 0
        && strcmp(conf->devices_tl1_transport, "tcp") != 0)
        return lp_fail(err, LP_INVALID, "devices.tl1_transport is 'ssh' or 'tcp', not '%.32s'",
                       conf->devices_tl1_transport);
    host->index = json_object();
    host->host_keys = host_keys_path(conf);
    if (host->index == NULL || host->host_keys == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the driver host");
    rc = lp_credentials_open(conf->devices_credentials, &host->credentials, err);
    if (rc == LP_OK)
        rc = lp_breakers_new(&breaker, &host->breakers, err);
    if (rc == LP_OK)
        rc = lp_restconf_pool_new(host, &host->restconf, err);
    return rc == LP_OK ? open_tl1(host, err) : rc;
}

enum lp_code
lp_driver_host_new(const struct lp_driver_host_options *options, struct lp_driver_host **out,
                   struct lp_err *err)
{
    struct lp_driver_host *host = calloc(1, sizeof *host);
    pthread_condattr_t attr;
    enum lp_code rc;

    if (host == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the driver host");
    host->options = *options;
    (void)pthread_mutex_init(&host->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&host->event, &attr);
    (void)pthread_condattr_destroy(&attr);
    rc = open_parts(host, err);
    if (rc != LP_OK) {
        lp_driver_host_free(host);
        return rc;
    }
    *out = host;
    return LP_OK;
}

void
lp_driver_host_free(struct lp_driver_host *host)
{
    if (host == NULL)
        return;
    lp_tl1_pool_free(host->tl1);
    lp_restconf_pool_free(host->restconf);
    lp_breakers_free(host->breakers);
    lp_credentials_free(host->credentials);
    for (size_t i = 0; i < host->count; i++) {
        free(host->notes[i]->name);
        json_decref(host->notes[i]->events);
        free(host->notes[i]);
    }
    free(host->notes);
    json_decref(host->index);
    free(host->host_keys);
    (void)pthread_cond_destroy(&host->event);
    (void)pthread_mutex_destroy(&host->lock);
    free(host);
}

void
lp_driver_host_drop(struct lp_driver_host *host, const char *element_id)
{
    char name[512] = "";

    (void)pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->count; i++) {
        struct note *note = host->notes[i];

        if (strcmp(note->id, element_id) != 0)
            continue;
        (void)snprintf(name, sizeof name, "%s", note->name);
        note->serial[0] = '\0';
        note->gateway[0] = '\0';
    }
    (void)pthread_mutex_unlock(&host->lock);
    if (name[0] == '\0')
        return;
    lp_tl1_drop(host->tl1, name);
    lp_restconf_pool_drop(host->restconf, name);
}

void
lp_driver_host_tick(struct lp_driver_host *host)
{
    refresh_credentials(host); /* TL1 sessions are looked after by their pool's own thread */
    lp_restconf_pool_tick(host->restconf);
}

const struct lp_conf *
lp_driver_host_conf(const struct lp_driver_host *host)
{
    return host->options.conf;
}

const struct lp_clock *
lp_driver_host_clock(const struct lp_driver_host *host)
{
    return host->options.clock;
}

struct lp_log *
lp_driver_host_log(const struct lp_driver_host *host)
{
    return host->options.log;
}

struct lp_breakers *
lp_driver_host_breakers(const struct lp_driver_host *host)
{
    return host->breakers;
}

struct lp_restconf_pool *
lp_driver_host_restconf(const struct lp_driver_host *host)
{
    return host->restconf;
}

struct lp_tl1_pool *
lp_driver_host_tl1(const struct lp_driver_host *host)
{
    return host->tl1;
}
