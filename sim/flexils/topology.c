/* Topology documents: what a network is made of (format: docs/simulator.md). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "sim/flexils/exec.h"
#include "sim/rest/box.h"

#define FORMAT        "lightpath-sim network 1"
#define OLD_FORMAT    "lightpath-sim flexils 1" /* the same; FlexILS elements only */
#define MAX_NODES     4096
#define MAX_SPANS     16384
#define MAX_NODE_NAME 64
#define MAX_AID       48

/* ---- options ---- */

enum option_type { OPT_INT, OPT_BOOL };
static const struct option {
    const char *name;
    enum option_type type;
    size_t offset;
    int64_t low, high, unset;
} options[] = {
#define INT_OPTION(name, low, high, unset)                                                         \
    {                                                                                              \
#name, OPT_INT, offsetof(struct sim_options, name), low, high, unset                       \
    }
#define BOOL_OPTION(name, unset)                                                                   \
    {                                                                                              \
#name, OPT_BOOL, offsetof(struct sim_options, name), 0, 1, unset                           \
    }
    INT_OPTION(seed, 0, INT64_MAX, 1),
    INT_OPTION(settle_ms, 0, 600000, 1500),
    INT_OPTION(ip_ms, 0, 600000, 2000),
    INT_OPTION(latency_ms, 0, 600000, 0),
    INT_OPTION(jitter_ms, 0, 600000, 0),
    INT_OPTION(idle_ms, 0, 86400000, 900000),
    INT_OPTION(lockout_ms, 0, 86400000, 60000),
    INT_OPTION(block_records, 1, 100000, 64),
    INT_OPTION(max_sessions, 1, 1000, 30),
    INT_OPTION(bad_logins, 1, 1000, 3),
    INT_OPTION(max_command, 256, 1048576, 65536),
    INT_OPTION(fixed_clock_us, 0, INT64_C(253402300799000000), 0),
    BOOL_OPTION(echo, true),
    BOOL_OPTION(long_date, false),
    BOOL_OPTION(te_copies, true),
    BOOL_OPTION(linger, true),
    BOOL_OPTION(allow_messages, true),
    BOOL_OPTION(strict_state, false),
};

static enum lp_code
option_read(const struct option *option, const json_t *doc, struct sim_options *out,
            struct lp_err *err)
{
    char *field = (char *)out + option->offset;
    int64_t number = option->unset;
    bool flag = option->unset != 0;
    enum lp_code rc;

    if (option->type == OPT_BOOL) {
        rc = lp_json_opt_bool(doc, option->name, &flag, err);
        memcpy(field, &flag, sizeof flag);
        return rc;
    }
    rc = lp_json_opt_int(doc, option->name, &number, err);
    if (rc == LP_OK && (number < option->low || number > option->high))
        rc = lp_fail(err, LP_INVALID, "option %s is %lld, allowed are %lld to %lld", option->name,
                     (long long)number, (long long)option->low, (long long)option->high);
    memcpy(field, &number, sizeof number);
    return rc;
}

static enum lp_code
options_read(const json_t *doc, struct sim_options *out, struct lp_err *err)
{
    const char *names[LP_COUNT(options) + 1], *prompt = "TL1>>";
    json_auto_t *none = NULL;
    enum lp_code rc;
    size_t i;

    if (doc == NULL)
        doc = none = json_object(); /* every option has its default */

    for (i = 0; i < LP_COUNT(options); i++)
        names[i] = options[i].name;
    names[i] = "prompt";
    rc = lp_json_only(doc, names, LP_COUNT(names), err);
    for (i = 0; rc == LP_OK && i < LP_COUNT(options); i++)
        rc = option_read(&options[i], doc, out, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "prompt", &prompt, err);
    if (rc != LP_OK)
        return rc;
    if (strlen(prompt) > 32)
        return lp_fail(err, LP_INVALID, "option prompt is longer than 32 characters");
    out->prompt = strdup(prompt);
    return out->prompt == NULL ? lp_fail(err, LP_NOMEM, "no memory for options") : LP_OK;
}

enum lp_code
sim_option_set(struct sim_net *net, const char *name, const json_t *value, struct lp_err *err)
{
    size_t i;

    for (i = 0; i < LP_COUNT(options); i++)
        if (strcmp(options[i].name, name) == 0) {
            json_t *doc = json_object();
            enum lp_code rc;

            (void)json_object_set(doc, name, json_object_get(value, name));
            rc = option_read(&options[i], doc, &net->options, err);
            json_decref(doc);
            return rc;
        }
    return lp_fail(err, LP_INVALID, "no option '%.64s'", name);
}

/* ---- names ---- */

/* A TID must not contain '-': TE links are named node-port. */
static bool
name_valid(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= MAX_NODE_NAME
           && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._")
                  == len;
}

bool
sim_aid_valid(const char *aid)
{
    size_t len = strlen(aid);

    return len > 0 && len <= MAX_AID && aid[0] != '-' && aid[len - 1] != '-'
           && strspn(aid, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == len;
}

/* The text of a member that may be missing, copied. */
static enum lp_code
text_copy(const json_t *doc, const char *key, const char *unset, char **out, struct lp_err *err)
{
    const char *text = unset;
    enum lp_code rc = lp_json_opt_string(doc, key, &text, err);

    if (rc != LP_OK)
        return rc;
    if (strlen(text) > 128)
        return lp_fail(err, LP_INVALID, "'%s' is longer than 128 characters", key);
    *out = strdup(text);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for a topology") : LP_OK;
}

/* ---- cards and ports ---- */

static const struct {
    const char *type;
    const char *ports; /* first letters that the card may have */
} card_types[] = {
    {"FRM", "LSTO"},   {"FSM", "TS"},   {"FBM", "TS"},   {"FMM", "TS"},    {"FMP", "TS"},
    {"FMMF250", "TS"}, {"FMMC5", "TS"}, {"FMMC6", "TS"}, {"FMMC6L", "TS"}, {"FMMC12", "TSL"},
    {"OFX", "TSL"},    {"XT", "TSL"},   {"MXP", "TSL"},  {"OAM", "LO"},    {"IRM", "LO"},
    {"IAM", "LO"},     {"ORM", "LO"},   {"CHASSIS", ""}, {"IMM", ""},      {"FAN", ""},
    {"PEM", ""},
};

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for a topology");
}

static enum lp_code
eqpt_add(struct sim_node *node, const char *aid, const char *type, const char *serial,
         struct lp_err *err)
{
    struct sim_obj *obj;

    if (!sim_aid_valid(aid))
        return lp_fail(err, LP_INVALID, "'%.64s' is no AID", aid);
    obj = sim_obj_add(node, SIM_EQPT, aid);
    if (obj == NULL)
        return lp_fail(err, LP_INVALID, "card %s is there twice", aid);
    obj->word = strdup(type);
    return obj->word != NULL && sim_obj_set(obj, "SERNO", serial) ? LP_OK : no_memory(err);
}

static enum lp_code
port_add(struct sim_node *node, const char *card, const char *type, const char *port,
         const char *allowed, struct lp_err *err)
{
    char aid[MAX_AID + 1];
    struct sim_obj *obj;
    bool line;

    if (strchr(allowed, port[0]) == NULL || port[0] == '\0')
        return lp_fail(err, LP_INVALID, "card %s of type %s has no port '%.16s'", card, type, port);
    if (port[0] == 'O')
        return LP_OK; /* the supervisory channel has no object of its own */
    if ((size_t)snprintf(aid, sizeof aid, "%s-%s", card, port) >= sizeof aid || !sim_aid_valid(aid))
        return lp_fail(err, LP_INVALID, "'%.64s' is no port", port);
    line = port[0] == 'L' && strcmp(type, "FMMC12") != 0;
    obj = sim_obj_add(node, line ? SIM_OTS : SIM_SCG, aid);
    if (obj == NULL)
        return lp_fail(err, LP_INVALID, "port %s is there twice", aid);
    obj->admin = line ? SIM_IS : SIM_OOS;
    return LP_OK;
}

static enum lp_code
card_ports(struct sim_node *node, const json_t *card, const char *aid, const char *type,
           const char *allowed, struct lp_err *err)
{
    const json_t *ports = json_object_get(card, "ports");
    enum lp_code rc = LP_OK;
    size_t i;

    if (ports != NULL && (!json_is_array(ports) || json_array_size(ports) > 256))
        return lp_fail(err, LP_INVALID, "'ports' of card %s is no array of at most 256", aid);
    for (i = 0; rc == LP_OK && i < json_array_size(ports); i++) {
        const char *port = json_string_value(json_array_get(ports, i));

        rc = port == NULL ? lp_fail(err, LP_INVALID, "a port of card %s is no text", aid)
                          : port_add(node, aid, type, port, allowed, err);
    }
    return rc;
}

static enum lp_code
card_read(struct sim_net *net, struct sim_node *node, const json_t *doc, struct lp_err *err)
{
    static const char *const members[] = {"aid", "type", "serial", "ports"};
    const char *aid, *type, *serial;
    char made[24];
    size_t i;
    enum lp_code rc = lp_json_only(doc, members, LP_COUNT(members), err);

    if (rc == LP_OK)
        rc = lp_json_get_string(doc, "aid", &aid, err);
    if (rc == LP_OK)
        rc = lp_json_get_string(doc, "type", &type, err);
    if (rc != LP_OK)
        return rc;
    snprintf(made, sizeof made, "MA%010llu",
             (unsigned long long)(sim_hash((uint64_t)net->options.seed, node->name, aid, 1)
                                  % 10000000000u));
    serial = made;
    rc = lp_json_opt_string(doc, "serial", &serial, err);
    for (i = 0; i < LP_COUNT(card_types) && strcmp(card_types[i].type, type) != 0; i++)
        continue;
    if (rc == LP_OK && i == LP_COUNT(card_types))
        rc = lp_fail(err, LP_INVALID, "card %.64s has the unknown type '%.64s'", aid, type);
    if (rc == LP_OK)
        rc = eqpt_add(node, aid, type, serial, err);
    return rc == LP_OK ? card_ports(node, doc, aid, type, card_types[i].ports, err) : rc;
}

/* ---- settings of single ports ---- */

static enum lp_code
attrs_read(struct sim_obj *obj, const json_t *attrs, struct lp_err *err)
{
    struct sim_denial why;
    const char *name;
    json_t *value;

    if (attrs != NULL && !json_is_object(attrs))
        return lp_fail(err, LP_INVALID, "'attrs' of %s is no object", obj->aid);
    json_object_foreach((json_t *)(uintptr_t)attrs, name, value)
    {
        const struct sim_attr *attr = sim_attr_find((enum sim_class)obj->cls, name);

        if (attr == NULL || !json_is_string(value))
            return lp_fail(err, LP_INVALID, "%s has no text attribute '%.64s'", obj->aid, name);
        if (!sim_value_check(attr, json_string_value(value), &why))
            return lp_fail(err, LP_INVALID, "%s of %s: %s", name, obj->aid, why.text);
        if (!sim_obj_put(obj, attr, json_string_value(value)))
            return no_memory(err);
    }
    return LP_OK;
}

bool
sim_admin_find(const char *word, enum sim_admin *out)
{
    static const char *const words[] = {
        [SIM_IS] = "IS", [SIM_OOS] = "OOS", [SIM_MT] = "MT", [SIM_AINS] = "AINS"};
    size_t i;

    for (i = 0; i < LP_COUNT(words); i++)
        if (strcasecmp(words[i], word) == 0) {
            *out = (enum sim_admin)i;
            return true;
        }
    return false;
}

static enum lp_code
port_settings(struct sim_node *node, const char *aid, const json_t *doc, struct lp_err *err)
{
    static const char *const members[] = {"state", "attrs", "te"};
    struct sim_obj *obj = sim_obj_find(node, SIM_OTS, aid);
    const char *state = NULL, *te = NULL;
    enum sim_admin admin;
    enum lp_code rc;

    if (obj == NULL)
        obj = sim_obj_find(node, SIM_SCG, aid);
    if (obj == NULL || !json_is_object(doc))
        return lp_fail(err, LP_INVALID, "'ports' has no object for a port: '%.64s'", aid);
    rc = lp_json_only(doc, members, LP_COUNT(members), err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "state", &state, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "te", &te, err);
    if (rc != LP_OK)
        return rc;
    if (state != NULL && !sim_admin_find(state, &admin))
        return lp_fail(err, LP_INVALID, "port %s: '%.32s' is no state", aid, state);
    if (state != NULL)
        obj->admin = (uint8_t)admin;
    if (te != NULL && (obj->cls != SIM_OTS || !sim_aid_valid(te)))
        return lp_fail(err, LP_INVALID, "port %s: '%.64s' is no TE interface", aid, te);
    if (te != NULL && (obj->word == NULL) && (obj->word = strdup(te)) == NULL)
        return no_memory(err);
    return attrs_read(obj, json_object_get(doc, "attrs"), err);
}

/* ---- elements ---- */

static enum lp_code
node_cards(struct sim_net *net, struct sim_node *node, const json_t *doc, struct lp_err *err)
{
    json_t *cards = NULL, *ports = json_object_get(doc, "ports"), *value;
    const char *aid;
    enum lp_code rc = lp_json_get_array(doc, "cards", &cards, err);
    size_t i;

    if (rc == LP_OK)
        rc = eqpt_add(node, "1", "CHASSIS", node->serial, err);
    if (rc == LP_OK && json_array_size(cards) > 512)
        rc = lp_fail(err, LP_INVALID, "more than 512 cards");
    for (i = 0; rc == LP_OK && i < json_array_size(cards); i++)
        rc = card_read(net, node, json_array_get(cards, i), err);
    if (rc == LP_OK && ports != NULL && !json_is_object(ports))
        rc = lp_fail(err, LP_INVALID, "'ports' is no object");
    json_object_foreach(ports, aid, value)
    {
        if (rc == LP_OK)
            rc = port_settings(node, aid, value, err);
    }
    return rc;
}

static enum lp_code
node_files(struct sim_node *node, struct lp_err *err)
{
    char current[96];
    struct sim_obj *a, *b;
    static const char *const profiles[] = {"SwDownloadXfr", "BackupXfr"};
    size_t i;

    snprintf(current, sizeof current, "IQNOS_%.64s", node->release);
    a = sim_obj_add(node, SIM_RFILE, current);
    b = sim_obj_add(node, SIM_RFILE, "IQNOS_19.0.4.0");
    if (a == NULL || !sim_obj_set(a, "FILE", current) || !sim_obj_set(a, "USAGE", "Current")
        || (b != NULL && !sim_obj_set(b, "FILE", "IQNOS_19.0.4.0")))
        return no_memory(err);
    for (i = 0; i < LP_COUNT(profiles); i++)
        if (sim_obj_add(node, SIM_FXFR, profiles[i]) == NULL)
            return no_memory(err);
    return LP_OK;
}

static enum lp_code
node_texts(struct sim_net *net, struct sim_node *node, const json_t *doc, struct lp_err *err)
{
    char serial[24], router[24];
    uint64_t h = sim_hash((uint64_t)net->options.seed, node->name, "1", 1);
    enum lp_code rc;

    snprintf(serial, sizeof serial, "MA%010llu", (unsigned long long)(h % 10000000000u));
    snprintf(router, sizeof router, "10.255.%u.%u", node->index / 250, node->index % 250 + 1);
    rc = text_copy(doc, "serial", serial, &node->serial, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "kind", "ROADM", &node->kind, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "release", "19.2.1.0", &node->release, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "router_id", router, &node->router_id, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "area", "", &node->area, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "address", "", &node->address, err);
    return rc;
}

static enum lp_code
node_read(struct sim_net *net, struct sim_node *node, const json_t *doc, struct lp_err *err)
{
    static const char *const members[] = {"name",      "kind",     "serial",   "release",
                                          "router_id", "area",     "address",  "gateway",
                                          "subtended", "cards",    "ports",    "latency_ms",
                                          "site",      "latitude", "longitude"};
    static const char *const kinds[] = {"ROADM", "OLA", "OA"};
    int64_t latency = -1;
    size_t i;
    enum lp_code rc = lp_json_only(doc, members, LP_COUNT(members), err);

    if (rc == LP_OK)
        rc = node_texts(net, node, doc, err);
    if (rc == LP_OK)
        rc = lp_json_opt_bool(doc, "gateway", &node->gateway, err);
    if (rc == LP_OK)
        rc = lp_json_opt_bool(doc, "subtended", &node->subtended, err);
    if (rc == LP_OK)
        rc = lp_json_opt_int(doc, "latency_ms", &latency, err);
    if (rc != LP_OK)
        return rc;
    for (i = 0; i < LP_COUNT(kinds) && strcmp(kinds[i], node->kind) != 0; i++)
        continue;
    if (i == LP_COUNT(kinds))
        return lp_fail(err, LP_INVALID,
                       "'%.32s' is no kind; there are ROADM, OLA, OA, G30, G42, TNMS", node->kind);
    if (latency > 600000)
        return lp_fail(err, LP_INVALID, "latency_ms is above 600000");
    node->roadm = i == 0;
    node->latency_us = latency < 0 ? -1 : latency * 1000;
    rc = node_cards(net, node, doc, err);
    return rc == LP_OK ? node_files(node, err) : rc;
}

static int
by_name(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;

    return strcmp(*left, *right);
}

/* The others speak HTTPS (sim/rest/box.h). */
static bool
is_flexils(const json_t *doc)
{
    return sim_box_kind_find(lp_json_str(doc, "kind", "")) == NULL;
}

/* Sorted names, so that the place of an element does not depend on the order in the file. */
static enum lp_code
names_read(struct sim_net *net, const json_t *nodes, struct lp_err *err)
{
    const char **names = calloc(net->node_count + 1, sizeof(char *));
    enum lp_code rc = names == NULL ? no_memory(err) : LP_OK;
    size_t i, n = 0;

    for (i = 0; rc == LP_OK && i < json_array_size(nodes); i++) {
        if (!is_flexils(json_array_get(nodes, i)))
            continue;
        rc = lp_json_get_string(json_array_get(nodes, i), "name", &names[n++], err);
        if (rc == LP_OK && !name_valid(names[n - 1]))
            rc = lp_fail(err, LP_INVALID, "'%.80s' is no name of an element", names[n - 1]);
        if (rc != LP_OK)
            lp_err_prefix(err, "nodes[%zu]: ", i);
    }
    if (rc == LP_OK)
        qsort(names, net->node_count, sizeof *names, by_name);
    for (i = 0; rc == LP_OK && i < net->node_count; i++) {
        if (i > 0 && strcmp(names[i - 1], names[i]) == 0)
            rc = lp_fail(err, LP_INVALID, "element '%s' is there twice", names[i]);
        else if ((net->nodes[i].name = strdup(names[i])) == NULL)
            rc = no_memory(err);
        net->nodes[i].index = (uint32_t)i;
    }
    free(names);
    return rc;
}

static enum lp_code
nodes_read(struct sim_net *net, const json_t *doc, struct lp_err *err)
{
    json_t *nodes = NULL;
    enum lp_code rc = lp_json_get_array(doc, "nodes", &nodes, err);
    size_t i, count = json_array_size(nodes);

    if (rc != LP_OK)
        return rc;
    if (count == 0 || count > MAX_NODES)
        return lp_fail(err, LP_INVALID, "%zu elements; 1 to %d are possible", count, MAX_NODES);
    net->nodes = calloc(count, sizeof *net->nodes);
    if (net->nodes == NULL)
        return no_memory(err);
    for (i = 0; i < count; i++)
        net->node_count += is_flexils(json_array_get(nodes, i)) ? 1 : 0;
    rc = names_read(net, nodes, err);
    for (i = 0; rc == LP_OK && i < count; i++) {
        const json_t *item = json_array_get(nodes, i);
        struct sim_node *node = sim_node_find(net, lp_json_str(item, "name", ""));

        if (!is_flexils(item))
            continue;
        rc = node_read(net, node, item, err);
        if (rc != LP_OK)
            lp_err_prefix(err, "element %s: ", node->name);
    }
    return rc;
}

/* ---- fibers ---- */

static enum lp_code
span_end(struct sim_net *net, struct sim_span *span, const json_t *doc, int end, struct lp_err *err)
{
    static const char *const keys[] = {"a", "b"};
    const json_t *pair = json_object_get(doc, keys[end]);
    const char *name = json_string_value(json_array_get(pair, 0));
    const char *port = json_string_value(json_array_get(pair, 1));

    if (name == NULL || port == NULL || json_array_size(pair) != 2)
        return lp_fail(err, LP_INVALID, "'%s' is not [element, port]", keys[end]);
    span->node[end] = sim_node_find(net, name);
    if (span->node[end] == NULL)
        return lp_fail(err, LP_INVALID, "no element '%.64s'", name);
    span->port[end] = sim_obj_find(span->node[end], SIM_OTS, port);
    if (span->port[end] == NULL)
        return lp_fail(err, LP_INVALID, "%s has no line port '%.64s'", name, port);
    if (span->port[end]->span != NULL)
        return lp_fail(err, LP_INVALID, "%s %s has two fibers", name, port);
    span->port[end]->span = span;
    return LP_OK;
}

static bool
span_provision(struct sim_span *span, const char *fiber)
{
    char text[160];
    int end;

    for (end = 0; end < 2; end++) {
        struct sim_obj *port = span->port[end];

        snprintf(text, sizeof text, "%s/%s", span->node[1 - end]->name, span->port[1 - end]->aid);
        if (!sim_obj_set(port, "PROVNBROTS", text))
            return false;
        snprintf(text, sizeof text, "%d", (span->length_m + 500) / 1000);
        if (!sim_obj_set(port, "SPANDIST", text))
            return false;
        if (fiber[0] != '\0'
            && (!sim_obj_set(port, "TXFIBERTYPE", fiber)
                || !sim_obj_set(port, "PROVRXFIBERTYPE", fiber)))
            return false;
    }
    return true;
}

static enum lp_code
span_read(struct sim_net *net, struct sim_span *span, const json_t *doc, struct lp_err *err)
{
    static const char *const members[] = {"id",       "a",     "b",          "length_m",
                                          "loss_cdb", "fiber", "provisioned"};
    const char *fiber = "";
    int64_t length = 0, loss = -1;
    bool provisioned = true;
    enum lp_code rc = lp_json_only(doc, members, LP_COUNT(members), err);

    if (rc == LP_OK)
        rc = text_copy(doc, "id", "", &span->id, err);
    if (rc == LP_OK)
        rc = lp_json_opt_int(doc, "length_m", &length, err);
    if (rc == LP_OK)
        rc = lp_json_opt_int(doc, "loss_cdb", &loss, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "fiber", &fiber, err);
    if (rc == LP_OK)
        rc = lp_json_opt_bool(doc, "provisioned", &provisioned, err);
    if (rc == LP_OK && (length < 0 || length > 1000000 || loss > 6000 || strlen(fiber) > 32))
        rc = lp_fail(err, LP_INVALID, "length_m, loss_cdb or fiber is out of range");
    if (rc != LP_OK)
        return rc;
    span->length_m = (int32_t)length;
    span->loss_cdb = loss >= 0 ? (int32_t)loss : (int32_t)(length * 22 / 1000 + 100);
    span->design_loss_cdb = span->loss_cdb;
    rc = span_end(net, span, doc, 0, err);
    if (rc == LP_OK)
        rc = span_end(net, span, doc, 1, err);
    if (rc == LP_OK && provisioned && !span_provision(span, fiber))
        rc = no_memory(err);
    return rc;
}

static enum lp_code
spans_read(struct sim_net *net, const json_t *doc, struct lp_err *err)
{
    const json_t *spans = json_object_get(doc, "spans");
    size_t i, j, count = json_array_size(spans);
    enum lp_code rc = LP_OK;

    if (spans != NULL && (!json_is_array(spans) || count > MAX_SPANS))
        return lp_fail(err, LP_INVALID, "'spans' is no array of at most %d", MAX_SPANS);
    net->spans = calloc(count + 1, sizeof *net->spans);
    if (net->spans == NULL)
        return no_memory(err);
    for (i = 0; rc == LP_OK && i < count; i++) {
        const json_t *item = json_array_get(spans, i);

        net->span_count = i + 1;
        rc = json_is_object(item) ? span_read(net, &net->spans[i], item, err)
                                  : lp_fail(err, LP_INVALID, "no object");
        for (j = 0; rc == LP_OK && net->spans[i].id[0] != '\0' && j < i; j++)
            if (strcmp(net->spans[j].id, net->spans[i].id) == 0)
                rc = lp_fail(err, LP_INVALID, "id '%s' is there twice", net->spans[i].id);
        if (rc != LP_OK)
            lp_err_prefix(err, "spans[%zu]: ", i);
    }
    return rc;
}

/* ---- users and first commands ---- */

enum lp_code
sim_users_read(struct sim_net *net, const json_t *users, struct lp_err *err)
{
    size_t i, count = json_array_size(users);
    enum lp_code rc = LP_OK;

    if (!json_is_array(users) || count > 1000)
        return lp_fail(err, LP_INVALID, "'users' is no array of at most 1000");
    for (i = 0; i < net->user_count; i++) {
        free(net->users[i].name);
        free(net->users[i].password);
    }
    free(net->users);
    net->user_count = 0;
    net->users = calloc(count + 1, sizeof *net->users);
    if (net->users == NULL)
        return no_memory(err);
    for (i = 0; rc == LP_OK && i < count; i++) {
        net->user_count = i + 1;
        rc = text_copy(json_array_get(users, i), "name", "", &net->users[i].name, err);
        if (rc == LP_OK)
            rc = text_copy(json_array_get(users, i), "password", "", &net->users[i].password, err);
        if (rc == LP_OK && (net->users[i].name[0] == '\0' || strlen(net->users[i].name) > 31))
            rc = lp_fail(err, LP_INVALID, "users[%zu] has no name of 1 to 31 characters", i);
    }
    return rc;
}

static enum lp_code
setup_read(struct sim_net *net, const json_t *doc, struct lp_err *err)
{
    const json_t *setup = json_object_get(doc, "setup");
    size_t i, count = json_array_size(setup);

    if (setup != NULL && (!json_is_array(setup) || count > 100000))
        return lp_fail(err, LP_INVALID, "'setup' is no array of at most 100000");
    net->setup = calloc(count + 1, sizeof *net->setup);
    if (net->setup == NULL)
        return no_memory(err);
    for (i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(setup, i));

        if (text == NULL)
            return lp_fail(err, LP_INVALID, "setup[%zu] is no text", i);
        net->setup[i] = strdup(text);
        if (net->setup[i] == NULL)
            return no_memory(err);
        net->setup_count = i + 1;
    }
    return LP_OK;
}

/* ---- the whole ---- */

static enum lp_code
net_read(struct sim_net *net, const json_t *doc, struct lp_err *err)
{
    static const char *const members[] = {"format", "options", "users", "nodes",
                                          "spans",  "patches", "setup", "about"};
    json_t *part = NULL;
    const char *format;
    enum lp_code rc;

    if (!json_is_object(doc))
        return lp_fail(err, LP_INVALID, "a topology is an object");
    rc = lp_json_only(doc, members, LP_COUNT(members), err);
    if (rc == LP_OK)
        rc = lp_json_get_string(doc, "format", &format, err);
    if (rc == LP_OK && strcmp(format, FORMAT) != 0 && strcmp(format, OLD_FORMAT) != 0)
        rc = lp_fail(err, LP_INVALID, "format is '%.64s', not '%s'", format, FORMAT);
    part = json_object_get(doc, "options");
    if (rc == LP_OK && part != NULL && !json_is_object(part))
        rc = lp_fail(err, LP_INVALID, "'options' is no object");
    if (rc == LP_OK)
        rc = options_read(part, &net->options, err);
    part = json_object_get(doc, "users");
    if (rc == LP_OK && part != NULL)
        rc = sim_users_read(net, part, err);
    if (rc == LP_OK)
        rc = nodes_read(net, doc, err);
    if (rc == LP_OK)
        rc = spans_read(net, doc, err);
    if (rc == LP_OK)
        rc = sim_boxes_load(net, doc, err);
    if (rc == LP_OK)
        rc = setup_read(net, doc, err);
    return rc == LP_OK ? sim_links_build(net, err) : rc;
}

enum lp_code
sim_net_load(json_t *topology, struct sim_net **out, struct lp_err *err)
{
    struct sim_net *net = calloc(1, sizeof *net);
    enum lp_code rc;

    if (net == NULL)
        return no_memory(err);
    rc = net_read(net, topology, err);
    net->random = (uint64_t)net->options.seed;
    if (rc == LP_OK)
        rc = sim_setup_run(net, err);
    if (rc != LP_OK) {
        sim_net_free(net);
        return rc;
    }
    net->topology = json_incref(topology);
    *out = net;
    return LP_OK;
}

/* What is new of an element goes in; who is logged in stays. */
static void
node_replace(struct sim_node *old, struct sim_node *fresh)
{
    struct sim_node kept = *old;

    *old = *fresh;
    *fresh = kept;
    old->seats = kept.seats;
    old->seat_count = kept.seat_count;
    old->seat_peak = kept.seat_peak;
    old->atag = kept.atag;
    old->dbchg_seq = kept.dbchg_seq;
    old->commands = kept.commands;
    old->writes = kept.writes;
    fresh->seats = NULL;
}

enum lp_code
sim_net_reset(struct sim_net *net, struct lp_err *err)
{
    struct sim_net *fresh = NULL, kept;
    enum lp_code rc = sim_net_load(net->topology, &fresh, err);
    size_t i, end;

    if (rc != LP_OK)
        return rc;
    for (i = 0; i < fresh->span_count; i++)
        for (end = 0; end < 2; end++)
            fresh->spans[i].node[end] = &net->nodes[fresh->spans[i].node[end]->index];
    for (i = 0; i < fresh->link_count; i++)
        for (end = 0; end < 2; end++)
            if (fresh->links[i].node[end] != NULL)
                fresh->links[i].node[end] = &net->nodes[fresh->links[i].node[end]->index];
    for (i = 0; i < net->node_count; i++)
        node_replace(&net->nodes[i], &fresh->nodes[i]);
    kept = *net;
    net->spans = fresh->spans;
    net->span_count = fresh->span_count;
    net->links = fresh->links;
    net->link_count = fresh->link_count;
    net->circuits = fresh->circuits;
    net->random = fresh->random;
    fresh->spans = kept.spans;
    fresh->span_count = kept.span_count;
    fresh->links = kept.links;
    fresh->link_count = kept.link_count;
    sim_net_free(fresh);
    return sim_boxes_reset(net, err);
}
