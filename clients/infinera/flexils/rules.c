/* Rules of the platform that are needed in several places, each written down once. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "clients/infinera/flexils/plan.h"

bool
fx_card_without_maintenance(const char *card_type)
{
    return strcmp(card_type, "FSM") == 0 || strcmp(card_type, "FRM") == 0;
}

const char *
fx_parent(struct lp_arena *arena, const char *aid)
{
    const char *dash = strrchr(aid, '-');

    return dash == NULL ? "" : lp_arena_strndup(arena, aid, (size_t)(dash - aid));
}

char
fx_port_letter(const char *aid)
{
    const char *dash = strrchr(aid, '-');
    char first = dash != NULL ? dash[1] : '\0';

    return first >= 'A' && first <= 'Z' ? first : '\0';
}

bool
fx_port_class(const char *aid, enum fx_class *object)
{
    char letter = fx_port_letter(aid);

    *object = letter == 'L' ? FX_OTS : FX_SCG;
    return letter == 'L' || letter == 'T' || letter == 'S';
}

const char *
fx_remote_port(struct lp_arena *arena, const char *port)
{
    char *name;

    while (*port != '\0' && !isdigit((unsigned char)*port))
        port++;
    name = lp_arena_strdup(arena, port);
    for (char *at = name; at != NULL && *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at))
            *at = '-';
    }
    return name;
}

bool
fx_platform_is(const char *platform, const char *driver)
{
    const struct lp_driver *row = lp_driver_of(driver);

    return strcasecmp(platform, driver) == 0
           || (row != NULL && strcasecmp(platform, row->platform) == 0);
}

/* Platforms that call themselves by the serial number of their first chassis. */
static bool
known_by_serial(const char *platform)
{
    return fx_platform_is(platform, "infinera-g30") || fx_platform_is(platform, "infinera-flexils");
}

const char *
fx_remote_of(struct lp_arena *arena, const json_t *peer)
{
    const char *serial = lp_json_str(peer, "serial", NULL);
    const char *node = lp_json_str(peer, "node", "");

    if (serial != NULL && known_by_serial(lp_json_str(peer, "platform", "")))
        node = serial;
    return lp_arena_printf(arena, "%s/%s", node,
                           fx_remote_port(arena, lp_json_str(peer, "port", "")));
}

bool
fx_neighbour_is(const char *value, const char *node, const char *port)
{
    size_t len = strlen(node);

    if (strcmp(value, port) == 0)
        return true;
    return strncmp(value, node, len) == 0 && (value[len] == '/' || value[len] == '-')
           && strcmp(value + len + 1, port) == 0;
}

static bool
is_empty(const json_t *value)
{
    return value == NULL || json_is_null(value)
           || (json_is_string(value) && json_string_length(value) == 0)
           || (json_is_array(value) && json_array_size(value) == 0);
}

/* "lp.fir1/1-A-2-L1" and "1-A-2-L1" */
static bool
same_neighbour(const char *a, const char *b)
{
    const char *slash_a = strchr(a, '/'), *slash_b = strchr(b, '/');

    if (strcmp(a, b) == 0)
        return true;
    if (slash_a != NULL && slash_b == NULL)
        return strcmp(slash_a + 1, b) == 0;
    return slash_b != NULL && slash_a == NULL && strcmp(slash_b + 1, a) == 0;
}

/* "1-A-5-T2-1" and "1-A-5-T2-7": which super-channel of the port it is, is nobody's wish. */
static bool
same_port(const char *a, const char *b)
{
    size_t len_a, len_b;
    unsigned index;

    return lp_tl1_aid_split(a, &len_a, &index) && lp_tl1_aid_split(b, &len_b, &index)
           && len_a == len_b && strncmp(a, b, len_a) == 0;
}

bool
fx_same_value(const char *name, const json_t *a, const json_t *b)
{
    if (is_empty(a) || is_empty(b))
        return is_empty(a) && is_empty(b);
    if ((strcmp(name, "PROVNBROTS") == 0 || strcmp(name, "DISCNBROTS") == 0) && json_is_string(a)
        && json_is_string(b))
        return same_neighbour(json_string_value(a), json_string_value(b));
    if (strcmp(name, "REMENDPOINT") == 0 && json_is_string(a) && json_is_string(b))
        return same_port(json_string_value(a), json_string_value(b));
    return lp_json_same(a, b);
}

bool
fx_sch_on(const char *sch, const char *port)
{
    size_t len;
    unsigned index;

    return lp_tl1_aid_split(sch, &len, &index) && len == strlen(port)
           && strncmp(sch, port, len) == 0;
}

const char *
fx_suffix(struct lp_arena *arena, const char *name)
{
    char *suffix = lp_arena_strdup(arena, name);

    for (char *at = suffix; at != NULL && *at != '\0'; at++) {
        if (*at == ' ')
            *at = '_';
    }
    return suffix;
}
