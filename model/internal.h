/**
 * What the files of model/ share among themselves. Nobody outside model/ includes this.
 */
#ifndef LP_MODEL_INTERNAL_H
#define LP_MODEL_INTERNAL_H

#include <assert.h>
#include <libyang/libyang.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/model.h"

#define LP_MEMBER_ID    "subscription_instance_id"
#define LP_MEMBER_LABEL "label"
#define LP_YANG_UUID                                                                               \
    "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}" /* typedef uuid */

/** The status whose required-in rules hold in this one: migrating and disabled as active,
 * terminated as initial. */
enum lp_lifecycle lp_lifecycle_demands(enum lp_lifecycle status);

/* ---- YANG source text: where is a statement (scan.c) ---- */

struct lp_yang_stmt {
    char *keyword, *arg; /* arg may be NULL */
    unsigned line;
    size_t parent; /* index; SIZE_MAX for the module statement */
};
struct lp_yang_text {
    struct lp_yang_stmt *rows;
    size_t count;
};
struct lp_yang_texts {
    struct lp_yang_text *texts;
    size_t count;
};
/** Reads the statements of a module file. Only as strict as finding lines needs: libyang has
 * accepted the text, or will complain. */
enum lp_code lp_yang_scan(const char *path, struct lp_yang_texts *into,
                          struct lp_err *err) LP_MUST_CHECK;
void lp_yang_texts_free(struct lp_yang_texts *texts);
/** Line of a data node given as "/module:a/b", or of its lpx:<extension> when that is not NULL; 0
 * when it is not found. */
unsigned lp_yang_line(const struct lp_yang_texts *texts, const char *path, const char *extension);

/* ---- the loaded catalog ---- */

struct lp_product_extra {
    const char *was; /* oldest name, or NULL */
};
struct lp_block_extra {
    const char *was;
    bool is_root; /* declared by a product container */
};

struct lp_catalog {
    struct ly_ctx *ctx;     /* not changed after load */
    struct lp_arena *arena; /* tables and texts */
    json_t *values;         /* array: keeps defaults alive */
    struct lp_product_type *products;
    struct lp_product_extra *product_extras;
    size_t product_count;
    struct lp_block_type *blocks;
    struct lp_block_extra *block_extras;
    size_t block_count;
    char hash[65];
};

/** While a catalog is being built. */
struct lp_catalog_build {
    struct lp_catalog *catalog;
    struct lp_yang_texts texts;
    size_t product_cap, block_cap;
};

/** Fails with module, line and node; the place is the lpx:<extension> of the node when `extension`
 * is not NULL. */
enum lp_code lp_catalog_fault(const struct lp_catalog_build *build, const struct lysc_node *node,
                              const char *extension, struct lp_err *err, const char *fmt, ...)
    LP_PRINTF(5, 6) LP_MUST_CHECK;
/** Argument of an lpx extension on the node ("" when it takes none), or NULL. */
const char *lp_ext(const struct lysc_node *node, const char *name);
/** Is it the typedef uuid of lightpath-catalog? */
bool lp_type_is_uuid(const struct lysc_type *type);
/** Rules over one node that need no tables: extensions in place, types, names (rules.c). */
enum lp_code lp_rules_node(const struct lp_catalog_build *build, const struct lysc_node *node,
                           struct lp_err *err) LP_MUST_CHECK;
/** Rules over the finished tables: references, repeated blocks (rules.c). */
enum lp_code lp_rules_tables(const struct lp_catalog_build *build,
                             struct lp_err *err) LP_MUST_CHECK;
/** Builds the field table below a container or list (fields.c). */
enum lp_code lp_fields_build(struct lp_catalog_build *build, const struct lysc_node *parent,
                             bool in_block, const struct lp_field **fields, size_t *count,
                             struct lp_err *err) LP_MUST_CHECK;
/** Adds a block type unless there is one of that name (catalog.c). */
enum lp_code lp_catalog_add_block(struct lp_catalog_build *build, const struct lysc_node *node,
                                  bool is_root, const struct lp_field *fields, size_t count,
                                  struct lp_err *err) LP_MUST_CHECK;

static inline bool
lp_node_is_presence(const struct lysc_node *node)
{
    return node != NULL && node->nodetype == LYS_CONTAINER && (node->flags & LYS_PRESENCE) != 0;
}

/** The two members every block has besides its fields. */
extern const struct lp_field lp_header_fields[2];

/* ---- checks (check.c) ---- */

/** Where a value stands; chained on the stack, turned into a JSON array only for a problem. */
struct lp_place {
    const struct lp_place *up;
    const char *name; /* NULL: index */
    size_t index;
};

struct lp_check {
    struct lp_problems *problems;
    const json_t *base; /* array in front of every place, or NULL */
    bool model; /* stored document: required-in holds, instance ids are demanded; else form input */
    enum lp_lifecycle demands;
    bool saw_null; /* out: the document holds nulls (stand for absent) */
};

/** Checks one present value; *clean (may be NULL: not wanted) becomes the accepted value. */
void lp_check_value(struct lp_check *check, const struct lp_field *field, const json_t *value,
                    const struct lp_place *at, json_t **clean);
/** Checks the members of an object (NULL: empty) against fields; `block` adds the header members.
 */
void lp_check_object(struct lp_check *check, const struct lp_field *fields, size_t count,
                     bool block, const json_t *object, const struct lp_place *at, json_t **clean);
void lp_check_problem(struct lp_check *check, const char *type, const struct lp_place *at,
                      const json_t *input, json_t *ctx, const char *fmt, ...) LP_PRINTF(6, 7);
/** Memory ran out while problems were collected: from now on the list counts as not empty. */
void lp_problems_lost(struct lp_problems *problems);

/* ---- helpers ---- */

/** Patterns of a leaf or leaf-list of texts (a libyang sized array); NULL when it has none. */
struct lysc_pattern **lp_node_patterns(const struct lysc_node *node);

/** A new reference to a value seen through a const pointer. */
json_t *lp_model_share(const json_t *value);
/** Deep copy without null members. */
json_t *lp_model_stripped(const json_t *value);
const struct lp_field *lp_field_find(const struct lp_field *fields, size_t count, const char *name);
bool lp_is_header(const char *name);

/* ---- JSON Schema (schema.c) ---- */

json_t *lp_schema_object(const char *title, const struct lp_field *fields, size_t count,
                         const enum lp_lifecycle *status);

#endif
