/**
 * Asking the API: paths with escaped values, calls whose failures become struct lp_err, lists page
 * by page, and names for ids. Threads: one.
 */
#ifndef LP_CLI_API_H
#define LP_CLI_API_H

#include "cli/cli.h"

/** A path under construction. Query members are added with ? or & as needed. Owned text:
 * cli_path_free. */
struct cli_path {
    struct lp_buf text;
    bool has_query;
};
/** Starts with "/api" + constant text. */
void cli_path_start(struct cli_path *path, const char *text);
/** Adds "/" and the escaped value. */
void cli_path_part(struct cli_path *path, const char *value);
/** Adds constant text ("/resume"). */
void cli_path_text(struct cli_path *path, const char *text);
/** Adds name=value, escaped; nothing when value is NULL. */
void cli_path_query(struct cli_path *path, const char *name, const char *value);
/** The finished text, borrowed. */
const char *cli_path_get(const struct cli_path *path);
void cli_path_free(struct cli_path *path);

/** Adds --ticket and --reason when they were given. */
void cli_path_why(struct cli_path *path, const struct cli *cli);

struct cli_answer {
    int status;
    json_t *body; /* owned; NULL when there was none */
    char *next;   /* owned; cursor path of the next page, or NULL */
};
void cli_answer_free(struct cli_answer *answer);

/** One exchange. Every status is an answer; only a broken exchange or a body that is not JSON
 * fails. `key`: Idempotency-Key or NULL. */
enum lp_code cli_exchange(struct cli *cli, const char *method, const char *path, const json_t *body,
                          const char *key, struct cli_answer *answer,
                          struct lp_err *err) LP_MUST_CHECK;
/** The error a status of 400 and above stands for. Returns err->code. */
enum lp_code cli_answer_fail(const struct cli_answer *answer, struct lp_err *err);
/** One exchange that must succeed. *out is a new reference or NULL; out may be NULL. */
enum lp_code cli_call(struct cli *cli, const char *method, const char *path, const json_t *body,
                      json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** All members of a list up to `limit`, following the cursors. *more = there are further ones. */
enum lp_code cli_list(struct cli *cli, const char *path, int64_t limit, json_t **out, bool *more,
                      struct lp_err *err) LP_MUST_CHECK;

enum cli_kind { CLI_SUBSCRIPTION, CLI_PROCESS, CLI_TOKEN };
/**
 * The id somebody means: a whole UUID, the unambiguous beginning or end of one (4 characters and
 * more), and for subscriptions also the description or its first word ("MI01"). LP_NOT_FOUND;
 * LP_CONFLICT lists the candidates. id holds 37 bytes.
 */
enum lp_code cli_resolve(struct cli *cli, enum cli_kind kind, const char *text, char id[static 37],
                         struct lp_err *err) LP_MUST_CHECK;
/** True for 36 characters in the shape of a UUID. */
bool cli_is_uuid(const char *text);
/** The last group of a UUID: short, and different even for rows made in the same millisecond.
 * Borrowed from id. */
const char *cli_short_id(const char *id);

#endif
