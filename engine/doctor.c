/* The doctor: looks for what should not be, says what it means and what to do, and repairs what is
 * safe to repair while everything runs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/docfile.h"
#include "engine/internal.h"
#include "engine/operate.h"

enum {
    MOST_ITEMS = 20,
    SKEW_WARN_MS = 1000, /* between database and host */
    DEEPEST = 8,
};

enum level { OK, INFO, WARNING, ERROR };
static const char *const levels[] = {"ok", "info", "warning", "error"};

struct visit {
    const struct lp_doctor *d;
    json_t *findings;
    enum level worst;
    int errors, warnings, fixed;
};

struct finding {
    const char *check;
    enum level level;
    const char *means, *todo;
    int64_t count;
    json_t *items; /* taken; or NULL */
    bool fixable, fixed;
};

LP_PRINTF(3, 4)
static void
say(struct visit *v, const struct finding *f, const char *fmt, ...)
{
    struct lp_err text = LP_ERR_INIT; /* makes the text valid UTF-8 */
    char line[400];
    va_list args;
    enum level level = f->fixed ? INFO : f->level;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    (void)!lp_fail(&text, LP_OK, "%s", line);
    if (level > v->worst)
        v->worst = level;
    v->errors += level == ERROR;
    v->warnings += level == WARNING;
    v->fixed += f->fixed;
    json_array_append_new(v->findings,
                          json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:I, s:o, s:b, s:b}", "check",
                                    f->check, "severity", levels[level], "text", text.msg, "means",
                                    f->means, "todo", f->todo, "count", (json_int_t)f->count,
                                    "items", f->items == NULL ? json_array() : f->items, "fixable",
                                    f->fixable, "fixed", f->fixed));
}

/* ---- rows that should not be there ---- */

static const struct row_check {
    const char *name;
    const char *none, *some; /* texts; some: behind the number */
    enum level level;
    enum lp_stmt find;
    int fix; /* enum lp_stmt, or -1: not to be repaired here */
    const char *means, *todo;
} row_checks[] = {
    {"orphans", "every claimed process has a living owner",
     "process(es) claimed by an executor that does not live", WARNING, LP_SQL_DOC_ORPHANS, -1,
     "their executor died or lost the database; a living one takes them over when its lease has "
     "ended",
     "start an executor that has their labels; if they stay for minutes although one lives, read "
     "its log"},
    {"owned_ends", "no finished process is claimed", "finished process(es) still claimed", WARNING,
     LP_SQL_DOC_OWNED_ENDS, LP_SQL_DOC_OWNED_ENDS_FIX, "a claim that means nothing any more",
     "run the doctor with --fix"},
    {"locks", "no finished process holds a subscription",
     "lock(s) held by processes that are finished or gone", ERROR, LP_SQL_DOC_LOCKS,
     LP_SQL_DOC_LOCKS_FIX, "nothing can be started on these subscriptions",
     "run the doctor with --fix"},
    {"named_locks", "no finished process holds a device",
     "named lock(s) held by processes that are finished or gone", ERROR, LP_SQL_DOC_NAMED,
     LP_SQL_DOC_NAMED_FIX, "processes wait for a device that nobody uses",
     "run the doctor with --fix"},
    {"fanouts", "every parent that waits has children under way",
     "process(es) wait for children, of which none is under way", ERROR, LP_SQL_DOC_PARENTS,
     LP_SQL_DOC_PARENTS_FIX, "nothing will wake them",
     "run the doctor with --fix: they look at their children again"},
    {"sleepers", "everything that waits is woken by something",
     "process(es) wait for a time that was never set", ERROR, LP_SQL_DOC_SLEEPERS,
     LP_SQL_DOC_SLEEPERS_FIX, "nothing will wake them",
     "run the doctor with --fix: they try again now"},
    {"claims", "every claim of light belongs to a living subscription",
     "claim(s) of light that nobody needs any more", WARNING, LP_SQL_DOC_CLAIMS,
     LP_SQL_DOC_CLAIMS_FIX,
     "the light is kept from others, although its subscription is terminated, or the process that "
     "reserved it was aborted without rollback and no block of a living subscription holds it",
     "see that no element carries it (lightpath spectrum show), then run the doctor with --fix"},
    {"reserved", "no aborted process left light reserved for a living subscription",
     "claim(s) of light that an aborted process left to a living subscription: kept, because "
     "elements may carry it",
     INFO, LP_SQL_DOC_CLAIMS_KEPT, -1,
     "a process was aborted without rollback after it had reserved light; the doctor never frees "
     "what may be lit",
     "lightpath process start reconcile_... or terminate_... of the subscription: that gives back "
     "what is not needed"},
    {"requests", "no finished process has requests to read",
     "finished process(es) with requests that nobody will read", WARNING, LP_SQL_DOC_REQUESTS,
     LP_SQL_DOC_REQUESTS_FIX, "an operator's request came when the process had just ended",
     "run the doctor with --fix"},
    {"labels", "every label that is asked for is there",
     "process(es) wait for a label that no living executor has", WARNING, LP_SQL_DOC_LABELS, -1,
     "they go on by themselves as soon as one has it",
     "start an executor with that label (executor.labels), or abort them"},
    {"events", "all events are numbered", "event(s) not numbered for more than a minute", WARNING,
     LP_SQL_DOC_EVENTS, -1, "listeners do not see them; no daemon is numbering",
     "start a daemon; it numbers what was left"},
    {"failed", "no process has failed", "process(es) failed and wait for somebody", INFO,
     LP_SQL_DOC_FAILED, -1, "they keep their locks until they are dealt with",
     "lightpath process show ID, then retry, skip, mark-done or abort"},
    {"drift", "every subscription that nobody works on is in sync",
     "subscription(s) out of sync, and nobody is at it", WARNING, LP_SQL_DOC_DRIFT, -1,
     "a validation found something else than what was ordered, or a process was aborted half-way",
     "lightpath process start validate_... or reconcile_..., or lightpath subscription sync"},
    {"notifications", "every notification arrived or is on its way",
     "notification(s) given up within the last day", WARNING, LP_SQL_DOC_DEAD_LETTERS, -1,
     "somebody was not told", "lightpath notification list --status dead; then correct the target"},
    {"unrouted", "the rules of notifications are being applied",
     "notification(s) that no scheduler has looked at for five minutes", WARNING,
     LP_SQL_DOC_UNROUTED, -1, "no daemon with the role scheduler is running, or it cannot write",
     "start one: lightpathd --role scheduler"},
};

static json_t *
items_of(const struct lp_rows *rows)
{
    json_t *items = json_array();

    for (size_t i = 0; i < lp_rows_count(rows) && i < MOST_ITEMS; i++)
        json_array_append_new(items, json_pack("{s:s, s:s}", "id", lp_rows_text(rows, i, "id"),
                                               "text", lp_rows_text(rows, i, "what")));
    return items;
}

/** The repair and its audit row commit together, in a chain of this visit. */
static enum lp_code
repair(struct visit *v, const struct row_check *check, int64_t *changed, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_chain chain = {.seq = 0};
    json_auto_t *body = json_pack("{s:s, s:s}", "action", "doctor.fixed", "check", check->name);
    size_t at = lp_unit_add(unit, (enum lp_stmt)check->fix, LP_NO_ARGS);
    enum lp_code rc;

    (void)snprintf(chain.name, sizeof chain.name, "system:%s", lp_uuid_v7(v->d->clock).text);
    memset(chain.hash, '0', 64);
    chain.hash[64] = '\0';
    lp_unit_alone(unit);
    rc = lp_audit_add(unit, &chain, v->d->caller, body, lp_clock_utc_us(v->d->clock), err);
    if (rc == LP_OK)
        rc = lp_store_commit(v->d->store, unit, err);
    *changed = rc == LP_OK ? lp_unit_changed(unit, at) : 0;
    lp_unit_free(unit);
    return rc;
}

static void
cannot_look(struct visit *v, const char *check, struct lp_err *err)
{
    say(v,
        &(struct finding){.check = check,
                          .level = ERROR,
                          .means = "the doctor could not look",
                          .todo = "see the check 'database'"},
        "%s", err->msg);
    lp_err_clear(err);
}

static void
check_rows(struct visit *v, const struct row_check *check)
{
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct finding f = {.check = check->name, .level = check->level, .fixable = check->fix >= 0};
    bool more;

    if (lp_query(v->d->store, check->find, LP_ARGS(lp_int("most", MOST_ITEMS + 1)), &rows, &err)
        != LP_OK) {
        cannot_look(v, check->name, &err);
        return;
    }
    f.count = (int64_t)lp_rows_count(rows);
    more = f.count > MOST_ITEMS;
    if (f.count == 0) {
        f.level = OK;
        f.fixable = false;
        say(v, &f, "%s", check->none);
    } else {
        f.items = items_of(rows);
        f.means = check->means;
        f.todo = check->todo;
        if (v->d->fix && check->fix >= 0) {
            f.fixed = repair(v, check, &f.count, &err) == LP_OK;
            if (!f.fixed)
                f.means = err.msg;
        }
        say(v, &f, "%s%" PRId64 " %s%s", more && !f.fixed ? "more than " : "",
            more && !f.fixed ? MOST_ITEMS : f.count, check->some, f.fixed ? ": repaired" : "");
    }
    lp_rows_free(rows);
    lp_err_clear(&err);
}

/* ---- the database ---- */

static void
check_safety(struct visit *v)
{
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (lp_query(v->d->store, LP_SQL_DOC_SAFETY, LP_NO_ARGS, &rows, &err) != LP_OK) {
        cannot_look(v, "durability", &err);
        return;
    }
    if (strcmp(lp_rows_text(rows, 0, "fsync"), "on") != 0
        || strcmp(lp_rows_text(rows, 0, "commits"), "off") == 0)
        say(v,
            &(struct finding){.check = "durability",
                              .level = ERROR,
                              .means = "a power failure can undo what was said to be done: devices "
                                       "would hold what the database forgot",
                              .todo = "set fsync = on and synchronous_commit = on in PostgreSQL"},
            "the database does not keep its commits: fsync %s, synchronous_commit %s",
            lp_rows_text(rows, 0, "fsync"), lp_rows_text(rows, 0, "commits"));
    else
        say(v, &(struct finding){.check = "durability"}, "the database keeps what it commits");
    lp_rows_free(rows);
}

static bool
check_database(struct visit *v)
{
    struct lp_err err = LP_ERR_INIT;

    if (v->d->store == NULL) {
        say(v,
            &(struct finding){.check = "database",
                              .level = ERROR,
                              .means = "nothing can run",
                              .todo = "see the message; 'lightpathd db check' looks at it alone"},
            "%s", v->d->store_err == NULL ? "not open" : v->d->store_err->msg);
        return false;
    }
    if (lp_store_ping(v->d->store, &err) != LP_OK) {
        say(v,
            &(struct finding){.check = "database",
                              .level = ERROR,
                              .means = "steps stop until it is back; nothing is lost",
                              .todo = "look at the database server, its disk and its connections"},
            "%s", err.msg);
        lp_err_clear(&err);
        return false;
    }
    say(v, &(struct finding){.check = "database"}, "%s, schema %d, is read and written",
        lp_store_dialect(v->d->store) == LP_DIALECT_SQLITE ? "SQLite" : "PostgreSQL",
        lp_store_schema_version());
    return true;
}

static void
check_clock(struct visit *v)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t before = lp_clock_host_us(v->d->clock), there = 0, skew_ms;
    struct finding f = {.check = "clock",
                        .level = WARNING,
                        .means =
                            "Lightpath goes by the database's clock; certificates, logs of other "
                            "programs and the start of this one go by the host's",
                        .todo = "let an NTP service set both clocks"};

    if (lp_store_now(v->d->store, &there, &err) != LP_OK) {
        cannot_look(v, "clock", &err);
        return;
    }
    skew_ms = (there - (before + lp_clock_host_us(v->d->clock)) / 2) / 1000;
    if (llabs(skew_ms) < SKEW_WARN_MS) {
        say(v, &(struct finding){.check = "clock"}, "host and database agree within %" PRId64 " ms",
            (int64_t)llabs(skew_ms) + 1);
        return;
    }
    if (llabs(skew_ms) > 60000)
        f.level = ERROR;
    say(v, &f, "the database's clock is %" PRId64 " ms %s this host's", (int64_t)llabs(skew_ms),
        skew_ms > 0 ? "before" : "behind");
}

/* ---- executors, leases, queue ---- */

static void
check_executors(struct visit *v, const json_t *report)
{
    const json_t *count = json_object_get(report, "executors");
    const json_t *queue = json_object_get(report, "queue");
    int64_t live = lp_json_int(count, "live", 0), lost = lp_json_int(count, "lost", 0);
    int64_t drained = lp_json_int(count, "drained", 0), depth = lp_json_int(queue, "depth", 0);

    if (live - drained <= 0)
        say(v,
            &(struct finding){.check = "executors",
                              .level = depth > 0 ? ERROR : WARNING,
                              .count = depth,
                              .means = "nothing is executed",
                              .todo = "start lightpathd with the role executor, or end the drain"},
            "no executor takes work (%" PRId64 " live, %" PRId64 " drained); %" PRId64
            " process(es) wait",
            live, drained, depth);
    else
        say(v, &(struct finding){.check = "executors", .count = live},
            "%" PRId64 " executor(s) live, %" PRId64 " of them drained", live, drained);
    if (lost > 0)
        say(v,
            &(struct finding){.check = "executors_lost",
                              .level = WARNING,
                              .count = lost,
                              .means = "they crashed, were cut off or stopped hard",
                              .todo = "lightpath executor list; start them again, or leave it: "
                                      "they are forgotten after retention.event_days"},
            "%" PRId64 " executor(s) lost", lost);
}

static void
check_leases(struct visit *v, const json_t *report)
{
    size_t i;
    json_t *lease;

    if (lp_store_dialect(v->d->store) == LP_DIALECT_SQLITE)
        return; /* who has the file has everything */
    json_array_foreach(json_object_get(report, "leases"), i, lease)
    {
        const char *name = lp_json_str(lease, "name", "");

        if (lp_json_true(lease, "held"))
            say(v, &(struct finding){.check = "leases"}, "the duty '%s' is held by %s", name,
                lp_json_str(lease, "executor", lp_json_str(lease, "owner", "?")));
        else
            say(v,
                &(struct finding){.check = "leases",
                                  .level = WARNING,
                                  .means = "schedules do not fire, nobody is notified, processes "
                                           "of dead executors wait",
                                  .todo = "start a daemon with the role scheduler"},
                "nobody holds the duty '%s'", name);
    }
}

static void
check_queue(struct visit *v, const json_t *report)
{
    const json_t *queue = json_object_get(report, "queue");
    double oldest = json_number_value(json_object_get(queue, "oldest_seconds"));
    struct lp_queue_stats stats;

    say(v,
        &(struct finding){.check = "queue",
                          .level = oldest > 60 ? WARNING : OK,
                          .count = lp_json_int(queue, "depth", 0),
                          .means = "executors are busy, paused, or none has the label",
                          .todo = "lightpath engine status shows labels and executors"},
        "%lld process(es) wait for an executor, the oldest for %.0f s",
        (long long)lp_json_int(queue, "depth", 0), oldest);
    if (v->d->queue == NULL)
        return;
    v->d->queue->ops->stats((struct lp_queue *)(uintptr_t)v->d->queue, &stats);
    if (stats.connected)
        say(v, &(struct finding){.check = "hints"}, "hints travel through %s", v->d->queue->kind);
    else
        say(v,
            &(struct finding){.check = "hints",
                              .level = WARNING,
                              .means = "work goes on, found by the sweep: up to seconds later",
                              .todo = "look at the queue server and its password"},
            "not connected to the queue (%s); %" PRIu64 " hints lost", v->d->queue->kind,
            stats.lost);
}

static void
check_engine(struct visit *v)
{
    json_auto_t *report = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (lp_operate_report(v->d->store, &report, &err) != LP_OK) {
        cannot_look(v, "executors", &err);
        return;
    }
    check_executors(v, report);
    check_leases(v, report);
    check_queue(v, report);
}

static void
check_flag(struct visit *v, const char *name, const char *text, enum level level, const char *means,
           const char *todo)
{
    struct lp_err err = LP_ERR_INIT;
    bool set = false;

    if (lp_engine_setting_is(v->d->store, name, "1", &set, &err) != LP_OK)
        cannot_look(v, name, &err);
    else if (set)
        say(v, &(struct finding){.check = name, .level = level, .means = means, .todo = todo}, "%s",
            text);
}

static void
check_versions(struct visit *v)
{
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (lp_query(v->d->store, LP_SQL_DOC_VERSIONS,
                 LP_ARGS(lp_text("version", v->d->version), lp_int("most", MOST_ITEMS)), &rows,
                 &err)
        != LP_OK) {
        cannot_look(v, "versions", &err);
        return;
    }
    if (lp_rows_count(rows) > 0)
        say(v,
            &(struct finding){.check = "versions",
                              .level = INFO,
                              .count = (int64_t)lp_rows_count(rows),
                              .items = items_of(rows),
                              .means = "an upgrade is under way, or was not finished",
                              .todo = "upgrade the others: drain, stop, install, start"},
            "%zu executor(s) have another version than %s", lp_rows_count(rows), v->d->version);
    lp_rows_free(rows);
}

/** Processes that were begun with other steps. One that stopped, or will, needs a person. */
static void
check_definitions(struct visit *v)
{
    json_auto_t *report = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct finding f = {.check = "definitions", .items = json_array()};
    size_t i, stop = 0;
    json_t *p;

    if (v->d->engine == NULL
        || lp_engine_changed(v->d->engine, &(struct lp_changed_request){.limit = MOST_ITEMS},
                             &report, &err)
               != LP_OK) {
        if (v->d->engine != NULL)
            cannot_look(v, f.check, &err);
        json_decref(f.items);
        return;
    }
    json_array_foreach(json_object_get(report, "processes"), i, p)
    {
        const char *standing = lp_json_str(p, "standing", "");
        const char *step = lp_json_str(p, "step", NULL);

        stop += strcmp(standing, "goes_on") != 0 && strcmp(standing, "undoing") != 0;
        json_array_append_new(
            f.items, json_pack("{s:s, s:s++}", "id", lp_json_str(p, "process_id", ""), "text",
                               lp_json_str(p, "workflow_name", ""),
                               step == NULL ? ", not begun" : " at ", step == NULL ? "" : step));
    }
    f.count = lp_json_int(report, "count", 0);
    f.level = f.count == 0 ? OK : stop > 0 ? WARNING : INFO;
    f.means = f.count == 0 ? NULL
              : stop > 0   ? "the step that some of them stand at is gone: they stop there, until "
                             "somebody says how they go on"
                           : "they go on by the keys of their steps";
    f.todo = f.count == 0 ? NULL : "lightpath process changed";
    if (f.count == 0)
        say(v, &f, "every process runs with the steps it was begun with");
    else
        say(v, &f,
            "%" PRId64 " process(es) were begun with other steps than their workflow has now",
            f.count);
}

/* ---- this host ---- */

static void
check_disk(struct visit *v)
{
    struct statvfs fs;
    double free_gb, part;
    enum level level;

    if (v->d->data_dir == NULL || statvfs(v->d->data_dir, &fs) != 0 || fs.f_blocks == 0)
        return;
    free_gb = (double)fs.f_bavail * (double)fs.f_frsize / 1e9;
    part = 100.0 * (double)fs.f_bavail / (double)fs.f_blocks;
    level = free_gb < 0.1 || part < 1 ? ERROR : free_gb < 1 && part < 10 ? WARNING : OK;
    say(v,
        &(struct finding){.check = "disk",
                          .level = level,
                          .means = "on a full disk no step can be written",
                          .todo = "make room, or move daemon.data_dir"},
        "%.1f GB (%.0f %%) free at %.200s", free_gb, part, v->d->data_dir);
}

/** Nobody else may read it. Repaired by taking the rights away. */
static void
check_mode(struct visit *v, const char *path, mode_t forbidden, const char *what)
{
    struct stat st;
    struct finding f = {.check = "files",
                        .level = ERROR,
                        .means = "others on this host can read secrets or everybody's data",
                        .todo = "run the doctor with --fix, or chmod",
                        .fixable = true};

    if (stat(path, &st) != 0) {
        if (errno != ENOENT || strcmp(what, "secret") == 0)
            say(v,
                &(struct finding){.check = "files",
                                  .level = WARNING,
                                  .means = "what needs it will fail",
                                  .todo = "make the file, or correct the configuration"},
                "%.200s: %s", path, strerror(errno));
        return;
    }
    if ((st.st_mode & forbidden) == 0)
        return;
    f.fixed = v->d->fix && chmod(path, st.st_mode & ~forbidden & 07777) == 0;
    say(v, &f, "%s %.200s has mode %04o%s", what, path, (unsigned)st.st_mode & 07777,
        f.fixed ? ": repaired" : "");
}

static void
check_secrets_in(struct visit *v, const json_t *value, const char *key, int depth)
{
    const char *name;
    size_t i;
    json_t *member;
    size_t len = key == NULL ? 0 : strlen(key);

    if (depth > DEEPEST)
        return;
    if (json_is_string(value) && len > 5 && strcmp(key + len - 5, "_file") == 0
        && strcmp(key, "ca_file") != 0)
        check_mode(v, json_string_value(value), 077, "secret");
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        check_secrets_in(v, member, name, depth + 1);
    }
    json_array_foreach(value, i, member)
    {
        check_secrets_in(v, member, key, depth + 1);
    }
}

static void
check_files(struct visit *v)
{
    const char *url = v->d->store_url;
    const char *rules = lp_conf_live_text(&v->d->conf->notifications_file);
    json_auto_t *doc = NULL;
    struct lp_err err = LP_ERR_INIT;
    int before = v->errors + v->warnings + v->fixed;

    if (v->d->data_dir != NULL)
        check_mode(v, v->d->data_dir, 022, "data folder");
    if (url != NULL && strncmp(url, "sqlite:", 7) == 0)
        check_mode(v, url + 7, 077, "database");
    if (rules != NULL && rules[0] != '\0') {
        if (lp_yaml_load(rules, &doc, &err) == LP_OK)
            check_secrets_in(v, doc, NULL, 0);
        else
            say(v,
                &(struct finding){.check = "files",
                                  .level = ERROR,
                                  .means = "the daemon does not start with it",
                                  .todo = "correct notifications.file"},
                "%s", err.msg);
        lp_err_clear(&err);
    }
    if (v->errors + v->warnings + v->fixed == before)
        say(v, &(struct finding){.check = "files"}, "nobody else can read data and secrets");
}

/* ---- a visit ---- */

static void
look_at_store(struct visit *v)
{
    check_safety(v);
    check_clock(v);
    check_flag(v, "global_lock", "the engine is paused by an operator", WARNING,
               "nothing is executed until somebody resumes it", "lightpath engine resume");
    check_flag(v, "restored", "the database was restored and is not validated yet", WARNING,
               "nothing is written to a device until every subscription was validated",
               "lightpath task start task_validate_subscriptions");
    check_engine(v);
    check_versions(v);
    check_definitions(v);
    for (size_t i = 0; i < LP_COUNT(row_checks); i++)
        check_rows(v, &row_checks[i]);
}

enum lp_code
lp_doctor_run(const struct lp_doctor *doctor, json_t **out, struct lp_err *err)
{
    struct visit v = {.d = doctor, .findings = json_array()};

    if (v.findings == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the findings");
    if (check_database(&v))
        look_at_store(&v);
    check_disk(&v);
    check_files(&v);
    *out = json_pack("{s:s, s:i, s:i, s:i, s:s, s:i, s:o}", "worst", levels[v.worst], "errors",
                     v.errors, "warnings", v.warnings, "fixed", v.fixed, "version", doctor->version,
                     "schema", lp_store_schema_version(), "findings", v.findings);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for the findings") : LP_OK;
}
