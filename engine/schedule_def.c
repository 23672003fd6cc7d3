#include "engine/schedule_def.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/when.h"
#include "engine/windows.h"

#define SECOND_US INT64_C(1000000)
enum {
    PERIOD_MAX_S = 10 * 366 * 86400,
    JITTER_MAX_S = 86400,
    GRACE_MAX_S = 7 * 86400,
    MISFIRE_MAX = 1000,
    INPUTS_MAX = 64 * 1024,
    PAGES_MAX = 100,
};

static const char *const triggers[] = {
    [LP_TRIGGER_CRON] = "cron", [LP_TRIGGER_INTERVAL] = "interval", [LP_TRIGGER_DATE] = "date"};
static const char *const misfires[] = {
    [LP_MISFIRE_SKIP] = "skip", [LP_MISFIRE_ONCE] = "once", [LP_MISFIRE_ALL] = "all"};
static const char *const overlaps[] = {"allow", "skip"};
static const char *const members[] = {
    "name",    "workflow_name", "workflow_id",   "trigger", "trigger_kwargs", "user_inputs",
    "misfire", "misfire_most",  "grace_seconds", "overlap", "window",         "paused"};

/* Parts of a cron trigger, the greatest first: what stands behind the last one that is given has
 * its least value, what stands before is every one. */
static const struct cron_member {
    const char *name, *least;
    int part; /* enum lp_cron_part; -1: only "*" is understood */
} cron_members[] = {{"year", "*", -1},
                    {"month", "1", LP_CRON_MONTH},
                    {"day", "1", LP_CRON_DAY},
                    {"week", "*", -1},
                    {"day_of_week", "*", LP_CRON_WEEKDAY},
                    {"hour", "0", LP_CRON_HOUR},
                    {"minute", "0", LP_CRON_MINUTE},
                    {"second", "0", LP_CRON_SECOND}};

static const struct unit {
    const char *name;
    int64_t seconds;
} units[] = {{"weeks", 604800}, {"days", 86400}, {"hours", 3600}, {"minutes", 60}, {"seconds", 1}};

const char *
lp_trigger_name(enum lp_trigger_kind kind)
{
    return triggers[kind];
}

const char *
lp_misfire_name(enum lp_misfire misfire)
{
    return misfires[misfire];
}

static bool
word_of(const char *const *words, size_t count, const char *text, unsigned *out)
{
    for (unsigned i = 0; text != NULL && i < count; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

void
lp_schedule_clear(struct lp_schedule *schedule)
{
    free(schedule->inputs);
    free(schedule->spec);
    lp_zone_free(schedule->zone);
    *schedule = (struct lp_schedule){.paused = false};
}

/* ---- when ---- */

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t
lp_trigger_next(const struct lp_trigger *t, const struct lp_zone *zone, int64_t after_us)
{
    int64_t next = INT64_MAX, due_s;

    if (after_us < t->begins_us)
        after_us = t->begins_us - 1;
    switch (t->kind) {
    case LP_TRIGGER_CRON:
        if (lp_cron_next(&t->cron, zone, floor_div(after_us, SECOND_US), &due_s))
            next = due_s * SECOND_US;
        break;
    case LP_TRIGGER_INTERVAL:
        next = t->anchor_us;
        if (after_us >= next)
            next += (floor_div(after_us - next, t->period_us) + 1) * t->period_us;
        break;
    case LP_TRIGGER_DATE:
        next = t->at_us > after_us ? t->at_us : INT64_MAX;
        break;
    case LP_TRIGGER_COUNT:
        break;
    }
    return next <= t->ends_us ? next : INT64_MAX;
}

int64_t
lp_schedule_start(const struct lp_schedule *schedule, int64_t due_us)
{
    char text[LP_UUID_LEN + 32], hash[65];

    if (due_us == INT64_MAX || schedule->jitter_s == 0)
        return due_us;
    snprintf(text, sizeof text, "%s %lld", schedule->id, (long long)due_us);
    lp_sha256_hex(text, strlen(text), hash);
    hash[8] = '\0';
    return due_us
           + (int64_t)(strtoul(hash, NULL, 16) % (uint64_t)(schedule->jitter_s * 1000)) * 1000;
}

/* ---- the trigger as it is stored ---- */

static enum lp_code
read_spec(struct lp_schedule *s, const json_t *spec, struct lp_err *err)
{
    struct lp_trigger *t = &s->trigger;

    switch (t->kind) {
    case LP_TRIGGER_CRON:
        return lp_cron_parse(lp_json_str(spec, "expression", ""), &t->cron, err);
    case LP_TRIGGER_INTERVAL:
        t->anchor_us = lp_json_int(spec, "anchor", 0);
        t->period_us = lp_json_int(spec, "seconds", 0) * SECOND_US;
        return t->period_us > 0 ? LP_OK : lp_fail(err, LP_INVALID, "it has no period");
    case LP_TRIGGER_DATE:
        t->at_us = lp_json_int(spec, "at", 0);
        break;
    case LP_TRIGGER_COUNT:
        break;
    }
    return LP_OK;
}

static int64_t
limit_of(const struct lp_rows *rows, size_t row, const char *column, int64_t none)
{
    return lp_rows_null(rows, row, column) ? none : lp_rows_int(rows, row, column);
}

static void
copy_text(char *out, size_t size, const struct lp_rows *rows, size_t row, const char *column)
{
    const char *text = lp_rows_text(rows, row, column);

    snprintf(out, size, "%s", text == NULL ? "" : text);
}

static void
copy_row(struct lp_engine *engine, const struct lp_rows *rows, size_t row, struct lp_schedule *out)
{
    copy_text(out->id, sizeof out->id, rows, row, "id");
    copy_text(out->name, sizeof out->name, rows, row, "name");
    copy_text(out->workflow, sizeof out->workflow, rows, row, "workflow");
    copy_text(out->timezone, sizeof out->timezone, rows, row, "timezone");
    copy_text(out->window_id, sizeof out->window_id, rows, row, "window_id");
    copy_text(out->window_name, sizeof out->window_name, rows, row, "window_name");
    copy_text(out->owner, sizeof out->owner, rows, row, "owner");
    out->reg = lp_registry_find(engine, out->workflow);
    out->trigger.begins_us = limit_of(rows, row, "begins_at", INT64_MIN);
    out->trigger.ends_us = limit_of(rows, row, "ends_at", INT64_MAX);
    out->jitter_s = lp_rows_int(rows, row, "jitter_s");
    out->misfire_most = lp_rows_int(rows, row, "misfire_most");
    out->grace_s = lp_rows_int(rows, row, "grace_s");
    out->overlap_skip = strcmp(lp_rows_text(rows, row, "overlap"), "skip") == 0;
    out->paused = lp_rows_int(rows, row, "paused") != 0;
    out->due_us = limit_of(rows, row, "due_at", INT64_MAX);
    out->start_us = limit_of(rows, row, "start_at", INT64_MAX);
    out->version = lp_rows_int(rows, row, "version");
    out->now_us = lp_rows_int(rows, row, "now");
}

enum lp_code
lp_schedule_from_row(struct lp_engine *engine, const struct lp_rows *rows, size_t row,
                     struct lp_schedule *out, struct lp_err *err)
{
    json_auto_t *spec = NULL;
    unsigned kind = 0, misfire = 0;
    enum lp_code rc = LP_OK;

    *out = (struct lp_schedule){.paused = false};
    copy_row(engine, rows, row, out);
    out->inputs = strdup(lp_rows_text(rows, row, "inputs"));
    out->spec = strdup(lp_rows_text(rows, row, "spec"));
    if (out->inputs == NULL || out->spec == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for schedule '%s'", out->name);
    if (!word_of(triggers, LP_COUNT(triggers), lp_rows_text(rows, row, "kind"), &kind)
        || !word_of(misfires, LP_COUNT(misfires), lp_rows_text(rows, row, "misfire"), &misfire)
        || !lp_role_from_name(lp_rows_text(rows, row, "owner_role"), &out->owner_role))
        rc = lp_fail(err, LP_INVALID, "it has unknown words");
    out->trigger.kind = (enum lp_trigger_kind)kind;
    out->misfire = (enum lp_misfire)misfire;
    if (rc == LP_OK)
        rc = lp_zone_load(out->timezone, &out->zone, err);
    if (rc == LP_OK)
        rc = lp_json_load(out->spec, strlen(out->spec), &spec, err);
    if (rc == LP_OK)
        rc = read_spec(out, spec, err);
    if (rc != LP_OK && rc != LP_NOMEM) {
        (void)lp_err_prefix(err, "schedule '%s' cannot be read: ", out->name);
        err->code = rc = LP_INTERNAL;
    }
    return rc;
}

/* ---- what an operator writes ---- */

static enum lp_code
read_word(const json_t *body, const char *key, const char *const *words, size_t count,
          unsigned *out, struct lp_err *err)
{
    const json_t *value = json_object_get(body, key);
    char pointer[40];

    if (value == NULL || word_of(words, count, json_string_value(value), out))
        return LP_OK;
    snprintf(pointer, sizeof pointer, "/%s", key);
    return lp_fail_at(err, LP_INVALID, pointer, "%s is one of %s, %s%s%s", key, words[0], words[1],
                      count > 2 ? ", " : "", count > 2 ? words[2] : "");
}

static enum lp_code
read_int(const json_t *body, const char *prefix, const char *key, int64_t low, int64_t high,
         int64_t *out, struct lp_err *err)
{
    const json_t *value = json_object_get(body, key);
    const char *text = json_string_value(value);
    char pointer[60], *end = NULL;
    int64_t n = json_integer_value(value);

    if (value == NULL)
        return LP_OK;
    if (text != NULL && *prefix != '\0') { /* kwargs: numbers also as texts */
        n = strlen(text) <= 12 ? strtoll(text, &end, 10) : -1;
        value = end != NULL && end != text && *end == '\0' ? NULL : value;
    }
    if ((value == NULL || json_is_integer(value)) && n >= low && n <= high) {
        *out = n;
        return LP_OK;
    }
    snprintf(pointer, sizeof pointer, "%s/%s", prefix, key);
    return lp_fail_at(err, LP_INVALID, pointer, "%s is a whole number from %lld to %lld", key,
                      (long long)low, (long long)high);
}

static enum lp_code
read_time(const json_t *kwargs, const char *key, const struct lp_zone *zone, int64_t *out,
          struct lp_err *err)
{
    const json_t *value = json_object_get(kwargs, key);
    char pointer[60];

    snprintf(pointer, sizeof pointer, "/trigger_kwargs/%s", key);
    return value == NULL ? LP_OK : lp_when_read(value, zone, pointer, out, err);
}

/** The text of one cron part; numbers are taken too. */
static enum lp_code
part_text(const json_t *value, const struct cron_member *member, char *out, size_t size,
          struct lp_err *err)
{
    struct lp_cron scratch;
    char pointer[60];
    enum lp_code rc = LP_OK;

    snprintf(pointer, sizeof pointer, "/trigger_kwargs/%s", member->name);
    if (json_is_integer(value))
        snprintf(out, size, "%lld", (long long)json_integer_value(value));
    else if (json_is_string(value) && strlen(json_string_value(value)) < size)
        snprintf(out, size, "%s", json_string_value(value));
    else
        return lp_fail_at(err, LP_INVALID, pointer, "%s is a text or a number", member->name);
    if (member->part < 0)
        return strcmp(out, "*") == 0
                   ? LP_OK
                   : lp_fail_at(err, LP_INVALID, pointer,
                                "%s other than * is not offered: use start_date and end_date",
                                member->name);
    rc = lp_cron_set(&scratch, (enum lp_cron_part)member->part, out, err);
    if (rc != LP_OK)
        snprintf(err->pointer, sizeof err->pointer, "%s", pointer);
    return rc;
}

/** Puts "second minute hour day month weekday" together. */
static enum lp_code
cron_from_parts(const json_t *kwargs, char *out, size_t size, struct lp_err *err)
{
    char texts[LP_CRON_PARTS][64];
    size_t last = SIZE_MAX;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < LP_COUNT(cron_members); i++)
        if (json_object_get(kwargs, cron_members[i].name) != NULL)
            last = i;
    if (last == SIZE_MAX)
        return lp_fail_at(err, LP_INVALID, "/trigger_kwargs",
                          "a cron trigger has an expression, or minute, hour, day, month, "
                          "day_of_week, second");
    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(cron_members); i++) {
        const struct cron_member *m = &cron_members[i];
        const json_t *value = json_object_get(kwargs, m->name);
        char unused[64], *text = m->part < 0 ? unused : texts[m->part];

        if (value != NULL)
            rc = part_text(value, m, text, sizeof texts[0], err);
        else
            snprintf(text, sizeof texts[0], "%s", i < last ? "*" : m->least);
    }
    if (rc == LP_OK)
        snprintf(out, size, "%s %s %s %s %s %s",
                 strcmp(texts[LP_CRON_SECOND], "0") == 0 ? "" : texts[LP_CRON_SECOND],
                 texts[LP_CRON_MINUTE], texts[LP_CRON_HOUR], texts[LP_CRON_DAY],
                 texts[LP_CRON_MONTH], texts[LP_CRON_WEEKDAY]);
    return rc;
}

static enum lp_code
read_cron(struct lp_schedule *s, const json_t *kwargs, json_t *spec, struct lp_err *err)
{
    static const char *const names[] = {"expression",  "year",   "month",   "day",    "week",
                                        "day_of_week", "hour",   "minute",  "second", "start_date",
                                        "end_date",    "jitter", "timezone"};
    const char *given = json_string_value(json_object_get(kwargs, "expression"));
    char text[420];
    enum lp_code rc = lp_json_only(kwargs, names, LP_COUNT(names), err);

    if (rc != LP_OK)
        return rc;
    if (json_object_get(kwargs, "expression") == NULL) {
        rc = cron_from_parts(kwargs, text, sizeof text, err);
        given = text + (text[0] == ' ' ? 1 : 0);
    } else if (given == NULL || strlen(given) >= sizeof text) {
        rc = lp_fail_at(err, LP_INVALID, "/trigger_kwargs/expression", "expression is a text");
    } else {
        for (size_t i = 0; rc == LP_OK && i < LP_COUNT(cron_members); i++)
            if (json_object_get(kwargs, cron_members[i].name) != NULL)
                rc = lp_fail_at(err, LP_INVALID, "/trigger_kwargs",
                                "expression and %s exclude each other", cron_members[i].name);
    }
    if (rc == LP_OK && (rc = lp_cron_parse(given, &s->trigger.cron, err)) != LP_OK)
        snprintf(err->pointer, sizeof err->pointer, "/trigger_kwargs/expression");
    if (rc == LP_OK)
        (void)!lp_json_set_str(spec, "expression", given);
    return rc;
}

static enum lp_code
read_interval(struct lp_schedule *s, const json_t *kwargs, int64_t now_us, json_t *spec,
              struct lp_err *err)
{
    static const char *const names[] = {"weeks",      "days",     "hours",  "minutes", "seconds",
                                        "start_date", "end_date", "jitter", "timezone"};
    int64_t total = 0;
    enum lp_code rc = lp_json_only(kwargs, names, LP_COUNT(names), err);

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(units); i++) {
        int64_t n = 0;

        rc = read_int(kwargs, "/trigger_kwargs", units[i].name, 0, PERIOD_MAX_S, &n, err);
        total += n * units[i].seconds;
    }
    if (rc == LP_OK && (total < 1 || total > PERIOD_MAX_S))
        rc =
            lp_fail_at(err, LP_INVALID, "/trigger_kwargs",
                       "an interval is 1 second to 10 years: weeks, days, hours, minutes, seconds");
    if (rc != LP_OK)
        return rc;
    s->trigger.period_us = total * SECOND_US;
    s->trigger.anchor_us = s->trigger.begins_us;
    if (s->trigger.anchor_us == INT64_MIN) /* the first one a period from now */
        s->trigger.anchor_us = now_us - now_us % SECOND_US + s->trigger.period_us;
    (void)!lp_json_set_int(spec, "seconds", total);
    (void)!lp_json_set_int(spec, "anchor", s->trigger.anchor_us);
    return LP_OK;
}

static enum lp_code
read_date(struct lp_schedule *s, const json_t *kwargs, json_t *spec, struct lp_err *err)
{
    static const char *const names[] = {"run_date", "timezone"};
    enum lp_code rc = lp_json_only(kwargs, names, LP_COUNT(names), err);

    if (rc == LP_OK && json_object_get(kwargs, "run_date") == NULL)
        rc = lp_fail_at(err, LP_INVALID, "/trigger_kwargs/run_date",
                        "a date trigger has a run_date");
    if (rc == LP_OK)
        rc = read_time(kwargs, "run_date", s->zone, &s->trigger.at_us, err);
    if (rc == LP_OK)
        (void)!lp_json_set_int(spec, "at", s->trigger.at_us);
    return rc;
}

static enum lp_code
read_zone(struct lp_schedule *s, const json_t *kwargs, struct lp_err *err)
{
    const json_t *value = json_object_get(kwargs, "timezone");
    const char *name = value == NULL ? "UTC" : json_string_value(value);
    enum lp_code rc = lp_zone_load(name == NULL ? "" : name, &s->zone, err);

    if (rc == LP_INVALID)
        snprintf(err->pointer, sizeof err->pointer, "/trigger_kwargs/timezone");
    if (rc == LP_OK)
        snprintf(s->timezone, sizeof s->timezone, "%s", name);
    return rc;
}

static enum lp_code
read_trigger(struct lp_schedule *s, const json_t *body, int64_t now_us, struct lp_err *err)
{
    json_auto_t *kwargs = json_copy(json_object_get(body, "trigger_kwargs"));
    json_auto_t *spec = json_object();
    unsigned kind = 0;
    const char *key;
    json_t *value;
    void *next;
    size_t len;
    enum lp_code rc;

    if (json_object_get(body, "trigger") == NULL)
        return lp_fail_at(err, LP_INVALID, "/trigger", "trigger is one of cron, interval, date");
    if (!json_is_object(kwargs))
        return lp_fail_at(err, LP_INVALID, "/trigger_kwargs", "trigger_kwargs is an object");
    json_object_foreach_safe(kwargs, next, key, value) if (json_is_null(value))
        json_object_del(kwargs, key);
    rc = read_word(body, "trigger", triggers, LP_COUNT(triggers), &kind, err);
    s->trigger = (struct lp_trigger){
        .kind = (enum lp_trigger_kind)kind, .begins_us = INT64_MIN, .ends_us = INT64_MAX};
    if (rc == LP_OK)
        rc = read_zone(s, kwargs, err);
    if (rc == LP_OK)
        rc = read_time(kwargs, "start_date", s->zone, &s->trigger.begins_us, err);
    if (rc == LP_OK)
        rc = read_time(kwargs, "end_date", s->zone, &s->trigger.ends_us, err);
    if (rc == LP_OK)
        rc = read_int(kwargs, "/trigger_kwargs", "jitter", 0, JITTER_MAX_S, &s->jitter_s, err);
    if (rc == LP_OK && kind == LP_TRIGGER_CRON)
        rc = read_cron(s, kwargs, spec, err);
    else if (rc == LP_OK && kind == LP_TRIGGER_INTERVAL)
        rc = read_interval(s, kwargs, now_us, spec, err);
    else if (rc == LP_OK)
        rc = read_date(s, kwargs, spec, err);
    return rc == LP_OK ? lp_json_canonical(spec, &s->spec, &len, err) : rc;
}

static enum lp_code
read_workflow(struct lp_engine *engine, struct lp_schedule *s, const json_t *body,
              struct lp_err *err)
{
    const json_t *name = json_object_get(body, "workflow_name");
    const json_t *id = json_object_get(body, "workflow_id");

    if (!json_is_string(name) && !json_is_string(id))
        return lp_fail_at(err, LP_INVALID, "/workflow_name", "workflow_name names the task");
    s->reg = json_is_string(name) ? lp_registry_find(engine, json_string_value(name))
                                  : lp_registry_find_id(engine, json_string_value(id));
    if (s->reg == NULL)
        return lp_fail(err, LP_NOT_FOUND, "Task does not exist");
    if (json_is_string(id) && strcmp(json_string_value(id), s->reg->id.text) != 0)
        return lp_fail_at(err, LP_INVALID, "/workflow_id", "workflow_id is not the id of '%s'",
                          s->reg->workflow->name);
    snprintf(s->workflow, sizeof s->workflow, "%s", s->reg->workflow->name);
    return LP_OK;
}

static enum lp_code
read_inputs(struct lp_schedule *s, const json_t *body, struct lp_err *err)
{
    const json_t *pages = json_object_get(body, "user_inputs");
    json_auto_t *none = json_pack("[{}]");
    size_t i, len = 0;
    json_t *page;
    enum lp_code rc;

    if (pages == NULL)
        pages = none;
    if (!json_is_array(pages) || json_array_size(pages) > PAGES_MAX)
        return lp_fail_at(err, LP_INVALID, "/user_inputs", "user_inputs is a list of form pages");
    json_array_foreach(pages, i, page) if (!json_is_object(page)) return lp_fail_at(
        err, LP_INVALID, "/user_inputs", "a form page is an object");
    rc = lp_json_canonical(pages, &s->inputs, &len, err);
    if (rc == LP_OK && len > INPUTS_MAX)
        rc = lp_fail_at(err, LP_INVALID, "/user_inputs", "user_inputs is larger than %d bytes",
                        INPUTS_MAX);
    return rc;
}

static enum lp_code
read_name(struct lp_schedule *s, const json_t *body, struct lp_err *err)
{
    const json_t *value = json_object_get(body, "name");
    const char *text = json_string_value(value);

    if (value == NULL)
        text = s->reg->workflow->description;
    if (value == NULL && text == NULL)
        text = s->workflow;
    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0' || strlen(text) >= sizeof s->name)
        return lp_fail_at(err, LP_INVALID, "/name", "name is a text of 1 to %zu bytes",
                          sizeof s->name - 1);
    memcpy(s->name, text, strlen(text) + 1);
    return LP_OK;
}

static enum lp_code
read_options(struct lp_engine *engine, struct lp_schedule *s, const json_t *body,
             struct lp_err *err)
{
    const json_t *window = json_object_get(body, "window"),
                 *paused = json_object_get(body, "paused");
    unsigned misfire = LP_MISFIRE_ONCE, overlap = 0;
    enum lp_code rc = read_word(body, "misfire", misfires, LP_COUNT(misfires), &misfire, err);

    s->misfire_most = 24;
    s->grace_s = 60;
    if (rc == LP_OK)
        rc = read_word(body, "overlap", overlaps, LP_COUNT(overlaps), &overlap, err);
    if (rc == LP_OK)
        rc = read_int(body, "", "misfire_most", 1, MISFIRE_MAX, &s->misfire_most, err);
    if (rc == LP_OK)
        rc = read_int(body, "", "grace_seconds", 1, GRACE_MAX_S, &s->grace_s, err);
    if (rc == LP_OK && paused != NULL && !json_is_boolean(paused))
        rc = lp_fail_at(err, LP_INVALID, "/paused", "paused is true or false");
    if (rc == LP_OK && window != NULL && !json_is_string(window))
        rc = lp_fail_at(err, LP_INVALID, "/window", "window is the name of a maintenance window");
    if (rc == LP_OK && window != NULL)
        rc = lp_window_resolve(engine->store, json_string_value(window), s->window_id, err);
    s->misfire = (enum lp_misfire)misfire;
    s->overlap_skip = overlap == 1;
    s->paused = json_is_true(paused);
    return rc;
}

static enum lp_code
demand_due(struct lp_schedule *s, int64_t now_us, struct lp_err *err)
{
    s->due_us = lp_trigger_next(&s->trigger, s->zone, now_us);
    if (s->due_us != INT64_MAX)
        return LP_OK;
    return lp_fail_at(err, LP_INVALID, "/trigger_kwargs",
                      s->trigger.kind == LP_TRIGGER_CRON
                          ? "this time never comes within %d years and the limits given"
                          : "this time has passed already",
                      LP_CRON_YEARS);
}

static enum lp_code
keep_trigger(struct lp_schedule *s, const struct lp_schedule *was, struct lp_err *err)
{
    s->trigger = was->trigger;
    s->jitter_s = was->jitter_s;
    s->due_us = was->due_us;
    memcpy(s->timezone, was->timezone, sizeof s->timezone);
    s->spec = strdup(was->spec);
    if (s->spec == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a schedule");
    return lp_zone_load(s->timezone, &s->zone, err);
}

enum lp_code
lp_schedule_from_json(struct lp_engine *engine, const json_t *body, const struct lp_schedule *was,
                      int64_t now_us, struct lp_schedule *out, struct lp_err *err)
{
    enum lp_code rc = lp_json_only(body, members, LP_COUNT(members), err);

    *out = (struct lp_schedule){.now_us = now_us};
    if (rc == LP_OK)
        rc = read_workflow(engine, out, body, err);
    if (rc == LP_OK)
        rc = read_name(out, body, err);
    if (rc == LP_OK)
        rc = read_inputs(out, body, err);
    if (rc == LP_OK)
        rc = read_options(engine, out, body, err);
    if (rc != LP_OK)
        return rc;
    if (was != NULL)
        return keep_trigger(out, was, err);
    rc = read_trigger(out, body, now_us, err);
    return rc == LP_OK ? demand_due(out, now_us, err) : rc;
}

/* ---- and back ---- */

static json_t *
kwargs_json(const struct lp_schedule *s)
{
    const struct lp_trigger *t = &s->trigger;
    json_auto_t *spec = json_loads(s->spec, 0, NULL);
    json_t *out = json_object();
    int64_t left = t->period_us / SECOND_US;

    if (t->kind == LP_TRIGGER_CRON)
        json_object_set(out, "expression", json_object_get(spec, "expression"));
    for (size_t i = 0; t->kind == LP_TRIGGER_INTERVAL && i < LP_COUNT(units); i++) {
        if (left / units[i].seconds > 0)
            (void)!lp_json_set_int(out, units[i].name, left / units[i].seconds);
        left %= units[i].seconds;
    }
    if (t->kind == LP_TRIGGER_DATE)
        json_object_set_new(out, "run_date", lp_when_json(t->at_us));
    else if (s->jitter_s > 0)
        (void)!lp_json_set_int(out, "jitter", s->jitter_s);
    if (t->begins_us != INT64_MIN)
        json_object_set_new(out, "start_date", lp_when_json(t->begins_us));
    if (t->ends_us != INT64_MAX)
        json_object_set_new(out, "end_date", lp_when_json(t->ends_us));
    (void)!lp_json_set_str(out, "timezone", s->timezone);
    return out;
}

json_t *
lp_schedule_to_json(const struct lp_schedule *s)
{
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:I, s:s, s:b}", "name", s->name, "workflow_name",
        s->workflow, "trigger", triggers[s->trigger.kind], "trigger_kwargs", kwargs_json(s),
        "user_inputs", json_loads(s->inputs, 0, NULL), "misfire", misfires[s->misfire],
        "misfire_most", (json_int_t)s->misfire_most, "grace_seconds", (json_int_t)s->grace_s,
        "overlap", overlaps[s->overlap_skip], "paused", s->paused);

    if (s->window_id[0] != '\0')
        (void)!lp_json_set_str(out, "window",
                               s->window_name[0] != '\0' ? s->window_name : s->window_id);
    return out;
}

void
lp_schedule_text(const struct lp_schedule *s, char *text, size_t size)
{
    json_auto_t *spec = json_loads(s->spec, 0, NULL);
    int64_t seconds = s->trigger.period_us / SECOND_US;
    char at[33];

    switch (s->trigger.kind) {
    case LP_TRIGGER_CRON:
        snprintf(text, size, "cron %s (%s)", lp_json_str(spec, "expression", ""), s->timezone);
        return;
    case LP_TRIGGER_INTERVAL:
        for (size_t i = 0; i < LP_COUNT(units); i++) {
            if (seconds % units[i].seconds == 0) {
                snprintf(text, size, "every %lld %s", (long long)(seconds / units[i].seconds),
                         units[i].name);
                return;
            }
        }
        return;
    case LP_TRIGGER_DATE:
        lp_zone_text(s->zone, s->trigger.at_us / SECOND_US, at);
        snprintf(text, size, "once at %s", at);
        return;
    case LP_TRIGGER_COUNT:
        break;
    }
    snprintf(text, size, "never");
}
