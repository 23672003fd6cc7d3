#include "sim/rest/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "sim/rest/tls.h"

#define MAX_BOXES   4096
#define MAX_PATCHES 16384

const struct sim_box_kind *
sim_box_kind_find(const char *name)
{
    static const struct sim_box_kind *const kinds[] = {&sim_kind_g30, &sim_kind_g42,
                                                       &sim_kind_tnms};
    size_t i;

    for (i = 0; i < LP_COUNT(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

/* ---- reading ---- */

static enum lp_code
text_copy(const json_t *doc, const char *key, const char *unset, char **out, struct lp_err *err)
{
    const char *text = unset;
    enum lp_code rc = lp_json_opt_string(doc, key, &text, err);

    if (rc != LP_OK || text == NULL)
        return rc;
    if (strlen(text) > 128)
        return lp_fail(err, LP_INVALID, "'%s' is longer than 128 characters", key);
    *out = strdup(text);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for a topology") : LP_OK;
}

static enum lp_code
number_member(const json_t *doc, const char *key, int64_t low, int64_t high, int64_t *out,
              struct lp_err *err)
{
    enum lp_code rc = lp_json_opt_int(doc, key, out, err);

    if (rc == LP_OK && (*out < low || *out > high))
        rc = lp_fail(err, LP_INVALID, "'%s' is not from %lld to %lld", key, (long long)low,
                     (long long)high);
    return rc;
}

static enum lp_code
box_texts(struct sim_net *net, struct sim_box *box, const json_t *doc, struct lp_err *err)
{
    char serial[24];
    enum lp_code rc;

    snprintf(serial, sizeof serial, "RO%08llu",
             (unsigned long long)(sim_hash((uint64_t)net->options.seed, box->name, "box", 1)
                                  % 100000000u));
    rc = text_copy(doc, "serial", serial, &box->serial, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "release", "", &box->release, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "address", "", &box->address, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "site", "", &box->site, err);
    if (rc == LP_OK)
        rc = text_copy(doc, "user", NULL, &box->user, err);
    return rc == LP_OK ? text_copy(doc, "password", NULL, &box->password, err) : rc;
}

static enum lp_code
box_read(struct sim_net *net, struct sim_box *box, json_t *doc, struct lp_err *err)
{
    static const char *const members[] = {
        "name",     "kind",     "serial",    "release",  "address",    "site",     "user",
        "password", "latitude", "longitude", "cards",    "latency_ms", "apply_ms", "outage_ms",
        "etag",     "token_ms", "job_ms",    "stale_ms", "base",       "images"};
    int64_t latency = -1;
    enum lp_code rc = lp_json_only(doc, members, LP_COUNT(members), err);

    box->transcript = -1;
    box->outage_ms = 2000;
    box->doc = doc;
    box->etag = box->kind->etag;
    box->extra = json_object();
    box->planted = json_array();
    box->lines = json_object();
    box->tree = json_object();
    if (rc == LP_OK)
        rc = box_texts(net, box, doc, err);
    if (rc == LP_OK)
        rc = number_member(doc, "latency_ms", -1, 600000, &latency, err);
    if (rc == LP_OK)
        rc = number_member(doc, "apply_ms", 0, 600000, &box->apply_ms, err);
    if (rc == LP_OK)
        rc = number_member(doc, "outage_ms", 0, 600000, &box->outage_ms, err);
    if (rc == LP_OK)
        rc = lp_json_opt_bool(doc, "etag", &box->etag, err);
    if (rc != LP_OK)
        return rc;
    box->latency_us = latency < 0 ? -1 : latency * 1000;
    return box->kind->load(net, box, doc, err);
}

static int
box_order(const void *a, const void *b)
{
    const struct sim_box *left = a, *right = b;

    return strcmp(left->name, right->name);
}

/* Names first, sorted, so that the place of an element does not depend on the order in the file. */
static enum lp_code
boxes_name(struct sim_net *net, const json_t *nodes, struct lp_err *err)
{
    size_t i;

    net->boxes = calloc(json_array_size(nodes) + 1, sizeof *net->boxes);
    if (net->boxes == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a topology");
    for (i = 0; i < json_array_size(nodes); i++) {
        json_t *doc = json_array_get(nodes, i);
        const struct sim_box_kind *kind = sim_box_kind_find(lp_json_str(doc, "kind", ""));
        const char *name = lp_json_str(doc, "name", "");
        struct sim_box *box = &net->boxes[net->box_count];

        if (kind == NULL)
            continue;
        if (name[0] == '\0' || strlen(name) > 64
            || name[strspn(name,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")]
                   != '\0')
            return lp_fail(err, LP_INVALID, "nodes[%zu]: '%.80s' is no name of an element", i,
                           name);
        if (sim_node_find(net, name) != NULL || sim_box_find(net, name) != NULL)
            return lp_fail(err, LP_INVALID, "element '%s' is there twice", name);
        box->kind = kind;
        box->doc = doc;
        box->name = strdup(name);
        if (box->name == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a topology");
        net->box_count++;
        qsort(net->boxes, net->box_count, sizeof *net->boxes, box_order);
    }
    return LP_OK;
}

struct sim_box *
sim_box_find(struct sim_net *net, const char *name)
{
    size_t low = 0, high = net->box_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, net->boxes[middle].name);

        if (order == 0)
            return &net->boxes[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- patches ---- */

static enum lp_code
patch_end(struct sim_net *net, struct sim_patch_end *end, const json_t *pair, struct lp_err *err)
{
    const char *name = json_string_value(json_array_get(pair, 0));
    const char *port = json_string_value(json_array_get(pair, 1));

    if (name == NULL || port == NULL || json_array_size(pair) != 2)
        return lp_fail(err, LP_INVALID, "an end is not [element, port]");
    end->node = sim_node_find(net, name);
    if (end->node != NULL) {
        end->port = sim_obj_find(end->node, SIM_SCG, port);
        return end->port != NULL
                   ? LP_OK
                   : lp_fail(err, LP_INVALID, "%s has no tributary '%.64s'", name, port);
    }
    end->box = sim_box_find(net, name);
    if (end->box == NULL || !end->box->kind->line(end->box, port))
        return lp_fail(err, LP_INVALID, "%.64s has no line port '%.64s'", name, port);
    end->line = strdup(port);
    return end->line != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a topology");
}

static enum lp_code
patch_read(struct sim_net *net, struct sim_patch *patch, const json_t *doc, struct lp_err *err)
{
    static const char *const members[] = {"id", "a", "b", "loss_cdb"};
    int64_t loss = 50;
    int end;
    enum lp_code rc = lp_json_only(doc, members, LP_COUNT(members), err);

    if (rc == LP_OK)
        rc = text_copy(doc, "id", "", &patch->id, err);
    if (rc == LP_OK)
        rc = number_member(doc, "loss_cdb", 0, 6000, &loss, err);
    patch->loss_cdb = patch->design_loss_cdb = (int32_t)loss;
    if (rc == LP_OK)
        rc = patch_end(net, &patch->end[0], json_object_get(doc, "a"), err);
    if (rc == LP_OK)
        rc = patch_end(net, &patch->end[1], json_object_get(doc, "b"), err);
    if (rc == LP_OK && patch->end[0].box == NULL && patch->end[1].box == NULL)
        rc = lp_fail(err, LP_INVALID, "no end is a line port of a transponder");
    for (end = 0; rc == LP_OK && end < 2; end++) {
        const struct sim_patch_end *e = &patch->end[end];
        int near = end;

        if ((e->box != NULL ? sim_patch_of_line(net, e->box, e->line, &near)
                            : sim_patch_of_port(net, e->node, e->port->aid, &near))
                != patch
            || near != end)
            rc = lp_fail(err, LP_INVALID, "a port has two patches");
    }
    return rc;
}

static enum lp_code
patches_read(struct sim_net *net, const json_t *patches, struct lp_err *err)
{
    size_t i, count = json_array_size(patches);
    enum lp_code rc = LP_OK;

    if (patches != NULL && (!json_is_array(patches) || count > MAX_PATCHES))
        return lp_fail(err, LP_INVALID, "'patches' is no array of at most %d", MAX_PATCHES);
    net->patches = calloc(count + 1, sizeof *net->patches);
    if (net->patches == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a topology");
    for (i = 0; rc == LP_OK && i < count; i++) {
        const json_t *item = json_array_get(patches, i);

        net->patch_count = i + 1;
        rc = json_is_object(item) ? patch_read(net, &net->patches[i], item, err)
                                  : lp_fail(err, LP_INVALID, "no object");
        if (rc != LP_OK)
            lp_err_prefix(err, "patches[%zu]: ", i);
    }
    return rc;
}

enum lp_code
sim_boxes_load(struct sim_net *net, const json_t *topology, struct lp_err *err)
{
    enum lp_code rc = boxes_name(net, json_object_get(topology, "nodes"), err);
    size_t i;

    for (i = 0; rc == LP_OK && i < net->box_count; i++) {
        net->boxes[i].index = (uint32_t)i;
        rc = box_read(net, &net->boxes[i], net->boxes[i].doc, err);
        if (rc != LP_OK)
            lp_err_prefix(err, "element %s: ", net->boxes[i].name);
    }
    return rc == LP_OK ? patches_read(net, json_object_get(topology, "patches"), err) : rc;
}

static void
box_clear(struct sim_box *box)
{
    free(box->name);
    free(box->address);
    free(box->serial);
    free(box->release);
    free(box->site);
    free(box->user);
    free(box->password);
    json_decref(box->tree);
    json_decref(box->before);
    json_decref(box->extra);
    json_decref(box->planted);
    json_decref(box->lines);
    sim_tls_identity_free(box->identity);
}

static void
patches_free(struct sim_net *net)
{
    size_t i;

    for (i = 0; i < net->patch_count; i++) {
        free(net->patches[i].id);
        free(net->patches[i].end[0].line);
        free(net->patches[i].end[1].line);
    }
    free(net->patches);
    net->patches = NULL;
    net->patch_count = 0;
}

void
sim_boxes_free(struct sim_net *net)
{
    size_t i;

    for (i = 0; i < net->box_count; i++)
        box_clear(&net->boxes[i]);
    free(net->boxes);
    patches_free(net);
}

/* What the topology says goes in; the sockets' side (certificate, transcript) stays. */
static void
box_renew(struct sim_box *old, struct sim_box *fresh)
{
    struct sim_tls_identity *identity = old->identity;
    int transcript = old->transcript;
    struct sim_box kept = *old;

    *old = *fresh;
    *fresh = kept;
    fresh->identity = NULL;
    fresh->transcript = -1;
    old->identity = identity;
    old->transcript = transcript;
    old->down_until_us = kept.down_until_us;
    old->requests = kept.requests;
    old->writes = kept.writes;
    old->event_id = kept.event_id;
    old->version = kept.version + 1;
}

enum lp_code
sim_boxes_reset(struct sim_net *net, struct lp_err *err)
{
    struct sim_box *old = net->boxes, *fresh;
    size_t count = net->box_count, i;
    enum lp_code rc;

    patches_free(net);
    net->boxes = NULL;
    net->box_count = 0;
    rc = sim_boxes_load(net, net->topology, err);
    fresh = net->boxes;
    net->boxes = old;
    for (i = 0; i < count && i < net->box_count; i++) {
        box_renew(&old[i], &fresh[i]);
        box_clear(&fresh[i]);
    }
    net->box_count = count;
    for (i = 0; i < net->patch_count * 2; i++) { /* they point into what was just freed */
        struct sim_patch_end *end = &net->patches[i / 2].end[i % 2];

        if (end->box != NULL)
            end->box = &old[end->box - fresh];
    }
    free(fresh);
    return rc;
}

/* ---- finding ---- */

struct sim_patch *
sim_patch_find(struct sim_net *net, const char *id)
{
    size_t i;

    for (i = 0; i < net->patch_count; i++)
        if (strcmp(net->patches[i].id, id) == 0)
            return &net->patches[i];
    return NULL;
}

struct sim_patch *
sim_patch_of_line(struct sim_net *net, const struct sim_box *box, const char *line, int *end)
{
    size_t i;

    for (i = 0; i < net->patch_count * 2; i++) {
        const struct sim_patch_end *e = &net->patches[i / 2].end[i % 2];

        if (e->box == box && e->line != NULL && strcmp(e->line, line) == 0) {
            *end = (int)(i % 2);
            return &net->patches[i / 2];
        }
    }
    return NULL;
}

struct sim_patch *
sim_patch_of_port(const struct sim_net *net, const struct sim_node *node, const char *scg, int *end)
{
    size_t i;

    for (i = 0; i < net->patch_count * 2; i++) {
        const struct sim_patch_end *e = &net->patches[i / 2].end[i % 2];

        if (e->node != NULL && e->node->index == node->index && e->port != NULL
            && strcmp(e->port->aid, scg) == 0) {
            *end = (int)(i % 2);
            return &net->patches[i / 2];
        }
    }
    return NULL;
}

/* ---- light ---- */

bool
sim_tributary_light(const struct sim_net *net, const struct sim_node *node, const char *scg,
                    int32_t low_mhz, int32_t high_mhz, struct sim_carrier *out)
{
    int near;
    const struct sim_patch *patch = sim_patch_of_port(net, node, scg, &near);
    const struct sim_patch_end *far = patch == NULL ? NULL : &patch->end[1 - near];

    if (far == NULL || far->box == NULL)
        return false;
    if (patch->cut || !far->box->kind->sends(far->box, far->line, out) || out->center_mhz < low_mhz
        || out->center_mhz >= high_mhz) {
        out->cdbm = SIM_DARK_CDBM;
        return true;
    }
    out->cdbm -= patch->loss_cdb;
    return true;
}

/* Light out of the line system: the channel that carries the frequency, and who sends into it. */
static void
arrival_through(struct sim_net *net, const struct sim_patch_end *drop, int32_t center_mhz,
                struct sim_arrival *out)
{
    struct sim_node *far = NULL;
    struct sim_obj *sch = NULL;
    char port[80];

    out->cdbm = sim_drop_power(net, drop->node, drop->port->aid, center_mhz, &far, &sch);
    if (out->cdbm > SIM_DARK_CDBM && sim_sch_port(sch->aid, port, sizeof port))
        out->known = sim_tributary_light(net, far, port, center_mhz, center_mhz + 1, &out->far);
}

void
sim_line_arrival(struct sim_net *net, const struct sim_box *box, const char *line,
                 struct sim_arrival *out)
{
    int near;
    const struct sim_patch *patch = sim_patch_of_line(net, box, line, &near);
    int32_t center = box->kind->listens(box, line);
    const struct sim_patch_end *far = patch == NULL ? NULL : &patch->end[1 - near];

    *out = (struct sim_arrival){.cdbm = SIM_DARK_CDBM};
    if (patch == NULL || patch->cut || center == 0)
        return;
    if (far->node != NULL) {
        arrival_through(net, far, center, out);
    } else if (far->box->kind->sends(far->box, far->line, &out->far)
               && out->far.center_mhz == center) {
        out->known = true;
        out->cdbm = out->far.cdbm;
    }
    if (out->cdbm > SIM_DARK_CDBM)
        out->cdbm -= patch->loss_cdb;
}

/* ---- pieces ---- */

bool
sim_version_of(const char *source, const char *prefix, char *out, size_t size)
{
    const char *at = strrchr(source, '/');
    int a, b, c;

    for (at = at == NULL ? source : at + 1; *at != '\0'; at++)
        if (*at >= '0' && *at <= '9' && sscanf(at, "%2d.%2d.%2d", &a, &b, &c) == 3) {
            (void)snprintf(out, size, "%s%d.%d.%d", prefix, a, b, c);
            return true;
        }
    return false;
}

void
sim_boxes_settle(struct sim_net *net)
{
    size_t i;

    for (i = 0; i < net->box_count; i++)
        net->boxes[i].kind->settle(net, &net->boxes[i]);
}

json_t *
sim_box_state(const struct sim_box *box)
{
    return sim_config_of(box->kind->model, box->tree);
}

void
sim_box_clock(const struct sim_net *net, const struct sim_box *box, char buf[static 32])
{
    int64_t us = net->options.fixed_clock_us != 0 ? net->options.fixed_clock_us : net->utc_us;
    time_t seconds = (time_t)((us + box->clock_shift_us) / 1000000);
    struct tm tm;

    buf[0] = '\0';
    if (gmtime_r(&seconds, &tm) != NULL)
        (void)strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int32_t
sim_box_noise(const struct sim_net *net, struct sim_box *box, const char *name, int32_t most)
{
    uint64_t h = sim_hash((uint64_t)net->options.seed, box->name, name, ++box->reads);

    return (int32_t)(h % (uint64_t)(2 * most + 1)) - most;
}

int32_t
sim_line_offset(const struct sim_box *box, const char *line)
{
    return (int32_t)lp_json_int(json_object_get(box->lines, line), "offset_cdb", 0);
}
