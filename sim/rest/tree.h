/**
 * A RESTCONF datastore without YANG: a JSON tree, and tables that say which lists, containers and
 * leaves there are, what they may hold and who may write them. Resolves paths, renders answers,
 * checks and applies edits. No I/O. Threads: one owner.
 *
 * The tree holds leaves as they go over the wire: 64-bit numbers and decimals as strings, 32-bit
 * numbers as numbers. Roots are members "module:name". Source: RFC 8040, RFC 7951.
 */
#ifndef LP_SIM_REST_TREE_H
#define LP_SIM_REST_TREE_H

#include <stdint.h>

#include "base/err.h"

enum sim_leaf_type {
    SIM_L_TEXT, /* high: longest, 0: 255 */
    SIM_L_ENUM, /* values: a|b|c */
    SIM_L_INT,  /* a number on the wire */
    SIM_L_BIG,  /* 64 bits: a string on the wire */
    SIM_L_DEC,  /* a string on the wire; values: digits behind the point, low and high in hundredths
                 */
    SIM_L_BOOL,
    SIM_L_LIST /* leaf-list of texts */
};

struct sim_leaf {
    const char *name;
    enum sim_leaf_type type;
    bool state; /* read-only */
    const char *values;
    const char *fallback; /* as text; NULL: absent until it is set */
    int64_t low, high;    /* both 0: anything */
};

enum sim_schema_flag {
    SIM_S_LIST = 1 << 0,
    SIM_S_STATE = 1 << 1,  /* config false, with everything below */
    SIM_S_AUTO = 1 << 2,   /* a container that is there from the start */
    SIM_S_MAKE = 1 << 3,   /* PATCH of an entry that is not there makes it */
    SIM_S_POST = 1 << 4,   /* POST to the parent makes an entry */
    SIM_S_DELETE = 1 << 5, /* entries may be deleted */
};

#define SIM_MAX_KEYS 8
struct sim_schema {
    const char *name;
    const char *module; /* of roots and where it changes; NULL: the parent's */
    const char *keys[SIM_MAX_KEYS + 1];
    const struct sim_leaf *leaves;
    size_t leaf_count;
    const struct sim_schema *const *children; /* NULL at the end; NULL: none */
    unsigned flags;
    int tag; /* for the rules of the element's kind */
};

/** Why something is refused: HTTP status, error-tag, text, place. */
struct sim_why {
    int status;
    const char *tag; /* constant */
    char path[256], text[256];
};
/** Fills `why` (which may be NULL) and returns false. */
bool sim_refuse(struct sim_why *why, int status, const char *tag, const char *fmt, ...)
    LP_PRINTF(4, 5);
/** {"ietf-restconf:errors":{"error":[...]}} */
json_t *sim_why_json(const struct sim_why *why);

#define SIM_MAX_DEPTH 24
struct sim_at {
    const struct sim_schema *schema;
    json_t *object;
};

/** Where a path leads. chain[] are the instances on the way, the last one is the target's parent
 * (or, when the target exists and is no list, the target). */
struct sim_place {
    struct sim_at chain[SIM_MAX_DEPTH];
    size_t count;
    const struct sim_schema *schema; /* of the target; NULL: the datastore */
    const struct sim_leaf *leaf;     /* the target is this leaf of the last object */
    json_t *parent;                  /* the object that holds it */
    json_t *object;                  /* container or entry; NULL: a whole list, or not there */
    bool whole;                      /* the target is a whole list */
    const char *module;
    char member[128]; /* its name inside the parent */
    const char *keys[SIM_MAX_KEYS];
    char *text; /* owns the keys */
};

/** What a kind of element adds to the tables. `arg` is the element. */
struct sim_model {
    const struct sim_schema *const *roots; /* NULL at the end */
    /** May these leaves be set at the last object of the chain? It still has the old values. */
    bool (*rule)(void *arg, const struct sim_at *chain, size_t count, json_t *changes,
                 struct sim_why *why);
    /** May an entry like this come into the list (parent at the end of the chain)? */
    bool (*create)(void *arg, const struct sim_at *chain, size_t count,
                   const struct sim_schema *schema, json_t *object, struct sim_why *why);
    /** May the last of the chain go? */
    bool (*remove)(void *arg, const struct sim_at *chain, size_t count, struct sim_why *why);
};

enum sim_content { SIM_ALL, SIM_CONFIG, SIM_NONCONFIG };
struct sim_query {
    enum sim_content content;
    int depth; /* 0: unbounded */
    bool trim; /* leaves that have their default are left out */
    const char *fields;
};

/** Resolves what stands behind ".../data/" (percent-encoded, without query; "" is the datastore).
 * false: the schema or an instance on the way is missing. A missing target itself is no failure:
 * then object is NULL. Free with sim_place_free in any case. */
bool sim_resolve(const struct sim_model *model, json_t *tree, const char *path,
                 struct sim_place *out, struct sim_why *why);
void sim_place_free(struct sim_place *place);
/** The answer to a GET; NULL: refused. */
json_t *sim_render(const struct sim_place *place, const struct sim_model *model, json_t *tree,
                   const struct sim_query *query, struct sim_why *why);
/** The configuration of a whole tree: state leaves and nodes left out. */
json_t *sim_config_of(const struct sim_model *model, const json_t *tree);

/** An object of a schema: every leaf at its default, containers that are always there. */
json_t *sim_object_new(const struct sim_schema *schema);
const struct sim_schema *sim_schema_child(const struct sim_schema *schema, const char *name);
const struct sim_leaf *sim_schema_leaf(const struct sim_schema *schema, const char *name);
bool sim_is_key(const struct sim_schema *schema, const char *name);
/** Checks a value and brings it into wire form. NULL: refused. */
json_t *sim_leaf_value(const struct sim_leaf *leaf, const json_t *value, struct sim_why *why);
/** The entry of a list member of `parent` whose keys have these texts; NULL. */
json_t *sim_entry_find(const struct sim_schema *schema, const json_t *parent,
                       const char *const *keys);
/** Text of a leaf: strings as they are, numbers in digits (buf), else "". */
const char *sim_text(const json_t *object, const char *name, char buf[static 24]);
/** The number of a leaf, however it is stored. */
int64_t sim_number(const json_t *object, const char *name, int64_t unset);
/** "-9.25" to -925; false: no decimal number. */
bool sim_decimal(const char *text, int64_t *hundredths);
/** -925 to "-9.25" or, with one digit, "-9.3" (half away from zero). */
void sim_decimal_text(int64_t hundredths, int digits, char buf[static 24]);
/** Percent-decodes in place; false: a broken escape or a NUL. */
bool sim_percent_decode(char *text);

/* ---- edits: the tree is left half changed when refused; the caller has a copy ---- */
bool sim_patch(const struct sim_model *model, void *arg, struct sim_place *place,
               const json_t *body, struct sim_why *why);
/** POST to a parent: exactly one child. */
bool sim_post(const struct sim_model *model, void *arg, struct sim_place *place, const json_t *body,
              struct sim_why *why);
bool sim_delete(const struct sim_model *model, void *arg, struct sim_place *place,
                struct sim_why *why);
/** Member name without its module. */
const char *sim_plain_name(const char *name);

#endif
