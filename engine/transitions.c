/* What may follow what: the process and step status tables, and nothing else says so. */
#include <string.h>

#include "engine/internal.h"

#define P(status) LP_BIT(LP_PS_##status)

enum {
    FAILURES = P(FAILED) | P(API_UNAVAILABLE) | P(INCONSISTENT_DATA),
    ACTS = P(RUNNING) | P(RESUMED) | P(ABORTED), /* a claim, an operator, an abort */
};

static const struct process_row {
    const char *name; /* as stored and as sent */
    unsigned may_go;  /* set of statuses that may follow; empty means final */
    bool resumable;   /* by resume or retry of an operator */
} processes[] = {
    [LP_PS_CREATED] = {"created", P(RUNNING) | P(ABORTED), false},
    [LP_PS_RUNNING] = {"running",
                       FAILURES | P(SUSPENDED) | P(WAITING) | P(AWAITING_CALLBACK) | P(ABORTED)
                           | P(COMPLETED),
                       false},
    [LP_PS_SUSPENDED] = {"suspended", ACTS, true},
    [LP_PS_WAITING] = {"waiting", ACTS, true},
    /* a plain resume would skip the wait without its token (W23) */
    [LP_PS_AWAITING_CALLBACK] = {"awaiting_callback", ACTS, false},
    [LP_PS_ABORTED] = {"aborted", 0, false},
    [LP_PS_FAILED] = {"failed", ACTS, true},
    [LP_PS_API_UNAVAILABLE] = {"api_unavailable", ACTS, true},
    [LP_PS_INCONSISTENT_DATA] = {"inconsistent_data", ACTS, true},
    [LP_PS_COMPLETED] = {"completed", 0, false},
    [LP_PS_RESUMED] = {"resumed", P(RUNNING) | P(ABORTED), false},
};
static_assert(LP_COUNT(processes) == LP_PS_COUNT, "a row for every process status");

static const struct step_row {
    const char *name;
    enum lp_process_status after; /* of the process once the row is logged */
} steps[] = {
    [LP_SS_SUCCESS] = {"success", LP_PS_RUNNING},
    [LP_SS_SKIPPED] = {"skipped", LP_PS_RUNNING},
    [LP_SS_SUSPEND] = {"suspend", LP_PS_SUSPENDED},
    [LP_SS_WAITING] = {"waiting", LP_PS_WAITING},
    [LP_SS_AWAITING_CALLBACK] = {"awaiting_callback", LP_PS_AWAITING_CALLBACK},
    [LP_SS_FAILED] = {"failed", LP_PS_FAILED},
    [LP_SS_ABORT] = {"abort", LP_PS_ABORTED},
    [LP_SS_COMPLETE] = {"complete", LP_PS_COMPLETED},
};
static_assert(LP_COUNT(steps) == LP_SS_COUNT, "a row for every step status");

/* W30: classes hang on the code, so that no name has to match another name. */
static const struct failure_row {
    enum lp_code code;
    enum lp_process_status status;
    const char *assignee;
} failures[] = {
    {LP_DRIFT, LP_PS_INCONSISTENT_DATA, "NOC"},
    {LP_RETRYABLE, LP_PS_API_UNAVAILABLE, "SYSTEM"},
    {LP_UNKNOWN, LP_PS_API_UNAVAILABLE, "SYSTEM"},
    {LP_STORE, LP_PS_API_UNAVAILABLE, "SYSTEM"},
};

const char *
lp_process_status_name(enum lp_process_status status)
{
    return (unsigned)status < LP_PS_COUNT ? processes[status].name : "unknown";
}

bool
lp_process_status_from_name(const char *name, enum lp_process_status *out)
{
    for (size_t i = 0; name != NULL && i < LP_COUNT(processes); i++)
        if (strcmp(processes[i].name, name) == 0) {
            *out = (enum lp_process_status)i;
            return true;
        }
    return false;
}

const char *
lp_step_status_name(enum lp_step_status status)
{
    return (unsigned)status < LP_SS_COUNT ? steps[status].name : "unknown";
}

bool
lp_step_status_from_name(const char *name, enum lp_step_status *out)
{
    for (size_t i = 0; name != NULL && i < LP_COUNT(steps); i++)
        if (strcmp(steps[i].name, name) == 0) {
            *out = (enum lp_step_status)i;
            return true;
        }
    return false;
}

bool
lp_process_may_go(enum lp_process_status from, enum lp_process_status to)
{
    return (processes[from].may_go & LP_BIT(to)) != 0;
}

bool
lp_process_final(enum lp_process_status status)
{
    return processes[status].may_go == 0;
}

bool
lp_process_resumable(enum lp_process_status status)
{
    return processes[status].resumable;
}

enum lp_process_status
lp_process_after_step(enum lp_step_status step)
{
    return steps[step].after;
}

enum lp_process_status
lp_task_failure(enum lp_code code, const char **assignee)
{
    for (size_t i = 0; i < LP_COUNT(failures); i++)
        if (failures[i].code == code) {
            *assignee = failures[i].assignee;
            return failures[i].status;
        }
    *assignee = "SYSTEM";
    return LP_PS_FAILED;
}
