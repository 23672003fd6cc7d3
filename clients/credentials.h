/**
 * The credentials file: user names and passwords by name, one file per environment. Subscriptions
 * hold the name, never the secret.
 *
 *     # comment
 *     [flexils-north]
 *     user = svc_orch
 *     password = "with blanks, \" and \\"
 *
 * An element that names no entry uses the one that is called as its driver ("infinera-flexils").
 * Keys: user, password, ssh_user, ssh_password (default: user and password), token; and how a TLS
 * peer proves who it is: tls_ca (file of trust anchors), tls_name (name in its certificate where
 * that is not its address), tls_pin ("sha256//<base64>[;sha256//...]": its public keys). TLS keys
 * may also stand in an entry of their own that is called as the element. The file must
 * be a regular file of the daemon's own user or root that nobody else may read or write. It is read
 * again when it changes; while the new one is wrong the former content stays in force and
 * lp_credentials_refresh() tells the error.
 *
 * Errors name file and line, never a value. Threads: any.
 */
#ifndef LP_CLIENTS_CREDENTIALS_H
#define LP_CLIENTS_CREDENTIALS_H

#include <stdint.h>

#include "base/err.h"

struct lp_credentials; /* the file */

/** One entry, a copy; NULL where the file says nothing (ssh_* have their defaults already). */
struct lp_credential {
    char *user, *password, *ssh_user, *ssh_password, *token;
    char *tls_ca, *tls_name, *tls_pin;
    uint64_t generation; /* changes when the file was read again */
};

/** path "" or NULL: no file, every look-up is LP_AUTH. LP_INVALID names file and line. */
enum lp_code lp_credentials_open(const char *path, struct lp_credentials **out,
                                 struct lp_err *err) LP_MUST_CHECK;
void lp_credentials_free(struct lp_credentials *file);
/** Reads the file again when it changed. LP_INVALID: it is wrong, the former content stays. */
enum lp_code lp_credentials_refresh(struct lp_credentials *file, struct lp_err *err) LP_MUST_CHECK;
/** LP_AUTH: no file or no such name (the message says which). */
enum lp_code lp_credentials_get(struct lp_credentials *file, const char *name,
                                struct lp_credential *out, struct lp_err *err) LP_MUST_CHECK;
/** Overwrites and frees the texts. */
void lp_credential_wipe(struct lp_credential *credential);

#endif
