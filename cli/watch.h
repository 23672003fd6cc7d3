/**
 * Following a process: its steps as they finish, over server-sent events, or by asking again when
 * the server has no stream.
 */
#ifndef LP_CLI_WATCH_H
#define LP_CLI_WATCH_H

#include "cli/api.h"

/**
 * Follows until the process ends or waits for a person. LP_OK: completed. LP_FORM_INCOMPLETE: it
 * waits for input. LP_DRIFT, LP_RETRYABLE, LP_CANCELLED, or the code of the failed step: it
 * stopped, with the reason and what to do next. Ctrl-C is LP_CANCELLED; the process goes on. With
 * -o json the process is printed once, at the end. `seen` (taken, may be NULL): steps that need not
 * be shown again.
 */
enum lp_code cli_watch(struct cli *cli, const char *process_id, json_t *seen,
                       struct lp_err *err) LP_MUST_CHECK;
/** The steps there are now, for `seen`; NULL when the server does not tell. */
json_t *cli_watch_seen(struct cli *cli, const char *process_id);
/** Steps of a process as table rows. */
void cli_steps_table(struct cli *cli, const json_t *process);

#endif
