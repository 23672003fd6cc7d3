/**
 * A RESTCONF element of Infinera's as an opened handle: reading, writing, executing operations, and
 * the functions of struct lp_driver that both platforms share.
 *
 * Tests put other `get` and `send` in their place and answer from documents.
 */
#ifndef LP_CLIENTS_INFINERA_REST_LINK_H
#define LP_CLIENTS_INFINERA_REST_LINK_H

#include "clients/host.h"
#include "clients/infinera/rest/rest.h"
#include "clients/restconf.h"

struct ir_ne {
    struct lp_ne ne;
    const struct ir_platform *platform;
    struct lp_restconf *http;
    struct lp_arena *memory;
    const struct lp_call *call; /* the one that runs */
    bool verified;              /* the element is the expected one */
    char serial[80];            /* as it told; "" = not asked yet */
    uint64_t asked;             /* lp_restconf_connections() when it told that */
    const char *stream;         /* path of its notifications, in `memory`; NULL: not asked yet */
    json_t *conditions;         /* alarms at the last look, where it has no notifications */
    json_t *pending;            /* events that were seen and not told yet */
    int64_t look_us;            /* monotonic: the alarms are looked at again */
    enum lp_code (*get)(struct ir_ne *r, const char *path, const struct lp_restconf_query *query,
                        json_t **out, struct lp_err *err);
    /** *out (may be NULL): new reference to what an operation answered. */
    enum lp_code (*send)(struct ir_ne *r, const struct ir_request *request, bool reads,
                         json_t **out, struct lp_err *err);
    /** Who it is: {"node","serial","software","type"} as far as it tells. */
    enum lp_code (*identify)(struct ir_ne *r, json_t **out, struct lp_err *err);
};

struct ir_kind_of_ne {
    const struct ir_platform *platform;
    const struct lp_restconf_profile *profile;
    enum lp_code (*identify)(struct ir_ne *r, json_t **out, struct lp_err *err);
};

enum lp_code ir_open(const struct ir_kind_of_ne *kind, struct lp_driver_host *host,
                     const struct lp_element *element, struct lp_ne **out,
                     struct lp_err *err) LP_MUST_CHECK;
void ir_close(struct lp_ne *ne);

/** The element as a source for ir_read() and ir_plan(); it borrows the handle. */
void ir_source_of(struct ir_ne *r, struct ir_source *out);
/** Runs "module:rpc"; input is stolen. *out may be NULL. */
enum lp_code ir_rpc(struct ir_ne *r, const char *rpc, json_t *input, bool reads, json_t **out,
                    struct lp_err *err) LP_MUST_CHECK;

/** Is it the expected element? Asked once for each connection: whoever answers behind a new one may
 * be somebody else. LP_CONFLICT. */
void ir_note_identity(struct ir_ne *r, const json_t *identity);
enum lp_code ir_verify_identity(struct ir_ne *r, struct lp_err *err) LP_MUST_CHECK;

/* ---- functions of struct lp_driver ---- */

enum lp_code ir_probe(struct lp_ne *ne, const struct lp_call *call, json_t **out,
                      struct lp_err *err);
enum lp_code ir_read_object(struct lp_ne *ne, const struct lp_call *call, const char *object,
                            json_t **out, struct lp_err *err);
enum lp_code ir_plan_document(struct lp_ne *ne, const struct lp_call *call, const json_t *intents,
                              bool take_over, json_t **out, struct lp_err *err);
enum lp_code ir_apply_op(struct lp_ne *ne, const struct lp_call *call, const json_t *operation,
                         const json_t *produced, json_t **report, struct lp_err *err);
/** Notifications, or (a platform without) alarms that came, changed or went since the last look. */
enum lp_code ir_next_event(struct lp_ne *ne, const struct lp_call *call, json_t **out,
                           struct lp_err *err);
/** "GET /data/...", "PATCH /data/... {...}", "POST /operations/module:rpc {...}". */
enum lp_code ir_raw(struct lp_ne *ne, const struct lp_call *call, const char *text, json_t **out,
                    struct lp_err *err);
bool ir_raw_writes(const char *text);

/* ---- documents ---- */

/** Begin and end of a call that makes a document. */
struct ir_ne *ir_begin(struct lp_ne *ne, const struct lp_call *call);
enum lp_code ir_end(struct ir_ne *r, enum lp_code rc, json_t **made, json_t **out,
                    struct lp_err *err) LP_MUST_CHECK;
json_t *ir_list_document(const struct ir_ne *r);
/** An item that could not be made marks the document, and ir_end refuses it. */
void ir_add_item(json_t *document, json_t *item);
/** Copies a text under another name where there is one. */
void ir_give(struct lp_arena *arena, json_t *item, const char *as, const json_t *from,
             const char *name);
/** One counter, unless query.names leaves it out or the value is no number. */
void ir_add_counter(json_t *made, const json_t *query, const char *object, const char *name,
                    const json_t *value, const char *unit, const char *validity);
/** "up", "down", "degraded" or "unknown" of what an element calls its operational state. */
const char *ir_oper_word(const char *state);

#endif
