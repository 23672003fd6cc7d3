#include "steps/tnms.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "clients/infinera/tnms/tnms.h"
#include "model/products_gen.h"
#include "steps/devices.h"
#include "steps/import.h"

/* ---- the caller's side ---- */

static int64_t
time_left_ms(void *ctx)
{
    return lp_run_time_left_ms(ctx);
}

static enum lp_code
check(void *ctx, struct lp_err *err)
{
    return lp_run_check(ctx, err);
}

/* Reads of a management system explain no device: a line in the log is enough. */
static void
evidence(void *ctx, const struct lp_exchange *exchange)
{
    const struct lp_run *run = ctx;

    lp_logf(run->log, LP_LOG_DEBUG, "tnms.exchange", "s:s, s:s, s:I", "sent", exchange->sent,
            "outcome", lp_code_info(exchange->outcome)->slug, "took_us",
            (json_int_t)exchange->took_us);
}

static void
progress(void *ctx, const char *text)
{
    lp_run_progress(ctx, "TNMS: %s", text);
}

static enum lp_code
ask(struct lp_run *run, const json_t *state, json_t **fibers, struct lp_err *err)
{
    const struct lp_services *services = run->services;
    const struct lp_call call = {run, time_left_ms, check, evidence, progress, run->arena, NULL};
    const struct lp_tnms_filter filter = {lp_json_str(state, "node_pattern", NULL),
                                          lp_json_str(state, "port_pattern", NULL)};
    struct lp_tnms *tnms = NULL;
    enum lp_code rc;

    if (services == NULL || services->drivers == NULL)
        return lp_fail(err, LP_INTERNAL, "no drivers are wired in");
    rc = lp_tnms_open(services->drivers, &tnms, err);
    if (rc == LP_OK)
        rc = lp_tnms_fibers(tnms, &call, &filter, fibers, err);
    lp_tnms_close(tnms);
    return rc;
}

/* ---- our own names ---- */

struct matching {
    struct lp_run *run;
    json_t *left_out, *devices; /* node -> {"fqdn", "ports": {name: instance id}} | null */
    struct lp_buf csv;
    size_t rows;
    struct lp_err *err;
};

static enum lp_code
no_memory(struct matching *m)
{
    return lp_fail(m->err, LP_NOMEM, "no memory for what the TNMS says");
}

static json_t *
device_names(const struct lp_subscription *sub)
{
    json_t *ports = json_object();
    const json_t *port;
    size_t i;

    json_array_foreach(json_object_get(sub->root, LP_F_OPTICAL_DEVICE_PORTS), i, port)
        json_object_set(ports, lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, ""),
                        json_object_get(port, "subscription_instance_id"));
    return json_pack("{s:s, s:o}", "fqdn", lp_json_str(sub->root, LP_F_OPTICAL_DEVICE_FQDN, ""),
                     "ports", ports);
}

/* The device that the TNMS calls so, by node or host name; null when we have none. */
static enum lp_code
find_device(struct matching *m, const char *node, const json_t **out)
{
    static const char *const scopes[] = {"device.node_name", "device.fqdn"};
    char holder[LP_UUID_LEN + 1] = "";
    struct lp_subscription *sub = NULL;
    enum lp_code rc = LP_OK;

    *out = json_object_get(m->devices, node);
    if (*out != NULL)
        return LP_OK;
    for (size_t i = 0; i < LP_COUNT(scopes) && rc == LP_OK && *holder == '\0'; i++)
        rc = lp_import_holder(m->run->store, NULL, scopes[i], node, holder, m->err);
    if (rc == LP_OK && *holder != '\0')
        rc = lp_subscription_load(m->run->store, NULL, m->run->catalog, holder, &sub, m->err);
    if (rc != LP_OK)
        return rc;
    if (json_object_set_new(m->devices, node, sub != NULL ? device_names(sub) : json_null()) != 0)
        rc = no_memory(m);
    lp_subscription_free(sub);
    if (rc != LP_OK)
        return rc;
    *out = json_object_get(m->devices, node);
    return LP_OK;
}

struct end {
    const char *fqdn, *port, *instance;
    char why[200]; /* it is not ours; "" when it is */
};

static enum lp_code
find_end(struct matching *m, const json_t *end, struct end *out)
{
    const char *node = lp_json_str(end, "node", "");
    const char *names[] = {lp_json_str(end, "port", ""), lp_json_str(end, "other_port", "")};
    const json_t *device;
    enum lp_code rc = find_device(m, node, &device);

    memset(out, 0, sizeof *out);
    if (rc != LP_OK)
        return rc;
    if (json_is_null(device)) {
        (void)snprintf(out->why, sizeof out->why, "there is no device %.80s", node);
        return LP_OK;
    }
    out->fqdn = lp_json_str(device, "fqdn", "");
    for (size_t i = 0; i < LP_COUNT(names) && out->instance == NULL; i++) {
        out->port = names[i];
        out->instance = lp_json_str(json_object_get(device, "ports"), names[i], NULL);
    }
    if (out->instance == NULL)
        (void)snprintf(out->why, sizeof out->why, "%.80s has no port %.60s", out->fqdn, names[0]);
    return LP_OK;
}

/* ---- rows ---- */

static enum lp_code
leave_out(struct matching *m, const json_t *fiber, const char *why)
{
    const json_t *ends = json_object_get(fiber, "ends"), *a = json_array_get(ends, 0),
                 *z = json_array_get(ends, 1);
    char what[300];

    (void)snprintf(what, sizeof what, "%.70s %.60s to %.70s %.60s", lp_json_str(a, "node", ""),
                   lp_json_str(a, "port", ""), lp_json_str(z, "node", ""),
                   lp_json_str(z, "port", ""));
    return json_array_append_new(m->left_out, json_pack("{s:s, s:s}", "what", what, "why", why))
                   == 0
               ? LP_OK
               : no_memory(m);
}

/* Quotes where the CSV needs them: names come from another system. */
static void
put_cell(struct lp_buf *csv, const char *text, char end)
{
    if (strpbrk(text, ",;\"\r\n") == NULL) {
        lp_buf_str(csv, text);
    } else {
        lp_buf_char(csv, '"');
        for (; *text != '\0'; text++) {
            if (*text == '"')
                lp_buf_char(csv, '"');
            lp_buf_char(csv, *text);
        }
        lp_buf_char(csv, '"');
    }
    lp_buf_char(csv, end);
}

static void
put_row(struct matching *m, const json_t *fiber, const struct end ends[static 2])
{
    if (m->rows++ == 0)
        lp_buf_str(&m->csv, "device_a,port_a,device_z,port_z,kind,types,lengths_m,key\n");
    for (size_t e = 0; e < 2; e++) {
        put_cell(&m->csv, ends[e].fqdn, ',');
        put_cell(&m->csv, ends[e].port, ',');
    }
    lp_buf_str(&m->csv, "span,,,");
    put_cell(&m->csv, lp_json_str(fiber, "uuid", ""), '\n');
}

static enum lp_code
take_fiber(struct matching *m, const json_t *fiber)
{
    struct end ends[2];
    char holder[2][LP_UUID_LEN + 1] = {"", ""}, why[200] = "";
    enum lp_code rc = LP_OK;

    for (size_t e = 0; e < 2 && rc == LP_OK && why[0] == '\0'; e++) {
        rc = find_end(m, json_array_get(json_object_get(fiber, "ends"), e), &ends[e]);
        (void)snprintf(why, sizeof why, "%s", ends[e].why);
        if (rc == LP_OK && why[0] == '\0')
            rc = lp_import_holder(m->run->store, NULL, "fiber.termination", ends[e].instance,
                                  holder[e], m->err);
    }
    if (rc != LP_OK)
        return rc;
    if (why[0] == '\0' && *holder[0] != '\0' && strcmp(holder[0], holder[1]) == 0)
        (void)snprintf(why, sizeof why, "it is fiber %s already", holder[0]);
    for (size_t e = 0; e < 2 && why[0] == '\0'; e++) {
        if (*holder[e] != '\0')
            (void)snprintf(why, sizeof why, "port %.60s of %.70s ends fiber %s", ends[e].port,
                           ends[e].fqdn, holder[e]);
    }
    if (why[0] != '\0')
        return leave_out(m, fiber, why);
    put_row(m, fiber, ends);
    return LP_OK;
}

/* What the TNMS itself rules out is counted; a list of every port of a network helps nobody. */
static enum lp_code
put_state(struct matching *m, const json_t *fibers, json_t *delta)
{
    json_t *tnms = json_pack(
        "{s:I, s:I, s:I, s:O}", "as_of", (json_int_t)lp_json_int(fibers, "as_of", 0), "found",
        (json_int_t)m->rows, "no_fibers",
        (json_int_t)json_array_size(json_object_get(fibers, "left_out")), "left_out", m->left_out);

    if (tnms == NULL || json_object_set_new(delta, "tnms", tnms) != 0 || m->csv.failed)
        return no_memory(m);
    if (m->rows > 0)
        return lp_json_set_str(delta, "csv", m->csv.data) == 0 ? LP_OK : no_memory(m);
    return lp_json_set_int(delta, "row_count", 0) == 0
                   && json_object_set_new(delta, "skipped", json_array()) == 0
               ? LP_OK
               : no_memory(m);
}

static enum lp_code
read_tnms(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *fibers = NULL, *left_out = json_array(), *devices = json_object();
    struct matching m = {.run = run, .left_out = left_out, .devices = devices, .err = err};
    const json_t *fiber;
    size_t i;
    enum lp_code rc = ask(run, state, &fibers, err);

    json_array_foreach(json_object_get(fibers, "items"), i, fiber)
    {
        if (rc == LP_OK)
            rc = take_fiber(&m, fiber);
    }
    if (rc == LP_OK)
        rc = put_state(&m, fibers, delta);
    if (rc == LP_OK)
        lp_run_progress(run, "%zu fibers to import, %zu left out", m.rows,
                        json_array_size(left_out));
    lp_buf_free(&m.csv);
    return rc;
}

const struct lp_step lp_step_read_tnms = {
    .key = "read_tnms",
    .title = "Ask the TNMS for its fibers",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .only_reads = true,
    .attempts = 4,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 900000,
    .run = read_tnms,
    .no_undo = "reads only",
};

/* ---- for the forms ---- */

void
lp_tnms_check_pattern(const char *field, const json_t *value, struct lp_problems *problems)
{
    const char *pattern = json_string_value(value);
    char why[160];
    regex_t regex;
    int rc;

    if (pattern == NULL)
        return;
    rc = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (rc == 0) {
        regfree(&regex);
        return;
    }
    (void)regerror(rc, &regex, why, sizeof why);
    lp_problem_field(problems, "value_error", field, value, "not a regular expression: %s", why);
}

bool
lp_tnms_is_stale(const struct lp_conf *conf, const struct lp_clock *clock, const json_t *state)
{
    int64_t as_of = lp_json_int(json_object_get(state, "tnms"), "as_of", 0);

    return lp_clock_utc_us(clock) - as_of
           > lp_conf_live_int(&conf->tnms_max_age_min) * 60 * 1000000;
}
