/* Build-time program: writes lightpath.conf(5) out of base/conf.def: the table is the only list of
 * keys. */
#include <stdio.h>
#include <string.h>

#include "base/conf.h"

struct key {
    const char *section, *name, *kind, *value, *text;
    long long min, max;
    const char *unit;
    int reloadable;
};

static const struct key keys[] = {
#define LP_CONF_STR(section, key, value, reload, text)                                             \
    {#section, #key, "text", value, text, 0, 0, "", reload},
#define LP_CONF_INT(section, key, value, min, max, unit, reload, text)                             \
    {#section, #key, "whole number", #value, text, min, max, unit, reload},
#define LP_CONF_BOOL(section, key, value, reload, text)                                            \
    {#section, #key, "true or false", (value) ? "true" : "false", text, 0, 0, "", reload},
#include "base/conf.def"
#undef LP_CONF_STR
#undef LP_CONF_INT
#undef LP_CONF_BOOL
};

/* In roff a backslash begins an escape, a leading dot or quote a request. */
static void
roff(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
    }
}

static void
upper(const char *text)
{
    for (; *text != '\0'; text++)
        putchar(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
}

static void
put_key(const struct key *k)
{
    printf(".TP\n.B %s\n", k->name);
    roff(k->text);
    printf(".\n.br\n%s", k->kind);
    if (strcmp(k->kind, "whole number") == 0)
        printf(", %lld to %lld %s", k->min, k->max, k->unit);
    printf("; default ");
    if (*k->value != '\0')
        roff(k->value);
    else
        printf("empty");
    printf(k->reloadable ? "; read again at SIGHUP" : "; read at start");
    printf("; environment \\fBLIGHTPATH_");
    upper(k->section);
    putchar('_');
    upper(k->name);
    printf("\\fR.\n");
}

int
main(void)
{
    const char *section = "";

    printf(".TH LIGHTPATH.CONF 5 \"\" \"Lightpath\" \"File Formats\"\n"
           ".SH NAME\nlightpath.conf \\- configuration of lightpathd\n"
           ".SH DESCRIPTION\n"
           "A YAML file of sections and keys, given to\n.BR lightpathd (8)\nwith \\-\\-config. No "
           "file is "
           "needed: every key has a default.\n"
           "Environment variables go before the file. Every problem of a file is reported, each "
           "with its key, "
           "its value and what is allowed; the daemon does not start with a bad one.\n"
           ".PP\n.nf\nstore: { url: postgresql:///lightpath }\napi: { listen: \"[::1]:8420\", "
           "auth: true }\n.fi\n");
    for (size_t i = 0; i < LP_COUNT(keys); i++) {
        if (strcmp(section, keys[i].section) != 0)
            printf(".SH SECTION %s\n", keys[i].section);
        section = keys[i].section;
        put_key(&keys[i]);
    }
    printf(".SH SEE ALSO\n.BR lightpathd (8),\n.BR lightpath (1)\n");
    return fflush(stdout) == 0 ? 0 : 1;
}
