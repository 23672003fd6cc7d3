/**
 * The catalog: product types and product blocks, read from YANG 1.1 modules (products/yang) through
 * libyang, and the rules over their instances. No I/O but reading the module files at load.
 *
 * Documents. A subscription's *root* is one JSON object, the instance tree of its root block. A
 * block instance is an object with "subscription_instance_id" (UUID, allocated by the system),
 * optional "label", its leaves, plain lists/containers (structs), and owned child blocks nested
 * under their field name (object, or array for lists; order kept). A reference field holds the
 * instance id (or an array of ids) of blocks owned by other subscriptions. Absent = no member (null
 * is stripped by lp_model_normalise). Values keep their JSON types and list order (W41, W42, W53).
 * No reals. An empty list of blocks or references is the same as none. Header members:
 * "subscription_instance_id" and "label" are not in the field tables, but lp_block_field and
 * lp_model_assign know them. Places of problems (loc) begin at the root block's field: ["address",
 * "city"]; rules over a whole block: ["__root__"].
 *
 * Threads: a catalog is immutable after load and may be used by all threads at once.
 * Source: RFC 7950 (YANG 1.1), RFC 7951 (JSON encoding; our documents carry no module prefixes).
 */
#ifndef LP_MODEL_MODEL_H
#define LP_MODEL_MODEL_H

#include "base/json.h"
#include "base/uuid.h"

/* ---- vocabularies of the wire ---- */

enum lp_lifecycle {
    LP_LC_INITIAL,
    LP_LC_PROVISIONING,
    LP_LC_ACTIVE,
    LP_LC_MIGRATING,
    LP_LC_DISABLED,
    LP_LC_TERMINATED,
    LP_LC_COUNT
};
const char *lp_lifecycle_name(enum lp_lifecycle status);
bool lp_lifecycle_from_name(const char *name, enum lp_lifecycle *out);
/** May a subscription go to `to` while a direct user of its root block has status `user`?
 * (engine-semantics 1.5) */
bool lp_lifecycle_user_permits(enum lp_lifecycle to, enum lp_lifecycle user);

/* ---- fields ---- */

enum lp_field_kind {
    LP_FIELD_STRING,
    LP_FIELD_INT,
    LP_FIELD_BOOL,
    LP_FIELD_ENUM,
    LP_FIELD_UUID,
    LP_FIELD_REF,    /* instance id of a block owned by another subscription */
    LP_FIELD_STRUCT, /* container or list of plain values */
    LP_FIELD_BLOCK,  /* owned product block(s) */
    LP_FIELD_KIND_COUNT
};

struct lp_enum_value {
    const char *value;
    const char *label; /* description, or NULL */
};

/** One field of a block, a struct or a form page. Everything borrowed from its owner (catalog, or
 * the page's arena). */
struct lp_field {
    const char *name;
    const char *title;       /* NULL: derived from name ("port_name" -> "Port Name") */
    const char *description; /* help text or NULL */
    enum lp_field_kind kind;
    bool list;          /* leaf-list, list of structs or blocks */
    bool required;      /* mandatory at once (forms; YANG mandatory) */
    int required_in;    /* enum lp_lifecycle from which on it is mandatory; -1 never */
    bool allocated;     /* set by the system, never by a form */
    bool indexed;       /* lpx:indexed */
    const char *unique; /* lpx:unique scope or NULL; on a list of structs it covers every element as
                           a whole */
    bool optional;      /* LP_FIELD_STRUCT, LP_FIELD_BLOCK without list: may be absent as a whole
                           (presence container) */
    const char *block;  /* LP_FIELD_BLOCK, LP_FIELD_REF: name of the block type */
    const char *renamed_from;
    const char
        *hint; /* what a value of the wrong range, length or pattern is told; NULL: generic text */
    const char *units;
    const char *pattern; /* catalog: the first XSD pattern (validation uses all); set by hand: POSIX
                            extended, whole value */
    bool has_min, has_max;
    int64_t min, max;            /* integer range, or string length in characters */
    size_t min_items, max_items; /* lists; max 0 = unbounded */
    bool unique_items;
    const struct lp_enum_value *values;
    size_t value_count;
    const json_t *def;  /* default or NULL */
    const char *format; /* JSON Schema format of http-api.md 5.3 ("long", "productId", "label" ...)
                           or NULL */
    bool frozen; /* pages: with a format (label, summary ...) display only, whatever comes in is
                    replaced by def; without one a read-only value: may be left out, another value
                    than def is a problem */
    const json_t *extra;           /* extraProperties/uniforms, or NULL */
    const struct lp_field *fields; /* LP_FIELD_STRUCT, LP_FIELD_BLOCK */
    size_t field_count;
    const void *schema; /* lysc_node of catalog fields, else NULL */
};

struct lp_block_type {
    const char *name; /* "PoP" */
    const char *tag;
    const char *description;
    struct lp_uuid id; /* catalog id (kind product_block) */
    const struct lp_field *fields;
    size_t field_count;
    const void *schema;
};

struct lp_fixed_input {
    const char *name;
    const char *value;
};

/** One product row: a product type with its fixed inputs. */
struct lp_product_type {
    const char *name; /* product name, "PoP" or "Optical Digital Service 100G" */
    const char *type; /* product type, lpx:product */
    const char *tag;
    const char *description;
    const char *member; /* container name, the root member of the subscription document: "pop" */
    struct lp_uuid id;  /* catalog id (kind product) */
    const struct lp_block_type *root;
    const struct lp_fixed_input *fixed;
    size_t fixed_count;
};

struct lp_catalog;

/**
 * Loads every lightpath-*.yang of a folder (and lightpath-catalog.yang, the extensions).
 * Definition-time rules are checked: unknown extensions or statuses, blocks without instance ids,
 * references to unknown blocks, 64-bit/decimal64 leaves, duplicate names, a child block that is
 * laxer than its parent demands. LP_INVALID names module, line and node.
 */
enum lp_code lp_catalog_load(const char *const *dirs, size_t dir_count, struct lp_catalog **out,
                             struct lp_err *err) LP_MUST_CHECK;
void lp_catalog_free(struct lp_catalog *catalog);
/** SHA-256 over the canonical description of the whole catalog, 64 hex characters. */
const char *lp_catalog_hash(const struct lp_catalog *catalog);
const struct lp_product_type *lp_catalog_products(const struct lp_catalog *catalog, size_t *count);
const struct lp_block_type *lp_catalog_blocks(const struct lp_catalog *catalog, size_t *count);
const struct lp_product_type *lp_catalog_product(const struct lp_catalog *catalog,
                                                 const char *name); /* or NULL */
const struct lp_product_type *lp_catalog_product_by_id(const struct lp_catalog *catalog,
                                                       const char *id); /* or NULL */
const struct lp_block_type *lp_catalog_block(const struct lp_catalog *catalog,
                                             const char *name); /* or NULL */
const struct lp_field *lp_block_field(const struct lp_block_type *block,
                                      const char *name); /* or NULL */

/* ---- problems: every bad field, not only the first ---- */

/** A list of {type, loc, msg, input, ctx?} objects as http-api.md 5.1 wants them. */
struct lp_problems {
    json_t *list; /* owned array */
};
void lp_problems_init(struct lp_problems *problems);
void lp_problems_free(struct lp_problems *problems);
size_t lp_problems_count(const struct lp_problems *problems);
/** Adds one; `loc` is a JSON array path (borrowed), input may be NULL; ctx is taken and may be
 * NULL. */
void lp_problem_add(struct lp_problems *problems, const char *type, const json_t *loc,
                    const json_t *input, json_t *ctx, const char *fmt, ...) LP_PRINTF(6, 7);
/** As lp_problem_add with a one-element path. */
void lp_problem_field(struct lp_problems *problems, const char *type, const char *field,
                      const json_t *input, const char *fmt, ...) LP_PRINTF(5, 6);
/** LP_OK when empty; else LP_INVALID with the first in msg and {"validation_errors": [...]} in
 * detail. */
enum lp_code lp_problems_fail(const struct lp_problems *problems, const char *what,
                              struct lp_err *err) LP_MUST_CHECK;

/** Checks one value against one field and puts the accepted value (defaults filled, nulls stripped)
 * into *clean (new reference, NULL when absent). Types are strict. Problems are appended under
 * `loc`. */
void lp_field_check(const struct lp_field *field, const json_t *value, const json_t *loc,
                    struct lp_problems *problems, json_t **clean);

/* ---- instances ---- */

/** A new root for a product: the given input (borrowed, may be NULL) over defaults; instance ids
 * and required child blocks made (v7 ids). */
enum lp_code lp_model_new(const struct lp_catalog *catalog, const struct lp_product_type *product,
                          const json_t *input, const struct lp_clock *clock, json_t **root,
                          struct lp_err *err) LP_MUST_CHECK;
/** Checks a whole root for a lifecycle status: every leaf (all problems), required-in, then `must`,
 * mandatory, min-elements as a whole. */
enum lp_code lp_model_check(const struct lp_catalog *catalog, const struct lp_product_type *product,
                            const json_t *root, enum lp_lifecycle status,
                            struct lp_problems *problems, struct lp_err *err) LP_MUST_CHECK;
/** As lp_model_check, failing with lp_problems_fail when there is any problem. */
enum lp_code lp_model_validate(const struct lp_catalog *catalog,
                               const struct lp_product_type *product, const json_t *root,
                               enum lp_lifecycle status, struct lp_err *err) LP_MUST_CHECK;
/** Sets a value by path (["address", "city"]; the member, "pop", may stand in front) in place with
 * immediate validation of that field; a list entry is named by its index, the index behind the last
 * one appends; null removes. Missing plain containers on the way and the instance ids of new blocks
 * are made. On an error nothing was changed. */
enum lp_code lp_model_assign(const struct lp_catalog *catalog,
                             const struct lp_product_type *product, json_t *root,
                             const json_t *path, const json_t *value,
                             struct lp_err *err) LP_MUST_CHECK;
/** A deep copy with nulls stripped, renamed-from members moved, new child blocks given instance
 * ids, empty block and reference lists left out. Members the catalog does not know are kept: the
 * check names them. */
enum lp_code lp_model_normalise(const struct lp_catalog *catalog,
                                const struct lp_product_type *product, const json_t *root,
                                const struct lp_clock *clock, json_t **out,
                                struct lp_err *err) LP_MUST_CHECK;

/** One block instance as stored: a row of `blocks`. JSON values are owned by the flat list. */
struct lp_instance {
    const struct lp_block_type *type;
    char id[LP_UUID_LEN + 1];
    char parent[LP_UUID_LEN + 1]; /* "" for the root */
    const char *field;            /* member name in the parent; "" for the root */
    int64_t position;             /* index in that member */
    const char *label;            /* or NULL */
    char
        *doc; /* canonical JSON of leaves and structs, without children, references, id and label */
    json_t *refs;    /* [[field, position, instance id]...] */
    json_t *unique;  /* [[scope, value]...] from lpx:unique */
    json_t *indexed; /* [[name, value]...] from lpx:indexed */
};
struct lp_instances {
    struct lp_instance *rows; /* parents before children, document order */
    size_t count;
    json_t *root; /* keeps the borrowed texts alive */
};
/** Cuts a root into rows. */
enum lp_code lp_model_split(const struct lp_catalog *catalog, const struct lp_product_type *product,
                            const json_t *root, struct lp_instances *out,
                            struct lp_err *err) LP_MUST_CHECK;
void lp_instances_free(struct lp_instances *instances);
/** Puts rows (type, id, parent, field, position, label, doc, refs filled) together again; any order
 * of rows. */
enum lp_code lp_model_join(const struct lp_catalog *catalog, const struct lp_product_type *product,
                           const struct lp_instance *rows, size_t count, json_t **root,
                           struct lp_err *err) LP_MUST_CHECK;

/** Differences of two JSON documents as [{"path": "/a/0/b", "op": "add"|"remove"|"replace",
 * "before":..., "after":...}]; block lists are matched by instance id, other lists by index. NULL
 * counts as an empty object. NULL on no memory. */
json_t *lp_model_diff(const json_t *before, const json_t *after);

/* ---- form pages ---- */

/** A page: an ordered list of fields. Build with the functions below; memory comes from
 * `arena`-like storage owned by the page. */
struct lp_form_page;
struct lp_form_page *lp_form_page_new(const char *title); /* NULL title = "unknown" */
void lp_form_page_free(struct lp_form_page *page);
void lp_form_page_set_title(struct lp_form_page *page, const char *title);
/** meta of the 510 answer: 1 = {"hasNext":true}, 0 = {"hasNext":false} (submit page), -1 = null.
 * Starts as 1. */
void lp_form_page_has_next(struct lp_form_page *page, int has_next);
int lp_form_page_has_next_get(const struct lp_form_page *page);
/** Copies a hand-made field (texts, values, members, default and extra too); returns the page's own
 * copy for adjustments (required, def ...), valid until the next add. Never NULL: aborts without
 * memory. */
struct lp_field *lp_form_page_add(struct lp_form_page *page, const struct lp_field *field);
/** Adds a field of a block type (dotted path "address.city" not allowed: add the struct). It is
 * required when YANG says mandatory or required-in: loosen it with ->required = false. Aborts when
 * the catalog has no such field: a mistake in the workflow. */
struct lp_field *lp_form_page_add_model(struct lp_form_page *page, const struct lp_catalog *catalog,
                                        const char *block, const char *field);
/** Replaces the choices of an added enum field; entries are copied. */
void lp_form_page_choices(struct lp_form_page *page, const char *field,
                          const struct lp_enum_value *values, size_t count);
/** Sets default (borrowed, copied). */
void lp_form_page_default(struct lp_form_page *page, const char *field, const json_t *def);
const struct lp_field *lp_form_page_fields(const struct lp_form_page *page, size_t *count);
/** JSON Schema of the page (2020-12, shapes of http-api.md 5.2, 5.3; both uniforms and
 * extraProperties). New reference. */
json_t *lp_form_page_schema(const struct lp_form_page *page);
/** Checks one input object against the page: unknown members, types, rules; frozen fields take
 * their default. *clean is a new object. */
void lp_form_page_check(const struct lp_form_page *page, const json_t *input,
                        struct lp_problems *problems, json_t **clean);

/** JSON Schema of a product's root at a status, for documentation and OpenAPI. New reference. */
json_t *lp_model_schema(const struct lp_catalog *catalog, const struct lp_product_type *product,
                        enum lp_lifecycle status);

#endif
