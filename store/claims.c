/* Claims of light: who may use which range of which fiber. */
#include "store/claims.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* ---- pieces ---- */

static int
by_place(const void *a, const void *b)
{
    const struct lp_piece *x = a, *y = b;
    int order = strcmp(x->fiber_id, y->fiber_id);

    return order != 0 ? order : (x->low_mhz > y->low_mhz) - (x->low_mhz < y->low_mhz);
}

/** Sorted copy in which pieces of one fiber neither touch nor overlap. */
struct pieces {
    struct lp_piece *rows;
    size_t count;
};

static enum lp_code
check_piece(const struct lp_piece *piece, struct lp_err *err)
{
    if (piece->fiber_id[0] == '\0' || piece->low_mhz < 0 || piece->low_mhz >= piece->high_mhz)
        return lp_fail(err, LP_INVALID, "%" PRId64 "-%" PRId64 " MHz on fiber '%.36s' is no range",
                       piece->low_mhz, piece->high_mhz, piece->fiber_id);
    return LP_OK;
}

static enum lp_code
normalise(const struct lp_piece *pieces, size_t count, struct pieces *out, struct lp_err *err)
{
    *out = (struct pieces){.rows = NULL};
    if (count > LP_CLAIM_PIECES_MOST)
        return lp_fail(err, LP_INVALID, "%zu ranges at once: at most %d can be claimed", count,
                       LP_CLAIM_PIECES_MOST);
    for (size_t i = 0; i < count; i++)
        if (check_piece(&pieces[i], err) != LP_OK)
            return err->code;
    out->rows = malloc((count + 1) * sizeof *out->rows);
    if (out->rows == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for %zu ranges", count);
    if (count > 0)
        memcpy(out->rows, pieces, count * sizeof *out->rows);
    qsort(out->rows, count, sizeof *out->rows, by_place);
    for (size_t i = 0; i < count; i++) {
        struct lp_piece *last = out->count == 0 ? NULL : &out->rows[out->count - 1];
        const struct lp_piece next = out->rows[i];

        if (last != NULL && strcmp(last->fiber_id, next.fiber_id) == 0
            && next.low_mhz <= last->high_mhz)
            last->high_mhz = next.high_mhz > last->high_mhz ? next.high_mhz : last->high_mhz;
        else
            out->rows[out->count++] = next;
    }
    return LP_OK;
}

/* ---- turns ---- */

enum lp_code
lp_claims_turn(struct lp_txn *txn, const char *name, struct lp_err *err)
{
    return lp_txn_exec(txn, LP_SQL_CLAIM_TURN, LP_ARGS(lp_text("name", name)), NULL, err);
}

static enum lp_code
lock_sorted(struct lp_txn *txn, const struct pieces *pieces, struct lp_err *err)
{
    char name[LP_UUID_LEN + 16];
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < pieces->count && rc == LP_OK; i++) {
        const char *fiber = pieces->rows[i].fiber_id;

        if (i > 0 && strcmp(fiber, pieces->rows[i - 1].fiber_id) == 0)
            continue;
        (void)snprintf(name, sizeof name, "fiber:%s", fiber);
        rc = lp_claims_turn(txn, name, err);
    }
    return rc;
}

enum lp_code
lp_claims_lock(struct lp_txn *txn, const struct lp_piece *pieces, size_t count, struct lp_err *err)
{
    struct pieces sorted;
    enum lp_code rc = normalise(pieces, count, &sorted, err);

    if (rc == LP_OK)
        rc = lock_sorted(txn, &sorted, err);
    free(sorted.rows);
    return rc;
}

/* ---- what stands there ---- */

static enum lp_code
near(struct lp_txn *txn, const struct lp_piece *piece, struct lp_rows **rows, struct lp_err *err)
{
    return lp_txn_query(txn, LP_SQL_CLAIMS_NEAR,
                        LP_ARGS(lp_text("fiber", piece->fiber_id), lp_int("low", piece->low_mhz),
                                lp_int("high", piece->high_mhz)),
                        rows, err);
}

/** OPT-023, naming fiber and subscription as people know them. */
static enum lp_code
taken_by(struct lp_txn *txn, const struct lp_piece *piece, const struct lp_rows *rows, size_t row,
         struct lp_err *err)
{
    const char *subscription = lp_rows_text(rows, row, "subscription_id");
    int64_t low = lp_rows_int(rows, row, "low_mhz"), high = lp_rows_int(rows, row, "high_mhz");
    struct lp_rows *names = NULL;
    const char *fiber = NULL, *description = NULL;
    enum lp_code rc = lp_txn_query(
        txn, LP_SQL_CLAIM_NAMES,
        LP_ARGS(lp_text("fiber", piece->fiber_id), lp_text("subscription", subscription)), &names,
        err);

    if (rc != LP_OK)
        return rc;
    fiber = lp_rows_text(names, 0, "fiber");
    description = lp_rows_text(names, 0, "subscription");
    rc = lp_fail(err, LP_CONFLICT,
                 "%" PRId64 "-%" PRId64 " overlaps %" PRId64 "-%" PRId64
                 " of %.36s (%.60s) on %.70s",
                 piece->low_mhz, piece->high_mhz, low, high, subscription,
                 description == NULL ? "not stored yet" : description,
                 fiber == NULL ? piece->fiber_id : fiber);
    err->detail = json_pack(
        "{s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:s, s:s, s:s?, s:s}", "code", "OPT-023", "fiber_id",
        piece->fiber_id, "fiber", fiber, "low_mhz", (json_int_t)piece->low_mhz, "high_mhz",
        (json_int_t)piece->high_mhz, "held_low_mhz", (json_int_t)low, "held_high_mhz",
        (json_int_t)high, "holder", lp_rows_text(rows, row, "holder"), "subscription_id",
        subscription, "description", description, "state", lp_rows_text(rows, row, "state"));
    lp_rows_free(names);
    return rc;
}

/* What a holder lacks of what it wants. */
struct gaps {
    struct lp_piece *rows;
    size_t count, room;
};

static enum lp_code
add_gap(struct gaps *gaps, const char *fiber, int64_t low, int64_t high, struct lp_err *err)
{
    struct lp_piece *row;

    if (low >= high)
        return LP_OK;
    if (gaps->count == gaps->room) {
        size_t room = gaps->room == 0 ? 16 : gaps->room * 2;
        struct lp_piece *rows = realloc(gaps->rows, room * sizeof *rows);

        if (rows == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for %zu ranges", room);
        gaps->rows = rows;
        gaps->room = room;
    }
    row = &gaps->rows[gaps->count++];
    *row = (struct lp_piece){.low_mhz = low, .high_mhz = high};
    (void)snprintf(row->fiber_id, sizeof row->fiber_id, "%s", fiber);
    return LP_OK;
}

/** LP_CONFLICT when somebody else has part of the piece. */
static enum lp_code
find_gaps(struct lp_txn *txn, const char *holder, const struct lp_piece *piece, struct gaps *gaps,
          struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    int64_t at = piece->low_mhz;
    enum lp_code rc = near(txn, piece, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        int64_t high = lp_rows_int(rows, i, "high_mhz");

        if (strcmp(lp_rows_text(rows, i, "holder"), holder) != 0)
            rc = taken_by(txn, piece, rows, i, err);
        else
            rc = add_gap(gaps, piece->fiber_id, at, lp_rows_int(rows, i, "low_mhz"), err);
        at = high > at ? high : at;
    }
    lp_rows_free(rows);
    return rc == LP_OK ? add_gap(gaps, piece->fiber_id, at, piece->high_mhz, err) : rc;
}

/** The turn of all fibers, then what is missing of all pieces; nothing is written yet. */
static enum lp_code
look(struct lp_txn *txn, const char *holder, const struct pieces *pieces, struct gaps *gaps,
     struct lp_err *err)
{
    enum lp_code rc = lock_sorted(txn, pieces, err);

    for (size_t i = 0; i < pieces->count && rc == LP_OK; i++)
        rc = find_gaps(txn, holder, &pieces->rows[i], gaps, err);
    return rc;
}

/* ---- claiming ---- */

static enum lp_code
add(struct lp_txn *txn, const struct lp_claimant *claimant, const struct lp_piece *piece,
    const char *state, int64_t at, struct lp_err *err)
{
    return lp_txn_exec(txn, LP_SQL_CLAIM_ADD,
                       LP_ARGS(lp_text("fiber", piece->fiber_id), lp_int("low", piece->low_mhz),
                               lp_int("high", piece->high_mhz), lp_text("holder", claimant->holder),
                               lp_text("subscription", claimant->subscription_id),
                               lp_text("process", claimant->process_id),
                               lp_int("slot", claimant->slot), lp_text("state", state),
                               lp_int("at", at)),
                       NULL, err);
}

enum lp_code
lp_claims_take(struct lp_txn *txn, const struct lp_claimant *claimant,
               const struct lp_piece *pieces, size_t count, int64_t now_us, size_t *taken,
               struct lp_err *err)
{
    struct pieces sorted;
    struct gaps gaps = {.rows = NULL};
    enum lp_code rc = normalise(pieces, count, &sorted, err);

    if (rc == LP_OK)
        rc = look(txn, claimant->holder, &sorted, &gaps, err);
    for (size_t i = 0; i < gaps.count && rc == LP_OK; i++)
        rc = add(txn, claimant, &gaps.rows[i], "reserved", now_us, err);
    if (taken != NULL)
        *taken = rc == LP_OK ? gaps.count : 0;
    free(gaps.rows);
    free(sorted.rows);
    return rc;
}

/* ---- settling ---- */

static json_t *
row_json(const struct lp_rows *rows, size_t i)
{
    return json_pack(
        "{s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:s, s:I}", "fiber_id",
        lp_rows_text(rows, i, "fiber_id"), "low_mhz", (json_int_t)lp_rows_int(rows, i, "low_mhz"),
        "high_mhz", (json_int_t)lp_rows_int(rows, i, "high_mhz"), "holder",
        lp_rows_text(rows, i, "holder"), "subscription_id",
        lp_rows_text(rows, i, "subscription_id"), "process_id", lp_rows_text(rows, i, "process_id"),
        "slot", (json_int_t)lp_rows_int(rows, i, "slot"), "state", lp_rows_text(rows, i, "state"),
        "created_at", (json_int_t)lp_rows_int(rows, i, "created_at"));
}

static enum lp_code
rows_json(struct lp_rows *rows, json_t **out, struct lp_err *err)
{
    json_auto_t *list = json_array();

    for (size_t i = 0; i < lp_rows_count(rows); i++)
        if (json_array_append_new(list, row_json(rows, i)) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for %zu claims", lp_rows_count(rows));
    *out = lp_json_take(&list);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for claims") : LP_OK;
}

static enum lp_code
held(struct lp_txn *txn, const char *holder, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_txn_query(txn, LP_SQL_CLAIMS_HELD, LP_ARGS(lp_text("holder", holder)), &rows, err);

    if (rc == LP_OK)
        rc = rows_json(rows, out, err);
    lp_rows_free(rows);
    return rc;
}

/** How the parts of a piece were held: were all of them lit, and since when the youngest. */
static void
parts_of(const json_t *before, const struct lp_piece *piece, int64_t *since, bool *lit)
{
    const json_t *row;
    size_t i;

    *since = 0;
    *lit = true;
    json_array_foreach(before, i, row)
    {
        int64_t at = lp_json_int(row, "created_at", 0);

        if (strcmp(lp_json_str(row, "fiber_id", ""), piece->fiber_id) != 0
            || lp_json_int(row, "low_mhz", 0) >= piece->high_mhz
            || lp_json_int(row, "high_mhz", 0) <= piece->low_mhz)
            continue;
        *lit = *lit && strcmp(lp_json_str(row, "state", ""), "lit") == 0;
        *since = at > *since ? at : *since;
    }
}

static enum lp_code
drop_holder(struct lp_txn *txn, const char *holder, struct lp_err *err)
{
    return lp_txn_exec(txn, LP_SQL_CLAIMS_DROP_HOLDER, LP_ARGS(lp_text("holder", holder)), NULL,
                       err);
}

static enum lp_code
settle(struct lp_txn *txn, const struct lp_claimant *claimant, const struct pieces *pieces,
       bool lit, int64_t now_us, const json_t *before, struct lp_err *err)
{
    enum lp_code rc = drop_holder(txn, claimant->holder, err);

    for (size_t i = 0; i < pieces->count && rc == LP_OK; i++) {
        int64_t since;
        bool were_lit;

        parts_of(before, &pieces->rows[i], &since, &were_lit);
        rc = add(txn, claimant, &pieces->rows[i], lit || were_lit ? "lit" : "reserved",
                 lit && !were_lit ? now_us : since, err);
    }
    return rc;
}

enum lp_code
lp_claims_settle(struct lp_txn *txn, const struct lp_claimant *claimant,
                 const struct lp_piece *pieces, size_t count, bool lit, int64_t now_us,
                 json_t **before, struct lp_err *err)
{
    struct pieces sorted;
    struct gaps gaps = {.rows = NULL};
    json_auto_t *had = NULL;
    enum lp_code rc = normalise(pieces, count, &sorted, err);

    if (rc == LP_OK)
        rc = look(txn, claimant->holder, &sorted, &gaps, err);
    if (rc == LP_OK && gaps.count > 0)
        rc = lp_fail(
            err, LP_CONFLICT, "%" PRId64 "-%" PRId64 " MHz on fiber %s is not claimed for %s",
            gaps.rows[0].low_mhz, gaps.rows[0].high_mhz, gaps.rows[0].fiber_id, claimant->holder);
    if (rc == LP_OK)
        rc = held(txn, claimant->holder, &had, err);
    if (rc == LP_OK)
        rc = settle(txn, claimant, &sorted, lit, now_us, had, err);
    if (rc == LP_OK)
        *before = lp_json_take(&had);
    free(gaps.rows);
    free(sorted.rows);
    return rc;
}

static enum lp_code
pieces_of(const json_t *claims, struct lp_piece **out, size_t *count, struct lp_err *err)
{
    struct lp_piece *rows = calloc(json_array_size(claims) + 1, sizeof *rows);
    const json_t *claim;
    size_t i;

    if (rows == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for %zu claims", json_array_size(claims));
    json_array_foreach(claims, i, claim)
    {
        (void)snprintf(rows[i].fiber_id, sizeof rows[i].fiber_id, "%s",
                       lp_json_str(claim, "fiber_id", ""));
        rows[i].low_mhz = lp_json_int(claim, "low_mhz", 0);
        rows[i].high_mhz = lp_json_int(claim, "high_mhz", 0);
    }
    *out = rows;
    *count = json_array_size(claims);
    return LP_OK;
}

static enum lp_code
put_rows(struct lp_txn *txn, const char *holder, const json_t *before,
         const struct lp_piece *pieces, struct lp_err *err)
{
    const json_t *row;
    size_t i;
    enum lp_code rc = drop_holder(txn, holder, err);

    json_array_foreach(before, i, row)
    {
        const struct lp_claimant claimant = {
            .holder = holder,
            .subscription_id = lp_json_str(row, "subscription_id", ""),
            .process_id = lp_json_str(row, "process_id", ""),
            .slot = lp_json_int(row, "slot", 0),
        };
        if (rc == LP_OK)
            rc = add(txn, &claimant, &pieces[i], lp_json_str(row, "state", "reserved"),
                     lp_json_int(row, "created_at", 0), err);
    }
    return rc;
}

enum lp_code
lp_claims_put_back(struct lp_txn *txn, const char *holder, const json_t *before, struct lp_err *err)
{
    struct lp_piece *pieces = NULL;
    struct pieces sorted = {.rows = NULL};
    struct gaps gaps = {.rows = NULL};
    size_t count = 0;
    enum lp_code rc = pieces_of(before, &pieces, &count, err);

    if (rc == LP_OK)
        rc = normalise(pieces, count, &sorted, err);
    if (rc == LP_OK)
        rc = look(txn, holder, &sorted, &gaps, err);
    if (rc == LP_OK)
        rc = put_rows(txn, holder, before, pieces, err);
    free(gaps.rows);
    free(sorted.rows);
    free(pieces);
    return rc;
}

/* ---- choosing, giving back ---- */

static bool
is_one_of(const json_t *holders, const char *holder)
{
    const json_t *one;
    size_t i;

    json_array_foreach(holders, i, one)
    {
        const char *text = json_string_value(one);
        if (text != NULL && strcmp(text, holder) == 0)
            return true;
    }
    return false;
}

enum lp_code
lp_claims_of_others(struct lp_txn *txn, const char *fiber_id, const json_t *holders,
                    json_t **claims, struct lp_err *err)
{
    struct lp_piece all = {.low_mhz = 0, .high_mhz = INT64_MAX};
    struct lp_rows *rows = NULL;
    json_auto_t *list = json_array();
    enum lp_code rc;

    (void)snprintf(all.fiber_id, sizeof all.fiber_id, "%s", fiber_id);
    rc = near(txn, &all, &rows, err);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        if (!is_one_of(holders, lp_rows_text(rows, i, "holder"))
            && json_array_append_new(list, row_json(rows, i)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for claims");
    lp_rows_free(rows);
    if (rc == LP_OK)
        *claims = lp_json_take(&list);
    return rc;
}

enum lp_code
lp_claims_take_back(struct lp_txn *txn, const char *process_id, const char *holder,
                    int64_t *released, struct lp_err *err)
{
    return lp_txn_exec(txn, LP_SQL_CLAIMS_DROP_PROCESS,
                       LP_ARGS(lp_text("process", process_id), lp_text("holder", holder)), released,
                       err);
}

void
lp_claims_release_holder(struct lp_unit *unit, const char *holder)
{
    lp_unit_add(unit, LP_SQL_CLAIMS_DROP_HOLDER, LP_ARGS(lp_text("holder", holder)));
}

void
lp_claims_release_subscription(struct lp_unit *unit, const char *subscription_id)
{
    lp_unit_add(unit, LP_SQL_CLAIMS_DROP_SUBSCRIPTION,
                LP_ARGS(lp_text("subscription", subscription_id)));
}

void
lp_claims_release_process(struct lp_unit *unit, const char *process_id)
{
    lp_unit_add(unit, LP_SQL_CLAIMS_DROP_PROCESS,
                LP_ARGS(lp_text("process", process_id), lp_null("holder")));
}

void
lp_claims_mark(struct lp_unit *unit, const char *holder, bool lit)
{
    lp_unit_add(unit, LP_SQL_CLAIMS_MARK,
                LP_ARGS(lp_text("holder", holder), lp_text("state", lit ? "lit" : "reserved")));
}

void
lp_claims_transfer(struct lp_unit *unit, const char *holder, const char *subscription_id)
{
    lp_unit_add(unit, LP_SQL_CLAIMS_TRANSFER,
                LP_ARGS(lp_text("holder", holder), lp_text("subscription", subscription_id)));
}

/* ---- reading ---- */

static enum lp_code
query(struct lp_store *store, struct lp_reader *reader, enum lp_stmt stmt,
      const struct lp_arg *args, size_t count, struct lp_rows **rows, struct lp_err *err)
{
    return reader != NULL ? lp_reader_query(reader, stmt, args, count, rows, err)
                          : lp_query(store, stmt, args, count, rows, err);
}

/** With the names that the statements for people give. */
static enum lp_code
named_json(const struct lp_rows *rows, const char *why, json_t **out, struct lp_err *err)
{
    json_auto_t *list = json_array();

    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        json_t *row = row_json(rows, i);

        if (row == NULL || json_array_append_new(list, row) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for %zu claims", lp_rows_count(rows));
        (void)lp_json_set_str(row, "fiber", lp_rows_text(rows, i, "fiber"));
        (void)lp_json_set_str(row, "subscription", lp_rows_text(rows, i, "subscription"));
        if (why != NULL)
            (void)lp_json_set_str(row, "why", lp_rows_text(rows, i, why));
    }
    *out = lp_json_take(&list);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for claims") : LP_OK;
}

enum lp_code
lp_claims_of(struct lp_store *store, struct lp_reader *reader, enum lp_claims_by by, const char *id,
             json_t **claims, struct lp_err *err)
{
    static const enum lp_stmt statements[] = {
        [LP_CLAIMS_BY_FIBER] = LP_SQL_CLAIMS_BY_FIBER,
        [LP_CLAIMS_BY_HOLDER] = LP_SQL_CLAIMS_BY_HOLDER,
        [LP_CLAIMS_BY_SUBSCRIPTION] = LP_SQL_CLAIMS_BY_SUBSCRIPTION,
        [LP_CLAIMS_BY_PROCESS] = LP_SQL_CLAIMS_BY_PROCESS,
    };
    static_assert(LP_COUNT(statements) == LP_CLAIMS_BY_COUNT, "a statement for each");
    struct lp_rows *rows = NULL;
    enum lp_code rc = query(store, reader, statements[by], LP_ARGS(lp_text("id", id)), &rows, err);

    if (rc == LP_OK)
        rc = named_json(rows, NULL, claims, err);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_claims_overlapping(struct lp_store *store, struct lp_reader *reader,
                      const struct lp_piece *piece, const char *holder, json_t **claims,
                      struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        query(store, reader, LP_SQL_CLAIMS_OVERLAPPING,
              LP_ARGS(lp_text("fiber", piece->fiber_id), lp_int("low", piece->low_mhz),
                      lp_int("high", piece->high_mhz), lp_text("holder", holder)),
              &rows, err);

    if (rc == LP_OK)
        rc = named_json(rows, NULL, claims, err);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_claims_leftovers(struct lp_store *store, int64_t most, json_t **claims, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_CLAIMS_LEFTOVERS, LP_ARGS(lp_int("most", most)), &rows, err);

    if (rc == LP_OK)
        rc = named_json(rows, "why", claims, err);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_claims_each(struct lp_store *store, struct lp_reader *reader, lp_claim_fn *fn, void *arg,
               struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = query(store, reader, LP_SQL_CLAIMS_ALL, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        fn(arg, &(struct lp_claim_row){
                    .fiber_id = lp_rows_text(rows, i, "fiber_id"),
                    .holder = lp_rows_text(rows, i, "holder"),
                    .subscription_id = lp_rows_text(rows, i, "subscription_id"),
                    .low_mhz = lp_rows_int(rows, i, "low_mhz"),
                    .high_mhz = lp_rows_int(rows, i, "high_mhz"),
                    .lit = strcmp(lp_rows_text(rows, i, "state"), "lit") == 0,
                });
    lp_rows_free(rows);
    return rc;
}
