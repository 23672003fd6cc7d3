/**
 * A product: its model and its pure functions. No I/O, no SQL.
 */
#ifndef LP_PRODUCTS_PRODUCT_H
#define LP_PRODUCTS_PRODUCT_H

#include "base/conf.h"
#include "model/model.h"

struct lp_driver;

struct lp_product {
    const char *type; /* product type, equal to lpx:product */
    /** Description of a subscription from its root, e.g. "MI01 Milano (Point of Presence)";
     * malloc'ed. */
    char *(*describe)(const json_t *root);
    /** Rules the YANG cannot say (code pattern from the configuration, name begins with code).
     * May be NULL. Appends problems. */
    void (*check)(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems);
    /** Rules about what the document references; `closure` as of derive. May be NULL. */
    void (*check_linked)(const struct lp_conf *conf, const json_t *closure, const json_t *root,
                         struct lp_problems *problems);
    /**
     * Sets the derived (lpx:allocated) members of a document in place: names from templates, sums.
     * Called before check and describe whenever a document is made, changed or compared. `closure`
     * holds what the document references (no subject); a reference that leads nowhere leaves the
     * members that depend on it as they are. May be NULL. LP_INVALID: a template is wrong.
     */
    enum lp_code (*derive)(const struct lp_conf *conf, const json_t *closure, json_t *root,
                           struct lp_err *err);

    /* Products that configure devices; NULL for the others. */

    /**
     * What the elements should hold for the closure's subject: *out = {"elements": {"<subscription
     * id of an Optical Device>": [intent...]}}, intents as in clients/driver.h. Equal closures give
     * equal intents. Called for the subject and for its siblings (each is the subject then). A
     * subject that is being terminated stands in no closure: nobody asks what it desires, and its
     * siblings do not see it. LP_INVALID: the subscription cannot be configured as it stands.
     */
    enum lp_code (*desired)(const struct lp_conf *conf, const json_t *closure, json_t **out,
                            struct lp_err *err);
    /** Names of the blocks whose other users are siblings: what they desire depends on each other.
     * "Block.field" counts only what is referenced by that field. Ends in NULL; without a list
     * nothing is shared. */
    const char *const *shared_blocks;
    /**
     * The element behind a subscription (Optical Device only): `sub` is an entry of
     * closure.subscriptions, *out = {"id","name","node","driver","addresses":[text...],
     * "gateways":[text...]?,"credentials"?,"serial"?,"max_sessions"?,"site"?: subscription id of
     * its PoP,"site_name"?: its code}. See struct lp_element.
     */
    enum lp_code (*element)(const struct lp_conf *conf, const json_t *closure, const json_t *sub,
                            json_t **out, struct lp_err *err);
};

/* ---- closures ----
 *
 * {"subject": subscription id,
 *  "subscriptions": {id: {"subscription_id","product","type","customer_id","description","status",
 *                         "root": document}},
 *  "blocks": {instance id: {"subscription_id","block": name of its type,"doc": the block}},
 *  "siblings": {subscription id: true}}
 *
 * It holds the subject, everything whose blocks it references (and so on), and its siblings: all
 * subscriptions that are not terminated and use a shared block with it, with what they reference.
 * Read only; values are borrowed from the closure.
 */

/** Document of the subject, or NULL. */
const json_t *lp_closure_root(const json_t *closure);
/** Entry of a subscription, or NULL. */
const json_t *lp_closure_subscription(const json_t *closure, const char *id);
/** Document of a block, or NULL. */
const json_t *lp_closure_block(const json_t *closure, const char *instance_id);
/** Id of the subscription that owns a block, or NULL. */
const char *lp_closure_owner(const json_t *closure, const char *instance_id);
/** Adds an intent (taken) for an element to *out of `desired`. */
enum lp_code lp_desire(json_t *out, const char *element_id, json_t *intent,
                       struct lp_err *err) LP_MUST_CHECK;

/** Whether a host name suits device.fqdn_pattern in the PoP with this code (NULL: in any). LP_OK,
 * LP_NOT_FOUND with the reason, LP_INVALID when the pattern is none. */
enum lp_code lp_device_name_fits(const struct lp_conf *conf, const char *pop_code, const char *fqdn,
                                 struct lp_err *err) LP_MUST_CHECK;
/** The driver that speaks to a platform (the Optical Device's member), or NULL. */
const struct lp_driver *lp_product_driver(const char *platform);

#define LP_PRODUCT(name) extern const struct lp_product lp_product_##name;
#include "products/products.def"
#undef LP_PRODUCT

/** All products of products.def. */
const struct lp_product *const *lp_products(size_t *count);
const struct lp_product *lp_product_of(const char *type); /* or NULL */

#endif
