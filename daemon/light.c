/* Routes and light for the API, which does not look into the rooms that know them. */
#include "daemon/daemon.h"

static enum lp_code
routes(void *arg, json_t *wish, json_t **out, struct lp_err *err)
{
    enum lp_code rc = lp_wish_names(arg, wish, err);

    return rc == LP_OK ? lp_routes_find(arg, wish, out, err) : rc;
}

static enum lp_code
show(void *arg, const char *fiber_or_device, json_t **out, struct lp_err *err)
{
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_fiber_named(arg, fiber_or_device, id, err);

    if (rc != LP_NOT_FOUND && rc != LP_OK)
        return rc;
    lp_err_clear(err);
    return lp_spectrum_show(arg, rc == LP_OK ? id : fiber_or_device, out, err);
}

static enum lp_code
differences(void *arg, const char *fiber, json_t **out, struct lp_err *err)
{
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = fiber == NULL ? LP_OK : lp_fiber_named(arg, fiber, id, err);

    return rc == LP_OK ? lp_spectrum_differences(arg, fiber == NULL ? NULL : id, out, err) : rc;
}

struct lp_api_light
lp_daemon_light(struct lp_route_source *source)
{
    return (struct lp_api_light){
        .routes = routes, .show = show, .differences = differences, .arg = source};
}
