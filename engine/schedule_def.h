/** One schedule between its row, its wire form and its trigger. Engine room only. */
#ifndef LP_ENGINE_SCHEDULE_DEF_H
#define LP_ENGINE_SCHEDULE_DEF_H

#include "engine/internal.h"
#include "engine/schedules.h"

enum lp_misfire { LP_MISFIRE_SKIP, LP_MISFIRE_ONCE, LP_MISFIRE_ALL, LP_MISFIRE_COUNT };

struct lp_schedule {
    char id[LP_UUID_LEN + 1];
    char name[201];
    const struct lp_registered *reg; /* NULL: the program has no such workflow any more */
    char workflow[101];
    char *inputs; /* canonical JSON; owned */
    char *spec;   /* canonical JSON; owned */
    char timezone[LP_ZONE_NAME_MAX + 1];
    struct lp_trigger trigger;
    struct lp_zone *zone; /* owned */
    int64_t jitter_s, misfire_most, grace_s;
    enum lp_misfire misfire;
    bool overlap_skip, paused;
    char window_id[LP_UUID_LEN + 1]; /* "" none */
    char window_name[101];
    int64_t due_us, start_us; /* INT64_MAX: none */
    int64_t version, now_us;
    char owner[201];
    enum lp_role owner_role;
};
void lp_schedule_clear(struct lp_schedule *schedule);

/** From a row of schedule_get or schedule_list. LP_INTERNAL: it cannot be read. */
enum lp_code lp_schedule_from_row(struct lp_engine *engine, const struct lp_rows *rows, size_t row,
                                  struct lp_schedule *out, struct lp_err *err) LP_MUST_CHECK;
/** From what an operator wrote (all members). Checks everything, the window and a first due time
 * after now_us included; with `was` the trigger and the next due time of that one are kept.
 * LP_INVALID with the pointer, LP_NOT_FOUND "Task does not exist". */
enum lp_code lp_schedule_from_json(struct lp_engine *engine, const json_t *body,
                                   const struct lp_schedule *was, int64_t now_us,
                                   struct lp_schedule *out, struct lp_err *err) LP_MUST_CHECK;
/** What an operator would write to get the same schedule. New reference. */
json_t *lp_schedule_to_json(const struct lp_schedule *schedule);
/** "cron 0 3 * * * (Europe/Rome)", "every 6 h", "once". */
void lp_schedule_text(const struct lp_schedule *schedule, char *text, size_t size);
/** When a due time is started: jitter spreads it, the same on every scheduler. */
int64_t lp_schedule_start(const struct lp_schedule *schedule, int64_t due_us);
const char *lp_misfire_name(enum lp_misfire misfire);

#endif
