/* Keys and certificates of the test elements, made anew for every run. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/restconf/node_internal.h"

static struct node_trust trust;
static struct {
    EVP_PKEY *key;
    X509 *certificate;
} authority, leaves[NODE_CERTIFICATES];

static void
must(bool ok)
{
    if (!ok)
        abort();
}

static void
extend(X509 *to, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, to, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension != NULL && X509_add_ext(to, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: signs itself. */
static X509 *
certify(EVP_PKEY *key, const char *name, const char *names, X509 *issuer, EVP_PKEY *issuer_key,
        bool expired)
{
    static long serial = 1000;
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);

    must(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) == 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -10 * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(x), expired ? -86400L : 86400L);
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                    -1, 0)
         == 1);
    X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(x, key);
    extend(x, issuer != NULL ? issuer : x, NID_basic_constraints,
           names == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (names != NULL)
        extend(x, issuer != NULL ? issuer : x, NID_subject_alt_name, names);
    must(X509_sign(x, issuer_key != NULL ? issuer_key : key, EVP_sha256()) > 0);
    return x;
}

static void
pin_of(EVP_PKEY *key, char out[static 64])
{
    unsigned char *der = NULL, digest[32], text[64];
    int len = i2d_PUBKEY(key, &der);

    must(len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1);
    (void)EVP_EncodeBlock(text, digest, sizeof digest);
    (void)snprintf(out, 64, "sha256//%.44s", (const char *)text);
    OPENSSL_free(der);
}

static void
forget(void)
{
    (void)unlink(trust.ca_file);
    for (size_t i = 0; i < NODE_CERTIFICATES; i++) {
        X509_free(leaves[i].certificate);
        EVP_PKEY_free(leaves[i].key);
    }
    X509_free(authority.certificate);
    EVP_PKEY_free(authority.key);
}

static void
make(void)
{
    static const char local[] = "IP:127.0.0.1,DNS:localhost";
    static const struct {
        const char *names;
        bool expired, self;
    } kinds[] = {
        [NODE_GOOD] = {local, false, false},
        [NODE_EXPIRED] = {local, true, false},
        [NODE_NAMED] = {"DNS:g30.example.net", false, false},
        [NODE_SELF] = {local, false, true},
    };
    int fd;
    FILE *file;

    authority.key = EVP_EC_gen("P-256");
    authority.certificate = certify(authority.key, "Test authority", NULL, NULL, NULL, false);
    for (size_t i = 0; i < NODE_CERTIFICATES; i++) {
        leaves[i].key = EVP_EC_gen("P-256");
        leaves[i].certificate = certify(leaves[i].key, "element", kinds[i].names,
                                        kinds[i].self ? NULL : authority.certificate,
                                        kinds[i].self ? NULL : authority.key, kinds[i].expired);
        pin_of(leaves[i].key, trust.pin[i]);
    }
    (void)snprintf(trust.ca_file, sizeof trust.ca_file, "/tmp/lp_restconf_ca_XXXXXX");
    fd = mkstemp(trust.ca_file);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    must(file != NULL && PEM_write_X509(file, authority.certificate) == 1);
    (void)fclose(file);
    (void)atexit(forget);
}

const struct node_trust *
node_trust(void)
{
    if (trust.ca_file[0] == '\0')
        make();
    return &trust;
}

SSL_CTX *
node_tls(enum node_certificate which)
{
    SSL_CTX *ctx;

    (void)node_trust();
    ctx = SSL_CTX_new(TLS_server_method());
    must(ctx != NULL && SSL_CTX_use_certificate(ctx, leaves[which].certificate) == 1
         && SSL_CTX_use_PrivateKey(ctx, leaves[which].key) == 1);
    return ctx;
}
