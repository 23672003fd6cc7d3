/* The line modes of the cards: what an operator may choose. Symbol rates follow from bits per
 * symbol in two polarisations and 28 % for forward error correction and framing, up to the 68 GBd
 * of the module; signals above 34 GBd are those of the FEC that occupies 75 GHz (g30_signal_mhz). A
 * coupled mode (_C) runs over two line ports and has the rate of both. */
#include <string.h>

#include "clients/infinera/g30/g30.h"

/* clang-format off */
static const struct ir_mode chm1[] = {
    {"QPSK_100G", 100, 32000, 37500, "", false},
    {"16QAM_200G", 200, 32000, 37500, "", false},
    {"8QAM_300G", 300, 32000, 37500, "", false},
};
static const struct ir_mode chm2t[] = {
    {"QPSK_100G", 100, 32000, 37500, "", false},
    {"QPSK_200G", 200, 64000, 75000, "SDFEC27ND", false},
    {"QPSK_SP16QAM_200G", 200, 51200, 75000, "SDFEC27ND", false},
    {"QPSK_SP16QAM_300G", 300, 68000, 75000, "SDFEC27ND", false},
    {"SPQPSK_100G", 100, 42670, 75000, "SDFEC27ND", false},
    {"SPQPSK_QPSK_100G", 100, 36570, 75000, "SDFEC27ND", false},
    {"SPQPSK_QPSK_200G", 200, 68000, 75000, "SDFEC27ND", false},
    {"SP16QAM_200G", 200, 42670, 75000, "SDFEC27ND", false},
    {"SP16QAM_300G", 300, 64000, 75000, "SDFEC27ND", false},
    {"SP16QAM_16QAM_200G", 200, 36570, 75000, "SDFEC27ND", false},
    {"SP16QAM_16QAM_300G", 300, 54860, 75000, "SDFEC27ND", false},
    {"SP16QAM_16QAM_400G", 400, 68000, 75000, "SDFEC27ND", false},
    {"16QAM_200G", 200, 32000, 37500, "", false},
    {"16QAM_300G", 300, 48000, 75000, "SDFEC27ND", false},
    {"16QAM_400G", 400, 64000, 75000, "SDFEC27ND", false},
    {"16QAM_32QAM_400G", 400, 56890, 75000, "SDFEC27ND", false},
    {"16QAM_32QAM_500G", 500, 68000, 75000, "SDFEC27ND", false},
    {"32QAM_200G", 200, 25600, 37500, "", false},
    {"32QAM_300G", 300, 38400, 75000, "SDFEC27ND", false},
    {"32QAM_400G", 400, 51200, 75000, "SDFEC27ND", false},
    {"32QAM_500G", 500, 64000, 75000, "SDFEC27ND", false},
    {"32QAM_64QAM_500G", 500, 58180, 75000, "SDFEC27ND", false},
    {"32QAM_64QAM_600G", 600, 68000, 75000, "SDFEC27ND", false},
    {"64QAM_300G", 300, 32000, 37500, "", false},
    {"64QAM_400G", 400, 42670, 75000, "SDFEC27ND", false},
    {"64QAM_500G", 500, 53330, 75000, "SDFEC27ND", false},
    {"64QAM_600G", 600, 64000, 75000, "SDFEC27ND", false},
    {"16QAM_500G_C", 500, 40000, 75000, "SDFEC27ND", true},
    {"16QAM_700G_C", 700, 56000, 75000, "SDFEC27ND", true},
    {"16QAM_32QAM_500G_C", 500, 35560, 75000, "SDFEC27ND", true},
    {"16QAM_32QAM_900G_C", 900, 64000, 75000, "SDFEC27ND", true},
    {"32QAM_900G_C", 900, 57600, 75000, "SDFEC27ND", true},
    {"32QAM_64QAM_700G_C", 700, 40730, 75000, "SDFEC27ND", true},
    {"32QAM_64QAM_1100G_C", 1100, 64000, 75000, "SDFEC27ND", true},
    {"QPSK_SP16QAM_300G_C", 300, 38400, 75000, "SDFEC27ND", true},
    {"QPSK_SP16QAM_500G_C", 500, 64000, 75000, "SDFEC27ND", true},
    {"SP16QAM_300G_C", 300, 32000, 37500, "", true},
    {"SP16QAM_500G_C", 500, 53330, 75000, "SDFEC27ND", true},
    {"SP16QAM_16QAM_700G_C", 700, 64000, 75000, "SDFEC27ND", true},
};
/* clang-format on */

const struct ir_mode *
g30_modes(const char *card, size_t *count)
{
    *count = 0;
    if (strcmp(card, "CHM1") == 0) {
        *count = LP_COUNT(chm1);
        return chm1;
    }
    if (strcmp(card, "CHM2T") == 0) {
        *count = LP_COUNT(chm2t);
        return chm2t;
    }
    return NULL;
}

unsigned
g30_signal_mhz(const char *fec)
{
    static const struct {
        const char *fec;
        unsigned mhz;
    } rows[] = {{"SDFEC27ND", 75000}, {"SDFEC15ND2", 68750}};

    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        if (strcmp(rows[i].fec, fec) == 0)
            return rows[i].mhz;
    }
    return 37500;
}
