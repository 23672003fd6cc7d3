/**
 * Subscriptions: a header and the instance tree of its product, loaded in one round trip, saved as
 * the set of changed rows. Every save is conditional on the version that was loaded (W13) and
 * counts it up by one, blocks included. Only rows whose content changed are written; each changed
 * block leaves one block_history row, each save one subscription_history row. Ownership: a
 * subscription writes only instances it owns; references to others are link rows (W44). Threads: a
 * struct lp_subscription belongs to one thread.
 */
#ifndef LP_STORE_SUBSCRIPTIONS_H
#define LP_STORE_SUBSCRIPTIONS_H

#include "model/model.h"
#include "store/db.h"

struct lp_subscription {
    char id[LP_UUID_LEN + 1];
    const struct lp_product_type *product;
    char *customer_id; /* the owning Partner's subscription id; a Partner's is its own */
    char *description;
    enum lp_lifecycle status;
    bool insync;
    char *note;
    int64_t start_date, end_date; /* UTC us; 0 = null */
    int64_t created_at, modified_at, validated_at;
    int64_t version; /* as loaded; 0 = new, not stored yet */
    bool part;       /* some of its blocks were not loaded: it can be read, not saved */
    json_t *root;    /* owned; change it through lp_model_assign or replace it through
                        lp_subscription_set_root */
    json_t *stored;  /* as loaded, for the change set; NULL when new or loaded for reading */
    char *stored_header;
    enum lp_lifecycle stored_status;
};

/** LP_NOT_FOUND "Subscription with id: <id>, not found". reader may be NULL (one is borrowed). */
enum lp_code lp_subscription_load(struct lp_store *store, struct lp_reader *reader,
                                  const struct lp_catalog *catalog, const char *id,
                                  struct lp_subscription **out, struct lp_err *err) LP_MUST_CHECK;
/**
 * What one block says to another subscription that references it: the header, the root block and of
 * the owned blocks that one alone, however many there are (ports of a device). For reading. Where
 * that is not all there is, ->part is set; a block that owns blocks itself, or lies deeper, comes
 * with everything. LP_NOT_FOUND: there is no such block.
 */
enum lp_code lp_subscription_load_around(struct lp_store *store, struct lp_reader *reader,
                                         const struct lp_catalog *catalog, const char *instance_id,
                                         struct lp_subscription **out,
                                         struct lp_err *err) LP_MUST_CHECK;
/** The header and the root block without the blocks it owns; as lp_subscription_load_around. */
enum lp_code lp_subscription_load_top(struct lp_store *store, struct lp_reader *reader,
                                      const struct lp_catalog *catalog, const char *id,
                                      struct lp_subscription **out,
                                      struct lp_err *err) LP_MUST_CHECK;
/** A new one: status initial, insync false, root = lp_model_new(product, input). customer_id NULL =
 * its own id. */
enum lp_code lp_subscription_new(const struct lp_catalog *catalog,
                                 const struct lp_product_type *product, const char *customer_id,
                                 const json_t *input, const struct lp_clock *clock,
                                 struct lp_subscription **out, struct lp_err *err) LP_MUST_CHECK;
void lp_subscription_free(struct lp_subscription *sub);
/** Takes root after lp_model_normalise and validation for the current status. */
enum lp_code lp_subscription_set_root(struct lp_subscription *sub, const struct lp_catalog *catalog,
                                      json_t *root, const struct lp_clock *clock,
                                      struct lp_err *err) LP_MUST_CHECK;
enum lp_code lp_subscription_set_description(struct lp_subscription *sub, const char *text,
                                             struct lp_err *err) LP_MUST_CHECK;
/** The owning Partner's subscription id; that it is one is up to the caller. */
enum lp_code lp_subscription_set_customer(struct lp_subscription *sub, const char *customer_id,
                                          struct lp_err *err) LP_MUST_CHECK;
/** Validates the root for the new status; sets start_date on the first active, end_date on
 * terminated. The guard over direct users (engine-semantics 1.5) is repeated in SQL at save. */
enum lp_code lp_subscription_set_status(struct lp_subscription *sub,
                                        const struct lp_catalog *catalog, enum lp_lifecycle status,
                                        const struct lp_clock *clock,
                                        struct lp_err *err) LP_MUST_CHECK;

struct lp_save_context {
    const char *process_id; /* or NULL */
    const char *actor;
    const struct lp_clock *clock;
};
/** Validates when the document or the status changed, then queues everything that changed. Nothing
 * changed: queues nothing, *changed = false. Terminated subscriptions give up their block_keys and
 * references' users are guarded in SQL. */
enum lp_code lp_subscription_save(struct lp_unit *unit, struct lp_subscription *sub,
                                  const struct lp_catalog *catalog,
                                  const struct lp_save_context *context, bool *changed,
                                  struct lp_err *err) LP_MUST_CHECK;
/**
 * Gives the blocks of a list, and all inside them, to another subscription of the same product type
 * that references exactly them: afterwards `to` owns them in `field`, and `from` references them in
 * `ref_field`. Both as loaded, nothing else changed yet; queues the moves, and the caller saves
 * both in the same unit. Keys, indexed values and history go with the blocks; their ids stay.
 * LP_PRECONDITION: `to` does not reference them.
 */
enum lp_code lp_subscription_give(struct lp_unit *unit, struct lp_subscription *from,
                                  struct lp_subscription *to, const char *field,
                                  const char *ref_field, const struct lp_catalog *catalog,
                                  const struct lp_save_context *context,
                                  struct lp_err *err) LP_MUST_CHECK;
/**
 * Turns the LP_CONFLICT of a failed commit into a sentence that names what was in the way: who
 * holds a unique value (message "code MI01 is already used by subscription <id>", detail {"code":
 * "OPT-003", "field", "value", "subscription_id"}), who uses a block that was to be deleted, which
 * reference or status change is not permitted, or that the subscription changed meanwhile. Reads
 * the detail
 * {"statement": name, "arguments": {...}} that the committer left, and replaces it; anything else
 * in err stays as it is. Reads the database.
 */
void lp_subscription_explain_conflict(struct lp_store *store, struct lp_err *err);
/** The field name of a unique scope in messages: "pop.code" -> "code", "partner.external_ids" ->
 * "external ids". */
void lp_scope_field(const char *scope, char *buf, size_t size);
/** Code of the message that a value of the scope is used: OPT-011 for ports, else OPT-003. */
const char *lp_scope_code(const char *scope);
/** A unique value in messages: a text is itself, an entry of external ids "netbox:7". */
void lp_key_value(const char *value, char *buf, size_t size);

/** The wire form, http-api.md 1.2 "Subscription": times as numbers. New reference. */
json_t *lp_subscription_header_json(const struct lp_subscription *sub);
/** The same for the state of a process: times as ISO 8601 texts, because canonical JSON holds no
 *  fractions. New reference. */
json_t *lp_subscription_state_json(const struct lp_subscription *sub);
/** Typed domain model of http-api.md 1.4 with in_use_by_ids and referenced blocks expanded. New
 * reference in *out. */
enum lp_code lp_subscription_domain_model(struct lp_store *store, const struct lp_catalog *catalog,
                                          const char *id, bool filter_owner_relations, json_t **out,
                                          struct lp_err *err) LP_MUST_CHECK;

struct lp_relation {
    char subscription_id[LP_UUID_LEN + 1];
    char *description;
    enum lp_lifecycle status;
    bool insync;
};
struct lp_relations {
    struct lp_relation *rows;
    size_t count;
};
enum lp_relation_kind { LP_RELATION_USERS, LP_RELATION_DEPENDENCIES, LP_RELATION_CUSTOMER_OF };
/** Direct relations: who uses one of its blocks, whose blocks it uses, or whose customer_id it is
 * (itself left out). Terminated ones only on demand. */
enum lp_code lp_subscription_relations(struct lp_store *store, struct lp_reader *reader,
                                       const char *id, enum lp_relation_kind kind,
                                       bool with_terminated, struct lp_relations *out,
                                       struct lp_err *err) LP_MUST_CHECK;
void lp_relations_free(struct lp_relations *relations);

/** The subscription that holds a unique value, or LP_NOT_FOUND. id has LP_UUID_LEN + 1 bytes. */
enum lp_code lp_subscription_by_key(struct lp_store *store, struct lp_reader *reader,
                                    const char *scope, const char *value, char *id,
                                    struct lp_err *err) LP_MUST_CHECK;

/** Unique values as the database holds them for a subscription: [[scope, value, instance id]...]
 * sorted. New reference. */
enum lp_code lp_subscription_keys(struct lp_store *store, struct lp_reader *reader, const char *id,
                                  json_t **keys, struct lp_err *err) LP_MUST_CHECK;
/** What the header row says, without blocks:
 * {"subscription_id","product_id","product","customer_id","description","status","insync",
 *  "version"}. LP_NOT_FOUND. New reference. */
enum lp_code lp_subscription_brief(struct lp_store *store, struct lp_reader *reader, const char *id,
                                   json_t **brief, struct lp_err *err) LP_MUST_CHECK;
/** Active subscriptions of a product row by description, at most 20000:
 * [{"subscription_id","description"}...]. New reference. */
enum lp_code lp_subscription_choices(struct lp_store *store, struct lp_reader *reader,
                                     const char *product_id, json_t **choices,
                                     struct lp_err *err) LP_MUST_CHECK;
/* ---- history ---- */

/** Versions, newest first, at most limit:
 * [{"version","at","actor","process_id","header":{...},"blocks":[{"subscription_instance_id","name",
 *  "version","removed"}...]}...]. LP_NOT_FOUND. New reference. */
enum lp_code lp_subscription_history(struct lp_store *store, const char *id, int64_t limit,
                                     json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** The subscription as it was: {"version","at","actor","process_id","header":{...},"<root
 * member>":{...}}. LP_NOT_FOUND for a version that never was. */
enum lp_code lp_subscription_at(struct lp_store *store, const struct lp_catalog *catalog,
                                const char *id, int64_t version, json_t **out,
                                struct lp_err *err) LP_MUST_CHECK;
/** {"subscription_id","from","to","changes":[{"path","op","before"?,"after"?}...]}; from 0 = the
 * empty document. */
enum lp_code lp_subscription_diff(struct lp_store *store, const struct lp_catalog *catalog,
                                  const char *id, int64_t from, int64_t to, json_t **out,
                                  struct lp_err *err) LP_MUST_CHECK;

/* ---- import rows ---- */

/** Queues one source row; all but the newest `keep` rows of that source and key are dropped. */
enum lp_code lp_import_row_add(struct lp_unit *unit, const char *source, const char *key,
                               const json_t *doc, const char *process_id, int64_t imported_at,
                               int64_t keep, struct lp_err *err) LP_MUST_CHECK;

/** The rows that a process queued at a time, as [{"key", "document"}...] by key. New reference. */
enum lp_code lp_import_rows_of(struct lp_store *store, const char *source, int64_t imported_at,
                               const char *process_id, json_t **rows,
                               struct lp_err *err) LP_MUST_CHECK;
/** Newest import row of a source and key; LP_NOT_FOUND. *doc is a new reference. */
enum lp_code lp_import_row_newest(struct lp_store *store, struct lp_reader *reader,
                                  const char *source, const char *key, json_t **doc,
                                  int64_t *imported_at, struct lp_err *err) LP_MUST_CHECK;

#endif
