/**
 * Settings: small facts by name (global_lock, server_key, catalog_hash, restored ...).
 * Threads: any. Values are texts; what they mean is their user's business.
 */
#ifndef LP_STORE_SETTINGS_H
#define LP_STORE_SETTINGS_H

#include "store/db.h"

/** *value is malloc'ed. LP_NOT_FOUND when the name has no value. reader may be NULL. */
enum lp_code lp_setting_get(struct lp_store *store, struct lp_reader *reader, const char *name,
                            char **value, struct lp_err *err) LP_MUST_CHECK;
/** Queues the value into a unit, replacing an older one. */
void lp_setting_add(struct lp_unit *unit, const char *name, const char *value, const char *actor,
                    int64_t now_us);
/** Stores the value now. */
enum lp_code lp_setting_set(struct lp_store *store, const char *name, const char *value,
                            const char *actor, struct lp_err *err) LP_MUST_CHECK;
/** Stores the value unless there is one, and returns what is stored then: of several programs that
 *  start together all get the same (a server key). *stored is malloc'ed. */
enum lp_code lp_setting_keep(struct lp_store *store, const char *name, const char *value,
                             const char *actor, char **stored, struct lp_err *err) LP_MUST_CHECK;

#endif
