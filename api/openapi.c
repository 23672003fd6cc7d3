#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/embedded.h"
#include "api/route.h"
#include "base/json.h"

/* ---- schemas ---- */

static json_t *
ref(const char *name)
{
    char text[128];

    snprintf(text, sizeof text, "#/components/schemas/%s", name);
    return json_pack("{s:s}", "$ref", text);
}

/** "Process", "[Process]", "null" or a literal schema. */
static json_t *
schema_of(const char *text)
{
    char name[64];
    size_t len = strlen(text);

    if (text[0] == '{')
        return json_loads(text, 0, NULL);
    if (strcmp(text, "null") == 0)
        return json_pack("{s:s}", "type", "null");
    if (text[0] != '[')
        return ref(text);
    snprintf(name, sizeof name, "%.*s", (int)(len - 2), text + 1);
    return json_pack("{s:s, s:o}", "type", "array", "items", ref(name));
}

static json_t *
enum_schema(const char *values)
{
    json_t *list = json_array();

    for (const char *at = values; *at != '\0';) {
        const char *end = strchrnul(at, '|');

        json_array_append_new(list, json_stringn(at, (size_t)(end - at)));
        at = *end == '\0' ? end : end + 1;
    }
    return json_pack("{s:s, s:o}", "type", "string", "enum", list);
}

static json_t *
param_base(const struct lp_param *param)
{
    switch (param->type) {
    case LP_PARAM_INT:
        return json_pack("{s:s, s:I}", "type", "integer", "minimum", (json_int_t)param->min);
    case LP_PARAM_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case LP_PARAM_UUID:
        return json_pack("{s:s, s:s}", "type", "string", "format", "uuid");
    case LP_PARAM_ENUM:
        return enum_schema(param->values);
    case LP_PARAM_TIME:
    case LP_PARAM_WHEN:
        return json_pack("{s:[s, s], s:s}", "type", "number", "string", "format", "unix-timestamp");
    case LP_PARAM_OBJECT:
        return json_pack("{s:s}", "type", "object");
    case LP_PARAM_ARRAY:
        return json_pack("{s:s}", "type", "array");
    case LP_PARAM_TEXT:
    case LP_PARAM_TYPE_COUNT:
        break;
    }
    return json_pack("{s:s}", "type", "string");
}

static json_t *
param_schema(const struct lp_param *param)
{
    json_t *schema = param_base(param);

    if (param->type == LP_PARAM_INT && param->max != 0)
        json_object_set_new(schema, "maximum", json_integer(param->max));
    if (param->type == LP_PARAM_TEXT && param->max != 0)
        json_object_set_new(schema, "maxLength", json_integer(param->max));
    if (param->type == LP_PARAM_TEXT && param->min != 0)
        json_object_set_new(schema, "minLength", json_integer(param->min));
    if (param->pattern != NULL)
        json_object_set_new(schema, "pattern", json_string(param->pattern));
    if (param->nullable)
        schema = json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
    return schema;
}

/* ---- operations ---- */

static void
add_param(json_t *list, const struct lp_param *param, const char *in)
{
    bool path = strcmp(in, "path") == 0;

    json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", param->name, "in",
                                          in, "required", path || param->required, "description",
                                          param->text, "schema", param_schema(param)));
}

static void
add_path_param(void *arg, const struct lp_param *param)
{
    add_param(arg, param, "path");
}

static void
add_headers(json_t *list, const struct lp_route *route)
{
    if (strcmp(route->op, "create_workflow") == 0)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:b, s:s, s:{s:s, s:i}}", "name",
                                        "Idempotency-Key", "in", "header", "required", 0,
                                        "description", "the same key and body return the first id",
                                        "schema", "type", "string", "maxLength", 200));
    if (route->stream)
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:{s:s, s:s}}", "name",
                                              "Last-Event-ID", "in", "header", "required", 0,
                                              "description", "replay what came after this event",
                                              "schema", "type", "string", "pattern", "^[0-9]*$"));
}

static json_t *
object_schema(const struct lp_route *route)
{
    json_t *properties = json_object();
    json_t *required = json_array();

    for (size_t i = 0; i < route->member_count; i++) {
        const struct lp_param *member = &route->members[i];
        json_t *schema = param_schema(member);

        json_object_set_new(schema, "description", json_string(member->text));
        json_object_set_new(properties, member->name, schema);
        if (member->required)
            json_array_append_new(required, json_string(member->name));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", route->member_count == 0);
}

static json_t *
body_of(const struct lp_route *route)
{
    json_t *schema = NULL;

    switch (route->body) {
    case LP_BODY_NONE:
    case LP_BODY_COUNT:
        return NULL;
    case LP_BODY_PAGES:
        schema =
            json_pack("{s:[s, s], s:{s:s}}", "type", "array", "null", "items", "type", "object");
        break;
    case LP_BODY_ANY:
    case LP_BODY_JSON:
        schema = json_object();
        break;
    case LP_BODY_OBJECT:
        schema = object_schema(route);
        break;
    }
    return json_pack("{s:b, s:s, s:{s:{s:o}}}", "required",
                     route->body == LP_BODY_OBJECT || route->body == LP_BODY_JSON, "description",
                     route->body_text == NULL ? "" : route->body_text, "content",
                     "application/json", "schema", schema);
}

static json_t *
json_answer(const char *text, json_t *schema)
{
    return json_pack("{s:s, s:{s:{s:o}}}", "description", text, "content", "application/json",
                     "schema", schema);
}

static json_t *
error_schema(int status, bool form)
{
    if (status == 510)
        return ref("FormIncomplete");
    if (status == 400 && form)
        return json_pack("{s:[o, o]}", "anyOf", ref("FormInvalid"), ref("Problem"));
    if (status == 422)
        return json_pack("{s:[o, o]}", "anyOf", ref("RequestInvalid"), ref("Problem"));
    return ref("Problem");
}

static void
add_error(json_t *responses, int status, bool form)
{
    char key[12];

    snprintf(key, sizeof key, "%d", status);
    json_object_set_new(
        responses, key,
        json_answer(MHD_get_reason_phrase_for((unsigned)status), error_schema(status, form)));
}

static void
add_errors(json_t *responses, const struct lp_route *route)
{
    const char *at = route->errors == NULL ? "" : route->errors;
    bool form = strstr(at, "510") != NULL;
    bool write = route->method != LP_GET;

    add_error(responses, 400, form); /* malformed target, header or framing */
    add_error(responses, 403, false);
    if (write) {
        add_error(responses, 413, false);
        add_error(responses, 415, false);
    }
    add_error(responses, 422, false);
    if (!route->inline_)
        add_error(responses, 503, false);
    while (*at != '\0') {
        char *end = NULL;

        add_error(responses, (int)strtol(at, &end, 10), form);
        at = end + strspn(end, " ");
    }
}

static json_t *
responses_of(const struct lp_route *route)
{
    json_t *responses = json_object();
    char key[12];
    json_t *good;

    snprintf(key, sizeof key, "%d", route->status);
    if (route->response == NULL)
        good = json_pack("{s:s}", "description", "done");
    else
        good = json_pack("{s:s, s:{s:{s:o}}}", "description", route->text, "content",
                         route->type == NULL ? "application/json" : route->type, "schema",
                         schema_of(route->response));
    json_object_set_new(responses, key, good);
    if (route->method == LP_GET && route->status == 200 && route->role != LP_ROLE_NONE
        && !route->stream)
        json_object_set_new(responses, "304", json_pack("{s:s}", "description", "unchanged"));
    add_errors(responses, route);
    return responses;
}

static json_t *
operation(const struct lp_route *route)
{
    json_t *params = json_array();
    json_t *op;
    json_t *body = body_of(route);

    lp_route_each_param(route, add_path_param, params);
    for (size_t i = 0; i < route->query_count; i++)
        add_param(params, &route->query[i], "query");
    add_headers(params, route);
    op = json_pack("{s:s, s:[s], s:s, s:o, s:o}", "operationId", route->op, "tags", route->tag,
                   "summary", route->text, "parameters", params, "responses", responses_of(route));
    if (body != NULL)
        json_object_set_new(op, "requestBody", body);
    if (route->role != LP_ROLE_NONE) {
        json_object_set_new(op, "security", json_pack("[{s:[]}]", "bearer"));
        json_object_set_new(op, "x-role", json_string(lp_role_name(route->role)));
    }
    return op;
}

static json_t *
paths(void)
{
    json_t *all = json_object();
    size_t count;
    const struct lp_route *rows = lp_routes(&count);

    for (size_t i = 0; i < count; i++) {
        json_t *item = json_object_get(all, rows[i].path);
        const char *name = lp_method_name(rows[i].method);
        char method[8] = "";

        if (item == NULL) {
            item = json_object();
            json_object_set_new(all, rows[i].path, item);
        }
        for (size_t k = 0; name[k] != '\0' && k < sizeof method - 1; k++)
            method[k] = (char)(name[k] | 0x20);
        json_object_set_new(item, method, operation(&rows[i]));
    }
    return all;
}

json_t *
lp_openapi(const char *version)
{
    json_t *schemas =
        json_loadb(lp_embedded_schemas, lp_embedded_schemas_len, JSON_REJECT_DUPLICATES, NULL);

    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:o, s:{s:{s:s, s:s}}}}", "openapi", "3.1.0",
                     "info", "title", "Lightpath", "version", version, "description",
                     "Workflow and subscription orchestrator for optical networks. Answers of "
                     "writes and errors carry X-Request-ID; times are seconds since 1970.",
                     "paths", paths(), "components", "schemas", schemas, "securitySchemes",
                     "bearer", "type", "http", "scheme", "bearer");
}
