/**
 * Being told: turns notices (store/notices.h) into messages and has them sent, by the daemon that
 * has the scheduler's duty. One thread decides; each target that something is due for is sent to on
 * a thread of its own, at most eight at one time, one message after the other: whoever hangs keeps
 * only itself waiting.
 *
 * A notice is routed once: its deliveries, one per target that a rule names, and the mark on it
 * commit together, and their ids follow from notice and target, so that a second scheduler cannot
 * make them again. Each attempt is claimed in the database before it is made and its outcome is
 * written after it: outside a transaction, at least once, with an id that stays the same. Whoever
 * dies in between leaves one message that is sent again when the claim has passed.
 *
 * A target gets at most notifications.burst single messages in notifications.window_s; what comes
 * beyond is held and sent as one digest when the window has passed.
 *
 * Sending itself is not this room's: the daemon passes a sender down. Threads: lp_notifier_poke and
 * lp_notifier_reload from any.
 */
#ifndef LP_SCHEDULER_NOTIFY_H
#define LP_SCHEDULER_NOTIFY_H

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "scheduler/rules.h"
#include "store/db.h"

struct lp_message {
    const char *id;   /* of the delivery: the same at every attempt */
    const char *kind; /* of the notice, or "digest" */
    const char *severity;
    int64_t at_us;       /* when it happened */
    const char *subject; /* one line, UTF-8 */
    const char *text;    /* for people */
    const char *body;    /* for programs: a JSON object */
};

/** Sends one message, within the time of notifications.timeout_ms; called for several targets at
 * one time, from several threads; returns early with LP_CANCELLED once cancel_fd is readable.
 * Whatever is not LP_OK counts as a failed attempt. The message of the error is stored and shown:
 * it must not hold a secret. */
struct lp_sender {
    enum lp_code (*send)(void *arg, const struct lp_rules *rules, const json_t *target,
                         const struct lp_message *message, int cancel_fd, struct lp_err *err);
    void *arg;
};

struct lp_notifier_options {
    struct lp_store *store;
    const struct lp_clock *clock;
    struct lp_log *log;
    const struct lp_conf *conf; /* notifications.* */
    struct lp_sender sender;
    /** Whether this daemon has the scheduler's duty now; NULL = always. */
    bool (*leads)(void *arg);
    void *leads_arg;
};

struct lp_notifier;

/** Reads the rules and starts the thread. LP_INVALID: the file is wrong. */
enum lp_code lp_notifier_start(const struct lp_notifier_options *options, struct lp_notifier **out,
                               struct lp_err *err) LP_MUST_CHECK;
/** There may be something to send. Cheap; never blocks. */
void lp_notifier_poke(void *notifier);
/** Reads the rules again; wrong ones leave the old in force. */
enum lp_code lp_notifier_reload(struct lp_notifier *notifier, struct lp_err *err) LP_MUST_CHECK;
/** Ends the attempt under way, joins, frees. NULL is fine. */
void lp_notifier_stop(struct lp_notifier *notifier);

#endif
