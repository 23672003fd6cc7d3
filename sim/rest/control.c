/* The control socket's requests about elements that speak HTTPS, and about patches. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "sim/rest/tls.h"
#include "sim/rest/web.h"

struct request {
    struct sim_server *server;
    struct sim_box *box;
    const json_t *body;
    json_t *reply;
};

/* ---- drift ---- */

static enum lp_code
place_of(const struct request *r, struct sim_place *place, struct lp_err *err)
{
    const char *path = NULL;
    struct sim_why why;
    enum lp_code rc = lp_json_get_string(r->body, "path", &path, err);

    *place = (struct sim_place){.object = NULL};
    if (rc != LP_OK)
        return rc;
    if (!sim_resolve(r->box->kind->model, r->box->tree, path, place, &why)
        || (place->object == NULL && !place->whole))
        return lp_fail(err, LP_NOT_FOUND, "%s has no %.200s", r->box->name, path);
    return LP_OK;
}

/* Leaves are set behind everybody's back: no rule is asked, but they stay what the table allows. */
static enum lp_code
op_set(struct request *r, struct lp_err *err)
{
    struct sim_place place;
    json_t *leaves = json_object_get(r->body, "leaves"), *value;
    const char *name;
    struct sim_why why = {.status = 0};
    enum lp_code rc = place_of(r, &place, err);

    if (rc == LP_OK && (place.object == NULL || place.leaf != NULL || !json_is_object(leaves)))
        rc = lp_fail(err, LP_INVALID, "'path' leads to no container or entry, or 'leaves' is none");
    json_object_foreach(leaves, name, value)
    {
        const struct sim_leaf *leaf =
            rc == LP_OK ? sim_schema_leaf(place.schema, sim_plain_name(name)) : NULL;
        json_t *clean = leaf == NULL ? NULL : sim_leaf_value(leaf, value, &why);

        if (rc == LP_OK && clean == NULL)
            rc = lp_fail(err, LP_INVALID, "%s: %s", name, leaf == NULL ? "no leaf" : why.text);
        if (clean != NULL)
            (void)json_object_set_new(place.object, leaf->name, clean);
    }
    sim_place_free(&place);
    if (rc != LP_OK)
        return rc;
    if (!lp_json_true(r->body, "silent"))
        sim_box_told(r->server->net, r->box, lp_json_str(r->body, "path", ""), "merge");
    sim_box_changed(r->server->net, r->box);
    return LP_OK;
}

static enum lp_code
op_delete(struct request *r, struct lp_err *err)
{
    struct sim_place place;
    json_t *list;
    size_t i;
    enum lp_code rc = place_of(r, &place, err);

    if (rc == LP_OK && (place.object == NULL || (place.schema->flags & SIM_S_DELETE) == 0))
        rc = lp_fail(err, LP_INVALID, "this cannot be deleted");
    list = rc == LP_OK ? json_object_get(place.parent, place.schema->name) : NULL;
    for (i = 0; i < json_array_size(list); i++)
        if (json_array_get(list, i) == place.object) {
            (void)json_array_remove(list, i);
            break;
        }
    sim_place_free(&place);
    if (rc == LP_OK)
        sim_box_changed(r->server->net, r->box);
    return rc;
}

/* What a GET would show, whole, with state. */
static enum lp_code
op_get(struct request *r, struct lp_err *err)
{
    struct sim_place place;
    const struct sim_query query = {.content = SIM_ALL};
    struct sim_why why;
    json_t *value;
    enum lp_code rc;

    r->box->kind->settle(r->server->net, r->box);
    rc = place_of(r, &place, err);
    if (rc == LP_OK) {
        value = sim_render(&place, r->box->kind->model, r->box->tree, &query, &why);
        if (value == NULL)
            rc = lp_fail(err, LP_NOT_FOUND, "%s", why.text);
        else
            (void)json_object_set_new(r->reply, "value", value);
    }
    sim_place_free(&place);
    return rc;
}

/* A write as somebody else would make it: the rules hold. */
static enum lp_code
op_patch(struct request *r, struct lp_err *err)
{
    struct sim_place place;
    const struct sim_model *model = r->box->kind->model;
    const char *path = "";
    struct sim_why why = {.status = 0};
    enum lp_code rc = lp_json_get_string(r->body, "path", &path, err);
    bool ok;

    if (rc != LP_OK)
        return rc;
    ok = sim_resolve(model, r->box->tree, path, &place, &why)
         && sim_patch(model, r->box, &place, json_object_get(r->body, "body"), &why);
    sim_place_free(&place);
    if (!ok)
        return lp_fail(err, LP_REFUSED, "%d %s", why.status, why.text);
    sim_box_changed(r->server->net, r->box);
    return LP_OK;
}

/* How many entries of a list have this value: nothing may be made twice. */
static enum lp_code
op_count(struct request *r, struct lp_err *err)
{
    struct sim_place place;
    const char *path = NULL, *attr = lp_json_str(r->body, "attr", NULL);
    const char *value = lp_json_str(r->body, "value", "");
    struct sim_why why;
    const json_t *list;
    char buf[24];
    int64_t count = 0;
    size_t i;
    enum lp_code rc = lp_json_get_string(r->body, "path", &path, err);

    if (rc != LP_OK)
        return rc;
    if (!sim_resolve(r->box->kind->model, r->box->tree, path, &place, &why) || !place.whole) {
        sim_place_free(&place);
        return lp_fail(err, LP_INVALID, "'path' leads to no list");
    }
    list = json_object_get(place.parent, place.member);
    for (i = 0; i < json_array_size(list); i++)
        count += attr == NULL || strcmp(sim_text(json_array_get(list, i), attr, buf), value) == 0;
    sim_place_free(&place);
    (void)lp_json_set_int(r->reply, "count", count);
    return LP_OK;
}

/* ---- alarms and readings ---- */

static enum lp_code
op_alarm(struct request *r, struct lp_err *err)
{
    const json_t *row = json_object_get(r->body, "row");
    json_t *planted = r->box->planted;
    size_t i;

    if (!json_is_object(row))
        return lp_fail(err, LP_INVALID, "'row' is no alarm as the element lists it");
    if (lp_json_true(r->body, "clear")) {
        for (i = 0; i < json_array_size(planted); i++)
            if (json_equal(json_array_get(planted, i), row)) {
                (void)json_array_remove(planted, i);
                break;
            }
    } else {
        (void)json_array_append_new(planted, json_deep_copy(row));
    }
    r->box->kind->settle(r->server->net, r->box);
    return LP_OK;
}

static enum lp_code
line_of(const struct request *r, const char **out, struct lp_err *err)
{
    enum lp_code rc = lp_json_get_string(r->body, "port", out, err);

    if (rc == LP_OK && !r->box->kind->line(r->box, *out))
        rc = lp_fail(err, LP_NOT_FOUND, "%s has no line port '%.64s'", r->box->name, *out);
    return rc;
}

/* An error of the transmitter: it sends more or less than it should. */
static enum lp_code
op_light(struct request *r, struct lp_err *err)
{
    const char *port = NULL;
    int64_t offset = 0;
    enum lp_code rc = line_of(r, &port, err);

    if (rc == LP_OK)
        rc = lp_json_opt_int(r->body, "offset_cdb", &offset, err);
    if (rc == LP_OK && (offset < -6000 || offset > 6000))
        rc = lp_fail(err, LP_INVALID, "offset_cdb is out of range");
    if (rc == LP_OK)
        (void)json_object_set_new(r->box->lines, port,
                                  json_pack("{s:I}", "offset_cdb", (json_int_t)offset));
    return rc;
}

static enum lp_code
op_power(struct request *r, struct lp_err *err)
{
    const char *port = NULL;
    struct sim_arrival in;
    struct sim_carrier out;
    bool lit;
    enum lp_code rc = line_of(r, &port, err);

    if (rc != LP_OK)
        return rc;
    sim_line_arrival(r->server->net, r->box, port, &in);
    lit = r->box->kind->sends(r->box, port, &out);
    (void)lp_json_set_int(r->reply, "in_cdbm", in.cdbm);
    (void)lp_json_set_int(r->reply, "out_cdbm", lit ? out.cdbm : SIM_DARK_CDBM);
    (void)lp_json_set_int(r->reply, "center_mhz", lit ? out.center_mhz : 0);
    return LP_OK;
}

/* ---- the element ---- */

static enum lp_code
op_state(struct request *r, struct lp_err *err)
{
    json_t *state = sim_box_state(r->box);
    char *text = NULL, hash[65];
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(state, &text, &len, err);

    if (rc == LP_OK) {
        lp_sha256_hex(text, len, hash);
        (void)lp_json_set_str(r->reply, "hash", hash);
        if (strcmp(lp_json_str(r->body, "op", ""), "state") == 0)
            (void)json_object_set(r->reply, "state", state);
    }
    free(text);
    json_decref(state);
    return rc;
}

static enum lp_code
op_latency(struct request *r, struct lp_err *err)
{
    int64_t ms = 0;
    enum lp_code rc = lp_json_get_int(r->body, "ms", &ms, err);

    if (rc == LP_OK && (ms < 0 || ms > 600000))
        rc = lp_fail(err, LP_INVALID, "ms is not from 0 to 600000");
    if (rc == LP_OK)
        r->box->latency_us = ms * 1000;
    return rc;
}

static enum lp_code
op_restart(struct request *r, struct lp_err *err)
{
    int64_t ms = 1000;
    enum lp_code rc = lp_json_opt_int(r->body, "down_ms", &ms, err);

    if (rc == LP_OK && (ms < 0 || ms > 86400000))
        rc = lp_fail(err, LP_INVALID, "down_ms is not from 0 to 86400000");
    if (rc == LP_OK) {
        (void)json_object_del(r->box->extra, "tokens");
        (void)json_object_del(r->box->extra, "jobs");
        sim_box_down(r->server, r->box, ms * 1000);
    }
    return rc;
}

static enum lp_code
op_disconnect(struct request *r, struct lp_err *err)
{
    struct sim_conn *conn;
    int64_t count = 0;

    (void)err;
    for (conn = r->server->conns; conn != NULL; conn = conn->next)
        if (!conn->dead && conn->box == r->box) {
            sim_conn_kill(r->server, conn, true);
            count++;
        }
    (void)lp_json_set_int(r->reply, "count", count);
    return LP_OK;
}

/* Another element under the same address: its certificate, its serial number. */
static enum lp_code
op_replace(struct request *r, struct lp_err *err)
{
    const char *name = lp_json_str(r->body, "certificate", NULL);
    const char *serial = lp_json_str(r->body, "serial", NULL);
    enum sim_certificate what;
    enum lp_code rc = LP_OK;

    if (name != NULL && (!sim_certificate_find(name, &what) || r->box->identity == NULL))
        return lp_fail(err, LP_INVALID, "there is no certificate '%.32s'", name);
    if (name != NULL)
        rc = sim_tls_identity_change(r->server->tls, r->box->identity, what, err);
    if (rc == LP_OK && r->box->identity != NULL)
        (void)lp_json_set_str(r->reply, "pin", sim_tls_pin(r->box->identity));
    if (rc == LP_OK && serial != NULL) {
        free(r->box->serial);
        r->box->serial = strdup(serial);
        if (r->box->serial == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a serial number");
        if (r->box->kind->replaced != NULL)
            r->box->kind->replaced(r->box);
    }
    return rc;
}

/* A fiber that the TNMS does not know (any more), or knows again. */
static enum lp_code
op_hide(struct request *r, struct lp_err *err)
{
    const char *span = NULL;
    json_t *hidden = json_object_get(r->box->extra, "hidden");
    enum lp_code rc = lp_json_get_string(r->body, "span", &span, err);

    if (rc != LP_OK)
        return rc;
    if (hidden == NULL) {
        hidden = json_object();
        (void)json_object_set_new(r->box->extra, "hidden", hidden);
    }
    if (lp_json_true(r->body, "show"))
        (void)json_object_del(hidden, span);
    else
        (void)json_object_set_new(hidden, span, json_true());
    return LP_OK;
}

/* From now on another password opens the element. */
static enum lp_code
op_password(struct request *r, struct lp_err *err)
{
    const char *password = NULL, *user = lp_json_str(r->body, "user", NULL);
    enum lp_code rc = lp_json_get_string(r->body, "password", &password, err);

    if (rc != LP_OK)
        return rc;
    free(r->box->password);
    r->box->password = strdup(password);
    if (user != NULL) {
        free(r->box->user);
        r->box->user = strdup(user);
    }
    (void)json_object_del(r->box->extra, "tokens");
    return r->box->password != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a password");
}

static const struct {
    const char *name;
    enum lp_code (*run)(struct request *r, struct lp_err *err);
} ops[] = {
    {"set", op_set},         {"delete", op_delete},         {"get", op_get},
    {"patch", op_patch},     {"count", op_count},           {"alarm", op_alarm},
    {"light", op_light},     {"power", op_power},           {"state", op_state},
    {"hash", op_state},      {"latency", op_latency},       {"restart", op_restart},
    {"replace", op_replace}, {"disconnect", op_disconnect}, {"password", op_password},
    {"hide", op_hide},
};

/* ---- patches ---- */

static enum lp_code
patch_run(struct sim_server *server, struct sim_patch *patch, const char *op, const json_t *body,
          struct lp_err *err)
{
    int64_t loss = 0;
    enum lp_code rc = LP_OK;

    if (strcmp(op, "loss") != 0) {
        patch->cut = strcmp(op, "cut") == 0;
    } else {
        rc = lp_json_get_int(body, "loss_cdb", &loss, err);
        if (rc == LP_OK && (loss < 0 || loss > 6000))
            rc = lp_fail(err, LP_INVALID, "loss_cdb is not from 0 to 6000");
        if (rc == LP_OK)
            patch->loss_cdb = (int32_t)loss;
    }
    sim_boxes_settle(server->net);
    return rc;
}

bool
sim_box_control(struct sim_server *server, const char *op, const json_t *body, json_t *reply,
                enum lp_code *rc, struct lp_err *err)
{
    static const char *const fiber[] = {"cut", "repair", "loss"};
    const char *span = lp_json_str(body, "span", NULL);
    struct sim_patch *patch = span == NULL ? NULL : sim_patch_find(server->net, span);
    struct request r = {.server = server,
                        .box = sim_box_find(server->net, lp_json_str(body, "ne", "")),
                        .body = body,
                        .reply = reply};
    size_t i;

    for (i = 0; patch != NULL && i < LP_COUNT(fiber); i++)
        if (strcmp(fiber[i], op) == 0) {
            *rc = patch_run(server, patch, op, body, err);
            return true;
        }
    for (i = 0; r.box != NULL && i < LP_COUNT(ops); i++)
        if (strcmp(ops[i].name, op) == 0) {
            *rc = ops[i].run(&r, err);
            return true;
        }
    return false;
}

json_t *
sim_box_rows(const struct sim_net *net)
{
    json_t *rows = json_array();
    size_t i;

    for (i = 0; i < net->box_count; i++) {
        const struct sim_box *box = &net->boxes[i];

        (void)json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:I,s:I}", "name", box->name,
                                                    "kind", box->kind->name, "serial", box->serial,
                                                    "commands", (json_int_t)box->requests, "writes",
                                                    (json_int_t)box->writes));
    }
    return rows;
}

json_t *
sim_patch_rows(const struct sim_net *net)
{
    json_t *rows = json_array();
    size_t i, e;

    for (i = 0; i < net->patch_count; i++) {
        const struct sim_patch *p = &net->patches[i];
        json_t *ends[2];

        for (e = 0; e < 2; e++)
            ends[e] = p->end[e].node != NULL
                          ? json_pack("[s,s]", p->end[e].node->name, p->end[e].port->aid)
                          : json_pack("[s,s]", p->end[e].box->name, p->end[e].line);
        (void)json_array_append_new(rows, json_pack("{s:s,s:o,s:o,s:i,s:b,s:b}", "id", p->id, "a",
                                                    ends[0], "b", ends[1], "loss_cdb", p->loss_cdb,
                                                    "cut", p->cut, "patch", 1));
    }
    return rows;
}
