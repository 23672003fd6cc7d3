/**
 * Infinera (Coriant) Groove G30: what is special about it. Pure but for documents.c.
 *
 * References: port:<port> och:<port> eth100g:<port> eth400g:<port> (client framing),
 * amp:<shelf>/<slot>.<subslot>/<ba|pa>, card:<shelf>/<slot>, xc:<client port> (the cross-connect of
 * a client, whichever way round the element stores it), power:<line port>.
 */
#ifndef LP_CLIENTS_INFINERA_G30_G30_H
#define LP_CLIENTS_INFINERA_G30_G30_H

#include "clients/infinera/rest/rest.h"

extern const struct ir_platform g30_platform;
extern const struct ir_software g30_software;

/** A port by its name: "port-1/2/3", "port-1/3.2/1", "subport-1/3.2/1.4"; 0 = has none. */
struct g30_port {
    unsigned shelf, slot, subslot, port, subport;
};
bool g30_port_parse(const char *name, struct g30_port *out);
/** In the arena. */
const char *g30_port_name(struct lp_arena *arena, const struct g30_port *port);
/** "/data/ne:ne/shelf=1/slot=2/card/port=3", in the arena; NULL: no port. */
const char *g30_port_path(struct lp_arena *arena, const char *name);
/** "/data/ne:ne/shelf=1/slot=2/card" of a port. */
const char *g30_card_path(struct lp_arena *arena, const char *name);
/** The card of a port: "1/2". */
const char *g30_card_of(struct lp_arena *arena, const char *name);

/** One end of a cross-connect, taken out of an instance identifier. */
struct g30_tp {
    struct g30_port port;
    bool client;        /* an eth container, not och-os */
    char container[16]; /* "eth100g" */
};
bool g30_tp_parse(const char *text, struct g30_tp *out);
/** The termination point of a client ("eth100g" ...); in the arena. */
const char *g30_client_tp(struct lp_arena *arena, const struct g30_port *port,
                          const char *container, const char *odu_type);

/** A cross-connect with its ends the right way round. */
struct g30_crs {
    const char *src, *dst; /* as stored */
    const char *line_tp, *client_tp;
    struct g30_tp line, client;
    const char *label;
};
/** False: no cross-connect of a client with a line. Texts are borrowed from `entry`. */
bool g30_crs_of(const json_t *entry, struct g30_crs *out);

/** A free ODU of a line's och-os (read with depth 4): the lowest of the type that is neither in
 * `used` ({tp: ...}) nor taken; `preferred` where it is free (or NULL). In the arena; NULL: none.
 */
const char *g30_free_odu(struct lp_arena *arena, const struct g30_port *line, const json_t *och_os,
                         const char *odu_type, const json_t *used, const char *preferred);
/** "odu4" of "100GE", "oduflex" of "400GE"; NULL: no such rate. */
const char *g30_odu_type(const char *rate);
/** "eth100g" of "100GE"; NULL. */
const char *g30_container(const char *rate);
/** "100GBE" of "100GE"; NULL. */
const char *g30_client_mode(const char *rate);

extern const char g30_crs_path[];

/** Intents odu-xc; `moving` = {port: true}: ports whose mode changes (xc.c). */
enum lp_code g30_plan_xc(struct ir_planner *p, const json_t *moving) LP_MUST_CHECK;
enum lp_code g30_xc_read(const struct ir_source *source, struct lp_arena *arena, const char *client,
                         json_t **out, struct lp_err *err) LP_MUST_CHECK;
enum lp_code g30_xc_write(const struct ir_source *source, struct lp_arena *arena,
                          const json_t *operation, const json_t *actual, json_t *produced,
                          struct ir_request requests[static IR_REQUESTS], size_t *count,
                          struct lp_err *err) LP_MUST_CHECK;
/** All intents (plan.c). */
enum lp_code g30_plan(struct ir_planner *p) LP_MUST_CHECK;

/** {"changes"} of a difference as the element tells it: [{"path","operation","was","is"}...], paths
 * as below /data. New reference. */
json_t *g30_changes(struct lp_arena *arena, const json_t *differences);
/** Did the change at that path happen to the object of a reference, or below it? */
bool g30_change_is_of(struct lp_arena *arena, const char *path, const char *reference);
enum lp_code g30_rollback_point(struct lp_ne *ne, const struct lp_call *call,
                                const char *description, json_t **out, struct lp_err *err);
enum lp_code g30_rollback_diff(struct lp_ne *ne, const struct lp_call *call, const json_t *point,
                               json_t **out, struct lp_err *err);
enum lp_code g30_rollback(struct lp_ne *ne, const struct lp_call *call, const json_t *point,
                          const json_t *objects, struct lp_err *err);

/** The modes of a card type ("CHM2T"), *count of them; NULL: no such card. */
const struct ir_mode *g30_modes(const char *card, size_t *count);
/** Limits of a line's transmit power. */
#define G30_POWER_MIN_CDBM (-1000)
#define G30_POWER_MAX_CDBM 600

/** Width of the signal of a line by its FEC (och-os fec-type). */
unsigned g30_signal_mhz(const char *fec);

#endif
