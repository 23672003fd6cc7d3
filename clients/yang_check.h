/**
 * Checks the bodies that drivers send and receive against YANG. The modules describe the subset we
 * use of a platform; they stand in clients/infinera/<set>/yang/ and are compiled into the program
 * (no files at run time). A set is a folder: "g30", "g42", "tnms".
 *
 * Going out everything must be known: an unknown member, a wrong type or value, a missing list key,
 * a read-only leaf are LP_INVALID, err->pointer is its path. Nothing is dropped silently.
 * Coming in the shape is the schema's, never the data's: a list is an array also with one entry or
 * wrapped in an object, a container an object, 64-bit numbers and decimals are strings whatever the
 * element sent; members that the schema does not know are kept and listed.
 *
 * Ownership: bodies are the caller's; the set keeps nothing. Threads: a set may be used by all.
 * Source: RFC 7950, RFC 7951, RFC 8040 section 3.
 */
#ifndef LP_CLIENTS_YANG_CHECK_H
#define LP_CLIENTS_YANG_CHECK_H

#include "base/err.h"

/** One module: generated from clients/infinera/<set>/yang/<module>.yang. */
struct lp_yang_source {
    const char *set, *module, *text;
};
extern const struct lp_yang_source lp_yang_sources[];
extern const size_t lp_yang_source_count;

struct lp_yang;
/** Reads and compiles the modules of a set. LP_INVALID: no such set, or a module is wrong. */
enum lp_code lp_yang_new(const char *set, struct lp_yang **out, struct lp_err *err) LP_MUST_CHECK;
/** As lp_yang_new, from other modules than those of the program; they must outlive the set. */
enum lp_code lp_yang_new_from(const struct lp_yang_source *sources, size_t count, const char *set,
                              struct lp_yang **out, struct lp_err *err) LP_MUST_CHECK;
void lp_yang_free(struct lp_yang *yang);

/** The body of a PUT or PATCH of a data resource, or (`post`) of a POST to its parent: `path` as it
 * is requested ("/data/ne:ne/shelf=1?..."), one member at the top, "module:node" or "node". Keys in
 * the body must be those of the path. */
enum lp_code lp_yang_check_data(struct lp_yang *yang, const char *path, bool post,
                                const json_t *body, struct lp_err *err) LP_MUST_CHECK;
/** The body {"module:input":{...}} of POST /operations/module:rpc; also mandatory leaves, choices,
 * when and must. An RPC without input has no body (NULL). */
enum lp_code lp_yang_check_rpc(struct lp_yang *yang, const char *path, const json_t *body,
                               struct lp_err *err) LP_MUST_CHECK;

/**
 * The body of an answer, put into the schema's shape.
 * @param path   as requested (data resource or operation)
 * @param body   what arrived; unchanged
 * @param out    new reference: the node that the path names, without the member around it: an
 *               object for a container or a list entry, an array for a list or leaf-list, the value
 *               of a leaf; for an operation the object of its output. A list that the depth limit
 *               cut off ({}) is left out: it says nothing about entries.
 * @param notes  NULL, or new reference to an array of strings: paths of members that the schema
 *               does not know, and of values it does not (a newer release's enum); all are kept.
 * @return LP_PROTOCOL with the path in err->pointer: another node than asked for, an object where a
 *         leaf belongs, text where a number belongs, two entries for one list key
 */
enum lp_code lp_yang_take(struct lp_yang *yang, const char *path, const json_t *body, json_t **out,
                          json_t **notes, struct lp_err *err) LP_MUST_CHECK;

/** Does the path name an operation or data that the set knows? LP_INVALID names the first part that
 * is not. */
enum lp_code lp_yang_check_path(struct lp_yang *yang, const char *path,
                                struct lp_err *err) LP_MUST_CHECK;
/** Is it a list (or leaf-list) without keys, so that 404 means "none"? */
bool lp_yang_is_list(struct lp_yang *yang, const char *path);

#endif
