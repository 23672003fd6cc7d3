/**
 * Who is told what: targets and rules from the file notifications.file.
 *
 *     targets:
 *       - name: noc-hook
 *         url: https://hooks.example.net/lightpath     # or url_file: when the URL itself is secret
 *         secret_file: /etc/lightpath/secrets/noc-hook
 *       - name: noc-mail
 *         mail: [noc@example.net]
 *     smtp:
 *       server: mail.example.net:587
 *       tls: starttls                                  # or tls, none
 *       from: lightpath@example.net
 *     rules:
 *       - to: [noc-hook, noc-mail]
 *         severity: error                              # at least
 *         kind: [process_failed, drift_found]
 *         workflow: [create_*]                         # also product, customer
 *
 * A member that a rule does not name matches everything. Every rule is looked at; a target gets a
 * notice once. Threads: an object belongs to one thread.
 */
#ifndef LP_SCHEDULER_RULES_H
#define LP_SCHEDULER_RULES_H

#include "base/err.h"

struct lp_rules;

/** path NULL or "": no target and no rule. LP_INVALID names the place of the first fault. */
enum lp_code lp_rules_load(const char *path, struct lp_rules **out,
                           struct lp_err *err) LP_MUST_CHECK;
/** The same from a document that was read already (borrowed); `name` stands in messages. */
enum lp_code lp_rules_from(const char *name, const json_t *doc, struct lp_rules **out,
                           struct lp_err *err) LP_MUST_CHECK;
void lp_rules_free(struct lp_rules *rules);

/** What a rule may ask for; NULL = unknown, which only "*" matches. */
struct lp_facts {
    const char *kind, *severity, *product, *workflow, *customer;
};
/** Names of the targets a notice goes to, each once: a new array of strings, never NULL. */
json_t *lp_rules_targets(const struct lp_rules *rules, const struct lp_facts *facts);
/** Its checked object (members as in the file), or NULL. Borrowed. */
const json_t *lp_rules_target(const struct lp_rules *rules, const char *name);
/** All targets, in the order of the file. */
const json_t *lp_rules_all(const struct lp_rules *rules);
/** The smtp section, or NULL. */
const json_t *lp_rules_smtp(const struct lp_rules *rules);

#endif
