#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "base/json.h"

/* Prometheus text. Counts over whole tables are kept for a while: a scrape must not cost what it
   measures. A process counts once whatever it is linked to, and user names are no labels. */

#define CACHE_US 10000000

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
add_processes(struct lp_buf *buf, const struct lp_rows *rows)
{
    head(buf, "wfo_process_count", "gauge", "Processes, each counted once.");
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        process_labels(buf, "wfo_process_count", rows, i);
        lp_buf_printf(buf, "%" PRId64 "\n", lp_rows_int(rows, i, "n"));
    }
    head(buf, "wfo_process_seconds_total_count", "gauge",
         "Sum of the time between start and last change of processes.");
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

static enum lp_code
read_counts(struct lp_api *api, struct lp_buf *buf, struct lp_err *err)
{
    static const enum lp_stmt statements[] = {LP_SQL_API_METRICS_SUBSCRIPTIONS,
                                              LP_SQL_API_METRICS_PROCESSES,
                                              LP_SQL_API_METRICS_QUEUE, LP_SQL_API_METRICS_OUTBOX};

    for (size_t i = 0; i < LP_COUNT(statements); i++) {
        struct lp_rows *rows = NULL;
        enum lp_code rc = lp_query(api->services.store, statements[i], LP_NO_ARGS, &rows, err);

        if (rc != LP_OK)
            return rc;
        if (i == 0)
            add_subscriptions(buf, rows);
        else if (i == 1)
            add_processes(buf, rows);
        else if (i == 2)
            add_queue(buf, rows, lp_clock_utc_us(api->options.clock));
        else
            one(buf, "lightpath_outbox_unnumbered", "gauge", "Events that were not numbered yet.",
                lp_rows_int(rows, 0, "n"));
        lp_rows_free(rows);
    }
    return LP_OK;
}

/** Adds the counts, from the cache when they are fresh. */
static enum lp_code
add_counts(struct lp_api *api, struct lp_buf *out, struct lp_err *err)
{
    int64_t now = lp_api_now(api);
    enum lp_code rc = LP_OK;

    pthread_mutex_lock(&api->fixed_lock);
    if (api->metrics_counts == NULL || now - api->metrics_us > CACHE_US) {
        struct lp_buf buf = LP_BUF_INIT;

        rc = read_counts(api, &buf, err);
        if (rc == LP_OK && !buf.failed) {
            free(api->metrics_counts);
            api->metrics_counts = lp_buf_take(&buf);
            api->metrics_us = now;
        }
        lp_buf_free(&buf);
    }
    if (rc == LP_OK && api->metrics_counts != NULL)
        lp_buf_str(out, api->metrics_counts);
    pthread_mutex_unlock(&api->fixed_lock);
    return rc;
}

int
lp_metrics_forget(struct lp_api *api)
{
    int n;

    pthread_mutex_lock(&api->fixed_lock);
    n = api->metrics_counts != NULL;
    free(api->metrics_counts);
    api->metrics_counts = NULL;
    pthread_mutex_unlock(&api->fixed_lock);
    return n;
}

/* ---- what this program knows ---- */

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
    return LP_OK;
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
    enum lp_code rc = add_counts(req->api, &buf, err);
    size_t len;

    (void)out;
    if (rc == LP_OK)
        rc = add_engine(req->api, &buf, err);
    if (rc == LP_OK) {
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
