#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/uuid.h"
#include "tests/support/test_main.h"

/* ---- errors ---- */

static void
codes_are_unique_and_found_by_slug(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LP_CODE_COUNT; i++) {
        const struct lp_code_info *info = lp_code_info((enum lp_code)i);

        assert_non_null(info->slug);
        assert_in_range(info->http, 200, 599);
        assert_in_range(info->exit, 0, 125);
        assert_true(strlen(info->text) > 3);
        assert_int_equal(lp_code_from_slug(info->slug), i);
        assert_true((info->exit == 0) == (i == LP_OK));
    }
    assert_int_equal(lp_code_from_slug("no-such-slug"), LP_INTERNAL);
    assert_int_equal(lp_code_from_slug(NULL), LP_INTERNAL);
    assert_string_equal(lp_code_info((enum lp_code)9999)->symbol, "LP_INTERNAL");
    assert_int_equal(lp_code_info(LP_UNKNOWN)->retry, LP_RETRY_AFTER_READBACK);
}

static void
messages_are_cut_at_a_character_and_made_utf8(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    char text[1200];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA4", 2);
    text[sizeof text - 2] = '\0';
    assert_int_equal(lp_fail(&err, LP_INVALID, "x%s", text), LP_INVALID);
    assert_in_range(strlen(err.msg), sizeof err.msg - 4, sizeof err.msg - 1);
    assert_true(lp_utf8_valid(err.msg, strlen(err.msg)));
    assert_int_equal(lp_fail(&err, LP_INVALID, "a\xFFz"), LP_INVALID);
    assert_string_equal(err.msg, "a?z");
    lp_err_clear(&err);
}

static void
an_error_may_be_rewritten_with_its_own_text(void **state)
{
    struct lp_err err = LP_ERR_INIT, other = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_fail_at(&err, LP_CONFLICT, "/0/code", "taken by %d", 7), LP_CONFLICT);
    err.detail = json_pack("{s:i}", "holder", 7);
    assert_int_equal(lp_err_prefix(&err, "%s: ", "pops.csv"), LP_CONFLICT);
    assert_string_equal(err.msg, "pops.csv: taken by 7");
    assert_string_equal(err.pointer, "/0/code");
    assert_non_null(err.detail);
    lp_err_move(&other, &err);
    assert_int_equal(err.code, LP_OK);
    assert_null(err.detail);
    assert_int_equal(lp_json_int(other.detail, "holder", 0), 7);
    assert_int_equal(lp_fail_at(&other, LP_DRIFT, other.pointer, "was: %s", other.msg), LP_DRIFT);
    assert_string_equal(other.msg, "was: pops.csv: taken by 7");
    assert_string_equal(other.pointer, "/0/code");
    assert_null(other.detail);
    lp_err_clear(&other);
    assert_string_equal(other.msg, "");
}

static void
a_prefix_never_overruns(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    char text[700];

    (void)state;
    memset(text, 'p', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(lp_fail(&err, LP_INVALID, "%s", text), LP_INVALID);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(lp_err_prefix(&err, "%s: ", text), LP_INVALID);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    lp_err_clear(&err);
}

/* ---- arena ---- */

static void
arena_memory_is_zeroed_aligned_and_rewound(void **state)
{
    struct lp_arena *arena = lp_arena_new();
    size_t mark;
    char *first, *again;

    (void)state;
    assert_string_equal(lp_arena_strdup(arena, "kept"), "kept");
    mark = lp_arena_mark(arena);
    first = lp_arena_alloc(arena, 3);
    memset(first, 0xAA, 3);
    for (size_t i = 1; i < 300; i++) {
        unsigned char *p = lp_arena_alloc(arena, i * 7);

        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < i * 7; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0x55, i * 7);
    }
    lp_arena_rewind(arena, mark);
    assert_int_equal(lp_arena_mark(arena), mark);
    again = lp_arena_alloc(arena, 3);
    assert_ptr_equal(again, first);
    assert_int_equal(again[0], 0);
    lp_arena_free(arena);
    lp_arena_free(NULL);
}

static void
arena_refuses_sizes_that_overflow(void **state)
{
    struct lp_arena *arena = lp_arena_new();

    (void)state;
    assert_null(lp_arena_array(arena, SIZE_MAX / 2, 3));
    assert_null(lp_arena_alloc(arena, SIZE_MAX));
    assert_null(lp_arena_alloc(arena, SIZE_MAX / 2 + 2));
    assert_non_null(lp_arena_array(arena, 0, 8));
    assert_non_null(lp_arena_array(arena, 8, 0));
    assert_string_equal(lp_arena_printf(arena, "%s-%05d", "x", 42), "x-00042");
    assert_string_equal(lp_arena_strndup(arena, "abcdef", 3), "abc");
    assert_string_equal(lp_arena_strndup(arena, "ab", 3), "ab");
    lp_arena_free(arena);
}

static void
property_arena_marks_nest(void **state)
{
    uint64_t seed = lp_test_seed("property_arena_marks_nest");
    struct lp_arena *arena = lp_arena_new();
    size_t marks[64], count = 0;
    char *kept[64];

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        if (count < LP_COUNT(marks) && lp_test_random(&seed) % 3 != 0) {
            kept[count] = lp_arena_printf(arena, "%zu", count);
            assert_non_null(lp_arena_alloc(arena, lp_test_random(&seed) % 9000));
            marks[count++] = lp_arena_mark(arena);
        } else if (count > 0) {
            size_t to = (size_t)(lp_test_random(&seed) % count);

            lp_arena_rewind(arena, marks[to]);
            count = to + 1;
            for (size_t k = 0; k < count; k++)
                assert_int_equal(strtoul(kept[k], NULL, 10), k);
        }
    }
    lp_arena_free(arena);
}

/* ---- buffers and hashes ---- */

static void
buffers_grow_and_stay_terminated(void **state)
{
    struct lp_buf buf = LP_BUF_INIT;
    char *text;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        lp_buf_printf(&buf, "%03u", i);
        assert_int_equal(strlen(buf.data), buf.len);
    }
    lp_buf_char(&buf, '!');
    lp_buf_add(&buf, NULL, 0);
    assert_int_equal(buf.len, 3001);
    lp_buf_reset(&buf);
    assert_int_equal(buf.len, 0);
    lp_buf_str(&buf, "again");
    text = lp_buf_take(&buf);
    assert_string_equal(text, "again");
    assert_null(buf.data);
    free(text);
    text = lp_buf_take(&buf);
    assert_string_equal(text, "");
    free(text);
}

static void
a_failed_buffer_stays_failed(void **state)
{
    static const char byte[1] = "x";
    struct lp_buf buf = LP_BUF_INIT;

    (void)state;
    lp_buf_str(&buf, "some");
    lp_buf_add(&buf, byte, SIZE_MAX / 2);
    assert_true(buf.failed);
    lp_buf_str(&buf, "more");
    assert_string_equal(buf.data, "some");
    assert_null(lp_buf_take(&buf));
    assert_null(buf.data);
}

static void
hashes_match_published_vectors(void **state)
{
    /* FIPS 180-4 "abc" and the empty message; RFC 4231 test cases 1, 2 and 6 */
    unsigned char key[131];
    char out[65];

    (void)state;
    lp_sha256_hex("abc", 3, out);
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    lp_sha256_hex("", 0, out);
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    memset(key, 0x0B, 20);
    lp_hmac_hex(key, 20, "Hi There", 8, out);
    assert_string_equal(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    lp_hmac_hex("Jefe", 4, "what do ya want for nothing?", 28, out);
    assert_string_equal(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xAA, 131);
    lp_hmac_hex(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
    assert_string_equal(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_true(lp_same_secret("abc", "abc"));
    assert_false(lp_same_secret("abc", "abd"));
    assert_false(lp_same_secret("abc", "ab"));
}

static void
random_bytes_differ(void **state)
{
    unsigned char a[32] = {0}, b[32] = {0};

    (void)state;
    lp_random(a, sizeof a);
    lp_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

/* ---- time ---- */

static void
times_are_written_and_read(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2026-02-01T10:00:00.250000+00:00", INT64_C(1769940000250000)},
        {"2026-02-01T12:00:00.25+02:00", INT64_C(1769940000250000)},
        {"2026-02-01 04:30:00.250-0530", INT64_C(1769940000250000)},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000000)},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
    };
    char text[33];

    (void)state;
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        struct lp_err err = LP_ERR_INIT;
        int64_t us = 0, back = 1;

        assert_int_equal(lp_time_parse(rows[i].text, &us, &err), LP_OK);
        assert_true(us == rows[i].us);
        lp_time_iso(us, text);
        assert_int_equal(lp_time_parse(text, &back, &err), LP_OK);
        assert_true(back == us);
    }
    lp_time_iso(INT64_C(1769940000250000), text);
    assert_string_equal(text, "2026-02-01T10:00:00.250000+00:00");
    lp_time_iso(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999+00:00");
    lp_time_iso(INT64_MIN, text);
    assert_string_equal(text, "0001-01-01T00:00:00.000000+00:00");
}

static void
wrong_times_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "now",
        "2026-02-01",
        "2026-02-01T10:00:00",
        "2026-02-30T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-02-01T24:00:00Z",
        "2026-02-01T10:60:00Z",
        "2026-02-01T10:00:60Z",
        "2026-02-01T10:00:00.Z",
        "2026-02-01T10:00:00.1234567Z",
        "2026-02-01T10:00:00Zx",
        "2026-02-01T10:00:00+24:00",
        "2026-02-01T10:00:00+1:00",
        "2026-2-01T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "-026-02-01T10:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        struct lp_err err = LP_ERR_INIT;
        int64_t us = 77;

        assert_int_equal(lp_time_parse(texts[i], &us, &err), LP_INVALID);
        assert_int_equal(us, 77);
        lp_err_clear(&err);
    }
}

static void
property_times_round_trip(void **state)
{
    uint64_t seed = lp_test_seed("property_times_round_trip");

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        int64_t us = (int64_t)(lp_test_random(&seed) % UINT64_C(315537897600000000))
                     - INT64_C(62135596800000000);
        struct lp_err err = LP_ERR_INIT;
        int64_t back = 0;
        char text[33];

        lp_time_iso(us, text);
        assert_int_equal(lp_time_parse(text, &back, &err), LP_OK);
        assert_true(back == us);
    }
}

static void
a_clock_can_be_turned(void **state)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    int64_t utc = lp_clock_utc_us(&clock), mono = lp_clock_mono_us(&clock);

    (void)state;
    assert_true(lp_clock_mono_us(&clock) >= mono);
    lp_clock_turn(&clock, INT64_C(3600000000));
    assert_in_range(lp_clock_utc_us(&clock) - utc, INT64_C(3600000000), INT64_C(3660000000));
    assert_in_range(lp_clock_mono_us(&clock) - mono, INT64_C(3600000000), INT64_C(3660000000));
    assert_in_range(lp_clock_utc_us(NULL) - utc, 0, 60000000);
}

/* ---- UUIDs ---- */

static void
uuids_have_their_version_and_variant(void **state)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_uuid four = lp_uuid_v4(), seven = lp_uuid_v7(&clock);

    (void)state;
    assert_true(lp_uuid_valid(four.text));
    assert_true(lp_uuid_valid(seven.text));
    assert_int_equal(four.text[14], '4');
    assert_int_equal(seven.text[14], '7');
    assert_non_null(strchr("89ab", four.text[19]));
    assert_non_null(strchr("89ab", seven.text[19]));
    assert_string_not_equal(four.text, lp_uuid_v4().text);
}

static void
v5_matches_the_published_vector(void **state)
{
    (void)state;
    /* RFC 9562 appendix A.4: "www.example.com" in the DNS name space */
    assert_string_equal(lp_uuid_v5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com").text,
                        "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    assert_string_equal(lp_catalog_id("product", "PoP").text,
                        lp_uuid_v5(LP_CATALOG_NAMESPACE, "product:PoP").text);
    assert_string_not_equal(lp_catalog_id("product", "PoP").text,
                            lp_catalog_id("workflow", "PoP").text);
}

static void
only_lower_case_uuids_are_valid(void **state)
{
    static const char *const wrong[] = {
        "",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c89",
        "6BA7b810-9dad-11d1-80b4-00c04fd430c8",
        "6ba7b810x9dad-11d1-80b4-00c04fd430c8",
        "6ba7b8109-dad-11d1-80b4-00c04fd430c8",
        "6ba7b810-9dad-11d1-80b4-00c04fd430g8",
        "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(wrong); i++)
        assert_false(lp_uuid_valid(wrong[i]));
    assert_false(lp_uuid_valid(NULL));
    assert_true(lp_uuid_valid("6ba7b810-9dad-11d1-80b4-00c04fd430c8"));
}

enum { MAKERS = 8, PER_MAKER = 20000 };

struct maker {
    struct lp_clock *clock;
    struct lp_uuid ids[PER_MAKER];
};

static void *
make_ids(void *arg)
{
    struct maker *maker = arg;

    for (unsigned i = 0; i < PER_MAKER; i++) {
        maker->ids[i] = lp_uuid_v7(maker->clock);
        if (i % 1000 == 500)
            lp_clock_turn(maker->clock, -10000000); /* the clock falls back by 10 s */
    }
    return NULL;
}

static int
compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct lp_uuid *)a)->text, ((const struct lp_uuid *)b)->text);
}

static void
v7_grows_in_every_thread_and_never_repeats(void **state)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    struct maker *makers = calloc(MAKERS, sizeof *makers);
    struct lp_uuid *all = calloc((size_t)MAKERS * PER_MAKER, sizeof *all), last;
    pthread_t threads[MAKERS];

    (void)state;
    last = lp_uuid_v7(&clock);
    for (unsigned i = 0; i < MAKERS; i++) {
        makers[i].clock = &clock;
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, &makers[i]), 0);
    }
    for (unsigned i = 0; i < MAKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(strcmp(last.text, makers[i].ids[0].text) < 0);
        for (unsigned k = 1; k < PER_MAKER; k++)
            assert_true(compare_ids(&makers[i].ids[k - 1], &makers[i].ids[k]) < 0);
        memcpy(all + (size_t)i * PER_MAKER, makers[i].ids, sizeof makers[i].ids);
    }
    qsort(all, (size_t)MAKERS * PER_MAKER, sizeof *all, compare_ids);
    /* the time part alone (before the random tail) is never given out twice */
    for (size_t i = 1; i < (size_t)MAKERS * PER_MAKER; i++)
        assert_true(strncmp(all[i - 1].text, all[i].text, 18) < 0);
    free(makers);
    free(all);
}

/* ---- log ---- */

struct capture {
    int read_fd;
    struct lp_log *log;
    struct lp_clock clock;
};

static void
capture_open(struct capture *c, enum lp_level min)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    *c = (struct capture){.read_fd = fds[0], .clock = LP_CLOCK_INIT};
    c->log = lp_log_new(fds[1], min, &c->clock);
    assert_non_null(c->log);
}

/* What one read(2) returns: with a pipe, the line of one write(2). */
static json_t *
capture_line(struct capture *c)
{
    char text[8192];
    struct lp_err err = LP_ERR_INIT;
    json_t *line = NULL;
    ssize_t n = read(c->read_fd, text, sizeof text);

    assert_in_range(n, 2, sizeof text - 1);
    assert_int_equal(text[n - 1], '\n');
    if (lp_json_load(text, (size_t)n, &line, &err) != LP_OK)
        fail_msg("%s: %.*s", err.msg, (int)n, text);
    return line;
}

static void
a_line_is_one_json_object(void **state)
{
    struct capture c;
    json_auto_t *given = json_pack("{s:[i]}", "list", 1);
    json_auto_t *line = NULL;

    (void)state;
    capture_open(&c, LP_LOG_INFO);
    lp_log_correlation("req-1");
    lp_logf(c.log, LP_LOG_INFO, "step.done", "s:s, s:I, s:i s:b,s:n,s:s?,s:f,s:O,s:o,s:s#",
            "process", "p1", "ms", (json_int_t)12, "small", -3, "yes", 1, "nothing", "maybe", NULL,
            "half", 0.5, "shared", given, "stolen", json_integer(9), "part", "abcdef", 3);
    lp_log_correlation("");
    line = capture_line(&c);
    assert_string_equal(lp_json_str(line, "level", ""), "info");
    assert_string_equal(lp_json_str(line, "event", ""), "step.done");
    assert_string_equal(lp_json_str(line, "correlation_id", ""), "req-1");
    assert_string_equal(lp_json_str(line, "process", ""), "p1");
    assert_int_equal(lp_json_int(line, "ms", 0), 12);
    assert_int_equal(lp_json_int(line, "small", 0), -3);
    assert_true(lp_json_true(line, "yes"));
    assert_true(json_is_null(json_object_get(line, "nothing")));
    assert_true(json_is_null(json_object_get(line, "maybe")));
    assert_true(lp_json_same(json_object_get(line, "shared"), given));
    assert_int_equal(lp_json_int(line, "stolen", 0), 9);
    assert_string_equal(lp_json_str(line, "part", ""), "abc");
    assert_int_equal(strlen(lp_json_str(line, "ts", "")), 32);
    assert_int_equal(json_object_size(line), 14);
    lp_log_free(c.log);
}

static void
secrets_are_hidden_at_any_depth(void **state)
{
    struct capture c;
    json_auto_t *line = NULL;
    char *text;

    (void)state;
    capture_open(&c, LP_LOG_INFO);
    lp_logf(c.log, LP_LOG_WARN, "login", "s:s, s:s, s:o, s:s, s:I", "Password", "hunter2", "key",
            "hunter2", "request",
            json_pack("{s:[{s:s, s:{s:s}}], s:s}", "headers", "Authorization", "hunter2",
                      "api_token", "x", "hunter2", "user", "anna"),
            "step_key", "verify", "n", (json_int_t)1);
    line = capture_line(&c);
    text = lp_json_text(line);
    assert_null(strstr(text, "hunter2"));
    assert_string_equal(lp_json_str(line, "Password", ""), "***");
    assert_string_equal(lp_json_str(line, "key", ""), "***");
    assert_string_equal(lp_json_str(line, "step_key", ""), "verify");
    assert_string_equal(lp_json_str(json_object_get(line, "request"), "user", ""), "anna");
    assert_int_equal(lp_json_int(line, "n", 0), 1);
    free(text);
    lp_log_free(c.log);
}

static void
bad_bytes_and_huge_values_make_valid_lines(void **state)
{
    struct capture c;
    json_t *line;
    char *huge = malloc(100001);

    (void)state;
    capture_open(&c, LP_LOG_DEBUG);
    lp_logf(c.log, LP_LOG_DEBUG, "device.said", "s:s", "text", "ok \xFF\xC3 \x01\"\\ \xE2\x82\xAC");
    line = capture_line(&c);
    assert_string_equal(lp_json_str(line, "text", ""),
                        "ok \xEF\xBF\xBD\xEF\xBF\xBD \x01\"\\ \xE2\x82\xAC");
    json_decref(line);
    for (size_t i = 0; i < 100000; i += 2)
        memcpy(huge + i, "\xC3\xA4", 2);
    huge[100000] = '\0';
    lp_logf(c.log, LP_LOG_DEBUG, "device.said", "s:s", "text", huge + 1);
    line = capture_line(&c);
    assert_in_range(strlen(lp_json_str(line, "text", "")), 4000, 4200);
    json_decref(line);
    free(huge);
    lp_log_free(c.log);
}

static void
a_wrong_format_is_told_and_does_not_crash(void **state)
{
    struct capture c;
    json_auto_t *line = NULL;

    (void)state;
    capture_open(&c, LP_LOG_INFO);
    lp_logf(c.log, LP_LOG_INFO, "odd", "s:q", "name", 1);
    line = capture_line(&c);
    assert_string_equal(lp_json_str(line, "log_format", ""), "bad");
    lp_log_free(c.log);
}

static void
levels_filter_and_change(void **state)
{
    struct capture c;
    struct lp_err err = LP_ERR_INIT;
    json_t *line, *stolen = json_object();
    bool ok = false;

    (void)state;
    capture_open(&c, LP_LOG_WARN);
    assert_false(lp_log_on(c.log, LP_LOG_INFO));
    assert_false(lp_log_on(NULL, LP_LOG_ERROR));
    json_incref(stolen);
    lp_logf(c.log, LP_LOG_INFO, "dropped", "s:o", "x", stolen);
    assert_int_equal(stolen->refcount, 1); /* stolen although nothing was written */
    lp_logf(NULL, LP_LOG_ERROR, "dropped", "");
    json_decref(stolen);
    assert_int_equal(lp_fail_at(&err, LP_CONFLICT, "/0", "held by \"x\""), LP_CONFLICT);
    err.detail = json_pack("{s:s, s:s}", "holder", "x", "token", "abc");
    lp_log_err(c.log, LP_LOG_WARN, "start.failed", &err);
    line = capture_line(&c);
    assert_string_equal(lp_json_str(line, "event", ""), "start.failed"); /* the first line at all */
    assert_string_equal(lp_json_str(line, "error", ""), "conflict");
    assert_string_equal(lp_json_str(line, "msg", ""), "held by \"x\"");
    assert_string_equal(lp_json_str(line, "pointer", ""), "/0");
    assert_string_equal(lp_json_str(json_object_get(line, "detail"), "token", ""), "***");
    json_decref(line);
    lp_log_set_level(c.log, LP_LOG_DEBUG);
    assert_true(lp_log_on(c.log, LP_LOG_DEBUG));
    assert_int_equal(lp_level_from_name("error", &ok), LP_LOG_ERROR);
    assert_true(ok);
    (void)lp_level_from_name("loud", &ok);
    assert_false(ok);
    lp_err_clear(&err);
    lp_log_free(c.log);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_unique_and_found_by_slug),
        cmocka_unit_test(messages_are_cut_at_a_character_and_made_utf8),
        cmocka_unit_test(an_error_may_be_rewritten_with_its_own_text),
        cmocka_unit_test(a_prefix_never_overruns),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_rewound),
        cmocka_unit_test(arena_refuses_sizes_that_overflow),
        cmocka_unit_test(property_arena_marks_nest),
        cmocka_unit_test(buffers_grow_and_stay_terminated),
        cmocka_unit_test(a_failed_buffer_stays_failed),
        cmocka_unit_test(hashes_match_published_vectors),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(times_are_written_and_read),
        cmocka_unit_test(wrong_times_are_refused),
        cmocka_unit_test(property_times_round_trip),
        cmocka_unit_test(a_clock_can_be_turned),
        cmocka_unit_test(uuids_have_their_version_and_variant),
        cmocka_unit_test(v5_matches_the_published_vector),
        cmocka_unit_test(only_lower_case_uuids_are_valid),
        cmocka_unit_test(v7_grows_in_every_thread_and_never_repeats),
        cmocka_unit_test(a_line_is_one_json_object),
        cmocka_unit_test(secrets_are_hidden_at_any_depth),
        cmocka_unit_test(bad_bytes_and_huge_values_make_valid_lines),
        cmocka_unit_test(a_wrong_format_is_told_and_does_not_crash),
        cmocka_unit_test(levels_filter_and_change),
    };
    return LP_RUN_TESTS(tests);
}
