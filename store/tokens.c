#include "store/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/internal.h"

#define TOUCH_US (60 * INT64_C(1000000))

static int64_t
now_us(const struct lp_store *store)
{
    return lp_clock_utc_us(store->options.clock);
}

static void
read_row(const struct lp_rows *rows, size_t row, struct lp_token *out)
{
    snprintf(out->id, sizeof out->id, "%s", lp_rows_text(rows, row, "id"));
    snprintf(out->name, sizeof out->name, "%s", lp_rows_text(rows, row, "name"));
    snprintf(out->role, sizeof out->role, "%s", lp_rows_text(rows, row, "role"));
    snprintf(out->created_by, sizeof out->created_by, "%s", lp_rows_text(rows, row, "created_by"));
    out->created_at = lp_rows_int(rows, row, "created_at");
    out->expires_at = lp_rows_int(rows, row, "expires_at");
    out->revoked_at = lp_rows_int(rows, row, "revoked_at");
    out->used_at = lp_rows_int(rows, row, "used_at");
}

static enum lp_code
check_new(const struct lp_store *store, const char *name, const char *role, int64_t expires_at,
          struct lp_err *err)
{
    size_t len = name == NULL ? 0 : strlen(name);

    if (len == 0 || len > 100 || !lp_utf8_valid(name, len))
        return lp_fail_at(err, LP_INVALID, "/name",
                          "the name of a token has 1 to 100 characters of UTF-8");
    if (role == NULL
        || (strcmp(role, "read") != 0 && strcmp(role, "operate") != 0
            && strcmp(role, "admin") != 0))
        return lp_fail_at(err, LP_INVALID, "/role", "the role is one of read, operate, admin");
    if (expires_at != 0 && expires_at <= now_us(store))
        return lp_fail_at(err, LP_INVALID, "/expires_at", "the token would have expired already");
    return LP_OK;
}

static void
make_token(char token[static LP_TOKEN_LEN + 1])
{
    unsigned char random[32];

    lp_random(random, sizeof random);
    snprintf(token, LP_TOKEN_LEN + 1, "lp_");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(token + 3 + 2 * i, 3, "%02x", random[i]);
}

enum lp_code
lp_token_create(struct lp_store *store, const char *name, const char *role, const char *created_by,
                int64_t expires_at, char token[static LP_TOKEN_LEN + 1], struct lp_token *out,
                struct lp_err *err)
{
    enum lp_code rc = check_new(store, name, role, expires_at, err);
    struct lp_unit *unit;
    char hash[65];

    if (rc != LP_OK)
        return rc;
    make_token(token);
    lp_sha256_hex(token, LP_TOKEN_LEN, hash);
    *out = (struct lp_token){.created_at = now_us(store), .expires_at = expires_at};
    snprintf(out->id, sizeof out->id, "%s", lp_uuid_v7(store->options.clock).text);
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->role, sizeof out->role, "%s", role);
    snprintf(out->created_by, sizeof out->created_by, "%s", created_by);
    unit = lp_unit_new();
    lp_unit_add(
        unit, LP_SQL_TOKEN_INSERT,
        LP_ARGS(lp_text("id", out->id), lp_text("name", name), lp_text("hash", hash),
                lp_text("role", role), lp_text("created_by", created_by),
                lp_int("created_at", out->created_at),
                expires_at == 0 ? lp_null("expires_at") : lp_int("expires_at", expires_at)));
    rc = lp_store_commit(store, unit, err);
    lp_unit_free(unit);
    return rc;
}

static void
touch(struct lp_store *store, const struct lp_token *token)
{
    struct lp_unit *unit;

    if (now_us(store) - token->used_at < TOUCH_US)
        return;
    unit = lp_unit_new();
    lp_unit_key(unit, token->id);
    lp_unit_add(unit, LP_SQL_TOKEN_TOUCH,
                LP_ARGS(lp_text("id", token->id), lp_int("now", now_us(store))));
    lp_store_submit(store, unit, NULL, NULL);
}

enum lp_code
lp_token_find(struct lp_store *store, const char *token, struct lp_token *out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    char hash[65];
    enum lp_code rc;
    bool good;

    lp_sha256_hex(token, strlen(token), hash);
    rc = lp_query(store, LP_SQL_TOKEN_FIND, LP_ARGS(lp_text("hash", hash)), &rows, err);
    if (rc != LP_OK)
        return rc;
    good = lp_rows_count(rows) == 1;
    if (good) {
        read_row(rows, 0, out);
        good = out->revoked_at == 0 && (out->expires_at == 0 || out->expires_at > now_us(store));
    }
    lp_rows_free(rows);
    if (!good)
        return lp_fail(err, LP_AUTH, "the token is not valid");
    touch(store, out);
    return LP_OK;
}

enum lp_code
lp_token_list(struct lp_store *store, struct lp_token **tokens, size_t *count, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(store, LP_SQL_TOKEN_LIST, LP_NO_ARGS, &rows, err);

    if (rc != LP_OK)
        return rc;
    *count = lp_rows_count(rows);
    *tokens = calloc(*count + 1, sizeof **tokens);
    if (*tokens == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for %zu tokens", *count);
    for (size_t i = 0; rc == LP_OK && i < *count; i++)
        read_row(rows, i, &(*tokens)[i]);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_token_revoke(struct lp_store *store, const char *id, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    struct lp_unit *unit;
    enum lp_code rc = lp_query(store, LP_SQL_TOKEN_GET, LP_ARGS(lp_text("id", id)), &rows, err);
    size_t found;

    if (rc != LP_OK)
        return rc;
    found = lp_rows_count(rows);
    lp_rows_free(rows);
    if (found == 0)
        return lp_fail(err, LP_NOT_FOUND, "there is no token '%.60s'", id);
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_TOKEN_REVOKE,
                LP_ARGS(lp_text("id", id), lp_int("now", now_us(store))));
    rc = lp_store_commit(store, unit, err);
    lp_unit_free(unit);
    return rc;
}
