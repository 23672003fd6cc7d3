#include "engine/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/head.h"
#include "engine/schedule_def.h"
#include "engine/when.h"

#define SECOND_US INT64_C(1000000)
enum {
    CHANGE_TRIES = 20, /* a schedule that is due every second changes under the operator */
    LIST_CHUNK = 500,
    LIST_MAX = 100000,
    SCHEDULES_MAX = 10000,
    OVERDUE_MAX = 100000, /* due times looked at in one go */
};

/* ---- reading ---- */

static enum lp_code
load_rows(struct lp_engine *engine, const char *id, struct lp_rows **rows, struct lp_err *err)
{
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_SCHEDULE_GET, LP_ARGS(lp_text("id", id)), rows, err);

    if (rc == LP_OK && lp_rows_count(*rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "Schedule does not exist");
    return rc;
}

static enum lp_code
load(struct lp_engine *engine, const char *id, struct lp_schedule *out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = load_rows(engine, id, &rows, err);

    *out = (struct lp_schedule){.paused = false};
    if (rc == LP_OK)
        rc = lp_schedule_from_row(engine, rows, 0, out, err);
    lp_rows_free(rows);
    return rc;
}

static json_t *
last_run(const struct lp_rows *rows, size_t row)
{
    if (lp_rows_null(rows, row, "last_due"))
        return json_null();
    return json_pack(
        "{s:o, s:o, s:s, s:s?, s:s?}", "due_at", lp_when_json(lp_rows_int(rows, row, "last_due")),
        "at", lp_when_json(lp_rows_int(rows, row, "last_at")), "outcome",
        lp_rows_text(rows, row, "last_outcome"), "process_id",
        lp_rows_text(rows, row, "last_process"), "reason", lp_rows_text(rows, row, "last_reason"));
}

static enum lp_code
row_json(struct lp_engine *engine, const struct lp_rows *rows, size_t row, json_t **out,
         struct lp_err *err)
{
    struct lp_schedule s;
    char text[500];
    enum lp_code rc = lp_schedule_from_row(engine, rows, row, &s, err);

    if (rc == LP_INTERNAL) { /* shown, so that somebody can mend or delete it */
        *out = json_pack("{s:s, s:s, s:s, s:s}", "id", s.id, "name", s.name, "workflow_name",
                         s.workflow, "error", err->msg);
        lp_err_clear(err);
        lp_schedule_clear(&s);
        return LP_OK;
    }
    if (rc != LP_OK) {
        lp_schedule_clear(&s);
        return rc;
    }
    lp_schedule_text(&s, text, sizeof text);
    *out = lp_schedule_to_json(&s);
    (void)!lp_json_set_str(*out, "id", s.id);
    (void)!lp_json_set_str(*out, "workflow_id", s.reg == NULL ? NULL : s.reg->id.text);
    (void)!lp_json_set_str(*out, "text", text);
    if (json_object_get(*out, "window") == NULL)
        json_object_set_new(*out, "window", json_null());
    json_object_set_new(*out, "next_run_time", lp_when_json(s.paused ? INT64_MAX : s.start_us));
    json_object_set_new(*out, "last_run", last_run(rows, row));
    (void)!lp_json_set_int(*out, "version", s.version);
    (void)!lp_json_set_str(*out, "owner", s.owner);
    (void)!lp_json_set_str(*out, "created_by", lp_rows_text(rows, row, "created_by"));
    json_object_set_new(*out, "created_at", lp_when_json(lp_rows_int(rows, row, "created_at")));
    json_object_set_new(*out, "modified_at", lp_when_json(lp_rows_int(rows, row, "modified_at")));
    lp_schedule_clear(&s);
    return LP_OK;
}

enum lp_code
lp_schedule_get(struct lp_engine *engine, const char *id, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = load_rows(engine, id, &rows, err);

    if (rc == LP_OK)
        rc = row_json(engine, rows, 0, out, err);
    lp_rows_free(rows);
    return rc;
}

/** One chunk behind the last one; `at` holds name and id of its end. */
static enum lp_code
list_chunk(struct lp_engine *engine, char name[static 201], char id[static LP_UUID_LEN + 1],
           json_t *list, size_t *count, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(
        engine->store, LP_SQL_SCHEDULE_LIST,
        LP_ARGS(lp_text("name", name), lp_text("id", id), lp_int("limit", LIST_CHUNK)), &rows, err);

    *count = rc == LP_OK ? lp_rows_count(rows) : 0;
    for (size_t i = 0; rc == LP_OK && i < *count; i++) {
        json_t *one = NULL;

        rc = row_json(engine, rows, i, &one, err);
        if (rc == LP_OK)
            json_array_append_new(list, one);
        snprintf(name, 201, "%s", lp_rows_text(rows, i, "name"));
        snprintf(id, LP_UUID_LEN + 1, "%s", lp_rows_text(rows, i, "id"));
    }
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_schedule_list(struct lp_engine *engine, json_t **out, struct lp_err *err)
{
    json_auto_t *list = json_array();
    char name[201] = "", id[LP_UUID_LEN + 1] = "";
    size_t count = LIST_CHUNK;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && count == LIST_CHUNK && json_array_size(list) < LIST_MAX)
        rc = list_chunk(engine, name, id, list, &count, err);
    if (rc == LP_OK)
        *out = lp_json_take(&list);
    return rc;
}

enum lp_code
lp_schedule_runs(struct lp_engine *engine, const char *id, int64_t before_us, int64_t limit,
                 json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *list = json_array();
    enum lp_code rc = load_rows(engine, id, &rows, err);

    lp_rows_free(rows);
    rows = NULL;
    if (rc == LP_OK)
        rc = lp_query(
            engine->store, LP_SQL_SCHEDULE_RUNS,
            LP_ARGS(lp_text("id", id), lp_int("before", before_us), lp_int("limit", limit)), &rows,
            err);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:s?, s:s?, s:s?, s:s}", "due_at",
                                              lp_when_json(lp_rows_int(rows, i, "due_at")), "at",
                                              lp_when_json(lp_rows_int(rows, i, "at")), "outcome",
                                              lp_rows_text(rows, i, "outcome"), "process_id",
                                              lp_rows_text(rows, i, "process_id"), "process_status",
                                              lp_rows_text(rows, i, "status"), "reason",
                                              lp_rows_text(rows, i, "reason"), "scheduler",
                                              lp_rows_text(rows, i, "scheduler")));
    lp_rows_free(rows);
    if (rc == LP_OK)
        *out = lp_json_take(&list);
    return rc;
}

/* ---- changing ---- */

void
lp_engine_on_schedules(struct lp_engine *engine, void (*fn)(void *arg), void *arg)
{
    engine->on_schedules_arg = arg;
    __atomic_store_n(&engine->on_schedules, fn, __ATOMIC_RELEASE);
}

static void
tell(struct lp_engine *engine)
{
    void (*fn)(void *arg) = __atomic_load_n(&engine->on_schedules, __ATOMIC_ACQUIRE);

    if (fn != NULL)
        fn(engine->on_schedules_arg);
}

/** Whoever schedules a workflow starts it: the same question, asked in one place (W28). */
static enum lp_code
demand_start(const struct lp_caller *caller, const struct lp_schedule *s, struct lp_err *err)
{
    if (s->reg == NULL ? caller->role >= LP_ROLE_ADMIN : lp_may_start(caller, s->reg->workflow))
        return LP_OK;
    return lp_fail(err, LP_DENIED, "User is not authorized to manage schedule with '%s' task",
                   s->workflow);
}

/** Pages that the form refuses today are refused now; what depends on a subscription may change. */
static enum lp_code
demand_inputs(struct lp_engine *engine, const struct lp_caller *caller, const struct lp_schedule *s,
              struct lp_err *err)
{
    json_auto_t *pages = NULL;
    json_auto_t *output = NULL;
    json_auto_t *shared = NULL;
    enum lp_code rc;

    if (s->reg->workflow->target != LP_TARGET_SYSTEM)
        return LP_OK;
    rc = lp_json_load(s->inputs, strlen(s->inputs), &pages, err);
    shared = json_array();
    if (rc == LP_OK)
        rc = lp_form_negotiate(engine, caller, s->reg, s->reg->workflow->form, true, NULL, pages,
                               &output, shared, err);
    if (rc != LP_FORM_INVALID && rc != LP_FORM_INCOMPLETE)
        return rc;
    return rc == LP_FORM_INCOMPLETE
               ? lp_fail_at(err, LP_INVALID, "/user_inputs",
                            "the form of '%s' has further pages that user_inputs does not answer",
                            s->workflow)
               : lp_fail_at(err, LP_INVALID, "/user_inputs",
                            "the form of '%s' does not take user_inputs", s->workflow);
}

static struct lp_arg
limit_arg(const char *name, int64_t value)
{
    return value == INT64_MIN || value == INT64_MAX ? lp_null(name) : lp_int(name, value);
}

static void
add_schedule(struct lp_unit *unit, const struct lp_schedule *s, const struct lp_caller *caller,
             bool fresh)
{
    struct lp_arg key = fresh ? lp_text("workflow", s->workflow) : lp_int("version", s->version);

    lp_unit_add(
        unit, fresh ? LP_SQL_SCHEDULE_INSERT : LP_SQL_SCHEDULE_UPDATE,
        LP_ARGS(key, lp_text("id", s->id), lp_text("name", s->name), lp_text("inputs", s->inputs),
                lp_text("kind", lp_trigger_name(s->trigger.kind)), lp_text("spec", s->spec),
                lp_text("timezone", s->timezone), limit_arg("begins_at", s->trigger.begins_us),
                limit_arg("ends_at", s->trigger.ends_us), lp_int("jitter_s", s->jitter_s),
                lp_text("misfire", lp_misfire_name(s->misfire)),
                lp_int("misfire_most", s->misfire_most), lp_int("grace_s", s->grace_s),
                lp_text("overlap", s->overlap_skip ? "skip" : "allow"),
                lp_text("window_id", s->window_id[0] == '\0' ? NULL : s->window_id),
                lp_int("paused", s->paused ? 1 : 0), limit_arg("due_at", s->due_us),
                limit_arg("start_at", lp_schedule_start(s, s->due_us)),
                lp_text("owner", caller->actor), lp_text("owner_role", lp_role_name(caller->role)),
                lp_int("now", s->now_us)));
}

static enum lp_code
commit(struct lp_engine *engine, const struct lp_caller *caller, struct lp_unit *unit,
       const char *event, const struct lp_schedule *s, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:s, s:s, s:s, s:s}", "event", event, "schedule", s->id, "name",
                                  s->name, "workflow", s->workflow);
    enum lp_code rc;

    if (s->spec != NULL && s->inputs != NULL)
        json_object_set_new(body, "definition", lp_schedule_to_json(s));
    lp_event_add(unit, json_pack("{s:s}", "type", "scheduledTags"), lp_clock_utc_us(engine->clock));
    rc = lp_audit_commit_system(engine, unit, caller, body, err);
    if (rc == LP_OK)
        tell(engine);
    return rc;
}

static enum lp_code
demand_room(struct lp_engine *engine, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_SCHEDULE_COUNT, LP_NO_ARGS, &rows, err);

    if (rc == LP_OK && lp_rows_int(rows, 0, "n") >= SCHEDULES_MAX)
        rc = lp_fail(err, LP_CONFLICT, "there are %d schedules already", SCHEDULES_MAX);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_schedule_create(struct lp_engine *engine, const struct lp_caller *caller, const json_t *body,
                   json_t **out, struct lp_err *err)
{
    struct lp_uuid id = lp_uuid_v7(engine->clock);
    struct lp_schedule s = {.paused = false};
    struct lp_unit *unit = lp_unit_new();
    int64_t now = 0;
    enum lp_code rc = lp_store_now(engine->store, &now, err);

    if (rc == LP_OK)
        rc = lp_schedule_from_json(engine, body, NULL, now, &s, err);
    memcpy(s.id, id.text, sizeof s.id);
    if (rc == LP_OK)
        rc = demand_start(caller, &s, err);
    if (rc == LP_OK)
        rc = demand_inputs(engine, caller, &s, err);
    if (rc == LP_OK)
        rc = demand_room(engine, err);
    if (rc == LP_OK) {
        add_schedule(unit, &s, caller, true);
        rc = commit(engine, caller, unit, "schedule.create", &s, err);
    }
    lp_unit_free(unit);
    lp_schedule_clear(&s);
    return rc == LP_OK ? lp_schedule_get(engine, id.text, out, err) : rc;
}

/** The definition with what the operator wrote over it. */
static json_t *
patched(const struct lp_schedule *was, const json_t *patch)
{
    json_t *body = lp_schedule_to_json(was), *value;
    const char *key;
    void *next;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value) json_object_set(body, key, value);
    json_object_foreach_safe(body, next, key, value) if (json_is_null(value))
        json_object_del(body, key);
    return body;
}

static enum lp_code
demand_same_task(const struct lp_schedule *was, const json_t *patch, struct lp_err *err)
{
    const char *name = lp_json_str(patch, "workflow_name", was->workflow);

    if (strcmp(name, was->workflow) == 0)
        return LP_OK;
    return lp_fail_at(err, LP_INVALID, "/workflow_name",
                      "the task of a schedule does not change: make another schedule");
}

static enum lp_code
try_change(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
           const json_t *patch, struct lp_err *err)
{
    bool same = json_object_get(patch, "trigger") == NULL
                && json_object_get(patch, "trigger_kwargs") == NULL;
    struct lp_schedule was, s = {.paused = false};
    struct lp_unit *unit = lp_unit_new();
    json_auto_t *body = NULL;
    enum lp_code rc = load(engine, id, &was, err);

    if (rc == LP_OK)
        rc = demand_start(caller, &was, err);
    if (rc == LP_OK)
        rc = demand_same_task(&was, patch, err);
    if (rc == LP_OK) {
        body = patched(&was, patch);
        rc = lp_schedule_from_json(engine, body, same ? &was : NULL, was.now_us, &s, err);
    }
    if (rc == LP_OK && json_object_get(patch, "user_inputs") != NULL)
        rc = demand_inputs(engine, caller, &s, err);
    if (rc == LP_OK) {
        memcpy(s.id, was.id, sizeof s.id);
        s.version = was.version;
        if (was.paused && !s.paused) /* what came while it was paused was not wanted */
            s.due_us = lp_trigger_next(&s.trigger, s.zone, was.now_us);
        add_schedule(unit, &s, caller, false);
        rc = commit(engine, caller, unit, "schedule.change", &s, err);
    }
    lp_unit_free(unit);
    lp_schedule_clear(&was);
    lp_schedule_clear(&s);
    return rc;
}

enum lp_code
lp_schedule_change(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
                   const json_t *body, json_t **out, struct lp_err *err)
{
    enum lp_code rc = LP_CONFLICT;

    for (int i = 0; i < CHANGE_TRIES && rc == LP_CONFLICT; i++) {
        lp_err_clear(err);
        rc = try_change(engine, caller, id, body, err);
    }
    return rc == LP_OK ? lp_schedule_get(engine, id, out, err) : rc;
}

enum lp_code
lp_schedule_delete(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
                   struct lp_err *err)
{
    struct lp_schedule s;
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc = load(engine, id, &s, err);

    if (rc == LP_INTERNAL) { /* what cannot be read can still be removed */
        lp_err_clear(err);
        rc = LP_OK;
    }
    if (rc == LP_OK)
        rc = demand_start(caller, &s, err);
    if (rc == LP_OK) {
        lp_unit_add(unit, LP_SQL_SCHEDULE_DELETE, LP_ARGS(lp_text("id", s.id)));
        rc = commit(engine, caller, unit, "schedule.delete", &s, err);
    }
    lp_unit_free(unit);
    lp_schedule_clear(&s);
    return rc;
}

/* ---- those that are there from the first start on ---- */

static enum lp_code
default_known(struct lp_engine *engine, const char *name, bool *known, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_SETTING_GET, LP_ARGS(lp_text("name", name)), &rows, err);

    *known = rc == LP_OK && lp_rows_count(rows) > 0;
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_schedule_default(struct lp_engine *engine, const char *key, const json_t *body,
                    struct lp_err *err)
{
    struct lp_caller caller = {.actor = "SYSTEM", .role = LP_ROLE_ADMIN, .correlation_id = key};
    struct lp_schedule s = {.paused = false};
    struct lp_unit *unit;
    char name[100];
    bool known = false;
    int64_t now = 0;
    enum lp_code rc;

    snprintf(name, sizeof name, "schedule_default.%s", key);
    rc = default_known(engine, name, &known, err);
    if (rc != LP_OK || known)
        return rc;
    unit = lp_unit_new();
    rc = lp_store_now(engine->store, &now, err);
    if (rc == LP_OK)
        rc = lp_schedule_from_json(engine, body, NULL, now, &s, err);
    if (rc == LP_OK) {
        memcpy(s.id, lp_uuid_v7(engine->clock).text, sizeof s.id);
        lp_unit_add(unit, LP_SQL_SCHEDULE_DEFAULT_MARK,
                    LP_ARGS(lp_text("name", name), lp_text("value", s.id),
                            lp_text("actor", caller.actor), lp_int("now", now)));
        add_schedule(unit, &s, &caller, true);
        rc = commit(engine, &caller, unit, "schedule.create", &s, err);
    }
    if (rc == LP_CONFLICT) { /* another daemon was quicker */
        lp_err_clear(err);
        rc = LP_OK;
    }
    lp_unit_free(unit);
    lp_schedule_clear(&s);
    return rc;
}

/* ---- what is due ---- */

enum lp_code
lp_schedules_sleep(struct lp_engine *engine, int64_t *us, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_SCHEDULE_SOONEST, LP_NO_ARGS, &rows, err);

    *us = INT64_MAX;
    if (rc == LP_OK && !lp_rows_null(rows, 0, "at")) {
        *us = lp_rows_int(rows, 0, "at") - lp_rows_int(rows, 0, "now");
        if (*us < 0)
            *us = 0;
    }
    lp_rows_free(rows);
    return rc;
}

/** One schedule whose start has come. */
struct due {
    struct lp_engine *engine;
    struct lp_schedule s;
    int64_t due_us;  /* the one that is dealt with now */
    int64_t next_us; /* where the schedule stands afterwards */
    const char *outcome, *reason;
};

/** What happens to the due times that have come: `missed` of them are recorded as missed (the
 * newest is missed_us), then due_us starts; start false: only the record. */
struct choice {
    size_t missed;
    int64_t missed_first_us, missed_us;
    int64_t due_us;
    bool start;
};

static bool
is_late(const struct lp_schedule *s, int64_t due_us)
{
    return s->now_us - lp_schedule_start(s, due_us) > s->grace_s * SECOND_US;
}

static void
miss(struct choice *choice, int64_t due_us)
{
    if (choice->missed++ == 0)
        choice->missed_first_us = due_us;
    choice->missed_us = due_us;
}

/** How many due times are late, and how many have come at all. */
static void
count_due(const struct lp_schedule *s, size_t *late, size_t *come)
{
    *late = *come = 0;
    for (int64_t due = s->due_us;
         *come < OVERDUE_MAX && due != INT64_MAX && lp_schedule_start(s, due) <= s->now_us;
         due = lp_trigger_next(&s->trigger, s->zone, due)) {
        ++*come;
        if (is_late(s, due))
            *late = *come;
    }
}

/** Whether the n-th of the late due times (from 0) starts all the same. */
static bool
late_starts(const struct lp_schedule *s, size_t n, size_t late, size_t come)
{
    switch (s->misfire) {
    case LP_MISFIRE_ONCE:
        return n + 1 == late && come == late && come < OVERDUE_MAX;
    case LP_MISFIRE_ALL:
        return late - n <= (size_t)s->misfire_most && come < OVERDUE_MAX;
    case LP_MISFIRE_SKIP:
    case LP_MISFIRE_COUNT:
        break;
    }
    return false;
}

static void
choose(const struct lp_schedule *s, struct choice *choice)
{
    size_t late, come;
    int64_t due = s->due_us;

    *choice = (struct choice){.due_us = INT64_MAX};
    count_due(s, &late, &come);
    for (size_t n = 0; n < come; n++, due = lp_trigger_next(&s->trigger, s->zone, due)) {
        if (n >= late || late_starts(s, n, late, come)) {
            choice->due_us = due;
            choice->start = true;
            return;
        }
        miss(choice, due);
    }
}

static void
add_run(struct lp_unit *unit, const struct due *d, int64_t due_us, const char *outcome,
        const char *process, const char *reason)
{
    lp_unit_add(unit, LP_SQL_SCHEDULE_RUN_INSERT,
                LP_ARGS(lp_text("id", d->s.id), lp_int("due", due_us), lp_int("now", d->s.now_us),
                        lp_text("outcome", outcome), lp_text("process", process),
                        lp_text("reason", reason), lp_text("scheduler", d->engine->incarnation)));
}

static void
add_turn(struct lp_unit *unit, const struct due *d)
{
    lp_unit_add(unit, LP_SQL_SCHEDULE_TURN,
                LP_ARGS(lp_int("version", d->s.version), limit_arg("due_at", d->next_us),
                        limit_arg("start_at", lp_schedule_start(&d->s, d->next_us)),
                        lp_text("id", d->s.id)));
}

static bool
theirs(const char *place)
{
    return strncmp(place, "schedule", strlen("schedule")) == 0;
}

/** A run without a process. */
static enum lp_code
record(struct due *d, int64_t due_us, const char *outcome, const char *reason, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    add_run(unit, d, due_us, outcome, NULL, reason);
    add_turn(unit, d);
    rc = lp_store_commit(d->engine->store, unit, err);
    if (rc == LP_CONFLICT && theirs(err->pointer))
        err->code = rc = LP_FENCED;
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
record_missed(struct due *d, const struct choice *choice, struct lp_err *err)
{
    char reason[200], first[33];

    lp_zone_text(d->s.zone, choice->missed_first_us / SECOND_US, first);
    snprintf(reason, sizeof reason,
             "no scheduler was there in time: %zu due times from %s on, misfire policy '%s'",
             choice->missed, first, lp_misfire_name(d->s.misfire));
    return record(d, choice->missed_us, "missed", reason, err);
}

static void
also(struct lp_unit *unit, const char *id, void *arg)
{
    struct due *d = arg;

    add_run(unit, d, d->due_us, "started", id, NULL);
    add_turn(unit, d);
}

/** *busy: the process of an earlier run goes on by itself. */
static enum lp_code
look_at_work(struct due *d, char busy[static LP_UUID_LEN + 1], struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = LP_OK;

    busy[0] = '\0';
    if (!d->s.overlap_skip)
        return LP_OK;
    rc = lp_query(d->engine->store, LP_SQL_SCHEDULE_AT_WORK, LP_ARGS(lp_text("id", d->s.id)), &rows,
                  err);
    if (rc == LP_OK && lp_rows_count(rows) > 0)
        snprintf(busy, LP_UUID_LEN + 1, "%s", lp_rows_text(rows, 0, "id"));
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
begin(struct due *d, struct lp_err *err)
{
    struct lp_uuid correlation = lp_uuid_v4();
    char reason[260], id[LP_UUID_LEN + 1];
    struct lp_caller caller = {.actor = d->s.owner,
                               .role = d->s.owner_role,
                               .correlation_id = correlation.text,
                               .reason = reason};
    json_auto_t *pages = NULL;
    enum lp_code rc = lp_json_load(d->s.inputs, strlen(d->s.inputs), &pages, err);

    if (rc == LP_OK && d->s.reg != NULL) {
        /* the reason below is nobody's decision: it does not open a restored database */
        caller.reason = NULL;
        rc = lp_engine_demand_not_restored(d->engine, &caller, d->s.reg->workflow, err);
        caller.reason = reason;
    }
    if (rc != LP_OK)
        return rc;
    snprintf(reason, sizeof reason, "schedule '%s'", d->s.name);
    return lp_engine_begin(
        d->engine, &caller,
        &(struct lp_start){.workflow = d->s.workflow,
                           .pages = pages,
                           .window = d->s.window_id[0] == '\0' ? NULL : d->s.window_id,
                           .also = also,
                           .arg = d,
                           .theirs = theirs},
        id, err);
}

/** Whether a start that failed so is to be tried again later: the due time stays. */
static bool
wait_with_it(enum lp_code rc)
{
    return rc == LP_PAUSED || rc == LP_STORE || rc == LP_UNKNOWN || rc == LP_RETRYABLE
           || rc == LP_CANCELLED || rc == LP_NOMEM || rc == LP_FENCED;
}

static enum lp_code
start(struct due *d, struct lp_err *err)
{
    char busy[LP_UUID_LEN + 1], reason[300];
    enum lp_code rc = look_at_work(d, busy, err);

    if (rc != LP_OK)
        return rc;
    if (busy[0] != '\0') {
        snprintf(reason, sizeof reason, "process %s of an earlier run is still at work", busy);
        return record(d, d->due_us, "skipped", reason, err);
    }
    rc = begin(d, err);
    if (rc == LP_OK || wait_with_it(rc))
        return rc;
    lp_utf8_copy(reason, sizeof reason, err->msg);
    lp_logf(d->engine->log, LP_LOG_WARN, "schedule.not_started", "s:s, s:s, s:s, s:s", "schedule",
            d->s.id, "name", d->s.name, "code", lp_code_info(rc)->slug, "error", reason);
    lp_err_clear(err);
    return record(d, d->due_us, rc == LP_PRECONDITION ? "skipped" : "refused", reason, err);
}

/** Deals with one due time (or with those that were missed before it). *more: further ones may have
 * come. */
static enum lp_code
deal(struct lp_engine *engine, const char *id, bool *more, struct lp_err *err)
{
    struct due d = {.engine = engine};
    struct choice choice;
    enum lp_code rc = load(engine, id, &d.s, err);

    *more = false;
    if (rc == LP_OK && !d.s.paused && d.s.due_us != INT64_MAX
        && lp_schedule_start(&d.s, d.s.due_us) <= d.s.now_us) {
        *more = true;
        choose(&d.s, &choice);
        d.due_us = choice.missed > 0 ? choice.missed_us : choice.due_us;
        d.next_us = lp_trigger_next(&d.s.trigger, d.s.zone, d.due_us);
        rc = choice.missed > 0 ? record_missed(&d, &choice, err) : start(&d, err);
    }
    lp_schedule_clear(&d.s);
    if (rc == LP_NOT_FOUND || rc == LP_FENCED) { /* deleted, or dealt with by another scheduler */
        lp_err_clear(err);
        *more = false;
        rc = LP_OK;
    }
    return rc;
}

/** One schedule that cannot be read does not stop the others. */
static enum lp_code
shelve(struct lp_engine *engine, const char *id, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_logf(engine->log, LP_LOG_ERROR, "schedule.broken", "s:s, s:s", "schedule", id, "error",
            err->msg);
    lp_err_clear(err);
    lp_unit_add(unit, LP_SQL_SCHEDULE_SHELVE, LP_ARGS(lp_text("id", id)));
    rc = lp_store_commit(engine->store, unit, err);
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
deal_all(struct lp_engine *engine, const char *id, bool (*go_on)(void *arg), void *arg,
         size_t *dealt, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (bool more = true; rc == LP_OK && more && go_on(arg);) {
        rc = deal(engine, id, &more, err);
        *dealt += rc == LP_OK && more;
    }
    return rc == LP_INTERNAL ? shelve(engine, id, err) : rc;
}

enum lp_code
lp_schedules_run(struct lp_engine *engine, bool (*go_on)(void *arg), void *arg, size_t *dealt,
                 struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_SCHEDULE_DUE, LP_NO_ARGS, &rows, err);

    *dealt = 0;
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows) && go_on(arg); i++)
        rc = deal_all(engine, lp_rows_text(rows, i, "id"), go_on, arg, dealt, err);
    lp_rows_free(rows);
    return rc;
}
