#include "tests/support/flexils_node.h"

#include <stdlib.h>
#include <string.h>

#include "clients/infinera/flexils/link.h"

static struct {
    struct fx_ne *fx;
    struct node *node;
} attached[16];
static size_t attached_next;

void
node_init(struct node *node, const char *tid, const char *serial)
{
    *node = (struct node){
        .tid = tid, .serial = serial, .objects = json_object(), .time_left_ms = 600000};
    node_add(node, "EQPT", "1", "{}", "IS-NR");
    (void)lp_json_set_str(json_object_get(json_object_get(node->objects, "EQPT"), "1"), "SERNO",
                          serial);
    (void)lp_json_set_str(json_object_get(json_object_get(node->objects, "EQPT"), "1"), "type",
                          "CHASSIS");
}

void
node_free(struct node *node)
{
    json_decref(node->objects);
    json_decref(node->snapshot);
    free((void *)(uintptr_t)node->reply);
    lp_buf_free(&node->sent);
}

static json_t *
of_type(json_t *objects, const char *type)
{
    json_t *list = json_object_get(objects, type);

    if (list == NULL) {
        list = json_object();
        (void)json_object_set_new(objects, type, list);
    }
    return list;
}

void
node_add(struct node *node, const char *type, const char *aid, const char *attributes,
         const char *state)
{
    json_t *object = json_loads(attributes, 0, NULL);

    (void)lp_json_set_str(object, "state", state);
    (void)json_object_set_new(of_type(node->objects, type), aid, object);
}

void
node_hash(const struct node *node, char out[static 65])
{
    struct lp_err err = LP_ERR_INIT;
    json_t *filled = json_object(), *list;
    char *text = NULL;
    size_t len = 0;
    const char *type;

    json_object_foreach(node->objects, type, list)
    {
        if (json_object_size(list) > 0)
            (void)json_object_set(filled, type, list);
    }
    if (lp_json_canonical(filled, &text, &len, &err) != LP_OK)
        abort();
    json_decref(filled);
    lp_sha256_hex(text, len, out);
    free(text);
}

/* ---- answers ---- */

struct answer {
    struct lp_buf buf;
    struct lp_err err;
};

static void
must(enum lp_code rc)
{
    if (rc != LP_OK)
        abort();
}

static void
begin(struct answer *a, const struct node *node, enum lp_tl1_completion completion)
{
    must(lp_tl1_put_header(&a->buf, node->tid, "27-03-14", "09:12:44", &a->err));
    must(lp_tl1_put_response(&a->buf, "L00001", completion, &a->err));
}

static void
deny(struct answer *a, const struct node *node, const char *code, const char *text)
{
    begin(a, node, LP_TL1_DENY);
    must(lp_tl1_put_error(&a->buf, code, &a->err));
    must(lp_tl1_put_comment(&a->buf, text, &a->err));
}

static void
put_object(struct answer *a, const char *type, const char *aid, json_t *object)
{
    struct lp_tl1_param aids[2], named[80], kind = {.value = lp_json_str(object, "type", type)};
    const char *now = lp_json_str(object, "state", "IS-NR");
    struct lp_tl1_param state[2] = {{.value = now}};
    struct lp_tl1_block blocks[4] = {{aids, 0}, {&kind, 1}, {named, 0}, {state, 1}};
    char primary[32];
    const struct lp_tl1_record record = {blocks, 4};
    char first[128];
    const char *name;
    json_t *value;

    if (now == NULL || aid == NULL)
        abort(); /* the sanitizers' analysis cannot see that they are texts */
    (void)snprintf(primary, sizeof primary, "%.*s", (int)strcspn(now, ","), now);
    state[0].value = primary;
    if (strchr(now, ',') != NULL)
        state[blocks[3].count++].value = strchr(now, ',') + 1;
    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(aid, ","), aid);
    aids[blocks[0].count++] = (struct lp_tl1_param){.value = first};
    if (strchr(aid, ',') != NULL)
        aids[blocks[0].count++] = (struct lp_tl1_param){.value = strchr(aid, ',') + 1};
    json_object_foreach(object, name, value)
    {
        if (strcmp(name, "state") != 0 && strcmp(name, "type") != 0)
            named[blocks[2].count++] =
                (struct lp_tl1_param){.name = name, .value = json_string_value(value)};
    }
    must(lp_tl1_put_record(&a->buf, &record, &a->err));
}

/* ---- the commands ---- */

struct request {
    char verb[8];
    const char *type; /* "OTS" */
    char aid[256];
    const struct lp_tl1_block *named, *state;
};

static const char *
named_value(const struct request *r, const char *name)
{
    for (size_t i = 0; r->named != NULL && i < r->named->count; i++) {
        if (r->named->params[i].name != NULL && strcmp(r->named->params[i].name, name) == 0)
            return r->named->params[i].value;
    }
    return NULL;
}

static const char *
admin(json_t *object)
{
    const char *state = lp_json_str(object, "state", "");

    return strstr(state, ",MT") != NULL ? "MT" : strncmp(state, "OOS", 3) == 0 ? "OOS" : "IS";
}

static void
set_state(json_t *object, const char *to)
{
    (void)lp_json_set_str(object, "state",
                          strcmp(to, "IS") == 0   ? "IS-NR"
                          : strcmp(to, "MT") == 0 ? "OOS-MA,MT"
                                                  : "OOS-MA");
}

static const char *
card_type(struct node *node, const char *aid)
{
    char card[256];

    (void)snprintf(card, sizeof card, "%.*s", (int)(strrchr(aid, '-') - aid), aid);
    return lp_json_str(json_object_get(of_type(node->objects, "EQPT"), card), "type", "FMM");
}

/* Why a real element would refuse; NULL: it does not. */
static const char *
refusal(struct node *node, const struct request *r, json_t *object)
{
    const char *now = admin(object);
    bool no_mt = strcmp(r->type, "SCG") == 0
                 && (strcmp(card_type(node, r->aid), "FSM") == 0
                     || strcmp(card_type(node, r->aid), "FRM") == 0);

    if (named_value(r, "INTFTYP") != NULL && strcmp(now, no_mt ? "OOS" : "MT") != 0)
        return "INTFTYP cannot be modified in this administrative state";
    if (named_value(r, "SHUTTERSTATE") != NULL && strcmp(now, "MT") != 0)
        return "SHUTTERSTATE cannot be modified in this administrative state";
    if (strcmp(r->type, "OSNC") == 0 && strcmp(r->verb, "ED") == 0
        && (named_value(r, "PASSBANDLIST") != NULL || named_value(r, "OELAID") != NULL)
        && strcmp(now, "OOS") != 0)
        return "PassbandList cannot be updated when Admin state is not locked";
    if (strcmp(r->verb, "DLT") == 0 && strcmp(r->type, "OCRS") != 0 && strcmp(now, "OOS") != 0)
        return "OEL is not Locked";
    if (strcmp(r->verb, "RMV") == 0 && (no_mt || strcmp(now, "IS") != 0))
        return "not in a state from which maintenance can be entered";
    if (strcmp(r->verb, "RST") == 0 && strcmp(now, "MT") != 0)
        return "not in maintenance";
    if (r->state != NULL && r->state->count > 0 && strcmp(now, "MT") == 0)
        return "Object is in maintenance, use RST command";
    return NULL;
}

static void
write_attributes(const struct request *r, json_t *object)
{
    for (size_t i = 0; r->named != NULL && i < r->named->count; i++) {
        const struct lp_tl1_param *p = &r->named->params[i];
        const char *value = p->value;

        if (strcmp(p->name, "HISTSTATS") == 0)
            value = strcmp(value, "ENABLE") == 0 ? "ENABLED" : "DISABLED";
        (void)lp_json_set_str(object, p->name, value);
    }
    if (r->state != NULL && r->state->count > 0)
        set_state(object, r->state->params[0].value);
    if (strcmp(r->verb, "RMV") == 0)
        set_state(object, "MT");
    if (strcmp(r->verb, "RST") == 0)
        set_state(object, "IS");
}

/* Super-channels come and go with what ends on them. */
static void
super_channels(struct node *node, const struct request *r, bool there)
{
    json_t *list = of_type(node->objects, "SCH");
    char aid[256];

    for (const char *at = r->aid; *at != '\0'; at += *at == ',') {
        size_t len = strcspn(at, ",");

        (void)snprintf(aid, sizeof aid, "%.*s", (int)len, at);
        if (there)
            (void)json_object_set_new(list, aid,
                                      json_pack("{s:s, s:s, s:s}", "SHUTTERSTATE", "CLOSED",
                                                "TARGETOPR", "-9.25", "state", "IS-NR"));
        else
            (void)json_object_del(list, aid);
        at += len;
    }
}

static void
execute_write(struct node *node, const struct request *r, struct answer *a)
{
    json_t *list = of_type(node->objects, r->type), *object = json_object_get(list, r->aid);
    const char *why;

    if (strcmp(r->verb, "ENT") == 0) {
        if (object != NULL) {
            deny(a, node, "IEAE", "object already exists");
            return;
        }
        if (named_value(r, "REMENDPOINT") != NULL && node->far_end_used != NULL
            && strstr(node->far_end_used, named_value(r, "REMENDPOINT")) != NULL) {
            char text[160];

            (void)snprintf(text, sizeof text, "SCH %s is in use", named_value(r, "REMENDPOINT"));
            deny(a, node, "SROF", text);
            return;
        }
        object = json_pack("{s:s}", "state", "IS-NR");
        (void)json_object_set_new(list, r->aid, object);
        write_attributes(r, object);
        if (strcmp(r->type, "OEL") != 0)
            super_channels(node, r, true);
    } else if (object == NULL) {
        deny(a, node, "IENE", "INPUT, SPECIFIED OBJECT ENTITY DOES NOT EXIST");
        return;
    } else {
        why = refusal(node, r, object);
        if (why != NULL) {
            deny(a, node, "SNVS", why);
            return;
        }
        if (strcmp(r->verb, "DLT") == 0) {
            (void)json_object_del(list, r->aid);
            if (strcmp(r->type, "OEL") != 0)
                super_channels(node, r, false);
        } else {
            write_attributes(r, object);
        }
    }
    node->writes++;
    begin(a, node, LP_TL1_COMPLD);
}

static void
execute_read(struct node *node, const struct request *r, struct answer *a)
{
    json_t *list = of_type(node->stale > 0 ? node->snapshot : node->objects, r->type), *object;
    const char *aid;

    if (r->aid[0] == '\0' ? json_object_size(list) == 0 : json_object_get(list, r->aid) == NULL) {
        deny(a, node, "IENE", "INPUT, SPECIFIED OBJECT ENTITY DOES NOT EXIST");
        return;
    }
    begin(a, node, LP_TL1_COMPLD);
    json_object_foreach(list, aid, object)
    {
        if (r->aid[0] == '\0' || strcmp(aid, r->aid) == 0)
            put_object(a, r->type, aid, object);
    }
}

static void
execute_pm(struct answer *a, const struct node *node, const struct request *r)
{
    const struct lp_tl1_param aids[] = {{.value = r->aid}, {.value = "SCH"}};
    const struct lp_tl1_param values[] = {{.value = "OPR"},  {.value = "-8.81938"}, {.value = ""},
                                          {.value = "NEND"}, {.value = "RCV"},      {.value = ""},
                                          {.value = ""},     {.value = ""}};
    const struct lp_tl1_block blocks[] = {{aids, 2}, {values, 8}};
    const struct lp_tl1_record record = {blocks, 2};

    begin(a, node, LP_TL1_COMPLD);
    must(lp_tl1_put_record(&a->buf, &record, &a->err));
}

static void
parse(const struct lp_tl1_command *command, struct request *r)
{
    const char *dash = strchr(command->code, '-');

    *r = (struct request){.type = dash + 1};
    (void)snprintf(r->verb, sizeof r->verb, "%.*s", (int)(dash - command->code), command->code);
    for (size_t i = 0; i < command->aids.count; i++)
        (void)snprintf(r->aid + strlen(r->aid), sizeof r->aid - strlen(r->aid), "%s%s",
                       i > 0 ? "," : "", command->aids.params[i].value);
    if (strcmp(r->verb, "ED") == 0 || strcmp(r->verb, "ENT") == 0) {
        r->named = command->block_count > 2 ? &command->blocks[2] : NULL;
        r->state = command->block_count > 3 ? &command->blocks[3] : NULL;
    }
}

static void
execute(struct node *node, const struct lp_tl1_command *command, struct answer *a)
{
    struct request r;

    parse(command, &r);
    if (strncmp(command->code, "RTRV-PM-", 8) == 0)
        execute_pm(a, node, &r);
    else if (strncmp(command->code, "RTRV-ALM", 8) == 0 || strcmp(r.verb, "OPR") == 0)
        begin(a, node, LP_TL1_COMPLD);
    else if (strcmp(r.verb, "RTRV") == 0)
        execute_read(node, &r, a);
    else
        execute_write(node, &r, a);
    if (node->stale > 0 && strcmp(r.verb, "RTRV") == 0)
        node->stale--;
}

/* ---- the exchange ---- */

static enum lp_code
keep(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    struct node *node = arg;

    (void)err;
    free((void *)(uintptr_t)node->reply);
    node->reply = lp_tl1_message_dup(message);
    return LP_OK;
}

static void
note_sent(struct node *node, const struct lp_tl1_command *command)
{
    struct lp_tl1_command copy = *command;
    struct lp_err err = LP_ERR_INIT;

    copy.ctag = "L00001";
    copy.tid = node->tid;
    must(lp_tl1_command_put(&node->sent, &copy, &err));
    lp_buf_char(&node->sent, '\n');
}

static bool
goes_wrong(struct node *node)
{
    return node->fault != NODE_SOUND && node->exchanges >= node->fault_at
           && node->exchanges < node->fault_at + (node->fault_times > 0 ? node->fault_times : 1);
}

static enum lp_code
answer_with(struct node *node, const struct lp_tl1_command *command, struct answer *a,
            const struct lp_tl1_message **reply, struct lp_err *err)
{
    const struct lp_tl1_rx_options options = {0};
    struct lp_tl1_rx *rx = lp_tl1_rx_new(&options);
    enum lp_code rc;

    lp_tl1_put_end(&a->buf, false);
    rc = lp_tl1_rx_feed(rx, a->buf.data, a->buf.len, keep, node, err);
    lp_tl1_rx_free(rx);
    lp_buf_free(&a->buf);
    must(rc);
    *reply = node->reply;
    return lp_tl1_verdict(node->reply, command, node->tid, NULL, err);
}

static enum lp_code
lost(const struct lp_tl1_command *command, struct lp_err *err)
{
    if (lp_tl1_writes(command->code))
        return lp_fail(err, LP_UNKNOWN, "%s: the answer was lost", command->code);
    return lp_fail(err, LP_RETRYABLE, "%s: the answer was lost", command->code);
}

static enum lp_code
node_exchange(struct fx_ne *fx, const struct lp_tl1_command *command,
              const struct lp_tl1_message **reply, struct lp_err *err)
{
    struct answer a = {.buf = LP_BUF_INIT, .err = LP_ERR_INIT};
    enum node_fault fault;
    struct node *node = NULL;

    for (size_t i = 0; i < LP_COUNT(attached); i++)
        node = attached[i].fx == fx ? attached[i].node : node;
    *reply = NULL;
    node->exchanges++;
    note_sent(node, command);
    fault = goes_wrong(node) ? node->fault : NODE_SOUND;
    if (fault == NODE_UNREACHABLE)
        return lp_fail(err, LP_RETRYABLE, "%s cannot be reached", node->tid);
    if (fault == NODE_LOST_BEFORE)
        return lost(command, err);
    if (fault == NODE_DENIES)
        deny(&a, node, node->code, node->text);
    else if (fault == NODE_NO_OP && lp_tl1_writes(command->code))
        begin(&a, node, LP_TL1_COMPLD);
    else
        execute(node, command, &a);
    if (fault == NODE_PARTIAL) {
        lp_buf_reset(&a.buf);
        begin(&a, node, LP_TL1_PRTL);
    }
    if (fault == NODE_GARBLED)
        lp_buf_str(&a.buf, "   \"1-A-1-L1:OTS:LABEL=\\\"cut off\r\n");
    if (fault == NODE_LOST_AFTER) {
        lp_buf_free(&a.buf);
        return lost(command, err);
    }
    return answer_with(node, command, &a, reply, err);
}

void
node_attach(struct node *node, struct lp_ne *ne)
{
    struct fx_ne *fx = ne->priv;

    for (size_t i = 0; i < LP_COUNT(attached); i++) {
        if (attached[i].fx == fx || attached[i].node == node)
            attached[i].fx = NULL; /* of a handle that is closed */
    }
    /* the oldest one makes room: its handle is closed long since */
    attached[attached_next].fx = fx;
    attached[attached_next].node = node;
    attached_next = (attached_next + 1) % LP_COUNT(attached);
    fx->exchange = node_exchange;
    lp_driver_host_set_serial(ne->host, fx->element.name, node->serial);
}

/* ---- the caller's side ---- */

static int64_t
time_left(void *ctx)
{
    const struct node *node = ctx;

    return node->time_left_ms;
}

static enum lp_code
check(void *ctx, struct lp_err *err)
{
    struct node *node = ctx;

    node->checks++;
    return node->fenced ? lp_fail(err, LP_FENCED, "another executor has this process") : LP_OK;
}

static void
evidence(void *ctx, const struct lp_exchange *exchange)
{
    (void)ctx;
    (void)exchange;
}

static void
progress(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

void
node_call(struct node *node, struct lp_arena *arena, struct lp_call *out)
{
    *out = (struct lp_call){.ctx = node,
                            .time_left_ms = time_left,
                            .check = check,
                            .evidence = evidence,
                            .progress = progress,
                            .arena = arena};
}
