/* How long steps take. Counted where the commit is acknowledged, without a lock. */
#include <string.h>

#include "engine/exec.h"

const int64_t lp_step_bounds_us[LP_STEP_BUCKETS] = {
    1000,    5000,    10000,    50000,    100000,   500000,
    1000000, 5000000, 10000000, 30000000, 60000000, 300000000,
};

void
lp_step_took(struct lp_proc *proc)
{
    struct lp_step_times *times;
    int64_t us = proc->took_us;

    __atomic_store_n(&proc->engine->stats.last_step_us, lp_clock_utc_us(proc->engine->clock),
                     __ATOMIC_RELAXED);
    proc->took_us = -1;
    if (us < 0 || proc->undoing || proc->places == NULL || proc->place >= proc->places->count
        || strcmp(proc->key, LP_KEY_ABORT) == 0 || strcmp(proc->key, LP_KEY_RECOVER) == 0)
        return;
    times = &proc->places->times[proc->place];
    for (size_t i = 0; i < LP_STEP_BUCKETS; i++) {
        if (us > lp_step_bounds_us[i])
            continue;
        atomic_fetch_add_explicit(&times->buckets[i], 1, memory_order_relaxed);
        break;
    }
    atomic_fetch_add_explicit(&times->us, (unsigned long long)us, memory_order_relaxed);
    atomic_fetch_add_explicit(&times->all, 1, memory_order_relaxed);
}

static void
read_times(const struct lp_step_times *times, struct lp_step_time *out)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < LP_STEP_BUCKETS; i++) {
        sum += atomic_load_explicit(&times->buckets[i], memory_order_relaxed);
        out->buckets[i] = sum;
    }
    out->us = atomic_load_explicit(&times->us, memory_order_relaxed);
    out->all = atomic_load_explicit(&times->all, memory_order_relaxed);
    if (out->all < sum)
        out->all = sum; /* read while somebody counted */
}

void
lp_engine_step_times(struct lp_engine *engine,
                     void (*fn)(void *arg, const struct lp_step_time *time), void *arg)
{
    const struct lp_executor *executor = engine->executor;

    for (size_t i = 0; executor != NULL && i < engine->workflow_count; i++) {
        const struct lp_places *places = &executor->places[i];

        for (size_t k = 0; k < places->count; k++) {
            struct lp_step_time time = {.workflow = engine->workflows[i].workflow->name,
                                        .step = places->rows[k].key};

            read_times(&places->times[k], &time);
            if (time.all > 0)
                fn(arg, &time);
        }
    }
}
