#include "engine/windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/gated.h"
#include "engine/head.h"
#include "engine/when.h"

#define SECOND_US INT64_C(1000000)
enum {
    DAY_MIN = 1440,
    ALL_DAYS = 127,
    LOOK_DAYS = 16, /* one opening of a week may vanish in a turn of the clocks */
    MARGIN_MAX_S = 86400,
    NAME_MAX_CHARS = 100,
    TEXT_MAX = 2000,
};

static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
static const char *const members[] = {"name",   "description", "timezone",      "days",
                                      "opens",  "closes",      "not_before",    "not_after",
                                      "starts", "ends",        "margin_seconds"};

/* ---- when ---- */

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/** The opening that begins on that day. False: it does not open then. */
static bool
opening_of(const struct lp_window *window, const struct lp_zone *zone, int64_t days,
           int64_t *opens_us, int64_t *closes_us)
{
    struct lp_civil c, end;

    if ((window->days >> lp_civil_weekday(days) & 1) == 0)
        return false;
    lp_civil_from_days(days, &c);
    end = c;
    c.minute = window->opens_min;
    end.minute = window->closes_min + (window->closes_min <= window->opens_min ? DAY_MIN : 0);
    *opens_us = later(lp_zone_utc(zone, &c) * SECOND_US, window->begins_us);
    *closes_us = sooner(lp_zone_utc(zone, &end) * SECOND_US, window->ends_us);
    return *closes_us - window->margin_s * SECOND_US > *opens_us;
}

/** Takes this opening when it is not over yet. */
static bool
take(const struct lp_window *window, int64_t opens_us, int64_t closes_us, int64_t now_us,
     struct lp_window_times *out)
{
    if (now_us >= closes_us - window->margin_s * SECOND_US)
        return false;
    *out = (struct lp_window_times){
        .open = now_us >= opens_us, .opens_us = opens_us, .closes_us = closes_us};
    return true;
}

void
lp_window_times(const struct lp_window *window, const struct lp_zone *zone, int64_t now_us,
                struct lp_window_times *out)
{
    int64_t from = later(now_us, window->begins_us), opens, closes, first;
    struct lp_civil c;

    *out = (struct lp_window_times){.opens_us = INT64_MAX, .closes_us = INT64_MAX};
    if (window->opens_min < 0) {
        (void)take(window, window->begins_us, window->ends_us, now_us, out);
        return;
    }
    lp_zone_local(zone, from / SECOND_US, &c);
    first = lp_civil_days(c.year, c.month, c.day) - 1;
    for (int64_t day = first; day < first + LOOK_DAYS; day++)
        if (opening_of(window, zone, day, &opens, &closes)
            && take(window, opens, closes, now_us, out))
            return;
}

/* ---- rows ---- */

static int64_t
limit_of(const struct lp_rows *rows, size_t row, const char *column, int64_t none)
{
    return lp_rows_null(rows, row, column) ? none : lp_rows_int(rows, row, column);
}

static void
read_row(const struct lp_rows *rows, size_t row, struct lp_window *out)
{
    *out = (struct lp_window){.days = (unsigned)lp_rows_int(rows, row, "days"),
                              .opens_min = (int)limit_of(rows, row, "opens_min", -1),
                              .closes_min = (int)limit_of(rows, row, "closes_min", -1),
                              .begins_us = limit_of(rows, row, "begins_at", INT64_MIN),
                              .ends_us = limit_of(rows, row, "ends_at", INT64_MAX),
                              .margin_s = lp_rows_int(rows, row, "margin_s")};
    snprintf(out->id, sizeof out->id, "%s", lp_rows_text(rows, row, "id"));
    snprintf(out->name, sizeof out->name, "%s", lp_rows_text(rows, row, "name"));
    snprintf(out->timezone, sizeof out->timezone, "%s", lp_rows_text(rows, row, "timezone"));
}

static json_t *
minutes_json(int minutes)
{
    char text[16];

    snprintf(text, sizeof text, "%02d:%02d", minutes / 60, minutes % 60);
    return json_string(text);
}

static json_t *
days_json(unsigned days)
{
    json_t *list = json_array();

    for (int i = 1; i <= 7; i++) /* the week as people read it */
        if (days >> i % 7 & 1)
            json_array_append_new(list, json_string(day_names[i % 7]));
    return list;
}

/** What an operator wrote, as it would be written again. */
static json_t *
definition_json(const struct lp_window *w, const char *description)
{
    json_t *out = json_pack("{s:s, s:s?, s:s, s:I}", "name", w->name, "description", description,
                            "timezone", w->timezone, "margin_seconds", (json_int_t)w->margin_s);

    if (w->opens_min < 0) {
        json_object_set_new(out, "starts", lp_when_json(w->begins_us));
        json_object_set_new(out, "ends", lp_when_json(w->ends_us));
        return out;
    }
    json_object_set_new(out, "days", days_json(w->days));
    json_object_set_new(out, "opens", minutes_json(w->opens_min));
    json_object_set_new(out, "closes", minutes_json(w->closes_min));
    json_object_set_new(out, "not_before", lp_when_json(w->begins_us));
    json_object_set_new(out, "not_after", lp_when_json(w->ends_us));
    return out;
}

static void
describe(const struct lp_window *w, const struct lp_zone *zone, const struct lp_window_times *times,
         char *text, size_t size)
{
    char at[33];

    if (times->opens_us == INT64_MAX) {
        snprintf(text, size, "maintenance window '%s' never opens again", w->name);
        return;
    }
    lp_zone_text(zone, (times->open ? times->closes_us : times->opens_us) / SECOND_US, at);
    snprintf(text, size, "maintenance window '%s' %s %s (%s)", w->name,
             times->open ? "is open until" : "opens", at, w->timezone);
}

static enum lp_code
row_json(const struct lp_rows *rows, size_t row, json_t **out, struct lp_err *err)
{
    struct lp_window w;
    struct lp_window_times times = {.opens_us = INT64_MAX, .closes_us = INT64_MAX};
    struct lp_zone *zone = NULL;
    char text[300];
    enum lp_code rc;

    read_row(rows, row, &w);
    rc = lp_zone_load(w.timezone, &zone, err);
    if (rc == LP_OK) {
        lp_window_times(&w, zone, lp_rows_int(rows, row, "now"), &times);
        describe(&w, zone, &times, text, sizeof text);
        lp_zone_free(zone);
    } else if (rc == LP_INVALID) { /* shown all the same, so that somebody can mend it */
        lp_utf8_copy(text, sizeof text, err->msg);
        lp_err_clear(err);
    } else {
        return rc;
    }
    *out = definition_json(&w, lp_rows_text(rows, row, "description"));
    json_object_set_new(*out, "id", json_string(w.id));
    json_object_set_new(*out, "version", json_integer(lp_rows_int(rows, row, "version")));
    json_object_set_new(*out, "open", json_boolean(times.open));
    json_object_set_new(*out, "next_opens_at", lp_when_json(times.opens_us));
    json_object_set_new(*out, "next_closes_at", lp_when_json(times.closes_us));
    json_object_set_new(*out, "text", json_string(text));
    json_object_set_new(*out, "bound", json_integer(lp_rows_int(rows, row, "bound")));
    json_object_set_new(*out, "created_by", json_string(lp_rows_text(rows, row, "created_by")));
    json_object_set_new(*out, "created_at", lp_when_json(lp_rows_int(rows, row, "created_at")));
    json_object_set_new(*out, "modified_at", lp_when_json(lp_rows_int(rows, row, "modified_at")));
    return LP_OK;
}

/* ---- what an operator writes ---- */

static enum lp_code
read_text(const json_t *body, const char *key, size_t most, char *out, size_t size,
          struct lp_err *err)
{
    const json_t *value = json_object_get(body, key);
    const char *text = json_string_value(value);
    char pointer[40];

    snprintf(pointer, sizeof pointer, "/%s", key);
    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0' || strlen(text) > most
        || strlen(text) >= size)
        return lp_fail_at(err, LP_INVALID, pointer, "%s is a text of 1 to %zu bytes", key, most);
    memcpy(out, text, strlen(text) + 1);
    return LP_OK;
}

/** "HH:MM"; 24:00 as an end only. */
static enum lp_code
read_minutes(const json_t *body, const char *key, int most, int *out, struct lp_err *err)
{
    const char *text = json_string_value(json_object_get(body, key));
    char pointer[40];
    int h = -1, m = -1, end = 0;

    snprintf(pointer, sizeof pointer, "/%s", key);
    if (text != NULL && strlen(text) == 5 && text[2] == ':' && strspn(text, "0123456789:") == 5
        && sscanf(text, "%2d:%2d%n", &h, &m, &end) == 2 && end == 5 && m < 60
        && h * 60 + m <= most) {
        *out = h * 60 + m;
        return LP_OK;
    }
    return lp_fail_at(err, LP_INVALID, pointer, "%s is a wall clock time, such as 02:00", key);
}

static enum lp_code
read_days(const json_t *body, unsigned *out, struct lp_err *err)
{
    const json_t *list = json_object_get(body, "days");
    size_t i;
    json_t *value;

    *out = list == NULL ? ALL_DAYS : 0;
    json_array_foreach(list, i, value)
    {
        const char *name = json_is_string(value) ? json_string_value(value) : "";
        unsigned bit = 0;

        for (unsigned d = 0; d < LP_COUNT(day_names); d++)
            if (strcmp(name, day_names[d]) == 0)
                bit = 1u << d;
        *out |= bit;
        if (bit == 0)
            *out = 0;
        if (bit == 0)
            break;
    }
    return *out != 0
               ? LP_OK
               : lp_fail_at(err, LP_INVALID, "/days",
                            "days is a list of sun, mon, tue, wed, thu, fri, sat; all without");
}

static enum lp_code
read_limit(const json_t *body, const char *key, const struct lp_zone *zone, int64_t none,
           int64_t *out, struct lp_err *err)
{
    const json_t *value = json_object_get(body, key);
    char pointer[40];

    *out = none;
    if (value == NULL)
        return LP_OK;
    snprintf(pointer, sizeof pointer, "/%s", key);
    return lp_when_read(value, zone, pointer, out, err);
}

static enum lp_code
read_recurring(const json_t *body, const struct lp_zone *zone, struct lp_window *out,
               struct lp_err *err)
{
    enum lp_code rc = read_minutes(body, "opens", DAY_MIN - 1, &out->opens_min, err);

    if (rc == LP_OK)
        rc = read_minutes(body, "closes", DAY_MIN, &out->closes_min, err);
    if (rc == LP_OK)
        rc = read_days(body, &out->days, err);
    if (rc == LP_OK)
        rc = read_limit(body, "not_before", zone, INT64_MIN, &out->begins_us, err);
    if (rc == LP_OK)
        rc = read_limit(body, "not_after", zone, INT64_MAX, &out->ends_us, err);
    return rc;
}

static enum lp_code
read_once(const json_t *body, const struct lp_zone *zone, struct lp_window *out, struct lp_err *err)
{
    enum lp_code rc;

    out->opens_min = out->closes_min = -1;
    out->days = ALL_DAYS;
    rc = read_limit(body, "starts", zone, INT64_MIN, &out->begins_us, err);
    if (rc == LP_OK)
        rc = read_limit(body, "ends", zone, INT64_MAX, &out->ends_us, err);
    if (rc == LP_OK && (out->begins_us == INT64_MIN || out->ends_us == INT64_MAX))
        rc = lp_fail_at(err, LP_INVALID, "/starts", "a window that opens once has starts and ends");
    return rc;
}

/** The two ways to write a window exclude each other. */
static enum lp_code
demand_one_way(const json_t *body, bool *once, struct lp_err *err)
{
    static const char *const of_recurring[] = {"opens", "closes", "days", "not_before",
                                               "not_after"};

    *once = json_object_get(body, "starts") != NULL || json_object_get(body, "ends") != NULL;
    for (size_t i = 0; *once && i < LP_COUNT(of_recurring); i++)
        if (json_object_get(body, of_recurring[i]) != NULL)
            return lp_fail_at(err, LP_INVALID, "/starts",
                              "a window has either starts and ends, or opens and closes: %s does "
                              "not go with starts",
                              of_recurring[i]);
    if (!*once && json_object_get(body, "opens") == NULL)
        return lp_fail_at(
            err, LP_INVALID, "/opens",
            "a window has opens and closes (02:00, 04:00), or starts and ends (once)");
    return LP_OK;
}

static enum lp_code
demand_opens(const struct lp_window *w, const struct lp_zone *zone, int64_t now_us,
             struct lp_err *err)
{
    struct lp_window_times times;

    lp_window_times(w, zone, now_us, &times);
    if (times.opens_us != INT64_MAX)
        return LP_OK;
    return lp_fail_at(err, LP_INVALID, "/name",
                      "this window never opens: it is over, or shorter than margin_seconds");
}

/** Reads and checks a whole definition. */
static enum lp_code
read_body(const json_t *body, int64_t now_us, struct lp_window *out, struct lp_err *err)
{
    struct lp_zone *zone = NULL;
    bool once = false;
    enum lp_code rc = lp_json_only(body, members, LP_COUNT(members), err);

    if (rc == LP_OK)
        rc = read_text(body, "name", NAME_MAX_CHARS, out->name, sizeof out->name, err);
    snprintf(out->timezone, sizeof out->timezone, "UTC");
    if (rc == LP_OK && json_object_get(body, "timezone") != NULL)
        rc =
            read_text(body, "timezone", LP_ZONE_NAME_MAX, out->timezone, sizeof out->timezone, err);
    if (rc == LP_OK && (rc = lp_zone_load(out->timezone, &zone, err)) == LP_INVALID)
        snprintf(err->pointer, sizeof err->pointer, "/timezone");
    if (rc == LP_OK)
        rc = lp_json_opt_int(body, "margin_seconds", &out->margin_s, err);
    if (rc == LP_OK && (out->margin_s < 0 || out->margin_s > MARGIN_MAX_S))
        rc = lp_fail_at(err, LP_INVALID, "/margin_seconds", "margin_seconds is 0 to %d",
                        MARGIN_MAX_S);
    if (rc == LP_OK)
        rc = demand_one_way(body, &once, err);
    if (rc == LP_OK)
        rc = once ? read_once(body, zone, out, err) : read_recurring(body, zone, out, err);
    if (rc == LP_OK)
        rc = demand_opens(out, zone, now_us, err);
    lp_zone_free(zone);
    return rc;
}

static enum lp_code
read_description(const json_t *body, const char **out, struct lp_err *err)
{
    enum lp_code rc = lp_json_opt_string(body, "description", out, err);

    if (rc == LP_OK && *out != NULL && strlen(*out) > TEXT_MAX)
        rc = lp_fail_at(err, LP_INVALID, "/description", "the description is longer than %d bytes",
                        TEXT_MAX);
    return rc;
}

/* ---- service ---- */

static struct lp_arg
limit_arg(const char *name, int64_t value)
{
    return value == INT64_MIN || value == INT64_MAX ? lp_null(name) : lp_int(name, value);
}

static void
add_window(struct lp_unit *unit, enum lp_stmt stmt, const struct lp_window *w,
           const char *description, int64_t version, const char *actor, int64_t now)
{
    bool once = w->opens_min < 0, update = stmt == LP_SQL_WINDOW_UPDATE;

    lp_unit_add(unit, stmt,
                LP_ARGS(lp_text("id", w->id), lp_text("name", w->name),
                        lp_text("description", description), lp_text("timezone", w->timezone),
                        lp_int("days", w->days),
                        once ? lp_null("opens_min") : lp_int("opens_min", w->opens_min),
                        once ? lp_null("closes_min") : lp_int("closes_min", w->closes_min),
                        limit_arg("begins_at", w->begins_us), limit_arg("ends_at", w->ends_us),
                        lp_int("margin_s", w->margin_s), lp_int("now", now),
                        update ? lp_int("version", version) : lp_text("actor", actor)));
}

static enum lp_code
load(struct lp_store *store, const char *id_or_name, struct lp_rows **rows, struct lp_err *err)
{
    enum lp_code rc =
        lp_query(store, LP_SQL_WINDOW_GET, LP_ARGS(lp_text("id", id_or_name)), rows, err);

    if (rc == LP_OK && lp_rows_count(*rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "there is no maintenance window '%.100s'", id_or_name);
    return rc;
}

static enum lp_code
commit(struct lp_engine *engine, const struct lp_caller *caller, struct lp_unit *unit,
       const char *event, const struct lp_window *w, const json_t *definition, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:s, s:s, s:s, s:O?}", "event", event, "window", w->id, "name",
                                  w->name, "definition", definition);
    enum lp_code rc;

    lp_event_add(unit, json_pack("{s:s}", "type", "scheduledTags"), lp_clock_utc_us(engine->clock));
    rc = lp_audit_commit_system(engine, unit, caller, body, err);
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
name_taken(const struct lp_window *w, enum lp_code rc, struct lp_err *err)
{
    if (rc != LP_CONFLICT || strcmp(err->pointer, "windows.version") == 0)
        return rc;
    return lp_fail_at(err, LP_CONFLICT, "/name", "there is a maintenance window '%s' already",
                      w->name);
}

enum lp_code
lp_window_create(struct lp_engine *engine, const struct lp_caller *caller, const json_t *body,
                 json_t **out, struct lp_err *err)
{
    struct lp_uuid id = lp_uuid_v7(engine->clock);
    struct lp_window w = {.opens_min = -1};
    json_auto_t *definition = NULL;
    struct lp_unit *unit;
    const char *description = NULL;
    int64_t now = 0;
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "make maintenance windows", err);

    if (rc == LP_OK)
        rc = lp_store_now(engine->store, &now, err);
    if (rc == LP_OK)
        rc = read_body(body, now, &w, err);
    if (rc == LP_OK)
        rc = read_description(body, &description, err);
    if (rc != LP_OK)
        return rc;
    memcpy(w.id, id.text, sizeof w.id);
    unit = lp_unit_new();
    add_window(unit, LP_SQL_WINDOW_INSERT, &w, description, 0, caller->actor, now);
    definition = definition_json(&w, description);
    rc = name_taken(&w, commit(engine, caller, unit, "window.create", &w, definition, err), err);
    return rc == LP_OK ? lp_window_get(engine, w.id, out, err) : rc;
}

/** Whoever waits for the window looks again now. */
static void
wake(struct lp_engine *engine, const char *id)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_rows *rows = NULL;

    if (lp_query(engine->store, LP_SQL_WINDOW_WAITING, LP_ARGS(lp_text("id", id)), &rows, &err)
        == LP_OK)
        for (size_t i = 0; i < lp_rows_count(rows); i++)
            lp_executor_hint(engine, lp_rows_text(rows, i, "id"),
                             (int)lp_rows_int(rows, i, "priority"));
    lp_rows_free(rows);
    lp_err_clear(&err); /* the sweeper finds them */
}

static enum lp_code
change(struct lp_engine *engine, const struct lp_caller *caller, const struct lp_rows *rows,
       const json_t *patch, struct lp_err *err)
{
    struct lp_window was, w = {.opens_min = -1};
    json_auto_t *body = NULL;
    json_auto_t *definition = NULL;
    const char *description = NULL, *key;
    struct lp_unit *unit;
    int64_t now = lp_rows_int(rows, 0, "now");
    json_t *value;
    enum lp_code rc;

    read_row(rows, 0, &was);
    body = definition_json(&was, lp_rows_text(rows, 0, "description"));
    json_object_foreach((json_t *)(uintptr_t)patch, key, value) json_object_set(body, key, value);
    for (size_t i = 0; i < LP_COUNT(members); i++)
        if (json_is_null(json_object_get(body, members[i])))
            json_object_del(body, members[i]);
    rc = read_body(body, now, &w, err);
    if (rc == LP_OK)
        rc = read_description(body, &description, err);
    if (rc != LP_OK)
        return rc;
    memcpy(w.id, was.id, sizeof w.id);
    unit = lp_unit_new();
    add_window(unit, LP_SQL_WINDOW_UPDATE, &w, description, lp_rows_int(rows, 0, "version"),
               caller->actor, now);
    lp_unit_add(unit, LP_SQL_WINDOW_WAKE, LP_ARGS(lp_text("id", w.id)));
    definition = definition_json(&w, description);
    rc = name_taken(&w, commit(engine, caller, unit, "window.change", &w, definition, err), err);
    if (rc == LP_OK)
        wake(engine, w.id);
    return rc;
}

enum lp_code
lp_window_change(struct lp_engine *engine, const struct lp_caller *caller, const char *id_or_name,
                 const json_t *body, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    char id[LP_UUID_LEN + 1] = "";
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "change maintenance windows", err);

    if (rc == LP_OK)
        rc = load(engine->store, id_or_name, &rows, err);
    if (rc == LP_OK) {
        snprintf(id, sizeof id, "%s", lp_rows_text(rows, 0, "id"));
        rc = change(engine, caller, rows, body, err);
    }
    lp_rows_free(rows);
    return rc == LP_OK ? lp_window_get(engine, id, out, err) : rc;
}

static enum lp_code
fail_used(struct lp_engine *engine, const struct lp_window *w, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    lp_err_clear(err);
    rc = lp_query(engine->store, LP_SQL_WINDOW_USERS, LP_ARGS(lp_text("id", w->id)), &rows, err);
    if (rc == LP_OK)
        rc = lp_fail(err, LP_CONFLICT,
                     "maintenance window '%s' is in use: %lld unfinished processes and %lld "
                     "schedules are bound to it",
                     w->name, (long long)lp_rows_int(rows, 0, "processes"),
                     (long long)lp_rows_int(rows, 0, "schedules"));
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_window_delete(struct lp_engine *engine, const struct lp_caller *caller, const char *id_or_name,
                 struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    struct lp_window w;
    struct lp_unit *unit;
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "delete maintenance windows", err);

    if (rc == LP_OK)
        rc = load(engine->store, id_or_name, &rows, err);
    if (rc == LP_OK) {
        read_row(rows, 0, &w);
        unit = lp_unit_new();
        lp_unit_add(unit, LP_SQL_WINDOW_DELETE_CHECK, LP_ARGS(lp_text("id", w.id)));
        lp_unit_add(unit, LP_SQL_WINDOW_DELETE, LP_ARGS(lp_text("id", w.id)));
        rc = commit(engine, caller, unit, "window.delete", &w, NULL, err);
        if (rc == LP_CONFLICT)
            rc = fail_used(engine, &w, err);
    }
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_window_get(struct lp_engine *engine, const char *id_or_name, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = load(engine->store, id_or_name, &rows, err);

    if (rc == LP_OK)
        rc = row_json(rows, 0, out, err);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_window_list(struct lp_engine *engine, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *list = json_array();
    enum lp_code rc = lp_query(engine->store, LP_SQL_WINDOW_LIST, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        json_t *one = NULL;

        rc = row_json(rows, i, &one, err);
        if (rc == LP_OK)
            json_array_append_new(list, one);
    }
    lp_rows_free(rows);
    if (rc == LP_OK)
        *out = lp_json_take(&list);
    return rc;
}

enum lp_code
lp_window_resolve(struct lp_store *store, const char *id_or_name, char id[static LP_UUID_LEN + 1],
                  struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = load(store, id_or_name, &rows, err);

    if (rc == LP_OK)
        snprintf(id, LP_UUID_LEN + 1, "%s", lp_rows_text(rows, 0, "id"));
    if (rc == LP_NOT_FOUND)
        snprintf(err->pointer, sizeof err->pointer, "/window");
    if (rc == LP_NOT_FOUND)
        err->code = rc = LP_INVALID;
    lp_rows_free(rows);
    return rc;
}

/* ---- binding ---- */

void
lp_window_add_binding(struct lp_unit *unit, const char *process_id, const char *window_id)
{
    lp_unit_add(unit, LP_SQL_WINDOW_BIND,
                LP_ARGS(lp_text("window", window_id), lp_text("id", process_id)));
}

enum lp_code
lp_engine_bind_window(struct lp_engine *engine, const struct lp_caller *caller,
                      const char *process_id, const char *id_or_name, struct lp_err *err)
{
    struct lp_head head = {.reg = NULL};
    char window[LP_UUID_LEN + 1] = "";
    json_auto_t *body = NULL;
    struct lp_unit *unit;
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "bind processes to windows", err);
    int priority;
    bool over;

    if (rc == LP_OK)
        rc = lp_head_load(engine, process_id, &head, err);
    over = rc == LP_OK && lp_process_final(head.status);
    priority = head.priority;
    lp_head_clear(&head);
    if (over)
        rc = lp_fail(err, LP_CONFLICT, "Process %s is over", process_id);
    if (rc == LP_OK && id_or_name != NULL)
        rc = lp_window_resolve(engine->store, id_or_name, window, err);
    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    lp_window_add_binding(unit, process_id, id_or_name == NULL ? NULL : window);
    lp_event_process(unit, process_id, lp_clock_utc_us(engine->clock));
    body = json_pack("{s:s, s:s, s:s?}", "event", "process.window", "process", process_id, "window",
                     id_or_name == NULL ? NULL : window);
    rc = lp_audit_commit_system(engine, unit, caller, body, err);
    lp_unit_free(unit);
    if (rc == LP_OK)
        lp_executor_hint(engine, process_id, priority);
    return rc;
}

/* ---- the gate ---- */

enum lp_code
lp_window_look(struct lp_store *store, const char *id, struct lp_window_look *out,
               struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    struct lp_zone *zone = NULL;
    struct lp_window w;
    struct lp_window_times times = {.open = false};
    enum lp_code rc = lp_query(store, LP_SQL_WINDOW_LOOK, LP_ARGS(lp_text("id", id)), &rows, err);

    *out = (struct lp_window_look){.open = false};
    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_PRECONDITION,
                     "the maintenance window this process is bound to was deleted; bind another "
                     "one, then retry");
    if (rc == LP_OK) {
        read_row(rows, 0, &w);
        rc = lp_zone_load(w.timezone, &zone, err);
    }
    if (rc == LP_OK) {
        lp_window_times(&w, zone, lp_rows_int(rows, 0, "now"), &times);
        describe(&w, zone, &times, out->reason, sizeof out->reason);
        out->open = times.open;
        out->opens_us = times.opens_us;
    }
    if (rc == LP_OK && times.opens_us == INT64_MAX)
        rc = lp_fail(err, LP_PRECONDITION, "%s; bind another one, then retry", out->reason);
    lp_zone_free(zone);
    lp_rows_free(rows);
    return rc;
}

static bool
any_gated(const struct lp_step *const *steps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (steps[i]->in_window || any_gated(steps[i]->steps, steps[i]->step_count))
            return true;
    return false;
}

bool
lp_step_gated(const struct lp_registered *reg, const struct lp_step *step)
{
    static const struct lp_step *const never[] = {
        &lp_step_start,      &lp_step_link,           &lp_step_lock, &lp_step_unlock,
        &lp_step_set_active, &lp_step_set_terminated, &lp_step_done};

    if (step->in_window)
        return true;
    if (step->kind == LP_STEP_INPUT || any_gated(reg->workflow->steps, reg->workflow->step_count))
        return false;
    for (size_t i = 0; i < LP_COUNT(never); i++)
        if (step == never[i])
            return false;
    return true;
}

/* ---- forms ---- */

enum lp_code
lp_window_field(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                struct lp_err *err)
{
    struct lp_field field = {.name = name,
                             .title = "Maintenance window",
                             .description = "Outside it nothing is changed; at once without",
                             .kind = LP_FIELD_ENUM,
                             .required_in = -1};
    struct lp_enum_value *values;
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(ctx->reader, LP_SQL_WINDOW_LIST, LP_NO_ARGS, &rows, err);
    size_t count = rc == LP_OK ? lp_rows_count(rows) : 0;

    values = calloc(count + 1, sizeof *values);
    if (rc == LP_OK && values == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the windows");
    if (rc == LP_OK && count > 0) {
        for (size_t i = 0; i < count; i++)
            values[i] = (struct lp_enum_value){.value = lp_rows_text(rows, i, "id"),
                                               .label = lp_rows_text(rows, i, "name")};
        field.values = values;
        field.value_count = count;
        lp_form_page_add(page, &field);
    }
    free(values);
    lp_rows_free(rows);
    return rc;
}
