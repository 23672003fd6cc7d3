/* What a flush tells people: a process that stopped where only a person helps. The row commits
 * with the change, so it is told exactly when it is true. */
#include <string.h>

#include "engine/exec.h"
#include "store/notices.h"

/* An input step that asks for an approval says so by its name, or by that of its group:
 * "approve/ask". */
static bool
asks_approval(const char *key)
{
    for (const char *part = key; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "approve", strlen("approve")) == 0
            || strncmp(part, "approval", strlen("approval")) == 0)
            return true;
    }
    return false;
}

/* A validation that failed for good saw something else than what was ordered; one that could not
 * look saw nothing. */
static bool
is_drift(const struct lp_proc *proc, const struct lp_flush *flush)
{
    enum lp_code code = flush->error == NULL ? LP_OK : flush->error->code;

    return code == LP_DRIFT
           || (proc->target == LP_TARGET_VALIDATE && lp_code_info(code)->retry == LP_RETRY_NEVER);
}

static bool
kind_of(const struct lp_proc *proc, const struct lp_flush *flush, enum lp_notice_kind *kind)
{
    switch (flush->status) {
    case LP_PS_SUSPENDED:
        *kind = asks_approval(proc->key) ? LP_NOTICE_APPROVAL : LP_NOTICE_SUSPENDED;
        return true;
    case LP_PS_FAILED:
    case LP_PS_API_UNAVAILABLE:
    case LP_PS_INCONSISTENT_DATA:
        *kind = is_drift(proc, flush) ? LP_NOTICE_DRIFT : LP_NOTICE_FAILED;
        return true;
    case LP_PS_CREATED:
    case LP_PS_RUNNING:
    case LP_PS_WAITING:
    case LP_PS_AWAITING_CALLBACK:
    case LP_PS_ABORTED:
    case LP_PS_COMPLETED:
    case LP_PS_RESUMED:
    case LP_PS_COUNT:
        break;
    }
    return false;
}

bool
lp_flush_notice(const struct lp_proc *proc, const struct lp_flush *flush, struct lp_unit *unit)
{
    enum lp_notice_kind kind;
    json_auto_t *doc = NULL;
    const char *reason = flush->error == NULL ? flush->wait_reason : flush->error->msg;

    if (flush->status == proc->before.status || !kind_of(proc, flush, &kind))
        return false;
    doc = json_pack("{s:s, s:s, s:b, s:s, s:s, s:s*, s:s, s:s*}", "workflow",
                    proc->reg == NULL ? "" : proc->reg->workflow->name, "target",
                    lp_target_name(proc->target), "is_task", proc->is_task, "step", proc->title,
                    "key", proc->key, "reason", reason, "actor",
                    proc->actor == NULL ? "" : proc->actor, "ticket", proc->ticket);
    if (doc == NULL)
        return false; /* a text that is no UTF-8 was refused long before */
    lp_notice_add(
        unit,
        &(struct lp_notice){.kind = kind,
                            .process_id = proc->id,
                            .subscription_id = lp_json_str(proc->state, "subscription_id", NULL),
                            .doc = doc},
        proc->engine->clock, NULL);
    return true;
}

void
lp_engine_on_notice(struct lp_engine *engine, const struct lp_notice_listener *listener)
{
    __atomic_store_n(&engine->listener, listener, __ATOMIC_RELEASE);
}

void
lp_engine_notice_now(struct lp_engine *engine)
{
    const struct lp_notice_listener *listener =
        __atomic_load_n(&engine->listener, __ATOMIC_ACQUIRE);

    if (listener != NULL)
        listener->fn(listener->arg);
}
