#include "cli/api.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- paths ---- */

static void
add_escaped(struct cli_path *path, const char *value)
{
    char *escaped = lp_http_escape(value);

    if (escaped == NULL)
        cli_no_memory();
    lp_buf_str(&path->text, escaped);
    free(escaped);
}

void
cli_path_start(struct cli_path *path, const char *text)
{
    memset(path, 0, sizeof *path);
    lp_buf_str(&path->text, "/api");
    lp_buf_str(&path->text, text);
}

void
cli_path_part(struct cli_path *path, const char *value)
{
    lp_buf_char(&path->text, '/');
    add_escaped(path, value);
}

void
cli_path_text(struct cli_path *path, const char *text)
{
    lp_buf_str(&path->text, text);
}

void
cli_path_query(struct cli_path *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    lp_buf_char(&path->text, path->has_query ? '&' : '?');
    lp_buf_str(&path->text, name);
    lp_buf_char(&path->text, '=');
    add_escaped(path, value);
    path->has_query = true;
}

const char *
cli_path_get(const struct cli_path *path)
{
    if (path->text.failed)
        cli_no_memory();
    return path->text.data;
}

void
cli_path_free(struct cli_path *path)
{
    lp_buf_free(&path->text);
}

void
cli_path_why(struct cli_path *path, const struct cli *cli)
{
    cli_path_query(path, "ticket", cli_opt(cli, "ticket"));
    cli_path_query(path, "reason", cli_opt(cli, "reason"));
}

/* ---- answers ---- */

void
cli_answer_free(struct cli_answer *answer)
{
    json_decref(answer->body);
    free(answer->next);
    memset(answer, 0, sizeof *answer);
}

/* Link: </api/subscriptions?cursor=...>; rel="next" */
static char *
next_of(const char *link)
{
    const char *begin = link != NULL ? strchr(link, '<') : NULL;
    const char *end = begin != NULL ? strchr(begin, '>') : NULL;

    if (end == NULL || strstr(end, "next") == NULL || strncmp(begin + 1, "/api/", 5) != 0)
        return NULL;
    return cli_strfmt("%.*s", (int)(end - begin - 1), begin + 1);
}

static enum lp_code
read_answer(struct cli *cli, const struct lp_http_reply *reply, struct cli_answer *answer,
            struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    answer->status = reply->status;
    answer->next = next_of(reply->link);
    if (reply->len == 0)
        return LP_OK;
    rc = lp_json_load(reply->body, reply->len, &answer->body, err);
    if (rc != LP_OK)
        return lp_fail_at(err, LP_PROTOCOL, lp_http_where(cli->http),
                          "%.150s answered %d with something that is not JSON; is this a Lightpath "
                          "server?",
                          lp_http_where(cli->http), reply->status);
    return LP_OK;
}

enum lp_code
cli_exchange(struct cli *cli, const char *method, const char *path, const json_t *body,
             const char *key, struct cli_answer *answer, struct lp_err *err)
{
    char header[160];
    const char *headers[] = {key != NULL ? header : NULL, NULL};
    char *text = body != NULL ? lp_json_text(body) : NULL;
    bool writes = strcmp(method, "GET") != 0 && strcmp(method, "DELETE") != 0;
    struct lp_http_request request = {.method = method, .path = path, .headers = headers};
    struct lp_http_reply reply;
    enum lp_code rc;

    memset(answer, 0, sizeof *answer);
    if (key != NULL)
        snprintf(header, sizeof header, "Idempotency-Key: %s", key);
    if (body != NULL && text == NULL)
        cli_no_memory();
    request.body = text != NULL ? text : writes ? "null" : NULL; /* writes need a JSON type */
    request.body_len = request.body != NULL ? strlen(request.body) : 0;
    rc = lp_http_send(cli->http, &request, &reply, err);
    free(text);
    if (rc != LP_OK)
        return rc;
    rc = read_answer(cli, &reply, answer, err);
    lp_http_reply_free(&reply);
    if (rc != LP_OK)
        cli_answer_free(answer);
    return rc;
}

static enum lp_code
code_of_status(int status)
{
    static const struct {
        int status;
        enum lp_code code;
    } table[] = {
        {400, LP_INVALID},     {401, LP_AUTH},      {403, LP_DENIED},    {404, LP_NOT_FOUND},
        {405, LP_UNSUPPORTED}, {409, LP_CONFLICT},  {410, LP_NOT_FOUND}, {412, LP_PRECONDITION},
        {413, LP_TOO_LARGE},   {415, LP_INVALID},   {422, LP_INVALID},   {429, LP_RETRYABLE},
        {502, LP_PROTOCOL},    {503, LP_RETRYABLE}, {504, LP_UNKNOWN},   {510, LP_FORM_INCOMPLETE},
    };

    for (size_t i = 0; i < LP_COUNT(table); i++) {
        if (table[i].status == status)
            return table[i].code;
    }
    return status < 500 ? LP_INVALID : LP_INTERNAL;
}

static enum lp_code
code_of(const struct cli_answer *answer)
{
    const char *type = lp_json_str(answer->body, "type", "");
    enum lp_code code = lp_code_from_slug(type);

    if (strcmp(type, "FormValidationError") == 0)
        return LP_FORM_INVALID;
    if (code != LP_INTERNAL || strcmp(type, lp_code_info(LP_INTERNAL)->slug) == 0)
        return code;
    return code_of_status(answer->status);
}

static void
add_loc(struct lp_buf *text, const json_t *loc)
{
    size_t i;
    json_t *part;

    json_array_foreach(loc, i, part)
    {
        if (i > 0)
            lp_buf_char(text, '.');
        if (json_is_integer(part))
            lp_buf_printf(text, "%lld", (long long)json_integer_value(part));
        else
            lp_buf_str(text, json_is_string(part) ? json_string_value(part) : "?");
    }
}

/* What would be right instead: "; there are read, operate, admin". */
static void
add_words(struct lp_buf *text, const json_t *problem)
{
    const char *words = lp_json_str(json_object_get(problem, "ctx"), "expected", "");

    if (strcmp(lp_json_str(problem, "type", ""), "enum") != 0 || *words == '\0')
        return;
    lp_buf_str(text, "; there are ");
    for (const char *p = words; *p != '\0'; p++) {
        if (*p == '|')
            lp_buf_str(text, ", ");
        else
            lp_buf_char(text, *p);
    }
}

/* {"detail": [{"loc": [...], "msg": "..."}...]} as one sentence. */
static char *
detail_text(const json_t *detail)
{
    struct lp_buf text = LP_BUF_INIT;
    size_t i;
    json_t *problem;

    json_array_foreach(detail, i, problem)
    {
        lp_buf_str(&text, i > 0 ? "; " : "");
        add_loc(&text, json_object_get(problem, "loc"));
        lp_buf_printf(&text, ": %s", lp_json_str(problem, "msg", "not valid"));
        add_words(&text, problem);
    }
    if (text.failed)
        cli_no_memory();
    return text.data != NULL ? lp_buf_take(&text) : cli_strdup("the request was refused");
}

enum lp_code
cli_answer_fail(const struct cli_answer *answer, struct lp_err *err)
{
    const json_t *detail = json_object_get(answer->body, "detail");
    enum lp_code code = code_of(answer);
    char *text;

    if (json_is_array(detail))
        text = detail_text(detail);
    else if (json_is_string(detail))
        text = cli_strdup(json_string_value(detail));
    else
        text = cli_strfmt("the server answered %d", answer->status);
    code = lp_fail_at(err, code, lp_json_str(answer->body, "pointer", ""), "%s", text);
    free(text);
    err->detail = json_is_object(answer->body) ? json_incref(answer->body) : NULL;
    return code;
}

enum lp_code
cli_call(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **out,
         struct lp_err *err)
{
    struct cli_answer answer;
    enum lp_code rc = cli_exchange(cli, method, path, body, NULL, &answer, err);

    if (rc != LP_OK)
        return rc;
    if (answer.status >= 300)
        rc = cli_answer_fail(&answer, err);
    else if (out != NULL) {
        *out = answer.body;
        answer.body = NULL;
    }
    cli_answer_free(&answer);
    return rc;
}

/* ---- lists ---- */

static enum lp_code
list_page(struct cli *cli, const char *path, json_t *rows, char **next, struct lp_err *err)
{
    struct cli_answer answer;
    enum lp_code rc = cli_exchange(cli, "GET", path, NULL, NULL, &answer, err);

    *next = NULL;
    if (rc != LP_OK)
        return rc;
    if (answer.status >= 300)
        rc = cli_answer_fail(&answer, err);
    else if (!json_is_array(answer.body) || json_array_extend(rows, answer.body) != 0)
        rc = lp_fail(err, LP_PROTOCOL, "the server answered %.80s with something that is no list",
                     path);
    if (rc == LP_OK) {
        *next = answer.next;
        answer.next = NULL;
    }
    cli_answer_free(&answer);
    return rc;
}

enum lp_code
cli_list(struct cli *cli, const char *path, int64_t limit, json_t **out, bool *more,
         struct lp_err *err)
{
    json_auto_t *rows = json_array();
    char *next = cli_strdup(path);
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && next != NULL && (int64_t)json_array_size(rows) < limit) {
        char *page = next;
        size_t before = json_array_size(rows);

        rc = list_page(cli, page, rows, &next, err);
        free(page);
        if (json_array_size(rows) == before) /* an empty page with a cursor would never end */
            break;
    }
    *more = next != NULL || (int64_t)json_array_size(rows) > limit;
    free(next);
    if (rc != LP_OK)
        return rc;
    while ((int64_t)json_array_size(rows) > limit)
        json_array_remove(rows, json_array_size(rows) - 1);
    *out = lp_json_take(&rows);
    return LP_OK;
}

/* ---- ids ---- */

bool
cli_is_uuid(const char *text)
{
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return text[36] == '\0';
}

const char *
cli_short_id(const char *id)
{
    return cli_is_uuid(id) ? id + 24 : id;
}

static const struct {
    const char *noun, *path, *id, *filter_id, *name, *filter_name;
} kinds[] = {
    [CLI_SUBSCRIPTION] = {"subscription", "/subscriptions", "subscription_id", "subscription_id",
                          "description", "description"},
    [CLI_PROCESS] = {"process", "/processes/", "process_id", "process_id", "workflow_name", NULL},
    [CLI_TOKEN] = {"token", "/tokens", "id", NULL, "name", NULL},
};

static bool
id_like(const char *text)
{
    return strlen(text) >= 4 && strlen(text) <= 36
           && strspn(text, "0123456789abcdefABCDEF-") == strlen(text);
}

static bool
begins_or_ends(const char *id, const char *text)
{
    size_t len = strlen(text), whole = strlen(id);

    return len <= whole
           && (strncasecmp(id, text, len) == 0 || strcasecmp(id + whole - len, text) == 0);
}

static bool
named(const char *name, const char *text)
{
    size_t len = strlen(text);

    return strncasecmp(name, text, len) == 0 && (name[len] == '\0' || name[len] == ' ');
}

static bool
meant(enum cli_kind kind, const json_t *row, const char *text)
{
    const char *id = lp_json_str(row, kinds[kind].id, "");

    if (id_like(text) && begins_or_ends(id, text))
        return true;
    return kind != CLI_PROCESS && named(lp_json_str(row, kinds[kind].name, ""), text);
}

/* Characters that mean something in filter values become the wildcard for one character; the answer
 * is compared again here. */
static char *
filter_value(const char *before, const char *text, const char *after)
{
    char *value = cli_strfmt("%s%s%s", before, text, after);

    for (char *p = value + strlen(before); *p != '\0' && p < value + strlen(value) - strlen(after);
         p++) {
        if (strchr(",|-!<>=", *p) != NULL)
            *p = '_';
    }
    return value;
}

static enum lp_code
candidates(struct cli *cli, enum cli_kind kind, const char *field, char *value, const char *text,
           json_t *found, struct lp_err *err)
{
    struct cli_path path;
    json_t *rows = NULL;
    char *filter = field != NULL ? cli_strfmt("%s,%s", field, value) : NULL;
    bool more = false;
    enum lp_code rc;
    size_t i;
    json_t *row;

    cli_path_start(&path, kinds[kind].path);
    cli_path_query(&path, "filter", filter);
    rc = cli_list(cli, cli_path_get(&path), 1000, &rows, &more, err);
    cli_path_free(&path);
    free(filter);
    free(value);
    json_array_foreach(rows, i, row)
    {
        if (meant(kind, row, text))
            json_object_set(found, lp_json_str(row, kinds[kind].id, ""), row);
    }
    json_decref(rows);
    return rc;
}

static enum lp_code
ambiguous(enum cli_kind kind, const char *text, const json_t *found, struct lp_err *err)
{
    struct lp_buf names = LP_BUF_INIT;
    size_t n = 0;
    enum lp_code rc;
    const char *id;
    json_t *row;

    json_object_foreach((json_t *)(uintptr_t)found, id, row)
    {
        if (n++ < 4)
            lp_buf_printf(&names, "%s%s (%.60s)", n > 1 ? ", " : "", cli_short_id(id),
                          lp_json_str(row, kinds[kind].name, ""));
    }
    rc = lp_fail(err, LP_CONFLICT, "'%.60s' means %zu different rows: %s%s; give more of the id",
                 text, n, names.data != NULL ? names.data : "", n > 4 ? " ..." : "");
    lp_buf_free(&names);
    return rc;
}

enum lp_code
cli_resolve(struct cli *cli, enum cli_kind kind, const char *text, char id[static 37],
            struct lp_err *err)
{
    json_auto_t *found = NULL;
    enum lp_code rc = LP_OK;

    if (cli_is_uuid(text)) {
        for (size_t i = 0; i <= 36; i++)
            id[i] = (char)tolower((unsigned char)text[i]);
        return LP_OK;
    }
    found = json_object();
    if (kind == CLI_TOKEN)
        rc = candidates(cli, kind, NULL, NULL, text, found, err);
    if (rc == LP_OK && kind != CLI_TOKEN && id_like(text))
        rc = candidates(cli, kind, kinds[kind].filter_id, cli_strfmt("%s%%|%%%s", text, text), text,
                        found, err);
    if (rc == LP_OK && kinds[kind].filter_name != NULL)
        rc = candidates(cli, kind, kinds[kind].filter_name, filter_value("", text, "%"), text,
                        found, err);
    if (rc != LP_OK)
        return rc;
    if (json_object_size(found) > 1)
        return ambiguous(kind, text, found, err);
    if (json_object_size(found) == 0)
        return lp_fail(err, LP_NOT_FOUND, "no %s is called '%.100s'; see `lightpath %s list`",
                       kinds[kind].noun, text, kinds[kind].noun);
    snprintf(id, 37, "%s", json_object_iter_key(json_object_iter(found)));
    return LP_OK;
}
