/* Ports with their devices and sites. */
#include "products/ends.h"

#include <string.h>

#include "model/products_gen.h"

bool
lp_end_find(const json_t *closure, const char *port_id, struct lp_end *end)
{
    *end = (struct lp_end){.port_id = port_id};
    end->port = lp_closure_block(closure, end->port_id);
    end->device = lp_closure_owner(closure, end->port_id);
    end->root = json_object_get(lp_closure_subscription(closure, end->device), "root");
    end->pop = lp_closure_block(closure, lp_json_str(end->root, LP_F_OPTICAL_DEVICE_POP, NULL));
    return end->port != NULL && end->root != NULL;
}

const char *
lp_end_port(const struct lp_end *end)
{
    return lp_json_str(end->port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, "");
}

const char *
lp_end_node(const struct lp_end *end)
{
    return lp_json_str(end->root, LP_F_OPTICAL_DEVICE_NODE_NAME, "");
}

const char *
lp_end_value(const struct lp_end *end, const char *name)
{
    if (strcmp(name, "fqdn") == 0)
        return lp_json_str(end->root, LP_F_OPTICAL_DEVICE_FQDN, NULL);
    if (strcmp(name, "node") == 0)
        return lp_json_str(end->root, LP_F_OPTICAL_DEVICE_NODE_NAME, NULL);
    if (strcmp(name, "port") == 0)
        return lp_json_str(end->port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, NULL);
    return strcmp(name, "pop") == 0 ? lp_json_str(end->pop, LP_F_POP_CODE, NULL) : NULL;
}
