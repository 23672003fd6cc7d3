/**
 * Log: one JSON object a line. Members: ts, level, event, msg and what the caller adds;
 * correlation_id when the context has one. Values of members named like secrets (password, token,
 * secret, authorization, key) are replaced by "***". Threads: any; a line is written with one
 * write(2), so lines never mix.
 */
#ifndef LP_BASE_LOG_H
#define LP_BASE_LOG_H

#include "base/clock.h"

enum lp_level { LP_LOG_DEBUG, LP_LOG_INFO, LP_LOG_WARN, LP_LOG_ERROR };

struct lp_log; /* opened once by main and passed down */

/** fd stays owned by the caller (2 for standard error). Lines below min are dropped. */
struct lp_log *lp_log_new(int fd, enum lp_level min, const struct lp_clock *clock);
void lp_log_free(struct lp_log *log);
/** Changes the level of a running program (any thread). */
void lp_log_set_level(struct lp_log *log, enum lp_level min);
bool lp_log_on(const struct lp_log *log, enum lp_level level);
enum lp_level lp_level_from_name(const char *name, bool *ok);

/**
 * Writes a line. `event` is a stable dotted word ("process.claimed"). The fields are a json_pack
 * format without braces and its values, e.g. lp_logf(log, LP_LOG_INFO, "step.done", "s:s, s:I",
 * "process", id, "ms", (json_int_t)12). A NULL log writes nothing.
 */
void lp_logf(struct lp_log *log, enum lp_level level, const char *event, const char *fields, ...);
/** Logs an error once, with its slug, message and place. */
void lp_log_err(struct lp_log *log, enum lp_level level, const char *event,
                const struct lp_err *err);

/** Sets the calling thread's correlation id for its following lines ("" clears it). */
void lp_log_correlation(const char *id);
const char *lp_log_correlation_get(void);

#endif
