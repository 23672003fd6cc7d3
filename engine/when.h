/** Times as they come in and go out: numbers of seconds, or texts. Engine room only. */
#ifndef LP_ENGINE_WHEN_H
#define LP_ENGINE_WHEN_H

#include "base/json.h"
#include "base/zone.h"

/** UTC us (whole seconds: fractions are dropped) of a number of seconds since 1970, of ISO 8601
 * text with an offset, or of text without one ("2026-03-01T02:00", seconds optional), which is a
 * wall clock time of the zone. LP_INVALID at `pointer`. */
enum lp_code lp_when_read(const json_t *value, const struct lp_zone *zone, const char *pointer,
                          int64_t *utc_us, struct lp_err *err) LP_MUST_CHECK;
/** Seconds as a number; null for INT64_MIN and INT64_MAX. New reference. */
json_t *lp_when_json(int64_t utc_us);

#endif
