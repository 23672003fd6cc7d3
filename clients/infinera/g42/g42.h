/**
 * Infinera GX G42: what is special about it. Pure but for documents.c.
 *
 * References: port:<AID> tom:<AID> scg:<AID> sc:<line AIDs joined with _> oc:<AID>-1 ptp:<AID>
 * eth:<AID> card:<chassis>-<slot>, xc:<client AID> (the cross-connect of a client), power:<AID>.
 */
#ifndef LP_CLIENTS_INFINERA_G42_G42_H
#define LP_CLIENTS_INFINERA_G42_G42_H

#include "clients/infinera/rest/rest.h"

extern const struct ir_platform g42_platform;
extern const struct ir_software g42_software;

#define G42_NE         "/data/ioa-network-element:ne"
#define G42_FACILITIES G42_NE "/facilities"
#define G42_XCON       G42_NE "/services/xcon"

/** Limits of a carrier's transmit power that make sense. */
#define G42_POWER_MIN_CDBM (-600)
#define G42_POWER_MAX_CDBM 900

/** "1-4" of "1-4-L1" (*port = "L1"); NULL: no port of a card. In the arena. */
const char *g42_card_of(struct lp_arena *arena, const char *aid, const char **port);
/** The name of a super-channel over ports: "1-4-L1_1-4-L2". In the arena. */
const char *g42_super_channel(struct lp_arena *arena, const char *const *ports, size_t count);
/** The carrier of a line port: "1-4-L1-1". */
const char *g42_carrier(struct lp_arena *arena, const char *port);

/** The first range of `available` ("1..80,161..480") with room for `needed` slots, the lowest of
 * it; `preferred` ("81..160") where all of it is free (or NULL). "1..80" in the arena; NULL: no
 * room. LP_PROTOCOL text that is no list of ranges also gives NULL. */
const char *g42_slots(struct lp_arena *arena, const char *available, unsigned needed,
                      const char *preferred);
/** "100GBE" of "100GE"; NULL: no such rate. */
const char *g42_payload(const char *rate);
/** Tributary slots of a payload: 80, 320; 0: unknown. */
unsigned g42_slots_of(const char *payload);

/** A cross-connect with its ends the right way round. */
struct g42_xcon {
    const char *name, *client, *line; /* names: "1-4-T1", "1-4-L1"; in the arena */
};
/** False: no cross-connect of a client with a line. */
bool g42_xcon_of(struct lp_arena *arena, const json_t *entry, struct g42_xcon *out);

enum lp_code g42_xc_read(const struct ir_source *source, struct lp_arena *arena, const char *client,
                         json_t **out, struct lp_err *err) LP_MUST_CHECK;
enum lp_code g42_xc_write(const struct ir_source *source, struct lp_arena *arena,
                          const json_t *operation, const json_t *actual, json_t *produced,
                          struct ir_request requests[static IR_REQUESTS], size_t *count,
                          struct lp_err *err) LP_MUST_CHECK;
/** Intents odu-xc; `moving` = {line port or client: true} (xc.c). */
enum lp_code g42_plan_xc(struct ir_planner *p, const json_t *moving) LP_MUST_CHECK;
/** All intents (plan.c). */
enum lp_code g42_plan(struct ir_planner *p) LP_MUST_CHECK;

/** The object that an alarm is about, as references name it. */
const char *g42_alarmed(struct lp_arena *arena, const json_t *alarm);

/** The modes of a card's sub-type ("C6", "C14"): calls fn for each; false: no such sub-type. */
typedef void g42_mode_fn(void *ctx, const struct ir_mode *mode);
bool g42_modes(const char *subtype, g42_mode_fn *fn, void *ctx);
/** Takes "400E.96P" apart; false: no such name. The id of *out is `id`. */
bool g42_mode_parse(const char *id, struct ir_mode *out);

#endif
