/* The network and finding things in it. */
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "store/impact.h"
#include "store/services.h"
#include "store/subscriptions.h"
#include "store/topology.h"

enum lp_code
lp_on_topology(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_topology(req->api->services.store, out, err);
}

enum lp_code
lp_on_service_path(struct lp_request *req, json_t **out, struct lp_err *err)
{
    return lp_service_path(req->api->services.store, req->api->services.catalog, req->params[0],
                           out, err);
}

enum lp_code
lp_on_search(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *text = lp_request_query(req, "query");

    return lp_search_exact(req->api->services.store, req->api->services.catalog, text,
                           lp_request_int(req, "limit", 50), out, err);
}

/* ---- impact ---- */

static const struct subject {
    const char *parameter;
    const char *scopes[2]; /* unique values by which people know it */
} subjects[] = {
    {"fiber", {"fiber.name", NULL}},
    {"device", {"device.fqdn", "device.node_name"}},
    {"pop", {"pop.code", NULL}},
};

/* The subscription that is called so; an id is taken as it is. */
static enum lp_code
resolve(struct lp_request *req, const struct subject *subject, const char *text, char *id,
        struct lp_err *err)
{
    enum lp_code rc = LP_NOT_FOUND;

    if (lp_uuid_valid(text)) {
        memcpy(id, text, LP_UUID_LEN + 1);
        return LP_OK;
    }
    for (size_t i = 0; rc == LP_NOT_FOUND && i < LP_COUNT(subject->scopes); i++) {
        if (subject->scopes[i] == NULL)
            continue;
        lp_err_clear(err);
        rc = lp_subscription_by_key(req->api->services.store, NULL, subject->scopes[i], text, id,
                                    err);
    }
    if (rc == LP_NOT_FOUND)
        return lp_fail_at(err, LP_NOT_FOUND, subject->parameter, "there is no %s '%.100s'",
                          subject->parameter, text);
    return rc;
}

enum lp_code
lp_on_impact(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *card = lp_request_query(req, "card"), *text = NULL;
    const struct subject *subject = NULL;
    char id[LP_UUID_LEN + 1];
    size_t given = 0;
    enum lp_code rc;

    for (size_t i = 0; i < LP_COUNT(subjects); i++) {
        const char *value = lp_request_query(req, subjects[i].parameter);
        if (value == NULL)
            continue;
        given++;
        text = value;
        subject = &subjects[i];
    }
    if (given != 1)
        return lp_fail(err, LP_INVALID, "name one fiber, device or PoP");
    rc = resolve(req, subject, text, id, err);
    if (rc == LP_OK)
        rc = lp_impact(req->api->services.store, NULL, id, card, out, err);
    return rc;
}
