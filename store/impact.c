/* What rides on a part of the network. */
#include "store/impact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "store/subscription_internal.h"

struct search {
    struct lp_store *store;
    struct lp_reader *reader;
    const char *id; /* of the subject */
    const char *card;
    json_t *waiting; /* [[block, found by, 1 when the blocks it stands in are hit too]...] */
    json_t *seen;    /* blocks */
    json_t *hit;     /* subscription id -> entry of the reply, with its customer */
    bool failed;     /* no memory */
};

static const struct {
    const char *product;
    enum lp_stmt seeds;
    bool has_cards;
} kinds[] = {
    {"Optical Fiber", LP_SQL_IMPACT_FIBER, false},
    {"Leased Optical Spectrum", LP_SQL_IMPACT_FIBER, false},
    {"Optical Device", LP_SQL_IMPACT_DEVICE, true},
    {"PoP", LP_SQL_IMPACT_POP, false},
};

/* ---- where it begins ---- */

static void
wait_for(struct search *s, const char *block, const char *via, bool climbs)
{
    json_t *item;

    if (json_object_get(s->seen, block) != NULL)
        return;
    item = json_pack("[s, s, b]", block, via, climbs ? 1 : 0);
    if (json_object_set_new(s->seen, block, json_true()) != 0
        || json_array_append_new(s->waiting, item) != 0)
        s->failed = true;
}

/* "1-A-1" holds 1-A-1 and 1-A-1-L1, not 1-A-10-L1. */
static bool
on_card(const char *card, const char *port)
{
    size_t len = card == NULL ? 0 : strlen(card);

    return card == NULL
           || (strncmp(port, card, len) == 0
               && (port[len] == '\0' || strchr("-/.", port[len]) != NULL));
}

static enum lp_code
find_seeds(struct search *s, enum lp_stmt stmt, const char *subject, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_store_query_on(s->store, s->reader, stmt, LP_ARGS(lp_text("id", s->id)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *port = lp_rows_text(rows, i, "port");
        char via[300];
        if (stmt == LP_SQL_IMPACT_POP)
            (void)snprintf(via, sizeof(via), "%.120s %.120s", lp_rows_text(rows, i, "device"),
                           port);
        else
            (void)snprintf(via, sizeof(via), "%.250s",
                           stmt == LP_SQL_IMPACT_DEVICE ? port : subject);
        if (on_card(s->card, port))
            wait_for(s, lp_rows_text(rows, i, "instance_id"), via, false);
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
begin(struct search *s, json_t **subject, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_stmt seeds = LP_SQL_IMPACT_BLOCKS;
    bool has_cards = false;
    enum lp_code rc = lp_store_query_on(s->store, s->reader, LP_SQL_IMPACT_SUBJECT,
                                        LP_ARGS(lp_text("id", s->id)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "there is no subscription %.60s", s->id);
    for (size_t k = 0; rc == LP_OK && k < LP_COUNT(kinds); k++) {
        if (strcmp(lp_rows_text(rows, 0, "product"), kinds[k].product) == 0) {
            seeds = kinds[k].seeds;
            has_cards = kinds[k].has_cards;
        }
    }
    if (rc == LP_OK && s->card != NULL && !has_cards)
        rc = lp_fail(err, LP_INVALID, "a card belongs to a device; %.60s is a %s", s->id,
                     lp_rows_text(rows, 0, "product"));
    if (rc == LP_OK) {
        *subject = json_pack("{s:s, s:s, s:s, s:s, s:s?}", "subscription_id", s->id, "product",
                             lp_rows_text(rows, 0, "product"), "description",
                             lp_rows_text(rows, 0, "description"), "status",
                             lp_rows_text(rows, 0, "status"), "card", s->card);
        rc = find_seeds(s, seeds, lp_rows_text(rows, 0, "description"), err);
    }
    lp_rows_free(rows);
    return rc;
}

/* ---- upwards ---- */

/* The light of a block that has any. */
static void
add_spectrum(struct search *s, json_t *entry, const char *block, const char *doc)
{
    struct lp_err ignored = LP_ERR_INIT;
    json_auto_t *spectrum = NULL;

    if (strcmp(block, "OpticalSpectrum") != 0
        || lp_json_load(doc, strlen(doc), &spectrum, &ignored) != LP_OK) {
        lp_err_clear(&ignored);
        return;
    }
    if (json_array_append_new(json_object_get(entry, "spectrum"),
                              json_pack("{s:s, s:I, s:I}", "name",
                                        lp_json_str(spectrum, "spectrum_name", ""), "low_mhz",
                                        (json_int_t)lp_json_int(spectrum, "low_mhz", 0), "high_mhz",
                                        (json_int_t)lp_json_int(spectrum, "high_mhz", 0)))
        != 0)
        s->failed = true;
}

static void
add_hit(struct search *s, const struct lp_rows *rows, size_t i, const char *via)
{
    const char *id = lp_rows_text(rows, i, "id"), *customer = lp_rows_text(rows, i, "customer");
    json_t *entry = json_object_get(s->hit, id);

    if (strcmp(id, s->id) == 0)
        return;
    if (entry == NULL) {
        entry = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:[]}", "subscription_id", id,
                          "product", lp_rows_text(rows, i, "product"), "description",
                          lp_rows_text(rows, i, "description"), "status",
                          lp_rows_text(rows, i, "status"), "insync",
                          lp_rows_int(rows, i, "insync") != 0 ? 1 : 0, "via", via, "customer_id",
                          lp_rows_text(rows, i, "customer_id"), "customer",
                          customer == NULL ? "" : customer, "spectrum");
        if (json_object_set_new(s->hit, id, entry) != 0) {
            s->failed = true;
            return;
        }
    }
    add_spectrum(s, entry, lp_rows_text(rows, i, "block"), lp_rows_text(rows, i, "doc"));
}

static enum lp_code
climb(struct search *s, enum lp_stmt stmt, const char *block, const char *via, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_store_query_on(s->store, s->reader, stmt, LP_ARGS(lp_text("block", block)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *above = lp_rows_text(rows, i, "instance_id");
        if (json_object_get(s->seen, above) != NULL)
            continue;
        add_hit(s, rows, i, via);
        wait_for(s, above, via, true);
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
follow(struct search *s, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && !s->failed && i < json_array_size(s->waiting); i++) {
        const json_t *item = json_array_get(s->waiting, i);
        const char *block = json_string_value(json_array_get(item, 0));
        const char *via = json_string_value(json_array_get(item, 1));
        rc = climb(s, LP_SQL_IMPACT_ABOVE, block, via, err);
        if (rc == LP_OK && json_is_true(json_array_get(item, 2)))
            rc = climb(s, LP_SQL_IMPACT_PARENT, block, via, err);
    }
    return rc;
}

/* ---- the reply ---- */

static int
by_names(const void *a, const void *b)
{
    static const char *const keys[] = {"customer", "customer_id", "product", "description",
                                       "subscription_id"};
    const json_t *const *x = a, *const *y = b;
    int order = 0;

    for (size_t i = 0; order == 0 && i < LP_COUNT(keys); i++)
        order = strcmp(lp_json_str(*x, keys[i], ""), lp_json_str(*y, keys[i], ""));
    return order;
}

/* Services go to the customer at the end of the list, or to a new one. */
static int
put_service(json_t *customers, json_t *entry)
{
    const char *id = lp_json_str(entry, "customer_id", "");
    json_t *last = json_array_get(customers, json_array_size(customers) - 1);
    int failed = 0;

    if (last == NULL || strcmp(lp_json_str(last, "customer_id", ""), id) != 0) {
        last = json_pack("{s:s, s:s, s:[]}", "customer_id", id, "customer",
                         lp_json_str(entry, "customer", ""), "services");
        failed = json_array_append_new(customers, last);
    }
    if (failed == 0)
        failed = json_array_append(json_object_get(last, "services"), entry);
    json_object_del(entry, "customer_id");
    json_object_del(entry, "customer");
    return failed;
}

static enum lp_code
reply(struct search *s, json_t *subject, json_t **out, struct lp_err *err)
{
    size_t count = json_object_size(s->hit), n = 0, services = 0;
    json_t **list = calloc(count + 1, sizeof(*list)), *entry;
    json_auto_t *customers = json_array(), *fibers = json_array();
    const char *id;
    int failed = list == NULL || s->failed;

    if (failed == 0) {
        json_object_foreach(s->hit, id, entry) list[n++] = entry;
        qsort(list, n, sizeof(json_t *), by_names);
    }
    for (size_t i = 0; failed == 0 && i < n; i++) {
        if (strcmp(lp_json_str(list[i], "product", ""), "Optical Fiber") == 0) {
            json_object_del(list[i], "spectrum");
            failed = json_array_append(fibers, list[i]);
        } else {
            failed = put_service(customers, list[i]);
            services++;
        }
    }
    if (failed == 0)
        *out = json_pack("{s:O, s:O, s:O, s:I}", "subject", subject, "customers", customers,
                         "fibers", fibers, "services", (json_int_t)services);
    free(list);
    return failed != 0 || *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for the impact") : LP_OK;
}

enum lp_code
lp_impact(struct lp_store *store, struct lp_reader *reader, const char *id, const char *card,
          json_t **out, struct lp_err *err)
{
    json_auto_t *waiting = json_array(), *seen = json_object(), *hit = json_object(),
                *subject = NULL;
    struct search s = {.store = store,
                       .reader = reader,
                       .id = id,
                       .card = card,
                       .waiting = waiting,
                       .seen = seen,
                       .hit = hit};
    enum lp_code rc;

    *out = NULL;
    rc = begin(&s, &subject, err);
    if (rc == LP_OK)
        rc = follow(&s, err);
    return rc == LP_OK ? reply(&s, subject, out, err) : rc;
}
