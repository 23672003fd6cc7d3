/* Optical Fiber: two ports and the glass between them. */
#include <assert.h>
#include <string.h>

#include "clients/driver.h"
#include "model/products_gen.h"
#include "optical/band.h"
#include "optical/budget.h"
#include "products/ends.h"
#include "products/naming.h"
#include "products/product.h"

#define SEGMENTS_MOST 16

static char *
fiber_describe(const json_t *root)
{
    return strdup(lp_json_str(root, LP_F_OPTICAL_FIBER_FIBER_NAME, "unnamed fiber"));
}

/* ---- the two ends ---- */

static bool
find_end(const json_t *closure, const json_t *root, size_t which, struct lp_end *end)
{
    const json_t *ends = json_object_get(root, LP_F_OPTICAL_FIBER_TERMINATIONS);

    return lp_end_find(closure, json_string_value(json_array_get(ends, which)), end);
}

/* {first.fqdn} {first.node} {first.port} {first.pop}, the same of the second, and {fiber}. */
struct names {
    const char *prefix[2]; /* "a." and "z.", or "local." and "remote." */
    struct lp_end end[2];
    const char *fiber;
};

static const char *
name_value(const void *ctx, const char *placeholder)
{
    const struct names *names = ctx;

    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(names->prefix[i]);
        if (strncmp(placeholder, names->prefix[i], len) == 0)
            return lp_end_value(&names->end[i], placeholder + len);
    }
    return strcmp(placeholder, "fiber") == 0 ? names->fiber : NULL;
}

static enum lp_code
expand(const char *key, const char *template, const struct names *names, struct lp_buf *out,
       struct lp_err *err)
{
    enum lp_code rc = lp_naming_expand(template, name_value, names, out, err);

    if (rc == LP_INVALID)
        lp_err_prefix(err, "configuration key naming.%s: ", key);
    return rc;
}

/* ---- derived members ---- */

static enum lp_code
derive_name(const struct lp_conf *conf, const json_t *closure, json_t *root, struct lp_err *err)
{
    struct names names = {.prefix = {"a.", "z."}};
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc;

    if (!find_end(closure, root, 0, &names.end[0]) || !find_end(closure, root, 1, &names.end[1]))
        return LP_OK;
    rc = expand("fiber", lp_conf_live_text(&conf->naming_fiber), &names, &text, err);
    if (rc == LP_OK
        && json_object_set_new(root, LP_F_OPTICAL_FIBER_FIBER_NAME,
                               json_stringn(text.data == NULL ? "" : text.data, text.len))
               != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for a fiber's name");
    lp_buf_free(&text);
    return rc;
}

static struct lp_budget_rules
rules_of(const struct lp_conf *conf)
{
    return (struct lp_budget_rules){
        .splice_cdb = (unsigned)lp_conf_live_int(&conf->fiber_splice_cdb),
        .connector_cdb = (unsigned)lp_conf_live_int(&conf->fiber_connector_cdb),
        .connectors = (unsigned)lp_conf_live_int(&conf->fiber_connectors),
        .drum_m = (unsigned)lp_conf_live_int(&conf->fiber_drum_m),
        .repair_cdb = (unsigned)lp_conf_live_int(&conf->fiber_repair_cdb),
        .ageing_cdb = (unsigned)lp_conf_live_int(&conf->fiber_ageing_cdb),
    };
}

static bool
is_leased(const json_t *root)
{
    return strcmp(lp_json_str(root, LP_F_OPTICAL_FIBER_KIND, "span"), "leased") == 0;
}

/* False when a segment cannot be read: the catalog's own check says why. */
static bool
compute(const struct lp_conf *conf, const json_t *root, struct lp_budget *out)
{
    const struct lp_budget_rules rules = rules_of(conf);
    const json_t *list = json_object_get(root, LP_F_OPTICAL_FIBER_SEGMENTS), *item;
    struct lp_segment segments[SEGMENTS_MOST];
    struct lp_span span = {.segments = segments};
    size_t i;

    if (json_array_size(list) == 0 || json_array_size(list) > SEGMENTS_MOST)
        return false;
    json_array_foreach(list, i, item)
    {
        struct lp_segment *segment = &segments[span.count++];
        int64_t length = lp_json_int(item, LP_F_OPTICAL_FIBER_SEGMENTS_LENGTH_M, 0);
        segment->type =
            lp_fiber_type_of(lp_json_str(item, LP_F_OPTICAL_FIBER_SEGMENTS_FIBER_TYPE, ""));
        if (segment->type == NULL || length < 1 || length > 200000)
            return false;
        segment->length_m = (uint32_t)length;
        segment->attenuation_cdb_km =
            (unsigned)lp_json_int(item, LP_F_OPTICAL_FIBER_SEGMENTS_ATTENUATION_CDB_KM, 0);
        segment->splices = (int)lp_json_int(item, LP_F_OPTICAL_FIBER_SEGMENTS_SPLICES, -1);
    }
    span.connectors = (int)lp_json_int(root, LP_F_OPTICAL_FIBER_CONNECTORS, -1);
    span.fixed_cdb = (unsigned)lp_json_int(root, LP_F_OPTICAL_FIBER_FIXED_ATTENUATION_CDB, 0);
    lp_budget_compute(&rules, &span, out);
    return true;
}

/* The worse of the measured losses, or -1. */
static int64_t
measured(const json_t *root)
{
    int64_t az = lp_json_int(root, LP_F_OPTICAL_FIBER_MEASURED_LOSS_AZ_CDB, -1);
    int64_t za = lp_json_int(root, LP_F_OPTICAL_FIBER_MEASURED_LOSS_ZA_CDB, -1);

    return az > za ? az : za;
}

/* What is leased has no glass of ours: its length and the delay of that length are all there is. */
static enum lp_code
derive_leased(json_t *root, struct lp_err *err)
{
    int64_t length = lp_json_int(root, LP_F_OPTICAL_FIBER_LEASED_LENGTH_M, -1);

    if (length < 0)
        return LP_OK;
    return lp_json_set_int(root, LP_F_OPTICAL_FIBER_LENGTH_M, length) == 0
                   && lp_json_set_int(root, LP_F_OPTICAL_FIBER_LATENCY_NS, length * 48967 / 10000)
                          == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for a fiber's length");
}

static enum lp_code
derive_budget(const struct lp_conf *conf, json_t *root, struct lp_err *err)
{
    static const char *const names[] = {
        LP_F_OPTICAL_FIBER_LENGTH_M,        LP_F_OPTICAL_FIBER_EXPECTED_LOSS_CDB,
        LP_F_OPTICAL_FIBER_LOSS_BUDGET_CDB, LP_F_OPTICAL_FIBER_DISPERSION_PS_NM,
        LP_F_OPTICAL_FIBER_LATENCY_NS,      LP_F_OPTICAL_FIBER_LOSS_MARGIN_CDB,
    };
    int64_t loss = measured(root);
    struct lp_budget budget;

    for (size_t i = 0; i < LP_COUNT(names); i++)
        json_object_del(root, names[i]);
    if (is_leased(root))
        return derive_leased(root, err);
    if (!compute(conf, root, &budget))
        return LP_OK;
    const int64_t values[] = {budget.length_m,   budget.expected_cdb,
                              budget.budget_cdb, budget.dispersion_ps_nm,
                              budget.latency_ns, budget.budget_cdb - loss};
    static_assert(LP_COUNT(values) == LP_COUNT(names), "a value for every member");
    for (size_t i = 0; i < LP_COUNT(names) - (loss < 0 ? 1 : 0); i++)
        if (json_object_set_new(root, names[i], json_integer(values[i])) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for a fiber's budget");
    return LP_OK;
}

static enum lp_code
fiber_derive(const struct lp_conf *conf, const json_t *closure, json_t *root, struct lp_err *err)
{
    enum lp_code rc = derive_name(conf, closure, root, err);

    return rc == LP_OK ? derive_budget(conf, root, err) : rc;
}

/* ---- rules ---- */

static void
check_glass(const json_t *root, struct lp_problems *problems)
{
    const json_t *list = json_object_get(root, LP_F_OPTICAL_FIBER_SEGMENTS), *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *name = lp_json_str(item, LP_F_OPTICAL_FIBER_SEGMENTS_FIBER_TYPE, "");
        const struct lp_fiber_type *type = lp_fiber_type_of(name);
        json_auto_t *loc = json_pack("[s, i, s]", LP_F_OPTICAL_FIBER_SEGMENTS, (int)i,
                                     LP_F_OPTICAL_FIBER_SEGMENTS_FIBER_TYPE);
        if (type != NULL && type->multimode)
            lp_problem_add(problems, "value_error", loc, json_object_get(item, "fiber_type"), NULL,
                           "%s is a multimode fiber: it cannot carry DWDM channels", name);
    }
}

static void
check_measured(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems)
{
    static const char *const names[] = {LP_F_OPTICAL_FIBER_MEASURED_LOSS_AZ_CDB,
                                        LP_F_OPTICAL_FIBER_MEASURED_LOSS_ZA_CDB};
    struct lp_budget budget;

    if (!compute(conf, root, &budget))
        return;
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        int64_t loss = lp_json_int(root, names[i], -1);
        if (loss >= 0 && !lp_loss_is_plausible(&budget, (uint32_t)loss))
            lp_problem_field(problems, "value_error", names[i], json_object_get(root, names[i]),
                             "a measured loss of %lld.%02lld dB cannot be right: the glass alone "
                             "loses %u.%02u dB",
                             (long long)loss / 100, (long long)loss % 100, budget.fiber_cdb / 100,
                             budget.fiber_cdb % 100);
    }
}

/* ---- leased spectrum ---- */

static const char *const leased_members[] = {
    LP_F_OPTICAL_FIBER_LEASED_LOW_MHZ,          LP_F_OPTICAL_FIBER_LEASED_HIGH_MHZ,
    LP_F_OPTICAL_FIBER_LEASED_GUARD_MHZ,        LP_F_OPTICAL_FIBER_LEASED_LENGTH_M,
    LP_F_OPTICAL_FIBER_LEASED_OSNR_CDB,         LP_F_OPTICAL_FIBER_LEASED_LAUNCH_LOW_CDBM,
    LP_F_OPTICAL_FIBER_LEASED_LAUNCH_HIGH_CDBM, LP_F_OPTICAL_FIBER_LEASED_UNTIL,
};

static void
leased_problem(const json_t *root, const char *member, const char *text,
               struct lp_problems *problems)
{
    lp_problem_field(problems, "value_error", member, json_object_get(root, member), "%s", text);
}

/* The band: both edges, on the raster, within the band plan, and more than its guards. */
static void
check_leased_band(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems)
{
    const struct lp_range edges = {lp_json_int(root, LP_F_OPTICAL_FIBER_LEASED_LOW_MHZ, 0),
                                   lp_json_int(root, LP_F_OPTICAL_FIBER_LEASED_HIGH_MHZ, 0)};
    const struct lp_band *band = lp_band_of(lp_conf_live_text(&conf->spectrum_band));
    enum lp_band_rule rule;
    char text[200];

    if (band == NULL)
        band = lp_band_of("C");
    for (size_t i = 0; i < 2; i++)
        if (json_object_get(root, leased_members[i]) == NULL) {
            lp_problem_field(problems, "missing", leased_members[i], NULL,
                             "leased spectrum has a low and a high edge");
            return;
        }
    rule = lp_band_check_passband(band, &edges, LP_GRID_RASTER_MHZ);
    if (rule != LP_BAND_OK) {
        int64_t odd = edges.low_mhz < lp_band_whole(band).low_mhz ? edges.low_mhz : edges.high_mhz;

        lp_band_explain(band, rule, odd, edges.high_mhz, text, sizeof text);
        leased_problem(root, LP_F_OPTICAL_FIBER_LEASED_HIGH_MHZ, text, problems);
    } else if (2 * lp_json_int(root, LP_F_OPTICAL_FIBER_LEASED_GUARD_MHZ, 0)
               >= edges.high_mhz - edges.low_mhz) {
        leased_problem(root, LP_F_OPTICAL_FIBER_LEASED_GUARD_MHZ,
                       "the guards leave nothing of the band", problems);
    }
}

static void
check_leased(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems)
{
    int64_t low = lp_json_int(root, LP_F_OPTICAL_FIBER_LEASED_LAUNCH_LOW_CDBM, INT32_MIN);

    if (!is_leased(root)) {
        for (size_t i = 0; i < LP_COUNT(leased_members); i++)
            if (json_object_get(root, leased_members[i]) != NULL)
                leased_problem(root, leased_members[i], "only leased spectrum has this", problems);
        return;
    }
    check_leased_band(conf, root, problems);
    if (lp_json_int(root, LP_F_OPTICAL_FIBER_LEASED_LAUNCH_HIGH_CDBM, INT32_MAX) < low)
        leased_problem(root, LP_F_OPTICAL_FIBER_LEASED_LAUNCH_HIGH_CDBM,
                       "the most launch power is below the least", problems);
    if (json_array_size(json_object_get(root, LP_F_OPTICAL_FIBER_SEGMENTS)) > 0)
        leased_problem(root, LP_F_OPTICAL_FIBER_SEGMENTS,
                       "leased spectrum has no segments of ours: its length is its leased length",
                       problems);
}

static void
fiber_check(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems)
{
    const json_t *ends = json_object_get(root, LP_F_OPTICAL_FIBER_TERMINATIONS);

    if (json_array_size(ends) == 2 && json_equal(json_array_get(ends, 0), json_array_get(ends, 1)))
        lp_problem_field(problems, "value_error", LP_F_OPTICAL_FIBER_TERMINATIONS, ends,
                         "a fiber connects two different ports");
    check_leased(conf, root, problems);
    check_glass(root, problems);
    check_measured(conf, root, problems);
}

/* ---- what the elements should hold ---- */

static json_t *
peer_of(const struct lp_end *far)
{
    json_t *peer = json_object();

    (void)lp_json_set_str(peer, "node", lp_end_value(far, "node"));
    (void)lp_json_set_str(peer, "fqdn", lp_end_value(far, "fqdn"));
    (void)lp_json_set_str(peer, "port", lp_end_value(far, "port"));
    (void)lp_json_set_str(peer, "platform",
                          lp_json_str(far->root, LP_F_OPTICAL_DEVICE_PLATFORM, ""));
    if (lp_json_str(far->root, LP_F_OPTICAL_DEVICE_SERIAL, NULL) != NULL)
        (void)lp_json_set_str(peer, "serial",
                              lp_json_str(far->root, LP_F_OPTICAL_DEVICE_SERIAL, NULL));
    return peer;
}

/* What the line system wants to know of the glass, as seen from end `which`. */
static json_t *
glass_of(const json_t *root, size_t which, json_t *intent)
{
    const json_t *list = json_object_get(root, LP_F_OPTICAL_FIBER_SEGMENTS), *item;
    json_t *types = json_array();
    size_t i, count = json_array_size(list);
    int64_t loss = measured(root);

    for (i = 0; i < count; i++) {
        item = json_array_get(list, which == 0 ? i : count - 1 - i);
        json_array_append(types, json_object_get(item, LP_F_OPTICAL_FIBER_SEGMENTS_FIBER_TYPE));
    }
    if (count > 0)
        json_object_set(intent, "fiber_types", types);
    json_decref(types);
    if (json_object_get(root, LP_F_OPTICAL_FIBER_LENGTH_M) != NULL)
        json_object_set(intent, "length_m", json_object_get(root, LP_F_OPTICAL_FIBER_LENGTH_M));
    if (loss < 0)
        loss = lp_json_int(root, LP_F_OPTICAL_FIBER_EXPECTED_LOSS_CDB, -1);
    if (loss >= 0)
        json_object_set_new(intent, "loss_cdb", json_integer(loss));
    return intent;
}

/* Of leased spectrum the element knows its own port only: the neighbour is somebody else's. An
 * add/drop port takes waves that are not its vendor's. */
static int
desire_leased(json_t *intent)
{
    const char *role = lp_json_str(intent, "role", "");

    if (strcmp(role, "trx-line") == 0)
        return 0;
    json_object_del(intent, "peer");
    json_object_del(intent, "same_element");
    if (strcmp(role, "ols-add-drop") == 0 && lp_json_set_bool(intent, "manual", true) != 0)
        return -1;
    return lp_json_set_str(intent, "kind", "port") | lp_json_set_str(intent, "admin", "up");
}

static enum lp_code
desire_end(const struct lp_conf *conf, const json_t *root, const struct lp_end ends[2],
           size_t which, json_t *out, struct lp_err *err)
{
    const struct lp_end *near = &ends[which], *far = &ends[1 - which];
    struct names names = {.prefix = {"local.", "remote."},
                          .end = {*near, *far},
                          .fiber = lp_json_str(root, LP_F_OPTICAL_FIBER_FIBER_NAME, "")};
    const char *port = lp_end_value(near, "port");
    struct lp_buf label = LP_BUF_INIT, id = LP_BUF_INIT;
    json_t *intent = NULL;
    enum lp_code rc =
        expand("fiber_port", lp_conf_live_text(&conf->naming_fiber_port), &names, &label, err);

    lp_buf_printf(&id, "fiber-end:%s", port);
    if (rc == LP_OK && !id.failed)
        intent = json_pack("{s:s, s:s, s:b, s:s, s:s, s:s%, s:b, s:o}", "id", id.data, "kind",
                           "fiber-end", "present", 1, "port", port, "role",
                           lp_json_str(near->port, LP_F_OPTICAL_DEVICE_PORT_ROLE, ""), "label",
                           label.data == NULL ? "" : label.data, label.len, "same_element",
                           strcmp(near->device, far->device) == 0, "peer", peer_of(far));
    lp_buf_free(&id);
    lp_buf_free(&label);
    if (rc == LP_OK && (intent == NULL || (is_leased(root) && desire_leased(intent) != 0)))
        rc = lp_fail(err, LP_NOMEM, "no memory for an intent");
    if (rc != LP_OK) {
        json_decref(intent);
        return rc;
    }
    return lp_desire(out, near->device, is_leased(root) ? intent : glass_of(root, which, intent),
                     err);
}

static enum lp_code
fiber_desired(const struct lp_conf *conf, const json_t *closure, json_t **out, struct lp_err *err)
{
    const json_t *root = lp_closure_root(closure);
    json_auto_t *desired = json_pack("{s:{}}", "elements");
    struct lp_end ends[2];
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < 2; i++)
        if (!find_end(closure, root, i, &ends[i]))
            return lp_fail(err, LP_INVALID, "%s: end %c (port %.64s) is not there",
                           lp_json_str(root, LP_F_OPTICAL_FIBER_FIBER_NAME, "the fiber"),
                           i == 0 ? 'A' : 'Z', ends[i].port_id == NULL ? "none" : ends[i].port_id);
    for (size_t i = 0; i < 2 && rc == LP_OK; i++)
        rc = desire_end(conf, root, ends, i, desired, err);
    if (rc == LP_OK)
        *out = lp_json_take(&desired);
    return rc;
}

const struct lp_product lp_product_optical_fiber = {.type = "Optical Fiber",
                                                    .describe = fiber_describe,
                                                    .check = fiber_check,
                                                    .derive = fiber_derive,
                                                    .desired = fiber_desired};
