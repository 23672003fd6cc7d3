/* Cutting a route up, and naming what comes of it. */
#include "optical/sections.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum lp_code
lp_route_sections(const struct lp_route_port *ports, size_t count, struct lp_section *out,
                  size_t most, size_t *found, struct lp_err *err)
{
    *found = 0;
    for (size_t first = 0, last; first < count; first = last + 1) {
        for (last = first;
             last + 1 < count && strcmp(ports[last + 1].domain, ports[first].domain) == 0;)
            last++;
        if (last == first)
            return lp_fail(err, LP_INVALID,
                           "the route enters %.64s by %.64s and leaves it by the same port",
                           ports[first].node, ports[first].port);
        if (*found == most)
            return lp_fail(err, LP_INVALID, "the route crosses more than %zu line systems", most);
        out[(*found)++] = (struct lp_section){first, last};
    }
    return LP_OK;
}

enum lp_code
lp_route_oms(const struct lp_route_port *path, size_t count, struct lp_oms *out, size_t most,
             size_t *found, struct lp_err *err)
{
    bool open = false;

    *found = 0;
    for (size_t i = 0; i < count; i++) {
        if (path[i].role == LP_NODE_TRANSPONDER)
            return lp_fail(err, LP_INVALID, "%.64s on the path is no line system", path[i].node);
        if (path[i].role == LP_NODE_AMPLIFIER) {
            if (!open)
                return lp_fail(err, LP_INVALID,
                               "a multiplex section cannot begin at the amplifier %.64s",
                               path[i].node);
            continue;
        }
        if (open) {
            out[(*found)++].ingress = i;
        } else {
            if (*found == most)
                return lp_fail(err, LP_INVALID, "the path has more than %zu multiplex sections",
                               most);
            out[*found].egress = i;
        }
        open = !open;
    }
    if (open)
        return lp_fail(err, LP_INVALID, "the path ends within the multiplex section from %.64s",
                       path[out[*found].egress].node);
    return LP_OK;
}

static void
put_lower(const char *text, struct lp_buf *out)
{
    for (; *text != '\0'; text++)
        lp_buf_char(out, (char)tolower((unsigned char)*text));
}

void
lp_oel_plain_name(const struct lp_route_port *path, size_t count, struct lp_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        /* ports come in pairs, egress and ingress: of each pair the first, and the very last */
        if (i % 2 != 0 && i + 1 != count)
            continue;
        if (i > 0)
            lp_buf_char(out, '-');
        put_lower(path[i].site, out);
    }
}

void
lp_oel_explicit_route(const struct lp_route_port *path, const struct lp_oms *oms, size_t oms_count,
                      struct lp_buf *out)
{
    for (size_t i = 0; i < oms_count; i++) {
        const struct lp_route_port *from = &path[oms[i].egress], *to = &path[oms[i].ingress];
        lp_buf_printf(out, "%s%s&%s&%s&%s", i > 0 ? "&-" : "", from->node, from->port, to->node,
                      to->port);
    }
}

enum lp_code
lp_oel_name(const struct lp_route_port *path, size_t count, const struct lp_oms *oms,
            size_t oms_count, char out[static LP_OEL_NAME_SIZE], struct lp_err *err)
{
    struct lp_buf name = LP_BUF_INIT, route = LP_BUF_INIT;
    enum lp_code rc = LP_OK;
    char hash[65];

    lp_oel_plain_name(path, count, &name);
    lp_oel_explicit_route(path, oms, oms_count, &route);
    if (name.failed || route.failed) {
        rc = lp_fail(err, LP_NOMEM, "no memory for the name of a route");
    } else {
        lp_sha256_hex(route.data != NULL ? route.data : "", route.len, hash);
        (void)snprintf(out, LP_OEL_NAME_SIZE, "%.51s-%.12s", name.data != NULL ? name.data : "",
                       hash);
    }
    lp_buf_free(&name);
    lp_buf_free(&route);
    return rc;
}
