#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/json_write.h"

/* Room for `more` bytes and a NUL; false (and `failed`) when there is none. */
static bool
reserve(struct lp_buf *buf, size_t more)
{
    size_t cap = buf->cap == 0 ? 128 : buf->cap;
    char *data;

    if (buf->failed)
        return false;
    if (more < buf->cap - buf->len)
        return true;
    if (more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4) {
        buf->failed = true;
        return false;
    }
    while (cap - buf->len <= more)
        cap *= 2;
    data = realloc(buf->data, cap);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void
lp_buf_add(struct lp_buf *buf, const void *data, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void
lp_buf_str(struct lp_buf *buf, const char *text)
{
    lp_buf_add(buf, text, strlen(text));
}

void
lp_buf_char(struct lp_buf *buf, char c)
{
    lp_buf_add(buf, &c, 1);
}

void
lp_buf_printf(struct lp_buf *buf, const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    if (!reserve(buf, (size_t)len))
        return;
    va_start(args, fmt);
    (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)len;
}

void
lp_buf_json(struct lp_buf *buf, const json_t *value)
{
    struct lp_err err = LP_ERR_INIT;

    if (lp_json_write(buf, value, false, &err) != LP_OK)
        buf->failed = true;
    lp_err_clear(&err);
}

void
lp_buf_reset(struct lp_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

void
lp_buf_free(struct lp_buf *buf)
{
    free(buf->data);
    *buf = (struct lp_buf)LP_BUF_INIT;
}

char *
lp_buf_take(struct lp_buf *buf)
{
    char *data;

    (void)reserve(buf, 0);
    if (buf->failed) {
        lp_buf_free(buf);
        return NULL;
    }
    data = buf->data;
    data[buf->len] = '\0';
    *buf = (struct lp_buf)LP_BUF_INIT;
    return data;
}

static void
hex(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15u];
    }
    out[2 * len] = '\0';
}

/* Looked up once: an implicit fetch per call costs more than hashing a block. Constant afterwards.
 */
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static const EVP_MD *sha256;

static void
fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (sha256 == NULL)
        sha256 = EVP_sha256();
}

void
lp_sha256_hex(const void *data, size_t len, char out[static 65])
{
    unsigned char digest[32];
    int ok;

    (void)pthread_once(&fetched, fetch);
    ok = EVP_Digest(data, len, digest, NULL, sha256, NULL);
    /* An audit row or a plan with a made-up hash would be worse than a stop. */
    if (ok != 1)
        abort();
    hex(digest, sizeof digest, out);
}

void
lp_hmac_hex(const void *key, size_t key_len, const void *data, size_t len, char out[static 65])
{
    unsigned char digest[32];

    assert(key_len <= INT32_MAX);
    if (HMAC(EVP_sha256(), key_len == 0 ? "" : key, (int)key_len, data, len, digest, NULL) == NULL)
        abort();
    hex(digest, sizeof digest, out);
}

bool
lp_same_secret(const char *a, const char *b)
{
    size_t len = strlen(a);

    return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}

void
lp_random(void *out, size_t len)
{
    unsigned char *p = out;

    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            abort();
        p += n;
        len -= (size_t)n;
    }
}
