/**
 * Claims of light: (fiber, range of MHz) belongs to one holder or to nobody. Ranges are half-open
 * and those of one fiber are disjoint: the database refuses anything else, whoever writes.
 *
 * A holder is the instance id of the block that uses the light (an optical_spectrum block); beside
 * it stand the subscription that owns it, the process that claimed the piece and the number of the
 * carrier or leg. A change claims only the pieces its holder does not have yet (lp_claims_take),
 * and when everything works gives back what is no longer covered (lp_claims_settle): at no moment
 * can anybody else get what is in use, and nobody is in his own way.
 *
 * Functions with a transaction take the turn of every fiber concerned, in order of their ids, and
 * keep it until the transaction ends: two who want the same light meet one after the other. In one
 * transaction take numbers (lp_claims_turn) before light, and light once.
 *
 * Ranges in MHz, times in UTC us. Documents returned are new references. Threads: as the
 * transaction, store or reader.
 */
#ifndef LP_STORE_CLAIMS_H
#define LP_STORE_CLAIMS_H

#include "store/db.h"

/** Pointer of an error of the database itself (never seen when everybody asks lp_claims_take). */
#define LP_CLAIMS_DISJOINT "spectrum_claims_disjoint"

enum { LP_CLAIM_PIECES_MOST = 512 }; /* of one call */

/** One range of one fiber. */
struct lp_piece {
    char fiber_id[LP_UUID_LEN + 1]; /* subscription of the Optical Fiber */
    int64_t low_mhz, high_mhz;
};
/** For whom. Texts are borrowed. */
struct lp_claimant {
    const char *holder;
    const char *subscription_id;
    const char *process_id;
    int64_t slot;
};

/* ---- in a transaction ---- */

/**
 * Takes the turn of fibers (ids in any order, doubles are fine), so that what is read afterwards
 * stays true until the end of the transaction. The functions below do it themselves.
 */
enum lp_code lp_claims_lock(struct lp_txn *txn, const struct lp_piece *pieces, size_t count,
                            struct lp_err *err) LP_MUST_CHECK;
/** The turn of anything else, by a name such as "numbers:och.och_id". */
enum lp_code lp_claims_turn(struct lp_txn *txn, const char *name, struct lp_err *err) LP_MUST_CHECK;
/**
 * All pieces or none. What the holder has already stays as it is; only what is missing is claimed,
 * state reserved, for claimant->process_id. *taken (may be NULL) = rows added; 0: it had all.
 * LP_CONFLICT: OPT-023 naming who has it, detail {"code":"OPT-023","fiber_id","fiber","low_mhz",
 * "high_mhz","held_low_mhz","held_high_mhz","holder","subscription_id","description","state"};
 * LP_INVALID: a range without width, too many pieces.
 */
enum lp_code lp_claims_take(struct lp_txn *txn, const struct lp_claimant *claimant,
                            const struct lp_piece *pieces, size_t count, int64_t now_us,
                            size_t *taken, struct lp_err *err) LP_MUST_CHECK;
/**
 * Makes what the holder has exactly these pieces, merged, and gives the rest back; with `lit` their
 * state is lit, else it stays reserved where one of its parts was. *before = what it had, for
 * lp_claims_put_back. created_at becomes now_us where something was not lit before: light is
 * expected from then on. LP_CONFLICT: it does not hold all of them (nothing is changed).
 */
enum lp_code lp_claims_settle(struct lp_txn *txn, const struct lp_claimant *claimant,
                              const struct lp_piece *pieces, size_t count, bool lit, int64_t now_us,
                              json_t **before, struct lp_err *err) LP_MUST_CHECK;
/** Undoes a settle: the holder has again what `before` lists and nothing else. LP_CONFLICT as of
 * lp_claims_take when somebody got it meanwhile (nothing is changed). */
enum lp_code lp_claims_put_back(struct lp_txn *txn, const char *holder, const json_t *before,
                                struct lp_err *err) LP_MUST_CHECK;
/** What nobody else has on one fiber is everything but these, in order of low_mhz: claims of others
 * than the holders listed (array of ids, or NULL), as lp_claims_of. Take the turn first. */
enum lp_code lp_claims_of_others(struct lp_txn *txn, const char *fiber_id, const json_t *holders,
                                 json_t **claims, struct lp_err *err) LP_MUST_CHECK;
/** Gives back at once, in this transaction, all that the process claimed for the holder (NULL: for
 * anybody). *released may be NULL. */
enum lp_code lp_claims_take_back(struct lp_txn *txn, const char *process_id, const char *holder,
                                 int64_t *released, struct lp_err *err) LP_MUST_CHECK;

/* ---- queued with the writes of a step ---- */

/** Gives back everything a holder has, or a subscription has, or a process claimed. */
void lp_claims_release_holder(struct lp_unit *unit, const char *holder);
void lp_claims_release_subscription(struct lp_unit *unit, const char *subscription_id);
void lp_claims_release_process(struct lp_unit *unit, const char *process_id);
/** What the holder has is lit, or only reserved. */
void lp_claims_mark(struct lp_unit *unit, const char *holder, bool lit);
/** The block of the holder belongs to another subscription now. */
void lp_claims_transfer(struct lp_unit *unit, const char *holder, const char *subscription_id);

/* ---- reading: reader NULL = one is borrowed ---- */

/** One claim is {"fiber_id","fiber": description,"low_mhz","high_mhz","holder","subscription_id",
 * "subscription": description,"process_id","slot","state","created_at"}. */
enum lp_claims_by {
    LP_CLAIMS_BY_FIBER,
    LP_CLAIMS_BY_HOLDER,
    LP_CLAIMS_BY_SUBSCRIPTION,
    LP_CLAIMS_BY_PROCESS,
    LP_CLAIMS_BY_COUNT
};
/** Claims by fiber and frequency, at most 100000. */
enum lp_code lp_claims_of(struct lp_store *store, struct lp_reader *reader, enum lp_claims_by by,
                          const char *id, json_t **claims, struct lp_err *err) LP_MUST_CHECK;
/** Claims of anybody but `holder` (or NULL) that share spectrum with the piece. */
enum lp_code lp_claims_overlapping(struct lp_store *store, struct lp_reader *reader,
                                   const struct lp_piece *piece, const char *holder,
                                   json_t **claims, struct lp_err *err) LP_MUST_CHECK;
/** Claims that nothing explains: [{..., "why": "terminated" | "process ended" | "no such
 * subscription"}]: the subscription is terminated or gone, or it is only reserved and the process
 * that claimed it was aborted; and no block of a living subscription is the holder (its elements
 * may carry that light). */
enum lp_code lp_claims_leftovers(struct lp_store *store, int64_t most, json_t **claims,
                                 struct lp_err *err) LP_MUST_CHECK;

/** The compact form for building graphs: every claim of every fiber, one query; called by fiber id
 * and frequency. */
struct lp_claim_row {
    const char *fiber_id, *holder, *subscription_id; /* borrowed during the call */
    int64_t low_mhz, high_mhz;
    bool lit;
};
typedef void lp_claim_fn(void *arg, const struct lp_claim_row *row);
enum lp_code lp_claims_each(struct lp_store *store, struct lp_reader *reader, lp_claim_fn *fn,
                            void *arg, struct lp_err *err) LP_MUST_CHECK;

#endif
