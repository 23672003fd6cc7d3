/* Threads, the table of processes in flight and the ready lists. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mutex.h"
#include "engine/exec.h"

enum {
    STACK_BYTES = 512 * 1024,
    WORK_PER_THREAD = 16, /* short steps that are worth waking another thread for */
    QUICK_THREADS = 2, /* as many threads as can be busy with short steps at once without getting in
                          each other's way */
    RESERVED_PART = 16, /* of the slots, kept from tasks */
    POLL_MS = 1000,
};

/* ---- table ---- */

static struct lp_proc **
bucket_of(struct lp_executor *executor, const char *id)
{
    uint32_t h = 2166136261u;

    for (const char *c = id; *c != '\0'; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return &executor->table[h % LP_PROC_BUCKETS];
}

static struct lp_proc *
lookup(struct lp_executor *executor, const char *id)
{
    for (struct lp_proc *p = *bucket_of(executor, id); p != NULL; p = p->chain)
        if (strcmp(p->id, id) == 0)
            return p;
    return NULL;
}

static void
unchain(struct lp_executor *executor, const struct lp_proc *proc)
{
    struct lp_proc **at = bucket_of(executor, proc->id);

    while (*at != proc)
        at = &(*at)->chain;
    *at = proc->chain;
}

bool
lp_executor_stopping(struct lp_executor *executor)
{
    return atomic_load_explicit(&executor->stop_by_us, memory_order_relaxed) != 0;
}

/* ---- ready work and who does it ---- */

static void *thread_main(void *arg);

/** Lock held. */
static void
spawn(struct lp_executor *executor)
{
    struct lp_thread *thread = calloc(1, sizeof *thread);
    pthread_attr_t attr;

    if (thread == NULL)
        return;
    thread->executor = executor;
    thread->arena = lp_arena_new();
    pthread_cond_init(&thread->wake, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (thread->arena == NULL || pthread_create(&thread->id, &attr, thread_main, thread) != 0) {
        pthread_cond_destroy(&thread->wake);
        lp_arena_free(thread->arena);
        free(thread);
    } else {
        thread->next_all = executor->threads;
        executor->threads = thread;
        executor->thread_count++;
    }
    pthread_attr_destroy(&attr);
}

/** Lock held. The newest idle thread has the warmest cache. The caller wakes it. */
static struct lp_thread *
one_more(struct lp_executor *executor)
{
    struct lp_thread *thread = executor->idle;

    if (thread != NULL) {
        executor->idle = thread->next_idle;
        executor->idle_count--;
        thread->called = true;
    } else if (executor->thread_count < executor->thread_max) {
        spawn(executor);
    }
    return thread;
}

/** Gives the lock back and wakes the thread (may be NULL), in this order: it would only wait for
 * the lock. Threads are freed when nobody is here any more. */
static void
unlock_and_wake(struct lp_executor *executor, struct lp_thread *thread)
{
    if (thread == NULL) {
        pthread_mutex_unlock(&executor->lock);
        return;
    }
    atomic_fetch_add(&executor->waking, 1);
    pthread_mutex_unlock(&executor->lock);
    pthread_cond_signal(&thread->wake);
    atomic_fetch_sub(&executor->waking, 1);
}

/** Lock held: the keeper looks soon whether the threads at work make too little of what is ready.
 */
static void
crowd(struct lp_executor *executor)
{
    if (executor->crowded_at_us != 0)
        return;
    executor->crowded_at_us = lp_clock_mono_us(executor->engine->clock);
    executor->crowded_taken = executor->taken;
    if (executor->slept)
        pthread_cond_signal(&executor->tick);
}

/**
 * Lock held. Steps are short or they tell (lp_thread_slow): one thread does several before another
 * has woken up, so a second one is called only for a longer list. Who was wrong about being short
 * is helped by the keeper. The caller wakes who is returned.
 */
static struct lp_thread *
call_thread(struct lp_executor *executor)
{
    size_t busy = executor->thread_count - executor->idle_count - executor->slow_count;
    size_t wanted = 1 + executor->ready_count / WORK_PER_THREAD;

    if (executor->ready_count == 0)
        return NULL;
    if (busy < wanted && busy < executor->thread_target)
        return one_more(executor);
    crowd(executor);
    return NULL;
}

void
lp_executor_relieve(struct lp_executor *executor)
{
    bool slow = executor->taken - executor->crowded_taken < executor->ready_count;
    struct lp_thread *thread;

    executor->crowded_at_us = 0;
    if (executor->ready_count == 0)
        return;
    if (slow && (thread = one_more(executor)) != NULL)
        pthread_cond_signal(&thread->wake);
    executor->crowded_at_us = lp_clock_mono_us(executor->engine->clock);
    executor->crowded_taken = executor->taken;
}

/** Lock held. The caller wakes who is returned. */
static struct lp_thread *
append(struct lp_executor *executor, struct lp_proc *proc, bool call)
{
    struct lp_ready *ready = &executor->ready[proc->priority > 0 ? 1 : 0];

    proc->next = NULL;
    *ready->last = proc;
    ready->last = &proc->next;
    executor->ready_count++;
    return call ? call_thread(executor) : NULL;
}

bool
lp_thread_stays(struct lp_thread *thread)
{
    struct lp_executor *executor = thread->executor;
    bool stays;

    pthread_mutex_lock(&executor->lock);
    stays = executor->ready_count == 0 && !thread->slow;
    if (stays) {
        thread->slow = thread->stays = true;
        executor->slow_count++;
    }
    pthread_mutex_unlock(&executor->lock);
    return stays;
}

/** Lock held. */
static void
come_back(struct lp_thread *thread)
{
    if (!thread->stays)
        return;
    thread->slow = thread->stays = false;
    thread->executor->slow_count--;
}

void
lp_thread_back(struct lp_thread *thread)
{
    if (!thread->stays) /* written by this thread only */
        return;
    pthread_mutex_lock(&thread->executor->lock);
    come_back(thread);
    pthread_mutex_unlock(&thread->executor->lock);
}

/** What this thread has committed itself it takes up itself. */
void
lp_executor_ready(struct lp_executor *executor, struct lp_proc *proc)
{
    struct lp_thread *thread = proc->thread;

    pthread_mutex_lock(&executor->lock);
    if (thread != NULL && pthread_equal(pthread_self(), thread->id))
        come_back(thread);
    unlock_and_wake(executor, append(executor, proc, true));
}

void
lp_executor_gather(struct lp_executor *executor, struct lp_proc *proc)
{
    struct lp_thread *thread = NULL;

    pthread_mutex_lock(&executor->lock);
    thread = append(executor, proc, !executor->gathers);
    unlock_and_wake(executor, thread);
}

/** Behind the last of those that were committed together: woken by the first one a thread would
 * find nothing but that one, and sleep again. */
static void
gathered(void *arg)
{
    struct lp_executor *executor = arg;
    struct lp_thread *thread;

    pthread_mutex_lock(&executor->lock);
    thread = call_thread(executor);
    if (executor->ready_count > 1)
        crowd(executor); /* the one that was woken may be long about its first */
    unlock_and_wake(executor, thread);
}

/** Lock held. Interactive before tasks. */
static struct lp_proc *
take(struct lp_executor *executor)
{
    for (size_t i = 0; i < LP_COUNT(executor->ready); i++) {
        struct lp_ready *ready = &executor->ready[i];
        struct lp_proc *proc = ready->first;

        if (proc == NULL)
            continue;
        ready->first = proc->next;
        if (ready->first == NULL)
            ready->last = &ready->first;
        executor->ready_count--;
        executor->taken++;
        return proc;
    }
    return NULL;
}

void
lp_thread_slow(struct lp_thread *thread, bool slow)
{
    struct lp_executor *executor = thread->executor;
    struct lp_thread *next = NULL;

    pthread_mutex_lock(&executor->lock);
    if (thread->slow != slow) {
        thread->slow = slow;
        if (slow)
            executor->slow_count++;
        else
            executor->slow_count--;
        if (slow)
            next = call_thread(executor);
    }
    unlock_and_wake(executor, next);
}

/** Lock held before and after. */
static void
rest(struct lp_executor *executor, struct lp_thread *thread)
{
    thread->called = false;
    thread->next_idle = executor->idle;
    executor->idle = thread;
    executor->idle_count++;
    while (!thread->called)
        pthread_cond_wait(&thread->wake, &executor->lock);
}

static void *
thread_main(void *arg)
{
    struct lp_thread *thread = arg;
    struct lp_executor *executor = thread->executor;

    pthread_setname_np(pthread_self(), "lp-step");
    pthread_mutex_lock(&executor->lock);
    while (!executor->ended) {
        struct lp_proc *proc = take(executor);

        if (proc == NULL) {
            rest(executor, thread);
            continue;
        }
        pthread_mutex_unlock(&executor->lock);
        lp_proc_advance(thread, proc);
        pthread_mutex_lock(&executor->lock);
    }
    pthread_mutex_unlock(&executor->lock);
    return NULL;
}

/* ---- room: hints from the queue, as many as there are slots ---- */

static bool
takes_work(const struct lp_executor *executor)
{
    return !atomic_load(&executor->paused) && !atomic_load(&executor->drained)
           && !atomic_load(&executor->doomed) && lp_lease_alive(executor);
}

/** Lock held. The last slots are kept for interactive processes: tasks may stay in theirs for long.
 */
static int
priorities_with_room(const struct lp_executor *executor)
{
    if (executor->in_flight >= executor->in_flight_max || !takes_work(executor))
        return 0;
    return executor->in_flight + executor->reserved < executor->in_flight_max
               ? LP_QUEUE_ALL
               : LP_QUEUE_INTERACTIVE;
}

/** Waits until there is room for one more, of how many priorities; 0: the executor stops. */
static int
room(struct lp_executor *executor)
{
    int priorities = 0;

    pthread_mutex_lock(&executor->lock);
    executor->room_wanted = true;
    while (!executor->stopping && (priorities = priorities_with_room(executor)) == 0)
        pthread_cond_wait(&executor->room, &executor->lock);
    executor->room_wanted = false;
    if (executor->stopping)
        priorities = 0;
    executor->narrow = priorities == LP_QUEUE_INTERACTIVE;
    pthread_mutex_unlock(&executor->lock);
    return priorities;
}

/** Lock held: there may be room where there was none. */
static void
room_came(struct lp_executor *executor)
{
    if (executor->room_wanted)
        pthread_cond_signal(&executor->room);
    if (executor->narrow && executor->in_flight + executor->reserved < executor->in_flight_max) {
        executor->narrow = false;
        executor->engine->queue->ops->wake(executor->engine->queue);
    }
}

/** Lock held. */
static void
enter(struct lp_executor *executor, struct lp_proc *proc)
{
    struct lp_proc **bucket = bucket_of(executor, proc->id);

    proc->chain = *bucket;
    *bucket = proc;
    if (executor->in_flight++ == 0 && executor->slept)
        pthread_cond_signal(&executor->tick); /* from now on steps are watched */
    __atomic_add_fetch(&executor->engine->stats.running, 1, __ATOMIC_RELAXED);
}

void
lp_executor_drop(struct lp_executor *executor, struct lp_proc *proc)
{
    char id[LP_UUID_LEN + 1];
    int priority = proc->priority;
    bool again;

    memcpy(id, proc->id, sizeof id);
    pthread_mutex_lock(&executor->lock);
    unchain(executor, proc);
    /* The pause may have ended before the release was committed: the sweep it caused did not see
     * it. */
    again =
        proc->again || (proc->released && !executor->stopping && !atomic_load(&executor->paused));
    executor->in_flight--;
    room_came(executor);
    if (executor->in_flight == 0)
        pthread_cond_broadcast(&executor->empty);
    pthread_mutex_unlock(&executor->lock);
    lp_proc_free(proc);
    __atomic_sub_fetch(&executor->engine->stats.running, 1, __ATOMIC_RELAXED);
    if (again)
        lp_executor_hint(executor->engine, id, priority);
}

void
lp_executor_offer(struct lp_executor *executor, const char *id, int priority)
{
    struct lp_thread *thread = NULL;
    struct lp_proc *proc;

    pthread_mutex_lock(&executor->lock);
    proc = executor->stopping ? NULL : lookup(executor, id);
    if (proc != NULL) {
        proc->again = true;
        atomic_store(&proc->poked, true);
    } else if (!executor->stopping && (proc = lp_proc_new(executor, id)) != NULL) {
        proc->priority = priority;
        enter(executor, proc);
        thread = append(executor, proc, true);
    }
    unlock_and_wake(executor, thread);
}

/* ---- processes created here ---- */

static bool
has_label(const struct lp_executor *executor, const char *label)
{
    char word[LP_KEY_MAX];

    if (label == NULL)
        return true;
    snprintf(word, sizeof word, ",%s,", label);
    return strstr(executor->labels, word) != NULL;
}

/** Nobody is overtaken: what waits in the queue comes first. The dispatcher may hold the promise of
 * one slot. */
struct lp_proc *
lp_executor_reserve(struct lp_engine *engine, const char *id, const struct lp_registered *reg)
{
    struct lp_executor *executor = engine->executor;
    struct lp_proc *proc = NULL;
    size_t kept;

    if (executor == NULL || !has_label(executor, lp_label_needed(reg->workflow, reg->steps[0]))
        || engine->queue->ops->depth(engine->queue) > 0)
        return NULL;
    kept = reg->workflow->is_task ? 1 + executor->reserved : 1;
    pthread_mutex_lock(&executor->lock);
    if (!executor->stopping && takes_work(executor)
        && executor->in_flight + kept < executor->in_flight_max
        && (proc = lp_proc_new(executor, id)) != NULL) {
        proc->phase = LP_PH_BORN;
        enter(executor, proc);
    }
    pthread_mutex_unlock(&executor->lock);
    return proc;
}

void
lp_executor_begin(struct lp_proc *proc, enum lp_code code)
{
    struct lp_executor *executor = proc->executor;

    if (code == LP_OK) {
        __atomic_add_fetch(&executor->engine->stats.claims, 1, __ATOMIC_RELAXED);
        proc->phase = LP_PH_NEXT;
        lp_executor_ready(executor, proc);
        return;
    }
    if (code == LP_UNKNOWN || code == LP_STORE) /* its row may be there all the same, and is ours */
        lp_keeper_orphan(executor);
    lp_executor_drop(executor, proc);
}

/* ---- units that belong to no proc ---- */

struct aside {
    struct lp_executor *executor;
    lp_unit_done *done;
};

static void
aside_done(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct aside *aside = arg;
    struct lp_executor *executor = aside->executor;

    if (aside->done != NULL)
        aside->done(executor->engine, unit, code, err);
    free(aside);
    pthread_mutex_lock(&executor->lock);
    if (--executor->aside == 0)
        pthread_cond_broadcast(&executor->empty);
    pthread_mutex_unlock(&executor->lock);
}

void
lp_executor_aside(struct lp_executor *executor, struct lp_unit *unit, lp_unit_done *done)
{
    struct aside *aside = malloc(sizeof *aside);

    if (aside == NULL) {
        lp_unit_free(unit); /* it can be done without */
        return;
    }
    *aside = (struct aside){.executor = executor, .done = done};
    pthread_mutex_lock(&executor->lock);
    executor->aside++;
    pthread_mutex_unlock(&executor->lock);
    lp_store_submit(executor->engine->store, unit, aside_done, aside);
}

/** Waits a little, or until the executor stops. */
static void
wait_a_little(struct lp_executor *executor)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&executor->lock);
    if (!executor->stopping)
        pthread_cond_timedwait(&executor->room, &executor->lock, &until);
    pthread_mutex_unlock(&executor->lock);
}

static void *
dispatcher_main(void *arg)
{
    struct lp_executor *executor = arg;
    struct lp_queue *queue = executor->engine->queue;

    pthread_setname_np(pthread_self(), "lp-dispatch");
    int priorities;

    while ((priorities = room(executor)) != 0) {
        struct lp_err err = LP_ERR_INIT;
        char id[LP_UUID_LEN + 1];
        enum lp_code rc = queue->ops->pop(queue, -1, priorities, id, &err);

        if (rc == LP_OK && takes_work(executor))
            lp_executor_offer(executor, id, 0);
        else if (rc != LP_OK && rc != LP_CANCELLED && rc != LP_NOT_FOUND)
            wait_a_little(executor); /* the sweeper makes good for a queue that is away */
        lp_err_clear(&err);
        if (rc == LP_CANCELLED)
            break;
    }
    return NULL;
}

/* ---- hints ---- */

void
lp_executor_hint(struct lp_engine *engine, const char *process_id, int priority)
{
    lp_executor_announce(engine, process_id, priority, NULL);
}

void
lp_executor_announce(struct lp_engine *engine, const char *process_id, int priority,
                     const char *label)
{
    struct lp_err err = LP_ERR_INIT;

    if (engine->queue->ops->push(engine->queue, process_id, priority, label, &err) != LP_OK)
        lp_err_clear(&err); /* only a hint */
    if (engine->executor != NULL && engine->executor->embedded)
        lp_keeper_due(engine->executor,
                      lp_clock_utc_us(engine->clock)
                          + lp_conf_live_int(&engine->conf->executor_sweep_ms) * 1000);
}

void
lp_executor_poke(struct lp_engine *engine, const char *process_id)
{
    struct lp_executor *executor = engine->executor;
    struct lp_proc *proc;

    if (executor == NULL)
        return;
    if (process_id == NULL) {
        lp_keeper_poke(executor);
        return;
    }
    pthread_mutex_lock(&executor->lock);
    proc = lookup(executor, process_id);
    if (proc != NULL) {
        atomic_store(&proc->cancel, true);
        atomic_store(&proc->poked, true);
        proc->again = true;
    }
    pthread_mutex_unlock(&executor->lock);
}

bool
lp_executor_paused(const struct lp_engine *engine)
{
    return engine->executor != NULL && atomic_load(&engine->executor->paused);
}

void
lp_executor_set_paused(struct lp_engine *engine, bool paused)
{
    struct lp_executor *executor = engine->executor;

    if (executor == NULL)
        return;
    atomic_store(&executor->paused, paused);
    pthread_mutex_lock(&executor->lock);
    pthread_cond_signal(&executor->room);
    pthread_mutex_unlock(&executor->lock);
    lp_keeper_poke(executor); /* released work is announced again */
}

/* ---- life ---- */

static enum lp_code
build_places(struct lp_executor *executor, struct lp_err *err)
{
    struct lp_engine *engine = executor->engine;
    enum lp_code rc = LP_OK;

    executor->places = calloc(engine->workflow_count + 1, sizeof *executor->places);
    if (executor->places == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the step tables");
    for (size_t i = 0; rc == LP_OK && i < engine->workflow_count; i++)
        rc = lp_places_build(&engine->workflows[i], &executor->places[i], err);
    return rc;
}

static void
cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/** daemon.name, or the host's. */
static void
take_name(struct lp_executor *executor)
{
    const char *given = executor->engine->conf->daemon_name;

    if (given != NULL && *given != '\0')
        snprintf(executor->name, sizeof executor->name, "%s", given);
    else if (gethostname(executor->name, sizeof executor->name - 1) != 0)
        snprintf(executor->name, sizeof executor->name, "localhost");
}

static struct lp_executor *
executor_new(struct lp_engine *engine)
{
    struct lp_executor *executor = calloc(1, sizeof *executor);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (executor == NULL)
        return NULL;
    executor->engine = engine;
    take_name(executor);
    executor->thread_max = (size_t)engine->conf->executor_threads;
    executor->thread_target = cpus > QUICK_THREADS ? (size_t)cpus : QUICK_THREADS;
    executor->in_flight_max = executor->thread_max < 2 ? 2 : executor->thread_max;
    executor->reserved = 1 + executor->in_flight_max / RESERVED_PART;
    executor->embedded = lp_store_dialect(engine->store) == LP_DIALECT_SQLITE;
    for (size_t i = 0; i < LP_COUNT(executor->ready); i++)
        executor->ready[i].last = &executor->ready[i].first;
    lp_mutex_init_short(&executor->lock);
    cond_init(&executor->room);
    cond_init(&executor->empty);
    cond_init(&executor->tick);
    cond_init(&executor->beat);
    if (asprintf(&executor->labels, ",%s,",
                 engine->conf->executor_labels == NULL ? "" : engine->conf->executor_labels)
        < 0)
        executor->labels = NULL;
    return executor;
}

enum lp_code
lp_executor_run(struct lp_engine *engine, struct lp_err *err)
{
    struct lp_executor *executor = executor_new(engine);
    enum lp_code rc;

    if (executor == NULL || executor->labels == NULL) {
        free(executor);
        return lp_fail(err, LP_NOMEM, "no memory for the executor");
    }
    engine->executor = executor;
    rc = lp_keeper_read_drain(executor, err);
    if (rc == LP_OK)
        rc = build_places(executor, err);
    if (rc == LP_OK)
        rc = lp_lease_begin(executor, err);
    if (rc != LP_OK)
        return rc;
    executor->gathers = lp_store_after(engine->store, gathered, executor);
    executor->keeper_on = pthread_create(&executor->keeper, NULL, lp_keeper_main, executor) == 0;
    executor->dispatcher_on =
        pthread_create(&executor->dispatcher, NULL, dispatcher_main, executor) == 0;
    if (!executor->keeper_on || !executor->dispatcher_on)
        return lp_fail(err, LP_NOMEM, "cannot start the threads of the executor");
    return LP_OK;
}

/** Until nothing is in flight, at most so long. */
static bool
drain(struct lp_executor *executor, int64_t timeout_ms)
{
    struct timespec until;
    bool empty;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&executor->lock);
    while ((executor->in_flight > 0 || executor->aside > 0) && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&executor->empty, &executor->lock, &until);
    empty = executor->in_flight == 0 && executor->aside == 0;
    pthread_mutex_unlock(&executor->lock);
    return empty;
}

static void
join_threads(struct lp_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->ended = true;
    for (struct lp_thread *t = executor->threads; t != NULL; t = t->next_all) {
        t->called = true;
        pthread_cond_signal(&t->wake);
    }
    executor->idle = NULL;
    pthread_cond_signal(&executor->tick);
    pthread_mutex_unlock(&executor->lock);
    if (executor->keeper_on) /* it looks at the threads */
        pthread_join(executor->keeper, NULL);
    executor->keeper_on = false;
    while (atomic_load(&executor->waking) > 0) /* somebody between an unlock and a signal */
        sched_yield();
    while (executor->threads != NULL) {
        struct lp_thread *thread = executor->threads;

        executor->threads = thread->next_all;
        pthread_join(thread->id, NULL);
        pthread_cond_destroy(&thread->wake);
        lp_arena_free(thread->arena);
        free(thread);
    }
}

enum lp_code
lp_executor_stop(struct lp_engine *engine, int64_t timeout_ms, struct lp_err *err)
{
    struct lp_executor *executor = engine->executor;
    bool empty;

    if (executor == NULL || executor->ended)
        return LP_OK;
    atomic_store(&executor->stop_by_us, lp_clock_mono_us(engine->clock) + timeout_ms * 1000 + 1);
    pthread_mutex_lock(&executor->lock);
    executor->stopping = true;
    pthread_cond_broadcast(&executor->room);
    pthread_mutex_unlock(&executor->lock);
    engine->queue->ops->close(engine->queue);
    if (executor->dispatcher_on)
        pthread_join(executor->dispatcher, NULL);
    executor->dispatcher_on = false;
    empty = drain(executor, timeout_ms);
    if (!empty)
        return lp_fail(err, LP_CANCELLED,
                       "%zu processes did not come to rest within %lld ms; they are taken over "
                       "when the lease ends",
                       executor->in_flight, (long long)timeout_ms);
    if (executor->gathers)
        (void)lp_store_after(engine->store, NULL, NULL);
    executor->gathers = false;
    join_threads(executor);
    lp_lease_end(executor);
    lp_lease_retire(executor);
    return LP_OK;
}

void
lp_executor_free(struct lp_engine *engine)
{
    struct lp_executor *executor = engine->executor;

    if (executor == NULL)
        return;
    if (!executor->ended) {
        struct lp_err err = LP_ERR_INIT;

        /* Threads that are still inside steps would use what is freed: better to leak at exit. */
        if (lp_executor_stop(engine, 0, &err) != LP_OK) {
            lp_err_clear(&err);
            return;
        }
    }
    lp_lease_end(executor);
    engine->executor = NULL;
    lp_fan_forget(executor);
    for (size_t i = 0; executor->places != NULL && i < engine->workflow_count; i++)
        lp_places_free(&executor->places[i]);
    free(executor->places);
    free(executor->labels);
    pthread_cond_destroy(&executor->room);
    pthread_cond_destroy(&executor->empty);
    pthread_cond_destroy(&executor->tick);
    pthread_cond_destroy(&executor->beat);
    pthread_mutex_destroy(&executor->lock);
    free(executor);
}
