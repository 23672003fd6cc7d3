/**
 * The TNMS (Infinera Transcend): which devices and fibers it knows, and TL1 through it for elements
 * that nobody else reaches.
 *
 * It is optional: opened when something needs it (conf tnms.url), never before, and nothing else
 * depends on it. What it says about fibers may be minutes old: every list carries `as_of` (UTC us,
 * when we read it) and is a proposal that the elements themselves have to bear out.
 *
 * Errors as clients/restconf.h; LP_PRECONDITION: no TNMS is configured. Threads: a handle belongs
 * to one thread.
 * Source: ONF TAPI 2.x, Infinera's extensions to it.
 */
#ifndef LP_CLIENTS_INFINERA_TNMS_H
#define LP_CLIENTS_INFINERA_TNMS_H

#include "clients/driver.h"

struct lp_tnms;
/** No I/O: the first request connects and logs in. */
enum lp_code lp_tnms_open(struct lp_driver_host *host, struct lp_tnms **out,
                          struct lp_err *err) LP_MUST_CHECK;
void lp_tnms_close(struct lp_tnms *tnms);

/** {"as_of","items":[{"uuid","name","ports":[{"uuid","name"}]}]}; names as the TNMS writes them. */
enum lp_code lp_tnms_devices(struct lp_tnms *tnms, const struct lp_call *call, json_t **out,
                             struct lp_err *err) LP_MUST_CHECK;
/** {"as_of","items":[{"uuid","ends":[{"device_uuid","port_uuid"}...]}]} */
enum lp_code lp_tnms_spans(struct lp_tnms *tnms, const struct lp_call *call, json_t **out,
                           struct lp_err *err) LP_MUST_CHECK;

/** POSIX extended regular expressions for whole names; NULL or "": all. */
struct lp_tnms_filter {
    const char *node, *port;
};
/**
 * Fibers with exactly two ends that are known, on different nodes, both of which match; each once,
 * whichever way round the TNMS lists it.
 * {"as_of","items":[{"uuid","ends":[{"node","port","other_port"} x 2]}],
 *  "left_out":[{"uuid","why"}]}
 * port: "1-A-1-L1", as FlexILS writes it; other_port: "port-1/A/1/L1", as other platforms do.
 * LP_INVALID: a pattern.
 */
enum lp_code lp_tnms_fibers(struct lp_tnms *tnms, const struct lp_call *call,
                            const struct lp_tnms_filter *filter, json_t **out,
                            struct lp_err *err) LP_MUST_CHECK;
/** The same from lists that were read already (lp_tnms_devices, lp_tnms_spans). Pure. */
enum lp_code lp_tnms_match(const json_t *devices, const json_t *spans,
                           const struct lp_tnms_filter *filter, json_t **out,
                           struct lp_err *err) LP_MUST_CHECK;

/* ---- TL1 scripts ---- */

struct lp_tnms_script {
    const char *const *devices; /* uuids */
    size_t device_count;
    const char *const *commands; /* TL1, each with its ';' */
    size_t command_count;
    bool go_on; /* after a command that failed */
    bool reads; /* every command only reads: it may be started again */
};
/** Starts a job. *id must be kept before anything else is done: a worker that starts anew asks for
 * it instead of running the script again. LP_UNKNOWN: it may run, nobody knows its number. */
enum lp_code lp_tnms_script_start(struct lp_tnms *tnms, const struct lp_call *call,
                                  const struct lp_tnms_script *script, int64_t *id,
                                  struct lp_err *err) LP_MUST_CHECK;
/** How it stands: {"id","status":"pending|running|finished|failed","results":[{"device",
 * "outputs":[{"text","status"}]}]}. LP_NOT_FOUND: the TNMS does not know it (any more). */
enum lp_code lp_tnms_script_look(struct lp_tnms *tnms, const struct lp_call *call, int64_t id,
                                 json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Looks until it ended, ever more slowly. LP_OK: finished, and every command of it; LP_REFUSED:
 * it, or a command, failed (detail {"id","text","results"}); LP_UNKNOWN: the call ended before it,
 * or the TNMS lost it (detail {"id"}). *out is set for LP_OK and LP_REFUSED. */
enum lp_code lp_tnms_script_wait(struct lp_tnms *tnms, const struct lp_call *call, int64_t id,
                                 json_t **out, struct lp_err *err) LP_MUST_CHECK;

#endif
