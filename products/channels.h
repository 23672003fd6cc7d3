/**
 * Transport channels and the services on them: who rides on a channel, what its label is, what it
 * still carries. Pure; any thread. All pointers are borrowed from the closure or the document.
 */
#ifndef LP_PRODUCTS_CHANNELS_H
#define LP_PRODUCTS_CHANNELS_H

#include "base/buf.h"
#include "products/ends.h"

#define LP_SERVICE_PRODUCT "Optical Digital Service"
#define LP_CHANNEL_BLOCK   "OpticalTransportChannel"
#define LP_CHANNELS_MOST   2

/** The channels of a service, owned or shared, in its order; those that do not stand in the closure
 * are left out. Their number. */
size_t lp_channels_of(const json_t *closure, const json_t *service,
                      const json_t *out[static LP_CHANNELS_MOST]);
/** Does that service (a root) ride on the channel of this instance id? */
bool lp_service_uses(const json_t *service, const char *channel_id);
/** Its line ports at A and Z. False when one does not stand in the closure. */
bool lp_channel_ends(const json_t *closure, const json_t *channel, struct lp_end ends[2]);
/** Sets what follows from the passband of its spectrum: centre and width, and the one carrier of
 * the spectrum (centre, signal width). Without a passband nothing is set. */
enum lp_code lp_channel_derive(json_t *channel, struct lp_err *err) LP_MUST_CHECK;
/** Appends the label of a channel's circuit: the tags of all services in the closure that are not
 * terminated and ride on it, sorted, joined by '+'. */
enum lp_code lp_channel_label(const json_t *closure, const json_t *channel, struct lp_buf *out,
                              struct lp_err *err) LP_MUST_CHECK;
/** Raster and width of a channel (optical-grid rules): problems of field channels. */
void lp_channel_check(const json_t *channel, struct lp_problems *problems);
/** Two channels of one service share neither spectrum nor ports. */
void lp_channel_check_apart(const json_t *a, const json_t *b, struct lp_problems *problems);

/** What a service hands over: "100GE" or "400GE", as intents name it; and in Gb/s. */
const char *lp_client_rate(const json_t *service);
unsigned lp_client_gbps(const json_t *service);
/** Capacity of its channels together minus the rates of all services in the closure that are not
 * terminated and ride on them (each counts once); -1 when a channel's capacity is not known. */
int64_t lp_channels_spare_gbps(const json_t *closure, const json_t *const *channels, size_t count);

#endif
