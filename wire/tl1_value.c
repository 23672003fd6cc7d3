/* Values: lists, types by name, states, AIDs. Types come from tables, never from the data. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "wire/tl1_internal.h"

bool
lp_tl1_item_next(const char *value, bool tuples, size_t *pos, struct lp_tl1_item *item)
{
    const char *at =
        value + (*pos > 0 ? *pos - 1 : 0); /* 0 is "not begun", so an offset is one more */

    item->before = LP_TL1_SEP_NONE;
    if (*at == '\0')
        return false;
    if (*pos > 0) {
        at++;
        item->before = LP_TL1_SEP_AND;
        if (*at == '&') {
            item->before = LP_TL1_SEP_RANGE;
            at++;
        } else if (tuples && *at == '-') {
            item->before = LP_TL1_SEP_TUPLE;
            at++;
        }
    }
    item->at = at;
    item->len = strcspn(at, "&");
    *pos = (size_t)(at - value) + item->len + 1;
    return true;
}

/* ---- types ---- */

static const struct {
    const char *name;
    enum lp_tl1_type type;
} types[] = {
    {"PASSBANDLIST", LP_TL1_INTS},
    {"ACTIVEPASSBANDLIST", LP_TL1_INTS},
    {"POSSIBLEPASSBANDLIST", LP_TL1_INTS},
    {"PROVPBLIST", LP_TL1_INTS},
    {"CARRIERLIST", LP_TL1_INTS},
    {"VALIDFRANGELIST", LP_TL1_INT_TUPLES},
    {"AVAILFREQRANGELIST", LP_TL1_INT_TUPLES},
    {"EXPLICITROUTE", LP_TL1_TEXT_TUPLES},
    {"FREQSLOTLIST", LP_TL1_TEXTS},
    {"POSSIBLEFREQSLOTLIST", LP_TL1_TEXTS},
    {"VALIDFSLOTLIST", LP_TL1_TEXTS},
    {"PREFSUPCHLIST", LP_TL1_TEXTS},
    {"PREFOELLIST", LP_TL1_TEXTS},
    {"INCLIST", LP_TL1_TEXTS},
    {"EXCLIST", LP_TL1_TEXTS},
    {"RESTINCLIST", LP_TL1_TEXTS},
    {"RESTEXCLIST", LP_TL1_TEXTS},
    {"SCHTHPROFLIST", LP_TL1_TEXTS},
    {"SRCSCHTHPROFLIST", LP_TL1_TEXTS},
    {"DSTSCHTHPROFLIST", LP_TL1_TEXTS},
    {"PROVSUPPORTINGCARRGRPLIST", LP_TL1_TEXTS},
    {"RXEQPTLIST", LP_TL1_TEXTS},
    {"TXEQPTLIST", LP_TL1_TEXTS},
    {"COMPCARDTYPELIST", LP_TL1_TEXTS},
    {"TARGETOPR", LP_TL1_DECIMAL},
    {"SCHOFFSET", LP_TL1_DECIMAL},
    {"RXSCHOFFSET", LP_TL1_DECIMAL},
    {"SRCRXSCHOFFSET", LP_TL1_DECIMAL},
    {"DSTRXSCHOFFSET", LP_TL1_DECIMAL},
    {"COST", LP_TL1_DECIMAL},
};

static bool
ends_with(const char *text, const char *tail)
{
    size_t len = strlen(text), tail_len = strlen(tail);

    return len >= tail_len && strcasecmp(text + len - tail_len, tail) == 0;
}

enum lp_tl1_type
lp_tl1_type_of(const char *name)
{
    for (size_t i = 0; i < LP_COUNT(types); i++)
        if (strcasecmp(types[i].name, name) == 0)
            return types[i].type;
    if (ends_with(name, "THPROFLIST"))
        return LP_TL1_TEXTS;
    return ends_with(name, "POWEROFFSET") ? LP_TL1_DECIMAL : LP_TL1_TEXT;
}

static bool
item_int(const struct lp_tl1_item *item, int64_t *out)
{
    size_t i = item->len > 0 && item->at[0] == '-' ? 1 : 0;
    int64_t value = 0;

    if (i == item->len || item->len - i > 18)
        return false;
    for (size_t at = i; at < item->len; at++) {
        if (item->at[at] < '0' || item->at[at] > '9')
            return false;
        value = value * 10 + (item->at[at] - '0');
    }
    *out = i == 1 ? -value : value;
    return true;
}

enum lp_code
lp_tl1_ints(const char *value, int64_t *out, size_t max, size_t *count, struct lp_err *err)
{
    struct lp_tl1_item item;
    size_t pos = 0;

    *count = 0;
    while (lp_tl1_item_next(value, false, &pos, &item)) {
        if (*count == max)
            return lp_fail(err, LP_PROTOCOL, "more than %zu numbers in '%.80s'", max, value);
        if (item.before == LP_TL1_SEP_RANGE || !item_int(&item, &out[*count]))
            return lp_fail(err, LP_PROTOCOL, "'%.80s' is no list of integers", value);
        (*count)++;
    }
    return LP_OK;
}

enum lp_code
lp_tl1_pairs(const char *value, int64_t (*out)[2], size_t max, size_t *count, struct lp_err *err)
{
    struct lp_tl1_item item;
    size_t pos = 0, n = 0;

    *count = 0;
    while (lp_tl1_item_next(value, true, &pos, &item)) {
        bool starts = n % 2 == 0;

        if (n / 2 == max)
            return lp_fail(err, LP_PROTOCOL, "more than %zu pairs in '%.80s'", max, value);
        if (item.before == LP_TL1_SEP_RANGE || (item.before == LP_TL1_SEP_TUPLE && !starts)
            || !item_int(&item, &out[n / 2][n % 2]))
            return lp_fail(err, LP_PROTOCOL, "'%.80s' is no list of pairs of integers", value);
        n++;
    }
    if (n % 2 != 0)
        return lp_fail(err, LP_PROTOCOL, "'%.80s' is no list of pairs of integers", value);
    *count = n / 2;
    return LP_OK;
}

enum lp_code
lp_tl1_hundredths(const char *value, int32_t *out, struct lp_err *err)
{
    const char *p = value;
    bool minus = *p == '-';
    int64_t n = 0;
    unsigned digits = 0, decimals = 0;
    bool up = false;

    if (*p == '-' || *p == '+')
        p++;
    for (; *p >= '0' && *p <= '9' && n < 10000000; p++, digits++)
        n = n * 10 + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, decimals++, digits++) {
            if (decimals < 2)
                n = n * 10 + (*p - '0');
            else if (decimals == 2)
                up = *p >= '5';
        }
    if (digits == 0 || *p != '\0')
        return lp_fail(err, LP_PROTOCOL, "'%.40s' is no decimal number", value);
    for (; decimals < 2; decimals++)
        n *= 10;
    n += up ? 1 : 0;
    if (n > INT32_MAX)
        return lp_fail(err, LP_PROTOCOL, "'%.40s' is out of range", value);
    *out = (int32_t)(minus ? -n : n);
    return LP_OK;
}

/* ---- JSON ---- */

json_t *
tl1_json_text(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    json_t *string;

    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < len;) {
        size_t n = lp_utf8_sequence(text + i, len - i);

        if (n == 0 || text[i] == '\0')
            copy[i++] = '?';
        else
            while (n-- > 0) {
                copy[i] = text[i];
                i++;
            }
    }
    copy[len] = '\0';
    string = json_stringn_nocheck(copy, len);
    free(copy);
    return string;
}

static json_t *
item_json(const struct lp_tl1_item *item, bool integers)
{
    int64_t n;

    if (!integers)
        return tl1_json_text(item->at, item->len);
    return item_int(item, &n) ? json_integer(n) : NULL;
}

/* The list as one flat array or an array of tuples; NULL when it does not fit. */
static json_t *
list_json(const char *value, bool tuples, bool integers)
{
    json_auto_t *list = json_array(), *tuple = tuples ? json_array() : NULL;
    struct lp_tl1_item item;
    size_t pos = 0;

    while (lp_tl1_item_next(value, tuples, &pos, &item)) {
        json_t *into = tuples ? tuple : list, *entry = item_json(&item, integers);

        if (item.before == LP_TL1_SEP_TUPLE) {
            if (json_array_append(list, tuple) != 0) {
                json_decref(entry);
                return NULL;
            }
            json_decref(tuple);
            into = tuple = json_array();
        }
        if (item.before == LP_TL1_SEP_RANGE) {
            size_t last = json_array_size(into) - 1;
            json_t *range = json_pack("{s:O,s:o}", "from", json_array_get(into, last), "to", entry);

            if (json_array_set_new(into, last, range) != 0)
                return NULL;
        } else if (json_array_append_new(into, entry) != 0) {
            return NULL;
        }
    }
    if (tuples && json_array_size(tuple) > 0 && json_array_append(list, tuple) != 0)
        return NULL;
    return json_incref(list);
}

json_t *
lp_tl1_value_json(const char *name, const char *value)
{
    enum lp_tl1_type type = name == NULL ? LP_TL1_TEXT : lp_tl1_type_of(name);
    bool tuples = type == LP_TL1_INT_TUPLES || type == LP_TL1_TEXT_TUPLES;
    bool integers = type == LP_TL1_INTS || type == LP_TL1_INT_TUPLES;
    json_t *list = NULL;

    if (type != LP_TL1_TEXT && type != LP_TL1_DECIMAL)
        list = list_json(value, tuples, integers);
    return list != NULL ? list : tl1_json_text(value, strlen(value));
}

static int
add_named(json_t *named, json_t *repeated, const struct lp_tl1_param *param)
{
    if (json_object_get(named, param->name) != NULL)
        return json_array_append_new(repeated, json_string(param->name));
    return json_object_set_new(named, param->name, lp_tl1_value_json(param->name, param->value));
}

json_t *
lp_tl1_record_json(const struct lp_tl1_record *record)
{
    json_auto_t *out = json_object();
    json_auto_t *blocks = json_array(), *named = json_object(), *repeated = json_array();
    int bad = 0;

    for (size_t b = 0; b < record->count && bad == 0; b++) {
        json_t *block = json_array();

        bad |= json_array_append_new(blocks, block);
        for (size_t i = 0; i < record->blocks[b].count && bad == 0; i++) {
            const struct lp_tl1_param *param = &record->blocks[b].params[i];

            bad |= param->name != NULL
                       ? add_named(named, repeated, param)
                       : json_array_append_new(block,
                                               tl1_json_text(param->value, strlen(param->value)));
        }
    }
    bad |= json_object_set(out, "positional", blocks) | json_object_set(out, "named", named);
    if (json_array_size(repeated) > 0)
        bad |= json_object_set(out, "repeated", repeated);
    return bad == 0 ? json_incref(out) : NULL;
}

/* ---- state ---- */

static bool
has_word(const char *words, size_t len, const char *word)
{
    size_t n = strlen(word);

    for (size_t at = 0; at < len;) {
        size_t span = 0;

        while (at + span < len && words[at + span] != '&' && words[at + span] != '-')
            span++;
        if (span == n && strncasecmp(words + at, word, n) == 0)
            return true;
        at += span + 1;
    }
    return false;
}

enum lp_tl1_admin
lp_tl1_record_admin(const struct lp_tl1_record *record)
{
    const char *state = lp_tl1_record_state(record);
    const struct lp_tl1_block *block =
        record->count < 2 ? NULL : &record->blocks[record->count - 1];
    size_t primary = strcspn(state, "-");
    const char *qualifier = state[primary] == '-' ? state + primary + 1 : "";
    bool out_of = primary == 3 && strncasecmp(state, "OOS", 3) == 0;

    if (!out_of && !(primary == 2 && strncasecmp(state, "IS", 2) == 0))
        return LP_TL1_ADMIN_UNKNOWN;
    for (size_t i = 1; i < block->count; i++)
        if (has_word(block->params[i].value, strlen(block->params[i].value), "MT"))
            return LP_TL1_ADMIN_MT;
    if (out_of
        && (*qualifier == '\0' || strcasecmp(qualifier, "MA") == 0
            || strcasecmp(qualifier, "AUMA") == 0))
        return LP_TL1_ADMIN_OOS;
    return LP_TL1_ADMIN_IS;
}

/* ---- AIDs ---- */

bool
lp_tl1_aid_split(const char *aid, size_t *port_len, unsigned *index)
{
    const char *dash = strrchr(aid, '-');
    size_t digits = dash == NULL ? 0 : strspn(dash + 1, "0123456789");

    if (dash == NULL || dash == aid || digits == 0 || digits > 5 || dash[1 + digits] != '\0')
        return false;
    *port_len = (size_t)(dash - aid);
    *index = (unsigned)strtoul(dash + 1, NULL, 10);
    return true;
}

bool
lp_tl1_aid_under(const char *aid, const char *parent)
{
    size_t len = strlen(parent);

    return len > 0 && strncmp(aid, parent, len) == 0 && (aid[len] == '\0' || aid[len] == '-');
}
