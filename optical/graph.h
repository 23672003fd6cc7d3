/**
 * The network as routes see it: devices with their ports, and the fibers, patch cords and leased
 * spectrum between them with what is taken on each.
 *
 * Ids are texts of the caller (subscription ids of devices and fibers, instance ids of ports); the
 * graph copies them and gives out dense indices in the order of adding: add everything in a stable
 * order (by id), so that equal networks give equal routes. Devices first, then ports, then links,
 * then what is taken. After lp_graph_seal() the shape stays; what is taken may go on changing.
 *
 * A link has two directions; taken spectrum counts for both (a pair of fibers, one OMS).
 * Threads: any number may read a graph that nobody changes.
 */
#ifndef LP_OPTICAL_GRAPH_H
#define LP_OPTICAL_GRAPH_H

#include "optical/band.h"
#include "optical/osnr.h"

#define LP_GRAPH_NONE UINT32_MAX
#define LP_SEEN_NEVER INT64_C(1) /* older than any reading: refused wherever the age counts */

struct lp_graph;

enum lp_node_role {
    LP_NODE_ROADM,       /* ROADM, or transponder with add/drop multiplexer: light passes through */
    LP_NODE_AMPLIFIER,   /* light passes through; ends no multiplex section */
    LP_NODE_TRANSPONDER, /* transponder, transceiver: an end; passes only as a regenerator */
};
struct lp_node {
    const char *id;     /* unique */
    const char *name;   /* for people: "flex.mi01" */
    const char *site;   /* PoP code, lower case, for names of routes; may be "" */
    const char *domain; /* line-system domain, e.g. platform and operator; sections end where it
                           changes */
    enum lp_node_role role;
    bool regenerates; /* light may leave it at another frequency; only used when asked for */
};

enum lp_port_kind { LP_PORT_LINE, LP_PORT_ADD_DROP, LP_PORT_TRX };
struct lp_port {
    const char *id;   /* unique */
    const char *name; /* as the device spells it */
    uint32_t node;
    enum lp_port_kind kind;
    uint32_t degree; /* light never enters and leaves by the same degree; 0: a degree of its own */
    uint32_t group;  /* ports of different groups are not connected inside the device (cards of a
                        transponder with amplifier cards); 0: connected with all */
};

enum lp_link_kind { LP_LINK_SPAN, LP_LINK_PATCH, LP_LINK_LEASED };
struct lp_link {
    const char *id; /* unique: subscription id of the fiber or the lease */
    const char *name;
    enum lp_link_kind kind;
    uint32_t a_port, z_port; /* lp_port indices */
    uint32_t length_m;
    uint32_t loss_cdb;   /* the better known: measured, else computed; 0: guessed from the length */
    uint32_t latency_ns; /* 0: from the length, 4.8967 us/km */
    int32_t osnr_cdb;    /* of what comes out (leased spectrum: as delivered), whatever its loss; 0:
                            from the loss */
    struct lp_range limit;    /* usable part of the band (leased spectrum); {0,0}: all of it */
    const char *const *risks; /* names of shared risks */
    size_t risk_count;
    int64_t seen_us; /* when the occupancy was last read from the devices, UTC; 0: nobody tells it;
                        LP_SEEN_NEVER: its devices would tell, and were never asked */
    bool down;       /* cut or out of service */
};

/** NULL when memory ran out. band and rules are copied. */
struct lp_graph *lp_graph_new(const struct lp_band *band, const struct lp_osnr_rules *rules);
void lp_graph_free(struct lp_graph *graph);

/** LP_INVALID for an id twice, an index that is none, a second link at a port (a port ends at most
 * one), ports of one device; LP_NOMEM. index may be NULL. */
enum lp_code lp_graph_add_node(struct lp_graph *graph, const struct lp_node *node, uint32_t *index,
                               struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_graph_add_port(struct lp_graph *graph, const struct lp_port *port, uint32_t *index,
                               struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_graph_add_link(struct lp_graph *graph, const struct lp_link *link, uint32_t *index,
                               struct lp_err *err) LP_MUST_CHECK;
/**
 * A graph of its own with the same devices, ports and links, to go on building from: costs copying
 * a few arrays. `from` must not be sealed, must not change, and must outlive the copy, which shares
 * its texts. NULL when memory ran out.
 */
struct lp_graph *lp_graph_copy(const struct lp_graph *from);
/** When the occupancy of a link was last read; as lp_link.seen_us. */
void lp_graph_set_seen(struct lp_graph *graph, uint32_t link, int64_t seen_us);
/** An add/drop port reaches this line port (or port of that degree, or add/drop port). A port
 * without any such row reaches all ports of its device (colourless, directionless,
 * contentionless). */
enum lp_code lp_graph_add_reach(struct lp_graph *graph, uint32_t add_drop_port, uint32_t port,
                                struct lp_err *err) LP_MUST_CHECK;
/** Sorts what was added; needed before the first search and before anything is taken. */
enum lp_code lp_graph_seal(struct lp_graph *graph, struct lp_err *err) LP_MUST_CHECK;

/**
 * Takes spectrum on a link.
 * @param holder  who holds it (instance id of the spectrum), or NULL: light seen on the device that
 *                no claim explains. A search for that holder counts its own claims as free.
 * @param label   for messages: whose it is ("subscription ..."); may be NULL
 * Source of both layers: claims in the store, and occupancy read from devices minus what claims
 * explain.
 */
enum lp_code lp_graph_take(struct lp_graph *graph, uint32_t link, const struct lp_range *range,
                           const char *holder, const char *label, struct lp_err *err) LP_MUST_CHECK;
/** Gives everything back that the holder has taken; returns how many claims that were. */
size_t lp_graph_release(struct lp_graph *graph, const char *holder);
/** Cuts a link, or mends it. */
void lp_graph_set_down(struct lp_graph *graph, uint32_t link, bool down);

/* ---- reading ---- */

/** Index of an id, or LP_GRAPH_NONE. */
uint32_t lp_graph_node(const struct lp_graph *graph, const char *id);
uint32_t lp_graph_port(const struct lp_graph *graph, const char *id);
uint32_t lp_graph_link(const struct lp_graph *graph, const char *id);
/** The link that ends at a port, or LP_GRAPH_NONE; and the port at its other end. */
uint32_t lp_graph_link_at(const struct lp_graph *graph, uint32_t port);
uint32_t lp_graph_far_port(const struct lp_graph *graph, uint32_t port);
size_t lp_graph_node_count(const struct lp_graph *graph);
size_t lp_graph_port_count(const struct lp_graph *graph);
size_t lp_graph_link_count(const struct lp_graph *graph);
/** What was added; texts belong to the graph. risks of a link: see lp_graph_risks. */
const struct lp_node *lp_graph_node_at(const struct lp_graph *graph, uint32_t node);
const struct lp_port *lp_graph_port_at(const struct lp_graph *graph, uint32_t port);
const struct lp_link *lp_graph_link_data(const struct lp_graph *graph, uint32_t link);
const struct lp_band *lp_graph_band(const struct lp_graph *graph);
const struct lp_osnr_rules *lp_graph_rules(const struct lp_graph *graph);
/** The free bitmap of a link, lp_band_words() long; limit of the link applied. */
const uint64_t *lp_graph_bits(const struct lp_graph *graph, uint32_t link);

struct lp_taken {
    struct lp_range range;
    const char *holder, *label; /* NULL: light that no claim explains */
};
/** Who stands in the way on a link (the lowest one), leaving out `own` (or NULL). False: nobody. */
bool lp_graph_blocker(const struct lp_graph *graph, uint32_t link, const struct lp_range *range,
                      const char *own, struct lp_taken *out);
/** Bytes that it holds. */
size_t lp_graph_memory(const struct lp_graph *graph);

#endif
