#include "bench/limits/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "store/internal.h"

static const enum lp_stmt order[LIMIT_STATEMENTS] = {LP_SQL_RUN_FENCE_ON, LP_SQL_RUN_STEP_ADD,
                                                     LP_SQL_RUN_ATTEMPT_ADD, LP_SQL_AUDIT_INSERT,
                                                     LP_SQL_EVENT_INSERT};

static const struct {
    const char *name, *value;
} fixed[] = {
    {"epoch", "0"},
    {"owner", "0190a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0b1"},
    {"status", "running"},
    {"assignee", "SYSTEM"},
    {"now", "1795170000000000"},
    {"started", "1795170000000000"},
    {"ended", "1795170000000000"},
    {"at", "1795170000000000"},
    {"key", "verify"},
    {"title", "Check that the devices hold what was planned"},
    {"snapshot", "0"},
    {"bytes", "2048"},
    {"retries", "0"},
    {"created_by", "operator"},
    {"executor", "0190a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0b1"},
    {"token", "1f0a9b8c7d6e5f40"},
    {"outcome", "ok"},
    {"actor", "operator"},
    {"correlation_id", "0190a0b1c2d37e4f"},
    {"body",
     "{\"attempt\":1,\"epoch\":1,\"event\":\"step\",\"key\":\"verify\",\"status\":\"success\"}"},
    {"events", "2"},
    {"doc", "[{\"name\":\"invalidateCache\",\"value\":{\"type\":\"processes\",\"id\":\"LIST\"}},"
            "{\"name\":\"invalidateCache\",\"value\":{\"type\":\"processes\",\"id\":"
            "\"0190a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0b1\"}}]"},
    {"audit_hash", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    {"prev_hash", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    {"hash", "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"},
};

static const char *left_out = "";

void
limit_leave_out(const char *statement)
{
    left_out = statement;
}

bool
limit_is_left_out(size_t i)
{
    return strcmp(lp_sql_table[order[i]].name, left_out) == 0;
}

enum lp_stmt
limit_statement_id(size_t i)
{
    return order[i];
}

void
limit_die(const char *what, const char *why)
{
    (void)fprintf(stderr, "limit: %s: %s\n", what, why);
    exit(1);
}

void
limit_open(const char *url)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_store_options options = {.url = url, .clock = &clock};
    struct lp_err err = LP_ERR_INIT;
    unsigned applied;

    if (lp_store_migrate(&options, &applied, &err) != LP_OK)
        limit_die("migrate", err.msg);
}

char *
limit_delta(size_t bytes)
{
    static const char head[] = "{\"set\":{\"data\":\"", tail[] = "\"},\"unset\":[]}";
    char *text = malloc(sizeof head + bytes + sizeof tail);
    size_t used = sizeof head - 1;

    if (text == NULL)
        limit_die("delta", "no memory");
    memcpy(text, head, used);
    for (; used < sizeof head - 1 + bytes; used++)
        text[used] = (char)('a' + used * 7 % 26);
    memcpy(text + used, tail, sizeof tail);
    return text;
}

static const char *
value_of(const struct limit_process *p, const char *name, enum lp_stmt stmt, const char *delta)
{
    if (strcmp(name, "id") == 0 || strcmp(name, "chain") == 0)
        return p->id;
    if (strcmp(name, "seq") == 0 || strcmp(name, "n") == 0 || strcmp(name, "head") == 0
        || strcmp(name, "audit_seq") == 0)
        return p->seq;
    if (strcmp(name, "step_id") == 0)
        return p->step_id;
    if (strcmp(name, "delta") == 0)
        return delta;
    if (stmt == LP_SQL_RUN_STEP_ADD && strcmp(name, "status") == 0)
        return "success";
    if (stmt == LP_SQL_RUN_STEP_ADD && strcmp(name, "snapshot") == 0)
        return NULL;
    for (size_t i = 0; i < LP_COUNT(fixed); i++)
        if (strcmp(fixed[i].name, name) == 0)
            return fixed[i].value;
    return NULL; /* error, wake, reason, ticket ...: null in a step that went well */
}

void
limit_process_init(struct limit_process *p, enum lp_dialect dialect, unsigned index,
                   const char *delta)
{
    struct lp_clock clock = LP_CLOCK_INIT;

    (void)index;
    (void)snprintf(p->id, sizeof p->id, "%s", lp_uuid_v7(&clock).text);
    p->n = 0;
    limit_process_turn(p);
    for (size_t i = 0; i < LIMIT_STATEMENTS; i++) {
        const struct lp_sql *sql = &lp_sql_table[order[i]];
        struct limit_statement *s = &p->statements[i];

        if (sql->param_count > LIMIT_MOST_PARAMS)
            limit_die(sql->name, "too many parameters");
        s->name = sql->name;
        s->text = sql->text[dialect];
        s->count = (int)sql->param_count;
        for (unsigned k = 0; k < sql->param_count; k++)
            s->values[k] = value_of(p, sql->params[k], order[i], delta);
    }
}

void
limit_process_turn(struct limit_process *p)
{
    struct lp_clock clock = LP_CLOCK_INIT;

    (void)snprintf(p->seq, sizeof p->seq, "%lld", (long long)++p->n);
    memcpy(p->step_id, lp_uuid_v7(&clock).text, LP_UUID_LEN + 1);
}

const char *
limit_insert_sql(const struct limit_process *p, char *sql, size_t size)
{
    (void)snprintf(sql, size,
                   "INSERT INTO processes (id, workflow, workflow_id, target, status, created_by, "
                   "correlation_id, definition_hash, created_at, modified_at, lease_epoch) VALUES "
                   "('%s', 'w', 'wid', 'CREATE', 'running', 'me', 'c', 'h', 1, 1, 0)",
                   p->id);
    return sql;
}

int64_t
limit_now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

double
limit_cpu_us(void)
{
    struct rusage ru;

    (void)getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6
           + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

void
limit_report(uint32_t *samples, size_t count, double seconds, double cpu_us)
{
    if (count == 0)
        limit_die("report", "no step was finished");
    qsort(samples, count, sizeof *samples, by_value);
    (void)printf("{\"steps_per_s\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
                 "\"cpu_us_per_step\": %.2f, \"steps\": %zu}\n",
                 (double)count / seconds, (double)samples[count / 2] / 1e3,
                 (double)samples[count - 1 - count / 100] / 1e3, cpu_us / (double)count, count);
}
