#include "clients/infinera/rest/rest.h"

#define SLOT_MHZ 12500

unsigned
ir_slot_mhz(unsigned baud_mbd)
{
    unsigned needed = baud_mbd + baud_mbd / 10; /* roll-off and guard */

    if (needed < 3 * SLOT_MHZ)
        needed = 3 * SLOT_MHZ;
    return (needed + SLOT_MHZ - 1) / SLOT_MHZ * SLOT_MHZ;
}

json_t *
ir_mode_json(const struct ir_mode *mode, const char *card)
{
    struct lp_buf text = LP_BUF_INIT;
    json_t *out;

    lp_buf_printf(&text, "%u Gb/s, %u.%u GBd, %u.%u GHz%s", mode->rate_gbps, mode->baud_mbd / 1000,
                  mode->baud_mbd % 1000 / 100, mode->width_mhz / 1000, mode->width_mhz % 1000 / 100,
                  mode->coupled ? ", over two line ports" : "");
    out = json_pack("{s:s, s:i, s:i, s:i, s:i, s:s, s:b, s:s}", "id", mode->id, "rate_gbps",
                    (int)mode->rate_gbps, "width_mhz", (int)mode->width_mhz, "min_slot_mhz",
                    (int)mode->width_mhz, "baud_mbd", (int)mode->baud_mbd, "card_type", card,
                    "coupled", (int)mode->coupled, "text", text.data != NULL ? text.data : "");
    if (out != NULL && mode->fec[0] != '\0')
        (void)lp_json_set_str(out, "fec", mode->fec);
    lp_buf_free(&text);
    return out;
}
