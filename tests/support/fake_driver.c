#include "tests/support/fake_driver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"

enum { CALLS = 5 };

void (*lp_fake_before_write)(const char *element, const char *object);
void (*lp_fake_after_write)(const char *element, const char *object);
unsigned lp_fake_latency_ms;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static json_t *elements;                                 /* {element: {object: attributes}} */
static json_t *serials, *sessions, *writers;
static json_t
    *points; /* what an element held, by the number of the point; NULL: none are offered */
static struct lp_fake_seen seen;
static int inside;
static int hide_after, hide_times;
static char keep_path[200];
static struct {
    int after, times;
    enum lp_code code;
    bool executed;
} faults[CALLS];

struct fake {
    struct lp_ne ne;
    struct lp_element element;
    char id[64], name[128], node[128], serial[64];
    bool session;
};

/* ---- what tests do ---- */

void
lp_fake_reset(void)
{
    pthread_mutex_lock(&lock);
    json_decref(elements);
    json_decref(serials);
    json_decref(sessions);
    json_decref(writers);
    elements = json_object();
    serials = json_object();
    sessions = json_object();
    writers = json_object();
    json_decref(points);
    points = NULL;
    seen = (struct lp_fake_seen){0};
    memset(faults, 0, sizeof faults);
    inside = hide_after = hide_times = 0;
    keep_path[0] = '\0';
    pthread_mutex_unlock(&lock);
    lp_fake_before_write = lp_fake_after_write = NULL;
    lp_fake_latency_ms = 0;
}

static json_t *
objects_of(const char *element)
{
    json_t *map = json_object_get(elements, element);

    if (map == NULL) {
        json_object_set_new(elements, element, json_object());
        map = json_object_get(elements, element);
    }
    return map;
}

json_t *
lp_fake_object(const char *element, const char *object)
{
    json_t *copy;

    pthread_mutex_lock(&lock);
    copy = json_deep_copy(json_object_get(objects_of(element), object));
    pthread_mutex_unlock(&lock);
    return copy;
}

void
lp_fake_put(const char *element, const char *object, json_t *attributes)
{
    pthread_mutex_lock(&lock);
    if (attributes == NULL)
        json_object_del(objects_of(element), object);
    else
        json_object_set_new(objects_of(element), object, attributes);
    pthread_mutex_unlock(&lock);
}

void
lp_fake_serial(const char *element, const char *serial)
{
    pthread_mutex_lock(&lock);
    json_object_set_new(serials, element, json_string(serial));
    pthread_mutex_unlock(&lock);
}

char *
lp_fake_all(void)
{
    struct lp_err err = LP_ERR_INIT;
    char *text = NULL;
    size_t len = 0;

    pthread_mutex_lock(&lock);
    if (lp_json_canonical(elements, &text, &len, &err) != LP_OK)
        lp_err_clear(&err);
    pthread_mutex_unlock(&lock);
    return text;
}

void
lp_fake_points(void)
{
    pthread_mutex_lock(&lock);
    points = json_array();
    pthread_mutex_unlock(&lock);
}

void
lp_fake_hide(int after, int times)
{
    pthread_mutex_lock(&lock);
    hide_after = after;
    hide_times = times;
    pthread_mutex_unlock(&lock);
}

void
lp_fake_keep(const char *path)
{
    pthread_mutex_lock(&lock);
    snprintf(keep_path, sizeof keep_path, "%s", path == NULL ? "" : path);
    pthread_mutex_unlock(&lock);
}

void
lp_fake_load(const char *path)
{
    json_t *read = json_load_file(path, 0, NULL);

    pthread_mutex_lock(&lock);
    if (read != NULL) {
        json_decref(elements);
        elements = read;
    }
    pthread_mutex_unlock(&lock);
}

void
lp_fake_fail(enum lp_fake_call call, int nth, int times, enum lp_code code, bool executed)
{
    pthread_mutex_lock(&lock);
    faults[call].after = nth - 1;
    faults[call].times = times;
    faults[call].code = code;
    faults[call].executed = executed;
    pthread_mutex_unlock(&lock);
}

struct lp_fake_seen
lp_fake_seen(void)
{
    struct lp_fake_seen copy;

    pthread_mutex_lock(&lock);
    copy = seen;
    pthread_mutex_unlock(&lock);
    return copy;
}

/* ---- bookkeeping of calls ---- */

static int
add(json_t *map, const char *key, int by)
{
    int now = (int)json_integer_value(json_object_get(map, key)) + by;

    json_object_set_new(map, key, json_integer(now));
    return now;
}

/** LP_OK, or the fault that is due; *executed tells whether the change is made all the same. */
static enum lp_code
enter(struct fake *fake, enum lp_fake_call call, bool *executed, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    int now;

    *executed = false;
    pthread_mutex_lock(&lock);
    seen.calls++;
    if (++inside > seen.threads_most)
        seen.threads_most = inside;
    if (!fake->session) {
        fake->session = true;
        now = add(sessions, fake->id, 1);
        seen.sessions_now++;
        if (now > seen.sessions_most)
            seen.sessions_most = now;
    }
    if (faults[call].after > 0) {
        faults[call].after--;
    } else if (faults[call].times > 0) {
        faults[call].times--;
        *executed = faults[call].executed;
        rc = faults[call].code;
    }
    pthread_mutex_unlock(&lock);
    if (lp_fake_latency_ms > 0)
        usleep(lp_fake_latency_ms * 1000);
    return rc == LP_OK ? LP_OK
                       : lp_fail(err, rc, "%s: fault of a test in call %d", fake->name, (int)call);
}

static void
leave(void)
{
    pthread_mutex_lock(&lock);
    inside--;
    pthread_mutex_unlock(&lock);
}

static void
tell(struct fake *fake, const struct lp_call *call, const char *sent, const char *received,
     enum lp_code outcome, bool writes)
{
    static const struct lp_clock clock = LP_CLOCK_INIT;
    const struct lp_exchange exchange = {.element = fake->id,
                                         .protocol = "fake",
                                         .sent = sent,
                                         .received = received,
                                         .outcome = outcome,
                                         .at_us = lp_clock_utc_us(&clock),
                                         .took_us = 1,
                                         .writes = writes};

    call->evidence(call->ctx, &exchange);
}

/* ---- the driver ---- */

static enum lp_code
fake_open(struct lp_driver_host *host, const struct lp_element *element, struct lp_ne **out,
          struct lp_err *err)
{
    struct fake *fake = calloc(1, sizeof *fake);

    if (fake == NULL)
        return lp_fail(err, LP_NOMEM, "no memory");
    snprintf(fake->id, sizeof fake->id, "%s", element->id);
    snprintf(fake->name, sizeof fake->name, "%s", element->name);
    snprintf(fake->node, sizeof fake->node, "%s", element->node);
    fake->element = (struct lp_element){.id = fake->id, .name = fake->name, .node = fake->node};
    fake->ne = (struct lp_ne){
        .driver = &lp_fake_driver, .host = host, .element = &fake->element, .priv = fake};
    *out = &fake->ne;
    return LP_OK;
}

static void
fake_close(struct lp_ne *ne)
{
    struct fake *fake;

    if (ne == NULL)
        return;
    fake = ne->priv;
    pthread_mutex_lock(&lock);
    if (fake->session) {
        (void)add(sessions, fake->id, -1);
        seen.sessions_now--;
    }
    pthread_mutex_unlock(&lock);
    free(fake);
}

static enum lp_code
fake_probe(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct fake *fake = ne->priv;
    bool executed;
    enum lp_code rc = enter(fake, LP_FAKE_PROBE, &executed, err);
    const char *serial;

    tell(fake, call, "WHO", rc == LP_OK ? "ME" : NULL, rc, false);
    if (rc == LP_OK) {
        pthread_mutex_lock(&lock);
        serial = json_string_value(json_object_get(serials, fake->id));
        *out = json_pack("{s:s, s:s, s:s}", "node", fake->node, "serial",
                         serial == NULL ? "S1" : serial, "software", "1.0");
        pthread_mutex_unlock(&lock);
    }
    leave();
    return rc;
}

static enum lp_code
fake_ports(struct lp_ne *ne, const struct lp_call *call, int role, json_t **out, struct lp_err *err)
{
    (void)ne;
    (void)call;
    (void)role;
    (void)err;
    *out = json_pack("{s:I, s:[{s:s, s:s}]}", "as_of", (json_int_t)1000000, "items", "name",
                     "1-A-1-L1", "role", "ols-line");
    return LP_OK;
}

/** The operation that brings `now` (NULL: not there) to `want` (NULL: should not be there). */
static json_t *
operation(const json_t *intent, const char *object, json_t *now, json_t *want)
{
    const char *action = want == NULL ? "delete" : now == NULL ? "create" : "set";
    bool traffic = lp_json_true(intent, "traffic");
    json_t *op, *back, *flags = json_array();
    char id[200], text[300], command[300];

    if (traffic)
        json_array_append_new(flags, json_string("traffic-affecting"));
    if (lp_json_true(intent, "irreversible"))
        json_array_append_new(flags, json_string("irreversible"));
    snprintf(id, sizeof id, "%s %s", action, object);
    snprintf(text, sizeof text, "%s %s as wanted", action, object);
    snprintf(command, sizeof command, "%s-%s:*", action, object);
    back = json_pack("{s:s, s:s, s:s, s:s, s:O?, s:O?}", "id", id, "object", object, "action",
                     now == NULL    ? "delete"
                     : want == NULL ? "create"
                                    : "set",
                     "text", "back", "before", want, "after", now);
    op = json_pack("{s:s, s:I, s:s, s:s, s:O, s:O?, s:O?, s:o, s:s, s:[s], s:I}", "id", id, "phase",
                   (json_int_t)lp_json_int(intent, "phase", want == NULL ? 20 : 40), "object",
                   object, "action", action, "intent", json_object_get(intent, "id"), "before", now,
                   "after", want, "flags", flags, "text", text, "commands", command, "timeout_ms",
                   (json_int_t)60000);
    if (lp_json_true(intent, "irreversible")) {
        json_object_set_new(op, "compensation", json_null());
        json_decref(back);
    } else {
        json_object_set_new(op, "compensation", back);
    }
    return op;
}

static enum lp_code
fake_plan(struct lp_ne *ne, const struct lp_call *call, const json_t *intents, bool take_over,
          json_t **out, struct lp_err *err)
{
    struct fake *fake = ne->priv;
    json_t *operations, *intent;
    bool executed, hidden = false;
    size_t i;
    enum lp_code rc = enter(fake, LP_FAKE_PLAN, &executed, err);

    tell(fake, call, "LIST", rc == LP_OK ? "ALL" : NULL, rc, false);
    if (rc != LP_OK) {
        leave();
        return rc;
    }
    operations = json_array();
    pthread_mutex_lock(&lock);
    if (hide_after > 0)
        hide_after--;
    else if (hide_times > 0)
        hidden = hide_times-- > 0;
    json_array_foreach(intents, i, intent)
    {
        const char *object = lp_json_str(intent, "object", "?");
        json_t *now = hidden ? NULL : json_object_get(objects_of(fake->id), object);
        json_t *want = json_is_false(json_object_get(intent, "present"))
                           ? NULL
                           : json_object_get(intent, "attributes");

        if (now == NULL && want == NULL)
            continue;
        if (now != NULL && want != NULL && lp_json_same(now, want))
            continue;
        if (!take_over && now != NULL && json_object_get(now, "foreign") != NULL)
            rc = lp_fail(err, LP_CONFLICT, "%s: foreign %s is in the way", fake->name, object);
        json_array_append_new(operations, operation(intent, object, now, want));
    }
    *out = json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "element", fake->id, "driver", "fake",
                     "identity", "node", fake->node, "serial", "S1", "operations", operations);
    if (json_object_get(serials, fake->id) != NULL)
        json_object_set(json_object_get(*out, "identity"), "serial",
                        json_object_get(serials, fake->id));
    pthread_mutex_unlock(&lock);
    leave();
    if (rc != LP_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

static bool
is(const json_t *now, const json_t *want)
{
    if (json_is_null(want) || want == NULL)
        return now == NULL;
    return now != NULL && lp_json_same(now, want);
}

static void
change(struct fake *fake, const char *object, json_t *after)
{
    int now;

    pthread_mutex_lock(&lock);
    now = add(writers, fake->id, 1);
    seen.writes++;
    if (now > seen.writers_most)
        seen.writers_most = now;
    pthread_mutex_unlock(&lock);
    if (lp_fake_before_write != NULL)
        lp_fake_before_write(fake->id, object);
    if (lp_fake_latency_ms > 0)
        usleep(lp_fake_latency_ms * 1000);
    pthread_mutex_lock(&lock);
    if (json_is_null(after) || after == NULL)
        json_object_del(objects_of(fake->id), object);
    else
        json_object_set_new(objects_of(fake->id), object, json_deep_copy(after));
    seen.changed++;
    (void)add(writers, fake->id, -1);
    if (keep_path[0] != '\0')
        (void)json_dump_file(elements, keep_path, 0);
    pthread_mutex_unlock(&lock);
    if (lp_fake_after_write != NULL)
        lp_fake_after_write(fake->id, object);
}

static enum lp_code
write_object(struct fake *fake, const struct lp_call *call, const json_t *op, enum lp_code fault,
             bool executed, struct lp_err *err)
{
    const char *object = lp_json_str(op, "object", "?");
    struct lp_err why = LP_ERR_INIT;
    enum lp_code rc = call->check(call->ctx, &why);

    if (rc != LP_OK) {
        lp_err_move(err, &why);
        return rc;
    }
    if (fault == LP_OK || executed)
        change(fake, object, json_object_get(op, "after"));
    tell(fake, call, lp_json_str(op, "id", "?"), fault == LP_OK ? "DONE" : NULL, fault, true);
    return fault;
}

static enum lp_code
fake_apply(struct lp_ne *ne, const struct lp_call *call, const json_t *op, const json_t *produced,
           json_t **report, struct lp_err *err)
{
    struct fake *fake = ne->priv;
    bool executed, same, before;
    json_t *now;
    enum lp_code fault = enter(fake, LP_FAKE_APPLY, &executed, err), rc = LP_OK;

    (void)produced;
    pthread_mutex_lock(&lock);
    now = json_object_get(objects_of(fake->id), lp_json_str(op, "object", "?"));
    same = is(now, json_object_get(op, "after"));
    before = is(now, json_object_get(op, "before"));
    pthread_mutex_unlock(&lock);
    if (fault != LP_OK && !executed) {
        tell(fake, call, lp_json_str(op, "id", "?"), NULL, fault, true);
        rc = fault;
    } else if (!same && !before) {
        rc = lp_fail(err, LP_CONFLICT, "%s: %s is neither as before nor as wanted", fake->name,
                     lp_json_str(op, "object", "?"));
        err->detail = json_pack("{s:O?}", "actual", now);
    } else if (!same) {
        rc = write_object(fake, call, op, fault, executed, err);
    } else {
        rc = fault;
    }
    if (rc == LP_OK)
        *report = json_pack("{s:b, s:{s:s}}", "changed", (int)!same, "produced", "name", "made");
    leave();
    return rc;
}

static enum lp_code
fake_raw(struct lp_ne *ne, const struct lp_call *call, const char *text, json_t **out,
         struct lp_err *err)
{
    struct fake *fake = ne->priv;
    bool executed;
    enum lp_code rc = enter(fake, LP_FAKE_RAW, &executed, err);

    tell(fake, call, text, rc == LP_OK ? "ANSWER" : NULL, rc, strncmp(text, "RTRV", 4) != 0);
    if (rc == LP_OK)
        *out = json_pack("{s:s}", "text", "ANSWER");
    leave();
    return rc;
}

static bool
fake_raw_writes(const char *text)
{
    return strncmp(text, "RTRV", 4) != 0;
}

static enum lp_code
fake_point(struct lp_ne *ne, const struct lp_call *call, const char *description, json_t **out,
           struct lp_err *err)
{
    struct fake *fake = ne->priv;

    (void)call;
    (void)description;
    (void)err;
    pthread_mutex_lock(&lock);
    json_array_append_new(points, json_deep_copy(objects_of(fake->id)));
    *out = json_pack("{s:I}", "id", (json_int_t)json_array_size(points));
    pthread_mutex_unlock(&lock);
    return LP_OK;
}

static enum lp_code
fake_point_diff(struct lp_ne *ne, const struct lp_call *call, const json_t *point, json_t **out,
                struct lp_err *err)
{
    (void)ne;
    (void)call;
    (void)err;
    *out = json_pack("{s:I, s:[]}", "id", (json_int_t)lp_json_int(point, "id", 0), "changes");
    return LP_OK;
}

static enum lp_code
fake_rollback(struct lp_ne *ne, const struct lp_call *call, const json_t *point,
              const json_t *objects, struct lp_err *err)
{
    struct fake *fake = ne->priv;

    (void)call;
    (void)objects;
    (void)err;
    pthread_mutex_lock(&lock);
    json_object_set_new(
        elements, fake->id,
        json_deep_copy(json_array_get(points, (size_t)lp_json_int(point, "id", 0) - 1)));
    pthread_mutex_unlock(&lock);
    return LP_OK;
}

#define FAKE_DRIVER                                                                                \
    .name = "fake", .longest_write_ms = 3000, .open = fake_open, .close = fake_close,              \
    .probe = fake_probe, .ports = fake_ports, .plan = fake_plan, .apply_op = fake_apply,           \
    .raw = fake_raw, .raw_writes = fake_raw_writes

const struct lp_driver lp_fake_driver = {FAKE_DRIVER};

static const struct lp_driver with_points = {
    FAKE_DRIVER, .caps = LP_DRIVER_CAP(LP_CAP_ROLLBACK_POINT), .rollback_point = fake_point,
    .rollback_diff = fake_point_diff, .rollback = fake_rollback};

const struct lp_driver *
lp_fake_driver_of(const char *name)
{
    bool offered;

    pthread_mutex_lock(&lock);
    offered = points != NULL;
    pthread_mutex_unlock(&lock);
    if (strcmp(name, "fake") != 0)
        return NULL;
    return offered ? &with_points : &lp_fake_driver;
}
