/* Who waits for a named lock: the one that gives it back wakes the next, so that nobody polls and
 * no thread waits. A wake that is lost (a crash in between) is made good by wake_at. */
#include <stdio.h>
#include <string.h>

#include "engine/exec.h"

/** Slots of one thing ("session:<id>#0") are waited for together. */
static void
waited_name(const char *lock, char *buf, size_t size)
{
    snprintf(buf, size, "%.*s", (int)strcspn(lock, "#"), lock);
}

static void
note(json_t **list, const char *text)
{
    size_t i;
    json_t *known;

    if (*list == NULL)
        *list = json_array();
    json_array_foreach(*list, i, known) if (strcmp(json_string_value(known), text) == 0) return;
    json_array_append_new(*list, json_string(text));
}

void
lp_lock_taken(struct lp_proc *proc, const char *name)
{
    char waited[160];

    waited_name(name, waited, sizeof waited);
    note(&proc->held, waited);
}

void
lp_lock_busy(struct lp_proc *proc, const char *name)
{
    note(&proc->busy, name);
}

struct lp_unit *
lp_lock_waits(const struct lp_proc *proc)
{
    struct lp_unit *unit = lp_unit_new();
    char waited[160];
    size_t i;
    json_t *name;

    json_array_foreach(proc->busy, i, name)
    {
        waited_name(json_string_value(name), waited, sizeof waited);
        lp_unit_add(unit, LP_SQL_RUN_NAMED_WAIT,
                    LP_ARGS(lp_text("name", waited), lp_text("id", proc->id),
                            lp_int("now", lp_clock_utc_us(proc->engine->clock))));
    }
    return unit;
}

void
lp_locks_left(struct lp_unit *unit, const struct lp_engine *engine, const char *process_id,
              int64_t epoch)
{
    bool embedded = lp_store_dialect(engine->store) == LP_DIALECT_SQLITE;

    lp_unit_add(unit, LP_SQL_RUN_NAMED_LEFT,
                LP_ARGS(lp_int("lease", embedded ? 0 : engine->conf->executor_lease_ms * 1000),
                        lp_text("id", process_id), lp_int("epoch", epoch)));
}

static void
woken(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct lp_engine *engine = arg;

    (void)err;
    for (size_t k = 0; code == LP_OK && k < lp_unit_size(unit); k++) {
        const struct lp_rows *rows = lp_unit_rows(unit, k);

        for (size_t i = 0; rows != NULL && i < lp_rows_count(rows); i++)
            lp_executor_hint(engine, lp_rows_text(rows, i, "id"),
                             (int)lp_rows_int(rows, i, "priority"));
    }
}

void
lp_lock_released(struct lp_proc *proc)
{
    struct lp_unit *unit;
    size_t i;
    json_t *name;

    if (proc->held == NULL)
        return;
    unit = lp_unit_new();
    json_array_foreach(proc->held, i, name)
        lp_unit_want_rows(unit, lp_unit_add(unit, LP_SQL_RUN_WAKE_WAITERS,
                                            LP_ARGS(lp_text("name", json_string_value(name)))));
    /* rows of other processes: never behind those of a batch */
    if (lp_store_dialect(proc->engine->store) == LP_DIALECT_POSTGRES)
        lp_unit_alone(unit);
    json_decref(proc->held);
    proc->held = NULL;
    lp_executor_aside(proc->executor, unit, woken);
}
