/* Elements as a step uses them: locks, sessions, permission to write, evidence. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "steps/device_internal.h"

enum {
    MOST_DEVICES = 30, /* in one call: each has up to two locks */
    SENT_MOST = 65536,
    NAME_MAX_LEN = 80,
};

/* ---- the caller's side of a driver call ---- */

static int64_t
time_left_ms(void *ctx)
{
    struct lp_device *device = ctx;
    int64_t left = lp_run_time_left_ms(device->run), op;

    if (device->deadline_us == 0)
        return left;
    op = (device->deadline_us - lp_clock_mono_us(device->run->clock)) / 1000;
    if (op < 0)
        op = 0;
    return op < left ? op : left;
}

static bool
allowed(const char *list, const char *name)
{
    char word[256];

    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ",");
        const char *from = list + strspn(list, " \t");
        size_t used = len - (size_t)(from - list) > len ? 0 : len - (size_t)(from - list);

        while (used > 0 && (from[used - 1] == ' ' || from[used - 1] == '\t'))
            used--;
        if (used > 0 && used < sizeof word) {
            memcpy(word, from, used);
            word[used] = '\0';
            if (fnmatch(word, name, 0) == 0)
                return true;
        }
        list += len + (list[len] == ',' ? 1 : 0);
    }
    return false;
}

static const char *
default_mode(const struct lp_run *run)
{
    return lp_conf_live_text(&run->conf->devices_default_mode);
}

enum lp_code
lp_device_demand(struct lp_run *run, const json_t *doc, struct lp_err *err)
{
    const char *name = lp_json_str(doc, "name", "?");

    if (!allowed(lp_conf_live_text(&run->conf->devices_write_allow), name))
        return lp_fail(err, LP_PRECONDITION,
                       "%.100s is not in the list of elements that may be written; add it to "
                       "devices.write_allow in the configuration, then retry",
                       name);
    return lp_device_demand_writable(run->store, lp_json_str(doc, "id", ""), name,
                                     lp_json_str(doc, "site", NULL), default_mode(run), err);
}

/** Asked by the driver before each command that writes. */
static enum lp_code
check(void *ctx, struct lp_err *err)
{
    struct lp_device *device = ctx;
    enum lp_code rc = lp_run_check(device->run, err);

    if (rc != LP_OK)
        return rc;
    if (device->use != LP_DEVICE_WRITE)
        return lp_fail(err, LP_INTERNAL, "%.100s was opened for reading only",
                       device->element.name);
    if (device->quiet_until != 0) {
        int64_t left = device->quiet_until - lp_clock_utc_us(device->run->clock);

        if (left > 0) {
            lp_run_wake_at(device->run, device->quiet_until, NULL);
            return lp_fail(err, LP_RETRYABLE,
                           "%.100s may still be busy with a command of an executor that died; "
                           "written again in %lld s",
                           device->element.name, (long long)(left / 1000000 + 1));
        }
    }
    return lp_device_demand(device->run, device->doc, err);
}

static void
progress(void *ctx, const char *text)
{
    struct lp_device *device = ctx;

    lp_run_progress(device->run, "%s: %s", device->element.name, text);
}

/* ---- evidence ---- */

struct lp_devices {
    struct lp_device *list[MOST_DEVICES + 1];
    size_t count;
    struct lp_run *run;
    struct lp_unit *evidence;
    int64_t last, bytes;
    bool sending; /* the newest is kept already, without its answer */
    char key[200];
};

/** A text for the database: valid UTF-8 without NUL, cut with a mark that names the rest by its
 * hash. */
static const char *
kept_text(struct lp_arena *arena, const char *text, size_t most)
{
    size_t len = text == NULL ? 0 : strlen(text), keep = len < most ? len : most;
    char hash[65], *out;

    if (text == NULL)
        return NULL;
    while (keep > 0 && keep < len && ((unsigned char)text[keep] & 0xC0) == 0x80)
        keep--;
    out = lp_arena_alloc(arena, keep + 160);
    if (out == NULL)
        return "";
    memcpy(out, text, keep);
    for (size_t i = 0; i < keep; i++)
        if ((unsigned char)out[i] < 0x20 && strchr("\r\n\t", out[i]) == NULL)
            out[i] = '?';
    if (!lp_utf8_valid(out, keep))
        for (size_t i = 0; i < keep; i++)
            if ((unsigned char)out[i] >= 0x80)
                out[i] = '?';
    out[keep] = '\0';
    if (keep < len) {
        lp_sha256_hex(text, len, hash);
        snprintf(out + keep, 160, "\n... cut: %zu bytes, SHA-256 %s", len, hash);
    }
    return out;
}

/** Queues one exchange. One that was kept before it was sent is completed: same place. */
static void
queue_exchange(struct lp_device *device, const struct lp_exchange *exchange)
{
    struct lp_devices *set = device->set;
    struct lp_run *run = device->run;
    size_t mark = lp_arena_mark(run->arena);
    bool full = set->bytes > lp_conf_live_int(&run->conf->devices_evidence_step_mib) << 20;
    const char *sent = kept_text(run->arena, exchange->sent, SENT_MOST);
    const char *received =
        full && !exchange->writes
            ? "... not kept: this attempt has reached devices.evidence_step_mib"
            : kept_text(run->arena, exchange->received, (size_t)run->conf->devices_max_evidence);

    if (!set->sending)
        set->last = exchange->at_us > set->last ? exchange->at_us : set->last + 1;
    set->bytes +=
        (int64_t)((sent == NULL ? 0 : strlen(sent)) + (received == NULL ? 0 : strlen(received)));
    lp_unit_add(set->evidence, LP_SQL_EVIDENCE_ADD,
                LP_ARGS(lp_text("process", run->process_id), lp_text("key", set->key),
                        lp_int("attempt", run->attempt), lp_int("n", set->last),
                        lp_text("element", device->element.id),
                        lp_text("protocol", exchange->protocol),
                        lp_text("sent", sent == NULL ? "" : sent), lp_text("received", received),
                        lp_text("outcome", lp_code_info(exchange->outcome)->slug),
                        lp_int("writes", exchange->writes ? 1 : 0), lp_int("at", exchange->at_us),
                        lp_int("took", exchange->took_us)));
    lp_arena_rewind(run->arena, mark);
}

static void
evidence(void *ctx, const struct lp_exchange *exchange)
{
    struct lp_device *device = ctx;

    queue_exchange(device, exchange);
    device->set->sending = false;
    device->exchanges++;
}

/** What is about to be sent is committed first, with all that was said before: whoever kills this
 * program leaves it as an exchange whose outcome nobody knows. */
static enum lp_code
sending(void *ctx, const struct lp_exchange *exchange, struct lp_err *err)
{
    struct lp_device *device = ctx;
    struct lp_devices *set = device->set;
    enum lp_code rc;

    queue_exchange(device, exchange);
    set->sending = true;
    rc = lp_store_commit(set->run->store, set->evidence, err);
    if (rc != LP_OK)
        return lp_fail(
            err, LP_RETRYABLE,
            "%.100s: what would have been sent could not be noted, so it was not: %.120s",
            device->element.name, err->msg);
    lp_unit_free(set->evidence);
    set->evidence = lp_unit_new();
    return lp_run_check(set->run, err); /* that took a moment: is it still ours? */
}

/** Evidence of a step that failed is kept too: its own commit, because the step's writes go. */
static void
keep_evidence(struct lp_devices *set, enum lp_code rc)
{
    struct lp_err err = LP_ERR_INIT;

    if (lp_unit_size(set->evidence) == 0) {
        lp_unit_free(set->evidence);
        return;
    }
    if (rc == LP_OK && !(set->run->dry_run && !set->run->step->plans)) {
        (void)lp_unit_append(lp_run_unit(set->run), set->evidence);
        return;
    }
    if (lp_store_commit(set->run->store, set->evidence, &err) != LP_OK)
        lp_log_err(set->run->log, LP_LOG_WARN, "device.evidence_lost", &err);
    lp_err_clear(&err);
    lp_unit_free(set->evidence);
}

/* ---- locks ---- */

static unsigned
sessions_of(const struct lp_run *run, const json_t *doc)
{
    int64_t most = lp_json_int(doc, "max_sessions", 0);

    if (most <= 0)
        most = run->conf->devices_sessions;
    return most > 64 ? 64 : (unsigned)most;
}

/** A slot nobody holds, else any: then the lock says who has it, and the process parks. */
static enum lp_code
free_slot(struct lp_run *run, const json_t *doc, unsigned *slot, struct lp_err *err)
{
    unsigned most = sessions_of(run, doc);
    struct lp_rows *rows = NULL;
    uint64_t taken = 0;
    char prefix[NAME_MAX_LEN], dice[2];
    enum lp_code rc;

    snprintf(prefix, sizeof prefix, "session:%s#", lp_json_str(doc, "id", ""));
    rc = lp_query(run->store, LP_SQL_SESSION_HOLDERS, LP_ARGS(lp_text("prefix", prefix)), &rows,
                  err);
    *slot = most;
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        unsigned held = (unsigned)strtoul(lp_rows_text(rows, i, "name") + strlen(prefix), NULL, 10);

        if (strcmp(lp_rows_text(rows, i, "process_id"), run->process_id) == 0)
            *slot = held; /* ours from an earlier call */
        else if (held < 64)
            taken |= UINT64_C(1) << held;
    }
    lp_rows_free(rows);
    lp_random(dice, sizeof dice);
    for (unsigned i = 0; *slot >= most && i < most; i++)
        if ((taken >> i & 1) == 0)
            *slot = i;
    if (*slot >= most)
        *slot = (unsigned char)dice[0] % most;
    return rc;
}

static enum lp_code
take_locks(struct lp_run *run, json_t *const *docs, size_t count, enum lp_device_use use,
           struct lp_err *err)
{
    const char *names[2 * MOST_DEVICES];
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        const char *id = lp_json_str(docs[i], "id", "");
        unsigned slot = 0;
        enum lp_code rc = free_slot(run, docs[i], &slot, err);

        if (rc != LP_OK)
            return rc;
        names[n++] = lp_arena_printf(run->arena, "session:%s#%u", id, slot);
        if (use == LP_DEVICE_WRITE)
            names[n++] = lp_arena_printf(run->arena, "ne:%s", id);
    }
    for (size_t i = 0; i < n; i++)
        if (names[i] == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for lock names");
    return lp_run_locks(run, names, n, err);
}

/* ---- opening ---- */

static const char **
texts_of(struct lp_run *run, const json_t *list, size_t *count)
{
    size_t n = json_array_size(list);
    const char **texts = lp_arena_array(run->arena, n + 1, sizeof *texts);

    *count = texts == NULL ? 0 : n;
    for (size_t i = 0; i < *count; i++)
        texts[i] = json_string_value(json_array_get(list, i));
    return texts;
}

static void
fill_element(struct lp_run *run, struct lp_device *device)
{
    const json_t *doc = device->doc;
    struct lp_element *element = &device->element;

    *element = (struct lp_element){
        .id = lp_json_str(doc, "id", ""),
        .name = lp_json_str(doc, "name", ""),
        .node = lp_json_str(doc, "node", ""),
        .driver = lp_json_str(doc, "driver", ""),
        .credentials = lp_json_str(doc, "credentials", NULL),
        .serial = lp_json_str(doc, "serial", NULL),
        .max_sessions = sessions_of(run, doc),
    };
    element->addresses = texts_of(run, json_object_get(doc, "addresses"), &element->address_count);
    element->gateways = texts_of(run, json_object_get(doc, "gateways"), &element->gateway_count);
}

/** Until when an element has to be left in peace: an executor died while it held it. */
static enum lp_code
quiet_time(struct lp_device *device, struct lp_err *err)
{
    struct lp_run *run = device->run;
    int64_t configured = run->conf->devices_write_ms + run->conf->devices_progress_ms;
    int64_t longest = device->driver->longest_write_ms;
    char name[NAME_MAX_LEN];
    int64_t left = 0;
    enum lp_code rc;

    if (configured < longest) /* no command of ours was given more time than that */
        longest = configured;
    snprintf(name, sizeof name, "ne:%s", device->element.id);
    rc = lp_run_takeover_left_ms(run, name, longest, &left, err);
    if (rc == LP_OK && left > 0)
        device->quiet_until = lp_clock_utc_us(run->clock) + left * 1000;
    return rc;
}

static enum lp_code
open_one(struct lp_devices *set, json_t *doc, enum lp_device_use use, struct lp_err *err)
{
    const struct lp_services *services = set->run->services;
    struct lp_device *device = calloc(1, sizeof *device);
    enum lp_code rc = LP_OK;

    if (device == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for an element");
    set->list[set->count++] = device;
    device->doc = json_incref(doc);
    device->run = set->run;
    device->set = set;
    device->use = use;
    fill_element(set->run, device);
    device->call = (struct lp_call){.ctx = device,
                                    .time_left_ms = time_left_ms,
                                    .check = check,
                                    .evidence = evidence,
                                    .progress = progress,
                                    .arena = set->run->arena,
                                    .sending = sending};
    device->driver = services->driver_of(device->element.driver);
    if (device->driver == NULL)
        return lp_fail(err, LP_UNSUPPORTED, "%.100s: there is no driver '%.60s'",
                       device->element.name, device->element.driver);
    if (use == LP_DEVICE_WRITE)
        rc = quiet_time(device, err);
    if (rc == LP_OK)
        rc = device->driver->open(services->drivers, &device->element, &device->ne, err);
    return rc;
}

enum lp_code
lp_devices_open(struct lp_run *run, json_t *const *docs, size_t count, enum lp_device_use use,
                struct lp_device ***out, struct lp_err *err)
{
    const struct lp_services *services;
    struct lp_devices *set;
    enum lp_code rc;

    *out = NULL;
    if (run->services == NULL)
        return lp_fail(err, LP_UNSUPPORTED, "this program speaks to no devices");
    if (count > MOST_DEVICES)
        return lp_fail(err, LP_UNSUPPORTED, "%zu elements at one time are too many (at most %d)",
                       count, MOST_DEVICES);
    rc = take_locks(run, docs, count, use, err);
    if (rc != LP_OK)
        return rc;
    set = calloc(1, sizeof *set);
    if (set == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for elements");
    set->run = run;
    set->evidence = lp_unit_new();
    lp_run_key(run, set->key, sizeof set->key);
    services = run->services;
    if (services->opening != NULL)
        services->opening(services->arg);
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        rc = open_one(set, docs[i], use, err);
    if (rc != LP_OK) {
        lp_devices_close(set->list, set->count, rc);
        return rc;
    }
    *out = set->list;
    return LP_OK;
}

void
lp_devices_close(struct lp_device **devices, size_t count, enum lp_code rc)
{
    struct lp_devices *set;

    if (devices == NULL)
        return;
    set = (struct lp_devices *)(void *)((char *)devices - offsetof(struct lp_devices, list));
    (void)count;
    for (size_t i = 0; i < set->count; i++) {
        struct lp_device *device = set->list[i];

        const struct lp_services *services = set->run->services;

        if (device->ne != NULL)
            device->driver->close(device->ne);
        if (rc == LP_FENCED && services->drivers != NULL)
            lp_driver_host_drop(services->drivers, device->element.id);
        json_decref(device->doc);
        free(device);
    }
    keep_evidence(set, rc);
    free(set);
}

struct lp_device *
lp_devices_one(struct lp_device **devices, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(devices[i]->element.id, id) == 0)
            return devices[i];
    return NULL;
}

/* ---- is it the one? ---- */

static enum lp_code
other(struct lp_device *device, const char *what, const char *want, const char *got,
      struct lp_err *err)
{
    return lp_fail(err, LP_CONFLICT,
                   "%.100s answers with %s '%.60s', expected '%.60s': another element stands at "
                   "its address, or it was replaced",
                   device->element.name, what, got, want);
}

enum lp_code
lp_device_is(struct lp_device *device, const json_t *now, const json_t *identity,
             struct lp_err *err)
{
    static const char *const members[] = {"node", "serial"};
    const char *want, *got;

    for (size_t i = 0; i < LP_COUNT(members); i++) {
        got = lp_json_str(now, members[i], NULL);
        want = lp_json_str(identity, members[i], NULL);
        if (want != NULL && got != NULL && strcmp(want, got) != 0)
            return other(device, members[i], want, got, err);
    }
    got = lp_json_str(now, "serial", NULL);
    if (device->element.serial != NULL && got != NULL && strcmp(device->element.serial, got) != 0)
        return other(device, "serial", device->element.serial, got, err);
    got = lp_json_str(now, "node", NULL);
    if (got != NULL && strcmp(device->element.node, got) != 0)
        return other(device, "node", device->element.node, got, err);
    return LP_OK;
}

enum lp_code
lp_device_same(struct lp_device *device, const json_t *identity, struct lp_err *err)
{
    json_auto_t *now = NULL;
    enum lp_code rc;

    if (device->driver->probe == NULL)
        return LP_OK;
    rc = device->driver->probe(device->ne, &device->call, &now, err);
    return rc == LP_OK ? lp_device_is(device, now, identity, err) : rc;
}

enum lp_code
lp_device_plan(struct lp_device *device, const json_t *intents, bool take_over, json_t **plan,
               struct lp_err *err)
{
    enum lp_code rc =
        device->driver->plan(device->ne, &device->call, intents, take_over, plan, err);

    if (rc == LP_OK)
        rc = lp_device_is(device, json_object_get(*plan, "identity"), NULL, err);
    if (rc != LP_OK) {
        json_decref(*plan);
        *plan = NULL;
    }
    return rc;
}

void
lp_device_drifted(struct lp_run *run, const json_t *doc, const char *why)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;

    lp_unit_add(unit, LP_SQL_DEVICE_DRIFT,
                LP_ARGS(lp_text("element", lp_json_str(doc, "id", "")),
                        lp_text("name", lp_json_str(doc, "name", "")),
                        lp_int("at", lp_clock_utc_us(run->clock)), lp_text("drift", why)));
    if (lp_store_commit(run->store, unit, &err) != LP_OK)
        lp_log_err(run->log, LP_LOG_WARN, "device.drift_lost", &err);
    lp_err_clear(&err);
    lp_unit_free(unit);
}

enum lp_code
lp_device_set_mode(struct lp_run *run, const char *subscription_id, const char *name,
                   const char *mode, struct lp_err *err)
{
    enum lp_code rc = lp_device_mode_add(lp_run_unit(run), subscription_id, name, mode, run->actor,
                                         lp_clock_utc_us(run->clock), err);

    if (rc == LP_OK)
        lp_run_audit(run, "device_mode",
                     json_pack("{s:s, s:s}", "device_id", subscription_id, "mode", mode));
    return rc;
}
