/**
 * Inside of the YANG check: the compiled set, and the way from a resource path to its schema node.
 */
#ifndef LP_CLIENTS_YANG_INTERNAL_H
#define LP_CLIENTS_YANG_INTERNAL_H

#include <libyang/libyang.h>

#include "base/arena.h"
#include "base/json.h"
#include "clients/yang_check.h"
#include "wire/restconf.h"

struct lp_yang {
    struct ly_ctx *ctx;
    const struct lp_yang_source *sources;
    size_t source_count;
    const char *set;
};

/** What a path names. */
struct yang_place {
    const struct lysc_node *node; /* of data, or an RPC; NULL: "/data" itself */
    const struct lysc_node *parent;
    const struct lp_restconf_segment *last;
    struct lp_restconf_target target; /* in the arena that was given */
    bool rpc;
};
/** LP_INVALID names the first part that the set does not know. */
enum lp_code yang_find(const struct lp_yang *yang, struct lp_arena *arena, const char *path,
                       struct yang_place *out, struct lp_err *err) LP_MUST_CHECK;
/** The child with a member's name, "name" or "module:name"; NULL: unknown. parent NULL: top level.
 * `options`: 0 or LYS_GETNEXT_OUTPUT. */
const struct lysc_node *yang_child(const struct lp_yang *yang, const struct lysc_node *parent,
                                   const char *member, uint32_t options);
/** The type that decides how a value looks in JSON: of a leafref its target's. */
LY_DATA_TYPE yang_base(const struct lysc_node *node);
bool yang_is_number(LY_DATA_TYPE base);   /* 8 to 32 bits: a JSON number */
bool yang_is_number64(LY_DATA_TYPE base); /* 64 bits, decimals: a JSON string */
/** Is this text a value of the leaf? canonical (may be NULL): of size bytes. *why (may be NULL):
 * 200 bytes for the reason. */
bool yang_value_ok(const struct lp_yang *yang, const struct lysc_node *node, const char *text,
                   char *canonical, size_t size, char why[static 200]);
/** The text of a scalar, as YANG writes it, in buf; NULL: not a scalar. */
const char *yang_scalar(const json_t *value, struct lp_buf *buf);

/** A path that grows and shrinks while a body is walked; name NULL: the index counts. */
void yang_push(struct lp_buf *path, const char *name, long index);
void yang_pop(struct lp_buf *path, size_t len);

#endif
