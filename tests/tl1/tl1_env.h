/**
 * What the TL1 tests share: messages collected from a stream that is cut in pieces, and printed as
 * one text for comparison.
 */
#ifndef LP_TESTS_TL1_TL1_ENV_H
#define LP_TESTS_TL1_TL1_ENV_H

#include "wire/tl1.h"

/** Everything a message has, as text; equal text means equal messages. */
void tl1_env_print(struct lp_buf *out, const struct lp_tl1_message *message);
/** Feeds `bytes` in pieces (piece 0: sizes drawn from *seed) and prints every message, then the
 * error of the stream if it had one. `sent` (may be NULL) is what the receiver knows as echo. With
 * `end` the stream ends behind the bytes. Returns the outcome. */
enum lp_code tl1_env_run(const struct lp_tl1_rx_options *options, const char *sent,
                         const char *bytes, size_t len, size_t piece, uint64_t *seed, bool end,
                         struct lp_buf *out);

#endif
