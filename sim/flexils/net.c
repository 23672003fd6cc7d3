#include "sim/flexils/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "sim/rest/box.h"

const char *const sim_class_names[SIM_CLASS_COUNT] = {
    [SIM_EQPT] = "EQPT",       [SIM_OTS] = "OTS",           [SIM_SCG] = "SCG",
    [SIM_SCH] = "SCH",         [SIM_OCRS] = "OCRS",         [SIM_OSNC] = "OSNC",
    [SIM_OEL] = "OEL",         [SIM_RFILE] = "RFILE",       [SIM_FXFR] = "FXFR",
    [SIM_OTEINTF] = "OTEINTF", [SIM_OTELINK] = "OTELINK",   [SIM_TEINTF] = "TEINTF",
    [SIM_TELINK] = "TELINK",   [SIM_TOPONODE] = "TOPONODE", [SIM_CTRLLINK] = "CTRLLINK",
    [SIM_TIDMAP] = "TIDMAP",   [SIM_SYS] = "SYS",
};

#define F_ED    SIM_F_ED
#define F_ENT   SIM_F_ENT
#define F_REQ   SIM_F_REQ
#define F_SHOW  SIM_F_SHOW
#define F_QUOTE SIM_F_QUOTE
#define F_PAST  SIM_F_PAST
#define F_OOS   SIM_F_OOS
#define F_MT    SIM_F_MT
#define F_LAB   SIM_F_LAB
#define F_OWN   SIM_F_OWN
const struct sim_attr sim_attrs[] = {
#define SIM_ATTR(c, attr_name, kind, words, lowest, highest, unset, bits)                          \
    {.name = (attr_name),                                                                          \
     .values = (words),                                                                            \
     .fallback = (unset),                                                                          \
     .low = (lowest),                                                                              \
     .high = (highest),                                                                            \
     .flags = (bits),                                                                              \
     .cls = SIM_##c,                                                                               \
     .type = SIM_##kind},
#include "sim/flexils/attrs.def"
};
const size_t sim_attr_count = LP_COUNT(sim_attrs);

enum sim_class
sim_class_find(const char *name)
{
    int i;

    for (i = 0; i < SIM_CLASS_COUNT; i++)
        if (strcmp(sim_class_names[i], name) == 0)
            break;
    return (enum sim_class)i;
}

const struct sim_attr *
sim_attr_first(enum sim_class cls, size_t *count)
{
    size_t i, n = 0;

    for (i = 0; i < sim_attr_count && sim_attrs[i].cls != cls; i++)
        continue;
    while (i + n < sim_attr_count && sim_attrs[i + n].cls == cls)
        n++;
    *count = n;
    return n == 0 ? NULL : &sim_attrs[i];
}

const struct sim_attr *
sim_attr_find(enum sim_class cls, const char *name)
{
    size_t count, i;
    const struct sim_attr *first = sim_attr_first(cls, &count);

    for (i = 0; i < count; i++)
        if (strcasecmp(first[i].name, name) == 0)
            return &first[i];
    return NULL;
}

/* ---- elements ---- */

struct sim_node *
sim_node_find(struct sim_net *net, const char *name)
{
    size_t low = 0, high = net->node_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, net->nodes[middle].name);

        if (order == 0)
            return &net->nodes[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- objects ---- */

/* Index of the AID, or of the place where it belongs. */
static size_t
list_place(const struct sim_list *list, const char *aid, bool *found)
{
    size_t low = 0, high = list->count;

    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strverscmp(aid, list->at[middle]->aid);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct sim_obj *
sim_obj_find(const struct sim_node *node, enum sim_class cls, const char *aid)
{
    bool found;
    size_t at = list_place(&node->objs[cls], aid, &found);

    return found ? node->objs[cls].at[at] : NULL;
}

bool
sim_obj_visible(const struct sim_net *net, const struct sim_obj *obj)
{
    return obj->visible_us <= net->now_us && (obj->gone_us == 0 || obj->gone_us > net->now_us);
}

struct sim_obj *
sim_obj_seen(const struct sim_net *net, const struct sim_node *node, enum sim_class cls,
             const char *aid)
{
    struct sim_obj *obj = sim_obj_find(node, cls, aid);

    return obj != NULL && sim_obj_visible(net, obj) ? obj : NULL;
}

static void
obj_free(struct sim_obj *obj)
{
    size_t i;

    for (i = 0; i < obj->value_count; i++)
        free(obj->values[i].text);
    free(obj->values);
    free(obj->word);
    free(obj->aid);
    free(obj);
}

static bool
list_insert(struct sim_list *list, size_t at, struct sim_obj *obj)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 4 : list->cap * 2;
        struct sim_obj **grown = reallocarray(list->at, cap, sizeof(struct sim_obj *));

        if (grown == NULL)
            return false;
        list->at = grown;
        list->cap = cap;
    }
    memmove(list->at + at + 1, list->at + at, (list->count - at) * sizeof(struct sim_obj *));
    list->at[at] = obj;
    list->count++;
    return true;
}

struct sim_obj *
sim_obj_add(struct sim_node *node, enum sim_class cls, const char *aid)
{
    bool found;
    size_t at = list_place(&node->objs[cls], aid, &found);
    struct sim_obj *obj = found ? NULL : calloc(1, sizeof *obj);

    if (obj == NULL)
        return NULL;
    obj->cls = (uint8_t)cls;
    obj->aid = strdup(aid);
    if (obj->aid == NULL || !list_insert(&node->objs[cls], at, obj)) {
        obj_free(obj);
        return NULL;
    }
    return obj;
}

void
sim_obj_remove(struct sim_node *node, struct sim_obj *obj)
{
    struct sim_list *list = &node->objs[obj->cls];
    bool found;
    size_t at = list_place(list, obj->aid, &found);

    if (!found)
        return;
    list->count--;
    memmove(list->at + at, list->at + at + 1, (list->count - at) * sizeof(struct sim_obj *));
    obj_free(obj);
}

void
sim_node_reap(struct sim_net *net, struct sim_node *node)
{
    static const enum sim_class passing[] = {SIM_SCH, SIM_OCRS};
    size_t c, i;

    for (c = 0; c < LP_COUNT(passing); c++) {
        struct sim_list *list = &node->objs[passing[c]];

        for (i = list->count; i > 0; i--) {
            struct sim_obj *obj = list->at[i - 1];

            if (obj->gone_us != 0 && obj->gone_us <= net->now_us)
                sim_obj_remove(node, obj);
        }
    }
}

static struct sim_value *
value_of(const struct sim_obj *obj, const struct sim_attr *attr)
{
    size_t i;

    for (i = 0; i < obj->value_count; i++)
        if (obj->values[i].attr == attr)
            return &obj->values[i];
    return NULL;
}

const char *
sim_obj_get(const struct sim_obj *obj, const char *name)
{
    const struct sim_attr *attr = sim_attr_find((enum sim_class)obj->cls, name);
    const struct sim_value *value = attr == NULL ? NULL : value_of(obj, attr);

    if (value != NULL)
        return value->text;
    return attr == NULL ? "" : attr->fallback;
}

bool
sim_obj_put(struct sim_obj *obj, const struct sim_attr *attr, const char *text)
{
    struct sim_value *value = value_of(obj, attr), *grown;
    char *copy;

    if (text == NULL || strcmp(text, attr->fallback) == 0) { /* the default takes no memory */
        if (value != NULL) {
            free(value->text);
            *value = obj->values[--obj->value_count];
        }
        return true;
    }
    copy = strdup(text);
    if (copy == NULL)
        return false;
    if (value != NULL) {
        free(value->text);
        value->text = copy;
        return true;
    }
    grown = reallocarray(obj->values, obj->value_count + 1, sizeof *grown);
    if (grown == NULL) {
        free(copy);
        return false;
    }
    obj->values = grown;
    obj->values[obj->value_count].attr = attr;
    obj->values[obj->value_count++].text = copy;
    return true;
}

bool
sim_obj_set(struct sim_obj *obj, const char *name, const char *text)
{
    const struct sim_attr *attr = sim_attr_find((enum sim_class)obj->cls, name);

    return attr != NULL && sim_obj_put(obj, attr, text);
}

const char *
sim_obj_state(const struct sim_obj *obj)
{
    static const char *const words[][2] = {
        [SIM_IS] = {"IS-NR", "OOS-AU"},
        [SIM_OOS] = {"OOS-MA", "OOS-AUMA"},
        [SIM_MT] = {"OOS-MA,MT", "OOS-AUMA,MT"},
        [SIM_AINS] = {"OOS-AU,AINS", "OOS-AU,AINS"},
    };

    return words[obj->admin][obj->fault ? 1 : 0];
}

const char *
sim_card_type(const struct sim_node *node, const char *port)
{
    const char *end = strrchr(port, '-');
    char card[64];
    const struct sim_obj *obj;

    if (end == NULL || (size_t)(end - port) >= sizeof card)
        return "";
    snprintf(card, sizeof card, "%.*s", (int)(end - port), port);
    obj = sim_obj_find(node, SIM_EQPT, card);
    return obj == NULL || obj->word == NULL ? "" : obj->word;
}

bool
sim_sch_port(const char *aid, char *buf, size_t size)
{
    const char *end = strrchr(aid, '-');
    char *rest;
    unsigned long index;

    if (end == NULL || end == aid || end[1] < '1' || end[1] > '9' || (size_t)(end - aid) >= size)
        return false;
    index = strtoul(end + 1, &rest, 10);
    if (*rest != '\0' || index > SIM_SCH_MAX)
        return false;
    snprintf(buf, size, "%.*s", (int)(end - aid), aid);
    return true;
}

/* ---- copies ---- */

static void
lists_free(struct sim_node *node)
{
    size_t c, i;

    for (c = 0; c < SIM_STORED; c++) {
        for (i = 0; i < node->objs[c].count; i++)
            obj_free(node->objs[c].at[i]);
        free(node->objs[c].at);
        node->objs[c] = (struct sim_list){.at = NULL};
    }
}

static bool
obj_copy(struct sim_node *to, const struct sim_obj *obj)
{
    struct sim_obj *copy = sim_obj_add(to, (enum sim_class)obj->cls, obj->aid);
    size_t i;

    if (copy == NULL)
        return false;
    copy->circuit = obj->circuit;
    copy->visible_us = obj->visible_us;
    copy->gone_us = obj->gone_us;
    copy->light_cdbm = obj->light_cdbm;
    copy->offset_cdb = obj->offset_cdb;
    copy->lit = obj->lit;
    copy->admin = obj->admin;
    copy->fault = obj->fault;
    copy->span = obj->span;
    copy->link = obj->link;
    if (obj->word != NULL && (copy->word = strdup(obj->word)) == NULL)
        return false;
    for (i = 0; i < obj->value_count; i++)
        if (!sim_obj_put(copy, obj->values[i].attr, obj->values[i].text))
            return false;
    return true;
}

struct sim_node *
sim_node_copy(const struct sim_node *node)
{
    struct sim_node *copy = calloc(1, sizeof *copy);
    size_t c, i;

    if (copy == NULL)
        return NULL;
    for (c = 0; c < SIM_STORED; c++)
        for (i = 0; i < node->objs[c].count; i++)
            if (!obj_copy(copy, node->objs[c].at[i])) {
                sim_node_copy_free(copy);
                return NULL;
            }
    copy->name = node->name; /* what follows is borrowed: a copy is read while its element lives */
    copy->kind = node->kind;
    copy->serial = node->serial;
    copy->release = node->release;
    copy->router_id = node->router_id;
    copy->area = node->area;
    copy->roadm = node->roadm;
    copy->links = node->links;
    copy->link_count = node->link_count;
    copy->clock_shift_us = node->clock_shift_us;
    copy->index = node->index;
    return copy;
}

void
sim_node_copy_free(struct sim_node *copy)
{
    if (copy == NULL)
        return;
    lists_free(copy);
    free(copy);
}

/* ---- the whole ---- */

static void
node_clear(struct sim_node *node)
{
    lists_free(node);
    sim_alarms_free(node);
    sim_node_copy_free(node->before);
    free(node->seats);
    free(node->links);
    free(node->answers_as);
    free(node->name);
    free(node->kind);
    free(node->serial);
    free(node->release);
    free(node->router_id);
    free(node->area);
    free(node->address);
}

void
sim_net_free(struct sim_net *net)
{
    size_t i;

    if (net == NULL)
        return;
    for (i = 0; i < net->node_count; i++)
        node_clear(&net->nodes[i]);
    free(net->nodes);
    for (i = 0; i < net->span_count; i++)
        free(net->spans[i].id);
    free(net->spans);
    for (i = 0; i < net->link_count; i++) {
        free(net->links[i].spans);
        free(net->links[i].claims);
    }
    free(net->links);
    sim_boxes_free(net);
    for (i = 0; i < net->user_count; i++) {
        free(net->users[i].name);
        free(net->users[i].password);
    }
    free(net->users);
    for (i = 0; i < net->setup_count; i++)
        free(net->setup[i]);
    free(net->setup);
    free(net->options.prompt);
    json_decref(net->topology);
    free(net);
}

/* ---- numbers and time ---- */

static uint64_t
mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t
sim_hash(uint64_t seed, const char *a, const char *b, uint64_t n)
{
    uint64_t h = mix(seed);

    for (; *a != '\0'; a++)
        h = mix(h ^ (uint8_t)*a);
    h = mix(h ^ 0x100);
    for (; *b != '\0'; b++)
        h = mix(h ^ (uint8_t)*b);
    return mix(h ^ n);
}

uint64_t
sim_random(struct sim_net *net)
{
    net->random += 0x9e3779b97f4a7c15u;
    return mix(net->random);
}

void
sim_clock(const struct sim_net *net, const struct sim_node *node, struct tm *out)
{
    int64_t us = net->options.fixed_clock_us != 0 ? net->options.fixed_clock_us : net->utc_us;
    time_t seconds = (time_t)((us + node->clock_shift_us) / 1000000);

    if (gmtime_r(&seconds, out) == NULL)
        *out = (struct tm){.tm_year = 100, .tm_mday = 1};
}
