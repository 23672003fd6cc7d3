#include "scheduler/timed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/settings.h"

#define FIRST_LOOK_US 60000000 /* after the start: not while everything begins */
#define LOOK_US       600000000

static const struct task {
    const char *workflow;
    const char *setting; /* UTC us of the last start */
    int64_t every_us;
} tasks[] = {
    {"task_clean_up_tasks", "timed.task_clean_up_tasks", INT64_C(6) * 3600 * 1000000},
};

int
lp_timed_wait_ms(struct lp_timed *timed)
{
    int64_t now = lp_clock_mono_us(timed->clock);

    if (timed->look_us == 0)
        timed->look_us = now + FIRST_LOOK_US;
    return timed->look_us <= now ? 0 : (int)((timed->look_us - now) / 1000 + 1);
}

static enum lp_code
last_start(struct lp_timed *timed, const struct task *task, int64_t *at, struct lp_err *err)
{
    char *value = NULL;
    enum lp_code rc = lp_setting_get(timed->store, NULL, task->setting, &value, err);

    *at = 0;
    if (rc == LP_OK)
        *at = strtoll(value, NULL, 10);
    free(value);
    if (rc != LP_NOT_FOUND)
        return rc;
    lp_err_clear(err);
    return LP_OK;
}

static enum lp_code
note_start(struct lp_timed *timed, const struct task *task, int64_t now, struct lp_err *err)
{
    char value[24];

    snprintf(value, sizeof value, "%" PRId64, now);
    return lp_setting_set(timed->store, task->setting, value, "SYSTEM", err);
}

static enum lp_code
run(struct lp_timed *timed, const struct task *task, struct lp_err *err)
{
    struct lp_uuid correlation = lp_uuid_v4();
    struct lp_caller caller = {.actor = "SYSTEM",
                               .role = LP_ROLE_ADMIN,
                               .correlation_id = correlation.text,
                               .reason = "timed"};
    char id[LP_UUID_LEN + 1];
    int64_t now = lp_clock_utc_us(timed->clock);
    int64_t last = 0;
    enum lp_code rc = last_start(timed, task, &last, err);

    /* A clock that was turned back must not stop the task for ever. */
    if (rc != LP_OK || (last <= now && now - last < task->every_us))
        return rc;
    rc = lp_engine_start(timed->engine, &caller, task->workflow, NULL, NULL, NULL, id, err);
    if (rc == LP_OK)
        rc = note_start(timed, task, now, err);
    return rc;
}

void
lp_timed_tick(struct lp_timed *timed)
{
    timed->look_us = lp_clock_mono_us(timed->clock) + LOOK_US;
    for (size_t i = 0; i < LP_COUNT(tasks); i++) {
        struct lp_err err = LP_ERR_INIT;

        if (run(timed, &tasks[i], &err) != LP_OK && err.code != LP_PAUSED)
            lp_log_err(timed->log, LP_LOG_WARN, "timed.failed", &err);
        lp_err_clear(&err);
    }
}
