/**
 * The TL1 commands of FlexILS as data, and the one builder that makes all of them. Pure.
 *
 * Values are JSON in normal form (normal.h): texts, arrays of integers or texts, arrays of tuples.
 * Threads: any; the tables are constant.
 */
#ifndef LP_CLIENTS_INFINERA_FLEXILS_COMMANDS_H
#define LP_CLIENTS_INFINERA_FLEXILS_COMMANDS_H

#include "base/arena.h"
#include "base/json.h"
#include "wire/tl1.h"

enum fx_class {
#define FX_OBJECT(symbol, prefix, aids) FX_##symbol,
#include "clients/infinera/flexils/commands.def"
#undef FX_OBJECT
    FX_CLASS_COUNT
};

enum fx_verb {
    FX_RTRV,
    FX_ENT_V,
    FX_ED_V,
    FX_DLT,
    FX_OPR,
    FX_RMV,
    FX_RST,
    FX_PM,
    FX_ALM_V,
    FX_COND,
    FX_COPY,
    FX_APPLY,
    FX_VERB_COUNT
};

enum fx_use { FX_ENT = 1, FX_ED = 2, FX_REQ = 4, FX_GET = 8, FX_FIND = 16 };

struct fx_param {
    enum fx_class object;
    const char *name;
    unsigned uses;      /* enum fx_use */
    const char *values; /* "A|B", or NULL: any */
};

struct fx_verb_row {
    enum fx_class object;
    enum fx_verb verb;
    const char *code;    /* "ED-OTS" */
    const char *shape;   /* blocks behind the tag */
    unsigned positional; /* values of the positional block */
    const char *states;  /* "IS|OOS", or NULL */
};

/** Prefix of references: "ots". */
const char *fx_class_prefix(enum fx_class object);
/** The class of "ots:1-A-1-L1" and where its AID begins; false: no such prefix. */
bool fx_class_of(const char *reference, enum fx_class *object, const char **aid);
const struct fx_param *fx_param_find(enum fx_class object, const char *name);
const struct fx_verb_row *fx_verb_find(enum fx_class object, enum fx_verb verb);
/** All rows, for tests and documentation. */
const struct fx_verb_row *fx_verbs(size_t *count);
const struct fx_param *fx_params(size_t *count);
/** True when RMV-<type> and RST-<type> exist. */
bool fx_maintenance_type(const char *type);

struct fx_request {
    enum fx_class object;
    enum fx_verb verb;
    const char *tid;
    const char *aid; /* "a", "from,to" or NULL for all */
    /** NULL, or as many values as the row's positional block has (NULL = empty). */
    const char *const *positional;
    const json_t *named; /* object of values in normal form, or NULL; "ADMIN" in it is ignored */
    const char *state;   /* or NULL */
};

/** Fills *out, all of it in the arena; the tag is left to the sender. LP_INVALID: a name, value or
 * state that the table does not allow there, a required one missing. */
enum lp_code fx_command_make(struct lp_arena *arena, const struct fx_request *request,
                             struct lp_tl1_command *out, struct lp_err *err) LP_MUST_CHECK;
/** The command as it will be sent, with "*" as its tag; in the arena. */
enum lp_code fx_command_text(struct lp_arena *arena, const struct fx_request *request,
                             const char **out, struct lp_err *err) LP_MUST_CHECK;

#endif
