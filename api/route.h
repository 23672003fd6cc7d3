/**
 * The one table of routes. Routing, 404 and 405, checks of path, query and body, permission,
 * success status and /api/openapi.json all come from its rows; a handler never sees a request that
 * its row does not allow.
 */
#ifndef LP_API_ROUTE_H
#define LP_API_ROUTE_H

#include "api/http.h"
#include "engine/workflow.h"

struct lp_request;

enum lp_method { LP_GET, LP_PUT, LP_POST, LP_PATCH, LP_DELETE, LP_METHOD_COUNT };
const char *lp_method_name(enum lp_method method);

enum lp_param_type {
    LP_PARAM_TEXT,
    LP_PARAM_INT,
    LP_PARAM_BOOL,
    LP_PARAM_UUID,
    LP_PARAM_ENUM,   /* one of `values`, separated by '|' */
    LP_PARAM_TIME,   /* body: a number of seconds, or ISO 8601 text */
    LP_PARAM_WHEN,   /* body only: as TIME, or text without an offset, which the handler reads */
    LP_PARAM_OBJECT, /* body only */
    LP_PARAM_ARRAY,  /* body only */
    LP_PARAM_TYPE_COUNT
};

/** A query parameter, a path parameter or a member of a body object. */
struct lp_param {
    const char *name;
    enum lp_param_type type;
    bool required;
    bool nullable;       /* body members */
    int64_t min, max;    /* integers; max = longest text in characters */
    const char *values;  /* LP_PARAM_ENUM */
    const char *pattern; /* path texts: a JSON Schema pattern that lp_path_text_ok() implements */
    const char *text;
};

enum lp_body {
    LP_BODY_NONE,   /* nothing, null or {} */
    LP_BODY_PAGES,  /* [object...] or null; nothing = null */
    LP_BODY_ANY,    /* any JSON; nothing = null */
    LP_BODY_JSON,   /* any JSON, required */
    LP_BODY_OBJECT, /* members as described by `members`; others are refused when there are any */
    LP_BODY_COUNT
};

/** Fills *out (a new reference; NULL = no body or the value null). Runs on a handler thread unless
 * `inline_` is set. */
typedef enum lp_code lp_handler(struct lp_request *req, json_t **out, struct lp_err *err);

struct lp_route {
    enum lp_method method;
    const char *path; /* "/api/processes/{process_id}/resume"; a final slash makes no difference */
    const char *op;   /* operation id */
    const char *tag;
    const char *text;
    enum lp_role role; /* LP_ROLE_NONE: nobody needs to be known */
    const struct lp_param *query;
    size_t query_count;
    enum lp_body body;
    const struct lp_param *members;
    size_t member_count;
    const char *body_text;
    int status;           /* of success */
    const char *response; /* "Process", "[Process]", a schema beginning with '{', or NULL: no body;
                             "null" */
    const char *type;     /* media type when it is not JSON */
    const char *errors;   /* "404 409": beyond those that follow from the row */
    int invalid_http;     /* status for LP_INVALID when the contract fixes another one; 0 = 422 */
    bool free_query; /* documented here, but other names pass (none today but the root pages) */
    bool inline_;    /* never blocks: answered on the loop thread */
    bool stream;     /* server-sent events */
    lp_handler *handler;
};

const struct lp_route *lp_routes(size_t *count);

enum { LP_MATCH_NONE, LP_MATCH_METHOD, LP_MATCH_OK };
#define LP_ROUTE_MAX_PARAMS 4
/**
 * Finds the row. LP_MATCH_METHOD: the path exists with other methods (*allowed = bits of
 * lp_method). Literal segments win over parameters. params[] receives the decoded path parameters
 * in order.
 */
int lp_api_route_find(const struct lp_http_target *target, int method, const struct lp_route **out,
                      unsigned *allowed, const char *params[static LP_ROUTE_MAX_PARAMS]);
/** What a path parameter must look like, by its name; never NULL. */
const struct lp_param *lp_path_param(const char *name, size_t len);
/** Names of the parameters in a template, in order. Calls fn for each. */
void lp_route_each_param(const struct lp_route *route,
                         void (*fn)(void *arg, const struct lp_param *param), void *arg);

/**
 * Checks path and query parameters and the body against the row. Problems (shape 3 of http-api.md
 * 0.4) are appended to `problems`, an array of {"type","loc","msg","input"}.
 */
void lp_route_check_params(const struct lp_route *route, const struct lp_http_target *target,
                           const char *const *path_params, json_t *problems);
void lp_route_check_body(const struct lp_route *route, const json_t *body, json_t *problems);

/** The OpenAPI 3.1 document. New reference, NULL without memory. */
json_t *lp_openapi(const char *version);

#endif
