/* Alarms, events and reports of change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "sim/flexils/net.h"
#include "wire/tl1.h"

#define HIGH_LOSS_CDB SIM_GAIN_MAX_CDB

/* What the model itself raises. */
enum cause { CAUSE_NO_LIGHT, CAUSE_HIGH_LOSS, CAUSE_CIRCUIT_DOWN };
static const struct cause_info {
    enum sim_class cls;
    const char *severity, *condition, *effect, *direction, *text;
} causes[] = {
    [CAUSE_NO_LIGHT] = {SIM_OTS, "CR", "OLOS", "SA", "RCV", "Optical Loss of Signal"},
    [CAUSE_HIGH_LOSS] = {SIM_OTS, "MN", "SPANLOSS-HI", "NSA", "RCV", "Span loss above range"},
    [CAUSE_CIRCUIT_DOWN] = {SIM_OSNC, "MJ", "OSNC-DOWN", "SA", "RCV", "Circuit is out of service"},
};

static void
alarm_clear(struct sim_alarm *alarm)
{
    free(alarm->aid);
    free(alarm->text);
}

void
sim_alarms_free(struct sim_node *node)
{
    size_t i;

    for (i = 0; i < node->alarm_count; i++)
        alarm_clear(&node->alarms[i]);
    free(node->alarms);
    node->alarms = NULL;
    node->alarm_count = 0;
}

static struct sim_alarm *
alarm_find(struct sim_node *node, const char *aid, const char *condition)
{
    size_t i;

    for (i = 0; i < node->alarm_count; i++)
        if (strcmp(node->alarms[i].aid, aid) == 0
            && strcmp(node->alarms[i].condition, condition) == 0)
            return &node->alarms[i];
    return NULL;
}

static struct sim_alarm *
alarm_add(struct sim_node *node, const struct sim_alarm *model)
{
    struct sim_alarm *grown = reallocarray(node->alarms, node->alarm_count + 1, sizeof *grown);
    struct sim_alarm *alarm;

    if (grown == NULL)
        return NULL;
    node->alarms = grown;
    alarm = &grown[node->alarm_count];
    *alarm = *model;
    alarm->aid = strdup(model->aid);
    alarm->text = strdup(model->text);
    if (alarm->aid == NULL || alarm->text == NULL) {
        alarm_clear(alarm);
        return NULL;
    }
    node->alarm_count++;
    return alarm;
}

static const char *
alarm_code(const char *severity)
{
    if (strcmp(severity, "CR") == 0)
        return "*C";
    if (strcmp(severity, "MJ") == 0)
        return "**";
    return strcmp(severity, "MN") == 0 ? "*" : "A";
}

void
sim_alarm_record(const struct sim_net *net, const struct sim_node *node,
                 const struct sim_alarm *alarm, bool cleared, struct lp_buf *out)
{
    int64_t us = net->options.fixed_clock_us != 0 ? net->options.fixed_clock_us : alarm->since_us;
    time_t seconds = (time_t)((us + node->clock_shift_us) / 1000000);
    struct lp_err err = LP_ERR_INIT;
    char date[16] = "", hour[16] = "";
    struct tm tm;
    struct lp_tl1_param what[] = {{NULL, alarm->aid, LP_TL1_BARE},
                                  {NULL, alarm->type, LP_TL1_BARE}};
    struct lp_tl1_param how[] = {{NULL, cleared ? "CL" : alarm->severity, LP_TL1_BARE},
                                 {NULL, alarm->condition, LP_TL1_BARE},
                                 {NULL, alarm->effect, LP_TL1_BARE},
                                 {NULL, date, LP_TL1_BARE},
                                 {NULL, hour, LP_TL1_BARE},
                                 {NULL, "NEND", LP_TL1_BARE},
                                 {NULL, alarm->direction, LP_TL1_BARE}};
    struct lp_tl1_param text = {NULL, alarm->text, LP_TL1_QUOTED};
    struct lp_tl1_block blocks[] = {{what, 2}, {how, 7}, {&text, 1}};
    struct lp_tl1_record record = {blocks, 3};

    if (gmtime_r(&seconds, &tm) != NULL) {
        strftime(date, sizeof date, "%m-%d", &tm);
        strftime(hour, sizeof hour, "%H-%M-%S", &tm);
    }
    if (lp_tl1_record_put(out, &record, &err) != LP_OK) /* an AID planted with odd characters */
        lp_buf_printf(out, "%s,%s:%s", "?", alarm->type, alarm->condition);
    lp_err_clear(&err);
}

static void
alarm_report(struct sim_net *net, struct sim_node *node, const struct sim_alarm *alarm,
             bool cleared)
{
    struct lp_buf body = LP_BUF_INIT;
    char verb[40];

    if (net->emit == NULL)
        return;
    snprintf(verb, sizeof verb, "REPT ALM %s", alarm->type);
    sim_alarm_record(net, node, alarm, cleared, &body);
    if (!body.failed)
        net->emit(net->emit_arg, node, SIM_EVENT_ALARM, cleared ? "A" : alarm_code(alarm->severity),
                  verb, body.data);
    lp_buf_free(&body);
}

bool
sim_alarm_plant(struct sim_net *net, struct sim_node *node, const struct sim_alarm *alarm,
                bool clear)
{
    struct sim_alarm *old = alarm_find(node, alarm->aid, alarm->condition);
    struct sim_alarm *added;

    if (clear) {
        if (old == NULL)
            return false;
        alarm_report(net, node, old, true);
        alarm_clear(old);
        *old = node->alarms[--node->alarm_count];
        return true;
    }
    if (old != NULL)
        return true;
    added = alarm_add(node, alarm);
    if (added == NULL)
        return false;
    added->planted = true;
    added->since_us = net->utc_us;
    alarm_report(net, node, added, false);
    return true;
}

/* ---- what the model causes ---- */

static void
caused(struct sim_net *net, struct sim_node *node, const struct sim_obj *obj, enum cause cause)
{
    const struct cause_info *info = &causes[cause];
    struct sim_alarm model = {.aid = obj->aid, .type = sim_class_names[info->cls], .keep = true};
    struct sim_alarm *alarm = alarm_find(node, obj->aid, info->condition);

    if (alarm != NULL) {
        alarm->keep = true;
        return;
    }
    snprintf(model.severity, sizeof model.severity, "%s", info->severity);
    snprintf(model.condition, sizeof model.condition, "%s", info->condition);
    snprintf(model.effect, sizeof model.effect, "%s", info->effect);
    snprintf(model.direction, sizeof model.direction, "%s", info->direction);
    model.since_us = net->utc_us;
    model.text = strdup(info->text);
    alarm = model.text == NULL ? NULL : alarm_add(node, &model);
    free(model.text);
    if (alarm != NULL)
        alarm_report(net, node, alarm, false);
}

static void
set_fault(struct sim_net *net, struct sim_node *node, struct sim_obj *obj, bool fault)
{
    if (obj->fault == fault)
        return;
    obj->fault = fault;
    sim_report_event(net, node, obj, "STATECHG", fault ? "Out of service" : "In service");
}

static void
refresh_lines(struct sim_net *net, struct sim_node *node)
{
    size_t i;

    for (i = 0; i < node->objs[SIM_OTS].count; i++) {
        struct sim_obj *port = node->objs[SIM_OTS].at[i];
        bool dark = port->span != NULL && port->span->cut;

        set_fault(net, node, port, dark);
        if (port->span == NULL || port->admin == SIM_MT) /* no alarms in maintenance */
            continue;
        if (dark)
            caused(net, node, port, CAUSE_NO_LIGHT);
        else if (port->span->loss_cdb > HIGH_LOSS_CDB)
            caused(net, node, port, CAUSE_HIGH_LOSS);
    }
}

static bool
oel_up(struct sim_net *net, const struct sim_obj *oel)
{
    struct lp_err err = LP_ERR_INIT;
    struct sim_route route;
    bool up = sim_route_parse(net, sim_obj_get(oel, "EXPLICITROUTE"), &route, &err) == LP_OK
              && sim_route_up(&route);

    lp_err_clear(&err);
    return up;
}

static void
refresh_circuits(struct sim_net *net, struct sim_node *node)
{
    struct sim_route route;
    struct sim_denial why;
    size_t i;

    for (i = 0; i < node->objs[SIM_OEL].count; i++) {
        struct sim_obj *oel = node->objs[SIM_OEL].at[i];

        set_fault(net, node, oel, oel->admin == SIM_IS && !oel_up(net, oel));
    }
    for (i = 0; i < node->objs[SIM_OSNC].count; i++) {
        struct sim_obj *osnc = node->objs[SIM_OSNC].at[i];
        bool down = osnc->admin == SIM_IS
                    && (!sim_circuit_route(net, node, osnc, &route, &why) || !sim_route_up(&route));

        set_fault(net, node, osnc, down);
        if (down)
            caused(net, node, osnc, CAUSE_CIRCUIT_DOWN);
    }
}

/* Channels and cross-connections follow their circuit. */
static void
refresh_parts(struct sim_net *net, struct sim_node *node)
{
    static const enum sim_class parts[] = {SIM_SCH, SIM_OCRS};
    struct sim_node *source;
    size_t c, i;

    for (c = 0; c < LP_COUNT(parts); c++)
        for (i = 0; i < node->objs[parts[c]].count; i++) {
            struct sim_obj *obj = node->objs[parts[c]].at[i];
            const struct sim_obj *osnc = sim_circuit_find(net, obj->circuit, &source);

            obj->fault = osnc != NULL && osnc->fault;
        }
}

void
sim_refresh(struct sim_net *net)
{
    size_t n, i;

    for (n = 0; n < net->node_count; n++)
        for (i = 0; i < net->nodes[n].alarm_count; i++)
            net->nodes[n].alarms[i].keep = net->nodes[n].alarms[i].planted;
    for (n = 0; n < net->node_count; n++) {
        refresh_lines(net, &net->nodes[n]);
        refresh_circuits(net, &net->nodes[n]);
    }
    for (n = 0; n < net->node_count; n++) {
        struct sim_node *node = &net->nodes[n];

        refresh_parts(net, node);
        for (i = node->alarm_count; i > 0; i--) {
            struct sim_alarm *alarm = &node->alarms[i - 1];

            if (alarm->keep)
                continue;
            alarm_report(net, node, alarm, true);
            alarm_clear(alarm);
            *alarm = node->alarms[--node->alarm_count];
        }
    }
}

/* ---- other reports ---- */

void
sim_report_change(struct sim_net *net, struct sim_node *node, const char *code, const char *aid,
                  const char *ctag)
{
    char body[512], when[32];
    struct tm tm;

    node->dbchg_seq++;
    if (net->emit == NULL)
        return;
    sim_clock(net, node, &tm);
    strftime(when, sizeof when, "TIME=%H-%M-%S,DATE=%m-%d", &tm);
    snprintf(body, sizeof body, "%s,SOURCE=%.8s,DBCHGSEQ=%u:%.32s:%.240s", when, ctag,
             node->dbchg_seq, code, aid);
    net->emit(net->emit_arg, node, SIM_EVENT_DBCHG, "A", "REPT DBCHG", body);
}

void
sim_report_event(struct sim_net *net, struct sim_node *node, const struct sim_obj *obj,
                 const char *condition, const char *text)
{
    char body[512], verb[40], when[32];
    struct tm tm;

    if (net->emit == NULL)
        return;
    sim_clock(net, node, &tm);
    strftime(when, sizeof when, "%m-%d,%H-%M-%S", &tm);
    snprintf(verb, sizeof verb, "REPT EVT %s", sim_class_names[obj->cls]);
    snprintf(body, sizeof body, "%.200s,%s:%.20s,SC,%s,NEND,NA:\\\"%.100s\\\"", obj->aid,
             sim_class_names[obj->cls], condition, when, text);
    net->emit(net->emit_arg, node, SIM_EVENT_EVENT, "A", verb, body);
}
