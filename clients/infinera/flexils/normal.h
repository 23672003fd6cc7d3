/**
 * The normal form of what FlexILS says, and back: whatever spelling the element chooses, equal
 * things compare equal. Pure.
 *
 * - enumerations upper case; ENABLE and ENABLED, DISABLE and DISABLED are one (the "D" form);
 * - frequency lists are arrays of integers in MHz, their pairs sorted;
 * - decimals have no superfluous digits; texts are valid UTF-8; OELAID is cut to 64 characters;
 * - "STATE" is the state as sent, "ADMIN" what was asked for: "IS", "OOS" or "MT".
 */
#ifndef LP_CLIENTS_INFINERA_FLEXILS_NORMAL_H
#define LP_CLIENTS_INFINERA_FLEXILS_NORMAL_H

#include "clients/infinera/flexils/commands.h"

#define FX_OEL_SHOWN 64 /* characters of an OEL identifier that an OSNC shows */

/** True when `value` is one of "A|B" (any case, ENABLE = ENABLED); *spelt then is how the element
 * wants it written, in the list. */
bool fx_one_of(const char *values, const char *value, const char **spelt);
/** A value from the wire. NULL without memory. */
json_t *fx_normal(enum fx_class object, const char *name, const char *value);
/** A value for the wire, in the arena. NULL: not of this parameter, or no memory. */
const char *fx_wire_value(struct lp_arena *arena, const struct fx_param *param,
                          const json_t *value);
/** A record as {name: value, "ADMIN", "STATE"}; equipment has "TYPE" too. NULL without memory. */
json_t *fx_object_of(enum fx_class object, const struct lp_tl1_record *record);
/** The record's key, "from,to" for cross-connects; false: it does not fit or is empty. */
bool fx_key_of(const struct lp_tl1_record *record, char *key, size_t size);
/** "-9.25" of -925. */
void fx_decimal(int32_t hundredths, char text[static 16]);

#endif
