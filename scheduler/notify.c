#include "scheduler/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "scheduler/message.h"
#include "store/notices.h"

enum {
    PAGE = 50,           /* notices routed, messages sent in one round */
    DIGEST_ITEMS = 50,   /* that a digest spells out */
    DIGEST_MOST = 10000, /* that one digest stands for */
    LOST_SINCE_H = 24,   /* executors lost longer ago are no news */
    MOST_RESTING = 64,   /* as many as there may be targets */
    LANES = 8,           /* targets that are sent to at one time */
};
#define SECOND_US    INT64_C(1000000)
#define GAP_US       (SECOND_US / 4)  /* between two rounds: a storm costs four a second */
#define LOOK_US      (2 * SECOND_US)  /* notices of other daemons, lost executors */
#define LONG_LOOK_US (60 * SECOND_US) /* nobody else can write here */
#define CLAIM_MARGIN_US                                                                            \
    (5 * SECOND_US) /* an attempt that takes longer than its time by this is lost */
#define BACKOFF_MOST_US (900 * SECOND_US)

/** A target that did not take a message is left alone until then, whatever else waits for it. */
struct resting {
    char target[80];
    int64_t until_us;
};

/** What is due for one target, one message after the other, on a thread of its own: whoever takes
 * long keeps nobody else waiting. */
struct lane {
    struct lp_notifier *notifier;
    char target[80];
    pthread_t thread;
    bool started; /* to be joined; the notifier thread's own */
    bool busy;    /* guarded by notifier.lock */
};

struct lp_notifier {
    struct lp_notifier_options options;
    struct resting resting[MOST_RESTING]; /* guarded by lock; until_us 0 = free */
    struct lane lanes[LANES];
    struct lp_rules *rules; /* read by lanes: exchanged for `fresh` when none is busy */
    pthread_t thread;
    pthread_mutex_t lock; /* guards poked, stop, fresh, resting, broken and what lanes share */
    pthread_cond_t wake;
    bool poked, stop;
    struct lp_rules *fresh; /* to be taken over */
    int cancel_fd;
    bool broken; /* the last round failed: said once */
};

static int64_t
now_us(const struct lp_notifier *n)
{
    return lp_clock_utc_us(n->options.clock);
}

static int64_t
setting(const int64_t *value)
{
    return lp_conf_live_int(value);
}

/** Commits; a conflict means that another scheduler did it: no error. The unit is freed. */
static enum lp_code
commit(struct lp_notifier *n, struct lp_unit *unit, bool *done, struct lp_err *err)
{
    enum lp_code rc = lp_store_commit(n->options.store, unit, err);

    *done = rc == LP_OK;
    if (rc == LP_CONFLICT) {
        lp_err_clear(err);
        rc = LP_OK;
    }
    lp_unit_free(unit);
    return rc;
}

/* ---- executors that nobody renews ---- */

static enum lp_code
tell_lost(struct lp_notifier *n, const struct lp_rows *rows, size_t i, struct lp_err *err)
{
    const char *incarnation = lp_rows_text(rows, i, "incarnation");
    struct lp_unit *unit = lp_unit_new();
    char dedupe[LP_UUID_LEN + 16];
    json_auto_t *doc = json_pack("{s:s, s:s, s:s, s:I}", "executor", lp_rows_text(rows, i, "name"),
                                 "host", lp_rows_text(rows, i, "host"), "incarnation", incarnation,
                                 "claims", (json_int_t)lp_rows_int(rows, i, "claims"));
    bool done;

    (void)snprintf(dedupe, sizeof dedupe, "executor:%.36s", incarnation);
    lp_notice_add(
        unit, &(struct lp_notice){.kind = LP_NOTICE_EXECUTOR_LOST, .doc = doc, .dedupe = dedupe},
        n->options.clock, NULL);
    lp_logf(n->options.log, LP_LOG_WARN, "executor.lost", "s:s, s:s, s:I", "name",
            lp_rows_text(rows, i, "name"), "incarnation", incarnation, "claims",
            (json_int_t)lp_rows_int(rows, i, "claims"));
    return commit(n, unit, &done, err);
}

static enum lp_code
look_for_lost(struct lp_notifier *n, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(n->options.store, LP_SQL_NOTICE_LOST_EXECUTORS,
                 LP_ARGS(lp_int("since", now_us(n) - LOST_SINCE_H * 3600 * SECOND_US)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = tell_lost(n, rows, i, err);
    lp_rows_free(rows);
    return rc;
}

/* ---- from notices to deliveries ---- */

/** Which targets; a test names its own. */
static json_t *
targets_of(const struct lp_notifier *n, const struct lp_rows *rows, size_t i, const json_t *doc)
{
    const struct lp_facts facts = {.kind = lp_rows_text(rows, i, "kind"),
                                   .severity = lp_rows_text(rows, i, "severity"),
                                   .product = lp_rows_text(rows, i, "product"),
                                   .customer = lp_rows_text(rows, i, "customer_id"),
                                   .workflow = lp_json_str(doc, "workflow", NULL)};
    const char *only = lp_json_str(doc, "to", NULL);
    json_t *names;
    size_t k;
    json_t *target;

    if (strcmp(facts.kind, lp_notice_kind_name(LP_NOTICE_TEST)) != 0)
        return lp_rules_targets(n->rules, &facts);
    names = json_array();
    if (only != NULL)
        json_array_append_new(names, json_string(only));
    else
        json_array_foreach(lp_rules_all(n->rules), k, target)
        {
            json_array_append(names, json_object_get(target, "name"));
        }
    return names;
}

static enum lp_code
room_for_single(struct lp_notifier *n, const char *target, bool *room, struct lp_err *err)
{
    int64_t burst = setting(&n->options.conf->notifications_burst);
    int64_t window = setting(&n->options.conf->notifications_window_s) * SECOND_US;
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(n->options.store, LP_SQL_DELIVERY_RECENT,
                               LP_ARGS(lp_text("target", target),
                                       lp_int("since", now_us(n) - window), lp_int("most", burst)),
                               &rows, err);

    if (rc != LP_OK)
        return rc;
    *room = lp_rows_int(rows, 0, "n") < burst;
    lp_rows_free(rows);
    return LP_OK;
}

static void
add_delivery(struct lp_notifier *n, struct lp_unit *unit, const char *notice_id, const char *target,
             const char *status, const char *error)
{
    struct lp_uuid id = lp_uuid_v5(notice_id, target);
    int64_t now = now_us(n);
    bool open = error == NULL;

    lp_unit_add(unit, LP_SQL_DELIVERY_INSERT,
                LP_ARGS(lp_text("id", id.text), lp_text("notice_id", notice_id),
                        lp_text("target", target), lp_text("kind", "single"),
                        lp_text("status", status), lp_int("now", now), lp_text("error", error),
                        open ? lp_null("ended") : lp_int("ended", now)));
}

static enum lp_code
route_to(struct lp_notifier *n, struct lp_unit *unit, const char *notice_id, const char *target,
         bool test, struct lp_err *err)
{
    bool room = true;
    enum lp_code rc = LP_OK;

    if (lp_rules_target(n->rules, target) == NULL) {
        add_delivery(n, unit, notice_id, target, "dead",
                     "there is no target of this name in notifications.file");
        return LP_OK;
    }
    if (!test)
        rc = room_for_single(n, target, &room, err);
    if (rc == LP_OK)
        add_delivery(n, unit, notice_id, target, room ? "pending" : "held", NULL);
    return rc;
}

static enum lp_code
route(struct lp_notifier *n, const struct lp_rows *rows, size_t i, struct lp_err *err)
{
    const char *id = lp_rows_text(rows, i, "id");
    int64_t age = now_us(n) - lp_rows_int(rows, i, "created_at");
    bool old = age > setting(&n->options.conf->notifications_max_age_h) * 3600 * SECOND_US;
    bool test = strcmp(lp_rows_text(rows, i, "kind"), lp_notice_kind_name(LP_NOTICE_TEST)) == 0;
    json_auto_t *doc = json_loads(lp_rows_text(rows, i, "doc"), 0, NULL);
    json_auto_t *names = old ? json_array() : targets_of(n, rows, i, doc);
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc = LP_OK;
    size_t k;
    json_t *name;
    bool done;

    lp_unit_add(unit, LP_SQL_NOTICE_ROUTED, LP_ARGS(lp_text("id", id)));
    json_array_foreach(names, k, name)
    {
        if (rc == LP_OK)
            rc = route_to(n, unit, id, json_string_value(name), test, err);
    }
    if (rc == LP_OK)
        return commit(n, unit, &done, err);
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
route_all(struct lp_notifier *n, bool *more, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(n->options.store, LP_SQL_NOTICE_NEW, LP_ARGS(lp_int("most", PAGE)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = route(n, rows, i, err);
    if (rc == LP_OK && lp_rows_count(rows) == PAGE)
        *more = true;
    lp_rows_free(rows);
    return rc;
}

/* ---- digests ---- */

static enum lp_code
make_digest(struct lp_notifier *n, const char *target, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(n->options.store, LP_SQL_DELIVERY_HELD,
                 LP_ARGS(lp_text("target", target), lp_int("most", DIGEST_MOST)), &rows, err);
    size_t count = rc == LP_OK ? lp_rows_count(rows) : 0;
    struct lp_unit *unit;
    struct lp_uuid id;
    bool done;

    if (count == 0) {
        lp_rows_free(rows);
        return rc;
    }
    /* The id follows from the oldest one: no second scheduler can make the same digest. */
    id = lp_uuid_v5(lp_rows_text(rows, 0, "id"), "digest");
    unit = lp_unit_new();
    lp_unit_add(
        unit, LP_SQL_DELIVERY_INSERT,
        LP_ARGS(lp_text("id", id.text), lp_text("notice_id", lp_rows_text(rows, 0, "notice_id")),
                lp_text("target", target), lp_text("kind", "digest"), lp_text("status", "pending"),
                lp_int("now", now_us(n)), lp_null("error"), lp_null("ended")));
    lp_unit_add(unit, LP_SQL_DELIVERY_DIGEST,
                LP_ARGS(lp_text("digest_id", id.text), lp_int("now", now_us(n)),
                        lp_text("target", target),
                        lp_int("upto", lp_rows_int(rows, count - 1, "created_at")),
                        lp_text("upto_id", lp_rows_text(rows, count - 1, "id"))));
    lp_rows_free(rows);
    return commit(n, unit, &done, err);
}

/** *next: when the next window ends, if any is open. */
static enum lp_code
digest_due(struct lp_notifier *n, int64_t *next, struct lp_err *err)
{
    int64_t window = setting(&n->options.conf->notifications_window_s) * SECOND_US;
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(n->options.store, LP_SQL_DELIVERY_HELD_TARGETS, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        int64_t ends = lp_rows_int(rows, i, "oldest") + window;

        if (ends <= now_us(n))
            rc = make_digest(n, lp_rows_text(rows, i, "target"), err);
        else if (ends < *next)
            *next = ends;
    }
    lp_rows_free(rows);
    return rc;
}

/* ---- messages ---- */

static enum lp_code
notice_body(struct lp_notifier *n, const char *notice_id, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(n->options.store, LP_SQL_NOTICE_GET,
                               LP_ARGS(lp_text("id", notice_id)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "the notification is not kept any more");
    if (rc == LP_OK)
        *out = lp_message_notice(rows, 0);
    lp_rows_free(rows);
    return rc;
}

static void
count_kinds(const struct lp_rows *rows, json_t *digest)
{
    json_t *counts = json_array();
    const char *worst = "info";
    int64_t total = 0;
    char text[80];

    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        const char *severity = lp_rows_text(rows, i, "severity");

        total += lp_rows_int(rows, i, "n");
        if (lp_severity_rank(severity) > lp_severity_rank(worst))
            worst = severity;
        json_array_append_new(counts, json_pack("{s:s, s:s, s:I}", "kind",
                                                lp_rows_text(rows, i, "kind"), "severity", severity,
                                                "count", (json_int_t)lp_rows_int(rows, i, "n")));
    }
    (void)snprintf(text, sizeof text, "%lld further notifications", (long long)total);
    lp_json_set_str(digest, "summary", text);
    lp_json_set_str(digest, "severity", worst);
    lp_json_set_int(digest, "total", total);
    json_object_set_new(digest, "counts", counts);
}

static enum lp_code
digest_body(struct lp_notifier *n, const char *id, json_t **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL, *items = NULL;
    json_auto_t *digest = json_pack("{s:s}", "kind", "digest");
    json_t *list = json_array();
    enum lp_code rc = lp_query(n->options.store, LP_SQL_DELIVERY_DIGEST_COUNTS,
                               LP_ARGS(lp_text("id", id)), &rows, err);

    if (rc == LP_OK)
        rc = lp_query(n->options.store, LP_SQL_DELIVERY_DIGEST_ITEMS,
                      LP_ARGS(lp_text("id", id), lp_int("most", DIGEST_ITEMS)), &items, err);
    if (rc == LP_OK)
        count_kinds(rows, digest);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(items); i++)
        json_array_append_new(list, lp_message_notice(items, i));
    lp_json_set_int(digest, "more",
                    lp_json_int(digest, "total", 0) - (int64_t)json_array_size(list));
    json_object_set_new(digest, "items", list);
    lp_rows_free(rows);
    lp_rows_free(items);
    if (rc == LP_OK)
        *out = lp_json_take(&digest);
    return rc;
}

static enum lp_code
send_message(struct lp_notifier *n, const struct lp_rows *rows, size_t i, const json_t *target,
             struct lp_err *err)
{
    const char *id = lp_rows_text(rows, i, "id");
    bool digest = strcmp(lp_rows_text(rows, i, "kind"), "digest") == 0;
    json_auto_t *body = NULL;
    struct lp_buf text = LP_BUF_INIT, subject = LP_BUF_INIT;
    char *json = NULL;
    enum lp_code rc = digest ? digest_body(n, id, &body, err)
                             : notice_body(n, lp_rows_text(rows, i, "notice_id"), &body, err);

    if (rc != LP_OK)
        return rc;
    lp_json_set_str(body, "id", id);
    if (digest)
        json_object_set_new(body, "at",
                            json_real((double)lp_rows_int(rows, i, "created_at") / 1e6));
    (digest ? lp_message_digest_text : lp_message_text)(&text, body);
    lp_buf_printf(&subject, "[Lightpath] %s", lp_json_str(body, "summary", ""));
    json = lp_json_text(body);
    if (text.failed || subject.failed || json == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for a message");
    else
        rc = n->options.sender.send(
            n->options.sender.arg, n->rules, target,
            &(struct lp_message){.id = id,
                                 .kind = lp_json_str(body, "kind", ""),
                                 .severity = lp_json_str(body, "severity", ""),
                                 .at_us = lp_rows_int(rows, i, "created_at"),
                                 .subject = subject.data,
                                 .text = text.data,
                                 .body = json},
            n->cancel_fd, err);
    free(json);
    lp_buf_free(&text);
    lp_buf_free(&subject);
    return rc;
}

/* ---- targets that rest ---- */

static struct resting *
resting_slot(struct lp_notifier *n, const char *target)
{
    struct resting *slot = NULL;

    for (size_t i = 0; i < MOST_RESTING; i++) {
        if (n->resting[i].until_us != 0 && strcmp(n->resting[i].target, target) == 0)
            return &n->resting[i];
        if (slot == NULL && n->resting[i].until_us == 0)
            slot = &n->resting[i];
    }
    return slot;
}

static void
set_rest(struct lp_notifier *n, const char *target, int64_t until_us)
{
    struct resting *slot;

    pthread_mutex_lock(&n->lock);
    slot = resting_slot(n, target);
    if (slot != NULL) {
        (void)snprintf(slot->target, sizeof slot->target, "%s", target);
        slot->until_us = until_us;
    }
    pthread_mutex_unlock(&n->lock);
}

static bool
rests(struct lp_notifier *n, const char *target)
{
    bool found = false;

    pthread_mutex_lock(&n->lock);
    for (size_t i = 0; i < MOST_RESTING; i++)
        found |= n->resting[i].until_us != 0 && strcmp(n->resting[i].target, target) == 0;
    pthread_mutex_unlock(&n->lock);
    return found;
}

/** ",a,b," of those that rest or are being sent to now; *next: when the first that rests is asked
 * again. The lock is held. */
static void
list_aside(struct lp_notifier *n, struct lp_buf *out, int64_t *next)
{
    int64_t now = now_us(n);

    lp_buf_char(out, ',');
    for (size_t i = 0; i < LANES; i++)
        if (n->lanes[i].busy)
            lp_buf_printf(out, "%s,", n->lanes[i].target);
    for (size_t i = 0; i < MOST_RESTING; i++) {
        struct resting *r = &n->resting[i];

        if (r->until_us != 0 && r->until_us <= now)
            r->until_us = 0;
        if (r->until_us == 0)
            continue;
        lp_buf_printf(out, "%s,", r->target);
        if (r->until_us < *next)
            *next = r->until_us;
    }
}

/* ---- attempts ---- */

/** *mine: this scheduler makes the attempt. */
static enum lp_code
claim(struct lp_notifier *n, const struct lp_rows *rows, size_t i, bool *mine, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    int64_t until =
        now_us(n) + setting(&n->options.conf->notifications_timeout_ms) * 1000 + CLAIM_MARGIN_US;
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_DELIVERY_CLAIM,
                LP_ARGS(lp_int("until", until), lp_text("id", lp_rows_text(rows, i, "id")),
                        lp_int("attempts", lp_rows_int(rows, i, "attempts"))));
    rc = lp_store_commit(n->options.store, unit, err);
    *mine = rc == LP_OK && lp_unit_changed(unit, 0) == 1;
    lp_unit_free(unit);
    return rc;
}

/** Doubled each time, with up to a fifth more, so that what failed together is not repeated
 * together. */
static int64_t
backoff_us(const struct lp_notifier *n, int64_t attempts)
{
    int64_t us = setting(&n->options.conf->notifications_backoff_s) * SECOND_US;
    uint16_t jitter;

    for (int64_t i = 1; i < attempts && us < BACKOFF_MOST_US; i++)
        us *= 2;
    if (us > BACKOFF_MOST_US)
        us = BACKOFF_MOST_US;
    lp_random(&jitter, sizeof jitter);
    return us + us / 5 * jitter / UINT16_MAX;
}

static enum lp_code
write_sent(struct lp_notifier *n, const char *id, const char *target, int64_t attempts,
           struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    bool done;

    lp_unit_add(unit, LP_SQL_DELIVERY_SENT, LP_ARGS(lp_int("now", now_us(n)), lp_text("id", id)));
    lp_logf(n->options.log, LP_LOG_INFO, "notification.sent", "s:s, s:s, s:I", "id", id, "target",
            target, "attempt", (json_int_t)attempts);
    return commit(n, unit, &done, err);
}

static enum lp_code
write_failed(struct lp_notifier *n, const char *id, const char *target, int64_t attempts,
             const struct lp_err *why, struct lp_err *err)
{
    int64_t now = now_us(n), next = now + backoff_us(n, attempts);
    bool gone = why->code == LP_NOT_FOUND; /* there is nobody to ask again */
    bool dead = gone || attempts >= setting(&n->options.conf->notifications_attempts);
    struct lp_unit *unit = lp_unit_new();
    bool done;

    lp_unit_add(unit, LP_SQL_DELIVERY_FAILED,
                LP_ARGS(lp_text("status", dead ? "dead" : "pending"), lp_text("error", why->msg),
                        lp_int("next", next), dead ? lp_int("ended", now) : lp_null("ended"),
                        lp_text("id", id)));
    lp_logf(n->options.log, LP_LOG_WARN, dead ? "notification.given_up" : "notification.failed",
            "s:s, s:s, s:I, s:s", "id", id, "target", target, "attempt", (json_int_t)attempts,
            "error", why->msg);
    if (!gone)
        set_rest(n, target, next);
    return commit(n, unit, &done, err);
}

static bool
stopping(struct lp_notifier *n)
{
    bool stop;

    pthread_mutex_lock(&n->lock);
    stop = n->stop;
    pthread_mutex_unlock(&n->lock);
    return stop;
}

static enum lp_code
attempt(struct lp_notifier *n, const struct lp_rows *rows, size_t i, struct lp_err *err)
{
    const char *id = lp_rows_text(rows, i, "id");
    int64_t attempts = lp_rows_int(rows, i, "attempts") + 1;
    const char *name = lp_rows_text(rows, i, "target");
    const json_t *target = lp_rules_target(n->rules, name);
    struct lp_err why = LP_ERR_INIT;
    bool mine = false;
    enum lp_code sent, rc = claim(n, rows, i, &mine, err);

    if (rc != LP_OK || !mine)
        return rc;
    sent = target == NULL ? lp_fail(&why, LP_NOT_FOUND,
                                    "there is no target of this name in notifications.file")
                          : send_message(n, rows, i, target, &why);
    /* A stop in the middle is no verdict on the target: the claim passes, then it is tried again.
     */
    if (sent == LP_OK)
        rc = write_sent(n, id, name, attempts, err);
    else if (sent != LP_CANCELLED || !stopping(n))
        rc = write_failed(n, id, name, attempts, &why, err);
    lp_err_clear(&why);
    return rc;
}

/* ---- lanes ---- */

static bool
leads(const struct lp_notifier *n)
{
    return n->options.leads == NULL || n->options.leads(n->options.leads_arg);
}

/** One page of what is due for the target, oldest first. *more: there may be another. */
static enum lp_code
send_page(struct lp_notifier *n, const char *target, bool *more, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(n->options.store, LP_SQL_DELIVERY_DUE_OF,
                 LP_ARGS(lp_int("now", now_us(n)), lp_text("target", target), lp_int("most", PAGE)),
                 &rows, err);

    *more = rc == LP_OK && lp_rows_count(rows) == PAGE;
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        if (stopping(n) || rests(n, target) || !leads(n)) {
            *more = false;
            break;
        }
        rc = attempt(n, rows, i, err);
    }
    lp_rows_free(rows);
    return rc;
}

static void *
lane_main(void *arg)
{
    struct lane *lane = arg;
    struct lp_notifier *n = lane->notifier;
    struct lp_err err = LP_ERR_INIT;
    bool more = true;
    enum lp_code rc = LP_OK;

    (void)pthread_setname_np(pthread_self(), "lp-notify-send");
    while (rc == LP_OK && more)
        rc = send_page(n, lane->target, &more, &err);
    pthread_mutex_lock(&n->lock);
    if (rc != LP_OK && !n->broken)
        lp_log_err(n->options.log, LP_LOG_WARN, "notifications.round", &err);
    n->broken |= rc != LP_OK;
    lane->busy = false;
    n->poked |= rc == LP_OK; /* what failed waits for the next look */
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
    lp_err_clear(&err);
    return NULL;
}

/** A lane that is free, its thread joined; NULL: all are busy, or wait for other rules. */
static struct lane *
free_lane(struct lp_notifier *n)
{
    struct lane *found = NULL;

    pthread_mutex_lock(&n->lock);
    for (size_t i = 0; n->fresh == NULL && found == NULL && i < LANES; i++)
        if (!n->lanes[i].busy)
            found = &n->lanes[i];
    pthread_mutex_unlock(&n->lock);
    if (found != NULL && found->started)
        pthread_join(found->thread, NULL);
    if (found != NULL)
        found->started = false;
    return found;
}

static enum lp_code
start_lane(struct lp_notifier *n, struct lane *lane, const char *target, struct lp_err *err)
{
    lane->notifier = n;
    (void)snprintf(lane->target, sizeof lane->target, "%s", target);
    pthread_mutex_lock(&n->lock);
    lane->busy = true;
    pthread_mutex_unlock(&n->lock);
    if (pthread_create(&lane->thread, NULL, lane_main, lane) == 0) {
        lane->started = true;
        return LP_OK;
    }
    pthread_mutex_lock(&n->lock);
    lane->busy = false;
    pthread_mutex_unlock(&n->lock);
    return lp_fail(err, LP_INTERNAL, "cannot start a thread to send notifications");
}

/** The oldest that is due and neither rests nor is being sent to. *target "": there is none. */
static enum lp_code
next_target(struct lp_notifier *n, char target[static 80], int64_t *next, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    struct lp_buf aside = LP_BUF_INIT;
    int64_t due = INT64_MAX;
    enum lp_code rc;

    target[0] = '\0';
    pthread_mutex_lock(&n->lock);
    list_aside(n, &aside, next);
    pthread_mutex_unlock(&n->lock);
    rc = lp_query(n->options.store, LP_SQL_DELIVERY_NEXT, LP_ARGS(lp_text("aside", aside.data)),
                  &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 1) {
        due = lp_rows_int(rows, 0, "next_at");
        if (due <= now_us(n))
            (void)snprintf(target, 80, "%s", lp_rows_text(rows, 0, "target"));
        else if (due < *next)
            *next = due;
    }
    lp_rows_free(rows);
    lp_buf_free(&aside);
    return rc;
}

/** Starts a lane for each target that something is due for. *next: when there will be something
 * again; a lane that ends tells. */
static enum lp_code
send_due(struct lp_notifier *n, int64_t *next, struct lp_err *err)
{
    char target[80] = "";
    struct lane *lane = free_lane(n);
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && lane != NULL && !stopping(n)) {
        rc = next_target(n, target, next, err);
        if (rc != LP_OK || target[0] == '\0')
            break;
        rc = start_lane(n, lane, target, err);
        lane = free_lane(n);
    }
    return rc;
}

static void
join_lanes(struct lp_notifier *n)
{
    for (size_t i = 0; i < LANES; i++)
        if (n->lanes[i].started)
            pthread_join(n->lanes[i].thread, NULL);
}

/* ---- the thread ---- */

/** *next: UTC time of the next thing that is known to come. */
static enum lp_code
round_of(struct lp_notifier *n, bool shared, int64_t *next, struct lp_err *err)
{
    bool more = false;
    enum lp_code rc = shared ? look_for_lost(n, err) : LP_OK;

    if (rc == LP_OK)
        rc = route_all(n, &more, err);
    if (rc == LP_OK)
        rc = digest_due(n, next, err);
    if (rc == LP_OK)
        rc = send_due(n, next, err);
    if (rc == LP_OK && more)
        *next = 0;
    return rc;
}

static void
wait_us(struct lp_notifier *n, int64_t us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += us / SECOND_US;
    until.tv_nsec += us % SECOND_US * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&n->wake, &n->lock, &until);
}

/** The lock is held. */
static bool
any_busy(const struct lp_notifier *n)
{
    for (size_t i = 0; i < LANES; i++)
        if (n->lanes[i].busy)
            return true;
    return false;
}

/** At least GAP_US, then until poked or `us` are over. False: stop. */
static bool
rest(struct lp_notifier *n, int64_t us)
{
    int64_t begun = lp_clock_mono_us(n->options.clock);
    bool go_on;

    pthread_mutex_lock(&n->lock);
    while (!n->stop) {
        int64_t gone = lp_clock_mono_us(n->options.clock) - begun;

        if (gone >= us || (n->poked && gone >= GAP_US))
            break;
        wait_us(n, (n->poked ? GAP_US : us) - gone);
    }
    n->poked = false;
    if (n->fresh != NULL && !any_busy(n)) {
        lp_rules_free(n->rules);
        n->rules = n->fresh;
        n->fresh = NULL;
    }
    go_on = !n->stop;
    pthread_mutex_unlock(&n->lock);
    return go_on;
}

static int64_t
pause_us(struct lp_notifier *n, int64_t next, int64_t look)
{
    int64_t left = next == INT64_MAX ? look : next - now_us(n);

    if (left < GAP_US)
        left = GAP_US;
    return left < look ? left : look;
}

static void *
notifier_main(void *arg)
{
    struct lp_notifier *n = arg;
    bool shared = lp_store_dialect(n->options.store) == LP_DIALECT_POSTGRES;
    int64_t look = shared ? LOOK_US : LONG_LOOK_US, pause = GAP_US;

    (void)pthread_setname_np(pthread_self(), "lp-notify");
    while (rest(n, pause)) {
        struct lp_err err = LP_ERR_INIT;
        int64_t next = INT64_MAX;
        enum lp_code rc = LP_OK;

        if (leads(n))
            rc = round_of(n, shared, &next, &err);
        pthread_mutex_lock(&n->lock);
        if (rc != LP_OK && !n->broken)
            lp_log_err(n->options.log, LP_LOG_WARN, "notifications.round", &err);
        n->broken = rc != LP_OK;
        pthread_mutex_unlock(&n->lock);
        lp_err_clear(&err);
        pause = rc == LP_OK ? pause_us(n, next, look) : LOOK_US;
    }
    return NULL;
}

/* ---- life ---- */

static void
release(struct lp_notifier *n)
{
    if (n->cancel_fd >= 0)
        close(n->cancel_fd);
    lp_rules_free(n->rules);
    lp_rules_free(n->fresh);
    pthread_cond_destroy(&n->wake);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

enum lp_code
lp_notifier_start(const struct lp_notifier_options *options, struct lp_notifier **out,
                  struct lp_err *err)
{
    struct lp_notifier *n = calloc(1, sizeof *n);
    pthread_condattr_t attr;
    enum lp_code rc;

    if (n == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for notifications");
    n->options = *options;
    pthread_mutex_init(&n->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&n->wake, &attr);
    pthread_condattr_destroy(&attr);
    n->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = lp_rules_load(lp_conf_live_text(&options->conf->notifications_file), &n->rules, err);
    if (rc == LP_OK && n->cancel_fd < 0)
        rc = lp_fail(err, LP_INTERNAL, "cannot make an eventfd: %s", strerror(errno));
    if (rc == LP_OK && pthread_create(&n->thread, NULL, notifier_main, n) != 0)
        rc = lp_fail(err, LP_INTERNAL, "cannot start the thread of notifications");
    if (rc == LP_OK)
        *out = n;
    else
        release(n);
    return rc;
}

void
lp_notifier_poke(void *notifier)
{
    struct lp_notifier *n = notifier;

    pthread_mutex_lock(&n->lock);
    n->poked = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
}

enum lp_code
lp_notifier_reload(struct lp_notifier *n, struct lp_err *err)
{
    struct lp_rules *fresh = NULL;
    enum lp_code rc =
        lp_rules_load(lp_conf_live_text(&n->options.conf->notifications_file), &fresh, err);

    if (rc != LP_OK)
        return rc;
    pthread_mutex_lock(&n->lock);
    lp_rules_free(n->fresh);
    n->fresh = fresh;
    n->poked = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
    return LP_OK;
}

void
lp_notifier_stop(struct lp_notifier *n)
{
    if (n == NULL)
        return;
    pthread_mutex_lock(&n->lock);
    n->stop = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
    (void)!write(n->cancel_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(n->thread, NULL);
    join_lanes(n);
    release(n);
}
