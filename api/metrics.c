#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "base/json.h"
#include "engine/operate.h"

/* Prometheus text. A scrape must not cost what it measures: what an index finds is read again after
   ten seconds; what needs a whole table, as often as it takes a hundredth of the time, at most once
   a minute. A process counts once whatever it is linked to. User names are no labels, and customer
   ids only for callers with a token (api.metrics_customers: for all). */

#define FRESH_US   10000000 /* what an index finds */
#define WHOLE_US   60000000 /* whole tables */
#define WHOLE_PART 100      /* or so many times what reading them took */

static void
head(struct lp_buf *buf, const char *name, const char *type, const char *help)
{
    lp_buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
label(struct lp_buf *buf, const char *sep, const char *name, const char *value)
{
    lp_buf_printf(buf, "%s%s=\"", sep, name);
    for (const char *p = value == NULL ? "" : value; *p != '\0'; p++) {
        if (*p == '\n')
            lp_buf_str(buf, "\\n");
        else if (*p == '"' || *p == '\\')
            lp_buf_printf(buf, "\\%c", *p);
        else
            lp_buf_char(buf, *p);
    }
    lp_buf_char(buf, '"');
}

static void
one(struct lp_buf *buf, const char *name, const char *type, const char *help, int64_t value)
{
    head(buf, name, type, help);
    lp_buf_printf(buf, "%s %" PRId64 "\n", name, value);
}

/* ---- counts from the database ---- */

static void
add_subscriptions(struct lp_buf *buf, const struct lp_rows *rows)
{
    head(buf, "wfo_subscriptions_count", "gauge", "Subscriptions.");
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        lp_buf_str(buf, "wfo_subscriptions_count{");
        label(buf, "", "product_name", lp_rows_text(rows, i, "product"));
        label(buf, ",", "lifecycle_state", lp_rows_text(rows, i, "status"));
        label(buf, ",", "customer_id", lp_rows_text(rows, i, "customer_id"));
        label(buf, ",", "insync", lp_rows_int(rows, i, "insync") != 0 ? "True" : "False");
        lp_buf_printf(buf, "} %" PRId64 "\n", lp_rows_int(rows, i, "n"));
    }
}

static void
process_labels(struct lp_buf *buf, const char *name, const struct lp_rows *rows, size_t i)
{
    lp_buf_printf(buf, "%s{", name);
    label(buf, "", "last_status", lp_rows_text(rows, i, "status"));
    label(buf, ",", "is_task", lp_rows_int(rows, i, "is_task") != 0 ? "True" : "False");
    label(buf, ",", "product_name", lp_rows_text(rows, i, "product"));
    label(buf, ",", "workflow_name", lp_rows_text(rows, i, "workflow"));
    label(buf, ",", "customer_id", lp_rows_text(rows, i, "customer_id"));
    label(buf, ",", "workflow_target", lp_rows_text(rows, i, "target"));
    lp_buf_str(buf, "} ");
}

static void
add_process_counts(struct lp_buf *buf, const struct lp_rows *rows)
{
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        process_labels(buf, "wfo_process_count", rows, i);
        lp_buf_printf(buf, "%" PRId64 "\n", lp_rows_int(rows, i, "n"));
    }
}

static void
add_process_seconds(struct lp_buf *buf, const struct lp_rows *rows)
{
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        int64_t us = lp_rows_int(rows, i, "us");

        process_labels(buf, "wfo_process_seconds_total_count", rows, i);
        lp_buf_printf(buf, "%" PRId64 ".%06" PRId64 "\n", us / 1000000, us < 0 ? 0 : us % 1000000);
    }
}

static void
add_queue(struct lp_buf *buf, const struct lp_rows *rows, int64_t now)
{
    int64_t age = lp_rows_null(rows, 0, "oldest") ? 0 : now - lp_rows_int(rows, 0, "oldest");

    one(buf, "lightpath_queue_depth", "gauge", "Processes that wait for an executor.",
        lp_rows_int(rows, 0, "n"));
    head(buf, "lightpath_queue_oldest_seconds", "gauge", "Age of the oldest of them.");
    lp_buf_printf(buf, "lightpath_queue_oldest_seconds %" PRId64 ".%03" PRId64 "\n",
                  age < 0 ? 0 : age / 1000000, age < 0 ? 0 : age % 1000000 / 1000);
}

static void
add_outbox(struct lp_buf *buf, const struct lp_rows *rows, int64_t now)
{
    (void)now;
    one(buf, "lightpath_outbox_unnumbered", "gauge", "Events that were not numbered yet.",
        lp_rows_int(rows, 0, "n"));
}

static void
add_deliveries(struct lp_buf *buf, const struct lp_rows *rows, int64_t now)
{
    static const char *const states[] = {"pending", "held", "dead"};

    (void)now;
    head(buf, "lightpath_notifications", "gauge",
         "Notifications to be sent, held for a digest, given up.");
    for (size_t i = 0; i < LP_COUNT(states); i++)
        lp_buf_printf(buf, "lightpath_notifications{status=\"%s\"} %" PRId64 "\n", states[i],
                      lp_rows_int(rows, 0, states[i]));
}

/* ---- from the cache when it is fresh ---- */

static int
forget(struct lp_metrics_cache *cache)
{
    int n = cache->fresh != NULL || cache->whole[0] != NULL;

    free(cache->fresh);
    cache->fresh = NULL;
    for (size_t i = 0; i < LP_COUNT(cache->whole); i++) {
        free(cache->whole[i]);
        cache->whole[i] = NULL;
    }
    return n;
}

/** Whole tables, without the lock: it may take seconds. In three parts, because a metric's lines
 * must stand together. */
static enum lp_code
read_whole(struct lp_api *api, bool customers, char *whole[static METRICS_PARTS],
           struct lp_err *err)
{
    static const enum lp_stmt statements[] = {LP_SQL_API_METRICS_SUBSCRIPTIONS,
                                              LP_SQL_API_METRICS_ENDED};
    struct lp_buf parts[METRICS_PARTS] = {LP_BUF_INIT, LP_BUF_INIT, LP_BUF_INIT};
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(statements); i++) {
        struct lp_rows *rows = NULL;

        rc = lp_query(api->services.store, statements[i], LP_ARGS(lp_int("customers", customers)),
                      &rows, err);
        if (rc != LP_OK)
            break;
        if (i == 0) {
            add_subscriptions(&parts[0], rows);
        } else {
            add_process_counts(&parts[1], rows);
            add_process_seconds(&parts[2], rows);
        }
        lp_rows_free(rows);
    }
    for (size_t i = 0; i < METRICS_PARTS; i++) {
        lp_buf_str(&parts[i], "");
        if (parts[i].failed && rc == LP_OK)
            rc = lp_fail(err, LP_NOMEM, "no memory for the metrics");
    }
    for (size_t i = 0; i < METRICS_PARTS; i++) {
        whole[i] = rc == LP_OK ? lp_buf_take(&parts[i]) : NULL;
        lp_buf_free(&parts[i]);
    }
    return rc;
}

/** Reads them and puts them into the cache. Takes the lock. */
static enum lp_code
renew_whole(struct lp_api *api, bool customers, struct lp_err *err)
{
    struct lp_metrics_cache *cache = &api->metrics[customers];
    char *whole[METRICS_PARTS] = {NULL};
    int64_t begun = lp_api_now(api), took;
    enum lp_code rc = read_whole(api, customers, whole, err);

    took = lp_api_now(api) - begun;
    pthread_mutex_lock(&api->metrics_lock);
    cache->renewing = false;
    /* after a failure too: a database in need is not asked for more */
    cache->whole_until_us = begun + (took * WHOLE_PART > WHOLE_US ? took * WHOLE_PART : WHOLE_US);
    if (rc == LP_OK) {
        forget(cache); /* what was put together holds the old ones */
        memcpy(cache->whole, whole, sizeof whole);
        cache->whole_at_us = begun;
    }
    pthread_mutex_unlock(&api->metrics_lock);
    return rc;
}

static void
renew_soon(void *arg)
{
    struct lp_metrics_cache *cache = arg;
    struct lp_err err = LP_ERR_INIT;

    if (renew_whole(cache->api, cache == &cache->api->metrics[1], &err) != LP_OK)
        lp_log_err(cache->api->options.log, LP_LOG_WARN, "metrics.counts", &err);
    lp_err_clear(&err);
}

/** The first scrape waits for them; later ones get the old while new ones are read. */
static enum lp_code
see_to_whole(struct lp_api *api, bool customers, struct lp_err *err)
{
    struct lp_metrics_cache *cache = &api->metrics[customers];
    bool none, old;

    pthread_mutex_lock(&api->metrics_lock);
    none = cache->whole[0] == NULL;
    old = !none && !cache->renewing && lp_api_now(api) >= cache->whole_until_us;
    if (old) {
        cache->api = api;
        cache->renewing = lp_pool_call(api->pool, renew_soon, cache);
    }
    pthread_mutex_unlock(&api->metrics_lock);
    return none ? renew_whole(api, customers, err) : LP_OK;
}

static void
add_changed(void *arg, const char *workflow, int64_t count)
{
    struct lp_buf *buf = arg;

    lp_buf_str(buf, "lightpath_changed_processes{");
    label(buf, "", "workflow", workflow);
    lp_buf_printf(buf, "} %" PRId64 "\n", count);
}

static enum lp_code
add_small(struct lp_api *api, struct lp_buf *buf, struct lp_err *err)
{
    static const struct {
        enum lp_stmt stmt;
        void (*add)(struct lp_buf *buf, const struct lp_rows *rows, int64_t now);
    } parts[] = {{LP_SQL_API_METRICS_QUEUE, add_queue},
                 {LP_SQL_API_METRICS_OUTBOX, add_outbox},
                 {LP_SQL_DELIVERY_COUNTS, add_deliveries}};

    for (size_t i = 0; i < LP_COUNT(parts); i++) {
        struct lp_rows *rows = NULL;
        enum lp_code rc = lp_query(api->services.store, parts[i].stmt, LP_NO_ARGS, &rows, err);

        if (rc != LP_OK)
            return rc;
        parts[i].add(buf, rows, lp_clock_utc_us(api->options.clock));
        lp_rows_free(rows);
    }
    head(buf, "lightpath_changed_processes", "gauge",
         "Processes under way that were begun with other steps than their workflow has now.");
    return lp_engine_changed_counts(api->services.engine, add_changed, buf, err);
}

static enum lp_code
renew_fresh(struct lp_api *api, struct lp_metrics_cache *cache, bool customers, struct lp_err *err)
{
    int64_t now = lp_api_now(api);
    struct lp_buf buf = LP_BUF_INIT;
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    if (cache->fresh != NULL && now - cache->fresh_us <= FRESH_US)
        return LP_OK;
    rc = lp_query(api->services.store, LP_SQL_API_METRICS_OPEN,
                  LP_ARGS(lp_int("customers", customers)), &rows, err);
    if (rc != LP_OK)
        return rc;
    lp_buf_str(&buf, cache->whole[0]);
    head(&buf, "wfo_process_count", "gauge", "Processes, each counted once.");
    lp_buf_str(&buf, cache->whole[1]);
    add_process_counts(&buf, rows);
    head(&buf, "wfo_process_seconds_total_count", "gauge",
         "Sum of the time between start and last change of processes.");
    lp_buf_str(&buf, cache->whole[2]);
    add_process_seconds(&buf, rows);
    lp_rows_free(rows);
    rc = add_small(api, &buf, err);
    if (rc == LP_OK && !buf.failed) {
        free(cache->fresh);
        cache->fresh = lp_buf_take(&buf);
        cache->fresh_us = now;
    }
    lp_buf_free(&buf);
    return rc;
}

static enum lp_code
add_counts(struct lp_api *api, struct lp_buf *out, bool customers, struct lp_err *err)
{
    struct lp_metrics_cache *cache = &api->metrics[customers];
    enum lp_code rc;

    rc = see_to_whole(api, customers, err);
    if (rc != LP_OK)
        return rc;
    pthread_mutex_lock(&api->metrics_lock);
    if (cache->whole[0] != NULL) /* nobody has thrown them away meanwhile */
        rc = renew_fresh(api, cache, customers, err);
    if (rc == LP_OK && cache->fresh != NULL) {
        lp_buf_str(out, cache->fresh);
        one(out, "lightpath_counts_age_seconds", "gauge",
            "Age of the counts over whole tables (subscriptions, ended processes).",
            (lp_api_now(api) - cache->whole_at_us) / 1000000);
    }
    pthread_mutex_unlock(&api->metrics_lock);
    return rc;
}

int
lp_metrics_forget(struct lp_api *api)
{
    int n;

    pthread_mutex_lock(&api->metrics_lock);
    n = forget(&api->metrics[0]) + forget(&api->metrics[1]);
    pthread_mutex_unlock(&api->metrics_lock);
    return n > 0;
}

/* ---- what this program knows ---- */

static void
add_age(struct lp_buf *buf, const char *name, const char *help, int64_t then, int64_t now)
{
    int64_t ms = now > then ? (now - then) / 1000 : 0;

    head(buf, name, "gauge", help);
    if (then == 0)
        lp_buf_printf(buf, "%s -1\n", name);
    else
        lp_buf_printf(buf, "%s %" PRId64 ".%03" PRId64 "\n", name, ms / 1000, ms % 1000);
}

static void
add_step_time(void *arg, const struct lp_step_time *time)
{
    struct lp_buf *buf = arg;

    for (size_t i = 0; i <= LP_STEP_BUCKETS; i++) {
        lp_buf_str(buf, "lightpath_step_seconds_bucket{");
        label(buf, "", "workflow", time->workflow);
        label(buf, ",", "step", time->step);
        if (i < LP_STEP_BUCKETS)
            lp_buf_printf(buf, ",le=\"%g\"} %" PRIu64 "\n", (double)lp_step_bounds_us[i] / 1e6,
                          time->buckets[i]);
        else
            lp_buf_printf(buf, ",le=\"+Inf\"} %" PRIu64 "\n", time->all);
    }
    lp_buf_str(buf, "lightpath_step_seconds_sum{");
    label(buf, "", "workflow", time->workflow);
    label(buf, ",", "step", time->step);
    lp_buf_printf(buf, "} %" PRIu64 ".%06" PRIu64 "\nlightpath_step_seconds_count{",
                  time->us / 1000000, time->us % 1000000);
    label(buf, "", "workflow", time->workflow);
    label(buf, ",", "step", time->step);
    lp_buf_printf(buf, "} %" PRIu64 "\n", time->all);
}

/** The labels come from the definitions: what runs cannot make more of them. */
static void
add_step_times(struct lp_api *api, struct lp_buf *buf)
{
    head(buf, "lightpath_step_seconds", "histogram", "Time of one attempt of a step.");
    lp_engine_step_times(api->services.engine, add_step_time, buf);
}

static enum lp_code
add_engine(struct lp_api *api, struct lp_buf *buf, struct lp_err *err)
{
    static const char *const states[] = {"RUNNING", "PAUSING", "PAUSED"};
    struct lp_engine_stats stats;
    json_auto_t *status = NULL;
    enum lp_code rc = lp_engine_status(api->services.engine, &status, err);

    if (rc != LP_OK)
        return rc;
    head(buf, "wfo_engine_status", "gauge", "State of the engine: one of them is 1.");
    for (size_t i = 0; i < LP_COUNT(states); i++)
        lp_buf_printf(buf, "wfo_engine_status{wfo_engine_status=\"%s\"} %d\n", states[i],
                      strcmp(lp_json_str(status, "global_status", ""), states[i]) == 0);
    one(buf, "wfo_active_process_count", "gauge", "Processes that executors work on now.",
        lp_json_int(status, "running_processes", 0));
    lp_engine_stats(api->services.engine, &stats);
    one(buf, "lightpath_steps_total", "counter", "Steps finished by this daemon.",
        (int64_t)stats.steps);
    one(buf, "lightpath_step_attempts_total", "counter", "Attempts of steps.",
        (int64_t)stats.attempts);
    one(buf, "lightpath_step_retries_total", "counter", "Attempts that followed a failed one.",
        (int64_t)stats.retries);
    one(buf, "lightpath_fenced_total", "counter",
        "Flushes refused because another executor took over.", (int64_t)stats.fenced);
    one(buf, "lightpath_claims_total", "counter", "Processes claimed.", (int64_t)stats.claims);
    one(buf, "lightpath_lease_losses_total", "counter", "Leases that ran out.",
        (int64_t)stats.lease_losses);
    one(buf, "lightpath_executor_threads", "gauge", "Step threads.", (int64_t)stats.threads);
    add_age(buf, "lightpath_last_step_age_seconds",
            "Time since this daemon committed a step; -1: none yet.", stats.last_step_us,
            lp_clock_utc_us(api->options.clock));
    add_step_times(api, buf);
    return LP_OK;
}

/** Executors and duties as the database has them: small tables. */
static enum lp_code
add_installation(struct lp_api *api, struct lp_buf *buf, struct lp_err *err)
{
    static const char *const states[] = {"live", "lost", "drained"};
    json_auto_t *report = NULL;
    enum lp_code rc = lp_operate_report(api->services.store, &report, err);
    const json_t *executors = json_object_get(report, "executors");
    size_t i;
    json_t *row;

    if (rc != LP_OK)
        return rc;
    head(buf, "lightpath_executors", "gauge", "Executors of the installation.");
    for (i = 0; i < LP_COUNT(states); i++)
        lp_buf_printf(buf, "lightpath_executors{state=\"%s\"} %" PRId64 "\n", states[i],
                      lp_json_int(executors, states[i], 0));
    head(buf, "lightpath_lease_held", "gauge", "Whether some daemon has the duty.");
    json_array_foreach(json_object_get(report, "leases"), i, row)
    {
        lp_buf_str(buf, "lightpath_lease_held{");
        label(buf, "", "name", lp_json_str(row, "name", ""));
        lp_buf_printf(buf, "} %d\n", lp_json_true(row, "held"));
    }
    head(buf, "lightpath_queue_label_depth", "gauge",
         "Processes that wait for an executor, by the label they need.");
    json_array_foreach(json_object_get(json_object_get(report, "queue"), "labels"), i, row)
    {
        lp_buf_str(buf, "lightpath_queue_label_depth{");
        label(buf, "", "label", lp_json_str(row, "label", ""));
        label(buf, ",", "is_task", lp_json_true(row, "is_task") ? "True" : "False");
        lp_buf_printf(buf, "} %" PRId64 "\n", lp_json_int(row, "depth", 0));
    }
    return LP_OK;
}

static void
add_hints(struct lp_api *api, struct lp_buf *buf)
{
    struct lp_queue *queue = (struct lp_queue *)(uintptr_t)api->services.queue;
    struct lp_queue_stats stats;

    if (queue == NULL)
        return;
    queue->ops->stats(queue, &stats);
    one(buf, "lightpath_queue_connected", "gauge",
        "Whether what carries the hints can be reached (always, inside one program).",
        stats.connected);
    head(buf, "lightpath_queue_hints_total", "counter",
         "Hints of this daemon, by what became of them.");
    lp_buf_printf(buf,
                  "lightpath_queue_hints_total{outcome=\"pushed\"} %" PRIu64
                  "\nlightpath_queue_hints_total{outcome=\"popped\"} %" PRIu64
                  "\nlightpath_queue_hints_total{outcome=\"lost\"} %" PRIu64
                  "\nlightpath_queue_hints_total{outcome=\"garbage\"} %" PRIu64 "\n",
                  stats.pushed, stats.popped, stats.lost, stats.garbage);
    one(buf, "lightpath_queue_reconnects_total", "counter", "Times the connection was made again.",
        (int64_t)stats.reconnects);
}

static void
add_store(struct lp_api *api, struct lp_buf *buf)
{
    struct lp_store_stats stats;

    lp_store_stats(api->services.store, &stats);
    one(buf, "lightpath_store_units_total", "counter", "Write sets committed.",
        (int64_t)stats.units);
    one(buf, "lightpath_store_batches_total", "counter", "Transactions they were committed in.",
        (int64_t)stats.batches);
    one(buf, "lightpath_store_failures_total", "counter", "Write sets that failed.",
        (int64_t)stats.failures);
    one(buf, "lightpath_store_queued", "gauge", "Write sets that wait for the committer.",
        (int64_t)stats.queued);
    one(buf, "lightpath_store_readers_busy", "gauge", "Reading connections in use.",
        (int64_t)stats.readers_busy);
    add_age(buf, "lightpath_last_commit_age_seconds",
            "Time since this daemon committed anything; -1: nothing yet.", stats.last_commit_us,
            lp_clock_utc_us(api->options.clock));
}

static void
add_http(struct lp_api *api, struct lp_buf *buf)
{
    struct lp_api_stats *stats = &api->stats;
    size_t n;
    const double *bounds = lp_api_buckets(&n);
    uint64_t sum = 0;
    uint64_t us = atomic_load(&stats->seconds_us);
    uint64_t all = atomic_load(&stats->requests);

    head(buf, "lightpath_http_request_seconds", "histogram",
         "Time from the head of a request to its answer.");
    for (size_t i = 0; i < n; i++) {
        sum += atomic_load(&stats->buckets[i]);
        lp_buf_printf(buf, "lightpath_http_request_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                      bounds[i], sum);
    }
    lp_buf_printf(buf,
                  "lightpath_http_request_seconds_bucket{le=\"+Inf\"} %" PRIu64
                  "\nlightpath_http_request_seconds_sum %" PRIu64 ".%06" PRIu64
                  "\nlightpath_http_request_seconds_count %" PRIu64 "\n",
                  all, us / 1000000, us % 1000000, all);
    head(buf, "lightpath_http_errors_total", "counter",
         "Requests answered 4xx or 5xx, forms left out.");
    lp_buf_printf(buf,
                  "lightpath_http_errors_total{class=\"4xx\"} %llu\n"
                  "lightpath_http_errors_total{class=\"5xx\"} %llu\n",
                  atomic_load(&stats->errors_4xx), atomic_load(&stats->errors_5xx));
    one(buf, "lightpath_http_connections", "gauge", "Open connections.",
        atomic_load(&stats->connections));
    one(buf, "lightpath_http_connections_refused_total", "counter", "Connections over the limit.",
        (int64_t)atomic_load(&stats->refused_connections));
    one(buf, "lightpath_http_timeouts_total", "counter", "Connections cut off for being slow.",
        (int64_t)atomic_load(&stats->timed_out));
    one(buf, "lightpath_event_streams", "gauge", "Listeners of /api/events.",
        atomic_load(&stats->streams));
}

enum lp_code
lp_on_metrics(struct lp_request *req, json_t **out, struct lp_err *err)
{
    struct lp_buf buf = LP_BUF_INIT;
    bool customers = lp_conf_live_bool(&req->api->options.conf->api_metrics_customers);
    enum lp_code rc = LP_OK;
    size_t len;

    (void)out;
    if (req->authorization != NULL) {
        rc = lp_auth_token(req, err); /* a wrong one is told, not passed over */
        customers = true;
    }
    if (rc == LP_OK)
        rc = add_counts(req->api, &buf, customers, err);
    if (rc == LP_OK)
        rc = add_engine(req->api, &buf, err);
    if (rc == LP_OK)
        rc = add_installation(req->api, &buf, err);
    if (rc == LP_OK) {
        add_hints(req->api, &buf);
        add_store(req->api, &buf);
        add_http(req->api, &buf);
        if (buf.failed)
            rc = lp_fail(err, LP_NOMEM, "no memory for the metrics");
    }
    if (rc == LP_OK) {
        len = buf.len;
        lp_reply_header(req, "Cache-Control", "no-store");
        lp_reply_text(req, lp_buf_take(&buf), len, "text/plain; version=0.0.4; charset=utf-8");
    }
    lp_buf_free(&buf);
    return rc;
}
