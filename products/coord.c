#include "products/coord.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t limit; /* degrees */
} kinds[] = {
    [LP_LATITUDE] = {"latitude", 90},
    [LP_LONGITUDE] = {"longitude", 180},
};

static bool
digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whole degrees: one to three digits, no leading zero. Returns what follows, or NULL. */
static const char *
read_whole(const char *p, int64_t *degrees)
{
    const char *start = p;

    *degrees = 0;
    while (digit(*p) && p - start < 3)
        *degrees = *degrees * 10 + (*p++ - '0');
    if (p == start || digit(*p) || (*start == '0' && p - start > 1))
        return NULL;
    return p;
}

/* '.' and at least one digit up to the end; sets the rounded micro-degrees and whether any digit
 * was not 0. */
static bool
read_fraction(const char *p, int64_t *micro, bool *beyond)
{
    int64_t scale = 100000;

    *micro = 0;
    *beyond = false;
    if (*p == '\0')
        return true;
    if (*p != '.' || !digit(p[1]))
        return false;
    for (p++; digit(*p); p++) {
        *beyond = *beyond || *p != '0';
        if (scale > 0)
            *micro += (*p - '0') * scale;
        else if (scale == 0 && *p >= '5')
            (*micro)++;
        scale =
            scale > 1 ? scale / 10 : scale - 1; /* 1, then 0 once (rounding digit), then below */
    }
    return *p == '\0';
}

enum lp_code
lp_coord_parse(enum lp_coord kind, const char *text, int64_t *udeg, struct lp_err *err)
{
    bool negative = *text == '-', beyond = false;
    int64_t degrees = 0, micro = 0;
    const char *rest = read_whole(text + (negative ? 1 : 0), &degrees);

    if (rest == NULL || !read_fraction(rest, &micro, &beyond) || degrees > kinds[kind].limit
        || (degrees == kinds[kind].limit && beyond))
        return lp_fail_at(
            err, LP_INVALID, kinds[kind].name,
            "%s '%.40s' must be decimal degrees between -%lld and %lld, such as 45.478611",
            kinds[kind].name, text, (long long)kinds[kind].limit, (long long)kinds[kind].limit);
    degrees = degrees * 1000000 + micro;
    *udeg = negative ? -degrees : degrees;
    return LP_OK;
}

void
lp_coord_text(int64_t udeg, char buf[static LP_COORD_TEXT])
{
    uint64_t abs = udeg < 0 ? (uint64_t)-udeg : (uint64_t)udeg;
    int len = snprintf(buf, LP_COORD_TEXT, "%s%llu.%06llu", udeg < 0 ? "-" : "",
                       (unsigned long long)(abs / 1000000), (unsigned long long)(abs % 1000000));

    while (len > 2 && len < LP_COORD_TEXT && buf[len - 1] == '0' && buf[len - 2] != '.')
        buf[--len] = '\0';
}
