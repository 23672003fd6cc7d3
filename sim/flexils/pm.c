/* Performance monitoring: power readings and counters, both derived from the model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/flexils/exec.h"

enum source { FROM_POWER_IN, FROM_POWER_OUT, FROM_LOSS, FROM_OUTAGE };
static const struct montype {
    enum sim_class cls;
    const char *name, *direction;
    enum source source;
} montypes[] = {
    {SIM_SCH, "OPR", "RCV", FROM_POWER_IN},   {SIM_SCH, "OPT", "TRMT", FROM_POWER_OUT},
    {SIM_SCG, "OPR", "RCV", FROM_POWER_IN},   {SIM_OTS, "OPR", "RCV", FROM_POWER_IN},
    {SIM_OTS, "OPT", "TRMT", FROM_POWER_OUT}, {SIM_OTS, "SPANLOSS", "RCV", FROM_LOSS},
    {SIM_OTS, "ES", "RCV", FROM_OUTAGE},      {SIM_OTS, "SES", "RCV", FROM_OUTAGE},
    {SIM_OTS, "UAS", "RCV", FROM_OUTAGE},
};

struct interval {
    int64_t from_us, to_us;
    bool current;
    const char *length;
};

static bool
one_of(const char *value, const char *a, const char *b, const char *c)
{
    return value[0] == '\0' || strcasecmp(value, a) == 0 || strcasecmp(value, b) == 0
           || strcasecmp(value, c) == 0;
}

static bool
level_valid(const char *level)
{
    size_t digits = strspn(level, "0123456789");

    return level[0] == '\0'
           || (digits > 0
               && (strcasecmp(level + digits, "-UP") == 0
                   || strcasecmp(level + digits, "-DN") == 0));
}

/* "03-14" and "09-15" of the node's clock: an earlier interval. */
static bool
interval_read(struct sim_exec *x, struct interval *out)
{
    const char *date = sim_x_value(x, 1, 5), *hour = sim_x_value(x, 1, 6);
    bool day = strcasecmp(sim_x_value(x, 1, 4), "1-DAY") == 0;
    int64_t length_us = (day ? INT64_C(86400) : 900) * 1000000;
    int64_t now = x->net->utc_us + x->node->clock_shift_us;
    struct tm tm;
    int month, dom, h = 0, m = 0;

    out->length = day ? "1-DAY" : "15-MIN";
    out->current = date[0] == '\0' && hour[0] == '\0';
    out->from_us = now - now % length_us;
    if (!out->current) {
        sim_clock(x->net, x->node, &tm);
        if (sscanf(date, "%2d-%2d", &month, &dom) == 2) {
            tm.tm_mon = month - 1;
            tm.tm_mday = dom;
        } else if (date[0] != '\0') {
            return sim_x_deny(x, "IDNV", "Input, Data Not Valid: mondat=%.16s", date);
        }
        if (hour[0] != '\0' && sscanf(hour, "%2d-%2d", &h, &m) != 2)
            return sim_x_deny(x, "IDNV", "Input, Data Not Valid: montm=%.16s", hour);
        tm.tm_hour = h;
        tm.tm_min = m;
        tm.tm_sec = 0;
        out->from_us = (int64_t)timegm(&tm) * 1000000;
        out->from_us -= out->from_us % length_us;
    }
    out->to_us = out->from_us + length_us;
    return true;
}

static bool
fields_check(struct sim_exec *x)
{
    static const char *const names[] = {"locn", "dirn", "tmper"};
    static const char *const words[][3] = {
        {"NEND", "FEND", "NA"}, {"RCV", "TRMT", "NA"}, {"15-MIN", "1-DAY", ""}};
    const char *type = sim_x_value(x, 1, 0);
    size_t i;

    for (i = 0; i < 3; i++)
        if (!one_of(sim_x_value(x, 1, i + 2), words[i][0], words[i][1], words[i][2]))
            return sim_x_deny(x, "IDNV", "Input, Data Not Valid: %s=%.32s", names[i],
                              sim_x_value(x, 1, i + 2));
    if (!level_valid(sim_x_value(x, 1, 1)))
        return sim_x_deny(x, "IDNV", "Input, Data Not Valid: monlev=%.32s", sim_x_value(x, 1, 1));
    for (i = 0; type[0] != '\0' && i < LP_COUNT(montypes); i++)
        if (montypes[i].cls == x->row->cls && strcasecmp(montypes[i].name, type) == 0)
            return true;
    return type[0] == '\0' || sim_x_deny(x, "IDNV", "Input, Data Not Valid: montype=%.32s", type);
}

static void
value_text(struct sim_exec *x, const struct montype *type, struct sim_obj *obj,
           const struct interval *when, char buf[static 16])
{
    int64_t shift = x->node->clock_shift_us;

    switch (type->source) {
    case FROM_POWER_IN:
    case FROM_POWER_OUT:
        sim_hundredths(sim_power(x->net, x->real, obj, type->source == FROM_POWER_OUT), buf);
        return;
    case FROM_LOSS:
        sim_hundredths(obj->span == NULL || obj->span->cut ? 0 : obj->span->loss_cdb, buf);
        return;
    case FROM_OUTAGE:
        snprintf(buf, 16, "%lld",
                 obj->span == NULL
                     ? 0LL
                     : (long long)sim_outage_s(x->net, obj->span, when->from_us - shift,
                                               when->to_us - shift));
        return;
    }
}

static bool
show_value(struct sim_exec *x, const struct montype *type, struct sim_obj *obj,
           const struct interval *when)
{
    char value[16];
    struct lp_tl1_param what[] = {{NULL, obj->aid, LP_TL1_BARE},
                                  {NULL, sim_class_names[obj->cls], LP_TL1_BARE}};
    struct lp_tl1_param fields[] = {{NULL, type->name, LP_TL1_BARE},
                                    {NULL, value, LP_TL1_BARE},
                                    {NULL, "CMPL", LP_TL1_BARE},
                                    {NULL, "NEND", LP_TL1_BARE},
                                    {NULL, type->direction, LP_TL1_BARE},
                                    {NULL, when->length, LP_TL1_BARE},
                                    {NULL, sim_x_value(x, 1, 5), LP_TL1_BARE},
                                    {NULL, sim_x_value(x, 1, 6), LP_TL1_BARE}};
    struct lp_tl1_block blocks[] = {{what, 2}, {fields, 8}};

    if (when->current && type->source == FROM_OUTAGE)
        fields[2].value = "PRTL"; /* the interval is not over */
    value_text(x, type, obj, when, value);
    return sim_x_record(x, blocks, 2);
}

bool
sim_read_pm(struct sim_exec *x)
{
    struct sim_obj *obj = sim_obj_seen(x->net, x->real, x->row->cls, sim_x_aid(x));
    const char *wanted = sim_x_value(x, 1, 0), *locn = sim_x_value(x, 1, 2);
    const char *dirn = sim_x_value(x, 1, 3);
    struct interval when = {.from_us = 0};
    size_t i;

    if (!sim_aid_valid(sim_x_aid(x)))
        return sim_x_deny(x, "IIAC", "Input, Invalid ACcess identifier: %.64s", sim_x_aid(x));
    if (obj == NULL)
        return sim_x_missing(x);
    if (!fields_check(x) || !interval_read(x, &when))
        return false;
    for (i = 0; i < LP_COUNT(montypes); i++) {
        const struct montype *type = &montypes[i];

        if (type->cls != x->row->cls || (wanted[0] != '\0' && strcasecmp(wanted, type->name) != 0)
            || strcasecmp(locn, "FEND") == 0
            || (dirn[0] != '\0' && strcasecmp(dirn, "NA") != 0
                && strcasecmp(dirn, type->direction) != 0)
            || (!when.current && type->source != FROM_OUTAGE)) /* powers are not kept */
            continue;
        if (!show_value(x, type, obj, &when))
            return false;
    }
    return x->reply->count > 0 || sim_x_deny(x, "SDNR", "Status, Data Not Ready");
}
