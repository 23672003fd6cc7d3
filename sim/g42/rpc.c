/* Operations of a G42: cross-connections, counters, files, software, restarts, the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "sim/g42/g42.h"
#include "sim/rest/web.h"

#define RESTART_DELAY_US 200000
#define SESSION_MS       600000

json_t *
g42_software(const struct sim_box *box)
{
    return json_object_get(box->extra, "software");
}

static bool
rpc_xcon(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
         struct sim_why *why)
{
    (void)out;
    if (!g42_xcon_create(box, input, why))
        return false;
    sim_box_told(net, box, "ioa-network-element:ne/services/xcon", "create");
    sim_box_changed(net, box);
    return true;
}

/* ---- counters ---- */

static void
pm_add(struct sim_net *net, struct sim_box *box, json_t *rows, const json_t *carrier,
       const char *parameter, const char *leaf, const char *unit)
{
    const char *name = lp_json_str(carrier, "name", ""), *value = lp_json_str(carrier, leaf, "");
    char resource[160], when[32];

    sim_box_clock(net, box, when);
    (void)snprintf(resource, sizeof resource, "/ioa-ne:ne/facilities/optical-carrier[name='%.80s']",
                   name);
    (void)json_array_append_new(
        rows, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "period",
                        "ioa-pm:pm-real-time", "monitoring-date-time", when, "resource", resource,
                        "AID", name, "parameter", parameter, "direction", "ingress", "location",
                        "near-end", "pm-value", value, "pm-value-min", value, "pm-value-max", value,
                        "pm-value-avg", value, "pm-unit", unit, "validity", "complete", "bin", 0));
}

static const struct {
    const char *parameter, *leaf, *unit;
} parameters[] = {
    {"gx:pre-fec-q", "pre-fec-q", "dB"},
    {"gx:optical-power-received", "rx-power", "dBm"},
    {"gx:optical-power-transmitted", "actual-tx-power", "dBm"},
};

static void
pm_filter(struct sim_net *net, struct sim_box *box, json_t *rows, const json_t *filter)
{
    const json_t *carriers = json_object_get(g42_facilities(box), "optical-carrier");
    const char *resource = lp_json_str(filter, "resource-instance", NULL);
    const char *wanted = lp_json_str(filter, "parameter", NULL);
    char of[160];
    size_t i, p;

    for (i = 0; i < json_array_size(carriers); i++) {
        const json_t *carrier = json_array_get(carriers, i);

        (void)snprintf(of, sizeof of, "/ioa-ne:ne/facilities/optical-carrier[name='%.80s']",
                       lp_json_str(carrier, "name", ""));
        for (p = 0; p < LP_COUNT(parameters); p++)
            if ((resource == NULL || strcmp(resource, of) == 0)
                && (wanted == NULL || strcmp(wanted, parameters[p].parameter) == 0))
                pm_add(net, box, rows, carrier, parameters[p].parameter, parameters[p].leaf,
                       parameters[p].unit);
    }
}

static bool
rpc_get_pm(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
           struct sim_why *why)
{
    const char *type = lp_json_str(input, "data-type", "");
    const json_t *filter = json_object_get(input, "filter");
    int64_t skip = sim_number(input, "skip-records", 0);
    int64_t most = sim_number(input, "number-of-records", 1000), left;
    json_t *rows = json_array();
    char when[32];
    size_t i;

    if (strcmp(type, "real-time") != 0
        && (json_object_get(input, "period") == NULL
            || (strcmp(type, "current") != 0 && strcmp(type, "history") != 0))) {
        json_decref(rows);
        return sim_refuse(why, 400, "missing-element", "data-type and, unless real-time, period");
    }
    for (i = 0; i < json_array_size(filter); i++)
        pm_filter(net, box, rows, json_array_get(filter, i));
    if (filter == NULL)
        pm_filter(net, box, rows, NULL);
    for (; skip > 0 && json_array_size(rows) > 0; skip--)
        (void)json_array_remove(rows, 0);
    left = (int64_t)json_array_size(rows) - (most < 1 ? 1 : most);
    for (i = 0; left > (int64_t)i; i++)
        (void)json_array_remove(rows, json_array_size(rows) - 1);
    sim_box_clock(net, box, when);
    *out = json_pack("{s:i,s:b,s:s,s:o}", "number-of-result-records", (int)json_array_size(rows),
                     "additional-records-available", left > 0, "retrieval-date-time", when,
                     "pm-record", rows);
    return true;
}

/* ---- software ---- */

static bool
rpc_download(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
             struct sim_why *why)
{
    const char *type = lp_json_str(input, "filetype", "");
    const char *source = lp_json_str(input, "source", lp_json_str(input, "path", ""));
    json_t *software = g42_software(box);
    char version[32];

    if (type[0] == '\0' || source[0] == '\0')
        return sim_refuse(why, 400, "missing-element", "filetype and source are needed");
    if (strcmp(type, "swimage") != 0) {
        *out = json_pack("{s:s}", "download-result", "Success");
        return true;
    }
    if (!sim_version_of(source, "R", version, sizeof version)) {
        *out = json_pack("{s:s}", "download-result", "Failed: the file is no software image");
        return true;
    }
    (void)lp_json_set_str(software, "inactive", version);
    (void)lp_json_set_str(software, "status", "download-complete");
    if (lp_json_true(input, "unattended")) {
        (void)lp_json_set_str(software, "pending", version);
        (void)lp_json_set_str(software, "status", "activate-in-progress");
        box->restart_us = net->utc_us + RESTART_DELAY_US;
    }
    *out = json_pack("{s:s}", "download-result",
                     lp_json_true(input, "async") ? "Download will happen in the background"
                                                  : "Success");
    return true;
}

static bool
rpc_upload(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
           struct sim_why *why)
{
    (void)net;
    (void)box;
    if (lp_json_str(input, "filetype", NULL) == NULL
        || (lp_json_str(input, "destination", NULL) == NULL
            && lp_json_str(input, "file-server", NULL) == NULL))
        return sim_refuse(why, 400, "missing-element", "filetype and destination are needed");
    *out = json_pack("{s:s}", "upload-result", "Success");
    return true;
}

static json_t *
member_object(const struct sim_box *box, const char *name)
{
    json_t *object = json_object_get(box->extra, name);

    if (object == NULL) {
        object = json_object();
        (void)json_object_set_new(box->extra, name, object);
    }
    return object;
}

void
g42_restarted(struct sim_net *net, struct sim_box *box)
{
    json_t *software = g42_software(box), *pending = json_object_get(software, "pending");
    const json_t *cards = json_object_get(json_object_get(g42_ne_of(box), "equipment"), "card");
    size_t i;

    (void)net;
    if (pending == NULL)
        return;
    (void)json_object_set(software, "inactive", json_object_get(software, "active"));
    (void)json_object_set(software, "active", pending);
    (void)json_object_del(software, "pending");
    (void)lp_json_set_str(software, "status", "activate-complete");
    for (i = 0; i < json_array_size(cards); i++)
        (void)json_object_set_new(member_object(box, "firmware"),
                                  lp_json_str(json_array_get(cards, i), "name", ""),
                                  json_string("not-current"));
}

static bool
rpc_restart(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
            struct sim_why *why)
{
    const char *resource = lp_json_str(input, "resource", NULL);
    const char *type = lp_json_str(input, "type", "");
    const char *at = resource == NULL ? NULL : strstr(resource, "card[name='");
    char name[40];
    json_t *card;

    (void)out;
    if (strcmp(type, "warm") != 0 && strcmp(type, "cold") != 0)
        return sim_refuse(why, 400, "invalid-value", "type '%.32s'", type);
    if (resource == NULL) { /* the node controller */
        box->restart_us = net->utc_us + RESTART_DELAY_US;
        return true;
    }
    (void)snprintf(name, sizeof name, "%.*s", at == NULL ? 0 : (int)strcspn(at + 11, "'"),
                   at == NULL ? "" : at + 11);
    card = g42_entry(json_object_get(g42_ne_of(box), "equipment"), &g42_card, name);
    if (card == NULL)
        return sim_refuse(why, 400, "invalid-value", "there is no such resource");
    (void)json_object_set_new(member_object(box, "firmware"), name, json_string("current"));
    if (strcmp(type, "cold") != 0)
        return true;
    (void)lp_json_set_str(card, "oper-state", "disabled"); /* its lasers are off meanwhile */
    (void)json_object_set_new(member_object(box, "cards"), name,
                              json_integer(net->now_us + box->outage_ms * 1000));
    return true;
}

/* ---- the command line ---- */

static void
cli_firmware(const struct sim_box *box, struct lp_buf *out)
{
    const char *name;
    json_t *state;

    json_object_foreach(member_object(box, "firmware"), name, state)
    {
        if (strcmp(json_string_value(state), "not-current") == 0)
            lp_buf_printf(out, "current-fw-%s/DCO-MCU-DSP-P   not-current\n", name);
    }
}

static void
cli_alarms(const struct sim_box *box, const char *command, struct lp_buf *out)
{
    const json_t *alarms = json_object_get(
        json_object_get(json_object_get(box->tree, "ioa-alarm:alarms"), "current-alarms"), "alarm");
    size_t i;

    for (i = 0; i < json_array_size(alarms); i++) {
        const json_t *alarm = json_array_get(alarms, i);
        char wanted[80];

        (void)snprintf(wanted, sizeof wanted, "alarm-type=%.60s",
                       lp_json_str(alarm, "alarm-type", ""));
        if (strstr(command, "alarm-type=") == NULL || strstr(command, wanted) != NULL)
            lp_buf_printf(out, "alarm-%s   card-%s   %s\n", lp_json_str(alarm, "alarm-id", ""),
                          lp_json_str(alarm, "AID", ""), lp_json_str(alarm, "alarm-type", ""));
    }
}

static bool
rpc_cli(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
        struct sim_why *why)
{
    const char *command = lp_json_str(input, "commands", NULL);
    struct lp_buf text = LP_BUF_INIT;

    (void)net;
    if (command == NULL)
        return sim_refuse(why, 400, "missing-element", "commands are needed");
    lp_buf_str(&text, "");
    if (strncmp(command, "show current-fw", 15) == 0) {
        cli_firmware(box, &text);
    } else if (strncmp(command, "show alarm", 10) == 0) {
        cli_alarms(box, command, &text);
    } else if (strncmp(command, "show version", 12) == 0) {
        lp_buf_printf(&text, "version %s\n", lp_json_str(g42_software(box), "active", ""));
    } else {
        *out = json_pack("{s:s,s:i}", "result", "ERROR: unknown command\n", "error-location", 1);
        lp_buf_free(&text);
        return true;
    }
    *out = json_pack("{s:s}", "result", text.data == NULL ? "" : text.data);
    lp_buf_free(&text);
    return true;
}

static bool
rpc_nothing(struct sim_net *net, struct sim_box *box, const json_t *input, json_t **out,
            struct sim_why *why)
{
    (void)net;
    (void)box;
    (void)input;
    (void)out;
    (void)why;
    return true;
}

/* ---- the table ---- */

const struct sim_operation g42_operations[] = {
    {"ioa-services:create-xcon", true, rpc_xcon,
     "|source|src-parent-odu|src-time-slots|src-instance-id|destination|dst-parent-odu|"
     "dst-time-slots|dst-instance-id|payload-type|direction|label|circuit-id-suffix|"},
    {"ioa-pm:get-pm", false, rpc_get_pm,
     "|data-type|filter|period|pm-history-filter|number-of-records|skip-records|"},
    {"ioa-rpc:download", true, rpc_download,
     "|filetype|source|file-server|path|password|async|unattended|skip-secure-verification|"
     "db-action|destination|"},
    {"ioa-rpc:upload", true, rpc_upload,
     "|filetype|destination|file-server|path|source|password|async|skip-secure-verification|"
     "debug-entity|start-time|db-instance|"},
    {"ioa-rpc:restart", true, rpc_restart, "|resource|type|sub-component|"},
    {"ioa-rpc:cli-command", true, rpc_cli, "|commands|echo|error-option|"},
    {"ioa-rpc:kill-session", true, rpc_nothing, "|criteria|session-type|session-user|session-id|"},
    {"ioa-rpc:ping", false, rpc_nothing, "|ping-dest|ping-count|"},
};
const size_t g42_operation_count = LP_COUNT(g42_operations);

/* ---- login by cookie, discovery ---- */

static void
login(struct sim_net *net, struct sim_box *box, const struct sim_http_request *request,
      struct sim_web_answer *answer)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *body = NULL;
    char token[33];

    if (lp_json_load(request->body, request->body_len, &body, &err) == LP_OK
        && sim_box_password(net, box, lp_json_str(body, "username", ""),
                            lp_json_str(body, "password", ""))) {
        sim_web_token(net, box, SESSION_MS, token);
        lp_buf_printf(&answer->headers, "Set-Cookie: session=%s; HttpOnly; Secure\r\n", token);
        answer->status = 204;
    } else {
        struct sim_why why;

        (void)sim_refuse(&why, 401, "access-denied", "wrong user or password");
        sim_web_refuse(answer, &why);
    }
    json_decref(body);
    lp_err_clear(&err);
}

bool
g42_other(struct sim_net *net, struct sim_box *box, const struct sim_http_request *request,
          struct sim_web_answer *answer)
{
    if (strcmp(request->path, "/.well-known/host-meta") == 0) {
        answer->status = 200;
        answer->type = "application/xrd+xml";
        lp_buf_str(&answer->body, "<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>"
                                  "<Link rel='restconf' href='/restconf'/></XRD>");
        return true;
    }
    if (strcmp(request->path, "/login") == 0 && strcmp(request->method, "POST") == 0) {
        login(net, box, request, answer);
        return true;
    }
    if (strcmp(request->path, "/logout") == 0 && strcmp(request->method, "POST") == 0) {
        (void)json_object_del(box->extra, "tokens");
        answer->status = 204;
        return true;
    }
    return false;
}
