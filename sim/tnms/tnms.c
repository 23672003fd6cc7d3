/**
 * The TNMS: login for tokens that expire, the devices and fibers of the whole network as TAPI shows
 * them, TL1 scripts as jobs. Element kind "TNMS" of sim/rest/box.h.
 *
 * A script takes effect when it is accepted; its result can be fetched after job_ms, until then the
 * job is PENDING and RUNNING. Threads: the owner of the network.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/uuid.h"
#include "sim/flexils/exec.h"
#include "sim/rest/web.h"

#define MODULE      "tapi-equipment-extensions-cli"
#define MAX_DEVICES 256

#define TEXT_LEAF(n)                                                                               \
    {                                                                                              \
        .name = (n), .type = SIM_L_TEXT, .state = true                                             \
    }
#define LEAVES(array) .leaves = (array), .leaf_count = LP_COUNT(array)
#define FLAGS         .flags = SIM_S_LIST | SIM_S_STATE

static const struct sim_leaf name_leaves[] = {TEXT_LEAF("value-name"), TEXT_LEAF("value")};
static const struct sim_schema name_schema = {
    .name = "name", .keys = {"value-name"}, LEAVES(name_leaves), FLAGS};
static const struct sim_schema *const name_only[] = {&name_schema, NULL};

static const struct sim_leaf uuid_leaves[] = {TEXT_LEAF("uuid")};
static const struct sim_schema port_schema = {
    .name = "access-port", .keys = {"uuid"}, LEAVES(uuid_leaves), .children = name_only, FLAGS};
static const struct sim_schema *const device_children[] = {&name_schema, &port_schema, NULL};
static const struct sim_schema device_schema = {
    .name = "device", .keys = {"uuid"}, LEAVES(uuid_leaves), .children = device_children, FLAGS};

static const struct sim_leaf end_leaves[] = {TEXT_LEAF("device-uuid"),
                                             TEXT_LEAF("access-port-uuid")};
static const struct sim_schema end_schema = {
    .name = "access-port", .keys = {"device-uuid", "access-port-uuid"}, LEAVES(end_leaves), FLAGS};
static const struct sim_schema *const span_children[] = {&name_schema, &end_schema, NULL};
static const struct sim_schema span_schema = {.name = "physical-span",
                                              .keys = {"uuid"},
                                              LEAVES(uuid_leaves),
                                              .children = span_children,
                                              FLAGS};
static const struct sim_schema *const physical_children[] = {&device_schema, &span_schema, NULL};
static const struct sim_schema physical_schema = {.name = "physical-context",
                                                  .module = "tapi-equipment",
                                                  .children = physical_children,
                                                  .flags = SIM_S_AUTO | SIM_S_STATE};
static const struct sim_schema topology_schema = {
    .name = "topology-context", .module = "tapi-topology", .flags = SIM_S_AUTO | SIM_S_STATE};
static const struct sim_schema connectivity_schema = {.name = "connectivity-context",
                                                      .module = "tapi-connectivity",
                                                      .flags = SIM_S_AUTO | SIM_S_STATE};
static const struct sim_schema notification_schema = {.name = "notification-context",
                                                      .module = "tapi-notification",
                                                      .flags = SIM_S_AUTO | SIM_S_STATE};
static const struct sim_schema *const context_children[] = {
    &physical_schema, &topology_schema, &connectivity_schema, &notification_schema, NULL};
static const struct sim_schema context_schema = {.name = "context",
                                                 .module = "tapi-common",
                                                 .children = context_children,
                                                 .flags = SIM_S_AUTO | SIM_S_STATE};
static const struct sim_schema *const roots[] = {&context_schema, NULL};
static const struct sim_model model = {.roots = roots};

/* ---- what it knows of the network ---- */

static struct lp_uuid
device_uuid(const char *name)
{
    char text[96];

    (void)snprintf(text, sizeof text, "device:%.80s", name);
    return lp_uuid_v5(LP_CATALOG_NAMESPACE, text);
}

static struct lp_uuid
port_uuid(const char *name, const char *port)
{
    char text[240];

    (void)snprintf(text, sizeof text, "port:%.80s:%.120s", name, port);
    return lp_uuid_v5(LP_CATALOG_NAMESPACE, text);
}

static json_t *
names_new(const char *kind, const char *text)
{
    return json_pack("[{s:s,s:s}]", "value-name", kind, "value", text);
}

static json_t *
device_new(json_t *devices, const char *name)
{
    json_t *ports = json_array();

    (void)json_array_append_new(devices,
                                json_pack("{s:s,s:o,s:o}", "uuid", device_uuid(name).text, "name",
                                          names_new("NAME", name), "access-port", ports));
    return ports;
}

/* "Line PTP 1-A-1.L1", "Tributary PTP 1-E1-1.T1A", "Line PTP 1.2.1" for port-1/2/1 */
static void
port_add(json_t *ports, const char *device, const char *port, const char *kind)
{
    char text[160], shown[120];
    char *last;

    if (strncmp(port, "port-", 5) == 0) {
        (void)snprintf(shown, sizeof shown, "%s", port + 5);
        for (last = shown; *last != '\0'; last++)
            *last = *last == '/' ? '.' : *last;
    } else {
        (void)snprintf(shown, sizeof shown, "%s", port);
        last = strrchr(shown, '-');
        if (last != NULL)
            *last = '.';
    }
    (void)snprintf(text, sizeof text, "%s PTP %s", kind, shown);
    (void)json_array_append_new(ports, json_pack("{s:s,s:o}", "uuid", port_uuid(device, port).text,
                                                 "name", names_new("NAME", text)));
}

static void
nodes_show(const struct sim_net *net, json_t *devices)
{
    size_t i, j;

    for (i = 0; i < net->node_count; i++) {
        const struct sim_node *node = &net->nodes[i];
        json_t *ports = device_new(devices, node->name);

        for (j = 0; j < node->objs[SIM_OTS].count; j++)
            port_add(ports, node->name, node->objs[SIM_OTS].at[j]->aid, "Line");
        for (j = 0; j < node->objs[SIM_SCG].count; j++) {
            const char *aid = node->objs[SIM_SCG].at[j]->aid, *last = strrchr(aid, '-');

            port_add(ports, node->name, aid,
                     last != NULL && last[1] == 'T' ? "Tributary" : "System");
        }
    }
}

static void
span_add(json_t *spans, const char *id, const char *const device[2], const char *const port[2])
{
    char text[200];
    struct lp_uuid uuid;

    (void)snprintf(text, sizeof text, "span:%.80s:%.80s", device[0], port[0]);
    uuid = lp_uuid_v5(LP_CATALOG_NAMESPACE, text);
    (void)json_array_append_new(spans,
                                json_pack("{s:s,s:o,s:[{s:s,s:s},{s:s,s:s}]}", "uuid", uuid.text,
                                          "name", names_new("NAME", id), "access-port",
                                          "device-uuid", device_uuid(device[0]).text,
                                          "access-port-uuid", port_uuid(device[0], port[0]).text,
                                          "device-uuid", device_uuid(device[1]).text,
                                          "access-port-uuid", port_uuid(device[1], port[1]).text));
}

static void
spans_show(const struct sim_net *net, const json_t *hidden, json_t *spans)
{
    size_t i;

    for (i = 0; i < net->span_count; i++) {
        const struct sim_span *s = &net->spans[i];

        if (json_object_get(hidden, s->id) != NULL)
            continue;
        span_add(spans, s->id, (const char *const[]){s->node[0]->name, s->node[1]->name},
                 (const char *const[]){s->port[0]->aid, s->port[1]->aid});
    }
    for (i = 0; i < net->patch_count; i++) {
        const char *device[2], *port[2];
        int e;

        if (json_object_get(hidden, net->patches[i].id) != NULL)
            continue;
        for (e = 0; e < 2; e++) {
            const struct sim_patch_end *end = &net->patches[i].end[e];

            device[e] = end->node != NULL ? end->node->name : end->box->name;
            port[e] = end->node != NULL ? end->port->aid : end->line;
        }
        span_add(spans, net->patches[i].id, device, port);
    }
}

/* Elements that speak HTTPS, with the line ports that something is patched to. */
static void
boxes_show(const struct sim_net *net, json_t *devices)
{
    size_t b, i;

    for (b = 0; b < net->box_count; b++) {
        const struct sim_box *box = &net->boxes[b];
        json_t *ports;

        if (box->kind == &sim_kind_tnms)
            continue;
        ports = device_new(devices, box->name);
        for (i = 0; i < net->patch_count * 2; i++) {
            const struct sim_patch_end *end = &net->patches[i / 2].end[i % 2];

            if (end->box == box)
                port_add(ports, box->name, end->line, "Line");
        }
    }
}

static void
tnms_settle(struct sim_net *net, struct sim_box *box)
{
    json_t *physical, *devices, *spans;
    int64_t shown = lp_json_int(box->extra, "shown_us", INT64_MIN);

    if (shown != INT64_MIN && net->now_us - shown < lp_json_int(box->doc, "stale_ms", 0) * 1000)
        return;
    (void)lp_json_set_int(box->extra, "shown_us", net->now_us);
    devices = json_array();
    spans = json_array();
    nodes_show(net, devices);
    boxes_show(net, devices);
    spans_show(net, json_object_get(box->extra, "hidden"), spans);
    physical =
        json_object_get(json_object_get(box->tree, "tapi-common:context"), physical_schema.name);
    (void)json_object_set_new(physical, "device", devices);
    (void)json_object_set_new(physical, "physical-span", spans);
}

/* ---- TL1 scripts ---- */

struct script {
    struct sim_net *net;
    struct sim_node *node;
    bool logged_in;
    struct lp_buf out;
};

static void
put_head(struct script *s, const char *ctag, const char *word)
{
    struct lp_err err = LP_ERR_INIT;
    char date[16], hour[16];
    struct tm tm;

    sim_clock(s->net, s->node, &tm);
    (void)strftime(date, sizeof date, "%Y-%m-%d", &tm);
    (void)strftime(hour, sizeof hour, "%H:%M:%S", &tm);
    if (lp_tl1_put_header(&s->out, s->node->name, date + 2, hour, &err) != LP_OK)
        lp_buf_printf(&s->out, "\r\n\n   %s %s %s\r\n", s->node->name, date + 2, hour);
    lp_err_clear(&err);
    lp_buf_printf(&s->out, "M  %s %s\r\n", ctag, word);
}

static void
put_denial(struct script *s, const char *ctag, const struct sim_denial *why)
{
    put_head(s, ctag, "DENY");
    lp_buf_printf(&s->out, "   %s\r\n   /*%s*/\r\n;", why->code, why->text);
}

static bool
act_user(struct script *s, const struct lp_tl1_command *command)
{
    const char *user = command->aids.count == 1 ? command->aids.params[0].value : "";
    const char *password = command->block_count > 1 && command->blocks[1].count > 0
                               ? command->blocks[1].params[0].value
                               : "";
    size_t i;

    for (i = 0; i < s->net->user_count; i++)
        if (strcmp(s->net->users[i].name, user) == 0)
            s->logged_in = lp_same_secret(s->net->users[i].password, password);
    return s->logged_in;
}

static void
put_records(struct script *s, const struct sim_reply *reply)
{
    const char *line = reply->records.data;

    while (line != NULL && *line != '\0') {
        size_t n = strcspn(line, "\n");

        lp_buf_printf(&s->out, "   \"%.*s\"\r\n", (int)n, line);
        line += n + (line[n] == '\n' ? 1 : 0);
    }
}

static bool
command_run(struct script *s, const struct lp_tl1_command *command)
{
    const struct sim_command *row = sim_command_find(command->code);
    struct sim_reply reply = {.records = LP_BUF_INIT};
    bool ok = false;

    if (command->tid == NULL || strcmp(command->tid, s->node->name) != 0) {
        (void)sim_deny(&reply.why, "IITA", "Input, Invalid TArget identifier");
    } else if (row == NULL) {
        (void)sim_deny(&reply.why, "IICM", "Input, Invalid Command");
    } else if (!sim_command_check(row, command, &reply.why)) {
        ok = false;
    } else if (row->verb == SIM_ACT_USER) {
        ok = act_user(s, command)
             || sim_deny(&reply.why, "PIUI", "Privilege, Illegal User Identity");
    } else if (!s->logged_in) {
        (void)sim_deny(&reply.why, "PLNA", "Privilege, Login Not Active");
    } else if (row->run != NULL) {
        sim_execute(s->net, s->node, row, command, false, &reply);
        ok = reply.completion == LP_TL1_COMPLD;
    } else {
        ok = true; /* the session's own commands */
        s->logged_in = row->verb != SIM_CANC_USER;
    }
    if (!ok)
        put_denial(s, command->ctag, &reply.why);
    else {
        put_head(s, command->ctag, "COMPLD");
        put_records(s, &reply);
        lp_buf_str(&s->out, ";");
    }
    sim_reply_free(&reply);
    return ok;
}

/* One line of a script; its answer as a row of the result. */
static bool
line_run(struct script *s, const char *text, json_t *responses)
{
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_tl1_command command;
    struct lp_err err = LP_ERR_INIT;
    struct sim_denial why;
    bool ok = false;

    s->out = (struct lp_buf)LP_BUF_INIT;
    if (lp_tl1_command_parse(text, strlen(text), &scratch, &command, &err) == LP_OK) {
        ok = command_run(s, &command);
    } else {
        (void)sim_deny(&why, "IISP", "Input, Invalid Syntax or Punctuation");
        put_denial(s, "0", &why);
    }
    (void)json_array_append_new(responses,
                                json_pack("{s:s,s:s}", "output", s->out.failed ? "" : s->out.data,
                                          "status", ok ? "FINISHED" : "FAILED"));
    lp_tl1_scratch_free(&scratch);
    lp_err_clear(&err);
    lp_buf_free(&s->out);
    return ok;
}

static struct sim_node *
node_by_uuid(struct sim_net *net, const char *uuid)
{
    size_t i;

    for (i = 0; uuid != NULL && i < net->node_count; i++)
        if (strcmp(device_uuid(net->nodes[i].name).text, uuid) == 0)
            return &net->nodes[i];
    return NULL;
}

static json_t *
device_run(struct sim_net *net, const char *uuid, const json_t *commands, bool go_on, bool *ok)
{
    struct script s = {.net = net, .node = node_by_uuid(net, uuid)};
    json_t *responses = json_array();
    size_t i;

    for (i = 0; i < json_array_size(commands); i++) {
        bool done = line_run(&s, json_string_value(json_array_get(commands, i)), responses);

        *ok = *ok && done;
        if (!done && !go_on)
            break;
    }
    return json_pack("{s:s,s:o}", "device-ref", uuid, "responses", responses);
}

static bool
texts_only(const json_t *array, size_t most)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++)
        if (!json_is_string(json_array_get(array, i)))
            return false;
    return json_array_size(array) >= 1 && json_array_size(array) <= most;
}

static bool
script_start(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
             struct sim_why *why)
{
    const json_t *devices = json_object_get(input, "device-list");
    const json_t *commands = json_object_get(input, "commands");
    const char *policy = lp_json_str(input, "error-policy", "ABORT");
    bool go_on = strcmp(policy, "CONTINUE") == 0, ok = true;
    int64_t id = lp_json_int(box->extra, "job", 4710) + 1;
    json_t *results, *jobs = json_object_get(box->extra, "jobs");
    char key[24];
    size_t i;

    if (!texts_only(devices, MAX_DEVICES) || !texts_only(commands, 10000)
        || strcmp(lp_json_str(input, "channel", ""), "TL1") != 0
        || (!go_on && strcmp(policy, "ABORT") != 0))
        return sim_refuse(why, 400, "invalid-value",
                          "device-list, commands, channel or error-policy");
    for (i = 0; i < json_array_size(devices); i++)
        if (node_by_uuid(net, json_string_value(json_array_get(devices, i))) == NULL)
            return sim_refuse(why, 404, "data-missing", "there is no such device");
    results = json_array();
    for (i = 0; i < json_array_size(devices); i++)
        (void)json_array_append_new(
            results,
            device_run(net, json_string_value(json_array_get(devices, i)), commands, go_on, &ok));
    if (jobs == NULL) {
        jobs = json_object();
        (void)json_object_set_new(box->extra, "jobs", jobs);
    }
    (void)snprintf(key, sizeof key, "%lld", (long long)id);
    (void)json_object_set_new(jobs, key,
                              json_pack("{s:I,s:b,s:o}", "since_us", (json_int_t)net->now_us, "ok",
                                        ok || go_on, "results", results));
    (void)lp_json_set_int(box->extra, "job", id);
    sim_refresh(net);
    *out = json_pack("{s:I}", "id", (json_int_t)id);
    return true;
}

static bool
script_result(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
              struct sim_why *why)
{
    int64_t id = sim_number(input, "id", 0), age, wait = lp_json_int(box->doc, "job_ms", 200);
    const json_t *job;
    char key[24];

    (void)snprintf(key, sizeof key, "%lld", (long long)id);
    job = json_object_get(json_object_get(box->extra, "jobs"), key);
    if (job == NULL)
        return sim_refuse(why, 404, "data-missing", "there is no job %lld", (long long)id);
    age = (net->now_us - lp_json_int(job, "since_us", 0)) / 1000;
    if (age < wait)
        *out = json_pack("{s:I,s:s,s:[]}", "id", (json_int_t)id, "status",
                         age < wait / 3 ? "PENDING" : "RUNNING", "device-results");
    else
        *out = json_pack("{s:I,s:s,s:O}", "id", (json_int_t)id, "status",
                         lp_json_true(job, "ok") ? "FINISHED" : "FAILED", "device-results",
                         json_object_get(job, "results"));
    return true;
}

static const struct sim_operation operations[] = {
    {MODULE ":run-cli-script", true, script_start, "|device-list|commands|channel|error-policy|"},
    {MODULE ":get-cli-script-result", false, script_result, "|id|"},
};
static const size_t operation_count = LP_COUNT(operations);

/* ---- login ---- */

/* A member of "user=...&password=..." into buf. */
static bool
form_member(const char *body, const char *name, char *buf, size_t size)
{
    size_t len = strlen(name), i;

    while (body != NULL && (strncmp(body, name, len) != 0 || body[len] != '=')) {
        body = strchr(body, '&');
        body = body == NULL ? NULL : body + 1;
    }
    if (body == NULL)
        return false;
    (void)snprintf(buf, size, "%.*s", (int)strcspn(body + len + 1, "&"), body + len + 1);
    for (i = 0; buf[i] != '\0'; i++)
        buf[i] = buf[i] == '+' ? ' ' : buf[i];
    return sim_percent_decode(buf);
}

static bool
tnms_other(struct sim_net *net, struct sim_box *box, const struct sim_http_request *request,
           struct sim_web_answer *answer)
{
    const char *path = request->path;
    char user[128], password[256], token[33];
    struct sim_why why;

    if (strncmp(path, "/restconf", 9) == 0)
        path += 9;
    if (strcmp(path, "/auth") != 0)
        return false;
    if (strcmp(request->method, "POST") != 0) {
        (void)sim_refuse(&why, 405, "operation-not-supported", "tokens are posted for");
        sim_web_refuse(answer, &why);
    } else if (form_member(request->body, "user", user, sizeof user)
               && form_member(request->body, "password", password, sizeof password)
               && sim_box_password(net, box, user, password)) {
        sim_web_token(net, box, lp_json_int(box->doc, "token_ms", 60000), token);
        answer->type = "application/json";
        sim_web_json(answer, 200,
                     json_pack("{s:s,s:s}", "token_type", "Bearer", "access_token", token));
    } else {
        (void)sim_refuse(&why, 401, "access-denied", "wrong user or password");
        sim_web_refuse(answer, &why);
    }
    return true;
}

/* ---- the kind ---- */

static enum lp_code
tnms_load(struct sim_net *net, struct sim_box *box, const json_t *doc, struct lp_err *err)
{
    static const char *const times[] = {"token_ms", "job_ms", "stale_ms"};
    int64_t ms = 0;
    enum lp_code rc = LP_OK;
    size_t i;

    (void)net;
    for (i = 0; rc == LP_OK && i < LP_COUNT(times); i++) {
        rc = lp_json_opt_int(doc, times[i], &ms, err);
        if (rc == LP_OK && (ms < 0 || ms > 86400000))
            rc = lp_fail(err, LP_INVALID, "'%s' is not from 0 to 86400000", times[i]);
    }
    (void)json_object_set_new(box->tree, "tapi-common:context", sim_object_new(&context_schema));
    return rc;
}

static bool
no_line(const struct sim_box *box, const char *port)
{
    (void)box;
    (void)port;
    return false;
}

static bool
no_light(const struct sim_box *box, const char *port, struct sim_carrier *out)
{
    (void)out;
    return no_line(box, port);
}

static int32_t
no_frequency(const struct sim_box *box, const char *port)
{
    return no_line(box, port) ? 1 : 0;
}

const struct sim_box_kind sim_kind_tnms = {.name = "TNMS",
                                           .model = &model,
                                           .roots_module = "tapi-common",
                                           .bearer = true,
                                           .load = tnms_load,
                                           .line = no_line,
                                           .sends = no_light,
                                           .listens = no_frequency,
                                           .settle = tnms_settle,
                                           .operations = operations,
                                           .operation_count = &operation_count,
                                           .other = tnms_other};
