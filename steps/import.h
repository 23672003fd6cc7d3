/**
 * Where a subscription came from: (source, key) of a row in import_rows, whose document is the part
 * of the subscription's document that the source knows. validate compares with the newest such row,
 * reconcile brings the subscription to it.
 */
#ifndef LP_STEPS_IMPORT_H
#define LP_STEPS_IMPORT_H

#include "engine/run.h"

/** Two hidden, optional fields: import_source and import_key. */
void lp_form_add_source(struct lp_form_page *page);
/** Both or none; the row must be stored. */
enum lp_code lp_form_check_source(struct lp_form_ctx *ctx, const json_t *input,
                                  struct lp_problems *problems, struct lp_err *err) LP_MUST_CHECK;
/** Moves them into output.root. */
enum lp_code lp_form_finish_source(json_t *output, struct lp_err *err) LP_MUST_CHECK;

/** Who holds a unique value among the subscriptions that are not terminated; holder is "" when
 * nobody does. reader may be NULL. */
enum lp_code lp_import_holder(struct lp_store *store, struct lp_reader *reader, const char *scope,
                              const char *value, char holder[static LP_UUID_LEN + 1],
                              struct lp_err *err) LP_MUST_CHECK;
/** The active Partner of that name. LP_NOT_FOUND "there is no active partner '...'". */
enum lp_code lp_import_partner(struct lp_store *store, struct lp_reader *reader, const char *name,
                               char id[static LP_UUID_LEN + 1], struct lp_err *err) LP_MUST_CHECK;
/** Queues the documents of rows [{"key", "document"}...] as the newest of their source, all with
 * the same time. */
enum lp_code lp_import_store(struct lp_run *run, const char *source, const json_t *rows,
                             int64_t *imported_at, struct lp_err *err) LP_MUST_CHECK;
/** What lp_import_store of this process kept: [{"key", "document"}...]. New reference. */
enum lp_code lp_import_stored(struct lp_run *run, const char *source, int64_t imported_at,
                              json_t **rows, struct lp_err *err) LP_MUST_CHECK;

#endif
