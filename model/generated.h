/**
 * What generated block structs are made of: one const table per struct, walked by three functions.
 * Programs include the generated header (model/products_gen.h), not this one.
 *
 * Shape of a member: texts are char * (NULL: absent), numbers and booleans have a `has_<name>`
 * beside them, enumerations begin with _NONE (absent), plain containers and owned blocks are
 * pointers (NULL: absent), lists are a pointer and `<name>_count`. Ownership: from_json allocates
 * members, the free function releases them, not the struct itself. Threads: any, a struct has one
 * owner.
 */
#ifndef LP_MODEL_GENERATED_H
#define LP_MODEL_GENERATED_H

#include "model/model.h"

struct lp_gen_struct;

struct lp_gen_field {
    const char *name;
    enum lp_field_kind kind;
    bool list;
    size_t offset;                   /* of the value, or of the pointer to the first entry */
    size_t beside;                   /* of has_<name>, or of <name>_count */
    const struct lp_gen_struct *sub; /* LP_FIELD_STRUCT, LP_FIELD_BLOCK */
    const char *const *values; /* LP_FIELD_ENUM: names by value; [0] is NULL, the absent value */
    size_t value_count;
};

struct lp_gen_struct {
    const char *name;
    size_t size;
    const struct lp_gen_field *fields;
    size_t count;
};

/** Fills *out (whatever was in it is overwritten, not freed) from a document; strict: unknown
 * members and other types are LP_INVALID naming the place, and *out is empty then. */
enum lp_code lp_gen_from_json(const struct lp_gen_struct *type, const json_t *doc, void *out,
                              struct lp_err *err) LP_MUST_CHECK;
/** New reference, absent members left out; NULL without memory. */
json_t *lp_gen_to_json(const struct lp_gen_struct *type, const void *value);
/** Frees what the struct holds and empties it. */
void lp_gen_free(const struct lp_gen_struct *type, void *value);

#endif
