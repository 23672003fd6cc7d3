/* What ENT, ED, DLT, RMV, RST and the file commands do. A refused command changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/flexils/exec.h"

/* ---- names ---- */

static bool
aid_text(struct sim_exec *x, char *out, size_t size)
{
    const struct lp_tl1_block *aids = &x->command->aids;
    const char *bad = NULL;
    size_t i;

    for (i = 0; i < aids->count && x->row->cls != SIM_OEL && x->row->cls != SIM_FXFR
                && x->row->cls != SIM_RFILE;
         i++)
        if (!sim_aid_valid(aids->params[i].value))
            bad = aids->params[i].value;
    if (x->row->cls == SIM_OEL
        && (strlen(sim_x_aid(x)) > 127 || strpbrk(sim_x_aid(x), " ,:;&=\"\\") != NULL))
        bad = sim_x_aid(x);
    if (bad != NULL)
        return sim_x_deny(x, "IIAC", "Input, Invalid ACcess identifier: %.127s", bad);
    if (aids->count == 2)
        snprintf(out, size, "%s,%s", aids->params[0].value, aids->params[1].value);
    else
        snprintf(out, size, "%s", sim_x_aid(x));
    return true;
}

/* A denial that a deeper layer found. */
static bool
pass_on(struct sim_exec *x, const struct sim_denial *why)
{
    x->reply->completion = LP_TL1_DENY;
    x->reply->why = *why;
    return false;
}

/* ---- named values ---- */

struct change {
    const struct sim_attr *attr;
    const char *text;
};
struct changes {
    struct change at[80];
    size_t count;
};

static bool
change_add(struct sim_exec *x, const struct lp_tl1_param *param, uint16_t flag, struct changes *out)
{
    const struct sim_attr *attr =
        param->name == NULL ? NULL : sim_attr_find(x->row->cls, param->name);
    struct sim_denial why;
    size_t i;

    if (attr == NULL || (attr->flags & flag) == 0)
        return sim_x_deny(x, "IPNV", "Input, Parameter Not Valid: %.64s",
                          param->name == NULL ? param->value : param->name);
    for (i = 0; i < out->count; i++)
        if (out->at[i].attr == attr)
            return sim_x_deny(x, "IPEX", "Input, Parameter EXtra: %s is given twice", attr->name);
    if (out->count == LP_COUNT(out->at))
        return sim_x_deny(x, "IPEX", "Input, Parameter EXtra");
    if (!sim_value_check(attr, param->value, &why))
        return pass_on(x, &why);
    out->at[out->count++] = (struct change){attr, param->value};
    return true;
}

static bool
changes_read(struct sim_exec *x, uint16_t flag, struct changes *out)
{
    const struct lp_tl1_block *block;
    size_t i;

    out->count = 0;
    if (sim_x_value(x, 1, 0)[0] != '\0')
        return sim_x_deny(x, "IPEX", "Input, Parameter EXtra: %.64s", sim_x_value(x, 1, 0));
    for (i = 0; x->command->block_count > 2 && i < x->command->blocks[2].count; i++) {
        block = &x->command->blocks[2];
        if (block->params[i].name == NULL && block->params[i].value[0] == '\0')
            continue;
        if (!change_add(x, &block->params[i], flag, out))
            return false;
    }
    return true;
}

static bool
required_given(struct sim_exec *x, const struct changes *changes)
{
    size_t count, i, j;
    const struct sim_attr *first = sim_attr_first(x->row->cls, &count);

    for (i = 0; i < count; i++) {
        if ((first[i].flags & SIM_F_REQ) == 0)
            continue;
        for (j = 0; j < changes->count; j++)
            if (changes->at[j].attr == &first[i] && changes->at[j].text[0] != '\0')
                break;
        if (j == changes->count)
            return sim_x_deny(x, "IPMS", "Input, Parameter MiSsing: %s", first[i].name);
    }
    return true;
}

static bool
changes_apply(struct sim_exec *x, struct sim_obj *obj, const struct changes *changes)
{
    size_t i;

    for (i = 0; i < changes->count; i++)
        if (!sim_obj_put(obj, changes->at[i].attr, changes->at[i].text))
            return sim_x_deny(x, "SSRE", "System Resources Exceeded");
    return true;
}

/* ---- states ---- */

#define MAY(state) LP_BIT(SIM_##state)
static const uint8_t state_sets[SIM_STORED] = {
    [SIM_EQPT] = MAY(IS) | MAY(OOS) | MAY(MT),
    [SIM_OTS] = MAY(IS) | MAY(MT),
    [SIM_SCG] = MAY(IS) | MAY(OOS) | MAY(MT),
    [SIM_SCH] = MAY(IS) | MAY(OOS) | MAY(MT),
    [SIM_OCRS] = MAY(IS),
    [SIM_OSNC] = MAY(IS) | MAY(OOS),
    [SIM_OEL] = MAY(IS) | MAY(OOS) | MAY(AINS),
    [SIM_RFILE] = MAY(IS),
    [SIM_FXFR] = MAY(IS),
};

/* FSM and FRM cards know in and out of service only. */
static bool
two_states(const struct sim_node *node, const struct sim_obj *obj)
{
    const char *type = obj->cls == SIM_SCG ? sim_card_type(node, obj->aid) : "";

    return strcmp(type, "FSM") == 0 || strcmp(type, "FRM") == 0;
}

/* The state block; *asked is false when there is none. */
static bool
state_read(struct sim_exec *x, enum sim_admin *state, bool *asked)
{
    const char *word = sim_x_value(x, 3, 0);

    *asked = word[0] != '\0';
    if (!*asked)
        return true;
    if (!sim_admin_find(word, state) || *state == SIM_MT
        || (state_sets[x->row->cls] & LP_BIT(*state)) == 0)
        return sim_x_deny(x, "IDNV", "Input, Data Not Valid: state %.16s", word);
    return true;
}

static bool
state_allowed(struct sim_exec *x, const struct sim_obj *obj, enum sim_admin state)
{
    if (obj->cls == SIM_OTS || obj->cls == SIM_FXFR || obj->cls == SIM_OCRS)
        return sim_x_deny(x, "ICNV", "State of %s cannot be edited", sim_class_names[obj->cls]);
    if (obj->admin == SIM_MT)
        return sim_x_deny(x, "SNVS", "Object is in maintenance, use RST command");
    if (x->net->options.strict_state && obj->admin == state)
        return state == SIM_IS ? sim_x_deny(x, "SAIS", "Status, Already In Service")
                               : sim_x_deny(x, "SAOS", "Status, Already Out of Service");
    return true;
}

static void
report_state(struct sim_exec *x, const struct sim_obj *obj)
{
    static const char *const texts[] = {[SIM_IS] = "Put in service",
                                        [SIM_OOS] = "Put out of service",
                                        [SIM_MT] = "Put in maintenance",
                                        [SIM_AINS] = "Put in automatic in-service"};

    sim_report_event(x->net, x->node, obj, "STATECHG", texts[obj->admin]);
}

/* ---- ED ---- */

static bool
lab_state(struct sim_exec *x, const struct sim_obj *obj)
{
    return two_states(x->node, obj) ? obj->admin == SIM_OOS : obj->admin == SIM_MT;
}

/* Does the object's state let this attribute change? An equal value changes nothing. */
static bool
attr_free(struct sim_exec *x, const struct sim_obj *obj, const struct change *change)
{
    static const char *const locked[][2] = {
        {"PASSBANDLIST", "PassbandList"}, {"CARRIERLIST", "CarrierList"}, {"OELAID", "OELAid"}};
    const char *name = change->attr->name;
    size_t i;

    if (strcmp(sim_obj_get(obj, name), change->text) == 0)
        return true;
    if ((change->attr->flags & SIM_F_MT) != 0 && obj->admin != SIM_MT)
        return sim_x_deny(x, "SNVS", "%s cannot be modified in this administrative state", name);
    if ((change->attr->flags & SIM_F_LAB) != 0 && !lab_state(x, obj))
        return sim_x_deny(x, "SNVS", "%s cannot be modified in this administrative state", name);
    if ((change->attr->flags & SIM_F_OOS) == 0 || obj->admin == SIM_OOS)
        return true;
    for (i = 0; i < LP_COUNT(locked); i++)
        if (strcmp(locked[i][0], name) == 0)
            name = locked[i][1];
    return sim_x_deny(x, "SROF", "%s cannot be updated when Admin state is not locked", name);
}

static bool
edit_circuit(struct sim_exec *x, struct sim_obj *osnc, const struct changes *changes,
             enum sim_admin before)
{
    struct sim_denial why;
    bool retuned = false;
    size_t i;

    for (i = 0; i < changes->count; i++)
        retuned = retuned || (changes->at[i].attr->flags & SIM_F_OOS) != 0;
    if (before != SIM_IS && osnc->admin == SIM_IS && !sim_circuit_up(x->net, x->node, osnc, &why))
        return pass_on(x, &why);
    if (before == SIM_IS && osnc->admin == SIM_OOS)
        sim_circuit_down(x->net, x->node, osnc);
    if (retuned)
        sim_circuit_retune(x->net, x->node, osnc);
    sim_circuit_rename(x->net, osnc);
    return true;
}

/* A manual cross-connection with other spectrum is taken down and entered again. */
static bool
edit_cross(struct sim_exec *x, struct sim_obj *ocrs, const struct changes *changes)
{
    struct sim_denial why;
    size_t i;

    for (i = 0; i < changes->count; i++)
        if (strcmp(changes->at[i].attr->name, "PASSBANDLIST") == 0)
            return sim_cross_retune(x->net, x->node, ocrs, &why) || pass_on(x, &why);
    return true;
}

/* Values as they were, to put back when the change is refused. */
struct backup {
    struct sim_value *values;
    uint32_t count;
    uint8_t admin;
};

static bool
backup_take(const struct sim_obj *obj, struct backup *out)
{
    size_t i;

    *out = (struct backup){.admin = obj->admin};
    out->values = calloc((size_t)obj->value_count + 1, sizeof *out->values);
    if (out->values == NULL)
        return false;
    for (i = 0; i < obj->value_count; i++) {
        out->values[i].attr = obj->values[i].attr;
        out->values[i].text = strdup(obj->values[i].text);
        if (out->values[i].text == NULL)
            return false;
        out->count++;
    }
    return true;
}

static void
values_free(struct sim_value *values, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++)
        free(values[i].text);
    free(values);
}

static void
backup_put(struct sim_obj *obj, struct backup *backup)
{
    values_free(obj->values, obj->value_count);
    obj->values = backup->values;
    obj->value_count = backup->count;
    obj->admin = backup->admin;
    *backup = (struct backup){.values = NULL};
}

static bool
edit_run(struct sim_exec *x, struct sim_obj *obj, const struct changes *changes, bool asked,
         enum sim_admin state)
{
    enum sim_admin before = (enum sim_admin)obj->admin;

    if (!changes_apply(x, obj, changes))
        return false;
    if (asked)
        obj->admin = (uint8_t)state;
    if (obj->cls == SIM_OSNC)
        return edit_circuit(x, obj, changes, before);
    return obj->cls != SIM_OCRS || edit_cross(x, obj, changes);
}

static bool
edit_check(struct sim_exec *x, const struct sim_obj *obj, const struct changes *changes, bool asked,
           enum sim_admin state)
{
    size_t i;

    if (obj->cls == SIM_OCRS && strcmp(sim_obj_get(obj, "SIGTYPE"), "SIGNALED") == 0)
        return sim_x_deny(x, "SROF", "Cross-connection is signaled");
    if (asked && !state_allowed(x, obj, state))
        return false;
    for (i = 0; i < changes->count; i++)
        if (!attr_free(x, obj, &changes->at[i]))
            return false;
    if (changes->count == 0 && !asked)
        return sim_x_deny(x, "IPMS", "Input, Parameter MiSsing");
    return true;
}

bool
sim_write_edit(struct sim_exec *x)
{
    struct changes changes;
    struct backup backup;
    struct sim_obj *obj;
    enum sim_admin state = SIM_IS, before;
    bool asked, whole, ok;
    char aid[256];

    if (!aid_text(x, aid, sizeof aid) || !changes_read(x, SIM_F_ED, &changes)
        || !state_read(x, &state, &asked))
        return false;
    obj = sim_obj_seen(x->net, x->node, x->row->cls, aid);
    if (obj == NULL)
        return sim_x_missing(x);
    if (!edit_check(x, obj, &changes, asked, state))
        return false;
    before = (enum sim_admin)obj->admin;
    whole = backup_take(obj, &backup);
    ok = whole ? edit_run(x, obj, &changes, asked, state)
               : sim_x_deny(x, "SSRE", "System Resources Exceeded");
    if (!ok && whole)
        backup_put(obj, &backup);
    values_free(backup.values, backup.count);
    if (ok && obj->admin != before)
        report_state(x, obj);
    if (ok)
        sim_report_change(x->net, x->node, x->command->code, aid, x->command->ctag);
    return ok;
}

/* ---- ENT ---- */

static bool
enter_oel(struct sim_exec *x, const struct sim_obj *oel)
{
    const char *from = sim_obj_get(oel, "SRCNODENAME"), *to = sim_obj_get(oel, "DSTNODENAME");
    struct lp_err err = LP_ERR_INIT;
    struct sim_route route;
    const struct sim_link *last;
    bool ok;

    if (strcmp(from, x->node->name) != 0)
        return sim_x_deny(x, "SROF", "SRCNODENAME %.64s is not this node", from);
    if (sim_node_find(x->net, to) == NULL)
        return sim_x_deny(x, "SROF", "Object {NODE}={%.64s} is not found", to);
    ok = sim_route_parse(x->net, sim_obj_get(oel, "EXPLICITROUTE"), &route, &err) == LP_OK
         || sim_x_deny(x, "SROF", "%.200s", err.msg);
    lp_err_clear(&err);
    if (!ok)
        return false;
    last = route.link[route.count - 1];
    if (route.link[0]->node[route.side[0]] != x->node
        || strcmp(last->node[1 - route.side[route.count - 1]]->name, to) != 0)
        return sim_x_deny(x, "SROF", "Route does not lead from %.64s to %.64s", from, to);
    return true;
}

static bool
enter_sch(struct sim_exec *x, struct sim_obj *sch)
{
    char port[80];

    if (!sim_sch_port(sch->aid, port, sizeof port))
        return sim_x_deny(x, "IIAC", "Input, Invalid ACcess identifier: %.80s", sch->aid);
    if (sim_obj_find(x->node, SIM_SCG, port) == NULL)
        return sim_x_deny(x, "SROF", "Object {SCG}={%s} is not found", port);
    if (!sim_obj_set(sch, "TPTYPE", "TERMINATING"))
        return sim_x_deny(x, "SSRE", "System Resources Exceeded");
    return true;
}

static bool
enter_class(struct sim_exec *x, struct sim_obj *obj)
{
    struct sim_denial why;

    if (obj->cls == SIM_OSNC)
        return sim_circuit_enter(x->net, x->node, obj, &why) || pass_on(x, &why);
    if (obj->cls == SIM_OCRS)
        return sim_cross_enter(x->net, x->node, obj, &why) || pass_on(x, &why);
    return obj->cls == SIM_OEL ? enter_oel(x, obj) : enter_sch(x, obj);
}

bool
sim_write_enter(struct sim_exec *x)
{
    struct changes changes;
    struct sim_obj *obj;
    enum sim_admin state = SIM_IS;
    bool asked;
    char aid[256];

    if (!aid_text(x, aid, sizeof aid) || !changes_read(x, SIM_F_ENT, &changes)
        || !state_read(x, &state, &asked) || !required_given(x, &changes))
        return false;
    if (sim_obj_find(x->node, x->row->cls, aid) != NULL)
        return sim_x_deny(x, "IEAE", "%s %.127s already exists", sim_class_names[x->row->cls], aid);
    obj = sim_obj_add(x->node, x->row->cls, aid);
    if (obj == NULL)
        return sim_x_deny(x, "SSRE", "System Resources Exceeded");
    obj->admin = (uint8_t)state;
    if (!changes_apply(x, obj, &changes) || !enter_class(x, obj)) {
        sim_obj_remove(x->node, obj);
        return false;
    }
    sim_report_change(x->net, x->node, x->command->code, aid, x->command->ctag);
    return true;
}

/* ---- DLT ---- */

static const struct sim_obj *
user_of_oel(const struct sim_node *node, const char *oel)
{
    size_t i;

    for (i = 0; i < node->objs[SIM_OSNC].count; i++)
        if (strcmp(sim_obj_get(node->objs[SIM_OSNC].at[i], "OELAID"), oel) == 0)
            return node->objs[SIM_OSNC].at[i];
    return NULL;
}

static bool
delete_check(struct sim_exec *x, const struct sim_obj *obj)
{
    const struct sim_obj *user;

    if (obj->cls == SIM_SCH && obj->circuit != 0)
        return sim_x_deny(x, "SROF", "SCH is in use by a cross-connection");
    if (obj->cls == SIM_OCRS && strcmp(sim_obj_get(obj, "SIGTYPE"), "SIGNALED") == 0)
        return sim_x_deny(x, "SROF", "Cross-connection is signaled");
    if (obj->cls == SIM_OSNC && obj->admin != SIM_OOS)
        return sim_x_deny(x, "SROF", "OSNC is not Locked");
    if (obj->cls == SIM_OEL && obj->admin != SIM_OOS)
        return sim_x_deny(x, "SROF", "OEL is not Locked");
    user = obj->cls == SIM_OEL ? user_of_oel(x->node, obj->aid) : NULL;
    if (user != NULL)
        return sim_x_deny(x, "SROF", "OEL is in use by OSNC %s", user->aid);
    if (obj->cls == SIM_RFILE && strcmp(sim_obj_get(obj, "USAGE"), "Current") == 0)
        return sim_x_deny(x, "SROF", "File is in use");
    return true;
}

static const char *
named_value(const struct sim_exec *x, const char *name)
{
    size_t i;

    for (i = 0; x->command->block_count > 2 && i < x->command->blocks[2].count; i++) {
        const struct lp_tl1_param *param = &x->command->blocks[2].params[i];

        if (param->name != NULL && strcasecmp(param->name, name) == 0)
            return param->value;
    }
    return "";
}

/* Commands with fixed names refuse others. */
static bool
names_known(struct sim_exec *x)
{
    size_t i;

    for (i = 0; x->command->block_count > 2 && i < x->command->blocks[2].count; i++) {
        const struct lp_tl1_param *param = &x->command->blocks[2].params[i];
        char word[LP_TL1_NAME_MAX + 3];

        snprintf(word, sizeof word, "|%s|", param->name == NULL ? param->value : param->name);
        if (strcmp(word, "||") != 0 && strcasestr(x->row->filters, word) == NULL)
            return sim_x_deny(x, "IPNV", "Input, Parameter Not Valid: %.64s",
                              param->name == NULL ? param->value : param->name);
    }
    return true;
}

bool
sim_write_delete(struct sim_exec *x)
{
    struct sim_obj *obj;
    char aid[256];

    if (!aid_text(x, aid, sizeof aid))
        return false;
    if (x->row->cls == SIM_RFILE) {
        if (!names_known(x))
            return false;
        if (aid[0] == '\0')
            snprintf(aid, sizeof aid, "%s", named_value(x, "FILE"));
    }
    obj = sim_obj_seen(x->net, x->node, x->row->cls, aid);
    if (obj == NULL)
        return sim_x_missing(x);
    if (!delete_check(x, obj))
        return false;
    if (obj->cls == SIM_OSNC)
        sim_circuit_remove(x->net, x->node, obj);
    else if (obj->cls == SIM_OCRS)
        sim_cross_remove(x->net, x->node, obj);
    else
        sim_obj_remove(x->node, obj);
    sim_report_change(x->net, x->node, x->command->code, aid, x->command->ctag);
    return true;
}

/* ---- RMV and RST ---- */

static bool
mode_valid(struct sim_exec *x)
{
    const char *mode = sim_x_value(x, 1, 0), *state = sim_x_value(x, 1, 1);

    if (mode[0] != '\0' && strcasecmp(mode, "NORM") != 0 && strcasecmp(mode, "FRCD") != 0)
        return sim_x_deny(x, "IDNV", "Input, Data Not Valid: mode %.16s", mode);
    if (state[0] != '\0' && strcasecmp(state, "MT") != 0 && strcasecmp(state, "OOS") != 0)
        return sim_x_deny(x, "IDNV", "Input, Data Not Valid: state %.16s", state);
    return true;
}

/* The object that RMV-<type> or RST-<type> names. */
static struct sim_obj *
maintained(struct sim_exec *x)
{
    enum sim_class cls = sim_class_find(x->command->code + 4);
    struct sim_obj *obj = NULL;
    char aid[256];

    if (!mode_valid(x) || !aid_text(x, aid, sizeof aid))
        return NULL;
    if (cls < SIM_STORED)
        obj = sim_obj_seen(x->net, x->node, cls, aid);
    if (obj == NULL)
        sim_x_missing(x);
    return obj;
}

bool
sim_write_remove(struct sim_exec *x)
{
    struct sim_obj *obj = maintained(x);

    if (obj == NULL)
        return false;
    if ((state_sets[obj->cls] & MAY(MT)) == 0 || two_states(x->node, obj))
        return sim_x_deny(x, "SNVS", "Maintenance state is not supported by this object");
    if (obj->admin == SIM_MT)
        return sim_x_deny(x, "SAMS", "Status, Already in Maintenance State");
    if (obj->admin != SIM_IS)
        return sim_x_deny(x, "SNVS", "Object is not in service");
    obj->admin = SIM_MT;
    report_state(x, obj);
    sim_report_change(x->net, x->node, x->command->code, obj->aid, x->command->ctag);
    if (obj->cls == SIM_OTS)
        sim_refresh(x->net); /* no alarms in maintenance */
    return true;
}

bool
sim_write_restore(struct sim_exec *x)
{
    struct sim_obj *obj = maintained(x);

    if (obj == NULL)
        return false;
    if (obj->admin == SIM_IS)
        return sim_x_deny(x, "SAIS", "Status, Already In Service");
    if (obj->admin != SIM_MT)
        return sim_x_deny(x, "SNVS", "Object is not in maintenance");
    obj->admin = SIM_IS;
    report_state(x, obj);
    sim_report_change(x->net, x->node, x->command->code, obj->aid, x->command->ctag);
    if (obj->cls == SIM_OTS)
        sim_refresh(x->net);
    return true;
}

/* ---- others ---- */

bool
sim_validate_route(struct sim_exec *x)
{
    const struct sim_obj *oel = sim_obj_seen(x->net, x->node, SIM_OEL, sim_x_aid(x));
    struct lp_err err = LP_ERR_INIT;
    struct sim_route route;
    bool ok;

    if (oel == NULL)
        return sim_x_missing(x);
    ok = sim_route_parse(x->net, sim_obj_get(oel, "EXPLICITROUTE"), &route, &err) == LP_OK;
    if (!ok)
        sim_x_deny(x, "SROF", "Route validation failed. %.180s", err.msg);
    else if (!sim_route_up(&route))
        ok = sim_x_deny(x, "SROF", "Route validation failed. A TE link is out of service");
    lp_err_clear(&err);
    return ok;
}

/* What stands behind the last / of a URL. */
static const char *
base_name(const char *url)
{
    const char *slash = strrchr(url, '/');

    return slash == NULL ? url : slash + 1;
}

static bool
file_add(struct sim_exec *x, const char *name, const char *type)
{
    struct sim_obj *obj;

    if (name[0] == '\0' || strlen(name) > 100 || strpbrk(name, " \t\"\\,:;=&") != NULL)
        return sim_x_deny(x, "IDNV", "Input, Data Not Valid: SRC");
    if (sim_obj_find(x->node, SIM_RFILE, name) != NULL)
        return true; /* written over */
    obj = sim_obj_add(x->node, SIM_RFILE, name);
    if (obj == NULL || !sim_obj_set(obj, "FILE", name) || !sim_obj_set(obj, "TYPE", type))
        return sim_x_deny(x, "SSRE", "System Resources Exceeded");
    sim_report_change(x->net, x->node, x->command->code, name, x->command->ctag);
    return true;
}

bool
sim_copy_file(struct sim_exec *x)
{
    const char *type, *source;
    char made[96];

    if (!names_known(x))
        return false;
    type = named_value(x, "TYPE");
    source = named_value(x, "SRC");
    if (strcasecmp(type, "swdl") == 0) {
        if (source[0] == '\0')
            return sim_x_deny(x, "IPMS", "Input, Parameter MiSsing: SRC");
        return file_add(x, base_name(source), "SW");
    }
    if (strcasecmp(type, "dbul") == 0) { /* a copy of the database goes out */
        snprintf(made, sizeof made, "DB_%.64s", x->node->name);
        return file_add(x, made, "DB");
    }
    return sim_x_deny(x, type[0] == '\0' ? "IPMS" : "IDNV", "TYPE is swdl or dbul");
}

static void
file_current(struct sim_node *node, struct sim_obj *current)
{
    size_t i;

    for (i = 0; i < node->objs[SIM_RFILE].count; i++) {
        struct sim_obj *file = node->objs[SIM_RFILE].at[i];

        if (strcmp(sim_obj_get(file, "TYPE"), "SW") == 0)
            (void)sim_obj_set(file, "USAGE", file == current ? "Current" : NULL);
    }
}

bool
sim_apply_file(struct sim_exec *x)
{
    const char *name, *type, *version;
    struct sim_obj *file;
    char *release;

    if (!names_known(x))
        return false;
    name = named_value(x, "FILENAME");
    type = named_value(x, "OPERTYPE");
    file = sim_obj_find(x->node, SIM_RFILE, name);
    if (name[0] == '\0' || type[0] == '\0')
        return sim_x_deny(x, "IPMS", "Input, Parameter MiSsing: FILENAME or OPERTYPE");
    if (file == NULL)
        return sim_x_deny(x, "SROF", "{APPLY} failed. {%.100s} does not exist.", name);
    if (strcasecmp(type, "prepare") == 0)
        return true;
    if (strcasecmp(type, "install") != 0 && strcasecmp(type, "upgrade") != 0)
        return sim_x_deny(x, "IDNV", "Input, Data Not Valid: OPERTYPE=%.32s", type);
    version = strrchr(name, '_');
    release = strdup(version == NULL ? name : version + 1);
    if (release == NULL)
        return sim_x_deny(x, "SSRE", "System Resources Exceeded");
    free(x->node->release);
    x->node->release = release;
    file_current(x->node, file);
    x->reply->restart = true;
    return true;
}
