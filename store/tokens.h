/**
 * API tokens. Only the SHA-256 of a token is stored; the token itself is shown once, when it is
 * made. Threads: any.
 */
#ifndef LP_STORE_TOKENS_H
#define LP_STORE_TOKENS_H

#include "store/db.h"

/* "lp_" and 64 hex digits: 256 random bits. */
enum { LP_TOKEN_LEN = 67 };

struct lp_token {
    char id[LP_UUID_LEN + 1];
    char name[101];
    char role[16]; /* read, operate, admin */
    char created_by[101];
    int64_t created_at;
    int64_t expires_at, revoked_at, used_at; /* UTC us; 0 = never */
};

/** Makes a token. LP_INVALID: empty or long name, unknown role, expiry in the past. expires_at 0:
 * it does not expire. */
enum lp_code lp_token_create(struct lp_store *store, const char *name, const char *role,
                             const char *created_by, int64_t expires_at,
                             char token[static LP_TOKEN_LEN + 1], struct lp_token *out,
                             struct lp_err *err) LP_MUST_CHECK;
/** Who presents this token. LP_AUTH: unknown, revoked or expired (one text for all three). Notes
 * the use at most once a minute, without waiting for it. */
enum lp_code lp_token_find(struct lp_store *store, const char *token, struct lp_token *out,
                           struct lp_err *err) LP_MUST_CHECK;
/** All tokens in order of creation; *tokens is malloc'ed. */
enum lp_code lp_token_list(struct lp_store *store, struct lp_token **tokens, size_t *count,
                           struct lp_err *err) LP_MUST_CHECK;
/** LP_NOT_FOUND; revoking a revoked one is LP_OK. */
enum lp_code lp_token_revoke(struct lp_store *store, const char *id,
                             struct lp_err *err) LP_MUST_CHECK;

#endif
