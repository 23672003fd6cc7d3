/**
 * Form pages as the API describes them (JSON Schema): what a field is, and texts turned into values
 * of its type. Pure: no I/O. The schema comes from a server and is not trusted: depth and
 * references are bounded. Threads: one. Source: docs/http-api.md, "Forms".
 */
#ifndef LP_CLI_SCHEMA_H
#define LP_CLI_SCHEMA_H

#include "base/json.h"

/**
 * A property with $ref, anyOf (first branch that is not null) and allOf resolved against its page:
 * one flat object; "x-nullable": true when null is allowed. New reference, never NULL.
 */
json_t *cli_schema_flat(const json_t *page, const json_t *node);
/** "string", "integer", "number", "boolean", "array", "object"; "string" when the schema names
 * none. */
const char *cli_schema_type(const json_t *flat);
/** Shown, never sent: labels, summaries, read-only values. */
bool cli_schema_display_only(const json_t *flat);
bool cli_schema_required(const json_t *page, const char *name);
/** Title, or the name. Borrowed. */
const char *cli_schema_title(const json_t *flat, const char *name);
/** The text beside a choice, or the choice itself. Borrowed. */
const char *cli_schema_label(const json_t *flat, const char *choice);

/** One text as a value of the field's type. Choices may be given by value, by label, or by an
 * unambiguous beginning of a label. LP_INVALID says what is allowed. */
enum lp_code cli_convert(const json_t *page, const json_t *flat, const char *name, const char *text,
                         json_t **out, struct lp_err *err) LP_MUST_CHECK;

/* ---- values given on the command line ---- */

struct cli_set {
    char *path;    /* "address.city" */
    char *text;    /* as given; NULL for a JSON value */
    json_t *value; /* of key:=JSON and of --file */
    bool used;
};
struct cli_sets {
    struct cli_set *rows;
    size_t count;
};
/** "key=text" or "key:=JSON". */
enum lp_code cli_sets_add(struct cli_sets *sets, const char *given,
                          struct lp_err *err) LP_MUST_CHECK;
/** Every member of an object. */
void cli_sets_add_object(struct cli_sets *sets, const json_t *object);
void cli_sets_free(struct cli_sets *sets);
/** The first value no page has asked for, or NULL. */
const struct cli_set *cli_sets_unused(const struct cli_sets *sets);
/** Puts every value that belongs to this page into `input` and marks it used. A text for a list is
 * one more element; "" empties it. */
enum lp_code cli_sets_fill(struct cli_sets *sets, const json_t *page, json_t *input,
                           struct lp_err *err) LP_MUST_CHECK;

#endif
