#include "store/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/utf8.h"

/* ---- topology ---- */

/* Root documents of a product, by subscription id, in the order of the list. */
static enum lp_code
read_roots(struct lp_store *store, const char *product, json_t *list, json_t *by_id,
           struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_TOPOLOGY_ROOTS, LP_ARGS(lp_text("product", product)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *id = lp_rows_text(rows, i, "id"), *doc = lp_rows_text(rows, i, "doc");
        json_t *item = NULL;
        rc = lp_json_load(doc, strlen(doc), &item, err);
        if (rc != LP_OK)
            break;
        if (lp_json_set_str(item, "subscription_id", id) != 0
            || lp_json_set_str(item, "status", lp_rows_text(rows, i, "status")) != 0
            || lp_json_set_bool(item, "insync", lp_rows_int(rows, i, "insync") != 0) != 0
            || lp_json_set_str(item, "customer_id", lp_rows_text(rows, i, "customer_id")) != 0
            || json_object_set(by_id, id, item) != 0 || json_array_append_new(list, item) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the topology");
    }
    lp_rows_free(rows);
    return rc;
}

typedef void ref_fn(json_t *item, const struct lp_rows *rows, size_t i, const json_t *others);

static void
put_pop(json_t *item, const struct lp_rows *rows, size_t i, const json_t *pops)
{
    const char *owner = lp_rows_text(rows, i, "owner");

    if (strcmp(lp_rows_text(rows, i, "field"), "pop") != 0)
        return;
    (void)lp_json_set_str(item, "pop_id", owner);
    (void)lp_json_set_str(item, "pop_code", lp_json_str(json_object_get(pops, owner), "code", ""));
}

static void
put_end(json_t *item, const struct lp_rows *rows, size_t i, const json_t *devices)
{
    const char *owner = lp_rows_text(rows, i, "owner"), *doc = lp_rows_text(rows, i, "doc");
    const json_t *device = json_object_get(devices, owner);
    struct lp_err ignored = LP_ERR_INIT;
    json_auto_t *port = NULL;
    json_t *ends;

    if (strcmp(lp_rows_text(rows, i, "field"), "terminations") != 0
        || lp_json_load(doc, strlen(doc), &port, &ignored) != LP_OK) {
        lp_err_clear(&ignored);
        return;
    }
    ends = json_object_get(item, "ends");
    if (ends == NULL) {
        json_object_set_new(item, "ends", json_array());
        ends = json_object_get(item, "ends");
    }
    json_array_append_new(ends, json_pack("{s:s, s:s, s:s, s:s}", "device_id", owner, "fqdn",
                                          lp_json_str(device, "fqdn", ""), "port",
                                          lp_json_str(port, "port_name", ""), "pop_code",
                                          lp_json_str(device, "pop_code", "")));
}

static enum lp_code
read_refs(struct lp_store *store, const char *product, const json_t *items, const json_t *others,
          ref_fn *put, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_TOPOLOGY_REFS, LP_ARGS(lp_text("product", product)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        json_t *item = json_object_get(items, lp_rows_text(rows, i, "id"));
        if (item != NULL)
            put(item, rows, i, others);
    }
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_topology(struct lp_store *store, json_t **out, struct lp_err *err)
{
    json_auto_t *pops = json_array(), *devices = json_array(), *fibers = json_array();
    json_auto_t *pop = json_object(), *device = json_object(), *fiber = json_object();
    enum lp_code rc = read_roots(store, "PoP", pops, pop, err);

    if (rc == LP_OK)
        rc = read_roots(store, "Optical Device", devices, device, err);
    if (rc == LP_OK)
        rc = read_roots(store, "Optical Fiber", fibers, fiber, err);
    if (rc == LP_OK)
        rc = read_refs(store, "Optical Device", device, pop, put_pop, err);
    if (rc == LP_OK)
        rc = read_refs(store, "Optical Fiber", fiber, device, put_end, err);
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:O, s:O, s:O}", "pops", pops, "devices", devices, "fibers", fibers);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for the topology") : LP_OK;
}

/* ---- search ---- */

struct found {
    struct lp_store *store;
    const char *text;
    int64_t most;
    json_t *subscriptions, *seen, *processes, *spectrum;
};

static void
add_subscriptions(struct found *f, const struct lp_rows *rows, const char *matched)
{
    char whole[300]; /* it may have been cut within a character, which JSON would not take */

    lp_utf8_copy(whole, sizeof(whole), matched);
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        const char *id = lp_rows_text(rows, i, "id");
        if (json_object_get(f->seen, id) != NULL
            || (int64_t)json_array_size(f->subscriptions) >= f->most)
            continue;
        (void)json_object_set_new(f->seen, id, json_true());
        (void)json_array_append_new(
            f->subscriptions, json_pack("{s:s, s:s, s:s, s:s, s:s}", "subscription_id", id,
                                        "product", lp_rows_text(rows, i, "product"), "description",
                                        lp_rows_text(rows, i, "description"), "status",
                                        lp_rows_text(rows, i, "status"), "matched", whole));
    }
}

/* A block that is called so, and whoever uses it. */
static enum lp_code
add_block(struct found *f, const char *instance_id, const char *matched, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    char what[160];
    enum lp_code rc =
        lp_query(f->store, LP_SQL_SEARCH_USERS,
                 LP_ARGS(lp_text("instance_id", instance_id), lp_int("most", f->most)), &rows, err);

    (void)snprintf(what, sizeof(what), "uses %.150s", matched);
    if (rc == LP_OK)
        add_subscriptions(f, rows, what);
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
find_field(struct found *f, enum lp_stmt stmt, const char *parameter, const char *name,
           const char *title, struct lp_err *err)
{
    const struct lp_arg args[] = {lp_text(parameter, name), lp_text("value", f->text),
                                  lp_int("most", f->most)};
    struct lp_rows *rows = NULL;
    char matched[160];
    enum lp_code rc =
        lp_query(f->store, stmt, args, stmt == LP_SQL_SEARCH_KEYS ? 2 : LP_COUNT(args), &rows, err);

    (void)snprintf(matched, sizeof(matched), "%s %s", title, f->text);
    if (rc == LP_OK)
        add_subscriptions(f, rows, matched);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = add_block(f, lp_rows_text(rows, i, "instance_id"), matched, err);
    lp_rows_free(rows);
    return rc;
}

static void
title_of(const struct lp_field *field, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", field->title != NULL ? field->title : field->name);
    if (field->title == NULL)
        for (char *c = out; *c != '\0'; c++)
            if (*c == '_')
                *c = ' ';
}

/* Every leaf that is unique or indexed. */
static enum lp_code
find_fields(struct found *f, const struct lp_catalog *catalog, struct lp_err *err)
{
    size_t count;
    const struct lp_block_type *blocks = lp_catalog_blocks(catalog, &count);
    json_auto_t *asked = json_object();
    enum lp_code rc = LP_OK;

    for (size_t b = 0; b < count && rc == LP_OK; b++) {
        for (size_t i = 0; i < blocks[b].field_count && rc == LP_OK; i++) {
            const struct lp_field *field = &blocks[b].fields[i];
            char title[96];
            title_of(field, title, sizeof(title));
            if (field->unique != NULL && field->kind != LP_FIELD_REF
                && json_object_get(asked, field->unique) == NULL) {
                json_object_set_new(asked, field->unique, json_true());
                rc = find_field(f, LP_SQL_SEARCH_KEYS, "scope", field->unique, title, err);
            } else if (field->indexed && json_object_get(asked, field->name) == NULL) {
                json_object_set_new(asked, field->name, json_true());
                rc = find_field(f, LP_SQL_SEARCH_VALUES, "name", field->name, title, err);
            }
        }
    }
    return rc;
}

/* What belongs to a customer that was found by name. */
static enum lp_code
find_customers(struct found *f, struct lp_err *err)
{
    size_t count = json_array_size(f->subscriptions);
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < count && rc == LP_OK; i++) {
        const json_t *item = json_array_get(f->subscriptions, i);
        struct lp_rows *rows = NULL;
        char matched[300];
        if (strcmp(lp_json_str(item, "product", ""), "Partner") != 0)
            continue;
        (void)snprintf(matched, sizeof(matched), "customer %s",
                       lp_json_str(item, "description", ""));
        rc = lp_query(f->store, LP_SQL_SEARCH_CUSTOMERS,
                      LP_ARGS(lp_text("customer", lp_json_str(item, "subscription_id", "")),
                              lp_int("most", f->most)),
                      &rows, err);
        if (rc == LP_OK)
            add_subscriptions(f, rows, matched);
        lp_rows_free(rows);
    }
    return rc;
}

static enum lp_code
find_tickets(struct found *f, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(f->store, LP_SQL_SEARCH_TICKETS,
                 LP_ARGS(lp_text("ticket", f->text), lp_int("most", f->most)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        (void)json_array_append_new(f->processes,
                                    json_pack("{s:s, s:s, s:s, s:s+}", "process_id",
                                              lp_rows_text(rows, i, "id"), "workflow",
                                              lp_rows_text(rows, i, "workflow"), "status",
                                              lp_rows_text(rows, i, "status"), "matched", "ticket ",
                                              lp_rows_text(rows, i, "ticket")));
    lp_rows_free(rows);
    return rc;
}

/* ---- wavelengths ---- */

#define BAND_LOW  INT64_C(191000000)
#define BAND_HIGH INT64_C(196500000)

int64_t
lp_search_frequency(const char *text)
{
    char *unit;
    double value = strtod(text, &unit), mhz;

    if (unit == text)
        return 0;
    unit += strspn(unit, " ");
    if (strcasecmp(unit, "nm") == 0)
        mhz = value > 0 ? 299792458e3 / value : 0;
    else if (strcasecmp(unit, "thz") == 0 || (*unit == '\0' && value < 1000))
        mhz = value * 1e6;
    else if (strcasecmp(unit, "ghz") == 0)
        mhz = value * 1e3;
    else if (strcasecmp(unit, "mhz") == 0 || *unit == '\0')
        mhz = value;
    else
        return 0;
    return mhz >= (double)BAND_LOW && mhz <= (double)BAND_HIGH ? (int64_t)(mhz + 0.5) : 0;
}

static void
add_spectrum(struct found *f, const struct lp_rows *rows, size_t row, int64_t mhz)
{
    const char *doc = lp_rows_text(rows, row, "doc");
    struct lp_err ignored = LP_ERR_INIT;
    json_auto_t *cached = NULL;
    const json_t *item;
    size_t i;

    if (lp_json_load(doc, strlen(doc), &cached, &ignored) != LP_OK) {
        lp_err_clear(&ignored);
        return;
    }
    json_array_foreach(json_object_get(cached, "items"), i, item)
    {
        int64_t low = lp_json_int(item, "low_mhz", 0), high = lp_json_int(item, "high_mhz", 0);
        if (mhz < low || mhz >= high || (int64_t)json_array_size(f->spectrum) >= f->most)
            continue;
        (void)json_array_append_new(f->spectrum,
                                    json_pack("{s:s, s:s, s:s, s:I, s:I, s:s?}", "device_id",
                                              lp_rows_text(rows, row, "element_id"), "device",
                                              lp_rows_text(rows, row, "description"), "port",
                                              lp_json_str(item, "port", ""), "low_mhz",
                                              (json_int_t)low, "high_mhz", (json_int_t)high,
                                              "circuit", lp_json_str(item, "circuit", NULL)));
    }
}

static enum lp_code
find_spectrum(struct found *f, int64_t mhz, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(f->store, LP_SQL_SEARCH_SPECTRUM, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        add_spectrum(f, rows, i, mhz);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_search_exact(struct lp_store *store, const struct lp_catalog *catalog, const char *text,
                int64_t most, json_t **out, struct lp_err *err)
{
    json_auto_t *subscriptions = json_array(), *seen = json_object(), *processes = json_array(),
                *spectrum = json_array();
    struct found f = {.store = store,
                      .text = text,
                      .most = most,
                      .subscriptions = subscriptions,
                      .seen = seen,
                      .processes = processes,
                      .spectrum = spectrum};
    int64_t mhz = lp_search_frequency(text);
    enum lp_code rc = find_fields(&f, catalog, err);

    if (rc == LP_OK)
        rc = find_customers(&f, err);
    if (rc == LP_OK)
        rc = find_tickets(&f, err);
    if (rc == LP_OK && mhz > 0)
        rc = find_spectrum(&f, mhz, err);
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:O, s:O, s:O}", "subscriptions", subscriptions, "processes", processes,
                     "spectrum", spectrum);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for what was found") : LP_OK;
}
