/**
 * Cutting a route up: sections per line-system domain, multiplex sections between ROADMs, and names
 * and explicit routes of engineered lightpaths. Works on plain lists of ports, so that it serves a
 * fresh route and a stored one alike. Pure; any thread.
 */
#ifndef LP_OPTICAL_SECTIONS_H
#define LP_OPTICAL_SECTIONS_H

#include "base/buf.h"
#include "optical/graph.h"

/** A port of a route with what is needed of its device; texts are borrowed. */
struct lp_route_port {
    const char *port; /* as the device spells it; an explicit route may hold its TE interface */
    const char *node; /* name of the device on the wire */
    const char *site; /* PoP code */
    const char *domain;
    enum lp_node_role role;
};

/** Part of a route inside one line-system domain: ports[first..last], of which the first and the
 * last are its add/drop ports and those between its path. */
struct lp_section {
    size_t first, last;
};
/**
 * Splits where the domain changes from one port to the next (platform and control domain; a
 * platform alone does not do: two operators' networks of one vendor are two). Transponders at the
 * ends belong to no section and must have been left out.
 * @param out  room for `most`
 * @return LP_INVALID when a section has one port only, or there are more than `most`
 */
enum lp_code lp_route_sections(const struct lp_route_port *ports, size_t count,
                               struct lp_section *out, size_t most, size_t *found,
                               struct lp_err *err) LP_MUST_CHECK;

/** A multiplex section: from the egress port of one ROADM to the ingress port of the next; indices
 * into the list. */
struct lp_oms {
    size_t egress, ingress;
};
/**
 * Splits the path of a section (its ports without the add/drop ports) into multiplex sections:
 * ports of amplifiers are skipped, ROADMs open and close.
 * @return LP_INVALID when it begins at an amplifier, ends inside a section, or meets a transponder
 */
enum lp_code lp_route_oms(const struct lp_route_port *path, size_t count, struct lp_oms *out,
                          size_t most, size_t *found, struct lp_err *err) LP_MUST_CHECK;

#define LP_OEL_NAME_SIZE 65 /* the device keeps 64 characters */
/** Sites of the nodes along the path, lower case, joined by '-' (amplifier sites too): "r1-a-r2".
 */
void lp_oel_plain_name(const struct lp_route_port *path, size_t count, struct lp_buf *out);
/** "r1&L1&r2&L1&-r2&L2&r3&L1": per multiplex section node and port of both ends. */
void lp_oel_explicit_route(const struct lp_route_port *path, const struct lp_oms *oms,
                           size_t oms_count, struct lp_buf *out);
/** The plain name, cut, with a hash of the explicit route: two routes over the same sites never
 * share a name (D29). At most 64 characters. LP_NOMEM only. */
enum lp_code lp_oel_name(const struct lp_route_port *path, size_t count, const struct lp_oms *oms,
                         size_t oms_count, char out[static LP_OEL_NAME_SIZE],
                         struct lp_err *err) LP_MUST_CHECK;

#endif
