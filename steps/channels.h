/**
 * Transport channels in the store: who rides on them, and who may join. One rule, asked in the form
 * and again in the step that joins. Reads only; the documents in a group are owned by it.
 */
#ifndef LP_STEPS_CHANNELS_H
#define LP_STEPS_CHANNELS_H

#include "model/model.h"
#include "store/db.h"

/** Where to read. reader may be NULL. */
struct lp_channel_source {
    struct lp_store *store;
    struct lp_reader *reader;
    const struct lp_catalog *catalog;
};

/** Channels that one service owns, all of them, and who rides on them. */
struct lp_channel_group {
    char owner[LP_UUID_LEN + 1]; /* subscription */
    json_t *channels;            /* documents */
    json_t *services; /* [{"subscription_id","description","status"}...] on them, not terminated,
                         oldest first; the owner too */
    char devices[2][LP_UUID_LEN + 1]; /* of their line ports, A and Z */
    int64_t flow_id;                  /* of its owner */
    int64_t capacity_gbps;            /* -1: not known */
    int64_t spare_gbps;               /* -1: not known */
    bool active;                      /* is its owner? */
};
void lp_channel_group_free(struct lp_channel_group *group);
/** The group that a service owns. LP_NOT_FOUND: it owns none. */
enum lp_code lp_channel_group_load(const struct lp_channel_source *source, const char *owner,
                                   struct lp_channel_group *out, struct lp_err *err) LP_MUST_CHECK;
/** Group of the channel at that line port (instance id). LP_NOT_FOUND: there is none. */
enum lp_code lp_channel_group_at(const struct lp_channel_source *source, const char *line_port,
                                 struct lp_channel_group *out, struct lp_err *err) LP_MUST_CHECK;

/**
 * The channels of those numbers. LP_NOT_FOUND: all of them are new. LP_OK: one group, whole, and
 * active. LP_INVALID with the reason: OPT-041 they are a mixture, or a part of a group.
 */
enum lp_code lp_channels_named(const struct lp_channel_source *source, const json_t *och_ids,
                               struct lp_channel_group *out, struct lp_err *err) LP_MUST_CHECK;
/**
 * May a service of that rate between those devices (subscriptions) join? *swapped: the group names
 * them the other way round. LP_INVALID with the reason: OPT-042 its ends are others, it is not
 * active, its capacity is unknown or too small.
 */
enum lp_code lp_channels_may_join(const struct lp_channel_group *group, const char *device_a,
                                  const char *device_z, unsigned gbps, bool *swapped,
                                  struct lp_err *err) LP_MUST_CHECK;
/**
 * Who owns them when their owner goes: the oldest active one of the others (D50). One whose
 * creation was given up halfway inherits only when nobody else is left: its clients may be on the
 * elements already, so the light must not be taken from under it. NULL: there is no other.
 */
const json_t *lp_channel_heir(const struct lp_channel_group *group);
/** "OCh042+OCh043", for people; buf has 64 bytes. */
void lp_channel_group_text(const struct lp_channel_group *group, char *buf, size_t size);

#endif
