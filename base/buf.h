/**
 * A growing byte buffer. Appends never fail half-way: after an allocation failure `failed` is set,
 * later appends do nothing, and the caller checks once at the end. Threads: one owner.
 */
#ifndef LP_BASE_BUF_H
#define LP_BASE_BUF_H

#include "base/err.h"

struct lp_buf {
    char *data; /* always NUL-terminated when not NULL */
    size_t len;
    size_t cap;
    bool failed;
};

#define LP_BUF_INIT                                                                                \
    {                                                                                              \
        .data = NULL                                                                               \
    }

void lp_buf_add(struct lp_buf *buf, const void *data, size_t len);
void lp_buf_str(struct lp_buf *buf, const char *text);
void lp_buf_char(struct lp_buf *buf, char c);
void lp_buf_printf(struct lp_buf *buf, const char *fmt, ...) LP_PRINTF(2, 3);
/** Appends compact JSON text. */
void lp_buf_json(struct lp_buf *buf, const json_t *value);
/** Appends text as a JSON string, quoted and escaped as in canonical JSON. */
void lp_buf_json_string(struct lp_buf *buf, const char *text, size_t len);
void lp_buf_reset(struct lp_buf *buf); /* keeps the memory */
void lp_buf_free(struct lp_buf *buf);
/** Hands the memory over (never NULL unless failed); the buffer is empty afterwards. */
char *lp_buf_take(struct lp_buf *buf);

/** Hex of the SHA-256 of data, 64 characters and NUL. */
void lp_sha256_hex(const void *data, size_t len, char out[static 65]);
/** HMAC-SHA-256 as 64 hex characters and NUL. */
void lp_hmac_hex(const void *key, size_t key_len, const void *data, size_t len,
                 char out[static 65]);
/** Constant-time comparison of two NUL-terminated texts. */
bool lp_same_secret(const char *a, const char *b);
/** Fills with random bytes from the kernel; aborts the program when there are none. */
void lp_random(void *out, size_t len);

#endif
