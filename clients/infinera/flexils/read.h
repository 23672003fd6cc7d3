/**
 * Reading a FlexILS element: objects in normal form, read once per reader and only when asked for;
 * and the documents of clients/driver.h made of them.
 */
#ifndef LP_CLIENTS_INFINERA_FLEXILS_READ_H
#define LP_CLIENTS_INFINERA_FLEXILS_READ_H

#include "clients/infinera/flexils/link.h"
#include "clients/infinera/flexils/plan.h"

struct fx_reader {
    struct fx_ne *fx;
    struct lp_err *err;
    json_t *whole[FX_CLASS_COUNT]; /* {aid: object} of a class that was read as a whole */
    json_t *single;                /* {"ots:aid": object or null} */
    json_t *kept;                  /* further documents that must live as long as the reader */
};

void fx_reader_init(struct fx_reader *reader, struct fx_ne *fx);
void fx_reader_free(struct fx_reader *reader);
/** The reader as a source of the planner. */
void fx_reader_source(struct fx_reader *reader, struct fx_source *out);

/** One object, fresh from the element: new reference, NULL when it is not there. */
enum lp_code fx_read_one(struct fx_ne *fx, enum fx_class object, const char *aid, json_t **out,
                         struct lp_err *err) LP_MUST_CHECK;
/** All of a class, fresh: new reference {aid: object}. `named` filters, or NULL. */
enum lp_code fx_read_all(struct fx_ne *fx, enum fx_class object, const json_t *named, json_t **out,
                         struct lp_err *err) LP_MUST_CHECK;
/** The SCH of a circuit at a port, in the arena of the call; NULL: there is none (yet). */
enum lp_code fx_find_sch(struct fx_ne *fx, const char *port, const char *suffix, const char **out,
                         struct lp_err *err) LP_MUST_CHECK;
/** The cross-connect of a circuit that ends at a port: *key in the arena of the call and a new
 * reference, both NULL when there is none. */
enum lp_code fx_find_cross(struct fx_ne *fx, const char *port, const char *suffix, const char **key,
                           json_t **out, struct lp_err *err) LP_MUST_CHECK;
/** Received power of a circuit at a port: {"measured_cdbm", "target_cdbm", "difference_cdb"}. */
enum lp_code fx_read_power(struct fx_ne *fx, const char *port, const char *suffix, json_t **out,
                           struct lp_err *err) LP_MUST_CHECK;
/** A received power in 0.01 dBm. LP_NOT_FOUND: not measured. */
enum lp_code fx_read_opr(struct fx_ne *fx, const char *sch, int64_t *out,
                         struct lp_err *err) LP_MUST_CHECK;

/* Documents. */
enum lp_code fx_probe(struct lp_ne *ne, const struct lp_call *call, json_t **out,
                      struct lp_err *err);
enum lp_code fx_inventory(struct lp_ne *ne, const struct lp_call *call, json_t **out,
                          struct lp_err *err);
enum lp_code fx_ports(struct lp_ne *ne, const struct lp_call *call, int role, json_t **out,
                      struct lp_err *err);
enum lp_code fx_neighbours(struct lp_ne *ne, const struct lp_call *call, json_t **out,
                           struct lp_err *err);
enum lp_code fx_spectrum(struct lp_ne *ne, const struct lp_call *call, const char *port,
                         json_t **out, struct lp_err *err);
enum lp_code fx_read(struct lp_ne *ne, const struct lp_call *call, const char *object, json_t **out,
                     struct lp_err *err);
enum lp_code fx_alarms(struct lp_ne *ne, const struct lp_call *call, json_t **out,
                       struct lp_err *err);
enum lp_code fx_counters(struct lp_ne *ne, const struct lp_call *call, const json_t *query,
                         json_t **out, struct lp_err *err);

/** The part of the band that is not free: occupied half-open ranges [[low, high], ...] of pairs of
 * free ranges in any order. New reference. */
json_t *fx_occupied(const json_t *free_ranges, int64_t low_mhz, int64_t high_mhz);

#endif
