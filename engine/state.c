/* State = fold of deltas {"set": {...}, "unset": [...]} over top-level keys. */
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"

void
lp_state_apply(json_t *state, const json_t *delta)
{
    const json_t *unset = json_object_get(delta, "unset");
    const json_t *set = json_object_get(delta, "set");
    size_t i;
    json_t *name;

    json_array_foreach(unset, i, name) json_object_del(state, json_string_value(name));
    if (json_is_object(set))
        json_object_update(state, (json_t *)(uintptr_t)set);
}

/** An escaped NUL would be stored but never read again; an even number of backslashes before it is
 * no escape. */
static bool
has_nul(const char *text)
{
    const char *at = text;

    while ((at = strstr(at, "\\u0000")) != NULL) {
        size_t slashes = 1;

        while (at - slashes >= text && at[-(ptrdiff_t)slashes] == '\\')
            slashes++;
        if (slashes % 2 == 1)
            return true;
        at += 6;
    }
    return false;
}

enum lp_code
lp_delta_text(const json_t *set, const json_t *unset, char **text, size_t *len, struct lp_err *err)
{
    json_auto_t *doc = json_object();
    enum lp_code rc;

    *text = NULL;
    if (json_object_size(set) > 0)
        json_object_set(doc, "set", (json_t *)(uintptr_t)set);
    if (json_array_size(unset) > 0)
        json_object_set(doc, "unset", (json_t *)(uintptr_t)unset);
    rc = lp_json_canonical(doc, text, len, err);
    if (rc == LP_OK && has_nul(*text)) {
        free(*text);
        *text = NULL;
        return lp_fail(err, LP_INVALID,
                       "a text in the result of the step contains a NUL character");
    }
    return rc;
}

json_t *
lp_json_merge(const json_t *base, const json_t *more)
{
    json_t *out;
    const char *key;
    json_t *value;

    if (!json_is_object(base) || !json_is_object(more))
        return json_incref((json_t *)(uintptr_t)more);
    out = json_copy((json_t *)(uintptr_t)base);
    json_object_foreach((json_t *)(uintptr_t)more, key, value)
        json_object_set_new(out, key, lp_json_merge(json_object_get(base, key), value));
    return out;
}

json_t *
lp_error_json(const struct lp_err *err)
{
    json_t *out = json_object();

    lp_json_set_str(out, "class", lp_code_info(err->code)->slug);
    if (lp_json_set_str(out, "error", err->msg) != 0)
        lp_json_set_str(out, "error", "the message was not readable text");
    if (err->pointer[0] != '\0')
        (void)!lp_json_set_str(out, "pointer", err->pointer);
    if (err->detail != NULL)
        json_object_set(out, "details", err->detail);
    return out;
}

/* ---- from the database ---- */

struct fold {
    struct lp_store *store;
    struct lp_reader *reader;
    const char *id;
};

static enum lp_code
ask(const struct fold *fold, enum lp_stmt stmt, const struct lp_arg *args, size_t count,
    struct lp_rows **rows, struct lp_err *err)
{
    return fold->reader != NULL ? lp_reader_query(fold->reader, stmt, args, count, rows, err)
                                : lp_query(fold->store, stmt, args, count, rows, err);
}

static enum lp_code
parse(const struct fold *fold, const char *text, json_t **out, struct lp_err *err)
{
    enum lp_code rc = lp_json_load(text, strlen(text), out, err);

    if (rc == LP_OK && json_is_object(*out))
        return LP_OK;
    json_decref(*out);
    *out = NULL;
    return lp_fail(err, LP_INTERNAL, "the stored state of process %s is not a JSON object",
                   fold->id);
}

/** The newest whole state at or before upto: a snapshot, or what it was started with. */
static enum lp_code
base_state(const struct fold *fold, int64_t upto, int64_t *seq, json_t **state, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    *seq = 0;
    rc = ask(fold, LP_SQL_RUN_STATE_SNAPSHOT,
             LP_ARGS(lp_text("id", fold->id), lp_int("upto", upto)), &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 1) {
        *seq = lp_rows_int(rows, 0, "seq");
        rc = parse(fold, lp_rows_text(rows, 0, "snapshot"), state, err);
        lp_rows_free(rows);
        return rc;
    }
    lp_rows_free(rows);
    rows = NULL;
    if (rc == LP_OK)
        rc = ask(fold, LP_SQL_RUN_STATE_INITIAL, LP_ARGS(lp_text("id", fold->id)), &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 1)
        rc = parse(fold, lp_rows_text(rows, 0, "doc"), state, err);
    else if (rc == LP_OK)
        *state = json_object();
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_state_load(struct lp_store *store, struct lp_reader *reader, const char *process_id,
              int64_t upto_seq, json_t **state, struct lp_err *err)
{
    const struct fold fold = {.store = store, .reader = reader, .id = process_id};
    int64_t upto = upto_seq < 0 ? INT64_MAX : upto_seq, seq = 0;
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    *state = NULL;
    rc = base_state(&fold, upto, &seq, state, err);
    if (rc == LP_OK)
        rc = ask(&fold, LP_SQL_RUN_STATE_DELTAS,
                 LP_ARGS(lp_text("id", process_id), lp_int("after", seq), lp_int("upto", upto)),
                 &rows, err);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        json_auto_t *delta = NULL;

        rc = parse(&fold, lp_rows_text(rows, i, "delta"), &delta, err);
        if (rc == LP_OK)
            lp_state_apply(*state, delta);
    }
    lp_rows_free(rows);
    if (rc != LP_OK) {
        json_decref(*state);
        *state = NULL;
    }
    return rc;
}

void
lp_callback_token(const struct lp_engine *engine, const char *process_id, const char *step_key,
                  int64_t n, char out[static 65])
{
    struct lp_buf text = LP_BUF_INIT;

    lp_buf_printf(&text, "callback\n%s\n%s\n%lld", process_id, step_key, (long long)n);
    lp_hmac_hex(engine->server_key, strlen(engine->server_key), text.data, text.len, out);
    lp_buf_free(&text);
}
