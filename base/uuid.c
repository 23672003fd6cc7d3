#include "base/uuid.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static struct lp_uuid
format(const unsigned char b[static 16])
{
    static const char hex[] = "0123456789abcdef";
    struct lp_uuid id = {""};
    char *out = id.text;

    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[b[i] >> 4];
        *out++ = hex[b[i] & 15u];
    }
    *out = '\0';
    return id;
}

static void
stamp(unsigned char b[static 16], unsigned version)
{
    b[6] = (unsigned char)((b[6] & 0x0Fu) | version << 4);
    b[8] = (unsigned char)((b[8] & 0x3Fu) | 0x80u);
}

struct lp_uuid
lp_uuid_v4(void)
{
    unsigned char b[16];

    lp_random(b, sizeof b);
    stamp(b, 4);
    return format(b);
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool
lp_uuid_valid(const char *text)
{
    if (text == NULL)
        return false;
    for (unsigned i = 0; i < LP_UUID_LEN; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

        if (hyphen ? text[i] != '-' : hex_value(text[i]) < 0)
            return false;
    }
    return text[LP_UUID_LEN] == '\0';
}

static void
parse(const char *text, unsigned char b[static 16])
{
    assert(lp_uuid_valid(text)); /* name spaces are constants or row ids, never input */
    for (unsigned i = 0; i < 16; i++, text += 2) {
        if (*text == '-')
            text++;
        b[i] = (unsigned char)(hex_value(text[0]) << 4 | hex_value(text[1]));
    }
}

struct lp_uuid
lp_uuid_v5(const char *name_space, const char *name)
{
    unsigned char space[16], digest[20];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    parse(name_space, space);
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) != 1
        || EVP_DigestUpdate(ctx, space, sizeof space) != 1
        || EVP_DigestUpdate(ctx, name, strlen(name)) != 1
        || EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
        abort(); /* a wrong catalog id would be stored for ever */
    EVP_MD_CTX_free(ctx);
    stamp(digest, 5);
    return format(digest);
}

/* The last time part given out: milliseconds << 12 | fraction. Shared by all threads; ids grow even
 * when the clock falls back. */
static _Atomic uint64_t last_tick;

static uint64_t
next_tick(const struct lp_clock *clock)
{
    int64_t us = lp_clock_utc_us(clock);
    uint64_t now = us < 0 ? 0 : (uint64_t)us;
    uint64_t tick = (now / 1000) << 12 | (now % 1000) * 4096 / 1000;
    uint64_t last = atomic_load_explicit(&last_tick, memory_order_relaxed);
    uint64_t next;

    do {
        next = tick > last ? tick : last + 1;
    } while (!atomic_compare_exchange_weak(&last_tick, &last, next));
    return next;
}

struct lp_uuid
lp_uuid_v7(const struct lp_clock *clock)
{
    uint64_t tick = next_tick(clock), ms = tick >> 12;
    unsigned char b[16];

    for (unsigned i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    b[6] = (unsigned char)(tick >> 8 & 0x0Fu);
    b[7] = (unsigned char)tick;
    lp_random(b + 8, 8);
    stamp(b, 7);
    return format(b);
}

struct lp_uuid
lp_catalog_id(const char *kind, const char *name)
{
    struct lp_buf text = LP_BUF_INIT;
    struct lp_uuid id;

    lp_buf_str(&text, kind);
    lp_buf_char(&text, ':');
    lp_buf_str(&text, name);
    if (text.failed)
        abort();
    id = lp_uuid_v5(LP_CATALOG_NAMESPACE, text.data);
    lp_buf_free(&text);
    return id;
}
