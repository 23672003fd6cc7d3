/* Callbacks from outside: a valid token is answered at any time and its result kept until the step
 * asks for it (W23). */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/head.h"

#define KEY_MAX 320 /* nested group keys */

/* Looks for the callback step and wait a token belongs to. */
struct search {
    const struct lp_engine *engine;
    const char *process_id, *token;
    const struct lp_rows *waits; /* svc_waits */
    char key[KEY_MAX];           /* found step */
    int64_t n, current;          /* found wait, and the one the step is in */
    bool found;
};

/* Numbers of the waits of a step so far: *newest that got an input, *consumed. */
static void
waits_of(const struct lp_rows *waits, const char *key, int64_t *newest, int64_t *consumed)
{
    *newest = *consumed = 0;
    for (size_t i = 0; i < lp_rows_count(waits); i++)
        if (strcmp(lp_rows_text(waits, i, "kind"), "callback") == 0
            && strcmp(lp_rows_text(waits, i, "step_key"), key) == 0) {
            *newest = lp_rows_int(waits, i, "newest");
            *consumed = lp_rows_int(waits, i, "consumed");
        }
}

/* Every candidate is compared, in constant time each, also after a hit. */
static void
try_step(struct search *search, const char *key)
{
    int64_t newest, consumed;
    char token[65];

    waits_of(search->waits, key, &newest, &consumed);
    for (int64_t n = 1; n <= newest + 1 || n <= consumed + 1; n++) {
        lp_callback_token(search->engine, search->process_id, key, n, token);
        if (!lp_same_secret(token, search->token))
            continue;
        search->found = true;
        snprintf(search->key, sizeof search->key, "%s", key);
        search->n = n;
        search->current = consumed + 1;
    }
}

static void
try_steps(struct search *search, const struct lp_step *const *steps, size_t count,
          const char *prefix)
{
    for (size_t i = 0; i < count; i++) {
        char key[KEY_MAX];

        snprintf(key, sizeof key, "%s%s%s", prefix, prefix[0] == '\0' ? "" : "/", steps[i]->key);
        if (steps[i]->kind == LP_STEP_CALLBACK)
            try_step(search, key);
        else if (steps[i]->kind == LP_STEP_GROUP)
            try_steps(search, steps[i]->steps, steps[i]->step_count, key);
    }
}

static enum lp_code
find_wait(struct lp_engine *engine, const struct lp_head *head, const char *token,
          struct search *search, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_SVC_WAITS, LP_ARGS(lp_text("id", head->id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    *search =
        (struct search){.engine = engine, .process_id = head->id, .token = token, .waits = rows};
    if (head->reg != NULL)
        try_steps(search, head->reg->steps, head->reg->step_count, "");
    search->waits = NULL;
    lp_rows_free(rows);
    return search->found ? LP_OK : lp_fail(err, LP_NOT_FOUND, "Invalid token");
}

static enum lp_code
demand_body(const json_t *body, bool progress, struct lp_err *err)
{
    if (json_is_object(body) || (progress && json_is_string(body)))
        return LP_OK;
    return lp_fail_at(err, LP_INVALID, "", "the body must be a JSON object%s, not %s",
                      progress ? " or a string" : "", body == NULL ? "empty" : lp_json_kind(body));
}

/* The process row is written first: its lock orders us against the flush that starts the wait (see
 * internal.h). */
static enum lp_code
store_callback(struct lp_engine *engine, const struct lp_head *head, const struct search *search,
               const char *text, bool progress, struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(engine->clock);
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_key(unit, head->id);
    if (progress)
        lp_unit_add(unit, LP_SQL_SVC_TOUCH, LP_ARGS(lp_int("now", now), lp_text("id", head->id)));
    else
        lp_unit_add(unit, LP_SQL_SVC_CALLBACK_TOUCH,
                    LP_ARGS(lp_text("step_key", search->key), lp_text("id", head->id)));
    lp_unit_add(unit, progress ? LP_SQL_SVC_PROGRESS_PUT : LP_SQL_SVC_CALLBACK_INSERT,
                LP_ARGS(lp_text("process_id", head->id), lp_text("step_key", search->key),
                        lp_int("n", search->n), lp_text("doc", text), lp_int("now", now)));
    lp_event_process(unit, head->id, now);
    rc = lp_store_commit(engine->store, unit, err);
    lp_unit_free(unit);
    if (rc != LP_OK)
        return rc;
    lp_events_poke(engine);
    if (!progress)
        lp_executor_hint(engine, head->id, head->priority);
    return LP_OK;
}

static enum lp_code
take_callback(struct lp_engine *engine, const struct lp_head *head, const char *token,
              const json_t *body, bool progress, struct lp_err *err)
{
    struct search search;
    char *text = NULL;
    enum lp_code rc = find_wait(engine, head, token, &search, err);

    if (rc == LP_OK)
        rc = demand_body(body, progress, err);
    /* An answered wait and a finished process need nothing more: the first result counts. */
    if (rc != LP_OK || lp_process_final(head->status) || search.n < search.current)
        return rc;
    text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (text == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the callback of process %s", head->id);
    else
        rc = store_callback(engine, head, &search, text, progress, err);
    free(text);
    return rc;
}

enum lp_code
lp_engine_callback(struct lp_engine *engine, const char *id, const char *token, const json_t *body,
                   bool progress, struct lp_err *err)
{
    struct lp_head head;
    enum lp_code rc = lp_head_load(engine, id, &head, err);

    if (rc == LP_OK)
        rc = take_callback(engine, &head, token, body, progress, err);
    lp_head_clear(&head);
    return rc;
}
