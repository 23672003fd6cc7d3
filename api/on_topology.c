/* The network and finding things in it. */
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "store/topology.h"

enum lp_code
lp_on_topology(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_topology(req->api->services.store, out, err);
}

enum lp_code
lp_on_search(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *text = lp_request_query(req, "query");

    return lp_search_exact(req->api->services.store, req->api->services.catalog, text,
                           lp_request_int(req, "limit", 50), out, err);
}
