/*
 * The program that the crash suite kills. It opens a store, runs the engine with workflows of its
 * own, and drives one batch to the end: starts the processes (the same idempotency keys after every
 * restart), answers forms, delivers callbacks.
 *
 *   crashd URL DIR BATCH COUNT         drive the batch until every process is completed; exit 0
 *   crashd URL DIR BATCH COUNT check   verify what must hold afterwards; prints every violation;
 * exit 1 when there is one
 *
 * DIR holds what the steps did outside of the database: one file a process and step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/conf.h"
#include "engine/engine.h"
#include "engine/run.h"
#include "queue/queue.h"

#define EACH_COUNT 3
#define CHILDREN   2

static const char *out_dir;

/* ---- effects ---- */

/* A plain insert: when it happened twice, two rows tell. */
static void
db_effect(struct lp_run *run, const char *what)
{
    struct lp_uuid id = lp_uuid_v7(run->clock);

    lp_run_write(run, LP_SQL_IMPORT_ROW_ADD,
                 LP_ARGS(lp_text("source", run->process_id), lp_text("key", what),
                         lp_int("imported_at", lp_clock_utc_us(run->clock)), lp_text("doc", "{}"),
                         lp_text("process_id", id.text)));
}

static enum lp_code
append_line(const char *process, const char *what, const char *line, struct lp_err *err)
{
    char path[512];
    int fd;
    size_t len = strlen(line);
    ssize_t n;

    (void)snprintf(path, sizeof path, "%s/%s.%s", out_dir, process, what);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return lp_fail(err, LP_RETRYABLE, "cannot open %s: %s", path, strerror(errno));
    n = write(fd, line, len);
    (void)close(fd);
    if (n != (ssize_t)len)
        return lp_fail(err, LP_UNKNOWN, "cannot write %s", path);
    return LP_OK;
}

static enum lp_code
run_db(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)err;
    db_effect(run, run->step->key);
    (void)lp_json_set_str(delta, run->step->key, "done");
    return LP_OK;
}

static enum lp_code
run_each(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    char what[32];

    (void)state;
    (void)err;
    (void)snprintf(what, sizeof what, "each%zu", run->index);
    db_effect(run, what);
    (void)lp_json_set_int(delta, what, (int64_t)run->index);
    return LP_OK;
}

static enum lp_code
count_each(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)err;
    *count = EACH_COUNT;
    return LP_OK;
}

static enum lp_code
run_external(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    char line[128];

    (void)state;
    (void)snprintf(line, sizeof line, "%s\n", run->token);
    (void)lp_json_set_bool(delta, "outside", true);
    return append_line(run->process_id, "outside", line, err);
}

static enum lp_code
run_route(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    char line[512];

    (void)state;
    (void)delta;
    (void)snprintf(line, sizeof line, "%s\n", run->callback_route);
    return append_line(run->process_id, "route", line, err);
}

static enum lp_code
check_callback(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *result = json_object_get(state, "callback_result");

    (void)run;
    (void)delta;
    if (!lp_json_true(result, "ok"))
        return lp_fail(err, LP_INVALID, "the callback result is missing");
    return LP_OK;
}

static enum lp_code
run_timer(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    int64_t since = lp_json_int(state, "timer_since", 0);
    int64_t now = lp_clock_utc_us(run->clock);

    (void)delta;
    if (now - since > 20000)
        return LP_OK;
    lp_run_wake_at(run, since + 20001, "a short while");
    return lp_fail(err, LP_RETRYABLE, "not yet");
}

static enum lp_code
run_since(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)lp_json_set_int(delta, "timer_since", lp_clock_utc_us(run->clock));
    return run_db(run, state, delta, err);
}

static enum lp_code
run_allocate(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    rc = lp_txn_query(run->txn, LP_SQL_SETTING_GET, LP_ARGS(lp_text("name", "server_key")), &rows,
                      err);
    lp_rows_free(rows);
    if (rc != LP_OK)
        return rc;
    return run_db(run, state, delta, err);
}

static enum lp_code
run_create(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *input = json_pack("{s:s, s:[s]}", "partner_name", lp_json_str(state, "who", "?"),
                                   "roles", "customer");
    struct lp_subscription *sub = NULL;
    enum lp_code rc;

    rc = lp_subscription_new(run->catalog, lp_catalog_product(run->catalog, "Partner"), NULL, input,
                             run->clock, &sub, err);
    if (rc == LP_OK)
        rc = lp_subscription_set_status(sub, run->catalog, LP_LC_PROVISIONING, run->clock, err);
    if (rc == LP_OK)
        rc = lp_run_create(run, sub, delta, err);
    if (rc == LP_OK)
        db_effect(run, run->step->key);
    lp_subscription_free(sub);
    return rc;
}

static enum lp_code
make_children(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    (void)run;
    (void)state;
    for (int i = 0; i < CHILDREN; i++) {
        char item[16];

        (void)snprintf(item, sizeof item, "c%d", i);
        if (json_array_append_new(items, json_pack("{s:s, s:s, s:[{}]}", "item", item, "workflow",
                                                   "crash_child", "pages"))
            != 0)
            return lp_fail(err, LP_NOMEM, "no memory for the children");
    }
    return LP_OK;
}

/* ---- forms ---- */

static enum lp_code
build_who(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_field field = {
        .name = "who", .kind = LP_FIELD_STRING, .required = true, .required_in = -1};

    (void)ctx;
    (void)err;
    (void)lp_form_page_add(page, &field);
    return LP_OK;
}

static enum lp_code
build_answer(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_field field = {
        .name = "answer", .kind = LP_FIELD_INT, .required = true, .required_in = -1};

    (void)ctx;
    (void)err;
    (void)lp_form_page_add(page, &field);
    return LP_OK;
}

static const struct lp_page who_pages[] = {{.title = "Who", .build = build_who}};
static const struct lp_form who_form = {LP_PAGES(who_pages)};
static const struct lp_page answer_pages[] = {{.title = "Answer", .build = build_answer}};
static const struct lp_form answer_form = {LP_PAGES(answer_pages)};

/* ---- steps ---- */

#define DB_STEP(id, text)                                                                          \
    static const struct lp_step id = {.key = #id,                                                  \
                                      .title = text,                                               \
                                      .kind = LP_STEP_ACTION,                                      \
                                      .effects = LP_EFFECT_DB,                                     \
                                      .attempts = 3,                                               \
                                      .backoff_ms = {10, 100},                                     \
                                      .run = run_db,                                               \
                                      .no_undo = "a test"}

static const struct lp_step make = {.key = "make",
                                    .title = "Create the partner",
                                    .kind = LP_STEP_ACTION,
                                    .effects = LP_EFFECT_DB,
                                    .run = run_create,
                                    .no_undo = "a test"};
DB_STEP(before, "Before the question");
DB_STEP(after, "After the question");
static const struct lp_step ask = {.key = "ask",
                                   .title = "Ask",
                                   .kind = LP_STEP_INPUT,
                                   .form = &answer_form,
                                   .no_undo = "asks only"};
static const struct lp_step *const group_steps[] = {&before, &ask, &after};
static const struct lp_step group = {
    .key = "group", .title = "A group", .kind = LP_STEP_GROUP, LP_STEPS(group_steps)};
static const struct lp_step call = {.key = "call",
                                    .title = "Wait for a call",
                                    .kind = LP_STEP_CALLBACK,
                                    .effects = LP_EFFECT_EXTERNAL,
                                    .attempts = 5,
                                    .backoff_ms = {10, 100},
                                    .run = run_route,
                                    .validate = check_callback,
                                    .no_undo = "a test"};
static const struct lp_step outside = {.key = "outside",
                                       .title = "Do something outside",
                                       .kind = LP_STEP_ACTION,
                                       .effects = LP_EFFECT_EXTERNAL,
                                       .attempts = 5,
                                       .backoff_ms = {10, 100},
                                       .run = run_external,
                                       .no_undo = "a test"};
static const struct lp_step each = {.key = "each",
                                    .title = "One after the other",
                                    .kind = LP_STEP_EACH,
                                    .effects = LP_EFFECT_DB,
                                    .count = count_each,
                                    .run = run_each,
                                    .no_undo = "a test"};
static const struct lp_step fan = {.key = "fan",
                                   .title = "Children",
                                   .kind = LP_STEP_FANOUT,
                                   .items = make_children,
                                   .max_open = 1,
                                   .no_undo = "a test"};
static const struct lp_step since = {.key = "since",
                                     .title = "Note the time",
                                     .kind = LP_STEP_ACTION,
                                     .effects = LP_EFFECT_DB,
                                     .run = run_since,
                                     .no_undo = "a test"};
static const struct lp_step timer = {.key = "timer",
                                     .title = "Wait a little",
                                     .kind = LP_STEP_WAIT,
                                     .run = run_timer,
                                     .no_undo = "waits only"};
static const struct lp_step allocate = {.key = "allocate",
                                        .title = "Allocate",
                                        .kind = LP_STEP_ACTION,
                                        .effects = LP_EFFECT_DB_RW,
                                        .run = run_allocate,
                                        .no_undo = "a test"};
static const struct lp_step *const main_steps[] = {&make, &group, &call,  &outside, &each,
                                                   &fan,  &since, &timer, &allocate};

DB_STEP(one, "First");
DB_STEP(two, "Second");
static const struct lp_step *const child_steps[] = {&one, &two};

static const struct lp_workflow workflows[] = {
    {.name = "crash_main",
     .description = "Everything a process can do",
     .target = LP_TARGET_CREATE,
     .role = LP_ROLE_OPERATE,
     .product = "Partner",
     .form = &who_form,
     LP_STEPS(main_steps)},
    {.name = "crash_child",
     .description = "A child",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(child_steps)},
};
static const struct lp_workflow_set set = {workflows, LP_COUNT(workflows)};

/* Database effects that one process of each kind must leave, each exactly once. */
static const char *const main_effects[] = {"make",  "before", "after", "each0",
                                           "each1", "each2",  "since", "allocate"};
static const char *const child_effects[] = {"one", "two"};

/* ---- the program ---- */

struct program {
    struct lp_clock clock;
    struct lp_conf *conf;
    struct lp_log *log;
    struct lp_catalog *catalog;
    struct lp_store *store;
    struct lp_queue *queue;
    struct lp_engine *engine;
    const char *batch;
    int count;
};

static void
die(const char *what, const struct lp_err *err)
{
    (void)fprintf(stderr, "crashd: %s: %s %s\n", what, lp_code_info(err->code)->slug, err->msg);
    exit(3);
}

static void
nap(long ms)
{
    struct timespec ts = {ms / 1000, (ms % 1000) * 1000000L};

    (void)nanosleep(&ts, NULL);
}

static void
open_all(struct program *p, const char *url, bool engine)
{
    static const char *const overrides[] = {"executor.lease_ms=1000", "executor.heartbeat_ms=250",
                                            "executor.threads=8", "executor.sweep_ms=100",
                                            "daemon.name=crash"};
    static const char *const dirs[] = {LP_YANG_DIR};
    static const struct lp_workflow_set *const sets[] = {&set};
    struct lp_err err = LP_ERR_INIT;
    struct lp_store_options store = {.url = url, .pool = 2, .batch = 64, .clock = &p->clock};
    struct lp_engine_options options;
    unsigned applied;

    p->log = lp_log_new(2, getenv("LP_CRASH_LOG") != NULL ? LP_LOG_DEBUG : LP_LOG_ERROR, &p->clock);
    store.log = p->log;
    if (lp_conf_load(NULL, overrides, LP_COUNT(overrides), &p->conf, &err) != LP_OK)
        die("configuration", &err);
    if (lp_catalog_load(dirs, 1, &p->catalog, &err) != LP_OK)
        die("catalog", &err);
    if (lp_store_migrate(&store, &applied, &err) != LP_OK
        || lp_store_open(&store, &p->store, &err) != LP_OK)
        die("store", &err);
    if (!engine)
        return;
    p->queue = lp_queue_local_new(10000);
    options = (struct lp_engine_options){.store = p->store,
                                         .catalog = p->catalog,
                                         .conf = p->conf,
                                         .clock = &p->clock,
                                         .log = p->log,
                                         .queue = p->queue,
                                         .sets = sets,
                                         .set_count = LP_COUNT(sets)};
    if (lp_engine_new(&options, &p->engine, &err) != LP_OK)
        die("engine", &err);
}

static struct lp_rows *
ask_db(struct program *p, const char *sql, const char *name, const char *value)
{
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct lp_arg arg = lp_text(name, value);

    for (int tries = 0; tries < 100; tries++) {
        if (lp_query_text(p->store, sql, &arg, value == NULL ? 0 : 1, &rows, &err) == LP_OK)
            return rows;
        lp_err_clear(&err);
        nap(50);
    }
    die(sql, &err);
    return NULL;
}

static const struct lp_caller caller = {
    .actor = "crash", .role = LP_ROLE_ADMIN, .correlation_id = "crash"};

/* The same call after every restart: the idempotency key makes it one process. */
static void
start_one(struct program *p, int i, char *id)
{
    char key[128];
    struct lp_err err = LP_ERR_INIT;
    struct lp_uuid product = lp_catalog_product(p->catalog, "Partner")->id;
    json_auto_t *pages = NULL;

    (void)snprintf(key, sizeof key, "%s-%d", p->batch, i);
    pages = json_pack("[{s:s}, {s:s}]", "product", product.text, "who", key);
    for (int tries = 0; tries < 200; tries++) {
        enum lp_code rc =
            lp_engine_start(p->engine, &caller, "crash_main", pages, key, key, id, &err);

        if (rc == LP_OK)
            return;
        if (lp_code_info(rc)->retry == LP_RETRY_NEVER)
            die("start", &err);
        lp_err_clear(&err);
        nap(20);
    }
    die("start", &err);
}

static void
give_answer(struct program *p, const char *id)
{
    json_auto_t *pages = json_pack("[{s:i}]", "answer", 42);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = lp_engine_resume(p->engine, &caller, id, pages, &err);

    if (rc != LP_OK && rc != LP_CONFLICT && lp_code_info(rc)->retry == LP_RETRY_NEVER)
        die("resume", &err);
    lp_err_clear(&err);
}

/* The route was written by the step; the last complete line is the one to call. */
static void
give_callback(struct program *p, const char *id)
{
    char path[512], text[4096], token[256];
    json_auto_t *body = json_pack("{s:b}", "ok", 1);
    struct lp_err err = LP_ERR_INIT;
    FILE *file;
    char *slash = NULL;
    size_t len;
    enum lp_code rc;

    (void)snprintf(path, sizeof path, "%s/%s.route", out_dir, id);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    if (len == 0 || text[len - 1] != '\n')
        return;
    text[len - 1] = '\0';
    slash = strrchr(text, '/');
    if (slash == NULL)
        return;
    (void)snprintf(token, sizeof token, "%s", slash + 1);
    rc = lp_engine_callback(p->engine, id, token, body, false, &err);
    if (rc != LP_OK && lp_code_info(rc)->retry == LP_RETRY_NEVER)
        die("callback", &err);
    lp_err_clear(&err);
}

/* One look at a process of the batch; true when it is over. */
static bool
drive_one(struct program *p, const char *id)
{
    struct lp_rows *rows =
        ask_db(p, "SELECT status, failed_reason FROM processes WHERE id = :id", "id", id);
    const char *status = lp_rows_count(rows) == 1 ? lp_rows_text(rows, 0, "status") : "lost";
    bool over = strcmp(status, "completed") == 0;

    if (strcmp(status, "suspended") == 0)
        give_answer(p, id);
    else if (strcmp(status, "awaiting_callback") == 0)
        give_callback(p, id);
    else if (strcmp(status, "failed") == 0 || strcmp(status, "lost") == 0
             || strcmp(status, "aborted") == 0) {
        (void)fprintf(stderr, "crashd: process %s is %s: %s\n", id, status,
                      lp_rows_count(rows) == 1 && lp_rows_text(rows, 0, "failed_reason") != NULL
                          ? lp_rows_text(rows, 0, "failed_reason")
                          : "");
        exit(4);
    }
    lp_rows_free(rows);
    return over;
}

static int
drive(struct program *p)
{
    char(*ids)[LP_UUID_LEN + 1] = calloc((size_t)p->count, sizeof *ids);
    struct lp_err err = LP_ERR_INIT;
    int open = p->count;

    if (ids == NULL || lp_engine_run(p->engine, &err) != LP_OK)
        die("run", &err);
    for (int i = 0; i < p->count; i++)
        start_one(p, i, ids[i]);
    for (int round = 0; open > 0 && round < 6000; round++) {
        open = 0;
        for (int i = 0; i < p->count; i++)
            if (ids[i][0] != '\0') {
                if (drive_one(p, ids[i]))
                    ids[i][0] = '\0';
                else
                    open++;
            }
        nap(10);
    }
    if (open > 0) {
        (void)fprintf(stderr, "crashd: %d processes of batch %s are stuck\n", open, p->batch);
        return 5;
    }
    free(ids);
    if (lp_engine_stop(p->engine, 10000, &err) != LP_OK)
        die("stop", &err);
    return 0;
}

/* ---- what must hold afterwards ---- */

static int faults;

/* Prints the first violations; all are counted. */
static void violation(const char *fmt, ...) LP_PRINTF(1, 2);
static void
violation(const char *fmt, ...)
{
    va_list args;

    if (++faults > 12)
        return;
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
}

static void
expect_count(struct program *p, const char *what, const char *sql, int64_t expected)
{
    struct lp_rows *rows = ask_db(p, sql, "batch", NULL);
    int64_t n = lp_rows_int(rows, 0, "n");

    if (n != expected) {
        violation("VIOLATION %s: %lld instead of %lld\n", what, (long long)n, (long long)expected);
    }
    lp_rows_free(rows);
}

static void
expect_effects(struct program *p, const char *workflow, const char *const *effects, size_t count,
               int64_t processes)
{
    struct lp_rows *rows =
        ask_db(p,
               "SELECT p.id AS id, p.status AS status, r.key AS effect, count(r.key) AS n FROM "
               "processes p "
               "LEFT JOIN import_rows r ON r.source = p.id WHERE p.workflow = :workflow "
               "GROUP BY p.id, p.status, r.key",
               "workflow", workflow);
    int64_t seen = 0;

    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        const char *effect = lp_rows_text(rows, i, "effect");
        int64_t n = lp_rows_int(rows, i, "n");
        bool known = false;

        for (size_t k = 0; effect != NULL && k < count; k++)
            known = known || strcmp(effect, effects[k]) == 0;
        seen += known;
        if (!known || n != 1 || strcmp(lp_rows_text(rows, i, "status"), "completed") != 0) {
            violation("VIOLATION process %s (%s): effect %s happened %lld times\n",
                      lp_rows_text(rows, i, "id"), lp_rows_text(rows, i, "status"),
                      effect == NULL ? "none" : effect, (long long)n);
        }
    }
    if (seen != processes * (int64_t)count) {
        violation("VIOLATION %s: %lld effects instead of %lld\n", workflow, (long long)seen,
                  (long long)(processes * (int64_t)count));
    }
    lp_rows_free(rows);
}

static int
check(struct program *p, int batches)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t processes = (int64_t)p->count * batches;
    int64_t audited = 0;

    expect_effects(p, "crash_main", main_effects, LP_COUNT(main_effects), processes);
    expect_effects(p, "crash_child", child_effects, LP_COUNT(child_effects), processes * CHILDREN);
    expect_count(p, "processes not completed",
                 "SELECT count(*) AS n FROM processes WHERE status <> 'completed' AND workflow "
                 "LIKE 'crash%'",
                 0);
    expect_count(p, "leases left",
                 "SELECT count(*) AS n FROM processes WHERE lease_owner IS NOT NULL AND workflow "
                 "LIKE 'crash%'",
                 0);
    expect_count(p, "subscription locks left", "SELECT count(*) AS n FROM process_locks", 0);
    expect_count(p, "named locks left", "SELECT count(*) AS n FROM named_locks", 0);
    expect_count(p, "attempts left running",
                 "SELECT count(*) AS n FROM step_attempts a WHERE a.outcome = 'running'", 0);
    expect_count(p, "active partners in sync",
                 "SELECT count(*) AS n FROM subscriptions WHERE status = 'active' AND insync = 1",
                 processes);
    expect_count(p, "partners", "SELECT count(*) AS n FROM subscriptions", processes);
    expect_count(p, "step rows with a twin",
                 "SELECT count(*) AS n FROM (SELECT process_id, key FROM process_steps GROUP BY "
                 "process_id, key "
                 "HAVING count(*) > 1) twins",
                 0);
    expect_count(p, "inputs not consumed",
                 "SELECT count(*) AS n FROM process_inputs WHERE consumed_at IS NULL AND kind IN "
                 "('form', 'callback')",
                 0);
    if (lp_engine_audit_verify(p->engine, &audited, &err) != LP_OK) {
        violation("VIOLATION audit: %s\n", err.msg);
    }
    if (audited == 0) {
        violation("VIOLATION audit: no rows\n");
    }
    lp_err_clear(&err);
    if (faults > 0)
        (void)printf("%d violations\n", faults);
    return faults == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
    struct program p = {.clock = LP_CLOCK_INIT};
    int rc;

    if (argc < 5) {
        (void)fprintf(stderr, "usage: crashd URL DIR BATCH COUNT [check BATCHES]\n");
        return 2;
    }
    out_dir = argv[2];
    p.batch = argv[3];
    p.count = (int)strtol(argv[4], NULL, 10);
    open_all(&p, argv[1], true);
    rc = argc > 6 ? check(&p, (int)strtol(argv[6], NULL, 10)) : drive(&p);
    lp_engine_free(p.engine);
    lp_store_close(p.store);
    p.queue->ops->free(p.queue);
    lp_catalog_free(p.catalog);
    lp_conf_free(p.conf);
    lp_log_free(p.log);
    return rc;
}
