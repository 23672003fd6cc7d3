#include "steps/texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "products/coord.h"

static bool
micro_degrees(const char *field)
{
    size_t len = field == NULL ? 0 : strlen(field);

    return len > 5 && strcmp(field + len - 5, "_udeg") == 0;
}

const char *
lp_text_name(const char *field, char buf[static LP_TEXT_MAX])
{
    if (!micro_degrees(field))
        return field;
    (void)snprintf(buf, LP_TEXT_MAX, "%.*s", (int)strlen(field) - 5, field);
    return buf;
}

void
lp_text_value(const char *field, const json_t *value, char buf[static LP_TEXT_MAX])
{
    char coord[LP_COORD_TEXT];
    char *text;

    if (value == NULL || json_is_null(value)) {
        (void)snprintf(buf, LP_TEXT_MAX, "nothing");
    } else if (json_is_string(value)) {
        (void)snprintf(buf, LP_TEXT_MAX, "%s", json_string_value(value));
    } else if (json_is_integer(value) && micro_degrees(field)) {
        lp_coord_text(json_integer_value(value), coord);
        (void)snprintf(buf, LP_TEXT_MAX, "%s", coord);
    } else {
        text = lp_json_text(value);
        (void)snprintf(buf, LP_TEXT_MAX, "%s", text == NULL ? "?" : text);
        free(text);
    }
}

void
lp_text_loc(const json_t *loc, char buf[static LP_TEXT_MAX])
{
    const json_t *part;
    size_t used = 0, i;

    *buf = '\0';
    json_array_foreach(loc, i, part)
    {
        if (used >= LP_TEXT_MAX)
            return;
        if (json_is_string(part))
            used += (size_t)snprintf(buf + used, LP_TEXT_MAX - used, "%s%s", i == 0 ? "" : ".",
                                     json_string_value(part));
        else
            used += (size_t)snprintf(buf + used, LP_TEXT_MAX - used, "[%lld]",
                                     (long long)json_integer_value(part));
    }
}

json_t *
lp_text_share(const json_t *value)
{
    json_t *list = json_pack("[O]", value);
    json_t *shared = json_incref(json_array_get(list, 0));

    json_decref(list);
    return shared;
}
