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

extern const struct lp_store_case lp_store_cases[];
extern const size_t lp_store_case_count;

#endif
