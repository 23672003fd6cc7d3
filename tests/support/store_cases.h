/** The cases every database must pass alike; run by the unit suite on SQLite and by the integration
 * suite on both. */
#ifndef LP_TESTS_SUPPORT_STORE_CASES_H
#define LP_TESTS_SUPPORT_STORE_CASES_H

#include "tests/support/store_env.h"

struct lp_store_case {
    const char *name;
    void (*run)(struct lp_store_env *env);
};
/* store_list_cases.c */
void lp_case_filters_follow_the_language(struct lp_store_env *env);
void lp_case_sorts_fold_case_and_are_total(struct lp_store_env *env);
void lp_case_bad_list_requests_are_refused(struct lp_store_env *env);
void lp_case_ranges_count_what_the_filter_leaves(struct lp_store_env *env);
void lp_case_indexes_are_used(struct lp_store_env *env);
void lp_case_every_indexed_field_is_proved(struct lp_store_env *env);
void lp_case_no_statement_reads_a_whole_table(struct lp_store_env *env);
void lp_case_pages_hold_every_row_once(struct lp_store_env *env);
void lp_case_a_changed_cursor_is_refused(struct lp_store_env *env);
void lp_case_totals_are_capped(struct lp_store_env *env);

/* store_claim_cases.c */
void lp_case_the_database_refuses_overlaps(struct lp_store_env *env);
void lp_case_own_claims_are_not_in_the_way(struct lp_store_env *env);
void lp_case_all_pieces_or_none(struct lp_store_env *env);
void lp_case_settling_gives_back_the_rest(struct lp_store_env *env);
void lp_case_a_settle_is_not_undone_over_somebody_elses_light(struct lp_store_env *env);
void lp_case_a_process_gives_back_what_it_claimed(struct lp_store_env *env);
void lp_case_claims_are_marked_moved_and_released(struct lp_store_env *env);
void lp_case_leftovers_are_found(struct lp_store_env *env);
void lp_case_fifty_for_one_slot_have_one_winner(struct lp_store_env *env);
void lp_case_claims_follow_a_plain_model(struct lp_store_env *env);

extern const struct lp_store_case lp_store_cases[];
extern const size_t lp_store_case_count;

#endif
