/**
 * What an optical_spectrum block (products/yang/lightpath-optical-spectrum.yang) means to the
 * elements. One block, two users: product Optical Spectrum, whose root it is, and the transport
 * channels of digital services, which own one each. Pure; any thread.
 *
 * Intents per section, by the elements of its two ends (a: where it begins, z: where it ends):
 *   both on one element     a   "cross-connect", when its driver connects optical ports
 *   line system             a   "circuit" with route, passband, carriers and label
 *                           a,z "shutter", open
 *   drivers with neither        nothing: such a section needs no configuration
 * In-line amplifiers are configured by nobody: a circuit runs through them.
 * Source: multiplex sections and circuits as FlexILS takes them (pairs of ROADM line ports).
 */
#ifndef LP_PRODUCTS_SPECTRUM_H
#define LP_PRODUCTS_SPECTRUM_H

#include "products/product.h"

/**
 * Adds the intents of one block to *out of `desired`.
 * @param spectrum  the block's document; its ports, devices and PoPs stand in the closure
 * @param label     of its circuits: service tags, or lp_spectrum_label
 * @return LP_INVALID naming spectrum and port: a port that is not in the closure, a path that does
 * not begin or end at a ROADM, that is left open, or that runs through another kind of device;
 * LP_UNSUPPORTED: a section inside one element whose driver does not connect optical ports.
 */
enum lp_code lp_spectrum_desire(const json_t *closure, const json_t *spectrum, const char *label,
                                json_t *out, struct lp_err *err) LP_MUST_CHECK;

/**
 * Sets the derived members of a block in place: circuit_name from name and leg, sections from
 * route_ports. Sections reach from one add/drop port to the next, with line ports of one platform
 * between them (3.6). The ports and their devices stand in the closure; while one does not, the
 * sections stay as they are. LP_INVALID: a route that cannot be cut so, naming port and device.
 */
enum lp_code lp_spectrum_derive(const json_t *closure, json_t *spectrum,
                                struct lp_err *err) LP_MUST_CHECK;

/** Rules the YANG cannot say: OPT-020 edges outside of every band plan, OPT-024 carriers that
 * reach out of the passband. Problems carry the block's field names. */
void lp_spectrum_check(const struct lp_conf *conf, const json_t *spectrum,
                       struct lp_problems *problems);

/** The configured label of circuits that carry no service (naming.spectrum_label). */
const char *lp_spectrum_label(const struct lp_conf *conf);

/**
 * May the block move from `before` to `after` make-before-break? Both circuits enter and leave at
 * the same add/drop ports, so their passbands must not overlap. *why (when false) is one sentence,
 * static.
 */
bool lp_spectrum_side_by_side(const json_t *before, const json_t *after, const char **why);

#endif
