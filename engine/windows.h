/**
 * Maintenance windows: when bound work may be done. A window opens again and again (days of the
 * week, from and to by the wall clock of its zone) or once.
 *
 * A process is bound to at most one window (when it is started, by a step, by an operator). Outside
 * the window its gated steps wait: process status 'waiting', wait_kind 'window', the reason names
 * the window and its next opening, wake_at is that opening. It is asked before every step and
 * before every row of an EACH step; what is under way when the window closes is finished, nothing
 * new is begun, and the next opening goes on there. A window that never opens again fails the step;
 * an operator binds another one and retries, or aborts.
 *
 * Gated are the steps with .in_window; when a workflow has none of them, all its own steps but
 * INPUT steps (the built-in ones never wait: what is done may be closed at any time). Undo is never
 * gated. Children of a fan-out are bound as their parent.
 *
 * When clocks are turned: an end that is left out is the first moment behind the gap, one that
 * comes twice counts the first time. The database's clock decides.
 */
#ifndef LP_ENGINE_WINDOWS_H
#define LP_ENGINE_WINDOWS_H

#include "base/zone.h"
#include "engine/engine.h"

struct lp_window {
    char id[LP_UUID_LEN + 1];
    char name[101];
    char timezone[LP_ZONE_NAME_MAX + 1];
    unsigned days;              /* bit 0 = Sunday: the days it opens on */
    int opens_min, closes_min;  /* minutes behind midnight; opens_min -1: once */
    int64_t begins_us, ends_us; /* UTC; INT64_MIN, INT64_MAX: no limit */
    int64_t margin_s;           /* nothing new is begun so long before it closes */
};

struct lp_window_times {
    bool open;         /* something may be begun now */
    int64_t opens_us;  /* this opening, or the next one; INT64_MAX: it never opens again */
    int64_t closes_us; /* of that opening */
};
/** Where `now_us` lies. Pure. */
void lp_window_times(const struct lp_window *window, const struct lp_zone *zone, int64_t now_us,
                     struct lp_window_times *out);

/* ---- operators ---- */

/**
 * {"name", "description", "timezone", "days": ["mon", ...], "opens": "02:00", "closes": "04:00",
 * "not_before", "not_after", "margin_seconds"}, or {"name", ..., "starts", "ends"} for one that
 * opens once. *out is as lp_window_get gives it. LP_DENIED, LP_INVALID (pointer), LP_CONFLICT (the
 * name is taken).
 */
enum lp_code lp_window_create(struct lp_engine *engine, const struct lp_caller *caller,
                              const json_t *body, json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Members of body replace those there are; null removes. Waiting processes look again. */
enum lp_code lp_window_change(struct lp_engine *engine, const struct lp_caller *caller,
                              const char *id_or_name, const json_t *body, json_t **out,
                              struct lp_err *err) LP_MUST_CHECK;
/** LP_CONFLICT while unfinished processes or schedules are bound to it. */
enum lp_code lp_window_delete(struct lp_engine *engine, const struct lp_caller *caller,
                              const char *id_or_name, struct lp_err *err) LP_MUST_CHECK;
/** The definition and "id", "open", "next_opens_at", "next_closes_at" (seconds or null), "bound"
 * (unfinished processes), "text". */
enum lp_code lp_window_get(struct lp_engine *engine, const char *id_or_name, json_t **out,
                           struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_window_list(struct lp_engine *engine, json_t **out,
                            struct lp_err *err) LP_MUST_CHECK;
/** Id of a window by id or name. LP_INVALID when there is none: a start or an answer named it. */
enum lp_code lp_window_resolve(struct lp_store *store, const char *id_or_name,
                               char id[static LP_UUID_LEN + 1], struct lp_err *err) LP_MUST_CHECK;
/** Binds a process to a window (NULL: to none). A waiting one looks again at once. LP_NOT_FOUND,
 * LP_DENIED, LP_INVALID, LP_CONFLICT (it is over). */
enum lp_code lp_engine_bind_window(struct lp_engine *engine, const struct lp_caller *caller,
                                   const char *process_id, const char *id_or_name,
                                   struct lp_err *err) LP_MUST_CHECK;

/* ---- forms ---- */

/** Adds an optional choice among the windows there are; the answer is a window's id. For forms of a
 * start, and of an approval whose step then calls lp_run_bind_window. */
enum lp_code lp_window_field(struct lp_form_ctx *ctx, struct lp_form_page *page, const char *name,
                             struct lp_err *err) LP_MUST_CHECK;

#endif
