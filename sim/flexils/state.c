/* The canonical state of elements: what a crash, a fault or a retry must not have changed. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "sim/flexils/net.h"
#include "sim/rest/box.h"

static const char *const admin_names[] = {
    [SIM_IS] = "IS", [SIM_OOS] = "OOS", [SIM_MT] = "MT", [SIM_AINS] = "AINS"};

static json_t *
text_json(const char *text)
{
    /* labels are bytes; what is no UTF-8 is told apart by its hash */
    char hash[65];

    if (lp_utf8_valid(text, strlen(text)))
        return json_string(text);
    lp_sha256_hex(text, strlen(text), hash);
    return json_string(hash);
}

static json_t *
obj_json(const struct sim_obj *obj)
{
    json_t *out = json_pack("{s:s}", "state", admin_names[obj->admin]);
    size_t i;

    for (i = 0; out != NULL && i < obj->value_count; i++)
        if (json_object_set_new(out, obj->values[i].attr->name, text_json(obj->values[i].text))
            != 0) {
            json_decref(out);
            return NULL;
        }
    return out;
}

static json_t *
node_json(const struct sim_node *node)
{
    json_t *out = json_object();
    size_t c, i;

    for (c = 0; out != NULL && c < SIM_STORED; c++) {
        json_t *list = json_object();

        for (i = 0; i < node->objs[c].count; i++) {
            const struct sim_obj *obj = node->objs[c].at[i];

            if (obj->gone_us == 0)
                (void)json_object_set_new(list, obj->aid, obj_json(obj)); /* AIDs are ASCII */
        }
        if (json_object_size(list) == 0)
            json_decref(list);
        else
            (void)json_object_set_new(out, sim_class_names[c], list);
    }
    return out;
}

json_t *
sim_state_json(const struct sim_net *net, const struct sim_node *node)
{
    json_t *out;
    size_t i;

    if (node != NULL)
        return node_json(node);
    out = json_object();
    for (i = 0; out != NULL && i < net->node_count; i++)
        (void)json_object_set_new(out, net->nodes[i].name, node_json(&net->nodes[i]));
    for (i = 0; out != NULL && i < net->box_count; i++)
        (void)json_object_set_new(out, net->boxes[i].name, sim_box_state(&net->boxes[i]));
    return out;
}

bool
sim_state_hash(const struct sim_net *net, const struct sim_node *node, char out[static 65])
{
    struct lp_err err = LP_ERR_INIT;
    json_t *state = sim_state_json(net, node);
    char *text = NULL;
    size_t len = 0;
    bool ok = state != NULL && lp_json_canonical(state, &text, &len, &err) == LP_OK;

    if (ok)
        lp_sha256_hex(text, len, out);
    free(text);
    json_decref(state);
    lp_err_clear(&err);
    return ok;
}
