#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool
is_tail(const unsigned char *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if ((p[i] & 0xC0u) != 0x80u)
            return false;
    return true;
}

size_t
lp_utf8_sequence(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    if (len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        return len >= 2 && is_tail(p, 1, 2) ? 2 : 0;
    if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        if (len < 3 || !is_tail(p, 1, 3) || (p[0] == 0xE0 && p[1] < 0xA0)
            || (p[0] == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        if (len < 4 || !is_tail(p, 1, 4) || (p[0] == 0xF0 && p[1] < 0x90)
            || (p[0] == 0xF4 && p[1] > 0x8F))
            return 0;
        return 4;
    }
    return 0;
}

void
lp_utf8_copy(char *dst, size_t size, const char *text)
{
    size_t len = strlen(text), out = 0;

    for (size_t i = 0; i < len;) {
        size_t n = lp_utf8_sequence(text + i, len - i);
        size_t take = n == 0 ? 1 : n;

        if (out + take >= size)
            break;
        if (n == 0)
            dst[out] = '?';
        else
            memmove(dst + out, text + i, n);
        out += take;
        i += take;
    }
    dst[out] = '\0';
}
