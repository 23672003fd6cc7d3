/* What RTRV answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/flexils/exec.h"

#define OEL_SHOWN 64 /* characters of an OEL's name that a circuit shows */

static struct lp_tl1_param
bare(const char *value)
{
    return (struct lp_tl1_param){NULL, value, LP_TL1_BARE};
}

static struct lp_tl1_param
named(const char *name, const char *value)
{
    return (struct lp_tl1_param){name, value, value[0] == '\0' ? LP_TL1_BARE : LP_TL1_AUTO};
}

/* ---- attributes ---- */

/* The end of a fiber that lies on the other side, seen from an object or a copy of it. */
static int
far_end(const struct sim_exec *x, const struct sim_obj *port)
{
    const struct sim_span *span = port->span;

    return span->node[0]->index == x->node->index && strcmp(span->port[0]->aid, port->aid) == 0 ? 1
                                                                                                : 0;
}

/* What the other end of the fiber tells about itself over the supervisory channel. */
static const char *
discovered(const struct sim_exec *x, const struct sim_obj *port, char *buf, size_t size)
{
    const struct sim_span *span = port->span;
    int far;

    if (span == NULL || span->cut)
        return "";
    far = far_end(x, port);
    snprintf(buf, size, "%s/%s", span->node[far]->name, span->port[far]->aid);
    return buf;
}

const char *
sim_attr_text(const struct sim_exec *x, const struct sim_obj *obj, const struct sim_attr *attr,
              char *buf, size_t size)
{
    const char *text = sim_obj_get(obj, attr->name);

    if (obj->cls == SIM_OTS && strcmp(attr->name, "DISCNBROTS") == 0)
        return text[0] != '\0' ? text : discovered(x, obj, buf, size);
    if (obj->cls == SIM_SCH && strcmp(attr->name, "TARGETOPR") == 0) {
        char number[16];

        sim_hundredths(sim_target(x->net, x->node, obj), number);
        snprintf(buf, size, "%s", number);
        return buf;
    }
    if (obj->cls == SIM_OSNC && strcmp(attr->name, "LOCENDPOINT") == 0)
        return obj->aid;
    if (obj->cls == SIM_OSNC && strcmp(attr->name, "OELAID") == 0) {
        snprintf(buf, size, "%.*s", OEL_SHOWN, text);
        return buf;
    }
    if ((attr->flags & SIM_F_PAST) != 0 && text[0] != '\0') {
        snprintf(buf, size, "%sD", text);
        return buf;
    }
    return text;
}

/* ---- stored objects ---- */

#define MAX_SHOWN 80 /* attributes of one class */

struct shown {
    struct lp_tl1_param params[MAX_SHOWN];
    char scratch[8][256]; /* derived texts */
    size_t count, used;
};

static bool
is_set(const struct sim_obj *obj, const struct sim_attr *attr)
{
    size_t i;

    for (i = 0; i < obj->value_count; i++)
        if (obj->values[i].attr == attr)
            return true;
    return false;
}

static void
show_attrs(const struct sim_exec *x, const struct sim_obj *obj, struct shown *out)
{
    size_t count, i;
    const struct sim_attr *first = sim_attr_first((enum sim_class)obj->cls, &count);

    out->count = out->used = 0;
    for (i = 0; i < count && out->count < MAX_SHOWN; i++) {
        char *scratch = out->scratch[out->used];
        const char *text;

        if ((first[i].flags & SIM_F_SHOW) == 0 && !is_set(obj, &first[i]))
            continue;
        text = sim_attr_text(x, obj, &first[i], scratch, sizeof out->scratch[0]);
        if (text == scratch && out->used + 1 < LP_COUNT(out->scratch))
            out->used++;
        out->params[out->count] = named(first[i].name, text);
        if ((first[i].flags & SIM_F_QUOTE) != 0)
            out->params[out->count].form = LP_TL1_QUOTED;
        out->count++;
    }
}

static const char *
type_word(const struct sim_obj *obj)
{
    switch ((enum sim_class)obj->cls) {
    case SIM_EQPT:
        return obj->word != NULL ? obj->word : "";
    case SIM_OCRS:
        return "2WAY";
    case SIM_OSNC:
    case SIM_RFILE:
    case SIM_FXFR:
        return "";
    case SIM_OTS:
    case SIM_SCG:
    case SIM_SCH:
    case SIM_OEL:
    case SIM_OTEINTF:
    case SIM_OTELINK:
    case SIM_TEINTF:
    case SIM_TELINK:
    case SIM_TOPONODE:
    case SIM_CTRLLINK:
    case SIM_TIDMAP:
    case SIM_SYS:
    case SIM_CLASS_COUNT:
        break;
    }
    return sim_class_names[obj->cls];
}

/* "OOS-MA,MT": primary state and secondary states are two values. */
struct state_words {
    char primary[16];
    struct lp_tl1_param params[2];
    size_t count;
};

static void
state_words(const struct sim_obj *obj, struct state_words *out)
{
    const char *state = sim_obj_state(obj), *comma = strchr(state, ',');

    snprintf(out->primary, sizeof out->primary, "%.*s", (int)strcspn(state, ","), state);
    out->params[0] = bare(out->primary);
    out->params[1] = bare(comma == NULL ? "" : comma + 1);
    out->count = comma == NULL ? 1 : 2;
}

static bool
show_object(struct sim_exec *x, const struct sim_obj *obj)
{
    struct shown shown;
    struct state_words state;
    char from[128];
    struct lp_tl1_param aids[2] = {bare(obj->aid), bare("")}, type = bare(type_word(obj));
    struct lp_tl1_block blocks[4] = {{aids, 1}, {&type, 1}, {NULL, 0}, {state.params, 1}};
    const char *comma = obj->cls == SIM_OCRS ? strchr(obj->aid, ',') : NULL;
    bool file = obj->cls == SIM_RFILE || obj->cls == SIM_FXFR;

    if (comma != NULL) {
        snprintf(from, sizeof from, "%.*s", (int)(comma - obj->aid), obj->aid);
        aids[0] = bare(from);
        aids[1] = bare(comma + 1);
        blocks[0].count = 2;
    }
    if (obj->cls == SIM_RFILE)
        aids[0] = bare(sim_obj_get(obj, "TYPE"));
    state_words(obj, &state);
    blocks[3].count = state.count;
    show_attrs(x, obj, &shown);
    blocks[2] = (struct lp_tl1_block){shown.params, shown.count};
    return sim_x_record(x, blocks, file ? 3 : 4);
}

/* ---- filters ---- */

static bool
filter_word(const struct sim_exec *x, const struct sim_obj *obj)
{
    const char *wanted = sim_x_value(x, 1, 0);

    if (wanted[0] == '\0')
        return true;
    if (obj->cls == SIM_EQPT)
        return strcasecmp(wanted, type_word(obj)) == 0;
    return strcasecmp(wanted, sim_card_type(x->node, obj->aid)) == 0;
}

static bool
filter_named(const struct sim_exec *x, const struct sim_obj *obj)
{
    const struct lp_tl1_block *block;
    size_t i;

    if (x->command->block_count < 3)
        return true;
    block = &x->command->blocks[2];
    for (i = 0; i < block->count; i++) {
        char buf[256];
        const struct sim_attr *attr =
            block->params[i].name == NULL
                ? NULL
                : sim_attr_find((enum sim_class)obj->cls, block->params[i].name);

        if (attr != NULL
            && strcasecmp(sim_attr_text(x, obj, attr, buf, sizeof buf), block->params[i].value)
                   != 0)
            return false;
    }
    return true;
}

/* Names that the command does not filter by are refused, not ignored. */
static bool
filters_known(struct sim_exec *x)
{
    const struct lp_tl1_block *block;
    size_t i;

    for (i = 0; x->command->block_count > 2 && i < x->command->blocks[2].count; i++) {
        char word[LP_TL1_NAME_MAX + 3];

        block = &x->command->blocks[2];
        if (block->params[i].name == NULL) {
            if (block->params[i].value[0] == '\0')
                continue;
            return sim_x_deny(x, "IPNV", "Input, Parameter Not Valid: %.64s",
                              block->params[i].value);
        }
        snprintf(word, sizeof word, "|%s|", block->params[i].name);
        if (strcasestr(x->row->filters, word) == NULL)
            return sim_x_deny(x, "IPNV", "Input, Parameter Not Valid: %s", block->params[i].name);
    }
    return true;
}

static bool
aid_joined(struct sim_exec *x, char *out, size_t size)
{
    const struct lp_tl1_block *aids = &x->command->aids;

    if (x->row->cls != SIM_OCRS) {
        snprintf(out, size, "%s", sim_x_aid(x));
        return true;
    }
    if (aids->count != 2)
        return sim_x_deny(x, "IIAC", "Input, Invalid ACcess identifier: FROM,TO");
    snprintf(out, size, "%.120s,%.120s", aids->params[0].value, aids->params[1].value);
    return true;
}

bool
sim_read_objects(struct sim_exec *x)
{
    const struct sim_list *list = &x->node->objs[x->row->cls];
    size_t i, count = 0;
    char aid[256];

    if (!filters_known(x))
        return false;
    if (sim_x_aid(x)[0] != '\0') {
        const struct sim_obj *obj;

        if (!aid_joined(x, aid, sizeof aid))
            return false;
        if (x->row->cls < SIM_OEL && x->row->cls != SIM_OCRS && !sim_aid_valid(aid))
            return sim_x_deny(x, "IIAC", "Input, Invalid ACcess identifier: %.64s", aid);
        obj = sim_obj_seen(x->net, x->node, x->row->cls, aid);
        return obj == NULL || !filter_word(x, obj) || !filter_named(x, obj) ? sim_x_missing(x)
                                                                            : show_object(x, obj);
    }
    for (i = 0; i < list->count; i++)
        if (sim_obj_visible(x->net, list->at[i]) && filter_word(x, list->at[i])
            && filter_named(x, list->at[i])) {
            if (!show_object(x, list->at[i]))
                return false;
            count++;
        }
    return count > 0 || sim_x_missing(x);
}

bool
sim_read_nothing(struct sim_exec *x)
{
    return sim_x_missing(x); /* a line system has no digital TE interfaces */
}

/* ---- TE interfaces and links ---- */

static void
osc_name(const struct sim_obj *port, char *buf, size_t size)
{
    char *last;

    snprintf(buf, size, "%s", port->aid);
    last = strrchr(buf, '-');
    if (last != NULL && last[1] == 'L')
        last[1] = 'O';
}

bool
sim_read_oteintf(struct sim_exec *x)
{
    size_t i, count = 0;

    for (i = 0; x->node->roadm && i < x->node->objs[SIM_OTS].count; i++) {
        const struct sim_obj *port = x->node->objs[SIM_OTS].at[i];
        char osc[64];
        struct lp_tl1_param aid, type, gcc;
        struct state_words state;
        struct lp_tl1_block blocks[] = {{&aid, 1}, {&type, 1}, {&gcc, 1}, {state.params, 1}};

        state_words(port, &state);
        blocks[3].count = state.count;
        osc_name(port, osc, sizeof osc);
        aid = bare(port->word == NULL ? osc : port->word);
        type = bare(port->word == NULL ? "OSC" : "OTS");
        gcc = named("ASSOCGCC", port->word == NULL ? "" : osc);
        if (sim_x_aid(x)[0] != '\0' && strcmp(sim_x_aid(x), aid.value) != 0)
            continue;
        if (!sim_x_record(x, blocks, 4))
            return false;
        count++;
    }
    return count > 0 || sim_x_missing(x);
}

static bool
show_link(struct sim_exec *x, const struct sim_link *link, int side, bool local)
{
    char aid[160], mate[160] = "";
    struct lp_buf ranges = LP_BUF_INIT;
    struct lp_tl1_param name = bare(aid), named_values[3], nothing = bare(""),
                        state = bare(sim_link_up(link) ? "IS-NR" : "OOS-AU");
    struct lp_tl1_block blocks[] = {{&name, 1}, {&nothing, 1}, {named_values, 3}, {&state, 1}};
    bool ok;

    snprintf(aid, sizeof aid, "%s-%s", link->node[side]->name, link->port[side]->aid);
    if (link->port[1 - side] != NULL)
        snprintf(mate, sizeof mate, "%s-%s", link->node[1 - side]->name, link->port[1 - side]->aid);
    if (sim_x_aid(x)[0] != '\0' && strcmp(sim_x_aid(x), aid) != 0)
        return true;
    sim_link_free_text(link, &ranges);
    named_values[0] = named("MATETELINK", mate);
    named_values[1] = named("REACHSCOPE", local ? "Local" : "Network");
    named_values[2] = named("AVAILFREQRANGELIST", ranges.data == NULL ? "" : ranges.data);
    ok = !ranges.failed && sim_x_record(x, blocks, 4);
    lp_buf_free(&ranges);
    return ok;
}

static bool
same_area(const struct sim_node *a, const struct sim_node *b)
{
    return strcmp(a->area, b->area) == 0;
}

/* Ends of a link that the element tells about: its own, and with copies all of its area. */
static bool
show_link_ends(struct sim_exec *x, const struct sim_link *link, bool local)
{
    int side;

    for (side = 0; side < 2; side++) {
        const struct sim_node *node = link->node[side];

        if (node == NULL || (node->index == x->node->index) != local
            || (!local && !same_area(node, x->node)))
            continue;
        if (!show_link(x, link, side, local))
            return false;
    }
    return true;
}

bool
sim_read_otelink(struct sim_exec *x)
{
    size_t i;

    for (i = 0; i < x->node->link_count; i++)
        if (!show_link_ends(x, x->node->links[i], true))
            return false;
    for (i = 0; x->node->roadm && x->net->options.te_copies && i < x->net->link_count; i++)
        if (!show_link_ends(x, &x->net->links[i], false))
            return false;
    return x->reply->count > 0 || sim_x_missing(x);
}

/* ---- who is there ---- */

bool
sim_read_toponode(struct sim_exec *x)
{
    size_t i;

    for (i = 0; i < x->net->node_count; i++) {
        const struct sim_node *node = &x->net->nodes[i];
        struct lp_tl1_param aid = bare(node->name), nothing = bare(""), values[2];
        struct lp_tl1_block blocks[] = {{&aid, 1}, {&nothing, 1}, {values, 2}};

        if (!same_area(node, x->node)
            || (sim_x_aid(x)[0] != '\0' && strcmp(sim_x_aid(x), node->name) != 0))
            continue;
        values[0] = named("NENAME", node->name);
        values[1] = named("ROUTERID", node->router_id);
        if (!sim_x_record(x, blocks, 3))
            return false;
    }
    return x->reply->count > 0 || sim_x_missing(x);
}

static bool
show_ctrllink(struct sim_exec *x, const struct sim_obj *port, const struct sim_span *span)
{
    int far = far_end(x, port);
    unsigned number = (unsigned)(span - x->net->spans);
    char aid[128], osc[64], here[24], there[24];
    struct lp_tl1_param name = bare(aid), nothing = bare(""), values[6],
                        state = bare(span->cut ? "OOS-AU" : "IS-NR");
    struct lp_tl1_block blocks[] = {{&name, 1}, {&nothing, 1}, {values, 6}, {&state, 1}};

    osc_name(port, osc, sizeof osc);
    snprintf(aid, sizeof aid, "%s-%s", x->node->name, osc);
    snprintf(here, sizeof here, "10.254.%u.%u", number / 120, number % 120 * 2 + 1 + (far == 0));
    snprintf(there, sizeof there, "10.254.%u.%u", number / 120, number % 120 * 2 + 1 + (far == 1));
    values[0] = named("ROUTERID", x->node->router_id);
    values[1] = named("RMTROUTERID", span->node[far]->router_id);
    values[2] = named("COST", "10");
    values[3] = named("REACHSCOPE", "Local");
    values[4] = named("INTIPADDR", here);
    values[5] = named("RMTINTIPADDR", there);
    return sim_x_record(x, blocks, 4);
}

bool
sim_read_ctrllink(struct sim_exec *x)
{
    size_t i;

    for (i = 0; i < x->node->objs[SIM_OTS].count; i++) {
        const struct sim_obj *port = x->node->objs[SIM_OTS].at[i];

        if (port->span != NULL && !show_ctrllink(x, port, port->span))
            return false;
    }
    return x->reply->count > 0 || sim_x_missing(x);
}

bool
sim_read_tidmap(struct sim_exec *x)
{
    size_t i;

    for (i = 0; i < x->net->node_count; i++) {
        const struct sim_node *node = &x->net->nodes[i];
        struct lp_tl1_param none[2] = {bare(""), bare("")}, values[2];
        struct lp_tl1_block blocks[] = {{&none[0], 1}, {&none[1], 1}, {values, 2}};

        if (node->index == x->node->index || !same_area(node, x->node))
            continue;
        values[0] = named("TID", node->name);
        values[1] = named("ROUTERID", node->router_id);
        if (!sim_x_record(x, blocks, 3))
            return false;
    }
    return x->reply->count > 0 || sim_x_missing(x);
}

bool
sim_read_sys(struct sim_exec *x)
{
    struct lp_tl1_param aid = bare(x->node->name), nothing = bare(""), end = bare(""), values[2];
    struct lp_tl1_block blocks[] = {{&aid, 1}, {&nothing, 1}, {values, 2}, {&end, 1}};

    values[0] = named("NETYPE", x->node->kind);
    values[1] = named("SWVERSION", x->node->release);
    return sim_x_record(x, blocks, 4);
}

bool
sim_read_header(struct sim_exec *x)
{
    x->reply->completion = LP_TL1_COMPLD;
    return true;
}

bool
sim_read_security(struct sim_exec *x)
{
    char sessions[24], bad[24], lock[24];
    struct lp_tl1_param aid = bare(""), nothing = bare(""), values[3];
    struct lp_tl1_block blocks[] = {{&aid, 1}, {&nothing, 1}, {values, 3}};

    snprintf(sessions, sizeof sessions, "%lld", (long long)x->net->options.max_sessions);
    snprintf(bad, sizeof bad, "%lld", (long long)x->net->options.bad_logins);
    snprintf(lock, sizeof lock, "%lld", (long long)x->net->options.lockout_ms / 1000);
    values[0] = named("MAXSESS", sessions);
    values[1] = named("MXINV", bad);
    values[2] = named("DURAL", lock);
    return sim_x_record(x, blocks, 3);
}

/* ---- alarms ---- */

/* The filters of a RTRV-ALM: notification code, condition, effect, location, direction. */
static bool
alarm_wanted(const struct sim_exec *x, const struct sim_alarm *alarm)
{
    const char *is[5] = {alarm->severity, alarm->condition, alarm->effect, "NEND",
                         alarm->direction};
    size_t i;

    if (strcmp(alarm->severity, "NA") == 0 && strncmp(x->row->code, "RTRV-ALM", 8) == 0)
        return false; /* a condition without notification */
    if (x->row->cls != SIM_CLASS_COUNT && strcmp(alarm->type, sim_class_names[x->row->cls]) != 0)
        return false;
    if (sim_x_aid(x)[0] != '\0' && strcmp(sim_x_aid(x), alarm->aid) != 0)
        return false;
    for (i = 0; i < 5; i++) {
        const char *wanted = sim_x_value(x, 1, i);

        if (wanted[0] != '\0' && strcasecmp(wanted, is[i]) != 0)
            return false;
    }
    return true;
}

bool
sim_read_alarms(struct sim_exec *x)
{
    size_t i;

    for (i = 0; i < x->real->alarm_count; i++)
        if (alarm_wanted(x, &x->real->alarms[i])) {
            sim_alarm_record(x->net, x->real, &x->real->alarms[i], false, &x->reply->records);
            lp_buf_char(&x->reply->records, '\n');
            x->reply->count++;
        }
    return true;
}
