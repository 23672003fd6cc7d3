#include "scheduler/lease.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FOR_EVER_US ((int64_t)1 << 60)

enum { TRY_MS = 1000, RENEWALS = 3, MARGIN = 10 }; /* the last tenth of a lease is not used */

struct lp_lease {
    struct lp_store *store;
    const struct lp_clock *clock;
    struct lp_log *log;
    char *name, *owner;
    int64_t lease_us;
    pthread_mutex_t lock;  /* one takes, renews or gives back at a time */
    bool alone;            /* SQLite: nobody else can be there */
    atomic_llong next_us;  /* CLOCK_BOOTTIME of the next write; 0 at once */
    bool leading;          /* as last logged */
    atomic_llong until_us; /* CLOCK_BOOTTIME; 0 not held */
    atomic_llong epoch;
};

enum lp_code
lp_lease_new(const struct lp_lease_options *options, struct lp_lease **out, struct lp_err *err)
{
    struct lp_lease *lease = calloc(1, sizeof *lease);

    if (lease == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a lease");
    pthread_mutex_init(&lease->lock, NULL);
    lease->store = options->store;
    lease->clock = options->clock;
    lease->log = options->log;
    lease->name = strdup(options->name);
    lease->owner = strdup(options->owner);
    lease->alone = lp_store_dialect(options->store) == LP_DIALECT_SQLITE;
    lease->lease_us = lease->alone ? FOR_EVER_US : options->lease_ms * 1000;
    if (lease->name == NULL || lease->owner == NULL) {
        lp_lease_free(lease);
        return lp_fail(err, LP_NOMEM, "no memory for a lease");
    }
    *out = lease;
    return LP_OK;
}

void
lp_lease_free(struct lp_lease *lease)
{
    if (lease == NULL)
        return;
    lp_lease_release(lease);
    free(lease->name);
    free(lease->owner);
    pthread_mutex_destroy(&lease->lock);
    free(lease);
}

bool
lp_lease_held(const struct lp_lease *lease)
{
    return lp_clock_mono_us(lease->clock) < atomic_load(&lease->until_us);
}

int
lp_lease_wait_ms(const struct lp_lease *lease)
{
    int64_t left = (atomic_load(&lease->next_us) - lp_clock_mono_us(lease->clock) + 999) / 1000;

    if (lease->alone && atomic_load(&lease->until_us) != 0)
        return INT32_MAX;
    return left > 0 ? (int)left : 0;
}

/* One write: the row is ours afterwards, or it is somebody else's. */
static enum lp_code
take(struct lp_lease *lease, bool *ours, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_want_rows(
        unit,
        lp_unit_add(unit, LP_SQL_LEASE_TAKE,
                    LP_ARGS(lp_text("name", lease->name), lp_text("owner", lease->owner),
                            lp_int("lease", lease->lease_us), lp_int("force", lease->alone))));
    rc = lp_store_commit(lease->store, unit, err);
    *ours = rc == LP_OK && lp_rows_count(lp_unit_rows(unit, 0)) == 1;
    if (*ours)
        atomic_store(&lease->epoch, lp_rows_int(lp_unit_rows(unit, 0), 0, "epoch"));
    lp_unit_free(unit);
    return rc;
}

static void
say(struct lp_lease *lease, bool leads)
{
    if (leads == lease->leading)
        return;
    lease->leading = leads;
    lp_logf(lease->log, leads || lease->alone ? LP_LOG_INFO : LP_LOG_WARN,
            leads ? "lease.taken" : "lease.lost", "s:s, s:I", "name", lease->name, "epoch",
            (json_int_t)atomic_load(&lease->epoch));
}

static void
try_now(struct lp_lease *lease)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t sent = lp_clock_mono_us(lease->clock), end = sent + lease->lease_us;
    bool ours = false;
    enum lp_code rc = take(lease, &ours, &err);

    if (rc != LP_OK) {
        lp_log_err(lease->log, LP_LOG_WARN, "lease.renew", &err);
        lp_err_clear(&err);
    } else if (ours) {
        atomic_store(&lease->until_us, end - lease->lease_us / MARGIN);
    } else {
        atomic_store(&lease->until_us, 0);
    }
    atomic_store(&lease->next_us, ours ? sent + lease->lease_us / RENEWALS
                                       : lp_clock_mono_us(lease->clock) + (int64_t)TRY_MS * 1000);
}

bool
lp_scheduler_lead(struct lp_lease *lease, int64_t *epoch)
{
    bool leads;

    pthread_mutex_lock(&lease->lock);
    if (lp_clock_mono_us(lease->clock) >= atomic_load(&lease->next_us))
        try_now(lease);
    leads = lp_lease_held(lease);
    say(lease, leads);
    pthread_mutex_unlock(&lease->lock);
    if (epoch != NULL)
        *epoch = atomic_load(&lease->epoch);
    return leads;
}

void
lp_lease_fence(const struct lp_lease *lease, struct lp_unit *unit)
{
    lp_unit_add(unit, LP_SQL_LEASE_FENCE,
                LP_ARGS(lp_int("epoch", atomic_load(&lease->epoch)), lp_text("owner", lease->owner),
                        lp_text("name", lease->name)));
}

static void
give_back(struct lp_lease *lease)
{
    struct lp_unit *unit;
    struct lp_err err = LP_ERR_INIT;

    atomic_store(&lease->next_us, 0);
    if (atomic_exchange(&lease->until_us, 0) == 0)
        return;
    lease->leading = false;
    if (lease->alone)
        return; /* the next daemon takes it whatever it says: no write at the end */
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_LEASE_RELEASE,
                LP_ARGS(lp_text("name", lease->name), lp_text("owner", lease->owner),
                        lp_int("epoch", atomic_load(&lease->epoch))));
    if (lp_store_commit(lease->store, unit, &err) != LP_OK)
        lp_log_err(lease->log, LP_LOG_WARN, "lease.not_released", &err);
    lp_unit_free(unit);
    lp_err_clear(&err);
}

void
lp_lease_release(struct lp_lease *lease)
{
    pthread_mutex_lock(&lease->lock);
    give_back(lease);
    pthread_mutex_unlock(&lease->lock);
}
