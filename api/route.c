#include "api/route.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/uuid.h"

#define PROBLEMS_MAX 100 /* nobody reads more, and each costs more than what it complains about */

static const char *const method_names[] = {
    [LP_GET] = "GET",     [LP_PUT] = "PUT",       [LP_POST] = "POST",
    [LP_PATCH] = "PATCH", [LP_DELETE] = "DELETE",
};
static_assert(LP_COUNT(method_names) == LP_METHOD_COUNT, "a name for every method");

const char *
lp_method_name(enum lp_method method)
{
    return method_names[method];
}

/* ---- matching ---- */

/** Next segment of a template: pointer and length; NULL at the end (a final '/' ends it too). */
static const char *
template_next(const char **at, size_t *len)
{
    const char *segment;

    if (**at == '/')
        (*at)++;
    if (**at == '\0')
        return NULL;
    segment = *at;
    *len = strcspn(segment, "/");
    *at += *len;
    return segment;
}

static bool
path_matches(const struct lp_route *route, const struct lp_http_target *target, unsigned *literals,
             const char *params[static LP_ROUTE_MAX_PARAMS])
{
    const char *at = route->path;
    const char *segment;
    size_t len;
    size_t n = 0;
    size_t param = 0;

    *literals = 0; /* a final slash makes no difference: a redirect would make browsers ask twice */
    while ((segment = template_next(&at, &len)) != NULL) {
        if (n == target->segment_count)
            return false;
        if (segment[0] == '{') {
            if (param < LP_ROUTE_MAX_PARAMS)
                params[param++] = target->segments[n];
        } else if (strlen(target->segments[n]) != len
                   || memcmp(target->segments[n], segment, len) != 0) {
            return false;
        } else {
            *literals += 1;
        }
        n++;
    }
    return n == target->segment_count;
}

int
lp_api_route_find(const struct lp_http_target *target, int method, const struct lp_route **out,
                  unsigned *allowed, const char *params[static LP_ROUTE_MAX_PARAMS])
{
    size_t count;
    const struct lp_route *rows = lp_routes(&count);
    unsigned best = 0;
    int found = LP_MATCH_NONE;

    *allowed = 0;
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *mine[LP_ROUTE_MAX_PARAMS] = {NULL};
        unsigned literals;

        if (!path_matches(&rows[i], target, &literals, mine))
            continue;
        *allowed |= LP_BIT(rows[i].method);
        if (found == LP_MATCH_NONE)
            found = LP_MATCH_METHOD;
        if ((int)rows[i].method != method || (*out != NULL && literals <= best))
            continue;
        *out = &rows[i];
        best = literals;
        found = LP_MATCH_OK;
        memcpy(params, mine, sizeof mine);
    }
    return found;
}

static const struct lp_param path_params[] = {
    {.name = "process_id", .type = LP_PARAM_UUID, .text = "id of a process"},
    {.name = "notification_id", .type = LP_PARAM_UUID, .text = "id of a notification"},
    {.name = "subscription_id", .type = LP_PARAM_UUID, .text = "id of a subscription"},
    {.name = "product_id", .type = LP_PARAM_UUID, .text = "id of a product"},
    {.name = "product_block_id", .type = LP_PARAM_UUID, .text = "id of a product block"},
    {.name = "resource_type_id", .type = LP_PARAM_UUID, .text = "id of a resource type"},
    {.name = "workflow_id", .type = LP_PARAM_UUID, .text = "id of a workflow"},
    {.name = "token_id", .type = LP_PARAM_UUID, .text = "id of an API token"},
    {.name = "schedule_id", .type = LP_PARAM_UUID, .text = "id of a schedule"},
    {.name = "window", .max = 100, .text = "id or name of a maintenance window"},
    {.name = "device", .max = 255, .text = "id, host name, node name or address of a device"},
    {.name = "place", .max = 300, .text = "id or name of a fiber, or of a device"},
    {.name = "kind", .max = 40, .text = "what was read of a device"},
    {.name = "workflow_key",
     .max = 100,
     .pattern = "^[A-Za-z0-9_-]+$",
     .text = "name of a workflow"},
    {.name = "form_key", .max = 100, .pattern = "^[A-Za-z0-9_-]+$", .text = "name of a form"},
    {.name = "executor_name", .max = 255, .text = "name of an executor (daemon.name)"},
    {.name = "user_name", .max = 200, .text = "name of a user, as the front end knows it"},
    {.name = "name", .max = 100, .pattern = "^[A-Za-z0-9_-]+$", .text = "name"},
    {.name = "token", .max = 128, .pattern = "^[A-Za-z0-9_-]+$", .text = "token of a callback"},
    {.name = "lang", .max = 16, .pattern = "^[a-z]+-[A-Z]+$", .text = "language, en-GB"},
};

const struct lp_param *
lp_path_param(const char *name, size_t len)
{
    static const struct lp_param other = {.name = "name", .max = 100, .text = ""};

    for (size_t i = 0; i < LP_COUNT(path_params); i++)
        if (strlen(path_params[i].name) == len && memcmp(path_params[i].name, name, len) == 0)
            return &path_params[i];
    return &other;
}

void
lp_route_each_param(const struct lp_route *route,
                    void (*fn)(void *arg, const struct lp_param *param), void *arg)
{
    const char *at = route->path;
    const char *segment;
    size_t len;

    while ((segment = template_next(&at, &len)) != NULL)
        if (segment[0] == '{')
            fn(arg, lp_path_param(segment + 1, len - 2));
}

/* ---- problems ---- */

static void
add(json_t *problems, const char *type, json_t *loc, const char *msg, const json_t *input,
    const char *expected)
{
    json_t *row;

    if (json_array_size(problems) >= PROBLEMS_MAX) {
        json_decref(loc);
        return;
    }
    row = json_pack("{s:s, s:o, s:s, s:O?}", "type", type, "loc", loc, "msg", msg, "input", input);
    if (row != NULL && expected != NULL)
        json_object_set_new(row, "ctx", json_pack("{s:s}", "expected", expected));
    json_array_append_new(problems, row);
}

static void
add_text(json_t *problems, const char *type, const char *place, const char *name, const char *msg,
         const char *input)
{
    json_t *value = json_string(input);

    add(problems, type, json_pack("[s, s]", place, name), msg, value, NULL);
    json_decref(value);
}

/* ---- texts from path and query ---- */

static bool
word_in(const char *word, const char *list)
{
    size_t len = strlen(word);

    for (const char *at = list; at != NULL && *at != '\0';) {
        const char *end = strchrnul(at, '|');

        if ((size_t)(end - at) == len && memcmp(at, word, len) == 0)
            return true;
        at = *end == '\0' ? end : end + 1;
    }
    return false;
}

static size_t
characters(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/** The patterns of path_params, by hand: words, or a language. */
static bool
pattern_ok(const char *pattern, const char *value)
{
    const char *at = value;

    if (pattern == NULL)
        return true;
    if (strcmp(pattern, "^[a-z]+-[A-Z]+$") == 0) {
        while (*at >= 'a' && *at <= 'z')
            at++;
        if (at == value || *at != '-')
            return false;
        value = ++at;
        while (*at >= 'A' && *at <= 'Z')
            at++;
        return at > value && *at == '\0';
    }
    for (; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
            return false;
    return at > value;
}

static void
check_int(const struct lp_param *param, const char *place, const char *value, json_t *problems)
{
    char *end = NULL;
    long long number = strtoll(value, &end, 10);
    const char *digits = value[0] == '-' ? value + 1 : value;

    if (*value == '\0' || *end != '\0' || strlen(value) > 18 || !isdigit((unsigned char)*digits))
        add_text(problems, "int_parsing", place, param->name, "Input should be a valid integer",
                 value);
    else if (number < param->min)
        add_text(problems, "greater_than_equal", place, param->name,
                 "the number is smaller than allowed", value);
    else if (param->max != 0 && number > param->max)
        add_text(problems, "less_than_equal", place, param->name,
                 "the number is larger than allowed", value);
}

static void
check_value(const struct lp_param *param, const char *place, const char *value, json_t *problems)
{
    switch (param->type) {
    case LP_PARAM_INT:
        check_int(param, place, value, problems);
        break;
    case LP_PARAM_BOOL:
        if (!word_in(value, "true|false|1|0"))
            add_text(problems, "bool_parsing", place, param->name, "Input should be true or false",
                     value);
        break;
    case LP_PARAM_UUID:
        if (!lp_uuid_valid(value))
            add_text(problems, "uuid_parsing", place, param->name,
                     "Input should be a valid UUID (36 lower-case characters)", value);
        break;
    case LP_PARAM_ENUM:
        if (!word_in(value, param->values)) {
            json_t *input = json_string(value);

            add(problems, "enum", json_pack("[s, s]", place, param->name),
                "Input is none of the allowed words", input, param->values);
            json_decref(input);
        }
        break;
    case LP_PARAM_TEXT:
    case LP_PARAM_TIME:
    case LP_PARAM_WHEN:
    case LP_PARAM_OBJECT:
    case LP_PARAM_ARRAY:
    case LP_PARAM_TYPE_COUNT:
        if (param->max != 0 && characters(value) > (size_t)param->max)
            add_text(problems, "string_too_long", place, param->name, "the text is too long",
                     value);
        else if (!pattern_ok(param->pattern, value))
            add_text(problems, "string_pattern_mismatch", place, param->name,
                     "the text has characters that are not allowed here", value);
        break;
    }
}

static const struct lp_param *
find_param(const struct lp_param *params, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(params[i].name, name) == 0)
            return &params[i];
    return NULL;
}

struct path_check {
    const char *const *values;
    json_t *problems;
};

static void
check_path_param(void *arg, const struct lp_param *param)
{
    struct path_check *check = arg;

    check_value(param, "path", *check->values, check->problems);
    check->values++;
}

void
lp_route_check_params(const struct lp_route *route, const struct lp_http_target *target,
                      const char *const *path, json_t *problems)
{
    struct path_check check = {.values = path, .problems = problems};

    lp_route_each_param(route, check_path_param, &check);
    for (size_t i = 0; i < target->query_count; i++) {
        const struct lp_http_pair *pair = &target->query[i];
        const struct lp_param *param = find_param(route->query, route->query_count, pair->name);

        if (param == NULL)
            add_text(problems, "extra_forbidden", "query", pair->name,
                     "there is no such query parameter here", pair->value);
        else
            check_value(param, "query", pair->value, problems);
    }
    for (size_t i = 0; i < route->query_count; i++)
        if (route->query[i].required && lp_http_query(target, route->query[i].name) == NULL)
            add_text(problems, "missing", "query", route->query[i].name, "Field required", NULL);
}

/* ---- bodies ---- */

static void
add_member(json_t *problems, const char *type, const char *name, const char *msg,
           const json_t *input, const char *expected)
{
    add(problems, type, json_pack("[s, s]", "body", name), msg, input, expected);
}

static bool
time_ok(const json_t *value)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t us = 0;
    bool ok =
        json_is_number(value)
        || (json_is_string(value) && lp_time_parse(json_string_value(value), &us, &err) == LP_OK);

    lp_err_clear(&err);
    return ok;
}

static void
check_text_member(const struct lp_param *param, const json_t *value, json_t *problems)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        add_member(problems, "string_type", param->name, "Input should be a valid string", value,
                   NULL);
    else if (param->type == LP_PARAM_UUID && !lp_uuid_valid(text))
        add_member(problems, "uuid_parsing", param->name, "Input should be a valid UUID", value,
                   NULL);
    else if (param->type == LP_PARAM_ENUM && !word_in(text, param->values))
        add_member(problems, "enum", param->name, "Input is none of the allowed words", value,
                   param->values);
    else if (param->max != 0 && characters(text) > (size_t)param->max)
        add_member(problems, "string_too_long", param->name, "the text is too long", value, NULL);
    else if (param->min != 0 && characters(text) < (size_t)param->min)
        add_member(problems, "string_too_short", param->name, "the text is too short", value, NULL);
}

static void
check_member(const struct lp_param *param, const json_t *value, json_t *problems)
{
    if (json_is_null(value) && param->nullable)
        return;
    switch (param->type) {
    case LP_PARAM_BOOL:
        if (!json_is_boolean(value))
            add_member(problems, "bool_type", param->name, "Input should be a valid boolean", value,
                       NULL);
        break;
    case LP_PARAM_INT:
        if (!json_is_integer(value))
            add_member(problems, "int_type", param->name, "Input should be a valid integer", value,
                       NULL);
        else if (json_integer_value(value) < param->min
                 || (param->max != 0 && json_integer_value(value) > param->max))
            add_member(problems, "out_of_range", param->name, "the number is out of range", value,
                       NULL);
        break;
    case LP_PARAM_TIME:
        if (!time_ok(value))
            add_member(problems, "datetime_parsing", param->name,
                       "Input should be a number of seconds or an ISO 8601 text", value, NULL);
        break;
    case LP_PARAM_OBJECT:
        if (!json_is_object(value))
            add_member(problems, "dict_type", param->name, "Input should be an object", value,
                       NULL);
        break;
    case LP_PARAM_WHEN:
        if (!json_is_number(value) && !json_is_string(value))
            add_member(problems, "datetime_type", param->name,
                       "Input should be a number of seconds or a text", value, NULL);
        break;
    case LP_PARAM_ARRAY:
        if (!json_is_array(value))
            add_member(problems, "list_type", param->name, "Input should be a list", value, NULL);
        break;
    case LP_PARAM_TEXT:
    case LP_PARAM_UUID:
    case LP_PARAM_ENUM:
    case LP_PARAM_TYPE_COUNT:
        check_text_member(param, value, problems);
        break;
    }
}

static void
check_object(const struct lp_route *route, const json_t *body, json_t *problems)
{
    const char *name;
    json_t *value;

    if (!json_is_object(body)) {
        add(problems, body == NULL ? "missing" : "dict_type", json_pack("[s]", "body"),
            body == NULL ? "Field required" : "Input should be an object", body, NULL);
        return;
    }
    if (route->member_count == 0)
        return;
    json_object_foreach((json_t *)(uintptr_t)body, name, value)
    {
        const struct lp_param *param = find_param(route->members, route->member_count, name);

        if (param == NULL)
            add_member(problems, "extra_forbidden", name, "Extra inputs are not permitted", value,
                       NULL);
        else
            check_member(param, value, problems);
    }
    for (size_t i = 0; i < route->member_count; i++)
        if (route->members[i].required && json_object_get(body, route->members[i].name) == NULL)
            add_member(problems, "missing", route->members[i].name, "Field required", NULL, NULL);
}

static void
check_pages(const json_t *body, json_t *problems)
{
    size_t i;
    json_t *page;

    if (body == NULL)
        return;
    if (!json_is_array(body)) {
        add(problems, "list_type", json_pack("[s]", "body"), "Input should be a valid list", body,
            NULL);
        return;
    }
    json_array_foreach(body, i, page) if (!json_is_object(page))
        add(problems, "dict_type", json_pack("[s, I]", "body", (json_int_t)i),
            "Input should be an object", page, NULL);
}

void
lp_route_check_body(const struct lp_route *route, const json_t *body, json_t *problems)
{
    switch (route->body) {
    case LP_BODY_NONE:
        if (body != NULL && !(json_is_object(body) && json_object_size(body) == 0))
            add(problems, "extra_forbidden", json_pack("[s]", "body"), "this call takes no body",
                body, NULL);
        break;
    case LP_BODY_PAGES:
        check_pages(body, problems);
        break;
    case LP_BODY_JSON:
        if (body == NULL)
            add(problems, "missing", json_pack("[s]", "body"), "Field required", NULL, NULL);
        break;
    case LP_BODY_OBJECT:
        check_object(route, body, problems);
        break;
    case LP_BODY_ANY:
    case LP_BODY_COUNT:
        break;
    }
}
