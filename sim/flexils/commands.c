/* The commands that an element knows: one row each. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/flexils/exec.h"

/* clang-format off */
static const struct sim_command commands[] = {
    /* code               verb           class         aids  blocks  */
    {"RTRV-EQPT",         SIM_RTRV,      SIM_EQPT,     0, 1, 4, 4, false, sim_read_objects, "|PROVSTATUS|SAUPGPENDING|", 1},
    {"RTRV-OTS",          SIM_RTRV,      SIM_OTS,      0, 1, 4, 4, false, sim_read_objects, "", 0},
    {"ED-OTS",            SIM_ED,        SIM_OTS,      1, 1, 3, 4, false, sim_write_edit, "", 0},
    {"RTRV-SCG",          SIM_RTRV,      SIM_SCG,      0, 1, 4, 4, false, sim_read_objects, "", 1},
    {"ED-SCG",            SIM_ED,        SIM_SCG,      1, 1, 3, 4, false, sim_write_edit, "", 0},
    {"RTRV-SCH",          SIM_RTRV,      SIM_SCH,      0, 1, 4, 4, false, sim_read_objects, "", 0},
    {"ENT-SCH",           SIM_ENT,       SIM_SCH,      1, 1, 3, 4, false, sim_write_enter, "", 0},
    {"ED-SCH",            SIM_ED,        SIM_SCH,      1, 1, 3, 4, false, sim_write_edit, "", 0},
    {"DLT-SCH",           SIM_DLT,       SIM_SCH,      1, 1, 4, 4, false, sim_write_delete, "", 0},
    {"RTRV-OCRS",         SIM_RTRV,      SIM_OCRS,     0, 2, 4, 4, false, sim_read_objects, "|CHANPLANTYPE|SIGTYPE|OELAID|", 0},
    {"ENT-OCRS",          SIM_ENT,       SIM_OCRS,     2, 2, 3, 4, true,  sim_write_enter, "", 0},
    {"ED-OCRS",           SIM_ED,        SIM_OCRS,     2, 2, 3, 4, false, sim_write_edit, "", 0},
    {"DLT-OCRS",          SIM_DLT,       SIM_OCRS,     2, 2, 2, 4, false, sim_write_delete, "", 0},
    {"RTRV-OSNC",         SIM_RTRV,      SIM_OSNC,     0, 1, 4, 4, false, sim_read_objects, "|OELAID|", 0},
    {"ENT-OSNC",          SIM_ENT,       SIM_OSNC,     1, 1, 3, 4, true,  sim_write_enter, "", 0},
    {"ED-OSNC",           SIM_ED,        SIM_OSNC,     1, 1, 3, 4, false, sim_write_edit, "", 0},
    {"DLT-OSNC",          SIM_DLT,       SIM_OSNC,     1, 1, 4, 4, true,  sim_write_delete, "", 0},
    {"RTRV-OEL",          SIM_RTRV,      SIM_OEL,      0, 1, 4, 4, false, sim_read_objects, "", 0},
    {"ENT-OEL",           SIM_ENT,       SIM_OEL,      1, 1, 3, 4, false, sim_write_enter, "", 0},
    {"ED-OEL",            SIM_ED,        SIM_OEL,      1, 1, 3, 4, false, sim_write_edit, "", 0},
    {"OPR-VALROUTE-OEL",  SIM_OTHER,     SIM_OEL,      1, 1, 4, 4, true,  sim_validate_route, "", 0},
    {"DLT-OEL",           SIM_DLT,       SIM_OEL,      1, 1, 4, 4, false, sim_write_delete, "", 0},
    {"RTRV-OTEINTF",      SIM_RTRV,      SIM_OTEINTF,  0, 1, 4, 4, false, sim_read_oteintf, "", 0},
    {"RTRV-OTELINK",      SIM_RTRV,      SIM_OTELINK,  0, 1, 4, 4, false, sim_read_otelink, "", 0},
    {"RTRV-TEINTF",       SIM_RTRV,      SIM_TEINTF,   0, 1, 4, 4, false, sim_read_nothing, "", 0},
    {"RTRV-TELINK",       SIM_RTRV,      SIM_TELINK,   0, 1, 4, 4, false, sim_read_nothing, "", 0},
    {"RTRV-TOPONODE",     SIM_RTRV,      SIM_TOPONODE, 0, 1, 4, 4, false, sim_read_toponode, "", 0},
    {"RTRV-CTRLLINK",     SIM_RTRV,      SIM_CTRLLINK, 0, 1, 0, 4, false, sim_read_ctrllink, "", 0},
    {"RTRV-TIDMAP",       SIM_RTRV,      SIM_TIDMAP,   0, 0, 0, 4, false, sim_read_tidmap, "", 0},
    {"RTRV-SYS",          SIM_RTRV,      SIM_SYS,      0, 0, 0, 4, false, sim_read_sys, "", 0},
    {"RTRV-HDR",          SIM_RTRV,      SIM_SYS,      0, 0, 0, 4, false, sim_read_header, "", 0},
    {"RTRV-ALM-ALL",      SIM_RTRV,      SIM_CLASS_COUNT, 0, 1, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-COND-ALL",     SIM_RTRV,      SIM_CLASS_COUNT, 0, 1, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-ALM-EQPT",     SIM_RTRV,      SIM_EQPT,     0, 1, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-ALM-OTS",      SIM_RTRV,      SIM_OTS,      0, 1, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-ALM-SCG",      SIM_RTRV,      SIM_SCG,      0, 1, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-ALM-SCH",      SIM_RTRV,      SIM_SCH,      0, 1, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-ALM-OSNC",     SIM_RTRV,      SIM_OSNC,     0, 1, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-ALM-OCRS",     SIM_RTRV,      SIM_OCRS,     0, 2, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-ALM-OEL",      SIM_RTRV,      SIM_OEL,      0, 1, 2, 4, false, sim_read_alarms, "", 5},
    {"RTRV-PM-SCH",       SIM_RTRV,      SIM_SCH,      1, 1, 2, 4, false, sim_read_pm, "", 7},
    {"RTRV-PM-OTS",       SIM_RTRV,      SIM_OTS,      1, 1, 2, 4, false, sim_read_pm, "", 7},
    {"RTRV-PM-SCG",       SIM_RTRV,      SIM_SCG,      1, 1, 2, 4, false, sim_read_pm, "", 7},
    {"RTRV-RFILE",        SIM_RTRV,      SIM_RFILE,    0, 1, 3, 4, false, sim_read_objects, "|TYPE|", 0},
    {"DLT-RFILE",         SIM_DLT,       SIM_RFILE,    0, 1, 3, 4, false, sim_write_delete, "|TYPE|FILE|", 0},
    {"COPY-RFILE",        SIM_OTHER,     SIM_RFILE,    0, 1, 3, 4, true,  sim_copy_file, "|TYPE|SRC|DEST|XFRPROFILE|", 0},
    {"APPLY",             SIM_OTHER,     SIM_RFILE,    0, 1, 3, 4, true,  sim_apply_file, "|FILENAME|OPERTYPE|", 0},
    {"RTRV-FXFR",         SIM_RTRV,      SIM_FXFR,     0, 1, 0, 4, false, sim_read_objects, "", 0},
    {"ED-FXFR",           SIM_ED,        SIM_FXFR,     1, 1, 3, 4, false, sim_write_edit, "", 0},
    {"RTRV-DFLT-SECU",    SIM_RTRV,      SIM_SYS,      0, 0, 0, 4, false, sim_read_security, "", 0},
    {"ED-PID",            SIM_SECURITY,  SIM_SYS,      1, 1, 2, 2, false, NULL, "", 2},
    {"ED-USER-SECU",      SIM_SECURITY,  SIM_SYS,      1, 1, 2, 4, false, NULL, "|TMOUT|", 4},
    {"ACT-USER",          SIM_ACT_USER,  SIM_SYS,      1, 1, 2, 2, false, NULL, "", 1},
    {"CANC-USER",         SIM_CANC_USER, SIM_SYS,      1, 1, 0, 2, false, NULL, "", 0},
    {"INH-MSG-ALL",       SIM_MESSAGES,  SIM_SYS,      0, 1, 0, 2, false, NULL, "", 0},
    {"ALW-MSG-ALL",       SIM_MESSAGES,  SIM_SYS,      0, 1, 0, 2, false, NULL, "", 0},
    {"INH-DBREPT-ALL",    SIM_MESSAGES,  SIM_SYS,      0, 1, 0, 2, false, NULL, "", 0},
    {"ALW-DBREPT-ALL",    SIM_MESSAGES,  SIM_SYS,      0, 1, 0, 2, false, NULL, "", 0},
};
static const struct sim_command families[] = {
    {"RMV-",              SIM_RMV,       SIM_CLASS_COUNT, 1, 2, 2, 2, false, sim_write_remove, "", 2},
    {"RST-",              SIM_RST,       SIM_CLASS_COUNT, 1, 2, 4, 4, false, sim_write_restore, "", 1},
};
/* what RMV and RST take; of most of them a FlexILS line system holds no object */
static const char *const maintenance_types[] = {
    "EQPT", "OCH", "DTPCTP", "TRIB", "SNC", "NCT", "SUBCLIENT", "VCG", "DCH", "GFP", "GTP", "SCH", "SCG", "OCG", "OSNC",
    "OTS", "OSC", "BAND", "BANDPTP", "ASEPTP", "IDLERCTP", "IDLERPTP", "CARRIERCTP", "FLEXCARRIER", "DIGITALWRAPPER",
    "PWRFEED", "NTP", "ETHIF", "AC", "NWIF", "VSI", "PW", "OPSMPTP", "OLDPSCH", "IKE", "EXPNPTP", "NCC", "OCHCTP", "OCHPTP",
    "OC3", "OC12", "OC48", "OC192", "OC768", "STM1", "STM4", "STM16", "STM64", "STM256",
    "1GBE", "10GBE", "40GBE", "100GBE", "400GBE", "1GFC", "2GFC", "4GFC", "8GFC", "10GFC", "4GCC", "10GCC", "25GCC",
    "10G3CC", "11G1CC", "HD1485CC", "HD1483CC", "SD270CC", "DVB270CC", "DV6000CC", "ESCON200CC", "IB25GCC", "IB10GCC",
    "1G0625CC", "1G25CC", "2G125CC",
    "OTU1", "OTU1E", "OTU2", "OTU2E", "OTU3", "OTU3E1", "OTU3E2", "OTU4", "OTU3I", "OTU3IP", "OTU4I",
    "ODU0", "ODU1", "ODU2", "ODU3", "ODU4", "ODU1E", "ODU2E", "ODU3E1", "ODU3E2",
    "ODU0T", "ODU1T", "ODU2T", "ODU3T", "ODU4T", "ODU1ET", "ODU2ET", "ODU3E1T", "ODU3E2T", "ODU3IT", "ODU4IT", "ODU3IPT",
    "ODUFLEX", "ODUFLEXI", "ODUFLEXIT", NULL,
};
/* clang-format on */

const struct sim_command *
sim_commands(size_t *count)
{
    *count = LP_COUNT(commands);
    return commands;
}

const char *const *
sim_maintenance_types(void)
{
    return maintenance_types;
}

/* OTUC<n>I..., ODUC<n>I...: the super-rate families */
static bool
super_rate(const char *type)
{
    if (strncmp(type, "OTUC", 4) != 0 && strncmp(type, "ODUC", 4) != 0)
        return false;
    type += 4;
    if (!isdigit((unsigned char)*type))
        return false;
    while (isdigit((unsigned char)*type))
        type++;
    return *type == 'I';
}

static bool
maintenance_type(const char *type)
{
    size_t i;

    for (i = 0; maintenance_types[i] != NULL; i++)
        if (strcmp(maintenance_types[i], type) == 0)
            return true;
    return super_rate(type);
}

const struct sim_command *
sim_command_find(const char *code)
{
    size_t i;

    for (i = 0; i < LP_COUNT(commands); i++)
        if (strcmp(commands[i].code, code) == 0)
            return &commands[i];
    for (i = 0; i < LP_COUNT(families); i++)
        if (strncmp(families[i].code, code, 4) == 0 && maintenance_type(code + 4))
            return &families[i];
    return NULL;
}

bool
sim_command_check(const struct sim_command *row, const struct lp_tl1_command *command,
                  struct sim_denial *why)
{
    size_t aids = command->aids.count;

    if (aids == 1 && command->aids.params[0].value[0] == '\0')
        aids = 0;
    if (command->block_count < row->blocks_min)
        return sim_deny(why, "IBMS", "Input, Block MiSsing");
    if (command->block_count > row->blocks_max)
        return sim_deny(why, "IBEX", "Input, Block EXtra");
    if (command->block_count > 0 && command->blocks[0].count > 0
        && (command->blocks[0].count > 1 || command->blocks[0].params[0].value[0] != '\0'))
        return sim_deny(why, "ICNV", "Input, Command Not Valid: general block is not supported");
    if (aids < row->aids_min)
        return sim_deny(why, "IIAC", "Input, Invalid ACcess identifier: missing");
    if (aids > row->aids_max)
        return sim_deny(why, "IIAC", "Input, Invalid ACcess identifier: too many");
    if (command->block_count > 1 && command->blocks[1].count > row->values_max
        && (command->blocks[1].count > 1 || command->blocks[1].params[0].value[0] != '\0'))
        return sim_deny(why, "IPEX", "Input, Parameter EXtra");
    return true;
}

/* ---- pieces ---- */

bool
sim_x_deny(struct sim_exec *x, const char *code, const char *fmt, ...)
{
    va_list args;

    x->reply->completion = LP_TL1_DENY;
    snprintf(x->reply->why.code, sizeof x->reply->why.code, "%s", code);
    va_start(args, fmt);
    vsnprintf(x->reply->why.text, sizeof x->reply->why.text, fmt, args);
    va_end(args);
    return false;
}

bool
sim_x_missing(struct sim_exec *x)
{
    return sim_x_deny(x, "IENE", "INPUT, SPECIFIED OBJECT ENTITY DOES NOT EXIST");
}

const char *
sim_x_value(const struct sim_exec *x, size_t block, size_t n)
{
    const struct lp_tl1_block *b;

    if (block >= x->command->block_count)
        return "";
    b = &x->command->blocks[block];
    return n < b->count && b->params[n].name == NULL ? b->params[n].value : "";
}

const char *
sim_x_aid(const struct sim_exec *x)
{
    return x->command->aids.count == 0 ? "" : x->command->aids.params[0].value;
}

bool
sim_x_record(struct sim_exec *x, const struct lp_tl1_block *blocks, size_t count)
{
    struct lp_tl1_record record = {blocks, count};
    struct lp_err err = LP_ERR_INIT;
    bool ok = lp_tl1_record_put(&x->reply->records, &record, &err) == LP_OK;

    if (!ok) {
        sim_x_deny(x, "SROF", "%s", err.msg);
    } else {
        lp_buf_char(&x->reply->records, '\n');
        x->reply->count++;
    }
    lp_err_clear(&err);
    return ok;
}

void
sim_hundredths(int32_t value, char buf[static 16])
{
    uint32_t whole = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;

    snprintf(buf, 16, "%s%u.%02u", value < 0 ? "-" : "", whole / 100, whole % 100);
}

/* ---- running ---- */

/* Reads may be asked for the state before the last write. */
static void
remember(struct sim_node *node, const struct lp_tl1_command *command)
{
    if (!node->keep_before || !lp_tl1_writes(command->code))
        return;
    sim_node_copy_free(node->before);
    node->before = sim_node_copy(node);
}

void
sim_execute(struct sim_net *net, struct sim_node *node, const struct sim_command *row,
            const struct lp_tl1_command *command, bool stale, struct sim_reply *reply)
{
    struct sim_exec x = {.net = net,
                         .node = stale && node->before != NULL ? node->before : node,
                         .real = node,
                         .command = command,
                         .row = row,
                         .reply = reply};

    sim_node_reap(net, node);
    remember(node, command);
    reply->completion = LP_TL1_COMPLD;
    reply->slow = row->slow;
    node->commands++;
    if (row->run(&x) && lp_tl1_writes(command->code))
        node->writes++;
    if (reply->completion == LP_TL1_DENY) {
        lp_buf_reset(&reply->records);
        reply->count = 0;
        reply->slow = false;
    }
}

void
sim_reply_free(struct sim_reply *reply)
{
    lp_buf_free(&reply->records);
}

/* ---- the first commands of a topology ---- */

static enum lp_code
setup_one(struct sim_net *net, const char *text, struct lp_tl1_scratch *scratch, struct lp_err *err)
{
    struct sim_reply reply = {.records = LP_BUF_INIT};
    struct lp_tl1_command command;
    const struct sim_command *row;
    struct sim_node *node;
    enum lp_code rc = lp_tl1_command_parse(text, strlen(text), scratch, &command, err);

    if (rc != LP_OK)
        return rc;
    row = sim_command_find(command.code);
    node = command.tid == NULL ? NULL : sim_node_find(net, command.tid);
    if (row == NULL || row->run == NULL || node == NULL)
        return lp_fail(err, LP_INVALID, "unknown command or element");
    if (!sim_command_check(row, &command, &reply.why))
        return lp_fail(err, LP_INVALID, "%s %s", reply.why.code, reply.why.text);
    sim_execute(net, node, row, &command, false, &reply);
    if (reply.completion != LP_TL1_COMPLD)
        rc = lp_fail(err, LP_INVALID, "denied: %s %s", reply.why.code, reply.why.text);
    sim_reply_free(&reply);
    return rc;
}

enum lp_code
sim_setup_run(struct sim_net *net, struct lp_err *err)
{
    struct lp_tl1_scratch scratch = {.text = NULL};
    enum lp_code rc = LP_OK;
    size_t i;

    for (i = 0; rc == LP_OK && i < net->setup_count; i++) {
        rc = setup_one(net, net->setup[i], &scratch, err);
        if (rc != LP_OK)
            lp_err_prefix(err, "setup[%zu]: ", i);
    }
    lp_tl1_scratch_free(&scratch);
    return rc;
}
