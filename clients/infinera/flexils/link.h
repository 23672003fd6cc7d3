/**
 * The way to a FlexILS element: one command at a time over a pooled TL1 session, through a gateway
 * where it has no address of its own.
 *
 * Tests put another `exchange` in its place and answer from a file.
 */
#ifndef LP_CLIENTS_INFINERA_FLEXILS_LINK_H
#define LP_CLIENTS_INFINERA_FLEXILS_LINK_H

#include "clients/host.h"
#include "clients/infinera/flexils/commands.h"
#include "clients/tl1.h"

#define FX_ADDRESSES_MAX 16

/** An opened element. One thread. */
struct fx_ne {
    struct lp_ne ne;
    struct lp_element element; /* its strings are in `memory` */
    struct lp_arena *memory;
    struct lp_tl1_address addresses[FX_ADDRESSES_MAX];
    size_t address_count;
    bool through_gateway; /* addresses are those of gateways */
    struct lp_tl1_session *session;
    const struct lp_call *call; /* the one that runs */
    int64_t probe_until_us;     /* a gateway is tried until then; 0: as long as the call lasts */
    bool verified;              /* the element is the expected one */
    bool events;                /* holds the event session */
    struct lp_buf received;     /* raw bytes of the last exchange */
    /** Sends one command (its tag is the link's) and waits for the answer: outcomes as
     * clients/tl1.h; *reply is borrowed until the next one, NULL when there was none. */
    enum lp_code (*exchange)(struct fx_ne *fx, const struct lp_tl1_command *command,
                             const struct lp_tl1_message **reply, struct lp_err *err);
};

enum lp_code fx_open(struct lp_driver_host *host, const struct lp_element *element,
                     struct lp_ne **out, struct lp_err *err) LP_MUST_CHECK;
void fx_close(struct lp_ne *ne);
/** The element as the pool knows it; with a gateway, the one at `address`. */
void fx_tl1_element(const struct fx_ne *fx, size_t address, struct lp_tl1_element *out);
/** The address of the gateway that reached it last; address_count when none is known. */
size_t fx_known_gateway(struct fx_ne *fx);
/** A session for this handle, unless it has one. */
enum lp_code fx_connect(struct fx_ne *fx, struct lp_err *err) LP_MUST_CHECK;
/** Gives it back, or lets go of it when it broke. */
void fx_disconnect(struct fx_ne *fx);
/** How exchanges of the running call are made. */
void fx_tl1_call(struct fx_ne *fx, struct lp_tl1_call *out);
/** Builds and sends a request of the tables. */
enum lp_code fx_send(struct fx_ne *fx, const struct fx_request *request,
                     const struct lp_tl1_message **reply, struct lp_err *err) LP_MUST_CHECK;
/** LP_CONFLICT unless the element tells the serial number that is expected of it. */
enum lp_code fx_verify_identity(struct fx_ne *fx, struct lp_err *err) LP_MUST_CHECK;
/** Called by the pool after each login: notes the serial number of chassis 1 in the host. */
enum lp_code fx_identify(void *host, const struct lp_tl1_element *element,
                         struct lp_tl1_session *session, struct lp_err *err);
/** "ssh://host:22", "tcp://host", "host:port", "[::1]:22"; texts go to the arena. LP_INVALID. */
enum lp_code fx_address(struct lp_arena *arena, const struct lp_conf *conf, const char *text,
                        struct lp_tl1_address *out, struct lp_err *err) LP_MUST_CHECK;

#endif
