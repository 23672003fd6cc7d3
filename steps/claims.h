/**
 * Claims of light as steps of workflows. Order:
 *
 *   CREATE     construct, claim_spectrum, plan, approve, apply, verify, settle_spectrum
 *   MODIFY     update, claim_spectrum, plan, approve, apply, verify, settle_spectrum
 *   TERMINATE  check_unused, plan, approve, apply, verify, release_spectrum
 *   RECONCILE  refresh, reclaim_spectrum, plan, approve, apply, verify, settle_spectrum
 *
 * State keys they consume:
 *   subscription_id    the target
 *   spectrum_requests  [{"slot": number of the carrier or leg, "block": path of its
 * optical_spectrum block in the document ([] = the root, ["channels",0,"optical_spectrum"]),
 *                      "wish": steps/routes.h, "route": route document that was chosen}...]; absent
 *                      or empty: nothing is claimed
 * and produce:
 *   spectrum_grants    [{"slot","holder","low_mhz","high_mhz","route"}...] in the order asked for
 *   spectrum_before    what the holders had before settle or release, for their undo
 *
 * claim_spectrum checks that each route still stands (lp_route_stands), takes the turn of all its
 * fibers and patches, subtracts what others have claimed and what the elements saw of others'
 * light, and claims the passband asked for, or chooses one of the width asked for: two who ask for
 * the same light at the same time get different light, or one is refused (LP_CONFLICT, OPT-023
 * naming who has it) before anything was sent to an element. Then it writes low_mhz, high_mhz,
 * route_ports, route_fibers and reservation into the block. A holder's own claims are not in its
 * way; where a passband is chosen, they are unless the wish's `own` names it: what shall run beside
 * the present light needs other light. It keeps what it has until settle_spectrum gives back what
 * the new passband and route do not cover. Undo gives back exactly what the process claimed: so
 * does an abort with rollback, also when an approval was refused or expired. An abort without
 * rollback keeps the claims, because elements may hold what was planned: `reconcile`, `modify` and
 * `terminate` end them; the doctor frees only what no block of a living subscription holds.
 */
#ifndef LP_STEPS_CLAIMS_H
#define LP_STEPS_CLAIMS_H

#include "engine/run.h"
#include "steps/routes.h"
#include "store/claims.h"

/** Key `claim_spectrum`, DB_RW. */
extern const struct lp_step lp_step_claim_spectrum;
/** Key `settle_spectrum`, DB_RW: what was granted is lit, the rest of its holders is given back. */
extern const struct lp_step lp_step_settle_spectrum;
/** Key `release_spectrum`, DB_RW: everything the target's claims hold (blocks that went to another
 * subscription keep theirs). */
extern const struct lp_step lp_step_release_spectrum;
/** Key `reclaim_spectrum`, DB_RW, RECONCILE: every optical_spectrum block of the target has the
 * claims its document speaks of again, on the fibers of its route and, for a channel, the patch
 * cords of its line ports; produces spectrum_grants, by which settle_spectrum gives back the rest
 * when everything works. LP_CONFLICT: somebody else has that light now. */
extern const struct lp_step lp_step_reclaim_spectrum;
/** Key `read_spectrum`, EXTERNAL, reads only: the light of the elements at the ends of the granted
 * routes' (TERMINATE: the released) fibers into the cache, so that the next one who asks sees it.
 * An element that cannot be reached is left as it was. */
extern const struct lp_step lp_step_read_spectrum;
/** Key `compare_spectrum`, VALIDATE, reads only: LP_DRIFT naming foreign and missing light on the
 * fibers that the target has claimed, by the last readings; and claims that are gone. */
extern const struct lp_step lp_step_compare_spectrum;

/**
 * One request within a DB_RW step (run->txn), for steps that claim as part of something bigger:
 * *grant as in spectrum_grants. Errors as of claim_spectrum. Writes nothing but claims.
 */
enum lp_code lp_spectrum_claim(struct lp_run *run, const struct lp_claimant *claimant,
                               const json_t *request, json_t **grant,
                               struct lp_err *err) LP_MUST_CHECK;
/** The pieces of a route: its fibers and patches with one passband. *pieces is malloc'ed. */
enum lp_code lp_route_pieces(const json_t *route, int64_t low_mhz, int64_t high_mhz,
                             struct lp_piece **pieces, size_t *count,
                             struct lp_err *err) LP_MUST_CHECK;

#endif
