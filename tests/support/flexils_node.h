/**
 * A FlexILS element in memory for driver tests: it takes commands of the driver's tables, keeps
 * objects, refuses what a real one refuses, answers with TL1 text that goes through the real
 * receiver, and misbehaves on request. No sockets: the exchange of an opened handle is replaced.
 */
#ifndef LP_TESTS_SUPPORT_FLEXILS_NODE_H
#define LP_TESTS_SUPPORT_FLEXILS_NODE_H

#include "clients/driver.h"
#include "wire/tl1.h"

struct fx_ne;

enum node_fault {
    NODE_SOUND,
    NODE_LOST_BEFORE, /* not executed, outcome unknown */
    NODE_LOST_AFTER,  /* executed, outcome unknown */
    NODE_UNREACHABLE, /* nothing was sent */
    NODE_NO_OP,       /* says COMPLD and does nothing */
    NODE_DENIES,      /* denial with `code` and `text` */
    NODE_PARTIAL,     /* PRTL, executed */
    NODE_GARBLED,     /* an answer that is damaged: reads LP_PROTOCOL, writes LP_UNKNOWN */
};

struct node {
    const char *tid, *serial;
    json_t *objects;  /* {"OTS": {aid: {attributes, "state"}}} */
    json_t *snapshot; /* answers of reads come from here while stale > 0 */
    unsigned stale;
    unsigned exchanges, writes; /* counted; writes: executed ones */
    /** What goes wrong at exchange number `fault_at` (1 = the first), `fault_times` times. */
    enum node_fault fault;
    unsigned fault_at, fault_times;
    const char *code, *text;
    unsigned settle;          /* reads until a created super-channel appears, a deleted one goes */
    const char *far_end_used; /* super-channels of other elements that are taken, or NULL */
    const struct lp_tl1_message *reply;
    struct lp_buf sent; /* every command, one a line, tag as '*' */
    int64_t time_left_ms;
    bool fenced;
    unsigned checks;
};

void node_init(struct node *node, const char *tid, const char *serial);
void node_free(struct node *node);
/** Adds an object: attributes as JSON text. */
void node_add(struct node *node, const char *type, const char *aid, const char *attributes,
              const char *state);
/** Hash of the configuration (states and counters that only the element makes left out). */
void node_hash(const struct node *node, char out[static 65]);
/** Replaces the way to the element behind an opened handle. */
void node_attach(struct node *node, struct lp_ne *ne);
/** A call without limits whose check and evidence go to the node. */
void node_call(struct node *node, struct lp_arena *arena, struct lp_call *out);

#endif
