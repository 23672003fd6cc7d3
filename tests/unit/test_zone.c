/* Time zones and cron: the system's zone files, both turns of Europe/Rome, and the search against a
 * count of every minute. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cron.h"
#include "base/uuid.h"
#include "tests/support/test_main.h"

static struct lp_zone *
zone_of(const char *name)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_zone *zone = NULL;

    assert_int_equal(lp_zone_load(name, &zone, &err), LP_OK);
    return zone;
}

static int64_t
utc(int y, int mo, int d, int h, int mi, int s)
{
    return lp_civil_days(y, mo, d) * 86400 + h * 3600 + mi * 60 + s;
}

static void
calendar(void **unused)
{
    (void)unused;
    for (int64_t day = -200000; day < 200000; day++) {
        struct lp_civil c;

        lp_civil_from_days(day, &c);
        assert_int_equal(lp_civil_days(c.year, c.month, c.day), day);
    }
    assert_int_equal(lp_civil_days(1970, 1, 1), 0);
    assert_int_equal(lp_civil_weekday(0), 4);
    assert_int_equal(lp_civil_weekday(-4), 0);
    assert_int_equal(lp_civil_month_length(2096, 2), 29);
    assert_int_equal(lp_civil_month_length(2100, 2), 28);
    assert_int_equal(lp_civil_days(2026, 14, 1), lp_civil_days(2027, 2, 1));
}

/* The C library reads the same files: one process-global zone at a time, which is what we cannot
 * use, but can compare with. */
static void
agrees_with_libc(void **unused)
{
    static const char *const names[] = {
        "Europe/Rome",     "America/New_York",  "Asia/Kolkata",      "Australia/Lord_Howe",
        "Pacific/Apia",    "Africa/Casablanca", "America/St_Johns",  "Antarctica/Troll",
        "Pacific/Chatham", "Europe/Dublin",     "America/Sao_Paulo", "Asia/Gaza"};

    (void)unused;
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        struct lp_zone *zone = zone_of(names[i]);

        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t at = utc(1950, 1, 1, 0, 0, 7); at < utc(2150, 1, 1, 0, 0, 0);
             at += 86400 / 2 + 617) {
            time_t t = (time_t)at;
            struct tm tm;

            assert_non_null(localtime_r(&t, &tm));
            if (tm.tm_gmtoff != lp_zone_offset(zone, at))
                fail_msg("%s at %lld: %ld, not %d", names[i], (long long)at, tm.tm_gmtoff,
                         lp_zone_offset(zone, at));
        }
        lp_zone_free(zone);
    }
    unsetenv("TZ");
    tzset();
}

static void
rome_turns(void **unused)
{
    struct lp_zone *rome = zone_of("Europe/Rome");
    char text[33];

    (void)unused;
    /* 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC */
    assert_int_equal(lp_zone_utc(rome, &(struct lp_civil){2026, 3, 29, 1, 59, 59}),
                     utc(2026, 3, 29, 0, 59, 59));
    assert_int_equal(lp_zone_utc(rome, &(struct lp_civil){2026, 3, 29, 2, 0, 0}),
                     utc(2026, 3, 29, 1, 0, 0));
    assert_int_equal(lp_zone_utc(rome, &(struct lp_civil){2026, 3, 29, 2, 30, 0}),
                     utc(2026, 3, 29, 1, 0, 0));
    assert_int_equal(lp_zone_utc(rome, &(struct lp_civil){2026, 3, 29, 3, 30, 0}),
                     utc(2026, 3, 29, 1, 30, 0));
    /* 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC; 02:30 comes at 00:30 and 01:30 UTC */
    assert_int_equal(lp_zone_utc(rome, &(struct lp_civil){2026, 10, 25, 2, 30, 0}),
                     utc(2026, 10, 25, 0, 30, 0));
    assert_int_equal(lp_zone_utc(rome, &(struct lp_civil){2026, 10, 25, 3, 0, 0}),
                     utc(2026, 10, 25, 2, 0, 0));
    assert_int_equal(lp_zone_next_change(rome, utc(2026, 4, 1, 0, 0, 0)),
                     utc(2026, 10, 25, 1, 0, 0));
    /* behind the table of the file the footer goes on */
    assert_int_equal(lp_zone_offset(rome, utc(2095, 7, 1, 0, 0, 0)), 7200);
    assert_int_equal(lp_zone_offset(rome, utc(2095, 1, 1, 0, 0, 0)), 3600);
    lp_zone_text(rome, utc(2026, 3, 29, 1, 0, 0), text);
    assert_string_equal(text, "2026-03-29T03:00:00+02:00");
    lp_zone_free(rome);
}

static void
refuses_names(void **unused)
{
    static const char *const names[] = {"",
                                        "Europe/Rom",
                                        "../../etc/passwd",
                                        "/etc/localtime",
                                        "Europe",
                                        "Europe/Rome\n",
                                        "tzdata.zi",
                                        "zone1970.tab",
                                        "right/Europe/Rome"};
    char longest[200];

    (void)unused;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i <= LP_COUNT(names); i++) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_zone *zone = NULL;

        assert_int_equal(lp_zone_load(i < LP_COUNT(names) ? names[i] : longest, &zone, &err),
                         LP_INVALID);
        assert_null(zone);
        lp_err_clear(&err);
    }
}

/* Every shortened and every bit-flipped file is refused or read, and never crashes. */
static void
damaged_files(void **unused)
{
    static uint8_t data[65536], copy[65536];
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Rome", "rb");
    size_t len;

    (void)unused;
    assert_non_null(file);
    len = fread(data, 1, sizeof data, file);
    fclose(file);
    for (size_t n = 0; n < len * 2; n++) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_zone *zone = NULL;
        size_t cut = n < len ? n : len;

        memcpy(copy, data, len);
        if (n >= len)
            copy[n - len] ^= (uint8_t)(1u << (n % 8));
        if (lp_zone_parse("damaged", copy, cut, &zone, &err) == LP_OK)
            (void)lp_zone_utc(zone, &(struct lp_civil){2026, 3, 29, 2, 30, 0});
        else
            assert_int_equal(n < len ? err.code : LP_INVALID, LP_INVALID);
        lp_zone_free(zone);
        lp_err_clear(&err);
    }
}

/* ---- cron ---- */

static int64_t
next_of(const char *text, const char *zone_name, int64_t after)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_zone *zone = zone_of(zone_name);
    struct lp_cron cron;
    int64_t due = -1;

    if (lp_cron_parse(text, &cron, &err) != LP_OK)
        fail_msg("%s: %s", text, err.msg);
    if (!lp_cron_next(&cron, zone, after, &due))
        due = -1;
    lp_zone_free(zone);
    return due;
}

static void
expressions(void **unused)
{
    int64_t monday = utc(2026, 6, 1, 12, 0, 0);

    (void)unused;
    assert_int_equal(next_of("*/15 * * * *", "UTC", monday), monday + 900);
    assert_int_equal(next_of("0 3 * * *", "UTC", monday), utc(2026, 6, 2, 3, 0, 0));
    assert_int_equal(next_of("0 3 L * *", "UTC", monday), utc(2026, 6, 30, 3, 0, 0));
    assert_int_equal(next_of("0 3 L feb *", "UTC", monday), utc(2027, 2, 28, 3, 0, 0));
    assert_int_equal(next_of("0 3 29 2 *", "UTC", utc(2096, 3, 1, 0, 0, 0)),
                     utc(2104, 2, 29, 3, 0, 0));
    assert_int_equal(next_of("30 4 * * mon-fri", "UTC", utc(2026, 6, 5, 12, 0, 0)),
                     utc(2026, 6, 8, 4, 30, 0));
    assert_int_equal(next_of("0 0 * * 0", "UTC", monday), utc(2026, 6, 7, 0, 0, 0));
    assert_int_equal(next_of("0 0 * * 7", "UTC", monday), utc(2026, 6, 7, 0, 0, 0));
    assert_int_equal(next_of("0 0 * * 1", "UTC", monday), utc(2026, 6, 8, 0, 0, 0));
    assert_int_equal(next_of("0 0 * * fri-sun", "UTC", monday), utc(2026, 6, 5, 0, 0, 0));
    /* both restricted: either is enough */
    assert_int_equal(next_of("0 0 13 * 5", "UTC", monday), utc(2026, 6, 5, 0, 0, 0));
    assert_int_equal(next_of("0 0 13 * 5", "UTC", utc(2026, 6, 12, 1, 0, 0)),
                     utc(2026, 6, 13, 0, 0, 0));
    assert_int_equal(next_of("10/20 * * * *", "UTC", monday), monday + 600);
    assert_int_equal(next_of("*/10 * * * * *", "UTC", monday), monday + 10);
    assert_int_equal(next_of("5 0 3 * * *", "UTC", monday), utc(2026, 6, 2, 3, 0, 5));
    assert_int_equal(next_of("0 3 31 2 *", "UTC", monday), -1);
    assert_int_equal(next_of("* * 30,31 feb *", "UTC", monday), -1);
}

static void
refuses_expressions(void **unused)
{
    static const char *const bad[] = {"",
                                      "* * * *",
                                      "* * * * * * *",
                                      "60 * * * *",
                                      "* 24 * * *",
                                      "* * 0 * *",
                                      "* * 32 * *",
                                      "* * * 13 * ",
                                      "* * * * 8",
                                      "5-1 * * * *",
                                      "*/0 * * * *",
                                      "1,,2 * * * *",
                                      "a * * * *",
                                      "* * * foo *",
                                      "* * * janu *",
                                      "1- * * * *",
                                      "1/ * * * *",
                                      "-1 * * * *",
                                      "* * L-3 * *",
                                      "? * * * *",
                                      "99999999999 * * * *",
                                      "1;2 * * * *",
                                      "*1 * * * *"};
    struct lp_cron cron;

    (void)unused;
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        struct lp_err err = LP_ERR_INIT;

        if (lp_cron_parse(bad[i], &cron, &err) != LP_INVALID)
            fail_msg("'%s' was taken", bad[i]);
        assert_true(err.msg[0] != '\0');
        lp_err_clear(&err);
    }
}

static void
rome_cron(void **unused)
{
    int64_t before = utc(2026, 3, 28, 12, 0, 0), due;

    (void)unused;
    /* 02:30 does not exist: once, at the first moment behind the gap */
    due = next_of("30 2 * * *", "Europe/Rome", before);
    assert_int_equal(due, utc(2026, 3, 29, 1, 0, 0));
    assert_int_equal(next_of("30 2 * * *", "Europe/Rome", due), utc(2026, 3, 30, 0, 30, 0));
    /* several left out times count once */
    due = next_of("*/10 2 * * *", "Europe/Rome", before);
    assert_int_equal(due, utc(2026, 3, 29, 1, 0, 0));
    assert_int_equal(next_of("*/10 2 * * *", "Europe/Rome", due), utc(2026, 3, 30, 0, 0, 0));
    /* 02:30 comes twice: the first time only */
    due = next_of("30 2 * * *", "Europe/Rome", utc(2026, 10, 24, 12, 0, 0));
    assert_int_equal(due, utc(2026, 10, 25, 0, 30, 0));
    assert_int_equal(next_of("30 2 * * *", "Europe/Rome", due), utc(2026, 10, 26, 1, 30, 0));
    /* a rhythm goes on */
    due = utc(2026, 3, 29, 0, 30, 0);
    assert_int_equal(next_of("30 * * * *", "Europe/Rome", due), due + 3600);
    due = utc(2026, 10, 25, 0, 30, 0);
    assert_int_equal(next_of("30 * * * *", "Europe/Rome", due), due + 3600);
    assert_int_equal(next_of("*/15 * * * *", "Europe/Rome", due), due + 900);
}

/* ---- the search against a count of every minute ---- */

static uint64_t seed;

static unsigned
dice(unsigned n)
{
    return (unsigned)(lp_test_random(&seed) % n);
}

static void
random_field(char *out, size_t size, int low, int high)
{
    int a = low + (int)dice((unsigned)(high - low + 1)),
        b = a + (int)dice((unsigned)(high - a + 1));

    switch (dice(5)) {
    case 0:
        snprintf(out, size, "*");
        break;
    case 1:
        snprintf(out, size, "%d", a);
        break;
    case 2:
        snprintf(out, size, "%d-%d", a, b);
        break;
    case 3:
        snprintf(out, size, "*/%u", 2 + dice(9));
        break;
    default:
        snprintf(out, size, "%d,%d-%d/%u", low, a, b, 1 + dice(5));
    }
}

static bool
wants(const struct lp_cron *cron, const struct lp_civil *c)
{
    bool dom = (cron->set[LP_CRON_DAY] >> c->day & 1) != 0;
    bool dow =
        (cron->set[LP_CRON_WEEKDAY] >> lp_civil_weekday(lp_civil_days(c->year, c->month, c->day))
         & 1)
        != 0;
    bool any_dom = cron->set[LP_CRON_DAY] == UINT64_C(0xfffffffe);
    bool any_dow = cron->set[LP_CRON_WEEKDAY] == 0x7f;
    bool day = any_dom ? dow : any_dow ? dom : dom || dow;

    return day && (cron->set[LP_CRON_MINUTE] >> c->minute & 1) != 0
           && (cron->set[LP_CRON_HOUR] >> c->hour & 1) != 0
           && (cron->set[LP_CRON_MONTH] >> c->month & 1) != 0;
}

enum { SPAN_MINUTES = 4 * 1440 };

/** Marks every due minute from `begin` on. Wall clock times are walked one by one, those that are
 * left out as well. */
static void
count_all(const struct lp_cron *cron, const struct lp_zone *zone, int64_t begin, bool *due)
{
    bool rhythm = cron->set[LP_CRON_HOUR] == 0xffffff;
    int64_t shown = INT64_MIN; /* latest wall clock time seen so far */

    memset(due, 0, SPAN_MINUTES);
    for (int i = -1440; i < SPAN_MINUTES; i++) {
        int64_t at = begin + (int64_t)i * 60, wall = at + lp_zone_offset(zone, at);
        int64_t from = rhythm || shown == INT64_MIN ? wall : shown + 60;

        for (int64_t w = from; w <= wall; w += 60) {
            struct lp_civil c;
            int64_t days = w / 86400;

            lp_civil_from_days(days, &c);
            c.hour = (int)(w % 86400 / 3600);
            c.minute = (int)(w % 3600 / 60);
            if (wants(cron, &c) && i >= 0)
                due[i] = true;
        }
        if (wall > shown)
            shown = wall;
    }
}

static void
against_count(void **unused)
{
    static const struct {
        const char *zone;
        int y, m, d;
    } places[] = {{"Europe/Rome", 2026, 3, 27},        {"Europe/Rome", 2026, 10, 23},
                  {"America/New_York", 2027, 3, 12},   {"Australia/Lord_Howe", 2026, 10, 2},
                  {"Australia/Lord_Howe", 2026, 4, 3}, {"America/Sao_Paulo", 2018, 11, 2},
                  {"America/Havana", 2026, 10, 30},    {"Asia/Kolkata", 2026, 2, 27},
                  {"Pacific/Apia", 2011, 12, 28}};
    static bool due[SPAN_MINUTES];

    (void)unused;
    seed = lp_test_seed("cron");
    for (int round = 0; round < 400; round++) {
        struct lp_err err = LP_ERR_INIT;
        size_t p = dice(LP_COUNT(places));
        struct lp_zone *zone = zone_of(places[p].zone);
        int64_t begin = utc(places[p].y, places[p].m, places[p].d, 0, 0, 0), at = begin - 1;
        char f[5][40], text[256];
        struct lp_cron cron;

        random_field(f[0], sizeof f[0], 0, 59);
        random_field(f[1], sizeof f[1], 0, 23);
        random_field(f[2], sizeof f[2], 1, 31);
        random_field(f[3], sizeof f[3], 1, 12);
        random_field(f[4], sizeof f[4], 0, 6);
        snprintf(text, sizeof text, "%s %s %s %s %s", f[0], f[1], f[2], dice(3) ? "*" : f[3], f[4]);
        assert_int_equal(lp_cron_parse(text, &cron, &err), LP_OK);
        count_all(&cron, zone, begin, due);
        for (int i = 0; i < SPAN_MINUTES; i++) {
            int64_t found;

            if (!due[i])
                continue;
            if (!lp_cron_next(&cron, zone, at, &found) || found != begin + (int64_t)i * 60)
                fail_msg("%s in %s after %lld: minute %d, not %lld", text, places[p].zone,
                         (long long)at, i, (long long)(found - begin) / 60);
            at = found;
        }
        {
            int64_t found = INT64_MAX;

            if (lp_cron_next(&cron, zone, at, &found))
                assert_true(found >= begin + (int64_t)SPAN_MINUTES * 60);
        }
        lp_zone_free(zone);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calendar),
        cmocka_unit_test(agrees_with_libc),
        cmocka_unit_test(rome_turns),
        cmocka_unit_test(refuses_names),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(expressions),
        cmocka_unit_test(refuses_expressions),
        cmocka_unit_test(rome_cron),
        cmocka_unit_test(against_count),
    };

    return LP_RUN_TESTS(tests);
}
