/* The control socket: JSON lines over a Unix socket. What a test or a demo does to the network
   behind the elements' backs, and what it wants to know about them. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "sim/rest/web.h"
#include "sim/server.h"

#define MAX_REQUEST (16u * 1024 * 1024)

/* ---- pieces ---- */

static enum lp_code
node_of(struct sim_server *server, const json_t *request, struct sim_node **out, struct lp_err *err)
{
    const char *name = NULL;
    enum lp_code rc = lp_json_get_string(request, "ne", &name, err);

    if (rc != LP_OK)
        return rc;
    *out = sim_node_find(server->net, name);
    return *out == NULL ? lp_fail(err, LP_NOT_FOUND, "no element '%.64s'", name) : LP_OK;
}

/* As node_of; without "ne" all elements: *out is NULL. */
static enum lp_code
node_or_all(struct sim_server *server, const json_t *request, struct sim_node **out,
            struct lp_err *err)
{
    *out = NULL;
    return json_object_get(request, "ne") == NULL ? LP_OK : node_of(server, request, out, err);
}

static enum lp_code
class_of(const json_t *request, enum sim_class *out, struct lp_err *err)
{
    const char *name = NULL;
    enum lp_code rc = lp_json_get_string(request, "class", &name, err);

    if (rc != LP_OK)
        return rc;
    *out = sim_class_find(name);
    return *out >= SIM_STORED ? lp_fail(err, LP_INVALID, "no class '%.32s'", name) : LP_OK;
}

static enum lp_code
object_of(struct sim_server *server, const json_t *request, struct sim_node **node,
          struct sim_obj **out, struct lp_err *err)
{
    enum sim_class cls = SIM_EQPT;
    const char *aid = NULL;
    enum lp_code rc = node_of(server, request, node, err);

    if (rc == LP_OK)
        rc = class_of(request, &cls, err);
    if (rc == LP_OK)
        rc = lp_json_get_string(request, "aid", &aid, err);
    if (rc != LP_OK)
        return rc;
    *out = sim_obj_find(*node, cls, aid);
    return *out == NULL ? lp_fail(err, LP_NOT_FOUND, "%s has no %s %.127s", (*node)->name,
                                  sim_class_names[cls], aid)
                        : LP_OK;
}

static enum lp_code
span_of(struct sim_server *server, const json_t *request, struct sim_span **out, struct lp_err *err)
{
    const char *id = NULL;
    struct sim_node *node = NULL;
    struct sim_obj *port = NULL;
    enum lp_code rc;

    if (json_object_get(request, "span") != NULL) {
        rc = lp_json_get_string(request, "span", &id, err);
        if (rc != LP_OK)
            return rc;
        *out = sim_span_find(server->net, id);
        return *out == NULL ? lp_fail(err, LP_NOT_FOUND, "no fiber '%.64s'", id) : LP_OK;
    }
    rc = node_of(server, request, &node, err);
    if (rc == LP_OK)
        rc = lp_json_get_string(request, "port", &id, err);
    if (rc != LP_OK)
        return rc;
    port = sim_obj_find(node, SIM_OTS, id);
    if (port == NULL || port->span == NULL)
        return lp_fail(err, LP_NOT_FOUND, "no fiber at %s %.64s", node->name, id);
    *out = port->span;
    return LP_OK;
}

/* ---- drift ---- */

static enum lp_code
attrs_set(struct sim_obj *obj, const json_t *request, struct lp_err *err)
{
    json_t *attrs = json_object_get(request, "attrs"), *value;
    const char *name, *state = NULL;
    enum sim_admin admin;
    enum lp_code rc = lp_json_opt_string(request, "state", &state, err);

    if (rc != LP_OK)
        return rc;
    if (state != NULL && !sim_admin_find(state, &admin))
        return lp_fail(err, LP_INVALID, "'%.32s' is no state", state);
    json_object_foreach(attrs, name, value)
    {
        if (!json_is_string(value) && !json_is_null(value))
            return lp_fail(err, LP_INVALID, "'%.64s' is no text", name);
        if (!sim_obj_set(obj, name, json_string_value(value)))
            return lp_fail(err, LP_INVALID, "%s has no attribute '%.64s'",
                           sim_class_names[obj->cls], name);
    }
    if (state != NULL)
        obj->admin = (uint8_t)admin;
    return LP_OK;
}

static enum lp_code
op_set(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    struct sim_obj *obj = NULL;
    enum lp_code rc = object_of(server, request, &node, &obj, err);

    (void)reply;
    if (rc == LP_OK)
        rc = attrs_set(obj, request, err);
    if (rc == LP_OK && !lp_json_true(request, "silent"))
        sim_report_change(server->net, node, "ED", obj->aid, "0");
    sim_refresh(server->net);
    return rc;
}

static enum lp_code
op_delete(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    struct sim_obj *obj = NULL;
    enum lp_code rc = object_of(server, request, &node, &obj, err);

    (void)reply;
    if (rc != LP_OK)
        return rc;
    if (obj->cls == SIM_OTS || obj->cls == SIM_SCG || obj->cls == SIM_EQPT)
        return lp_fail(err, LP_INVALID, "ports and cards stay");
    if (!lp_json_true(request, "silent"))
        sim_report_change(server->net, node, "DLT", obj->aid, "0");
    if (obj->cls == SIM_OSNC)
        sim_circuit_remove(server->net, node, obj);
    else if (obj->cls == SIM_OCRS && strcmp(sim_obj_get(obj, "SIGTYPE"), "MANUAL") == 0)
        sim_cross_remove(server->net, node, obj);
    else
        sim_obj_remove(node, obj);
    return LP_OK;
}

/* Runs a command as if an operator had typed it at the element. */
static enum lp_code
op_command(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_reply answer = {.records = LP_BUF_INIT};
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_tl1_command command;
    const struct sim_command *row = NULL;
    struct sim_node *node = NULL;
    const char *text = NULL;
    enum lp_code rc = lp_json_get_string(request, "text", &text, err);

    if (rc == LP_OK)
        rc = lp_tl1_command_parse(text, strlen(text), &scratch, &command, err);
    if (rc == LP_OK) {
        row = sim_command_find(command.code);
        node = command.tid == NULL ? NULL : sim_node_find(server->net, command.tid);
        if (row == NULL || row->run == NULL || node == NULL)
            rc = lp_fail(err, LP_INVALID, "unknown command or element");
    }
    if (rc == LP_OK && !sim_command_check(row, &command, &answer.why))
        rc = lp_fail(err, LP_INVALID, "%s %s", answer.why.code, answer.why.text);
    if (rc == LP_OK) {
        sim_execute(server->net, node, row, &command, false, &answer);
        if (answer.completion != LP_TL1_COMPLD)
            rc = lp_fail(err, LP_REFUSED, "%s %s", answer.why.code, answer.why.text);
        else if (answer.records.data != NULL)
            (void)lp_json_set_str(reply, "records", answer.records.data);
    }
    sim_reply_free(&answer);
    lp_tl1_scratch_free(&scratch);
    return rc;
}

static enum lp_code
op_alarm(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    enum sim_class cls = SIM_EQPT;
    const char *aid = NULL, *condition = NULL, *text = "Planted alarm";
    struct sim_alarm alarm = {.severity = "MJ", .effect = "NSA", .direction = "RCV"};
    char *words;
    bool done;
    enum lp_code rc = node_of(server, request, &node, err);

    (void)reply;
    if (rc == LP_OK)
        rc = class_of(request, &cls, err);
    if (rc == LP_OK)
        rc = lp_json_get_string(request, "aid", &aid, err);
    if (rc == LP_OK)
        rc = lp_json_get_string(request, "condition", &condition, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(request, "text", &text, err);
    if (rc != LP_OK)
        return rc;
    snprintf(alarm.severity, sizeof alarm.severity, "%s", lp_json_str(request, "severity", "MJ"));
    snprintf(alarm.effect, sizeof alarm.effect, "%s", lp_json_str(request, "effect", "NSA"));
    snprintf(alarm.condition, sizeof alarm.condition, "%s", condition);
    words = strdup(text);
    alarm.aid = strdup(aid);
    alarm.text = words;
    alarm.type = sim_class_names[cls];
    done = words != NULL && alarm.aid != NULL
           && sim_alarm_plant(server->net, node, &alarm, lp_json_true(request, "clear"));
    free(alarm.aid);
    free(words);
    return done ? LP_OK : lp_fail(err, LP_NOT_FOUND, "no such alarm");
}

/* ---- fibers and light ---- */

static enum lp_code
op_cut(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_span *span = NULL;
    enum lp_code rc = span_of(server, request, &span, err);

    (void)reply;
    if (rc == LP_OK)
        sim_span_cut(server->net, span, strcmp(lp_json_str(request, "op", ""), "cut") == 0);
    return rc;
}

static enum lp_code
op_loss(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_span *span = NULL;
    int64_t loss = 0;
    enum lp_code rc = span_of(server, request, &span, err);

    (void)reply;
    if (rc == LP_OK)
        rc = lp_json_get_int(request, "loss_cdb", &loss, err);
    if (rc == LP_OK && (loss < 0 || loss > 6000))
        rc = lp_fail(err, LP_INVALID, "loss_cdb is not from 0 to 6000");
    if (rc == LP_OK)
        sim_span_loss(server->net, span, (int32_t)loss);
    return rc;
}

/* Light into a tributary: cdbm, or null for a transponder that does what it should. */
static enum lp_code
op_light(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    struct sim_obj *obj = NULL;
    int64_t cdbm = INT64_MIN, offset = INT64_MIN;
    enum lp_code rc = object_of(server, request, &node, &obj, err);

    (void)reply;
    if (rc == LP_OK)
        rc = lp_json_opt_int(request, "cdbm", &cdbm, err);
    if (rc == LP_OK)
        rc = lp_json_opt_int(request, "offset_cdb", &offset, err);
    if (rc != LP_OK)
        return rc;
    if ((cdbm != INT64_MIN && (cdbm < -6000 || cdbm > 3000))
        || (offset != INT64_MIN && (offset < -6000 || offset > 6000)))
        return lp_fail(err, LP_INVALID, "a power is out of range");
    if (offset != INT64_MIN)
        obj->offset_cdb = (int32_t)offset;
    else
        obj->lit = cdbm != INT64_MIN;
    if (cdbm != INT64_MIN)
        obj->light_cdbm = (int32_t)cdbm;
    return LP_OK;
}

static enum lp_code
op_power(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    struct sim_obj *obj = NULL;
    enum lp_code rc = object_of(server, request, &node, &obj, err);

    if (rc != LP_OK)
        return rc;
    (void)lp_json_set_int(reply, "in_cdbm", sim_power(server->net, node, obj, false));
    (void)lp_json_set_int(reply, "out_cdbm", sim_power(server->net, node, obj, true));
    return LP_OK;
}

/* ---- what there is ---- */

static enum lp_code
op_state(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    char hash[65];
    enum lp_code rc = node_or_all(server, request, &node, err);

    if (rc != LP_OK)
        return rc;
    if (!sim_state_hash(server->net, node, hash))
        return lp_fail(err, LP_NOMEM, "no memory for the state");
    (void)lp_json_set_str(reply, "hash", hash);
    if (strcmp(lp_json_str(request, "op", ""), "state") == 0)
        (void)json_object_set_new(reply, "state", sim_state_json(server->net, node));
    return LP_OK;
}

/* How many objects of a class have this value: nothing may be made twice. */
static enum lp_code
op_count(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    enum sim_class cls = SIM_EQPT;
    const char *attr = NULL, *value = NULL;
    struct sim_node *only = NULL;
    json_int_t count = 0;
    size_t i, j;
    enum lp_code rc = node_or_all(server, request, &only, err);

    if (rc == LP_OK)
        rc = class_of(request, &cls, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(request, "attr", &attr, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(request, "value", &value, err);
    for (i = 0; rc == LP_OK && i < server->net->node_count; i++) {
        const struct sim_node *node = &server->net->nodes[i];

        for (j = 0; (only == NULL || only == node) && j < node->objs[cls].count; j++) {
            const struct sim_obj *obj = node->objs[cls].at[j];

            count +=
                obj->gone_us == 0
                && (attr == NULL || value == NULL || strcmp(sim_obj_get(obj, attr), value) == 0);
        }
    }
    (void)lp_json_set_int(reply, "count", count);
    return rc;
}

static json_t *
sessions_of(const struct sim_node *node)
{
    json_t *users = json_array();
    size_t i;

    for (i = 0; i < node->seat_count; i++)
        (void)json_array_append_new(users, json_pack("{s:s,s:I,s:b}", "user", node->seats[i].user,
                                                     "session", (json_int_t)node->seats[i].conn,
                                                     "connected", node->seats[i].conn != 0));
    return json_pack("{s:i,s:i,s:o}", "count", (int)node->seat_count, "peak", (int)node->seat_peak,
                     "logins", users);
}

static enum lp_code
op_sessions(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *only = NULL;
    json_t *nodes = json_object();
    size_t i;
    enum lp_code rc = node_or_all(server, request, &only, err);

    for (i = 0; rc == LP_OK && i < server->net->node_count; i++) {
        struct sim_node *node = &server->net->nodes[i];

        if ((only != NULL && only != node) || (node->seat_count == 0 && node->seat_peak == 0))
            continue;
        (void)json_object_set_new(nodes, node->name, sessions_of(node));
        if (lp_json_true(request, "reset"))
            node->seat_peak = node->seat_count;
    }
    (void)json_object_set_new(reply, "elements", nodes);
    (void)lp_json_set_int(reply, "connections", (json_int_t)server->conn_count);
    return rc;
}

static enum lp_code
op_nodes(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    json_t *nodes = json_array();
    size_t i;

    (void)request;
    (void)err;
    for (i = 0; i < server->net->node_count; i++) {
        const struct sim_node *node = &server->net->nodes[i];

        (void)json_array_append_new(
            nodes, json_pack("{s:s,s:s,s:s,s:b,s:I,s:I}", "name", node->name, "kind", node->kind,
                             "serial", node->serial, "gateway", node->gateway, "commands",
                             (json_int_t)node->commands, "writes", (json_int_t)node->writes));
    }
    {
        json_t *boxes = sim_box_rows(server->net);

        (void)json_array_extend(nodes, boxes);
        json_decref(boxes);
    }
    (void)json_object_set_new(reply, "nodes", nodes);
    (void)json_object_set_new(reply, "ports", sim_server_ports(server));
    return LP_OK;
}

static enum lp_code
op_spans(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    json_t *spans = json_array();
    size_t i;

    (void)request;
    (void)err;
    for (i = 0; i < server->net->span_count; i++) {
        const struct sim_span *s = &server->net->spans[i];

        (void)json_array_append_new(spans,
                                    json_pack("{s:s,s:[s,s],s:[s,s],s:i,s:i,s:b}", "id", s->id, "a",
                                              s->node[0]->name, s->port[0]->aid, "b",
                                              s->node[1]->name, s->port[1]->aid, "length_m",
                                              s->length_m, "loss_cdb", s->loss_cdb, "cut", s->cut));
    }
    {
        json_t *patches = sim_patch_rows(server->net);

        (void)json_array_extend(spans, patches);
        json_decref(patches);
    }
    (void)json_object_set_new(reply, "spans", spans);
    return LP_OK;
}

static enum lp_code
op_stats(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct mallinfo2 memory = mallinfo2();

    (void)request;
    (void)err;
    (void)lp_json_set_int(reply, "elements",
                          (int64_t)(server->net->node_count + server->net->box_count));
    (void)lp_json_set_int(reply, "exchanges", (int64_t)server->exchanges);
    (void)lp_json_set_int(reply, "connections_total", (int64_t)server->connections);
    (void)lp_json_set_int(reply, "connections", (int64_t)server->conn_count);
    (void)lp_json_set_int(reply, "overflows", (int64_t)server->overflows);
    (void)lp_json_set_int(reply, "heap_bytes", (int64_t)memory.uordblks);
    return LP_OK;
}

/* ---- faults ---- */

static enum lp_code
op_faults(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    json_t *rules = json_object_get(request, "rules");

    (void)reply;
    if (lp_json_true(request, "replace"))
        sim_faults_clear(&server->faults, true);
    return rules == NULL ? lp_fail(err, LP_INVALID, "'rules' is missing")
                         : sim_faults_add(&server->faults, rules, sim_real_us(), err);
}

static enum lp_code
op_faults_clear(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    (void)request;
    (void)reply;
    (void)err;
    sim_faults_clear(&server->faults, true);
    return LP_OK;
}

static enum lp_code
op_journal(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    json_t *rules = json_array();
    size_t i;

    (void)request;
    (void)err;
    for (i = 0; i < server->faults.count; i++)
        (void)json_array_append_new(
            rules, json_pack("{s:I,s:I}", "seen", (json_int_t)server->faults.rules[i].seen, "fired",
                             (json_int_t)server->faults.rules[i].fired));
    (void)json_object_set_new(reply, "rules", rules);
    (void)json_object_set_new(
        reply, "journal",
        server->faults.journal == NULL ? json_array() : json_deep_copy(server->faults.journal));
    return LP_OK;
}

/* ---- the whole ---- */

static enum lp_code
op_reset(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_conn *conn;
    size_t i;
    enum lp_code rc = sim_net_reset(server->net, err);

    (void)reply;
    if (rc != LP_OK)
        return rc;
    sim_faults_clear(&server->faults, true);
    server->faults.random = (uint64_t)server->net->options.seed;
    for (conn = server->conns; lp_json_true(request, "sessions") && conn != NULL; conn = conn->next)
        sim_conn_kill(server, conn, true);
    for (i = 0; lp_json_true(request, "sessions") && i < server->net->node_count; i++) {
        server->net->nodes[i].seat_count = 0;
        server->net->nodes[i].seat_peak = 0;
    }
    return LP_OK;
}

static enum lp_code
op_option(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    json_t *options = json_object_get(request, "options"), *value;
    const char *name;
    enum lp_code rc =
        json_is_object(options) ? LP_OK : lp_fail(err, LP_INVALID, "'options' is no object");

    (void)reply;
    json_object_foreach(options, name, value)
    {
        if (rc == LP_OK)
            rc = sim_option_set(server->net, name, options, err);
    }
    return rc;
}

static enum lp_code
op_latency(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    int64_t ms = 0;
    enum lp_code rc = node_or_all(server, request, &node, err);

    (void)reply;
    if (rc == LP_OK)
        rc = lp_json_get_int(request, "ms", &ms, err);
    if (rc == LP_OK && (ms < 0 || ms > 600000))
        rc = lp_fail(err, LP_INVALID, "ms is not from 0 to 600000");
    if (rc != LP_OK)
        return rc;
    if (node != NULL)
        node->latency_us = ms * 1000;
    else
        server->net->options.latency_ms = ms;
    return LP_OK;
}

/* Virtual time goes forward: idle timers, settling, counters. Deliveries keep real time. */
static enum lp_code
op_clock(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    int64_t ms = 0;
    enum lp_code rc = lp_json_get_int(request, "advance_ms", &ms, err);

    (void)reply;
    if (rc == LP_OK && (ms < 0 || ms > INT64_C(1000000000000)))
        rc = lp_fail(err, LP_INVALID, "advance_ms is not from 0 to 1000000000000");
    if (rc != LP_OK)
        return rc;
    server->shift_us += ms * 1000;
    sim_server_time(server);
    server->next_sweep_us = 0;
    return LP_OK;
}

/* Another element under the same address: its serial number, or its name in answers. */
static enum lp_code
op_replace(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    const char *serial = NULL, *sid = NULL;
    struct sim_obj *chassis;
    enum lp_code rc = node_of(server, request, &node, err);

    (void)reply;
    if (rc == LP_OK)
        rc = lp_json_opt_string(request, "serial", &serial, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(request, "answers_as", &sid, err);
    if (rc != LP_OK)
        return rc;
    chassis = sim_obj_find(node, SIM_EQPT, "1");
    if (serial != NULL && (chassis == NULL || !sim_obj_set(chassis, "SERNO", serial)))
        return lp_fail(err, LP_NOMEM, "no memory for a serial number");
    if (json_object_get(request, "answers_as") != NULL) {
        free(node->answers_as);
        node->answers_as = sid == NULL ? NULL : strdup(sid);
    }
    if (lp_json_true(request, "new_host_key") && server->ssh != NULL)
        rc = sim_ssh_new_key(server->ssh, node->index, err);
    return rc;
}

static enum lp_code
op_restart(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    int64_t ms = 1000;
    enum lp_code rc = node_of(server, request, &node, err);

    (void)reply;
    if (rc == LP_OK)
        rc = lp_json_opt_int(request, "down_ms", &ms, err);
    if (rc == LP_OK && (ms < 0 || ms > 86400000))
        rc = lp_fail(err, LP_INVALID, "down_ms is not from 0 to 86400000");
    if (rc == LP_OK)
        sim_server_down(server, node, ms * 1000);
    return rc;
}

static enum lp_code
op_disconnect(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    struct sim_node *node = NULL;
    struct sim_conn *conn;
    json_int_t count = 0;
    enum lp_code rc = node_or_all(server, request, &node, err);

    for (conn = server->conns; rc == LP_OK && conn != NULL; conn = conn->next)
        if (!conn->dead && (node == NULL || conn->node == node)) {
            sim_conn_kill(server, conn, true);
            count++;
        }
    (void)lp_json_set_int(reply, "count", count);
    return rc;
}

/* Another password for a user of the network, everywhere. */
static enum lp_code
op_password(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    const char *user = NULL, *password = NULL;
    char *copy;
    size_t i;
    enum lp_code rc = lp_json_get_string(request, "user", &user, err);

    (void)reply;
    if (rc == LP_OK)
        rc = lp_json_get_string(request, "password", &password, err);
    if (rc != LP_OK)
        return rc;
    for (i = 0; i < server->net->user_count && strcmp(server->net->users[i].name, user) != 0; i++)
        continue;
    copy = i == server->net->user_count ? NULL : strdup(password);
    if (copy == NULL)
        return lp_fail(err, LP_NOT_FOUND, "there is no user '%.64s'", user);
    pthread_mutex_lock(&server->users_lock);
    free(server->net->users[i].password);
    server->net->users[i].password = copy;
    pthread_mutex_unlock(&server->users_lock);
    return LP_OK;
}

static enum lp_code
op_stop(struct sim_server *server, const json_t *request, json_t *reply, struct lp_err *err)
{
    (void)request;
    (void)reply;
    (void)err;
    server->stop = true;
    return LP_OK;
}

static const struct op {
    const char *name;
    enum lp_code (*run)(struct sim_server *server, const json_t *request, json_t *reply,
                        struct lp_err *err);
} ops[] = {
    {"state", op_state},       {"hash", op_state},
    {"count", op_count},       {"sessions", op_sessions},
    {"nodes", op_nodes},       {"spans", op_spans},
    {"stats", op_stats},       {"set", op_set},
    {"delete", op_delete},     {"command", op_command},
    {"alarm", op_alarm},       {"cut", op_cut},
    {"repair", op_cut},        {"loss", op_loss},
    {"light", op_light},       {"power", op_power},
    {"faults", op_faults},     {"faults-clear", op_faults_clear},
    {"journal", op_journal},   {"reset", op_reset},
    {"options", op_option},    {"latency", op_latency},
    {"clock", op_clock},       {"replace", op_replace},
    {"restart", op_restart},   {"disconnect", op_disconnect},
    {"password", op_password}, {"stop", op_stop},
};

enum lp_code
sim_control(struct sim_server *server, const json_t *request, json_t **reply, struct lp_err *err)
{
    const char *name = NULL;
    size_t i;
    enum lp_code rc;

    if (!json_is_object(request))
        return lp_fail(err, LP_INVALID, "a request is an object");
    rc = lp_json_get_string(request, "op", &name, err);
    if (rc != LP_OK)
        return rc;
    *reply = json_pack("{s:b}", "ok", 1);
    if (*reply == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a reply");
    if (!sim_box_control(server, name, request, *reply, &rc, err)) {
        for (i = 0; i < LP_COUNT(ops) && strcmp(ops[i].name, name) != 0; i++)
            continue;
        rc = i == LP_COUNT(ops) ? lp_fail(err, LP_INVALID, "there is no '%.64s'", name)
                                : ops[i].run(server, request, *reply, err);
    }
    if (rc != LP_OK) {
        json_decref(*reply);
        *reply = NULL;
    }
    return rc;
}

/* ---- the socket ---- */

struct sim_control_conn {
    struct sim_source source;
    struct sim_control_conn *next;
    struct lp_buf in;
};

static void
control_close(struct sim_server *server, struct sim_control_conn *conn)
{
    struct sim_control_conn **at = &server->controls;

    while (*at != NULL && *at != conn)
        at = &(*at)->next;
    if (*at != NULL)
        *at = conn->next;
    sim_unwatch(server, &conn->source);
    close(conn->source.fd);
    lp_buf_free(&conn->in);
    free(conn);
}

void
sim_control_close(struct sim_server *server)
{
    while (server->controls != NULL)
        control_close(server, server->controls);
    if (server->control == NULL)
        return;
    sim_unwatch(server, server->control);
    close(server->control->fd);
    free(server->control);
    server->control = NULL;
}

/* Whoever asks for much reads it too: the socket is written to the end, for a while. */
static bool
control_write(int fd, const char *text, size_t len)
{
    struct timeval limit = {.tv_sec = 5};

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static bool
control_line(struct sim_server *server, int fd, const char *line, size_t len)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *request = NULL, *reply = NULL;
    struct lp_buf out = LP_BUF_INIT;
    bool ok;

    sim_server_time(server);
    if (lp_json_load(line, len, &request, &err) == LP_OK)
        (void)!sim_control(server, request, &reply, &err);
    if (reply == NULL)
        reply = json_pack("{s:b,s:s,s:s}", "ok", 0, "code", lp_code_info(err.code)->slug, "error",
                          err.msg);
    lp_buf_json(&out, reply);
    lp_buf_char(&out, '\n');
    ok = !out.failed && control_write(fd, out.data, out.len);
    lp_buf_free(&out);
    json_decref(reply);
    json_decref(request);
    lp_err_clear(&err);
    return ok;
}

static bool
control_lines(struct sim_server *server, struct sim_control_conn *conn)
{
    size_t from = 0;
    char *end;

    while ((end = memchr(conn->in.data + from, '\n', conn->in.len - from)) != NULL) {
        size_t len = (size_t)(end - conn->in.data) - from;

        if (!control_line(server, conn->source.fd, conn->in.data + from, len))
            return false;
        from += len + 1;
    }
    memmove(conn->in.data, conn->in.data + from, conn->in.len - from);
    conn->in.len -= from;
    return conn->in.len <= MAX_REQUEST;
}

static void
control_read(struct sim_server *server, struct sim_source *source, uint32_t events)
{
    struct sim_control_conn *conn = (struct sim_control_conn *)source;
    char bytes[16384];
    ssize_t n = recv(source->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        lp_buf_add(&conn->in, bytes, (size_t)n);
    if (n <= 0 || conn->in.failed || !control_lines(server, conn))
        control_close(server, conn);
}

static void
control_accept(struct sim_server *server, struct sim_source *source, uint32_t events)
{
    struct sim_control_conn *conn = calloc(1, sizeof *conn);
    struct lp_err err = LP_ERR_INIT;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);

    (void)events;
    if (fd < 0 || conn == NULL) {
        if (fd >= 0)
            close(fd);
        free(conn);
        return;
    }
    conn->source = (struct sim_source){.ready = control_read, .fd = fd};
    if (sim_watch(server, &conn->source, EPOLLIN, &err) != LP_OK) {
        close(fd);
        free(conn);
    } else {
        conn->next = server->controls;
        server->controls = conn;
    }
    lp_err_clear(&err);
}

enum lp_code
sim_control_listen(struct sim_server *server, const char *path, struct lp_err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct sim_source *source = calloc(1, sizeof *source);
    struct stat old;
    int fd;

    if (source == NULL || strlen(path) >= sizeof at.sun_path) {
        free(source);
        return lp_fail(err, LP_INVALID, "the path of the control socket is too long");
    }
    memcpy(at.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode))
        (void)unlink(path); /* of a run before; anything else is somebody's file */
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0) {
        free(source);
        if (fd >= 0)
            close(fd);
        return lp_fail(err, LP_INVALID, "cannot listen on %s: %s", path, strerror(errno));
    }
    *source = (struct sim_source){.ready = control_accept, .fd = fd};
    server->control = source;
    return sim_watch(server, source, EPOLLIN, err);
}
