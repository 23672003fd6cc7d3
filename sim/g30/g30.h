/**
 * Groove G30: its datastore, what its cards may do, its operations. Element kind "G30" of
 * sim/rest/box.h. Threads: the owner of the network.
 */
#ifndef LP_SIM_G30_G30_H
#define LP_SIM_G30_G30_H

#include "sim/rest/box.h"

enum g30_tag {
    G30_OTHER,
    G30_SHELF,
    G30_SLOT,
    G30_CARD,
    G30_PORT,
    G30_OCH,
    G30_ETH,
    G30_CRS,
    G30_AMPLIFIER,
    G30_SUBPORT
};

#define G30_LINES 2 /* ports 1 and 2 of a transponder card */

extern const struct sim_schema g30_ne, g30_port, g30_och, g30_eth100g, g30_eth400g, g30_otu[],
    g30_odu, g30_shelf, g30_slot, g30_card, g30_subslot, g30_subcard, g30_subcard_port, g30_subport,
    g30_amplifier, g30_crs, g30_ots, g30_inventory, g30_condition, g30_swload, g30_pluggable;
#define G30_OTUS 11 /* otu4, otuc2 ... otuc11 */

/** A port of a transponder card, wherever it stands. */
struct g30_where {
    json_t *card, *port; /* borrowed */
    int64_t shelf, slot, id;
};
/** Calls `each` for every card port until it returns false. */
void g30_ports(const struct sim_box *box, bool (*each)(void *arg, const struct g30_where *at),
               void *arg);
/** "port-1/2/1" */
void g30_port_name(const struct g30_where *at, char buf[static 64]);
bool g30_is_line(const struct g30_where *at);
bool g30_card_is(const struct g30_where *at, const char *type);
/** Gb/s of a line mode, 0: none. */
int64_t g30_mode_rate(const char *mode);
bool g30_mode_coupled(const char *mode);
/** May this card's port have this mode? */
bool g30_mode_fits(const struct g30_where *at, const char *mode);

/** Operations (sim/g30/rpc.c). */
extern const struct sim_operation g30_operations[];
extern const size_t g30_operation_count;
void g30_restarted(struct sim_net *net, struct sim_box *box);
/** {"active", "inactive", ...} */
json_t *g30_software(const struct sim_box *box);
/** "/ne:ne/shelf[shelf-id='1']/slot[slot-id='2']/card/port[port-id='3']" */
void g30_port_path(const struct g30_where *at, char *buf, size_t size);

#endif
