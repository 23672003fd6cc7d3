#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "api/lists.h"
#include "base/json.h"

static struct lp_engine *
engine_of(struct lp_request *req)
{
    return req->api->services.engine;
}

enum lp_code
lp_on_process_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_list_request list;
    struct lp_list_result meta = {.rows = NULL};
    enum lp_code rc;

    lp_list_request_fill(req, &list);
    rc = lp_engine_processes(engine_of(req), &list, out, &meta, err);
    if (rc == LP_OK)
        lp_list_headers(req, "processes", &meta);
    lp_list_result_free(&meta);
    return rc;
}

enum lp_code
lp_on_process_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_process(engine_of(req), &req->caller, req->params[0], out, err);
}

enum lp_code
lp_on_process_attempts(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_process_more(engine_of(req), req->params[0], out, err);
}

enum lp_code
lp_on_process_counts(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_status_counts(engine_of(req), out, err);
}

enum lp_code
lp_on_process_changed(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_changed(
        engine_of(req),
        &(struct lp_changed_request){.process_id = lp_request_query(req, "process_id"),
                                     .limit = lp_request_int(req, "limit", 100)},
        out, err);
}

enum lp_code
lp_on_todo(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_engine_todo(engine_of(req), out, err);
}

/** What a repeated call must equal: method, path and body, as one hash. */
static enum lp_code
request_hash(const struct lp_request *req, char hash[static 65], struct lp_err *err)
{
    struct lp_buf buf = LP_BUF_INIT;
    char *body = NULL;
    size_t len = 0;
    enum lp_code rc = LP_OK;

    if (req->json != NULL)
        rc = lp_json_canonical(req->json, &body, &len, err);
    if (rc != LP_OK) { /* a real number inside: the bytes as they came will do */
        lp_err_clear(err);
        body = req->body.data == NULL ? NULL : strdup(req->body.data);
    }
    lp_buf_printf(&buf, "%s %s%s\n%s", req->method_text, req->params[0],
                  lp_request_bool(req, "dry_run", false) ? "?dry_run" : "",
                  body == NULL ? "" : body);
    rc = buf.failed ? lp_fail(err, LP_NOMEM, "no memory for the request") : LP_OK;
    if (rc == LP_OK)
        lp_sha256_hex(buf.data, buf.len, hash);
    lp_buf_free(&buf);
    free(body);
    return rc;
}

enum lp_code
lp_on_process_start(struct lp_request *req, json_t **out, struct lp_err *err)
{
    char id[LP_UUID_LEN + 1] = "";
    char hash[65] = "";
    enum lp_code rc = request_hash(req, hash, err);
    const char *where;

    if (rc == LP_OK && req->idempotency_key != NULL && req->idempotency_key[0] == '\0')
        rc = lp_fail_at(err, LP_INVALID, "header/Idempotency-Key", "Idempotency-Key is empty");
    if (rc == LP_OK)
        rc = lp_engine_begin(
            engine_of(req), &req->caller,
            &(struct lp_start){.workflow = req->params[0],
                               .pages = req->json,
                               .idempotency_key = req->idempotency_key,
                               .request_hash = req->idempotency_key == NULL ? NULL : hash,
                               .window = lp_request_query(req, "window"),
                               .dry_run = lp_request_bool(req, "dry_run", false)},
            id, err);
    if (rc != LP_OK)
        return rc;
    where = lp_arena_printf(req->arena, "/api/processes/%s", id);
    lp_reply_header(req, "Location", where);
    *out = json_pack("{s:s}", "id", id);
    return LP_OK;
}

/** Anything but a list of objects means "retry without input" ({}, null, []), or is a mistake. */
static enum lp_code
resume_pages(const struct lp_request *req, json_t **pages, struct lp_err *err)
{
    size_t i;
    json_t *page;

    *pages = NULL;
    if (req->json == NULL || (json_is_array(req->json) && json_array_size(req->json) == 0)
        || (json_is_object(req->json) && json_object_size(req->json) == 0)) {
        *pages = json_pack("[{}]");
        return LP_OK;
    }
    if (!json_is_array(req->json))
        return lp_fail_at(err, LP_INVALID, "/body",
                          "the body is a list of form pages, or {} to retry without input");
    json_array_foreach(req->json, i, page)
    {
        char where[40];

        snprintf(where, sizeof where, "/body/%zu", i);
        if (!json_is_object(page))
            return lp_fail_at(err, LP_INVALID, where, "a form page is an object, not a %s",
                              lp_json_kind(page));
    }
    *pages = json_incref(req->json);
    return LP_OK;
}

enum lp_code
lp_on_process_resume(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_t *pages = NULL;
    enum lp_code rc = resume_pages(req, &pages, err);

    (void)out;
    if (rc == LP_OK)
        rc = lp_engine_resume(engine_of(req), &req->caller, req->params[0], pages, err);
    json_decref(pages);
    return rc;
}

enum lp_code
lp_on_process_resume_all(struct lp_request *req, json_t **out, struct lp_err *err)
{
    int64_t count = 0;
    enum lp_code rc = lp_engine_resume_all(engine_of(req), &req->caller, &count, err);

    if (rc == LP_OK)
        *out = json_pack("{s:I}", "count", (json_int_t)count);
    return rc;
}

enum lp_code
lp_on_process_abort(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_engine_abort(engine_of(req), &req->caller, req->params[0],
                           lp_request_bool(req, "rollback", false), err);
}

enum lp_code
lp_on_process_skip(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_engine_skip(engine_of(req), &req->caller, req->params[0], err);
}

enum lp_code
lp_on_process_mark_done(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_t *delta = json_object_get(req->json, "delta");
    json_t *none = json_object();
    enum lp_code rc = lp_engine_mark_done(engine_of(req), &req->caller, req->params[0],
                                          delta == NULL ? none : delta, err);

    (void)out;
    json_decref(none);
    return rc;
}

enum lp_code
lp_on_process_note(struct lp_request *req, json_t **out, struct lp_err *err)
{
    json_t *note = json_object_get(req->json, "note");
    enum lp_code rc = LP_OK;

    if (note != NULL) {
        const char *text = json_string_value(note);

        if (text != NULL && text[strspn(text, " \t\r\n")] == '\0')
            text = NULL;
        rc = lp_engine_note(engine_of(req), &req->caller, req->params[0], text, err);
    }
    if (rc == LP_OK)
        rc = lp_engine_process(engine_of(req), &req->caller, req->params[0], out, err);
    return rc;
}

enum lp_code
lp_on_process_delete(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_engine_delete(engine_of(req), &req->caller, req->params[0], err);
}

enum lp_code
lp_on_callback(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    return lp_engine_callback(engine_of(req), req->params[0], req->params[1], req->json, false,
                              err);
}

enum lp_code
lp_on_callback_progress(struct lp_request *req, json_t **out, struct lp_err *err)
{
    (void)out;
    if (!json_is_string(req->json) && !json_is_object(req->json))
        return lp_fail_at(err, LP_INVALID, "/body", "progress is a string or an object, not a %s",
                          lp_json_kind(req->json));
    return lp_engine_callback(engine_of(req), req->params[0], req->params[1], req->json, true, err);
}
