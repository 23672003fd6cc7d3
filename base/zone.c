#include "base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE_DIR "/usr/share/zoneinfo"

enum {
    DAY_S = 86400,
    FILE_MAX = 256 * 1024,
    OFFSET_MAX = 26 * 3600,    /* RFC 8536 section 3.2: less than 26 hours */
    FIRST_RULE_YEAR = 1970,    /* of a file that holds nothing but a rule */
    EARLIEST_RULE_YEAR = 1800, /* no zone is older */
    HEADER = 44,
};

struct change {
    int64_t at;
    int32_t offset; /* from then on */
};

struct lp_zone {
    char name[LP_ZONE_NAME_MAX + 1];
    int32_t first; /* offset before the first change */
    struct change *changes;
    size_t count, room;
};

/* ---- the calendar ---- */

int64_t
lp_civil_days(int year, int month, int day)
{
    int64_t y = year + (int64_t)(month - 1) / 12;
    int64_t m = (month - 1) % 12, era, yoe, doy;

    if (m < 0) {
        m += 12;
        y--;
    }
    /* years begin in March: the leap day is the last one */
    y -= m < 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m < 2 ? 10 : -2)) + 2) / 5;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468 + day - 1;
}

void
lp_civil_from_days(int64_t days, struct lp_civil *out)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *out = (struct lp_civil){.year = (int)(yoe + era * 400 + (mp >= 10)),
                             .month = (int)(mp < 10 ? mp + 3 : mp - 9),
                             .day = (int)(doy - (153 * mp + 2) / 5 + 1)};
}

int
lp_civil_weekday(int64_t days)
{
    int64_t n = (days + 4) % 7; /* 1970-01-01 was a Thursday */

    return (int)(n < 0 ? n + 7 : n);
}

int
lp_civil_month_length(int year, int month)
{
    return (int)(lp_civil_days(year, month + 1, 1) - lp_civil_days(year, month, 1));
}

/* ---- building ---- */

static enum lp_code
add_change(struct lp_zone *zone, int64_t at, int32_t offset, struct lp_err *err)
{
    if (zone->count == zone->room) {
        size_t room = zone->room == 0 ? 64 : zone->room * 2;
        struct change *more = realloc(zone->changes, room * sizeof *more);

        if (more == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for time zone %s", zone->name);
        zone->changes = more;
        zone->room = room;
    }
    zone->changes[zone->count++] = (struct change){.at = at, .offset = offset};
    return LP_OK;
}

static enum lp_code
broken(const struct lp_zone *zone, const char *what, struct lp_err *err)
{
    return lp_fail(err, LP_INVALID, "the file of time zone %s is damaged: %s", zone->name, what);
}

/* ---- the footer: a POSIX TZ text for everything behind the table ---- */

struct rule {
    enum { RULE_MONTH, RULE_JULIAN, RULE_DAY } kind;
    int month, week, day;
    int32_t at; /* seconds behind local midnight; may be negative or beyond a day */
};
struct footer {
    const char *at, *end;
    int32_t std, dst;
    bool has_dst;
    struct rule from, to;
};

static bool
eat(struct footer *f, char c)
{
    if (f->at >= f->end || *f->at != c)
        return false;
    f->at++;
    return true;
}

static bool
eat_number(struct footer *f, int most, int *out)
{
    const char *begin = f->at;

    *out = 0;
    while (f->at < f->end && *f->at >= '0' && *f->at <= '9' && f->at - begin < 4)
        *out = *out * 10 + (*f->at++ - '0');
    return f->at > begin && *out <= most;
}

/** [+-]h[h[h]][:mm[:ss]] */
static bool
eat_time(struct footer *f, int hours_most, int32_t *out)
{
    int sign = eat(f, '-') ? -1 : 1, h, m = 0, s = 0;

    if (sign > 0)
        (void)eat(f, '+');
    if (!eat_number(f, hours_most, &h))
        return false;
    if (eat(f, ':') && !eat_number(f, 59, &m))
        return false;
    if (f->at[-1] != ':' && eat(f, ':') && !eat_number(f, 59, &s))
        return false;
    *out = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool
eat_name(struct footer *f)
{
    const char *begin = f->at;

    if (eat(f, '<')) {
        while (f->at < f->end && *f->at != '>')
            f->at++;
        return eat(f, '>') && f->at - begin >= 5;
    }
    while (f->at < f->end && ((*f->at >= 'A' && *f->at <= 'Z') || (*f->at >= 'a' && *f->at <= 'z')))
        f->at++;
    return f->at - begin >= 3;
}

static bool
eat_rule(struct footer *f, struct rule *rule)
{
    bool ok;

    rule->at = 2 * 3600;
    if (!eat(f, ','))
        return false;
    if (eat(f, 'M')) {
        rule->kind = RULE_MONTH;
        ok = eat_number(f, 12, &rule->month) && rule->month >= 1 && eat(f, '.')
             && eat_number(f, 5, &rule->week) && rule->week >= 1 && eat(f, '.')
             && eat_number(f, 6, &rule->day);
    } else {
        rule->kind = eat(f, 'J') ? RULE_JULIAN : RULE_DAY;
        ok = eat_number(f, 365, &rule->day) && (rule->kind == RULE_DAY || rule->day >= 1);
    }
    if (ok && eat(f, '/'))
        ok = eat_time(f, 167, &rule->at);
    return ok;
}

static bool
parse_footer(struct footer *f)
{
    int32_t west;

    if (!eat_name(f) || !eat_time(f, 24, &west))
        return false;
    f->std = -west; /* POSIX counts westwards */
    f->dst = f->std + 3600;
    f->has_dst = f->at < f->end;
    if (!f->has_dst)
        return true;
    if (!eat_name(f))
        return false;
    if (f->at < f->end && *f->at != ',') {
        if (!eat_time(f, 24, &west))
            return false;
        f->dst = -west;
    }
    return eat_rule(f, &f->from) && eat_rule(f, &f->to) && f->at == f->end;
}

/** Seconds since 1970 on the wall clock before the change. */
static int64_t
rule_time(const struct rule *rule, int year)
{
    int64_t days = lp_civil_days(year, 1, 1);
    bool leap = lp_civil_month_length(year, 2) == 29;

    if (rule->kind == RULE_DAY) {
        days += rule->day;
    } else if (rule->kind == RULE_JULIAN) {
        days += rule->day - 1 + (leap && rule->day >= 60); /* 29 February is never counted */
    } else {
        int64_t first = lp_civil_days(year, rule->month, 1);
        int length = lp_civil_month_length(year, rule->month);
        int day = (rule->day - lp_civil_weekday(first) + 7) % 7 + (rule->week - 1) * 7;

        days = first + (day >= length ? day - 7 : day);
    }
    return days * DAY_S + rule->at;
}

static enum lp_code
add_rule_changes(struct lp_zone *zone, const struct footer *f, struct lp_err *err)
{
    struct lp_civil last = {.year = FIRST_RULE_YEAR};
    int64_t behind = zone->count == 0 ? INT64_MIN : zone->changes[zone->count - 1].at;
    enum lp_code rc = LP_OK;

    if (zone->count > 0)
        lp_civil_from_days(behind / DAY_S, &last);
    if (last.year < EARLIEST_RULE_YEAR)
        last.year = EARLIEST_RULE_YEAR;
    for (int year = last.year; rc == LP_OK && year <= LP_ZONE_LAST_YEAR; year++) {
        struct change turns[2] = {{rule_time(&f->from, year) - f->std, f->dst},
                                  {rule_time(&f->to, year) - f->dst, f->std}};
        bool south = turns[0].at > turns[1].at;

        for (int i = 0; rc == LP_OK && i < 2; i++) {
            const struct change *turn = &turns[south ? 1 - i : i];

            if (turn->at > behind) {
                behind = turn->at;
                rc = add_change(zone, turn->at, turn->offset, err);
            }
        }
    }
    return rc;
}

static enum lp_code
use_footer(struct lp_zone *zone, const char *text, size_t len, struct lp_err *err)
{
    struct footer f = {.at = text, .end = text + len};

    if (len == 0)
        return LP_OK;
    if (!parse_footer(&f))
        return broken(zone, "its footer is no POSIX TZ text", err);
    if (zone->count == 0)
        zone->first = f.std;
    return f.has_dst ? add_rule_changes(zone, &f, err) : LP_OK;
}

/* ---- the tables ---- */

struct block {
    size_t word; /* 4 or 8 bytes a time */
    uint32_t utcs, stds, leaps, times, types, chars;
    size_t len;
};

static int64_t
big_endian(const uint8_t *data, size_t bytes)
{
    uint64_t value = data[0] & 0x80 ? UINT64_MAX : 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | data[i];
    return (int64_t)value;
}

static bool
read_header(const uint8_t *data, size_t len, size_t word, struct block *out)
{
    uint32_t counts[6];

    if (len < HEADER || memcmp(data, "TZif", 4) != 0)
        return false;
    for (int i = 0; i < 6; i++)
        counts[i] = (uint32_t)big_endian(data + 20 + i * 4, 4);
    for (int i = 0; i < 6; i++)
        if (counts[i] > FILE_MAX)
            return false;
    *out =
        (struct block){word, counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], 0};
    out->len = out->times * (word + 1) + (size_t)out->types * 6 + out->chars
               + out->leaps * (word + 4) + out->stds + out->utcs;
    return out->len <= len - HEADER;
}

static enum lp_code
read_types(struct lp_zone *zone, const struct block *b, const uint8_t *types, struct lp_err *err)
{
    if (b->types == 0 || b->types > 256)
        return broken(zone, "it has no kinds of local time", err);
    if (b->leaps != 0)
        return lp_fail(err, LP_INVALID,
                       "time zone %s counts leap seconds, which clocks here do not", zone->name);
    for (uint32_t i = 0; i < b->types; i++) {
        int64_t offset = big_endian(types + (size_t)i * 6, 4);

        if (offset <= -OFFSET_MAX || offset >= OFFSET_MAX)
            return broken(zone, "an offset of more than a day", err);
    }
    zone->first = (int32_t)big_endian(types, 4);
    return LP_OK;
}

static enum lp_code
read_block(struct lp_zone *zone, const uint8_t *data, const struct block *b, struct lp_err *err)
{
    const uint8_t *indices = data + b->times * b->word, *types = indices + b->times;
    enum lp_code rc = read_types(zone, b, types, err);

    for (uint32_t i = 0; rc == LP_OK && i < b->times; i++) {
        int64_t at = big_endian(data + i * b->word, b->word);

        if (indices[i] >= b->types)
            return broken(zone, "a change to a kind of time it does not have", err);
        if (zone->count > 0 && at <= zone->changes[zone->count - 1].at)
            return broken(zone, "changes out of order", err);
        if (at > INT64_C(1) << 50) /* beyond every calendar */
            break;
        if (at < -(INT64_C(1) << 50)) { /* "since the beginning of time" */
            zone->first = (int32_t)big_endian(types + (size_t)indices[i] * 6, 4);
            continue;
        }
        rc = add_change(zone, at, (int32_t)big_endian(types + (size_t)indices[i] * 6, 4), err);
    }
    return rc;
}

static enum lp_code
parse(struct lp_zone *zone, const uint8_t *data, size_t len, struct lp_err *err)
{
    struct block b;
    const uint8_t *footer, *end;
    enum lp_code rc;

    if (!read_header(data, len, 4, &b))
        return broken(zone, "it does not begin as a zone file does", err);
    if (data[4] < '2') /* version 1: 32 bits, no footer */
        return read_block(zone, data + HEADER, &b, err);
    data += HEADER + b.len;
    len -= HEADER + b.len;
    if (!read_header(data, len, 8, &b))
        return broken(zone, "its second part is cut short", err);
    rc = read_block(zone, data + HEADER, &b, err);
    if (rc != LP_OK)
        return rc;
    footer = data + HEADER + b.len;
    len -= HEADER + b.len;
    if (len < 2 || footer[0] != '\n' || (end = memchr(footer + 1, '\n', len - 1)) == NULL)
        return broken(zone, "its footer is missing", err);
    return use_footer(zone, (const char *)footer + 1, (size_t)(end - footer - 1), err);
}

enum lp_code
lp_zone_parse(const char *name, const void *data, size_t len, struct lp_zone **out,
              struct lp_err *err)
{
    struct lp_zone *zone = calloc(1, sizeof *zone);
    enum lp_code rc;

    *out = NULL;
    if (zone == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a time zone");
    snprintf(zone->name, sizeof zone->name, "%s", name);
    rc = parse(zone, data, len, err);
    if (rc == LP_OK)
        *out = zone;
    else
        lp_zone_free(zone);
    return rc;
}

/* ---- loading ---- */

static bool
name_ok(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= LP_ZONE_NAME_MAX && name[0] != '/'
           && name[strspn(name,
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")]
                  == '\0';
}

static enum lp_code
unknown(const char *name, struct lp_err *err)
{
    return lp_fail(err, LP_INVALID,
                   "there is no time zone '%.64s' (IANA names such as Europe/Rome, or UTC)", name);
}

/** The whole file; malloc'ed. */
static enum lp_code
slurp(const char *name, uint8_t **data, size_t *len, struct lp_err *err)
{
    char path[sizeof ZONE_DIR + LP_ZONE_NAME_MAX + 2];
    struct stat st;
    ssize_t n = 0;
    int fd;

    snprintf(path, sizeof path, ZONE_DIR "/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && access(ZONE_DIR, X_OK) != 0)
        return lp_fail(err, LP_INVALID,
                       "time zone '%.64s' cannot be read: %s is missing (install tzdata)", name,
                       ZONE_DIR);
    if (fd < 0)
        return unknown(name, err);
    *len = 0;
    *data = NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX)
        *data = malloc((size_t)st.st_size + 1);
    while (*data != NULL && *len < (size_t)st.st_size
           && (n = read(fd, *data + *len, (size_t)st.st_size - *len)) > 0)
        *len += (size_t)n;
    close(fd);
    return *data == NULL ? unknown(name, err) : LP_OK;
}

enum lp_code
lp_zone_load(const char *name, struct lp_zone **out, struct lp_err *err)
{
    uint8_t *data;
    size_t len;
    enum lp_code rc;

    *out = NULL;
    if (!name_ok(name))
        return unknown(name, err);
    if (strcmp(name, "UTC") == 0) {
        *out = calloc(1, sizeof **out);
        if (*out == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a time zone");
        memcpy((*out)->name, "UTC", sizeof "UTC");
        return LP_OK;
    }
    rc = slurp(name, &data, &len, err);
    if (rc != LP_OK)
        return rc;
    if (len < HEADER || memcmp(data, "TZif", 4) != 0)
        rc = unknown(name, err);
    else
        rc = lp_zone_parse(name, data, len, out, err);
    free(data);
    return rc;
}

void
lp_zone_free(struct lp_zone *zone)
{
    if (zone == NULL)
        return;
    free(zone->changes);
    free(zone);
}

const char *
lp_zone_name(const struct lp_zone *zone)
{
    return zone->name;
}

/* ---- asking ---- */

/** Number of changes at or before that moment. */
static size_t
passed(const struct lp_zone *zone, int64_t utc_s)
{
    size_t low = 0, high = zone->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (zone->changes[mid].at <= utc_s)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int32_t
lp_zone_offset(const struct lp_zone *zone, int64_t utc_s)
{
    size_t n = passed(zone, utc_s);

    return n == 0 ? zone->first : zone->changes[n - 1].offset;
}

int64_t
lp_zone_next_change(const struct lp_zone *zone, int64_t utc_s)
{
    size_t n = passed(zone, utc_s);

    return n == zone->count ? INT64_MAX : zone->changes[n].at;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

void
lp_zone_local(const struct lp_zone *zone, int64_t utc_s, struct lp_civil *out)
{
    int64_t local = utc_s + lp_zone_offset(zone, utc_s), days = floor_div(local, DAY_S);
    int left = (int)(local - days * DAY_S);

    lp_civil_from_days(days, out);
    out->hour = left / 3600;
    out->minute = left / 60 % 60;
    out->second = left % 60;
}

int64_t
lp_zone_utc(const struct lp_zone *zone, const struct lp_civil *local)
{
    int64_t wall = lp_civil_days(local->year, local->month, local->day) * DAY_S
                   + (int64_t)local->hour * 3600 + (int64_t)local->minute * 60 + local->second;
    int64_t at = wall - OFFSET_MAX; /* here no clock shows it yet */

    for (;;) {
        int64_t match = wall - lp_zone_offset(zone, at), change = lp_zone_next_change(zone, at);

        if (match < at)
            match = at; /* the clock has jumped over it */
        if (match < change)
            return match;
        at = change;
    }
}

void
lp_zone_text(const struct lp_zone *zone, int64_t utc_s, char buf[static 33])
{
    int32_t offset = lp_zone_offset(zone, utc_s);
    int minutes = (offset < 0 ? -offset : offset) / 60;
    struct lp_civil c;

    lp_zone_local(zone, utc_s, &c);
    snprintf(buf, 33, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", c.year % 10000, c.month % 100,
             c.day % 100, c.hour % 100, c.minute % 100, c.second % 100, offset < 0 ? '-' : '+',
             minutes / 60 % 100, minutes % 60);
}
