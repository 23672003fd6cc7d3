/**
 * TLS in front of simulated elements: a certificate authority made at the start (or kept in a
 * file), a certificate for each element, and the wrong ones that tests ask for. Never blocks.
 * Source: OpenSSL 3. Threads: one owner.
 */
#ifndef LP_SIM_REST_TLS_H
#define LP_SIM_REST_TLS_H

#include <sys/types.h>

#include "base/err.h"

enum sim_certificate {
    SIM_CERT_GOOD,
    SIM_CERT_EXPIRED,
    SIM_CERT_WRONG_NAME,
    SIM_CERT_SELF_SIGNED,
    SIM_CERT_NEW_KEY, /* good, but another key than before */
    SIM_CERT_COUNT
};
/** "good", "expired", "wrong-name", "self-signed", "new-key"; false: none of them. */
bool sim_certificate_find(const char *name, enum sim_certificate *out);

struct sim_tls;
struct sim_tls_identity;
struct ssl_st;

struct sim_tls_options {
    const char *ca_file; /* certificate of the authority, its key in "<ca_file>.key"; both are used
                            when they are there, else made and written; NULL: kept nowhere */
    const char *cert_file; /* certificate (chain) and key for every element, instead of made ones */
    const char *key_file;
};

enum lp_code sim_tls_new(const struct sim_tls_options *options, struct sim_tls **out,
                         struct lp_err *err) LP_MUST_CHECK;
void sim_tls_free(struct sim_tls *tls);

/** A key and a certificate for an element under a name and an IPv4 address. */
enum lp_code sim_tls_identity_new(struct sim_tls *tls, const char *name, const char *address,
                                  struct sim_tls_identity **out, struct lp_err *err) LP_MUST_CHECK;
void sim_tls_identity_free(struct sim_tls_identity *identity);
/** From now on new connections see this certificate. */
enum lp_code sim_tls_identity_change(struct sim_tls *tls, struct sim_tls_identity *identity,
                                     enum sim_certificate what, struct lp_err *err) LP_MUST_CHECK;
/** "sha256//..." of the public key, as curl pins it. */
const char *sim_tls_pin(const struct sim_tls_identity *identity);

/** The server side of a connection; NULL without memory. old: nothing above TLS 1.1. */
struct ssl_st *sim_tls_open(const struct sim_tls_identity *identity, int fd, bool old);
void sim_tls_close(struct ssl_st *tls);
/** Says goodbye, so that the client can tell the end from a cut. */
void sim_tls_goodbye(struct ssl_st *tls);
/** As recv and send on a socket that does not block: -1 with EAGAIN, 0 at the end. *wants_write:
 * the handshake has to write first. */
ssize_t sim_tls_read(struct ssl_st *tls, void *buf, size_t size, bool *wants_write);
ssize_t sim_tls_write(struct ssl_st *tls, const void *buf, size_t size);

#endif
