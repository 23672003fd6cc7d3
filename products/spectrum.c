/* One optical_spectrum block as intents for the elements at the ends of its sections. */
#include "products/spectrum.h"

#include <stdio.h>
#include <string.h>

#include "clients/driver.h"
#include "model/products_gen.h"
#include "optical/sections.h"

static const char *
name_of(const json_t *spectrum)
{
    return lp_json_str(spectrum, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, "the spectrum");
}

/* ---- ports ---- */

struct place {
    const char *id;     /* of the port's block */
    const char *port;   /* name */
    const char *device; /* subscription id */
    const json_t *root; /* of the device */
    const char *node;   /* name on the wire */
};

static enum lp_code
find_place(const json_t *closure, const json_t *spectrum, const json_t *id, struct place *out,
           struct lp_err *err)
{
    const json_t *port = lp_closure_block(closure, json_string_value(id));

    *out = (struct place){.id = json_string_value(id)};
    out->device = lp_closure_owner(closure, out->id);
    out->root = json_object_get(lp_closure_subscription(closure, out->device), "root");
    out->port = lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, NULL);
    out->node = lp_json_str(out->root, LP_F_OPTICAL_DEVICE_NODE_NAME, NULL);
    if (out->port == NULL || out->node == NULL)
        return lp_fail(err, LP_INVALID, "%.64s: port %.64s of its route is not there",
                       name_of(spectrum), out->id == NULL ? "none" : out->id);
    return LP_OK;
}

static bool
can(const struct place *at, enum lp_cap cap)
{
    const struct lp_driver *driver =
        lp_product_driver(lp_json_str(at->root, LP_F_OPTICAL_DEVICE_PLATFORM, ""));

    return driver != NULL && lp_driver_can(driver, cap);
}

/* ---- the route of a circuit: pairs of ROADM line ports, amplifiers left out ---- */

enum { PORTS_MOST = 128 /* of a section's path, as the catalog says */ };

static enum lp_node_role
role_of(const struct place *at)
{
    const char *type = lp_json_str(at->root, LP_F_OPTICAL_DEVICE_DEVICE_TYPE, "");

    if (strcmp(type, "Amplifier") == 0)
        return LP_NODE_AMPLIFIER;
    return strcmp(type, "ROADM") == 0 || strcmp(type, "Transponder+OADM") == 0
               ? LP_NODE_ROADM
               : LP_NODE_TRANSPONDER;
}

static enum lp_code
path_of(const json_t *closure, const json_t *spectrum, const json_t *path,
        struct lp_route_port ports[static PORTS_MOST], size_t *count, struct lp_err *err)
{
    json_t *id;
    size_t i;

    *count = 0;
    json_array_foreach(path, i, id)
    {
        struct place at;
        enum lp_code rc = find_place(closure, spectrum, id, &at, err);

        if (rc == LP_OK && i == PORTS_MOST)
            rc = lp_fail(err, LP_INVALID, "its path has too many ports");
        if (rc != LP_OK)
            return rc;
        ports[(*count)++] = (struct lp_route_port){
            .port = at.port, .node = at.node, .site = "", .domain = "", .role = role_of(&at)};
    }
    return LP_OK;
}

static json_t *
hop(const struct lp_route_port *at)
{
    return json_pack("{s:s, s:s}", "node", at->node, "port", at->port);
}

static enum lp_code
route_of(const json_t *closure, const json_t *spectrum, const json_t *path, json_t **out,
         struct lp_err *err)
{
    struct lp_route_port ports[PORTS_MOST];
    struct lp_oms oms[PORTS_MOST / 2];
    size_t count, found = 0;
    enum lp_code rc = path_of(closure, spectrum, path, ports, &count, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_route_oms(ports, count, oms, LP_COUNT(oms), &found, err);
    if (rc != LP_OK)
        return lp_err_prefix(err, "%.64s: ", name_of(spectrum));
    *out = json_array();
    for (size_t i = 0; i < found; i++)
        if (json_array_append_new(*out, hop(&ports[oms[i].egress])) != 0
            || json_array_append_new(*out, hop(&ports[oms[i].ingress])) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for a route");
    return LP_OK;
}

/* ---- intents ---- */

/* What circuits, shutters and cross-connects of one block have in common. Ends in the id: they are
 * known by block, leg and ends, so that a circuit that moves in place stays the same one. */
static json_t *
signal_intent(const json_t *spectrum, const char *kind, const char *where)
{
    const char *circuit = lp_json_str(spectrum, LP_F_OPTICAL_SPECTRUM_CIRCUIT_NAME, "");

    return json_pack(
        "{s:o, s:s, s:b, s:s, s:O, s:O}", "id",
        json_sprintf("%s:%s/%lld:%s", kind, lp_json_str(spectrum, "subscription_instance_id", ""),
                     (long long)lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_LEG, 0), where),
        "kind", kind, "present", 1, strcmp(kind, "shutter") == 0 ? "circuit" : "name", circuit,
        "low_mhz", json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_LOW_MHZ), "high_mhz",
        json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ));
}

/* The carriers as stored, or one that fills the passband. */
static json_t *
carriers_of(const json_t *spectrum)
{
    const json_t *stored = json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_CARRIERS);
    json_int_t low = lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0);
    json_int_t high = lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0);

    if (json_array_size(stored) > 0)
        return json_deep_copy(stored);
    return json_pack("[{s:I, s:I}]", "center_mhz", low + (high - low) / 2, "width_mhz", high - low);
}

struct section {
    const json_t *closure, *spectrum, *doc;
    const char *label;
    struct place a, z;
    json_t *out;
};

static enum lp_code
desire(const struct section *s, const char *device, json_t *intent, struct lp_err *err)
{
    if (intent == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for an intent");
    return lp_desire(s->out, device, intent, err);
}

static enum lp_code
desire_circuit(const struct section *s, struct lp_err *err)
{
    char where[256];
    json_t *intent, *route = NULL;
    enum lp_code rc =
        route_of(s->closure, s->spectrum,
                 json_object_get(s->doc, LP_F_OPTICAL_SPECTRUM_SECTION_PATH_PORTS), &route, err);

    if (rc != LP_OK)
        return rc;
    (void)snprintf(where, sizeof where, "%s-%s:%s", s->a.port, s->z.node, s->z.port);
    intent = signal_intent(s->spectrum, "circuit", where);
    if (json_object_update_new(
            intent,
            json_pack("{s:s*, s:s, s:{s:s}, s:{s:s, s:s}, s:o, s:o}", "was",
                      lp_json_str(s->spectrum, LP_F_OPTICAL_SPECTRUM_FORMER_CIRCUIT, NULL), "label",
                      s->label, "a", "port", s->a.port, "z", "node", s->z.node, "port", s->z.port,
                      "route", route, "carriers", carriers_of(s->spectrum)))
        != 0) {
        json_decref(intent);
        return lp_fail(err, LP_NOMEM, "no memory for an intent");
    }
    return desire(s, s->a.device, intent, err);
}

static enum lp_code
desire_shutter(const struct section *s, const struct place *at, struct lp_err *err)
{
    json_t *intent = signal_intent(s->spectrum, "shutter", at->port);

    if (json_object_update_new(intent, json_pack("{s:s, s:b}", "port", at->port, "open", 1)) != 0) {
        json_decref(intent);
        return lp_fail(err, LP_NOMEM, "no memory for an intent");
    }
    return desire(s, at->device, intent, err);
}

static enum lp_code
desire_cross(const struct section *s, struct lp_err *err)
{
    char where[160];
    json_t *intent;

    if (!can(&s->a, LP_CAP_OPTICAL_XC))
        return lp_fail(err, LP_UNSUPPORTED,
                       "%.64s: %s cannot connect its ports %s and %s with each other",
                       name_of(s->spectrum), s->a.node, s->a.port, s->z.port);
    (void)snprintf(where, sizeof where, "%s,%s", s->a.port, s->z.port);
    intent = signal_intent(s->spectrum, "cross-connect", where);
    if (json_object_update_new(intent,
                               json_pack("{s:s, s:s, s:s, s:o}", "from", s->a.port, "to", s->z.port,
                                         "label", s->label, "carriers", carriers_of(s->spectrum)))
        != 0) {
        json_decref(intent);
        return lp_fail(err, LP_NOMEM, "no memory for an intent");
    }
    return desire(s, s->a.device, intent, err);
}

static enum lp_code
desire_section(struct section *s, struct lp_err *err)
{
    const json_t *ends = json_object_get(s->doc, LP_F_OPTICAL_SPECTRUM_SECTION_ADD_DROP_PORTS);
    const json_t *path = json_object_get(s->doc, LP_F_OPTICAL_SPECTRUM_SECTION_PATH_PORTS);
    enum lp_code rc = find_place(s->closure, s->spectrum, json_array_get(ends, 0), &s->a, err);

    if (rc == LP_OK)
        rc = find_place(s->closure, s->spectrum, json_array_get(ends, 1), &s->z, err);
    if (rc != LP_OK)
        return rc;
    if (!can(&s->a, LP_CAP_SIGNALLED_CIRCUIT) && !can(&s->a, LP_CAP_OPTICAL_XC))
        return LP_OK; /* fixed optics: there is nothing to configure */
    if (json_array_size(path) == 0 && strcmp(s->a.device, s->z.device) == 0)
        return desire_cross(s, err);
    rc = desire_circuit(s, err);
    if (rc == LP_OK)
        rc = desire_shutter(s, &s->a, err);
    if (rc == LP_OK)
        rc = desire_shutter(s, &s->z, err);
    return rc;
}

enum lp_code
lp_spectrum_desire(const json_t *closure, const json_t *spectrum, const char *label, json_t *out,
                   struct lp_err *err)
{
    struct section section = {.closure = closure, .spectrum = spectrum, .label = label, .out = out};
    const json_t *list = json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_SECTIONS);
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < json_array_size(list) && rc == LP_OK; i++) {
        section.doc = json_array_get(list, i);
        rc = desire_section(&section, err);
    }
    return rc;
}

/* ---- derived members ---- */

static enum lp_code
derive_circuit(json_t *spectrum, struct lp_err *err)
{
    const char *name = lp_json_str(spectrum, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, NULL);
    const char *was = lp_json_str(spectrum, LP_F_OPTICAL_SPECTRUM_CIRCUIT_NAME, NULL);
    char text[128];

    if (name == NULL)
        return LP_OK;
    (void)snprintf(text, sizeof text, "%s%s", name,
                   lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_LEG, 0) == 0 ? "" : ".2");
    for (char *c = text; *c != '\0'; c++)
        if (*c == ' ')
            *c = '_';
    if (was != NULL && strcmp(was, text) != 0
        && lp_json_set_str(spectrum, LP_F_OPTICAL_SPECTRUM_FORMER_CIRCUIT, was) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for a circuit's name");
    if (lp_json_set_str(spectrum, LP_F_OPTICAL_SPECTRUM_CIRCUIT_NAME, text) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for a circuit's name");
    return LP_OK;
}

struct cutter {
    const json_t *closure, *spectrum;
    json_t *sections;
    json_t *ends, *path; /* of the section that is open; NULL */
    struct place first;
};

static bool
same_platform(const struct place *a, const struct place *b)
{
    return strcmp(lp_json_str(a->root, LP_F_OPTICAL_DEVICE_PLATFORM, ""),
                  lp_json_str(b->root, LP_F_OPTICAL_DEVICE_PLATFORM, ""))
           == 0;
}

static void
open_section(struct cutter *cut, const struct place *at, const json_t *id)
{
    json_t *section = json_pack("{s:[O], s:[]}", LP_F_OPTICAL_SPECTRUM_SECTION_ADD_DROP_PORTS, id,
                                LP_F_OPTICAL_SPECTRUM_SECTION_PATH_PORTS);

    cut->first = *at;
    cut->ends = json_object_get(section, LP_F_OPTICAL_SPECTRUM_SECTION_ADD_DROP_PORTS);
    cut->path = json_object_get(section, LP_F_OPTICAL_SPECTRUM_SECTION_PATH_PORTS);
    json_array_append_new(cut->sections, section);
}

/* An empty list is the same as none, and is stored as none. */
static void
close_section(struct cutter *cut)
{
    json_t *section = json_array_get(cut->sections, json_array_size(cut->sections) - 1);

    if (json_array_size(cut->path) == 0)
        json_object_del(section, LP_F_OPTICAL_SPECTRUM_SECTION_PATH_PORTS);
    cut->ends = cut->path = NULL;
}

/* Sections reach from one add/drop port to the next; everything between is a line port, and all of
 * it belongs to one platform. */
static enum lp_code
cut_at(struct cutter *cut, json_t *id, struct lp_err *err)
{
    struct place at;
    const char *role;
    enum lp_code rc = find_place(cut->closure, cut->spectrum, id, &at, err);

    if (rc != LP_OK)
        return rc;
    role = lp_json_str(lp_closure_block(cut->closure, at.id), LP_F_OPTICAL_DEVICE_PORT_ROLE, "");
    if (cut->ends == NULL && strcmp(role, "ols-add-drop") != 0)
        return lp_fail(err, LP_INVALID,
                       "%.64s: its route enters %s at %s, which is no add/drop port",
                       name_of(cut->spectrum), at.node, at.port);
    if (cut->ends == NULL) {
        open_section(cut, &at, id);
        return LP_OK;
    }
    if (!same_platform(&cut->first, &at))
        return lp_fail(err, LP_INVALID,
                       "%.64s: its route goes from %s to %s (%s) without leaving the line system",
                       name_of(cut->spectrum), cut->first.node, at.node, at.port);
    if (strcmp(role, "ols-line") == 0)
        return json_array_append(cut->path, id) == 0 ? LP_OK : lp_fail(err, LP_NOMEM, "no memory");
    if (strcmp(role, "ols-add-drop") != 0)
        return lp_fail(err, LP_INVALID, "%.64s: port %s of %s (%s) cannot be part of a route",
                       name_of(cut->spectrum), at.port, at.node, role);
    json_array_append(cut->ends, id);
    close_section(cut);
    return LP_OK;
}

/* Sections that stay the same keep their blocks. */
static void
keep_ids(const json_t *spectrum, json_t *sections)
{
    static const char *const members[] = {LP_F_OPTICAL_SPECTRUM_SECTION_ADD_DROP_PORTS,
                                          LP_F_OPTICAL_SPECTRUM_SECTION_PATH_PORTS};
    const json_t *old = json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_SECTIONS);
    json_t *section;
    size_t i;

    json_array_foreach(sections, i, section)
    {
        json_t *before = json_array_get(old, i);

        if (before == NULL)
            continue;
        before = json_copy(before);
        for (size_t k = 0; k < LP_COUNT(members); k++) {
            json_object_del(before, members[k]);
            if (json_object_get(section, members[k]) != NULL)
                json_object_set(before, members[k], json_object_get(section, members[k]));
        }
        json_array_set_new(sections, i, before);
    }
}

static enum lp_code
derive_sections(const json_t *closure, json_t *spectrum, struct lp_err *err)
{
    json_auto_t *sections = json_array();
    struct cutter cut = {.closure = closure, .spectrum = spectrum, .sections = sections};
    json_t *id;
    size_t i;
    enum lp_code rc = LP_OK;

    json_array_foreach(json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS), i, id)
    {
        if (lp_closure_block(closure, json_string_value(id)) == NULL)
            return LP_OK; /* the check of references says so */
        rc = cut_at(&cut, id, err);
        if (rc != LP_OK)
            return rc;
    }
    if (cut.ends != NULL)
        return lp_fail(err, LP_INVALID, "%.64s: its route does not end at an add/drop port",
                       name_of(spectrum));
    keep_ids(spectrum, sections);
    return json_object_set(spectrum, LP_F_OPTICAL_SPECTRUM_SECTIONS, sections) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for sections");
}

enum lp_code
lp_spectrum_derive(const json_t *closure, json_t *spectrum, struct lp_err *err)
{
    enum lp_code rc = derive_circuit(spectrum, err);

    return rc == LP_OK ? derive_sections(closure, spectrum, err) : rc;
}

/* ---- rules ---- */

const char *
lp_spectrum_label(const struct lp_conf *conf)
{
    return lp_conf_live_text(&conf->naming_spectrum_label);
}

static void
check_carrier(const json_t *spectrum, const json_t *carrier, size_t index,
              struct lp_problems *problems)
{
    int64_t low = lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0);
    int64_t high = lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0);
    int64_t center = lp_json_int(carrier, LP_F_OPTICAL_SPECTRUM_CARRIERS_CENTER_MHZ, 0);
    int64_t width = lp_json_int(carrier, LP_F_OPTICAL_SPECTRUM_CARRIERS_WIDTH_MHZ, 0);
    json_auto_t *loc = json_pack("[s, i]", LP_F_OPTICAL_SPECTRUM_CARRIERS, (int)index);

    if (2 * center - width < 2 * low || 2 * center + width > 2 * high)
        lp_problem_add(problems, "value_error", loc, carrier, NULL,
                       "signal %lld MHz around %lld MHz does not fit slot %lld MHz (OPT-024)",
                       (long long)width, (long long)center, (long long)(high - low));
}

void
lp_spectrum_check(const struct lp_conf *conf, const json_t *spectrum, struct lp_problems *problems)
{
    const json_t *carrier;
    size_t i;

    (void)conf;
    json_array_foreach(json_object_get(spectrum, LP_F_OPTICAL_SPECTRUM_CARRIERS), i, carrier)
        check_carrier(spectrum, carrier, i, problems);
}

bool
lp_spectrum_side_by_side(const json_t *before, const json_t *after, const char **why)
{
    int64_t a_low = lp_json_int(before, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0);
    int64_t a_high = lp_json_int(before, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0);
    int64_t b_low = lp_json_int(after, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0);
    int64_t b_high = lp_json_int(after, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0);

    if (a_low >= b_high || b_low >= a_high)
        return true;
    *why = "both circuits would enter at the same add/drop ports, where their passbands overlap";
    return false;
}
