/* What a value of an attribute may look like. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/flexils/exec.h"

static bool
check_text(const struct sim_attr *attr, const char *text, struct sim_denial *why)
{
    size_t most = attr->high > 0 ? (size_t)attr->high : 128;
    const char *c;

    if (strlen(text) > most)
        return sim_deny(why, "IDRG", "Input, Data RanGe: %s is longer than %zu", attr->name, most);
    for (c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return sim_deny(why, "ISCH", "Input, Syntax CHaracter invalid in %s", attr->name);
    return true;
}

static bool
check_word(const struct sim_attr *attr, const char *text, struct sim_denial *why)
{
    if (!check_text(attr, text, why))
        return false;
    if (strpbrk(text, " \t\"\\") != NULL)
        return sim_deny(why, "IDNV", "Input, Data Not Valid: %s has blanks or quotes", attr->name);
    return true;
}

static bool
check_enum(const struct sim_attr *attr, const char *text, struct sim_denial *why)
{
    const char *word = attr->values;
    size_t len = strlen(text);

    while (*word != '\0') {
        size_t n = strcspn(word, "|");

        if (n == len && strncasecmp(word, text, n) == 0)
            return true;
        word += n + (word[n] == '|' ? 1 : 0);
    }
    return sim_deny(why, "IDNV", "Input, Data Not Valid: %s=%.64s", attr->name, text);
}

/* A decimal number in hundredths; no exponent, no hexadecimal. */
static bool
parse_hundredths(const char *text, long *out)
{
    bool negative = *text == '-';
    long whole = 0, part = 0;
    int digits = 0;

    text += negative ? 1 : 0;
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        whole = whole * 10 + (*text - '0');
        if (whole > 10000000)
            return false;
    }
    if (*text == '.')
        for (text++; isdigit((unsigned char)*text); text++, digits++)
            if (digits < 2)
                part = part * 10 + (*text - '0');
    if (*text != '\0')
        return false;
    *out = (whole * 100 + (digits == 1 ? part * 10 : part)) * (negative ? -1 : 1);
    return true;
}

static bool
check_number(const struct sim_attr *attr, const char *text, struct sim_denial *why)
{
    long value = 0;

    if (attr->type == SIM_DEC ? !parse_hundredths(text, &value)
                              : (!parse_hundredths(text, &value) || strchr(text, '.') != NULL))
        return sim_deny(why, "IDNV", "Input, Data Not Valid: %s=%.64s", attr->name, text);
    if (attr->type == SIM_INT)
        value /= 100;
    if (value < attr->low || value > attr->high)
        return sim_deny(why, "IDRG", "Input, Data RanGe: %s=%.64s", attr->name, text);
    return true;
}

static bool
check_edge(const struct sim_attr *attr, long mhz, struct sim_denial *why)
{
    if (mhz < SIM_FIELD_LOW_MHZ || mhz > SIM_FIELD_HIGH_MHZ)
        return sim_deny(why, "IDRG", "Input, Data RanGe: %s has %ld MHz", attr->name, mhz);
    if (mhz % SIM_RASTER_MHZ != 0)
        return sim_deny(why, "IDNV", "Input, Data Not Valid: %s has %ld MHz, no multiple of %d",
                        attr->name, mhz, SIM_RASTER_MHZ);
    return true;
}

static bool
check_pair(const struct sim_attr *attr, long a, long b, struct sim_denial *why)
{
    if (attr->type == SIM_CARRIERS) {
        if (!check_edge(attr, a, why))
            return false;
        if (b < SIM_MIN_WIDTH_MHZ || b > SIM_BAND_HIGH_MHZ - SIM_BAND_LOW_MHZ)
            return sim_deny(why, "IDRG", "Input, Data RanGe: %s has width %ld", attr->name, b);
        return true;
    }
    if (!check_edge(attr, a, why) || !check_edge(attr, b, why))
        return false;
    if (a >= b)
        return sim_deny(why, "IDNC", "Input, Data Not Consistent: %s=%ld&%ld", attr->name, a, b);
    return true;
}

/* low&high&low&high; RANGES separates the pairs with &-. */
static bool
check_pairs(const struct sim_attr *attr, const char *text, struct sim_denial *why)
{
    const char *at = text;
    long pair[2];
    size_t n;

    while (*at != '\0') {
        for (n = 0; n < 2; n++) {
            char *end;

            if (!isdigit((unsigned char)*at) || strspn(at, "0123456789") > 9)
                return sim_deny(why, "IDNV", "Input, Data Not Valid: %s=%.64s", attr->name, text);
            pair[n] = strtol(at, &end, 10);
            if (n == 0 && *end != '&')
                return sim_deny(why, "IDNV", "Input, Data Not Valid: %s=%.64s", attr->name, text);
            at = n == 0 ? end + 1 : end;
        }
        if (!check_pair(attr, pair[0], pair[1], why))
            return false;
        if (*at == '\0')
            break;
        if (*at != '&' || (attr->type == SIM_RANGES && at[1] != '-'))
            return sim_deny(why, "IDNV", "Input, Data Not Valid: %s=%.64s", attr->name, text);
        at += attr->type == SIM_RANGES ? 2 : 1;
        if (*at == '\0')
            return sim_deny(why, "IDNV", "Input, Data Not Valid: %s=%.64s", attr->name, text);
    }
    return true;
}

bool
sim_value_check(const struct sim_attr *attr, const char *text, struct sim_denial *why)
{
    if (*text == '\0') /* clears the attribute */
        return true;
    switch ((enum sim_type)attr->type) {
    case SIM_TEXT:
    case SIM_LIST:
    case SIM_ROUTE:
        return check_text(attr, text, why);
    case SIM_WORD:
        return check_word(attr, text, why);
    case SIM_ENUM:
        return check_enum(attr, text, why);
    case SIM_INT:
    case SIM_DEC:
        return check_number(attr, text, why);
    case SIM_PAIRS:
    case SIM_CARRIERS:
    case SIM_RANGES:
        return check_pairs(attr, text, why);
    }
    return false;
}
