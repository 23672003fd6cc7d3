/* The carrier modes of the CHM6 card by its sub-type: <Gb/s><E|M>.<GBd><P|U|S|H>. E carries
 * Ethernet only, M other clients too; P is probabilistic shaping, U a uniform constellation, S and
 * H are further variants. The symbol rate in a name is cut, not rounded. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/g42/g42.h"

struct group {
    const char *prefix, *suffixes;
};

/* clang-format off */
static const struct group c6[] = {
    {"100E", "31U 70U"},
    {"100M", "33U 73U"},
    {"150E", "31P 31U 35U 42P 44P 70U 84U"},
    {"150M", "33P 33U 36U 44P 46P 73U 87U"},
    {"200E", "31P 31U 35U 42P 42U 45P 50P 63P 63U 70U 80U 93U"},
    {"200M", "33P 33U 36U 44P 44U 47P 52P 66P 66U 73U 83U"},
    {"250E", "31P 31U 35U 42P 50P 63P 63U 72P 84P 87U"},
    {"250M", "33P 33U 36U 44P 52P 66P 66U 75P 82U 87P 91U"},
    {"300E", "31U 42P 44P 50P 63P 63U 64P 65P 67P 68P 70P 72P 73P 75P 84P 89P 91P 94P"},
    {"300M", "33U 44P 46P 52P 66P 66U 67P 68P 70P 71P 73P 75P 77P 79P 87P 92P 95P"},
    {"350E", "42P 50P 63P 63U 72P 84P"},
    {"350M", "44P 52P 66P 66U 75P 87P"},
    {"400E", "42U 45P 50P 63P 63U 65P 67P 69P 72P 74P 84P 84U 91P 96P"},
    {"400M", "44U 47P 52P 66P 66U 68P 70P 72P 75P 78P 87P 87U 95P"},
    {"450E", "63P 63U 64P 65P 66P 67P 68P 70P 71P 72P 73P 74P 75P 81U 84P 89P 94P"},
    {"450M", "66P 66U 67P 68P 69P 70P 71P 73P 74P 75P 76P 77P 79P 84U 87P 92P"},
    {"500E", "63P 63U 67P 72P 84P 84U 91P"},
    {"500M", "66P 66U 70P 75P 87P 87U 95P"},
    {"550E", "63P 63U 72P 84P 86U"},
    {"550M", "66P 66U 75P 87P 90U"},
    {"600E", "63U 65P 68P 72P 75P 84P 84U 89P 91P 94P 94U 96P"},
    {"600M", "66U 68P 71P 75P 79P 87P 87U 92P 95P"},
    {"650E", "82U 84P"},
    {"650M", "85U 87P"},
    {"700E", "80U 84P 91P"},
    {"700M", "83U 87P 95P"},
    {"750E", "82U 84P 89P 94P"},
    {"750M", "85U 87P 92P"},
    {"800E", "84U 91P 96P"},
    {"800M", "87U 95P"},
};
static const struct group c14[] = {
    {"100E", "31H 31U"},
    {"150E", "31H 31P 31S 31U 42P 42S 44P 44S 84H 84U"},
    {"200E", "31H 31P 31S 31U 42H 42P 42S 42U 63H 63P 63S 63U"},
    {"250E", "31P 31S 31U 42P 42S 63H 63P 63S 63U 72P 72S 84P 84S"},
    {"300E", "31U 42P 42S 44P 44S 63H 63P 63S 63U 72P 72S 84P 84S 89P 89S 94P 94S"},
    {"350E", "42P 42S 63H 63P 63S 63U 72P 72S 84P 84S"},
    {"400E", "42U 63H 63P 63S 63U 72P 72S 84H 84P 84S 84U"},
    {"450E", "63P 63S 63U 66P 66S 72P 72S 84P 84S 89P 89S 94P 94S"},
    {"500E", "63P 63S 63U 72P 72S 84H 84P 84S 84U"},
    {"550E", "63P 63S 63U 72P 72S 84P 84S"},
    {"600E", "63U 72P 72S 84P 84S 84U 89P 89S 94H 94P 94S 94U"},
    {"650E", "84P 84S"},
    {"700E", "84P 84S"},
    {"750E", "84P 84S 89P 89S 94P 94S"},
    {"800E", "84U"},
};
/* clang-format on */

bool
g42_mode_parse(const char *id, struct ir_mode *out)
{
    unsigned rate, baud;

    *out = (struct ir_mode){.id = id, .fec = ""};
    if (strlen(id) != 8 || strspn(id, "0123456789") != 3 || strchr("EM", id[3]) == NULL
        || id[4] != '.' || !isdigit((unsigned char)id[5]) || !isdigit((unsigned char)id[6])
        || strchr("PUSH", id[7]) == NULL)
        return false;
    rate = (unsigned)strtoul(id, NULL, 10);
    baud = (unsigned)strtoul(id + 5, NULL, 10);
    out->rate_gbps = rate;
    out->baud_mbd = (baud + 1) * 1000; /* at most */
    out->width_mhz = ir_slot_mhz(out->baud_mbd);
    return rate > 0;
}

static void
each_of(const struct group *group, g42_mode_fn *fn, void *ctx)
{
    const char *at = group->suffixes;

    while (*at != '\0') {
        size_t len = strcspn(at, " ");
        struct ir_mode mode;
        char id[16];

        (void)snprintf(id, sizeof id, "%s.%.*s", group->prefix, (int)len, at);
        if (g42_mode_parse(id, &mode))
            fn(ctx, &mode);
        at += len + (at[len] == ' ');
    }
}

bool
g42_modes(const char *subtype, g42_mode_fn *fn, void *ctx)
{
    static const struct {
        const char *subtype;
        const struct group *groups;
        size_t count;
    } rows[] = {{"C6", c6, LP_COUNT(c6)}, {"C14", c14, LP_COUNT(c14)}};

    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        if (strcmp(rows[i].subtype, subtype) != 0)
            continue;
        for (size_t g = 0; g < rows[i].count; g++)
            each_of(&rows[i].groups[g], fn, ctx);
        return true;
    }
    return false;
}
