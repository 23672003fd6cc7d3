#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/internal.h"
#include "base/json.h"
#include "store/tokens.h"

/* Who is calling. Three ways in:
   - the Unix socket: the kernel says who it is; root and the daemon's own user are admin, other
   users got in through the file's group and operate (with api.auth they need a token like everybody
   else);
   - a bearer token, whose hash is looked up in the database for every request, so that revoking
   works at once;
   - without api.auth, loopback callers act as "local" and operate. The Host and Origin checks keep
   browsers out of that. */

static void
be(struct lp_request *req, const char *actor, enum lp_role role)
{
    snprintf(req->actor, sizeof req->actor, "%s", actor);
    req->caller.actor = req->actor;
    req->caller.role = role;
}

static void
be_user(struct lp_request *req, enum lp_role role)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char buf[1024];
    char number[32];

    snprintf(number, sizeof number, "uid:%u", (unsigned)req->conn->peer_uid);
    (void)getpwuid_r(req->conn->peer_uid, &entry, buf, sizeof buf, &found);
    be(req,
       found != NULL && lp_utf8_valid(found->pw_name, strlen(found->pw_name)) ? found->pw_name
                                                                              : number,
       role);
}

static enum lp_code
by_token(struct lp_request *req, const char *token, struct lp_err *err)
{
    struct lp_token row;
    enum lp_role role = LP_ROLE_NONE;
    enum lp_code rc = lp_token_find(req->api->services.store, token, &row, err);

    if (rc != LP_OK)
        return rc;
    if (!lp_role_from_name(row.role, &role))
        return lp_fail(err, LP_AUTH, "Not authenticated");
    be(req, row.name, role);
    return LP_OK;
}

static enum lp_code
identify(struct lp_request *req, struct lp_err *err)
{
    const char *token = lp_http_bearer(req->authorization);
    bool own =
        req->conn->local_socket && (req->conn->peer_uid == 0 || req->conn->peer_uid == geteuid());

    if (req->authorization != NULL && token == NULL)
        return lp_fail_at(err, LP_AUTH, "header/Authorization",
                          "Not authenticated: the only scheme taken is 'Bearer <token>'");
    if (token != NULL)
        return by_token(req, token, err);
    if (own)
        be_user(req, LP_ROLE_ADMIN);
    else if (req->api->options.conf->api_auth)
        return lp_fail(err, LP_AUTH, "Not authenticated");
    else if (req->conn->local_socket)
        be_user(req, LP_ROLE_OPERATE);
    else
        be(req, "local", LP_ROLE_OPERATE);
    return LP_OK;
}

enum lp_code
lp_auth_check(struct lp_request *req, struct lp_err *err)
{
    enum lp_role needed = req->route->role;
    enum lp_code rc;

    be(req, "anonymous", LP_ROLE_NONE);
    if (needed == LP_ROLE_NONE)
        return LP_OK;
    rc = identify(req, err);
    if (rc != LP_OK)
        return rc;
    if (req->caller.role < needed)
        return lp_fail(err, LP_DENIED, "Not authorized: this needs the role %s, %.60s has %s",
                       lp_role_name(needed), req->actor, lp_role_name(req->caller.role));
    return LP_OK;
}

enum lp_code
lp_auth_token(struct lp_request *req, struct lp_err *err)
{
    const char *token = lp_http_bearer(req->authorization);

    if (token == NULL)
        return lp_fail_at(err, LP_AUTH, "header/Authorization",
                          "Not authenticated: the only scheme taken is 'Bearer <token>'");
    return by_token(req, token, err);
}
