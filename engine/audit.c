/* Audit: one hash chain per process and one per program run, seals over their heads, and the proof.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/internal.h"

#define PAGE       1000
#define SEAL_PAGE  50
#define SEAL_HEADS 50000 /* chains in one seal */
#define DAY_US     86400000000
#define OVERLAP_US                                                                                 \
    600000000 /* a row may commit so long after its time stamp; heads sealed twice do no harm */

static const char no_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";

/* One row as it is hashed. */
struct row {
    const char *chain;
    int64_t seq;
    const char *actor, *reason, *ticket, *correlation, *body;
    int64_t at;
    const char *prev;
};

static void
add_text(struct lp_buf *buf, const char *text)
{
    if (text == NULL)
        lp_buf_str(buf, "null");
    else
        lp_buf_json_string(buf, text, strlen(text));
}

/* SHA-256 over the canonical array of every member, so that no two rows share their bytes. Written
 * straight, without a tree: this runs once per step. */
static enum lp_code
row_hash(const struct row *row, char hash[static 65], struct lp_err *err)
{
    const char *const texts[] = {row->actor, row->reason, row->ticket, row->correlation, row->body};
    struct lp_buf buf = LP_BUF_INIT;

    lp_buf_char(&buf, '[');
    add_text(&buf, row->chain);
    lp_buf_printf(&buf, ",%lld", (long long)row->seq);
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        lp_buf_char(&buf, ',');
        add_text(&buf, texts[i]);
    }
    lp_buf_printf(&buf, ",%lld,", (long long)row->at);
    add_text(&buf, row->prev);
    lp_buf_char(&buf, ']');
    if (buf.failed)
        return lp_fail(err, LP_NOMEM, "no memory for the audit row of '%s'", row->chain);
    lp_sha256_hex(buf.data, buf.len, hash);
    lp_buf_free(&buf);
    return LP_OK;
}

enum lp_code
lp_audit_add_text(struct lp_unit *unit, struct lp_chain *chain, const struct lp_caller *caller,
                  const char *body, int64_t now_us, struct lp_err *err)
{
    struct row row = {.chain = chain->name,
                      .seq = chain->seq + 1,
                      .actor = caller->actor,
                      .reason = caller->reason,
                      .ticket = caller->ticket,
                      .correlation = caller->correlation_id,
                      .body = body,
                      .at = now_us,
                      .prev = chain->seq == 0 ? no_hash : chain->hash};
    char hash[65];
    enum lp_code rc = row_hash(&row, hash, err);

    if (rc != LP_OK)
        return rc;
    lp_unit_add(unit, LP_SQL_AUDIT_INSERT,
                LP_ARGS(lp_text("chain", row.chain), lp_int("seq", row.seq),
                        lp_text("actor", row.actor), lp_text("reason", row.reason),
                        lp_text("ticket", row.ticket), lp_text("correlation_id", row.correlation),
                        lp_text("body", row.body), lp_int("at", row.at),
                        lp_text("prev_hash", row.prev), lp_text("hash", hash)));
    chain->seq = row.seq;
    memcpy(chain->hash, hash, sizeof chain->hash);
    return LP_OK;
}

enum lp_code
lp_audit_add(struct lp_unit *unit, struct lp_chain *chain, const struct lp_caller *caller,
             const json_t *body, int64_t now_us, struct lp_err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc;

    if (body == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the audit row of '%s'", chain->name);
    rc = lp_json_canonical(body, &text, &len, err);
    if (rc == LP_OK)
        rc = lp_audit_add_text(unit, chain, caller, text, now_us, err);
    free(text);
    return rc;
}

/* ---- the system chain ---- */

/* The row behind the head may be there although its commit seemed to fail: then it is the head.
 * Lock held. */
static enum lp_code
resolve_doubt(struct lp_engine *engine, struct lp_err *err)
{
    struct lp_chain *chain = &engine->system_chain;
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_AUDIT_HEAD,
                 LP_ARGS(lp_text("chain", chain->name), lp_int("seq", chain->seq + 1)), &rows, err);

    if (rc == LP_OK && !lp_rows_null(rows, 0, "hash")) {
        chain->seq++;
        snprintf(chain->hash, sizeof chain->hash, "%s", lp_rows_text(rows, 0, "hash"));
    }
    lp_rows_free(rows);
    engine->system_doubt = rc != LP_OK;
    return rc;
}

enum lp_code
lp_audit_commit_system(struct lp_engine *engine, struct lp_unit *unit,
                       const struct lp_caller *caller, const json_t *body, struct lp_err *err)
{
    struct lp_chain head;
    enum lp_code rc = LP_OK;

    /* The one lock that spans a commit: two appends in flight would both name the same predecessor.
     */
    pthread_mutex_lock(&engine->system_lock);
    if (engine->system_doubt)
        rc = resolve_doubt(engine, err);
    head = engine->system_chain;
    if (rc == LP_OK)
        rc = lp_audit_add(unit, &head, caller, body, lp_clock_utc_us(engine->clock), err);
    if (rc == LP_OK) {
        rc = lp_store_commit(engine->store, unit, err);
        engine->system_doubt = rc == LP_UNKNOWN || rc == LP_CONFLICT;
    }
    if (rc == LP_OK)
        engine->system_chain = head;
    pthread_mutex_unlock(&engine->system_lock);
    if (rc == LP_OK)
        lp_events_poke(engine);
    return rc;
}

enum lp_code
lp_engine_audit_with(struct lp_engine *engine, struct lp_unit *unit, const struct lp_caller *caller,
                     json_t *body, struct lp_err *err)
{
    json_auto_t *owned = body;

    if (owned == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for an audit row");
    return lp_audit_commit_system(engine, unit, caller, owned, err);
}

enum lp_code
lp_engine_audit_system(struct lp_engine *engine, const struct lp_caller *caller, json_t *body,
                       struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc = lp_engine_audit_with(engine, unit, caller, body, err);

    lp_unit_free(unit);
    return rc;
}

/* ---- reading ---- */

static json_t *
row_json(const struct lp_rows *rows, size_t i)
{
    const char *text = lp_rows_text(rows, i, "body");
    json_t *body = json_loads(text, JSON_DECODE_ANY, NULL);

    return json_pack("{s:s, s:I, s:s, s:s?, s:s?, s:s?, s:o, s:f, s:s, s:s}", "chain",
                     lp_rows_text(rows, i, "chain"), "seq", (json_int_t)lp_rows_int(rows, i, "seq"),
                     "actor", lp_rows_text(rows, i, "actor"), "reason",
                     lp_rows_text(rows, i, "reason"), "ticket", lp_rows_text(rows, i, "ticket"),
                     "correlation_id", lp_rows_text(rows, i, "correlation_id"), "body",
                     body == NULL ? json_string(text) : body, "at",
                     (double)lp_rows_int(rows, i, "at") / 1e6, "prev_hash",
                     lp_rows_text(rows, i, "prev_hash"), "hash", lp_rows_text(rows, i, "hash"));
}

enum lp_code
lp_engine_audit(struct lp_engine *engine, const char *chain, int64_t limit, json_t **out,
                struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    if (limit <= 0 || limit > PAGE)
        limit = PAGE;
    if (chain == NULL)
        rc = lp_query(engine->store, LP_SQL_AUDIT_NEWEST, LP_ARGS(lp_int("limit", limit)), &rows,
                      err);
    else
        rc = lp_query(engine->store, LP_SQL_AUDIT_CHAIN,
                      LP_ARGS(lp_text("chain", chain), lp_int("limit", limit)), &rows, err);
    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        json_array_append_new(*out, row_json(rows, i));
    lp_rows_free(rows);
    return LP_OK;
}

/* ---- seals ---- */

/* Number, time and hash of the newest seal; zeros when there is none. */
struct seal {
    int64_t n, at;
    char hash[65];
};

static enum lp_code
newest_seal(struct lp_reader *reader, struct seal *seal, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(reader, LP_SQL_AUDIT_SEAL_NEWEST, LP_NO_ARGS, &rows, err);

    *seal = (struct seal){.n = 0};
    memcpy(seal->hash, no_hash, sizeof seal->hash);
    if (rc == LP_OK && lp_rows_count(rows) > 0) {
        seal->n = lp_rows_int(rows, 0, "n");
        seal->at = lp_rows_int(rows, 0, "at");
        snprintf(seal->hash, sizeof seal->hash, "%s", lp_rows_text(rows, 0, "hash"));
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
seal_hash(int64_t n, int64_t at, int64_t count, const char *heads, const char *prev,
          char hash[static 65], struct lp_err *err)
{
    json_auto_t *doc =
        json_pack("[IIIss]", (json_int_t)n, (json_int_t)at, (json_int_t)count, heads, prev);
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(doc, &text, &len, err);

    if (rc == LP_OK)
        lp_sha256_hex(text, len, hash);
    free(text);
    return rc;
}

/* {"chain": [seq, hash, at]...} of chains with a row since then, in the order of their names behind
 * `after`; the last one is put there. */
static enum lp_code
collect_heads(struct lp_reader *reader, int64_t since, char after[static 128], json_t *heads,
              int64_t *rows_out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(
        reader, LP_SQL_AUDIT_HEADS,
        LP_ARGS(lp_int("since", since), lp_text("after", after), lp_int("limit", SEAL_HEADS)),
        &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *chain = lp_rows_text(rows, i, "chain");
        int64_t seq = lp_rows_int(rows, i, "seq");

        *rows_out += seq;
        json_object_set_new(heads, chain,
                            json_pack("[IsI]", (json_int_t)seq, lp_rows_text(rows, i, "hash"),
                                      (json_int_t)lp_rows_int(rows, i, "at")));
        snprintf(after, 128, "%s", chain);
    }
    lp_rows_free(rows);
    return rc;
}

/* Writes the seal behind `before` and puts the new one in its place. */
static enum lp_code
write_seal(struct lp_engine *engine, struct seal *before, const json_t *heads, int64_t count,
           struct lp_err *err)
{
    int64_t at = lp_clock_utc_us(engine->clock);
    struct lp_unit *unit = lp_unit_new();
    char hash[65];
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(heads, &text, &len, err);

    if (rc == LP_OK)
        rc = seal_hash(before->n + 1, at, count, text, before->hash, hash, err);
    if (rc == LP_OK) {
        lp_unit_add(unit, LP_SQL_AUDIT_SEAL_INSERT,
                    LP_ARGS(lp_int("n", before->n + 1), lp_int("at", at), lp_int("rows", count),
                            lp_text("heads", text), lp_text("prev_hash", before->hash),
                            lp_text("hash", hash)));
        rc = lp_store_commit(engine->store, unit, err);
    }
    if (rc == LP_OK) {
        before->n++;
        before->at = at;
        memcpy(before->hash, hash, sizeof before->hash);
    }
    lp_unit_free(unit);
    free(text);
    return rc;
}

/* As many seals as it takes, so that a busy hour does not make one huge row. */
static enum lp_code
seal_all(struct lp_engine *engine, struct lp_reader *reader, struct lp_err *err)
{
    struct seal newest;
    char after[128] = "";
    size_t count = SEAL_HEADS;
    enum lp_code rc = newest_seal(reader, &newest, err);
    int64_t since = newest.at - OVERLAP_US;

    while (rc == LP_OK && count == SEAL_HEADS) {
        json_auto_t *heads = json_object();
        int64_t rows = 0;

        rc = collect_heads(reader, since, after, heads, &rows, err);
        count = json_object_size(heads);
        if (rc == LP_OK && count > 0)
            rc = write_seal(engine, &newest, heads, rows, err);
    }
    return rc;
}

enum lp_code
lp_audit_seal(struct lp_engine *engine, struct lp_err *err)
{
    struct lp_reader *reader = NULL;
    enum lp_code rc = lp_reader_open(engine->store, &reader, err);

    if (rc != LP_OK)
        return rc;
    rc = seal_all(engine, reader, err);
    lp_reader_close(reader);
    /* Two programs sealing at once: one wins the number, the other's rows stand in the next seal.
     */
    if (rc == LP_CONFLICT) {
        lp_err_clear(err);
        rc = LP_OK;
    }
    return rc;
}

/* ---- proof ---- */

struct walk {
    char chain[128];
    int64_t seq;
    char hash[65];
    int64_t rows;
};

static enum lp_code
check_row(struct walk *walk, const struct row *row, const char *stored, struct lp_err *err)
{
    bool fresh = strcmp(walk->chain, row->chain) != 0;
    int64_t seq = fresh ? 1 : walk->seq + 1;
    const char *prev = fresh ? no_hash : walk->hash;
    char hash[65];
    enum lp_code rc;

    if (row->seq != seq)
        return lp_fail_at(err, LP_DRIFT, row->chain,
                          "audit chain %s: row %lld is missing (the next one is %lld)", row->chain,
                          (long long)seq, (long long)row->seq);
    if (strcmp(row->prev, prev) != 0)
        return lp_fail_at(err, LP_DRIFT, row->chain,
                          "audit chain %s: row %lld does not follow the row before it", row->chain,
                          (long long)row->seq);
    rc = row_hash(row, hash, err);
    if (rc != LP_OK)
        return rc;
    if (strcmp(hash, stored) != 0)
        return lp_fail_at(err, LP_DRIFT, row->chain, "audit chain %s: row %lld was changed",
                          row->chain, (long long)row->seq);
    snprintf(walk->chain, sizeof walk->chain, "%s", row->chain);
    walk->seq = row->seq;
    memcpy(walk->hash, hash, sizeof walk->hash);
    walk->rows++;
    return LP_OK;
}

static enum lp_code
check_rows(struct walk *walk, const struct lp_rows *rows, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        struct row row = {.chain = lp_rows_text(rows, i, "chain"),
                          .seq = lp_rows_int(rows, i, "seq"),
                          .actor = lp_rows_text(rows, i, "actor"),
                          .reason = lp_rows_text(rows, i, "reason"),
                          .ticket = lp_rows_text(rows, i, "ticket"),
                          .correlation = lp_rows_text(rows, i, "correlation_id"),
                          .body = lp_rows_text(rows, i, "body"),
                          .at = lp_rows_int(rows, i, "at"),
                          .prev = lp_rows_text(rows, i, "prev_hash")};

        rc = check_row(walk, &row, lp_rows_text(rows, i, "hash"), err);
    }
    return rc;
}

/* A page at a time, so that a table of any size is proved in bounded memory. Pages are separate
 * reads: rows are only ever appended. */
static enum lp_code
verify_chains(struct lp_engine *engine, int64_t *checked, struct lp_err *err)
{
    struct walk walk = {.seq = 0};
    enum lp_code rc = LP_OK;
    size_t count = PAGE;

    while (rc == LP_OK && count == PAGE) {
        struct lp_rows *rows = NULL;

        rc = lp_query(
            engine->store, LP_SQL_AUDIT_PAGE,
            LP_ARGS(lp_text("chain", walk.chain), lp_int("seq", walk.seq), lp_int("limit", PAGE)),
            &rows, err);
        if (rc != LP_OK)
            break;
        count = lp_rows_count(rows);
        rc = check_rows(&walk, rows, err);
        lp_rows_free(rows);
    }
    *checked = walk.rows;
    return rc;
}

/* What is older than this may have been removed by retention. */
static int64_t
kept_from(const struct lp_engine *engine)
{
    return lp_clock_utc_us(engine->clock)
           - lp_conf_live_int(&engine->conf->retention_audit_days) * DAY_US;
}

/* A sealed head must still be there, unless retention removed the whole chain. */
static enum lp_code
check_head(struct lp_engine *engine, const char *chain, const json_t *head, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    int64_t seq = json_integer_value(json_array_get(head, 0));
    const char *hash = json_string_value(json_array_get(head, 1));
    int64_t at = json_integer_value(json_array_get(head, 2));
    bool whole_chain_gone, same;
    enum lp_code rc = lp_query(engine->store, LP_SQL_AUDIT_HEAD,
                               LP_ARGS(lp_text("chain", chain), lp_int("seq", seq)), &rows, err);

    if (rc != LP_OK)
        return rc;
    whole_chain_gone = lp_rows_null(rows, 0, "newest");
    same = hash != NULL && !lp_rows_null(rows, 0, "hash")
           && strcmp(lp_rows_text(rows, 0, "hash"), hash) == 0;
    lp_rows_free(rows);
    if (same || (whole_chain_gone && at < kept_from(engine)))
        return LP_OK;
    return lp_fail_at(err, LP_DRIFT, chain, "audit chain %s: row %lld stands in a seal and is %s",
                      chain, (long long)seq,
                      whole_chain_gone ? "gone with its chain" : "missing or another one");
}

/* Retention takes seals from the front, in a database that is old enough: then the walk begins at
 * the first that is left. */
static enum lp_code
begin_at(struct lp_engine *engine, const struct lp_rows *rows, struct seal *walk,
         struct lp_err *err)
{
    struct lp_rows *made = NULL;
    enum lp_code rc;

    if (walk->n > 0 || lp_rows_int(rows, 0, "n") == 1)
        return LP_OK;
    rc = lp_query(engine->store, LP_SQL_REG_SETTING, LP_ARGS(lp_text("name", "server_key")), &made,
                  err);
    if (rc == LP_OK && lp_rows_count(made) > 0
        && lp_rows_int(made, 0, "changed_at") < kept_from(engine)) {
        walk->n = lp_rows_int(rows, 0, "n") - 1;
        snprintf(walk->hash, sizeof walk->hash, "%s", lp_rows_text(rows, 0, "prev_hash"));
    }
    lp_rows_free(made);
    return rc;
}

static enum lp_code
check_seal(struct lp_engine *engine, const struct lp_rows *rows, size_t i, struct seal *walk,
           struct lp_err *err)
{
    int64_t n = lp_rows_int(rows, i, "n");
    int64_t at = lp_rows_int(rows, i, "at");
    const char *text = lp_rows_text(rows, i, "heads");
    json_auto_t *heads = NULL;
    const char *chain;
    json_t *head;
    char hash[65];
    enum lp_code rc = seal_hash(n, at, lp_rows_int(rows, i, "rows"), text,
                                lp_rows_text(rows, i, "prev_hash"), hash, err);

    if (rc != LP_OK)
        return rc;
    if (n != walk->n + 1 || strcmp(lp_rows_text(rows, i, "prev_hash"), walk->hash) != 0)
        return lp_fail_at(err, LP_DRIFT, "audit_seals", "audit seal %lld does not follow seal %lld",
                          (long long)n, (long long)walk->n);
    if (strcmp(hash, lp_rows_text(rows, i, "hash")) != 0)
        return lp_fail_at(err, LP_DRIFT, "audit_seals", "audit seal %lld was changed",
                          (long long)n);
    heads = json_loads(text, 0, NULL);
    json_object_foreach(heads, chain, head)
    {
        rc = check_head(engine, chain, head, err);
        if (rc != LP_OK)
            return rc;
    }
    walk->n = n;
    memcpy(walk->hash, hash, sizeof walk->hash);
    return LP_OK;
}

static enum lp_code
verify_seals(struct lp_engine *engine, struct lp_err *err)
{
    struct seal walk = {.n = 0};
    enum lp_code rc = LP_OK;
    size_t count = SEAL_PAGE;

    memcpy(walk.hash, no_hash, sizeof walk.hash);
    while (rc == LP_OK && count == SEAL_PAGE) {
        struct lp_rows *rows = NULL;

        rc = lp_query(engine->store, LP_SQL_AUDIT_SEALS,
                      LP_ARGS(lp_int("n", walk.n), lp_int("limit", SEAL_PAGE)), &rows, err);
        if (rc != LP_OK)
            break;
        count = lp_rows_count(rows);
        if (count > 0)
            rc = begin_at(engine, rows, &walk, err);
        for (size_t i = 0; rc == LP_OK && i < count; i++)
            rc = check_seal(engine, rows, i, &walk, err);
        lp_rows_free(rows);
    }
    return rc;
}

enum lp_code
lp_engine_audit_verify(struct lp_engine *engine, int64_t *rows, struct lp_err *err)
{
    enum lp_code rc = verify_chains(engine, rows, err);

    return rc == LP_OK ? verify_seals(engine, err) : rc;
}
