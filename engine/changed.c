/* Processes whose workflow has other steps today than when they were begun: what changed by key,
 * where each of them goes on, and what an operator can do. */
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"
#include "engine/head.h"

/* ---- a stored definition as a flat list ---- */

/** [[key, kind, effects, "undo"? or [sub-steps]]...] -> [{"key": "group/sub", "what": "kind,
 * effects", "undo": bool}...]. */
static void
flatten(const json_t *doc, const char *prefix, json_t *out)
{
    size_t i;
    json_t *row;

    json_array_foreach(doc, i, row)
    {
        const char *key = json_string_value(json_array_get(row, 0));
        const char *kind = json_string_value(json_array_get(row, 1));
        const char *effects = json_string_value(json_array_get(row, 2));
        const json_t *more = json_array_get(row, 3);
        char name[LP_KEY_MAX];

        if (key == NULL || kind == NULL || effects == NULL)
            continue;
        snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] == '\0' ? "" : "/", key);
        if (json_is_array(more))
            flatten(more, name, out);
        else
            json_array_append_new(out, json_pack("{s:s, s:s++, s:b}", "key", name, "what", kind,
                                                 ", ", effects, "undo", json_is_string(more)));
    }
}

static json_t *
flat_of(const char *doc)
{
    json_auto_t *parsed = doc == NULL ? NULL : json_loads(doc, 0, NULL);
    json_t *out = json_array();

    flatten(parsed, "", out);
    return out;
}

static const char *
key_at(const json_t *flat, size_t i)
{
    return lp_json_str(json_array_get(flat, i), "key", "");
}

/** The place of a stored key; "key/3" of an each-step stands at "key". The size when it is not
 * there. */
static size_t
place_of(const json_t *flat, const char *key)
{
    const char *slash = strrchr(key, '/');
    size_t len = slash != NULL && slash[1] >= '0' && slash[1] <= '9' ? (size_t)(slash - key) : 0;
    size_t count = json_array_size(flat);

    for (size_t i = 0; i < count; i++) {
        const char *at = key_at(flat, i);

        if (strcmp(at, key) == 0 || (len > 0 && strlen(at) == len && memcmp(at, key, len) == 0))
            return i;
    }
    return count;
}

static bool
has_key(const json_t *flat, const char *key)
{
    return place_of(flat, key) < json_array_size(flat);
}

/* ---- what changed ---- */

/** The keys of one that the other does not have, in order. */
static json_t *
only_in(const json_t *flat, const json_t *other)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < json_array_size(flat); i++)
        if (!has_key(other, key_at(flat, i)))
            json_array_append_new(keys, json_string(key_at(flat, i)));
    return keys;
}

/** The keys of both that do not stand in one rising line: the fewest that were moved. */
static json_t *
moved_keys(const json_t *was, const json_t *is)
{
    size_t count = json_array_size(was), end = SIZE_MAX;
    size_t *best = calloc(count + 1, sizeof *best), *from = calloc(count + 1, sizeof *from);
    bool *kept = calloc(count + 1, sizeof *kept);
    json_t *keys = json_array();

    for (size_t i = 0; best != NULL && from != NULL && kept != NULL && i < count; i++) {
        size_t at = place_of(is, key_at(was, i));

        from[i] = SIZE_MAX;
        if (at == json_array_size(is))
            continue;
        best[i] = 1;
        for (size_t k = 0; k < i; k++)
            if (best[k] >= best[i] && place_of(is, key_at(was, k)) < at) {
                best[i] = best[k] + 1;
                from[i] = k;
            }
        if (end == SIZE_MAX || best[i] > best[end])
            end = i;
    }
    for (; kept != NULL && end != SIZE_MAX; end = from[end])
        kept[end] = true;
    for (size_t i = 0; kept != NULL && i < count; i++)
        if (best[i] > 0 && !kept[i])
            json_array_append_new(keys, json_string(key_at(was, i)));
    free(best);
    free(from);
    free(kept);
    return keys;
}

/** Keys that stayed with another kind or other effects. */
static json_t *
altered_keys(const json_t *was, const json_t *is)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(was); i++) {
        const json_t *old = json_array_get(was, i);
        const json_t *now = json_array_get(is, place_of(is, key_at(was, i)));

        if (now != NULL && strcmp(lp_json_str(old, "what", ""), lp_json_str(now, "what", "")) != 0)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "key", key_at(was, i), "was",
                                                  lp_json_str(old, "what", ""), "is",
                                                  lp_json_str(now, "what", "")));
    }
    return list;
}

/** The nearest key before i that both have, or "". */
static const char *
before(const json_t *flat, size_t i, const json_t *other)
{
    while (i-- > 0)
        if (has_key(other, key_at(flat, i)))
            return key_at(flat, i);
    return "";
}

static bool
taken(const json_t *pairs, const char *key)
{
    size_t i;
    json_t *pair;

    json_array_foreach(pairs, i, pair)
    {
        if (strcmp(lp_json_str(pair, "is", ""), key) == 0)
            return true;
    }
    return false;
}

/** A key that went and one that came at the same place, of the same kind and effects: most likely
 * another name of the same step. Nothing is done on that guess. */
static json_t *
renamed_keys(const json_t *was, const json_t *is)
{
    json_t *pairs = json_array();

    for (size_t i = 0; i < json_array_size(was); i++) {
        if (has_key(is, key_at(was, i)))
            continue;
        for (size_t k = 0; k < json_array_size(is); k++)
            if (!has_key(was, key_at(is, k)) && !taken(pairs, key_at(is, k))
                && strcmp(before(was, i, is), before(is, k, was)) == 0
                && strcmp(lp_json_str(json_array_get(was, i), "what", ""),
                          lp_json_str(json_array_get(is, k), "what", ""))
                       == 0) {
                json_array_append_new(
                    pairs, json_pack("{s:s, s:s}", "was", key_at(was, i), "is", key_at(is, k)));
                break;
            }
    }
    return pairs;
}

static json_t *
changes_of(const char *workflow, const char *hash, int64_t count, const json_t *was,
           const json_t *is)
{
    return json_pack("{s:s, s:s, s:I, s:b, s:o, s:o, s:o, s:o, s:o}", "workflow_name", workflow,
                     "definition", hash, "count", (json_int_t)count, "workflow_gone", is == NULL,
                     "removed", is == NULL ? json_array() : only_in(was, is), "added",
                     is == NULL ? json_array() : only_in(is, was), "moved",
                     is == NULL ? json_array() : moved_keys(was, is), "altered",
                     is == NULL ? json_array() : altered_keys(was, is), "perhaps_renamed",
                     is == NULL ? json_array() : renamed_keys(was, is));
}

/* ---- where one process stands ---- */

enum standing { GOES_ON, WILL_STOP, STOPPED, UNDOING, GONE };
static const char *const standings[] = {"goes_on", "will_stop", "stopped", "undoing",
                                        "workflow_gone"};

struct stand {
    const char *id, *last_key;
    enum lp_process_status status;
    enum standing standing;
    size_t place;     /* in today's list; the size: behind the last */
    json_t *over;     /* new keys that stand before it; owned */
    json_t *not_undo; /* keys whose undo is not known any more; owned */
};

static bool
starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/** Where the newest step that still exists leaves the process. */
static size_t
place_behind(const json_t *is, const struct lp_rows *rows)
{
    for (size_t i = lp_rows_count(rows); i-- > 0;) {
        size_t place = place_of(is, lp_rows_text(rows, i, "key"));
        const char *status = lp_rows_text(rows, i, "status");

        if (place < json_array_size(is))
            return place
                   + (strcmp(status, "success") == 0 || strcmp(status, "skipped") == 0
                      || strcmp(status, "complete") == 0);
    }
    return 0;
}

/** Steps it has run that could be undone, by a program that knows them. */
static json_t *
not_undoable(const json_t *was, const json_t *is, const struct lp_rows *rows)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        const char *key = lp_rows_text(rows, i, "key");
        const json_t *old = json_array_get(was, place_of(was, key));

        if (lp_json_true(old, "undo") && !has_key(is, key)
            && strcmp(lp_rows_text(rows, i, "status"), "skipped") != 0)
            json_array_append_new(keys, json_string(key));
    }
    return keys;
}

static void
find_standing(struct stand *s, const json_t *was, const json_t *is, const struct lp_rows *rows)
{
    s->over = json_array();
    if (is == NULL) {
        s->standing = GONE;
        s->not_undo = json_array();
        return;
    }
    s->not_undo = not_undoable(was, is, rows);
    if (s->last_key != NULL && starts(s->last_key, LP_UNDO_PREFIX)) {
        s->standing = UNDOING;
        return;
    }
    s->place = place_behind(is, rows);
    if (s->last_key == NULL || has_key(is, s->last_key)) {
        s->standing = GOES_ON;
    } else if (strcmp(s->last_key, LP_KEY_RECOVER) == 0) {
        s->standing = STOPPED;
    } else {
        s->standing = WILL_STOP;
    }
    for (size_t i = 0; i < s->place; i++)
        if (!has_key(was, key_at(is, i)))
            json_array_append_new(s->over, json_string(key_at(is, i)));
}

/* ---- the choices ---- */

LP_PRINTF(4, 5)
static void
choice(json_t *list, const struct stand *s, const char *verb, const char *fmt, ...)
{
    struct lp_buf command = LP_BUF_INIT;
    char means[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(means, sizeof means, fmt, args);
    va_end(args);
    if (verb[0] != '\0')
        lp_buf_printf(&command, "lightpath process %.*s %s%s", (int)strcspn(verb, " "), verb, s->id,
                      verb + strcspn(verb, " "));
    json_array_append_new(list, json_pack("{s:s?, s:s}", "command", command.data, "means", means));
    lp_buf_free(&command);
}

static void
offer_to_settle(json_t *list, const struct stand *s, const json_t *is)
{
    const char *next = s->place < json_array_size(is) ? key_at(is, s->place) : NULL;
    const char *at = next == NULL ? "the end" : next;

    choice(list, s, "skip --reason TEXT",
           "go on at %s, behind the newest step of it that still exists; what the missing step "
           "would have put into the state is missing",
           at);
    choice(list, s, "mark-done --reason TEXT --set KEY=VALUE",
           "you have done by hand what the missing step was for: go on at %s with what you set",
           at);
}

static json_t *
choices_of(const struct stand *s, const json_t *is)
{
    json_t *list = json_array();
    bool failed = s->status == LP_PS_FAILED || s->status == LP_PS_API_UNAVAILABLE
                  || s->status == LP_PS_INCONSISTENT_DATA;

    if (s->standing == GOES_ON && s->status == LP_PS_SUSPENDED)
        choice(list, s, "resume", "answer its form: it goes on with the steps of today");
    else if (s->standing == GOES_ON && failed)
        choice(list, s, "retry", "try its failed step again and go on with the steps of today");
    else if (s->standing == GOES_ON || s->standing == UNDOING)
        choice(list, s, "", "nothing: it goes on by itself with the steps of today");
    if (s->standing == STOPPED || s->standing == WILL_STOP)
        offer_to_settle(list, s, is);
    if (s->standing == STOPPED)
        choice(list, s, "retry", "when a program that has the step runs again: go on where it was");
    choice(list, s, "",
           "install the release it was begun with again and let it end there: it tolerates this "
           "database");
    if (s->standing != GONE && s->standing != UNDOING && json_array_size(s->not_undo) == 0)
        choice(list, s, "abort --rollback", "undo what it has done, by the steps of today");
    choice(list, s, "abort",
           "end it; what it has done stays: validate and reconcile what it was at");
    return list;
}

/* ---- the report ---- */

static enum lp_code
step_rows(struct lp_engine *engine, const char *id, struct lp_rows **rows, struct lp_err *err)
{
    return lp_query(engine->store, LP_SQL_QUERY_STEP_KEYS, LP_ARGS(lp_text("id", id)), rows, err);
}

static enum lp_code
add_process(struct lp_engine *engine, const struct lp_rows *processes, size_t row,
            const json_t *was, const json_t *is, json_t *out, struct lp_err *err)
{
    struct stand s = {.id = lp_rows_text(processes, row, "id"),
                      .last_key = lp_rows_null(processes, row, "last_key")
                                      ? NULL
                                      : lp_rows_text(processes, row, "last_key")};
    const char *status = lp_rows_text(processes, row, "status");
    struct lp_rows *rows = NULL;
    enum lp_code rc = step_rows(engine, s.id, &rows, err);

    if (rc != LP_OK)
        return rc;
    (void)lp_process_status_from_name(status, &s.status);
    find_standing(&s, was, is, rows);
    lp_rows_free(rows);
    json_array_append_new(
        out,
        json_pack(
            "{s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s?, s:o, s:o, s:o}", "process_id", s.id,
            "workflow_name", lp_rows_text(processes, row, "workflow"), "definition",
            lp_rows_text(processes, row, "definition_hash"), "last_status", status, "step",
            s.last_key, "assignee", lp_rows_text(processes, row, "assignee"), "standing",
            standings[s.standing], "goes_on_at",
            s.standing != UNDOING && s.place < json_array_size(is) ? key_at(is, s.place) : NULL,
            "passed_over", s.over, "not_undoable", s.not_undo, "choices", choices_of(&s, is)));
    return LP_OK;
}

/** One definition that is not today's, and its processes. */
static enum lp_code
add_changed(struct lp_engine *engine, const struct lp_rows *groups, size_t row,
            const struct lp_changed_request *request, json_t *definitions, json_t *processes,
            struct lp_err *err)
{
    const char *workflow = lp_rows_text(groups, row, "workflow");
    const char *hash = lp_rows_text(groups, row, "definition_hash");
    const struct lp_registered *reg = lp_registry_find(engine, workflow);
    size_t room = (size_t)request->limit - json_array_size(processes);
    json_auto_t *is = reg == NULL ? NULL : flat_of(reg->definition);
    json_auto_t *was = lp_rows_null(groups, row, "doc") && is != NULL
                           ? json_incref(is) /* not known: nothing is said about it */
                           : flat_of(lp_rows_text(groups, row, "doc"));
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_QUERY_OF_DEFINITION,
                 LP_ARGS(lp_text("workflow", workflow), lp_text("hash", hash),
                         lp_text("id", request->process_id == NULL ? "" : request->process_id),
                         lp_int("limit", (int64_t)room)),
                 &rows, err);

    if (rc == LP_OK && (request->process_id == NULL || lp_rows_count(rows) > 0))
        json_array_append_new(definitions,
                              changes_of(workflow, hash, lp_rows_int(groups, row, "n"), was, is));
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = add_process(engine, rows, i, was, is, processes, err);
    lp_rows_free(rows);
    return rc;
}

static bool
is_todays(const struct lp_engine *engine, const struct lp_rows *groups, size_t row)
{
    const struct lp_registered *reg =
        lp_registry_find(engine, lp_rows_text(groups, row, "workflow"));

    return reg != NULL && strcmp(reg->hash, lp_rows_text(groups, row, "definition_hash")) == 0;
}

enum lp_code
lp_engine_changed(struct lp_engine *engine, const struct lp_changed_request *request, json_t **out,
                  struct lp_err *err)
{
    json_auto_t *definitions = json_array();
    json_auto_t *processes = json_array();
    struct lp_rows *groups = NULL;
    int64_t count = 0;
    enum lp_code rc = lp_query(engine->store, LP_SQL_QUERY_DEFINITIONS, LP_NO_ARGS, &groups, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(groups); i++) {
        if (is_todays(engine, groups, i))
            continue;
        count += lp_rows_int(groups, i, "n");
        rc = add_changed(engine, groups, i, request, definitions, processes, err);
    }
    lp_rows_free(groups);
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:I, s:O, s:O}", "count", (json_int_t)count, "definitions", definitions,
                     "processes", processes);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for the changed processes") : LP_OK;
}

enum lp_code
lp_engine_changed_counts(struct lp_engine *engine, lp_changed_count *each, void *arg,
                         struct lp_err *err)
{
    struct lp_rows *groups = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_QUERY_DEFINITIONS, LP_NO_ARGS, &groups, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(groups);) {
        const char *workflow = lp_rows_text(groups, i, "workflow");
        int64_t n = 0;

        for (; i < lp_rows_count(groups)
               && strcmp(lp_rows_text(groups, i, "workflow"), workflow) == 0;
             i++)
            n += is_todays(engine, groups, i) ? 0 : lp_rows_int(groups, i, "n");
        if (n > 0)
            each(arg, workflow, n);
    }
    lp_rows_free(groups);
    return rc;
}

/* ---- before a rollback ---- */

enum lp_code
lp_changed_demand_undoable(struct lp_engine *engine, const struct lp_head *head, struct lp_err *err)
{
    struct lp_rows *definition = NULL, *rows = NULL, *begun = NULL;
    json_auto_t *is = flat_of(head->reg->definition);
    json_auto_t *was = NULL, *more = NULL;
    json_auto_t *keys = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_QUERY_DEFINITION_OF,
                               LP_ARGS(lp_text("id", head->id)), &definition, err);

    if (rc == LP_OK && lp_rows_count(definition) == 1
        && strcmp(lp_rows_text(definition, 0, "hash"), head->reg->hash) != 0)
        rc = step_rows(engine, head->id, &rows, err);
    if (rc == LP_OK && rows != NULL)
        rc = lp_query(engine->store, LP_SQL_QUERY_BEGUN_KEYS, LP_ARGS(lp_text("id", head->id)),
                      &begun, err);
    if (rc == LP_OK && rows != NULL) {
        was = flat_of(lp_rows_text(definition, 0, "doc"));
        keys = not_undoable(was, is, rows);
        more = not_undoable(was, is, begun);
        (void)json_array_extend(keys, more);
    }
    lp_rows_free(definition);
    lp_rows_free(rows);
    lp_rows_free(begun);
    if (rc == LP_OK && json_array_size(keys) > 0)
        rc = lp_fail(err, LP_CONFLICT,
                     "what the step '%.80s' did cannot be undone: the step is no part of this "
                     "program any more. Roll back with the release the process was begun with, or "
                     "abort without rollback and reconcile",
                     json_string_value(json_array_get(keys, 0)));
    return rc;
}
