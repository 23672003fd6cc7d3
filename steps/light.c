/* What the elements see of fibers, beside what is claimed on them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/products_gen.h"
#include "steps/route_internal.h"
#include "store/claims.h"
#include "store/devices.h"

enum { ENDS = 2 };

/** One end of a fiber, and what its device last said of it. */
struct end {
    char device_id[LP_UUID_LEN + 1], device[256], port[128];
    bool reads;    /* its device tells its light, and has been asked */
    bool unread;   /* it would tell it, and was never asked */
    int64_t as_of; /* UTC us */
    struct lp_range_list light;
};
struct fiber {
    bool is_leased;
    struct lp_range limit; /* of leased spectrum */
    char id[LP_UUID_LEN + 1], name[256];
    struct end ends[ENDS];
    size_t end_count;
    json_t *observed;
    json_t *claims; /* lp_claims_of */
};

static void
fiber_free(struct fiber *fiber)
{
    for (size_t i = 0; i < ENDS; i++)
        free(fiber->ends[i].light.rows);
    json_decref(fiber->observed);
    json_decref(fiber->claims);
}

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for the light of a fiber");
}

/* ---- reading ---- */

static enum lp_code
take_items(struct fiber *fiber, struct end *end, const json_t *doc, struct lp_err *err)
{
    const json_t *item;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(json_object_get(doc, "items"), i, item)
    {
        int64_t low = lp_json_int(item, "low_mhz", 0), high = lp_json_int(item, "high_mhz", 0);

        if (rc != LP_OK || strcmp(lp_json_str(item, "port", ""), end->port) != 0)
            continue;
        rc = lp_range_list_add(&end->light, low, high, err);
        if (rc == LP_OK
            && json_array_append_new(fiber->observed,
                                     json_pack("{s:I, s:I, s:s, s:s, s:s, s:s}", "low_mhz",
                                               (json_int_t)low, "high_mhz", (json_int_t)high,
                                               "circuit", lp_json_str(item, "circuit", ""), "port",
                                               end->port, "device_id", end->device_id, "device",
                                               end->device))
                   != 0)
            rc = no_memory(err);
    }
    return rc;
}

static enum lp_code
read_end(const struct lp_route_source *source, struct fiber *fiber, struct end *end,
         struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *doc = NULL, *device = NULL;
    const char *text;
    enum lp_code rc = lp_route_query(source, LP_SQL_ROUTE_READING,
                                     LP_ARGS(lp_text("device", end->device_id)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 1) {
        text = lp_rows_text(rows, 0, "device");
        rc = lp_json_load(text, strlen(text), &device, err);
        end->as_of = lp_rows_int(rows, 0, "as_of");
        end->unread = rc == LP_OK && end->as_of == 0 && lp_device_tells(device);
        end->reads =
            rc == LP_OK && end->as_of != 0
            && lp_device_type_reads(lp_json_str(device, LP_F_OPTICAL_DEVICE_DEVICE_TYPE, ""));
        text = lp_rows_text(rows, 0, "doc");
        if (end->reads)
            rc = lp_json_load(text, strlen(text), &doc, err);
    }
    if (rc == LP_OK && end->reads)
        rc = take_items(fiber, end, doc, err);
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
take_end(const struct lp_route_source *source, struct fiber *fiber, const struct lp_rows *rows,
         size_t i, struct lp_err *err)
{
    struct end *end = &fiber->ends[fiber->end_count++];
    const char *text = lp_rows_text(rows, i, "doc");
    json_auto_t *doc = NULL;
    enum lp_code rc = lp_json_load(text, strlen(text), &doc, err);

    if (rc != LP_OK)
        return rc;
    (void)snprintf(end->device_id, sizeof end->device_id, "%s", lp_rows_text(rows, i, "device_id"));
    (void)snprintf(end->device, sizeof end->device, "%s", lp_rows_text(rows, i, "device"));
    (void)snprintf(end->port, sizeof end->port, "%s",
                   lp_json_str(doc, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, ""));
    if (strcmp(lp_json_str(doc, LP_F_OPTICAL_DEVICE_PORT_ROLE, ""), "ols-line") != 0)
        return LP_OK;
    return read_end(source, fiber, end, err);
}

static int
by_low(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    int64_t l = lp_json_int(*x, "low_mhz", 0), r = lp_json_int(*y, "low_mhz", 0);

    return (l > r) - (l < r);
}

/** In order of frequency, which elements need not keep. */
static enum lp_code
sort_observed(struct fiber *fiber, struct lp_err *err)
{
    size_t count = json_array_size(fiber->observed);
    json_t **items = malloc((count + 1) * sizeof *items), *sorted = json_array();
    int bad = items == NULL || sorted == NULL;

    for (size_t i = 0; i < count && !bad; i++)
        items[i] = json_array_get(fiber->observed, i);
    if (!bad)
        qsort(items, count, sizeof(json_t *), by_low);
    for (size_t i = 0; i < count && !bad; i++)
        bad |= json_array_append(sorted, items[i]);
    free(items);
    json_decref(fiber->observed);
    fiber->observed = sorted;
    return bad ? no_memory(err) : LP_OK;
}

static enum lp_code
read_limit(const struct lp_route_source *source, struct fiber *fiber, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *doc = NULL;
    enum lp_code rc =
        lp_route_query(source, LP_SQL_ROUTE_BLOCK, LP_ARGS(lp_text("id", fiber->id)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 1)
        rc = lp_json_load(lp_rows_text(rows, 0, "doc"), strlen(lp_rows_text(rows, 0, "doc")), &doc,
                          err);
    fiber->is_leased = rc == LP_OK && lp_fiber_limit(doc, &fiber->limit);
    lp_rows_free(rows);
    return rc;
}

/** LP_NOT_FOUND: there is no such fiber. */
static enum lp_code
fiber_read(const struct lp_route_source *source, const char *id, bool claims, struct fiber *fiber,
           struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    *fiber = (struct fiber){.observed = json_array()};
    (void)snprintf(fiber->id, sizeof fiber->id, "%s", id);
    rc = fiber->observed == NULL
             ? no_memory(err)
             : lp_route_query(source, LP_SQL_ROUTE_FIBER, LP_ARGS(lp_text("id", id)), &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "there is no fiber %.64s", id);
    if (rc == LP_OK)
        (void)snprintf(fiber->name, sizeof fiber->name, "%s", lp_rows_text(rows, 0, "description"));
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows) && i < ENDS; i++)
        rc = take_end(source, fiber, rows, i, err);
    if (rc == LP_OK)
        rc = sort_observed(fiber, err);
    if (rc == LP_OK && claims)
        rc = read_limit(source, fiber, err);
    if (rc == LP_OK && claims)
        rc = lp_claims_of(source->store, source->reader, LP_CLAIMS_BY_FIBER, id, &fiber->claims,
                          err);
    lp_rows_free(rows);
    return rc;
}

/** The older of the readings, 0 when nobody reads it. */
static int64_t
fiber_as_of(const struct fiber *fiber)
{
    int64_t oldest = 0;

    for (size_t i = 0; i < fiber->end_count; i++)
        if (fiber->ends[i].reads && (oldest == 0 || fiber->ends[i].as_of < oldest))
            oldest = fiber->ends[i].as_of;
    return oldest;
}

static bool
is_unread(const struct fiber *fiber)
{
    for (size_t i = 0; i < fiber->end_count; i++)
        if (fiber->ends[i].unread)
            return true;
    return false;
}

enum lp_code
lp_fiber_observed(const struct lp_route_source *source, const char *fiber_id, json_t **observed,
                  int64_t *as_of, struct lp_err *err)
{
    struct fiber fiber;
    enum lp_code rc = fiber_read(source, fiber_id, false, &fiber, err);

    if (rc == LP_OK) {
        *observed = json_incref(fiber.observed);
        *as_of = is_unread(&fiber) ? LP_SEEN_NEVER : fiber_as_of(&fiber);
    }
    fiber_free(&fiber);
    return rc;
}

/* ---- showing ---- */

static enum lp_code
list_of(const json_t *items, struct lp_range_list *out, struct lp_err *err)
{
    const json_t *item;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(items, i, item)
    {
        if (rc == LP_OK)
            rc = lp_range_list_add(out, lp_json_int(item, "low_mhz", 0),
                                   lp_json_int(item, "high_mhz", 0), err);
    }
    return rc;
}

static json_t *
range_json(const struct lp_range *range)
{
    return json_pack("{s:I, s:I}", "low_mhz", (json_int_t)range->low_mhz, "high_mhz",
                     (json_int_t)range->high_mhz);
}

/** The band without claims and light. */
static enum lp_code
free_of(const struct lp_route_source *source, const struct fiber *fiber, json_t **out,
        struct lp_err *err)
{
    const struct lp_band *band = lp_route_band(source->conf);
    struct lp_range_list whole = {.rows = NULL}, taken = {.rows = NULL}, left = {.rows = NULL};
    json_auto_t *list = json_array();
    enum lp_code rc = list_of(fiber->claims, &taken, err);

    if (rc == LP_OK)
        rc = list_of(fiber->observed, &taken, err);
    for (size_t i = 0; rc == LP_OK && i < band->piece_count; i++)
        rc = lp_range_list_add(&whole, band->pieces[i].low_mhz, band->pieces[i].high_mhz, err);
    if (rc == LP_OK && fiber->is_leased) {
        rc = lp_range_list_add(&taken, 0, fiber->limit.low_mhz, err);
        if (rc == LP_OK)
            rc = lp_range_list_add(&taken, fiber->limit.high_mhz, INT64_MAX, err);
    }
    if (rc == LP_OK)
        rc = lp_range_list_minus(&whole, &taken, &left, err);
    for (size_t i = 0; rc == LP_OK && i < left.count; i++)
        if (json_array_append_new(list, range_json(&left.rows[i])) != 0)
            rc = no_memory(err);
    free(whole.rows);
    free(taken.rows);
    free(left.rows);
    if (rc == LP_OK)
        *out = lp_json_take(&list);
    return rc;
}

static enum lp_code
show_fiber(const struct lp_route_source *source, const char *id, json_t *fibers, struct lp_err *err)
{
    struct fiber fiber;
    json_auto_t *left = NULL, *doc = NULL;
    int64_t as_of, now = lp_clock_utc_us(source->clock);
    enum lp_code rc = fiber_read(source, id, true, &fiber, err);

    if (rc == LP_OK)
        rc = free_of(source, &fiber, &left, err);
    if (rc == LP_OK) {
        as_of = fiber_as_of(&fiber);
        doc =
            json_pack("{s:s, s:s, s:o, s:o, s:b, s:O, s:O, s:O}", "fiber_id", fiber.id, "fiber",
                      fiber.name, "as_of", as_of == 0 ? json_null() : json_integer(as_of), "age_us",
                      as_of == 0 ? json_null() : json_integer(now > as_of ? now - as_of : 0),
                      "unread", (int)is_unread(&fiber), "claims", fiber.claims, "observed",
                      fiber.observed, "free", left);
        if (doc == NULL || json_array_append(fibers, doc) != 0)
            rc = no_memory(err);
    }
    fiber_free(&fiber);
    return rc;
}

enum lp_code
lp_spectrum_show(const struct lp_route_source *source, const char *fiber_or_device, json_t **out,
                 struct lp_err *err)
{
    json_auto_t *fibers = json_array();
    struct lp_rows *rows = NULL;
    char device[LP_UUID_LEN + 1];
    enum lp_code rc =
        fibers == NULL ? no_memory(err) : show_fiber(source, fiber_or_device, fibers, err);

    if (rc == LP_NOT_FOUND) { /* a device then */
        lp_err_clear(err);
        rc = lp_device_find(source->store, fiber_or_device, device, NULL, err);
        if (rc == LP_NOT_FOUND)
            rc = lp_fail(err, LP_NOT_FOUND, "%.64s is neither a fiber nor a device",
                         fiber_or_device);
        if (rc == LP_OK)
            rc = lp_route_query(source, LP_SQL_ROUTE_FIBERS_AT, LP_ARGS(lp_text("device", device)),
                                &rows, err);
        for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
            rc = show_fiber(source, lp_rows_text(rows, i, "id"), fibers, err);
        lp_rows_free(rows);
    }
    if (rc == LP_OK) {
        *out = json_pack("{s:O}", "fibers", fibers);
        rc = *out == NULL ? no_memory(err) : LP_OK;
    }
    return rc;
}

/* ---- differences ---- */

/** The claim or reading that a range is part of. */
static const json_t *
item_at(const json_t *items, const struct lp_range *range, const char *device_id)
{
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        struct lp_range r = {lp_json_int(item, "low_mhz", 0), lp_json_int(item, "high_mhz", 0)};

        if (lp_range_overlaps(&r, range)
            && (device_id == NULL || strcmp(lp_json_str(item, "device_id", ""), device_id) == 0))
            return item;
    }
    return NULL;
}

/** Reaches it beyond what the configured plan can carry? Reported, whoever may have lit it. */
static bool
is_outside(const struct lp_band *band, const struct lp_range *range)
{
    for (size_t i = 0; i < band->piece_count; i++)
        if (lp_range_holds(&band->pieces[i], range))
            return false;
    return true;
}

static enum lp_code
add_foreign(const struct lp_band *band, const struct fiber *fiber, const struct end *end,
            const struct lp_range *range, json_t *out, struct lp_err *err)
{
    bool outside = is_outside(band, range);
    const char *circuit =
        lp_json_str(item_at(fiber->observed, range, end->device_id), "circuit", "");
    char text[700];

    (void)snprintf(text, sizeof text,
                   "%s %s: light at %" PRId64 "-%" PRId64 " MHz%s%.64s that no claim explains%s%s",
                   end->device, end->port, range->low_mhz, range->high_mhz,
                   *circuit == '\0' ? "" : " of circuit ", circuit,
                   outside ? ", outside of the band plan " : "", outside ? band->name : "");
    return json_array_append_new(
               out, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:b, s:s}", "kind",
                              "foreign", "fiber_id", fiber->id, "fiber", fiber->name, "low_mhz",
                              (json_int_t)range->low_mhz, "high_mhz", (json_int_t)range->high_mhz,
                              "device_id", end->device_id, "port", end->port, "circuit", circuit,
                              "outside_band", (int)outside, "text", text))
                   == 0
               ? LP_OK
               : no_memory(err);
}

static enum lp_code
foreign_at(const struct lp_band *band, const struct fiber *fiber, const struct end *end,
           json_t *out, struct lp_err *err)
{
    struct lp_range_list claims = {.rows = NULL}, left = {.rows = NULL};
    enum lp_code rc = list_of(fiber->claims, &claims, err);

    if (rc == LP_OK)
        rc = lp_range_list_minus(&end->light, &claims, &left, err);
    for (size_t i = 0; rc == LP_OK && i < left.count; i++)
        rc = add_foreign(band, fiber, end, &left.rows[i], out, err);
    free(claims.rows);
    free(left.rows);
    return rc;
}

static enum lp_code
add_missing(const struct fiber *fiber, const struct end *end, const json_t *claim,
            const struct lp_range *range, json_t *out, struct lp_err *err)
{
    char text[900];

    (void)snprintf(text, sizeof text,
                   "%s %s: no light at %" PRId64 "-%" PRId64 " MHz, which %.200s has lit",
                   end->device, end->port, range->low_mhz, range->high_mhz,
                   lp_json_str(claim, "subscription", "?"));
    return json_array_append_new(
               out, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s}", "kind",
                              "missing", "fiber_id", fiber->id, "fiber", fiber->name, "low_mhz",
                              (json_int_t)range->low_mhz, "high_mhz", (json_int_t)range->high_mhz,
                              "device_id", end->device_id, "port", end->port, "subscription_id",
                              lp_json_str(claim, "subscription_id", ""), "holder",
                              lp_json_str(claim, "holder", ""), "text", text))
                   == 0
               ? LP_OK
               : no_memory(err);
}

static enum lp_code
missing_at(const struct fiber *fiber, struct end *end, json_t *out, struct lp_err *err)
{
    const json_t *claim;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(fiber->claims, i, claim)
    {
        struct lp_range range = {lp_json_int(claim, "low_mhz", 0),
                                 lp_json_int(claim, "high_mhz", 0)};
        struct lp_range_list one = {.rows = &range, .count = 1, .room = 1}, left = {.rows = NULL};

        if (rc != LP_OK || strcmp(lp_json_str(claim, "state", ""), "lit") != 0
            || lp_json_int(claim, "created_at", 0) > end->as_of)
            continue;
        rc = lp_range_list_minus(&one, &end->light, &left, err);
        for (size_t k = 0; rc == LP_OK && k < left.count; k++)
            rc = add_missing(fiber, end, claim, &left.rows[k], out, err);
        free(left.rows);
    }
    return rc;
}

static enum lp_code
compare_fiber(const struct lp_route_source *source, const char *id, json_t *out, int64_t *compared,
              struct lp_err *err)
{
    struct fiber fiber;
    enum lp_code rc = fiber_read(source, id, true, &fiber, err);

    *compared += rc == LP_OK && fiber_as_of(&fiber) != 0;
    for (size_t i = 0; rc == LP_OK && i < fiber.end_count; i++) {
        if (!fiber.ends[i].reads)
            continue;
        rc = foreign_at(lp_route_band(source->conf), &fiber, &fiber.ends[i], out, err);
        if (rc == LP_OK)
            rc = missing_at(&fiber, &fiber.ends[i], out, err);
    }
    fiber_free(&fiber);
    return rc;
}

enum lp_code
lp_spectrum_differences(const struct lp_route_source *source, const char *fiber, json_t **out,
                        struct lp_err *err)
{
    json_auto_t *list = json_array();
    struct lp_rows *rows = NULL;
    int64_t compared = 0;
    enum lp_code rc = list == NULL ? no_memory(err) : LP_OK;

    if (rc == LP_OK && fiber != NULL)
        rc = compare_fiber(source, fiber, list, &compared, err);
    else if (rc == LP_OK)
        rc = lp_route_query(source, LP_SQL_ROUTE_FIBERS, LP_NO_ARGS, &rows, err);
    for (size_t i = 0; rc == LP_OK && rows != NULL && i < lp_rows_count(rows); i++)
        rc = compare_fiber(source, lp_rows_text(rows, i, "id"), list, &compared, err);
    lp_rows_free(rows);
    if (rc == LP_OK) {
        *out = json_pack("{s:O, s:I}", "differences", list, "fibers", (json_int_t)compared);
        rc = *out == NULL ? no_memory(err) : LP_OK;
    }
    return rc;
}
