/* The engine as a whole: made, checked against what is stored, run, stopped. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/internal.h"

/* ---- settings made once ---- */

static enum lp_code
setting(struct lp_store *store, const char *name, char *value, size_t size, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(store, LP_SQL_REG_SETTING, LP_ARGS(lp_text("name", name)), &rows, err);

    if (rc != LP_OK)
        return rc;
    value[0] = '\0';
    if (lp_rows_count(rows) > 0)
        snprintf(value, size, "%s", lp_rows_text(rows, 0, "value"));
    lp_rows_free(rows);
    return LP_OK;
}

enum lp_code
lp_engine_setting_is(struct lp_store *store, const char *name, const char *value, bool *same,
                     struct lp_err *err)
{
    char text[128];
    enum lp_code rc = setting(store, name, text, sizeof text, err);

    *same = rc == LP_OK && strcmp(text, value) == 0;
    return rc;
}

static void
add_default(struct lp_unit *unit, const char *name, const char *value, int64_t now)
{
    lp_unit_add(unit, LP_SQL_REG_SETTING_DEFAULT,
                LP_ARGS(lp_text("name", name), lp_text("value", value), lp_int("now", now)));
}

static void
add_catalog_text(struct lp_unit *unit, const char *kind, const char *id, const char *name,
                 const char *description, int64_t now)
{
    lp_unit_add(unit, LP_SQL_REG_CATALOG_TEXT,
                LP_ARGS(lp_text("kind", kind), lp_text("id", id), lp_text("name", name),
                        lp_text("description", description), lp_int("now", now)));
}

/* A program that starts on a known database has nothing to write: the commit is saved. */
static enum lp_code
already_known(struct lp_engine *engine, const char *mark, bool *known, struct lp_err *err)
{
    return lp_engine_setting_is(engine->store, "engine_mark", mark, known, err);
}

/* Hash over catalog and definitions: equal means every row below is there. */
static enum lp_code
engine_mark(const struct lp_engine *engine, char mark[static 65], struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc = LP_OK;

    lp_buf_str(&text, lp_catalog_hash(engine->catalog));
    for (size_t i = 0; i < engine->workflow_count; i++)
        lp_buf_printf(&text, " %s %s", engine->workflows[i].workflow->name,
                      engine->workflows[i].hash);
    if (text.failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for the list of workflows");
    else
        lp_sha256_hex(text.data, text.len, mark);
    lp_buf_free(&text);
    return rc;
}

static void
add_catalog(struct lp_engine *engine, struct lp_unit *unit, int64_t now)
{
    size_t count = 0;
    const struct lp_product_type *products = lp_catalog_products(engine->catalog, &count);
    const struct lp_block_type *blocks;

    for (size_t i = 0; i < count; i++)
        add_catalog_text(unit, "product", products[i].id.text, products[i].name,
                         products[i].description, now);
    blocks = lp_catalog_blocks(engine->catalog, &count);
    for (size_t i = 0; i < count; i++)
        add_catalog_text(unit, "product_block", blocks[i].id.text, blocks[i].name,
                         blocks[i].description, now);
    for (size_t i = 0; i < engine->workflow_count; i++) {
        const struct lp_registered *reg = &engine->workflows[i];

        add_catalog_text(unit, "workflow", reg->id.text, reg->workflow->name,
                         reg->workflow->description, now);
        lp_unit_add(unit, LP_SQL_REG_DEFINITION_INSERT,
                    LP_ARGS(lp_text("hash", reg->hash), lp_text("workflow", reg->workflow->name),
                            lp_text("doc", reg->definition), lp_int("now", now)));
    }
}

static enum lp_code
store_definitions(struct lp_engine *engine, struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(engine->clock);
    struct lp_unit *unit;
    unsigned char key[32];
    char hex[65], mark[65];
    bool known = false;
    enum lp_code rc = engine_mark(engine, mark, err);

    if (rc == LP_OK)
        rc = already_known(engine, mark, &known, err);
    if (rc != LP_OK || known)
        return rc;
    lp_random(key, sizeof key);
    for (size_t i = 0; i < sizeof key; i++)
        snprintf(hex + 2 * i, 3, "%02x", key[i]);
    unit = lp_unit_new();
    add_default(unit, "server_key", hex, now);
    add_default(unit, "event_seq", "0", now);
    add_default(unit, "global_lock", "0", now);
    add_catalog(engine, unit, now);
    lp_unit_add(unit, LP_SQL_REG_SETTING_PUT,
                LP_ARGS(lp_text("name", "engine_mark"), lp_text("value", mark),
                        lp_text("actor", "SYSTEM"), lp_int("now", now)));
    rc = lp_store_commit(engine->store, unit, err);
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
store_catalog_hash(struct lp_engine *engine, const char *hash, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_REG_SETTING_PUT,
                LP_ARGS(lp_text("name", "catalog_hash"), lp_text("value", hash),
                        lp_text("actor", "SYSTEM"), lp_int("now", lp_clock_utc_us(engine->clock))));
    rc = lp_store_commit(engine->store, unit, err);
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
check_catalog(struct lp_engine *engine, struct lp_err *err)
{
    const char *hash = lp_catalog_hash(engine->catalog);
    json_auto_t *faults = json_array();
    struct lp_stored_check check = {.engine = engine, .faults = faults};
    bool same = false;
    enum lp_code rc = lp_engine_setting_is(engine->store, "catalog_hash", hash, &same, err);

    if (rc != LP_OK || same)
        return rc;
    rc = lp_stored_check(&check, err);
    if (rc != LP_OK)
        return rc;
    if (check.count == 0)
        return store_catalog_hash(engine, hash, err);
    rc = lp_fail(err, LP_DRIFT, "%zu stored subscription%s do%s not fit the catalog: %s",
                 check.count, check.count == 1 ? "" : "s", check.count == 1 ? "es" : "",
                 json_string_value(json_array_get(faults, 0)));
    err->detail = json_pack("{s:O}", "problems", faults);
    return rc;
}

/* ---- making ---- */

static enum lp_code
list_workflows(struct lp_engine *engine, struct lp_err *err)
{
    engine->workflow_list = calloc(engine->workflow_count + 1, sizeof(const struct lp_workflow *));
    if (engine->workflow_list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the list of workflows");
    for (size_t i = 0; i < engine->workflow_count; i++)
        engine->workflow_list[i] = engine->workflows[i].workflow;
    return LP_OK;
}

static enum lp_code
build(struct lp_engine *engine, const struct lp_engine_options *options, struct lp_err *err)
{
    enum lp_code rc = lp_registry_build(engine, options->sets, options->set_count, err);

    if (rc == LP_OK)
        rc = list_workflows(engine, err);
    if (rc == LP_OK)
        rc = store_definitions(engine, err);
    if (rc == LP_OK)
        rc = setting(engine->store, "server_key", engine->server_key, sizeof engine->server_key,
                     err);
    if (rc == LP_OK && strlen(engine->server_key) != 64)
        rc = lp_fail(err, LP_STORE, "the stored server key is damaged (settings, server_key)");
    if (rc == LP_OK)
        rc = check_catalog(engine, err);
    if (rc == LP_OK)
        rc = lp_restored_load(engine, err);
    if (rc == LP_OK)
        rc = lp_events_new(engine, err);
    if (rc == LP_OK)
        rc = lp_form_memo_new(&engine->memo, err);
    return rc;
}

enum lp_code
lp_engine_new(const struct lp_engine_options *options, struct lp_engine **out, struct lp_err *err)
{
    struct lp_engine *engine = calloc(1, sizeof *engine);
    struct lp_uuid incarnation;
    enum lp_code rc;

    if (engine == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the engine");
    engine->store = options->store;
    engine->catalog = options->catalog;
    engine->conf = options->conf;
    engine->clock = options->clock;
    engine->log = options->log;
    engine->queue = options->queue;
    engine->version = options->version == NULL ? "" : options->version;
    engine->swept = options->swept;
    engine->give_up = options->give_up;
    engine->services = options->services;
    incarnation = lp_uuid_v7(engine->clock);
    memcpy(engine->incarnation, incarnation.text, sizeof engine->incarnation);
    snprintf(engine->system_chain.name, sizeof engine->system_chain.name, "system:%s",
             engine->incarnation);
    pthread_mutex_init(&engine->system_lock, NULL);
    rc = build(engine, options, err);
    if (rc == LP_OK)
        *out = engine;
    else
        lp_engine_free(engine);
    return rc;
}

enum lp_code
lp_engine_run(struct lp_engine *engine, struct lp_err *err)
{
    enum lp_code rc = lp_events_start(engine, err);

    if (rc == LP_OK)
        rc = lp_executor_run(engine, err);
    return rc;
}

enum lp_code
lp_engine_attend(struct lp_engine *engine, struct lp_err *err)
{
    return lp_events_start(engine, err);
}

enum lp_code
lp_engine_stop(struct lp_engine *engine, int64_t timeout_ms, struct lp_err *err)
{
    enum lp_code rc = lp_executor_stop(engine, timeout_ms, err);

    lp_events_stop(engine); /* its last round numbers what the last steps committed */
    return rc;
}

void
lp_engine_free(struct lp_engine *engine)
{
    if (engine == NULL)
        return;
    lp_executor_free(engine);
    lp_events_free(engine);
    lp_form_memo_free(engine->memo);
    lp_registry_free(engine);
    free(engine->workflow_list);
    pthread_mutex_destroy(&engine->system_lock);
    explicit_bzero(engine->server_key, sizeof engine->server_key);
    free(engine);
}

const char *
lp_engine_incarnation(const struct lp_engine *engine)
{
    return engine->incarnation;
}

void
lp_engine_stats(struct lp_engine *engine, struct lp_engine_stats *out)
{
    const uint64_t *from = (const uint64_t *)&engine->stats;
    uint64_t *to = (uint64_t *)out;

    static_assert(sizeof *out % sizeof *to == 0, "counters only");
    for (size_t i = 0; i < sizeof *out / sizeof *to; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    out->threads = (uint64_t)engine->conf->executor_threads;
}
