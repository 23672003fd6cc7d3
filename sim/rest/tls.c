#include "sim/rest/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_S 86400

struct sim_tls {
    EVP_PKEY *key; /* of the authority */
    X509 *ca;
    char *cert_file, *key_file;
};

struct sim_tls_identity {
    char name[80], address[64];
    EVP_PKEY *key;
    SSL_CTX *context;
    char pin[64];
};

bool
sim_certificate_find(const char *name, enum sim_certificate *out)
{
    static const char *const names[SIM_CERT_COUNT] = {"good", "expired", "wrong-name",
                                                      "self-signed", "new-key"};
    int i;

    for (i = 0; i < SIM_CERT_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum sim_certificate)i;
            return true;
        }
    return false;
}

static enum lp_code
tls_fail(struct lp_err *err, const char *what)
{
    char text[160] = "";
    unsigned long code = ERR_get_error();

    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return lp_fail(err, LP_INTERNAL, "TLS: %s %s", what, text);
}

/* ---- certificates ---- */

static bool
extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool ok;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool
set_serial(X509 *cert)
{
    unsigned char bytes[16];
    BIGNUM *number;
    bool ok;

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] &= 0x7f;
    number = BN_bin2bn(bytes, sizeof bytes, NULL);
    ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

/* A certificate without its extensions and signature. */
static X509 *
cert_new(EVP_PKEY *key, const char *name, long from_s, long to_s)
{
    X509 *cert = X509_new();
    X509_NAME *subject = cert == NULL ? NULL : X509_get_subject_name(cert);

    if (subject != NULL && X509_set_version(cert, 2) == 1 && set_serial(cert)
        && X509_gmtime_adj(X509_getm_notBefore(cert), from_s) != NULL
        && X509_gmtime_adj(X509_getm_notAfter(cert), to_s) != NULL
        && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                      -1, 0)
               == 1
        && X509_set_pubkey(cert, key) == 1)
        return cert;
    X509_free(cert);
    return NULL;
}

static X509 *
ca_new(EVP_PKEY *key)
{
    X509 *cert = cert_new(key, "lightpath-sim authority", -DAY_S, 3650L * DAY_S);

    if (cert != NULL && X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1
        && extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE")
        && extend(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign")
        && extend(cert, cert, NID_subject_key_identifier, "hash")
        && X509_sign(cert, key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

static X509 *
element_cert(struct sim_tls *tls, const struct sim_tls_identity *identity,
             enum sim_certificate what)
{
    bool own = what == SIM_CERT_SELF_SIGNED, expired = what == SIM_CERT_EXPIRED;
    const char *name = what == SIM_CERT_WRONG_NAME ? "somebody.else.example" : identity->name;
    X509 *cert = cert_new(identity->key, name, expired ? -30L * DAY_S : -DAY_S,
                          expired ? -DAY_S : 3000L * DAY_S);
    X509 *issuer = own ? cert : tls->ca;
    char names[256];

    if (what == SIM_CERT_WRONG_NAME)
        (void)snprintf(names, sizeof names, "DNS:%s", name);
    else
        (void)snprintf(names, sizeof names, "DNS:%s,DNS:localhost,IP:%s", name, identity->address);
    if (cert != NULL && X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1
        && extend(cert, issuer, NID_subject_alt_name, names)
        && extend(cert, issuer, NID_ext_key_usage, "serverAuth")
        && X509_sign(cert, own ? identity->key : tls->key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

static bool
pin_make(X509 *cert, char pin[static 64])
{
    unsigned char *der = NULL, hash[32];
    int len = i2d_PUBKEY(X509_get0_pubkey(cert), &der);
    unsigned hash_len = 0;
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, hash, &hash_len, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    if (!ok)
        return false;
    memcpy(pin, "sha256//", 8);
    (void)EVP_EncodeBlock((unsigned char *)pin + 8, hash, (int)hash_len);
    return true;
}

/* ---- the authority ---- */

static bool
pem_read(const char *path, X509 **cert, EVP_PKEY **key)
{
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    if (cert != NULL)
        *cert = PEM_read_X509(file, NULL, NULL, NULL);
    else
        *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return cert != NULL ? *cert != NULL : *key != NULL;
}

static bool
pem_write(const char *path, X509 *cert, EVP_PKEY *key)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, cert != NULL ? 0644 : 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok;

    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    ok = cert != NULL ? PEM_write_X509(file, cert) == 1
                      : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    return fclose(file) == 0 && ok;
}

static enum lp_code
ca_prepare(struct sim_tls *tls, const char *path, struct lp_err *err)
{
    char key_path[4096];

    if (path != NULL) {
        if ((size_t)snprintf(key_path, sizeof key_path, "%s.key", path) >= sizeof key_path)
            return lp_fail(err, LP_INVALID, "the path of the authority's file is too long");
        if (pem_read(path, &tls->ca, NULL) && pem_read(key_path, NULL, &tls->key))
            return LP_OK;
        ERR_clear_error();
        X509_free(tls->ca);
    }
    tls->key = EVP_EC_gen("P-256");
    tls->ca = tls->key == NULL ? NULL : ca_new(tls->key);
    if (tls->ca == NULL)
        return tls_fail(err, "no authority could be made");
    if (path == NULL)
        return LP_OK;
    return pem_write(path, tls->ca, NULL) && pem_write(key_path, NULL, tls->key)
               ? LP_OK
               : lp_fail(err, LP_STORE, "%s cannot be written: %s", path, strerror(errno));
}

enum lp_code
sim_tls_new(const struct sim_tls_options *options, struct sim_tls **out, struct lp_err *err)
{
    struct sim_tls *tls = calloc(1, sizeof *tls);
    enum lp_code rc;

    if (tls == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for TLS");
    rc = ca_prepare(tls, options->ca_file, err);
    if (rc == LP_OK && options->cert_file != NULL) {
        tls->cert_file = strdup(options->cert_file);
        tls->key_file = strdup(options->key_file != NULL ? options->key_file : options->cert_file);
        if (tls->cert_file == NULL || tls->key_file == NULL)
            rc = lp_fail(err, LP_NOMEM, "no memory for TLS");
    }
    if (rc != LP_OK) {
        sim_tls_free(tls);
        return rc;
    }
    *out = tls;
    return LP_OK;
}

void
sim_tls_free(struct sim_tls *tls)
{
    if (tls == NULL)
        return;
    EVP_PKEY_free(tls->key);
    X509_free(tls->ca);
    free(tls->cert_file);
    free(tls->key_file);
    free(tls);
}

/* ---- identities ---- */

static bool
context_fill(struct sim_tls *tls, struct sim_tls_identity *identity, SSL_CTX *context,
             enum sim_certificate what)
{
    X509 *cert;
    bool ok;

    if (tls->cert_file != NULL && what == SIM_CERT_GOOD)
        return SSL_CTX_use_certificate_chain_file(context, tls->cert_file) == 1
               && SSL_CTX_use_PrivateKey_file(context, tls->key_file, SSL_FILETYPE_PEM) == 1
               && pin_make(SSL_CTX_get0_certificate(context), identity->pin);
    cert = element_cert(tls, identity, what);
    ok = cert != NULL && SSL_CTX_use_certificate(context, cert) == 1
         && SSL_CTX_use_PrivateKey(context, identity->key) == 1 && pin_make(cert, identity->pin);
    X509_free(cert);
    return ok;
}

static int
alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
            unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len)
        != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

enum lp_code
sim_tls_identity_change(struct sim_tls *tls, struct sim_tls_identity *identity,
                        enum sim_certificate what, struct lp_err *err)
{
    SSL_CTX *context;

    if (identity->key == NULL || what == SIM_CERT_NEW_KEY) {
        EVP_PKEY *key = EVP_EC_gen("P-256");

        if (key == NULL)
            return tls_fail(err, "no key could be made");
        EVP_PKEY_free(identity->key);
        identity->key = key;
    }
    context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || !context_fill(tls, identity, context, what)) {
        SSL_CTX_free(context);
        return tls_fail(err, "no certificate could be made");
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(context, alpn_choose, NULL);
    SSL_CTX_free(identity->context);
    identity->context = context;
    return LP_OK;
}

enum lp_code
sim_tls_identity_new(struct sim_tls *tls, const char *name, const char *address,
                     struct sim_tls_identity **out, struct lp_err *err)
{
    struct sim_tls_identity *identity = calloc(1, sizeof *identity);
    enum lp_code rc;

    if (identity == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for TLS");
    (void)snprintf(identity->name, sizeof identity->name, "%s", name);
    (void)snprintf(identity->address, sizeof identity->address, "%s", address);
    rc = sim_tls_identity_change(tls, identity, SIM_CERT_GOOD, err);
    if (rc == LP_OK)
        *out = identity;
    else
        sim_tls_identity_free(identity);
    return rc;
}

void
sim_tls_identity_free(struct sim_tls_identity *identity)
{
    if (identity == NULL)
        return;
    SSL_CTX_free(identity->context);
    EVP_PKEY_free(identity->key);
    free(identity);
}

const char *
sim_tls_pin(const struct sim_tls_identity *identity)
{
    return identity->pin;
}

/* ---- connections ---- */

struct ssl_st *
sim_tls_open(const struct sim_tls_identity *identity, int fd, bool old)
{
    SSL *ssl = SSL_new(identity->context);

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    if (old) {
        SSL_set_security_level(ssl, 0);
        SSL_set_min_proto_version(ssl, TLS1_VERSION);
        SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
    }
    SSL_set_accept_state(ssl);
    return ssl;
}

void
sim_tls_close(struct ssl_st *tls)
{
    SSL_free(tls);
    ERR_clear_error();
}

void
sim_tls_goodbye(struct ssl_st *tls)
{
    if (SSL_is_init_finished(tls))
        (void)SSL_shutdown(tls);
    ERR_clear_error();
}

static ssize_t
result(struct ssl_st *tls, int n, bool *wants_write)
{
    int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(tls, n);

    if (wants_write != NULL)
        *wants_write = why == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    if (n > 0)
        return n;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    errno = ECONNRESET;
    return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

ssize_t
sim_tls_read(struct ssl_st *tls, void *buf, size_t size, bool *wants_write)
{
    ERR_clear_error();
    return result(tls, SSL_read(tls, buf, size > 65536 ? 65536 : (int)size), wants_write);
}

ssize_t
sim_tls_write(struct ssl_st *tls, const void *buf, size_t size)
{
    ERR_clear_error();
    return result(tls, SSL_write(tls, buf, size > 65536 ? 65536 : (int)size), NULL);
}
