/**
 * Transponder ports in forms: what the last reading of an element said of its ports beside the port
 * blocks of its subscription, and choices made of both. Pure reads through ctx->reader; nothing
 * here talks to a device. Choices are labelled with the age of the reading.
 */
#ifndef LP_STEPS_TRX_FORMS_H
#define LP_STEPS_TRX_FORMS_H

#include "steps/forms.h"

/** A port; texts live in the arena of the form. */
struct lp_trx_port {
    const char *id, *name, *role; /* of the block */
    const char *card, *card_type; /* "" when the element did not say */
    const char *oper;             /* up, down, degraded, unknown; "" likewise */
    const json_t *modes;          /* [{"id","rate_gbps","width_mhz"...}], or NULL; borrowed */
    bool free;                    /* used by no service (client) or channel (line) */
    bool patched;                 /* ends a fiber or patch cord */
};
struct lp_trx_ports {
    struct lp_trx_port *rows; /* of the arena */
    size_t count;
    const char *device; /* subscription id */
    const char *name;   /* host name */
    const char *age;    /* "read 3 min ago" or "never read" */
    json_t *doc;        /* the readings: keeps modes alive */
};

/** The ports of role trx-line or trx-client (role NULL: both) of a device. */
enum lp_code lp_trx_ports_load(struct lp_form_ctx *ctx, const char *device, const char *role,
                               struct lp_trx_ports *out, struct lp_err *err) LP_MUST_CHECK;
void lp_trx_ports_free(struct lp_trx_ports *ports);
/** By name or instance id, or NULL. */
const struct lp_trx_port *lp_trx_port_of(const struct lp_trx_ports *ports, const char *name);
/** That mode of a port, or NULL. */
const json_t *lp_trx_mode(const struct lp_trx_port *port, const char *mode);

/** A choice among the active devices that can end a channel: transponders. */
enum lp_code lp_form_add_transponders(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                      const char *field, const char *title,
                                      struct lp_err *err) LP_MUST_CHECK;
/** A choice among ports for which `fits` (with arg) holds. count 0: one port; else a list of so
 * many. Nothing fits: the field becomes a label that says so, and cannot be submitted. */
typedef bool lp_trx_fits(const struct lp_trx_port *port, const void *arg);
enum lp_code lp_form_add_trx_ports(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                   const char *field, const char *title,
                                   const struct lp_trx_ports *ports, lp_trx_fits *fits,
                                   const void *arg, size_t count, struct lp_err *err) LP_MUST_CHECK;

#endif
