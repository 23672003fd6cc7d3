#include "steps/device_steps.h"

#include <string.h>

#include "model/products_gen.h"
#include "steps/compare.h"
#include "steps/devices.h"
#include "steps/lifecycle.h"
#include "store/devices.h"

/* Members of the identity document and where they stand in the subscription. */
static const struct {
    const char *identity, *field;
} facts[] = {
    {"serial", LP_F_OPTICAL_DEVICE_SERIAL},
    {"type", LP_F_OPTICAL_DEVICE_HARDWARE},
    {"software", LP_F_OPTICAL_DEVICE_SOFTWARE},
};

/* ---- ports ---- */

static const json_t *
find_port(const json_t *list, const char *member, const char *name)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (strcmp(lp_json_str(item, member, ""), name) == 0)
            return item;
    }
    return NULL;
}

static enum lp_code
is_used(struct lp_run *run, const json_t *port, bool *used, struct lp_err *err)
{
    const char *id = lp_json_str(port, "subscription_instance_id", "");
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(run->store, LP_SQL_BLOCK_USERS, LP_ARGS(lp_text("instance_id", id)), &rows, err);

    *used = rc == LP_OK && lp_rows_count(rows) > 0;
    lp_rows_free(rows);
    return rc;
}

/* The ports that stay: those the device still has, and those in use. */
static enum lp_code
keep_ports(struct lp_run *run, const json_t *root, const json_t *found, json_t *ports,
           struct lp_err *err)
{
    const json_t *port;
    size_t i;

    json_array_foreach(json_object_get(root, LP_F_OPTICAL_DEVICE_PORTS), i, port)
    {
        const json_t *now =
            find_port(found, "name", lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, ""));
        bool used = false;
        json_auto_t *copy = NULL;
        if (now == NULL) {
            enum lp_code rc = is_used(run, port, &used, err);
            if (rc != LP_OK)
                return rc;
            if (!used)
                continue;
        }
        copy = json_deep_copy(port);
        if (now != NULL)
            json_object_set(copy, LP_F_OPTICAL_DEVICE_PORT_ROLE, json_object_get(now, "role"));
        json_array_append(ports, copy);
    }
    return LP_OK;
}

static enum lp_code
take_ports(struct lp_run *run, const struct lp_subscription *sub, json_t *root, struct lp_err *err)
{
    json_auto_t *cached = NULL, *ports = json_array();
    const json_t *found, *port;
    size_t i;
    enum lp_code rc = lp_device_cached(run->store, sub->id, "ports", &cached, err);

    if (rc != LP_OK)
        return rc;
    found = json_object_get(cached, "items");
    rc = keep_ports(run, root, found, ports, err);
    json_array_foreach(found, i, port)
    {
        const char *name = lp_json_str(port, "name", "");
        if (rc == LP_OK && find_port(ports, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, name) == NULL
            && json_array_append_new(
                   ports, json_pack("{s:s, s:O}", LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, name,
                                    LP_F_OPTICAL_DEVICE_PORT_ROLE, json_object_get(port, "role")))
                   != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the ports of %.80s", sub->description);
    }
    if (rc == LP_OK && json_object_set(root, LP_F_OPTICAL_DEVICE_PORTS, ports) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the ports of %.80s", sub->description);
    return rc;
}

/* ---- take ---- */

static enum lp_code
take_device(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *identity = json_object_get(state, "identity");
    struct lp_subscription *sub;
    json_auto_t *root = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc != LP_OK)
        return rc;
    root = json_deep_copy(sub->root);
    for (size_t i = 0; i < LP_COUNT(facts); i++) {
        json_t *value = json_object_get(identity, facts[i].identity);
        if (json_is_string(value) && json_string_length(value) > 0)
            json_object_set(root, facts[i].field, value);
    }
    rc = take_ports(run, sub, root, err);
    return rc == LP_OK ? lp_take_root(run, sub, lp_json_take(&root), delta, err) : rc;
}

const struct lp_step lp_step_take_device = {
    .key = "take_device",
    .title = "Take identity and ports into the subscription",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = take_device,
    .no_undo = "records what the device is",
};

/* ---- compare ---- */

static int
differ(json_t *list, const char *attribute, const char *expected, const char *found)
{
    return json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "attribute", attribute,
                                                 "expected", expected, "found", found));
}

static int
compare_facts(const json_t *root, const json_t *identity, json_t *list)
{
    int failed = 0;

    for (size_t i = 0; i < LP_COUNT(facts); i++) {
        const char *wanted = lp_json_str(root, facts[i].field, NULL);
        const char *found = lp_json_str(identity, facts[i].identity, NULL);
        if (wanted != NULL && found != NULL && strcmp(wanted, found) != 0)
            failed |= differ(list, facts[i].field, wanted, found);
    }
    return failed;
}

static int
compare_ports(const json_t *root, const json_t *found, json_t *list)
{
    const json_t *ports = json_object_get(root, LP_F_OPTICAL_DEVICE_PORTS), *port;
    int failed = 0;
    char what[96];
    size_t i;

    json_array_foreach(ports, i, port)
    {
        const char *name = lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, "");
        const char *role = lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_ROLE, "");
        const json_t *now = find_port(found, "name", name);
        const char *is = lp_json_str(now, "role", "no such port");
        (void)snprintf(what, sizeof(what), "port %s", name);
        if (strcmp(is, role) != 0)
            failed |= differ(list, what, role, is);
    }
    json_array_foreach(found, i, port)
    {
        const char *name = lp_json_str(port, "name", "");
        (void)snprintf(what, sizeof(what), "port %.80s", name);
        if (find_port(ports, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, name) == NULL)
            failed |= differ(list, what, "not known", lp_json_str(port, "role", ""));
    }
    return failed;
}

static enum lp_code
compare_device(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *cached = NULL, *found = json_array();
    struct lp_subscription *sub;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc == LP_OK)
        rc = lp_device_cached(run->store, sub->id, "ports", &cached, err);
    if (rc != LP_OK)
        return rc;
    if (compare_facts(sub->root, json_object_get(state, "identity"), found) != 0
        || compare_ports(sub->root, json_object_get(cached, "items"), found) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the differences");
    if (json_array_size(found) > 0)
        return lp_compare_fail(sub, found, err);
    if (json_object_set(delta, "device_differences", found) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the differences");
    return LP_OK;
}

const struct lp_step lp_step_compare_device = {
    .key = "compare_device",
    .title = "Compare the subscription with the device",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .assignee = "NOC",
    .run = compare_device,
    .no_undo = "reads only",
};

/* ---- mode ---- */

static enum lp_code
set_mode(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *mode = lp_json_str(state, "mode", NULL);
    struct lp_subscription *sub;
    enum lp_code rc;

    (void)delta;
    if (mode == NULL)
        return LP_OK;
    rc = lp_run_target(run, state, &sub, err);
    return rc == LP_OK ? lp_device_set_mode(
               run, sub->id, lp_json_str(sub->root, LP_F_OPTICAL_DEVICE_FQDN, ""), mode, err)
                       : rc;
}

const struct lp_step lp_step_set_mode = {
    .key = "set_mode",
    .title = "Set whether the device may be written",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = set_mode,
    .no_undo = "the mode belongs to the device as long as it is known",
};
