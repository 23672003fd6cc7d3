/* Routes, and the light on fibers. */
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"

/** "a,b" as a list. */
static int
put_list(json_t *wish, const char *member, const char *text)
{
    json_t *list = json_array();
    int bad = list == NULL;

    while (*text != '\0' && !bad) {
        size_t len = strcspn(text, ",");

        if (len > 0)
            bad |= json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    return bad | json_object_set_new(wish, member, list);
}

static int
put_numbers(struct lp_request *req, json_t *wish)
{
    static const char *const names[][2] = {{"low_mhz", "low_mhz"},
                                           {"high_mhz", "high_mhz"},
                                           {"width_mhz", "width_mhz"},
                                           {"required_osnr_cdb", "required_osnr_cdb"},
                                           {"limit", "most"}};
    int bad = 0;

    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (lp_request_query(req, names[i][0]) != NULL)
            bad |= lp_json_set_int(wish, names[i][1], lp_request_int(req, names[i][0], 0));
    return bad;
}

static int
put_texts(struct lp_request *req, json_t *wish)
{
    static const char *const texts[] = {"from", "to", "policy", "cost"};
    static const char *const lists[] = {"include", "exclude", "exclude_risks"};
    int bad = 0;

    for (size_t i = 0; i < LP_COUNT(texts); i++)
        if (lp_request_query(req, texts[i]) != NULL)
            bad |= lp_json_set_str(wish, texts[i], lp_request_query(req, texts[i]));
    for (size_t i = 0; i < LP_COUNT(lists); i++)
        if (lp_request_query(req, lists[i]) != NULL)
            bad |= put_list(wish, lists[i], lp_request_query(req, lists[i]));
    return bad;
}

static enum lp_code
not_here(struct lp_err *err)
{
    return lp_fail(err, LP_PRECONDITION, "this program knows no routes");
}

enum lp_code
lp_on_route_list(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const struct lp_api_light *light = &req->api->services.light;
    json_auto_t *wish = json_object();

    if (light->routes == NULL)
        return not_here(err);
    if (wish == NULL || put_numbers(req, wish) != 0 || put_texts(req, wish) != 0
        || lp_json_set_bool(wish, "unknown_light", lp_request_bool(req, "unknown_light", false))
               != 0
        || lp_json_set_bool(wish, "negative_margin", lp_request_bool(req, "negative_margin", false))
               != 0)
        return lp_fail(err, LP_NOMEM, "no memory for a route");
    return light->routes(light->arg, wish, out, err);
}

enum lp_code
lp_on_spectrum_get(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const struct lp_api_light *light = &req->api->services.light;

    return light->show == NULL ? not_here(err) : light->show(light->arg, req->params[0], out, err);
}

enum lp_code
lp_on_spectrum_differences(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const struct lp_api_light *light = &req->api->services.light;

    return light->differences == NULL
               ? not_here(err)
               : light->differences(light->arg, lp_request_query(req, "fiber"), out, err);
}
