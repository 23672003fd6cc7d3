/**
 * GX G42 with CHM6 cards: its datastore, what it insists on, its operations. Element kind "G42" of
 * sim/rest/box.h. Threads: the owner of the network.
 */
#ifndef LP_SIM_G42_G42_H
#define LP_SIM_G42_G42_H

#include "sim/rest/box.h"

enum g42_tag {
    G42_OTHER,
    G42_CARD,
    G42_PORT,
    G42_TOM,
    G42_GROUP,
    G42_CHANNEL,
    G42_CARRIER,
    G42_TRIB,
    G42_ETHERNET,
    G42_ODU,
    G42_XCON
};

#define G42_TRIBS 16

extern const struct sim_schema g42_ne, g42_alarms, g42_pm, g42_streams, g42_chassis, g42_card,
    g42_port, g42_tom, g42_group, g42_channel, g42_carrier, g42_trib, g42_ethernet, g42_odu,
    g42_xcon;

json_t *g42_ne_of(const struct sim_box *box);
json_t *g42_facilities(const struct sim_box *box);
/** The list of a facility or service, made when it is not there. */
json_t *g42_list(json_t *parent, const char *name);
json_t *g42_entry(const json_t *parent, const struct sim_schema *schema, const char *name);
/** Is this a mode of a CHM6 of this sub-type? */
bool g42_mode_known(const char *subtype, const char *mode);
/** Gb/s of one wave, 0: no mode. */
int64_t g42_mode_rate(const char *mode);
/** The super-channel that a carrier belongs to; NULL. */
json_t *g42_channel_of(const struct sim_box *box, const char *carrier);

/* ---- cross-connections (sim/g42/xcon.c) ---- */
/** Free tributary slots of a line ODU as text, "1..80,161..320"; "" when none is free. */
void g42_slots_free(const struct sim_box *box, const char *parent, int64_t total, char *buf,
                    size_t size);
bool g42_xcon_create(struct sim_box *box, const json_t *input, struct sim_why *why);
/** Is anything connected over this carrier, or to this client? */
bool g42_connected(const struct sim_box *box, const char *name);
/** Drops the ODU of a cross-connection that goes. */
void g42_xcon_gone(struct sim_box *box, const json_t *xcon);

/* ---- operations (sim/g42/rpc.c) ---- */
extern const struct sim_operation g42_operations[];
extern const size_t g42_operation_count;
void g42_restarted(struct sim_net *net, struct sim_box *box);
bool g42_other(struct sim_net *net, struct sim_box *box, const struct sim_http_request *request,
               struct sim_web_answer *answer);
json_t *g42_software(const struct sim_box *box);

#endif
