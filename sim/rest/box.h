/**
 * Elements that speak HTTPS (G30, G42, TNMS) inside the same network as the FlexILS elements, and
 * the patches that join their line ports with add/drop ports: light that a line port sends comes
 * out where the way through the line system leads, and nowhere else.
 * No sockets here. Threads: the owner of the network.
 */
#ifndef LP_SIM_REST_BOX_H
#define LP_SIM_REST_BOX_H

#include "sim/flexils/net.h"
#include "sim/rest/tree.h"

/** What one line port sends. */
struct sim_carrier {
    int32_t center_mhz, cdbm;
    char mode[48];
};

/** What arrives at a line port. */
struct sim_arrival {
    int32_t cdbm; /* SIM_DARK_CDBM: nothing */
    bool known;   /* the far transponder is one of ours: its carrier follows */
    struct sim_carrier far;
};

struct sim_box;
struct sim_http_request;
struct sim_web_answer;

/** An operation; run: false is `why`, *out may stay NULL (204). */
struct sim_operation {
    const char *name; /* "module:name" */
    bool writes;
    bool (*run)(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
                struct sim_why *why);
    const char *members; /* that the input may have: |a|b| */
};

struct sim_box_kind {
    const char *name; /* "G30", as in a topology */
    const struct sim_model *model;
    const char *roots_module; /* of notifications */
    bool etag, events;        /* gives entity tags; has a notification stream */
    bool cookie, bearer;      /* besides Basic: a session cookie; instead of Basic: tokens */
    /** Fills box->tree; `doc` is the element in the topology. */
    enum lp_code (*load)(struct sim_net *net, struct sim_box *box, const json_t *doc,
                         struct lp_err *err);
    /** Is this one of its line ports? */
    bool (*line)(const struct sim_box *box, const char *port);
    /** What the line port sends; false: it is dark. */
    bool (*sends)(const struct sim_box *box, const char *port, struct sim_carrier *out);
    /** The frequency that the line port listens to; 0: none. */
    int32_t (*listens)(const struct sim_box *box, const char *port);
    /** Brings what follows from the configuration up to date: objects that come and go, readings,
     * alarms. */
    void (*settle)(struct sim_net *net, struct sim_box *box);
    const struct sim_operation *operations;
    const size_t *operation_count;
    /** Requests outside the datastore (login, host-meta); false: none of its paths. */
    bool (*other)(struct sim_net *net, struct sim_box *box, const struct sim_http_request *request,
                  struct sim_web_answer *answer);
    /** An announced restart takes place now; NULL: nothing changes by it. */
    void (*restarted)(struct sim_net *net, struct sim_box *box);
    /** box->serial is another one; NULL: it is shown nowhere. */
    void (*replaced)(struct sim_box *box);
};

struct sim_tls_identity;
struct sim_box {
    const struct sim_box_kind *kind;
    char *name, *address, *serial, *release, *site, *user,
        *password; /* NULL: the network's users */
    uint32_t index;
    json_t *doc;     /* borrowed: the element in the topology */
    json_t *tree;    /* the datastore */
    json_t *before;  /* as it was before the last write */
    json_t *extra;   /* what else the kind remembers: rollback points, images, jobs, tokens */
    json_t *planted; /* alarms that nothing in the model causes: [{...}] in the kind's own form */
    json_t *lines; /* {"port": {"offset_cdb", "cdbm"}}: readings that the control socket changed */
    uint64_t version;
    int64_t changed_us, down_until_us, latency_us, clock_shift_us;
    int64_t apply_ms, settle_us; /* objects follow a mode so much later; when (0: nothing waits) */
    int64_t outage_ms;           /* how long an activation or a restart lasts */
    int64_t restart_us;          /* utc: it goes down then (0: no) */
    uint64_t reads, requests, writes;
    bool etag;
    uint64_t event_id;
    struct sim_tls_identity *identity;
    int transcript; /* -1: not open */
};

struct sim_patch_end {
    struct sim_node *node; /* FlexILS: its tributary is `port` */
    struct sim_box *box;   /* else: its line port is `line` */
    struct sim_obj *port;
    char *line;
};

struct sim_patch {
    char *id;
    struct sim_patch_end end[2];
    int32_t loss_cdb, design_loss_cdb;
    bool cut;
};

extern const struct sim_box_kind sim_kind_g30, sim_kind_g42, sim_kind_tnms;
/** "FP4.8.0" out of "sftp://host/img/FP4.8.0.tar", with this in front of the numbers; false: no
 * version in the file's name. */
bool sim_version_of(const char *source, const char *prefix, char *out, size_t size);
/** The kind with this name; NULL. */
const struct sim_box_kind *sim_box_kind_find(const char *name);

/** Fills the boxes and patches of a network whose FlexILS part is loaded. */
enum lp_code sim_boxes_load(struct sim_net *net, const json_t *topology,
                            struct lp_err *err) LP_MUST_CHECK;
void sim_boxes_free(struct sim_net *net);
struct sim_box *sim_box_find(struct sim_net *net, const char *name);
struct sim_patch *sim_patch_find(struct sim_net *net, const char *id);
/** The patch at a line port of a box, or at a tributary of a FlexILS element; NULL. *end is the
 * near one. */
struct sim_patch *sim_patch_of_line(struct sim_net *net, const struct sim_box *box,
                                    const char *line, int *end);
struct sim_patch *sim_patch_of_port(const struct sim_net *net, const struct sim_node *node,
                                    const char *scg, int *end);
/** Every box follows its configuration and the light. */
void sim_boxes_settle(struct sim_net *net);
/** Puts the boxes back as the topology says. */
enum lp_code sim_boxes_reset(struct sim_net *net, struct lp_err *err) LP_MUST_CHECK;
/** Tells who listens that the configuration was changed there ("merge", "create", "delete"). */
void sim_box_told(struct sim_net *net, struct sim_box *box, const char *path,
                  const char *operation);
/** Something was written: readings, alarms and light follow. */
void sim_box_changed(struct sim_net *net, struct sim_box *box);
bool sim_box_password(const struct sim_net *net, const struct sim_box *box, const char *user,
                      const char *password);
/** Configuration as in sim_state_json. */
json_t *sim_box_state(const struct sim_box *box);

/* ---- light ---- */

/** What arrives at a line port of a box. */
void sim_line_arrival(struct sim_net *net, const struct sim_box *box, const char *line,
                      struct sim_arrival *out);
/** What a transponder sends into a tributary inside [low, high): false when no transponder of ours
 * is patched there (then the caller knows better). Dark is SIM_DARK_CDBM. */
bool sim_tributary_light(const struct sim_net *net, const struct sim_node *node, const char *scg,
                         int32_t low_mhz, int32_t high_mhz, struct sim_carrier *out);
/** "2026-11-20T16:30:00Z" of the element's clock. */
void sim_box_clock(const struct sim_net *net, const struct sim_box *box, char buf[static 32]);
/** A reading's noise in 0.01, between -most and most. */
int32_t sim_box_noise(const struct sim_net *net, struct sim_box *box, const char *name,
                      int32_t most);
/** The offset that the control socket gave a line's readings. */
int32_t sim_line_offset(const struct sim_box *box, const char *line);

#endif
