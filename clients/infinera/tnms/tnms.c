#include "clients/infinera/tnms/tnms.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "clients/host.h"
#include "clients/restconf.h"

#define ADDRESSES_MAX 4
#define SESSIONS      8
#define CONTEXT       "/data/tapi-common:context/tapi-equipment:physical-context"
#define CLI           "tapi-equipment-extensions-cli:"
#define FIRST_POLL_MS 200
#define LAST_POLL_MS  10000

static const struct lp_restconf_profile profile = {
    .driver = "tnms",
    .schema = "tnms",
    .root = "",
    .port = 443,
    .auth = LP_RESTCONF_TOKEN,
    .login_path = "/auth",
};

struct lp_tnms {
    struct lp_driver_host *host;
    struct lp_restconf *http;
};

/* ---- opening ---- */

/* The addresses of a comma list; the text is changed. */
static size_t
split(char *list, const char **out)
{
    size_t count = 0;
    char *word;

    while ((word = strsep(&list, ",")) != NULL && count < ADDRESSES_MAX) {
        size_t len;

        word += strspn(word, " \t");
        len = strcspn(word, " \t");
        while (len > 0 && word[len - 1] == '/')
            len--;
        word[len] = '\0';
        if (len > 0)
            out[count++] = word;
    }
    return count;
}

static enum lp_code
open_http(struct lp_tnms *tnms, char *list, struct lp_err *err)
{
    const char *addresses[ADDRESSES_MAX];
    const struct lp_element element = {
        .id = "tnms",
        .name = "tnms",
        .node = "tnms",
        .addresses = addresses,
        .address_count = split(list, addresses),
        .credentials = lp_driver_host_conf(tnms->host)->tnms_credentials,
        .max_sessions = SESSIONS,
    };

    if (element.address_count == 0)
        return lp_fail(err, LP_PRECONDITION, "no TNMS is configured (tnms.url)");
    return lp_restconf_new(tnms->host, &element, &profile, &tnms->http, err);
}

enum lp_code
lp_tnms_open(struct lp_driver_host *host, struct lp_tnms **out, struct lp_err *err)
{
    const char *url = lp_driver_host_conf(host)->tnms_url;
    struct lp_tnms *tnms = calloc(1, sizeof *tnms);
    char *list = strdup(url != NULL ? url : "");
    enum lp_code rc;

    if (tnms == NULL || list == NULL) {
        free(tnms);
        free(list);
        return lp_fail(err, LP_NOMEM, "no memory for the TNMS");
    }
    tnms->host = host;
    rc = open_http(tnms, list, err);
    free(list);
    if (rc != LP_OK) {
        free(tnms);
        return rc;
    }
    *out = tnms;
    return LP_OK;
}

void
lp_tnms_close(struct lp_tnms *tnms)
{
    if (tnms == NULL)
        return;
    lp_restconf_free(tnms->http);
    free(tnms);
}

/* ---- devices and spans ---- */

/* Collections are read through their parent, which names the fields. */
static enum lp_code
read_context(struct lp_tnms *tnms, const struct lp_call *call, const char *fields, json_t **out,
             struct lp_err *err)
{
    const struct lp_restconf_query query = {.fields = fields};
    struct lp_buf path = LP_BUF_INIT;
    struct lp_restconf_request request = {.timeout_ms =
                                              lp_driver_host_conf(tnms->host)->tnms_read_ms};
    struct lp_restconf_reply reply = {0};
    enum lp_code rc = LP_OK;

    lp_buf_str(&path, CONTEXT);
    lp_restconf_query_add(&path, &query);
    request.path = path.data;
    rc = path.failed ? lp_fail(err, LP_NOMEM, "no memory for a path")
                     : lp_restconf_send(tnms->http, call, &request, &reply, err);
    if (rc == LP_OK && reply.body == NULL)
        rc = lp_fail(err, LP_PROTOCOL, "the TNMS answers with nothing");
    if (rc == LP_OK)
        *out = json_incref(reply.body);
    lp_restconf_reply_free(&reply);
    lp_buf_free(&path);
    return rc;
}

/* The first of its names, or "". */
static const char *
name_of(const json_t *object)
{
    return lp_json_str(json_array_get(json_object_get(object, "name"), 0), "value", "");
}

static json_t *
port_of(const json_t *port)
{
    return json_pack("{s:s, s:s}", "uuid", lp_json_str(port, "uuid", ""), "name", name_of(port));
}

static json_t *
device_of(const json_t *device)
{
    json_t *ports = json_array();
    const json_t *port;
    size_t i;

    json_array_foreach(json_object_get(device, "access-port"), i, port)
        json_array_append_new(ports, port_of(port));
    return json_pack("{s:s, s:s, s:o}", "uuid", lp_json_str(device, "uuid", ""), "name",
                     name_of(device), "ports", ports);
}

static json_t *
span_of(const json_t *span)
{
    json_t *ends = json_array();
    const json_t *end;
    size_t i;

    json_array_foreach(json_object_get(span, "access-port"), i, end) json_array_append_new(
        ends, json_pack("{s:s, s:s}", "device_uuid", lp_json_str(end, "device-uuid", ""),
                        "port_uuid", lp_json_str(end, "access-port-uuid", "")));
    return json_pack("{s:s, s:o}", "uuid", lp_json_str(span, "uuid", ""), "ends", ends);
}

/* One list of the context, each row as we write it. */
static enum lp_code
read_list(struct lp_tnms *tnms, const struct lp_call *call, const char *name, const char *fields,
          json_t *(*row_of)(const json_t *), json_t **out, struct lp_err *err)
{
    json_auto_t *context = NULL, *items = json_array();
    const json_t *row;
    size_t i;
    enum lp_code rc = read_context(tnms, call, fields, &context, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(json_object_get(context, name), i, row)
    {
        if (json_array_append_new(items, row_of(row)) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for what the TNMS says");
    }
    *out = json_pack("{s:I, s:O}", "as_of",
                     (json_int_t)lp_clock_utc_us(lp_driver_host_clock(tnms->host)), "items", items);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for what the TNMS says");
}

enum lp_code
lp_tnms_devices(struct lp_tnms *tnms, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    return read_list(tnms, call, "device", "device(uuid;name(value);access-port(uuid;name(value)))",
                     device_of, out, err);
}

enum lp_code
lp_tnms_spans(struct lp_tnms *tnms, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    return read_list(tnms, call, "physical-span", "physical-span(uuid;access-port)", span_of, out,
                     err);
}

/* ---- fibers ---- */

struct matcher {
    regex_t node, port;
    json_t *ports; /* "device uuid/port uuid" -> {"node", "port", "other_port"} */
    json_t *seen;  /* pairs of ends */
    json_t *items, *left_out;
};

static enum lp_code
compile(regex_t *regex, const char *pattern, const char *what, struct lp_err *err)
{
    char text[600], why[200];
    int rc;

    (void)snprintf(text, sizeof text, "^(%s)$",
                   pattern != NULL && pattern[0] != '\0' ? pattern : ".*");
    rc = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
    if (rc == 0)
        return LP_OK;
    (void)regerror(rc, regex, why, sizeof why);
    return lp_fail_at(err, LP_INVALID, what, "the pattern of %s, '%.200s': %s", what, pattern, why);
}

/* "Line PTP 1-A-1.L1": the last word, with `dot` for the dots and `dash` for the dashes. */
static void
write_port(const char *name, const char *prefix, char dash, char *out, size_t size)
{
    const char *word = strrchr(name, ' ');

    (void)snprintf(out, size, "%s%s", prefix, word != NULL ? word + 1 : name);
    for (char *c = out + strlen(prefix); *c != '\0'; c++) {
        if (*c == '.' || *c == '-')
            *c = dash;
    }
}

static bool
note_port(struct matcher *m, const json_t *device, const json_t *port)
{
    char key[200], dashes[160], slashes[160];

    (void)snprintf(key, sizeof key, "%.90s/%.90s", lp_json_str(device, "uuid", ""),
                   lp_json_str(port, "uuid", ""));
    write_port(lp_json_str(port, "name", ""), "", '-', dashes, sizeof dashes);
    write_port(lp_json_str(port, "name", ""), "port-", '/', slashes, sizeof slashes);
    return json_object_set_new(m->ports, key,
                               json_pack("{s:s, s:s, s:s}", "node", lp_json_str(device, "name", ""),
                                         "port", dashes, "other_port", slashes))
           == 0;
}

static enum lp_code
index_ports(struct matcher *m, const json_t *devices, struct lp_err *err)
{
    const json_t *device, *port;
    size_t i, k;

    json_array_foreach(json_object_get(devices, "items"), i, device)
    {
        json_array_foreach(json_object_get(device, "ports"), k, port)
        {
            if (!note_port(m, device, port))
                return lp_fail(err, LP_NOMEM, "no memory for the ports of the TNMS");
        }
    }
    return LP_OK;
}

static json_t *
end_of(const struct matcher *m, const json_t *span, size_t which)
{
    const json_t *end = json_array_get(json_object_get(span, "ends"), which);
    char key[200];

    (void)snprintf(key, sizeof key, "%.90s/%.90s", lp_json_str(end, "device_uuid", ""),
                   lp_json_str(end, "port_uuid", ""));
    return json_object_get(m->ports, key);
}

static bool
fits(const struct matcher *m, const json_t *end)
{
    return regexec(&m->node, lp_json_str(end, "node", ""), 0, NULL, 0) == 0
           && (regexec(&m->port, lp_json_str(end, "port", ""), 0, NULL, 0) == 0
               || regexec(&m->port, lp_json_str(end, "other_port", ""), 0, NULL, 0) == 0);
}

/* The same pair, whichever way round. */
static bool
seen_before(struct matcher *m, const json_t *a, const json_t *z)
{
    const char *node[2] = {lp_json_str(a, "node", ""), lp_json_str(z, "node", "")};
    const char *port[2] = {lp_json_str(a, "port", ""), lp_json_str(z, "port", "")};
    int order = strcmp(node[0], node[1]);
    size_t first = (order != 0 ? order : strcmp(port[0], port[1])) <= 0 ? 0 : 1;
    char key[700];
    bool seen;

    (void)snprintf(key, sizeof key, "%.150s %.150s %.150s %.150s", node[first], port[first],
                   node[1 - first], port[1 - first]);
    seen = json_object_get(m->seen, key) != NULL;
    (void)json_object_set_new(m->seen, key, json_true());
    return seen;
}

/* Why a span is no fiber for us; NULL: it is one. */
static const char *
objection(struct matcher *m, const json_t *span, const json_t *a, const json_t *z)
{
    if (json_array_size(json_object_get(span, "ends")) != 2)
        return "it has not exactly two ends";
    if (a == NULL || z == NULL)
        return "an end is a port that the TNMS does not list";
    if (lp_json_str(a, "node", "")[0] == '\0' || lp_json_str(z, "node", "")[0] == '\0')
        return "an end is on a device without a name";
    if (strcmp(lp_json_str(a, "node", ""), lp_json_str(z, "node", "")) == 0)
        return "both ends are on one node";
    if (!fits(m, a) || !fits(m, z))
        return "an end does not match the patterns";
    return seen_before(m, a, z) ? "it is listed the other way round already" : NULL;
}

static enum lp_code
take_span(struct matcher *m, const json_t *span, struct lp_err *err)
{
    json_t *a = end_of(m, span, 0), *z = end_of(m, span, 1), *row;
    const char *uuid = lp_json_str(span, "uuid", ""), *why = objection(m, span, a, z);

    row = why != NULL ? json_pack("{s:s, s:s}", "uuid", uuid, "why", why)
                      : json_pack("{s:s, s:[O, O]}", "uuid", uuid, "ends", a, z);
    return json_array_append_new(why != NULL ? m->left_out : m->items, row) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the fibers of the TNMS");
}

static enum lp_code
match_all(struct matcher *m, const json_t *devices, const json_t *spans, json_t **out,
          struct lp_err *err)
{
    const json_t *span;
    size_t i;
    enum lp_code rc = index_ports(m, devices, err);

    json_array_foreach(json_object_get(spans, "items"), i, span)
    {
        if (rc == LP_OK)
            rc = take_span(m, span, err);
    }
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:I, s:O, s:O}", "as_of", (json_int_t)lp_json_int(spans, "as_of", 0),
                     "items", m->items, "left_out", m->left_out);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for the fibers of the TNMS");
}

enum lp_code
lp_tnms_match(const json_t *devices, const json_t *spans, const struct lp_tnms_filter *filter,
              json_t **out, struct lp_err *err)
{
    struct matcher m = {.ports = json_object(),
                        .seen = json_object(),
                        .items = json_array(),
                        .left_out = json_array()};
    enum lp_code rc = compile(&m.node, filter->node, "nodes", err);

    if (rc == LP_OK) {
        rc = compile(&m.port, filter->port, "ports", err);
        if (rc == LP_OK) {
            rc = match_all(&m, devices, spans, out, err);
            regfree(&m.port);
        }
        regfree(&m.node);
    }
    json_decref(m.ports);
    json_decref(m.seen);
    json_decref(m.items);
    json_decref(m.left_out);
    return rc;
}

enum lp_code
lp_tnms_fibers(struct lp_tnms *tnms, const struct lp_call *call,
               const struct lp_tnms_filter *filter, json_t **out, struct lp_err *err)
{
    json_auto_t *devices = NULL, *spans = NULL;
    enum lp_code rc = lp_tnms_devices(tnms, call, &devices, err);

    if (rc == LP_OK)
        rc = lp_tnms_spans(tnms, call, &spans, err);
    return rc == LP_OK ? lp_tnms_match(devices, spans, filter, out, err) : rc;
}

/* ---- TL1 scripts ---- */

static json_t *
texts(const char *const *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(array, json_string(list[i]));
    return array;
}

enum lp_code
lp_tnms_script_start(struct lp_tnms *tnms, const struct lp_call *call,
                     const struct lp_tnms_script *script, int64_t *id, struct lp_err *err)
{
    json_t *input = json_pack("{s:o, s:o, s:s, s:s}", "device-list",
                              texts(script->devices, script->device_count), "commands",
                              texts(script->commands, script->command_count), "channel", "TL1",
                              "error-policy", script->go_on ? "CONTINUE" : "ABORT");
    json_auto_t *output = NULL;
    enum lp_code rc = lp_restconf_rpc(tnms->http, call, CLI "run-cli-script/", input, script->reads,
                                      &output, err);

    if (rc != LP_OK)
        return rc;
    *id = lp_json_int(output, "id", -1);
    if (*id >= 0)
        return LP_OK;
    return lp_fail(err, script->reads ? LP_PROTOCOL : LP_UNKNOWN,
                   "the TNMS started a script and does not say which");
}

static const struct {
    const char *theirs, *ours;
} statuses[] = {
    {"PENDING", "pending"}, {"RUNNING", "running"}, {"FINISHED", "finished"}, {"FAILED", "failed"}};

static const char *
status_of(const json_t *output)
{
    const char *status = lp_json_str(output, "status", "");

    for (size_t i = 0; i < LP_COUNT(statuses); i++)
        if (strcmp(statuses[i].theirs, status) == 0)
            return statuses[i].ours;
    return NULL;
}

static json_t *
result_of(const json_t *result)
{
    json_t *outputs = json_array();
    const json_t *response;
    size_t i;

    json_array_foreach(json_object_get(result, "responses"), i, response) json_array_append_new(
        outputs, json_pack("{s:s, s:s}", "text", lp_json_str(response, "output", ""), "status",
                           lp_json_str(response, "status", "")));
    return json_pack("{s:s, s:o}", "device", lp_json_str(result, "device-ref", ""), "outputs",
                     outputs);
}

enum lp_code
lp_tnms_script_look(struct lp_tnms *tnms, const struct lp_call *call, int64_t id, json_t **out,
                    struct lp_err *err)
{
    json_auto_t *output = NULL, *results = json_array();
    const json_t *result;
    const char *status;
    size_t i;
    enum lp_code rc = lp_restconf_rpc(tnms->http, call, CLI "get-cli-script-result/",
                                      json_pack("{s:I}", "id", (json_int_t)id), true, &output, err);

    if (rc != LP_OK)
        return rc;
    status = status_of(output);
    if (status == NULL || lp_json_int(output, "id", id) != id)
        return lp_fail(err, LP_PROTOCOL, "the TNMS does not say how script %lld stands",
                       (long long)id);
    json_array_foreach(json_object_get(output, "device-results"), i, result)
        json_array_append_new(results, result_of(result));
    *out = json_pack("{s:I, s:s, s:O}", "id", (json_int_t)id, "status", status, "results", results);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a script's result");
}

/* The text of the first command that did not finish; NULL: all did. */
static const char *
failed_text(const json_t *doc)
{
    const json_t *result, *output;
    size_t i, k;

    json_array_foreach(json_object_get(doc, "results"), i, result)
    {
        json_array_foreach(json_object_get(result, "outputs"), k, output)
        {
            if (strcmp(lp_json_str(output, "status", ""), "FINISHED") != 0)
                return lp_json_str(output, "text", "");
        }
    }
    return NULL;
}

/* A finished job may hold commands that failed, and a failed one says why in theirs. */
static enum lp_code
judge(const json_t *doc, int64_t id, struct lp_err *err)
{
    bool failed = strcmp(lp_json_str(doc, "status", ""), "failed") == 0;
    const char *text = failed_text(doc);
    enum lp_code rc;

    if (!failed && text == NULL)
        return LP_OK;
    rc = lp_fail(err, LP_REFUSED, "script %lld of the TNMS failed: %.200s", (long long)id,
                 text != NULL ? text : "no command of it says why");
    err->detail = json_pack("{s:I, s:s, s:O}", "id", (json_int_t)id, "text",
                            text != NULL ? text : "", "results", json_object_get(doc, "results"));
    return rc;
}

static bool
pause_ms(const struct lp_call *call, int64_t ms)
{
    for (; ms > 0; ms -= 100) {
        if (call->time_left_ms(call->ctx) <= 0)
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = (ms < 100 ? ms : 100) * 1000000}, NULL);
    }
    return true;
}

static enum lp_code
lost(int64_t id, const char *why, struct lp_err *err)
{
    char text[256];
    enum lp_code rc;

    (void)snprintf(text, sizeof text, "%s", why);
    rc = lp_fail(err, LP_UNKNOWN, "script %lld of the TNMS may still run: %s", (long long)id, text);
    err->detail = json_pack("{s:I}", "id", (json_int_t)id);
    return rc;
}

static bool
has_ended(const json_t *doc)
{
    const char *status = lp_json_str(doc, "status", "");

    return strcmp(status, "finished") == 0 || strcmp(status, "failed") == 0;
}

enum lp_code
lp_tnms_script_wait(struct lp_tnms *tnms, const struct lp_call *call, int64_t id, json_t **out,
                    struct lp_err *err)
{
    int64_t pause = FIRST_POLL_MS;

    for (;;) {
        json_auto_t *doc = NULL;
        enum lp_code rc = lp_tnms_script_look(tnms, call, id, &doc, err);

        if (rc != LP_OK && rc != LP_RETRYABLE) /* the job table is gone, or we are stopped */
            return lost(id, err->msg, err);
        lp_err_clear(err);
        if (rc == LP_OK && has_ended(doc)) {
            *out = lp_json_take(&doc);
            return judge(*out, id, err);
        }
        if (!pause_ms(call, pause))
            return lost(id, "nobody waits for it any longer", err);
        pause = pause * 8 / 5 < LAST_POLL_MS ? pause * 8 / 5 : LAST_POLL_MS;
    }
}
