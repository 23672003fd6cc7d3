/**
 * Notices: what is worth telling an operator, written in the commit that made it so. Rules turn a
 * notice into deliveries (scheduler/notify.h); here is only what every room may do: add one, and
 * read the log.
 */
#ifndef LP_STORE_NOTICES_H
#define LP_STORE_NOTICES_H

#include "store/db.h"

/** What can be told. The order is that of the table in notices.c. */
enum lp_notice_kind {
    LP_NOTICE_FAILED,
    LP_NOTICE_SUSPENDED,
    LP_NOTICE_APPROVAL,
    LP_NOTICE_DRIFT,
    LP_NOTICE_EXECUTOR_LOST,
    LP_NOTICE_TEST,
    LP_NOTICE_KIND_COUNT
};
/** "process_failed", "process_suspended", "approval_asked", "drift_found", "executor_lost", "test".
 */
const char *lp_notice_kind_name(enum lp_notice_kind kind);
/** "info", "warning", "error" or "critical": how bad it is. */
const char *lp_notice_severity(enum lp_notice_kind kind);
/** 0 (info) to 3 (critical); -1 for any other text. */
int lp_severity_rank(const char *severity);

struct lp_notice {
    enum lp_notice_kind kind;
    const char *process_id;      /* or NULL */
    const char *subscription_id; /* or NULL */
    const json_t *doc;           /* object: what the message is made of; borrowed */
    const char *dedupe;          /* or NULL: a second notice with this text is LP_CONFLICT */
};
/** Queues it. Its id (version 7) goes to `id` when that is not NULL. Aborts without memory. */
void lp_notice_add(struct lp_unit *unit, const struct lp_notice *notice,
                   const struct lp_clock *clock, char id[LP_UUID_LEN + 1]);

/** The newest deliveries: [{"id","notification_id","kind","severity","summary","target","form",
 * "status","attempts","next_at","error","created_at","ended_at","process_id","subscription_id"}].
 * status and notice_id may be NULL. */
enum lp_code lp_delivery_list(struct lp_store *store, const char *status, const char *notice_id,
                              int64_t limit, json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** One sentence for a person, made of kind and document; malloc'ed, NULL without memory. */
char *lp_notice_summary(const char *kind, const json_t *doc);

#endif
